// People in the command room, each in a browser of his own; over https, as a county has it.
import assert from 'node:assert/strict'
import { launch, ready, watch } from './kit.mjs'

/** room seats people on the server of an office. */
export function room(o) {
  const people = []
  /** seat is somebody before a screen: who is a person of the office, or the cookie of a session. */
  async function seat(who, at = '', { size = { width: 1440, height: 900 }, ...extra } = {}) {
    const context = await (await launch()).newContext({ viewport: size, deviceScaleFactor: 1, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce', bypassCSP: true, ...extra })
    const [name, value] = (who.cookie ?? who).split('=')
    await context.addCookies([{ name, value, url: o.base, httpOnly: true, secure: true }])
    const page = await context.newPage(), faults = []
    page.setDefaultTimeout(120_000)
    watch(page, faults, o.base)
    const p = { who, page, context, faults, close: () => context.close() }
    people.push(p)
    await to(p, at)
    return p
  }
  async function to(p, at = '') {
    await p.page.goto(`${o.base}/command?e2e=1${at ? `&${at}` : ''}`)
    await ready(p.page)
  }
  const toast = (p, text) => p.page.locator('.toast', { hasText: text }).first().waitFor()
  const confirm = async (p, text, yes) => {
    const d = p.page.locator('dialog[open]')
    if (text) await d.locator('textarea').fill(text)
    await d.getByRole('button', { name: yes, exact: true }).press('Enter')
    await d.waitFor({ state: 'hidden' })
  }
  /** drawn waits for the map: the processor draws it here, it is given time. */
  const drawn = (p) => p.page.waitForFunction(() => Boolean(window.__command?.stage), undefined, { timeout: 120_000, polling: 100 })
  async function close() { for (const p of people) await p.close() }
  return { people, seat, to, toast, confirm, drawn, close }
}

/** press uses the keyboard: where a map is drawn by the processor a click waits for its frames. */
export const press = (at) => at.press('Enter')

/** eventually waits until what is looked at is there. */
export async function eventually(what, look) {
  const end = Date.now() + 60_000
  for (;;) {
    const got = await look()
    if (got) return got
    assert.ok(Date.now() < end, what)
    await new Promise((r) => setTimeout(r, 100))
  }
}

/** box is a square around a place: as a ring of [lon, lat], and as CAP writes it. */
export function box([lon, lat], half = 0.002) {
  const ring = [[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]].map(([x, y]) => [lon + x * half, lat + y * half].map((v) => Math.round(v * 1e6) / 1e6))
  return { ring, cap: ring.map(([x, y]) => `${y},${x}`).join(' ') }
}

/** capTime is a moment as CAP writes it. */
export const capTime = (at) => at.toISOString().replace(/\.\d+Z$/, '-00:00')

/** cap is a warning as the weather service sends it. refs: the messages it follows. */
export function cap({ identifier, type = 'Alert', headline, polygon, severity = 'Severe', refs = '', sent = new Date(), hours = 6 }) {
  return `<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>${identifier}</identifier><sender>qxt.example</sender><sent>${capTime(sent)}</sent><status>Actual</status><msgType>${type}</msgType><scope>Public</scope>${refs ? `<references>${refs}</references>` : ''}
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency><severity>${severity}</severity><certainty>Observed</certainty><expires>${capTime(new Date(sent.getTime() + hours * 3600_000))}</expires><headline>${headline}</headline><description>过去 3 小时降雨量已达 50 毫米以上，降雨仍将持续。</description><area><areaDesc>山河县</areaDesc><polygon>${polygon}</polygon></area></info></alert>`
}
