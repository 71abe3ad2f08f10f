package demo

import (
	"fmt"
	"math"
	"sort"

	"github.com/paulmach/orb"
)

// facilityLayers writes the institutions and the places that need watching.
func (g *world) facilityLayers() {
	r := newRNG(g.seed, "facilities")
	nth := map[string]int{}
	for _, x := range g.b.grounds {
		s, v := x.site, x.grid.parent
		town := v.parent.short()
		var local string
		switch s.rank {
		case 0:
			local = "示例县"
		case 1:
			local = town + v.parent.suffix
		default:
			local = v.short()
		}
		k := fmt.Sprint(s.rank, x.kind, local)
		nth[k]++
		i := nth[k] - 1
		ord := func(list string) string { return string([]rune(list)[i%len([]rune(list))]) }
		f := map[string]any{"unit": "", "address": g.address(x.grid)}
		name := ""
		set := func(kind, n string, persons int, class string) {
			f["kind"], name = kind, n
			if persons > 0 {
				f["persons_peak"] = persons
			}
			if class != "" {
				f["protection_class"] = class
			}
		}
		rank := []string{"县级", "乡镇级", "村级", "村级"}[s.rank]
		size := x.size
		switch x.kind {
		case "middle":
			n := local + "中学"
			if s.rank == 0 {
				n = "示例县第" + ord("一二三四五") + "中学"
			}
			set("school", n, int(size/9), "high_sensitive")
		case "primary":
			n := local + "中心小学"
			if s.rank == 0 {
				n = "示例县实验小学" + []string{"", "(东校区)", "(西校区)", "(南校区)", "(北校区)"}[i%5]
			} else if s.rank > 1 {
				n = local + "小学"
			}
			set("school", n, int(size/9), "high_sensitive")
		case "vocational":
			set("school", "示例县职业教育中心", int(size/12), "high_sensitive")
		case "kindergarten":
			n := local + "中心幼儿园"
			if s.rank == 0 {
				n = "示例县" + pick(r, []string{"小太阳", "春苗", "金种子", "向阳", "小星星", "百灵", "新蕾", "童心"}) + "幼儿园"
			} else if s.rank > 1 {
				n = local + "幼儿园"
			}
			set("kindergarten", n, int(size/8), "high_sensitive")
		case "hospital", "tcm", "maternity":
			n := local + "卫生院"
			beds := r.intBetween(24, 70)
			kind := "clinic"
			if s.rank == 0 {
				n = map[string]string{"hospital": "示例县人民医院", "tcm": "示例县中医医院", "maternity": "示例县妇幼保健院"}[x.kind]
				kind = "hospital"
				beds = map[string]int{"hospital": 680, "tcm": 360, "maternity": 160}[x.kind]
			}
			set(kind, n, beds*3, "high_sensitive")
			f["beds"] = beds
		case "clinic":
			set("clinic", local+"卫生室", r.intBetween(6, 20), "")
			f["beds"] = r.intBetween(0, 4)
		case "government":
			n := local + "人民政府"
			set("government", n, int(size/25), "important")
		case "committee":
			set("government", local+v.suffix+"民委员会", r.intBetween(8, 30), "general_3")
			if v.suffix == "社区" {
				name = local + "社区居民委员会"
			}
		case "police":
			n := local + "派出所"
			if s.rank == 0 {
				n = "示例县公安局" + ord("城东城西城南") + "派出所"
				n = "示例县公安局" + []string{"城东", "城西", "城南"}[i%3] + "派出所"
			}
			set("police", n, r.intBetween(12, 40), "general_2")
		case "fire":
			set("fire_station", "示例县消防救援大队", 45, "general_2")
		case "nursing":
			n := local + "敬老院"
			if s.rank == 0 {
				n = "示例县" + []string{"社会福利中心", "康养中心"}[i%2]
			} else if s.rank > 1 {
				n = local + "互助养老点"
			}
			set("nursing_home", n, int(size/30)+8, "high_sensitive")
			f["capacity"] = int(size/28) + 8
		case "stadium":
			set("stadium", "示例县体育中心", 6000, "general_1")
		case "park":
			set("park", []string{"凤台公园", "滨河公园", "青沅公园", "桂园公园"}[i%4], int(size/8), "general_2")
		case "square":
			n := local + "文化广场"
			if s.rank == 0 {
				n = "示例县人民广场"
			}
			set("park", n, int(size/4), "")
		case "market":
			n := local + "集贸市场"
			if s.rank == 0 {
				n = "示例县" + []string{"城东", "城西", "城南"}[i%3] + "农贸市场"
			}
			set("market", n, int(size/5), "general_1")
		case "mall":
			set("market", []string{"沅阳广场购物中心", "新世纪商城"}[i%2], int(size/3), "general_1")
		case "busstation":
			set("transport_hub", "示例县汽车客运站", 1200, "general_1")
		case "telecom":
			set("telecom", "示例县通信枢纽楼", 60, "important")
		case "waterplant":
			n := local + "水厂"
			if s.rank == 0 {
				n = "示例县第一水厂"
			}
			set("water_plant", n, r.intBetween(6, 30), "important")
		case "substation":
			n := "110千伏" + town + "变电站"
			if s.rank == 0 {
				n = "220千伏沅阳变电站"
			}
			set("power_station", n, r.intBetween(2, 8), "important")
		default:
			continue // factories, stores, farms and sites are written elsewhere
		}
		f["grade"], f["unit"] = rank, name
		if x.main != nil {
			x.main.name = name
		}
		x.name = name
		g.add("facilities", name, g.code(x.box.ring()...), orb.Polygon{closedRing(x.box.ring(), lonLat)}, f)
		if lvl, kind := watch(x.kind, s.rank, r); lvl > 0 {
			g.add("key_places", name, x.grid.code, lonLat(x.box.c), map[string]any{
				"kind": kind, "level": lvl, "persons_peak": f["persons_peak"], "unit": name, "address": f["address"],
			})
		}
	}
	for i, x := range g.b.grounds {
		if x.kind == "construction" {
			n := "示例县" + pick(r, []string{"滨河", "锦绣", "城东", "学府"}) + fmt.Sprintf("片区安置房%d期工地", i%3+1)
			g.add("key_places", n, x.grid.code, orb.Polygon{closedRing(x.box.ring(), lonLat)}, map[string]any{
				"kind": "construction", "level": 2, "persons_peak": r.intBetween(80, 260), "unit": "示例县城市建设投资公司", "address": g.address(x.grid),
			})
		}
		if x.kind == "hotel" {
			x.name = pick(r, []string{"沅阳", "滨河", "凤台", "云溪"}) + pick(r, []string{"宾馆", "大酒店", "商务酒店"})
			g.add("key_places", x.name, x.grid.code, lonLat(x.box.c), map[string]any{
				"kind": "hotel", "level": 3, "persons_peak": r.intBetween(120, 380), "unit": x.name, "address": g.address(x.grid),
			})
		}
	}
	// Old quarters, narrow alleys, entertainment.
	n := 0
	for _, rd := range g.roads {
		if rd.class != classLane || rd.line[0].dist(g.a.seat) > 1900 || n >= 22 {
			continue
		}
		mid, _ := along(rd.line, polyLength(rd.line)/2)
		p, _ := g.peopleNear(mid, 80)
		u := g.grid(mid)
		if p < 60 || u == nil {
			continue
		}
		n++
		g.add("key_places", u.parent.short()+fmt.Sprintf("%d号巷", n), u.code, lonLat(mid), map[string]any{
			"kind": pick(r, []string{"narrow_alley", "narrow_alley", "old_quarter"}), "level": r.intBetween(2, 4), "persons_peak": p, "unit": u.parent.name, "address": g.address(u),
		})
	}
	n = 0
	for _, b := range g.b.buildings {
		if b.use != "commercial" || b.box.c.dist(g.a.seat) > 1300 || !r.chance(0.02) || n >= 18 {
			continue
		}
		n++
		name := pick(r, []string{"金凤凰", "星光", "蓝调", "好声音", "欢乐城", "皇家", "百乐", "时光", "新天地"}) + pick(r, []string{"歌厅", "网络会所", "影城", "健身会所"})
		b.name = name
		g.add("key_places", name, b.grid.code, lonLat(b.box.c), map[string]any{
			"kind": pick(r, []string{"entertainment", "entertainment", "fire_risk"}), "level": r.intBetween(2, 4), "persons_peak": r.intBetween(40, 260), "unit": name, "address": g.address(b.grid),
		})
	}
	g.bridges(r)
	// Masts on the heights, a scenic valley in the mountains.
	n = 0
	for range 4000 {
		p := pt{r.between(4000, domainW-4000), r.between(3000, domainH-3000)}
		u := g.grid(p)
		if u == nil || n >= 34 {
			continue
		}
		top := true
		for k := range 8 {
			top = top && g.t.z.at(p.add(heading(float64(k)*math.Pi/4).mul(220))) <= g.t.z.at(p)+3
		}
		if near, _ := g.peopleNear(p, 1800); !top || near < 60 || g.w.pool.near(p) > 0 {
			continue
		}
		n++
		g.add("facilities", u.parent.short()+"通信基站", u.code, lonLat(p), map[string]any{"kind": "telecom", "grade": "基站", "unit": "示例县通信发展办公室", "address": g.address(u)})
	}
}

// watch says which institutions are key places and how risky.
func watch(kind string, rank int, r rng) (int, string) {
	switch kind {
	case "mall":
		return 2, "mall"
	case "hospital", "tcm", "maternity":
		if rank == 0 {
			return 2, "hospital"
		}
		return 3, "hospital"
	case "middle", "vocational":
		return 3, "school"
	case "primary":
		if rank < 2 {
			return 3, "school"
		}
	case "nursing":
		return r.intBetween(2, 3), "nursing_home"
	case "market":
		return 3, "venue"
	case "stadium":
		return 3, "venue"
	case "busstation":
		return 3, "venue"
	}
	return 0, ""
}

func (g *world) address(u *unit) string {
	if u == nil {
		return "示例县"
	}
	return "示例县" + u.parent.parent.name + u.parent.name
}

// bridges finds where the better roads cross the rivers.
func (g *world) bridges(r rng) {
	var done []pt
	for _, rd := range g.roads {
		if rd.class > classTrunk || rd.class == classVillage {
			continue
		}
		for i := 1; i < len(rd.line); i++ {
			a, b := rd.line[i-1], rd.line[i]
			for k := range 1 + int(a.dist(b)/15) {
				p := a.lerp(b, (float64(k)+0.5)/(1+math.Floor(a.dist(b)/15)))
				wd := width(g.w.size.near(p) * 1e6)
				if wd < 13 || g.w.dist.at(p) > wd*0.35 || g.w.pool.near(p) > 0 {
					continue
				}
				near := false
				for _, q := range done {
					near = near || q.dist(p) < 420
				}
				u := g.grid(p)
				if near || u == nil {
					continue
				}
				done = append(done, p)
				g.add("facilities", u.parent.short()+"大桥", u.code, lonLat(p), map[string]any{
					"kind": "bridge", "grade": pick(r, []string{"二类", "二类", "一类", "三类"}), "unit": "县交通运输局", "address": rd.name,
				})
			}
		}
	}
}

// shelter is a place of refuge with what others need of it.
type shelter struct {
	id       string
	name     string
	p        pt
	capacity int
	class    string
	radius   float64
	rank     int
	unit     *unit
	state    string
	box      box
}

func (g *world) shelterLayers() {
	r := newRNG(g.seed, "shelters")
	for _, x := range g.b.grounds {
		s := x.site
		var space, class, grade string
		var eff, per, radius float64
		switch x.kind {
		case "park", "square":
			space, class, eff, per, radius = "outdoor", "emergency", 0.55, 1.0, 500
			if x.kind == "park" && x.size > 9000 {
				class, eff, per, radius = "short", 0.5, 2.0, 1000
			}
		case "stadium":
			space, class, eff, per, radius = "both", "long", 0.5, 4.5, 2500
		case "middle", "vocational":
			space, class, eff, per, radius = "both", "short", 0.42, 2.0, 1000
			if s.rank == 0 && x.kind == "vocational" {
				class, per, radius = "long", 4.5, 2500
			}
		case "primary":
			space, class, eff, per, radius = "both", "short", 0.4, 2.0, 1000
			if s.rank > 1 {
				class, per, radius = "emergency", 1.0, 800
			}
		case "committee":
			if g.a.villages[s.village].wild < 0.2 && r.chance(0.45) {
				continue
			}
			space, class, eff, per, radius = "indoor", "emergency", 0.45, 1.5, 800
		case "nursing":
			if s.rank > 1 {
				continue
			}
			space, class, eff, per, radius = "indoor", "short", 0.35, 2.0, 600
		default:
			continue
		}
		if x.kind == "square" && s.rank == 2 && r.chance(0.5) {
			continue
		}
		grade = []string{"county", "township", "village", "village"}[s.rank]
		gross := math.Round(x.size)
		effm := math.Round(gross * eff)
		cp := int(math.Floor(effm/per + 1e-9))
		state := "standby"
		if r.chance(0.05) {
			state = "disabled"
		} else if r.chance(0.12) {
			state = "closed"
		}
		v := x.grid.parent
		sh := &shelter{name: x.name + "避难场所", p: x.box.c, capacity: cp, class: class, radius: radius, rank: s.rank, unit: x.grid, state: state, box: x.box}
		hz := "earthquake,flood,landslide,rainstorm"
		if space == "outdoor" {
			hz = "earthquake,multi"
		} else if space == "indoor" {
			hz = "rainstorm,flood,landslide,debris_flow,low_temperature"
		}
		f := map[string]any{
			"class": class, "grade": grade, "function": pick(r, []string{"comprehensive", "single", "comprehensive"}), "space": space, "vertical": "above",
			"state": state, "capacity": cp, "occupancy": 0, "hazards_served": hz, "gross_m2": gross, "effective_m2": effm, "per_person_m2": per,
			"service_radius_m": radius, "served_areas": v.name, "exits": r.intBetween(1, 4), "unit": x.name, "address": g.address(x.grid),
			"confirmed_at": g.ago(hours(r.between(2, 900))), "competent_dept": "县应急管理局", "emergency_dept": v.parent.name + "人民政府",
		}
		if s.rank < 2 && (x.kind == "middle" || x.kind == "vocational" || x.kind == "stadium" || x.kind == "park") {
			f["exits"] = r.intBetween(4, 6)
		}
		g.openForRain(r, sh, f)
		sh.id = g.add("shelters", sh.name, g.code(x.box.ring()...), orb.Polygon{closedRing(x.box.ring(), lonLat)}, f)
		g.shelters = append(g.shelters, sh)
	}
	// A bunker under the square.
	for _, x := range g.b.grounds {
		if x.kind == "square" && x.site.rank == 0 {
			p := x.box.c.add(x.box.u.mul(20))
			sh := &shelter{name: "人民广场人防工程", p: p, capacity: 1800, class: "air_raid", radius: 800, unit: x.grid, state: "standby", box: box{c: p, u: x.box.u, hw: 30, hd: 20}}
			sh.id = g.add("shelters", sh.name, x.grid.code, lonLat(p), map[string]any{
				"class": "air_raid", "grade": "county", "function": "special", "space": "indoor", "vertical": "below", "state": "standby", "capacity": 1800, "occupancy": 0,
				"hazards_served": "multi", "gross_m2": 3200.0, "effective_m2": 2700.0, "per_person_m2": 1.5, "service_radius_m": 800.0, "served_areas": "城区", "exits": 4,
				"unit": "县人民防空办公室", "address": g.address(x.grid), "confirmed_at": g.ago(hours(300)),
			})
			g.shelters = append(g.shelters, sh)
		}
	}
	g.serviceAreas(r)
}

// serviceAreas outlines what can be reached on foot, and the plain radius for
// the small places.
func (g *world) serviceAreas(r rng) {
	for _, s := range g.shelters {
		if s.rank > 1 && !r.chance(0.5) || s.state == "disabled" {
			continue
		}
		minutes := math.Round(s.radius / 1.1 / 60)
		reach := s.radius
		var poly polygon
		f := map[string]any{"shelter": s.id, "computed_at": g.ago(hours(30))}
		if s.rank <= 1 {
			poly = g.walkArea(s.p, reach)
			f["method"], f["minutes"] = "isochrone", minutes
		}
		if poly == nil {
			ring := make([]pt, 48)
			for i := range ring {
				ring[i] = s.p.add(heading(2 * math.Pi * float64(i) / 48).mul(reach))
			}
			poly = polygon{ring}
			f["method"], f["radius_m"] = "radius", reach
			delete(f, "minutes")
		}
		n, _ := g.peopleIn(poly)
		f["population"] = n
		g.add("shelter_service_areas", s.name, g.code(poly[0]...), toPolygon(poly, lonLat), f)
	}
}

// walkArea is where a person gets on foot within the distance: straight over
// open ground, slower uphill, over rivers only by a bridge.
func (g *world) walkArea(from pt, reach float64) polygon {
	const cell = 40.0
	f := newField(from.sub(pt{reach, reach}), from.add(pt{reach, reach}), cell)
	cost := make([]float64, len(f.v))
	for i := range cost {
		f.v[i] = -reach
		p := f.point(i)
		c := 1.25 + 6*g.t.slope.near(p)
		wd := width(g.w.size.near(p) * 1e6)
		if _, _, _, ok := g.b.idx.nearest(p, 30); ok {
			c = 1.0
		} else if wd > 15 && g.w.dist.at(p) < wd/2+10 || g.w.pool.near(p) > 0 {
			c = 60
		}
		cost[i] = c
	}
	start := (f.ny/2)*f.nx + f.nx/2
	var q heap
	q.push(0, int32(start))
	f.v[start] = reach
	for !q.empty() {
		k, c := q.pop()
		i := int(c)
		if reach-float64(k) < f.v[i]-0.5 {
			continue
		}
		for n := range 8 {
			x, y := i%f.nx+stepX[n], i/f.nx+stepY[n]
			if x < 0 || y < 0 || x >= f.nx || y >= f.ny {
				continue
			}
			j := y*f.nx + x
			d := float64(k) + stepLen(n)*cell*(cost[i]+cost[j])/2
			if v := reach - d; v > 0 && v > f.v[j]+0.5 {
				f.v[j] = v
				q.push(float32(d), int32(j))
			}
		}
	}
	// Bring the unreached far below zero closer, so that the edge lies well.
	for i, v := range f.v {
		if v <= -reach {
			f.v[i] = -60
		}
	}
	out := f.outline(20000)
	if len(out) == 0 {
		return nil
	}
	return out[0].thinned(8).rounded()
}

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
		for i := len(path) - 1; i >= 0; i-- {
			l = append(l, g.net.g.centre(path[i]))
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
