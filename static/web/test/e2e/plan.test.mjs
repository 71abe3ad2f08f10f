// Drawing on the planner's table, by mouse and key, on a server of its own: what fits
// together before fits together after, which the server's own check says each time.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { crc32, deflateSync } from 'node:zlib'
import { inside, launch, shut, until, watch } from './kit.mjs'
import { startServer } from './server.mjs'

const here = new URL('.', import.meta.url).pathname
const require = createRequire(import.meta.url)
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const password = 'Shanhe-2026-x'
const bin = process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap')
let server, base, lin, he, plan

before(async () => {
  server = await startServer()
  base = server.url
  for (const [user, name] of [['lin.guihua', '林规划'], ['he.hui', '何绘']]) {
    execFileSync(bin, ['user', 'add', user, '--role', 'planner', '--area', '990100', '--name', name, '--password-stdin', '--data', server.data], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] })
  }
  lin = await person('lin.guihua')
  const r = await call(lin, '/api/plans', { method: 'POST', body: { hazard: 'flood', kind: 'risk', title: '示例县洪水风险区划', area: '990100', exhaustive: true, unit: 'village', start: 'villages' } })
  assert.equal(r.status, 201, JSON.stringify(r.data))
  plan = r.data.id
})
after(async () => { for (const p of [lin, he]) await p?.close(); await shut(); await server?.stop() })

async function person(name, { size = { width: 1240, height: 720 }, ...extra } = {}) {
  const context = await (await launch()).newContext({ viewport: size, deviceScaleFactor: 0.5, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', bypassCSP: true, ...extra })
  const page = await context.newPage()
  page.setDefaultTimeout(40_000)
  const faults = []
  watch(page, faults, base)
  await page.goto(`${base}/signin?next=${encodeURIComponent('/plan?e2e=1')}`)
  await page.locator('input[name="username"]').fill(name)
  await page.locator('input[name="password"]').fill(password)
  await page.locator('button.primary').click()
  await page.waitForURL((u) => u.pathname === '/plan')
  await page.waitForFunction(() => document.documentElement.dataset.ready === '1')
  // Refusals are part of the story; errors of the page are not.
  return { page, context, faults: () => faults.filter((f) => !/^[45]\d\d |Failed to load resource|ERR_INTERNET_DISCONNECTED|net::/.test(f)), close: () => context.close() }
}
const call = (p, path, { method = 'GET', body } = {}) => p.page.evaluate(async ([path, method, body]) => {
  const r = await fetch(path, { method, headers: { Accept: 'application/json', 'Accept-Language': 'zh-CN', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) }, body: body === undefined ? undefined : JSON.stringify(body) })
  const text = await r.text()
  let data = null
  try { data = JSON.parse(text) } catch { /* not ours */ }
  return { status: r.status, data }
}, [path, method, body])
async function bench(p, more = '') {
  await p.page.goto(`${base}/plan?e2e=1&id=${plan}${more}`)
  await until(p.page, () => document.documentElement.dataset.bench === '1')
  // What lies under the draft is other tests' business, and software rendering of it costs minutes.
  await p.page.evaluate(() => { for (const id of Object.keys(window.__plan.stage.view.settings)) window.__plan.stage.showLayer(id, false) })
}
/** sent waits until nothing is on its way. */
const sent = (p) => until(p.page, () => !window.__plan.session.saving && window.__plan.draft.pending.every((s) => s.parked))
const zonesOf = async (p) => { const r = await call(p, `/api/plans/${plan}/zones`); assert.equal(r.status, 200); return new Map(r.data.features.map((f) => [f.properties.zone, f])) }
/** exact asks the server, and compares what it has with what the browser shows. */
async function exact(p) {
  const v = await call(p, `/api/plans/${plan}/validate`, { method: 'POST' })
  assert.equal(v.status, 200, JSON.stringify(v.data))
  assert.deepEqual(v.data.violations.map((x) => x.code).filter((c) => c !== 'ungraded'), [])
  const server = [...await zonesOf(p)].map(([id, f]) => [id, f.properties.version, JSON.stringify(f.geometry)]).sort()
  const shown = await p.page.evaluate(() => [...window.__plan.session.zones.all.values()].map((f) => [f.properties.zone, f.properties.version, JSON.stringify(f.geometry)]).sort())
  assert.deepEqual(shown.map((s) => s.slice(0, 2)), server.map((s) => s.slice(0, 2)))
  for (let i = 0; i < server.length; i++) assert.equal(shown[i][2], server[i][2], `zone ${server[i][0]} is shown as it is not`)
  const topo = await p.page.evaluate(() => [...window.__plan.session.zones.all.keys()].every((z) => JSON.stringify(window.__plan.draft.topo.shape(z).coordinates.flat(2).length) === JSON.stringify(window.__plan.session.zones.all.get(z).geometry.coordinates.flat(2).length)))
  assert.ok(topo, 'the nodes are not those of the zones')
}
const xy = (p, at) => p.page.evaluate((at) => window.__plan.project(at), at)
async function fly(p, at, zoom = 15) {
  await p.page.evaluate(([at, zoom]) => window.__plan.map.jumpTo({ center: at, zoom }), [at, zoom])
}
/** junction is a node inside the area that three zones or more share, with room around it. */
const junction = (p, skip = 0) => p.page.evaluate((skip) => {
  const { draft, session } = window.__plan
  const seen = new Set()
  for (const z of session.zones.all.keys()) for (const ring of draft.topo.outline(z)) for (const n of ring.nodes) {
    if (seen.has(n)) continue
    seen.add(n)
    const zones = draft.topo.zonesOf(n)
    if (zones.length < 3 || draft.topo.locked(n)) continue
    const at = draft.topo.at(n)
    const near = draft.topo.nearestNode(at, 60_000, 1.17, (m) => m !== n)
    if (near) continue // 600 m of free room
    if (skip-- > 0) continue
    return { at: [at[0] / 1e8, at[1] / 1e8], zones }
  }
  return null
}, skip)
async function drag(p, from, to) {
  await p.page.mouse.move(...from)
  await p.page.mouse.down()
  await p.page.mouse.move((from[0] + to[0]) / 2, (from[1] + to[1]) / 2, { steps: 4 })
  await p.page.mouse.move(...to, { steps: 4 })
  await p.page.mouse.up()
}
/** put clicks points of a drawing, one after the other. */
async function put(p, points) {
  for (const at of points) {
    const n = await p.page.evaluate(() => window.__plan.tools.sketch.length)
    const q = await xy(p, at)
    await p.page.mouse.move(...q, { steps: 2 })
    await p.page.mouse.click(...q)
    await until(p.page, (n) => window.__plan.tools.sketch.length > n, n)
  }
}
const count = (p) => p.page.evaluate(() => window.__plan.session.zones.all.size)
const chosen = (p) => p.page.evaluate(() => window.__plan.tools.selection)
/** middle of the largest zone: room to draw in. */
const roomy = (p, skip = 0) => p.page.evaluate((skip) => {
  const { session } = window.__plan
  const list = [...session.zones.all.values()].sort((a, b) => b.properties.area_km2 - a.properties.area_km2)
  const f = list[skip]
  const box = session.zones.bounds(f.properties.zone)
  return { zone: f.properties.zone, name: f.properties.name, box }
}, skip)
const snapOff = (p) => p.page.evaluate(() => window.__plan.tools.setSnapping(false))

describe('one planner', () => {
  it('opens a plan of villages that fits together', async () => {
    await bench(lin)
    assert.ok(await count(lin) > 5)
    await exact(lin)
    assert.match(await lin.page.locator('[data-saved]').innerText(), /草稿已保存/)
  })
  it('selects by click, adds with Ctrl, and clears with Escape', async () => {
    const j = await junction(lin)
    await fly(lin, j.at)
    const [x, y] = await xy(lin, j.at)
    await lin.page.mouse.click(x + 30, y + 30)
    assert.equal((await chosen(lin)).length, 1)
    await lin.page.keyboard.down('Control')
    await lin.page.mouse.click(x - 40, y - 40)
    await lin.page.keyboard.up('Control')
    assert.ok((await chosen(lin)).length >= 1)
    await lin.page.keyboard.press('Escape')
    assert.deepEqual(await chosen(lin), [])
  })
  it('drags a shared node: every neighbour follows, and nothing gapes', async () => {
    const j = await junction(lin)
    const old = await zonesOf(lin)
    await fly(lin, j.at)
    await snapOff(lin)
    await lin.page.evaluate((z) => window.__plan.tools.select([z]), j.zones[0])
    await lin.page.locator('#content canvas').focus()
    await lin.page.keyboard.press('e')
    const from = await xy(lin, j.at)
    await drag(lin, from, [from[0] + 24, from[1] - 17])
    await sent(lin)
    const now = await zonesOf(lin)
    const moved = [...now.keys()].filter((z) => JSON.stringify(now.get(z).geometry) !== JSON.stringify(old.get(z).geometry))
    assert.deepEqual(moved.sort(), [...j.zones].sort())
    await exact(lin)
    await lin.page.keyboard.press('Control+z')
    await sent(lin)
    await until(lin.page, () => window.__plan.draft.history.redo.length === 1)
    const back = await zonesOf(lin)
    for (const [z, f] of back) assert.equal(JSON.stringify(f.geometry), JSON.stringify(old.get(z).geometry))
    await lin.page.keyboard.press('Control+Shift+z')
    await sent(lin)
    await until(lin.page, () => window.__plan.draft.history.redo.length === 0)
    await exact(lin)
  })
  it('Escape ends a drag without a trace', async () => {
    const j = await junction(lin, 1)
    await fly(lin, j.at)
    await lin.page.evaluate((z) => window.__plan.tools.select([z]), j.zones[0])
    const from = await xy(lin, j.at)
    const n = await lin.page.evaluate(() => window.__plan.draft.lines.length)
    await lin.page.mouse.move(...from)
    await lin.page.mouse.down()
    await lin.page.mouse.move(from[0] + 30, from[1] + 30, { steps: 3 })
    await lin.page.keyboard.press('Escape')
    await lin.page.mouse.up()
    await sent(lin)
    assert.equal(await lin.page.evaluate(() => window.__plan.draft.lines.length), n)
    await exact(lin)
  })
  it('inserts a node at a middle, and removes it with Del', async () => {
    const mid = await lin.page.evaluate(() => {
      const { draft, tools, session } = window.__plan
      const topo = draft.topo
      let best = null
      for (const z of session.zones.all.keys()) for (const r of topo.outline(z)) for (let i = 0; i < r.nodes.length; i++) {
        const a = r.nodes[i], b = r.nodes[(i + 1) % r.nodes.length]
        if (topo.locked(a) || topo.locked(b) || topo.edgeZones(a, b).length !== 2) continue
        const p = topo.at(a), q = topo.at(b), len = Math.hypot(p[0] - q[0], p[1] - q[1])
        if (!best || len > best.len) best = { len, zone: z, at: [(p[0] + q[0]) / 2e8, (p[1] + q[1]) / 2e8] }
      }
      tools.select([best.zone])
      return best
    })
    await fly(lin, mid.at, 16)
    const from = await xy(lin, mid.at)
    const before = await lin.page.evaluate(() => window.__plan.draft.topo.nodes)
    await drag(lin, from, [from[0] + 12, from[1] + 14])
    await sent(lin)
    assert.equal(await lin.page.evaluate(() => window.__plan.draft.topo.nodes), before + 1)
    await exact(lin)
    await lin.page.mouse.click(from[0] + 12, from[1] + 14)
    await lin.page.keyboard.press('Delete')
    await sent(lin)
    assert.equal(await lin.page.evaluate(() => window.__plan.draft.topo.nodes), before)
    await exact(lin)
  })
  it('splits a zone by a line, only once the line crosses it', async () => {
    const r = await roomy(lin)
    const n = await count(lin)
    await lin.page.keyboard.press('v')
    await lin.page.evaluate(([r]) => { window.__plan.tools.select([r.zone]); window.__plan.map.fitBounds(r.box, { padding: { top: 130, bottom: 60, left: 60, right: 60 }, animate: false }) }, [r])
    await lin.page.keyboard.press('l')
    const a = await xy(lin, [r.box[0], (r.box[1] + r.box[3]) / 2]), b = await xy(lin, [r.box[2], (r.box[1] + r.box[3]) / 2])
    const finish = lin.page.locator('.say button.primary')
    await lin.page.mouse.click(a[0] - 20, a[1])
    await lin.page.mouse.move(a[0] - 10, a[1] + 3)
    await lin.page.getByText('✗').waitFor()
    assert.equal(await finish.isDisabled(), true)
    await lin.page.mouse.move(b[0] + 20, b[1] + 8, { steps: 3 })
    await lin.page.getByText('穿过边界 ✓').waitFor()
    await lin.page.mouse.click(b[0] + 20, b[1] + 8)
    assert.equal(await finish.isDisabled(), false)
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    await until(lin.page, (n) => window.__plan.session.zones.all.size > n, n)
    await exact(lin)
  })
  it('merges what was split, and takes both back and does both again', async () => {
    const n = await count(lin)
    const pair = await lin.page.evaluate(() => { const l = window.__plan.draft.lines; return l[l.length - 1].zones.filter((z) => window.__plan.session.zones.all.has(z)) })
    const two = await lin.page.evaluate((zones) => { const { draft } = window.__plan; for (const a of zones) for (const b of zones) if (a < b && draft.topo.shared(a, b) > 1) return [a, b]; return null }, pair)
    assert.ok(two, 'no neighbours among what was split')
    await lin.page.evaluate((z) => window.__plan.tools.select(z), two)
    await lin.page.keyboard.press('v')
    await lin.page.evaluate((z) => window.__plan.tools.select(z), two)
    await lin.page.keyboard.press('m')
    await sent(lin)
    await until(lin.page, (n) => window.__plan.session.zones.all.size === n - 1, n)
    await exact(lin)
    const merged = JSON.stringify([...await zonesOf(lin)].map(([z, f]) => [z, f.geometry]).sort())
    await lin.page.keyboard.press('Control+z')
    await sent(lin)
    await until(lin.page, (n) => window.__plan.session.zones.all.size === n, n)
    await exact(lin)
    const split = await lin.page.evaluate(() => window.__plan.draft.history.undo.length)
    await lin.page.keyboard.press('Control+z')
    await sent(lin)
    await until(lin.page, (n) => window.__plan.draft.history.undo.length === n - 1, split)
    assert.ok(await count(lin) < n)
    await exact(lin)
    for (const left of [1, 0]) { await lin.page.keyboard.press('Control+Shift+z'); await sent(lin); await until(lin.page, (n) => window.__plan.draft.history.redo.length === n, left) }
    await exact(lin)
    assert.equal(JSON.stringify([...await zonesOf(lin)].map(([z, f]) => [z, f.geometry]).sort()), merged)
  })
  it('draws a zone out of others, point by point', async () => {
    const r = await roomy(lin, 1)
    const n = await count(lin)
    await lin.page.evaluate(([r]) => { window.__plan.tools.select([]); window.__plan.tools.carve = true; window.__plan.map.fitBounds(r.box, { padding: { top: 130, bottom: 60, left: 60, right: 60 }, animate: false }) }, [r])
    await lin.page.keyboard.press('p')
    const inner = await lin.page.evaluate((zone) => { const f = window.__plan.session.zones.all.get(zone); const b = window.__plan.session.zones.bounds(zone); for (let k = 0; k < 400; k++) { const x = b[0] + (b[2] - b[0]) * ((k * 0.618) % 1), y = b[1] + (b[3] - b[1]) * ((k * 0.381) % 1); const d = (b[2] - b[0]) * 0.06; const at = [[x - d, y - d], [x + d, y - d], [x + d, y + d], [x - d, y + d]]; if (at.every((p) => window.__plan.draft.topo.inside(zone, [p[0] * 1e8, p[1] * 1e8]))) return at } return f && null }, r.zone)
    assert.ok(inner)
    await put(lin, inner)
    await lin.page.locator('.say span', { hasText: '面积' }).waitFor()
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    await until(lin.page, (n) => window.__plan.session.zones.all.size === n + 1, n)
    await exact(lin)
    assert.equal((await chosen(lin)).length, 1, 'the new zone is selected')
    // A level by its key, undone by its name in the list of steps.
    await lin.page.keyboard.press('v')
    await lin.page.keyboard.press('1')
    await sent(lin)
    const zone = (await chosen(lin))[0]
    assert.equal((await zonesOf(lin)).get(zone).properties.level, 1)
  })
  it('refuses a bow-tie while it is drawn', async () => {
    const n = await count(lin)
    await lin.page.keyboard.press('p')
    const box = await lin.page.locator('#content canvas').boundingBox()
    const at = (x, y) => [box.x + 200 + x, box.y + 220 + y]
    for (const [k, q] of [at(0, 0), at(120, 120), at(120, 0)].entries()) { await lin.page.mouse.move(...q, { steps: 2 }); await lin.page.mouse.click(...q); await until(lin.page, (n) => window.__plan.tools.sketch.length === n, k + 1) }
    await lin.page.mouse.move(...at(0, 120), { steps: 2 })
    await lin.page.locator('.say span', { hasText: '自己相交' }).waitFor()
    await lin.page.mouse.click(...at(0, 120))
    await lin.page.keyboard.press('Escape')
    await lin.page.keyboard.press('Escape')
    assert.equal(await count(lin), n)
  })
  it('shows what the server refuses where it is, with a proposal that works', async () => {
    // The plan leaves no gap, and nobody is named to take the area.
    const r = await roomy(lin, 3)
    await lin.page.evaluate((zone) => { const { draft, session } = window.__plan; void draft.commit({ title: '删除', zones: [zone], sketch: [session.zones.all.get(zone).geometry], ops: [{ op: 'delete', zone }] }) }, r.zone)
    await lin.page.locator('.refused').waitFor()
    assert.match(await lin.page.locator('.refused').innerText(), /没有做成/)
    await exact(lin)
    const proposal = lin.page.locator('.refused .row button').first()
    await proposal.waitFor()
    const n = await count(lin)
    await proposal.click()
    await sent(lin)
    await until(lin.page, (n) => window.__plan.session.zones.all.size !== n && !window.__plan.draft.refused, n)
    await exact(lin)
  })
  it('takes several steps back at once from the list', async () => {
    await lin.page.keyboard.press('Escape')
    await lin.page.evaluate(() => window.__plan.tools.select([]))
    const undo = await lin.page.evaluate(() => window.__plan.draft.history.undo.length)
    await lin.page.locator('ol .back').nth(1).click()
    await until(lin.page, (n) => window.__plan.draft.history.undo.length === n - 2 && !window.__plan.session.saving, undo)
    await exact(lin)
    assert.deepEqual(lin.faults(), [])
  })
  it('is usable without a mouse, and clean for axe', async () => {
    await lin.page.locator('.row[role="option"]').first().focus()
    await lin.page.keyboard.press('Enter')
    assert.equal((await chosen(lin)).length, 1)
    await lin.page.keyboard.press('ArrowDown')
    assert.equal((await chosen(lin)).length, 1)
    await lin.page.locator('#content canvas').focus()
    await lin.page.keyboard.press('?')
    await lin.page.getByRole('heading', { name: '快捷键' }).waitFor()
    await lin.page.keyboard.press('Escape')
    await lin.page.addScriptTag({ content: axe })
    const { violations } = await lin.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((x) => x.target.join(' ')).slice(0, 3).join(' | ')}`), [])
  })
})

describe('what is not saved', () => {
  it('survives a reload, is listed, and is restored', async () => {
    await bench(lin)
    const j = await junction(lin, 2)
    await fly(lin, j.at)
    await snapOff(lin)
    await lin.page.evaluate((z) => { window.__plan.tools.select([z]); window.__plan.tools.use('vertex') }, j.zones[0])
    await lin.context.setOffline(true)
    const from = await xy(lin, j.at)
    await drag(lin, from, [from[0] + 20, from[1] + 12])
    await until(lin.page, () => window.__plan.draft.pending.length === 1 && window.__plan.draft.stuck !== '')
    assert.match(await lin.page.locator('[data-saved]').innerText(), /未保存 1 步/)
    assert.match(await lin.page.locator('.strip').first().innerText(), /1 步/)
    lin.page.on('dialog', (d) => void d.accept())
    // The line is back only after the page is gone: what waited is in the browser alone.
    await lin.page.evaluate(() => { window.fetch = () => new Promise(() => {}) })
    await lin.context.setOffline(false)
    await bench(lin)
    await lin.page.locator('[data-restore]').waitFor()
    assert.match(await lin.page.locator('[data-restore]').innerText(), /1 步上次没有存到服务器/)
    assert.match(await lin.page.locator('[data-restore]').innerText(), /移动节点/)
    const old = await zonesOf(lin)
    await lin.page.getByRole('button', { name: '恢复' }).click()
    await sent(lin)
    await until(lin.page, () => window.__plan.draft.found === null && window.__plan.draft.pending.length === 0)
    const now = await zonesOf(lin)
    assert.deepEqual([...now.keys()].filter((z) => JSON.stringify(now.get(z).geometry) !== JSON.stringify(old.get(z).geometry)).sort(), [...j.zones].sort())
    await exact(lin)
    await bench(lin)
    assert.equal(await lin.page.locator('[data-restore]').count(), 0)
  })
})

describe('two planners', () => {
  it('the later one sees both on the map and chooses', async () => {
    he = await person('he.hui')
    await bench(lin)
    await bench(he)
    const j = await junction(lin, 3)
    for (const p of [lin, he]) { await fly(p, j.at); await snapOff(p); await p.page.evaluate((z) => { window.__plan.tools.select([z]); window.__plan.tools.use('vertex') }, j.zones[0]) }
    await he.page.evaluate(() => { window.__plan.draft.reading = true })
    const from = await xy(lin, j.at)
    await drag(lin, from, [from[0] + 22, from[1] + 6])
    await sent(lin)
    // The other one has not heard of it yet.
    await drag(he, await xy(he, j.at), [from[0] - 18, from[1] - 14])
    await he.page.locator('[data-conflict]').waitFor()
    assert.match(await he.page.locator('[data-conflict]').innerText(), /别人刚改过/)
    const drawn = await he.page.evaluate(() => window.__plan.draft.stale.theirs.length)
    assert.ok(drawn > 0)
    await he.page.getByRole('button', { name: '用对方的' }).click()
    await sent(he)
    await exact(he)
    await exact(lin)
    // Another one, redone on top: a level does not care about the shape.
    await lin.page.evaluate((z) => { window.__plan.tools.select([z]); void window.__plan.tools.relevel(2) }, j.zones[1])
    await sent(lin)
    await he.page.evaluate((z) => { window.__plan.tools.select([z]); void window.__plan.tools.relevel(3) }, j.zones[1])
    await he.page.locator('[data-conflict]').waitFor()
    await he.page.getByRole('button', { name: '在对方的基础上重做我的' }).click()
    await sent(he)
    await until(he.page, (z) => window.__plan.session.zones.all.get(z).properties.level === 3, j.zones[1])
    assert.deepEqual(he.faults(), [])
  })
})

describe('every tool, in a plan that may leave gaps', () => {
  const d = 0.001
  let villages, c
  const at = (x, y) => [Math.round((c[0] + x * d) * 1e8) / 1e8, Math.round((c[1] + y * d) * 1e8) / 1e8]
  const box = (x1, y1, x2, y2) => [at(x1, y1), at(x2, y1), at(x2, y2), at(x1, y2)]
  const has = (f, p) => f.geometry.coordinates.flat(2).some((q) => q[0] === p[0] && q[1] === p[1])
  const one = async (zone) => (await zonesOf(lin)).get(zone)
  const added = (n) => until(lin.page, (n) => window.__plan.session.zones.all.size === n && window.__plan.tools.selection.length === 1, n).catch(async (e) => {
    const now = await lin.page.evaluate(() => ({ zones: window.__plan.session.zones.all.size, selected: window.__plan.tools.selection.length, words: [...document.querySelectorAll('dialog[open], [role="alert"], [role="status"]')].map((x) => x.textContent.trim()).filter(Boolean) }))
    throw new Error(`${n} zones and one chosen were waited for: ${JSON.stringify(now)}`, { cause: e })
  })
  const choose = (zone) => lin.page.evaluate((z) => { window.__plan.tools.use('select'); window.__plan.tools.select([z]) }, zone)
  const dms = (v) => { const s = Math.round(v * 3600 * 1e4) / 1e4; const deg = Math.floor(s / 3600), min = Math.floor((s % 3600) / 60); return `${deg}°${min}′${(s - deg * 3600 - min * 60).toFixed(4)}″` }
  async function typed(text) {
    await lin.page.keyboard.press('c')
    await lin.page.locator('dialog[open] textarea').fill(text)
    await lin.page.locator('dialog[open] button.primary').click()
    await until(lin.page, () => !document.querySelector('dialog[open]'))
  }
  before(async () => {
    villages = plan
    await bench(lin)
    const room = await roomy(lin)
    c = await lin.page.evaluate(({ zone, box: b }) => { for (let k = 0; k < 4000; k++) { const p = [b[0] + (b[2] - b[0]) * ((k * 0.618034) % 1), b[1] + (b[3] - b[1]) * ((k * 0.381966 + k / 4000) % 1)]; const e = 0.0045; if ([[-e, -e], [e, -e], [e, e], [-e, e], [0, 0]].every(([x, y]) => window.__plan.draft.topo.inside(zone, [(p[0] + x) * 1e8, (p[1] + y) * 1e8]))) return p } return null }, room)
    assert.ok(c, 'no room to draw in')
    const r = await call(lin, '/api/plans', { method: 'POST', body: { hazard: 'landslide', kind: 'risk', title: '示例县地质灾害易发区', area: '990100', exhaustive: false, start: 'empty' } })
    assert.equal(r.status, 201, JSON.stringify(r.data))
    plan = r.data.id
    await bench(lin)
    await fly(lin, c)
    await snapOff(lin)
  })
  after(() => { plan = villages })

  let first, second
  it('draws by coordinates typed as degrees and as DMS, exactly', async () => {
    const r = box(-4, -4, -2, -2)
    await typed([`1 ${r[0].join(' ')}`, r[1].join(','), `${dms(r[2][0])}E ${dms(r[2][1])}N`, `北纬${dms(r[3][1])} 东经${dms(r[3][0])}`].join('\n'))
    await sent(lin)
    await added(1)
    first = (await chosen(lin))[0]
    const f = await one(first)
    assert.ok(has(f, r[0]) && has(f, r[1]), JSON.stringify(f.geometry))
    assert.ok(f.geometry.coordinates.flat(2).some((q) => Math.abs(q[0] - r[2][0]) < 2e-8 && Math.abs(q[1] - r[2][1]) < 2e-8))
    await exact(lin)
  })
  it('clips a new zone at its neighbour: one border, the same nodes', async () => {
    await fly(lin, c)
    await lin.page.evaluate(() => { window.__plan.tools.select([]); window.__plan.tools.carve = false })
    await lin.page.keyboard.press('p')
    await put(lin, box(-3, -3.5, 0, -2.5))
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    await added(2)
    second = (await chosen(lin))[0]
    assert.equal(await lin.page.evaluate(([a, b]) => window.__plan.draft.topo.shared(a, b), [first, second]), 2)
    await exact(lin)
  })
  it('adds a part, and takes the parts apart', async () => {
    await choose(second)
    await lin.page.keyboard.press('a')
    await put(lin, box(1, -3.5, 2, -2.5))
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    assert.equal((await one(second)).geometry.coordinates.length, 2)
    await exact(lin)
    await choose(second)
    await lin.page.keyboard.press('x')
    await sent(lin)
    await until(lin.page, () => window.__plan.session.zones.all.size === 3)
    await exact(lin)
  })
  it('cuts a hole and fills it', async () => {
    await choose(first)
    await lin.page.keyboard.press('h')
    await put(lin, box(-3.7, -3.2, -2.7, -2.3))
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    assert.equal((await one(first)).geometry.coordinates[0].length, 2)
    await exact(lin)
    await lin.page.keyboard.press('f')
    await lin.page.mouse.click(...await xy(lin, at(-3.2, -2.7)))
    await until(lin.page, (z) => window.__plan.session.zones.all.get(z).geometry.coordinates[0].length === 1, first)
    await exact(lin)
  })
  it('gives a gap between zones to the one chosen', async () => {
    await typed([[-4, 0], [-1, 0], [-1, 1], [-3, 1], [-3, 2], [-1, 2], [-1, 3], [-4, 3]].map(([x, y]) => at(x, y).join(' ')).join('\n'))
    await sent(lin)
    await added(4)
    const horseshoe = (await chosen(lin))[0]
    await typed(box(-1, 0, 0, 3).map((p) => p.join(' ')).join('\n'))
    await sent(lin)
    await added(5)
    const before = (await one(horseshoe)).properties.area_km2
    await choose(horseshoe)
    await fly(lin, c)
    await lin.page.keyboard.press('f')
    await lin.page.mouse.click(...await xy(lin, at(-2, 1.5)))
    await sent(lin)
    await until(lin.page, ([z, a]) => window.__plan.session.zones.all.get(z).properties.area_km2 > a * 1.2, [horseshoe, before])
    await exact(lin)
  })
  it('reshapes along a line', async () => {
    const before = (await one(first)).properties.area_km2
    await choose(first)
    await lin.page.keyboard.press('r')
    await put(lin, [at(-3.5, -4.2), at(-3.5, -3.6), at(-3, -3.6), at(-3, -4.2)])
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    assert.ok((await one(first)).properties.area_km2 < before)
    await exact(lin)
  })
  it('moves a node by keys, as one step', async () => {
    await choose(first)
    await lin.page.keyboard.press('e')
    await lin.page.keyboard.press('n')
    const n = await lin.page.evaluate(() => window.__plan.draft.lines.length)
    const was = await lin.page.evaluate(() => window.__plan.draft.topo.at(window.__plan.tools.active))
    for (let k = 0; k < 3; k++) await lin.page.keyboard.press('Shift+ArrowLeft')
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    await until(lin.page, (n) => window.__plan.draft.lines.length === n + 1, n)
    assert.ok(!has(await one(first), [was[0] / 1e8, was[1] / 1e8]))
    await exact(lin)
  })
  it('follows a border while T is held', async () => {
    await fly(lin, at(0, 2)) // clear of the words over the map
    await lin.page.evaluate(() => { window.__plan.tools.use('draw'); window.__plan.tools.setSnapping(true); window.__plan.tools.around.close() })
    await put(lin, [at(0, 0)])
    await lin.page.keyboard.down('t')
    await put(lin, [at(-1, 3)])
    await lin.page.keyboard.up('t')
    const sketch = await lin.page.evaluate(() => window.__plan.tools.sketch.map((p) => [p[0] / 1e8, p[1] / 1e8]))
    assert.deepEqual(sketch, [at(0, 0), at(0, 3), at(-1, 3)])
    await lin.page.keyboard.press('Escape')
  })
  it('snaps to a river or road at the very coordinate the server has, and stores it', async () => {
    const r = await call(lin, `/api/plans/${plan}/snap?bbox=${[c[0] - 0.03, c[1] - 0.03, c[0] + 0.03, c[1] + 0.03].join()}`)
    assert.equal(r.status, 200)
    // A line is given whole: the corner taken is one near by, inside the plan, and clear of what is drawn already.
    const corners = r.data.features.filter((f) => ['rivers', 'roads'].includes(f.properties.layer)).flatMap((f) => f.geometry.coordinates.flat(f.geometry.type === 'MultiLineString' ? 1 : 0)).filter((q) => Math.abs(q[0] - c[0]) < 0.028 && Math.abs(q[1] - c[1]) < 0.028)
    const county = (await call(lin, '/ogc/collections/admin/items?limit=2000')).data.features.find((f) => f.properties.code === '990100').geometry
    const rings = (county.type === 'Polygon' ? [county.coordinates] : county.coordinates).flat()
    const within = ([x, y]) => rings.reduce((odd, r) => r.reduce((o, [xi, yi], i) => { const [xj, yj] = r.at(i - 1); return (yi > y) !== (yj > y) && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi ? !o : o }, odd), false)
    const e = 0.0015
    const room = corners.filter((q) => [[-e, -e], [e, -e], [e, e], [-e, e]].every(([x, y]) => within([q[0] + x, q[1] + y])))
    const p = await lin.page.evaluate(([room, e]) => room.find((q) => window.__plan.draft.topo.touching([q[0] - e, q[1] - e, q[0] + e, q[1] + e].map((v) => v * 1e8)).length === 0), [room, e])
    assert.ok(p, 'neither river nor road around')
    await fly(lin, p, 17)
    await lin.page.evaluate(() => { window.__plan.tools.around.open(window.__plan.stage); window.__plan.tools.select([]); window.__plan.tools.use('draw'); window.__plan.tools.setSnapping(true) })
    await until(lin.page, ([x, y]) => window.__plan.tools.around.lines?.nearest([Math.round(x * 1e8), Math.round(y * 1e8)], 50, 1.17) != null, p)
    const q = await xy(lin, p)
    await lin.page.mouse.move(q[0] + 30, q[1] + 3)
    await lin.page.mouse.move(q[0] + 2, q[1] + 2)
    await lin.page.mouse.click(q[0] + 2, q[1] + 2)
    await until(lin.page, () => window.__plan.tools.sketch.length === 1)
    assert.deepEqual(await lin.page.evaluate(() => window.__plan.tools.sketch[0].map((v) => v / 1e8)), p)
    await snapOff(lin)
    const n = await count(lin)
    await put(lin, [[p[0] + 0.0006, p[1] - 0.0008], [p[0] - 0.0007, p[1] - 0.0006]])
    await lin.page.keyboard.press('Enter')
    await sent(lin)
    await added(n + 1)
    const f = await one((await chosen(lin))[0])
    assert.equal(f.geometry.coordinates[0][0].length, 4)
    assert.ok(has(f, p), `${p} is not in ${JSON.stringify(f.geometry)}`)
    await exact(lin)
  })
  describe('from villages and cells', () => {
    const areaOf = (g) => (g.type === 'Polygon' ? [g.coordinates] : g.coordinates).reduce((sum, rings) => sum + rings.reduce((s, r, k) => s + (k === 0 ? 1 : -1) * Math.abs(r.reduce((a, p, i) => { const q = r[(i + 1) % r.length]; return a + (p[0] - r[0][0]) * (q[1] - r[0][1]) - (q[0] - r[0][0]) * (p[1] - r[0][1]) }, 0) / 2), 0), 0)
    const known = new Map()
    const corners = (f) => { if (!known.has(f)) known.set(f, new Set(f.geometry.coordinates.flat(f.geometry.type === 'MultiPolygon' ? 2 : 1).map(String))); return known.get(f) }
    const common = (a, b) => { const of = corners(b); return [...corners(a)].filter((p) => of.has(p)).length }
    const boxOf = (f) => { const l = f.geometry.coordinates.flat(f.geometry.type === 'MultiPolygon' ? 2 : 1); return [Math.min(...l.map((p) => p[0])), Math.min(...l.map((p) => p[1])), Math.max(...l.map((p) => p[0])), Math.max(...l.map((p) => p[1]))] }
    let all, edge
    const items = async (layer) => { const r = await call(lin, `/ogc/collections/${layer}/items?limit=2000`); assert.equal(r.status, 200); return r.data.features }
    before(async () => {
      const admin = await items('admin')
      const county = admin.find((f) => f.properties.code === '990100')
      // Nothing drawn so far reaches into these.
      const free = await lin.page.evaluate((boxes) => boxes.map((b) => window.__plan.draft.topo.touching(b.map((v) => v * 1e8)).length === 0), admin.map(boxOf))
      const villages = admin.filter((f, i) => f.properties.rank === 5 && free[i])
      all = villages.filter((f) => common(f, county) === 0)
      edge = villages.filter((f) => common(f, county) > 2)
      assert.ok(all.length > 10 && edge.length > 3, `${all.length} inner villages, ${edge.length} at the edge`)
    })
    /** pick takes features with the tool, one click each, and adds them as one zone. */
    async function pick(layer, list) {
      const n = await count(lin)
      const b = list.map(boxOf)
      await lin.page.evaluate((b) => { window.__plan.tools.use('select'); window.__plan.tools.select([]); window.__plan.map.fitBounds(b, { padding: 120, animate: false }) }, [Math.min(...b.map((x) => x[0])), Math.min(...b.map((x) => x[1])), Math.max(...b.map((x) => x[2])), Math.max(...b.map((x) => x[3]))])
      await lin.page.keyboard.press('u')
      await lin.page.locator('select[aria-label="取自"]').selectOption(layer)
      for (const [i, f] of list.entries()) {
        await lin.page.mouse.click(...await xy(lin, inside(f.geometry)))
        await until(lin.page, (n) => window.__plan.tools.units.items.length === n, i + 1)
      }
      await lin.page.locator('.say button.primary').click()
      await sent(lin)
      await added(n + 1)
      const f = await one((await chosen(lin))[0])
      const wanted = list.reduce((s, x) => s + areaOf(x.geometry), 0)
      assert.ok(Math.abs(areaOf(f.geometry) / wanted - 1) < 1e-6, `${areaOf(f.geometry)} of ${wanted}`)
      await exact(lin)
      return f
    }
    it('takes one village, and lets one go', async () => {
      await lin.page.evaluate(() => { window.__plan.tools.carve = false; window.__plan.tools.select([]) })
      const f = await pick('admin', [all[0]])
      assert.equal(f.geometry.coordinates.length, 1)
      await lin.page.keyboard.press('u')
      await lin.page.mouse.click(...await xy(lin, inside(all[0].geometry)))
      await until(lin.page, () => window.__plan.tools.units.items.length === 1)
      await lin.page.keyboard.press('Escape')
      assert.equal(await lin.page.evaluate(() => window.__plan.tools.units.items.length), 0)
    })
    it('makes one outline of several villages side by side', async () => {
      const pair = all.slice(1).flatMap((a) => all.slice(1).filter((b) => a.id < b.id && common(a, b) > 2 && common(a, all[0]) === 0 && common(b, all[0]) === 0).map((b) => [a, b]))[0]
      assert.ok(pair, 'no neighbours')
      const f = await pick('admin', pair)
      assert.deepEqual(f.geometry.coordinates.map((p) => p.length), [1])
    })
    it('takes a village at the edge of the county', async () => { await pick('admin', [edge[0]]) })
    it('takes cells of the grid', async () => {
      const cells = await items('grids')
      const free = await lin.page.evaluate((boxes) => boxes.map((b) => window.__plan.draft.topo.touching(b.map((v) => v * 1e8)).length === 0), cells.map(boxOf))
      const inner = cells.filter((f, i) => free[i] && all.some((v) => v.properties.code === f.properties.village_code))
      const pair = inner.flatMap((a) => inner.filter((b) => a.id < b.id && a.properties.village_code === b.properties.village_code && common(a, b) > 1).map((b) => [a, b]))[0]
      assert.ok(pair, 'no neighbours among the cells')
      await pick('grids', pair)
    })
  })
  it('deletes a zone and hands it to the neighbour chosen', async () => {
    await choose(second)
    const before = (await one(first)).properties.area_km2
    await lin.page.keyboard.press('Delete')
    await lin.page.locator(`dialog[open] input[value="${first}"]`).check()
    await lin.page.locator('dialog[open] button.danger').click()
    await sent(lin)
    await until(lin.page, (z) => !window.__plan.session.zones.all.has(z), second)
    assert.ok((await one(first)).properties.area_km2 > before)
    await exact(lin)
    assert.deepEqual(lin.faults(), [])
  })
})

describe('a base map of the intranet in the c grid', () => {
  let world, asked = [], down = false
  before(async () => {
    // One colour, as a tile server would send it.
    const chunk = (type, body) => { const b = Buffer.concat([Buffer.from(type), body]); const out = Buffer.alloc(b.length + 8); out.writeUInt32BE(body.length, 0); b.copy(out, 4); out.writeUInt32BE(crc32(b), b.length + 4); return out }
    const head = Buffer.alloc(13)
    head.writeUInt32BE(256, 0); head.writeUInt32BE(256, 4); head[8] = 8; head[9] = 2
    const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(256 * 3).map((_, i) => [0xd0, 0x20, 0xc0][i % 3])])
    const png = Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.concat(Array(256).fill(row)))), chunk('IEND', Buffer.alloc(0))])
    world = createServer((q, r) => { asked.push(q.url); if (down) { r.writeHead(503); r.end() } else { r.writeHead(200, { 'Content-Type': 'image/png' }); r.end(png) } })
    await new Promise((ok) => world.listen(0, '127.0.0.1', ok))
    const value = [{ id: 'img', title: '县影像', url: `http://127.0.0.1:${world.address().port}/img_c/wmts?TILEMATRIX={z}&TILEROW={y}&TILECOL={x}`, grid: 'c', min_zoom: 1, max_zoom: 16, attribution: '示例县测绘' }]
    const socket = readFileSync(`${server.data}/pg/postmaster.pid`, 'utf8').split('\n')[4]
    execFileSync('psql', ['-h', socket, '-U', 'postgres', '-d', 'onemap', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', `insert into setting (key, value) values ('basemaps', '${JSON.stringify(value)}') on conflict (key) do update set value = excluded.value`])
  })
  after(() => { world?.closeAllConnections(); world?.close() })
  it('lies under the draft, warped by the server, and is credited', async () => {
    await bench(lin)
    await lin.page.waitForFunction(async () => (await (await fetch('/api/basemaps')).json()).basemaps?.length === 1, undefined, { polling: 500 })
    await lin.page.getByRole('tab', { name: '图层' }).click()
    await lin.page.getByLabel('县影像').check()
    // What is under no zone has the very colour of the tiles: opaque to nine tenths.
    await lin.page.waitForFunction(async () => {
      const { map } = window.__plan
      if (!map.getSource('bm-img') || !map.isSourceLoaded('bm-img')) return false
      const p = await new Promise((done) => { map.once('render', () => { const c = document.createElement('canvas'), from = map.getCanvas(); c.width = from.width; c.height = from.height; const x = c.getContext('2d'); x.drawImage(from, 0, 0); done([...x.getImageData(from.width - 3, from.height >> 1, 1, 1).data]) }); map.triggerRepaint() })
      return Math.abs(p[0] - 0xd0) < 30 && p[1] < 70 && Math.abs(p[2] - 0xc0) < 30
    }, undefined, { polling: 300 })
    // The c grid has half as many rows: what the server asks for is that grid, not the map's own.
    const own = await lin.page.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/wmts/img/')).length)
    assert.ok(own > 0)
    for (const u of asked) { const q = new URL(u, 'http://x').searchParams; assert.ok(Number(q.get('TILEROW')) < 2 ** (Number(q.get('TILEMATRIX')) - 1), u) }
    assert.match(await lin.page.locator('[data-credit]').innerText(), /示例县测绘/)
    // Looking at the zones and coming back changes nothing.
    await lin.page.getByRole('tab', { name: /单元/ }).click()
    await lin.page.getByRole('tab', { name: '图层' }).click()
    assert.equal(await lin.page.getByLabel('县影像').isChecked(), true)
  })
  it('is said to be silent when it is', async () => {
    down = true
    await lin.page.evaluate(() => window.__plan.map.jumpTo({ center: [112.1, 31.55], zoom: 14.2 }))
    await lin.page.locator('.toast', { hasText: '没有回应' }).waitFor()
    await lin.page.getByLabel('矢量底图').check()
  })
})

describe('on a phone', () => {
  it('a plan can be read, not drawn', async () => {
    const p = await person('lin.guihua', { size: { width: 390, height: 844 } })
    await bench(p)
    await p.page.getByText('手机上只能查看').waitFor()
    assert.equal(await p.page.locator('[role="toolbar"]').count(), 0)
    await p.page.locator('.phonebar button').nth(1).click()
    await p.page.locator('.row[role="option"]').nth(2).click()
    assert.equal((await chosen(p)).length, 1)
    // The sheet lies on the map; what is chosen is above it.
    const sheet = p.page.locator('aside.right')
    await sheet.waitFor()
    await p.page.locator('.phonebar button').first().click()
    await until(p.page, () => {
      const { session, tools, project } = window.__plan
      const b = session.zones.bounds(tools.one), [, low] = project([b[0], b[1]]), [, high] = project([b[2], b[3]])
      const top = document.querySelector('aside.right').getBoundingClientRect().top, map = document.querySelector('#content canvas').getBoundingClientRect()
      return low <= top && high >= map.top
    })
    assert.ok(await p.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it scrolls sideways')
    assert.deepEqual(p.faults(), [])
    await p.close()
  })
})
