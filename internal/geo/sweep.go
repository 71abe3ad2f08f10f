package geo

import (
	"math"
	"math/big"
	"slices"

	"github.com/paulmach/orb"
)

// Here is the sweep over edges and its exact arithmetic: where two edges meet, and
// on which side of a line a point lies.

type edge struct {
	a, b       orb.Point // a is the western end (southern where vertical)
	poly, ring int32
	seq, n     int32 // place in its ring, edges in the ring
	base       int32 // index of the ring's first edge
}

// neighbours reports whether the edges follow one another in one ring.
func (e edge) neighbours(o edge) bool {
	if e.poly != o.poly || e.ring != o.ring {
		return false
	}
	d := e.seq - o.seq
	if d < 0 {
		d = -d
	}
	return d == 1 || d == e.n-1
}

// ringEdges lists the edges of all rings; positions repeated in a row, which
// are legal, give none.
func ringEdges(g orb.Geometry) []edge {
	var out []edge
	add := func(r orb.Ring, poly, ring int) {
		start := len(out)
		for i := 1; i < len(r); i++ {
			a, b := r[i-1], r[i]
			if a == b {
				continue
			}
			if a[0] > b[0] || (a[0] == b[0] && a[1] > b[1]) {
				a, b = b, a
			}
			out = append(out, edge{a: a, b: b, poly: int32(poly), ring: int32(ring), seq: int32(len(out) - start), base: int32(start)})
		}
		n := int32(len(out) - start)
		for i := start; i < len(out); i++ {
			out[i].n = n
		}
	}
	var walk func(g orb.Geometry, poly int) int
	walk = func(g orb.Geometry, poly int) int {
		switch g := g.(type) {
		case Shape:
			return walk(g.Geometry, poly)
		case orb.Ring:
			add(g, poly, 0)
			return poly + 1
		case orb.Polygon:
			for j, r := range g {
				add(r, poly, j)
			}
			return poly + 1
		case orb.MultiPolygon:
			for _, p := range g {
				poly = walk(p, poly)
			}
		case orb.Collection:
			for _, m := range g {
				poly = walk(m, poly)
			}
		}
		return poly
	}
	walk(g, 0)
	return out
}

type meeting int

const (
	apart       meeting = iota
	crossing            // in the middle of both
	touching            // an end of one on the other
	overlapping         // along a stretch
)

// forbidden tells whether two edges may not meet like this: neighbours share
// their common end, and different rings may touch in a point, but not pass through
// one another there.
func forbidden(edges []edge, a, b edge, m meeting, at orb.Point) bool {
	switch m {
	case crossing, overlapping:
		return true
	case touching:
		if a.poly == b.poly && a.ring == b.ring {
			return !a.neighbours(b)
		}
		a1, a2 := around(edges, a, at)
		b1, b2 := around(edges, b, at)
		return inSector(at, a1, a2, b1) != inSector(at, a1, a2, b2)
	}
	return false
}

// around gives the positions before and after p on the ring of e, which holds p.
func around(edges []edge, e edge, p orb.Point) (orb.Point, orb.Point) {
	other := func(e edge) orb.Point {
		if e.a == p {
			return e.b
		}
		return e.a
	}
	if e.a != p && e.b != p {
		return e.a, e.b
	}
	next := edges[e.base+(e.seq+1)%e.n]
	if next.a != p && next.b != p || e.n == 2 {
		next = edges[e.base+(e.seq+e.n-1)%e.n]
	}
	return other(e), other(next)
}

// inSector reports whether the ray p-q runs inside the sector that opens
// counter-clockwise from p-a to p-b.
func inSector(p, a, b, q orb.Point) bool {
	switch orient(p, a, b) {
	case 1:
		return orient(p, a, q) > 0 && orient(p, q, b) > 0
	case -1:
		return !(orient(p, b, q) > 0 && orient(p, q, a) > 0)
	}
	return orient(p, a, q) > 0
}

// sweep calls found for every pair of edges that meet, until it returns false,
// and answers whether it came to the end: not if it was stopped or ran out of
// budget. The plane is cut into strips along the axis on which the edges are
// shorter in sum, as many as keep the list of edges per strip within three times
// their number; inside a strip a line moves along the other axis. Shapes as
// surveys have them cost about n log n, a comb of long teeth its budget.
func sweep(edges []edge, budget int, found func(a, b edge, m meeting, at orb.Point) bool) bool {
	if len(edges) < 2 {
		return true
	}
	lo := orb.Point{math.Inf(1), math.Inf(1)}
	hi := orb.Point{math.Inf(-1), math.Inf(-1)}
	var sum orb.Point
	for _, e := range edges {
		for k := range 2 {
			a, b := min(e.a[k], e.b[k]), max(e.a[k], e.b[k])
			lo[k], hi[k] = min(lo[k], a), max(hi[k], b)
			sum[k] += b - a
		}
	}
	k := 0 // the axis cut into strips
	if sum[1]*(hi[0]-lo[0]) < sum[0]*(hi[1]-lo[1]) {
		k = 1
	}
	strips := 1
	if extent := hi[k] - lo[k]; extent > 0 {
		most := float64(len(edges)/8 + 1)
		strips = int(max(1, min(most, 2*float64(len(edges))*extent/(sum[k]+extent/most))))
	}
	scale := 0.0
	if extent := hi[k] - lo[k]; extent > 0 {
		scale = float64(strips) / extent
	}
	strip := func(v float64) int { return max(0, min(strips-1, int((v-lo[k])*scale))) }

	type item struct {
		lo, hi, lo2, hi2 float64
		i                int32
		first            int32 // the first strip of the edge
	}
	start := make([]int, strips+1)
	for _, e := range edges {
		for s := strip(min(e.a[k], e.b[k])); s <= strip(max(e.a[k], e.b[k])); s++ {
			start[s+1]++
		}
	}
	for s := range strips {
		start[s+1] += start[s]
	}
	items := make([]item, start[strips])
	fill := slices.Clone(start)
	for i, e := range edges {
		it := item{
			lo: min(e.a[1-k], e.b[1-k]), hi: max(e.a[1-k], e.b[1-k]),
			lo2: min(e.a[k], e.b[k]), hi2: max(e.a[k], e.b[k]), i: int32(i),
		}
		it.first = int32(strip(it.lo2))
		for s := int(it.first); s <= strip(it.hi2); s++ {
			items[fill[s]] = it
			fill[s]++
		}
	}
	active := make([]item, 0, 64)
	for s := range strips {
		in := items[start[s]:start[s+1]]
		slices.SortFunc(in, func(a, b item) int {
			switch {
			case a.lo < b.lo:
				return -1
			case a.lo > b.lo:
				return 1
			}
			return int(a.i - b.i)
		})
		active = active[:0]
		for _, e := range in {
			if budget -= len(active); budget < 0 {
				return false
			}
			keep := active[:0]
			for _, o := range active {
				if o.hi < e.lo {
					continue
				}
				keep = append(keep, o)
				// A pair that shares several strips is looked at in the first of them.
				if o.hi2 < e.lo2 || o.lo2 > e.hi2 || int(max(o.first, e.first)) != s {
					continue
				}
				a, b := edges[o.i], edges[e.i]
				if m, at := meet(a, b); m != apart && !found(a, b, m, at) {
					return false
				}
			}
			active = append(keep, e)
		}
	}
	return true
}

// meet tells exactly how two edges meet.
func meet(p, q edge) (meeting, orb.Point) {
	o1, o2 := orient(p.a, p.b, q.a), orient(p.a, p.b, q.b)
	if o1 == o2 && o1 != 0 {
		return apart, orb.Point{}
	}
	o3, o4 := orient(q.a, q.b, p.a), orient(q.a, q.b, p.b)
	if o3 == o4 && o3 != 0 {
		return apart, orb.Point{}
	}
	if o1 == 0 && o2 == 0 { // on one line
		// Ends are ordered west to east, so comparing (x, y) orders along the line.
		lo, hi := p.a, p.b
		if less(lo, q.a) {
			lo = q.a
		}
		if less(q.b, hi) {
			hi = q.b
		}
		switch {
		case less(hi, lo):
			return apart, orb.Point{}
		case hi == lo:
			return touching, lo
		}
		return overlapping, lo
	}
	switch {
	case o1 == 0:
		return touching, q.a
	case o2 == 0:
		return touching, q.b
	case o3 == 0:
		return touching, p.a
	case o4 == 0:
		return touching, p.b
	}
	return crossing, crossPoint(p, q)
}

func less(a, b orb.Point) bool { return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]) }

func crossPoint(p, q edge) orb.Point {
	d := (p.b[0]-p.a[0])*(q.b[1]-q.a[1]) - (p.b[1]-p.a[1])*(q.b[0]-q.a[0])
	if d == 0 {
		return q.a
	}
	t := ((q.a[0]-p.a[0])*(q.b[1]-q.a[1]) - (q.a[1]-p.a[1])*(q.b[0]-q.a[0])) / d
	t = max(0, min(1, t))
	return orb.Point{p.a[0] + t*(p.b[0]-p.a[0]), p.a[1] + t*(p.b[1]-p.a[1])}
}

// orient is the exact sign of the turn a-b-c: 1 left, -1 right, 0 straight. The
// float result is taken where its error bound allows, else big arithmetic.
func orient(a, b, c orb.Point) int {
	if c == a || c == b { // neighbours share an end: the usual exact case
		return 0
	}
	l := (b[0] - a[0]) * (c[1] - a[1])
	r := (b[1] - a[1]) * (c[0] - a[0])
	det := l - r
	// 4 ulp of the summands: Shewchuk's first bound, rounded up.
	if bound := 4.5e-16 * (math.Abs(l) + math.Abs(r)); det > bound {
		return 1
	} else if det < -bound {
		return -1
	} else if l == 0 && r == 0 && exactZero(a, b, c) {
		return 0
	}
	return orientExact(a, b, c)
}

// exactZero is true where both products vanish because a difference is exactly
// zero, the common case of axis-parallel edges and shared ends.
func exactZero(a, b, c orb.Point) bool {
	return (b[0] == a[0] || c[1] == a[1]) && (b[1] == a[1] || c[0] == a[0])
}

func orientExact(a, b, c orb.Point) int {
	f := func(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }
	sub := func(x, y float64) *big.Rat { return new(big.Rat).Sub(f(x), f(y)) }
	l := new(big.Rat).Mul(sub(b[0], a[0]), sub(c[1], a[1]))
	r := new(big.Rat).Mul(sub(b[1], a[1]), sub(c[0], a[0]))
	return l.Cmp(r)
}
