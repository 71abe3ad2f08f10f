/**
 * What 平时 and 战时 set in the room, as the rule set response_profile has them: the layers
 * that are shown, how often is asked for what the line does not tell, and when the next
 * report is due. Pure.
 */
import type { Response } from './types.ts'

export interface ProfileRules { level: number | null; exercise: boolean; refresh_s: number; layers: readonly string[]; report_every_min: number | null }

/** ground is what lies under everything: no profile takes it away. */
export const ground: ReadonlySet<string> = new Set(['admin', 'roads', 'rivers', 'buildings'])

/** shownBy says which layers a profile shows; what somebody switched by hand stays as he left it. */
export function shownBy(all: readonly string[], layers: readonly string[], own: ReadonlyMap<string, boolean>): Map<string, boolean> {
  const of = new Set(layers)
  return new Map(all.map((id) => [id, own.get(id) ?? (ground.has(id) || of.has(id))]))
}

/** refreshMs is how often is asked. A rule that says nothing, or something no server would bear, is a minute. */
export function refreshMs(rules: ProfileRules | null): number {
  const s = rules?.refresh_s ?? 0
  return s > 0 ? Math.min(Math.max(s, 5), 600) * 1000 : 60_000
}

export interface Due { id: string; title: string; at: string; every: number | null; late: boolean; exercise: boolean }

/** nextReport is the report that is due first, of the real responses before those of an exercise. */
export function nextReport(list: readonly Response[], now: number): Due | null {
  const due = list.filter((r) => r.state === 'active' && r.next_report_at)
    .map((r): Due => ({ id: r.id, title: r.title, at: r.next_report_at!, every: r.report_every_min ?? null, late: Date.parse(r.next_report_at!) < now, exercise: r.exercise }))
    .sort((a, b) => Number(a.exercise) - Number(b.exercise) || Date.parse(a.at) - Date.parse(b.at))
  return due[0] ?? null
}
