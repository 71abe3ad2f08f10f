/** The shapes of /api that the pages of a plan read (see docs/openapi for the whole). */
import type { Box } from '../../lib/types.ts'

export type { Plan, PlanState, PlanEvent, ZoneFeature, ZoneCollection, Violation, Proposal, Job, EditLine } from '../types.ts'
import type { Violation } from '../types.ts'
export type Kind = 'risk' | 'prevention'
export type Unit = 'free' | 'village' | 'township' | 'cell_1km' | 'cell_30s'

export type Answer = 'adopted' | 'partly' | 'not_adopted'
export interface Comment {
  id: string; round: string; zone: string | null; zone_name: string | null; at: [number, number] | null; unit: string | null; body: string
  answer: Answer | null; reason: string | null; answered_by: string | null; answered_at: string | null; by: string | null; name: string | null; created_at: string; version: number
}

export interface Review {
  zone: string; verdict: 'accepted' | 'returned'; reason: string | null; zone_version: number; current?: boolean; name: string | null; by?: string | null; at: string
}

export interface FigurePlace { id?: string; layer: string; title: string | null; level?: number | null; level_title?: string | null; kind?: string | null; at?: [number, number] | null; center?: [number, number] | null }

export interface DiffItem {
  zone: string; name: string | null; name_before?: string | null; level_before: number | null; level_after: number | null
  area_before_m2: number | null; area_after_m2: number | null; gained_m2: number | null; lost_m2: number | null
  population_before: number | null; population_after: number | null
  geometry_gained: GeoJSON.Geometry | null; geometry_lost: GeoJSON.Geometry | null; bounds: Box | null
}
export interface LevelTotal { level: number; area_before_m2: number; area_after_m2: number; population_before: number | null; population_after: number | null }
export interface Diff {
  plan: string; against: string; added: DiffItem[]; removed: DiffItem[]; moved: DiffItem[]; relevelled: DiffItem[]; renamed: DiffItem[]; unchanged: number
  totals: { by_level: LevelTotal[]; changed_area_m2: number } & Record<string, unknown>
}

export interface JoinFault {
  kind: 'gap' | 'overlap' | 'level' | 'offset'; zone: string; zone_name?: string | null; neighbour_plan: string | null; neighbour_zone: string | null
  message: string; geometry: GeoJSON.Geometry | null; length_m: number | null; area_m2: number | null
}

export interface ImportField { name: string; type: string; values?: { value: string; count: number }[] | null; samples?: unknown[] | null }
export type Direction = '1_is_worst' | '1_is_least' | 'named'
export interface ImportPreview {
  import: string; name: string; format: string; encoding: string | null; crs: string | null; features: number; fields: ImportField[]; layers: string[] | null; layer?: string | null
  suggestion: { level_field: string | null; name_field: string | null; code_field: string | null; countermeasure_field?: string | null; responsible_field?: string | null; levels: Record<string, number> | null; direction: Direction | null } | null
  bounds: Box | null; outside?: number | boolean | null; preview: GeoJSON.FeatureCollection
}
export interface Healed { kind: 'gap' | 'sliver' | 'overlap'; area_m2: number; width_m: number; at: [number, number] | null; zones: string[]; given_to: string | null }
export interface ImportReport {
  plan: string; read: number; zones: number; healed: Healed[] | null; changed: { zone: string; name: string | null; gained_m2: number; lost_m2: number }[] | null
  violations: Violation[] | null; joins: JoinFault[] | { faults: JoinFault[]; neighbours: number } | null
}

export interface IndicatorMeasure { measure: string; field?: string | null; title: string; unit?: string | null; group?: string | null; direction?: string | null; normalise?: string | null }
export interface IndicatorSource { source: string; layer?: string; title: string; ready?: boolean; geometry?: string; measures?: IndicatorMeasure[] | null }
export interface WeightResult { id: string; title: string; group: string; weight: number; entropy?: number | null; ahp?: number | null; constant?: boolean; missing?: number; min: number; max: number; mean: number }
export interface ComputeInput { id: string; layer: string; datasets: string; date?: string | null; rows: number; without_value?: number; position?: string }
export interface ComputeResult {
  plan?: string; zones: number; units: number; missing: { code: string; name: string; indicators: string[] }[] | null; missing_n?: number
  weights: WeightResult[] | null; cr?: number | null; lambda_max?: number | null; breaks: number[] | null; counts?: number[] | null; gvf: number | null
  inputs?: ComputeInput[] | null; rules?: { rule: string; version: number; verified: boolean }[] | null; warnings: { code: string; zh?: string; en?: string; message?: string }[] | null; computed_at?: string
}
export interface IndicatorSpec { id: string; source: string; measure?: string; field?: string; group?: string; normalise?: string; direction?: string; weight?: number }
export interface ComputeSpec {
  unit: string; indicators: IndicatorSpec[]; weights: { method: string; ahp?: { matrix: number[][] }; theta?: number }; combine: string; base?: string; capability?: number
  classify: { method: string; k?: number; thresholds?: number[]; ties?: string; step?: number }; overlay?: { hazards: { hazard: string; weight?: number }[]; at_least?: number }; prevention?: { dangers?: boolean; risk_plan?: string }; dissolve?: string
}
export interface AHPResult { weights: number[]; lambda_max: number; ci?: number; ri?: number; cr: number | null; consistent: boolean; worst?: { i: number; j: number; given: number; implied: number } | null }
export interface Classes { breaks: number[]; gvf: number; counts?: number[] }
