/** What the pages decide by themselves: nothing here asks the server or touches a page. */
import type { Ladder } from '../../lib/types.ts'
import type { Comment, Diff, DiffItem, ImportField, Plan, PlanState, Review, ZoneFeature } from './shapes.ts'

/** The ladder of states as the office walks it; what stands beside it is not a rung. */
export const rungs: readonly PlanState[] = ['draft', 'consultation', 'submitted', 'in_review', 'approved', 'published']

/** rungOf places a state on the ladder: a returned plan is a draft again, an expert review a round of opinions. */
export function rungOf(state: PlanState): number {
  const same: Partial<Record<PlanState, PlanState>> = { returned: 'draft', expert_review: 'consultation', superseded: 'published' }
  return rungs.indexOf(same[state] ?? state)
}

export type Waits = 'returned' | 'approve' | 'publish' | 'review' | 'answer' | 'draft'
const urgency: readonly Waits[] = ['returned', 'approve', 'publish', 'review', 'answer', 'draft']

/** waitsFor says what of a plan waits for the person who asks; the server's `may` decides. */
export function waitsFor(p: Plan): Waits | null {
  const may = (what: string) => p.may.includes(what)
  if (p.state === 'returned' && may('edit')) return 'returned'
  if ((p.state === 'submitted' || p.state === 'in_review') && may('approve') && p.counts.zones > 0 && p.counts.accepted === p.counts.zones) return 'approve'
  if (p.state === 'approved' && may('publish')) return 'publish'
  if ((p.state === 'submitted' && may('start_review')) || (p.state === 'in_review' && may('review'))) return 'review'
  if ((p.state === 'consultation' || p.state === 'expert_review') && may('answer') && p.counts.open_comments > 0) return 'answer'
  if (p.state === 'draft' && may('edit')) return 'draft'
  return null
}

/** waiting is the desk of a person: what others wait for first, one's own drafts last. */
export function waiting(plans: readonly Plan[]): { plan: Plan; why: Waits }[] {
  return plans.flatMap((plan) => { const why = waitsFor(plan); return why ? [{ plan, why }] : [] })
    .sort((a, b) => urgency.indexOf(a.why) - urgency.indexOf(b.why) || (a.plan.updated_at < b.plan.updated_at ? 1 : -1))
}

export interface Series { id: string; head: Plan; versions: Plan[]; inForce: Plan | null; touched: string }

/** bySeries gathers versions, newest first; the series touched last comes first. */
export function bySeries(plans: readonly Plan[]): Series[] {
  const all = new Map<string, Plan[]>()
  for (const p of plans) all.set(p.series, [...(all.get(p.series) ?? []), p])
  return [...all].map(([id, list]) => {
    const versions = [...list].sort((a, b) => b.version - a.version)
    return { id, head: versions[0]!, versions, inForce: versions.find((p) => p.in_force) ?? null, touched: versions.reduce((t, p) => (p.updated_at > t ? p.updated_at : t), '') }
  }).sort((a, b) => (a.touched < b.touched ? 1 : -1))
}

/** Levels of an existing plan. 1 is the worst with us; with others it is often the least. */
export interface Mapping { [value: string]: number }

/** invert turns the ladder over: what was worst becomes least. */
export function invert(m: Mapping, steps: number): Mapping {
  return Object.fromEntries(Object.entries(m).map(([v, l]) => [v, l >= 1 && l <= steps ? steps + 1 - l : l]))
}

/** unmapped are values of the level field that would have no level: they come in ungraded. */
export function unmapped(field: ImportField | undefined, m: Mapping, steps: number): string[] {
  return (field?.values ?? []).map((v) => v.value).filter((v) => !((m[v] ?? 0) >= 1 && m[v]! <= steps))
}

/** valueOf is what a shape says in the level field. */
export const valueOf = (f: GeoJSON.Feature, field: string): string => String(f.properties?.[field] ?? '')

/** preview writes what the server gives as `value` and `name` under the fields they were read from: of another field it knows nothing. */
export function preview(features: readonly GeoJSON.Feature[], level: string | null | undefined, name: string | null | undefined): GeoJSON.Feature[] {
  return features.map((f) => ({ ...f, properties: { ...(level && f.properties?.value !== undefined ? { [level]: f.properties.value } : {}), ...(name && f.properties?.name !== undefined ? { [name]: f.properties.name } : {}), ...f.properties } }))
}

/** worst names the places that become level 1: a person knows whether they should. */
export function worst(features: readonly GeoJSON.Feature[], field: string, m: Mapping, name: string): { key: string; title: string; index: number }[] {
  return features.flatMap((f, index) => {
    if (m[valueOf(f, field)] !== 1) return []
    const title = String((name && f.properties?.[name]) || f.properties?.name || '')
    return [{ key: String(index), title, index }]
  })
}

/** recolour writes the mapped level into every feature, so the map shows what would be. */
export function recolour(features: readonly GeoJSON.Feature[], field: string, m: Mapping): GeoJSON.Feature[] {
  return features.map((f, i) => ({ ...f, id: i, properties: { ...f.properties, level: m[valueOf(f, field)] ?? 0, zone: String(i) } }))
}

// ---- AHP ---------------------------------------------------------------------------

/** Saaty's scale; below 1 the second is the stronger. */
export const saaty: readonly number[] = [9, 8, 7, 6, 5, 4, 3, 2, 1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 7, 1 / 8, 1 / 9]
export const ratio = (v: number): string => (v >= 1 ? String(Math.round(v)) : `1/${Math.round(1 / v)}`)

export function square(n: number, old: readonly (readonly number[])[] = []): number[][] {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : old[i]?.[j] ?? 1)))
}
/** judged sets one comparison and its reciprocal. */
export function judged(m: readonly (readonly number[])[], i: number, j: number, v: number): number[][] {
  return m.map((row, a) => row.map((x, b) => (a === i && b === j ? v : a === j && b === i ? 1 / v : x)))
}

/** suspect names the comparison that contradicts the weights most: the one to look at again. */
export function suspect(m: readonly (readonly number[])[], weights: readonly number[]): { i: number; j: number; said: number; meant: number } | null {
  let found: { i: number; j: number; said: number; meant: number; off: number } | null = null
  for (let i = 0; i < m.length; i++) for (let j = i + 1; j < m.length; j++) {
    const meant = weights[i]! / weights[j]!
    const off = Math.abs(Math.log(m[i]![j]!) - Math.log(meant))
    if (Number.isFinite(off) && off > (found?.off ?? 0)) found = { i, j, said: m[i]![j]!, meant, off }
  }
  return found && { i: found.i, j: found.j, said: found.said, meant: found.meant }
}
/** nearest rounds a ratio to Saaty's scale. */
export const nearest = (v: number): number => saaty.reduce((best, s) => (Math.abs(Math.log(s) - Math.log(v)) < Math.abs(Math.log(best) - Math.log(v)) ? s : best), 1)

/** share makes given weights add up to one; nothing given is shared evenly. */
export function share(weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + Math.max(0, b), 0)
  return weights.map((w) => (sum > 0 ? Math.max(0, w) / sum : 1 / weights.length))
}

// ---- classification ------------------------------------------------------------------

export interface Bin { from: number; to: number; n: number }
export function histogram(values: readonly number[], bins = 24): Bin[] {
  const v = values.filter(Number.isFinite)
  if (v.length === 0) return []
  const lo = Math.min(...v), hi = Math.max(...v)
  if (hi === lo) return [{ from: lo, to: hi, n: v.length }]
  const w = (hi - lo) / bins
  const out = Array.from({ length: bins }, (_, i) => ({ from: lo + i * w, to: lo + (i + 1) * w, n: 0 }))
  for (const x of v) out[Math.min(bins - 1, Math.floor((x - lo) / w))]!.n++
  return out
}

/** levelOf reads a level off the inner breaks, ascending; the highest class is level 1. */
export function levelOf(value: number, inner: readonly number[]): number {
  let k = 0
  for (const b of inner) if (value > b) k++
  return inner.length + 1 - k
}

/** innerBreaks drops the ends some lists carry: k classes have k-1 cuts between them. */
export function innerBreaks(breaks: readonly number[], k: number): number[] {
  const all = [...breaks].sort((a, b) => a - b)
  if (all.length === k + 1) return all.slice(1, -1)
  if (all.length === k) return all.slice(0, -1)
  return all
}

// ---- tables --------------------------------------------------------------------------

export interface LevelRow { level: number; zones: number; area_km2: number; population: number | null }

/** levels sums the zones by level; a level without zones is a row too, and the ungraded come last. */
export function levels(zones: readonly ZoneFeature[], ladder: Ladder | null): LevelRow[] {
  const rows = new Map<number, LevelRow>()
  for (const s of ladder?.steps ?? []) rows.set(s.level, { level: s.level, zones: 0, area_km2: 0, population: null })
  for (const z of zones) {
    const l = z.properties.level ?? 0
    const row = rows.get(l) ?? { level: l, zones: 0, area_km2: 0, population: null }
    row.zones++
    row.area_km2 += z.properties.area_km2 ?? 0
    if (z.properties.population !== null && z.properties.population !== undefined) row.population = (row.population ?? 0) + z.properties.population
    rows.set(l, row)
  }
  return [...rows.values()].sort((a, b) => (a.level || 99) - (b.level || 99))
}
/** rounded is a figure as it is shown; sums and differences are of these, so that they can be checked by hand. */
export const rounded = (v: number, digits: number): number => Number(v.toFixed(digits))
export const sumOf = (values: readonly number[], digits: number): number => rounded(values.reduce((s, v) => s + rounded(v, digits), 0), digits)
export function stepOf(before: number, after: number, digits: number): { before: number; after: number; change: number } {
  const b = rounded(before, digits), a = rounded(after, digits)
  return { before: b, after: a, change: rounded(a - b, digits) }
}
/** km2 always has two decimals: columns line up, and 134.00 is not 134. */
export const km2 = (v: number, lang: string): string => new Intl.NumberFormat(lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(v)

export const total = (rows: readonly LevelRow[]): LevelRow => ({
  level: -1, zones: rows.reduce((n, r) => n + r.zones, 0), area_km2: sumOf(rows.map((r) => r.area_km2), 2),
  population: rows.every((r) => r.population === null) ? null : sumOf(rows.map((r) => r.population ?? 0), 0),
})

/** lostPart is the share of a zone, as the file had it, that an import took away. */
export function lostPart(c: { gained_m2: number; lost_m2: number }, now_m2: number | undefined): number {
  const before = now_m2 === undefined ? 0 : now_m2 - c.gained_m2 + c.lost_m2
  return before > 0 ? c.lost_m2 / before : 0
}

export type Change = 'added' | 'removed' | 'relevelled' | 'moved' | 'renamed'
export const changeKinds: readonly Change[] = ['relevelled', 'moved', 'added', 'removed', 'renamed']
export const differences = (d: Diff): { kind: Change; item: DiffItem }[] => changeKinds.flatMap((kind) => (d[kind] ?? []).map((item) => ({ kind, item })))

// ---- review --------------------------------------------------------------------------

export type Verdict = 'accepted' | 'returned' | 'changed' | 'open'
/** verdictOf: a verdict on an older shape of the zone is to be given again. */
export function verdictOf(z: ZoneFeature, r: Review | undefined): Verdict {
  if (!r) return 'open'
  if (r.current === false || r.zone_version !== z.properties.version) return 'changed'
  return r.verdict
}
/** following is the next zone without a verdict after this one, around the end. */
export function following(order: readonly string[], from: string, verdict: (zone: string) => Verdict): string | null {
  const at = order.indexOf(from)
  for (let k = 1; k <= order.length; k++) {
    const id = order[(at + k) % order.length]!
    if (verdict(id) === 'open' || verdict(id) === 'changed') return id
  }
  return null
}

export const open = (c: Comment): boolean => c.answer === null

/** today in the office's own calendar, as <input type=date> holds it. */
export function day(d: Date): string {
  const pad = (n: number) => String(n).padStart(2, '0')
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`
}

/** fileType is what the server is told a dropped file is. */
export function fileType(name: string): string {
  const end = name.toLowerCase().split('.').pop() ?? ''
  return ({ zip: 'application/zip', geojson: 'application/geo+json', json: 'application/geo+json', gpkg: 'application/geopackage+sqlite3' } as Record<string, string>)[end] ?? 'application/octet-stream'
}
