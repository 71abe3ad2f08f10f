import type { Component } from 'svelte'
import type { Plan } from './types.ts'

/**
 * The pages beside the editor, each loaded when it is opened. `file` is a Svelte component
 * of src/plan/pages whose only prop is `plan` (null where no plan is open); everything
 * else it takes from session. A 'page' fills the room under the header; a 'panel' stands
 * right of the map, 400 px wide, and brings a scrolling column of its own parts.
 */
export interface PageProps { plan: Plan | null }
export interface Page { id: string; file: string; where: 'page' | 'panel' }

export const pages: readonly Page[] = [
  { id: 'list', file: 'List', where: 'page' }, // /plan
  { id: 'new', file: 'Create', where: 'page' }, // /plan?tab=new
  { id: 'import', file: 'Import', where: 'page' }, // /plan?tab=import
  { id: 'compute', file: 'Compute', where: 'page' }, // /plan?id=…&tab=compute
  { id: 'info', file: 'Info', where: 'panel' },
  { id: 'comments', file: 'Comments', where: 'panel' },
  { id: 'review', file: 'Review', where: 'panel' },
  { id: 'diff', file: 'Diff', where: 'panel' },
  { id: 'history', file: 'History', where: 'panel' },
  { id: 'print', file: 'Print', where: 'panel' },
]

const files = import.meta.glob<{ default: Component<PageProps> }>('./pages/*.svelte')

export function load(page: Page): Promise<{ default: Component<PageProps> }> {
  const run = files[`./pages/${page.file}.svelte`]
  return run ? run() : Promise.reject(new Error(`no page ${page.file}`))
}
