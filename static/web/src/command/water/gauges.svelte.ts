/** The gauges of the room: read when they speak and each minute, because silence tells nothing by itself. */
import { SvelteMap } from 'svelte/reactivity'
import { query } from '../../desk/http.ts'
import { command } from '../command.svelte.ts'
import { step, type Picture, type Series, type Station } from './water.ts'

class Gauges {
  picture = $state.raw<Picture | null>(null)
  failed = $state('')
  readAt = $state(0)
  /** a time of the past, "" for now */
  at = $state('')
  private charts = new SvelteMap<string, Series>()
  private asked = new Map<string, string>()
  private turn = 0
  private wait = 0

  start(): () => void {
    const soon = () => { window.clearTimeout(this.wait); this.wait = window.setTimeout(() => void this.read(), 800) }
    const off = command.on('sensors', soon)
    const every = window.setInterval(() => { if (this.at === '') void this.read() }, 60_000)
    void this.read()
    return () => { off(); window.clearInterval(every); window.clearTimeout(this.wait) }
  }
  async read(): Promise<void> {
    const mine = ++this.turn
    try {
      const { data } = await command.call<Picture>(`/api/stations${query({ at: this.at ? new Date(this.at).toISOString() : '' })}`)
      if (mine !== this.turn) return
      this.picture = data
      this.failed = ''
      this.readAt = Date.now()
    } catch (x) { if (mine === this.turn) this.failed = command.explain(x) }
  }
  travel(at: string): void { this.at = at; this.charts.clear(); this.asked.clear(); void this.read() }

  async series(s: Station, hours: number): Promise<Series> {
    const to = this.at ? new Date(this.at) : new Date()
    const unit = step(s, hours) === '10m' ? 600_000 : 3_600_000
    const end = new Date(Math.ceil(to.getTime() / unit) * unit)
    const last = end.getTime() > Date.now() + 23 * 3_600_000 ? to : end
    const { data } = await command.call<Series>(`/api/stations/${s.id}/series${query({ from: new Date(last.getTime() - hours * 3_600_000).toISOString(), to: last.toISOString(), step: step(s, hours) })}`)
    return data
  }
  /** small is the chart of a row; it is read again when the gauge has spoken. */
  small(s: Station): Series | null {
    const key = `${s.at}`
    if (this.asked.get(s.id) !== key) {
      this.asked.set(s.id, key)
      void this.series(s, 24).then((data) => this.charts.set(s.id, data)).catch(() => { /* the row says what it knows without a chart */ })
    }
    return this.charts.get(s.id) ?? null
  }
}

export const gauges = new Gauges()
