package coverage

import (
	"container/heap"
	"slices"
)

// Arcs are the borders of a coverage, each once: maximal chains between the nodes where
// other than two edges meet. Rings without such a node are closed arcs.
type Arcs struct {
	chains [][]Point // closed arcs repeat their first point at the end
	rings  []arcRing
	ids    []ID
	users  [][]ID // by arc
	full   bool   // the plan is exhaustive: valid zones whose borders cancel are a proof
}

// arcRing is a ring as arcs: index, or ^index for the way back.
type arcRing struct {
	id   ID
	poly int
	arcs []int32
}

// BuildArcs cuts the borders of all zones (and of the area) into arcs.
func BuildArcs(c *Coverage) *Arcs {
	a := &Arcs{ids: c.ids(), full: c.exhaustive()}
	// The neighbours of every point; a third makes it a node.
	type beside struct {
		p [2]Point
		n int8
	}
	near := map[Point]beside{}
	note := func(p, q Point) {
		b := near[p]
		for i := range min(b.n, 2) {
			if b.p[i] == q {
				return
			}
		}
		if b.n < 2 {
			b.p[b.n] = q
		}
		if b.n < 3 {
			b.n++
		}
		near[p] = b
	}
	each := func(l link) { note(l.a, l.b); note(l.b, l.a) }
	for _, s := range c.Zones {
		s.links(each)
	}
	c.Area.links(each)
	node := func(p Point) bool { return near[p].n != 2 }
	known := map[link]int32{} // first edge of an arc, either way -> reference
	add := func(id ID, chain []Point) int32 {
		first := link{chain[0], chain[1]}
		if ref, ok := known[first]; ok {
			a.use(ref, id)
			return ref
		}
		ref := int32(len(a.chains))
		a.chains = append(a.chains, chain)
		a.users = append(a.users, []ID{id})
		known[first] = ref
		known[link{chain[len(chain)-1], chain[len(chain)-2]}] = ^ref
		return ref
	}
	for _, id := range a.ids {
		for i, poly := range c.Zones[id] {
			for _, r := range poly {
				ring := arcRing{id: id, poly: i}
				start := slices.IndexFunc(r, node)
				if start < 0 {
					r = canonical(r)
					ring.arcs = []int32{add(id, append(slices.Clone(r), r[0]))}
					a.rings = append(a.rings, ring)
					continue
				}
				n := len(r)
				chain := []Point{r[start]}
				for k := 1; k <= n; k++ {
					p := r[(start+k)%n]
					chain = append(chain, p)
					if node(p) {
						ring.arcs = append(ring.arcs, add(id, chain))
						chain = []Point{p}
					}
				}
				a.rings = append(a.rings, ring)
			}
		}
	}
	return a
}

func (a *Arcs) use(ref int32, id ID) {
	if ref < 0 {
		ref = ^ref
	}
	if !slices.Contains(a.users[ref], id) {
		a.users[ref] = append(a.users[ref], id)
	}
}

// Len is how many arcs there are.
func (a *Arcs) Len() int { return len(a.chains) }

// Simplify thins every border once, so that both neighbours keep the same line: points
// that span the least area with their neighbours go first (Visvalingam), down to the
// square of the tolerance. Ends stay. Where thin lines would cross, touch or swallow one
// another, the arcs concerned keep more points; the answer is a coverage as the input is.
func (a *Arcs) Simplify(toleranceDeg float64) map[ID]Shape {
	limit := toleranceDeg * Scale
	limit *= limit
	limits := make([]float64, len(a.chains))
	lines := make([][]Point, len(a.chains))
	for i, c := range a.chains {
		limits[i] = limit
		lines[i] = thin(c, limit)
	}
	// Whoever is in the way keeps more: a quarter of the tolerance, and so on, then all.
	more := func(arcs map[int32]bool) {
		for i := range arcs {
			limits[i] /= 16
			if limits[i] < limit/20_000 {
				limits[i] = 0
			}
			lines[i] = thin(a.chains[i], limits[i])
		}
	}
	for {
		hit := a.crossing(lines)
		if len(hit) == 0 {
			out := a.build(lines)
			faulty := map[ID]bool{}
			for id, s := range out {
				if len(s.Valid()) > 0 {
					faulty[id] = true
				}
			}
			if len(faulty) == 0 && !a.full {
				// A line may have passed over a whole zone without crossing anything.
				for _, v := range (&Coverage{Zones: out}).faults(nil, nil) {
					for _, id := range v.Zones {
						faulty[id] = true
					}
				}
			}
			if len(faulty) > 0 {
				for i, users := range a.users {
					if len(lines[i]) < len(a.chains[i]) && slices.ContainsFunc(users, func(id ID) bool { return faulty[id] }) {
						hit[int32(i)] = true
					}
				}
			}
			if len(hit) == 0 {
				return out
			}
		}
		more(hit)
	}
}

// crossing are the arcs that meet another, or themselves, otherwise than at ends.
func (a *Arcs) crossing(lines [][]Point) map[int32]bool {
	var segs []seg
	hit := map[int32]bool{}
	seen := map[link]int32{}
	for i, l := range lines {
		for k := 1; k < len(l); k++ {
			segs = append(segs, seg{l[k-1], l[k], int32(i)})
			u := link{l[k-1], l[k]}.upward()
			if o, ok := seen[u]; ok {
				hit[int32(i)], hit[o] = true, true
			}
			seen[u] = int32(i)
		}
	}
	sweepPairs(segs, nil, func(x, y seg) bool {
		if meet(x, y).any() {
			hit[x.who], hit[y.who] = true, true
		}
		return true
	})
	// Only those that are thinner than they were can give way.
	for i := range hit {
		if len(lines[i]) == len(a.chains[i]) {
			delete(hit, i)
		}
	}
	return hit
}

// build makes the shapes of the lines.
func (a *Arcs) build(lines [][]Point) map[ID]Shape {
	out := make(map[ID]Shape, len(a.ids))
	for _, r := range a.rings {
		var ring Ring
		for _, ref := range r.arcs {
			var l []Point
			if ref >= 0 {
				l = lines[ref]
			} else {
				l = slices.Clone(lines[^ref])
				slices.Reverse(l)
			}
			ring = append(ring, l[:len(l)-1]...)
		}
		s := out[r.id]
		for len(s) <= r.poly {
			s = append(s, nil)
		}
		s[r.poly] = append(s[r.poly], ring)
		out[r.id] = s
	}
	return out
}

// thin leaves the points that span at least limit (twice the triangle's area in steps of
// the grid squared) with their neighbours, taking the least away first. Ends stay; a
// closed line keeps three points that span an area.
func thin(c []Point, limit float64) []Point {
	least := 2
	if c[0] == c[len(c)-1] {
		least = 4
	}
	if limit <= 0 || len(c) <= least {
		return c
	}
	n := len(c)
	prev, next := make([]int, n), make([]int, n)
	h := &corners{at: make([]int, n)}
	for i := range c {
		prev[i], next[i] = i-1, i+1
		h.at[i] = -1
	}
	size := func(i int) float64 {
		p := c[i]
		u, v := c[prev[i]], c[next[i]]
		f := cross(u.X-p.X, u.Y-p.Y, v.X-p.X, v.Y-p.Y).float()
		return max(f, -f)
	}
	for i := 1; i < n-1; i++ {
		h.list = append(h.list, corner{i, size(i)})
		h.at[i] = i - 1
	}
	heap.Init(h)
	left := n
	gone := make([]bool, n)
	for len(h.list) > 0 && left > least && h.list[0].size < limit {
		top := heap.Pop(h).(corner)
		i := top.i
		gone[i] = true
		left--
		p, q := prev[i], next[i]
		next[p], prev[q] = q, p
		for _, k := range [2]int{p, q} {
			if j := h.at[k]; j >= 0 {
				// Never less than what went before it, so that the order is one of tolerance.
				h.list[j].size = max(size(k), top.size)
				heap.Fix(h, j)
			}
		}
	}
	out := make([]Point, 0, left)
	for i, p := range c {
		if !gone[i] {
			out = append(out, p)
		}
	}
	if least == 4 && area2(out[:len(out)-1]).sign() == 0 {
		return c
	}
	return out
}

// corners is a heap of points by the area they span.
type corners struct {
	list []corner
	at   []int // by point: place in list, -1 when out
}

type corner struct {
	i    int
	size float64
}

func (h *corners) Len() int { return len(h.list) }
func (h *corners) Less(a, b int) bool {
	return h.list[a].size < h.list[b].size || h.list[a].size == h.list[b].size && h.list[a].i < h.list[b].i
}
func (h *corners) Swap(a, b int) {
	h.list[a], h.list[b] = h.list[b], h.list[a]
	h.at[h.list[a].i], h.at[h.list[b].i] = a, b
}
func (h *corners) Push(x any) {
	h.at[x.(corner).i] = len(h.list)
	h.list = append(h.list, x.(corner))
}
func (h *corners) Pop() any {
	c := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	h.at[c.i] = -1
	return c
}

// Thin is a shape with fewer points, for a look at it: every ring by itself, so borders
// of neighbours need not agree.
func (s Shape) Thin(toleranceDeg float64) Shape {
	limit := toleranceDeg * Scale
	limit *= limit
	var out Shape
	for _, p := range s {
		var poly Polygon
		for i, r := range p {
			t := thin(append(slices.Clone(r), r[0]), limit)
			t = t[:len(t)-1]
			if i > 0 && abs2(area2(t)).float() < limit {
				continue // a hole that cannot be seen
			}
			poly = append(poly, t)
		}
		out = append(out, poly)
	}
	return out
}
