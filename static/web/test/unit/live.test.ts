import { describe, expect, it } from 'vitest'
import { backoff, Live, type Browser, type LiveState } from '../../src/lib/live.ts'

class FakeSource extends EventTarget {
  closed = false
  constructor(readonly url: string) { super() }
  close() { this.closed = true }
  emit(type: string, data?: unknown) { this.dispatchEvent(Object.assign(new Event(type), { data: JSON.stringify(data ?? {}) })) }
}

/** A browser with several tabs: one lock, one channel, one clock. */
class World {
  sources: FakeSource[] = []
  time = 0
  timers: { id: number; at: number; f: () => void }[] = []
  private ids = 0
  private peers = new Set<{ onmessage: ((e: MessageEvent) => void) | null }>()
  private held = false
  private queue: (() => void)[] = []

  browser(locks = true): Browser {
    return {
      source: (url) => { const s = new FakeSource(url); this.sources.push(s); return s as unknown as EventSource },
      channel: () => {
        const me = {
          onmessage: null as ((e: MessageEvent) => void) | null,
          postMessage: (data: unknown) => { for (const p of this.peers) if (p !== me) p.onmessage?.({ data: structuredClone(data) } as MessageEvent) },
          close: () => { this.peers.delete(me) },
        }
        this.peers.add(me)
        return me
      },
      locks: locks ? { request: (_: string, f: () => Promise<void>) => new Promise<void>((resolve) => {
        const run = () => { this.held = true; void f().then(() => { this.held = false; resolve(); this.queue.shift()?.() }) }
        if (this.held) this.queue.push(run)
        else run()
      }) } as unknown as LockManager : null,
      now: () => this.time,
      random: () => 0.5,
      setTimeout: (f, ms) => { const id = ++this.ids; this.timers.push({ id, at: this.time + ms, f }); return id },
      clearTimeout: (id) => { this.timers = this.timers.filter((t) => t.id !== id) },
    }
  }
  advance(ms: number) {
    const end = this.time + ms
    for (;;) {
      const next = this.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.timers = this.timers.filter((t) => t !== next)
      this.time = next.at
      next.f()
    }
    this.time = end
  }
  get open() { return this.sources.filter((s) => !s.closed) }
}

function tab(world: World, locks = true) {
  const log = { states: [] as LiveState[], tiles: [] as string[], resets: 0, rights: 0, leader: false }
  const live = new Live('1.1', {
    state: (s, _lag, _at, _retry, leader) => { log.states.push(s); log.leader = leader },
    tiles: (d) => log.tiles.push(d.layer),
    reset: () => { log.resets++ },
    rights: () => { log.rights++ },
  }, world.browser(locks))
  return { live, log }
}
const dirty = (position: string, layer: string) => ({ position, layer, boxes: [[1, 1, 1, 1]], max_zoom: 16 })

describe('live', () => {
  it('keeps one connection for many tabs, and all of them hear', () => {
    const world = new World()
    const a = tab(world), b = tab(world), c = tab(world)
    expect(world.open).toHaveLength(1)
    world.sources[0]!.emit('lag', { position: '1.2', lag_ms: 3 })
    world.sources[0]!.emit('tiles', dirty('1.3', 'hazards'))
    for (const t of [a, b, c]) {
      expect(t.log.tiles).toEqual(['hazards'])
      expect(t.log.states[t.log.states.length - 1]).toBe('live')
    }
    expect([a, b, c].filter((t) => t.log.leader)).toHaveLength(1)
  })
  it('passes the connection on when its tab closes, from the last position heard', async () => {
    const world = new World()
    const a = tab(world), b = tab(world)
    world.sources[0]!.emit('tiles', dirty('7.9', 'zones'))
    a.live.stop()
    await new Promise((r) => setTimeout(r))
    expect(world.open).toHaveLength(1)
    expect(world.open[0]!.url).toContain('since=7.9')
    world.open[0]!.emit('tiles', dirty('8.1', 'roads'))
    expect(b.log.tiles).toEqual(['zones', 'roads'])
  })
  it('reconnects for ever and resumes where it was', () => {
    const world = new World()
    const { log } = tab(world)
    world.open[0]!.emit('lag', { position: '5.5', lag_ms: 1 })
    for (let i = 0; i < 40; i++) {
      expect(world.open).toHaveLength(1)
      world.open[0]!.emit('error')
      expect(log.states[log.states.length - 1]).toBe('lost')
      world.advance(40_000)
    }
    expect(world.sources.length).toBeGreaterThanOrEqual(41)
    expect(world.open[0]!.url).toContain('since=5.5')
    world.open[0]!.emit('lag', { position: '5.6', lag_ms: 1 })
    expect(log.states[log.states.length - 1]).toBe('live')
  })
  it('does not trust a line that is silent', () => {
    const world = new World()
    const { log } = tab(world)
    world.open[0]!.emit('lag', { position: '1.2', lag_ms: 1 })
    world.advance(17_000)
    expect(log.states).toContain('lost')
  })
  it('draws everything anew when the server forgot the position', () => {
    const world = new World()
    const a = tab(world), b = tab(world)
    world.sources[0]!.emit('reset', { position: '99.1' })
    expect([a.log.resets, b.log.resets]).toEqual([1, 1])
  })
  it('works without locks: a connection per tab', () => {
    const world = new World()
    tab(world, false)
    tab(world, false)
    expect(world.open).toHaveLength(2)
  })
  it('ignores events of a connection it gave up, and broken data', () => {
    const world = new World()
    const { log } = tab(world)
    const old = world.open[0]!
    old.emit('error')
    world.advance(40_000)
    old.emit('tiles', dirty('1.9', 'hazards'))
    world.open[0]!.dispatchEvent(Object.assign(new Event('tiles'), { data: '{broken' }))
    world.open[0]!.emit('tiles', { layer: 3 })
    expect(log.tiles).toEqual([])
  })
})

it('backs off to half a minute and stays there', () => {
  expect([0, 1, 2, 5, 50].map((n) => backoff(n, 0.5))).toEqual([1000, 2000, 4000, 30000, 30000])
  expect(backoff(9, 0)).toBeGreaterThanOrEqual(22_000)
  expect(backoff(9, 1)).toBeLessThanOrEqual(38_000)
})
