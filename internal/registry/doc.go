// Package registry holds in memory what the bureau may change without a new
// program: code lists and ladders, rule sets, settings, administrative aliases and
// the layer catalogue with its typed fields.
//
// A [Snapshot] is immutable; [Registry] swaps it atomically when the feed reports a
// change of $registry or $catalogue. Nothing here writes: the packages that own an
// administration task do. It imports internal/db and internal/geo only.
package registry
