import { latOf, lonOf, tileX, tileY } from './tiles.ts'

/** A point as a tile gives it. */
export interface Dot { fid: number; lon: number; lat: number; level: number }

export interface Cluster {
  layer: string
  lon: number
  lat: number
  count: number
  /** the worst level inside; 0 when nothing has one */
  level: number
  fids: number[]
}

const CELL = 64 // CSS pixels at whole zooms; eight cells to a tile, so no cell is split by a tile's edge
/** Symbols are larger near by, so fewer of them make a crowd. */
const crowd = (zoom: number): number => (zoom < 13 ? 6 : 4)
/** From here on every point is drawn by itself, straight from its tile. */
export const CLUSTER_BELOW = 16

/**
 * clusterDots gathers points that would lie on one another and answers the others as
 * singles. The grid is fixed to the world, not to the screen, so that panning never
 * regroups anything, and to the tile grid, so that a cell is known whole as soon as its
 * tile is.
 */
export function clusterDots<D extends Dot>(layer: string, dots: readonly D[], zoom: number): { clusters: Cluster[]; singles: D[] } {
  const z = Math.round(zoom)
  const cells = new Map<string, D[]>()
  const seen = new Set<number>()
  for (const dot of dots) {
    if (seen.has(dot.fid)) continue // the same point lies in a neighbour's buffer
    seen.add(dot.fid)
    const key = `${Math.floor((tileX(dot.lon, z) * 512) / CELL)}/${Math.floor((tileY(dot.lat, z) * 512) / CELL)}`
    const cell = cells.get(key)
    if (cell) cell.push(dot)
    else cells.set(key, [dot])
  }
  const clusters: Cluster[] = []
  const singles: D[] = []
  for (const cell of cells.values()) {
    if (cell.length < crowd(zoom)) { singles.push(...cell); continue }
    let x = 0, y = 0, level = 0
    for (const dot of cell) {
      x += tileX(dot.lon, z)
      y += tileY(dot.lat, z)
      if (dot.level > 0 && (level === 0 || dot.level < level)) level = dot.level
    }
    const n = cell.length
    clusters.push({ layer, lon: lonOf(x / n, z), lat: latOf(y / n, z), count: n, level, fids: cell.map((d) => d.fid).sort((a, b) => a - b) })
  }
  return { clusters, singles }
}

/** radius in CSS pixels of the disc of a cluster. */
export const clusterRadius = (count: number): number => (count < 10 ? 12 : count < 100 ? 14 : count < 1000 ? 17 : 20)

/**
 * spread moves discs of different layers apart where they would hide each other. The
 * earlier in the list stays; the result depends only on the input.
 */
export function spread(clusters: readonly Cluster[], zoom: number): Cluster[] {
  const scale = 512 * 2 ** zoom
  const at = clusters.map((c) => ({ x: (tileX(c.lon, 0)) * scale, y: (tileY(c.lat, 0)) * scale, r: clusterRadius(c.count) + 3 }))
  for (let round = 0; round < 24; round++) {
    let moved = false
    for (let i = 0; i < at.length; i++) for (let j = i + 1; j < at.length; j++) {
      const a = at[i]!, b = at[j]!
      let dx = b.x - a.x, dy = b.y - a.y
      const want = a.r + b.r
      if (Math.abs(dx) >= want || Math.abs(dy) >= want) continue
      let d = Math.hypot(dx, dy)
      if (d >= want) continue
      if (d < 0.01) { dx = Math.cos(j * 2.4); dy = Math.sin(j * 2.4); d = 1 }
      const push = want - Math.min(d, want)
      b.x += (dx / d) * push
      b.y += (dy / d) * push
      moved = true
    }
    if (!moved) break
  }
  return clusters.map((c, i) => ({ ...c, lon: lonOf(at[i]!.x / scale, 0), lat: latOf(at[i]!.y / scale, 0) }))
}
