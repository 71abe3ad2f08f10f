import { readMe, type Me } from './me.ts'
import type { About, Catalogue, Found, Hit, Lang, Theme } from './types.ts'

/** A Problem is an answer the server could not give, in words (RFC 9457) and with its code. */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, readonly title: string, readonly detail: string) {
    super(detail || title)
    this.name = 'Problem'
  }
  /** No answer at all: the network or the server is gone. */
  get unreachable(): boolean { return this.status === 0 }
}

/** unknown hears of every answer that says: nobody is signed in. */
export const unknown = { run: (_: Problem): void => {} }

async function ask<T>(path: string, lang: Lang, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, { headers: { 'Accept-Language': lang, Accept: 'application/json' }, signal, credentials: 'same-origin' })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new Problem(0, 'unreachable', '', '')
  }
  if (!response.ok) {
    let body: { code?: string; title?: string; detail?: string } = {}
    try { body = await response.json() } catch { /* a proxy in between may answer in HTML */ }
    const problem = new Problem(response.status, body.code ?? '', body.title ?? '', body.detail ?? '')
    if (response.status === 401) unknown.run(problem)
    throw problem
  }
  try {
    return await response.json() as T
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new Problem(response.status, 'not_json', '', '')
  }
}

const query = (params: Record<string, string | number | undefined>): string => {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== '') q.set(k, String(v))
  return q.toString()
}

export const getCatalogue = (lang: Lang, signal?: AbortSignal) => ask<Catalogue>('/api/layers', lang, signal)
export const getMe = async (lang: Lang): Promise<Me> => readMe(await ask<unknown>('/api/me', lang))
export const getAbout = (lang: Lang) => ask<About>('/api/about', lang)
export const getStyle = (theme: Theme, lang: Lang, signal?: AbortSignal) =>
  ask<Record<string, unknown>>(`/tiles/style.json?${query({ theme, lang })}`, lang, signal)

export async function identify(at: { lon: number; lat: number; radius: number; layers: string[] }, lang: Lang, signal?: AbortSignal): Promise<Hit[]> {
  const q = query({ lon: at.lon.toFixed(7), lat: at.lat.toFixed(7), radius_m: Math.min(5000, Math.max(1, Math.round(at.radius))), layers: at.layers.join(',') })
  return (await ask<{ features: Hit[] | null }>(`/api/identify?${q}`, lang, signal)).features ?? []
}

export async function searchFor(q: string, lang: Lang, signal?: AbortSignal): Promise<Found[]> {
  return (await ask<{ results: Found[] | null }>(`/api/search?${query({ q, limit: 20 })}`, lang, signal)).results ?? []
}

export function getItem(layer: string, id: string, lang: Lang, signal?: AbortSignal) {
  return ask<GeoJSON.Feature & { fid?: number }>(`/ogc/collections/${encodeURIComponent(layer)}/items/${encodeURIComponent(id)}`, lang, signal)
}
