package zoning

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
)

// taking is one step of the life cycle being taken. What needs time is looked at before
// the transaction that writes, which would hold the change feed back; a print of the
// rows of the plan says that nothing changed meanwhile.
type taking struct {
	*Service

	by    auth.By
	grant auth.Grant
	step  LifeStep
	t     Transition
	seen  Plan

	print   string
	figures []zoneFigure
	method  json.RawMessage // of the figures
}

// look checks what has to hold of the zones, and counts what is written down with them.
func (w *taking) look(ctx context.Context) error {
	if !slices.Contains([]string{"submit", "approve", "publish"}, w.step.Action) {
		return nil
	}
	err := w.db.Bulk.Tx(ctx, w.by.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, w.queries.Get("plan_print"), w.seen.ID).Scan(&w.print); err != nil {
			return err
		}
		bad, err := w.check(ctx, tx, w.seen)
		if err != nil {
			return err
		}
		if len(bad) > 0 {
			return &ViolationsError{Violations: bad}
		}
		if w.step.Action == "submit" {
			w.figures, w.method, err = w.countZones(ctx, tx, w.by, w.seen)
		}
		return err
	})
	if err != nil || w.step.Action != "publish" {
		return err
	}
	return w.generalise(ctx, w.by, w.grant, w.seen.ID)
}

// do takes the step, in one transaction.
func (w *taking) do(ctx context.Context, tx pgx.Tx) (Plan, error) {
	for _, q := range []struct{ name, arg string }{{"series_turn", w.seen.Series}, {"plan_turn", w.seen.ID}} {
		if _, err := tx.Exec(ctx, w.queries.Get(q.name), q.arg); err != nil {
			return Plan{}, err
		}
	}
	p, err := w.plan(ctx, tx, w.seen.ID, true)
	if err != nil {
		return Plan{}, err
	}
	if p.Version != w.seen.Version || p.State != w.seen.State {
		return Plan{}, auth.ErrStaleVersion
	}
	if w.print != "" {
		var now string
		if err := tx.QueryRow(ctx, w.queries.Get("plan_print"), p.ID).Scan(&now); err != nil {
			return Plan{}, err
		}
		if now != w.print {
			return Plan{}, auth.ErrStaleVersion
		}
	}
	// Opinions, verdicts and hands may have come since.
	if w.step.Other && slices.Contains(p.Draws, w.by.Account) {
		return Plan{}, fourEyes(p.State)
	}
	if err := conditions(w.step, p, w.t); err != nil {
		return Plan{}, err
	}
	if err := w.write(ctx, tx, p); err != nil {
		return Plan{}, err
	}
	if err := w.event(ctx, tx, w.by, p.ID, p.State, w.t.To, w.t.Note); err != nil {
		return Plan{}, err
	}
	out, err := w.plan(ctx, tx, p.ID, false)
	if err != nil {
		return Plan{}, err
	}
	if out.Position, err = w.position(ctx, tx); err != nil {
		return Plan{}, err
	}
	after := map[string]any{"state": out.State, "document_no": out.DocumentNo, "effective_from": out.EffectiveFrom, "effective_to": out.EffectiveTo}
	return out, w.record(ctx, tx, w.by, w.grant, "plan."+w.step.Action, out, w.t.Note, map[string]any{"state": p.State}, after)
}

func (w *taking) write(ctx context.Context, tx pgx.Tx, p Plan) error {
	exec := func(query string, args ...any) error {
		_, err := tx.Exec(ctx, w.queries.Get(query), args...)
		return err
	}
	switch w.step.Action {
	case "submit":
		if err := w.keepFigures(ctx, tx, p.ID, w.figures); err != nil {
			return err
		}
		return exec("step_submit", p.ID, w.by.Actor(), w.by.Account, w.method)
	case "return":
		return exec("step_return", p.ID)
	case "approve":
		return exec("step_approve", p.ID, w.by.Actor(), w.by.Account)
	case "publish":
		return w.publish(ctx, tx, p)
	case "withdraw":
		return exec("step_withdraw", p.ID, w.by.Actor())
	case "repeal":
		// Repealed on a day, it held until that day began; repealed now, until now.
		until := w.now()
		day := until.In(w.catalogue.Now().Location())
		if d := w.t.EffectiveFrom; d != nil {
			until, day = w.midnight(*d), *d
		}
		if err := exec("step_repeal", p.ID, w.by.Actor(), date(day)); err != nil {
			return err
		}
		return exec("end_zones", []string{p.ID}, until)
	}
	return exec("step", p.ID, w.t.To)
}

// publish shows the zones from the day on, and ends the version before with it.
func (w *taking) publish(ctx context.Context, tx pgx.Tx, p Plan) error {
	day := date(*w.t.EffectiveFrom)
	from := w.midnight(*w.t.EffectiveFrom)
	var later int
	if err := tx.QueryRow(ctx, w.queries.Get("later_versions"), p.Series, p.ID, day).Scan(&later); err != nil {
		return err
	}
	if later > 0 {
		return &auth.Invalid{Items: []auth.Fault{{Path: "effective_from", Code: "before_current", ZH: "生效日期不能早于现行版本的生效日期", EN: "it cannot take effect before the version in force did"}}}
	}
	rows, err := tx.Query(ctx, w.queries.Get("end_versions"), p.Series, p.ID, day)
	if err != nil {
		return err
	}
	var ended, replaced []string
	var old string
	var was State
	if _, err := pgx.ForEachRow(rows, []any{&old, &was}, func() error {
		ended = append(ended, old)
		if was == Published {
			replaced = append(replaced, old)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, q := range []struct {
		name string
		args []any
	}{
		{"end_zones", []any{ended, from}},
		{"step_publish", []any{p.ID, w.by.Actor(), w.by.Account, w.t.DocumentNo, day}},
		{"publish_zones", []any{p.ID, from}},
	} {
		if _, err := tx.Exec(ctx, w.queries.Get(q.name), q.args...); err != nil {
			return err
		}
	}
	for _, old := range replaced {
		if err := w.event(ctx, tx, w.by, old, Published, Superseded, fmt.Sprintf("由第 %d 版替代", p.VersionNo)); err != nil {
			return err
		}
	}
	return nil
}

// zoneFigure is what is written down with a zone when its plan is submitted.
type zoneFigure struct {
	Zone       string
	Population *int // whole, see wholePeople
	AreaKm2    float64
	people     *float64
}

// figureMethod says how: it becomes part of the plan's method.
type figureMethod struct {
	Population string    `json:"population"`
	Area       string    `json:"area"`
	Unknown    int       `json:"unknown_cells"`
	At         time.Time `json:"at"`
}
