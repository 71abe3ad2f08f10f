/** Arithmetic of the Web Mercator tile grid: no map needed, so all of it is tested. */
export interface Tile { z: number; x: number; y: number }
export type TileBox = readonly [x0: number, y0: number, x1: number, y1: number]
export type LonLatBox = readonly [west: number, south: number, east: number, north: number]

/** Dirty boxes of the live stream count in tiles of this zoom. */
export const BOX_ZOOM = 14

const clamp = (v: number, lo: number, hi: number) => Math.min(hi, Math.max(lo, v))

export function tileX(lon: number, z: number): number { return ((lon + 180) / 360) * 2 ** z }
export function tileY(lat: number, z: number): number {
  const s = Math.sin((clamp(lat, -85.0511287798066, 85.0511287798066) * Math.PI) / 180)
  return (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * 2 ** z
}
export function lonOf(x: number, z: number): number { return (x / 2 ** z) * 360 - 180 }
export function latOf(y: number, z: number): number {
  const n = Math.PI - (2 * Math.PI * y) / 2 ** z
  return (180 / Math.PI) * Math.atan(0.5 * (Math.exp(n) - Math.exp(-n)))
}

/**
 * dirtyTiles answers which tiles of zoom z, among those the view covers, touch a dirty
 * box. Boxes are inclusive on both ends. Tiles outside the view need nothing: the map
 * keeps none of them (maxTileCacheSize 0) and asks again when they come into view.
 */
export function dirtyTiles(boxes: readonly TileBox[], z: number, view: LonLatBox): Tile[] {
  const n = 2 ** z
  const vx0 = clamp(Math.floor(tileX(view[0], z)) - 1, 0, n - 1), vx1 = clamp(Math.floor(tileX(view[2], z)) + 1, 0, n - 1)
  const vy0 = clamp(Math.floor(tileY(view[3], z)) - 1, 0, n - 1), vy1 = clamp(Math.floor(tileY(view[1], z)) + 1, 0, n - 1)
  const seen = new Set<number>()
  const out: Tile[] = []
  const scale = 2 ** (z - BOX_ZOOM)
  for (const [x0, y0, x1, y1] of boxes) {
    // A feature near a tile's edge is drawn in its neighbour's buffer too, hence the margin.
    const margin = 0.03
    const bx0 = clamp(Math.floor(x0 * scale - margin), vx0, n), bx1 = Math.min(vx1, Math.floor((x1 + 1) * scale + margin))
    const by0 = clamp(Math.floor(y0 * scale - margin), vy0, n), by1 = Math.min(vy1, Math.floor((y1 + 1) * scale + margin))
    for (let x = bx0; x <= bx1; x++) for (let y = by0; y <= by1; y++) {
      const key = y * n + x
      if (seen.has(key)) continue
      seen.add(key)
      out.push({ z, x, y })
    }
  }
  return out
}

/** boxOverlaps says whether a lon/lat box touches any dirty box. */
export function boxOverlaps(boxes: readonly TileBox[], box: LonLatBox): boolean {
  const x0 = tileX(box[0], BOX_ZOOM), x1 = tileX(box[2], BOX_ZOOM), y0 = tileY(box[3], BOX_ZOOM), y1 = tileY(box[1], BOX_ZOOM)
  return boxes.some(([a, b, c, d]) => x0 <= c + 1 && x1 >= a && y0 <= d + 1 && y1 >= b)
}
