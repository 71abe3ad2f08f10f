import type { Dictionary, Draft, Field } from '../types.ts'
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

/** How many codes are shown as buttons before the rest folds into a list. */
export const BUTTONS = 12
