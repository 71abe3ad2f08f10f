// The command room as a county has it: over https, by keyboard and mouse, several screens
// at once; the wall by its token, the telephone page, and the way from a warning through
// calls and moving people to the handover.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { launch, ready, shut, until, watch, wire } from './kit.mjs'
import { faultsOf, office, v7 } from './office.mjs'

const password = 'Shanhe-2026-x'
let o, desk, other
const people = []
/** seat is somebody in the room, in a browser of his own. */
async function seat(cookie, { at = '', from = o.base, size = { width: 1440, height: 900 }, ...extra } = {}) {
  const context = await (await launch()).newContext({ viewport: size, deviceScaleFactor: 1, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', bypassCSP: true, ...extra })
  const [name, value] = cookie.split('=')
  await context.addCookies([{ name, value, url: o.base, httpOnly: true, secure: true }])
  const page = await context.newPage(), faults = []
  page.setDefaultTimeout(60_000)
  watch(page, faults, from)
  const p = { page, context, faults, from, close: () => context.close() }
  people.push(p)
  await to(p, at)
  return p
}
async function to(p, at = '') {
  await p.page.goto(`${p.from}/command?e2e=1${at ? `&${at}` : ''}`)
  await ready(p.page)
}
// Maps are drawn by the processor here: they are given time.
const drawn = (p) => p.page.waitForFunction(() => Boolean(window.__command?.stage), undefined, { timeout: 120_000, polling: 100 })
const side = (p) => p.page.locator('[data-side]')
const row = (p, id) => p.page.locator(`li[data-incident="${id}"]`)
const toast = (p, text) => p.page.locator('.toast', { hasText: text }).first().waitFor()
const confirm = async (p, text, yes) => {
  const d = p.page.locator('dialog[open]')
  if (text) await d.locator('textarea').fill(text)
  await d.getByRole('button', { name: yes, exact: true }).click()
  await d.waitFor({ state: 'hidden' })
}
const clickMap = async (p, at) => {
  const [x, y] = await p.page.evaluate((c) => window.__command.project(c), at)
  await p.page.mouse.click(x, y)
}
/** eventually waits until what is looked at is there. */
async function eventually(what, look) {
  const end = Date.now() + 60_000
  for (;;) {
    const got = await look()
    if (got) return got
    assert.ok(Date.now() < end, what)
    await new Promise((r) => setTimeout(r, 100))
  }
}
const said = async (p, kind, value) => { const at = `/api/incidents/${value}`; return o.county.call(kind ? `${at}/${kind}` : at) }
/** receive makes an incident as a program would. */
const receive = async (body, id = v7()) => o.county.call(`/api/incidents/${id}`, { method: 'PUT', body: { kind: 'waterlogging', place: '测试路口', ...body } })

before(async () => {
  o = await office()
  await launch({ args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', o.trust] })
  // The other screen is a telephone, which draws no map unless asked: the processor draws the maps here.
  ;[desk, other] = await Promise.all([seat(o.county.cookie), seat(o.reviewer.cookie, { size: { width: 390, height: 844 } })])
})
after(async () => {
  for (const p of people) await p.close()
  await shut()
  await o?.close()
})

let first
describe('接报', () => {
  it('takes an incident by keyboard alone, without the map, and every other screen shows it', { timeout: 120_000 }, async () => {
    const { page } = desk
    await page.locator('[data-new]').waitFor()
    await page.keyboard.press('n')
    await page.locator('[data-intake]').waitFor()
    await page.keyboard.press('1')
    await page.keyboard.type('没有名字的岔路口')
    await page.locator('[name=reporter]').focus()
    await page.keyboard.type('陈先生')
    await page.keyboard.press('Tab')
    await page.keyboard.type('13912345678')
    await page.keyboard.press('Tab')
    await page.keyboard.type('4')
    await page.keyboard.press('Enter')
    await side(desk).locator('h2', { hasText: '没有名字的岔路口' }).waitFor()
    first = new URL(page.url()).searchParams.get('incident')
    assert.ok(first, 'the address names the incident')
    const i = await said(desk, '', first)
    assert.equal(i.kind, 'waterlogging')
    assert.equal(i.persons_reported, 4)
    assert.equal(i.positioned, false)
    assert.equal(i.reporter_phone_masked, '139****5678')
    assert.ok(!(await page.content()).includes('13912345678'), 'the number of the caller is on the screen in clear')
    await row(other, first).waitFor()
  })
  it('keeps what was typed over a reload, and one save makes one incident', async () => {
    const { page } = desk
    await page.keyboard.press('n')
    await page.locator('[data-kinds] button').nth(1).click()
    await page.locator('#in-place').fill('还没写完')
    await page.reload()
    await until(page, () => document.documentElement.dataset.ready === '1')
    assert.equal(await page.locator('#in-place').inputValue(), '还没写完')
    const before = (await o.county.call('/api/incidents?open=true')).counts.open
    await page.locator('[data-save]').dblclick()
    await side(desk).locator('h2', { hasText: '还没写完' }).waitFor()
    assert.equal((await o.county.call('/api/incidents?open=true')).counts.open, before + 1)
  })
  it('is placed afterwards by one click on the map', { timeout: 180_000 }, async () => {
    const { page } = desk
    await to(desk, `incident=${first}`)
    await drawn(desk)
    await page.evaluate((c) => window.__command.map.jumpTo({ center: c, zoom: 14 }), o.centre)
    await page.locator('[data-locate]').click()
    await page.locator('.hint').waitFor()
    await clickMap(desk, o.centre)
    await toast(desk, '已定位')
    const i = await said(desk, '', first)
    assert.ok(Math.abs(i.geometry.coordinates[0] - o.centre[0]) < 1e-3 && Math.abs(i.geometry.coordinates[1] - o.centre[1]) < 1e-3, JSON.stringify(i.geometry))
    await eventually('the list still says it has no place', async () => (await row(desk, first).getByText('未定位').count()) === 0)
  })
})

describe('一件事件', () => {
  it('has its level proposed by the rule and confirmed by a person', async () => {
    const { page } = desk
    await page.locator('[data-figures] .link').click()
    await page.locator('[data-figures] [name=deaths]').fill('3')
    await page.locator('[data-figures] button.primary').click()
    await page.locator('[data-confirm-level]').waitFor()
    const proposed = await said(desk, '', first)
    assert.equal(proposed.level, null)
    assert.ok(proposed.level_proposed >= 1)
    await side(desk).locator('.level-0').first().waitFor()
    await page.locator('[data-confirm-level]').click()
    await toast(desk, '已定级')
    assert.equal((await said(desk, '', first)).level, proposed.level_proposed)
    await side(desk).locator(`.level-${proposed.level_proposed}`).first().waitFor()
    await row(other, first).locator(`.level-${proposed.level_proposed}`).waitFor()
  })
  it('gives the first report as text, and what is logged ends its deadline', async () => {
    const { page } = desk
    await page.locator('[data-first]').click()
    assert.match(await page.locator('[data-reports] textarea[readonly]').inputValue(), /没有名字的岔路口/)
    await page.locator('[data-report]').click()
    await eventually('the draft is not filled in', async () => (await page.locator('[data-reports] [name=content]').inputValue()).length > 10)
    await page.locator('[data-send]').click()
    await toast(desk, '已登记')
    const i = await said(desk, '', first)
    assert.ok(i.clocks.some((c) => c.done_at), JSON.stringify(i.clocks))
    await page.locator('[data-clocks] li.done').first().waitFor()
  })
  it('runs its deadlines each second, and a late one is red and stays', async () => {
    const { page } = desk
    const late = await receive({ place: '迟报路', known_at: new Date(Date.now() - 5 * 3600_000).toISOString(), occurred_at: new Date(Date.now() - 5 * 3600_000).toISOString(), figures: { deaths: 3 } })
    await row(desk, late.id).locator('[data-due=late]').waitFor()
    const text = () => row(desk, late.id).locator('[data-due=late]').innerText()
    const was = await text()
    await eventually('the clock stands still', async () => (await text()) !== was)
    await row(desk, late.id).locator('button').first().click()
    await page.locator('[data-clocks] li.late').first().waitFor()
  })
  it('is sketched on the map, with until when it holds', { timeout: 180_000 }, async () => {
    const { page } = desk
    await to(desk, `incident=${first}`)
    await drawn(desk)
    await page.evaluate((c) => window.__command.map.jumpTo({ center: c, zoom: 14 }), o.centre)
    await page.locator('[data-sketch]').click()
    await page.locator('[data-sketches] [name=kind]').selectOption('cordon')
    await page.locator('[data-sketches] [name=note]').fill('不得进入')
    await page.locator('[data-draw]').click()
    await page.locator('.hint').waitFor()
    for (const [dx, dy] of [[-0.004, -0.003], [0.004, -0.003], [0, 0.004]]) await clickMap(desk, [o.centre[0] + dx, o.centre[1] + dy])
    await page.keyboard.press('Enter')
    await toast(desk, '已标绘')
    const { sketches } = await said(desk, 'sketches', first)
    assert.equal(sketches.length, 1)
    assert.equal(sketches[0].kind, 'cordon')
    await eventually('the sketch is not drawn', () => page.evaluate(() => window.__command.map.getSource('cm-sketches')?.serialize().data.features.length === 1))
    await page.locator('[data-sketches]').getByRole('button', { name: '现在失效' }).click()
    await page.locator('[data-sketches] li.stale').waitFor()
    await eventually('what no longer holds is still drawn', () => page.evaluate(() => window.__command.map.getSource('cm-sketches')?.serialize().data.features.length === 0))
  })
  it('keeps a timeline of what was done and by whom', async () => {
    const { page } = desk
    await page.locator('[data-timeline] [name=note]').fill('已通知交警到场')
    await page.locator('[data-timeline] button').click()
    await page.locator('[data-timeline] li', { hasText: '已通知交警到场' }).first().waitFor()
    const { entries } = await said(desk, 'timeline', first)
    for (const kind of ['received', 'placed', 'level', 'report', 'sketch_drawn', 'note']) assert.ok(entries.some((e) => e.kind === kind), `${kind} is not in ${entries.map((e) => e.kind)}`)
  })
  it('is merged into another, leaves the counts, and can be parted again', { timeout: 180_000 }, async () => {
    const { page } = desk
    const twin = await receive({ place: '同一个岔路口', geometry: { type: 'Point', coordinates: [o.centre[0] + 0.0005, o.centre[1]] } })
    const before = (await o.county.call('/api/incidents?open=true')).counts.open
    await to(desk, `incident=${twin.id}`)
    await page.locator('[data-merge] .link').click()
    await page.locator('[data-merge] li', { hasText: '没有名字的岔路口' }).getByRole('button', { name: '并入' }).click()
    await confirm(desk, '同一起积水', '并入')
    await toast(desk, '已合并')
    assert.equal((await o.county.call('/api/incidents?open=true')).counts.open, before - 1)
    await page.getByRole('button', { name: '撤回合并' }).click()
    await confirm(desk, '看错了', '撤回合并')
    await toast(desk, '已撤回')
    assert.equal((await o.county.call('/api/incidents?open=true')).counts.open, before)
  })
  it('as an exercise looks different and counts nowhere', async () => {
    const before = (await o.county.call('/api/incidents?open=true')).counts.open
    const drill = await receive({ place: '演练路口', exercise: true, figures: { deaths: 40 } })
    await row(desk, drill.id).locator('.chip.exercise').waitFor()
    assert.ok(await row(desk, drill.id).evaluate((e) => e.classList.contains('drill') && getComputedStyle(e).backgroundImage !== 'none'))
    assert.equal((await o.county.call('/api/incidents?open=true')).counts.open, before)
  })
  it('goes through its states to the archive', async () => {
    const { page } = desk
    const i = await receive({ place: '归档路口' })
    await to(desk, `incident=${i.id}`)
    await page.locator('[data-to=responding]').click()
    await side(desk).locator('.chip', { hasText: '响应中' }).waitFor()
    await page.locator('[data-to=closed]').click()
    await confirm(desk, '积水已退', '结束')
    await page.locator('[data-to=archived]').click()
    await confirm(desk, '', '归档')
    await side(desk).locator('.chip', { hasText: '归档' }).waitFor()
    assert.equal(await page.locator('[data-to]').count(), 0, 'something can still be changed')
  })
})

describe('大屏', () => {
  let wall, line
  after(async () => { line?.close(); await wall?.close() })
  it('by its token shows no level before it is confirmed, and no telephone', { timeout: 120_000 }, async () => {
    const security = await o.ask('/api/session', { method: 'POST', body: { username: `sec.${o.tag}`, password } })
    const { data } = await o.ask('/api/tokens', { method: 'POST', cookie: security.cookie, body: { name: '大屏', role: 'viewer', area: '990100', scopes: ['wall'], network: '127.0.0.0/8' } })
    const { cookie } = await o.ask('/api/session', { method: 'POST', body: { token: data.token } })
    assert.ok(cookie, 'the wall is not signed in')
    const grave = await receive({ place: '没有人确认的地方', figures: { deaths: 12 } })
    assert.ok(grave.level_proposed > 0)
    line = await wire(o.base)
    wall = await seat(cookie, { from: line.url, size: { width: 1920, height: 1080 } })
    await wall.page.locator('[data-wall]').waitFor()
    await eventually('the incident is not on the wall', async () => (await row(wall, grave.id).count()) > 0)
    assert.equal(await row(wall, grave.id).locator('.level').count(), 0, 'a level nobody confirmed is on the wall')
    const text = await wall.page.locator('body').innerText()
    assert.doesNotMatch(text, /1\d{2}\*{4}\d{4}|1\d{10}|陈先生/)
    assert.equal(await wall.page.locator('main button, header button').count(), 0)
    assert.equal(await wall.page.evaluate(() => document.documentElement.dataset.theme), 'dark')
    await o.county.call(`/api/incidents/${grave.id}/level`, { method: 'POST', body: { level: 2, reason: '现场核实' }, headers: { 'If-Match': `"${grave.etag}"` } })
    await row(wall, grave.id).locator('.level-2').waitFor()
  })
  it('comes back when its line breaks, and counts it', { timeout: 120_000 }, async () => {
    await until(wall.page, () => document.documentElement.dataset.live === 'live')
    assert.deepEqual(wall.faults, [])
    line.cut()
    await until(wall.page, () => document.documentElement.dataset.live === 'lost')
    const missed = await receive({ place: '断线时来的' })
    line.mend()
    await until(wall.page, () => document.documentElement.dataset.live === 'live' && Number(document.documentElement.dataset.reconnects) >= 1)
    await row(wall, missed.id).waitFor({ timeout: 60_000 })
    await wall.page.locator('em[data-reconnects]').waitFor()
    wall.faults.length = 0
  })
  it('draws its map again when the graphics are taken away', { timeout: 120_000 }, async () => {
    await drawn(wall)
    await wall.page.evaluate(() => new Promise((resolve) => {
      const x = window.__command.map.getCanvas().getContext('webgl2').getExtension('WEBGL_lose_context')
      x.loseContext()
      setTimeout(() => { x.restoreContext(); resolve() }, 300)
    }))
    await until(wall.page, () => Number(document.documentElement.dataset.restored) >= 1)
    await until(wall.page, () => window.__command.map.loaded() && window.__command.map.queryRenderedFeatures().length > 0)
  })
})

describe('手机一页', () => {
  it('says five to eight figures as of when, follows what happens, and changes nothing', { timeout: 120_000 }, async () => {
    const p = await seat(o.county.cookie, { at: 'brief=1', size: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
    await p.page.locator('[data-brief]').waitFor()
    const n = await p.page.locator('[data-figure]').count()
    assert.ok(n >= 5 && n <= 8, `${n} figures`)
    const open = () => p.page.locator('[data-figure=open] dd').first().innerText()
    const { counts } = await o.county.call('/api/incidents?open=true')
    await eventually('the figure is not what the server says', async () => (await open()) === String(counts.open))
    await receive({ place: '又来一件' })
    await eventually('the page does not follow', async () => (await open()) === String(counts.open + 1))
    assert.deepEqual(await p.page.locator('[data-brief] button').allInnerTexts(), ['复制成文字'])
    assert.deepEqual(await faultsOf(p.page), [])
    assert.deepEqual(p.faults, [])
  })
})

describe('everybody', () => {
  it('can read and use it: at 1440 dark and at 390', { timeout: 180_000 }, async () => {
    await to(desk, `incident=${first}&new=1`)
    await drawn(desk)
    assert.equal(await desk.page.evaluate(() => document.documentElement.dataset.theme), 'dark')
    await desk.page.locator('[data-grade]').waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
    const phone = await seat(o.county.cookie, { size: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
    await phone.page.locator('li[data-incident]').first().waitFor()
    assert.deepEqual(await faultsOf(phone.page), [])
    await to(phone, 'new=1')
    await phone.page.locator('[data-intake]').waitFor()
    assert.deepEqual(await faultsOf(phone.page), [])
    await to(phone, `incident=${first}`)
    await phone.page.locator('[data-grade]').waitFor()
    assert.deepEqual(await faultsOf(phone.page), [])
    for (const p of people) assert.deepEqual(p.faults, [])
  })
  it('finds it in English', async () => {
    await to(desk, 'lang=en')
    await desk.page.getByRole('heading', { name: 'Incidents', exact: true }).waitFor()
    await to(desk)
  })
})
