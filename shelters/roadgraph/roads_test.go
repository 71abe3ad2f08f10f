package roadgraph_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/shelters/roadgraph"
)

// deg is some 100 m of latitude; of longitude a little less at 34°.
const deg = 0.0009

func at(x, y float64) orb.Point { return orb.Point{119.25 + x*deg, 34.15 + y*deg} }

func road(id int64, pts ...orb.Point) roadgraph.Road {
	return roadgraph.Road{ID: id, Class: "street", WalkOK: true, Shape: orb.LineString(pts)}
}

func snap(t *testing.T, v roadgraph.View, p orb.Point, profile roadgraph.Profile) roadgraph.Snap {
	t.Helper()
	s, ok := v.Nearest(p, profile, 200)
	if !ok {
		t.Fatalf("nothing near %v", p)
	}
	return s
}

func route(t *testing.T, v roadgraph.View, a, b orb.Point, p roadgraph.Profile) (roadgraph.Way, bool) {
	t.Helper()
	return v.Route(snap(t, v, a, p), snap(t, v, b, p), p)
}

// square is a block of streets, 1 to 4 around it, with 5 ending on 1 between its
// positions and 6 a bridge over everything.
func square() []roadgraph.Road {
	bridge := road(6, at(5, -5), at(5, 15))
	bridge.Over = true
	oneway := road(3, at(10, 10), at(0, 10))
	oneway.Oneway = true
	stairs := road(7, at(2, 0), at(2, 10))
	stairs.Class = "path"
	return []roadgraph.Road{road(1, at(0, 0), at(10, 0)), road(2, at(10, 0), at(10, 10)), oneway, road(4, at(0, 10), at(0, 0)), road(5, at(8, -5), at(8, 0)), bridge, stairs}
}

func TestRoadsMeetWhereTheyMeet(t *testing.T) {
	g := roadgraph.FromRoads(square(), roadgraph.DefaultSpeeds())
	v := g.All()
	w, ok := route(t, v, at(8, -5), at(0, 5), roadgraph.Walk)
	if !ok || math.Abs(w.DistanceM-roadgraph.Distance(at(8, -5), at(8, 0))-roadgraph.Distance(at(8, 0), at(0, 0))-roadgraph.Distance(at(0, 0), at(0, 5))) > 0.5 {
		t.Errorf("the side street joins: %+v %v", w, ok)
	}
	// The bridge crosses two streets and meets none.
	if w, ok := route(t, v, at(5, -4), at(0, 5), roadgraph.Walk); ok {
		t.Errorf("down from the bridge: %+v", w)
	}
	if math.Abs(w.Seconds-w.DistanceM/1.1) > 0.5 || w.Line[0] != at(8, -5) {
		t.Errorf("%v s for %v m from %v", w.Seconds, w.DistanceM, w.Line[0])
	}
}

func TestOneWayAndOnFoot(t *testing.T) {
	v := roadgraph.FromRoads(square(), roadgraph.DefaultSpeeds()).All()
	with, _ := route(t, v, at(9, 10), at(1, 10), roadgraph.Drive)
	against, ok := route(t, v, at(1, 10), at(9, 10), roadgraph.Drive)
	if !ok || len(with.Roads) != 1 || len(against.Roads) < 4 {
		t.Errorf("with %v, against %v", with.Roads, against.Roads)
	}
	if w, _ := route(t, v, at(1, 10), at(9, 10), roadgraph.Walk); math.Abs(w.DistanceM-roadgraph.Distance(at(1, 10), at(9, 10))) > 0.5 {
		t.Errorf("on foot a one-way street goes both ways: %v m", w.DistanceM)
	}
	foot, _ := route(t, v, at(2, 0), at(2, 10), roadgraph.Walk)
	car, _ := route(t, v, at(2, 0), at(2, 10), roadgraph.Drive)
	if len(foot.Roads) != 1 || foot.Roads[0] != 7 || car.DistanceM < 1300 {
		t.Errorf("on foot %v, by car %v m", foot.Roads, car.DistanceM)
	}
}

func TestBlocksAndAreas(t *testing.T) {
	g := roadgraph.FromRoads(square(), roadgraph.DefaultSpeeds())
	a, b := at(9, 0), at(10, 1)
	free, _ := route(t, g.All(), a, b, roadgraph.Walk)
	blocked := g.All().WithBlocks(at(9.9, 0.02))
	w, ok := blocked.Route(snap(t, g.All(), at(8, -4), roadgraph.Walk), snap(t, g.All(), b, roadgraph.Walk), roadgraph.Walk)
	if free.DistanceM > 300 || !ok || w.DistanceM < 1500 || blocked.ClosedEdges() == 0 {
		t.Errorf("free %v m, around the block %v m (%v)", free.DistanceM, w.DistanceM, ok)
	}
	if v := g.All(); v.ClosedEdges() != 0 {
		t.Error("the block changed the graph itself")
	}
	area := geo.NewArea(orb.Polygon{{at(9, 4), at(11, 4), at(11, 6), at(9, 6), at(9, 4)}})
	avoiding := g.All().Avoiding(area)
	direct, _ := route(t, g.All(), at(10, 1), at(10, 9), roadgraph.Walk)
	around, ok := avoiding.Route(snap(t, g.All(), at(9.5, 0), roadgraph.Walk), snap(t, g.All(), at(9.5, 10), roadgraph.Walk), roadgraph.Walk)
	if direct.DistanceM > 900 || !ok || around.DistanceM < 1500 {
		t.Errorf("through %v m, around %v m (%v)", direct.DistanceM, around.DistanceM, ok)
	}
	for _, p := range around.Line {
		if area.Side(p) >= 0 {
			t.Errorf("the way passes %v inside the area", p)
		}
	}
	// A blocked stretch closes the street under it and none that only meets its ends.
	line := g.All().WithBlocks(orb.LineString{at(0, 0), at(0, 10)})
	if _, ok := line.Nearest(at(0, 5), roadgraph.Walk, 20); ok {
		t.Error("the blocked street is still open")
	}
	if _, ok := line.Nearest(at(1, 0), roadgraph.Walk, 20); !ok {
		t.Error("the street at the block's end is closed")
	}
}

// TestTheAskersRoads: a road outside his reach carries nobody.
func TestTheAskersRoads(t *testing.T) {
	roads := square()
	own, err := geo.ParseScope("990100")
	if err != nil {
		t.Fatal(err)
	}
	other, err := geo.ParseScope("990200")
	if err != nil {
		t.Fatal(err)
	}
	for i := range roads {
		roads[i].Scope = own
	}
	roads[1].Scope = other
	g := roadgraph.FromRoads(roads, roadgraph.DefaultSpeeds())
	v := g.For(geo.Scopes{own}, false)
	w, ok := v.Route(snap(t, v, at(9.9, 0), roadgraph.Walk), snap(t, v, at(9.9, 10), roadgraph.Walk), roadgraph.Walk)
	if !ok || w.DistanceM < 1500 {
		t.Errorf("%v m over a road of somebody else (%v)", w.DistanceM, ok)
	}
	if _, ok := g.For(nil, false).Nearest(at(5, 0), roadgraph.Walk, 50); ok {
		t.Error("nobody's reach finds a road")
	}
	if _, ok := g.For(geo.Scopes{geo.Everywhere()}, true).Nearest(at(5, 0), roadgraph.Walk, 50); ok {
		t.Error("a demo reach finds a road that is no demo's")
	}
}

// TestFollowsTheFeed: a road that comes is in the graph as soon as the feed told of it.
func TestFollowsTheFeed(t *testing.T) {
	dsn := pgtest.Database(t)
	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	q, err := roadgraph.Queries()
	if err != nil {
		t.Fatal(err)
	}
	conn := pgtest.Writer(t, dsn.App)
	if err := q.Prepare(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), d.Query)
	if err != nil {
		t.Fatal(err)
	}
	s, err := roadgraph.Open(roadgraph.Options{DB: d, Catalogue: reg, Quiet: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := feed.Open(t.Context(), d, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader.OnBatch("roads", s.Changed)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{}, 2)
	go func() { _ = reader.Run(ctx); done <- struct{}{} }()
	go func() { _ = s.Run(ctx); done <- struct{}{} }()
	edges := func(want int) {
		t.Helper()
		for range 600 {
			if g, _, err := s.Graph(); err == nil && g.Edges() == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		g, _, err := s.Graph()
		t.Fatalf("%v edges (%v), want %d", g, err, want)
	}
	edges(0)
	if _, err := conn.Exec(ctx, `insert into roads (name, class, admin_code, geom) values ('路', 'street', '990100', st_geomfromtext('LINESTRING(119.2 34.1, 119.21 34.1)', 4490))`); err != nil {
		t.Fatal(err)
	}
	edges(1)
	if _, err := conn.Exec(ctx, `insert into roads (name, class, admin_code, geom) values ('横路', 'street', '990100', st_geomfromtext('LINESTRING(119.205 34.1, 119.205 34.11)', 4490))`); err != nil {
		t.Fatal(err)
	}
	edges(3)
	if _, err := conn.Exec(ctx, `delete from roads where name = '横路'`); err != nil {
		t.Fatal(err)
	}
	edges(1)
	stop()
	<-done
	<-done
}
