package zoning

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// shapeTolerance is how far a border may be moved in tiles of a zoom, in degrees: half a
// pixel of a tile of 512, which is the step the tile engine moves other vertices by.
func shapeTolerance(z int) float64 { return 4 * 360 / math.Exp2(float64(z)) / 4096 }

// shapesAtOnce bounds the rows of one transaction, which must end within a second.
const shapesAtOnce = 500

// generalise makes the shapes a version is drawn with below the deepest zoom of its
// layer: every border is thinned once per zoom and both neighbours get the same line. It
// runs before the version is published, outside the transaction of publishing: the zones
// of an approved version do not change any more.
func (s *Service) generalise(ctx context.Context, by auth.By, g auth.Grant, plan string) error {
	layer, ok := s.catalogue.Now().Layer("zones")
	if !ok {
		return fmt.Errorf("zoning: the catalogue has no layer zones")
	}
	rows := map[coverage.ID]string{}
	all := coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}}
	err := s.db.Bulk.Ask(ctx, by.Reading(), s.queries.Get("shape_zones"), []any{plan}, func(found pgx.Rows) error {
		for found.Next() {
			var row, zone string
			var shape geo.Shape
			if err := found.Scan(&row, &zone, &shape); err != nil {
				return err
			}
			sh, err := coverage.FromGeometry(shape.Geometry)
			if err != nil {
				return fmt.Errorf("zone %s: %w", zone, err)
			}
			rows[coverage.ID(zone)], all.Zones[coverage.ID(zone)] = row, sh
		}
		return found.Err()
	})
	if err != nil {
		return wrap("read the shapes of "+plan, err)
	}
	borders := coverage.BuildArcs(&all)
	for z := layer.MinZoom; z < layer.MaxZoom; z++ {
		var ids []string
		var shapes [][]byte
		write := func() error {
			if len(ids) == 0 {
				return nil
			}
			err := s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, s.queries.Get("shape_add"), ids, z, shapes)
				return err
			})
			ids, shapes = ids[:0], shapes[:0]
			return err
		}
		for zone, sh := range borders.Simplify(shapeTolerance(z)) {
			raw, err := wkb.Marshal(orb.Geometry(sh.Geometry()))
			if err != nil {
				return fmt.Errorf("zoning: zone %s at zoom %d: %w", zone, z, err)
			}
			ids, shapes = append(ids, rows[zone]), append(shapes, raw)
			if len(ids) == shapesAtOnce {
				if err := write(); err != nil {
					return wrap("keep the shapes of "+plan, err)
				}
			}
		}
		if err := write(); err != nil {
			return wrap("keep the shapes of "+plan, err)
		}
	}
	return nil
}
