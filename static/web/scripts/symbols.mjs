// The one symbol family: reads the drawings the panel swatches use too, and turns
// them into signed distance fields, so that a level's colour, the white edge and the
// dark halo are decided by the style, not baked into the picture.
import { readFileSync } from 'node:fs'
import { Resvg } from '@resvg/resvg-js'

const read = (name) => JSON.parse(readFileSync(new URL(`../src/symbols/${name}.json`, import.meta.url), 'utf8'))
export const shapes = read('shapes')
export const glyphs = read('glyphs')
export const codes = read('codes')

const SUPER = 8 // samples per CSS pixel when measuring distance

/** raster renders an SVG body and answers its coverage, one byte per sample. */
function coverage(body, box, margin, attrs) {
  const size = box + 2 * margin
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-margin} ${-margin} ${size} ${size}" width="${size * SUPER}" height="${size * SUPER}"><g ${attrs}>${body}</g></svg>`
  const image = new Resvg(svg, { font: { loadSystemFonts: false } }).render()
  const rgba = image.pixels
  const n = size * SUPER
  const out = new Uint8Array(n * n)
  for (let i = 0; i < out.length; i++) out[i] = rgba[i * 4 + 3]
  return { data: out, n }
}

/** edt is the exact squared Euclidean distance transform of Felzenszwalb and Huttenlocher. */
function edt(grid, n) {
  const f = new Float64Array(n)
  const v = new Int32Array(n)
  const z = new Float64Array(n + 1)
  const line = (offset, stride) => {
    for (let q = 0; q < n; q++) f[q] = grid[offset + q * stride]
    let k = 0
    v[0] = 0
    z[0] = -1e20
    z[1] = 1e20
    for (let q = 1; q < n; q++) {
      let s
      do {
        const r = v[k]
        s = (f[q] - f[r] + q * q - r * r) / (2 * (q - r))
      } while (s <= z[k] && --k > -1)
      k++
      v[k] = q
      z[k] = s
      z[k + 1] = 1e20
    }
    k = 0
    for (let q = 0; q < n; q++) {
      while (z[k + 1] < q) k++
      const r = v[k]
      grid[offset + q * stride] = f[r] + (q - r) * (q - r)
    }
  }
  for (let x = 0; x < n; x++) line(x, n)
  for (let y = 0; y < n; y++) line(y * n, 1)
}

/**
 * sdf answers a distance field as MapLibre's shader reads it: 0.75 at the edge, one
 * step of 1/8 per CSS pixel. `inset` moves the edge inwards: the coloured inner part
 * of a symbol is its silhouette less the white rim, equally wide on every side.
 */
export function sdf(body, { box, margin, ratio, inset = 0, attrs = 'fill="#000"' }) {
  const { data, n } = coverage(body, box, margin, attrs)
  const outside = new Float64Array(n * n)
  const inside = new Float64Array(n * n)
  for (let i = 0; i < data.length; i++) {
    const a = data[i] / 255
    if (a >= 0.5) { inside[i] = 1e20; outside[i] = 0 } else { inside[i] = 0; outside[i] = 1e20 }
  }
  edt(outside, n)
  edt(inside, n)
  const size = (box + 2 * margin) * ratio
  const step = SUPER / ratio
  const out = new Uint8Array(size * size * 4)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let sum = 0
      const x0 = Math.floor(x * step), y0 = Math.floor(y * step)
      const w = Math.max(1, Math.floor(step))
      for (let dy = 0; dy < w; dy++) for (let dx = 0; dx < w; dx++) {
        const i = (y0 + dy) * n + x0 + dx
        sum += Math.sqrt(outside[i]) - Math.sqrt(inside[i]) + (outside[i] > 0 ? -0.5 : 0.5)
      }
      const d = sum / (w * w) / SUPER + inset // CSS pixels, positive outside
      const a = Math.max(0, Math.min(255, Math.round(255 * (0.75 - d / 8))))
      const o = (y * size + x) * 4
      out[o] = out[o + 1] = out[o + 2] = 0
      out[o + 3] = a
    }
  }
  return { data: out, width: size, height: size }
}

/** texture answers a seamless plain picture: neutral strokes laid over a level's colour. */
export function texture(name, dark, ratio) {
  const stroke = dark ? '#FFFFFF' : '#000000'
  const draw = {
    cross: `<path d="M-2 2 2-2M0 12 12 0M10 14 14 10M-2 10 2 14M0 0 12 12M10-2 14 2" stroke="${stroke}" stroke-width="1.1" fill="none"/>`,
    diagonal: `<path d="M-2 2 2-2M0 12 12 0M10 14 14 10" stroke="${stroke}" stroke-width="1.3" fill="none"/>`,
    dots: `<g fill="${stroke}"><circle cx="3" cy="3" r="1.2"/><circle cx="9" cy="9" r="1.2"/></g>`,
  }[name]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 12 12" width="${12 * ratio}" height="${12 * ratio}"><g opacity="0.42">${draw}</g></svg>`
  const image = new Resvg(svg, { font: { loadSystemFonts: false } }).render()
  // resvg premultiplies; a PNG does not.
  const data = Uint8Array.from(image.pixels)
  for (let i = 0; i < data.length; i += 4) {
    const a = data[i + 3]
    if (a > 0) for (let c = 0; c < 3; c++) data[i + c] = Math.min(255, Math.round((data[i + c] * 255) / a))
  }
  return { data, width: image.width, height: image.height }
}
export const textures = ['cross', 'diagonal', 'dots']
