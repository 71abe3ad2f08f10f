/** Sends a picture as phones do: by the hash of its bytes, in pieces, and on from where it broke off. */
import { Refusal } from '../desk/http.ts'
import { sha256 } from '../field/core/ids.ts'
import { deviceHeader } from '../lib/leave.ts'
import type { Lang } from '../lib/types.ts'

const PIECE = 2 << 20

export async function upload(file: Blob, lang: Lang): Promise<string> {
  const bytes = await file.arrayBuffer(), name = await sha256(bytes)
  for (let at = 0, again = 0; ;) {
    let r: Response
    try {
      r = await fetch(`/api/blobs/${name}`, {
        method: 'PUT', credentials: 'same-origin', cache: 'no-store', redirect: 'error', body: bytes.slice(at, at + PIECE),
        headers: { 'Content-Type': 'application/octet-stream', 'Accept-Language': lang, 'Upload-Offset': String(at), 'Upload-Length': String(bytes.byteLength), ...deviceHeader() },
      })
    } catch { throw new Refusal(0, 'unreachable', '', '', [], 0) }
    const body = await r.json().catch(() => null) as { offset?: number; complete?: boolean; code?: string; title?: string; detail?: string; errors?: { message?: string }[] } | null
    if (r.ok && body?.complete) return name
    const next = r.ok ? body?.offset : Number(r.headers.get('Upload-Offset') ?? NaN)
    if ((r.ok || r.status === 409) && typeof next === 'number' && Number.isFinite(next) && (next > at || again++ < 3)) { at = next; continue }
    throw new Refusal(r.status, body?.code ?? '', body?.title ?? '', body?.errors?.[0]?.message ?? body?.detail ?? '', [], 0)
  }
}
