import type { TileBox } from '../map/tiles.ts'

/** One change the map must show. */
export interface Dirty { position: string; layer: string; boxes: TileBox[]; max_zoom: number }

export type LiveState = 'connecting' | 'live' | 'lost'

export type Message =
  | { kind: 'state'; state: LiveState; lag: number | null; at: number | null; retryAt: number | null }
  | { kind: 'tiles'; dirty: Dirty; at: number }
  | { kind: 'reset' }
  | { kind: 'rights' }
  | { kind: 'hello' }

export interface Listener {
  state(state: LiveState, lag: number | null, at: number | null, retryAt: number | null, leader: boolean): void
  tiles(dirty: Dirty): void
  /** The stream cannot tell what was missed: draw everything anew. */
  reset(): void
  /** What the asker may see has changed: nothing that is shown may be trusted any more. */
  rights(): void
}

/** What the stream needs of the browser; tests hand in their own. */
export interface Browser {
  source(url: string): EventSource
  channel(name: string): Pick<BroadcastChannel, 'postMessage' | 'close'> & { onmessage: ((e: MessageEvent) => void) | null } | null
  locks: LockManager | null
  now(): number
  random(): number
  setTimeout(f: () => void, ms: number): number
  clearTimeout(id: number): void
}

export const realBrowser = (): Browser => ({
  source: (url) => new EventSource(url),
  channel: (name) => ('BroadcastChannel' in window ? new BroadcastChannel(name) : null),
  // Locks exist only on https and localhost; elsewhere every tab has a connection of its own.
  locks: 'locks' in navigator ? navigator.locks : null,
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (f, ms) => window.setTimeout(f, ms),
  clearTimeout: (id) => window.clearTimeout(id),
})

const NAME = 'onemap.live'
/** The server says something every 5 s; three times nothing is a dead line. */
const SILENCE = 16_000

/** backoff grows to half a minute, with a quarter of chance, and never ends. */
export function backoff(attempt: number, random: number): number {
  const base = Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5))
  return Math.round(base * (0.75 + random * 0.5))
}

/**
 * Live keeps one connection per browser: the tab that holds the lock listens and tells
 * the others. When it closes, the lock passes on by itself and the next tab resumes
 * from the last position it heard of.
 */
export class Live {
  private channel: ReturnType<Browser['channel']>
  private stream: EventSource | null = null
  private leader = false
  private stopped = false
  private attempt = 0
  private watchdog = 0
  private retry = 0
  private position: string
  private state: LiveState = 'connecting'
  private lag: number | null = null
  private at: number | null = null
  private retryAt: number | null = null
  private release: (() => void) | null = null
  private quiet = 0

  constructor(position: string, private readonly listener: Listener, private readonly browser: Browser = realBrowser()) {
    this.position = position
    this.channel = browser.channel(NAME)
    if (this.channel) this.channel.onmessage = (e: MessageEvent<Message>) => this.hear(e.data)
    if (browser.locks && this.channel) {
      this.channel.postMessage({ kind: 'hello' } satisfies Message)
      this.followWatch()
      browser.locks.request(NAME, () => new Promise<void>((resolve) => {
        if (this.stopped) { resolve(); return }
        this.release = resolve
        this.lead()
      })).catch(() => this.lead())
    } else {
      this.lead()
    }
  }

  stop(): void {
    this.stopped = true
    this.browser.clearTimeout(this.watchdog)
    this.browser.clearTimeout(this.retry)
    this.browser.clearTimeout(this.quiet)
    this.stream?.close()
    this.release?.()
    this.channel?.close()
  }

  /** now skips the wait of a retry: the person asked, or the network came back. */
  now(): void {
    if (!this.leader) { this.channel?.postMessage({ kind: 'hello' } satisfies Message); return }
    if (this.state === 'live') return
    this.attempt = 0
    this.connect()
  }

  /** renew opens the stream anew from where the catalogue was just read: as the person who asks now. */
  renew(position: string): void {
    this.position = position
    if (!this.leader || this.stopped) return
    this.attempt = 0
    this.connect()
  }

  private lead(): void {
    this.leader = true
    this.browser.clearTimeout(this.quiet)
    this.connect()
  }

  private connect(): void {
    if (this.stopped) return
    this.browser.clearTimeout(this.retry)
    this.browser.clearTimeout(this.watchdog)
    this.stream?.close()
    this.retryAt = null
    if (this.state !== 'lost') this.state = 'connecting'
    this.tell()
    const stream = this.browser.source(`/api/live?topics=tiles&since=${encodeURIComponent(this.position)}`)
    this.stream = stream
    this.watch()
    stream.addEventListener('open', () => { if (stream === this.stream) this.watch() })
    stream.addEventListener('lag', (e) => this.mine(stream, e, (data) => {
      this.lag = typeof data.lag_ms === 'number' ? data.lag_ms : null
      if (typeof data.position === 'string') this.position = data.position
      this.alive()
    }))
    stream.addEventListener('tiles', (e) => this.mine(stream, e, (data) => {
      const dirty = data as unknown as Dirty
      if (typeof dirty.layer !== 'string' || !Array.isArray(dirty.boxes)) return
      this.alive()
      if (typeof dirty.position === 'string') this.position = dirty.position
      this.listener.tiles(dirty)
      this.channel?.postMessage({ kind: 'tiles', dirty, at: this.browser.now() } satisfies Message)
    }))
    stream.addEventListener('reset', (e) => this.mine(stream, e, (data) => {
      if (typeof data.position === 'string') this.position = data.position
      this.alive()
      this.listener.reset()
      this.channel?.postMessage({ kind: 'reset' } satisfies Message)
    }))
    stream.addEventListener('rights', () => {
      if (stream !== this.stream) return
      this.listener.rights()
      this.channel?.postMessage({ kind: 'rights' } satisfies Message)
    })
    stream.addEventListener('error', () => { if (stream === this.stream) this.lose() })
  }

  private mine(stream: EventSource, e: Event, use: (data: Record<string, unknown>) => void): void {
    if (stream !== this.stream) return
    let data: Record<string, unknown>
    try { data = JSON.parse((e as MessageEvent<string>).data || '{}') } catch { return }
    use(data)
  }

  private alive(): void {
    this.attempt = 0
    this.state = 'live'
    this.at = this.browser.now()
    this.retryAt = null
    this.watch()
    this.tell()
  }

  private watch(): void {
    this.browser.clearTimeout(this.watchdog)
    this.watchdog = this.browser.setTimeout(() => this.lose(), SILENCE)
  }

  private lose(): void {
    if (this.stopped) return
    this.browser.clearTimeout(this.watchdog)
    this.browser.clearTimeout(this.retry)
    // EventSource gives up for good on some answers; our own retry never does.
    this.stream?.close()
    this.stream = null
    const wait = backoff(this.attempt++, this.browser.random())
    this.state = 'lost'
    this.retryAt = this.browser.now() + wait
    this.retry = this.browser.setTimeout(() => this.connect(), wait)
    this.tell()
  }

  private tell(): void {
    this.listener.state(this.state, this.lag, this.at, this.retryAt, this.leader)
    this.channel?.postMessage({ kind: 'state', state: this.state, lag: this.lag, at: this.at, retryAt: this.retryAt } satisfies Message)
  }

  private hear(m: Message): void {
    if (this.stopped) return
    if (m.kind === 'hello') {
      if (this.leader) {
        if (this.state === 'lost') this.now()
        else this.tell()
      }
      return
    }
    if (this.leader) return
    switch (m.kind) {
      case 'state':
        this.state = m.state
        this.lag = m.lag
        if (m.at !== null) this.at = m.at
        this.retryAt = m.retryAt
        this.followWatch()
        this.listener.state(m.state, m.lag, this.at, m.retryAt, false)
        break
      case 'tiles':
        this.position = m.dirty.position || this.position
        this.at = m.at
        this.listener.tiles(m.dirty)
        break
      case 'reset':
        this.listener.reset()
        break
      case 'rights':
        this.listener.rights()
        break
    }
  }

  /** A follower that hears nothing says so: its leader may be frozen in the background. */
  private followWatch(): void {
    this.browser.clearTimeout(this.quiet)
    this.quiet = this.browser.setTimeout(() => {
      if (this.leader || this.stopped) return
      this.state = 'lost'
      this.listener.state('lost', null, this.at, null, false)
      this.channel?.postMessage({ kind: 'hello' } satisfies Message)
      this.followWatch()
    }, SILENCE + 10_000)
  }
}
