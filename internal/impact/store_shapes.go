package impact

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
)

// Shapes are the places of what closes roads, as the asker sees them now: blocked roads,
// hazard areas of the two worst levels, or one alert or incident.
func (s *Service) Shapes(ctx context.Context, who features.Asker, layer, id string) ([]orb.Geometry, error) {
	l, ok := s.opts.Catalogue.Now().Layer(layer)
	if !ok || !l.Own || !l.SeenBy(who.Reach) {
		return nil, ErrNotFound
	}
	var st features.Statement
	times := features.At(time.Now())
	if id != "" {
		times = features.Times{}
	}
	rows, where, err := st.Rows(l, who.Reach, times)
	if err != nil {
		return nil, err
	}
	wanted := ""
	switch {
	case id != "":
		wanted = "t.id = " + st.Arg(id, "uuid") + " and st_dimension(t.geom) = 2"
	case layer == "road_blocks":
		wanted = "t.reopened_at is null and t.state is distinct from 'reopened' and t.state is distinct from 'one_lane' and not t.exercise"
	case layer == "hazard_areas":
		wanted = "t.level <= 2 and not t.exercise"
	default:
		return nil, ErrNotFound
	}
	var out []orb.Geometry
	sql := features.Fill(s.queries.Get("shapes_of"), map[string]string{"rows": rows, "where": where, "wanted": wanted})
	err = s.opts.DB.Query.Ask(ctx, db.Claims{Actor: who.Name, Role: who.Role, Reach: who.Reach}, sql, st.Args(), func(rows pgx.Rows) error {
		for rows.Next() {
			var g geo.Shape
			if err := rows.Scan(&g); err != nil {
				return err
			}
			out = append(out, g.Geometry)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("impact: shapes of %s: %w", layer, err)
	}
	return out, nil
}
