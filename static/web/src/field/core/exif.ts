/**
 * When and where a picture was taken, inside the picture. Drawing on a canvas drops what the
 * camera wrote, so time and position are read before and written back after (Exif 2.3):
 * the file then carries them wherever it goes.
 */
export interface Taken { at?: string; position?: [number, number] }

/** read gives the camera's own word, from the first 128 KB of a JPEG. */
export function read(buffer: ArrayBuffer): Taken & { orientation?: number } {
  const v = new DataView(buffer)
  const out: Taken & { orientation?: number } = {}
  try {
    if (v.getUint16(0) !== 0xffd8) return out
    for (let at = 2; at + 4 < v.byteLength;) {
      const mark = v.getUint16(at), size = v.getUint16(at + 2)
      if ((mark & 0xff00) !== 0xff00 || mark === 0xffda) break
      if (mark === 0xffe1 && v.getUint32(at + 4) === 0x45786966) { tiff(v, at + 10, out); break }
      at += 2 + size
    }
  } catch { /* a header that ends too soon says nothing */ }
  return out
}

function tiff(v: DataView, base: number, out: Taken & { orientation?: number }): void {
  const le = v.getUint16(base) === 0x4949
  const u16 = (at: number) => v.getUint16(base + at, le), u32 = (at: number) => v.getUint32(base + at, le)
  const entries = (dir: number): Map<number, number> => {
    const m = new Map<number, number>()
    const n = Math.min(u16(dir), 200)
    for (let i = 0; i < n; i++) m.set(u16(dir + 2 + i * 12), dir + 2 + i * 12)
    return m
  }
  const ascii = (e: number): string => {
    const n = u32(e + 4), at = n > 4 ? u32(e + 8) : e + 8
    let s = ''
    for (let i = 0; i < Math.min(n, 40); i++) { const c = v.getUint8(base + at + i); if (c === 0) break; s += String.fromCharCode(c) }
    return s
  }
  const degrees = (e: number): number => {
    const at = u32(e + 8)
    let d = 0
    for (let i = 0; i < 3; i++) d += u32(at + i * 8) / (u32(at + i * 8 + 4) || 1) / 60 ** i
    return d
  }
  const top = entries(u32(4))
  const orientation = top.get(0x0112)
  if (orientation !== undefined) out.orientation = u16(orientation + 8)
  const sub = top.get(0x8769)
  if (sub !== undefined) {
    const e = entries(u32(sub + 8))
    const time = e.get(0x9003)
    const m = time === undefined ? null : /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)/.exec(ascii(time))
    if (m) {
      const zone = e.get(0x9011)
      const off = zone === undefined ? null : /^[+-]\d\d:\d\d/.exec(ascii(zone))
      const d = new Date(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}${off ? off[0] : ''}`)
      if (!Number.isNaN(d.getTime())) out.at = d.toISOString()
    }
  }
  const gps = top.get(0x8825)
  if (gps !== undefined) {
    const e = entries(u32(gps + 8))
    const [latRef, lat, lonRef, lon] = [e.get(1), e.get(2), e.get(3), e.get(4)]
    if (lat !== undefined && lon !== undefined && latRef !== undefined && lonRef !== undefined) {
      const y = degrees(lat) * (ascii(latRef) === 'S' ? -1 : 1), x = degrees(lon) * (ascii(lonRef) === 'W' ? -1 : 1)
      if (Math.abs(x) <= 180 && Math.abs(y) <= 90 && (x !== 0 || y !== 0)) out.position = [x, y]
    }
  }
}

/** written is a JPEG with time and position put in; anything else comes back as it is. */
export async function written(jpeg: Blob, t: Taken): Promise<Blob> {
  const start = new Uint8Array(await jpeg.slice(0, 2).arrayBuffer())
  if (start[0] !== 0xff || start[1] !== 0xd8 || (!t.at && !t.position)) return jpeg
  return new Blob([start, segment(t), jpeg.slice(2)], { type: 'image/jpeg' })
}

function segment(t: Taken): Uint8Array<ArrayBuffer> {
  const body: number[] = []
  const p16 = (n: number) => body.push(n >> 8 & 255, n & 255)
  const p32 = (n: number) => body.push(n >>> 24, n >> 16 & 255, n >> 8 & 255, n & 255)
  const entry = (tag: number, type: number, count: number, value: number | number[]) => {
    p16(tag); p16(type); p32(count)
    if (Array.isArray(value)) for (let i = 0; i < 4; i++) body.push(value[i] ?? 0)
    else p32(value)
  }
  const chars = (s: string) => [...s].map((c) => c.charCodeAt(0))
  const rational = (deg: number) => {
    const a = Math.abs(deg), d = Math.floor(a), m = Math.floor((a - d) * 60), s = ((a - d) * 60 - m) * 60
    p32(d); p32(1); p32(m); p32(1); p32(Math.round(s * 100_000)); p32(100_000)
  }
  // "MM\0*", the first directory at 8: links to the two others, each followed by its long values.
  const parts = (t.at ? 1 : 0) + (t.position ? 1 : 0)
  const first = 8 + 2 + parts * 12 + 4
  const sub = t.at ? 2 + 2 * 12 + 4 + 20 + 7 : 0
  body.push(0x4d, 0x4d, 0, 42)
  p32(8)
  p16(parts)
  if (t.at) entry(0x8769, 4, 1, first)
  if (t.position) entry(0x8825, 4, 1, first + sub)
  p32(0)
  if (t.at) {
    const at = t.at.slice(0, 10).replace(/-/g, ':') + ' ' + t.at.slice(11, 19)
    p16(2)
    entry(0x9003, 2, 20, first + 2 + 24 + 4)
    entry(0x9011, 2, 7, first + 2 + 24 + 4 + 20)
    p32(0)
    body.push(...chars(at), 0, ...chars('+00:00'), 0)
  }
  if (t.position) {
    const own = first + sub
    p16(4)
    entry(1, 2, 2, chars(t.position[1] < 0 ? 'S' : 'N'))
    entry(2, 5, 3, own + 2 + 48 + 4)
    entry(3, 2, 2, chars(t.position[0] < 0 ? 'W' : 'E'))
    entry(4, 5, 3, own + 2 + 48 + 4 + 24)
    p32(0)
    rational(t.position[1])
    rational(t.position[0])
  }
  const n = 2 + 6 + body.length
  return Uint8Array.from([0xff, 0xe1, n >> 8, n & 255, 0x45, 0x78, 0x69, 0x66, 0, 0, ...body])
}
