package api

import (
	"context"
	"math"
	"slices"
	"time"

	"onemap/incidents"
	"onemap/internal/registry"
)

type kpiClock struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Done   int      `json:"done"`
	Late   int      `json:"late"`
	Open   int      `json:"running"`
	Mean   *float64 `json:"mean_minutes"`
	Median *float64 `json:"median_minutes"`
}

type kpiAnswer struct {
	Area      *string    `json:"area"`
	AreaTitle *string    `json:"area_title"`
	Incidents int        `json:"incidents"`
	Open      int        `json:"open"`
	Closed    int        `json:"closed"`
	Closure   *float64   `json:"closure_rate"`
	Clocks    int        `json:"clocks"`
	Late      int        `json:"late"`
	LateRate  *float64   `json:"late_rate"`
	Report    *float64   `json:"report_minutes_median"`
	Response  *float64   `json:"response_minutes_median"`
	ByClock   []kpiClock `json:"by_clock"`
}

// rate is a share, nil where there is nothing to have one of.
func rate(n, of int) *float64 {
	if of == 0 {
		return nil
	}
	r := math.Round(float64(n)/float64(of)*10000) / 10000
	return &r
}

func oneDecimal(v float64) *float64 {
	v = math.Round(v*10) / 10
	return &v
}

func median(list []float64) *float64 {
	if len(list) == 0 {
		return nil
	}
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return oneDecimal((s[n/2-1] + s[n/2]) / 2)
	}
	return oneDecimal(s[len(s)/2])
}

func mean(list []float64) *float64 {
	if len(list) == 0 {
		return nil
	}
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return oneDecimal(sum / float64(len(list)))
}

func kpiLine(l incidents.KPILine, lang registry.Lang) kpiAnswer {
	a := kpiAnswer{
		Area: optional(l.Area), AreaTitle: optional(l.Title), Incidents: l.Incidents, Open: l.Open, Closed: l.Closed, Closure: rate(l.Closed, l.Incidents),
		Clocks: l.Clocks, Late: l.Late, LateRate: rate(l.Late, l.Clocks), Report: median(l.ReportMinutes), Response: median(l.ResponseMinutes), ByClock: []kpiClock{},
	}
	for _, c := range l.ByClock() {
		a.ByClock = append(a.ByClock, kpiClock{c.Name, text(c.TitleZH, c.TitleEN).In(lang), c.Done, c.Late, c.Running, mean(c.Minutes), median(c.Minutes)})
	}
	return a
}

// getKPI tells how a period went, by township: drills and what was merged are out.
func (s *Server) getKPI(ctx context.Context, req *Request) (*Response, error) {
	to := req.Received
	from := to.AddDate(0, 0, -30)
	for name, into := range map[string]*time.Time{"from": &from, "to": &to} {
		if v, given := req.Query.Get(name); given {
			at, ok := instant(v)
			if !ok {
				return nil, invalid(name, "应为带时区的时间", "it is a time with its zone")
			}
			*into = at
		}
	}
	if !to.After(from) || to.Sub(from) > 5*366*24*time.Hour {
		return nil, invalid("to", "须晚于 from，至多五年", "it is after from, five years at most")
	}
	k, err := s.opts.Incidents.KPI(ctx, req.Who, from, to, req.Query.Value("area"))
	if err != nil {
		return nil, err
	}
	towns := make([]kpiAnswer, 0, len(k.Townships))
	for _, t := range k.Townships {
		towns = append(towns, kpiLine(t, req.Lang))
	}
	return private(map[string]any{
		"from": k.From, "to": k.To, "total": kpiLine(k.Total, req.Lang), "townships": towns, "rules": map[string]any{"rule": "incident_clocks", "version": k.Rules, "verified": k.Verified},
		"statement": text("按接报时间统计；演练和已合并的不计；迟报按时限完成时或已超时判定", "by the time it was known; drills and merged ones are out; late is a clock that ended or ran out late").In(req.Lang),
	})
}
