/**
 * The incidents of the room: those that are open, as of now. The line tells that some
 * changed; the list is read again a moment later, once for a whole burst of changes.
 */
import { query } from '../desk/http.ts'
import { command } from './command.svelte.ts'
import type { Incident, IncidentPage } from './types.ts'

const EVERY = 60_000

class Incidents {
  list = $state.raw<readonly Incident[]>([])
  counts = $state.raw<IncidentPage['counts']>({ open: 0, by_level: {}, late: 0 })
  known = $state(false)
  failed = $state('')
  readAt = $state(0)
  more = $state(false)
  private turn = 0
  private waiting = new Set<string>()
  private timer = 0
  private users = 0
  private stop: (() => void)[] = []
  private filter = ''

  /** use keeps the list current until the returned is called. */
  use(): () => void {
    if (this.users++ === 0) {
      const off = command.on('incidents', (e) => { if (e) this.touch(e.id); else void this.read() })
      const events = command.on('incident_events', (e) => { const id = e?.properties?.incident; if (typeof id === 'string') this.touch(id) })
      const every = window.setInterval(() => void this.read(), EVERY)
      this.stop = [off, events, () => window.clearInterval(every)]
      void this.read()
    }
    return () => { if (--this.users === 0) { for (const f of this.stop) f(); this.stop = [] } }
  }

  /** by says which incidents are wanted. */
  by(filter: Record<string, string | undefined>): void {
    const wish = query({ limit: 200, ...filter })
    if (wish === this.filter) return
    this.filter = wish
    if (this.users > 0) void this.read()
  }

  async read(): Promise<void> {
    const mine = ++this.turn
    try {
      const { data } = await command.call<IncidentPage>(`/api/incidents${this.filter || query({ open: 'true', limit: 200 })}`)
      if (mine !== this.turn) return
      this.list = data.incidents
      this.counts = data.counts
      this.more = Boolean(data.next)
      this.readAt = Date.now()
      this.failed = ''
    } catch (x) { if (mine === this.turn) this.failed = command.explain(x) } finally { if (mine === this.turn) this.known = true }
    command.count('incidents', this.counts.open)
  }

  touch(id: string): void {
    this.waiting.add(id)
    this.timer ||= window.setTimeout(() => {
      this.timer = 0
      const ids = [...this.waiting]
      this.waiting.clear()
      for (const run of this.hearers) run(ids)
      void this.read()
    }, 120)
  }

  private hearers = new Set<(ids: readonly string[]) => void>()
  /** onChange hears which incidents changed, a moment after they did. */
  onChange(run: (ids: readonly string[]) => void): () => void {
    this.hearers.add(run)
    return () => this.hearers.delete(run)
  }

  find(id: string): Incident | null { return this.list.find((i) => i.id === id) ?? null }
}

export const incidents = new Incidents()
