// Builds the phone's service worker: a classic script (Chromium 90 knows no other), with the
// names of all files the phone may need and a version that is the hash of them.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { build } from 'vite'

const from = new URL('../.build/', import.meta.url).pathname
const names = readdirSync(`${from}assets`)

// Whatever a file names is needed, now or when a button is pressed.
const found = new Set()
const look = (text) => { for (const name of names) if (!found.has(name) && text.includes(name)) { found.add(name); if (/\.(js|css)$/.test(name)) look(readFileSync(`${from}assets/${name}`, 'utf8')) } }
look(readFileSync(`${from}field.html`, 'utf8'))

const plain = ['boot.js', 'favicon.svg', 'field.webmanifest', 'field-192.png']
const hash = createHash('sha256')
for (const name of ['field.html', ...plain, ...[...found].sort().map((n) => `assets/${n}`)]) hash.update(name).update('\0').update(readFileSync(from + name))
const version = hash.digest('hex').slice(0, 12)
const files = ['/field', ...plain.map((n) => `/${n}`), ...[...found].sort().map((n) => `/assets/${n}`)]

await build({
  configFile: false, logLevel: 'warn', root: new URL('..', import.meta.url).pathname, publicDir: false,
  define: { __FILES__: JSON.stringify(files), __VERSION__: JSON.stringify(version) },
  build: {
    outDir: from, emptyOutDir: false, target: 'chrome87', sourcemap: false, reportCompressedSize: false,
    lib: { entry: 'src/field/core/worker.ts', name: 'worker', formats: ['iife'], fileName: () => 'field-sw.js' },
  },
})
