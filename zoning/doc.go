// Package zoning keeps zoning plans (区划方案) and their zones (区划单元): versions of a
// series, edits that keep the plan a coverage, comments, reviews, a life cycle in which
// the state decides what may be done, the comparison of versions, and the computing of a
// plan from indicators.
//
// It owns the tables plan, plan_* and the rows of zones that belong to a plan. Topology is
// in zoning/coverage (integers, no database), the arithmetic of indices in zoning/calc
// (no database). It knows no HTTP and imports no other domain.
//
// What must stay true:
//   - one edit is one transaction; what it answers is committed;
//   - the zones of a plan form a coverage after every edit (zoning/coverage decides);
//   - who drew or submitted a version neither approves nor publishes it;
//   - what is published never changes (the database holds that too).
package zoning
