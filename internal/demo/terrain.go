package demo

import (
	"math"
	"slices"
)

// The domain is somewhat larger than the county, so that its border can follow
// ridges and rivers instead of the edge of the sheet.
const (
	domainW = 72000.0
	domainH = 60000.0
	coarse  = 150.0 // cell of the drainage model
	fine    = 50.0  // cell of everything else
)

// terrain is the ground: a mountain range in the north-west, hills, a plain in
// the south-east, carved by running water so that valleys join as they do.
type terrain struct {
	h     *grid // height at coarse cells, m, without pits
	order []int32
	recv  []int32 // the cell each cell drains to, -1 at an outlet
	area  []float64
	z     *grid // height at fine cells, m
	slope *grid // rise over run at fine cells
	wild  *grid // 1 in the mountains, 0 in the plain, at coarse cells
}

func makeTerrain(seed int64) *terrain {
	r := newRNG(seed, "terrain")
	base, ridge, mix, rough := r.noise(), r.noise(), r.noise(), r.noise()
	uplift := func(p pt) float64 {
		// s runs from 0 in the north-western corner to 1 in the south-eastern.
		s := 0.60*p.x/domainW + 0.40*(1-p.y/domainH) + 0.13*base.fbm(p.x, p.y, 26000, 3)
		m := 1 - smoothstep(0.20, 0.60, s)
		// A lower range closes the south-west.
		sw := math.Hypot((p.x-9000)/21000, (p.y-3000)/15000) + 0.35*mix.fbm(p.x, p.y, 14000, 3)
		m = math.Max(m, 0.55*(1-smoothstep(0.35, 1.05, sw)))
		hills := smoothstep(0.12, 0.55, ridge.fbm(p.x, p.y, 11000, 3)) * (1 - smoothstep(0.55, 0.95, s)) * 0.42
		return 0.022 + 0.03*math.Abs(base.fbm(p.x, p.y, 7000, 2)) + math.Max(m, hills)*(0.85+0.5*ridge.fbm(p.x, p.y, 9000, 2))
	}
	upliftOf := func(g *grid) []float64 {
		u := make([]float64, len(g.v))
		for i := range u {
			u[i] = uplift(g.centre(i))
		}
		return u
	}
	rough2 := func(p pt) float64 { return rough.fbm(p.x, p.y, 5000, 5) }

	g := newGrid(300)
	for i := range g.v {
		p := g.centre(i)
		g.v[i] = float32(math.Max(0, 700*uplift(p)+90*rough2(p)) + 60*(1-p.x/domainW))
	}
	t := &terrain{}
	rise := upliftOf(g)
	for range 30 {
		t.erode(g, rise, 1.1e5)
	}
	// Refine, roughen and let the water settle into the finer grid.
	f := newGrid(coarse)
	rise = upliftOf(f)
	for i := range f.v {
		p := f.centre(i)
		u := rise[i]
		f.v[i] = float32(g.at(p) + (0.4+16*u)*rough2(pt{p.x * 3, p.y * 3}))
	}
	for range 5 {
		t.erode(f, rise, 5e4)
	}
	for range 2 {
		soften(f)
	}
	t.h = f
	t.drain(f)
	t.wild = newGrid(coarse)
	var top float32
	for i := range f.v {
		t.wild.v[i] = float32(rise[i])
		top = max(top, f.v[i])
	}
	// Bring the summits to a modest mountain county's height and give the
	// plain the altitude of an inland one.
	k := 1180 / top
	for i := range f.v {
		f.v[i] = 62 + f.v[i]*k
	}
	t.z = newGrid(fine)
	for i := range t.z.v {
		p := t.z.centre(i)
		t.z.v[i] = float32(f.at(p))
	}
	soften(t.z)
	t.reslope()
	return t
}

// reslope computes the slope of the fine heights.
func (t *terrain) reslope() {
	if t.slope == nil {
		t.slope = newGrid(fine)
	}
	z := t.z
	for y := range z.ny {
		for x := range z.nx {
			i := y*z.nx + x
			a, b := y*z.nx+max(x-1, 0), y*z.nx+min(x+1, z.nx-1)
			c, d := max(y-1, 0)*z.nx+x, min(y+1, z.ny-1)*z.nx+x
			dx := float64(z.v[b]-z.v[a]) / (2 * fine)
			dy := float64(z.v[d]-z.v[c]) / (2 * fine)
			t.slope.v[i] = float32(math.Hypot(dx, dy))
		}
	}
}

// downhill is the direction of steepest descent.
func (t *terrain) downhill(p pt) pt {
	const e = 75
	dx := t.z.at(pt{p.x + e, p.y}) - t.z.at(pt{p.x - e, p.y})
	dy := t.z.at(pt{p.x, p.y + e}) - t.z.at(pt{p.x, p.y - e})
	return pt{-dx, -dy}.unit()
}

// soften averages each cell with its neighbours (hillslope creep).
func soften(g *grid) {
	old := append([]float32(nil), g.v...)
	for y := 1; y < g.ny-1; y++ {
		for x := 1; x < g.nx-1; x++ {
			i := y*g.nx + x
			g.v[i] = 0.5*old[i] + 0.125*(old[i-1]+old[i+1]+old[i-g.nx]+old[i+g.nx])
		}
	}
}

// outlet says whether water may leave the domain at this border cell: only
// through one gap in the east, so that one river gathers most of the county.
func outlet(g *grid, i int) bool {
	x, y := i%g.nx, i/g.nx
	fy := float64(y) / float64(g.ny)
	return x == g.nx-1 && fy > 0.26 && fy < 0.46
}

// drain fills pits and records where every cell drains to, in an order in which
// the receiver always comes first.
func (t *terrain) drain(g *grid) {
	n := len(g.v)
	t.order = t.order[:0]
	t.recv = make([]int32, n)
	seen := make([]bool, n)
	var q heap
	for i := range n {
		t.recv[i] = -1
		if outlet(g, i) {
			seen[i] = true
			q.push(g.v[i], int32(i))
		}
	}
	for !q.empty() {
		_, c := q.pop()
		i := int(c)
		t.order = append(t.order, c)
		for k := range 8 {
			j := g.neighbour(i, k)
			if j < 0 || seen[j] {
				continue
			}
			seen[j] = true
			// The uneven step makes water wander over filled flats.
			wobble := uint32(j) * 2654435761
			wobble ^= wobble >> 15
			wobble *= 2246822519
			g.v[j] = max(g.v[j], g.v[i]+0.01+float32(wobble>>16&255)*0.0008)
			q.push(g.v[j], int32(j))
		}
	}
	t.area = make([]float64, n)
	for _, c := range t.order {
		i := int(c)
		t.area[i] = g.cell * g.cell
		if outlet(g, i) {
			continue
		}
		best := 0.0
		for k := range 8 {
			j := g.neighbour(i, k)
			if j < 0 {
				continue
			}
			if s := float64(g.v[i]-g.v[j]) / stepLen(k); s > best {
				best, t.recv[i] = s, int32(j)
			}
		}
	}
	for _, c := range slices.Backward(t.order) {

		if r := t.recv[c]; r >= 0 {
			t.area[r] += t.area[c]
		}
	}
}

// erode advances the ground by dt years of uplift and implicit stream power
// incision (Braun and Willett 2013), which stays stable for any step.
func (t *terrain) erode(g *grid, rise []float64, dt float64) {
	t.drain(g)
	const k, m = 2.6e-5, 0.45
	for _, c := range t.order {
		i := int(c)
		r := t.recv[i]
		if r < 0 {
			g.v[i] = 0
			continue
		}
		dist := g.cell
		if d := i - int(r); d != 1 && d != -1 && d != g.nx && d != -g.nx {
			dist *= math.Sqrt2
		}
		f := k * dt * math.Pow(t.area[i], m) / dist
		g.v[i] = float32((float64(g.v[i]) + dt*1e-3*rise[i] + f*float64(g.v[r])) / (1 + f))
	}
}
