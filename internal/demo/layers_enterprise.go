package demo

import (
	"fmt"
	"math"
	"sort"

	"github.com/paulmach/orb"
)

// enterpriseLayers writes works, shops of dangerous goods, mines, and what
// GB 18218 says about their stocks.
func (g *world) enterpriseLayers() {
	r := newRNG(g.seed, "enterprises")
	chem := chemicals()
	kinds := []struct {
		kind, product string
		chems         map[string]float64
	}{
		{"氯碱化工有限公司", "烧碱、液氯", map[string]float64{"氯": 120, "氢": 1.2, "氯化氢(无水)": 8}},
		{"合成氨有限公司", "合成氨、尿素", map[string]float64{"氨": 240, "天然气": 6}},
		{"精细化工有限公司", "表面活性剂", map[string]float64{"环氧乙烷": 60, "甲醇": 180}},
		{"能源有限公司", "成品油仓储", map[string]float64{"汽油": 1800, "甲醇": 400}},
		{"燃气有限公司", "液化石油气储配", map[string]float64{"液化石油气": 180}},
		{"新材料有限公司", "丙烯酸树脂", map[string]float64{"丙烯腈": 42, "甲苯": 260, "丙酮": 120}},
		{"农药化工有限公司", "农药中间体", map[string]float64{"氯": 6, "甲苯": 180, "二氧化硫": 4}},
		{"氟化工有限公司", "无水氟化氢", map[string]float64{"氟化氢": 8}},
		{"气体有限公司", "工业气体", map[string]float64{"乙炔": 0.6, "氢": 1.1}},
		{"生物科技有限公司", "燃料乙醇", map[string]float64{"乙醇": 900, "汽油": 60}},
		{"涂料有限公司", "溶剂型涂料", map[string]float64{"甲苯": 90, "丙酮": 60}},
		{"医药化工有限公司", "原料药", map[string]float64{"甲醇": 120, "苯": 18, "氨": 4}},
	}
	for i, p := range g.park.plants {
		k := kinds[i%len(kinds)]
		p.name, p.product, p.kind = g.names.company(k.kind), k.product, "chem"
		p.chems = pickChems(chem, k.chems, r)
	}
	g.plants = g.park.plants
	n := 0
	for _, x := range g.b.grounds {
		switch x.kind {
		case "factory":
			n++
			k := pick(r, []string{"机械配件有限公司", "服装有限公司", "食品有限公司", "建材有限公司", "木业有限公司", "电子有限公司", "粮油有限公司", "茶业有限公司", "纸业包装有限公司", "农机制造有限公司", "塑料制品有限公司", "水泥制品有限公司"})
			p := &plant{box: x.box, tanks: x.box, name: g.names.company(k), product: map[bool]string{true: "食品", false: "工业制品"}[k == "食品有限公司" || k == "粮油有限公司"], ground: x, kind: "works"}
			if r.chance(0.12) {
				p.chems = pickChems(chem, map[string]float64{"液化石油气": 8, "甲苯": 20}, r)
			}
			g.plants = append(g.plants, p)
		case "coldstore":
			g.plants = append(g.plants, &plant{box: x.box, tanks: box{c: x.box.c.add(x.box.u.mul(x.box.hw * 0.5)), u: x.box.u, hw: x.box.hw * 0.2, hd: x.box.hd * 0.3},
				name: g.names.company("冷链物流有限公司"), product: "冷冻仓储(氨制冷)", ground: x, kind: "cold", chems: pickChems(chem, map[string]float64{"氨": 14}, r)})
		}
	}
	g.stations(r, chem)
	g.mines(r)
	scale := []string{"large", "medium", "small", "micro"}
	for i, p := range g.plants {
		s, beta := 0.0, 0.0
		for _, c := range p.chems {
			s += c.quantity / c.critical
			beta += c.beta * c.quantity / c.critical
		}
		exposed := g.exposed(p)
		al := alpha(exposed)
		rr := al * beta
		lvl, major := sourceLevel(s, rr)
		risk := 4
		switch {
		case major && lvl <= 2:
			risk = 1
		case major:
			risk = 2
		case len(p.chems) > 0 || p.kind == "mine":
			risk = r.intBetween(2, 3)
		case r.chance(0.3):
			risk = 3
		}
		u := g.grid(p.box.c)
		if u == nil {
			continue
		}
		ind := map[string]string{"chem": "化学原料和化学制品制造业", "works": "制造业", "cold": "装卸搬运和仓储业", "gas": "机动车燃料零售", "mine": "非金属矿采选业"}[p.kind]
		p.id = g.id()
		state := "production"
		if r.chance(0.06) {
			state = "suspended"
		}
		geom := orb.Geometry(orb.Polygon{closedRing(p.box.ring(), lonLat)})
		employees := int(p.box.hw * p.box.hd * 4 / 70)
		if p.kind == "gas" {
			employees = r.intBetween(5, 14)
		}
		sc := scale[3]
		switch {
		case employees >= 300:
			sc = scale[1]
		case employees >= 20:
			sc = scale[2]
		}
		g.put("enterprises", p.id, p.name, g.code(p.box.ring()...), geom, map[string]any{
			"uscc": creditCode(r, i), "industry": ind, "scale": sc, "level": risk, "state": state, "hazchem": len(p.chems) > 0, "in_park": p.inPark,
			"monitored": major, "employees": employees, "products": p.product, "address": g.address(u),
			"competent_dept": map[bool]string{true: "县应急管理局", false: "县经济和信息化局"}[len(p.chems) > 0], "emergency_dept": "县应急管理局",
		})
		if len(p.chems) == 0 {
			continue
		}
		var items []any
		for _, c := range p.chems {
			items = append(items, map[string]any{"substance": c.name, "cas": c.cas, "q_t": c.quantity, "critical_t": c.critical, "beta": c.beta})
		}
		f := map[string]any{
			"enterprise": p.id, "enterprise_name": p.name, "kind": "storage", "items": items, "s": math.Round(s*1e6) / 1e6, "alpha": al,
			"r": math.Round(rr*1e6) / 1e6, "exposed_persons": exposed, "exposed_method": "厂界外500米房屋居住人数", "rules": "GB 18218-2018",
			"principal": person(r), "technical_lead": person(r), "operational_lead": person(r),
			"competent_dept": "县应急管理局", "emergency_dept": "县应急管理局",
		}
		if major {
			f["level"] = lvl
			filed := r.intBetween(60, 900)
			f["filing_no"] = fmt.Sprintf("示例〔%d〕%03d号", g.now.AddDate(0, 0, -filed).Year(), i+1)
			f["filed_at"], f["expires_at"] = g.day(filed), g.now.AddDate(3, 0, -filed).Format("2006-01-02")
		}
		id := g.add("hazard_sources", p.name+"储罐区", g.code(p.tanks.ring()...), orb.Polygon{closedRing(p.tanks.ring(), lonLat)}, f)
		if major {
			g.contours(r, p, id, s, rr)
		}
	}
}

func pickChems(table map[string]chemical, want map[string]float64, r rng) []chemical {
	var names []string
	for k := range want {
		names = append(names, k)
	}
	sort.Strings(names)
	var out []chemical
	for _, k := range names {
		c, ok := table[k]
		if !ok {
			panic("demo: no such chemical: " + k)
		}
		c.quantity = r2(want[k] * r.between(0.75, 1.3))
		out = append(out, c)
	}
	return out
}

// exposed counts the residents within 500 m of the plant's boundary.
func (g *world) exposed(p *plant) int {
	n := 0
	g.around(p.box.c, 520+math.Hypot(p.box.hw, p.box.hd), func(b *building, _ float64) {
		if d := p.box.boxDist(b.box.c); d > 0 && d <= 500 {
			n += b.persons
		}
	})
	return n
}

// creditCode looks like a unified credit code but belongs to nobody: its
// district part is the unassigned 990100.
func creditCode(r rng, i int) string {
	const set = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	weight := 1
	body := fmt.Sprintf("91%sMA%06dX", countyCode, 100000+i*37+r.IntN(30))
	sum := 0
	for _, c := range body {
		for k, s := range set {
			if s == c {
				sum += k * weight
			}
		}
		weight = weight * 3 % 31
	}
	return body + string(set[(31-sum%31)%31])
}

// contours draws the distances an assessment would have delivered, longer down
// the wind.
func (g *world) contours(r rng, p *plant, source string, s, rr float64) {
	n := newRNG(g.seed, "contour "+p.name).noise()
	wind := pt{0.86, -0.5}.unit()
	reach := 60 * math.Pow(rr, 0.48)
	for _, c := range []struct {
		kind  string
		value float64
		unit  string
		k     float64
		name  string
	}{
		{"individual_risk", 3e-5, "次/年", 0.42, "3E-05"}, {"individual_risk", 1e-5, "次/年", 0.68, "1E-05"}, {"individual_risk", 3e-6, "次/年", 1, "3E-06"},
		{"external_distance", r1(reach * 1.25), "m", 1.25, "外部安全防护距离"},
	} {
		ring := make([]pt, 72)
		for i := range ring {
			h := heading(2 * math.Pi * float64(i) / 72)
			// The outline of the ground itself, then the distance on top.
			ex := math.Min(p.tanks.hw/math.Max(1e-6, math.Abs(h.dot(p.tanks.u))), p.tanks.hd/math.Max(1e-6, math.Abs(h.dot(p.tanks.u.left()))))
			d := reach * c.k * (1 + 0.32*h.dot(wind) + 0.10*n.fbm(h.x*1.6, h.y*1.6, 1, 2))
			ring[i] = p.tanks.c.add(h.mul(ex*0.8 + d))
		}
		poly := polygon{ring}
		g.add("safety_contours", p.name+c.name, g.code(ring...), toPolygon(poly, lonLat), map[string]any{
			"kind": c.kind, "value": c.value, "unit": c.unit, "hazard_source": source, "enterprise_name": p.name, "institute": "示例安全评价有限公司", "issued_at": g.day(r.intBetween(100, 800)),
		})
	}
}

// stations puts filling stations beside the main roads and gas stores at towns.
func (g *world) stations(r rng, chem map[string]chemical) {
	var done []pt
	for _, rd := range g.roads {
		if rd.class < classNational || rd.class > classCounty && rd.class != classTrunk {
			continue
		}
		l := polyLength(rd.line)
		for d := 30.0; d < l; d += 220 {
			p, u := along(rd.line, d)
			near, _ := g.peopleNear(p, 700)
			gap := 5200.0
			if near > 900 {
				gap = 1300
			}
			ok := near > 120 && len(done) < 34
			for _, q := range done {
				ok = ok && q.dist(p) > gap
			}
			if !ok {
				continue
			}
			for _, side := range [2]float64{1, -1} {
				x := box{c: p.add(u.left().mul(side * (roadClass[rd.class].width/2 + 24))), u: u, hw: 24, hd: 17}
				if !g.b.fits(x, 2, 2) || g.grid(x.c) == nil {
					continue
				}
				g.b.boxes.add(x)
				v := g.villageOf(x.c)
				done = append(done, p)
				name := "示例县" + v.short() + "加油站"
				pl := &plant{box: x, tanks: box{c: x.c.add(x.u.mul(13)), u: x.u, hw: 8, hd: 6}, name: name, product: "汽油、柴油零售", kind: "gas",
					chems: pickChems(chem, map[string]float64{"汽油": 44}, r)}
				if len(done)%6 == 0 {
					pl.name, pl.product = "示例县"+v.short()+"液化气站", "液化石油气充装"
					pl.chems = pickChems(chem, map[string]float64{"液化石油气": 52}, r)
				}
				g.plants = append(g.plants, pl)
				g.add("facilities", pl.name, g.code(x.ring()...), orb.Polygon{closedRing(x.ring(), lonLat)}, map[string]any{
					"kind": "gas_station", "grade": pick(r, []string{"二级", "三级"}), "unit": pl.name, "address": g.address(g.grid(x.c)), "persons_peak": r.intBetween(6, 20),
				})
				break
			}
		}
	}
}

// mines puts a gypsum mine and quarries in the hills, beside a road.
func (g *world) mines(r rng) {
	var done []pt
	for range 6000 {
		rd := pick(r, g.roads)
		if rd.class > classVillage || rd.class < classCounty || len(done) >= 7 {
			continue
		}
		p, u := along(rd.line, r.between(0, polyLength(rd.line)))
		w := g.t.wild.at(p)
		x := box{c: p.add(u.left().mul(110)), u: u, hw: 85, hd: 65}
		if w < 0.15 || w > 0.8 || !g.b.dry(x.c, 90) || g.grid(x.c) == nil || g.t.slope.near(x.c) > 0.3 || !g.b.boxes.free(x, 60) {
			continue
		}
		ok := true
		for _, q := range done {
			ok = ok && q.dist(p) > 5500
		}
		if n, _ := g.peopleNear(x.c, 250); !ok || n > 40 {
			continue
		}
		clear := true
		g.b.idx.each(x.c, 130, func(s *segment) { clear = clear && x.clear(s.a, s.b) > s.half+3 })
		if !clear {
			continue
		}
		done = append(done, p)
		v := g.villageOf(x.c)
		k, product := "采石场", "建筑石料"
		if len(done) <= 2 {
			k, product = "石膏矿", "石膏"
		}
		pl := &plant{box: x, tanks: x, name: "示例县" + v.short() + k, product: product, kind: "mine"}
		g.plants = append(g.plants, pl)
		if len(done) == 1 {
			g.mine = &site{name: pl.name, p: x.c, r: 900}
		}
		g.add("key_places", pl.name, g.code(x.ring()...), orb.Polygon{closedRing(x.ring(), lonLat)}, map[string]any{
			"kind": "mine", "level": 2, "persons_peak": r.intBetween(15, 90), "unit": pl.name, "address": g.address(g.grid(x.c)),
		})
		if len(done) <= 2 {
			t := x.c.add(u.mul(230))
			if g.grid(t) != nil {
				poly := blobRing(r.noise(), t, 85, 0.3, u, 1.2, 36)
				g.add("facilities", v.short()+"石膏矿尾矿库", g.code(poly[0]...), toPolygon(poly, lonLat), map[string]any{
					"kind": "tailings", "grade": "五等", "unit": pl.name, "address": g.address(g.grid(t)),
				})
			}
		}
	}
}
