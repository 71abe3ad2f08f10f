import type { Core } from '../types.ts'
import { Phone } from './phone.ts'

let one: Phone | null = null
/** createCore gives the one core of this page. */
export function createCore(): Core {
  if (!one) {
    one = new Phone()
    if (/[?&]e2e=1/.test(location.search)) (window as unknown as Record<string, unknown>).__core = one
  }
  return one
}
