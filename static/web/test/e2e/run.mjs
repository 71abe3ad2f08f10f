// Starts the real server on a fresh demo county and runs the browser tests on it. Already
// running servers are used as they are:
//
//   ONEMAP_E2E_URL=http://127.0.0.1:8080 ONEMAP_E2E_DATA=/var/lib/onemap npm run test:e2e
//
// ONEMAP_E2E_DATA names the data directory of that server, for the test that changes a
// row in the database. ONEMAP_E2E_ONLY picks tests by name.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { startServer } from './server.mjs'

const here = new URL('.', import.meta.url).pathname
const started = performance.now()
const server = process.env.ONEMAP_E2E_URL
  ? { url: process.env.ONEMAP_E2E_URL, data: process.env.ONEMAP_E2E_DATA ?? '', stop: async () => {} }
  : await startServer()
process.env.ONEMAP_E2E_URL = server.url
process.env.ONEMAP_E2E_DATA = server.data
console.log(`server at ${server.url} after ${((performance.now() - started) / 1000).toFixed(1)} s`)

let failed = false
try {
  // The phone and the duty desk mostly wait, two files go at a time; maps draw, which takes
  // the machine. The old browser comes last: it signs somebody in on the shared server,
  // which ends the demonstration the others look at.
  const files = readdirSync(here).filter((f) => f.endsWith('.test.mjs')).sort()
  const waits = files.filter((f) => /^(duty|field)/.test(f)), last = files.filter((f) => f.startsWith('chromium90'))
  const rest = files.filter((f) => !waits.includes(f) && !last.includes(f))
  for (const [some, concurrency] of [[waits, 2], [[...rest, ...last], 1]]) {
    await new Promise((resolve, reject) => {
      const stream = run({ files: some.map((f) => join(here, f)), concurrency, timeout: 900_000, testNamePatterns: process.env.ONEMAP_E2E_ONLY ?? undefined })
      stream.on('test:fail', () => { failed = true })
      stream.on('end', resolve)
      stream.on('error', reject)
      stream.compose(spec).pipe(process.stdout)
    })
  }
} finally {
  await server.stop()
}
process.exitCode = failed ? 1 : 0
