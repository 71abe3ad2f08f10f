package demo

import (
	"fmt"
	"math"
	"sort"

	"github.com/paulmach/orb"
)

func (g *world) adminLayers() {
	g.officers = map[*unit]string{}
	put := func(u *unit) {
		f := map[string]any{
			"code": u.code, "rank": u.rank, "name_en": u.pinyin, "population": u.people, "households": u.households, "area_km2": r2(u.km2),
			"valid_from": "2020-01-01T00:00:00+08:00",
		}
		if u.parent != nil {
			f["parent_code"] = u.parent.code
		}
		if u.urban != "" {
			f["urban_rural_code"] = u.urban
		}
		g.add("admin", u.name, u.code, toMulti(u.shape, fineLonLat), f)
	}
	put(g.a.county)
	for _, t := range g.a.towns {
		put(t)
	}
	for _, t := range g.a.towns {
		for _, v := range t.children {
			put(v)
		}
	}
	lo, hi := ringBounds(g.a.county.shape[0][0])
	g.c.Bound = orb.Bound{Min: lonLat(lo), Max: lonLat(hi)}
	g.c.Centre = lonLat(g.a.seat)
	r := newRNG(g.seed, "workers")
	for _, t := range g.a.towns {
		g.c.Aliases = append(g.c.Aliases, Alias{t.code, t.short(), "short_name"})
		for _, v := range t.children {
			if v.suffix == "村" && r.chance(0.12) {
				g.c.Aliases = append(g.c.Aliases, Alias{v.code, v.short() + "大队", "former_name"})
			}
			for _, u := range v.children {
				g.officers[u] = person(r)
				kind := "base"
				g.add("grids", u.name, u.code, toMulti(u.shape, fineLonLat), map[string]any{
					"code": u.code, "kind": kind, "village_code": v.code, "worker": g.officers[u], "population": u.people,
					"households": u.households, "key_persons": int(float64(u.people) * r.between(0.01, 0.03)),
				})
			}
		}
	}
}

func (g *world) peopleLayers() {
	r := newRNG(g.seed, "population")
	type cell struct{ people, households int }
	cells := map[[2]int64]*cell{}
	var keys [][2]int64
	for _, b := range g.b.buildings {
		if b.persons == 0 {
			continue
		}
		col, row := cellOf(b.box.c)
		k := [2]int64{col, row}
		if cells[k] == nil {
			cells[k] = &cell{}
			keys = append(keys, k)
		}
		cells[k].people += b.persons
		cells[k].households += b.households
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i][1] != keys[j][1] {
			return keys[i][1] < keys[j][1]
		}
		return keys[i][0] < keys[j][0]
	})
	for _, k := range keys {
		c := cells[k]
		x0, y1 := float64(k[0])/120-180, 90-float64(k[1])/120
		x1, y0 := float64(k[0]+1)/120-180, 90-float64(k[1]+1)/120
		q := func(x, y float64) orb.Point { return orb.Point{round(x, 1e9), round(y, 1e9)} }
		sq := orb.Polygon{{q(x0, y0), q(x1, y0), q(x1, y1), q(x0, y1), q(x0, y0)}}
		mid := local(orb.Point{(x0 + x1) / 2, (y0 + y1) / 2})
		// Out in the hills the young work elsewhere.
		old := clamp(r.near(0.19+0.11*g.t.wild.at(mid), 0.12), 0.08, 0.5)
		young := clamp(r.near(0.17-0.04*g.t.wild.at(mid), 0.12), 0.05, 0.3)
		male := int(float64(c.people) * r.between(0.49, 0.53))
		day := float64(c.people) * r.between(0.72, 0.95)
		if mid.dist(g.a.seat) < 1500 {
			day = float64(c.people) * r.between(1.05, 1.4)
		}
		corners := []pt{mid, local(sq[0][0]), local(sq[0][1]), local(sq[0][2]), local(sq[0][3])}
		g.add("population", "", g.code(corners...), sq, map[string]any{
			"code": fmt.Sprintf("%d_%d", k[0], k[1]), "population": c.people, "population_night": c.people, "population_day": int(day),
			"households": c.households, "male": male, "female": c.people - male, "elderly": int(float64(c.people) * old),
			"children": int(float64(c.people) * young), "year": 2025, "method": "房屋居住人数汇总",
		})
	}
	for _, t := range g.a.towns {
		for _, v := range t.children {
			p := float64(v.people)
			rural := 0.5 + 0.5*math.Min(1, v.wild*2)
			f := map[string]int{
				"elderly_alone": int(p * r.near(0.014*(1+rural), 0.25)), "disabled": int(p * r.near(0.021, 0.2)),
				"low_income": int(p * r.near(0.016*(0.6+rural), 0.3)), "children_left": int(p * r.near(0.015*rural, 0.3)),
				"bedridden": int(p * r.near(0.005, 0.3)), "pregnant": int(p * r.near(0.004, 0.3)),
			}
			all := map[string]any{"code": v.code, "year": 2025}
			n := 0
			for k, x := range f {
				all[k] = x
				n += x
			}
			all["total"] = n
			g.add("vulnerable", v.name, v.code, toMulti(v.shape, fineLonLat), all)
		}
	}
	for _, b := range g.b.buildings {
		per := 3.1
		if b.use != "rural_house" && b.use != "farm" {
			per = 3.3
		}
		f := map[string]any{
			"use": b.use, "structure": b.structure, "floors": b.floors, "height_m": r1(float64(b.floors)*per + 0.6),
			"area_m2": math.Round(b.floorArea()), "built_year": b.year, "households": b.households, "persons": b.persons,
		}
		if b.danger != "" {
			f["danger_grade"] = b.danger
		}
		g.add("buildings", b.name, b.grid.code, orb.Polygon{closedRing(b.ring, lonLat)}, f)
	}
}

func (g *world) roadLayer() {
	r := newRNG(g.seed, "road names")
	num := map[int]int{}
	// Stretches of one class that continue each other carry one number: follow
	// the network from stretch to stretch, straightest on.
	at := map[pt][]int{}
	for i, rd := range g.roads {
		at[rd.line[0]] = append(at[rd.line[0]], i)
		at[rd.line[len(rd.line)-1]] = append(at[rd.line[len(rd.line)-1]], i)
	}
	route := make([]int, len(g.roads))
	n := 0
	for i, rd := range g.roads {
		if route[i] != 0 || rd.class > classVillage {
			continue
		}
		n++
		route[i] = n
		for _, start := range [2]bool{true, false} {
			cur, end := i, g.roads[i].line[0]
			in := g.roads[i].line[0].sub(g.roads[i].line[1])
			if !start {
				l := g.roads[i].line
				end, in = l[len(l)-1], l[len(l)-1].sub(l[len(l)-2])
			}
			for {
				best, bend, out := -1, -0.2, pt{}
				var far pt
				for _, j := range at[end] {
					if route[j] != 0 || g.roads[j].class != g.roads[cur].class {
						continue
					}
					l := g.roads[j].line
					d, e := l[1].sub(l[0]), l[len(l)-1]
					o := l[len(l)-1].sub(l[len(l)-2])
					if l[0] != end {
						d, e = l[len(l)-2].sub(l[len(l)-1]), l[0]
						o = l[0].sub(l[1])
					}
					if s := d.unit().dot(in.unit()); s > bend {
						best, bend, out, far = j, s, o, e
					}
				}
				if best < 0 {
					break
				}
				route[best] = n
				cur, end, in = best, far, out
			}
		}
	}
	label := map[int][2]string{}
	name := func(i int) (string, string) {
		rd := g.roads[i]
		if l, ok := label[route[i]]; ok {
			return l[0], l[1]
		}
		a := g.villageOf(rd.line[0])
		b := g.villageOf(rd.line[len(rd.line)-1])
		// Two places give a road its name: 曹高线; one place its own: 曹家集路.
		pair := func(tail string, town bool) string {
			x, y := "示例", "示例"
			if a != nil {
				x = a.short()
				if town {
					x = a.parent.short()
				}
			}
			if b != nil {
				y = b.short()
				if town {
					y = b.parent.short()
				}
			}
			c, d := string([]rune(x)[:1]), string([]rune(y)[:1])
			if x == y || c == d {
				return x + tail
			}
			return c + d + tail
		}
		num[rd.class]++
		k := num[rd.class]
		var l [2]string
		switch rd.class {
		case classExpressway:
			l = [2]string{"沅北高速", "S99"}
		case classNational:
			l = [2]string{fmt.Sprintf("国道%d", 990+k/3), fmt.Sprintf("G%d", 990+k/3)}
		case classProvincial:
			l = [2]string{fmt.Sprintf("省道%d", 800+k), fmt.Sprintf("S%d", 800+k)}
		case classCounty:
			l = [2]string{pair("线", true), fmt.Sprintf("X%03d", k)}
		case classTownship:
			l = [2]string{pair("路", false), fmt.Sprintf("Y%03d", k)}
		case classVillage:
			l = [2]string{pair("村道", false), fmt.Sprintf("C%04d", k)}
		}
		if route[i] > 0 {
			label[route[i]] = l
		}
		return l[0], l[1]
	}
	for i, rd := range g.roads {
		k := roadClass[rd.class]
		f := map[string]any{
			"class": k.slug, "lanes": k.lanes, "width_m": k.width, "speed_kmh": k.speed, "surface": k.surface, "oneway": false,
			"walk_ok": rd.class != classExpressway, "bridge": false, "tunnel": false,
		}
		if rd.class <= classVillage {
			rd.name, rd.ref = name(i)
		} else if rd.class == classStreet && rd.name == "" {
			if v := g.villageOf(rd.line[0]); v != nil {
				rd.name = pick(r, []string{"老街", "新街", "正街", "河街", "横街", "学校路", "市场街", "卫生院路", "兴镇路", "富民街", "车站路", "东街", "西街"})
			}
		}
		if rd.class == classVillage && r.chance(0.15) || rd.class == classLane && r.chance(0.25) {
			f["surface"] = "砂石"
		}
		if rd.ref != "" {
			f["ref"] = rd.ref
		}
		mid, _ := along(rd.line, polyLength(rd.line)/2)
		g.add("roads", rd.name, g.code(rd.line[0], mid, rd.line[len(rd.line)-1]), toLine(rd.line), f)
	}
}

func (g *world) riverLayer() {
	r := newRNG(g.seed, "water bodies")
	shape := r.noise()
	order := strahler(g.w.rivers)
	for i, rv := range g.w.rivers {
		var piece []pt
		var whole float64
		for k := 1; k < len(rv.line); k++ {
			if g.nearCounty(rv.line[k], 120) {
				whole += rv.line[k].dist(rv.line[k-1])
			}
		}
		flush := func(end int) {
			if len(piece) > 4 {
				kind := "stream"
				if rv.mouthArea() > 2.5e7 {
					kind = "river"
				}
				f := map[string]any{"kind": kind, "stream_order": order[i], "length_km": r1(whole / 1000)}
				if rv.mouthArea() > 8e7 {
					z := rv.z[max(0, end-1)]
					f["warning_level_m"], f["guaranteed_level_m"] = r1(z+3.2), r1(z+4.6)
				}
				g.add("rivers", rv.name, g.code(piece[0], piece[len(piece)/2], piece[len(piece)-1]), toLine(simplify(piece, 2)), f)
			}
			piece = nil
		}
		for k, p := range rv.line {
			if !g.nearCounty(p, 120) {
				flush(k)
				continue
			}
			piece = append(piece, p)
		}
		flush(len(rv.line))
	}
	for _, s := range g.w.banks {
		at := s[0][len(s[0])/3]
		best, name := math.Inf(1), ""
		for _, rv := range g.w.rivers[:min(20, len(g.w.rivers))] {
			if d, _ := nearestVertex(rv.line, at); d < best {
				best, name = d, rv.name
			}
		}
		g.add("rivers", name, countyCode, toPolygon(s, lonLat), map[string]any{"kind": "river"})
	}
	for _, rs := range g.w.reservoirs {
		g.add("rivers", rs.name, g.code(rs.shape[0][0], rs.shape[0][len(rs.shape[0])/2], rs.dam), toPolygon(rs.shape, lonLat), map[string]any{
			"kind": "reservoir", "flood_limit_m": r1(rs.level - 2.5), "warning_level_m": r1(rs.level - 0.8), "guaranteed_level_m": r1(rs.level),
			"capacity_m3": math.Round(rs.m2*rs.height*0.36/1e4) * 1e4,
		})
	}
	// Ponds, as every village of the rice country has them.
	for _, s := range g.sites {
		if s.rank == 0 || r.chance(0.72) || g.t.wild.at(s.p) > 0.5 {
			continue
		}
		for range 12 {
			rad := r.between(18, 55)
			p := s.p.add(heading(r.between(0, 2*math.Pi)).mul(s.radius + rad + r.between(-30, 160)))
			x := box{c: p, u: pt{1, 0}, hw: rad * 1.3, hd: rad * 1.3}
			if !g.b.fits(x, 4, 5) || g.t.slope.near(p) > 0.08 || g.grid(p) == nil {
				continue
			}
			g.b.boxes.add(x)
			poly := blobRing(shape, p, rad, 0.5, heading(r.between(0, 3)), r.between(1, 1.35), 28)
			g.add("rivers", "", g.code(poly[0]...), toPolygon(poly, lonLat), map[string]any{"kind": "pond"})
			break
		}
	}
}

// strahler orders the streams: two of equal order make one of the next.
func strahler(rivers []*river) []int {
	out := make([]int, len(rivers))
	for i := len(rivers) - 1; i >= 0; i-- {
		// Children are smaller, so they come later in the list.
		count := map[int]int{}
		best := 0
		for j := i + 1; j < len(rivers); j++ {
			if rivers[j].parent == rivers[i] {
				count[out[j]]++
				best = max(best, out[j])
			}
		}
		out[i] = max(1, best)
		if count[best] >= 2 && best > 0 {
			out[i]++
		}
	}
	return out
}

func (g *world) waterworksLayer() {
	r := newRNG(g.seed, "waterworks")
	for _, rs := range g.w.reservoirs {
		side := rs.dir.left()
		reach := func(v pt) pt {
			for d := 20.0; d < 600; d += 10 {
				if p := rs.dam.add(v.mul(d)); g.t.z.at(p) > rs.level+1 {
					return p
				}
			}
			return rs.dam.add(v.mul(260))
		}
		a, b := reach(side), reach(side.mul(-1))
		bow := rs.dam.sub(rs.dir.mul(18))
		g.add("waterworks", rs.name+"大坝", g.code(rs.dam), toLine([]pt{a, a.lerp(bow, 0.6), bow, b.lerp(bow, 0.6), b}), map[string]any{
			"kind": "dam", "grade": "Ⅲ等", "design_flood_a": 50.0, "crest_m": r1(rs.level + 2.2), "length_m": math.Round(a.dist(b)),
			"condition": "good", "river": rs.river.name, "built_year": r.intBetween(1958, 1979), "unit": rs.name + "管理所",
			"competent_dept": "县水利局", "emergency_dept": "县应急管理局",
		})
		sp := b.lerp(bow, 0.25)
		g.add("waterworks", rs.name+"溢洪道", g.code(sp), lonLat(sp), map[string]any{
			"kind": "spillway", "capacity_m3s": math.Round(r.between(180, 420)), "condition": pick(r, []string{"good", "fair"}), "river": rs.river.name, "unit": rs.name + "管理所",
		})
	}
	// Levees along the rivers where people live beside them.
	for _, rv := range g.w.rivers {
		if rv.mouthArea() < 1e8 {
			continue
		}
		for _, side := range [2]float64{1, -1} {
			var l []pt
			flush := func() {
				if polyLength(l) > 900 {
					l = simplify(relax(l, 3), 3)
					v := g.villageOf(l[len(l)/2])
					where := "城区"
					if v != nil {
						where = v.parent.short()
					}
					g.add("waterworks", fmt.Sprintf("%s%s%s堤", rv.name, where, map[float64]string{1: "左", -1: "右"}[side]), g.code(l[0], l[len(l)/2], l[len(l)-1]), toLine(l), map[string]any{
						"kind": "levee", "grade": "4级", "design_flood_a": 20.0, "length_m": math.Round(polyLength(l)), "crest_m": r1(g.t.z.at(l[0]) + 3.5),
						"condition": pick(r, []string{"good", "good", "fair", "poor"}), "river": rv.name, "built_year": r.intBetween(1972, 2016), "unit": "县水利局河道堤防管理处",
						"competent_dept": "县水利局", "emergency_dept": "县应急管理局",
					})
				}
				l = nil
			}
			for i := 1; i+1 < len(rv.line); i++ {
				n := rv.line[i+1].sub(rv.line[i-1]).unit().left().mul(side)
				p := rv.line[i].add(n.mul(width(rv.area[i])/2 + 32))
				near, _ := g.peopleNear(p.add(n.mul(250)), 420)
				if near < 260 || g.grid(p) == nil {
					flush()
					continue
				}
				l = append(l, p)
			}
			flush()
		}
	}
	// Gates where brooks meet a levee'd river, pumps in the lowest town ground.
	for _, rv := range g.w.rivers {
		if rv.parent == nil || rv.parent.mouthArea() < 2e8 || rv.mouthArea() > 6e7 {
			continue
		}
		p := rv.line[max(0, len(rv.line)-3)]
		if n, _ := g.peopleNear(p, 1200); n < 500 || g.grid(p) == nil {
			continue
		}
		g.add("waterworks", rv.name+"节制闸", g.code(p), lonLat(p), map[string]any{
			"kind": "floodgate", "capacity_m3s": math.Round(r.between(15, 90)), "condition": pick(r, []string{"good", "good", "fair", "poor"}), "river": rv.name,
			"built_year": r.intBetween(1974, 2018), "unit": "县水利局",
		})
	}
	for i, t := range g.a.towns[:6] {
		pumps := 1
		if i == 0 {
			pumps = 4
		}
		for k := range pumps {
			p := dryPlace(g.t, g.w, t.seat.add(heading(float64(k)*2.1).mul(700)), 400)
			if g.grid(p) == nil {
				continue
			}
			g.add("waterworks", t.short()+pick(r, []string{"东", "西", "南", "北"})+"排涝泵站", g.code(p), lonLat(p), map[string]any{
				"kind": "pump", "capacity_m3s": r1(r.between(1.5, 12)), "condition": pick(r, []string{"good", "good", "fair"}), "built_year": r.intBetween(1990, 2021), "unit": "县水利局排灌站",
			})
		}
	}
}
