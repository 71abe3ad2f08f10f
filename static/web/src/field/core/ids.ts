/** uuidv7 is a time-ordered id (RFC 9562 §5.7); within one millisecond and after the clock was
 *  set back it still goes up, so that ids of one phone sort in the order they were made. */
let last = 0
let count = 0

export function uuidv7(now: number = Date.now(), random: (n: number) => Uint8Array = (n) => crypto.getRandomValues(new Uint8Array(n))): string {
  const b = random(16)
  if (now > last) { last = now; count = ((b[6]! & 7) << 8) | b[7]! } else if (++count > 0xfff) { last++; count = 0 }
  for (let i = 0, t = last; i < 6; i++, t = Math.floor(t / 256)) b[5 - i] = t % 256
  b[6] = 0x70 | (count >> 8)
  b[7] = count & 255
  b[8] = 0x80 | (b[8]! & 0x3f)
  return hex(b).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

export function hex(bytes: Uint8Array): string {
  let s = ''
  for (const x of bytes) s += (x < 16 ? '0' : '') + x.toString(16)
  return s
}

export async function sha256(data: BufferSource): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', data)))
}
