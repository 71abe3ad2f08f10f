import '../polyfills.ts'
import { mount } from 'svelte'
import Command from './Command.svelte'

const target = document.getElementById('app')
if (target) mount(Command, { target })
