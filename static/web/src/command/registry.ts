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
  { id: 'warnings', file: 'Warnings', icon: 'alert', title: ['预警', 'Warnings'], needs: [], wide: true,
    badge: { topics: ['alerts'], path: '/api/alerts?limit=1', count: (b) => (b as { counts?: { active: number } }).counts?.active ?? 0 } },
  { id: 'impact', file: 'Impact', icon: 'crosshair', title: ['影响与路线', 'Impact and routes'], short: ['影响', 'Impact'], needs: [] },
  { id: 'calls', file: 'Calls', icon: 'smartphone', title: ['叫应与转移', 'Call-outs and evacuation'], short: ['叫应转移', 'Call-outs'], needs: ['work_desk'], wide: true,
    badge: { topics: ['callouts', 'calls', 'call_targets'], path: '/api/callouts?active=true', count: (b) => ((b as { callouts?: { targets: number; reached: number }[] }).callouts ?? []).reduce((n, c) => n + c.targets - c.reached, 0), urgent: true } },
  { id: 'response', file: 'Response', icon: 'list', title: ['应急响应与任务', 'Response and tasks'], short: ['响应任务', 'Response'], needs: [],
    badge: { topics: ['response', 'response_tasks'], path: '/api/response-tasks?late=true', count: (b) => ((b as { tasks?: { state: string }[] }).tasks ?? []).filter((x) => x.state !== 'done').length, urgent: true } },
  { id: 'papers', file: 'Papers', icon: 'book', title: ['文书与交接', 'Papers and handover'], short: ['文书', 'Papers'], needs: ['command_post', 'sign_papers'], wide: true,
    badge: { topics: ['papers'], path: '/api/papers?unsigned=true&limit=1', count: (b) => (b as { unsigned?: number }).unsigned ?? 0 } },
  { id: 'water', file: 'Water', icon: 'droplet', title: ['雨水情', 'Rain and water'], needs: [], wide: true },
  { id: 'alarms', file: 'Alarms', icon: 'bell', title: ['告警', 'Alarms'], needs: ['work_desk', 'command_post'], wide: true,
    badge: { topics: ['alarms'], path: '/api/alarms?state=open&limit=1', count: (b) => (b as { open?: number }).open ?? 0, urgent: true } },
  { id: 'replay', file: 'Replay', icon: 'clock', title: ['回看', 'As it was'], needs: ['work_desk'] },
  { id: 'relief', file: 'Relief', icon: 'home', title: ['避难与力量', 'Shelters and forces'], short: ['避难力量', 'Relief'], needs: [], wide: true },
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
