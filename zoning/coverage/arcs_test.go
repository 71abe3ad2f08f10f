package coverage

import (
	"math/rand/v2"
	"testing"
)

// Simplified neighbours share one line: borders cancel as before, nothing collapses.
func TestSimplifyKeepsTheCoverage(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := grid(rng, 5, 12)
		play(t, c, rng, nil, 60)
		a := BuildArcs(c)
		least := 0
		for _, tol := range []float64{0, 1e-5, 3e-4, 1e-3, 1e-2, 1} {
			out := a.Simplify(tol)
			if len(out) != len(c.Zones) {
				t.Fatalf("%d zones of %d", len(out), len(c.Zones))
			}
			n := 0
			for id, s := range out {
				n += s.Vertices()
				if bad := s.Valid(); len(bad) > 0 {
					t.Fatalf("%g: %s: %v", tol, id, bad[0])
				}
				if len(s) != len(c.Zones[id]) {
					t.Fatalf("%g: %s lost a part", tol, id)
				}
			}
			if tol == 0 {
				for id, s := range out {
					if _, same := sameRings(s, c.Zones[id].sorted()); !same {
						t.Fatalf("nothing was to be thinned in %s", id)
					}
				}
				least = n
			}
			if n > least || tol >= 1e-3 && n >= least*3/4 {
				t.Fatalf("%g: %d vertices of %d", tol, n, least)
			}
			// The area is what the zones cover together: what does not cancel.
			net := map[link]int32{}
			for _, s := range out {
				count(net, s, 1)
			}
			area, err := fromBalance(net)
			if err != nil {
				t.Fatal(err)
			}
			wantRight(t, &Coverage{Zones: out, Area: area, Exhaustive: true})
		}
	}
}

// sorted is the shape in the order of assembled ones.
func (s Shape) sorted() Shape {
	c := s.Clone()
	for _, p := range c {
		for i, r := range p {
			p[i] = canonical(r)
		}
	}
	c.sort()
	return c
}

// An island in a bay stays outside, however wide the tolerance.
func TestSimplifySwallowsNothing(t *testing.T) {
	c := &Coverage{Zones: map[ID]Shape{
		"land":   {{{at(0, 0), at(10000, 0), at(10000, 10000), at(6000, 10000), at(5000, 7000), at(4000, 10000), at(0, 10000)}}},
		"island": square(4900, 9000, 200),
	}}
	wantRight(t, c)
	out := BuildArcs(c).Simplify(1)
	wantRight(t, &Coverage{Zones: out})
	for id, s := range out {
		if s.Vertices() < 3 {
			t.Errorf("%s collapsed", id)
		}
	}
}
