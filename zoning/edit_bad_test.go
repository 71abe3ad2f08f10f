package zoning

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// scribble is a line of n random places.
func scribble(rnd *rand.Rand, n int) []coverage.Point {
	out := make([]coverage.Point, n)
	for i := range out {
		out[i] = pt(rnd.Float64()*40, rnd.Float64()*40)
	}
	return out
}

// TestBadDrawingIsAnswered: whatever is drawn gets a clear answer, and nothing changes.
func TestBadDrawingIsAnswered(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	plan := w.plan(true, area, zones)
	loose := w.plan(false, nil, map[coverage.ID]coverage.Shape{zid(41): box(0, 0, 10, 10)})
	rnd := rand.New(rand.NewPCG(4, 1))
	a, d := square(4, 0, 0), square(4, 1, 1)
	draw := func(s coverage.Shape) []Step {
		return []Step{{Op: coverage.Op{Kind: coverage.Add, Zone: zid(50), Shape: s, Carve: true}}}
	}
	cut := func(l ...coverage.Point) []Step {
		return []Step{{Op: coverage.Op{Kind: coverage.Split, Zone: d, Line: l}}}
	}
	many := make(coverage.Ring, 0, 10_001)
	for i := range 10_001 {
		f := 2 * math.Pi * float64(i) / 10_001
		many = append(many, pt(20+15*math.Cos(f), 20+15*math.Sin(f)))
	}
	type bad struct {
		name  string
		plan  string
		steps []Step
		codes string // any of them
	}
	cases := []bad{
		{"bow-tie", plan, draw(coverage.Shape{{ring(5, 5, 15, 15, 15, 5, 5, 15)}}), "self_intersection"},
		{"spike", plan, draw(coverage.Shape{{ring(5, 5, 15, 5, 15, 15, 15, 30, 15, 15, 5, 15)}}), "self_intersection degenerate"},
		{"two points", plan, draw(coverage.Shape{{ring(5, 5, 15, 5)}}), "degenerate"},
		{"no area", plan, draw(coverage.Shape{{ring(5, 5, 10, 5, 15, 5)}}), "degenerate self_intersection"},
		{"hole along its shell", plan, draw(coverage.Shape{{ring(5, 5, 25, 5, 25, 25, 5, 25), ring(5, 10, 5, 20, 15, 20, 15, 10)}}), "self_intersection degenerate overlap"},
		{"hole that touches twice", plan, draw(coverage.Shape{{ring(5, 5, 25, 5, 25, 25, 5, 25), ring(5, 15, 15, 25, 15, 15)}}), "self_intersection degenerate overlap"},
		{"hole outside", plan, draw(coverage.Shape{{ring(5, 5, 15, 5, 15, 15, 5, 15), ring(20, 20, 20, 25, 25, 25, 25, 20)}}), "self_intersection degenerate overlap"},
		{"ring twice", plan, draw(coverage.Shape{{ring(5, 5, 15, 5, 15, 15, 5, 15)}, {ring(5, 5, 15, 5, 15, 15, 5, 15)}}), "self_intersection overlap degenerate"},
		{"parts over each other", plan, draw(coverage.Shape{{ring(5, 5, 15, 5, 15, 15, 5, 15)}, {ring(8, 8, 18, 8, 18, 18, 8, 18)}}), "self_intersection overlap"},
		{"too many vertices", plan, draw(coverage.Shape{{many}}), "too_many_vertices"},
		{"far outside", plan, draw(box(1000, 1000, 1010, 1010)), "outside_area"},
		{"no such zone", plan, []Step{step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{a, zid(77)}})}, "no_such_zone"},
		{"no such zone to grade", plan, []Step{{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{zid(77)}}, Set: Attributes{Level: new(1)}}}, "no_such_zone"},
		{"line that does not cross", plan, cut(pt(12, 12), pt(15, 15)), "nothing_to_do"},
		{"line elsewhere", plan, cut(pt(32, 32), pt(35, 35)), "nothing_to_do"},
		{"no vertex there", plan, []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(12, 12), To: pt(13, 13)})}, "no_such_vertex"},
		{"to the same place", plan, []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(10, 10)})}, "nothing_to_do"},
		{"over the other side", plan, []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(35, 35)})}, "self_intersection overlap"},
		{"a corner of the plan", plan, []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(0, 0), To: pt(1, 1)})}, "locked_boundary"},
		{"off the plan", plan, []Step{step(coverage.Op{Kind: coverage.RemoveVertex, At: pt(40, 40)})}, "locked_boundary"},
		{"a gap where none may be", plan, []Step{step(coverage.Op{Kind: coverage.Delete, Zone: a})}, "gap"},
		{"the same level", plan, []Step{{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Level: new(w.zones(plan)[string(a)].Level)}}}, "nothing_to_do"},
		{"a good step and a bad one", plan, []Step{
			step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(11, 11)}), step(coverage.Op{Kind: coverage.MoveVertex, From: pt(12, 12), To: pt(11, 11)})}, "no_such_vertex"},
		{"over another without a boundary", loose, []Step{step(coverage.Op{Kind: coverage.Reshape, Zone: zid(41), Shape: coverage.Shape{{ring(0, 0, 10, 10, 10, 0, 0, 10)}}})}, "self_intersection"},
	}
	for _, n := range []int{100, 300, 1000, 3000} {
		cases = append(cases,
			bad{fmt.Sprintf("ring of %d random points", n), plan, draw(coverage.Shape{{scribble(rnd, n)}}), "self_intersection"},
			bad{fmt.Sprintf("hole of %d random points", n), plan, []Step{step(coverage.Op{Kind: coverage.CutHole, Zone: d, Shape: coverage.Shape{{scribble(rnd, n)}}})}, "self_intersection"},
			bad{fmt.Sprintf("cut along %d random points", n), plan, cut(scribble(rnd, n)...), "self_intersection too_many_vertices"},
			bad{fmt.Sprintf("border along %d random points", n), plan, []Step{step(coverage.Op{Kind: coverage.Reshape, Zone: d, Line: scribble(rnd, n)})}, "self_intersection"})
	}
	was := w.state(plan) + w.state(loose)
	var longest time.Duration
	var slow string
	for _, k := range cases {
		began := time.Now()
		_, err := w.edit(k.plan, k.steps...)
		if took := time.Since(began); took > longest {
			longest, slow = took, k.name
		}
		if c := string(refused(err)); c == "" || !strings.Contains(k.codes, c) {
			t.Errorf("%s: %s, want %s", k.name, explain(err), k.codes)
		}
		var v *ViolationsError
		if errors.As(err, &v) && k.name != "the same level" {
			if b := v.Violations[0]; b.At == (coverage.Point{}) && len(b.Zones) == 0 {
				t.Errorf("%s: nowhere to fly to", k.name)
			}
		}
	}
	if w.state(plan)+w.state(loose) != was {
		t.Error("something changed")
	}
	var n int
	w.scan(&n, `select count(*) from plan_edit`)
	if n != 0 {
		t.Errorf("%d edits were written down", n)
	}
	t.Logf("longest answer: %v (%s)", longest, slow)
}

// TestBadRequestsAreAnswered: what can be refused without looking at the plan.
func TestBadRequestsAreAnswered(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(3, 1, nil)
	plan := w.plan(true, area, zones)
	a := square(3, 0, 0)
	move := step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(11, 11)})
	lots := make([]Step, 1000)
	for i := range lots {
		lots[i] = move
	}
	for _, k := range []struct {
		name string
		r    EditRequest
		code string
	}{
		{"no edit_id", EditRequest{Steps: []Step{move}}, "not_a_uuid"},
		{"no steps", EditRequest{EditID: newID(time.Now())}, "empty"},
		{"a thousand steps", EditRequest{EditID: newID(time.Now()), Steps: lots}, "too_many"},
		{"no kind", EditRequest{EditID: newID(time.Now()), Steps: []Step{{}}}, "unknown"},
		{"unknown kind", EditRequest{EditID: newID(time.Now()), Steps: []Step{step(coverage.Op{Kind: "explode_all"})}}, "unknown"},
		{"zone that is no uuid", EditRequest{EditID: newID(time.Now()), Steps: []Step{step(coverage.Op{Kind: coverage.Explode, Zone: "'; drop table zones"})}}, "not_a_uuid"},
		{"one zone merged", EditRequest{EditID: newID(time.Now()), Steps: []Step{step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{a}})}}, "missing"},
		{"a zone with itself", EditRequest{EditID: newID(time.Now()), Steps: []Step{step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{a, a}})}}, "twice"},
		{"level of another ladder", EditRequest{EditID: newID(time.Now()), Steps: []Step{{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Level: new(6)}}}}, "unknown_level"},
		{"negative level", EditRequest{EditID: newID(time.Now()), Steps: []Step{{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Level: new(-1)}}}}, "unknown_level"},
		{"a name as long as a book", EditRequest{EditID: newID(time.Now()), Steps: []Step{{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Name: new(strings.Repeat("长", 201))}}}}, "length"},
		{"not text", EditRequest{EditID: newID(time.Now()), Steps: []Step{{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Name: new("a\x00b")}}}}, "length"},
		{"off the Earth", EditRequest{EditID: newID(time.Now()), Steps: []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: coverage.Point{X: math.MinInt64, Y: math.MaxInt64}})}}, "out_of_range"},
		{"restore and more", EditRequest{EditID: newID(time.Now()), Steps: []Step{move, {Restore: newID(time.Now())}}}, "alone"},
		{"restore of nothing", EditRequest{EditID: newID(time.Now()), Steps: []Step{{Restore: newID(time.Now())}}}, "no_such_edit"},
	} {
		k.r.Plan, k.r.Base = plan, w.base(plan)
		if _, err := w.s.Edit(t.Context(), w.by, k.r); !isInvalid(err, k.code) {
			t.Errorf("%s: %v, want %s", k.name, explain(err), k.code)
		}
	}
	// Not a number never reaches the grid.
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 181} {
		if s, err := coverage.FromGeometry(orb.Polygon{{{121.5, 25}, {x, 25}, {121.6, 25.1}, {121.5, 25}}}); err == nil {
			t.Errorf("%v became %v", x, s)
		}
	}
	// Positions between the steps of the grid are rounded to it at the border.
	s, err := coverage.FromGeometry(orb.Polygon{{{121.500000004, 25}, {121.501, 25.000000006}, {121.5011, 25.001}, {121.500000004, 25}}})
	if err != nil {
		t.Fatal(err)
	}
	r := w.mustEdit(plan, Step{Op: coverage.Op{Kind: coverage.Add, Zone: zid(60), Shape: s, Carve: true}})
	w.whole(plan)
	for _, z := range r.Zones {
		var off int
		w.scan(&off, `select count(*) from zones z, st_dumppoints(z.geom) p where z.plan = $1 and z.zone = $2
			and (st_x(p.geom) <> (round(st_x(p.geom) * 1e8) / 1e8)::float8 or st_y(p.geom) <> (round(st_y(p.geom) * 1e8) / 1e8)::float8)`, plan, z.Zone)
		if off != 0 {
			t.Errorf("%s: %d vertices off the grid", z.Zone, off)
		}
	}
}

// TestOutsideTheUnit: a plan without a boundary ends at its administrative unit.
func TestOutsideTheUnit(t *testing.T) {
	w := newTable(t)
	w.exec(`insert into admin (code, name, admin_code, rank, geom) values ($1, '县', $1, 3, $2)`, county, geo.Shape{Geometry: box(0, 0, 40, 40).Geometry()})
	plan := w.plan(false, nil, map[coverage.ID]coverage.Shape{zid(41): box(0, 0, 10, 10)})
	if _, err := w.edit(plan, step(coverage.Op{Kind: coverage.Add, Shape: box(35, 35, 45, 45)})); refused(err) != coverage.OutsideArea {
		t.Errorf("across the border: %s", explain(err))
	}
	if _, err := w.edit(plan, step(coverage.Op{Kind: coverage.Add, Shape: box(135, 35, 145, 45)})); refused(err) != coverage.OutsideArea {
		t.Errorf("in another county: %s", explain(err))
	}
	if _, err := w.edit(plan, step(coverage.Op{Kind: coverage.Add, Shape: box(30, 30, 40, 40)})); err != nil {
		t.Errorf("up to the border: %s", explain(err))
	}
}

func TestAStaleBaseIsSaid(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	plan := w.plan(true, area, zones)
	a, b, d := string(square(4, 0, 0)), string(square(4, 1, 0)), string(square(4, 1, 1))
	base := w.base(plan)
	ask := func(base map[string]int64, op coverage.Op) *StaleError {
		t.Helper()
		_, err := w.s.Edit(t.Context(), w.by, EditRequest{Plan: plan, EditID: newID(time.Now()), Steps: []Step{step(op)}, Base: base})
		var st *StaleError
		if !errors.As(err, &st) {
			t.Fatalf("%s", explain(err))
		}
		return st
	}
	move := coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(11, 11)}
	if st := ask(map[string]int64{a: base[a]}, move); len(st.Missing) != 3 || len(st.Theirs) != 3 || len(st.Gone) != 0 {
		t.Errorf("neighbours that the base does not list: %+v", st)
	}
	w.mustEdit(plan, Step{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{coverage.ID(d)}}, Set: Attributes{Name: new("他人改的")}})
	if st := ask(base, move); len(st.Missing) != 0 || len(st.Theirs) != 1 || st.Theirs[0].Name != "他人改的" {
		t.Errorf("a zone that changed: %+v", st)
	}
	// The vertex is where the client saw it no more: not his mistake.
	base = w.base(plan)
	w.mustEdit(plan, step(move))
	if st := ask(base, coverage.Op{Kind: coverage.MoveVertex, From: pt(10, 10), To: pt(9, 9)}); len(st.Theirs) != 4 {
		t.Errorf("a vertex that moved: %+v", st)
	}
	base = w.base(plan)
	w.mustEdit(plan, step(coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{coverage.ID(a), coverage.ID(b)}}))
	st := ask(base, coverage.Op{Kind: coverage.Split, Zone: coverage.ID(b), Line: []coverage.Point{pt(15, -1), pt(15, 11)}})
	if len(st.Gone) != 1 || st.Gone[0] != b || len(st.Theirs) != 1 || st.Theirs[0].Zone != a {
		t.Errorf("a zone that was merged away: %+v", st)
	}
	// An undo of what somebody built on.
	r := w.mustEdit(plan, step(coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{pt(20, 20), pt(20, 25)}, At: pt(21, 22)}))
	w.mustEdit(plan, step(coverage.Op{Kind: coverage.MoveVertex, From: pt(21, 22), To: pt(19, 22)}))
	_, err := w.undo(plan, r.EditID)
	if !errors.As(err, &st) || len(st.Theirs) != 2 {
		t.Errorf("undo below another step: %s", explain(err))
	}
	// What is unchanged beside it can be taken back all the same.
	far := w.mustEdit(plan, step(coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{pt(30, 30), pt(30, 35)}, At: pt(31, 32)}))
	w.mustEdit(plan, step(coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{pt(0, 20), pt(0, 25)}, At: pt(0, 22)}))
	if _, err := w.undo(plan, far.EditID); err != nil {
		t.Errorf("undo beside another step: %s", explain(err))
	}
	w.whole(plan)
}

// TestBoundaryNodesOfOthersStay: taking an edit back takes its nodes off the boundary and
// leaves those of others.
func TestBoundaryNodesOfOthersStay(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	plan := w.plan(true, area, zones)
	on := func(x float64) EditResult {
		return w.mustEdit(plan, step(coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{pt(x, 0), pt(x+5, 0)}, At: pt(x+2, 0)}))
	}
	nodes := func() (n int) {
		w.scan(&n, `select st_npoints(area) from plan where id = $1`, plan)
		return n
	}
	none := nodes()
	first, second := on(0), on(20)
	u, err := w.undo(plan, first.EditID)
	if err != nil {
		t.Fatal(explain(err))
	}
	if nodes() != none+1 {
		t.Errorf("%d nodes, want %d", nodes(), none+1)
	}
	w.whole(plan)
	on(30)
	if _, err := w.undo(plan, u.EditID); err != nil { // the first again
		t.Fatal(explain(err))
	}
	if nodes() != none+3 {
		t.Errorf("%d nodes, want %d", nodes(), none+3)
	}
	w.whole(plan)
	if _, err := w.undo(plan, second.EditID); err != nil {
		t.Fatal(explain(err))
	}
	w.whole(plan)
}

// TestTwoDrawAtOnce: of two who change the same zone exactly one is told that he is late,
// and whoever reads, changes and writes loses nothing.
func TestTwoDrawAtOnce(t *testing.T) {
	w := newTable(t)
	area, zones := checkers(4, 1, nil)
	plan := w.plan(true, area, zones)
	people := []auth.By{w.by, w.person(2, auth.Planner, county)}
	for round := range 6 {
		base := w.base(plan)
		// The same vertex in even rounds; in odd ones two whose zones are neighbours.
		from := []coverage.Point{pt(10, 10), pt(10, 10)}
		to := []coverage.Point{pt(11, 11), pt(9, 11)}
		if round%2 == 1 {
			from[1], to[1] = pt(20, 10), pt(21, 11)
		}
		errs := make([]error, 2)
		ids := make([]string, 2)
		var wg sync.WaitGroup
		for i, by := range people {
			wg.Go(func() {
				r, err := w.s.Edit(context.Background(), by, EditRequest{Plan: plan, EditID: newID(time.Now()), Base: base,
					Steps: []Step{step(coverage.Op{Kind: coverage.MoveVertex, From: from[i], To: to[i]})}})
				errs[i], ids[i] = err, r.EditID
			})
		}
		wg.Wait()
		late, done := 0, ""
		for i, err := range errs {
			if _, ok := errors.AsType[*StaleError](err); ok {
				late++
			} else if err == nil {
				done = ids[i]
			}
		}
		if late != 1 || done == "" {
			t.Fatalf("round %d: %s / %s", round, explain(errs[0]), explain(errs[1]))
		}
		w.whole(plan)
		if _, err := w.undo(plan, done); err != nil {
			t.Fatal(explain(err))
		}
	}
	// Everybody adds his mark to one text until it stood.
	a := square(4, 2, 2)
	const each = 8
	var wg sync.WaitGroup
	late := make([]int, 3)
	for i := range 3 {
		by := w.person(10+i, auth.Planner, county)
		wg.Go(func() {
			for range each {
				for {
					var version int64
					var reason string
					z, err := w.s.Validate(context.Background(), by.Identity, plan)
					if err != nil || z.Zones != 16 {
						t.Errorf("while others draw: %d zones, %v", z.Zones, err)
						return
					}
					err = w.s.look(context.Background(), by.Identity, plan, func(tx pgx.Tx, p editPlan) error {
						zs, err := w.s.editZones(context.Background(), tx, p.ID, "edit_zones_named", []string{string(a)})
						if err == nil {
							version, reason = zs[0].Version, zs[0].Reason
						}
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					_, err = w.s.Edit(context.Background(), by, EditRequest{Plan: plan, EditID: newID(time.Now()), Base: map[string]int64{string(a): version},
						Steps: []Step{{SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Reason: new(reason + string(rune('a'+i)))}}}})
					if _, ok := errors.AsType[*StaleError](err); ok {
						late[i]++
						continue
					}
					if err != nil {
						t.Error(explain(err))
						return
					}
					break
				}
			}
		})
	}
	wg.Wait()
	if got := w.zones(plan)[string(a)].Reason; len(got) != 3*each || strings.Count(got, "a") != each || strings.Count(got, "b") != each {
		t.Errorf("%q: an update was lost", got)
	}
	t.Logf("late: %v", late)
}

// TestAnotherWriterIsSeen: a computation or an import writes zones while an edit is
// computed; the edit looks again before it writes.
func TestAnotherWriterIsSeen(t *testing.T) {
	w := newTable(t)
	ctx := t.Context()
	plan := w.plan(false, nil, map[coverage.ID]coverage.Shape{zid(41): box(0, 0, 10, 10)})
	r := EditRequest{Plan: plan, EditID: newID(time.Now()), Base: w.base(plan), Steps: []Step{step(coverage.Op{Kind: coverage.Add, Zone: zid(42), Shape: box(20, 0, 30, 10)})}}
	tx, err := w.admin.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	_, err = tx.Exec(ctx, `update plan set updated_at = clock_timestamp() where id = $1`, plan)
	if err == nil {
		_, err = tx.Exec(ctx, `insert into zones (plan, zone, kind, hazard, admin_code, geom) values ($1, $2, 'risk', 'flood', $3, $4)`,
			plan, string(zid(43)), county, geo.Shape{Geometry: box(25, 0, 35, 10).Geometry()})
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- second(w.s.Edit(context.Background(), w.by, r)) }()
	for waiting := false; !waiting; {
		err := tx.QueryRow(ctx, `select exists (select from pg_locks where not granted and $1::bigint = any (pg_blocking_pids(pid)))`, tx.Conn().PgConn().PID()).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			t.Fatalf("the edit did not wait: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	// The new neighbour would get a node on its border, and the client does not know of it.
	var st *StaleError
	if err := <-done; !errors.As(err, &st) || len(st.Missing) != 1 || st.Missing[0] != string(zid(43)) {
		t.Errorf("%s", explain(err))
	}
	w.whole(plan)
	if n := len(w.zones(plan)); n != 2 {
		t.Errorf("%d zones", n)
	}
}

func TestSnapGivesExactLines(t *testing.T) {
	w := newTable(t)
	for i, s := range []coverage.Shape{box(0, 0, 20, 40), box(20, 0, 40, 40)} {
		w.exec(`insert into admin (code, name, admin_code, rank, geom) values ($1, '乡', $1, 4, $2)`, fmt.Sprintf("99010000%d", i+1), geo.Shape{Geometry: s.Geometry()})
	}
	w.exec(`insert into rivers (name, admin_code, geom) values ('大河', $1, $2)`, county,
		geo.Shape{Geometry: orb.LineString{pt(-50, 5).LonLat(), pt(1, 5).LonLat(), pt(3, 6).LonLat(), pt(50, 7).LonLat(), pt(90, 7).LonLat()}})
	w.exec(`insert into roads (name, admin_code, geom) values ('远路', '990200', $1)`, geo.Shape{Geometry: orb.LineString{pt(1, 1).LonLat(), pt(2, 2).LonLat()}})
	area, zones := checkers(2, 0, nil)
	plan := w.plan(true, area, zones)
	// The neighbour's plan is in force; ours and a draft are not lines to snap to.
	next := w.plan(true, nil, map[coverage.ID]coverage.Shape{zid(70): box(20, 0, 30, 10)})
	w.plan(true, nil, map[coverage.ID]coverage.Shape{zid(71): box(0, 20, 10, 30)})
	w.exec(`set session_replication_role = replica`)
	w.exec(`update plan set state = 'published', published_at = now(), effective_from = '2020-01-01', hazard = 'flood', admin_code = '990200' where id = $1`, next)
	w.exec(`update zones set published = true, hazard = 'flood' where plan = $1`, next)
	w.exec(`set session_replication_role = origin`)
	got, err := w.s.Snap(t.Context(), w.by.Identity, plan, orbBox(0, 0, 25, 25))
	if err != nil || got.Truncated {
		t.Fatal(err)
	}
	count := map[string]int{}
	edges := map[[2]coverage.Point]int{}
	for _, l := range got.Lines {
		count[l.Layer]++
		for i := 1; i < len(l.Line); i++ {
			e := [2]coverage.Point{l.Line[i-1], l.Line[i]}
			if e[1].X < e[0].X || e[1].X == e[0].X && e[1].Y < e[0].Y {
				e[0], e[1] = e[1], e[0]
			}
			edges[e]++
		}
	}
	// The far road is of another county and not his to read.
	if count["admin"] == 0 || count["rivers"] != 1 || count["zones"] == 0 || count["roads"] != 0 {
		t.Errorf("%v", count)
	}
	for e, n := range edges {
		if n != 1 {
			t.Errorf("edge %v comes %d times", e, n)
		}
	}
	if edges[[2]coverage.Point{pt(3, 6), pt(50, 7)}] != 1 || edges[[2]coverage.Point{pt(50, 7), pt(90, 7)}] != 0 {
		t.Error("the stretch of the river that touches the box")
	}
	if edges[[2]coverage.Point{pt(20, 0), pt(20, 40)}] != 1 {
		t.Error("the border of the two townships")
	}
	many := make(orb.LineString, 30_000)
	for i := range many {
		many[i] = pt(float64(i)/2000, float64(i%2)).LonLat()
	}
	w.exec(`insert into roads (name, admin_code, geom) values ('盘山路', $1, $2)`, county, geo.Shape{Geometry: many})
	if got, err = w.s.Snap(t.Context(), w.by.Identity, plan, orbBox(0, 0, 25, 25)); err != nil || !got.Truncated {
		t.Errorf("30,000 vertices: truncated %v, %v", got.Truncated, err)
	}
	if _, err := w.s.Snap(t.Context(), w.by.Identity, plan, orb.Bound{Min: orb.Point{math.NaN(), 0}, Max: orb.Point{1, 1}}); !isInvalid(err, "out_of_range") {
		t.Errorf("not a box: %v", err)
	}
}
