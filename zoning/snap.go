package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"
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

// Snap gives the lines of administrative borders, rivers, roads and of the zones in force
// around the plan that touch the box, under what the asker may read. Of each line it
// gives the stretches whose edges touch the box; a border two units share comes once.
func (s *Service) Snap(ctx context.Context, who *auth.Identity, plan string, box orb.Bound) (SnapSet, error) {
	var c snapper
	c.min, c.max = coverage.At(box.Min), coverage.At(box.Max)
	c.seen = map[[2]coverage.Point]bool{}
	if !(box.Min[0] >= -180 && box.Max[0] <= 180 && box.Min[1] >= -90 && box.Max[1] <= 90 && box.Min[0] <= box.Max[0] && box.Min[1] <= box.Max[1]) {
		return c.out, &auth.Invalid{Items: []auth.Fault{{Path: "bbox", Code: "out_of_range", ZH: "范围不正确", EN: "the box does not hold"}}}
	}
	err := s.look(ctx, who, plan, func(tx pgx.Tx, p editPlan) error {
		args := []any{box.Min[0], box.Min[1], box.Max[0], box.Max[1], s.scopes(who, "admin"), s.scopes(who, "zones"),
			p.Series, p.Hazard, p.Kind, s.today(), s.scopes(who, "rivers"), s.scopes(who, "roads"), maxSnap}
		rows, err := tx.Query(ctx, s.queries.Get("snap_lines"), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		var l SnapLine
		var g geo.Shape
		for rows.Next() {
			if err := rows.Scan(&l.Layer, &l.Name, &g); err != nil {
				return err
			}
			if c.shape(l, g.Geometry); c.out.Truncated {
				return nil
			}
		}
		return rows.Err()
	})
	return c.out, wrap("snap", err)
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
