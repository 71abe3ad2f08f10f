package incidents

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// KPILine are the figures of a township, or of all. Drills and what was merged are out.
type KPILine struct {
	Area, Title             string
	Incidents, Closed, Open int
	Clocks, Late            int // of all clocks that ended or ran out
	ReportMinutes           []float64
	ResponseMinutes         []float64
	byClock                 map[string]*KPIClock
}

// KPIClock are the figures of one deadline.
type KPIClock struct {
	Name, TitleZH, TitleEN string
	Done, Late, Running    int
	Minutes                []float64 // from its start, of those that ended
}

// ByClock are the deadlines of the line, by name.
func (l KPILine) ByClock() []KPIClock {
	var out []KPIClock
	for _, c := range l.byClock {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b KPIClock) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// KPI is how a period went.
type KPI struct {
	From, To  time.Time
	Total     KPILine
	Townships []KPILine
	Rules     int
	Verified  bool
}

func (l *KPILine) add(f facts, list []Clock) {
	l.Incidents++
	if slices.Contains(openStates(), f.State) {
		l.Open++
	} else {
		l.Closed++
	}
	if f.KnownAt != nil && f.RespondingAt != nil && !f.RespondingAt.Before(*f.KnownAt) {
		l.ResponseMinutes = append(l.ResponseMinutes, f.RespondingAt.Sub(*f.KnownAt).Minutes())
	}
	if first := earliest(f.Sent, func(s sent) bool { return s.Kind == "first" }); first != nil && f.KnownAt != nil {
		l.ReportMinutes = append(l.ReportMinutes, max(0, first.Sub(*f.KnownAt).Minutes()))
	}
	if l.byClock == nil {
		l.byClock = map[string]*KPIClock{}
	}
	for _, c := range list {
		k := l.byClock[c.Name]
		if k == nil {
			k = &KPIClock{Name: c.Name, TitleZH: c.TitleZH, TitleEN: c.TitleEN}
			l.byClock[c.Name] = k
		}
		switch {
		case c.DoneAt != nil:
			k.Done++
			k.Minutes = append(k.Minutes, c.DoneAt.Sub(c.StartsAt).Minutes())
		case !c.Late:
			k.Running++
			continue
		}
		l.Clocks++
		if c.Late {
			l.Late++
			k.Late++
		}
	}
}

// KPI tells of what became known in a period, as far as the asker sees it.
func (s *Service) KPI(ctx context.Context, who *auth.Identity, from, to time.Time, area string) (KPI, error) {
	out := KPI{From: from, To: to}
	var scope any
	if area != "" {
		a, err := geo.ParseScope(area)
		if err != nil {
			return out, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码", EN: "it is an administrative code"}}}
		}
		scope = a
	}
	snap := s.catalogue.Now()
	rules, err := clockRulesOf(snap)
	if err != nil {
		return out, err
	}
	out.Rules, out.Verified = rules.Version, rules.Verified
	now := s.now()
	towns := map[string]*KPILine{}
	err = s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("incident_kpi"), []any{from, to, scope}, func(rows pgx.Rows) error {
		_, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
			var f facts
			var code, name string
			var level, proposed int
			var sentJSON, keptJSON []byte
			if err := row.Scan(&code, &name, &f.Kind, &f.State, &level, &proposed, &f.OccurredAt, &f.KnownAt, &f.ClosedAt, &f.RespondingAt, &f.ArchivedAt, &sentJSON, &keptJSON); err != nil {
				return struct{}{}, err
			}
			if f.Level = level; level == 0 {
				f.Level = proposed
			}
			if f.ArchivedAt == nil && f.State == Archived {
				f.ArchivedAt = f.ClosedAt
			}
			if err := f.read(sentJSON, keptJSON); err != nil {
				return struct{}{}, err
			}
			list := clocks(rules, f, snap.Location(), now)
			t := towns[code]
			if t == nil {
				t = &KPILine{Area: code, Title: name}
				towns[code] = t
			}
			t.add(f, list)
			out.Total.add(f, list)
			return struct{}{}, nil
		})
		return err
	})
	for _, t := range towns {
		out.Townships = append(out.Townships, *t)
	}
	slices.SortFunc(out.Townships, func(a, b KPILine) int { return cmp.Compare(a.Area, b.Area) })
	return out, wrap("kpi", err)
}
