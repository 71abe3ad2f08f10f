import type { LayerSpecification, SourceSpecification } from 'maplibre-gl'
import type { Theme } from '../lib/types.ts'
import { CLUSTERS, LABELS, POINTS, SELECTION } from './compose.ts'

/** What the page itself draws over the data: clusters, hover, selection. */
export const EMPTY: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }

export const overlaySources = (): Record<string, SourceSpecification> => ({
  [LABELS]: { type: 'geojson', data: EMPTY },
  [CLUSTERS]: { type: 'geojson', data: EMPTY },
  [POINTS]: { type: 'geojson', data: EMPTY },
  [SELECTION]: { type: 'geojson', data: EMPTY },
})

const colours = {
  light: { accent: '#1F6FEB', casing: '#FFFFFF', disc: '#FFFFFF', ink: '#1D2126', shadow: 'rgba(24,32,42,0.5)' },
  dark: { accent: '#5A9BFF', casing: '#FFFFFF', disc: '#0F1C2B', ink: '#E6EDF3', shadow: 'rgba(0,0,0,0.8)' },
} as const

export const FIRST_OVERLAY = 'om-cluster-shadow'
export const CLUSTER_DISC = 'om-cluster-disc'

export function overlayLayers(theme: Theme): LayerSpecification[] {
  const c = colours[theme]
  const fonts = ['PingFang SC', 'Noto Sans CJK SC', 'Microsoft YaHei', 'sans-serif']
  return [
    {
      id: FIRST_OVERLAY, type: 'circle', source: CLUSTERS,
      paint: { 'circle-radius': ['+', ['get', 'radius'], 1.2], 'circle-color': c.shadow, 'circle-blur': 0.08 },
    },
    {
      id: CLUSTER_DISC, type: 'circle', source: CLUSTERS,
      paint: {
        'circle-radius': ['-', ['get', 'radius'], 3], 'circle-color': c.disc,
        'circle-stroke-width': 3, 'circle-stroke-color': ['get', 'color'],
      },
    },
    {
      id: 'om-cluster-count', type: 'symbol', source: CLUSTERS,
      layout: {
        'text-field': ['to-string', ['get', 'label']], 'text-font': fonts, 'text-size': 12, 'text-allow-overlap': true, 'text-padding': 8,
      },
      paint: { 'text-color': c.ink, 'text-halo-color': c.ink, 'text-halo-width': 0.25 },
    },
    {
      id: 'om-cluster-badge-base', type: 'symbol', source: CLUSTERS,
      layout: { 'icon-image': ['concat', 's-', ['get', 'shape']], 'icon-size': 0.5, 'icon-allow-overlap': true, 'icon-ignore-placement': true, 'icon-offset': ['get', 'offset'] },
      paint: { 'icon-color': '#FFFFFF', 'icon-halo-color': c.shadow, 'icon-halo-width': 0.8, 'icon-halo-blur': 0.5 },
    },
    {
      id: 'om-cluster-badge', type: 'symbol', source: CLUSTERS,
      layout: { 'icon-image': ['concat', 'f-', ['get', 'shape']], 'icon-size': 0.5, 'icon-allow-overlap': true, 'icon-ignore-placement': true, 'icon-offset': ['get', 'offset'] },
      paint: { 'icon-color': ['get', 'tint'] },
    },
    {
      id: 'om-selection-fill', type: 'fill', source: SELECTION, filter: ['==', ['geometry-type'], 'Polygon'],
      paint: { 'fill-color': c.accent, 'fill-opacity': 0.1 },
    },
    {
      id: 'om-selection-casing', type: 'line', source: SELECTION, filter: ['!=', ['geometry-type'], 'Point'],
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': c.casing, 'line-width': 6, 'line-opacity': 0.9 },
    },
    {
      id: 'om-selection-line', type: 'line', source: SELECTION, filter: ['!=', ['geometry-type'], 'Point'],
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': c.accent, 'line-width': 2.5 },
    },
    {
      id: 'om-selection-ring-casing', type: 'circle', source: SELECTION, filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 8, 11, 13, 16, 16, 20], 'circle-color': c.accent, 'circle-opacity': 0.12,
        'circle-stroke-color': c.casing, 'circle-stroke-width': 5, 'circle-stroke-opacity': 0.9,
      },
    },
    {
      id: 'om-selection-ring', type: 'circle', source: SELECTION, filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 8, 12, 13, 17, 16, 21], 'circle-color': 'rgba(0,0,0,0)',
        'circle-stroke-color': c.accent, 'circle-stroke-width': 2.5,
      },
    },
  ]
}
