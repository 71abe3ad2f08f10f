// Package incidents owns what is reported from the field as it happens: 险情, which cannot
// wait, and 灾情; and the incidents (突发事件) the command room makes of them and of calls:
// their level, reports upwards, clocks, timeline, sketches, merging.
//
// A report comes in through the sync engine ([Service.Kind]); the duty desk sees it, one
// person takes it, and it is dismissed or closed, or becomes an incident
// ([Service.FromReport]). An incident also comes by a call, a click on the map or a program
// ([Service.Receive]), and by import.
//
// It writes incident_reports, incidents, incident_sketches, incident_intake, incident_entry,
// incident_event and incident_clock, and reads the rule sets incident_level_*,
// incident_clocks and incident_duplicates. It imports internal/{audit, auth, db, geo,
// records, registry, sync}. It must not import another domain or internal/api.
//
// Invariants: a report of 险情 is stored whatever its place, clock or grid says, also
// without a position, and what is odd about it is noted; it alarms until a person takes
// it; exactly one person takes it, and the second is told who; who saw, took and ended it
// never changes (the database holds that too); it is read by its sender and by the duty
// desks of where it lies and of where its sender belongs, and by nobody else.
//
// An incident needs no place on the map; its level is proposed by rule and confirmed by a
// person, and nothing but the confirmed one is shown as its level; what was sent upwards
// and what was written on its timeline never changes, a correction is another report; a
// clock that ended keeps how late it was, whatever its rule says later; a merged one keeps
// its number and reports and is in no count; an exercise has numbers of its own and is in
// no count unless it is asked for; an archived one never changes. A place written latitude
// first is refused with what it should be, and turned round only by whoever sent it.
package incidents
