import '../polyfills.ts'
import { mount } from 'svelte'
import Duty from './Duty.svelte'

const target = document.getElementById('app')
if (target) mount(Duty, { target })
