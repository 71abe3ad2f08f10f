/**
 * The duty desk: what comes from the field and waits for somebody in the office.
 *
 *   import { duty } from '../duty.svelte.ts'
 *   const t = $derived(duty.t)
 *   const r = await duty.call<T>('/api/tasks', { method: 'POST', body })
 *   catch (e) { duty.tell(duty.explain(e), 'error') }
 *   duty.go({ tab: 'dangers', id })                     // the address is the state
 *   const off = duty.on('dangers', (e) => …)            // a record changed; e is null: read everything again
 */
import { Room } from '../room/room.svelte.ts'
import { Records, type RecordEvent } from './records.ts'
import { parts, type Part } from './registry.ts'
import { words, type Word } from './words.ts'

export interface Place { tab?: string; id?: string; [filter: string]: string | undefined }
type Hear = (e: RecordEvent | null) => void

const topics = ['incident_reports', 'dangers', 'tasks', 'notices', 'sync_case'] as const
export type Topic = typeof topics[number]

class Duty extends Room<Word> {
  readonly id = 'duty' as const
  readonly words = words
  place = $state.raw<Place>({})
  /** how much waits at each part; null is not known */
  counts = $state.raw<Partial<Record<Part['id'], number>>>({})
  private stream: Records | null = null
  private hearers = new Map<Topic, Set<Hear>>()

  get parts(): readonly Part[] { return parts.filter((p) => p.needs.length === 0 || p.needs.some((n) => this.permitted(n))) }
  get part(): Part | null { return this.parts.find((p) => p.id === this.place.tab) ?? this.parts[0] ?? null }
  protected override get heading(): string { return this.part ? this.t(`tab_${this.part.id}`) : '' }

  protected async opened(): Promise<void> {
    if (!this.catalogue) return
    // A stream with one topic somebody may not hear of is refused whole.
    const reads = this.catalogue.layers.some((l) => l.id === 'dangers'), desk = this.permitted('work_desk')
    const heard = topics.filter((t) => (t === 'dangers' || t === 'notices' ? reads : desk))
    if (heard.length === 0) { this.live = 'live'; return }
    this.stream = new Records(heard, this.catalogue.position, {
      state: (state) => { this.live = state; document.documentElement.dataset.live = state },
      record: (e) => { for (const run of this.hearers.get(e.topic as Topic) ?? []) run(e) },
      reset: () => { for (const all of this.hearers.values()) for (const run of all) run(null) },
    })
    window.addEventListener('online', () => this.stream?.now())
  }

  on(topic: Topic, run: Hear): () => void {
    const all = this.hearers.get(topic) ?? new Set<Hear>()
    this.hearers.set(topic, all.add(run))
    return () => all.delete(run)
  }

  count(part: Part['id'], n: number): void { this.counts = { ...this.counts, [part]: n } }

  go(to: Place, replace = false): void {
    const url = new URL(location.href)
    const keep = ['e2e', 'lang', 'theme']
    for (const key of [...url.searchParams.keys()]) if (!keep.includes(key)) url.searchParams.delete(key)
    for (const [k, v] of Object.entries(to)) if (v) url.searchParams.set(k, v)
    history[replace ? 'replaceState' : 'pushState'](null, '', url)
    this.follow()
    this.dress()
  }

  protected follow(): void {
    const place: Place = {}
    for (const [k, v] of new URL(location.href).searchParams) if (!['e2e', 'lang', 'theme'].includes(k)) place[k] = v
    this.place = place
  }
}

export const duty = new Duty()
