/** The shapes of /api that the duty desk reads (openapi.json has the whole). */
export type Geometry = GeoJSON.Geometry
export type LonLat = [number, number]
export interface Who { account: string | null; name: string }

export type ReportState = 'received' | 'seen' | 'taken' | 'dismissed' | 'closed'
export interface Report {
  id: string; etag: number; kind: string; urgency: 'urgent' | 'damage'; state: ReportState; grid: string | null; place: string | null; description: string | null
  trapped: number | null; deaths: number | null; missing: number | null; injured: number | null; affected: number | null; houses: number | null; loss_wan: number | null
  geometry: Geometry | null; device_position: LonLat | null; accuracy_m: number | null; doubts: string[]; area: string | null; area_title: string | null
  captured_at: string; received_at: string; photos: string[]; by: Who
  seen_by: string | null; seen_at: string | null; taken_by: string | null; taken_at: string | null; ended_by: string | null; ended_at: string | null
  note: string | null; alarm: boolean; unattended_s: number | null; updated_at: string
}
export interface ReportPage { reports: Report[]; alarms: number; take_after_s: number; next: string | null; position: string }

export interface Words { zh: string; en: string }
export interface Difference { base: unknown; mine: unknown; theirs: unknown; theirs_by?: string; theirs_at?: string | null }
export interface Shapes { base?: Geometry | null; mine?: Geometry | null; theirs?: Geometry | null }
export interface Case {
  id: string; op_id: string; kind: string; object: string; title: string; op: string; to: string | null; op_note: string | null
  who: { username: string; name: string; account: string }; device: string; captured_at: string | null; received_at: string; marks: string[] | null
  accuracy_m: number | null; position: LonLat | null; src_crs: string; level: 'township' | 'county'; due_at: string; created_at: string; code: string; reason: Words; path: string | null
  fields: Record<string, Difference> | null; geometry: Shapes | null; photos: string[]; status: string; version: number | null; state: 'open' | 'done'
  decision: { outcome: string; by: string; name: string; at: string | null; note: string | null; choices: unknown } | null; raw?: unknown
}
export interface KindField { name: string; title: Words; type: 'text' | 'number' | 'integer' | 'boolean' | 'datetime' | 'code' | 'id'; code_list?: string; unit?: string; required?: boolean; read_only?: boolean; max_length?: number; min?: number; max?: number }
export interface Kind { kind: string; title: Words; geometry: string[] | null; fields: KindField[] | null; code_lists: Record<string, { code: string; title: Words }[]> }

export interface Plan { responsibility: string; measures: string; funds: string; deadline: string; contingency: string }
export interface Place { code: string; title: string | null }
export interface Danger {
  id: string; etag: number; number: string | null; name: string; kind: string; kind_title: string; level: number | null; level_title: string | null; state: string; state_title: string
  source: string | null; source_title: string | null; description: string | null; grade_basis: string | null; interim_measure: string | null; responsible_unit: string | null; competent_dept: string | null
  rectifier: string | null; first_reviewer: string | null; reviewer: string | null; listed: boolean; listed_at: string | null; unlisted_at: string | null; found_at: string | null
  due_at: string | null; first_due_at: string | null; rectified_at: string | null; closed_at: string | null; overdue: boolean; fixed_on_spot: boolean; second_review: boolean
  subject: string | null; subject_layer: string | null; reopens: string | null; plan: Plan | null; area: Place; geometry: Geometry | null; created_at: string; updated_at: string; updated_by: string
  mine: boolean; assigned: boolean; demo: boolean; may: string[]
}
export interface DangerAction { seq: number; action: string; title: string; from: string | null; to: string; note: string; evidence: string[] | null; by: string; name: string | null; role: string | null; captured_at: string | null; at: string }
export interface Extension { id: string; old_due_at: string; new_due_at: string; reason: string; asked_by: string; asked_name: string | null; asked_at: string; decision: string | null; note: string | null; decided_by: string | null; decided_name: string | null; decided_at: string | null; mine: boolean }
export interface Link { id: string; number: string | null; name: string; state: string; at: string }
export interface DangerDetail extends Danger { photos: string[]; actions: DangerAction[]; extensions: Extension[]; measures: Link[]; before: Link[]; after: Link[] }
export interface Figures { group: string; title: string; total: number; open: number; overdue: number; closed: number; closed_in_time: number; serious: number; serious_open: number; listed: number; closure_rate: number | null; in_time_rate: number | null; overdue_rate: number | null }
export interface Summary { by: string; whole: Figures; groups: Figures[]; states: Record<string, number>; as_of: string; rules: { verified: boolean; standard: string; days: Record<string, number>; extension_max_days: number; extension_times: number } }
export interface Reminders { days: number; yours: number; units: { unit: string; overdue: number; due_soon: number }[]; reminders: (Danger & { reason: 'overdue' | 'due_soon' | 'waits'; days: number | null; for: string; yours: boolean })[] }

export interface Measure {
  id: string; etag: number; number: string | null; title: string; kind: string; kind_title: string; content: string; basis: string; unit: string; person: string; state: string; state_title: string
  due_on: string | null; done_on: string | null; note: string; area: Place; danger_count: number; dangers?: Link[]; created_at: string; created_by: string; updated_at: string; updated_by: string; demo: boolean; may: string[]
}

export interface Task {
  id: string; etag: number; title: string; kind: string; object_kind: string | null; object: string | null; state: 'sent' | 'accepted' | 'done' | 'handed_back' | 'withdrawn'; due_at: string | null; overdue: boolean
  note: string | null; result: string | null; reason: string | null; photos: string[]; place: string | null; geometry: Geometry | null; grid: string | null; area: string | null; area_title: string | null; assignee: Who | null
  accepted_at: string | null; done_at: string | null; handed_back_at: string | null; by: Who; created_at: string; updated_at: string; mine: boolean
}
export interface Assignee { account: string; username: string; name: string; role: string; area: string | null; area_title: string | null }

export interface Reader { account: string; name: string; area: string | null; area_title: string | null; expected: boolean; read_at: string | null; received_at: string | null }
export interface Notice {
  id: string; etag: number; kind: string; title: string; body: string; level: number | null; hazard: string | null; areas: Place[]; state: 'issued' | 'withdrawn'; in_force: boolean; issued_at: string; expires_at: string | null
  withdrawn_at: string | null; withdrawn_by: string | null; reason: string | null; by: Who; acknowledged_at: string | null; expected: number | null; acknowledged: number | null; read?: Reader[]; missing?: Reader[]
}
export interface PatrolDay { date: string; grids: number; reported: number; patrols: number; zero_reports: number; problems: number }
export interface PatrolUnit { code: string; name: string; days: PatrolDay[] }
