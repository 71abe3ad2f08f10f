// Makes the icons of the phone's app from one drawing: with round corners where the phone
// shows them as they are, and filled to the edge, drawn smaller, where it cuts its own shape.
import { readFileSync, writeFileSync } from 'node:fs'
import { Resvg } from '@resvg/resvg-js'

const drawing = readFileSync(new URL('../src/symbols/field-icon.svg', import.meta.url), 'utf8').replace(/<\/?svg[^>]*>/g, '')
const to = new URL('../.build/', import.meta.url).pathname

function icon(name, size, { round, scale }) {
  const at = 48 * (1 - scale)
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="${size}" height="${size}"><rect width="96" height="96" rx="${round}" fill="#1F6FEB"/><g transform="translate(${at} ${at}) scale(${scale})">${drawing}</g></svg>`
  writeFileSync(`${to}${name}`, new Resvg(svg, { font: { loadSystemFonts: false } }).render().asPng())
}
icon('field-192.png', 192, { round: 18, scale: 1 })
icon('field-512.png', 512, { round: 18, scale: 1 })
icon('field-maskable.png', 512, { round: 0, scale: 0.8 })
