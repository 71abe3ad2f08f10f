package contingency

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// maxClauses bounds one plan; a county has some two hundred plans.
const maxClauses = 500

func scanPlan(row pgx.CollectableRow) (p Plan, err error) {
	err = row.Scan(&p.ID, &p.Title, &p.Kind, &p.Hazard, &p.Area, &p.Unit, &p.DocumentNumber, &p.VersionText, &p.IssuedOn, &p.ReviewDue, &p.Lead, &p.State, &p.ClauseCount, &p.Version, &p.UpdatedAt, &p.UpdatedBy)
	return p, err
}

func (s *Service) today() time.Time {
	y, m, d := s.now().In(s.catalogue.Now().Location()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Plans are those of the areas the asker reads.
func (s *Service) Plans(ctx context.Context, who *auth.Identity, q Query) ([]Plan, error) {
	var bad faults
	var area, due any
	if q.Area != "" {
		area = bad.area("area", q.Area)
	}
	if q.Kind != "" && !slices.Contains(Kinds(), q.Kind) {
		bad.add("kind", "unknown", "没有此类别", "there is no such kind")
	}
	var hazards []string
	if q.Hazard != "" {
		if !s.knownHazard(q.Hazard) {
			bad.add("hazard", "unknown", "没有此灾种", "there is no such hazard")
		}
		hazards = s.hazards(Case{Hazard: q.Hazard})
	}
	if q.Overdue {
		due = s.today()
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	limit := 200
	if q.Limit > 0 {
		limit = min(q.Limit, 1000)
	}
	var out []Plan
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plans"), []any{who.Reach.Of(db.Internal).String(), nil, area, hazards, q.Kind, q.Text, due, limit}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanPlan)
		return err
	})
	return out, wrap("plans", err)
}

// Plan is one with its clauses.
func (s *Service) Plan(ctx context.Context, who *auth.Identity, id string) (Plan, error) {
	if !records.IsID(id) {
		return Plan{}, auth.ErrNotFound
	}
	var p Plan
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		p, err = s.plan(ctx, tx, who.Reach.Of(db.Internal), id)
		return err
	})
	return p, wrap("plan", err)
}

func (s *Service) plan(ctx context.Context, tx pgx.Tx, areas geo.Scopes, id string) (Plan, error) {
	rows, err := tx.Query(ctx, s.queries.Get("plans"), areas.String(), id, nil, nil, "", "", nil, 1)
	if err != nil {
		return Plan{}, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPlan)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, auth.ErrNotFound
	}
	if err != nil {
		return p, err
	}
	rows, err = tx.Query(ctx, s.queries.Get("clauses"), id)
	if err != nil {
		return p, err
	}
	p.Clauses, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Clause, err error) {
		err = row.Scan(&c.ID, &c.Seq, &c.Hazard, &c.Level, &c.Action, &c.Unit, &c.Minutes, &c.Text)
		return c, err
	})
	return p, err
}

// checked says what is wrong with a plan. Clauses are numbered in the order they come.
func (s *Service) checked(p Plan) (Plan, geo.Scope, error) {
	var bad faults
	p.Title, p.Unit = bad.text("title", p.Title, 1, 200), bad.text("unit", p.Unit, 1, 200)
	p.DocumentNumber, p.VersionText, p.Lead = bad.text("document_number", p.DocumentNumber, 0, 100), bad.text("version", p.VersionText, 0, 50), bad.text("lead", p.Lead, 0, 200)
	if !slices.Contains(Kinds(), p.Kind) {
		bad.add("kind", "unknown", "没有此类别", "there is no such kind")
	}
	if p.Hazard != "" && !s.knownHazard(p.Hazard) {
		bad.add("hazard", "unknown", "没有此灾种", "there is no such hazard")
	}
	if p.State == "" {
		p.State = "valid"
	}
	if p.State != "valid" && p.State != "withdrawn" {
		bad.add("state", "unknown", "应为有效或废止", "it is valid or withdrawn")
	}
	if p.IssuedOn != nil && p.ReviewDue != nil && p.ReviewDue.Before(*p.IssuedOn) {
		bad.add("review_due", "out_of_range", "修订期限早于印发日期", "the review is due before it was issued")
	}
	if len(p.Clauses) > maxClauses {
		bad.add("clauses", "too_many", "一件预案至多 500 条", "at most 500 clauses")
	}
	for i := range p.Clauses {
		c, at := &p.Clauses[i], fmt.Sprintf("clauses/%d/", i)
		c.Seq = i + 1
		c.Action, c.Unit, c.Text = bad.text(at+"action", c.Action, 1, 200), bad.text(at+"unit", c.Unit, 1, 200), bad.text(at+"text", c.Text, 0, 4000)
		if c.Hazard != "" && !s.knownHazard(c.Hazard) {
			bad.add(at+"hazard", "unknown", "没有此灾种", "there is no such hazard")
		}
		if c.Level < 0 || c.Level > 4 {
			bad.add(at+"level", "out_of_range", "级别为 1–4", "a level is 1 to 4")
		}
		if c.Minutes != nil && (*c.Minutes < 1 || *c.Minutes > 525_600) {
			bad.add(at+"minutes", "out_of_range", "时限为 1 分钟至一年", "between a minute and a year")
		}
		if len(bad) > 50 {
			break
		}
	}
	scope := bad.area("area", p.Area)
	return p, scope, bad.err()
}

// Put brings a plan in, or a newer wording of it: then the version is held to. A clause
// that stays word for word keeps its id; one that changes is retired and written anew.
func (s *Service) Put(ctx context.Context, by auth.By, id string, version *int64, p Plan) (out Plan, made bool, err error) {
	now := s.now()
	if !holds(by.Identity, auth.CommandPost, now) {
		return out, false, auth.ErrForbidden
	}
	if !records.IsID(id) {
		return out, false, auth.ErrNotFound
	}
	p, scope, err := s.checked(p)
	if err != nil {
		return out, false, err
	}
	g, ok := by.Grant(auth.CommandPost, scope, now)
	if !ok {
		return out, false, auth.ErrForbidden
	}
	areas := by.Reach.Of(db.Internal)
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock_plan"), id); err != nil {
			return err
		}
		before, err := s.plan(ctx, tx, areas, id)
		values := []any{p.Title, p.Kind, null(p.Hazard), p.Area, p.Unit, null(p.DocumentNumber), null(p.VersionText), p.IssuedOn, p.ReviewDue, null(p.Lead), p.State}
		switch {
		case errors.Is(err, auth.ErrNotFound) && version == nil:
			if _, err := tx.Exec(ctx, s.queries.Get("plan_insert"), append(append([]any{id}, values...), by.Account, by.Name)...); err != nil {
				if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
					return clash("id_taken", "此编号已被使用，请换一个", "this id is in use: take another")
				}
				return err
			}
			made = true
		case err != nil:
			return err
		case version == nil && same(before, p):
			out = before // said twice
			return nil
		case version == nil || *version != before.Version:
			return auth.ErrStaleVersion
		default:
			if old, err := geo.ParseScope(before.Area); err != nil || !g.Scope().Contains(old) {
				return auth.ErrForbidden
			}
			if _, err := tx.Exec(ctx, s.queries.Get("plan_update"), append([]any{id, *version}, values...)...); err != nil {
				return err
			}
		}
		if err := s.rewrite(ctx, tx, id, before.Clauses, p.Clauses); err != nil {
			return err
		}
		if out, err = s.plan(ctx, tx, areas, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "contingency.put", Object: "contingencies/" + id, Area: p.Area, Outcome: audit.Done,
			Before: map[string]any{"version": before.Version, "clauses": len(before.Clauses)}, After: map[string]any{"title": p.Title, "version": out.Version, "clauses": len(out.Clauses)}})
	})
	return out, made, wrap("put", err)
}

// wording is a clause without its id.
func wording(c Clause) string {
	minutes := 0
	if c.Minutes != nil {
		minutes = *c.Minutes
	}
	return fmt.Sprintf("%d|%q|%d|%q|%q|%d|%q", c.Seq, c.Hazard, c.Level, c.Action, c.Unit, minutes, c.Text)
}

func same(a, b Plan) bool {
	day := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.DateOnly)
	}
	head := func(p Plan) string {
		return fmt.Sprintf("%q", []string{p.Title, p.Kind, p.Hazard, p.Area, p.Unit, p.DocumentNumber, p.VersionText, day(p.IssuedOn), day(p.ReviewDue), p.Lead, p.State})
	}
	return head(a) == head(b) && slices.EqualFunc(a.Clauses, b.Clauses, func(x, y Clause) bool { return wording(x) == wording(y) })
}

func (s *Service) rewrite(ctx context.Context, tx pgx.Tx, id string, before, after []Clause) error {
	stays := map[string]bool{}
	for _, c := range after {
		stays[wording(c)] = true
	}
	var gone []string
	there := map[string]bool{}
	for _, c := range before {
		if there[wording(c)] = stays[wording(c)]; !stays[wording(c)] {
			gone = append(gone, c.ID)
		}
	}
	var b pgx.Batch
	if len(gone) > 0 {
		b.Queue(s.queries.Get("clause_retire"), gone)
	}
	for _, c := range after {
		if !there[wording(c)] {
			b.Queue(s.queries.Get("clause_insert"), id, c.Seq, null(c.Hazard), nullInt(c.Level), c.Action, c.Unit, c.Minutes, c.Text)
		}
	}
	return tx.SendBatch(ctx, &b).Close()
}

// Matching are the clauses that apply to a case, those with the fewest minutes first.
func (s *Service) Matching(ctx context.Context, who *auth.Identity, c Case) ([]Match, error) {
	scope, err := s.sound(c)
	if err != nil {
		return nil, err
	}
	var out []Match
	err = s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("match"), []any{who.Reach.Of(db.Internal).String(), scope, s.hazards(c), c.Level, nil}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanMatch)
		return err
	})
	return out, wrap("match", err)
}

func (s *Service) sound(c Case) (geo.Scope, error) {
	var bad faults
	if c.Hazard == "" && c.Kind == "" || c.Hazard != "" && !s.knownHazard(c.Hazard) || c.Kind != "" && !s.knownHazard(c.Kind) {
		bad.add("hazard", "unknown", "请给出灾种或事件类型", "name a hazard or a kind of incident")
	}
	if c.Level < 1 || c.Level > 4 {
		bad.add("level", "out_of_range", "级别为 1–4，1 为最重", "a level is 1 to 4, 1 the worst")
	}
	scope := bad.area("area", c.Area)
	return scope, bad.err()
}

func scanMatch(row pgx.CollectableRow) (m Match, err error) {
	err = row.Scan(&m.ID, &m.Seq, &m.Hazard, &m.Level, &m.Action, &m.Unit, &m.Minutes, &m.Text, &m.Plan, &m.PlanTitle, &m.PlanKind, &m.Area)
	return m, err
}
