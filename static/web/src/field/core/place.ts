/** Distances, and one position out of many. */
import type { Fix, Geometry } from '../types.ts'

type P = [number, number]
const M = 111_319.49 // metres in a degree of latitude

const local = (p: P, o: P): P => [(p[0] - o[0]) * M * Math.cos(o[1] * Math.PI / 180), (p[1] - o[1]) * M]

export function metres(a: P, b: P): number { const [x, y] = local(b, a); return Math.hypot(x, y) }

function toSegment(a: P, b: P): number {
  const dx = b[0] - a[0], dy = b[1] - a[1], n = dx * dx + dy * dy
  const t = n === 0 ? 0 : Math.max(0, Math.min(1, -(a[0] * dx + a[1] * dy) / n))
  return Math.hypot(a[0] + t * dx, a[1] + t * dy)
}

/** distance from a place to a shape, m; inside an area it is 0. */
export function distance(at: P, g: Geometry): number {
  if (g.type === 'Point') return metres(at, g.coordinates)
  const rings = g.type === 'LineString' ? [g.coordinates] : g.coordinates
  let least = Infinity
  let inside = false
  for (const ring of rings) {
    const pts = ring.map((p) => local(p, at))
    for (let i = 0; i + 1 < pts.length; i++) {
      const a = pts[i]!, b = pts[i + 1]!
      least = Math.min(least, toSegment(a, b))
      if ((a[1] > 0) !== (b[1] > 0) && a[0] + (0 - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) > 0) inside = !inside
    }
    if (pts.length === 1) least = Math.min(least, Math.hypot(pts[0]![0], pts[0]![1]))
  }
  return g.type === 'Polygon' && inside ? 0 : least
}

export interface Sample { lon: number; lat: number; accuracy_m: number; at: number }

/**
 * Averager makes one position of many: each counts by the inverse square of its accuracy.
 * Somebody who walks on starts anew. Fixes of one receiver err together, so at most four
 * count as independent when the accuracy is told.
 */
export class Averager {
  private samples: Sample[] = []

  add(s: Sample): void {
    if (!Number.isFinite(s.lon) || !Number.isFinite(s.lat) || !(s.accuracy_m > 0)) return
    const mean = this.mean()
    if (mean && metres([mean.lon, mean.lat], [s.lon, s.lat]) > Math.max(20, 2 * Math.min(s.accuracy_m, mean.accuracy_m * 2))) {
      // A rough fix far away says little; an exact one says that he moved.
      if (s.accuracy_m > 3 * mean.accuracy_m && s.at - mean.at < 60_000) return
      this.samples = []
    }
    this.samples.push(s)
    this.samples = this.samples.filter((x) => s.at - x.at < 120_000).slice(-60)
  }

  private mean(): (Sample & { n: number }) | null {
    if (this.samples.length === 0) return null
    let w = 0, x = 0, y = 0, best = Infinity, at = 0
    for (const s of this.samples) {
      const k = 1 / (s.accuracy_m * s.accuracy_m)
      w += k; x += k * s.lon; y += k * s.lat
      best = Math.min(best, s.accuracy_m)
      at = Math.max(at, s.at)
    }
    return { lon: x / w, lat: y / w, accuracy_m: Math.max(Math.min(best, 3), best / Math.sqrt(Math.min(4, this.samples.length))), at, n: this.samples.length }
  }

  fix(now: number): Fix | null {
    const m = this.mean()
    return m && { lon: m.lon, lat: m.lat, accuracy_m: m.accuracy_m, at: new Date(m.at).toISOString(), samples: m.n, age_s: Math.max(0, Math.round((now - m.at) / 1000)) }
  }

  forget(): void { this.samples = [] }
}
