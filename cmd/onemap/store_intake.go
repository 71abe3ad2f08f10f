package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

// intakePlaces are the grids of the demo county, each with a point inside.
func intakePlaces(ctx context.Context, d *database) ([]place, error) {
	q, err := db.LoadQueries(queryFiles, "queries")
	if err != nil {
		return nil, err
	}
	var out []place
	err = d.Bulk.Ask(ctx, db.System("bench"), q.Get("intake_places"), nil, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
			err = row.Scan(&p.code, &p.lon, &p.lat)
			return p, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bench: places: %w", err)
	}
	return out, nil
}

// intakeCount is what the database holds of a load run.
type intakeCount struct {
	rows, doubled, found, photos int
	operations                   map[string]int
}

func intakeCounts(ctx context.Context, d *database, devices string, reports []string, photos [][]byte) (intakeCount, error) {
	c := intakeCount{operations: map[string]int{}}
	q, err := db.LoadQueries(queryFiles, "queries")
	if err != nil {
		return c, err
	}
	err = d.Bulk.Tx(ctx, db.System("bench"), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, q.Get("intake_rows"), devices).Scan(&c.rows, &c.doubled); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, q.Get("intake_found"), reports).Scan(&c.found); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, q.Get("intake_photos"), photos).Scan(&c.photos); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, q.Get("intake_ops"), devices)
		if err != nil {
			return err
		}
		var status string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error { c.operations[status] = n; return nil })
		return err
	})
	if err != nil {
		return c, fmt.Errorf("bench: count: %w", err)
	}
	return c, nil
}
