// The pages of the command room that watch: rain and water, alarms, warnings and where they
// are passed on to, the picture as it was, who is inside an area, and who sits at the desk.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { launch, shut } from './kit.mjs'
import { faultsOf, office } from './office.mjs'
import { box, cap, eventually, press, room } from './room.mjs'

let o, r, desk, other
const small = { size: { width: 1100, height: 860 } }
const place = (p) => new URL(p.page.url()).searchParams
before(async () => {
  o = await office()
  await launch({ args: ['--no-sandbox', o.trust] })
  r = room(o)
  ;[desk, other] = await Promise.all([r.seat(o.county, 'page=alarms', small), r.seat(o.reviewer, 'page=alarms', small)])
})
after(async () => {
  await r?.close()
  await shut()
  await o?.close()
})

describe('告警', () => {
  const line = (p, id) => p.page.locator(`li[data-alarm="${id}"]`)
  const bar = (p) => p.page.locator('div.alarm[data-alarm]')
  it('says how long the first one waits, and is acknowledged for everybody', { timeout: 420_000 }, async () => {
    await bar(desk).waitFor()
    assert.match(await bar(desk).innerText(), /已等 \d+ (秒|分钟|小时|天)(?!前)/)
    const { alarms } = await o.county.call('/api/alarms?state=open')
    const one = alarms[0]
    await press(line(desk, one.id).locator('[data-ack]'))
    await r.toast(desk, '已确认')
    await other.page.locator(`li[data-alarm="${one.id}"][data-state=acknowledged]`, { hasText: '赵值班' }).waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
  })
  it('is given to somebody, and closed with what was done', { timeout: 420_000 }, async () => {
    const { alarms } = await o.county.call('/api/alarms?state=open')
    const one = alarms.find((a) => a.state === 'open')
    await press(line(desk, one.id).locator('[data-assign]'))
    const pick = line(desk, one.id).locator('form.act select')
    await pick.locator('option').nth(1).waitFor({ state: 'attached' })
    const who = (await pick.locator('option').nth(1).innerText()).trim()
    await pick.selectOption({ index: 1 })
    await press(line(desk, one.id).locator('form.act button.primary'))
    await r.toast(desk, `已指派给 ${who}`)
    await other.page.locator(`li[data-alarm="${one.id}"][data-state=assigned]`, { hasText: who }).waitFor()
    await press(line(other, one.id).locator('[data-close]'))
    await line(other, one.id).locator('form.act input').fill('已到场处置')
    await press(line(other, one.id).locator('form.act button.primary'))
    await line(desk, one.id).waitFor({ state: 'detached' })
    await press(desk.page.getByRole('button', { name: '已关闭', exact: true }))
    await line(desk, one.id).getByText('已到场处置').waitFor()
    await press(desk.page.getByRole('button', { name: /^未关闭/ }))
  })
  it('keeps one kind quiet for a while, says so to everybody, and ends it', { timeout: 420_000 }, async () => {
    await press(desk.page.getByRole('button', { name: '新静默' }))
    const form = desk.page.locator('form.hush')
    await form.locator('select').first().selectOption('silent')
    await form.locator('input[type=number]').fill('30')
    await form.locator('label.wide input').fill('检修通信线路')
    await press(form.locator('button.primary'))
    const rule = (p) => p.page.locator('.quiets li', { hasText: '检修通信线路' })
    await rule(desk).waitFor()
    await r.to(other, 'page=alarms')
    await rule(other).waitFor()
    await press(rule(other).locator('button'))
    await rule(other).waitFor({ state: 'detached' })
    assert.equal((await o.county.call('/api/alarms')).quiet.filter((q) => q.reason === '检修通信线路').length, 0)
  })
})

describe('雨水情', () => {
  it('puts the gauge first whose people are threatened most, with its curve and its levels', { timeout: 420_000 }, async () => {
    await r.to(desk, 'page=water')
    await desk.page.locator('[data-page=water][data-read]').waitFor()
    const s = await o.county.call('/api/stations?sort=threatened')
    const rows = desk.page.locator('tr[data-station]')
    assert.equal(await rows.first().getAttribute('data-station'), s.stations[0].code ?? s.stations[0].id)
    assert.match(await desk.page.locator('[data-move=evacuate] h2 b').innerText(), new RegExp(`^${s.persons.evacuate}$`))
    await press(rows.first().locator('button.name'))
    const detail = desk.page.locator(`[data-station-detail="${s.stations[0].id}"]`)
    await detail.locator('svg path').first().waitFor({ state: 'attached' })
    assert.ok(await detail.locator('table tbody tr').count() > 0, 'the villages that depend on it are not named')
    assert.deepEqual(await faultsOf(desk.page), [])
    await press(desk.page.locator('[data-page=water] .seg button', { hasText: '水库' }).first())
    await eventually('a gauge of another kind stands there', async () => {
      const codes = await rows.evaluateAll((all) => all.map((x) => x.dataset.station))
      return codes.length > 0 && codes.every((c) => s.stations.find((x) => (x.code ?? x.id) === c)?.kind === 'reservoir_level')
    })
    // Where nothing is heard no number stands.
    const mute = s.stations.find((x) => x.state === 'no_data')
    await r.to(desk, `page=water&id=${mute.id}`)
    await desk.page.locator(`[data-station-detail="${mute.id}"]`).waitFor()
  })
})

describe('预警', () => {
  const headline = () => `暴雨预警 ${o.tag}`
  const first = () => ({ identifier: `9901004160000030${o.tag}`, sent: new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000) })
  let was, id
  const take = async (xml) => {
    await press(desk.page.locator('[data-take]'))
    await desk.page.locator('[data-warning-take] textarea').fill(xml)
    await press(desk.page.locator('[data-warning-take] button.primary.tall'))
  }
  it('is passed on to where it may go, and says how that went', { timeout: 420_000 }, async () => {
    const setting = (await o.admin.call('/api/settings')).settings.find((x) => x.key === 'alert_outbound')
    await o.admin.call('/api/settings/alert_outbound', { method: 'PATCH', headers: { 'If-Match': `"${setting.version}"` }, body: { value: { webhooks: [], drops: [{ id: 'city', title: '市预警平台' }] }, reason: '市里要求' } })
    await r.to(desk, 'page=warnings')
    was = first()
    await take(cap({ ...was, headline: headline(), polygon: box(o.centre).cap }))
    await desk.page.locator('[data-warning-detail] h2', { hasText: headline() }).waitFor()
    id = place(desk).get('id')
    const panel = desk.page.locator('[data-forward]')
    await panel.getByText('不向公众发布').first().waitFor()
    await panel.locator('label', { hasText: '市预警平台' }).locator('input').check()
    await press(panel.locator('[data-send]'))
    await panel.locator('li', { hasText: '市预警平台' }).locator('.chip.good', { hasText: '已送出' }).waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
  })
  it('names who has not heard, and counts who says he has', { timeout: 420_000 }, async () => {
    const village = desk.page.locator(`[data-targets] li[data-village="${o.grid.slice(0, 12)}"]`)
    await press(village.locator('[data-ack]'))
    await village.waitFor({ state: 'detached' })
    const { kpi } = await o.county.call(`/api/alerts/${id}/targets?contacts=false`)
    assert.equal(kpi.acknowledged, 1)
    assert.equal(await desk.page.locator('[data-coverage]').innerText(), `${Math.floor(kpi.coverage * 100)}%`)
  })
  it('shows of an update who is new in it and who is out of it, and it goes where the first one went', { timeout: 420_000 }, async () => {
    const [lon, lat] = o.centre
    await take(cap({ identifier: `${was.identifier}u`, type: 'Update', refs: `qxt.example,${was.identifier},${was.sent.toISOString().replace(/\.\d+Z$/, '-00:00')}`, headline: `${headline()} 更新`, polygon: box([lon + 0.12, lat], 0.03).cap }))
    await desk.page.locator('[data-warning-detail] h2', { hasText: '更新' }).waitFor()
    const diff = desk.page.locator('[data-diff]')
    await diff.waitFor()
    const t = await o.county.call(`/api/alerts/${place(desk).get('id')}/targets?contacts=false`)
    assert.ok(t.added.length > 0 && t.removed.length > 0)
    assert.match(await diff.innerText(), new RegExp(`新进入 ${t.added.length}[\\s\\S]*已移出 ${t.removed.length}`))
    await desk.page.locator('[data-forward] li', { hasText: '随链自动' }).waitFor()
  })
})

describe('回看', () => {
  it('steps through a period; the map asks for the records of that moment, and the log opens what it tells of', { timeout: 420_000 }, async () => {
    const p = await r.seat(o.county, '', { size: { width: 1440, height: 900 } })
    const asked = []
    p.page.on('request', (q) => { const at = new URL(q.url()).searchParams.get('as_of'); if (at && /\/tiles\//.test(q.url())) asked.push(at) })
    await r.to(p, 'page=replay&step=60')
    await p.page.locator('[data-page=replay][data-read]').waitFor()
    await r.drawn(p)
    const began = Date.now() - 6 * 3600_000
    await p.page.locator('.period input').first().fill(new Date(began + 8 * 3600_000).toISOString().slice(0, 16))
    await p.page.locator('.period input').first().press('Tab')
    await eventually('the period is not in the address', () => Math.abs(Date.parse(place(p).get('from') ?? '') - began) < 60_000)
    await p.page.locator('[data-page=replay][data-read]').waitFor()
    await press(p.page.getByRole('button', { name: /后退一步/ }))
    await eventually('the moment is not in the address', () => place(p).get('at'))
    const at = Date.parse(place(p).get('at'))
    await press(p.page.getByRole('button', { name: /后退一步/ }))
    await eventually('it steps by something else than the step', () => Date.parse(place(p).get('at')) === at - 3600_000)
    await eventually(`no tile of the moment was asked for: ${asked}`, () => asked.includes(place(p).get('at')))
    await p.page.locator('[data-figures="1"]').waitFor()
    const open = p.page.locator('.log button', { hasText: '查看事件' }).first()
    await press(open)
    await p.page.locator('[data-side] h2').waitFor()
    assert.ok(place(p).get('incident'))
    assert.equal(place(p).get('page'), 'replay')
    assert.deepEqual(await faultsOf(p.page), [])
    // Back at another page the map is of now again.
    asked.length = 0
    await press(p.page.locator('nav.rail a[href*="page=incidents"]'))
    await eventually('the map stays in the past', async () => (await p.page.evaluate(() => JSON.stringify(window.__command.map.getStyle().sources).includes('as_of'))) === false)
    await p.close()
  })
})

describe('影响', () => {
  it('says around a place how many are there and where they can go', { timeout: 420_000 }, async () => {
    const p = await r.seat(o.county, 'page=impact', { size: { width: 1440, height: 900 } })
    await r.drawn(p)
    await p.page.evaluate((c) => window.__command.map.jumpTo({ center: c, zoom: 14 }), o.centre)
    await press(p.page.locator('[data-pick]'))
    await p.page.locator('.hint').waitFor()
    const [x, y] = await p.page.evaluate((c) => window.__command.project(c), o.centre)
    await p.page.mouse.click(x, y)
    const people = p.page.locator('[data-impact] [data-people]')
    await people.waitFor()
    const few = Number(await people.getAttribute('data-people'))
    await p.page.locator('[data-impact] select').first().selectOption('3000')
    await eventually('a wider ring has no more people', async () => Number(await people.getAttribute('data-people').catch(() => 0)) > few)
    await press(p.page.locator('[data-statement]'))
    assert.ok((await p.page.locator('[data-words]').innerText()).length > 10)
    assert.deepEqual(await faultsOf(p.page), [])
    await p.close()
  })
})

describe('值班', () => {
  it('says who sits at the desk, and whoever sits down is named on every screen', { timeout: 420_000 }, async () => {
    await r.to(desk, 'page=response')
    await press(desk.page.locator('[data-tab=duty]'))
    await desk.page.locator('[data-duty]').waitFor()
    await press(desk.page.locator('[data-sit]'))
    await desk.page.locator('[data-duty] b', { hasText: '赵值班' }).waitFor()
    await r.to(other, 'page=response&tab=duty')
    await other.page.locator('[data-duty] b', { hasText: '赵值班' }).waitFor()
    await other.page.locator('[data-strip] .duty', { hasText: '赵值班' }).waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
    await press(desk.page.locator('[data-leave]'))
    await desk.page.locator('[data-sit]').waitFor()
  })
})

describe('on a telephone', () => {
  it('every page can be read', { timeout: 420_000 }, async () => {
    const p = await r.seat(o.county, 'page=warnings', { size: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
    const wait = { warnings: '[data-warning]', impact: '[data-page=impact]', calls: '[data-calls]', response: '[data-response-page] .section', papers: '[data-papers] header', water: 'tr[data-station]', alarms: 'li[data-alarm]', replay: '[data-page=replay][data-read]', relief: '[data-shelter]' }
    const found = {}
    for (const [page, at] of Object.entries(wait)) {
      if (page !== 'warnings') await press(p.page.locator(`nav.rail a[href*="page=${page}"]`))
      await p.page.locator(at).first().waitFor()
      const f = await faultsOf(p.page)
      if (f.length > 0) found[page] = f
    }
    assert.deepEqual(found, {})
  })
})

it('said nothing wrong in the pages', () => assert.deepEqual(r.people.flatMap((p) => p.faults), []))
