import type { Photo } from '../types.ts'
import type { KeptPhoto } from './store.ts'

const urls = new Map<string, string>()

export function shown(p: KeptPhoto): Photo {
  let url = urls.get(p.sha256)
  if (!url) { url = p.blob ? URL.createObjectURL(p.blob) : `/api/blobs/${p.sha256}`; urls.set(p.sha256, url) }
  return { sha256: p.sha256, bytes: p.bytes, width: p.width, height: p.height, taken_at: p.taken_at, url, ...(p.position ? { position: p.position } : {}) }
}
