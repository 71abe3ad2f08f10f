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
import { networkInterfaces, tmpdir } from 'node:os'
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
let server, base, duty, grid, centre, login, route

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
async function link(who = login) {
  const people = await duty(`/api/users?q=${encodeURIComponent(who)}`)
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

/** place is a grid and a point within it. */
async function place(code) {
  const f = (await duty(`/ogc/collections/grids/items?limit=1&code=${code}`)).data.features[0]
  return [f.properties.code, inside(f.geometry).map((v) => Math.round(v * 1e6) / 1e6)]
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
async function enter(page, at = base, who = login) {
  await go(page, at)
  await page.evaluate(() => { location.hash = '#/door' })
  await page.locator('#door-code').fill(await link(who))
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
/** look asks of a screen: is it clean for a reader, has a thumb room, is nothing cut off. */
async function look(page, name) {
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
  server = process.env.ONEMAP_FIELD_TLS_URL ? { url: process.env.ONEMAP_FIELD_TLS_URL, data: process.env.ONEMAP_FIELD_TLS_DATA, stop: async () => {} } : await startServer({ tls: true, wide: true })
  base = server.url
  duty = await asker(user('duty_officer', '990100', '赵值班'))
  // How long a 险情 waits is a rule and no code: this county wants to hear after six seconds.
  const rules = await asker(user('data_engineer', 'all', '孙工'))
  const set = await rules('/api/rule-sets/field_work/versions', { method: 'POST', body: { reason: '本县要求六秒没有回音就响铃', standard: '本县值守制度', body: { urgent_wait_s: 6, take_after_s: 120, outbox_warn_h: 24, photos_max: 9, accuracy_warn_m: 30, desk_county_after_h: 4, patrols_per_day: 1 } } })
  assert.equal(set.status, 201, set.text)
  // A grid with a way out of its own.
  const ways = await duty('/api/evacuation-routes?area=990100')
  assert.equal(ways.status, 200, ways.text)
  route = (ways.data.items ?? ways.data.routes)[0]
  ;[grid, centre] = await place(route.area)
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
    assert.match(await page.locator('.state').innerText(), /没有网，照样能报/)
    // Forms and the map are there, too.
    await page.locator('[data-do="do_dangers"]').click()
    assert.ok(await page.locator('[data-field="kind"] button').count() > 3)
    await page.goBack()
    await page.evaluate(() => { location.hash = '#/map' })
    await page.locator('[data-map][data-idle]').waitFor()
    assert.deepEqual(faults, [])
    await context.close()
  })

  it('every screen is clean for a reader, has room for a thumb, and bears letters twice as large, by day and by night, in both languages', { timeout: 600_000 }, async () => {
    const context = await (await launch()).newContext(options({ viewport: { width: 360, height: 640 }, bypassCSP: true }))
    const page = await context.newPage()
    await enter(page)
    for (const [size, theme, lang] of [['1', 'light', 'zh-CN'], ['2', 'dark', 'zh-CN'], ['1.25', 'light', 'en']]) {
      const how = `${size} ${theme} ${lang}`
      await page.evaluate(([size, theme, lang]) => { for (const [k, v] of [['field.size', size], ['theme', theme], ['lang', lang]]) localStorage.setItem(`onemap.${k}`, v) }, [size, theme, lang])
      await go(page)
      await home(page)
      assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dataset.theme, getComputedStyle(document.documentElement).fontSize, document.documentElement.hasAttribute('data-big')]), [lang, theme, `${16 * size}px`, size === '2'])
      for (const at of ['home', 'urgent', 'shelters', 'outbox', 'tasks', 'packs', 'households', 'routes', 'me', 'door', 'help', 'map']) {
        await page.evaluate((p) => { location.hash = `#/${p}` }, at)
        await page.locator('main h1, header h1').first().waitFor()
        if (at === 'map') await page.locator('[data-map][data-drawn]').waitFor()
        await look(page, `${at}, ${how}`)
      }
      for (const kind of ['do_dangers', 'do_damage', 'do_hazards']) {
        await page.evaluate(() => { location.hash = '#/home' })
        await page.locator(`[data-do="${kind}"]`).click()
        await page.locator('[data-position="fix"]').waitFor()
        await look(page, `form ${kind}, ${how}`)
      }
      await page.evaluate(() => { location.hash += '/pick' })
      await page.locator('[data-map][data-drawn]').waitFor()
      await look(page, `pick, ${how}`)
    }
    await context.close()
  })

  it('a mark takes at most four taps; 打卡 and 零报告 take one and are counted', { timeout: 300_000 }, async () => {
    const page = await (await (await launch()).newContext(options())).newPage()
    await enter(page)
    const tapped = {}
    const marks = { dangers: ['[data-do="do_dangers"]', '[data-field="kind"] button', '[data-field="description"] .chips button'], hazards: ['[data-do="do_hazards"]', '[data-field="hazard"] button'], incident_reports: ['[data-do="do_damage"]', '[data-field="kind"] button'], shelter_checks: ['[data-do="do_shelter"]', '[data-shelter]', '[data-do="all-good"]'] }
    for (const [kind, taps] of Object.entries(marks)) {
      tapped[kind] = 0
      for (const t of [...taps, '[data-do="send"]']) {
        // The position comes by itself; he does not tap for it.
        if (t === '[data-do="send"]' && kind !== 'shelter_checks') await page.locator('[data-position="fix"]').waitFor()
        await page.locator(t).first().click()
        tapped[kind]++
      }
      await page.locator('[data-do="not-same"]').or(page.locator('[data-do="urgent"]')).first().waitFor()
      if (await page.locator('[data-do="not-same"]').count()) { await page.locator('[data-do="not-same"]').click(); await home(page) }
    }
    assert.ok(Object.values(tapped).every((n) => n <= 4), JSON.stringify(tapped))
    const counted = async () => { const r = await duty(`/api/patrols/summary?area=${grid}&from=${new Date(Date.now() - 86400e3).toISOString().slice(0, 10)}&to=${new Date(Date.now() + 86400e3).toISOString().slice(0, 10)}`); assert.equal(r.status, 200, r.text); return r.text }
    const before = await counted()
    await page.locator('[data-do="do_patrol"]').click()
    await page.locator('[data-do="do_zero"]').click()
    await until(page, () => window.__core.outbox().length >= 6 && window.__core.outbox().every((o) => !['waiting', 'sending'].includes(o.state)))
    // The nearest shelter may be his neighbour's: then a desk looks at the check, and nothing else is wrong with it.
    assert.deepEqual(await page.evaluate(() => window.__core.outbox().filter((o) => o.state !== 'received' && !(o.kind === 'shelter_checks' && o.reason?.zh === '不在您的责任区内')).map((o) => `${o.kind} ${o.state} ${o.verdict} ${o.reason?.zh}`)), [])
    assert.deepEqual((await page.evaluate(() => window.__core.outbox().map((o) => o.kind))).sort(), ['dangers', 'hazards', 'incident_reports', 'patrols', 'patrols', 'shelter_checks'])
    assert.notEqual(await counted(), before)
    await page.context().close()
  })

  it('a place: averaged while he stands, drawn as an area by tapping, far from the fix, in the datum of the phone', { timeout: 300_000 }, async () => {
    const context = await (await launch()).newContext(options())
    const page = await context.newPage()
    await context.addInitScript(() => { window.__locks = 0; const own = navigator.wakeLock; if (own) { const ask = own.request.bind(own); own.request = (...a) => { window.__locks++; return ask(...a) } } })
    await enter(page)
    const sent = []
    page.on('request', (r) => { if (r.url().endsWith('/api/sync') && r.method() === 'POST') sent.push(...r.postDataJSON().ops) })
    await fill(page, `画面 ${tag}f`, { picture: false })
    assert.ok(await page.evaluate(() => window.__locks) > 0, 'the screen may go dark while he records')
    for (let i = 1; i < 4; i++) await context.setGeolocation({ longitude: centre[0] + i * 1e-6, latitude: centre[1], accuracy: 8 })
    await page.getByText(/\d 次平均/).waitFor()
    await page.getByText('图上选点').click()
    await page.locator('[data-map][data-drawn]').waitFor()
    await page.getByRole('button', { name: '面', exact: true }).click()
    const box = await page.locator('[data-map]').boundingBox()
    const tap = async (x, y, n) => { await page.mouse.click(box.x + box.width * x, box.y + box.height * y); await page.getByText(`${n} 个点`).or(page.getByText('边线交叉了')).first().waitFor() }
    // The map tells one tap from two by time; so does a thumb.
    const corners = [[.3, .3], [.7, .7], [.7, .3], [.3, .7]]
    for (const [i, [x, y]] of corners.entries()) { await tap(x, y, i + 1); await page.waitForTimeout(350) }
    await page.getByText('边线交叉了').waitFor()
    assert.ok(await page.locator('[data-do="picked"]').isDisabled(), 'an area whose edge crosses itself is taken')
    await page.getByRole('button', { name: '退一步' }).click()
    await page.locator('[data-do="picked"]').click()
    await page.getByText('图上画的面，3 个点').waitFor()
    await send(page)
    await until(page, () => window.__core.outbox().every((o) => o.state === 'received'))
    const area = sent.find((o) => o.fields.description?.value === `画面 ${tag}f`)
    assert.deepEqual([area.geometry.type, area.geometry.coordinates[0].length, area.device_position.length], ['Polygon', 4, 2])
    // A pin far away: both places are kept, nobody argues.
    await fill(page, `远处 ${tag}g`, { picture: false })
    await page.getByText('图上选点').click()
    await page.locator('[data-map][data-drawn]').waitFor()
    await page.evaluate((at) => new Promise((r) => { window.__map.once('moveend', r); window.__map.jumpTo({ center: [at[0] + 0.003, at[1]] }) }), centre)
    await page.getByText('用地图正中这个点').click()
    await page.locator('[data-do="picked"]').click()
    await page.getByText(/离手机定位 2\d\d 米，两个位置都记下了/).waitFor()
    await send(page)
    await until(page, () => window.__core.outbox().every((o) => o.state === 'received' || o.state === 'needs_look'))
    const far = sent.find((o) => o.fields.description?.value === `远处 ${tag}g`)
    assert.ok(Math.abs(far.geometry.coordinates[0] - centre[0] - 0.003) < 1e-5 && Math.abs(far.device_position[0] - centre[0]) < 1e-4, JSON.stringify([far.geometry, far.device_position]))
    // A phone whose positions are shifted: what it says goes out as it says it, with its datum.
    await page.evaluate(() => { location.hash = '#/me' })
    await page.locator('#datum').selectOption('GCJ02')
    await page.evaluate(() => { location.hash = '#/home' })
    await home(page)
    const raw = [centre[0] + 0.0005, centre[1] - 0.0005]
    await context.setGeolocation({ longitude: raw[0], latitude: raw[1], accuracy: 5 })
    await until(page, () => window.__core.fix_()?.raw)
    await fill(page, `偏移 ${tag}h`, { picture: false })
    await page.getByText('手机坐标按 火星坐标').waitFor()
    await send(page)
    await until(page, () => window.__core.outbox().every((o) => o.state === 'received' || o.state === 'needs_look'))
    const shifted = sent.find((o) => o.fields.description?.value === `偏移 ${tag}h`)
    assert.equal(shifted.src_crs, 'GCJ02')
    assert.ok(Math.hypot(shifted.geometry.coordinates[0] - raw[0], shifted.geometry.coordinates[1] - raw[1]) < 1e-6, JSON.stringify(shifted.geometry))
    await context.close()
  })

  it('nine photos and no tenth; the same place is asked about; what waits is changed, taken back, carried to another phone', { timeout: 300_000 }, async () => {
    const context = await (await launch()).newContext(options({ acceptDownloads: true, geolocation: { latitude: centre[1] + 0.0012 + (process.pid % 10) * 4e-4, longitude: centre[0], accuracy: 8 } }))
    await context.addInitScript(() => { window.__badge = 0; navigator.setAppBadge = async (n) => { window.__badge = n }; navigator.clearAppBadge = async () => { window.__badge = 0 } })
    const page = await context.newPage()
    await enter(page)
    const small = async (n) => Buffer.from(await page.evaluate(async (n) => { const c = document.createElement('canvas'); c.width = 320; c.height = 240; const g = c.getContext('2d'); g.fillStyle = `hsl(${n * 33} 60% 50%)`; g.fillRect(0, 0, 320, 240); return [...new Uint8Array(await (await new Promise((r) => c.toBlob(r, 'image/jpeg'))).arrayBuffer())] }, n))
    const files = []
    for (let i = 0; i < 10; i++) files.push({ name: `${i}.jpg`, mimeType: 'image/jpeg', buffer: await small(i) })
    await fill(page, `九张 ${tag}i`, { picture: false })
    await page.locator('[data-photo="choose"]').setInputFiles(files)
    await page.getByText('最多 9 张').waitFor()
    await page.getByText('照片 9/9').waitFor()
    await until(page, () => document.querySelectorAll('.photos img').length === 9)
    await send(page)
    await until(page, () => { const o = window.__core.outbox()[0]; return o.state === 'received' && o.photos.sent === 9 })
    const [first] = await arrived(`${tag}i`)
    // The same thing at the same place again: it is asked, and what he adds joins what is there.
    await fill(page, `九张 ${tag}i 又宽了`, { picture: false })
    await page.locator('[data-do="send"]').click()
    await page.getByRole('heading', { name: '是同一处吗？' }).waitFor()
    await page.locator('dialog .block', { hasText: `九张 ${tag}i` }).getByText('是同一处，补充进去').click()
    await page.locator('[data-field="description"]').waitFor()
    await page.locator('[data-do="send"]').click()
    await home(page)
    await until(page, () => window.__core.outbox().every((o) => o.state === 'received'))
    const both = await arrived(`${tag}i`)
    assert.deepEqual(both.map((d) => d.id), [first.id])
    assert.match(String(both[0].description ?? both[0].fields.description), /又宽了/)
    // Of 灾情 too, and only of the same sort.
    const damage = async (n) => { await page.locator('[data-do="do_damage"]').click(); await page.locator('[data-field="kind"] button').nth(n).click(); await page.locator('[data-position="fix"]').waitFor(); await page.locator('[data-do="send"]').click() }
    for (const n of [0, 1]) { await damage(n); await home(page) }
    await damage(0)
    await page.getByRole('heading', { name: '是同一处吗？' }).waitFor()
    await page.locator('[data-do="not-same"]').click()
    await home(page)
    await until(page, () => window.__core.outbox().every((o) => o.state === 'received'))
    // Without network: three wait; one is changed, one taken back, all of it goes into a file.
    await context.setOffline(true)
    for (const t of ['j', 'k', 'l']) { await fill(page, `等着 ${tag}${t}`, { picture: false }); await send(page) }
    await until(page, () => window.__badge === 3)
    await page.evaluate(() => { location.hash = '#/outbox' })
    await page.locator('li', { hasText: `${tag}j` }).getByRole('button', { name: '改' }).click()
    await page.locator('[data-field="description"] textarea').fill(`改过 ${tag}j`)
    await send(page)
    await page.evaluate(() => { location.hash = '#/outbox' })
    await page.locator('li', { hasText: `${tag}k` }).getByRole('button', { name: '撤回' }).click()
    await page.locator('dialog').getByRole('button', { name: '撤回' }).click()
    await until(page, () => window.__badge === 2)
    await page.getByText('换手机、交手机').click()
    await page.locator('#out-password').fill('七个字符不够')
    await page.getByText('存成文件').click()
    await page.getByText('密码至少 8 位').waitFor()
    await page.locator('#out-password').fill('长的密码 12345')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('存成文件').click()])
    const file = await download.path()
    assert.ok(!readFileSync(file).includes(Buffer.from(tag)), 'the file can be read by anybody')
    const other = await (await (await launch()).newContext(options())).newPage()
    await enter(other)
    await other.evaluate(() => { location.hash = '#/outbox' })
    await other.getByText('换手机、交手机').click()
    const load = async (password) => { await other.locator('#out-password').fill(password); await other.locator('input[type="file"]').setInputFiles(file) }
    await load('别的密码 12345')
    await other.getByText('密码不对').waitFor()
    await load('长的密码 12345')
    await other.getByText('加进来 2 件').waitFor()
    await until(other, () => window.__core.outbox().length === 2 && window.__core.outbox().every((o) => o.state === 'received'))
    await context.setOffline(false)
    await until(page, () => window.__core.outbox().every((o) => o.state === 'received' || o.state === 'withdrawn'))
    assert.deepEqual([(await arrived(`改过 ${tag}j`)).length, (await arrived(`${tag}k`)).length, (await arrived(`${tag}l`)).length], [1, 0, 1])
    await other.context().close()
    await context.close()
  })

  it('warnings at once, ways out as they were drawn, the list of households behind its PIN and gone when the phone is revoked', { timeout: 300_000 }, async () => {
    const context = await (await launch()).newContext(options())
    const page = await context.newPage()
    const own = user('grid_worker', grid, '李网格')
    await enter(page, base, own)
    const notice = await duty('/api/notices', { method: 'POST', body: { kind: 'warning', title: `暴雨红色预警 ${tag}`, body: '立即转移', level: 1, areas: [grid] } })
    assert.equal(notice.status, 201, notice.text)
    await page.locator(`[data-notice="${notice.data.id}"]`).getByText('我已看到').click({ timeout: 30_000 })
    await until(page, () => window.__core.outbox().some((o) => o.kind === 'acks' && o.state === 'received'))
    const read = await duty(`/api/notices/${notice.data.id}`)
    assert.equal(read.data.acknowledged, 1, read.text)
    await page.evaluate(() => { location.hash = '#/routes' })
    await page.getByText(route.title).first().click()
    await page.locator('[data-map][data-drawn]').waitFor()
    assert.ok(await page.evaluate(async () => { const s = window.__map.getSource('routes'); return (await s.getData()).features.length }) > 0)
    const list = async () => { await page.evaluate(() => { location.hash = '#/households' }); await page.locator('#hh-pin').fill('246810') }
    await list()
    await page.getByText('转移避险').click()
    await page.getByRole('button', { name: '打开' }).click()
    await page.getByText(/\d+ 户 \d+ 人/).waitFor()
    await page.getByRole('button', { name: '锁上' }).click()
    await context.setOffline(true)
    await list()
    await page.getByRole('button', { name: '打开' }).click()
    await page.getByText(/\d+ 户 \d+ 人/).waitFor()
    await page.evaluate(() => { location.hash = '#/home' })
    await fill(page, `收回以前 ${tag}m`, { picture: false })
    await send(page)
    // The phone is taken from him: the list goes, what he reported stays.
    const me = await asker(own)
    const sessions = (await me('/api/sessions')).data
    for (const x of (sessions.sessions ?? sessions.items).filter((x) => x.kind === 'device' || x.device)) assert.ok((await me(`/api/sessions/${x.id}`, { method: 'DELETE' })).status < 300)
    await context.setOffline(false)
    await until(page, () => window.__core.status().signInNeeded && !window.__core.pinSet())
    assert.equal(await page.evaluate(() => window.__core.outbox().filter((o) => o.state === 'waiting').length), 1)
    await page.getByText('没有登录').first().waitFor()
    await context.close()
  })

  it('opened inside WeChat, it says how to get to the browser', async () => {
    const page = await (await (await launch()).newContext(options({ userAgent: 'Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0.49' }))).newPage()
    await page.goto(`${base}/field`)
    await page.getByText('请在手机浏览器里打开').waitFor()
    assert.match(await page.locator('input').inputValue(), /^https:.*\/field/)
    await page.getByText('先在微信里用').click()
    await home(page)
    await page.context().close()
  })

  it('from another device: with its authority trusted it is kept on the phone and can be installed; without, it works as long as there is a line', async (t) => {
    const address = Object.values(networkInterfaces()).flat().find((a) => a.family === 'IPv4' && !a.internal)?.address
    if (!address) { t.skip('this machine has no address but its own'); return }
    const at = base.replace('127.0.0.1', address)
    assert.match((await ask('/ca')).text, /证书/)
    const context = await (await launch()).newContext(options())
    const page = await context.newPage()
    const foreign = []
    page.on('request', (r) => { if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== at) foreign.push(r.url()) })
    await enter(page, at)
    assert.ok(await kept(page))
    await until(page, () => navigator.serviceWorker.controller !== null)
    const cdp = await context.newCDPSession(page)
    assert.deepEqual((await cdp.send('Page.getAppManifest')).errors, [])
    assert.deepEqual((await cdp.send('Page.getInstallabilityErrors')).installabilityErrors.filter((e) => e.errorId !== 'in-incognito'), [])
    await context.setOffline(true)
    await page.reload()
    await home(page)
    assert.deepEqual(foreign, [])
    await context.close()
    // Nobody trusts the authority here: he went on past the warning.
    const bare = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
    try {
      const p = await (await bare.newContext(options({ ignoreHTTPSErrors: true }))).newPage()
      await enter(p, at)
      assert.equal(await p.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active ?? null), null, 'a service worker from an untrusted server')
      await fill(p, `不信任 ${tag}n`, { picture: false })
      await send(p)
      await until(p, () => window.__core.outbox()[0]?.state === 'received')
    } finally { await bare.close() }
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
      await page.getByText('照片 1 张，已到 1 张').waitFor({ timeout: 60_000 })
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
      // A stream has no end of its own.
      r.on('close', () => to.destroy())
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
    await page.getByText('照片 1 张，已到 1 张').waitFor({ timeout: 60_000 })
    await context.close()
    between.closeAllConnections()
    between.close()
  })

  it('险情 without network sounds and offers to call; with it, it shows who saw it', { timeout: 300_000 }, async () => {
    const context = await (await launch()).newContext(options({ bypassCSP: true }))
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
    await look(page, '险情, waiting')
    await page.locator('[data-urgent="late"]').waitFor()
    assert.match(await page.locator('[data-urgent]').innerText(), /没有发出去/)
    await until(page, () => window.__beeps > 0)
    const calls = await page.locator('footer a').evaluateAll((all) => all.map((a) => decodeURIComponent(a.href)))
    assert.ok(calls.some((c) => c.startsWith('tel:')), calls.join(' '))
    const sms = calls.find((c) => c.startsWith('sms:'))
    assert.match(sms, /滑坡/)
    assert.ok(sms.includes(String(centre[0]).slice(0, 6)) && sms.includes(String(centre[1]).slice(0, 5)), sms)
    await look(page, '险情, not sent')
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
    // By itself, and before the minute at which the phone asks anyway.
    await page.locator('[data-urgent]').getByText(/赵值班.*已看到/).waitFor({ timeout: 30_000 })
    await look(page, '险情, seen')
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
