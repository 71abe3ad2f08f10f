package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// writeZones writes rows of a plan: zones in after are made or changed, those in removed
// deleted. ID, FID, Version and AreaKm2 of after are what the database gave. A zone whose
// Version is 0 is new; another must still be of that version ([auth.ErrStaleVersion]).
func (s *Service) writeZones(ctx context.Context, tx pgx.Tx, p Plan, after []Zone, removed []string) error {
	return errUnfinished
}
