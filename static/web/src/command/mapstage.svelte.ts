import type { GeoJSONSource, LayerSpecification, Map as GLMap, MapMouseEvent, StyleSpecification } from 'maplibre-gl'
import { query } from '../desk/http.ts'
import type { Box, Catalogue, LegendEntry, Theme } from '../lib/types.ts'
import { legendOf, type LayerSetting, type View } from '../map/compose.ts'
import { Engine, type Camera, type Click } from '../map/engine.ts'
import { probe } from '../map/frugal.ts'
import { guardTiles } from '../map/maplibre.ts'
import { command } from './command.svelte.ts'
import { ground, shownBy } from './profile.ts'
import type { Overlay, Stage } from './stage.ts'
import type { LonLat } from './types.ts'

/** What is shown until the profile is known: the ground, and what happens. */
export const usual = new Set([...ground, 'incidents', 'alerts'])

const fonts = ['PingFang SC', 'Noto Sans CJK SC', 'Microsoft YaHei', 'sans-serif']

/** What an overlay is made of; what a feature does not say has a quiet default. */
export function overlayLayers(id: string, theme: Theme, labelsFrom = 0): LayerSpecification[] {
  const dark = theme === 'dark', accent = dark ? '#6BA6FF' : '#1A66DE', grey = dark ? '#93A4B5' : '#5F666F', ground = dark ? '#0F1C2B' : '#FFFFFF', ink = dark ? '#E6EDF3' : '#1D2126'
  const color = ['case', ['boolean', ['get', 'stale'], false], grey, ['coalesce', ['get', 'color'], accent]] as never
  const area = ['==', ['geometry-type'], 'Polygon'] as never
  const dashed = ['boolean', ['get', 'dash'], false]
  return [
    { id: `${id}-fill`, type: 'fill', source: id, filter: area, paint: { 'fill-color': color, 'fill-opacity': ['case', ['boolean', ['get', 'hollow'], false], 0.05, 0.22] as never } },
    { id: `${id}-line`, type: 'line', source: id, filter: ['all', ['!=', ['geometry-type'], 'Point'], ['!', dashed]] as never, layout: { 'line-join': 'round', 'line-cap': 'round' }, paint: { 'line-color': color, 'line-width': ['coalesce', ['get', 'width'], 2.5] as never } },
    { id: `${id}-dash`, type: 'line', source: id, filter: ['all', ['!=', ['geometry-type'], 'Point'], dashed] as never, paint: { 'line-color': color, 'line-width': ['coalesce', ['get', 'width'], 2.5] as never, 'line-dasharray': [3, 2] } },
    { id: `${id}-spot`, type: 'circle', source: id, filter: ['all', ['==', ['geometry-type'], 'Point'], ['!', ['boolean', ['get', 'plain'], false]]] as never, paint: { 'circle-radius': ['coalesce', ['get', 'size'], 7] as never, 'circle-color': ['case', ['boolean', ['get', 'ring'], false], 'rgba(0,0,0,0)', ['boolean', ['get', 'hollow'], false], ground, color] as never, 'circle-stroke-width': 2, 'circle-stroke-color': ['case', ['any', ['boolean', ['get', 'ring'], false], ['boolean', ['get', 'hollow'], false]], color, '#FFFFFF'] as never } },
    { id: `${id}-label`, type: 'symbol', source: id, minzoom: labelsFrom, filter: ['has', 'label'] as never, layout: { 'text-field': ['get', 'label'] as never, 'text-font': fonts, 'text-size': 12, 'text-offset': [0, 1.2], 'text-anchor': 'top', 'text-max-width': 12, 'text-optional': true }, paint: { 'text-color': ['case', ['boolean', ['get', 'stale'], false], grey, ink] as never, 'text-halo-color': ground, 'text-halo-width': 1.6 } },
  ]
}

/** MapStage is the map of the room: the one map's engine, what happens on it, and drawing. */
export class MapStage implements Stage {
  readonly map: GLMap
  view = $state.raw<View>({ settings: {}, order: [], textures: false, frugal: false })
  legend = $state.raw<Record<string, LegendEntry>>({})
  camera = $state.raw<Camera | null>(null)
  pointer = $state.raw<{ lon: number; lat: number } | null>(null)
  counts = $state.raw<Record<string, number>>({})
  hint = $state('')
  lost = $state(false)
  restored = $state(0)
  readonly software: boolean
  /** width of what stands over the map on the right */
  right = 0
  private engine: Engine
  private overlays = new Map<string, { what: Overlay; click?: (p: Record<string, unknown>) => void }>()
  /** what somebody switched by hand */
  private own = new Map<string, boolean>()
  private ready = false
  private asked: ((at: LonLat | null) => void) | null = null
  private stopDrawing: (() => void) | null = null
  private off: () => void

  constructor(container: HTMLElement, base: StyleSpecification, catalogue: Catalogue, at: { camera: Camera | null; bounds: Box | null; shown: ReadonlySet<string> | null; real?: boolean }, private readonly on: { ready(): void; click(at: Click): void }) {
    const graphics = probe()
    guardTiles()
    this.software = graphics.software
    const settings: Record<string, LayerSetting> = {}
    for (const l of catalogue.layers) settings[l.id] = { visible: (at.shown ?? usual).has(l.id), opacity: 1, levels: null, kinds: null, real: at.real ?? false }
    // An address that names layers is somebody's own choice.
    if (at.shown) for (const l of catalogue.layers) this.own.set(l.id, at.shown.has(l.id))
    this.view = { settings, order: catalogue.layers.map((l) => l.id), textures: false, frugal: graphics.software }
    this.legend = legendOf(base)
    this.engine = new Engine({
      container, base, catalogue, legend: this.legend, view: this.view, theme: command.theme, camera: at.camera, bounds: at.bounds, frugal: graphics.software,
      reducedMotion: matchMedia('(prefers-reduced-motion: reduce)').matches, label: command.t('map'),
      handlers: {
        taken: () => this.asked !== null || this.stopDrawing !== null,
        click: (c) => { if (!this.asked && !this.stopDrawing) this.clicked(c) }, hover: () => {}, ready: () => { document.documentElement.dataset.map = '1' },
        scene: (s) => { this.counts = s.counts }, failed: (source) => { if (source) this.again(source) }, move: (camera) => { this.camera = camera }, pointer: (p) => { this.pointer = p },
        busy: () => {}, context: (lost) => { this.lost = lost; if (!lost) { this.restored++; document.documentElement.dataset.restored = String(this.restored); this.redraw() } },
      },
    })
    this.map = this.engine.map
    this.off = command.onTiles((layer, boxes) => { if (layer === '') this.engine.refreshAll(); else this.engine.refresh(layer, boxes) })
    this.map.on('click', this.picked)
    this.map.once('style.load', () => { this.ready = true; this.redraw(); on.ready() })
  }

  /** What could not be had is asked for again until it is there: nobody moves the map of a wall. */
  private retries = new Map<string, number>()
  private again(source: string): void {
    if (!this.retries.has(source)) this.retries.set(source, window.setTimeout(() => { this.retries.delete(source); this.engine.retry(source) }, 20_000))
  }

  // ---- overlays --------------------------------------------------------------

  private name = (n: string) => `cm-${n}`
  private redraw(): void {
    if (!this.ready) return
    for (const [n, o] of this.overlays) this.put(this.name(n), o.what)
  }
  private put(id: string, what: Overlay): void {
    const source = this.map.getSource(id) as GeoJSONSource | undefined
    if (!source) this.map.addSource(id, { type: 'geojson', data: what.data, tolerance: 0.1 })
    else void source.setData(what.data)
    const before = what.under ? this.map.getLayersOrder().find((l) => !l.startsWith('cm-') && this.map.getLayer(l)?.type === 'symbol') : undefined
    for (const l of overlayLayers(id, command.theme, what.labelsFrom)) if (!this.map.getLayer(l.id)) this.map.addLayer(l, before)
  }
  private takeAway(id: string): void {
    for (const l of overlayLayers(id, command.theme)) if (this.map.getLayer(l.id)) this.map.removeLayer(l.id)
    if (this.map.getSource(id)) this.map.removeSource(id)
  }
  overlay(name: string, what: Overlay | null, click?: (properties: Record<string, unknown>) => void): void {
    if (what) this.overlays.set(name, { what, click }); else this.overlays.delete(name)
    if (!this.ready || this.lost) return
    if (what) this.put(this.name(name), what); else this.takeAway(this.name(name))
  }

  private clicked(c: Click): void {
    for (const [name, o] of [...this.overlays].reverse()) {
      if (!o.click) continue
      const ids = ['spot', 'line', 'dash', 'fill'].map((p) => `${this.name(name)}-${p}`).filter((l) => this.map.getLayer(l))
      const hit = ids.length > 0 ? this.map.queryRenderedFeatures([[c.x - 6, c.y - 6], [c.x + 6, c.y + 6]], { layers: ids })[0] : undefined
      if (hit) { o.click(hit.properties); return }
    }
    this.on.click(c)
  }

  // ---- asking for a place or a shape -------------------------------------------

  private picked = (e: MapMouseEvent): void => {
    if (!this.asked) return
    const done = this.asked
    this.asked = null
    this.calm()
    done([Number(e.lngLat.lng.toFixed(6)), Number(e.lngLat.lat.toFixed(6))])
  }
  private calm(): void { this.hint = ''; this.map.getCanvas().style.cursor = '' }
  giveUp(): void {
    this.asked?.(null)
    this.asked = null
    this.stopDrawing?.()
    this.calm()
  }
  pick(hint: string): Promise<LonLat | null> {
    this.giveUp()
    this.hint = hint
    this.map.getCanvas().style.cursor = 'crosshair'
    return new Promise((resolve) => { this.asked = resolve })
  }

  draw(kind: 'Point' | 'LineString' | 'Polygon', hint: string): Promise<GeoJSON.Geometry | null> {
    if (kind === 'Point') return this.pick(hint).then((at) => (at ? { type: 'Point', coordinates: [...at] } : null))
    this.giveUp()
    this.hint = hint
    const map = this.map, points: [number, number][] = [], least = kind === 'Polygon' ? 3 : 2
    map.getCanvas().style.cursor = 'crosshair'
    map.doubleClickZoom.disable()
    const show = (last?: [number, number]) => {
      const all = last ? [...points, last] : points
      const line: GeoJSON.Feature[] = all.length > 1 ? [{ type: 'Feature', properties: { dash: true }, geometry: kind === 'Polygon' && all.length > 2 ? { type: 'Polygon', coordinates: [[...all, all[0]!]] } : { type: 'LineString', coordinates: all } }] : []
      this.overlay('drawing', { data: { type: 'FeatureCollection', features: [...line, ...points.map((p): GeoJSON.Feature => ({ type: 'Feature', properties: { size: 4, hollow: true }, geometry: { type: 'Point', coordinates: p } }))] } })
    }
    return new Promise((resolve) => {
      const at = (e: MapMouseEvent): [number, number] => [Number(e.lngLat.lng.toFixed(6)), Number(e.lngLat.lat.toFixed(6))]
      const click = (e: MapMouseEvent) => {
        const p = at(e), before = points.at(-1)
        // The second click of a double click stands where the first did.
        if (before && map.project(before).dist(map.project(p)) < 4) return
        points.push(p)
        show()
      }
      const move = (e: MapMouseEvent) => { if (points.length > 0) show(at(e)) }
      const end = (ok: boolean) => {
        map.off('click', click); map.off('mousemove', move); map.off('dblclick', twice)
        document.removeEventListener('keydown', key, true)
        map.doubleClickZoom.enable()
        this.overlay('drawing', null)
        this.stopDrawing = null
        this.calm()
        resolve(ok && points.length >= least ? (kind === 'Polygon' ? { type: 'Polygon', coordinates: [[...points, points[0]!]] } : { type: 'LineString', coordinates: points }) : null)
      }
      const twice = (e: MapMouseEvent) => { e.preventDefault(); if (points.length >= least) end(true) }
      const key = (e: KeyboardEvent) => {
        if (e.key === 'Enter' && points.length >= least) { e.preventDefault(); e.stopPropagation(); end(true) }
        else if (e.key === 'Backspace' && points.length > 0 && !/^(INPUT|TEXTAREA|SELECT)$/.test((e.target as HTMLElement).tagName)) { e.preventDefault(); points.pop(); show() }
      }
      this.stopDrawing = () => end(false)
      map.on('click', click); map.on('mousemove', move); map.on('dblclick', twice)
      document.addEventListener('keydown', key, true)
    })
  }

  // ---- moving and dressing -------------------------------------------------------

  fly(to: { box?: Box | null; point?: LonLat | null; zoom?: number }): void { this.engine.fly({ ...to, point: to.point ? [to.point[0], to.point[1]] : null }, this.right) }
  zoom(by: number): void { this.engine.zoom(by) }
  select(geometry: GeoJSON.Geometry | null): void { this.engine.select(geometry) }
  /** show is a switch somebody pressed: it stays, whatever the profile says later. */
  show(layer: string, visible: boolean): void {
    this.own.set(layer, visible)
    this.switch(new Map([[layer, visible]]))
  }
  /** profile shows the layers of a profile. */
  profile(layers: readonly string[]): void { this.switch(shownBy(Object.keys(this.view.settings), layers, this.own)) }
  private switch(to: ReadonlyMap<string, boolean>): void {
    const settings = { ...this.view.settings }
    let changed = false
    for (const [id, visible] of to) {
      const s = settings[id]
      if (s && s.visible !== visible) { settings[id] = { ...s, visible }; changed = true }
    }
    if (!changed) return
    this.view = { ...this.view, settings }
    this.engine.update({ view: this.view, theme: command.theme })
  }
  private past: string | null = null
  /** asOf shows the layers as they were recorded at a moment; null is now. What is drawn over them is the page's own. */
  async asOf(at: string | null): Promise<void> {
    if (at === this.past) return
    this.past = at
    await this.dress()
  }
  async dress(): Promise<void> {
    const past = this.past
    const base = (await command.call<StyleSpecification>(`/tiles/style.json${query({ theme: command.theme, lang: command.lang })}`)).data
    if (past !== this.past) return // another moment was asked for meanwhile
    if (past) for (const source of Object.values(base.sources)) if (source.type === 'vector' && source.tiles) source.tiles = source.tiles.map((u) => (u.includes('/tiles/') ? `${u}${u.includes('?') ? '&' : '?'}as_of=${encodeURIComponent(past)}` : u))
    this.legend = legendOf(base)
    this.engine.update({ base, legend: this.legend, catalogue: command.catalogue ?? undefined, view: this.view, theme: command.theme })
    if (this.lost) return // the way back draws them
    for (const n of this.overlays.keys()) this.takeAway(this.name(n))
    this.redraw()
  }
  resize(): void { this.engine.resize() }
  remove(): void {
    this.giveUp()
    this.off()
    for (const timer of this.retries.values()) window.clearTimeout(timer)
    this.engine.remove()
    delete document.documentElement.dataset.map
  }
}
