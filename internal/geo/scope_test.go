package geo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"
)

func TestScopeOf(t *testing.T) {
	for _, c := range []struct {
		code   string
		lo, hi int64
	}{
		{"99", 1_990000000000000, 1_999999999999999},
		{"990100", 1_990100000000000, 1_990100999999999},
		{"990100001", 1_990100001000000, 1_990100001999999},
		{"990100001001", 1_990100001001000, 1_990100001001999},
		{"990100001001007", 1_990100001001007, 1_990100001001007},
		{"00", 1_000000000000000, 1_009999999999999},
		{"63000", 2_630000000000000, 2_630009999999999},
		{"63000010", 2_630000100000000, 2_630000109999999},
		{"63000010001", 2_630000100010000, 2_630000100019999},
	} {
		lo, hi, err := ScopeOf(c.code)
		if err != nil || lo != c.lo || hi != c.hi {
			t.Errorf("%s: %d %d %v", c.code, lo, hi, err)
		}
	}
	for _, bad := range []string{"", "1", "123", "1234567", "12345678901234", "99010a", "９９", "-1", " 9", "9901000010010071"} {
		if _, _, err := ScopeOf(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

// A code lies inside another of its family exactly if that is its prefix.
func TestScopeIsPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	code := func() string {
		n := []int{2, 4, 5, 6, 8, 9, 11, 12, 15}[r.IntN(9)]
		var b strings.Builder
		for range n {
			b.WriteByte('0' + byte(r.IntN(2)))
		}
		return b.String()
	}
	for range 20000 {
		a, b := code(), code()
		sa, _ := ParseScope(a)
		sb, _ := ParseScope(b)
		same := Family(a) == Family(b)
		if got, want := sa.Contains(sb), same && strings.HasPrefix(b, a); got != want {
			t.Fatalf("%s contains %s: %v", a, b, got)
		}
		if got, want := sa.Overlaps(sb), same && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b)); got != want {
			t.Fatalf("%s overlaps %s: %v", a, b, got)
		}
		if !Everywhere().Contains(sa) {
			t.Fatalf("%s lies nowhere", a)
		}
	}
}

func TestScopes(t *testing.T) {
	ss, err := ParseScopes("990101", "990100", "99", "63000010")
	if err != nil {
		t.Fatal(err)
	}
	if got := ss.String(); got != "{[1990000000000000,1999999999999999],[2630000100000000,2630000109999999]}" {
		t.Error(got)
	}
	in, _ := ParseScope("990155")
	out, _ := ParseScope("63000020")
	up, _ := ParseScope("63000")
	if !ss.Contains(in) || ss.Contains(out) || ss.Contains(up) || !ss.Overlaps(up) || ss.Overlaps(out) || ss.Overlaps(Scope{}) {
		t.Error("set relations")
	}
	if got := (Scopes{}).String(); got != "{}" {
		t.Error(got)
	}
}

func FuzzScopeOf(f *testing.F) {
	f.Add("990100")
	f.Add("63000010001")
	f.Fuzz(func(t *testing.T, code string) {
		lo, hi, err := ScopeOf(code)
		if err == nil && (lo > hi || lo < familyUnit || hi >= 3*familyUnit) {
			t.Fatalf("%q: %d %d", code, lo, hi)
		}
	})
}

// touches decides by sampling whether g has a position in the buffered tile.
func sampleTiles(g orb.Geometry, z maptile.Zoom, buffer float64, r *rand.Rand, emit func(maptile.Tile)) {
	n := float64(uint64(1) << z)
	at := func(p orb.Point) {
		// Every tile whose buffered square holds this position.
		for _, dx := range []float64{-buffer, 0, buffer} {
			for _, dy := range []float64{-buffer, 0, buffer} {
				x, y := p[0]*n+dx*0.999999, p[1]*n+dy*0.999999
				if x >= 0 && y >= 0 && x < n && y < n {
					emit(maptile.Tile{X: uint32(x), Y: uint32(y), Z: z})
				}
			}
		}
	}
	line := func(l []orb.Point) {
		for i := 1; i < len(l); i++ {
			a, b := mercator(l[i-1]), mercator(l[i])
			for range 40 {
				f := r.Float64()
				at(orb.Point{a[0] + f*(b[0]-a[0]), a[1] + f*(b[1]-a[1])})
			}
			at(a)
			at(b)
		}
	}
	switch g := g.(type) {
	case orb.Point:
		at(mercator(g))
	case orb.MultiPoint:
		for _, p := range g {
			at(mercator(p))
		}
	case orb.LineString:
		line(g)
	case orb.MultiLineString:
		for _, l := range g {
			line(l)
		}
	case orb.Polygon:
		var segs []segment
		var b orb.Bound
		for i, ring := range g {
			line(ring)
			for k := 1; k < len(ring); k++ {
				segs = append(segs, segment{mercator(ring[k-1]), mercator(ring[k])})
			}
			if i == 0 {
				b = ring.Bound()
			}
		}
		for range 200 {
			p := mercator(orb.Point{b.Min[0] + r.Float64()*(b.Max[0]-b.Min[0]), b.Min[1] + r.Float64()*(b.Max[1]-b.Min[1])})
			if insideSegments(p, segs) {
				at(p)
			}
		}
	case orb.MultiPolygon:
		for _, p := range g {
			sampleTiles(p, z, buffer, r, emit)
		}
	case orb.Collection:
		for _, m := range g {
			sampleTiles(m, z, buffer, r, emit)
		}
	}
}

// The cover holds every touched tile, and lies inside the cover of the bound.
func TestCoverIsSuperset(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for i := range 600 {
		g := randGeometry(r, 2)
		if i%2 == 0 { // shapes of the size a county has
			c := orb.Point{r.Float64()*360 - 180, r.Float64()*160 - 80}
			g = Map(g, func(p orb.Point) orb.Point {
				return orb.Point{max(-180, min(180, c[0]+p[0]/400)), max(-90, min(90, c[1]+p[1]/400))}
			})
		}
		z := maptile.Zoom(r.IntN(8))
		if i%2 == 0 {
			z += 5
		}
		buffer := []float64{0, 0.0625, 0.5, 1.25}[r.IntN(4)]
		set := Cover(g, z, buffer)
		bound := orb.Bound{Min: orb.Point{180, 90}, Max: orb.Point{-180, -90}}
		eachPoint(g, func(p orb.Point) bool { // Bound() of orb looks at shells only, and these holes lie anywhere
			bound = bound.Extend(p)
			return true
		})
		block := CoverBound(bound, z, buffer+slack)
		for tile := range set {
			if !tile.Valid() || !block.Contains(tile) {
				t.Fatalf("%v not within %+v", tile, block)
			}
		}
		sampleTiles(g, z, buffer, r, func(tile maptile.Tile) {
			if buffer < 1 && !set[tile] {
				t.Fatalf("z%d buffer %g: %v is touched and not covered by %v", z, buffer, tile, g)
			}
		})
	}
}

func TestCover(t *testing.T) {
	p := orb.Point{119.25, 34.15}
	if set := Cover(p, 14, 0); len(set) != 1 || !set[maptile.At(p, 14)] {
		t.Errorf("point: %v", set)
	}
	whole := orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}
	if set := Cover(whole, 3, 0.0625); len(set) != 64 {
		t.Errorf("world: %d", len(set))
	}
	if _, ok := CoverUpTo(whole, 16, 0, 1000); ok {
		t.Error("the limit was not kept")
	}
	// A long diagonal line must not fill its square.
	if set := Cover(orb.LineString{{100, 10}, {140, 50}}, 8, 0); len(set) > 120 {
		t.Errorf("diagonal: %d tiles", len(set))
	}
	// A polygon's hole at high zoom is not covered.
	ring := Cover(orb.Polygon{square(100, 20, 4), square(100.5, 20.5, 3)}, 10, 0)
	if ring[maptile.At(orb.Point{102, 22}, 10)] {
		t.Error("the hole is covered")
	}
}
