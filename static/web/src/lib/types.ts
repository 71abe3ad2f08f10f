/** The shapes of /api that the map reads. Names as in the API contract. */
export type Lang = 'zh-CN' | 'en'
export type Theme = 'light' | 'dark'
export type Box = [west: number, south: number, east: number, north: number]
export type GeometryKind = 'point' | 'line' | 'polygon' | 'mixed'

export interface Field {
  name: string
  type: 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'datetime' | 'code' | 'uuid' | 'json'
  title: string
  unit: string | null
  code_list: string | null
  tile: boolean
  filter: boolean
  form: boolean
  export: boolean
}

export interface Layer {
  id: string
  title: string
  theme: string
  geometry: GeometryKind
  bounds: Box | null
  count: number
  source_date: string | null
  source: string | null
  ladder: string | null
  ladder_by?: { field: string; map: Record<string, string> } | null
  level_field: string | null
  kind_field: string | null
  label_field: string | null
  symbol: string
  min_zoom: number
  max_zoom: number
  visibility: 'public' | 'internal' | 'sensitive'
  default_visible: boolean
  fields: Field[]
}

export interface Step {
  level: number
  title: string
  mark: string
  color: string
  color_dark: string
  texture: string
  print_color: string | null
}

export interface Ladder { title: string; steps: Step[] }
export interface CodeItem { code: string; title: string; parent?: string | null }
export interface CodeList { title: string; items: CodeItem[] }

export interface Catalogue {
  layers: Layer[]
  themes: { id: string; title: string }[]
  ladders: Record<string, Ladder>
  code_lists: Record<string, CodeList>
  home: { code: string; title: string; bounds: Box | null } | null
  watermark: string | null
  position: string
}

export interface Hit {
  layer: string
  fid: number | null
  id: string | null
  title: string | null
  level: number | null
  properties: Record<string, unknown>
  geometry: GeoJSON.Geometry | null
  distance_m: number
}

export interface Found {
  kind: 'feature' | 'admin' | 'coordinate'
  layer: string | null
  id: string | null
  fid: number | null
  title: string
  subtitle: string | null
  code?: string | null
  center: [number, number] | null
  bounds: Box | null
}

export interface About { version?: string; map_approval?: string | null }

/** One row of the style's own legend: how a layer is drawn. */
export interface LegendEntry {
  geometry: GeometryKind
  color: string
  shape?: string
  glyph?: string
  dash?: number[]
  width?: number
  ramp?: { from: number; color: string }[]
}
