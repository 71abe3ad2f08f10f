/**
 * Opened inside WeChat, the page has no service worker that lasts and loses its storage when
 * WeChat cleans up. This says, in pictures, how to open it in the browser; whoever cannot may
 * go on all the same.
 */
import './wechat.css'

const words = {
  zh: {
    title: '请在手机浏览器里打开', why: '在微信里打开，断网时用不了，存的东西也可能被微信清掉。', one: '点右上角的三个点', two: '选“在浏览器打开”', three: '打开后，选“添加到主屏幕”，以后从桌面进',
    none: '没有这一项？复制网址，贴到浏览器里:', copy: '复制网址', copied: '已复制', go: '先在微信里用',
  },
  en: {
    title: 'Please open this in the browser', why: 'Inside WeChat it does not work without network, and WeChat may clear what it keeps.', one: 'Tap the three dots at the top right', two: 'Choose “Open in browser”', three: 'Then add it to the home screen and start it from there',
    none: 'Not there? Copy the address into the browser:', copy: 'Copy', copied: 'Copied', go: 'Go on in WeChat',
  },
}

const frame = (inner: string) => `<svg viewBox="0 0 320 150" role="img" aria-hidden="true" fill="none" stroke="#444" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${inner}</svg>`
const arrow = (d: string, head: string) => `<path d="${d}" stroke="#D92D20" stroke-width="5"/><path d="${head}" stroke="#D92D20" stroke-width="5"/>`
const pictures = [
  // The top bar, its three dots, and a finger's way to them.
  frame(`<rect x="10" y="12" width="300" height="44" rx="6" fill="#EDEDED"/><path d="M30 26 22 34l8 8"/><path d="M120 34h80" stroke-width="8" stroke="#BBB"/><circle cx="276" cy="34" r="15" stroke="#D92D20" stroke-width="3"/><g fill="#222" stroke="none"><circle cx="268" cy="34" r="3"/><circle cx="276" cy="34" r="3"/><circle cx="284" cy="34" r="3"/></g><path d="M30 80h180M30 100h140M30 120h160" stroke="#CCC" stroke-width="6"/>${arrow('M226 132C262 124 276 104 277 68', 'M266 78 277 62l11 15')}`),
  // The sheet from below: tiles, one of them a globe.
  frame(`<rect x="10" y="30" width="300" height="130" rx="10" fill="#F5F5F5"/><g fill="#fff"><rect x="30" y="50" width="54" height="54" rx="10"/><rect x="104" y="50" width="54" height="54" rx="10"/><rect x="178" y="50" width="54" height="54" rx="10" stroke="#D92D20" stroke-width="4"/><rect x="252" y="50" width="44" height="54" rx="10"/></g><circle cx="205" cy="77" r="16"/><path d="M189 77h32M205 61c-9 9-9 23 0 32M205 61c9 9 9 23 0 32"/><path d="M46 77h22M57 66v22" stroke="#BBB"/><path d="M120 70h22M120 84h14" stroke="#BBB"/><path d="M186 120h40" stroke="#D92D20" stroke-width="6"/><path d="M38 120h38M112 120h38M258 120h32" stroke="#CCC" stroke-width="6"/>`),
  // The home screen with our sign.
  frame(`<rect x="110" y="8" width="100" height="160" rx="12" fill="#F5F5F5"/><g fill="#DDD" stroke="none"><rect x="122" y="26" width="20" height="20" rx="5"/><rect x="150" y="26" width="20" height="20" rx="5"/><rect x="178" y="26" width="20" height="20" rx="5"/><rect x="122" y="56" width="20" height="20" rx="5"/></g><rect x="150" y="56" width="44" height="44" rx="10" fill="#1F6FEB" stroke="none"/><path d="M172 63c-7 0-12.500 5.500-12.500 12.500C159.500 84 172 95 172 95s12.500-11 12.500-19.500C184.500 68.500 179 63 172 63Z" fill="#fff" stroke="none"/><path d="m172 70 6 10h-12Z" stroke="#1F6FEB"/>${arrow('M262 92H208', 'M218 82l-12 10 12 10')}`),
]

export function guide(target: HTMLElement, go: () => void): void {
  const w = words[document.documentElement.lang.startsWith('en') ? 'en' : 'zh']
  const main = document.createElement('main')
  main.className = 'wechat'
  const add = <K extends keyof HTMLElementTagNameMap>(tag: K, text: string, to: HTMLElement = main): HTMLElementTagNameMap[K] => { const e = document.createElement(tag); e.textContent = text; to.append(e); return e }
  add('h1', w.title)
  add('p', w.why)
  for (const [i, text] of [w.one, w.two, w.three].entries()) {
    const f = add('figure', '')
    f.innerHTML = pictures[i]!
    const c = add('figcaption', '', f)
    add('b', String(i + 1), c)
    c.append(text)
  }
  const label = add('label', w.none)
  const field = add('input', '', label)
  field.readOnly = true
  field.value = location.href // with the code of an enrolment, if there is one
  const copy = add('button', w.copy)
  copy.onclick = () => {
    field.select()
    // WeChat's old kernels have no navigator.clipboard.
    if (document.execCommand('copy')) copy.textContent = w.copied
  }
  add('button', w.go).onclick = () => { main.remove(); go() }
  target.append(main)
}
