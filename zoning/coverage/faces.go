package coverage

import (
	"math"
	"slices"
)

// Here faults and other regions are found as faces and described.

// source is a directed edge that goes into an arrangement: what lies on its left, how
// often, and whose border it is.
type source struct {
	link
	label int32
	n     int32
	owner ID
}

// mosaic is an arrangement that remembers whose border each edge is.
type mosaic struct {
	*arrangement
	owners map[link][]ID // by noded, directed edge
}

// tile nodes sources and makes the faces.
func tile(src []source, n Noder) (*mosaic, error) {
	segs := make([]link, len(src))
	for i, s := range src {
		segs[i] = s.link
	}
	chains, err := node(segs, nil, n)
	if err != nil {
		return nil, err
	}
	m := &mosaic{owners: make(map[link][]ID, len(src))}
	edges := make([]labelled, 0, len(src))
	for i, c := range chains {
		for k := 1; k < len(c); k++ {
			l := link{c[k-1], c[k]}
			if l.a == l.b {
				continue
			}
			if id := src[i].owner; id != "" && !slices.Contains(m.owners[l], id) {
				m.owners[l] = append(m.owners[l], id)
			}
			if src[i].n == 0 {
				edges = append(edges, labelled{l, -1})
			}
			for range abs(int64(src[i].n)) {
				e := labelled{l, src[i].label}
				if src[i].n < 0 {
					e.link = l.back()
				}
				edges = append(edges, e)
			}
		}
	}
	m.arrangement = arrange(edges)
	return m, nil
}

// shapeOf is the region as a shape.
func (m *mosaic) shapeOf(r region) Shape {
	edges := make([]link, len(r.edges))
	for i, h := range r.edges {
		edges[i] = m.edge(h)
	}
	s, err := assemble(edges)
	if err != nil {
		return nil
	}
	return s
}

// beside measures the border of a region by the zones on its other side.
func (m *mosaic) beside(r region) map[ID]float64 {
	out := map[ID]float64{}
	for _, h := range r.edges {
		l := m.edge(h)
		for _, id := range m.owners[l.back()] {
			out[id] += metres(l.a, l.b)
		}
	}
	return out
}

// longest orders zones by their stretch of border, ties by id.
func longest(border map[ID]float64) []ID {
	ids := make([]ID, 0, len(border))
	for id := range border {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID) int {
		switch d := border[a] - border[b]; {
		case d > 0:
			return -1
		case d < 0:
			return 1
		case a < b:
			return -1
		}
		return 1
	})
	return ids
}

// inner is a place inside a shape, as exactly as floating point can: the middle of the
// widest stretch on a line through the tallest gap between vertices near the middle.
func (s Shape) inner() (x, y float64, ok bool) {
	best := -1.0
	for _, poly := range s {
		if len(poly) == 0 || len(poly[0]) < 3 {
			continue
		}
		b := ringBox(poly[0])
		mid := (b.Min.Y + b.Max.Y) / 2
		// The line runs between two neighbouring heights of vertices, half way.
		lo, hi := b.Min.Y, b.Max.Y
		for _, r := range poly {
			for _, p := range r {
				if p.Y <= mid && p.Y > lo {
					lo = p.Y
				}
				if p.Y > mid && p.Y < hi {
					hi = p.Y
				}
			}
		}
		h := float64(lo) + float64(hi-lo)/2
		var xs []float64
		for _, r := range poly {
			for i, p := range r {
				q := r[(i+1)%len(r)]
				if (float64(p.Y) > h) != (float64(q.Y) > h) {
					xs = append(xs, float64(p.X)+float64(q.X-p.X)*(h-float64(p.Y))/float64(q.Y-p.Y))
				}
			}
		}
		slices.Sort(xs)
		for i := 1; i < len(xs); i += 2 {
			if w := xs[i] - xs[i-1]; w > best {
				best, x, y = w, (xs[i]+xs[i-1])/2, h
			}
		}
	}
	return x, y, best >= 0
}

// holdsNear says whether a shape holds a place that is not of the grid.
func (s Shape) holdsNear(x, y float64) bool {
	in := false
	for _, poly := range s {
		for _, r := range poly {
			for i, p := range r {
				q := r[(i+1)%len(r)]
				if (float64(p.Y) > y) != (float64(q.Y) > y) &&
					x < float64(p.X)+float64(q.X-p.X)*(y-float64(p.Y))/float64(q.Y-p.Y) {
					in = !in
				}
			}
		}
	}
	return in
}

// describe makes a violation of an area: where it is, how large, whose.
func describe(code Code, where Shape, zones map[ID]Shape) Violation {
	v := Violation{Code: code, Where: where, AreaM2: AreaM2(where), WidthM: where.widthM()}
	x, y, ok := where.inner()
	if !ok {
		if len(where) > 0 {
			v.At = where[0][0][0]
		}
		return v
	}
	v.At = Point{int64(math.Round(x)), int64(math.Round(y))}
	for id, s := range zones {
		if b, ok := s.box(); ok && float64(b.Min.X) <= x && x <= float64(b.Max.X) && float64(b.Min.Y) <= y && y <= float64(b.Max.Y) && s.holdsNear(x, y) {
			v.Zones = append(v.Zones, id)
		}
	}
	slices.Sort(v.Zones)
	return v
}

// The usual limits of a sliver.
const (
	sliverAreaM2 = 1.0
	sliverWidthM = 0.5
)

// Sliver says whether a shape is too small or too thin to be meant.
func (s Shape) Sliver() bool { return isSliver(AreaM2(s), s.widthM()) }

func isSliver(area, width float64) bool { return area < sliverAreaM2 || width < sliverWidthM }
