package coverage

import (
	"maps"
	"slices"
)

// HealLimits say what healing closes by itself: what is smaller or thinner. Zero means
// the usual 1 m² and 0.5 m.
type HealLimits struct{ AreaM2, WidthM float64 }

// Healed is one place that healing closed.
type Healed struct {
	Kind    Code // Gap, Overlap, Sliver (a scrap of one zone beyond another) or OutsideArea
	Zones   []ID // who lay there; for a gap, who lay beside it
	GivenTo ID   // "" where it was cut off outside the area
	Where   Shape
	At      Point
	AreaM2  float64
	WidthM  float64
}

// GainLoss is what healing did to one zone, in square metres. Of what it lost CutM2 lay
// outside the area.
type GainLoss struct{ GainedM2, LostM2, CutM2 float64 }

// HealReport is what Heal did and what it left.
type HealReport struct {
	Healed []Healed
	Zones  map[ID]GainLoss // only those that gained or lost
	// Violations are what is too large to be closed by itself. A gap stays a gap. A larger
	// overlap is given to nobody, so that nobody's word decides silently: it is listed with
	// its zones, and a proposal for each of them to take it (assign_gap). Only a zone that
	// has no ground but such overlaps (one drawn over another) keeps them, or it would be
	// gone; that is listed all the same, with what would give them to the others. What lay
	// outside the area is cut off and listed.
	Violations []Violation
}

type healing struct {
	c      *Coverage
	m      *mosaic
	ids    []ID
	limits HealLimits
	list   []region
	of     func(h int32) int32
	shapes []Shape // by region, where asked for
	own    []int32 // by region: label of who has it, none
	report HealReport

	settled map[int32]bool // zones with ground that is theirs alone
}

const none = -1

// Heal makes a coverage of zones that nearly are one: valid each, but with gaps,
// overlaps and T-junctions between them. Everything is noded with the boundary of the
// area; faces with no owner or several are given away where they are small or thin (to
// the neighbour, of an overlap to the owner, with the longest shared border; ties by id)
// and reported where not. The boundary of the area gets nodes and never moves. The
// coverage is changed only when the answer has no error.
func Heal(c *Coverage, n Noder, limits HealLimits) (HealReport, error) {
	if limits.AreaM2 == 0 {
		limits.AreaM2 = sliverAreaM2
	}
	if limits.WidthM == 0 {
		limits.WidthM = sliverWidthM
	}
	h := &healing{c: c, ids: c.ids(), limits: limits, report: HealReport{Zones: map[ID]GainLoss{}}}
	var bad []Violation
	for _, id := range h.ids {
		bad = append(bad, tagged(c.Zones[id].Valid(), id)...)
	}
	if len(c.Area) > 0 {
		bad = append(bad, c.Area.Valid()...)
	}
	if len(bad) > 0 {
		return HealReport{}, &Error{Violations: cut(bad)}
	}
	var src []source
	for i, id := range h.ids {
		c.Zones[id].links(func(l link) { src = append(src, source{l, int32(i), 1, id}) })
	}
	c.Area.links(func(l link) { src = append(src, source{l, h.area(), 1, ""}) })
	if len(src) == 0 {
		return h.report, nil
	}
	var err error
	if h.m, err = tile(src, n); err != nil {
		return HealReport{}, err
	}
	h.list, h.of = h.m.regions(func(cy int32) int32 { return h.m.value[cy] })
	h.shapes = make([]Shape, len(h.list))
	h.own = make([]int32, len(h.list))
	h.settle()
	h.scraps()
	return h.finish()
}

func (h *healing) area() int32 { return int32(len(h.ids)) }

// owners are the labels of the zones that lie on a region, and whether it is in the area.
func (h *healing) owners(r region) (zones []int32, in bool) {
	in = len(h.c.Area) == 0 && !r.outer
	for _, u := range h.m.values[r.val] {
		if u.label == h.area() {
			in = true
		} else {
			zones = append(zones, u.label)
		}
	}
	return zones, in || len(h.c.Area) == 0 && len(zones) > 0
}

func (h *healing) shape(i int) Shape {
	if h.shapes[i] == nil {
		h.shapes[i] = h.m.shapeOf(h.list[i])
	}
	return h.shapes[i]
}

func (h *healing) names(labels []int32) []ID {
	out := make([]ID, len(labels))
	for i, l := range labels {
		out[i] = h.ids[l]
	}
	slices.Sort(out)
	return out
}

func (h *healing) small(v Violation) bool {
	return v.AreaM2 < h.limits.AreaM2 || v.WidthM < h.limits.WidthM
}

// settle gives every region an owner, or none.
func (h *healing) settle() {
	var overlaps, gaps []int
	found := make([]Violation, len(h.list))
	for i, r := range h.list {
		zones, in := h.owners(r)
		h.own[i] = none
		switch {
		case !in && len(zones) == 0:
		case !in:
			v := describe(OutsideArea, h.shape(i), nil)
			v.Zones = h.names(zones)
			if h.small(v) {
				h.heal(v, "")
			} else {
				h.report.Violations = append(h.report.Violations, v)
			}
			h.lose(zones, none, v.AreaM2)
			for _, l := range zones {
				g := h.report.Zones[h.ids[l]]
				g.CutM2 += v.AreaM2
				h.report.Zones[h.ids[l]] = g
			}
		case len(zones) == 1:
			h.own[i] = zones[0]
		case len(zones) > 1:
			found[i] = describe(Overlap, h.shape(i), nil)
			found[i].Zones = h.names(zones)
			overlaps = append(overlaps, i)
		default:
			found[i] = describe(Gap, h.shape(i), nil)
			if h.small(found[i]) {
				gaps = append(gaps, i)
			} else if h.c.exhaustive() {
				v := found[i]
				v.Zones = longest(h.m.beside(r))
				v.Zones = v.Zones[:min(len(v.Zones), 8)]
				v.Proposals = takers(v.At, v.Zones)
				h.report.Violations = append(h.report.Violations, v)
			}
		}
	}
	for _, i := range overlaps {
		zones, _ := h.owners(h.list[i])
		v := found[i]
		if !h.small(v) {
			to := h.homeless(zones)
			h.own[i] = to
			if to == none {
				v.Proposals = takers(v.At, v.Zones)
			} else {
				v.Kept = h.ids[to]
				for _, l := range zones {
					if l != to {
						v.Proposals = append(v.Proposals, []Op{{Kind: AddPart, Zone: h.ids[l], Shape: v.Where, Carve: true}})
					}
				}
			}
			h.report.Violations = append(h.report.Violations, v)
			h.lose(zones, to, v.AreaM2)
			continue
		}
		to := h.taker(i, zones)
		if to == none {
			to = zones[0]
		}
		h.own[i] = to
		h.heal(v, h.ids[to])
		h.lose(zones, to, v.AreaM2)
	}
	// A gap may lie beside another: those with a neighbour first, until no more can be given.
	for len(gaps) > 0 {
		var rest []int
		give := map[int]int32{}
		for _, i := range gaps {
			if to := h.taker(i, nil); to != none {
				give[i] = to
			} else {
				rest = append(rest, i)
			}
		}
		if len(give) == 0 {
			break
		}
		for _, i := range gaps {
			to, ok := give[i]
			if !ok {
				continue
			}
			h.own[i] = to
			v := found[i]
			v.Zones = longest(h.m.beside(h.list[i]))
			h.heal(v, h.ids[to])
			h.gain(to, v.AreaM2)
		}
		gaps = rest
	}
	for _, i := range gaps {
		if h.c.exhaustive() {
			h.report.Violations = append(h.report.Violations, found[i])
		}
	}
}

// homeless is the smallest of zones that have no ground of their own, or none.
func (h *healing) homeless(zones []int32) int32 {
	if h.settled == nil {
		h.settled = map[int32]bool{}
		for i, r := range h.list {
			if owners, in := h.owners(r); in && len(owners) == 1 {
				h.settled[h.own[i]] = true
			}
		}
	}
	best, least := int32(none), 0.0
	for _, l := range zones {
		if h.settled[l] {
			continue
		}
		if a := AreaM2(h.c.Zones[h.ids[l]]); best == none || a < least {
			best, least = l, a
		}
	}
	return best
}

func takers(at Point, ids []ID) [][]Op {
	var out [][]Op
	for _, id := range ids[:min(len(ids), 3)] {
		out = append(out, []Op{{Kind: AssignGap, At: at, Zone: id}})
	}
	return out
}

// taker is the settled neighbour of a region with the longest shared border, of those
// allowed (nil: of all).
func (h *healing) taker(i int, allowed []int32) int32 {
	border := map[int32]float64{}
	for _, e := range h.list[i].edges {
		l := h.own[h.of(e^1)]
		if l != none && (allowed == nil || slices.Contains(allowed, l)) {
			k := h.m.edge(e)
			border[l] += metres(k.a, k.b)
		}
	}
	best := int32(none)
	for l, m := range border {
		if best == none || m > border[best] || m == border[best] && l < best {
			best = l
		}
	}
	return best
}

func (h *healing) heal(v Violation, to ID) {
	h.report.Healed = append(h.report.Healed, Healed{Kind: v.Code, Zones: v.Zones, GivenTo: to, Where: v.Where, At: v.At, AreaM2: v.AreaM2, WidthM: v.WidthM})
}

func (h *healing) gain(label int32, m2 float64) {
	g := h.report.Zones[h.ids[label]]
	g.GainedM2 += m2
	h.report.Zones[h.ids[label]] = g
}

func (h *healing) lose(labels []int32, but int32, m2 float64) {
	for _, l := range labels {
		if l != but {
			g := h.report.Zones[h.ids[l]]
			g.LostM2 += m2
			h.report.Zones[h.ids[l]] = g
		}
	}
}

// scraps are small parts of a zone that hang off it, cut from its body by what was
// settled: they go to the neighbour, unless the zone has nothing else. A scrap that lies
// beside scraps only waits until one of them has become part of a body: given away at the
// same time, two of them would only change places.
func (h *healing) scraps() {
	for h.giveScraps() {
	}
}

func (h *healing) giveScraps() (given bool) {
	byRegion := func(cy int32) int32 { return h.own[h.of(h.m.faces[cy])] }
	list, of := h.m.regions(byRegion)
	parts := map[int32][]int{}
	for i, r := range list {
		if r.mark != none {
			parts[r.mark] = append(parts[r.mark], i)
		}
	}
	scrap := map[int]Violation{}
	for _, of := range parts {
		if len(of) < 2 {
			continue
		}
		body := of[0] // the largest, which stays even where it is small itself
		for _, i := range of {
			v := describe(Sliver, h.m.shapeOf(list[i]), nil)
			if h.small(v) {
				scrap[i] = v
			}
			if v.AreaM2 > AreaM2(h.m.shapeOf(list[body])) {
				body = i
			}
		}
		delete(scrap, body)
	}
	to := make([]int32, len(list))
	for i, r := range list {
		to[i] = r.mark
		v, hangs := scrap[i]
		if !hangs {
			continue
		}
		border := map[ID]float64{}
		for _, e := range r.edges {
			beside := of(e ^ 1)
			if _, waits := scrap[int(beside)]; waits {
				continue
			}
			if l := list[beside].mark; l != none && l != r.mark {
				k := h.m.edge(e)
				border[h.ids[l]] += metres(k.a, k.b)
			}
		}
		heirs := longest(border)
		if len(heirs) == 0 {
			continue
		}
		given = true
		label, _ := slices.BinarySearch(h.ids, heirs[0])
		to[i] = int32(label)
		v.Zones = []ID{h.ids[r.mark]}
		h.heal(v, heirs[0])
		h.lose([]int32{r.mark}, none, v.AreaM2)
		h.gain(to[i], v.AreaM2)
	}
	for i := range h.own {
		h.own[i] = to[of(h.anyHalf(i))]
	}
	return given
}

// anyHalf is a half-edge with the region on its left.
func (h *healing) anyHalf(i int) int32 {
	if len(h.list[i].edges) > 0 {
		return h.list[i].edges[0]
	}
	for _, f := range h.m.faces {
		if h.of(f) == int32(i) {
			return f
		}
	}
	return 0
}

// finish makes the zones anew.
func (h *healing) finish() (HealReport, error) {
	edges := make([][]link, len(h.ids))
	for e := range int32(len(h.m.cycle)) {
		if l := h.own[h.of(e)]; l != none && h.own[h.of(e^1)] != l {
			edges[l] = append(edges[l], h.m.edge(e))
		}
	}
	zones := maps.Clone(h.c.Zones)
	for i, id := range h.ids {
		s, err := assemble(edges[i])
		if err != nil {
			lo, _ := Bound(zones[id])
			return HealReport{}, fail(SelfIntersection, lo, id)
		}
		if len(s) == 0 {
			lo, _ := Bound(zones[id])
			h.report.Violations = append(h.report.Violations, Violation{Code: Degenerate, Zones: []ID{id}, At: lo})
			delete(zones, id)
			continue
		}
		if _, same := sameRings(zones[id], s); !same {
			zones[id] = s
		}
	}
	area := h.c.Area
	if len(area) > 0 {
		s, err := h.m.dissolve(func(val int32) bool { return h.m.count(val, h.area()) > 0 })
		if err != nil {
			return HealReport{}, fail(LockedBoundary, area[0][0][0])
		}
		kept := map[Point]bool{}
		s.links(func(l link) { kept[l.a] = true })
		var lost error
		area.links(func(l link) {
			if !kept[l.a] {
				lost = fail(LockedBoundary, l.a)
			}
		})
		if lost != nil {
			return HealReport{}, lost
		}
		if _, same := sameRings(area, s); !same {
			area = s
		}
	}
	slices.SortStableFunc(h.report.Healed, func(a, b Healed) int { return comparePoints(a.At, b.At) })
	slices.SortStableFunc(h.report.Violations, func(a, b Violation) int { return comparePoints(a.At, b.At) })
	h.c.Zones, h.c.Area = zones, area
	return h.report, nil
}
