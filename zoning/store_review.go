package zoning

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
)

func scanReview(row pgx.CollectableRow) (r Review, err error) {
	return r, row.Scan(&r.Zone, &r.ZoneName, &r.Verdict, &r.Reason, &r.ZoneVersion, &r.Current, &r.Account, &r.By, &r.Name, &r.At)
}

// Reviews are the verdicts on the zones of a version.
func (s *Service) Reviews(ctx context.Context, who *auth.Identity, plan string) ([]Review, error) {
	if _, err := s.Plan(ctx, who, plan); err != nil {
		return nil, err
	}
	out := []Review{}
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("reviews"), []any{plan, nil}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanReview)
		return err
	})
	return out, wrap("reviews", err)
}

// reviewing lets another person than whoever drew the version give verdicts while it is
// in review, and holds the version meanwhile.
func (s *Service) reviewing(ctx context.Context, by auth.By, plan string, do func(tx pgx.Tx, p Plan, g auth.Grant) error) error {
	seen, err := s.known(ctx, by, plan)
	if err != nil {
		return err
	}
	g, err := s.permitted(by, auth.ReviewPlans, seen)
	if err != nil {
		return err
	}
	return refusal(seen, s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		p, err := s.plan(ctx, tx, plan, true)
		if err != nil {
			return err
		}
		if p.State != InReview {
			return &StateError{State: p.State, Code: "cannot_follow", ZH: "方案不在审查中", EN: "the plan is not in review"}
		}
		if slices.Contains(p.Draws, by.Account) {
			return fourEyes(p.State)
		}
		return do(tx, p, g)
	}))
}

// Review says what somebody finds of one zone.
func (s *Service) Review(ctx context.Context, by auth.By, plan, zone string, v Verdict) (Review, error) {
	var f faults
	if v.Verdict != Accepted && v.Verdict != SentBack {
		f.add("verdict", "unknown", "应为 accepted 或 returned", "it is accepted or returned")
	}
	least := 0
	if v.Verdict == SentBack {
		least = reasonMin
	}
	v.Reason = f.text("reason", v.Reason, least, 2000)
	var out Review
	err := s.reviewing(ctx, by, plan, func(tx pgx.Tx, p Plan, g auth.Grant) error {
		if err := f.err(); err != nil {
			return err
		}
		if !uuidText.MatchString(zone) {
			return auth.ErrNotFound
		}
		tag, err := tx.Exec(ctx, s.queries.Get("review_put"), plan, zone, v.Verdict, v.Reason, by.Account, by.Name)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return auth.ErrNotFound
		}
		rows, err := tx.Query(ctx, s.queries.Get("reviews"), plan, zone)
		if err != nil {
			return err
		}
		if out, err = pgx.CollectExactlyOneRow(rows, scanReview); err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				err = auth.ErrNotFound
			}
			return err
		}
		return s.record(ctx, tx, by, g, "plan.review", p, v.Reason, nil, map[string]any{"zone": zone, "verdict": v.Verdict, "zone_version": out.ZoneVersion})
	})
	return out, wrap("review", err)
}

// ReviewAll accepts every zone without a verdict on its present version; it answers how
// many. What was returned as it is now stays returned.
func (s *Service) ReviewAll(ctx context.Context, by auth.By, plan string) (int, error) {
	var n int
	err := s.reviewing(ctx, by, plan, func(tx pgx.Tx, p Plan, g auth.Grant) error {
		tag, err := tx.Exec(ctx, s.queries.Get("review_rest"), plan, by.Account, by.Name)
		if err != nil {
			return err
		}
		n = int(tag.RowsAffected())
		return s.record(ctx, tx, by, g, "plan.review_rest", p, "", nil, map[string]any{"accepted": n})
	})
	return n, wrap("review the rest", err)
}
