import { describe, expect, it } from 'vitest'
import { anyLate, FRESH, newest, pressing, rank, spell, standing } from '../../src/command/clocks.ts'
import { type AlertLine, called, done, fromBoards, fromIncidents, fromShelters, percent, pressingVillages, subjectOf, sum, type BoardVillage } from '../../src/command/figures.ts'
import { nextReport, refreshMs, shownBy } from '../../src/command/profile.ts'
import type { Response } from '../../src/command/types.ts'
import { blank, body, complete, restore, typed } from '../../src/command/intake.ts'
import { drawnAs, lookOf, validAt } from '../../src/command/sketches.ts'
import { SILENCE, Stream, type StreamBrowser, type StreamListener } from '../../src/command/stream.ts'
import type { Clock, Incident } from '../../src/command/types.ts'
import { incidentWords } from '../../src/command/words-incidents.ts'
import { words } from '../../src/command/words.ts'

const at = Date.parse('2026-06-01T03:00:00Z')
const clock = (due: string, done: string | null = null, late = false): Clock => ({ name: due, title: due, starts_at: '2026-06-01T01:00:00Z', due_at: due, done_at: done, late })
const incident = (id: string, more: Partial<Incident>): Incident => ({ id, level: null, level_proposed: null, known_at: '2026-06-01T02:00:00Z', clocks: [], exercise: false, merged_into: null, figures: { deaths: null, missing: null, injured: null, affected: null, evacuated: null, loss_wan: null }, ...more }) as Incident

describe('deadlines', () => {
  it('run, are late, and stay late once met too late', () => {
    expect(standing(clock('2026-06-01T03:04:09Z'), at)).toEqual({ state: 'running', ms: 249_000 })
    expect(standing(clock('2026-06-01T02:59:00Z'), at)).toEqual({ state: 'late', ms: 60_000 })
    expect(standing(clock('2026-06-01T02:59:00Z', '2026-06-01T02:58:00Z'), at).state).toBe('done')
    expect(standing(clock('2026-06-01T02:59:00Z', '2026-06-01T03:01:00Z'), at)).toEqual({ state: 'done_late', ms: 120_000 })
    expect(standing(clock('2026-06-01T02:59:00Z', '2026-06-01T02:58:00Z', true), at).state).toBe('done_late')
  })
  it('are spelt as a wall clock is read', () => {
    expect(spell(249_000, '天')).toBe('04:09')
    expect(spell(3_909_000, '天')).toBe('1:05:09')
    expect(spell(3 * 86_400_000 + 4 * 3_600_000 + 5 * 60_000, '天')).toBe('3 天 04:05')
  })
  it('press in the order a person should look at them', () => {
    const i = incident('a', { clocks: [clock('2026-06-01T05:00:00Z'), clock('2026-06-01T02:00:00Z'), clock('2026-06-01T01:30:00Z', '2026-06-01T01:20:00Z')] })
    expect(pressing(i, at)?.name).toBe('2026-06-01T02:00:00Z')
    expect(anyLate(i, at)).toBe(true)
    expect(pressing(incident('b', {}), at)).toBeNull()
  })
})

describe('the list', () => {
  it('is by level, what is not graded yet by what the rule says, before its equals', () => {
    const list = [incident('four', { level: 4 }), incident('none', {}), incident('two', { level: 2 }), incident('asked2', { level_proposed: 2 }), incident('late4', { level: 4, clocks: [clock('2026-06-01T02:00:00Z')] })]
    expect(rank(list, at).map((i) => i.id)).toEqual(['asked2', 'two', 'late4', 'four', 'none'])
    expect(list[0]!.id).toBe('four')
  })
  it('knows what came in last, while it is news, and never of an exercise', () => {
    const ago = (ms: number) => new Date(at - ms).toISOString()
    const list = [incident('old', { level: 1, known_at: ago(FRESH + 1000) }), incident('new', { known_at: ago(60_000) }), incident('before', { known_at: ago(90_000) }), incident('drill', { known_at: ago(1000), exercise: true })]
    expect(newest(list, at)?.id).toBe('new')
    expect(newest(list.slice(0, 1), at)).toBeNull()
  })
})

describe('接报', () => {
  it('sends only what was said, and the same id however often', () => {
    const d = { ...blank(at), kind: 'fire', place: ' 北街口 ', persons: '3', phone: '139', at: [111.9, 31.4] as const }
    const sent = body(d)
    expect(sent).toMatchObject({ kind: 'fire', place: '北街口', persons_reported: 3, reporter_phone: '139', source: 'phone', geometry: { type: 'Point', coordinates: [111.9, 31.4] } })
    expect(Object.keys(sent)).not.toContain('reporter')
    expect(restore(JSON.stringify(d)).id).toBe(d.id)
    expect(body({ ...d, magnitude: '5.2' })).not.toHaveProperty('figures')
    expect(body({ ...d, kind: 'earthquake', magnitude: '5.2' })).toMatchObject({ figures: { magnitude: 5.2 } })
    expect(body({ ...d, kind: 'earthquake', magnitude: '' })).not.toHaveProperty('figures')
  })
  it('needs what and where, in words or on the map', () => {
    expect(complete({ ...blank(at), kind: 'fire' })).toBe(false)
    expect(complete({ ...blank(at), kind: 'fire', place: '  ' })).toBe(false)
    expect(complete({ ...blank(at), kind: 'fire', at: [1, 2] })).toBe(true)
    expect(complete({ ...blank(at), place: '北街' })).toBe(false)
  })
  it('begins anew when what was kept is not its own or is empty', () => {
    for (const text of [null, '', '{', '{"id":1}', JSON.stringify(blank(at))]) expect(typed(restore(text, at + 1))).toBe(false)
  })
})

describe('figures', () => {
  it('that nobody said are unknown, never 0', () => {
    expect(sum([null, undefined])).toBeNull()
    expect(sum([0, null])).toBe(0)
    expect(fromBoards([]).toMove).toBeNull()
    expect(fromBoards([]).movedAll).toBe(false)
    expect(fromBoards([{ totals: { to_move: 3, moved: 3 }, complete: false }, { totals: { to_move: 1, moved: 1 }, complete: true }])).toEqual({ toMove: 4, moved: 4, beside: 0, noFigure: 0, movedAll: false, called: null, answered: null })
  })
  it('leave exercises and merged ones out', () => {
    const f = (deaths: number) => ({ magnitude: null, deaths, missing: null, injured: null, affected: null, evacuated: null, loss_wan: null })
    const few = fromIncidents({ counts: { open: 2, by_level: {}, late: 0 } }, [incident('a', { figures: f(2) }), incident('b', { figures: f(5), exercise: true }), incident('c', { figures: f(7), merged_into: 'a' })])
    expect(few.deaths).toBe(2)
    expect(few.missing).toBeNull()
  })
  it('do not promise places in a shelter whose "open" is old', () => {
    const s = (free: number, stale: boolean, state = 'open') => ({ id: 'x', state, capacity: 100, occupancy: 0, free, stale })
    expect(fromShelters([s(10, false), s(50, true), s(70, false, 'closed')])).toEqual({ sheltersOpen: 2, free: 10, stale: 1 })
  })
})

describe('sketches', () => {
  it('hold from and until', () => {
    expect(validAt({ valid_from: null, valid_to: null }, at)).toBe('holds')
    expect(validAt({ valid_from: '2026-06-01T04:00:00Z', valid_to: null }, at)).toBe('not_yet')
    expect(validAt({ valid_from: null, valid_to: '2026-06-01T03:00:00Z' }, at)).toBe('over')
  })
  it('are known without their colour', () => {
    expect([drawnAs('cordon'), drawnAs('evacuation_route'), drawnAs('command_post')]).toEqual(['Polygon', 'LineString', 'Point'])
    const s = (kind: string) => ({ id: 'x', kind, geometry: { type: 'Point' as const, coordinates: [0, 0] }, note: null, valid_from: null, valid_to: null, updated_by: null, etag: 1 })
    expect(lookOf(s('cordon'), 'dark', at).dash).toBe(true)
    expect(lookOf(s('affected_area'), 'dark', at).dash).toBe(false)
  })
})

describe('the line', () => {
  class Source extends EventTarget {
    static all: Source[] = []
    readyState = 1
    constructor(readonly url: string) { super(); Source.all.push(this) }
    close(): void { this.readyState = 2 }
    say(name: string, data: unknown): void { this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) })) }
  }
  const bench = () => {
    Source.all = []
    let now = at
    let id = 0
    const timers = new Map<number, { run: () => void; at: number }>()
    const browser: StreamBrowser = {
      source: (url) => new Source(url) as unknown as EventSource, now: () => now, random: () => 0.5,
      setTimeout: (run, ms) => { timers.set(++id, { run, at: now + ms }); return id }, clearTimeout: (n) => { timers.delete(n) },
    }
    const told: string[] = []
    const listener: StreamListener = {
      state: (s) => told.push(s), lag: (ms) => told.push(`lag ${ms}`), tiles: (l) => told.push(`tiles ${l}`), record: (e) => told.push(`${e.topic} ${e.id}`),
      reset: () => told.push('reset'), rights: () => told.push('rights'), refused: () => told.push('refused'),
    }
    const pass = (ms: number, fire = true) => {
      now += ms
      if (fire) for (const [n, t] of [...timers]) if (t.at <= now && timers.delete(n)) t.run()
    }
    const stream = new Stream(['tiles', 'incidents'], '5.0', listener, browser)
    return { stream, told, pass, last: () => Source.all.at(-1)!, all: () => Source.all }
  }
  it('resumes where it was and counts how often it came back', () => {
    const b = bench()
    expect(b.last().url).toContain('topics=tiles,incidents&since=5.0')
    b.last().say('incidents', { position: '7.0', op: 'U', id: 'x' })
    b.last().say('lag', { position: '8.0', lag_ms: 12 })
    expect(b.told).toEqual(['connecting', 'live', 'incidents x', 'live', 'lag 12'])
    b.last().dispatchEvent(new Event('error'))
    b.pass(1000)
    expect(b.last().url).toContain('since=8.0')
    expect(b.stream.reconnects).toBe(0)
    b.last().say('lag', { position: '8.0', lag_ms: 1 })
    expect(b.stream.reconnects).toBe(1)
  })
  it('that says nothing is dead, and a machine that slept asks anew at once', () => {
    const b = bench()
    b.last().say('lag', { position: '6.0', lag_ms: 1 })
    b.pass(SILENCE + 1)
    expect(b.told.at(-1)).toBe('lost')
    const before = b.all().length
    b.pass(3_600_000, false)
    b.stream.awake()
    expect(b.all().length).toBe(before + 1)
    expect(b.last().url).toContain('since=6.0')
  })
  it('of a machine without a network is lost at once, and asks again by itself', () => {
    const b = bench()
    b.last().say('lag', { position: '6.0', lag_ms: 1 })
    b.stream.doubt()
    expect(b.told.at(-1)).toBe('lost')
    expect(b.last().readyState).toBe(2)
    b.pass(1000)
    expect(b.last().url).toContain('since=6.0')
    expect(b.last().readyState).toBe(1)
  })
  it('that is refused says so, and an old one is not heard any more', () => {
    const b = bench()
    const old = b.last()
    old.readyState = 2
    old.dispatchEvent(new Event('error'))
    expect(b.told.slice(-2)).toEqual(['lost', 'refused'])
    b.stream.now()
    old.say('incidents', { position: '99.0', op: 'U', id: 'ghost' })
    expect(b.told).not.toContain('incidents ghost')
    expect(b.stream.position).toBe('5.0')
    b.stream.stop()
    expect(b.last().readyState).toBe(2)
  })
})

describe('words', () => {
  it('are in both languages, with the same names in them', () => {
    for (const [key, pair] of Object.entries({ ...words, ...incidentWords })) {
      expect(pair.length, key).toBe(2)
      expect(pair[0], key).toBeTruthy()
      if (key !== 'unit_persons' && key !== 'unit_magnitude') expect(pair[1], key).toBeTruthy()
      expect([...pair[0].matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort(), key).toEqual([...pair[1].matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort())
    }
  })
})

describe('what the wall estimates for', () => {
  const alert = (id: string, level: number, over = {}) => ({ id, level, sent_at: '2026-07-05T14:30:00Z', event: '暴雨', headline: null, exercise: false, ...over }) as never
  const incident = (id: string, level: number | null, over = {}) => ({ id, level, known_at: '2026-07-05T14:30:00Z', updated_at: 'x', title: id, exercise: false, merged_into: null, positioned: true, ...over }) as never
  it('is the worst real warning, else the worst incident with a level somebody confirmed and a place', () => {
    expect(subjectOf([], [])).toBeNull()
    expect(subjectOf([alert('yellow', 3), alert('red', 1), alert('drill', 1, { exercise: true })], [incident('i', 1)])?.id).toBe('red')
    expect(subjectOf([alert('old', 2), alert('new', 2, { sent_at: '2026-07-05T15:00:00Z' })], [])?.id).toBe('new')
    expect(subjectOf([alert('drill', 1, { exercise: true })], [incident('ungraded', null), incident('nowhere', 1, { positioned: false }), incident('merged', 1, { merged_into: 'y' }), incident('big', 2), incident('small', 4)])?.id).toBe('big')
  })
})

describe('the board of a wall', () => {
  const village = (code: string, over: Partial<BoardVillage> = {}): BoardVillage => ({ code, name: code, to_move: 10, moved: 10, not_moved: 0, refused: 0, returned: 0, unknown: 0, percent: 100, contact: { lost: false }, calls: { targets: 2, reached: 2, silent: 0, late: 0 }, complete: true, ...over })
  it('counts moved against to move only where both are known', () => {
    const dark = village('d', { to_move: null, moved: 38, not_moved: null, complete: false, percent: null })
    expect(fromBoards([{ totals: { to_move: 10, moved: 44 }, complete: false, villages: [village('a', { moved: 6 }), dark] }])).toMatchObject({ toMove: 10, moved: 6, beside: 38, noFigure: 1, movedAll: false })
  })
  it('is not 100 % while one is silent, whatever the server says', () => {
    const silent = village('a', { calls: { targets: 2, reached: 1, silent: 1, late: 0 } })
    expect(done(silent)).toBe(false)
    expect(percent(10, 10, done(silent))).toBe(99)
    expect(percent(10, 10, done(village('b')))).toBe(100)
    expect(percent(0, 0, false)).toBe(99)
    expect(percent(null, 3, false)).toBeNull()
    expect(percent(1000, 999, false)).toBe(99)
    const few = fromBoards([{ totals: { to_move: 10, moved: 10, calls: silent.calls }, complete: true }])
    expect(few).toEqual({ toMove: 10, moved: 10, beside: 0, noFigure: 0, movedAll: false, called: 2, answered: 1 })
  })
  it('puts first who is cut off, then who is silent', () => {
    const list = [village('1'), village('2', { complete: false, calls: { targets: 3, reached: 1, silent: 2, late: 1 } }), village('3', { complete: false, contact: { lost: true } }), village('4', { complete: false, not_moved: 4 })]
    expect(pressingVillages(list).map((v) => v.code)).toEqual(['3', '2', '4', '1'])
  })
})

describe('two warnings with one headline on the wall', () => {
  const alert = (id: string, area_desc: string | null, headline = '暴雨红色预警'): AlertLine => ({ id, event: '暴雨', headline, level: 1, hazard: null, expires: null, sent_at: '2026-06-01T02:05:00Z', area_desc, exercise: false, state: 'active' })
  it('are told apart by where they hold, else by when they were sent', () => {
    const a = alert('a', '杨家溪乡'), b = alert('b', '曹家集镇'), c = alert('c', null), d = alert('d', '全县', '大风蓝色预警')
    expect(called(d, [a, b, d])).toBe('大风蓝色预警')
    expect(called(a, [a, b])).toBe('暴雨红色预警（杨家溪乡）')
    expect(called(b, [a, b])).toBe('暴雨红色预警（曹家集镇）')
    expect(called(a, [a, alert('e', '杨家溪乡')])).toMatch(/^暴雨红色预警（\d\d:05）$/)
    expect(called(c, [a, c])).toMatch(/（\d\d:05）$/)
  })
})

describe('the profile', () => {
  it('sets the layers, and leaves what somebody switched and the ground', () => {
    const to = shownBy(['admin', 'roads', 'hazards', 'teams', 'grids'], ['hazards', 'teams'], new Map([['teams', false], ['grids', true]]))
    expect([...to]).toEqual([['admin', true], ['roads', true], ['hazards', true], ['teams', false], ['grids', true]])
  })
  it('paces what is asked for, within what a server bears', () => {
    const rules = (refresh_s: number) => ({ level: null, exercise: false, refresh_s, layers: [], report_every_min: null })
    expect([refreshMs(null), refreshMs(rules(10)), refreshMs(rules(0)), refreshMs(rules(1)), refreshMs(rules(1e6))]).toEqual([60_000, 10_000, 60_000, 5_000, 600_000])
  })
  it('names the report that is due first, a real one before an exercise', () => {
    const r = (id: string, at: string | null, exercise = false, state = 'active') => ({ id, title: id, state, exercise, next_report_at: at, report_every_min: 60 }) as Response
    const now = Date.parse('2026-07-01T12:00:00Z')
    expect(nextReport([r('drill', '2026-07-01T11:00:00Z', true), r('later', '2026-07-01T13:00:00Z'), r('late', '2026-07-01T11:30:00Z'), r('over', '2026-07-01T10:00:00Z', false, 'ended'), r('none', null)], now)).toEqual({ id: 'late', title: 'late', at: '2026-07-01T11:30:00Z', every: 60, late: true, exercise: false })
    expect(nextReport([r('none', null)], now)).toBeNull()
  })
})
