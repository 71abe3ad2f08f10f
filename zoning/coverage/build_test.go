package coverage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// rect is a rectangle, counter-clockwise.
func rect(x0, y0, x1, y1 int64) Ring {
	return Ring{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}
}

func cw(r Ring) Ring {
	out := make(Ring, len(r))
	for i, p := range r {
		out[len(r)-1-i] = p
	}
	return out
}

// step is the length of an edge, about 110 m; places are near 121.5° 25°. Tests of harsh
// rounding make it a few steps of the grid.
var step int64 = 100_000

var origin = Point{121_5 * Scale / 10, 25 * Scale}

func at(x, y int64) Point { return Point{origin.X + x, origin.Y + y} }

func moved(s Shape) Shape {
	out := s.Clone()
	for _, p := range out {
		for _, r := range p {
			for i := range r {
				r[i] = at(r[i].X, r[i].Y)
			}
		}
	}
	return out
}

// grid is a partition of a rectangle into n×n zones with crooked borders of k points a
// side. The outer boundary is crooked, too.
func grid(rng *rand.Rand, n, k int) *Coverage {
	side := int64(k) * step
	corner := map[[2]int]Point{}
	jitter := func() int64 {
		if rng == nil {
			return 0
		}
		return rng.Int64N(step/2) - step/4
	}
	node := func(i, j int) Point {
		key := [2]int{i, j}
		if _, ok := corner[key]; !ok {
			corner[key] = at(int64(i)*side+jitter(), int64(j)*side+jitter())
		}
		return corner[key]
	}
	lines := map[[4]int][]Point{}
	line := func(i, j, i2, j2 int) []Point {
		key := [4]int{i, j, i2, j2}
		if l, ok := lines[key]; ok {
			return l
		}
		a, b := node(i, j), node(i2, j2)
		l := []Point{a}
		for s := 1; s < k; s++ {
			l = append(l, Point{a.X + (b.X-a.X)*int64(s)/int64(k), a.Y + (b.Y-a.Y)*int64(s)/int64(k)})
			p := &l[len(l)-1]
			p.X, p.Y = p.X+jitter(), p.Y+jitter()
		}
		l = append(l, b)
		lines[key] = l
		return l
	}
	c := &Coverage{Zones: map[ID]Shape{}, Exhaustive: true}
	for i := range n {
		for j := range n {
			var r Ring
			add := func(l []Point, back bool) {
				if back {
					l = cw(l)
				}
				r = append(r, l[:len(l)-1]...)
			}
			add(line(i, j, i+1, j), false)
			add(line(i+1, j, i+1, j+1), false)
			add(line(i, j+1, i+1, j+1), true)
			add(line(i, j, i, j+1), true)
			c.Zones[ID(fmt.Sprintf("z%03d-%03d", i, j))] = Shape{{r}}
		}
	}
	net := map[link]int32{}
	for _, s := range c.Zones {
		count(net, s, 1)
	}
	c.Area, _ = fromBalance(net)
	return c
}

// ids makes ids in order.
func idMaker(prefix string) func() ID {
	n := 0
	return func() ID { n++; return ID(fmt.Sprintf("%s%06d", prefix, n)) }
}

func wantRight(t testing.TB, c *Coverage) {
	t.Helper()
	if bad := c.Check(); len(bad) > 0 {
		t.Fatalf("not a coverage: %d faults, first %v %v at %v (%.3f m², %.3f m)", len(bad), bad[0].Code, bad[0].Zones, bad[0].At, bad[0].AreaM2, bad[0].WidthM)
	}
}

func wantCode(t testing.TB, err error, code Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || len(e.Violations) == 0 || e.Violations[0].Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

func total(c *Coverage) float64 {
	sum := 0.0
	for _, s := range c.Zones {
		sum += AreaM2(s)
	}
	return sum
}

func clone(c *Coverage) *Coverage {
	out := &Coverage{Zones: map[ID]Shape{}, Area: c.Area.Clone(), Exhaustive: c.Exhaustive, Loaded: c.Loaded}
	for id, s := range c.Zones {
		out.Zones[id] = s.Clone()
	}
	return out
}
