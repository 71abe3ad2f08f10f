package packs

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/geo"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Area is a unit or grid with its box.
type Area struct {
	Code, Name string
	Bound      orb.Bound
}

// areas finds those of the codes, and the townships inside the scopes, that the claims
// may see.
func (s *Service) areas(ctx context.Context, c db.Claims, codes []string, townships, units, grids geo.Scopes, limit int) ([]Area, error) {
	if codes == nil {
		codes = []string{}
	}
	for _, set := range []*geo.Scopes{&townships, &units, &grids} {
		if *set == nil {
			*set = geo.Scopes{}
		}
	}
	var out []Area
	err := s.opts.DB.Query.Ask(ctx, c, s.queries.Get("areas"), []any{codes, townships, units, grids, limit}, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Area, err error) {
			err = row.Scan(&a.Code, &a.Name, &a.Bound.Min[0], &a.Bound.Min[1], &a.Bound.Max[0], &a.Bound.Max[1])
			return a, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("packs: areas: %w", err)
	}
	return out, nil
}
