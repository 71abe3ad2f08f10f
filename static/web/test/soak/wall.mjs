// The wall for a long time: Chromium with a wall token on a real server whose data keep
// changing. The server is restarted, the machine sleeps, the line is cut, the line swallows
// what is sent (it looks open and nothing comes), the machine has no network, the graphics
// go away, again and again; while the line is away the wall must say so and be grey, and
// after each it must come back by itself with what it missed. At the end its token is
// revoked: then it shows nothing but that. What it holds is measured after a collection of
// garbage, and must not grow.
//
//   npm run soak:wall                          # an hour
//   SOAK_MINUTES=1440 npm run soak:wall        # a day
//
// SOAK_EVERY_S between two disturbances (60), SOAK_HEAP_MB_H, SOAK_NODES_H and
// SOAK_LISTENERS_H what may be added in an hour, SOAK_OUT where the samples go as JSON
// lines, ONEMAP_BIN the program, SOAK_DATA a data directory with the demo county that is
// taken (and kept) instead of a fresh one, SOAK_SIZE the screen (1920x1080), SOAK_KINDS
// which disturbances (restart,sleep,network,swallow,offline,graphics).
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const here = new URL('.', import.meta.url).pathname
const number = (name, usual) => { const n = Number(process.env[name] || usual); if (!(n > 0)) throw new Error(`${name} is a number above nought`); return n }
const minutes = number('SOAK_MINUTES', 60), everyS = number('SOAK_EVERY_S', 60)
const bounds = { heap: number('SOAK_HEAP_MB_H', 8), nodes: number('SOAK_NODES_H', 2000), listeners: number('SOAK_LISTENERS_H', 200) }
const bin = process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap')
if (!existsSync(bin)) throw new Error(`${bin} is missing: run make build first`)
const password = 'Shanhe-2026-x', area = '990100'
const sleep = (ms) => new Promise((r) => setTimeout(r, ms))
const started = Date.now()
const say = (text) => console.log(`${((Date.now() - started) / 60_000).toFixed(1).padStart(6)} min  ${text}`)

// ---- the server ----------------------------------------------------------------------

const data = process.env.SOAK_DATA || mkdtempSync(join(tmpdir(), 'onemap-wall-'))
if (!process.env.SOAK_DATA) chmodSync(data, 0o711)
const [width, height] = (process.env.SOAK_SIZE || '1920x1080').split('x').map(Number)
const port = await new Promise((resolve) => { const s = createServer().listen(0, '127.0.0.1', () => { const p = s.address().port; s.close(() => resolve(p)) }) })
const url = `http://127.0.0.1:${port}`
let child = null, log = ''
async function up() {
  child = spawn(bin, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--with-demo', '--play'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const mine = child
  for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { log = (log + d).slice(-4000) })
  for (const end = Date.now() + 600_000; ;) {
    if (mine.exitCode !== null || Date.now() > end) throw new Error(`the server is not there:\n${log}`)
    if (await fetch(`${url}/readyz`).then((r) => { void r.body?.cancel(); return r.ok }, () => false)) return
    await sleep(250)
  }
}
async function down() {
  if (!child || child.exitCode !== null) return
  const gone = new Promise((r) => child.once('exit', r))
  child.kill('SIGTERM')
  await gone
}
/**
 * The line between the wall and the server. DevTools' "offline" leaves a stream that is
 * open as it is, so the line is cut here: `cut` ends and refuses, `swallow` takes all and
 * hands on nothing. What was open then stays dead when the line is whole again, as behind
 * a router that has forgotten it.
 */
let state = 'whole'
const sockets = new Set()
const relay = createServer((from) => {
  if (state === 'cut') { from.destroy(); return }
  const to = connect(port, '127.0.0.1'), pair = { from, to }
  sockets.add(pair)
  const end = () => { from.destroy(); to.destroy(); sockets.delete(pair) }
  for (const s of [from, to]) { s.on('error', end); s.on('close', end) }
  const hand = (a, b) => a.on('data', (d) => { if (state === 'swallow') pair.dead = true; if (!pair.dead && !b.write(d)) { a.pause(); b.once('drain', () => a.resume()) } })
  hand(from, to)
  hand(to, from)
})
await new Promise((r) => relay.listen(0, '127.0.0.1', r))
const line = {
  url: `http://127.0.0.1:${relay.address().port}`,
  cut() { state = 'cut'; for (const { from, to } of sockets) { from.destroy(); to.destroy() } },
  swallow() { state = 'swallow'; for (const p of sockets) p.dead = true },
  mend() { state = 'whole' },
}
const onemap = (args, input) => execFileSync(bin, [...args, '--data', data], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }).trim()

function v7() {
  const b = crypto.getRandomValues(new Uint8Array(16))
  let t = Date.now()
  for (let i = 5; i >= 0; i--) { b[i] = t % 256; t = Math.floor(t / 256) }
  b[6] = (b[6] & 15) | 0x70
  b[8] = (b[8] & 63) | 0x80
  return [...b].map((x) => x.toString(16).padStart(2, '0')).join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
let cookie = ''
async function ask(path, { method = 'GET', body, match } = {}) {
  const r = await fetch(url + path, { method, headers: { Accept: 'application/json', Origin: url, ...(cookie ? { Cookie: cookie } : {}), ...(body ? { 'Content-Type': 'application/json' } : {}), ...(match ? { 'If-Match': `"${match}"` } : {}) }, body: body && JSON.stringify(body) })
  const text = await r.text()
  if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text.slice(0, 300)}`)
  return { data: text ? JSON.parse(text) : null, cookie: r.headers.getSetCookie()[0]?.split(';')[0] }
}

// ---- what changes ----------------------------------------------------------------------

const incidents = []
let callout = null, wrote = 0, missed = 0
async function furnish() {
  const grids = (await ask('/ogc/collections/grids/items?limit=1')).data.features[0]
  const ring = grids.geometry.type === 'Polygon' ? grids.geometry.coordinates[0] : grids.geometry.coordinates[0][0]
  const at = [0, 1].map((k) => ring.slice(1).reduce((n, p) => n + p[k], 0) / (ring.length - 1))
  for (let i = 0; i < 8; i++) {
    const { data: made } = await ask(`/api/incidents/${v7()}`, { method: 'PUT', body: { kind: 'waterlogging', place: `浸泡测试 ${i + 1}`, geometry: { type: 'Point', coordinates: at } } })
    incidents.push(made)
  }
  const id = v7()
  await ask(`/api/callouts/${id}`, { method: 'PUT', body: { kind: 'call_out', title: '浸泡测试叫应', reason: '大屏长时间测试', areas: [grids.properties.code.slice(0, 9)], consulted: { name: '测试带班', post: '副局长' } } })
  const villages = (await ask(`/api/evacuation?callout=${id}`)).data.villages, targets = (await ask(`/api/callouts/${id}/targets`)).data.targets
  callout = { id, villages, targets, at }
}
let deaths = 0
/** change alters what there is, without there ever being more of it: an incident, a place, who moved, a call. */
async function change(n) {
  const i = n % incidents.length
  deaths = (deaths % 90) + 1
  const now = (await ask(`/api/incidents/${incidents[i].id}`)).data
  await ask(`/api/incidents/${now.id}`, { method: 'PATCH', match: now.etag, body: { figures: { deaths } } })
  const v = callout.villages[n % callout.villages.length]
  await ask(`/api/evacuation/${callout.id}/villages/${v.code}`, { method: 'POST', body: { op_id: v7(), mode: 'total', moved: n % 40, channel: 'phone' } })
  if (n % 5 === 0 && callout.targets.length > 1) await ask('/api/calls', { method: 'POST', body: { op_id: v7(), target: callout.targets[n % (callout.targets.length - 1)].id, outcome: 'answered', channel: 'phone' } })
  wrote++
}
/** truth is the figure the wall has to show: the deaths of all that is open and real. */
async function truth() {
  const { data: page } = await ask('/api/incidents?open=true&exercise=all&limit=200')
  return page.incidents.filter((x) => !x.exercise && !x.merged_into).map((x) => x.figures?.deaths).filter((x) => typeof x === 'number').reduce((a, b) => a + b, 0)
}

// ---- the wall -----------------------------------------------------------------------------

let browser, page, cdp, loads = 0
const faults = []
let wallToken = ''
const tokens = () => onemap(['token', 'list']).match(/^[0-9a-f-]{36}/gm) ?? []
async function hang() {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--js-flags=--expose-gc'] })
  const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: 1, locale: 'zh-CN', timezoneId: 'Asia/Shanghai' })
  const before = tokens(), token = onemap(['token', 'create', '--role', 'viewer', '--scope', 'wall', '--area', area, '--network', '127.0.0.0/8', '--expires', '30d']).split('\n').at(-1)
  wallToken = tokens().find((id) => !before.includes(id))
  const officer = cookie
  cookie = ''
  const wall = (await ask('/api/session', { method: 'POST', body: { token } })).cookie
  cookie = officer
  const [name, value] = wall.split('=')
  await context.addCookies([{ name, value, url: line.url, httpOnly: true }])
  page = await context.newPage()
  page.on('pageerror', (e) => faults.push(e.message))
  page.on('framenavigated', (f) => { if (f === page.mainFrame()) loads++ })
  page.on('crash', () => faults.push('the page crashed'))
  await page.goto(`${line.url}/command?wall=1`)
  cdp = await context.newCDPSession(page)
  await cdp.send('Performance.enable')
  await cdp.send('HeapProfiler.enable')
  await page.locator('[data-wall]').waitFor({ timeout: 120_000 })
  // Drawn by the processor the first picture takes its time: that there is a map is enough.
  await page.locator('canvas.maplibregl-canvas').waitFor({ timeout: 300_000 })
}
const attribute = (name) => page.evaluate((n) => document.documentElement.dataset[n] ?? '', name)
/** current waits until the wall is live and shows what is true; it answers in how many ms. */
async function current(what) {
  const from = Date.now()
  for (let shown = '', want = null; ;) {
    try {
      want = await truth()
      shown = await page.evaluate(() => document.documentElement.dataset.live + ' ' + (document.querySelector('[data-wall] main > dl > div:last-child dd')?.textContent ?? '').split('/')[0].replace(/[^0-9]/g, ''))
      if (shown === `live ${want}`) return Date.now() - from
    } catch (e) { shown = e.message }
    if (Date.now() - from > 180_000) throw new Error(`after ${what} the wall does not come back: it shows "${shown}", ${want} is true`)
    await sleep(250)
  }
}
const samples = []
async function sample() {
  for (let i = 0; i < 3; i++) await cdp.send('HeapProfiler.collectGarbage')
  const m = Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((x) => [x.name, x.value]))
  const s = { at: Date.now(), heap: m.JSHeapUsedSize / 1048576, nodes: m.Nodes, listeners: m.JSEventListeners, documents: m.Documents, reconnects: Number(await attribute('reconnects')) || 0, restored: Number(await attribute('restored')) || 0, load: loadavg()[0] }
  samples.push(s)
  if (process.env.SOAK_OUT) appendFileSync(process.env.SOAK_OUT, `${JSON.stringify(s)}\n`)
  say(`heap ${s.heap.toFixed(1)} MB  nodes ${s.nodes}  listeners ${s.listeners}  reconnects ${s.reconnects}  restored ${s.restored}  writes ${wrote}  load ${s.load.toFixed(1)}`)
}

// ---- what happens to it -----------------------------------------------------------------------

/** away waits until the wall says that it is cut off, for how long and of when its picture is, and shows it grey. */
const said = {}
async function away(what) {
  const from = Date.now()
  await page.waitForFunction(() => {
    const text = document.querySelector('[data-cut]')?.textContent ?? ''
    return /连接中断 \d/.test(text) && /\d\d:\d\d:\d\d/.test(text) && getComputedStyle(document.querySelector('[data-wall] main')).filter.includes('grayscale') && document.documentElement.dataset.live !== 'live'
  }, undefined, { timeout: 60_000, polling: 250 }).catch((e) => { throw new Error(`${what}, and the wall does not say so: ${e.message}`) })
  ;(said[what] ??= []).push(Date.now() - from)
}
let hold = false // nobody writes while the server is away
const disturbances = {
  async graphics() {
    const before = Number(await attribute('restored')) || 0
    await page.evaluate(() => new Promise((resolve) => {
      const x = document.querySelector('canvas.maplibregl-canvas').getContext('webgl2').getExtension('WEBGL_lose_context')
      x.loseContext()
      setTimeout(() => { x.restoreContext(); resolve() }, 2000)
    }))
    await page.waitForFunction((n) => Number(document.documentElement.dataset.restored) > n, before, { timeout: 120_000, polling: 250 })
  },
  async restart() { hold = true; await down(); await sleep(3000); await up(); hold = false },
  async sleep() {
    await cdp.send('Page.setWebLifecycleState', { state: 'frozen' })
    await sleep(30_000)
    await cdp.send('Page.setWebLifecycleState', { state: 'active' })
  },
  async network() { line.cut(); await away('the line was cut'); await sleep(10_000); line.mend() },
  async swallow() { line.swallow(); await away('the line swallows'); await sleep(25_000); line.mend() },
  async offline() {
    await page.context().setOffline(true)
    await away('the machine has no network')
    await sleep(5000)
    await page.context().setOffline(false)
  },
}
/** slope is the median of all slopes between two samples (Theil-Sen), for an hour: one sample out of line does not turn it. */
function slope(list, of) {
  const all = []
  for (let i = 0; i < list.length; i++) for (let j = i + 1; j < list.length; j++) all.push(((of(list[j]) - of(list[i])) / (list[j].at - list[i].at)) * 3_600_000)
  all.sort((a, b) => a - b)
  return all.length > 0 ? all[all.length >> 1] : 0
}

let failed = ''
try {
  await up()
  const login = `soak.${Date.now().toString(36)}`
  onemap(['user', 'add', login, '--role', 'duty_officer', '--area', area, '--name', '浸泡测试', '--password-stdin'], `${password}\n`)
  ;({ cookie } = await ask('/api/session', { method: 'POST', body: { username: login, password } }))
  await furnish()
  await hang()
  say(`the wall hangs at ${url}, ${incidents.length} incidents, ${callout.villages.length} villages, ${callout.targets.length} to call`)
  const from = Date.now(), end = from + minutes * 60_000
  let n = 0, running = true
  const writer = (async () => {
    while (running) {
      if (!hold) try { await change(n++) } catch { missed++ }
      await sleep(2000)
    }
  })()
  const back = {}, kinds = process.env.SOAK_KINDS?.split(',') ?? Object.keys(disturbances)
  /** still looks with the writer at rest: what is true then does not change while it is asked for. */
  const still = async (what) => { hold = true; await sleep(500); try { return await current(what) } finally { hold = false } }
  await still('hanging it up')
  await sample()
  for (let turn = 0; Date.now() < end; turn++) {
    const what = kinds[turn % kinds.length], next = Date.now() + everyS * 1000
    await disturbances[what]()
    const ms = await still(what)
    ;(back[what] ??= []).push(ms)
    say(`${what}: back after ${(ms / 1000).toFixed(1)} s`)
    while (Date.now() < Math.min(next, end)) await sleep(500)
    await sample()
  }
  running = false
  await writer
  // A machine that is busy lets the page wait for its turn; then what it says has to go away again.
  await page.locator('[data-cut]').waitFor({ state: 'detached', timeout: 120_000 }).catch(() => { throw new Error('the line is whole, and the wall says it is cut') })
  // Revoked, nothing of the picture may stay.
  const revoked = Date.now()
  onemap(['token', 'revoke', wallToken])
  await page.locator('[data-gone]').waitFor({ timeout: 90_000 })
  const gone = Date.now() - revoked

  // The first quarter warms up: code is compiled, tiles are read.
  const rest = samples.filter((s) => s.at > from + (Date.now() - from) / 4)
  const grows = { heap: slope(rest, (s) => s.heap), nodes: slope(rest, (s) => s.nodes), listeners: slope(rest, (s) => s.listeners) }
  const last = samples.at(-1), heaps = rest.map((s) => s.heap)
  console.log(JSON.stringify({
    minutes: (Date.now() - from) / 60_000, samples: samples.length, writes: wrote, writes_missed: missed, loads, reconnects: last.reconnects, restored: last.restored, said_after_ms: said, said_revoked_after_ms: gone,
    heap_mb: { first: samples[0].heap, last: last.heap, least: Math.min(...heaps), most: Math.max(...heaps), per_hour: grows.heap }, nodes: { first: samples[0].nodes, last: last.nodes, per_hour: grows.nodes },
    listeners: { first: samples[0].listeners, last: last.listeners, per_hour: grows.listeners }, back_ms: back, load: { most: Math.max(...samples.map((s) => s.load)), last: last.load }, faults,
  }, (k, v) => (typeof v === 'number' && !Number.isInteger(v) ? Number(v.toFixed(2)) : v), 1))
  if (rest.length < 3) failed = 'too short to say anything: SOAK_MINUTES'
  for (const k of Object.keys(bounds)) if (grows[k] > bounds[k]) failed = `${k} grow by ${grows[k].toFixed(1)} an hour, ${bounds[k]} may be`
  if (loads > 1) failed = `the page was loaded ${loads} times: it did not come back by itself`
  if (faults.length > 0) failed = `faults: ${faults.slice(0, 5).join(' | ')}`
} catch (e) {
  failed = e.stack ?? String(e)
} finally {
  await browser?.close()
  relay.close()
  line.cut()
  await down()
  if (!process.env.SOAK_DATA) rmSync(data, { recursive: true, force: true })
}
if (failed) { console.error(failed); process.exitCode = 1 } else console.log('flat')
