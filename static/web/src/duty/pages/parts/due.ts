import { duty } from '../../duty.svelte.ts'

/** dueText says how long there is, or was, in whole days as an office counts them. */
export function dueText(d: { due_at: string | null; overdue: boolean }): string {
  if (!d.due_at) return duty.t('d_no_due')
  const left = new Date(d.due_at).getTime() - duty.now
  if (left < 0) return d.overdue ? duty.t('d_due_over', { n: Math.max(1, Math.ceil(-left / 86_400_000)) }) : duty.t('d_due_met')
  return left < 86_400_000 ? duty.t('d_due_today') : duty.t('d_due_in', { n: Math.floor(left / 86_400_000) })
}
