import type { LayerSpecification, Map as GLMap } from 'maplibre-gl'

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

/** The calls a change of style needs; tests count them. */
export type Target = Pick<GLMap, 'addLayer' | 'removeLayer' | 'moveLayer' | 'setFilter' | 'setPaintProperty' | 'setLayoutProperty' | 'setLayerZoomRange'>

/**
 * applyLayers brings the map from one composed style to the next with as few calls as
 * it takes. MapLibre's own setStyle({diff}) would also throw away the page's overlays.
 * `above` is the first overlay layer; everything composed lies under it.
 */
export function applyLayers(map: Target, before: readonly LayerSpecification[], after: readonly LayerSpecification[], above?: string): void {
  const old = new Map(before.map((l) => [l.id, l]))
  const kept = new Set(after.map((l) => l.id))
  for (const layer of before) if (!kept.has(layer.id)) map.removeLayer(layer.id)
  // From the top down, each is put under the one before: an unchanged order moves nothing.
  const current = before.map((l) => l.id).filter((id) => kept.has(id))
  let next = above
  let cursor = current.length - 1
  for (let i = after.length - 1; i >= 0; i--) {
    const layer = after[i]!
    const prior = old.get(layer.id)
    if (!prior || prior.type !== layer.type || !same(sourceOf(prior), sourceOf(layer))) {
      if (prior) {
        map.removeLayer(layer.id)
        const at = current.indexOf(layer.id)
        if (at >= 0) { current.splice(at, 1); if (at <= cursor) cursor-- }
      }
      map.addLayer(layer, next)
    } else {
      if (current[cursor] === layer.id) cursor--
      else {
        map.moveLayer(layer.id, next)
        const at = current.indexOf(layer.id)
        if (at >= 0) { current.splice(at, 1); if (at <= cursor) cursor-- }
      }
      update(map, prior, layer)
    }
    next = layer.id
  }
}

const sourceOf = (l: LayerSpecification): unknown => {
  const body = l as unknown as Record<string, unknown>
  return [body.source, body['source-layer']]
}

function update(map: Target, before: LayerSpecification, after: LayerSpecification): void {
  const a = before as unknown as Record<string, unknown>
  const b = after as unknown as Record<string, unknown>
  if (!same(a.filter, b.filter)) map.setFilter(after.id, (b.filter ?? null) as Parameters<GLMap['setFilter']>[1])
  if (!same([a.minzoom, a.maxzoom], [b.minzoom, b.maxzoom])) {
    map.setLayerZoomRange(after.id, (b.minzoom as number | undefined) ?? 0, (b.maxzoom as number | undefined) ?? 24)
  }
  diff(a.paint, b.paint, (key, value) => map.setPaintProperty(after.id, key, value))
  diff(a.layout, b.layout, (key, value) => map.setLayoutProperty(after.id, key as Parameters<GLMap['setLayoutProperty']>[1], value as never))
}

function diff(a: unknown, b: unknown, set: (key: string, value: unknown) => void): void {
  const x = (a ?? {}) as Record<string, unknown>
  const y = (b ?? {}) as Record<string, unknown>
  for (const key of Object.keys(x)) if (!(key in y)) set(key, undefined)
  for (const key of Object.keys(y)) if (!same(x[key], y[key])) set(key, y[key])
}
