import { session } from '../session.svelte.ts'
import type { LonLat, MultiPolygon } from '../types.ts'
import { draft } from './draft.svelte.ts'
import type { MapStage } from './mapstage.svelte.ts'
import { feature, point } from './sketch.ts'
import type { Caught } from './snap.ts'
import { lonLat, type XY } from './topo.ts'

/** What the hand holds: a node, an edge, or a new node on an edge; and where it is now. */
export interface Drag {
  moved: Map<number, XY>
  zones: string[]
  kind: 'node' | 'edge' | 'insert'
  nodes: number[]
  from: XY[]
  grip: XY
  edge?: [XY, XY]
  crossing: XY | null
  any: boolean
}
/** What lies under the pointer. */
export interface Hover { node: number; edge: [number, number] | null; mid: boolean }
const MAX_HANDLES = 3000

/** handlesOf draws the nodes and middles of the chosen zones that are in view. */
export function handlesOf(stage: MapStage, of: { zones: readonly string[]; active: number; hover: Hover; drag: Drag | null }): GeoJSON.Feature[] {
  const out: GeoJSON.Feature[] = [], topo = draft.topo, d = of.drag
  const { step, ky } = stage.scale()
  const [w, s, e, n] = stage.bounds().map((v) => v * 1e8) as [number, number, number, number]
  const visible = (v: XY) => v[0] >= w && v[0] <= e && v[1] >= s && v[1] <= n
  const seen = new Set<number>()
  for (const zone of of.zones) for (const ring of topo.outline(zone)) {
    if (out.length > MAX_HANDLES) break
    for (let i = 0; i < ring.nodes.length; i++) {
      const a = ring.nodes[i]!, b = ring.nodes[(i + 1) % ring.nodes.length]!
      const p = d?.moved.get(a) ?? topo.at(a), q = d?.moved.get(b) ?? topo.at(b)
      if (!seen.has(a) && visible(p) && out.length < MAX_HANDLES) { seen.add(a); out.push(feature(point(p), { kind: topo.locked(a) ? 'locked' : 'node', on: a === of.active || a === of.hover.node })) }
      if (Math.hypot(p[0] - q[0], (p[1] - q[1]) * ky) / step > 36 && (visible(p) || visible(q))) out.push(feature(point([(p[0] + q[0]) / 2, (p[1] + q[1]) / 2]), { kind: 'mid' }))
    }
  }
  if (of.hover.edge && !of.hover.mid && !d) out.push(feature({ type: 'LineString', coordinates: of.hover.edge.map((k) => lonLat(topo.at(k))) }, { kind: 'edge' }))
  if (d) for (const p of d.moved.values()) out.push(feature(point(p), { kind: 'node', on: true }))
  if (d?.crossing) out.push(feature(point(d.crossing), { kind: 'cross' }))
  return out
}

/** caughtAt shows the exact place a click would take, and what it belongs to. */
export function caughtAt(c: Caught): GeoJSON.Feature {
  const t = session.t
  const layer = session.catalogue?.layers.find((l) => l.id === c.layer)?.title ?? c.layer
  const label = c.kind === 'node' ? t('caught_node') : c.kind === 'edge' ? t('caught_edge') : [layer, c.name].filter(Boolean).join(' ')
  return feature(point(c.at), { kind: 'caught', label })
}

interface Pixel { x: number; y: number }

/** sketchOf draws what is being made: the line with the way to the pointer, picked units, steps on their way, the box of a selection. */
export function sketchOf(stage: MapStage, of: { points: readonly XY[]; line: readonly XY[]; ring: boolean; props: Record<string, unknown>; units: readonly { geometry: MultiPolygon }[]; box: readonly [Pixel, Pixel] | null }): GeoJSON.Feature[] {
  const out: GeoJSON.Feature[] = []
  if (of.ring && of.line.length > 2) out.push(feature({ type: 'Polygon', coordinates: [[...of.line, of.line[0]!].map(lonLat)] }, of.props))
  else if (of.line.length > 1) out.push(feature({ type: 'LineString', coordinates: of.line.map(lonLat) }, of.props))
  for (const p of of.points.slice(-400)) out.push(feature(point(p), of.props))
  for (const u of of.units) out.push(feature(u.geometry, {}))
  for (const p of draft.pending) for (const g of p.sketch) if (!draft.slow || p.sketch.length < 60) out.push(feature(g, p.parked ? { color: stage.ink.theirs } : {}))
  if (of.box) {
    const [b, q] = of.box
    const corners = [[b.x, b.y], [q.x, b.y], [q.x, q.y], [b.x, q.y], [b.x, b.y]].map(([x, y]) => stage.map.unproject([x!, y!]).toArray() as LonLat)
    out.push(feature({ type: 'Polygon', coordinates: [corners] }, {}))
  }
  return out
}
