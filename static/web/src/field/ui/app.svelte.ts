/**
 * What all screens share: the core, the language, where we are, and the watch over an
 * emergency that was not received. The address after # is the place, so that the phone's
 * own back key goes back.
 */
import { pickLanguage } from '../../i18n/pick.ts'
import { recall, remember } from '../../lib/store.ts'
import type { Core, Dictionary, Draft, Fix, Home, KindName, OutItem, Rec, Said, Status, Words } from '../types.ts'
import { words, type Word } from '../words.ts'
import { ring } from './alarm.ts'
import { hm, waits } from './format.ts'

export type Vars = Record<string, string | number>
export interface Question { text: string; yes: string; danger?: boolean; answer: (yes: boolean) => void }
type Theme = 'auto' | 'light' | 'dark'

const WAIT_S = 60

class App {
  core!: Core
  started = $state(false)
  private english = $state.raw<Record<Word, string> | null>(null)
  failed = $state('')
  lang = $state<'zh' | 'en'>('zh')
  theme = $state<Theme>('auto')
  size = $state(1)
  /** the place: page and what it is about */
  path = $state.raw<readonly string[]>(['home'])
  /** the time, for ages; a page that counts seconds has a clock of its own */
  now = $state(Date.now())
  toast = $state<{ text: string; bad?: boolean } | null>(null)
  said = $state('')
  question = $state.raw<Question | null>(null)
  /** emergencies whose ringing a person stopped */
  silenced = $state.raw<readonly string[]>([])
  private tick = $state(0)
  private toastTimer = 0

  // What the core knows. Reading any of these makes a screen follow the core.
  private read<T>(f: (c: Core) => T): T { void this.tick; return f(this.core) }
  get status(): Status { return this.read((c) => c.status()) }
  get home(): Home | null { return this.read((c) => c.home()) }
  get outbox(): OutItem[] { return this.read((c) => c.outbox()) }
  get drafts(): Draft[] { return this.read((c) => c.drafts()) }
  get fix(): Fix | null { return this.read((c) => c.fix_()) }
  records(kind: Rec['kind']): Rec[] { return this.read((c) => c.records(kind)) }
  record(id: string): Rec | null { return this.read((c) => c.record(id)) }
  dictionary(kind: KindName): Dictionary | null { return this.read((c) => c.dictionary(kind)) }
  /** pulse is read by what asks the core asynchronously. */
  get pulse(): number { return this.tick }

  get waiting(): OutItem[] { return this.outbox.filter(waits) }
  get returned(): OutItem[] { return this.outbox.filter((i) => i.state === 'returned') }
  get rules(): Home['rules'] { return this.home?.rules ?? { urgent_wait_s: WAIT_S, outbox_warn_h: 24, photos_max: 9, accuracy_warn_m: 30 } }
  /** unsent emergencies, newest first */
  get alarms(): OutItem[] { return this.outbox.filter((i) => i.urgent && i.op === 'put' && (waits(i) || i.state === 'returned')) }

  async begin(core: Core): Promise<void> {
    this.core = core
    this.lang = pickLanguage(new URLSearchParams(location.search).get('lang'), recall('lang'), ['zh']) === 'en' ? 'en' : 'zh'
    const theme = recall('theme')
    this.theme = theme === 'light' || theme === 'dark' ? theme : 'auto'
    this.size = Number(recall('field.size')) || 1
    this.dress()
    this.follow()
    // Before the style sheet is there, letters have no size yet.
    addEventListener('load', () => this.dress())
    addEventListener('popstate', () => this.follow())
    addEventListener('hashchange', () => this.follow())
    addEventListener('beforeinstallprompt', (e) => { e.preventDefault(); this.installer = e as unknown as { prompt(): Promise<void> } })
    matchMedia('(prefers-color-scheme: dark)').addEventListener?.('change', () => this.dress())
    setInterval(() => { this.now = Date.now() }, 10_000)
    setInterval(() => this.watch(), 1000)
    core.subscribe(() => { this.tick++ })
    try {
      await Promise.all([core.start(), this.speak()])
      this.started = true
      this.dress()
    } catch (e) { this.failed = this.both((e as Partial<Said> | null)?.words) || (e instanceof Error ? e.message : String(e)) }
    this.tick++
  }
  installer = $state.raw<{ prompt(): Promise<void> } | null>(null)

  /** watch rings for an emergency nobody has received, wherever in the app he is. */
  private watch(): void {
    if (!this.started) return
    const late = this.core.outbox().filter((i) => i.urgent && i.op === 'put' && (waits(i) || i.state === 'returned') && Date.now() - Date.parse(i.created_at) >= this.rules.urgent_wait_s * 1000)
    const loud = late.find((i) => !this.silenced.includes(i.op_id))
    ring(Boolean(loud))
    if (loud && this.path[0] !== 'urgent-wait') this.go(`urgent-wait/${loud.op_id}`)
  }
  private seekers = 0
  /** locate looks for the position as long as some screen needs it; the answer lets go. A little longer, so that going from page to page starts nothing anew. */
  locate(): () => void {
    this.seekers++
    this.core.watchPosition(true)
    return () => { this.seekers--; setTimeout(() => { if (this.seekers === 0) this.core.watchPosition(false) }, 15_000) }
  }
  private lit = 0
  /** awake keeps the screen on while he records; the answer lets it go. */
  awake(): () => void {
    if (this.lit++ === 0) void this.core.keepAwake(true).catch(() => {})
    return () => { if (--this.lit === 0) void this.core.keepAwake(false).catch(() => {}) }
  }
  silence(id: string): void { this.silenced = [...this.silenced, id]; ring(false) }

  t = (w: Word, vars: Vars = {}): string => {
    const text: string = (this.lang === 'en' && this.english?.[w]) || words[w]
    return text.replace(/\{(\w+)\}/g, (_, k: string) => String(vars[k] ?? ''))
  }
  /** both writes what the server gave in two languages. */
  both = (w: Words | undefined | null): string => (w ? (this.lang === 'en' ? w.en || w.zh : w.zh || w.en) : '')
  /** word is a word of ours if there is one for this code, else the code itself. */
  word = (prefix: string, code: string): string => (`${prefix}_${code}` in words ? this.t(`${prefix}_${code}` as Word) : code)

  ago(at: string | number): string {
    const min = Math.floor((this.now - new Date(at).getTime()) / 60_000)
    if (min < 1) return this.t('now')
    if (min < 60) return this.t('min_ago', { n: min })
    return min < 1440 ? this.t('h_ago', { n: Math.floor(min / 60) }) : this.t('d_ago', { n: Math.floor(min / 1440) })
  }
  when(at: string | number): string {
    const d = new Date(at), today = new Date(this.now)
    const days = Math.round((new Date(today).setHours(0, 0, 0, 0) - new Date(d).setHours(0, 0, 0, 0)) / 86_400_000)
    if (days === 0) return hm(d.getTime())
    if (days === 1) return this.t('yesterday', { time: hm(d.getTime()) })
    return `${d.getMonth() + 1}-${String(d.getDate()).padStart(2, '0')} ${hm(d.getTime())}`
  }
  code(kind: KindName, field: string, code: unknown): string {
    if (code === null || code === undefined || code === '') return ''
    const d = this.dictionary(kind)
    const list = d?.fields.find((f) => f.name === field)?.code_list
    return this.both(list ? d?.code_lists[list]?.find((c) => c.code === String(code))?.title : null) || String(code)
  }
  state(i: OutItem): string { return this.t(i.state === 'needs_look' && i.verdict === 'conflict' ? 's_conflict' : `s_${i.state}`) }

  private follow(): void {
    const path = location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map((p) => { try { return decodeURIComponent(p) } catch { return p } })
    this.path = path.length ? path : ['home']
    this.question = null
  }
  go(to: string, instead = false): void {
    const hash = `#/${to}`
    if (location.hash === hash) return
    // How deep we are is kept with the entry itself: the phone's own back key counts too.
    const n = Number((history.state as { n?: number } | null)?.n ?? 0)
    if (instead) history.replaceState({ n }, '', hash)
    else history.pushState({ n: n + 1 }, '', hash)
    this.follow()
  }
  back(): void {
    if (Number((history.state as { n?: number } | null)?.n ?? 0) > 0) history.back()
    else this.go('home', true)
  }

  say(text: string): void { this.said = ''; setTimeout(() => { this.said = text }, 30) }
  tell(text: string, bad = false): void {
    this.toast = { text, bad }
    clearTimeout(this.toastTimer)
    this.toastTimer = window.setTimeout(() => { this.toast = null }, bad ? 12_000 : 5000)
  }
  explain(e: unknown): string {
    const words = (e as Partial<Said> | null)?.words
    return words ? this.both(words) : this.t('unknown_error', { why: e instanceof Error ? e.message : String(e) })
  }
  /** attempt does something and says so when it did not work. */
  async attempt<T>(f: () => Promise<T>): Promise<T | undefined> {
    try { return await f() } catch (e) { this.tell(this.explain(e), true); return undefined }
  }
  ask(text: string, yes: string, danger = false): Promise<boolean> {
    return new Promise((resolve) => { this.question = { text, yes, danger, answer: (v) => { this.question = null; resolve(v) } } })
  }

  dress(): void {
    const root = document.documentElement
    const dark = this.theme === 'dark' || (this.theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
    root.setAttribute('data-theme', dark ? 'dark' : 'light')
    root.lang = this.lang === 'en' ? 'en' : 'zh-CN'
    root.style.setProperty('--scale', String(this.size))
    // Large letters, his phone's or ours: what stands still at the edges gives way to what is read.
    root.toggleAttribute('data-big', parseFloat(getComputedStyle(root).fontSize) >= 24)
    document.title = this.t('product')
  }
  get dark(): boolean { void this.theme; return document.documentElement.getAttribute('data-theme') === 'dark' }
  setTheme(v: Theme): void { this.theme = v; remember('theme', v === 'auto' ? '' : v); this.dress() }
  setSize(v: number): void { this.size = v; remember('field.size', String(v)); this.dress() }
  /** Chinese is always here; English comes when it is asked for. */
  private async speak(): Promise<void> {
    if (this.lang === 'en') this.english ??= (await import('../words-en.ts').catch(() => null))?.words ?? null
    this.dress()
  }
  setLang(v: 'zh' | 'en'): void { this.lang = v; remember('lang', v === 'en' ? 'en' : 'zh-CN'); void this.speak() }
}

export const app = new App()
