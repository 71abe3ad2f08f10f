import { pickLanguage } from '../i18n/pick.ts'
import { announce, onAnnounce, signOut } from '../lib/leave.ts'
import { nobody, readMe, safeNext, signInAt, tabsFor, type Me, type TabID } from '../lib/me.ts'
import { recall, remember } from '../lib/store.ts'
import type { Lang, Theme } from '../lib/types.ts'
import { ask, Refusal, type Ask, type Answer } from './http.ts'
import { takeCode } from './rules.ts'
import { words, type Word } from './words.ts'

export type Page = 'signin' | 'setup' | 'activate' | 'enrol' | 'account' | 'admin'
export interface Question { title: string; text: string; yes: string; danger: boolean; reason?: string; answer: (reason: string | null) => void }

/** Desk is the page around every form: who is asking, in what words, and what was said last. */
class Desk {
  lang = $state<Lang>('zh-CN')
  theme = $state<Theme>('light')
  page = $state<Page>('signin')
  me = $state.raw<Me>(nobody)
  known = $state(false)
  failed = $state('')
  tab = $state<TabID | ''>('')
  /** what follows the tab in the address, such as a person's id */
  detail = $state('')
  toast = $state.raw<{ text: string; kind: 'info' | 'error'; action?: { label: string; run: () => void } } | null>(null)
  said = $state('')
  question = $state.raw<Question | null>(null)
  /** a call that waits for the person to sign in again */
  again = $state.raw<{ done: () => void } | null>(null)
  now = $state(Date.now())
  /** the code the page was opened with; it is in no address any more */
  code = ''
  private toastTimer = 0
  private waiting: Promise<void> | null = null

  t = (key: Word, params: Record<string, string | number> = {}): string =>
    words[key][this.lang === 'en' ? 1 : 0].replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole))

  get tabs(): TabID[] { return tabsFor(this.me.permissions) }
  get next(): string { return safeNext(new URL(location.href).searchParams.get('next'), location.origin) }
  may(permission: string): boolean { return this.me.permissions.includes(permission) }

  async start(): Promise<void> {
    const url = new URL(location.href)
    this.page = (/^\/(signin|setup|activate|enrol|account|admin)\/?$/.exec(url.pathname)?.[1] ?? 'signin') as Page
    if (this.page === 'setup' || this.page === 'activate' || this.page === 'enrol') this.code = takeCode(location, history)
    this.lang = pickLanguage(url.searchParams.get('lang'), recall('lang'), navigator.languages ?? [navigator.language])
    this.theme = document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'
    this.dress()
    window.setInterval(() => { if (!document.hidden) this.now = Date.now() }, 1000)
    window.addEventListener('hashchange', () => this.follow())
    onAnnounce(() => void this.read(true))
    await this.read()
    document.documentElement.dataset.ready = '1'
  }

  /** read asks who we are. Another tab may have changed that; then only what is shown changes. */
  async read(quiet = false): Promise<void> {
    try {
      this.me = readMe((await ask<unknown>('/api/me', { lang: this.lang })).data)
      this.failed = ''
      this.known = true
    } catch (error) {
      if (!quiet) this.failed = this.explain(error)
      return
    }
    if ((this.page === 'account' || this.page === 'admin') && !this.me.signed_in && !this.me.limited) {
      location.replace(this.me.setup_required ? '/setup' : signInAt(location))
      return
    }
    if (this.me.limited && this.page === 'admin') { location.replace('/account'); return }
    this.follow()
  }

  follow(): void {
    if (this.page !== 'admin') return
    const [tab = '', ...rest] = location.hash.replace(/^#/, '').split('/')
    const all = this.tabs
    this.tab = all.includes(tab as TabID) ? tab as TabID : all[0] ?? ''
    this.detail = tab === this.tab ? decodeURIComponent(rest.join('/')) : ''
    this.dress()
  }

  go(tab: TabID, detail = ''): void {
    location.hash = detail ? `${tab}/${encodeURIComponent(detail)}` : tab
  }

  dress(): void {
    document.documentElement.dataset.theme = this.theme
    document.documentElement.lang = this.lang
    const part = this.page === 'admin' && this.tab ? this.t(`tab_${this.tab}`) : this.t(`page_${this.page}`)
    document.title = `${part} · ${this.t('product')}`
  }

  setTheme(theme: Theme): void { this.theme = theme; remember('theme', theme); this.dress() }
  setLang(lang: Lang): void { this.lang = lang; remember('lang', lang); this.dress(); void this.read(true) }

  // ---- the server ----------------------------------------------------------

  /** call asks the server; if the session has ended meanwhile, the person signs in on the spot and nothing typed is lost. */
  async call<T>(path: string, a: Omit<Ask, 'lang'> = {}): Promise<Answer<T>> {
    try {
      return await ask<T>(path, { ...a, lang: this.lang })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.status === 401 && (error.code === 'not_signed_in' || error.code === '') && this.me.signed_in) {
        await this.signInAgain()
        return await ask<T>(path, { ...a, lang: this.lang })
      }
      if (error.code === 'session_limited' && this.page !== 'account') location.assign('/account')
      throw error
    }
  }

  private signInAgain(): Promise<void> {
    this.waiting ??= new Promise<void>((resolve) => {
      this.again = { done: () => { this.again = null; this.waiting = null; resolve() } }
    })
    return this.waiting
  }

  /** adopt takes the answer of a successful sign-in, which is the body of /api/me. */
  adopt(body: unknown): void {
    this.me = readMe(body)
    announce()
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
      // In a setting written as JSON, which part of it: allow[1], sources[0].url.
      const lines = error.errors.filter((e) => e.message).map((e) => { const part = /^value[./](.*\[\d+\].*)$/.exec(e.path)?.[1]; return part ? `${part}: ${e.message}` : e.message })
      if (lines.length > 0) return lines.join(this.lang === 'en' ? ' ' : '')
      if (error.detail || error.title) return error.detail || error.title
      if (error.status === 403) return this.t('error_forbidden')
      if (error.status === 404) return this.t('error_gone')
      return this.t('error_server', { status: error.status })
    }
    console.error(error)
    return this.t('error_title')
  }

  // ---- saying things -------------------------------------------------------

  tell(text: string, kind: 'info' | 'error' = 'info', action?: { label: string; run: () => void }): void {
    clearTimeout(this.toastTimer)
    this.toast = { text, kind, action }
    this.said = text
    this.toastTimer = window.setTimeout(() => { this.toast = null }, kind === 'error' || action ? 10_000 : 4000)
  }

  /** confirm asks before a step that cannot be taken back; the consequence is in the words. With `reason` it also asks why. */
  confirm(q: Omit<Question, 'answer'>): Promise<string | null> {
    return new Promise((resolve) => {
      this.question = { ...q, answer: (reason) => { this.question = null; resolve(reason) } }
    })
  }

  async copy(text: string): Promise<boolean> {
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
    return ok
  }
}

export const desk = new Desk()
