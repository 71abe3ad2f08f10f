/** Where two versions differ, as the map draws it: every piece of ground once, by what became of its level. */
import type { Diff, DiffItem } from './shapes.ts'

export type Turn = 'worse' | 'milder' | 'same'
type Ring = number[][]
type Rings = Ring[]

/** turned compares levels: 1 is the most severe, and what has no level is neither worse nor milder. */
export const turned = (before: number | null, after: number | null): Turn => (!before || !after || before === after ? 'same' : after < before ? 'worse' : 'milder')

const parts = (g: GeoJSON.Geometry | null | undefined): Rings[] => (g?.type === 'Polygon' ? [g.coordinates] : g?.type === 'MultiPolygon' ? g.coordinates : [])

/** crossings are where the rings meet the line v = at, sorted; between the first and the second it is inside, and so on. */
function crossings(rings: readonly [number, number][][], at: number): number[] {
  const out: number[] = []
  for (const ring of rings) for (let i = 0; i + 1 < ring.length; i++) {
    const [u1, v1] = ring[i]!, [u2, v2] = ring[i + 1]!
    if ((v1 > at) !== (v2 > at)) out.push(u1 + ((at - v1) / (v2 - v1)) * (u2 - u1))
  }
  return out.sort((a, b) => a - b)
}
const span = (rings: readonly [number, number][][]): [number, number] => rings.flat().reduce<[number, number]>(([lo, hi], [, v]) => [Math.min(lo, v), Math.max(hi, v)], [Infinity, -Infinity])

/** within is a point well inside: the middle of the widest of three chords. */
export function within(rings: Rings): [number, number] | null {
  const flat = rings.map((r) => r.map((p): [number, number] => [p[0]!, p[1]!]))
  const [lo, hi] = span(flat)
  let best: { at: [number, number]; wide: number } | null = null
  for (const k of [0.49, 0.27, 0.73]) {
    const y = lo + (hi - lo) * k, x = crossings(flat, y)
    for (let i = 0; i + 1 < x.length; i += 2) if (x[i + 1]! - x[i]! > (best?.wide ?? 0)) best = { at: [(x[i]! + x[i + 1]!) / 2, y], wide: x[i + 1]! - x[i]! }
  }
  return best?.at ?? null
}
const holds = (rings: Rings, [x, y]: [number, number]): boolean => crossings(rings.map((r) => r.map((p): [number, number] => [p[0]!, p[1]!])), y).filter((u) => u < x).length % 2 === 1

const outline = (g: GeoJSON.Geometry | null): GeoJSON.MultiLineString => ({ type: 'MultiLineString', coordinates: parts(g).flat() })

/** without leaves rings out of a shape they lie in. */
function without(g: GeoJSON.Geometry, rings: readonly Ring[]): GeoJSON.Geometry {
  if (rings.length === 0) return g
  return { type: 'MultiPolygon', coordinates: parts(g).map((p) => [...p, ...rings.filter((r) => { const at = within([r]); return at !== null && holds(p, at) })]) }
}

export interface Ground { worse: GeoJSON.Geometry[]; milder: GeoJSON.Geometry[]; hatch: GeoJSON.Geometry[]; border: GeoJSON.Geometry[] }

/**
 * ground sorts what changed. What one zone gains another loses: only the gain is filled, by
 * the level the loser had there and the level it has now; a loss is drawn where nobody
 * gained it. `whole` gives the shape of a zone as it is now.
 */
export function ground(d: Diff, whole: (zone: string) => GeoJSON.Geometry | null): Ground {
  const out: Ground = { worse: [], milder: [], hatch: [], border: [] }
  const losers = [...d.moved, ...d.removed].flatMap((item) => parts(item.geometry_lost).map((rings) => ({ item, rings })))
  const gainers = [...d.moved, ...d.added].flatMap((item) => parts(item.geometry_gained).map((rings) => ({ item, rings })))
  const put = (turn: Turn, g: GeoJSON.Geometry) => { if (turn !== 'same') out[turn].push(g) }
  const before = (at: [number, number] | null): DiffItem | null => (at && losers.find((l) => holds(l.rings, at))?.item) || null
  const gains = gainers.map(({ item, rings }) => ({ item, rings, turn: turned(before(within(rings))?.level_before ?? null, item.level_after) }))
  const filled = new Map<string, Turn>()
  for (const item of d.relevelled) {
    const g = whole(item.zone), turn = turned(item.level_before, item.level_after)
    if (!g) continue
    // Ground it gained may have turned the other way: that is left to the gain.
    put(turn, without(g, gains.filter((x) => x.item.zone === item.zone && x.turn !== turn).map((x) => x.rings[0]!)))
    filled.set(item.zone, turn)
    if (turn === 'same') out.border.push(outline(g))
  }
  for (const { item, rings, turn } of gains) {
    const g: GeoJSON.Polygon = { type: 'Polygon', coordinates: rings }
    if (turn !== filled.get(item.zone)) put(turn, g)
    out.border.push(outline(g))
  }
  for (const { rings } of losers) {
    const at = within(rings)
    if (at && !gainers.some((g) => holds(g.rings, at))) out.border.push(outline({ type: 'Polygon', coordinates: rings }))
  }
  // What is new or gone is hatched: that does not rest on colour alone.
  for (const g of [...d.added.map((item) => item.geometry_gained ?? whole(item.zone)), ...d.removed.map((item) => item.geometry_lost)]) if (g) out.hatch.push(g)
  return out
}
