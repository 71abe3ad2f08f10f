package incidents

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

func (s *Service) scan(row pgx.CollectableRow) (Report, error) {
	r := Report{takeAfter: s.takeAfter()}
	var g, at geo.Shape
	err := row.Scan(&r.ID, &r.Kind, &r.Urgency, &r.State, &r.Grid, &r.Description, &r.Trapped, &r.Deaths, &r.Missing, &r.Injured, &r.Affected, &r.Houses, &r.LossWan, &r.Place,
		&g, &at, &r.AccuracyM, &r.Doubts, &r.Scope, &r.Home, &r.CapturedAt, &r.ReceivedAt, &r.Photos, &r.Account, &r.Actor, &r.Name,
		&r.SeenAt, &r.SeenAccount, &r.SeenBy, &r.TakenAt, &r.TakenAccount, &r.TakenBy, &r.EndedAt, &r.EndedBy, &r.Note, &r.Version, &r.UpdatedAt)
	r.Geometry = g.Geometry
	if p, ok := at.Geometry.(orb.Point); ok {
		r.Position = &p
	}
	return r, err
}

// filter are the parameters of the query reports.
type filter struct {
	areas          geo.Scopes
	ids            []string
	state, urgency string
	since          *time.Time
	area           *geo.Scope
	alarm          bool
	after          *time.Time
	afterID        *string
	limit          int
}

func (f filter) args() []any {
	var area any
	if f.area != nil {
		area = *f.area
	}
	return []any{f.areas.String(), f.ids, f.state, f.urgency, f.since, area, f.alarm, f.after, f.afterID, f.limit}
}

// Reports are those of the asker's desk, the newest first.
func (s *Service) Reports(ctx context.Context, who *auth.Identity, q Query) (Page, error) {
	out := Page{TakeAfter: s.takeAfter()}
	f := filter{areas: Desk(who, s.now()), state: q.State, urgency: q.Urgency, since: records.Stamp(q.Since), alarm: q.Alarm, limit: 100}
	if len(f.areas) == 0 {
		return out, auth.ErrForbidden
	}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 500)
	}
	var bad []auth.Fault
	if q.Area != "" {
		area, err := geo.ParseScope(q.Area)
		if err != nil {
			bad = append(bad, auth.Fault{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码", EN: "it is an administrative code"})
		}
		f.area = &area
	}
	if q.Cursor != "" {
		at, id, ok := readCursor(q.Cursor)
		if !ok {
			bad = append(bad, auth.Fault{Path: "cursor", Code: "invalid", ZH: "不是此查询的游标", EN: "it is not a cursor of this query"})
		}
		f.after, f.afterID = &at, &id
	}
	if len(bad) > 0 {
		return out, &auth.Invalid{Items: bad}
	}
	limit := f.limit
	f.limit++
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, s.queries.Get("alarms"), f.areas.String()).Scan(&out.Alarms); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("reports"), f.args()...)
		if err != nil {
			return err
		}
		out.Reports, err = pgx.CollectRows(rows, s.scan)
		return err
	})
	if len(out.Reports) > limit {
		out.Reports = out.Reports[:limit]
		last := out.Reports[limit-1]
		out.Next = strconv.FormatInt(last.ReceivedAt.UnixMicro(), 10) + "." + last.ID
	}
	return out, wrap("list", err)
}

func readCursor(c string) (time.Time, string, bool) {
	micros, id, ok := strings.Cut(c, ".")
	n, err := strconv.ParseInt(micros, 10, 64)
	return time.UnixMicro(n), id, ok && err == nil && records.IsID(id) && n > 0 && n < 1<<53
}

// ByIDs are those of the reports that lie in the areas, for the streams.
func (s *Service) ByIDs(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Report, error) {
	out := map[string]Report{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("reports"), filter{areas: areas, ids: ids, limit: len(ids)}.args(), func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, s.scan)
		for _, r := range list {
			out[r.ID] = r
		}
		return err
	})
	return out, wrap("stream", err)
}

func (s *Service) report(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Report, error) {
	rows, err := tx.Query(ctx, s.queries.Get("reports"), filter{areas: Desk(who, s.now()), ids: []string{id}, limit: 1}.args()...)
	if err != nil {
		return Report{}, err
	}
	list, err := pgx.CollectRows(rows, s.scan)
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Report{}, err
	}
	return list[0], nil
}

// find is the report as the asker's desk sees it, with the grant he works on it under.
func (s *Service) find(ctx context.Context, by auth.By, id string) (Report, auth.Grant, error) {
	if !person(by.Identity) || len(Desk(by.Identity, s.now())) == 0 {
		return Report{}, auth.Grant{}, auth.ErrForbidden
	}
	if !records.IsID(id) {
		return Report{}, auth.Grant{}, auth.ErrNotFound
	}
	var r Report
	err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		r, err = s.report(ctx, tx, by.Identity, id)
		return err
	})
	if err != nil {
		return r, auth.Grant{}, err
	}
	g, ok := desk(by.Identity, r, s.now())
	if !ok {
		return r, g, auth.ErrForbidden
	}
	return r, g, nil
}

// Readable says whether somebody may read a report and its photos: his desk may, and who
// sent it. To ask is not to have seen it.
func (s *Service) Readable(ctx context.Context, who *auth.Identity, id string) (bool, error) {
	if !person(who) || !records.IsID(id) {
		return false, nil
	}
	found := false
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("readable"), []any{id, Desk(who, s.now()).String(), who.Actor()}, func(rows pgx.Rows) error {
		var err error
		found, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
		return err
	})
	return found, wrap("readable", err)
}

// Open shows one report to a person at the desk, who thereby has seen it: the first of
// them is noted with name and time, and the sender gets it as a receipt.
func (s *Service) Open(ctx context.Context, by auth.By, id string) (Report, error) {
	r, g, err := s.find(ctx, by, id)
	if err != nil || r.SeenAt != nil || r.Account == by.Account {
		return r, wrap("open", err)
	}
	return s.step(ctx, by, r, g, nil, Step{To: Seen})
}

// Step changes the state of a report. Seeing and taking go by themselves: they happen
// once whatever version was looked at, and a version, where one is given, is held to.
// Dismissing and closing need the version.
func (s *Service) Step(ctx context.Context, by auth.By, id string, version *int64, step Step) (Report, error) {
	r, g, err := s.find(ctx, by, id)
	if err != nil {
		return r, wrap("step", err)
	}
	return s.step(ctx, by, r, g, version, step)
}

func (s *Service) step(ctx context.Context, by auth.By, r Report, g auth.Grant, version *int64, step Step) (Report, error) {
	step.Note = strings.TrimSpace(step.Note)
	if n := utf8.RuneCountInString(step.Note); n > 2000 || strings.ContainsRune(step.Note, 0) || step.To == Dismissed && n < 2 {
		return r, &auth.Invalid{Items: []auth.Fault{{Path: "note", Code: "length", ZH: "请写明原因(2–2000 字)", EN: "say why, in 2 to 2000 characters"}}}
	}
	var out Report
	err := s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		sql, args := "", []any{r.ID, s.now(), by.Account, by.Name}
		switch step.To {
		case Seen:
			sql = "see"
		case Taken:
			sql, args = "take", append(args, version)
		case Dismissed, Closed:
			if version == nil {
				return auth.ErrStaleVersion
			}
			sql, args = "end", append(args, step.To, step.Note, *version)
		default:
			return &auth.Invalid{Items: []auth.Fault{{Path: "to", Code: "unknown", ZH: "没有此状态", EN: "there is no such state"}}}
		}
		// The row is held first: whoever comes second sees what the first one left.
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), r.ID); err != nil {
			return err
		}
		before, err := s.report(ctx, tx, by.Identity, r.ID)
		if err != nil {
			return err
		}
		if err := possible(before, step, by.Account); err != nil {
			return err
		}
		if step.To == Taken && before.TakenAccount == by.Account && before.TakenAt != nil {
			out = before // said twice
			return nil
		}
		tag, err := tx.Exec(ctx, s.queries.Get(sql), args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 && step.To != Seen {
			return auth.ErrStaleVersion
		}
		if out, err = s.report(ctx, tx, by.Identity, r.ID); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{
			Doer: by.Doer(g), Action: "incident_report." + step.To, Object: "incident_reports/" + r.ID, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(step.Note),
			Before: map[string]any{"state": before.State, "version": before.Version}, After: map[string]any{"state": out.State, "version": out.Version},
		}); err != nil {
			return err
		}
		if err := tell(ctx, tx, before, out, step); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
	})
	return out, wrap("step", err)
}

// tell lets the sender's phone know who has seen it, and if it came to nothing why.
func tell(ctx context.Context, tx pgx.Tx, before, r Report, step Step) error {
	news := sync.Told{Kind: "incident_reports", ID: r.ID}
	if before.SeenAt == nil && r.SeenAt != nil {
		news.SeenBy, news.SeenAt = r.SeenBy, *r.SeenAt
	}
	if step.To == Dismissed {
		news.Reason = sync.Words{Zh: r.EndedBy + " 已排除:" + step.Note, En: "Dismissed by " + r.EndedBy + ": " + step.Note}
	}
	if news.SeenBy == "" && news.Reason.Zh == "" {
		return nil
	}
	return sync.Tell(ctx, tx, news)
}

// possible refuses a step that cannot follow; the second who takes is told the first.
func possible(r Report, step Step, account string) error {
	clash := func(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }
	switch {
	case step.To == Taken && r.TakenAt != nil && r.TakenAccount != account:
		return clash("already_taken", fmt.Sprintf("%s 已接手", r.TakenBy), r.TakenBy+" has taken it")
	case step.To != Seen && r.EndedAt != nil:
		return clash("already_ended", fmt.Sprintf("%s 已办结或排除", r.EndedBy), r.EndedBy+" has ended it")
	case step.To == Closed && r.TakenAt == nil:
		return clash("not_taken", "请先接手", "take it first")
	}
	return nil
}
