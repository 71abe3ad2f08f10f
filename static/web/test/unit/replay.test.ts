import { describe, expect, it } from 'vitest'
import { beside, bins, local, moment, until, type LogEntry } from '../../src/command/replay.ts'

const entry = (at: string): LogEntry => ({ at, kind: 'note', title: at, detail: null, by: null, ref_kind: 'incidents', ref: 'x' })
const T = (hhmm: string) => Date.parse(`2026-06-01T${hhmm}:00Z`)
const log = ['08:00', '08:00', '08:30', '11:59', '12:00'].map((x) => entry(`2026-06-01T${x}:00Z`))

describe('a period that is stepped through', () => {
  it('keeps the moment within it', () => {
    expect([moment(T('07:00'), T('08:00'), T('12:00')), moment(T('09:00'), T('08:00'), T('12:00')), moment(T('13:00'), T('08:00'), T('12:00'))]).toEqual([T('08:00'), T('09:00'), T('12:00')])
  })
  it('counts every entry within it once, both ends with it', () => {
    const all = bins(log, T('08:00'), T('12:00'), 4)
    expect(all).toEqual([3, 0, 0, 2])
    expect(bins(log, T('08:10'), T('11:59'), 3).reduce((a, b) => a + b, 0)).toBe(2)
    expect(bins(log, T('12:00'), T('08:00'), 3)).toEqual([0, 0, 0])
  })
  it('tells what was known at a moment, the newest first', () => {
    expect(until(log, T('08:30')).map((e) => e.at.slice(11, 16))).toEqual(['08:30', '08:00', '08:00'])
    expect(until(log, T('07:59'))).toEqual([])
  })
  it('goes to the entry beside, and nowhere after the last', () => {
    expect([beside(log, T('08:00'), 1), beside(log, T('08:30'), -1), beside(log, T('12:00'), 1), beside(log, T('08:00'), -1)]).toEqual([T('08:30'), T('08:00'), null, null])
  })
  it('writes a moment as its input does', () => {
    expect(Date.parse(local(T('08:30')))).toBe(T('08:30'))
  })
})
