// Package tiles turns layers of the catalogue into vector tiles by the database
// path: one statement per tile, ST_AsMVT per layer, everything from one snapshot.
//
// It owns the tile request ([Request], [ParsePath]), the filter language of tiles,
// the engine with its cache ([Engine]), exact invalidation from the change feed
// ([Engine.Invalidate]), the dirty boxes of the live stream ([DirtyBoxes]),
// TileJSON, the figures of the layer list, and publishing a table as a layer
// ([Publish]).
//
// It imports internal/db, internal/geo, internal/feed and internal/registry; it
// must not import fasthttp, a domain package or internal/api.
//
// Invariants
//   - A tile is whole or an error: one failed layer fails the tile, and an error is
//     never cached.
//   - Every cache key and every coalescing key carries the visibility scope, the
//     role class, the rights' epoch and all canonical parameters.
//   - A render is registered before its query takes a snapshot and stored only if
//     no change touched it since (the generation check): together with the removal
//     of stored tiles this leaves no moment in which an old picture can be kept.
//   - What is left out of a tile is counted and said in [Tile.Dropped]; the worst
//     level is left out last.
//   - Vertices of areas are moved by a rule that knows only the vertex's position
//     and the zoom, so neighbours keep their common border.
//
// Two mutexes, never held together: cache.mu guards the cache, the flights and the
// position; known.mu what is remembered about layers. Nothing is called under either
// that could wait.
package tiles
