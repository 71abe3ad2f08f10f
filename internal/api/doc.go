// Package api is the HTTP surface: the route table, the decoding of requests, the
// problem documents, the OGC API, the stream of changes, the static site.
//
// It is the only package besides cmd that knows fasthttp. A handler receives a
// [context.Context] and an owned [Request] and returns a [Response] or an error; it
// never sees fasthttp's RequestCtx, whose memory is reused as soon as the handler
// returns. One table of [Route] values feeds the router, the metrics labels, the
// OpenAPI documents' test and the probes, so a path cannot exist in one and be
// missing in another.
//
// Invariants:
//   - Nothing outside fasthttp's own structures keeps bytes of a request: decode
//     copies what handlers may use.
//   - A context given to a handler ends when the client leaves, when the server
//     shuts down or when the handler returned. The watch on the socket starts when
//     somebody first asks for Done, so a cached answer costs nothing.
//   - Every error a client sees is a problem document from the message table; SQL,
//     stack traces and request bytes are never shown or logged.
//   - Every route says who may call it; [New] refuses one that does not. All pass one
//     door (guard.go), which finds out who asks before anything of the request but its
//     path is looked at. A credential that is not valid is never taken for none.
//   - What an asker may not see is answered exactly as what is absent, by the same
//     code: 401 to anonymous callers, 404 to others.
//   - A body is limited before it is read, and decoded by one strict decoder.
//     A file is taken only from who may send it, and goes to the disk as it comes.
//   - A draft of a plan is shown to who may see the plan, who is asked every time: tiles
//     of drafts have keys of their own in the cache.
//   - No answer that depends on who asked may be kept by a shared cache; nothing of a
//     person is kept at all.
//   - Until accounts exist the server is read only, shows loopback callers the rows of
//     a demonstration, and nobody behind a proxy anything.
//
// Locks: hub.mu guards the set of streams; stream.mu guards one stream's queue. A
// holder of hub.mu may take stream.mu, never the other way round.
package api
