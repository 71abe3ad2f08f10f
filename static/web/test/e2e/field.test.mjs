// The phone as its user has it: over https, with the server's own certificate authority,
// through the screens alone. What the core does by itself is in fieldcore.test.mjs.
//
// A server that runs already is used as it is: ONEMAP_FIELD_TLS_URL, ONEMAP_FIELD_TLS_DATA.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import https from 'node:https'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { chromium, devices } from 'playwright-core'
import { inside, launch, shut, until } from './kit.mjs'
import { startServer } from './server.mjs'

const here = new URL('.', import.meta.url).pathname
const bin = process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const password = 'Shanhe-2026-x'
const tag = `${process.pid}${Date.now() % 100000}`
let server, base, duty, grid, centre, login

function user(role, area, name) {
  const id = `${role.slice(0, 4)}.${tag}.${name.length}`
  execFileSync(bin, ['user', 'add', id, '--role', role, '--area', area, '--name', name, '--password-stdin', '--data', server.data], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] })
  return id
}
/** ask speaks to the API as a program would; nobody but this test knows the authority. */
const ask = (path, { method = 'GET', body, cookie } = {}) => new Promise((resolve, reject) => {
  const r = https.request(base + path, { method, rejectUnauthorized: false, headers: { Accept: 'application/json', Origin: base, ...(cookie ? { Cookie: cookie } : {}), ...(body ? { 'Content-Type': 'application/json' } : {}) } }, (a) => {
    const parts = []
    a.on('data', (d) => parts.push(d))
    a.on('end', () => {
      const text = Buffer.concat(parts).toString()
      let data = null
      try { data = JSON.parse(text) } catch { /* no JSON */ }
      resolve({ status: a.statusCode, text, data, cookie: a.headers['set-cookie']?.[0].split(';')[0] })
    })
  })
  r.on('error', reject)
  r.end(body && JSON.stringify(body))
})
async function asker(name) {
  const r = await ask('/api/session', { method: 'POST', body: { username: name, password } })
  assert.equal(r.status, 200, r.text)
  return (path, more = {}) => ask(path, { ...more, cookie: r.cookie })
}
async function link() {
  const people = await duty(`/api/users?q=${encodeURIComponent(login)}`)
  const r = await duty('/api/enrolments', { method: 'POST', body: { account: (people.data.users ?? people.data.items)[0].id } })
  assert.equal(r.status, 201, r.text)
  return r.data.link
}
const listed = (d) => d.dangers ?? d.items ?? []
/** arrived counts, at the server, the dangers that carry a text. */
async function arrived(text) {
  const r = await duty('/api/dangers?limit=200')
  assert.equal(r.status, 200, r.text)
  return listed(r.data).filter((d) => String(d.description ?? d.fields?.description ?? '').includes(text))
}

const options = (more = {}) => ({ ...devices['Pixel 7'], viewport: { width: 390, height: 844 }, deviceScaleFactor: 1, serviceWorkers: 'allow', locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', permissions: ['geolocation'], geolocation: { latitude: centre[1], longitude: centre[0], accuracy: 8 }, ...more })
// The browser knows the server's certificate by its key. To ignore all errors of certificates
// would not do: a worker's script from the cache is then refused, and the map stays away offline.
const args = ['--no-sandbox']
const home = (page) => page.locator('[data-do="urgent"]').waitFor({ timeout: 60_000 })
async function go(page, at = base) {
  await page.goto(`${at}/field?e2e=1`)
  await until(page, () => document.documentElement.dataset.ready === '1')
}
/** enter signs a phone in through its own door. */
async function enter(page, at = base) {
  await go(page, at)
  await page.evaluate(() => { location.hash = '#/door' })
  await page.locator('#door-code').fill(await link())
  await page.locator('[data-do="enrol"]').click()
  await home(page)
  await page.locator('.state.on').waitFor()
  await until(page, () => window.__core.home()?.grid && window.__core.dictionary('dangers'))
}
const kept = (page) => page.evaluate(async () => { const r = await navigator.serviceWorker.ready; return Boolean(r.active) })
const waiting = (page, n) => page.locator(`[data-waiting="${n}"]`).waitFor({ timeout: 60_000 })
const photo = async (page) => Buffer.from(await page.evaluate(async () => {
  const c = document.createElement('canvas')
  c.width = 1800
  c.height = 1200
  const g = c.getContext('2d')
  for (let i = 0; i < 900; i++) { g.fillStyle = `hsl(${(i * 37) % 360} 60% 50%)`; g.fillRect((i * 61) % 1800, (i * 97) % 1200, 90, 90) }
  const b = await new Promise((r) => c.toBlob(r, 'image/jpeg', 0.9))
  return [...new Uint8Array(await b.arrayBuffer())]
}))
/** fill opens the form of a hidden danger and fills it in: a kind, words, a photo. */
async function fill(page, text, { picture = true } = {}) {
  await page.locator('[data-do="do_dangers"]').click()
  await page.locator('[data-field="kind"] button').first().click()
  await page.locator('[data-field="description"] textarea').fill(text)
  if (picture) {
    await page.locator('[data-photo="choose"]').setInputFiles({ name: 'a.jpg', mimeType: 'image/jpeg', buffer: await photo(page) })
    await page.locator('.photos img').waitFor()
  }
  await page.locator('[data-position="fix"]').waitFor()
}
async function send(page) {
  await page.locator('[data-do="send"]').click()
  // Marks of the other tests stand at the same place: it is another one.
  await page.locator('[data-do="not-same"]').or(page.locator('[data-do="urgent"]')).first().waitFor()
  if (await page.locator('[data-do="not-same"]').count()) await page.locator('[data-do="not-same"]').click()
  await home(page)
}

before(async () => {
  server = process.env.ONEMAP_FIELD_TLS_URL ? { url: process.env.ONEMAP_FIELD_TLS_URL, data: process.env.ONEMAP_FIELD_TLS_DATA, stop: async () => {} } : await startServer({ tls: true })
  base = server.url
  duty = await asker(user('duty_officer', '990100', '赵值班'))
  const g = (await duty('/ogc/collections/grids/items?limit=1')).data.features[0]
  grid = g.properties.code
  centre = inside(g.geometry).map((v) => Math.round(v * 1e6) / 1e6)
  login = user('grid_worker', grid, '王网格员')
  const key = new X509Certificate(readFileSync(join(server.data, 'tls', 'server.crt'))).publicKey.export({ type: 'spki', format: 'der' })
  args.push(`--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`)
  await launch({ args })
})
after(async () => { await shut(); await server?.stop() })

describe('a phone over https', () => {
  it('is signed in at its door, and opens again without network', async () => {
    const context = await (await launch()).newContext(options())
    const page = await context.newPage()
    const faults = []
    page.on('pageerror', (e) => faults.push(e.message))
    page.on('console', (m) => { if (/Content Security Policy/.test(m.text())) faults.push(m.text()) })
    await enter(page)
    assert.match(await page.locator('.grid-name').innerText(), /\S/)
    assert.ok(await kept(page))
    await until(page, () => navigator.serviceWorker.controller !== null)
    await context.setOffline(true)
    await page.reload()
    await home(page)
    await page.locator('.state.off').waitFor()
    assert.match(await page.locator('.state').innerText(), /没有网,照样能报/)
    // Forms and the map are there, too.
    await page.locator('[data-do="do_dangers"]').click()
    assert.ok(await page.locator('[data-field="kind"] button').count() > 3)
    await page.goBack()
    await page.evaluate(() => { location.hash = '#/map' })
    await page.locator('[data-map][data-idle]').waitFor()
    assert.deepEqual(faults, [])
    await context.close()
  })

  it('every screen is clean for a reader, has room for a thumb, and bears letters twice as large', { timeout: 600_000 }, async () => {
    const context = await (await launch()).newContext(options({ viewport: { width: 360, height: 640 }, bypassCSP: true }))
    const page = await context.newPage()
    await enter(page)
    const look = async (name) => {
      await page.addScriptTag({ content: axe })
      const found = await page.evaluate(async () => {
        const { violations } = await window.axe.run(document, { resultTypes: ['violations'] })
        const width = document.documentElement.clientWidth
        const seen = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && !e.closest('.off-screen, .skip') && !e.matches('.off-screen') }
        return [
          ...violations.map((v) => `${v.id} ${v.nodes[0].target.join(' ')}`),
          ...[...document.querySelectorAll('button, a[href], label.act, select, input, textarea')].filter((e) => seen(e) && (e.getBoundingClientRect().height < 44 || e.getBoundingClientRect().width < 44)).map((e) => `small: ${e.className} ${e.textContent.trim().slice(0, 20)}`),
          ...[...document.querySelectorAll('main *, footer *, nav *')].filter((e) => seen(e) && !e.closest('[data-map]') && e.getBoundingClientRect().right > width + 1).slice(0, 2).map((e) => `too wide: ${e.className}`),
        ]
      })
      assert.deepEqual(found, [], name)
    }
    for (const scale of ['1', '2']) {
      await page.evaluate((s) => localStorage.setItem('onemap.field.size', s), scale)
      await go(page)
      for (const place of ['home', 'urgent', 'shelters', 'outbox', 'tasks', 'packs', 'households', 'routes', 'me', 'door', 'help']) {
        await page.evaluate((p) => { location.hash = `#/${p}` }, place)
        await page.locator('main h1, header h1').first().waitFor()
        await look(`${place} at ${scale}`)
      }
      await page.evaluate(() => { location.hash = '#/home' })
      await page.locator('[data-do="do_dangers"]').click()
      await page.locator('[data-field="kind"]').waitFor()
      await look(`form at ${scale}`)
      await page.goBack()
    }
    await context.close()
  })

  it('a mark with a photo, made without network, outlives the browser and arrives exactly once', { timeout: 300_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'onemap-phone-'))
    const text = `屋后边坡裂缝 ${tag}a`
    const open = () => chromium.launchPersistentContext(dir, { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args, ...options() })
    try {
      let context = await open()
      let page = context.pages()[0] ?? await context.newPage()
      await enter(page)
      assert.ok(await kept(page))
      await until(page, () => navigator.serviceWorker.controller !== null)
      await context.setOffline(true)
      await page.reload()
      await home(page)
      await fill(page, text)
      await send(page)
      await waiting(page, 1)
      await fill(page, `没写完 ${tag}b`, { picture: false })
      await page.locator('.kept').waitFor() // 草稿已存
      await context.close()

      context = await open()
      await context.setOffline(true)
      page = context.pages()[0] ?? await context.newPage()
      await page.goto(`${base}/field?e2e=1`)
      await home(page)
      await waiting(page, 1)
      await page.getByText('接着填').click()
      assert.equal(await page.locator('[data-field="description"] textarea').inputValue(), `没写完 ${tag}b`)
      await page.goBack()
      assert.deepEqual(await arrived(text), [])
      await context.setOffline(false)
      await waiting(page, 0)
      const there = await arrived(text)
      assert.equal(there.length, 1)
      await page.evaluate(() => { location.hash = '#/outbox' })
      await page.getByText('照片 1 张,已到 1 张').waitFor({ timeout: 60_000 })
      assert.equal(await page.locator('[data-state="received"]').count(), 1)
      // Sent again by hand, and after another start: still one.
      await page.evaluate(() => window.__core.sendNow())
      await page.reload()
      assert.equal((await arrived(text)).length, 1)
      assert.equal((await arrived(`${tag}b`)).length, 0, 'a draft was sent')
      await context.close()
    } finally { rmSync(dir, { recursive: true, force: true }) }
  })

  it('an answer that is lost on the way makes no second mark', { timeout: 300_000 }, async () => {
    // A line between phone and server: muted, what the phone sends arrives and the answers do not.
    const target = new URL(base)
    const live = new Set()
    let mute = false, swallowed = 0
    const relay = createServer((from) => {
      const to = connect(Number(target.port), target.hostname)
      live.add(from).add(to)
      const end = () => { from.destroy(); to.destroy(); live.delete(from); live.delete(to) }
      for (const s of [from, to]) { s.on('error', end); s.on('close', end) }
      from.pipe(to)
      to.on('data', (d) => { if (mute) swallowed += d.length; else from.write(d) })
    })
    await new Promise((r) => relay.listen(0, '127.0.0.1', r))
    const context = await (await launch()).newContext(options())
    const page = await context.newPage()
    const text = `堤脚渗水 ${tag}c`
    await enter(page, `https://127.0.0.1:${relay.address().port}`)
    await until(page, () => window.__core.outbox().length === 0 && window.__core.status().lastSync !== null)
    mute = true
    await fill(page, text, { picture: false })
    await send(page)
    const end = Date.now() + 60_000
    while ((await arrived(text)).length === 0) { assert.ok(Date.now() < end, 'the server never got it'); await new Promise((r) => setTimeout(r, 200)) }
    assert.ok(swallowed > 0)
    assert.equal(await page.evaluate(() => window.__core.status().pending), 1, 'the phone believes what nobody told it')
    for (const s of live) s.destroy()
    mute = false
    await page.evaluate(() => window.__core.sendNow())
    await waiting(page, 0)
    assert.equal((await arrived(text)).length, 1)
    await context.close()
    for (const s of live) s.destroy()
    relay.close()
  })

  it('a newer app is started by hand, and what waits goes through it', { timeout: 300_000 }, async () => {
    // Between phone and server: a later build of the app, and a door of the delivery that is shut for now.
    const tls = (name) => readFileSync(join(server.data, 'tls', name))
    let newer = false, shut = false
    const between = https.createServer({ key: tls('server.key'), cert: tls('server.crt') }, (q, r) => {
      if (shut && q.url === '/api/sync') { r.writeHead(503, { 'Retry-After': '1' }); r.end(); return }
      const worker = q.url.startsWith('/field-sw.js')
      const to = https.request(base + q.url, { method: q.method, rejectUnauthorized: false, headers: { ...q.headers, ...(worker ? { 'accept-encoding': 'identity', 'if-none-match': '' } : {}) } }, (a) => {
        const { 'content-length': _, etag: __, ...head } = a.headers
        r.writeHead(a.statusCode, worker ? head : a.headers)
        a.pipe(r, { end: !worker })
        if (worker) a.on('end', () => r.end(newer ? '\n// a later build' : ''))
      })
      to.on('error', () => r.destroy())
      q.pipe(to)
    })
    await new Promise((r) => between.listen(0, '127.0.0.1', r))
    const context = await (await launch()).newContext(options())
    const page = await context.newPage()
    const text = `换版本 ${tag}e`
    await enter(page, `https://127.0.0.1:${between.address().port}`)
    await until(page, () => navigator.serviceWorker.controller !== null)
    shut = true
    await fill(page, text)
    await send(page)
    await waiting(page, 1)
    newer = true
    await page.evaluate(async () => { window.__old = true; await (await navigator.serviceWorker.getRegistration()).update() })
    await page.getByText('现在更新').click({ timeout: 60_000 })
    await until(page, () => window.__old === undefined && document.documentElement.dataset.ready === '1')
    await waiting(page, 1)
    assert.deepEqual(await arrived(text), [])
    shut = false
    await page.evaluate(() => { window.__core.sendNow() })
    await waiting(page, 0)
    assert.equal((await arrived(text)).length, 1)
    await page.evaluate(() => { location.hash = '#/outbox' })
    await page.getByText('照片 1 张,已到 1 张').waitFor({ timeout: 60_000 })
    await context.close()
    between.closeAllConnections()
    between.close()
  })

  it('险情 without network sounds and offers to call; with it, it shows who saw it', { timeout: 300_000 }, async () => {
    const context = await (await launch()).newContext(options())
    await context.addInitScript(() => { const start = OscillatorNode.prototype.start; window.__beeps = 0; OscillatorNode.prototype.start = function (...a) { window.__beeps++; return start.apply(this, a) } })
    const page = await context.newPage()
    await enter(page)
    await context.setOffline(true)
    await page.locator('[data-do="urgent"]').click()
    await page.getByText('误差约').waitFor()
    assert.equal(await page.locator('.kind').count(), 9)
    await page.locator('[data-kind="landslide"]').click()
    await page.locator('[data-urgent="waiting"]').waitFor()
    assert.equal(await page.evaluate(() => window.__beeps), 0)
    assert.match(await page.locator('main').innerText(), /网页关掉以后不能响铃/)
    await page.locator('[data-urgent="late"]').waitFor({ timeout: 120_000 })
    assert.match(await page.locator('[data-urgent]').innerText(), /没有发出去/)
    await until(page, () => window.__beeps > 0)
    const calls = await page.locator('footer a').evaluateAll((all) => all.map((a) => decodeURIComponent(a.href)))
    assert.ok(calls.some((c) => c.startsWith('tel:')), calls.join(' '))
    const sms = calls.find((c) => c.startsWith('sms:'))
    assert.match(sms, /滑坡/)
    assert.ok(sms.includes(String(centre[0]).slice(0, 6)) && sms.includes(String(centre[1]).slice(0, 5)), sms)
    await page.getByText('停止响铃').click()
    const beeps = await page.evaluate(() => new Promise((r) => setTimeout(() => { const n = window.__beeps; setTimeout(() => r([n, window.__beeps]), 3000) }, 500)))
    assert.equal(beeps[0], beeps[1], 'it rings on')
    await context.setOffline(false)
    await page.locator('[data-urgent="there"]').waitFor({ timeout: 60_000 })
    assert.match(await page.locator('[data-urgent]').innerText(), /已到县里 \d\d:\d\d/)
    // The officer opens it; the phone learns who.
    const id = await page.evaluate(() => window.__core.outbox().find((o) => o.urgent).id)
    const reports = await duty('/api/incident-reports?limit=200')
    assert.equal((reports.data.reports ?? reports.data.items).filter((r) => r.id === id).length, 1)
    assert.equal((await duty(`/api/incident-reports/${id}`)).status, 200)
    await page.evaluate(() => window.__core.sendNow())
    await page.locator('[data-urgent]').getByText(/赵值班.*已看到/).waitFor({ timeout: 60_000 })
    await context.close()
  })

  it('says so when the phone is nearly full, and goes on keeping', async () => {
    const context = await (await launch()).newContext(options())
    await context.addInitScript(() => { navigator.storage.estimate = async () => ({ usage: 950e6, quota: 1000e6 }) })
    const page = await context.newPage()
    await enter(page)
    await page.getByText('手机空间快满了').waitFor()
    await context.setOffline(true)
    await fill(page, `满了也存 ${tag}d`, { picture: false })
    await send(page)
    await waiting(page, 1)
    await context.close()
  })
})
