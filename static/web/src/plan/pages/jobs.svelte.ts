import type { Job } from '../types.ts'
import { session } from '../session.svelte.ts'

/** A Watch follows one job of the server until it ends, and can stop it. */
export class Watch {
  job = $state.raw<Job | null>(null)
  /** the server does not answer just now; the job goes on without us */
  lost = $state(false)
  private timer = 0
  private end = false

  constructor(private readonly finished: (job: Job) => void) {}

  start(job: Job): void {
    this.job = job
    this.end = false
    this.later(300)
  }
  private later(ms: number): void { clearTimeout(this.timer); if (!this.end) this.timer = window.setTimeout(() => void this.look(), ms) }

  private async look(): Promise<void> {
    if (!this.job || this.end) return
    try {
      this.job = (await session.call<Job>(`/api/jobs/${encodeURIComponent(this.job.id)}`)).data
      this.lost = false
      if (this.job.state !== 'queued' && this.job.state !== 'running') { this.end = true; this.finished(this.job); return }
      this.later(600)
    } catch { this.lost = true; this.later(2000) }
  }

  async cancel(): Promise<void> {
    if (!this.job) return
    try { await session.call(`/api/jobs/${encodeURIComponent(this.job.id)}`, { method: 'DELETE' }); this.later(100) } catch (x) { session.tell(session.explain(x), 'error') }
  }
  stop(): void { this.end = true; clearTimeout(this.timer) }
}

/** failure is why a job ended badly, in the reader's language. */
export function failure(job: Job): string {
  const e = job.error as { code?: string; zh?: string; en?: string; message?: string; title?: string; detail?: string } | null
  if (job.state === 'cancelled') return session.t('p_job_cancelled')
  if (!e) return session.t('p_job_failed')
  return (session.lang === 'en' ? e.en : e.zh) || e.message || e.detail || e.title || session.t('p_job_failed')
}
