package zoning

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// TestPreventionOfARiskPlan: the risk of a plan of prevention may be that of zones somebody
// drew, computed or published, and not of an index.
func TestPreventionOfARiskPlan(t *testing.T) {
	d := newDistrict(t, 5, 2)
	for v := range 10 {
		d.people(5, v, 100, 10)
		d.exec(`insert into shelters (name, capacity, geom) values ('s', $2, $1)`, at(5, v, 30, 30), 10+v*v*5)
	}
	d.exec(`insert into dangers (name, level, state, geom) values ('d', 1, 'verified', $1)`, at(5, 3, 30, 30))
	// Zones of risk that are not the units: three quarters of 村1, all of 村2 and half of 村3 are
	// of the worst level, the lower rest of the second; the upper row is of the least but for
	// 村10, most of which nobody has graded.
	risk := d.draft(Risk, "", false)
	zones := map[coverage.ID]struct {
		s     coverage.Shape
		level int
	}{
		zid(1): {box(side/4, 0, side*2.5, side), 1},
		zid(2): {box(side*2.5, 0, side*5, side), 2},
		zid(3): {box(0, side, side*4.4, side*2), 5},
		zid(4): {box(0, 0, side/4, side), 3},
	}
	var steps []Step
	for _, id := range slices.Sorted(keys(zones)) {
		steps = append(steps, Step{Op: coverage.Op{Kind: coverage.Add, Zone: id, Shape: zones[id].s}, Set: Attributes{Level: new(zones[id].level)}})
	}
	d.mustEdit(risk, steps...)
	want := map[string]int{"村1": 1, "村2": 1, "村3": 1, "村4": 2, "村5": 2, "村6": 5, "村7": 5, "村8": 5, "村9": 5, "村10": 0}
	id := d.draft(Prevention, "", true)
	spec := ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("shelter_capacity", "")}, Prevention: &PreventionSpec{RiskPlan: risk}}
	prove := func(r ComputeResult, ability bool) {
		t.Helper()
		table := [][]int{{1, 1, 1, 1, 1}, {2, 2, 1, 1, 1}, {3, 2, 2, 2, 1}, {3, 3, 3, 2, 2}, {3, 3, 3, 3, 3}}
		abilities := map[int]bool{}
		for name, z := range d.byName(id) {
			var a unitAttrs
			if err := json.Unmarshal(z.Attrs, &a); err != nil {
				t.Fatal(err)
			}
			if a.Risk != want[name] || a.Index != nil {
				t.Errorf("%s is of risk %d, want %d; index %v", name, a.Risk, want[name], a.Index)
			}
			if a.Risk == 0 {
				if z.Level != 0 {
					t.Errorf("%s: nobody knows its risk, and it is of level %d", name, z.Level)
				}
				continue
			}
			abilities[a.Capability] = true
			level := table[a.Risk-1][a.Capability-1]
			if name == "村4" {
				level = min(level, 2) // 重大隐患
			}
			if z.Level != level {
				t.Errorf("%s: risk %d, capability %d: level %d, want %d", name, a.Risk, a.Capability, z.Level, level)
			}
		}
		if (len(abilities) > 1) != ability {
			t.Errorf("capabilities %v", abilities)
		}
		if r.Units != 10 || r.MissingN != 1 || r.Missing[0].Name != "村10" || !slices.Equal(r.Missing[0].Indicators, []string{riskPlanInput}) {
			t.Errorf("missing %+v", r.Missing)
		}
		in := slices.IndexFunc(r.Inputs, func(in ComputeInput) bool { return in.ID == riskPlanInput })
		if in < 0 || r.Inputs[in].Rows != 4 || r.Inputs[in].Layer != "zones" || r.Inputs[in].Datasets == "" || r.Inputs[in].Position == "" {
			t.Errorf("inputs %+v", r.Inputs)
		}
		for _, code := range []string{"risk_plan_not_in_force", "risk_missing_units"} {
			if !slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.Code == code }) {
				t.Errorf("no %s: %+v", code, r.Warnings)
			}
		}
	}
	prove(d.mustCompute(id, spec), true)
	var how struct{ Spec ComputeSpec }
	p, err := d.s.Plan(context.Background(), d.by.Identity, id)
	if err != nil || json.Unmarshal(p.Method, &how) != nil || how.Spec.Prevention.RiskPlan != risk || how.Spec.Classify.Method != "" {
		t.Errorf("the plan does not say of what it was made: %s %v", p.Method, err)
	}
	// No indicator at all: capability is taken as medium, and said to be.
	spec.Indicators = nil
	r := d.mustCompute(id, spec)
	prove(r, false)
	if !slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.Code == "capability_unknown" }) {
		t.Errorf("%+v", r.Warnings)
	}
	if r.Weights == nil || r.Breaks == nil || math.IsNaN(r.GVF) {
		t.Errorf("%+v", r)
	}
	d.whole(id)

	mapped := d.draft(Risk, "hazard_4", true)
	for name, bad := range map[string]struct {
		pre        PreventionSpec
		indicators []IndicatorSpec
		want       string
	}{
		"no plan":            {PreventionSpec{RiskPlan: newID(d.s.now())}, nil, "unknown"},
		"no id":              {PreventionSpec{RiskPlan: "x"}, nil, "unknown"},
		"a prevention plan":  {PreventionSpec{RiskPlan: id}, nil, "kind"},
		"another ladder":     {PreventionSpec{RiskPlan: mapped}, nil, "ladder"},
		"risk beside it":     {PreventionSpec{RiskPlan: risk}, []IndicatorSpec{one("population_density", "")}, "risk_given"},
		"no risk whatsoever": {PreventionSpec{}, nil, "count"},
	} {
		_, err := d.compute(id, ComputeSpec{Unit: UnitVillage, Indicators: bad.indicators, Prevention: &bad.pre})
		if c, _ := fault(err); c != bad.want {
			t.Errorf("%s: %v", name, explain(err))
		}
	}
	// Who does not see the plan of risk does not use it.
	d.exec(`insert into admin (code, admin_code, name, rank, geom) select '990200', '990200', '邻县', 3, geom from admin where code = $1`, county)
	theirs, err := d.s.Create(context.Background(), d.person(7, auth.Planner, "990200"), NewPlan{Hazard: "multi", Kind: Risk, Title: "邻县综合区划", Area: "990200", Exhaustive: true})
	if err != nil {
		t.Fatal(explain(err))
	}
	if _, err := d.compute(id, ComputeSpec{Unit: UnitVillage, Prevention: &PreventionSpec{RiskPlan: theirs.ID}}); err == nil {
		t.Error("a neighbour's draft was used")
	} else if c, _ := fault(err); c != "unknown" {
		t.Errorf("a neighbour's draft: %v", explain(err))
	}
	// A plan nobody graded says nothing.
	empty := d.draft(Risk, "", true)
	_, err = d.compute(id, ComputeSpec{Unit: UnitVillage, Prevention: &PreventionSpec{RiskPlan: empty}})
	if c, _ := fault(err); c != "no_levels" {
		t.Errorf("not graded: %v", explain(err))
	}
}
