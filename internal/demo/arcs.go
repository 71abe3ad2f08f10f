package demo

import (
	"math"
	"slices"
)

// arc is a border between two grids, from node to node, with the cells' labels
// on either side (-1 is outside the county). Every border exists once, so the
// units built from arcs share their vertices exactly, at every rank.
type arc struct {
	left, right int32
	from, to    int
	corner      []pt // the raw path along cell sides
	line        []pt // as drawn
	rough       int  // how much smoothing had to be given up
}

type topology struct {
	arcs []*arc
}

// The sides of a cell corner: step and the cells left and right of it.
var sides = [4]struct{ dx, dy, lx, ly, rx, ry int }{
	{1, 0, 0, 0, 0, -1}, {0, 1, -1, 0, 0, 0}, {-1, 0, -1, -1, -1, 0}, {0, -1, 0, -1, -1, -1},
}

// borders turns labelled cells into arcs.
func borders(g *grid, label []int32, wiggle func(pt) pt) *topology {
	nx, ny := g.nx, g.ny
	at := func(x, y int) int32 {
		if x < 0 || y < 0 || x >= nx || y >= ny {
			return -1
		}
		return label[y*nx+x]
	}
	w := nx + 1
	edge := func(c, d int) bool {
		x, y, s := c%w, c/w, sides[d]
		return at(x+s.lx, y+s.ly) != at(x+s.rx, y+s.ry)
	}
	degree := make([]uint8, w*(ny+1))
	for c := range degree {
		for d := range 4 {
			if edge(c, d) {
				degree[c]++
			}
		}
	}
	visited := make([]uint8, len(degree))
	t := &topology{}
	place := func(c int) pt { return pt{float64(c%w) * g.cell, float64(c/w) * g.cell} }
	trace := func(c, d int) {
		x, y, s := c%w, c/w, sides[d]
		a := &arc{left: at(x+s.lx, y+s.ly), right: at(x+s.rx, y+s.ry), from: c, corner: []pt{place(c)}}
		for {
			visited[c] |= 1 << d
			c += sides[d].dx + sides[d].dy*w
			back := (d + 2) % 4
			visited[c] |= 1 << back
			a.corner = append(a.corner, place(c))
			if degree[c] != 2 || c == a.from {
				break
			}
			for k := range 4 {
				if k != back && edge(c, k) {
					d = k
					break
				}
			}
		}
		a.to = c
		t.arcs = append(t.arcs, a)
	}
	for pass := range 2 {
		for c := range degree {
			if degree[c] == 0 || pass == 0 && degree[c] == 2 {
				continue
			}
			for d := range 4 {
				if edge(c, d) && visited[c]>>d&1 == 0 {
					trace(c, d)
				}
			}
		}
	}
	for _, a := range t.arcs {
		a.draw(wiggle)
	}
	t.untangle(wiggle)
	return t
}

// draw makes the line from the raw path, as smooth as its roughness allows.
func (a *arc) draw(wiggle func(pt) pt) {
	l := a.corner
	if a.rough < 2 && len(l) > 2 {
		m := []pt{l[0]}
		for i := 1; i < len(l); i++ {
			m = append(m, l[i-1].lerp(l[i], 0.5))
		}
		l = append(m, l[len(l)-1])
		if a.rough == 0 {
			l = relax(l, 5)
		}
		l = simplify(l, 10)
		if a.from == a.to && len(l) < 5 {
			l = a.corner
		}
	}
	out := []pt{wiggle(l[0])}
	for i := 1; i < len(l); i++ {
		n := int(l[i].dist(l[i-1]) / 95)
		for k := 1; k <= n; k++ {
			out = append(out, wiggle(l[i-1].lerp(l[i], float64(k)/float64(n+1))))
		}
		out = append(out, wiggle(l[i]))
	}
	a.line = out
}

// untangle finds lines that came to cross and draws them closer to the cells,
// until none cross. The raw paths cannot cross.
func (t *topology) untangle(wiggle func(pt) pt) {
	type piece struct{ arc, i int }
	for range 12 {
		const cell = 250.0
		bins := map[[2]int][]piece{}
		var keys [][2]int
		for k, a := range t.arcs {
			for i := 1; i < len(a.line); i++ {
				p, q := a.line[i-1], a.line[i]
				for bx := int(math.Min(p.x, q.x) / cell); bx <= int(math.Max(p.x, q.x)/cell); bx++ {
					for by := int(math.Min(p.y, q.y) / cell); by <= int(math.Max(p.y, q.y)/cell); by++ {
						b := [2]int{bx, by}
						if bins[b] == nil {
							keys = append(keys, b)
						}
						bins[b] = append(bins[b], piece{k, i})
					}
				}
			}
		}
		bad := map[int]bool{}
		for _, b := range keys {
			l := bins[b]
			for i := range l {
				a := t.arcs[l[i].arc]
				p, q := a.line[l[i].i-1], a.line[l[i].i]
				for j := i + 1; j < len(l); j++ {
					c := t.arcs[l[j].arc]
					if crosses(p, q, c.line[l[j].i-1], c.line[l[j].i]) {
						bad[l[i].arc], bad[l[j].arc] = true, true
					}
				}
			}
		}
		if len(bad) == 0 {
			return
		}
		for k := range bad {
			t.arcs[k].rough++
			t.arcs[k].draw(wiggle)
		}
	}
}

// shapes builds the polygons of units: member gives the unit of a label, -1 for
// none. All units must be connected and free of pinches.
func (t *topology) shapes(n int, member func(int32) int) [][]polygon {
	type end struct {
		a       *arc
		forward bool
	}
	by := make([][]end, n)
	for _, a := range t.arcs {
		l, r := member(a.left), member(a.right)
		if l == r {
			continue
		}
		if l >= 0 {
			by[l] = append(by[l], end{a, true})
		}
		if r >= 0 {
			by[r] = append(by[r], end{a, false})
		}
	}
	out := make([][]polygon, n)
	for u, ends := range by {
		from := map[int][]int{}
		for i, e := range ends {
			k := e.a.from
			if !e.forward {
				k = e.a.to
			}
			from[k] = append(from[k], i)
		}
		used := make([]bool, len(ends))
		var shells, holes [][]pt
		for i := range ends {
			if used[i] {
				continue
			}
			var ring []pt
			for k := i; !used[k]; {
				used[k] = true
				e := ends[k]
				l := e.a.line
				goal := e.a.to
				if !e.forward {
					goal = e.a.from
					for j := len(l) - 1; j > 0; j-- {
						ring = append(ring, l[j])
					}
				} else {
					ring = append(ring, l[:len(l)-1]...)
				}
				next := -1
				for _, c := range from[goal] {
					if !used[c] {
						next = c
						break
					}
				}
				if next < 0 {
					break
				}
				k = next
			}
			for _, r := range splitRing(ring) {
				if ringArea(r) > 0 {
					shells = append(shells, r)
				} else {
					holes = append(holes, r)
				}
			}
		}
		out[u] = assemble(shells, holes)
	}
	return out
}

// splitRing cuts a ring that comes back to one of its vertices into simple ones.
func splitRing(ring []pt) [][]pt {
	var out [][]pt
	var path []pt
	at := map[pt]int{}
	for _, p := range ring {
		if k, ok := at[p]; ok {
			loop := append([]pt(nil), path[k:]...)
			for _, q := range path[k:] {
				delete(at, q)
			}
			path = path[:k]
			if len(loop) > 2 {
				out = append(out, loop)
			}
		}
		at[p] = len(path)
		path = append(path, p)
	}
	return append(out, path)
}

// spread grows regions from seeds over the cells at the given cost per cell,
// straight or diagonal, and returns the label of each cell. Integer costs in
// buckets make it fast and independent of rounding.
func spread(g *grid, seeds []int, cost func(i int) int, same func(i, j int) bool) []int32 {
	const ring = 4096
	label := make([]int32, len(g.v))
	best := make([]int32, len(g.v))
	for i := range label {
		label[i], best[i] = -1, math.MaxInt32
	}
	price := make([]int16, len(g.v))
	buckets := make([][]int32, ring)
	left := 0
	for k, s := range seeds {
		if best[s] == 0 {
			continue
		}
		label[s], best[s] = int32(k), 0
		buckets[0] = append(buckets[0], int32(s))
		left++
	}
	for d := int32(0); left > 0; d++ {
		b := d % ring
		for k := 0; k < len(buckets[b]); k++ {
			i := int(buckets[b][k])
			left--
			if best[i] != d {
				continue
			}
			for n := range 8 {
				j := g.neighbour(i, n)
				if j < 0 || !same(i, j) {
					continue
				}
				if price[j] == 0 {
					price[j] = int16(min(max(cost(j), 1), 280))
				}
				c := int32(price[j]) * 10
				if n >= 4 {
					c = int32(price[j]) * 14
				}
				if v := d + c; v < best[j] {
					best[j], label[j] = v, label[i]
					buckets[v%ring] = append(buckets[v%ring], int32(j))
					left++
				}
			}
		}
		buckets[b] = buckets[b][:0]
	}
	return label
}

// tidy makes every region one piece across cell sides and removes pinches (two
// cells of one unit that meet only at a corner), for every rank of units. seeds
// name one cell of each label; outside cells (-1) hang on the domain's frame.
func tidy(g *grid, label []int32, seeds []int, ranks []func(int32) int32) {
	for range 60 {
		reached := make([]bool, len(label))
		var queue []int32
		push := func(i int) {
			if !reached[i] {
				reached[i] = true
				queue = append(queue, int32(i))
			}
		}
		for _, s := range seeds {
			push(s)
		}
		for x := range g.nx {
			if label[x] < 0 {
				push(x)
			}
			if i := (g.ny-1)*g.nx + x; label[i] < 0 {
				push(i)
			}
		}
		for k := 0; k < len(queue); k++ {
			i := int(queue[k])
			for n := range 4 {
				if j := g.neighbour(i, n); j >= 0 && label[j] == label[i] {
					push(j)
				}
			}
		}
		for k := 0; k < len(queue); k++ {
			i := int(queue[k])
			for n := range 4 {
				if j := g.neighbour(i, n); j >= 0 && !reached[j] {
					label[j] = label[i]
					push(j)
				}
			}
		}
		pinched := false
		for y := range g.ny - 1 {
			for x := range g.nx - 1 {
				i := y*g.nx + x
				a, b, c, d := label[i], label[i+1], label[i+g.nx], label[i+g.nx+1]
				if a == b && c == d || a == c && b == d {
					continue
				}
				for _, f := range ranks {
					fa, fb, fc, fd := f(a), f(b), f(c), f(d)
					if fa == fd && fb != fa && fc != fa {
						label[i+1] = a
						if (x+y)%2 == 0 {
							label[i+1], label[i+g.nx] = b, a
						}
						pinched = true
						break
					}
					if fb == fc && fa != fb && fd != fb {
						label[i] = b
						if (x+y)%2 == 0 {
							label[i], label[i+g.nx+1] = a, b
						}
						pinched = true
						break
					}
				}
			}
		}
		if !pinched {
			return
		}
		// A seed may have been given away by a repair: keep it.
		for k, s := range seeds {
			if s >= 0 {
				label[s] = int32(k)
			}
		}
	}
}

// touching lists, per label, the labels beside it with the length of the common
// border in cells.
func touching(g *grid, label []int32, n int) []map[int32]int {
	out := make([]map[int32]int, n)
	for i := range out {
		out[i] = map[int32]int{}
	}
	for i, a := range label {
		for k := range 2 {
			j := g.neighbour(i, k)
			if j < 0 || label[j] == a {
				continue
			}
			b := label[j]
			if a >= 0 {
				out[a][b]++
			}
			if b >= 0 {
				out[b][a]++
			}
		}
	}
	return out
}

func sortedKeys(m map[int32]int) []int32 {
	out := make([]int32, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
