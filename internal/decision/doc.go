// Package decision owns what needs two people: proposals one makes and another decides,
// and emergency orders that go at once and wait for their countersignature (待补签).
//
// An action has a line in [Actions] and, where deciding it changes something, an effect
// that runs in the transaction of the decision. Later parts of the program hand theirs
// to [Open]; what has none cannot be proposed. Emergency orders need none: the line in
// the ledger is the order.
//
// It imports internal/{auth, audit, db, geo}. It must not import internal/api or a domain.
//
// Invariants: persons are compared, by account, here and by a constraint of the table;
// what was proposed is never edited and what was decided never changed; an emergency
// order is never held up by who is on duty, only marked.
package decision
