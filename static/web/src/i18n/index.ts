import type { Lang } from '../lib/types.ts'
import { en } from './en.ts'
import { zh, type Dictionary, type Key } from './zh-CN.ts'

const dictionaries: Record<Lang, Dictionary> = { 'zh-CN': zh, en }

export type Params = Record<string, string | number>

/** translate fills {placeholders}; a missing parameter stays visible rather than vanishing. */
export function translate(lang: Lang, key: Key, params: Params = {}): string {
  return dictionaries[lang][key].replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole))
}

export { pickLanguage } from './pick.ts'
export type { Key, Dictionary }
