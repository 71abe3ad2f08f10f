import type { Component } from 'svelte'
import type { UIIcon } from '../lib/icons.ts'

/**
 * The pages of the command room; each is loaded when it is opened. To add one: a file
 * pages/<Name>.svelte and a line here. A page stands left of the map, or wide, with a
 * strip of the map beside it. It reads its own state from `command.place`, moves with
 * `command.go({ page: '<id>', … })`, and hears changes with `command.on(topic, …)`.
 */
export interface Page {
  id: string
  file: string
  icon: UIIcon
  title: readonly [zh: string, en: string]
  /** the short word in the rail, where the title is too long for it */
  short?: readonly [zh: string, en: string]
  /** any of these permissions opens it; none: everybody's */
  needs: readonly string[]
  /** wide pages are tables: they take most of the width */
  wide?: boolean
  /** how much waits there, read again when one of the topics speaks: 0 shows nothing */
  badge?: { topics: readonly string[]; path: string; count: (body: unknown) => number; urgent?: boolean }
}

type Body = Record<string, unknown>
const listed = (name: string) => (b: unknown): number => ((b as Body)[name] as unknown[] | undefined)?.length ?? 0

export const pages: readonly Page[] = [
  { id: 'incidents', file: 'Incidents', icon: 'megaphone', title: ['突发事件', 'Incidents'], short: ['事件', 'Incidents'], needs: [] },
  { id: 'impact', file: 'Impact', icon: 'crosshair', title: ['影响与路线', 'Impact and routes'], short: ['影响', 'Impact'], needs: [] },
  { id: 'calls', file: 'Calls', icon: 'smartphone', title: ['叫应与转移', 'Call-outs and evacuation'], short: ['叫应转移', 'Call-outs'], needs: ['work_desk'], wide: true,
    badge: { topics: ['callouts', 'calls', 'call_targets'], path: '/api/callouts?active=true', count: (b) => ((b as { callouts?: { targets: number; reached: number }[] }).callouts ?? []).reduce((n, c) => n + c.targets - c.reached, 0), urgent: true } },
]
void listed

const files = import.meta.glob<{ default: Component }>('./pages/*.svelte')

/** exists keeps a line whose file is not there yet out of the room. */
export const exists = (page: Page): boolean => `./pages/${page.file}.svelte` in files

export function load(page: Page): Promise<{ default: Component }> {
  const run = files[`./pages/${page.file}.svelte`]
  return run ? run() : Promise.reject(new Error(`no page ${page.file}`))
}

/**
 * Slots stand inside other parts: ImpactPanel (props: incident, alert or geometry) in the
 * detail of an incident, AlarmPanel (no props) below the header.
 */
const slots = import.meta.glob<{ default: Component<Record<string, unknown>> }>('./slots/*.svelte')
export function slot(name: 'ImpactPanel' | 'AlarmPanel' | 'ResponsePanel'): Promise<{ default: Component<Record<string, unknown>> }> | null {
  const run = slots[`./slots/${name}.svelte`]
  return run ? run() : null
}
