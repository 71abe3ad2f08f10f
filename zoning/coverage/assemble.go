package coverage

import (
	"errors"
	"slices"
)

// Here rings are made from directed edges that have the interior on their left.

var errBroken = errors.New("coverage: edges that do not close")

// link is a directed edge.
type link struct{ a, b Point }

func (l link) back() link { return link{l.b, l.a} }

// upward is the link or its way back, whichever starts at the lesser point.
func (l link) upward() link {
	if less(l.b, l.a) {
		return l.back()
	}
	return l
}

// links lists the directed edges of a shape.
func (s Shape) links(each func(link)) {
	for _, poly := range s {
		for _, r := range poly {
			for i, p := range r {
				each(link{p, r[(i+1)%len(r)]})
			}
		}
	}
}

// ring is one simple ring found by tracing, with the walk (a connected stretch of border
// of one connected interior) it belongs to.
type tracedRing struct {
	pts  Ring
	ccw  bool
	walk int
}

// assemble makes the polygons whose border the edges are. Interiors that are connected
// give one polygon; rings never pass a point twice. The edges must not cross and must
// close; where they do not, the error says so.
func assemble(edges []link) (Shape, error) {
	if len(edges) == 0 {
		return nil, nil
	}
	idx := make(map[Point]int32, len(edges))
	out := make([][]int32, 0, len(edges)) // outgoing edges by vertex
	head := make([]int32, len(edges))
	at := func(p Point) int32 {
		i, ok := idx[p]
		if !ok {
			i = int32(len(out))
			idx[p] = i
			out = append(out, nil)
		}
		return i
	}
	for i, e := range edges {
		v := at(e.a)
		out[v] = append(out[v], int32(i))
		head[i] = at(e.b)
	}
	used := make([]bool, len(edges))
	var rings []tracedRing
	walks := 0
	pos := make(map[int32]int) // vertex -> place in the stack
	var stack []int32          // edges of the walk not yet in a ring
	for start := range edges {
		if used[start] {
			continue
		}
		stack = stack[:0]
		clear(pos)
		e := int32(start)
		for {
			if used[e] {
				return nil, errBroken
			}
			used[e] = true
			pos[idx[edges[e].a]] = len(stack)
			stack = append(stack, e)
			if k, ok := pos[head[e]]; ok {
				r := make(Ring, 0, len(stack)-k)
				for _, s := range stack[k:] {
					r = append(r, edges[s].a)
					delete(pos, idx[edges[s].a])
				}
				if len(r) < 3 {
					return nil, errBroken
				}
				sign := area2(r).sign()
				if sign == 0 {
					return nil, errBroken
				}
				rings = append(rings, tracedRing{canonical(r), sign > 0, walks})
				stack = stack[:k]
			}
			next := turn(edges, out[head[e]], edges[e])
			if next < 0 {
				return nil, errBroken
			}
			if next == int32(start) {
				break
			}
			e = next
		}
		if len(stack) > 0 {
			return nil, errBroken
		}
		walks++
	}
	return group(rings, walks)
}

// turn is the outgoing edge that bounds the same interior: the first one clockwise from
// the way back.
func turn(edges []link, outs []int32, in link) int32 {
	if len(outs) == 1 {
		return outs[0]
	}
	bx, by := in.a.X-in.b.X, in.a.Y-in.b.Y
	best := int32(-1)
	for _, o := range outs {
		if best < 0 || clockwiseFirst(bx, by, edges[o].b.X-in.b.X, edges[o].b.Y-in.b.Y, edges[best].b.X-in.b.X, edges[best].b.Y-in.b.Y) {
			best = o
		}
	}
	return best
}

// clockwiseFirst says whether u comes before v when turning clockwise from base; base
// itself comes last.
func clockwiseFirst(bx, by, ux, uy, vx, vy int64) bool {
	cu, cv := compareAngle(ux, uy, bx, by), compareAngle(vx, vy, bx, by)
	// Below base in angle: met first, the greatest angle before. Then the others from the top.
	if (cu < 0) != (cv < 0) {
		return cu < 0
	}
	return compareAngle(ux, uy, vx, vy) > 0
}

// canonical turns a ring so that it starts at its least point.
func canonical(r Ring) Ring {
	least := 0
	for i, p := range r {
		if less(p, r[least]) {
			least = i
		}
	}
	return slices.Concat(r[least:], r[:least])
}

// group puts holes into their shells.
func group(rings []tracedRing, walks int) (Shape, error) {
	shell := make([]int, walks) // by walk: place in the answer, -1 where there is only a hole
	for i := range shell {
		shell[i] = -1
	}
	var out Shape
	var order []int
	for i, r := range rings {
		if r.ccw {
			if shell[r.walk] >= 0 {
				return nil, errBroken
			}
			shell[r.walk] = len(out)
			out = append(out, Polygon{r.pts})
		} else {
			order = append(order, i)
		}
	}
	var strips *below
	// From the left: what lies below the left end of a hole is settled before it.
	slices.SortFunc(order, func(a, b int) int { return comparePoints(rings[a].pts[0], rings[b].pts[0]) })
	least := make(map[int]Point) // least point of a walk without a shell
	for _, i := range order {
		if w := rings[i].walk; shell[w] < 0 {
			if p, ok := least[w]; !ok || less(rings[i].pts[0], p) {
				least[w] = rings[i].pts[0]
			}
		}
	}
	for _, i := range order {
		r := rings[i]
		if shell[r.walk] < 0 {
			if strips == nil {
				strips = newBelow(func(add func(a, b Point, id int32)) {
					for _, o := range rings {
						for k, p := range o.pts {
							add(p, o.pts[(k+1)%len(o.pts)], int32(o.walk))
						}
					}
				})
			}
			id, east, ok := strips.find(least[r.walk])
			// The interior is above the edge when the edge runs east.
			if !ok || !east || shell[id] < 0 {
				return nil, errBroken
			}
			shell[r.walk] = shell[id]
		}
	}
	for _, i := range order {
		s := shell[rings[i].walk]
		out[s] = append(out[s], rings[i].pts)
	}
	out.sort()
	return out, nil
}

// sort brings polygons and holes into one order, so that equal shapes are equal bits.
func (s Shape) sort() {
	for _, p := range s {
		slices.SortFunc(p[1:], func(a, b Ring) int { return comparePoints(a[0], b[0]) })
	}
	slices.SortFunc(s, func(a, b Polygon) int {
		if c := comparePoints(a[0][0], b[0][0]); c != 0 {
			return c
		}
		return slices.CompareFunc(a[0], b[0], comparePoints)
	})
}

// below answers which edge lies next below a point, just left of it.
type below struct {
	edges  []belowEdge
	strips [][]int32
	lo     int64
	width  int64
}

type belowEdge struct {
	l, r Point // l is west of r
	id   int32
	east bool // it ran from l to r
}

func newBelow(list func(add func(a, b Point, id int32))) *below {
	t := &below{}
	var lo, hi int64
	list(func(a, b Point, id int32) {
		if a.X == b.X {
			return
		}
		e := belowEdge{a, b, id, true}
		if a.X > b.X {
			e = belowEdge{b, a, id, false}
		}
		if len(t.edges) == 0 {
			lo, hi = e.l.X, e.r.X
		}
		lo, hi = min(lo, e.l.X), max(hi, e.r.X)
		t.edges = append(t.edges, e)
	})
	n := max(1, len(t.edges)/4)
	t.lo, t.width = lo, (hi-lo)/int64(n)+1
	t.strips = make([][]int32, n+1)
	for i, e := range t.edges {
		for k := (e.l.X - lo) / t.width; k <= (e.r.X-lo)/t.width; k++ {
			t.strips[k] = append(t.strips[k], int32(i))
		}
	}
	return t
}

// find gives the edge below p at a hair left of it, and whether it ran east. Edges that
// pass through p are not below it.
func (t *below) find(p Point) (id int32, east, ok bool) {
	k := (p.X - t.lo) / t.width
	if len(t.edges) == 0 || p.X < t.lo || k >= int64(len(t.strips)) {
		return 0, false, false
	}
	best := int32(-1)
	for _, i := range t.strips[k] {
		e := t.edges[i]
		if p.X <= e.l.X || p.X > e.r.X || orient(e.l, e.r, p) <= 0 {
			continue
		}
		if best < 0 || higher(e, t.edges[best]) {
			best = i
		}
	}
	if best < 0 {
		return 0, false, false
	}
	return t.edges[best].id, t.edges[best].east, true
}

// higher says whether e lies above o where both are; they do not cross.
func higher(e, o belowEdge) bool {
	if o.l.X <= e.l.X {
		if s := orient(o.l, o.r, e.l); s != 0 {
			return s > 0
		}
		return orient(o.l, o.r, e.r) > 0
	}
	if s := orient(e.l, e.r, o.l); s != 0 {
		return s < 0
	}
	return orient(e.l, e.r, o.r) < 0
}
