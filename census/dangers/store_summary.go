package dangers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Figures are the counts of one group and the rates made of them. A rate without anything
// to count is nil.
//
//	销号率     ClosureRate = closed / total accepted
//	按期销号率 InTimeRate  = closed in time / (closed + overdue): of what is decided
//	逾期率     OverdueRate = overdue / open
type Figures struct {
	Group                                                      string
	Total, Closed, InTime, Open, Overdue, Serious, SeriousOpen int
	Listed                                                     int
	ClosureRate, InTimeRate, OverdueRate                       *float64
}

func (f *Figures) rates() {
	rate := func(n, of int) *float64 {
		if of == 0 {
			return nil
		}
		v := float64(n) / float64(of)
		return &v
	}
	f.ClosureRate, f.InTimeRate, f.OverdueRate = rate(f.Closed, f.Total), rate(f.InTime, f.Closed+f.Overdue), rate(f.Overdue, f.Open)
}

// SummaryQuery says of what: dangers found from From to before To, of an area.
type SummaryQuery struct {
	By       string // unit, kind, level, area
	Area     string
	From, To *time.Time
}

// Summary is the whole and its groups, the worst first.
type Summary struct {
	Whole  Figures
	Groups []Figures
	States map[State]int // of everything seen, reports and drafts too
	Rules  Rules
}

// Summary counts what the asker may see.
func (s *Service) Summary(ctx context.Context, who *auth.Identity, q SummaryQuery) (Summary, error) {
	out := Summary{States: map[State]int{}}
	var area any
	if q.Area != "" {
		scope, err := geo.ParseScope(q.Area)
		if err != nil {
			return out, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "unknown", ZH: "不是行政区划代码", EN: "not an administrative code"}}}
		}
		area = scope
	}
	var err error
	if out.Rules, err = s.Rules(); err != nil {
		return out, err
	}
	unit, now := s.isUnit(who), s.now()
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("summary"), q.By, unit, area, q.From, q.To, now)
		if err != nil {
			return err
		}
		var f Figures
		if _, err := pgx.ForEachRow(rows, []any{&f.Group, &f.Total, &f.Closed, &f.InTime, &f.Open, &f.Overdue, &f.Serious, &f.SeriousOpen, &f.Listed}, func() error {
			f.rates()
			out.Groups = append(out.Groups, f)
			w := &out.Whole
			w.Total, w.Closed, w.InTime, w.Open = w.Total+f.Total, w.Closed+f.Closed, w.InTime+f.InTime, w.Open+f.Open
			w.Overdue, w.Serious, w.SeriousOpen, w.Listed = w.Overdue+f.Overdue, w.Serious+f.Serious, w.SeriousOpen+f.SeriousOpen, w.Listed+f.Listed
			return nil
		}); err != nil {
			return err
		}
		out.Whole.rates()
		rows, err = tx.Query(ctx, s.queries.Get("states"), unit, area, me(who))
		if err != nil {
			return err
		}
		var st State
		var n int
		_, err = pgx.ForEachRow(rows, []any{&st, &n}, func() error { out.States[st] = n; return nil })
		return err
	})
	return out, wrap("summary", err)
}

// The reasons of a reminder.
const (
	RemindOverdue = "overdue"
	RemindDue     = "due_soon"
	RemindStep    = "waits" // for a step of the asker
)

// Reminder is a danger somebody has to look at.
type Reminder struct {
	Danger
	Reason string
	Days   int    // to the deadline; negative after it
	For    string // unit, handle_dangers, approve_dangers: whom it waits for
	Mine   bool   // the asker may take the next step
}

// Reminders are the dangers that are overdue, due within so many days (0: the rule's), or
// wait for a step: the worst first.
func (s *Service) Reminders(ctx context.Context, who *auth.Identity, days int, unit string) ([]Reminder, int, error) {
	rules, err := s.Rules()
	if err != nil {
		return nil, 0, err
	}
	if days <= 0 {
		days = rules.Remind
	}
	page, err := s.Dangers(ctx, who, Query{States: []State{Reported, Verified, Graded, PendingApproval, Rectifying, Reviewing}, Unit: unit, Limit: maxLimit})
	if err != nil {
		return nil, days, err
	}
	now := s.now()
	until := s.deadline(now, days)
	var out []Reminder
	for _, d := range page.Dangers {
		r := Reminder{Danger: d, For: waitsFor(d), Mine: s.mine(who, d)}
		if d.DueAt != nil {
			r.Days = s.daysTo(*d.DueAt)
		}
		switch {
		case d.Overdue:
			r.Reason = RemindOverdue
		case d.DueAt != nil && d.State != Reviewing && !d.DueAt.After(until):
			r.Reason = RemindDue
		case r.Mine && d.State != Rectifying:
			r.Reason = RemindStep
		default:
			continue
		}
		out = append(out, r)
	}
	order := map[string]int{RemindOverdue: 0, RemindDue: 1, RemindStep: 2}
	slices.SortStableFunc(out, func(a, b Reminder) int {
		return cmp.Or(cmp.Compare(order[a.Reason], order[b.Reason]), cmp.Compare(a.Days, b.Days), cmp.Compare(a.ID, b.ID))
	})
	return out, days, nil
}

// daysTo counts days of the office's calendar from today to a moment.
func (s *Service) daysTo(t time.Time) int {
	zone := s.catalogue.Now().Location()
	day := func(t time.Time) time.Time {
		y, m, d := t.In(zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(day(t).Sub(day(s.now())).Hours() / 24)
}

// waitsFor says whom the next step is for.
func waitsFor(d Danger) string {
	switch d.State {
	case Rectifying:
		return "unit"
	case PendingApproval:
		return string(auth.ApproveDangers)
	}
	return string(auth.HandleDangers)
}

// mine says whether the asker may take a step that moves a danger on.
func (s *Service) mine(who *auth.Identity, d Danger) bool {
	for _, a := range s.May(who, d) {
		switch a {
		case "verify", "grade", "dispatch", "submit_plan", "approve", "rectified", "first_review", "close":
			return true
		}
	}
	return false
}
