package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// PlanQuery says which plans. Zero fields ask nothing.
type PlanQuery struct {
	Series string
	State  State
	Hazard string
	Kind   string
	Area   string // administrative code: plans that touch it
	Text   string // part of the title or the document number
	Limit  int    // default 100, at most 1000
	Cursor string
}

// PlanPage is some plans, newest first.
type PlanPage struct {
	Plans []Plan
	Next  string
}

// Start is what a new plan begins with.
type Start string

// The starts.
const (
	StartWhole     Start = "whole"     // one ungraded zone over the area
	StartTownships Start = "townships" // one zone per township
	StartVillages  Start = "villages"  // one zone per village
	StartEmpty     Start = "empty"
)

// NewPlan is a series to be, and its first version.
type NewPlan struct {
	Hazard, Kind, Title, Area string
	Exhaustive                bool
	Unit, Ladder              string // "": free; the usual ladder of the kind
	Start                     Start  // "": whole where exhaustive, else empty
	Responsible, Note         string
}

// PlanPatch names what changes; nil leaves as it is.
type PlanPatch struct{ Title, Note, Responsible, Ladder, Unit *string }

// ZoneSet is the zones of a version, whole or in a box.
type ZoneSet struct {
	Plan     Plan
	Zones    []Zone
	Area     coverage.Shape
	Position string // of the feed: what is shown contains everything up to it
}

// Plans lists the plans the asker may see.
func (s *Service) Plans(ctx context.Context, who *auth.Identity, q PlanQuery) (PlanPage, error) {
	return PlanPage{}, errUnfinished
}

// Plan is one version. [auth.ErrNotFound] where there is none, or none he may see.
func (s *Service) Plan(ctx context.Context, who *auth.Identity, id string) (Plan, error) {
	return Plan{}, errUnfinished
}

// Create makes a series with its first version, a draft.
func (s *Service) Create(ctx context.Context, by auth.By, n NewPlan) (Plan, error) {
	return Plan{}, errUnfinished
}

// NewVersion makes the next version of a series from the zones of id, a draft.
func (s *Service) NewVersion(ctx context.Context, by auth.By, id, note string) (Plan, error) {
	return Plan{}, errUnfinished
}

// Update changes what a draft is called.
func (s *Service) Update(ctx context.Context, by auth.By, id string, version int64, p PlanPatch) (Plan, error) {
	return Plan{}, errUnfinished
}

// Remove throws a draft away that was never submitted.
func (s *Service) Remove(ctx context.Context, by auth.By, id string, version int64) error {
	return errUnfinished
}

// Zones are the zones of a version, those that touch the box where one is given.
func (s *Service) Zones(ctx context.Context, who *auth.Identity, id string, box *orb.Bound) (ZoneSet, error) {
	return ZoneSet{}, errUnfinished
}

// Zone is one zone of a version.
func (s *Service) Zone(ctx context.Context, who *auth.Identity, id, zone string) (Zone, error) {
	return Zone{}, errUnfinished
}

// visible says whether the asker may know of the plan.
func (s *Service) visible(who *auth.Identity, p Plan) bool { return false }

// drafter is the grant under which the asker draws on the plan. Whoever may not see it
// gets [auth.ErrNotFound], whoever may not draw [auth.ErrForbidden], and where the state
// does not allow it a [StateError] not_editable.
func (s *Service) drafter(by auth.By, p Plan) (auth.Grant, error) {
	return auth.Grant{}, errUnfinished
}

// plan reads one version under the claims of the transaction, whoever asks. lock holds
// it until the end: every change of a plan or its zones takes it first, so that the
// state it saw is the state it changes.
func (s *Service) plan(ctx context.Context, tx pgx.Tx, id string, lock bool) (Plan, error) {
	return Plan{}, errUnfinished
}

// zones reads the zones of a version in a transaction: all, those that touch the box, or
// the named ones.
func (s *Service) zones(ctx context.Context, tx pgx.Tx, plan string, box *orb.Bound, only []string) ([]Zone, error) {
	return nil, errUnfinished
}

// area reads the boundary of a version, empty where it has none.
func (s *Service) area(ctx context.Context, tx pgx.Tx, plan string) (coverage.Shape, error) {
	return nil, errUnfinished
}

// position is the place in the feed of what this transaction wrote.
func (s *Service) position(ctx context.Context, tx pgx.Tx) (string, error) {
	return "", errUnfinished
}
