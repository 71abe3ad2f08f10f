// An office and its grid workers on a server of its own: people are made and granted over
// HTTP by an administrator and a security administrator, as they are in life.
//
// A server that runs already is used as it is: ONEMAP_FIELD_TLS_URL, ONEMAP_FIELD_TLS_DATA.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { strFromU8, unzipSync } from 'fflate'
import { inside } from './kit.mjs'
import { startServer } from './server.mjs'

const here = new URL('.', import.meta.url).pathname
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const password = 'Shanhe-2026-x'
const tag = `${process.pid}${Date.now() % 100000}`

/** v7 is an id of the client's own (RFC 9562). */
export function v7() {
  const b = randomBytes(16)
  b.writeUIntBE(Date.now(), 0, 6)
  b[6] = (b[6] & 15) | 0x70
  b[8] = (b[8] & 63) | 0x80
  return b.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** picture is a photo made in the page. */
export const picture = (page) => page.evaluate(async () => {
  const c = document.createElement('canvas')
  c.width = 1200
  c.height = 800
  const g = c.getContext('2d')
  for (let i = 0; i < 600; i++) { g.fillStyle = `hsl(${(i * 37) % 360} 40% 50%)`; g.fillRect((i * 61) % 1200, (i * 97) % 800, 90, 90) }
  const b = await new Promise((r) => c.toBlob(r, 'image/jpeg', 0.9))
  return [...new Uint8Array(await b.arrayBuffer())]
}).then((b) => ({ name: 'a.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(b) }))

/** sheet is the text of a spreadsheet. */
export const sheet = (xlsx) => Object.entries(unzipSync(new Uint8Array(xlsx))).filter(([name]) => /sharedStrings|worksheets\/sheet/.test(name)).map(([, b]) => strFromU8(b)).join('')

/** faultsOf is what a reader, a small screen or a thumb would stumble over. */
export async function faultsOf(page) {
  await page.addScriptTag({ content: axe })
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] })
    const width = document.documentElement.clientWidth
    const seen = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && !e.closest('.off-screen, .skip') }
    const slides = (e) => { for (let x = e.parentElement; x; x = x.parentElement) if (/(auto|scroll)/.test(getComputedStyle(x).overflowX) && x.scrollWidth > x.clientWidth) return true; return false }
    return [
      ...violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(' | ')}`),
      ...[...document.querySelectorAll('main *, header *')].filter((e) => seen(e) && !e.closest('[data-mini-map]') && e.getBoundingClientRect().right > width + 1 && !slides(e)).slice(0, 2).map((e) => `too wide: ${e.tagName}.${e.className}`),
      ...(width < 500 ? [...document.querySelectorAll('main .btn, main select, main input.input, footer .btn')].filter((e) => seen(e) && e.getBoundingClientRect().height < 40).slice(0, 3).map((e) => `small: ${e.className} ${e.textContent.trim().slice(0, 20)}`) : []),
    ]
  })
}

export async function office() {
  const server = process.env.ONEMAP_FIELD_TLS_URL ? { url: process.env.ONEMAP_FIELD_TLS_URL, data: process.env.ONEMAP_FIELD_TLS_DATA, second: process.env.ONEMAP_FIELD_TLS_SECOND, stop: async () => {} } : await startServer({ tls: true })
  const base = server.url
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false })

  /** ask speaks to the API as a program would; only this test knows the authority. */
  const ask = (path, { method = 'GET', body, cookie, headers = {} } = {}) => new Promise((resolve, reject) => {
    const r = https.request(base + path, { method, agent, headers: { Accept: 'application/json', Origin: base, ...(cookie ? { Cookie: cookie } : {}), ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers } }, (a) => {
      const parts = []
      a.on('data', (d) => parts.push(d))
      a.on('end', () => {
        const text = Buffer.concat(parts).toString()
        let data = null
        try { data = JSON.parse(text) } catch { /* no JSON */ }
        resolve({ status: a.statusCode, text, data, headers: a.headers, cookie: a.headers['set-cookie']?.[0].split(';')[0] })
      })
    })
    r.on('error', reject)
    r.end(body && JSON.stringify(body))
  })
  /** session signs somebody in; what he asks must succeed unless another answer is named. */
  async function session(name, login, signedIn) {
    const { cookie } = signedIn ?? await ask('/api/session', { method: 'POST', body: { username: login, password } })
    assert.ok(cookie, `${name} is not signed in`)
    const call = async (path, { want = [200, 201], ...more } = {}) => {
      const r = await ask(path, { ...more, cookie })
      assert.ok([want].flat().includes(r.status), `${more.method ?? 'GET'} ${path}: ${r.status} ${r.text}`)
      return r.data
    }
    return { name, login, cookie, call }
  }
  const cli = (id, role, name) => execFileSync(process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap'), ['user', 'add', id, '--role', role, '--area', 'all', '--name', name, '--password-stdin', '--data', server.data], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] })
  cli(`adm.${tag}`, 'admin', '系统管理员')
  cli(`sec.${tag}`, 'security_admin', '安全管理员')
  const admin = await session('系统管理员', `adm.${tag}`), security = await session('安全管理员', `sec.${tag}`)

  let n = 0
  /** hire makes a person, who chooses his password, and lets the security administrator grant. */
  async function hire(name, role, area, department = '') {
    const login = `${role.slice(0, 4)}.${tag}.${++n}`
    const made = await admin.call('/api/users', { method: 'POST', body: { username: login, name, unit: role === 'grid_worker' || area.length === 9 ? area.slice(0, 9) : '990100', ...(department ? { department } : {}) } })
    await security.call('/api/grants', { method: 'POST', body: { account: made.user.id, role, area, reason: '值班安排' } })
    const first = await ask('/api/session', { method: 'POST', body: { activation: made.activation.link.split('#')[1], password } })
    assert.equal(first.status, 200, first.text)
    return { ...(await session(name, login, first)), account: made.user.id }
  }

  const county = await hire('赵值班', 'duty_officer', '990100')
  const grids = (await county.call('/ogc/collections/grids/items?limit=1')).features[0]
  const grid = grids.properties.code, centre = inside(grids.geometry).map((v) => Math.round(v * 1e6) / 1e6)
  const [town, reviewer, approver, unit, worker, other] = await Promise.all([
    hire('孙乡镇', 'duty_officer', grid.slice(0, 9)), hire('周复查', 'duty_officer', '990100'), hire('钱审批', 'approver', '990100'),
    hire('吴住建', 'unit', '990100', `县住建局${tag}`), hire('王网格员', 'grid_worker', grid), hire('李网格员', 'grid_worker', grid),
  ])

  const at = (dx = 0, dy = 0) => ({ type: 'Point', coordinates: [centre[0] + dx, centre[1] + dy].map((v) => Math.round(v * 1e7) / 1e7) })
  /** op is an operation as a phone makes it. */
  const op = (kind, fields, geometry = null, more = {}) => ({
    op_id: v7(), kind, id: v7(), fields: Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, v !== null && typeof v === 'object' ? v : { value: v }])), ...(geometry ? { geometry } : {}),
    captured_at: new Date(Date.now() - 30_000).toISOString(), src_crs: 'WGS84', accuracy_m: 12, device_position: centre, ...more,
  })
  async function deliver(who, device, status, ...ops) {
    const { results } = await who.call('/api/sync', { method: 'POST', body: { device: `${device}-${tag}`, ops } })
    for (const r of results) assert.equal(r.status, status, JSON.stringify(r))
    return results
  }
  /** receipt is what a phone is told of an operation it sent. */
  async function receipt(who, opID) {
    const { receipts } = await who.call('/api/sync/changes?limit=1')
    return receipts.find((r) => r.op_id === opID)
  }
  const key = new X509Certificate(readFileSync(join(server.data, 'tls', 'server.crt'))).publicKey.export({ type: 'spki', format: 'der' })
  return {
    server, base, tag, grid, township: grid.slice(0, 9), centre, at, op, deliver, receipt, hire, ask,
    county, admin, town, reviewer, approver, unit, worker, other,
    /** what the browser is started with, to know the server's certificate by its key */
    trust: `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
    sql(statement) {
      const socket = readFileSync(`${server.data}/pg/postmaster.pid`, 'utf8').split('\n')[4]
      return execFileSync('psql', ['-h', socket, '-U', 'postgres', '-d', 'onemap', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-c', statement], { encoding: 'utf8' }).trim()
    },
    async close() { agent.destroy(); await server.stop() },
  }
}
