package geo_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// Covers must say what ST_Covers says, on a lattice where shapes touch, share
// borders and lie in holes.
func TestCoversAgreesWithPostGIS(t *testing.T) {
	conn := connect(t)
	areas := []orb.Geometry{
		orb.Polygon{{{0, 0}, {8, 0}, {8, 8}, {0, 8}, {0, 0}}},
		orb.Polygon{{{0, 0}, {8, 0}, {8, 8}, {4, 3}, {0, 8}, {0, 0}}},
		orb.Polygon{{{0, 0}, {8, 0}, {8, 8}, {0, 8}, {0, 0}}, {{3, 3}, {5, 3}, {5, 5}, {3, 5}, {3, 3}}},
		orb.MultiPolygon{{{{0, 0}, {3, 0}, {3, 8}, {0, 8}, {0, 0}}}, {{{5, 0}, {8, 0}, {8, 8}, {5, 8}, {5, 0}}}},
	}
	r := rand.New(rand.NewPCG(31, 32))
	pt := func() orb.Point { return orb.Point{float64(r.IntN(9)), float64(r.IntN(9))} }
	yes := 0
	for range 4000 {
		area := areas[r.IntN(len(areas))]
		var g orb.Geometry
		switch r.IntN(3) {
		case 0:
			g = pt()
		case 1:
			a, b := pt(), pt()
			if a == b {
				continue
			}
			g = orb.LineString{a, b}
		default:
			a := pt()
			w, h := float64(1+r.IntN(5)), float64(1+r.IntN(5))
			g = orb.Polygon{{a, {a[0] + w, a[1]}, {a[0] + w, a[1] + h}, {a[0], a[1] + h}, a}}
		}
		var want bool
		if err := conn.QueryRow(context.Background(), `select st_covers($1::geometry, $2::geometry)`, geo.Shape{Geometry: area}, geo.Shape{Geometry: g}).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if got := geo.NewArea(area).Covers(g); got != want {
			t.Fatalf("%v covers %v: %v, PostGIS says %v", area, g, got, want)
		}
		if want {
			yes++
		}
	}
	if yes < 300 {
		t.Errorf("only %d covered: the test proves little", yes)
	}
}

func TestAreaDistance(t *testing.T) {
	a := geo.NewArea(orb.Polygon{{{119, 34}, {120, 34}, {120, 35}, {119, 35}, {119, 34}}})
	if d := a.Distance(orb.Point{119.5, 34.5}); d != 0 {
		t.Errorf("inside: %g", d)
	}
	if d := a.Distance(orb.Point{119.5, 33.99}); d < 1100 || d > 1125 {
		t.Errorf("a hundredth of a degree south: %g", d)
	}
	if d := geo.NewArea(orb.Point{1, 1}).Distance(orb.Point{1, 1}); d < 1e300 {
		t.Errorf("a point is no area: %g", d)
	}
}
