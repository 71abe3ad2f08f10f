/** What command has and sends: shelters, teams, stores, blocked roads. */
import { command } from './command.svelte.ts'
import type { LonLat } from './types.ts'

export interface Shelter {
  id: string; etag: number; name: string; state: string; state_title: string; class: string | null; address: string | null; area: string | null; area_title: string | null
  capacity: number | null; occupancy: number | null; reserved: number; free: number | null; confirmed_at: string | null; age_s: number | null; stale: boolean; position: LonLat | null; may: boolean
  /** what exercises come to there, where they are shown; in no other figure */
  exercise?: { occupancy: number; reserved: number; free: number | null }
}
export interface ShelterTotals { open: number; stale: number; free: number; free_stale: number; occupancy: number; reserved: number }
export interface Promised { id: string; group: string; n: number; arrived: number; state: string; until: string; by: string; exercise: boolean }
export interface CheckIn { op_id: string; in: number; out: number; occupancy: number; group: string | null; at: string; by: string; exercise: boolean }
export interface Team {
  id: string; name: string; kind: string | null; kind_title: string; state: string | null; state_title: string; members: number | null; ready_min: number | null; specialities: string | null
  area_title: string | null; position: LonLat | null; position_at: string | null; age_s: number | null; stale: boolean; dispatch: string | null; dispatch_state: string | null; exercise_dispatch: string | null; exercise_state: string | null; may: boolean
}
export interface Dispatch {
  id: string; etag: number; team: string | null; warehouse: string | null; source: string; incident: string | null; task: string; place: string | null; geometry: GeoJSON.Geometry | null
  items: { item: string; unit: string; qty: number }[]; state: string; late: boolean; exercise: boolean; sent_at: string; due_at: string; acknowledged_at: string | null; acknowledged_by: string | null
  departed_at: string | null; arrived_at: string | null; ended_at: string | null; note: string | null; by: string
}
export interface Stock { item: string; unit: string; qty: number; rotate_on: string | null; rotate_due: boolean; updated_at: string }
export interface Store { id: string; name: string; grade_title: string; area_title: string | null; position: LonLat | null; stock: Stock[] }
export interface Move { op_id: string; item: string; unit: string; qty: number; after: number; reason: string; at: string; by: string }
export interface Block {
  id: string; etag: number; name: string | null; cause_title: string; road: string | null; state: string; state_title: string; detour: string | null; area_title: string | null; geometry: GeoJSON.Geometry | null
  blocked_at: string | null; expected_at: string | null; reopened_at: string | null; trunk: boolean; clock: { starts_at: string; due_at: string; done_at: string | null; late: boolean } | null
}
export interface KPI { target_h: number; reopened: number; mean_h: number | null; late: number; open: number }

export const tabs = ['shelters', 'forces', 'stores', 'roads', 'packs'] as const
export type Tab = typeof tabs[number]

/** next is what may follow a state of a dispatch, in the order it usually does. */
export const next: Record<string, readonly string[]> = { sent: ['acknowledged'], acknowledged: ['departed'], departed: ['arrived'], arrived: ['returned'] }
export const ended = (d: Dispatch): boolean => d.state === 'returned' || d.state === 'cancelled'

/** order puts what needs a look first: open ones that grew old, then open ones by room, then the rest. */
export function order(list: readonly Shelter[]): Shelter[] {
  const rank = (s: Shelter): number => (s.stale ? 0 : s.state === 'open' ? 1 : s.state === 'full' ? 2 : s.state === 'standby' ? 3 : 4)
  return [...list].sort((a, b) => rank(a) - rank(b) || (b.free ?? -1) - (a.free ?? -1) || a.name.localeCompare(b.name, 'zh'))
}

class Relief {
  shelters = $state.raw<readonly Shelter[]>([])
  totals = $state.raw<ShelterTotals | null>(null)
  teams = $state.raw<readonly Team[]>([])
  dispatches = $state.raw<readonly Dispatch[]>([])
  stores = $state.raw<readonly Store[]>([])
  blocks = $state.raw<readonly Block[]>([])
  kpi = $state.raw<KPI | null>(null)
  known = $state<Partial<Record<Tab, true>>>({})
  failed = $state('')
  private timers = new Map<Tab, number>()

  /** use reads a tab now, when something of it changes, and every half minute: ages grow by themselves, and stock tells nobody. */
  use(tab: () => Tab): () => void {
    const soon = (t: Tab) => { if (tab() === t && !this.timers.has(t)) this.timers.set(t, window.setTimeout(() => { this.timers.delete(t); void this.read(t) }, 150)) }
    const offs = [command.on('shelters', () => soon('shelters')), command.on('teams', () => soon('forces')), command.on('dispatches', () => { soon('forces'); soon('stores') }), command.on('road_blocks', () => soon('roads'))]
    const every = window.setInterval(() => void this.read(tab()), 30_000)
    return () => { for (const off of offs) off(); for (const t of this.timers.values()) clearTimeout(t); this.timers.clear(); window.clearInterval(every) }
  }

  async read(tab: Tab): Promise<void> {
    try {
      switch (tab) {
        case 'shelters': {
          const { data } = await command.call<{ shelters: Shelter[]; totals: ShelterTotals }>(`/api/shelters/status?limit=2000${command.place.drill === '1' ? '&exercise=true' : ''}`)
          this.shelters = order(data.shelters)
          this.totals = data.totals
          break
        }
        case 'forces': {
          const [teams, sent] = await Promise.all([command.call<{ teams: Team[] }>('/api/teams/status'), command.call<{ dispatches: Dispatch[] }>(`/api/dispatches?active=true&exercise=${command.place.drill === '1' ? 'all' : 'false'}`)])
          this.teams = teams.data.teams
          this.dispatches = sent.data.dispatches
          break
        }
        case 'stores': this.stores = (await command.call<{ warehouses: Store[] }>('/api/stock')).data.warehouses; break
        case 'roads': {
          const { data } = await command.call<{ road_blocks: Block[]; kpi: KPI }>('/api/road-blocks')
          this.blocks = data.road_blocks
          this.kpi = data.kpi
          break
        }
        case 'packs': break
      }
      this.known = { ...this.known, [tab]: true }
      this.failed = ''
    } catch (x) { this.failed = command.explain(x) }
  }
}

export const relief = new Relief()
