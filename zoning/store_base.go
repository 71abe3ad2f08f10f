package zoning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// draw applies the steps of a request to the zones they reach.
func (s *Service) draw(ctx context.Context, tx pgx.Tx, p editPlan, t drafting) (*outcome, error) {
	r := t.r
	if err := s.newIDs(ctx, tx, p, r.Steps); err != nil {
		return nil, err
	}
	if err := s.nearby(ctx, tx, p, r.Steps); err != nil {
		return nil, err
	}
	boxes, named := reach(r.Steps)
	for range 8 {
		var n near
		var err error
		if slices.ContainsFunc(r.Steps, func(st Step) bool { return st.Op.Kind != "" }) {
			n, err = s.editNear(ctx, tx, p, boxes, named)
		} else {
			n, err = s.editNamed(ctx, tx, p, named)
		}
		if err != nil {
			return nil, err
		}
		d := newDrawing(p, n)
		d.noder = t.noder
		d.newID = func() string { return newID(s.now()) }
		o, err := s.drawn(ctx, tx, d, r, t.lone)
		var more *coverage.NeedMore
		if !errors.As(err, &more) {
			return o, err
		}
		boxes = append(boxes, more.Box)
	}
	return nil, &auth.Invalid{Items: []auth.Fault{{Path: "ops", Code: "too_complex", ZH: "这一步牵涉的单元过多，请分步绘制", EN: "the step reaches too many zones; draw it in steps"}}}
}

func (s *Service) drawn(ctx context.Context, tx pgx.Tx, d *drawing, r EditRequest, lone bool) (*outcome, error) {
	computed := hasMethod(d.plan.Method)
	for i := range r.Steps {
		err := d.step(&r.Steps[i], fmt.Sprintf("ops[%d]", i), computed)
		if c, ok := errors.AsType[*coverage.Error](err); ok {
			return nil, s.orStale(ctx, tx, d.plan, r, c.Violations)
		}
		if err != nil {
			return nil, err
		}
	}
	o := d.outcome()
	if len(o.after)+len(o.before) == 0 {
		return nil, s.orStale(ctx, tx, d.plan, r, []coverage.Violation{{Code: coverage.NothingToDo, At: first(r.Steps[0].Op)}})
	}
	if err := s.fresh(ctx, tx, d.plan, r, o, lone); err != nil {
		return nil, err
	}
	if d.shaped {
		if err := s.inside(ctx, tx, d.plan, o); err != nil {
			return nil, err
		}
	}
	if o.touched() > maxTouched {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "ops", Code: "too_many", ZH: fmt.Sprintf("一步最多改动 %d 个单元", maxTouched), EN: fmt.Sprintf("a step changes at most %d zones", maxTouched)}}}
	}
	if err := s.nameHeirs(ctx, tx, d, o); err != nil {
		return nil, err
	}
	o.zh, o.en = s.title(d.plan, r.Steps)
	return o, nil
}

// newIDs makes sure that ids a client gave to new zones name nothing else in the series.
func (s *Service) newIDs(ctx context.Context, tx pgx.Tx, p editPlan, steps []Step) error {
	var ids []string
	for i := range steps {
		op := &steps[i].Op
		if op.Kind == coverage.Add && op.Zone != "" {
			ids = append(ids, string(op.Zone))
		}
		for _, id := range op.New {
			ids = append(ids, string(id))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	used := len(slices.Compact(slices.Clone(ids))) < len(ids)
	if !used {
		err := tx.QueryRow(ctx, s.queries.Get("edit_ids_used"), p.Series, ids).Scan(&used)
		if err != nil {
			return err
		}
	}
	if used {
		return &auth.Conflict{Code: "zone_exists", ZH: "新单元的 ID 已被使用", EN: "the id of a new zone is in use"}
	}
	return nil
}

// fresh checks the base: every zone that changes is in it, as it is now.
func (s *Service) fresh(ctx context.Context, tx pgx.Tx, p editPlan, r EditRequest, o *outcome, lone bool) error {
	stale := &StaleError{}
	for _, id := range slices.Sorted(maps.Keys(o.before)) {
		was := o.before[id]
		v, listed := r.Base[id]
		if v == was.Version || lone && !listed {
			continue
		}
		stale.Theirs = append(stale.Theirs, was.Zone)
		if !listed {
			stale.Missing = append(stale.Missing, id)
		}
	}
	if len(stale.Theirs) == 0 {
		return nil
	}
	if more, err := s.stale(ctx, tx, p, r); err != nil {
		return err
	} else if more != nil {
		for _, z := range more.Theirs {
			if !slices.ContainsFunc(stale.Theirs, func(t Zone) bool { return t.Zone == z.Zone }) {
				stale.Theirs = append(stale.Theirs, z)
			}
		}
		stale.Gone = more.Gone
	}
	return stale
}

// orStale is what stands against an edit: if the client drew on an older picture, that,
// because what he could not have known is not his mistake.
func (s *Service) orStale(ctx context.Context, tx pgx.Tx, p editPlan, r EditRequest, bad []coverage.Violation) error {
	stale, err := s.stale(ctx, tx, p, r)
	switch {
	case err != nil:
		return err
	case stale != nil:
		return stale
	}
	return &ViolationsError{Violations: bad}
}

// stale compares the base of a request with what there is; nil where they agree. In the
// place of zones that are no more come those the removing step left.
func (s *Service) stale(ctx context.Context, tx pgx.Tx, p editPlan, r EditRequest) (*StaleError, error) {
	if len(r.Base) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, s.queries.Get("edit_versions"), p.ID, slices.Collect(maps.Keys(r.Base)))
	if err != nil {
		return nil, err
	}
	there := map[string]int64{}
	var zone string
	var version int64
	if _, err = pgx.ForEachRow(rows, []any{&zone, &version}, func() error { there[zone] = version; return nil }); err != nil {
		return nil, err
	}
	e := &StaleError{}
	var ask []string
	for _, id := range slices.Sorted(maps.Keys(r.Base)) {
		v, ok := there[id]
		switch {
		case !ok:
			e.Gone = append(e.Gone, id)
		case v != r.Base[id]:
			ask = append(ask, id)
		}
	}
	if len(e.Gone) > 0 {
		rows, err := tx.Query(ctx, s.queries.Get("edit_successors"), p.ID, e.Gone)
		if err != nil {
			return nil, err
		}
		next, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		for _, id := range next {
			if !slices.Contains(ask, id) {
				ask = append(ask, id)
			}
		}
	}
	if len(ask) == 0 && len(e.Gone) == 0 {
		return nil, nil
	}
	e.Theirs, err = s.editZones(ctx, tx, p.ID, "edit_zones_named", ask)
	return e, err
}

// inside makes sure that where no boundary says how far the plan goes, nothing is drawn
// beyond its administrative unit: the grant to draw does not reach further.
func (s *Service) inside(ctx context.Context, tx pgx.Tx, p editPlan, o *outcome) error {
	if len(p.Border) > 0 || len(o.moved) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(o.moved))
	shapes := make([]geo.Shape, len(ids))
	for i, id := range ids {
		shapes[i] = geo.Shape{Geometry: o.after[id].Shape.Geometry()}
	}
	rows, err := tx.Query(ctx, s.queries.Get("edit_outside"), p.Area, shapes, coverage.GridSize)
	if err != nil {
		return err
	}
	var bad []coverage.Violation
	var n int64
	var at geo.Shape
	var area float64
	_, err = pgx.ForEachRow(rows, []any{&n, &at, &area}, func() error {
		v := coverage.Violation{Code: coverage.OutsideArea, Zones: []coverage.ID{coverage.ID(ids[n-1])}, AreaM2: area}
		if pt, ok := at.Geometry.(orb.Point); ok {
			v.At = coverage.At(pt)
		}
		bad = append(bad, v)
		return nil
	})
	if err != nil || len(bad) == 0 {
		return err
	}
	return &ViolationsError{Violations: bad}
}

// nameHeirs gives zones that came of others a name of their own: 原名-2, 原名-3, …
func (s *Service) nameHeirs(ctx context.Context, tx pgx.Tx, d *drawing, o *outcome) error {
	bases := map[string]string{}
	for id, heir := range d.heirs {
		z := o.after[id]
		if z == nil || z.Name == "" {
			continue
		}
		h := d.now[heir]
		if h == nil && d.was[heir] != nil {
			h = &d.was[heir].Zone
		}
		if h != nil && z.Name == h.Name {
			bases[id] = nameStem(z.Name)
		}
	}
	if len(bases) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, s.queries.Get("edit_names"), d.plan.ID, slices.Compact(slices.Sorted(maps.Values(bases))))
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, n := range names {
		used[n] = true
	}
	for _, z := range o.after {
		used[z.Name] = true
	}
	for _, id := range slices.Sorted(maps.Keys(bases)) {
		for n := 2; ; n++ {
			name := bases[id] + "-" + strconv.Itoa(n)
			if !used[name] {
				o.after[id].Name, used[name] = name, true
				break
			}
		}
	}
	return nil
}
