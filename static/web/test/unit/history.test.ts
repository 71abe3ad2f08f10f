import { describe, expect, it } from 'vitest'
import { historyOf, rebase } from '../../src/plan/editor/history.ts'
import type { EditLine } from '../../src/plan/types.ts'

let seq = 0
const line = (edit_id: string, undoes: string | null = null, by = 'me'): EditLine => ({ edit_id, seq: ++seq, title: `step ${edit_id}`, zones: [], removed: [], ops: [], by, name: by, at: '', undoes, undone_by: null, bounds: null })
const mine = (l: EditLine) => l.by === 'me'
const ids = (list: { edit: string; title: string }[]) => list.map((e) => `${e.edit}:${e.title}`)

describe('steps taken back and done again', () => {
  it('keeps the name of the step through undo, redo and undo', () => {
    const lines = [line('a'), line('b'), line('c')]
    expect(ids(historyOf(lines, mine).undo)).toEqual(['a:step a', 'b:step b', 'c:step c'])
    lines.push(line('u1', 'c'))
    expect(ids(historyOf(lines, mine).undo)).toEqual(['a:step a', 'b:step b'])
    expect(ids(historyOf(lines, mine).redo)).toEqual(['u1:step c'])
    lines.push(line('u2', 'b'))
    expect(ids(historyOf(lines, mine).redo)).toEqual(['u1:step c', 'u2:step b'])
    lines.push(line('r', 'u2'))
    expect(ids(historyOf(lines, mine).undo)).toEqual(['a:step a', 'r:step b'])
    lines.push(line('u3', 'r'))
    expect(ids(historyOf(lines, mine).undo)).toEqual(['a:step a'])
    expect(ids(historyOf(lines, mine).redo)).toEqual(['u1:step c', 'u3:step b'])
  })
  it('a new step ends what could be done again', () => {
    const lines = [line('a'), line('u', 'a'), line('b')]
    expect(historyOf(lines, mine).redo).toEqual([])
  })
  it('another person’s steps are his to take back', () => {
    const lines = [line('a'), line('x', null, 'other'), line('u', 'a')]
    const h = historyOf(lines, mine)
    expect(h.undo).toEqual([])
    expect(ids(h.redo)).toEqual(['u:step a'])
  })
})

describe('steps that wait', () => {
  it('follow the versions our own earlier step made, and no others', () => {
    const queue: { base: Record<string, number> }[] = [{ base: { a: 3, b: 7, c: 1 } }, { base: { b: 9 } }]
    const out = rebase(queue, { a: 3, b: 7 }, [{ zone: 'a', version: 4 }, { zone: 'b', version: 8 }], ['c'])
    expect(out).toEqual([{ base: { a: 4, b: 8 } }, { base: { b: 9 } }])
    expect(queue[0]!.base).toEqual({ a: 3, b: 7, c: 1 })
  })
})
