import { describe, expect, it } from 'vitest'
import { catchAt, Lines, readCoordinates, trace } from '../../src/plan/editor/snap.ts'
import { Topo, xy, type XY } from '../../src/plan/editor/topo.ts'
import type { MultiPolygon } from '../../src/plan/types.ts'

const square = (x: number, y: number): MultiPolygon => ({ type: 'MultiPolygon', coordinates: [[[[x, y], [x + 0.01, y], [x + 0.01, y + 0.01], [x, y + 0.01], [x, y]]]] })
const topo = new Topo([['a', square(112, 31)], ['b', square(112.01, 31)]])
const river = new Lines({ type: 'FeatureCollection', features: [{ type: 'Feature', properties: { layer: 'rivers', name: '清水河' }, geometry: { type: 'LineString', coordinates: [[112.002, 31.02], [112.006, 31.021], [112.011, 31.022], [112.02, 31.02]] } }] })
const off = (p: readonly number[], dx: number, dy: number): XY => { const q = xy(p); return [q[0] + dx, q[1] + dy] }

describe('snapping', () => {
  it('catches the exact node, never a place near it', () => {
    const c = catchAt(off([112.01, 31], 900, -700), 3000, 1.17, topo, river)!
    expect(c.kind).toBe('node')
    expect(c.at).toEqual(xy([112.01, 31]))
  })
  it('catches an edge where no node is near, and lines of other layers', () => {
    expect(catchAt(off([112.005, 31], 0, 800), 3000, 1.17, topo, river)!.kind).toBe('edge')
    const c = catchAt(off([112.006, 31.021], 500, 500), 3000, 1.17, topo, river)!
    expect([c.kind, c.layer, c.name]).toEqual(['line', 'rivers', '清水河'])
    expect(c.at).toEqual(xy([112.006, 31.021]))
  })
  it('leaves out the nodes that are dragged', () => {
    const node = topo.find(xy([112.01, 31]))
    const c = catchAt(off([112.01, 31], 900, -700), 3000, 1.17, topo, null, new Set([node]))
    expect(c?.node).not.toBe(node)
  })
  it('traces along a river and along a border', () => {
    const a = catchAt(xy([112.002, 31.02]), 3000, 1.17, topo, river)!, b = catchAt(xy([112.02, 31.02]), 3000, 1.17, topo, river)!
    expect(trace(a, b, topo, river)).toEqual([xy([112.006, 31.021]), xy([112.011, 31.022]), xy([112.02, 31.02])])
    const p = catchAt(xy([112, 31]), 3000, 1.17, topo, null)!, q = catchAt(xy([112.01, 31.01]), 3000, 1.17, topo, null)!
    expect(trace(p, q, topo, null)).toHaveLength(2)
  })
})

describe('coordinates typed in', () => {
  it('reads degrees, degrees with minutes and seconds, and lists', () => {
    expect(readCoordinates('121.5 25.03\n121.6,25.04\n121.55 25.10\n121.5 25.03').points).toEqual([[121.5, 25.03], [121.6, 25.04], [121.55, 25.1]])
    expect(readCoordinates('121°30′0″E 25°30′36″N').points).toEqual([[121.5, 25.51]])
    expect(readCoordinates('北纬25度30分36秒,东经121度30分').points).toEqual([[121.5, 25.51]])
    expect(readCoordinates('1 121.5 25.03\n2 121.6 25.04').points).toEqual([[121.5, 25.03], [121.6, 25.04]])
    expect(readCoordinates('25.03N 121.5E').points).toEqual([[121.5, 25.03]])
  })
  it('names the lines it cannot read', () => {
    expect(readCoordinates('121.5 25\nsomewhere\n200 95\n121°75′E 25°N')).toEqual({ points: [[121.5, 25]], bad: [2, 3, 4] })
  })
})
