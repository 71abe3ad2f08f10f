// A server of its own on a fresh demo county: for the run, and for tests that change who may do what.
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const here = new URL('.', import.meta.url).pathname

const freePort = () => new Promise((resolve) => {
  const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => resolve(port)) })
})

// Its own authority is known to nobody yet: asked without looking at the certificate.
const up = (url) => new Promise((resolve) => {
  const asked = (url.startsWith('https') ? https : http).get(url, { rejectUnauthorized: false }, (r) => { r.resume(); resolve(r.statusCode === 200) })
  asked.on('error', () => resolve(false))
})

/** tls: over https, with a certificate authority of its own, as a phone in the network needs it; wide: also for other devices. */
export async function startServer({ tls = false, wide = false } = {}) {
  const bin = process.env.ONEMAP_BIN ?? join(here, '../../../../bin/onemap')
  if (!existsSync(bin)) throw new Error(`${bin} is missing: run make build first`)
  const data = mkdtempSync(join(tmpdir(), 'onemap-e2e-'))
  chmodSync(data, 0o711)
  // Beside the data here, on another machine in life.
  const second = `${data}-second`
  mkdirSync(second)
  const port = await freePort()
  const child = spawn(bin, ['serve', '--data', data, '--listen', `${wide ? '0.0.0.0' : '127.0.0.1'}:${port}`, '--with-demo', '--fallback-dir', second, ...(tls ? ['--tls', 'local'] : [])], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { log = (log + d).slice(-4000) })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const until = Date.now() + 300_000
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended:\n${log}`)
    if (Date.now() > until) { child.kill('SIGTERM'); throw new Error(`the server was not ready in time:\n${log}`) }
    const ok = await up(`${url}/readyz`)
    if (ok) break
    await new Promise((r) => setTimeout(r, 250))
  }
  return {
    url, data, second,
    /** the link that ends set-up, as the console shows it */
    get setup() { return /https?:\/\/\S+\/setup#\S+/.exec(log)?.[0] ?? '' },
    async stop() {
      child.kill('SIGTERM')
      await ended
      for (const dir of [data, second]) rmSync(dir, { recursive: true, force: true })
    },
  }
}
