/** Area packs: downloaded in pieces that stay when the connection breaks, read as a PMTiles archive. */
import type { Pack } from '../types.ts'
import type { DB } from './db.ts'
import { Net, retryAfter, Unreachable } from './net.ts'
import { Archive } from './pmtiles.ts'
import { no } from './said.ts'
import type { KeptPack, Store } from './store.ts'

export const PIECE = 512 * 1024
export const LAYERS = 'admin,buildings,dangers,grids,hazards,key_places,rivers,roads,shelters'

/** pieces are kept under [area, number]; bytes reads across them. */
export function archive(db: DB, area: string, tag: string): Archive {
  return new Archive(async (offset, length) => {
    const first = Math.floor(offset / PIECE), last = Math.floor((offset + length - 1) / PIECE)
    const out = new Uint8Array(length)
    await db.read(['bits'], async (tx) => {
      for (let n = first; n <= last; n++) {
        const piece = await tx.get<ArrayBuffer>('bits', [area, tag, n])
        if (!piece) throw new Error('the pack has a hole')
        const from = Math.max(offset, n * PIECE), to = Math.min(offset + length, n * PIECE + piece.byteLength)
        out.set(new Uint8Array(piece, from - n * PIECE, to - from), from - offset)
      }
    })
    return out
  })
}

export class Packs {
  private progress = new Map<string, number>()
  private under = new Map<string, Promise<void>>()
  private open = new Map<string, Archive>()
  private offered: Pack[] | null = null
  constructor(private readonly store: Store, private readonly net: Net) {}

  async list(): Promise<Pack[]> {
    if (!this.store.owner) return this.now() // nobody is told of packs who has not signed in
    try {
      const a = await this.net.ask('/api/packs', { timeout_ms: 8_000 })
      if (a.ok) this.offered = ((a.data as { packs?: Pack[] }).packs ?? []).map((p) => ({ area: p.area, name: p.name, bytes: p.bytes, tiles: p.tiles, made_at: p.made_at ?? '' }))
    } catch { /* what is on the phone is told all the same */ }
    return this.now()
  }

  now(): Pack[] {
    const all = new Map<string, Pack>()
    for (const p of this.offered ?? []) all.set(p.area, { ...p })
    for (const k of this.store.packs.values()) {
      const area = k.area.trimEnd() // one that is on its way has a line end after its name
      const p = all.get(area) ?? { area, name: k.name, bytes: k.bytes, tiles: k.tiles, made_at: k.made_at }
      if (k.here) p.here = k.here
      else if (k.pieces > 0) p.progress = Math.min(1, k.pieces * PIECE / k.bytes)
      all.set(area, p)
    }
    for (const [area, done] of this.progress) { const p = all.get(area); if (p) p.progress = done }
    return [...all.values()]
  }

  get(area: string): Promise<void> {
    const going = this.under.get(area)
    if (going) return going
    const run = this.load(area).finally(() => { this.under.delete(area); this.progress.delete(area); this.store.changed() })
    this.under.set(area, run)
    return run
  }

  private async load(area: string): Promise<void> {
    const path = `/api/packs/${encodeURIComponent(area)}`
    // A pack that is not there is made while we ask for it.
    let man: Pack & { etag: string }
    for (let tries = 0; ; tries++) {
      const m = await this.net.ask(path).catch(() => { throw no('offline') })
      if (m.status === 401) throw no('sign_in')
      if (!(m.ok || (m.status === 503 && retryAfter(m))) || tries > 150) throw no('server')
      man = m.data as Pack & { etag: string }
      if (m.status === 200) break
      this.tell(area, 0)
      await new Promise((done) => setTimeout(done, Math.min(10_000, retryAfter(m) || 2000)))
    }
    const held = this.store.packs.get(area)
    let tag = bare(man.etag)
    if (held?.whole && held.etag === tag) {
      await this.store.note(['packs'], (w) => w.put('packs', { ...held, made_at: man.made_at, asked_at: new Date().toISOString() }))
      return
    }
    // The old pack stays in use until the new one is whole: its pieces have another name.
    const key = `${area}\n`
    let coming = this.store.packs.get(key)
    if (!coming || coming.etag !== tag) {
      const fresh: KeptPack = { area: key, name: man.name, bytes: man.bytes, tiles: man.tiles, made_at: man.made_at, etag: tag, pieces: 0, whole: false, asked_at: new Date().toISOString() }
      const old = coming
      await this.store.keep(['packs', 'bits'], (w) => {
        if (old) w.tx.del('bits', range(area, old.etag))
        w.put('packs', fresh)
      })
      coming = fresh
    }
    let at = coming.pieces * PIECE
    let total = man.bytes
    this.tell(area, at / total)
    const { r, stop } = await this.net.raw(`${path}/tiles.pmtiles`, { headers: { Accept: 'application/octet-stream,*/*', ...(at > 0 ? { Range: `bytes=${at}-`, 'If-Range': `"${tag}"` } : {}) }, timeout_ms: 60_000 }).catch(() => { throw no('offline') })
    stop()
    if (r.status === 401) throw no('sign_in')
    if (r.status === 416) at = 0
    if (!r.ok || !r.body) throw no('server')
    if (r.status === 200 && at > 0) at = 0 // it was made anew, or ranges are not known: from the start
    const now = bare(r.headers.get('ETag') ?? '')
    if (now && now !== tag) {
      if (at > 0) throw no('pack_changed')
      tag = now
    }
    const said = Number(r.headers.get('Content-Length'))
    if (said > 0) total = at + said
    let n = at / PIECE
    const etag = tag
    const put = (piece: ArrayBuffer, count: number) => this.store.note(['packs', 'bits'], (w) => {
      w.tx.put('bits', piece, [area, etag, count])
      w.put('packs', { ...coming!, etag, bytes: total, pieces: count + 1 })
    })
    const reader = r.body.getReader()
    let buffer = new Uint8Array(PIECE)
    let fill = 0
    try {
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), new Promise<never>((_, reject) => setTimeout(() => reject(new Unreachable()), 60_000))])
        if (done) break
        for (let from = 0; from < value.length;) {
          const take = Math.min(value.length - from, PIECE - fill)
          buffer.set(value.subarray(from, from + take), fill)
          fill += take
          from += take
          at += take
          if (fill === PIECE) {
            await put(buffer.buffer, n++)
            buffer = new Uint8Array(PIECE)
            fill = 0
          }
        }
        this.tell(area, at / total)
      }
    } catch (cause) {
      void reader.cancel().catch(() => {})
      if (cause instanceof Unreachable || cause instanceof TypeError) throw no('offline')
      if ((cause as Error).name === 'Full') throw no('full')
      throw cause
    }
    if (at < total) throw no('offline')
    if (fill) await put(buffer.slice(0, fill).buffer, n++)
    // It is opened before it takes the old one's place.
    const { h } = await archive(this.store.db, area, etag).open()
    const old = this.store.packs.get(area)
    const when = new Date().toISOString()
    await this.store.keep(['packs', 'bits'], (w) => {
      w.put('packs', { ...coming!, area, etag, bytes: total, pieces: n, whole: true, bbox: h.bbox, here: { at: when, bytes: total }, asked_at: when })
      w.del('packs', key)
      if (old && old.etag !== etag) w.tx.del('bits', range(area, old.etag))
    })
    this.open.delete(area)
  }

  private tell(area: string, done: number): void { this.progress.set(area, Math.max(0, Math.min(1, done))); this.store.changed() }

  async drop(area: string): Promise<void> {
    await this.store.keep(['packs', 'bits'], (w) => {
      w.tx.del('bits', IDBKeyRange.bound([area], [area, []]))
      w.del('packs', area)
      w.del('packs', `${area}\n`)
    })
    this.open.delete(area)
  }

  /** tile looks through the packs that are here. */
  async tile(z: number, x: number, y: number): Promise<Uint8Array | null> {
    for (const p of this.store.packs.values()) {
      if (!p.whole) continue
      const name = `${p.area} ${p.etag}`
      let a = this.open.get(p.area)
      if (!a || this.tags.get(p.area) !== name) { a = archive(this.store.db, p.area, p.etag); this.open.set(p.area, a); this.tags.set(p.area, name) }
      try {
        const t = await a.tile(z, x, y)
        if (t) return t
      } catch { /* a damaged pack is as good as none: the network is asked */ }
    }
    return null
  }
  private tags = new Map<string, string>()
}

/** An entity tag without its quotes: a body writes it without, a header with. */
const bare = (t: string) => t.replace(/^W\//, '').replace(/"/g, '')
const range = (area: string, tag: string) => IDBKeyRange.bound([area, tag], [area, tag, []])
