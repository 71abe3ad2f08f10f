/* Runs before the app, as old script on purpose (ES5, no module): it sets the theme so
   nothing flashes, and sends browsers that cannot run the app to a plain page. */
(function () {
  'use strict'
  var root = document.documentElement
  function param(name) {
    var found = new RegExp('[?&]' + name + '=([^&#]*)').exec(location.search)
    return found ? decodeURIComponent(found[1]) : ''
  }
  var theme = param('theme')
  // The command room has a theme of its own: dark, unless somebody chose otherwise there.
  var room = location.pathname === '/command' ? '.command' : ''
  try { theme = theme || localStorage.getItem('onemap.theme' + room) || '' } catch (e) { /* storage may be off */ }
  if (room && theme !== 'light') theme = 'dark'
  if (theme !== 'light' && theme !== 'dark') {
    theme = window.matchMedia && matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  }
  root.setAttribute('data-theme', theme)
  function missing() {
    if (!('noModule' in document.createElement('script'))) return 'modules'
    if (!window.Promise || !window.fetch || !window.Proxy || !window.EventSource || !window.ResizeObserver) return 'platform'
    if (!String.prototype.replaceAll) return 'language'
    var chromium = /Chrom(?:e|ium)\/(\d+)/.exec(navigator.userAgent)
    if (chromium && Number(chromium[1]) < 90) return 'version'
    return ''
  }
  var why = missing()
  if (why && !param('retry')) location.replace('/old.html?why=' + why)
})()
