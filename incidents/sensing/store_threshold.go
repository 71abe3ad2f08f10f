package sensing

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// ids reads a list of stations at the present time.
func (s *Service) ids(ctx context.Context, claims db.Claims, sql string) ([]string, error) {
	var ids []string
	err := s.db.Bulk.Ask(ctx, claims, s.queries.Get(sql), []any{s.now()}, func(rows pgx.Rows) error {
		var err error
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return ids, err
}

func (s *Service) points(ctx context.Context, claims db.Claims, id, measure string, from, to time.Time, step time.Duration) ([]Point, error) {
	var out []Point
	sql, args := "series", []any{id, measure, from, to, step}
	if step == 0 {
		sql, args = "raw", []any{id, measure, from, to, MaxPoints}
	}
	rain := measure == "rain"
	err := s.db.Query.Ask(ctx, claims, s.queries.Get(sql), args, func(rows pgx.Rows) error {
		var p Point
		if step == 0 {
			_, err := pgx.ForEachRow(rows, []any{&p.At, &p.Value}, func() error { out = append(out, p); return nil })
			return err
		}
		var total, last *float64
		_, err := pgx.ForEachRow(rows, []any{&p.At, &total, &last, &p.Least, &p.Most}, func() error {
			p.Value = last
			if rain {
				p.Value, p.Least, p.Most = total, nil, nil
			}
			out = append(out, p)
			return nil
		})
		return err
	})
	return out, err
}

// threshold reads what is set for a station, and where the station lies.
func (s *Service) threshold(ctx context.Context, tx pgx.Tx, id string) (t Thresholds, scope geo.Scope, kind string, err error) {
	var villages []byte
	err = tx.QueryRow(ctx, s.queries.Get("threshold"), id).Scan(&t.Version, &t.Warning, &t.Guarantee, &t.FloodLimit, &villages, &t.Source, &scope, &kind)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, scope, kind, auth.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(villages, &t.Villages)
	}
	return t, scope, kind, err
}

// Thresholds are those of a station.
func (s *Service) Thresholds(ctx context.Context, who *auth.Identity, id string) (Thresholds, error) {
	if !uuidForm.MatchString(id) {
		return Thresholds{}, auth.ErrNotFound
	}
	var t Thresholds
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		t, _, _, err = s.threshold(ctx, tx, id)
		return err
	})
	return t, wrap("thresholds", err)
}

// SetThresholds replaces them; version 0 is of a station that has none yet.
func (s *Service) SetThresholds(ctx context.Context, by auth.By, id string, version int64, next Thresholds) (Thresholds, error) {
	var out Thresholds
	if !uuidForm.MatchString(id) {
		return out, auth.ErrNotFound
	}
	var scope geo.Scope
	var kind string
	err := s.db.Bulk.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		_, scope, kind, err = s.threshold(ctx, tx, id)
		return err
	})
	if err != nil {
		return out, wrap("thresholds", err)
	}
	g, ok := by.Grant(auth.EditRules, scope, s.now())
	if !ok {
		return out, auth.ErrForbidden
	}
	if err := next.check(kind); err != nil {
		return out, err
	}
	villages, err := next.text()
	if err != nil {
		return out, wrap("thresholds", err)
	}
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("threshold_lock"), id); err != nil {
			return err
		}
		before, _, _, err := s.threshold(ctx, tx, id)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		tag, err := tx.Exec(ctx, s.queries.Get("threshold_put"), id, next.Warning, next.Guarantee, next.FloodLimit, villages, next.Source, version)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return auth.ErrStaleVersion
		}
		if out, _, _, err = s.threshold(ctx, tx, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "station.thresholds", Object: "sensors/" + id, Area: g.Area, Before: before, After: out})
	})
	return out, wrap("thresholds", err)
}
