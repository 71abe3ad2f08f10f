/**
 * The sound of 没有发出去. A browser lets a page sound only after a finger touched it:
 * prime() is called by the very tap that sends the emergency.
 */
let audio: AudioContext | null = null
let timer = 0

export function prime(): void {
  try {
    audio ??= new AudioContext()
    void audio.resume()
  } catch { /* a phone without sound still shows and shakes */ }
}

function beep(): void {
  if (audio) {
    const t = audio.currentTime
    for (let k = 0; k < 4; k++) {
      const osc = audio.createOscillator(), gain = audio.createGain()
      osc.type = 'square'
      osc.frequency.value = k % 2 ? 660 : 990
      gain.gain.setValueAtTime(0, t + k * 0.22)
      gain.gain.linearRampToValueAtTime(0.5, t + k * 0.22 + 0.02)
      gain.gain.linearRampToValueAtTime(0, t + k * 0.22 + 0.2)
      osc.connect(gain).connect(audio.destination)
      osc.start(t + k * 0.22)
      osc.stop(t + k * 0.22 + 0.22)
    }
  }
  navigator.vibrate?.([300, 150, 300])
}

export function ring(on: boolean): void {
  if (!on) {
    clearInterval(timer)
    if (timer) navigator.vibrate?.(0)
    timer = 0
    return
  }
  if (timer) return
  prime()
  beep()
  timer = window.setInterval(beep, 1500)
}
