// Package field owns the grid worker's day: the hazard points he marks, the shelters he
// checks, his patrols, the tasks he is sent, the notices he acknowledges, and what his
// phone shows when it wakes: his grid, whom to ring, the ways out.
//
// What devices write comes through the sync engine ([Service.Kinds]); the office's side
// (sending tasks and notices, counting patrols) is the rest of [Service]. It writes
// shelter_checks, patrols, tasks, notices, notice_acks, and hazards as far as people mark
// them. It imports internal/{audit, auth, db, geo, records, registry, restricted, sync}.
// It must not import another domain or internal/api.
//
// Invariants: nothing a device sent is refused for being sent twice, it is counted once
// (a patrol by device, grid, kind and minute, an acknowledgement by person); a task has
// one who does it, and only he accepts, does or hands it back; what was issued is not
// edited; whoever sends acts within his own area, and so does whoever is sent.
package field
