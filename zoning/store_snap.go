package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

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
