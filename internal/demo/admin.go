package demo

import (
	"math"
	"sort"
)

const countyCode = "990100"

// unit is an administrative unit of any rank, or a grid.
type unit struct {
	code, name, pinyin string
	rank               int // 3 county, 4 township, 5 village; 6 grid
	parent             *unit
	children           []*unit
	seat               pt
	shape              []polygon
	km2                float64
	people, households int
	urban              string // 城乡分类
	wild               float64
	town               int // index of the township (villages)
	suffix             string
}

// admin holds the units and, per fine cell, the grid and village it belongs to.
type admin struct {
	county   *unit
	towns    []*unit
	villages []*unit
	grids    []*unit
	village  []int32 // per fine cell, -1 outside
	grid     []int32
	seat     pt // the county town's centre
	topo     *topology
}

// border is the county's rough outline: below 1 inside.
func countyBlob(n noise, p pt) float64 {
	return math.Pow((p.x-35800)/29600, 2) + math.Pow((p.y-29400)/24300, 2) + 0.30*n.fbm(p.x, p.y, 15000, 3)
}

// chooseSeat finds the confluence the county town lies at.
func chooseSeat(t *terrain, w *water) pt {
	best, at := math.Inf(-1), pt{domainW / 2, domainH / 2}
	for _, rv := range w.rivers {
		a := rv.mouthArea()
		if rv.parent == nil || a < 4e7 {
			continue
		}
		p := rv.line[len(rv.line)-1]
		_, i := nearestVertex(rv.parent.line, p)
		trunk := rv.parent.area[i]
		off := p.dist(pt{34000, 26000})
		s := math.Log10(a/1e7) + 0.6*math.Log10(trunk/1e7) - off/12000 - 3*t.slope.near(p) - 1.5*t.wild.at(p)
		if s > best {
			best, at = s, p
		}
	}
	return at
}

func nearestVertex(l []pt, p pt) (float64, int) {
	d, at := math.Inf(1), 0
	for i, q := range l {
		if e := q.dist(p); e < d {
			d, at = e, i
		}
	}
	return d, at
}

// makeVillages lays out villages and townships over the cells.
func makeVillages(seed int64, t *terrain, w *water) *admin {
	r := newRNG(seed, "villages")
	blob, grain := r.noise(), r.noise()
	a := &admin{seat: chooseSeat(t, w)}
	// The town's middle lies on the bank, above the confluence.
	a.seat = dryPlace(t, w, a.seat, 1500)

	type cand struct {
		p     pt
		score float64
	}
	var cands []cand
	for y := 400.0; y < domainH-400; y += 330 {
		for x := 400.0; x < domainW-400; x += 330 {
			p := pt{x + r.between(-150, 150), y + r.between(-150, 150)}
			if w.pool.near(p) > 0 || w.dist.near(p) < 120 && w.size.near(p) > 40 {
				continue
			}
			d := math.Min(w.dist.near(p), 1500)
			cands = append(cands, cand{p, -7*t.slope.near(p) - d/2200 + 0.12*math.Log10(1+w.size.near(p)) + r.between(0, 0.9)})
		}
	}
	sort.SliceStable(cands, func(i, j int) bool { return cands[i].score > cands[j].score })
	space := func(p pt) float64 {
		s := 2050 + 1500*smoothstep(0.08, 0.8, t.wild.at(p))
		d := p.dist(a.seat)
		return math.Min(s, 640+math.Max(0, d-1700)*0.55)
	}
	seats := []pt{a.seat}
	for _, c := range cands {
		ok := true
		sp := space(c.p)
		for _, s := range seats {
			if s.dist(c.p) < sp {
				ok = false
				break
			}
		}
		if ok {
			seats = append(seats, c.p)
		}
	}
	seeds := make([]int, len(seats))
	for i, s := range seats {
		seeds[i] = t.z.index(s)
	}
	cost := func(i int) int {
		p := t.z.centre(i)
		c := 13 + 70*float64(t.slope.v[i]) + 16*grain.fbm(p.x, p.y, 1100, 4)
		if w.dist.v[i] < 55 && w.size.v[i] > 25 {
			c += 60 + 40*math.Log10(float64(w.size.v[i])/25)
		}
		if w.pool.v[i] > 0 {
			c += 30
		}
		return int(math.Max(2, c))
	}
	label := spread(t.z, seeds, cost, func(i, j int) bool { return true })

	// Which belong to the county: those inside the blob, in one piece, no holes.
	near := touching(t.z, label, len(seats))
	in := make([]bool, len(seats))
	for i, s := range seats {
		in[i] = countyBlob(blob, s) < 1
	}
	edge := map[int32]bool{}
	for i, l := range label {
		x, y := i%t.z.nx, i/t.z.nx
		if x < 4 || y < 4 || x >= t.z.nx-4 || y >= t.z.ny-4 {
			edge[l] = true
		}
	}
	for l := range edge {
		in[l] = false
	}
	keep := connected(near, 0, func(i int32) bool { return in[i] })
	outside := make([]bool, len(seats))
	for i := range seats {
		if edge[int32(i)] && !outside[i] {
			for j := range connected(near, int32(i), func(k int32) bool { return !keep[k] }) {
				outside[j] = true
			}
		}
	}
	var rename = make([]int32, len(seats))
	var kept []pt
	for i := range seats {
		rename[i] = -1
		if !outside[i] {
			rename[i] = int32(len(kept))
			kept = append(kept, seats[i])
			a.villages = append(a.villages, &unit{rank: 5, seat: seats[i], wild: t.wild.at(seats[i])})
		}
	}
	for i, l := range label {
		label[i] = rename[l]
	}
	a.village = label
	a.groupTowns(r, t, w)
	seeds = seeds[:0]
	for _, s := range kept {
		seeds = append(seeds, t.z.index(s))
	}
	tidy(t.z, label, seeds, []func(int32) int32{
		func(l int32) int32 { return l },
		func(l int32) int32 {
			if l < 0 {
				return -1
			}
			return int32(a.villages[l].town)
		},
		func(l int32) int32 { return min(l, 0) },
	})
	return a
}

// connected is the set reachable from start over the allowed labels.
func connected(near []map[int32]int, start int32, ok func(int32) bool) map[int32]bool {
	out := map[int32]bool{start: true}
	queue := []int32{start}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, j := range sortedKeys(near[i]) {
			if j >= 0 && !out[j] && ok(j) {
				out[j] = true
				queue = append(queue, j)
			}
		}
	}
	return out
}

// dryPlace looks around p for level ground off the water.
func dryPlace(t *terrain, w *water, p pt, reach float64) pt {
	best, at := math.Inf(1), p
	for k := range 200 {
		q := p.add(heading(float64(k) * 2.399963).mul(reach * math.Sqrt(float64(k)/200)))
		if q.x < 500 || q.y < 500 || q.x > domainW-500 || q.y > domainH-500 || w.pool.near(q) > 0 {
			continue
		}
		wd := width(w.size.near(q) * 1e6)
		wet := math.Max(0, wd/2+160-w.dist.near(q)) * 8
		if s := wet + 6000*t.slope.at(q) + q.dist(p)*0.5; s < best {
			best, at = s, q
		}
	}
	return at
}

// groupTowns picks the township seats and gives each village to one of them.
func (a *admin) groupTowns(r rng, t *terrain, w *water) {
	type cand struct {
		i     int
		score float64
	}
	var cands []cand
	for i, v := range a.villages {
		d := math.Min(w.dist.near(v.seat), 1500)
		cands = append(cands, cand{i, 0.5*math.Log10(1+w.size.near(v.seat)) - d/1500 - 5*t.slope.near(v.seat) + r.between(0, 0.6)})
	}
	sort.SliceStable(cands, func(i, j int) bool { return cands[i].score > cands[j].score })
	var seats []int
	for gap := 12500.0; len(seats) < 16 && gap > 3000; gap -= 500 {
		seats = []int{0}
		for _, c := range cands {
			ok := len(seats) < 16
			for _, s := range seats {
				g := gap
				if a.villages[c.i].wild < 0.15 {
					g *= 0.85
				}
				if a.villages[s].seat.dist(a.villages[c.i].seat) < g {
					ok = false
				}
			}
			if ok {
				seats = append(seats, c.i)
			}
		}
	}
	near := touching(t.z, a.village, len(a.villages))
	dist := make([]float64, len(a.villages))
	owner := make([]int, len(a.villages))
	done := make([]bool, len(a.villages))
	for i := range dist {
		dist[i], owner[i] = math.Inf(1), -1
	}
	for k, s := range seats {
		dist[s], owner[s] = 0, k
	}
	for {
		b := -1
		for i := range dist {
			if !done[i] && (b < 0 || dist[i] < dist[b]) && !math.IsInf(dist[i], 1) {
				b = i
			}
		}
		if b < 0 {
			break
		}
		done[b] = true
		for _, j := range sortedKeys(near[b]) {
			if j < 0 {
				continue
			}
			v, u := a.villages[b], a.villages[j]
			c := v.seat.dist(u.seat) * (1 + 0.8*math.Max(v.wild, u.wild))
			if d := dist[b] + c; d < dist[j] {
				dist[j], owner[j] = d, owner[b]
			}
		}
	}
	a.county = &unit{code: countyCode, rank: 3, seat: a.seat}
	for _, s := range seats {
		a.towns = append(a.towns, &unit{rank: 4, parent: a.county, seat: a.villages[s].seat, wild: a.villages[s].wild})
	}
	// Order as in a real list: the county town first, then the rest as placed.
	for i, v := range a.villages {
		v.town = owner[i]
		tn := a.towns[owner[i]]
		v.parent = tn
		if v.seat == tn.seat {
			tn.children = append([]*unit{v}, tn.children...)
		} else {
			tn.children = append(tn.children, v)
		}
	}
	a.county.children = a.towns
}

// makeGrids divides every village around the given places (its settlements) and
// draws all borders.
func (a *admin) makeGrids(seed int64, t *terrain, w *water, places [][]pt) {
	r := newRNG(seed, "grids")
	grain, wx, wy := r.noise(), r.noise(), r.noise()
	var seeds []int
	for i, list := range places {
		used := map[int]bool{}
		for _, p := range list {
			c := t.z.index(p)
			if a.village[c] != int32(i) || used[c] {
				continue
			}
			used[c] = true
			seeds = append(seeds, c)
			g := &unit{rank: 6, parent: a.villages[i], seat: p}
			a.grids = append(a.grids, g)
			a.villages[i].children = append(a.villages[i].children, g)
		}
	}
	cost := func(i int) int {
		p := t.z.centre(i)
		c := 13 + 50*float64(t.slope.v[i]) + 16*grain.fbm(p.x, p.y, 600, 3)
		if w.dist.v[i] < 55 && w.size.v[i] > 25 {
			c += 40
		}
		return int(math.Max(2, c))
	}
	label := spread(t.z, seeds, cost, func(i, j int) bool { return a.village[i] == a.village[j] })
	vi := map[*unit]int32{}
	for i, v := range a.villages {
		vi[v] = int32(i)
	}
	of := make([]int32, len(a.grids))
	for i, g := range a.grids {
		of[i] = vi[g.parent]
	}
	village := func(l int32) int32 {
		if l < 0 {
			return -1
		}
		return of[l]
	}
	town := func(l int32) int32 {
		if l < 0 {
			return -1
		}
		return int32(a.grids[l].parent.town)
	}
	tidy(t.z, label, seeds, []func(int32) int32{
		func(l int32) int32 { return min(l, 0) }, town, village, func(l int32) int32 { return l },
	})
	a.grid = label
	for i, l := range label {
		a.village[i] = village(l)
	}
	a.topo = borders(t.z, label, func(p pt) pt {
		return p.add(pt{15 * wx.fbm(p.x, p.y, 330, 2), 15 * wy.fbm(p.x, p.y, 330, 2)})
	})
	set := func(units []*unit, member func(int32) int32) {
		for i, s := range a.topo.shapes(len(units), func(l int32) int { return int(member(l)) }) {
			units[i].shape = s
			for _, p := range s {
				units[i].km2 += p.area() / 1e6
			}
		}
	}
	set(a.grids, func(l int32) int32 { return l })
	set(a.villages, village)
	set(a.towns, town)
	set([]*unit{a.county}, func(l int32) int32 { return min(l, 0) })
}

func (u *unit) contains(p pt) bool {
	for _, s := range u.shape {
		if s.contains(p) {
			return true
		}
	}
	return false
}

// locate finds the grid whose drawn area contains p, nil outside the county.
func (a *admin) locate(t *terrain, p pt) *unit {
	c := t.z.index(p)
	var tried [12]int32
	n := 0
	for k := -1; k < 8; k++ {
		j := c
		if k >= 0 {
			j = t.z.neighbour(c, k)
		}
		if j < 0 || a.grid[j] < 0 {
			continue
		}
		l := a.grid[j]
		dup := false
		for _, o := range tried[:n] {
			dup = dup || o == l
		}
		if dup {
			continue
		}
		tried[n] = l
		n++
		if a.grids[l].contains(p) {
			return a.grids[l]
		}
	}
	return nil
}
