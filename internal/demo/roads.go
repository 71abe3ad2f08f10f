package demo

import (
	"math"
	"sort"
)

// Road classes, best first; the order decides which class a shared stretch has.
const (
	classNone = iota
	classExpressway
	classNational
	classProvincial
	classCounty
	classTownship
	classVillage
	classTrunk
	classSecondary
	classStreet
	classLane
)

var roadClass = [...]struct {
	slug    string
	width   float64
	lanes   int
	speed   int
	surface string
}{
	{}, {"expressway", 25, 4, 110, "沥青"}, {"national", 14, 2, 70, "沥青"}, {"provincial", 11, 2, 60, "沥青"},
	{"county", 8.5, 2, 50, "沥青"}, {"township", 6.5, 2, 40, "水泥"}, {"village", 4.5, 1, 30, "水泥"},
	{"trunk", 28, 4, 50, "沥青"}, {"secondary", 18, 2, 40, "沥青"}, {"street", 9, 2, 30, "沥青"}, {"lane", 3.5, 1, 20, "水泥"},
}

type road struct {
	class     int
	name, ref string
	line      []pt
}

// roadNet searches roads over cells; stretches used by several roads are one.
type roadNet struct {
	t      *terrain
	w      *water
	g      *grid
	base   []float32
	edges  [][4]uint8 // class of the stretch to E, N, NE, NW
	on     []bool
	beside []bool
	cost   []float32
	from   []int8
	turn   []int32
	now    int32
	stop   map[int]bool // cells where a road has to have a vertex
	roads  []*road
}

const roadCell = 100.0

func newRoadNet(t *terrain, w *water, a *admin, seed int64) *roadNet {
	n := &roadNet{t: t, w: w, g: newGrid(roadCell), stop: map[int]bool{}}
	c := len(n.g.v)
	n.base, n.edges, n.on, n.beside = make([]float32, c), make([][4]uint8, c), make([]bool, c), make([]bool, c)
	n.cost, n.from, n.turn = make([]float32, c), make([]int8, c), make([]int32, c)
	r := newRNG(seed, "road grain")
	grain := r.noise()
	for i := range n.base {
		p := n.g.centre(i)
		s := t.slope.at(p)
		v := 1.1 + math.Pow(s/0.07, 2)*0.9 + 0.85*grain.fbm(p.x, p.y, 1500, 3) + r.between(-0.3, 0.3)
		d, km2 := w.dist.near(p), w.size.near(p)
		if wd := width(km2 * 1e6); km2 > 6 && d < wd/2+45 {
			v += 3 + 2.2*math.Sqrt(km2/20)
		} else if d < 500 {
			v *= 0.85 // roads keep to the valleys
		}
		if w.pool.near(p) > 0 || a.village[t.z.index(p)] < 0 {
			v = 1e6
		}
		n.base[i] = float32(math.Max(0.4, v))
	}
	return n
}

// slot is where the stretch from i in direction k is kept.
func (n *roadNet) slot(i, k int) (int, int) {
	switch k {
	case 0:
		return i, 0
	case 1:
		return i, 1
	case 2:
		return i - 1, 0
	case 3:
		return i - n.g.nx, 1
	case 4: // NE
		return i, 2
	case 5: // NW
		return i, 3
	case 6: // SW
		return i - n.g.nx - 1, 2
	}
	return i - n.g.nx + 1, 3 // SE
}

func (n *roadNet) has(i, k int) uint8 {
	c, s := n.slot(i, k)
	return n.edges[c][s]
}

// blocked says whether another road's diagonal lies across this one.
func (n *roadNet) blocked(i, k int) bool {
	if k < 4 {
		return false
	}
	c, s := n.slot(i, k)
	if s == 2 { // NE of c crosses the NW of its eastern neighbour
		return c+1 < len(n.edges) && n.edges[c+1][3] != 0
	}
	return n.edges[c-1][2] != 0
}

// find searches the cheapest way from a cell to the first cell that satisfies
// goal. toward, if set, steers the search.
func (n *roadNet) find(start int, toward *pt, reuse float64, limit float64, goal func(i int) bool) []int {
	n.now++
	var q heap
	est := func(i int) float64 {
		if toward == nil {
			return 0
		}
		return n.g.centre(i).dist(*toward) / roadCell * 0.33
	}
	n.cost[start], n.from[start], n.turn[start] = 0, -1, n.now
	q.push(float32(est(start)), int32(start))
	for !q.empty() {
		key, c := q.pop()
		i := int(c)
		if float64(key) > float64(n.cost[i])+est(i)+0.01 {
			continue
		}
		if goal(i) {
			path := []int{i}
			for n.from[i] >= 0 {
				i = n.g.neighbour(i, int(n.from[i]+2)%4+int(n.from[i])/4*4)
				path = append(path, i)
			}
			return path
		}
		if float64(n.cost[i]) > limit {
			return nil
		}
		for k := range 8 {
			j := n.g.neighbour(i, k)
			if j < 0 || n.base[j] > 1e5 && n.base[i] < 1e5 || n.blocked(i, k) {
				continue
			}
			step := (float64(n.base[i]) + float64(n.base[j])) / 2 * stepLen(k)
			switch e := n.has(i, k); {
			case e == classExpressway:
				step *= 8
			case e != 0:
				step *= reuse
			case n.beside[j] && !n.on[j]:
				step *= 1.6
			}
			v := n.cost[i] + float32(step)
			if n.turn[j] == n.now && n.cost[j] <= v {
				continue
			}
			n.turn[j], n.cost[j], n.from[j] = n.now, v, int8(k)
			q.push(v+float32(est(j)), int32(j))
		}
	}
	return nil
}

// lay makes the path a road; a better road keeps its class.
func (n *roadNet) lay(path []int, class uint8) {
	for p := 1; p < len(path); p++ {
		a, b := path[p-1], path[p]
		for k := range 8 {
			if n.g.neighbour(a, k) != b {
				continue
			}
			c, s := n.slot(a, k)
			if n.edges[c][s] == 0 || class < n.edges[c][s] {
				n.edges[c][s] = class
			}
		}
	}
	for _, c := range path {
		n.on[c] = true
		for k := range 8 {
			if j := n.g.neighbour(c, k); j >= 0 {
				n.beside[j] = true
			}
		}
	}
}

// join connects two places.
func (n *roadNet) join(a, b pt, class uint8, reuse float64) {
	target := n.g.index(b)
	if p := n.find(n.g.index(a), &b, reuse, 1e5, func(i int) bool { return i == target }); p != nil {
		n.lay(p, class)
	}
}

// attach connects a place to the network at the nearest point.
func (n *roadNet) attach(a pt, class uint8, limit float64) bool {
	s := n.g.index(a)
	n.stop[s] = true
	if n.on[s] {
		return true
	}
	p := n.find(s, nil, 1, limit, func(i int) bool { return n.on[i] })
	if p == nil {
		return false
	}
	n.lay(p, class)
	return true
}

// exit is the cell on the county's border closest to a direction from the middle.
func (n *roadNet) exit(a *admin, angle float64) pt {
	dir := heading(angle)
	mid := pt{35800, 29400}
	best, at := math.Inf(-1), mid
	for i := range n.base {
		if n.base[i] > 40 {
			continue
		}
		p := n.g.centre(i)
		edge := false
		for k := range 4 {
			if j := n.g.neighbour(i, k); j >= 0 && a.village[n.t.z.index(n.g.centre(j))] < 0 {
				edge = true
			}
		}
		if !edge {
			continue
		}
		d := p.sub(mid)
		s := d.unit().dot(dir)*20 - float64(n.base[i]) - 8*n.t.wild.at(p)
		if s > best {
			best, at = s, p
		}
	}
	return at
}

// levelNear is the easiest cell to build on around p.
func (n *roadNet) levelNear(p pt, reach float64) pt {
	best, at := float32(math.Inf(1)), p
	n.g.stamp(p, p, reach, func(i int, d, _ float64) {
		if c := n.base[i] + float32(d/reach); c < best {
			best, at = c, n.g.centre(i)
		}
	})
	return at
}

// plan lays out all roads outside the built-up areas.
func (n *roadNet) plan(a *admin, sites []*settlement) {
	// The trunk routes first, so that all later ones use them.
	w, e := n.exit(a, math.Pi*1.02), n.exit(a, -0.1)
	north, s := n.exit(a, math.Pi*0.42), n.exit(a, -math.Pi*0.55)
	ne, se := n.exit(a, math.Pi*0.2), n.exit(a, -math.Pi*0.3)
	// The expressway passes the town at a distance.
	by := a.seat.add(a.seat.sub(pt{35800, 29400}).unit().left().mul(3900))
	old := append([]float32(nil), n.base...)
	for i := range n.base {
		if d := n.g.centre(i).dist(a.seat); d < 3300 {
			n.base[i] += float32((3300 - d) / 60)
		}
	}
	by = n.levelNear(by, 900)
	n.join(ne, by, classExpressway, 1)
	n.join(by, s, classExpressway, 1)
	copy(n.base, old)
	n.join(a.seat, e, classNational, 0.5)
	n.join(a.seat, w, classNational, 0.5)
	n.join(a.seat, north, classProvincial, 0.5)
	n.join(a.seat, se, classProvincial, 0.5)
	// Towns: each with its two or three nearest.
	type pair struct {
		i, j int
		d    float64
	}
	var pairs []pair
	for i, u := range a.towns {
		n.stop[n.g.index(u.seat)] = true
		for j, v := range a.towns[:i] {
			pairs = append(pairs, pair{j, i, u.seat.dist(v.seat) * (1 + 0.4*math.Max(u.wild, v.wild))})
		}
	}
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].d < pairs[j].d })
	group := make([]int, len(a.towns))
	links := make([]int, len(a.towns))
	for i := range group {
		group[i] = i
	}
	find := func(i int) int {
		for group[i] != i {
			i = group[i]
		}
		return i
	}
	for _, p := range pairs {
		joined := find(p.i) == find(p.j)
		if joined && (links[p.i] >= 2 || links[p.j] >= 2 || p.d > 19000) {
			continue
		}
		group[find(p.i)] = find(p.j)
		links[p.i]++
		links[p.j]++
		class := uint8(classCounty)
		if p.i == 0 || p.j == 0 {
			class = classProvincial
		}
		n.join(a.towns[p.i].seat, a.towns[p.j].seat, class, 0.45)
	}
	n.join(a.towns[0].seat, by, classCounty, 0.5)
	// Villages, nearest to an existing road first, then hamlets.
	for _, class := range []uint8{classTownship, classVillage} {
		var list []*settlement
		for _, s := range sites {
			if (s.rank <= 2) == (class == classTownship) {
				list = append(list, s)
			}
		}
		sort.SliceStable(list, func(i, j int) bool { return list[i].p.dist(a.seat) < list[j].p.dist(a.seat) })
		for _, s := range list {
			n.attach(s.p, class, 1e5)
		}
	}
	// A village next door should not be half an hour away.
	near := touching(n.t.z, a.village, len(a.villages))
	for i, v := range a.villages {
		for _, j := range sortedKeys(near[i]) {
			if j <= int32(i) {
				continue
			}
			u := a.villages[j]
			d := v.seat.dist(u.seat)
			if d > 3800 || (i*31+int(j)*17)%5 > 1 {
				continue
			}
			goal := n.g.index(u.seat)
			if p := n.find(n.g.index(v.seat), &u.seat, 0.8, d/roadCell*3.4, func(c int) bool { return c == goal }); p != nil {
				n.lay(p, classVillage)
			}
		}
	}
}

// draw turns the cells into lines that meet at common vertices.
func (n *roadNet) draw(seed int64) {
	r := newRNG(seed, "road bends")
	wx, wy := r.noise(), r.noise()
	place := func(i int) pt {
		p := n.g.centre(i)
		return p.add(pt{58 * wx.fbm(p.x, p.y, 800, 2), 58 * wy.fbm(p.x, p.y, 800, 2)})
	}
	node := make([]bool, len(n.edges))
	for i := range n.edges {
		if !n.on[i] {
			continue
		}
		deg, first, mixed := 0, uint8(0), false
		for k := range 8 {
			if n.g.neighbour(i, k) < 0 {
				continue
			}
			if e := n.has(i, k); e != 0 {
				deg++
				if first == 0 {
					first = e
				}
				mixed = mixed || e != first
			}
		}
		node[i] = deg != 2 || mixed || n.stop[i]
	}
	done := map[[2]int]bool{}
	walk := func(i, k int) {
		class := n.has(i, k)
		cells := []int{i}
		for {
			c, s := n.slot(i, k)
			done[[2]int{c, s}] = true
			j := n.g.neighbour(i, k)
			cells = append(cells, j)
			if node[j] || j == cells[0] {
				break
			}
			next := -1
			for m := range 8 {
				if n.g.neighbour(j, m) < 0 || n.g.neighbour(j, m) == i {
					continue
				}
				if n.has(j, m) != 0 {
					next = m
				}
			}
			if next < 0 {
				break
			}
			i, k = j, next
		}
		l := make([]pt, len(cells))
		for q, c := range cells {
			l[q] = place(c)
		}
		passes := 7
		if class <= classProvincial {
			passes = 9
		}
		l = simplify(relax(l, passes), 14)
		l = simplify(curve(l, 3), 0.8)
		n.roads = append(n.roads, &road{class: int(class), line: l})
	}
	for i := range n.edges {
		if !node[i] {
			continue
		}
		for k := range 8 {
			if n.g.neighbour(i, k) < 0 || n.has(i, k) == 0 {
				continue
			}
			c, s := n.slot(i, k)
			if !done[[2]int{c, s}] {
				walk(i, k)
			}
		}
	}
}
