import { boundsOf } from '../lib/geometry.ts'
import type { Box, EditResult, MultiPolygon, ZoneCollection, ZoneFeature } from './types.ts'

/**
 * Zones is the draft as the server last answered it: exact, never rounded to tiles. The
 * shapes are plain objects, because 120,000 vertices behind proxies would be slow;
 * `turn` counts changes and is what a view depends on.
 */
export class Zones {
  readonly all = new Map<string, ZoneFeature>()
  area: MultiPolygon | null = null
  turn = $state(0)
  private listeners = new Set<(changed: readonly string[] | null) => void>()

  get(zone: string): ZoneFeature | undefined { return this.turn >= 0 ? this.all.get(zone) : undefined }
  list(): ZoneFeature[] { return this.turn >= 0 ? [...this.all.values()] : [] }
  name(zone: string): string { const f = this.get(zone); return f?.properties.name || f?.properties.code || zone.slice(-6) }
  bounds(zone: string): Box | null { return boundsOf(this.all.get(zone)?.geometry ?? null) }

  /** on hears of every change: the zones that changed, or null when all of them did. */
  on(run: (changed: readonly string[] | null) => void): () => void {
    this.listeners.add(run)
    return () => this.listeners.delete(run)
  }

  load(c: ZoneCollection): void {
    this.all.clear()
    for (const f of c.features) this.all.set(f.properties.zone, f)
    this.area = c.area
    this.told(null)
  }

  clear(): void { this.all.clear(); this.area = null; this.told(null) }

  take(r: Pick<EditResult, 'zones' | 'removed' | 'area'>): void {
    for (const f of r.zones) this.all.set(f.properties.zone, f)
    for (const id of r.removed) this.all.delete(id)
    if (r.area) this.area = r.area
    this.told([...r.zones.map((f) => f.properties.zone), ...r.removed])
  }

  private told(changed: readonly string[] | null): void {
    this.turn++
    for (const run of this.listeners) run(changed)
  }
}
