/**
 * What every room of signed-in people needs: who asks, in what words, the way to the
 * server, and saying things. A room of its own extends it with what it shows.
 */
import { ask, Refusal, type Answer, type Ask } from '../desk/http.ts'
import { pickLanguage } from '../i18n/pick.ts'
import { onAnnounce, signOut } from '../lib/leave.ts'
import { nobody, readMe, signInAt, tabsFor, type Me } from '../lib/me.ts'
import { recall, remember } from '../lib/store.ts'
import type { Catalogue, CodeList, Lang, Step, Theme } from '../lib/types.ts'
import { roomWords, type RoomWord } from './words.ts'

export interface Question { title: string; text: string; yes: string; danger?: boolean; reason?: string; min?: number; answer: (reason: string | null) => void }
export interface Toast { text: string; kind: 'info' | 'error'; action?: { label: string; run: () => void } }
export type RoomID = 'plan' | 'duty' | 'command'

export abstract class Room<W extends string> {
  abstract readonly id: RoomID
  abstract readonly words: Record<W, readonly [string, string]>

  lang = $state<Lang>('zh-CN')
  theme = $state<Theme>('light')
  phone = $state(false)
  now = $state(Date.now())
  me = $state.raw<Me>(nobody)
  known = $state(false)
  failed = $state('')
  /** layers, code lists, ladders and home of the asker, as /api/layers says */
  catalogue = $state.raw<Catalogue | null>(null)
  online = $state(true)
  live = $state<'connecting' | 'live' | 'lost'>('connecting')
  toast = $state.raw<Toast | null>(null)
  said = $state('')
  question = $state.raw<Question | null>(null)
  /** a call waits for the person to sign in again */
  again = $state(false)

  private toastTimer = 0
  private waiting: (() => void)[] = []

  t = (key: W | RoomWord, params: Record<string, string | number> = {}): string => {
    const pair = (this.words as Record<string, readonly [string, string]>)[key] ?? roomWords[key as RoomWord]
    return pair[this.lang === 'en' ? 1 : 0]!.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole))
  }

  permitted(permission: string): boolean { return this.me.permissions.includes(permission) }
  get administers(): boolean { return tabsFor(this.me.permissions).length > 0 }
  ladder(name: string): readonly Step[] { return this.catalogue?.ladders[name]?.steps ?? [] }
  list(name: string): CodeList | null { return this.catalogue?.code_lists[name] ?? null }

  /** opened is called once somebody is known to be signed in. */
  protected abstract opened(): Promise<void>
  /** follow reads the address. */
  protected abstract follow(): void
  /** heading is what the window is called before the name of the room. */
  protected get heading(): string { return '' }

  async start(): Promise<void> {
    const url = new URL(location.href)
    this.lang = pickLanguage(url.searchParams.get('lang'), recall('lang'), navigator.languages ?? [navigator.language])
    this.theme = document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'
    const phone = matchMedia('(max-width: 720px)')
    this.phone = phone.matches
    phone.addEventListener('change', () => { this.phone = phone.matches })
    this.online = navigator.onLine !== false
    window.addEventListener('online', () => { this.online = true })
    window.addEventListener('offline', () => { this.online = false })
    window.addEventListener('popstate', () => { this.follow(); this.dress() })
    window.setInterval(() => { this.now = Date.now() }, 1000)
    onAnnounce(() => void this.whoami())
    this.dress()
    await this.whoami()
    if (!this.known) return
    if (!this.me.signed_in) { location.replace(this.me.setup_required ? '/setup' : signInAt(location)); return }
    if (this.me.limited) { location.replace('/account'); return }
    await this.readCatalogue()
    this.follow()
    await this.opened()
    this.dress()
    document.documentElement.dataset.ready = '1'
  }

  protected async whoami(): Promise<void> {
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

  protected async readCatalogue(): Promise<void> {
    try { this.catalogue = (await this.call<Catalogue>('/api/layers')).data } catch (error) { this.failed = this.explain(error) }
  }

  dress(): void {
    document.documentElement.dataset.theme = this.theme
    document.documentElement.lang = this.lang
    document.title = [this.heading, this.t(`room_${this.id}`), this.t('product')].filter(Boolean).join(' · ')
  }
  setTheme(theme: Theme): void { this.theme = theme; remember('theme', theme); this.dress() }
  setLang(lang: Lang): void { this.lang = lang; remember('lang', lang); this.dress(); void this.whoami(); void this.readCatalogue() }

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
    try { await signOut() } catch { this.tell(this.t('signout_failed'), 'error'); return }
    location.assign('/signin')
  }

  explain(error: unknown): string {
    if (error instanceof Refusal) {
      if (error.status === 0) return this.t('error_network')
      if (error.status === 429) return this.t('error_throttled', { n: error.retryAfter || 1 })
      if (error.status === 412) return this.t('error_stale')
      // Of a table, which line it is: nobody counts from nought.
      const lines = error.errors.filter((e) => e.message).map((e) => { const n = /^(?:shifts|clauses|villages|items)\/(\d+)(?:\/|$)/.exec(e.path); return n ? this.t('error_line', { n: Number(n[1]) + 1, text: e.message }) : e.message })
      if (lines.length > 0) return [...lines.slice(0, 3), ...(lines.length > 3 ? [this.t('error_more', { n: lines.length })] : [])].join(this.lang === 'en' ? ' ' : '；')
      if (error.detail || error.title) return error.detail || error.title
      if (error.status === 403) return this.t('error_forbidden')
      if (error.status === 404) return this.t('error_gone')
      return this.t('error_server', { status: error.status })
    }
    console.error(error)
    return this.t('error_title')
  }

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
