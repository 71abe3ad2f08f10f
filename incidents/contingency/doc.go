// Package contingency owns 预案 as data: plans with their clauses (hazard, level, action,
// unit, minutes), which clauses apply to something that happens, and the tasks that are
// made of them, each acknowledged and done within its minutes. "plan" is the zoning plan;
// in code this is contingency and nothing else.
//
// It writes contingencies, contingency_clauses and response_tasks. A response or an
// incident is an id and values to it. It imports internal/{audit, auth, db, geo, records,
// registry}. It must not import another domain or internal/api.
//
// Invariants: a clause that became a task stays as it was worded then; a clause makes one
// task of a response and never two; when a task was acknowledged and done is written once
// (the database holds these too); tasks of an exercise are counted with it and nowhere
// else.
package contingency
