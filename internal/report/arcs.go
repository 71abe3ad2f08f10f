package report

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
)

// arc is a piece of border between two places where borders meet. Every shape that uses
// it draws the very same simplified line.
type arc struct {
	pts   []draw.Pt
	users []int // shapes, as often as they use it
}

// borders takes shapes apart into arcs and puts them together again on paper.
type borders struct {
	at     func(orb.Point) draw.Pt
	limit  float64 // mm
	around map[orb.Point]*corner
	arcs   map[[2]orb.Point]*arc
	order  []*arc
}

// corner is a vertex and the vertices it is joined to.
type corner struct {
	a, b orb.Point
	n    uint8 // 1, 2, or 3 for "more"
}

func newBorders(at func(orb.Point) draw.Pt, limit float64) *borders {
	return &borders{at: at, limit: limit, around: map[orb.Point]*corner{}, arcs: map[[2]orb.Point]*arc{}}
}

// ring drops the closing point and repeated ones.
func ring(r orb.Ring) []orb.Point {
	out := make([]orb.Point, 0, len(r))
	for _, p := range r {
		if len(out) == 0 || out[len(out)-1] != p {
			out = append(out, p)
		}
	}
	for len(out) > 1 && out[0] == out[len(out)-1] {
		out = out[:len(out)-1]
	}
	return out
}

// know learns how the vertices of a shape are joined. All shapes come before the first
// is built.
func (b *borders) know(m orb.MultiPolygon) {
	for _, poly := range m {
		for _, r := range poly {
			pts := ring(r)
			for i, p := range pts {
				q := pts[(i+1)%len(pts)]
				b.join(p, q)
				b.join(q, p)
			}
		}
	}
}

func (b *borders) join(p, q orb.Point) {
	c := b.around[p]
	switch {
	case c == nil:
		b.around[p] = &corner{a: q, n: 1}
	case c.a == q || c.n > 1 && c.b == q:
	case c.n == 1:
		c.b, c.n = q, 2
	default:
		c.n = 3
	}
}

func (b *borders) node(p orb.Point) bool { return b.around[p].n != 2 }

// build gives a shape on paper, its shells turning one way and its holes the other.
func (b *borders) build(user int, m orb.MultiPolygon) draw.Path {
	var out draw.Path
	for _, poly := range m {
		for i, r := range poly {
			pts := b.ring(user, ring(r))
			if len(pts) < 3 {
				if i == 0 {
					break // a shell smaller than a hair: nor do its holes show
				}
				continue
			}
			if (turn(pts) > 0) != (i == 0) {
				for a, z := 0, len(pts)-1; a < z; a, z = a+1, z-1 {
					pts[a], pts[z] = pts[z], pts[a]
				}
			}
			out = append(out, draw.Line{Pts: pts, Closed: true})
		}
	}
	return out
}

func (b *borders) ring(user int, pts []orb.Point) []draw.Pt {
	n := len(pts)
	if n < 3 {
		return nil
	}
	first := -1
	for i, p := range pts {
		if b.node(p) {
			first = i
			break
		}
	}
	if first < 0 { // an island: the same beginning for whoever fills the hole
		first = 0
		for i, p := range pts {
			if less(p, pts[first]) {
				first = i
			}
		}
	}
	var out []draw.Pt
	from := first
	for k := 1; k <= n; k++ {
		if k < n && !b.node(pts[(first+k)%n]) {
			continue
		}
		run := make([]orb.Point, 0, first+k-from+1)
		for i := from; i <= first+k; i++ {
			run = append(run, pts[i%n])
		}
		line := b.arc(user, run)
		out = append(out, line[:len(line)-1]...)
		from = first + k
	}
	return out
}

func less(a, b orb.Point) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }

// arc finds or makes the simplified line, and answers it in the direction asked.
func (b *borders) arc(user int, run []orb.Point) []draw.Pt {
	k := len(run) - 1
	reverse := less(run[k], run[0]) || run[k] == run[0] && less(run[k-1], run[1])
	at := func(i int) orb.Point {
		if reverse {
			return run[k-i]
		}
		return run[i]
	}
	key := [2]orb.Point{at(0), at(1)}
	a := b.arcs[key]
	if a == nil {
		pts := make([]draw.Pt, len(run))
		for i := range pts {
			pts[i] = b.at(at(i))
		}
		a = &arc{pts: simplify(pts, b.limit)}
		b.arcs[key] = a
		b.order = append(b.order, a)
	}
	a.users = append(a.users, user)
	out := append([]draw.Pt(nil), a.pts...)
	if reverse {
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}

// simplify is Douglas and Peucker's; the ends stay, a closed line also keeps the point
// farthest from its beginning.
func simplify(pts []draw.Pt, limit float64) []draw.Pt {
	n := len(pts)
	if n < 3 {
		return pts
	}
	keep := make([]bool, n)
	keep[0], keep[n-1] = true, true
	stack := [][2]int{{0, n - 1}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		far, at := limit, -1
		a, b := pts[s[0]], pts[s[1]]
		if a == b {
			far = -1 // a loop needs a second point
		}
		for i := s[0] + 1; i < s[1]; i++ {
			if d := distance(pts[i], a, b); d > far {
				far, at = d, i
			}
		}
		if at > 0 {
			keep[at] = true
			stack = append(stack, [2]int{s[0], at}, [2]int{at, s[1]})
		}
	}
	out := make([]draw.Pt, 0, n)
	for i, k := range keep {
		if k {
			out = append(out, pts[i])
		}
	}
	return out
}

// distance is from a point to a piece of line.
func distance(p, a, b draw.Pt) float64 {
	dx, dy := b.X-a.X, b.Y-a.Y
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = max(0, min(1, ((p.X-a.X)*dx+(p.Y-a.Y)*dy)/l))
	}
	return math.Hypot(p.X-a.X-t*dx, p.Y-a.Y-t*dy)
}

// turn is twice the area of a ring, positive in the direction shells have on paper.
func turn(pts []draw.Pt) float64 {
	sum := 0.0
	for i, p := range pts {
		q := pts[(i+1)%len(pts)]
		sum += p.X*q.Y - q.X*p.Y
	}
	return sum
}
