package zoning

import (
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// maxSnap is how many vertices an answer has at most: what a browser still finds its
// way in at once.
const maxSnap = 20_000

// SnapLine is a line to snap to, exact: its vertices are those of the source, on the grid.
type SnapLine struct {
	Layer string // admin, rivers, roads, zones
	Name  string
	Line  []coverage.Point
}

// SnapSet is what there is to snap to in a box.
type SnapSet struct {
	Lines     []SnapLine
	Truncated bool // there is more: ask for a smaller box
}

// scopes is where the asker reads a layer; nowhere where it does not exist for him.
func (s *Service) scopes(who *auth.Identity, layer string) string {
	l, ok := s.catalogue.Now().Layer(layer)
	if !ok || !l.SeenBy(who.Reach) {
		return geo.Scopes{}.String()
	}
	return who.Reach.Of(l.Visibility).String()
}

// snapper takes from lines the stretches that touch a box, each edge once.
type snapper struct {
	min, max coverage.Point
	seen     map[[2]coverage.Point]bool
	n        int
	out      SnapSet
}

func (c *snapper) shape(l SnapLine, g orb.Geometry) {
	switch g := g.(type) {
	case orb.LineString:
		c.line(l, g)
	case orb.MultiLineString:
		for _, m := range g {
			c.line(l, m)
		}
	case orb.Polygon:
		for _, r := range g {
			c.line(l, orb.LineString(r))
		}
	case orb.MultiPolygon:
		for _, p := range g {
			c.shape(l, p)
		}
	case orb.Collection:
		for _, m := range g {
			c.shape(l, m)
		}
	}
}

func (c *snapper) line(l SnapLine, in orb.LineString) {
	var run []coverage.Point
	flush := func() {
		if len(run) > 1 && !c.out.Truncated {
			if c.n += len(run); c.n > maxSnap {
				c.out.Truncated = true
				return
			}
			c.out.Lines = append(c.out.Lines, SnapLine{l.Layer, l.Name, run})
		}
		run = nil
	}
	for i := 1; i < len(in); i++ {
		a, b := coverage.At(in[i-1]), coverage.At(in[i])
		if a == b {
			continue
		}
		key := [2]coverage.Point{a, b}
		if b.X < a.X || b.X == a.X && b.Y < a.Y {
			key = [2]coverage.Point{b, a}
		}
		if !c.touches(a, b) || c.seen[key] {
			flush()
			continue
		}
		c.seen[key] = true
		if len(run) == 0 {
			run = append(run, a)
		}
		run = append(run, b)
	}
	flush()
}

// touches says whether the box of an edge touches the box asked for.
func (c *snapper) touches(a, b coverage.Point) bool {
	return max(a.X, b.X) >= c.min.X && min(a.X, b.X) <= c.max.X && max(a.Y, b.Y) >= c.min.Y && min(a.Y, b.Y) <= c.max.Y
}
