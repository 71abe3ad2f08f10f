package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func conflict(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }

// refusal gives the words of the database's own verdicts.
func refusal(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case pg.Code == "OM011":
		return conflict("final", "已归档、已合并或已定的内容不能再改", "what is archived, merged or settled does not change")
	case pg.Code == "OM012":
		return conflict("cannot_follow", "此状态下不能这样做", "this cannot follow the present state")
	case pg.Code == "OM014", pg.Code == "42501":
		return auth.ErrForbidden
	case pg.Code == "55P03":
		return db.ErrBusy
	}
	return err
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// readFacts puts what was aggregated in SQL beside the row.
func (f *facts) read(sentJSON, keptJSON []byte) error {
	if err := json.Unmarshal(sentJSON, &f.Sent); err != nil {
		return err
	}
	return json.Unmarshal(keptJSON, &f.Kept)
}

func (s *Service) scanIncident(row pgx.CollectableRow) (Incident, error) {
	var i Incident
	var g geo.Shape
	var reason, sentJSON, keptJSON []byte
	err := row.Scan(&i.ID, &i.FID, &i.Version, &i.Number, &i.Title, &i.Kind, &i.TypeCode, &i.Class, &i.State, &i.Level, &i.LevelProposed, &reason, &i.LevelBy, &i.LevelNote, &i.LevelAt, &i.Exercise,
		&i.OccurredAt, &i.KnownAt, &i.ClosedAt, &i.VerifiedAt, &i.RespondingAt, &i.ArchivedAt, &i.Place, &i.Description, &i.Source,
		&i.PersonsReported, &i.Figures.Deaths, &i.Figures.Missing, &i.Figures.Injured, &i.Figures.Affected, &i.Figures.Evacuated, &i.Figures.LossWan, &i.Figures.Magnitude, &i.FiguresAt, &i.Scope, &g,
		&i.MergedInto, &i.MergedState, &i.SourceReport, &i.Entries, &i.Sketches, &i.Absorbed, &sentJSON, &keptJSON, &i.Reporter, &i.Contact, &i.PhoneMasked, &i.UpdatedAt, &i.UpdatedBy, &i.Demo)
	if err != nil {
		return i, err
	}
	i.Geometry = g.Geometry
	if err := json.Unmarshal(reason, &i.LevelReason); err != nil {
		return i, err
	}
	i.facts = facts{Kind: i.Kind, State: i.State, Level: i.effective(), OccurredAt: i.OccurredAt, KnownAt: i.KnownAt, ClosedAt: i.ClosedAt, RespondingAt: i.RespondingAt, ArchivedAt: i.ArchivedAt}
	if i.facts.ArchivedAt == nil && i.State == Archived {
		i.facts.ArchivedAt = i.ClosedAt // of a ledger kept elsewhere
	}
	return i, i.facts.read(sentJSON, keptJSON)
}

// incidentFilter are the parameters of the query incidents.
type incidentFilter struct {
	ids      []string
	states   []string
	kind     string
	area     *geo.Scope
	level    int
	text     string
	exercise *bool
	since    *time.Time
	after    *time.Time
	afterID  *string
	limit    int
	now      time.Time
	callers  bool
}

func (f incidentFilter) args() []any {
	var area any
	if f.area != nil {
		area = *f.area
	}
	return []any{f.ids, f.states, f.kind, area, f.level, f.text, f.exercise, f.since, f.after, f.afterID, f.limit, f.now, f.callers}
}

// list reads incidents with their clocks.
func (s *Service) list(ctx context.Context, tx pgx.Tx, f incidentFilter) ([]Incident, error) {
	f.now = s.now()
	rows, err := tx.Query(ctx, s.queries.Get("incidents"), f.args()...)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, s.scanIncident)
	if err != nil {
		return nil, err
	}
	snap := s.catalogue.Now()
	rules, err := clockRulesOf(snap)
	if err != nil {
		return nil, err
	}
	for n := range list {
		list[n].Clocks = clocks(rules, list[n].facts, snap.Location(), f.now)
	}
	return list, nil
}

// one reads one incident; [auth.ErrNotFound] where the asker sees none.
func (s *Service) one(ctx context.Context, tx pgx.Tx, id string) (Incident, error) {
	list, err := s.list(ctx, tx, incidentFilter{ids: []string{id}, limit: 1, callers: true})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Incident{}, err
	}
	return list[0], nil
}

// like makes a pattern that finds the text itself.
func like(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

func (q IncidentQuery) filter() (incidentFilter, error) {
	f := incidentFilter{states: q.States, kind: q.Kind, level: q.Level, text: like(q.Text), exercise: q.Exercise, since: records.Stamp(q.Since), limit: 100, callers: true}
	var bad faults
	if q.Open {
		f.states = openStates()
	}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 500)
	}
	if q.Area != "" {
		area, err := geo.ParseScope(q.Area)
		if err != nil {
			bad.add("area", "not_a_code", "应为行政区划代码", "it is an administrative code")
		}
		f.area = &area
	}
	if q.Cursor != "" {
		at, id, ok := readCursor(q.Cursor)
		if !ok {
			bad.add("cursor", "invalid", "不是此查询的游标", "it is not a cursor of this query")
		}
		f.after, f.afterID = &at, &id
	}
	return f, bad.err()
}

// Incidents are those the asker sees, the newest first.
func (s *Service) Incidents(ctx context.Context, who *auth.Identity, q IncidentQuery) (IncidentPage, error) {
	var out IncidentPage
	f, err := q.filter()
	if err != nil {
		return out, err
	}
	limit := f.limit
	f.limit++
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		var err error
		if out.Incidents, err = s.list(ctx, tx, f); err != nil {
			return err
		}
		out.Counts, err = s.counts(ctx, tx, f)
		return err
	})
	if len(out.Incidents) > limit {
		out.Incidents = out.Incidents[:limit]
		last := out.Incidents[limit-1]
		at := last.KnownAt
		if at == nil {
			at = &last.UpdatedAt
		}
		out.Next = strconv.FormatInt(at.UnixMicro(), 10) + "." + last.ID
	}
	return out, wrap("incidents", err)
}

// counts are of what is open in the asker's area, whatever the page shows of it.
func (s *Service) counts(ctx context.Context, tx pgx.Tx, f incidentFilter) (Counts, error) {
	c := Counts{ByLevel: map[int]int{}}
	var area any
	if f.area != nil {
		area = *f.area
	}
	rows, err := tx.Query(ctx, s.queries.Get("incidents_open"), f.exercise, area)
	if err != nil {
		return c, err
	}
	snap := s.catalogue.Now()
	rules, err := clockRulesOf(snap)
	if err != nil {
		rows.Close()
		return c, err
	}
	now := s.now()
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var x facts
		var level, proposed int
		var sentJSON, keptJSON []byte
		if err := row.Scan(&x.Kind, &x.State, &level, &proposed, &x.OccurredAt, &x.KnownAt, &x.ClosedAt, &x.RespondingAt, &x.ArchivedAt, &sentJSON, &keptJSON); err != nil {
			return struct{}{}, err
		}
		if x.Level = level; level == 0 {
			x.Level = proposed
		}
		c.Open++
		if level > 0 {
			c.ByLevel[level]++
		} else {
			c.Unleveled++
		}
		if err := x.read(sentJSON, keptJSON); err != nil {
			return struct{}{}, err
		}
		if slices.ContainsFunc(clocks(rules, x, snap.Location(), now), func(k Clock) bool { return k.Late }) {
			c.Late++
		}
		return struct{}{}, nil
	})
	return c, err
}

// Incident is one the asker sees.
func (s *Service) Incident(ctx context.Context, who *auth.Identity, id string) (Incident, error) {
	if !records.IsID(id) {
		return Incident{}, auth.ErrNotFound
	}
	var i Incident
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		i, err = s.one(ctx, tx, id)
		return err
	})
	return i, wrap("incident", err)
}

// receiver is the grant somebody receives incidents under: the smallest with a duty desk
// that holds the place. A program with the scope report receives under its maker's.
func (s *Service) receiver(by auth.By, place geo.Scope) (auth.Grant, bool) {
	if by.Identity == nil {
		return auth.Grant{}, false
	}
	if by.Kind == auth.Token {
		g, ok := by.Grant(auth.WriteFeatures, place, s.now())
		return g, ok && g.Role.May(auth.WorkDesk)
	}
	if !person(by.Identity) {
		return auth.Grant{}, false
	}
	return by.Grant(auth.WorkDesk, place, s.now())
}

// receives are the areas somebody receives incidents for.
func (s *Service) receives(by auth.By) geo.Scopes {
	if by.Identity == nil {
		return nil
	}
	if by.Kind == auth.Token {
		var out geo.Scopes
		for _, g := range by.Grants {
			if slices.Contains(by.Scopes, "report") && g.Valid(s.now()) && g.Role.May(auth.WorkDesk) {
				out = append(out, g.Scope())
			}
		}
		return out.Normal()
	}
	return Desk(by.Identity, s.now())
}

func account(by auth.By) *string {
	if by.Identity == nil {
		return nil
	}
	return orNil(by.Account)
}

func nameOf(by auth.By) string {
	if by.Identity == nil {
		return ""
	}
	if by.Name != "" {
		return by.Name
	}
	return by.Actor()
}

// happen writes a line of the timeline.
func (s *Service) happen(ctx context.Context, tx pgx.Tx, by auth.By, id, kind string, at time.Time, detail string, fields map[string]any, ref string) error {
	if fields == nil {
		fields = map[string]any{}
	}
	_, err := tx.Exec(ctx, s.queries.Get("event_add"), id, kind, at.UTC(), detail, fields, ref, account(by), nameOf(by))
	return err
}

// Receive makes an incident. Sent again as it was, it answers what became of it (created
// false); another content under the same id, or a foreign one, is a conflict.
func (s *Service) Receive(ctx context.Context, by auth.By, n NewIncident) (i Incident, created bool, err error) {
	areas := s.receives(by)
	if len(areas) == 0 {
		return i, false, auth.ErrForbidden
	}
	sent := n.print()
	if err := s.check(&n); err != nil {
		return i, false, err
	}
	if n.Level > 0 && !person(by.Identity) {
		return i, false, &auth.Invalid{Items: []auth.Fault{{Path: "level", Code: "needs_person", ZH: "级别由值班员确认，程序只报数字", EN: "a person confirms the level; a program tells the figures"}}}
	}
	known := func() (Incident, error) {
		var was, account, actor string
		var got Incident
		err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, s.queries.Get("incident_body"), n.ID).Scan(&was, &account, &actor); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			var err error
			got, err = s.one(ctx, tx, n.ID)
			return err
		})
		if err != nil && !errors.Is(err, auth.ErrNotFound) {
			return got, err
		}
		if err != nil || was != sent || account != by.Account || actor != by.Actor() {
			return Incident{}, conflict("id_taken", "编号已用于另一条记录", "the id was used for another record")
		}
		return got, nil
	}
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		shape, scope, err := s.settle(ctx, tx, areas, n.Geometry, n.FixSwap)
		if err != nil {
			return err
		}
		n.Geometry = shape
		how, code, title := "geometry", "", ""
		switch {
		case shape != nil:
		case n.Area != "":
			how, code = "area", n.Area
			if scope, err = geo.ParseScope(n.Area); err != nil {
				return err
			}
		default:
			how = "place"
			if code, scope, title, err = s.named(ctx, tx, areas, n.Place); err != nil {
				return err
			}
			if code == "" { // nobody knows: the desk's own area
				how = "desk"
				g, _ := s.receiver(by, geo.Scope{})
				code, scope = g.Area, g.Scope()
			}
		}
		g, ok := s.receiver(by, scope)
		if !ok && shape != nil {
			return &auth.Invalid{Items: []auth.Fault{{Path: "geometry", Code: "outside_area", ZH: "位置在您的值守区域之外，请核对坐标(经度在前)", EN: "the place lies outside the area of your desk; check the coordinates, longitude first"}}}
		}
		if !ok {
			return auth.ErrForbidden
		}
		if err := db.Reclaim(ctx, tx, by.Writing(g)); err != nil {
			return err
		}
		i, err = s.receive(ctx, tx, by, g, n, sent, how, code, title)
		return err
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		if pg.ConstraintName == "incidents_source_report" {
			return i, false, err
		}
		i, err := known()
		return i, false, wrap("receive", err)
	}
	return i, err == nil, wrap("receive", refusal(err))
}

func (s *Service) receive(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, n NewIncident, sent, how, code, title string) (Incident, error) {
	rule, ok, err := levelRuleOf(s.catalogue.Now(), n.Class, n.Kind)
	if err != nil {
		return Incident{}, err
	}
	level, reason := 0, []Reason{}
	if ok {
		if l, r := rule.Propose(n.Figures); l > 0 {
			level, reason = l, r
		}
	}
	if n.Title == "" {
		place := n.Place
		if place == "" {
			place = title
		}
		n.Title = s.titleOf(n.Kind, place)
	}
	var figuresAt *time.Time
	if !n.Figures.Empty() {
		figuresAt = n.KnownAt
	}
	var number string
	scope := g.Scope()
	if code != "" {
		if sc, err := geo.ParseScope(code); err == nil {
			scope = sc
		}
	} else if n.Geometry != nil {
		if scope, _, err = s.unitOf(ctx, tx, n.Geometry); err != nil {
			return Incident{}, err
		}
	}
	year := n.KnownAt.In(s.catalogue.Now().Location()).Year()
	if err := tx.QueryRow(ctx, s.queries.Get("incident_new_number"), scope, year, n.Exercise).Scan(&number); err != nil {
		return Incident{}, err
	}
	f := n.Figures
	if _, err := tx.Exec(ctx, s.queries.Get("incident_insert"), n.ID, number, n.Title, n.Kind, n.Class, n.TypeCode, n.Exercise, n.OccurredAt, n.KnownAt, n.Place, n.Description, n.Source, n.PersonsReported,
		f.Deaths, f.Missing, f.Injured, f.Affected, f.Evacuated, f.LossWan, figuresAt, level, reason, code, geo.Shape{Geometry: n.Geometry}, orNil(n.SourceReport), f.Magnitude); err != nil {
		return Incident{}, err
	}
	if _, err := tx.Exec(ctx, s.queries.Get("intake_add"), n.ID, sent, n.Reporter, account(by), nameOf(by)); err != nil {
		return Incident{}, err
	}
	if n.Phone != "" {
		if _, err := tx.Exec(ctx, s.queries.Get("caller_put"), n.ID, n.Phone); err != nil {
			return Incident{}, err
		}
	}
	fields := map[string]any{"number": number, "located_by": how, "source": n.Source}
	if level > 0 {
		fields["level_proposed"], fields["level_reason"] = level, reason
	}
	ref := ""
	if n.SourceReport != "" {
		ref = "incident_reports/" + n.SourceReport
	}
	if err := s.happen(ctx, tx, by, n.ID, "received", *n.KnownAt, n.Description, fields, ref); err != nil {
		return Incident{}, err
	}
	if err := s.gradeNew(ctx, tx, by, n); err != nil {
		return Incident{}, err
	}
	return s.finish(ctx, tx, by, g, "receive", nil, n.ID, "")
}

// finish reads the incident again, settles the clocks that ended, and writes the audit.
func (s *Service) finish(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, before *Incident, id, note string) (Incident, error) {
	out, err := s.one(ctx, tx, id)
	if err != nil {
		return out, err
	}
	if err := s.settleClocks(ctx, tx, by, out); err != nil {
		return out, err
	}
	e := audit.Entry{Doer: by.Doer(g), Action: "incident." + action, Object: "incidents/" + id, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(note), After: summary(out)}
	if before != nil {
		e.Before = summary(*before)
	}
	if err := audit.Record(ctx, tx, e); err != nil {
		return out, err
	}
	return out, tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
}

func summary(i Incident) map[string]any {
	out := map[string]any{"number": i.Number, "state": i.State, "level": i.Level, "version": i.Version, "exercise": i.Exercise}
	if f := i.Figures.maps(); len(f) > 0 {
		out["figures"] = f
	}
	if i.MergedInto != "" {
		out["merged_into"] = i.MergedInto
	}
	return out
}

// settleClocks writes down the clocks that have ended: whether one was late stays, whatever
// its rule says later.
func (s *Service) settleClocks(ctx context.Context, tx pgx.Tx, by auth.By, i Incident) error {
	rules, err := clockRulesOf(s.catalogue.Now())
	if err != nil {
		return err
	}
	for _, c := range i.Clocks {
		if c.DoneAt == nil || c.kept {
			continue
		}
		if _, err := tx.Exec(ctx, s.queries.Get("clock_put"), i.ID, c.Name, c.StartsAt, later(c.DueAt, c.StartsAt), c.DoneAt, c.Late, c.Chosen, rules.Version, c.Note, account(by), nameOf(by)); err != nil {
			return err
		}
		if c.Late {
			if err := s.happen(ctx, tx, by, i.ID, "clock_late", *c.DoneAt, "", map[string]any{"clock": c.Name, "title_zh": c.TitleZH, "title_en": c.TitleEN, "due_at": c.DueAt, "minutes_late": int(c.DoneAt.Sub(c.DueAt).Minutes())}, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// changing holds an incident under the smallest grant that may work on it, and runs fn.
func (s *Service) changing(ctx context.Context, by auth.By, id string, version *int64, p auth.Permission, fn func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error)) (Incident, error) {
	seen, err := s.Incident(ctx, by.Identity, id)
	if err != nil {
		return seen, err
	}
	if !person(by.Identity) {
		return Incident{}, auth.ErrForbidden
	}
	g, ok := by.Grant(p, seen.Scope, s.now())
	if !ok {
		return Incident{}, auth.ErrForbidden
	}
	var out Incident
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("incident_lock"), id); err != nil {
			return err
		}
		i, err := s.one(ctx, tx, id)
		if err != nil {
			return err
		}
		if version != nil && i.Version != *version {
			return auth.ErrStaleVersion
		}
		out, err = fn(tx, g, i)
		return err
	})
	return out, refusal(err)
}

// write stores an incident as it is now.
func (s *Service) write(ctx context.Context, tx pgx.Tx, i Incident, leveler *string) error {
	f := i.Figures
	if i.LevelReason == nil {
		i.LevelReason = []Reason{}
	}
	_, err := tx.Exec(ctx, s.queries.Get("incident_write"), i.ID, i.Title, i.Kind, i.Class, i.TypeCode, i.State, i.OccurredAt, i.KnownAt, i.ClosedAt, i.VerifiedAt, i.RespondingAt, i.ArchivedAt,
		i.Place, i.Description, i.Source, i.PersonsReported, f.Deaths, f.Missing, f.Injured, f.Affected, f.Evacuated, f.LossWan, i.FiguresAt,
		i.Level, i.LevelProposed, i.LevelReason, i.LevelBy, i.LevelAt, leveler, i.LevelNote, orNil(i.MergedInto), i.MergedState, f.Magnitude)
	return err
}

// propose grades by the figures as they are.
func (s *Service) propose(i *Incident) error {
	rule, ok, err := levelRuleOf(s.catalogue.Now(), i.Class, i.Kind)
	if err != nil {
		return err
	}
	i.LevelProposed, i.LevelReason = 0, nil
	if ok {
		i.LevelProposed, i.LevelReason = rule.Propose(i.Figures)
	}
	return nil
}

func frozen(i Incident) error {
	switch i.State {
	case Archived:
		return conflict("archived", "已归档，不能再改", "it is archived and does not change")
	case Merged:
		return conflict("merged", "已并入另一事件，请在那里处理或先撤销合并", "it is merged into another: work there, or undo that first")
	}
	return nil
}
