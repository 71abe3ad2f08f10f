// The last step of the build: checks that what the browser fetches first is small, then
// moves the finished whole to static/dist. Only there at the end, so that a Go build
// running beside this one never embeds half a site. Sizes are brotli 9, as served.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'

const from = new URL('../.build/', import.meta.url).pathname
const to = new URL('../../dist/', import.meta.url).pathname
const BUDGET = 500 // KB, what the map fetches first
const OWN = 90 // KB, our code beside MapLibre and Svelte

const size = (file) => brotliCompressSync(readFileSync(from + file), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length
const DESK = 80 // KB, everything a person loads to sign in
const PLAN = 600 // KB, what the planner's table fetches first
const TABLE = 75 // KB, its own part of that
const PHONE = 500 // KB, everything the phone fetches, with its map
const HAND = 60 // KB, our code in that, beside MapLibre and Svelte
const DUTY = 500 // KB, what the duty desk fetches before its first part is drawn, with its map
const DESKS = 115 // KB, our code of all its parts, beside MapLibre and Svelte
const ROOM = 560 // KB, what the command room fetches before its first page is drawn, with its map
const ROOMS = 200 // KB, our code of all its pages, beside MapLibre and Svelte
const FORM = 130 // KB, what it fetches before the list and the forms can be used

/** reach is what a document fetches before anything is clicked: its own files and what they import; with `later`, what is clicked, too. */
function reach(html, also = [], later = false) {
  const seen = new Set()
  const add = (name) => {
    if (seen.has(name)) return
    seen.add(name)
    if (!name.endsWith('.js')) return
    const text = readFileSync(`${from}assets/${name}`, 'utf8')
    for (const m of text.matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+)["'`]/g)) add(m[1])
    if (later) for (const m of text.matchAll(/import\(\s*["'`]\.\/([^"'`]+)["'`]/g)) add(m[1])
    for (const m of text.matchAll(/(maplibre-gl-csp-worker-[\w-]+\.js)/g)) add(m[1])
  }
  for (const m of readFileSync(from + html, 'utf8').matchAll(/\/assets\/([^"']+)/g)) add(m[1])
  for (const name of also) add(name)
  return [...seen]
}

const sizes = new Map(readdirSync(`${from}assets`).sort().map((name) => [name, size(`assets/${name}`)]))
for (const [name, n] of sizes) {
  if (name.startsWith('index-') && name.endsWith('.js') && n > OWN * 1024) fail(`${name} is over ${OWN} KB`)
  console.log(`${name.padEnd(44)} ${(n / 1024).toFixed(1).padStart(8)} KB br`)
}
const weight = (html, also) => reach(html, also).reduce((sum, name) => sum + sizes.get(name), size(html) + size('boot.js'))
const map = weight('index.html') + statSync(`${from}sprite.png`).size + size('sprite.json')
const desk = weight('desk.html')
// The editor comes with the first plan that is opened, so it counts.
const bench = [...sizes.keys()].filter((n) => n.startsWith('Bench-'))
const plan = weight('plan.html', bench) + statSync(`${from}sprite.png`).size + size('sprite.json')
const table = reach('plan.html', bench).filter((n) => /^(plan|Bench|paint)-.*\.js$/.test(n)).reduce((sum, n) => sum + sizes.get(n), 0)
console.log(`first load: map ${(map / 1024).toFixed(1)} KB, planning ${(plan / 1024).toFixed(1)} KB (${(table / 1024).toFixed(1)} KB its own), signing in ${(desk / 1024).toFixed(1)} KB`)
if (map / 1024 > BUDGET) fail(`the map's first load is over the budget of ${BUDGET} KB`)
if (plan / 1024 > PLAN) fail(`the planner's table is over its budget of ${PLAN} KB`)
if (table / 1024 > TABLE) fail(`the planner's own code is over its budget of ${TABLE} KB`)
if (desk / 1024 > DESK) fail(`signing in is over the budget of ${DESK} KB`)
// The phone's whole is what its service worker keeps: the pages, the map, the sprite.
// A list that grew long is written by the minifier as one text that is split.
const worker = readFileSync(`${from}field-sw.js`, 'utf8')
const kept = /["'`](\/field,[^"'`]+)["'`]\.split\(/.exec(worker)?.[1].split(',') ?? JSON.parse(/\[["'`]\/field["'`][^\]]*\]/.exec(worker)[0].replace(/['`]/g, '"'))
const phone = kept.map((p) => (p === '/field' ? 'field.html' : p.slice(1))).reduce((sum, p) => sum + (p.endsWith('.png') ? statSync(from + p).size : size(p)), size('field-sw.js'))
const ours = (list) => list.filter((n) => !/^(maplibre|svelte)/.test(n)).reduce((sum, n) => sum + sizes.get(n), 0)
const hand = ours(reach('field.html', [...sizes.keys()].filter((n) => /^Chart-/.test(n)))) + size('field.html')
const every = ours(kept.filter((p) => p.startsWith('/assets/')).map((p) => p.slice(8))) + size('field-sw.js')
const form = weight('field.html')
console.log(`phone: all ${(phone / 1024).toFixed(1)} KB; ours ${(hand / 1024).toFixed(1)} KB with the map, ${(every / 1024).toFixed(1)} KB with every page; before a form ${(form / 1024).toFixed(1)} KB`)
if (phone / 1024 > PHONE) fail(`the phone's load is over the budget of ${PHONE} KB`)
if (hand / 1024 > HAND) fail(`the phone's own code is over its budget of ${HAND} KB`)
if (form / 1024 > FORM) fail(`what a form needs is over its budget of ${FORM} KB`)
// The desk opens on 险情, whose map it waits for; every other part is fetched when it is opened.
const opens = [...sizes.keys()].filter((n) => /^Reports-/.test(n))
const duty = weight('duty.html', opens), desks = ours(reach('duty.html', [], true)) + size('duty.html')
console.log(`duty desk: ${(duty / 1024).toFixed(1)} KB with its first part; ours ${(desks / 1024).toFixed(1)} KB with every part`)
if (opens.length === 0 || !reach('duty.html', opens).some((n) => n.startsWith('maplibre-gl-csp-worker'))) fail('the first part of the duty desk was not counted')
if (duty / 1024 > DUTY) fail(`the duty desk is over its budget of ${DUTY} KB`)
if (desks / 1024 > DESKS) fail(`the duty desk's own code is over its budget of ${DESKS} KB`)
// The command room opens on the incidents; every other page is fetched when it is opened.
const page = [...sizes.keys()].filter((n) => /^Incidents-/.test(n))
const room = weight('command.html', page) + statSync(`${from}sprite.png`).size + size('sprite.json'), pages = ours(reach('command.html', [], true)) + size('command.html')
console.log(`command room: ${(room / 1024).toFixed(1)} KB with its first page; ours ${(pages / 1024).toFixed(1)} KB with every page`)
if (page.length === 0 || !reach('command.html', page).some((n) => n.startsWith('maplibre-gl-csp-worker'))) fail('the first page of the command room was not counted')
if (room / 1024 > ROOM) fail(`the command room is over its budget of ${ROOM} KB`)
if (pages / 1024 > ROOMS) fail(`the command room's own code is over its budget of ${ROOMS} KB`)
if (reach('field.html').some((n) => n.startsWith('maplibre'))) fail('a form would wait for the map')
if (!reach('index.html').some((n) => n.startsWith('maplibre-gl-csp-worker'))) fail('the worker was not counted')
if (reach('desk.html').some((n) => n.startsWith('maplibre'))) fail('signing in would load the map')
if (bench.length === 0 || !reach('plan.html', bench).some((n) => n.startsWith('maplibre-gl-csp-worker'))) fail('the editor was not counted')

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
