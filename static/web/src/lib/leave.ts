/** Preferences may stay in a browser when a person leaves it; data may not. */
const preferences = new Set(['theme', 'lang', 'texture', 'left', 'leftOpen', 'device'].map((k) => `onemap.${k}`))

/** What was written in the field and has not arrived yet is nobody's to throw away: the phone's own store outlives every sign-out. */
const kept = /^onemap[.-]field/

/** forget empties every store of this origin that could hold data. What cannot be emptied is no reason to stay. */
export async function forget(): Promise<void> {
  try {
    for (const key of Object.keys(localStorage)) if (!preferences.has(key)) localStorage.removeItem(key)
    sessionStorage.clear()
  } catch { /* storage is forbidden: nothing was kept */ }
  try {
    if ('caches' in window) await Promise.all((await caches.keys()).filter((key) => !kept.test(key)).map((key) => caches.delete(key)))
  } catch { /* not a secure context */ }
  try {
    const all = 'databases' in indexedDB ? await indexedDB.databases() : []
    await Promise.all(all.map((db) => db.name && !kept.test(db.name) && new Promise<void>((resolve) => {
      const gone = indexedDB.deleteDatabase(db.name!)
      gone.onsuccess = gone.onerror = gone.onblocked = () => resolve()
    })))
  } catch { /* no database */ }
}

// One channel for speaking and hearing: a page never hears itself.
let channel: BroadcastChannel | null = null
const tabs = (): BroadcastChannel | null => (channel ??= 'BroadcastChannel' in window ? new BroadcastChannel('onemap.session') : null)

/** announce tells the other tabs that somebody came or left. */
export function announce(): void { tabs()?.postMessage('changed') }

export function onAnnounce(run: () => void): void {
  const c = tabs()
  if (c) c.onmessage = run
}

/** signOut ends the session at the server first: if that fails the person is still signed in, and must know. */
export async function signOut(): Promise<void> {
  const r = await fetch('/api/session', { method: 'DELETE', credentials: 'same-origin', headers: deviceHeader() })
  if (!r.ok && r.status !== 401) throw new Error(String(r.status))
  await forget()
  announce()
}

/** A field phone is known by an id of its own; its session holds only together with it. */
export function deviceHeader(): Record<string, string> {
  try {
    const id = localStorage.getItem('onemap.device')
    return id ? { 'Onemap-Device': id } : {}
  } catch { return {} }
}
