import '../polyfills.ts'
import { mount } from 'svelte'
import { createCore } from './core/index.ts'
import { app } from './ui/app.svelte.ts'
import Field from './ui/Field.svelte'

const target = document.getElementById('app')
if (target) {
  const core = createCore()
  void app.begin(core)
  mount(Field, { target })
}
