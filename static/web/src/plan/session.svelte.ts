/**
 * The session of the planner's table: who is asking, which plan is open, and the way to
 * the server. How a page uses it:
 *
 *   import { session } from '../session.svelte.ts'
 *   const t = $derived(session.t)                                  // words of words.ts and words-pages.ts
 *   const r = await session.call<T>('/api/plans', { method: 'POST', body, match: plan.etag })
 *   catch (e) { session.tell(session.explain(e), 'error') }        // Refusal: status, code, detail, errors, body
 *   session.may('submit')                                          // rights on the open plan
 *   session.go({ id, tab: 'review', zone })                        // the address is the state
 *   await session.transition('submitted', { note })                // and others that change the plan: then session.reread()
 *   session.zones.list(), session.zones.get(id), session.zones.turn // the draft, exact
 *   session.stage?.overlay('comments', {...}); session.stage?.fly({ box })
 *   const off = session.onChanged(() => …)                         // somebody edited, commented or moved the plan on
 *   await session.confirm({ title, text, yes, danger, reason: '理由' }) // null: no; else the reason
 */
import { pickLanguage } from '../i18n/pick.ts'
import { ask, Refusal, type Answer, type Ask } from '../desk/http.ts'
import { area, distance, number } from '../lib/format.ts'
import { onAnnounce, signOut } from '../lib/leave.ts'
import { Live, type LiveState } from '../lib/live.ts'
import { nobody, readMe, signInAt, tabsFor, type Me } from '../lib/me.ts'
import { recall, remember } from '../lib/store.ts'
import type { Catalogue, Lang, Theme } from '../lib/types.ts'
import { pages, type Page } from './registry.ts'
import type { Stage } from './stage.ts'
import type { Action, CodeList, Plan, Step, ZoneCollection } from './types.ts'
import { pageWords } from './words-pages.ts'
import { words as ownWords } from './words.ts'
import { Zones } from './zones.svelte.ts'

const words = { ...pageWords, ...ownWords }
export type Word = keyof typeof words
export interface Place { id?: string; tab?: string; zone?: string; against?: string; import?: string }
export interface Question { title: string; text: string; yes: string; danger?: boolean; reason?: string; min?: number; answer: (reason: string | null) => void }
export interface Toast { text: string; kind: 'info' | 'error'; action?: { label: string; run: () => void } }

class Session {
  lang = $state<Lang>('zh-CN')
  theme = $state<Theme>('light')
  phone = $state(false)
  now = $state(Date.now())
  me = $state.raw<Me>(nobody)
  known = $state(false)
  failed = $state('')
  /** layers, code lists, ladders and home of the asker, as /api/layers says */
  catalogue = $state.raw<Catalogue | null>(null)

  place = $state.raw<Place>({})
  plan = $state.raw<Plan | null>(null)
  planFailed = $state('')
  readonly zones = new Zones()
  zonesKnown = $state(false)
  stage = $state.raw<Stage | null>(null)

  /** what is not on the server yet, and when it last was; the editor keeps these */
  unsent = $state(0)
  saving = $state(false)
  savedAt = $state<number | null>(null)
  online = $state(true)
  live = $state<LiveState>('connecting')
  lag = $state<number | null>(null)

  toast = $state.raw<Toast | null>(null)
  said = $state('')
  question = $state.raw<Question | null>(null)
  /** a call waits for the person to sign in again */
  again = $state(false)

  private toastTimer = 0
  private waiting: (() => void)[] = []
  private changed = new Set<() => void>()
  private stream: Live | null = null
  private turn = 0

  t = (key: Word, params: Record<string, string | number> = {}): string =>
    words[key][this.lang === 'en' ? 1 : 0].replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole))

  // ---- reading -------------------------------------------------------------

  /** the page under the header or beside the map; the editor itself is none */
  get page(): Page | null {
    const tab = this.place.tab ?? (this.place.id ? 'edit' : 'list')
    return pages.find((p) => p.id === tab) ?? null
  }
  may(action: Action): boolean { return this.plan?.may.includes(action) ?? false }
  permitted(permission: string): boolean { return this.me.permissions.includes(permission) }
  get administers(): boolean { return tabsFor(this.me.permissions).length > 0 }

  /** the steps of the open plan's ladder, the most severe first */
  get steps(): Step[] { return (this.plan && this.catalogue?.ladders[this.plan.ladder]?.steps) || [] }
  step(level: number | null | undefined): Step | null { return this.steps.find((s) => s.level === level) ?? null }
  colorOf(step: Step | null): string { return step ? (this.theme === 'dark' ? step.color_dark || step.color : step.color) : this.theme === 'dark' ? '#5F7790' : '#A7AEB7' }
  number(n: number, digits = 0): string { return number(n, this.lang, digits) }
  area(squareMetres: number): string { return area(squareMetres, this.lang) }
  distance(metres: number): string { return distance(metres, this.lang) }
  list(name: string): CodeList | null { return this.catalogue?.code_lists[name] ?? null }

  // ---- the life of the page ------------------------------------------------

  async start(): Promise<void> {
    const url = new URL(location.href)
    this.lang = pickLanguage(url.searchParams.get('lang'), recall('lang'), navigator.languages ?? [navigator.language])
    this.theme = document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'
    const phone = matchMedia('(max-width: 720px)')
    this.phone = phone.matches
    phone.addEventListener('change', () => { this.phone = phone.matches })
    this.online = navigator.onLine !== false
    window.addEventListener('online', () => { this.online = true; this.stream?.now() })
    window.addEventListener('offline', () => { this.online = false })
    window.addEventListener('popstate', () => void this.follow())
    window.setInterval(() => { if (!document.hidden) this.now = Date.now() }, 1000)
    onAnnounce(() => void this.whoami())
    this.dress()
    await this.whoami()
    if (!this.known) return
    if (!this.me.signed_in) { location.replace(this.me.setup_required ? '/setup' : signInAt(location)); return }
    if (this.me.limited) { location.replace('/account'); return }
    await this.readCatalogue()
    await this.follow()
    document.documentElement.dataset.ready = '1'
  }

  private async whoami(): Promise<void> {
    try {
      const me = readMe((await ask<unknown>('/api/me', { lang: this.lang })).data)
      const other = this.known && me.id !== this.me.id && this.me.id !== null && me.id !== null
      this.me = me
      this.known = true
      this.failed = ''
      // Another person at the same browser does not go on with what the first one had open.
      if (other) { location.reload(); return }
      if (me.signed_in && this.again) { this.again = false; for (const go of this.waiting.splice(0)) go() }
    } catch (error) { if (!this.known) this.failed = this.explain(error) }
  }

  private async readCatalogue(): Promise<void> {
    try {
      this.catalogue = (await this.call<Catalogue>('/api/layers')).data
      if (!this.stream) this.listen(this.catalogue.position)
    } catch (error) { this.failed = this.explain(error) }
  }

  private listen(position: string): void {
    this.stream = new Live(position, {
      state: (state, lag) => { this.live = state; this.lag = lag; document.documentElement.dataset.live = state },
      tiles: (dirty) => { if (dirty.layer === 'zones') this.tellChanged() },
      reset: () => this.tellChanged(),
      rights: () => { void this.whoami(); void this.readCatalogue(); void this.reread() },
    })
    // Drafts are in no public stream: their readers ask now and then.
    window.setInterval(() => { if (!document.hidden && this.plan && this.online) this.tellChanged() }, 15_000)
  }
  private tellChanged(): void { for (const run of this.changed) run() }
  onChanged(run: () => void): () => void { this.changed.add(run); return () => this.changed.delete(run) }

  // ---- the address ---------------------------------------------------------

  go(to: Place, replace = false): void {
    const url = new URL(location.href)
    const keep = ['e2e', 'lang', 'theme']
    for (const key of [...url.searchParams.keys()]) if (!keep.includes(key)) url.searchParams.delete(key)
    for (const [k, v] of Object.entries(to)) if (v) url.searchParams.set(k, v)
    if (to.id !== this.place.id) url.hash = ''
    history[replace ? 'replaceState' : 'pushState'](null, '', url)
    void this.follow()
  }
  /** open is go within the open plan */
  open(tab: string, more: Omit<Place, 'id' | 'tab'> = {}): void { this.go({ id: this.place.id, tab, ...more }) }
  select(zone: string | null): void { if ((this.place.zone ?? null) !== zone) this.go({ ...this.place, zone: zone ?? undefined }, true) }

  private async follow(): Promise<void> {
    const q = new URL(location.href).searchParams
    const get = (k: string) => q.get(k) ?? undefined
    const before = this.place.id
    this.place = { id: get('id'), tab: get('tab'), zone: get('zone'), against: get('against'), import: get('import') }
    if (this.place.id !== before) await this.readPlan()
    this.dress()
  }

  private async readPlan(): Promise<void> {
    const turn = ++this.turn
    this.plan = null
    this.planFailed = ''
    this.zonesKnown = false
    this.zones.clear()
    const id = this.place.id
    if (!id) return
    try {
      const [plan, zones] = await Promise.all([
        this.call<Plan>(`/api/plans/${encodeURIComponent(id)}`),
        this.call<ZoneCollection>(`/api/plans/${encodeURIComponent(id)}/zones`),
      ])
      if (turn !== this.turn) return
      this.plan = plan.data
      this.zones.load(zones.data)
      this.zonesKnown = true
      this.dress()
    } catch (error) { if (turn === this.turn) this.planFailed = this.explain(error) }
  }
  retryPlan(): void { void this.readPlan() }

  /** reread asks for the plan again (its state, counts and rights), and with `zones` for the draft too. */
  async reread(zones = false): Promise<void> {
    const id = this.place.id
    if (!id || !this.plan) return
    try {
      const plan = (await this.call<Plan>(`/api/plans/${encodeURIComponent(id)}`)).data
      const all = zones ? (await this.call<ZoneCollection>(`/api/plans/${encodeURIComponent(id)}/zones`)).data : null
      if (this.place.id !== id) return
      this.plan = plan
      if (all) this.zones.load(all)
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) { this.plan = null; this.planFailed = this.explain(error) }
    }
  }

  async transition(to: string, more: { note?: string; document_no?: string; effective_from?: string } = {}): Promise<Plan> {
    const plan = this.plan!
    const r = await this.call<Plan>(`/api/plans/${plan.id}/transitions`, { method: 'POST', body: { to, ...more }, match: plan.etag })
    if (this.place.id === plan.id) this.plan = r.data
    return r.data
  }

  dress(): void {
    document.documentElement.dataset.theme = this.theme
    document.documentElement.lang = this.lang
    document.title = [this.plan?.title, this.t('room_plan'), this.t('product')].filter(Boolean).join(' · ')
  }
  setTheme(theme: Theme): void { this.theme = theme; remember('theme', theme); this.dress() }
  setLang(lang: Lang): void { this.lang = lang; remember('lang', lang); this.dress(); void this.whoami(); void this.readCatalogue(); void this.reread() }

  // ---- the server ----------------------------------------------------------

  /** call asks the server. When the session has ended it waits until the person has signed in again. */
  async call<T>(path: string, a: Omit<Ask, 'lang'> = {}): Promise<Answer<T>> {
    for (;;) {
      try {
        return await ask<T>(path, { ...a, lang: this.lang })
      } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 401 || !this.me.signed_in) throw error
        this.again = true
        await new Promise<void>((resolve) => this.waiting.push(resolve))
      }
    }
  }

  async leave(): Promise<void> {
    // Leaving empties what this browser keeps, steps that were not sent included.
    if (this.unsent > 0 && (await this.confirm({ title: this.t('signout'), text: this.t('signout_unsent', { n: this.unsent }), yes: this.t('signout'), danger: true })) === null) return
    try { await signOut() } catch { this.tell(this.t('signout_failed'), 'error'); return }
    location.assign('/signin')
  }

  explain(error: unknown): string {
    if (error instanceof Refusal) {
      if (error.status === 0) return this.t('error_network')
      if (error.status === 429) return this.t('error_throttled', { n: error.retryAfter || 1 })
      if (error.status === 412) return this.t('error_stale')
      const lines = error.errors.map((e) => e.message).filter(Boolean)
      if (lines.length > 0) return lines.slice(0, 3).join(this.lang === 'en' ? ' ' : '')
      if (error.detail || error.title) return error.detail || error.title
      if (error.status === 403) return this.t('error_forbidden')
      if (error.status === 404) return this.t('error_gone')
      return this.t('error_server', { status: error.status })
    }
    console.error(error)
    return this.t('error_title')
  }

  // ---- saying things -------------------------------------------------------

  tell(text: string, kind: Toast['kind'] = 'info', action?: Toast['action']): void {
    clearTimeout(this.toastTimer)
    this.toast = { text, kind, action }
    this.said = text
    this.toastTimer = window.setTimeout(() => { this.toast = null }, kind === 'error' || action ? 10_000 : 4000)
  }
  say(text: string): void { this.said = text }

  /** confirm asks before a step that cannot be taken back, or for a reason. Null means no. */
  confirm(q: Omit<Question, 'answer'>): Promise<string | null> {
    return new Promise((resolve) => {
      this.question = { ...q, answer: (reason) => { this.question = null; resolve(reason) } }
    })
  }

  async copy(text: string): Promise<void> {
    let ok = false
    try { await navigator.clipboard.writeText(text); ok = true } catch {
      const area = document.createElement('textarea')
      area.value = text
      area.className = 'off-screen'
      ;(document.querySelector('dialog[open]') ?? document.body).append(area)
      area.select()
      try { ok = document.execCommand('copy') } catch { ok = false }
      area.remove()
    }
    this.tell(this.t(ok ? 'copied' : 'copy_failed'), ok ? 'info' : 'error')
  }
}

export const session = new Session()
