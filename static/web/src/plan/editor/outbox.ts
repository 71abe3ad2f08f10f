import type { Box, Op } from '../types.ts'

/** A step of drawing that is not on the server yet. It is written down before it is sent. */
export interface Pending {
  edit_id: string
  plan: string
  plan_title: string
  /** the person who made it; another one at this browser is not offered it */
  who: string
  at: number
  order: number
  title: string
  ops: Op[]
  base: Record<string, number>
  zones: { zone: string; name: string }[]
  box: Box | null
  /** what was drawn, to show what waits */
  sketch: GeoJSON.Geometry[]
  /** put aside by the person, or refused for a reason that may pass */
  parked: boolean
}

/** Outbox keeps steps in IndexedDB until the server has them, so a crash loses nothing. */
export class Outbox {
  private db: Promise<IDBDatabase | null> | null = null

  private open(): Promise<IDBDatabase | null> {
    this.db ??= new Promise((resolve) => {
      try {
        const ask = indexedDB.open('onemap-plan', 1)
        ask.onupgradeneeded = () => { ask.result.createObjectStore('steps', { keyPath: 'edit_id' }) }
        ask.onsuccess = () => resolve(ask.result)
        ask.onerror = ask.onblocked = () => resolve(null)
      } catch { resolve(null) }
    })
    return this.db
  }

  private async run<T>(mode: IDBTransactionMode, act: (s: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
    const db = await this.open()
    if (!db) return null
    return new Promise((resolve, reject) => {
      const tx = db.transaction('steps', mode)
      const ask = act(tx.objectStore('steps'))
      tx.oncomplete = () => resolve(ask.result)
      tx.onerror = tx.onabort = () => reject(tx.error ?? new Error('indexedDB'))
    })
  }

  /** put answers false where the browser keeps nothing: then a reload would lose the step. */
  async put(step: Pending): Promise<boolean> {
    try { return (await this.run('readwrite', (s) => s.put(step))) !== null } catch { return false }
  }
  async drop(id: string): Promise<void> {
    try { await this.run('readwrite', (s) => s.delete(id)) } catch { /* it was never kept */ }
  }
  async all(plan: string, who: string): Promise<Pending[]> {
    try {
      const list = (await this.run<Pending[]>('readonly', (s) => s.getAll())) ?? []
      return list.filter((p) => p.plan === plan && p.who === who).sort((a, b) => a.order - b.order)
    } catch { return [] }
  }
}
