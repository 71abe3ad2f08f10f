package coverage

import (
	"errors"
	"slices"
)

// The labels of a check.
const (
	labelZones  = 0 // how many zones lie here (less the area, where the plan is exhaustive)
	labelArea   = 1
	labelBefore = 2 // as labelZones, before a change
)

// ids lists the zones in order.
func (c *Coverage) ids() []ID {
	out := make([]ID, 0, len(c.Zones))
	for id := range c.Zones {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Check lists what keeps the zones from being a coverage, looking at all of it; at most
// a hundred faults. None is a proof: every zone is simple polygons, and the borders
// cancel exactly as the definition says, so that zones neither overlap nor, where the
// plan is exhaustive, leave a gap in the area.
func (c *Coverage) Check() []Violation {
	var out []Violation
	for _, id := range c.ids() {
		out = append(out, tagged(c.Zones[id].Valid(), id)...)
		if len(out) >= maxListed {
			return cut(out)
		}
	}
	if c.Area != nil {
		out = append(out, c.Area.Valid()...)
	}
	if len(out) > 0 {
		return cut(out)
	}
	if c.exhaustive() && c.balanced() {
		return nil
	}
	if out = c.faults(nil, nil); len(out) == 0 && c.exhaustive() {
		return c.unmatched()
	}
	return out
}

// unmatched lists edges that meet no reverse although every face is right: along them a
// node of one border is missing from the other.
func (c *Coverage) unmatched() []Violation {
	b := newBalance()
	for _, s := range c.Zones {
		count(b.net[labelZones], s, 1)
	}
	count(b.net[labelZones], c.Area, -1)
	at := map[link]int{}
	var out []Violation
	more := 0
	for _, src := range b.sources(c.Zones) {
		l := src.upward()
		i, seen := at[l]
		switch {
		case seen && src.owner != "":
			out[i].Zones = append(out[i].Zones, src.owner)
		case seen:
		case len(out) == maxListed:
			more++
		default:
			at[l] = len(out)
			v := Violation{Code: Gap, Line: []Point{l.a, l.b}, At: l.a}
			if src.owner != "" {
				v.Zones = []ID{src.owner}
			}
			out = append(out, v)
		}
	}
	if more > 0 {
		out[maxListed-1].More = more
	}
	return out
}

// exhaustive plans have an area to exhaust.
func (c *Coverage) exhaustive() bool { return c.Exhaustive && len(c.Area) > 0 }

// tagged names the zone in violations.
func tagged(list []Violation, id ID) []Violation {
	for i := range list {
		list[i].Zones = []ID{id}
	}
	return list
}

// balanced says whether every directed edge of the zones meets its reverse in another,
// or itself in the area's boundary.
func (c *Coverage) balanced() bool {
	net := make(map[link]int32)
	for _, s := range c.Zones {
		count(net, s, 1)
	}
	count(net, c.Area, -1)
	for _, n := range net {
		if n != 0 {
			return false
		}
	}
	return true
}

// count adds the edges of a shape to a balance of undirected edges.
func count(net map[link]int32, s Shape, n int32) {
	s.links(func(l link) {
		if less(l.b, l.a) {
			net[l.back()] -= n
		} else {
			net[l] += n
		}
	})
}

// balance collects edges of several labels and leaves only those that do not cancel.
type balance struct {
	net [3]map[link]int32
}

func newBalance() *balance {
	b := &balance{}
	for i := range b.net {
		b.net[i] = map[link]int32{}
	}
	return b
}

func (b *balance) sources(zones map[ID]Shape) []source {
	left := map[link]bool{}
	for _, net := range b.net {
		for l, n := range net {
			if n != 0 {
				left[l] = true
			}
		}
	}
	var out []source
	for label, net := range b.net {
		for l, n := range net {
			if n != 0 {
				out = append(out, source{link: l, label: int32(label), n: n})
			}
		}
	}
	// Owners: an edge without weight that only says whose border this is.
	for id, s := range zones {
		s.links(func(l link) {
			if left[l.upward()] {
				out = append(out, source{link: l, n: 0, owner: id})
			}
		})
	}
	slices.SortFunc(out, func(a, b source) int {
		if c := comparePoints(a.a, b.a); c != 0 {
			return c
		}
		if c := comparePoints(a.b, b.b); c != 0 {
			return c
		}
		if a.label != b.label {
			return int(a.label - b.label)
		}
		if a.owner < b.owner {
			return -1
		}
		if a.owner > b.owner {
			return 1
		}
		return 0
	})
	return out
}

// faults finds faulty faces. With before, only what became worse since is told, and only
// the zones in near are looked at.
func (c *Coverage) faults(before *Coverage, near func(Box) bool) []Violation {
	b := newBalance()
	take := func(x *Coverage, label int) map[ID]Shape {
		zones := x.Zones
		if near != nil {
			zones = map[ID]Shape{}
			for id, s := range x.Zones {
				if box, ok := s.box(); ok && near(box) {
					zones[id] = s
				}
			}
		}
		for _, s := range zones {
			count(b.net[label], s, 1)
		}
		if c.exhaustive() {
			count(b.net[label], x.Area, -1)
		}
		return zones
	}
	zones := take(c, labelZones)
	if before != nil {
		take(before, labelBefore)
	}
	if !c.exhaustive() {
		count(b.net[labelArea], c.Area, 1)
	}
	src := b.sources(zones)
	if len(src) == 0 {
		return nil
	}
	crossed := properCrossings(src, func(l link) bool {
		return before == nil || b.net[labelZones][l] != b.net[labelBefore][l]
	})
	m, err := tile(src, nil)
	if err != nil {
		return asViolations(err)
	}
	// How bad a covering is: 0 is right.
	bad := func(val int32, label int32) int32 {
		n := m.count(val, label)
		if c.exhaustive() {
			return n
		}
		most := int32(1)
		if len(c.Area) > 0 {
			most = m.count(val, labelArea)
		}
		return max(0, n-most)
	}
	list, _ := m.regions(func(cy int32) int32 {
		val := m.value[cy]
		n := bad(val, labelZones)
		if n == 0 {
			return -1
		}
		if before != nil {
			// Not worse than it was: somebody else's fault, to be mended when it is.
			if o := bad(val, labelBefore); o != 0 && (o > 0) == (n > 0) && abs(int64(n)) <= abs(int64(o)) {
				return -1
			}
		}
		return val
	})
	var out []Violation
	more := 0
	for _, r := range list {
		if r.mark < 0 || r.outer {
			continue
		}
		if len(out) == maxListed {
			more++
			continue
		}
		out = append(out, c.fault(m, r, bad(r.val, labelZones)))
	}
	if more > 0 {
		out[maxListed-1].More = more
	}
	if len(out) == 0 && len(crossed) > 0 {
		// Edges cross by less than a step: no face is left of it, but a fault it is.
		for _, p := range crossed[:min(len(crossed), maxListed)] {
			out = append(out, Violation{Code: Overlap, At: p})
		}
	}
	return out
}

// properCrossings are places where edges of different borders cross, one of them fresh:
// not there before.
func properCrossings(src []source, fresh func(link) bool) []Point {
	var segs []seg
	seen := map[link]bool{}
	for _, s := range src {
		if l := s.upward(); !seen[l] && s.label != labelBefore {
			seen[l] = true
			segs = append(segs, seg{l.a, l.b, int32(len(segs))})
		}
	}
	var out []Point
	sweepPairs(segs, func(i int32) bool { return fresh(link{segs[i].a, segs[i].b}) }, func(a, b seg) bool {
		if m := meet(a, b); m.proper {
			out = append(out, m.place(a, b))
		}
		return len(out) < maxListed
	})
	return out
}

// fault describes a faulty region and proposes what would mend it.
func (c *Coverage) fault(m *mosaic, r region, n int32) Violation {
	where := m.shapeOf(r)
	v := describe(Overlap, where, c.Zones)
	x, y, _ := where.inner()
	if n > 0 && len(v.Zones) < 2 {
		// Too thin to tell by a place inside: whose borders bound it.
		for _, h := range r.edges {
			l := m.edge(h)
			for _, id := range slices.Concat(m.owners[l], m.owners[l.back()]) {
				if !slices.Contains(v.Zones, id) {
					v.Zones = append(v.Zones, id)
				}
			}
		}
		slices.Sort(v.Zones)
	}
	switch {
	case n < 0:
		v.Code = Gap
		beside := longest(m.beside(r))
		v.Zones = beside[:min(len(beside), 8)]
		for _, id := range beside[:min(len(beside), 3)] {
			v.Proposals = append(v.Proposals, []Op{{Kind: AssignGap, At: v.At, Zone: id}})
		}
	case len(c.Area) > 0 && !c.Area.holdsNear(x, y):
		v.Code = OutsideArea
		for _, id := range v.Zones {
			v.Proposals = append(v.Proposals, []Op{{Kind: CutHole, Zone: id, Shape: where}})
		}
	default:
		for _, id := range v.Zones {
			v.Proposals = append(v.Proposals, []Op{{Kind: AddPart, Zone: id, Shape: where, Carve: true}})
		}
	}
	if v.Code != OutsideArea && isSliver(v.AreaM2, v.WidthM) {
		v.Code = Sliver
	}
	return v
}

func asViolations(err error) []Violation {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Violations
	}
	return []Violation{{Code: SelfIntersection}}
}

// Slivers lists parts of zones under 1 m² or thinner than 0.5 m: no fault of the
// coverage, but nothing a planner means to draw.
func (c *Coverage) Slivers() []Violation {
	border := map[link]ID{}
	type part struct {
		id    ID
		shape Shape
	}
	var thin []part
	for _, id := range c.ids() {
		for _, p := range c.Zones[id] {
			s := Shape{p}
			if isSliver(AreaM2(s), s.widthM()) {
				thin = append(thin, part{id, s})
				s.links(func(l link) { border[l.back()] = "" })
			}
		}
	}
	if len(thin) == 0 {
		return nil
	}
	for id, s := range c.Zones {
		s.links(func(l link) {
			if _, ok := border[l]; ok {
				border[l] = id
			}
		})
	}
	var out []Violation
	for _, t := range thin[:min(len(thin), maxListed)] {
		v := describe(Sliver, t.shape, nil)
		v.Zones = []ID{t.id}
		beside := map[ID]float64{}
		t.shape.links(func(l link) {
			if id := border[l.back()]; id != "" && id != t.id {
				beside[id] += metres(l.a, l.b)
			}
		})
		for _, id := range longest(beside)[:min(len(beside), 3)] {
			v.Proposals = append(v.Proposals, []Op{{Kind: AddPart, Zone: id, Shape: t.shape, Carve: true}})
		}
		out = append(out, v)
	}
	return out
}

// CheckChange proves a change from what it touched, given that before was right there:
// every zone it made or changed is valid, and the border of the touched zones together
// is what it was, up to nodes that all users of an edge have. Where that border did
// change (plans with gaps), the faces between are compared: nothing may have become worse.
func CheckChange(before, after *Coverage, ch Change) []Violation {
	var out []Violation
	for id, s := range ch.After {
		was := ch.Before[id].Vertices()
		if n := s.Vertices(); n > MaxEdited && n > was {
			lo, _ := Bound(s)
			out = append(out, Violation{Code: TooManyVertices, Zones: []ID{id}, At: lo})
			continue
		}
		out = append(out, tagged(s.Valid(), id)...)
	}
	if ch.AreaAfter != nil {
		out = append(out, ch.AreaAfter.Valid()...)
		if p, ok := onlyNodes(ch.AreaBefore, ch.AreaAfter); !ok {
			out = append(out, Violation{Code: LockedBoundary, At: p})
		}
	}
	if len(out) > 0 {
		slices.SortStableFunc(out, func(a, b Violation) int { return comparePoints(a.At, b.At) })
		return cut(out)
	}
	was, is := map[link]int32{}, map[link]int32{}
	var box Box
	any := false
	grow := func(s Shape) {
		if b, ok := s.box(); ok {
			if !any {
				box, any = b, true
			}
			box = box.union(b)
		}
	}
	for _, s := range ch.Before {
		count(was, s, 1)
		grow(s)
	}
	for _, s := range ch.After {
		count(is, s, 1)
		grow(s)
	}
	if ch.AreaAfter != nil {
		count(was, ch.AreaBefore, -1)
		count(is, ch.AreaAfter, -1)
	}
	same := true
	for l, n := range was {
		same = same && is[l] == n
	}
	for l, n := range is {
		same = same && was[l] == n
	}
	if same || !any {
		return nil
	}
	return after.faults(before, func(b Box) bool { return b.meets(box) })
}

// onlyNodes says whether after is before with nodes added, each within two steps of
// the edge it was added to, and where not.
func onlyNodes(before, after Shape) (Point, bool) {
	rings := func(s Shape) (out []Ring) {
		for _, p := range s {
			out = append(out, p...)
		}
		return out
	}
	b, a := rings(before), rings(after)
	if len(a) != len(b) {
		return Point{}, false
	}
	for i := range b {
		k := 0
		for j, p := range b[i] {
			if k >= len(a[i]) || a[i][k] != p {
				return p, false
			}
			k++
			q := b[i][(j+1)%len(b[i])]
			for k < len(a[i]) && a[i][k] != q {
				if !comesNear(p, q, a[i][k], 4) {
					return a[i][k], false
				}
				k++
			}
		}
		if k != len(a[i]) {
			return a[i][0], false
		}
	}
	return Point{}, true
}
