package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// restore takes an edit back, whole: every zone it touched becomes again what it was,
// to the last bit. That is possible while each of them is still as that edit left it;
// what it did not touch may have changed meanwhile, and is looked at like after any step.
// With a computation goes what the plan says of how it came to be.
// Taking back the taking back does the edit again.
func (s *Service) restore(ctx context.Context, tx pgx.Tx, p editPlan, r EditRequest) (*outcome, error) {
	edit := r.Steps[0].Restore
	var seq int64
	var zh, en string
	var areaBefore, areaAfter geo.Shape
	var made json.RawMessage
	err := tx.QueryRow(ctx, s.queries.Get("edit_load"), p.ID, edit).Scan(&seq, &zh, &en, &areaBefore, &areaAfter, &made)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "ops[0].edit", Code: "no_such_edit", ZH: "该方案没有这一步", EN: "the plan has no such edit"}}}
	}
	if err != nil {
		return nil, err
	}
	undone, err := s.undoings(ctx, tx, p.ID, seq)
	if err != nil {
		return nil, err
	}
	if undone[edit] != "" {
		return nil, &auth.Conflict{Code: "already_undone", ZH: "这一步已经撤销", EN: "the edit is undone already"}
	}
	links := 0
	if err := tx.QueryRow(ctx, s.queries.Get("edit_root"), p.ID, edit).Scan(&zh, &en, &links); err != nil {
		return nil, err
	}
	all, err := s.editSides(ctx, tx, p.ID, edit)
	if err != nil {
		return nil, err
	}
	var boxes []coverage.Box
	named := make([]string, 0, len(all))
	shaped := false
	for _, c := range all {
		named = append(named, c.zone)
		shaped = shaped || c.shaped()
		if c.before != nil && len(c.before.Shape) > 0 {
			lo, hi := coverage.Bound(c.before.Shape)
			boxes = append(boxes, coverage.Box{Min: lo, Max: hi})
		}
	}
	var n near
	if shaped {
		n, err = s.editNear(ctx, tx, p, boxes, named)
	} else {
		n, err = s.editNamed(ctx, tx, p, named)
	}
	if err != nil {
		return nil, err
	}
	d := newDrawing(p, n)
	if err := s.untouched(ctx, tx, d, r, all); err != nil {
		return nil, err
	}
	o := d.back(all)
	o.undoes, o.made = edit, made
	o.zh, o.en = again(zh, en, links)
	if areaAfter.Geometry != nil && areaBefore.Geometry != nil {
		if err := d.borderBack(o, areaAfter.Geometry, areaBefore.Geometry); err != nil {
			return nil, err
		}
	}
	if shaped {
		if bad := coverage.CheckChange(d.before, d.cov, d.change); len(bad) > 0 {
			return nil, &ViolationsError{Violations: bad}
		}
	}
	return o, nil
}

// editSides reads what an edit did, zone by zone.
func (s *Service) editSides(ctx context.Context, tx pgx.Tx, plan, edit string) ([]sides, error) {
	rows, err := tx.Query(ctx, s.queries.Get("edit_load_zones"), plan, edit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c sides, err error) {
		var before, after []byte
		var was, is geo.Shape
		if err = row.Scan(&c.zone, &before, &was, &after, &is); err != nil {
			return c, err
		}
		side := func(raw []byte, g orb.Geometry) (*editZone, error) {
			if raw == nil {
				return nil, nil
			}
			var rec zoneRecord
			if err := json.Unmarshal(raw, &rec); err != nil {
				return nil, err
			}
			z := &editZone{Zone: rec.zone(plan, c.zone)}
			return z, z.shape(plan, g)
		}
		if c.before, err = side(before, was.Geometry); err != nil {
			return c, err
		}
		c.after, err = side(after, is.Geometry)
		return c, err
	})
}

// untouched makes sure that every zone is as the edit left it, and as the client thinks
// where his base says so.
func (s *Service) untouched(ctx context.Context, tx pgx.Tx, d *drawing, r EditRequest, all []sides) error {
	e := &StaleError{}
	for _, c := range all {
		is := d.was[c.zone]
		switch {
		case is == nil && c.after == nil:
			continue
		case is == nil:
			e.Gone = append(e.Gone, c.zone)
			continue
		case c.after != nil && same(&is.Zone, &c.after.Zone) && orb.Equal(is.geom, c.after.geom):
			if v, listed := r.Base[c.zone]; !listed || v == is.Version {
				continue
			}
		}
		e.Theirs = append(e.Theirs, is.Zone)
	}
	if len(e.Theirs)+len(e.Gone) == 0 {
		return nil
	}
	if len(e.Gone) > 0 {
		base := make(map[string]int64, len(e.Gone))
		for _, id := range e.Gone {
			base[id] = 0
		}
		more, err := s.stale(ctx, tx, d.plan, EditRequest{Base: base})
		if err != nil {
			return err
		}
		for _, z := range more.Theirs {
			if !slices.ContainsFunc(e.Theirs, func(t Zone) bool { return t.Zone == z.Zone }) {
				e.Theirs = append(e.Theirs, z)
			}
		}
	}
	return e
}
