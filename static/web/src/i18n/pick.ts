import type { Lang } from '../lib/types.ts'

/** pickLanguage: the address wins, then the last choice, then the browser's own list. */
export function pickLanguage(asked: string | null, stored: string | null, browser: readonly string[]): Lang {
  for (const wish of [asked, stored, ...browser]) {
    if (!wish) continue
    const tag = wish.toLowerCase()
    if (tag.startsWith('zh')) return 'zh-CN'
    if (tag.startsWith('en')) return 'en'
  }
  return 'zh-CN'
}
