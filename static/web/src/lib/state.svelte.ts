import { tick } from 'svelte'
import { translate, type Key, type Params } from '../i18n/index.ts'
import type { LayerSetting, View } from '../map/compose.ts'
import type { Camera, Engine, Scene } from '../map/engine.ts'
import { Problem } from './api.ts'
import { ago, clock, dateTime } from './format.ts'
import { nobody, type Me } from './me.ts'
import type { LiveState } from './live.ts'
import { remember } from './store.ts'
import type { About, Box, Catalogue, Hit, Lang, Layer, LegendEntry, Step, Theme } from './types.ts'
import { isDefault, writeLayer, writeLink } from './url.ts'

export interface Toast { text: string; kind: 'info' | 'error'; action?: { label: string; run: () => void } }
export interface Tip { x: number; y: number; layer: string; title: string; level: number; properties: Record<string, unknown>; count?: number }

/** State is what the page knows, the words it says and the address that holds it. */
export class State {
  lang = $state<Lang>('zh-CN')
  theme = $state<Theme>('light')
  textures = $state(false)
  catalogue = $state.raw<Catalogue | null>(null)
  me = $state.raw<Me>(nobody)
  /** the session ended while the map was open; what is shown stays until the person signs in again */
  sessionLost = $state(false)
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
  protected linkTheme = false
  protected linkLang = false
  private toastTimer = 0
  private urlTimer = 0

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
      const rank = (value: string) => list?.items.findIndex((i) => i.code === value) ?? 0
      for (const [value, name] of Object.entries(by.map).sort(([a], [b]) => rank(a) - rank(b))) {
        const ladder = all[name]
        if (ladder) out.push({ key: value, value, title: list?.items.find((i) => i.code === value)?.title ?? ladder.title, steps: ladder.steps })
      }
    } else if (layer.ladder && all[layer.ladder]) {
      out.push({ key: layer.ladder, value: null, ...all[layer.ladder]! })
    }
    return out
  }

  /** usual is a layer as it is before anybody touched it. Of several ladders one is shown: two together would mix. */
  usual(layer: Layer, visible = layer.default_visible): LayerSetting {
    const one = layer.ladder_by && layer.ladder_by.field === layer.kind_field ? this.laddersOf(layer)[0]?.value : null
    return { visible, opacity: 1, levels: null, kinds: one ? [one] : null }
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

  /** signature is who takes a picture away with him, and when; empty before anybody signs in. */
  signature(at = Date.now()): string {
    return this.me.signed_in ? [this.me.name, this.me.username, dateTime(at)].filter(Boolean).join(' ') : ''
  }

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
    const plain = layers.every((l) => this.settings[l.id] && isDefault(this.usual(l), this.settings[l.id]!))
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
