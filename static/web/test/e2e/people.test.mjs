// Signing in, grants and the way back: on a server of its own, because set-up ends the
// demonstration the other tests look at. Every person is a browser context of his own.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { launch, shut, until, watch } from './kit.mjs'
import { startServer } from './server.mjs'

const require = createRequire(import.meta.url)
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const password = 'Shanhe-2026-x'
let server, base

before(async () => { server = await startServer(); base = server.url })
after(async () => { await shut(); await server?.stop() })

/** totp is RFC 6238, as the telephone does it. */
function totp(secret, at = Date.now()) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...secret.replace(/[\s=]/g, '')].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)))
  const mac = createHmac('sha1', key).update(step).digest()
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** person is a fresh browser; refused answers are what some tests look for, so they are no faults here. */
async function person({ size = { width: 1280, height: 800 }, ...extra } = {}) {
  const context = await (await launch()).newContext({ viewport: size, deviceScaleFactor: 1, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', ...extra })
  const page = await context.newPage()
  const faults = []
  watch(page, faults, base)
  return { page, context, faults: () => faults.filter((f) => !/^[45]\d\d |Failed to load resource/.test(f)), close: () => context.close() }
}
const code = (link) => link.slice(link.indexOf('#') + 1)
async function choose(page, word) {
  const fields = page.locator('input[autocomplete="new-password"]')
  await fields.nth(0).fill(word)
  await fields.nth(1).fill(word)
}
async function activate(p, link) {
  await p.page.goto(link)
  await p.page.locator('.rules').waitFor()
  assert.ok(!p.page.url().includes('#'), 'the code stays in the address')
  await choose(p.page, password)
  await p.page.locator('button.primary').click()
}
async function signIn(p, name, word = password) {
  await p.page.locator('input[name="username"]').fill(name)
  await p.page.locator('input[name="password"]').fill(word)
  await p.page.locator('button.primary').click()
}
async function pick(page, field, text) {
  await field.click()
  await field.fill(text)
  await page.locator('[role="listbox"] button', { hasText: text }).first().click()
}
async function audit(page) {
  await page.addScriptTag({ content: axe })
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(' | ')}`)
}

const links = {}
let admin, security, auditor, duty, grid
after(async () => { for (const p of [admin, security, auditor, duty, grid]) await p?.close() })

describe('set-up', () => {
  it('is offered calmly on the map before it happened', async () => {
    const p = await person()
    await p.page.goto(`${base}/?e2e=1`)
    await p.page.locator('[data-banner="setup"]').waitFor()
    assert.match(await p.page.locator('[data-banner="setup"]').innerText(), /只读演示/)
    await p.page.goto(`${base}/admin`)
    await p.page.waitForURL('**/setup')
    assert.deepEqual(p.faults(), [])
    await p.close()
  })
  it('names three people, and shows their links once', async () => {
    admin = await person()
    const { page } = admin
    await page.goto(server.setup)
    await page.locator('.three').waitFor()
    assert.equal(new URL(page.url()).hash, '', 'the link stays in the address')
    assert.equal(await page.locator('button.primary').isDisabled(), true)
    await page.locator('input[autocomplete="name"]').fill('王建国')
    await page.locator('input[autocomplete="username"]').fill('wang.jg')
    await choose(page, password)
    const others = page.locator('fieldset').nth(1).locator('input')
    for (const [i, text] of ['李敏', 'li.min', '陈默', 'li.min'].entries()) await others.nth(i).fill(text)
    await page.locator('.note.warn').waitFor() // one person in two offices
    assert.equal(await page.locator('button.primary').isDisabled(), true)
    await others.nth(3).fill('chen.mo')
    await page.locator('button.primary').click()
    await page.locator('[data-secret]').nth(1).waitFor()
    ;[links.security, links.auditor] = await page.locator('[data-secret]').allInnerTexts()
    await page.locator('input[type="checkbox"]').check()
    await page.locator('a.primary').click()
    await page.locator('.office').waitFor()
    assert.equal(await page.locator('[data-secret]').count(), 0)
    assert.deepEqual(admin.faults(), [])
  })
  it('happens once', async () => {
    const p = await person()
    await p.page.goto(server.setup)
    await p.page.getByText('系统已经设置好了').waitFor()
    await p.close()
  })
  it('gives each office its own face', async () => {
    security = await person()
    auditor = await person()
    await activate(security, links.security)
    await activate(auditor, links.auditor)
    const tabs = async (p) => { await p.page.locator('.office nav a').first().waitFor(); return (await p.page.locator('.office nav a').allInnerTexts()).map((x) => x.trim()) }
    assert.deepEqual(await tabs(admin), ['人员', '会话', '图层密级', '设置'])
    assert.deepEqual(await tabs(security), ['授权', '令牌与大屏', '图层密级', '审批与补签', '设置'])
    assert.deepEqual(await tabs(auditor), ['审计', '审批与补签', '规则与标准'])
  })
  it('changes a setting, says why, and keeps it', async () => {
    const { page } = admin
    await page.goto(`${base}/admin#settings`)
    const form = page.getByRole('form', { name: '审图号' })
    await form.getByLabel('审图号').fill('苏S(2026)001号')
    await form.getByRole('button', { name: '保存' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox').fill('送审通过，批文苏自然资审〔2026〕1号')
    await dialog.getByRole('button', { name: '保存' }).click()
    await page.getByText('已保存').first().waitFor()
    await page.reload()
    assert.equal(await page.getByRole('form', { name: '审图号' }).getByLabel('审图号').inputValue(), '苏S(2026)001号')
    // The other office's settings are shown and not offered.
    assert.equal(await page.getByRole('form', { name: '登录与密码' }).count(), 0)
    assert.match(await page.locator('dl').innerText(), /密码至少 10 个字符/)
  })
  it('uses an activation link once', async () => {
    const p = await person()
    await activate(p, links.auditor)
    await p.page.locator('[role="alert"]').waitFor()
    assert.match(await p.page.locator('[role="alert"]').innerText(), /已用过/)
    await p.close()
  })
})

describe('people and grants', () => {
  async function create(name, username, unit) {
    const { page } = admin
    await page.goto('about:blank')
    await page.goto(`${base}/admin#people/new`)
    const fields = page.locator('#person input')
    await fields.nth(0).fill(name)
    await fields.nth(1).fill(username)
    await pick(page, fields.nth(2), unit)
    await page.locator('#person button.primary').click()
    await page.locator('[data-secret]').waitFor()
    return page.locator('[data-secret]').innerText()
  }
  async function grant(who, role, area) {
    const { page } = security
    await page.goto('about:blank')
    await page.goto(`${base}/admin#grants/new`)
    await until(page, () => document.querySelectorAll('#grant option').length > 3)
    await pick(page, page.locator('#grant input').nth(0), who)
    await page.locator('#grant select').selectOption(role)
    await pick(page, page.locator('#grant input').nth(1), area)
    await page.locator('#grant textarea').fill('值班安排')
  }
  it('the administrator makes a person, who chooses the password', async () => {
    links.duty = await create('赵海', 'zhao.hai', '示例县')
    links.grid = await create('孙丽', 'sun.li', '清水店镇')
    duty = await person()
    await activate(duty, links.duty)
    // No grant yet: nothing but public layers, of which there are none.
    await until(duty.page, () => document.documentElement.dataset.ready === '1' || location.pathname === '/signin')
    assert.equal(await duty.page.evaluate(() => (window.__app?.catalogue?.layers ?? []).filter((l) => l.visibility !== 'public').length), 0)
  })
  it('the security administrator hears of a clash before saving', async () => {
    await grant('陈默', 'admin', '示例县')
    await security.page.locator('.note.bad').waitFor()
    assert.match(await security.page.locator('.note.bad').innerText(), /审计员/)
    assert.equal(await security.page.locator('.drawer footer .primary').isDisabled(), true)
    await grant('李敏', 'viewer', '示例县')
    await security.page.locator('.note.bad').waitFor()
    assert.match(await security.page.locator('.note.bad').innerText(), /给自己/)
  })
  it('a grant takes effect on an open map, and shows only its own area', async () => {
    grid = await person()
    await activate(grid, links.grid)
    await grid.page.waitForURL((u) => u.pathname === '/' || u.pathname === '/signin')
    await grant('孙丽', 'grid_worker', '清水店镇')
    await security.page.locator('.drawer footer .primary').click()
    await until(security.page, () => !document.querySelector('#grant'))
    await grid.page.goto(`${base}/?e2e=1`)
    await until(grid.page, () => window.__app?.mapReady)
    const own = await grid.page.evaluate(() => fetch('/ogc/collections/population/items?limit=500').then((r) => r.json()).then((d) => d.features.map((f) => f.properties.admin_code ?? '')))
    assert.ok(own.length > 0, 'nothing of the own area')
    // What straddles a border belongs to the county; nothing of another township is here.
    assert.ok(own.some((c) => c.startsWith('990100102')))
    assert.deepEqual([...new Set(own.filter((c) => !c.startsWith('990100102') && c !== '990100'))], [])
    const other = await grid.page.evaluate(() => fetch('/ogc/collections/admin/items?code=990100101').then((r) => r.json()).then((d) => d.features.length))
    assert.equal(other, 0, 'another township is seen')
  })
  it('draws who holds what where, and answers a click with an area', async () => {
    const { page } = security
    await page.goto('about:blank')
    await page.goto(`${base}/admin?e2e=1#grants`)
    await until(page, () => document.querySelector('[data-grants-map]')?.dataset.drawn === '1')
    const at = await page.evaluate(() => { const q = window.__grants.project([112.2414, 31.5948]); const r = window.__grants.getCanvas().getBoundingClientRect(); return [q.x + r.left, q.y + r.top] })
    await page.mouse.click(...at)
    await page.locator('.here').waitFor()
    assert.match(await page.locator('.here').innerText(), /清水店镇/)
    assert.match(await page.locator('table.list').innerText(), /孙丽/)
  })
  it('revoking reaches the open map without a reload, and drops what was shown', async () => {
    const { page } = security
    await until(grid.page, () => window.__app.live === 'live' && window.__app.scene.total > 0)
    const before = await grid.page.evaluate(() => window.__app.catalogue.layers.length)
    assert.ok(before > 3)
    await page.locator('tr', { hasText: '孙丽' }).getByRole('button', { name: '收回', exact: true }).click()
    await page.locator('dialog.ask textarea').fill('岗位调整')
    await page.locator('dialog.ask .danger').click()
    await until(grid.page, () => window.__app.scene.total === 0 && window.__app.catalogue.layers.every((l) => l.visibility === 'public'))
    assert.equal(new URL(grid.page.url()).pathname, '/', 'the view is lost')
  })
})

describe('sessions', () => {
  it('a second factor is set up, asked for, and replaced by a recovery code', async () => {
    const { page } = duty
    await page.goto(`${base}/account`)
    await page.getByRole('button', { name: '启用第二因素' }).click()
    const secret = (await page.locator('.key').innerText()).replace(/\s/g, '')
    await page.locator('.code').fill(totp(secret))
    await page.locator('.enrol .primary').click()
    await page.locator('.recovery li').first().waitFor()
    const recovery = await page.locator('.recovery li').allInnerTexts()
    assert.ok(recovery.length >= 8)
    const p = await person()
    await p.page.goto(`${base}/signin?next=${encodeURIComponent('/account')}`)
    await signIn(p, 'zhao.hai')
    await p.page.locator('input[name="code"]').waitFor()
    await p.page.locator('input[name="code"]').fill('000000')
    await p.page.locator('button.primary').click()
    await p.page.locator('[role="alert"]').waitFor()
    await p.page.getByText('用恢复码').click()
    await p.page.locator('input[name="code"]').fill(recovery[0])
    await p.page.locator('button.primary').click()
    await p.page.waitForURL('**/account')
    await p.close()
  })
  it('a wrong password says nothing about the account', async () => {
    const p = await person()
    await p.page.goto(`${base}/signin`)
    const said = []
    for (const name of ['zhao.hai', 'nobody.at.all']) {
      await signIn(p, name, 'Wrong-password-1')
      await p.page.locator('[role="alert"]').waitFor()
      said.push(await p.page.locator('[role="alert"]').innerText())
    }
    assert.equal(said[0], said[1])
    await p.close()
  })
  it('without a session the map sends to the door and comes back to the same view', async () => {
    const p = await person()
    await p.page.goto(`${base}/?e2e=1&layers=admin#map=11.5/31.6000/112.2400`)
    await p.page.waitForURL('**/signin?next=*')
    await signIn(p, 'chen.mo')
    await p.page.waitForURL((u) => u.pathname === '/')
    await until(p.page, () => document.documentElement.dataset.ready === '1')
    const url = new URL(p.page.url())
    assert.match(url.hash, /map=11\.5\/31\.6/)
    assert.equal(url.searchParams.get('layers'), 'admin')
    // Another site is never a way back.
    await p.page.goto(`${base}/signin?next=${encodeURIComponent('//evil.example/')}`)
    await p.page.locator('.door .btn.primary').click()
    await p.page.waitForURL((u) => u.origin === base)
    await p.close()
  })
  it('ended elsewhere, the page asks again and what was typed is kept', async () => {
    const { page } = admin
    await page.goto('about:blank')
    await page.goto(`${base}/admin#people/new`)
    await page.locator('#person input').nth(0).fill('周强')
    await page.locator('#person input').nth(1).fill('zhou.qiang')
    await admin.context.clearCookies()
    await page.locator('#person button.primary').click()
    await page.locator('dialog.ask input[name="password"]').fill(password)
    await page.locator('dialog.ask button.primary').click()
    await page.locator('[data-secret]').waitFor()
    assert.match(await page.locator('.note.good').innerText(), /周强/)
  })
  it('signing out ends the session and leaves preferences, not data', async () => {
    const { page } = auditor
    await page.goto(`${base}/account`)
    await page.locator('#a-roles').waitFor()
    await page.evaluate(async () => {
      localStorage.setItem('onemap.theme', 'dark')
      localStorage.setItem('onemap.draft', 'secret')
      await new Promise((done) => { const r = indexedDB.open('onemap-outbox', 1); r.onsuccess = () => { r.result.close(); done() } })
      await (await caches.open('tiles')).put('/x', new Response('secret'))
    })
    await page.locator('main').getByRole('button', { name: '退出' }).last().click()
    await page.waitForURL('**/signin')
    const left = await page.evaluate(async () => ({ theme: localStorage.getItem('onemap.theme'), draft: localStorage.getItem('onemap.draft'), dbs: (await indexedDB.databases()).length, caches: await caches.keys() }))
    assert.deepEqual(left, { theme: 'dark', draft: null, dbs: 0, caches: [] })
    assert.equal(await page.evaluate(() => fetch('/api/me').then((r) => r.json()).then((m) => m.signed_in)), false)
    await signIn(auditor, 'chen.mo')
    await auditor.page.waitForURL('**/admin')
  })
})

describe('the record', () => {
  it('shows what was done, opens a row and verifies the chain', async () => {
    const { page } = auditor
    await page.locator('table.list tbody tr').first().waitFor()
    await page.locator('input[type="search"]').waitFor()
    await page.locator('input.who').nth(1).fill('grant.create')
    await page.getByRole('button', { name: '查找' }).click()
    await until(page, () => [...document.querySelectorAll('table.list tbody tr')].length > 0 && [...document.querySelectorAll('table.list tbody tr')].every((r) => /grant\.create/.test(r.textContent)))
    await page.locator('table.list tbody a').first().click()
    await page.locator('.drawer .diff').waitFor()
    assert.match(await page.locator('.drawer').innerText(), /grid_worker|security_admin|auditor|admin/)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: '核验' }).click()
    await page.locator('[data-verdict="ok"]').waitFor({ timeout: 60_000 })
  })
  it('leaves with who took it, and when', async () => {
    const { page } = auditor
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator('a[href^="/api/audit.csv"]').click()])
    const text = readFileSync(await file.path(), 'utf8')
    assert.match(text.slice(0, 2000), /chen\.mo/)
    assert.match(text.slice(0, 2000), /20\d\d-\d\d-\d\d/)
  })
})

describe('for everybody', () => {
  const sizes = [['desk', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]]
  it('axe finds nothing at the doors', async () => {
    for (const [name, size] of sizes) for (const lang of ['zh-CN', 'en']) for (const theme of ['light', 'dark']) {
      const p = await person({ size, bypassCSP: true, extraHTTPHeaders: {} })
      for (const path of ['/signin', '/activate', '/enrol', '/setup']) {
        await p.page.goto(`${base}${path}?lang=${lang}&theme=${theme}`)
        await until(p.page, () => document.documentElement.dataset.ready === '1')
        assert.deepEqual(await audit(p.page), [], `${path} ${name} ${lang} ${theme}`)
      }
      assert.deepEqual(p.faults(), [])
      await p.close()
    }
  })
  for (const [name, size] of sizes) {
    it(`axe finds nothing inside: ${name}`, async () => {
      const wrong = []
      for (const [who, pages] of [
        [() => admin, ['/account', '/admin#people', '/admin#people/new', '/admin#sessions', '/admin#layers', '/admin#settings']],
        [() => security, ['/admin#grants', '/admin#grants/new', '/admin#tokens', '/admin#tokens/wall', '/admin#layers', '/admin#decisions', '/admin#settings']],
        [() => auditor, ['/admin#audit', '/admin#rules']],
      ]) {
        const p = await person({ size, bypassCSP: true, storageState: await who().context.storageState() })
        for (const path of pages) for (const [lang, theme] of [['zh-CN', 'light'], ['en', 'dark']]) {
          await p.page.goto('about:blank')
          await p.page.goto(`${base}${path.replace(/#|$/, (m) => `?lang=${lang}&theme=${theme}${m}`)}`)
          await until(p.page, () => document.documentElement.dataset.ready === '1' && !document.querySelector('.blank[role="status"]'))
          wrong.push(...(await audit(p.page)).map((v) => `${path} ${lang} ${theme} ${v}`))
          const wide = await p.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          if (wide > 0) wrong.push(`${path} ${lang}: ${wide} px too wide`)
        }
        await p.close()
      }
      assert.deepEqual(wrong, [])
    })
  }
})
