package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
)

// release takes an operation that waited for an earlier one. Its name was Waiting when
// it was found; another request may have been quicker.
func (d delivery) release(ctx context.Context, id string, late bool) (ready string, err error) {
	var body string
	err = d.opts.DB.Intake.Ask(ctx, d.by.Reading(), d.queries.Get("waiting_op"), []any{id}, func(rows pgx.Rows) error {
		for rows.Next() {
			var op, account string
			if err := rows.Scan(&op, &account, &d.device, &body, &d.received); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || body == "" {
		return "", err
	}
	d.late = late
	o := Parse(d.by.Account, 0, json.RawMessage(body))
	var refused *Refusal
	for try := 0; ; try++ {
		t := &attempt{delivery: d, o: o, refused: refused, waited: true}
		_, ready, err = t.run(ctx)
		if err == nil {
			return ready, nil
		}
		var ref *Refusal
		switch {
		case errors.As(err, &ref) && refused == nil:
			refused = ref
		case transient(err) && try < 3:
		case refused == nil && d.meaning(ctx, err) != nil:
			refused = d.meaning(ctx, err)
		default:
			return "", err
		}
	}
}

// Run applies what waited too long for an earlier operation, until ctx ends. Several
// nodes may run it.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.opts.Logger.Warn("sync: what waits too long", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Sweep applies what has waited for five days, oldest first, and what followed it, each
// under the rights its sender has now; and what has its turn and was left lying. It says
// how many devices it helped.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	type late struct {
		op, account, device string
		gap                 bool
	}
	var all []late
	now := s.opts.Now()
	err := s.opts.DB.Intake.Ask(ctx, db.System("sync"), s.queries.Get("overdue"), []any{now}, func(rows pgx.Rows) error {
		for rows.Next() {
			var l late
			if err := rows.Scan(&l.op, &l.account, &l.device, &l.gap); err != nil {
				return err
			}
			all = append(all, l)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sync: overdue: %w", err)
	}
	n := 0
	for _, l := range all {
		id, err := s.person(ctx, l.account, l.device)
		if err != nil {
			return n, err
		}
		d := delivery{Service: s, by: auth.By{Identity: id, Request: "sync"}, device: l.device, received: now}
		ready, err := d.release(ctx, l.op, l.gap)
		for err == nil && ready != "" {
			ready, err = d.release(ctx, ready, false)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// person makes the identity of somebody who is not here: what he may do now.
func (s *Service) person(ctx context.Context, account, device string) (*auth.Identity, error) {
	id := &auth.Identity{Kind: auth.Device, Account: account, Device: device}
	now := s.opts.Now()
	err := s.opts.DB.Intake.Ask(ctx, db.System("sync"), s.queries.Get("person"), []any{account}, func(rows pgx.Rows) error {
		for rows.Next() {
			var grant, role, area *string
			var from, to *time.Time
			if err := rows.Scan(&id.Username, &id.Name, &id.Unit, &grant, &role, &area, &from, &to); err != nil {
				return err
			}
			if grant == nil {
				continue
			}
			g := auth.Grant{ID: *grant, Account: account, Role: auth.Role(*role), Area: *area, From: *from}
			if to != nil {
				g.To = *to
			}
			id.Grants = append(id.Grants, g)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sync: person: %w", err)
	}
	id.Reach = auth.ReachOf(id.Grants, now, 0)
	return id, nil
}
