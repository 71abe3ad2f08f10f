/**
 * How old what moves on the map is: teams and gauges with when they were last heard of. Who
 * has been silent for too long is ringed grey, and the map says so in words from near by.
 */
import { command } from './command.svelte.ts'
import { age } from './say.ts'

interface Team { id: string; name: string; position: [number, number] | null; position_at: string | null; stale: boolean; state: string }
interface Station { id: string; name: string; position: [number, number] | null; at: string | null; state: string }

/** marks are what is drawn: a ring around who is silent, an age for everything. */
export function marks(teams: readonly Team[], stations: readonly Station[], say: (at: string | null) => string, silent: string): GeoJSON.Feature[] {
  const point = (p: [number, number]): GeoJSON.Point => ({ type: 'Point', coordinates: p })
  return [
    ...teams.flatMap((m): GeoJSON.Feature[] => (m.position ? [{ type: 'Feature', geometry: point(m.position), properties: { id: m.id, label: say(m.position_at) || silent, stale: m.stale, ring: m.stale, plain: !m.stale, size: 11 } }] : [])),
    ...stations.flatMap((s): GeoJSON.Feature[] => (s.position && s.state === 'no_data' ? [{ type: 'Feature', geometry: point(s.position), properties: { id: s.id, label: [silent, say(s.at)].filter(Boolean).join(' '), stale: true, ring: true, size: 11 } }] : [])),
  ]
}

export function watchMoving(): () => void {
  let teams: readonly Team[] = [], stations: readonly Station[] = []
  const draw = (): void => { command.stage?.overlay('moving', { labelsFrom: 12, data: { type: 'FeatureCollection', features: marks(teams, stations, age, command.t('silent')) } }) }
  let timer = 0
  const read = async (): Promise<void> => {
    const [t, s] = await Promise.allSettled([command.call<{ teams: Team[] }>('/api/teams/status'), command.call<{ stations: Station[] }>('/api/stations?state=no_data')])
    if (t.status === 'fulfilled') teams = t.value.data.teams ?? []
    if (s.status === 'fulfilled') stations = s.value.data.stations ?? []
    draw()
  }
  const soon = (): void => { timer ||= window.setTimeout(() => { timer = 0; void read() }, 1000) }
  const off = [command.on('teams', soon), command.on('sensors', soon)]
  const every = command.every(() => void read()), ages = window.setInterval(draw, 20_000)
  void read()
  return () => { for (const f of off) f(); window.clearTimeout(timer); every(); window.clearInterval(ages); command.stage?.overlay('moving', null) }
}
