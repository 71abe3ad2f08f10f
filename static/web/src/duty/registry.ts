import type { Component } from 'svelte'
import type { UIIcon } from '../lib/icons.ts'

/** The parts of the desk; each is loaded when it is opened. */
export interface Part { id: 'reports' | 'conflicts' | 'quarantine' | 'dangers' | 'measures' | 'tasks' | 'notices' | 'patrols'; file: string; icon: UIIcon; needs: readonly string[] }

export const parts: readonly Part[] = [
  { id: 'reports', file: 'Reports', icon: 'megaphone', needs: ['work_desk'] },
  { id: 'conflicts', file: 'Conflicts', icon: 'layers', needs: ['work_desk'] },
  { id: 'quarantine', file: 'Quarantine', icon: 'shield', needs: ['work_desk'] },
  { id: 'dangers', file: 'Dangers', icon: 'list', needs: [] },
  { id: 'measures', file: 'Measures', icon: 'book', needs: [] },
  { id: 'tasks', file: 'Tasks', icon: 'check', needs: ['work_desk'] },
  { id: 'notices', file: 'Notices', icon: 'monitor', needs: ['work_desk'] },
  { id: 'patrols', file: 'Patrols', icon: 'users', needs: ['work_desk'] },
]

const files = import.meta.glob<{ default: Component }>('./pages/*.svelte')

export function load(part: Part): Promise<{ default: Component }> {
  const run = files[`./pages/${part.file}.svelte`]
  return run ? run() : Promise.reject(new Error(`no page ${part.file}`))
}
