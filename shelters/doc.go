// Package shelters owns the places people go to as the command centre works with them:
// whether one is open, full or closed and when somebody last confirmed it, who is there,
// and what is promised.
//
// It writes the layer shelters (state, occupancy, reserved, confirmed_at) and the records
// shelter_reservations and shelter_checkins. It imports internal/{audit, auth, db, geo,
// registry}. It must not import another domain or internal/api.
//
// Invariants: what is promised never rises beyond what is free, however many promise at
// once (the shelter's row is held, and the database refuses it too); people who are there
// are counted however many they are; the same check-in sent twice is counted once; an
// "open" nobody confirmed for longer than the rule set shelter_rules says is stale, and
// so it is shown.
package shelters
