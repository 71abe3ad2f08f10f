/** What Chromium 90 lacks and our libraries use. Each is the standard's own behaviour. */
type At = { at(index: number): unknown; length: number; [i: number]: unknown }

function at(this: At, index: number): unknown {
  const n = Math.trunc(index) || 0
  return this[n < 0 ? this.length + n : n]
}
for (const proto of [Array.prototype, String.prototype, Object.getPrototypeOf(Int8Array.prototype)] as object[]) {
  if (!('at' in proto)) Object.defineProperty(proto, 'at', { value: at, writable: true, configurable: true })
}
if (typeof (Object as { hasOwn?: unknown }).hasOwn !== 'function') {
  Object.defineProperty(Object, 'hasOwn', { value: (o: object, k: PropertyKey) => Object.prototype.hasOwnProperty.call(o, k), writable: true, configurable: true })
}
if (!('throwIfAborted' in AbortSignal.prototype)) {
  Object.defineProperty(AbortSignal.prototype, 'throwIfAborted', {
    value(this: AbortSignal) { if (this.aborted) throw new DOMException('The operation was aborted.', 'AbortError') },
    writable: true, configurable: true,
  })
}
if (typeof structuredClone === 'undefined') {
  // Svelte clones only plain data of ours.
  Object.defineProperty(globalThis, 'structuredClone', { value: (v: unknown) => (v === undefined ? v : JSON.parse(JSON.stringify(v))), writable: true, configurable: true })
}
export {}
