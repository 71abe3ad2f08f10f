/**
 * GCJ-02 and BD-09: some phones and browsers give shifted positions. The map is in
 * CRS84 (CGCS2000 and WGS84 are the same here, to a few decimetres). The formulas are the
 * public ones; the way back is found by iteration.
 */
import type { Datum, Geometry } from '../types.ts'

type P = [number, number]
const A = 6378245
const EE = 0.00669342162296594323

/** Outside this box the offset is not applied. */
const outside = ([lon, lat]: P): boolean => lon < 72.004 || lon > 137.8347 || lat < 0.8293 || lat > 55.8271

function shift([lon, lat]: P): P {
  const x = lon - 105, y = lat - 35, { sin, sqrt, abs, PI, cos } = Math
  const wave = (20 * sin(6 * x * PI) + 20 * sin(2 * x * PI)) * 2 / 3
  let dLat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + wave
  dLat += (20 * sin(y * PI) + 40 * sin(y / 3 * PI)) * 2 / 3 + (160 * sin(y / 12 * PI) + 320 * sin(y * PI / 30)) * 2 / 3
  let dLon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + wave
  dLon += (20 * sin(x * PI) + 40 * sin(x / 3 * PI)) * 2 / 3 + (150 * sin(x / 12 * PI) + 300 * sin(x / 30 * PI)) * 2 / 3
  const rad = lat / 180 * PI
  const magic = 1 - EE * sin(rad) ** 2
  return [dLon * 180 / (A / sqrt(magic) * cos(rad) * PI), dLat * 180 / (A * (1 - EE) / (magic * sqrt(magic)) * PI)]
}

const toGCJ = (p: P): P => { if (outside(p)) return p; const d = shift(p); return [p[0] + d[0], p[1] + d[1]] }
const X = Math.PI * 3000 / 180
const toBD = ([lon, lat]: P): P => {
  const z = Math.hypot(lon, lat) + 0.00002 * Math.sin(lat * X), t = Math.atan2(lat, lon) + 0.000003 * Math.cos(lon * X)
  return [z * Math.cos(t) + 0.0065, z * Math.sin(t) + 0.006]
}
function back(p: P, forth: (p: P) => P): P {
  let at: P = [p[0], p[1]]
  for (let k = 0; k < 30; k++) {
    const f = forth(at), dx = p[0] - f[0], dy = p[1] - f[1]
    at = [at[0] + dx, at[1] + dy]
    if (Math.abs(dx) < 1e-12 && Math.abs(dy) < 1e-12) break
  }
  return at
}

/** toDatum gives a place of the map as a device of that datum would say it. */
export function toDatum(p: P, d: Datum): P { return d === 'GCJ02' ? toGCJ(p) : d === 'BD09' ? toBD(toGCJ(p)) : p }
/** toMap is the way back. */
export function toMap(p: P, d: Datum): P { return d === 'GCJ02' ? back(p, toGCJ) : d === 'BD09' ? back(back(p, toBD), toGCJ) : p }

export function geometryIn(g: Geometry, d: Datum): Geometry {
  if (d !== 'GCJ02' && d !== 'BD09') return g
  const deep = (v: unknown): unknown => (Array.isArray(v) && typeof v[0] === 'number' ? toDatum(v as P, d) : Array.isArray(v) ? v.map(deep) : v)
  return { ...g, coordinates: deep(g.coordinates) } as Geometry
}
