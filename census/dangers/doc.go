// Package dangers keeps hidden dangers (隐患) as a closed loop, from the report to 销号,
// and the measures (制度措施) linked with them.
//
// It owns the tables dangers (a layer like others), danger_action, danger_extension,
// measure and danger_measure, and the rule sets danger_deadlines and post_card. It is the
// kind "dangers" of internal/sync. It knows no HTTP and imports no other domain.
//
// What must stay true (the database holds it too):
//   - a step is taken by a person whose role may, from the state it begins in;
//   - who put a danger right does not review it, who graded it or made its plan does not
//     approve it; persons are compared, not roles;
//   - overdue is derived, and only an approved extension moves a deadline;
//   - what is closed or rejected never changes: found again, it is a new linked record;
//   - a unit sees what is assigned to it, and nothing else.
package dangers
