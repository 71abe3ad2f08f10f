import type { LonLat } from '../types.ts'
import { Grid } from './grid.ts'
import { lonLat, project, xy, type Topo, type XY } from './topo.ts'

/** What the pointer caught: a node or an edge of the draft, or a line of another layer. */
export interface Caught { at: XY; kind: 'node' | 'edge' | 'line'; layer: string; name: string; node?: number; edge?: [number, number]; line?: number; seg?: number }
interface Line { layer: string; name: string; points: XY[] }

/** Lines are the borders, rivers and roads around, as the server has them on the grid. */
export class Lines {
  private lines: Line[] = []
  private grid = new Grid(0, 0, 100_000)
  private segs: [line: number, seg: number][] = []
  readonly count: number

  constructor(c: GeoJSON.FeatureCollection) {
    for (const f of c.features) {
      const p = f.properties as { layer?: string; name?: string } | null
      const parts = f.geometry.type === 'LineString' ? [f.geometry.coordinates] : f.geometry.type === 'MultiLineString' ? f.geometry.coordinates : []
      for (const part of parts) {
        const points = part.map((c) => xy(c))
        const id = this.lines.push({ layer: p?.layer ?? '', name: p?.name ?? '', points }) - 1
        for (let i = 1; i < points.length; i++) {
          const s = this.segs.push([id, i - 1]) - 1
          this.grid.segment(points[i - 1]![0], points[i - 1]![1], points[i]![0], points[i]![1], s)
        }
      }
    }
    this.count = this.lines.length
  }

  nearest(p: XY, r: number, ky: number): { hit: Caught; d: number } | null {
    let best: { hit: Caught; d: number } | null = null
    this.grid.near(p[0] - r, p[1] - r, p[0] + r, p[1] + r, (s) => {
      const [id, seg] = this.segs[s]!
      const line = this.lines[id]!, a = line.points[seg]!, b = line.points[seg + 1]!
      const q = project(p, a[0], a[1], b[0], b[1], ky)
      let at: XY = [q.x, q.y], d = Math.sqrt(q.d2)
      // A corner of a line is meant more often than the place beside it.
      for (const end of [a, b]) {
        const de = Math.hypot(p[0] - end[0], (p[1] - end[1]) * ky)
        if (de < r * 0.6 && de < d + r * 0.35) { at = end; d = Math.min(d, de) }
      }
      if (d <= r && (!best || d < best.d)) best = { hit: { at, kind: 'line', layer: line.layer, name: line.name, line: id, seg }, d }
    })
    return best
  }

  /** between are the points of one line from one place on it to another, the end included. */
  between(a: Caught, b: Caught): XY[] | null {
    if (a.line === undefined || a.line !== b.line || a.seg === undefined || b.seg === undefined) return null
    const points = this.lines[a.line]!.points
    const out: XY[] = []
    if (b.seg > a.seg) for (let i = a.seg + 1; i <= b.seg; i++) out.push(points[i]!)
    else for (let i = a.seg; i > b.seg; i--) out.push(points[i]!)
    if (!same(out[out.length - 1], b.at)) out.push(b.at)
    return same(out[0], a.at) ? out.slice(1) : out
  }
}
export const same = (a: XY | undefined, b: XY | undefined): boolean => !!a && !!b && a[0] === b[0] && a[1] === b[1]

/** catchAt answers the exact coordinates the pointer means: nodes first, then edges, then other layers. */
export function catchAt(p: XY, r: number, ky: number, topo: Topo, lines: Lines | null, not: ReadonlySet<number> = new Set()): Caught | null {
  const node = topo.nearestNode(p, r, ky, (n) => !not.has(n))
  if (node) return { at: topo.at(node.node), kind: 'node', layer: '', name: '', node: node.node }
  const edge = topo.nearestEdge(p, r * 0.8, ky, (a, b) => !not.has(a) && !not.has(b))
  const line = lines?.nearest(p, r * 0.8, ky) ?? null
  if (edge && (!line || edge.d <= line.d)) return { at: edge.at, kind: 'edge', layer: '', name: '', edge: [edge.a, edge.b] }
  return line?.hit ?? null
}

/** trace follows what both ends lie on: a border of the draft, or one line of another layer. */
export function trace(a: Caught, b: Caught, topo: Topo, lines: Lines | null): XY[] | null {
  if (a.kind === 'line' && b.kind === 'line') return lines?.between(a, b) ?? null
  const ends = (c: Caught): number[] => (c.node !== undefined ? [c.node] : c.edge ?? [])
  let best: XY[] | null = null, least = Infinity
  for (const from of ends(a)) for (const to of ends(b)) {
    if (from === to && a.kind === 'edge' && b.kind === 'edge') { if (best === null) best = [topo.at(from)]; continue }
    const path = from === to ? [] : topo.along(from, to)
    if (!path) continue
    const points = a.kind === 'edge' ? [topo.at(from), ...path] : path
    if (!same(points[points.length - 1], b.at)) points.push(b.at)
    let length = 0, last = a.at
    for (const q of points) { length += Math.hypot(q[0] - last[0], q[1] - last[1]); last = q }
    if (length < least) { least = length; best = points }
  }
  return best
}

// ---- coordinates typed in ------------------------------------------------------------

/**
 * readCoordinates reads one position to a line: "121.5 25.03", "121°30′12.5″E 25°01′48″N",
 * or with labels and numbers in front. East or longitude comes first unless letters say so.
 */
export function readCoordinates(text: string): { points: LonLat[]; bad: number[] } {
  const points: LonLat[] = []
  const bad: number[] = []
  text.split(/[\n;]+/).forEach((raw, i) => {
    const line = raw.trim()
    if (!line) return
    const at = readOne(line)
    if (at) points.push(at)
    else bad.push(i + 1)
  })
  // A ring that is closed in the list is closed once.
  const first = points[0], last = points[points.length - 1]
  if (first && last && points.length > 3 && first[0] === last[0] && first[1] === last[1]) points.pop()
  return { points: points.map((p) => lonLat(xy(p))), bad }
}

function readOne(line: string): LonLat | null {
  const text = line.replace(/[,,、\t]/g, ' ').replace(/[’'′分]/g, "'").replace(/[”"″秒]|''/g, '"').replace(/[度]/g, '°').replace(/东经|东/g, 'E').replace(/西经|西/g, 'W').replace(/北纬|北/g, 'N').replace(/南纬|南/g, 'S').toUpperCase()
  const dms = [...text.matchAll(/([EWNS])?\s*(-?\d+(?:\.\d+)?)\s*°\s*(?:(\d+(?:\.\d+)?)\s*'\s*)?(?:(\d+(?:\.\d+)?)\s*")?\s*([EWNS])?/g)]
  let values: { v: number; axis: string }[]
  if (dms.length === 2) {
    values = dms.map((m) => {
      const [d, min, s] = [Number(m[2]), Number(m[3] ?? 0), Number(m[4] ?? 0)]
      const letter = m[1] ?? m[5] ?? ''
      if (min >= 60 || s >= 60) return { v: NaN, axis: letter }
      const v = Math.sign(d || 1) * (Math.abs(d) + min / 60 + s / 3600)
      return { v: letter === 'W' || letter === 'S' ? -v : v, axis: letter }
    })
  } else {
    const plain = [...text.matchAll(/([EWNS])?\s*(-?\d+(?:\.\d+)?)\s*([EWNS])?(?=\s|$)/g)].map((m) => ({ v: Number(m[2]), axis: m[1] ?? m[3] ?? '' }))
    // A list may carry the number of the point in front.
    values = plain.length === 3 && Number.isInteger(plain[0]!.v) && plain[0]!.axis === '' ? plain.slice(1) : plain
    values = values.map((x) => ({ v: x.axis === 'W' || x.axis === 'S' ? -x.v : x.v, axis: x.axis }))
  }
  if (values.length !== 2) return null
  let [a, b] = values as [{ v: number; axis: string }, { v: number; axis: string }]
  if (a.axis === 'N' || a.axis === 'S') [a, b] = [b, a]
  return Number.isFinite(a.v) && Number.isFinite(b.v) && Math.abs(a.v) <= 180 && Math.abs(b.v) <= 90 ? [a.v, b.v] : null
}
