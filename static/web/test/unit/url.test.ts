import { describe, expect, it } from 'vitest'
import { isDefault, parseCoordinate, readLayer, readLink, writeLayer, writeLink } from '../../src/lib/url.ts'

describe('links', () => {
  it('round-trips a screen', () => {
    const href = writeLink('http://h/?e2e=1', {
      camera: { zoom: 12.345, lat: 30.15123, lon: 118.25987 },
      layers: [writeLayer('hazards', { opacity: 0.6, levels: [1, 2], kinds: ['landslide', 'a.b'] }), 'roads'],
      selection: { layer: 'hazards', id: '0198-7' }, theme: 'dark', lang: 'en', texture: true, tab: 'list',
    })
    const link = readLink(href)
    expect(link.camera).toEqual({ zoom: 12.35, lat: 30.1512, lon: 118.2599 })
    expect(link.layers?.map((l) => l.id)).toEqual(['hazards', 'roads'])
    expect(link.layers?.[0]).toMatchObject({ opacity: 0.6, levels: [1, 2] })
    expect(link.selection).toEqual({ layer: 'hazards', id: '0198-7' })
    expect([link.theme, link.lang, link.texture, link.tab]).toEqual(['dark', 'en', true, 'list'])
    expect(new URL(href).searchParams.get('e2e')).toBe('1')
  })
  it('is silent about what is as usual', () => {
    expect(writeLink('http://h/', { camera: null, layers: null, selection: null, theme: null, lang: null, texture: false, tab: 'layers' })).toBe('http://h/')
  })
  it('keeps "no layer at all" apart from "as usual"', () => {
    expect(readLink('http://h/?layers=').layers).toEqual([])
    expect(readLink('http://h/').layers).toBeNull()
  })
  it('survives damaged addresses', () => {
    for (const bad of ['http://h/#map=x/y/z', 'http://h/#map=12', 'http://h/?sel=:', 'http://h/?layers=%00,../x,A~1', 'http://h/?sel=a', 'http://h/#map=5/95/10']) {
      const link = readLink(bad)
      expect(link.camera).toBeNull()
      expect(link.selection).toBeNull()
      expect(link.layers ?? []).toEqual([])
    }
    expect(readLayer('x*%E0%A4%A')?.kinds).toBeNull()
  })
  it('knows a layer that is as usual', () => {
    const usual = { visible: true, opacity: 1, levels: null, kinds: ['risk'] }
    expect(isDefault(usual, { ...usual })).toBe(true)
    expect(isDefault(usual, { ...usual, opacity: 0.5 })).toBe(false)
    expect(isDefault(usual, { ...usual, kinds: ['prevention'] })).toBe(false)
    expect(isDefault(usual, { ...usual, visible: false })).toBe(false)
    expect(isDefault({ ...usual, visible: false }, { ...usual, visible: false, opacity: 0.3 })).toBe(true)
  })
})

describe('coordinates typed by hand', () => {
  it.each([
    ['118.25, 30.15', [118.25, 30.15]],
    ['118.25 30.15', [118.25, 30.15]],
    ['118.25,30.15', [118.25, 30.15]],
    ['30.15, 118.25', [118.25, 30.15]],
    ['30.15N 118.25E', [118.25, 30.15]],
    ['N30.15 E118.25', [118.25, 30.15]],
    ['东经118.25 北纬30.15', [118.25, 30.15]],
    [`118°15'00" 30°09'00"`, [118.25, 30.15]],
    ['118度15分0秒, 30度9分0秒', [118.25, 30.15]],
    ['-70.5, -33.4', [-70.5, -33.4]],
  ])('%s', (text, want) => {
    const got = parseCoordinate(text as string)
    expect(got?.[0]).toBeCloseTo(want[0] as number, 6)
    expect(got?.[1]).toBeCloseTo(want[1] as number, 6)
  })
  it.each(['', '990100', '滑坡点12号', '118.25', '200, 100', '12 路 34 号', `118°75'00" 30°`, '1,2,3'])('not a coordinate: %s', (text) => {
    expect(parseCoordinate(text)).toBeNull()
  })
})
