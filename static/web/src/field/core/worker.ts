/**
 * The service worker of the phone, scope /field. It owns the app's files (one cache for each
 * version, filled whole before it is used), the base map and style that were seen, and, when
 * the network fails, the tiles of a downloaded pack. Everything else goes to the network as
 * if it were not there. It never touches the outbox.
 */
import { DB } from './db.ts'
import { archive } from './packs.ts'
import type { KeptPack } from './store.ts'

declare const __FILES__: string[] // the app's files, put in by the build
declare const __VERSION__: string // a hash of them

interface Scope {
  location: Location
  clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
  addEventListener(type: 'install' | 'activate', run: (e: { waitUntil(p: Promise<unknown>): void }) => void): void
  addEventListener(type: 'message', run: (e: { data: unknown }) => void): void
  addEventListener(type: 'fetch', run: (e: { request: Request; respondWith(r: Promise<Response>): void; waitUntil(p: Promise<unknown>): void }) => void): void
}
const scope = self as unknown as Scope
const APP = 'onemap-field-app-'
const MAP = 'onemap-field-map'
const own = `${APP}${__VERSION__}`
const files = new Set(__FILES__)

async function old(path: string): Promise<Response | undefined> {
  for (const name of (await caches.keys()).filter((k) => k.startsWith(APP)).reverse()) {
    const r = await (await caches.open(name)).match(path, { ignoreSearch: true })
    if (r) return r
  }
  return undefined
}

async function install(): Promise<void> {
  const cache = await caches.open(own)
  for (const path of __FILES__) {
    // What an attempt that broke off already brought is not fetched again; nor a hashed file of the version before.
    if (await cache.match(path)) continue
    const hashed = path.startsWith('/assets/')
    const had = hashed ? await old(path) : undefined
    if (had) { await cache.put(path, had); continue }
    const r = await fetch(path, { cache: hashed ? 'default' : 'no-cache', credentials: 'same-origin' })
    if (!r.ok || r.redirected) throw new Error(`${path}: ${r.status}`)
    await cache.put(path, r)
  }
}

async function activate(): Promise<void> {
  // The version before stays: a page of it may be open and ask for its parts.
  const all = (await caches.keys()).filter((k) => k.startsWith(APP) && k !== own)
  await Promise.all(all.slice(0, -1).map((k) => caches.delete(k)))
  await scope.clients.claim()
}

let db: DB | null = null
async function packed(z: number, x: number, y: number): Promise<Response | null> {
  db ??= new DB()
  const packs = await db.read(['packs'], (tx) => tx.all<KeptPack>('packs'))
  for (const p of packs) {
    if (!p.whole) continue
    try {
      const t = await archive(db, p.area, p.etag).tile(z, x, y)
      if (t) return t.length ? new Response(t.slice().buffer as ArrayBuffer, { headers: { 'Content-Type': 'application/vnd.mapbox-vector-tile' } }) : new Response(null, { status: 204 })
    } catch { /* a damaged pack is as good as none */ }
  }
  return null
}

async function tile(request: Request, z: number, x: number, y: number): Promise<Response> {
  try {
    const r = await within(fetch(request), 8000)
    if (r.status < 500) return r
  } catch { /* the pack, then */ }
  return (await packed(z, x, y)) ?? Response.error()
}

function within<T>(p: Promise<T>, ms: number): Promise<T> {
  return Promise.race([p, new Promise<never>((_, reject) => setTimeout(() => reject(new Error('slow')), ms))])
}

/** seen answers what the map is drawn with: the newest if it comes, else what was seen last. */
async function seen(request: Request, first: boolean): Promise<Response> {
  const cache = await caches.open(MAP)
  const had = await cache.match(request)
  if (had && first) return had
  try {
    const r = await within(fetch(request), had ? 4000 : 60_000)
    if (r.ok) await cache.put(request, r.clone()).catch(() => {})
    return r.ok || !had ? r : had
  } catch { return had ?? Response.error() }
}

async function app(request: Request, path: string): Promise<Response> {
  const r = await (await caches.open(own)).match(path) ?? await old(path)
  return r ?? fetch(request)
}

scope.addEventListener('install', (e) => e.waitUntil(install()))
scope.addEventListener('activate', (e) => e.waitUntil(activate()))
scope.addEventListener('message', (e) => { if (e.data === 'start') void scope.skipWaiting() })
scope.addEventListener('fetch', (e) => {
  const { request } = e
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== scope.location.origin || request.headers.has('Range')) return
  if (files.has(url.pathname) && (request.mode !== 'navigate' || url.pathname === '/field')) { e.respondWith(app(request, url.pathname)); return }
  if (/^\/assets\//.test(url.pathname)) { e.respondWith(app(request, url.pathname)); return }
  const t = /^\/tiles\/[^/]+\/(\d+)\/(\d+)\/(\d+)\.mvt$/.exec(url.pathname)
  if (t) { e.respondWith(tile(request, Number(t[1]), Number(t[2]), Number(t[3]))); return }
  if (url.pathname === '/tiles/style.json') { e.respondWith(seen(request, false)); return }
  if (/^\/basemap\/\d+\/\d+\/\d+\.mvt$/.test(url.pathname)) e.respondWith(seen(request, true))
})
