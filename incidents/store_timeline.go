package incidents

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

func scanEvent(row pgx.CollectableRow) (Event, error) {
	var e Event
	err := row.Scan(&e.ID, &e.Incident, &e.Kind, &e.At, &e.RecordedAt, &e.Detail, &e.Fields, &e.Ref, &e.Actor, &e.Name, &e.Role)
	return e, err
}

// Timeline is what happened, in its order. What was merged into an incident is told in its
// own timeline.
func (s *Service) Timeline(ctx context.Context, who *auth.Identity, id string) ([]Event, error) {
	var out []Event
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if _, err := s.one(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("events"), id, nil)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, scanEvent)
		return err
	})
	return out, wrap("timeline", err)
}

// EventsIn are those of the lines whose incidents are seen in the areas, for the streams.
func (s *Service) EventsIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Event, error) {
	out := map[string]Event{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("events"), []any{nil, ids}, func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanEvent)
		for _, e := range list {
			out[e.ID] = e
		}
		return err
	})
	return out, wrap("stream", err)
}

// Note adds a line somebody writes by hand; at is when it happened.
func (s *Service) Note(ctx context.Context, by auth.By, id string, at *time.Time, text string) (Incident, error) {
	var f faults
	text = f.text("text", text, 1, 4000)
	at = s.moment(&f, "at", at)
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	if at == nil {
		now := s.now().UTC()
		at = &now
	}
	out, err := s.changing(ctx, by, id, nil, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if err := frozen(i); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, id, "note", *at, text, nil, ""); err != nil {
			return i, err
		}
		return s.finish(ctx, tx, by, g, "note", &i, id, "")
	})
	return out, wrap("note", err)
}
