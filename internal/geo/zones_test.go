package geo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/report/gk"
)

// TestZonesOfPostGIS compares every Gauss-Krüger zone of China, 3 and 6 degrees wide, with
// and without the zone's number in the easting, with Krüger's series: a computation that
// shares nothing with PROJ. One millimetre, both ways; the guess from the numbers alone
// finds the zone.
func TestZonesOfPostGIS(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).App)
	type zone struct {
		epsg, number, width int
		prefixed            bool
	}
	var zones []zone
	for n := 13; n <= 23; n++ {
		zones = append(zones, zone{4491 + n - 13, n, 6, true}, zone{4502 + n - 13, n, 6, false})
	}
	for n := 25; n <= 45; n++ {
		zones = append(zones, zone{4513 + n - 25, n, 3, true}, zone{4534 + n - 25, n, 3, false})
	}
	r := rand.New(rand.NewPCG(7, 8))
	worst := 0.0
	for _, z := range zones {
		meridian := float64(z.number * z.width)
		if z.width == 6 {
			meridian -= 3
		}
		series := gk.On(meridian, z.number)
		for range 8 {
			lon, lat := meridian+(r.Float64()-0.5)*float64(z.width), 4+r.Float64()*49
			x, y := series.Forward(lon, lat)
			if z.prefixed {
				x += float64(z.number) * 1e6
			}
			var gx, gy, bx, by float64
			// The argument order of the geometry is east, north whatever the system's axes are.
			err := conn.QueryRow(t.Context(), `select st_x(f), st_y(f), st_x(b), st_y(b) from (select
				st_transform(st_setsrid(st_makepoint($1, $2), 4490), $5::int) f, st_transform(st_setsrid(st_makepoint($3, $4), $5::int), 4490) b) q`,
				lon, lat, x, y, z.epsg).Scan(&gx, &gy, &bx, &by)
			if err != nil {
				t.Fatalf("EPSG:%d: %v", z.epsg, err)
			}
			d := math.Hypot(gx-x, gy-y)
			back := math.Hypot((bx-lon)*111320*math.Cos(lat*math.Pi/180), (by-lat)*110574)
			worst = max(worst, d, back)
			if d > 1e-3 || back > 1e-3 {
				t.Errorf("EPSG:%d at %v %v: PostGIS %v %v, the series %v %v (%g m there, %g m back)", z.epsg, lon, lat, gx, gy, x, y, d, back)
			}
			// Without the number nothing tells east from north in the south of the sea.
			if z.prefixed || z.width == 3 && lat > 17 {
				for _, swapped := range []bool{false, true} {
					a, b := gx, gy
					if swapped {
						a, b = gy, gx
					}
					if g, ok := geo.GuessGaussKruger(a, b, meridian); !ok || g.EPSG != z.epsg || g.Swapped != swapped || g.Width != z.width || g.Prefixed != z.prefixed {
						t.Errorf("EPSG:%d (%v, %v): guessed %+v %v", z.epsg, a, b, g, ok)
					}
				}
			}
		}
	}
	t.Logf("%d zones, worst %.3g m", len(zones), worst)
	// Web metres: PostGIS and the function agree too.
	for range 50 {
		p := orb.Point{-179 + r.Float64()*358, -84 + r.Float64()*168}
		var x, y float64
		if err := conn.QueryRow(t.Context(), `select st_x(g), st_y(g) from (select st_transform(st_setsrid(st_makepoint($1, $2), 4326), 3857) g) q`, p[0], p[1]).Scan(&x, &y); err != nil {
			t.Fatal(err)
		}
		if m := geo.WGSToMercator(p); math.Hypot(m[0]-x, m[1]-y) > 1e-6 {
			t.Errorf("%v: %v, PostGIS says %v %v", p, m, x, y)
		}
	}
}
