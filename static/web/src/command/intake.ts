/**
 * 接报 as a form keeps it: what is typed survives a reload, and one save, however often it
 * is sent, makes one incident.
 */
import { uuidv7 } from '../field/core/ids.ts'
import type { LonLat } from './types.ts'

export interface Draft {
  id: string
  begun: number
  kind: string
  place: string
  at: LonLat | null
  atName: string
  area: string
  reporter: string
  phone: string
  persons: string
  /** of an earthquake: its level is proposed by it before anybody is counted */
  magnitude: string
  what: string
  source: string
  occurred: string
  exercise: boolean
}

const KEY = 'command.intake'

/** The short pick list: what a county hears of most, in the order of its digits. */
export const FIRST = ['waterlogging', 'flood', 'landslide', 'collapse', 'fire', 'traffic', 'house_collapse', 'trapped', 'gas', 'hazchem'] as const

export const blank = (now = Date.now()): Draft => ({ id: uuidv7(now), begun: now, kind: '', place: '', at: null, atName: '', area: '', reporter: '', phone: '', persons: '', magnitude: '', what: '', source: 'phone', occurred: '', exercise: false })

/** typed says whether anything worth keeping was entered. */
export const typed = (d: Draft): boolean => Boolean(d.kind || d.place.trim() || d.at || d.reporter.trim() || d.phone.trim() || d.persons.trim() || d.what.trim())

/** complete says whether it can be saved: what, and where in words or on the map. */
export const complete = (d: Draft): boolean => d.kind !== '' && (d.place.trim() !== '' || d.at !== null)

export function restore(text: string | null, now = Date.now()): Draft {
  const fresh = blank(now)
  if (!text) return fresh
  try {
    const d = JSON.parse(text) as Partial<Draft>
    if (typeof d.id !== 'string' || typeof d.begun !== 'number') return fresh
    const out = { ...fresh, ...d } as Draft
    return typed(out) ? out : fresh
  } catch { return fresh }
}
// A caller's name and number stay with this tab: the next person at the desk does not find them.
export function kept(): Draft {
  try { return restore(sessionStorage.getItem(KEY)) } catch { return blank() }
}
export function keep(d: Draft): void {
  try { if (typed(d)) sessionStorage.setItem(KEY, JSON.stringify(d)); else sessionStorage.removeItem(KEY) } catch { /* forbidden: then it lasts as long as the page */ }
}

/** body is what is sent: nothing that was not said. */
export function body(d: Draft): Record<string, unknown> {
  const persons = Number.parseInt(d.persons, 10)
  const out: Record<string, unknown> = { kind: d.kind, source: d.source || 'phone', exercise: d.exercise }
  const say = (name: string, value: string) => { if (value.trim()) out[name] = value.trim() }
  say('place', d.place || d.atName)
  say('reporter', d.reporter)
  say('reporter_phone', d.phone)
  say('description', d.what)
  if (d.area) out.area = d.area
  if (d.at) out.geometry = { type: 'Point', coordinates: [...d.at] }
  if (Number.isFinite(persons) && persons >= 0) out.persons_reported = persons
  const magnitude = Number.parseFloat(d.magnitude)
  if (d.kind === 'earthquake' && Number.isFinite(magnitude)) out.figures = { magnitude }
  if (d.occurred) out.occurred_at = new Date(d.occurred).toISOString()
  out.known_at = new Date(d.begun).toISOString()
  return out
}
