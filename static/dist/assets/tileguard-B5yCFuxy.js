// Runs in the map's workers, as it stands (it is copied, not built). A line that swallows what is
// sent would keep the request for a tile for ever, and with it one of the few places a
// browser has for a server: after 45 s it counts as failed, and is asked for again.
(() => {
  const ask = self.fetch.bind(self)
  self.fetch = (what, how) => {
    const request = new Request(what, how), end = new AbortController(), stop = () => end.abort()
    let late = false
    // Left running until the body is read, too: ending what has ended does nothing.
    setTimeout(() => { late = true; end.abort() }, 45000)
    request.signal.addEventListener('abort', stop)
    return ask(request, { signal: end.signal }).catch((fault) => { throw late ? new TypeError('no answer') : fault })
  }
})()
