import type { Box } from './types.ts'

function walk(value: unknown, see: (lon: number, lat: number) => void): void {
  if (!Array.isArray(value)) return
  if (typeof value[0] === 'number') see(value[0], value[1] as number)
  else for (const item of value) walk(item, see)
}

export function boundsOf(g: GeoJSON.Geometry | null): Box | null {
  if (!g) return null
  let w = Infinity, s = Infinity, e = -Infinity, n = -Infinity
  const see = (lon: number, lat: number) => { w = Math.min(w, lon); e = Math.max(e, lon); s = Math.min(s, lat); n = Math.max(n, lat) }
  if (g.type === 'GeometryCollection') for (const part of g.geometries) walk((part as { coordinates?: unknown }).coordinates, see)
  else walk(g.coordinates, see)
  return w <= e ? [w, s, e, n] : null
}

const R = 6371008.8
const rad = (d: number) => (d * Math.PI) / 180

function metres(a: readonly number[], b: readonly number[]): number {
  const la = rad(a[1]!), lb = rad(b[1]!)
  const h = Math.sin((lb - la) / 2) ** 2 + Math.cos(la) * Math.cos(lb) * Math.sin(rad(b[0]! - a[0]!) / 2) ** 2
  return 2 * R * Math.asin(Math.min(1, Math.sqrt(h)))
}

export function lengthOf(g: GeoJSON.Geometry | null): number {
  const line = (c: readonly (readonly number[])[]) => c.reduce((sum, p, i) => (i ? sum + metres(c[i - 1]!, p) : 0), 0)
  if (g?.type === 'LineString') return line(g.coordinates)
  if (g?.type === 'MultiLineString') return g.coordinates.reduce((sum, c) => sum + line(c), 0)
  return 0
}

/** areaOf on the sphere (Chamberlain and Duquette): good to a fraction of a percent. */
export function areaOf(g: GeoJSON.Geometry | null): number {
  const ring = (c: readonly (readonly number[])[]) => {
    let sum = 0
    for (let i = 0, j = c.length - 1; i < c.length; j = i++) {
      sum += rad(c[i]![0]! - c[j]![0]!) * (2 + Math.sin(rad(c[j]![1]!)) + Math.sin(rad(c[i]![1]!)))
    }
    return Math.abs((sum * R * R) / 2)
  }
  const polygon = (p: readonly (readonly (readonly number[])[])[]) => p.reduce((sum, c, i) => sum + (i ? -ring(c) : ring(c)), 0)
  if (g?.type === 'Polygon') return polygon(g.coordinates)
  if (g?.type === 'MultiPolygon') return g.coordinates.reduce((sum, p) => sum + polygon(p), 0)
  return 0
}
