import '../polyfills.ts'
import { mount } from 'svelte'
import Plan from './Plan.svelte'

// The table itself is fetched beside the plan, not after it.
if (new URL(location.href).searchParams.has('id')) import('./Bench.svelte').catch(() => { /* the page says so when it needs it */ })

const target = document.getElementById('app')
if (target) mount(Plan, { target })
