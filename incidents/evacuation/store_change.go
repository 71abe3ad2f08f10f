package evacuation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/decision"
	"onemap/internal/geo"
)

// Named is a village as an offer names it. At and By say when and by whom it was put on
// the list later, or marked as left.
type Named struct {
	Code, Name string
	Whole      bool
	At         *time.Time
	By         string
}

// Changes are what an update of its warning means for a call-out: who came into the area
// and is not on the list, who is on the list and no longer inside. Nothing of it happens by
// itself.
type Changes struct {
	Alert, Identifier, Headline string // the message in force; empty without one
	SentAt                      *time.Time
	Added, Left                 []Named // to be put on, to be marked
	Late, Gone                  []Named // put on later, marked as left
}

// Change is what somebody does about it.
type Change struct {
	Add, Left       []string // codes, of the villages offered
	Note            string
	Consulted, Post string // as [New]
}

type head struct {
	id, identifier, headline string
	sent                     *time.Time
	at                       place
}

// head is the message in force of the chain a call-out was ordered for, nil where there is
// none or the call-out was ordered without one.
func (s *Service) head(ctx context.Context, tx pgx.Tx, alert string) (*head, error) {
	if alert == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	var h head
	var shape geo.Shape
	var scope geo.Scope
	err := tx.QueryRow(ctx, s.queries.Get("chain_head"), alert).Scan(&h.id, &h.identifier, &h.headline, &h.sent, &shape, &scope, &h.at.level)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // it is over
	}
	if err != nil {
		return nil, err
	}
	h.at, err = s.covered(ctx, tx, h.at, shape, scope)
	return &h, err
}

// covered are the villages a warning covers: those its shape touches, else those of its area.
func (s *Service) covered(ctx context.Context, tx pgx.Tx, at place, shape geo.Shape, scope geo.Scope) (place, error) {
	at.shape = shape
	if shape.IsNull() {
		at.areas = geo.Scopes{scope}
	} else if d := shape.Dimensions(); d < 2 {
		if err := tx.QueryRow(ctx, s.queries.Get("around"), shape, s.rules().Radius).Scan(&at.shape); err != nil {
			return at, err
		}
	}
	var err error
	at.units, err = s.units(ctx, tx, at.shape, at.areas)
	if err == nil && len(at.units) > maxVillages {
		err = invalid("alert", "too_large", "预警范围内超过 2000 个村（社区），请另行分区叫应", "more than 2000 villages lie in the area of the warning; call out parts of it")
	}
	return at, err
}

// changes compares the list of a call-out with its warning as it is now. What the message
// it was ordered for held already, and was left off the list, was left off on purpose.
func (s *Service) changes(ctx context.Context, tx pgx.Tx, c Callout) (out Changes, at place, err error) {
	type listed struct {
		Named
		late, gone     *time.Time
		lateBy, goneBy string
	}
	list, err := all(ctx, tx, func(row pgx.CollectableRow) (l listed, err error) {
		err = row.Scan(&l.Code, &l.Name, &l.Whole, &l.late, &l.lateBy, &l.gone, &l.goneBy)
		return l, err
	}, s.queries.Get("listed"), c.ID)
	if err != nil {
		return out, at, err
	}
	known := map[string]bool{}
	for _, l := range list {
		known[l.Code] = l.gone == nil
		if l.late != nil {
			out.Late = append(out.Late, Named{l.Code, l.Name, l.Whole, l.late, l.lateBy})
		}
		if l.gone != nil {
			out.Gone = append(out.Gone, Named{l.Code, l.Name, l.Whole, l.gone, l.goneBy})
		}
	}
	h, err := s.head(ctx, tx, c.Alert)
	if err != nil || h == nil {
		return out, at, err
	}
	at = h.at
	out.Alert, out.Identifier, out.Headline, out.SentAt = h.id, h.identifier, h.headline, h.sent
	before := map[string]bool{}
	if h.id != c.Alert {
		var shape geo.Shape
		var scope geo.Scope
		var level *int
		var exercise bool
		var state, title string
		if err := tx.QueryRow(ctx, s.queries.Get("alert"), c.Alert).Scan(&shape, &scope, &level, &exercise, &state, &title); err != nil {
			return out, at, err
		}
		was, err := s.covered(ctx, tx, place{}, shape, scope)
		if err != nil {
			return out, at, err
		}
		for _, u := range was.units {
			before[u.code] = true
		}
	}
	inside := map[string]bool{}
	for _, u := range at.units {
		inside[u.code] = true
		on, was := known[u.code]
		// A list that was drawn for the message in force is as somebody wanted it.
		if !on && (was || h.id != c.Alert && !before[u.code]) {
			out.Added = append(out.Added, Named{Code: u.code, Name: u.name, Whole: u.whole})
		}
	}
	for _, l := range list {
		if l.gone == nil && !inside[l.Code] && h.id != c.Alert {
			out.Left = append(out.Left, l.Named)
		}
	}
	return out, at, nil
}

// Changes says what the warning of a call-out means for its list now.
func (s *Service) Changes(ctx context.Context, who *auth.Identity, id string) (out Changes, err error) {
	c, err := s.Callout(ctx, who, id)
	if err != nil {
		return out, err
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		out, _, err = s.changes(ctx, tx, c)
		return err
	})
	if c.State != "active" {
		out.Added, out.Left = nil, nil
	}
	return out, wrap("changes", err)
}

// Change puts villages on the list that an update brought, and marks those it no longer
// covers; these stay on the list and on the board. To put villages on is an order like the
// call-out itself: who may not give it alone says whom he asked. What was done already is
// left as it is.
func (s *Service) Change(ctx context.Context, by auth.By, id string, ch Change) (Callout, error) {
	now := s.now()
	c, err := s.Callout(ctx, by.Identity, id)
	if err != nil {
		return c, err
	}
	note, ok := words(ch.Note, 4, 2000)
	switch {
	case !ok:
		return c, invalid("note", "length", "请写明理由（至少 4 字）", "say why, in at least 4 characters")
	case len(ch.Add)+len(ch.Left) == 0:
		return c, invalid("add", "none", "请选择要加入或标注的村（社区）", "choose villages to add or to mark")
	case c.State != "active":
		return c, clash("already_ended", "叫应已结束", "the call-out has ended")
	}
	var codes []string
	if err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("codes"), id).Scan(&codes)
	}); err != nil {
		return c, wrap("change", err)
	}
	for _, code := range ch.Add {
		if _, err := geo.ParseScope(code); err != nil {
			return c, invalid("add", "not_a_code", "应为行政区划代码", "they are administrative codes")
		}
	}
	area := common(append(codes, ch.Add...))
	scope, err := geo.ParseScope(area)
	if err != nil || area == "" {
		scope = geo.Everywhere()
	}
	grant, ok := grantFor(by.Identity, auth.SendOrders, scope, now)
	if !ok {
		return c, auth.ErrForbidden
	}
	apply := func(ctx context.Context, tx pgx.Tx, order string) error {
		return s.change(ctx, tx, makerOf(by), by.Doer(grant), c, ch, note, order, now)
	}
	if len(ch.Add) == 0 || ch.Consulted == "" && alone(by.Identity, scope, now) {
		err = s.db.Intake.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error { return apply(ctx, tx, "") })
	} else {
		_, err = s.order(ctx, by, decision.Order{
			Action: c.Kind, Area: area, Text: clip("加入叫应："+c.Title, 200), Reason: note, Object: "callouts/" + c.ID, Consulted: decision.Consulted{Name: ch.Consulted, Post: ch.Post},
			Apply: func(ctx context.Context, tx pgx.Tx, d decision.Decision) error { return apply(ctx, tx, d.ID) },
		})
	}
	if err != nil {
		return c, wrap("change", err)
	}
	return s.Callout(ctx, by.Identity, id)
}

// change does it, in the transaction of the order: the call-out is held while the list is
// compared, so that two who press at once put a village on once.
func (s *Service) change(ctx context.Context, tx pgx.Tx, m maker, doer audit.Doer, c Callout, ch Change, note, order string, now time.Time) error {
	var state string
	if err := tx.QueryRow(ctx, s.queries.Get("lock_callout"), c.ID).Scan(&state); err != nil {
		return err
	}
	if state != "active" {
		return clash("already_ended", "叫应已结束", "the call-out has ended")
	}
	offer, at, err := s.changes(ctx, tx, c)
	if err != nil {
		return err
	}
	add, done, err := chosen("add", ch.Add, offer.Added, offer.Late)
	if err != nil {
		return err
	}
	left, marked, err := chosen("left", ch.Left, offer.Left, offer.Gone)
	if err != nil {
		return err
	}
	if len(add)+len(left) == 0 && done+marked > 0 {
		return nil // somebody was faster
	}
	if len(left) > 0 {
		if _, err := tx.Exec(ctx, s.queries.Get("mark_left"), c.ID, left, now, m.name, offer.Alert); err != nil {
			return err
		}
	}
	targets := 0
	if len(add) > 0 {
		if targets, err = s.putOn(ctx, tx, m, c, add, offer.Gone, at, now); err != nil {
			return err
		}
	}
	var codes []string
	if err := tx.QueryRow(ctx, s.queries.Get("codes"), c.ID).Scan(&codes); err != nil {
		return err
	}
	area := common(codes)
	// The row of the call-out is told in the feed also where only villages were marked.
	if _, err := tx.Exec(ctx, s.queries.Get("widen"), c.ID, add, null(area)); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Doer: doer, Action: "callout.change", Object: "callouts/" + c.ID, Area: area, Reason: audit.Clip(note), Outcome: audit.Done,
		After: map[string]any{"alert": offer.Alert, "added": add, "left": left, "targets": targets, "decision": order}})
}

// chosen are the codes of what is offered; what was done before is counted and no fault.
func chosen(path string, codes []string, offered, before []Named) (out []string, done int, err error) {
	has := func(list []Named, code string) bool {
		return slices.ContainsFunc(list, func(n Named) bool { return n.Code == code })
	}
	for _, code := range codes {
		switch {
		case has(offered, code):
			if !slices.Contains(out, code) {
				out = append(out, code)
			}
		case has(before, code):
			done++
		default:
			return nil, 0, invalid(path, "not_offered", "预警更新后没有此变化，请刷新后再选", "the update of the warning does not bring this; read it again")
		}
	}
	return out, done, nil
}

// putOn draws up the list of the villages that came and ranks them among the others. A
// village that had left and is inside again has its targets already.
func (s *Service) putOn(ctx context.Context, tx pgx.Tx, m maker, c Callout, add []string, gone []Named, at place, now time.Time) (int, error) {
	if _, err := tx.Exec(ctx, s.queries.Get("put_on"), c.ID, add); err != nil {
		return 0, err
	}
	at.units = slices.DeleteFunc(at.units, func(u unit) bool {
		return !slices.Contains(add, u.code) || slices.ContainsFunc(gone, func(n Named) bool { return n.Code == u.code })
	})
	at.keep(geo.Everywhere())
	if len(at.units) == 0 {
		return 0, nil
	}
	l, err := s.draw(ctx, tx, at, now)
	if err != nil {
		return 0, err
	}
	var next int
	if err := tx.QueryRow(ctx, s.queries.Get("last_place"), c.ID).Scan(&next); err != nil {
		return 0, err
	}
	var b pgx.Batch
	for _, v := range l.villages {
		b.Queue(s.queries.Get("insert_late_village"), c.ID, v.code, v.name, next+v.place, v.level, v.threatened, v.elderly, v.households, v.toMove, null(v.source), v.whole, now, m.name)
	}
	for _, t := range l.targets {
		s.queue(&b, c.ID, t, m)
	}
	b.Queue(s.queries.Get("rank_villages"), c.ID)
	b.Queue(s.queries.Get("rank_targets"), c.ID)
	return len(l.targets), tx.SendBatch(ctx, &b).Close()
}
