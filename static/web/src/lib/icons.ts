import ui from '../symbols/ui.json'

/** The icons of the interface; apart from the map's symbols, so that signing in loads only these. */
export type UIIcon = keyof typeof ui
export const uiBody = (name: UIIcon): string => ui[name]
