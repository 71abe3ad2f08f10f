/** What POST /api/impact says. A section the asker does not see is null. */
import { deviceHeader } from '../../lib/leave.ts'
import type { Lang } from '../../lib/types.ts'

export interface Item { layer: string; fid: number | null; id: string; title: string; kind: string | null; kind_title: string | null; level: number | null; level_title: string | null; position: [number, number] | null; distance_m: number | null; properties: Record<string, unknown> | null }
export interface Reach extends Item { by: 'road' | 'straight'; minutes: number | null; minutes_slow?: number; from_middle_m?: number; capacity?: number | null; reserved?: number; free: number | null; state?: string | null }
export interface Kinds { total: number; amount: number; by: Record<string, number>; items: Item[] }
export interface Block extends Item { state: string; inside: boolean }
export interface Person { role: string; layer: string | null; area: string | null; unit: string | null; post: string | null; name: string | null; contact: string | null; phone_masked: string | null }
export interface Ring { radius_m: number; area_m2: number; population: number; geometry: GeoJSON.Geometry | null }

export interface Impact {
  estimate: true
  target: { kind: string; title: string | null; basis: string; buffer_m: number; exercise: boolean; geometry: GeoJSON.Geometry | null }
  area_m2: number
  population: { total: number; exact: number; by_group: Record<string, number>; method: string; basis: string; by_method: { method: string; basis: string; count: number }[]; units_unknown: number } | null
  range: { low: number; high: number } | null
  /** How much of the area lies in units the asker may count. */
  covered_share: number
  statement: { zh: string; en: string }
  rounding: { zh: string; en: string }
  rings: Ring[]
  admin: { code: string | null; name: string; population: number; share: number; whole: boolean }[]
  buildings: { total: number; by_use: Record<string, number>; persons: number; persons_known: number; dangerous: number } | null
  facilities: Record<string, number> | null
  items: { facilities?: Item[] }
  key_places: Kinds | null
  enterprises: Kinds | null
  hazard_sources: Item[] | null
  hazard_sources_by_level: Record<string, number> | null
  hazards: Kinds | null
  waterworks: Kinds | null
  roads_m: Record<string, number> | null
  lifelines: { kind: string; kind_title: string | null; length_m: number; points: number }[] | null
  shelters: { inside: Item[]; inside_total: number; inside_capacity: number; inside_free: number; outside_nearest: Reach[] } | null
  teams: Reach[] | null
  warehouses: Reach[] | null
  road_blocks: Block[] | null
  neighbours: Item[] | null
  vulnerable: Record<string, number> | null
  responsible: Person[] | null
  rules: { rule: string; version: number; verified: boolean }[]
  network: { used: boolean; closed: number }
  snapshot: { at: string; as_of: string | null; sources: { title: string; date: string | null }[] }
  text: string
  titles: Record<string, Record<string, string>>
}

/** Question is the body: one of the three, and how far around it. */
export interface Question { geometry?: GeoJSON.Geometry; incident?: string; alert?: string; buffer_m?: number; ring?: number[]; as_of?: string }

/** question makes the body of what a panel was given; null where nothing was. */
export function question(p: { geometry?: GeoJSON.Geometry | null; incident?: string | { id: string } | null; alert?: string | { id: string } | null; asOf?: string | null }, buffer: number): Question | null {
  const id = (v: string | { id: string }): string => (typeof v === 'string' ? v : v.id)
  const more: Question = { ...(buffer > 0 ? { buffer_m: buffer } : {}), ...(p.asOf ? { as_of: p.asOf } : {}) }
  if (p.incident) return { incident: id(p.incident), ...more }
  if (p.alert) return { alert: id(p.alert), ...more }
  if (p.geometry) return { geometry: p.geometry, ...more }
  return null
}

/** counts are the kinds of a section, the most first; codes with the same count in their own order. */
export function counts(by: Record<string, number> | null | undefined, titles: Record<string, string> | undefined): { code: string; title: string; n: number }[] {
  return Object.entries(by ?? {}).map(([code, n]) => ({ code, title: titles?.[code] ?? code, n })).sort((a, b) => b.n - a.n || a.code.localeCompare(b.code))
}

export const total = (by: Record<string, number> | null | undefined): number => Object.values(by ?? {}).reduce((a, b) => a + b, 0)

/** drawn is what of an answer stands on the map: the area or its rings, where people can go, who is near, what is closed. */
export function drawn(a: Impact, dark: boolean): GeoJSON.FeatureCollection {
  const features: GeoJSON.Feature[] = []
  const put = (geometry: GeoJSON.Geometry | null, properties: Record<string, unknown>) => { if (geometry) features.push({ type: 'Feature', geometry, properties }) }
  const area = dark ? '#F0A135' : '#9A5A00', safe = dark ? '#4FB68A' : '#1F7A50', bad = dark ? '#FF8AA0' : '#B3001B', near = dark ? '#6BA6FF' : '#1A66DE'
  if (a.rings.length > 0) for (const r of [...a.rings].reverse()) put(r.geometry, { color: area, hollow: true, dash: true, label: `${r.radius_m} m` })
  else put(a.target.geometry, { color: area, hollow: true })
  const spot = (list: readonly Item[] | null | undefined, properties: Record<string, unknown>, n: number) => { for (const x of (list ?? []).slice(0, n)) if (x.position) put({ type: 'Point', coordinates: x.position }, { ...properties, label: x.title, id: x.id }) }
  spot(a.shelters?.inside, { color: bad, hollow: true, size: 6 }, 60)
  spot(a.shelters?.outside_nearest, { color: safe }, 10)
  spot(a.teams, { color: near, size: 6 }, 5)
  spot(a.road_blocks, { color: bad, size: 6 }, 20)
  return { type: 'FeatureCollection', features }
}

/** paper fetches the same answer as a file and hands it to the browser. */
export async function paper(format: 'pdf' | 'docx', q: Question, title: string, lang: Lang, map: 'A4' | 'A3' | 'none' = 'A4'): Promise<void> {
  const r = await fetch(`/api/reports/impact.${format}`, {
    method: 'POST', credentials: 'same-origin', cache: 'no-store', body: JSON.stringify({ ...q, map, ...(title ? { title } : {}) }),
    headers: { 'Content-Type': 'application/json', 'Accept-Language': lang, ...deviceHeader() },
  })
  if (!r.ok) throw new Error(String(r.status))
  const a = document.createElement('a'), url = URL.createObjectURL(await r.blob())
  a.href = url
  a.download = `${title || '影响估算'}.${format}`
  a.click()
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
