// Package bench measures the tile engine against raw ST_AsMVT on the same data:
// CPU per tile, of this process and of its PostgreSQL backend together, time and
// size. It builds the database itself from the benchmark's data set.
//
// The rival gets everything in its favour: coordinates stored in EPSG:3857, no
// visibility, no generalisation, no compression, no HTTP. Both carry the same
// attributes and the same features.
package bench
