import type { LayerSetting } from '../map/compose.ts'
import type { Camera } from '../map/engine.ts'
import type { Lang, Theme } from './types.ts'

/** What an address can hold: any screen can be sent to a colleague. */
export interface Link {
  camera: Camera | null
  layers: { id: string; opacity: number; levels: number[] | null; kinds: string[] | null }[] | null
  selection: { layer: string; id: string } | null
  theme: Theme | null
  lang: Lang | null
  texture: boolean | null
  tab: 'layers' | 'list' | null
}

const finite = (text: string | undefined): number | null => {
  if (text === undefined || text === '') return null
  const n = Number(text)
  return Number.isFinite(n) ? n : null
}

/** A layer is written id[~opacity][!level.level][*kind.kind]; all of it safe in a query. */
export function writeLayer(id: string, s: Pick<LayerSetting, 'opacity' | 'levels' | 'kinds'>): string {
  let out = id
  if (s.opacity < 1) out += `~${Math.round(s.opacity * 100)}`
  if (s.levels) out += `!${s.levels.join('.')}`
  if (s.kinds) out += `*${s.kinds.map(encodeURIComponent).join('.')}`
  return out
}

export function readLayer(text: string): { id: string; opacity: number; levels: number[] | null; kinds: string[] | null } | null {
  const m = /^([a-z][a-z0-9_]{0,62})(?:~(\d{1,3}))?(?:!([\d.]*))?(?:\*(.*))?$/.exec(text)
  if (!m) return null
  const levels = m[3] === undefined ? null : m[3].split('.').filter(Boolean).map(Number)
  let kinds: string[] | null = null
  if (m[4] !== undefined) {
    try { kinds = m[4].split('.').filter(Boolean).map(decodeURIComponent) } catch { kinds = null }
  }
  return { id: m[1]!, opacity: m[2] === undefined ? 1 : Math.min(100, Number(m[2])) / 100, levels, kinds }
}

export function readLink(href: string): Link {
  const url = new URL(href)
  const q = url.searchParams
  const hash = new URLSearchParams(url.hash.replace(/^#/, ''))
  const [z, lat, lon] = (hash.get('map') ?? '').split('/')
  const zoom = finite(z), y = finite(lat), x = finite(lon)
  const camera = zoom !== null && y !== null && x !== null && Math.abs(y) <= 90 && Math.abs(x) <= 540
    ? { zoom: Math.min(22, Math.max(0, zoom)), lat: y, lon: x } : null
  const layers = q.get('layers')
  const sel = q.get('sel')
  const at = sel ? sel.indexOf(':') : -1
  const theme = q.get('theme')
  const lang = q.get('lang')
  const texture = q.get('texture')
  const tab = q.get('tab')
  return {
    camera,
    layers: layers === null ? null : layers.split(',').filter(Boolean).map(readLayer).filter((l) => l !== null),
    selection: sel && at > 0 ? { layer: sel.slice(0, at), id: sel.slice(at + 1) } : null,
    theme: theme === 'light' || theme === 'dark' ? theme : null,
    lang: lang === 'zh-CN' || lang === 'zh' ? 'zh-CN' : lang === 'en' ? 'en' : null,
    texture: texture === '1' ? true : texture === '0' ? false : null,
    tab: tab === 'list' || tab === 'layers' ? tab : null,
  }
}

export function writeCamera(c: Camera): string {
  const digits = c.zoom < 8 ? 3 : c.zoom < 13 ? 4 : 5
  return `map=${Math.round(c.zoom * 100) / 100}/${c.lat.toFixed(digits)}/${c.lon.toFixed(digits)}`
}

/** isDefault says whether a layer is as usual, so the address may be silent about it. */
export function isDefault(usual: LayerSetting, s: LayerSetting): boolean {
  return s.visible === usual.visible && (!s.visible || (s.opacity === usual.opacity && String(s.levels) === String(usual.levels) && String(s.kinds) === String(usual.kinds)))
}

export interface Written {
  camera: Camera | null
  /** null: as the catalogue has it */
  layers: string[] | null
  selection: { layer: string; id: string } | null
  theme: Theme | null
  lang: Lang | null
  texture: boolean
  tab: 'layers' | 'list'
}

/** writeLink keeps unknown parameters (e2e, frugal) and orders its own, so equal screens have equal addresses. */
export function writeLink(href: string, w: Written): string {
  const url = new URL(href)
  const keep = [...url.searchParams].filter(([k]) => !['layers', 'sel', 'theme', 'lang', 'texture', 'tab'].includes(k))
  const parts = keep.map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`)
  if (w.layers !== null) parts.push(`layers=${w.layers.join(',')}`)
  if (w.selection) parts.push(`sel=${encodeURIComponent(w.selection.layer)}:${encodeURIComponent(w.selection.id)}`)
  if (w.tab === 'list') parts.push('tab=list')
  if (w.texture) parts.push('texture=1')
  if (w.theme) parts.push(`theme=${w.theme}`)
  if (w.lang) parts.push(`lang=${w.lang}`)
  return `${url.origin}${url.pathname}${parts.length ? `?${parts.join('&')}` : ''}${w.camera ? `#${writeCamera(w.camera)}` : ''}`
}

/** parseCoordinate reads "118.25, 30.15", "30.15N 118.25E" or degrees, minutes, seconds. */
export function parseCoordinate(text: string): [lon: number, lat: number] | null {
  const t = text.trim().replace(/[,、;]/g, ',').replace(/[°度]/g, '°').replace(/[′'分]/g, "'").replace(/[″"秒]/g, '"').replace(/东经|北纬/g, (m) => (m === '东经' ? 'E' : 'N'))
  const part = /([NSEW])?\s*(-?\d{1,3}(?:\.\d+)?)\s*(?:°\s*(?:(\d{1,2}(?:\.\d+)?)\s*'\s*)?(?:(\d{1,2}(?:\.\d+)?)\s*"\s*)?)?([NSEW])?/gi
  const found: { value: number; axis: string }[] = []
  let rest = t
  for (const m of t.matchAll(part)) {
    const deg = Number(m[2]), min = Number(m[3] ?? 0), sec = Number(m[4] ?? 0)
    if (min >= 60 || sec >= 60) return null
    let value = Math.abs(deg) + min / 60 + sec / 3600
    if (deg < 0) value = -value
    const axis = (m[1] ?? m[5] ?? '').toUpperCase()
    if (axis === 'S' || axis === 'W') value = -value
    found.push({ value, axis: axis === 'S' ? 'N' : axis === 'W' ? 'E' : axis })
    rest = rest.replace(m[0], ' ')
  }
  if (found.length !== 2 || /[^\s,/]/.test(rest)) return null
  const [a, b] = found as [{ value: number; axis: string }, { value: number; axis: string }]
  if (!a.axis && !b.axis && !/[,\s]/.test(t)) return null
  // Bare pairs are lon, lat; where that cannot be, lat, lon.
  const swap = a.axis === 'N' || b.axis === 'E' || (!a.axis && !b.axis && Math.abs(b.value) > 90)
  const lon = swap ? b.value : a.value, lat = swap ? a.value : b.value
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? [lon, lat] : null
}
