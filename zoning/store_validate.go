package zoning

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// Validate looks at the whole plan: whether its zones fit together, which are not graded,
// which were graded otherwise than computed without a reason.
func (s *Service) Validate(ctx context.Context, who *auth.Identity, plan string) (Validation, error) {
	var out Validation
	err := s.look(ctx, who, plan, func(tx pgx.Tx, p editPlan) error {
		zones, err := s.editZones(ctx, tx, p.ID, "edit_zones_all")
		if err != nil {
			return err
		}
		c := whole(p, zones)
		out.Violations, out.Zones = faulty(c), len(zones)
		for i := range zones {
			z := &zones[i]
			out.Vertices += vertices(z.Shape)
			if z.Level == 0 {
				out.Violations = append(out.Violations, z.lacks(Ungraded))
			} else if !s.onLadder(p.Ladder, z.Level) {
				out.Violations = append(out.Violations, z.lacks(UnknownLevel))
			} else if z.Reason == "" && z.regraded() {
				out.Violations = append(out.Violations, z.lacks(ReasonRequired))
			}
		}
		return nil
	})
	return out, wrap("validate", err)
}

// check looks at the shapes of the whole plan, in the transaction that reads it to be
// submitted, approved or published: they fit together, and none is a sliver.
func (s *Service) check(ctx context.Context, tx pgx.Tx, p Plan) ([]coverage.Violation, error) {
	e, err := s.editPlan(ctx, tx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("zoning: check: %w", err)
	}
	zones, err := s.editZones(ctx, tx, p.ID, "edit_zones_all")
	if err != nil {
		return nil, fmt.Errorf("zoning: check: %w", err)
	}
	bad := faulty(whole(e, zones))
	for i := range zones {
		if z := &zones[i]; z.Level != 0 && !s.onLadder(e.Ladder, z.Level) {
			bad = append(bad, z.lacks(UnknownLevel))
		}
	}
	return bad, nil
}
