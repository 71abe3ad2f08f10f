package demo

import "math"

// pt is a place in local metres: x east, y north of the domain's south-west
// corner. Degrees appear only when a feature is emitted.
type pt struct{ x, y float64 }

func (a pt) add(b pt) pt             { return pt{a.x + b.x, a.y + b.y} }
func (a pt) sub(b pt) pt             { return pt{a.x - b.x, a.y - b.y} }
func (a pt) mul(k float64) pt        { return pt{a.x * k, a.y * k} }
func (a pt) dot(b pt) float64        { return a.x*b.x + a.y*b.y }
func (a pt) cross(b pt) float64      { return a.x*b.y - a.y*b.x }
func (a pt) len() float64            { return math.Hypot(a.x, a.y) }
func (a pt) dist(b pt) float64       { return math.Hypot(a.x-b.x, a.y-b.y) }
func (a pt) lerp(b pt, t float64) pt { return pt{a.x + (b.x-a.x)*t, a.y + (b.y-a.y)*t} }
func (a pt) left() pt                { return pt{-a.y, a.x} }

func (a pt) unit() pt {
	l := a.len()
	if l == 0 {
		return pt{1, 0}
	}
	return pt{a.x / l, a.y / l}
}

func heading(angle float64) pt {
	s, c := math.Sincos(angle)
	return pt{c, s}
}

// grid holds one number per square cell; a value belongs to the cell's middle.
type grid struct {
	nx, ny int
	cell   float64
	v      []float32
}

func newGrid(cell float64) *grid {
	nx, ny := int(domainW/cell), int(domainH/cell)
	return &grid{nx: nx, ny: ny, cell: cell, v: make([]float32, nx*ny)}
}

func (g *grid) fill(f float32) {
	for i := range g.v {
		g.v[i] = f
	}
}

func (g *grid) centre(i int) pt {
	return pt{(float64(i%g.nx) + 0.5) * g.cell, (float64(i/g.nx) + 0.5) * g.cell}
}

// index gives the cell a place lies in, clamped to the domain.
func (g *grid) index(p pt) int {
	x := min(max(int(p.x/g.cell), 0), g.nx-1)
	y := min(max(int(p.y/g.cell), 0), g.ny-1)
	return y*g.nx + x
}

func (g *grid) near(p pt) float64 { return float64(g.v[g.index(p)]) }

// at interpolates between the four nearest middles.
func (g *grid) at(p pt) float64 {
	fx := clamp(p.x/g.cell-0.5, 0, float64(g.nx-1)-1e-9)
	fy := clamp(p.y/g.cell-0.5, 0, float64(g.ny-1)-1e-9)
	x, y := int(fx), int(fy)
	tx, ty := fx-float64(x), fy-float64(y)
	i := y*g.nx + x
	j := i
	if y+1 < g.ny {
		j = i + g.nx
	}
	s := 0
	if x+1 < g.nx {
		s = 1
	}
	a := float64(g.v[i])*(1-tx) + float64(g.v[i+s])*tx
	b := float64(g.v[j])*(1-tx) + float64(g.v[j+s])*tx
	return a*(1-ty) + b*ty
}

// stamp calls f for every cell whose middle is within reach of the segment,
// with the distance to it and the position along it.
func (g *grid) stamp(a, b pt, reach float64, f func(i int, d, t float64)) {
	x0 := max(int((math.Min(a.x, b.x)-reach)/g.cell), 0)
	x1 := min(int((math.Max(a.x, b.x)+reach)/g.cell), g.nx-1)
	y0 := max(int((math.Min(a.y, b.y)-reach)/g.cell), 0)
	y1 := min(int((math.Max(a.y, b.y)+reach)/g.cell), g.ny-1)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			i := y*g.nx + x
			d, t := segDist(g.centre(i), a, b)
			if d <= reach {
				f(i, d, t)
			}
		}
	}
}

// segDist is the distance of p to the segment and where on it, 0..1.
func segDist(p, a, b pt) (float64, float64) {
	ab := b.sub(a)
	l2 := ab.dot(ab)
	if l2 == 0 {
		return p.dist(a), 0
	}
	t := clamp(p.sub(a).dot(ab)/l2, 0, 1)
	return p.dist(a.add(ab.mul(t))), t
}

// heap is a minimum queue of cells by cost.
type heap struct {
	key []float32
	val []int32
}

func (h *heap) empty() bool { return len(h.key) == 0 }

func (h *heap) push(k float32, v int32) {
	h.key = append(h.key, k)
	h.val = append(h.val, v)
	i := len(h.key) - 1
	for i > 0 {
		p := (i - 1) / 2
		// Equal keys are ordered by cell, so that the result never depends on
		// the order of insertion.
		if h.key[p] < k || h.key[p] == k && h.val[p] <= v {
			break
		}
		h.key[i], h.val[i] = h.key[p], h.val[p]
		i = p
	}
	h.key[i], h.val[i] = k, v
}

func (h *heap) pop() (float32, int32) {
	k, v := h.key[0], h.val[0]
	n := len(h.key) - 1
	lk, lv := h.key[n], h.val[n]
	h.key, h.val = h.key[:n], h.val[:n]
	if n == 0 {
		return k, v
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && (h.key[c+1] < h.key[c] || h.key[c+1] == h.key[c] && h.val[c+1] < h.val[c]) {
			c++
		}
		if lk < h.key[c] || lk == h.key[c] && lv <= h.val[c] {
			break
		}
		h.key[i], h.val[i] = h.key[c], h.val[c]
		i = c
	}
	h.key[i], h.val[i] = lk, lv
	return k, v
}

// The eight neighbours: the four straight ones first.
var (
	stepX = [8]int{1, 0, -1, 0, 1, -1, -1, 1}
	stepY = [8]int{0, 1, 0, -1, 1, 1, -1, -1}
)

// neighbour returns the cell in direction k, or -1 outside the domain.
func (g *grid) neighbour(i, k int) int {
	x, y := i%g.nx+stepX[k], i/g.nx+stepY[k]
	if x < 0 || y < 0 || x >= g.nx || y >= g.ny {
		return -1
	}
	return y*g.nx + x
}

func stepLen(k int) float64 {
	if k < 4 {
		return 1
	}
	return math.Sqrt2
}
