import type { Theme } from '../lib/types.ts'
import type { Sketch } from './types.ts'

/** drawnAs is the shape a kind of sketch is drawn with. */
export function drawnAs(kind: string): 'Point' | 'LineString' | 'Polygon' {
  if (kind === 'affected_area' || kind === 'cordon') return 'Polygon'
  if (kind === 'evacuation_route' || kind === 'access_route') return 'LineString'
  return 'Point'
}

/** validAt says whether a sketch holds at a moment. */
export function validAt(s: Pick<Sketch, 'valid_from' | 'valid_to'>, now: number): 'not_yet' | 'holds' | 'over' {
  if (s.valid_to && new Date(s.valid_to).getTime() <= now) return 'over'
  if (s.valid_from && new Date(s.valid_from).getTime() > now) return 'not_yet'
  return 'holds'
}

/** lookOf draws each kind so that it is known without its colour: dashes, hollow points, widths. */
export function lookOf(s: Sketch, theme: Theme, now: number): Record<string, unknown> {
  const dark = theme === 'dark'
  const color = { affected_area: dark ? '#F0A135' : '#9A5A00', cordon: dark ? '#FF8AA0' : '#B3001B', evacuation_route: dark ? '#4FB68A' : '#1F7A50', access_route: dark ? '#6BA6FF' : '#1A66DE', command_post: dark ? '#FF8AA0' : '#B3001B', assembly: dark ? '#4FB68A' : '#1F7A50', checkpoint: dark ? '#F0B95C' : '#9A5A00' }[s.kind] ?? (dark ? '#93A4B5' : '#5F666F')
  return { color, dash: s.kind === 'cordon' || validAt(s, now) === 'not_yet', hollow: s.kind === 'cordon' || s.kind === 'checkpoint', width: s.kind === 'evacuation_route' || s.kind === 'access_route' ? 4 : 2.5, stale: validAt(s, now) === 'over' }
}
