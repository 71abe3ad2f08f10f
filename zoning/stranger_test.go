package zoning

import (
	"errors"
	"strings"
	"testing"

	"github.com/paulmach/orb"

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

func TestAHazardOfAnAreaHasOneSeries(t *testing.T) {
	o := newOffice(t)
	p := o.create(StartWhole)
	n := NewPlan{Hazard: "flood", Kind: Risk, Title: "又一个", Area: county}
	_, err := o.s.Create(t.Context(), o.other, n)
	o.refuses(err, "series_exists")
	if err == nil || !strings.Contains(err.Error(), p.Series) || !strings.Contains(err.Error(), p.ID) {
		t.Errorf("it does not say which: %v", err)
	}
	f, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a", Path: writeJSON(t, existing())})
	if err != nil {
		t.Fatal(err)
	}
	m := mapping(f)
	o.refuses(o.s.CheckImport(t.Context(), o.planner, f.ID, m), "series_exists")
	_, err = o.s.Import(t.Context(), o.planner, f.ID, m, nil)
	o.refuses(err, "series_exists")
	// The database holds it too, whoever comes by another way.
	if _, err := o.admin.Exec(t.Context(), `insert into plan (series, version_no, hazard, kind, title, admin_code, scope) values (uuid_v7(), 1, 'flood', 'risk', 'x', $1, code_scope($1))`, county); code(refusal(p, err)) != "series_exists" {
		t.Errorf("the database: %v", err)
	}
	n.Kind = Prevention
	if _, err := o.s.Create(t.Context(), o.planner, n); err != nil {
		t.Errorf("another kind: %v", explain(err))
	}
	o.step(o.planner, &p, Transition{To: Withdrawn, Note: "重新编制"})
	n.Kind = Risk
	if _, err := o.s.Create(t.Context(), o.planner, n); err != nil {
		t.Errorf("after it was withdrawn: %v", explain(err))
	}
}

func TestWhatIsDrawnElsewhere(t *testing.T) {
	o := newOffice(t)
	world := coverage.Shape{{{{X: -180 * coverage.Scale, Y: -90 * coverage.Scale}, {X: 180 * coverage.Scale, Y: -90 * coverage.Scale}, {X: 180 * coverage.Scale, Y: 90 * coverage.Scale}, {X: -180 * coverage.Scale, Y: 90 * coverage.Scale}}}}
	whole := o.create(StartTownships).ID
	loose := o.plan(false, nil, map[coverage.ID]coverage.Shape{zid(41): box(0, 0, 10, 10)})
	nowhere := o.plan(false, nil, map[coverage.ID]coverage.Shape{zid(42): box(0, 0, 10, 10)})
	o.exec(`set session_replication_role = replica`)
	o.exec(`update plan set admin_code = '990100009' where id = $1`, nowhere)
	o.exec(`set session_replication_role = origin`)
	for _, plan := range []string{whole, loose, nowhere} {
		before := o.state(plan)
		var one coverage.ID
		for id := range o.zones(plan) {
			one = coverage.ID(id)
		}
		for _, s := range []coverage.Shape{world, box(-300, -300, 320, 320)} {
			if plan == nowhere && s[0][0][0] != world[0][0][0] {
				continue // of no unit: only what is no shape of a plan at all
			}
			for _, op := range []coverage.Op{{Kind: coverage.Add, Shape: s}, {Kind: coverage.Add, Shape: s, Carve: true}, {Kind: coverage.Reshape, Zone: one, Shape: s}, {Kind: coverage.AddPart, Zone: one, Shape: s, Carve: true}} {
				if _, err := o.edit(plan, Step{Op: op}); refused(err) != coverage.OutsideArea {
					t.Errorf("%s: %v", op.Kind, explain(err))
				}
			}
		}
		if o.state(plan) != before {
			t.Error("something changed")
		}
	}
	// More than half beyond the boundary is elsewhere, a little over it is clipped.
	if _, err := o.edit(whole, Step{Op: coverage.Op{Kind: coverage.Add, Shape: box(18, 2, 25, 8), Carve: true}}); refused(err) != coverage.OutsideArea {
		t.Errorf("mostly outside: %v", explain(err))
	}
	o.mustEdit(whole, Step{Op: coverage.Op{Kind: coverage.Add, Shape: box(15, 2, 21, 8), Carve: true}})
	o.whole(whole)
}

func TestZonesAreSwallowedOnlyOnTheWord(t *testing.T) {
	o := newOffice(t)
	plan := o.create(StartTownships).ID
	before := o.state(plan)
	_, err := o.edit(plan, Step{Op: coverage.Op{Kind: coverage.Add, Shape: box(-1, -1, 21, 21), Carve: true}})
	v := new(ViolationsError)
	if refused(err) != SwallowsZones || !errors.As(err, &v) || len(v.Violations[0].Zones) != 4 || len(v.Violations[0].Where) != 4 || len(v.Violations[0].Proposals) != 1 {
		t.Fatal(explain(err))
	}
	if o.state(plan) != before {
		t.Error("something changed")
	}
	r := o.mustEdit(plan, Step{Op: v.Violations[0].Proposals[0][0]})
	if len(r.Removed) != 4 || len(o.zones(plan)) != 1 {
		t.Errorf("%d removed", len(r.Removed))
	}
	o.whole(plan)
}

func TestAnUnchangedShapeKeepsNothingBack(t *testing.T) {
	o := newOffice(t)
	a, b := zid(41), zid(42)
	plan := o.plan(false, nil, map[coverage.ID]coverage.Shape{a: box(0, 0, 10, 10), b: box(10, 0, 20, 10)})
	z := o.zones(plan)[string(a)]
	r, err := o.s.PatchZone(t.Context(), o.planner, plan, string(a), z.Version, ZonePut{Shape: z.Shape, Attributes: Attributes{Name: new("新名")}})
	if err != nil || len(r.Zones) != 1 || r.Zones[0].Name != "新名" || o.zones(plan)[string(a)].Name != "新名" {
		t.Fatalf("%v %+v", explain(err), r.Zones)
	}
	v := r.Zones[0].Version
	if r, err = o.s.PatchZone(t.Context(), o.planner, plan, string(a), v, ZonePut{Shape: z.Shape}); err != nil || len(r.Zones) != 1 || r.Zones[0].Version != v {
		t.Errorf("nothing new: %v", explain(err))
	}
	if _, err := o.s.PatchZone(t.Context(), o.planner, plan, string(a), v-1, ZonePut{Shape: z.Shape}); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("stale: %v", explain(err))
	}
	before := o.state(plan)
	if _, err := o.s.PatchZone(t.Context(), o.planner, plan, string(a), v, ZonePut{Shape: box(10, 0, 20, 10), Attributes: Attributes{Name: new("邻名")}}); code(err) != "violations" || o.state(plan) != before {
		t.Errorf("a neighbour's ground: %v", explain(err))
	}
}

func TestWhatAComputationLacksIsToldAtOnce(t *testing.T) {
	d := newDistrict(t, 2, 2)
	id := d.draft(Risk, "", true)
	spec := ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{{Source: "population_density"}}, Weights: WeightsSpec{Method: weighGiven}, Combine: combineSum, Classify: jenks()}
	if err := d.s.CheckCompute(t.Context(), d.by, id, spec); code(err) != "weights required" {
		t.Errorf("given, and not given: %v", err)
	}
	spec.Weights.Method = weighEntropy
	if err := d.s.CheckCompute(t.Context(), d.by, id, spec); err != nil {
		t.Error(err)
	}
	spec.Combine = combineCapability
	if err := d.s.CheckCompute(t.Context(), d.by, id, spec); code(err) != "indicators no_capability" {
		t.Errorf("without capability: %v", err)
	}
	spec.Combine = combineSum
	d.exec(`update admin set geom = st_multi(st_makeenvelope(121, 25, 122, 26, 4490)) where code = $1`, county)
	for _, unit := range []string{UnitKm, UnitSeconds} {
		spec.Unit, spec.Dissolve = unit, ""
		if err := d.s.CheckCompute(t.Context(), d.by, id, spec); code(err) != "dissolve too_many" {
			t.Errorf("%s of ten thousand km²: %v", unit, err)
		}
		spec.Dissolve = dissolveLevel
		if err := d.s.CheckCompute(t.Context(), d.by, id, spec); err != nil {
			t.Errorf("%s, dissolved: %v", unit, err)
		}
	}
}

func TestWordsAndPlacesOfAPlan(t *testing.T) {
	o := newOffice(t)
	p := o.create(StartWhole)
	if _, err := o.s.Comment(t.Context(), o.planner, NewComment{Plan: p.ID, Body: "远处", At: &orb.Point{-70, -33}}); code(err) != "at outside_area" {
		t.Errorf("on another continent: %v", err)
	}
	near := pt(500, 0).LonLat() // some five kilometres east
	if _, err := o.s.Comment(t.Context(), o.planner, NewComment{Plan: p.ID, Body: "近处", At: &near}); err != nil {
		t.Error(err)
	}
	o.again(&p)
	same, err := o.s.Update(t.Context(), o.planner, p.ID, p.Version, PlanPatch{Title: &p.Title})
	if err != nil || same.Version != p.Version {
		t.Errorf("nothing changed: version %d, was %d (%v)", same.Version, p.Version, err)
	}
	_, err = o.s.Update(t.Context(), o.planner, p.ID, p.Version, PlanPatch{Title: new("第一行\n第二行")})
	o.refuses(err, "title not_text")
	if p.Computed() {
		t.Error("drawn by hand")
	}
	for in, want := range map[string]bool{`{}`: false, `{"figures": {}}`: false, `{"import": {}, "figures": {}}`: false, `{"spec": {}, "figures": {}}`: true} {
		if q := (Plan{Method: []byte(in)}); q.Computed() != want {
			t.Errorf("%s: %v", in, !want)
		}
	}
}

func TestHowAFileIsReadIsKnown(t *testing.T) {
	o := newOffice(t)
	plain := writeJSON(t, existing())
	path := zipped(t, ogr(t, plain, "quhua.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=CP936"))
	for _, c := range []struct {
		f    ImportFile
		want string
	}{
		{ImportFile{Encoding: "klingon"}, "encoding unknown"}, {ImportFile{Layer: "no_such"}, "file no_such_layer"}, {ImportFile{Encoding: "gbk", Layer: "quhua"}, ""},
	} {
		c.f.Name, c.f.Path = "a.zip", path
		_, err := o.s.ReadImport(t.Context(), o.planner, c.f)
		o.refuses(err, c.want)
	}
}
