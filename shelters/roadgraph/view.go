package roadgraph

import (
	"maps"
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// View is a graph as one question sees it: without the roads the asker may not see, and
// without what is closed. The graph below is shared and stays as it is.
type View struct {
	g      *Graph
	sees   geo.Scopes     // empty: everything
	limits bool           // sees counts
	demo   bool           // only roads of a demo data set
	closed map[int32]Span // the part of an edge nobody passes
}

// All is the whole graph.
func (g *Graph) All() View { return View{g: g} }

// For is the graph as far as somebody's areas reach; demo leaves only demo roads.
func (g *Graph) For(areas geo.Scopes, demo bool) View {
	return View{g: g, sees: areas, limits: !areas.Contains(geo.Everywhere()), demo: demo}
}

// Graph is the network below.
func (v View) Graph() *Graph { return v.g }

// ClosedEdges is how many edges are closed.
func (v View) ClosedEdges() int { return len(v.closed) }

// open says whether an edge can be gone from end to end.
func (v View) open(e int32) bool {
	_, shut := v.closed[e]
	return !shut && v.seen(e)
}

// free says whether the part of an edge between two shares can be gone.
func (v View) free(e int32, a, b float64) bool {
	s, shut := v.closed[e]
	return v.seen(e) && (!shut || max(a, b) <= s.From || min(a, b) >= s.To)
}

func (v View) seen(e int32) bool {
	if v.demo && !v.g.edges[e].Demo {
		return false
	}
	return !v.limits || v.sees.Overlaps(v.g.edges[e].Scope)
}

const (
	// blockRadius closes every road so near a blocked place: a junction with all its arms.
	blockRadius = 8.0
	// blockReach is how far from a road a place may be marked and still mean it.
	blockReach = 40.0
	// blockStep is how often a blocked line is compared with the roads.
	blockStep = 10.0
)

// WithBlocks is the view without the roads that are blocked at places or along lines.
func (v View) WithBlocks(blocks ...orb.Geometry) View {
	if len(blocks) == 0 || v.g.grid.cells == nil {
		return v
	}
	out := v.copy()
	for _, b := range blocks {
		switch b := b.(type) {
		case orb.Point:
			out.blockPoint(v, b)
		case orb.MultiPoint:
			for _, p := range b {
				out.blockPoint(v, p)
			}
		case orb.LineString:
			out.blockLine(v, b)
		case orb.MultiLineString:
			for _, l := range b {
				out.blockLine(v, l)
			}
		case orb.Collection:
			out = out.WithBlocks(b...)
		}
	}
	return out
}

func (v View) copy() View {
	closed := make(map[int32]Span, len(v.closed)+8)
	maps.Copy(closed, v.closed)
	v.closed = closed
	return v
}

// shut closes a part of an edge, and what lies between it and a part already closed.
func (v View) shut(e int32, s Span) {
	if old, ok := v.closed[e]; ok {
		s = Span{min(old.From, s.From), max(old.To, s.To)}
	}
	v.closed[e] = s
}

// shutAt closes an edge some metres around a place on it.
func (v View) shutAt(s segment, share, metres float64) {
	at, by := v.g.along(s, share), 1.0
	if l := v.g.edges[s.edge].LengthM; l > 0 {
		by = metres / l
	}
	v.shut(s.edge, Span{at - by, at + by})
}

func (v View) blockPoint(seen View, p orb.Point) {
	var nearest segment
	share, far := 0.0, math.Inf(1)
	seen.near(p, blockReach, func(s segment, _ orb.Point, t, dist float64) {
		if dist <= blockRadius {
			v.shutAt(s, t, blockRadius)
		}
		if dist < far {
			nearest, share, far = s, t, dist
		}
	}, func() float64 { return math.Inf(1) })
	if !math.IsInf(far, 1) {
		v.shutAt(nearest, share, blockRadius)
	}
}

// blockLine closes the road under each place of a line but its ends, which may lie at
// junctions that are open.
func (v View) blockLine(seen View, l orb.LineString) {
	for i := 1; i < len(l); i++ {
		n := max(2, int(math.Ceil(Distance(l[i-1], l[i])/blockStep)))
		for k := 1; k < n; k++ {
			t := float64(k) / float64(n)
			p := orb.Point{l[i-1][0] + t*(l[i][0]-l[i-1][0]), l[i-1][1] + t*(l[i][1]-l[i-1][1])}
			var nearest segment
			share, far := 0.0, math.Inf(1)
			seen.near(p, 15, func(s segment, _ orb.Point, u, dist float64) {
				if dist < far {
					nearest, share, far = s, u, dist
				}
			}, func() float64 { return far })
			if !math.IsInf(far, 1) {
				v.shutAt(nearest, share, blockStep)
			}
		}
	}
}

// Avoiding is the view without the roads that pass through areas.
func (v View) Avoiding(areas ...*geo.Area) View {
	if len(areas) == 0 || v.g.grid.cells == nil {
		return v
	}
	out := v.copy()
	for _, a := range areas {
		b := a.Bound()
		lo, hi := cellOf(b.Min), cellOf(b.Max)
		if float64(hi.x-lo.x+1)*float64(hi.y-lo.y+1) > float64(len(v.g.grid.cells)) {
			for i := range v.g.edges {
				out.closeWithin(int32(i), b, a)
			}
			continue
		}
		for x := lo.x; x <= hi.x; x++ {
			for y := lo.y; y <= hi.y; y++ {
				for _, s := range v.g.grid.cells[cell{x, y}] {
					out.closeWithin(s.edge, b, a)
				}
			}
		}
	}
	return out
}

func (v View) closeWithin(e int32, b orb.Bound, a *geo.Area) {
	if s, ok := v.closed[e]; ok && s.From <= 0 && s.To >= 1 {
		return
	}
	if s, ok := spanOf(&v.g.edges[e], b, a); ok {
		v.shut(e, s)
	}
}
