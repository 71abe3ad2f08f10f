/** The shapes of /api that the administration reads. */
export interface Grant {
  id: string; account: string; username: string; name: string; role: string; role_title: string
  area: string; area_title: string | null; bounds: [number, number, number, number] | null
  from: string; to: string | null; state: 'valid' | 'future' | 'expired' | 'revoked'; granted_by: string; reason: string
}
export interface User {
  id: string; username: string; name: string; unit: string | null; unit_title: string | null; department: string | null; position: string | null
  phone: string | null; state: 'invited' | 'active' | 'disabled'; second_factor: boolean; last_sign_in_at: string | null; version: number; grants: Grant[] | null
}
export interface SessionRow {
  id: string; kind: string; current: boolean; created_at: string; last_seen_at: string | null; expires_at: string; peer: string | null; agent: string | null
  device: string | { id: string; name: string } | null; username?: string; name?: string; account?: string
}
export interface Link { link: string; expires_at: string }
export interface RoleRow { role: string; title: string; reads: string; writes: boolean; township?: boolean; office?: boolean; permissions?: string[] | null; may?: string[] | null }
export interface TokenRow {
  id: string; name: string; role: string; role_title?: string; area: string; area_title?: string | null; scopes: string[]; network?: string | null
  expires_at: string; last_used_at?: string | null; revoked_at?: string | null; created_by?: string | null; created_at?: string
}
export interface AuditRow {
  seq: number; at: string; actor: string; name: string | null; role: string | null; grant: string | null; kind: string; session: string | null; peer: string | null
  request: string | null; action: string; object: string | null; area: string | null; outcome: string; reason: string | null
  before: unknown; after: unknown; positions: [number | string, number | string] | null; sealed: boolean
}
export interface Seal { no: number; at: string; hash: string; entries: number }
export interface RuleSet {
  rule: string; version: string | number; title: string; standard: string | null; verified: boolean; verified_by: string | null; verified_at: string | null; current?: boolean; created_at?: string; reason?: string | null; note?: string | null
  responsible: string | null; valid_from: string | null; created_by: string | null; body: unknown
}
export interface Decision {
  id: string; version?: number; action: string; action_title?: string; object?: string | null; area?: string | null; area_title?: string | null; state: string; emergency?: boolean
  text?: string | null; reason: string | null; proposed_by?: string; proposer?: string; proposed_name?: string | null; proposed_at: string
  decided_by?: string | null; decided_name?: string | null; decided_at?: string | null; note?: string | null; due_at?: string | null; overdue?: boolean
  consulted?: { name: string; post?: string | null; confirmed?: boolean; on_duty?: string[] | null } | null; mine?: boolean; detail?: Record<string, unknown> | null
}
export interface Unit { code: string; title: string; rank: number; bounds: [number, number, number, number] | null; center: [number, number] | null; subtitle?: string | null }
