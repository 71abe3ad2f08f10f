/**
 * MapLibre 5.22, the build whose worker is a file of ours. Two reasons against 6: as
 * shipped it stops in Chromium 90 with a SyntaxError, and lowered it needs polyfills in
 * page and worker; and 5.22 already draws every glyph locally when a style has none.
 */
import 'maplibre-gl/dist/maplibre-gl.css'
import maplibregl from 'maplibre-gl/dist/maplibre-gl-csp.js'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-csp-worker.js?url'
import guardUrl from './tileguard.js?url&no-inline'

maplibregl.setWorkerUrl(new URL(workerUrl, location.href).href)
/** guardTiles lets a request for a tile that is never answered fail; called before the first map of a page that stays open for days. */
export function guardTiles(): void { void maplibregl.importScriptInWorkers(new URL(guardUrl, location.href).href) }

export default maplibregl
