/** The shapes of /api/plans, as the API contract names them. */
export type PlanState = 'draft' | 'consultation' | 'expert_review' | 'submitted' | 'in_review' | 'returned' | 'approved' | 'published' | 'superseded' | 'withdrawn'
export type Action = 'edit' | 'consult' | 'expert_review' | 'recall' | 'submit' | 'start_review' | 'review' | 'return' | 'approve' | 'publish' | 'withdraw' | 'repeal' | 'comment' | 'answer' | 'new_version' | 'compute' | 'delete'
export type LonLat = [number, number]
export type Box = [west: number, south: number, east: number, north: number]
export type Rings = LonLat[][]
export interface MultiPolygon { type: 'MultiPolygon'; coordinates: Rings[] }

export interface Plan {
  id: string
  series: string
  version: number
  parent: string | null
  hazard: string
  hazard_title: string
  kind: string
  kind_title: string
  title: string
  area: { code: string; title: string }
  bounds: Box | null
  exhaustive: boolean
  unit: string
  ladder: string
  state: PlanState
  state_title: string
  etag: number
  in_force: boolean
  document_no: string | null
  responsible: string | null
  note: string | null
  effective_from: string | null
  effective_to: string | null
  method: Record<string, unknown> | null
  /** method holds a computation, not only an import or the figures of its zones */
  computed?: boolean
  counts: { zones: number; ungraded: number; comments: number; open_comments: number; accepted: number; returned: number }
  created_at: string
  created_by: string | null
  updated_at: string
  submitted_at: string | null
  submitted_by: string | null
  approved_at: string | null
  approved_by: string | null
  published_at: string | null
  published_by: string | null
  withdrawn_at: string | null
  withdrawn_by: string | null
  demo: boolean
  may: readonly string[]
}

export interface ZoneProperties {
  zone: string
  version: number
  fid: number
  code: string | null
  name: string | null
  level: number | null
  reason: string | null
  countermeasure: string | null
  responsible: string | null
  population: number | null
  area_km2: number | null
  attrs: Record<string, unknown> | null
}
export interface ZoneFeature { type: 'Feature'; id: string; geometry: MultiPolygon; properties: ZoneProperties }
export interface ZoneCollection { type: 'FeatureCollection'; features: ZoneFeature[]; area: MultiPolygon | null; position: string }

/** One step of a ladder: what a level is called and how it is drawn. */
export interface Step { level: number; title: string; mark: string; color: string; color_dark: string; texture: string; print_color: string | null }
export interface CodeList { title: string; items: { code: string; title: string; parent?: string | null }[] }

/** An operation of POST /edits; the members it has depend on `op`. */
export interface Op { op: string; [member: string]: unknown }
export interface Proposal { title: string; ops: Op[] }
export interface Violation {
  code: string
  message: string
  zones?: string[]
  geometry?: GeoJSON.Geometry | null
  at?: LonLat | null
  area_m2?: number | null
  width_m?: number | null
  proposals?: Proposal[]
}
export interface EditResult { edit_id: string; seq: number; title: string; zones: ZoneFeature[]; removed: string[]; area?: MultiPolygon | null; position: string; repeated: boolean }
export interface EditLine { edit_id: string; seq: number; title: string; zones: string[]; removed: string[]; ops: Op[]; by: string; name: string | null; at: string; undoes: string | null; undone_by: string | null; bounds: Box | null }
export interface Validation { violations: Violation[]; zones: number; vertices: number; ok: boolean }
export interface PlanEvent { at: string; by: string; name: string | null; from: PlanState | null; to: PlanState; note: string | null }
export interface Job { id: string; kind: string; title: string; object: string; state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'; progress: number; done: number; total: number; what: string; result: unknown; error: { code: string; message?: string } | null; created_at: string; started_at: string | null; finished_at: string | null }
