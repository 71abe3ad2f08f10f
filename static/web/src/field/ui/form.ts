import type { Dictionary, Draft, Field, Rec } from '../types.ts'
import { str } from './format.ts'

/** What the phone fills in by itself: nobody has to think of it, and it is no reason to keep a draft. */
export const given = ['found_at', 'checked_at', 'started_at', 'urgency', 'grid', 'source', 'shelter']

/** What is asked first, per kind; the rest of the dictionary waits under 更多内容. */
const first: Record<string, readonly string[]> = {
  dangers: ['kind', 'description', 'fixed_on_spot', 'interim_measure'],
  hazards: ['hazard', 'name', 'threatened_persons', 'threatened_households', 'description'],
  shelter_checks: ['result', 'sign', 'water', 'power', 'access', 'problem'],
  incident_reports: ['kind', 'description', 'trapped', 'injured', 'missing', 'deaths', 'houses'],
}

const hidden = (d: Draft, f: Field): boolean =>
  Boolean(f.read_only) || f.type === 'id' || given.includes(f.name) ||
  (d.kind === 'dangers' && f.name === 'interim_measure' && d.fields.fixed_on_spot === true) || // nothing interim about what is done
  (d.kind === 'shelter_checks' && f.name === 'problem' && d.fields.result === 'ok')

export function order(dict: Dictionary, d: Draft): { first: Field[]; more: Field[] } {
  const want = first[d.kind] ?? dict.fields.map((f) => f.name)
  const shown = dict.fields.filter((f) => !hidden(d, f))
  const lead = want.flatMap((n) => shown.filter((f) => f.name === n))
  return { first: [...lead, ...shown.filter((f) => f.required && !want.includes(f.name))], more: shown.filter((f) => !want.includes(f.name) && !f.required) }
}

const blank = (v: unknown): boolean => v === undefined || v === null || (typeof v === 'string' && v.trim() === '')

export function missing(dict: Dictionary, d: Draft): string[] {
  return dict.fields.filter((f) => f.required && !f.read_only && blank(d.fields[f.name])).map((f) => f.name)
}

/** filled is what he really put in, to be joined with a record that is there already. */
export function filled(d: Draft): Record<string, unknown> {
  return Object.fromEntries(Object.entries(d.fields).filter(([k, v]) => !blank(v) && !given.includes(k)))
}

export const pickable = (dict: Dictionary): boolean => dict.geometry.length > 0

/** start gives a fresh draft what nobody has to be asked: the time it is about, whose it is. */
export function start(d: Draft, grid: string | undefined): Draft {
  if (d.based_on) return d
  const now = new Date().toISOString()
  const known: Record<string, Record<string, unknown>> = {
    dangers: { found_at: now, source: 'grid' }, shelter_checks: { checked_at: now },
    incident_reports: { urgency: d.urgent ? 'urgent' : 'damage', ...(grid ? { grid } : {}) },
  }
  return { ...d, fields: { ...known[d.kind], ...d.fields } }
}

/** named proposes a name for a hazard point, so that nobody has to type one in the rain. */
export function named(d: Draft, kindTitle: string, gridName: string | undefined): Record<string, unknown> {
  const before = str(d.fields.name)
  if (d.kind !== 'hazards' || (before && !d.fields.hazard) || (before && !(gridName && before.startsWith(gridName)))) return {}
  return kindTitle ? { name: `${gridName ?? ''}${kindTitle}` } : {}
}

/** crosses says whether an area's edge crosses itself: such a shape has no inside, and nobody could place it. */
export function crosses(ring: readonly [number, number][]): boolean {
  const n = ring.length
  const side = (a: readonly number[], b: readonly number[], c: readonly number[]): number => Math.sign((b[0]! - a[0]!) * (c[1]! - a[1]!) - (b[1]! - a[1]!) * (c[0]! - a[0]!))
  for (let i = 0; i < n; i++) for (let k = i + 2; k < n; k++) {
    if (i === 0 && k === n - 1) continue
    const [a, b, c, d] = [ring[i]!, ring[i + 1]!, ring[k]!, ring[(k + 1) % n]!]
    if (side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b)) return true
  }
  return false
}

/** What a worker on foot meets comes first; the national order begins with earthquakes. */
const common: Record<string, readonly string[]> = { hazard: ['landslide', 'collapse', 'debris_flow', 'subsidence', 'waterlogging', 'flood', 'forest_fire', 'hazchem'] }
export function usual<T extends { code: string }>(field: string, codes: readonly T[]): T[] {
  const rank = (c: T): number => { const n = common[field]?.indexOf(c.code) ?? -1; return n < 0 ? 99 : n }
  return [...codes].sort((a, b) => rank(a) - rank(b))
}

/** How many codes are shown as buttons before the rest folds into a list. */
export const BUTTONS = 12

/** What makes two marks of a kind the same sort of thing. */
const sorts: Record<string, readonly string[]> = { dangers: ['kind'], hazards: ['hazard'], incident_reports: ['urgency', 'kind'] }
const ended = ['closed', 'rejected', 'dismissed']

/** alike says whether a record may be what is being marked: of the same sort, and not ended (what comes again is marked anew). */
export function alike(d: Draft, r: Rec): boolean {
  return r.id !== d.id && r.kind === d.kind && !ended.includes(r.state ?? '') && (sorts[d.kind] ?? []).every((f) => !d.fields[f] || !r.fields[f] || d.fields[f] === r.fields[f])
}
/** asked are the kinds of which "是同一处吗？" is asked before a mark is kept. */
export const asked = (d: Draft): boolean => d.kind in sorts
