package geo

import (
	"fmt"
	"sort"

	"github.com/paulmach/orb"
)

// MaxRepairCrossings is the number of crossings up to which structure repair
// may run in PostGIS. Beyond it a repair overran its timeout, and the linework
// repair crashed the server.
const MaxRepairCrossings = 2_000

// sweepBudget bounds the pair tests of one sweep (well under a second). A shape
// that needs more is reported as too complex rather than waited for.
const sweepBudget = 30_000_000

// Crossings is the outcome of [CountCrossings].
type Crossings struct {
	Count   int       // pairs of edges that cross, touch in their middle or overlap
	Stopped bool      // the limit or the budget was reached; Count is a lower bound
	First   orb.Point // one place, if Count > 0
}

// CountCrossings counts pairs of ring edges of g that meet where they must not,
// and stops at limit. Lines and points have none: they may cross themselves.
func CountCrossings(g orb.Geometry, limit int) Crossings {
	var out Crossings
	edges := ringEdges(g)
	done := sweep(edges, sweepBudget, func(a, b edge, m meeting, at orb.Point) bool {
		if !forbidden(edges, a, b, m, at) {
			return true
		}
		if out.Count == 0 {
			out.First = at
		}
		out.Count++
		return out.Count < limit
	})
	out.Stopped = !done
	return out
}

// Check tells why PostGIS would call g invalid, with the place, or nil. It finds
// self-intersections, overlapping edges, holes outside their shell or inside one
// another, shells inside shells, doubled rings, open and short rings, positions
// outside the envelope. Interiors cut in two by touching rings are left to
// ST_IsValid, which stays the authority.
func Check(g orb.Geometry) *Fault { return check(g, "") }

func check(g orb.Geometry, path string) *Fault {
	if at, ok := InEnvelope(g); !ok {
		return faultAt(CodeEnvelope, path, at, "outside ±180/±90 or not a number")
	}
	switch g := g.(type) {
	case nil:
		return &Fault{Code: CodeNull, Path: path, Offset: -1}
	case Shape:
		return check(g.Geometry, path)
	case orb.Point:
		return nil
	case orb.MultiPoint:
		if len(g) == 0 {
			return &Fault{Code: CodeEmpty, Path: path, Offset: -1}
		}
		return nil
	case orb.LineString:
		return checkLine(g, path)
	case orb.MultiLineString:
		if len(g) == 0 {
			return &Fault{Code: CodeEmpty, Path: path, Offset: -1}
		}
		for i, l := range g {
			if f := checkLine(l, index(path, i)); f != nil {
				return f
			}
		}
		return nil
	case orb.Collection:
		if len(g) == 0 {
			return &Fault{Code: CodeEmpty, Path: path, Offset: -1}
		}
		for i, m := range g {
			if f := check(m, index(path, i)); f != nil {
				return f
			}
		}
		return nil
	case orb.Bound:
		return checkPolygons(orb.MultiPolygon{g.ToPolygon()}, path, false)
	case orb.Ring:
		return checkPolygons(orb.MultiPolygon{{g}}, path, false)
	case orb.Polygon:
		return checkPolygons(orb.MultiPolygon{g}, path, false)
	case orb.MultiPolygon:
		return checkPolygons(g, path, true)
	}
	return &Fault{Code: CodeType, Path: path, Offset: -1, Detail: fmt.Sprintf("%T", g)}
}

func checkLine(l orb.LineString, path string) *Fault {
	if len(l) == 0 {
		return &Fault{Code: CodeEmpty, Path: path, Offset: -1}
	}
	if distinct(l, 2) < 2 {
		return faultAt(CodeShortLine, path, l[0], "a line needs two different positions")
	}
	return nil
}

func checkPolygons(mp orb.MultiPolygon, path string, multi bool) *Fault {
	ringPath := func(poly, ring int) string {
		if multi {
			return index(index(path, poly), ring)
		}
		return index(path, ring)
	}
	if len(mp) == 0 {
		return &Fault{Code: CodeEmpty, Path: path, Offset: -1}
	}
	for i, p := range mp {
		if len(p) == 0 {
			return &Fault{Code: CodeEmpty, Path: index(path, i), Offset: -1}
		}
		for j, r := range p {
			at := ringPath(i, j)
			switch {
			case len(r) == 0:
				return &Fault{Code: CodeEmpty, Path: at, Offset: -1}
			case r[0] != r[len(r)-1]:
				return faultAt(CodeOpenRing, at, r[len(r)-1], "the first and last position differ")
			case len(r) < 4 || distinct(r, 3) < 3:
				return faultAt(CodeShortRing, at, r[0], "a ring needs three different positions")
			}
		}
	}
	var f *Fault
	edges := ringEdges(mp)
	done := sweep(edges, sweepBudget, func(a, b edge, m meeting, at orb.Point) bool {
		if !forbidden(edges, a, b, m, at) {
			return true
		}
		detail := "edges cross"
		switch {
		case a.poly == b.poly && a.ring == b.ring && m == touching:
			detail = "the ring touches itself"
		case m == overlapping:
			detail = "edges lie on one another"
		case a.poly != b.poly:
			detail = "two polygons overlap"
		case a.ring != b.ring:
			detail = "two rings cross"
		}
		f = faultAt(CodeSelfCross, ringPath(int(a.poly), int(a.ring)), at, detail)
		return false
	})
	if f != nil {
		return f
	}
	if !done {
		return faultAt(CodeTooComplex, path, mp[0][0][0], "too many edges side by side to test")
	}
	return checkNesting(mp, ringPath)
}

// checkNesting runs when no two edges cross, so a ring lies wholly inside or
// outside another, and one vertex that is not on the other's border decides.
func checkNesting(mp orb.MultiPolygon, ringPath func(int, int) string) *Fault {
	for i, p := range mp {
		shell := p[0]
		sb := shell.Bound()
		holes := make([]orb.Bound, len(p))
		order := make([]int, 0, len(p))
		for j := 1; j < len(p); j++ {
			holes[j] = p[j].Bound()
			if where := ringInRing(p[j], shell, holes[j], sb); where == outside {
				return faultAt(CodeHoleOutside, ringPath(i, j), p[j][0], "the hole lies outside its shell")
			} else if where == same {
				return faultAt(CodeDuplicateRing, ringPath(i, j), p[j][0], "the hole equals its shell")
			}
			order = append(order, j)
		}
		sort.Slice(order, func(a, b int) bool { return holes[order[a]].Min[0] < holes[order[b]].Min[0] })
		if f := nested(order, holes, func(a, b int) *Fault {
			switch ringInRing(p[a], p[b], holes[a], holes[b]) {
			case inside:
				return faultAt(CodeNestedHoles, ringPath(i, a), p[a][0], "a hole inside a hole")
			case same:
				return faultAt(CodeDuplicateRing, ringPath(i, a), p[a][0], "the same hole twice")
			}
			return nil
		}); f != nil {
			return f
		}
	}
	bounds := make([]orb.Bound, len(mp))
	order := make([]int, len(mp))
	for i, p := range mp {
		bounds[i], order[i] = p[0].Bound(), i
	}
	sort.Slice(order, func(a, b int) bool { return bounds[order[a]].Min[0] < bounds[order[b]].Min[0] })
	return nested(order, bounds, func(a, b int) *Fault {
		switch ringInRing(mp[a][0], mp[b][0], bounds[a], bounds[b]) {
		case same:
			return faultAt(CodeDuplicateRing, ringPath(a, 0), mp[a][0][0], "the same polygon twice")
		case inside:
			for j := 1; j < len(mp[b]); j++ {
				w := ringInRing(mp[a][0], mp[b][j], bounds[a], mp[b][j].Bound())
				if w == inside || w == same {
					return nil // an island in a lake
				}
			}
			return faultAt(CodeNestedShells, ringPath(a, 0), mp[a][0][0], "a polygon inside another")
		}
		return nil
	})
}

// nested calls test for ordered pairs whose bounds contain one another. order
// is sorted by the western edge.
func nested(order []int, bounds []orb.Bound, test func(in, out int) *Fault) *Fault {
	for x, a := range order {
		for _, b := range order[x+1:] {
			if bounds[b].Min[0] > bounds[a].Max[0] {
				break
			}
			if bounds[b].Min[1] > bounds[a].Max[1] || bounds[b].Max[1] < bounds[a].Min[1] {
				continue
			}
			if f := test(a, b); f != nil {
				return f
			}
			if f := test(b, a); f != nil {
				return f
			}
		}
	}
	return nil
}

type relation int

const (
	outside relation = iota
	inside
	same
)

func ringInRing(in, out orb.Ring, ib, ob orb.Bound) relation {
	if ib.Min[0] < ob.Min[0] || ib.Min[1] < ob.Min[1] || ib.Max[0] > ob.Max[0] || ib.Max[1] > ob.Max[1] {
		return outside
	}
	for _, p := range in {
		switch pointInRing(p, out) {
		case 1:
			return inside
		case -1:
			return outside
		}
	}
	// Every vertex lies on the other ring: midpoints decide, or it is the same.
	for k := 1; k < len(in); k++ {
		mid := orb.Point{(in[k-1][0] + in[k][0]) / 2, (in[k-1][1] + in[k][1]) / 2}
		if w := pointInRing(mid, out); w == 1 && orient(in[k-1], in[k], mid) == 0 {
			return inside
		} else if w == -1 && orient(in[k-1], in[k], mid) == 0 {
			return outside
		}
	}
	return same
}

// pointInRing is 1 inside, 0 on the border, -1 outside.
func pointInRing(p orb.Point, r orb.Ring) int {
	in := false
	for i := 1; i < len(r); i++ {
		a, b := r[i-1], r[i]
		if (a[1] > p[1]) == (b[1] > p[1]) {
			// No crossing of the ray; still p may lie on a horizontal edge or vertex.
			if a[1] == p[1] && b[1] == p[1] && between(a[0], b[0], p[0]) || p == a || p == b {
				return 0
			}
			continue
		}
		o := orient(a, b, p)
		if o == 0 {
			return 0
		}
		if (o > 0) == (b[1] > a[1]) {
			in = !in
		}
	}
	if in {
		return 1
	}
	return -1
}

func between(a, b, x float64) bool { return min(a, b) <= x && x <= max(a, b) }
