/**
 * One call-out as it is now: whom to ring, who has moved. The line tells of changes; lists
 * are read again a moment later, once for a whole burst.
 */
import { uuidv7 } from '../field/core/ids.ts'
import { command } from './command.svelte.ts'

export interface Callout {
  id: string; etag: number; kind: string; title: string; reason: string; alert: string | null; incident: string | null; area: string | null; area_title: string | null; level: number | null
  exercise: boolean; state: string; decision: string | null; consulted: string | null; countersign: 'none' | 'pending' | 'done' | 'refused'
  started_at: string; ended_at: string | null; ended_by: string | null; villages: number; targets: number; reached: number; all_clear: number; geometry: GeoJSON.Geometry | null
}
export interface Call { id: string; outcome: string; channel: string; at: string; note: string | null; by: { name: string } }
export interface Target {
  id: string; village: string; village_name: string; phase: 'call' | 'all_clear'; level: number | null; order: number; role: 'village_head' | 'grid_worker' | 'household_keeper'
  name: string; post: string; contact: string | null; phone_masked: string | null; household: string | null; persons: number | null; elderly: number | null
  deputy: { name: string; post: string | null; contact: string | null } | null
  escalation: 0 | 1 | 2; parent: string | null; root: string; state: string; due_at: string; late: boolean; calls: Call[]
}
export interface Reached { targets: number; reached: number; silent: number; refused: number; waiting: number; late: number }
export interface Village {
  callout: string; code: string; name: string; level: number | null; households: number; to_move: number | null; to_move_source: string | null; moved: number; not_moved: number | null
  refused: number; returned: number; unknown: number; over: boolean; percent: number | null; shelters: { id: string | null; name: string; persons: number }[]
  contact: { last_at: string | null; lost: boolean; road_cut: boolean; power_cut: boolean; network_cut: boolean }; calls: Reached; complete: boolean
  added_at: string | null; left_at: string | null
}
export interface Totals { villages: number; complete: number; lost: number; no_figure: number; to_move: number; moved: number; not_moved: number; refused: number; returned: number; unknown: number; sheltered: number; calls: Reached; percent: number | null }
export interface Entry { id: string; village: string; mode: string; to_move: number | null; moved: number | null; refused: number | null; returned: number | null; unknown: number | null; shelter_name: string | null; persons: number | null; lost: { road: boolean | null; power: boolean | null; network: boolean | null }; at: string; channel: string; note: string | null; by: { name: string } }

export const outcomes = ['answered', 'repeated', 'refused', 'no_answer'] as const
export type Outcome = typeof outcomes[number]
export const answered = (t: Target): boolean => t.state === 'answered' || t.state === 'repeated'
/** waits says who is to be rung now: those on the list, and those opened in somebody's stead. */
export const waits = (t: Target): boolean => t.state === 'waiting'

/** queue is the order people are rung in: who stands in for a silent one first, then the list. */
export function queue(list: readonly Target[]): Target[] {
  return list.filter(waits).sort((a, b) => Number(b.escalation > 0) - Number(a.escalation > 0) || a.order - b.order || a.escalation - b.escalation)
}

class Callouts {
  list = $state.raw<readonly Callout[]>([])
  targets = $state.raw<readonly Target[]>([])
  villages = $state.raw<readonly Village[]>([])
  totals = $state.raw<Totals | null>(null)
  complete = $state(false)
  at = $state('')
  known = $state(false)
  failed = $state('')
  id = $state('')
  private timer = 0
  private turn = 0
  private wished = ''

  get one(): Callout | null { return this.list.find((c) => c.id === this.id) ?? null }

  use(): () => void {
    const soon = () => { this.timer ||= window.setTimeout(() => { this.timer = 0; void this.read() }, 150) }
    const offs = (['callouts', 'calls', 'call_targets', 'evacuation_entries'] as const).map((topic) => command.on(topic, soon))
    const every = window.setInterval(() => void this.read(), 15_000)
    return () => { for (const off of offs) off(); window.clearInterval(every) }
  }

  private leave(): void {
    this.targets = []
    this.villages = []
    this.totals = null
  }

  async read(): Promise<void> {
    const mine = ++this.turn
    // Another call-out was asked for: nobody writes a call down for whoever stood there before.
    const asked = command.place.id ?? ''
    if (asked !== this.wished) {
      this.wished = asked
      if (asked !== this.id) this.leave()
    }
    const drills = command.place.drill === '1' ? 'all' : 'false'
    try {
      const { data } = await command.call<{ callouts: Callout[] }>(`/api/callouts?exercise=${drills}&limit=50`)
      if (mine !== this.turn) return
      this.list = data.callouts
      const wish = command.place.id
      const id = (wish && data.callouts.some((c) => c.id === wish) ? wish : data.callouts.find((c) => c.state === 'active')?.id ?? data.callouts[0]?.id) ?? ''
      if (id !== this.id) this.leave()
      this.id = id
      command.count('calls', data.callouts.filter((c) => c.state === 'active' && !c.exercise).reduce((n, c) => n + c.targets - c.reached, 0))
      if (id) {
        const [targets, board] = await Promise.all([
          command.call<{ targets: Target[] }>(`/api/callouts/${id}/targets`),
          command.call<{ villages: Village[]; totals: Totals; complete: boolean; at: string }>(`/api/evacuation?callout=${id}&exercise=all`),
        ])
        if (mine !== this.turn) return
        this.targets = targets.data.targets
        this.villages = board.data.villages
        this.totals = board.data.totals
        this.complete = board.data.complete
        this.at = board.data.at
      }
      this.failed = ''
    } catch (x) { if (mine === this.turn) this.failed = command.explain(x) } finally { if (mine === this.turn) this.known = true }
  }

  /** ring writes a call down. What cannot be sent is tried again under the same id. */
  async ring(target: string, outcome: Outcome, channel: string, note: string, op = uuidv7()): Promise<Target | null> {
    const { data } = await command.call<{ target: Target; opened: Target | null }>('/api/calls', { method: 'POST', body: { op_id: op, target, outcome, channel, note } })
    const now = new Map(this.targets.map((t) => [t.id, t]))
    now.set(data.target.id, data.target)
    if (data.opened) now.set(data.opened.id, data.opened)
    this.targets = [...now.values()].sort((a, b) => a.order - b.order || a.escalation - b.escalation)
    void this.read()
    return data.opened
  }
}

export const callouts = new Callouts()
