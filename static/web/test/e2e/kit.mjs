// What every browser test needs: one browser, pages that record what must not happen,
// waiting for states instead of time, and a wire that can be cut.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { chromium } from 'playwright-core'

export const base = process.env.ONEMAP_E2E_URL
if (!base) throw new Error('ONEMAP_E2E_URL is not set; run npm run test:e2e')

let browser
export async function launch(options = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'], ...options })
  return browser
}
export async function shut() {
  await browser?.close()
  browser = undefined
}

// Noise of software rendering, not of ours.
const noise = /GPU stall|GL Driver Message|Automatic fallback to software WebGL/

/** open makes a fresh context and page; `faults` gathers errors, policy violations and requests to other hosts. */
export async function open(path = '/', { size = { width: 1024, height: 640 }, context: extra = {}, from = base, wait = true } = {}) {
  const b = await launch()
  const context = await b.newContext({ viewport: size, deviceScaleFactor: 1, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', ...extra })
  const page = await context.newPage()
  const faults = []
  watch(page, faults, from)
  await go(page, path, { from, wait })
  return { page, context, faults, close: () => context.close() }
}

export function watch(page, faults, from = base) {
  const own = new URL(from).origin
  page.on('pageerror', (e) => faults.push(`error: ${e.message}`))
  page.on('console', (m) => {
    if (m.type() === 'error' && !noise.test(m.text())) faults.push(`console: ${m.text()}`)
    if (m.type() === 'warning' && /could not be loaded|Content Security Policy|layer .* does not exist/i.test(m.text())) faults.push(`warning: ${m.text()}`)
  })
  page.on('request', (r) => { if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== own) faults.push(`foreign: ${r.url()}`) })
  page.on('response', (r) => { if (r.status() >= 400) faults.push(`${r.status()} ${r.url()}`) })
}

export async function go(page, path, { from = base, wait = true } = {}) {
  const url = new URL(path, from)
  url.searchParams.set('e2e', '1')
  await page.goto(url.href)
  if (wait) await ready(page)
}

export const ready = (page) => page.waitForFunction(() => document.documentElement.dataset.ready === '1', undefined, { timeout: 120_000, polling: 100 })

/** settled waits until the map has drawn what it was told to and has read its scene. */
export async function settled(page) {
  await page.evaluate(() => new Promise((resolve) => {
    const m = window.__map
    const done = () => { if (m.areTilesLoaded() && !m.isMoving()) setTimeout(resolve, 60); else m.once('idle', done) }
    m.once('idle', done)
    m.triggerRepaint()
  }))
}

export const until = (page, expression, arg) => page.waitForFunction(expression, arg, { timeout: 60_000, polling: 50 })

export async function api(path, headers = {}) {
  const r = await fetch(base + path, { headers })
  if (!r.ok) throw new Error(`${r.status} ${path}: ${await r.text()}`)
  return r.json()
}

/** inside answers a place that is surely within a feature. */
export function inside(geometry) {
  switch (geometry.type) {
    case 'Point': return geometry.coordinates
    case 'MultiPoint': return geometry.coordinates[0]
    case 'LineString': return between(geometry.coordinates)
    case 'MultiLineString': return between(geometry.coordinates[0])
    case 'Polygon': return widest(geometry.coordinates)
    case 'MultiPolygon': return widest(geometry.coordinates.reduce((a, b) => (size(b) > size(a) ? b : a)))
    default: return inside(geometry.geometries[0])
  }
}
const between = (c) => { const i = Math.floor((c.length - 1) / 2); const a = c[i], b = c[i + 1] ?? a; return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] }
const size = (p) => { const xs = p[0].map((c) => c[0]), ys = p[0].map((c) => c[1]); return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys)) }
function widest(rings) {
  const ys = rings[0].map((c) => c[1])
  const south = Math.min(...ys), north = Math.max(...ys)
  let best = rings[0][0], width = 0
  for (let k = 1; k < 12; k++) {
    const y = south + ((north - south) * (k + 0.03)) / 12.1
    const cuts = []
    for (const ring of rings) for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [xi, yi] = ring[i], [xj, yj] = ring[j]
      if (yi > y !== yj > y) cuts.push(((xj - xi) * (y - yi)) / (yj - yi) + xi)
    }
    cuts.sort((a, b) => a - b)
    for (let i = 0; i + 1 < cuts.length; i += 2) if (cuts[i + 1] - cuts[i] > width) { width = cuts[i + 1] - cuts[i]; best = [(cuts[i] + cuts[i + 1]) / 2, y] }
  }
  return best
}

/** sql speaks to the server's private database, as its owner would from the command line. */
export function sql(statement) {
  const data = process.env.ONEMAP_E2E_DATA
  if (!data) throw new Error('ONEMAP_E2E_DATA is not set: no database to change')
  const socket = readFileSync(`${data}/pg/postmaster.pid`, 'utf8').split('\n')[4]
  return execFileSync('psql', ['-h', socket, '-U', 'postgres', '-d', 'onemap', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-c', statement], { encoding: 'utf8' }).trim()
}

/** wire is a TCP relay to the server that can be cut and mended: what a bad line looks like. */
export async function wire(to = base) {
  const target = new URL(to)
  const live = new Set()
  let cut = false
  const relay = createServer((from) => {
    if (cut) { from.destroy(); return }
    const to = connect(Number(target.port), target.hostname)
    live.add(from)
    live.add(to)
    const end = () => { from.destroy(); to.destroy(); live.delete(from); live.delete(to) }
    for (const s of [from, to]) { s.on('error', end); s.on('close', end) }
    from.pipe(to)
    to.pipe(from)
  })
  await new Promise((r) => relay.listen(0, '127.0.0.1', r))
  return {
    url: `${target.protocol}//127.0.0.1:${relay.address().port}`,
    cut() { cut = true; for (const s of live) s.destroy() },
    mend() { cut = false },
    close() { cut = true; for (const s of live) s.destroy(); relay.close() },
  }
}
