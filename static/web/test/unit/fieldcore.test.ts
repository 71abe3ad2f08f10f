// @vitest-environment node
// What the phone's core decides by itself. Its storage and its sending are tested in a real
// browser against a real server: test/e2e/fieldcore.test.mjs.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { geometryIn, toDatum, toMap } from '../../src/field/core/datum.ts'
import { read, written } from '../../src/field/core/exif.ts'
import { uuidv7 } from '../../src/field/core/ids.ts'
import { applied, batch, changed, editable, isLate, judged, line, overlaid, pause, retired, titleOf, wire, type Op } from '../../src/field/core/ops.ts'
import { Averager, distance, metres } from '../../src/field/core/place.ts'
import { Archive, directory, find, header, tileID, touches } from '../../src/field/core/pmtiles.ts'
import { lock, seal, unlock, unseal } from '../../src/field/core/sealed.ts'
import type { Rec } from '../../src/field/types.ts'

const op = (more: Partial<Op> = {}): Op => ({
  op_id: uuidv7(), n: 1, owner: 'wang', device: 'd', kind: 'dangers', id: 'r1', op: 'put', fields: {}, blobs: [], captured_at: '2026-06-01T00:00:00Z',
  src_crs: 'WGS84', urgent: false, title: '', created_at: '2026-06-01T00:00:00Z', state: 'waiting', tries: 0, ...more,
})

describe('ids', () => {
  it('go up, also within a millisecond and when the clock is set back', () => {
    const ids: string[] = []
    for (let i = 0; i < 10_000; i++) ids.push(uuidv7(i < 5000 ? 1_900_000_000_000 : 1_800_000_000_000))
    expect(new Set(ids).size).toBe(ids.length)
    expect([...ids].sort()).toEqual(ids)
    for (const id of ids.slice(0, 100)) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
  it('tell their time', () => {
    expect(parseInt(uuidv7(2_000_000_000_123).replace(/-/g, '').slice(0, 12), 16)).toBe(2_000_000_000_123)
  })
})

describe('what a form changed', () => {
  it('is told field by field with what it was', () => {
    expect(changed({ a: 1, b: 'x', c: null, d: [1, 2] }, { a: 2, b: 'x', c: '', d: [1, 2], e: 'new' })).toEqual({ a: { base: 1, value: 2 }, e: { base: null, value: 'new' } })
  })
  it('has no base for a new record, and leaves out what is empty or not his to write', () => {
    expect(changed(null, { a: 1, b: '', c: null, d: undefined, state: 'x' }, new Set(['state']))).toEqual({ a: { value: 1 } })
  })
  it('an emptied field becomes nothing, not an empty text', () => {
    expect(changed({ a: 'x' }, { a: '' })).toEqual({ a: { base: 'x', value: null } })
  })
  it('the order of members is no change', () => {
    expect(changed({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } })).toEqual({})
  })
})

describe('the line', () => {
  it('puts 险情 first, then what was made first; of the person who is signed in', () => {
    const ops = [op({ n: 1 }), op({ n: 4, urgent: true }), op({ n: 2 }), op({ n: 3, urgent: true }), op({ n: 0, owner: 'li' }), op({ n: 5, owner: '' }), op({ n: 6, state: 'received' }), op({ n: 7, state: 'returned' })]
    expect(line(ops, 'wang').map((o) => o.n)).toEqual([3, 4, 1, 2, 5])
  })
  it('a batch has one device, no 险情, nothing that follows a 险情 that waits, and an end', () => {
    const queue = line([op({ n: 1, urgent: true, id: 'u' }), op({ n: 2, id: 'u' }), op({ n: 3 }), op({ n: 4 }), op({ n: 5, device: 'other' })], 'wang')
    expect(batch(queue, 50, 1e6).map((o) => o.n)).toEqual([3, 4])
    expect(batch(queue, 1, 1e6).map((o) => o.n)).toEqual([3])
    expect(batch(queue, 50, 10).map((o) => o.n)).toEqual([3]) // one always goes, however large
  })
  it('says nothing to the server that is the phone\'s own', () => {
    const w = wire(op({ seq: 7, title: 'secret', reason: { zh: 'x', en: 'x' }, fields: { a: { value: 1 } }, accuracy_m: 4.4449, device_position: [1, 2] }))
    expect(Object.keys(w).sort()).toEqual(['accuracy_m', 'captured_at', 'device_position', 'device_seq', 'fields', 'id', 'kind', 'op', 'op_id', 'src_crs'])
    expect(w.accuracy_m).toBe(4.4)
  })
})

describe('verdicts', () => {
  const at = '2026-06-01T01:00:00Z'
  const state = (status: string, more = {}) => judged(op(), { op_id: 'x', status, ...more }, at)?.state
  it('each has its place', () => {
    expect(['applied', 'duplicate', 'waiting', 'merged', 'conflict', 'quarantined', 'rejected'].map((s) => state(s))).toEqual(['received', 'received', 'received', 'merged', 'needs_look', 'needs_look', 'returned'])
  })
  it('one that is not known, or none, leaves it waiting', () => {
    for (const s of ['retry', '', 'fine', 'constructor']) expect(judged(op(), { op_id: 'x', status: s }, at)).toBe(null)
    expect(judged(op(), { op_id: 'x' }, at)).toBe(null)
  })
  it('a repeated delivery tells the first verdict', () => {
    expect(state('duplicate', { verdict: 'conflict' })).toBe('needs_look')
    const looked = op({ state: 'needs_look', verdict: 'quarantined' })
    expect(judged(looked, { op_id: 'x', status: 'duplicate' }, at)).toMatchObject({ state: 'needs_look', verdict: 'quarantined' })
  })
  it('the words of a refusal are shown, and go when it is settled', () => {
    const back = judged(op(), { op_id: 'x', status: 'rejected', problem: { code: 'evidence', words: { zh: '要照片', en: 'photo' } } }, at)!
    expect(back.reason).toEqual({ zh: '要照片', en: 'photo' })
    expect(judged(back, { op_id: 'x', status: 'applied' }, at)!.reason).toBe(undefined)
  })
  it('a receipt says who saw it and changes nothing else', () => {
    const o = op({ state: 'received', verdict: 'applied', received_at: 'r' })
    expect(judged(o, { op_id: 'x', seen_by: '李', seen_at: 's' }, at)).toEqual({ ...o, seen_by: '李', seen_at: 's' })
  })
})

describe('what he may still do', () => {
  it('take back only what no server can have', () => {
    expect(editable(op())).toBe(true)
    expect(editable(op({ sent_at: 'x' }))).toBe(false)
    expect(editable(op({ state: 'received' }))).toBe(false)
    expect(editable(op({ state: 'returned', sent_at: 'x' }))).toBe(true)
  })
  it('a 险情 is late when its time is over and nobody has it', () => {
    const t = Date.parse('2026-06-01T00:00:00Z')
    expect(isLate(op({ urgent: true }), t + 59_999, 60)).toBe(false)
    expect(isLate(op({ urgent: true }), t + 60_000, 60)).toBe(true)
    expect(isLate(op({ urgent: true, state: 'received' }), t + 90_000, 60)).toBe(false)
    expect(isLate(op(), t + 90_000, 60)).toBe(false)
  })
  it('what is finished stays two weeks; what misses a photo, or waits, stays', () => {
    const t = Date.parse('2026-06-20T00:00:00Z')
    const done = { state: 'received' as const, received_at: '2026-06-01T00:00:00Z' }
    expect(retired(op(done), new Map(), t)).toBe(true)
    expect(retired(op({ ...done, blobs: ['a'] }), new Map([['a', { complete: false }]]), t)).toBe(false)
    expect(retired(op({ ...done, blobs: ['a'] }), new Map([['a', { complete: true }]]), t)).toBe(true)
    expect(retired(op({ ...done, state: 'needs_look' }), new Map(), t)).toBe(false)
    expect(retired(op(), new Map(), t)).toBe(false)
  })
})

describe('records as he left them', () => {
  const rec: Rec = { kind: 'dangers', id: 'r1', version: 3, state: 'draft', fields: { a: 1, b: 2 }, updated_at: '' }
  it('have what waits laid over them, in order', () => {
    const out = overlaid([rec], [op({ n: 2, fields: { a: { base: 5, value: 6 } } }), op({ n: 1, fields: { a: { base: 1, value: 5 } } }), op({ n: 3, id: 'new', fields: { c: { value: 1 } } }), op({ n: 4, state: 'returned', fields: { a: { value: 9 } } })])
    expect(out.get('dangers/r1')).toMatchObject({ version: 3, state: 'draft', fields: { a: 6, b: 2 } })
    expect(out.get('dangers/new')).toMatchObject({ version: 0, mine: true, fields: { c: 1 } })
    expect(overlaid([rec], [op({ op: 'delete' })]).size).toBe(0)
    expect(applied(rec, op({ op: 'transition', to: 'done' }))!.state).toBe('done')
  })
  it('are named in his words', () => {
    const dict = { kind: 'dangers' as const, title: { zh: '隐患', en: 'Danger' }, geometry: [], deletable: true, fields: [{ name: 'kind', title: { zh: '', en: '' }, type: 'code' as const, code_list: 'k' }], code_lists: { k: [{ code: 'x', title: { zh: '裂缝', en: 'Crack' } }] } }
    expect(titleOf({ kind: 'dangers', fields: { kind: 'x' } }, dict, 'zh')).toBe('隐患 · 裂缝')
    expect(titleOf({ kind: 'dangers', fields: {} }, null, 'zh')).toBe('dangers')
  })
})

it('pauses grow, end, and are spread', () => {
  expect([1, 2, 3, 20].map((n) => pause(n, 1))).toEqual([4000, 8000, 16000, 300_000])
  expect(pause(1, 0)).toBe(2000)
})

describe('places', () => {
  it('distances to points, lines and areas', () => {
    expect(metres([119, 34], [119, 34.001])).toBeCloseTo(111.3, 0)
    expect(distance([119, 34.0005], { type: 'LineString', coordinates: [[118.99, 34], [119.01, 34]] })).toBeCloseTo(55.7, 0)
    const square = { type: 'Polygon' as const, coordinates: [[[119, 34], [119.01, 34], [119.01, 34.01], [119, 34.01], [119, 34]] as [number, number][]] }
    expect(distance([119.005, 34.005], square)).toBe(0)
    expect(distance([119.011, 34.005], square)).toBeGreaterThan(80)
  })
  it('many fixes make one, by their accuracy; who walks on starts anew', () => {
    const a = new Averager()
    a.add({ lon: 119, lat: 34, accuracy_m: 10, at: 0 })
    a.add({ lon: 119.0001, lat: 34, accuracy_m: 20, at: 1000 })
    const f = a.fix(3000)!
    expect(f.lon).toBeCloseTo(119.00002, 7)
    expect(f).toMatchObject({ samples: 2, age_s: 2 })
    expect(f.accuracy_m).toBeLessThan(10)
    a.add({ lon: 119.01, lat: 34, accuracy_m: 8, at: 4000 })
    expect(a.fix(4000)).toMatchObject({ lon: 119.01, samples: 1 })
    a.add({ lon: 119.2, lat: 34, accuracy_m: 2000, at: 5000 }) // a mast, not a satellite
    expect(a.fix(5000)).toMatchObject({ lon: 119.01, samples: 1 })
    a.add({ lon: NaN, lat: 34, accuracy_m: 1, at: 6000 })
    expect(a.fix(6000)!.samples).toBe(1)
  })
  it('shifted datums there and back within a micrometre', () => {
    for (const p of [[119.19, 34.6], [116.391, 39.907], [104.06, 30.67], [87.6, 43.8]] as [number, number][]) {
      for (const d of ['GCJ02', 'BD09'] as const) {
        const moved = toDatum(p, d)
        expect(metres(p, moved)).toBeGreaterThan(100)
        expect(metres(toMap(moved, d), p)).toBeLessThan(1e-6)
      }
      expect(toDatum(p, 'WGS84')).toEqual(p)
    }
    // Tiananmen as the public converters give it.
    const [x, y] = toDatum([116.3912757, 39.906217], 'GCJ02')
    expect(x).toBeCloseTo(116.397517, 5)
    expect(y).toBeCloseTo(39.907620, 5)
    expect(geometryIn({ type: 'LineString', coordinates: [[119, 34], [119, 35]] }, 'GCJ02').coordinates[1]).toEqual(toDatum([119, 35], 'GCJ02'))
  })
})

describe('PMTiles', () => {
  const file = new Uint8Array(readFileSync(new URL('../../../dist/basemap.pmtiles', import.meta.url)))
  it('tile numbers are those of the specification', () => {
    expect([[0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1], [1, 1, 0], [2, 0, 0]].map(([z, x, y]) => tileID(z!, x!, y!))).toEqual([0, 1, 2, 3, 4, 5])
    expect(tileID(12, 3423, 1763)).toBe(19078479)
    const seen = new Set<number>()
    for (let x = 0; x < 32; x++) for (let y = 0; y < 32; y++) seen.add(tileID(5, x, y))
    expect([seen.size, Math.min(...seen), Math.max(...seen)]).toEqual([1024, 341, 1364])
  })
  it('finds in the built base map what its directory holds', async () => {
    const a = new Archive(async (at, n) => file.subarray(at, at + n))
    const { h, root } = await a.open()
    expect(h).toMatchObject({ minZoom: 0, type: 1, compression: 2 })
    const want = root.find((e) => e.run > 0)!
    expect(find(root, want.id)).toBe(want)
    const t = (await a.tile(0, 0, 0))!
    expect(Buffer.from(t)).toEqual(gunzipSync(file.subarray(h.dataOffset + root[0]!.offset, h.dataOffset + root[0]!.offset + root[0]!.length)))
    expect(await a.tile(h.maxZoom + 1, 0, 0)).toBe(null)
  })
  it('damaged archives are refused, not read', () => {
    expect(() => header(new Uint8Array(200))).toThrow()
    expect(() => header(file.subarray(0, 50))).toThrow()
    expect(() => directory(Uint8Array.of(255, 255, 255, 255, 255, 15))).toThrow()
    expect(() => directory(Uint8Array.of(3, 1))).toThrow()
  })
  it('knows which tiles a box touches', () => {
    expect(touches([119, 34, 120, 35], 0, 0, 0)).toBe(true)
    expect(touches([119, 34, 120, 35], 8, Math.floor((119.5 + 180) / 360 * 256), 101)).toBe(true)
    expect(touches([119, 34, 120, 35], 8, 0, 0)).toBe(false)
  })
})

describe('sealed files', () => {
  const blob = (n: number, seed = 7) => { const b = new Uint8Array(n); for (let i = 0; i < n; i++) b[i] = (i * seed + (i >> 8)) & 255; return new Blob([b]) }
  it('come back whole, pictures too, over many pieces', { timeout: 60_000 }, async () => {
    const parts = [{ name: 'a', blob: blob(2_500_000) }, { name: 'b', blob: blob(0) }, { name: 'c', blob: blob(17, 3) }]
    const file = await seal('一个好口令 12345', { ops: [1, '二'] }, parts, '2026-06-01T00:00:00Z')
    expect(Buffer.from(await file.arrayBuffer()).includes(Buffer.from('"rows":{"ops"'))).toBe(false)
    const got: Record<string, Blob> = {}
    const index = await unseal(file, '一个好口令 12345', async (name, b) => { got[name] = b })
    expect(index.rows).toEqual({ ops: [1, '二'] })
    for (const p of parts) expect(Buffer.from(await got[p.name]!.arrayBuffer()).equals(Buffer.from(await p.blob.arrayBuffer()))).toBe(true)
  })
  it('say no to a wrong password, a cut, a swap, a change, and what is no such file', { timeout: 60_000 }, async () => {
    const file = await seal('correct horse', { ops: [] }, [{ name: 'a', blob: blob(2_200_000) }], '')
    const none = async () => {}
    const code = (f: Blob, pw = 'correct horse') => unseal(f, pw, none).then(() => 'taken', (e) => e.code)
    expect(await code(file, 'wrong horse')).toBe('password_wrong')
    expect(await code(file.slice(0, file.size - 10))).toBe('file_cut')
    const bytes = new Uint8Array(await file.arrayBuffer())
    const headSize = new DataView(bytes.buffer).getUint32(8)
    const first = 12 + headSize, piece = 4 + new DataView(bytes.buffer).getUint32(first)
    expect(await code(new Blob([bytes.subarray(0, first + piece)]))).toBe('password_wrong') // the one piece left is not the last
    expect(await code(new Blob([bytes.subarray(0, first), bytes.subarray(first, first + piece), bytes.subarray(first, first + piece)]))).toBe('file_cut')
    const bent = bytes.slice()
    bent[bent.length - 1]! ^= 1
    expect(await code(new Blob([bent]))).toBe('file_cut')
    expect(await code(new Blob(['no such thing at all']))).toBe('file_bad')
    expect(await seal('short', {}, [], '').then(() => '', (e) => e.code)).toBe('password_short')
  })
  it('a PIN opens the list, another does not', async () => {
    const l = await lock('123456', [{ head: '张三' }], 'now')
    expect(await unlock('123456', l)).toEqual([{ head: '张三' }])
    expect(await unlock('123457', l)).toBe(null)
  })
})

describe('time and place inside a picture', () => {
  const jpeg = new Blob([Uint8Array.of(0xff, 0xd8, 0xff, 0xdb, 0, 4, 1, 2, 0xff, 0xd9)])
  it('are written and read again, on every side of the world', async () => {
    for (const position of [[119.123456, 34.654321], [-70.5, -33.25]] as [number, number][]) {
      const out = await written(jpeg, { at: '2026-06-01T03:04:05.000Z', position })
      const got = read(await out.arrayBuffer())
      expect(got.at).toBe('2026-06-01T03:04:05.000Z')
      expect(got.position![0]).toBeCloseTo(position[0], 7)
      expect(got.position![1]).toBeCloseTo(position[1], 7)
      expect(new Uint8Array(await out.slice(-8).arrayBuffer())).toEqual(new Uint8Array(await jpeg.slice(-8).arrayBuffer()))
    }
    expect(read(await (await written(jpeg, { at: '2026-06-01T03:04:05Z' })).arrayBuffer()).position).toBe(undefined)
    expect(read(await (await written(jpeg, { position: [1, 2] })).arrayBuffer()).position![0]).toBeCloseTo(1, 9)
  })
  it('rubbish says nothing', () => {
    for (const bytes of [[], [0xff, 0xd8], [0xff, 0xd8, 0xff, 0xe1, 0, 20, 0x45, 0x78, 0x69, 0x66, 0, 0, 0x4d, 0x4d], Array.from({ length: 64 }, (_, i) => i)]) expect(read(Uint8Array.from(bytes).buffer)).toEqual({})
  })
})
