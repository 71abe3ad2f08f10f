import type { GeoJSONSource, LayerSpecification, Map as GLMap, StyleSpecification } from 'maplibre-gl'
import { lonLat, type XY } from './topo.ts'
import { query } from '../../desk/http.ts'
import type { Catalogue } from '../../lib/types.ts'
import { applyLayers } from '../../map/apply.ts'
import { legendOf, tagOf, type LayerSetting, type View } from '../../map/compose.ts'
import { Engine, type Camera } from '../../map/engine.ts'
import { probe } from '../../map/frugal.ts'
import { middle } from '../../map/labels.ts'
import { session } from '../session.svelte.ts'
import type { Overlay, Stage } from '../stage.ts'
import type { Box, LonLat, MultiPolygon, ZoneFeature } from '../types.ts'
import { above, addTextures, below, CHOSEN, collection, CONTRAST, DRAG, FAULTS, HANDLES, ink, NAMES, none, overlayLayers, SKETCH, sources, ZONES, AREA_LINE, type Look } from './paint.ts'

export interface Basemap { id: string; title: string; attribution: string | null; approval?: string | null; min_zoom: number; max_zoom: number; opacity: number | null }

/** The layers a planner sees under the draft at first; the rest is one click away. */
const ground = new Set(['admin', 'roads', 'rivers', 'buildings'])

/** MapStage is the map of the table: the one map's engine with the draft on it. */
export class MapStage implements Stage {
  readonly map: GLMap
  view = $state.raw<View>({ settings: {}, order: [], textures: false, frugal: false })
  camera = $state.raw<Camera | null>(null)
  pointer = $state.raw<{ lon: number; lat: number } | null>(null)
  hint = $state('')
  busy = $state(false)
  lost = $state(false)
  textures = $state(false)
  opacity = $state(1)
  hidden = $state.raw<number[]>([])
  basemap = $state('')
  basemapOpacity = $state(0.9)
  readonly software: boolean
  /** width of what stands over the map on the right */
  right = 0
  /** and at the top, where the tools are, and at the bottom, where a phone has its sheet */
  top = 0
  bottom = 0
  private engine: Engine
  private look: Look
  private drawn: LayerSpecification[] = []
  private drawnAbove: LayerSpecification[] = []
  private overlays = new Map<string, { what: Overlay; layers: LayerSpecification[]; click?: (p: Record<string, unknown>) => void }>()
  private colors: Record<string, string> | null = null
  private data = new Map<string, GeoJSON.FeatureCollection>()
  private hiding: string[] = []
  private chosen = ''
  private border: MultiPolygon | null = null
  private ready = false
  private asked: ((at: LonLat | null) => void) | null = null
  private basemaps: Basemap[] = []
  private off: () => void

  constructor(container: HTMLElement, base: StyleSpecification, catalogue: Catalogue, at: { camera: Camera | null; bounds: Box | null }, onReady: () => void) {
    const graphics = probe()
    this.software = graphics.software
    const settings: Record<string, LayerSetting> = {}
    for (const l of catalogue.layers) settings[l.id] = { visible: ground.has(l.id), opacity: 1, levels: null, kinds: null }
    this.view = { settings, order: catalogue.layers.map((l) => l.id), textures: false, frugal: graphics.software }
    this.look = this.seen()
    this.engine = new Engine({
      container, base, catalogue, legend: legendOf(base), view: this.view, theme: session.theme, camera: at.camera, bounds: at.bounds, frugal: graphics.software,
      reducedMotion: matchMedia('(prefers-reduced-motion: reduce)').matches, label: session.t('map'),
      handlers: {
        click: () => {}, hover: () => {}, ready: () => {}, scene: () => {}, failed: (source) => this.missed(source),
        move: (camera) => { this.camera = camera; this.moved() }, pointer: (p) => { this.pointer = p },
        busy: (b) => { this.busy = b }, context: (lost) => { this.lost = lost; if (!lost) this.redraw() },
      },
    })
    this.map = this.engine.map
    this.map.boxZoom.disable()
    this.map.doubleClickZoom.disable()
    this.off = session.zones.on((changed) => this.zonesChanged(changed))
    // The style is all the draft waits for: one slow tile of what lies under it would keep it away.
    this.map.once('style.load', () => {
      this.ready = true
      for (const [id, s] of Object.entries(sources())) this.map.addSource(id, s)
      addTextures(this.map, session.theme)
      this.redraw()
      this.zonesChanged(null)
      onReady()
    })
  }

  /** what happens as the map moves; the tools set it */
  moved: () => void = () => {}

  // ---- looks ---------------------------------------------------------------

  private seen(): Look {
    return { theme: session.theme, steps: session.steps, textures: this.textures, hidden: this.hidden, colors: this.colors, opacity: this.opacity }
  }
  private anchor(): string | undefined {
    // Under the first label of the map: fills over labels would tint them.
    return this.map.getLayersOrder().find((id) => !/^p[lg]-/.test(id) && this.map.getLayer(id)?.type === 'symbol')
  }
  private redraw(): void {
    if (!this.ready) return
    this.look = this.seen()
    for (const l of this.drawn) if (!this.map.getLayer(l.id)) this.drawn = []
    const under = below(this.look), over = above(this.look)
    if (this.drawn.length === 0) {
      const anchor = this.anchor()
      for (const l of under) if (!this.map.getLayer(l.id)) this.map.addLayer(l, anchor)
      for (const l of over) if (!this.map.getLayer(l.id)) this.map.addLayer(l)
    } else {
      applyLayers(this.map, this.drawn, under, this.anchor())
      applyLayers(this.map, this.drawnAbove, over)
    }
    this.drawn = under
    this.drawnAbove = over
    for (const [id, fc] of this.data) this.put(id, fc)
  }
  relook(): void { if (this.ready) this.redraw() }
  setTextures(on: boolean): void { this.textures = on; this.relook() }
  setOpacity(n: number): void { this.opacity = n; this.relook() }
  toggleLevel(level: number): void {
    this.hidden = this.hidden.includes(level) ? this.hidden.filter((l) => l !== level) : [...this.hidden, level]
    this.relook()
  }
  showLayer(id: string, visible: boolean): void {
    const s = this.view.settings[id]
    if (!s) return
    this.view = { ...this.view, settings: { ...this.view.settings, [id]: { ...s, visible } } }
    this.engine.update({ view: this.view, theme: session.theme })
  }
  async dress(): Promise<void> {
    const base = (await session.call<StyleSpecification>(`/tiles/style.json${query({ theme: session.theme, lang: session.lang })}`)).data
    this.engine.update({ base, legend: legendOf(base), view: this.view, theme: session.theme })
    if (!this.ready) return
    addTextures(this.map, session.theme)
    this.redraw()
    for (const [name, o] of this.overlays) { const next = overlayLayers(`pg-${name}`, o.what.look, session.theme); applyLayers(this.map, o.layers, next); o.layers = next }
  }
  setBasemaps(list: Basemap[]): void { this.basemaps = list }
  /** who made what lies under the draft, where that is another base map */
  get credit(): string { const b = this.basemap ? this.basemaps.find((m) => m.id === this.basemap) : null; return b ? [b.attribution || b.title, b.approval].filter(Boolean).join(' ') : '' }
  /** A base map that does not answer leaves the ground bare: it is said, once each time it is chosen. */
  private missed(source: string | null): void {
    if (!this.basemap || source !== `bm-${this.basemap}` || this.silent) return
    this.silent = true
    session.tell(session.t('basemap_silent', { name: this.basemaps.find((b) => b.id === this.basemap)?.title ?? '' }), 'error')
  }
  private silent = false
  showBasemap(id: string, opacity: number): void {
    if (id !== this.basemap) this.silent = false
    this.basemap = id
    this.basemapOpacity = opacity
    for (const b of this.basemaps) {
      const key = `bm-${b.id}`
      if (b.id !== id) { if (this.map.getLayer(key)) this.map.removeLayer(key); continue }
      if (!this.map.getSource(key)) this.map.addSource(key, { type: 'raster', tiles: [`${location.origin}/wmts/${encodeURIComponent(b.id)}/{z}/{x}/{y}`], tileSize: 256, minzoom: b.min_zoom, maxzoom: b.max_zoom, attribution: b.attribution ?? '' })
      if (!this.map.getLayer(key)) this.map.addLayer({ id: key, type: 'raster', source: key }, this.map.getLayersOrder().find((l) => this.map.getLayer(l)?.metadata !== undefined && tagOf(this.map.getLayer(l) as unknown as LayerSpecification) !== null))
      this.map.setPaintProperty(key, 'raster-opacity', opacity)
    }
  }

  // ---- data ----------------------------------------------------------------

  private put(id: string, fc: GeoJSON.FeatureCollection): void { void (this.map.getSource(id) as GeoJSONSource | undefined)?.setData(fc) }
  private set(id: string, fc: GeoJSON.FeatureCollection): void {
    // Nothing instead of nothing would still wake the worker and a frame, at every move of the hand.
    if (fc.features.length === 0 && this.data.get(id)?.features.length === 0) return
    this.data.set(id, fc)
    if (this.ready && !this.lost) this.put(id, fc)
  }

  private feature(f: ZoneFeature): GeoJSON.Feature {
    const p = f.properties
    return { type: 'Feature', geometry: f.geometry, properties: { zone: p.zone, ...(p.level === null ? {} : { level: p.level }) } }
  }
  private label(f: ZoneFeature): GeoJSON.Feature | null {
    // Of several parts the largest carries the name.
    const part = f.geometry.coordinates.reduce<LonLat[][] | null>((a, b) => (!a || (b[0]?.length ?? 0) > (a[0]?.length ?? 0) ? b : a), null)
    const at = part ? middle(part) : null
    if (!at) return null
    const step = session.step(f.properties.level)
    const label = f.properties.name || f.properties.code || ''
    return { type: 'Feature', geometry: { type: 'Point', coordinates: at }, properties: { zone: f.properties.zone, label, mark: step?.mark ?? '', rank: f.properties.level ?? 9, ...(f.properties.level === null ? {} : { level: f.properties.level }) } }
  }
  private zonesChanged(changed: readonly string[] | null): void {
    if (!this.ready) return
    const all = session.zones.all
    const source = this.map.getSource(ZONES) as GeoJSONSource | undefined
    const names = this.map.getSource(NAMES) as GeoJSONSource | undefined
    const whole = changed === null || changed.length > 400 || this.lost
    // What was kept for a lost graphics context is only a reference to the shapes.
    this.data.delete(ZONES)
    this.data.delete(NAMES)
    if (whole) {
      void source?.setData(collection([...all.values()].map((f) => this.feature(f))))
      void names?.setData(collection([...all.values()].map((f) => this.label(f)).filter((f): f is GeoJSON.Feature => f !== null)))
    } else {
      const add: GeoJSON.Feature[] = [], addNames: GeoJSON.Feature[] = [], remove: string[] = []
      for (const z of changed) {
        const f = all.get(z)
        remove.push(z)
        if (!f) continue
        add.push(this.feature(f))
        const n = this.label(f)
        if (n) addNames.push(n)
      }
      source?.updateData({ remove, add })
      names?.updateData({ remove, add: addNames })
    }
    if (whole || session.zones.area !== this.border) {
      this.border = session.zones.area
      this.set(AREA_LINE, this.border ? collection([{ type: 'Feature', geometry: this.border, properties: {} }]) : none)
    }
    if (this.hiding.length > 0) this.release()
  }

  zonesAgain(): void { this.zonesChanged(null) }

  /** drag shows zones in the overlay while they are moved; the base forgets them meanwhile. */
  drag(zones: { zone: string; geometry: MultiPolygon }[] | null): void {
    if (!zones) { this.release(); return }
    const features = zones.map(({ zone, geometry }): GeoJSON.Feature => ({ type: 'Feature', geometry, properties: { zone, level: session.zones.all.get(zone)?.properties.level ?? 0 } }))
    this.put(DRAG, collection(features))
    const ids = zones.map((z) => z.zone)
    if (ids.join() !== this.hiding.join()) {
      for (const z of this.hiding) this.map.setFeatureState({ source: ZONES, id: z }, { hidden: false })
      for (const z of ids) this.map.setFeatureState({ source: ZONES, id: z }, { hidden: true })
      this.hiding = ids
    }
  }
  /** release ends the overlay once the base has drawn the new shapes, so nothing flickers. */
  private release(): void {
    const ids = this.hiding
    if (ids.length === 0) { this.put(DRAG, none); return }
    this.hiding = []
    const done = () => {
      if (this.hiding.length > 0) return
      for (const z of ids) this.map.setFeatureState({ source: ZONES, id: z }, { hidden: false })
      this.put(DRAG, none)
    }
    const timer = window.setTimeout(done, 1500)
    this.map.once('idle', () => { clearTimeout(timer); done() })
  }

  choose(zones: readonly string[]): void {
    const key = `${session.zones.turn} ${zones.join()}`
    if (key === this.chosen) return
    this.chosen = key
    this.set(CHOSEN, collection(zones.flatMap((z) => { const f = session.zones.all.get(z); return f ? [{ type: 'Feature' as const, geometry: f.geometry, properties: {} }] : [] })))
  }
  sketch(features: GeoJSON.Feature[]): void { this.set(SKETCH, collection(features)) }
  handles(features: GeoJSON.Feature[]): void { this.set(HANDLES, collection(features)) }
  faults(features: GeoJSON.Feature[]): void { this.set(FAULTS, collection(features)) }
  contrast(features: GeoJSON.Feature[]): void { this.set(CONTRAST, collection(features)) }
  get ink() { return ink[session.theme] }

  // ---- where ---------------------------------------------------------------

  /** stretch of a pixel: grid steps of longitude to a pixel, and how much latitude is stretched. */
  scale(): { step: number; ky: number } {
    const c = this.map.getCenter()
    return { step: (360 / (512 * 2 ** this.map.getZoom())) * 1e8, ky: 1 / Math.cos((c.lat * Math.PI) / 180) }
  }
  place(e: { clientX: number; clientY: number }): { at: XY; x: number; y: number } {
    const r = this.map.getCanvas().getBoundingClientRect()
    const x = e.clientX - r.left, y = e.clientY - r.top
    const p = this.map.unproject([x, y])
    return { at: [Math.round(p.lng * 1e8), Math.round(p.lat * 1e8)], x, y }
  }
  pixel(at: XY): { x: number; y: number } { return this.map.project(lonLat(at)) }
  bounds(): Box { const b = this.map.getBounds(); return [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()] }

  // ---- for the pages -------------------------------------------------------

  fly(to: { box?: Box | null; point?: LonLat | null; zoom?: number }): void {
    const zoom = to.zoom ?? 17
    if (this.bottom === 0) { this.engine.fly({ ...to, zoom }, this.right, this.top); return }
    // Above the sheet, whatever is left there.
    const padding = { top: 20 + this.top, bottom: 20 + this.bottom, left: 20, right: 20 }
    if (to.box && to.box[2] > to.box[0]) this.map.fitBounds(to.box, { padding, maxZoom: zoom, duration: 0 })
    else if (to.point) this.map.easeTo({ center: to.point, zoom: Math.max(this.map.getZoom(), zoom), offset: [0, (this.top - this.bottom) / 2], duration: 0 })
  }
  /** reveal flies only if the place is out of view. */
  reveal(box: Box): void {
    const b = this.bounds()
    if (this.bottom > 0) b[1] = this.map.unproject([0, this.map.getContainer().clientHeight - this.bottom]).lat
    if (box[0] < b[0] || box[1] < b[1] || box[2] > b[2] || box[3] > b[3]) this.fly({ box })
  }
  zoom(by: number): void { this.engine.zoom(by) }
  resize(): void { this.engine.resize() }

  overlay(name: string, what: Overlay | null, click?: (p: Record<string, unknown>) => void): void {
    const id = `pg-${name}`
    const have = this.overlays.get(name)
    if (have && (!what || what.look !== have.what.look)) {
      for (const l of have.layers) if (this.map.getLayer(l.id)) this.map.removeLayer(l.id)
      this.overlays.delete(name)
    }
    if (!what) { this.data.delete(id); if (this.map.getSource(id)) this.map.removeSource(id); return }
    const draw = () => {
      if (!this.map.getSource(id)) this.map.addSource(id, { type: 'geojson', data: none, promoteId: 'id' })
      const layers = overlayLayers(id, what.look, session.theme)
      for (const l of layers) if (!this.map.getLayer(l.id)) this.map.addLayer(l, l.type === 'fill' || l.type === 'line' ? this.anchor() : undefined)
      this.overlays.set(name, { what, layers, click })
      this.set(id, what.data)
    }
    if (this.ready) draw()
    else this.map.once('style.load', draw)
  }
  /** overlayAt answers a click on something a page drew. */
  overlayAt(x: number, y: number): boolean {
    for (const o of this.overlays.values()) {
      if (!o.click) continue
      const hit = this.map.queryRenderedFeatures([[x - 4, y - 4], [x + 4, y + 4]], { layers: o.layers.map((l) => l.id).filter((l) => this.map.getLayer(l)) })[0]
      if (hit) { o.click(hit.properties); return true }
    }
    return false
  }
  pick(hint: string): Promise<LonLat | null> {
    this.asked?.(null)
    this.hint = hint
    this.map.getCanvas().style.cursor = 'crosshair'
    return new Promise((resolve) => { this.asked = (at) => { this.asked = null; this.hint = ''; this.map.getCanvas().style.cursor = ''; resolve(at) } })
  }
  /** answer hands a click to whoever waits for one. */
  answer(at: LonLat | null): boolean {
    if (!this.asked) return false
    this.asked(at)
    return true
  }
  paint(colors: Record<string, string> | null): void { this.colors = colors; this.relook() }

  remove(): void {
    this.off()
    this.asked?.(null)
    this.engine.remove()
  }
}
