package coverage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// work is a coverage while an operation is done on it. The coverage it came from stays
// as it was until all is right.
type work struct {
	*Coverage // own map, shapes shared until they change
	noder     Noder
	newID     func() ID
	heirs     map[ID]ID
}

// Apply does one operation. When it worked the coverage is changed and the answer says
// how; else it is as it was, and the error is an *Error with what is in the way, or a
// *NeedMore. A nil Noder means the package's own exact one.
func (c *Coverage) Apply(op Op, n Noder, newID func() ID) (Change, error) {
	w := &work{
		Coverage: &Coverage{Zones: maps.Clone(c.Zones), Area: c.Area, Exhaustive: c.Exhaustive, Loaded: c.Loaded},
		noder:    n, newID: newID, heirs: map[ID]ID{},
	}
	if w.Zones == nil {
		w.Zones = map[ID]Shape{}
	}
	if err := w.do(op); err != nil {
		return Change{}, err
	}
	ch := changeOf(c, w.Coverage)
	if len(ch.Before) == 0 && len(ch.After) == 0 && ch.AreaAfter == nil {
		return Change{}, fail(NothingToDo, op.at())
	}
	if bad := CheckChange(c, w.Coverage, ch); len(bad) > 0 {
		return Change{}, &Error{Violations: bad}
	}
	for id, from := range w.heirs {
		if _, ok := ch.After[id]; ok {
			ch.Heirs[id] = from
		}
	}
	c.Zones, c.Area = w.Zones, w.Area
	return ch, nil
}

// changeOf compares two states; shapes that were not touched share their memory.
func changeOf(a, b *Coverage) Change {
	ch := Change{Before: map[ID]Shape{}, After: map[ID]Shape{}, Heirs: map[ID]ID{}}
	for id, s := range a.Zones {
		t, ok := b.Zones[id]
		if ok && (same(s, t) || s.Equal(t)) {
			continue
		}
		ch.Before[id] = s
		if ok {
			ch.After[id] = t
		}
	}
	for id, t := range b.Zones {
		if _, ok := a.Zones[id]; !ok {
			ch.After[id] = t
		}
	}
	if !same(a.Area, b.Area) && !a.Area.Equal(b.Area) {
		ch.AreaBefore, ch.AreaAfter = a.Area, b.Area
	}
	return ch
}

// same says whether two shapes are one in memory.
func same(a, b Shape) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Merge joins a later change to this one: together they lead from the first state to
// the last.
func (ch Change) Merge(next Change) Change {
	out := Change{Before: maps.Clone(ch.Before), After: maps.Clone(ch.After), Heirs: maps.Clone(ch.Heirs),
		AreaBefore: ch.AreaBefore, AreaAfter: ch.AreaAfter}
	if out.Before == nil {
		out.Before, out.After, out.Heirs = map[ID]Shape{}, map[ID]Shape{}, map[ID]ID{}
	}
	touched := map[ID]bool{}
	for id := range next.Before {
		touched[id] = true
	}
	for id := range next.After {
		touched[id] = true
	}
	for id := range touched {
		_, known := ch.Before[id]
		if _, made := ch.After[id]; !known && !made {
			if s, ok := next.Before[id]; ok {
				out.Before[id] = s
			}
		}
		if s, ok := next.After[id]; ok {
			out.After[id] = s
		} else {
			delete(out.After, id)
		}
	}
	for id, from := range next.Heirs {
		if h, ok := out.Heirs[from]; ok {
			from = h
		}
		out.Heirs[id] = from
	}
	if next.AreaAfter != nil {
		if out.AreaBefore == nil {
			out.AreaBefore = next.AreaBefore
		}
		out.AreaAfter = next.AreaAfter
	}
	return out
}

// at is a place the operation names.
func (op Op) at() Point {
	switch op.Kind {
	case MoveVertex:
		return op.From
	case MoveEdge, InsertVertex:
		return op.Edge[0]
	}
	if len(op.Line) > 0 {
		return op.Line[0]
	}
	if b, ok := op.Shape.box(); ok {
		return b.Min
	}
	return op.At
}

func (w *work) do(op Op) error {
	switch op.Kind {
	case Add, AddPart, CutHole:
		return w.shapeOp(op)
	case Reshape:
		if len(op.Line) > 0 {
			return w.reshapeLine(op)
		}
		return w.shapeOp(op)
	case Split:
		return w.split(op)
	case Merge:
		return w.merge(op.Zones)
	case Explode:
		return w.explode(op)
	case FillHole:
		return w.fillHole(op)
	case MoveVertex:
		return w.move(map[Point]Point{op.From: op.To})
	case MoveEdge:
		return w.moveEdge(op)
	case InsertVertex:
		return w.insertVertex(op)
	case RemoveVertex:
		return w.removeVertex(op.At)
	case Delete:
		return w.remove(op)
	case AssignGap:
		return w.assignGap(op)
	}
	return fmt.Errorf("coverage: there is no operation %q", op.Kind)
}

// zone is a zone that must be there.
func (w *work) zone(id ID, at Point) (Shape, error) {
	s, ok := w.Zones[id]
	if !ok {
		return nil, fail(NoSuchZone, at, id)
	}
	return s, nil
}

// need makes sure that all zones in a box are loaded.
func (w *work) need(b Box) error {
	if w.Loaded != nil && !w.Loaded.holds(b) {
		return &NeedMore{b}
	}
	return nil
}

// fresh is the i-th new id.
func (w *work) fresh(given []ID, i int) (ID, error) {
	var id ID
	switch {
	case i < len(given) && given[i] != "":
		id = given[i]
	case w.newID != nil:
		id = w.newID()
	default:
		return "", errors.New("coverage: an id is needed for a new zone")
	}
	if _, ok := w.Zones[id]; ok {
		return "", fmt.Errorf("coverage: there is a zone %s already", id)
	}
	return id, nil
}

// everywhere replaces rings by what f makes of them, in every zone and the area.
func (w *work) everywhere(touches func(Shape) bool, f func(Ring) Ring) {
	each := func(s Shape) Shape {
		if !touches(s) {
			return s
		}
		out := make(Shape, len(s))
		for i, p := range s {
			out[i] = make(Polygon, len(p))
			for j, r := range p {
				out[i][j] = f(r)
			}
		}
		return out
	}
	for id, s := range w.Zones {
		w.Zones[id] = each(s)
	}
	w.Area = each(w.Area)
}

// weave cuts new lines at everything that is loaded, and everything at them: nodes are
// put into every user of an edge, the area's boundary too. The answer is the lines'
// chains, each from its first point to its last.
func (w *work) weave(lines [][]Point) ([][]Point, error) {
	var box Box
	n := 0
	for _, l := range lines {
		for _, p := range l {
			if n == 0 {
				box = Box{p, p}
			}
			box = box.with(p)
			n++
		}
	}
	box = box.grown(4)
	if err := w.need(box); err != nil {
		return nil, err
	}
	var segs []link
	seen := map[link]bool{}
	gather := func(s Shape) {
		if b, ok := s.box(); !ok || !b.meets(box) {
			return
		}
		s.links(func(l link) {
			l = l.upward()
			if boxOf(l.a, l.b).meets(box) && !seen[l] {
				seen[l] = true
				segs = append(segs, l)
			}
		})
	}
	for _, id := range w.ids() {
		gather(w.Zones[id])
	}
	gather(w.Area)
	old := len(segs)
	for _, l := range lines {
		for i := 1; i < len(l); i++ {
			segs = append(segs, link{l[i-1], l[i]})
		}
	}
	chains, err := node(segs, func(i int) bool { return i >= old }, w.noder)
	if err != nil {
		return nil, err
	}
	cuts := map[link][]Point{}
	for i, c := range chains[:old] {
		if len(c) > 2 {
			cuts[segs[i]] = c[1 : len(c)-1]
		}
	}
	if err := w.splice(cuts); err != nil {
		return nil, err
	}
	out := make([][]Point, len(lines))
	k := old
	for i, l := range lines {
		out[i] = []Point{l[0]}
		for j := 1; j < len(l); j++ {
			out[i] = append(out[i], chains[k][1:]...)
			k++
		}
		out[i] = slices.Compact(out[i])
	}
	return out, nil
}

// splice puts nodes into every ring that has the edges; cuts are by upward link, in its
// order.
func (w *work) splice(cuts map[link][]Point) error {
	if len(cuts) == 0 {
		return nil
	}
	var broken error
	each := func(s Shape) Shape {
		hit := false
		s.links(func(l link) {
			if _, ok := cuts[l.upward()]; ok {
				hit = true
			}
		})
		if !hit {
			return s
		}
		out := make(Shape, len(s))
		again := false
		for i, p := range s {
			out[i] = make(Polygon, len(p))
			for j, r := range p {
				ring := make(Ring, 0, len(r)+4)
				for k, a := range r {
					l := link{a, r[(k+1)%len(r)]}
					ring = append(ring, a)
					if on, ok := cuts[l.upward()]; ok {
						on = slices.Clone(on)
						if l != l.upward() {
							slices.Reverse(on)
						}
						ring = append(ring, on...)
					}
				}
				again = again || ring.repeats()
				out[i][j] = ring
			}
		}
		if again {
			// Rounding folded a border onto itself.
			t, err := out.normal()
			if err != nil {
				broken = fail(SelfIntersection, out[0][0][0])
				return s
			}
			out = t
		}
		return out
	}
	for id, s := range w.Zones {
		w.Zones[id] = each(s)
	}
	w.Area = each(w.Area)
	return broken
}

// normal makes a shape of its edges anew, those that cancel left out.
func (s Shape) normal() (Shape, error) {
	net := map[link]int32{}
	count(net, s, 1)
	return fromBalance(net)
}

// fromBalance makes the shape whose border is left of a balance.
func fromBalance(net map[link]int32) (Shape, error) {
	edges := make([]link, 0, len(net))
	for l, n := range net {
		switch n {
		case 0:
		case 1:
			edges = append(edges, l)
		case -1:
			edges = append(edges, l.back())
		default:
			return nil, errBroken
		}
	}
	slices.SortFunc(edges, func(a, b link) int {
		if c := comparePoints(a.a, b.a); c != 0 {
			return c
		}
		return comparePoints(a.b, b.b)
	})
	return assemble(edges)
}
