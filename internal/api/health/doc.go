// Package health looks at what the server stands on: the database, its schema, and
// whether the planner still uses the spatial index for the role the server runs as.
// The last is asked by an actual EXPLAIN of a tile's own statement under claims: a lost
// LEAKPROOF mark turns an index scan into a scan of the whole table, a factor of a
// thousand. And whether that role is one row-level security holds for.
//
// It imports internal/db, migrations, and tiles for the statement; it writes nothing.
package health
