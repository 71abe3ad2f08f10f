/** The few figures of the wall and of the one page for the telephone: what is not known is null, never 0. */
import { clock } from '../lib/format.ts'
import type { Incident, IncidentPage } from './types.ts'

export interface AlertLine { id: string; event: string; headline: string | null; level: number; hazard: string | null; expires: string | null; sent_at: string; area_desc: string | null; exercise: boolean; state: string; receipts?: { targets: number; reached: number; acknowledged: number; coverage: number } | null }
export interface ShelterLine { id: string; state: string; capacity: number | null; occupancy: number | null; reserved?: number | null; free: number | null; stale: boolean }
export interface Called { targets: number; reached: number; silent: number; late: number }
export interface BoardVillage { code: string; name: string; to_move: number | null; moved: number; not_moved: number | null; refused: number; returned: number; unknown: number; percent: number | null; contact: { lost: boolean }; calls: Called; complete: boolean }
export interface Board { totals: Record<string, number | null | Called>; complete: boolean; callouts?: readonly { id: string; exercise: boolean }[]; villages?: readonly BoardVillage[] }

export interface Few {
  open: number | null
  levels: Record<string, number>
  late: number | null
  deaths: number | null
  missing: number | null
  injured: number | null
  alerts: number | null
  worst: number | null
  toMove: number | null
  /** of those whose number is known */
  moved: number | null
  /** moved where nobody has said how many are to move: no part of the figure above */
  beside: number
  /** villages where nobody has said how many are to move */
  noFigure: number
  movedAll: boolean
  called: number | null
  answered: number | null
  sheltersOpen: number | null
  free: number | null
  stale: number | null
}

export const nothing: Few = { open: null, levels: {}, late: null, deaths: null, missing: null, injured: null, alerts: null, worst: null, toMove: null, moved: null, beside: 0, noFigure: 0, movedAll: false, called: null, answered: null, sheltersOpen: null, free: null, stale: null }

/** sum adds what somebody said; when nobody said anything the sum is not 0 but unknown. */
export function sum(list: readonly (number | null | undefined)[]): number | null {
  const said = list.filter((n): n is number => typeof n === 'number' && Number.isFinite(n))
  return said.length > 0 ? said.reduce((a, b) => a + b, 0) : null
}

export function fromIncidents(page: Pick<IncidentPage, 'counts'>, list: readonly Incident[]): Partial<Few> {
  const real = list.filter((i) => !i.exercise && !i.merged_into)
  return { open: page.counts.open, levels: page.counts.by_level, late: page.counts.late, deaths: sum(real.map((i) => i.figures?.deaths)), missing: sum(real.map((i) => i.figures?.missing)), injured: sum(real.map((i) => i.figures?.injured)) }
}
export function fromAlerts(list: readonly AlertLine[]): Partial<Few> {
  const real = list.filter((a) => !a.exercise)
  return { alerts: real.length, worst: real.length > 0 ? Math.min(...real.map((a) => a.level || 9)) : null }
}
export function fromShelters(list: readonly ShelterLine[]): Partial<Few> {
  const open = list.filter((s) => s.state === 'open')
  // A place whose "open" is old does not count as free: somebody has to ask there first.
  return { sheltersOpen: open.length, free: sum(open.filter((s) => !s.stale).map((s) => s.free)), stale: open.filter((s) => s.stale).length }
}
export function fromBoards(boards: readonly Board[]): Partial<Few> {
  const of = (name: string) => sum(boards.map((b) => b.totals?.[name] as number | null | undefined))
  const calls = (name: keyof Called) => sum(boards.map((b) => (b.totals?.calls as Called | undefined)?.[name]))
  const dark = boards.flatMap((b) => b.villages ?? []).filter((v) => v.to_move === null), beside = sum(dark.map((v) => v.moved)) ?? 0, moved = of('moved')
  return { toMove: of('to_move'), moved: moved === null ? null : moved - beside, beside, noFigure: dark.length, called: calls('targets'), answered: calls('reached'), movedAll: boards.length > 0 && boards.every(done) }
}
/** done says that everybody moved and nobody is silent: neither alone is enough, whatever was sent. */
export function done(b: { complete: boolean; calls?: Called; totals?: Board['totals'] }): boolean {
  const calls = b.calls ?? (b.totals?.calls as Called | undefined)
  return b.complete && (calls?.silent ?? 0) === 0
}
/** percent is 100 only where it is done. */
export function percent(of: number | null, moved: number, all: boolean): number | null {
  if (of === null) return null
  if (all) return 100
  return of > 0 ? Math.min(99, Math.floor((moved * 100) / of)) : 99
}
/** pressingVillages puts first who is cut off, then where most are silent, then where most are still to move. */
export function pressingVillages(list: readonly BoardVillage[]): BoardVillage[] {
  return [...list].sort((a, b) => Number(done(a)) - Number(done(b)) || Number(b.contact.lost) - Number(a.contact.lost) || b.calls.silent - a.calls.silent || (b.not_moved ?? 0) - (a.not_moved ?? 0) || (a.code < b.code ? -1 : 1))
}

/** Inside is the estimate of who and what is in the area of a warning or an incident, in figures. */
export interface Inside { target: { kind: 'alert' | 'incident'; id: string }; population: number | null; range: { low: number; high: number } | null; by_group: Record<string, number>; units: number; buildings: number | null; key_places: number | null; hazards: number | null; shelters: { inside: number; outside: number; outside_free: number | null } | null; at: string }
/** Subject is what the wall estimates for: the worst real warning, or where there is none the worst incident whose level a person confirmed. */
export interface Subject { kind: 'alert' | 'incident'; id: string; title: string; key: string }
export function subjectOf(alerts: readonly AlertLine[], incidents: readonly Incident[]): Subject | null {
  const level = (x: { level: number | null }) => x.level || 9
  const alert = alerts.filter((a) => !a.exercise).sort((a, b) => level(a) - level(b) || (a.sent_at < b.sent_at ? 1 : -1))[0]
  if (alert) return { kind: 'alert', id: alert.id, title: alert.headline || alert.event, key: `${alert.id} ${alert.sent_at}` }
  const incident = incidents.filter((i) => !i.exercise && !i.merged_into && i.level && i.positioned).sort((a, b) => level(a) - level(b) || (a.known_at < b.known_at ? 1 : -1))[0]
  return incident ? { kind: 'incident', id: incident.id, title: incident.title, key: `${incident.id} ${incident.updated_at}` } : null
}

/** called is what a warning is called on the wall: two with the same headline are told apart by where they hold, or by when they were sent. */
export function called(a: AlertLine, all: readonly AlertLine[]): string {
  const name = (x: AlertLine): string => x.headline || x.event
  const same = all.filter((x) => x.id !== a.id && name(x) === name(a))
  if (same.length === 0) return name(a)
  const part = a.area_desc && same.every((x) => x.area_desc !== a.area_desc) ? a.area_desc : clock(Date.parse(a.sent_at)).slice(0, 5)
  return `${name(a)}（${part}）`
}
