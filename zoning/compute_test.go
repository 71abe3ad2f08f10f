package zoning

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/zoning/calc"
	"onemap/zoning/coverage"
)

// TestEveryMeasureFitsTheSchema prepares the statement of every indicator of the rule set
// and of everything every layer offers, filled in.
func TestEveryMeasureFitsTheSchema(t *testing.T) {
	w := newTable(t)
	queries, err := measureQueries()
	if err != nil {
		t.Fatal(err)
	}
	snap := w.s.catalogue.Now()
	who := w.by.Identity
	g := &gauge{Service: w.s, measures: queries, snap: snap, who: who, m: measuredOf([]Zone{{Shape: box(0, 0, 10, 10)}})}
	list, ref, err := readyIndicators(snap, who)
	if err != nil || ref.Version != 1 || ref.Verified {
		t.Fatalf("%+v %v", ref, err)
	}
	var rule struct{ Indicators []indicator }
	if err := json.Unmarshal(snap.Rules[ruleIndicators].Body, &rule); err != nil || len(rule.Indicators) != len(list) {
		t.Errorf("%d of %d indicators of the rule set name what the catalogue has (%v)", len(list), len(rule.Indicators), err)
	}
	for _, l := range snap.Layers {
		if _, ok := measurable(snap, who, l.ID); ok {
			list = append(list, ofLayer(l)...)
		}
	}
	conn := pgtest.Connect(t, w.admin.Config().ConnString())
	prepare := func(what, sql string, args int) {
		sd, err := conn.Prepare(t.Context(), "x", sql)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, sql)
		}
		if len(sd.ParamOIDs) != args {
			t.Errorf("%s: %d parameters, %d given", what, len(sd.ParamOIDs), args)
		}
		if err := conn.Deallocate(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range list {
		d := &list[i]
		name, q, input := g.statement(d)
		prepare(d.Layer+"."+d.Measure+"."+d.Field, q.fill(queries.Get(name)), len(q.args))
		prepare(d.Layer+" input", input.fill(queries.Get("input")), len(input.args))
	}
	t.Logf("%d measures", len(list))
}

// TestMeasuresByHand looks at one of each measure, with figures worked out by hand.
func TestMeasuresByHand(t *testing.T) {
	d := newDistrict(t, 4, 2)
	ctx := context.Background()
	for v := range 8 {
		if v != 7 {
			d.people(4, v, 100*(v+1), 10*(v+1))
		}
	}
	d.exec(`insert into population (name, population, elderly, geom) values ('two villages', 60, null, $1)`, geo.Shape{Geometry: box(100, 0, 300, 100).Geometry()}) // half in each of 0 and 1
	for i, c := range []struct {
		village int
		level   any
		state   string
		drill   bool
	}{{0, 1, "registered", false}, {0, 3, "registered", false}, {0, 1, "removed", false}, {2, nil, "registered", false}, {3, 1, "registered", true}} {
		d.exec(`insert into hazards (name, level, state, exercise, threatened_persons, geom) values ($1, $2, $3, $4, 7, $5)`, fmt.Sprint(i), c.level, c.state, c.drill, at(4, c.village, 50, 50))
	}
	// On the border of 0 and 1: once.
	d.exec(`insert into hazards (name, level, state, geom) values ('border', 4, 'watch', $1)`, at(4, 0, 100, 50))
	d.exec(`insert into hazard_areas (name, hazard, level, geom) values ('a', 'flood', 1, $1), ('b', 'flood', 2, $2), ('c', 'landslide', 4, $3)`,
		in(4, 1, 0, 0, 50, 100), in(4, 1, 25, 0, 75, 100), in(4, 2, 0, 0, 100, 50))
	d.exec(`insert into buildings (name, structure, geom) values ('x', 'masonry', $1), ('y', 'steel', $2), ('z', 'earth', $2)`, in(4, 0, 10, 10, 11, 11), in(4, 0, 20, 20, 21, 21))
	d.exec(`insert into roads (name, class, geom) values ('r', 'county', st_setsrid(st_makeline(array[st_makepoint(121.5, 25.01), st_makepoint(121.54, 25.01)]), 4490))`)
	d.exec(`insert into shelters (name, capacity, geom) values ('s', 26, $1), ('unknown', null, $1)`, in(4, 0, 30, 30, 32, 32)) // shapes, and still things: none is 0
	d.exec(`insert into dangers (name, level, state, geom) values ('d', 1, 'reported', $1), ('e', 1, 'closed', $1), ('f', 2, 'reported', $1)`, at(4, 5, 30, 30))

	queries, err := measureQueries()
	if err != nil {
		t.Fatal(err)
	}
	var units []Zone
	for v := range 8 {
		x, y := float64(v%4*side), float64(v/4*side)
		units = append(units, Zone{Shape: box(x, y, x+side, y+side)})
	}
	km2 := coverage.AreaM2(units[0].Shape) / 1e6
	nan := math.NaN()
	snap, who := d.s.catalogue.Now(), d.by.Identity
	list, _, _ := readyIndicators(snap, who)
	err = d.s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		g := &gauge{Service: d.s, tx: tx, measures: queries, snap: snap, who: who, m: measuredOf(units)}
		people, _, err := g.residents(ctx)
		if err != nil {
			return err
		}
		g.m.people = people
		nearly(t, "people", people, []float64{130, 230, 300, 400, 500, 600, 700, nan})
		for _, c := range []struct {
			spec IndicatorSpec
			want []float64
			rows int64
			gaps int64
		}{
			{IndicatorSpec{Source: "population_density"}, []float64{130 / km2, 230 / km2, 300 / km2, 400 / km2, 500 / coverage.AreaM2(units[4].Shape) * 1e6, 600 / coverage.AreaM2(units[4].Shape) * 1e6, 700 / coverage.AreaM2(units[4].Shape) * 1e6, nan}, 8, 0},
			// The row without a number of elderly is in neither sum.
			{IndicatorSpec{Source: "elderly_share"}, []float64{10, 10, 10, 10, 10, 10, 10, nan}, 8, 1},
			{IndicatorSpec{Source: "hazards", Measure: "count"}, []float64{4, 0, 1, 0, 0, 0, 0, 0}, 5, 0},
			{IndicatorSpec{Source: "hazard_point_density"}, []float64{(4 + 2 + 1) / km2, 0, 0, 0, 0, 0, 0, 0}, 4, 1},
			{IndicatorSpec{Source: "hazard_areas", Measure: "area_share"}, []float64{0, 75, 50, 0, 0, 0, 0, 0}, 3, 0},
			// Where they overlap the worse counts: 50 % of level 1, 25 % of level 2.
			{IndicatorSpec{Source: "flood_area_share"}, []float64{0, 50 + 0.75*25, 0, 0, 0, 0, 0, 0}, 2, 0},
			{IndicatorSpec{Source: "weak_building_share"}, []float64{200. / 3, nan, nan, nan, nan, nan, nan, nan}, 3, 0},
			{IndicatorSpec{Source: "shelter_capacity"}, []float64{26. / 130, 0, 0, 0, 0, 0, 0, nan}, 2, 1},
			{IndicatorSpec{Source: "serious_dangers"}, []float64{0, 0, 0, 0, 0, 1, 0, 0}, 1, 0},
			{IndicatorSpec{Source: "hazards", Measure: "mean", Field: "threatened_persons"}, []float64{7, nan, 7, nan, nan, nan, nan, nan}, 5, 1},
		} {
			col, ok := find(snap, who, list, c.spec)
			if !ok {
				t.Errorf("%+v is unknown", c.spec)
				continue
			}
			x, in, err := g.measure(ctx, &col)
			if err != nil {
				return err
			}
			nearly(t, c.spec.Source+" "+c.spec.Measure, x, c.want)
			if in.Rows != c.rows || in.WithoutValue != c.gaps {
				t.Errorf("%s: %d rows, %d without value, want %d, %d", c.spec.Source, in.Rows, in.WithoutValue, c.rows, c.gaps)
			}
		}
		col, _ := find(snap, who, list, IndicatorSpec{Source: "roads", Measure: "length"})
		x, _, err := g.measure(ctx, &col)
		// 0.02° of the parallel of 25.01°, N·cos φ·Δλ with N = 6,381,958 m: 2.0188 km.
		if err == nil && (math.Abs(x[0]-2.0188) > 0.0001 || math.Abs(x[0]-x[1]) > 1e-9 || x[2] != 0) {
			t.Errorf("length %v", x)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func nearly(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.IsNaN(got[i]) != math.IsNaN(want[i]) || math.Abs(got[i]-want[i]) > 1e-4*(1+math.Abs(want[i])) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestAPlanIsComputedAndTakenBack(t *testing.T) {
	d := newDistrict(t, 4, 3)
	for v := range 12 {
		d.people(4, v, 100*(v+1), 10+v*v)
	}
	d.exec(`insert into hazards (name, level, geom) values ('h', 2, $1), ('i', 1, $2)`, at(4, 3, 20, 20), at(4, 11, 20, 20))
	id := d.draft(Risk, "", true)
	before := d.state(id)
	spec := ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("hazard_point_density", GroupHazard), one("population_density", GroupExposure), one("elderly_share", GroupVulnerable)},
		Weights: WeightsSpec{Method: weighCombined, AHP: &AHPSpec{Matrix: [][]float64{{1, 3, 5}, {1. / 3, 1, 2}, {.2, .5, 1}}}}, Combine: combineSum, Classify: jenks()}
	r := d.mustCompute(id, spec)
	d.whole(id)
	if r.Units != 12 || r.Zones != 12 || r.MissingN != 0 || len(r.Breaks) != 4 || r.GVF < 0.8 || r.CR == nil || *r.CR > 0.1 || len(r.Weights) != 3 || len(r.Inputs) != 4 || r.Inputs[0].Position == "" {
		t.Errorf("%+v", r)
	}
	zones := d.byName(id)
	z := zones["村12"]
	if z.Level != 1 || *z.Population != 1200 || z.Code != "990100002012" {
		t.Errorf("%+v %s", z, z.Attrs)
	}
	var a unitAttrs
	if err := json.Unmarshal(z.Attrs, &a); err != nil || a.Level != 1 || a.Index == nil || *a.Index < 0.9 || a.Indicators["population_density"] == nil {
		t.Errorf("%s %v", z.Attrs, err)
	}
	// The index again, by hand from what is recorded.
	want := 0.0
	for _, w := range r.Weights {
		want += w.Weight * (*a.Indicators[w.ID] - *w.Min) / (*w.Max - *w.Min)
	}
	if math.Abs(want-*a.Index) > 1e-9 {
		t.Errorf("index %v, by hand %v", *a.Index, want)
	}
	p, err := d.s.Plan(t.Context(), d.by.Identity, id)
	if err != nil {
		t.Fatal(err)
	}
	var m method
	if err := json.Unmarshal(p.Method, &m); err != nil || m.By != "person1" || p.Unit != UnitVillage || m.Spec.Classify.Method != calc.Jenks || len(m.Rules) != 1 || m.Rules[0].Rule != ruleIndicators || m.GVF != r.GVF {
		t.Errorf("%s %v", p.Method, err)
	}
	if i := slices.IndexFunc(r.Warnings, func(w Warning) bool { return w.Code == "rule_unverified" }); i < 0 {
		t.Errorf("nobody verified the rule, and nothing is said: %+v", r.Warnings)
	}
	edits, err := d.s.Edits(t.Context(), d.by.Identity, id, 0, 0)
	if err != nil || len(edits) != 1 || edits[0].TitleZH != "计算区划" || edits[0].Account != d.by.Account || len(edits[0].Zones) != 12 || len(edits[0].Removed) != 1 {
		t.Fatalf("%+v %v", edits, err)
	}
	// The same again gives the same, to the last bit.
	again := d.mustCompute(id, spec)
	again.ComputedAt = r.ComputedAt
	for i := range again.Inputs {
		again.Inputs[i].Position = r.Inputs[i].Position
	}
	x, _ := json.Marshal(r)
	y, _ := json.Marshal(again)
	if string(x) != string(y) {
		t.Errorf("%s\n%s", x, y)
	}
	// A level changed by hand needs a reason from now on.
	z = d.byName(id)["村12"]
	if _, err := d.edit(id, Step{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{coverage.ID(z.Zone)}}, Set: Attributes{Level: new(3)}}); err == nil {
		t.Error("a computed level was changed without a reason")
	}
	edits, err = d.s.Edits(t.Context(), d.by.Identity, id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Taken back, the plan says again what it said before of how it came to be: after the
	// second computation the first, after the first nothing; done again, the computation.
	made := func() string {
		t.Helper()
		var text string
		d.scan(&text, `select method::text || ' ' || unit from plan where id = $1`, id)
		return text
	}
	computed, undone := []string{made(), string(p.Method) + " " + p.Unit, "{} free"}, ""
	for i, e := range slices.Backward(edits) {
		u, err := d.undo(id, e.EditID)
		if err != nil {
			t.Fatal(explain(err))
		}
		undone = u.EditID
		if n := len(edits) - i; !sameJSON(t, made(), computed[n]) {
			t.Errorf("after %d steps back the plan says %s, want %s", n, made(), computed[n])
		}
	}
	if after := d.state(id); after != before {
		t.Errorf("undone, and not as it was:\n%.300s\n%.300s", before, after)
	}
	if _, err := d.undo(id, undone); err != nil {
		t.Fatal(explain(err))
	}
	if !sameJSON(t, made(), computed[1]) {
		t.Errorf("done again, the plan says %s", made())
	}
}

// sameJSON compares texts of a JSON value and a word behind it.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var v [2]struct {
		value any
		unit  string
	}
	for i, text := range []string{a, b} {
		cut := strings.LastIndexByte(text, ' ')
		if err := json.Unmarshal([]byte(text[:cut]), &v[i].value); err != nil {
			t.Fatal(err)
		}
		v[i].unit = text[cut:]
	}
	return reflect.DeepEqual(v[0], v[1])
}

func TestCellsFitTogether(t *testing.T) {
	d := newDistrict(t, 2, 2)
	// A border that goes across the cells: a hexagon, shaken.
	hexagon := coverage.Shape{{ring(3, 101, 137, 7, 311, 13, 397, 203, 291, 383, 77, 371)}}
	d.exec(`update admin set geom = $1 where rank = 3`, geo.Shape{Geometry: hexagon.Geometry()})
	for v := range 4 {
		d.people(2, v, 100*(v+1)*(v+1), 1)
	}
	for _, unit := range []string{UnitKm, UnitSeconds} {
		for _, dissolve := range []string{dissolveNone, dissolveTownship, dissolveLevel} {
			id := d.draft(Risk, "", true)
			r := d.mustCompute(id, ComputeSpec{Unit: unit, Indicators: []IndicatorSpec{one("population_density", "")}, Classify: ClassifySpec{Method: calc.Equal}, Dissolve: dissolve})
			d.whole(id)
			zones := d.zones(id)
			area := 0.0
			for _, z := range zones {
				area += coverage.AreaM2(z.Shape)
				if bad := z.Shape.Valid(); len(bad) > 0 {
					t.Errorf("%s %s: %+v", unit, z.Name, bad)
				}
			}
			// The boundary has got nodes and has not moved; the zones are all of it.
			var border geo.Shape
			var moved float64
			d.scan(&border, `select area from plan where id = $1`, id)
			d.scan(&moved, `select st_area(st_symdifference(area, $2)) from plan where id = $1`, id, geo.Shape{Geometry: hexagon.Geometry()})
			edge, err := coverage.FromGeometry(border.Geometry)
			if err != nil {
				t.Fatal(err)
			}
			want := coverage.AreaM2(edge)
			if math.Abs(area-want) > 0.01 || moved > 1e-9 || r.Units < 10 || r.Zones != len(zones) {
				t.Errorf("%s %s: %v m² of %v in %d units, %d zones", unit, dissolve, area, want, r.Units, r.Zones)
			}
			if dissolve != dissolveNone && r.Zones >= r.Units {
				t.Errorf("%s %s: %d units became %d zones", unit, dissolve, r.Units, r.Zones)
			}
		}
	}
}

// TestWhereGapsMayBe: a plan without a boundary is computed inside its administrative
// unit, and ground that is no unit's stays empty.
func TestWhereGapsMayBe(t *testing.T) {
	d := newDistrict(t, 3, 2)
	for v := range 6 {
		d.people(3, v, 100*(v+1), 1)
	}
	d.exec(`delete from admin where code = $1`, county+"001002")
	spec := ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("population_density", "")}, Classify: jenks()}
	open, closed := d.draft(Risk, "", false), d.draft(Risk, "", true)
	if r := d.mustCompute(open, spec); r.Zones != 5 || r.Units != 5 {
		t.Errorf("%+v", r)
	}
	d.whole(open)
	// Where no gap may be, it is a zone of its own that nobody graded.
	r := d.mustCompute(closed, spec)
	if r.Zones != 6 || r.Units != 5 || !slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.Code == "no_unit" }) {
		t.Errorf("%+v", r)
	}
	d.whole(closed)
	ungraded := 0
	for _, z := range d.zones(closed) {
		if z.Level == 0 {
			ungraded++
		}
	}
	if ungraded != 1 {
		t.Errorf("%d zones are not graded", ungraded)
	}
}

// TestTheSecondsGrid is the boundary test of the reference, in integers: 119.25, 34.15 is
// the north-west corner of cell (35910, 6702).
func TestTheSecondsGrid(t *testing.T) {
	l := seconds()
	p := coverage.Point{X: 119_25000000, Y: 34_15000000}
	if c, r := l.cell(p); c != 35910 || r != 6702 {
		t.Errorf("(%d, %d)", c, r)
	}
	b := l.box(35910, 6702)
	if b.Min.X != p.X || b.Max.Y != p.Y {
		t.Errorf("%+v", b)
	}
	if c, r := l.cell(coverage.Point{X: p.X - 1, Y: p.Y + 1}); c != 35909 || r != 6701 {
		t.Errorf("(%d, %d)", c, r)
	}
	for c := int64(-5); c < 50; c++ { // neighbours share their borders
		if l.box(c, 3).Max.X != l.box(c+1, 3).Min.X || l.box(3, c).Min.Y != l.box(3, c+1).Max.Y {
			t.Fatal(c)
		}
	}
	k := kilometres(34.15)
	kb := k.box(100, 200)
	w := coverage.AreaM2(coverage.Shape{{{kb.Min, {X: kb.Max.X, Y: kb.Min.Y}, kb.Max, {X: kb.Min.X, Y: kb.Max.Y}}}})
	if c, r := k.cell(kb.Min); c != 100 || r != 200 || w < 0.8e6 || w > 1.3e6 {
		t.Errorf("(%d, %d) %v m²", c, r, w)
	}
}

func TestPrevention(t *testing.T) {
	d := newDistrict(t, 5, 2)
	for v := range 10 {
		d.people(5, v, 100, 100-v*10)
		for i := range v + 1 {
			d.exec(`insert into hazards (name, level, geom) values ('h', 1, $1)`, at(5, v, float64(10+i*5), 50))
		}
		d.exec(`insert into shelters (name, capacity, geom) values ('s', $2, $1)`, at(5, v, 30, 30), 10+v*v*5)
	}
	d.exec(`insert into dangers (name, level, state, geom) values ('d', 1, 'verified', $1)`, at(5, 0, 30, 30))
	id := d.draft(Prevention, "", true)
	spec := ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("hazard_point_density", ""), one("shelter_capacity", "")}, Combine: combineProduct,
		Classify: ClassifySpec{Method: calc.Quantile}}
	r := d.mustCompute(id, spec)
	if len(r.Counts) != 3 || !slices.ContainsFunc(r.Rules, func(x RuleRef) bool { return x.Rule == rulePrevention && x.Version == 1 && !x.Verified }) {
		t.Errorf("%+v", r)
	}
	table := [][]int{{1, 1, 1, 1, 1}, {2, 2, 1, 1, 1}, {3, 2, 2, 2, 1}, {3, 3, 3, 2, 2}, {3, 3, 3, 3, 3}}
	for name, z := range d.byName(id) {
		var a unitAttrs
		if err := json.Unmarshal(z.Attrs, &a); err != nil {
			t.Fatal(err)
		}
		want := table[a.Risk-1][a.Capability-1]
		if *a.Dangers > 0 {
			want = min(want, 2)
		}
		if z.Level != want {
			t.Errorf("%s: risk %d, capability %d, %d dangers: %d, want %d", name, a.Risk, a.Capability, *a.Dangers, z.Level, want)
		}
		if name == "村1" && (a.Risk != 5 || *a.Dangers != 1 || z.Level != 2) {
			t.Errorf("the least risk with a serious danger: %+v level %d", a, z.Level)
		}
	}
}

func TestOverlayKeepsHazardsApart(t *testing.T) {
	d := newDistrict(t, 3, 2)
	for v := range 6 {
		d.people(3, v, 100*(v+1), 1)
	}
	d.exec(`insert into hazard_areas (name, hazard, level, geom) values ('f', 'flood', 1, $1), ('l', 'landslide', 2, $1), ('g', 'flood', 3, $2), ('x', 'flood', 1, $3)`,
		in(3, 0, 0, 0, 50, 50), in(3, 1, 0, 0, 50, 50), in(3, 2, 0, 0, 1, 1))
	id := d.draft(Risk, "", true)
	r := d.mustCompute(id, ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("population_density", "")}, Classify: ClassifySpec{Method: calc.Equal},
		Overlay: &OverlaySpec{Hazards: []OverlayHazard{{Hazard: "flood"}, {Hazard: "landslide"}, {Hazard: "earthquake"}}, MinShare: 0.01}})
	if !slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.Code == "hazard_unmapped" && w.Path == "overlay/hazards/2" }) {
		t.Errorf("%+v", r.Warnings)
	}
	get := func(name string) map[string]any {
		var a unitAttrs
		if err := json.Unmarshal(d.byName(id)[name].Attrs, &a); err != nil {
			t.Fatal(err)
		}
		return a.Overlay
	}
	if o := get("村1"); o["max"] != 1. || o["count"] != 2. || o["dominant"] != "flood" || math.Abs(o["weighted"].(float64)-(1+0.75)/3) > 1e-9 {
		t.Errorf("%v", o)
	}
	if o := get("村2"); o["max"] != 3. || o["count"] != 0. {
		t.Errorf("%v", o)
	}
	if o := get("村3"); o["max"] != nil || o["count"] != 0. || o["weighted"] != 0. { // a ten-thousandth of it
		t.Errorf("%v", o)
	}
}

func TestMissingIsNeverZero(t *testing.T) {
	d := newDistrict(t, 4, 2)
	for v := range 7 {
		d.people(4, v, 100*(v+1), 5)
	}
	d.people(4, 7, nil, nil) // a row, and no number
	id := d.draft(Risk, "", true)
	r := d.mustCompute(id, ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("population_density", "")}, Classify: jenks()})
	if r.MissingN != 1 || len(r.Missing) != 1 || r.Missing[0].Name != "村8" || !slices.Equal(r.Missing[0].Indicators, []string{"population_density"}) {
		t.Errorf("%+v", r.Missing)
	}
	if *r.Weights[0].Min == 0 || r.Weights[0].Missing != 1 {
		t.Errorf("the missing one is in the statistics: %+v", r.Weights)
	}
	if z := d.byName(id)["村8"]; z.Level != 0 || z.Population != nil || attrsOf(t, z)["index"] != nil {
		t.Errorf("%+v %s", z, z.Attrs)
	}
}
