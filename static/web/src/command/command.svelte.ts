/**
 * The command room: what is happening now, and what is being done about it.
 *
 *   import { command } from '../command.svelte.ts'
 *   const say = command.speak({ title: ['叫应', 'Call-outs'] })        // words of a page's own
 *   const t = $derived(command.t)                                     // words of the room
 *   const r = await command.call<T>('/api/callouts', { method: 'PUT', body })
 *   catch (e) { command.tell(command.explain(e), 'error') }
 *   command.go({ page: 'calls', id })                                 // the address is the state
 *   const off = command.on('calls', (e) => …)                         // a record changed; e is null: read everything again
 *   command.stage?.fly({ box }); command.stage?.overlay('calls', {…}) // the map beside the page
 */
import { SvelteMap } from 'svelte/reactivity'
import { within } from '../desk/http.ts'
import { nobody } from '../lib/me.ts'
import { recall, remember } from '../lib/store.ts'
import type { Lang, Theme } from '../lib/types.ts'
import { Room } from '../room/room.svelte.ts'
import { refreshMs, type ProfileRules } from './profile.ts'
import { exists, pages, type Page } from './registry.ts'
import type { Stage } from './stage.ts'
import { SILENCE, Stream, type LineState, type RecordEvent } from './stream.ts'
import type { DutyNow, Response } from './types.ts'
import { words, type Word } from './words.ts'

export interface Place { page?: string; id?: string; incident?: string; new?: string; wall?: string; brief?: string; [filter: string]: string | undefined }
type Hear = (e: RecordEvent | null) => void

/** What a room may hear of. Which of them one does, the server says. */
export const topics = ['tiles', 'incidents', 'incident_events', 'alerts', 'alert_receipts', 'shelters', 'teams', 'road_blocks', 'sensors', 'incident_reports', 'response', 'callouts', 'call_targets', 'calls', 'evacuation_entries', 'alarms', 'dispatches', 'response_tasks', 'papers', 'notices'] as const
export type Topic = Exclude<typeof topics[number], 'tiles'>

const layerTopics: ReadonlySet<string> = new Set(['incidents', 'alerts', 'shelters', 'teams', 'road_blocks', 'sensors'])
/** records everybody who is signed in hears of */
const open: ReadonlySet<string> = new Set(['response', 'incident_events'])
/** what a wall hears of besides: that something changed, and of nobody */
const onWall: ReadonlySet<string> = new Set(['callouts', 'call_targets', 'calls', 'evacuation_entries'])

const KEPT = ['e2e', 'lang', 'theme', 'wall', 'frugal', 'place']

/** what the room asks again and again is not waited for longer than this */
export const PATIENCE = 20_000

class Command extends Room<Word> {
  readonly id = 'command' as const
  readonly words = words
  place = $state.raw<Place>({})
  counts = new SvelteMap<string, number>()
  /** the map beside the page, once it is drawn */
  stage = $state.raw<Stage | null>(null)
  lag = $state<number | null>(null)
  /** when the server last said anything on the line */
  heardAt = $state<number | null>(null)
  retryAt = $state<number | null>(null)
  reconnects = $state(0)
  heard = $state.raw<readonly string[]>([])
  responses = $state.raw<readonly Response[]>([])
  dutyNow = $state.raw<DutyNow | null>(null)
  profile = $state<'peace' | 'war'>('peace')
  /** what the profile sets; null before it is known */
  rules = $state.raw<ProfileRules | null>(null)
  /** everything the room begins with was read */
  started = $state(false)
  private stream: Stream | null = null
  private hearers = new Map<Topic, Set<Hear>>()
  private dirty = new Set<(layer: string, boxes: readonly import('../map/tiles.ts').TileBox[] | null) => void>()

  get wall(): boolean { return this.place.wall === '1' || this.me.kind === 'wall' }
  get brief(): boolean { return this.place.brief === '1' }
  get pages(): readonly Page[] { return pages.filter((p) => exists(p) && (p.needs.length === 0 || p.needs.some((n) => this.permitted(n)))) }
  get page(): Page | null { return this.pages.find((p) => p.id === this.place.page) ?? this.pages[0] ?? null }
  /** may this person change things here: a wall never */
  get works(): boolean { return !this.wall && this.me.kind !== 'wall' && (this.permitted('work_desk') || this.permitted('command_post')) }
  get title(): string { return this.catalogue?.home?.title ?? '' }
  protected override get heading(): string { return this.page ? this.say2(this.page.title) : '' }

  say2(pair: readonly [string, string]): string { return pair[this.lang === 'en' ? 1 : 0] }
  /** speak makes the words of a page: read in markup or effects, they follow the language. */
  speak<W extends string>(own: Record<W, readonly [string, string]>): (key: W, params?: Record<string, string | number>) => string {
    return (key, params = {}) => this.say2(own[key]).replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole))
  }
  /** hears says whether the line tells of a topic; what it does not, has to be asked for. */
  hears(topic: Topic): boolean { return this.heard.includes(topic) }

  override async start(): Promise<void> {
    this.follow()
    await super.start()
    // A wall, or a server that was just away: nobody is there to press a button.
    if (this.wall && !this.catalogue) { window.setInterval(() => void this.renew(), 15_000); return }
    // Dark is the room's own; the choice of the other rooms does not follow a person in here.
    this.dress()
  }

  protected async opened(): Promise<void> {
    if (!this.catalogue) return
    this.heard = await this.hearable()
    this.stream = new Stream(this.heard, this.catalogue.position, {
      state: (state: LineState, retryAt) => {
        const back = this.live === 'lost' && state === 'live'
        this.live = state
        this.retryAt = retryAt
        this.reconnects = this.stream?.reconnects ?? this.reconnects
        document.documentElement.dataset.live = state
        document.documentElement.dataset.reconnects = String(this.reconnects)
        if (back) this.say(this.t('live_back'))
      },
      lag: (ms, at) => { this.lag = ms; this.heardAt = at },
      tiles: (layer, boxes) => { this.heardAt = Date.now(); for (const run of this.dirty) run(layer, boxes.length > 0 ? boxes : null) },
      record: (e) => { this.heardAt = Date.now(); for (const run of this.hearers.get(e.topic as Topic) ?? []) run(e) },
      reset: () => this.everything(),
      rights: () => void this.rights(),
      refused: () => void this.refused(),
    })
    window.addEventListener('online', () => this.stream?.now())
    window.addEventListener('offline', () => this.stream?.doubt())
    // After sleep the first tick of any clock is late by as long as it slept.
    let last = Date.now()
    window.setInterval(() => {
      const now = Date.now()
      if (now - last > 20_000) this.stream?.awake()
      last = now
    }, 1000)
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.stream?.awake() })
    window.addEventListener('pageshow', (e) => { if (e.persisted) this.stream?.now() })
    this.on('response', () => void this.readHead())
    await this.readHead()
    this.every(() => void this.readHead())
    this.started = true
  }

  /** hearable is what this person may hear of; a line with one topic he may not is refused whole. */
  private async hearable(): Promise<readonly string[]> {
    const may = async (list: readonly string[]): Promise<boolean> => {
      const end = within(SILENCE)
      try { return (await fetch(`/api/live?topics=${list.join(',')}`, { method: 'HEAD', cache: 'no-store', signal: end.signal })).ok } catch { return false } finally { end.done() }
    }
    // Layers are named by the catalogue; records are the desk's and the command's.
    const layers = new Set(this.catalogue?.layers.map((l) => l.id))
    const wish = topics.filter((t) => t === 'tiles' || (layerTopics.has(t) ? layers.has(t) : this.permitted('work_desk') || this.permitted('command_post') || open.has(t) || (this.me.kind === 'wall' && onWall.has(t)) || (t === 'papers' && this.permitted('sign_papers'))))
    if (await may(wish)) return wish
    const each = await Promise.all(wish.map(async (t) => ((await may([t])) ? t : null)))
    return each.filter((t) => t !== null)
  }

  private everything(): void {
    for (const all of this.hearers.values()) for (const run of all) run(null)
    for (const run of this.dirty) run('', null)
    void this.readHead()
  }

  private refusedAt = 0
  /** A refusal may be about us or about too many lines: who we are is asked at most each quarter minute, and only a change opens the line before its time. */
  private async refused(): Promise<void> {
    if (Date.now() - this.refusedAt < 15_000) return
    this.refusedAt = Date.now()
    await this.whoami()
    if (!this.me.signed_in) { this.again = true; return }
    const heard = await this.hearable()
    if (heard.length > 0 && heard.join() !== this.heard.join()) await this.rights()
  }

  private rightsTurn = 0
  private async rights(): Promise<void> {
    const turn = ++this.rightsTurn
    await this.whoami()
    if (turn !== this.rightsTurn) return
    if (!this.me.signed_in) { if (this.me !== nobody && !this.again) this.again = true; return }
    await this.readCatalogue()
    const heard = await this.hearable()
    if (turn !== this.rightsTurn || !this.catalogue || heard.length === 0) return
    this.heard = heard
    this.stream?.renew(heard, this.catalogue.position)
    this.everything()
  }

  /** cut says that what is shown may be old: nothing was heard for longer than the line may be silent, or it is lost. */
  get cut(): boolean { return this.live === 'lost' || (this.heardAt !== null && this.now - this.heardAt > SILENCE + 4000) }

  /** renew loads the page anew, and only when there is a server to load it from: a browser's own page of errors would hang there for ever. */
  async renew(): Promise<void> {
    const end = within(SILENCE)
    try { if ((await fetch('/readyz', { cache: 'no-store', signal: end.signal })).ok) location.reload() } catch { /* another time */ } finally { end.done() }
  }

  /** retry asks for the line at once. */
  retry(): void { this.stream?.now() }

  on(topic: Topic, run: Hear): () => void {
    const all = this.hearers.get(topic) ?? new Set<Hear>()
    this.hearers.set(topic, all.add(run))
    return () => all.delete(run)
  }
  /** onTiles hears which tiles are dirty; boxes null: all of the layer, layer empty: all of every layer. */
  onTiles(run: (layer: string, boxes: readonly import('../map/tiles.ts').TileBox[] | null) => void): () => void {
    this.dirty.add(run)
    return () => this.dirty.delete(run)
  }

  count(page: string, n: number): void { this.counts.set(page, n) }

  /** readHead is what stands above everything: the responses in force and who is on duty. */
  async readHead(): Promise<void> {
    try {
      const { data } = await this.call<{ responses: Response[]; profile: 'peace' | 'war'; profile_rules?: ProfileRules; duty: DutyNow }>('/api/responses?active=true', { patience: PATIENCE })
      this.responses = data.responses ?? []
      this.follows(data.profile ?? 'peace', data.profile_rules ?? null)
      this.dutyNow = data.duty ?? null
    } catch { /* the line already says when the server is away; what is shown stays, with its age */ }
  }

  private rhythms = new Set<() => void>()
  /** every runs something as often as the profile says, from the moment it changes at the new pace. */
  every(run: () => void): () => void {
    let timer = 0
    const arm = (): void => {
      window.clearTimeout(timer)
      // Without a session every question would wait for one: they would only gather.
      timer = window.setTimeout(() => { arm(); if (!this.again) run() }, refreshMs(this.rules))
    }
    arm()
    this.rhythms.add(arm)
    return () => { window.clearTimeout(timer); this.rhythms.delete(arm) }
  }

  /** follows takes over what a profile sets: the map reads `rules`, what is asked again takes the new pace, and the room is told. */
  private follows(profile: 'peace' | 'war', rules: ProfileRules | null): void {
    const before = this.rules, was = this.profile
    this.profile = profile
    if (!rules || (before && JSON.stringify(before) === JSON.stringify(rules) && was === profile)) return
    this.rules = rules
    if (refreshMs(before) !== refreshMs(rules)) for (const arm of this.rhythms) arm()
    if (before && was !== profile) this.tell(this.t(profile === 'war' ? 'profile_war' : 'profile_peace', { s: refreshMs(rules) / 1000, n: rules.layers.length, report: rules.report_every_min ? this.t('profile_report', { n: rules.report_every_min }) : '' }))
  }

  /** go moves to another place; what is not named is left behind, except how the room is looked at. */
  go(to: Place, replace = false): void {
    const url = new URL(location.href)
    for (const key of [...url.searchParams.keys()]) if (!KEPT.includes(key)) url.searchParams.delete(key)
    for (const [k, v] of Object.entries(to)) if (v) url.searchParams.set(k, v); else url.searchParams.delete(k)
    history[replace ? 'replaceState' : 'pushState'](null, '', url)
    this.follow()
    this.dress()
  }
  /** also changes some of the place and keeps the rest. */
  also(to: Place, replace = false): void {
    const rest: Place = {}
    for (const [k, v] of Object.entries(this.place)) if (!KEPT.includes(k)) rest[k] = v
    this.go({ ...rest, ...to }, replace)
  }

  protected follow(): void {
    const place: Place = {}
    for (const [k, v] of new URL(location.href).searchParams) if (!['e2e', 'lang', 'theme', 'frugal'].includes(k)) place[k] = v
    this.place = place
  }

  override setTheme(theme: Theme): void { this.theme = theme; remember('theme.command', theme); this.dress() }
  override dress(): void {
    const asked = new URL(location.href).searchParams.get('theme')
    const kept = recall('theme.command')
    const theme = asked === 'light' || asked === 'dark' ? asked : this.wall ? 'dark' : kept === 'light' ? 'light' : 'dark'
    if (this.theme !== theme) this.theme = theme
    super.dress()
  }
  override setLang(lang: Lang): void { super.setLang(lang); this.everything() }
}

export const command = new Command()
