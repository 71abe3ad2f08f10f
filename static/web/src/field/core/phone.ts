import type { Core, Datum, Dictionary, Draft, Fix, Home, KindName, OutItem, Pack, Photo, Place, Rec, Route, Status } from '../types.ts'
import { boundsOf } from '../../lib/geometry.ts'
import { Awake, badge, estimate, inWeChat, persist, persisted, Versions } from './app.ts'
import { geometryIn, toDatum, toMap } from './datum.ts'
import { Full } from './db.ts'
import { uuidv7 } from './ids.ts'
import { Net } from './net.ts'
import { changed, editable, geometryOf, item, overlaid, same, titleOf, type Changed, type Op } from './ops.ts'
import type { Packs } from './packs.ts'
import { addPhoto } from './photos.ts'
import { shown } from './shown.ts'
import { Averager, distance, metres } from './place.ts'
import { no, Refusal } from './said.ts'
import type { Locked } from './sealed.ts'
import { Sender } from './sender.ts'
import { Store, type KeptDraft, type KeptPhoto, type Writer } from './store.ts'

// What is not needed to mark something comes a little later, so that the form is there sooner.
// It is fetched right after the start all the same: a phone that goes offline then has it.
const later = { packs: () => import('./packs.ts'), sealed: () => import('./sealed.ts') }

const RULES = { urgent_wait_s: 60, outbox_warn_h: 24, photos_max: 9, accuracy_warn_m: 30 }
const DAY = 86_400_000
type Household = Awaited<ReturnType<Core['households']>>[number]

/** The Phone is the core: it keeps, orders and sends, and tells the screens what is so. */
export class Phone implements Core {
  readonly store: Store
  readonly net: Net
  readonly sender: Sender
  private packs_: Packs | null = null
  private readonly averager = new Averager()
  private readonly awake = new Awake()
  private readonly versions: Versions
  private device = ''
  private watch: number | null = null
  private lastFix: Fix | null = null
  private full = false
  private persists: boolean | null = null
  private space: { used: number; quota: number } | null = null
  private badged = -1
  private lateTimer: ReturnType<typeof setTimeout> | undefined
  private starting: Promise<void> | null = null
  private ear: EventSource | null = null
  private earAt = 0
  private earTimer: ReturnType<typeof setTimeout> | undefined
  private view: { records: Map<string, unknown>; ops: Map<string, Op>; sending: string; out: Map<string, Rec> } | null = null

  constructor(name?: string) {
    this.store = new Store(name)
    this.net = new Net(() => this.device)
    this.sender = new Sender(this.store, this.net, () => this.lang, async () => {
      // The server no longer knows this phone. What others could read on it goes; what was made on it stays.
      await this.store.keep(['meta'], (w) => { w.set('households', undefined); w.set('pinTries', undefined) })
    })
    this.versions = new Versions(() => this.store.changed())
    this.store.onKick = (urgent) => { void (urgent ? this.sender.urgent() : this.sender.run()) }
  }

  private get lang(): 'zh' | 'en' { return typeof document !== 'undefined' && document.documentElement.lang.startsWith('en') ? 'en' : 'zh' }
  private get rules(): Home['rules'] { return { ...RULES, ...this.home()?.rules } }

  start(): Promise<void> {
    return (this.starting ??= (async () => {
      await this.store.load()
      this.device = await this.store.device()
      this.store.subscribe(() => this.after())
      addEventListener('online', () => { this.sender.online = true; this.earAt = 0; void this.sender.kick() })
      addEventListener('offline', () => { this.sender.online = false; this.store.changed() })
      document.addEventListener('visibilitychange', () => { this.earAt = 0; this.listen(); if (document.visibilityState === 'visible') { void this.sender.kick(); void this.versions.check() } })
      if ('BroadcastChannel' in window) new BroadcastChannel('onemap.session').onmessage = () => { this.sender.recheck(); void this.sender.kick() }
      this.persists = await persisted()
      this.space = await estimate()
      void this.versions.start()
      this.after()
      this.store.changed()
      void this.sender.kick()
      this.fetchRest()
    })())
  }

  private fetchRest(): void {
    setTimeout(() => {
      Promise.all(Object.values(later).map((load) => load())).catch(() => { addEventListener('online', () => this.fetchRest(), { once: true }) })
    }, 1500)
  }

  private async packing(): Promise<Packs> {
    const { Packs } = await later.packs()
    return (this.packs_ ??= new Packs(this.store, this.net))
  }

  /** listen hears of a warning, and of who saw his 险情, at that moment, while the app is looked at. What is heard only begins a round. */
  private listen(): void {
    const wanted = this.sender.online && navigator.onLine && document.visibilityState === 'visible' && !!this.store.owner && !this.sender.signInNeeded
    if (!wanted) { this.ear?.close(); this.ear = null; return }
    if ((this.ear && this.ear.readyState !== 2) || Date.now() - this.earAt < 60_000) return
    this.earAt = Date.now()
    this.ear = new EventSource('/api/live?topics=notices,sync_receipt')
    for (const topic of ['notices', 'sync_receipt']) this.ear.addEventListener(topic, () => { clearTimeout(this.earTimer); this.earTimer = setTimeout(() => { void this.sender.run() }, 200) })
  }

  /** after follows every change: the badge, and the moment at which a 险情 is late. */
  private after(): void {
    this.listen()
    const n = this.mine().filter((o) => o.state === 'waiting' || o.state === 'sending' || o.state === 'returned').length
    if (n !== this.badged) { this.badged = n; badge(n) }
    clearTimeout(this.lateTimer)
    const now = Date.now()
    const due = this.mine().filter((o) => o.urgent && o.state === 'waiting').map((o) => Date.parse(o.created_at) + this.rules.urgent_wait_s * 1000 - now).filter((ms) => ms > 0)
    if (due.length) this.lateTimer = setTimeout(() => this.store.changed(), Math.min(...due) + 50)
  }

  private mine(): Op[] { return [...this.store.ops.values()].filter((o) => o.owner === this.store.owner || o.owner === '') }

  status(): Status {
    const waiting = this.mine().filter((o) => o.state === 'waiting')
    const now = Date.now()
    const unsent = (sha: string) => { const p = this.store.photos.get(sha); return p && p.blob && !p.complete && !p.refused }
    const due = this.mine().filter((o) => o.state === 'waiting' || (o.state !== 'withdrawn' && o.blobs.some(unsent)))
    const oldest = due.length ? Math.min(...due.map((o) => Date.parse(o.created_at))) : null
    const others: Record<string, number> = {}
    for (const o of this.store.ops.values()) if (o.owner && o.owner !== this.store.owner && (o.state === 'waiting' || o.state === 'returned')) others[o.owner] = (others[o.owner] ?? 0) + 1
    const h = oldest === null ? null : (now - oldest) / 3_600_000
    return {
      online: this.sender.online, signedIn: !!this.store.owner && !this.sender.signInNeeded, signInNeeded: this.sender.signInNeeded,
      device: this.device, persisted: this.persists, storage: this.space, oldestWaitingH: h, old: h !== null && h > this.rules.outbox_warn_h,
      pending: waiting.length, lastSync: (this.store.meta.lastSync as string | undefined) ?? null,
      clockSkewS: this.net.skew ?? (this.store.meta.skew as number | undefined) ?? null, update: this.versions.waiting, full: this.full, others,
      inWeChat: inWeChat(navigator.userAgent),
    }
  }

  subscribe(run: () => void): () => void { return this.store.subscribe(run) }

  /** kept runs a change of what must not be lost, and says it in words when the phone is full. */
  private async kept<T>(run: () => Promise<T>): Promise<T> {
    try {
      const out = await run()
      if (this.full) { this.full = false; this.store.changed() }
      return out
    } catch (cause) {
      if (cause instanceof Full || (cause as Error)?.name === 'QuotaExceededError') {
        this.full = true
        this.space = await estimate()
        this.store.changed()
        throw no('full')
      }
      throw cause
    }
  }

  home(): Home | null { return (this.store.meta.home as Home | undefined) ?? null }
  dictionary(kind: KindName): Dictionary | null { return (this.store.meta.kinds as Record<string, Dictionary> | undefined)?.[kind] ?? null }

  private overlay(): Map<string, Rec> {
    const { records, ops } = this.store
    const state = [...ops.values()].map((o) => `${o.op_id}${o.state}`).join()
    if (!this.view || this.view.records !== records || this.view.ops !== ops || this.view.sending !== `${state}|${this.stamp()}`) {
      this.view = { records, ops, sending: `${state}|${this.stamp()}`, out: overlaid(records.values(), this.mine()) }
    }
    return this.view.out
  }
  private stamp(): string { let n = 0; for (const r of this.store.records.values()) n += r.version; return `${this.store.records.size}/${n}` }

  records(kind?: Rec['kind']): Rec[] { const all = [...this.overlay().values()]; return kind ? all.filter((r) => r.kind === kind) : all }
  record(id: string): Rec | null { return [...this.overlay().values()].find((r) => r.id === id) ?? null }

  drafts(): Draft[] { return [...this.store.drafts.values()].filter((d) => d.owner === '' || d.owner === this.store.owner).sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1)) }

  async newDraft(kind: KindName, urgent = false): Promise<Draft> {
    const d: KeptDraft = { id: uuidv7(), kind, fields: urgent ? { urgency: 'urgent' } : {}, photos: [], urgent, updated_at: new Date().toISOString(), owner: this.store.owner }
    await this.kept(() => this.store.keep(['drafts'], (w) => w.put('drafts', d)))
    return { ...d }
  }

  async editDraft(rec: Rec): Promise<Draft> {
    const open = this.store.drafts.get(rec.id)
    if (open) return { ...open }
    const base = { version: rec.version, fields: { ...rec.fields }, ...(rec.geometry ? { geometry: rec.geometry } : {}) }
    const d: KeptDraft = {
      id: rec.id, kind: rec.kind as KindName, based_on: base, fields: { ...rec.fields }, photos: [], urgent: false, updated_at: new Date().toISOString(), owner: this.store.owner,
      ...(rec.geometry ? { geometry: rec.geometry } : {}),
    }
    await this.kept(() => this.store.keep(['drafts'], (w) => w.put('drafts', d)))
    return { ...d }
  }

  async saveDraft(d: Draft): Promise<void> {
    const row = plain({ ...d, updated_at: new Date().toISOString(), owner: this.store.drafts.get(d.id)?.owner ?? this.store.owner })
    await this.kept(() => this.store.keep(['drafts'], (w) => w.put('drafts', row)))
  }

  async dropDraft(id: string): Promise<void> { await this.store.keep(['drafts'], (w) => w.del('drafts', id)) }

  near(kind: KindName, at: [number, number], accuracy_m: number): { rec: Rec; distance_m: number }[] {
    const reach = Math.max(accuracy_m || 0, this.dictionary(kind)?.near_m ?? 30)
    const out: { rec: Rec; distance_m: number }[] = []
    for (const rec of this.overlay().values()) {
      if (rec.kind !== kind || !rec.geometry) continue
      const d = distance(at, rec.geometry)
      if (d <= reach) out.push({ rec, distance_m: Math.round(d * 10) / 10 })
    }
    return out.sort((a, b) => a.distance_m - b.distance_m)
  }

  /** make is an operation with what the phone knows at this moment. */
  private make(o: Pick<Op, 'kind' | 'id' | 'op'> & Partial<Op>, fix: Fix | null): Omit<Op, 'n'> {
    const now = new Date().toISOString()
    const datum = this.datum()
    const at = fix ? fix.raw ?? toDatum([fix.lon, fix.lat], datum) : null
    return {
      op_id: uuidv7(), owner: this.store.owner, device: this.device, fields: {}, blobs: [], captured_at: now, src_crs: datum, urgent: false, title: '',
      created_at: now, state: 'waiting', tries: 0, ...(at ? { device_position: at, accuracy_m: fix!.accuracy_m } : {}), ...o,
    }
  }

  private async add(o: Omit<Op, 'n'>, more?: (w: Writer) => void | Promise<void>): Promise<OutItem> {
    const op = await this.kept(() => this.store.keep(['ops', 'drafts', 'meta'], async (w) => {
      const row: Op = plain({ ...o, n: await this.store.number(w) })
      w.put('ops', row)
      await more?.(w)
      return row
    }))
    void this.sender.kick()
    return this.out(op)
  }

  async submit(d: Draft): Promise<OutItem> {
    const dict = this.dictionary(d.kind)
    const readOnly = new Set(dict?.fields.filter((f) => f.read_only).map((f) => f.name) ?? [])
    const fields = changed(d.based_on?.fields ?? null, plain(d.fields), readOnly)
    const datum = this.datum()
    // A kind without a shape of its own (a check lies where its shelter lies) has only the phone's position.
    const shape = dict && dict.geometry.length === 0 ? undefined : d.geometry && plain(d.geometry)
    // A pin that was not moved is what the phone said, to the last digit.
    const told = (g: NonNullable<Draft['geometry']>) => (g.type === 'Point' && d.fix?.raw && metres(g.coordinates, [d.fix.lon, d.fix.lat]) < 0.01 ? { type: 'Point' as const, coordinates: d.fix.raw } : geometryIn(g, datum))
    const geometry = shape && (!d.based_on ? told(shape) : same(shape, d.based_on.geometry) ? undefined : { base: d.based_on.geometry ? geometryIn(d.based_on.geometry, datum) : null, value: told(shape) })
    const o = this.make({
      kind: d.kind, id: d.id, op: d.to ? 'transition' : 'put', fields, blobs: [...d.photos], urgent: d.urgent, title: titleOf(d, dict, this.lang, d.to),
      ...(geometry ? { geometry } : {}), ...(d.based_on?.version ? { base_version: d.based_on.version } : {}), ...(d.to ? { to: d.to } : {}), ...(d.note ? { note: d.note } : {}),
    }, d.fix ?? this.fix_())
    return this.add(o, async (w) => {
      w.del('drafts', d.id)
      if (d.replaces && (await w.tx.get<Op>('ops', d.replaces))?.state === 'returned') w.del('ops', d.replaces)
    })
  }

  async transition(rec: Rec, to: string, fields: Record<string, unknown> = {}, note?: string, photos: string[] = []): Promise<OutItem> {
    const o = this.make({
      kind: rec.kind as KindName, id: rec.id, op: 'transition', to, fields: changed(rec.fields, plain(fields)), blobs: [...photos],
      title: titleOf({ kind: rec.kind as KindName, fields: rec.fields }, this.dictionary(rec.kind as KindName), this.lang, to),
      ...(rec.version ? { base_version: rec.version } : {}), ...(note ? { note } : {}),
    }, this.fix_())
    return this.add(o)
  }

  async urgent(kind: string, at: Fix | null, text?: string): Promise<OutItem> {
    const fields: Record<string, unknown> = { kind, urgency: 'urgent', ...(this.home()?.grid ? { grid: this.home()!.grid!.code } : {}), ...(text ? { description: text } : {}) }
    const o = this.make({
      kind: 'incident_reports', id: uuidv7(), op: 'put', fields: changed(null, fields), urgent: true,
      title: titleOf({ kind: 'incident_reports', fields }, this.dictionary('incident_reports'), this.lang),
    }, at)
    if (o.device_position) o.geometry = { type: 'Point', coordinates: o.device_position }
    const out = await this.add(o)
    this.store.kickOthers(true)
    return out
  }

  async more(id: string, fields: Record<string, unknown>, photos: string[]): Promise<OutItem> {
    const rec = this.record(id)
    const first = [...this.store.ops.values()].find((o) => o.id === id)
    if (!rec && !first) throw no('gone')
    const kind = (rec?.kind ?? first!.kind) as KindName
    // What follows 险情 says so: it may lie outside his area, and no desk holds it back for that.
    const urgent: Record<string, Changed> = first?.urgent || rec?.fields.urgency === 'urgent' ? { urgency: { base: 'urgent', value: 'urgent' } } : {}
    const o = this.make({
      kind, id, op: 'put', fields: { ...changed(rec?.fields ?? {}, plain(fields)), ...urgent }, blobs: [...photos], title: titleOf({ kind, fields: { ...rec?.fields, ...fields } }, this.dictionary(kind), this.lang),
      ...(rec?.version ? { base_version: rec.version } : {}),
    }, this.fix_())
    return this.add(o)
  }

  async patrol(zero: boolean, at: Fix | null): Promise<OutItem> {
    const now = new Date().toISOString()
    const fields = { kind: zero ? 'zero_report' : 'patrol', started_at: now, ended_at: now, ...(this.home()?.grid ? { grid: this.home()!.grid!.code } : {}) }
    const o = this.make({ kind: 'patrols', id: uuidv7(), op: 'put', fields: changed(null, fields), title: titleOf({ kind: 'patrols', fields }, this.dictionary('patrols'), this.lang) }, at)
    if (o.device_position) o.geometry = { type: 'Point', coordinates: o.device_position }
    return this.add(o)
  }

  async acknowledge(notice: Rec): Promise<OutItem> {
    const known = [...this.store.ops.values()].find((o) => o.kind === 'acks' && o.fields.notice?.value === notice.id && o.owner === this.store.owner && o.state !== 'withdrawn')
    if (known) return this.out(known)
    const title = String(notice.fields.title ?? '')
    return this.add(this.make({ kind: 'acks', id: uuidv7(), op: 'put', fields: changed(null, { notice: notice.id, read_at: new Date().toISOString() }), title }, null))
  }

  async moved(callout: Rec, village: { code: string; name: string }, fields: Record<string, unknown>): Promise<OutItem> {
    const said = { ...plain(fields), callout: callout.id, village: village.code, mode: 'add' }
    const head = titleOf({ kind: 'evacuation_entries', fields: {} }, this.dictionary('evacuation_entries'), this.lang)
    return this.add(this.make({ kind: 'evacuation_entries', id: uuidv7(), op: 'put', fields: changed(null, said), title: `${head} · ${village.name}` }, this.fix_()))
  }

  private out(o: Op): OutItem {
    const seen = this.sender.sending.has(o.op_id) && o.state === 'waiting' ? { ...o, state: 'sending' as const } : o
    return item(seen, this.store.photos, Date.now(), this.rules.urgent_wait_s, this.store.owner)
  }

  outbox(): OutItem[] { return [...this.store.ops.values()].sort((a, b) => b.n - a.n).map((o) => this.out(o)) }

  async withdraw(op_id: string): Promise<void> {
    await this.kept(() => this.store.keep(['ops'], async (w) => {
      const o = await w.tx.get<Op>('ops', op_id)
      if (!o) throw no('gone')
      if (!editable(o)) throw no('already_sent')
      w.put('ops', { ...o, state: 'withdrawn' })
    }))
  }

  async fix(op_id: string): Promise<Draft> {
    return this.kept(() => this.store.keep(['ops', 'drafts'], async (w) => {
      const o = await w.tx.get<Op>('ops', op_id)
      if (!o) throw no('gone')
      const open = await w.tx.get<KeptDraft>('drafts', o.id)
      if (open) return { ...open }
      const rec = this.overlay().get(`${o.kind}/${o.id}`) ?? null
      const values = Object.fromEntries(Object.entries(o.fields).map(([k, c]) => [k, c.value]))
      const mapped = mapGeometry(geometryOf(o.geometry), o.src_crs) ?? rec?.geometry
      const d: KeptDraft = {
        id: o.id, kind: o.kind, fields: { ...rec?.fields, ...values }, photos: [...o.blobs], urgent: o.urgent, updated_at: new Date().toISOString(), owner: o.owner,
        ...(mapped ? { geometry: mapped } : {}), ...(o.to ? { to: o.to } : {}), ...(o.note ? { note: o.note } : {}),
        ...(o.device_position && o.accuracy_m ? { fix: fixOf(o) } : {}),
      }
      if (editable(o)) {
        // As if it had not been submitted: what it was based on stays its base.
        const before = this.store.records.get(`${o.kind}/${o.id}`)
        const based = Object.values(o.fields).some((c) => 'base' in c) || o.op === 'transition' || before
        if (based) d.based_on = { version: o.base_version ?? before?.version ?? 0, fields: { ...(before?.fields ?? rec?.fields), ...Object.fromEntries(Object.entries(o.fields).map(([k, c]) => [k, c.base ?? null])) }, ...(before?.geometry ? { geometry: before.geometry } : {}) }
        if (o.state === 'waiting') w.del('ops', op_id)
        else d.replaces = op_id
      } else {
        // The server may have it: what follows is a correction of it.
        d.based_on = { version: rec?.version ?? 0, fields: { ...d.fields }, ...(d.geometry ? { geometry: d.geometry } : {}) }
        d.photos = []
        delete d.to
      }
      w.put('drafts', d)
      return { ...d }
    }))
  }

  async sendNow(): Promise<void> {
    await this.sender.kick()
    this.space = await estimate()
    this.store.changed()
  }

  async exportOutbox(password: string): Promise<Blob> {
    await this.sender.freeze()
    await this.store.load(['ops', 'drafts', 'photos'])
    // What is over stays here: the other phone takes on what still has a way to go.
    const over = (o: Op) => o.state === 'withdrawn' || ((o.state === 'received' || o.state === 'merged') && o.verdict !== 'waiting' && o.blobs.every((sha) => this.store.photos.get(sha)?.complete))
    const ops = [...this.store.ops.values()].filter((o) => !over(o))
    const drafts = [...this.store.drafts.values()]
    const wanted = new Set([...ops.flatMap((o) => o.blobs), ...drafts.flatMap((d) => d.photos)])
    const photos = [...this.store.photos.values()].filter((p) => wanted.has(p.sha256) && p.blob && !p.complete)
    const rows = { device: this.device, ops, drafts, photos: photos.map(({ blob: _, ...p }) => p) }
    const { seal } = await later.sealed()
    return seal(password, rows, photos.map((p) => ({ name: p.sha256, blob: p.blob! })), new Date().toISOString())
  }

  async importOutbox(file: Blob, password: string): Promise<{ added: number; known: number }> {
    // Pictures first, the operations last and at once: a file that is cut off brings no half of anything.
    const blobs = new Map<string, Blob>()
    const { unseal } = await later.sealed()
    const index = await unseal(file, password, async (name, blob) => { blobs.set(name, blob) })
    const rows = index.rows as { ops: Op[]; drafts: KeptDraft[]; photos: Omit<KeptPhoto, 'blob'>[] }
    for (const p of rows.photos) {
      const blob = blobs.get(p.sha256)
      if (!blob || this.store.photos.get(p.sha256)?.blob) continue
      const own = new Blob([await blob.arrayBuffer()], { type: 'image/jpeg' })
      await this.kept(() => this.store.keep(['photos'], (w) => w.put('photos', { ...p, blob: own, offset: 0, complete: false })))
    }
    let added = 0, known = 0
    await this.kept(() => this.store.keep(['ops', 'drafts', 'meta'], async (w) => {
      added = known = 0
      for (const o of [...rows.ops].sort((a, b) => a.n - b.n)) {
        if (await w.tx.get('ops', o.op_id)) { known++; continue }
        // Word for word, the other phone's name and number included: if both send it, it is one.
        w.put('ops', { ...o, n: await this.store.number(w) })
        added++
      }
      for (const d of rows.drafts) {
        if (await w.tx.get('drafts', d.id)) { known++; continue }
        w.put('drafts', d)
        added++
      }
    }))
    void this.sender.kick()
    return { added, known }
  }

  async addPhoto(file: Blob, fix: Fix | null): Promise<Photo> {
    return shown(await this.kept(() => addPhoto(this.store, file, fix)))
  }
  async photo(sha256: string): Promise<Photo | null> { const p = this.store.photos.get(sha256); return p ? shown(p) : null }

  call(op_id: string): ReturnType<Core['call']> {
    const o = this.store.ops.get(op_id)
    if (!o) return null
    const g = geometryOf(o.geometry)
    const at = g?.type === 'Point' ? toMap(g.coordinates, o.src_crs) : null
    const h = this.home()
    const note = String(o.fields.description?.value ?? '')
    const when = new Date(o.created_at)
    const pad = (n: number) => String(n).padStart(2, '0')
    const place = [h?.township?.name, h?.grid?.name].filter(Boolean).join('')
    const text = [
      `【险情】${o.title.replace(/^[^·]*· /, '')}`, place, at ? `东经${at[0].toFixed(6)} 北纬${at[1].toFixed(6)}${o.accuracy_m ? `(±${Math.round(o.accuracy_m)}米)` : ''}` : '位置不明', note,
      `${h?.me.name ?? ''} ${pad(when.getHours())}:${pad(when.getMinutes())}`,
    ].filter((s) => s.trim()).join('，')
    // iOS wants "&" before the body, all others "?".
    const join = /iPhone|iPad|iPod/.test(navigator.userAgent) ? '&' : '?'
    return { text, phones: (h?.duty_phones ?? []).map((p) => { const n = p.phone.replace(/[^+\d]/g, ''); return { ...p, tel: `tel:${n}`, sms: `sms:${n}${join}body=${encodeURIComponent(text)}` } }) }
  }

  fix_(): Fix | null {
    const f = this.averager.fix(Date.now())
    if (f) this.lastFix = { ...f, ...this.rawOf(f) }
    return this.lastFix && { ...this.lastFix, age_s: Math.max(0, Math.round((Date.now() - Date.parse(this.lastFix.at)) / 1000)) }
  }
  private rawOf(f: Fix): Pick<Fix, 'raw'> { const d = this.datum(); return d === 'GCJ02' || d === 'BD09' ? { raw: toDatum([f.lon, f.lat], d) } : {} }

  watchPosition(on: boolean): void {
    if (!on) {
      if (this.watch !== null) navigator.geolocation.clearWatch(this.watch)
      this.watch = null
      return
    }
    if (this.watch !== null || !navigator.geolocation) return
    this.averager.forget()
    this.watch = navigator.geolocation.watchPosition((p) => {
      const [lon, lat] = toMap([p.coords.longitude, p.coords.latitude], this.datum())
      // Some phones tell the time of a fix by another clock than the page's.
      const at = Math.abs(p.timestamp - Date.now()) < DAY ? p.timestamp : Date.now()
      this.averager.add({ lon, lat, accuracy_m: Math.max(1, p.coords.accuracy), at })
      this.store.changed()
    }, () => this.store.changed(), { enableHighAccuracy: true, maximumAge: 5_000, timeout: 60_000 })
  }

  datum(): Datum { return (this.store.meta.datum as Datum | undefined) ?? 'WGS84' }
  async setDatum(d: Datum): Promise<void> {
    await this.store.keep(['meta'], (w) => w.set('datum', d))
    this.averager.forget()
    this.lastFix = null
  }

  async packs(): Promise<Pack[]> { return (await this.packing()).list() }
  async getPack(area: string): Promise<void> { const p = await this.packing(); await this.kept(() => p.get(area)); this.space = await estimate() }
  async dropPack(area: string): Promise<void> { await (await this.packing()).drop(area); this.space = await estimate(); this.store.changed() }

  async tile(z: number, x: number, y: number): Promise<ArrayBuffer | null> {
    const t = await (await this.packing()).tile(z, x, y)
    if (t) return t.length ? (t.slice().buffer as ArrayBuffer) : null
    if (!this.sender.online) return null
    try {
      const { r, stop } = await this.net.raw(`/tiles/${(await later.packs()).LAYERS}/${z}/${x}/${y}.mvt`, { headers: { Accept: 'application/vnd.mapbox-vector-tile' }, timeout_ms: 20_000 })
      try { return r.status === 200 ? await r.arrayBuffer() : null } finally { stop() }
    } catch { return null }
  }

  async shelters(at: [number, number] | null): Promise<Place[]> {
    type Feature = { id: string; geometry: GeoJSON.Geometry | null; properties: Record<string, unknown> }
    let list = this.store.meta.shelters as Feature[] | undefined
    const box = this.home()?.township?.bbox ?? this.home()?.grid?.bbox
    if (this.sender.online && box) {
      const a = await this.net.ask(`/ogc/collections/shelters/items?limit=1000&bbox=${box.join(',')}`, { headers: { Accept: 'application/geo+json' }, timeout_ms: list ? 5_000 : 20_000 }).catch(() => null)
      const got = a?.ok ? (a.data as { features?: Feature[] } | null)?.features : undefined
      if (got) { list = got; await this.store.note(['meta'], (w) => w.set('shelters', got)) }
    }
    // A shelter is a ground with an edge: how far it is, is counted to its middle.
    return (list ?? []).flatMap((f) => { const c = centre(f.geometry); return c ? [{ f, c }] : [] }).map(({ f, c }) => ({
      id: String(f.properties.id ?? f.id), name: String(f.properties.name ?? ''), at: c, distance_m: at ? Math.round(metres(at, c)) : null,
      ...(f.properties.address ? { note: String(f.properties.address) } : {}),
    })).sort((a, b) => (a.distance_m ?? 0) - (b.distance_m ?? 0))
  }

  async routes(): Promise<Route[]> {
    const area = this.home()?.township?.code ?? this.home()?.grid?.code
    if (this.sender.online && area) {
      const a = await this.net.ask(`/api/evacuation-routes?area=${encodeURIComponent(area)}`, { timeout_ms: 8_000 }).catch(() => null)
      if (a?.ok) {
        const d = a.data as { items?: Route[]; routes?: Route[] } | null
        const got = d?.items ?? d?.routes ?? []
        await this.store.note(['meta'], (w) => w.set('routes', got))
      }
    }
    return (this.store.meta.routes as Route[] | undefined) ?? []
  }

  pinSet(): boolean { return this.store.meta.households !== undefined }

  async households(pin: string, reason?: string): Promise<Household[]> {
    if (!/^\d{6,}$/.test(pin)) throw no('pin_short')
    const kept = await this.store.db.get<Locked>('meta', 'households')
    if (kept) {
      // The try is counted before it is made: taking the battery out wins nothing.
      const tries = await this.store.keep(['meta'], async (w) => { const n = ((await w.get<number>('pinTries')) ?? 0) + 1; w.set('pinTries', n); return n })
      const value = tries > 10 ? null : await (await later.sealed()).unlock(pin, kept)
      if (value === null) {
        if (tries >= 10) {
          await this.store.keep(['meta'], (w) => { w.set('households', undefined); w.set('pinTries', undefined) })
          throw no('pin_wiped')
        }
        throw no('pin_wrong')
      }
      await this.store.keep(['meta'], (w) => w.set('pinTries', undefined))
      // Kept a day: then it is asked for anew, if there is a network.
      if (Date.now() - Date.parse(kept.at) < DAY && !reason) return value as Household[]
      return (await this.fetchHouseholds(pin, reason).catch((cause: unknown) => { if (cause instanceof Refusal && cause.code === 'reason') throw cause; return null })) ?? (value as Household[])
    }
    const got = await this.fetchHouseholds(pin, reason)
    if (!got) throw no(this.sender.online ? 'none_here' : 'offline')
    return got
  }

  private async fetchHouseholds(pin: string, reason = '入户走访'): Promise<Household[] | null> {
    const a = await this.net.ask('/api/households/open', { method: 'POST', json: { reason }, lang: this.lang }).catch(() => null)
    if (a?.status === 401) throw no('sign_in')
    if (a?.status === 422) {
      const p = a.data as { detail?: string; errors?: { message?: string }[] } | null
      const said = p?.errors?.[0]?.message ?? p?.detail ?? ''
      throw new Refusal('reason', { zh: said, en: said })
    }
    if (!a?.ok) return null
    const list = (a.data as { households: Household[] }).households
    const sealed = await (await later.sealed()).lock(pin, list, new Date().toISOString())
    await this.kept(() => this.store.keep(['meta'], (w) => w.set('households', sealed)))
    return list
  }

  async askPersist(): Promise<boolean> {
    this.persists = await persist()
    this.store.changed()
    return this.persists
  }
  keepAwake(on: boolean): Promise<boolean> { return this.awake.set(on) }

  async enrol(code: string, name: string): Promise<void> {
    const hash = code.indexOf('#')
    const bare = (hash >= 0 ? code.slice(hash + 1) : code).replace(/\s+/g, '')
    const a = await this.net.ask('/api/session', { method: 'POST', json: { enrolment: bare, device: { id: this.device, name } }, lang: this.lang }).catch(() => { throw no('offline') })
    if (!a.ok) throw no(a.status >= 500 ? 'server' : 'enrol')
    this.sender.recheck()
    void this.askPersist()
    await this.sender.kick()
  }

  applyUpdate(): void { this.versions.apply() }

  async signOut(keepOutbox: true): Promise<void> {
    if (keepOutbox !== true) throw no('pending')
    const a = await this.net.ask('/api/session', { method: 'DELETE' }).catch(() => { throw no('offline') })
    if (!a.ok && a.status !== 401) throw no('server')
    await this.store.forgetRead()
    await this.store.keep(['meta'], (w) => { w.set('owner', '') })
    try { for (const key of await caches.keys()) if (/^onemap-field-map/.test(key)) await caches.delete(key) } catch { /* none */ }
    this.sender.signInNeeded = true
    this.sender.recheck()
    this.store.changed()
  }
}

/** plain takes a value out of whatever a screen wrapped it in. */
function plain<T>(v: T): T { return JSON.parse(JSON.stringify(v)) as T }

function mapGeometry(g: Draft['geometry'], d: Datum): Draft['geometry'] {
  if (!g || (d !== 'GCJ02' && d !== 'BD09')) return g
  const deep = (v: unknown): unknown => (Array.isArray(v) && typeof v[0] === 'number' ? toMap(v as [number, number], d) : Array.isArray(v) ? v.map(deep) : v)
  return { ...g, coordinates: deep(g.coordinates) } as Draft['geometry']
}

function fixOf(o: Op): Fix {
  const [lon, lat] = toMap(o.device_position!, o.src_crs)
  const raw = o.src_crs === 'GCJ02' || o.src_crs === 'BD09' ? { raw: o.device_position! } : {}
  return { lon, lat, accuracy_m: o.accuracy_m!, at: o.captured_at, samples: 1, age_s: Math.round((Date.now() - Date.parse(o.captured_at)) / 1000), ...raw }
}

function centre(g: GeoJSON.Geometry | null): [number, number] | null {
  const b = boundsOf(g)
  return b ? [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2] : null
}
