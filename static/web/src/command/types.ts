/** The shapes of the command centre as the server says them. */
export type LonLat = readonly [number, number]
export type Geometry = GeoJSON.Geometry

export interface Figures { deaths: number | null; missing: number | null; injured: number | null; affected: number | null; evacuated: number | null; loss_wan: number | null; /** of an earthquake only */ magnitude: number | null }
export type FigureName = keyof Figures

export interface Clock { name: string; title: string; starts_at: string; due_at: string; done_at: string | null; late: boolean; from_level?: string | null; to_level?: string | null; /** ends when somebody says so */ marked?: boolean }

export interface Incident {
  id: string
  etag: number
  fid: number
  number: string
  title: string
  kind: string
  kind_title: string
  type_code: string | null
  class: string | null
  level: number | null
  level_proposed: number | null
  level_reason: { criterion: string; value: number | string; level: number }[]
  level_by: string | null
  level_at: string | null
  state: string
  exercise: boolean
  occurred_at: string | null
  known_at: string
  closed_at: string | null
  place: string | null
  description: string | null
  source: string | null
  reporter: string | null
  reporter_phone_masked: string | null
  persons_reported: number | null
  figures: Figures
  figures_at: string | null
  area: string | null
  area_title: string | null
  geometry: Geometry | null
  positioned: boolean
  clocks: Clock[]
  merged_into: string | null
  reports: number
  sketches: number
  updated_at: string
  updated_by: string | null
}

export interface IncidentPage { incidents: Incident[]; next: string | null; position: string; counts: { open: number; by_level: Record<string, number>; late: number } }

export interface Report { id: string; kind: string; channel: string; content: string; figures: Partial<Figures> | null; to_level: string | null; sent_at: string; recorded_at?: string; by: string | null; corrects: string | null; seq?: number; late?: boolean }
export interface Entry { at: string; recorded_at?: string; kind: string; title: string; detail: string | null; by: string | null; ref: string | null }
export interface Sketch { id: string; kind: string; geometry: Geometry; note: string | null; valid_from: string | null; valid_to: string | null; updated_by: string | null; etag: number; name?: string }

export interface Response {
  id: string
  etag: number
  title: string
  kind: string
  level: number
  state: string
  area: string | null
  area_title: string | null
  incident: string | null
  alert: string | null
  contingency: string | null
  condition: string | null
  signed_by: string | null
  document_number: string | null
  lead: string | null
  started_at: string | null
  adjusted_at: string | null
  ended_at: string | null
  exercise: boolean
  profile: 'peace' | 'war'
  report_every_min?: number | null
  next_report_at?: string | null
  report_late?: boolean
  tasks?: { total: number; acknowledged: number; done: number; late: number }
}
export interface DutyNow { leader: { name: string; post?: string | null }[]; officers: { name: string; post?: string | null }[]; at_desk: { name: string; since: string } | null }
