package api

import (
	"context"

	"onemap/internal/auth"
	"onemap/zoning"
)

// PlanCompute makes zones of indicators.
type PlanCompute interface {
	Indicators(ctx context.Context, who *auth.Identity) []zoning.IndicatorSource
	CheckCompute(ctx context.Context, by auth.By, plan string, spec zoning.ComputeSpec) error
	Compute(ctx context.Context, by auth.By, plan string, spec zoning.ComputeSpec, step func(done, total int, what string)) (zoning.ComputeResult, error)
}

// limitCompute leaves room for a comparison matrix and many indicators.
const limitCompute = 512 << 10

type measureAnswer struct {
	Measure   string  `json:"measure"`
	Field     *string `json:"field"`
	Title     string  `json:"title"`
	Unit      *string `json:"unit"`
	Group     *string `json:"group"`
	Direction *string `json:"direction"`
	Normalise *string `json:"normalise"`
}

type indicatorAnswer struct {
	Source   string          `json:"source"`
	Layer    string          `json:"layer"`
	Title    string          `json:"title"`
	Ready    bool            `json:"ready"`
	Geometry string          `json:"geometry"`
	Rule     *zoning.RuleRef `json:"rule"`
	Measures []measureAnswer `json:"measures"`
}

func (s *Server) getIndicators(ctx context.Context, req *Request) (*Response, error) {
	out := []indicatorAnswer{}
	for _, i := range s.opts.Zoning.Indicators(ctx, req.Who) {
		a := indicatorAnswer{Source: i.Source, Layer: i.Layer, Title: i.Title.In(req.Lang), Ready: i.Ready, Geometry: i.Geometry, Measures: []measureAnswer{}}
		if i.Rule.Rule != "" {
			a.Rule = &i.Rule
		}
		for _, m := range i.Measures {
			a.Measures = append(a.Measures, measureAnswer{
				m.Measure, optional(m.Field), m.Title.In(req.Lang), optional(m.Unit.In(req.Lang)), optional(m.Group), optional(string(m.Direction)), optional(string(m.Normalise)),
			})
		}
		out = append(out, a)
	}
	return private(map[string]any{"indicators": out})
}

// postPlanCompute checks what can be checked at once and leaves the rest to a job.
func (s *Server) postPlanCompute(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	var spec zoning.ComputeSpec
	if err := readJSON(req, &spec); err != nil {
		return nil, err
	}
	by := s.by(req)
	if err := s.opts.Zoning.CheckCompute(ctx, by, p.ID, spec); err != nil {
		return nil, err
	}
	job, err := s.opts.Jobs.Start(ctx, by, "plan.compute", "计算 "+p.Title, "Compute "+p.Title, "plans/"+p.ID,
		func(ctx context.Context, step func(done, total int, what string)) (any, error) {
			return s.opts.Zoning.Compute(ctx, by, p.ID, spec, step)
		})
	if err != nil {
		return nil, err
	}
	return accepted(job, req)
}
