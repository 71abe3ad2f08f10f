// The last step of the build: checks that what the browser fetches first is small, then
// moves the finished whole to static/dist. Only there at the end, so that a Go build
// running beside this one never embeds half a site. Sizes are brotli 9, as served.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'

const from = new URL('../.build/', import.meta.url).pathname
const to = new URL('../../dist/', import.meta.url).pathname
const BUDGET = 520 // KB
const OWN = 90 // KB, our code beside MapLibre and Svelte

const size = (file) => brotliCompressSync(readFileSync(from + file), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length
let first = 0
for (const name of readdirSync(`${from}assets`).sort()) {
  const n = size(`assets/${name}`)
  first += n
  if (name.startsWith('index-') && name.endsWith('.js') && n > OWN * 1024) fail(`${name} is over ${OWN} KB`)
  console.log(`${name.padEnd(44)} ${(n / 1024).toFixed(1).padStart(8)} KB br`)
}
first += statSync(`${from}sprite.png`).size + size('sprite.json') + size('index.html') + size('boot.js')
console.log(`first load ${(first / 1024).toFixed(1)} KB`)
if (first / 1024 > BUDGET) fail(`first load is over the budget of ${BUDGET} KB`)

function fail(why) {
  console.error(why)
  process.exit(1)
}

const walk = (dir, base = '') => readdirSync(dir + base, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(dir, `${base}${e.name}/`) : [base + e.name]))
const files = walk(from)
for (const file of files) {
  const target = join(to, file)
  if (existsSync(target) && readFileSync(target).equals(readFileSync(from + file))) continue
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(from + file, target)
}
for (const file of walk(to)) if (!files.includes(file)) rmSync(join(to, file))
rmSync(from, { recursive: true })
