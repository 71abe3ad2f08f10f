import { Refusal } from '../../desk/http.ts'
import { boundsOf } from '../../lib/geometry.ts'
import { session } from '../session.svelte.ts'
import type { Box, EditLine, EditResult, MultiPolygon, Op, Plan, Proposal, Validation, Violation, ZoneCollection, ZoneFeature } from '../types.ts'
import { historyOf, rebase, type History } from './history.ts'
import { Outbox, type Pending } from './outbox.ts'
import { Topo } from './topo.ts'

export interface Step {
  title: string
  ops: Op[]
  /** the zones the operations name; their neighbours are added */
  zones: string[]
  /** what was drawn: shown while the step waits, and in the dialogs */
  sketch?: GeoJSON.Geometry[]
  box?: Box | null
  /** what the step does to the draft, where that needs no server to know */
  ahead?: () => void
  /** where an undo happened: the view goes there */
  show?: boolean
}
export interface Stale { step: Pending; theirs: ZoneFeature[] }
export interface Refused { step: Pending; violations: Violation[]; text: string }

/**
 * Draft is the plan that is open for drawing: the server's zones, the nodes they share,
 * and the steps on their way. A step is written down, then sent, then forgotten when the
 * server has it; the server alone decides what the draft is.
 */
class Draft {
  topo: Topo = new Topo([])
  ready = $state(false)
  pending = $state.raw<Pending[]>([])
  /** steps found from before a crash or a reload; offered once */
  found = $state.raw<Pending[] | null>(null)
  /** the step on its way has taken longer than a moment */
  slow = $state(false)
  stuck = $state('')
  kept = $state(true)
  stale = $state.raw<Stale | null>(null)
  refused = $state.raw<Refused | null>(null)
  issues = $state.raw<Violation[]>([])
  ungraded = $state.raw<string[]>([])
  validated = $state<number | null>(null)
  validating = $state(false)
  counted = $state.raw<{ zones: number; vertices: number } | null>(null)
  lines = $state.raw<EditLine[]>([])
  history = $derived<History>(historyOf(this.lines, (l) => this.mine(l)))
  /** how long commits took, from the hand to the map, in ms; for the tests and the curious */
  readonly timings: { title: string; ms: number; server: number }[] = []

  private plan = ''
  private outbox = new Outbox()
  private made = new Set<string>()
  private sending: string | null = null
  private retry = 0
  private checking = 0
  private reading = false
  private order = 0
  /** shapes as they were before a step that was drawn ahead of its answer */
  private before = new Map<string, Map<string, MultiPolygon | null>>()
  private began = new Map<string, number>()
  private stop: (() => void)[] = []
  private flew: ((box: Box) => void) | null = null

  mine(line: EditLine): boolean { return this.made.has(line.edit_id) || line.by === session.me.username || line.by === session.me.id || (line.name !== null && line.name === session.me.name) }
  get editable(): boolean { return session.may('edit') && !session.phone }

  async open(plan: Plan, fly: (box: Box) => void): Promise<void> {
    this.close()
    this.plan = plan.id
    this.flew = fly
    this.build()
    this.stop.push(session.zones.on((changed) => { if (changed === null) this.build() }))
    this.stop.push(session.onChanged(() => void this.follow()))
    const back = () => { if (this.plan) void this.pump() }
    window.addEventListener('online', back)
    const leaving = (e: BeforeUnloadEvent) => { if (this.pending.length > 0) e.preventDefault() }
    window.addEventListener('beforeunload', leaving)
    this.stop.push(() => { window.removeEventListener('online', back); window.removeEventListener('beforeunload', leaving) })
    await this.readLines()
    const found = await this.outbox.all(plan.id, session.me.id ?? '')
    if (this.plan !== plan.id) return
    this.order = found.reduce((n, p) => Math.max(n, p.order), this.order)
    if (found.length > 0 && session.may('edit')) this.found = found
    this.tally()
    if (session.may('edit')) this.checkSoon(800)
  }

  close(): void {
    for (const s of this.stop.splice(0)) s()
    clearTimeout(this.retry)
    clearTimeout(this.checking)
    this.plan = ''
    this.ready = false
    this.pending = []
    this.found = null
    this.stale = null
    this.refused = null
    this.issues = []
    this.ungraded = []
    this.validated = null
    this.lines = []
    this.stuck = ''
    this.sending = null
    this.before.clear()
    this.tally()
  }

  private build(): void {
    const zones = session.zones
    this.topo = new Topo([...zones.all].map(([id, f]): [string, MultiPolygon] => [id, f.geometry]), zones.area)
    this.ready = session.zonesKnown || zones.all.size > 0
  }

  private take(r: { zones: ZoneFeature[]; removed: string[]; area?: MultiPolygon | null }): void {
    for (const f of r.zones) this.topo.set(f.properties.zone, f.geometry)
    for (const id of r.removed) this.topo.set(id, null)
    if (r.area) this.topo.set('', r.area)
    session.zones.take(r)
  }

  // ---- sending -------------------------------------------------------------

  /** commit writes a step down and sends it as soon as those before it are through. */
  async commit(step: Step, id: string = newID()): Promise<void> {
    if (!this.editable || !this.plan) return
    this.began.set(id, performance.now())
    this.refused = null
    const named = step.ops.flatMap((o) => [o.zone, o.to, ...(Array.isArray(o.zones) ? o.zones : [])]).filter((z): z is string => typeof z === 'string')
    const touched = this.topo.neighbours([...new Set([...step.zones, ...named])].filter((z) => session.zones.all.has(z)))
    const base: Record<string, number> = {}
    for (const z of touched) { const f = session.zones.all.get(z); if (f) base[z] = f.properties.version }
    const pending: Pending = {
      edit_id: id, plan: this.plan, plan_title: session.plan?.title ?? '', who: session.me.id ?? '', at: Date.now(), order: ++this.order, title: step.title, ops: step.ops, base,
      zones: step.zones.map((zone) => ({ zone, name: session.zones.name(zone) })), box: step.box ?? boxOf(step.sketch ?? []), sketch: step.sketch ?? [], parked: false,
    }
    this.made.add(id)
    if (step.ahead) {
      const was = new Map<string, MultiPolygon | null>()
      for (const z of touched) was.set(z, session.zones.all.get(z)?.geometry ?? null)
      this.before.set(id, was)
      step.ahead()
    }
    this.pending = [...this.pending, pending]
    this.tally()
    this.kept = await this.outbox.put(pending)
    await this.pump(step.show)
  }

  private tally(): void {
    session.unsent = this.pending.length
    session.saving = this.sending !== null
  }

  private async pump(show = false): Promise<void> {
    if (this.sending || this.stale || this.found) return
    clearTimeout(this.retry)
    const step = this.pending.find((p) => !p.parked)
    if (!step) return
    this.sending = step.edit_id
    this.tally()
    const slow = window.setTimeout(() => { this.slow = true }, 200)
    const sent = performance.now()
    try {
      const r = (await session.call<EditResult>(`/api/plans/${step.plan}/edits`, { method: 'POST', body: { edit_id: step.edit_id, ops: step.ops, base: step.base } })).data
      const server = performance.now() - sent
      await this.outbox.drop(step.edit_id)
      if (this.plan !== step.plan) return
      this.stuck = ''
      session.savedAt = Date.now()
      const before: Record<string, number> = step.base
      this.pending = rebase(this.pending.filter((p) => p.edit_id !== step.edit_id), before, r.zones.map((f) => ({ zone: f.properties.zone, version: f.properties.version })), r.removed)
      for (const p of this.pending) void this.outbox.put(p)
      this.before.delete(step.edit_id)
      // Later steps drawn ahead are still on the screen; the last answer settles them.
      if (this.pending.some((p) => this.before.has(p.edit_id))) this.keepAhead(r)
      else this.take(r)
      this.add(line(r, step))
      const began = this.began.get(step.edit_id)
      if (began !== undefined) this.timings.push({ title: r.title, ms: performance.now() - began, server })
      this.began.delete(step.edit_id)
      const box = boxOf(r.zones.map((f) => f.geometry))
      if (show && box) this.flew?.(box)
      session.say(r.title)
      const counts = session.plan?.counts
      if (session.plan && counts) session.plan = { ...session.plan, counts: { ...counts, zones: session.zones.all.size, ungraded: [...session.zones.all.values()].filter((f) => f.properties.level === null).length } }
      this.checkSoon()
    } catch (error) {
      if (this.plan === step.plan) await this.failed(step, error)
    } finally {
      clearTimeout(slow)
      this.slow = false
      this.sending = null
      this.tally()
    }
    if (!this.stuck) await this.pump(show)
  }

  /** keepAhead takes versions and attributes, and leaves shapes that a later step has moved on. */
  private keepAhead(r: EditResult): void {
    const ahead = new Set(this.pending.flatMap((p) => [...(this.before.get(p.edit_id)?.keys() ?? [])]))
    const zones = r.zones.map((f) => (ahead.has(f.properties.zone) && session.zones.all.has(f.properties.zone) ? { ...f, geometry: session.zones.all.get(f.properties.zone)!.geometry } : f))
    session.zones.take({ zones, removed: r.removed, area: r.area })
  }

  private async failed(step: Pending, error: unknown): Promise<void> {
    const refusal = error instanceof Refusal ? error : null
    const body = (refusal?.body ?? {}) as { theirs?: ZoneFeature[]; errors?: Violation[] }
    if (!refusal || refusal.status === 0 || refusal.status === 429 || refusal.status >= 500) {
      this.stuck = session.explain(error)
      this.retry = window.setTimeout(() => { this.stuck = ''; void this.pump() }, refusal?.retryAfter ? refusal.retryAfter * 1000 : 4000)
      return
    }
    if (refusal.status === 409 && refusal.code === 'stale') {
      const theirs = body.theirs ?? []
      // Nothing newer than what is on the screen: the server only wants these zones listed too.
      if (theirs.length > 0 && theirs.every((f) => session.zones.all.get(f.properties.zone)?.properties.version === f.properties.version && step.base[f.properties.zone] !== f.properties.version)) {
        const wider = { ...step, base: { ...step.base, ...Object.fromEntries(theirs.map((f) => [f.properties.zone, f.properties.version])) } }
        await this.outbox.put(wider)
        this.pending = this.pending.map((p) => (p.edit_id === step.edit_id ? wider : p))
        return
      }
      this.stale = { step, theirs }
      return
    }
    if (refusal.status === 422) {
      await this.forget(step)
      const violations = (body.errors ?? []).map((v) => ({ ...v, code: v.code ?? '', message: v.message ?? '', at: v.at ?? (v.geometry?.type === 'Point' ? (v.geometry.coordinates as [number, number]) : null) }))
      // A shape that lies wholly on zones leaves nothing to clip; taken out of them it would work.
      const ops = step.ops.map((o) => (o.mode === 'clip' ? { ...o, mode: 'carve' as const } : o))
      if (violations[0]?.code === 'nothing_to_do' && !violations[0].proposals?.length && step.ops.some((o) => o.mode === 'clip')) violations[0] = { ...violations[0], proposals: [{ title: session.t('mode_carve'), ops }] }
      this.refused = { step, violations, text: violations[0]?.message || session.explain(error) }
      session.say(this.refused.text)
      return
    }
    // The plan moved on, or the right to draw ended: the step is put aside, not thrown away.
    await this.park(step)
    session.tell(session.explain(error), 'error')
    void session.reread()
  }

  /** forget takes a step out of the queue and what it drew ahead off the map. */
  private async forget(step: Pending): Promise<void> {
    await this.outbox.drop(step.edit_id)
    this.pending = this.pending.filter((p) => p.edit_id !== step.edit_id)
    const was = this.before.get(step.edit_id)
    this.before.delete(step.edit_id)
    this.began.delete(step.edit_id)
    if (was) this.putBack(was)
    this.tally()
  }
  private putBack(was: Map<string, MultiPolygon | null>): void {
    const zones: ZoneFeature[] = []
    for (const [id, geometry] of was) {
      const f = session.zones.all.get(id)
      if (f && geometry) zones.push({ ...f, geometry })
    }
    this.take({ zones, removed: [] })
  }
  private async park(step: Pending): Promise<void> {
    const parked = { ...step, parked: true }
    await this.outbox.put(parked)
    this.pending = this.pending.map((p) => (p.edit_id === step.edit_id ? parked : p))
    const was = this.before.get(step.edit_id)
    if (was) this.putBack(was)
    this.before.delete(step.edit_id)
    this.tally()
  }

  // ---- when somebody else was there first ----------------------------------

  async resolve(how: 'theirs' | 'mine' | 'later'): Promise<void> {
    const s = this.stale
    if (!s) return
    this.stale = null
    if (how === 'later') await this.park(s.step)
    else await this.forget(s.step)
    await session.reread(true)
    if (how === 'mine') {
      const zones = s.step.zones.map((z) => z.zone)
      this.refused = null
      await this.commit({ title: s.step.title, ops: s.step.ops, zones, sketch: s.step.sketch, box: s.step.box })
      return
    }
    await this.readLines()
    await this.pump()
  }

  // ---- after a crash -------------------------------------------------------

  async restore(yes: boolean): Promise<void> {
    const found = this.found ?? []
    this.found = null
    if (!yes) {
      for (const p of found) await this.outbox.drop(p.edit_id)
      return
    }
    for (const p of found) this.made.add(p.edit_id)
    this.pending = [...found.map((p) => ({ ...p, parked: false })), ...this.pending]
    this.tally()
    await this.pump()
  }
  /** unpark sends a step that was put aside, from the versions of now. */
  async unpark(step: Pending): Promise<void> {
    await this.forget(step)
    await this.commit({ title: step.title, ops: step.ops, zones: step.zones.map((z) => z.zone), sketch: step.sketch, box: step.box })
  }
  discard(step: Pending): Promise<void> { return this.forget(step) }

  // ---- taking back ---------------------------------------------------------

  async undo(): Promise<void> {
    const last = this.pending[this.pending.length - 1]
    if (last && this.sending !== last.edit_id) { await this.forget(last); return }
    if (this.sending) return
    const entry = this.history.undo[this.history.undo.length - 1]
    if (entry) await this.back(entry.edit, entry.line)
  }
  async redo(): Promise<void> {
    if (this.sending) return
    const entry = this.history.redo[this.history.redo.length - 1]
    if (entry) await this.back(entry.edit, entry.line)
  }
  /** undoTo takes back a step and everything of ours after it, the last first. */
  async undoTo(edit: string): Promise<void> {
    for (let guard = 0; guard < 1000; guard++) {
      const list = this.history.undo
      if (!list.some((e) => e.edit === edit)) return
      const n = list.length
      await this.undo()
      if (this.refused || this.stale || this.stuck || this.history.undo.length >= n) return
    }
  }
  private async back(edit: string, of: EditLine): Promise<void> {
    const zones = [...of.zones, ...of.removed].filter((z) => session.zones.all.has(z))
    await this.commit({ title: of.title, ops: [{ op: 'restore', edit }], zones, box: of.bounds, show: true })
  }

  // ---- others, and the whole -----------------------------------------------

  private add(l: EditLine): void { if (!this.lines.some((x) => x.edit_id === l.edit_id)) this.lines = [...this.lines, l] }

  private async readLines(): Promise<void> {
    const plan = this.plan
    try {
      for (let since = this.lines[this.lines.length - 1]?.seq ?? 0; ;) {
        const r = (await session.call<{ edits: EditLine[]; next: string | number | null }>(`/api/plans/${plan}/edits?since=${since}&limit=500`)).data
        if (this.plan !== plan) return
        for (const l of r.edits) this.add(l)
        if (r.edits.length < 500) return
        since = r.edits[r.edits.length - 1]!.seq
      }
    } catch { /* the list of steps is a comfort; drawing goes on without */ }
  }

  /** follow sees what others drew since. */
  private async follow(): Promise<void> {
    if (this.reading || this.sending || this.pending.some((p) => !p.parked) || this.stale || !this.plan) return
    this.reading = true
    try {
      const plan = this.plan, n = this.lines.length
      await this.readLines()
      const fresh = this.lines.slice(n).filter((l) => !this.made.has(l.edit_id))
      if (this.plan !== plan || fresh.length === 0) return
      const c = (await session.call<ZoneCollection>(`/api/plans/${plan}/zones`)).data
      if (this.plan !== plan || this.sending || this.pending.some((p) => !p.parked)) return
      // Only what differs is put anew.
      const now = new Set(c.features.map((f) => f.properties.zone))
      const zones = c.features.filter((f) => session.zones.all.get(f.properties.zone)?.properties.version !== f.properties.version)
      const removed = [...session.zones.all.keys()].filter((z) => !now.has(z))
      this.take({ zones, removed, area: c.area })
      this.checkSoon()
    } catch { /* the next turn tries again */ } finally { this.reading = false }
  }

  checkSoon(wait = 1500): void {
    clearTimeout(this.checking)
    this.checking = window.setTimeout(() => { if (this.sending) this.checkSoon(); else void this.check() }, wait)
  }
  async check(): Promise<Validation | null> {
    const plan = this.plan
    if (!plan || !session.may('edit')) return null
    this.validating = true
    try {
      const v = (await session.call<Validation>(`/api/plans/${plan}/validate`, { method: 'POST' })).data
      if (this.plan !== plan) return null
      // A zone without a level is work left to do, not a fault of the drawing.
      this.issues = v.violations.filter((x) => x.code !== 'ungraded')
      this.ungraded = v.violations.filter((x) => x.code === 'ungraded').flatMap((x) => x.zones ?? [])
      this.counted = { zones: v.zones, vertices: v.vertices }
      this.validated = Date.now()
      return v
    } catch { return null } finally { this.validating = false }
  }
}

export const newID = (): string => {
  if (crypto.randomUUID) return crypto.randomUUID()
  const b = crypto.getRandomValues(new Uint8Array(16))
  b[6] = (b[6]! & 15) | 64
  b[8] = (b[8]! & 63) | 128
  const h = [...b].map((x) => x.toString(16).padStart(2, '0')).join('')
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`
}

export function boxOf(list: readonly GeoJSON.Geometry[]): Box | null {
  let out: Box | null = null
  for (const g of list) {
    const b = boundsOf(g)
    if (b) out = out ? [Math.min(out[0], b[0]), Math.min(out[1], b[1]), Math.max(out[2], b[2]), Math.max(out[3], b[3])] : b
  }
  return out
}

/** proposalTitle says which zone a proposal favours: several of one kind read alike otherwise. */
export function proposalTitle(p: Proposal): string {
  const op = p.ops[0]
  const zone = typeof op?.to === 'string' ? op.to : op?.op === 'delete' ? null : op?.zone
  const name = typeof zone === 'string' && session.zones.all.has(zone) ? session.zones.name(zone) : ''
  return name && !p.title.includes(name) ? `${p.title} → ${name}` : p.title
}

function line(r: EditResult, step: Pending): EditLine {
  const restored = step.ops.length === 1 && step.ops[0]!.op === 'restore' ? String(step.ops[0]!.edit) : null
  return {
    edit_id: r.edit_id, seq: r.seq, title: r.title, zones: r.zones.map((f) => f.properties.zone), removed: r.removed, ops: step.ops, by: session.me.username ?? '', name: session.me.name,
    at: new Date().toISOString(), undoes: restored, undone_by: null, bounds: boxOf(r.zones.map((f) => f.geometry)) ?? step.box,
  }
}

export const draft = new Draft()
