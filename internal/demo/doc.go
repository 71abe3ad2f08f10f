// Package demo invents a county: a fictional place with terrain, rivers,
// boundaries, roads, settlements, people and every kind of record the product
// keeps, so that a fresh installation opens on a living map.
//
// It owns nothing but arithmetic. It does no I/O, holds no SQL and imports
// nothing of this module: a caller turns the features into rows. Everything
// follows from Options: equal options give equal features, byte for byte, on
// one architecture (fused multiply-add may differ between architectures).
// Nothing here may name a real place, person or company; the codes use the
// unassigned prefix 990100.
//
// Invariants the tests hold: villages tile the townships and the townships the
// county with shared vertices; every ring is simple; the road network is one
// component; people in buildings, cells, grids and villages add up to the same
// number; records lie where such things lie (landslides on slopes, gauges on
// rivers, shelters at schools and squares).
//
// The order of making is the order of dependence: terrain, water, villages,
// roads, settlements, grids, then the records. Each step draws from its own
// random stream, so a change in one step does not reshuffle the others.
package demo
