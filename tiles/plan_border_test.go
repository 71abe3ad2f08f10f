package tiles

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// bent is a county of n by n villages whose borders wind, each of them k nodes that both
// neighbours have; its own border is the box of [outline].
func bent(n, k int) [][]orb.Polygon {
	// The bend is a map of the plane without folds that leaves the box as it is.
	rim := func(v, from float64) float64 { return min(1, (v-from)/0.05, (from+2-v)/0.05) }
	node := func(i, j int) orb.Point { // in steps of a border
		x, y := 110+2*float64(i)/float64(n*k), 30+2*float64(j)/float64(n*k)
		return orb.Point{
			x + rim(x, 110)*(0.005*math.Sin(y*80)+0.0004*math.Sin(y*900+x*300)),
			y + rim(y, 30)*(0.005*math.Sin(x*70)+0.0004*math.Sin(x*1000+y*200)),
		}
	}
	out := make([][]orb.Polygon, n)
	for x := range n {
		for y := range n {
			var r orb.Ring
			for i := range k {
				r = append(r, node(x*k+i, y*k))
			}
			for i := range k {
				r = append(r, node(x*k+k, y*k+i))
			}
			for i := range k {
				r = append(r, node(x*k+k-i, y*k+k))
			}
			for i := range k {
				r = append(r, node(x*k, y*k+k-i))
			}
			out[x] = append(out[x], orb.Polygon{append(r, r[0])})
		}
	}
	return out
}

// published is a plan of a zone per village, made, reviewed and published by three people.
func (w *world) published(n, k int) zoning.Plan {
	w.t.Helper()
	ctx := context.Background()
	const county = "990100"
	if err := geo.Register(ctx, w.sql); err != nil {
		w.t.Fatal(err)
	}
	unit := func(code string, rank int, g orb.Geometry) {
		w.exec(`insert into admin (code, admin_code, name, rank, geom) values ($1, $1, $1, $2, $3)`, code, rank, geo.Shape{Geometry: g})
	}
	var rim orb.Ring // of the county, with every node the villages have on it
	villages := bent(n, k)
	side := func(part func(i int) orb.Ring, from int) {
		for i := range n {
			rim = append(rim, part(i)[from*k:from*k+k]...)
		}
	}
	side(func(i int) orb.Ring { return villages[i][0][0] }, 0)
	side(func(i int) orb.Ring { return villages[n-1][i][0] }, 1)
	side(func(i int) orb.Ring { return villages[n-1-i][n-1][0] }, 2)
	side(func(i int) orb.Ring { return villages[0][n-1-i][0] }, 3)
	unit(county, 3, orb.Polygon{append(rim, rim[0])})
	for x := range villages {
		for y, v := range villages[x] {
			unit(fmt.Sprintf("%s001%03d", county, x*n+y), 5, v)
		}
	}
	person := func(n int, role auth.Role) auth.By {
		id := fmt.Sprintf("0192f0c1-0000-7000-8000-0000000000%02x", n)
		w.exec(`insert into auth.account (id, username, name) values ($1, $2, $2)`, id, fmt.Sprintf("person%d", n))
		grants := []auth.Grant{{ID: fmt.Sprintf("0192f0c1-0000-7000-8000-0000000001%02x", n), Account: id, Role: role, Area: county}}
		return auth.By{Request: "test", Identity: &auth.Identity{
			Kind: auth.Session, Account: id, Username: fmt.Sprintf("person%d", n), Name: "某", ID: "0192f0c1-0000-7000-8000-0000000000b1",
			Grants: grants, Reach: auth.ReachOf(grants, time.Now(), 0),
		}}
	}
	planner, approver, second := person(1, auth.Planner), person(2, auth.Approver), person(3, auth.Approver)
	s, err := zoning.Open(zoning.Options{DB: w.db, Catalogue: w.reg})
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := s.Create(ctx, planner, zoning.NewPlan{Hazard: "flood", Kind: zoning.Risk, Title: "洪水风险区划", Area: county, Exhaustive: true, Start: zoning.StartVillages, Responsible: "规划科"})
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := s.Zones(ctx, planner.Identity, p.ID, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []coverage.ID
	base := map[string]int64{}
	for _, z := range set.Zones {
		ids, base[z.Zone] = append(ids, coverage.ID(z.Zone)), z.Version
	}
	if len(ids) != n*n {
		w.t.Fatalf("%d zones of %d villages", len(ids), n*n)
	}
	_, err = s.Edit(ctx, planner, zoning.EditRequest{Plan: p.ID, EditID: "0192f0c1-0000-7000-8000-0000000000e1", Base: base,
		Steps: []zoning.Step{{Op: coverage.Op{Zones: ids}, Relevel: true, Set: zoning.Attributes{Level: new(2)}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		by auth.By
		t  zoning.Transition
	}{
		{planner, zoning.Transition{To: zoning.Submitted}}, {approver, zoning.Transition{To: zoning.InReview}},
		{approver, zoning.Transition{To: zoning.Approved}}, {second, zoning.Transition{To: zoning.Published, DocumentNo: "甲政发〔2025〕7号", EffectiveFrom: &from}},
	} {
		if step.t.To == zoning.Approved {
			if _, err := s.ReviewAll(ctx, approver, p.ID); err != nil {
				w.t.Fatal(err)
			}
		}
		if p, err = s.Plan(ctx, planner.Identity, p.ID); err != nil {
			w.t.Fatal(err)
		}
		if p, err = s.Transition(ctx, step.by, p.ID, p.Version, step.t); err != nil {
			w.t.Fatalf("%s: %v", step.t.To, err)
		}
	}
	return p
}

// TestTilesOfAPublishedPlanShareTheirBorders renders a plan that went the whole way, with
// the shapes that publishing made of it: at every zoom, on every line of the grid, what one
// zone has on its left another has on its right, to the last unit. So there is neither a
// gap nor an overlap. Only the plan's own border and the edge of the clip have one side.
func TestTilesOfAPublishedPlanShareTheirBorders(t *testing.T) {
	w := newWorld(t)
	p := w.published(10, 60)
	layer, _ := w.reg.Now().Layer("zones")
	vertices := map[int]int{}
	for z := layer.MinZoom; z <= layer.MaxZoom+1; z++ {
		for _, place := range [][2]float64{{110.7, 30.8}, {111.2, 31.3}, {111.45, 30.45}, {110.98, 31.02}} {
			req := at(place[0], place[1], z, "zones")
			req.Plan = p.ID
			along, zones := map[line]map[int]int{}, 0
			for _, l := range decodeTile(t, w.tile(req)) {
				zones += len(l.features)
				for _, f := range l.features {
					for _, ring := range f.parts {
						vertices[z] += len(ring)
						for i := 1; i < len(ring); i++ {
							a, b := ring[i-1], ring[i]
							if clipped(a[0], b[0]) || clipped(a[1], b[1]) {
								continue
							}
							l, from, to, side := onLine(a, b)
							if along[l] == nil {
								along[l] = map[int]int{}
							}
							along[l][from] += side
							along[l][to] -= side
						}
					}
				}
			}
			if zones == 0 {
				t.Errorf("z%d %d/%d is empty", z, req.X, req.Y)
			}
			bad := 0
			for l, places := range along {
				for p, n := range places {
					if n != 0 && !outline(req, l.at(p)) {
						if bad++; bad <= 3 {
							t.Errorf("z%d %d/%d: on line %+v at %d one side lacks its neighbour (%d)", z, req.X, req.Y, l, p, n)
						}
					}
				}
			}
			if bad > 3 {
				t.Errorf("z%d %d/%d: %d faults", z, req.X, req.Y, bad)
			}
		}
	}
	// Far away it is drawn with the shapes made for the zoom, not with all its nodes.
	// One tile has all of the plan there, and is looked at four times.
	if far, all := vertices[layer.MinZoom]/4, 100*4*60; far*5 > all {
		t.Errorf("at zoom %d the plan has %d vertices of %d", layer.MinZoom, far, all)
	}
	t.Logf("vertices of four tiles by zoom: %v", vertices)
}
