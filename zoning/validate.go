package zoning

import (
	"context"
	"encoding/json"
	"fmt"

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
	var out Validation
	err := s.look(ctx, who, plan, func(tx pgx.Tx, p editPlan) error {
		zones, err := s.editZones(ctx, tx, p.ID, "edit_zones_all")
		if err != nil {
			return err
		}
		c := whole(p, zones)
		out.Violations, out.Zones = c.Check(), len(zones)
		for i := range zones {
			z := &zones[i]
			out.Vertices += vertices(z.Shape)
			if z.Level == 0 {
				out.Violations = append(out.Violations, z.lacks(Ungraded))
			} else if z.Reason == "" && z.regraded() {
				out.Violations = append(out.Violations, z.lacks(ReasonRequired))
			}
		}
		return nil
	})
	return out, wrap("validate", err)
}

func whole(p editPlan, zones []Zone) *coverage.Coverage {
	c := &coverage.Coverage{Zones: make(map[coverage.ID]coverage.Shape, len(zones)), Area: p.Border, Exhaustive: p.Exhaustive}
	for i := range zones {
		c.Zones[coverage.ID(zones[i].Zone)] = zones[i].Shape
	}
	return c
}

// lacks is a fault of a zone that is not one of its shape, at a place in it.
func (z *Zone) lacks(code coverage.Code) coverage.Violation {
	v := coverage.Violation{Code: code, Zones: []coverage.ID{coverage.ID(z.Zone)}}
	if len(z.Shape) > 0 {
		v.At = first(coverage.Op{Shape: z.Shape})
	}
	return v
}

// regraded says whether the level is another than the computation gave.
func (z *Zone) regraded() bool {
	var a struct {
		Computed int `json:"computed_level"`
	}
	return json.Unmarshal(z.Attrs, &a) == nil && a.Computed != 0 && a.Computed != z.Level
}

// check looks at the topology of the whole plan, in the transaction that submits,
// approves or publishes it.
func (s *Service) check(ctx context.Context, tx pgx.Tx, p Plan) ([]coverage.Violation, error) {
	e, err := s.editPlan(ctx, tx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("zoning: check: %w", err)
	}
	zones, err := s.editZones(ctx, tx, p.ID, "edit_zones_all")
	if err != nil {
		return nil, fmt.Errorf("zoning: check: %w", err)
	}
	return whole(e, zones).Check(), nil
}
