package zoning

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/zoning/calc"
	"onemap/zoning/coverage"
)

func TestWhatCannotBeComputed(t *testing.T) {
	d := newDistrict(t, 3, 2)
	for v := range 6 {
		d.people(3, v, 100*(1+v%2), 1)
	}
	id := d.draft(Risk, "", true)
	before := d.state(id)
	good := func() ComputeSpec {
		return ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("population_density", ""), one("elderly_share", "")}, Classify: ClassifySpec{Method: calc.Equal}}
	}
	for name, c := range map[string]struct {
		mod        func(*ComputeSpec)
		code, path string
	}{
		"contradictory": {func(s *ComputeSpec) {
			s.Indicators = append(s.Indicators, one("children_share", ""))
			s.Weights = WeightsSpec{Method: weighAHP, AHP: &AHPSpec{Matrix: [][]float64{{1, 9, 1. / 9}, {1. / 9, 1, 9}, {9, 1. / 9, 1}}}}
		}, calc.Inconsistent, "weights/ahp/matrix/0/1"},
		"no comparisons": {func(s *ComputeSpec) { s.Weights.Method = weighAHP }, "required", "weights/ahp"},
		"another size": {func(s *ComputeSpec) {
			s.Weights = WeightsSpec{Method: weighAHP, AHP: &AHPSpec{Matrix: [][]float64{{1}}}}
		}, "size", "weights/ahp/matrix"},
		"constant": {func(s *ComputeSpec) {
			s.Indicators = []IndicatorSpec{one("hazards", "")}
			s.Indicators[0].Measure = "count"
		}, "indicator_missing", "indicators/0"},
		"missing":    {func(s *ComputeSpec) { s.Indicators = append(s.Indicators, one("flood_area_share", "")) }, "indicator_missing", "indicators/2"},
		"few values": {func(s *ComputeSpec) { s.Classify = jenks(); s.Indicators = s.Indicators[:1] }, calc.FewDistinct, "classify/k"},
		"other k":    {func(s *ComputeSpec) { s.Classify.K = 3 }, "bad_k", "classify/k"},
		"falling": {func(s *ComputeSpec) {
			s.Classify = ClassifySpec{Method: calc.Thresholds, Thresholds: []float64{1, 2, 2, 3}}
		}, calc.BadBreaks, "classify/thresholds/2"},
		"unknown": {func(s *ComputeSpec) { s.Indicators[0].Source = "nothing" }, "unknown", "indicators/0/source"},
		"unknown field": {func(s *ComputeSpec) {
			s.Indicators[0] = IndicatorSpec{Source: "hazards", Measure: "sum", Field: `"; drop table zones; --`}
		}, "unknown", "indicators/0/source"},
		"twice":            {func(s *ComputeSpec) { s.Indicators[1] = s.Indicators[0] }, "repeated", "indicators/1/id"},
		"none":             {func(s *ComputeSpec) { s.Indicators = nil }, "count", "indicators"},
		"unit":             {func(s *ComputeSpec) { s.Unit = "house" }, "unknown", "unit"},
		"one weight":       {func(s *ComputeSpec) { s.Indicators[0].Weight = new(1.) }, "bad_weights", "weights"},
		"theta":            {func(s *ComputeSpec) { s.Weights.Theta = new(math.NaN()) }, "range", "weights/theta"},
		"no capability":    {func(s *ComputeSpec) { s.Combine = combineCapability }, "no_capability", "indicators"},
		"prevention":       {func(s *ComputeSpec) { s.Prevention = &PreventionSpec{} }, "kind", "prevention"},
		"unknown hazard":   {func(s *ComputeSpec) { s.Overlay = &OverlaySpec{Hazards: []OverlayHazard{{Hazard: "dragons"}}} }, "unknown", "overlay/hazards/0"},
		"unknown dissolve": {func(s *ComputeSpec) { s.Dissolve = "all" }, "unknown", "dissolve"},
	} {
		spec := good()
		c.mod(&spec)
		_, err := d.compute(id, spec)
		if code, path := fault(err); code != c.code || path != c.path {
			t.Errorf("%s: %s at %s, want %s at %s (%v)", name, code, path, c.code, c.path, err)
		}
	}
	if after := d.state(id); after != before {
		t.Error("a refused computation changed the draft")
	}
	// All are the same: there is nothing to classify.
	d.exec(`update population set population = 100`)
	d.exec(`delete from admin where rank = 5 and code like '990100001%'`)
	_, err := d.compute(id, good())
	if code, _ := fault(err); code != "indicator_constant" && code != "indicator_missing" {
		t.Logf("constant: %v", err)
	}
	// One village only, then none.
	d.exec(`delete from admin where rank = 5 and code <> '990100002006'`)
	if _, err := d.compute(id, good()); func() bool { c, p := fault(err); return c != "one_unit" || p != "unit" }() {
		t.Errorf("one unit: %v", err)
	}
	d.exec(`delete from admin where rank = 5`)
	if _, err := d.compute(id, good()); func() bool { c, p := fault(err); return c != "no_units" || p != "unit" }() {
		t.Errorf("no villages: %v", err)
	}
	// Who may not.
	for name, by := range map[string]auth.By{"viewer": d.person(2, auth.Viewer, county), "elsewhere": d.person(3, auth.Planner, "990200"), "approver": d.person(4, auth.Approver, county), "nobody": {}} {
		if err := d.s.CheckCompute(t.Context(), by, id, good()); !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.exec(`update plan set state = 'submitted', submitted_at = now(), submitted_by = 'person1', submitted_account = $2 where id = $1`, id, d.by.Account)
	if err := d.s.CheckCompute(t.Context(), d.by, id, good()); !errors.As(err, new(*StateError)) {
		t.Errorf("submitted: %v", err)
	}
}

// TestADraftDrawnOnMeanwhileIsNotOverwritten: whoever drew while the numbers were read
// keeps his step; a cancelled computation leaves the draft as it was.
func TestADraftDrawnOnMeanwhileIsNotOverwritten(t *testing.T) {
	d := newDistrict(t, 3, 2)
	for v := range 6 {
		d.people(3, v, 100*(v+1), 1)
	}
	id := d.draft(Risk, "", true)
	spec := ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("population_density", "")}, Classify: jenks()}
	var z Zone
	for _, z = range d.zones(id) {
	}
	drawn := false
	_, err := d.s.Compute(t.Context(), d.by, id, spec, func(done, total int, what string) {
		if done == total-1 && !drawn {
			drawn = true
			d.mustEdit(id, Step{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{coverage.ID(z.Zone)}}, Set: Attributes{Name: new("改名")}})
		}
	})
	if c := new(auth.Conflict); !errors.As(err, &c) || c.Code != "changed_meanwhile" {
		t.Errorf("%v", err)
	}
	if got := d.zones(id)[z.Zone]; got.Name != "改名" {
		t.Errorf("%+v", got)
	}
	before := d.state(id)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := d.s.Compute(ctx, d.by, id, spec, func(done, total int, what string) {
		if done == 1 {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if after := d.state(id); after != before {
		t.Error("a cancelled computation changed the draft")
	}
}

// TestNothingUnseenIsMeasured: what the asker does not see is in no indicator, list, or
// number.
func TestNothingUnseenIsMeasured(t *testing.T) {
	d := newDistrict(t, 3, 2)
	for v := range 6 {
		d.people(3, v, 100*(v+1), 1)
	}
	d.exec(`update layer set visibility = 'sensitive' where layer = 'vulnerable'`)
	if err := d.s.catalogue.(interface{ Reload(context.Context) error }).Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	viewer := d.person(2, auth.Viewer, county)
	for _, src := range d.s.Indicators(t.Context(), viewer.Identity) {
		if src.Layer == "vulnerable" {
			t.Errorf("offered: %+v", src)
		}
	}
	seen := false
	for _, src := range d.s.Indicators(t.Context(), d.by.Identity) {
		seen = seen || src.Source == "vulnerable_density"
	}
	if !seen {
		t.Error("a planner sees sensitive layers")
	}
	// What zones are read by more people than the layer is, is used and not kept.
	d.exec(`insert into vulnerable (name, total, geom) select 'v' || fid, 7919 * fid, geom from population`)
	hidden := d.draft(Risk, "", true)
	r := d.mustCompute(hidden, ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("vulnerable_people", ""), one("population_density", "")}, Classify: jenks()})
	if !r.Weights[0].Withheld || r.Weights[1].Withheld || *r.Weights[0].Max != 7919*6 {
		t.Errorf("%+v", r.Weights)
	}
	var kept string
	d.scan(&kept, `select concat(p.method, (select string_agg(z.attrs::text, '') from zones z where z.plan = p.id), (select string_agg(e.after::text, '') from plan_edit_zone e where e.plan = p.id)) from plan p where p.id = $1`, hidden)
	for v := 1; v <= 6; v++ {
		if strings.Contains(kept, fmt.Sprint(7919*v)) {
			t.Errorf("%d is kept with the plan", 7919*v)
		}
	}
	if !strings.Contains(kept, `"population_density": `) {
		t.Errorf("%s", kept)
	}
	// A planner of the south has no rows of the north, and no plan of the county.
	south := d.person(3, auth.Planner, county+"001")
	id := d.draft(Risk, "", true)
	if _, err := d.s.Compute(t.Context(), south, id, ComputeSpec{}, nil); !errors.Is(err, auth.ErrNotFound) && !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%v", err)
	}
}
