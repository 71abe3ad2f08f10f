package coverage

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// The most vertices a zone may have.
const (
	MaxEdited   = 10_000  // after an edit, unless it had more before
	MaxImported = 200_000 // at all
)

// maxListed is how many violations of a shape or a coverage are listed; more are counted.
const maxListed = 100

// FromGeometry puts polygons on the grid: every position goes to its nearest step,
// positions that fall together in a row become one, and rings get their direction.
// Nothing else is mended: Valid tells the rest.
func FromGeometry(g orb.Geometry) (Shape, error) {
	var mp orb.MultiPolygon
	switch g := g.(type) {
	case orb.MultiPolygon:
		mp = g
	case orb.Polygon:
		mp = orb.MultiPolygon{g}
	case orb.Ring:
		mp = orb.MultiPolygon{{g}}
	case orb.Bound:
		mp = orb.MultiPolygon{g.ToPolygon()}
	case nil:
		return nil, errors.New("coverage: no geometry")
	default:
		return nil, fmt.Errorf("coverage: %s is not an area", g.GeoJSONType())
	}
	var out Shape
	for _, p := range mp {
		var poly Polygon
		for i, r := range p {
			ring := make(Ring, 0, len(r))
			for _, q := range r {
				if !(math.Abs(q[0]) <= 180 && math.Abs(q[1]) <= 90) { // not a number, too
					return nil, fmt.Errorf("coverage: %v is not on Earth", q)
				}
				if k := At(q); len(ring) == 0 || ring[len(ring)-1] != k {
					ring = append(ring, k)
				}
			}
			if len(ring) > 1 && ring[0] == ring[len(ring)-1] {
				ring = ring[:len(ring)-1]
			}
			if s := area2(ring).sign(); s != 0 && (s > 0) != (i == 0) {
				slices.Reverse(ring)
			}
			poly = append(poly, ring)
		}
		if len(poly) > 0 {
			out = append(out, poly)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("coverage: no polygon")
	}
	return out, nil
}

// Geometry gives the shape in degrees, rings closed.
func (s Shape) Geometry() orb.MultiPolygon {
	out := make(orb.MultiPolygon, 0, len(s))
	for _, p := range s {
		poly := make(orb.Polygon, 0, len(p))
		for _, r := range p {
			ring := make(orb.Ring, 0, len(r)+1)
			for _, q := range r {
				ring = append(ring, q.LonLat())
			}
			if len(r) > 0 {
				ring = append(ring, r[0].LonLat())
			}
			poly = append(poly, ring)
		}
		out = append(out, poly)
	}
	return out
}

// Vertices counts the points of all rings.
func (s Shape) Vertices() int {
	n := 0
	for _, p := range s {
		for _, r := range p {
			n += len(r)
		}
	}
	return n
}

// Clone copies a shape to the last point.
func (s Shape) Clone() Shape {
	if s == nil {
		return nil
	}
	out := make(Shape, len(s))
	for i, p := range s {
		out[i] = make(Polygon, len(p))
		for j, r := range p {
			out[i][j] = slices.Clone(r)
		}
	}
	return out
}

// Equal says whether two shapes are the same points in the same order.
func (s Shape) Equal(o Shape) bool {
	return slices.EqualFunc(s, o, func(a, b Polygon) bool {
		return slices.EqualFunc(a, b, slices.Equal[Ring])
	})
}

// Valid lists what keeps a shape from being simple polygons, at most a hundred faults.
// None means: every ring is simple and passes no point twice, rings meet at common
// vertices only and never along an edge, shells run counter-clockwise and holes
// clockwise, holes lie in their shells and polygons apart, and the inside of each
// polygon hangs together. So a coverage may build on the edges alone.
func (s Shape) Valid() []Violation {
	n := 0
	var out []Violation
	for _, poly := range s {
		if len(poly) == 0 {
			return []Violation{{Code: Degenerate}}
		}
		for _, r := range poly {
			n += len(r)
			out = append(out, r.faults()...)
		}
	}
	if n > MaxImported {
		return []Violation{{Code: TooManyVertices, At: s[0][0][0]}}
	}
	if n == 0 {
		return []Violation{{Code: Degenerate}}
	}
	if len(out) > 0 {
		return cut(out)
	}
	if out = s.crossings(); len(out) > 0 {
		return out
	}
	// After the crossings: the two halves of a bow-tie cancel out, and what is wrong with it
	// is where it crosses itself.
	for _, poly := range s {
		for _, r := range poly {
			if area2(r).sign() == 0 {
				return []Violation{{Code: Degenerate, At: r[0]}}
			}
		}
	}
	if len(s) == 1 && len(s[0]) == 1 && !s[0][0].repeats() {
		if area2(s[0][0]).sign() <= 0 {
			return []Violation{{Code: Degenerate, At: s[0][0][0]}}
		}
		return nil
	}
	return s.nesting()
}

// cut keeps the first hundred.
func cut(v []Violation) []Violation {
	if len(v) > maxListed {
		v = v[:maxListed]
	}
	return v
}

// faults are those a ring shows point by point: too few points, repeated points, spikes,
// off the Earth.
func (r Ring) faults() []Violation {
	var out []Violation
	bad := func(code Code, p Point, line ...Point) {
		if len(out) < maxListed {
			out = append(out, Violation{Code: code, At: p, Line: line})
		}
	}
	if len(r) < 3 {
		v := Violation{Code: Degenerate}
		if len(r) > 0 {
			v.At = r[0]
		}
		return []Violation{v}
	}
	n := len(r)
	for i, p := range r {
		a, b := r[(i+n-1)%n], r[(i+1)%n]
		switch {
		case abs(p.X) > 180*Scale || abs(p.Y) > 90*Scale:
			bad(OutsideArea, p)
		case p == b:
			bad(Degenerate, p)
		case a == b || orient(a, p, b) == 0 && dotSign(p, a, b) > 0:
			bad(Degenerate, p, a, p, b)
		}
	}
	return out
}

func (r Ring) repeats() bool {
	seen := make(map[Point]struct{}, len(r))
	for _, p := range r {
		if _, ok := seen[p]; ok {
			return true
		}
		seen[p] = struct{}{}
	}
	return false
}

// crossings are the places where edges meet otherwise than at their ends.
func (s Shape) crossings() []Violation {
	segs := s.segments()
	var out []Violation
	seen := make(map[link]bool, len(segs))
	for _, e := range segs {
		l := link{e.a, e.b}
		if seen[l] || seen[l.back()] {
			out = append(out, Violation{Code: SelfIntersection, At: e.a, Line: []Point{e.a, e.b}})
			if len(out) == maxListed {
				return out
			}
		}
		seen[l] = true
	}
	sweepPairs(segs, nil, func(a, b seg) bool {
		if m := meet(a, b); m.any() {
			out = append(out, Violation{Code: SelfIntersection, At: m.place(a, b), Line: []Point{a.a, a.b}})
		}
		return len(out) < maxListed
	})
	return out
}

func (s Shape) segments() []seg {
	segs := make([]seg, 0, s.Vertices())
	s.links(func(l link) { segs = append(segs, seg{l.a, l.b, int32(len(segs))}) })
	return segs
}

// nesting compares the rings with those the faces give.
func (s Shape) nesting() []Violation {
	edges := make([]labelled, 0, s.Vertices())
	s.links(func(l link) { edges = append(edges, labelled{l, 0}) })
	a := arrange(edges)
	for v, list := range a.values {
		if v == 0 || len(list) == 1 && list[0].n == 1 {
			continue
		}
		// Somewhere it lies on itself, or outside is inside: a ring in the wrong place or direction.
		for c, val := range a.value {
			if val == int32(v) {
				return []Violation{{Code: SelfIntersection, At: a.pts[a.from(a.faces[c])]}}
			}
		}
	}
	right, err := a.dissolve(func(val int32) bool { return val != 0 })
	if err != nil {
		return []Violation{{Code: SelfIntersection, At: s[0][0][0]}}
	}
	if p, ok := sameRings(s, right); !ok {
		return []Violation{{Code: SelfIntersection, At: p}}
	}
	return nil
}

// sameRings says whether two shapes have the same polygons whatever their order, and
// where not.
func sameRings(s, right Shape) (Point, bool) {
	c := s.Clone()
	for _, p := range c {
		for i, r := range p {
			p[i] = canonical(r)
		}
	}
	c.sort()
	if c.Equal(right) {
		return Point{}, true
	}
	for i, p := range c {
		if i >= len(right) || !slices.EqualFunc(p, right[i], slices.Equal[Ring]) {
			return p[0][0], false
		}
	}
	return c[0][0][0], false
}
