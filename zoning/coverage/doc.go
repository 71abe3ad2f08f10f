// Package coverage is the topology of a zoning plan, in integers.
//
// Coordinates lie on a grid of 1e-8 degree and are int64 here, so every question
// (do two zones share this border, does this ring cross itself) has one exact answer
// and no tolerance. A plan is a coverage: with the interior on the left, every directed
// edge is used by one zone, and its reverse by exactly one other zone or by the
// boundary of the plan. As the zones are simple polygons, that alone makes the sum of
// their indicator functions 1 inside the boundary and 0 outside: no gap, no overlap, no
// sliver, however thin. Plans that need not be exhaustive forbid overlap only.
//
// The package owns the grid, the check, what each edit does to a coverage, healing,
// and the generalisation of shared borders. It knows no database. Where lines must be cut
// at one another it does so itself, exactly: a crossing is rounded to the grid, which
// bends both edges by at most half a step in each coordinate, and is repeated until
// nothing crosses; every user of an edge gets the node, so borders stay shared. A caller
// may give a [Noder] (PostGIS with a gridSize) to be asked first; what it leaves or bends
// is settled the same way, so the result is right whatever it answers.
package coverage
