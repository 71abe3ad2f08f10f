// The oldest browser we promise: government desktops run Chromium 90 to 96. The binary
// comes from the npm package chrome-aws-lambda, kept for this test only.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { brotliDecompressSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { base, go, inside, until, watch } from './kit.mjs'

const require = createRequire(import.meta.url)

/** untar writes the plain files of a tar archive: all that swiftshader.tar holds. */
function untar(tar, into) {
  for (let at = 0; at + 512 <= tar.length;) {
    const name = tar.subarray(at, at + 100).toString().replace(/\0.*$/s, '')
    if (!name) break
    const size = parseInt(tar.subarray(at + 124, at + 136).toString(), 8) || 0
    const type = String.fromCharCode(tar[at + 156] || 48)
    const file = join(into, name)
    if (type === '5') mkdirSync(file, { recursive: true })
    else if (type === '0') { mkdirSync(dirname(file), { recursive: true }); writeFileSync(file, tar.subarray(at + 512, at + 512 + size), { mode: 0o755 }) }
    at += 512 + Math.ceil(size / 512) * 512
  }
}

describe('Chromium 90', () => {
  let dir, browser
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'chromium90-'))
    const bin = join(dirname(require.resolve('chrome-aws-lambda/package.json')), 'bin')
    writeFileSync(join(dir, 'chromium'), brotliDecompressSync(readFileSync(join(bin, 'chromium.br'))))
    chmodSync(join(dir, 'chromium'), 0o755)
    for (const [archive, into] of [['swiftshader.tar.br', 'swiftshader'], ['aws.tar.br', 'aws']]) {
      if (existsSync(join(bin, archive))) untar(brotliDecompressSync(readFileSync(join(bin, archive))), join(dir, into))
    }
    // The package puts its libraries beside the browser, where it looks for them.
    if (!existsSync(join(dir, 'swiftshader/libGLESv2.so')) && existsSync(join(dir, 'swiftshader/swiftshader'))) throw new Error('swiftshader lies elsewhere')
    browser = await chromium.launch({
      executablePath: join(dir, 'chromium'), timeout: 60_000,
      env: { ...process.env, LD_LIBRARY_PATH: join(dir, 'aws/lib') },
      args: ['--no-sandbox', '--no-zygote', '--single-process', '--use-gl=swiftshader', '--in-process-gpu', '--disable-dev-shm-usage'],
    })
  })
  after(async () => {
    await browser?.close()
    if (dir) rmSync(dir, { recursive: true, force: true })
  })

  it('draws the map, answers a click and changes language', async () => {
    assert.match(browser.version(), /^90\./)
    const page = await (await browser.newContext({ viewport: { width: 1024, height: 640 }, locale: 'zh-CN' })).newPage()
    const faults = []
    watch(page, faults)
    await go(page, '/')
    await until(page, () => window.__app.scene.total > 50)
    await page.mouse.click(660, 330)
    // Selectors of this Playwright are too new for this browser; plain script is not.
    await until(page, () => (document.querySelector('.detail')?.dataset.detail ?? '') !== '')
    await page.keyboard.press('e')
    await until(page, () => document.documentElement.lang === 'en')
    await page.keyboard.press('d')
    await until(page, () => document.documentElement.dataset.theme === 'dark')
    assert.deepEqual(faults, [])
  })

  it('opens the doors: signing in, set-up, activation', async () => {
    const page = await (await browser.newContext({ viewport: { width: 1024, height: 640 }, locale: 'zh-CN' })).newPage()
    const faults = []
    watch(page, faults)
    for (const path of ['/signin', '/setup', '/activate', '/enrol']) {
      await go(page, path)
      await until(page, () => (document.querySelector('main h1')?.textContent ?? '') !== '')
    }
    // The rules of a password follow the typing.
    await go(page, '/activate')
    await page.evaluate(() => { const i = document.querySelector('input[autocomplete="new-password"]'); i.value = 'Correct-horse-1'; i.dispatchEvent(new Event('input', { bubbles: true })) })
    await until(page, () => document.querySelectorAll('.rules .ok').length >= 2)
    assert.deepEqual(faults, [])
  })

  it("opens the planner's table: the list, and a plan to draw in", async (t) => {
    const data = process.env.ONEMAP_E2E_DATA
    if (!data) { t.skip('ONEMAP_E2E_DATA is not set: nobody can be made to sign in'); return }
    const password = 'Shanhe-2026-x'
    execFileSync(process.env.ONEMAP_BIN ?? new URL('../../../../bin/onemap', import.meta.url).pathname, ['user', 'add', 'old.browser', '--role', 'planner', '--area', '990100', '--name', '老浏览器', '--password-stdin', '--data', data], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] })
    const page = await (await browser.newContext({ viewport: { width: 1024, height: 640 }, locale: 'zh-CN' })).newPage()
    await go(page, '/signin')
    await until(page, () => document.querySelector('input[name="password"]') !== null)
    await page.evaluate((password) => {
      for (const [name, value] of [['username', 'old.browser'], ['password', password]]) { const i = document.querySelector(`input[name="${name}"]`); i.value = value; i.dispatchEvent(new Event('input', { bubbles: true })) }
      document.querySelector('button.primary').click()
    }, password)
    await until(page, () => location.pathname !== '/signin')
    const faults = []
    watch(page, faults)
    await go(page, '/plan')
    await until(page, () => document.querySelector('h1, h2') !== null)
    const id = await page.evaluate(async () => {
      const r = await fetch('/api/plans', { method: 'POST', headers: { Accept: 'application/json', 'Content-Type': 'application/json' }, body: JSON.stringify({ hazard: 'flood', kind: 'risk', title: '旧浏览器方案', area: '990100', exhaustive: true, unit: 'village', start: 'villages' }) })
      return r.status === 201 ? (await r.json()).id : `${r.status} ${await r.text()}`
    })
    await go(page, `/plan?id=${encodeURIComponent(id)}`)
    await until(page, () => document.documentElement.dataset.bench === '1' && window.__plan.draft.topo.nodes > 10)
    await page.keyboard.press('e')
    await until(page, () => window.__plan.tools.tool === 'vertex')
    assert.deepEqual(faults, [])
  })

  it('carries the phone: signed in, marks with a photo and draws its map without network, sends, calls 险情', { timeout: 300_000 }, async (t) => {
    const data = process.env.ONEMAP_E2E_DATA
    if (!data) { t.skip('ONEMAP_E2E_DATA is not set: nobody can be made to sign in'); return }
    const password = 'Shanhe-2026-x', bin = process.env.ONEMAP_BIN ?? new URL('../../../../bin/onemap', import.meta.url).pathname
    const add = (name, role, area) => execFileSync(bin, ['user', 'add', name, '--role', role, '--area', area, '--name', '老手机', '--password-stdin', '--data', data], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] })
    add('old.desk', 'duty_officer', '990100')
    const asked = async (path, { method = 'GET', body, cookie = '' } = {}) => fetch(base + path, { method, headers: { Accept: 'application/json', Origin: base, Cookie: cookie, ...(body ? { 'Content-Type': 'application/json' } : {}) }, body: body && JSON.stringify(body) })
    const cookie = (await asked('/api/session', { method: 'POST', body: { username: 'old.desk', password } })).headers.getSetCookie()[0].split(';')[0]
    const duty = async (path, more = {}) => (await asked(path, { ...more, cookie })).json()
    const grid = (await duty('/ogc/collections/grids/items?limit=1')).features[0]
    add('old.phone', 'grid_worker', grid.properties.code)
    const people = await duty('/api/users?q=old.phone')
    const { link } = await duty('/api/enrolments', { method: 'POST', body: { account: (people.users ?? people.items)[0].id } })

    // In one process this browser has no service workers.
    const old = await chromium.launch({ executablePath: join(dir, 'chromium'), timeout: 60_000, env: { ...process.env, LD_LIBRARY_PATH: join(dir, 'aws/lib') }, args: ['--no-sandbox', '--no-zygote', '--use-gl=swiftshader', '--in-process-gpu', '--disable-dev-shm-usage'] })
    try {
      const [longitude, latitude] = inside(grid.geometry)
      const context = await old.newContext({ viewport: { width: 390, height: 844 }, locale: 'zh-CN', serviceWorkers: 'allow', permissions: ['geolocation'], geolocation: { longitude, latitude, accuracy: 8 } })
      const page = await context.newPage()
      const faults = []
      page.on('pageerror', (e) => faults.push(e.message))
      const click = (what) => page.evaluate((what) => document.querySelector(what).click(), what)
      await go(page, '/field')
      await page.evaluate((link) => window.__core.enrol(link, '老手机'), link)
      await until(page, () => window.__core.home()?.grid && window.__core.dictionary('dangers') && navigator.serviceWorker.controller !== null)
      await page.evaluate(async () => { await window.__core.getPack((await window.__core.packs())[0].area) })
      await context.setOffline(true)
      await page.reload()
      await until(page, () => document.querySelector('[data-do="do_dangers"]') !== null)
      await click('[data-do="do_dangers"]')
      await until(page, () => document.querySelectorAll('[data-field="kind"] button').length > 3 && document.querySelector('[data-position="fix"]') !== null)
      await click('[data-field="kind"] button')
      await page.evaluate(async () => {
        const c = document.createElement('canvas')
        c.width = 900; c.height = 600
        const files = new DataTransfer()
        files.items.add(new File([await new Promise((r) => c.toBlob(r, 'image/jpeg'))], 'a.jpg', { type: 'image/jpeg' }))
        const input = document.querySelector('[data-photo="choose"]')
        input.files = files.files
        input.dispatchEvent(new Event('change', { bubbles: true }))
      })
      await until(page, () => document.querySelector('.photos img') !== null)
      await click('[data-do="send"]')
      await until(page, () => document.querySelector('[data-do="not-same"], [data-waiting="1"]') !== null)
      await page.evaluate(() => document.querySelector('[data-do="not-same"]')?.click())
      await until(page, () => document.querySelector('[data-waiting="1"]') !== null)
      await page.evaluate(() => { location.hash = '#/map' })
      await until(page, () => document.querySelector('[data-map][data-drawn]') !== null)
      assert.ok(await page.evaluate(() => window.__map.queryRenderedFeatures().length) > 20, 'the map from the pack')
      assert.ok(await page.evaluate(async () => (await window.__core.exportOutbox('长的密码 12345')).size) > 1000)
      await context.setOffline(false)
      await until(page, () => { const [o] = window.__core.outbox(); return o.state === 'received' && o.photos.sent === 1 })
      await page.evaluate(() => { location.hash = '#/urgent' })
      await until(page, () => document.querySelectorAll('.kind').length === 9)
      await click('.kind')
      await until(page, () => document.querySelector('[data-urgent="there"]') !== null)
      assert.deepEqual(faults, [])
    } finally { await old.close() }
  })
})
