/** How much waits at each page, read when it is told of and as often as the profile says. */
import { command, type Topic } from './command.svelte.ts'

export function watchBadges(): () => void {
  const off: (() => void)[] = []
  const timers = new Map<string, number>()
  for (const p of command.pages) {
    const b = p.badge
    if (!b) continue
    const read = async (): Promise<void> => {
      try { command.count(p.id, b.count((await command.call<unknown>(b.path)).data)) } catch { /* what is shown stays; the page itself says why */ }
    }
    const soon = (): void => {
      if (timers.has(p.id)) return
      timers.set(p.id, window.setTimeout(() => { timers.delete(p.id); void read() }, 500))
    }
    for (const topic of b.topics) off.push(command.on(topic as Topic, soon))
    off.push(command.every(() => void read()))
    void read()
  }
  return () => { for (const f of off) f(); for (const t of timers.values()) window.clearTimeout(t) }
}
