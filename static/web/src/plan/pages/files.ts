import { Refusal } from '../../desk/http.ts'
import { deviceHeader } from '../../lib/leave.ts'
import type { Lang } from '../../lib/types.ts'

/** Files made in the page: tables as CSV that Excel reads (with a mark), everything with a name. */
export function csv(rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (v: string | number | null) => {
    // A cell that starts like a formula is text, not a formula.
    const s = v === null ? '' : typeof v === 'string' && /^[=+\-@\t]/.test(v) ? `'${v}` : String(v)
    return /[",\n\r]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s
  }
  return `\ufeff${rows.map((r) => r.map(cell).join(',')).join('\r\n')}\r\n`
}

export function save(body: BlobPart, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([body], { type }))
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.click()
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** fetchFile asks for a file; a refusal is read in the server's own words. */
export async function fetchFile(path: string, a: { body?: unknown; lang: Lang; signal?: AbortSignal }): Promise<{ blob: Blob; name: string }> {
  let r: Response
  try {
    r = await fetch(path, {
      method: a.body === undefined ? 'GET' : 'POST', credentials: 'same-origin', signal: a.signal, cache: 'no-store', redirect: 'error',
      headers: { 'Accept-Language': a.lang, ...(a.body === undefined ? {} : { 'Content-Type': 'application/json', ...deviceHeader() }) },
      body: a.body === undefined ? undefined : JSON.stringify(a.body),
    })
  } catch (cause) {
    if (a.signal?.aborted) throw cause
    throw new Refusal(0, 'unreachable', '', '', [], 0)
  }
  if (!r.ok) {
    let p: { code?: string; title?: string; detail?: string; errors?: { path?: string; code?: string; message?: string }[] } = {}
    try { p = await r.json() } catch { /* something in between answered */ }
    throw new Refusal(r.status, p.code ?? '', p.title ?? '', p.detail ?? '', (p.errors ?? []).map((e) => ({ path: e.path ?? '', code: e.code ?? '', message: e.message ?? '' })), Number(r.headers.get('Retry-After') ?? 0) || 0)
  }
  return { blob: await r.blob(), name: named(r.headers.get('Content-Disposition') ?? '') }
}

/** named reads a file name from Content-Disposition; the encoded form holds Chinese. */
export function named(header: string): string {
  const wide = /filename\*=UTF-8''([^;]+)/i.exec(header)?.[1]
  if (wide) { try { return decodeURIComponent(wide) } catch { /* the plain one, then */ } }
  return /filename="?([^";]+)"?/i.exec(header)?.[1] ?? ''
}
