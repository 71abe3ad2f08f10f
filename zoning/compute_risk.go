package zoning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onemap/internal/auth"
)

// riskPlanInput names the zones of a plan of risk among the inputs of a computation.
const riskPlanInput = "risk_plan"

// riskPlan finds the plan whose zones say the risk, under what the asker sees: a draft of
// his, or a version that is in force. Its levels must be those the matrix is for.
func (s *Service) riskPlan(ctx context.Context, by auth.By, c *computation) error {
	const path = "prevention/risk_plan"
	unknown := newFault(path, "unknown", "没有这个区划方案", "there is no such plan")
	id, ok := canonical(c.spec.Prevention.RiskPlan)
	if !ok {
		return unknown
	}
	p, err := s.Plan(ctx, by.Identity, id)
	if errors.Is(err, auth.ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	ladder := p.Ladder
	if ladder == "" {
		ladder = usualLadder(p.Kind)
	}
	switch {
	case p.Kind != Risk:
		return newFault(path, "kind", "应为风险区划", "it is a plan of risk")
	case ladder != c.table.RiskLadder:
		return newFault(path, "ladder", "该方案的等级方案("+ladder+")与判定矩阵的("+c.table.RiskLadder+")不同", "its ladder is "+ladder+", and that of the matrix "+c.table.RiskLadder)
	case !p.Scope.Overlaps(c.plan.Scope):
		return newFault(path, "elsewhere", "该方案不在本区域", "the plan is of another area")
	}
	if p.State != Published {
		c.warns("risk_plan_not_in_force", path, "所用的风险区划第 "+fmt.Sprint(p.VersionNo)+" 版不是现行版本", fmt.Sprintf("version %d of the plan of risk is not in force", p.VersionNo))
	}
	c.spec.Prevention.RiskPlan, c.given = p.ID, &p
	return nil
}

// riskLevels are the units' levels in the plan of risk: of each the one that most of its
// ground has, and of two that have as much the worse. A unit of which the plan grades less
// than half is not known.
func (g *gauge) riskLevels(ctx context.Context, c *computation, d *readings) ([]int, error) {
	in := ComputeInput{ID: riskPlanInput, Layer: "zones", Datasets: fmt.Sprintf("%s(第 %d 版)", c.given.Title, c.given.VersionNo), Position: d.position}
	if c.given.EffectiveFrom != nil {
		in.Date = c.given.EffectiveFrom.Format(time.DateOnly)
	}
	cover, zones, err := g.gradedGround(ctx, c.given.ID)
	if err != nil {
		return nil, err
	}
	in.Rows = zones
	d.inputs = append(d.inputs, in)
	out := make([]int, len(g.m.km2))
	unknown := 0
	for i, by := range cover {
		most, all := 0.0, 0.0
		for level := 1; level <= len(c.risk.Items); level++ {
			all += by[level]
			if by[level] > most*(1+1e-9) {
				most, out[i] = by[level], level
			}
		}
		if all < g.m.km2[i]/2 {
			out[i] = 0
			unknown++
		}
	}
	if unknown > 0 {
		c.warns("risk_missing_units", "prevention/risk_plan", fmt.Sprintf("有 %d 个单元过半未被风险区划定级，这些单元不评级", unknown), fmt.Sprintf("in %d units more than half is not graded by the plan of risk: they are not graded", unknown))
	}
	return out, nil
}
