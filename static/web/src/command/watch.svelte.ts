/**
 * What calls for somebody now: alarms nobody has acknowledged. The line tells at once; they
 * are asked for every 15 s besides, because a line can be silent and an alarm must not be.
 */
import { recall, remember } from '../lib/store.ts'
import { Tone } from '../duty/tone.ts'
import { command } from './command.svelte.ts'

export interface Alarm {
  id: string
  etag: number
  kind: string
  title: string
  level: number | null
  area_title: string | null
  count: number
  suppressed: number
  first_at: string
  last_at: string
  state: 'open' | 'acknowledged' | 'assigned' | 'closed'
  by: string | null
  assignee: string | null
  escalate_at: string | null
  exercise?: boolean
  ref: { kind: string; id: string } | null
  geometry: GeoJSON.Geometry | null
}

const EVERY = 15_000

class Watch {
  alarms = $state.raw<readonly Alarm[]>([])
  suppressed = $state(0)
  heard = $state(0)
  failed = $state('')
  sound = $state(recall('command.sound') !== 'off')
  audible = $state<'allowed' | 'waiting' | 'none'>('waiting')
  private tone = new Tone(() => { this.audible = this.tone.state })
  private known: Set<string> | null = null
  private turn = 0

  start(): () => void {
    const touched = () => { if (this.sound && this.tone.state !== 'allowed') void this.tone.wake() }
    const read = () => void this.read()
    const off = command.on('alarms', read)
    const every = window.setInterval(read, EVERY)
    const blink = window.setInterval(() => this.blink(), 1000)
    window.addEventListener('pointerdown', touched, true)
    window.addEventListener('keydown', touched, true)
    window.addEventListener('online', read)
    if (this.sound) void this.tone.wake()
    read()
    return () => {
      off()
      window.clearInterval(every)
      window.clearInterval(blink)
      window.removeEventListener('pointerdown', touched, true)
      window.removeEventListener('keydown', touched, true)
      window.removeEventListener('online', read)
      this.tone.stop()
    }
  }

  async read(): Promise<void> {
    if (!command.hears('alarms')) return
    const mine = ++this.turn
    try {
      const { data } = await command.call<{ alarms: Alarm[]; suppressed_total: number }>('/api/alarms?state=open')
      if (mine !== this.turn) return
      // Who has waited longest is first.
      this.alarms = data.alarms.filter((a) => a.state === 'open').sort((a, b) => (a.first_at < b.first_at ? -1 : 1))
      this.suppressed = data.suppressed_total ?? 0
      this.heard = Date.now()
      this.failed = ''
      const fresh = this.alarms.find((a) => !this.known?.has(a.id))
      if (fresh && this.known) command.say(command.t('alarm_new', { what: fresh.title }))
      this.known = new Set(this.alarms.map((a) => a.id))
    } catch (x) { if (mine === this.turn) this.failed = command.explain(x) } finally { this.ring() }
  }

  async acknowledge(a: Alarm): Promise<void> {
    try {
      await command.call(`/api/alarms/${a.id}/ack`, { method: 'POST', body: { note: '' } })
      command.tell(command.t('alarm_acked'))
    } catch (x) { command.tell(command.explain(x), 'error') } finally { void this.read() }
  }

  setSound(on: boolean): void {
    this.sound = on
    remember('command.sound', on ? 'on' : 'off')
    if (on) void this.tone.wake().then(() => this.ring())
    else this.ring()
  }
  wake(): void { void this.tone.wake().then(() => this.ring()) }

  private ring(): void { if (this.sound && this.alarms.some((a) => !a.exercise)) this.tone.start(); else this.tone.stop() }

  private shown = false
  private blink(): void {
    this.audible = this.tone.state
    this.ring()
    if (this.alarms.length > 0) {
      this.shown = !this.shown
      if (this.shown) document.title = command.t('alarm_title', { n: this.alarms.length })
      else command.dress()
    } else if (this.shown) { this.shown = false; command.dress() }
  }
}

export const watch = new Watch()
