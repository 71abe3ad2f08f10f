// Reads a QR code (ISO/IEC 18004) back from the black rectangles of a PDF of ours. What was
// printed has no dirt on it, so nothing is corrected: a wrong bit is a wrong text.
import assert from 'node:assert/strict'
import { inflateSync } from 'node:zlib'

/** level M, by version: data codewords of each block. */
const blocks = [[], [16], [28], [44], [32, 32], [43, 43], [27, 27, 27, 27], [31, 31, 31, 31], [38, 38, 39, 39], [36, 36, 36, 37, 37], [43, 43, 43, 43, 44]]
const marks = [[], [], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]]
const masks = [(r, c) => (r + c) % 2, (r) => r % 2, (_, c) => c % 3, (r, c) => (r + c) % 3, (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2, (r, c) => ((r * c) % 2) + ((r * c) % 3), (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2, (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2]

/** rectangles of the page's drawing that are filled in black. */
export function rectangles(pdf) {
  const text = pdf.toString('latin1'), out = []
  for (const m of text.matchAll(/stream\r?\n/g)) {
    const from = m.index + m[0].length, to = text.indexOf('endstream', from)
    let body
    try { body = inflateSync(pdf.subarray(from, to)).toString('latin1') } catch { body = text.slice(from, to) }
    if (!/\b(re|l)\b[\s\S]*\bf\b/.test(body)) continue
    let black = false, points = []
    for (const line of body.split(/(?<=\b(?:rg|g|m|l|h|re|f\*?|n|c|S)\b)\s+/)) {
      const n = line.match(/-?[\d.]+/g)?.map(Number) ?? [], op = /([a-zA-Z*]+)\s*$/.exec(line)?.[1]
      if (op === 'g') black = n.at(-1) === 0
      else if (op === 'rg') black = n.slice(-3).every((v) => v === 0)
      else if (op === 'm' || op === 'l') points.push(n.slice(-2))
      else if (op === 're') { const [x, y, w, h] = n.slice(-4); points.push([x, y], [x + w, y + h]) }
      else if (op === 'f' || op === 'f*') {
        if (black && points.length >= 2) out.push({ x0: Math.min(...points.map((p) => p[0])), x1: Math.max(...points.map((p) => p[0])), y0: Math.min(...points.map((p) => p[1])), y1: Math.max(...points.map((p) => p[1])) })
        points = []
      } else if (op === 'n' || op === 'S' || op === 'c') points = []
    }
  }
  return out
}

/** matrix finds the code among rectangles: the runs of modules of one height. */
export function matrix(list) {
  const high = (r) => r.y1 - r.y0, heights = list.map(high).sort((a, b) => a - b), h = heights[heights.length >> 1]
  const runs = list.filter((r) => Math.abs(high(r) - h) < h * 0.05)
  assert.ok(runs.length > 100, 'there is no code on the page')
  const left = Math.min(...runs.map((r) => r.x0)), right = Math.max(...runs.map((r) => r.x1)), top = Math.max(...runs.map((r) => r.y1)), bottom = Math.min(...runs.map((r) => r.y0))
  const version = [...blocks.keys()].slice(1).find((v) => { const step = (right - left) / (17 + 4 * v); return Math.abs(step - h) < step * 0.02 })
  assert.ok(version, 'no version of a code fits')
  const size = 17 + 4 * version, step = (right - left) / size
  assert.ok(Math.abs(top - bottom - (right - left)) < step / 2, 'it is not square')
  const m = Array.from({ length: size }, () => new Array(size).fill(false))
  for (const r of runs) for (let x = Math.round((r.x0 - left) / step); x < Math.round((r.x1 - left) / step); x++) m[Math.round((top - r.y1) / step)][x] = true
  return m
}

/** decode reads what the code says. */
export function decode(m) {
  const size = m.length, version = (size - 17) / 4
  let format = 0
  for (const [r, c] of [[8, 0], [8, 1], [8, 2], [8, 3], [8, 4], [8, 5], [8, 7], [8, 8], [7, 8], [5, 8], [4, 8], [3, 8], [2, 8], [1, 8], [0, 8]]) format = (format << 1) | Number(m[r][c])
  format ^= 0b101010000010010
  assert.equal(format >> 13, 0, 'the level is not M')
  const mask = masks[(format >> 10) & 7], at = marks[version]
  const fixed = (r, c) => (r < 9 && c < 9) || (r < 9 && c >= size - 8) || (r >= size - 8 && c < 9) || r === 6 || c === 6
    || (version >= 7 && ((r < 6 && c >= size - 11) || (c < 6 && r >= size - 11)))
    || at.some((y) => at.some((x) => Math.abs(r - y) < 3 && Math.abs(c - x) < 3 && !((y === 6 && x === 6) || (y === 6 && x === at.at(-1)) || (x === 6 && y === at.at(-1)))))
  const bits = []
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right--
    for (let i = 0; i < size; i++) for (const c of [right, right - 1]) { const r = up ? size - 1 - i : i; if (!fixed(r, c)) bits.push(Number(m[r][c]) ^ Number(mask(r, c) === 0)) }
  }
  const words = []
  for (let i = 0; i + 8 <= bits.length; i += 8) words.push(parseInt(bits.slice(i, i + 8).join(''), 2))
  // The blocks are written in turns.
  const each = blocks[version].map(() => [])
  for (let i = 0, k = 0; i < Math.max(...blocks[version]); i++) for (const [b, n] of blocks[version].entries()) if (i < n) each[b].push(words[k++])
  const data = each.flat().map((w) => w.toString(2).padStart(8, '0')).join('')
  assert.equal(data.slice(0, 4), '0100', 'it is not bytes')
  const wide = version < 10 ? 8 : 16, n = parseInt(data.slice(4, 4 + wide), 2)
  return Buffer.from(Array.from({ length: n }, (_, i) => parseInt(data.slice(4 + wide + i * 8, 12 + wide + i * 8), 2))).toString('utf8')
}

export const read = (pdf) => decode(matrix(rectangles(pdf)))
