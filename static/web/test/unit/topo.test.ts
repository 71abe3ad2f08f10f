import { describe, expect, it } from 'vitest'
import { cross, lonLat, selfCrossing, SCALE, toGrid, Topo, xy, type XY } from '../../src/plan/editor/topo.ts'
import type { LonLat, MultiPolygon } from '../../src/plan/types.ts'

/** quilt is a coverage of n×n zones whose borders have `between` nodes on each side, all of them shared. */
export function quilt(n: number, between: number): Map<string, MultiPolygon> {
  const step = 0.01, [ox, oy] = [112, 31]
  const bend = (x: number, y: number): LonLat => [toGrid(ox + x * step + Math.sin(y * 3) * step * 0.1) / SCALE, toGrid(oy + y * step + Math.cos(x * 3) * step * 0.1) / SCALE]
  const side = (x1: number, y1: number, x2: number, y2: number): LonLat[] => Array.from({ length: between + 1 }, (_, i) => bend(x1 + ((x2 - x1) * i) / (between + 1), y1 + ((y2 - y1) * i) / (between + 1)))
  const out = new Map<string, MultiPolygon>()
  for (let x = 0; x < n; x++) for (let y = 0; y < n; y++) {
    // Both directions of a border are made of the same points: start from the smaller corner.
    const back = (a: LonLat[], end: LonLat) => [...a.slice(1), end].reverse()
    const ring = [...side(x, y, x + 1, y), ...side(x + 1, y, x + 1, y + 1), ...back(side(x, y + 1, x + 1, y + 1), bend(x + 1, y + 1)), ...back(side(x, y, x, y + 1), bend(x, y + 1))]
    ring.push(ring[0]!)
    out.set(`z${x}-${y}`, { type: 'MultiPolygon', coordinates: [[ring]] })
  }
  return out
}
const edgesOf = (g: MultiPolygon): string[] => g.coordinates.flat().flatMap((r) => r.slice(1).map((p, i) => `${r[i]}>${p}`))
/** exact is the server's rule: every directed edge once, and inside the quilt its reverse once. */
function exact(topo: Topo, ids: Iterable<string>, border: number): void {
  const seen = new Map<string, number>()
  for (const id of ids) for (const e of edgesOf(topo.shape(id))) seen.set(e, (seen.get(e) ?? 0) + 1)
  let alone = 0
  for (const [e, n] of seen) {
    expect(n, e).toBe(1)
    const [a, b] = e.split('>')
    if (!seen.has(`${b}>${a}`)) alone++
  }
  expect(alone).toBe(border)
}

describe('nodes shared by zones', () => {
  const zones = quilt(4, 3)
  const fresh = () => new Topo(zones)
  const corner = xy(zones.get('z1-1')!.coordinates[0]![0]![0]!)

  it('gives back exactly what it was given', () => {
    const topo = fresh()
    for (const [id, g] of zones) expect(topo.shape(id)).toEqual(g)
    exact(topo, zones.keys(), 4 * 4 * 4)
  })
  it('moves a node in all four zones, and the coverage stays exact', () => {
    const topo = fresh()
    const node = topo.find(corner)
    expect(topo.zonesOf(node).sort()).toEqual(['z0-0', 'z0-1', 'z1-0', 'z1-1'])
    const to: XY = [corner[0] + 12_345, corner[1] - 6789]
    const before = topo.shape('z2-2')
    expect(topo.move(new Map([[node, to]])).sort()).toEqual(['z0-0', 'z0-1', 'z1-0', 'z1-1'])
    exact(topo, zones.keys(), 64)
    expect(topo.find(to)).toBe(node)
    expect(topo.find(corner)).toBe(-1)
    for (const id of ['z0-0', 'z0-1', 'z1-0', 'z1-1']) expect(edgesOf(topo.shape(id)).some((e) => e.endsWith(`>${lonLat(to)}`)), id).toBe(true)
    expect(topo.shape('z2-2')).toEqual(before)
    topo.move(new Map([[node, corner]]))
    for (const [id, g] of zones) expect(topo.shape(id)).toEqual(g)
  })
  it('inserts into every ring of an edge and takes out again', () => {
    const topo = fresh()
    const ring = zones.get('z1-1')!.coordinates[0]![0]!
    const [a, b] = [topo.find(xy(ring[0]!)), topo.find(xy(ring[1]!))]
    const p = xy(ring[0]!), q = xy(ring[1]!)
    const { node, zones: touched } = topo.insert(a, b, [Math.round((p[0] + q[0]) / 2), Math.round((p[1] + q[1]) / 2) + 500])
    expect(touched.sort()).toEqual(['z1-0', 'z1-1'])
    exact(topo, zones.keys(), 64)
    expect(topo.isEdge(a, b)).toBe(false)
    expect(topo.isEdge(a, node) && topo.isEdge(node, b)).toBe(true)
    expect(topo.removable(node)).toBe(true)
    topo.drop(node)
    expect(topo.isEdge(a, b)).toBe(true)
    for (const [id, g] of zones) expect(topo.shape(id)).toEqual(g)
  })
  it('previews a drag without changing anything', () => {
    const topo = fresh()
    const node = topo.find(corner)
    const shape = topo.shape('z1-1', new Map([[node, [corner[0] + 100, corner[1]]]]))
    expect(shape).not.toEqual(zones.get('z1-1'))
    expect(topo.shape('z1-1')).toEqual(zones.get('z1-1'))
  })
  it('finds the nearest node, edge and zone, and nothing that is gone', () => {
    const topo = fresh()
    expect(topo.nearestNode([corner[0] + 500, corner[1] - 300], 2000, 1.17)?.node).toBe(topo.find(corner))
    expect(topo.nearestNode([corner[0] + 50_000_000, corner[1]], 2000, 1.17)).toBeNull()
    const p = xy(zones.get('z1-1')!.coordinates[0]![0]![0]!), q = xy(zones.get('z1-1')!.coordinates[0]![0]![1]!)
    const hit = topo.nearestEdge([(p[0] + q[0]) / 2, (p[1] + q[1]) / 2 + 400], 2000, 1.17)!
    expect(new Set([hit.a, hit.b])).toEqual(new Set([topo.find(p), topo.find(q)]))
    expect(topo.zoneAt([toGrid(112.015), toGrid(31.025)])).toBe('z1-2')
    expect(topo.zoneAt([toGrid(111), toGrid(31)])).toBeNull()
    topo.set('z1-2', null)
    expect(topo.zoneAt([toGrid(112.015), toGrid(31.025)])).toBeNull()
    expect(topo.neighbours(['z1-1'])).not.toContain('z1-2')
  })
  it('locks the boundary of the area', () => {
    const one = zones.get('z0-0')!
    const topo = new Topo([['z0-0', one]], one)
    expect(topo.locked(topo.find(corner))).toBe(true)
    expect(topo.removable(topo.find(corner))).toBe(false)
    expect(topo.zonesOf(topo.find(corner))).toEqual(['z0-0'])
    expect(fresh().locked(fresh().find(corner))).toBe(false)
  })
  it('walks along a border the shorter way', () => {
    const topo = fresh()
    const ring = zones.get('z1-1')!.coordinates[0]![0]!
    const path = topo.along(topo.find(xy(ring[1]!)), topo.find(xy(ring[4]!)))!
    expect(path.map(lonLat)).toEqual([ring[2], ring[3], ring[4]])
    expect(topo.along(topo.find(xy(ring[1]!)), topo.find(xy(zones.get('z3-3')!.coordinates[0]![0]![6]!)))).toBeNull()
  })
})

describe('what may not be drawn', () => {
  const zones = quilt(3, 0)
  it('a node dragged over an opposite edge', () => {
    const topo = new Topo(zones)
    const corner = xy(zones.get('z1-1')!.coordinates[0]![0]![0]!)
    const node = topo.find(corner)
    expect(topo.crosses(new Map([[node, [corner[0] + 200_000, corner[1] + 200_000]]]))).toBeNull()
    expect(topo.crosses(new Map([[node, [corner[0] + 1_500_000, corner[1] + 300_000]]]))).not.toBeNull()
  })
  it('a bow-tie, while it is drawn', () => {
    const bow: XY[] = [[0, 0], [10, 10], [10, 0], [0, 10]]
    expect(selfCrossing(bow, true)).toEqual([5, 5])
    expect(selfCrossing([[0, 0], [10, 0], [10, 10], [0, 10]], true)).toBeNull()
    expect(selfCrossing(bow, false)).toEqual([5, 5])
    expect(selfCrossing([[0, 0], [10, 10], [10, 0]], false)).toBeNull()
  })
  it('touching is no crossing', () => {
    expect(cross([0, 0], [10, 0], [5, 0], [5, 9])).toBeNull()
    expect(cross([0, 0], [10, 0], [5, -3], [5, 9])).toEqual([5, 0])
  })
  it('a split needs two crossings of its zone', () => {
    const topo = new Topo(zones)
    const b = topo.box('z1-1')!
    const mid: XY = [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2]
    expect(topo.cuts('z1-1', [[b[0] - 10_000, mid[1]], mid])).toBe(1)
    expect(topo.cuts('z1-1', [[b[0] - 10_000, mid[1]], mid, [b[2] + 10_000, mid[1] + 5]])).toBe(2)
    expect(topo.cuts('z1-1', [[b[0] - 20_000, mid[1]], [b[0] - 10_000, mid[1]]])).toBe(0)
  })
})

describe('two thousand zones of sixty vertices', () => {
  it('stay exact through five hundred moves', () => {
    const zones = quilt(45, 14) // 2,025 zones, 121,500 vertices
    let t = performance.now()
    const topo = new Topo(zones)
    const built = performance.now() - t
    const list = [...zones.values()]
    const times: number[] = []
    for (let k = 0; k < 500; k++) {
      const ring = list[(k * 37) % list.length]!.coordinates[0]![0]!
      const at = xy(ring[(k * 11) % 60]!)
      const node = topo.find(at)
      if (node < 0) continue // moved before
      const to: XY = [at[0] + 1000 + (k % 7), at[1] - 1000]
      t = performance.now()
      topo.nearestNode(at, 20_000, 1.17)
      topo.nearestEdge(at, 20_000, 1.17)
      topo.crosses(new Map([[node, to]]))
      for (const z of topo.zonesOf(node)) topo.shape(z, new Map([[node, to]]))
      topo.move(new Map([[node, to]]))
      times.push(performance.now() - t)
    }
    times.sort((a, b) => a - b)
    console.log(`topo: build ${built.toFixed(0)} ms; drag step median ${times[times.length >> 1]!.toFixed(3)} ms, worst ${times[times.length - 1]!.toFixed(2)} ms, ${times.length} moves`)
    exact(topo, zones.keys(), 45 * 4 * 15)
  }, 60_000)
})
