import type { LayerSpecification, Map as GLMap, StyleSpecification } from 'maplibre-gl'
import { middle } from '../../map/labels.ts'
import maplibregl from '../../map/maplibre.ts'
import { addTextures, NAMES, ZONES } from '../editor/paint.ts'
import { session } from '../session.svelte.ts'
import type { Stage } from '../stage.ts'
import type { ZoneFeature } from '../types.ts'

/**
 * A Swipe lays another version over the map, cut off at a curtain: a second map that
 * follows the first and takes no clicks. There are two graphics contexts while it is open
 * and one again when it is gone.
 */
export class Swipe {
  private readonly box: HTMLElement
  private readonly curtain: HTMLElement
  private readonly other: GLMap
  private readonly follow: () => void

  constructor(private readonly stage: Stage, zones: readonly ZoneFeature[], words: { before: string; after: string }, private readonly moved: (share: number) => void) {
    const host = stage.map.getContainer()
    this.box = document.createElement('div')
    this.box.setAttribute('aria-hidden', 'true')
    Object.assign(this.box.style, { position: 'absolute', inset: '0', zIndex: '1', pointerEvents: 'none' })
    this.curtain = document.createElement('div')
    this.curtain.className = 'swipe-curtain'
    this.curtain.setAttribute('aria-hidden', 'true')
    for (const [side, text] of Object.entries(words)) { const s = document.createElement('span'); s.className = side; s.textContent = text; this.curtain.append(s) }
    this.curtain.append(document.createElement('i'))
    host.append(this.box, this.curtain)
    const c = stage.map.getCenter()
    this.other = new maplibregl.Map({
      container: this.box, style: past(stage.map.getStyle(), zones), center: c, zoom: stage.map.getZoom(), interactive: false, attributionControl: false, fadeDuration: 0, refreshExpiredTiles: false,
      pixelRatio: stage.map.getPixelRatio(), localIdeographFontFamily: "'PingFang SC','Noto Sans CJK SC','Microsoft YaHei',sans-serif", canvasContextAttributes: { powerPreference: 'default' },
    })
    this.other.on('styledata', () => addTextures(this.other, session.theme))
    this.other.on('idle', () => { this.box.dataset.idle = '1' })
    this.follow = () => { this.other.jumpTo({ center: stage.map.getCenter(), zoom: stage.map.getZoom() }) }
    stage.map.on('move', this.follow)
    this.curtain.addEventListener('pointerdown', (e) => {
      e.preventDefault()
      e.stopPropagation()
      this.curtain.setPointerCapture(e.pointerId)
      const drag = (m: PointerEvent) => { const r = host.getBoundingClientRect(); this.moved(Math.min(1, Math.max(0, (m.clientX - r.left) / r.width))) }
      this.curtain.addEventListener('pointermove', drag)
      this.curtain.addEventListener('pointerup', () => this.curtain.removeEventListener('pointermove', drag), { once: true })
    })
    this.at(0.5)
  }

  /** at puts the curtain; the share is of the map's width, and the other version lies left of it. */
  at(share: number): void {
    this.box.style.clipPath = `inset(0 ${(1 - share) * 100}% 0 0)`
    this.curtain.style.left = `${share * 100}%`
  }

  remove(): void {
    this.stage.map.off('move', this.follow)
    this.other.remove()
    this.box.remove()
    this.curtain.remove()
  }
}

const collection = (features: GeoJSON.Feature[]): GeoJSON.FeatureCollection => ({ type: 'FeatureCollection', features })

/** past is the style of the map with the zones of another version, and nothing of what is being done to this one. */
export function past(style: StyleSpecification, zones: readonly ZoneFeature[]): StyleSpecification {
  const ours = (id: string) => /^(pl|pg|om)-/.test(id) && id !== ZONES && id !== NAMES
  const shapes = zones.map((f): GeoJSON.Feature => ({ type: 'Feature', geometry: f.geometry, properties: { zone: f.properties.zone, ...(f.properties.level === null ? {} : { level: f.properties.level }) } }))
  const names = zones.flatMap((f): GeoJSON.Feature[] => {
    const part = f.geometry.coordinates.reduce((a, b) => ((b[0]?.length ?? 0) > (a[0]?.length ?? 0) ? b : a))
    const at = part ? middle(part) : null
    const label = f.properties.name || f.properties.code || ''
    return at ? [{ type: 'Feature', geometry: { type: 'Point', coordinates: at }, properties: { zone: f.properties.zone, label, mark: session.step(f.properties.level)?.mark ?? '', rank: f.properties.level ?? 9 } }] : []
  })
  const sources = Object.fromEntries(Object.entries(style.sources).filter(([id]) => !ours(id)).map(([id, s]) => [id, id === ZONES ? { ...s, data: collection(shapes) } : id === NAMES ? { ...s, data: collection(names) } : s])) as StyleSpecification['sources']
  const layers = style.layers.filter((l) => { const source = (l as LayerSpecification & { source?: string }).source; return !source || source in sources })
  return { ...style, sources, layers }
}
