// Makes sprite.json and sprite.png at 1x and 2x from the drawings in src/symbols.
// Deterministic to the byte: no system fonts, no clock, and deflate from fflate,
// because zlib's output differs between Node releases.
import { mkdirSync, writeFileSync } from 'node:fs'
import { zlibSync } from 'fflate'
import { codes, glyphs, sdf, shapes, texture, textures } from './symbols.mjs'

const RIM = 1.7 // width of the white rim in CSS pixels

function crc32(bytes) {
  let c = ~0
  for (const b of bytes) {
    c ^= b
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
  }
  return ~c >>> 0
}

function png(rgba, width, height) {
  // Every picture is black or white with coverage, so grey + alpha holds all of it;
  // the Up filter suits distance fields.
  const line = width * 2
  const raw = new Uint8Array((line + 1) * height)
  for (let y = 0; y < height; y++) {
    raw[y * (line + 1)] = 2
    for (let x = 0; x < width; x++) {
      for (const [k, c] of [[0, 0], [1, 3]]) {
        const above = y === 0 ? 0 : rgba[((y - 1) * width + x) * 4 + c]
        raw[y * (line + 1) + 1 + x * 2 + k] = rgba[(y * width + x) * 4 + c] - above
      }
    }
  }
  const chunk = (type, data) => {
    const out = new Uint8Array(12 + data.length)
    const view = new DataView(out.buffer)
    view.setUint32(0, data.length)
    out.set([...type].map((c) => c.charCodeAt(0)), 4)
    out.set(data, 8)
    view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)))
    return out
  }
  const head = new Uint8Array(13)
  const view = new DataView(head.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  head.set([8, 4, 0, 0, 0], 8) // 8 bit, grey with alpha
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), chunk('IHDR', head), chunk('IDAT', zlibSync(raw, { level: 9 })), chunk('IEND', new Uint8Array())]
  return Buffer.concat(parts)
}

/** Glyphs are shown at about half size, so they need half the samples of a shape. */
function build(patternRatio, fieldRatio, glyphRatio) {
  const images = []
  for (const name of Object.keys(shapes).sort()) {
    images.push([`s-${name}`, { ...sdf(shapes[name], { box: 28, margin: 5, ratio: fieldRatio }), pixelRatio: fieldRatio, sdf: true }])
    images.push([`f-${name}`, { ...sdf(shapes[name], { box: 28, margin: 1, ratio: fieldRatio, inset: RIM }), pixelRatio: fieldRatio, sdf: true }])
  }
  for (const name of Object.keys(glyphs).sort()) {
    const attrs = 'fill="none" stroke="#000" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"'
    images.push([`g-${name}`, { ...sdf(glyphs[name], { box: 24, margin: 2, ratio: glyphRatio, attrs }), pixelRatio: glyphRatio, sdf: true }])
  }
  for (const name of textures) {
    images.push([`tx-${name}`, { ...texture(name, false, patternRatio), pixelRatio: patternRatio }])
    images.push([`tx-${name}-dark`, { ...texture(name, true, patternRatio), pixelRatio: patternRatio }])
  }
  images.sort((a, b) => b[1].height - a[1].height || (a[0] < b[0] ? -1 : 1))
  const width = 1024
  let x = 0, y = 0, row = 0
  const index = {}
  const placed = []
  for (const [name, image] of images) {
    if (x + image.width + 1 > width) { x = 0; y += row + 1; row = 0 }
    placed.push([image, x, y])
    index[name] = { x, y, width: image.width, height: image.height, pixelRatio: image.pixelRatio, ...(image.sdf ? { sdf: true } : {}) }
    x += image.width + 1
    row = Math.max(row, image.height)
  }
  const height = y + row
  const sheet = new Uint8Array(width * height * 4)
  for (const [image, px, py] of placed) {
    for (let r = 0; r < image.height; r++) sheet.set(image.data.subarray(r * image.width * 4, (r + 1) * image.width * 4), ((py + r) * width + px) * 4)
  }
  // A code of the registry is an alias of a drawing: styles ask for g-<code> and need no table.
  for (const [code, glyph] of Object.entries(codes.codes)) {
    if (!index[`g-${glyph}`]) throw new Error(`codes.json: ${code} names the unknown glyph ${glyph}`)
    index[`g-${code}`] ??= index[`g-${glyph}`]
  }
  for (const [layer, glyph] of Object.entries(codes.layers)) {
    if (!index[`g-${glyph}`]) throw new Error(`codes.json: layer ${layer} names the unknown glyph ${glyph}`)
    index[`g-layer-${layer}`] = index[`g-${glyph}`]
  }
  const sorted = Object.fromEntries(Object.entries(index).sort(([a], [b]) => (a < b ? -1 : 1)))
  return { index: JSON.stringify(sorted), sheet: png(sheet, width, height) }
}

const out = process.argv[2] ?? new URL('../.build/', import.meta.url).pathname
mkdirSync(out, { recursive: true })
for (const [suffix, patterns, fields, small] of [['', 1, 2, 1], ['@2x', 2, 4, 2]]) {
  const { index, sheet } = build(patterns, fields, small)
  writeFileSync(`${out}/sprite${suffix}.json`, index)
  writeFileSync(`${out}/sprite${suffix}.png`, sheet)
  console.log(`sprite${suffix}: ${sheet.length} bytes`)
}
