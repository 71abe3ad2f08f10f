import type { ExpressionSpecification, LayerSpecification, Map as GLMap, SourceSpecification } from 'maplibre-gl'
import type { Theme } from '../../lib/types.ts'
import type { Step } from '../types.ts'
import type { Overlay } from '../stage.ts'

/** What the table draws over the one map: the draft, what is being done to it, what is wrong with it. */
export const ZONES = 'pl-zones', NAMES = 'pl-names', CHOSEN = 'pl-chosen', DRAG = 'pl-drag', SKETCH = 'pl-sketch', HANDLES = 'pl-handles', FAULTS = 'pl-faults', CONTRAST = 'pl-contrast', AREA_LINE = 'pl-area'
export const none: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }
export const collection = (features: GeoJSON.Feature[]): GeoJSON.FeatureCollection => ({ type: 'FeatureCollection', features })

const fonts = ['PingFang SC', 'Noto Sans CJK SC', 'Microsoft YaHei', 'sans-serif']
export const ink = {
  light: { accent: '#1F6FEB', casing: '#FFFFFF', text: '#1D2126', halo: '#FFFFFF', border: '#3A424C', fault: '#C2002F', mine: '#1F6FEB', theirs: '#8A3FB0', ungraded: '#A7AEB7', good: '#1F7A50' },
  dark: { accent: '#5A9BFF', casing: '#06121F', text: '#E6EDF3', halo: '#0F1C2B', border: '#C6D2DE', fault: '#FF6B86', mine: '#5A9BFF', theirs: '#D59BF0', ungraded: '#5F7790', good: '#5CC294' },
} as const

export function sources(): Record<string, SourceSpecification> {
  const plain = { type: 'geojson', data: none } as const
  return {
    // The browser thins each zone for itself, so neighbours may part: by less than the border that is drawn over it.
    [ZONES]: { ...plain, promoteId: 'zone', tolerance: 0.3, buffer: 32, maxzoom: 17 }, [AREA_LINE]: { ...plain, tolerance: 0.1, buffer: 32 },
    [NAMES]: { ...plain, promoteId: 'zone' }, [CHOSEN]: plain, [DRAG]: { ...plain, tolerance: 0 }, [CONTRAST]: plain, [FAULTS]: plain, [SKETCH]: { ...plain, tolerance: 0 }, [HANDLES]: { ...plain, tolerance: 0 },
  }
}

export interface Look { theme: Theme; steps: readonly Step[]; textures: boolean; hidden: readonly number[]; colors: Record<string, string> | null; opacity: number }

function byLevel<T>(steps: readonly Step[], of: (s: Step) => T, other: T): ExpressionSpecification | T {
  return steps.length === 0 ? other : ['match', ['to-number', ['get', 'level'], 0], ...steps.flatMap((s) => [s.level, of(s)]), other] as unknown as ExpressionSpecification
}
const dark = (l: Look) => l.theme === 'dark'
const colorOf = (l: Look) => {
  const c = byLevel<string>(l.steps, (s) => (dark(l) ? s.color_dark || s.color : s.color), ink[l.theme].ungraded)
  if (!l.colors) return c
  const pairs = Object.entries(l.colors).flat()
  return pairs.length === 0 ? ink[l.theme].ungraded : (['match', ['get', 'zone'], ...pairs, ink[l.theme].ungraded] as unknown as ExpressionSpecification)
}
const gone = (value: number | ExpressionSpecification): ExpressionSpecification => ['case', ['boolean', ['feature-state', 'hidden'], false], 0, value]

/** below are the layers of the draft itself, under the labels of the map. */
export function below(l: Look): LayerSpecification[] {
  const c = ink[l.theme]
  const shown = l.hidden.length > 0 ? (['!', ['in', ['to-number', ['get', 'level'], 0], ['literal', [...l.hidden]]]] as ExpressionSpecification) : undefined
  const filter = shown ? { filter: shown } : {}
  // Not graded is no pale level: no ground, hatched, a dashed edge. Where a page paints zones its own way, all have a colour.
  const graded = ['has', 'level'] as ExpressionSpecification
  const both = (f: ExpressionSpecification) => ({ filter: (shown ? ['all', shown, f] : f) as ExpressionSpecification })
  const open = { layout: { visibility: (l.colors ? 'none' : 'visible') as 'none' | 'visible' } }
  const fill = colorOf(l) as ExpressionSpecification
  const strength = (l.theme === 'dark' ? 0.4 : 0.36) * l.opacity
  return [
    { id: 'pl-fill', type: 'fill', source: ZONES, ...filter, paint: { 'fill-color': fill, 'fill-opacity': gone(l.colors ? strength : ['case', graded, strength, strength * 0.12]), 'fill-antialias': false } },
    { id: 'pl-open', type: 'fill', source: ZONES, ...both(['!', graded]), ...open, paint: { 'fill-pattern': 'pl-open', 'fill-opacity': gone(Math.min(1, l.opacity)) } },
    { id: 'pl-texture', type: 'fill', source: ZONES, ...both(graded), layout: { visibility: l.textures ? 'visible' : 'none' }, paint: { 'fill-pattern': byLevel<string>(l.steps, (s) => `pl-${texture(s)}`, 'pl-plain') as ExpressionSpecification, 'fill-opacity': gone(0.5) } },
    { id: 'pl-inner', type: 'line', source: ZONES, ...(l.colors ? filter : both(graded)), minzoom: 10.5, paint: { 'line-color': fill, 'line-width': ['interpolate', ['linear'], ['zoom'], 10, 1, 14, 2.4], 'line-offset': ['interpolate', ['linear'], ['zoom'], 10, 0.4, 14, 1.4], 'line-opacity': gone(0.9) } },
    // Round joins would cost thousands of triangles on a line this thin.
    { id: 'pl-border', type: 'line', source: ZONES, ...filter, paint: { 'line-color': c.border, 'line-width': ['interpolate', ['linear'], ['zoom'], 8, 0.3, 12, 0.7, 16, 1], 'line-opacity': gone(0.75) } },
    { id: 'pl-open-edge', type: 'line', source: ZONES, ...both(['!', graded]), ...open, minzoom: 10, paint: { 'line-color': c.text, 'line-width': ['interpolate', ['linear'], ['zoom'], 10, 1, 14, 1.8], 'line-offset': ['interpolate', ['linear'], ['zoom'], 10, 1, 14, 2.2], 'line-dasharray': [3, 2], 'line-opacity': gone(0.65) } },
    { id: 'pl-area', type: 'line', source: AREA_LINE, layout: { 'line-join': 'round' }, paint: { 'line-color': c.text, 'line-width': ['interpolate', ['linear'], ['zoom'], 8, 1, 14, 2], 'line-dasharray': [6, 2, 1.5, 2], 'line-opacity': 0.7 } },
    { id: 'pl-drag-fill', type: 'fill', source: DRAG, paint: { 'fill-color': fill, 'fill-opacity': strength } },
    { id: 'pl-drag-line', type: 'line', source: DRAG, layout: { 'line-join': 'round' }, paint: { 'line-color': c.border, 'line-width': 1 } },
  ]
}

export function above(l: Look): LayerSpecification[] {
  const c = ink[l.theme]
  const tone = ['coalesce', ['get', 'color'], c.accent] as ExpressionSpecification
  const shown = l.hidden.length > 0 ? { filter: ['!', ['in', ['to-number', ['get', 'level'], 0], ['literal', [...l.hidden]]]] as ExpressionSpecification } : {}
  return [
    { id: 'pl-name', type: 'symbol', source: NAMES, minzoom: l.colors ? 11.5 : 9, ...shown, layout: { 'text-field': ['format', ['get', 'label'], {}, ['case', ['==', ['get', 'mark'], ''], '', ['concat', '\n', ['get', 'mark']]], { 'font-scale': 0.85 }], 'text-font': fonts, 'text-size': ['interpolate', ['linear'], ['zoom'], 9, 12, 14, 14], 'text-max-width': 9, 'text-padding': 6, 'symbol-sort-key': ['get', 'rank'] }, paint: { 'text-color': c.text, 'text-halo-color': c.halo, 'text-halo-width': 1.6 } },
    { id: 'pl-chosen-case', type: 'line', source: CHOSEN, layout: { 'line-join': 'round' }, paint: { 'line-color': '#FFFFFF', 'line-width': 5.5, 'line-opacity': 0.9 } },
    { id: 'pl-chosen', type: 'line', source: CHOSEN, layout: { 'line-join': 'round' }, paint: { 'line-color': c.accent, 'line-width': 2.4 } },
    { id: 'pl-contrast-fill', type: 'fill', source: CONTRAST, filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': tone, 'fill-opacity': 0.16 } },
    { id: 'pl-contrast', type: 'line', source: CONTRAST, filter: ['!=', ['geometry-type'], 'Point'], layout: { 'line-join': 'round' }, paint: { 'line-color': tone, 'line-width': 3, 'line-dasharray': [3, 1.6] } },
    { id: 'pl-contrast-point', type: 'circle', source: CONTRAST, filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': 6, 'circle-color': tone, 'circle-stroke-color': '#FFFFFF', 'circle-stroke-width': 2 } },
    { id: 'pl-fault-fill', type: 'fill', source: FAULTS, filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': c.fault, 'fill-opacity': 0.42 } },
    { id: 'pl-fault-case', type: 'line', source: FAULTS, filter: ['!=', ['geometry-type'], 'Point'], paint: { 'line-color': '#FFFFFF', 'line-width': 5 } },
    { id: 'pl-fault', type: 'line', source: FAULTS, filter: ['!=', ['geometry-type'], 'Point'], paint: { 'line-color': c.fault, 'line-width': 2.5 } },
    { id: 'pl-fault-ring', type: 'circle', source: FAULTS, filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': ['case', ['==', ['get', 'on'], true], 15, 10], 'circle-color': c.fault, 'circle-opacity': 0.16, 'circle-stroke-color': c.fault, 'circle-stroke-width': 2.2 } },
    { id: 'pl-sketch-fill', type: 'fill', source: SKETCH, filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': tone, 'fill-opacity': 0.14 } },
    { id: 'pl-sketch-case', type: 'line', source: SKETCH, filter: ['!=', ['geometry-type'], 'Point'], layout: { 'line-join': 'round' }, paint: { 'line-color': '#FFFFFF', 'line-width': 5, 'line-opacity': 0.85 } },
    { id: 'pl-sketch', type: 'line', source: SKETCH, filter: ['!=', ['geometry-type'], 'Point'], layout: { 'line-join': 'round' }, paint: { 'line-color': tone, 'line-width': 2.2, 'line-dasharray': [2.6, 1.6] } },
    { id: 'pl-sketch-point', type: 'circle', source: SKETCH, filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': 4, 'circle-color': '#FFFFFF', 'circle-stroke-color': tone, 'circle-stroke-width': 2 } },
    { id: 'pl-mid', type: 'circle', source: HANDLES, filter: ['==', ['get', 'kind'], 'mid'], paint: { 'circle-radius': 3.2, 'circle-color': c.accent, 'circle-opacity': 0.75, 'circle-stroke-color': '#FFFFFF', 'circle-stroke-width': 1.2 } },
    { id: 'pl-edge-hot', type: 'line', source: HANDLES, filter: ['==', ['get', 'kind'], 'edge'], paint: { 'line-color': c.accent, 'line-width': 5, 'line-opacity': 0.55 } },
    { id: 'pl-node', type: 'circle', source: HANDLES, filter: ['in', ['get', 'kind'], ['literal', ['node', 'locked']]], paint: { 'circle-radius': ['case', ['==', ['get', 'on'], true], 7.5, 5], 'circle-color': ['case', ['==', ['get', 'on'], true], c.accent, ['==', ['get', 'kind'], 'locked'], '#8A929B', '#FFFFFF'], 'circle-stroke-color': ['case', ['==', ['get', 'on'], true], '#FFFFFF', ['==', ['get', 'kind'], 'locked'], '#FFFFFF', c.accent], 'circle-stroke-width': 2 } },
    { id: 'pl-caught', type: 'circle', source: HANDLES, filter: ['==', ['get', 'kind'], 'caught'], paint: { 'circle-radius': 9, 'circle-color': 'rgba(0,0,0,0)', 'circle-stroke-color': c.good, 'circle-stroke-width': 2.6 } },
    { id: 'pl-caught-word', type: 'symbol', source: HANDLES, filter: ['==', ['get', 'kind'], 'caught'], layout: { 'text-field': ['get', 'label'], 'text-font': fonts, 'text-size': 12, 'text-anchor': 'left', 'text-offset': [1.2, 0], 'text-allow-overlap': true, 'text-ignore-placement': true }, paint: { 'text-color': c.good, 'text-halo-color': c.halo, 'text-halo-width': 1.8 } },
    { id: 'pl-cross', type: 'circle', source: HANDLES, filter: ['==', ['get', 'kind'], 'cross'], paint: { 'circle-radius': 9, 'circle-color': c.fault, 'circle-opacity': 0.25, 'circle-stroke-color': c.fault, 'circle-stroke-width': 2.4 } },
  ]
}

/** overlay is what a page beside the map draws. */
export function overlayLayers(id: string, look: Overlay['look'], theme: Theme): LayerSpecification[] {
  const c = ink[theme]
  const tones: Record<Overlay['look'], string> = { fault: c.fault, accent: c.accent, pin: c.accent, gained: c.good, lost: c.fault, plain: c.border, hatch: c.border }
  const tone = ['coalesce', ['get', 'color'], tones[look]] as ExpressionSpecification
  return [
    { id: `${id}-fill`, type: 'fill', source: id, filter: ['==', ['geometry-type'], 'Polygon'], paint: look === 'hatch' ? { 'fill-pattern': 'pl-diagonal' } : { 'fill-color': tone, 'fill-opacity': look === 'gained' || look === 'lost' ? 0.5 : 0.14 } },
    { id: `${id}-line`, type: 'line', source: id, filter: ['!=', ['geometry-type'], 'Point'], layout: { 'line-join': 'round' }, paint: { 'line-color': tone, 'line-width': look === 'hatch' ? 1 : 1.6 } },
    { id: `${id}-point`, type: 'circle', source: id, filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': look === 'pin' ? 11 : 6, 'circle-color': tone, 'circle-stroke-color': '#FFFFFF', 'circle-stroke-width': 2 } },
    { id: `${id}-label`, type: 'symbol', source: id, filter: ['all', ['==', ['geometry-type'], 'Point'], ['has', 'label']], layout: { 'text-field': ['to-string', ['get', 'label']], 'text-font': fonts, 'text-size': 12, 'text-allow-overlap': true, 'text-ignore-placement': true }, paint: { 'text-color': theme === 'dark' ? '#06121F' : '#FFFFFF' } },
  ]
}

const kinds = ['open', 'cross', 'diagonal', 'dots', 'plain', 'vertical', 'horizontal'] as const
export const texture = (s: Step): string => (s.texture !== 'open' && (kinds as readonly string[]).includes(s.texture) ? s.texture : 'plain')

/** textures draws the patterns of levels, light ink or dark as the theme needs. */
export function addTextures(map: GLMap, theme: Theme): void {
  for (const kind of kinds) {
    const size = kind === 'open' ? 32 : 24
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = size
    const c = canvas.getContext('2d')
    if (!c) return
    c.strokeStyle = c.fillStyle = kind === 'open' ? ink[theme].ungraded : theme === 'dark' ? 'rgba(230,237,243,.8)' : 'rgba(29,33,38,.75)'
    c.lineWidth = 1.4
    const strokes: [number, number, number, number][] = []
    for (let i = -size; i <= size * 2; i += size / 2) {
      if (kind === 'open') strokes.push([i, 0, i + size, size])
      if (kind === 'diagonal' || kind === 'cross') strokes.push([i, size, i + size, 0])
      if (kind === 'cross') strokes.push([i, 0, i + size, size])
      if (kind === 'vertical') strokes.push([i + 6, 0, i + 6, size])
      if (kind === 'horizontal') strokes.push([0, i + 6, size, i + 6])
    }
    c.beginPath()
    for (const [x1, y1, x2, y2] of strokes) { c.moveTo(x1, y1); c.lineTo(x2, y2) }
    c.stroke()
    if (kind === 'dots') for (const [x, y] of [[6, 6], [18, 18]] as const) { c.beginPath(); c.arc(x, y, 1.7, 0, 7); c.fill() }
    const image = c.getImageData(0, 0, size, size)
    if (map.hasImage(`pl-${kind}`)) map.updateImage(`pl-${kind}`, image)
    else map.addImage(`pl-${kind}`, image, { pixelRatio: 2 })
  }
}
