// The phone's core in a real browser against a real server: what was saved arrives exactly
// once, whatever happens to the network, the browser or the session. No screen is touched.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { chromium, devices } from 'playwright-core'
import { inside, launch, shut, until } from './kit.mjs'
import { startServer } from './server.mjs'

const here = new URL('.', import.meta.url).pathname
const bin = process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap')
const password = 'Shanhe-2026-x'
const phoneOptions = (more = {}) => ({ ...devices['Pixel 7'], locale: 'zh-CN', timezoneId: 'Asia/Shanghai', serviceWorkers: 'allow', permissions: ['geolocation'], geolocation: { latitude: 34.6, longitude: 119.2, accuracy: 8 }, ...more })
let server, base, duty, grid, centre


let count = 0
const unique = (word) => `${word}.${process.pid}.${++count}`
function user(role, area, name) {
  const login = unique(role.slice(0, 4))
  execFileSync(bin, ['user', 'add', login, '--role', role, '--area', area, '--name', name, '--password-stdin', '--data', server.data], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] })
  return login
}
async function asker(login) {
  const r = await fetch(`${base}/api/session`, { method: 'POST', headers: { 'Content-Type': 'application/json', Origin: base, Accept: 'application/json' }, body: JSON.stringify({ username: login, password }) })
  assert.equal(r.status, 200, await r.clone().text())
  const cookie = r.headers.getSetCookie()[0].split(';')[0]
  return async (path, { method = 'GET', body } = {}) => {
    const a = await fetch(base + path, { method, headers: { Cookie: cookie, Origin: base, Accept: 'application/json', ...(body ? { 'Content-Type': 'application/json' } : {}) }, body: body && JSON.stringify(body) })
    const text = await a.text()
    let data = null
    try { data = JSON.parse(text) } catch { /* no JSON */ }
    return { status: a.status, data, text, headers: a.headers }
  }
}
const office = () => asker(user('duty_officer', '990100', '赵值班'))
const worker = (name = '王网格') => user('grid_worker', grid, name)

/** link makes the enrolment of a worker's phone. */
async function link(login) {
  const people = await duty(`/api/users?q=${encodeURIComponent(login)}`)
  const id = (people.data.users ?? people.data.items)[0].id
  const r = await duty('/api/enrolments', { method: 'POST', body: { account: id } })
  assert.equal(r.status, 201, r.text)
  return r.data.link
}

async function phone({ login, enrol = true, context, page, ...more } = {}) {
  const own = !context
  context ??= await (await launch()).newContext(phoneOptions({ geolocation: { latitude: centre[1], longitude: centre[0], accuracy: 8 }, ...more }))
  page ??= await context.newPage()
  await page.goto(`${base}/field?e2e=1`)
  await page.waitForFunction(() => window.__core)
  await page.evaluate(() => window.__core.start())
  if (login && enrol) {
    await page.evaluate(([code]) => window.__core.enrol(code, '测试手机'), [await link(login)])
    await until(page, () => window.__core.home() !== null && window.__core.dictionary('hazards') !== null)
  }
  return { page, context, close: async () => { if (own) await context.close() } }
}
const items = (p) => p.page.evaluate(() => window.__core.outbox())
/** mark makes and submits a hazard; the id is the record's. */
const mark = (p, name, { at = centre, photos = [] } = {}) => p.page.evaluate(async ([name, at, photos]) => {
  const c = window.__core
  const d = await c.newDraft('hazards')
  const item = await c.submit({ ...d, fields: { ...d.fields, name, hazard: c.dictionary('hazards').code_lists[c.dictionary('hazards').fields.find((f) => f.name === 'hazard').code_list][0].code }, geometry: { type: 'Point', coordinates: at }, photos })
  return { id: d.id, op_id: item.op_id }
}, [name, at, photos])
const settled = (p, op_id, state = 'received') => until(p.page, ([id, state]) => window.__core.outbox().find((o) => o.op_id === id)?.state === state, [op_id, state])
const sync = (p) => p.page.evaluate(() => window.__core.sendNow())
/** there counts a record at the server, by an asker of the office. */
const there = async (id) => (await duty(`/ogc/collections/hazards/items/${id}`)).status
const named = async (name) => (await duty(`/ogc/collections/hazards/items?limit=100&name=${encodeURIComponent(name)}`)).data.features.length
/** picture is a JPEG as a camera held upright writes it: the pixels lie on the side, and it says so. */
const picture = (page) => page.evaluate(async () => {
  const c = document.createElement('canvas')
  c.width = 2400; c.height = 1600
  const g = c.getContext('2d')
  g.fillStyle = '#e00'; g.fillRect(0, 0, 1200, 1600)
  g.fillStyle = '#00e'; g.fillRect(1200, 0, 1200, 1600)
  for (let i = 0; i < 4000; i++) { g.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`; g.fillRect(Math.random() * 1000 + 1300, Math.random() * 1600, 9, 9) }
  const jpeg = new Uint8Array(await (await new Promise((r) => c.toBlob(r, 'image/jpeg', 0.9))).arrayBuffer())
  // Exif: orientation 6 (turn right by 90°), one entry.
  const exif = Uint8Array.of(0xff, 0xe1, 0, 34, 0x45, 0x78, 0x69, 0x66, 0, 0, 0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0)
  const p = await window.__core.addPhoto(new File([jpeg.subarray(0, 2), exif, jpeg.subarray(2)], 'a.jpg', { type: 'image/jpeg' }), window.__core.fix_())
  // What was left is on top when it stands upright.
  const img = new Image()
  img.src = p.url
  await img.decode()
  g.drawImage(img, 0, 0)
  const at = (x, y) => { const d = g.getImageData(x, y, 1, 1).data; return d[0] > 150 && d[2] < 100 ? 'red' : d[2] > 100 && d[0] < 100 ? 'blue' : 'other' }
  return { ...p, top: at(20, 20), topRight: at(p.width - 20, 20), natural: [img.naturalWidth, img.naturalHeight] }
})

before(async () => {
  // A server that runs already is used as it is, to try one thing after the other.
  server = process.env.ONEMAP_FIELD_URL ? { url: process.env.ONEMAP_FIELD_URL, data: process.env.ONEMAP_FIELD_DATA, stop: async () => {} } : await startServer()
  base = server.url
  duty = await office()
  const g = (await duty('/ogc/collections/grids/items?limit=1')).data.features[0]
  grid = g.properties.code
  centre = inside(g.geometry).map((v) => Math.round(v * 1e6) / 1e6)
  assert.match(grid, /^\d{15}$/)
})
after(async () => { await shut(); await server?.stop() })

describe('a phone', () => {
  let login, p
  before(async () => { login = worker(); p = await phone({ login }) })
  after(() => p?.close())

  it('is enrolled by a code, and has what the forms need', async () => {
    const s = await p.page.evaluate(() => ({ s: window.__core.status(), home: window.__core.home(), kinds: ['hazards', 'dangers', 'shelter_checks', 'incident_reports', 'patrols', 'tasks', 'acks'].filter((k) => window.__core.dictionary(k)) }))
    assert.equal(s.s.signedIn, true)
    assert.equal(s.home.me.username, login)
    assert.equal(s.home.grid.code, grid)
    assert.deepEqual(s.kinds, ['hazards', 'dangers', 'shelter_checks', 'incident_reports', 'patrols', 'tasks', 'acks'])
    assert.ok(Math.abs(s.s.clockSkewS) < 30)
  })

  it('keeps a draft while it is written, and after the page is gone', async () => {
    const id = await p.page.evaluate(async () => { const d = await window.__core.newDraft('hazards'); await window.__core.saveDraft({ ...d, fields: { name: '写到一半' } }); return d.id })
    await p.page.close()
    p.page = await p.context.newPage()
    await phone({ context: p.context, page: p.page })
    assert.equal(await p.page.evaluate((id) => window.__core.drafts().find((d) => d.id === id).fields.name, id), '写到一半')
    await p.page.evaluate((id) => window.__core.dropDraft(id), id)
  })

  it('marks without network, with a picture, and all of it arrives once', async () => {
    await p.context.setOffline(true)
    const photo = await picture(p.page)
    assert.deepEqual([photo.width, photo.height, photo.natural], [1067, 1600, [1067, 1600]])
    assert.deepEqual([photo.top, photo.topRight], ['red', 'red'], 'the picture stands upright')
    const m = await mark(p, unique('断网标注'), { photos: [photo.sha256] })
    const waiting = (await items(p)).find((o) => o.op_id === m.op_id)
    assert.deepEqual([waiting.state, waiting.photos, waiting.editable], ['waiting', { total: 1, sent: 0 }, true])
    assert.equal(await p.page.evaluate(([at]) => window.__core.near('hazards', at, 10)[0].distance_m, [centre]), 0, 'his own mark that waits is near')
    await p.context.setOffline(false)
    await settled(p, m.op_id)
    await until(p.page, (id) => window.__core.outbox().find((o) => o.op_id === id).photos.sent === 1, m.op_id)
    assert.equal(await there(m.id), 200)
    const r = await fetch(`${base}/api/blobs/${photo.sha256}`)
    assert.equal(r.status, 401, 'nobody else sees the picture')
    const got = await duty(`/api/blobs/${photo.sha256}`)
    assert.equal(got.status, 200)
    assert.equal(Number(got.headers.get('content-length') ?? photo.bytes), photo.bytes)
  })

  it('sends again what may not have arrived, and it is there once', async () => {
    const name = unique('回执丢失')
    let lost = 0
    await p.page.route('**/api/sync', async (route) => { if (lost++ < 2) { await route.fetch(); await route.abort('connectionreset') } else await route.continue() })
    const m = await mark(p, name)
    await until(p.page, () => true)
    for (let i = 0; i < 4; i++) await sync(p)
    await settled(p, m.op_id)
    await p.page.unroute('**/api/sync')
    assert.ok(lost >= 3)
    assert.equal(await named(name), 1)
    assert.ok((await items(p)).find((o) => o.op_id === m.op_id).tries >= 3)
  })

  it('what left the phone cannot be taken back, what did not can; changed before sending it arrives changed', async () => {
    await p.context.setOffline(true)
    const a = await mark(p, unique('撤回')), b = await mark(p, unique('改前'))
    await p.page.evaluate((id) => window.__core.withdraw(id), a.op_id)
    const name = unique('改后')
    const op = await p.page.evaluate(async ([id, name]) => { const c = window.__core; const d = await c.fix(id); return (await c.submit({ ...d, fields: { ...d.fields, name } })).op_id }, [b.op_id, name])
    await p.context.setOffline(false)
    await settled(p, op)
    assert.deepEqual([await there(a.id), await there(b.id), await named(name)], [404, 200, 1])
    const code = await p.page.evaluate((id) => window.__core.withdraw(id).then(() => '', (e) => e.code), op)
    assert.equal(code, 'already_sent')
    assert.equal((await items(p)).find((o) => o.op_id === a.op_id).state, 'withdrawn')
  })

  it('an edit of what was sent tells what it was before', async () => {
    const m = await mark(p, unique('先'))
    await settled(p, m.op_id)
    await sync(p)
    const body = p.page.waitForRequest((r) => r.url().endsWith('/api/sync') && r.method() === 'POST')
    const name = unique('后')
    const op = await p.page.evaluate(async ([id, name]) => { const c = window.__core; const d = await c.editDraft(c.record(id)); return (await c.submit({ ...d, fields: { ...d.fields, name } })).op_id }, [m.id, name])
    const sent = (await body).postDataJSON().ops[0]
    assert.deepEqual(Object.keys(sent.fields), ['name'])
    assert.match(sent.fields.name.base, /^先/)
    assert.equal(sent.geometry, undefined)
    await settled(p, op)
    assert.equal(await named(name), 1)
  })

  it('one that is at fault comes back; its neighbours arrive', async () => {
    await p.context.setOffline(true)
    const good = []
    for (let i = 0; i < 3; i++) good.push(await mark(p, unique('好')))
    const bad = await p.page.evaluate(async () => { const c = window.__core; const d = await c.newDraft('hazards'); return (await c.submit({ ...d, fields: { name: 'x', description: '长'.repeat(1_200_000) } })).op_id })
    for (let i = 0; i < 3; i++) good.push(await mark(p, unique('好')))
    await p.context.setOffline(false)
    for (const g of good) await settled(p, g.op_id)
    await until(p.page, (id) => ['returned', 'needs_look'].includes(window.__core.outbox().find((o) => o.op_id === id).state), bad)
    const item = (await items(p)).find((o) => o.op_id === bad)
    assert.ok(item.reason.zh)
    for (const g of good) assert.equal(await there(g.id), 200)
    if (item.state === 'returned') await p.page.evaluate((id) => window.__core.withdraw(id), bad)
  })

  it('two tabs send once', async () => {
    const other = await p.context.newPage()
    await phone({ context: p.context, page: other })
    const bodies = []
    p.context.on('request', (r) => { if (r.url().endsWith('/api/sync') && r.method() === 'POST') bodies.push(...r.postDataJSON().ops.map((o) => o.op_id)) })
    await p.context.setOffline(true)
    const all = []
    for (let i = 0; i < 6; i++) all.push(await mark(i % 2 ? p : { page: other }, unique('两页')))
    await until(other, (n) => window.__core.status().pending === n, 6)
    await p.context.setOffline(false)
    await Promise.all([sync(p), sync({ page: other })])
    for (const m of all) { await settled(p, m.op_id); await settled({ page: other }, m.op_id) }
    assert.equal(bodies.length, 6, 'each left once')
    await other.close()
  })

  it('a 险情 goes alone at once, is late without a receipt, and says who saw it', async () => {
    await p.page.evaluate(() => window.__core.watchPosition(true))
    await until(p.page, () => window.__core.fix_() !== null)
    await p.context.setOffline(true)
    const kind = await p.page.evaluate(() => { const d = window.__core.dictionary('incident_reports'); return d.code_lists[d.fields.find((f) => f.name === 'kind').code_list][0].code })
    const op = await p.page.evaluate((kind) => window.__core.urgent(kind, window.__core.fix_(), '水进屋了').then((o) => o.op_id), kind)
    // The waiting time is the rules'; the clock is moved, not the rule.
    assert.equal((await items(p)).find((o) => o.op_id === op).late, false)
    await p.page.evaluate(() => { const now = Date.now; Date.now = () => now() + 61_000 })
    assert.equal((await items(p)).find((o) => o.op_id === op).late, true)
    const call = await p.page.evaluate((op) => window.__core.call(op), op)
    assert.match(call.text, new RegExp(`险情.*东经${centre[0].toFixed(3)}.*水进屋了`))
    for (const n of call.phones) assert.match(n.sms, /^sms:\+?\d+\?body=%E3%80%90/)
    const more = await mark(p, unique('随后'))
    const body = p.page.waitForRequest((r) => r.url().endsWith('/api/sync') && r.method() === 'POST')
    await p.context.setOffline(false)
    const sent = (await body).postDataJSON().ops
    assert.deepEqual(sent.map((o) => [o.op_id, o.kind, o.device_seq]), [[op, 'incident_reports', undefined]])
    await settled(p, op)
    await settled(p, more.op_id)
    const id = sent[0].id
    const details = await p.page.evaluate(([id]) => window.__core.more(id, { trapped: 3 }, []).then((o) => o.op_id), [id])
    await settled(p, details, 'received')
    assert.equal((await duty(`/api/incident-reports/${id}`)).status, 200) // opening it is seeing it
    await until(p.page, async (op) => { await window.__core.sendNow(); return window.__core.outbox().find((o) => o.op_id === op).seen_by?.includes('赵') }, op)
    await p.page.evaluate(() => window.__core.watchPosition(false))
  })

  it('when the phone is full it says so and keeps what it has', async () => {
    await p.context.setOffline(true)
    const m = await mark(p, unique('满之前'))
    // Chromium no longer heeds Storage.overrideQuotaForOrigin: its refusal is put where it would come.
    await p.page.evaluate(() => { const put = IDBObjectStore.prototype.put; window.__put = put; IDBObjectStore.prototype.put = function (...a) { put.apply(this, a); throw new DOMException('full', 'QuotaExceededError') } })
    const before = await items(p)
    const code = await p.page.evaluate(() => window.__core.newDraft('hazards').then(() => '', (e) => e.code))
    assert.equal(code, 'full')
    assert.equal(await p.page.evaluate(() => window.__core.status().full), true)
    assert.deepEqual(await items(p), before)
    await p.page.evaluate(() => { IDBObjectStore.prototype.put = window.__put })
    assert.equal(await p.page.evaluate(() => window.__core.drafts().length), 0, 'nothing half is left')
    await p.context.setOffline(false)
    await phone({ context: p.context, page: p.page })
    assert.deepEqual((await items(p)).map((o) => o.op_id), before.map((o) => o.op_id))
    await p.context.setOffline(false)
    await settled(p, m.op_id)
  })

  it('a session that was ended keeps everything and asks to sign in; who comes next sends only his own', async () => {
    await p.context.setOffline(true)
    const m = await mark(p, unique('等登录'))
    const sessions = await asker(login).then((ask) => ask('/api/sessions'))
    const list = sessions.data.sessions ?? sessions.data.items
    const ask = await asker(login)
    for (const s of list.filter((s) => s.kind === 'device' || s.device)) assert.ok((await ask(`/api/sessions/${s.id}`, { method: 'DELETE' })).status < 300)
    await p.context.setOffline(false)
    await until(p.page, () => window.__core.status().signInNeeded)
    assert.equal((await items(p)).find((o) => o.op_id === m.op_id).state, 'waiting')
    const second = worker('李接班')
    await p.page.evaluate(([code]) => window.__core.enrol(code, '测试手机'), [await link(second)])
    await until(p.page, (who) => window.__core.home()?.me.username === who, second)
    const n = await mark(p, unique('接班人'))
    await settled(p, n.op_id)
    const kept = (await items(p)).find((o) => o.op_id === m.op_id)
    assert.deepEqual([kept.state, kept.owner], ['waiting', login])
    assert.deepEqual(await p.page.evaluate(() => window.__core.status().others), { [login]: 1 })
    assert.equal(await there(m.id), 404)
    await p.page.evaluate(([code]) => window.__core.enrol(code, '测试手机'), [await link(login)])
    await settled(p, m.op_id)
    assert.equal(await there(m.id), 200)
  })

  it('the outbox goes to another phone as a sealed file, once however often', async () => {
    await p.context.setOffline(true)
    const photo = await picture(p.page)
    const m = await mark(p, unique('换手机'), { photos: [photo.sha256] })
    const bytes = await p.page.evaluate(async () => [...new Uint8Array(await (await window.__core.exportOutbox('好口令 1234567')).arrayBuffer())])
    assert.equal(Buffer.from(bytes).includes(Buffer.from('换手机')), false)
    const q = await phone({ login })
    const load = (pw) => q.page.evaluate(async ([bytes, pw]) => window.__core.importOutbox(new Blob([Uint8Array.from(bytes)]), pw).catch((e) => e.code), [bytes, pw])
    assert.equal(await load('别的口令 123'), 'password_wrong')
    const first = await load('好口令 1234567')
    assert.ok(first.added >= 1)
    assert.equal((await load('好口令 1234567')).added, 0)
    await settled(q, m.op_id)
    await until(q.page, (id) => window.__core.outbox().find((o) => o.op_id === id).photos.sent === 1, m.op_id)
    await p.context.setOffline(false) // and the old one finds that it is there
    await settled(p, m.op_id)
    assert.equal(await there(m.id), 200)
    await q.close()
  })

  it('the list of households opens with its PIN, and is gone after ten wrong ones', async () => {
    const open = (pin) => p.page.evaluate((pin) => window.__core.households(pin, '入户走访').then((l) => l.length, (e) => e.code), pin)
    assert.equal(await open('12'), 'pin_short')
    assert.equal(typeof await open('246810'), 'number')
    assert.equal(await p.page.evaluate(() => window.__core.pinSet()), true)
    await p.context.setOffline(true)
    assert.equal(typeof await open('246810'), 'number', 'without network')
    for (let i = 0; i < 9; i++) assert.equal(await open('111111'), 'pin_wrong')
    assert.equal(await open('111111'), 'pin_wiped')
    assert.equal(await p.page.evaluate(() => window.__core.pinSet()), false)
    await p.context.setOffline(false)
  })
})

describe('without network', () => {
  it('the app opens, with its map from the pack', { timeout: 600_000 }, async () => {
    const p = await phone({ login: worker() })
    await p.page.evaluate(() => navigator.serviceWorker.ready)
    await until(p.page, () => navigator.serviceWorker.controller !== null)
    const packs = await p.page.evaluate(() => window.__core.packs())
    assert.ok(packs.length > 0)
    const area = packs.at(-1).area
    // The line breaks in the middle: what came stays, and the rest is asked for.
    const ranges = []
    p.page.on('request', (r) => { if (r.url().endsWith('.pmtiles')) ranges.push(r.headers().range ?? '') })
    await p.page.evaluate((area) => window.__core.getPack(area), area)
    const here = (await p.page.evaluate(() => window.__core.packs())).find((k) => k.area === area).here
    assert.ok(here.bytes > 1000)
    assert.deepEqual(ranges, [''])
    const z = 12, n = 2 ** z
    const x = Math.floor((centre[0] + 180) / 360 * n), y = Math.floor((1 - Math.asinh(Math.tan(centre[1] * Math.PI / 180)) / Math.PI) / 2 * n)
    const tile = () => p.page.evaluate(async ([z, x, y]) => (await window.__core.tile(z, x, y))?.byteLength ?? 0, [z, x, y])
    const size = await tile()
    assert.ok(size > 50)
    await p.context.setOffline(true)
    assert.equal(await tile(), size)
    await p.page.reload()
    await p.page.waitForFunction(() => window.__core)
    await p.page.evaluate(() => window.__core.start())
    assert.equal(await tile(), size)
    const direct = await p.page.evaluate(async ([z, x, y]) => { const r = await fetch(`/tiles/admin,grids/${z}/${x}/${y}.mvt`); return [r.status, (await r.arrayBuffer()).byteLength] }, [z, x, y])
    assert.deepEqual(direct, [200, size], 'the service worker answers from the pack')
    assert.ok(await p.page.evaluate(() => window.__core.home() && window.__core.dictionary('hazards')))
    const m = await mark(p, unique('重开以后'))
    await p.context.setOffline(false)
    await settled(p, m.op_id)
    await p.close()
  })
})

describe('a browser that is killed', () => {
  it('has everything that was saved, to the last one', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fieldcore-'))
    const start = () => chromium.launchPersistentContext(dir, { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'], ...phoneOptions() })
    try {
      let context = await start()
      const login = worker()
      const p = await phone({ login, context, page: await context.newPage() })
      await context.setOffline(true)
      const marks = []
      for (let i = 0; i < 8; i++) marks.push(await mark(p, unique('杀')))
      const draft = await p.page.evaluate(async () => { const d = await window.__core.newDraft('hazards'); await window.__core.saveDraft({ ...d, fields: { name: '没写完' } }); return d.id })
      const pid = Number(execFileSync('pgrep', ['-f', '--', `--user-data-dir=${dir}`], { encoding: 'utf8' }).trim().split('\n')[0])
      process.kill(pid, 'SIGKILL')
      await context.close().catch(() => {})
      context = await start()
      const q = await phone({ context, page: await context.newPage() })
      const left = await items(q)
      for (const m of marks) assert.ok(left.some((o) => o.op_id === m.op_id), `${m.op_id} is gone`)
      assert.ok(await q.page.evaluate((id) => window.__core.drafts().some((d) => d.id === id), draft))
      // Chromium writes cookies down only now and then: the session may be gone with the kill. The work is not.
      await until(q.page, () => window.__core.status().lastSync !== null || window.__core.status().signInNeeded)
      if (await q.page.evaluate(() => window.__core.status().signInNeeded)) await q.page.evaluate(([code]) => window.__core.enrol(code, '测试手机'), [await link(login)])
      for (const m of marks) { await settled(q, m.op_id); assert.equal(await there(m.id), 200) }
      await context.close()
    } finally { rmSync(dir, { recursive: true, force: true }) }
  })
})
