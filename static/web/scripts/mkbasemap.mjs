// Makes basemap.pmtiles: land and water of the whole world, from the world-atlas
// package (Natural Earth 1:10m, public domain). Land only, on purpose: its boundary
// lines do not follow the standard map, so none are drawn. The world to z5, the
// surroundings of China to z8; above that the coast is overzoomed and is context only.
// A tile of z6 and deeper carries a square of water under the land, because it is laid
// over the coarser tile and must hide that one's coast.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { gzipSync } from 'fflate'
import geojsonvt from 'geojson-vt'
import { feature } from 'topojson-client'
import vtpbf from 'vt-pbf'

const require = createRequire(import.meta.url)
const WORLD_MAX = 5
const NEAR_MAX = 8
const NEAR = [72, 2, 137, 55] // west, south, east, north

const atlas = JSON.parse(readFileSync(require.resolve('world-atlas/land-10m.json'), 'utf8'))
const land = feature(atlas, atlas.objects.land)
const index = geojsonvt(land, { maxZoom: NEAR_MAX, indexMaxZoom: 5, tolerance: 4, extent: 4096, buffer: 64 })

const lonTile = (lon, z) => Math.floor(((lon + 180) / 360) * 2 ** z)
const latTile = (lat, z) => Math.floor(((1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2) * 2 ** z)

const water = { features: [{ type: 3, geometry: [[[-64, -64], [4160, -64], [4160, 4160], [-64, 4160], [-64, -64]]], tags: {} }] }

function encode(z, x, y) {
  const tile = index.getTile(z, x, y)
  const layers = {}
  if (z > WORLD_MAX) layers.water = water
  if (tile && tile.features.length > 0) layers.land = { features: tile.features.map((f) => ({ type: f.type, geometry: f.geometry, tags: {} })) }
  if (Object.keys(layers).length === 0) return null
  return gzipSync(vtpbf.fromGeojsonVt(layers, { version: 2, extent: 4096 }), { level: 9, mtime: 0 })
}

/** PMTiles numbers tiles along a Hilbert curve, zoom after zoom. */
function tileID(z, x, y) {
  let acc = 0
  for (let k = 0; k < z; k++) acc += 4 ** k
  let d = 0, tx = x, ty = y
  for (let s = 2 ** (z - 1); s >= 1; s /= 2) {
    const rx = (tx & s) > 0 ? 1 : 0
    const ry = (ty & s) > 0 ? 1 : 0
    d += s * s * ((3 * rx) ^ ry)
    if (ry === 0) {
      if (rx === 1) { tx = s - 1 - (tx & (s - 1)); ty = s - 1 - (ty & (s - 1)) }
      ;[tx, ty] = [ty, tx]
    }
  }
  return acc + d
}

const tiles = []
for (let z = 0; z <= NEAR_MAX; z++) {
  const whole = z <= WORLD_MAX
  const x0 = whole ? 0 : lonTile(NEAR[0], z), x1 = whole ? 2 ** z - 1 : lonTile(NEAR[2], z)
  const y0 = whole ? 0 : latTile(NEAR[3], z), y1 = whole ? 2 ** z - 1 : latTile(NEAR[1], z)
  for (let x = x0; x <= x1; x++) for (let y = y0; y <= y1; y++) {
    const data = encode(z, x, y)
    if (data) tiles.push({ id: tileID(z, x, y), data })
  }
}
tiles.sort((a, b) => a.id - b.id)

// One copy of equal tiles: the inside of a continent and the open sea repeat a lot.
const seen = new Map()
const blobs = []
let offset = 0
const entries = []
for (const { id, data } of tiles) {
  const key = Buffer.from(data).toString('latin1')
  let at = seen.get(key)
  if (at === undefined) {
    at = offset
    seen.set(key, at)
    blobs.push(data)
    offset += data.length
  }
  const last = entries[entries.length - 1]
  if (last && last.id + last.run === id && last.offset === at) last.run++
  else entries.push({ id, run: 1, offset: at, length: data.length })
}

function varint(out, value) {
  while (value >= 0x80) { out.push((value % 0x80) | 0x80); value = Math.floor(value / 0x80) }
  out.push(value)
}
const dir = []
varint(dir, entries.length)
let previous = 0
for (const e of entries) { varint(dir, e.id - previous); previous = e.id }
for (const e of entries) varint(dir, e.run)
for (const e of entries) varint(dir, e.length)
entries.forEach((e, i) => {
  const before = entries[i - 1]
  varint(dir, before && e.offset === before.offset + before.length ? 0 : e.offset + 1)
})
const metadata = JSON.stringify({
  name: 'onemap base', attribution: 'Natural Earth', vector_layers: [{ id: 'land', fields: {} }, { id: 'water', fields: {} }],
})
const root = gzipSync(Uint8Array.from(dir), { level: 9, mtime: 0 })
const meta = gzipSync(new TextEncoder().encode(metadata), { level: 9, mtime: 0 })

const head = Buffer.alloc(127)
head.write('PMTiles', 0, 'latin1')
head.writeUInt8(3, 7)
const put = (at, value) => head.writeBigUInt64LE(BigInt(value), at)
put(8, 127); put(16, root.length)
put(24, 127 + root.length); put(32, meta.length)
put(40, 0); put(48, 0) // no leaf directories: one root holds every entry
put(56, 127 + root.length + meta.length); put(64, offset)
put(72, tiles.length); put(80, entries.length); put(88, blobs.length)
head.writeUInt8(0, 96) // blobs lie in order of first use, not strictly clustered
head.writeUInt8(2, 97) // directory gzip
head.writeUInt8(2, 98) // tiles gzip
head.writeUInt8(1, 99) // MVT
head.writeUInt8(0, 100)
head.writeUInt8(NEAR_MAX, 101)
const deg = (at, value) => head.writeInt32LE(Math.round(value * 1e7), at)
deg(102, -180); deg(106, -85.0511287); deg(110, 180); deg(114, 85.0511287)
head.writeUInt8(4, 118)
deg(119, 104); deg(123, 35)

const out = process.argv[2] ?? new URL('../.build/basemap.pmtiles', import.meta.url).pathname
const body = Buffer.concat([head, root, meta, ...blobs])
writeFileSync(out, body)
console.log(`basemap: ${tiles.length} tiles, ${blobs.length} distinct, ${entries.length} entries, root ${root.length}, ${body.length} bytes`)
