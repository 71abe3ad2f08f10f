import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { words } from '../../src/plan/words.ts'
import { pageWords } from '../../src/plan/words-pages.ts'

const files = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(`${dir}/${e.name}`) : [`${dir}/${e.name}`]))
const holes = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()

describe.each([['the table', words, /^(tool|hint|fault|f|tab)_/], ['its pages', pageWords, /^$/]] as const)('words of %s', (_, list, built) => {
  const all = Object.entries(list as Record<string, readonly [string, string]>)
  it('are there in both languages, with the same holes', () => {
    for (const [key, [zh, en]] of all) {
      expect(zh.trim(), key).not.toBe('')
      expect(en.trim(), key).not.toBe('')
      expect(holes(en), key).toEqual(holes(zh))
      if (key !== 'language_other') expect(en, key).not.toMatch(/[\u4e00-\u9fff]/)
    }
  })
  it('are all used', () => {
    const source = files('src/plan').filter((f) => /\.(ts|svelte)$/.test(f) && !/words(-pages)?\.ts$/.test(f)).map((f) => readFileSync(f, 'utf8')).join('\n')
    const dynamic = [...source.matchAll(/t\(`(p_\w+_|[a-z]+_)\$\{/g)].map((m) => m[1]!)
    const idle = all.map(([k]) => k).filter((k) => !built.test(k) && !dynamic.some((d) => k.startsWith(d)) && !new RegExp(`['"\`]${k}['"\`]`).test(source))
    expect(idle).toEqual([])
  })
})

it('no word has two meanings', () => {
  expect(Object.keys(words).filter((k) => k in pageWords)).toEqual([])
})
