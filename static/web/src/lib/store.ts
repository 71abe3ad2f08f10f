/** Small choices kept in the browser. Storage may be forbidden; then they last as long as the page. */
const own = new Map<string, string>()

export function remember(key: string, value: string): void {
  own.set(key, value)
  try { localStorage.setItem(`onemap.${key}`, value) } catch { /* forbidden or full */ }
}

export function recall(key: string): string | null {
  const held = own.get(key)
  if (held !== undefined) return held
  try { return localStorage.getItem(`onemap.${key}`) } catch { return null }
}
