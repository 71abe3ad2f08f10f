import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { combined, sent, typed } from '../../src/duty/pages/parts/choices.ts'
import type { KindField } from '../../src/duty/types.ts'
import { words } from '../../src/duty/words.ts'
import { roomWords } from '../../src/room/words.ts'

const files = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(`${dir}/${e.name}`) : [`${dir}/${e.name}`]))
const holes = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()

describe('words of the duty desk', () => {
  const all = Object.entries(words as Record<string, readonly [string, string]>)
  it('are there in both languages, with the same holes', () => {
    for (const [key, [zh, en]] of all) {
      expect(zh.trim(), key).not.toBe('')
      expect(en.trim(), key).not.toBe('')
      expect(holes(en), key).toEqual(holes(zh))
      expect(en, key).not.toMatch(/[\u4e00-\u9fff]/)
    }
  })
  it('are all used', () => {
    const source = files('src/duty').filter((f) => /\.(ts|svelte)$/.test(f) && !/words(-\w+)?\.ts$/.test(f)).map((f) => readFileSync(f, 'utf8')).join('\n')
    const dynamic = [...source.matchAll(/`([a-z]+_(?:[a-z]+_)*)\$\{/g), ...source.matchAll(/known\('([a-z_]+_)'/g)].map((m) => m[1]!)
    const idle = all.map(([k]) => k).filter((k) => !/^ago_/.test(k) && !dynamic.some((d) => d.split('_').length > 2 ? k.startsWith(d) : k.startsWith(d) && d !== 'd_' && d !== 't_') && !new RegExp(`['"\`]${k}['"\`]`).test(source) && !/^t_(keep|person|grid)$/.test(k))
    expect(idle).toEqual([])
  })
  it('have one meaning in the room', () => { expect(Object.keys(words).filter((k) => k in roomWords)).toEqual([]) })
})

describe('what a desk decides', () => {
  const fields: Record<string, KindField> = {
    n: { name: 'n', title: { zh: '', en: '' }, type: 'integer' }, c: { name: 'c', title: { zh: '', en: '' }, type: 'code', code_list: 'danger_2' }, s: { name: 's', title: { zh: '', en: '' }, type: 'text' },
  }
  it('reads what was typed as the field is', () => {
    expect(typed(fields.n, ' 12 ')).toBe(12)
    expect(typed(fields.n, 'viele')).toBeUndefined()
    expect(typed(fields.n, '')).toBeNull()
    expect(typed({ ...fields.n!, type: 'boolean' }, 'false')).toBe(false)
    expect(typed(fields.s, '12')).toBe('12')
  })
  it('sends nothing that was not chosen, and says what is wrong', () => {
    const d = { base: null, mine: 1, theirs: 2 }
    const out = sent({ n: d, c: d, s: { base: null, mine: 'a', theirs: 'b' } }, { n: { use: 'value', text: 'x' }, c: { use: 'value', text: '1' }, s: { use: '', text: '' } }, (name) => fields[name])
    expect(out).toEqual({ fields: { c: { value: 1 } }, open: ['s'], wrong: ['n'] })
    // A code that is a text on the other side stays one.
    expect(sent({ c: { base: null, mine: '3', theirs: '2' } }, { c: { use: 'value', text: '1' } }, (name) => fields[name]).fields).toEqual({ c: { value: '1' } })
  })
  it('combines two texts without saying anything twice', () => {
    expect(combined('拉网', '清坡')).toBe('拉网；清坡')
    expect(combined('拉网', '拉网并清坡')).toBe('拉网并清坡')
    expect(combined(null, '清坡')).toBe('清坡')
  })
})
