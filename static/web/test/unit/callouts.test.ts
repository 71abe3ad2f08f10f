import { describe, expect, it } from 'vitest'
import { queue, type Target } from '../../src/command/callouts.svelte.ts'
import { calloutWords } from '../../src/command/words-callouts.ts'

const target = (id: string, order: number, escalation: 0 | 1 | 2, state: string): Target => ({
  id, village: '990100101001', village_name: '东村', phase: 'call', level: 1, order, role: 'village_head', name: id, post: '', contact: null, phone_masked: null, household: null, persons: null, elderly: null,
  deputy: null, escalation, parent: null, root: id, state, due_at: '2026-07-01T03:00:00Z', late: false, calls: [],
})

describe('the order people are rung in', () => {
  it('puts who stands in for a silent one first, then the list, and leaves out who has answered', () => {
    const list = [target('a', 0, 0, 'answered'), target('b', 1, 0, 'waiting'), target('c', 2, 0, 'no_answer'), target('d', 2, 1, 'waiting'), target('e', 3, 0, 'escalated'), target('f', 3, 2, 'waiting'), target('g', 4, 0, 'closed'), target('h', 5, 0, 'waiting')]
    expect(queue(list).map((t) => t.id)).toEqual(['d', 'f', 'b', 'h'])
  })
  it('has every word in both languages', () => {
    for (const [key, pair] of Object.entries(calloutWords)) {
      expect(pair.length, key).toBe(2)
      expect(pair.every((w) => w.trim() !== ''), key).toBe(true)
      expect((pair[0].match(/\{\w+\}/g) ?? []).sort(), key).toEqual((pair[1].match(/\{\w+\}/g) ?? []).sort())
    }
  })
})
