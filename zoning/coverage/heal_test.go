package coverage

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/paulmach/orb/geojson"
)

// dirty digitises every zone by itself: each point is off by up to d steps, some are
// left out.
func dirty(rng *rand.Rand, c *Coverage, d int64) {
	for _, id := range c.ids() { // in order: a seed is a case that can be met again
		s := c.Zones[id]
		for range 20 {
			out := s.Clone()
			for _, p := range out {
				for j, r := range p {
					var ring Ring
					for _, q := range r {
						if rng.IntN(12) > 0 {
							ring = append(ring, Point{q.X + rng.Int64N(2*d+1) - d, q.Y + rng.Int64N(2*d+1) - d})
						}
					}
					p[j] = ring
				}
			}
			if len(out.Valid()) == 0 {
				c.Zones[id] = out
				break
			}
		}
	}
}

func TestHeal(t *testing.T) {
	// In the last three, scraps of two zones lie side by side and once changed places.
	for _, seed := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 399, 524} {
		rng := rand.New(rand.NewPCG(seed, 2))
		c := grid(rng, 4, 6)
		area, full := c.Area, total(c)
		// Off by up to 0.2 m (180 steps): only slivers. Points left out make larger faults.
		d := int64(180)
		if seed >= 6 {
			d = 2000
		}
		dirty(rng, c, d)
		was := map[ID]float64{}
		for id, s := range c.Zones {
			was[id] = AreaM2(s)
		}
		if len(c.Check()) == 0 {
			t.Fatal("nothing to heal")
		}
		rep, err := Heal(c, nil, HealLimits{})
		if err != nil {
			t.Fatal(seed, err)
		}
		if p, ok := onlyNodes(area, c.Area); !ok {
			// The rings may begin elsewhere: every old vertex must be there.
			area.links(func(l link) {
				if !has(c.Area, l.a) {
					t.Errorf("the boundary lost %v (%v)", l.a, p)
				}
			})
		}
		// What is left is exactly what was reported.
		left, told := 0.0, 0.0
		for _, v := range c.Check() {
			if v.Code != Gap {
				t.Fatalf("seed %d: %s of %v after healing, %g m² %g m", seed, v.Code, v.Zones, v.AreaM2, v.WidthM)
			}
			left += v.AreaM2
		}
		for _, v := range rep.Violations {
			if v.Code != OutsideArea {
				told += v.AreaM2
			}
		}
		if math.Abs(left-told) > 0.01 {
			t.Errorf("seed %d: %.3f m² of gaps are left, %.3f were told", seed, left, told)
		}
		// Nodes on the boundary are rounded to the grid, which is what it may change by.
		if math.Abs(total(c)+left-AreaM2(c.Area)) > 0.01 || math.Abs(AreaM2(c.Area)-full) > 1 {
			t.Errorf("seed %d: the area changed by %f m²", seed, total(c)+left-full)
		}
		for id, s := range c.Zones {
			g := rep.Zones[id]
			if d := AreaM2(s) - was[id] - g.GainedM2 + g.LostM2; math.Abs(d) > 0.5 {
				t.Errorf("seed %d: %s changed by %.3f m² more than told (%+v)", seed, id, d, g)
			}
		}
		if seed == 0 {
			t.Logf("%d healed, %d left, %d zones changed", len(rep.Healed), len(rep.Violations), len(rep.Zones))
		}
		// Once healed there is nothing more to heal.
		again, err := Heal(c, nil, HealLimits{})
		if err != nil || len(again.Healed) > 0 || len(again.Zones) > 0 {
			t.Errorf("seed %d: healing twice: %v, %d places", seed, err, len(again.Healed))
		}
		// The proposals solve the rest.
		for range 400 {
			bad := c.Check()
			if len(bad) == 0 {
				break
			}
			if _, err := c.Apply(bad[0].Proposals[0][0], nil, nil); err != nil {
				t.Fatalf("seed %d: the proposal for a %s of %g m²: %v", seed, bad[0].Code, bad[0].AreaM2, err)
			}
		}
		wantRight(t, c)
	}
}

// The same with PostGIS noding.
func TestHealNodedByPostGIS(t *testing.T) {
	pg := newPostGIS(t)
	rng := rand.New(rand.NewPCG(1, 2))
	c := grid(rng, 4, 6)
	dirty(rng, c, 180)
	if _, err := Heal(c, pg, HealLimits{}); err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Check() {
		if v.Code != Gap {
			t.Errorf("%s of %v after healing", v.Code, v.Zones)
		}
	}
	for id, s := range c.Zones {
		if !pg.isValid(s) {
			t.Errorf("%s is invalid", id)
		}
	}
}

// Shapes that are not simple are made so, and what that costs is known.
func TestMended(t *testing.T) {
	pg := newPostGIS(t)
	tests := []struct {
		name string
		s    Shape
		area float64 // in squares of 10 steps
	}{
		{"bow-tie", Shape{{{{0, 0}, {20, 20}, {20, 0}, {0, 20}}}}, 2},
		{"spike", Shape{{{{0, 0}, {10, 0}, {30, 0}, {10, 0}, {10, 10}, {0, 10}}}}, 1},
		{"repeated point", Shape{{{{0, 0}, {10, 0}, {10, 0}, {10, 10}, {0, 10}}}}, 1},
		{"hole that touches in the middle of an edge", Shape{{rect(0, 0, 30, 30), {{10, 0}, {0 + 10, 10}, {20, 10}}}}, 8.5},
		{"hole outside", Shape{{rect(0, 0, 10, 10), cw(rect(20, 20, 30, 30))}}, 1},
		{"the same polygon twice", Shape{{rect(0, 0, 10, 10)}, {rect(0, 0, 10, 10)}}, 1},
		{"two that overlap", Shape{{rect(0, 0, 20, 10)}, {rect(10, 0, 30, 10)}}, 3},
		{"a ring that touches itself", Shape{{{{0, 0}, {30, 0}, {30, 30}, {10, 30}, {20, 20}, {10, 20}, {10, 30}, {0, 30}}}}, 8.5},
		{"a ring that winds twice around a hole", Shape{{{{0, 0}, {30, 0}, {30, 30}, {10, 30}, {10, 20}, {20, 20}, {10, 30}, {0, 30}}}}, 8.5},
	}
	for _, tt := range tests {
		m, err := tt.s.Mended()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(tt.s.Valid()) == 0 || len(m.Valid()) > 0 || !pg.isValid(m) {
			t.Errorf("%s: %v, valid before %v", tt.name, m, tt.s.Valid())
		}
		if got := m.grid2().float() / 200; got != tt.area {
			t.Errorf("%s: area %g, want %g: %v", tt.name, got, tt.area, m)
		}
	}
	if _, err := (Shape{{{{0, 0}, {10, 10}, {20, 20}}}}).Mended(); err == nil {
		t.Error("a line was mended to an area")
	}
}

func TestHealClearsALargeOverlap(t *testing.T) {
	c := three()
	c.Zones["B"] = Shape{{{at(5000, 0), at(20000, 0), at(20000, 10000), at(10000, 10000)}}}
	rep, err := Heal(c, nil, HealLimits{})
	if err != nil || len(rep.Violations) != 1 || rep.Violations[0].Code != Overlap || len(rep.Violations[0].Zones) != 2 {
		t.Fatalf("%v %+v", err, rep)
	}
	if bad := c.Check(); len(bad) != 1 || bad[0].Code != Gap {
		t.Fatalf("%v", bad)
	}
	if _, err := c.Apply(rep.Violations[0].Proposals[1][0], nil, nil); err != nil {
		t.Fatal(err)
	}
	wantRight(t, c)
}

// A zone drawn over another is a hole in it, and told; the same zone twice is one.
func TestHealKeepsWhatLiesInAnother(t *testing.T) {
	c := three()
	c.Zones["I"] = square(2000, 2000, 3000)
	c.Zones["B2"] = c.Zones["B"].Clone()
	rep, err := Heal(c, nil, HealLimits{})
	if err != nil {
		t.Fatal(err)
	}
	wantRight(t, c)
	if _, ok := c.Zones["B2"]; ok || len(c.Zones["A"][0]) != 2 || !c.Zones["I"].Equal(square(2000, 2000, 3000)) || len(c.Zones) != 4 {
		t.Errorf("zones %v", c.ids())
	}
	codes := map[Code]int{}
	for _, v := range rep.Violations {
		codes[v.Code]++
		if v.Code == Overlap && v.Zones[0] == "A" {
			if _, err := c.Apply(v.Proposals[0][0], nil, nil); err != nil {
				t.Error(err)
			}
			wantRight(t, c)
		}
	}
	if codes[Overlap] != 2 || codes[Degenerate] != 1 {
		t.Errorf("told %v", codes)
	}
}

// load reads a real file, or skips.
func load(t testing.TB, name string) *Coverage {
	data, err := os.ReadFile("../../../shared/data/taipei/" + name)
	if err != nil {
		t.Skipf("no real data here: %v", err)
	}
	fc, err := geojson.UnmarshalFeatureCollection(data)
	if err != nil {
		t.Fatal(err)
	}
	c := &Coverage{Zones: map[ID]Shape{}}
	next := idMaker("v")
	bad := 0
	for _, f := range fc.Features {
		s, err := FromGeometry(f.Geometry)
		if err == nil && len(s.Valid()) > 0 {
			bad++
			s, err = s.Mended()
		}
		if err != nil {
			t.Log(err)
			continue
		}
		c.Zones[next()] = s
	}
	t.Logf("%s: %d zones, %d not valid by themselves", name, len(c.Zones), bad)
	return c
}

func TestHealRealFiles(t *testing.T) {
	for _, name := range []string{"admin_village.geojson", "admin_district.geojson", "hazard_flood_78mm.geojson", "hazard_liquefaction.geojson"} {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			n := 0
			for _, s := range c.Zones {
				n += s.Vertices()
			}
			before := len(c.Check())
			start := time.Now()
			rep, err := Heal(c, nil, HealLimits{})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d vertices, faults listed %d; healed %d places in %d zones, left %d, in %s", n, before, len(rep.Healed), len(rep.Zones), len(rep.Violations), time.Since(start))
			start = time.Now()
			wantRight(t, c)
			t.Logf("checked in %s", time.Since(start))
			a := BuildArcs(c)
			for _, tol := range []float64{1e-5, 1e-4, 1e-3} {
				start = time.Now()
				out := a.Simplify(tol)
				k := 0
				for _, s := range out {
					k += s.Vertices()
				}
				wantRight(t, &Coverage{Zones: out})
				t.Logf("%g degrees: %d vertices, in %s", tol, k, time.Since(start))
			}
		})
	}
}
