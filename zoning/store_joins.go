package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Joins compares a version with the plans in force of the same hazard and kind whose
// area touches its own, under what the asker may see of them.
func (s *Service) Joins(ctx context.Context, who *auth.Identity, id string) (Joins, error) {
	if _, err := s.Plan(ctx, who, id); err != nil {
		return Joins{}, err
	}
	out := Joins{Faults: []JoinFault{}}
	err := s.db.Bulk.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("join_neighbours"), id, s.today(), joinReach, who.Reach.Of(s.visibility()).String())
		if err != nil {
			return err
		}
		titles := map[string]string{}
		var plans []string
		var plan, title string
		if _, err := pgx.ForEachRow(rows, []any{&plan, &title}, func() error {
			titles[plan], plans = title, append(plans, plan)
			return nil
		}); err != nil {
			return err
		}
		if out.Neighbours = len(plans); len(plans) == 0 {
			return nil
		}
		if rows, err = tx.Query(ctx, s.queries.Get("join_faults"), id, plans, joinReach, joinAlongM, joinFaults+1); err != nil {
			return err
		}
		out.Faults, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (JoinFault, error) {
			var f JoinFault
			var g geo.Shape
			var vertices int
			err := row.Scan(&f.Kind, &f.Zone, &f.ZoneName, &f.Level, &f.NeighbourPlan, &f.NeighbourZone, &f.NeighbourName, &f.NeighbourLevel, &g, &f.LengthM, &f.AreaM2, &vertices)
			f.NeighbourTitle, f.Geometry = titles[f.NeighbourPlan], g.Geometry
			f.Message = f.message(vertices)
			return f, err
		})
		return err
	})
	if len(out.Faults) > joinFaults {
		out.Faults, out.Truncated = out.Faults[:joinFaults], true
	}
	return out, wrap("joins", err)
}
