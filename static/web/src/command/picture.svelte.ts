/**
 * The picture of the moment for the wall and the telephone page: incidents, alerts, the
 * board, shelters. Each part is read again when the line speaks of it, and as often as the
 * profile says; one that cannot be read stays as it was and is said to be old.
 */
import { query } from '../desk/http.ts'
import { command, PATIENCE, type Topic } from './command.svelte.ts'
import { fromAlerts, fromBoards, fromIncidents, fromShelters, nothing, pressingVillages, subjectOf, type AlertLine, type Board, type BoardVillage, type Few, type Inside, type ShelterLine, type Subject } from './figures.ts'
import type { Incident, IncidentPage } from './types.ts'

type Part = 'incidents' | 'alerts' | 'shelters' | 'boards'
const topicsOf: Record<Part, readonly Topic[]> = { incidents: ['incidents'], alerts: ['alerts'], shelters: ['shelters'], boards: ['callouts', 'call_targets', 'calls', 'evacuation_entries'] }

class Picture {
  few = $state.raw<Few>(nothing)
  incidents = $state.raw<readonly Incident[]>([])
  alerts = $state.raw<readonly AlertLine[]>([])
  villages = $state.raw<readonly BoardVillage[]>([])
  readAt = $state.raw<Partial<Record<Part, number>>>({})
  /** who is in the area of what is worst now; null while nobody has said */
  inside = $state.raw<{ subject: Subject; figures: Inside; at: number } | null>(null)
  private estimating = false
  private estimated = { key: '', at: 0 }
  private timers = new Map<Part, number>()
  private turns = new Map<Part, number>()

  /** start reads, and goes on reading; estimating: also who is in the area of what is worst. */
  start(estimating = false): () => void {
    this.estimating = estimating
    const parts = Object.keys(topicsOf) as Part[]
    const off = parts.flatMap((p) => topicsOf[p].map((topic) => command.on(topic, () => this.soon(p))))
    const every = command.every(() => { for (const p of parts) void this.read(p) })
    for (const p of parts) void this.read(p)
    return () => { for (const f of off) f(); every(); for (const t of this.timers.values()) window.clearTimeout(t); this.timers.clear() }
  }

  /** soon reads a part again, once for a burst of changes. */
  private soon(p: Part): void {
    if (this.timers.has(p) || command.again) return
    this.timers.set(p, window.setTimeout(() => { this.timers.delete(p); void this.read(p) }, 200))
  }

  private async read(p: Part): Promise<void> {
    if (p === 'boards' && !command.hears('callouts')) return
    const mine = (this.turns.get(p) ?? 0) + 1
    this.turns.set(p, mine)
    const get = async <T>(path: string): Promise<T> => (await command.call<T>(path, { patience: PATIENCE })).data
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
        // All that are active: a village that two call-outs have counts once. A wall is given figures and villages.
        const board = await get<Board>('/api/evacuation')
        if (this.turns.get(p) !== mine) return
        const none = (board.callouts ?? []).length === 0
        this.villages = none ? [] : pressingVillages(board.villages ?? [])
        part = fromBoards(none ? [] : [board])
      }
      if (this.turns.get(p) !== mine) return
      this.few = { ...this.few, ...part }
      this.readAt = { ...this.readAt, [p]: Date.now() }
      if (this.estimating && (p === 'alerts' || p === 'incidents')) void this.estimate()
    } catch { /* it stays, with its age */ }
  }

  /** estimate asks who is inside when there is something else or something new, and once a minute: people and places change, too. */
  private async estimate(): Promise<void> {
    if (this.readAt.alerts === undefined || this.readAt.incidents === undefined) return
    const s = subjectOf(this.alerts, this.incidents)
    if (s?.id !== this.inside?.subject.id) this.inside = null // never the figures of another warning
    if (!s || (s.key === this.estimated.key && Date.now() - this.estimated.at < 60_000) || Date.now() - this.estimated.at < 4000) return
    this.estimated = { key: s.key, at: Date.now() }
    try {
      const { data } = await command.call<Inside>(`/api/${s.kind}s/${s.id}/impact`, { patience: PATIENCE })
      if (this.estimated.key === s.key) this.inside = { subject: s, figures: data, at: Date.now() }
    } catch { if (this.estimated.key === s.key) this.estimated = { key: '', at: this.estimated.at } /* another time; what is shown keeps its time */ }
  }

  /** oldest is when the oldest part was read. */
  get oldest(): number | null {
    const all = Object.values(this.readAt)
    return all.length > 0 ? Math.min(...all) : null
  }
}

export const picture = new Picture()
