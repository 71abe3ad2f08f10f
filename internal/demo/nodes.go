package demo

import (
	"math"
	"slices"
	"sort"
)

// node makes all roads meet at common vertices: wherever two cross, or one ends
// on another, both get the same vertex. Positions are kept to the centimetre,
// which is what seven decimals of a degree hold.
func node(roads []*road) []*road {
	cm := func(p pt) pt { return pt{math.Round(p.x*100) / 100, math.Round(p.y*100) / 100} }
	for _, r := range roads {
		l := r.line[:0:0]
		for _, p := range r.line {
			p = cm(p)
			if len(l) == 0 || l[len(l)-1].dist(p) > 0.3 {
				l = append(l, p)
			}
		}
		r.line = l
	}
	type ref struct{ line, i int }
	const cell = 120.0
	const snap = 1.6
	bins := map[[2]int][]ref{}
	var keys [][2]int
	for k, r := range roads {
		for i := 1; i < len(r.line); i++ {
			a, b := r.line[i-1], r.line[i]
			for x := int(math.Floor((math.Min(a.x, b.x) - snap) / cell)); x <= int(math.Floor((math.Max(a.x, b.x)+snap)/cell)); x++ {
				for y := int(math.Floor((math.Min(a.y, b.y) - snap) / cell)); y <= int(math.Floor((math.Max(a.y, b.y)+snap)/cell)); y++ {
					c := [2]int{x, y}
					if bins[c] == nil {
						keys = append(keys, c)
					}
					bins[c] = append(bins[c], ref{k, i})
				}
			}
		}
	}
	moved := map[pt]pt{} // line ends that were drawn onto another vertex
	add := map[ref][]pt{}
	insert := func(r ref, p pt) {
		l := roads[r.line].line
		if l[r.i-1] == p || l[r.i] == p {
			return
		}
		if slices.Contains(add[r], p) {
			return
		}
		add[r] = append(add[r], p)
	}
	for _, c := range keys {
		list := bins[c]
		for i, s := range list {
			for _, o := range list[i+1:] {
				if s.line == o.line {
					continue
				}
				for _, pair := range [2][2]ref{{s, o}, {o, s}} {
					// Ends of the first on the second.
					l, m := roads[pair[0].line].line, roads[pair[1].line].line
					a, b := m[pair[1].i-1], m[pair[1].i]
					for e := range 2 {
						at := pair[0].i - 1
						if e == 1 {
							at = pair[0].i
						}
						if at != 0 && at != len(l)-1 {
							continue
						}
						p := l[at]
						if _, done := moved[p]; done {
							continue
						}
						switch d, _ := segDist(p, a, b); {
						case p == a || p == b:
						case p.dist(a) < snap:
							moved[p] = a
						case p.dist(b) < snap:
							moved[p] = b
						case d < snap:
							insert(pair[1], p)
						}
					}
				}
				a, b := roads[s.line].line[s.i-1], roads[s.line].line[s.i]
				d, e := roads[o.line].line[o.i-1], roads[o.line].line[o.i]
				if a == d || a == e || b == d || b == e || !crosses(a, b, d, e) {
					continue
				}
				den := b.sub(a).cross(e.sub(d))
				if den == 0 {
					continue
				}
				p := cm(a.lerp(b, clamp(d.sub(a).cross(e.sub(d))/den, 0, 1)))
				for _, q := range [4]pt{a, b, d, e} {
					if q.dist(p) < snap {
						p = q
						break
					}
				}
				insert(s, p)
				insert(o, p)
			}
		}
	}
	target := func(p pt) pt {
		for range 4 {
			q, ok := moved[p]
			if !ok || q == p {
				break
			}
			p = q
		}
		return p
	}
	var out []*road
	for k, r := range roads {
		l := []pt{target(r.line[0])}
		for i := 1; i < len(r.line); i++ {
			extra := add[ref{k, i}]
			a := r.line[i-1]
			sort.Slice(extra, func(x, y int) bool { return extra[x].dist(a) < extra[y].dist(a) })
			for _, p := range append(extra, r.line[i]) {
				if p = target(p); p != l[len(l)-1] {
					l = append(l, p)
				}
			}
		}
		if len(l) > 1 {
			r.line = l
			out = append(out, r)
		}
	}
	return mainComponent(out)
}

// mainComponent keeps the lines that can be reached from the longest road.
func mainComponent(roads []*road) []*road {
	group := map[pt]int{}
	parent := []int{}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, r := range roads {
		first := -1
		for _, p := range r.line {
			i, ok := group[p]
			if !ok {
				i = len(parent)
				parent = append(parent, i)
				group[p] = i
			}
			if first < 0 {
				first = i
			}
			parent[find(i)] = find(first)
		}
	}
	length := map[int]float64{}
	best, top := -1.0, 0
	for _, r := range roads {
		g := find(group[r.line[0]])
		length[g] += polyLength(r.line)
		if length[g] > best {
			best, top = length[g], g
		}
	}
	var out []*road
	for _, r := range roads {
		if find(group[r.line[0]]) == top {
			out = append(out, r)
		}
	}
	return out
}
