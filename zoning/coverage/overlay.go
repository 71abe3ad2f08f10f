package coverage

import (
	"math"
	"slices"
)

// Operations that lay a new shape or line over the zones.

// plate is the faces of some zones, a new shape and the area, and who is to have each.
type plate struct {
	*mosaic
	labels []ID // by label: zones; the last two are the shape's and the area's
	number map[ID]int32
	own    [][]int32 // by cycle: labels of the zones that are to have it, sorted
}

func (p *plate) shapeLabel() int32 { return int32(len(p.labels)) }
func (p *plate) areaLabel() int32  { return int32(len(p.labels)) + 1 }

// lay makes the faces of all zones that meet a box, and of those named. Everything is
// noded already.
func (w *work) lay(s Shape, box Box, named ...ID) *plate {
	p := &plate{number: map[ID]int32{}}
	for _, id := range w.ids() {
		if b, ok := w.Zones[id].box(); ok && b.meets(box) || slices.Contains(named, id) {
			p.number[id] = int32(len(p.labels))
			p.labels = append(p.labels, id)
		}
	}
	var edges []labelled
	owners := map[link][]ID{}
	for i, id := range p.labels {
		w.Zones[id].links(func(l link) {
			edges = append(edges, labelled{l, int32(i)})
			owners[l] = append(owners[l], id)
		})
	}
	s.links(func(l link) { edges = append(edges, labelled{l, p.shapeLabel()}) })
	w.Area.links(func(l link) { edges = append(edges, labelled{l, p.areaLabel()}) })
	p.mosaic = &mosaic{arrangement: arrange(edges), owners: owners}
	p.own = make([][]int32, len(p.faces))
	for c, val := range p.value {
		for _, u := range p.values[val] {
			if u.label < int32(len(p.labels)) {
				p.own[c] = append(p.own[c], u.label)
			}
		}
	}
	return p
}

// area2Of is twice the area of a cycle on the grid; the cycles of a face add up.
func (p *plate) area2Of(c int32) float64 {
	var pts []Point
	p.walk(c, func(h int32) { pts = append(pts, p.pts[p.from(h)]) })
	return area2(pts).float()
}

// give sets the zones anew from who is to have each face. New zones have labels from
// extra on: the ids are given.
func (w *work) give(p *plate, extra map[int32]ID) error {
	was := func(c int32, label int32) bool { return p.count(p.value[c], label) > 0 }
	changed := map[int32]bool{}
	for c, own := range p.own {
		for _, l := range own {
			if l >= int32(len(p.labels)) || !was(int32(c), l) {
				changed[l] = true
			}
		}
		for _, u := range p.values[p.value[c]] {
			if u.label < int32(len(p.labels)) && !slices.Contains(own, u.label) {
				changed[u.label] = true
			}
		}
	}
	edges := map[int32][]link{}
	for h := range int32(len(p.cycle)) {
		for _, l := range p.own[p.cycle[h]] {
			if changed[l] && !slices.Contains(p.own[p.cycle[h^1]], l) {
				edges[l] = append(edges[l], p.edge(h))
			}
		}
	}
	heirs := map[int32]map[int32]float64{}
	for c, own := range p.own {
		for _, l := range own {
			if l < int32(len(p.labels)) {
				continue
			}
			for _, u := range p.values[p.value[c]] {
				if u.label < int32(len(p.labels)) {
					if heirs[l] == nil {
						heirs[l] = map[int32]float64{}
					}
					heirs[l][u.label] += p.area2Of(int32(c))
				}
			}
		}
	}
	for l := range changed {
		s, err := assemble(edges[l])
		if err != nil {
			return fail(SelfIntersection, p.pts[0])
		}
		id, isNew := extra[l]
		if !isNew {
			id = p.labels[l]
		}
		if len(s) == 0 {
			delete(w.Zones, id)
			continue
		}
		w.Zones[id] = s
		if isNew {
			best, from := math.Inf(-1), int32(-1)
			for k, a := range heirs[l] {
				if a > best || a == best && k < from {
					best, from = a, k
				}
			}
			if from >= 0 {
				w.heirs[id] = p.labels[from]
			}
		}
	}
	return nil
}

// drawn puts a drawn shape among the zones: it is checked, its lines are cut at theirs
// and theirs at its, and the answer is its noded self.
func (w *work) drawn(s Shape) (Shape, error) {
	if bad := s.Valid(); len(bad) > 0 {
		return nil, &Error{Violations: bad}
	}
	if s.Vertices() > MaxEdited {
		return nil, fail(TooManyVertices, s[0][0][0])
	}
	return w.woven(s)
}

// woven cuts the lines of a shape at everything and everything at them.
func (w *work) woven(s Shape) (Shape, error) {
	var lines [][]Point
	for _, poly := range s {
		for _, r := range poly {
			lines = append(lines, append(slices.Clone(r), r[0]))
		}
	}
	chains, err := w.weave(lines)
	if err != nil {
		return nil, err
	}
	net := map[link]int32{}
	for _, c := range chains {
		for i := 1; i < len(c); i++ {
			if less(c[i], c[i-1]) {
				net[link{c[i], c[i-1]}]--
			} else {
				net[link{c[i-1], c[i]}]++
			}
		}
	}
	t, err := fromBalance(net)
	if err != nil || len(t) == 0 {
		return nil, fail(Degenerate, s[0][0][0])
	}
	return t, nil
}

// shapeOp does what lays a shape over the zones: add, add_part, reshape, cut_hole.
func (w *work) shapeOp(op Op) error {
	var target ID
	if op.Kind != Add {
		target = op.Zone
		z, err := w.zone(op.Zone, op.at())
		if err != nil {
			return err
		}
		if b, ok := z.box(); ok && op.Kind == Reshape {
			if err := w.need(b.grown(4)); err != nil {
				return err
			}
		}
	}
	s, err := w.drawn(op.Shape)
	if err != nil {
		return err
	}
	return w.layOver(op, s, target)
}

func (w *work) layOver(op Op, s Shape, target ID) error {
	box, _ := s.box()
	if z, ok := w.Zones[target]; ok && op.Kind == Reshape {
		b, _ := z.box()
		box = box.union(b)
	}
	p := w.lay(s, box, target)
	label := int32(-1)
	extra := map[int32]ID{}
	if op.Kind == Add || op.Kind == CutHole && (len(op.New) > 0 || w.exhaustive()) {
		label = p.areaLabel() + 1
		given := op.New
		if op.Kind == Add && op.Zone != "" {
			given = []ID{op.Zone}
		}
		id, err := w.fresh(given, 0)
		if err != nil {
			return err
		}
		extra[label] = id
	}
	if op.Kind == AddPart || op.Kind == Reshape {
		label = p.number[target]
	}
	carve := op.Carve || op.Kind == Reshape && w.exhaustive()
	inside := 0
	for c, val := range p.value {
		own := p.own[c]
		inArea := len(w.Area) == 0 || p.count(val, p.areaLabel()) > 0
		in := p.count(val, p.shapeLabel()) > 0
		mine := target != "" && slices.Contains(own, p.number[target])
		switch {
		case op.Kind == CutHole:
			if in && mine {
				inside++
				own = without(own, p.number[target])
				if label >= 0 && inArea && len(own) == 0 {
					own = []int32{label}
				}
			}
		case in && inArea:
			inside++
			if carve || len(own) == 0 {
				own = []int32{label}
			}
		case op.Kind == Reshape && !in && mine:
			own = without(own, label)
		}
		p.own[c] = own
	}
	if inside == 0 {
		code := OutsideArea
		if op.Kind == CutHole {
			code = NothingToDo
		}
		return fail(code, s[0][0][0])
	}
	if op.Kind == Reshape {
		w.release(p, label)
	}
	if err := w.give(p, extra); err != nil {
		return err
	}
	id := target
	if id == "" {
		id = extra[label]
	}
	if _, ok := w.Zones[id]; !ok {
		// Nothing was free, or nothing would be left.
		return fail(NothingToDo, s[0][0][0], target)
	}
	return nil
}

func without(own []int32, label int32) []int32 {
	out := make([]int32, 0, len(own))
	for _, l := range own {
		if l != label {
			out = append(out, l)
		}
	}
	return out
}

// release gives faces that a zone left, where no gap may be, to the neighbour with the
// longest stretch of border.
func (w *work) release(p *plate, from int32) {
	if !w.exhaustive() {
		return
	}
	orphan := func(c int32) bool {
		return len(p.own[c]) == 0 && p.count(p.value[c], from) > 0 && p.count(p.value[c], p.areaLabel()) > 0
	}
	list, of := p.regions(func(c int32) int32 {
		if orphan(c) {
			return 1
		}
		return 0
	})
	heir := make([]int32, len(list))
	for i, r := range list {
		heir[i] = -1
		if r.mark != 1 {
			continue
		}
		border := map[int32]float64{}
		for _, h := range r.edges {
			for _, l := range p.own[p.cycle[h^1]] {
				if l != from {
					e := p.edge(h)
					border[l] += metres(e.a, e.b)
				}
			}
		}
		best := 0.0
		for l, m := range border {
			if m > best || m == best && heir[i] >= 0 && l < heir[i] {
				best, heir[i] = m, l
			}
		}
	}
	for c, r := range p.faces {
		if l := heir[of(r)]; l >= 0 {
			p.own[c] = []int32{l}
		}
	}
}
