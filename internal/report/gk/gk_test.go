package gk_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"onemap/internal/pgtest"
	"onemap/internal/report/gk"
)

// The oracle is PROJ, asked through PostGIS.
func TestAgainstPROJ(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Owner)
	ctx := context.Background()
	for _, lon := range []float64{74.2, 87.6, 102.83, 109.5, 110.9999, 116.4, 121.5, 134.9} {
		for _, lat := range []float64{3.5, 18.2, 25.04, 34.34, 39.9, 47.3, 53.5} {
			z := gk.At(lon)
			if math.Abs(lon-z.Meridian) > 1.5 {
				t.Fatalf("%v is in zone %d of %v", lon, z.Number, z.Meridian)
			}
			var x, y float64
			err := conn.QueryRow(ctx, "select st_x(p), st_y(p) from (select st_transform(st_setsrid(st_makepoint($1, $2), 4490), $3::int) as p) as t", lon, lat, z.EPSG()).Scan(&x, &y)
			if err != nil {
				t.Fatal(err)
			}
			gx, gy := z.Forward(lon, lat)
			if math.Abs(gx-x) > 1e-5 || math.Abs(gy-y) > 1e-5 {
				t.Errorf("%v %v: %v %v, PROJ says %v %v", lon, lat, gx, gy, x, y)
			}
			backLon, backLat := z.Inverse(gx, gy)
			if math.Abs(backLon-lon) > 1e-11 || math.Abs(backLat-lat) > 1e-11 {
				t.Errorf("%v %v comes back as %v %v", lon, lat, backLon, backLat)
			}
		}
	}
}

func TestZones(t *testing.T) {
	for _, c := range []struct {
		lon          float64
		number, epsg int
	}{{108.94, 36, 4545}, {75, 25, 4534}, {135, 45, 4554}, {109.5, 37, 4546}, {109.4999, 36, 4545}, {-3, -1, 0}} {
		z := gk.At(c.lon)
		if z.Number != c.number || z.EPSG() != c.epsg {
			t.Errorf("%v: zone %d, EPSG %d", c.lon, z.Number, z.EPSG())
		}
	}
	// East of the meridian grid north points east of true north by sin(lat) times the difference.
	z := gk.At(109)
	if got, want := z.Convergence(109, 34), math.Sin(34*math.Pi/180); math.Abs(got-want) > 0.001 {
		t.Errorf("convergence %v, want about %v", got, want)
	}
}

func ExampleZone_Forward() {
	z := gk.At(108.94)
	x, y := z.Forward(108.94, 34.26)
	fmt.Printf("%.2f %.2f\n", x, y)
	fmt.Println(z.Name(false))
	// Output:
	// 586577.66 3792901.70
	// 2000国家大地坐标系 · 高斯-克吕格投影 3°分带 · 中央经线108°E
}
