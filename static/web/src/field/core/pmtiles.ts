/** A reader of PMTiles v3 (the public specification): which bytes of an archive are a tile. */
import { gunzipSync } from 'fflate'

export interface Header {
  rootOffset: number; rootLength: number
  leafOffset: number; dataOffset: number
  internal: number; compression: number; type: number // compression: 1 none, 2 gzip
  minZoom: number; maxZoom: number
  bbox: [number, number, number, number]
}
interface Entry { id: number; offset: number; length: number; run: number }
export type Bytes = (offset: number, length: number) => Promise<Uint8Array>

export function header(b: Uint8Array): Header {
  if (b.length < 127 || new TextDecoder().decode(b.subarray(0, 7)) !== 'PMTiles' || b[7] !== 3) throw new Error('not a PMTiles v3 archive')
  const v = new DataView(b.buffer, b.byteOffset, b.byteLength)
  const u64 = (at: number) => v.getUint32(at + 4, true) * 2 ** 32 + v.getUint32(at, true)
  const deg = (at: number) => v.getInt32(at, true) / 1e7
  return {
    rootOffset: u64(8), rootLength: u64(16), leafOffset: u64(40), dataOffset: u64(56),
    internal: b[97]!, compression: b[98]!, type: b[99]!, minZoom: b[100]!, maxZoom: b[101]!,
    bbox: [deg(102), deg(106), deg(110), deg(114)],
  }
}

/** tileID is the place of a tile on the Hilbert curve over all zooms. */
export function tileID(z: number, x: number, y: number): number {
  let id = (4 ** z - 1) / 3
  let tx = x, ty = y
  for (let s = 2 ** (z - 1); s >= 1; s /= 2) {
    const rx = (tx & s) > 0 ? 1 : 0, ry = (ty & s) > 0 ? 1 : 0
    id += s * s * ((3 * rx) ^ ry)
    if (ry === 0) {
      if (rx === 1) { tx = s - 1 - (tx & (s - 1)); ty = s - 1 - (ty & (s - 1)) } else { tx &= s - 1; ty &= s - 1 }
      const t = tx
      tx = ty
      ty = t
    } else { tx &= s - 1; ty &= s - 1 }
  }
  return id
}

function unpack(b: Uint8Array, compression: number): Uint8Array {
  if (compression === 2 || (b[0] === 0x1f && b[1] === 0x8b)) return gunzipSync(b)
  if (compression === 0 || compression === 1) return b
  throw new Error('compression of the archive is not known')
}

export function directory(b: Uint8Array): Entry[] {
  let at = 0
  const next = (): number => {
    let n = 0, k = 1
    for (;;) {
      const c = b[at++]
      if (c === undefined) throw new Error('the directory is cut')
      n += (c & 127) * k
      if (c < 128) return n
      k *= 128
    }
  }
  const count = next()
  if (count > 1 << 20) throw new Error('the directory is too large')
  const out: Entry[] = []
  for (let i = 0, id = 0; i < count; i++) { id += next(); out.push({ id, offset: 0, length: 0, run: 0 }) }
  for (const e of out) e.run = next()
  for (const e of out) e.length = next()
  out.forEach((e, i) => { const n = next(); e.offset = n === 0 && i > 0 ? out[i - 1]!.offset + out[i - 1]!.length : n - 1 })
  return out
}

export function find(entries: readonly Entry[], id: number): Entry | null {
  let lo = 0, hi = entries.length - 1
  while (lo <= hi) {
    const mid = (lo + hi) >> 1
    if (entries[mid]!.id <= id) lo = mid + 1
    else hi = mid - 1
  }
  const e = entries[hi]
  if (!e) return null
  return e.run === 0 || id - e.id < e.run ? e : null
}

export class Archive {
  private head: Promise<{ h: Header; root: Entry[] }> | null = null
  private leaves = new Map<number, Entry[]>()
  constructor(private readonly bytes: Bytes) {}

  open(): Promise<{ h: Header; root: Entry[] }> {
    return (this.head ??= (async () => {
      const h = header(await this.bytes(0, 127))
      return { h, root: directory(unpack(await this.bytes(h.rootOffset, h.rootLength), h.internal)) }
    })().catch((cause) => { this.head = null; throw cause }))
  }

  /** tile gives the decompressed tile; empty where the archive covers the place and has nothing there; null beyond it. */
  async tile(z: number, x: number, y: number): Promise<Uint8Array | null> {
    const { h, root } = await this.open()
    if (z < h.minZoom || z > h.maxZoom || !touches(h.bbox, z, x, y)) return null
    const id = tileID(z, x, y)
    let dir = root
    for (let depth = 0; depth < 4; depth++) {
      const e = find(dir, id)
      if (!e) return new Uint8Array()
      if (e.run > 0) return unpack(await this.bytes(h.dataOffset + e.offset, e.length), h.compression)
      let leaf = this.leaves.get(e.offset)
      if (!leaf) {
        leaf = directory(unpack(await this.bytes(h.leafOffset + e.offset, e.length), h.internal))
        if (this.leaves.size > 32) this.leaves.clear()
        this.leaves.set(e.offset, leaf)
      }
      dir = leaf
    }
    throw new Error('the archive has too many levels')
  }
}

export function touches(b: readonly [number, number, number, number], z: number, x: number, y: number): boolean {
  const n = 2 ** z
  const lat = (k: number) => Math.atan(Math.sinh(Math.PI * (1 - 2 * k / n))) * 180 / Math.PI
  return x / n * 360 - 180 < b[2] && (x + 1) / n * 360 - 180 > b[0] && lat(y) > b[1] && lat(y + 1) < b[3]
}
