package coverage

import "slices"

// Operations on whole zones, parts, holes and gaps: their borders are there already.

// union is the shape of several zones together.
func (w *work) union(ids []ID) (Shape, error) {
	net := map[link]int32{}
	for _, id := range ids {
		count(net, w.Zones[id], 1)
	}
	s, err := fromBalance(net)
	if err != nil {
		lo, _ := Bound(w.Zones[ids[0]])
		return nil, fail(Overlap, lo, ids...)
	}
	return s, nil
}

func (w *work) merge(ids []ID) error {
	var list []ID
	for _, id := range ids {
		if _, err := w.zone(id, Point{}); err != nil {
			return err
		}
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	if len(list) < 2 {
		return fail(NothingToDo, Point{}, list...)
	}
	s, err := w.union(list)
	if err != nil {
		return err
	}
	for _, id := range list[1:] {
		delete(w.Zones, id)
	}
	w.Zones[list[0]] = s
	return nil
}

func (w *work) explode(op Op) error {
	z, err := w.zone(op.Zone, op.at())
	if err != nil {
		return err
	}
	if len(z) < 2 {
		lo, _ := Bound(z)
		return fail(NothingToDo, lo, op.Zone)
	}
	parts := make([]Shape, len(z))
	largest := 0
	for i, p := range z {
		parts[i] = Shape{p}
		if parts[i].grid2().cmp(parts[largest].grid2()) > 0 {
			largest = i
		}
	}
	w.Zones[op.Zone] = parts[largest]
	return w.newZones(op, slices.Delete(parts, largest, largest+1))
}

// remove deletes a zone; a target takes its area.
func (w *work) remove(op Op) error {
	z, err := w.zone(op.Zone, op.at())
	if err != nil {
		return err
	}
	lo, _ := Bound(z)
	beside := w.neighbours(op.Zone)
	if op.Target != "" {
		if _, err := w.zone(op.Target, lo); err != nil {
			return err
		}
		if _, ok := beside[op.Target]; !ok || op.Target == op.Zone {
			return fail(NotAdjacent, lo, op.Zone, op.Target)
		}
		return w.merge([]ID{op.Target, op.Zone})
	}
	if w.exhaustive() {
		v := describe(Gap, z, nil)
		v.Zones = []ID{op.Zone}
		for _, id := range longest(beside)[:min(len(beside), 3)] {
			v.Proposals = append(v.Proposals, []Op{{Kind: Delete, Zone: op.Zone, Target: id}})
		}
		return &Error{Violations: []Violation{v}}
	}
	delete(w.Zones, op.Zone)
	return nil
}

// neighbours measures the borders a zone shares.
func (w *work) neighbours(id ID) map[ID]float64 {
	mine := map[link]bool{}
	w.Zones[id].links(func(l link) { mine[l.back()] = true })
	out := map[ID]float64{}
	for o, s := range w.Zones {
		if o == id {
			continue
		}
		s.links(func(l link) {
			if mine[l] {
				out[o] += metres(l.a, l.b)
			}
		})
	}
	return out
}

// fillHole takes the hole of a zone around a place away, with what lies in it.
func (w *work) fillHole(op Op) error {
	z, err := w.zone(op.Zone, op.At)
	if err != nil {
		return err
	}
	poly, hole := -1, -1
	for i, p := range z {
		for j := 1; j < len(p); j++ {
			if p[j].side(op.At) > 0 && (hole < 0 || abs2(area2(p[j])).cmp(abs2(area2(z[poly][hole]))) < 0) {
				poly, hole = i, j
			}
		}
	}
	if hole < 0 {
		return fail(NothingToDo, op.At, op.Zone)
	}
	h := z[poly][hole]
	box := ringBox(h)
	if err := w.need(box); err != nil {
		return err
	}
	for id, s := range w.Zones {
		var keep Shape
		for i, p := range s {
			switch {
			case id == op.Zone && i == poly:
				keep = append(keep, slices.Delete(slices.Clone(p), hole, hole+1))
			case !box.holds(ringBox(p[0])) || !h.holds(p[0]):
				keep = append(keep, p)
			}
		}
		if len(keep) == 0 {
			delete(w.Zones, id)
		} else if len(keep) < len(s) || id == op.Zone {
			w.Zones[id] = keep
		}
	}
	return nil
}

// holds says whether another ring, which does not cross this one, lies in it.
func (r Ring) holds(o Ring) bool {
	for _, p := range o {
		if s := r.side(p); s != 0 {
			return s > 0
		}
	}
	// All its points are on the ring: the middle of an edge that is not decides.
	on := map[link]bool{}
	Shape{{r}}.links(func(l link) { on[l.upward()] = true })
	double := make(Ring, len(r))
	for i, p := range r {
		double[i] = Point{2 * p.X, 2 * p.Y}
	}
	for i, p := range o {
		q := o[(i+1)%len(o)]
		if !on[link{p, q}.upward()] {
			return double.side(Point{p.X + q.X, p.Y + q.Y}) > 0
		}
	}
	return true
}

func abs2(x int128) int128 {
	if x.sign() < 0 {
		return int128{}.sub(x)
	}
	return x
}

// assignGap gives the gap around a place to a zone.
func (w *work) assignGap(op Op) error {
	if _, err := w.zone(op.Zone, op.At); err != nil {
		return err
	}
	gap, err := w.gapAt(op.At)
	if err != nil {
		return err
	}
	net := map[link]int32{}
	count(net, w.Zones[op.Zone], 1)
	touch := false
	gap.links(func(l link) { touch = touch || net[l.upward()] != 0 })
	if !touch {
		return fail(NotAdjacent, op.At, op.Zone)
	}
	// Along the gap there may be nodes that the zone's edges lack.
	gap, err = w.woven(gap)
	if err != nil {
		return err
	}
	return w.layOver(Op{Kind: AddPart, Zone: op.Zone}, gap, op.Zone)
}

// gapAt is the gap that holds a place, or whose own place it is.
func (w *work) gapAt(at Point) (Shape, error) {
	b := newBalance()
	for _, s := range w.Zones {
		count(b.net[labelZones], s, 1)
	}
	count(b.net[labelArea], w.Area, 1)
	m, err := tile(b.sources(nil), nil)
	if err != nil {
		return nil, err
	}
	list, _ := m.regions(func(c int32) int32 {
		val := m.value[c]
		if m.count(val, labelZones) > 0 || len(w.Area) > 0 && m.count(val, labelArea) == 0 {
			return -1
		}
		return 1
	})
	var found Shape
	for _, r := range list {
		if r.mark < 0 || r.outer {
			continue
		}
		s := m.shapeOf(r)
		if box, ok := s.box(); !ok || !box.holds(Box{at, at}) && !box.grown(2).holds(Box{at, at}) {
			continue
		}
		if s.side(at) > 0 {
			found = s
			break
		}
		// A gap may be so thin that no position of the grid lies in it.
		if found == nil && (s.side(at) == 0 || describe(Gap, s, nil).At == at) {
			found = s
		}
	}
	if found == nil {
		return nil, fail(NothingToDo, at)
	}
	box, _ := found.box()
	return found, w.need(box)
}
