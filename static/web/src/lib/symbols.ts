import glyphs from '../symbols/glyphs.json'
import codes from '../symbols/codes.json'
import shapes from '../symbols/shapes.json'

/** The drawings of the sprite, for swatches and icons of the page. */
export type Shape = keyof typeof shapes

export const shapeBody = (name: string | undefined): string => shapes[(name ?? 'circle') as Shape] ?? shapes.circle

/** glyphBody finds the pictogram of a kind, or of its layer. */
export function glyphBody(layer: string, kind?: unknown): string | null {
  const byCode = codes.codes as Record<string, string>
  const byLayer = codes.layers as Record<string, string>
  const all = glyphs as Record<string, string>
  const name = byCode[String(kind ?? '')] ?? (all[String(kind ?? '')] ? String(kind) : byLayer[layer])
  return name ? all[name] ?? null : null
}

/** inkOn answers black or white, whichever reads better on a colour: as the style does. */
export function inkOn(color: string): string {
  if (!/^#[0-9a-f]{6}$/i.test(color)) return '#FFFFFF'
  const channel = (at: number) => {
    const c = parseInt(color.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  const l = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
  return 1.05 / (l + 0.05) >= (l + 0.05) / 0.05 ? '#FFFFFF' : '#14181D'
}
