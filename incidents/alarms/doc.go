// Package alarms owns what rings in the command room: gauges past their levels, villages
// to move, stations that stopped, 险情 nobody took, deadlines that passed, warnings in
// force, and what devices signal by themselves.
//
// It writes alarms, alarm_count and alarm_quiet and nothing else; of what it tells of it
// reads only what [Source]s give it, which cmd wires, and the reports and warnings named in
// queries/conditions.sql. It imports internal/{audit, auth, db, geo, records, registry}. It
// must not import another domain, another part of incidents or internal/api.
//
// Invariants: one event in one area is one row, however often it is signalled; how often is
// counted, and the change feed hears of counts every few seconds at most; a signal that was
// acknowledged is counted in the database; what gets worse rings again; the most severe is
// never kept quiet; what nobody acknowledges goes a step up, once, whichever node sees it;
// who acknowledged an alarm first stays, and the second is told who.
package alarms
