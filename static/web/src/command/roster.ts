/** What is pasted from a spreadsheet into the duty roster. */
export const roles = ['leader', 'officer', 'driver', 'technician'] as const
export interface Line { role: typeof roles[number]; unit: string; post: string; person: string; starts: string; ends: string }

const words: Record<string, Line['role']> = { 带班领导: 'leader', 带班: 'leader', leader: 'leader', 值班员: 'officer', 值班: 'officer', officer: 'officer', 驾驶员: 'driver', 司机: 'driver', driver: 'driver', 技术员: 'technician', technician: 'technician' }

/** moment reads a date with a time as a spreadsheet writes it, as an input of date and time wants it. */
export function moment(text: string): string | null {
  const m = /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[ T]+(\d{1,2})[:：](\d{2})/.exec(text.trim())
  if (!m) return null
  const two = (n: string | undefined) => (n ?? '').padStart(2, '0')
  const [, y, mo, d, h, mi] = m
  if (Number(mo) < 1 || Number(mo) > 12 || Number(d) < 1 || Number(d) > 31 || Number(h) > 23 || Number(mi) > 59) return null
  return `${y}-${two(mo)}-${two(d)}T${two(h)}:${two(mi)}`
}

/** pasted reads lines of role, unit, post, name, begins, ends, divided by tabs; what it does not understand is counted, never guessed. */
export function pasted(text: string): { lines: Line[]; bad: number } {
  const lines: Line[] = []
  let bad = 0
  for (const row of text.split(/\r?\n/)) {
    if (row.trim() === '' || /^岗位\t/.test(row)) continue
    const [role = '', unit = '', post = '', person = '', begins = '', ends = ''] = row.split('\t').map((x) => x.trim())
    const r = words[role], a = moment(begins), b = moment(ends)
    if (r && unit && person && a && b && a < b) lines.push({ role: r, unit, post, person, starts: a, ends: b })
    else bad++
  }
  return { lines, bad }
}
