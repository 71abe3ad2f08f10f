import '../polyfills.ts'
import { mount } from 'svelte'
import Plan from './Plan.svelte'

const target = document.getElementById('app')
if (target) mount(Plan, { target })
