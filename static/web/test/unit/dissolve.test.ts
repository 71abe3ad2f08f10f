import { describe, expect, it } from 'vitest'
import { dissolved, inside } from '../../src/plan/editor/sketch.ts'
import type { LonLat, MultiPolygon } from '../../src/plan/types.ts'

const box = (x: number, y: number, w = 1, h = 1): MultiPolygon => ({ type: 'MultiPolygon', coordinates: [[[[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]]] })
const turned = (g: MultiPolygon): MultiPolygon => ({ type: 'MultiPolygon', coordinates: g.coordinates.map((p) => p.map((r) => [...r].reverse())) })
const area = (r: readonly LonLat[]) => r.slice(1).reduce((s, p, i) => s + (r[i]![0] * p[1] - p[0] * r[i]![1]) / 2, 0)
const size = (g: MultiPolygon) => g.coordinates.map((p) => p.map((r) => Math.round(area(r) * 1e6) / 1e6))

describe('several villages as one shape', () => {
  it('leaves out the border two share, whichever way round they were written', () => {
    expect(size(dissolved([box(0, 0), turned(box(1, 0))]))).toEqual([[2]])
    expect(size(dissolved([box(0, 0), box(1, 0), box(0, 1), box(1, 1)]))).toEqual([[4]])
  })
  it('keeps parts apart that only touch in a corner, and those far away', () => {
    expect(size(dissolved([box(0, 0), box(1, 1)]))).toEqual([[1], [1]])
    expect(size(dissolved([box(0, 0), box(5, 5)]))).toEqual([[1], [1]])
  })
  it('leaves the hole in a ring of them, also where it touches the outside', () => {
    const around = [[0, 0], [1, 0], [2, 0], [0, 1], [2, 1], [0, 2], [1, 2], [2, 2]] as const
    const g = dissolved(around.map(([x, y]) => box(x, y)))
    expect(size(g)).toEqual([[9, -1]])
    expect(inside(g, 1.5, 1.5)).toBe(false)
    const c = dissolved(around.slice(0, -1).map(([x, y]) => box(x, y)))
    expect(size(c)).toEqual([[8, -1]])
  })
  it('meets a corner on a long edge', () => {
    const g = dissolved([box(0, 0, 2, 1), box(0, 1), box(1, 1)])
    expect(size(g)).toEqual([[4]])
    expect(g.coordinates[0]![0]!.some((p) => p[0] === 1 && p[1] === 1)).toBe(false)
  })
  it('is the very shape when there is one', () => {
    const one = box(112, 31)
    expect(dissolved([one])).toBe(one)
  })
})
