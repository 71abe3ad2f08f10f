package coverage

import "slices"

// seg is a segment in the sweep; who tells the caller which.
type seg struct {
	a, b Point
	who  int32
}

// sweepPairs calls meet for every pair of segments whose envelopes touch, until it
// answers false. fresh, where given, says which segments are new: pairs of old ones are
// left out.
func sweepPairs(segs []seg, fresh func(who int32) bool, meet func(a, b seg) bool) {
	if len(segs) < 2 {
		return
	}
	all := boxOf(segs[0].a, segs[0].b)
	for _, s := range segs[1:] {
		all = all.with(s.a).with(s.b)
	}
	if all.Max.Y-all.Min.Y > all.Max.X-all.Min.X {
		// Sweep along the longer side: turn the plane by exchanging the coordinates' roles.
		sweepAlong(segs, fresh, meet, func(p Point) (int64, int64) { return p.Y, p.X })
		return
	}
	sweepAlong(segs, fresh, meet, func(p Point) (int64, int64) { return p.X, p.Y })
}

type span struct {
	lo, hi, lo2, hi2 int64
	i                int32
	fresh            bool
}

func sweepAlong(segs []seg, fresh func(int32) bool, meet func(a, b seg) bool, axes func(Point) (int64, int64)) {
	spans := make([]span, len(segs))
	for i, s := range segs {
		u, v := axes(s.a)
		x, y := axes(s.b)
		spans[i] = span{min(u, x), max(u, x), min(v, y), max(v, y), int32(i), fresh == nil || fresh(s.who)}
	}
	slices.SortFunc(spans, func(a, b span) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return int(a.i - b.i)
	})
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			if b.lo > a.hi {
				break
			}
			if b.lo2 > a.hi2 || b.hi2 < a.lo2 || !a.fresh && !b.fresh {
				continue
			}
			if !meet(segs[a.i], segs[b.i]) {
				return
			}
		}
	}
}

// meeting says how two different segments meet otherwise than at common ends: where one
// must be cut (at most two places each), on the grid.
type meeting struct {
	onA, onB [2]Point
	nA, nB   int
	proper   bool // they cross in the middle of both
}

func (m meeting) any() bool { return m.proper || m.nA > 0 || m.nB > 0 }

func meet(a, b seg) (m meeting) {
	if a.a == b.a && a.b == b.b || a.a == b.b && a.b == b.a {
		return m
	}
	o1, o2 := orient(a.a, a.b, b.a), orient(a.a, a.b, b.b)
	if o1*o2 > 0 {
		return m
	}
	if o1 == 0 && within(a.a, a.b, b.a) {
		m.onA[m.nA] = b.a
		m.nA++
	}
	if o2 == 0 && within(a.a, a.b, b.b) {
		m.onA[m.nA] = b.b
		m.nA++
	}
	o3, o4 := orient(b.a, b.b, a.a), orient(b.a, b.b, a.b)
	if o3 == 0 && within(b.a, b.b, a.a) {
		m.onB[m.nB] = a.a
		m.nB++
	}
	if o4 == 0 && within(b.a, b.b, a.b) {
		m.onB[m.nB] = a.b
		m.nB++
	}
	m.proper = o1*o2 < 0 && o3*o4 < 0
	return m
}

// place is where the two meet.
func (m meeting) place(a, b seg) Point {
	switch {
	case m.nA > 0:
		return m.onA[0]
	case m.nB > 0:
		return m.onB[0]
	}
	return crossingOf(a.a, a.b, b.a, b.b)
}
