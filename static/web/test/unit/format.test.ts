import { describe, expect, it } from 'vitest'
import { ago, area, codeTitle, coordinate, dateTime, distance, measure, number, show } from '../../src/lib/format.ts'
import type { Field } from '../../src/lib/types.ts'

const field = (over: Partial<Field>): Field => ({
  name: 'f', type: 'text', title: 'F', unit: null, code_list: null, tile: true, filter: false, form: false, export: true, ...over,
})
const lists = { kind: { title: '种类', items: [{ code: 'flood', title: '洪水' }, { code: '2', title: '大型' }] } }
const text = (f: Field, v: unknown) => show(f, v, lists, 'zh-CN', '是', '否')?.text ?? null

describe('numbers', () => {
  it('groups thousands and keeps the unit apart', () => {
    expect(number(1234567, 'zh-CN')).toBe('1,234,567')
    expect(measure(1234, '人', 'zh-CN')).toBe('1,234 人')
    expect(measure(12.3456, 'km²', 'en')).toBe('12.35 km²')
    expect(measure(0.12345, null, 'en')).toBe('0.123')
  })
  it('says distances and areas as a person would', () => {
    expect(distance(3.14, 'en')).toBe('3.1 m')
    expect(distance(999, 'en')).toBe('999 m')
    expect(distance(1234, 'en')).toBe('1.23 km')
    expect(distance(45678, 'en')).toBe('45.7 km')
    expect(area(120, 'zh-CN')).toBe('120 m²')
    expect(area(25000, 'zh-CN')).toBe('2.5 公顷')
    expect(area(12_300_000, 'en')).toBe('12.3 km²')
  })
})

describe('fields of the catalogue', () => {
  it('turns codes into words, and shows unknown codes as they are', () => {
    expect(text(field({ type: 'code', code_list: 'kind' }), 'flood')).toBe('洪水')
    expect(text(field({ type: 'code', code_list: 'kind' }), 'surge')).toBe('surge')
    expect(text(field({ type: 'integer', code_list: 'kind' }), 2)).toBe('大型')
    expect(text(field({ type: 'code', code_list: 'kind' }), ['flood', '2'])).toBe('洪水、大型')
    expect(codeTitle(undefined, 'x')).toBeNull()
  })
  it('leaves out what is not there, but never a zero or a no', () => {
    expect(text(field({}), null)).toBeNull()
    expect(text(field({}), '')).toBeNull()
    expect(text(field({ type: 'integer', unit: '人' }), 0)).toBe('0 人')
    expect(text(field({ type: 'boolean' }), false)).toBe('否')
    expect(text(field({ type: 'json' }), {})).toBeNull()
    expect(text(field({ type: 'json' }), ['甲', '乙'])).toBe('甲、乙')
  })
  it('writes dates as the office does', () => {
    expect(text(field({ type: 'date' }), '2026-06-01T00:00:00Z')).toBe('2026-06-01')
    expect(dateTime(new Date(2026, 5, 1, 8, 5))).toBe('2026-06-01 08:05')
    expect(dateTime('not a date')).toBe('not a date')
  })
  it('writes a year without a separator', () => {
    expect(text(field({ name: 'built_year', type: 'integer' }), 2017)).toBe('2017')
    expect(text(field({ name: 'persons', type: 'integer' }), 2017)).toBe('2,017')
  })
  it('never rounds a small number to nothing', () => {
    expect(text(field({ type: 'number', unit: '次/年' }), 0.00003)).toBe('3×10⁻⁵ 次/年')
    expect(text(field({ type: 'number' }), 0)).toBe('0')
    expect(text(field({ type: 'number' }), 0.25)).toBe('0.25')
  })
  it('writes lists inside a record as words', () => {
    expect(text(field({ type: 'json' }), [{ substance: '氢', q_t: 0.98 }, { substance: '氨', q_t: 25 }])).toBe('氢 q_t 0.98；氨 q_t 25')
  })
  it('marks codes and identifiers for copying', () => {
    expect(show(field({ name: 'admin_code' }), '990100', lists, 'en', 'y', 'n')?.code).toBe(true)
    expect(show(field({ name: 'address' }), '990100', lists, 'en', 'y', 'n')?.code).toBe(false)
  })
})

it('ages in one unit', () => {
  expect(ago(12_400)).toEqual({ key: 'ago_seconds', n: 12 })
  expect(ago(600_000)).toEqual({ key: 'ago_minutes', n: 10 })
  expect(ago(7_200_000)).toEqual({ key: 'ago_hours', n: 2 })
  expect(ago(-5)).toEqual({ key: 'ago_seconds', n: 0 })
  expect(coordinate(118.123456, 30.1)).toBe('118.12346, 30.10000')
})
