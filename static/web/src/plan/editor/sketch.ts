import type { LonLat, MultiPolygon } from '../types.ts'
import { lonLat, type XY } from './topo.ts'

export const feature = (geometry: GeoJSON.Geometry, properties: Record<string, unknown>): GeoJSON.Feature => ({ type: 'Feature', geometry, properties })
export const point = (p: XY): GeoJSON.Point => ({ type: 'Point', coordinates: lonLat(p) })
export const middleOf = (line: readonly XY[]): XY => { const k = Math.max(1, line.length >> 1); const a = line[k - 1]!, b = line[k] ?? a; return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] }
export const multi = (g: GeoJSON.Polygon | GeoJSON.MultiPolygon): MultiPolygon => ({ type: 'MultiPolygon', coordinates: (g.type === 'Polygon' ? [g.coordinates] : g.coordinates) as MultiPolygon['coordinates'] })

export function inside(g: MultiPolygon, lon: number, lat: number): boolean {
  let within = false
  for (const polygon of g.coordinates) for (const ring of polygon) for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i]!, [xj, yj] = ring[j]!
    if (yi > lat !== yj > lat && lon < ((xj - xi) * (lat - yi)) / (yj - yi) + xi) within = !within
  }
  return within
}

/** withNode shows a shape with one node more on an edge. */
export function withNode(g: MultiPolygon, a: LonLat, b: LonLat, at: LonLat): MultiPolygon {
  const eq = (p: LonLat, q: LonLat) => p[0] === q[0] && p[1] === q[1]
  return { type: 'MultiPolygon', coordinates: g.coordinates.map((p) => p.map((r) => r.flatMap((c, i) => { const n = r[i + 1]; return n && ((eq(c, a) && eq(n, b)) || (eq(c, b) && eq(n, a))) ? [c, at] : [c] }))) }
}

/** thinned takes out the points a hand makes too many of (Douglas and Peucker); some stay whatever they do. */
export function thinned(line: readonly XY[], stays: (i: number) => boolean, tolerance: number, ky: number): XY[] {
  const keep = new Set<number>([0, line.length - 1])
  const walk = (a: number, b: number) => {
    let far = 0, at = -1
    const p = line[a]!, q = line[b]!
    const len = Math.hypot(q[0] - p[0], (q[1] - p[1]) * ky)
    for (let i = a + 1; i < b; i++) {
      const r = line[i]!
      const d = len === 0 ? Math.hypot(r[0] - p[0], (r[1] - p[1]) * ky) : Math.abs((q[0] - p[0]) * (r[1] - p[1]) * ky - (q[1] - p[1]) * ky * (r[0] - p[0])) / len
      if (d > far) { far = d; at = i }
    }
    if (at > 0 && far > tolerance) { keep.add(at); walk(a, at); walk(at, b) }
  }
  if (line.length > 2) walk(0, line.length - 1)
  return line.filter((_, i) => keep.has(i) || stays(i))
}
