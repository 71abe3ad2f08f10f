package demostore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

// relief tells of what command has and sends: stock, promised places, dispatches.
func (s *Store) relief(ctx context.Context, dataset string) error {
	return s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		for _, name := range []string{"relief_stock", "relief_moves", "relief_reservations", "relief_reserved", "relief_dispatches", "relief_goods"} {
			if _, err := tx.Exec(ctx, s.queries.Get(name), dataset); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

// reliefRemovals are the queries that take it out again.
func reliefRemovals() []string {
	return []string{"remove_relief_checkins", "remove_relief_reservations", "remove_relief_dispatches", "remove_relief_moves", "remove_relief_stock", "remove_relief_positions"}
}
