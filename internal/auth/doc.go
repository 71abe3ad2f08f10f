// Package auth owns who somebody is and what he may do: accounts, sign-in, sessions,
// tokens, grants. It writes the schema auth and nothing else; every change is one
// transaction that also holds its row of the audit.
//
// It imports internal/{audit, db, feed, geo, registry}. It must not import
// internal/api or a domain.
//
// Invariants: no secret is stored in a form that could be used (passwords as
// argon2id, sessions and tokens as SHA-256); identifying a known caller costs no
// round trip; rights that could not be read for five seconds are no rights.
package auth
