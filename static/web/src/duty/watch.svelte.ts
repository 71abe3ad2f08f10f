/**
 * What waits at the desk, whichever part is open: 险情 nobody has taken, and the cases of
 * both desks. It alarms until a person takes it. The stream tells at once; it is asked
 * every 15 s besides, because a stream can be silent and an alarm must not be.
 */
import { query, Refusal } from '../desk/http.ts'
import { recall, remember } from '../lib/store.ts'
import { duty } from './duty.svelte.ts'
import { Tone } from './tone.ts'
import type { Case, Report, ReportPage } from './types.ts'

const EVERY = 15_000

class Watch {
  alarms = $state.raw<Report[]>([])
  /** in all the areas of the desk, should there be more than are listed */
  total = $state(0)
  takeAfter = $state(0)
  conflicts = $state.raw<Case[] | null>(null)
  quarantine = $state.raw<Case[] | null>(null)
  /** when 险情 was read last, and why not since */
  heard = $state(0)
  failed = $state('')
  casesFailed = $state('')
  sound = $state(recall('duty.sound') !== 'off')
  audible = $state<'allowed' | 'waiting' | 'none'>('waiting')
  private tone = new Tone(() => { this.audible = this.tone.state })
  private known = new Set<string>()
  private first = true
  private turn = 0

  /** start watches until the returned is called. */
  start(): () => void {
    if (!duty.permitted('work_desk')) return () => {}
    const touched = () => { if (this.sound && this.tone.state !== 'allowed') void this.tone.wake() }
    const all = () => { void this.read(); void this.readCases() }
    const off = [
      duty.on('incident_reports', () => void this.read()),
      // What comes while the desks are being read is read after that.
      duty.on('sync_case', () => void (this.reading ?? Promise.resolve()).then(() => this.readCases())),
    ]
    const every = window.setInterval(all, EVERY)
    const blink = window.setInterval(() => this.blink(), 1000)
    window.addEventListener('pointerdown', touched, true)
    window.addEventListener('keydown', touched, true)
    window.addEventListener('online', all)
    document.addEventListener('visibilitychange', all)
    if (this.sound) void this.tone.wake()
    all()
    return () => {
      for (const f of off) f()
      window.clearInterval(every)
      window.clearInterval(blink)
      window.removeEventListener('pointerdown', touched, true)
      window.removeEventListener('keydown', touched, true)
      window.removeEventListener('online', all)
      document.removeEventListener('visibilitychange', all)
      this.tone.stop()
    }
  }

  async read(): Promise<void> {
    const mine = ++this.turn
    try {
      const { data } = await duty.call<ReportPage>(`/api/incident-reports${query({ alarm: 'true', limit: 200 })}`)
      if (mine !== this.turn) return
      // Who has waited longest is first.
      this.alarms = [...data.reports].sort((a, b) => (a.received_at < b.received_at ? -1 : 1))
      this.total = data.alarms
      this.takeAfter = data.take_after_s
      this.heard = Date.now()
      this.failed = ''
      const fresh = this.alarms.filter((r) => !this.known.has(r.id))
      for (const r of fresh) this.known.add(r.id)
      if (fresh.length > 0 && !this.first) duty.say(duty.t('alarm_new', { what: [duty.list('report_kind')?.items.find((i) => i.code === fresh[0]!.kind)?.title ?? '', fresh[0]!.place ?? fresh[0]!.area_title ?? ''].join(' ') }))
      this.first = false
    } catch (x) { if (mine === this.turn) this.failed = duty.explain(x) } finally { this.ring() }
    duty.count('reports', this.total)
  }

  private reading: Promise<void> | null = null
  readCases(): Promise<void> {
    this.reading ??= (async () => {
      try {
        const of = async (desk: string) => (await duty.call<{ items: Case[] }>(`/api/desk/${desk}${query({ state: 'open', limit: 500 })}`)).data.items
        const [c, q] = await Promise.all([of('conflicts'), of('quarantine')])
        this.conflicts = c
        this.quarantine = q
        this.casesFailed = ''
        duty.count('conflicts', c.length)
        duty.count('quarantine', q.length)
      } catch (x) { this.casesFailed = duty.explain(x) } finally { this.reading = null }
    })()
    return this.reading
  }

  setSound(on: boolean): void {
    this.sound = on
    remember('duty.sound', on ? 'on' : 'off')
    if (on) void this.tone.wake().then(() => this.ring())
    else this.ring()
  }
  wake(): void { void this.tone.wake().then(() => this.ring()) }

  private ring(): void { if (this.sound && this.total > 0) this.tone.start(); else this.tone.stop() }

  private shown = false
  private blink(): void {
    this.audible = this.tone.state
    this.ring()
    if (this.total > 0) {
      this.shown = !this.shown
      if (this.shown) document.title = duty.t('alarm_title', { n: this.total })
      else duty.dress()
    } else if (this.shown) { this.shown = false; duty.dress() }
  }

  /** take is said by one person; whoever comes second is told who was first. */
  async take(r: Report): Promise<Report | null> {
    try {
      const { data } = await duty.call<Report>(`/api/incident-reports/${r.id}/transitions`, { method: 'POST', body: { to: 'taken' } })
      duty.tell(duty.t('r_taken_now'))
      return data
    } catch (x) {
      duty.tell(x instanceof Refusal && x.code === 'already_taken' ? duty.t('r_taken_other', { who: x.detail || x.title }) : duty.explain(x), 'error')
      return null
    } finally { void this.read() }
  }
}

export const watch = new Watch()
