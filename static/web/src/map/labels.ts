/**
 * Places for the labels of areas. A tile knows only its own piece of an area and would
 * label every piece; here the pieces in view are weighed together, and the place of the
 * largest picture ever seen is kept, so a label neither doubles nor wanders.
 */
export interface Piece { fid: number; rings: [number, number][][]; properties: Record<string, unknown> }
export interface Place { fid: number; lon: number; lat: number; area: number; properties: Record<string, unknown> }

function ringMoments(ring: readonly [number, number][]): { a: number; x: number; y: number } {
  let a = 0, x = 0, y = 0
  const ox = ring[0]?.[0] ?? 0, oy = ring[0]?.[1] ?? 0 // near the origin, to keep the digits
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const px = ring[j]![0] - ox, py = ring[j]![1] - oy, qx = ring[i]![0] - ox, qy = ring[i]![1] - oy
    const cross = px * qy - qx * py
    a += cross
    x += (px + qx) * cross
    y += (py + qy) * cross
  }
  return { a: a / 2, x: x / 6 + (a / 2) * ox, y: y / 6 + (a / 2) * oy }
}

export function contains(rings: readonly (readonly [number, number][])[], lon: number, lat: number): boolean {
  let inside = false
  for (const ring of rings) for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i]!
    const [xj, yj] = ring[j]!
    if (yi > lat !== yj > lat && lon < ((xj - xi) * (lat - yi)) / (yj - yi) + xi) inside = !inside
  }
  return inside
}

/** middle finds a point inside the rings on the widest of a few horizontal cuts. */
export function middle(rings: readonly (readonly [number, number][])[]): [number, number] | null {
  let south = Infinity, north = -Infinity
  for (const ring of rings) for (const [, y] of ring) { south = Math.min(south, y); north = Math.max(north, y) }
  let best: [number, number] | null = null, width = 0
  for (let k = 1; k < 8; k++) {
    const lat = south + ((north - south) * k) / 8
    const cuts: number[] = []
    for (const ring of rings) for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [xi, yi] = ring[i]!
      const [xj, yj] = ring[j]!
      if (yi > lat !== yj > lat) cuts.push(((xj - xi) * (lat - yi)) / (yj - yi) + xi)
    }
    cuts.sort((a, b) => a - b)
    for (let i = 0; i + 1 < cuts.length; i += 2) if (cuts[i + 1]! - cuts[i]! > width) {
      width = cuts[i + 1]! - cuts[i]!
      best = [(cuts[i]! + cuts[i + 1]!) / 2, lat]
    }
  }
  return best
}

export function placesOf(pieces: readonly Piece[]): Place[] {
  const groups = new Map<number, Piece[]>()
  for (const piece of pieces) {
    const group = groups.get(piece.fid)
    if (group) group.push(piece)
    else groups.set(piece.fid, [piece])
  }
  const out: Place[] = []
  for (const [fid, group] of groups) {
    let a = 0, x = 0, y = 0
    let largest = group[0]!, size = 0
    for (const piece of group) {
      let own = 0
      for (const ring of piece.rings) {
        const m = ringMoments(ring)
        a += m.a
        x += m.x
        y += m.y
        own += m.a
      }
      if (Math.abs(own) > size) { size = Math.abs(own); largest = piece }
    }
    if (a === 0) continue
    let lon = x / a, lat = y / a
    if (!group.some((piece) => contains(piece.rings, lon, lat))) {
      const inside = middle(largest.rings)
      if (!inside) continue
      ;[lon, lat] = inside
    }
    out.push({ fid, lon, lat, area: Math.abs(a), properties: largest.properties })
  }
  return out
}

/** A PlaceBook remembers the best place per feature. */
export class PlaceBook {
  private places = new Map<string, Map<number, Place>>()

  learn(layer: string, pieces: readonly Piece[]): void {
    const known = this.places.get(layer) ?? new Map<number, Place>()
    for (const place of placesOf(pieces)) {
      const before = known.get(place.fid)
      // A tenth more: the same area at another zoom is simplified otherwise and must not move its label.
      if (!before || place.area > before.area * 1.1) known.set(place.fid, place)
    }
    this.places.set(layer, known)
  }

  forget(layer: string): void { this.places.delete(layer) }

  features(layers: readonly string[]): GeoJSON.Feature[] {
    const out: GeoJSON.Feature[] = []
    for (const layer of layers) for (const place of this.places.get(layer)?.values() ?? []) {
      out.push({ type: 'Feature', geometry: { type: 'Point', coordinates: [place.lon, place.lat] }, properties: { ...place.properties, 'om:layer': layer } })
    }
    return out
  }
}
