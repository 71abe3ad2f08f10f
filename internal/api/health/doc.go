// Package health looks at what the server stands on: the database, its schema, and
// whether the planner still uses the spatial index for the role the server runs as.
// The last is asked by an actual EXPLAIN: row-level security or a lost LEAKPROOF mark
// turns an index scan into a scan of the whole table, a factor of a thousand.
//
// It imports internal/db and migrations and writes nothing.
package health
