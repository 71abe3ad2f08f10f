import type { LayerSpecification, StyleSpecification } from 'maplibre-gl'
import type { Fix } from '../types.ts'

/**
 * The look of the phone's map: the pack's own layers in the greys of the one map, and on
 * them what he reports. No glyphs, no sprite: the phone draws letters and symbols itself.
 */
export const NONE: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }
const name = ['coalesce', ['get', 'name'], ['get', 'title'], ''] as unknown as string
const font = ['PingFang SC', 'Noto Sans CJK SC', 'Microsoft YaHei', 'sans-serif']

export type Mark = 'hazards' | 'dangers' | 'shelters' | 'tasks' | 'incident_reports'
const inks: Record<Mark, [light: string, dark: string]> = {
  hazards: ['#8A4B1D', '#E0A06B'], dangers: ['#6B3FA0', '#B694E8'], shelters: ['#1F7A50', '#5CC294'], tasks: ['#1F6FEB', '#6BA6FF'], incident_reports: ['#B3001B', '#FF6B81'],
}
const shapes: Record<Mark, string> = {
  hazards: 'M16 4 29 28H3z', dangers: 'M6 6h20v20H6z', shelters: 'M16 3 30 15h-4v13H6V15H2z', tasks: 'M8 3h18l-5 7 5 7H11v12H8z', incident_reports: 'M16 3a13 13 0 1 0 0 26 13 13 0 0 0 0-26z',
}

/** symbol draws one mark with its casing, once for light and once for dark. */
export function symbol(mark: Mark, dark: boolean, own: boolean): ImageData {
  const n = 64
  const c = document.createElement('canvas')
  c.width = c.height = n
  const g = c.getContext('2d')!
  g.scale(2, 2)
  const path = new Path2D(shapes[mark])
  g.lineJoin = 'round'
  g.lineWidth = own ? 5 : 3
  // What is his own has a thick edge of the letters' colour: not by hue alone.
  g.strokeStyle = own ? (dark ? '#E6EDF3' : '#1D2126') : dark ? '#081220' : '#FFFFFF'
  g.stroke(path)
  g.fillStyle = inks[mark][dark ? 1 : 0]
  g.fill(path)
  return g.getImageData(0, 0, n, n)
}
export const svgOf = (mark: Mark): string => shapes[mark]
export const inkOf = (mark: Mark, dark: boolean): string => inks[mark][dark ? 1 : 0]

export function style(dark: boolean): StyleSpecification {
  const p = dark
    ? { land: '#15263A', water: '#0D2A45', river: '#3F77A3', road: '#42586F', minor: '#2F435A', house: '#22374D', county: '#7E96AE', town: '#5A7088', village: '#3C5169', text: '#E6EDF3', muted: '#B5C3D1', halo: '#081220', grid: '#6BA6FF' }
    : { land: '#F7F5EF', water: '#CFE0EC', river: '#7FA9C7', road: '#B9B3A5', minor: '#D3CEC2', house: '#DDD8CC', county: '#6F757D', town: '#9AA0A8', village: '#BFC3C8', text: '#1D2126', muted: '#4A5058', halo: '#FFFFFF', grid: '#1A66DE' }
  const rank = (op: string, n: number) => [op, ['to-number', ['get', 'rank'], 3], n]
  const zoomed = (...stops: number[]) => ['interpolate', ['linear'], ['zoom'], ...stops]
  const line = (id: string, layer: string, color: string, width: unknown, extra: object = {}, dash?: number[]) => ({ id, type: 'line', source: 'pack', 'source-layer': layer, layout: { 'line-join': 'round', 'line-cap': 'round' }, paint: { 'line-color': color, 'line-width': width, ...(dash ? { 'line-dasharray': dash } : {}) }, ...extra })
  const label = (id: string, layer: string, size: number, color: string, extra: object = {}, layout: object = {}) => ({ id, type: 'symbol', source: 'pack', 'source-layer': layer, layout: { 'text-field': name, 'text-font': font, 'text-size': size, 'text-max-width': 8, ...layout }, paint: { 'text-color': color, 'text-halo-color': p.halo, 'text-halo-width': 1.8 }, ...extra })
  const point = (mark: Mark) => ({ id: `pack-${mark}`, type: 'symbol', source: 'pack', 'source-layer': mark, minzoom: 11, filter: ['==', ['geometry-type'], 'Point'], layout: { 'icon-image': mark, 'icon-size': 0.8, 'icon-allow-overlap': true, 'text-field': ['step', ['zoom'], '', 14, name], 'text-font': font, 'text-size': 14, 'text-offset': [0, 1.2], 'text-anchor': 'top', 'text-optional': true }, paint: { 'text-color': p.text, 'text-halo-color': p.halo, 'text-halo-width': 1.8 } })
  return {
    version: 8,
    sources: {
      pack: { type: 'vector', tiles: ['pack://{z}/{x}/{y}'], minzoom: 8, maxzoom: 16 },
      grid: { type: 'geojson', data: NONE }, routes: { type: 'geojson', data: NONE }, marks: { type: 'geojson', data: NONE }, fix: { type: 'geojson', data: NONE }, shape: { type: 'geojson', data: NONE },
    },
    layers: [
      { id: 'land', type: 'background', paint: { 'background-color': p.land } },
      { id: 'water', type: 'fill', source: 'pack', 'source-layer': 'rivers', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': p.water } },
      line('river', 'rivers', p.river, zoomed(8, 0.8, 12, 2, 16, 6), { filter: ['==', ['geometry-type'], 'LineString'] }),
      { id: 'houses', type: 'fill', source: 'pack', 'source-layer': 'buildings', minzoom: 13, paint: { 'fill-color': p.house } },
      line('road', 'roads', p.road, ['interpolate', ['linear'], ['zoom'], 9, 0.5, 13, 1.6, 16, ['match', ['to-string', ['get', 'class']], ['expressway', 'national', 'provincial', 'trunk'], 8, ['county', 'secondary'], 6, ['township', 'street'], 5, 2.5]]),
      line('village', 'admin', p.village, zoomed(11, 0.4, 15, 1), { filter: rank('>=', 5), minzoom: 11 }),
      line('town', 'admin', p.town, zoomed(8, 0.6, 15, 1.6), { filter: rank('==', 4) }, [4, 2]),
      line('county', 'admin', p.county, zoomed(8, 1.2, 15, 2.4), { filter: rank('<=', 3) }, [7, 2, 1.5, 2]),
      line('grids', 'grids', p.grid, zoomed(11, 0.4, 15, 1), { minzoom: 11 }, [2, 2]),
      { id: 'grid-fill', type: 'fill', source: 'grid', paint: { 'fill-color': p.grid, 'fill-opacity': 0.06 } },
      { id: 'grid-line', type: 'line', source: 'grid', layout: { 'line-join': 'round' }, paint: { 'line-color': p.grid, 'line-width': 3 } },
      { id: 'routes-case', type: 'line', source: 'routes', layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': p.halo, 'line-width': 9 } },
      { id: 'routes', type: 'line', source: 'routes', layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': dark ? '#5CC294' : '#14693F', 'line-width': 5 } },
      label('road-name', 'roads', 13, p.muted, { minzoom: 13 }, { 'symbol-placement': 'line', 'symbol-spacing': 300 }),
      label('river-name', 'rivers', 13, dark ? '#8BC0EA' : '#3D6C8F', { minzoom: 11, filter: ['==', ['geometry-type'], 'LineString'] }, { 'symbol-placement': 'line' }),
      label('village-name', 'admin', 14, p.muted, { minzoom: 12, filter: rank('>=', 5) }),
      label('town-name', 'admin', 16, p.text, { minzoom: 9, maxzoom: 13, filter: rank('==', 4) }),
      label('place-name', 'key_places', 13, p.muted, { minzoom: 14 }),
      point('hazards'), point('dangers'), point('shelters'),
      { id: 'marks-fill', type: 'fill', source: 'marks', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': inkOf('dangers', dark), 'fill-opacity': 0.3 } },
      { id: 'marks-line', type: 'line', source: 'marks', filter: ['!=', ['geometry-type'], 'Point'], paint: { 'line-color': inkOf('dangers', dark), 'line-width': 4 } },
      { id: 'marks', type: 'symbol', source: 'marks', filter: ['==', ['geometry-type'], 'Point'], layout: { 'icon-image': ['get', 'image'], 'icon-allow-overlap': true, 'icon-size': ['case', ['==', ['get', 'chosen'], true], 1.3, 1], 'text-field': ['step', ['zoom'], '', 14, ['get', 'label']], 'text-font': font, 'text-size': 14, 'text-offset': [0, 1.3], 'text-anchor': 'top', 'text-optional': true }, paint: { 'text-color': p.text, 'text-halo-color': p.halo, 'text-halo-width': 1.8 } },
      { id: 'fix-area', type: 'fill', source: 'fix', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': p.grid, 'fill-opacity': 0.15, 'fill-outline-color': p.grid } },
      { id: 'fix-dot', type: 'circle', source: 'fix', filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': 8, 'circle-color': '#1F6FEB', 'circle-stroke-color': '#FFFFFF', 'circle-stroke-width': 3 } },
      { id: 'shape-fill', type: 'fill', source: 'shape', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': '#E8590C', 'fill-opacity': 0.28 } },
      { id: 'shape-case', type: 'line', source: 'shape', filter: ['!=', ['geometry-type'], 'Point'], paint: { 'line-color': '#FFFFFF', 'line-width': 7 } },
      { id: 'shape-line', type: 'line', source: 'shape', filter: ['!=', ['geometry-type'], 'Point'], paint: { 'line-color': '#D9480F', 'line-width': 4 } },
      { id: 'shape-point', type: 'circle', source: 'shape', filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': 9, 'circle-color': '#D9480F', 'circle-stroke-color': '#FFFFFF', 'circle-stroke-width': 3 } },
    ] as unknown as LayerSpecification[],
  }
}

/** around is the accuracy circle on the ground, and its middle. */
export function around(fix: Fix | null): GeoJSON.FeatureCollection {
  if (!fix) return NONE
  const ring: [number, number][] = []
  const dy = fix.accuracy_m / 111_320, dx = dy / Math.cos((fix.lat * Math.PI) / 180)
  for (let k = 0; k <= 48; k++) ring.push([fix.lon + dx * Math.cos((k * Math.PI) / 24), fix.lat + dy * Math.sin((k * Math.PI) / 24)])
  return { type: 'FeatureCollection', features: [
    { type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [ring] } },
    { type: 'Feature', properties: {}, geometry: { type: 'Point', coordinates: [fix.lon, fix.lat] } },
  ] }
}
