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

const doubleArea = (r: readonly LonLat[]): number => r.reduce((sum, p, i) => { const q = r[(i + 1) % r.length]!; return sum + (p[0] - r[0]![0]) * (q[1] - r[0]![1]) - (q[0] - r[0]![0]) * (p[1] - r[0]![1]) }, 0)

/**
 * dissolved is the outline of several shapes that lie side by side. Borders two of them
 * share fall away; a corner of one on an edge of another (as near as coordinates are kept)
 * is a node of both.
 */
export function dissolved(shapes: readonly MultiPolygon[]): MultiPolygon {
  if (shapes.length < 2) return shapes[0] ?? { type: 'MultiPolygon', coordinates: [] }
  const near = 3e-8
  const rings = shapes.flatMap((g) => g.coordinates.flatMap((polygon) => polygon.map((ring, k) => {
    const open = ring.slice(0, -1)
    return doubleArea(open) > 0 === (k === 0) ? open : open.reverse()
  })))
  const nodes = new Map(rings.flat().map((p) => [p.join(), p]))
  const all = [...nodes.values()].sort((p, q) => p[0] - q[0])
  const edges = new Map<string, [LonLat, LonLat]>()
  const put = (a: LonLat, b: LonLat) => { if (!edges.delete(`${b.join()} ${a.join()}`)) edges.set(`${a.join()} ${b.join()}`, [a, b]) }
  for (const ring of rings) ring.forEach((a, i) => {
    const b = ring[(i + 1) % ring.length]!
    const dx = b[0] - a[0], dy = b[1] - a[1], long = Math.hypot(dx, dy)
    const left = Math.min(a[0], b[0]) - near, right = Math.max(a[0], b[0]) + near, low = Math.min(a[1], b[1]) - near, high = Math.max(a[1], b[1]) + near
    let k = 0
    for (let end = all.length; k < end;) { const m = (k + end) >> 1; if (all[m]![0] < left) k = m + 1; else end = m }
    const on: { at: LonLat; t: number }[] = []
    for (; k < all.length && all[k]![0] <= right; k++) {
      const p = all[k]!
      if (p[1] < low || p[1] > high || Math.abs((p[0] - a[0]) * dy - (p[1] - a[1]) * dx) > near * long) continue
      const t = ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / long
      if (t > near && t < long - near) on.push({ at: p, t })
    }
    const path = [a, ...on.sort((p, q) => p.t - q.t).map((p) => p.at), b]
    for (let j = 1; j < path.length; j++) put(path[j - 1]!, path[j]!)
  })
  const from = new Map<string, LonLat[]>()
  for (const [a, b] of edges.values()) from.set(a.join(), [...(from.get(a.join()) ?? []), b])
  const outer: LonLat[][] = [], holes: LonLat[][] = []
  for (const [start, first] of from) while (first.length > 0) {
    const path: LonLat[] = [nodes.get(start)!]
    while (path.length > 0) {
      const at = path[path.length - 1]!, back = path[path.length - 2], ways = from.get(at.join()) ?? []
      if (ways.length === 0) break
      // Where shapes touch in a corner the way turns left, around what lies inside.
      const turn = (q: LonLat) => { const w = back ? Math.atan2(q[1] - at[1], q[0] - at[0]) - Math.atan2(at[1] - back[1], at[0] - back[0]) : 0; return w > Math.PI ? w - 2 * Math.PI : w < -Math.PI ? w + 2 * Math.PI : w }
      const to = ways.reduce((p, q) => (turn(q) > turn(p) ? q : p))
      ways.splice(ways.indexOf(to), 1)
      const met = path.findIndex((p) => p[0] === to[0] && p[1] === to[1])
      if (met < 0) { path.push(to); continue }
      const ring = path.splice(met)
      if (ring.length > 2) (doubleArea(ring) > 0 ? outer : holes).push(ring)
      if (met > 0) path.push(to)
    }
  }
  const closed = (r: LonLat[]): LonLat[] => [...r, r[0]!]
  outer.sort((p, q) => doubleArea(p) - doubleArea(q))
  const coordinates = outer.map((r) => [closed(r)])
  for (const hole of holes) {
    const lon = (hole[0]![0] + hole[1]![0]) / 2, lat = (hole[0]![1] + hole[1]![1]) / 2
    coordinates.find((p) => inside({ type: 'MultiPolygon', coordinates: [[p[0]!]] }, lon, lat))?.push(closed(hole))
  }
  return { type: 'MultiPolygon', coordinates }
}
