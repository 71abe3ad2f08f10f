import { describe, expect, it } from 'vitest'
import { counts, drawn, question, total, type Impact } from '../../src/command/impact/impact.ts'
import { impactWords } from '../../src/command/impact/words.ts'

describe('the question of a panel', () => {
  it('names one thing, and how far around it', () => {
    expect(question({}, 0)).toBeNull()
    expect(question({ incident: { id: 'a' } }, 0)).toEqual({ incident: 'a' })
    expect(question({ alert: 'b', asOf: '2026-06-01T00:00:00Z' }, 500)).toEqual({ alert: 'b', buffer_m: 500, as_of: '2026-06-01T00:00:00Z' })
    expect(question({ geometry: { type: 'Point', coordinates: [119, 34] } }, 300)).toEqual({ geometry: { type: 'Point', coordinates: [119, 34] }, buffer_m: 300 })
  })
})

describe('what is shown of an answer', () => {
  it('counts the most first, under the names the server gave', () => {
    expect(counts({ school: 2, hospital: 5, x: 2 }, { school: '学校', hospital: '医院' })).toEqual([{ code: 'hospital', title: '医院', n: 5 }, { code: 'school', title: '学校', n: 2 }, { code: 'x', title: 'x', n: 2 }])
    expect(counts(null, undefined)).toEqual([])
    expect(total({ a: 1, b: 2 })).toBe(3)
  })
  it('draws rings instead of the area, what cannot be used hollow, and nothing without a place', () => {
    const ring: GeoJSON.Polygon = { type: 'Polygon', coordinates: [] }
    const item = (id: string, position: [number, number] | null) => ({ layer: 'shelters', fid: 1, id, title: id, kind: null, kind_title: null, level: null, level_title: null, position, distance_m: null, properties: null, by: 'road' as const, minutes: 1, free: 1 })
    const a = { rings: [{ radius_m: 300, area_m2: 1, population: 1, geometry: ring }], target: { geometry: ring }, shelters: { inside: [item('in', [119, 34])], outside_nearest: [item('out', [119.1, 34]), item('nowhere', null)] }, teams: null, road_blocks: [] } as unknown as Impact
    const f = drawn(a, true).features
    expect(f.map((x) => x.properties?.label)).toEqual(['300 m', 'in', 'out'])
    expect(f[1]?.properties?.hollow).toBe(true)
    expect(f[2]?.properties?.hollow).toBeUndefined()
  })
  it('has both languages', () => {
    for (const [key, pair] of Object.entries(impactWords)) expect(pair.every((w) => w.length > 0), key).toBe(true)
  })
})
