package demostore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/demo"
	"onemap/internal/geo"
)

// patrolChunk is how many patrols one transaction brings.
const patrolChunk = 400

// field writes what came from the field and was sent there, in small transactions. Told
// again at a later hour it adds the patrols of the days since.
func (s *Store) field(ctx context.Context, dataset string, c *demo.County) error {
	w := c.Field
	err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		var b pgx.Batch
		for _, r := range w.Reports {
			b.Queue(s.queries.Get("field_report"), r.ID, dataset, r.Kind, r.Urgency, r.State, r.Grid, r.Description, r.Trapped, r.Affected, r.Houses, geo.Shape{Geometry: r.At}, r.Received, r.Name, r.Officer)
		}
		for _, t := range w.Tasks {
			b.Queue(s.queries.Get("field_task"), t.ID, dataset, t.Title, t.Kind, t.ObjectKind, t.Object, t.State, t.Due, t.Note, t.Result, t.Reason, t.Place, geo.Shape{Geometry: t.At}, t.Grid, t.Worker, t.Officer, t.Sent)
		}
		for _, n := range w.Notices {
			b.Queue(s.queries.Get("field_notice"), n.ID, dataset, n.Kind, n.Title, n.Body, n.Level, n.Hazard, n.Areas, n.Issued, n.Expires, n.Officer)
		}
		for _, r := range w.Routes {
			b.Queue(s.queries.Get("field_route"), r.ID, dataset, r.Title, r.Area, r.Shelter, r.ShelterName, r.Assembly, r.Persons, r.Note, r.Approved, geo.Shape{Geometry: r.Line})
		}
		for _, k := range w.Checks {
			b.Queue(s.queries.Get("field_check"), k.ID, dataset, k.Shelter, k.Made, k.Problem, k.Code, k.Name)
		}
		for _, h := range w.Households {
			b.Queue(s.queries.Get("field_household"), dataset, h.Key, h.Grid, h.Head, h.Phone, h.Address, h.Persons, h.Elderly, h.Children, h.Disabled, h.Move)
		}
		return tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return fmt.Errorf("demostore: field work: %w", err)
	}
	for _, o := range w.Callouts {
		if err := s.callout(ctx, dataset, o); err != nil {
			return fmt.Errorf("demostore: call-out: %w", err)
		}
	}
	if err := s.warnings(ctx, dataset); err != nil {
		return fmt.Errorf("demostore: warnings: %w", err)
	}
	if err := s.relief(ctx, dataset); err != nil {
		return fmt.Errorf("demostore: relief: %w", err)
	}
	if err := s.Gauges(ctx, dataset, c.Options.Now.Add(-24*time.Hour), c.Options.Now); err != nil {
		return err
	}
	for part := range slices.Chunk(w.Patrols, patrolChunk) {
		if err := s.patrols(ctx, dataset, part); err != nil {
			return fmt.Errorf("demostore: patrols: %w", err)
		}
	}
	return nil
}

// warnings tells the warnings as if they had come as messages.
func (s *Store) warnings(ctx context.Context, dataset string) error {
	return s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		for _, name := range []string{"alert_chains", "alert_stale", "alert_messages", "alert_targets", "alert_receipts"} {
			if _, err := tx.Exec(ctx, s.queries.Get(name), dataset); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

// callout tells of a call-out: its villages, who was called, who has moved.
func (s *Store) callout(ctx context.Context, dataset string, o demo.FieldCallout) error {
	return s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.queries.Get("field_callout"), o.ID, dataset, o.Kind, o.Title, o.Reason, o.Villages, o.Started, o.Officer)
		if err != nil || tag.RowsAffected() == 0 {
			return err // it was told before
		}
		for _, q := range []struct {
			name string
			args []any
		}{
			{"field_callout_villages", []any{o.ID, dataset, o.Villages}}, {"field_callout_targets", []any{o.ID, dataset, o.Villages, o.Started, o.Officer}}, {"field_callout_calls", []any{o.ID}},
			{"field_callout_deputies", []any{o.ID}}, {"field_callout_moved", []any{o.ID, dataset, o.Started, o.Officer}},
		} {
			if _, err := tx.Exec(ctx, s.queries.Get(q.name), q.args...); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
		}
		return nil
	})
}

func (s *Store) patrols(ctx context.Context, dataset string, part []demo.FieldPatrol) error {
	var ids, kinds, results, grids, names []string
	var x, y []float64
	var at []time.Time
	for _, p := range part {
		ids, kinds, results, grids, names = append(ids, p.ID), append(kinds, p.Kind), append(results, p.Result), append(grids, p.Grid), append(names, p.Name)
		x, y, at = append(x, p.At[0]), append(y, p.At[1]), append(at, p.Made)
	}
	return s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.queries.Get("field_patrols"), dataset, ids, kinds, results, grids, x, y, at, names)
		return err
	})
}

// forgetField takes out what the demonstration made of field work, and what people made
// of it in the demo county: its codes are nobody else's.
func (s *Store) forgetField(ctx context.Context, dataset string) error {
	for _, name := range append(reliefRemovals(), "remove_field_callouts", "remove_gauges", "remove_field_notice_acks", "remove_field_notices", "remove_field_tasks", "remove_field_reports", "remove_field_checks", "remove_field_routes", "remove_field_households", "remove_field_patrols") {
		for {
			var n int64
			err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
				tag, err := tx.Exec(ctx, s.queries.Get(name), dataset)
				n = tag.RowsAffected()
				return err
			})
			if err != nil {
				return fmt.Errorf("demostore: %s: %w", name, err)
			}
			if n == 0 || name != "remove_field_patrols" {
				break
			}
		}
	}
	return nil
}
