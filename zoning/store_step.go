package zoning

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// edit is Edit. lone is a step on one zone as a resource: its version is what the client
// knows, nodes that its neighbours get are not in the base.
func (s *Service) edit(ctx context.Context, by auth.By, r EditRequest, lone bool) (EditResult, error) {
	p, g, err := s.editor(ctx, by, r.Plan)
	if err != nil {
		return EditResult{}, err
	}
	if r, err = r.normal(s.levels(p)); err != nil {
		return EditResult{}, err
	}
	ops, err := wire(r.Steps)
	if err != nil {
		return EditResult{}, err
	}
	var out EditResult
	exact := false
	for range 3 {
		err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) (err error) {
			d := drafting{r: r, ops: ops, lone: lone}
			if !exact {
				d.noder = &noder{ctx: ctx, tx: tx, queries: s.queries}
			}
			out, err = s.editOnce(ctx, tx, by, g, p.ID, d)
			return err
		})
		if errors.Is(err, errNoding) && ctx.Err() == nil {
			exact = true
			s.log.WarnContext(ctx, "zoning: noded without the database", "plan", p.ID, "error", err)
			continue
		}
		if !errors.Is(err, errChanged) && !errors.Is(err, auth.ErrStaleVersion) {
			break
		}
	}
	if err != nil {
		return EditResult{}, editError(ctx, err)
	}
	return out, nil
}

// editor is the plan, and the grant under which it is drawn on. What it is at this moment
// the transaction asks again.
func (s *Service) editor(ctx context.Context, by auth.By, id string) (editPlan, auth.Grant, error) {
	id, ok := canonical(id)
	if !ok {
		return editPlan{}, auth.Grant{}, auth.ErrNotFound
	}
	if by.Identity == nil {
		return editPlan{}, auth.Grant{}, auth.ErrForbidden
	}
	var p editPlan
	err := s.db.Query.Ask(ctx, by.Reading(), s.queries.Get("edit_plan"), []any{id}, func(rows pgx.Rows) (err error) {
		p, err = scanEditPlan(rows)
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return p, auth.Grant{}, auth.ErrNotFound
	case err != nil:
		return p, auth.Grant{}, err
	}
	g, ok := by.Grant(auth.EditPlans, p.Scope, s.now())
	switch {
	case ok:
		return p, g, nil
	case s.visible(by.Identity, p.Plan):
		return p, g, auth.ErrForbidden
	}
	return p, g, auth.ErrNotFound
}

func (s *Service) editOnce(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, plan string, d drafting) (EditResult, error) {
	r, ops := d.r, d.ops
	// The transaction has no number until it writes, so while it computes it holds nobody
	// back but the next edit of this plan.
	if _, err := tx.Exec(ctx, s.queries.Get("edit_turn"), plan); err != nil {
		return EditResult{}, err
	}
	p, err := s.editPlan(ctx, tx, plan)
	if err != nil {
		return EditResult{}, err
	}
	account := account(by)
	done, err := s.editDone(ctx, tx, p.ID, r.EditID, ops, account)
	if err != nil {
		return EditResult{}, err
	}
	if done != nil {
		return s.repeated(ctx, tx, p, done)
	}
	if !p.Editable() {
		return EditResult{}, notEditable(p.State)
	}
	var o *outcome
	if r.Steps[0].Restore != "" {
		o, err = s.restore(ctx, tx, p, r)
	} else {
		o, err = s.draw(ctx, tx, p, d)
	}
	if err != nil {
		return EditResult{}, err
	}
	o.account = account
	return s.settle(ctx, tx, by, g, p, r, ops, o)
}

// repeated answers an edit that was done before with the zones as they are now.
func (s *Service) repeated(ctx context.Context, tx pgx.Tx, p editPlan, d *doneEdit) (EditResult, error) {
	if !d.sameBody || !d.samePerson {
		return EditResult{}, &auth.Conflict{Code: "edit_id_used", ZH: "该 edit_id 已用于另一步操作", EN: "the edit_id was used for another step"}
	}
	out := d.EditResult
	var err error
	if out.Zones, err = s.editZones(ctx, tx, p.ID, "edit_zones_named", d.touched); err != nil {
		return out, err
	}
	there := map[string]bool{}
	for i := range out.Zones {
		there[out.Zones[i].Zone] = true
	}
	for _, z := range d.touched {
		if !there[z] {
			out.Removed = append(out.Removed, z)
		}
	}
	if d.border {
		out.Area = p.Border
	}
	err = tx.QueryRow(ctx, s.queries.Get("edit_done_at"), p.ID, d.EditID).Scan(&out.Position)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil // the feed no longer holds it: everybody has seen it
	}
	return out, err
}

// settle writes what an edit comes to, in one go at the end of its transaction.
func (s *Service) settle(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, p editPlan, r EditRequest, ops string, o *outcome) (EditResult, error) {
	var state State
	var version int64
	var updated time.Time
	if err := tx.QueryRow(ctx, s.queries.Get("edit_still"), p.ID).Scan(&state, &version, &updated); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			err = auth.ErrForbidden // read before, and not his to write
		}
		return EditResult{}, err
	}
	if state != p.State || version != p.Version || !updated.Equal(p.UpdatedAt) {
		return EditResult{}, errChanged
	}
	out := EditResult{EditID: r.EditID, TitleZH: o.zh, TitleEN: o.en}
	var w pen
	touched := slices.Sorted(maps.Keys(o.after))
	for _, id := range touched {
		z := o.after[id]
		var shape orb.Geometry
		var area *float64
		if g, ok := o.exact[id]; ok {
			shape, area = g, z.AreaKm2
		} else if o.moved[id] {
			shape = z.Shape.Geometry()
		}
		if o.before[id] == nil {
			w.insert.add(z, shape, area)
		} else {
			w.update.add(z, shape, area)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.before)) {
		if o.after[id] == nil {
			out.Removed = append(out.Removed, id)
		}
	}
	w.removed = out.Removed
	if err := s.put(ctx, tx, p.ID, &w, o.after); err != nil {
		return out, err
	}
	for _, id := range touched {
		out.Zones = append(out.Zones, *o.after[id])
	}
	if err := s.remember(ctx, tx, by, p, ops, o, &out); err != nil {
		return out, err
	}
	return out, s.record(ctx, tx, by, g, "plan.edit", p.Plan, "", nil, map[string]any{
		"edit": out.EditID, "title": out.TitleZH, "zones": few(touched), "removed": few(out.Removed), "count": len(touched) + len(out.Removed)})
}

// remember writes the edit down, whole on both sides, so that it can be taken back.
func (s *Service) remember(ctx context.Context, tx pgx.Tx, by auth.By, p editPlan, ops string, o *outcome, out *EditResult) error {
	var borderBefore geo.Shape
	if o.border != nil {
		borderBefore.Geometry = p.border
		var err error
		if out.Area, err = coverage.FromGeometry(o.border); err != nil {
			return err
		}
	}
	var undoes *string
	if o.undoes != "" {
		undoes = &o.undoes
	}
	var zones []string
	var before, after []*string
	var shapes []geo.Shape
	for _, id := range out.Removed {
		zones, before, after = append(zones, id), append(before, o.before[id].record()), append(after, nil)
		shapes = append(shapes, geo.Shape{Geometry: o.before[id].geom})
	}
	for i := range out.Zones {
		id := out.Zones[i].Zone
		zones, after = append(zones, id), append(after, out.Zones[i].record())
		if b := o.before[id]; b != nil {
			before, shapes = append(before, b.record()), append(shapes, geo.Shape{Geometry: b.geom})
		} else {
			before, shapes = append(before, nil), append(shapes, geo.Shape{})
		}
	}
	var b pgx.Batch
	b.Queue(s.queries.Get("edit_add"), p.ID, out.EditID, o.zh, o.en, ops, undoes, borderBefore, geo.Shape{Geometry: o.border}, o.account, by.Actor(), o.made).
		QueryRow(func(row pgx.Row) error { return row.Scan(&out.Seq) })
	b.Queue(s.queries.Get("edit_add_zones"), p.ID, out.EditID, zones, before, shapes, after)
	b.Queue(s.queries.Get("edit_touch"), p.ID, geo.Shape{Geometry: o.border}, o.made)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	var err error
	out.Position, err = s.position(ctx, tx)
	return err
}

// Edits are the steps done on a plan after since, oldest first.
func (s *Service) Edits(ctx context.Context, who *auth.Identity, plan string, since int64, limit int) ([]EditLine, error) {
	if limit <= 0 {
		limit = 100
	}
	var out []EditLine
	err := s.look(ctx, who, plan, func(tx pgx.Tx, p editPlan) error {
		var err error
		if out, err = s.editLines(ctx, tx, p.ID, since, min(limit, 10_000)); err != nil {
			return err
		}
		by, err := s.undoings(ctx, tx, p.ID, since)
		for i := range out {
			out[i].UndoneBy = by[out[i].EditID]
		}
		return err
	})
	return out, wrap("edits", err)
}

// look asks questions about a plan the asker may see, in one transaction.
func (s *Service) look(ctx context.Context, who *auth.Identity, plan string, fn func(pgx.Tx, editPlan) error) error {
	id, ok := canonical(plan)
	if !ok || who == nil {
		return auth.ErrNotFound
	}
	return s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		p, err := s.editPlan(ctx, tx, id)
		if err != nil {
			return err
		}
		if !s.visible(who, p.Plan) {
			return auth.ErrNotFound
		}
		return fn(tx, p)
	})
}

// zonesNow reads named zones of a plan the asker may see.
func (s *Service) zonesNow(ctx context.Context, who *auth.Identity, plan string, zones ...string) (out []Zone, err error) {
	err = s.look(ctx, who, plan, func(tx pgx.Tx, p editPlan) (err error) {
		out, err = s.editZones(ctx, tx, p.ID, "edit_zones_named", zones)
		return err
	})
	return out, err
}
