package report

import (
	"math"
	"sort"

	"onemap/internal/report/draw"
)

// taken remembers where labels and symbols stand, in cells of paper.
type taken struct {
	cell float64
	// forbid is land no label may touch, while names outside it are set.
	forbid draw.Path
	cells  map[[2]int][]draw.Rect
}

func newTaken() *taken { return &taken{cell: 12, cells: map[[2]int][]draw.Rect{}} }

func (t *taken) each(r draw.Rect, fn func(key [2]int) bool) bool {
	for x := int(math.Floor(r.X / t.cell)); x <= int(math.Floor((r.X+r.W)/t.cell)); x++ {
		for y := int(math.Floor(r.Y / t.cell)); y <= int(math.Floor((r.Y+r.H)/t.cell)); y++ {
			if !fn([2]int{x, y}) {
				return false
			}
		}
	}
	return true
}

func (t *taken) free(r draw.Rect) bool {
	return t.each(r, func(k [2]int) bool {
		for _, o := range t.cells[k] {
			if o.Overlaps(r) {
				return false
			}
		}
		return true
	})
}

func (t *taken) take(r draw.Rect) {
	t.each(r, func(k [2]int) bool {
		t.cells[k] = append(t.cells[k], r)
		return true
	})
}

// label is a text of one or two lines around a middle.
type label struct {
	lines []string
	size  float64
	box   draw.Rect
}

// leading is the distance of baselines, in sizes.
const leading = 1.18

// extent is what the lines take, with air around.
func extent(lines []string, size float64, measure func(string, float64) float64) (w, h float64) {
	for _, s := range lines {
		w = max(w, measure(s, size))
	}
	return w + 0.5*size, size*(1+leading*float64(len(lines)-1)) + 0.3*size
}

// place finds a free box for one of the forms within a shape; the first form and size
// that fits wins.
func (t *taken) place(shape draw.Path, within draw.Rect, forms [][]string, sizes []float64, measure func(string, float64) float64) (label, bool) {
	part := largest(shape)
	if part == nil {
		return label{}, false
	}
	area := areaOf(part)
	for _, form := range forms {
		for _, size := range sizes {
			w, h := extent(form, size, measure)
			if w*h > area || w > within.W || h > within.H {
				continue
			}
			for _, box := range candidates(part, within, w, h) {
				if t.free(box) && inside(part, box) && outside(t.forbid, box) {
					t.take(box)
					return label{form, size, box}, true
				}
			}
		}
	}
	return label{}, false
}

// largest is the biggest shell of a shape with the holes that follow it.
func largest(p draw.Path) draw.Path {
	var best draw.Path
	most := 0.0
	for i := 0; i < len(p); {
		j := i + 1
		for j < len(p) && turn(p[j].Pts) < 0 {
			j++
		}
		if a := areaOf(p[i:j]); a > most {
			most, best = a, p[i:j]
		}
		i = j
	}
	return best
}

func areaOf(p draw.Path) float64 {
	sum := 0.0
	for _, l := range p {
		sum += turn(l.Pts)
	}
	return sum / 2
}

func boxOf(p draw.Path) draw.Rect {
	lo, hi := draw.Pt{X: math.Inf(1), Y: math.Inf(1)}, draw.Pt{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, l := range p {
		for _, q := range l.Pts {
			lo, hi = draw.Pt{X: min(lo.X, q.X), Y: min(lo.Y, q.Y)}, draw.Pt{X: max(hi.X, q.X), Y: max(hi.Y, q.Y)}
		}
	}
	return draw.Rect{X: lo.X, Y: lo.Y, W: hi.X - lo.X, H: hi.Y - lo.Y}
}

// candidates are boxes of w by h whose middle line lies within the shape, those with the
// most air first.
func candidates(p draw.Path, within draw.Rect, w, h float64) []draw.Rect {
	b := boxOf(p)
	type candidate struct {
		box draw.Rect
		air float64
	}
	var all []candidate
	const rows = 21
	from, to := max(b.Y, within.Y)+h/2, min(b.Y+b.H, within.Y+within.H)-h/2
	if from > to {
		return nil
	}
	middle := b.Y + b.H/2
	for i := range rows {
		y := from + (to-from)*(float64(i)+0.5)/rows
		xs := crossings(p, y)
		for k := 0; k+1 < len(xs); k += 2 {
			x0, x1 := max(xs[k], within.X), min(xs[k+1], within.X+within.W)
			if x1-x0 < w {
				continue
			}
			// Enough room is enough: then the middle of the shape is the better place.
			air := min(x1-x0-w, 0.5*w) - 0.8*math.Abs(y-middle)
			all = append(all, candidate{draw.Rect{X: (x0+x1)/2 - w/2, Y: y - h/2, W: w, H: h}, air})
			if x1-x0 > 2*w { // room for two: also off the middle, past what stands there
				all = append(all, candidate{draw.Rect{X: x0 + (x1-x0)/4 - w/2, Y: y - h/2, W: w, H: h}, air - w},
					candidate{draw.Rect{X: x1 - (x1-x0)/4 - w/2, Y: y - h/2, W: w, H: h}, air - w})
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].air > all[j].air })
	out := make([]draw.Rect, len(all))
	for i, c := range all {
		out[i] = c.box
	}
	return out
}

// crossings are where a horizontal line meets the borders, from left to right.
func crossings(p draw.Path, y float64) []float64 {
	var xs []float64
	for _, l := range p {
		for i, a := range l.Pts {
			b := l.Pts[(i+1)%len(l.Pts)]
			if (a.Y > y) != (b.Y > y) {
				xs = append(xs, a.X+(y-a.Y)*(b.X-a.X)/(b.Y-a.Y))
			}
		}
	}
	sort.Float64s(xs)
	return xs
}

// outside reports whether a box lies wholly outside of a shape.
func outside(p draw.Path, r draw.Rect) bool {
	in := false
	cx, cy := r.X+r.W/2, r.Y+r.H/2
	for _, l := range p {
		for i, a := range l.Pts {
			b := l.Pts[(i+1)%len(l.Pts)]
			if touches(a, b, r) {
				return false
			}
			if (a.Y > cy) != (b.Y > cy) && cx < a.X+(cy-a.Y)*(b.X-a.X)/(b.Y-a.Y) {
				in = !in
			}
		}
	}
	return !in
}

// inside reports whether no border passes through a box whose middle lies within.
func inside(p draw.Path, r draw.Rect) bool {
	in := false
	cx, cy := r.X+r.W/2, r.Y+r.H/2
	for _, l := range p {
		for i, a := range l.Pts {
			b := l.Pts[(i+1)%len(l.Pts)]
			if touches(a, b, r) {
				return false
			}
			if (a.Y > cy) != (b.Y > cy) && cx < a.X+(cy-a.Y)*(b.X-a.X)/(b.Y-a.Y) {
				in = !in
			}
		}
	}
	return in
}

// touches reports whether a piece of line meets a rectangle (Liang and Barsky).
func touches(a, b draw.Pt, r draw.Rect) bool {
	t0, t1 := 0.0, 1.0
	clip := func(d, room float64) bool {
		switch {
		case d == 0:
			return room >= 0
		case d < 0:
			t0 = max(t0, room/d)
		default:
			t1 = min(t1, room/d)
		}
		return t0 <= t1
	}
	dx, dy := b.X-a.X, b.Y-a.Y
	return clip(-dx, a.X-r.X) && clip(dx, r.X+r.W-a.X) && clip(-dy, a.Y-r.Y) && clip(dy, r.Y+r.H-a.Y)
}
