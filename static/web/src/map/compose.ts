import type { FilterSpecification, LayerSpecification, SourceSpecification, StyleSpecification } from 'maplibre-gl'
import type { Catalogue, Layer, LegendEntry } from '../lib/types.ts'
import { CLUSTER_BELOW } from './clusters.ts'

/** What a person has set for one layer. Null lists mean: everything. */
export interface LayerSetting {
  visible: boolean
  opacity: number
  levels: number[] | null
  kinds: string[] | null
  /** what belongs to an exercise is left out */
  real?: boolean
}

export interface View {
  settings: Record<string, LayerSetting>
  order: readonly string[]
  textures: boolean
  frugal: boolean
}

export interface Tag { layer: string; part: string; slot: number }

export function tagOf(layer: LayerSpecification): Tag | null {
  const meta = layer.metadata as Record<string, unknown> | undefined
  if (!meta || typeof meta['onemap:layer'] !== 'string') return null
  return { layer: meta['onemap:layer'], part: String(meta['onemap:part'] ?? ''), slot: Number(meta['onemap:slot'] ?? 0) }
}

const slotOf = (layer: LayerSpecification): number => Number((layer.metadata as Record<string, unknown> | undefined)?.['onemap:slot'] ?? 0)

/** The places of area labels are found in the page: see labels.ts. */
export const LABELS = 'om-labels'
export const CLUSTERS = 'om-clusters'
/** Points from afar: those the page did not gather into clusters. */
export const POINTS = 'om-points'
export const SELECTION = 'om-selection'

const OPACITY: Record<string, readonly string[]> = {
  fill: ['fill-opacity'],
  line: ['line-opacity'],
  symbol: ['icon-opacity', 'text-opacity'],
  circle: ['circle-opacity', 'circle-stroke-opacity'],
}

/** userFilter keeps the levels and kinds a person ticked. A feature without a level stays. */
export function userFilter(layer: Layer, setting: LayerSetting): FilterSpecification | null {
  const parts: unknown[] = []
  if (setting.levels && layer.level_field) {
    parts.push(['any', ['!', ['has', layer.level_field]], ['in', ['to-number', ['get', layer.level_field], -1], ['literal', setting.levels]]])
  }
  if (setting.kinds && layer.kind_field) {
    parts.push(['in', ['to-string', ['get', layer.kind_field]], ['literal', setting.kinds]])
  }
  if (setting.real) parts.push(['!=', ['to-string', ['get', 'exercise']], 'true'])
  if (parts.length === 0) return null
  return (parts.length === 1 ? parts[0] : ['all', ...parts]) as FilterSpecification
}

export function both(a: FilterSpecification | null | undefined, b: FilterSpecification | null | undefined): FilterSpecification | undefined {
  if (!a) return b ?? undefined
  if (!b) return a
  return ['all', a, b] as FilterSpecification
}

const aboutGeometry = (f: unknown): boolean => Array.isArray(f) && Array.isArray(f[1]) && f[1][0] === 'geometry-type'

function withoutGeometry(filter: FilterSpecification | undefined): FilterSpecification | undefined {
  return aboutGeometry(filter) ? undefined : filter
}

/** fade multiplies an opacity. An expression of the zoom must stay outermost, so its stops are faded. */
export function fade(value: unknown, by: number): unknown {
  if (value === undefined) return by
  if (typeof value === 'number') return value * by
  if (Array.isArray(value) && value[0] === 'interpolate') return value.map((v, i) => (i >= 4 && i % 2 === 0 ? fade(v, by) : v))
  return ['*', by, value]
}

/** isContext layers are the ground of the map: they are counted but not listed. */
const CONTEXT = new Set(['buildings', 'roads', 'rivers', 'lifelines', 'grids', 'admin', 'population', 'vulnerable'])
export const isContext = (id: string): boolean => CONTEXT.has(id)

/**
 * compose applies what a person set to the server's style. It is pure: the same state
 * gives the same layers, so the map can be rebuilt at any time (a lost graphics context,
 * a new theme) and there is no second truth inside the map.
 */
export function compose(base: StyleSpecification, catalogue: Catalogue, view: View): LayerSpecification[] {
  const layers = new Map(catalogue.layers.map((l) => [l.id, l]))
  const rank = new Map(view.order.map((id, i) => [id, view.order.length - i]))
  const indexed = base.layers.map((body, i) => ({ body, i, tag: tagOf(body) }))
  indexed.sort((a, b) => {
    const slot = slotOf(a.body) - slotOf(b.body)
    if (slot !== 0) return slot
    // Within a slot the panel's order decides; boundaries' labels stay above others'.
    if (a.tag && b.tag && a.tag.layer !== b.tag.layer) {
      const order = (rank.get(a.tag.layer) ?? 0) - (rank.get(b.tag.layer) ?? 0)
      if (order !== 0) return order
    }
    return a.i - b.i
  })
  const legend = legendOf(base)
  const out: LayerSpecification[] = []
  for (const { body, tag } of indexed) {
    if (!tag) { out.push(body); continue }
    const layer = layers.get(tag.layer)
    const setting = view.settings[tag.layer]
    if (!layer || !setting) continue
    const copy = { ...body, layout: { ...body.layout }, paint: { ...body.paint } } as LayerSpecification & { filter?: FilterSpecification }
    let visible = setting.visible
    if (tag.part === 'texture' && !view.textures) visible = false
    if (view.frugal && (tag.part === 'glyph' || tag.part === 'casing')) visible = false
    ;(copy.layout as Record<string, unknown>).visibility = visible ? 'visible' : 'none'
    const filter = both((body as { filter?: FilterSpecification }).filter, userFilter(layer, setting))
    if (filter) copy.filter = filter
    if (tag.part.startsWith('area-label')) {
      const moved = copy as unknown as Record<string, unknown>
      moved.source = LABELS
      delete moved['source-layer']
      // The places are points, whatever the areas are.
      moved.filter = both(['==', ['get', 'om:layer'], tag.layer], both(withoutGeometry((body as { filter?: FilterSpecification }).filter), userFilter(layer, setting)))
    }
    if (setting.opacity < 1) {
      for (const key of OPACITY[copy.type] ?? []) {
        const paint = copy.paint as Record<string, unknown>
        const before = paint[key]
        if (key === 'text-opacity' && !(copy.layout as Record<string, unknown>)['text-field']) continue
        if (key === 'icon-opacity' && !(copy.layout as Record<string, unknown>)['icon-image']) continue
        paint[key] = fade(before, setting.opacity)
      }
    }
    if (legend[tag.layer]?.geometry === 'point' && (copy.minzoom ?? 0) < CLUSTER_BELOW && tag.part !== 'fill' && tag.part !== 'outline' && copy.type === 'symbol') {
      out.push(...fromAfar(copy, tag))
      continue
    }
    out.push(copy)
  }
  return out
}

/**
 * fromAfar splits a layer of symbols in two. Near by it draws its tiles; below that zoom
 * it draws what the page found in those tiles and did not gather into clusters. So
 * thousands of points never are laid out only to be hidden. The third, empty layer keeps
 * the tiles coming.
 */
function fromAfar(near: LayerSpecification & { filter?: FilterSpecification }, tag: Tag): LayerSpecification[] {
  const far = { ...near, id: `${near.id}@far`, source: POINTS, maxzoom: CLUSTER_BELOW, filter: both(['==', ['get', 'om:layer'], tag.layer], withoutGeometry(near.filter)) } as unknown as Record<string, unknown>
  delete far['source-layer']
  const out = [far as unknown as LayerSpecification, { ...near, minzoom: CLUSTER_BELOW } as LayerSpecification]
  if (tag.part === 'base') {
    out.unshift({
      id: `${tag.layer}/tiles`, type: 'circle', source: tag.layer, 'source-layer': tag.layer, minzoom: near.minzoom ?? 0, maxzoom: CLUSTER_BELOW, filter: false,
      layout: { visibility: near.layout?.visibility ?? 'visible' }, metadata: { ...(near.metadata as object), 'onemap:part': 'tiles' },
    } as unknown as LayerSpecification)
  }
  return out
}

/** absolute makes the addresses of a style usable in a worker, which has no page to be relative to. */
export function absolute(base: StyleSpecification, origin: string): StyleSpecification {
  const full = (path: string) => (path.startsWith('/') ? origin + path : path)
  const sources: Record<string, SourceSpecification> = {}
  for (const [id, source] of Object.entries(base.sources)) {
    const copy = { ...source } as SourceSpecification & { tiles?: string[]; url?: string }
    if (copy.tiles) copy.tiles = copy.tiles.map(full)
    if (copy.url) copy.url = full(copy.url)
    sources[id] = copy
  }
  const sprite = typeof base.sprite === 'string' ? full(base.sprite) : base.sprite
  return { ...base, sources, sprite }
}

export function legendOf(base: StyleSpecification): Record<string, LegendEntry> {
  return ((base.metadata as Record<string, unknown> | undefined)?.['onemap:legend'] ?? {}) as Record<string, LegendEntry>
}

/** countable names, for every layer, the one drawn part that is seen when the feature is. */
export function countable(layers: readonly LayerSpecification[]): Map<string, string> {
  const order = ['base', 'fill', 'hit', 'line', 'outline', 'county']
  const best = new Map<string, { id: string; rank: number }[]>()
  for (const layer of layers) {
    const tag = tagOf(layer)
    if (!tag || (layer.layout as { visibility?: string } | undefined)?.visibility === 'none') continue
    const at = order.indexOf(tag.part)
    if (at < 0) continue
    const list = best.get(tag.layer) ?? []
    list.push({ id: layer.id, rank: at })
    best.set(tag.layer, list)
  }
  const out = new Map<string, string>()
  for (const [layer, list] of best) {
    list.sort((a, b) => a.rank - b.rank)
    for (const item of list) out.set(item.id, layer)
  }
  return out
}
