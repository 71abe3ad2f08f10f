package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
)

// record writes the row of the audit, in the transaction of the change.
func (s *Service) record(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, p Plan, reason string, before, after any) error {
	return audit.Record(ctx, tx, audit.Entry{
		Doer: by.Doer(g), Action: action, Object: "plans/" + p.ID, Area: p.Area, Outcome: audit.Done,
		Reason: audit.Clip(reason), Before: before, After: after,
	})
}
