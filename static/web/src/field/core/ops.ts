/** What the outbox decides by itself: nothing here touches storage, network or clock. */
import type { Datum, Dictionary, Draft, Geometry, ItemState, KindName, OutItem, Rec, Words } from '../types.ts'

export interface Changed { base?: unknown; value: unknown }

/** An Op is one operation as the phone keeps it. It only grows; what it says never changes after it was sent. */
export interface Op {
  op_id: string
  n: number // order on this phone
  owner: string // user name; '' before anybody signed in
  device: string
  seq?: number // given when it is first sent, so that what was withdrawn leaves no gap
  kind: KindName
  id: string
  op: 'put' | 'delete' | 'transition'
  to?: string
  note?: string
  base_version?: number
  fields: Record<string, Changed>
  geometry?: Geometry | { base: Geometry | null; value: Geometry }
  blobs: string[]
  captured_at: string
  src_crs: Datum
  accuracy_m?: number
  device_position?: [number, number]

  urgent: boolean
  title: string
  created_at: string
  state: ItemState
  /** A request with it left this phone and no answer said that it was not taken. */
  sent_at?: string
  /** It is in an exported file: another phone may send it, word for word. */
  copied?: boolean
  tries: number
  verdict?: string
  reason?: Words
  seen_by?: string
  seen_at?: string
  received_at?: string
  version?: number
}

export interface Result {
  op_id: string
  status: string
  verdict?: string // how an operation stands that was delivered before
  id?: string
  version?: number
  seen_by?: string
  seen_at?: string
  conflict?: Record<string, unknown>
  problem?: { code?: string; title?: string; detail?: string; words?: Words } | null
  reason?: Words | null
}
export type Receipt = Partial<Result> & { op_id: string }

export const same = (a: unknown, b: unknown): boolean => a === b || (a ?? null) === (b ?? null) || JSON.stringify(canon(a)) === JSON.stringify(canon(b))
function canon(v: unknown): unknown {
  if (Array.isArray(v)) return v.map(canon)
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, x]) => [k, canon(x)]))
  return v
}

/** changed is what a form changed, against what it was opened with. Empty text is nothing. */
export function changed(base: Record<string, unknown> | null, now: Record<string, unknown>, readOnly: ReadonlySet<string> = new Set()): Record<string, Changed> {
  const out: Record<string, Changed> = {}
  for (const [name, raw] of Object.entries(now)) {
    if (readOnly.has(name)) continue
    const value = raw === '' || raw === undefined ? null : raw
    if (!base) { if (value !== null) out[name] = { value } } else if (!same(value, base[name])) out[name] = { base: base[name] ?? null, value }
  }
  return out
}

export const isPair = (g: Op['geometry']): g is { base: Geometry | null; value: Geometry } => !!g && 'value' in g
export const geometryOf = (g: Op['geometry']): Geometry | undefined => (isPair(g) ? g.value : g)

/** line is the order in which things are sent: 险情 before everything, else as they were made. */
export function line(ops: readonly Op[], owner: string): Op[] {
  return ops.filter((o) => o.state === 'waiting' && (o.owner === owner || o.owner === '')).sort((a, b) => Number(b.urgent) - Number(a.urgent) || a.n - b.n)
}

/** wire is an operation as the server reads it. */
export function wire(o: Op): Record<string, unknown> {
  return {
    op_id: o.op_id, op: o.op, kind: o.kind, id: o.id, captured_at: o.captured_at, src_crs: o.src_crs,
    ...(o.seq === undefined ? {} : { device_seq: o.seq }),
    ...(o.base_version ? { base_version: o.base_version } : {}),
    ...(Object.keys(o.fields).length || o.op === 'put' ? { fields: o.fields } : {}),
    ...(o.geometry ? { geometry: o.geometry } : {}),
    ...(o.to ? { to: o.to } : {}),
    ...(o.note ? { note: o.note } : {}),
    ...(o.blobs.length ? { blobs: o.blobs } : {}),
    ...(o.accuracy_m !== undefined ? { accuracy_m: Math.round(o.accuracy_m * 10) / 10 } : {}),
    ...(o.device_position ? { device_position: o.device_position } : {}),
  }
}

/** batch takes what fits into one request: of one device, without 险情, which go alone. */
export function batch(queue: readonly Op[], most: number, bytes: number): Op[] {
  const out: Op[] = []
  let sum = 0
  // What follows a 险情 waits until that is there.
  const first = new Set(queue.filter((o) => o.urgent).map((o) => o.id))
  for (const o of queue) {
    if (o.urgent || first.has(o.id)) continue
    if (out.length && o.device !== out[0]!.device) break
    const n = JSON.stringify(wire(o)).length * 2 // Chinese takes up to three bytes where script counts one
    if (out.length && (out.length >= most || sum + n > bytes)) break
    out.push(o)
    sum += n
  }
  return out
}

const states = new Map<string, ItemState>(Object.entries({
  applied: 'received', duplicate: 'received', waiting: 'received', merged: 'merged', conflict: 'needs_look', quarantined: 'needs_look',
  rejected: 'returned', returned: 'returned', accepted: 'merged', resolved: 'merged', received: 'received', seen: 'received', taken: 'received',
}))
const both = (s: string): Words => ({ zh: s, en: s })

/** judged is the operation after its verdict; null when the answer says nothing that is understood: it stays where it is. */
export function judged(o: Op, r: Result | Receipt, at: string): Op | null {
  const status = r.status === 'duplicate' && r.verdict ? r.verdict : r.status
  const state = status === undefined ? o.state : states.get(status)
  if (!state || (status === undefined && !r.seen_by)) return null
  const told = r.reason ?? r.problem?.words ?? (r.problem ? both(r.problem.detail || r.problem.title || r.problem.code || '') : undefined)
  // A repeated delivery says "duplicate" of what was judged before: the earlier word stands.
  const again = status === 'duplicate' && o.state !== 'waiting' && o.state !== 'sending'
  const out: Op = { ...o, state: again ? o.state : state, verdict: again ? o.verdict : status ?? o.verdict, received_at: o.received_at ?? at }
  if (told && (told.zh || told.en)) out.reason = told
  else if (out.state === 'received' || out.state === 'merged') delete out.reason
  if (r.version) out.version = r.version
  if (r.seen_by) { out.seen_by = r.seen_by; out.seen_at = r.seen_at ?? o.seen_at ?? at }
  if (state === 'returned' && status === 'rejected') delete out.received_at
  return out
}

/** applied is a record with an operation laid over it. */
export function applied(rec: Rec | null, o: Op): Rec | null {
  if (o.op === 'delete') return null
  const geometry = geometryOf(o.geometry) ?? rec?.geometry
  const fields = { ...rec?.fields }
  for (const [name, c] of Object.entries(o.fields)) fields[name] = c.value
  return {
    kind: o.kind, id: o.id, version: Math.max(rec?.version ?? 0, o.version ?? 0), fields, updated_at: o.captured_at, mine: true,
    ...(geometry ? { geometry } : {}), ...(o.to ?? rec?.state ? { state: o.to ?? rec?.state } : {}), ...(rec?.by ? { by: rec.by } : {}),
  }
}

/** overlaid are the records as he left them: the server's, with what still waits laid over them. */
export function overlaid(records: Iterable<Rec>, ops: readonly Op[]): Map<string, Rec> {
  const out = new Map<string, Rec>()
  for (const r of records) out.set(`${r.kind}/${r.id}`, r)
  for (const o of [...ops].sort((a, b) => a.n - b.n)) {
    if (o.state !== 'waiting' && o.state !== 'sending') continue
    const key = `${o.kind}/${o.id}`
    const rec = applied(out.get(key) ?? null, o)
    if (rec) out.set(key, rec)
    else out.delete(key)
  }
  return out
}

/** pause is how long to wait after so many failures: doubling, at most five minutes, spread so that phones do not come all at once. */
export function pause(failures: number, random: number, least = 4000, most = 300_000): number {
  return Math.min(most, least * 2 ** Math.max(0, failures - 1)) * (0.5 + random / 2)
}

export function isLate(o: Op, now: number, wait_s: number): boolean {
  return o.urgent && (o.state === 'waiting' || o.state === 'sending') && now - Date.parse(o.created_at) >= wait_s * 1000
}

export function editable(o: Op): boolean { return o.state === 'returned' || (o.state === 'waiting' && !o.sent_at) }

export interface Shot { complete: boolean; refused?: Words }

export function item(o: Op, photos: ReadonlyMap<string, Shot>, now: number, wait_s: number, me: string): OutItem {
  let sent = 0
  for (const sha of o.blobs) if (photos.get(sha)?.complete) sent++
  return {
    op_id: o.op_id, kind: o.kind, id: o.id, op: o.op, urgent: o.urgent, title: o.title, created_at: o.created_at, state: o.state, tries: o.tries,
    photos: { total: o.blobs.length, sent }, late: isLate(o, now, wait_s), editable: editable(o),
    ...(o.to ? { to: o.to } : {}), ...(o.verdict ? { verdict: o.verdict } : {}), ...(o.reason ? { reason: o.reason } : {}),
    ...(o.seen_by ? { seen_by: o.seen_by } : {}), ...(o.seen_at ? { seen_at: o.seen_at } : {}), ...(o.received_at ? { received_at: o.received_at } : {}),
    ...(o.owner && o.owner !== me ? { owner: o.owner } : {}),
  }
}

/** retired says whether a finished operation may leave the list: two weeks after everything of it arrived. */
export function retired(o: Op, photos: ReadonlyMap<string, Shot>, now: number): boolean {
  if (o.state !== 'received' && o.state !== 'merged' && o.state !== 'withdrawn') return false
  if (o.state !== 'withdrawn' && (o.verdict === 'waiting' || o.blobs.some((sha) => !(photos.get(sha)?.complete ?? false)))) return false
  return now - Date.parse(o.received_at ?? o.created_at) > 14 * 86_400_000
}

export function titleOf(d: Pick<Draft, 'kind' | 'fields'>, dict: Dictionary | null, lang: 'zh' | 'en', to?: string): string {
  const head = dict?.title[lang] ?? d.kind
  const step = to ? dict?.transitions?.find((t) => t.to === to)?.title[lang] ?? to : ''
  const named = ['name', 'title', 'kind', 'result', 'description', 'note'].map((k) => {
    const v = d.fields[k]
    if (typeof v !== 'string' || !v) return ''
    const codes = dict?.fields.find((f) => f.name === k)?.code_list
    return (codes && dict?.code_lists?.[codes]?.find((c) => c.code === v)?.title[lang]) || v
  }).find((v) => v !== '') ?? ''
  return [head, step, named.length > 30 ? `${named.slice(0, 30)}…` : named].filter(Boolean).join(' · ')
}
