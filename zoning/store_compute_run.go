package zoning

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// read asks for everything in one snapshot that writes nothing, so that it holds neither
// the feed nor anybody back however long it takes.
func (s *Service) read(ctx context.Context, who *auth.Identity, c *computation, step func(done int, what string)) (*readings, error) {
	measures, err := measureQueries()
	if err != nil {
		return nil, err
	}
	d := &readings{}
	err = s.db.Bulk.Hold(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			var b pgx.Batch
			claims := who.Reading()
			claims.Queue(&b)
			if err := tx.SendBatch(ctx, &b).Close(); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, s.queries.Get("plan_horizon")).Scan(&d.position); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, s.queries.Get("compute_last_edit"), c.plan.ID).Scan(&d.lastEdit); err != nil {
				return err
			}
			if d.units, d.rest, d.area, d.mended, err = s.computeUnits(ctx, tx, who, c); err != nil {
				return err
			}
			return s.readUnits(ctx, &gauge{Service: s, tx: tx, measures: measures, snap: s.catalogue.Now(), who: who}, c, d, step)
		})
	})
	return d, err
}

// replace writes the draft, in one transaction: zones, the step in the list of steps, the
// method of the plan, which is taken back with it. Whoever drew meanwhile is not overwritten.
func (s *Service) replace(ctx context.Context, by auth.By, g auth.Grant, c *computation, d *readings, zones []Zone, r ComputeResult) error {
	made, err := json.Marshal(map[string]any{"method": c.method(by, r), "unit": c.spec.Unit})
	if err != nil {
		return err
	}
	ops, err := json.Marshal([]map[string]any{{"op": "compute", "spec": c.spec}})
	if err != nil {
		return err
	}
	after := make(map[string]*Zone, len(zones))
	for i := range zones {
		after[zones[i].Zone] = &zones[i]
	}
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("edit_turn"), c.plan.ID); err != nil {
			return err
		}
		p, err := s.editPlan(ctx, tx, c.plan.ID)
		if err != nil {
			return err
		}
		if !p.Editable() {
			return notEditable(p.State)
		}
		var last int64
		if err := tx.QueryRow(ctx, s.queries.Get("compute_last_edit"), p.ID).Scan(&last); err != nil {
			return err
		}
		if last != d.lastEdit {
			return errMeanwhile()
		}
		// As an edit remembers them: whole, to the last bit, so that the step can be taken back.
		old, err := s.editNear(ctx, tx, p, []coverage.Box{{Min: coverage.At(orb.Point{-180, -90}), Max: coverage.At(orb.Point{180, 90})}}, []string{})
		if err != nil {
			return err
		}
		o := &outcome{before: old.zones, after: after, exact: map[string]orb.Geometry{}, moved: map[string]bool{}, made: made, zh: "计算区划", en: "Computed", account: account(by)}
		for id := range after {
			o.moved[id] = true
		}
		if p.Exhaustive && len(p.Border) > 0 && !p.Border.Equal(d.area) {
			o.border = d.area.Geometry() // nodes of the cells on it
		}
		_, err = s.settle(ctx, tx, by, g, p, EditRequest{Plan: p.ID, EditID: s.newID()}, string(ops), o)
		return err
	})
	if errors.Is(err, errChanged) || errors.Is(err, auth.ErrStaleVersion) {
		return errMeanwhile()
	}
	return editError(ctx, err)
}

func errMeanwhile() error {
	return &auth.Conflict{Code: "changed_meanwhile", ZH: "计算期间草案已被他人修改，未覆盖；请重新计算", EN: "the draft was changed while it was computed and was not overwritten: compute again"}
}

// roomFor refuses at once what would come to too many zones: where nothing is dissolved,
// there are as many as units.
func (s *Service) roomFor(ctx context.Context, by auth.By, c *computation) error {
	if c.spec.Dissolve != dissolveNone {
		return nil
	}
	rank, km2 := 0, 1.0
	switch c.spec.Unit {
	case UnitVillage:
		rank = rankVillage
	case UnitTownship:
		rank = rankTownship
	case UnitSeconds:
		km2 = 0.86 // the largest, at the equator
	}
	var n int
	err := s.db.Query.Ask(ctx, by.Reading(), s.queries.Get("compute_count"), []any{c.plan.Area, c.plan.Scope, rank, km2}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&n); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err == nil && n > mostZones {
		err = tooMany("dissolve", n, mostZones)
	}
	return err
}
