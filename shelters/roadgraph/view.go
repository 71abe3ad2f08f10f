package roadgraph

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// View is a graph as one question sees it: without the roads the asker may not see, and
// without what is closed. The graph below is shared and stays as it is.
type View struct {
	g      *Graph
	sees   geo.Scopes // empty: everything
	limits bool       // sees counts
	demo   bool       // only roads of a demo data set
	closed map[int32]bool
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

func (v View) open(e int32) bool {
	if v.closed[e] {
		return false
	}
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
	// areaStep is how often a road is compared with an area: what crosses less of it is
	// not seen.
	areaStep = 5.0
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
	closed := make(map[int32]bool, len(v.closed)+8)
	for e := range v.closed {
		closed[e] = true
	}
	v.closed = closed
	return v
}

func (v View) blockPoint(seen View, p orb.Point) {
	nearest, far := int32(-1), math.Inf(1)
	seen.near(p, blockReach, func(s segment, _ orb.Point, _, dist float64) {
		if dist <= blockRadius {
			v.closed[s.edge] = true
		}
		if dist < far {
			nearest, far = s.edge, dist
		}
	}, func() float64 { return math.Inf(1) })
	if nearest >= 0 {
		v.closed[nearest] = true
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
			nearest, far := int32(-1), math.Inf(1)
			seen.near(p, 15, func(s segment, _ orb.Point, _, dist float64) {
				if dist < far {
					nearest, far = s.edge, dist
				}
			}, func() float64 { return far })
			if nearest >= 0 {
				v.closed[nearest] = true
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
		for i := range v.g.edges {
			e := int32(i) //nolint:gosec // an index of ours
			if !out.closed[e] && crosses(v.g.edges[i].Line, b, a) {
				out.closed[e] = true
			}
		}
	}
	return out
}

func crosses(line []orb.Point, b orb.Bound, a *geo.Area) bool {
	for i := 1; i < len(line); i++ {
		p, q := line[i-1], line[i]
		if max(p[0], q[0]) < b.Min[0] || min(p[0], q[0]) > b.Max[0] || max(p[1], q[1]) < b.Min[1] || min(p[1], q[1]) > b.Max[1] {
			continue
		}
		n := max(1, int(math.Ceil(Distance(p, q)/areaStep)))
		for k := 0; k <= n; k++ {
			t := float64(k) / float64(n)
			if a.Side(orb.Point{p[0] + t*(q[0]-p[0]), p[1] + t*(q[1]-p[1])}) >= 0 {
				return true
			}
		}
	}
	return false
}
