package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
)

func square(x, y, s float64) orb.Ring {
	return orb.Ring{{x, y}, {x + s, y}, {x + s, y + s}, {x, y + s}, {x, y}}
}

func TestCheck(t *testing.T) {
	cases := []struct {
		name, code string
		g          orb.Geometry
	}{
		{"square", "", orb.Polygon{square(0, 0, 4)}},
		{"hole", "", orb.Polygon{square(0, 0, 4), square(1, 1, 1)}},
		{"hole touches shell in a point", "", orb.Polygon{square(0, 0, 4), {{0, 0}, {2, 1}, {1, 2}, {0, 0}}}},
		{"repeated position", "", orb.Polygon{{{0, 0}, {4, 0}, {4, 0}, {4, 4}, {0, 0}, {0, 0}}}},
		{"two apart", "", orb.MultiPolygon{{square(0, 0, 1)}, {square(2, 0, 1)}}},
		{"two touch in a corner", "", orb.MultiPolygon{{square(0, 0, 1)}, {square(1, 1, 1)}}},
		{"island in a lake", "", orb.MultiPolygon{{square(0, 0, 9), square(1, 1, 6)}, {square(2, 2, 1)}}},
		{"island fills the lake's bound but touches", "", orb.MultiPolygon{{square(0, 0, 9), square(1, 1, 6)}, {{{1, 1}, {3, 2}, {2, 3}, {1, 1}}}}},
		{"line crosses itself", "", orb.LineString{{0, 0}, {1, 1}, {1, 0}, {0, 1}}},
		{"bow tie", CodeSelfCross, orb.Polygon{{{0, 0}, {1, 1}, {1, 0}, {0, 1}, {0, 0}}}},
		{"ring touches itself", CodeSelfCross, orb.Polygon{{{0, 0}, {4, 0}, {2, 2}, {4, 4}, {0, 4}, {2, 2}, {0, 0}}}},
		{"spike", CodeSelfCross, orb.Polygon{{{0, 0}, {4, 0}, {6, 0}, {4, 0}, {4, 4}, {0, 0}}}},
		{"collinear all", CodeSelfCross, orb.Polygon{{{0, 0}, {1, 0}, {2, 0}, {0, 0}}}},
		{"hole outside", CodeHoleOutside, orb.Polygon{square(0, 0, 4), square(8, 8, 1)}},
		{"hole crosses shell", CodeSelfCross, orb.Polygon{square(0, 0, 4), square(3, 3, 3)}},
		{"hole shares an edge", CodeSelfCross, orb.Polygon{square(0, 0, 4), square(0, 1, 1)}},
		{"hole in a hole", CodeNestedHoles, orb.Polygon{square(0, 0, 9), square(1, 1, 5), square(2, 2, 1)}},
		{"shell in a shell", CodeNestedShells, orb.MultiPolygon{{square(0, 0, 9)}, {square(1, 1, 5)}}},
		{"same polygon twice", CodeSelfCross, orb.MultiPolygon{{square(0, 0, 9)}, {square(0, 0, 9)}}},
		{"neighbours share an edge", CodeSelfCross, orb.MultiPolygon{{square(0, 0, 1)}, {square(1, 0, 1)}}},
		{"open", CodeOpenRing, orb.Polygon{{{0, 0}, {1, 0}, {1, 1}, {0, 1}}}},
		{"short", CodeShortRing, orb.Polygon{{{0, 0}, {1, 0}, {0, 0}}}},
		{"all equal", CodeShortRing, orb.Polygon{{{1, 1}, {1, 1}, {1, 1}, {1, 1}}}},
		{"no ring", CodeEmpty, orb.Polygon{}},
		{"empty ring", CodeEmpty, orb.Polygon{{}}},
		{"NaN", CodeEnvelope, orb.Point{math.NaN(), 1}},
		{"inf", CodeEnvelope, orb.LineString{{0, 0}, {math.Inf(1), 1}}},
		{"nil", CodeNull, nil},
	}
	for _, c := range cases {
		f := Check(c.g)
		got := ""
		if f != nil {
			got = f.Code
		}
		if got != c.code {
			t.Errorf("%s: %q, want %q (%v)", c.name, got, c.code, f)
		}
	}
	f := Check(orb.Polygon{{{0, 0}, {1, 1}, {1, 0}, {0, 1}, {0, 0}}})
	if f == nil || !f.HasAt || f.At != (orb.Point{0.5, 0.5}) {
		t.Errorf("the place of the bow tie: %v", f)
	}
}

func TestCheckNeedsExactArithmetic(t *testing.T) {
	// A sliver whose turn float64 cannot decide: the third point is one unit in
	// the last place off the line of the first two.
	a, b := orb.Point{0.1, 0.1}, orb.Point{0.7, 0.7}
	on := orb.Point{0.3, 0.3}
	off := orb.Point{0.3, math.Nextafter(0.3, 1)}
	if orient(a, b, on) != 0 {
		t.Error("a point on the line is not straight")
	}
	if orient(a, b, off) != 1 || orient(b, a, off) != -1 {
		t.Error("a point one unit off the line is not seen")
	}
}

// randomRing joins n random positions: about n²/6 crossings.
func randomRing(n int, seed uint64) orb.Polygon {
	r := rand.New(rand.NewPCG(seed, 9))
	ring := make(orb.Ring, n, n+1)
	for i := range ring {
		ring[i] = orb.Point{119 + r.Float64(), 34 + r.Float64()}
	}
	return orb.Polygon{append(ring, ring[0])}
}

// bruteCrossings compares every pair.
func bruteCrossings(g orb.Geometry) int {
	n := 0
	edges := ringEdges(g)
	for i, a := range edges {
		for _, b := range edges[i+1:] {
			if m, at := meet(a, b); forbidden(edges, a, b, m, at) {
				n++
			}
		}
	}
	return n
}

func TestCountCrossings(t *testing.T) {
	for n := 4; n < 60; n++ {
		g := randomRing(n, uint64(n))
		if got, want := CountCrossings(g, math.MaxInt), bruteCrossings(g); got.Count != want || got.Stopped {
			t.Fatalf("n=%d: %+v, want %d", n, got, want)
		}
	}
	for _, n := range []int{100, 300, 1000, 3000} {
		c := CountCrossings(randomRing(n, 7), MaxRepairCrossings)
		if n >= 300 && (!c.Stopped || c.Count != MaxRepairCrossings) {
			t.Errorf("n=%d: %+v", n, c)
		}
		if n == 100 && (c.Stopped || c.Count == 0) {
			t.Errorf("n=%d: %+v", n, c)
		}
	}
	if c := CountCrossings(orb.Polygon{square(0, 0, 1)}, 10); c.Count != 0 || c.Stopped {
		t.Errorf("square: %+v", c)
	}
	if c := CountCrossings(orb.LineString{{0, 0}, {1, 1}, {1, 0}, {0, 1}}, 10); c.Count != 0 {
		t.Errorf("a line may cross itself: %+v", c)
	}
}

// comb is a valid ring whose long diagonal teeth all lie side by side: the worst
// case of a sweep in either direction.
func comb(n int) orb.Polygon {
	r := orb.Ring{}
	for i := range n {
		d := float64(i) / float64(n)
		if i%2 == 0 {
			r = append(r, orb.Point{d, -d})
		} else {
			r = append(r, orb.Point{10 + d, 10 - d})
		}
	}
	r = append(r, orb.Point{20, -20}, orb.Point{-20, -20}, r[0])
	return orb.Polygon{r}
}

func TestSweepIsBounded(t *testing.T) {
	if f := Check(comb(2000)); f != nil && f.Code == CodeTooComplex {
		t.Errorf("2000 teeth: %v", f)
	}
	f := Check(comb(200_000))
	if f == nil || f.Code != CodeTooComplex {
		t.Errorf("200,000 teeth: %v", f)
	}
}

func BenchmarkCountCrossings3000(b *testing.B) {
	g := randomRing(3000, 1)
	for b.Loop() {
		CountCrossings(g, MaxRepairCrossings)
	}
}

func BenchmarkCheckCircle200000(b *testing.B) {
	n := 200_000
	r := make(orb.Ring, 0, n+1)
	for i := range n {
		s, c := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		d := 1 + 0.01*math.Sin(float64(i)*0.37)
		r = append(r, orb.Point{100 + d*c, 30 + d*s})
	}
	g := orb.Polygon{append(r, r[0])}
	for b.Loop() {
		if f := Check(g); f != nil {
			b.Fatal(f)
		}
	}
}
