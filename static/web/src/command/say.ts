/** How the room says ages, times and codes; read in markup or effects, it follows the language. */
import { ago, dateTime } from '../lib/format.ts'
import { command } from './command.svelte.ts'

export const named = (list: string, code: string | null | undefined): string => (code ? command.list(list)?.items.find((i) => i.code === code)?.title ?? code : '')
export function age(at: string | number | null | undefined): string {
  if (at === null || at === undefined || at === '') return ''
  const a = ago(command.now - new Date(at).getTime())
  return command.t(a.key, { n: a.n })
}
/** lasting says for how long something is so: 2 小时, not 2 小时前. */
export function lasting(since: string | number): string {
  const a = ago(command.now - new Date(since).getTime())
  return command.t(a.key.replace('ago_', 'for_') as 'for_hours', { n: a.n })
}
export const when = (at: string | null | undefined): string => (at ? dateTime(at) : '')
export const joined = (list: readonly (string | null | undefined)[]): string => list.filter(Boolean).join(' · ')
export const lagText = (ms: number): string => (ms < 1000 ? command.t('ms', { n: Math.round(ms) }) : command.t('seconds', { n: Math.round(ms / 100) / 10 }))
/** The Roman numeral of a level of 应急响应, as the office writes it. */
export const roman = (level: number): string => ['', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'][level] ?? String(level)
