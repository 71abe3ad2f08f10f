import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { en } from '../../src/i18n/en.ts'
import { pickLanguage, translate } from '../../src/i18n/index.ts'
import { zh } from '../../src/i18n/zh-CN.ts'
import { scaleBar } from '../../src/lib/scale.ts'
import { areaOf, boundsOf, lengthOf } from '../../src/lib/geometry.ts'
import { glyphBody, inkOn } from '../../src/lib/symbols.ts'

describe('dictionary', () => {
  const holes = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()
  it('has every word in both languages, with the same holes', () => {
    for (const key of Object.keys(zh) as (keyof typeof zh)[]) {
      expect(en[key], key).toBeTruthy()
      expect(holes(en[key]), key).toEqual(holes(zh[key]))
    }
    expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort())
  })
  it('leaves no Chinese in English', () => {
    for (const [key, value] of Object.entries(en)) if (key !== 'language_other' && key !== 'keys_language') expect(value, key).not.toMatch(/[\u4e00-\u9fff]/)
  })
  it('uses every word it has', () => {
    const files = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(`${dir}/${e.name}`) : [`${dir}/${e.name}`]))
    const source = files('src').filter((f) => /\.(ts|svelte)$/.test(f) && !f.includes('/i18n/')).map((f) => readFileSync(f, 'utf8')).join('\n')
    const built = /^(visibility)_/ // put together from a value of the catalogue
    const idle = Object.keys(zh).filter((key) => !built.test(key) && !new RegExp(`['"\`]${key}['"\`]`).test(source))
    expect(idle).toEqual([])
  })
  it('fills holes and keeps unknown ones visible', () => {
    expect(translate('zh-CN', 'place_home', { place: '示例县' })).toBe('回到示例县')
    expect(translate('en', 'place_home')).toBe('Back to {place}')
  })
  it('follows the address, then the last choice, then the browser', () => {
    expect(pickLanguage('en', 'zh-CN', ['zh'])).toBe('en')
    expect(pickLanguage(null, 'en', ['zh'])).toBe('en')
    expect(pickLanguage(null, null, ['fr-FR', 'en-GB', 'zh'])).toBe('en')
    expect(pickLanguage(null, null, ['zh-Hant-TW'])).toBe('zh-CN')
    expect(pickLanguage(null, null, ['fr'])).toBe('zh-CN')
  })
})

describe('geometry', () => {
  const square = { type: 'Polygon', coordinates: [[[118, 30], [118.01, 30], [118.01, 30.01], [118, 30.01], [118, 30]]] } as GeoJSON.Geometry
  it('measures on the sphere', () => {
    expect(areaOf(square) / 1e6).toBeCloseTo(1.0706, 2)
    expect(lengthOf({ type: 'LineString', coordinates: [[118, 30], [118, 31]] }) / 1000).toBeCloseTo(111.2, 1)
    expect(boundsOf(square)).toEqual([118, 30, 118.01, 30.01])
    expect(boundsOf(null)).toBeNull()
  })
  it('rounds the scale bar to 1, 2 or 5', () => {
    for (let z = 2; z < 19; z += 0.37) {
      const bar = scaleBar(30, z)
      expect(bar.pixels).toBeLessThanOrEqual(96.001)
      expect(bar.pixels).toBeGreaterThan(38)
      expect(String(bar.metres).replace(/0|\./g, '')).toMatch(/^[125]$/)
    }
  })
})

describe('symbols', () => {
  it('has a drawing for every code it names', () => {
    const codes = JSON.parse(readFileSync('src/symbols/codes.json', 'utf8')) as { codes: Record<string, string>; layers: Record<string, string> }
    for (const code of Object.keys(codes.codes)) expect(glyphBody('', code), code).toBeTruthy()
    for (const layer of Object.keys(codes.layers)) expect(glyphBody(layer), layer).toBeTruthy()
    expect(glyphBody('nothing', 'nothing')).toBeNull()
  })
  it('writes black on yellow and white on dark red', () => {
    expect(inkOn('#FFE14D')).toBe('#14181D')
    expect(inkOn('#B3001B')).toBe('#FFFFFF')
  })
})
