package coverage

import (
	"encoding/binary"
	"slices"
)

// arrangement is the faces that noded lines cut the plane into, each with how often each
// label covers it. Labels are small numbers of the caller: zones, a new shape, the area.
type arrangement struct {
	pts   []Point
	ends  [][2]int32 // of the undirected edges: vertices, the first is the lesser point
	uses  [][]use    // by edge: what is left of it (seen from first to second) more often than right
	next  []int32    // by half-edge (2·edge, +1 for the way back): the next one around its face
	cycle []int32    // by half-edge
	value []int32    // by cycle: index into values
	// values are the different coverings, each sorted by label. The first is the empty one.
	values [][]use
	intern map[string]int32
	faces  []int32 // by cycle: its first half-edge
	// around is, for the outer border of a connected piece of linework, a cycle of the face
	// it lies in, or outermost; -1 for other cycles.
	around []int32
}

const outermost = -2

// use is a label and how often.
type use struct{ label, n int32 }

// labelled is a directed edge with the label that lies on its left. Label -1 is a line
// that bounds nothing.
type labelled struct {
	link
	label int32
}

// arrange builds the faces of edges that meet at their ends only.
func arrange(edges []labelled) *arrangement {
	a := &arrangement{intern: map[string]int32{"": 0}, values: [][]use{nil}}
	idx := make(map[Point]int32, len(edges))
	at := func(p Point) int32 {
		i, ok := idx[p]
		if !ok {
			i = int32(len(a.pts))
			idx[p] = i
			a.pts = append(a.pts, p)
		}
		return i
	}
	byEnds := make(map[[2]int32]int32, len(edges))
	for _, e := range edges {
		n := int32(1)
		u, v := e.a, e.b
		if less(v, u) {
			u, v, n = v, u, -1
		}
		k := [2]int32{at(u), at(v)}
		i, ok := byEnds[k]
		if !ok {
			i = int32(len(a.ends))
			byEnds[k] = i
			a.ends = append(a.ends, k)
			a.uses = append(a.uses, nil)
		}
		if e.label >= 0 {
			a.uses[i] = added(a.uses[i], e.label, n)
		}
	}
	a.link()
	a.label()
	return a
}

// added counts n more of a label in a sorted list.
func added(list []use, label, n int32) []use {
	for i, u := range list {
		if u.label == label {
			if u.n+n == 0 {
				return slices.Delete(slices.Clone(list), i, i+1)
			}
			list = slices.Clone(list)
			list[i].n += n
			return list
		}
		if u.label > label {
			return slices.Insert(slices.Clone(list), i, use{label, n})
		}
	}
	return append(slices.Clip(list), use{label, n})
}

func (a *arrangement) from(h int32) int32 { return a.ends[h>>1][h&1] }
func (a *arrangement) to(h int32) int32   { return a.ends[h>>1][1-h&1] }
func (a *arrangement) edge(h int32) link  { return link{a.pts[a.from(h)], a.pts[a.to(h)]} }

// link finds what follows each half-edge around its face, the face on the left.
func (a *arrangement) link() {
	n := int32(2 * len(a.ends))
	outs := make([][]int32, len(a.pts))
	for h := range n {
		v := a.from(h)
		outs[v] = append(outs[v], h)
	}
	a.next = make([]int32, n)
	for v, list := range outs {
		p := a.pts[v]
		if len(list) > 1 {
			slices.SortFunc(list, func(x, y int32) int {
				u, w := a.pts[a.to(x)], a.pts[a.to(y)]
				return compareAngle(u.X-p.X, u.Y-p.Y, w.X-p.X, w.Y-p.Y)
			})
		}
		// Arriving by the way back of list[i], the face on the left goes on with the next
		// one clockwise.
		for i, h := range list {
			a.next[h^1] = list[(i+len(list)-1)%len(list)]
		}
	}
	a.cycle = make([]int32, n)
	for h := range a.cycle {
		a.cycle[h] = -1
	}
	for h := range n {
		if a.cycle[h] >= 0 {
			continue
		}
		c := int32(len(a.faces))
		a.faces = append(a.faces, h)
		for k := h; a.cycle[k] < 0; k = a.next[k] {
			a.cycle[k] = c
		}
	}
}

// walk lists the half-edges of a cycle.
func (a *arrangement) walk(c int32, each func(h int32)) {
	first := a.faces[c]
	for h := first; ; {
		each(h)
		if h = a.next[h]; h == first {
			return
		}
	}
}

// label gives every cycle its covering: from nothing outside, edge by edge.
func (a *arrangement) label() {
	a.value = make([]int32, len(a.faces))
	a.around = make([]int32, len(a.faces))
	for i := range a.value {
		a.value[i], a.around[i] = -1, -1
	}
	// The western end of every connected piece of linework, from the west.
	comp := make([]int32, len(a.pts))
	for i := range comp {
		comp[i] = -1
	}
	outs := make([]int32, len(a.pts)) // one half-edge that leaves the vertex
	first := make([][]int32, len(a.pts))
	for e, k := range a.ends {
		outs[k[0]], outs[k[1]] = int32(2*e), int32(2*e+1)
		first[k[0]] = append(first[k[0]], k[1])
		first[k[1]] = append(first[k[1]], k[0])
	}
	var west []int32
	var stack []int32
	for v := range a.pts {
		if comp[v] >= 0 {
			continue
		}
		c := int32(len(west))
		least := int32(v)
		comp[v] = c
		stack = append(stack[:0], int32(v))
		for len(stack) > 0 {
			u := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if less(a.pts[u], a.pts[least]) {
				least = u
			}
			for _, w := range first[u] {
				if comp[w] < 0 {
					comp[w] = c
					stack = append(stack, w)
				}
			}
		}
		west = append(west, least)
	}
	slices.SortFunc(west, func(x, y int32) int { return comparePoints(a.pts[x], a.pts[y]) })
	var strips *below
	if len(west) > 1 {
		strips = newBelow(func(add func(x, y Point, id int32)) {
			for e, k := range a.ends {
				add(a.pts[k[0]], a.pts[k[1]], int32(e))
			}
		})
	}
	var queue []int32
	for _, v := range west {
		// The face around the western end: left of the half-edge that leaves it last,
		// counting counter-clockwise from the south.
		h := a.outerAt(v, outs[v])
		val := int32(0)
		a.around[a.cycle[h]] = outermost
		if strips != nil {
			if e, _, ok := strips.find(a.pts[v]); ok {
				// ends[e][0] is west, so half-edge 2e runs east and has above on its left.
				val = a.value[a.cycle[2*e]]
				a.around[a.cycle[h]] = a.cycle[2*e]
			}
		}
		a.value[a.cycle[h]] = val
		queue = append(queue[:0], a.cycle[h])
		for len(queue) > 0 {
			c := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			a.walk(c, func(h int32) {
				o := a.cycle[h^1]
				if a.value[o] >= 0 {
					return
				}
				a.value[o] = a.across(a.value[c], h)
				queue = append(queue, o)
			})
		}
	}
}

// outerAt is the half-edge leaving v, the western end of its piece, that has the face
// west of v on its left.
func (a *arrangement) outerAt(v, some int32) int32 {
	// All edges leave between south (excluded) and north. The face to the west lies left
	// of the one with the greatest angle, counted from the south.
	p := a.pts[v]
	best := some
	for h := a.next[some^1]; h != some; h = a.next[h^1] {
		u, w := a.pts[a.to(h)], a.pts[a.to(best)]
		if cross(w.X-p.X, w.Y-p.Y, u.X-p.X, u.Y-p.Y).sign() > 0 {
			best = h
		}
	}
	return best
}

// across is the covering on the other side (the right) of a half-edge.
func (a *arrangement) across(val, h int32) int32 {
	d := a.uses[h>>1]
	if len(d) == 0 {
		return val
	}
	sign := int32(-1) // from left to right of the first direction
	if h&1 == 1 {
		sign = 1
	}
	v := a.values[val]
	for _, u := range d {
		v = added(v, u.label, sign*u.n)
	}
	key := make([]byte, 0, 8*len(v))
	for _, u := range v {
		key = binary.LittleEndian.AppendUint32(key, uint32(u.label))
		key = binary.LittleEndian.AppendUint32(key, uint32(u.n))
	}
	i, ok := a.intern[string(key)]
	if !ok {
		i = int32(len(a.values))
		a.intern[string(key)] = i
		a.values = append(a.values, v)
	}
	return i
}

// count is how often a label covers a value.
func (a *arrangement) count(val, label int32) int32 {
	for _, u := range a.values[val] {
		if u.label == label {
			return u.n
		}
	}
	return 0
}

// left is the covering on the left of a half-edge.
func (a *arrangement) left(h int32) int32 { return a.value[a.cycle[h]] }

// dissolve is the shape of all faces that in takes.
func (a *arrangement) dissolve(in func(val int32) bool) (Shape, error) {
	take := make([]bool, len(a.values))
	for i := range take {
		take[i] = in(int32(i))
	}
	var edges []link
	for h := range int32(len(a.cycle)) {
		if take[a.left(h)] && !take[a.left(h^1)] {
			edges = append(edges, a.edge(h))
		}
	}
	return assemble(edges)
}

// region is faces that hang together by edges and have the same mark.
type region struct {
	mark  int32
	val   int32 // the covering of one of its faces
	edges []int32
	outer bool // it reaches to infinity
}

// regions joins faces of equal mark (negative: not wanted, but joined all the same) and
// gives each with the half-edges of its border. of tells the region of a half-edge's left.
func (a *arrangement) regions(mark func(c int32) int32) (list []region, of func(h int32) int32) {
	n := len(a.faces)
	parent := make([]int32, n)
	marks := make([]int32, n)
	for c := range parent {
		parent[c] = int32(c)
		marks[c] = mark(int32(c))
	}
	find := func(c int32) int32 {
		for parent[c] != c {
			parent[c] = parent[parent[c]]
			c = parent[c]
		}
		return c
	}
	for h := int32(0); h < int32(len(a.cycle)); h += 2 {
		x, y := find(a.cycle[h]), find(a.cycle[h+1])
		if x != y && marks[x] == marks[y] {
			parent[x] = y
		}
	}
	// Cycles of one face are joined too: an inner border with the face around it.
	for c, o := range a.around {
		if o >= 0 {
			if x, y := find(int32(c)), find(o); x != y && marks[x] == marks[y] {
				parent[x] = y
			}
		}
	}
	number := make([]int32, n)
	for i := range number {
		number[i] = -1
	}
	for h := range int32(len(a.cycle)) {
		r := find(a.cycle[h])
		if number[r] < 0 {
			number[r] = int32(len(list))
			list = append(list, region{mark: marks[r], val: a.value[r]})
		}
		if find(a.cycle[h^1]) != r {
			k := number[r]
			list[k].edges = append(list[k].edges, h)
		}
	}
	for c, o := range a.around {
		if o == outermost {
			list[number[find(int32(c))]].outer = true
		}
	}
	return list, func(h int32) int32 { return number[find(a.cycle[h])] }
}
