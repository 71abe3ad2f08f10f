// Package packs makes the map of an area for a phone that will be without network: one
// PMTiles file of vector tiles, zoom 8 to 16, over the area's box.
//
// A pack is made under the reach of who asks, by the tile engine that would answer him
// tile by tile, and is kept for askers of exactly that reach and nobody else: whose
// rights change asks for another pack. A pack in which a row stands that has left the
// reach since, or is gone, is dropped at once; one to which something was added or in
// which something was edited may be given for ten minutes more. What is dropped is made
// again when somebody asks.
//
// Making is bounded: one pack at a time in a process, so many waiting, so many tiles.
// Files have no name in the directory, so that nothing is left of a process that ends.
// Every process makes its own; equal data give equal bytes, mostly, and a download that
// began elsewhere begins anew where the bytes differ.
//
// The package must not import internal/api. Its PMTiles writer knows nothing of maps.
package packs
