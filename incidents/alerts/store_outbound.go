package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/cap"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/records"
)

// Forward puts an alert's latest message into the outbox for places the setting names.
// It is told once it stands there. A message goes to a place once.
func (s *Service) Forward(ctx context.Context, by auth.By, id string, channels []string) ([]Outbound, error) {
	if !by.May(auth.SendOrders, s.now()) {
		return nil, auth.ErrForbidden
	}
	a, err := s.Alert(ctx, by.Identity, id)
	if err != nil {
		return nil, err
	}
	g, ok := by.Grant(auth.SendOrders, a.Scope, s.now())
	if !ok {
		return nil, auth.ErrForbidden
	}
	if s.dir == "" {
		return nil, clash("outbound_off", "本机未启用转发", "passing on is not set up on this server")
	}
	known := DestinationsOf(s.catalogue.Now())
	var to []Destination
	for _, c := range channels {
		i := slices.IndexFunc(known, func(d Destination) bool { return d.ID == c })
		if i < 0 {
			return nil, fault("channels", "unknown", "设置中没有去处 "+clip(c, 40), "the setting names no destination "+clip(c, 40))
		}
		to = append(to, known[i])
	}
	if len(to) == 0 || len(to) > 50 {
		return nil, fault("channels", "count", "请选择转发去处", "say where to")
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("latest_message"), id, "")
		if err != nil {
			return err
		}
		m, err := pgx.CollectExactlyOneRow(rows, scanMessage)
		if errors.Is(err, pgx.ErrNoRows) {
			return clash("no_message", "该预警不是以报文接收的，不能转发", "this alert did not come as a message: it is not passed on")
		}
		if err != nil {
			return err
		}
		for _, d := range to {
			if _, err := tx.Exec(ctx, s.queries.Get("queue"), id, m.ID, d.Kind, d.ID, d.Title, account(by), by.Name, s.now()); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alert.forward", Object: "alerts/" + id, Area: g.Area, Outcome: audit.Done,
			After: map[string]any{"identifier": m.Identifier, "destinations": channels}})
	})
	if err != nil {
		return nil, wrap("forward", err)
	}
	s.nudge()
	return s.Outbound(ctx, by.Identity, id)
}

// Outbound is where an alert's messages went and go.
func (s *Service) Outbound(ctx context.Context, who *auth.Identity, id string) (out []Outbound, err error) {
	if !records.IsID(id) {
		return nil, auth.ErrNotFound
	}
	if _, err := s.Alert(ctx, who, id); err != nil {
		return nil, err
	}
	err = s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("outbound"), []any{id}, func(rows pgx.Rows) error {
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Outbound, err error) {
			err = row.Scan(&o.ID, &o.Kind, &o.Destination, &o.Title, &o.State, &o.LastError, &o.Identifier, &o.MsgType, &o.Follows, &o.Attempts, &o.CreatedAt, &o.SentAt, &o.NextAt, &o.Name)
			return o, err
		})
		return err
	})
	return out, wrap("outbound", err)
}

// nudge lets the outbox be looked at now.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run empties the outbox and lets what is over expire, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.pause)
	defer tick.Stop()
	var swept time.Time
	for {
		if s.dir != "" {
			if err := s.send(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("alerts: outbox", "err", err)
			}
		}
		if now := s.now(); now.Sub(swept) > 20*time.Second {
			swept = now
			err := s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, s.queries.Get("expire"), now)
				return err
			})
			if err != nil && ctx.Err() == nil {
				s.log.Error("alerts: expire", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.wake:
		}
	}
}

type due struct {
	parcel
	destination Destination
	attempts    int
	created     time.Time
}

// send delivers what is due. Each is held by one node; what a node held when it died is
// due again after two minutes, so that a receiver may see one twice and none never.
func (s *Service) send(ctx context.Context) error {
	for {
		var list []due
		err := s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, s.queries.Get("due"), s.now())
			if err != nil {
				return err
			}
			list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) {
				var body []byte
				if err = row.Scan(&d.id, &d.destination.Kind, &d.destination.ID, &d.attempts, &d.created, &body, &d.identifier, &d.message); err != nil {
					return d, err
				}
				var m cap.Message
				if err = json.Unmarshal(body, &m); err == nil {
					d.body = cap.Encode(&m)
				}
				return d, err
			})
			return err
		})
		if err != nil || len(list) == 0 {
			return wrap("due", err)
		}
		for _, d := range list {
			if err := s.sendOne(ctx, d); err != nil {
				return err
			}
		}
	}
}

func (s *Service) sendOne(ctx context.Context, d due) error {
	known := DestinationsOf(s.catalogue.Now())
	i := slices.IndexFunc(known, func(k Destination) bool { return k.Kind == d.destination.Kind && k.ID == d.destination.ID })
	failure := errGone
	if i >= 0 {
		failure = s.deliver(ctx, known[i], d.parcel)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return wrap("sent", s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		if failure == nil {
			_, err := tx.Exec(ctx, s.queries.Get("sent"), d.id, s.now())
			return err
		}
		state, next := "waiting", s.now().Add(backoff(d.attempts))
		if s.now().Sub(d.created) > giveUp || errors.Is(failure, errGone) {
			state = "given_up"
		}
		s.log.Warn("alerts: not passed on", "destination", d.destination.ID, "attempts", d.attempts, "state", state, "err", failure)
		_, err := tx.Exec(ctx, s.queries.Get("unsent"), d.id, state, next, clip(failure.Error(), 400))
		return err
	}))
}
