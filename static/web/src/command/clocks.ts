import type { Clock, Incident } from './types.ts'

/** How a deadline stands at a moment. What ended late stays late. */
export interface Standing { state: 'done' | 'done_late' | 'running' | 'late'; /** to the end, or since it */ ms: number }

export function standing(c: Clock, now: number): Standing {
  const due = new Date(c.due_at).getTime()
  if (c.done_at) {
    const over = new Date(c.done_at).getTime() - due
    return { state: c.late || over > 0 ? 'done_late' : 'done', ms: Math.abs(over) }
  }
  return { state: now > due ? 'late' : 'running', ms: Math.abs(due - now) }
}

const pad = (n: number): string => String(n).padStart(2, '0')

/** spell writes how long: 04:09, 1:05:09, or 3 d 04:05 with the word for days given. */
export function spell(ms: number, day: string): string {
  const s = Math.floor(Math.abs(ms) / 1000), d = Math.floor(s / 86_400), h = Math.floor((s % 86_400) / 3600), m = Math.floor((s % 3600) / 60)
  if (d > 0) return `${d} ${day} ${pad(h)}:${pad(m)}`
  return h > 0 ? `${h}:${pad(m)}:${pad(s % 60)}` : `${pad(m)}:${pad(s % 60)}`
}

/** pressing is the deadline a person should look at: the longest late one, else the next to end. */
export function pressing(i: Pick<Incident, 'clocks'>, now: number): Clock | null {
  const open = i.clocks.filter((c) => !c.done_at)
  open.sort((a, b) => (a.due_at < b.due_at ? -1 : a.due_at > b.due_at ? 1 : 0))
  const late = open.filter((c) => standing(c, now).state === 'late')
  return late[0] ?? open[0] ?? null
}

/** anyLate says whether a deadline of it ran out and nobody met it yet. */
export const anyLate = (i: Pick<Incident, 'clocks'>, now: number): boolean => i.clocks.some((c) => standing(c, now).state === 'late')

/** rank is by level, the worst first; what nobody has graded yet goes by what the rule proposes, and before its equals. */
export function rank(list: readonly Incident[], now: number): Incident[] {
  const grade = (i: Incident): number => (i.level ?? (i.level_proposed ? i.level_proposed - 0.5 : 4.5))
  return [...list].sort((a, b) => grade(a) - grade(b) || Number(anyLate(b, now)) - Number(anyLate(a, now)) || (a.known_at < b.known_at ? 1 : a.known_at > b.known_at ? -1 : 0))
}

/** FRESH is for how long something is news. */
export const FRESH = 10 * 60_000

/** newest is what came in last, while it is news: nobody has graded it yet, and it waits for no turn. */
export function newest(list: readonly Incident[], now: number): Incident | null {
  const heard = (i: Incident): number => new Date(i.known_at).getTime()
  return list.filter((i) => !i.exercise && now - heard(i) < FRESH).reduce<Incident | null>((a, b) => (a && heard(a) >= heard(b) ? a : b), null)
}
