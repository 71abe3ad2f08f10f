// A night from end to end, by clicking, several people at once: a warning comes in by CAP,
// people are called out on it, one does not answer, an update brings villages that are called
// too, villages move, a response starts and its tasks are answered, the 快报 goes first and is
// signed after, the warning is cancelled and the same people hear of it, and the handover
// holds all of it: worded by one, looked through by another, signed by a third.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { launch, shut } from './kit.mjs'
import { faultsOf, office, v7 } from './office.mjs'
import { box, cap, capTime, eventually, press, room } from './room.mjs'

let o, r, desk, second, town
const began = new Date(), wide = 0.012
before(async () => {
  o = await office()
  await launch({ args: ['--no-sandbox', o.trust] })
  r = room(o)
  const small = { size: { width: 1100, height: 860 } }
  ;[desk, second, town] = await Promise.all([r.seat(o.county, 'page=warnings', small), r.seat(o.reviewer, 'page=warnings', small), r.seat(o.town, 'page=calls', small)])
})
after(async () => {
  await r?.close()
  await shut()
  await o?.close()
})

describe('一次过程', () => {
  let alert, callout, first, silent, response, paper, signer
  const warning = () => ({ identifier: `9901004160000020${o.tag}`, sent })
  const sent = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000)
  const reference = (identifier) => `qxt.example,${identifier},${capTime(sent)}`
  const take = async (p, xml) => {
    await press(p.page.locator('[data-take]'))
    await p.page.locator('[data-warning-take] textarea').fill(xml)
    await press(p.page.locator('[data-warning-take] button.primary.tall'))
  }
  const headline = () => `山河县气象台发布暴雨橙色预警 ${o.tag}`
  const title = () => `东片叫应 ${o.tag}`
  const board = async () => o.county.call(`/api/evacuation?callout=${callout}`)
  const targets = async () => (await o.county.call(`/api/callouts/${callout}/targets`)).targets
  // Who is rung in somebody's stead changes with the minutes; whom it is about does not.
  const waiting = (all) => [...new Set(all.filter((x) => x.state === 'waiting').map((x) => x.root))]
  const open = (p, id) => p.page.locator(`[data-target="${id}"]`)
  const sum = (p) => p.page.locator('[data-sum]')

  it('begins with a warning as a file of CAP, and every other screen has it', { timeout: 420_000 }, async () => {
    const { page } = desk
    await take(desk, cap({ ...warning(), headline: headline(), polygon: box(o.centre).cap }))
    await page.locator('[data-warning-detail] h2', { hasText: headline() }).waitFor()
    alert = new URL(page.url()).searchParams.get('id')
    await second.page.locator(`[data-warning="${alert}"]`, { hasText: headline() }).waitFor()
    await page.locator('[data-targets] li[data-village]').first().waitFor()
    const t = await o.county.call(`/api/alerts/${alert}/targets`)
    assert.ok(t.villages.length > 0)
    assert.ok(t.villages.some((v) => v.code === o.grid.slice(0, 12)), 'the village of the place is not among the targets')
    assert.deepEqual(await faultsOf(page), [])
  })

  it('calls out on it: an order of one person who says whom he asked', { timeout: 420_000 }, async () => {
    const { page } = desk
    await press(page.locator('[data-warning-detail]').getByRole('button', { name: '叫应' }))
    const form = page.locator('[data-callnew]')
    await form.waitFor()
    await eventually('the warning is not chosen', async () => (await form.locator('select').first().inputValue()) === alert)
    await form.locator('[name=title]').fill(title())
    await form.locator('[name=reason]').fill('强降雨持续，隐患点群众提前转移')
    await form.locator('[name=consulted]').fill('')
    assert.ok(await form.locator('[data-go]').isDisabled(), 'an order of one person goes out without whom he asked')
    await form.locator('[name=consulted]').fill('张带班')
    await press(form.locator('[data-go]'))
    await r.confirm(desk, '', '发出叫应')
    callout = await eventually('the address names no call-out', () => new URL(page.url()).searchParams.get('id'))
    await eventually('the new one is not the one that is open', async () => (await page.locator('[data-calls] header select').inputValue()) === callout)
    await page.locator('[data-calldesk] [data-target]').waitFor()
    const c = await o.county.call(`/api/callouts/${callout}`)
    assert.equal(c.alert, alert)
    assert.equal(c.countersign, 'pending')
    await r.to(second, `page=calls&id=${callout}`)
    await second.page.locator('[data-calldesk] [data-target]').waitFor()
    assert.doesNotMatch(await page.locator('body').innerText(), /(?<!\d)1\d{10}(?!\d)/, 'a number in clear')
  })

  it('rings them two at a time: one does not answer, and another stands in for him at once', { timeout: 420_000 }, async () => {
    first = await desk.page.locator('[data-target]').getAttribute('data-target')
    await desk.page.locator('[data-outcome=no_answer]').press('Enter')
    await r.toast(desk, '已转')
    const all = await targets()
    assert.equal(all.find((x) => x.id === first).state, 'no_answer')
    silent = all.find((x) => x.root === first && x.escalation > 0)
    assert.ok(silent, 'nobody stands in for him')
    // The one who stands in is the next to be rung, on both screens.
    await open(desk, silent.id).waitFor()
    await second.page.locator('.queue li', { hasText: '递补' }).first().waitFor()
    const rest = all.filter((x) => x.state === 'waiting' && x.id !== silent.id)
    assert.ok(rest.length > 0)
    const ring = async (p, list) => {
      for (const x of list) {
        await press(p.page.locator(`.queue li[data-call="${x.id}"] button`))
        await open(p, x.id).waitFor()
        await p.page.locator('[data-outcome=repeated]').press('Enter')
        await eventually(`${x.name} is not written down`, async () => (await p.page.locator(`.queue li[data-call="${x.id}"]`).count()) === 0)
      }
    }
    const half = Math.ceil(rest.length / 2)
    await Promise.all([ring(desk, rest.slice(0, half)), ring(second, rest.slice(half))])
    const now = await targets()
    assert.deepEqual(waiting(now), [first])
    await desk.page.locator('[data-sum]', { hasText: '1 人未应答' }).waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
  })

  it('is updated: who is newly inside is offered to the list, and added by a person', { timeout: 420_000 }, async () => {
    const before = await targets()
    await r.to(second, `page=warnings&id=${alert}`)
    await take(second, cap({ identifier: `${warning().identifier}u`, type: 'Update', refs: reference(warning().identifier), sent: new Date(sent.getTime() + 1000), headline: `${headline()} 更新`, polygon: box(o.centre, wide).cap }))
    await second.page.locator('[data-warning-detail] h2', { hasText: '更新' }).waitFor()
    // The list has not changed by itself; the other screen says so, and what is new.
    const offered = desk.page.locator('[data-changes]')
    await offered.waitFor()
    const fresh = await offered.locator('[data-add]').evaluateAll((all) => all.map((x) => x.dataset.add))
    assert.ok(fresh.length > 0, 'nobody is newly inside')
    assert.ok(fresh.every((v) => before.every((x) => x.village !== v)))
    const named = (all) => [...new Set(all.map((x) => x.village))].sort()
    assert.deepEqual(named(await targets()), named(before))
    await r.to(second, `page=calls&id=${callout}`)
    await offered.locator('[data-asked]').fill('张带班')
    await press(offered.locator('[data-change]'))
    await r.toast(desk, `已加入 ${fresh.length} 村`)
    await desk.page.locator(`tr[data-village="${fresh[0]}"] [data-late]`).waitFor()
    const added = (await targets()).filter((x) => fresh.includes(x.village))
    assert.deepEqual(named(added), [...fresh].sort())
    // One is rung here, the others elsewhere meanwhile.
    await press(desk.page.locator(`.queue li[data-call="${added[0].id}"] button`))
    await open(desk, added[0].id).waitFor()
    await desk.page.locator('[data-outcome=repeated]').press('Enter')
    for (const x of added.slice(1)) await o.reviewer.call('/api/calls', { method: 'POST', body: { op_id: v7(), target: x.id, outcome: 'repeated', channel: 'phone' } })
    await eventually('somebody newly inside still waits', async () => waiting(await targets()).join() === first)
    await desk.page.locator('[data-sum]', { hasText: '1 人未应答' }).waitFor()
    assert.deepEqual(await faultsOf(desk.page), [])
  })

  it('moves: the township reports, and the board is complete only when everybody has moved and answered', { timeout: 420_000 }, async () => {
    await r.to(town, `page=calls&id=${callout}`)
    const { villages } = await board()
    const say = async (v, figures) => {
      const row = town.page.locator(`tr[data-village="${v.code}"]`)
      await press(row.locator('[data-report]'))
      const form = town.page.locator('[data-moveform]', { hasText: v.name })
      for (const [k, n] of Object.entries(figures)) await form.locator(`[name=${k}]`).fill(String(n))
      await press(form.locator('[data-save]'))
      await form.waitFor({ state: 'detached' })
    }
    const own = villages.filter((v) => v.code.startsWith(o.township)), others = villages.filter((v) => !v.code.startsWith(o.township))
    assert.ok(own.length > 0)
    // A village without a figure is given one: nobody guesses it.
    const due = (v) => v.to_move || 20
    const v = own[0]
    await say(v, { to_move: due(v), moved: due(v) - 3 })
    await desk.page.locator(`tr[data-village="${v.code}"] td.bad`, { hasText: '3' }).first().waitFor()
    assert.equal((await board()).complete, false)
    for (const x of own) await say(x, { to_move: due(x), moved: due(x) })
    for (const x of others) await o.county.call(`/api/evacuation/${callout}/villages/${x.code}`, { method: 'POST', body: { op_id: crypto.randomUUID(), to_move: due(x), moved: due(x) } })
    // Everybody has moved, and one has not answered: that is not a hundred.
    await eventually('the board does not follow', async () => (await sum(desk).locator('[data-percent]').innerText()) === '99%')
    await sum(desk).getByText('仍有人未应答，不作 100%').waitFor()
    assert.equal((await board()).complete, false)
    await press(desk.page.getByRole('group', { name: '叫应清单' }).getByRole('button', { name: /^全部/ }))
    await press(desk.page.locator(`.queue li[data-call="${silent.id}"] button`))
    await open(desk, silent.id).waitFor()
    await desk.page.locator('[data-outcome=repeated]').press('Enter')
    for (const p of [desk, second, town]) await sum(p).getByText('全部到位').waitFor()
    assert.equal(await sum(desk).locator('[data-percent]').innerText(), '100%')
    assert.equal((await board()).complete, true)
    assert.deepEqual(await faultsOf(town.page), [])
  })

  it('starts a response that somebody signed; its tasks are answered, and every head shows it', { timeout: 420_000 }, async () => {
    const { page } = desk
    await press(page.locator('nav.rail a', { hasText: '响应' }))
    await press(page.locator('[data-response-page] [data-new]'))
    const form = page.locator('[data-response-new]')
    const named = `防汛应急响应 ${o.tag}`
    await form.locator('label', { hasText: '名称' }).locator('input').fill(named)
    await form.locator('label', { hasText: '级别' }).locator('select').selectOption('2')
    await form.locator('label', { hasText: '符合的启动条件' }).locator('input').fill('暴雨橙色预警，已组织转移')
    await press(form.locator('button.primary'))
    await page.locator('[data-act=start]').waitFor()
    response = new URL(page.url()).searchParams.get('id')
    await press(page.locator('[data-act=start]'))
    await page.locator('form.act label', { hasText: '签发人' }).locator('input').fill('张县长')
    await page.locator('form.act label', { hasText: '文号' }).locator('input').fill('山汛〔2026〕9 号')
    await press(page.locator('form.act button.primary'))
    await r.toast(desk, '响应已启动')
    await second.page.locator('[data-strip]', { hasText: named }).waitFor()
    const { tasks } = await o.county.call(`/api/responses/${response}/tasks`)
    assert.ok(tasks.length > 0, 'no clause of any plan became a task')
    await r.to(second, `page=response&id=${response}`)
    const task = (p, id) => p.page.locator(`[data-task="${id}"]`)
    for (const x of tasks.slice(0, 2)) {
      await press(task(desk, x.id).locator('[data-answer]'))
      await task(desk, x.id).locator('input').fill('县水利局 王科长')
      await press(task(desk, x.id).locator('[data-to=acknowledged]'))
      await second.page.locator(`[data-task="${x.id}"][data-state=acknowledged]`, { hasText: '王科长' }).waitFor()
    }
    assert.deepEqual(await faultsOf(page), [])
  })

  it('reports first and signs after: the one who words it never signs it', { timeout: 420_000 }, async () => {
    const { page } = desk
    await press(page.locator(`[data-response="${response}"]`).getByRole('button', { name: '快报' }))
    await press(page.locator('[data-paper-new] button.primary'))
    await page.locator('[data-paper]').waitFor()
    paper = await page.locator('[data-paper]').getAttribute('data-paper')
    assert.equal(await page.locator('[data-paper] [data-to=signed]').count(), 0)
    await press(page.locator('[data-first]'))
    await page.locator('[data-paper] footer input').first().fill('张带班')
    await page.locator('[data-paper] footer input').nth(1).fill('灾情紧急，先报后签')
    await press(page.locator('[data-paper] [data-report]'))
    await page.locator(`[data-paper="${paper}"][data-state=reported]`).waitFor()
    signer = await r.seat(o.approver, 'page=papers', { size: { width: 1100, height: 860 } })
    await press(signer.page.locator(`[data-open="${paper}"]`))
    const sheet = signer.page.locator(`[data-paper="${paper}"]`)
    await sheet.getByText('请示 张带班').waitFor()
    await press(sheet.locator('[data-to=signed]'))
    await r.confirm(signer, '', '补签')
    await signer.page.locator(`[data-paper="${paper}"][data-state=signed]`).waitFor()
    await page.locator(`[data-paper="${paper}"][data-state=signed]`).waitFor()
    const p = await o.county.call(`/api/papers/${paper}`)
    assert.equal(p.signed_by, '钱审批')
    assert.ok(p.sha256 && p.frozen_at)
    assert.deepEqual(await faultsOf(signer.page), [])
  })

  it('is cancelled: the order ends, and the same people are to hear that it is over', { timeout: 420_000 }, async () => {
    const called = (await targets()).filter((x) => x.phase === 'call' && x.calls.length > 0 && x.escalation < 2)
    await r.to(desk, `page=calls&id=${callout}`)
    await r.to(second, 'page=warnings')
    await take(second, cap({ identifier: `${warning().identifier}c`, type: 'Cancel', refs: `${reference(warning().identifier)} qxt.example,${warning().identifier}u,${capTime(new Date(sent.getTime() + 1000))}`, headline: `${headline()} 解除`, polygon: box(o.centre, wide).cap }))
    await r.toast(second, '解除')
    const list = () => desk.page.locator('.queue li', { hasText: '解除通知' })
    await list().first().waitFor()
    await desk.page.locator('[data-sum]', { hasText: '已结束' }).waitFor()
    const clear = (await targets()).filter((x) => x.phase === 'all_clear' && x.escalation === 0)
    assert.deepEqual(clear.map((x) => `${x.village} ${x.name}`).sort(), called.map((x) => `${x.village} ${x.name}`).sort(), 'others hear of the end than heard of the beginning')
    await press(desk.page.locator(`.queue li[data-call="${clear[0].id}"] button`))
    await open(desk, clear[0].id).waitFor()
    await desk.page.locator('[data-outcome=repeated]').press('Enter')
    await eventually('he is not written down', async () => (await desk.page.locator(`.queue li[data-call="${clear[0].id}"]`).count()) === 0)
    const { alerts } = await o.county.call('/api/alerts?limit=200')
    assert.deepEqual(alerts.filter((a) => a.chain === alert || a.id === alert).map((a) => a.state).filter((s) => s !== 'updated'), ['cancelled'])
    assert.equal((await o.county.call(`/api/callouts/${callout}`)).state, 'ended')
    assert.deepEqual(await faultsOf(desk.page), [])
  })

  it('hands all of it over to the next shift', { timeout: 420_000 }, async () => {
    await r.to(second, 'page=papers')
    await press(second.page.locator('[data-papers] [data-new]'))
    await press(second.page.locator('[data-paper-new] [data-kind=handover]'))
    // Up to this minute, which is not over yet.
    const local = (at) => new Date(at.getTime() + 8 * 3600_000).toISOString().slice(0, 16)
    await second.page.locator('[data-paper-new] input[type=datetime-local]').first().fill(local(new Date(began.getTime() - 60_000)))
    await second.page.locator('[data-paper-new] input[type=datetime-local]').nth(1).fill(local(new Date(Date.now() + 60_000)))
    await press(second.page.locator('[data-paper-new] button.primary'))
    await second.page.locator('[data-paper] textarea').nth(2).waitFor()
    const text = (await second.page.locator('[data-paper] textarea').evaluateAll((all) => all.map((x) => x.value))).join('\n')
    for (const [what, want] of [
      ['the warning', headline()], ['the order', `发出叫应：${title()}`], ['the calls', `叫应：${title()}；通话`], ['who did not answer', '无人接 1'], ['the moving', `转移：${title()}`],
      ['the end of it', `结束叫应：${title()}`], ['the response', `启动响应：防汛应急响应 ${o.tag}`], ['a task', '任务确认：'], ['the paper, first', '先报：'], ['the paper, signed', '补签：'],
    ]) assert.ok(text.includes(want), `the handover lacks ${what} (${want}):\n${text}`)
    assert.deepEqual(await faultsOf(second.page), [])
    // One words it, another looks it through, a third signs; then it stands as it is.
    const brief = await second.page.locator('[data-paper]').getAttribute('data-paper')
    const sheet = (p, state) => p.page.locator(`[data-paper="${brief}"]${state ? `[data-state=${state}]` : ''}`)
    assert.equal(await sheet(second).locator('[data-to]').count(), 0, 'whoever worded it looks it through himself')
    const heading = second.page.locator('[data-paper] input.title')
    await heading.fill(`交接班 ${o.tag}`)
    await press(second.page.locator('[data-paper] [data-save]'))
    await desk.page.locator('nav.rail a[href*="page=papers"]').press('Enter')
    await press(desk.page.locator(`[data-open="${brief}"]`, { hasText: `交接班 ${o.tag}` }))
    await press(sheet(desk).locator('[data-to=reviewed]'))
    await sheet(second, 'reviewed').waitFor()
    await press(signer.page.locator(`[data-open="${brief}"]`))
    await press(sheet(signer, 'reviewed').locator('[data-to=signed]'))
    await r.confirm(signer, '', '签发')
    for (const p of [signer, second, desk]) await sheet(p, 'signed').waitFor()
    const b = await o.county.call(`/api/papers/${brief}`)
    assert.equal(b.signed_by, '钱审批')
    assert.ok(b.sha256 && b.frozen_at)
    assert.equal(await sheet(second).locator('textarea').count(), 0, 'what is signed can still be worded')
    const file = await o.ask(`/api/papers/${brief}.txt`, { cookie: o.reviewer.cookie })
    for (const want of [headline(), `结束叫应：${title()}`, `启动响应：防汛应急响应 ${o.tag}`]) assert.ok(file.text.includes(want), `the file of the handover lacks ${want}`)
  })

  it('said nothing wrong in the pages', () => assert.deepEqual(r.people.flatMap((p) => p.faults), []))
})
