/**
 * Encryption on the phone: the file of an exported outbox, and the list that is opened by a
 * PIN. AES-256-GCM under a key that PBKDF2 makes of what a person types.
 *
 * The file: "OMFIELD1", then length (4 bytes, big endian) and JSON of the head, then sealed
 * pieces of at most 1 MB, each with its length in front. A piece's number and whether it is
 * the last are sealed with it, so pieces cannot be cut off, swapped or repeated.
 */
import { Refusal, no } from './said.ts'

export const ROUNDS = 310_000
const MAGIC = 'OMFIELD1'
const PIECE = 1 << 20
const utf8 = new TextEncoder()
const text = new TextDecoder()

async function keyOf(password: string, salt: Uint8Array<ArrayBuffer>, rounds: number): Promise<CryptoKey> {
  const raw = await crypto.subtle.importKey('raw', utf8.encode(password.normalize('NFKC')), 'PBKDF2', false, ['deriveKey'])
  return crypto.subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, raw, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}
const rand = (n: number) => crypto.getRandomValues(new Uint8Array(n))
const u32 = (n: number) => { const b = new Uint8Array(4); new DataView(b.buffer).setUint32(0, n); return b }
const b64 = (b: Uint8Array) => btoa(String.fromCharCode(...b))
const unb64 = (s: string) => Uint8Array.from(atob(s), (c) => c.charCodeAt(0))

/** Every file has its own key (its own salt), so counting pieces makes no iv twice. */
const ivOf = (n: number) => { const b = new Uint8Array(12); new DataView(b.buffer).setUint32(8, n); return b }
const aad = (n: number, last: boolean) => utf8.encode(`${MAGIC}:${n}:${last ? 'last' : 'more'}`)

export interface Part { name: string; blob: Blob }
export interface Index { made_at: string; rows: unknown; parts: { name: string; bytes: number }[] }

/** seal writes the index and the parts one after another; never more than a piece is in memory. */
export async function seal(password: string, rows: unknown, parts: Part[], made_at: string): Promise<Blob> {
  if ([...password].length < 8) throw no('password_short')
  const salt = rand(16)
  const key = await keyOf(password, salt, ROUNDS)
  const head = utf8.encode(JSON.stringify({ v: 1, kdf: 'PBKDF2-SHA256', rounds: ROUNDS, salt: b64(salt), cipher: 'AES-256-GCM' }))
  const index: Index = { made_at, rows, parts: parts.map((p) => ({ name: p.name, bytes: p.blob.size })) }
  const json = utf8.encode(JSON.stringify(index))
  const plain = new Blob([u32(json.length), json, ...parts.map((p) => p.blob)])
  const out: Blob[] = [new Blob([utf8.encode(MAGIC), u32(head.length), head])]
  for (let n = 0, at = 0; at < plain.size || n === 0; n++, at += PIECE) {
    const piece = await plain.slice(at, at + PIECE).arrayBuffer()
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: ivOf(n), additionalData: aad(n, at + PIECE >= plain.size) }, key, piece)
    // A Blob of its own lets the browser put it aside, out of the page's memory.
    out.push(new Blob([u32(sealed.byteLength), sealed]))
  }
  return new Blob(out, { type: 'application/octet-stream' })
}

/** unseal gives the index, and hands each part on as it comes. A wrong password is known at the first piece. */
export async function unseal(file: Blob, password: string, part: (name: string, blob: Blob) => Promise<void>): Promise<Index> {
  const lead = new Uint8Array(await file.slice(0, 12).arrayBuffer())
  if (lead.length < 12 || text.decode(lead.subarray(0, 8)) !== MAGIC) throw no('file_bad')
  const headSize = new DataView(lead.buffer).getUint32(8)
  if (headSize > 4096) throw no('file_bad')
  let head: { v: number; rounds: number; salt: string }
  try { head = JSON.parse(text.decode(await file.slice(12, 12 + headSize).arrayBuffer())) } catch { throw no('file_bad') }
  if (head.v !== 1 || !(head.rounds >= 100_000 && head.rounds <= 10_000_000) || typeof head.salt !== 'string') throw no('file_bad')
  const key = await keyOf(password, unb64(head.salt), head.rounds)
  let at = 12 + headSize
  let n = 0
  let over = false
  const next = async (): Promise<ArrayBuffer> => {
    const size = await file.slice(at, at + 4).arrayBuffer()
    if (size.byteLength < 4) throw no('file_cut')
    const bytes = new DataView(size).getUint32(0)
    if (bytes > PIECE + 16) throw no('file_bad')
    const sealed = await file.slice(at + 4, at + 4 + bytes).arrayBuffer()
    if (sealed.byteLength < bytes) throw no('file_cut')
    at += 4 + bytes
    over = at >= file.size
    try {
      return await crypto.subtle.decrypt({ name: 'AES-GCM', iv: ivOf(n), additionalData: aad(n++, over) }, key, sealed)
    } catch { throw no(n > 1 ? 'file_cut' : 'password_wrong') }
  }
  let held: BlobPart[] = []
  let size = 0
  const take = async (want: number): Promise<Blob> => {
    while (size < want) {
      if (over) throw no('file_cut')
      const piece = await next()
      held.push(new Blob([piece]))
      size += piece.byteLength
    }
    const all = new Blob(held)
    held = [all.slice(want)]
    size -= want
    return all.slice(0, want)
  }
  const length = new DataView(await (await take(4)).arrayBuffer()).getUint32(0)
  if (length > 64 << 20) throw no('file_bad')
  let index: Index
  try { index = JSON.parse(await (await take(length)).text()) } catch (cause) { throw cause instanceof Refusal ? cause : no('file_bad') }
  for (const p of index.parts) await part(p.name, await take(p.bytes))
  if (!over || size > 0) throw no('file_cut')
  return index
}

export interface Locked { salt: string; iv: string; rounds: number; data: ArrayBuffer; at: string }

export async function lock(pin: string, value: unknown, at: string): Promise<Locked> {
  const salt = rand(16), iv = rand(12)
  const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await keyOf(pin, salt, ROUNDS), utf8.encode(JSON.stringify(value)))
  return { salt: b64(salt), iv: b64(iv), rounds: ROUNDS, data, at }
}

/** unlock gives null for a wrong PIN. */
export async function unlock(pin: string, l: Locked): Promise<unknown> {
  try {
    const data = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: unb64(l.iv) }, await keyOf(pin, unb64(l.salt), l.rounds), l.data)
    return JSON.parse(text.decode(data))
  } catch { return null }
}
