package zoning

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// approved is a plan of n by n zones with k nodes on each border, one step before it is
// published.
func approved(t testing.TB, n, k int) (*office, Plan) {
	w := newTable(t)
	area, zones := checkers(n, k, rand.New(rand.NewPCG(7, 8)))
	w.unit(county, "甲县", 3, area)
	o := &office{table: w, planner: w.by, other: w.person(2, "planner", county), approver: w.person(3, "approver", county), second: w.person(4, "approver", county)}
	p := Plan{ID: w.plan(true, area, zones)}
	w.exec(`set session_replication_role = replica`)
	w.exec(`update plan set responsible = '规划科', created_account = $2 where id = $1`, p.ID, w.by.Account)
	w.exec(`set session_replication_role = origin`)
	o.again(&p)
	o.step(o.planner, &p, Transition{To: Submitted})
	o.step(o.approver, &p, Transition{To: InReview})
	if _, err := o.s.ReviewAll(context.Background(), o.approver, p.ID); err != nil {
		t.Fatal(err)
	}
	o.again(&p)
	o.step(o.approver, &p, Transition{To: Approved})
	return o, p
}

// shapes are what tiles of a zoom are drawn with, by zone.
func (o *office) shapes(plan string, z int) map[coverage.ID]coverage.Shape {
	o.t.Helper()
	rows, err := o.admin.Query(context.Background(), `select z.zone::text, s.geom from zone_shapes s join zones z on z.id = s.id where s.plan = $1 and s.z = $2 and z.plan = s.plan and z.scope = s.scope`, plan, z)
	if err != nil {
		o.t.Fatal(err)
	}
	out := map[coverage.ID]coverage.Shape{}
	var zone string
	var g geo.Shape
	if _, err := pgx.ForEachRow(rows, []any{&zone, &g}, func() error {
		s, err := coverage.FromGeometry(g.Geometry)
		out[coverage.ID(zone)] = s
		return err
	}); err != nil {
		o.t.Fatal(err)
	}
	return out
}

// outline is the ring of all directed edges that no neighbour runs the other way. An edge
// that is used twice, or an outline of several rings, ends the test.
func outline(t *testing.T, zones map[coverage.ID]coverage.Shape) coverage.Shape {
	t.Helper()
	type edge [2]coverage.Point
	used := map[edge]bool{}
	for id, s := range zones {
		for _, p := range s {
			for _, r := range p {
				for i, a := range r {
					e := edge{a, r[(i+1)%len(r)]}
					if used[e] {
						t.Fatalf("the edge %v of %s is used twice", e, id)
					}
					used[e] = true
				}
			}
		}
	}
	next := map[coverage.Point]coverage.Point{}
	for e := range used {
		if used[edge{e[1], e[0]}] {
			continue
		}
		if _, twice := next[e[0]]; twice {
			t.Fatalf("two edges without a neighbour begin at %v: a border is not shared", e[0])
		}
		next[e[0]] = e[1]
	}
	var ring coverage.Ring
	for from := range next {
		for at := from; len(ring) == 0 || at != from; at = next[at] {
			ring = append(ring, at)
			if len(ring) > len(next) {
				t.Fatal("the outline does not close")
			}
		}
		break
	}
	if len(ring) != len(next) {
		t.Fatalf("the outline takes %d of %d edges: a border is not shared", len(ring), len(next))
	}
	return coverage.Shape{{ring}}
}

// TestShapesOfEveryZoomFitTogether publishes a plan of detailed borders: what it is drawn
// with at every zoom is a coverage like the plan itself, with fewer vertices farther away.
func TestShapesOfEveryZoomFitTogether(t *testing.T) {
	o, p := approved(t, 15, 30)
	exact := map[coverage.ID]coverage.Shape{}
	vertices := 0
	for id, z := range o.zones(p.ID) {
		exact[coverage.ID(id)] = z.Shape
		vertices += z.Shape.Vertices()
	}
	o.step(o.second, &p, Transition{To: Published, DocumentNo: "甲政发〔2025〕7号", EffectiveFrom: day("2025-01-01")})
	layer, ok := o.s.catalogue.Now().Layer("zones")
	if !ok {
		t.Fatal("no layer zones")
	}
	border := outline(t, exact)
	all := 0
	var counts []int
	for z := layer.MaxZoom - 1; z >= layer.MinZoom; z-- {
		zones := o.shapes(p.ID, z)
		if len(zones) != len(exact) {
			t.Fatalf("zoom %d: %d shapes of %d zones", z, len(zones), len(exact))
		}
		c := coverage.Coverage{Zones: zones, Area: outline(t, zones), Exhaustive: true}
		if bad := c.Check(); len(bad) > 0 {
			t.Fatalf("zoom %d is no coverage: %+v", z, bad[0])
		}
		n := 0
		for id, s := range zones {
			n += s.Vertices()
			if len(s) != len(exact[id]) {
				t.Errorf("zoom %d: %s has %d parts of %d", z, id, len(s), len(exact[id]))
			}
		}
		if len(counts) > 0 && n > counts[len(counts)-1] {
			t.Errorf("zoom %d has %d vertices, the next nearer one %d", z, n, counts[len(counts)-1])
		}
		counts = append(counts, n)
		all += n
		// The corners of the plan stay where they are.
		lo, hi := coverage.Bound(c.Area)
		if wantLo, wantHi := coverage.Bound(border); lo != wantLo || hi != wantHi {
			t.Errorf("zoom %d: the plan reaches from %v to %v, not from %v to %v", z, lo, hi, wantLo, wantHi)
		}
	}
	t.Logf("%d zones, %d vertices; by zoom from %d down: %v", len(exact), vertices, layer.MaxZoom-1, counts)
	if first, last := counts[0], counts[len(counts)-1]; first > vertices || last*4 > vertices {
		t.Errorf("%d vertices become %d at the nearest zoom and %d at the farthest", vertices, first, last)
	}
	var rows int
	if o.scan(&rows, `select count(*) from zone_shapes`); rows != len(counts)*len(exact) {
		t.Errorf("%d shapes, want %d", rows, len(counts)*len(exact))
	}
	// They go with nobody but the version: what is published does not change.
	if _, err := o.admin.Exec(t.Context(), `set role onemap_app; update zone_shapes set geom = geom`); err == nil {
		t.Error("the app role changes published shapes")
	}
}

// BenchmarkShapes measures what publishing a plan of 2,025 zones and 120,000 vertices
// adds: the time, and what the shapes take in the database.
func BenchmarkShapes(b *testing.B) {
	o, p := approved(b, 45, 14)
	g, _ := o.second.Grant("review_plans", geo.Scope{}, time.Now())
	for b.Loop() {
		o.exec(`truncate zone_shapes`)
		if err := o.s.generalise(context.Background(), o.planner, g, p.ID); err != nil {
			b.Fatal(err)
		}
	}
	var size, rows, points int64
	o.scan(&size, `select pg_total_relation_size('zone_shapes')`)
	o.scan(&rows, `select count(*) from zone_shapes`)
	o.scan(&points, `select sum(st_npoints(geom)) from zone_shapes`)
	b.ReportMetric(float64(size)/1e6, "MB")
	b.ReportMetric(float64(rows), "rows")
	b.ReportMetric(float64(points), "vertices")
}
