/** What the phone itself can do for the app: keep its storage, its screen, its newest version. */

type Badge = { setAppBadge?(n?: number): Promise<void>; clearAppBadge?(): Promise<void> }
type Wake = { wakeLock?: { request(kind: 'screen'): Promise<{ release(): Promise<void>; addEventListener(t: 'release', f: () => void): void }> } }

export function badge(n: number): void {
  const b = navigator as Badge
  void (n > 0 ? b.setAppBadge?.(n) : b.clearAppBadge?.())?.catch(() => {})
}

export async function persisted(): Promise<boolean | null> {
  try { return (await navigator.storage?.persisted?.()) ?? null } catch { return null }
}
export async function persist(): Promise<boolean> {
  try { return (await navigator.storage?.persist?.()) ?? false } catch { return false }
}
export async function estimate(): Promise<{ used: number; quota: number } | null> {
  try {
    const e = await navigator.storage?.estimate?.()
    return e && e.quota ? { used: e.usage ?? 0, quota: e.quota } : null
  } catch { return null }
}

/** Awake keeps the screen on; the lock falls when the page is hidden and is taken again when it is seen. */
export class Awake {
  private wanted = false
  private lock: { release(): Promise<void> } | null = null
  constructor() {
    if (typeof document !== 'undefined') document.addEventListener('visibilitychange', () => { if (this.wanted && document.visibilityState === 'visible') void this.take() })
  }
  async set(on: boolean): Promise<boolean> {
    this.wanted = on
    if (on) return this.take()
    await this.lock?.release().catch(() => {})
    this.lock = null
    return false
  }
  private async take(): Promise<boolean> {
    const w = (navigator as Wake).wakeLock
    if (!w) return false
    if (this.lock) return true
    try {
      const lock = await w.request('screen')
      lock.addEventListener('release', () => { this.lock = null })
      this.lock = lock
      return true
    } catch { return false }
  }
}

/** Versions watches for a newer app. It waits beside the old one until it is started by hand, or no form is open. */
export class Versions {
  waiting = false
  private reg: ServiceWorkerRegistration | null = null
  private asked = false
  constructor(private readonly changed: () => void) {}

  async start(): Promise<void> {
    if (!('serviceWorker' in navigator) || !isSecureContext) return
    const sw = navigator.serviceWorker
    sw.addEventListener('controllerchange', () => { if (this.asked) location.reload() })
    try {
      const reg = await sw.register('/field-sw.js', { scope: '/field', updateViaCache: 'none' })
      this.reg = reg
      const look = () => { if (reg.waiting && sw.controller) { this.waiting = true; this.changed() } }
      look()
      reg.addEventListener('updatefound', () => {
        const w = reg.installing
        w?.addEventListener('statechange', () => { if (w.state === 'installed') look() })
      })
      setInterval(() => { void this.check() }, 3_600_000)
    } catch { /* not over https, or forbidden: the app works without, as long as there is a network */ }
  }

  async check(): Promise<void> { try { await this.reg?.update() } catch { /* offline */ } }

  apply(): void {
    if (!this.reg?.waiting) return
    this.asked = true
    this.reg.waiting.postMessage('start')
  }
}

export const inWeChat = (agent: string): boolean => /MicroMessenger/i.test(agent)
