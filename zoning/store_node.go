package zoning

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// asker is what a query needs of a transaction or a connection.
type asker interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// noder cuts lines at each other in the database, in the transaction of the edit, on the
// grid: the coverage then decides in integers whether what came back fits.
type noder struct {
	ctx     context.Context //nolint:containedctx // coverage.Noder has none; a noder lives for one edit
	tx      asker
	queries db.Queries
	calls   int
}

// Node implements [coverage.Noder].
func (n *noder) Node(lines [][]coverage.Point) ([][]coverage.Point, error) {
	n.calls++
	in := make(orb.MultiLineString, 0, len(lines))
	for _, l := range lines {
		ls := make(orb.LineString, len(l))
		for i, p := range l {
			ls[i] = p.LonLat()
		}
		in = append(in, ls)
	}
	rows, err := n.tx.Query(n.ctx, n.queries.Get("edit_node"), geo.Shape{Geometry: in}, coverage.GridSize)
	if err != nil {
		return nil, fmt.Errorf("zoning: node: %w", err)
	}
	var out [][]coverage.Point
	var g geo.Shape
	_, err = pgx.ForEachRow(rows, []any{&g}, func() error {
		ls, ok := g.Geometry.(orb.LineString)
		if !ok {
			return fmt.Errorf("noding gave a %T", g.Geometry)
		}
		l := make([]coverage.Point, 0, len(ls))
		for _, p := range ls {
			if q := coverage.At(p); len(l) == 0 || l[len(l)-1] != q {
				l = append(l, q)
			}
		}
		if len(l) > 1 {
			out = append(out, l)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("zoning: node: %w", err)
	}
	return out, nil
}
