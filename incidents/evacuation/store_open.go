package evacuation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/decision"
	"onemap/internal/geo"
	"onemap/internal/records"
)

const maxVillages = 2000

type unit struct {
	code, name string
	whole      bool
}

// place is where a call-out is for.
type place struct {
	shape    geo.Shape
	areas    geo.Scopes // nil: by shape
	level    *int
	exercise bool
	title    string
	units    []unit
	codes    []string
	area     string // the smallest unit around them
	outside  int    // villages that are not the asker's
}

// maker is in whose name something is written.
type maker struct{ account, actor, name string }

func makerOf(by auth.By) maker {
	return maker{by.Account, by.Actor(), by.Name}
}

// Open makes a call-out. Somebody who may not decide alone names the 带班领导 he asked; the
// order goes at once and waits for a countersignature. Asked again with the same id it
// gives the one that is there; made says whether it is new.
func (s *Service) Open(ctx context.Context, by auth.By, n New) (out Callout, made bool, err error) {
	now := s.now()
	if !person(by.Identity) || !by.May(auth.SendOrders, now) {
		return out, false, auth.ErrForbidden
	}
	if !records.IsID(n.ID) {
		return out, false, auth.ErrNotFound
	}
	if old, err := s.mine(ctx, by, n.ID); err == nil || !errors.Is(err, auth.ErrNotFound) {
		return old, false, wrap("open", err)
	}
	if err := check(&n); err != nil {
		return out, false, err
	}
	grant, at, err := s.find(ctx, by, n, now)
	if err != nil {
		return out, false, wrap("open", err)
	}
	if n.Title == "" {
		n.Title = clip(at.title, 200)
	}
	if n.Title == "" {
		return out, false, invalid("title", "length", "请填写标题", "it needs a title")
	}
	scope, err := geo.ParseScope(at.area)
	if err != nil {
		scope = grant.Scope()
	}
	apply := func(ctx context.Context, tx pgx.Tx, order string) error {
		return s.write(ctx, tx, makerOf(by), by.Doer(grant), n, at, order, now)
	}
	if n.Consulted == "" && alone(by.Identity, scope, now) {
		err = s.db.Intake.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error { return apply(ctx, tx, "") })
	} else {
		_, err = s.order(ctx, by, decision.Order{
			Action: n.Kind, Area: at.area, Text: n.Title, Reason: n.Reason, Object: "callouts/" + n.ID, Consulted: decision.Consulted{Name: n.Consulted, Post: n.Post},
			Apply: func(ctx context.Context, tx pgx.Tx, d decision.Decision) error { return apply(ctx, tx, d.ID) },
		})
	}
	if taken(err) {
		old, err := s.mine(ctx, by, n.ID)
		return old, false, wrap("open", err)
	}
	if err != nil {
		return out, false, wrap("open", err)
	}
	out, err = s.Callout(ctx, by.Identity, n.ID)
	return out, true, wrap("open", err)
}

// mine is what is there under an id; another's is a conflict.
func (s *Service) mine(ctx context.Context, by auth.By, id string) (Callout, error) {
	old, err := s.Callout(ctx, by.Identity, id)
	if err == nil && old.Account != by.Account {
		return Callout{}, clash("id_taken", "编号已被使用", "the id is in use")
	}
	return old, err
}

func check(n *New) error {
	var ok bool
	if n.Kind == "" {
		n.Kind = CallOut
	}
	if n.Kind != CallOut && n.Kind != EvacuateNow {
		return invalid("kind", "unknown", "应为 call_out 或 evacuate_now", "it is call_out or evacuate_now")
	}
	if n.Title, ok = words(n.Title, 0, 200); !ok {
		return invalid("title", "length", "标题至多 200 字", "a title has at most 200 characters")
	}
	if n.Reason, ok = words(n.Reason, 4, 2000); !ok {
		return invalid("reason", "length", "请写明理由（至少 4 字）", "say why, in at least 4 characters")
	}
	given := 0
	for _, is := range []bool{n.Alert != "", n.Incident != "", n.Geometry != nil, len(n.Areas) > 0} {
		if is {
			given++
		}
	}
	if given == 0 || given == 2 && n.Geometry == nil && len(n.Areas) == 0 || given > 2 {
		return invalid("geometry", "where", "请给出预警、事件、范围图形或行政区划之一（预警和事件可另附范围）", "name an alert, an incident, a shape or areas; an alert or incident may come with a shape or areas")
	}
	for _, id := range []string{n.Alert, n.Incident} {
		if id != "" && !records.IsID(id) {
			return auth.ErrNotFound
		}
	}
	return nil
}

// find says where a call-out is for, and under which grant the asker orders it: the one
// that holds most of the villages. Villages outside it are not called.
func (s *Service) find(ctx context.Context, by auth.By, n New, now time.Time) (auth.Grant, place, error) {
	var at place
	var grant auth.Grant
	err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		if at, err = s.where(ctx, tx, n); err != nil {
			return err
		}
		most := -1
		for _, g := range by.Grants {
			if !g.Valid(now) || !g.Role.May(auth.SendOrders) {
				continue
			}
			held := 0
			for _, u := range at.units {
				if c, err := geo.ParseScope(u.code); err == nil && g.Scope().Contains(c) {
					held++
				}
			}
			a, b := g.Scope(), grant.Scope()
			if held > most || held == most && a.Hi-a.Lo < b.Hi-b.Lo {
				grant, most = g, held
			}
		}
		if most <= 0 && len(at.units) > 0 {
			return auth.ErrForbidden
		}
		return nil
	})
	if err != nil {
		return grant, at, err
	}
	if len(at.units) == 0 {
		return grant, at, invalid("geometry", "nobody", "范围内没有村（社区），请检查范围", "no village lies in the area")
	}
	all := len(at.units)
	at.keep(grant.Scope())
	at.outside = all - len(at.units)
	return grant, at, nil
}

func (p *place) keep(in geo.Scope) {
	p.units = slices.DeleteFunc(p.units, func(u unit) bool {
		c, err := geo.ParseScope(u.code)
		return err != nil || !in.Contains(c)
	})
	p.codes = nil
	for _, u := range p.units {
		p.codes = append(p.codes, u.code)
	}
	p.area = common(p.codes)
}

func (s *Service) where(ctx context.Context, tx pgx.Tx, n New) (place, error) {
	at := place{shape: geo.Shape{Geometry: n.Geometry}, exercise: n.Exercise}
	for sql, id := range map[string]string{"alert": n.Alert, "incident": n.Incident} {
		if id == "" {
			continue
		}
		var g geo.Shape
		var scope geo.Scope
		var exercise bool
		var state, title string
		err := tx.QueryRow(ctx, s.queries.Get(sql), id).Scan(&g, &scope, &at.level, &exercise, &state, &title)
		if errors.Is(err, pgx.ErrNoRows) {
			return at, invalid(sql, "unknown", "没有这个预警或事件", "there is no such alert or incident")
		}
		if err != nil {
			return at, err
		}
		if sql == "alert" && (state == "cancelled" || state == "expired") {
			return at, clash("alert_over", "预警已解除或过期", "the alert is over")
		}
		at.exercise, at.title = at.exercise || exercise, title
		if n.Geometry == nil && len(n.Areas) == 0 {
			if at.shape = g; g.IsNull() {
				at.areas = geo.Scopes{scope}
			}
		}
	}
	for _, a := range n.Areas {
		c, err := geo.ParseScope(a)
		if err != nil {
			return at, invalid("areas", "not_a_code", "应为行政区划代码", "they are administrative codes")
		}
		at.areas = append(at.areas, c)
	}
	if !at.shape.IsNull() {
		if geo.Check(at.shape.Geometry) != nil {
			return at, invalid("geometry", "bad_geometry", "图形无效", "the shape is not valid")
		}
		if d := at.shape.Dimensions(); d < 2 {
			if err := tx.QueryRow(ctx, s.queries.Get("around"), at.shape, s.rules().Radius).Scan(&at.shape); err != nil {
				return at, err
			}
		}
	}
	var err error
	at.units, err = s.units(ctx, tx, at.shape, at.areas)
	if err == nil && len(at.units) > maxVillages {
		err = invalid("geometry", "too_large", "范围内超过 2000 个村（社区），请分区叫应", "more than 2000 villages lie in the area; call out parts of it")
	}
	return at, err
}

// units are the villages; where none is known the townships, else the counties.
func (s *Service) units(ctx context.Context, tx pgx.Tx, shape geo.Shape, areas geo.Scopes) ([]unit, error) {
	var in *string
	if areas != nil {
		text := areas.Normal().String()
		in = &text
	}
	for rank := 5; rank >= 3; rank-- {
		list, err := all(ctx, tx, func(row pgx.CollectableRow) (u unit, err error) {
			err = row.Scan(&u.code, &u.name, &u.whole)
			return u, err
		},
			s.queries.Get("units"), shape, in, rank, maxVillages+1)
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	return nil, nil
}

// Effects are what the two orders do where they are sent for an area, without a list drawn
// up beforehand.
func (s *Service) Effects() map[string]decision.Effect {
	apply := func(ctx context.Context, tx pgx.Tx, d decision.Decision) (before, after any, err error) {
		at := place{}
		if d.Area != "" {
			scope, err := geo.ParseScope(d.Area)
			if err != nil {
				return nil, nil, err
			}
			at.areas = geo.Scopes{scope}
		}
		if at.units, err = s.units(ctx, tx, geo.Shape{}, at.areas); err != nil || len(at.units) == 0 || len(at.units) > maxVillages {
			return nil, nil, err // the order stands; there is nobody on a list
		}
		at.keep(geo.Everywhere())
		// The order's own id: one order is one call-out.
		n := New{ID: d.ID, Kind: d.Action, Title: clip(d.Text, 200), Reason: d.Reason, Areas: []string{d.Area}}
		if d.Area == "" {
			n.Areas = []string{}
		}
		if d.Consulted != nil {
			n.Consulted = d.Consulted.Name
		}
		err = s.write(ctx, tx, maker{d.MadeBy, d.MadeName, d.MadeName}, audit.Doer{Account: d.MadeBy, Actor: d.MadeName, Role: d.Role, Grant: d.Grant}, n, at, d.ID, s.now())
		return nil, map[string]string{"callout": n.ID}, err
	}
	return map[string]decision.Effect{decision.CallOut: {Apply: apply}, decision.EvacuateNow: {Apply: apply}}
}

// write draws up the list and stores it, in the transaction of the order.
func (s *Service) write(ctx context.Context, tx pgx.Tx, m maker, doer audit.Doer, n New, at place, order string, now time.Time) error {
	l, err := s.draw(ctx, tx, at, now)
	if err != nil {
		return err
	}
	areas := n.Areas
	if areas == nil {
		areas = []string{}
	}
	if _, err := tx.Exec(ctx, s.queries.Get("insert_callout"), n.ID, n.Kind, n.Title, n.Reason, null(n.Alert), null(n.Incident), areas, at.level, at.exercise, null(order), null(n.Consulted), now,
		at.shape, cmp.Or(at.area, at.codes[0]), at.codes, null(m.account), m.actor, m.name); err != nil {
		return err
	}
	var b pgx.Batch
	for _, v := range l.villages {
		b.Queue(s.queries.Get("insert_village"), n.ID, v.code, v.name, v.place, v.level, v.threatened, v.elderly, v.households, v.toMove, null(v.source), v.whole)
	}
	for _, t := range l.targets {
		s.queue(&b, n.ID, t, m)
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Doer: doer, Action: "callout.open", Object: "callouts/" + n.ID, Area: at.area, Reason: audit.Clip(n.Reason), Outcome: audit.Done,
		After: map[string]any{"kind": n.Kind, "title": n.Title, "villages": len(l.villages), "targets": len(l.targets), "outside": at.outside, "exercise": at.exercise, "decision": order, "households_left": l.left}})
}

func (s *Service) queue(b *pgx.Batch, callout string, t Target, m maker) {
	b.Queue(s.queries.Get("insert_target"), t.ID, callout, t.Village, t.VillageName, t.Phase, t.Role, t.Place, t.Level, clip(t.Name, 100), clip(t.Post, 200), null(t.Contact), null(t.Phone),
		null(t.Grid), null(t.Household), t.Persons, t.Elderly, null(t.Deputy), null(t.DeputyPost), null(t.DeputyContact), null(t.DeputyPhone), t.Escalation, null(t.Parent), t.Root, t.OpenedAt, t.DueAt,
		null(m.account), m.actor, m.name)
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
