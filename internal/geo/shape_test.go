package geo

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/paulmach/orb"
	"github.com/twpayne/go-geom"
	"github.com/twpayne/go-geom/encoding/ewkb"
)

// randGeometry makes a geometry of any storable type.
func randGeometry(r *rand.Rand, depth int) orb.Geometry {
	pt := func() orb.Point { return orb.Point{r.Float64()*360 - 180, r.Float64()*170 - 85} }
	pts := func(n int) []orb.Point {
		out := make([]orb.Point, n)
		for i := range out {
			out[i] = pt()
		}
		return out
	}
	ring := func() orb.Ring { l := pts(3 + r.IntN(9)); return append(l, l[0]) }
	poly := func() orb.Polygon {
		out := make(orb.Polygon, 1+r.IntN(3))
		for i := range out {
			out[i] = ring()
		}
		return out
	}
	switch r.IntN(7) {
	case 0:
		return pt()
	case 1:
		return orb.MultiPoint(pts(1 + r.IntN(5)))
	case 2:
		return orb.LineString(pts(2 + r.IntN(9)))
	case 3:
		return orb.MultiLineString{pts(2), pts(4)}
	case 4:
		return poly()
	case 5:
		return orb.MultiPolygon{poly(), poly()}
	}
	if depth == 0 {
		return pt()
	}
	return orb.Collection{randGeometry(r, depth-1), randGeometry(r, depth-1)}
}

func TestConversionIsIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		g := randGeometry(r, 2)
		w, err := ToGeom(g)
		if err != nil {
			t.Fatal(err)
		}
		if w.SRID() != SRID {
			t.Fatalf("SRID %d", w.SRID())
		}
		raw, err := ewkb.Marshal(w, ewkb.NDR)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ewkb.Unmarshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		o, err := FromGeom(back)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(o, g) {
			t.Fatalf("%v became %v", g, o)
		}
	}
}

func TestConversionOfAllTypes(t *testing.T) {
	for _, g := range orb.AllGeometries {
		if _, err := ToGeom(g); err != nil && g != nil {
			t.Errorf("%T: %v", g, err)
		}
		VertexCount(g)
		Map(g, func(p orb.Point) orb.Point { return p })
		Check(g)
		CountCrossings(g, 10)
		Cover(g, 3, 0)
	}
	if _, err := ToGeom(nil); err == nil {
		t.Error("nil was encoded: NULL must be said with Shape")
	}
}

func TestNullAndDimensions(t *testing.T) {
	s := Shape{orb.Point{1, 2}}
	if err := s.ScanGeom(nil); err != nil || !s.IsNull() {
		t.Errorf("NULL left %v, %v", s, err)
	}
	if v, err := (Shape{}).GeomValue(); v != nil || err != nil {
		t.Errorf("null shape gave %v, %v", v, err)
	}
	if o, err := FromGeom(geom.NewPointEmpty(geom.XY)); err != nil || VertexCount(o) != 0 || o == nil {
		t.Errorf("empty point gave %v, %v", o, err)
	}
	l := geom.NewLineStringFlat(geom.XYZM, []float64{1, 2, 3, 4, 5, 6, 7, 8})
	if o, err := FromGeom(l); err != nil || !reflect.DeepEqual(o, orb.LineString{{1, 2}, {5, 6}}) {
		t.Errorf("ZM gave %v, %v", o, err)
	}
}
