package demo

import (
	"math"
	"slices"
)

// lifelineLayer lays the power line, the gas pipeline and the water mains.
func (g *world) lifelineLayer() {
	r := newRNG(g.seed, "lifelines")
	sub := map[*unit]pt{}
	var station, plantPt pt
	for _, x := range g.b.grounds {
		switch {
		case x.kind == "substation" && x.site.rank == 0:
			station = x.box.c
		case x.kind == "substation":
			sub[x.grid.parent.parent] = x.box.c
		case x.kind == "waterplant" && x.site.rank == 0:
			plantPt = x.box.c
		}
	}
	if station == (pt{}) {
		station = g.a.seat.add(pt{1500, 700})
	}
	if plantPt == (pt{}) {
		plantPt = g.a.seat.add(pt{-1400, 300})
	}
	// Spans between towers run straight and turn at corners.
	span := func(a, b pt, sway float64) []pt {
		n := max(2, int(a.dist(b)/2600))
		corner := []pt{a}
		side := b.sub(a).unit().left()
		for i := 1; i < n; i++ {
			corner = append(corner, a.lerp(b, float64(i)/float64(n)).add(side.mul(r.NormFloat64()*sway)))
		}
		corner = append(corner, b)
		var out []pt
		for i := 1; i < len(corner); i++ {
			k := max(1, int(corner[i].dist(corner[i-1])/380))
			for j := range k {
				out = append(out, corner[i-1].lerp(corner[i], float64(j)/float64(k)))
			}
		}
		return append(out, b)
	}
	write := func(kind, name string, l []pt, f map[string]any) {
		var in []pt
		for _, p := range l {
			if g.grid(p) != nil {
				in = append(in, p)
			}
		}
		if len(in) < 2 {
			return
		}
		f["kind"] = kind
		g.add("lifelines", name, g.code(in...), toLine(in), f)
	}
	east := g.net.exit(g.a, -0.02)
	write("power", "220千伏沅东线", span(east, station, 420), map[string]any{"voltage_kv": 220.0, "operator": "示例县供电公司", "built_year": 2009})
	// Each town's substation hangs on the nearest that is already connected.
	type node struct {
		p    pt
		name string
	}
	live := []node{{station, "沅"}}
	for len(sub) > 0 {
		best := math.Inf(1)
		var from node
		var to *unit
		for _, t := range g.a.towns {
			p, ok := sub[t]
			if !ok {
				continue
			}
			for _, n := range live {
				if d := n.p.dist(p); d < best {
					best, from, to = d, n, t
				}
			}
		}
		p := sub[to]
		delete(sub, to)
		n := node{p, string([]rune(to.name)[:1])}
		live = append(live, n)
		if best > 1200 {
			write("power", "110千伏"+from.name+n.name+"线", span(from.p, p, 400), map[string]any{"voltage_kv": 110.0, "operator": "示例县供电公司", "built_year": r.intBetween(1996, 2018)})
		}
	}
	way := func(a, b pt) []pt {
		goal := g.net.g.index(b)
		path := g.net.find(g.net.g.index(a), &b, 0.8, 1e5, func(i int) bool { return i == goal })
		if path == nil {
			return []pt{a, b}
		}
		l := make([]pt, 0, len(path))
		for _, p := range slices.Backward(path) {
			l = append(l, g.net.g.centre(p))
		}
		l[0], l[len(l)-1] = a, b
		l = relax(l, 8)
		for i := 1; i+1 < len(l); i++ {
			l[i] = l[i].add(l[i+1].sub(l[i-1]).unit().left().mul(38)) // beside the road, not in it
		}
		return simplify(relax(l, 2), 8)
	}
	ne := g.net.exit(g.a, math.Pi*0.2)
	gate := g.park.at.add(g.park.spine.mul(60))
	write("gas", "沅北天然气支线", way(ne, gate), map[string]any{"diameter_mm": 323.9, "pressure_mpa": 4.0, "material": "L360 钢管", "operator": "示例县燃气公司", "built_year": 2016})
	write("gas", "化工园—城区中压燃气管", way(gate, g.a.seat.add(pt{400, 200})), map[string]any{"diameter_mm": 219.1, "pressure_mpa": 0.4, "material": "PE100", "operator": "示例县燃气公司", "built_year": 2017})
	best, src := math.Inf(1), plantPt
	for _, rs := range g.w.reservoirs {
		if d := rs.dam.dist(plantPt); d < best {
			best, src = d, rs.dam.add(rs.dir.mul(120))
		}
	}
	write("water", "沅阳引水干管", way(src, plantPt), map[string]any{"diameter_mm": 800.0, "pressure_mpa": 0.6, "material": "球墨铸铁", "operator": "示例县供水公司", "built_year": 2005})
	for _, t := range g.a.towns[1:5] {
		write("water", "沅阳—"+t.short()+"供水管", way(plantPt, t.seat), map[string]any{"diameter_mm": 300.0, "pressure_mpa": 0.4, "material": "PE", "operator": "示例县供水公司", "built_year": r.intBetween(2010, 2021)})
	}
	for i, rd := range g.roads {
		if rd.class == classTrunk && i%2 == 0 {
			write("drainage", rd.name+"雨水干管", rd.line, map[string]any{"diameter_mm": 1200.0, "material": "钢筋混凝土", "operator": "县城市管理局", "built_year": r.intBetween(1998, 2019)})
		}
	}
}
