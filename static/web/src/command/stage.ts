import type { Map as GLMap } from 'maplibre-gl'
import type { Box } from '../lib/types.ts'
import type { LonLat } from './types.ts'

/** What a page draws on the map: features with the properties `color`, `label`, `dash`, `hollow`, `ring`, `plain` (its label alone), `size`, `width`, `stale`. */
export interface Overlay { data: GeoJSON.FeatureCollection; /** fills under the symbols instead of over them */ under?: boolean; /** from which zoom the labels are shown */ labelsFrom?: number }

/** Stage is the one map of the room, for the pages beside it. */
export interface Stage {
  readonly map: GLMap
  /** fly shows a place; what stands over the map stays clear of it. */
  fly(to: { box?: Box | null; point?: LonLat | null; zoom?: number }): void
  /** overlay draws something of a page's own under a name; null takes it away. It survives a change of theme and a lost context. */
  overlay(name: string, what: Overlay | null, click?: (properties: Record<string, unknown>) => void): void
  /** pick waits for one click on the map; null when it was given up with Esc. */
  pick(hint: string): Promise<LonLat | null>
  /** draw waits for a shape drawn by clicks, ended by a double click or Enter; null when it was given up with Esc. */
  draw(kind: 'Point' | 'LineString' | 'Polygon', hint: string): Promise<GeoJSON.Geometry | null>
  select(geometry: GeoJSON.Geometry | null): void
  /** asOf shows the layers as they were recorded at a moment; null is now. */
  asOf(at: string | null): Promise<void>
}
