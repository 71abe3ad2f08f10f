import { tick } from 'svelte'
import { app } from './app.svelte.ts'
import { exportPNG, print } from './export.ts'

const editable = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && (target as HTMLInputElement).type !== 'checkbox')

export function focusSearch(): void {
  const input = document.querySelector<HTMLInputElement>('[data-search] input')
  input?.focus()
  input?.select()
}

export async function focusPanel(tab: 'layers' | 'list'): Promise<void> {
  app.tab = tab
  app.writeAddress()
  if (app.phone) app.sheet = 'half'
  else if (!app.leftOpen) app.setLeft(true)
  await tick()
  const inside = document.querySelector<HTMLElement>(tab === 'list' ? '#pane-list .go, #pane-list button' : '#pane-layers .eye input')
  ;(inside ?? document.getElementById(`tab-${tab}`))?.focus()
}

/** onKey serves the single-letter keys; the map's own arrow and zoom keys are MapLibre's. */
export function onKey(e: KeyboardEvent): void {
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') { e.preventDefault(); focusSearch(); return }
  // The browser's own print would put a blank canvas on paper.
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'p') { e.preventDefault(); void print(); return }
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || editable(e.target)) return
  if (app.helpOpen) return
  switch (e.key) {
    case '/': e.preventDefault(); focusSearch(); break
    case '?': e.preventDefault(); app.helpOpen = true; break
    case 'Escape':
      if (app.tip) app.tip = null
      app.closeDetail()
      break
    case 'g': case 'G': void focusPanel('layers'); break
    case 'l': case 'L': void focusPanel('list'); break
    case 'm': case 'M': app.engine?.map.getCanvas().focus(); break
    case 'h': case 'H': app.home(); break
    case 'd': case 'D': void app.setTheme(app.theme === 'dark' ? 'light' : 'dark'); break
    case 'e': case 'E': void app.setLang(app.lang === 'en' ? 'zh-CN' : 'en'); break
    case 't': case 'T': app.setTextures(!app.textures); break
    case 'p': case 'P': void exportPNG(); break
    default: return
  }
}
