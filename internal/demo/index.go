package demo

import "math"

// segment is a stretch of road with half its width.
type segment struct {
	a, b pt
	half float64
	line int
}

// segIndex finds road stretches near a place.
type segIndex struct {
	cell float64
	bins map[[2]int32][]int32
	seg  []segment
	mark []int32
	turn int32
}

func newSegIndex(cell float64) *segIndex {
	return &segIndex{cell: cell, bins: map[[2]int32][]int32{}}
}

func (x *segIndex) add(line int, l []pt, half float64) {
	for i := 1; i < len(l); i++ {
		s := segment{l[i-1], l[i], half, line}
		k := int32(len(x.seg))
		x.seg = append(x.seg, s)
		x.mark = append(x.mark, 0)
		x.cells(math.Min(s.a.x, s.b.x), math.Min(s.a.y, s.b.y), math.Max(s.a.x, s.b.x), math.Max(s.a.y, s.b.y), func(b [2]int32) {
			x.bins[b] = append(x.bins[b], k)
		})
	}
}

func (x *segIndex) cells(x0, y0, x1, y1 float64, f func([2]int32)) {
	for i := int32(math.Floor(x0 / x.cell)); i <= int32(math.Floor(x1/x.cell)); i++ {
		for j := int32(math.Floor(y0 / x.cell)); j <= int32(math.Floor(y1/x.cell)); j++ {
			f([2]int32{i, j})
		}
	}
}

// each calls f once for every stretch whose box comes within r of p.
func (x *segIndex) each(p pt, r float64, f func(s *segment)) {
	x.turn++
	x.cells(p.x-r, p.y-r, p.x+r, p.y+r, func(b [2]int32) {
		for _, k := range x.bins[b] {
			if x.mark[k] != x.turn {
				x.mark[k] = x.turn
				f(&x.seg[k])
			}
		}
	})
}

// nearest is the closest point on any stretch within r; ok is false if none.
func (x *segIndex) nearest(p pt, r float64) (at pt, dir pt, d float64, ok bool) {
	d = r
	x.each(p, r, func(s *segment) {
		if e, t := segDist(p, s.a, s.b); e < d {
			d, at, dir, ok = e, s.a.lerp(s.b, t), s.b.sub(s.a).unit(), true
		}
	})
	return at, dir, d, ok
}

// box is a rotated rectangle.
type box struct {
	c     pt
	u     pt // unit vector along the width
	hw    float64
	hd    float64
	owner int
}

func (b box) corners() [4]pt {
	u, v := b.u.mul(b.hw), b.u.left().mul(b.hd)
	return [4]pt{b.c.sub(u).sub(v), b.c.add(u).sub(v), b.c.add(u).add(v), b.c.sub(u).add(v)}
}

func (b box) overlaps(o box, gap float64) bool {
	d := o.c.sub(b.c)
	for k := range 2 {
		p, q := b, o
		if k == 1 {
			p, q = o, b
		}
		for _, ax := range [2]pt{p.u, p.u.left()} {
			own := p.hw
			if ax != p.u {
				own = p.hd
			}
			reach := q.hw*math.Abs(q.u.dot(ax)) + q.hd*math.Abs(q.u.left().dot(ax))
			if math.Abs(d.dot(ax)) > own+reach+gap {
				return false
			}
		}
	}
	return true
}

// clear is the distance between the rectangle and a segment, 0 if they meet.
func (b box) clear(s, e pt) float64 {
	v := b.u.left()
	a := pt{s.sub(b.c).dot(b.u), s.sub(b.c).dot(v)}
	z := pt{e.sub(b.c).dot(b.u), e.sub(b.c).dot(v)}
	// Clip the segment to the rectangle.
	t0, t1 := 0.0, 1.0
	d := z.sub(a)
	hit := true
	for _, q := range [4][2]float64{{-d.x, a.x + b.hw}, {d.x, b.hw - a.x}, {-d.y, a.y + b.hd}, {d.y, b.hd - a.y}} {
		if q[0] == 0 {
			if q[1] < 0 {
				hit = false
			}
			continue
		}
		t := q[1] / q[0]
		if q[0] < 0 {
			t0 = math.Max(t0, t)
		} else {
			t1 = math.Min(t1, t)
		}
	}
	if hit && t0 <= t1 {
		return 0
	}
	best := math.Inf(1)
	for _, c := range [4]pt{{-b.hw, -b.hd}, {b.hw, -b.hd}, {b.hw, b.hd}, {-b.hw, b.hd}} {
		e, _ := segDist(c, a, z)
		best = math.Min(best, e)
	}
	for _, p := range [2]pt{a, z} {
		dx, dy := math.Max(0, math.Abs(p.x)-b.hw), math.Max(0, math.Abs(p.y)-b.hd)
		best = math.Min(best, math.Hypot(dx, dy))
	}
	return best
}

// boxIndex keeps buildings and reserved grounds apart.
type boxIndex struct {
	bins map[[2]int32][]int32
	list []box
}

const boxCell = 48.0

func (x *boxIndex) cells(b box, gap float64, f func([2]int32) bool) bool {
	r := math.Hypot(b.hw, b.hd) + gap
	for i := int32(math.Floor((b.c.x - r) / boxCell)); i <= int32(math.Floor((b.c.x+r)/boxCell)); i++ {
		for j := int32(math.Floor((b.c.y - r) / boxCell)); j <= int32(math.Floor((b.c.y+r)/boxCell)); j++ {
			if !f([2]int32{i, j}) {
				return false
			}
		}
	}
	return true
}

func (x *boxIndex) free(b box, gap float64) bool {
	return x.cells(b, gap, func(k [2]int32) bool {
		for _, i := range x.bins[k] {
			if x.list[i].overlaps(b, gap) {
				return false
			}
		}
		return true
	})
}

func (x *boxIndex) add(b box) {
	if x.bins == nil {
		x.bins = map[[2]int32][]int32{}
	}
	i := int32(len(x.list))
	x.list = append(x.list, b)
	x.cells(b, 0, func(k [2]int32) bool {
		x.bins[k] = append(x.bins[k], i)
		return true
	})
}
