import { deviceHeader } from '../lib/leave.ts'
import type { Lang } from '../lib/types.ts'

export interface Fault { path: string; code: string; message: string }

/** A Refusal is an answer the server did not give, in its own words (RFC 9457). */
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, readonly title: string, readonly detail: string, readonly errors: Fault[], readonly retryAfter: number, readonly body: unknown = null) {
    super(detail || title || code)
    this.name = 'Refusal'
  }
}

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  body?: unknown
  file?: Blob
  match?: string | number
  lang: Lang
  signal?: AbortSignal
  /** for how long an answer is waited for; a question of GET has an end by itself */
  patience?: number
}

/** A line that swallows what is sent keeps a request, and its place among the few a browser sends at once, for ever. */
const PATIENCE = 45_000

/** within is a signal that gives up after so many ms, or when the given one does. */
export function within(ms: number, given?: AbortSignal): { signal: AbortSignal; done(): void } {
  const end = new AbortController(), stop = () => end.abort()
  const timer = setTimeout(stop, ms)
  if (given?.aborted) stop()
  given?.addEventListener('abort', stop)
  return { signal: end.signal, done: () => { clearTimeout(timer); given?.removeEventListener('abort', stop) } }
}

export interface Answer<T> { data: T; status: number; etag: string }

export async function ask<T>(path: string, a: Ask): Promise<Answer<T>> {
  const method = a.method ?? 'GET'
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': a.lang }
  let body: BodyInit | undefined
  if (a.file) {
    body = a.file
    headers['Content-Type'] = a.file.type || 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
  } else if (a.body !== undefined) {
    body = JSON.stringify(a.body)
    headers['Content-Type'] = 'application/json'
  }
  if (a.match !== undefined && a.match !== '') headers['If-Match'] = typeof a.match === 'number' ? `"${a.match}"` : a.match
  if (method !== 'GET') Object.assign(headers, deviceHeader())
  let r: Response, text: string
  const patience = a.patience ?? (method === 'GET' ? PATIENCE : 0)
  const end = patience > 0 ? within(patience, a.signal) : null
  try {
    r = await fetch(path, { method, headers, body, credentials: 'same-origin', signal: end?.signal ?? a.signal, cache: 'no-store', redirect: 'error' })
    text = await r.text()
  } catch (cause) {
    if (a.signal?.aborted) throw cause
    throw new Refusal(0, 'unreachable', '', '', [], 0)
  } finally { end?.done() }
  let data: unknown
  try { data = text ? JSON.parse(text) : null } catch { data = null }
  if (!r.ok) {
    const p = (data ?? {}) as { code?: string; title?: string; detail?: string; errors?: Partial<Fault & { detail: string; pointer: string }>[] }
    const faults = (p.errors ?? []).map((e) => ({ path: (e.path ?? e.pointer ?? '').replace(/^[#/]+/, ''), code: e.code ?? '', message: e.message ?? e.detail ?? '' }))
    throw new Refusal(r.status, p.code ?? '', p.title ?? '', p.detail ?? '', faults, Number(r.headers.get('Retry-After') ?? 0) || 0, data)
  }
  return { data: data as T, status: r.status, etag: r.headers.get('ETag') ?? '' }
}

export function query(params: Record<string, string | number | undefined | null>): string {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== null && v !== '') q.set(k, String(v))
  const s = q.toString()
  return s ? `?${s}` : ''
}
