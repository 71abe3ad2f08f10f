package demo

import (
	"math"
	"sort"
)

// river is one named stem from its source to where it joins another or leaves.
type river struct {
	id     int
	line   []pt
	z      []float64 // height of the water at each vertex
	area   []float64 // catchment at each vertex, m²
	parent *river
	order  int // 1 for the trunk, 2 for its tributaries, ...
	name   string
}

func (r *river) mouthArea() float64 { return r.area[len(r.area)-1] }

// width of the channel for a catchment, m.
func width(area float64) float64 { return 0.0042 * math.Pow(area, 0.51) }

type reservoir struct {
	name   string
	river  *river
	dam    pt
	dir    pt // downstream
	level  float64
	height float64
	shape  polygon
	m2     float64
}

// water is everything wet, and the fields that tell how far it is.
type water struct {
	rivers     []*river // trunk first, then by size
	reservoirs []*reservoir
	dist       *grid // to the nearest stream, m; 9999 beyond reach
	stream     *grid // height of that stream, m
	size       *grid // catchment of that stream, km²
	pool       *grid // 1 inside a reservoir
	banks      []polygon
}

const streamArea = 4.5e6

func makeWater(seed int64, t *terrain) *water {
	w := &water{}
	w.trace(seed, t)
	w.fields(t)
	w.carve(t)
	return w
}

// trace follows the drainage upstream from its outlets and draws smooth stems.
func (w *water) trace(seed int64, t *terrain) {
	g := t.h
	r := newRNG(seed, "rivers")
	bend, bend2 := r.noise(), r.noise()
	donors := make([][]int32, len(g.v))
	var mouths []int32
	for _, c := range t.order {
		if t.area[c] < streamArea {
			continue
		}
		if d := t.recv[c]; d >= 0 {
			donors[d] = append(donors[d], c)
		} else {
			mouths = append(mouths, c)
		}
	}
	place := map[int32]pt{} // where a cell's stream was drawn
	type job struct {
		start  int32
		parent *river
	}
	var jobs []job
	for _, m := range mouths {
		jobs = append(jobs, job{m, nil})
	}
	for len(jobs) > 0 {
		j := jobs[0]
		jobs = jobs[1:]
		var cells []int32
		for c := j.start; ; {
			cells = append(cells, c)
			best := int32(-1)
			for _, d := range donors[c] {
				if best < 0 || t.area[d] > t.area[best] {
					best = d
				}
			}
			if best < 0 {
				break
			}
			c = best
		}
		if len(cells) < 6 {
			continue
		}
		rv := &river{id: len(w.rivers), parent: j.parent, order: 1}
		if j.parent != nil {
			rv.order = j.parent.order + 1
			cells = append([]int32{t.recv[j.start]}, cells...)
		}
		for i, k := 0, len(cells)-1; i < k; i, k = i+1, k-1 {
			cells[i], cells[k] = cells[k], cells[i]
		}
		l := make([]pt, len(cells))
		for i, c := range cells {
			l[i] = g.centre(int(c))
		}
		end := l[len(l)-1]
		if j.parent != nil {
			end = place[cells[len(cells)-1]]
		}
		l[len(l)-1] = end
		l = relax(l, 6)
		// Meanders: none in the mountains, wide ones in the plain.
		phase, s := r.between(0, 6), 0.0
		m := make([]pt, len(l))
		for i := range l {
			m[i] = l[i]
			if i == 0 || i == len(l)-1 {
				continue
			}
			s += l[i].dist(l[i-1])
			flat := 1 - smoothstep(0.05, 0.32, t.wild.at(l[i]))
			wd := width(t.area[cells[i]])
			wave := 900 + 9*wd
			phase += l[i].dist(l[i-1]) / wave * 2 * math.Pi * (1 + 0.9*bend.at(s/2600, float64(rv.id)*7.3))
			taper := math.Min(1, float64(min(i, len(l)-1-i))/6)
			a := (35 + 1.5*wd) * flat * taper * (0.55 + 0.9*math.Abs(bend2.at(s/4100, float64(rv.id)*3.1)))
			m[i] = l[i].add(l[min(i+1, len(l)-1)].sub(l[i-1]).unit().left().mul(a * math.Sin(phase)))
		}
		l = relax(m, 1)
		for i, c := range cells {
			if _, ok := place[c]; !ok {
				place[c] = l[i]
			}
			if i+1 == len(cells) && j.parent != nil {
				continue
			}
			for _, d := range donors[c] {
				if i > 0 && d == cells[i-1] {
					continue
				}
				jobs = append(jobs, job{d, rv})
			}
		}
		rv.line = curve(l, 1)
		for i := range rv.line {
			c := cells[i/2]
			a := t.area[c]
			z := float64(g.v[c])
			if i%2 == 1 {
				z = (z + float64(g.v[cells[i/2+1]])) / 2
			} else if i/2+1 == len(cells) && j.parent != nil {
				a = t.area[cells[len(cells)-2]] // its own water, not the parent's
			}
			rv.z = append(rv.z, z)
			rv.area = append(rv.area, a)
		}
		w.rivers = append(w.rivers, rv)
	}
	sort.SliceStable(w.rivers, func(i, j int) bool { return w.rivers[i].mouthArea() > w.rivers[j].mouthArea() })
	for i, rv := range w.rivers {
		rv.id = i
	}
}

// relax averages the inner vertices with their neighbours.
func relax(l []pt, passes int) []pt {
	for range passes {
		n := append([]pt(nil), l...)
		for i := 1; i+1 < len(l); i++ {
			n[i] = l[i].mul(0.5).add(l[i-1].add(l[i+1]).mul(0.25))
		}
		l = n
	}
	return l
}

// fields stamps the distance to the nearest stream and that stream's height.
func (w *water) fields(t *terrain) {
	w.dist, w.stream, w.size = newGrid(fine), newGrid(fine), newGrid(fine)
	w.pool = newGrid(fine)
	w.dist.fill(9999)
	for _, rv := range w.rivers {
		for i := 1; i < len(rv.line); i++ {
			a := rv.area[i]
			reach := 350.0
			if a > 1e8 {
				reach = 1700
			} else if a > 2.5e7 {
				reach = 800
			}
			km2 := float32(a / 1e6)
			w.dist.stamp(rv.line[i-1], rv.line[i], reach, func(c int, d, s float64) {
				// A brook beside a river does not take its bank away.
				if float32(d) < w.dist.v[c] && (km2*8 > w.size.v[c] || w.dist.v[c] > 500) {
					w.dist.v[c] = float32(d)
					w.stream.v[c] = float32(rv.z[i-1] + (rv.z[i]-rv.z[i-1])*s)
					w.size.v[c] = km2
				}
			})
		}
	}
}

// carve lowers the ground along the drawn streams: smoothing and meanders moved
// them off the cells where the model had its valley floors.
func (w *water) carve(t *terrain) {
	for i := range t.z.v {
		d := float64(w.dist.v[i])
		if d > 400 {
			continue
		}
		wd := width(float64(w.size.v[i]) * 1e6)
		top := float64(w.stream.v[i]) + 0.8 + math.Max(0, d-wd)*0.05 + math.Pow(math.Max(0, d-wd-120)/60, 2)
		t.z.v[i] = float32(math.Min(float64(t.z.v[i]), top))
	}
	t.reslope()
}

// dam looks for places where a valley can be closed and floods them.
func (w *water) dam(t *terrain, want int, allowed func(pt) bool) {
	type site struct {
		rv    *river
		i     int
		score float64
	}
	var sites []site
	for _, rv := range w.rivers {
		for i := 12; i+8 < len(rv.line); i += 4 {
			a := rv.area[i]
			p := rv.line[i]
			if a < 1.4e7 || a > 1.6e8 || !allowed(p) {
				continue
			}
			wild := t.wild.at(p)
			if wild < 0.18 || wild > 1.0 {
				continue
			}
			// A narrow valley here, gentle fall behind.
			side := rv.line[i+1].sub(rv.line[i-1]).unit().left()
			wall := math.Min(t.z.at(p.add(side.mul(300))), t.z.at(p.sub(side.mul(300)))) - rv.z[i]
			fall := rv.z[max(i-24, 0)] - rv.z[i]
			sites = append(sites, site{rv, i, wall - 0.6*fall + 4*math.Log10(a/1e7)})
		}
	}
	sort.SliceStable(sites, func(i, j int) bool { return sites[i].score > sites[j].score })
	for _, s := range sites {
		if len(w.reservoirs) == want {
			return
		}
		p := s.rv.line[s.i]
		ok := true
		for _, o := range w.reservoirs {
			if o.dam.dist(p) < 9000 {
				ok = false
			}
		}
		if !ok {
			continue
		}
		for _, h := range []float64{44, 36, 30, 24, 18} {
			if rs := w.fillPool(t, s.rv, s.i, h); rs != nil {
				w.reservoirs = append(w.reservoirs, rs)
				break
			}
		}
	}
}

func (w *water) fillPool(t *terrain, rv *river, i int, h float64) *reservoir {
	p := rv.line[i]
	dir := rv.line[min(i+3, len(rv.line)-1)].sub(rv.line[i-3]).unit()
	level := rv.z[i] + h
	// Spread over the fine cells below the level, never past the dam's line.
	start := t.z.index(rv.line[i-2])
	seen := map[int]bool{start: true}
	queue := []int{start}
	limit := int(4.5e6 / (fine * fine))
	for k := 0; k < len(queue); k++ {
		for n := range 4 {
			j := t.z.neighbour(queue[k], n)
			if j < 0 || seen[j] || float64(t.z.v[j]) >= level {
				continue
			}
			q := t.z.centre(j).sub(p)
			if q.dot(dir) > -20 {
				continue
			}
			seen[j] = true
			queue = append(queue, j)
			if len(queue) > limit {
				return nil
			}
		}
	}
	lo, hi := p, p
	for _, c := range queue {
		q := t.z.centre(c)
		lo = pt{math.Min(lo.x, q.x), math.Min(lo.y, q.y)}
		hi = pt{math.Max(hi.x, q.x), math.Max(hi.y, q.y)}
	}
	f := newField(lo.sub(pt{200, 200}), hi.add(pt{200, 200}), 25)
	f.set(func(q pt) float64 {
		if !seen[t.z.index(q)] {
			// Only cells of the pool or beside it count; a neighbouring
			// valley below the level is not flooded.
			ok := false
			for k := range 8 {
				if j := t.z.neighbour(t.z.index(q), k); j >= 0 && seen[j] {
					ok = true
				}
			}
			if !ok {
				return -10
			}
		}
		return math.Min(level-t.z.at(q), -(q.sub(p).dot(dir) + 10))
	})
	out := f.outline(1e5)
	if len(out) == 0 || out[0].area() < 4.5e5 {
		return nil
	}
	shape := out[0].thinned(3).rounded()
	for _, c := range queue {
		w.pool.v[c] = 1
	}
	return &reservoir{river: rv, dam: p, dir: dir, level: level, height: h, shape: shape, m2: shape.area()}
}

// surface outlines the rivers wide enough to be areas on a map.
func (w *water) surface(near func(pt) bool) {
	g := newField(pt{0, 0}, pt{domainW, domainH}, 25)
	for i := range g.v {
		g.v[i] = -45
	}
	for _, rv := range w.rivers {
		for i := 1; i < len(rv.line); i++ {
			wd := width(rv.area[i])
			if wd < 34 || !near(rv.line[i]) {
				continue
			}
			a, b := rv.line[i-1], rv.line[i]
			reach := wd/2 + 44
			x0, x1 := int((math.Min(a.x, b.x)-reach-g.x0)/25), int((math.Max(a.x, b.x)+reach-g.x0)/25)+1
			y0, y1 := int((math.Min(a.y, b.y)-reach-g.y0)/25), int((math.Max(a.y, b.y)+reach-g.y0)/25)+1
			for y := max(y0, 1); y <= min(y1, g.ny-2); y++ {
				for x := max(x0, 1); x <= min(x1, g.nx-2); x++ {
					k := y*g.nx + x
					d, _ := segDist(g.point(k), a, b)
					g.v[k] = math.Max(g.v[k], wd/2-d)
				}
			}
		}
	}
	for _, p := range g.outline(2e4) {
		w.banks = append(w.banks, p.thinned(2).rounded())
	}
}
