import { backoff } from '../lib/live.ts'
import type { TileBox } from '../map/tiles.ts'

/** What the stream tells of a record or a feature. */
export interface RecordEvent { topic: string; position: string; op: string; id: string; properties: Record<string, unknown> | null; geometry: GeoJSON.Geometry | null }

export type LineState = 'connecting' | 'live' | 'lost'

export interface StreamListener {
  state(state: LineState, retryAt: number | null): void
  /** How far behind the server says this line is, each few seconds. */
  lag(ms: number | null, at: number): void
  tiles(layer: string, boxes: readonly TileBox[]): void
  record(e: RecordEvent): void
  /** What was missed cannot be told: read everything again. */
  reset(): void
  /** Somebody's rights changed: ours may have. */
  rights(): void
  /** The line was refused, not broken: perhaps the session ended. */
  refused(): void
}

export interface StreamBrowser {
  source(url: string): EventSource
  now(): number
  random(): number
  setTimeout(run: () => void, ms: number): number
  clearTimeout(id: number): void
}

export const realBrowser = (): StreamBrowser => ({
  source: (url) => new EventSource(url), now: () => Date.now(), random: Math.random,
  setTimeout: (run, ms) => window.setTimeout(run, ms), clearTimeout: (id) => window.clearTimeout(id),
})

/** The server says something every 5 s; three times nothing is a dead line. */
export const SILENCE = 16_000

/**
 * Stream is the one line of the room: dirty tiles and records over one connection, which
 * resumes where it was, notices that the machine slept, and never gives up.
 */
export class Stream {
  private source: EventSource | null = null
  private watchdog = 0
  private retry = 0
  private attempt = 0
  private stopped = false
  private heard: number
  /** how often the line came back after it was lost; a wall shows it */
  reconnects = 0
  private was: LineState = 'connecting'

  constructor(private topics: readonly string[], public position: string, private readonly listener: StreamListener, private readonly browser: StreamBrowser = realBrowser()) {
    this.heard = browser.now()
    this.connect()
  }

  stop(): void {
    this.stopped = true
    this.browser.clearTimeout(this.watchdog)
    this.browser.clearTimeout(this.retry)
    this.source?.close()
    this.source = null
  }

  /** now skips the wait of a retry: the person asked, or the network came back. */
  now(): void {
    if (this.stopped) return
    this.attempt = 0
    this.connect()
  }

  /** doubt ends a line the machine says it has no network for; a new one tells whether that is so. */
  doubt(): void { if (!this.stopped && this.source) this.lose() }

  /** awake is called when time may have jumped: after sleep, timers say nothing of it. */
  awake(): void { if (!this.stopped && this.browser.now() - this.heard > SILENCE) this.now() }

  /** renew opens the line anew, from where the catalogue was just read. */
  renew(topics: readonly string[], position: string): void {
    this.topics = topics
    this.position = position
    this.now()
  }

  private say(state: LineState, retryAt: number | null = null): void {
    if (state === 'live' && this.was === 'lost') this.reconnects++
    // Trying again is not being there: between the tries it stays lost.
    if (state === 'connecting' && this.was === 'lost') return
    this.was = state
    this.listener.state(state, retryAt)
  }

  private connect(): void {
    if (this.stopped) return
    this.browser.clearTimeout(this.retry)
    this.source?.close()
    this.say('connecting')
    const source = this.browser.source(`/api/live?topics=${this.topics.join(',')}&since=${encodeURIComponent(this.position)}`)
    this.source = source
    this.watch()
    const mine = (e: Event, use: (data: Record<string, unknown>) => void) => {
      if (source !== this.source) return
      let data: Record<string, unknown>
      try { data = JSON.parse((e as MessageEvent<string>).data || '{}') as Record<string, unknown> } catch { return }
      if (typeof data.position === 'string') this.position = data.position
      this.attempt = 0
      this.heard = this.browser.now()
      this.say('live')
      this.watch()
      use(data)
    }
    source.addEventListener('lag', (e) => mine(e, (d) => this.listener.lag(typeof d.lag_ms === 'number' ? d.lag_ms : null, this.heard)))
    source.addEventListener('tiles', (e) => mine(e, (d) => { if (typeof d.layer === 'string' && Array.isArray(d.boxes)) this.listener.tiles(d.layer, d.boxes as TileBox[]) }))
    source.addEventListener('reset', (e) => mine(e, () => this.listener.reset()))
    source.addEventListener('rights', () => { if (source === this.source) this.listener.rights() })
    for (const topic of this.topics) {
      if (topic === 'tiles') continue
      source.addEventListener(topic, (e) => mine(e, (d) => this.listener.record({
        topic, position: this.position, op: String(d.op ?? ''), id: String(d.id ?? ''),
        properties: (d.properties as Record<string, unknown> | null) ?? null, geometry: (d.geometry as GeoJSON.Geometry | null) ?? null,
      })))
    }
    source.addEventListener('error', () => {
      if (source !== this.source) return
      const refused = source.readyState === 2
      this.lose()
      if (refused) this.listener.refused()
    })
  }

  private watch(): void {
    this.browser.clearTimeout(this.watchdog)
    this.watchdog = this.browser.setTimeout(() => this.lose(), SILENCE)
  }

  private lose(): void {
    this.browser.clearTimeout(this.watchdog)
    this.browser.clearTimeout(this.retry)
    this.source?.close()
    this.source = null
    if (this.stopped) return
    const wait = backoff(this.attempt++, this.browser.random())
    this.say('lost', this.browser.now() + wait)
    this.retry = this.browser.setTimeout(() => this.connect(), wait)
  }
}
