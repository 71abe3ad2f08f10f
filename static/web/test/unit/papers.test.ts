import { describe, expect, it } from 'vitest'
import { filled, shown, type PaperFigure } from '../../src/command/papers.ts'

const words = { none: '无数据', about: (n: string) => `约 ${n}` }
const figure = (key: string, value: number | null, kind: 'reported' | 'estimate' = 'reported', unit = '人'): PaperFigure => ({ key, title: key, value, unit, kind, method: 'm', as_of: '2026-07-01T00:00:00Z', source: 's' })

describe('figures of a paper', () => {
  it('says that nobody knows, which is not 0', () => {
    expect(shown(figure('a', null), words)).toBe('无数据')
    expect(shown(figure('a', 0), words)).toBe('0 人')
  })
  it('never shows an estimate as what was reported', () => {
    expect(shown(figure('a', 1200, 'estimate'), words)).toBe('约 1200 人')
  })
  it('stands in the text as the server prints it, and leaves what is none', () => {
    const list = [figure('deaths', 1), figure('loss_wan', 2.5, 'reported', '万元')]
    expect(filled('死亡 {deaths}，损失 {loss_wan}，{nobody_counts}，{ deaths }。', list, words)).toBe('死亡 1 人，损失 2.5 万元，{nobody_counts}，{ deaths }。')
  })
})
