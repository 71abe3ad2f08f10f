import type { CodeList, Field, Lang } from './types.ts'

/** Numbers, dates and codes as the office writes them: 1,234; 12.3 km²; 2026-06-01 08:00. */
export function number(value: number, lang: Lang, digits = 3): string {
  return new Intl.NumberFormat(lang, { maximumFractionDigits: digits }).format(value)
}

const raised: Record<string, string> = { '-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹' }

/** tiny writes what rounding would turn into nothing, as the standards print it: 3×10⁻⁵. */
function tiny(value: number): string {
  const [digits, power = '0'] = value.toExponential(2).split('e')
  return `${Number(digits)}×10${[...power.replace('+', '')].map((c) => raised[c]).join('')}`
}

export function measure(value: number, unit: string | null, lang: Lang): string {
  const size = Math.abs(value)
  if (size > 0 && size < 0.001) return unit ? `${tiny(value)} ${unit}` : tiny(value)
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : 3
  const text = number(value, lang, Number.isInteger(value) ? 0 : digits)
  return unit ? `${text} ${unit}` : text
}

const pad = (n: number) => String(n).padStart(2, '0')

/** dateTime shows local time, so that two people in one office read the same. */
export function dateTime(value: string | number | Date, withSeconds = false): string {
  const d = new Date(value)
  if (Number.isNaN(d.getTime())) return String(value)
  const day = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`
  return `${day} ${pad(d.getHours())}:${pad(d.getMinutes())}${withSeconds ? `:${pad(d.getSeconds())}` : ''}`
}

export function clock(value: number): string {
  const d = new Date(value)
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`
}

/** distance rounds to what a person would say. */
export function distance(metres: number, lang: Lang): string {
  if (metres < 1000) return `${number(metres < 10 ? Math.round(metres * 10) / 10 : Math.round(metres), lang)} m`
  return `${number(metres / 1000, lang, metres < 10000 ? 2 : 1)} km`
}

export function area(squareMetres: number, lang: Lang): string {
  if (squareMetres < 10000) return `${number(Math.round(squareMetres), lang)} m²`
  if (squareMetres < 1e6) return `${number(squareMetres / 10000, lang, 2)} ${lang === 'en' ? 'ha' : '公顷'}`
  return `${number(squareMetres / 1e6, lang, 2)} km²`
}

export function coordinate(lon: number, lat: number, digits = 5): string {
  return `${lon.toFixed(digits)}, ${lat.toFixed(digits)}`
}

export interface Shown {
  text: string
  /** codes and identifiers are set in a monospaced face and can be copied */
  code: boolean
  /** numbers are set large among the key figures */
  figure: boolean
  value: string
  unit: string
}

const bare = (text: string, code = false): Shown => ({ text, code, figure: false, value: text, unit: '' })

/** codeTitle finds the words for a code; unknown codes are shown as they are, never hidden. */
export function codeTitle(list: CodeList | undefined, code: unknown): string | null {
  if (code === null || code === undefined) return null
  return list?.items.find((item) => item.code === String(code))?.title ?? null
}

/** show turns one field of the catalogue and its value into words. Null means: leave it out. */
export function show(field: Field, value: unknown, lists: Record<string, CodeList>, lang: Lang, yes: string, no: string): Shown | null {
  if (value === null || value === undefined || value === '') return null
  switch (field.type) {
    case 'integer':
    case 'number': {
      const n = typeof value === 'number' ? value : Number(value)
      if (!Number.isFinite(n)) return bare(String(value))
      const title = field.code_list ? codeTitle(lists[field.code_list], value) : null
      if (title) return bare(title)
      // 2017 is a year, not two thousand and seventeen of something.
      if (field.name === 'year' || field.name.endsWith('_year')) return bare(String(n))
      const text = measure(n, field.unit, lang)
      return { text, code: false, figure: true, value: measure(n, null, lang), unit: field.unit ?? '' }
    }
    case 'boolean':
      return bare(value === true || value === 'true' || value === 't' ? yes : no)
    case 'date':
      return bare(String(value).slice(0, 10))
    case 'datetime':
      return bare(dateTime(String(value)))
    case 'code': {
      const list = field.code_list ? lists[field.code_list] : undefined
      if (Array.isArray(value)) return bare(value.map((v) => codeTitle(list, v) ?? String(v)).join(lang === 'en' ? ', ' : '、'))
      const title = codeTitle(list, value)
      return title ? bare(title) : bare(String(value), true)
    }
    case 'uuid':
      return bare(String(value), true)
    case 'json':
      if (Array.isArray(value)) {
        if (value.length === 0) return null
        if (value.every((v) => typeof v !== 'object' || v === null)) return bare(value.join(lang === 'en' ? ', ' : '、'))
      } else if (typeof value === 'object' && Object.keys(value as object).length === 0) return null
      if (Array.isArray(value)) return bare(value.map((v) => entry(v, lang)).join(lang === 'en' ? '; ' : '；'))
      return bare(typeof value === 'string' ? value : JSON.stringify(value), true)
    default: {
      if (field.name === 'hazards_served' && typeof value === 'string') {
        return bare(value.split(',').map((v) => codeTitle(lists.hazard, v.trim()) ?? v).join(lang === 'en' ? ', ' : '、'))
      }
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
      return bare(text, field.name === 'code' || field.name.endsWith('_code') || field.name.endsWith('_no'))
    }
  }
}

/** entry is one line of a list inside a record, such as a substance with its quantities. */
function entry(value: unknown, lang: Lang): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value as Record<string, unknown>).filter(([, v]) => v !== null && v !== '')
    .map(([k, v]) => (k === 'substance' || k === 'name' ? String(v) : `${k} ${typeof v === 'number' ? measure(v, null, lang) : String(v)}`)).join(' ')
}

/** ago says how old something is, in one unit. */
export function ago(ms: number): { key: 'ago_seconds' | 'ago_minutes' | 'ago_hours' | 'ago_days'; n: number } {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 90) return { key: 'ago_seconds', n: s }
  if (s < 5400) return { key: 'ago_minutes', n: Math.round(s / 60) }
  if (s < 129600) return { key: 'ago_hours', n: Math.round(s / 3600) }
  return { key: 'ago_days', n: Math.round(s / 86400) }
}
