import { query } from '../../desk/http.ts'
import { areaOf } from '../../lib/geometry.ts'
import { session } from '../session.svelte.ts'
import type { MultiPolygon } from '../types.ts'
import type { MapStage } from './mapstage.svelte.ts'
import { inside, multi } from './sketch.ts'
import { Lines } from './snap.ts'

const LEAST_ZOOM = 11

/** Around keeps the lines of other layers in view, as exact as the server has them. */
export class Around {
  lines: Lines | null = null
  /** layers that are not to be caught */
  off = $state.raw<string[]>([])
  truncated = $state(false)
  private stage: MapStage | null = null
  private have = ''
  private timer = 0

  open(stage: MapStage): void { this.stage = stage }
  close(): void { clearTimeout(this.timer); this.stage = null; this.lines = null; this.have = '' }
  soon(): void {
    clearTimeout(this.timer)
    this.timer = window.setTimeout(() => void this.read(), 350)
  }
  toggle(layer: string): void {
    this.off = this.off.includes(layer) ? this.off.filter((l) => l !== layer) : [...this.off, layer]
    this.have = ''
    this.soon()
  }
  private async read(): Promise<void> {
    const stage = this.stage, plan = session.plan
    if (!stage || !plan || stage.map.getZoom() < LEAST_ZOOM) { this.lines = null; this.have = ''; return }
    const b = stage.bounds()
    const key = `${plan.id} ${b.map((n) => n.toFixed(3)).join()} ${this.off.join()}`
    if (key === this.have) return
    try {
      const c = (await session.call<GeoJSON.FeatureCollection & { truncated?: boolean }>(`/api/plans/${plan.id}/snap${query({ bbox: b.map((n) => n.toFixed(7)).join(',') })}`)).data
      if (this.stage !== stage) return
      this.lines = new Lines({ ...c, features: c.features.filter((f) => !this.off.includes(String(f.properties?.layer))) })
      this.truncated = c.truncated === true
      this.have = key
    } catch { /* without them the draft itself still catches */ }
  }
}

/** A village or a cell a new zone is made of. */
export interface Unit { id: string; name: string; geometry: MultiPolygon }

/** unitAt asks for the smallest area of a layer at a place: of the levels of administration the smallest is meant. */
export async function unitAt(layer: string, lon: number, lat: number): Promise<Unit | null> {
  const e = 1e-7
  const c = (await session.call<GeoJSON.FeatureCollection>(`/ogc/collections/${layer}/items${query({ bbox: [lon - e, lat - e, lon + e, lat + e].join(','), limit: 50 })}`)).data
  const hits = c.features.filter((f) => (f.geometry.type === 'Polygon' || f.geometry.type === 'MultiPolygon') && inside(multi(f.geometry), lon, lat))
  hits.sort((a, b) => areaOf(a.geometry) - areaOf(b.geometry))
  const f = hits[0]
  return f ? { id: String(f.id), name: String(f.properties?.name ?? f.properties?.code ?? f.id), geometry: multi(f.geometry as GeoJSON.Polygon | GeoJSON.MultiPolygon) } : null
}
