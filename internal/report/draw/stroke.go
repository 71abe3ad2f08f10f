package draw

import "math"

// outlineOf is the area a pen of a width covers: a bar per piece and a disc per bend, all
// turning the same way, so that together they count once.
func outlineOf(p Path, width float64, butt bool) Path {
	h := width / 2
	if !(h > 0) {
		return nil
	}
	var out Path
	n := max(6, min(32, int(h*4)+6))
	disc := make([]Pt, n)
	for i := range disc {
		s, c := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		disc[i] = Pt{h * c, h * s}
	}
	round := func(q Pt) {
		pts := make([]Pt, n)
		for i, d := range disc {
			pts[i] = Pt{q.X + d.X, q.Y + d.Y}
		}
		out = append(out, Line{pts, true})
	}
	for _, l := range p {
		k := len(l.Pts)
		if k == 0 {
			continue
		}
		pieces := k - 1
		if l.Closed {
			pieces = k
		}
		var before Pt
		drawn := false
		for i := range pieces {
			a, b := l.Pts[i], l.Pts[(i+1)%k]
			d := Pt{b.X - a.X, b.Y - a.Y}
			size := math.Hypot(d.X, d.Y)
			if size < 1e-9 {
				continue
			}
			d.X, d.Y = d.X/size, d.Y/size
			nx, ny := -d.Y*h, d.X*h
			out = append(out, Line{[]Pt{{a.X - nx, a.Y - ny}, {b.X - nx, b.Y - ny}, {b.X + nx, b.Y + ny}, {a.X + nx, a.Y + ny}}, true})
			// A slight bend leaves no gap worth a disc.
			if drawn && before.X*d.X+before.Y*d.Y < 0.999 || !drawn && (l.Closed || !butt) {
				round(a)
			}
			before, drawn = d, true
		}
		if !butt && !l.Closed && drawn {
			round(l.Pts[k-1])
		}
		if !drawn && !butt {
			round(l.Pts[0])
		}
	}
	return out
}

// dashed cuts lines into the drawn parts of a pattern.
func dashed(p Path, dash []float64) Path {
	total := 0.0
	for _, d := range dash {
		total += d
	}
	if !(total > 0.5) { // finer than a pixel: a solid line
		return p
	}
	var out Path
	for _, l := range p {
		pts := l.Pts
		if l.Closed && len(pts) > 1 {
			pts = append(append([]Pt(nil), pts...), pts[0])
		}
		at, left := 0, dash[0]
		var run []Pt
		for i := range pts {
			if i == 0 {
				run = []Pt{pts[0]}
				continue
			}
			a, b := pts[i-1], pts[i]
			size := math.Hypot(b.X-a.X, b.Y-a.Y)
			done := 0.0
			for size-done > left {
				done += left
				q := Pt{a.X + (b.X-a.X)*done/size, a.Y + (b.Y-a.Y)*done/size}
				if at%2 == 0 {
					out = append(out, Line{Pts: append(run, q)})
					run = nil
				} else {
					run = []Pt{q}
				}
				at++
				left = dash[at%len(dash)]
				if left <= 0 {
					left = 1e-6
				}
			}
			left -= size - done
			if at%2 == 0 {
				run = append(run, b)
			}
		}
		if at%2 == 0 && len(run) > 1 {
			out = append(out, Line{Pts: run})
		}
	}
	return out
}
