/**
 * The sound of the alarm: one buffer played in a loop. No timer starts it again, because
 * browsers slow the timers of a tab in the background, and an alarm must not slow down.
 */
export class Tone {
  private context: AudioContext | null = null
  private source: AudioBufferSourceNode | null = null

  constructor(private readonly changed: () => void) {}

  /** allowed: the browser lets this page sound; waiting: not before somebody touches it; none: it cannot. */
  get state(): 'allowed' | 'waiting' | 'none' {
    if (typeof AudioContext === 'undefined') return 'none'
    return this.context?.state === 'running' ? 'allowed' : 'waiting'
  }

  /** wake asks the browser; it says yes only within a touch or a key, or where it knows the site. */
  async wake(): Promise<void> {
    if (typeof AudioContext === 'undefined') return
    if (!this.context) {
      this.context = new AudioContext()
      this.context.onstatechange = () => this.changed()
    }
    try { await this.context.resume() } catch { /* it stays as it is, and the page says so */ }
    this.changed()
  }

  start(): void {
    if (this.source || !this.context) return
    this.source = this.context.createBufferSource()
    this.source.buffer = alarm(this.context)
    this.source.loop = true
    this.source.connect(this.context.destination)
    this.source.start()
  }

  stop(): void {
    this.source?.stop()
    this.source?.disconnect()
    this.source = null
  }
}

/** alarm is two rising tones, twice, and a second of silence in which people can talk. */
function alarm(context: AudioContext): AudioBuffer {
  const rate = context.sampleRate, buffer = context.createBuffer(1, Math.round(rate * 2.4), rate), data = buffer.getChannelData(0)
  for (const [from, pitch] of [[0, 740], [0.28, 988], [0.7, 740], [0.98, 988]] as const) {
    const n = Math.round(rate * 0.24), at = Math.round(rate * from)
    for (let i = 0; i < n; i++) {
      const edge = Math.min(1, i / (rate * 0.01), (n - i) / (rate * 0.03)), turn = (2 * Math.PI * pitch * i) / rate
      data[at + i] = edge * (0.34 * Math.sin(turn) + 0.12 * Math.sin(3 * turn)) // a third harmonic, for small speakers and old ears
    }
  }
  return buffer
}
