import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ground } from '../../src/plan/pages/ground.ts'
import { csv, named } from '../../src/plan/pages/files.ts'
import { bySeries, differences, fileType, following, histogram, innerBreaks, invert, judged, levelOf, km2, levels, nearest, preview, lostPart, ratio, recolour, rungOf, saaty, share, square, stepOf, suspect, sumOf, total, unmapped, verdictOf, waiting, waitsFor, worst } from '../../src/plan/pages/logic.ts'
import type { Diff, DiffItem, Review } from '../../src/plan/pages/shapes.ts'
import type { Plan, ZoneFeature } from '../../src/plan/types.ts'
import { pageWords } from '../../src/plan/words-pages.ts'

const plan = (more: Partial<Plan> = {}, counts: Partial<Plan['counts']> = {}): Plan => ({
  id: 'p', series: 's', version: 1, parent: null, hazard: 'flood', hazard_title: '洪涝', kind: 'risk', kind_title: '风险区划', title: 'x', area: { code: '990100', title: '示例县' }, bounds: null, exhaustive: true, unit: 'village', ladder: 'risk_5',
  state: 'draft', state_title: '草案', etag: 1, in_force: false, document_no: null, responsible: null, note: null, effective_from: null, effective_to: null, method: null,
  counts: { zones: 4, ungraded: 0, comments: 0, open_comments: 0, accepted: 0, returned: 0, ...counts }, created_at: '2026-01-01T00:00:00Z', created_by: 'a', updated_at: '2026-01-01T00:00:00Z',
  submitted_at: null, submitted_by: null, approved_at: null, approved_by: null, published_at: null, published_by: null, withdrawn_at: null, withdrawn_by: null, demo: false, may: [], ...more,
})
const zone = (id: string, more: Partial<ZoneFeature['properties']> = {}): ZoneFeature => ({
  type: 'Feature', id, geometry: { type: 'MultiPolygon', coordinates: [] },
  properties: { zone: id, version: 1, fid: 1, code: null, name: id, level: 1, reason: null, countermeasure: null, responsible: null, population: null, area_km2: null, attrs: null, ...more },
})

describe('words of the pages', () => {
  const files = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(`${dir}/${e.name}`) : [`${dir}/${e.name}`]))
  const source = files('src/plan').filter((f) => /\.(ts|svelte)$/.test(f) && !/words/.test(f)).map((f) => readFileSync(f, 'utf8')).join('\n')
  it('are in both languages, with the same holes', () => {
    const holes = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()
    for (const [key, [zh, en]] of Object.entries(pageWords)) {
      expect(zh, key).toBeTruthy()
      expect(en, key).not.toMatch(/[\u4e00-\u9fff]/)
      expect(holes(en), key).toEqual(holes(zh))
    }
  })
  it('are all used', () => {
    const built = [...source.matchAll(/`(p_[a-z_]*)\$\{[^`]*?\}([a-z_]*)`/g)].map((m) => new RegExp(`^${m[1]}\\w+${m[2]}$`))
    const idle = Object.keys(pageWords).filter((k) => !new RegExp(`['"\`]${k}['"\`]`).test(source) && !built.some((b) => b.test(k)))
    expect(idle).toEqual([])
  })
  it('name no word that is missing', () => {
    const named = [...source.matchAll(/\bt\('(p_\w+)'/g)].map((m) => m[1]!)
    expect(named.length).toBeGreaterThan(100)
    expect(named.filter((k) => !(k in pageWords))).toEqual([])
  })
})

describe('what waits for a person', () => {
  it('follows the rights the server gives', () => {
    expect(waitsFor(plan({ may: ['edit'] }))).toBe('draft')
    expect(waitsFor(plan({ may: [] }))).toBeNull()
    expect(waitsFor(plan({ state: 'returned', may: ['edit'] }))).toBe('returned')
    expect(waitsFor(plan({ state: 'in_review', may: ['review', 'approve'] }, { accepted: 3 }))).toBe('review')
    expect(waitsFor(plan({ state: 'in_review', may: ['review', 'approve'] }, { accepted: 4 }))).toBe('approve')
    expect(waitsFor(plan({ state: 'approved', may: ['publish'] }))).toBe('publish')
    expect(waitsFor(plan({ state: 'consultation', may: ['answer'] }))).toBeNull()
    expect(waitsFor(plan({ state: 'consultation', may: ['answer'] }, { open_comments: 1 }))).toBe('answer')
  })
  it('puts what others wait for first', () => {
    expect(waiting([plan({ id: 'a', may: ['edit'] }), plan({ id: 'b', state: 'approved', may: ['publish'] }), plan({ id: 'c', state: 'returned', may: ['edit'] }), plan({ id: 'd' })]).map((w) => w.plan.id)).toEqual(['c', 'b', 'a'])
  })
  it('gathers versions under their series', () => {
    const list = bySeries([plan({ id: '1', version: 1, in_force: true, updated_at: '2026-01-02' }), plan({ id: '3', series: 't', updated_at: '2026-01-05' }), plan({ id: '2', version: 2, updated_at: '2026-01-03' })])
    expect(list.map((s) => [s.id, s.head.id, s.versions.length, s.inForce?.id ?? null])).toEqual([['t', '3', 1, null], ['s', '2', 2, '1']])
  })
  it('places every state on the ladder', () => {
    for (const [state, rung] of [['draft', 0], ['returned', 0], ['expert_review', 1], ['submitted', 2], ['in_review', 3], ['approved', 4], ['published', 5], ['superseded', 5], ['withdrawn', -1]] as const) expect(rungOf(state), state).toBe(rung)
  })
})

describe('the levels of a file', () => {
  const file = [['4', '河口'], ['4', '下湾'], ['1', '山顶'], ['', '空']].map(([lv, name]) => ({ type: 'Feature' as const, geometry: { type: 'Point' as const, coordinates: [0, 0] }, properties: { LV: lv, NAME: name } }))
  const asIs = { 1: 1, 2: 2, 3: 3, 4: 4 }
  it('say which places become the worst, both ways round', () => {
    expect(worst(file, 'LV', asIs, 'NAME').map((w) => w.title)).toEqual(['山顶'])
    expect(worst(file, 'LV', invert(asIs, 4), 'NAME').map((w) => w.title)).toEqual(['河口', '下湾'])
    expect(invert(invert(asIs, 4), 4)).toEqual(asIs)
    expect(invert({ x: 0, y: 1 }, 5)).toEqual({ x: 0, y: 5 })
  })
  it('name the values without a level, and draw them as such', () => {
    const field = { name: 'LV', type: 'text', values: [{ value: '4', count: 2 }, { value: '9', count: 1 }, { value: '', count: 1 }] }
    expect(unmapped(field, { 4: 1, 9: 9 }, 5)).toEqual(['9', ''])
    expect(recolour(file, 'LV', { 4: 1 }).map((f) => f.properties!.level)).toEqual([1, 1, 0, 0])
  })
  it('are seen only of the field the preview was made of', () => {
    const from = [{ type: 'Feature' as const, geometry: { type: 'Point' as const, coordinates: [0, 0] }, properties: { row: 1, value: '4', name: '河口' } }]
    const shown = preview(from, 'LV', 'NAME')
    expect(recolour(shown, 'LV', { 4: 1 })[0]!.properties!.level).toBe(1)
    expect(recolour(shown, 'DEPTH', { 4: 1 })[0]!.properties!.level).toBe(0)
    expect(worst(shown, 'LV', { 4: 1 }, 'NAME')[0]!.title).toBe('河口')
  })
  it('tell the server what was dropped', () => {
    expect([fileType('a.ZIP'), fileType('b.geojson'), fileType('c.gpkg'), fileType('d.kml')]).toEqual(['application/zip', 'application/geo+json', 'application/geopackage+sqlite3', 'application/octet-stream'])
  })
})

describe('pairwise comparison', () => {
  it('keeps the matrix reciprocal', () => {
    let m = square(3)
    m = judged(m, 0, 1, 5)
    m = judged(m, 2, 0, 1 / 3)
    expect(m).toEqual([[1, 5, 3], [1 / 5, 1, 1], [1 / 3, 1, 1]])
    expect(square(4, m)[0]).toEqual([1, 5, 3, 1])
    expect(square(2, m)).toEqual([[1, 5], [1 / 5, 1]])
  })
  it('names the comparison that contradicts the rest', () => {
    // a = 3b, b = 3c, and yet c = 5a.
    const m = judged(judged(judged(square(3), 0, 1, 3), 1, 2, 3), 0, 2, 1 / 5)
    expect(suspect(m, [0.45, 0.33, 0.22])).toMatchObject({ i: 0, j: 2, said: 1 / 5 })
    expect(ratio(nearest(0.21))).toBe('1/5')
    expect(saaty.map(ratio)).toHaveLength(17)
  })
  it('shares weights', () => {
    expect(share([1, 1, 2])).toEqual([0.25, 0.25, 0.5])
    expect(share([0, 0])).toEqual([0.5, 0.5])
    expect(share([-1, 1])).toEqual([0, 1])
  })
})

describe('classes', () => {
  it('count every value once', () => {
    const bins = histogram([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NaN], 5)
    expect(bins.map((b) => b.n)).toEqual([2, 2, 2, 2, 2])
    expect(histogram([3, 3, 3])).toEqual([{ from: 3, to: 3, n: 3 }])
    expect(histogram([])).toEqual([])
  })
  it('give the greatest values level 1', () => {
    expect([0.1, 0.3, 0.9].map((v) => levelOf(v, [0.2, 0.5]))).toEqual([3, 2, 1])
    expect(innerBreaks([0, 0.2, 0.5, 1], 3)).toEqual([0.2, 0.5])
    expect(innerBreaks([0.2, 0.5, 1], 3)).toEqual([0.2, 0.5])
    expect(innerBreaks([0.5, 0.2], 3)).toEqual([0.2, 0.5])
  })
})

describe('tables', () => {
  const ladder = { title: '', steps: [1, 2, 3].map((level) => ({ level, title: `${level}`, mark: `${level}`, color: '#000000', color_dark: '#000000', texture: 'plain', print_color: null })) }
  it('sum zones by level, with the ungraded last and nobody counted as nobody', () => {
    const rows = levels([zone('a', { level: 2, area_km2: 1.5, population: 10 }), zone('b', { level: 2, area_km2: 1 }), zone('c', { level: null, area_km2: 4 })], ladder)
    expect(rows.map((r) => [r.level, r.zones, r.area_km2, r.population])).toEqual([[1, 0, 0, null], [2, 2, 2.5, 10], [3, 0, 0, null], [0, 1, 4, null]])
    expect(total(rows)).toMatchObject({ zones: 3, area_km2: 6.5, population: 10 })
  })
  it('differ and add up as they are shown', () => {
    expect(stepOf(80731.4, 77947.4, 0).change).toBe(-2784)
    expect(stepOf(80730.6, 77947.4, 0)).toEqual({ before: 80731, after: 77947, change: -2784 })
    expect(stepOf(159.3849, 155.9651, 2)).toEqual({ before: 159.38, after: 155.97, change: -3.41 })
    expect(sumOf([0.004, 0.004, 0.004], 2)).toBe(0)
    expect([km2(134, 'zh-CN'), km2(1234.5, 'zh-CN')]).toEqual(['134.00', '1,234.50'])
  })
  it('say what part of a zone an import took', () => {
    expect(lostPart({ gained_m2: 0, lost_m2: 2 }, 98)).toBeCloseTo(0.02)
    expect(lostPart({ gained_m2: 0, lost_m2: 2 }, undefined)).toBe(0)
  })
  it('list differences by kind', () => {
    const item = (z: string): DiffItem => ({ zone: z, name: z, level_before: 1, level_after: 2, area_before_m2: 1, area_after_m2: 1, gained_m2: 0, lost_m2: 0, population_before: null, population_after: null, geometry_gained: null, geometry_lost: null, bounds: null })
    const d = { added: [item('n')], removed: [], moved: [item('m')], relevelled: [item('m'), item('r')], renamed: [], unchanged: 3, plan: 'a', against: 'b', totals: { changed_area_m2: 1, by_level: [] } } as unknown as Diff
    expect(differences(d).map((x) => `${x.kind} ${x.item.zone}`)).toEqual(['relevelled m', 'relevelled r', 'moved m', 'added n'])
  })
  it('leave as CSV that is text and no formula', () => {
    expect(csv([['名称', 1.5, null], ['a,"b"', '=1+1', '-x']])).toBe('\ufeff名称,1.5,\r\n"a,""b""",\'=1+1,\'-x\r\n')
  })
  it('take the name of a file from the server', () => {
    expect(named("attachment; filename=\"x.pdf\"; filename*=UTF-8''%E5%8C%BA%E5%88%92.pdf")).toBe('区划.pdf')
    expect(named('attachment; filename="x.pdf"')).toBe('x.pdf')
    expect(named('')).toBe('')
  })
})

describe('changed ground', () => {
  const box = (w: number, s: number, e: number, n: number): GeoJSON.Polygon => ({ type: 'Polygon', coordinates: [[[w, s], [e, s], [e, n], [w, n], [w, s]]] })
  const item = (z: string, before: number | null, after: number | null, gained: GeoJSON.Geometry | null, lost: GeoJSON.Geometry | null): DiffItem => ({ zone: z, name: z, level_before: before, level_after: after, area_before_m2: 1, area_after_m2: 1, gained_m2: 0, lost_m2: 0, population_before: null, population_after: null, geometry_gained: gained, geometry_lost: lost, bounds: null })
  const diff = (more: Partial<Diff>): Diff => ({ plan: 'a', against: 'b', added: [], removed: [], moved: [], relevelled: [], renamed: [], unchanged: 0, totals: { by_level: [], changed_area_m2: 0 }, ...more })
  it('is drawn once: what one gains another loses', () => {
    const strip = box(0, 0, 1, 1)
    const g = ground(diff({ moved: [item('a', 1, 1, strip, null), item('b', 3, 3, null, strip)] }), () => null)
    expect([g.worse, g.milder.length, g.border.length]).toEqual([[strip], 0, 1])
    const back = ground(diff({ moved: [item('a', 1, 1, null, strip), item('b', 3, 3, strip, null)] }), () => null)
    expect([back.worse.length, back.milder]).toEqual([0, [strip]])
  })
  it('is hatched where a zone is new or gone, and outlined where no level changed', () => {
    const g = ground(diff({ added: [item('n', null, 2, box(0, 0, 2, 2), null)], moved: [item('o', 2, 2, null, box(0, 0, 2, 2))] }), () => null)
    expect([g.worse.length, g.milder.length, g.hatch.length, g.border.length]).toEqual([0, 0, 1, 1])
    expect(g.hatch[0]).toEqual(box(0, 0, 2, 2))
  })
  it('leaves out of a re-levelled zone what turned the other way', () => {
    const zone = box(0, 0, 4, 4), strip = box(3, 1, 4, 2)
    const g = ground(diff({ relevelled: [item('r', 4, 3, null, null)], moved: [item('r', 4, 3, strip, null), item('l', 1, 1, null, strip)] }), () => zone)
    expect([g.worse, g.milder]).toEqual([[{ type: 'MultiPolygon', coordinates: [[zone.coordinates[0], strip.coordinates[0]]] }], [strip]])
  })
  it('takes a re-levelled zone whole', () => {
    const g = ground(diff({ relevelled: [item('r', 4, 2, null, null)] }), () => box(5, 5, 6, 6))
    expect(g.worse).toEqual([box(5, 5, 6, 6)])
  })
})

describe('review', () => {
  const said = (zone: string, verdict: Review['verdict'], zone_version = 1): Review => ({ zone, verdict, reason: null, zone_version, name: null, at: '' })
  it('asks again for what changed since', () => {
    expect(verdictOf(zone('a'), undefined)).toBe('open')
    expect(verdictOf(zone('a'), said('a', 'accepted'))).toBe('accepted')
    expect(verdictOf(zone('a', { version: 2 }), said('a', 'accepted'))).toBe('changed')
    expect(verdictOf(zone('a'), { ...said('a', 'accepted'), current: false })).toBe('changed')
  })
  it('goes on to the next without a verdict, around the end', () => {
    const v = (z: string) => (z === 'b' || z === 'a' ? 'open' as const : 'accepted' as const)
    expect(following(['a', 'b', 'c', 'd'], 'b', v)).toBe('a')
    expect(following(['a', 'b', 'c', 'd'], 'a', v)).toBe('b')
    expect(following(['c', 'd'], 'c', v)).toBeNull()
  })
})
