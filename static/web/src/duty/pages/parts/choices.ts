/** What a desk decides about one field, and how it is sent. */
import type { Difference, KindField } from '../../types.ts'

export interface Choice { use: '' | 'mine' | 'theirs' | 'value'; text: string }
export type Sent = 'mine' | 'theirs' | { value: unknown }

/** typed turns what was typed into the field's own type; undefined where it is none. */
export function typed(field: KindField | undefined, text: string): unknown {
  const s = text.trim()
  if (s === '') return null
  switch (field?.type) {
    case 'number': return Number.isFinite(Number(s)) ? Number(s) : undefined
    case 'integer': return /^[-+]?\d+$/.test(s) ? Number(s) : undefined
    case 'boolean': return s === 'true' ? true : s === 'false' ? false : undefined
    case 'datetime': { const d = new Date(s); return Number.isNaN(d.getTime()) ? undefined : d.toISOString() }
    case 'code': return /^[1-9]\d{0,8}$/.test(s) && field.code_list && /(_\d|level)$/.test(field.code_list) ? Number(s) : s
    default: return s
  }
}

/** sent is what goes to the server, and the names of the fields that are not right yet. */
export function sent(fields: Record<string, Difference>, choices: Record<string, Choice>, of: (name: string) => KindField | undefined): { fields: Record<string, Sent>; open: string[]; wrong: string[] } {
  const out: Record<string, Sent> = {}, open: string[] = [], wrong: string[] = []
  for (const name of Object.keys(fields)) {
    const c = choices[name]
    if (!c || c.use === '') { open.push(name); continue }
    if (c.use !== 'value') { out[name] = c.use; continue }
    let value = typed(of(name), c.text)
    // A code is a number where the other side has one.
    const like = [fields[name]!.mine, fields[name]!.theirs].find((v) => v !== null && v !== undefined)
    if (of(name)?.type === 'code' && value !== null && value !== undefined) value = typeof like === 'number' ? Number(value) : typeof like === 'string' ? String(value) : value
    if (value === undefined) wrong.push(name)
    else out[name] = { value }
  }
  return { fields: out, open, wrong }
}

/** combined joins two texts, without saying twice what both say. */
export function combined(theirs: unknown, mine: unknown): string {
  const a = typeof theirs === 'string' ? theirs.trim() : '', b = typeof mine === 'string' ? mine.trim() : ''
  if (!a || b.includes(a)) return b
  if (!b || a.includes(b)) return a
  return `${a}；${b}`
}
