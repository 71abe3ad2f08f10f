package zoning

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// editPlan is what an edit needs to know of its plan.
type editPlan struct {
	Plan

	Border coverage.Shape
	border orb.Geometry // as the database has it; nil: no boundary
}

// editZone is a zone with its shape as the database has it, to the last bit.
type editZone struct {
	Zone

	geom orb.Geometry
}

// editPlan reads the plan an edit is about; absent or not readable is [auth.ErrNotFound].
func scanEditPlan(rows pgx.Rows) (editPlan, error) {
	return pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (editPlan, error) {
		var p editPlan
		var area geo.Shape
		err := row.Scan(&p.ID, &p.Series, &p.VersionNo, &p.Hazard, &p.Kind, &p.Title, &p.Area, &p.Scope, &p.Exhaustive, &p.Ladder,
			&p.State, &p.Method, &p.Version, &p.UpdatedAt, &p.Demo, &area)
		if p.Ladder == "" {
			p.Ladder = usualLadder(p.Kind)
		}
		if err != nil || area.Geometry == nil {
			return p, err
		}
		p.border = area.Geometry
		p.Border, err = coverage.FromGeometry(area.Geometry)
		return p, err
	})
}

func (s *Service) editPlan(ctx context.Context, tx asker, id string) (editPlan, error) {
	rows, err := tx.Query(ctx, s.queries.Get("edit_plan"), id)
	if err != nil {
		return editPlan{}, err
	}
	p, err := scanEditPlan(rows)
	if errors.Is(err, pgx.ErrNoRows) {
		err = auth.ErrNotFound
	}
	return p, err
}

func (z *editZone) targets() []any {
	return []any{&z.ID, &z.Zone.Zone, &z.FID, &z.Version, &z.Code, &z.Name, &z.Level, &z.Reason, &z.Countermeasure, &z.Responsible,
		&z.Population, &z.AreaKm2, &z.Attrs}
}

// near is what [Service.editNear] found: the zones, and the part of the plan they are all of.
type near struct {
	zones  map[string]*editZone
	loaded coverage.Box
}

// editNear reads the zones the boxes touch or that are named, and every zone that
// touches the box around those.
func (s *Service) editNear(ctx context.Context, tx asker, p editPlan, boxes []coverage.Box, named []string) (near, error) {
	var w, so, e, n []float64
	for _, b := range boxes {
		lo, hi := b.Min.LonLat(), b.Max.LonLat()
		w, so, e, n = append(w, lo[0]), append(so, lo[1]), append(e, hi[0]), append(n, hi[1])
	}
	rows, err := tx.Query(ctx, s.queries.Get("edit_zones"), p.ID, named, w, so, e, n)
	if err != nil {
		return near{}, err
	}
	out := near{zones: map[string]*editZone{}}
	for rows.Next() {
		z := &editZone{}
		var g geo.Shape
		var lo, hi orb.Point
		if err := rows.Scan(append(z.targets(), &g, &lo[0], &lo[1], &hi[0], &hi[1])...); err != nil {
			rows.Close()
			return near{}, err
		}
		if err := z.shape(p.ID, g.Geometry); err != nil {
			rows.Close()
			return near{}, err
		}
		out.zones[z.Zone.Zone] = z
		out.loaded = coverage.Box{Min: coverage.At(lo), Max: coverage.At(hi)}
	}
	if err := rows.Err(); err != nil {
		return near{}, err
	}
	if len(out.zones) == 0 && len(boxes) > 0 {
		out.loaded = boxes[0]
		for _, b := range boxes[1:] {
			out.loaded = around(out.loaded, b)
		}
	}
	return out, nil
}

func around(a, b coverage.Box) coverage.Box {
	return coverage.Box{
		Min: coverage.Point{X: min(a.Min.X, b.Min.X), Y: min(a.Min.Y, b.Min.Y)},
		Max: coverage.Point{X: max(a.Max.X, b.Max.X), Y: max(a.Max.Y, b.Max.Y)},
	}
}

func (z *editZone) shape(plan string, g orb.Geometry) (err error) {
	z.Plan, z.geom = plan, g
	if z.Shape, err = coverage.FromGeometry(g); err != nil {
		return fmt.Errorf("zoning: zone %s: %w", z.Zone.Zone, err)
	}
	return nil
}

// editRows reads named zones, or all where query is edit_zones_all.
func (s *Service) editRows(ctx context.Context, tx asker, plan, query string, args ...any) ([]editZone, error) {
	rows, err := tx.Query(ctx, s.queries.Get(query), append([]any{plan}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (z editZone, err error) {
		var g geo.Shape
		if err := row.Scan(append(z.targets(), &g)...); err != nil {
			return z, err
		}
		return z, z.shape(plan, g.Geometry)
	})
}

// editZones is [Service.editRows] without the shapes as they are stored.
func (s *Service) editZones(ctx context.Context, tx asker, plan, query string, args ...any) ([]Zone, error) {
	rows, err := s.editRows(ctx, tx, plan, query, args...)
	if err != nil {
		return nil, err
	}
	out := make([]Zone, len(rows))
	for i := range rows {
		out[i] = rows[i].Zone
	}
	return out, nil
}

// editNamed reads the named zones alone: for steps that change no shape.
func (s *Service) editNamed(ctx context.Context, tx asker, p editPlan, named []string) (near, error) {
	rows, err := s.editRows(ctx, tx, p.ID, "edit_zones_named", named)
	n := near{zones: make(map[string]*editZone, len(rows))}
	for i := range rows {
		n.zones[rows[i].Zone.Zone] = &rows[i]
	}
	return n, err
}

// pen writes rows of zones. A shape that is nil stays as it is.
type pen struct {
	removed []string
	insert  columns
	update  columns
}

// columns are rows by column, as unnest takes them.
type columns struct {
	id                                              []*string
	fid                                             []*int64
	zone                                            []string
	version                                         []int64
	code, name, reason, countermeasure, responsible []*string
	level                                           []*int16
	population                                      []*int32
	area                                            []*float64
	attrs                                           []*string
	geom                                            []geo.Shape
}

func (c *columns) add(z *Zone, g orb.Geometry, area *float64) {
	opt := func(v string) *string {
		if v == "" {
			return nil
		}
		return &v
	}
	var fid *int64
	if z.FID != 0 {
		fid = &z.FID
	}
	var level *int16
	if z.Level != 0 {
		l := int16(z.Level)
		level = &l
	}
	var people *int32
	if z.Population != nil {
		n := int32(*z.Population)
		people = &n
	}
	c.id, c.fid = append(c.id, opt(z.ID)), append(c.fid, fid)
	c.zone, c.version = append(c.zone, z.Zone), append(c.version, z.Version)
	c.code, c.name, c.reason = append(c.code, opt(z.Code)), append(c.name, opt(z.Name)), append(c.reason, opt(z.Reason))
	c.countermeasure, c.responsible = append(c.countermeasure, opt(z.Countermeasure)), append(c.responsible, opt(z.Responsible))
	c.level, c.population, c.area = append(c.level, level), append(c.population, people), append(c.area, area)
	c.attrs, c.geom = append(c.attrs, opt(string(z.Attrs))), append(c.geom, geo.Shape{Geometry: g})
}

// put sends what the pen holds and brings what the database gave back into the zones.
func (s *Service) put(ctx context.Context, tx pgx.Tx, plan string, w *pen, zones map[string]*Zone) error {
	var b pgx.Batch
	given := func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var zone, id string
			var fid, version int64
			var area *float64
			if err := rows.Scan(&zone, &id, &fid, &version, &area); err != nil {
				return err
			}
			z := zones[zone]
			z.ID, z.FID, z.Version, z.AreaKm2 = id, fid, version, area
		}
		return rows.Err()
	}
	count := func(want int) func(pgconn.CommandTag) error {
		return func(t pgconn.CommandTag) error {
			if int(t.RowsAffected()) != want {
				return auth.ErrStaleVersion
			}
			return nil
		}
	}
	if len(w.removed) > 0 {
		b.Queue(s.queries.Get("edit_remove"), plan, w.removed).Exec(count(len(w.removed)))
	}
	if c := &w.insert; len(c.zone) > 0 {
		b.Queue(s.queries.Get("edit_insert"), plan, c.id, c.fid, c.version, c.zone, c.code, c.name, c.level, c.reason, c.countermeasure,
			c.responsible, c.population, c.area, c.attrs, c.geom).Query(given)
	}
	changed := 0
	if c := &w.update; len(c.zone) > 0 {
		b.Queue(s.queries.Get("edit_update"), plan, c.zone, c.version, c.code, c.name, c.level, c.reason, c.countermeasure,
			c.responsible, c.population, c.area, c.attrs, c.geom).Query(func(rows pgx.Rows) error {
			err := given(rows)
			changed = int(rows.CommandTag().RowsAffected())
			return err
		})
	}
	if b.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	if changed != len(w.update.zone) {
		return auth.ErrStaleVersion
	}
	return nil
}

// writeZones writes rows of a plan: zones in after are made or changed, those in removed
// deleted. ID, FID, Version and AreaKm2 of after become what the database gave. A zone
// whose Version is 0 is new; another must still be of that version, else it is
// [auth.ErrStaleVersion].
func (s *Service) writeZones(ctx context.Context, tx pgx.Tx, p Plan, after []Zone, removed []string) error { //nolint:unparam // its callers of today only add
	w := pen{removed: removed}
	byID := make(map[string]*Zone, len(after))
	for i := range after {
		z := &after[i]
		z.Plan = p.ID
		byID[z.Zone] = z
		if z.Version == 0 {
			n := *z
			n.Version = 1
			w.insert.add(&n, z.Shape.Geometry(), nil)
		} else {
			w.update.add(z, z.Shape.Geometry(), nil)
		}
	}
	if err := s.put(ctx, tx, p.ID, &w, byID); err != nil {
		return fmt.Errorf("zoning: write zones: %w", err)
	}
	return nil
}

// zoneRecord is a zone as an edit remembers it, beside its shape.
type zoneRecord struct {
	ID             string          `json:"id"`
	FID            int64           `json:"fid"`
	Version        int64           `json:"version"`
	Code           string          `json:"code,omitempty"`
	Name           string          `json:"name,omitempty"`
	Level          int             `json:"level,omitempty"`
	Reason         string          `json:"reason,omitempty"`
	Countermeasure string          `json:"countermeasure,omitempty"`
	Responsible    string          `json:"responsible,omitempty"`
	Population     *int            `json:"population,omitempty"`
	AreaKm2        *float64        `json:"area_km2,omitempty"`
	Attrs          json.RawMessage `json:"attrs,omitempty"`
}

func (z *Zone) record() *string {
	r := zoneRecord{z.ID, z.FID, z.Version, z.Code, z.Name, z.Level, z.Reason, z.Countermeasure, z.Responsible, z.Population, z.AreaKm2, z.Attrs}
	b, err := json.Marshal(r)
	if err != nil { // a number that is none: no column holds one
		b = []byte("{}")
	}
	t := string(b)
	return &t
}

func (r *zoneRecord) zone(plan, zone string) Zone {
	return Zone{ID: r.ID, Plan: plan, Zone: zone, FID: r.FID, Version: r.Version, Code: r.Code, Name: r.Name, Level: r.Level, Reason: r.Reason,
		Countermeasure: r.Countermeasure, Responsible: r.Responsible, Population: r.Population, AreaKm2: r.AreaKm2, Attrs: r.Attrs}
}

// same says whether two zones say the same, shape and version aside.
func same(a, b *Zone) bool {
	return a.Code == b.Code && a.Name == b.Name && a.Level == b.Level && a.Reason == b.Reason && a.Countermeasure == b.Countermeasure &&
		a.Responsible == b.Responsible && equal(a.Population, b.Population) && bytes.Equal(compact(a.Attrs), compact(b.Attrs))
}

func equal[T comparable](a, b *T) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// compact is JSON in one spelling: keys sorted, no space.
func compact(raw json.RawMessage) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) == 0 || d.Decode(&v) != nil {
		return []byte("{}")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return b
}

// doneEdit is an edit that was done before.
type doneEdit struct {
	EditResult

	sameBody, samePerson, border bool
	touched                      []string
}

// editDone finds the edit of that id; nil where there is none yet.
func (s *Service) editDone(ctx context.Context, tx pgx.Tx, plan, edit, ops string, account *string) (*doneEdit, error) {
	d := &doneEdit{}
	var undoes string
	err := tx.QueryRow(ctx, s.queries.Get("edit_done"), plan, edit, ops, account).
		Scan(&d.Seq, &d.TitleZH, &d.TitleEN, &d.sameBody, &d.samePerson, &undoes, &d.border, &d.touched)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d.EditID, d.Repeated = edit, true
	return d, nil
}

// editError says in the words of the package what the database refused.
func editError(ctx context.Context, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "OM001", "OM002":
		return notEditable("")
	case "42501":
		return auth.ErrForbidden
	case "55P03":
		return db.ErrBusy
	case "57014":
		if ctx.Err() == nil {
			return &auth.Invalid{Items: []auth.Fault{{Path: "ops", Code: "too_complex", ZH: "图形过于复杂，请分步绘制", EN: "the shape is too complex; draw it in steps"}}}
		}
	case "23514":
		if pg.TableName == "zones" {
			return &ViolationsError{Violations: []coverage.Violation{{Code: coverage.SelfIntersection}}}
		}
	}
	return err
}

func notEditable(state State) error {
	return &StateError{State: state, Code: "not_editable", ZH: "方案当前状态不可编辑", EN: "the plan cannot be edited in its present state"}
}

// editLines reads the list of steps.
func (s *Service) editLines(ctx context.Context, tx asker, plan string, since int64, limit int) ([]EditLine, error) {
	rows, err := tx.Query(ctx, s.queries.Get("edit_list"), plan, since, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (EditLine, error) {
		var l EditLine
		var w, so, e, n *float64
		var at time.Time
		err := row.Scan(&l.EditID, &l.Seq, &l.TitleZH, &l.TitleEN, &l.Ops, &l.Account, &l.By, &l.Name, &at, &l.Undoes, &l.Zones, &l.Removed, &w, &so, &e, &n)
		l.At = at
		if w != nil {
			l.Bounds = &orb.Bound{Min: orb.Point{*w, *so}, Max: orb.Point{*e, *n}}
		}
		return l, err
	})
}

// undoings says which edit took which other back and still stands: by the one undone.
func (s *Service) undoings(ctx context.Context, tx asker, plan string, since int64) (map[string]string, error) {
	rows, err := tx.Query(ctx, s.queries.Get("edit_undoings"), plan, since)
	if err != nil {
		return nil, err
	}
	type pair struct{ by, undoes string }
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pair, err error) {
		return p, row.Scan(&p.by, &p.undoes)
	})
	if err != nil {
		return nil, err
	}
	// From the newest: whether one stands is known when the one it undoes is looked at.
	by := map[string]string{}
	for i := range slices.Backward(all) {
		if _, gone := by[all[i].by]; !gone {
			by[all[i].undoes] = all[i].by
		}
	}
	return by, nil
}
