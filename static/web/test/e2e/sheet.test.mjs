import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, describe, it } from 'node:test'
import { api, inside, open, shut, until } from './kit.mjs'

const require = createRequire(import.meta.url)
after(shut)

describe('what leaves the screen', () => {
  it('is a picture with title, legend, scale, origin and time', async () => {
    const a = await open('/')
    const [download] = await Promise.all([a.page.waitForEvent('download'), a.page.keyboard.press('p')])
    assert.match(download.suggestedFilename(), /^一张图-示例县-\d{14}\.png$/)
    const png = readFileSync(await download.path())
    assert.equal(png.subarray(1, 4).toString(), 'PNG')
    const [w, h] = [png.readUInt32BE(16), png.readUInt32BE(20)]
    const map = await a.page.evaluate(() => ({ w: window.__map.getCanvas().width, h: window.__map.getCanvas().height }))
    assert.ok(w > map.w + 150 && h > map.h + 60, `${w}x${h} for a map of ${map.w}x${map.h}`)
    // A blank map would compress to almost nothing.
    assert.ok(png.length > 60_000, `${png.length} bytes`)
    assert.deepEqual(a.faults, [])
    await a.close()
  })

  it('prints the map itself, not an empty frame', async () => {
    const a = await open('/')
    await a.page.evaluate(() => { window.print = () => { window.__printed = true } })
    await a.page.getByRole('button', { name: '更多' }).click()
    await a.page.getByRole('menuitem', { name: '打印' }).click()
    await until(a.page, () => window.__printed === true)
    await a.page.emulateMedia({ media: 'print' })
    assert.equal(await a.page.locator('.frame').isVisible(), false)
    assert.equal(await a.page.locator('.print-sheet img').isVisible(), true)
    const pdf = await a.page.pdf({ preferCSSPageSize: true, printBackground: true })
    assert.ok(pdf.length > 50_000, `${pdf.length} bytes`)
    await a.close()
  })
})

describe('when the graphics card is reset', () => {
  it('everything comes back', async () => {
    const a = await open('/')
    const before = await a.page.evaluate(() => window.__app.scene.total)
    await a.page.evaluate(() => {
      const gl = window.__map.getCanvas().getContext('webgl2') ?? window.__map.getCanvas().getContext('webgl')
      const ext = gl.getExtension('WEBGL_lose_context')
      ext.loseContext()
      window.__restore = () => ext.restoreContext()
    })
    await until(a.page, () => window.__app.contextLost)
    await a.page.evaluate(() => { window.__app.show('sensors', true); window.__restore() })
    await until(a.page, () => !window.__app.contextLost)
    await until(a.page, (n) => window.__app.scene.total >= n && window.__app.scene.counts.sensors > 0, before)
    assert.deepEqual(a.faults.filter((f) => f.startsWith('error')), [])
    await a.close()
  })
})

describe('for everybody', () => {
  const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
  async function audit(page) {
    await page.addScriptTag({ content: axe })
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
    return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join(' | ')}`)
  }
  const screens = [
    ['light', '/?theme=light', {}], ['dark, English', '/?theme=dark&lang=en', {}],
    ['phone', '/?theme=light', { size: { width: 390, height: 844 }, context: { hasTouch: true, isMobile: true } }],
  ]
  for (const [name, path, options] of screens) {
    it(`axe finds nothing: ${name}`, async () => {
      const a = await open(path, { ...options, context: { ...options.context, bypassCSP: true } })
      assert.deepEqual(await audit(a.page), [])
      const item = (await api('/ogc/collections/shelters/items?limit=1')).features[0]
      await a.page.evaluate((id) => window.__app.open('shelters', id, true), item.id)
      await a.page.locator('.detail h2').waitFor()
      assert.deepEqual(await audit(a.page), [])
      await a.page.evaluate(() => { const s = window.__app; s.closeDetail(); s.tab = 'list'; s.sheet = 'full' })
      await a.page.locator('#feature-list').waitFor()
      assert.deepEqual(await audit(a.page), [])
      await a.close()
    })
  }
  it('a phone reaches layers, list and details with the thumb', async () => {
    const a = await open('/', { size: { width: 390, height: 844 }, context: { hasTouch: true, isMobile: true } })
    await a.page.getByRole('button', { name: '图层', exact: true }).tap()
    await a.page.locator('[data-sheet="half"] [data-layer="shelters"]').waitFor()
    await a.page.locator('.handle').tap()
    await a.page.locator('[data-sheet="full"]').waitFor()
    await a.page.locator('.handle').tap()
    await a.page.locator('[data-sheet="low"]').waitFor()
    const item = (await api('/ogc/collections/shelters/items?limit=1')).features[0]
    const [lon, lat] = inside(item.geometry)
    await a.page.evaluate(([x, y]) => window.__map.jumpTo({ center: [x, y], zoom: 15 }), [lon, lat])
    await until(a.page, () => window.__app.scene.counts.shelters > 0)
    const at = await a.page.evaluate(([x, y]) => { const q = window.__map.project([x, y]); const r = window.__map.getCanvas().getBoundingClientRect(); return [q.x + r.left, q.y + r.top] }, [lon, lat])
    await a.page.touchscreen.tap(...at)
    await a.page.locator('[data-sheet="half"] .detail').waitFor()
    const small = await a.page.evaluate(() => [...document.querySelectorAll('.sheet button, header button')].filter((b) => { const r = b.getBoundingClientRect(); return r.width > 0 && r.height > 0 && Math.max(r.width, r.height) < 24 }).map((b) => b.outerHTML.slice(0, 80)))
    assert.deepEqual(small, [])
    await a.close()
  })
})

describe('old browsers', () => {
  it('below Chromium 90 there is a plain page', async () => {
    const a = await open('/', { wait: false, context: { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.108 Safari/537.36' } })
    await a.page.waitForURL('**/old.html*')
    assert.match(await a.page.locator('main').innerText(), /Chromium 90/)
    await a.close()
  })
})
