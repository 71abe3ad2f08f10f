package demostore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

// gaugeStep is how often a demo gauge speaks.
const gaugeStep = 10 * time.Minute

// Gauges lets the county's gauges say what they said between two times. Told again it
// changes nothing.
func (s *Store) Gauges(ctx context.Context, dataset string, from, to time.Time) error {
	err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("gauges_months"), from, to); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("gauges_levels"), dataset); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, s.queries.Get("gauges_say"), dataset, from, to, int(gaugeStep.Minutes()))
		return err
	})
	if err != nil {
		return fmt.Errorf("demostore: gauges: %w", err)
	}
	return nil
}
