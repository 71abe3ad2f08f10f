package zoning

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

func TestEditQueriesFitTheSchema(t *testing.T) {
	w := newTable(t)
	if err := w.s.queries.Prepare(t.Context(), w.admin); err != nil {
		t.Error(err)
	}
}

// step is a step on the coverage.
func step(op coverage.Op) Step { return Step{Op: op} }

// TestEveryOperationIsDoneUndoneAndDoneAgain does each operation through the whole way, on
// a plan of sixteen squares, and looks at the database's own bytes.
func TestEveryOperationIsDoneUndoneAndDoneAgain(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	a, b, c, d := square(4, 0, 0), square(4, 1, 0), square(4, 0, 1), square(4, 1, 1)
	inner := box(12, 12, 16, 16)
	cases := []struct {
		name    string
		steps   []Step
		zh      string
		zones   int // changed or made
		removed int
		border  bool
	}{
		{"split", []Step{step(coverage.Op{Kind: coverage.Split, Zone: d, Line: []coverage.Point{pt(9, 13), pt(21, 14)}, New: []coverage.ID{zid(1)}})},
			"切割单元", 4, 0, false},
		{"split at the boundary", []Step{step(coverage.Op{Kind: coverage.Split, Zone: a, Line: []coverage.Point{pt(-1, 3), pt(5, 4), pt(3, -1)}})},
			"切割单元", 2, 0, true},
		{"merge", []Step{step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{a, b, d}})}, "合并 3 个单元", 1, 2, false},
		{"move_vertex", []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(11, 12)})}, "移动节点", 4, 0, false},
		{"move_edge", []Step{step(coverage.Op{Kind: coverage.MoveEdge, Edge: [2]coverage.Point{pt(10, 10), pt(10, 15)}, EdgeTo: [2]coverage.Point{pt(11, 10), pt(11, 15)}})},
			"移动边", 4, 0, false},
		{"insert_vertex", []Step{step(coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{pt(10, 10), pt(10, 15)}, At: pt(10, 12)})}, "插入节点", 2, 0, false},
		{"insert_vertex on the boundary", []Step{step(coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{pt(0, 0), pt(5, 0)}, At: pt(2, 0)})}, "插入节点", 1, 0, true},
		{"remove_vertex", []Step{step(coverage.Op{Kind: coverage.RemoveVertex, At: pt(10, 15)})}, "删除节点", 2, 0, false},
		{"add carves", []Step{{Op: coverage.Op{Kind: coverage.Add, Zone: zid(2), Shape: box(5, 5, 15, 15), Carve: true}, Set: Attributes{Name: new("新区"), Level: new(2)}}},
			"新增单元", 5, 0, false},
		{"add_part", []Step{step(coverage.Op{Kind: coverage.AddPart, Zone: a, Shape: box(22, 22, 26, 26), Carve: true})}, "增加一块", 2, 0, false},
		{"reshape", []Step{step(coverage.Op{Kind: coverage.Reshape, Zone: d, Shape: box(8, 12, 20, 20)})}, "调整边界", 5, 0, false},
		{"reshape along a line", []Step{step(coverage.Op{Kind: coverage.Reshape, Zone: d, Line: []coverage.Point{pt(10, 10), pt(8, 15), pt(10, 20)}})}, "调整边界", 2, 0, false},
		{"cut_hole", []Step{step(coverage.Op{Kind: coverage.CutHole, Zone: d, Shape: inner, New: []coverage.ID{zid(3)}})}, "挖洞", 2, 0, false},
		{"cut_hole, fill_hole", []Step{
			step(coverage.Op{Kind: coverage.CutHole, Zone: d, Shape: inner, New: []coverage.ID{zid(4)}}),
			step(coverage.Op{Kind: coverage.CutHole, Zone: c, Shape: box(2, 12, 6, 16), New: []coverage.ID{zid(5)}}),
			step(coverage.Op{Kind: coverage.FillHole, Zone: d, At: pt(14, 14)})}, "挖洞 等 3 步", 2, 0, false},
		{"explode", []Step{
			step(coverage.Op{Kind: coverage.AddPart, Zone: a, Shape: box(22, 22, 26, 26), Carve: true}),
			step(coverage.Op{Kind: coverage.Explode, Zone: a, New: []coverage.ID{zid(6)}})}, "增加一块 等 2 步", 2, 0, false},
		{"delete to a neighbour", []Step{step(coverage.Op{Kind: coverage.Delete, Zone: a, Target: b})}, "删除单元", 1, 1, false},
		{"relevel", []Step{{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{b}}, Set: Attributes{Level: new(1)}}}, "改等级为 高", 1, 0, false},
		{"set_attributes", []Step{{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{a, c}}, Set: Attributes{Countermeasure: new("加固堤防"), Responsible: new("水利局")}}},
			"修改 2 个单元的属性", 2, 0, false},
		{"move two vertices", []Step{
			step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(11, 11)}),
			step(coverage.Op{Kind: coverage.MoveVertex, From: pt(20, 20), To: pt(21, 19)})}, "移动节点(2 处)", 7, 0, false},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			w.t = t
			plan := w.plan(true, area, zones)
			w.whole(plan)
			was := w.state(plan)
			r := w.mustEdit(plan, k.steps...)
			if r.TitleZH != k.zh || len(r.Zones) != k.zones || len(r.Removed) != k.removed || (r.Area != nil) != k.border || r.Position == "" || r.Seq == 0 || r.Repeated {
				t.Errorf("%q %d zones %d removed, boundary %v, %+v", r.TitleZH, len(r.Zones), len(r.Removed), r.Area != nil, r.EditID)
			}
			w.whole(plan)
			is := w.state(plan)
			if is == was {
				t.Fatal("nothing changed")
			}
			live := w.zones(plan)
			for _, z := range r.Zones {
				if l := live[z.Zone]; !l.Shape.Equal(z.Shape) || l.Version != z.Version || l.ID != z.ID || *l.AreaKm2 != *z.AreaKm2 {
					t.Errorf("answered %+v, there is %+v", z, l)
				}
			}
			u, err := w.undo(plan, r.EditID)
			if err != nil {
				t.Fatalf("undo: %s", explain(err))
			}
			if got := w.state(plan); got != was {
				t.Fatalf("undone is not what was:\n%s\n%s", got, was)
			}
			w.whole(plan)
			if u.TitleZH != "撤销:"+k.zh {
				t.Errorf("undo is called %q", u.TitleZH)
			}
			if _, err := w.undo(plan, r.EditID); !isConflict(err, "already_undone") {
				t.Errorf("undone twice: %v", err)
			}
			redo, err := w.undo(plan, u.EditID)
			if err != nil {
				t.Fatalf("redo: %s", explain(err))
			}
			if got := w.state(plan); got != is {
				t.Fatalf("done again is not what was done:\n%s\n%s", got, is)
			}
			if redo.TitleZH != "重做:"+k.zh {
				t.Errorf("redo is called %q", redo.TitleZH)
			}
			// The edit stands again, so it can be taken back by its own name.
			if _, err := w.undo(plan, r.EditID); err != nil {
				t.Fatalf("undo after redo: %s", explain(err))
			}
			if got := w.state(plan); got != was {
				t.Error("undone again is not what was")
			}
			lines, err := w.s.Edits(t.Context(), w.by.Identity, plan, 0, 0)
			if err != nil || len(lines) != 4 {
				t.Fatalf("%d lines, %v", len(lines), err)
			}
			if lines[0].UndoneBy != lines[3].EditID || lines[1].UndoneBy != redo.EditID || lines[2].UndoneBy != "" || lines[1].Undoes != r.EditID ||
				lines[0].By != "person1" || lines[0].Name != "某1" || lines[0].Bounds == nil || len(lines[0].Zones) != k.zones || len(lines[0].Removed) != k.removed {
				t.Errorf("%+v", lines)
			}
		})
	}
}

func isConflict(err error, code string) bool {
	var c *auth.Conflict
	return errors.As(err, &c) && c.Code == code
}

func isInvalid(err error, code string) bool {
	var v *auth.Invalid
	return errors.As(err, &v) && len(v.Items) > 0 && v.Items[0].Code == code
}

func isState(err error, code string) bool {
	var v *StateError
	return errors.As(err, &v) && v.Code == code
}

// TestEditsNodeWithoutTheDatabase: where the database cannot node, the step is done all
// the same, and fits.
func TestEditsNodeWithoutTheDatabase(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	cut := step(coverage.Op{Kind: coverage.Split, Zone: square(4, 1, 1), Line: []coverage.Point{pt(9, 13), pt(21, 14.3)}, New: []coverage.ID{zid(1)}})
	with := w.plan(true, area, zones)
	w.mustEdit(with, cut)
	w.s.queries["edit_node"] = `select $1::geometry from (select 1 / ($2::float8 - $2::float8)) failing`
	without := w.plan(true, area, zones)
	w.mustEdit(without, cut)
	w.whole(without)
	a, b := w.zones(with), w.zones(without)
	for id := range a {
		if !a[id].Shape.Equal(b[id].Shape) {
			t.Errorf("%s: %v, without the database %v", id, a[id].Shape, b[id].Shape)
		}
	}
}

func TestNewZonesInherit(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	plan := w.plan(true, area, zones)
	a, b := square(4, 1, 1), square(4, 2, 1)
	w.mustEdit(plan, Step{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{
		Name: new("河东"), Code: new("HD-01"), Countermeasure: new("筑堤"), Responsible: new("水利局"), Reason: new("历史淹没")}},
		Step{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Level: new(2)}})
	w.exec(`update zones set population = 100, attrs = '{"indicators": {"h": 1}, "computed_level": 2, "figures": {"x": 1}}' where plan = $1`, plan)
	r := w.mustEdit(plan, step(coverage.Op{Kind: coverage.Split, Zone: a, Line: []coverage.Point{pt(9, 16), pt(21, 17)}, New: []coverage.ID{zid(7)}}))
	live := w.zones(plan)
	made, kept := live[string(zid(7))], live[string(a)]
	if made.Name != "河东-2" || made.Code != "" || made.Level != 2 || made.Countermeasure != "筑堤" || made.Responsible != "水利局" || made.Reason != "历史淹没" {
		t.Errorf("%+v", made)
	}
	if kept.Name != "河东" || kept.Code != "HD-01" || *kept.AreaKm2 < *made.AreaKm2 {
		t.Errorf("%+v", kept)
	}
	for _, z := range []Zone{made, kept} {
		if m := attrsOf(t, z); z.Population != nil || m["figures"] != nil || m["indicators"] == nil || m["computed_level"] != 2.0 {
			t.Errorf("%s: people %v, %s", z.Name, z.Population, z.Attrs)
		}
	}
	// A neighbour that got a node on its border is the same ground: its figures hold.
	for _, z := range r.Zones {
		if z.Zone == string(a) || z.Zone == string(zid(7)) {
			continue
		}
		if m := attrsOf(t, z); z.Population == nil || *z.Population != 100 || m["figures"] == nil {
			t.Errorf("neighbour %s: %v %s", z.Name, z.Population, z.Attrs)
		}
	}
	// A second cut gives the next number.
	w.mustEdit(plan, step(coverage.Op{Kind: coverage.Split, Zone: zid(7), Line: []coverage.Point{pt(15, 15), pt(15, 21)}, New: []coverage.ID{zid(8)}}))
	if z := w.zones(plan)[string(zid(8))]; z.Name != "河东-3" || z.Level != 2 {
		t.Errorf("%+v", z)
	}
	// People of whole zones add up.
	w.exec(`update zones set population = 100 where plan = $1`, plan)
	w.mustEdit(plan, step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{b, a}}))
	if z := w.zones(plan)[string(b)]; z.Population == nil || *z.Population != 200 {
		t.Errorf("people of two: %v", z.Population)
	}
	var scope geo.Scope
	w.scan(&scope, `select scope from zones where plan = $1 and zone = $2`, plan, string(b))
	if want, _ := geo.ParseScope(county); scope != want {
		t.Errorf("scope %v", scope)
	}
	// Areas are those of the ellipsoid.
	var off float64
	w.scan(&off, `select max(abs(area_km2 - st_area(geom::geography) / 1e6)) from zones where plan = $1`, plan)
	if off > 1e-12 {
		t.Errorf("areas are off by %v km2", off)
	}
}

// TestScopeIsTheSmallestUnit: a zone inside a township belongs to it, one across to the county.
func TestScopeIsTheSmallestUnit(t *testing.T) {
	w := newTable(t)
	for i, s := range []coverage.Shape{box(0, 0, 20, 40), box(20, 0, 40, 40)} {
		w.exec(`insert into admin (code, name, admin_code, rank, geom) values ($1, '乡', $1, 4, $2)`, fmt.Sprintf("99010000%d", i+1), geo.Shape{Geometry: s.Geometry()})
	}
	area, zones := checkers(4, 1, nil)
	plan := w.plan(true, area, zones)
	code := func(id coverage.ID) (out string) {
		w.scan(&out, `select admin_code from zones where plan = $1 and zone = $2`, plan, string(id))
		return out
	}
	a, b := square(4, 1, 0), square(4, 2, 0)
	if code(a) != "990100001" || code(b) != "990100002" {
		t.Errorf("%s %s", code(a), code(b))
	}
	r := w.mustEdit(plan, step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{a, b}}))
	if code(a) != county {
		t.Errorf("across two townships: %s", code(a))
	}
	if _, err := w.undo(plan, r.EditID); err != nil {
		t.Fatal(explain(err))
	}
	if code(a) != "990100001" || code(b) != "990100002" {
		t.Errorf("after undo: %s %s", code(a), code(b))
	}
}

func TestARepeatedEditAnswersWhatWasDone(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(3, 1, nil)
	plan := w.plan(true, area, zones)
	r := EditRequest{Plan: plan, EditID: newID(time.Now()), Base: w.base(plan),
		Steps: []Step{step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{square(3, 0, 0), square(3, 1, 0)}})}}
	first, err := w.s.Edit(t.Context(), w.by, r)
	if err != nil {
		t.Fatal(explain(err))
	}
	is := w.state(plan)
	again, err := w.s.Edit(t.Context(), w.by, r)
	if err != nil || !again.Repeated || again.Seq != first.Seq || again.TitleZH != first.TitleZH || again.Position != first.Position ||
		len(again.Zones) != 1 || !again.Zones[0].Shape.Equal(first.Zones[0].Shape) || len(again.Removed) != 1 || again.Removed[0] != first.Removed[0] {
		t.Errorf("%+v\n%+v\n%v", first, again, err)
	}
	if w.state(plan) != is {
		t.Error("the repetition changed something")
	}
	other := r
	other.Steps = []Step{step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{square(3, 0, 0), square(3, 1, 0), square(3, 2, 0)}})}
	if _, err := w.s.Edit(t.Context(), w.by, other); !isConflict(err, "edit_id_used") {
		t.Errorf("other content: %v", err)
	}
	if _, err := w.s.Edit(t.Context(), w.person(5, auth.Planner, county), r); !isConflict(err, "edit_id_used") {
		t.Errorf("another person: %v", err)
	}
	// Also when the plan has gone on.
	w.exec(`update plan set state = 'submitted', submitted_at = now(), submitted_by = 'person1', submitted_account = $2 where id = $1`, plan, w.by.Account)
	if again, err := w.s.Edit(t.Context(), w.by, r); err != nil || !again.Repeated {
		t.Errorf("after the plan was submitted: %v", err)
	}
	r.EditID = newID(time.Now())
	if _, err := w.s.Edit(t.Context(), w.by, r); !isState(err, "not_editable") {
		t.Errorf("a new edit of a submitted plan: %v", err)
	}
	var n int
	w.scan(&n, `select count(*) from audit.entry where action = 'plan.edit' and object = $1`, "plans/"+plan)
	if n != 1 {
		t.Errorf("%d rows of audit", n)
	}
}

func TestAComputedPlanWantsReasons(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(3, 1, nil)
	plan := w.plan(true, area, zones)
	a := square(3, 0, 0)
	level := w.zones(plan)[string(a)].Level
	other := level%5 + 1
	relevel := func(l int, reason *string) error {
		_, err := w.edit(plan, Step{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Level: &l, Reason: reason}})
		return err
	}
	if err := relevel(other, nil); err != nil {
		t.Fatal(explain(err))
	}
	w.exec(`update plan set method = '{"unit": "township"}' where id = $1`, plan)
	if err := relevel(level, nil); !isInvalid(err, "reason_required") {
		t.Errorf("without a reason: %v", err)
	}
	if err := relevel(level, new(" ")); !isInvalid(err, "reason_required") {
		t.Errorf("with an empty one: %v", err)
	}
	if err := relevel(level, new("2020 年内涝实测")); err != nil {
		t.Error(explain(err))
	}
	if z := w.zones(plan)[string(a)]; z.Level != level || z.Reason != "2020 年内涝实测" {
		t.Errorf("%+v", z)
	}
	w.exec(`update zones set attrs = '{"computed_level": 1}', level = 2, reason = null where plan = $1 and zone = $2`, plan, string(square(3, 1, 1)))
	v, err := w.s.Validate(t.Context(), w.by.Identity, plan)
	if err != nil || len(v.Violations) != 1 || v.Violations[0].Code != ReasonRequired || v.Zones != 9 || v.Vertices != 72 || v.OK() {
		t.Errorf("%+v %v", v, err)
	}
}

func TestPlansWithGaps(t *testing.T) {
	w := newTable(t)
	a, b := zid(21), zid(22)
	plan := w.plan(false, nil, map[coverage.ID]coverage.Shape{a: box(0, 0, 10, 10), b: box(20, 0, 30, 10)})
	ctx := t.Context()

	id := string(zid(23))
	put := ZonePut{Attributes: Attributes{Name: new("丙"), Level: new(3), Countermeasure: new("避让")}, Shape: box(12, 0, 18, 10)}
	r, err := w.s.PutZone(ctx, w.by, plan, id, 0, put)
	if err != nil || len(r.Zones) != 1 || r.Zones[0].Name != "丙" || r.Zones[0].Countermeasure != "避让" || r.Zones[0].Level != 3 {
		t.Fatalf("%+v %s", r, explain(err))
	}
	if again, err := w.s.PutZone(ctx, w.by, plan, id, 0, put); err != nil || !again.Repeated {
		t.Errorf("put twice: %v", err)
	}
	other := put
	other.Shape = box(12, 0, 18, 9)
	if _, err := w.s.PutZone(ctx, w.by, plan, id, 0, other); !isConflict(err, "edit_id_used") {
		t.Errorf("other content: %v", err)
	}
	v := r.Zones[0].Version
	r, err = w.s.PatchZone(ctx, w.by, plan, id, v, ZonePut{Attributes: Attributes{Name: new("丁")}})
	if err != nil || r.Zones[0].Name != "丁" || r.Zones[0].Level != 3 {
		t.Fatalf("%+v %s", r, explain(err))
	}
	if _, err := w.s.PatchZone(ctx, w.by, plan, id, v, ZonePut{Attributes: Attributes{Name: new("戊")}}); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("stale: %v", err)
	}
	v = r.Zones[0].Version
	if r, err := w.s.PatchZone(ctx, w.by, plan, id, v, ZonePut{Attributes: Attributes{Name: new("丁")}}); err != nil || len(r.Zones) != 1 || r.Zones[0].Version != v {
		t.Errorf("nothing to change: %+v %s", r, explain(err))
	}
	// As far as the neighbours, not over them.
	r, err = w.s.PutZone(ctx, w.by, plan, id, v, ZonePut{Attributes: Attributes{Level: new(2)}, Shape: box(10, 0, 20, 10)})
	if err != nil || r.Zones[len(r.Zones)-1].Name != "" {
		t.Fatalf("%+v %s", r, explain(err))
	}
	w.whole(plan)
	if _, err := w.s.PutZone(ctx, w.by, plan, string(zid(99)), 3, ZonePut{Shape: box(50, 0, 60, 10)}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("no such zone: %v", err)
	}
	if _, err := w.s.DeleteZone(ctx, w.by, plan, id, 1); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("delete stale: %v", err)
	}
	if _, err := w.s.DeleteZone(ctx, w.by, plan, id, w.zones(plan)[id].Version); err != nil {
		t.Errorf("delete: %s", explain(err))
	}
	if len(w.zones(plan)) != 2 {
		t.Error("the zone is still there")
	}
	// An id names one zone for as long as the series lives.
	if _, err := w.edit(plan, step(coverage.Op{Kind: coverage.Add, Zone: zid(23), Shape: box(50, 0, 60, 10)})); !isConflict(err, "zone_exists") {
		t.Errorf("the id of a zone that is gone: %v", err)
	}
	// Filling a gap between zones.
	ring := w.plan(false, nil, map[coverage.ID]coverage.Shape{a: {{ring(0, 0, 30, 0, 30, 30, 0, 30), ring(10, 10, 10, 20, 20, 20, 20, 10)}}})
	was := w.state(ring)
	g, err := w.edit(ring, step(coverage.Op{Kind: coverage.AssignGap, Zone: a, At: pt(15, 15)}))
	if err != nil || g.TitleZH != "补缝隙" || len(w.zones(ring)[string(a)].Shape[0]) != 1 {
		t.Errorf("%+v %s", g, explain(err))
	}
	if _, err := w.undo(ring, g.EditID); err != nil || w.state(ring) != was {
		t.Errorf("undo of a filled gap: %s", explain(err))
	}
	// What was given back may have been taken by another meanwhile.
	d, err := w.edit(ring, step(coverage.Op{Kind: coverage.Delete, Zone: a}))
	if err != nil {
		t.Fatal(explain(err))
	}
	if _, err := w.edit(ring, step(coverage.Op{Kind: coverage.Add, Shape: box(5, 5, 8, 8)})); err != nil {
		t.Fatal(explain(err))
	}
	if _, err := w.undo(ring, d.EditID); refused(err) != coverage.Overlap {
		t.Errorf("undo onto another's ground: %s", explain(err))
	}

	exhaustive := w.plan(true, box(0, 0, 10, 10), map[coverage.ID]coverage.Shape{zid(31): box(0, 0, 10, 10)})
	for name, err := range map[string]error{
		"put":    second(w.s.PutZone(ctx, w.by, exhaustive, string(zid(31)), 1, ZonePut{Shape: box(0, 0, 5, 5)})),
		"delete": second(w.s.DeleteZone(ctx, w.by, exhaustive, string(zid(31)), 1)),
	} {
		if !isState(err, "use_edits") {
			t.Errorf("%s where no gap may be: %v", name, err)
		}
	}
	if _, err := w.s.PatchZone(ctx, w.by, exhaustive, string(zid(31)), 1, ZonePut{Attributes: Attributes{Name: new("全部")}}); err != nil {
		t.Errorf("attributes: %s", explain(err))
	}
}

func second(_ EditResult, err error) error { return err }

func TestOthersDoNotSeeOrDraw(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(3, 1, nil)
	plan := w.plan(true, area, zones)
	was := w.state(plan)
	r := EditRequest{Plan: plan, EditID: newID(time.Now()), Base: w.base(plan), Steps: []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(11, 11)})}}
	stranger := w.person(2, auth.Planner, "990200")
	ctx := context.Background()
	for name, err := range map[string]error{
		"edit":     second(w.s.Edit(ctx, stranger, r)),
		"patch":    second(w.s.PatchZone(ctx, stranger, plan, string(square(3, 0, 0)), 1, ZonePut{Attributes: Attributes{Name: new("x")}})),
		"absent":   second(w.s.Edit(ctx, w.by, EditRequest{Plan: newID(time.Now()), EditID: r.EditID, Steps: r.Steps})),
		"no uuid":  second(w.s.Edit(ctx, w.by, EditRequest{Plan: "x' or true", EditID: r.EditID, Steps: r.Steps})),
		"edits":    third(w.s.Edits(ctx, stranger.Identity, plan, 0, 10)),
		"validate": third(w.s.Validate(ctx, stranger.Identity, plan)),
		"snap":     third(w.s.Snap(ctx, stranger.Identity, plan, orbBox(0, 0, 1, 1))),
	} {
		if !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who sees the plan and may not draw on it.
	for _, role := range []auth.Role{auth.Approver, auth.DataEngineer} {
		if _, err := w.s.Edit(ctx, w.person(3, role, county), r); !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", role, err)
		}
	}
	// A planner of one township does not draw on the county's plan.
	if _, err := w.s.Edit(ctx, w.person(4, auth.Planner, "990100001"), r); !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("planner of a township: %v", err)
	}
	if _, err := w.s.Edit(ctx, auth.By{}, r); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("nobody: %v", err)
	}
	if w.state(plan) != was {
		t.Error("something changed")
	}
	// The floor: whatever a statement forgets to ask, the steps of a plan are seen by who sees it.
	own := w.mustEdit(plan, r.Steps...)
	for by, want := range map[*auth.Identity]int{stranger.Identity: 0, w.by.Identity: 4} {
		err := w.s.db.Query.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
			var edits, zones int
			err := tx.QueryRow(ctx, `select (select count(*) from plan_edit where edit_id = $1), (select count(*) from plan_edit_zone where edit_id = $1)`, own.EditID).Scan(&edits, &zones)
			if edits != min(want, 1) || zones != want {
				t.Errorf("%s sees %d edits of %d zones", by.Username, edits, zones)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	var n int
	w.scan(&n, `select count(*) from plan_edit where plan = $1 and edit_id <> $2`, plan, own.EditID)
	if n != 0 {
		t.Errorf("%d edits", n)
	}
	if !strings.HasPrefix(w.by.Username, "person") {
		t.Error("the table is set wrongly")
	}
}

func third[T any](_ T, err error) error { return err }
