/**
 * The picture of the moment for the wall and the telephone page: incidents, alerts, the
 * board, shelters. Each part is read again when the line speaks of it, and at least once a
 * minute; one that cannot be read stays as it was and is said to be old.
 */
import { query } from '../desk/http.ts'
import { command, type Topic } from './command.svelte.ts'
import { fromAlerts, fromBoards, fromIncidents, fromShelters, nothing, type AlertLine, type Board, type Few, type ShelterLine } from './figures.ts'
import type { Incident, IncidentPage } from './types.ts'

type Part = 'incidents' | 'alerts' | 'shelters' | 'boards'
const topicsOf: Record<Part, readonly Topic[]> = { incidents: ['incidents'], alerts: ['alerts'], shelters: ['shelters'], boards: ['callouts', 'calls', 'evacuation_entries'] }
const EVERY = 60_000

class Picture {
  few = $state.raw<Few>(nothing)
  incidents = $state.raw<readonly Incident[]>([])
  alerts = $state.raw<readonly AlertLine[]>([])
  readAt = $state.raw<Partial<Record<Part, number>>>({})
  private timers = new Map<Part, number>()
  private turns = new Map<Part, number>()

  start(): () => void {
    const parts = Object.keys(topicsOf) as Part[]
    const off = parts.flatMap((p) => topicsOf[p].map((topic) => command.on(topic, () => this.soon(p))))
    const every = window.setInterval(() => { for (const p of parts) void this.read(p) }, EVERY)
    for (const p of parts) void this.read(p)
    return () => { for (const f of off) f(); window.clearInterval(every); for (const t of this.timers.values()) window.clearTimeout(t); this.timers.clear() }
  }

  /** soon reads a part again, once for a burst of changes. */
  private soon(p: Part): void {
    if (this.timers.has(p)) return
    this.timers.set(p, window.setTimeout(() => { this.timers.delete(p); void this.read(p) }, 200))
  }

  private async read(p: Part): Promise<void> {
    // A wall is no desk: of the calls and who moved it is not told.
    if (p === 'boards' && !command.hears('callouts')) return
    const mine = (this.turns.get(p) ?? 0) + 1
    this.turns.set(p, mine)
    const get = async <T>(path: string): Promise<T> => (await command.call<T>(path)).data
    try {
      let part: Partial<Few> = {}
      if (p === 'incidents') {
        const page = await get<IncidentPage>(`/api/incidents${query({ open: 'true', exercise: 'all', limit: 200 })}`)
        if (this.turns.get(p) !== mine) return
        this.incidents = page.incidents
        part = fromIncidents(page, page.incidents)
      } else if (p === 'alerts') {
        const { alerts } = await get<{ alerts: AlertLine[] }>(`/api/alerts${query({ state: 'active', limit: 50 })}`)
        if (this.turns.get(p) !== mine) return
        this.alerts = [...alerts].sort((a, b) => (a.level || 9) - (b.level || 9))
        part = fromAlerts(alerts)
      } else if (p === 'shelters') {
        part = fromShelters((await get<{ shelters: ShelterLine[] }>('/api/shelters/status')).shelters)
      } else {
        const { callouts } = await get<{ callouts: { id: string; exercise: boolean; targets?: number; answered?: number }[] }>('/api/callouts?active=true')
        const real = callouts.filter((c) => !c.exercise).slice(0, 8)
        const boards = await Promise.all(real.map((c) => get<Board>(`/api/evacuation${query({ callout: c.id })}`)))
        part = fromBoards(boards)
      }
      if (this.turns.get(p) !== mine) return
      this.few = { ...this.few, ...part }
      this.readAt = { ...this.readAt, [p]: Date.now() }
    } catch { /* it stays, with its age */ }
  }

  /** oldest is when the oldest part was read. */
  get oldest(): number | null {
    const all = Object.values(this.readAt)
    return all.length > 0 ? Math.min(...all) : null
  }
}

export const picture = new Picture()
