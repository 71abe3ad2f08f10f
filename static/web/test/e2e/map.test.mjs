import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { api, base, go, inside, open, settled, shut, sql, until, wire } from './kit.mjs'

const catalogue = await api('/api/layers')
const home = catalogue.home.bounds
after(shut)

describe('the map', () => {
  let p
  before(async () => { p = await open('/') })
  after(async () => { await p.close() })

  it('shows the demo county, and asks nobody else for anything', async () => {
    assert.match(await p.page.title(), /一张图 · 示例县/)
    assert.equal(await p.page.locator('header .place').innerText(), '示例县')
    const scene = await p.page.evaluate(() => ({ total: window.__app.scene.total, counts: window.__app.scene.counts }))
    assert.ok(scene.total > 100, `only ${scene.total} features in view`)
    assert.ok(scene.counts.admin > 0 && scene.counts.roads > 0 && scene.counts.rivers > 0, JSON.stringify(scene.counts))
    const box = await p.page.evaluate(() => window.__map.getBounds().toArray().flat())
    assert.ok(box[0] <= home[0] && box[1] <= home[1] && box[2] >= home[2] && box[3] >= home[3], 'the home area is not whole in view')
    assert.match(await p.page.locator('.status').innerText(), /内部资料 未经审图/)
    assert.match(await p.page.locator('.watermark').innerText(), /演示数据/)
    assert.deepEqual(p.faults, [])
  })

  it('paints more than the ground', async () => {
    const colours = await p.page.evaluate(() => new Promise((resolve) => {
      const m = window.__map
      m.once('render', () => {
        const gl = m.getCanvas()
        const c = document.createElement('canvas')
        c.width = 128
        c.height = 80
        const x = c.getContext('2d')
        x.drawImage(gl, 0, 0, 128, 80)
        const d = x.getImageData(0, 0, 128, 80).data
        const seen = new Set()
        for (let i = 0; i < d.length; i += 4) seen.add((d[i] >> 4) * 256 + (d[i + 1] >> 4) * 16 + (d[i + 2] >> 4))
        resolve(seen.size)
      })
      m.triggerRepaint()
    }))
    assert.ok(colours > 20, `${colours} colours`)
  })

  it('offers the way back from an empty view', async () => {
    await p.page.evaluate(() => window.__map.jumpTo({ center: [90, 40], zoom: 11 }))
    await p.page.locator('.empty').waitFor()
    await p.page.locator('.empty .btn').click()
    await until(p.page, () => window.__app.scene.total > 50)
  })

  it('says what the cursor is on and copies coordinates', async () => {
    await p.page.mouse.move(600, 300)
    await until(p.page, () => /^\d+\.\d{5}, \d+\.\d{5}$/.test(document.querySelector('.status button')?.textContent ?? ''))
  })

  it('shows how old the data are and where they come from, layer by layer', async () => {
    await p.page.locator('[data-layer="shelters"] .name').click()
    const words = await p.page.locator('[data-layer="shelters"] .options').innerText()
    assert.match(words, /数据日期\s*\d{4}-\d{2}-\d{2}/)
    assert.match(words, /来源\s*\S+/)
    await p.page.locator('[data-layer="shelters"] .name').click()
  })
})

describe('every layer', () => {
  let p
  before(async () => { p = await open('/?layers=') })
  after(async () => { await p.close() })

  for (const layer of catalogue.layers.filter((l) => l.count > 0)) {
    it(`${layer.id} can be shown, seen, asked and hidden`, async () => {
      const { page } = p
      const items = await api(`/ogc/collections/${layer.id}/items?limit=1`)
      const feature = items.features.find((f) => f.geometry)
      assert.ok(feature, 'no feature with a place')
      const [lon, lat] = inside(feature.geometry)
      // Above z16 nothing is gathered into clusters: a click is a question.
      await page.evaluate(([x, y]) => { const s = window.__app; s.closeDetail(); for (const id of s.visibleLayers) s.show(id, false); window.__map.jumpTo({ center: [x, y], zoom: 16.4 }) }, [lon, lat])
      const tick = page.locator(`[data-layer="${layer.id}"] .eye input`)
      await tick.check()
      await until(page, (id) => window.__app.scene.counts[id] > 0, layer.id)
      const at = await page.evaluate(([x, y]) => { const q = window.__map.project([x, y]); const r = window.__map.getCanvas().getBoundingClientRect(); return [q.x + r.left, q.y + r.top] }, [lon, lat])
      await page.mouse.click(...at)
      await page.locator('.detail[data-detail]:not([data-detail=""])').waitFor()
      const which = await page.locator('.detail').getAttribute('data-detail')
      if (which === 'list') await page.locator('.detail .hit').first().click()
      else assert.ok(which.startsWith(`${layer.id}:`), which)
      const shown = await page.locator('.detail').getAttribute('data-detail')
      assert.ok(shown.startsWith(`${layer.id}:`), shown)
      assert.ok((await page.locator('.detail h2').innerText()).trim().length > 0, 'no title')
      assert.ok(await page.locator('.detail dl > div').count() >= 4, 'an empty panel')
      const words = await page.locator('.detail').innerText()
      assert.doesNotMatch(words, /undefined|NaN|\[object|null/)
      await tick.uncheck()
      await until(page, (id) => window.__app.scene.counts[id] === undefined, layer.id)
      await page.keyboard.press('Escape')
    })
  }

  it('did all that without a fault', () => assert.deepEqual(p.faults, []))
})

describe('search', () => {
  let p
  before(async () => { p = await open('/') })
  after(async () => { await p.close() })

  it('finds a name by its beginning, with the keyboard alone', async () => {
    const items = await api('/ogc/collections/shelters/items?limit=1')
    const name = items.features[0].properties.name
    await p.page.keyboard.press('Control+k')
    await p.page.keyboard.type(name)
    await p.page.locator('#found-0').waitFor()
    await p.page.keyboard.press('Enter')
    await until(p.page, (want) => document.querySelector('.detail h2')?.textContent === want, name)
    assert.match(new URL(p.page.url()).href, /e2e=1/)
  })
  it('understands coordinates', async () => {
    const lon = (home[0] + home[2]) / 2, lat = (home[1] + home[3]) / 2
    await p.page.keyboard.press('Control+k')
    await p.page.keyboard.type(`${lon.toFixed(4)}, ${lat.toFixed(4)}`)
    await p.page.locator('#found-0').waitFor()
    await p.page.keyboard.press('Enter')
    await until(p.page, ([x, y]) => Math.hypot(window.__map.getCenter().lng - x, window.__map.getCenter().lat - y) < 0.01, [lon, lat])
  })
  it('says so when there is nothing', async () => {
    await p.page.keyboard.press('Control+k')
    await p.page.keyboard.type('没有这样的东西吧')
    await p.page.getByText('没有找到“没有这样的东西吧”').waitFor()
    await p.page.keyboard.press('Escape')
    await p.page.keyboard.press('Escape')
  })
})

describe('addresses, words and colours', () => {
  it('a link opens the same screen elsewhere', async () => {
    const a = await open('/')
    const item = (await api('/ogc/collections/hazards/items?limit=1')).features[0]
    const [lon, lat] = inside(item.geometry)
    await a.page.evaluate(([x, y]) => window.__map.jumpTo({ center: [x, y], zoom: 14.5 }), [lon, lat])
    await a.page.evaluate(() => { const s = window.__app; s.preset('planning'); s.setOpacity('hazard_areas', 0.5); s.setTextures(true) })
    await a.page.locator('[data-layer="hazards"] .step').last().click()
    await a.page.evaluate((id) => window.__app.open('hazards', id, false), item.id)
    await a.page.locator('.detail h2').waitFor()
    const link = await a.page.evaluate(() => window.__app.share())
    const told = async (page) => page.evaluate(() => {
      const s = window.__app
      return { layers: s.visibleLayers, levels: s.settings.hazards.levels, opacity: s.settings.hazard_areas.opacity, textures: s.textures, selected: s.selected?.id, lang: s.lang, theme: s.theme, zoom: Math.round(s.camera.zoom * 10), lon: s.camera.lon.toFixed(3) }
    })
    const want = await told(a.page)
    await a.close()
    const b = await open(link.replace(base, ''))
    await b.page.locator('.detail h2').waitFor()
    assert.deepEqual(await told(b.page), want)
    assert.equal(want.selected, item.id)
    assert.deepEqual(want.levels.length, 3)
    await b.close()
  })

  it('speaks English throughout, and remembers it', async () => {
    const a = await open('/')
    await a.page.getByRole('button', { name: 'English' }).click()
    await until(a.page, () => document.documentElement.lang === 'en' && document.querySelector('header h1').textContent === 'One Map')
    await until(a.page, () => [...document.querySelectorAll('#pane-layers h2 span')].every((e) => /^[\x20-\x7e]+$/.test(e.textContent)))
    const chinese = await a.page.evaluate(() => {
      const out = []
      for (const e of document.querySelectorAll('header, #pane-layers, .status, .zoom')) {
        const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT)
        while (walk.nextNode()) if (/[\u4e00-\u9fff]/.test(walk.currentNode.data)) out.push(walk.currentNode.data.trim())
        for (const n of e.querySelectorAll('[aria-label],[title]')) for (const k of ['aria-label', 'title']) if (/[\u4e00-\u9fff]/.test(n.getAttribute(k) ?? '')) out.push(n.getAttribute(k))
      }
      return [...new Set(out)]
    })
    // What stays Chinese is the county's own name and the other language's own name.
    assert.deepEqual(chinese.filter((s) => !/示例县|^中文$/.test(s)), [])
    await a.page.reload()
    await until(a.page, () => document.documentElement.lang === 'en')
    assert.deepEqual(a.faults, [])
    await a.close()
  })

  it('follows the browser', async () => {
    const a = await open('/', { context: { locale: 'en-GB', colorScheme: 'dark' } })
    assert.equal(await a.page.locator('html').getAttribute('lang'), 'en')
    assert.equal(await a.page.locator('html').getAttribute('data-theme'), 'dark')
    await a.close()
  })

  it('changes between light and dark without loading a tile again', async () => {
    const a = await open('/')
    await settled(a.page)
    const tiles = []
    a.page.on('request', (r) => { if (r.url().includes('.mvt')) tiles.push(r.url()) })
    await a.page.keyboard.press('d')
    await until(a.page, () => document.documentElement.dataset.theme === 'dark' && window.__map.getPaintProperty('base/land', 'fill-color') === '#15263A')
    await settled(a.page)
    assert.deepEqual(tiles, [])
    assert.deepEqual(a.faults, [])
    await a.close()
  })

  it('filters by level, on the map and in the address', async () => {
    const a = await open('/')
    const before = await a.page.evaluate(() => window.__app.scene.counts.hazards)
    await a.page.locator('[data-layer="hazards"] .step').first().click()
    await until(a.page, (n) => window.__app.scene.counts.hazards < n, before)
    await until(a.page, () => location.search.includes('hazards!2.3.4'))
    await a.close()
  })
})

describe('without a mouse', () => {
  it('the list is the map: reach it, read it, go there', async () => {
    const a = await open('/')
    await a.page.keyboard.press('l')
    await until(a.page, () => document.activeElement?.closest('#feature-list') !== null)
    const label = await a.page.evaluate(() => document.activeElement.getAttribute('aria-label'))
    assert.match(label, /^定位到/)
    await a.page.keyboard.press('Tab')
    await until(a.page, () => document.activeElement?.closest('#feature-list') !== null)
    await a.page.keyboard.press('Enter')
    await a.page.locator('.detail h2').waitFor()
    await until(a.page, () => document.querySelector('[aria-live="polite"]').textContent.length > 0)
    await a.page.keyboard.press('Escape')
    await until(a.page, () => !document.querySelector('.detail'))
    await a.close()
  })
  it('every key of the sheet does what it says', async () => {
    const a = await open('/')
    await a.page.keyboard.press('?')
    await a.page.getByRole('dialog').waitFor()
    await a.page.keyboard.press('Escape')
    await until(a.page, () => !document.querySelector('dialog[open]'))
    await a.page.keyboard.press('m')
    const before = await a.page.evaluate(() => window.__map.getCenter().lng)
    await a.page.keyboard.press('ArrowRight')
    await until(a.page, (x) => window.__map.getCenter().lng > x, before)
    await a.page.keyboard.press('h')
    await a.page.keyboard.press('t')
    await until(a.page, () => window.__app.textures)
    await a.page.keyboard.press('g')
    await until(a.page, () => document.activeElement?.type === 'checkbox')
    await a.close()
  })
})

describe('live', () => {
  it('a row changed in the database is on the open map', async () => {
    const lon = ((home[0] + home[2]) / 2).toFixed(6), lat = ((home[1] + home[3]) / 2).toFixed(6)
    const a = await open(`/#map=15/${lat}/${lon}`)
    await until(a.page, () => document.documentElement.dataset.live === 'live')
    const refreshed = []
    a.page.on('request', (r) => { if (r.url().includes('.mvt')) refreshed.push(new URL(r.url()).pathname) })
    const name = `连线检验 ${lat}`
    const asked = Date.now()
    const id = sql(`insert into incidents (name, kind, level, state, occurred_at, known_at, exercise, dataset, source_key, geom)
      values ('${name}', 'fire', 1, 'responding', now() - interval '1 minute', now(), true, (select id from dataset where demo order by created_at limit 1), 'e2e-' || clock_timestamp(), ST_SetSRID(ST_MakePoint(${lon}, ${lat}), 4490)) returning id`)
    try {
      await until(a.page, (n) => window.__app.scene.seen.some((s) => s.title === n), name)
      console.log(`      seen ${Date.now() - asked} ms after psql was started`)
      assert.ok(refreshed.length > 0 && refreshed.every((u) => u.startsWith('/tiles/incidents/')), refreshed.join(' '))
      await a.page.evaluate((i) => window.__app.open('incidents', i, false), id)
      await until(a.page, (n) => document.querySelector('.detail h2')?.textContent === n, name)
      sql(`update incidents set name = '${name} 改' where id = '${id}'`)
      await until(a.page, (n) => document.querySelector('.detail h2')?.textContent === n, `${name} 改`)
    } finally {
      sql(`delete from incidents where id = '${id}'`)
    }
    await until(a.page, (n) => !window.__app.scene.seen.some((s) => s.title.startsWith(n)), name)
    await a.close()
  })

  it('tabs share one connection, and the next takes over', async () => {
    const a = await open('/')
    const calls = []
    a.context.on('request', (r) => { if (r.url().includes('/api/live')) calls.push(r.url()) })
    const second = await a.context.newPage()
    await go(second, '/')
    await until(second, () => document.documentElement.dataset.live === 'live')
    assert.deepEqual(calls, [])
    await a.page.close()
    await until(second, () => window.__app.leader && document.documentElement.dataset.live === 'live')
    assert.equal(calls.length, 1)
    await a.close()
  })

  it('says when the line is cut, keeps what it shows, and comes back by itself', async () => {
    const line = await wire()
    const a = await open('/', { from: line.url })
    await until(a.page, () => document.documentElement.dataset.live === 'live')
    const total = await a.page.evaluate(() => window.__app.scene.total)
    line.cut()
    await a.page.locator('[data-banner="lost"]').waitFor()
    assert.match(await a.page.locator('[data-banner="lost"]').innerText(), /中断.*可以继续查看/s)
    assert.equal(await a.page.evaluate(() => window.__app.scene.total), total)
    // Asked while the line is still cut: once it is mended the page comes back by
    // itself, and the button may be gone before anybody reaches it.
    await a.page.getByRole('button', { name: '立即重试' }).evaluate((b) => b.click())
    line.mend()
    await until(a.page, () => document.documentElement.dataset.live === 'live')
    await a.page.locator('[data-banner="lost"]').waitFor({ state: 'detached' })
    await a.close()
    line.close()
  })

  it('waits for a server that is not there yet, with words', async () => {
    const line = await wire()
    const a = await open('/', { from: line.url })
    await a.page.route('**/api/layers', (r) => r.abort())
    await a.page.reload()
    await a.page.getByText('地图没有加载成功').waitFor()
    await a.page.unroute('**/api/layers')
    await a.page.getByRole('button', { name: '重试' }).click()
    await until(a.page, () => document.documentElement.dataset.ready === '1')
    await a.close()
    line.close()
  })
})
