import '../polyfills.ts'
import { mount } from 'svelte'
import { createCore } from './core/index.ts'
import { app } from './ui/app.svelte.ts'
import Field from './ui/Field.svelte'

const target = document.getElementById('app')
if (target) {
  const core = createCore()
  const begin = () => {
    void app.begin(core)
    mount(Field, { target })
  }
  // Inside WeChat: how to get out of it comes first.
  if (/MicroMessenger/i.test(navigator.userAgent)) void import('./core/wechat.ts').then((m) => m.guide(target, begin), begin)
  else begin()
}
