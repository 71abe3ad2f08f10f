import { isContext } from '../map/compose.ts'
import type { Click } from '../map/engine.ts'
import { getItem, identify, Problem } from './api.ts'
import { boundsOf } from './geometry.ts'
import { Settings } from './settings.svelte.ts'
import type { Box, Found, Hit } from './types.ts'

/** Asking is everything that ends in the right panel: clicks, links, the list, the search. */
export class Asking extends Settings {
  private asked: AbortController | null = null

  /** Most severe first, then the order of the panel; the ground under everything comes last, smallest unit first. */
  private sort(hits: Hit[]): Hit[] {
    const rank = new Map(this.order.map((id, i) => [id, i]))
    const depth = (h: Hit) => (h.layer === 'admin' ? -Number(h.properties.rank ?? 0) : h.level ?? 99)
    return hits.filter((h) => this.layer(h.layer)).sort((a, b) =>
      Number(isContext(a.layer)) - Number(isContext(b.layer)) || (rank.get(a.layer) ?? 99) - (rank.get(b.layer) ?? 99) || depth(a) - depth(b) || a.distance_m - b.distance_m)
  }

  async ask(at: Click): Promise<void> {
    const zoom = this.camera?.zoom ?? 0
    const layers = this.visibleLayers.filter((id) => zoom >= (this.layer(id)?.min_zoom ?? 0) - 0.01)
    this.nothing = null
    if (layers.length === 0) { this.nothing = { x: at.x, y: at.y }; return }
    this.asked?.abort()
    const abort = new AbortController()
    this.asked = abort
    this.asking = true
    this.askFailed = ''
    try {
      const hits = this.sort(this.shownOnly(await identify({ ...at, layers }, this.lang, abort.signal)))
      if (abort.signal.aborted) return
      this.hits = hits
      if (hits.length === 0) {
        this.select(null)
        this.nothing = { x: at.x, y: at.y }
        this.say(this.t('detail_nothing'))
      } else if (hits.length === 1) {
        this.select(hits[0]!)
      } else {
        // A symbol under the finger is meant before the area around it.
        const meant = at.meant ? hits.find((h) => h.layer === at.meant!.layer && h.fid === at.meant!.fid) : undefined
        const marked = hits.filter((h) => this.legend[h.layer]?.geometry === 'point')
        const ground = hits.every((h) => isContext(h.layer))
        this.select(meant ?? (marked.length === 1 ? marked[0]! : ground ? hits[0]! : null), hits.length)
        this.say(this.t('say_hits', { n: hits.length }))
      }
    } catch (error) {
      if (abort.signal.aborted) return
      this.hits = []
      this.askFailed = this.explain(error)
    } finally {
      if (this.asked === abort) this.asking = false
    }
  }

  /** shownOnly leaves out what a level or kind filter hides: a click finds what is seen. */
  private shownOnly(hits: Hit[]): Hit[] {
    return hits.filter((h) => {
      const layer = this.layer(h.layer)
      const s = this.settings[h.layer]
      if (!layer || !s) return false
      const level = layer.level_field ? h.properties[layer.level_field] : undefined
      if (s.levels && level !== undefined && level !== null && !s.levels.includes(Number(level))) return false
      if (s.kinds && layer.kind_field && !s.kinds.includes(String(h.properties[layer.kind_field] ?? ''))) return false
      // Being near an area is not being in it; only what is drawn as a symbol or a line may be missed by a little.
      const area = h.geometry?.type === 'Polygon' || h.geometry?.type === 'MultiPolygon'
      return !(area && h.distance_m > 0 && this.legend[h.layer]?.geometry !== 'point')
    }).filter((h, _, all) => {
      // From afar a click means what stands on the ground, not every lane under the finger.
      const line = h.layer === 'roads' || h.layer === 'rivers' || h.layer === 'buildings'
      return !line || (this.camera?.zoom ?? 0) >= 13 || all.every((other) => isContext(other.layer))
    })
  }

  select(hit: Hit | null, others = 0): void {
    this.selected = hit
    this.nothing = null
    this.engine?.select(hit?.geometry ?? null)
    if (hit) {
      this.sheet = this.phone ? 'half' : this.sheet
      this.say(this.t('say_selected', { layer: this.layer(hit.layer)?.title ?? hit.layer, name: this.titleOf(hit) }))
    } else if (others > 0 && this.phone) this.sheet = 'half'
    this.writeAddress()
  }

  closeDetail(): void {
    if (!this.selected && this.hits.length === 0 && !this.askFailed) return
    this.asked?.abort()
    this.asking = false
    this.hits = []
    this.askFailed = ''
    this.select(null)
    if (this.phone) this.sheet = 'low'
    this.say(this.t('say_closed'))
  }

  titleOf(hit: { title: string | null; layer: string; properties: Record<string, unknown> }): string {
    const layer = this.layer(hit.layer)
    const own = hit.title || (layer?.label_field ? hit.properties[layer.label_field] : null) || hit.properties.name || hit.properties.title
    if (own) return String(own)
    const code = hit.properties.code
    return code ? `${layer?.title ?? hit.layer} ${String(code)}` : layer?.title ?? this.t('list_unnamed')
  }

  /** open shows one feature by its identifier: from a link, the list or the search. */
  async open(layerId: string, id: string, fly: boolean, zoom?: number): Promise<void> {
    const layer = this.layer(layerId)
    if (!layer) { this.tell(this.t('detail_gone'), 'error'); return }
    const setting = this.settings[layerId]
    if (setting && !setting.visible) { setting.visible = true; this.changed() }
    this.asked?.abort()
    const abort = new AbortController()
    this.asked = abort
    this.asking = true
    this.askFailed = ''
    try {
      const item = await getItem(layerId, id, this.lang, abort.signal)
      if (abort.signal.aborted) return
      const properties = item.properties ?? {}
      const hit: Hit = {
        layer: layerId, fid: item.fid ?? (typeof properties.fid === 'number' ? properties.fid : null), id: String(item.id ?? id), title: null,
        level: layer.level_field ? Number(properties[layer.level_field] ?? 0) || null : null,
        properties, geometry: item.geometry ?? null, distance_m: 0,
      }
      this.hits = [hit]
      this.select(hit)
      if (fly) this.engine?.fly({ box: boundsOf(hit.geometry), zoom: zoom ?? Math.max(15, layer.min_zoom + 1) }, this.rightInset)
    } catch (error) {
      if (abort.signal.aborted) return
      if (error instanceof Problem && error.status === 404) this.tell(this.t('detail_gone'), 'error')
      else this.askFailed = this.explain(error)
    } finally {
      if (this.asked === abort) this.asking = false
    }
  }

  get rightInset(): number { return this.phone ? 0 : 400 }

  /** locate flies to a listed feature and asks for it where it lies. */
  async locate(at: { layer: string; fid: number; lon: number; lat: number; title: string }): Promise<void> {
    const layer = this.layer(at.layer)
    this.engine?.fly({ point: [at.lon, at.lat], zoom: Math.max(this.camera?.zoom ?? 0, layer?.geometry === 'point' ? 14.5 : 13) }, this.rightInset)
    this.asked?.abort()
    const abort = new AbortController()
    this.asked = abort
    this.asking = true
    try {
      const hits = await identify({ lon: at.lon, lat: at.lat, radius: 60, layers: [at.layer] }, this.lang, abort.signal)
      if (abort.signal.aborted) return
      const hit = hits.find((h) => h.fid === at.fid) ?? hits[0]
      if (hit) { this.hits = [hit]; this.select(hit) }
      else this.tell(this.t('detail_gone'), 'error')
    } catch (error) {
      if (!abort.signal.aborted) this.askFailed = this.explain(error)
    } finally {
      if (this.asked === abort) this.asking = false
    }
    this.say(this.t('say_moved', { name: at.title || this.t('list_unnamed') }))
  }

  async goto(found: Found): Promise<void> {
    if (found.layer && found.id && this.layer(found.layer)) {
      await this.open(found.layer, found.id, false)
      const layer = this.layer(found.layer)
      this.engine?.fly({ box: found.bounds, point: found.center, zoom: Math.max(15, (layer?.min_zoom ?? 0) + 1) }, this.rightInset)
    } else {
      this.engine?.fly({ box: found.bounds, point: found.center, zoom: 15 })
      if (found.center) this.engine?.select({ type: 'Point', coordinates: found.center })
    }
    this.say(this.t('say_moved', { name: found.title }))
  }

  home(): void {
    const box = this.catalogue?.home?.bounds ?? this.dataBounds
    if (box) this.engine?.fly({ box, zoom: 22 })
  }

  get dataBounds(): Box | null {
    let out: Box | null = null
    for (const l of this.catalogue?.layers ?? []) {
      if (!l.bounds || !this.settings[l.id]?.visible) continue
      out = out ? [Math.min(out[0], l.bounds[0]), Math.min(out[1], l.bounds[1]), Math.max(out[2], l.bounds[2]), Math.max(out[3], l.bounds[3])] : l.bounds
    }
    return out
  }
}
