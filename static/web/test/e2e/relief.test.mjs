// 避难与力量 as command works with it: free places on every screen, a promise that is never
// more than there is, a team that is sent once and says so, stock that never goes below
// zero; and 兜底包, opened in a browser that has no network.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { after, before, describe, it } from 'node:test'
import { launch, shut, until, watch } from './kit.mjs'
import { faultsOf as all, office, v7 } from './office.mjs'

// The frame of the room (header, rail) is looked at by its own tests.
const faultsOf = async (page) => (await all(page)).filter((f) => !/^(region|landmark-unique):/.test(f))
const passphrase = '三更灯火五更鸡 2026'
let o, desk, other
const people = []
// Buttons are pressed by keyboard: the map is drawn by the processor here, and a click waits
// for frames the map takes.
const press = (at) => at.press('Enter')
async function seat(cookie, at, size = { width: 1440, height: 900 }) {
  const context = await (await launch()).newContext({ viewport: size, deviceScaleFactor: 1, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', bypassCSP: true })
  const [name, value] = cookie.split('=')
  await context.addCookies([{ name, value, url: o.base, httpOnly: true, secure: true }])
  const page = await context.newPage(), faults = []
  page.setDefaultTimeout(60_000)
  watch(page, faults, o.base)
  const p = { page, faults, close: () => context.close() }
  people.push(p)
  await to(p, at)
  return p
}
async function to(p, at) {
  await p.page.goto(`${o.base}/command?e2e=1&page=relief&${at}`)
  await until(p.page, () => document.documentElement.dataset.ready === '1')
}
const toast = (p, text) => p.page.locator('.toast', { hasText: text }).first().waitFor()
const status = async () => (await o.county.call('/api/shelters/status?state=open&limit=2000')).shelters

before(async () => {
  o = await office()
  await launch({ args: ['--no-sandbox', o.trust] })
  ;[desk, other] = await Promise.all([seat(o.county.cookie, 'tab=shelters'), seat(o.reviewer.cookie, 'tab=shelters')])
})
after(async () => {
  for (const p of people) await p.close()
  await shut()
  await o?.close()
})

describe('避难场所', () => {
  it('registers who came, and every other screen shows the free places', { timeout: 120_000 }, async () => {
    const { page } = desk
    const shelter = (await status()).find((s) => s.free > 50)
    const row = (p) => p.page.locator(`[data-shelter="${shelter.id}"]`)
    await press(row(desk).locator('button.name'))
    await page.locator('[data-checkin] input').first().fill('7')
    await press(page.locator('[data-checkin] button.btn'))
    await toast(desk, `${shelter.occupancy + 7} 人`)
    await row(other).locator('td.big', { hasText: String(shelter.free - 7) }).waitFor()
    // More than there is room for is refused, with what there is.
    await page.locator('[data-reserve] input').first().fill('99999')
    await page.locator('[data-reserve] input').nth(1).fill('测试村')
    await press(page.locator('[data-reserve] button.btn').first())
    await toast(desk, `空位 ${shelter.free - 7}`)
    await page.locator('[data-reserve] input').first().fill('5')
    await press(page.locator('[data-reserve] button.btn').first())
    await row(other).locator('td.big', { hasText: String(shelter.free - 12) }).waitFor()
    assert.deepEqual(await faultsOf(page), [])
  })
  it('says that an old “open” is old, and confirms it with one key', { timeout: 120_000 }, async () => {
    const shelter = (await status()).at(-1)
    o.sql(`set app.role='system'; set app.actor='test'; set app.public='{(,)}'; set app.read='{(,)}'; set app.sensitive='{(,)}'; set app.write='{(,)}'; set app.demo='off'; update shelters set confirmed_at = now() - interval '3 hours' where id = '${shelter.id}'`)
    const row = desk.page.locator(`[data-shelter="${shelter.id}"][data-stale]`)
    await row.waitFor()
    await press(row.locator('button.name'))
    await press(desk.page.locator('[data-still]'))
    await row.waitFor({ state: 'detached' })
    assert.equal((await status()).find((s) => s.id === shelter.id).stale, false)
  })
})

describe('队伍与调度', () => {
  it('sends a team once; the other desk acknowledges, and both see it', { timeout: 120_000 }, async () => {
    await Promise.all([to(desk, 'tab=forces'), to(other, 'tab=forces')])
    const team = (await o.county.call('/api/teams/status')).teams.find((t) => !t.dispatch && t.state === 'standby')
    await press(desk.page.locator(`[data-team="${team.id}"] [data-send]`))
    const form = desk.page.locator('[data-sendform]')
    await form.locator('label:has-text("任务") input').fill('清理塌方')
    await form.locator('label:has-text("到哪里") input').fill('测试路口')
    await press(form.locator('button.primary'))
    const sent = (p) => p.page.locator('[data-dispatch][data-state=sent]', { hasText: '清理塌方' })
    await press(sent(other).locator('[data-step=acknowledged]'))
    await desk.page.locator('[data-dispatch][data-state=acknowledged]', { hasText: '清理塌方' }).first().waitFor()
    await o.county.call(`/api/dispatches/${v7()}`, { method: 'PUT', want: 409, body: { team: team.id, task: '再派一次', to: '别处' } })
    assert.deepEqual(await faultsOf(desk.page), [])
  })
})

describe('物资', () => {
  it('keeps a ledger that never goes below zero', { timeout: 120_000 }, async () => {
    const store = (await o.county.call('/api/stock')).warehouses.find((w) => w.stock.length > 0)
    const it = store.stock[0], move = (qty, op = v7()) => ({ method: 'POST', body: { op_id: op, warehouse: store.id, item: it.item, unit: it.unit, qty, reason: '浏览器测试' } })
    await o.county.call('/api/stock/moves', { ...move(-(it.qty + 1)), want: 409 })
    const op = v7()
    for (let i = 0; i < 2; i++) assert.equal((await o.county.call('/api/stock/moves', move(-1, op))).after, it.qty - 1)
    await to(desk, `tab=stores&one=${store.id}`)
    await desk.page.locator('li', { hasText: '浏览器测试' }).first().waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
  })
})

describe('兜底包', () => {
  it('opens without server or network, and says how old it is', { timeout: 300_000 }, async (t) => {
    if (!o.server.second) { t.skip('a server that runs already: its second place is not known'); return }
    await o.county.call('/api/fallback-packages', { method: 'POST', want: 409, body: { reason: '没有口令不能写' } })
    await o.admin.call('/api/fallback-packages/passphrase', { method: 'PUT', body: { passphrase, reason: '首次设置口令' } })
    await o.worker.call('/api/fallback-packages', { method: 'POST', want: 403, body: { reason: '网格员不能做' } })
    await to(desk, 'tab=packs')
    await press(desk.page.locator('[data-make]'))
    const d = desk.page.locator('dialog[open]')
    await d.locator('textarea').fill('台风前备份')
    await d.getByRole('button', { name: '立即生成', exact: true }).click()
    await desk.page.locator('[data-pack]', { hasText: '台风前备份' }).waitFor({ timeout: 200_000 })
    const file = readdirSync(o.server.second).find((n) => n.includes('990100'))
    assert.ok(file)
    const context = await (await launch()).newContext({ offline: true, acceptDownloads: true })
    const page = await context.newPage(), asked = [], faults = []
    page.setDefaultTimeout(60_000)
    page.on('request', (r) => { if (!/^(file|blob|data):/.test(r.url())) asked.push(r.url()) })
    page.on('pageerror', (e) => faults.push(e.message))
    await page.goto(pathToFileURL(join(o.server.second, file)).href)
    assert.match(await page.locator('#age').textContent(), /数据截至 .*距今/)
    await page.locator('#pass').fill('不是这个口令 2026')
    await press(page.locator('#go'))
    await page.locator('#say.bad').waitFor()
    await page.locator('#pass').fill(passphrase)
    await press(page.locator('#go'))
    const inside = page.frameLocator('#view')
    for (const h of ['通讯录', '转移清单', '转移路线', '隐患点', '避难场所', '物资储备']) await inside.locator('h2', { hasText: h }).waitFor()
    assert.ok(await inside.locator('td.phone').count() > 100)
    const [pdf] = await Promise.all([page.waitForEvent('download'), page.locator('nav button', { hasText: '.pdf' }).first().click()])
    assert.match(pdf.suggestedFilename(), /\.pdf$/)
    const [xlsx] = await Promise.all([page.waitForEvent('download'), page.locator('nav button', { hasText: '.xlsx' }).click()])
    assert.match(xlsx.suggestedFilename(), /\.xlsx$/)
    assert.deepEqual([asked, faults], [[], []])
    await context.close()
  })
})

it('says nothing wrong in the pages', () => {
  assert.deepEqual(people.flatMap((p) => p.faults.filter((f) => !f.startsWith('409 ') && !/409|Failed to load resource/.test(f))), [])
})
