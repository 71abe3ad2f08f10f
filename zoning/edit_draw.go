package zoning

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// drawing is a part of a plan while steps are applied to it.
type drawing struct {
	plan   editPlan
	was    map[string]*editZone // as loaded; never changed
	before *coverage.Coverage   // as loaded
	cov    *coverage.Coverage
	now    map[string]*Zone // what the zones say, and of which version they were; shapes are in cov
	change coverage.Change  // of all steps together, each of which the coverage allowed
	heirs  map[string]string
	shaped bool // a step changed geometry
	people map[string]bool
	noder  coverage.Noder
	newID  func() string
}

func newDrawing(p editPlan, n near) *drawing {
	d := &drawing{
		plan: p, was: n.zones, now: make(map[string]*Zone, len(n.zones)), heirs: map[string]string{}, people: map[string]bool{},
		before: &coverage.Coverage{Zones: make(map[coverage.ID]coverage.Shape, len(n.zones)), Area: p.Border, Exhaustive: p.Exhaustive, Loaded: &n.loaded},
		change: coverage.Change{Before: map[coverage.ID]coverage.Shape{}, After: map[coverage.ID]coverage.Shape{}, Heirs: map[coverage.ID]coverage.ID{}},
	}
	for id, z := range n.zones {
		d.before.Zones[coverage.ID(id)] = z.Shape
		c := z.Zone
		d.now[id] = &c
	}
	loaded := n.loaded
	d.cov = &coverage.Coverage{Zones: maps.Clone(d.before.Zones), Area: p.Border, Exhaustive: p.Exhaustive, Loaded: &loaded}
	return d
}

// draw applies the steps of a request to the zones they reach.
func (s *Service) draw(ctx context.Context, tx pgx.Tx, p editPlan, r EditRequest, lone bool) (*outcome, error) {
	if err := s.newIDs(ctx, tx, p, r.Steps); err != nil {
		return nil, err
	}
	boxes, named := reach(r.Steps)
	for range 8 {
		n, err := s.editNear(ctx, tx, p, boxes, named)
		if err != nil {
			return nil, err
		}
		d := newDrawing(p, n)
		d.noder = &noder{ctx: ctx, tx: tx, queries: s.queries}
		d.newID = func() string { return newID(s.now()) }
		o, err := s.drawn(ctx, tx, d, r, lone)
		var more *coverage.NeedMore
		if !errors.As(err, &more) {
			return o, err
		}
		boxes = append(boxes, more.Box)
	}
	return nil, &auth.Invalid{Items: []auth.Fault{{Path: "ops", Code: "too_complex", ZH: "这一步牵涉的单元过多,请分步绘制", EN: "the step reaches too many zones; draw it in steps"}}}
}

func (s *Service) drawn(ctx context.Context, tx pgx.Tx, d *drawing, r EditRequest, lone bool) (*outcome, error) {
	computed := hasMethod(d.plan.Method)
	for i := range r.Steps {
		err := d.step(&r.Steps[i], fmt.Sprintf("ops[%d]", i), computed)
		var c *coverage.Error
		if errors.As(err, &c) {
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
	if n := len(o.after) + len(o.before); n > 2*maxTouched {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "ops", Code: "too_many", ZH: fmt.Sprintf("一步最多改动 %d 个单元", maxTouched), EN: fmt.Sprintf("a step changes at most %d zones", maxTouched)}}}
	}
	if err := s.nameHeirs(ctx, tx, d, o); err != nil {
		return nil, err
	}
	o.zh, o.en = s.title(d.plan, r.Steps)
	return o, nil
}

// reach is where the steps touch the plan, with a margin, and the zones they name.
func reach(steps []Step) (boxes []coverage.Box, named []string) {
	const margin = 100 // of the grid: a decimetre
	boxes, named = []coverage.Box{}, []string{}
	for i := range steps {
		op := &steps[i].Op
		for _, id := range slices.Concat(op.Zones, []coverage.ID{op.Zone, op.Target}) {
			if id != "" {
				named = append(named, string(id))
			}
		}
		if op.Kind == "" {
			continue
		}
		var at []coverage.Point
		switch op.Kind {
		case coverage.MoveVertex:
			at = []coverage.Point{op.From, op.To}
		case coverage.MoveEdge:
			at = slices.Concat(op.Edge[:], op.EdgeTo[:])
		case coverage.InsertVertex:
			at = append(op.Edge[:], op.At)
		case coverage.RemoveVertex, coverage.FillHole, coverage.AssignGap:
			at = []coverage.Point{op.At}
		default:
			at = op.Line
			for _, p := range op.Shape {
				for _, r := range p {
					at = slices.Concat(at, r)
				}
			}
		}
		if len(at) == 0 {
			continue
		}
		b := coverage.Box{Min: at[0], Max: at[0]}
		for _, p := range at[1:] {
			b = around(b, coverage.Box{Min: p, Max: p})
		}
		b.Min.X, b.Min.Y, b.Max.X, b.Max.Y = b.Min.X-margin, b.Min.Y-margin, b.Max.X+margin, b.Max.Y+margin
		boxes = append(boxes, b)
	}
	return boxes, named
}

// step applies one step. [coverage.Error] when the coverage does not allow it.
func (d *drawing) step(st *Step, path string, computed bool) error {
	if st.Op.Kind != "" {
		return d.apply(st)
	}
	for _, id := range st.Op.Zones {
		z := d.now[string(id)]
		if z == nil {
			return &coverage.Error{Violations: []coverage.Violation{{Code: coverage.NoSuchZone, Zones: []coverage.ID{id}}}}
		}
		if st.Relevel && computed && *st.Set.Level != z.Level && (st.Set.Reason == nil || len([]rune(*st.Set.Reason)) < 2) {
			return &auth.Invalid{Items: []auth.Fault{{Path: path + ".reason", Code: "reason_required",
				ZH: "该方案由计算得出,改等级须写明理由", EN: "the plan was computed: say why the level is another"}}}
		}
		st.Set.to(z)
	}
	return nil
}

func (a *Attributes) to(z *Zone) {
	for _, t := range []struct {
		into *string
		v    *string
	}{{&z.Code, a.Code}, {&z.Name, a.Name}, {&z.Reason, a.Reason}, {&z.Countermeasure, a.Countermeasure}, {&z.Responsible, a.Responsible}} {
		if t.v != nil {
			*t.into = *t.v
		}
	}
	if a.Level != nil {
		z.Level = *a.Level
	}
}

func (d *drawing) apply(st *Step) error {
	op := st.Op
	if op.Kind == coverage.Add && op.Zone == "" {
		op.Zone = coverage.ID(d.newID())
	}
	var people *int
	if op.Kind == coverage.Merge {
		people = d.peopleOf(op.Zones)
	}
	ch, err := d.cov.Apply(op, d.noder, func() coverage.ID { return coverage.ID(d.newID()) })
	if err != nil {
		return err
	}
	d.shaped = true
	d.change = d.change.Merge(ch)
	for id := range ch.Before {
		if _, ok := ch.After[id]; !ok {
			delete(d.now, string(id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ch.After)) {
		if d.now[string(id)] == nil {
			d.now[string(id)] = d.born(string(id), string(ch.Heirs[id]))
		}
	}
	if people != nil {
		z := d.now[string(op.Zones[0])]
		z.Population, d.people[z.Zone] = people, true
	}
	if op.Kind == coverage.Add {
		if z := d.now[string(op.Zone)]; z != nil {
			st.Set.to(z)
		}
	}
	return nil
}

// born is a new zone: it says what the zone said from which it took most.
func (d *drawing) born(id, heir string) *Zone {
	z := &Zone{Plan: d.plan.ID, Zone: id, Attrs: json.RawMessage("{}")}
	if d.heirs[heir] != "" {
		heir = d.heirs[heir] // made in an earlier step of the same edit
	}
	h := d.now[heir]
	if h == nil {
		if w := d.was[heir]; w != nil {
			h = &w.Zone
		}
	}
	if h == nil {
		return z
	}
	z.Name, z.Level, z.Reason, z.Countermeasure, z.Responsible = h.Name, h.Level, h.Reason, h.Countermeasure, h.Responsible
	z.Attrs = withoutFigures(h.Attrs)
	d.heirs[id] = heir
	return z
}

// peopleOf is how many people live in zones that become one, if it is known of each.
func (d *drawing) peopleOf(ids []coverage.ID) *int {
	sum := 0
	for _, id := range ids {
		z := d.now[string(id)]
		if z == nil || z.Population == nil {
			return nil
		}
		sum += *z.Population
	}
	return &sum
}

// outcome compares what is with what was.
func (d *drawing) outcome() *outcome {
	o := &outcome{before: map[string]*editZone{}, after: map[string]*Zone{}, exact: map[string]orb.Geometry{}, moved: map[string]bool{}}
	for id, z := range d.now {
		was := d.was[id]
		z.Shape = d.cov.Zones[coverage.ID(id)]
		shape := was == nil || !was.Shape.Equal(z.Shape)
		if was != nil && !shape && same(&was.Zone, z) {
			continue
		}
		o.after[id] = z
		if was != nil {
			o.before[id] = was
		}
		if !shape {
			continue
		}
		o.moved[id] = true
		// Figures of other ground would be wrong; a node more on a border changes none.
		if was != nil && !sameGround(was.Shape, z.Shape) {
			if !d.people[id] {
				z.Population = nil
			}
			z.Attrs = withoutFigures(z.Attrs)
		}
	}
	for id, was := range d.was {
		if d.now[id] == nil {
			o.before[id] = was
		}
	}
	if d.change.AreaAfter != nil {
		o.border = d.cov.Area.Geometry()
	}
	return o
}

// withoutFigures takes what was counted in a zone out of its attributes.
func withoutFigures(attrs json.RawMessage) json.RawMessage {
	if !bytes.Contains(attrs, []byte(`"figures"`)) {
		return attrs
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(attrs, &m) != nil {
		return attrs
	}
	delete(m, "figures")
	out, err := json.Marshal(m)
	if err != nil {
		return attrs
	}
	return out
}

// sameGround says whether b is a with nodes added on its edges, to a step of the grid.
func sameGround(a, b coverage.Shape) bool {
	return slices.EqualFunc(a, b, func(p, q coverage.Polygon) bool {
		return slices.EqualFunc(p, q, func(r, s coverage.Ring) bool {
			start := slices.Index(s, r[0])
			if start < 0 || len(s) < len(r) {
				return false
			}
			j := 0
			for i := range s {
				v := s[(start+i)%len(s)]
				if j < len(r) && v == r[j] {
					j++
					continue
				}
				if !onEdge(v, r[j-1], r[j%len(r)]) {
					return false
				}
			}
			return j == len(r)
		})
	})
}

// onEdge says whether v lies on ab, rounded to the grid.
func onEdge(v, a, b coverage.Point) bool {
	dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
	px, py := float64(v.X-a.X), float64(v.Y-a.Y)
	l := dx*dx + dy*dy
	t := px*dx + py*dy
	cross := px*dy - py*dx
	return t >= 0 && t <= l && cross*cross <= l
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
			bases[id] = stem(z.Name)
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

// stem is a name without the number an earlier cut gave it.
func stem(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i > 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil && n > 1 && n < 1000 && name[i+1] != '0' {
			return name[:i]
		}
	}
	return name
}

// hasMethod says whether a plan was computed: its method says how, and is not only the
// note of an import.
func hasMethod(method json.RawMessage) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(method, &m) != nil {
		return false
	}
	delete(m, "import")
	return len(m) > 0
}
