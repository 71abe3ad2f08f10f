package zoning

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
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
				ZH: "该方案由计算得出，改等级须写明理由", EN: "the plan was computed: say why the level is another"}}}
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
	if err := swallowed(op, ch); err != nil {
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

// swallowed says which zones a drawn shape would take whole without that having been
// confirmed: a ring around half the plan must not replace it unseen. A sliver that its
// neighbour takes is not missed.
func swallowed(op coverage.Op, ch coverage.Change) error {
	if len(op.Shape) == 0 || op.Kind != coverage.Add && op.Kind != coverage.AddPart && op.Kind != coverage.Reshape {
		return nil
	}
	v := coverage.Violation{Code: SwallowsZones, At: first(op)}
	for _, id := range slices.Sorted(maps.Keys(ch.Before)) {
		if _, stays := ch.After[id]; stays || id == op.Zone || slices.Contains(op.Confirmed, id) || ch.Before[id].Sliver() {
			continue
		}
		v.Zones, v.Where = append(v.Zones, id), append(v.Where, ch.Before[id]...)
	}
	if len(v.Zones) == 0 {
		return nil
	}
	v.At, v.AreaM2 = v.Where[0][0][0], coverage.AreaM2(v.Where)
	op.Confirmed = slices.Concat(op.Confirmed, v.Zones)
	v.Proposals = [][]coverage.Op{{op}}
	return &coverage.Error{Violations: []coverage.Violation{v}}
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
			if len(r) == 0 || len(s) == 0 {
				return false
			}
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

// nameStem is a name without the number an earlier cut gave it.
func nameStem(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i > 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil && n > 1 && n < 1000 && name[i+1] != '0' {
			return name[:i]
		}
	}
	return name
}

// hasMethod says whether a plan was computed: its method says how, and is not only the
// note of an import or of the figures kept at submission.
func hasMethod(method json.RawMessage) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(method, &m) != nil {
		return false
	}
	delete(m, "import")
	delete(m, "figures")
	return len(m) > 0
}
