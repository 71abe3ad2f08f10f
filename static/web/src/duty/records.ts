import { backoff } from '../lib/live.ts'

/** What the stream tells of a record. */
export interface RecordEvent { topic: string; position: string; op: string; id: string; properties: Record<string, unknown> | null }

export interface RecordListener {
  state(state: 'connecting' | 'live' | 'lost'): void
  record(e: RecordEvent): void
  /** What was missed cannot be told: read everything again. */
  reset(): void
}

/** The server says something every 5 s; three times nothing is a dead line. */
const SILENCE = 16_000

/** Records follows records of some topics; it resumes where it was and never gives up. */
export class Records {
  private source: EventSource | null = null
  private watchdog = 0
  private retry = 0
  private attempt = 0
  private stopped = false

  constructor(private readonly topics: readonly string[], private position: string, private readonly listener: RecordListener) { this.connect() }

  stop(): void {
    this.stopped = true
    clearTimeout(this.watchdog)
    clearTimeout(this.retry)
    this.source?.close()
  }

  now(): void { this.attempt = 0; this.connect() }

  private connect(): void {
    if (this.stopped) return
    clearTimeout(this.retry)
    this.source?.close()
    this.listener.state('connecting')
    const source = new EventSource(`/api/live?topics=${this.topics.join(',')}&since=${encodeURIComponent(this.position)}`)
    this.source = source
    this.watch()
    const mine = (e: Event, use: (data: Record<string, unknown>) => void) => {
      if (source !== this.source) return
      let data: Record<string, unknown>
      try { data = JSON.parse((e as MessageEvent<string>).data || '{}') } catch { return }
      if (typeof data.position === 'string') this.position = data.position
      this.attempt = 0
      this.listener.state('live')
      this.watch()
      use(data)
    }
    source.addEventListener('lag', (e) => mine(e, () => {}))
    source.addEventListener('reset', (e) => mine(e, () => this.listener.reset()))
    source.addEventListener('rights', () => { if (source === this.source) this.listener.reset() })
    for (const topic of this.topics) source.addEventListener(topic, (e) => mine(e, (d) => this.listener.record({
      topic, position: this.position, op: String(d.op ?? ''), id: String(d.id ?? ''), properties: (d.properties as Record<string, unknown> | null) ?? null,
    })))
    source.addEventListener('error', () => { if (source === this.source) this.lose() })
  }

  private watch(): void {
    clearTimeout(this.watchdog)
    this.watchdog = window.setTimeout(() => this.lose(), SILENCE)
  }

  private lose(): void {
    clearTimeout(this.watchdog)
    this.source?.close()
    this.source = null
    if (this.stopped) return
    this.listener.state('lost')
    this.retry = window.setTimeout(() => this.connect(), backoff(this.attempt++, Math.random()))
  }
}
