// Package incidents owns what is reported from the field as it happens: 险情, which cannot
// wait, and 灾情. A report comes in through the sync engine ([Service.Kind]); the duty desk
// sees it, one person takes it, and it is dismissed or closed.
//
// It writes incident_reports and nothing else. It imports internal/{audit, auth, db, geo,
// records, registry, sync}. It must not import another domain or internal/api.
//
// Invariants: a report of 险情 is stored whatever its place, clock or grid says, also
// without a position, and what is odd about it is noted; it alarms until a person takes
// it; exactly one person takes it, and the second is told who; who saw, took and ended it
// never changes (the database holds that too); it is read by its sender and by the duty
// desks of where it lies and of where its sender belongs, and by nobody else.
package incidents
