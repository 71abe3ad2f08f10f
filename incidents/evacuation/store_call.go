package evacuation

import (
	"context"
	"errors"
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

const maxTargets = 20000

func taken(err error) bool {
	pg := new(pgconn.PgError)
	return errors.As(err, &pg) && pg.Code == "23505"
}

func scanTarget(row pgx.CollectableRow) (t Target, err error) {
	err = row.Scan(&t.ID, &t.Callout, &t.Village, &t.VillageName, &t.Phase, &t.Role, &t.Place, &t.Level, &t.Name, &t.Post, &t.Contact, &t.Phone, &t.Grid, &t.Household,
		&t.Persons, &t.Elderly, &t.Deputy, &t.DeputyPost, &t.DeputyContact, &t.DeputyPhone, &t.Escalation, &t.Parent, &t.Root,
		&t.State, &t.OpenedAt, &t.DueAt, &t.AnsweredAt, &t.PassedOnAt, &t.Scope, &t.Version)
	return t, err
}

func scanCall(row pgx.CollectableRow) (c Call, err error) {
	err = row.Scan(&c.ID, &c.Target, &c.Outcome, &c.Channel, &c.Note, &c.At, &c.ReceivedAt, &c.Account, &c.Name)
	return c, err
}

// targets reads targets with their calls.
func (s *Service) targets(ctx context.Context, tx pgx.Tx, areas geo.Scopes, ids []string, callout string, f TargetFilter) ([]Target, error) {
	list, err := all(ctx, tx, scanTarget, s.queries.Get("targets"), areas.String(), ids, null(callout), f.State, f.Village, f.Phase, f.Open, maxTargets)
	if err != nil || len(list) == 0 {
		return list, err
	}
	at, found := map[string]int{}, make([]string, 0, len(list))
	for i, t := range list {
		at[t.ID], found = i, append(found, t.ID)
	}
	calls, err := all(ctx, tx, scanCall, s.queries.Get("calls"), areas.String(), found)
	for _, c := range calls {
		if i, ok := at[c.Target]; ok {
			list[i].Calls = append(list[i].Calls, c)
		}
	}
	return list, err
}

// Targets are the call list of a call-out, in the order people are called.
func (s *Service) Targets(ctx context.Context, who *auth.Identity, callout string, f TargetFilter) ([]Target, error) {
	if _, err := s.Callout(ctx, who, callout); err != nil {
		return nil, err
	}
	var out []Target
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		out, err = s.targets(ctx, tx, Desk(who, s.now()), nil, callout, f)
		return err
	})
	return out, wrap("targets", err)
}

// Made is a call somebody made.
type Made struct {
	OpID, Target, Outcome, Channel, Note string
	At                                   time.Time // zero: now
}

// Rung is what came of a call: the target as it is now, and whom it opened.
type Rung struct {
	Target       Target
	Call         Call
	Opened       *Target
	Repeated     bool // it was known
	FeedPosition string
}

const ahead = 10 * time.Minute // a clock may go wrong by so much

// Ring writes a call down. Who does not answer, or refuses, is followed by his deputy, and
// he by the township. A call sent again changes nothing.
func (s *Service) Ring(ctx context.Context, by auth.By, m Made) (out Rung, err error) {
	now := s.now()
	if !person(by.Identity) || len(Desk(by.Identity, now)) == 0 {
		return out, auth.ErrForbidden
	}
	if !records.IsID(m.Target) {
		return out, auth.ErrNotFound
	}
	var t Target
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		list, err := s.targets(ctx, tx, Desk(by.Identity, now), []string{m.Target}, "", TargetFilter{})
		if err == nil && len(list) == 0 {
			err = auth.ErrNotFound
		}
		if err == nil {
			t = list[0]
		}
		return err
	})
	if err != nil {
		return out, wrap("call", err)
	}
	grant, ok := grantFor(by.Identity, auth.WorkDesk, t.Scope, now)
	if !ok {
		return out, auth.ErrForbidden
	}
	if m.At.IsZero() {
		m.At = now
	}
	if m.Channel == "" {
		m.Channel = "phone"
	}
	note, sayable := words(m.Note, 0, 2000)
	switch {
	case !records.IsID(m.OpID):
		return out, invalid("op_id", "not_an_id", "应为 UUID，同一次通话重发时不变", "it is a UUID, the same when a call is sent again")
	case !slices.Contains(Outcomes(), m.Outcome):
		return out, invalid("outcome", "unknown", "应为 answered、repeated、refused 或 no_answer", "it is answered, repeated, refused or no_answer")
	case !slices.Contains([]string{"phone", "app", "radio", "in_person"}, m.Channel):
		return out, invalid("channel", "unknown", "应为 phone、app、radio 或 in_person", "it is phone, app, radio or in_person")
	case !sayable:
		return out, invalid("note", "length", "备注过长或含有无效字符", "the note is too long, or not text")
	case m.At.After(now.Add(ahead)):
		return out, invalid("at", "future", "通话时间在将来", "the call is in the future")
	}
	m.Note = note
	err = s.db.Intake.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		out, err = s.ring(ctx, tx, by, grant, m, now)
		return err
	})
	return out, wrap("call", err)
}

func (s *Service) ring(ctx context.Context, tx pgx.Tx, by auth.By, grant auth.Grant, m Made, now time.Time) (out Rung, err error) {
	areas := Desk(by.Identity, now)
	// The row is held first: two who ring the same person come one after the other.
	var callout string
	if err := tx.QueryRow(ctx, s.queries.Get("lock_target"), m.Target).Scan(&callout); err != nil {
		return out, err
	}
	tag, err := tx.Exec(ctx, s.queries.Get("insert_call"), m.OpID, m.Target, m.Outcome, m.Channel, m.At, m.Note, now, null(by.Account), by.Actor(), by.Name)
	if err != nil {
		return out, err
	}
	if out.Repeated = tag.RowsAffected() == 0; out.Repeated {
		var target, outcome string
		err := tx.QueryRow(ctx, s.queries.Get("call"), m.OpID).Scan(&target, &outcome)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && (target != m.Target || outcome != m.Outcome) {
			return out, clash("op_id_used", "操作编号已用于另一次通话", "the op_id belongs to another call")
		}
		if err != nil {
			return out, err
		}
	}
	read := func(id string) (Target, error) {
		list, err := s.targets(ctx, tx, areas, []string{id}, "", TargetFilter{})
		if err == nil && len(list) == 0 {
			err = auth.ErrNotFound
		}
		if err != nil {
			return Target{}, err
		}
		return list[0], nil
	}
	t, err := read(m.Target)
	if err != nil {
		return out, err
	}
	for _, c := range t.Calls {
		if c.ID == m.OpID {
			out.Call = c
		}
	}
	if !out.Repeated {
		if err := s.settle(ctx, tx, &t, callout == "active", makerOf(by), now, &out.Opened); err != nil {
			return out, err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(grant), Action: "callout.call", Object: "call_targets/" + t.ID, Area: t.Village, Outcome: audit.Done, Reason: audit.Clip(m.Note),
			After: map[string]any{"call": m.OpID, "outcome": m.Outcome, "channel": m.Channel, "escalation": t.Escalation, "opened": out.Opened != nil}}); err != nil {
			return out, err
		}
	}
	if out.Target, err = read(m.Target); err != nil {
		return out, err
	}
	return out, tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
}

// settle makes the state of a target what its calls say, and follows it up.
func (s *Service) settle(ctx context.Context, tx pgx.Tx, t *Target, active bool, m maker, now time.Time, opened **Target) error {
	calls := t.Calls
	if t.Escalation == 2 {
		// The duty desk is asked anew for each who falls silent: what it said before was of others.
		calls = slices.DeleteFunc(slices.Clone(calls), func(c Call) bool { return c.ReceivedAt.Before(t.OpenedAt) })
	}
	state, answered := stands(calls)
	if state == "" {
		return nil
	}
	if _, err := tx.Exec(ctx, s.queries.Get("stand"), t.ID, state, answered, len(t.Calls)); err != nil {
		return err
	}
	t.State = state
	if t.Phase != "call" {
		return nil
	}
	if reached(state) {
		if t.Escalation == 2 {
			return nil
		}
		if _, err := tx.Exec(ctx, s.queries.Get("close_chain"), t.Root, t.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, s.queries.Get("close_township"), t.Callout, t.Village)
		return err
	}
	if !active || t.PassedOnAt != nil || t.Escalation == 2 {
		return nil
	}
	next, err := s.passOn(ctx, tx, *t, m, now)
	if opened != nil {
		*opened = next
	}
	return err
}

// passOn opens the next in line of somebody who does not answer: his deputy, then the duty
// desk of the township. What his deputy has already answered stays answered.
func (s *Service) passOn(ctx context.Context, tx pgx.Tx, t Target, m maker, now time.Time) (*Target, error) {
	if _, err := tx.Exec(ctx, s.queries.Get("passed_on"), t.ID, now); err != nil {
		return nil, err
	}
	rules := s.rules()
	next := Target{ID: newID(now), Callout: t.Callout, Village: t.Village, VillageName: t.VillageName, Phase: "call", Role: t.Role, Place: t.Place, Level: t.Level, Parent: t.ID, Root: t.Root, OpenedAt: now, State: Waiting, Scope: t.Scope}
	if t.Escalation == 0 && (t.Deputy != "" || t.DeputyContact != "" && t.DeputyPhone != "") {
		next.Escalation, next.Name, next.Post, next.Contact, next.Phone, next.Grid = 1, t.Deputy, t.DeputyPost, t.DeputyContact, t.DeputyPhone, t.Grid
		next.DueAt = now.Add(rules.due("deputy", t.Level))
	} else {
		next.Escalation = 2
		next.DueAt = now.Add(rules.due("township", t.Level))
		var id, state string
		err := tx.QueryRow(ctx, s.queries.Get("township_target"), t.Callout, t.Village).Scan(&id, &state)
		if err == nil {
			if state == Waiting {
				return nil, nil
			}
			_, err := tx.Exec(ctx, s.queries.Get("reopen"), id, now, next.DueAt)
			next.ID = id
			return &next, err
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return nil, err
		}
		err = tx.QueryRow(ctx, s.queries.Get("township"), t.Village, now).Scan(&next.Post, &next.Name, &next.Contact)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			next.Post = "乡镇值班室（当前无排班）"
		case err != nil:
			return nil, err
		default:
			one := []Target{next}
			if err := s.numbered(ctx, tx, one); err != nil {
				return nil, err
			}
			next.Phone, next.DeputyPhone = one[0].Phone, ""
		}
	}
	var b pgx.Batch
	s.queue(&b, t.Callout, next, m)
	return &next, tx.SendBatch(ctx, &b).Close()
}

// Sweep follows up who did not answer in time, and ends the call-outs of alerts that were
// cancelled. It says how many it changed.
func (s *Service) Sweep(ctx context.Context) (n int, err error) {
	now := s.now()
	const batch = 200
	system := maker{actor: "onemap", name: "系统"}
	err = s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		ids, err := all(ctx, tx, pgx.RowTo[string], s.queries.Get("late"), now, batch)
		if err != nil || len(ids) == 0 {
			return err
		}
		list, err := s.targets(ctx, tx, geo.Scopes{geo.Everywhere()}, ids, "", TargetFilter{})
		if err != nil {
			return err
		}
		for _, t := range list {
			if _, err := s.passOn(ctx, tx, t, system, now); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return n, wrap("sweep", err)
	}
	ended, err := s.EndCancelled(ctx)
	return n + ended, err
}

// EndCancelled ends the call-outs of alerts that were cancelled, and has whom they were told
// to told that. Whoever takes a cancel in asks for it at once; the sweep finds what was missed.
func (s *Service) EndCancelled(ctx context.Context) (n int, err error) {
	now, system := s.now(), maker{actor: "onemap", name: "系统"}
	var over []string
	err = s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		over, err = all(ctx, tx, pgx.RowTo[string], s.queries.Get("cancelled"))
		return err
	})
	for _, id := range over {
		if err == nil {
			err = s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
				return s.end(ctx, tx, system, audit.Doer{Actor: "onemap", Role: "system"}, id, "cancelled", "预警已解除", now)
			})
			n++
		}
	}
	return n, wrap("cancelled", err)
}

// Run sweeps until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("evacuation: following up calls", "err", err)
		}
	}
}

// End ends a call-out; whom it was told to is to hear that.
func (s *Service) End(ctx context.Context, by auth.By, id string, version int64, reason, note string) (Callout, error) {
	now := s.now()
	c, err := s.Callout(ctx, by.Identity, id)
	if err != nil {
		return c, err
	}
	grant, ok := grantFor(by.Identity, auth.SendOrders, c.Scope, now)
	note, sayable := words(note, 0, 2000)
	switch {
	case !ok:
		return c, auth.ErrForbidden
	case !slices.Contains([]string{"done", "cancelled", "mistake"}, reason):
		return c, invalid("reason", "unknown", "应为 done、cancelled 或 mistake", "it is done, cancelled or mistake")
	case !sayable:
		return c, invalid("note", "length", "备注过长或含有无效字符", "the note is too long, or not text")
	case c.Version != version:
		return c, auth.ErrStaleVersion
	case c.State == "ended":
		return c, clash("already_ended", "叫应已结束", "the call-out has ended")
	}
	err = s.db.Intake.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		return s.end(ctx, tx, makerOf(by), by.Doer(grant), id, reason, note, now)
	})
	if err != nil {
		return c, wrap("end", err)
	}
	return s.Callout(ctx, by.Identity, id)
}

func (s *Service) end(ctx context.Context, tx pgx.Tx, m maker, doer audit.Doer, id, reason, note string, now time.Time) error {
	var state string
	if err := tx.QueryRow(ctx, s.queries.Get("lock_callout"), id).Scan(&state); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, s.queries.Get("end_callout"), id, now, m.name, reason, null(note))
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	told, err := tx.Exec(ctx, s.queries.Get("told"), id, now, now.Add(s.rules().due(GridWorker, nil)), null(m.account), m.actor, m.name)
	if err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Doer: doer, Action: "callout.end", Object: "callouts/" + id, Reason: audit.Clip(note), Outcome: audit.Done,
		After: map[string]any{"reason": reason, "all_clear": told.RowsAffected()}})
}
