package zoning

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// The database nodes what a step usually touches. More lines than maxNoded it is not
// asked for, and more time it does not get: what it leaves uncut the coverage cuts itself,
// exactly, and with many lines sooner (a ring of 10,000 vertices across 84,000 edges, on a
// busy machine: under a second, where PostGIS was stopped after five).
const (
	maxNoded   = 3_000 // segments
	maxNodding = 500 * time.Millisecond
)

// errNoding means the database could not node: the step is done again without it.
var errNoding = errors.New("zoning: the database could not node")

// noder cuts lines at each other in the database, in the transaction of the edit, on the
// grid: the coverage then decides in integers whether what came back fits.
type noder struct {
	ctx     context.Context //nolint:containedctx // coverage.Noder has none; a noder lives for one edit
	tx      asker
	queries db.Queries
	patient bool // tests of what the database answers wait for it
	calls   int
}

// Node implements [coverage.Noder].
func (n *noder) Node(lines [][]coverage.Point) ([][]coverage.Point, error) {
	in := make(orb.MultiLineString, 0, len(lines))
	segments := 0
	for _, l := range lines {
		segments += len(l) - 1
		ls := make(orb.LineString, len(l))
		for i, p := range l {
			ls[i] = p.LonLat()
		}
		in = append(in, ls)
	}
	if segments > maxNoded {
		return lines, nil
	}
	n.calls++
	ctx := n.ctx
	if !n.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxNodding)
		defer cancel()
	}
	out, err := n.ask(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoding, err)
	}
	return out, nil
}

func (n *noder) ask(ctx context.Context, in orb.MultiLineString) ([][]coverage.Point, error) {
	rows, err := n.tx.Query(ctx, n.queries.Get("edit_node"), geo.Shape{Geometry: in}, coverage.GridSize)
	if err != nil {
		return nil, err
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
	return out, err
}
