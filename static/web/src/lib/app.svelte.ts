import type { StyleSpecification } from 'maplibre-gl'
import { tick } from 'svelte'
import { pickLanguage } from '../i18n/index.ts'
import { legendOf, type LayerSetting } from '../map/compose.ts'
import { Engine } from '../map/engine.ts'
import { probe } from '../map/frugal.ts'
import { boxOverlaps, type TileBox } from '../map/tiles.ts'
import { getAbout, getCatalogue, getItem, getMe, getStyle, Problem, unknown } from './api.ts'
import { Asking } from './asking.svelte.ts'
import { boundsOf } from './geometry.ts'
import { onAnnounce, signOut } from './leave.ts'
import { Live, type Dirty } from './live.ts'
import { signInAt } from './me.ts'
import { recall, remember } from './store.ts'
import type { About, Catalogue, Hit, Lang, Theme } from './types.ts'
import { readLink } from './url.ts'

const PHONE = '(max-width: 720px)'

/** App is the life of the page: it starts, follows the server and the address. */
class App extends Asking {
  private stream: Live | null = null
  private styles = new Map<string, StyleSpecification>()
  private container: HTMLElement | null = null
  private countTimer = 0
  private reloading = false
  private rightsTurn = 0

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
    unknown.run = (problem) => { if (this.me.signed_in && problem.code !== 'sign_in_failed') this.sessionLost = true }
    onAnnounce(() => void this.rights())
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
      // Who asks decides what there is; a server without people answers for nobody.
      const [me, catalogue, style, about] = await Promise.all([
        getMe(this.lang).catch(() => this.me), getCatalogue(this.lang), this.style(), getAbout(this.lang).catch((): About => ({})),
      ])
      // Where nothing is public, a stranger has no map to look at.
      if (!me.signed_in && !me.setup_required && catalogue.layers.length === 0) { location.replace(signInAt(location)); return }
      this.me = me
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
      if (error instanceof Problem && error.status === 401) { location.replace(signInAt(location)); return }
      if (error instanceof Problem && error.code === 'session_limited') { location.replace('/account'); return }
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
    this.catalogue = catalogue
    const link = readLink(location.href)
    const settings: Record<string, LayerSetting> = {}
    for (const layer of catalogue.layers) {
      const asked = first && link.layers ? link.layers.find((l) => l.id === layer.id) : undefined
      const usual = this.usual(layer)
      settings[layer.id] = first
        ? link.layers
          ? { visible: asked !== undefined, opacity: asked?.opacity ?? 1, levels: asked?.levels ?? null, kinds: asked?.kinds ?? usual.kinds }
          : usual
        : this.settings[layer.id] ?? usual
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
      rights: () => void this.rights(),
    })
  }

  /**
   * rights reads anew who we are and what there is, and draws only that. Nothing that was
   * shown before survives: it may be what may no longer be seen.
   */
  private async rights(): Promise<void> {
    const turn = ++this.rightsTurn
    try {
      const me = await getMe(this.lang)
      if (turn !== this.rightsTurn) return
      const before = this.me
      this.styles.clear()
      const [catalogue, base] = await Promise.all([getCatalogue(this.lang), this.style()])
      if (turn !== this.rightsTurn) return
      this.me = me
      this.sessionLost = before.signed_in && !me.signed_in
      this.closeDetail()
      this.hits = []
      this.tip = null
      this.adopt(catalogue, false)
      this.legend = legendOf(base)
      this.engine?.drop({ base, catalogue, legend: this.legend, view: this.view })
      this.stream?.renew(catalogue.position)
      this.dress()
      if (before.signed_in && me.signed_in) this.tell(this.t('rights_changed'))
      document.documentElement.dataset.rights = String(turn)
    } catch (error) {
      if (turn !== this.rightsTurn) return
      if (error instanceof Problem && error.status === 401) {
        // Nothing may be seen any more: the map goes, the address with its view stays.
        if (this.me.signed_in) this.sessionLost = true
        this.blank()
      } else window.setTimeout(() => { if (turn === this.rightsTurn) void this.rights() }, 3000)
    }
  }

  private blank(): void {
    this.closeDetail()
    this.hits = []
    this.tip = null
    this.scene = { counts: {}, seen: [], total: 0 }
    if (!this.catalogue) return
    const catalogue = { ...this.catalogue, layers: [] }
    this.catalogue = catalogue
    const style = this.styles.values().next().value ?? null
    if (style) this.engine?.drop({ base: style, catalogue, legend: {}, view: this.view })
    else this.engine?.drop({ base: { version: 8, sources: {}, layers: [] }, catalogue, legend: {}, view: this.view })
  }

  signIn(): void { location.assign(signInAt(new URL(this.link()))) }

  async leave(): Promise<void> {
    try { await signOut() } catch { this.tell(this.t('signout_failed'), 'error'); return }
    location.assign('/signin')
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

  private followAddress(): void {
    const link = readLink(location.href)
    if (link.camera && this.engine) this.engine.map.jumpTo({ center: [link.camera.lon, link.camera.lat], zoom: link.camera.zoom })
    if (link.lang) { this.linkLang = true; void this.setLang(link.lang) }
    if (link.theme) { this.linkTheme = true; void this.setTheme(link.theme) }
    if (this.catalogue && link.layers) { this.adopt(this.catalogue, true); this.engine?.update({ view: this.view }) }
    if (link.selection && link.selection.id !== this.selected?.id) void this.open(link.selection.layer, link.selection.id, false)
  }
}

function touches(boxes: readonly TileBox[], geometry: GeoJSON.Geometry | null): boolean {
  const box = boundsOf(geometry)
  return box === null || boxes.length === 0 || boxOverlaps(boxes, box)
}

export const app = new App()
