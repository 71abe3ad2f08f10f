// Starts the real server on a fresh demo county and runs the browser tests on it, one
// after the other. Already running servers are used as they are:
//
//   ONEMAP_E2E_URL=http://127.0.0.1:8080 ONEMAP_E2E_DATA=/var/lib/onemap npm run test:e2e
//
// ONEMAP_E2E_DATA names the data directory of that server, for the test that changes a
// row in the database. ONEMAP_E2E_ONLY picks tests by name.
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const here = new URL('.', import.meta.url).pathname

const freePort = () => new Promise((resolve) => {
  const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => resolve(port)) })
})

async function startServer() {
  const bin = process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap')
  if (!existsSync(bin)) throw new Error(`${bin} is missing: run make build first`)
  const data = mkdtempSync(join(tmpdir(), 'onemap-e2e-'))
  chmodSync(data, 0o711)
  const port = await freePort()
  const child = spawn(bin, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--with-demo'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { log = (log + d).slice(-4000) })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  const until = Date.now() + 300_000
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended:\n${log}`)
    if (Date.now() > until) { child.kill('SIGTERM'); throw new Error(`the server was not ready in time:\n${log}`) }
    const ok = await fetch(`${url}/readyz`).then((r) => r.ok, () => false)
    if (ok) break
    await new Promise((r) => setTimeout(r, 250))
  }
  return {
    url, data,
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    },
  }
}

const started = performance.now()
const server = process.env.ONEMAP_E2E_URL
  ? { url: process.env.ONEMAP_E2E_URL, data: process.env.ONEMAP_E2E_DATA ?? '', stop: async () => {} }
  : await startServer()
process.env.ONEMAP_E2E_URL = server.url
process.env.ONEMAP_E2E_DATA = server.data
console.log(`server at ${server.url} after ${((performance.now() - started) / 1000).toFixed(1)} s`)

let failed = false
try {
  await new Promise((resolve, reject) => {
    const files = readdirSync(here).filter((f) => f.endsWith('.test.mjs')).sort().map((f) => join(here, f))
    const stream = run({ files, concurrency: 1, timeout: 600_000, testNamePatterns: process.env.ONEMAP_E2E_ONLY ?? undefined })
    stream.on('test:fail', () => { failed = true })
    stream.on('end', resolve)
    stream.on('error', reject)
    stream.compose(spec).pipe(process.stdout)
  })
} finally {
  await server.stop()
}
process.exitCode = failed ? 1 : 0
