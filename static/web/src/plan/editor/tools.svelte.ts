import { areaOf, lengthOf } from '../../lib/geometry.ts'
import { session, type Word } from '../session.svelte.ts'
import type { MultiPolygon, Op } from '../types.ts'
import { draft } from './draft.svelte.ts'
import type { MapStage } from './mapstage.svelte.ts'
import { Around, unitAt, type Unit } from './around.svelte.ts'
import { caughtAt, handlesOf, sketchOf, type Drag, type Hover } from './handles.ts'
import { dissolved, inside, middleOf, point, thinned, withNode } from './sketch.ts'
import { catchAt, same, trace, type Caught } from './snap.ts'
import { lonLat, selfCrossing, type XY } from './topo.ts'

export type ToolID = 'select' | 'draw' | 'vertex' | 'reshape' | 'split' | 'hole' | 'fill' | 'part' | 'units'
/** Tools that draw a line or a ring point by point. */
const rings: readonly ToolID[] = ['draw', 'hole', 'part']
const lines: readonly ToolID[] = ['reshape', 'split']
export const keyOf: Record<ToolID, string> = { select: 'V', draw: 'P', vertex: 'E', reshape: 'R', split: 'L', hole: 'H', fill: 'F', part: 'A', units: 'U' }

/** Tools is the hand of the planner: what a click, a drag and a key mean. */
class Tools {
  tool = $state<ToolID>('select')
  selection = $state.raw<string[]>([])
  sketch = $state.raw<XY[]>([])
  snapping = $state(true)
  tracing = $state(false)
  carve = $state(false)
  level = $state<number | null>(null)
  /** the node picked for the keyboard */
  active = $state<number>(-1)
  /** what stands at the pointer, in words: area, crossing, refusal */
  says = $state('')
  bad = $state(false)
  crosses = $state<boolean | null>(null)
  /** borders, rivers and roads around, to snap to */
  readonly around = new Around()
  units = $state.raw<{ layer: string; items: Unit[] }>({ layer: '', items: [] })
  dialog = $state<'' | 'coordinates' | 'delete' | 'level' | 'help' | 'explode'>('')
  stage: MapStage | null = null
  private caught: (Caught & { step?: number }) | null = null
  private catches: (Caught | null)[] = []
  private hover: Hover = { node: -1, edge: null, mid: false }
  private dragging: Drag | null = null
  private boxFrom: { x: number; y: number } | null = null
  private freehand = false
  private panning = false
  private pointer: { at: XY; x: number; y: number } | null = null
  private nudge: { timer: number; drag: Drag } | null = null
  private frame = 0
  /** how long each step of a drag took, in ms */
  readonly dragTimes: number[] = []

  get drawing(): boolean { return rings.includes(this.tool) || lines.includes(this.tool) }
  get one(): string | null { return this.selection.length === 1 ? this.selection[0]! : null }

  open(stage: MapStage): void {
    this.stage = stage
    // Where zones cover everything, what is new is taken out of them.
    this.carve = session.plan?.exhaustive === true
    this.around.open(stage)
    stage.moved = () => { this.paintSoon(); this.linesSoon() }
    this.linesSoon()
  }
  close(): void {
    this.stage = null
    this.reset()
    this.tool = 'select'
    this.selection = []
    this.around.close()
  }

  use(tool: ToolID): void {
    this.flushNudge()
    this.reset()
    this.tool = tool
    if (tool !== 'units') this.units = { layer: '', items: [] }
    const c = this.stage?.map.getCanvas()
    if (c) c.style.cursor = tool === 'select' || tool === 'vertex' ? '' : 'crosshair'
    if (this.drawing || tool === 'vertex') this.linesSoon()
    session.say(session.t(`tool_${tool}` as Word))
    this.paint()
  }
  reset(): void {
    this.sketch = []
    this.catches = []
    this.caught = null
    this.says = ''
    this.bad = false
    this.crosses = null
    this.active = -1
    this.hover = { node: -1, edge: null, mid: false }
    if (this.dragging) { this.dragging = null; this.stage?.drag(null) }
    this.paintSoon()
  }
  /** escape leaves what is half done first, then the tool, then the selection. */
  escape(): void {
    if (this.stage?.answer(null)) return
    if (this.nudge) { clearTimeout(this.nudge.timer); this.nudge = null; this.stage?.drag(null); this.paint(); return }
    if (this.dragging) { this.dragging = null; this.stage?.drag(null); this.stage?.map.dragPan.enable(); this.says = ''; this.bad = false; this.paint(); return }
    if (this.sketch.length > 0 || this.units.items.length > 0) { this.units = { ...this.units, items: [] }; this.reset(); return }
    if (this.tool !== 'select') { this.use('select'); return }
    this.select([])
  }

  select(zones: string[], fly = false): void {
    this.selection = zones
    this.active = -1
    session.select(zones.length === 1 ? zones[0]! : null)
    if (fly && this.stage) {
      const b = zones.length === 1 ? session.zones.bounds(zones[0]!) : null
      if (b) this.stage.fly({ box: b })
    }
    if (zones.length === 1) session.say(session.t('say_selected', { name: session.zones.name(zones[0]!) }))
    this.paint()
  }
  /** kept drops from the selection what no longer is. */
  kept(): void {
    const left = this.selection.filter((z) => session.zones.all.has(z))
    if (left.length !== this.selection.length) this.select(left)
    else this.paint()
  }

  // ---- pointer -------------------------------------------------------------

  down(e: MouseEvent): boolean {
    const stage = this.stage
    if (!stage || e.button !== 0 || this.panning) return false
    this.pointer = stage.place(e)
    if (stage.hint) return false
    if (this.tool === 'select' && e.shiftKey) { this.boxFrom = { x: this.pointer.x, y: this.pointer.y }; return true }
    if (!draft.editable) return false
    if (this.tool === 'vertex') return this.grab()
    if (rings.includes(this.tool) && !e.shiftKey) { this.freehand = false; return true }
    return lines.includes(this.tool)
  }

  private grab(): boolean {
    const p = this.pointer!, topo = draft.topo
    this.flushNudge()
    const hit = this.handleAt(p.at)
    if (!hit) return false
    const nodes = hit.node >= 0 ? [hit.node] : hit.mid ? [] : [...hit.edge!]
    if (nodes.some((n) => topo.locked(n))) { this.refuse(session.t('locked')); this.active = hit.node; this.paint(); return true }
    if (hit.mid) {
      const [a, b] = hit.edge!
      this.dragging = { moved: new Map(), zones: topo.edgeZones(a, b), kind: 'insert', nodes: [a, b], from: [topo.at(a), topo.at(b)], grip: p.at, edge: [topo.at(a), topo.at(b)], crossing: null, any: false }
    } else {
      const zones = [...new Set(nodes.flatMap((n) => topo.zonesOf(n)))]
      this.dragging = { moved: new Map(), zones, kind: nodes.length === 1 ? 'node' : 'edge', nodes, from: nodes.map((n) => topo.at(n)), grip: p.at, crossing: null, any: false }
    }
    this.active = hit.node
    return true
  }

  /** handleAt is what of the selected zones lies under the pointer: a node, a middle, or an edge. */
  private handleAt(at: XY): Hover | null {
    const { step, ky } = this.stage!.scale(), topo = draft.topo
    const chosen = new Set(this.selection)
    const mine = (zones: string[]) => zones.some((z) => chosen.has(z))
    const node = topo.nearestNode(at, step * 10, ky, (n) => mine(topo.zonesOf(n)))
    if (node) return { node: node.node, edge: null, mid: false }
    const edge = topo.nearestEdge(at, step * 7, ky, (a, b) => mine(topo.edgeZones(a, b)))
    if (!edge) return null
    const a = topo.at(edge.a), b = topo.at(edge.b)
    const long = Math.hypot(a[0] - b[0], (a[1] - b[1]) * ky) / step
    const off = Math.hypot(at[0] - (a[0] + b[0]) / 2, (at[1] - (a[1] + b[1]) / 2) * ky) / step
    return { node: -1, edge: [edge.a, edge.b], mid: long > 36 && off < 10 }
  }

  move(e: MouseEvent): void {
    const stage = this.stage
    if (!stage) return
    this.pointer = stage.place(e)
    if (this.boxFrom) { this.paintSoon(); return }
    if (this.dragging) { this.dragTo(this.pointer.at, e.altKey); return }
    if (this.drawing && draft.editable) {
      if (e.buttons === 1 && rings.includes(this.tool) && !this.panning) this.stroke()
      else this.aim(e.altKey)
      this.paintSoon()
      return
    }
    if (this.tool === 'vertex' && draft.editable && e.buttons === 0) {
      const h = this.handleAt(this.pointer.at)
      const next = h ?? { node: -1, edge: null, mid: false }
      if (next.node !== this.hover.node || next.edge?.join() !== this.hover.edge?.join() || next.mid !== this.hover.mid) {
        this.hover = next
        stage.map.getCanvas().style.cursor = h ? (h.node >= 0 && draft.topo.locked(h.node) ? 'not-allowed' : 'move') : ''
        this.paintSoon()
      }
    }
  }

  up(e: MouseEvent): void {
    const stage = this.stage
    if (!stage) return
    if (this.boxFrom) {
      const a = this.boxFrom, b = stage.place(e)
      this.boxFrom = null
      if (Math.hypot(a.x - b.x, a.y - b.y) > 5) this.selectBox([a.x, a.y], [b.x, b.y], e.ctrlKey || e.metaKey)
      else this.paint()
      return
    }
    if (this.dragging) { void this.letGo(); return }
    if (this.freehand) { this.freehand = false; this.thin(); void this.finish() }
  }

  click(e: MouseEvent): void {
    const stage = this.stage
    if (!stage || this.panning) return
    const p = stage.place(e)
    if (stage.answer(lonLat(p.at))) return
    this.pointer = p
    if (this.drawing && draft.editable) { this.addPoint(e.altKey); return }
    if (this.tool === 'units') { void this.pickUnit(p.at); return }
    if (this.tool === 'fill') { this.fillAt(p.at); return }
    if (this.tool === 'vertex' && this.handleAt(p.at)) return
    if (stage.overlayAt(p.x, p.y)) return
    const zone = draft.topo.zoneAt(p.at)
    const hit = zone && !stage.hidden.includes(session.zones.all.get(zone)?.properties.level ?? 0) ? zone : null
    if (e.ctrlKey || e.metaKey) { if (hit) this.select(this.selection.includes(hit) ? this.selection.filter((z) => z !== hit) : [...this.selection, hit]) } else this.select(hit ? [hit] : [])
  }
  dblclick(e: MouseEvent): void {
    if (this.drawing) { if (this.sketch.length > 1 && same(this.sketch[this.sketch.length - 1], this.sketch[this.sketch.length - 2])) this.sketch = this.sketch.slice(0, -1); void this.finish(); return }
    if (this.tool === 'select' && draft.editable && this.stage) {
      const zone = draft.topo.zoneAt(this.stage.place(e).at)
      if (zone) { this.select([zone]); this.use('vertex') }
    }
  }

  private selectBox(a: [number, number], b: [number, number], add: boolean): void {
    const map = this.stage!.map
    const p = map.unproject([Math.min(a[0], b[0]), Math.max(a[1], b[1])]), q = map.unproject([Math.max(a[0], b[0]), Math.min(a[1], b[1])])
    const box: [number, number, number, number] = [p.lng * 1e8, p.lat * 1e8, q.lng * 1e8, q.lat * 1e8]
    // Inside the box, wholly: what is only grazed was seldom meant.
    const zones = draft.topo.touching(box).filter((z) => { const b = draft.topo.box(z)!; return b[0] >= box[0] && b[2] <= box[2] && b[1] >= box[1] && b[3] <= box[3] })
    this.select(add ? [...new Set([...this.selection, ...zones])] : zones)
    session.say(session.t('say_selected_n', { n: zones.length }))
  }

  // ---- dragging nodes and edges --------------------------------------------

  private dragTo(at: XY, free: boolean): void {
    const d = this.dragging!, topo = draft.topo, stage = this.stage!
    const began = performance.now()
    d.any = true
    const { step, ky } = stage.scale()
    let to = at
    this.caught = null
    if (this.snapping && !free && d.kind !== 'edge') {
      this.caught = catchAt(at, step * 10, ky, topo, this.around.lines, new Set(d.kind === 'node' ? d.nodes : []))
      // An edge that moves along with the node is no place to stand on.
      if (this.caught?.edge && d.kind === 'insert' && this.caught.edge.every((n) => d.nodes.includes(n))) this.caught = null
      if (this.caught) to = this.caught.at
    }
    d.moved.clear()
    if (d.kind === 'node') d.moved.set(d.nodes[0]!, to)
    else if (d.kind === 'edge') {
      const dx = to[0] - d.grip[0], dy = to[1] - d.grip[1]
      d.nodes.forEach((n, i) => d.moved.set(n, [d.from[i]![0] + dx, d.from[i]![1] + dy]))
    }
    if (d.kind === 'insert') {
      d.moved.set(-1, to)
      d.crossing = null
      stage.drag(d.zones.map((zone) => ({ zone, geometry: withNode(topo.shape(zone), lonLat(d.from[0]!), lonLat(d.from[1]!), lonLat(to)) })))
    } else {
      d.crossing = topo.crosses(d.moved)?.at ?? null
      stage.drag(d.zones.map((zone) => ({ zone, geometry: topo.shape(zone, d.moved) })))
    }
    this.bad = d.crossing !== null
    this.says = this.bad ? session.t('crosses_border') : session.t('following', { n: d.zones.length })
    this.paint()
    this.dragTimes.push(performance.now() - began)
  }

  private async letGo(): Promise<void> {
    const d = this.dragging!
    this.dragging = null
    this.says = ''
    this.caught = null
    const bad = this.bad
    this.bad = false
    const to = d.kind === 'insert' ? d.moved.get(-1) : d.moved.get(d.nodes[0]!)
    if (!d.any || !to || (d.kind !== 'insert' && same(to, d.from[0]))) { this.stage?.drag(null); this.paint(); return }
    if (bad) { this.stage?.drag(null); this.refuse(session.t('crosses_border')); this.paint(); return }
    const topo = draft.topo, t = session.t, n = d.zones.length
    const taken = d.kind === 'node' && topo.find(to) >= 0
    if (d.kind === 'insert') {
      const [a, b] = d.edge!
      await draft.commit({
        title: t('step_insert', { n }), zones: d.zones, sketch: [point(to)], ops: [{ op: 'insert_vertex', edge: [lonLat(a), lonLat(b)], at: lonLat(to) }],
        ahead: () => { const made = topo.insert(d.nodes[0]!, d.nodes[1]!, to); this.redraw(made.zones) },
      })
    } else if (d.kind === 'node') {
      const ahead = () => this.redraw(topo.move(new Map(d.moved)))
      await draft.commit({ title: t('step_move', { n }), zones: d.zones, sketch: [point(to)], ops: [{ op: 'move_vertex', from: lonLat(d.from[0]!), to: lonLat(to) }], ...(taken ? {} : { ahead }) })
      if (taken) this.stage?.drag(null)
    } else {
      const [a, b] = d.nodes.map((k) => d.moved.get(k)!)
      await draft.commit({
        title: t('step_move_edge', { n }), zones: d.zones, sketch: [{ type: 'LineString', coordinates: [lonLat(a!), lonLat(b!)] }],
        ops: [{ op: 'move_edge', edge: [lonLat(d.from[0]!), lonLat(d.from[1]!)], to: [lonLat(a!), lonLat(b!)] }], ahead: () => this.redraw(topo.move(new Map(d.moved))),
      })
    }
    this.paint()
  }
  /** redraw hands changed shapes to the store, as they will be if the server agrees. */
  private redraw(zones: string[]): void {
    session.zones.take({ zones: zones.flatMap((z) => { const f = session.zones.all.get(z); return f ? [{ ...f, geometry: draft.topo.shape(z) }] : [] }), removed: [] })
  }

  removeNode(): void {
    const topo = draft.topo
    const node = this.active >= 0 ? this.active : this.hover.node
    if (node < 0) { this.refuse(session.t('no_node')); return }
    if (topo.locked(node)) { this.refuse(session.t('locked')); return }
    if (!topo.removable(node)) { this.refuse(session.t('three_needed')); return }
    const at = topo.at(node), zones = topo.zonesOf(node)
    this.active = -1
    this.hover = { node: -1, edge: null, mid: false }
    void draft.commit({ title: session.t('step_remove', { n: zones.length }), zones, sketch: [point(at)], ops: [{ op: 'remove_vertex', at: lonLat(at) }], ahead: () => this.redraw(topo.drop(node)) })
  }
  /** step picks the next node of the selected zone, for the keyboard. */
  step(by: number): void {
    const zone = this.one
    if (!zone) { this.refuse(session.t('select_one')); return }
    this.flushNudge()
    const all = draft.topo.outline(zone).flatMap((r) => [...r.nodes])
    if (all.length === 0) return
    const i = all.indexOf(this.active)
    this.active = all[(i + by + all.length) % all.length]!
    const at = lonLat(draft.topo.at(this.active))
    this.stage?.reveal([at[0], at[1], at[0], at[1]])
    session.say(session.t('say_node', { i: all.indexOf(this.active) + 1, n: all.length, at: `${at[0].toFixed(6)}, ${at[1].toFixed(6)}` }))
    this.paint()
  }
  /** push moves the picked node by a pixel; it is sent when the keys rest. */
  push(dx: number, dy: number): void {
    const topo = draft.topo, stage = this.stage
    if (this.active < 0 || !stage || !draft.editable) return
    if (topo.locked(this.active)) { this.refuse(session.t('locked')); return }
    const { step, ky } = stage.scale()
    if (!this.nudge) this.nudge = { timer: 0, drag: { moved: new Map(), zones: topo.zonesOf(this.active), kind: 'node', nodes: [this.active], from: [topo.at(this.active)], grip: topo.at(this.active), crossing: null, any: true } }
    const d = this.nudge.drag
    const now = d.moved.get(this.active) ?? topo.at(this.active)
    d.moved.set(this.active, [Math.round(now[0] + dx * step), Math.round(now[1] + (dy * step) / ky)])
    this.bad = topo.crosses(d.moved) !== null
    stage.drag(d.zones.map((zone) => ({ zone, geometry: topo.shape(zone, d.moved) })))
    this.paint()
    clearTimeout(this.nudge.timer)
    this.nudge.timer = window.setTimeout(() => this.flushNudge(), 700)
  }
  flushNudge(): void {
    if (!this.nudge) return
    clearTimeout(this.nudge.timer)
    this.dragging = this.nudge.drag
    this.nudge = null
    void this.letGo()
  }

  // ---- drawing -------------------------------------------------------------

  private aim(free: boolean): void {
    const { step, ky } = this.stage!.scale()
    this.caught = this.snapping && !free ? catchAt(this.pointer!.at, step * 10, ky, draft.topo, this.around.lines) : null
    this.measure(this.caught?.at ?? this.pointer!.at)
  }
  private addPoint(free: boolean): void {
    if (!this.pointer) return
    this.aim(free)
    this.append(this.caught?.at ?? this.pointer.at, this.caught)
  }
  /** centre puts a point in the middle of the map: drawing without a mouse. */
  centre(): void {
    const stage = this.stage
    if (!stage || !this.drawing || !draft.editable) return
    const c = stage.map.getCenter()
    this.pointer = { at: [Math.round(c.lng * 1e8), Math.round(c.lat * 1e8)], ...stage.map.project(c) }
    this.addPoint(false)
  }
  private append(at: XY, caught: Caught | null): void {
    const last = this.sketch[this.sketch.length - 1]
    // A click on the start closes a ring.
    if (rings.includes(this.tool) && this.sketch.length >= 3 && same(at, this.sketch[0])) { void this.finish(); return }
    if (rings.includes(this.tool) && this.sketch.length >= 3 && this.near(at, this.sketch[0]!, 8)) { void this.finish(); return }
    if (same(last, at)) return
    let add: XY[] = [at]
    const from = this.catches[this.catches.length - 1]
    if (this.tracing && caught && from) add = trace(from, caught, draft.topo, this.around.lines) ?? add
    const next = [...this.sketch, ...add]
    if (selfCrossing(next, false)) { this.refuse(session.t('crosses_itself')); return }
    this.sketch = next
    this.catches = [...this.catches, ...add.slice(0, -1).map(() => null), caught]
    this.measure(at)
    this.paint()
  }
  private near(a: XY, b: XY, pixels: number): boolean {
    const { step, ky } = this.stage!.scale()
    return Math.hypot(a[0] - b[0], (a[1] - b[1]) * ky) < pixels * step
  }
  /** stroke follows the pressed pointer. */
  private stroke(): void {
    const last = this.sketch[this.sketch.length - 1]
    if (last && this.near(this.pointer!.at, last, 6)) return
    this.freehand = true
    const { step, ky } = this.stage!.scale()
    const c = this.snapping ? catchAt(this.pointer!.at, step * 8, ky, draft.topo, this.around.lines) : null
    if (!same(last, c?.at ?? this.pointer!.at)) { this.sketch = [...this.sketch, c?.at ?? this.pointer!.at]; this.catches = [...this.catches, c] }
    this.measure(this.pointer!.at)
  }
  /** A hand makes too many points; what was caught stays. */
  private thin(): void {
    const { step, ky } = this.stage!.scale()
    this.sketch = thinned(this.sketch, (i) => this.catches[i] != null, step * 1.2, ky)
    this.catches = this.sketch.map(() => null)
  }
  backspace(): void {
    this.sketch = this.sketch.slice(0, -1)
    this.catches = this.catches.slice(0, -1)
    if (this.pointer) this.measure(this.pointer.at)
    this.paint()
  }

  private measure(at: XY): void {
    const line = [...this.sketch, at], t = session.t
    const ring = rings.includes(this.tool)
    this.bad = this.sketch.length > 1 && selfCrossing(line, ring && line.length > 3) !== null
    if (this.bad) { this.says = t('crosses_itself'); return }
    if (this.tool === 'split') {
      const zone = draft.topo.cutBy(line, this.one)
      this.crosses = this.sketch.length > 0 ? zone !== null : null
      this.says = this.crosses === null ? '' : t(this.crosses ? 'split_yes' : 'split_no')
      return
    }
    if (ring && line.length > 2) this.says = t('area_live', { area: session.area(areaOf({ type: 'Polygon', coordinates: [[...line, line[0]!].map(lonLat)] })) })
    else if (this.sketch.length > 0) this.says = t('length_live', { length: session.distance(lengthOf({ type: 'LineString', coordinates: line.map(lonLat) })) })
    else this.says = ''
  }
  get canFinish(): boolean {
    if (rings.includes(this.tool)) return this.sketch.length >= 3 && selfCrossing(this.sketch, true) === null
    if (this.tool === 'split') return this.sketch.length >= 2 && draft.topo.cutBy(this.sketch, this.one) !== null
    return this.sketch.length >= 2
  }

  async finish(): Promise<void> {
    const t = session.t
    if (this.tool === 'units') { this.addUnits(); return }
    if (!this.drawing || this.sketch.length === 0) return
    if (rings.includes(this.tool)) {
      if (this.sketch.length < 3) { this.refuse(t('three_needed')); return }
      if (selfCrossing(this.sketch, true)) { this.refuse(t('crosses_itself')); return }
      const ring = this.sketch
      const shape: MultiPolygon = { type: 'MultiPolygon', coordinates: [[[...ring, ring[0]!].map(lonLat)]] }
      const under = draft.topo.under(ring)
      const tool = this.tool, zone = this.one
      if (tool === 'part' && !zone) { this.refuse(t('select_one')); return }
      const hole = tool === 'hole' ? zone ?? draft.topo.zoneAt(middleOf(ring)) : null
      if (tool === 'hole' && !hole) { this.refuse(t('hole_where')); return }
      this.reset()
      if (tool === 'draw') await this.add(shape, under)
      else if (tool === 'part') await draft.commit({ title: t('step_part'), zones: [zone!, ...under], sketch: [shape], ops: [{ op: 'add_part', zone: zone!, geometry: shape, mode: this.carve ? 'carve' : 'clip' }] })
      else await draft.commit({ title: t('step_hole'), zones: [hole!, ...under], sketch: [shape], ops: [{ op: 'cut_hole', zone: hole!, geometry: shape }] })
    } else {
      if (this.sketch.length < 2) { this.refuse(t('two_needed')); return }
      const line = this.sketch
      const coordinates = line.map(lonLat)
      const zone = this.tool === 'split' ? draft.topo.cutBy(line, this.one) : this.one ?? draft.topo.zoneAt(middleOf(line))
      if (!zone) { this.refuse(t(this.tool === 'split' ? 'split_no' : 'select_one')); return }
      const op: Op = this.tool === 'split' ? { op: 'split', zone, line: coordinates } : { op: 'reshape', zone, line: coordinates }
      const title = t(this.tool === 'split' ? 'step_split' : 'step_reshape', { name: session.zones.name(zone) })
      const under = draft.topo.under(line)
      this.reset()
      await draft.commit({ title, zones: [zone, ...under], sketch: [{ type: 'LineString', coordinates }], ops: [op] })
    }
    this.kept()
  }
  /** add sends a new shape; it takes its area from the zones below, or is cut at them. */
  async add(shape: MultiPolygon, under: string[]): Promise<void> {
    const known = new Set(session.zones.all.keys())
    await draft.commit({ title: session.t('step_add'), zones: under, sketch: [shape], ops: [{ op: 'add', geometry: shape, mode: this.carve ? 'carve' : 'clip', ...(this.level ? { level: this.level } : {}) }] })
    const fresh = [...session.zones.all.keys()].filter((z) => !known.has(z))
    if (fresh.length > 0) this.select(fresh)
  }
  /** fillAt fills a hole of one zone; a gap between several goes to the chosen one. */
  private fillAt(at: XY): void {
    const t = session.t, zone = draft.topo.withHoleAt(at), inner = draft.topo.zoneAt(at)
    if (zone) {
      void draft.commit({ title: t('step_fill', { name: session.zones.name(zone) }), zones: inner ? [zone, inner] : [zone], sketch: [point(at)], ops: [{ op: 'fill_hole', zone, at: lonLat(at) }] }).then(() => this.kept())
      return
    }
    if (inner) { this.refuse(t('no_hole')); return }
    if (!this.one) { this.refuse(t('gap_whose')); return }
    void draft.commit({ title: t('step_gap', { name: session.zones.name(this.one) }), zones: [this.one], sketch: [point(at)], ops: [{ op: 'assign_gap', at: lonLat(at), zone: this.one }] })
  }

  // ---- whole zones ---------------------------------------------------------

  async merge(): Promise<void> {
    const zones = this.selection
    if (zones.length < 2) { this.refuse(session.t('merge_two')); return }
    await draft.commit({ title: session.t('step_merge', { names: zones.slice(0, 3).map((z) => session.zones.name(z)).join('+') }), zones, ops: [{ op: 'merge', zones }], sketch: zones.map((z) => session.zones.all.get(z)!.geometry) })
    this.kept()
  }
  async explode(): Promise<void> {
    const zone = this.one
    if (!zone || session.zones.all.get(zone)!.geometry.coordinates.length < 2) { this.refuse(session.t('explode_many')); return }
    await draft.commit({ title: session.t('step_explode', { name: session.zones.name(zone) }), zones: [zone], ops: [{ op: 'explode', zone }] })
  }
  async remove(to: string | null): Promise<void> {
    const zone = this.one
    if (!zone) return
    this.dialog = ''
    await draft.commit({ title: session.t('step_delete', { name: session.zones.name(zone) }), zones: to ? [zone, to] : [zone], sketch: [session.zones.all.get(zone)!.geometry], ops: [{ op: 'delete', zone, ...(to ? { to } : {}) }] })
    this.kept()
  }
  /** relevel asks for a reason where the plan was computed: each hand-made level says why. */
  async relevel(level: number): Promise<void> {
    const zones = this.selection.filter((z) => session.zones.all.get(z)?.properties.level !== level)
    const step = session.step(level)
    if (!step || !draft.editable) return
    if (this.selection.length === 0) { this.level = level; session.tell(session.t('level_next', { level: step.title })); return }
    if (zones.length === 0) return
    let reason: string | undefined
    if (zones.some((z) => session.zones.all.get(z)?.properties.attrs?.computed_level !== undefined)) {
      const asked = await session.confirm({ title: session.t('relevel_title', { level: step.title }), text: session.t('relevel_text', { n: zones.length }), yes: session.t('relevel_yes'), reason: session.t('relevel_reason'), min: 2 })
      if (asked === null) return
      reason = asked
    }
    await draft.commit({ title: session.t('step_relevel', { n: zones.length, level: step.title }), zones, sketch: zones.slice(0, 50).map((z) => session.zones.all.get(z)!.geometry), ops: [{ op: 'relevel', zones, level, ...(reason ? { reason } : {}) }] })
    this.paint()
  }

  // ---- from villages or cells ----------------------------------------------

  async pickUnit(at: XY): Promise<void> {
    const [lon, lat] = lonLat(at)
    const have = this.units.items.find((u) => inside(u.geometry, lon, lat))
    try {
      const unit = have ? null : await unitAt(this.units.layer || 'admin', lon, lat)
      if (!have && !unit) { this.refuse(session.t('unit_none')); return }
      this.units = { ...this.units, items: have ? this.units.items.filter((u) => u !== have) : [...this.units.items, unit!] }
      this.paint()
    } catch (error) { session.tell(session.explain(error), 'error') }
  }
  private addUnits(): void {
    const items = this.units.items
    if (items.length === 0) return
    const shape = dissolved(items.map((u) => u.geometry))
    const under = draft.topo.under(shape.coordinates.flat(2).map((c) => [c[0] * 1e8, c[1] * 1e8] as XY))
    this.units = { ...this.units, items: [] }
    this.reset()
    void this.add(shape, under)
  }

  // ---- other layers to snap to ---------------------------------------------

  private linesSoon(): void { if (draft.editable && this.snapping) this.around.soon() }
  setSnapping(on: boolean): void { this.snapping = on; this.caught = null; if (on) this.linesSoon(); this.paint() }

  // ---- what is drawn of all this -------------------------------------------

  setPanning(on: boolean): void {
    this.panning = on
    const c = this.stage?.map.getCanvas()
    if (c) c.style.cursor = on ? 'grab' : this.drawing ? 'crosshair' : ''
  }
  refuse(text: string): void { session.tell(text, 'error') }

  private paintSoon(): void {
    if (this.frame) return
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint() })
  }
  paint(): void {
    const stage = this.stage
    if (!stage) return
    stage.choose(this.selection)
    this.paintSketch(stage)
    this.paintHandles(stage)
  }
  private paintSketch(stage: MapStage): void {
    const at = this.pointer && this.drawing && !this.freehand ? this.caught?.at ?? this.pointer.at : null
    const color = this.bad ? stage.ink.fault : this.crosses === true ? stage.ink.good : undefined
    stage.sketch(sketchOf(stage, {
      points: this.sketch, line: at && this.sketch.length > 0 ? [...this.sketch, ...this.traced(at)] : this.sketch, ring: rings.includes(this.tool),
      props: color ? { color } : {}, units: this.units.items, box: this.boxFrom && this.pointer ? [this.boxFrom, this.pointer] : null,
    }))
  }
  private traced(at: XY): XY[] {
    const from = this.catches[this.catches.length - 1]
    return (this.tracing && this.caught && from && trace(from, this.caught, draft.topo, this.around.lines)) || [at]
  }
  private paintHandles(stage: MapStage): void {
    const drag = this.dragging ?? this.nudge?.drag ?? null
    stage.handles([
      ...(this.tool === 'vertex' && draft.editable ? handlesOf(stage, { zones: this.selection, active: this.active, hover: this.hover, drag }) : []),
      ...(this.caught && (this.drawing || this.dragging) ? [caughtAt(this.caught)] : []),
    ])
  }
}

export const tools = new Tools()
