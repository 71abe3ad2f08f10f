/**
 * The phone's storage: a thin cover over IndexedDB. Every promise resolves when the
 * transaction is complete, not when the request is: what was "saved" survives a kill.
 * Strict durability waits for the disk; it is asked for what cannot be fetched again.
 */
export const NAME = 'onemap.field'
const VERSION = 1

export type Table = 'meta' | 'drafts' | 'ops' | 'photos' | 'records' | 'packs' | 'bits'
/** Own are the tables of what the person made here; leaving the browser never empties them. */
export const READ: readonly Table[] = ['records', 'packs', 'bits']
const paths: Record<Table, string | null> = { meta: null, drafts: 'id', ops: 'op_id', photos: 'sha256', records: 'key', packs: 'area', bits: null }

/** Full is storage that is used up: what was kept before is still there. */
export class Full extends Error {
  constructor() { super('storage is full'); this.name = 'Full' }
}

export interface Tx {
  get<T>(table: Table, key: IDBValidKey): Promise<T | undefined>
  all<T>(table: Table): Promise<T[]>
  keys(table: Table, range?: IDBKeyRange): Promise<IDBValidKey[]>
  put(table: Table, value: unknown, key?: IDBValidKey): void
  del(table: Table, key: IDBValidKey | IDBKeyRange): void
  clear(table: Table): void
}

const wait = <T>(r: IDBRequest<T>): Promise<T> => new Promise((resolve, reject) => {
  r.onsuccess = () => resolve(r.result)
  r.onerror = () => reject(r.error ?? new Error('storage'))
})

export class DB {
  private open: Promise<IDBDatabase> | null = null
  constructor(private readonly name = NAME, private readonly onClose: () => void = () => {}) {}

  private connect(): Promise<IDBDatabase> {
    return (this.open ??= new Promise<IDBDatabase>((resolve, reject) => {
      const r = indexedDB.open(this.name, VERSION)
      r.onupgradeneeded = () => {
        for (const [table, keyPath] of Object.entries(paths)) {
          if (!r.result.objectStoreNames.contains(table)) r.result.createObjectStore(table, keyPath ? { keyPath } : undefined)
        }
      }
      r.onsuccess = () => {
        // A newer app in another tab changes the tables: let it, and read again.
        r.result.onversionchange = () => { r.result.close(); this.open = null; this.onClose() }
        r.result.onclose = () => { this.open = null }
        resolve(r.result)
      }
      r.onerror = () => { this.open = null; reject(r.error ?? new Error('storage')) }
    }))
  }

  close(): void {
    void this.open?.then((db) => db.close())
    this.open = null
  }

  private async begin(tables: Table[], mode: IDBTransactionMode, strict: boolean): Promise<IDBTransaction> {
    for (let again = false; ; again = true) {
      const db = await this.connect()
      try {
        // The third argument is ignored where it is not known (before Chromium 83).
        return (db.transaction as (t: string[], m: IDBTransactionMode, o?: object) => IDBTransaction).call(db, tables, mode, strict ? { durability: 'strict' } : undefined)
      } catch (cause) {
        // The browser closed the connection behind our back (memory, a newer app).
        if (again) throw cause
        this.open = null
      }
    }
  }

  private async run<T>(tables: Table[], mode: IDBTransactionMode, strict: boolean, work: (tx: Tx) => Promise<T> | T): Promise<T> {
    const t = await this.begin(tables, mode, strict)
    const done = new Promise<void>((resolve, reject) => {
      t.oncomplete = () => resolve()
      t.onabort = () => reject(t.error?.name === 'QuotaExceededError' ? new Full() : t.error ?? new Error('storage was not written'))
    })
    done.catch(() => {})
    try {
      const out = await work({
        get: (table, key) => wait(t.objectStore(table).get(key)),
        all: (table) => wait(t.objectStore(table).getAll()),
        keys: (table, range) => wait(t.objectStore(table).getAllKeys(range)),
        put: (table, value, key) => { t.objectStore(table).put(value, key) },
        del: (table, key) => { t.objectStore(table).delete(key) },
        clear: (table) => { t.objectStore(table).clear() },
      })
      await done
      return out
    } catch (cause) {
      try { t.abort() } catch { /* it is over already */ }
      if (cause instanceof DOMException && cause.name === 'QuotaExceededError') throw new Full()
      // The transaction's own end says more than the request that failed in it.
      if (cause instanceof DOMException && cause.name === 'AbortError') await done
      throw cause
    }
  }

  /** keep writes what must not be lost. Work may only await the Tx: anything else ends the transaction. */
  keep<T>(tables: Table[], work: (tx: Tx) => Promise<T> | T): Promise<T> { return this.run(tables, 'readwrite', true, work) }
  /** note writes what can be had again. */
  note<T>(tables: Table[], work: (tx: Tx) => Promise<T> | T): Promise<T> { return this.run(tables, 'readwrite', false, work) }
  read<T>(tables: Table[], work: (tx: Tx) => Promise<T> | T): Promise<T> { return this.run(tables, 'readonly', false, work) }
  get<T>(table: Table, key: IDBValidKey): Promise<T | undefined> { return this.read([table], (tx) => tx.get<T>(table, key)) }
}
