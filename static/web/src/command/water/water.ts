/** What gauges say, as the server answers, and how the page says it. */
export interface StationVillage { code: string; name: string; measure: string; value: number | null; prepare: number | null; evacuate: number | null; persons: number | null; state: 'normal' | 'prepare' | 'evacuate' | 'unknown' }
export interface Levels { warning: number | null; guarantee: number | null; flood_limit: number | null; blue: number | null; yellow: number | null; orange: number | null; red: number | null; source: string | null; etag: number }
export interface Station {
  id: string
  code: string | null
  name: string
  kind: string
  unit: string | null
  measure: string | null
  object: string | null
  operator: string | null
  position: [number, number] | null
  area_title: string | null
  exercise: boolean
  value: number | null
  last_value: number | null
  at: string | null
  state: 'normal' | 'warning' | 'no_data'
  silent_s: number | null
  sums: Record<string, number | null> | null
  partial: string[]
  class: string | null
  levels: Levels
  over: { what: string; level: number; by: number } | null
  trend: 'rising' | 'falling' | 'steady' | null
  threatened_persons: number
  dependent_persons: number
  villages: StationVillage[]
}
export interface Move extends StationVillage { stations: string[] }
export interface Picture { at: string; stations: Station[]; villages: Move[]; counts: Record<string, number>; persons: Record<string, number>; silent_after_s: number }
export interface Point { at: string; value: number | null; min?: number; max?: number }
export interface Series { station: Station; measure: string; step_s: number; from: string; to: string; points: Point[] }

/** A level drawn across a chart. */
export interface Line { value: number; name: 'warning' | 'guarantee' | 'flood_limit' | 'red' | 'orange' | 'yellow' | 'blue'; level: 1 | 2 | 3 | 4 }

export const isRain = (s: Station): boolean => s.kind === 'rain'
export const step = (s: Station, hours: number): string => (isRain(s) ? (hours > 72 ? '6h' : '1h') : hours > 24 ? '1h' : '10m')

/** The levels of a gauge that are about what its chart draws. Those of rain are of its own window, not of an hour. */
export function lines(s: Station): Line[] {
  if (isRain(s)) return []
  const l = s.levels
  const out: Line[] = []
  const add = (value: number | null, name: Line['name'], level: Line['level']) => { if (value !== null && !out.some((x) => x.value === value)) out.push({ value, name, level }) }
  add(l.flood_limit, 'flood_limit', 4)
  add(l.warning, 'warning', 3)
  add(l.guarantee, 'guarantee', 1)
  add(l.red, 'red', 1)
  add(l.orange, 'orange', 2)
  add(l.yellow, 'yellow', 3)
  add(l.blue, 'blue', 4)
  return out
}

export interface Scale { low: number; high: number; ticks: number[] }
/** nice is a scale with round numbers around what is drawn. */
export function nice(values: readonly number[], zero: boolean): Scale {
  let low = zero ? 0 : Math.min(...values)
  let high = Math.max(...values, zero ? 1 : -Infinity)
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { low: 0, high: 1, ticks: [0, 1] }
  if (high - low < 0.1) { const mid = (high + low) / 2; low = zero ? 0 : mid - 0.1; high = mid + 0.1 }
  const rough = (high - low) / 3
  const mag = 10 ** Math.floor(Math.log10(rough))
  const by = [1, 2, 2.5, 5, 10].map((k) => k * mag).find((k) => k >= rough) ?? rough
  const from = zero ? 0 : Math.floor(low / by) * by
  const to = Math.ceil(high / by) * by
  const ticks: number[] = []
  for (let v = from; v <= to + by / 2; v += by) ticks.push(Number(v.toFixed(6)))
  return { low: from, high: to, ticks }
}

/** runs are the stretches of a line between the gaps. */
export function runs(points: readonly Point[]): { at: number; value: number }[][] {
  const out: { at: number; value: number }[][] = []
  let open: { at: number; value: number }[] | null = null
  for (const p of points) {
    if (p.value === null) { open = null; continue }
    if (!open) { open = []; out.push(open) }
    open.push({ at: Date.parse(p.at), value: p.value })
  }
  return out
}

/** A level read every half hour leaves steps of ten minutes empty; only more than an hour without a word is a gap. */
export function bridged(points: readonly Point[], gapS = 3900): Point[] {
  const heard = points.filter((p) => p.value !== null)
  const out: Point[] = []
  for (const [i, p] of heard.entries()) {
    const before = heard[i - 1]
    if (before && Date.parse(p.at) - Date.parse(before.at) > gapS * 1000) out.push({ at: before.at, value: null })
    out.push(p)
  }
  return out
}

/** total of a chart of rain: tenths add up. */
export const total = (points: readonly Point[]): number | null => {
  const heard = points.filter((p) => p.value !== null)
  return heard.length === 0 ? null : Math.round(heard.reduce((n, p) => n + (p.value ?? 0) * 100, 0)) / 100
}
export const digits = (s: Station, v: number | null): string => (v === null ? '—' : isRain(s) ? String(Math.round(v * 10) / 10) : v.toFixed(2))
