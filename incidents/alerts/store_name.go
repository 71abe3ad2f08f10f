package alerts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/cap"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// Identifier makes a national identifier nobody has: of the house's county, of a source's
// issuer, for a warning that is written down here because it came by telephone.
func (s *Service) Identifier(ctx context.Context, named string, at time.Time) (string, error) {
	snap := s.catalogue.Now()
	src, ok := rulesOf(snap).of(named, "")
	if !ok {
		return "", fault("source", "unknown", "没有此预警来源(见规则集 alert_sources)", "there is no such source in the rule set alert_sources")
	}
	if src.Issuer == "" {
		src.Issuer = "00000000"
	}
	for n := range 10 {
		id, err := cap.MakeIdentifier(snap.Home().Code, src.Issuer, at, n)
		if err != nil {
			return "", fault("identifier", "cannot_be_made", "不能生成 31 位标识：请先设置本地行政区划(home)，或填写原标识", "the identifier cannot be made: set the home area, or give the one it came with")
		}
		var taken bool
		err = s.db.Intake.Ask(ctx, db.System("onemap"), s.queries.Get("made_before"), []any{id}, func(rows pgx.Rows) (err error) {
			taken, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
			return err
		})
		if err != nil || !taken {
			return id, wrap("identifier", err)
		}
	}
	return "", clash("identifier_taken", "同一秒内已有十条预警", "there are ten of this second")
}

// References are the names an alert is referred to by, of alerts the asker reads.
func (s *Service) References(ctx context.Context, by auth.By, ids []string) (out []cap.Reference, err error) {
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		list, err := s.named(ctx, tx, ids)
		for _, e := range list {
			for _, id := range ids {
				if e.identifier == id && e.sent != nil {
					out = append(out, cap.Reference{Sender: e.sender, Identifier: id, Sent: *e.sent})
				}
			}
		}
		return err
	})
	for _, id := range ids {
		known := false
		for _, r := range out {
			known = known || r.Identifier == id
		}
		if !known {
			out = append(out, cap.Reference{Sender: "unknown", Identifier: id})
		}
	}
	return out, wrap("references", err)
}
