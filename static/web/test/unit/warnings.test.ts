import { describe, expect, it } from 'vitest'
import { chains, type Warning } from '../../src/command/warnings.ts'

const w = (id: string, chain: string, state: string, level: number, sent: string): Warning => ({ id, chain, state, level, sent_at: sent }) as Warning

describe('chains', () => {
  it('puts what is in force first, the worst of it first, and the live one over what it replaced', () => {
    const list = chains([
      w('old', 'a', 'updated', 3, '2026-07-05T01:00:00Z'), w('over', 'b', 'cancelled', 1, '2026-07-05T09:00:00Z'), w('blue', 'c', 'active', 4, '2026-07-05T08:00:00Z'), w('now', 'a', 'active', 1, '2026-07-05T02:00:00Z'),
    ])
    expect(list.map((c) => c.head.id)).toEqual(['now', 'blue', 'over'])
    expect(list[0]?.earlier.map((e) => e.id)).toEqual(['old'])
  })
  it('takes the latest where none is in force', () => {
    expect(chains([w('first', 'a', 'updated', 2, '2026-07-05T01:00:00Z'), w('last', 'a', 'expired', 2, '2026-07-05T03:00:00Z')])[0]?.head.id).toBe('last')
  })
})
