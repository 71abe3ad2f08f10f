package response

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// historyLine is how the database hands an act over.
type historyLine struct {
	Act            string    `json:"act"`
	At             time.Time `json:"at"`
	RecordedAt     time.Time `json:"recorded_at"`
	Level          int       `json:"level"`
	FromLevel      *int      `json:"from_level"`
	Condition      string    `json:"condition"`
	SignedBy       string    `json:"signed_by"`
	DocumentNumber string    `json:"document_number"`
	Note           string    `json:"note"`
	By             string    `json:"by"`
}

func scan(row pgx.CollectableRow) (r Response, err error) {
	var history []byte
	err = row.Scan(&r.ID, &r.Title, &r.Kind, &r.Level, &r.State, &r.Area, &r.Incident, &r.Alert, &r.Contingency, &r.Condition, &r.Lead, &r.SignedBy, &r.DocumentNumber,
		&r.StartedAt, &r.AdjustedAt, &r.EndedAt, &r.Exercise, &history, &r.Tasks.Total, &r.Tasks.Acknowledged, &r.Tasks.Done, &r.Tasks.Late, &r.LastReport,
		&r.Account, &r.Name, &r.Version, &r.UpdatedAt, &r.UpdatedBy)
	if err != nil {
		return r, err
	}
	var lines []historyLine
	if err := json.Unmarshal(history, &lines); err != nil {
		return r, err
	}
	for _, l := range lines {
		r.History = append(r.History, Act(l))
	}
	return r, nil
}

type filter struct {
	areas    geo.Scopes
	ids      []string
	active   *bool
	area     *geo.Scope
	exercise *bool
	incident string
	limit    int
}

func (s *Service) args(f filter) []any {
	var area, incident any
	if f.area != nil {
		area = *f.area
	}
	if f.incident != "" {
		incident = f.incident
	}
	return []any{f.areas.String(), f.ids, f.active, area, f.exercise, incident, s.now(), f.limit}
}

// Responses are those of the areas the asker reads, with the profile they make.
func (s *Service) Responses(ctx context.Context, who *auth.Identity, q Query) (Page, error) {
	var out Page
	f := filter{areas: who.Reach.Of(db.Internal), active: q.Active, limit: 100}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 500)
	}
	var bad faults
	if q.Area != "" {
		area := bad.area(q.Area)
		f.area = &area
	}
	if q.Incident != "" && !records.IsID(q.Incident) {
		bad.add("incident", "unknown", "没有此事件", "there is no such incident")
	}
	f.incident = q.Incident
	switch q.Exercise {
	case "", "false", "true":
		is := q.Exercise == "true"
		f.exercise = &is
	case "all":
	default:
		bad.add("exercise", "unknown", "应为 true、false 或 all", "it is true, false or all")
	}
	if err := bad.err(); err != nil {
		return out, err
	}
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		var err error
		if out.Responses, err = s.list(ctx, tx, f); err != nil {
			return err
		}
		yes := true
		active, err := s.list(ctx, tx, filter{areas: f.areas, active: &yes, area: f.area, limit: 500})
		out.Profile = s.rules().profile(active)
		return err
	})
	return out, wrap("list", err)
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, f filter) ([]Response, error) {
	rows, err := tx.Query(ctx, s.queries.Get("responses"), s.args(f)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// ByIDs are those of the responses that lie in the areas, for the streams.
func (s *Service) ByIDs(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Response, error) {
	out := map[string]Response{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("responses"), s.args(filter{areas: areas, ids: ids, limit: len(ids)}), func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scan)
		for _, r := range list {
			out[r.ID] = r
		}
		return err
	})
	return out, wrap("stream", err)
}

// Response is one of them.
func (s *Service) Response(ctx context.Context, who *auth.Identity, id string) (Response, error) {
	if !records.IsID(id) {
		return Response{}, auth.ErrNotFound
	}
	var r Response
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		r, err = s.one(ctx, tx, who, id)
		return err
	})
	return r, wrap("read", err)
}

func (s *Service) one(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Response, error) {
	list, err := s.list(ctx, tx, filter{areas: who.Reach.Of(db.Internal), ids: []string{id}, limit: 1})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Response{}, err
	}
	return list[0], nil
}

func (s *Service) checked(d Draft) (Draft, geo.Scope, error) {
	var bad faults
	d.Title, d.Condition, d.Lead = bad.text("title", d.Title, 1, 200), bad.text("condition", d.Condition, 0, 2000), bad.text("lead", d.Lead, 0, 200)
	if !s.known(d.Kind) {
		bad.add("kind", "unknown", "没有此类型", "there is no such kind")
	}
	if d.Level < 1 || d.Level > 4 {
		bad.add("level", "out_of_range", "级别为 1–4，1 为最重", "a level is 1 to 4, 1 the worst")
	}
	for path, id := range map[string]string{"incident": d.Incident, "alert": d.Alert, "contingency": d.Contingency} {
		if id != "" && !records.IsID(id) {
			bad.add(path, "unknown", "没有此记录", "there is no such record")
		}
	}
	scope := bad.area(d.Area)
	return d, scope, bad.err()
}

// known says whether a kind is a hazard or a kind of incident.
func (s *Service) known(kind string) bool {
	snap := s.catalogue.Now()
	for _, list := range []string{"hazard", "incident_kind"} {
		if l, ok := snap.CodeLists[list]; ok {
			if _, ok := l.Item(kind); ok && kind != "" {
				return true
			}
		}
	}
	return false
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Put drafts a response under an id of its maker's, or changes a draft: then the version
// is held to. The same put twice is one draft.
func (s *Service) Put(ctx context.Context, by auth.By, id string, version *int64, d Draft) (r Response, made bool, err error) {
	now := s.now()
	if len(areasOf(by.Identity, now, auth.CommandPost)) == 0 {
		return r, false, auth.ErrForbidden
	}
	if !records.IsID(id) {
		return r, false, auth.ErrNotFound
	}
	d, scope, err := s.checked(d)
	if err != nil {
		return r, false, err
	}
	g, ok := by.Grant(auth.CommandPost, scope, now)
	if !ok {
		return r, false, auth.ErrForbidden
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), id); err != nil {
			return err
		}
		before, err := s.one(ctx, tx, by.Identity, id)
		switch {
		case errors.Is(err, auth.ErrNotFound):
			if version != nil {
				return auth.ErrNotFound
			}
			if _, err := tx.Exec(ctx, s.queries.Get("insert"), id, d.Title, d.Kind, d.Level, d.Area, null(d.Incident), null(d.Alert), null(d.Contingency), d.Condition, d.Lead, d.Exercise, by.Account, by.Name); err != nil {
				return taken(err)
			}
			made = true
		case err != nil:
			return err
		case version == nil && before.madeOf(d) && before.Account == by.Account:
			r = before // said twice, whatever became of it since
			return nil
		case version == nil:
			return clash("id_taken", "编号已用于另一响应；修改请带 If-Match", "the id belongs to another response; to change it send If-Match")
		case *version != before.Version:
			return auth.ErrStaleVersion
		case before.State != Drafted:
			return clash("already_started", "响应已启动，请以“调整”变更", "it has started: adjust it")
		default:
			if _, ok := by.Grant(auth.CommandPost, mustScope(before.Area), now); !ok {
				return auth.ErrForbidden
			}
			if _, err := tx.Exec(ctx, s.queries.Get("update"), id, *version, d.Title, d.Kind, d.Level, d.Area, null(d.Incident), null(d.Alert), null(d.Contingency), d.Condition, d.Lead, d.Exercise); err != nil {
				return err
			}
		}
		if r, err = s.one(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "response.draft", "", before, &r)
	})
	return r, made, wrap("draft", err)
}

// Draft is what a response was drafted as.
func (r Response) Draft() Draft {
	return Draft{Title: r.Title, Kind: r.Kind, Area: r.Area, Level: r.Level, Incident: r.Incident, Alert: r.Alert, Contingency: r.Contingency, Condition: r.Condition, Lead: r.Lead, Exercise: r.Exercise}
}

// madeOf says whether it was drafted as d: orders may have changed its level and condition
// since.
func (r Response) madeOf(d Draft) bool {
	was := r.Draft()
	if len(r.History) > 0 {
		was.Level, was.Condition = r.History[0].Level, d.Condition
	}
	return was == d
}

func mustScope(code string) geo.Scope {
	s, err := geo.ParseScope(code)
	if err != nil {
		return geo.Everywhere() // nobody's but who may do everything
	}
	return s
}

// Step starts, adjusts or ends a response. What was ordered is signed by somebody, whose
// name the desk writes down with the number of the document.
func (s *Service) Step(ctx context.Context, by auth.By, id string, version int64, o Order) (Response, error) {
	r, err := s.Response(ctx, by.Identity, id)
	if err != nil {
		return r, err
	}
	now := s.now()
	g, ok := by.Grant(auth.CommandPost, mustScope(r.Area), now)
	if !ok || by.Account == "" {
		return r, auth.ErrForbidden
	}
	var bad faults
	o.SignedBy, o.DocumentNumber = bad.text("signed_by", o.SignedBy, 1, 100), bad.text("document_number", o.DocumentNumber, 0, 100)
	o.Condition, o.Note = bad.text("condition", o.Condition, 0, 2000), bad.text("note", o.Note, 0, 2000)
	if o.Act != Start && o.Act != Adjust && o.Act != End {
		bad.add("act", "unknown", "应为启动、调整或终止", "it is start, adjust or end")
	}
	if o.Level == 0 {
		o.Level = r.Level
	}
	if o.Level < 1 || o.Level > 4 || o.Act == End && o.Level != r.Level {
		bad.add("level", "out_of_range", "级别为 1–4；终止不改级别", "a level is 1 to 4, and an end does not change it")
	}
	if o.At.IsZero() {
		o.At = now
	}
	if o.At.After(now.Add(10*time.Minute)) || o.At.Before(now.Add(-7*24*time.Hour)) {
		bad.add("at", "out_of_range", "时间应在过去七天之内", "the time lies in the last seven days")
	}
	if r.StartedAt != nil && o.At.Before(*r.StartedAt) {
		bad.add("at", "out_of_range", "不能早于启动时间", "not before it started")
	}
	if o.Act == Start && o.Condition == "" && r.Condition == "" {
		bad.add("condition", "required", "请写明符合的启动条件", "say which condition is met")
	}
	if err := bad.err(); err != nil {
		return r, err
	}
	var out Response
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), id); err != nil {
			return err
		}
		before, err := s.one(ctx, tx, by.Identity, id)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		if err := follows(before, o); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get(o.Act), id, version, o.Level, o.At, o.SignedBy, o.DocumentNumber, o.Condition); err != nil {
			return err
		}
		var from any
		if o.Act == Adjust {
			from = before.Level
		}
		if _, err := tx.Exec(ctx, s.queries.Get("act"), id, o.Act, o.At, o.Level, from, o.Condition, o.SignedBy, o.DocumentNumber, o.Note, by.Account, by.Name); err != nil {
			return err
		}
		if out, err = s.one(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "response."+o.Act, o.Note, before, &out)
	})
	return out, wrap("step", err)
}

// follows refuses an act that cannot follow.
func follows(r Response, o Order) error {
	switch {
	case r.State == Ended:
		return clash("already_ended", "响应已终止", "it has ended")
	case o.Act == Start && r.State == Active:
		return clash("already_started", "响应已启动", "it has started")
	case o.Act != Start && r.State == Drafted:
		return clash("not_started", "响应尚未启动", "it has not started")
	case o.Act == Adjust && o.Level == r.Level && o.DocumentNumber == "" && o.Condition == "":
		return clash("nothing_changes", "级别、文号与条件均未变化", "neither level, number nor condition changes")
	}
	return nil
}

func clash(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }

// taken says that an id stands for something the asker does not see.
func taken(err error) error {
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		return clash("id_taken", "此编号已被使用，请换一个", "this id is in use: take another")
	}
	return err
}

func (s *Service) record(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action, reason string, before Response, r *Response) error {
	brief := func(r Response) map[string]any {
		if r.ID == "" {
			return nil
		}
		return map[string]any{"state": r.State, "level": r.Level, "signed_by": r.SignedBy, "document_number": r.DocumentNumber, "title": r.Title, "exercise": r.Exercise, "version": r.Version}
	}
	e := audit.Entry{Doer: by.Doer(g), Action: action, Object: "response/" + r.ID, Area: r.Area, Outcome: audit.Done, Reason: audit.Clip(reason), After: brief(*r)}
	if b := brief(before); b != nil {
		e.Before = b
	}
	if err := audit.Record(ctx, tx, e); err != nil {
		return err
	}
	return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&r.FeedPosition)
}
