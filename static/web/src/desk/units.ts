import { boundsOf } from '../lib/geometry.ts'
import { desk } from './desk.svelte.ts'
import { query } from './http.ts'
import type { Unit } from './types.ts'

/** Administrative units as the asker may see them: they come from the same doors as the map. */
const rankOf = (code: string): number => ({ 2: 1, 4: 2, 6: 3, 9: 4, 12: 5 })[code.length] ?? ({ 5: 3, 8: 4, 11: 5 })[code.length] ?? 5

interface Item { properties: { code: string; name: string; name_en?: string | null; rank?: string | number }; geometry: GeoJSON.Geometry | null }

async function items(params: Record<string, string | number>): Promise<Unit[]> {
  const { data } = await desk.call<{ features: Item[] }>(`/ogc/collections/admin/items${query({ ...params, limit: 500 })}`)
  return data.features.map((f) => ({
    code: f.properties.code, title: (desk.lang === 'en' && f.properties.name_en) || f.properties.name, rank: Number(f.properties.rank) || rankOf(f.properties.code),
    bounds: boundsOf(f.geometry), center: null,
  })).sort((a, b) => (a.code < b.code ? -1 : 1))
}

let top: Promise<Unit[]> | null = null
/** roots are the widest units there are: provinces, cities or counties, whichever come first. */
export async function roots(): Promise<Unit[]> {
  top ??= (async () => {
    for (const rank of [1, 2, 3, 4, 5]) {
      const found = await items({ rank })
      if (found.length > 0) return found
    }
    return []
  })().catch((error: unknown) => { top = null; throw error })
  return top
}

const known = new Map<string, Promise<Unit[]>>()
export function children(of: Unit): Promise<Unit[]> {
  const made = known.get(of.code) ?? items({ parent_code: of.code })
  known.set(of.code, made)
  made.catch(() => known.delete(of.code))
  return made
}

/** gridsOf are the grids of a village. */
const kept = new Map<string, Promise<Unit[]>>()
export function gridsOf(village: Unit): Promise<Unit[]> {
  const made = kept.get(village.code) ?? desk.call<{ features: Item[] }>(`/ogc/collections/grids/items${query({ village_code: village.code, limit: 200 })}`).then(({ data }) => data.features.map((f) => ({ code: f.properties.code, title: f.properties.name, rank: 6, bounds: boundsOf(f.geometry), center: null })).sort((a, b) => (a.code < b.code ? -1 : 1)))
  kept.set(village.code, made)
  made.catch(() => kept.delete(village.code))
  return made
}

interface Found { kind: string; layer?: string; title: string; subtitle: string | null; code?: string | null; bounds: Unit['bounds']; center: Unit['center'] }
/** searchUnits finds units by name or code, and with `grids` grids, too. */
export async function searchUnits(q: string, grids = false): Promise<Unit[]> {
  const { data } = await desk.call<{ results: Found[] | null }>(`/api/search${query({ q, limit: 20 })}`)
  return (data.results ?? []).filter((r) => (r.kind === 'admin' || (grids && r.layer === 'grids')) && r.code).map((r) => ({
    code: r.code!, title: r.title, rank: r.layer === 'grids' ? 6 : rankOf(r.code!), bounds: r.bounds, center: r.center, subtitle: r.subtitle?.split(' · ').pop() ?? null,
  }))
}

/** insideOf says whether one unit's code lies in another's; the empty code is everywhere. */
export const insideOf = (code: string, area: string): boolean => area === '' || code.startsWith(area)
