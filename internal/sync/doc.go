// Package sync takes what devices in the field write, exactly once, and lets people
// decide what machines cannot.
//
// A device sends operations. Each has an id of its own and gets one verdict, given after
// the commit; the log of operations only grows. The engine compares the base a field was
// edited from with what it is now: equal edits are no conflict, different fields merge,
// the same field keeps both values for a person. What cannot be placed is kept in
// quarantine, never refused.
//
// The package owns the log, the conflicts and the quarantine. Records belong to the
// domains, which it knows as a [Kind]. It must not import a domain or internal/api.
package sync
