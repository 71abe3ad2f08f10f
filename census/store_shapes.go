package census

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// region gives the shapes of the largest units inside an administrative code.
func (s *store) region(ctx context.Context, code string) (*region, error) {
	scope, err := geo.ParseScope(code)
	if err != nil {
		return nil, err
	}
	return s.regionIn(ctx, scope, true)
}

// homeRegion gives the shapes of the area this house is for: the unit chosen as
// home, else the largest units it knows. nil where it knows none. The demo county
// is nobody's area: a bureau's first own file must not be refused for lying outside
// a place that does not exist.
func (s *store) homeRegion(ctx context.Context) (*region, error) {
	var code string
	err := s.pool.QueryRow(ctx, s.fixed.Get("home_code")).Scan(&code)
	if err != nil {
		return nil, fmt.Errorf("census: home_code: %w", err)
	}
	if code == "" {
		return s.regionIn(ctx, geo.Everywhere(), false)
	}
	scope, err := geo.ParseScope(code)
	if err != nil {
		return nil, err
	}
	return s.regionIn(ctx, scope, false)
}

func (s *store) regionIn(ctx context.Context, scope geo.Scope, demo bool) (*region, error) {
	var shapes []orb.Geometry
	err := s.rows(ctx, "area_shapes", []any{scope, demo}, func(r pgx.Rows) error {
		var g geo.Shape
		if err := r.Scan(&g); err != nil {
			return err
		}
		shapes = append(shapes, g.Geometry)
		return nil
	})
	return newRegion(shapes), err
}

// knowsSRID tells whether PostGIS can convert from a system; 0 means none is named.
func (s *store) knowsSRID(ctx context.Context, srid int) (known bool, err error) {
	if srid == 0 || srid == geo.SRID {
		return true, nil
	}
	if err := s.pool.QueryRow(ctx, s.fixed.Get("srid_known"), srid).Scan(&known); err != nil {
		return false, fmt.Errorf("census: srid_known: %w", err)
	}
	return known, nil
}

// maxIndexVertices bounds the units held in memory; beyond it the database finds
// scopes row by row.
const maxIndexVertices = 4_000_000

func (s *store) scopeIndex(ctx context.Context) (*scopeIndex, error) {
	var size int64
	if err := s.rows(ctx, "admin_size", nil, func(r pgx.Rows) error { return r.Scan(&size) }); err != nil {
		return nil, err
	}
	x := &scopeIndex{}
	if size > maxIndexVertices {
		return x, nil
	}
	err := s.rows(ctx, "admin_areas", nil, func(r pgx.Rows) error {
		var u scopeUnit
		var g geo.Shape
		if err := r.Scan(&u.scope, &g); err != nil {
			return err
		}
		u.area = geo.NewArea(g)
		x.units = append(x.units, u)
		return nil
	})
	return x, err
}

// transform lets PostGIS convert a range; what has no place is taken out.
func (s *store) transform(ctx context.Context, r *run, layer string, lo, hi int64) ([]Issue, error) {
	var issues []Issue
	err := s.tx(ctx, r.opt.Actor, func(tx pgx.Tx) error {
		if err := chunkSettings(ctx, tx, "30s"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.fixed.Get("staging_transform"), r.id, layer, lo, hi); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.fixed.Get("staging_transform_failed"), r.id, layer, lo, hi)
		if err != nil {
			return err
		}
		if issues, err = collectTaken(rows, RuleTransform, "坐标无法换算,请核对坐标系 (cannot be transformed; check the coordinate system)"); err != nil {
			return err
		}
		return s.addIssues(ctx, tx, r, issues)
	})
	if err != nil {
		return nil, fmt.Errorf("census: transform: %w", err)
	}
	return issues, nil
}

// repairOne tries the structure repair on one row.
func (s *store) repairOne(ctx context.Context, r *run, layer string, ord int64) (i Issue, ok bool, before, after float64, err error) {
	err = s.tx(ctx, r.opt.Actor, func(tx pgx.Tx) error {
		if err := chunkSettings(ctx, tx, repairTimeout); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.fixed.Get("staging_repair"), r.id, layer, ord).Scan(&i.File, &i.Row, &i.Key, &ok, &before, &after)
	})
	if isTimeout(err) {
		return i, false, 0, 0, nil
	}
	return i, ok, before, after, err
}

func (s *store) toRepair(ctx context.Context, r *run, layer string) ([]int64, error) {
	var out []int64
	err := s.rows(ctx, "staging_to_repair", []any{r.id, layer, r.dataset}, func(rows pgx.Rows) error {
		var ord int64
		if err := rows.Scan(&ord); err != nil {
			return err
		}
		out = append(out, ord)
		return nil
	})
	return out, err
}
