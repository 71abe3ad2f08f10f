import type { Core } from '../types.ts'
import { Phone } from './phone.ts'

let one: Core | null = null
/** createCore gives the one core of this page. */
export function createCore(): Core { return (one ??= new Phone()) }
