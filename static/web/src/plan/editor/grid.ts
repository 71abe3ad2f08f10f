/** Grid files small things under the cells they touch. What became void stays filed; askers check. */
export class Grid {
  private cells = new Map<number, number[]>()
  constructor(private ox: number, private oy: number, private size: number) {}

  private key(cx: number, cy: number): number { return (cx + 1_000_000) * 4_194_304 + cy + 1_000_000 }
  private put(cx: number, cy: number, item: number): void {
    const k = this.key(cx, cy)
    const cell = this.cells.get(k)
    if (cell) cell.push(item)
    else this.cells.set(k, [item])
  }

  point(x: number, y: number, item: number): void {
    this.put(Math.floor((x - this.ox) / this.size), Math.floor((y - this.oy) / this.size), item)
  }

  /** segment files an item in every cell the segment passes. */
  segment(x1: number, y1: number, x2: number, y2: number, item: number): void {
    const s = this.size
    const ax = (x1 - this.ox) / s, ay = (y1 - this.oy) / s, bx = (x2 - this.ox) / s, by = (y2 - this.oy) / s
    const left = Math.min(ax, bx), right = Math.max(ax, bx)
    const c0 = Math.floor(left), c1 = Math.floor(right)
    const slope = bx === ax ? 0 : (by - ay) / (bx - ax)
    for (let c = c0; c <= c1; c++) {
      let lo: number, hi: number
      if (c0 === c1) { lo = Math.min(ay, by); hi = Math.max(ay, by) } else {
        const u = ay + (Math.max(c, left) - ax) * slope, v = ay + (Math.min(c + 1, right) - ax) * slope
        lo = Math.min(u, v); hi = Math.max(u, v)
      }
      for (let r = Math.floor(lo - 1e-9); r <= Math.floor(hi + 1e-9); r++) this.put(c, r, item)
    }
  }

  /** near hands over what is filed around a box; an item may come more than once. */
  near(x1: number, y1: number, x2: number, y2: number, see: (item: number) => void): void {
    const c0 = Math.floor((x1 - this.ox) / this.size), c1 = Math.floor((x2 - this.ox) / this.size)
    const r0 = Math.floor((y1 - this.oy) / this.size), r1 = Math.floor((y2 - this.oy) / this.size)
    if ((c1 - c0 + 1) * (r1 - r0 + 1) > this.cells.size) {
      for (const cell of this.cells.values()) for (const item of cell) see(item)
      return
    }
    for (let c = c0; c <= c1; c++) for (let r = r0; r <= r1; r++) {
      const cell = this.cells.get(this.key(c, r))
      if (cell) for (const item of cell) see(item)
    }
  }
}
