/** The few figures of the wall and of the one page for the telephone: what is not known is null, never 0. */
import type { Incident, IncidentPage } from './types.ts'

export interface AlertLine { id: string; event: string; headline: string | null; level: number; hazard: string | null; expires: string | null; sent_at: string; area_desc: string | null; exercise: boolean; state: string; receipts?: { targets: number; reached: number; acknowledged: number; coverage: number } | null }
export interface ShelterLine { id: string; state: string; capacity: number | null; occupancy: number | null; reserved?: number | null; free: number | null; stale: boolean }
export interface Board { totals: Record<string, number | null>; complete: boolean; villages?: unknown[] }

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
  moved: number | null
  movedAll: boolean
  unanswered: number | null
  sheltersOpen: number | null
  free: number | null
  stale: number | null
}

export const nothing: Few = { open: null, levels: {}, late: null, deaths: null, missing: null, injured: null, alerts: null, worst: null, toMove: null, moved: null, movedAll: false, unanswered: null, sheltersOpen: null, free: null, stale: null }

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
  const of = (name: string) => sum(boards.map((b) => b.totals?.[name]))
  return { toMove: of('to_move'), moved: of('moved'), movedAll: boards.length > 0 && boards.every((b) => b.complete) }
}
