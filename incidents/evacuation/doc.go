// Package evacuation owns 叫应 and 转移: who is called out for a warning, an incident or a
// drawn area, the calls that were made, and how many people of each village have moved.
//
// It writes callouts, callout_villages, call_targets, calls and evacuation_entries and
// nothing else; it reads alerts, incidents, units, grids, hazards, responsibilities and the
// duty roster, and of restricted data only counts and masked numbers. It imports
// internal/{audit, auth, db, decision, geo, records, registry, sync}. It must not import
// another domain, the packages beside it or internal/api.
//
// Invariants: calls and entries are only ever added, and one sent twice is one; what is
// shown is folded from them by their own times, so the order they came in changes nothing;
// the parts of a village's board add up to who is to move; a village is never complete while
// somebody on its list has not answered, and no percentage is 100 before; an unknown figure
// is null and never 0; who does not answer in time is followed by his deputy and then by the
// duty desk of the township, which reaches the village in nobody's stead; numbers leave only
// in masks.
package evacuation
