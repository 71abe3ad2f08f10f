import type { LonLat, MultiPolygon, Rings } from '../types.ts'
import { Grid } from './grid.ts'

/** Coordinates of a plan lie on this grid; the server decides in the same integers. */
export const SCALE = 1e8
export const toGrid = (degrees: number): number => Math.round(degrees * SCALE)
export const fromGrid = (n: number): number => n / SCALE
export const lonLat = (p: XY): LonLat => [p[0] / SCALE, p[1] / SCALE]
export const xy = (p: readonly number[]): XY => [toGrid(p[0]!), toGrid(p[1]!)]

export type XY = [x: number, y: number]
/** AREA is the boundary of what the plan covers: its nodes are locked. */
export const AREA = ''

interface Ring { zone: string; part: number; ring: number; nodes: number[] }
export interface EdgeHit { a: number; b: number; at: XY; d: number }
export interface Crossing { at: XY }

/**
 * Topo knows, for every node of the draft, all rings that use it. Neighbours share nodes
 * because they have the same integer coordinates, so moving one moves it in every zone.
 * Nothing here rounds, heals or guesses: that is the server's.
 */
export class Topo {
  private xs: number[] = []
  private ys: number[] = []
  private users: number[][] = []
  private rings: (Ring | null)[] = []
  private zones = new Map<string, number[]>()
  private boxes = new Map<string, [number, number, number, number]>()
  private table: Int32Array
  private mask: number
  private filled = 0
  private nodeGrid: Grid
  private edgeGrid: Grid
  private edgeA: number[] = []
  private edgeB: number[] = []

  constructor(zones: Iterable<[string, MultiPolygon]>, area: MultiPolygon | null = null) {
    const all: [string, MultiPolygon][] = [...zones]
    if (area) all.push([AREA, area])
    let n = 0, x1 = Infinity, y1 = Infinity, x2 = -Infinity, y2 = -Infinity
    for (const [, g] of all) for (const p of g.coordinates) for (const r of p) for (const c of r) {
      n++
      if (c[0] < x1) x1 = c[0]
      if (c[0] > x2) x2 = c[0]
      if (c[1] < y1) y1 = c[1]
      if (c[1] > y2) y2 = c[1]
    }
    if (n === 0) { x1 = x2 = 105; y1 = y2 = 35 }
    this.mask = 1024
    while (this.mask < n * 2) this.mask *= 2
    this.table = new Int32Array(this.mask).fill(-1)
    this.mask--
    // About two nodes to a cell: a question touches few, and building stays cheap.
    const size = Math.max(1000, Math.sqrt(((x2 - x1) * (y2 - y1)) / Math.max(1, n / 4)) * SCALE)
    this.nodeGrid = new Grid(toGrid(x1), toGrid(y1), size)
    this.edgeGrid = new Grid(toGrid(x1), toGrid(y1), size)
    for (const [id, g] of all) this.add(id, g)
  }

  // ---- nodes ---------------------------------------------------------------

  private slot(x: number, y: number): number {
    let h = (Math.imul(x | 0, 0x9e3779b1) ^ Math.imul(y | 0, 0x85ebca6b)) >>> 0
    h ^= h >>> 15
    for (let i = h & this.mask; ; i = (i + 1) & this.mask) {
      const n = this.table[i]!
      if (n === -1 || (n >= 0 && this.xs[n] === x && this.ys[n] === y)) return i
    }
  }
  private intern(x: number, y: number): number {
    const i = this.slot(x, y)
    const have = this.table[i]!
    if (have >= 0) return have
    if (this.filled * 2 > this.mask) { this.grow(); return this.intern(x, y) }
    const n = this.xs.length
    this.xs.push(x)
    this.ys.push(y)
    this.users.push([])
    this.table[i] = n
    this.filled++
    this.nodeGrid.point(x, y, n)
    return n
  }
  private grow(): void {
    this.mask = (this.mask + 1) * 2
    this.table = new Int32Array(this.mask).fill(-1)
    this.mask--
    this.filled = 0
    for (let n = 0; n < this.xs.length; n++) if (this.users[n]!.length > 0) { this.table[this.slot(this.xs[n]!, this.ys[n]!)] = n; this.filled++ }
  }
  /** find answers the node at a position, or -1. */
  find(p: XY): number {
    const n = this.table[this.slot(p[0], p[1])]!
    return n >= 0 && this.users[n]!.length > 0 ? n : -1
  }
  at(node: number): XY { return [this.xs[node]!, this.ys[node]!] }
  zonesOf(node: number): string[] { return unique(this.users[node]!.map((r) => this.rings[r]!.zone).filter((z) => z !== AREA)) }
  locked(node: number): boolean { return this.users[node]!.some((r) => this.rings[r]!.zone === AREA) }
  get nodes(): number { let n = 0; for (const u of this.users) if (u.length > 0) n++; return n }

  // ---- zones ---------------------------------------------------------------

  private add(zone: string, g: MultiPolygon): void {
    const ids: number[] = []
    let x1 = Infinity, y1 = Infinity, x2 = -Infinity, y2 = -Infinity
    g.coordinates.forEach((polygon, part) => polygon.forEach((ring, at) => {
      const nodes: number[] = []
      for (let i = 0; i < ring.length; i++) {
        const x = toGrid(ring[i]![0]), y = toGrid(ring[i]![1])
        if (i === ring.length - 1 && i > 0 && x === this.xs[nodes[0]!] && y === this.ys[nodes[0]!]) break // closed as GeoJSON closes
        nodes.push(this.intern(x, y))
        if (x < x1) x1 = x
        if (x > x2) x2 = x
        if (y < y1) y1 = y
        if (y > y2) y2 = y
      }
      const id = this.rings.length
      this.rings.push({ zone, part, ring: at, nodes })
      ids.push(id)
      for (let i = 0; i < nodes.length; i++) {
        this.users[nodes[i]!]!.push(id)
        this.edge(nodes[i]!, nodes[(i + 1) % nodes.length]!)
      }
    }))
    this.zones.set(zone, ids)
    this.boxes.set(zone, [x1, y1, x2, y2])
  }
  private edge(a: number, b: number): void {
    const item = this.edgeA.length
    this.edgeA.push(a)
    this.edgeB.push(b)
    this.edgeGrid.segment(this.xs[a]!, this.ys[a]!, this.xs[b]!, this.ys[b]!, item)
  }
  private remove(zone: string): void {
    for (const id of this.zones.get(zone) ?? []) {
      for (const n of this.rings[id]!.nodes) { const u = this.users[n]!; const i = u.indexOf(id); if (i >= 0) u.splice(i, 1) }
      this.rings[id] = null
    }
    this.zones.delete(zone)
    this.boxes.delete(zone)
  }
  /** set puts a zone as the server has it now; null takes it out. */
  set(zone: string, g: MultiPolygon | null): void {
    this.remove(zone)
    if (g) this.add(zone, g)
  }
  has(zone: string): boolean { return this.zones.has(zone) }
  box(zone: string): [number, number, number, number] | null { return this.boxes.get(zone) ?? null }

  /** shape is a zone as GeoJSON, with some nodes elsewhere while they are dragged. */
  shape(zone: string, moved?: ReadonlyMap<number, XY>): MultiPolygon {
    const coordinates: Rings[] = []
    for (const id of this.zones.get(zone) ?? []) {
      const r = this.rings[id]!
      const ring: LonLat[] = new Array(r.nodes.length + 1)
      for (let i = 0; i < r.nodes.length; i++) {
        const n = r.nodes[i]!
        const m = moved?.get(n)
        ring[i] = m ? [m[0] / SCALE, m[1] / SCALE] : [this.xs[n]! / SCALE, this.ys[n]! / SCALE]
      }
      ring[r.nodes.length] = ring[0]!
      ;(coordinates[r.part] ??= [])[r.ring] = ring
    }
    return { type: 'MultiPolygon', coordinates }
  }
  /** outline lists a zone's nodes, ring by ring. */
  outline(zone: string): { part: number; ring: number; nodes: readonly number[] }[] { return (this.zones.get(zone) ?? []).map((id) => this.rings[id]!) }

  /** neighbours are the zones that share a node with any of these, these themselves included. */
  neighbours(zones: Iterable<string>): string[] {
    const out = new Set<string>()
    for (const z of zones) {
      out.add(z)
      for (const id of this.zones.get(z) ?? []) for (const n of this.rings[id]!.nodes) for (const r of this.users[n]!) out.add(this.rings[r]!.zone)
    }
    out.delete(AREA)
    return [...out]
  }
  touching(box: readonly [number, number, number, number]): string[] {
    const out: string[] = []
    for (const [z, b] of this.boxes) if (z !== AREA && b[0] <= box[2] && b[2] >= box[0] && b[1] <= box[3] && b[3] >= box[1]) out.push(z)
    return out
  }
  /** under are the zones whose box a line or ring touches. */
  under(line: readonly XY[]): string[] {
    let x1 = Infinity, y1 = Infinity, x2 = -Infinity, y2 = -Infinity
    for (const [x, y] of line) { x1 = Math.min(x1, x); x2 = Math.max(x2, x); y1 = Math.min(y1, y); y2 = Math.max(y2, y) }
    return this.touching([x1, y1, x2, y2])
  }
  /** shared is the length in nodes of the border two zones have in common. */
  shared(a: string, b: string): number {
    const of = new Set((this.zones.get(b) ?? []).flatMap((id) => this.rings[id]!.nodes))
    let n = 0
    for (const id of this.zones.get(a) ?? []) for (const node of this.rings[id]!.nodes) if (of.has(node)) n++
    return n
  }

  // ---- edges ---------------------------------------------------------------

  /** places of an edge: every ring in which b follows a, or a follows b. */
  private sides(a: number, b: number): { id: number; ring: Ring; index: number }[] {
    const out: { id: number; ring: Ring; index: number }[] = []
    for (const id of this.users[a]!) {
      if (!this.users[b]!.includes(id)) continue
      const ring = this.rings[id]!, n = ring.nodes.length
      for (let i = 0; i < n; i++) {
        const u = ring.nodes[i]!, v = ring.nodes[(i + 1) % n]!
        if ((u === a && v === b) || (u === b && v === a)) out.push({ id, ring, index: i })
      }
    }
    return out
  }
  isEdge(a: number, b: number): boolean { return this.sides(a, b).length > 0 }
  edgeZones(a: number, b: number): string[] { return unique(this.sides(a, b).map((s) => s.ring.zone).filter((z) => z !== AREA)) }

  // ---- changes, acting on every user ---------------------------------------

  /** move puts nodes elsewhere in every ring that has them; it answers the zones that changed. */
  move(moved: ReadonlyMap<number, XY>): string[] {
    const zones = new Set<string>()
    for (const [node, to] of moved) {
      const old = this.slot(this.xs[node]!, this.ys[node]!)
      if (this.table[old] === node) this.table[old] = -2 // a tombstone keeps the chain behind it
      this.xs[node] = to[0]
      this.ys[node] = to[1]
      const i = this.slot(to[0], to[1])
      if (this.table[i] === -1) { this.table[i] = node; this.filled++ }
      this.nodeGrid.point(to[0], to[1], node)
    }
    for (const node of moved.keys()) for (const id of this.users[node]!) {
      const r = this.rings[id]!, n = r.nodes.length
      zones.add(r.zone)
      for (let i = 0; i < n; i++) if (r.nodes[i] === node) {
        this.edge(r.nodes[(i + n - 1) % n]!, node)
        this.edge(node, r.nodes[(i + 1) % n]!)
      }
    }
    for (const z of zones) this.rebox(z)
    zones.delete(AREA)
    return [...zones]
  }
  /** insert makes a node on an edge, in every ring that has the edge. */
  insert(a: number, b: number, at: XY): { node: number; zones: string[] } {
    const sides = this.sides(a, b)
    const node = this.intern(at[0], at[1])
    for (const { id, ring, index } of sides) {
      ring.nodes.splice(index + 1, 0, node)
      this.users[node]!.push(id)
    }
    this.edge(a, node)
    this.edge(node, b)
    for (const s of sides) this.rebox(s.ring.zone)
    return { node, zones: unique(sides.map((s) => s.ring.zone).filter((z) => z !== AREA)) }
  }
  /** removable says whether every ring keeps at least three nodes without this one. */
  removable(node: number): boolean {
    return !this.locked(node) && this.users[node]!.every((id) => this.rings[id]!.nodes.length > 3)
  }
  drop(node: number): string[] {
    const zones = this.zonesOf(node)
    for (const id of this.users[node]!.slice()) {
      const r = this.rings[id]!
      const i = r.nodes.indexOf(node)
      if (i < 0) continue
      r.nodes.splice(i, 1)
      const n = r.nodes.length
      this.edge(r.nodes[(i + n - 1) % n]!, r.nodes[i % n]!)
    }
    this.users[node] = []
    for (const z of zones) this.rebox(z)
    return zones
  }
  private rebox(zone: string): void {
    let x1 = Infinity, y1 = Infinity, x2 = -Infinity, y2 = -Infinity
    for (const id of this.zones.get(zone) ?? []) for (const n of this.rings[id]!.nodes) {
      const x = this.xs[n]!, y = this.ys[n]!
      if (x < x1) x1 = x
      if (x > x2) x2 = x
      if (y < y1) y1 = y
      if (y > y2) y2 = y
    }
    this.boxes.set(zone, [x1, y1, x2, y2])
  }

  // ---- hit tests -----------------------------------------------------------
  // `r` is a distance in grid steps of longitude; `ky` stretches latitude as the map does.

  nearestNode(p: XY, r: number, ky: number, ok?: (node: number) => boolean): { node: number; d: number } | null {
    let best = -1, d2 = r * r
    this.nodeGrid.near(p[0] - r, p[1] - r, p[0] + r, p[1] + r, (n) => {
      if (this.users[n]!.length === 0) return
      const dx = this.xs[n]! - p[0], dy = (this.ys[n]! - p[1]) * ky
      const d = dx * dx + dy * dy
      if (d <= d2 && (!ok || ok(n))) { d2 = d; best = n }
    })
    return best < 0 ? null : { node: best, d: Math.sqrt(d2) }
  }

  nearestEdge(p: XY, r: number, ky: number, ok?: (a: number, b: number) => boolean): EdgeHit | null {
    let best: EdgeHit | null = null, d2 = r * r
    this.edgeGrid.near(p[0] - r, p[1] - r, p[0] + r, p[1] + r, (e) => {
      const a = this.edgeA[e]!, b = this.edgeB[e]!
      const q = project(p, this.xs[a]!, this.ys[a]!, this.xs[b]!, this.ys[b]!, ky)
      if (q.d2 > d2 || (best && best.a === a && best.b === b)) return
      if (!this.isEdge(a, b) || (ok && !ok(a, b))) return
      d2 = q.d2
      best = { a, b, at: [q.x, q.y], d: Math.sqrt(q.d2) }
    })
    return best
  }

  zoneAt(p: XY): string | null {
    for (const [zone, b] of this.boxes) {
      if (zone === AREA || p[0] < b[0] || p[0] > b[2] || p[1] < b[1] || p[1] > b[3]) continue
      if (this.inside(zone, p)) return zone
    }
    return null
  }
  inside(zone: string, p: XY): boolean {
    let inside = false
    for (const id of this.zones.get(zone) ?? []) if (this.ringHas(this.rings[id]!.nodes, p)) inside = !inside
    return inside
  }
  private ringHas(nodes: readonly number[], p: XY): boolean {
    let inside = false
    for (let i = 0, j = nodes.length - 1; i < nodes.length; j = i++) {
      const xi = this.xs[nodes[i]!]!, yi = this.ys[nodes[i]!]!, xj = this.xs[nodes[j]!]!, yj = this.ys[nodes[j]!]!
      if (yi > p[1] !== yj > p[1] && p[0] < ((xj - xi) * (p[1] - yi)) / (yj - yi) + xi) inside = !inside
    }
    return inside
  }
  /** holeAt answers a hole of a zone around a place, or -1. */
  holeAt(zone: string, p: XY): boolean {
    return (this.zones.get(zone) ?? []).some((id) => this.rings[id]!.ring > 0 && this.ringHas(this.rings[id]!.nodes, p))
  }
  withHoleAt(p: XY): string | null {
    for (const [zone, b] of this.boxes) if (zone !== AREA && p[0] >= b[0] && p[0] <= b[2] && p[1] >= b[1] && p[1] <= b[3] && this.holeAt(zone, p)) return zone
    return null
  }

  // ---- what may not be -----------------------------------------------------

  /** crosses looks for an edge of the draft that segments would cross, were these nodes there. */
  crosses(moved: ReadonlyMap<number, XY>): Crossing | null {
    const of = (n: number): XY => moved.get(n) ?? this.at(n)
    const fresh: [number, number][] = []
    for (const node of moved.keys()) for (const id of this.users[node]!) {
      const nodes = this.rings[id]!.nodes, n = nodes.length
      for (let i = 0; i < n; i++) if (nodes[i] === node) fresh.push([nodes[(i + n - 1) % n]!, node], [node, nodes[(i + 1) % n]!])
    }
    let found: Crossing | null = null
    for (let k = 0; k < fresh.length && !found; k++) {
      const [a, b] = fresh[k]!
      const p = of(a), q = of(b)
      for (let m = 0; m < k && !found; m++) {
        const [c, d] = fresh[m]!
        if (c === a || c === b || d === a || d === b) continue
        const at = cross(p, q, of(c), of(d))
        if (at) found = { at }
      }
      this.edgeGrid.near(Math.min(p[0], q[0]), Math.min(p[1], q[1]), Math.max(p[0], q[0]), Math.max(p[1], q[1]), (e) => {
        if (found) return
        const c = this.edgeA[e]!, d = this.edgeB[e]!
        if (c === a || c === b || d === a || d === b || moved.has(c) || moved.has(d)) return
        const at = cross(p, q, this.at(c), this.at(d))
        if (at && this.isEdge(c, d)) found = { at }
      })
    }
    return found
  }

  /** cuts counts where a line crosses the border of a zone: a split needs two. */
  cuts(zone: string, line: readonly XY[]): number {
    let n = 0
    const seen = new Set<string>()
    for (let k = 1; k < line.length; k++) {
      const p = line[k - 1]!, q = line[k]!
      for (const id of this.zones.get(zone) ?? []) {
        const nodes = this.rings[id]!.nodes
        for (let i = 0, j = nodes.length - 1; i < nodes.length; j = i++) {
          const a = this.at(nodes[j]!), b = this.at(nodes[i]!)
          // Ending on the border, or passing exactly through a node, is a crossing too, counted once.
          const at = meet(p, q, a, b)
          if (at) { const key = `${at[0]},${at[1]}`; if (!seen.has(key)) { seen.add(key); n++ } }
        }
      }
    }
    return n
  }

  /** cutBy is the zone a line cuts through: the one meant, or the first the line crosses twice. */
  cutBy(line: readonly XY[], only: string | null): string | null {
    const cut = (z: string) => this.cuts(z, line) >= 2
    if (only !== null) return cut(only) ? only : null
    for (let i = 1; i < line.length; i++) {
      const z = this.zoneAt([(line[i - 1]![0] + line[i]![0]) / 2, (line[i - 1]![1] + line[i]![1]) / 2])
      if (z && cut(z)) return z
    }
    for (const p of line) { const z = this.zoneAt(p); if (z && cut(z)) return z }
    return null
  }

  /** along walks a border from one node to another, the shorter way; null where no ring has both. */
  along(from: number, to: number): XY[] | null {
    let best: XY[] | null = null, least = Infinity
    for (const id of this.users[from]!) {
      if (!this.users[to]!.includes(id)) continue
      const nodes = this.rings[id]!.nodes, n = nodes.length
      const i = nodes.indexOf(from), j = nodes.indexOf(to)
      for (const step of [1, n - 1]) {
        const path: XY[] = []
        let length = 0, k = i
        while (k !== j && path.length <= n) {
          const a = this.at(nodes[k]!)
          k = (k + step) % n
          const b = this.at(nodes[k]!)
          length += Math.hypot(a[0] - b[0], a[1] - b[1])
          path.push(b)
        }
        if (length < least) { least = length; best = path }
      }
    }
    return best
  }
}

const unique = (list: string[]): string[] => (list.length < 2 ? list : [...new Set(list)])

/** project drops a point on a segment, and puts the foot on the grid. */
export function project(p: XY, x1: number, y1: number, x2: number, y2: number, ky: number): { x: number; y: number; d2: number; t: number } {
  const dx = x2 - x1, dy = (y2 - y1) * ky
  const l2 = dx * dx + dy * dy
  const t = l2 === 0 ? 0 : Math.max(0, Math.min(1, ((p[0] - x1) * dx + (p[1] - y1) * ky * dy) / l2))
  const x = Math.round(x1 + (x2 - x1) * t), y = Math.round(y1 + (y2 - y1) * t)
  const ex = p[0] - x, ey = (p[1] - y) * ky
  return { x, y, d2: ex * ex + ey * ey, t }
}

const side = (a: XY, b: XY, c: XY): number => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

/** cross is where two segments cross properly; touching is no crossing. */
export function cross(p: XY, q: XY, a: XY, b: XY): XY | null {
  if (Math.max(p[0], q[0]) < Math.min(a[0], b[0]) || Math.min(p[0], q[0]) > Math.max(a[0], b[0]) || Math.max(p[1], q[1]) < Math.min(a[1], b[1]) || Math.min(p[1], q[1]) > Math.max(a[1], b[1])) return null
  const s1 = side(p, q, a), s2 = side(p, q, b), s3 = side(a, b, p), s4 = side(a, b, q)
  return s1 * s2 < 0 && s3 * s4 < 0 ? where(p, q, a, b) : null
}
/** meet is where two segments have a point in common, touching included; parallel ones have none. */
export function meet(p: XY, q: XY, a: XY, b: XY): XY | null {
  if (Math.max(p[0], q[0]) < Math.min(a[0], b[0]) || Math.min(p[0], q[0]) > Math.max(a[0], b[0]) || Math.max(p[1], q[1]) < Math.min(a[1], b[1]) || Math.min(p[1], q[1]) > Math.max(a[1], b[1])) return null
  const s1 = side(p, q, a), s2 = side(p, q, b), s3 = side(a, b, p), s4 = side(a, b, q)
  if (s1 === 0 && s2 === 0) return null
  return s1 * s2 <= 0 && s3 * s4 <= 0 ? where(p, q, a, b) : null
}
function where(p: XY, q: XY, a: XY, b: XY): XY {
  const d = (q[0] - p[0]) * (b[1] - a[1]) - (q[1] - p[1]) * (b[0] - a[0])
  const t = ((a[0] - p[0]) * (b[1] - a[1]) - (a[1] - p[1]) * (b[0] - a[0])) / d
  return [Math.round(p[0] + (q[0] - p[0]) * t), Math.round(p[1] + (q[1] - p[1]) * t)]
}

/** selfCrossing is where a line being drawn crosses itself; `closed` counts the edge back to its start. */
export function selfCrossing(line: readonly XY[], closed: boolean): XY | null {
  const n = closed ? line.length : line.length - 1
  for (let i = 0; i < n; i++) for (let j = i + 2; j < n; j++) {
    if (closed && i === 0 && j === n - 1) continue
    const at = cross(line[i]!, line[i + 1]!, line[j]!, line[(j + 1) % line.length]!)
    if (at) return at
  }
  return null
}
