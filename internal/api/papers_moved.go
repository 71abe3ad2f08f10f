package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"onemap/incidents/evacuation"
	"onemap/incidents/papers"
	"onemap/internal/auth"
)

// movedCallouts are the call-outs a paper tells of: those ordered for its incident; of a
// response, and of an incident that has none of its own, those that went on in the area of the
// paper meanwhile. What is of an exercise is told by papers of exercises alone.
func (s *Server) movedCallouts(ctx context.Context, who *auth.Identity, p papers.Paper, m *papers.Material) ([]evacuation.Callout, error) {
	list, _, err := s.opts.Evacuation.Callouts(ctx, who, evacuation.Filter{Exercise: strconv.FormatBool(p.Exercise), Limit: 500})
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(list), func(c evacuation.Callout) bool { return p.Incident == "" || c.Incident != p.Incident })
	if m.Response == nil && len(own) > 0 {
		return own, nil
	}
	since, until := meanwhile(m)
	return slices.DeleteFunc(list, func(c evacuation.Callout) bool {
		return c.StartedAt.After(until) || c.EndedAt != nil && c.EndedAt.Before(since)
	}), nil
}

// meanwhile is the time a paper tells of: since its incident was known or its response
// started, until that was ended.
func meanwhile(m *papers.Material) (since, until time.Time) {
	since, until = m.Now, m.Now
	earlier := func(t *time.Time) {
		if t != nil && t.Before(since) {
			since = *t
		}
	}
	if m.Incident != nil {
		earlier(m.Incident.KnownAt)
		earlier(m.Incident.OccurredAt)
	}
	if m.Response != nil {
		earlier(m.Response.StartedAt)
		for _, o := range m.Response.Orders {
			if o.Act == "end" {
				until = o.At
			}
		}
	}
	return since, until
}

// movedFigures adds what the 转移 board has. The board is counted village by village and says
// so; 紧急转移 as the incident was reported is never added to it: where nobody reported any,
// the board's number stands there with the board as its source.
func (s *Server) movedFigures(ctx context.Context, who *auth.Identity, p papers.Paper, m *papers.Material) error {
	if m.Incident == nil && m.Response == nil {
		return nil
	}
	list, err := s.movedCallouts(ctx, who, p, m)
	if err != nil || len(list) == 0 {
		return err
	}
	var villages []evacuation.Village
	var at time.Time
	var orders []string // by kind and time: what a desk wrote over one is not everybody's who reads the paper
	zone := s.opts.Catalogue.Now().Location()
	seen := map[string]bool{}
	for _, c := range list { // the newest first: it counts for a village that several have
		b, err := s.opts.Evacuation.Board(ctx, who, evacuation.Filter{ID: c.ID})
		if err != nil {
			return err
		}
		told := false
		for _, v := range b.Villages {
			if !seen[v.Code] {
				seen[v.Code], told = true, true
				villages = append(villages, v)
			}
		}
		if at = b.At; told {
			what := "叫应令"
			if c.Kind == evacuation.EvacuateNow {
				what = "立即转移令"
			}
			orders = append(orders, c.StartedAt.In(zone).Format("01-02 15:04")+" "+what)
		}
	}
	if len(villages) == 0 {
		return nil
	}
	t := evacuation.Sum(villages)
	at = at.UTC().Truncate(time.Second)
	method := fmt.Sprintf("转移台账，村报数合计，%d 个村", t.Villages)
	if t.Unknown > 0 {
		method += fmt.Sprintf("，其中 %d 个村无应转数", t.Unknown)
	}
	if p.Area != "" {
		method += "，只计本区域（" + m.Area + "）"
	}
	source := "转移看板（" + strings.Join(orders[:min(len(orders), 3)], "、")
	if len(orders) > 3 {
		source += fmt.Sprintf(" 等 %d 次叫应", len(orders))
	}
	source += "）"
	one := func(key, title, method string, n int) papers.Figure {
		return papers.Figure{Key: key, Title: title, Value: figureValue(&n), Unit: "人", Method: method, AsOf: at, Source: source, Kind: papers.KindReported}
	}
	if i := slices.IndexFunc(m.Figures, func(f papers.Figure) bool { return f.Key == "evacuated" && f.Value == nil }); i >= 0 {
		m.Figures[i] = one("evacuated", "紧急转移", "事件未另行上报，取“已转移”："+method, t.Moved)
	}
	m.Figures = append(m.Figures, one("evac_to_move", "应转移", method, t.ToMove), one("evac_moved", "已转移", method, t.Moved),
		one("evac_not_moved", "未转移", method, t.NotMoved), one("evac_refused", "拒绝转移", method, t.Refused))
	return nil
}
