package api

import (
	"context"
	"time"

	"onemap/incidents/papers"
	"onemap/internal/auth"
	"onemap/internal/impact"
	"onemap/internal/registry"
)

// postPaperEstimates asks what is inside an area and takes the figures into a draft, each
// with how it was counted, its range and as of when. They are estimates wherever they
// stand, and never reported figures.
func (s *Server) postPaperEstimates(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPaper(ctx, req)
	if err != nil {
		return nil, err
	}
	var b impactBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	a, _, err := s.askImpact(ctx, req, &b)
	if err != nil {
		return nil, err
	}
	if a.Target.Exercise && !p.Exercise {
		return nil, &auth.Conflict{Code: "exercise", ZH: "演练的估算不能放入实战文书", EN: "figures of an exercise do not go into a real paper"}
	}
	p, err = s.opts.Papers.Estimate(ctx, s.by(req), p.ID, version, estimatesOf(a))
	if err != nil {
		return nil, err
	}
	return s.paperResponse(ctx, req, p)
}

// estimatesOf are the figures of an answer as a paper takes them.
func estimatesOf(a *impact.Answer) []papers.Figure {
	source := "影响估算"
	if a.Target.Title != "" {
		source += "：" + a.Target.Title
	}
	source += "（" + targetWords(a.Target) + "）"
	at := a.At.UTC().Truncate(time.Second)
	var out []papers.Figure
	add := func(key, title string, n int, unit, method string) *papers.Figure {
		v := float64(n)
		out = append(out, papers.Figure{Key: "est_" + key, Title: title, Value: &v, Unit: unit, Method: method, AsOf: at, Source: source, Kind: papers.KindEstimate})
		return &out[len(out)-1]
	}
	if q := a.People; q != nil {
		method := basisWords(q.Method, q.Basis, registry.Chinese)
		if names := sourceNames(a); names != "" {
			method += "，数据来源 " + names
		}
		f := add("people", "涉及人口", q.Total, "人", method+"；下限只计整个在内的单元，上限计入所有相交单元")
		low, high := float64(q.Low), float64(q.High)
		f.Low, f.High = &low, &high
		for _, g := range q.Groups {
			switch g.Name {
			case "elderly":
				add("elderly", "其中 60 岁以上", g.Count, "人", method)
			case "children":
				add("children", "其中 15 岁以下", g.Count, "人", method)
			}
		}
	}
	villages := 0
	for _, u := range a.Admin {
		if u.Code != "" {
			villages++
		}
	}
	if villages > 0 {
		add("villages", "涉及村（社区）", villages, "个", "与范围相交的行政区划单元")
	}
	if b := a.Buildings; b != nil {
		add("buildings", "涉及房屋", b.Count, "栋", "位置在范围内的房屋，按图层记录计")
	}
	for _, k := range []struct {
		key, title string
		kinds      *impact.Kinds
	}{
		{"facilities", "重要设施", a.Facilities}, {"key_places", "重点场所", a.KeyPlaces}, {"enterprises", "企业", a.Enterprise}, {"hazard_sources", "重大危险源", a.Sources},
	} {
		if k.kinds != nil {
			add(k.key, k.title, k.kinds.Total, "处", "位置在范围内，按图层记录计")
		}
	}
	if s := a.Shelters; s != nil {
		add("shelters_inside", "范围内不可用避难场所", s.Inside.Total, "处", "位置在范围内的避难场所")
	}
	return out
}
