import type { MapMouseEvent } from 'maplibre-gl'
import type { MapStage } from './mapstage.svelte.ts'
import { tools } from './tools.svelte.ts'

/** listen gives the map's pointer to the tools first; what they do not want stays MapLibre's. */
export function listen(stage: MapStage): () => void {
  const { map } = stage
  let held = false
  let from: { x: number; y: number } | null = null
  const down = (e: MapMouseEvent) => {
    from = { x: e.originalEvent.clientX, y: e.originalEvent.clientY }
    held = tools.down(e.originalEvent)
    if (held) e.preventDefault()
  }
  const move = (e: MouseEvent) => {
    if (held || map.getCanvas() === e.target) tools.move(e)
  }
  const up = (e: MouseEvent) => {
    if (!held) return
    held = false
    tools.up(e)
  }
  const still = (e: MapMouseEvent) => !from || Math.hypot(e.originalEvent.clientX - from.x, e.originalEvent.clientY - from.y) < 5
  const click = (e: MapMouseEvent) => { if (still(e)) tools.click(e.originalEvent) }
  const dbl = (e: MapMouseEvent) => tools.dblclick(e.originalEvent)
  map.on('mousedown', down)
  map.on('click', click)
  map.on('dblclick', dbl)
  window.addEventListener('mousemove', move)
  window.addEventListener('mouseup', up)
  return () => {
    map.off('mousedown', down)
    map.off('click', click)
    map.off('dblclick', dbl)
    window.removeEventListener('mousemove', move)
    window.removeEventListener('mouseup', up)
  }
}
