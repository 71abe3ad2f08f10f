/** What the page 回看 steps through: a period, a step, and the moments of its log. */
export interface LogEntry { at: string; kind: string; title: string; detail: string | null; by: string | null; ref_kind: string; ref: string }

/** Moment is a minute in which layers of the picture changed. */
export interface Moment { at: string; changes: Record<string, number> }

/** moment keeps a moment within a period. */
export const moment = (at: number, from: number, to: number): number => Math.min(to, Math.max(from, at))

/** bins counts the entries of equal parts of a period. What lies outside is in none. */
export function bins(log: readonly { at: string }[], from: number, to: number, n: number): number[] {
  const out = new Array<number>(n).fill(0)
  if (to <= from) return out
  for (const e of log) {
    const at = Date.parse(e.at)
    if (at < from || at > to) continue
    const i = Math.min(n - 1, Math.floor(((at - from) / (to - from)) * n))
    out[i] = (out[i] ?? 0) + 1
  }
  return out
}

/** until gives what was known at a moment, the newest first. */
export const until = (log: readonly LogEntry[], at: number): LogEntry[] => log.filter((e) => Date.parse(e.at) <= at).sort((a, b) => Date.parse(b.at) - Date.parse(a.at))

/** beside is the moment of the next entry after (or before) a moment; null: there is none. */
export function beside(log: readonly { at: string }[], at: number, way: 1 | -1): number | null {
  const all = log.map((e) => Date.parse(e.at)).filter((x) => (way === 1 ? x > at : x < at))
  return all.length === 0 ? null : way === 1 ? Math.min(...all) : Math.max(...all)
}

/** local is a moment as an input of date and time writes it, in the browser's zone. */
export function local(at: number): string {
  const d = new Date(at)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`
}
