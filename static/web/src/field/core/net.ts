/** One door to the server: our headers, a time limit on everything, the server's clock read on the way. */

export interface Answer {
  status: number
  ok: boolean
  /** it is our server's word, not a hotel's or a proxy's */
  ours: boolean
  data: unknown
  header(name: string): string | null
}

/** Unreachable: whether the request arrived is not known. */
export class Unreachable extends Error {
  constructor(message = 'unreachable') { super(message); this.name = 'Unreachable' }
}

export interface Ask {
  method?: string
  json?: unknown
  bytes?: Blob
  headers?: Record<string, string>
  timeout_ms?: number
  lang?: string
}

export class Net {
  /** the server's clock minus ours, s */
  skew: number | null = null
  constructor(private readonly device: () => string, private readonly fetcher: typeof fetch = (...a) => fetch(...a)) {}

  /** raw answers the Response itself; the time limit is for its headers. */
  async raw(path: string, a: Ask = {}): Promise<{ r: Response; stop: () => void }> {
    const method = a.method ?? 'GET'
    const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': a.lang ?? 'zh-CN', ...a.headers }
    if (this.device()) headers['Onemap-Device'] = this.device()
    let body: BodyInit | undefined
    if (a.json !== undefined) { body = JSON.stringify(a.json); headers['Content-Type'] = 'application/json' } else if (a.bytes) { body = a.bytes; headers['Content-Type'] = 'application/octet-stream' }
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), a.timeout_ms ?? 30_000)
    const t0 = Date.now()
    try {
      const r = await this.fetcher(path, { method, headers, body, credentials: 'same-origin', cache: 'no-store', redirect: 'error', signal: abort.signal })
      const date = Date.parse(r.headers.get('Date') ?? '')
      // Date is cut to the second: half of one is added. A slow answer tells the time badly.
      if (!Number.isNaN(date) && Date.now() - t0 < 10_000) this.skew = Math.round((date + 500 - (t0 + Date.now()) / 2) / 1000) || 0
      return { r, stop: () => clearTimeout(timer) }
    } catch (cause) {
      clearTimeout(timer)
      throw new Unreachable(String(cause))
    }
  }

  async ask(path: string, a: Ask = {}): Promise<Answer> {
    const { r, stop } = await this.raw(path, a)
    try {
      const text = r.status === 304 ? '' : await r.text()
      let data: unknown = null
      const type = r.headers.get('Content-Type') ?? ''
      const json = /^application\/([a-z+-]*\+)?json/i.test(type)
      if (json && text) try { data = JSON.parse(text) } catch { throw new Unreachable('the answer was cut') }
      return { status: r.status, ok: r.ok, ours: json || r.status === 204 || r.status === 304, data, header: (name) => r.headers.get(name) }
    } catch (cause) {
      if (cause instanceof Unreachable) throw cause
      throw new Unreachable(String(cause))
    } finally { stop() }
  }
}

/** retryAfter is what the server asks to wait, ms. */
export function retryAfter(a: Answer): number {
  const s = Number(a.header('Retry-After'))
  return Number.isFinite(s) && s > 0 ? Math.min(s, 600) * 1000 : 0
}
