import { describe, expect, it } from 'vitest'
import { bridged, digits, lines, nice, runs, total, type Point, type Station } from '../../src/command/water/water.ts'

const station = (over: Partial<Station> = {}): Station => ({
  id: '1', code: 'R1', name: '站', kind: 'rain', unit: 'mm', measure: null, object: null, operator: null, position: null, area_title: null, exercise: false, value: 1, last_value: 1, at: null,
  state: 'normal', silent_s: 0, sums: null, partial: [], class: null, levels: { warning: null, guarantee: null, flood_limit: null, blue: null, yellow: null, orange: null, red: null, source: null, etag: 0 },
  over: null, trend: null, threatened_persons: 0, dependent_persons: 0, villages: [], ...over,
})
const at = (minute: number, value: number | null): Point => ({ at: new Date(Date.UTC(2026, 6, 1, 0, minute)).toISOString(), value })

describe('charts of rain and water', () => {
  it('leaves gaps out of a line and never draws them as zero', () => {
    expect(runs([at(0, 1), at(10, 2), at(20, null), at(30, 3)]).map((r) => r.map((p) => p.value))).toEqual([[1, 2], [3]])
    expect(runs([at(0, null)])).toEqual([])
  })
  it('bridges what is read every half hour, and no longer silence', () => {
    expect(runs(bridged([at(0, 1), at(10, null), at(20, null), at(30, 2), at(120, 3)])).map((r) => r.length)).toEqual([2, 1])
  })
  it('adds tenths up', () => {
    expect(total(Array.from({ length: 10 }, (_, i) => at(i * 10, 0.1)))).toBe(1)
    expect(total([at(0, null)])).toBeNull()
  })
  it('has round numbers on its scale and holds every value', () => {
    for (const values of [[0.1, 37.2], [12.31, 12.33], [155.2, 158.9], [500]]) {
      const s = nice(values, false)
      expect(s.low).toBeLessThanOrEqual(Math.min(...values))
      expect(s.high).toBeGreaterThanOrEqual(Math.max(...values))
      expect(s.ticks.length).toBeGreaterThan(1)
      expect(s.ticks.length).toBeLessThan(9)
    }
    expect(nice([], true)).toEqual({ low: 0, high: 1, ticks: [0, 0.5, 1] })
  })
  it('draws the levels of water, each value once, and none across hourly rain', () => {
    const levels = { warning: 20, guarantee: 22, flood_limit: null, blue: 20, yellow: 21, orange: null, red: 23, source: null, etag: 1 }
    expect(lines(station({ kind: 'river_level', levels })).map((l) => l.name)).toEqual(['warning', 'guarantee', 'red', 'yellow'])
    expect(lines(station({ levels }))).toEqual([])
  })
  it('writes rain with one digit and levels with two', () => {
    expect(digits(station(), 3.14)).toBe('3.1')
    expect(digits(station({ kind: 'river_level' }), 12.3)).toBe('12.30')
    expect(digits(station(), null)).toBe('—')
  })
})
