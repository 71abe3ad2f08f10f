// Package basemap reads the base map that travels in the binary: land and water of
// Natural Earth in a PMTiles archive built by static/web and embedded by static.
//
// It owns the reading of that one archive. It imports static and nothing else of ours,
// writes nothing and opens no file; internal/api serves its tiles at
// /basemap/{z}/{x}/{y}.mvt.
//
// Invariants: the archive's single directory is read once and never changes; tile
// bytes are slices of the embedded archive, so callers must not modify them.
package basemap
