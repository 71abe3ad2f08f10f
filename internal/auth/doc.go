// Package auth owns who somebody is and what he may do: accounts, sign-in, sessions,
// tokens, grants. It writes the schema auth and nothing else; every change is one
// transaction that also holds its row of the audit.
//
// [Service] holds accounts, grants and tokens in memory, whole, and sessions after
// their first use, so that a known caller costs no round trip. What changed is learnt
// from the feed and from a poll of its own, on a connection of its own, every 1.5 s.
// What must hold whatever the program does stands in the database (migration 0007).
//
// It imports internal/{audit, db, feed, geo, registry}. It must not import
// internal/api or a domain.
//
// Invariants: passwords are stored as argon2id, sessions, tokens, links and recovery
// codes as SHA-256; the secret of a second factor must be readable to be used, and is
// the one that is; identifying a known caller costs no round trip; rights that could
// not be read for five seconds are no rights; a session's id and secret are always new;
// nobody signs in as somebody with more rights than he administers: a link or a code is
// judged when it is made and again when it is used, a 三员 role goes only to an account its
// person has opened and voids what could still open it; a token never has more than its
// maker, and lives by the grant it comes from. A person may hold a 三员 role beside a
// business role: 三员分立 is between the three, four eyes compares persons.
//
// Locks: Service.syncing is held while the version is read and the table swapped, and
// over queries; Service.mu guards the list of listeners; sessions.mu guards the cache
// and is never held over a query. In the database rows are locked in one order:
// account, credential, grant, session, version.
package auth
