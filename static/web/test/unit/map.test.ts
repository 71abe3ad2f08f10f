import type { LayerSpecification, StyleSpecification } from 'maplibre-gl'
import { describe, expect, it } from 'vitest'
import { applyLayers, type Target } from '../../src/map/apply.ts'
import { clusterDots, spread, type Dot } from '../../src/map/clusters.ts'
import { absolute, compose, countable, fade, LABELS, userFilter, type LayerSetting } from '../../src/map/compose.ts'
import { softwareRendered } from '../../src/map/frugal.ts'
import { middle, PlaceBook, placesOf } from '../../src/map/labels.ts'
import { BOX_ZOOM, boxOverlaps, dirtyTiles, latOf, lonOf, tileX, tileY } from '../../src/map/tiles.ts'
import type { Catalogue, Layer } from '../../src/lib/types.ts'

describe('dirty tiles', () => {
  const view = [118, 30, 118.5, 30.4] as const
  it('covers every zoom around the change and nothing far away', () => {
    const x = Math.floor(tileX(118.25, BOX_ZOOM)), y = Math.floor(tileY(30.2, BOX_ZOOM))
    for (const z of [5, 10, 13, 14, 16]) {
      const tiles = dirtyTiles([[x, y, x, y]], z, view)
      const own = { z, x: Math.floor(tileX(lonOf(x + 0.5, BOX_ZOOM), z)), y: Math.floor(tileY(latOf(y + 0.5, BOX_ZOOM), z)) }
      expect(tiles).toContainEqual(own)
      expect(tiles.length).toBeLessThanOrEqual(z < 14 ? 4 : z === 14 ? 9 : 36)
    }
  })
  it('never answers tiles outside the view, however large the box', () => {
    const tiles = dirtyTiles([[0, 0, 16383, 16383]], 12, view)
    const inView = (Math.floor(tileX(118.5, 12)) - Math.floor(tileX(118, 12)) + 3) * (Math.floor(tileY(30, 12)) - Math.floor(tileY(30.4, 12)) + 3)
    expect(tiles.length).toBe(inView)
    expect(dirtyTiles([[0, 0, 10, 10]], 12, view)).toEqual([])
  })
  it('refreshes the neighbour whose buffer shows the feature', () => {
    const tiles = dirtyTiles([[13564, 6777, 13564, 6777]], 14, [lonOf(13560, 14), latOf(6780, 14), lonOf(13568, 14), latOf(6774, 14)])
    expect(tiles.length).toBe(9)
  })
  it('tells whether a box is touched', () => {
    const x = Math.floor(tileX(118.25, 14)), y = Math.floor(tileY(30.2, 14))
    expect(boxOverlaps([[x, y, x, y]], [118.24, 30.19, 118.26, 30.21])).toBe(true)
    expect(boxOverlaps([[x, y, x, y]], [119, 31, 119.1, 31.1])).toBe(false)
  })
})

describe('clusters', () => {
  const dots = (n: number, lon: number, lat: number, level = 3): Dot[] => Array.from({ length: n }, (_, i) => ({ fid: i + 1, lon: lon + i * 1e-6, lat, level }))
  it('gathers a crowd, counts each point once and names the worst level', () => {
    const crowd = dots(20, 118.25, 30.15)
    crowd[7]!.level = 1
    const { clusters: [c, ...rest], singles } = clusterDots('hazards', [...crowd, ...crowd], 9)
    expect([rest, singles]).toEqual([[], []])
    expect(c).toMatchObject({ count: 20, level: 1 })
  })
  it('leaves a few points alone', () => {
    const few = dots(5, 118.25, 30.15)
    expect(clusterDots('hazards', [...few, ...few], 9)).toEqual({ clusters: [], singles: few })
  })
  it('does not regroup while panning: the same points give the same groups', () => {
    const all = Array.from({ length: 400 }, (_, i) => ({ fid: i, lon: 118 + ((i * 37) % 100) / 200, lat: 30 + ((i * 61) % 100) / 250, level: 0 }))
    const a = clusterDots('x', all, 9.3).clusters.map((c) => c.fids.join())
    const b = clusterDots('x', [...all].reverse(), 9.3).clusters.map((c) => c.fids.join())
    expect(new Set(a)).toEqual(new Set(b))
  })
  it('moves discs of different layers apart', () => {
    const at = { lon: 118.25, lat: 30.15, count: 12, level: 1, fids: [] }
    const out = spread([{ layer: 'a', ...at }, { layer: 'b', ...at }], 10)
    const d = Math.hypot((tileX(out[0]!.lon, 10) - tileX(out[1]!.lon, 10)) * 512, (tileY(out[0]!.lat, 10) - tileY(out[1]!.lat, 10)) * 512)
    expect(d).toBeGreaterThan(30)
    expect(out[0]!.lon).toBeCloseTo(118.25, 9)
  })
})

describe('labels of areas', () => {
  const square = (x: number, y: number, s: number): [number, number][] => [[x, y], [x + s, y], [x + s, y + s], [x, y + s], [x, y]]
  it('puts one label in the middle of pieces that tiles have cut', () => {
    const places = placesOf([
      { fid: 1, rings: [square(0, 0, 1)], properties: { name: '甲' } },
      { fid: 1, rings: [square(1, 0, 1)], properties: { name: '甲' } },
    ])
    expect(places).toHaveLength(1)
    expect(places[0]!.lon).toBeCloseTo(1)
    expect(places[0]!.lat).toBeCloseTo(0.5)
  })
  it('stays inside a crescent', () => {
    const u: [number, number][] = [[0, 0], [9, 0], [9, 9], [8, 9], [8, 1], [1, 1], [1, 9], [0, 9], [0, 0]]
    const [place] = placesOf([{ fid: 1, rings: [u], properties: {} }])
    expect(place!.lat < 1 || place!.lon < 1 || place!.lon > 8).toBe(true)
    expect(middle([u])).not.toBeNull()
  })
  it('keeps the place learned from the larger picture', () => {
    const book = new PlaceBook()
    book.learn('admin', [{ fid: 1, rings: [square(0, 0, 4)], properties: { name: '甲' } }])
    book.learn('admin', [{ fid: 1, rings: [square(3, 3, 1)], properties: { name: '甲' } }])
    expect(book.features(['admin'])[0]!.geometry).toEqual({ type: 'Point', coordinates: [2, 2] })
    book.forget('admin')
    expect(book.features(['admin'])).toEqual([])
  })
})

const layer = (id: string, over: Partial<Layer> = {}): Layer => ({
  id, title: id, theme: 't', geometry: 'point', bounds: null, count: 1, source_date: null, source: null, ladder: 'l', level_field: 'level', kind_field: 'kind',
  label_field: 'name', symbol: 'circle', min_zoom: 0, max_zoom: 16, visibility: 'internal', default_visible: true, fields: [], ...over,
})
const body = (id: string, l: string, part: string, slot: number, extra: object = {}): LayerSpecification => ({
  id, type: 'fill', source: l, 'source-layer': l, paint: { 'fill-opacity': 0.5 }, metadata: { 'onemap:layer': l, 'onemap:part': part, 'onemap:slot': slot }, ...extra,
} as LayerSpecification)
const catalogue = { layers: [layer('a'), layer('b')], themes: [], ladders: {}, code_lists: {}, home: null, watermark: null, position: '' } as Catalogue
const setting = (over: Partial<LayerSetting> = {}): LayerSetting => ({ visible: true, opacity: 1, levels: null, kinds: null, ...over })
const base = { version: 8, sources: {}, layers: [body('a/fill', 'a', 'fill', 10), body('b/fill', 'b', 'fill', 10), body('a/area-label', 'a', 'area-label', 60, { type: 'symbol', paint: {}, layout: { 'text-field': 'x' }, filter: ['==', ['geometry-type'], 'Polygon'] })] } as unknown as StyleSpecification

describe('composing the style', () => {
  it('draws what is first in the panel on top', () => {
    const ids = (order: string[]) => compose(base, catalogue, { settings: { a: setting(), b: setting() }, order, textures: false, frugal: false }).map((l) => l.id)
    expect(ids(['a', 'b'])).toEqual(['b/fill', 'a/fill', 'a/area-label'])
    expect(ids(['b', 'a'])).toEqual(['a/fill', 'b/fill', 'a/area-label'])
  })
  it('hides, fades and filters without touching the base', () => {
    const before = JSON.stringify(base)
    const out = compose(base, catalogue, { settings: { a: setting({ visible: false }), b: setting({ opacity: 0.5, levels: [1], kinds: ['flood'] }) }, order: ['a', 'b'], textures: false, frugal: false })
    const b = out.find((l) => l.id === 'b/fill') as LayerSpecification & { filter: unknown }
    expect(out.find((l) => l.id === 'a/fill')?.layout?.visibility).toBe('none')
    expect((b.paint as Record<string, unknown>)['fill-opacity']).toBe(0.25)
    expect(JSON.stringify(b.filter)).toContain('"flood"')
    expect(JSON.stringify(b.filter)).toContain('[1]')
    expect(JSON.stringify(base)).toBe(before)
  })
  it('lays out points from afar only where the page put them', () => {
    const symbols = { ...base, metadata: { 'onemap:legend': { a: { geometry: 'point', color: '#000' } } }, layers: [body('a/base', 'a', 'base', 70, { type: 'symbol', minzoom: 7, layout: { 'icon-image': 's' }, paint: {} })] } as unknown as StyleSpecification
    const out = compose(symbols, catalogue, { settings: { a: setting(), b: setting() }, order: ['a', 'b'], textures: false, frugal: false }) as (LayerSpecification & { source: string; filter?: unknown })[]
    expect(out.map((l) => [l.id, l.source, l.minzoom, l.maxzoom])).toEqual([
      ['a/tiles', 'a', 7, 16], ['a/base@far', 'om-points', 7, 16], ['a/base', 'a', 16, undefined],
    ])
    expect(out[0]!.filter).toBe(false)
    expect([...countable(out)]).toEqual([['a/base@far', 'a'], ['a/base', 'a']])
  })
  it('fades expressions of the zoom from the inside', () => {
    expect(fade(undefined, 0.5)).toBe(0.5)
    expect(fade(['get', 'x'], 0.5)).toEqual(['*', 0.5, ['get', 'x']])
    expect(fade(['interpolate', ['linear'], ['zoom'], 10, 0.4, 14, ['get', 'x']], 0.5))
      .toEqual(['interpolate', ['linear'], ['zoom'], 10, 0.2, 14, ['*', 0.5, ['get', 'x']]])
  })
  it('takes area labels from places the page finds, whatever their geometry', () => {
    const out = compose(base, catalogue, { settings: { a: setting(), b: setting() }, order: ['a', 'b'], textures: false, frugal: false })
    const label = out.find((l) => l.id === 'a/area-label') as LayerSpecification & { source: string; filter: unknown }
    expect(label.source).toBe(LABELS)
    expect(label).not.toHaveProperty('source-layer')
    expect(label.filter).toEqual(['==', ['get', 'om:layer'], 'a'])
  })
  it('counts each layer by what is drawn of it', () => {
    const out = compose(base, catalogue, { settings: { a: setting({ visible: false }), b: setting() }, order: ['a', 'b'], textures: false, frugal: false })
    expect([...countable(out)]).toEqual([['b/fill', 'b']])
  })
  it('makes addresses absolute, for the worker', () => {
    const s = absolute({ ...base, sprite: '/sprite', sources: { a: { type: 'vector', tiles: ['/tiles/a/{z}/{x}/{y}.mvt'] } } } as StyleSpecification, 'https://h')
    expect(s.sprite).toBe('https://h/sprite')
    expect((s.sources.a as { tiles: string[] }).tiles).toEqual(['https://h/tiles/a/{z}/{x}/{y}.mvt'])
  })
})

describe('bringing the map to a new style', () => {
  /** A map reduced to the order of its layers. */
  function fake(start: string[]) {
    const order = [...start]
    const calls: string[] = []
    const put = (id: string, before?: string) => {
      const at = before === undefined ? order.length : order.indexOf(before)
      if (at < 0) throw new Error(`no layer ${before}`)
      order.splice(at, 0, id)
    }
    const map = {
      addLayer: (l: LayerSpecification, before?: string) => { calls.push(`add ${l.id}`); put(l.id, before) },
      removeLayer: (id: string) => { calls.push(`remove ${id}`); order.splice(order.indexOf(id), 1) },
      moveLayer: (id: string, before?: string) => { calls.push(`move ${id}`); order.splice(order.indexOf(id), 1); put(id, before) },
      setFilter: (id: string) => { calls.push(`filter ${id}`) },
      setPaintProperty: (id: string, k: string, v: unknown) => { calls.push(`paint ${id} ${k} ${JSON.stringify(v)}`) },
      setLayoutProperty: (id: string, k: string, v: unknown) => { calls.push(`layout ${id} ${k} ${JSON.stringify(v)}`) },
      setLayerZoomRange: (id: string) => { calls.push(`zoom ${id}`) },
    } as unknown as Target
    return { map, order, calls }
  }
  const L = (id: string, extra: object = {}) => ({ id, type: 'fill', source: 's', ...extra } as LayerSpecification)

  it('does nothing when nothing changed', () => {
    const f = fake(['a', 'b', 'top'])
    applyLayers(f.map, [L('a'), L('b')], [L('a'), L('b')], 'top')
    expect(f.calls).toEqual([])
  })
  it('sets only what differs', () => {
    const f = fake(['a', 'top'])
    applyLayers(f.map, [L('a', { paint: { x: 1, y: 2 }, layout: { visibility: 'none' } })], [L('a', { paint: { x: 1 }, layout: { visibility: 'visible' } })], 'top')
    expect(f.calls).toEqual(['paint a y undefined', 'layout a visibility "visible"'])
  })
  it('reaches any order, with layers added, removed and replaced, under the overlays', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    let seed = 7
    const random = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed / 2147483648 }
    const shuffle = () => names.filter(() => random() > 0.3).map((n) => ({ n, k: random() })).sort((p, q) => p.k - q.k).map((p) => p.n)
    for (let round = 0; round < 300; round++) {
      const from = shuffle(), to = shuffle()
      const f = fake([...from, 'top'])
      applyLayers(f.map, from.map((n) => L(n)), to.map((n) => L(n, random() > 0.7 ? { source: 'other' } : {})), 'top')
      expect(f.order).toEqual([...to, 'top'])
    }
  })
})

it('knows software renderers', () => {
  expect(softwareRendered('ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device), SwiftShader driver)')).toBe(true)
  expect(softwareRendered('llvmpipe (LLVM 11.0.1, 256 bits)')).toBe(true)
  expect(softwareRendered('ANGLE (Intel, Mesa Intel(R) UHD Graphics 630)')).toBe(false)
})

describe('what is real', () => {
  const layer = { level_field: null, kind_field: null } as unknown as Layer
  const setting: LayerSetting = { visible: true, opacity: 1, levels: null, kinds: null }
  it('leaves out exercises where nobody may take them for real, and nowhere else', () => {
    expect(userFilter(layer, { ...setting, real: true })).toEqual(['!=', ['to-string', ['get', 'exercise']], 'true'])
    expect(userFilter(layer, setting)).toBeNull()
  })
})
