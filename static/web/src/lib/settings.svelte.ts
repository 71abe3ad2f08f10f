import type { LayerSetting } from '../map/compose.ts'
import { presets } from './presets.ts'
import { State } from './state.svelte.ts'
import { remember } from './store.ts'
import type { Layer } from './types.ts'

/** Settings is what a person does to the layers. Every change goes through changed(). */
export class Settings extends State {
  protected changed(): void {
    this.engine?.update({ view: this.view })
    this.writeAddress()
  }

  show(id: string, visible: boolean): void {
    const setting = this.settings[id]
    const layer = this.layer(id)
    if (!setting || !layer) return
    setting.visible = visible
    delete this.failedLayers[id]
    this.changed()
    this.say(this.t(visible ? 'say_layer_on' : 'say_layer_off', { layer: layer.title }))
  }

  showTheme(theme: string, visible: boolean): void {
    for (const layer of this.catalogue?.layers ?? []) if (layer.theme === theme && this.settings[layer.id]) this.settings[layer.id]!.visible = visible
    this.changed()
  }

  setOpacity(id: string, opacity: number): void {
    const setting = this.settings[id]
    if (!setting) return
    setting.opacity = opacity
    this.changed()
  }

  toggleLevel(layer: Layer, level: number): void {
    const setting = this.settings[layer.id]
    if (!setting) return
    const shown = this.laddersOf(layer).find((l) => l.value === null || setting.kinds?.includes(l.value))
    const all = shown?.steps.map((s) => s.level) ?? []
    const now = new Set(setting.levels ?? all)
    if (now.has(level)) now.delete(level)
    else now.add(level)
    setting.levels = now.size === all.length || now.size === 0 ? null : all.filter((l) => now.has(l))
    this.changed()
  }

  toggleKind(layer: Layer, kind: string, all: string[]): void {
    const setting = this.settings[layer.id]
    if (!setting) return
    const now = new Set(setting.kinds ?? all)
    if (now.has(kind)) now.delete(kind)
    else now.add(kind)
    setting.kinds = now.size === all.length || now.size === 0 ? null : all.filter((k) => now.has(k))
    this.changed()
  }

  resetFilter(id: string): void {
    const setting = this.settings[id]
    if (!setting) return
    setting.levels = null
    const layer = this.layer(id)
    setting.kinds = layer ? this.usual(layer).kinds : null
    this.changed()
  }

  /** pickLadder shows one of several ladders of a layer, and hides what belongs to the others. */
  pickLadder(id: string, value: string): void {
    const setting = this.settings[id]
    if (!setting) return
    setting.kinds = [value]
    setting.levels = null
    this.changed()
  }

  move(id: string, by: number): void {
    const theme = this.layer(id)?.theme
    const group = this.order.filter((other) => this.layer(other)?.theme === theme)
    const from = group.indexOf(id)
    const to = Math.min(group.length - 1, Math.max(0, from + by))
    if (from < 0 || from === to) return
    group.splice(from, 1)
    group.splice(to, 0, id)
    let k = 0
    this.order = this.order.map((other) => (this.layer(other)?.theme === theme ? group[k++]! : other))
    remember('order', this.order.join(','))
    this.changed()
    this.say(this.t('layer_moved', { layer: this.layer(id)?.title ?? id, n: to + 1 }))
  }

  preset(id: string): void {
    const preset = presets.find((p) => p.id === id)
    if (!preset || !this.catalogue) return
    const before = $state.snapshot(this.settings) as Record<string, LayerSetting>
    for (const layer of this.catalogue.layers) {
      this.settings[layer.id] = this.usual(layer, preset.pick(layer))
    }
    this.changed()
    this.tell(this.t('preset_applied', { name: this.t(preset.title) }), 'info', {
      label: this.lang === 'en' ? 'Undo' : '撤销',
      run: () => { this.settings = before; this.changed() },
    })
  }

  setTextures(on: boolean): void {
    this.textures = on
    remember('texture', on ? '1' : '0')
    this.changed()
  }
}
