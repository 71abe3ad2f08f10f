import type { Key } from '../i18n/index.ts'
import type { Layer } from './types.ts'

/** A preset is a choice of layers for one kind of work; it touches nothing else. */
export interface Preset { id: string; title: Key; pick: (layer: Layer) => boolean }

const ground = new Set(['admin', 'roads', 'rivers', 'buildings'])
const of = (...ids: string[]) => {
  const set = new Set(ids)
  return (layer: Layer) => set.has(layer.id) || ground.has(layer.id)
}

export const presets: readonly Preset[] = [
  { id: 'default', title: 'preset_default', pick: (l) => l.default_visible },
  { id: 'duty', title: 'preset_duty', pick: of('incidents', 'alerts', 'incident_sketches', 'road_blocks', 'hazard_sources', 'shelters', 'teams', 'warehouses', 'sensors') },
  { id: 'planning', title: 'preset_planning', pick: of('zones', 'hazards', 'hazard_areas', 'waterworks') },
  { id: 'patrol', title: 'preset_patrol', pick: of('dangers', 'hazards', 'grids', 'enterprises', 'warning_terminals') },
  { id: 'relief', title: 'preset_relief', pick: of('alerts', 'hazard_areas', 'shelters', 'shelter_service_areas', 'teams', 'warehouses', 'key_places', 'vulnerable', 'road_blocks') },
  { id: 'none', title: 'preset_none', pick: (l) => ground.has(l.id) },
  { id: 'all', title: 'preset_all', pick: () => true },
]
