package zoning

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// things puts countable things into the county: everything lies in the first township
// unless it says so.
func (o *office) things() {
	at := func(s coverage.Shape) geo.Shape { return geo.Shape{Geometry: s.Geometry()} }
	dot := func(x, y float64) geo.Shape { return geo.Shape{Geometry: pt(x, y).LonLat()} }
	o.exec(`insert into dataset (name, title, source_date) values ('census', '第七次人口普查', '2020-11-01'), ('work', '安全台账', '2025-05-01')`)
	cell := func(key string, people any, households any, s coverage.Shape) {
		o.exec(`insert into population (dataset, source_key, admin_code, population, households, geom) select id, $1, '990100', $2, $3, $4 from dataset where name = 'census'`, key, people, households, at(s))
	}
	cell("inside", 100, 40, box(0, 0, 5, 5))
	cell("half", 60, nil, box(5, -5, 10, 5)) // half of it in the county
	cell("unknown", nil, nil, box(0, 5, 5, 9))
	cell("elsewhere", 1000, 400, box(12, 12, 18, 18))
	o.exec(`insert into buildings (admin_code, name, persons, geom) values ('990100001', '甲楼', 30, $1), ('990100001', '乙楼', null, $2), ('990100003', '丙楼', 9, $3)`, at(box(1, 1, 2, 2)), at(box(9.5, 4, 9.8, 5)), dot(5, 15))
	o.exec(`insert into enterprises (admin_code, name, level, employees, geom) values ('990100001', '化工厂', 1, 200, $1), ('990100001', '面粉厂', null, 20, $1)`, dot(3, 3))
	o.exec(`insert into hazards (admin_code, name, level, threatened_persons, geom) select '990100001', '滑坡' || n, 2 + n % 2, n, $1 from generate_series(1, 30) n`, dot(4, 4))
	o.exec(`insert into dangers (admin_code, name, level, state, closed_at, geom) values ('990100001', '开', 1, 'reported', null, $1), ('990100001', '已销号', 1, 'closed', now(), $1)`, dot(4, 4))
	o.exec(`insert into shelters (dataset, source_key, admin_code, name, capacity, geom) select id, 's', '990100001', '小学', 300, $1 from dataset where name = 'work'`, dot(2, 4))
}

func group(f Figures, key string) *FigureGroup {
	i := slices.IndexFunc(f.Groups, func(g FigureGroup) bool { return g.Key == key })
	if i < 0 {
		return nil
	}
	return &f.Groups[i]
}

func near0(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func (o *office) zoneOf(plan, code string) Zone {
	o.t.Helper()
	for _, z := range o.zones(plan) {
		if z.Code == code {
			return z
		}
	}
	o.t.Fatalf("no zone %s", code)
	return Zone{}
}

func TestWhatAZoneMeans(t *testing.T) {
	o := newOffice(t)
	o.things()
	ctx := t.Context()
	p := o.create(StartTownships)
	o.grade(p.ID)
	z := o.zoneOf(p.ID, "990100001")
	f, err := o.s.Figures(ctx, o.planner.Identity, p.ID, z.Zone)
	if err != nil {
		t.Fatal(err)
	}
	// 100 of the cell inside, half of 60; the cell without a number is not 0 people.
	if f.People == nil || !near0(f.People.People, 130, 0.01) || f.People.Cells != 3 || f.People.UnknownCells != 1 || f.People.Households == nil || !near0(*f.People.Households, 40, 1e-6) {
		t.Fatalf("people %+v", f.People)
	}
	if want := coverage.AreaM2(box(0, 5, 5, 9)); !near0(f.People.UnknownM2, want, want*1e-6) {
		t.Errorf("%f m² without a number, want %f", f.People.UnknownM2, want)
	}
	if b := f.People.Basis; b.AsOf == nil || b.AsOf.Format("2006-01-02") != "2020-11-01" || !slices.Equal(b.Sources, []string{"第七次人口普查"}) || b.Definition.ZH == "" {
		t.Errorf("basis %+v", b)
	}
	if want := coverage.AreaM2(z.Shape); !near0(f.AreaM2, want, 1e-3) || !near0(f.Share, 0.25, 0.001) {
		t.Errorf("%f m² of %f, %f of the plan", f.AreaM2, want, f.Share)
	}
	for key, want := range map[string]struct {
		n   int
		sum float64
	}{"buildings": {2, 30}, "enterprises": {2, 220}, "hazard_sources": {0, 0}, "hazards": {30, 465}, "dangers": {1, 0}, "shelters": {1, 300}} {
		g := group(f, key)
		if g == nil || g.Total != want.n || (want.sum > 0 && (g.Sum == nil || *g.Sum != want.sum)) || g.Title.ZH == "" || g.Basis.Definition.ZH == "" {
			t.Errorf("%s: %+v, want %+v", key, g, want)
		}
	}
	h := group(f, "hazards")
	if len(h.List) != FigureItems || h.List[0].Name != "滑坡30" || h.List[0].Level != 2 || h.List[15].Level != 3 || h.List[0].Layer != "hazards" || coverage.At(h.List[0].At) != pt(4, 4) {
		t.Errorf("the worst first: %+v", h.List)
	}
	if !slices.Equal(h.ByLevel, []LevelCount{{2, 15}, {3, 15}}) || !slices.Equal(group(f, "enterprises").ByLevel, []LevelCount{{1, 1}, {0, 1}}) {
		t.Errorf("by level: %+v", f.Groups)
	}
	if len(f.DrawnBy) != 1 || f.DrawnBy[0].By != "person1" || f.DrawnBy[0].Name != "某1" || f.ReviewedBy != nil {
		t.Errorf("drawn by %+v, reviewed by %+v", f.DrawnBy, f.ReviewedBy)
	}

	// What somebody may not see is absent, not 0.
	o.exec(`select layer_set_visibility('shelters', 'sensitive')`)
	o.exec(`update plan set method = '{"rules": [{"rule": "prevention_overlay", "version": 3, "verified": true}], "weights": {"rule": "prevention_overlay", "version": 3, "verified": true}}' where id = $1`, p.ID)
	o.exec(`update zones set attrs = '{"indicators": {"密度": 0.5}, "index": 0.71, "computed_level": 3}' where plan = $1`, p.ID)
	o.reload()
	o.again(&p)
	o.step(o.planner, &p, Transition{To: Consultation})
	f, err = o.s.Figures(ctx, o.viewer.Identity, p.ID, z.Zone)
	if err != nil || group(f, "shelters") != nil || group(f, "buildings") == nil || f.People == nil {
		t.Errorf("a viewer: %v %+v", err, f)
	}
	// The cells are the county's: they touch what he reads.
	if f.Index == nil || *f.Index != 0.71 || f.Computed != 3 || string(f.Indicators) == "" || len(f.Rules) != 1 || f.Rules[0].Version != 3 || !f.Rules[0].Verified {
		t.Errorf("computed %+v", f)
	}
	if _, err := o.s.Figures(ctx, o.stranger.Identity, p.ID, z.Zone); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("another county: %v", err)
	}
	for _, id := range []string{"x", "0192f0c1-1111-7000-8000-000000000000"} {
		if _, err := o.s.Figures(ctx, o.planner.Identity, p.ID, id); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	o.exec(`select layer_set_visibility('population', 'sensitive')`)
	o.reload()
	if f, err = o.s.Figures(ctx, o.viewer.Identity, p.ID, z.Zone); err != nil || f.People != nil {
		t.Errorf("people of a sensitive layer: %+v (%v)", f.People, err)
	}
}

// TestFiguresAreKeptAtSubmission: rounded, whole, with their method; a zone whose figures
// did not change stays the version it was.
func TestFiguresAreKeptAtSubmission(t *testing.T) {
	o := newOffice(t)
	o.things()
	p := o.create(StartTownships)
	o.grade(p.ID)
	o.again(&p)
	o.step(o.planner, &p, Transition{To: Submitted})
	for code, want := range map[string]int{"990100001": 130, "990100004": 1000} {
		if z := o.zoneOf(p.ID, code); z.Population == nil || *z.Population != want || z.AreaKm2 == nil || !near0(*z.AreaKm2*1e6, coverage.AreaM2(z.Shape), 1e-3) {
			t.Errorf("%s: %v people, want %d", code, z.Population, want)
		}
	}
	if z := o.zoneOf(p.ID, "990100002"); z.Population != nil {
		t.Errorf("nobody knows how many, and it says %d", *z.Population)
	}
	var method string
	o.scan(&method, `select method -> 'figures' ->> 'population' from plan where id = $1`, p.ID)
	if method == "" {
		t.Error("no method of the figures")
	}
	before := o.base(p.ID)
	o.step(o.planner, &p, Transition{To: Draft})
	o.step(o.planner, &p, Transition{To: Submitted})
	for zone, v := range o.base(p.ID) {
		if before[zone] != v {
			t.Errorf("zone %s became version %d of %d for nothing", zone, v, before[zone])
		}
	}
}

func level(d Diff, l int) LevelTotal {
	for _, t := range d.Totals.ByLevel {
		if t.Level == l {
			return t
		}
	}
	return LevelTotal{}
}

// TestWhatDiffers edits a version in every way and adds up.
func TestWhatDiffers(t *testing.T) {
	o := newOffice(t)
	o.things()
	ctx := t.Context()
	p := o.create(StartTownships)
	o.grade(p.ID)
	o.toPublished(&p, "2025-01-01")
	v2, err := o.s.NewVersion(ctx, o.planner, p.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	zone := func(code string) coverage.ID { return coverage.ID(o.zoneOf(v2.ID, code).Zone) }
	one, two, three, four := zone("990100001"), zone("990100002"), zone("990100003"), zone("990100004")
	d, err := o.s.Diff(ctx, o.planner.Identity, v2.ID, "")
	if err != nil || d.Unchanged != 4 || len(d.Added)+len(d.Removed)+len(d.Moved)+len(d.Relevelled)+len(d.Renamed) != 0 || d.Totals.ChangedAreaM2 != 0 {
		t.Fatalf("nothing changed: %+v %v", d, err)
	}
	// 三乡 becomes level 1 and gets another name, 四乡 is cut in two, 二乡 joins 一乡.
	o.mustEdit(v2.ID, Step{Op: coverage.Op{Zones: []coverage.ID{three}}, Relevel: true, Set: Attributes{Level: new(1), Reason: new("改级")}})
	o.mustEdit(v2.ID, Step{Op: coverage.Op{Zones: []coverage.ID{three}}, SetAttributes: true, Set: Attributes{Name: new("三乡新区")}})
	o.mustEdit(v2.ID, Step{Op: coverage.Op{Kind: coverage.Split, Zone: four, Line: []coverage.Point{pt(9, 15), pt(21, 15)}}})
	o.mustEdit(v2.ID, Step{Op: coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{one, two}}})
	d, err = o.s.Diff(ctx, o.planner.Identity, v2.ID, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Added) != 1 || len(d.Removed) != 1 || len(d.Moved) != 2 || len(d.Relevelled) != 1 || len(d.Renamed) != 1 || d.Unchanged != 0 || !d.People {
		t.Fatalf("added %d, removed %d, moved %d, relevelled %d, renamed %d, unchanged %d", len(d.Added), len(d.Removed), len(d.Moved), len(d.Relevelled), len(d.Renamed), d.Unchanged)
	}
	if d.Removed[0].Zone != string(two) || d.Removed[0].Lost == nil || d.Removed[0].AreaAfterM2 != 0 || d.Relevelled[0].LevelBefore != 2 || d.Relevelled[0].LevelAfter != 1 || d.Renamed[0].NameBefore != "三乡" || d.Renamed[0].Name != "三乡新区" {
		t.Errorf("%+v", d)
	}
	for _, m := range append(slices.Clone(d.Moved), append(slices.Clone(d.Added), d.Removed...)...) {
		if !near0(m.AreaAfterM2-m.AreaBeforeM2, m.GainedM2-m.LostM2, 0.01) || (m.GainedM2 > 0) != (m.Gained != nil) || (m.LostM2 > 0) != (m.Lost != nil) || m.Bounds.IsEmpty() {
			t.Errorf("%s: from %f to %f m², gained %f, lost %f", m.Name, m.AreaBeforeM2, m.AreaAfterM2, m.GainedM2, m.LostM2)
		}
	}
	tt := d.Totals
	var before, after, people float64
	for _, l := range tt.ByLevel {
		before, after, people = before+l.AreaBeforeM2, after+l.AreaAfterM2, people+*l.PopulationAfter
	}
	if before != tt.AreaBeforeM2 || after != tt.AreaAfterM2 || !near0(people, *tt.PopulationAfter, 1e-9) || !near0(tt.AreaBeforeM2, tt.AreaAfterM2, 0.01) || tt.ZonesBefore != 4 || tt.ZonesAfter != 4 || tt.UnknownCells != 1 {
		t.Errorf("the parts do not add up: %+v", tt)
	}
	if !near0(*tt.PopulationBefore, 1130, 0.01) || !near0(*tt.PopulationAfter, 1130, 0.01) {
		t.Errorf("%f people became %f", *tt.PopulationBefore, *tt.PopulationAfter)
	}
	// Only 三乡 has another level: merging and cutting within a level changes none.
	if want := d.Relevelled[0].AreaAfterM2; !near0(tt.ChangedAreaM2, want, 0.01) || level(d, 1).AreaAfterM2 != want {
		t.Errorf("%f m² changed, want %f", tt.ChangedAreaM2, want)
	}
	// The other way round it is the mirror.
	r, err := o.s.Diff(ctx, o.planner.Identity, p.ID, v2.ID)
	if err != nil || len(r.Added) != 1 || len(r.Removed) != 1 || !near0(r.Totals.ChangedAreaM2, tt.ChangedAreaM2, 0.01) || r.Totals.AreaAfterM2 != tt.AreaBeforeM2 {
		t.Errorf("mirrored: %+v %v", r.Totals, err)
	}
	if _, err := o.s.Diff(ctx, o.planner.Identity, p.ID, ""); code(err) != "against no_parent" {
		t.Errorf("the first version: %v", err)
	}
	if _, err := o.s.Diff(ctx, o.viewer.Identity, p.ID, v2.ID); code(err) != "not found" {
		t.Errorf("against a draft he does not see: %v", err)
	}
	other, err := o.s.Create(ctx, o.planner, NewPlan{Hazard: "landslide", Kind: Risk, Title: "滑坡", Area: county, Exhaustive: true, Start: StartWhole})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := o.s.Diff(ctx, o.planner.Identity, other.ID, p.ID); err != nil || len(d.Added) != 1 || len(d.Removed) != 4 || !near0(d.Totals.ChangedAreaM2, d.Totals.AreaAfterM2, 0.01) {
		t.Errorf("another plan of the area: %v %+v", err, d.Totals)
	}
	o.exec(`select layer_set_visibility('population', 'sensitive')`)
	o.reload()
	p2 := o.person(12, auth.Viewer, county)
	if d, err := o.s.Diff(ctx, p2.Identity, p.ID, p.ID); err != nil || d.People || d.Totals.PopulationAfter != nil || d.Unchanged != 4 {
		t.Errorf("without the population: %+v %v", d.Totals, err)
	}
}

// neighbour puts a plan in force east of the county.
func (o *office) neighbour(zones map[string]coverage.Shape, levels map[string]int) string {
	id := newID(o.s.now())
	o.exec(`insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope, exhaustive, created_account) values ($1, $1, 1, 'flood', 'risk', '乙县洪水风险区划', '990200', code_scope('990200'), false, uuid_v7())`, id)
	for name, s := range zones {
		o.exec(`insert into zones (plan, zone, kind, hazard, level, name, admin_code, geom) values ($1, uuid_v7(), 'risk', 'flood', $2, $3, '990200', $4)`, id, levels[name], name, geo.Shape{Geometry: s.Geometry()})
	}
	for _, step := range []string{`state = 'submitted', submitted_at = now(), submitted_account = uuid_v7()`, `state = 'in_review'`, `state = 'approved', approved_at = now(), approved_account = uuid_v7()`,
		`state = 'published', published_at = now(), published_account = uuid_v7(), document_no = '1', effective_from = '2025-01-01'`} {
		o.exec(`update plan set `+step+` where id = $1`, id)
	}
	o.exec(`update zones set published = true, valid_from = '2025-01-01Z' where plan = $1`, id)
	return id
}

// TestPlansJoin draws the four faults along a border and one border without.
func TestPlansJoin(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	p := o.create(StartTownships)
	o.grade(p.ID) // all level 2
	wide := o.person(13, auth.Planner, "9901")
	wide.Identity.Reach = auth.ReachOf([]auth.Grant{{Role: auth.Planner, Area: county}, {Role: auth.Viewer, Area: "990200"}}, o.s.now(), 0)
	wide.Identity.Grants = append(wide.Identity.Grants, o.planner.Identity.Grants...)
	faults := func() map[string]JoinFault {
		t.Helper()
		j, err := o.s.Joins(ctx, wide.Identity, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]JoinFault{}
		for _, f := range j.Faults {
			if f.Message.ZH == "" || f.NeighbourTitle == "" || f.Geometry == nil || f.Geometry.Bound().Min[0] < 121.5015 {
				t.Errorf("%+v", f)
			}
			out[f.Kind+" "+f.NeighbourName] = f
		}
		if len(j.Faults) > 0 && j.Neighbours != 1 {
			t.Errorf("%d neighbours", j.Neighbours)
		}
		return out
	}
	if got := faults(); len(got) != 0 {
		t.Errorf("nobody beside it: %+v", got)
	}
	id := o.neighbour(map[string]coverage.Shape{"fits": box(20, 0, 30, 10), "higher": box(20, 10, 30, 20)}, map[string]int{"fits": 2, "higher": 1})
	got := faults()
	if len(got) != 1 || !near0(got["level higher"].LengthM, 110.77, 1) || got["level higher"].Level != 2 || got["level higher"].NeighbourLevel != 1 {
		t.Errorf("the level differs: %+v", got)
	}
	o.exec(`update plan set state = 'withdrawn', effective_to = '2025-06-01' where id = $1`, id)
	if got := faults(); len(got) != 0 {
		t.Errorf("beside one that is repealed: %+v", got)
	}
	// A wedge of 0.05 steps (half a metre) missing, 0.1 steps (a metre) over, and a vertex off by 0.005.
	o.neighbour(map[string]coverage.Shape{
		"over":   {{ring(20, 0, 30, 0, 30, 5, 20, 5, 19.9, 2.5)}},
		"wedge":  {{ring(20, 5, 30, 5, 30, 12, 20, 12, 20.05, 8)}},
		"shaken": {{ring(20, 12, 30, 12, 30, 20, 20, 20, 20.005, 16)}},
	}, map[string]int{"over": 2, "wedge": 2, "shaken": 2})
	got = faults()
	if f := got["overlap over"]; !near0(f.AreaM2, 0.5*5*11.07*0.1*10.09, 1) {
		t.Errorf("overlap: %+v", f)
	}
	if f := got["gap wedge"]; !near0(f.AreaM2, 0.5*7*11.07*0.05*10.09, 1) {
		t.Errorf("gap: %+v", f)
	}
	if f, ok := got["offset shaken"]; !ok || f.Geometry.(orb.MultiPoint)[0] != pt(20.005, 16).LonLat() {
		t.Errorf("offset: %+v", f)
	}
	if _, ok := got["level over"]; ok {
		t.Error("levels differ where they do not")
	}
}
