package demo

import (
	"math"
	"sort"
)

// polygon is a shell followed by its holes, in local metres, not closed.
type polygon [][]pt

// field is a rectangular window of numbers to draw an outline from.
type field struct {
	x0, y0, cell float64
	nx, ny       int
	v            []float64
}

// newField covers the box with cells of the given size, plus a margin of one.
func newField(lo, hi pt, cell float64) *field {
	f := &field{x0: lo.x - cell, y0: lo.y - cell, cell: cell}
	f.nx = int((hi.x-lo.x)/cell) + 3
	f.ny = int((hi.y-lo.y)/cell) + 3
	f.v = make([]float64, f.nx*f.ny)
	return f
}

func (f *field) point(i int) pt {
	return pt{f.x0 + float64(i%f.nx)*f.cell, f.y0 + float64(i/f.nx)*f.cell}
}

// set computes every value.
func (f *field) set(fn func(pt) float64) *field {
	for i := range f.v {
		f.v[i] = fn(f.point(i))
	}
	return f
}

// outline returns the areas where the field is above zero, by marching squares.
// The rings are simple and touch nothing: each crossing point belongs to one
// ring only. Pieces under minArea m² are dropped, holes too.
func (f *field) outline(minArea float64) []polygon {
	nx, ny := f.nx, f.ny
	val := func(x, y int) float64 {
		if x <= 0 || y <= 0 || x >= nx-1 || y >= ny-1 {
			return -1e-3 - math.Abs(f.v[y*nx+x]) // the frame is outside, so every ring closes
		}
		return f.v[y*nx+x]
	}
	// A crossing is named by its grid edge: 2i for the edge from i to the
	// right, 2i+1 for the one upwards.
	next := map[int]int{}
	var keys []int
	link := func(a, b int) { next[a] = b; keys = append(keys, a) }
	for y := 0; y+1 < ny; y++ {
		for x := 0; x+1 < nx; x++ {
			i := y*nx + x
			a, b, c, d := val(x, y), val(x+1, y), val(x+1, y+1), val(x, y+1)
			code := 0
			for k, v := range [4]float64{a, b, c, d} {
				if v > 0 {
					code |= 1 << k
				}
			}
			s, e, n, w := 2*i, 2*(i+1)+1, 2*(i+nx), 2*i+1
			switch code { // inside on the left
			case 1:
				link(s, w)
			case 2:
				link(e, s)
			case 3:
				link(e, w)
			case 4:
				link(n, e)
			case 5:
				if a+b+c+d > 0 {
					link(s, e)
					link(n, w)
				} else {
					link(s, w)
					link(n, e)
				}
			case 6:
				link(n, s)
			case 7:
				link(n, w)
			case 8:
				link(w, n)
			case 9:
				link(s, n)
			case 10:
				if a+b+c+d > 0 {
					link(w, s)
					link(e, n)
				} else {
					link(e, s)
					link(w, n)
				}
			case 11:
				link(e, n)
			case 12:
				link(w, e)
			case 13:
				link(s, e)
			case 14:
				link(w, s)
			}
		}
	}
	place := func(k int) pt {
		i := k / 2
		x, y := i%nx, i/nx
		x2, y2 := x+1, y
		if k%2 == 1 {
			x2, y2 = x, y+1
		}
		a, b := val(x, y), val(x2, y2)
		t := clamp(a/(a-b), 0.04, 0.96)
		return pt{f.x0 + f.cell*(float64(x)+t*float64(x2-x)), f.y0 + f.cell*(float64(y)+t*float64(y2-y))}
	}
	var shells, holes [][]pt
	for _, k0 := range keys {
		if _, ok := next[k0]; !ok {
			continue
		}
		var ring []pt
		for k := k0; ; {
			n, ok := next[k]
			if !ok {
				break
			}
			delete(next, k)
			ring = append(ring, place(k))
			k = n
		}
		a := ringArea(ring)
		if math.Abs(a) < minArea || len(ring) < 4 {
			continue
		}
		if a > 0 {
			shells = append(shells, ring)
		} else {
			holes = append(holes, ring)
		}
	}
	return assemble(shells, holes)
}

// assemble gives each hole to the smallest shell around it, largest shell first.
func assemble(shells, holes [][]pt) []polygon {
	sort.SliceStable(shells, func(i, j int) bool { return ringArea(shells[i]) > ringArea(shells[j]) })
	out := make([]polygon, len(shells))
	for i, s := range shells {
		out[i] = polygon{s}
	}
	for _, h := range holes {
		for i := len(shells) - 1; i >= 0; i-- {
			if inRing(h[len(h)/2], shells[i]) {
				out[i] = append(out[i], h)
				break
			}
		}
	}
	return out
}

func ringArea(r []pt) float64 {
	var s float64
	for i := range r {
		s += r[i].cross(r[(i+1)%len(r)])
	}
	return s / 2
}

func (p polygon) area() float64 {
	var s float64
	for _, r := range p {
		s += ringArea(r)
	}
	return s
}

func inRing(p pt, r []pt) bool {
	in := false
	for i, j := 0, len(r)-1; i < len(r); j, i = i, i+1 {
		a, b := r[i], r[j]
		if (a.y > p.y) != (b.y > p.y) && p.x < (b.x-a.x)*(p.y-a.y)/(b.y-a.y)+a.x {
			in = !in
		}
	}
	return in
}

func (p polygon) contains(q pt) bool {
	if len(p) == 0 || !inRing(q, p[0]) {
		return false
	}
	for _, h := range p[1:] {
		if inRing(q, h) {
			return false
		}
	}
	return true
}

func ringBounds(r []pt) (lo, hi pt) {
	lo, hi = r[0], r[0]
	for _, p := range r {
		lo = pt{math.Min(lo.x, p.x), math.Min(lo.y, p.y)}
		hi = pt{math.Max(hi.x, p.x), math.Max(hi.y, p.y)}
	}
	return lo, hi
}

func centroid(r []pt) pt {
	var c pt
	var s float64
	o := r[0]
	for i := range r {
		a, b := r[i].sub(o), r[(i+1)%len(r)].sub(o)
		w := a.cross(b)
		s += w
		c = c.add(a.add(b).mul(w))
	}
	if s == 0 {
		return o
	}
	return o.add(c.mul(1 / (3 * s)))
}

// rounded cuts the corners of a ring (Chaikin) and keeps the original where the
// result would cross itself.
func (p polygon) rounded() polygon {
	out := make(polygon, len(p))
	for k, r := range p {
		c := make([]pt, 0, 2*len(r))
		for i := range r {
			n := r[(i+1)%len(r)]
			c = append(c, r[i].lerp(n, 0.25), r[i].lerp(n, 0.75))
		}
		out[k] = c
	}
	if !out.simple() {
		return p
	}
	return out
}

// thinned drops vertices that lie within tol of the line through their
// neighbours, and keeps the original where the result would cross itself.
func (p polygon) thinned(tol float64) polygon {
	out := make(polygon, len(p))
	for k, r := range p {
		// Simplify as two open lines between opposite vertices.
		h := len(r) / 2
		a := simplify(append([]pt(nil), r[:h+1]...), tol)
		b := simplify(append(append([]pt(nil), r[h:]...), r[0]), tol)
		c := append(a[:len(a)-1:len(a)-1], b[:len(b)-1]...)
		if len(c) < 4 {
			c = r
		}
		out[k] = c
	}
	if !out.simple() {
		return p
	}
	return out
}

// simplify is Douglas-Peucker on an open line.
func simplify(l []pt, tol float64) []pt {
	if len(l) < 3 {
		return l
	}
	keep := make([]bool, len(l))
	keep[0], keep[len(l)-1] = true, true
	type span struct{ a, b int }
	stack := []span{{0, len(l) - 1}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		worst, at := tol, -1
		for i := s.a + 1; i < s.b; i++ {
			if d, _ := segDist(l[i], l[s.a], l[s.b]); d > worst {
				worst, at = d, i
			}
		}
		if at >= 0 {
			keep[at] = true
			stack = append(stack, span{s.a, at}, span{at, s.b})
		}
	}
	out := l[:0:0]
	for i, k := range keep {
		if k {
			out = append(out, l[i])
		}
	}
	return out
}

// crosses says whether two segments share a point, other than a common end.
func crosses(a, b, c, d pt) bool {
	if a == c || a == d || b == c || b == d {
		// A shared end is a joint; only folding back onto each other is wrong.
		o, p, q := a, b, d
		switch {
		case a == d:
			q = c
		case b == c:
			o, p = b, a
		case b == d:
			o, p, q = b, a, c
		}
		u, v := p.sub(o), q.sub(o)
		return math.Abs(u.cross(v)) < 1e-9*(1+u.len()*v.len()) && u.dot(v) > 0
	}
	d1, d2 := b.sub(a).cross(c.sub(a)), b.sub(a).cross(d.sub(a))
	d3, d4 := d.sub(c).cross(a.sub(c)), d.sub(c).cross(b.sub(c))
	if (d1 > 0) == (d2 > 0) && d1 != 0 && d2 != 0 || (d3 > 0) == (d4 > 0) && d3 != 0 && d4 != 0 {
		return false
	}
	if d1 == 0 && d2 == 0 {
		u := b.sub(a)
		s, t := c.sub(a).dot(u), d.sub(a).dot(u)
		return math.Max(s, t) >= 0 && math.Min(s, t) <= u.dot(u)
	}
	return true
}

// simple checks that no two edges of the polygon's rings meet except neighbours
// at their common vertex, and that no vertex is used twice.
func (p polygon) simple() bool {
	var seg [][2]pt
	used := map[pt]bool{}
	for _, r := range p {
		if len(r) < 3 {
			return false
		}
		for i := range r {
			if used[r[i]] {
				return false
			}
			used[r[i]] = true
			seg = append(seg, [2]pt{r[i], r[(i+1)%len(r)]})
		}
	}
	return !anyCrossing(seg)
}

// anyCrossing sweeps over x.
func anyCrossing(seg [][2]pt) bool {
	lo := func(s [2]pt) float64 { return math.Min(s[0].x, s[1].x) }
	hi := func(s [2]pt) float64 { return math.Max(s[0].x, s[1].x) }
	ord := append([][2]pt(nil), seg...)
	sort.Slice(ord, func(i, j int) bool { return lo(ord[i]) < lo(ord[j]) })
	var active [][2]pt
	for _, s := range ord {
		n := 0
		for _, o := range active {
			if hi(o) < lo(s) {
				continue
			}
			active[n] = o
			n++
			if math.Max(o[0].y, o[1].y) >= math.Min(s[0].y, s[1].y) &&
				math.Min(o[0].y, o[1].y) <= math.Max(s[0].y, s[1].y) && crosses(o[0], o[1], s[0], s[1]) {
				return true
			}
		}
		active = append(active[:n], s)
	}
	return false
}

// polyLength is the length of an open line.
func polyLength(l []pt) float64 {
	var s float64
	for i := 1; i < len(l); i++ {
		s += l[i].dist(l[i-1])
	}
	return s
}

// along returns the place at distance s from the start, and the direction there.
func along(l []pt, s float64) (pt, pt) {
	for i := 1; i < len(l); i++ {
		d := l[i].dist(l[i-1])
		if s <= d || i == len(l)-1 {
			t := 1.0
			if d > 0 {
				t = clamp(s/d, 0, 1)
			}
			return l[i-1].lerp(l[i], t), l[i].sub(l[i-1]).unit()
		}
		s -= d
	}
	return l[0], pt{1, 0}
}

// curve draws a smooth line through all given vertices (Catmull-Rom), keeping
// them, with n new ones in each gap.
func curve(l []pt, n int) []pt {
	if len(l) < 3 {
		return l
	}
	out := make([]pt, 0, len(l)*(n+1))
	at := func(i int) pt { return l[min(max(i, 0), len(l)-1)] }
	for i := 0; i+1 < len(l); i++ {
		a, b, c, d := at(i-1), at(i), at(i+1), at(i+2)
		out = append(out, b)
		for k := 1; k <= n; k++ {
			t := float64(k) / float64(n+1)
			t2, t3 := t*t, t*t*t
			f := func(a, b, c, d float64) float64 {
				return 0.5 * (2*b + (c-a)*t + (2*a-5*b+4*c-d)*t2 + (3*b-3*c+d-a)*t3)
			}
			out = append(out, pt{f(a.x, b.x, c.x, d.x), f(a.y, b.y, c.y, d.y)})
		}
	}
	return append(out, l[len(l)-1])
}
