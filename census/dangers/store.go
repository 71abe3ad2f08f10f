package dangers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// refusal says in the words of the package what the database refused.
func refusal(state State, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case pg.Code == "OM011":
		return frozen(state)
	case pg.Code == "OM012":
		return cannotFollow(state)
	case pg.Code == "OM013", pg.ConstraintName == "danger_reviewer", pg.ConstraintName == "danger_two_reviews", pg.ConstraintName == "danger_extension_four_eyes":
		return fourEyes(state)
	case pg.Code == "OM014", pg.Code == "42501":
		return auth.ErrForbidden
	case pg.Code == "55P03":
		return db.ErrBusy
	}
	return err
}

// Query says which dangers. Zero fields ask nothing.
type Query struct {
	States    []State
	Level     int
	Overdue   *bool
	Listed    *bool
	Unit      string
	Area      string
	Kind      string
	Text      string
	Box       *orb.Bound
	Mine      bool      // reported by the asker
	DueBefore time.Time // with a deadline before
	Limit     int       // default 100, at most 10,000
	Cursor    string
}

// Page is some dangers, newest first.
type Page struct {
	Dangers []Danger
	Next    string
}

const maxLimit = 10_000

// args are the parameters of the query dangers.
type args struct {
	unit            bool
	id, after       *string
	ids             []string
	states          []string
	level           int
	overdue, listed *bool
	unitName, kind  string
	area            *geo.Scope
	text            string
	box             []float64
	mine, me        *string
	dueBefore       *time.Time
	limit           int
}

func (s *Service) args(a args) []any {
	var area any
	if a.area != nil {
		area = *a.area
	}
	return []any{a.unit, a.id, a.states, a.level, a.overdue, a.unitName, area, a.kind, a.text, a.box, a.listed, a.mine, a.dueBefore, s.now(), a.me, a.after, a.limit, a.ids}
}

// orNil makes an empty text null.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func me(who *auth.Identity) *string {
	if who == nil {
		return nil
	}
	return orNil(who.Account)
}

func scanDanger(row pgx.CollectableRow) (Danger, error) {
	var d Danger
	var g geo.Shape
	err := row.Scan(&d.ID, &d.Version, &d.Number, &d.Name, &d.Kind, &d.Level, &d.State, &d.Source, &d.Description,
		&d.GradeBasis, &d.InterimMeasure, &d.ResponsibleUnit, &d.Rectifier, &d.FirstReviewer, &d.Reviewer,
		&d.Listed, &d.ListedAt, &d.UnlistedAt, &d.FoundAt, &d.DueAt, &d.FirstDueAt, &d.RectifiedAt, &d.ClosedAt, &d.FixedOnSpot, &d.SecondReview,
		&d.Subject, &d.SubjectLayer, &d.Reopens,
		&d.Plan.Responsibility, &d.Plan.Measures, &d.Plan.Funds, &d.Plan.Deadline, &d.Plan.Contingency,
		&d.AdminCode, &d.Scope, &g, &d.Department, &d.CreatedAt, &d.UpdatedAt, &d.UpdatedBy,
		&d.Overdue, &d.Assigned, &d.Demo,
		&d.ReportedAccount, &d.GradedAccount, &d.PlanAccount, &d.ApprovedAccount,
		&d.RectifierAccount, &d.FirstReviewerAccount, &d.ReviewerAccount, &d.ListedAccount)
	d.Geometry = g.Geometry
	return d, err
}

// Dangers lists what the asker may see.
func (s *Service) Dangers(ctx context.Context, who *auth.Identity, q Query) (Page, error) {
	var f faults
	a := args{unit: s.isUnit(who), level: q.Level, overdue: q.Overdue, listed: q.Listed, unitName: q.Unit, kind: q.Kind, me: me(who), limit: 100, dueBefore: records.Stamp(q.DueBefore)}
	if q.Limit > 0 {
		a.limit = min(q.Limit, maxLimit)
	}
	for _, st := range q.States {
		a.states = append(a.states, string(st))
	}
	if q.Area != "" {
		scope, err := geo.ParseScope(q.Area)
		if err != nil {
			f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
		}
		a.area = &scope
	}
	if q.Text = f.text("q", q.Text, 0, 200); q.Text != "" {
		a.text = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(q.Text) + "%"
	}
	f.text("unit", q.Unit, 0, 200)
	if b := q.Box; b != nil {
		a.box = []float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
	if q.Mine {
		none := "00000000-0000-0000-0000-000000000000"
		if a.mine = a.me; a.mine == nil {
			a.mine = &none
		}
	}
	if q.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		id := string(raw)
		if err != nil || !records.IsID(id) {
			f.add("cursor", "bad_cursor", "翻页标记无效", "not a cursor of ours")
		}
		a.after = &id
	}
	if err := f.err(); err != nil {
		return Page{}, err
	}
	limit := a.limit
	a.limit++
	var page Page
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("dangers"), s.args(a), func(rows pgx.Rows) (err error) {
		page.Dangers, err = pgx.CollectRows(rows, scanDanger)
		return err
	})
	if err != nil {
		return Page{}, wrap("list", err)
	}
	if len(page.Dangers) > limit {
		page.Dangers = page.Dangers[:limit]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(page.Dangers[limit-1].ID))
	}
	return page, nil
}

// Danger is one danger; [auth.ErrNotFound] where there is none the asker may see.
func (s *Service) Danger(ctx context.Context, who *auth.Identity, id string) (Danger, error) {
	if !records.IsID(id) || who == nil {
		return Danger{}, auth.ErrNotFound
	}
	var d Danger
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("dangers"), s.args(args{unit: s.isUnit(who), id: &id, me: me(who), limit: 1}), func(rows pgx.Rows) (err error) {
		d, err = pgx.CollectExactlyOneRow(rows, scanDanger)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Danger{}, auth.ErrNotFound
	}
	return d, wrap("danger", err)
}

// Readable says whether somebody may read a danger because it is assigned to his unit, and
// its pictures with it.
func (s *Service) Readable(ctx context.Context, who *auth.Identity, id string) (bool, error) {
	if !s.isUnit(who) {
		return false, nil
	}
	d, err := s.Danger(ctx, who, id)
	if errors.Is(err, auth.ErrNotFound) {
		return false, nil
	}
	return d.Assigned, err
}

// Detail is a danger with what hangs on it.
func (s *Service) Detail(ctx context.Context, who *auth.Identity, id string) (Detail, error) {
	d, err := s.Danger(ctx, who, id)
	if err != nil {
		return Detail{}, err
	}
	out := Detail{Danger: d}
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		if out.Actions, err = s.actions(ctx, tx, id); err != nil {
			return err
		}
		if out.Extensions, err = s.extensions(ctx, tx, id, nil); err != nil {
			return err
		}
		if out.Measures, err = s.links(ctx, tx, "danger_measures", id); err != nil {
			return err
		}
		unit := s.isUnit(who)
		if d.Reopens != "" {
			if out.Before, err = s.links(ctx, tx, "linked", unit, true, d.Reopens); err != nil {
				return err
			}
		}
		out.After, err = s.links(ctx, tx, "linked", unit, false, id)
		return err
	})
	return out, wrap("detail", err)
}

// Actions are the steps of a danger the asker may see.
func (s *Service) Actions(ctx context.Context, who *auth.Identity, id string) (out []Action, err error) {
	if _, err := s.Danger(ctx, who, id); err != nil {
		return nil, err
	}
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		out, err = s.actions(ctx, tx, id)
		return err
	})
	return out, wrap("actions", err)
}

func (s *Service) actions(ctx context.Context, tx pgx.Tx, id string) ([]Action, error) {
	rows, err := tx.Query(ctx, s.queries.Get("actions"), id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Action, error) {
		var a Action
		var fields []byte
		err := row.Scan(&a.Seq, &a.Action, &a.From, &a.To, &a.Note, &a.Evidence, &fields, &a.Account, &a.By, &a.Name, &a.Role, &a.CapturedAt, &a.At)
		if err == nil {
			err = json.Unmarshal(fields, &a.Fields)
		}
		delete(a.Fields, "body")
		return a, err
	})
}

func (s *Service) extensions(ctx context.Context, tx pgx.Tx, danger string, id *string) ([]Extension, error) {
	rows, err := tx.Query(ctx, s.queries.Get("extensions"), danger, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Extension, error) {
		var e Extension
		err := row.Scan(&e.ID, &e.OldDueAt, &e.NewDueAt, &e.Reason, &e.AskedBy, &e.AskedName, &e.AskedAt, &e.Decision, &e.Note, &e.DecidedBy, &e.DecidedName, &e.DecidedAt, &e.AskedAccount, &e.DecidedAccount)
		return e, err
	})
}

func (s *Service) links(ctx context.Context, tx pgx.Tx, query string, args ...any) ([]Link, error) {
	rows, err := tx.Query(ctx, s.queries.Get(query), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Link, error) {
		var l Link
		err := row.Scan(&l.ID, &l.Number, &l.Name, &l.State, &l.At)
		return l, err
	})
}

// locked reads one danger under the claims of a change, held until it ends.
func (s *Service) locked(ctx context.Context, tx pgx.Tx, by auth.By, id string) (Danger, error) {
	if _, err := tx.Exec(ctx, s.queries.Get("danger_lock"), id); err != nil {
		return Danger{}, err
	}
	return s.read(ctx, tx, by, id)
}

func (s *Service) read(ctx context.Context, tx pgx.Tx, by auth.By, id string) (Danger, error) {
	rows, err := tx.Query(ctx, s.queries.Get("dangers"), s.args(args{unit: s.isUnit(by.Identity), id: &id, me: me(by.Identity), limit: 1})...)
	if err != nil {
		return Danger{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDanger)
	if errors.Is(err, pgx.ErrNoRows) {
		return Danger{}, auth.ErrNotFound
	}
	return d, err
}

// write puts down what changed in a danger.
func (s *Service) write(ctx context.Context, tx pgx.Tx, d *Danger) error {
	_, err := tx.Exec(ctx, s.queries.Get("danger_write"), d.ID, string(d.State), d.Name, d.Kind, d.Description, d.Source, d.FoundAt, d.FixedOnSpot,
		orNil(d.Subject), d.SubjectLayer, geo.Shape{Geometry: d.Geometry}, d.Level, d.GradeBasis, d.InterimMeasure, d.ResponsibleUnit,
		d.DueAt, d.FirstDueAt, d.RectifiedAt, d.ClosedAt, d.Rectifier, d.FirstReviewer, d.Reviewer,
		d.Listed, d.ListedAt, d.UnlistedAt, d.SecondReview,
		d.Plan.Responsibility, d.Plan.Measures, d.Plan.Funds, d.Plan.Deadline, d.Plan.Contingency,
		orNil(d.GradedAccount), orNil(d.PlanAccount), orNil(d.ApprovedAccount), orNil(d.RectifierAccount), orNil(d.FirstReviewerAccount), orNil(d.ReviewerAccount), orNil(d.ListedAccount),
		d.Number)
	return err
}

// act is what is remembered of a step.
type act struct {
	action   string
	from, to State
	note     string
	evidence []string
	fields   map[string]any
	captured time.Time
	opID     string
}

// add remembers what was done, and whose its pictures are.
func (s *Service) add(ctx context.Context, tx pgx.Tx, by auth.By, d *Danger, a act) error {
	if a.fields == nil {
		a.fields = map[string]any{}
	}
	if a.evidence == nil {
		a.evidence = []string{}
	}
	_, err := tx.Exec(ctx, s.queries.Get("action_add"), d.ID, a.action, string(a.from), string(a.to), a.note, a.evidence, a.fields, me(by.Identity), by.Name, records.Stamp(a.captured))
	if err != nil || s.blobs == nil || len(a.evidence) == 0 || a.opID != "" {
		return err // the engine remembers the pictures of its operations itself
	}
	return s.blobs.Refer(ctx, tx, by, a.evidence, "dangers", d.ID, s.newID(), d.Scope)
}

// finish reads what a change came to, and writes the audit.
func (s *Service) finish(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, before *Danger, id, reason string) (Danger, error) {
	d, err := s.read(ctx, tx, by, id)
	if err != nil {
		return Danger{}, err
	}
	if err := tx.QueryRow(ctx, s.queries.Get("danger_position")).Scan(&d.Position); err != nil {
		return Danger{}, err
	}
	e := audit.Entry{Doer: by.Doer(g), Action: "danger." + action, Object: "dangers/" + id, Area: d.Area(), Reason: reason, Outcome: audit.Done, After: words(&d)}
	if before != nil {
		e.Before = words(before)
	}
	return d, audit.Record(ctx, tx, e)
}

// words is what the audit shows of a danger; the rest is in its history.
func words(d *Danger) map[string]any {
	return map[string]any{"number": d.Number, "state": d.State, "level": d.Level, "unit": d.ResponsibleUnit, "due_at": d.DueAt, "listed": d.Listed}
}
