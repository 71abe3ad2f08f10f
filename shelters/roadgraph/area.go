package roadgraph

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// spanStep is how exactly it is known where a road leaves an area; what crosses less of
// it is not seen.
const spanStep = 5.0

// Span is the part of an edge inside an area, as shares of its length.
type Span struct{ From, To float64 }

// Area is an area on the network: the edges that touch it, and how far each lies inside.
// It is the place a search begins at or arrives at when that is no point.
type Area struct {
	v     View
	nodes []int32
	spans map[int32]Span
}

// Inside finds what of the network lies in an area.
func (v View) Inside(a *geo.Area) *Area {
	out := &Area{v: v, spans: map[int32]Span{}}
	g := v.g
	b := a.Bound()
	in := make(map[int32]bool)
	for n, p := range g.at {
		if b.Contains(p) && a.Side(p) >= 0 {
			in[int32(n)] = true
			out.nodes = append(out.nodes, int32(n))
		}
	}
	if len(g.at) == 0 {
		return out
	}
	for i := range g.edges {
		e := int32(i)
		if in[g.from[e]] && in[g.to[e]] {
			out.spans[e] = Span{0, 1}
			continue
		}
		if s, ok := spanOf(&g.edges[i], b, a); ok {
			out.spans[e] = s
		}
	}
	return out
}

// spanOf is from the first place of an edge inside the area to the last.
func spanOf(e *Edge, b orb.Bound, a *geo.Area) (Span, bool) {
	if e.LengthM <= 0 {
		return Span{}, false
	}
	s, met := Span{1, 0}, false
	done := 0.0
	for i := 1; i < len(e.Line); i++ {
		p, q := e.Line[i-1], e.Line[i]
		l := Distance(p, q)
		if max(p[0], q[0]) >= b.Min[0] && min(p[0], q[0]) <= b.Max[0] && max(p[1], q[1]) >= b.Min[1] && min(p[1], q[1]) <= b.Max[1] {
			n := max(1, int(math.Ceil(l/spanStep)))
			for k := 0; k <= n; k++ {
				t := float64(k) / float64(n)
				if a.Side(orb.Point{p[0] + t*(q[0]-p[0]), p[1] + t*(q[1]-p[1])}) >= 0 {
					at := min(1, (done+t*l)/e.LengthM)
					s.From, s.To, met = min(s.From, at), max(s.To, at), true
				}
			}
		}
		done += l
	}
	return s, met
}

// Sources are where a search out of the area begins; arriving, those of one toward it.
func (a *Area) Sources(p Profile, arriving bool) []Source {
	out := make([]Source, 0, len(a.nodes)+2*len(a.spans)/8)
	for _, n := range a.nodes {
		out = append(out, Source{Node: n})
	}
	for e, s := range a.spans {
		if s.From == 0 && s.To == 1 {
			continue
		}
		c := a.v.g.edges[e].Cost[p]
		ahead, back := c[0], c[1]
		if arriving {
			ahead, back = back, ahead
		}
		if ahead >= 0 && a.v.free(e, s.To, 1) {
			out = append(out, Source{a.v.g.to[e], ahead * (1 - s.To)})
		}
		if back >= 0 && a.v.free(e, 0, s.From) {
			out = append(out, Source{a.v.g.from[e], back * s.From})
		}
	}
	return out
}

// CostAt is [View.CostAt] for a search from or toward the area: a place on an edge that
// leaves the area needs no node between.
func (a *Area) CostAt(r *Reached, s Snap, p Profile) (float64, bool) {
	best, ok := a.v.CostAt(r, s, p)
	if span, on := a.spans[s.Edge]; on && a.v.seen(s.Edge) {
		c := a.v.g.edges[s.Edge].Cost[p]
		ahead, back := c[0], c[1]
		if r.toward {
			ahead, back = back, ahead
		}
		switch {
		case s.Along >= span.From && s.Along <= span.To:
			return 0, true
		case s.Along > span.To && ahead >= 0 && a.v.free(s.Edge, span.To, s.Along):
			best, ok = min(best, ahead*(s.Along-span.To)), true
		case s.Along < span.From && back >= 0 && a.v.free(s.Edge, s.Along, span.From):
			best, ok = min(best, back*(span.From-s.Along)), true
		}
	}
	return best, ok
}

// Empty says that no road touches the area.
func (a *Area) Empty() bool { return len(a.spans) == 0 }
