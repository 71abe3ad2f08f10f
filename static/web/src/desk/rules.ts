/** What the pages decide by themselves: nothing here asks the server or touches a page. */

export interface PasswordRules { min_length: number; classes: number }
export interface Rule { id: 'length' | 'classes' | 'name' | 'same'; ok: boolean }

export const classesOf = (text: string): number =>
  [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((c) => c.test(text)).length

/** passwordRules judges while a person types; the server judges again. */
export function passwordRules(password: string, again: string, username: string, rules: PasswordRules): Rule[] {
  const name = username.trim().toLowerCase()
  return [
    { id: 'length', ok: [...password].length >= rules.min_length },
    { id: 'classes', ok: classesOf(password) >= rules.classes },
    { id: 'name', ok: password !== '' && (name.length < 3 || !password.toLowerCase().includes(name)) },
    { id: 'same', ok: password !== '' && password === again },
  ]
}

export interface Change { path: string; kind: 'added' | 'removed' | 'changed'; before: unknown; after: unknown }

const plain = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)

/** changes lists what differs between two records, field by field, in their order. */
export function changes(before: unknown, after: unknown, path = ''): Change[] {
  if (plain(before) && plain(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((k) => changes(before[k], after[k], path ? `${path}.${k}` : k))
  }
  const none = (v: unknown) => v === undefined || v === null
  if (none(before) && none(after)) return []
  if (none(before)) return plain(after) ? changes({}, after, path) : [{ path, kind: 'added', before: null, after }]
  if (none(after)) return plain(before) ? changes(before, {}, path) : [{ path, kind: 'removed', before, after: null }]
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, kind: 'changed', before, after }]
}

/** said writes a value of a record as one line. */
export function said(value: unknown): string {
  if (value === null || value === undefined) return '—'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** 三员: of these a person holds one. */
export const separated = ['admin', 'security_admin', 'auditor']

/** clash names the role that stands against a new one, if any. Ended grants do not count. */
export function clash(role: string, held: readonly { role: string; state: string }[]): string | null {
  if (!separated.includes(role)) return null
  return held.find((g) => (g.state === 'valid' || g.state === 'future') && separated.includes(g.role) && g.role !== role)?.role ?? null
}

/** lower says whether a layer would be seen by more people than now. */
const ladder = ['public', 'internal', 'sensitive']
export const lowers = (from: string, to: string): boolean => ladder.indexOf(to) < ladder.indexOf(from)

/** takeCode reads a code from the fragment and leaves no trace of it in the address bar or the history. */
export function takeCode(location: Location, history: History): string {
  const raw = location.hash.replace(/^#/, '')
  if (!raw) return ''
  history.replaceState(history.state, '', location.pathname + location.search)
  let code = raw
  try { code = decodeURIComponent(raw) } catch { /* as it stands */ }
  return code.trim()
}

/** codeIn accepts a whole link or a bare code, pasted with whatever stands around it. */
export function codeIn(text: string): string {
  const t = text.trim()
  const hash = t.indexOf('#')
  return (hash >= 0 ? t.slice(hash + 1) : t).replace(/\s+/g, '')
}

/** until is the rest of a time in whole hours or days; negative when it has passed. */
export function hoursSince(at: string, now: number): number { return (now - new Date(at).getTime()) / 3_600_000 }

/** localInput turns a moment into what <input type=datetime-local> holds, and back. */
export function localInput(at: Date): string {
  const pad = (n: number) => String(n).padStart(2, '0')
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`
}
export function fromInput(text: string): string | undefined {
  if (!text) return undefined
  const d = new Date(text)
  return Number.isNaN(d.getTime()) ? undefined : d.toISOString()
}

/** deviceName is what a person would call this machine. */
export function deviceName(agent: string): string {
  const os = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /HarmonyOS/.test(agent) ? 'HarmonyOS' : /Windows/.test(agent) ? 'Windows' : /Mac OS/.test(agent) ? 'macOS' : /Linux/.test(agent) ? 'Linux' : ''
  const browser = /MicroMessenger/.test(agent) ? 'WeChat' : /Edg\//.test(agent) ? 'Edge' : /Firefox\//.test(agent) ? 'Firefox' : /Chrom(e|ium)\/(\d+)/.test(agent) ? `Chrome ${/Chrom(?:e|ium)\/(\d+)/.exec(agent)![1]}` : /Safari\//.test(agent) ? 'Safari' : ''
  return [os, browser].filter(Boolean).join(' · ') || agent.slice(0, 40)
}

/** randomID is 128 bits in hex; crypto.randomUUID came after Chromium 90. */
export function randomID(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')
}
