package zoning

import (
	"context"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// What a whole plan may lack beside its topology.
const (
	Ungraded       coverage.Code = "ungraded"        // a zone without a level
	ReasonRequired coverage.Code = "reason_required" // a level other than the computed one, without a reason
)

// Validation is everything that stands against a plan, and what was looked at.
type Validation struct {
	Violations      []coverage.Violation
	Zones, Vertices int
}

// OK says that nothing stands against the plan.
func (v Validation) OK() bool { return len(v.Violations) == 0 }

// Validate looks at the whole plan: whether its zones fit together, which are not graded,
// which were graded otherwise than computed without a reason.
func (s *Service) Validate(ctx context.Context, who *auth.Identity, plan string) (Validation, error) {
	return Validation{}, errUnfinished
}

// check looks at the topology of the whole plan, in the transaction that submits,
// approves or publishes it.
func (s *Service) check(ctx context.Context, tx pgx.Tx, p Plan) ([]coverage.Violation, error) {
	return nil, errUnfinished
}
