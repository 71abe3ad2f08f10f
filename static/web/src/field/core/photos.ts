/** Pictures: made small, upright, named by their hash, kept before anybody is told. */
import type { Fix } from '../types.ts'
import { read, written } from './exif.ts'
import { sha256 } from './ids.ts'
import { no } from './said.ts'
import type { KeptPhoto, Store } from './store.ts'

const EDGE = 1600
const QUALITY = 0.8

/** upright draws a picture with its right side up: an image element heeds the camera's word in every browser since Chromium 81. */
async function upright(file: Blob): Promise<{ blob: Blob; width: number; height: number }> {
  const url = URL.createObjectURL(file)
  try {
    const img = new Image()
    img.src = url
    await img.decode()
    const scale = Math.min(1, EDGE / Math.max(img.naturalWidth, img.naturalHeight))
    const width = Math.max(1, Math.round(img.naturalWidth * scale)), height = Math.max(1, Math.round(img.naturalHeight * scale))
    const canvas = document.createElement('canvas')
    canvas.width = width
    canvas.height = height
    const c = canvas.getContext('2d', { alpha: false })
    if (!c) throw no('photo_bad')
    c.fillStyle = '#fff'
    c.fillRect(0, 0, width, height)
    c.imageSmoothingQuality = 'high'
    c.drawImage(img, 0, 0, width, height)
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY))
    canvas.width = canvas.height = 0 // a phone of 2 GB cannot keep it until it is collected
    if (!blob || blob.size === 0) throw no('photo_bad')
    return { blob, width, height }
  } catch (cause) {
    if (cause instanceof DOMException || cause instanceof Event) throw no('photo_bad')
    throw cause
  } finally { URL.revokeObjectURL(url) }
}

export async function addPhoto(store: Store, file: Blob, fix: Fix | null): Promise<KeptPhoto> {
  const camera = read(await file.slice(0, 128 * 1024).arrayBuffer())
  const { blob, width, height } = await upright(file)
  const modified = file instanceof File ? file.lastModified : 0
  const now = Date.now()
  const taken_at = camera.at ?? new Date(modified > 0 && modified <= now ? modified : now).toISOString()
  // Where the picture says it was taken, else where the phone is; an older picture was not taken here.
  const here: [number, number] | undefined = fix && now - Date.parse(taken_at) < 600_000 ? [fix.lon, fix.lat] : undefined
  const position = camera.position ?? here
  const whole = await written(blob, { at: taken_at, ...(position ? { position } : {}) })
  const bytes = await whole.arrayBuffer()
  const sha = await sha256(bytes)
  const known = store.photos.get(sha)
  if (known?.blob) return known
  // From the bytes: a Blob that only points to a file would be lost with the file.
  const kept: KeptPhoto = {
    sha256: sha, bytes: bytes.byteLength, width, height, taken_at, ...(position ? { position } : {}),
    blob: new Blob([bytes], { type: 'image/jpeg' }), added_at: new Date(now).toISOString(), offset: 0, complete: known?.complete ?? false,
  }
  await store.keep(['photos'], (w) => w.put('photos', kept))
  return kept
}
