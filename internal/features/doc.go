// Package features answers questions over the layers of the catalogue: items,
// item, identify, search, and the rows behind live events. It reads whatever the
// catalogue describes (our tables and published foreign ones) and writes nothing.
//
// It imports internal/db, internal/geo and internal/registry. It must not import
// the domain packages: a question of one domain belongs there.
//
// Invariants: every statement carries the asker's scope, as claims for row-level
// security and as an explicit predicate for the plan; rows that are not shown
// (drafts) are never returned; only fields the catalogue publishes leave the
// database, so nothing of schema restricted can; texts from outside are parameters,
// and identifiers come from the catalogue and are quoted.
package features
