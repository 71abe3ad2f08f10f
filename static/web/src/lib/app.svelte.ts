import type { StyleSpecification } from 'maplibre-gl'
import { tick } from 'svelte'
import { pickLanguage, translate, type Key, type Params } from '../i18n/index.ts'
import { isContext, legendOf, type LayerSetting, type View } from '../map/compose.ts'
import { Engine, type Camera, type Scene } from '../map/engine.ts'
import { probe } from '../map/frugal.ts'
import { boxOverlaps, type TileBox } from '../map/tiles.ts'
import { getAbout, getCatalogue, getItem, getStyle, identify, Problem } from './api.ts'
import { ago, clock, dateTime } from './format.ts'
import { boundsOf } from './geometry.ts'
import { Live, type Dirty, type LiveState } from './live.ts'
import { presets } from './presets.ts'
import { remember, recall } from './store.ts'
import type { About, Box, Catalogue, Found, Hit, Lang, Layer, LegendEntry, Step, Theme } from './types.ts'
import { isDefault, readLink, writeLayer, writeLink } from './url.ts'

export interface Toast { text: string; kind: 'info' | 'error'; action?: { label: string; run: () => void } }
export interface Tip { x: number; y: number; layer: string; title: string; level: number; properties: Record<string, unknown>; count?: number }

const PHONE = '(max-width: 720px)'

/** App is the state of the page. The map, the panels and the address follow from it. */
class App {
  lang = $state<Lang>('zh-CN')
  theme = $state<Theme>('light')
  textures = $state(false)
  catalogue = $state.raw<Catalogue | null>(null)
  about = $state.raw<About>({})
  legend = $state.raw<Record<string, LegendEntry>>({})
  settings = $state<Record<string, LayerSetting>>({})
  order = $state.raw<string[]>([])
  scene = $state.raw<Scene>({ counts: {}, seen: [], total: 0 })
  camera = $state.raw<Camera | null>(null)
  bounds = $state.raw<Box | null>(null)
  pointer = $state.raw<{ lon: number; lat: number } | null>(null)
  tip = $state.raw<Tip | null>(null)

  hits = $state.raw<Hit[]>([])
  selected = $state.raw<Hit | null>(null)
  asking = $state(false)
  askFailed = $state('')
  nothing = $state<{ x: number; y: number } | null>(null)
  flash = $state(0)

  leftOpen = $state(true)
  leftWidth = $state(312)
  tab = $state<'layers' | 'list'>('layers')
  sheet = $state<'low' | 'half' | 'full'>('low')
  helpOpen = $state(false)
  phone = $state(false)

  live = $state<LiveState>('connecting')
  lag = $state<number | null>(null)
  liveAt = $state<number | null>(null)
  retryAt = $state<number | null>(null)
  leader = $state(true)
  changedAt = $state<number | null>(null)
  now = $state(Date.now())
  online = $state(true)

  busy = $state(true)
  mapReady = $state(false)
  contextLost = $state(false)
  webgl = $state(true)
  frugal = $state(false)
  failedLayers = $state<Record<string, boolean>>({})
  startError = $state.raw<Problem | null>(null)
  toast = $state.raw<Toast | null>(null)
  said = $state('')
  exporting = $state(false)
  printing = $state.raw<{ url: string; width: number; height: number } | null>(null)

  engine: Engine | null = null
  private stream: Live | null = null
  private styles = new Map<string, StyleSpecification>()
  private asked: AbortController | null = null
  private toastTimer = 0
  private urlTimer = 0
  private linkTheme = false
  private linkLang = false
  private container: HTMLElement | null = null
  private countTimer = 0
  private reloading = false

  t = (key: Key, params: Params = {}): string => translate(this.lang, key, params)

  // ---- reading -------------------------------------------------------------

  layer(id: string): Layer | undefined { return this.catalogue?.layers.find((l) => l.id === id) }

  ladderOf(layer: Layer, properties?: Record<string, unknown>): { title: string; steps: Step[] } | null {
    let name = layer.ladder
    if (layer.ladder_by && properties) name = layer.ladder_by.map[String(properties[layer.ladder_by.field])] ?? name
    if (!name && layer.ladder_by && !properties) name = Object.values(layer.ladder_by.map)[0] ?? null
    return name ? this.catalogue?.ladders[name] ?? null : null
  }

  /** laddersOf lists every ladder of a layer: two never share one row of the legend. */
  laddersOf(layer: Layer): { key: string; value: string | null; title: string; steps: Step[] }[] {
    const all = this.catalogue?.ladders ?? {}
    const out: { key: string; value: string | null; title: string; steps: Step[] }[] = []
    const by = layer.ladder_by
    if (by) {
      const list = this.catalogue?.code_lists[layer.fields.find((f) => f.name === by.field)?.code_list ?? '']
      for (const [value, name] of Object.entries(by.map)) {
        const ladder = all[name]
        if (ladder) out.push({ key: value, value, title: list?.items.find((i) => i.code === value)?.title ?? ladder.title, steps: ladder.steps })
      }
    } else if (layer.ladder && all[layer.ladder]) {
      out.push({ key: layer.ladder, value: null, ...all[layer.ladder]! })
    }
    return out
  }

  stepOf(layer: Layer, properties: Record<string, unknown>): Step | null {
    if (!layer.level_field) return null
    const level = Number(properties[layer.level_field])
    return this.ladderOf(layer, properties)?.steps.find((s) => s.level === level) ?? null
  }

  colorOf(step: Step): string { return this.theme === 'dark' ? step.color_dark || step.color : step.color }

  get placeTitle(): string { return this.catalogue?.home?.title || this.t('place') }

  get view(): View {
    return { settings: $state.snapshot(this.settings) as Record<string, LayerSetting>, order: this.order, textures: this.textures, frugal: this.frugal }
  }

  get visibleLayers(): string[] { return this.order.filter((id) => this.settings[id]?.visible) }

  // ---- start ---------------------------------------------------------------

  async start(): Promise<void> {
    const link = readLink(location.href)
    this.linkLang = link.lang !== null
    this.linkTheme = link.theme !== null
    this.lang = pickLanguage(link.lang, recall('lang'), navigator.languages ?? [navigator.language])
    const shown = document.documentElement.dataset.theme
    this.theme = link.theme ?? (shown === 'dark' ? 'dark' : 'light')
    this.textures = link.texture ?? recall('texture') === '1'
    this.tab = link.tab ?? 'layers'
    this.leftWidth = Math.min(480, Math.max(260, Number(recall('left')) || 312))
    this.leftOpen = recall('leftOpen') !== '0'
    const phone = matchMedia(PHONE)
    this.phone = phone.matches
    phone.addEventListener('change', () => { this.phone = phone.matches; void tick().then(() => this.engine?.resize()) })
    this.online = navigator.onLine !== false
    window.addEventListener('online', () => { this.online = true; this.stream?.now() })
    window.addEventListener('offline', () => { this.online = false })
    window.addEventListener('popstate', () => this.followAddress())
    window.addEventListener('hashchange', () => this.followAddress())
    window.setInterval(() => { if (!document.hidden) this.now = Date.now() }, 1000)
    this.dress()
    await this.load()
  }

  private dress(): void {
    const root = document.documentElement
    root.dataset.theme = this.theme
    root.lang = this.lang
    document.title = this.placeTitle && this.catalogue ? `${this.t('product')} · ${this.placeTitle}` : this.t('product')
  }

  private async load(): Promise<void> {
    this.startError = null
    try {
      const [catalogue, style, about] = await Promise.all([
        getCatalogue(this.lang), this.style(), getAbout(this.lang).catch((): About => ({})),
      ])
      this.about = about
      this.adopt(catalogue, true)
      this.legend = legendOf(style)
      this.dress()
      await tick()
      this.draw(style)
      this.listen(catalogue.position)
      const link = readLink(location.href)
      if (link.selection) void this.open(link.selection.layer, link.selection.id, false)
    } catch (error) {
      this.startError = error instanceof Problem ? error : new Problem(0, 'start', '', String(error))
      if (!(error instanceof Problem)) console.error(error)
    }
  }

  retryStart(): void { void this.load() }

  private async style(): Promise<StyleSpecification> {
    const key = `${this.theme}/${this.lang}`
    const known = this.styles.get(key)
    if (known) return known
    const made = await getStyle(this.theme, this.lang) as unknown as StyleSpecification
    this.styles.set(key, made)
    return made
  }

  /** adopt takes a catalogue; first also the settings an address asks for. */
  private adopt(catalogue: Catalogue, first: boolean): void {
    const link = readLink(location.href)
    const settings: Record<string, LayerSetting> = {}
    for (const layer of catalogue.layers) {
      const asked = first && link.layers ? link.layers.find((l) => l.id === layer.id) : undefined
      settings[layer.id] = first
        ? link.layers
          ? { visible: asked !== undefined, opacity: asked?.opacity ?? 1, levels: asked?.levels ?? null, kinds: asked?.kinds ?? null }
          : { visible: layer.default_visible, opacity: 1, levels: null, kinds: null }
        : this.settings[layer.id] ?? { visible: layer.default_visible, opacity: 1, levels: null, kinds: null }
    }
    // The legend's order: themes as people think, within a theme as the catalogue or the person has it.
    const theme = new Map(catalogue.themes.map((t, i) => [t.id, i]))
    const base = catalogue.layers.map((l) => l.id)
    const wish = first ? (link.layers ? link.layers.map((l) => l.id) : (recall('order') ?? '').split(',')) : this.order
    const place = new Map(wish.filter((id) => base.includes(id)).map((id, i) => [id, i]))
    const sorted = catalogue.layers.map((l, i) => ({ l, i }))
    sorted.sort((a, b) => (theme.get(a.l.theme) ?? 99) - (theme.get(b.l.theme) ?? 99) || a.i - b.i)
    const order = sorted.map((s) => s.l.id)
    // Those the person ordered trade places among themselves, theme by theme.
    for (const t of catalogue.themes) {
      const spots = order.map((id, i) => ({ id, i })).filter((s) => place.has(s.id) && catalogue.layers.find((l) => l.id === s.id)?.theme === t.id)
      const ids = spots.map((s) => s.id).sort((a, b) => place.get(a)! - place.get(b)!)
      spots.forEach((s, k) => { order[s.i] = ids[k]! })
    }
    this.catalogue = catalogue
    this.settings = settings
    this.order = order
  }

  setContainer(element: HTMLElement): void { this.container = element }

  private draw(style: StyleSpecification): void {
    if (this.engine || !this.container || !this.catalogue) return
    const graphics = probe()
    const asked = new URL(location.href).searchParams.get('frugal')
    this.webgl = graphics.works
    this.frugal = asked === '1' || (asked !== '0' && graphics.software)
    if (!graphics.works) { this.busy = false; document.documentElement.dataset.ready = '1'; return }
    const link = readLink(location.href)
    this.engine = new Engine({
      container: this.container, base: style, catalogue: this.catalogue, legend: this.legend, view: this.view, theme: this.theme,
      camera: link.camera, bounds: this.catalogue.home?.bounds ?? null, frugal: this.frugal,
      reducedMotion: matchMedia('(prefers-reduced-motion: reduce)').matches, label: this.t('map_region'),
      handlers: {
        click: (at) => void this.ask(at),
        hover: (tip) => { this.tip = tip },
        move: (camera, bounds) => { this.camera = camera; this.bounds = bounds; this.nothing = null; this.writeAddress() },
        pointer: (at) => { this.pointer = at },
        scene: (scene) => { this.scene = scene },
        busy: (loading) => { this.busy = loading },
        ready: () => { this.mapReady = true; document.documentElement.dataset.ready = '1' },
        failed: (layer, message) => {
          if (layer && this.layer(layer)) this.failedLayers[layer] = true
          else if (message) console.warn(message)
        },
        context: (lost) => { this.contextLost = lost; if (lost) this.say(this.t('context_lost')) },
      },
    })
    if (new URL(location.href).searchParams.get('e2e') === '1') Object.assign(window, { __map: this.engine.map, __app: this })
  }

  // ---- settings ------------------------------------------------------------

  private changed(): void {
    this.engine?.update({ view: this.view })
    this.writeAddress()
  }

  show(id: string, visible: boolean): void {
    const setting = this.settings[id]
    const layer = this.layer(id)
    if (!setting || !layer) return
    setting.visible = visible
    delete this.failedLayers[id]
    this.changed()
    this.say(this.t(visible ? 'say_layer_on' : 'say_layer_off', { layer: layer.title }))
  }

  showTheme(theme: string, visible: boolean): void {
    for (const layer of this.catalogue?.layers ?? []) if (layer.theme === theme && this.settings[layer.id]) this.settings[layer.id]!.visible = visible
    this.changed()
  }

  setOpacity(id: string, opacity: number): void {
    const setting = this.settings[id]
    if (!setting) return
    setting.opacity = opacity
    this.changed()
  }

  toggleLevel(layer: Layer, level: number): void {
    const setting = this.settings[layer.id]
    const all = this.ladderOf(layer)?.steps.map((s) => s.level) ?? []
    if (!setting) return
    const now = new Set(setting.levels ?? all)
    if (now.has(level)) now.delete(level)
    else now.add(level)
    setting.levels = now.size === all.length || now.size === 0 ? null : all.filter((l) => now.has(l))
    this.changed()
  }

  toggleKind(layer: Layer, kind: string, all: string[]): void {
    const setting = this.settings[layer.id]
    if (!setting) return
    const now = new Set(setting.kinds ?? all)
    if (now.has(kind)) now.delete(kind)
    else now.add(kind)
    setting.kinds = now.size === all.length || now.size === 0 ? null : all.filter((k) => now.has(k))
    this.changed()
  }

  resetFilter(id: string): void {
    const setting = this.settings[id]
    if (!setting) return
    setting.levels = null
    setting.kinds = null
    this.changed()
  }

  move(id: string, by: number): void {
    const theme = this.layer(id)?.theme
    const group = this.order.filter((other) => this.layer(other)?.theme === theme)
    const from = group.indexOf(id)
    const to = Math.min(group.length - 1, Math.max(0, from + by))
    if (from < 0 || from === to) return
    group.splice(from, 1)
    group.splice(to, 0, id)
    let k = 0
    this.order = this.order.map((other) => (this.layer(other)?.theme === theme ? group[k++]! : other))
    remember('order', this.order.join(','))
    this.changed()
    this.say(this.t('layer_moved', { layer: this.layer(id)?.title ?? id, n: to + 1 }))
  }

  preset(id: string): void {
    const preset = presets.find((p) => p.id === id)
    if (!preset || !this.catalogue) return
    const before = $state.snapshot(this.settings) as Record<string, LayerSetting>
    for (const layer of this.catalogue.layers) {
      this.settings[layer.id] = { visible: preset.pick(layer), opacity: 1, levels: null, kinds: null }
    }
    this.changed()
    this.tell(this.t('preset_applied', { name: this.t(preset.title) }), 'info', {
      label: this.lang === 'en' ? 'Undo' : '撤销',
      run: () => { this.settings = before; this.changed() },
    })
  }

  setTextures(on: boolean): void {
    this.textures = on
    remember('texture', on ? '1' : '0')
    this.changed()
  }

  async setTheme(theme: Theme): Promise<void> {
    if (theme === this.theme) return
    this.theme = theme
    remember('theme', theme)
    this.linkTheme = false
    this.dress()
    try {
      const base = await this.style()
      if (this.theme !== theme) return
      this.legend = legendOf(base)
      this.engine?.update({ base, legend: this.legend, view: this.view, theme })
    } catch (error) { this.tell(this.explain(error), 'error') }
    this.writeAddress()
  }

  async setLang(lang: Lang): Promise<void> {
    if (lang === this.lang) return
    this.lang = lang
    remember('lang', lang)
    this.linkLang = false
    this.dress()
    try {
      const [catalogue, base] = await Promise.all([getCatalogue(lang), this.style()])
      if (this.lang !== lang) return
      this.adopt(catalogue, false)
      this.legend = legendOf(base)
      this.engine?.update({ base, catalogue, legend: this.legend, view: this.view })
      this.dress()
    } catch (error) { this.tell(this.explain(error), 'error') }
    this.writeAddress()
  }

  // ---- asking --------------------------------------------------------------

  /** Most severe first, then the order of the panel; the ground under everything comes last, smallest unit first. */
  private sort(hits: Hit[]): Hit[] {
    const rank = new Map(this.order.map((id, i) => [id, i]))
    const depth = (h: Hit) => (h.layer === 'admin' ? -Number(h.properties.rank ?? 0) : h.level ?? 99)
    return hits.filter((h) => this.layer(h.layer)).sort((a, b) =>
      Number(isContext(a.layer)) - Number(isContext(b.layer)) || (rank.get(a.layer) ?? 99) - (rank.get(b.layer) ?? 99) || depth(a) - depth(b) || a.distance_m - b.distance_m)
  }

  private async ask(at: { lon: number; lat: number; radius: number; x: number; y: number }): Promise<void> {
    const zoom = this.camera?.zoom ?? 0
    const layers = this.visibleLayers.filter((id) => zoom >= (this.layer(id)?.min_zoom ?? 0) - 0.01)
    this.nothing = null
    if (layers.length === 0) { this.nothing = { x: at.x, y: at.y }; return }
    this.asked?.abort()
    const abort = new AbortController()
    this.asked = abort
    this.asking = true
    this.askFailed = ''
    try {
      const hits = this.sort(this.shownOnly(await identify({ ...at, layers }, this.lang, abort.signal)))
      if (abort.signal.aborted) return
      this.hits = hits
      if (hits.length === 0) {
        this.select(null)
        this.nothing = { x: at.x, y: at.y }
        this.say(this.t('detail_nothing'))
      } else if (hits.length === 1) {
        this.select(hits[0]!)
      } else {
        // A symbol under the finger is meant before the area around it.
        const marked = hits.filter((h) => this.legend[h.layer]?.geometry === 'point')
        const ground = hits.every((h) => isContext(h.layer))
        this.select(marked.length === 1 ? marked[0]! : ground ? hits[0]! : null, hits.length)
        this.say(this.t('say_hits', { n: hits.length }))
      }
    } catch (error) {
      if (abort.signal.aborted) return
      this.hits = []
      this.askFailed = this.explain(error)
    } finally {
      if (this.asked === abort) this.asking = false
    }
  }

  /** shownOnly leaves out what a level or kind filter hides: a click finds what is seen. */
  private shownOnly(hits: Hit[]): Hit[] {
    return hits.filter((h) => {
      const layer = this.layer(h.layer)
      const s = this.settings[h.layer]
      if (!layer || !s) return false
      const level = layer.level_field ? h.properties[layer.level_field] : undefined
      if (s.levels && level !== undefined && level !== null && !s.levels.includes(Number(level))) return false
      if (s.kinds && layer.kind_field && !s.kinds.includes(String(h.properties[layer.kind_field] ?? ''))) return false
      return true
    })
  }

  select(hit: Hit | null, others = 0): void {
    this.selected = hit
    this.nothing = null
    this.engine?.select(hit?.geometry ?? null)
    if (hit) {
      this.sheet = this.phone ? 'half' : this.sheet
      this.say(this.t('say_selected', { layer: this.layer(hit.layer)?.title ?? hit.layer, name: this.titleOf(hit) }))
    } else if (others > 0 && this.phone) this.sheet = 'half'
    this.writeAddress()
  }

  closeDetail(): void {
    if (!this.selected && this.hits.length === 0 && !this.askFailed) return
    this.asked?.abort()
    this.asking = false
    this.hits = []
    this.askFailed = ''
    this.select(null)
    if (this.phone) this.sheet = 'low'
    this.say(this.t('say_closed'))
  }

  titleOf(hit: { title: string | null; layer: string; properties: Record<string, unknown> }): string {
    const layer = this.layer(hit.layer)
    const own = hit.title || (layer?.label_field ? hit.properties[layer.label_field] : null) || hit.properties.name || hit.properties.title
    if (own) return String(own)
    const code = hit.properties.code
    return code ? `${layer?.title ?? hit.layer} ${String(code)}` : layer?.title ?? this.t('list_unnamed')
  }

  /** open shows one feature by its identifier: from a link, the list or the search. */
  async open(layerId: string, id: string, fly: boolean, zoom?: number): Promise<void> {
    const layer = this.layer(layerId)
    if (!layer) { this.tell(this.t('detail_gone'), 'error'); return }
    const setting = this.settings[layerId]
    if (setting && !setting.visible) { setting.visible = true; this.changed() }
    this.asked?.abort()
    const abort = new AbortController()
    this.asked = abort
    this.asking = true
    this.askFailed = ''
    try {
      const item = await getItem(layerId, id, this.lang, abort.signal)
      if (abort.signal.aborted) return
      const properties = item.properties ?? {}
      const hit: Hit = {
        layer: layerId, fid: item.fid ?? (typeof properties.fid === 'number' ? properties.fid : null), id: String(item.id ?? id), title: null,
        level: layer.level_field ? Number(properties[layer.level_field] ?? 0) || null : null,
        properties, geometry: item.geometry ?? null, distance_m: 0,
      }
      this.hits = [hit]
      this.select(hit)
      if (fly) this.engine?.fly({ box: boundsOf(hit.geometry), zoom: zoom ?? Math.max(15, layer.min_zoom + 1) }, this.rightInset)
    } catch (error) {
      if (abort.signal.aborted) return
      if (error instanceof Problem && error.status === 404) this.tell(this.t('detail_gone'), 'error')
      else this.askFailed = this.explain(error)
    } finally {
      if (this.asked === abort) this.asking = false
    }
  }

  get rightInset(): number { return this.phone ? 0 : 400 }

  /** locate flies to a listed feature and asks for it where it lies. */
  async locate(at: { layer: string; fid: number; lon: number; lat: number; title: string }): Promise<void> {
    const layer = this.layer(at.layer)
    this.engine?.fly({ point: [at.lon, at.lat], zoom: Math.max(this.camera?.zoom ?? 0, layer?.geometry === 'point' ? 14.5 : 13) }, this.rightInset)
    this.asked?.abort()
    const abort = new AbortController()
    this.asked = abort
    this.asking = true
    try {
      const hits = await identify({ lon: at.lon, lat: at.lat, radius: 60, layers: [at.layer] }, this.lang, abort.signal)
      if (abort.signal.aborted) return
      const hit = hits.find((h) => h.fid === at.fid) ?? hits[0]
      if (hit) { this.hits = [hit]; this.select(hit) }
      else this.tell(this.t('detail_gone'), 'error')
    } catch (error) {
      if (!abort.signal.aborted) this.askFailed = this.explain(error)
    } finally {
      if (this.asked === abort) this.asking = false
    }
    this.say(this.t('say_moved', { name: at.title || this.t('list_unnamed') }))
  }

  async goto(found: Found): Promise<void> {
    if (found.layer && found.id && this.layer(found.layer)) {
      await this.open(found.layer, found.id, false)
      const layer = this.layer(found.layer)
      this.engine?.fly({ box: found.bounds, point: found.center, zoom: Math.max(15, (layer?.min_zoom ?? 0) + 1) }, this.rightInset)
    } else {
      this.engine?.fly({ box: found.bounds, point: found.center, zoom: 15 })
      if (found.center) this.engine?.select({ type: 'Point', coordinates: found.center })
    }
    this.say(this.t('say_moved', { name: found.title }))
  }

  home(): void {
    const box = this.catalogue?.home?.bounds ?? this.dataBounds
    if (box) this.engine?.fly({ box, zoom: 22 })
  }

  get dataBounds(): Box | null {
    let out: Box | null = null
    for (const l of this.catalogue?.layers ?? []) {
      if (!l.bounds || !this.settings[l.id]?.visible) continue
      out = out ? [Math.min(out[0], l.bounds[0]), Math.min(out[1], l.bounds[1]), Math.max(out[2], l.bounds[2]), Math.max(out[3], l.bounds[3])] : l.bounds
    }
    return out
  }

  // ---- live ----------------------------------------------------------------

  private listen(position: string): void {
    if (this.stream) return
    this.stream = new Live(position, {
      state: (state, lag, at, retryAt, leader) => {
        const back = this.live === 'lost' && state === 'live'
        this.live = state
        this.lag = lag
        if (at !== null) this.liveAt = at
        this.retryAt = retryAt
        this.leader = leader
        if (back) {
          this.tell(this.t('live_back'))
          for (const id of Object.keys(this.failedLayers)) { delete this.failedLayers[id]; this.engine?.refresh(id, null) }
        }
        document.documentElement.dataset.live = state
      },
      tiles: (dirty) => this.dirty(dirty),
      reset: () => { this.engine?.refreshAll(); this.recount(0) },
    })
  }

  retryLive(): void { this.stream?.now() }

  private dirty(d: Dirty): void {
    this.changedAt = Date.now()
    if (d.layer === '$catalogue') { this.recount(0); return }
    this.engine?.refresh(d.layer, d.boxes.length > 0 ? d.boxes : null)
    const s = this.selected
    if (s && s.layer === d.layer && s.id && touches(d.boxes, s.geometry)) void this.reread(s)
    this.recount(1500)
  }

  /** reread follows the feature that is being looked at. */
  private async reread(before: Hit): Promise<void> {
    try {
      const item = await getItem(before.layer, before.id!, this.lang)
      if (this.selected?.id !== before.id) return
      const next: Hit = { ...before, properties: { ...before.properties, ...(item.properties ?? {}) }, geometry: item.geometry ?? before.geometry }
      if (JSON.stringify([next.properties, next.geometry]) === JSON.stringify([before.properties, before.geometry])) return
      next.title = null
      this.selected = next
      this.engine?.select(next.geometry)
      this.flash = Date.now()
    } catch (error) {
      if (error instanceof Problem && error.status === 404 && this.selected?.id === before.id) {
        this.closeDetail()
        this.tell(this.t('detail_gone'), 'info')
      }
    }
  }

  /** recount reads totals and dates again after changes, at most once in a while. */
  private recount(delay: number): void {
    clearTimeout(this.countTimer)
    this.countTimer = window.setTimeout(async () => {
      if (this.reloading) return
      this.reloading = true
      try {
        const catalogue = await getCatalogue(this.lang)
        const before = this.catalogue
        const grown = catalogue.layers.length !== before?.layers.length
        this.adopt(catalogue, false)
        if (grown) {
          this.styles.clear()
          const base = await this.style()
          this.legend = legendOf(base)
          this.engine?.update({ base, catalogue, legend: this.legend, view: this.view })
        }
      } catch { /* the live state already says that the server is away */ } finally { this.reloading = false }
    }, delay)
  }

  // ---- words ---------------------------------------------------------------

  explain(error: unknown): string {
    if (error instanceof Problem) {
      if (error.unreachable) return this.t('error_network')
      if (error.detail || error.title) return error.detail || error.title
      if (error.status === 403 || error.status === 401) return this.t('error_forbidden')
      return this.t('error_server', { status: error.status })
    }
    return this.t('error_title')
  }

  tell(text: string, kind: Toast['kind'] = 'info', action?: Toast['action']): void {
    clearTimeout(this.toastTimer)
    this.toast = { text, kind, action }
    this.toastTimer = window.setTimeout(() => { this.toast = null }, kind === 'error' || action ? 8000 : 3500)
    this.say(text)
  }

  say(text: string): void { this.said = text }

  get asOf(): string { return dateTime(this.liveAt ?? Date.now(), true) }

  lagText(): string {
    if (this.lag === null) return ''
    return this.lag < 1000 ? this.t('ms', { n: Math.round(this.lag) }) : this.t('seconds', { n: Math.round(this.lag / 100) / 10 })
  }

  ageText(since: number): string {
    const { key, n } = ago(this.now - since)
    return this.t(key, { n })
  }

  clockText(at: number): string { return clock(at) }

  async copy(text: string, done?: string): Promise<void> {
    let ok = false
    try {
      await navigator.clipboard.writeText(text)
      ok = true
    } catch {
      // Without https there is no clipboard interface; the old way still works.
      const area = document.createElement('textarea')
      area.value = text
      area.className = 'off-screen'
      document.body.append(area)
      area.select()
      try { ok = document.execCommand('copy') } catch { ok = false }
      area.remove()
    }
    this.tell(ok ? done ?? this.t('copied') : this.t('copy_failed'), ok ? 'info' : 'error')
  }

  // ---- the address ---------------------------------------------------------

  link(): string {
    const layers = this.catalogue?.layers ?? []
    const plain = layers.every((l) => this.settings[l.id] && isDefault(l, this.settings[l.id]!))
    return writeLink(location.href, {
      camera: this.camera,
      layers: plain ? null : this.visibleLayers.map((id) => writeLayer(id, this.settings[id]!)),
      selection: this.selected?.id ? { layer: this.selected.layer, id: this.selected.id } : null,
      theme: this.linkTheme ? this.theme : null,
      lang: this.linkLang ? this.lang : null,
      texture: this.textures,
      tab: this.tab,
    })
  }

  /** share is the address with language and theme in it, so a colleague sees the same. */
  share(): string {
    const [theme, lang] = [this.linkTheme, this.linkLang]
    this.linkTheme = this.linkLang = true
    const out = this.link()
    ;[this.linkTheme, this.linkLang] = [theme, lang]
    return out
  }

  writeAddress(): void {
    clearTimeout(this.urlTimer)
    this.urlTimer = window.setTimeout(() => {
      const next = this.link()
      // Browsers throttle history writes; the wait above keeps far below that.
      if (next !== location.href) history.replaceState(history.state, '', next)
    }, 250)
  }

  private followAddress(): void {
    const link = readLink(location.href)
    if (link.camera && this.engine) this.engine.map.jumpTo({ center: [link.camera.lon, link.camera.lat], zoom: link.camera.zoom })
    if (link.lang) { this.linkLang = true; void this.setLang(link.lang) }
    if (link.theme) { this.linkTheme = true; void this.setTheme(link.theme) }
    if (this.catalogue && link.layers) { this.adopt(this.catalogue, true); this.engine?.update({ view: this.view }) }
    if (link.selection && link.selection.id !== this.selected?.id) void this.open(link.selection.layer, link.selection.id, false)
  }

  setLeft(open: boolean): void {
    this.leftOpen = open
    remember('leftOpen', open ? '1' : '0')
    void tick().then(() => this.engine?.resize())
  }

  setLeftWidth(width: number): void {
    this.leftWidth = Math.round(Math.min(480, Math.max(260, width)))
    remember('left', String(this.leftWidth))
    this.engine?.resize()
  }
}

function touches(boxes: readonly TileBox[], geometry: GeoJSON.Geometry | null): boolean {
  const box = boundsOf(geometry)
  return box === null || boxes.length === 0 || boxOverlaps(boxes, box)
}

export const app = new App()
