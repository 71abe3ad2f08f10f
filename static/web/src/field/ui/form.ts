import type { Dictionary, Draft, Field } from '../types.ts'

/** What the phone fills in by itself: nobody has to think of it, and it is no reason to keep a draft. */
export const given = ['found_at', 'checked_at', 'started_at', 'urgency', 'grid', 'source', 'shelter']

/** What is asked first, per kind; the rest of the dictionary waits under 更多内容. */
const first: Record<string, readonly string[]> = {
  dangers: ['kind', 'description', 'level', 'fixed_on_spot', 'interim_measure'],
  hazards: ['hazard', 'name', 'threatened_persons', 'threatened_households', 'description'],
  shelter_checks: ['result', 'sign', 'water', 'power', 'access', 'problem'],
  incident_reports: ['kind', 'description', 'trapped', 'injured', 'missing', 'deaths', 'houses'],
}

const hidden = (d: Draft, f: Field): boolean =>
  Boolean(f.read_only) || f.type === 'id' || (given.includes(f.name) && f.name !== 'source') ||
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

/** start gives a fresh draft the time it is about. */
export function start(d: Draft): Draft {
  if (d.based_on) return d
  const time = { dangers: 'found_at', shelter_checks: 'checked_at' }[d.kind as string]
  if (!time || d.fields[time]) return d
  return { ...d, fields: { ...d.fields, [time]: new Date().toISOString() } }
}
