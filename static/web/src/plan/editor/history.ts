import type { EditLine } from '../types.ts'

/** An Entry is a step that can be taken back (or done again) by restoring `edit`. */
export interface Entry { edit: string; title: string; line: EditLine }
export interface History { undo: Entry[]; redo: Entry[] }

/**
 * historyOf walks the edits of a plan, oldest first. Taking back is an edit of its own,
 * and doing again is taking that one back: so nothing is ever cut off, also across splits
 * and merges, and everybody's steps stay in their order.
 */
export function historyOf(lines: readonly EditLine[], mine: (line: EditLine) => boolean): History {
  const undo: Entry[] = []
  let redo: Entry[] = []
  for (const line of lines) {
    if (!line.undoes) {
      undo.push({ edit: line.edit_id, title: line.title, line })
      if (mine(line)) redo = []
      continue
    }
    const back = undo.findIndex((e) => e.edit === line.undoes)
    if (back >= 0) {
      const [entry] = undo.splice(back, 1)
      redo.push({ edit: line.edit_id, title: entry!.title, line })
      continue
    }
    const again = redo.findIndex((e) => e.edit === line.undoes)
    if (again >= 0) {
      const [entry] = redo.splice(again, 1)
      undo.push({ edit: line.edit_id, title: entry!.title, line })
    }
  }
  return { undo: undo.filter((e) => mine(e.line)), redo: redo.filter((e) => mine(e.line)) }
}

/** rebase tells later steps which versions an earlier step of ours made. */
export function rebase<T extends { base: Record<string, number> }>(steps: readonly T[], before: Record<string, number>, made: readonly { zone: string; version: number }[], removed: readonly string[]): T[] {
  const now = new Map(made.map((m) => [m.zone, m.version]))
  return steps.map((step) => {
    let base = step.base
    for (const [zone, version] of Object.entries(step.base)) {
      if (removed.includes(zone)) { base = { ...base }; delete base[zone]; continue }
      const next = now.get(zone)
      // Only where the later step knew what the earlier one started from; otherwise somebody else was in between.
      if (next !== undefined && before[zone] === version) base = { ...base, [zone]: next }
    }
    return base === step.base ? step : { ...step, base }
  })
}
