import type { Draft, Geometry, OutItem, Rec } from '../types.ts'

const pad = (n: number) => String(n).padStart(2, '0')
export const hm = (at: string | number): string => { const d = new Date(at); return `${pad(d.getHours())}:${pad(d.getMinutes())}` }

const R = 6371008.8
const rad = (d: number) => (d * Math.PI) / 180
export function metres(a: readonly number[], b: readonly number[]): number {
  const la = rad(a[1]!), lb = rad(b[1]!)
  const h = Math.sin((lb - la) / 2) ** 2 + Math.cos(la) * Math.cos(lb) * Math.sin(rad(b[0]! - a[0]!) / 2) ** 2
  return 2 * R * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** far is a distance as a person says it. */
export function far(m: number, lang: string): string {
  if (m < 1000) return lang === 'en' ? `${Math.round(m)} m` : `${Math.round(m)} 米`
  const km = (m / 1000).toFixed(m < 10_000 ? 1 : 0)
  return lang === 'en' ? `${km} km` : `${km} 公里`
}

export function size(bytes: number): string {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} KB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}

/** middle is a place that stands for a shape: where distances are counted to. */
export function middle(g: Geometry | null | undefined): [number, number] | null {
  if (!g) return null
  if (g.type === 'Point') return g.coordinates
  const c = g.type === 'LineString' ? g.coordinates : g.coordinates[0] ?? []
  if (c.length === 0) return null
  if (g.type === 'LineString') return c[Math.floor(c.length / 2)]!
  const ring = c.slice(0, -1)
  return [ring.reduce((s, p) => s + p[0], 0) / ring.length, ring.reduce((s, p) => s + p[1], 0) / ring.length]
}

/** empty says that nothing a person did is in a draft, so that it may go without asking. */
export function empty(d: Draft, given: readonly string[]): boolean {
  return d.photos.length === 0 && Object.entries(d.fields).every(([k, v]) => v === undefined || v === null || v === '' || given.includes(k))
}

/** Waiting, sending and what came back: the order of the outbox. */
export const waits = (i: OutItem): boolean => i.state === 'waiting' || i.state === 'sending'
export const open = (r: Rec, ends: readonly string[]): boolean => !ends.includes(r.state ?? '')

export const str = (v: unknown): string => (v === null || v === undefined ? '' : String(v))
