/**
 * What is on the phone, in memory and on the disk. Memory follows the disk, never the other
 * way: a change is made in a transaction, and seen when that is complete. Tabs tell each
 * other which tables changed.
 */
import type { Dictionary, Draft, Home, Pack, Rec, Words } from '../types.ts'
import { DB, READ, type Table, type Tx } from './db.ts'
import { uuidv7 } from './ids.ts'
import type { Op } from './ops.ts'

export interface KeptDraft extends Draft { owner: string }
export interface KeptPhoto {
  sha256: string
  bytes: number
  width: number
  height: number
  taken_at: string
  position?: [number, number]
  blob?: Blob // gone when it arrived long ago
  added_at: string
  offset: number
  complete: boolean
  refused?: Words
}
export interface KeptRec extends Rec { key: string }
export interface KeptPack extends Pack {
  etag: string
  pieces: number // of PIECE bytes that are here
  whole: boolean
  asked_at: string
  bbox?: [number, number, number, number]
}

/** Single values, by name. */
export interface Meta {
  device: string
  datum: string
  n: number
  owner: string // user name of who is signed in
  account: string
  signedOut: boolean
  reader: string // whose the records are
  home: Home
  homeAt: string
  kinds: Record<string, Dictionary>
  kindsTag: string
  position: string
  lastSync: string
  skew: number
  shelters: unknown
  routes: unknown
  households: unknown
  pinTries: number
}

export interface Lights { postMessage(m: unknown): void; onmessage: ((e: MessageEvent) => void) | null }

export class Store {
  readonly db: DB
  drafts = new Map<string, KeptDraft>()
  ops = new Map<string, Op>()
  photos = new Map<string, KeptPhoto>()
  records = new Map<string, KeptRec>()
  packs = new Map<string, KeptPack>()
  meta: Partial<Meta> & Record<string, unknown> = {}
  loaded = false
  private listeners = new Set<() => void>()
  private channel: BroadcastChannel | null = null
  private told = 0
  /** other tabs' wish to send at once */
  onKick: (urgent: boolean) => void = () => {}

  constructor(name?: string) {
    this.db = new DB(name, () => { void this.load() })
    const id = `${name ?? 'onemap.field'}.tabs`
    if ('BroadcastChannel' in globalThis) {
      this.channel = new BroadcastChannel(id)
      this.channel.onmessage = (e) => this.heard(e.data as { tables?: Table[]; kick?: boolean; urgent?: boolean })
    } else if (typeof addEventListener === 'function') {
      // Safari before 15.4: another tab's write to localStorage is an event here.
      addEventListener('storage', (e) => { if (e.key === id && e.newValue) this.heard(JSON.parse(e.newValue)) })
    }
    this.shout = (m) => {
      if (this.channel) this.channel.postMessage(m)
      else try { localStorage.setItem(id, JSON.stringify({ ...m, at: Date.now(), r: Math.random() })) } catch { /* one tab then */ }
    }
  }

  private shout: (m: { tables?: Table[]; kick?: boolean; urgent?: boolean }) => void
  kickOthers(urgent: boolean): void { this.shout({ kick: true, urgent }) }
  private heard(m: { tables?: Table[]; kick?: boolean; urgent?: boolean }): void {
    if (m.kick) this.onKick(m.urgent === true)
    if (m.tables && this.loaded) void this.load(m.tables).then(() => this.changed())
  }

  subscribe(run: () => void): () => void { this.listeners.add(run); return () => { this.listeners.delete(run) } }

  /** changed tells the screens, once per turn however much changed. */
  changed(): void {
    if (this.told) return
    this.told = 1
    void Promise.resolve().then(() => { this.told = 0; for (const run of [...this.listeners]) run() })
  }

  async load(tables: readonly Table[] = ['meta', 'drafts', 'ops', 'photos', 'records', 'packs']): Promise<void> {
    const wanted = tables.filter((t) => t !== 'bits')
    if (wanted.length === 0) return
    await this.db.read([...wanted], async (tx) => {
      for (const t of wanted) {
        if (t === 'meta') {
          const [keys, values] = await Promise.all([tx.keys('meta'), tx.all('meta')])
          this.meta = Object.fromEntries(keys.map((k, i) => [String(k), values[i]]))
        } else {
          const rows = await tx.all<Record<string, unknown>>(t)
          const key = { drafts: 'id', ops: 'op_id', photos: 'sha256', records: 'key', packs: 'area' }[t as 'ops']
          ;(this as unknown as Record<string, unknown>)[t] = new Map(rows.map((r) => [r[key] as string, r]))
        }
      }
    })
    this.loaded = true
  }

  /** keep makes a change in one strict transaction; what was put is then in memory, here and in other tabs. */
  keep<T>(tables: Table[], work: (w: Writer) => Promise<T> | T): Promise<T> { return this.write(tables, work, true) }
  note<T>(tables: Table[], work: (w: Writer) => Promise<T> | T): Promise<T> { return this.write(tables, work, false) }

  private async write<T>(tables: Table[], work: (w: Writer) => Promise<T> | T, strict: boolean): Promise<T> {
    const done: (() => void)[] = []
    const touched = new Set<Table>()
    const run = (tx: Tx) => {
      done.length = 0
      touched.clear()
      return work(this.writer(tx, done, touched))
    }
    const out = await (strict ? this.db.keep(tables, run) : this.db.note(tables, run))
    for (const step of done) step()
    if (touched.size) {
      this.shout({ tables: [...touched] })
      this.changed()
    }
    return out
  }

  private map(t: Table): Map<string, unknown> { return (this as unknown as Record<string, Map<string, unknown>>)[t]! }

  private writer(tx: Tx, done: (() => void)[], touched: Set<Table>): Writer {
    return {
      tx,
      put: (t, row) => {
        tx.put(t, row)
        touched.add(t)
        const key = (row as unknown as Record<string, string>)[{ drafts: 'id', ops: 'op_id', photos: 'sha256', records: 'key', packs: 'area' }[t]]!
        done.push(() => this.map(t).set(key, row))
      },
      del: (t, key) => { tx.del(t, key); touched.add(t); done.push(() => this.map(t).delete(key)) },
      clear: (t) => { tx.clear(t); touched.add(t); if (t !== 'bits') done.push(() => this.map(t).clear()) },
      set: (name, value) => {
        if (value === undefined) tx.del('meta', name)
        else tx.put('meta', value, name)
        touched.add('meta')
        done.push(() => { if (value === undefined) delete this.meta[name]; else this.meta[name] = value })
      },
      get: <V>(name: string) => tx.get<V>('meta', name),
    }
  }

  /** number is the next in the order of this phone. */
  async number(w: Writer): Promise<number> {
    const n = ((await w.get<number>('n')) ?? 0) + 1
    w.set('n', n)
    return n
  }

  get owner(): string { return typeof this.meta.owner === 'string' ? this.meta.owner : '' }

  /** device is this phone's own name for itself; the desk's pages keep it in the same place. */
  async device(): Promise<string> {
    let id = ''
    try { id = localStorage.getItem('onemap.device') ?? '' } catch { /* forbidden */ }
    const kept = typeof this.meta.device === 'string' ? this.meta.device : ''
    id = id || kept || uuidv7().replace(/-/g, '')
    try { localStorage.setItem('onemap.device', id) } catch { /* the database has it */ }
    if (id !== kept) await this.keep(['meta'], (w) => w.set('device', id))
    return id
  }

  /** forgetRead empties what was read from the server; what was made here stays. */
  async forgetRead(): Promise<void> {
    await this.keep(['meta', ...READ], (w) => {
      for (const t of READ) w.clear(t as 'records' | 'packs' | 'bits')
      for (const name of ['home', 'homeAt', 'position', 'reader', 'shelters', 'routes', 'households', 'pinTries', 'lastSync', 'kindsTag']) w.set(name, undefined)
    })
  }
}

type Rows = { drafts: KeptDraft; ops: Op; photos: KeptPhoto; records: KeptRec; packs: KeptPack }
export interface Writer {
  tx: Tx
  put<K extends keyof Rows>(t: K, row: Rows[K]): void
  del(t: keyof Rows, key: string): void
  clear(t: keyof Rows | 'bits'): void
  set(name: string, value: unknown): void
  get<V>(name: string): Promise<V | undefined>
}
