package roadgraph

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// Way is a way between two places on roads.
type Way struct {
	DistanceM float64
	Seconds   float64
	Line      orb.LineString
	Roads     []int64 // ids of the roads it goes along, in order, each run once
}

// door is an end of the edge a place lies on: the node, what the piece between costs,
// and the share of the edge at that end.
type door struct {
	Source
	share float64
}

// doors are the ends by which somebody leaves the place a snap is, or by which he arrives.
func (v View) doors(s Snap, p Profile, arriving bool) []door {
	e := &v.g.edges[s.Edge]
	ahead, back := e.Cost[p][0], e.Cost[p][1]
	if arriving {
		ahead, back = back, ahead
	}
	var out []door
	if ahead >= 0 && v.free(s.Edge, s.Along, 1) {
		out = append(out, door{Source{v.g.to[s.Edge], ahead * (1 - s.Along)}, 1})
	}
	if back >= 0 && v.free(s.Edge, 0, s.Along) {
		out = append(out, door{Source{v.g.from[s.Edge], back * s.Along}, 0})
	}
	return out
}

// Leaving are the sources of a search that begins at a place on a road; arriving turns
// them into those of a search toward it.
func (v View) Leaving(s Snap, p Profile, arriving bool) []Source {
	var out []Source
	for _, d := range v.doors(s, p, arriving) {
		out = append(out, d.Source)
	}
	return out
}

// CostAt is what it costs to reach a place on a road in a search that is done; in one
// toward its sources, to come from there.
func (v View) CostAt(r *Reached, s Snap, p Profile) (float64, bool) {
	best := math.Inf(1)
	for _, d := range v.doors(s, p, !r.toward) {
		if c, ok := r.Cost(d.Node); ok {
			best = min(best, c+d.Cost)
		}
	}
	return best, !math.IsInf(best, 1)
}

// Route is the cheapest way between two places on roads; false where there is none.
func (v View) Route(from, to Snap, p Profile) (Way, bool) {
	g := v.g
	leave, arrive := v.doors(from, p, false), v.doors(to, p, true)
	sources, until := make([]Source, 0, 2), make([]int32, 0, 2)
	for _, d := range leave {
		sources = append(sources, d.Source)
	}
	for _, d := range arrive {
		until = append(until, d.Node)
	}
	best := Way{Seconds: math.Inf(1)}
	if from.Edge == to.Edge && v.free(from.Edge, from.Along, to.Along) {
		c := g.edges[from.Edge].Cost[p]
		if by := to.Along - from.Along; by >= 0 && c[0] >= 0 {
			best = g.way(c[0]*by, from, to, nil, -1, -1)
		} else if by < 0 && c[1] >= 0 {
			best = g.way(-c[1]*by, from, to, nil, -1, -1)
		}
	}
	r := v.Within(Search{Profile: p, Sources: sources, Until: until})
	for _, a := range arrive {
		c, ok := r.Cost(a.Node)
		if !ok || c+a.Cost >= best.Seconds {
			continue
		}
		steps := r.Path(a.Node)
		first := a.Node
		if len(steps) > 0 {
			if first = g.from[steps[0].Edge]; steps[0].Back {
				first = g.to[steps[0].Edge]
			}
		}
		out := door{Source{Cost: math.Inf(1)}, 0}
		for _, d := range leave {
			if d.Node == first && d.Cost < out.Cost {
				out = d
			}
		}
		best = g.way(c+a.Cost, from, to, steps, out.share, a.share)
	}
	return best, !math.IsInf(best.Seconds, 1)
}

// way draws a way. Where out is negative it stays on one edge.
func (g *Graph) way(seconds float64, from, to Snap, steps []Step, out, in float64) Way {
	w := Way{Seconds: seconds}
	if out < 0 {
		w.add(g, from.Edge, g.piece(from.Edge, from.Along, to.Along))
	} else {
		w.add(g, from.Edge, g.piece(from.Edge, from.Along, out))
		for _, s := range steps {
			w.add(g, s.Edge, g.piece(s.Edge, back(s.Back), 1-back(s.Back)))
		}
		w.add(g, to.Edge, g.piece(to.Edge, in, to.Along))
	}
	w.DistanceM = lengthOf(w.Line)
	return w
}

func back(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (w *Way) add(g *Graph, edge int32, line []orb.Point) {
	long := false
	for i, p := range line {
		long = long || i > 0 && key(p) != key(line[0])
		if n := len(w.Line); n == 0 || w.Line[n-1] != p {
			w.Line = append(w.Line, p)
		}
	}
	if id := g.edges[edge].ID; long && (len(w.Roads) == 0 || w.Roads[len(w.Roads)-1] != id) {
		w.Roads = append(w.Roads, id)
	}
}

// piece is a part of an edge's line between two shares of its length, in the order gone.
func (g *Graph) piece(edge int32, from, to float64) []orb.Point {
	if from > to {
		out := g.piece(edge, to, from)
		slices.Reverse(out)
		return out
	}
	e := &g.edges[edge]
	a, b := from*e.LengthM, to*e.LengthM
	out := []orb.Point{}
	done := 0.0
	for i := 1; i < len(e.Line); i++ {
		p, q := e.Line[i-1], e.Line[i]
		l := Distance(p, q)
		at := func(m float64) orb.Point {
			t := 0.0
			if l > 0 {
				t = min(1, max(0, (m-done)/l))
			}
			switch t {
			case 0:
				return p
			case 1:
				return q
			}
			return orb.Point{p[0] + t*(q[0]-p[0]), p[1] + t*(q[1]-p[1])}
		}
		if done+l >= a && done <= b {
			out = append(out, at(max(a, done)), at(min(b, done+l)))
		}
		done += l
	}
	return out
}
