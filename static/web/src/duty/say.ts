/** How the desk says ages, codes and places; read in effects, it follows the language. */
import { ago, dateTime } from '../lib/format.ts'
import { boundsOf } from '../lib/geometry.ts'
import { duty } from './duty.svelte.ts'
import type { Case, Geometry, Kind, LonLat, Words } from './types.ts'

export const said = (w: Words | null | undefined): string => (w ? (duty.lang === 'en' && w.en) || w.zh : '')
/** named is what a code is called; one nobody knows is shown as it is. */
export const named = (list: string, code: string | null | undefined): string => (code ? duty.list(list)?.items.find((i) => i.code === code)?.title ?? code : '')
/** called is what the thing is, without its kind, which stands beside it in the reader's language. */
export function called(c: Case, kinds: readonly Kind[]): string {
  const kind = kinds.find((k) => k.kind === c.kind)?.title
  return !kind ? c.title : c.title === kind.zh ? said(kind) : c.title.startsWith(`${kind.zh}:`) ? c.title.slice(kind.zh.length + 1) : c.title
}
export function age(at: string): string {
  const a = ago(duty.now - new Date(at).getTime())
  return duty.t(a.key, { n: a.n })
}
export const when = (at: string | null | undefined): string => (at ? dateTime(at) : '')
export const late = (at: string | null | undefined): boolean => Boolean(at && new Date(at).getTime() < duty.now)
export function centre(g: Geometry | null | undefined): LonLat | null {
  const b = boundsOf(g ?? null)
  return b ? [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2] : null
}
/** onMap is the address of a place on the one map. */
export const onMap = (at: LonLat): string => `/#map=16/${at[1].toFixed(5)}/${at[0].toFixed(5)}`
/** local writes a moment as the field of a form takes it; moment reads it back with its zone. */
export function local(at: string | null | undefined): string {
  return at ? dateTime(at).replace(' ', 'T') : ''
}
export const moment = (text: string): string | null => (text ? new Date(text).toISOString() : null)
export const joined = (list: readonly (string | null | undefined)[]): string => list.filter(Boolean).join(' · ')
