import type { Dictionary, Words } from '../types.ts'
import type { IconName } from './icons.ts'

/** The nine pictures of 险情. The words and codes are the dictionary's; a code it does not know gets the last picture. */
const pictures: [RegExp, IconName][] = [
  [/滑坡|landslide/i, 'landslide'], [/泥石流|debris/i, 'mountain'], [/洪|涝|flood/i, 'waves-up'], [/房|倒塌|collapse|house/i, 'house'], [/道路|road/i, 'cone'],
  [/火|fire/i, 'flame'], [/危化|泄漏|chem|leak/i, 'flask'], [/被困|trapped/i, 'lifebuoy'],
]
export interface Kind { code: string; title: Words; icon: IconName }

export function urgentKinds(d: Dictionary | null): Kind[] {
  const list = d?.fields.find((f) => f.name === 'kind')?.code_list
  return ((list && d?.code_lists[list]) || []).map((c) => ({ ...c, icon: pictures.find(([re]) => re.test(c.title.zh) || re.test(c.code))?.[1] ?? 'siren' }))
}
