package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// compare asks everything in one round trip. What does not fit into the time of a
// question (thousands of zones over tens of thousands of cells) is bounded by the pool.
func (s *Service) compare(ctx context.Context, who *auth.Identity, d *Diff) error {
	before, after := d.Against.ID, d.Plan.ID
	var rows []diffRow
	var overlayChanged, overlay float64
	people := map[string]*[2]*float64{}
	var b pgx.Batch
	who.Reading().Queue(&b)
	b.Queue(s.queries.Get("diff_zones"), before, after).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, scanDiff)
		return err
	})
	b.Queue(s.queries.Get("diff_overlay"), before, after).QueryRow(func(row pgx.Row) error { return row.Scan(&overlayChanged, &overlay) })
	if reads := s.reads(who, "population"); reads != nothing {
		d.People = true
		b.Queue(s.queries.Get("diff_people"), before, after, reads).Query(func(r pgx.Rows) error {
			var zone string
			var isAfter bool
			var n float64
			_, err := pgx.ForEachRow(r, []any{&zone, &isAfter, &n}, func() error {
				v, side := n, 0
				if isAfter {
					side = 1
				}
				if people[zone] == nil {
					people[zone] = &[2]*float64{}
				}
				people[zone][side] = &v
				return nil
			})
			return err
		})
		b.Queue(s.queries.Get("diff_unknown"), before, after, reads).QueryRow(func(row pgx.Row) error { return row.Scan(&d.Totals.UnknownCells) })
	}
	if err := s.db.Bulk.Hold(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, &b).Close() }); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if n := people[r.Zone]; n != nil {
			r.PopulationBefore, r.PopulationAfter = n[0], n[1]
			if r.same {
				r.PopulationBefore = n[1]
			}
		}
	}
	d.sort(rows, overlayChanged, overlay)
	return nil
}

func scanDiff(row pgx.CollectableRow) (diffRow, error) {
	var r diffRow
	var gained, lost geo.Shape
	err := row.Scan(&r.Zone, &r.before, &r.after, &r.same, &r.NameBefore, &r.Name, &r.LevelBefore, &r.LevelAfter, &r.AreaBeforeM2, &r.AreaAfterM2,
		&gained, &lost, &r.GainedM2, &r.LostM2, &r.Bounds.Min[0], &r.Bounds.Min[1], &r.Bounds.Max[0], &r.Bounds.Max[1])
	for _, g := range []struct {
		from geo.Shape
		to   *orb.Geometry
	}{{gained, &r.Gained}, {lost, &r.Lost}} {
		if !g.from.IsNull() && geo.VertexCount(g.from.Geometry) > 0 {
			*g.to = g.from.Geometry
		}
	}
	return r, err
}
