import { describe, expect, it } from 'vitest'
import { moment, pasted } from '../../src/command/roster.ts'
import { shown } from '../../src/command/papers.ts'

describe('a roster pasted from a spreadsheet', () => {
  it('reads its lines and guesses nothing', () => {
    const { lines, bad } = pasted('岗位\t单位\t职务\t姓名\t起\t止\n带班领导\t县应急局\t副局长\t张三\t2026-06-01 8:00\t2026/6/2 08:00\n值班\t县应急局\t\t李四\t2026年6月1日 20:00\t2026-06-02 08:00\n厨师\t县应急局\t\t王五\t2026-06-01 8:00\t2026-06-02 8:00\n值班员\t县应急局\t\t赵六\t2026-06-02 8:00\t2026-06-01 8:00\n')
    expect(lines.map((x) => [x.role, x.person, x.starts, x.ends])).toEqual([['leader', '张三', '2026-06-01T08:00', '2026-06-02T08:00'], ['officer', '李四', '2026-06-01T20:00', '2026-06-02T08:00']])
    expect(bad).toBe(2)
  })
  it('knows no hour 25', () => { expect([moment('2026-06-01 25:00'), moment('2026-13-01 08:00'), moment('六月一日')]).toEqual([null, null, null]) })
})

describe('an estimate in a paper', () => {
  const words = { none: '无数据', about: (n: string) => `约 ${n}`, range: (a: string, b: string) => `（估算范围 ${a}–${b}）` }
  it('is shown with its range; a reported figure has none', () => {
    expect(shown({ value: 250, unit: '人', kind: 'estimate', low: 200, high: 300 }, words)).toBe('约 250 人（估算范围 200–300）')
    expect(shown({ value: 250, unit: '人', kind: 'reported', low: 200, high: 300 }, words)).toBe('250 人')
  })
})
