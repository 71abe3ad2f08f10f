package sync

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// Tables that are told of on streams.
const (
	CaseTable    = "sync_case"
	ReceiptTable = "sync_receipt"
)

// DeskAreas are where somebody decides; nil for whoever has no desk.
func (s *Service) DeskAreas(who *auth.Identity) geo.Scopes {
	all, _, err := s.desks(auth.By{Identity: who})
	if err != nil {
		return nil
	}
	return all
}

// CaseNews is as much of a case as a desk is told at once: that there is one, and from
// when on it is the county's too.
type CaseNews struct {
	ID, Sort, State, Outcome string
	Scope                    geo.Scope
	Due                      time.Time
}

// CasesIn gives those of the cases that lie within the areas.
func (s *Service) CasesIn(ctx context.Context, areas geo.Scopes, ids []string) (out []CaseNews, err error) {
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err = s.opts.DB.Query.Ask(ctx, claims, s.queries.Get("case_news"), []any{ids, areas}, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c CaseNews, err error) {
			return c, row.Scan(&c.ID, &c.Sort, &c.State, &c.Outcome, &c.Scope, &c.Due)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sync: news of cases: %w", err)
	}
	return out, nil
}

// ReceiptsOf gives those of the receipts that are one person's own.
func (s *Service) ReceiptsOf(ctx context.Context, actor string, ops []string) ([]Receipt, error) {
	claims := db.Claims{Actor: actor, Role: "stream", Reach: db.NewReach(db.Areas{})}
	return s.receiptsUnder(ctx, claims, "receipts", actor, ops)
}
