import type { GeoJSONSource, LayerSpecification, Map as GLMap, MapGeoJSONFeature, StyleSpecification } from 'maplibre-gl'
import type { Box, Catalogue, Layer, LegendEntry, Theme } from '../lib/types.ts'
import { applyLayers } from './apply.ts'
import { CLUSTER_BELOW, clusterDots, clusterRadius, spread, type Cluster, type Dot } from './clusters.ts'
import { absolute, CLUSTERS, compose, countable, isContext, LABELS, POINTS, SELECTION, userFilter, type View } from './compose.ts'
import { boundsOf } from '../lib/geometry.ts'
import { middle, PlaceBook, type Piece } from './labels.ts'
import maplibregl from './maplibre.ts'
import { CLUSTER_DISC, EMPTY, FIRST_OVERLAY, overlayLayers, overlaySources } from './overlays.ts'
import { dirtyTiles, type TileBox } from './tiles.ts'

export interface Camera { lon: number; lat: number; zoom: number }

/** A feature in view, as the list twin shows it. */
export interface Seen { layer: string; fid: number; title: string; level: number; lon: number; lat: number; properties: Record<string, unknown> }

/** Where a feature's state is kept: in its tiles, or among the points from afar. */
interface Target { source: string; sourceLayer?: string; id: number }

export interface Scene { counts: Record<string, number>; seen: Seen[]; total: number }

/** A click, with the symbol it hit on screen: a symbol is larger than the point it stands for. */
export interface Click { lon: number; lat: number; radius: number; x: number; y: number; meant: { layer: string; fid: number } | null }

export interface Handlers {
  click(at: Click): void
  hover(at: { x: number; y: number; layer: string; title: string; level: number; properties: Record<string, unknown>; count?: number } | null): void
  move(camera: Camera, bounds: Box): void
  pointer(at: { lon: number; lat: number } | null): void
  scene(scene: Scene): void
  busy(loading: boolean): void
  ready(): void
  failed(layer: string | null, message: string): void
  context(lost: boolean): void
  /** taken says that the page waits for a place or a shape: the next click is its own */
  taken?(): boolean
}

export interface Options {
  container: HTMLElement
  base: StyleSpecification
  catalogue: Catalogue
  legend: Record<string, LegendEntry>
  view: View
  theme: Theme
  camera: Camera | null
  bounds: Box | null
  frugal: boolean
  reducedMotion: boolean
  label: string
  handlers: Handlers
}

const LISTED = 400

interface Tiles { getIds(): string[]; getTileByID(id: string): { state: string; tileID: { canonical: { x: number; y: number; z: number } } } | undefined }

/** failedTiles are the tiles in view of a source that could not be had: MapLibre keeps them as failed and never asks again by itself. */
export function failedTiles(map: GLMap, source: string): { x: number; y: number; z: number }[] {
  const tiles = (map.style as unknown as { tileManagers?: Record<string, Tiles> } | undefined)?.tileManagers?.[source]
  return (tiles?.getIds() ?? []).flatMap((id) => { const t = tiles!.getTileByID(id); return t?.state === 'errored' ? [t.tileID.canonical] : [] })
}

/**
 * The Engine owns the one map of the page. State lives outside; everything here is
 * derived from it and can be derived again, so a lost graphics context or a new theme
 * loses nothing.
 */
export class Engine {
  readonly map: GLMap
  private base: StyleSpecification
  private composed: LayerSpecification[]
  private catalogue: Catalogue
  private legend: Record<string, LegendEntry>
  private view: View
  private theme: Theme
  /** the theme the overlays are drawn in */
  private painted: Theme
  private countables: Map<string, string>
  private handlers: Handlers
  private book = new PlaceBook()
  private pointKey = ''
  /** how many points of a layer stand in clusters that are in view */
  private gathered: Cluster[] = []
  private hovered: Target | null = null
  private selected: GeoJSON.Geometry | null = null
  private clusterKey = ''
  private sceneTimer = 0
  private hoverFrame = 0
  private isReady = false
  /** something was drawn since the scene was last read */
  private stale = true
  private redrawn = false
  private labelKey = ''
  private gone = false
  private readonly frugal: boolean
  private readonly still: boolean

  constructor(options: Options) {
    this.catalogue = options.catalogue
    this.legend = options.legend
    this.view = options.view
    this.theme = options.theme
    this.painted = options.theme
    this.handlers = options.handlers
    this.frugal = options.frugal
    this.still = options.reducedMotion || options.frugal
    this.base = absolute(options.base, location.origin)
    this.composed = compose(this.base, this.catalogue, this.view)
    this.countables = countable(this.composed)
    this.map = new maplibregl.Map({
      container: options.container,
      style: this.whole(),
      ...(options.camera
        ? { center: [options.camera.lon, options.camera.lat], zoom: options.camera.zoom }
        : options.bounds ? { bounds: options.bounds, fitBoundsOptions: { padding: 32 } } : { center: [104, 35], zoom: 4 }),
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      maxZoom: 19,
      minZoom: 2,
      // A dirty tile out of view is dropped, not kept: what comes back is always fresh.
      maxTileCacheSize: 0,
      fadeDuration: this.still ? 0 : 150,
      pixelRatio: this.frugal ? 1 : Math.min(2, window.devicePixelRatio || 1),
      canvasContextAttributes: { antialias: !this.frugal, powerPreference: 'default' },
      localIdeographFontFamily: "'PingFang SC','Noto Sans CJK SC','Microsoft YaHei',sans-serif",
      locale: { 'Map.Title': options.label },
      crossSourceCollisions: true,
      refreshExpiredTiles: false,
    })
    this.map.touchZoomRotate.disableRotation()
    this.map.keyboard.disableRotation()
    this.listen()
  }

  private whole(): StyleSpecification {
    return { ...this.base, sources: { ...this.base.sources, ...overlaySources() }, layers: [...this.composed, ...overlayLayers(this.theme)] }
  }

  private listen(): void {
    const { map, handlers } = this
    map.on('click', (e) => {
      // A click that answers a question of the page (a place, a corner) is not one on the map.
      const cluster = handlers.taken?.() ? undefined : this.rendered([CLUSTER_DISC], e.point, 2)[0]
      if (cluster) {
        const at = cluster.geometry as GeoJSON.Point
        map.easeTo({ center: at.coordinates as [number, number], zoom: Math.min(map.getZoom() + 2, CLUSTER_BELOW + 0.8), duration: this.still ? 0 : 400 })
        return
      }
      // As far as a symbol reaches from its point, so that none can be hit and missed.
      const zoom = map.getZoom()
      const reach = (zoom < 11 ? 9 : zoom < 13 ? 13 : 18) + (matchMedia('(pointer: coarse)').matches ? 8 : 0)
      const edge = map.unproject([e.point.x + reach, e.point.y])
      const meant = this.under(e.point, 3)
      handlers.click({
        lon: e.lngLat.lng, lat: e.lngLat.lat, radius: e.lngLat.distanceTo(edge), x: e.point.x, y: e.point.y,
        meant: meant && this.legend[meant.layer]?.geometry === 'point' ? meant : null,
      })
    })
    map.on('mousemove', (e) => {
      handlers.pointer({ lon: e.lngLat.lng, lat: e.lngLat.lat })
      if (this.hoverFrame || map.isMoving()) return
      this.hoverFrame = requestAnimationFrame(() => { this.hoverFrame = 0; this.hover(e.point) })
    })
    map.on('mouseout', () => { handlers.pointer(null); this.hover(null) })
    map.on('movestart', () => this.hover(null))
    map.on('move', () => this.reportCamera())
    map.on('moveend', () => { this.reportCamera(); this.later() })
    // Our own overlays are drawn from the data: heeding their events would be a circle.
    map.on('sourcedata', (e) => { if (!e.sourceId.startsWith('om-') && (e.tile || e.isSourceLoaded)) this.later() })
    map.on('sourcedataloading', (e) => { if (!e.sourceId.startsWith('om-')) handlers.busy(true) })
    map.on('idle', () => { handlers.busy(false); if (this.stale) this.later(0) })
    map.on('error', (e) => {
      const source = (e as unknown as { sourceId?: string }).sourceId ?? null
      handlers.failed(source, e.error?.message ?? '')
    })
    map.on('webglcontextlost', () => { this.gone = true; handlers.context(true) })
    // MapLibre puts back the style it had; what changed meanwhile and what is ours follows.
    map.on('webglcontextrestored', () => {
      const back = () => {
        this.gone = false
        handlers.context(false)
        this.apply()
        this.redrawOverlays()
      }
      if (map.style?._loaded) back()
      else map.once('style.load', back)
    })
    map.on('load', () => { this.redrawOverlays(); this.reportCamera(); this.later(0) })
  }

  private redrawOverlays(): void {
    this.clusterKey = ''
    this.labelKey = ''
    this.pointKey = ''
    this.select(this.selected)
    this.later(0)
  }

  private reportCamera(): void {
    const c = this.map.getCenter()
    const b = this.map.getBounds()
    this.handlers.move({ lon: c.lng, lat: c.lat, zoom: this.map.getZoom() }, [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()])
  }

  /** update brings the map to new state: the one way anything of the data layers changes. */
  update(next: { base?: StyleSpecification; catalogue?: Catalogue; legend?: Record<string, LegendEntry>; view: View; theme?: Theme }): void {
    const before = this.base.sources
    if (next.base) this.base = absolute(next.base, location.origin)
    // The same layer asked for otherwise, as it was at a moment: its tiles are others.
    if (next.base && !this.gone) for (const [id, to] of Object.entries(this.base.sources)) {
      const from = before[id]
      if (to.type === 'vector' && from?.type === 'vector' && to.tiles && to.tiles.join() !== from.tiles?.join()) (this.map.getSource(id) as { setTiles?(tiles: string[]): void } | undefined)?.setTiles?.(to.tiles)
    }
    if (next.catalogue) this.catalogue = next.catalogue
    if (next.legend) this.legend = next.legend
    if (next.theme) this.theme = next.theme
    this.view = next.view
    // Without a graphics context there is no style to change; the way back applies it.
    if (!this.gone) this.apply()
  }

  private apply(): void {
    for (const [id, source] of Object.entries(this.base.sources)) if (!this.map.getSource(id)) this.map.addSource(id, source)
    const composed = compose(this.base, this.catalogue, this.view)
    applyLayers(this.map, this.composed, composed, FIRST_OVERLAY)
    this.composed = composed
    this.countables = countable(composed)
    if (this.painted !== this.theme) {
      applyLayers(this.map, overlayLayers(this.painted), overlayLayers(this.theme))
      this.painted = this.theme
    }
    this.clusterKey = ''
    this.later(0)
  }

  select(geometry: GeoJSON.Geometry | null): void {
    this.selected = geometry
    const data: GeoJSON.FeatureCollection = geometry ? { type: 'FeatureCollection', features: [{ type: 'Feature', geometry, properties: {} }] } : EMPTY
    if (this.gone) return
    void (this.map.getSource(SELECTION) as GeoJSONSource | undefined)?.setData(data)
  }

  /** fly shows a place; the right panel's width is kept free. */
  fly(to: { box?: Box | null; point?: [number, number] | null; zoom?: number }, right = 0, top = 0): void {
    const duration = this.still ? 0 : 600
    const padding = { top: 48 + top, bottom: 48, left: 48, right: 48 + right }
    const narrow = this.map.getContainer().clientWidth < right + 200
    if (narrow) padding.right = 48
    if (to.box && (to.box[2] - to.box[0] > 1e-9 || to.box[3] - to.box[1] > 1e-9)) {
      this.map.fitBounds(to.box, { padding, maxZoom: to.zoom ?? 16, duration })
      return
    }
    const at = to.point ?? (to.box ? [to.box[0], to.box[1]] as [number, number] : null)
    if (at) this.map.easeTo({ center: at, zoom: Math.max(this.map.getZoom(), to.zoom ?? 15), duration, offset: [narrow ? 0 : -right / 2, 0] })
  }

  zoom(by: number): void { this.map.easeTo({ zoom: this.map.getZoom() + by, duration: this.still ? 0 : 200 }) }

  /** refresh asks again for exactly the tiles of a layer that a change touched and the view shows. */
  refresh(layer: string, boxes: readonly TileBox[] | null): number {
    // Without a graphics context there is no style to ask; on the way back everything is read anew.
    if (this.gone) return 0
    const source = this.map.getSource(layer) as { minzoom?: number; maxzoom?: number } | undefined
    if (!source) return 0
    this.book.forget(layer)
    this.clusterKey = ''
    if (boxes === null) {
      this.map.refreshTiles(layer)
      // A tile that failed is not asked for again with all of them, only by its name.
      this.retry(layer)
      return -1
    }
    const b = this.map.getBounds()
    const zoom = Math.floor(this.map.getZoom())
    const lo = source.minzoom ?? 0, hi = source.maxzoom ?? 22
    if (zoom < lo) return 0
    // Parents still on screen while children load are asked too.
    const tiles = new Map<string, { z: number; x: number; y: number }>()
    for (let z = Math.max(lo, Math.min(zoom, hi) - 2); z <= Math.min(zoom + 1, hi); z++) {
      for (const t of dirtyTiles(boxes, z, [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()])) tiles.set(`${t.z}/${t.x}/${t.y}`, t)
    }
    if (tiles.size > 0) this.map.refreshTiles(layer, [...tiles.values()])
    return tiles.size
  }

  /** retry asks again for the tiles of a source that could not be had. */
  retry(source: string): void {
    if (this.gone || !this.map.getSource(source)) return
    const failed = failedTiles(this.map, source)
    if (failed.length > 0) this.map.refreshTiles(source, failed)
  }

  /**
   * drop throws away every tile and every feature on screen and draws what may be seen
   * now. Refreshing would leave the old ones up until the new ones come.
   */
  drop(next: { base: StyleSpecification; catalogue: Catalogue; legend: Record<string, LegendEntry>; view: View }): void {
    this.base = absolute(next.base, location.origin)
    this.catalogue = next.catalogue
    this.legend = next.legend
    this.view = next.view
    this.selected = null
    this.book = new PlaceBook()
    this.composed = compose(this.base, this.catalogue, this.view)
    this.countables = countable(this.composed)
    if (this.gone) return
    this.map.setStyle(this.whole(), { diff: false })
    this.painted = this.theme
    this.map.once('style.load', () => this.redrawOverlays())
  }

  refreshAll(): void {
    for (const layer of this.catalogue.layers) this.refresh(layer.id, null)
  }

  resize(): void { this.map.resize() }

  remove(): void {
    clearTimeout(this.sceneTimer)
    this.map.remove()
  }

  /** rest waits until everything asked for is drawn and read, or for a while all the same. */
  private async rest(limit = 8000): Promise<void> {
    const end = performance.now() + limit
    while ((!this.map.loaded() || this.stale || this.sceneTimer) && performance.now() < end) {
      await new Promise<void>((resolve) => {
        const timer = window.setTimeout(resolve, 500)
        this.map.once('idle', () => { clearTimeout(timer); resolve() })
        this.map.triggerRepaint()
      })
    }
  }

  /** snapshot copies the picture in the frame it is drawn: the buffer is empty afterwards. */
  async snapshot(): Promise<HTMLCanvasElement> {
    if (!this.gone) await this.rest()
    return new Promise((resolve, reject) => {
      if (this.gone) { reject(new Error('context')); return }
      this.map.once('render', () => {
        const from = this.map.getCanvas()
        const copy = document.createElement('canvas')
        copy.width = from.width
        copy.height = from.height
        const to = copy.getContext('2d')
        if (!to) { reject(new Error('canvas')); return }
        to.drawImage(from, 0, 0)
        resolve(copy)
      })
      this.map.triggerRepaint()
    })
  }

  private rendered(layers: string[], at?: { x: number; y: number }, reach = 0): MapGeoJSONFeature[] {
    const known = layers.filter((id) => this.map.getLayer(id))
    if (known.length === 0) return []
    if (!at) return this.map.queryRenderedFeatures({ layers: known })
    return this.map.queryRenderedFeatures([[at.x - reach, at.y - reach], [at.x + reach, at.y + reach]], { layers: known })
  }

  /** top is the uppermost listed feature at a place. */
  private top(point: { x: number; y: number }, reach: number): MapGeoJSONFeature | undefined {
    const ids = [...this.countables].filter(([, layer]) => !isContext(layer)).map(([id]) => id)
    return this.rendered(ids, point, reach)[0]
  }

  private under(point: { x: number; y: number }, reach: number): { layer: string; fid: number } | null {
    const f = this.top(point, reach)
    const layer = f ? this.countables.get(f.layer.id) : undefined
    return f && layer && f.id !== undefined ? { layer, fid: fidOf(f) } : null
  }

  private hover(point: { x: number; y: number } | null): void {
    let next: MapGeoJSONFeature | undefined
    if (point && !this.gone) {
      const cluster = this.rendered([CLUSTER_DISC], point, 1)[0]
      if (cluster) {
        this.setHover(null)
        this.map.getCanvas().style.cursor = 'zoom-in'
        const layer = String(cluster.properties.layer)
        this.handlers.hover({ x: point.x, y: point.y, layer, title: '', level: Number(cluster.properties.level), properties: {}, count: Number(cluster.properties.count) })
        return
      }
      next = this.top(point, 3)
    }
    const layer = next ? this.countables.get(next.layer.id) ?? null : null
    this.map.getCanvas().style.cursor = next ? 'pointer' : ''
    this.setHover(next && layer && next.id !== undefined ? { source: next.source, sourceLayer: next.sourceLayer || undefined, id: Number(next.id) } : null)
    if (!next || !layer || !point) { this.handlers.hover(null); return }
    const spec = this.catalogue.layers.find((l) => l.id === layer)
    this.handlers.hover({
      x: point.x, y: point.y, layer, title: String(next.properties[spec?.label_field ?? ''] ?? ''),
      level: Number(next.properties[spec?.level_field ?? ''] ?? 0), properties: next.properties,
    })
  }

  private setHover(next: Target | null): void {
    const before = this.hovered
    if (before?.source === next?.source && before?.id === next?.id) return
    if (before && this.map.getSource(before.source)) this.map.setFeatureState(before, { hover: false })
    if (next && this.map.getSource(next.source)) this.map.setFeatureState(next, { hover: true })
    this.hovered = next
  }

  /** later gathers what follows from the picture (clusters, labels, counts) after changes settle. */
  private later(delay = 120): void {
    this.stale = true
    if (this.sceneTimer && delay > 0) return
    clearTimeout(this.sceneTimer)
    this.sceneTimer = window.setTimeout(() => {
      this.sceneTimer = 0
      if (this.gone || !this.map.isStyleLoaded() && !this.isReady) return
      this.recluster()
      this.relabel()
      if (this.map.isMoving()) { this.later(); return }
      // What was just handed to the overlays is not on screen yet: read again when it is.
      this.stale = this.redrawn || !this.map.areTilesLoaded()
      this.redrawn = false
      this.report()
    }, delay)
  }

  private source(layer: Layer, filter?: unknown) {
    return this.map.querySourceFeatures(layer.id, { sourceLayer: layer.id, filter: filter as never, validate: false })
  }

  private recluster(): void {
    const zoom = this.map.getZoom()
    const clusters: Cluster[] = []
    const points: GeoJSON.Feature[] = []
    const keys: string[] = []
    if (zoom < CLUSTER_BELOW) for (const [rank, id] of this.view.order.entries()) {
      const layer = this.catalogue.layers.find((l) => l.id === id)
      const setting = this.view.settings[id]
      if (!layer || !setting?.visible || this.legend[id]?.geometry !== 'point' || zoom < layer.min_zoom || !this.map.getSource(id)) continue
      const dots: (Dot & { properties: Record<string, unknown> })[] = []
      for (const f of this.source(layer, userFilter(layer, setting) ?? undefined)) {
        if (f.id === undefined) continue
        const line = f.geometry.type === 'LineString' || f.geometry.type === 'MultiLineString'
        const at = f.geometry.type === 'Point' ? f.geometry.coordinates as [number, number] : line ? anchor(f.geometry) : centre(f.geometry)
        if (!Number.isFinite(at[0]) || line && layer.symbol !== 'block') continue
        dots.push({ fid: Number(f.id), lon: at[0], lat: at[1], level: Number(f.properties[layer.level_field ?? ''] ?? 0), properties: f.properties })
      }
      const found = clusterDots(id, dots, zoom)
      clusters.push(...found.clusters)
      for (const d of found.singles) {
        keys.push(`${id}${d.fid},${d.level},${String(d.properties.state ?? '')},${d.lon.toFixed(4)}`)
        // One source for all layers, so the number must say which: fids count per layer.
        points.push({ type: 'Feature', id: (rank + 1) * 1e12 + d.fid, geometry: { type: 'Point', coordinates: [d.lon, d.lat] }, properties: { ...d.properties, 'om:layer': id, 'om:fid': d.fid } })
      }
    }
    this.gathered = clusters
    const pointKey = keys.join(';')
    if (pointKey !== this.pointKey) {
      this.pointKey = pointKey
      this.redrawn = true
      void (this.map.getSource(POINTS) as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features: points })
    }
    const key = `${Math.round(zoom * 4)}|${this.theme}|${clusters.map((c) => `${c.layer}:${c.lon.toFixed(5)}:${c.count}:${c.level}`).join()}`
    if (key === this.clusterKey) return
    this.clusterKey = key
    const features: GeoJSON.Feature[] = spread(clusters, zoom).map((c) => {
      const layer = this.catalogue.layers.find((l) => l.id === c.layer)
      const legend = this.legend[c.layer]
      const step = this.catalogue.ladders[layer?.ladder ?? '']?.steps.find((s) => s.level === c.level)
      const tint = legend?.color ?? '#6B7280'
      const color = step ? (this.theme === 'dark' ? step.color_dark || step.color : step.color) : tint
      const radius = clusterRadius(c.count)
      const k = (radius - 1) * 0.72 / 0.5
      return {
        type: 'Feature', geometry: { type: 'Point', coordinates: [c.lon, c.lat] },
        properties: {
          layer: c.layer, count: c.count, label: c.count > 999 ? `${Math.floor(c.count / 100) / 10}k` : String(c.count),
          level: c.level, color, tint: color, shape: legend?.shape ?? 'circle', radius, offset: [k, -k],
        },
      }
    })
    void (this.map.getSource(CLUSTERS) as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features })
  }

  private relabel(): void {
    const zoom = this.map.getZoom()
    const wanted: string[] = []
    for (const layer of this.catalogue.layers) {
      if (!layer.label_field || !this.view.settings[layer.id]?.visible) continue
      const labels = this.composed.filter((l) => (l as { source?: string }).source === LABELS && l.id.startsWith(`${layer.id}/`) && l.layout?.visibility !== 'none')
      if (labels.length === 0 || labels.every((l) => zoom < (l.minzoom ?? 0) || zoom >= (l.maxzoom ?? 25))) continue
      wanted.push(layer.id)
      const pieces: Piece[] = []
      for (const f of this.source(layer)) {
        if (f.id === undefined || f.properties[layer.label_field] === undefined) continue
        const g = f.geometry
        if (g.type === 'Polygon') pieces.push({ fid: Number(f.id), rings: g.coordinates as [number, number][][], properties: f.properties })
        else if (g.type === 'MultiPolygon') for (const part of g.coordinates) pieces.push({ fid: Number(f.id), rings: part as [number, number][][], properties: f.properties })
      }
      this.book.learn(layer.id, pieces)
    }
    const features = this.book.features(wanted)
    const key = JSON.stringify(features)
    if (key === this.labelKey) return
    this.labelKey = key
    this.redrawn = true
    void (this.map.getSource(LABELS) as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features })
  }

  private report(): void {
    const ids = [...this.countables.keys()].filter((id) => !(this.frugal && this.countables.get(id) === 'buildings' && this.map.getZoom() < 15))
    const counts: Record<string, number> = {}
    const known = new Map<string, Set<number>>()
    for (const layer of new Set(this.countables.values())) counts[layer] = 0
    const seen: Seen[] = []
    let total = 0
    const specs = new Map(this.catalogue.layers.map((l) => [l.id, l]))
    for (const f of this.rendered(ids)) {
      const layer = this.countables.get(f.layer.id)
      if (!layer) continue
      const fid = f.id === undefined ? -1 : fidOf(f)
      let had = known.get(layer)
      if (!had) known.set(layer, had = new Set())
      if (fid >= 0 && had.has(fid)) continue
      had.add(fid)
      counts[layer] = (counts[layer] ?? 0) + 1
      if (isContext(layer) || fid < 0) continue
      total++
      const spec = specs.get(layer)
      const [lon, lat] = anchor(f.geometry)
      seen.push({
        layer, fid, title: String(f.properties[spec?.label_field ?? ''] ?? ''),
        level: Number(f.properties[spec?.level_field ?? ''] ?? 0), lon, lat, properties: f.properties,
      })
    }
    const bounds = this.map.getBounds()
    for (const c of this.gathered) {
      if (!bounds.contains([c.lon, c.lat])) continue
      counts[c.layer] = (counts[c.layer] ?? 0) + c.count
      total += c.count
    }
    const rank = new Map(this.view.order.map((id, i) => [id, i]))
    seen.sort((a, b) => (rank.get(a.layer) ?? 99) - (rank.get(b.layer) ?? 99) || (a.level || 99) - (b.level || 99) || a.fid - b.fid)
    this.handlers.scene({ counts, seen: seen.slice(0, LISTED), total })
    if (!this.isReady && !this.stale) {
      this.isReady = true
      this.handlers.ready()
    }
  }
}

const fidOf = (f: MapGeoJSONFeature): number => Number(f.properties['om:fid'] ?? f.id)

/** centre of the box: where a small site's symbol lies, near enough to group it. */
function centre(g: GeoJSON.Geometry): [number, number] {
  const b = boundsOf(g)
  return b ? [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2] : [NaN, NaN]
}

function anchor(g: GeoJSON.Geometry): [number, number] {
  switch (g.type) {
    case 'Point': return g.coordinates as [number, number]
    case 'MultiPoint': case 'LineString': return g.coordinates[Math.floor(g.coordinates.length / 2)] as [number, number]
    case 'MultiLineString': return g.coordinates[0]![Math.floor(g.coordinates[0]!.length / 2)] as [number, number]
    case 'Polygon': return middle(g.coordinates as [number, number][][]) ?? centre(g)
    case 'MultiPolygon': return middle(g.coordinates[0] as [number, number][][]) ?? centre(g)
    default: return [0, 0]
  }
}
