import { session } from '../session.svelte.ts'
import { draft } from './draft.svelte.ts'
import { keyOf, tools, type ToolID } from './tools.svelte.ts'

const editable = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !/^(checkbox|radio|range)$/.test((target as HTMLInputElement).type)))
const byKey = new Map(Object.entries(keyOf).map(([tool, key]) => [key.toLowerCase(), tool as ToolID]))
const arrows: Record<string, [number, number]> = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }

/** onKey is the keyboard of the table. Fields and dialogs keep their own keys. */
export function onKey(e: KeyboardEvent): void {
  if (e.isComposing || editable(e.target) || document.querySelector('dialog[open]')) return
  if ((session.place.tab ?? 'edit') !== 'edit') return
  const key = e.key.toLowerCase()
  if ((e.ctrlKey || e.metaKey) && key === 'z') { e.preventDefault(); void (e.shiftKey ? draft.redo() : draft.undo()); return }
  if ((e.ctrlKey || e.metaKey) && key === 'y') { e.preventDefault(); void draft.redo(); return }
  if ((e.ctrlKey || e.metaKey) && key === 'a' && tools.tool === 'select') { e.preventDefault(); tools.select([...session.zones.all.keys()]); return }
  if (e.ctrlKey || e.metaKey || e.altKey) return
  const onControl = e.target instanceof HTMLElement && /^(BUTTON|A|SUMMARY)$/.test(e.target.tagName)
  const arrow = arrows[e.key]
  if (arrow && e.shiftKey && tools.tool === 'vertex') { e.preventDefault(); e.stopPropagation(); tools.push(arrow[0], arrow[1]); return }
  if (e.key === 'Escape') { tools.escape(); return }
  if (e.key === '?') { e.preventDefault(); tools.dialog = 'help'; return }
  if (key === 'g') { session.stage && (tools.stage?.setTextures(!tools.stage.textures)); return }
  if (!draft.editable) return
  if (e.key === ' ' && !onControl) { e.preventDefault(); tools.setPanning(true); return }
  if (e.key === 'Enter' && !onControl) { if (tools.drawing || tools.tool === 'units') { e.preventDefault(); void tools.finish() } else tools.flushNudge(); return }
  if (e.key === 'Backspace' && tools.drawing) { e.preventDefault(); tools.backspace(); return }
  if (e.key === 'Delete' || e.key === 'Backspace') {
    e.preventDefault()
    if (tools.tool === 'vertex') tools.removeNode()
    else if (tools.one) tools.dialog = 'delete'
    return
  }
  if (e.key === 'Insert') { e.preventDefault(); tools.centre(); return }
  if (/^[1-9]$/.test(e.key)) { const step = session.steps[Number(e.key) - 1]; if (step) void tools.relevel(step.level); return }
  switch (key) {
    case 'm': void tools.merge(); return
    case 'x': void tools.explode(); return
    case 'c': e.preventDefault(); tools.dialog = 'coordinates'; return
    case 's': tools.setSnapping(!tools.snapping); return
    case 't': tools.tracing = true; return
    case 'n': if (tools.tool === 'vertex') tools.step(e.shiftKey ? -1 : 1); return
  }
  const tool = byKey.get(key)
  if (tool) tools.use(tool)
}

export function onKeyUp(e: KeyboardEvent): void {
  if (e.key === ' ') tools.setPanning(false)
  if (e.key.toLowerCase() === 't') tools.tracing = false
}
