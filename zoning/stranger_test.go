package zoning

import (
	"errors"
	"testing"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// What a stranger tried at the table, and what stood against it too late or not at all.

func (o *office) refuses(err error, want string) {
	o.t.Helper()
	if got := code(err); got != want {
		o.t.Errorf("%q, want %q: %v", got, want, explain(err))
	}
}

func TestALadderFitsItsPlan(t *testing.T) {
	o := newOffice(t)
	for _, c := range []struct{ kind, ladder, want string }{
		{Risk, "prevention_3", "ladder not_of_this_kind"}, {Risk, "warning_4", "ladder not_of_this_kind"}, {Prevention, "risk_5", "ladder not_of_this_kind"},
		{Risk, "no_such", "ladder unknown"},
	} {
		_, err := o.s.Create(t.Context(), o.planner, NewPlan{Hazard: "flood", Kind: c.kind, Title: "等级方案", Area: county, Ladder: c.ladder})
		o.refuses(err, c.want)
	}
	p := o.create(StartTownships)
	for id := range o.zones(p.ID) {
		o.mustEdit(p.ID, Step{Op: coverage.Op{Zones: []coverage.ID{coverage.ID(id)}}, Relevel: true, Set: Attributes{Level: new(5)}})
		break
	}
	o.again(&p)
	_, err := o.s.Update(t.Context(), o.planner, p.ID, p.Version, PlanPatch{Ladder: new("flood_4")})
	o.refuses(err, "ladder levels_lost")
	if i := new(auth.Invalid); !errors.As(err, &i) || i.Items[0].EN != "1 zones have a level the new ladder lacks: change those first" {
		t.Errorf("it does not say how many: %+v", err)
	}
	_, err = o.s.Update(t.Context(), o.planner, p.ID, p.Version, PlanPatch{Ladder: new("prevention_3")})
	o.refuses(err, "ladder not_of_this_kind")
	o.grade(p.ID)
	o.again(&p)
	if p, err = o.s.Update(t.Context(), o.planner, p.ID, p.Version, PlanPatch{Ladder: new("flood_4")}); err != nil || p.Ladder != "flood_4" {
		t.Fatalf("%v %v", p.Ladder, explain(err))
	}
	// What came in by another way is told, and does not get on.
	o.exec(`update zones set level = 5 where id = (select id from zones where plan = $1 limit 1)`, p.ID)
	v, err := o.s.Validate(t.Context(), o.planner.Identity, p.ID)
	if err != nil || len(v.Violations) != 1 || v.Violations[0].Code != UnknownLevel {
		t.Errorf("%v %+v", err, v)
	}
	o.again(&p)
	_, err = o.s.Transition(t.Context(), o.planner, p.ID, p.Version, Transition{To: Submitted})
	if refused(err) != UnknownLevel {
		t.Errorf("submitted: %v", explain(err))
	}
}

func TestALadderOfAComputedPlanStays(t *testing.T) {
	o := newOffice(t)
	p := o.create(StartTownships)
	o.exec(`update plan set method = '{"spec": {}}' where id = $1`, p.ID)
	_, err := o.s.Update(t.Context(), o.planner, p.ID, p.Version, PlanPatch{Ladder: new("flood_4")})
	o.refuses(err, "computed")
}
