package geo

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// Area is an areal shape prepared for many questions. It is safe for concurrent
// use.
type Area struct {
	bound  orb.Bound
	edges  []edge
	strips [][]int32 // edges by horizontal strip
	scale  float64   // strips per degree of latitude
}

// NewArea prepares a polygon or multipolygon (anything else is an empty area).
func NewArea(g orb.Geometry) *Area {
	if s, ok := g.(Shape); ok {
		g = s.Geometry
	}
	a := &Area{}
	switch g.(type) {
	case orb.Polygon, orb.MultiPolygon, orb.Ring, orb.Bound:
		a.edges = ringEdges(asMulti(g))
		a.bound = g.Bound()
	}
	n := max(1, len(a.edges)/4)
	a.strips = make([][]int32, n)
	if h := a.bound.Max[1] - a.bound.Min[1]; h > 0 {
		a.scale = float64(n) / h
	}
	for i, e := range a.edges {
		for s := a.strip(min(e.a[1], e.b[1])); s <= a.strip(max(e.a[1], e.b[1])); s++ {
			a.strips[s] = append(a.strips[s], int32(i))
		}
	}
	return a
}

func asMulti(g orb.Geometry) orb.MultiPolygon {
	switch g := g.(type) {
	case orb.MultiPolygon:
		return g
	case orb.Polygon:
		return orb.MultiPolygon{g}
	case orb.Ring:
		return orb.MultiPolygon{{g}}
	case orb.Bound:
		return orb.MultiPolygon{g.ToPolygon()}
	}
	return nil
}

// Bound is the envelope.
func (a *Area) Bound() orb.Bound { return a.bound }

func (a *Area) strip(y float64) int {
	return max(0, min(len(a.strips)-1, int((y-a.bound.Min[1])*a.scale)))
}

// Side is 1 inside, 0 on the border, -1 outside. The arithmetic is exact.
func (a *Area) Side(p orb.Point) int {
	if len(a.edges) == 0 || !a.bound.Contains(p) {
		return -1
	}
	in := false
	for _, i := range a.strips[a.strip(p[1])] {
		e := a.edges[i]
		if (e.a[1] > p[1]) == (e.b[1] > p[1]) {
			if p == e.a || p == e.b || (e.a[1] == p[1] && e.b[1] == p[1] && between(e.a[0], e.b[0], p[0])) {
				return 0
			}
			continue
		}
		o := orient(e.a, e.b, p)
		if o == 0 {
			return 0
		}
		if (o > 0) == (e.b[1] > e.a[1]) {
			in = !in
		}
	}
	if in {
		return 1
	}
	return -1
}

// Covers reports whether no part of g lies outside, like ST_Covers: every position
// is inside or on the border, no edge crosses the border or runs outside between two
// touches, and no hole of the area lies inside g.
func (a *Area) Covers(g orb.Geometry) bool {
	if len(a.edges) == 0 || g == nil {
		return false
	}
	b := g.Bound()
	if b.Min[0] < a.bound.Min[0] || b.Min[1] < a.bound.Min[1] || b.Max[0] > a.bound.Max[0] || b.Max[1] > a.bound.Max[1] {
		return false
	}
	switch g := g.(type) {
	case Shape:
		return a.Covers(g.Geometry)
	case orb.Point:
		return a.Side(g) >= 0
	case orb.MultiPoint:
		return eachPoint(g, func(p orb.Point) bool { return a.Side(p) >= 0 })
	case orb.LineString:
		return a.coversLine(g)
	case orb.MultiLineString:
		for _, l := range g {
			if !a.coversLine(l) {
				return false
			}
		}
		return true
	case orb.Collection:
		for _, m := range g {
			if !a.Covers(m) {
				return false
			}
		}
		return true
	}
	for _, p := range asMulti(g) {
		for _, r := range p {
			if !a.coversLine(r) {
				return false
			}
		}
		if a.holeIn(p) {
			return false
		}
	}
	return true
}

func (a *Area) coversLine(l []orb.Point) bool {
	var cuts []orb.Point
	for i, p := range l {
		if a.Side(p) < 0 {
			return false
		}
		if i == 0 || p == l[i-1] {
			continue
		}
		q := l[i-1]
		e := edge{a: q, b: p}
		if !less(q, p) {
			e.a, e.b = p, q
		}
		cuts = append(cuts[:0], e.a, e.b)
		for s := a.strip(min(q[1], p[1])); s <= a.strip(max(q[1], p[1])); s++ {
			for _, k := range a.strips[s] {
				o := a.edges[k]
				if o.b[0] < e.a[0] || o.a[0] > e.b[0] {
					continue
				}
				switch m, at := meet(e, o); m {
				case crossing:
					return false
				case touching:
					cuts = append(cuts, at)
				case overlapping:
					cuts = append(cuts, at)
					if less(o.b, e.b) {
						cuts = append(cuts, o.b)
					}
				}
			}
		}
		// Between two touches the edge is wholly inside or wholly outside.
		slices.SortFunc(cuts, func(x, y orb.Point) int {
			switch {
			case less(x, y):
				return -1
			case less(y, x):
				return 1
			}
			return 0
		})
		for k := 1; k < len(cuts); k++ {
			x, y := cuts[k-1], cuts[k]
			if x != y && a.Side(orb.Point{(x[0] + y[0]) / 2, (x[1] + y[1]) / 2}) < 0 && !a.onBorder(x, y) {
				return false
			}
		}
	}
	return true
}

// onBorder reports whether the segment lies along an edge of the border: its middle
// may then be rounded off it.
func (a *Area) onBorder(q, p orb.Point) bool {
	for _, k := range a.strips[a.strip((q[1]+p[1])/2)] {
		o := a.edges[k]
		if orient(o.a, o.b, q) == 0 && orient(o.a, o.b, p) == 0 &&
			between(o.a[0], o.b[0], q[0]) && between(o.a[0], o.b[0], p[0]) && between(o.a[1], o.b[1], q[1]) && between(o.a[1], o.b[1], p[1]) {
			return true
		}
	}
	return false
}

// holeIn reports whether a hole of the area lies inside p: then the border is
// strictly inside p somewhere, or p's own inside is outside the area.
func (a *Area) holeIn(p orb.Polygon) bool {
	b := p.Bound()
	for s := a.strip(b.Min[1]); s <= a.strip(b.Max[1]); s++ {
		for _, k := range a.strips[s] {
			e := a.edges[k]
			for _, q := range [3]orb.Point{e.a, e.b, {(e.a[0] + e.b[0]) / 2, (e.a[1] + e.b[1]) / 2}} {
				if b.Contains(q) && strictlyInside(q, p) {
					return true
				}
			}
		}
	}
	q, ok := InnerPoint(p)
	return ok && a.Side(q) < 0
}

// InnerPoint gives a position inside a polygon: the middle of the widest stretch on
// a horizontal line through its middle. False for a polygon without inside.
func InnerPoint(p orb.Polygon) (orb.Point, bool) {
	if len(p) == 0 || len(p[0]) == 0 {
		return orb.Point{}, false
	}
	b := p[0].Bound()
	y := (b.Min[1] + b.Max[1]) / 2
	// The line must not run through a vertex: move it half way to the next one.
	next := b.Max[1]
	for _, r := range p {
		for _, q := range r {
			if q[1] > y && q[1] < next {
				next = q[1]
			}
		}
	}
	y = (y + next) / 2
	var xs []float64
	for _, r := range p {
		for i := 1; i < len(r); i++ {
			c, d := r[i-1], r[i]
			if (c[1] > y) != (d[1] > y) {
				xs = append(xs, c[0]+(d[0]-c[0])*(y-c[1])/(d[1]-c[1]))
			}
		}
	}
	slices.Sort(xs)
	best, width := orb.Point{}, 0.0
	for i := 1; i < len(xs); i += 2 {
		if w := xs[i] - xs[i-1]; w > width {
			best, width = orb.Point{(xs[i] + xs[i-1]) / 2, y}, w
		}
	}
	return best, width > 0
}

func strictlyInside(q orb.Point, p orb.Polygon) bool {
	for i, r := range p {
		side := pointInRing(q, r)
		if side == 0 || (side > 0) != (i == 0) {
			return false
		}
	}
	return true
}

// Distance is 0 inside, else the metres to the border, good to a percent within
// some tens of kilometres.
func (a *Area) Distance(p orb.Point) float64 {
	if len(a.edges) == 0 {
		return math.Inf(1)
	}
	if a.Side(p) >= 0 {
		return 0
	}
	const metres = 111_320.0
	k := math.Cos(p[1] * math.Pi / 180)
	best := math.Inf(1)
	for _, e := range a.edges {
		ax, ay := (e.a[0]-p[0])*k, e.a[1]-p[1]
		bx, by := (e.b[0]-p[0])*k, e.b[1]-p[1]
		dx, dy := bx-ax, by-ay
		t := 0.0
		if l := dx*dx + dy*dy; l > 0 {
			t = max(0, min(1, -(ax*dx+ay*dy)/l))
		}
		best = min(best, math.Hypot(ax+t*dx, ay+t*dy))
	}
	return best * metres
}
