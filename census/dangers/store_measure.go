package dangers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Measure is a line of the 制度措施清单.
type Measure struct {
	ID                   string
	Version              int64
	Number               string
	Title, Kind, Content string
	Basis, Unit, Person  string
	State                string
	DueOn, DoneOn        *time.Time // dates
	Note, Area           string
	Scope                geo.Scope
	CreatedAt, UpdatedAt time.Time
	CreatedBy, UpdatedBy string
	CreatedAccount       string
	Dangers              int
	Demo                 bool
	Linked               []Link
}

// MeasureQuery says which measures.
type MeasureQuery struct {
	State, Kind, Unit, Area, Text, Danger string
	Limit                                 int
	Cursor                                string
}

// MeasurePage is some measures, newest first.
type MeasurePage struct {
	Measures []Measure
	Next     string
}

// MeasurePatch names what changes; nil leaves as it is. An empty date is the zero time.
type MeasurePatch struct {
	Title, Kind, Content, Basis, Unit, Person, State, Note *string
	DueOn, DoneOn                                          *time.Time
}

// MeasureStates are the states of a measure.
func MeasureStates() []string { return []string{"planned", "in_force", "done", "abolished"} }

func scanMeasure(row pgx.CollectableRow) (Measure, error) {
	var m Measure
	err := row.Scan(&m.ID, &m.Version, &m.Number, &m.Title, &m.Kind, &m.Content, &m.Basis, &m.Unit, &m.Person, &m.State, &m.DueOn, &m.DoneOn, &m.Note, &m.Area, &m.Scope,
		&m.CreatedAt, &m.CreatedBy, &m.CreatedAccount, &m.UpdatedAt, &m.UpdatedBy, &m.Dangers, &m.Demo)
	return m, err
}

// Measures lists what the asker may see.
func (s *Service) Measures(ctx context.Context, who *auth.Identity, q MeasureQuery) (MeasurePage, error) {
	var f faults
	var area any
	if q.Area != "" {
		scope, err := geo.ParseScope(q.Area)
		if err != nil {
			f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
		}
		area = scope
	}
	if q.Text = f.text("q", q.Text, 0, 200); q.Text != "" {
		q.Text = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(q.Text) + "%"
	}
	f.text("unit", q.Unit, 0, 200)
	if q.Danger != "" && !records.IsID(q.Danger) {
		f.add("danger", "bad_id", "应为编号", "it is an id")
	}
	after := ""
	if q.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if after = string(raw); err != nil || !records.IsID(after) {
			f.add("cursor", "bad_cursor", "翻页标记无效", "not a cursor of ours")
		}
	}
	if err := f.err(); err != nil {
		return MeasurePage{}, err
	}
	limit := 100
	if q.Limit > 0 {
		limit = min(q.Limit, maxLimit)
	}
	var page MeasurePage
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("measures"), []any{nil, q.State, q.Kind, q.Unit, area, q.Text, orNil(q.Danger), orNil(after), limit + 1}, func(rows pgx.Rows) (err error) {
		page.Measures, err = pgx.CollectRows(rows, scanMeasure)
		return err
	})
	if err != nil {
		return MeasurePage{}, wrap("measures", err)
	}
	if len(page.Measures) > limit {
		page.Measures = page.Measures[:limit]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(page.Measures[limit-1].ID))
	}
	return page, nil
}

func (s *Service) measure(ctx context.Context, tx pgx.Tx, id string) (Measure, error) {
	rows, err := tx.Query(ctx, s.queries.Get("measures"), id, "", "", "", nil, "", nil, nil, 1)
	if err != nil {
		return Measure{}, err
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMeasure)
	if errors.Is(err, pgx.ErrNoRows) {
		return Measure{}, auth.ErrNotFound
	}
	return m, err
}

// Measure is one measure with the dangers it is linked with, as far as the asker sees them.
func (s *Service) Measure(ctx context.Context, who *auth.Identity, id string) (m Measure, err error) {
	if !records.IsID(id) {
		return Measure{}, auth.ErrNotFound
	}
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		if m, err = s.measure(ctx, tx, id); err != nil {
			return err
		}
		m.Linked, err = s.links(ctx, tx, "measure_dangers", id)
		return err
	})
	return m, wrap("measure", err)
}

func (s *Service) checkMeasure(m *Measure, f *faults) {
	m.Title = f.text("title", m.Title, 2, 200)
	f.code(s, "kind", "measure_kind", m.Kind)
	m.Content, m.Basis = f.text("content", m.Content, 0, 8000), f.text("basis", m.Basis, 0, 1000)
	m.Unit, m.Person, m.Note = f.text("unit", m.Unit, 0, 200), f.text("person", m.Person, 0, 200), f.text("note", m.Note, 0, 2000)
	if m.State == "" {
		m.State = "planned"
	}
	if !slices.Contains(MeasureStates(), m.State) {
		f.add("state", "unknown", "没有此状态", "there is no such state")
	}
	for path, d := range map[string]*time.Time{"due_on": m.DueOn, "done_on": m.DoneOn} {
		if d != nil && (d.Year() < 1950 || d.Year() > 2200) {
			f.add(path, "out_of_range", "日期应在 1950 至 2200 年之间", "the year lies between 1950 and 2200")
		}
	}
}

// CreateMeasure adds a line to the 制度措施清单.
func (s *Service) CreateMeasure(ctx context.Context, by auth.By, m Measure) (Measure, error) {
	if !person(by.Identity) {
		return Measure{}, auth.ErrForbidden
	}
	if m.ID == "" {
		m.ID = s.newID()
	}
	var f faults
	if !records.IsID(m.ID) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	s.checkMeasure(&m, &f)
	scope, err := geo.ParseScope(m.Area)
	if err != nil {
		f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
	}
	if err := f.err(); err != nil {
		return Measure{}, err
	}
	g, ok := by.Grant(auth.HandleDangers, scope, s.now())
	if !ok {
		return Measure{}, auth.ErrForbidden
	}
	var out Measure
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		county, year, n := countyOf(m.Area), s.now().In(s.catalogue.Now().Location()).Year(), 0
		if err := tx.QueryRow(ctx, s.queries.Get("measure_number"), county, year).Scan(&n); err != nil {
			return err
		}
		number := fmt.Sprintf("CS-%s-%d-%04d", county, year, n)
		if _, err := tx.Exec(ctx, s.queries.Get("measure_insert"), m.ID, m.Title, m.Kind, m.Content, m.Basis, m.Unit, m.Person, m.State, m.DueOn, m.DoneOn, m.Note, m.Area, by.Account, number); err != nil {
			return err
		}
		if out, err = s.measure(ctx, tx, m.ID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "measure.create", Object: "measures/" + m.ID, Area: m.Area, Outcome: audit.Done, After: measureWords(out)})
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		return Measure{}, &auth.Conflict{Code: "id_taken", ZH: "编号已被使用", EN: "the id is in use"}
	}
	return out, wrap("create measure", refusal("", err))
}

// countyOf is the county a code lies in, as numbers name it.
func countyOf(code string) string {
	switch {
	case geo.Family(code) == 1 && len(code) >= 6:
		return code[:6]
	case geo.Family(code) == 2 && len(code) >= 5:
		return code[:5]
	}
	return "000000"
}

func measureWords(m Measure) map[string]any {
	return map[string]any{"number": m.Number, "title": m.Title, "kind": m.Kind, "content": m.Content, "basis": m.Basis, "unit": m.Unit, "person": m.Person, "state": m.State, "due_on": m.DueOn, "done_on": m.DoneOn, "note": m.Note}
}

// UpdateMeasure changes a measure; before and after are in the audit.
func (s *Service) UpdateMeasure(ctx context.Context, by auth.By, id string, version int64, p MeasurePatch) (Measure, error) {
	seen, err := s.Measure(ctx, by.Identity, id)
	if err != nil {
		return Measure{}, err
	}
	g, err := s.handler(by, seen.Scope)
	if err != nil {
		return Measure{}, err
	}
	var out Measure
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("measure_lock"), id); err != nil {
			return err
		}
		before, err := s.measure(ctx, tx, id)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		m := before
		for _, x := range []struct{ into, v *string }{{&m.Title, p.Title}, {&m.Kind, p.Kind}, {&m.Content, p.Content}, {&m.Basis, p.Basis}, {&m.Unit, p.Unit}, {&m.Person, p.Person}, {&m.State, p.State}, {&m.Note, p.Note}} {
			if x.v != nil {
				*x.into = *x.v
			}
		}
		for _, x := range []struct {
			into **time.Time
			v    *time.Time
		}{{&m.DueOn, p.DueOn}, {&m.DoneOn, p.DoneOn}} {
			if x.v != nil {
				*x.into = records.Stamp(*x.v)
			}
		}
		var f faults
		if s.checkMeasure(&m, &f); f.err() != nil {
			return f.err()
		}
		if _, err := tx.Exec(ctx, s.queries.Get("measure_update"), id, m.Title, m.Kind, m.Content, m.Basis, m.Unit, m.Person, m.State, m.DueOn, m.DoneOn, m.Note); err != nil {
			return err
		}
		if out, err = s.measure(ctx, tx, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "measure.update", Object: "measures/" + id, Area: m.Area, Outcome: audit.Done, Before: measureWords(before), After: measureWords(out)})
	})
	return out, wrap("update measure", refusal("", err))
}

// handler is the grant under which the office works in an area.
func (s *Service) handler(by auth.By, scope geo.Scope) (auth.Grant, error) {
	if !person(by.Identity) {
		return auth.Grant{}, auth.ErrForbidden
	}
	g, ok := by.Grant(auth.HandleDangers, scope, s.now())
	if !ok {
		return auth.Grant{}, auth.ErrForbidden
	}
	return g, nil
}

// Link joins a danger and a measure, or parts them. Saying it twice is safe.
func (s *Service) Link(ctx context.Context, by auth.By, measure, danger string, linked bool) error {
	m, err := s.Measure(ctx, by.Identity, measure)
	if err != nil {
		return err
	}
	d, err := s.Danger(ctx, by.Identity, danger)
	if err != nil {
		return err
	}
	g, err := s.handler(by, m.Scope)
	if err != nil {
		return err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		action, query, args := "measure.link", "link_add", []any{danger, measure, by.Account}
		if !linked {
			action, query, args = "measure.unlink", "link_remove", args[:2]
		}
		tag, err := tx.Exec(ctx, s.queries.Get(query), args...)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: action, Object: "measures/" + measure, Area: m.Area, Outcome: audit.Done, After: map[string]any{"danger": danger, "number": d.Number}})
	})
	return wrap("link", refusal("", err))
}

// Pairs are which measures are linked with which danger, and the other way round, by their
// numbers: what the two ledgers print of each other.
func (s *Service) Pairs(ctx context.Context, who *auth.Identity) (ofDanger, ofMeasure map[string][]string, err error) {
	ofDanger, ofMeasure = map[string][]string{}, map[string][]string{}
	err = s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("link_list"), nil, func(rows pgx.Rows) error {
		var d, m, dn, mn string
		_, err := pgx.ForEachRow(rows, []any{&d, &m, &dn, &mn}, func() error {
			ofDanger[d], ofMeasure[m] = append(ofDanger[d], mn), append(ofMeasure[m], dn)
			return nil
		})
		return err
	})
	return ofDanger, ofMeasure, wrap("links", err)
}
