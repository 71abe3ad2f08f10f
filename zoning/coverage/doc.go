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
// and the generalisation of shared borders. It knows no database: where new lines must
// be cut at old ones it asks a [Noder], which the caller has (PostGIS with a gridSize).
package coverage
