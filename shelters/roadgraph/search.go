package roadgraph

import (
	"math"
	"slices"
)

// Source is where a search begins, with what it has cost to be there.
type Source struct {
	Node int32
	Cost float64
}

// Search is a question: what can be reached from the sources, and at what cost.
type Search struct {
	Profile Profile
	Sources []Source
	// Toward turns the question: from where the sources are reached.
	Toward bool
	Limit  float64 // of cost; 0 is none
	// Until ends the search once all of these are reached.
	Until []int32
}

// Reached is what a search found. Where it ended early (Until), only what was named is
// exact; the rest is a bound.
type Reached struct {
	g      *Graph
	toward bool
	cost   []float64
	via    []int32 // the end by which a node was reached, doubled edge plus direction; -1 at sources
}

// Cost is what it costs to reach a node; false where it cannot be reached.
func (r *Reached) Cost(node int32) (float64, bool) {
	c := r.cost[node]
	return c, !math.IsInf(c, 1)
}

// Step is one edge of a way, along its line or back.
type Step struct {
	Edge int32
	Back bool
}

// Path is the way between the source and a node, in the order it is gone.
func (r *Reached) Path(node int32) []Step {
	var out []Step
	for r.via[node] >= 0 {
		v := r.via[node]
		out = append(out, Step{Edge: v >> 1, Back: v&1 == 1})
		// The other end of the edge: the search came from there.
		if (v&1 == 1) != r.toward {
			node = r.g.to[v>>1]
		} else {
			node = r.g.from[v>>1]
		}
	}
	if !r.toward {
		slices.Reverse(out)
	}
	return out
}

// Within runs a search (Dijkstra 1959) over what the view leaves open.
func (v View) Within(s Search) *Reached {
	g := v.g
	r := &Reached{g: g, toward: s.Toward, cost: make([]float64, len(g.ids)), via: make([]int32, len(g.ids))}
	for i := range r.cost {
		r.cost[i], r.via[i] = math.Inf(1), -1
	}
	limit := s.Limit
	if limit <= 0 {
		limit = math.Inf(1)
	}
	var h heap
	for _, src := range s.Sources {
		if src.Cost >= 0 && src.Cost <= limit && src.Cost < r.cost[src.Node] {
			r.cost[src.Node] = src.Cost
			h.push(item{src.Cost, src.Node})
		}
	}
	wanted := make(map[int32]bool, len(s.Until))
	for _, n := range s.Until {
		wanted[n] = true
	}
	left := len(wanted)
	for len(h) > 0 {
		top := h.pop()
		if top.cost > r.cost[top.node] {
			continue // it was reached cheaper meanwhile
		}
		if wanted[top.node] {
			delete(wanted, top.node)
			if left--; left == 0 {
				break
			}
		}
		for _, end := range g.ends[g.head[top.node]:g.head[top.node+1]] {
			e := end >> 1
			// Leaving by From goes along the line; searching toward the source, it is the
			// neighbour that comes.
			back := end & 1
			next := g.to[e]
			if back == 1 {
				next = g.from[e]
			}
			dir := back
			if s.Toward {
				dir = 1 - back
			}
			c := g.edges[e].Cost[s.Profile][dir]
			if c < 0 || !v.open(e) {
				continue
			}
			if c += top.cost; c <= limit && c < r.cost[next] {
				r.cost[next], r.via[next] = c, e<<1|dir
				h.push(item{c, next})
			}
		}
	}
	return r
}

type item struct {
	cost float64
	node int32
}

// heap is a binary heap of items, written out because the search spends its time here.
type heap []item

func (h *heap) push(it item) {
	s := append(*h, it)
	i := len(s) - 1
	for i > 0 {
		p := (i - 1) / 2
		if s[p].cost <= it.cost {
			break
		}
		s[i] = s[p]
		i = p
	}
	s[i] = it
	*h = s
}

func (h *heap) pop() item {
	s := *h
	top, last := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(s) {
			break
		}
		if c+1 < len(s) && s[c+1].cost < s[c].cost {
			c++
		}
		if s[c].cost >= last.cost {
			break
		}
		s[i] = s[c]
		i = c
	}
	s[i] = last
	return top
}
