import type { Map as GLMap } from 'maplibre-gl'
import type { Box, LonLat } from './types.ts'

/** How an overlay is drawn. Colours come from the feature's `color` property where it has one. */
export interface Overlay {
  data: GeoJSON.FeatureCollection
  /** 'fault' is the red of violations, 'accent' the blue of selection, 'pin' a numbered comment (property `label`), 'hatch' slanting lines for what does not rest on colour */
  look: 'fault' | 'accent' | 'pin' | 'gained' | 'lost' | 'plain' | 'hatch'
}

/** Stage is the one map of the page, for the pages beside it. */
export interface Stage {
  readonly map: GLMap
  /** fly shows a place; the panels stay clear of it. */
  fly(to: { box?: Box | null; point?: LonLat | null; zoom?: number }): void
  /** overlay draws something of a page's own under a name; null takes it away. It survives a change of theme. */
  overlay(name: string, what: Overlay | null, click?: (properties: Record<string, unknown>) => void): void
  /** pick waits for one click on the map (comments, seeds); null when it was given up with Esc. */
  pick(hint: string): Promise<LonLat | null>
  /** paint colours zones differently while a page is open: zone id to colour; null restores the levels. */
  paint(colors: Record<string, string> | null): void
}
