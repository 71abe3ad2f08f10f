/**
 * The Sender brings what waits to the server and what is new back. One tab sends; 险情 never
 * waits for anything else. An operation leaves the waiting list only by its own verdict.
 */
import type { Dictionary, Home, Rec } from '../types.ts'
import { sha256 } from './ids.ts'
import { Net, retryAfter, Unreachable, type Answer } from './net.ts'
import { batch, geometryOf, judged, line, pause, retired, wire, type Op, type Receipt, type Result } from './ops.ts'
import type { KeptPhoto, KeptRec, Store, Writer } from './store.ts'

const MOST = 50
const BYTES = 256 * 1024
const PIECE = 256 * 1024

type Locks = { request(name: string, o: { ifAvailable: boolean }, run: (lock: unknown) => Promise<void>): Promise<void> }

/** alone runs something in one tab at a time; false when another tab is at it. */
export async function alone(store: Store, name: string, run: () => Promise<void>): Promise<boolean> {
  const locks = (navigator as unknown as { locks?: Locks }).locks
  if (locks) {
    let had = false
    await locks.request(`onemap.field.${name}`, { ifAvailable: true }, async (lock) => { if (lock) { had = true; await run() } })
    return had
  }
  // Without Web Locks: a lease in the database, renewed while it is worked, taken over when it is not.
  const me = Math.random().toString(36).slice(2)
  const key = `lease.${name}`
  const take = () => store.db.keep(['meta'], async (tx) => {
    const held = await tx.get<{ who: string; until: number }>('meta', key)
    if (held && held.who !== me && held.until > Date.now() && held.until < Date.now() + 60_000) return false
    tx.put('meta', { who: me, until: Date.now() + 30_000 }, key)
    return true
  })
  if (!(await take())) return false
  const renew = setInterval(() => { void take() }, 10_000)
  try { await run() } finally {
    clearInterval(renew)
    await store.db.note(['meta'], (tx) => tx.del('meta', key))
  }
  return true
}

export class Sender {
  sending = new Set<string>()
  online = typeof navigator === 'undefined' || navigator.onLine !== false
  signInNeeded = false
  private failures = 0
  private most = MOST
  private timer: ReturnType<typeof setTimeout> | undefined
  private urgentTimer: ReturnType<typeof setTimeout> | undefined
  private running: Promise<void> | null = null
  private urgentRunning: Promise<void> | null = null
  private again = false
  private stopped = false
  private checked = 0
  private heard = 0 // when the server last answered
  private notBefore = 0
  private early = new Map<string, Promise<Answer | null>>()

  constructor(private readonly store: Store, private readonly net: Net, private readonly lang: () => string, private readonly lost: () => Promise<void>) {}

  stop(): void { this.stopped = true; clearTimeout(this.timer); clearTimeout(this.urgentTimer) }

  /** kick sends now; whoever asks for it by hand does not wait for a pause to end. */
  kick(): Promise<void> {
    if (this.stopped) return Promise.resolve()
    this.failures = 0
    this.notBefore = 0
    void this.urgent()
    return this.run()
  }

  private later(ms: number): void {
    clearTimeout(this.timer)
    if (!this.stopped) this.timer = setTimeout(() => { void this.run() }, ms)
  }

  run(): Promise<void> {
    if (this.running) { this.again = true; return this.running }
    this.running = (async () => {
      do {
        this.again = false
        let mine = false
        try {
          mine = await alone(this.store, 'send', () => this.round())
          if (mine) this.failures = 0
        } catch (cause) {
          this.failures++
          if (cause instanceof Held) this.notBefore = Date.now() + cause.ms
        }
        if (!mine && this.failures === 0) this.store.kickOthers(false)
      } while (this.again && this.failures === 0 && !this.stopped)
    })().finally(() => {
      this.running = null
      this.store.changed()
      this.later(Math.max(this.failures ? pause(this.failures, Math.random()) : this.signInNeeded ? 120_000 : this.quiet(), this.notBefore - Date.now()))
    })
    return this.running
  }

  /** inHand: somebody at the desk has taken it, or it came to nothing. */
  private inHand(id: string): boolean {
    const at = this.store.records.get(`incident_reports/${id}`)
    return Boolean(at?.fields.taken_by || at?.fields.ended_by)
  }

  /** quiet is how long nothing is asked for when all is done; he who waits for somebody to take his 险情 in hand looks at the phone. */
  private quiet(): number {
    const hidden = typeof document !== 'undefined' && document.visibilityState === 'hidden'
    const age = Math.min(...[...this.store.ops.values()].filter((o) => o.urgent && o.op === 'put' && o.received_at && !this.inHand(o.id)).map((o) => Date.now() - Date.parse(o.received_at!)))
    return age < 600_000 ? (hidden ? 8_000 : 3_000) : age < 1_800_000 ? 8_000 : hidden ? 300_000 : 60_000
  }

  private async round(): Promise<void> {
    // Another tab may have written what its messages have not told yet.
    await this.store.load(['ops', 'meta'])
    if (!(await this.known())) return
    await this.ops()
    // A photo that does not go through keeps nothing else from coming.
    const bad = await this.photos().then(() => null, (cause: unknown) => cause)
    await this.read()
    await this.clean()
    if (bad) throw bad
  }

  /** reached takes the answer of a request that got through; words that end the round are thrown. */
  private async reached(a: Answer): Promise<Answer> {
    if (!a.ours && !a.ok) throw new Unreachable(`answer ${a.status} of a stranger`)
    if (a.status === 401) {
      if (!this.signInNeeded) { this.signInNeeded = true; await this.lost() }
      throw new Unreachable('not signed in')
    }
    if (a.status === 429 || a.status === 503 || a.status === 507) throw new Held(retryAfter(a))
    if (a.status >= 500) throw new Unreachable(`answer ${a.status}`)
    this.online = true
    this.heard = Date.now()
    return a
  }

  private async ask(path: string, a: Parameters<Net['ask']>[1] = {}): Promise<Answer> {
    try { return await this.reached(await this.net.ask(path, { lang: this.lang(), ...a })) } catch (cause) {
      if (cause instanceof Unreachable && cause.message !== 'not signed in') { this.online = false; this.heard = 0 }
      throw cause
    }
  }

  /**
   * known asks who is signed in: this browser's session may have become another's. It also
   * tells that the server can be reached, before anything leaves the phone and can no longer
   * be taken back.
   */
  private async known(): Promise<boolean> {
    if (navigator.onLine === false) throw new Unreachable('no network')
    if (Date.now() - this.checked < 600_000 && Date.now() - this.heard < 15_000 && !this.signInNeeded && this.store.owner) return true
    // On a fresh phone the forms are asked for together with who he is: he waits for one answer, not for two.
    if (!this.store.meta.kinds) for (const path of ['/api/kinds', '/api/field/home']) this.early.set(path, this.net.ask(path, { lang: this.lang() }).catch(() => null))
    const a = await this.ask('/api/me', { timeout_ms: 15_000 })
    if (!a.ok || !a.ours) throw new Unreachable('who')
    const me = a.data as { signed_in: boolean; username: string | null; name: string | null }
    if (!me.signed_in || !me.username) {
      if (!this.signInNeeded) { this.signInNeeded = true; if (this.store.owner) await this.lost() }
      this.store.changed()
      return false
    }
    const name = me.username
    this.signInNeeded = false
    this.checked = Date.now()
    if (this.store.owner !== name || this.store.meta.reader !== name) {
      if (this.store.meta.reader && this.store.meta.reader !== name) await this.store.forgetRead()
      await this.store.keep(['meta', 'ops', 'drafts'], async (w) => {
        w.set('owner', name)
        w.set('reader', name)
        // What was made before anybody had signed in is his who signs in first.
        for (const o of await w.tx.all<Op>('ops')) if (o.owner === '') w.put('ops', { ...o, owner: name })
        for (const d of await w.tx.all<import('./store.ts').KeptDraft>('drafts')) if (d.owner === '') w.put('drafts', { ...d, owner: name })
      })
    }
    return true
  }

  /** first takes the answer that was asked for early, if it came and is one. */
  private async first(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    const had = await this.early.get(path)
    this.early.delete(path)
    return had?.ok && had.ours ? had : this.ask(path, { headers })
  }

  recheck(): void { this.checked = 0 }

  private async ops(): Promise<void> {
    for (;;) {
      const some = batch(line([...this.store.ops.values()], this.store.owner), this.most, BYTES)
      if (some.length === 0) return
      await this.send(some)
      this.most = Math.min(MOST, this.most * 2)
    }
  }

  /** send marks, asks and writes down the verdicts. A refusal of the whole is halved until the one that is at fault stands alone. */
  private async send(some: Op[]): Promise<void> {
    const ready = await this.mark(some)
    if (ready.length === 0) return
    for (const o of ready) this.sending.add(o.op_id)
    this.store.changed()
    let a: Answer
    try {
      a = await this.ask('/api/sync', { method: 'POST', json: { device: ready[0]!.device, ops: ready.map(wire) }, timeout_ms: ready[0]!.urgent ? 15_000 : 45_000 })
    } catch (cause) {
      // Not known whether it arrived: it is sent again as it is. Where an answer refused, nothing was taken.
      const refused = cause instanceof Unreachable && cause.message === 'not signed in'
      if (refused) await this.release(ready)
      if (!refused && ready.length > 5) this.most = Math.max(5, Math.floor(ready.length / 2))
      throw cause
    } finally { for (const o of ready) this.sending.delete(o.op_id) }

    const results = (a.data as { results?: Result[] } | null)?.results
    if (a.ok && Array.isArray(results)) {
      const left = await this.verdicts(ready, results)
      if (left === ready.length) throw new Unreachable('the answer judged nothing')
      return
    }
    await this.release(ready)
    if (a.status !== 400 && a.status !== 413 && a.status !== 422) throw new Unreachable(`answer ${a.status}`)
    if (ready.length > 1) {
      const half = Math.ceil(ready.length / 2)
      await this.send(ready.slice(0, half))
      await this.send(ready.slice(half))
      return
    }
    const p = a.data as { code?: string; title?: string; detail?: string } | null
    await this.verdicts(ready, [{ op_id: ready[0]!.op_id, status: 'rejected', problem: p ?? { code: String(a.status) } }])
  }

  /** mark gives sequence numbers and writes down that these leave the phone. 险情 has no number: it must not wait for one before it. */
  private mark(some: Op[]): Promise<Op[]> {
    return this.store.keep(['ops', 'meta'], async (w) => {
      const out: Op[] = []
      const now = new Date().toISOString()
      for (const o of some) {
        const row = await w.tx.get<Op>('ops', o.op_id)
        if (!row || row.state !== 'waiting') continue
        const next = await this.numbered(w, { ...row, sent_at: now, tries: row.tries + 1 })
        w.put('ops', next)
        out.push(next)
      }
      return out
    })
  }

  private async numbered(w: Writer, o: Op): Promise<Op> {
    if (o.urgent || o.seq !== undefined) return o
    const key = `seq.${o.device}.${o.owner || this.store.owner}`
    const seq = ((await w.get<number>(key)) ?? 0) + 1
    w.set(key, seq)
    return { ...o, seq }
  }

  /** freeze settles what waits to the last digit: a copy of it is about to leave, and both must say the same. */
  freeze(): Promise<void> {
    return this.store.keep(['ops', 'meta'], async (w) => {
      const now = new Date().toISOString()
      for (const o of (await w.tx.all<Op>('ops')).sort((a, b) => a.n - b.n)) {
        if (o.state === 'waiting' && !o.copied) w.put('ops', await this.numbered(w, { ...o, sent_at: o.sent_at ?? now, copied: true }))
      }
    })
  }

  /** release takes back that these left the phone: the server said that it kept none. Their numbers are free again. */
  private release(some: Op[]): Promise<void> {
    return this.store.keep(['ops', 'meta'], async (w) => {
      for (const o of [...some].sort((a, b) => (b.seq ?? 0) - (a.seq ?? 0))) {
        const row = await w.tx.get<Op>('ops', o.op_id)
        if (!row || row.tries > 1 || row.copied || row.state !== 'waiting') continue // an earlier try may have arrived
        const { sent_at: _, seq, ...rest } = row
        if (seq !== undefined) {
          const key = `seq.${row.device}.${row.owner || this.store.owner}`
          if ((await w.get<number>(key)) === seq) w.set(key, seq - 1)
          else { w.put('ops', { ...rest, seq }); continue }
        }
        w.put('ops', { ...rest, tries: row.tries - 1 })
      }
    })
  }

  private async verdicts(sent: Op[], results: Result[]): Promise<number> {
    const at = new Date().toISOString()
    let left = sent.length
    await this.store.keep(['ops', 'records'], async (w) => {
      for (const o of sent) {
        const r = results.find((x) => x && x.op_id === o.op_id)
        const row = r && (await w.tx.get<Op>('ops', o.op_id))
        const next = r && row && judged(row, r, at)
        if (!next) continue
        left--
        w.put('ops', next)
        if (next.state === 'received' || next.state === 'merged') await this.lay(w, next)
      }
    })
    return left
  }

  /** lay writes an operation that was taken into the record it changed, until the server's own word of it comes. */
  private async lay(w: Writer, o: Op): Promise<void> {
    const key = `${o.kind}/${o.id}`
    if (o.op === 'delete') { w.del('records', key); return }
    const rec = await w.tx.get<KeptRec>('records', key)
    if (rec && o.version && rec.version > o.version) return
    const fields = { ...rec?.fields }
    for (const [name, c] of Object.entries(o.fields)) fields[name] = c.value
    const geometry = geometryOf(o.geometry) ?? rec?.geometry
    w.put('records', { ...rec, key, kind: o.kind, id: o.id, version: o.version ?? rec?.version ?? 1, fields, updated_at: o.captured_at, mine: true, ...(o.to ? { state: o.to } : {}), ...(geometry ? { geometry } : {}) })
  }

  /** urgent sends 险情 by itself, beside whatever else is under way, every few seconds until it is received. */
  urgent(): Promise<void> {
    const due = () => line([...this.store.ops.values()], this.store.owner).filter((o) => o.urgent)
    return (this.urgentRunning ??= (async () => {
      try {
        await alone(this.store, 'urgent', async () => {
          if (navigator.onLine !== false) for (const o of due()) await this.send([o])
        })
      } catch { /* tried again below */ } finally {
        this.urgentRunning = null
        const left = due()
        clearTimeout(this.urgentTimer)
        if (left.length && !this.stopped) {
          const age = Date.now() - Math.min(...left.map((o) => Date.parse(o.created_at)))
          this.urgentTimer = setTimeout(() => { void this.urgent() }, age < 600_000 ? 4_000 : 20_000)
        } else if (!this.running && !this.failures && this.quiet() < 60_000) this.later(this.quiet())
        this.store.changed()
      }
    })())
  }

  /** photos sends the pictures of what was submitted, one at a time, each from where it stopped. */
  private async photos(): Promise<void> {
    const wanted: string[] = []
    const ops = [...this.store.ops.values()].filter((o) => o.owner === this.store.owner && o.state !== 'withdrawn' && o.state !== 'draft').sort((a, b) => Number(b.urgent) - Number(a.urgent) || a.n - b.n)
    for (const o of ops) for (const sha of o.blobs) if (!wanted.includes(sha)) wanted.push(sha)
    for (const sha of wanted) {
      const p = this.store.photos.get(sha)
      if (!p || p.complete || p.refused || !p.blob) continue
      await this.photo(p)
      // What was reported meanwhile does not wait for the pictures.
      if (line([...this.store.ops.values()], this.store.owner).some((o) => !o.urgent)) await this.ops()
    }
  }

  private async photo(kept: KeptPhoto): Promise<void> {
    const blob = kept.blob!
    const path = `/api/blobs/${kept.sha256}`
    const put = (change: Partial<KeptPhoto>) => this.store.note(['photos'], async (w) => {
      const row = await w.tx.get<KeptPhoto>('photos', kept.sha256)
      if (row) w.put('photos', { ...row, ...change })
    })
    let at = 0
    const head = await this.ask(path, { method: 'HEAD', timeout_ms: 20_000 }).catch((cause) => { if (cause instanceof Held) throw cause; return null })
    const told = head?.header('Upload-Offset')
    if (head && (head.ok || head.status === 404) && told) at = Math.min(blob.size, Number(told) || 0)
    let wrong = 0
    for (;;) {
      const piece = blob.slice(at, at + PIECE)
      const a = await this.ask(path, { method: 'PUT', bytes: piece, headers: { 'Upload-Offset': String(at), 'Upload-Length': String(blob.size) }, timeout_ms: 90_000 })
      const said = a.data as { offset?: number; complete?: boolean; code?: string; title?: string; detail?: string } | null
      if (a.ok) {
        at = said?.offset ?? Number(a.header('Upload-Offset') ?? at + piece.size)
        await put({ offset: at, complete: said?.complete === true })
        if (said?.complete === true) return
        if (at >= blob.size && piece.size === 0) throw new Unreachable('the photo does not end')
        continue
      }
      if (++wrong > 3) throw new Unreachable(`photo ${a.status}`)
      if (a.status === 409) {
        if (a.header('Upload-Offset') === null) throw new Held(Math.max(2000, retryAfter(a))) // another request is writing it
        at = Math.max(0, Math.min(blob.size, Number(a.header('Upload-Offset')) || 0))
        continue
      }
      if (a.status === 422 && said?.code === 'wrong_hash') {
        // The bytes went bad on the way, or here. Once more from the start, if they are still what they were.
        if ((await sha256(await blob.arrayBuffer())) === kept.sha256) { at = 0; continue }
      }
      if (a.status === 422 || a.status === 413) {
        const detail = said?.detail || said?.title || String(a.status)
        await put({ refused: { zh: detail, en: detail } })
        return
      }
      throw new Unreachable(`photo ${a.status}`)
    }
  }

  /** read brings what is new: who he is, what the forms ask, and what changed near him. */
  private async read(): Promise<void> {
    const { store } = this
    const age = (name: string) => Date.now() - Date.parse(String(store.meta[name] ?? '')) || Infinity
    if (!store.meta.kinds || age('kindsAt') > 3_600_000) {
      const a = await this.first('/api/kinds', store.meta.kindsTag && store.meta.kinds ? { 'If-None-Match': String(store.meta.kindsTag) } : {})
      const at = new Date().toISOString()
      if (a.status === 304) await store.note(['meta'], (w) => w.set('kindsAt', at))
      else if (a.ok) {
        const list = (a.data as { kinds?: Dictionary[] }).kinds ?? []
        const kinds = Object.fromEntries(list.map((k) => [k.kind, { ...k, code_lists: k.code_lists ?? {} }]))
        await store.note(['meta'], (w) => { w.set('kinds', kinds); w.set('kindsAt', at); w.set('kindsTag', a.header('ETag') ?? undefined) })
      }
    }
    if (!store.meta.home || age('homeAt') > 600_000) {
      const a = await this.first('/api/field/home')
      if (a.ok) await store.note(['meta'], (w) => { w.set('home', a.data as Home); w.set('homeAt', new Date().toISOString()) })
    }
    for (let page = 0; page < 200; page++) if (!(await this.changes())) break
    await store.note(['meta'], (w) => { w.set('lastSync', new Date().toISOString()); if (this.net.skew !== null) w.set('skew', this.net.skew) })
  }

  private async changes(): Promise<boolean> {
    const { store } = this
    const since = String(store.meta.position ?? '')
    const a = await this.ask(`/api/sync/changes?limit=500${since ? `&since=${encodeURIComponent(since)}` : ''}`)
    if (!a.ok) return false
    const d = a.data as { position?: string; more?: boolean; reset?: boolean; changes?: (Rec & { op?: string })[]; receipts?: Receipt[] }
    const at = new Date().toISOString()
    await store.keep(['records', 'ops', 'meta'], async (w) => {
      if (d.reset) w.clear('records')
      for (const c of d.changes ?? []) {
        const key = `${c.kind}/${c.id}`
        if (c.op === 'delete') { w.del('records', key); continue }
        const { op: _, ...rec } = c
        const mine = rec.by === store.owner || [...store.ops.values()].some((o) => o.id === rec.id)
        w.put('records', { ...rec, key, fields: rec.fields ?? {}, mine })
      }
      for (const r of d.receipts ?? []) {
        const row = await w.tx.get<Op>('ops', r.op_id)
        const next = row && row.state !== 'withdrawn' && judged(row, r, at)
        if (next) w.put('ops', next)
      }
      w.set('position', d.position ?? (d.reset ? undefined : since || undefined))
    })
    return (d.more === true || d.reset === true) && (d.position ?? '') !== since
  }

  /** clean takes out what is finished for long, and pictures that nothing refers to. */
  private async clean(): Promise<void> {
    const { store } = this
    const now = Date.now()
    const gone = [...store.ops.values()].filter((o) => retired(o, store.photos, now))
    const left = new Set<string>()
    for (const o of store.ops.values()) if (!gone.includes(o)) for (const sha of o.blobs) left.add(sha)
    for (const d of store.drafts.values()) for (const sha of d.photos) left.add(sha)
    const pictures = [...store.photos.values()].filter((p) => !left.has(p.sha256) && now - Date.parse(p.added_at) > 2 * 86_400_000)
    if (gone.length + pictures.length === 0) return
    await store.note(['ops', 'photos', 'drafts'], async (w) => {
      // Asked again inside: another tab may have taken one of them into a draft.
      const drafts = await w.tx.all<{ photos: string[] }>('drafts')
      for (const o of gone) w.del('ops', o.op_id)
      for (const p of pictures) if (!drafts.some((d) => d.photos.includes(p.sha256))) w.del('photos', p.sha256)
    })
  }
}

/** Held: the server asks to wait. */
class Held extends Error {
  constructor(readonly ms: number) { super('held') }
}
