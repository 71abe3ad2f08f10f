package api

import (
	"context"
	"errors"
	"strings"

	"onemap/internal/auth"
	"onemap/internal/features"
	"onemap/internal/registry"
)

// seriesPrefix asks for what a series has in force instead of for one version.
const seriesPrefix = "series:"

// planDrafts says whether the rows of a plan are not shown yet. Whoever may not see the
// plan is answered as if there were none; he is asked every time, so that no cached tile
// of a draft reaches anybody whose rights ended.
func (s *Server) planDrafts(ctx context.Context, req *Request, id string) (bool, error) {
	p, err := s.opts.Zoning.Plan(ctx, req.Who, id)
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return false, hidden(req)
	case err != nil:
		return false, err
	}
	return p.PublishedAt == nil, nil
}

// version reads plan= of a layer that has plans.
func (s *Server) version(ctx context.Context, req *Request, l *registry.Layer) (features.Version, error) {
	var v features.Version
	given, has := req.Query.Get("plan")
	if !has {
		return v, nil
	}
	if _, ok := l.Field("plan"); !ok || !l.Own {
		return v, invalid("plan", "此图层没有区划方案", "this layer has no plans")
	}
	id, series := strings.CutPrefix(given, seriesPrefix)
	if !uuidText(id) {
		return v, invalid("plan", "应为区划方案编号或 series:<编号>", "it is the id of a plan, or series:<id>")
	}
	v.Plan, v.Series = strings.ToLower(id), series
	if series {
		return v, nil
	}
	var err error
	v.Drafts, err = s.planDrafts(ctx, req, v.Plan)
	return v, err
}
