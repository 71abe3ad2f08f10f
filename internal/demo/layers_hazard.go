package demo

import (
	"fmt"
	"math"
	"sort"
	"time"
)

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// hazardPoint is a known place where ground may move.
type hazardPoint struct {
	id, name, hazard string
	p                pt
	level            int
	persons          int
	state            string
	unit             *unit
	down             pt
}

// hazardLayer finds the slopes that threaten somebody.
func (g *world) hazardLayer() {
	r := newRNG(g.seed, "hazards")
	nth := map[string]int{}
	write := func(h *hazardPoint, f map[string]any) {
		nth[h.unit.parent.code+h.hazard]++
		zh := map[string]string{"landslide": "滑坡", "collapse": "崩塌", "debris_flow": "泥石流", "subsidence": "地面塌陷", "earthquake": "历史震中", "flood": "山洪", "waterlogging": "内涝"}[h.hazard]
		h.name = fmt.Sprintf("%s%s%s", h.unit.parent.name, []string{"", "2号", "3号", "4号", "5号", "6号", "7号", "8号"}[min(nth[h.unit.parent.code+h.hazard]-1, 7)], zh)
		f["hazard"], f["level"], f["state"] = h.hazard, h.level, h.state
		f["address"] = g.address(h.unit)
		if _, ok := f["scale"]; !ok {
			switch {
			case h.persons >= 1000:
				f["scale"] = "1"
			case h.persons >= 500:
				f["scale"] = "2"
			case h.persons >= 100:
				f["scale"] = "3"
			default:
				f["scale"] = "4"
			}
		}
		f["threatened_persons"] = h.persons
		if _, ok := f["competent_dept"]; !ok {
			f["competent_dept"] = "县自然资源和规划局"
		}
		f["emergency_dept"] = "县应急管理局"
		if g.officers[h.unit] != "" {
			f["monitor"] = "群测群防员 " + g.officers[h.unit]
		}
		best := math.Inf(1)
		for _, s := range g.shelters {
			if d := s.p.dist(h.p); d < best && d > 150 && s.state != "disabled" {
				best = d
				f["evacuation_shelter"] = s.id
			}
		}
		h.id = g.add("hazards", h.name, h.unit.code, lonLat(h.p), f)
		g.hazards = append(g.hazards, h)
	}
	states := []string{"registered", "registered", "registered", "registered", "watch", "watch", "treatment", "new", "removed"}
	// Slopes above houses and roads.
	apart := func(p pt, d float64) bool {
		for _, h := range g.hazards {
			if h.p.dist(p) < d {
				return false
			}
		}
		return true
	}
	for try := 0; try < 60000 && len(g.hazards) < 168; try++ {
		var foot pt
		if try%4 == 3 {
			rd := pick(r, g.roads)
			if rd.class > classVillage {
				continue
			}
			foot, _ = along(rd.line, r.between(0, polyLength(rd.line)))
		} else {
			foot = pick(r, g.b.buildings).box.c
		}
		if g.t.wild.at(foot) < 0.12 {
			continue
		}
		up := g.t.downhill(foot).mul(-1)
		back := r.between(50, 240)
		p := foot.add(up.mul(back)).add(up.left().mul(r.between(-60, 60)))
		s := g.t.slope.at(p)
		u := g.grid(p)
		if s < 0.23 || u == nil || !apart(p, 420) || g.w.pool.near(p) > 0 {
			continue
		}
		h := &hazardPoint{p: p, unit: u, down: up.mul(-1), state: pick(r, states)}
		n, hh := g.peopleNear(p.add(h.down.mul(back)), 110)
		if n == 0 && try%4 != 3 {
			continue
		}
		h.persons = n
		h.hazard = "landslide"
		sub := pick(r, []string{"土质滑坡", "土质滑坡", "碎石土滑坡", "岩质滑坡"})
		if s > 0.46 {
			h.hazard, sub = "collapse", pick(r, []string{"岩质崩塌", "危岩体", "土质崩塌"})
		}
		switch {
		case n >= 60 && s > 0.33, n >= 120:
			h.level = 1
		case n >= 25 || s > 0.5 && n > 0:
			h.level = 2
		case n >= 6:
			h.level = 3
		default:
			h.level = 4
		}
		f := map[string]any{
			"subtype": sub, "trigger": pick(r, []string{"rain", "rain", "rain", "rain", "human", "freeze_thaw"}), "threatened_households": hh,
			"threatened_property_wan": r1(float64(hh)*r.between(9, 22) + r.between(2, 30)), "found_at": g.day(r.intBetween(200, 6000)),
			"measure": pick(r, []string{"群测群防", "专业监测", "工程治理", "搬迁避让", "群测群防、截排水"}),
		}
		if h.state == "removed" {
			f["valid_to"] = g.ago(hours(24 * r.between(20, 400)))
		}
		write(h, f)
	}
	// Steep brooks that come down on houses.
	for _, rv := range g.w.rivers {
		if rv.parent == nil || rv.mouthArea() > 1.6e7 || len(rv.line) < 24 {
			continue
		}
		i := len(rv.line) - 3
		p := rv.line[i-3]
		fall := (rv.z[i-20] - rv.z[i]) / polyLength(rv.line[i-20:i+1])
		u := g.grid(p)
		if fall < 0.045 || u == nil {
			continue
		}
		n, hh := g.peopleNear(rv.line[i], 230)
		if n == 0 {
			continue
		}
		h := &hazardPoint{p: p, unit: u, hazard: "debris_flow", persons: n, state: pick(r, states[:8]), level: 3, down: rv.line[i].sub(p).unit()}
		if n > 60 {
			h.level = 2
		}
		if n > 150 {
			h.level = 1
		}
		write(h, map[string]any{
			"subtype": pick(r, []string{"沟谷型泥石流", "坡面型泥石流"}), "trigger": "rain", "threatened_households": hh, "threatened_property_wan": r1(float64(hh) * 16),
			"found_at": g.day(r.intBetween(300, 5000)), "measure": "专业监测、拦挡坝",
		})
	}
	if g.mine != nil {
		for k := range 3 {
			p := g.mine.p.add(heading(float64(k) * 2.2).mul(260 + 140*float64(k)))
			if u := g.grid(p); u != nil {
				n, hh := g.peopleNear(p, 220)
				write(&hazardPoint{p: p, unit: u, hazard: "subsidence", persons: n, state: pick(r, []string{"registered", "watch", "treatment"}), level: 2 + k%2}, map[string]any{
					"subtype": "采空塌陷", "trigger": "human", "threatened_households": hh, "threatened_property_wan": r1(float64(hh)*14 + 20), "found_at": g.day(900 + 200*k), "measure": "采空区充填、位移监测",
				})
			}
		}
	}
	for k := range 3 {
		p := g.faultAt(0.2 + 0.25*float64(k)).add(pt{300 * float64(k), -500})
		if u := g.grid(p); u != nil {
			write(&hazardPoint{p: p, unit: u, hazard: "earthquake", state: "registered", level: 3 + k%2}, map[string]any{
				"subtype": fmt.Sprintf("M%.1f", 3.1+0.5*float64(k)), "trigger": "earthquake", "found_at": g.day(4000 + 2600*k), "measure": "抗震设防烈度6度", "scale": "4", "competent_dept": "县地震办公室",
			})
		}
	}
}

// faultAt is a place on the fault across the county, 0 in the south-west.
func (g *world) faultAt(t float64) pt {
	n := noise{uint64(g.seed)*77 + 5}
	return pt{9000 + 42000*t, 15000 + 36000*t}.add(pt{-0.65, 0.76}.mul(1800 * n.fbm(t*9, 1, 1, 2)))
}

// band writes the areas where a measure lies between two bounds.
func (g *world) band(cell float64, measure func(pt) float64, bounds []float64, minArea float64, write func(i int, p polygon)) {
	lo, hi := ringBounds(g.a.county.shape[0][0])
	f := newField(lo, hi, cell)
	raw := make([]float64, len(f.v))
	in := make([]float64, len(f.v))
	for i := range raw {
		p := f.point(i)
		if p.x < 100 || p.y < 100 || p.x > domainW-100 || p.y > domainH-100 {
			continue
		}
		if in[i] = g.inside(p); in[i] > 0.2 {
			raw[i] = measure(p)
		}
	}
	for k := 0; k+1 < len(bounds); k++ {
		scale := 0.0
		for i := range raw {
			d := math.Min(raw[i]-bounds[k], bounds[k+1]-raw[i])
			f.v[i] = d
			scale = math.Max(scale, d)
		}
		for i := range raw {
			f.v[i] = math.Min(f.v[i], (in[i]-0.52)*scale)
		}
		for _, p := range f.outline(minArea) {
			write(k, p.thinned(cell*0.12).rounded())
		}
	}
}

// floodDepth is how high the water of a return period stands over the ground.
func (g *world) floodDepth(p pt, years float64) float64 {
	km2 := g.w.size.near(p)
	d := g.w.dist.at(p)
	if km2 < 20 || d > 1600 || g.w.pool.near(p) > 0 {
		return -3
	}
	stage := math.Pow(km2, 0.27) * (0.155*math.Log(years) - 0.1)
	return stage - (g.t.z.at(p) - g.w.stream.at(p)) - d*0.0034
}

func (g *world) hazardAreaLayer() {
	r := newRNG(g.seed, "hazard areas")
	n1, n2, n3 := r.noise(), r.noise(), r.noise()
	write := func(name string, p polygon, f map[string]any) {
		if len(p[0]) < 4 {
			return
		}
		if _, ok := f["state"]; !ok {
			f["state"] = "registered"
		}
		if p.area() < 3e6 {
			_, hh := g.peopleIn(p)
			f["protected_households"] = hh
		}
		g.add("hazard_areas", name, g.code(sample(p[0], 40)...), toPolygon(p, lonLat), f)
	}
	riverName := func(p pt) string {
		best, name := math.Inf(1), "青沅河"
		for _, rv := range g.w.rivers {
			if rv.mouthArea() < 2.5e7 {
				continue
			}
			if d, _ := nearestVertex(rv.line, p); d < best {
				best, name = d, rv.name
			}
		}
		return name
	}
	// Floods: what a ten-year flood reaches is the worst place to be.
	for i, years := range []float64{10, 20, 50, 100} {
		lower := []float64{0, 10, 20, 50}[i]
		measure := func(p pt) float64 {
			d := g.floodDepth(p, years)
			if lower > 0 {
				d = math.Min(d, 0.02-g.floodDepth(p, lower))
			}
			return d
		}
		g.band(50, measure, []float64{0, 99}, 60000, func(_ int, p polygon) {
			name := riverName(p[0][len(p[0])/2])
			write(fmt.Sprintf("%s%.0f年一遇淹没区", name, years), p, map[string]any{
				"hazard": "flood", "subtype": "河道洪水", "level": i + 1, "return_period_a": years, "intensity_min": 0.0, "intensity_max": r1(0.5 + 0.8*float64(i)),
				"intensity_unit": "m", "method": "河道水位外推(演示)", "competent_dept": "县水利局",
			})
		})
	}
	// Deep water of the hundred-year flood.
	g.band(50, func(p pt) float64 { return g.floodDepth(p, 100) }, []float64{1.5, 3, 99}, 50000, func(k int, p polygon) {
		name := riverName(p[0][len(p[0])/2])
		write(fmt.Sprintf("%s百年一遇水深%s", name, []string{"1.5—3米", "3米以上"}[k]), p, map[string]any{
			"hazard": "flood", "subtype": "水深", "level": 2 - k, "return_period_a": 100.0, "intensity_min": []float64{1.5, 3}[k], "intensity_max": []float64{3, 6}[k],
			"intensity_unit": "m", "method": "河道水位外推(演示)", "competent_dept": "县水利局",
		})
	})
	// Slopes that slide.
	g.band(100, func(p pt) float64 {
		var s float64
		for k := range 9 {
			q := p
			if k > 0 {
				q = p.add(heading(float64(k) * math.Pi / 4).mul(170))
			}
			s += g.t.slope.at(q) / 9
		}
		return s + 0.05*n1.fbm(p.x, p.y, 2600, 3)
	}, []float64{0.19, 0.26, 0.34, 9}, 180000, func(k int, p polygon) {
		v := g.villageOf(p[0][0])
		name := "示例县"
		if v != nil {
			name = v.parent.short()
		}
		write(name+"滑坡"+[]string{"中", "较高", "高"}[k]+"易发区", p, map[string]any{
			"hazard": "landslide", "subtype": "易发性", "level": 3 - k, "method": "坡度与岩土体分区(演示)", "competent_dept": "县自然资源和规划局",
		})
	})
	// Paths of debris below the hazard points, and the reach of the worst slides.
	for _, h := range g.hazards {
		switch {
		case h.hazard == "debris_flow":
			poly := blobRing(n2, h.p.add(h.down.mul(140)), 130, 0.35, h.down, 1.7, 44)
			write(h.name+"危险区", poly, map[string]any{"hazard": "debris_flow", "subtype": "堆积扇", "level": h.level, "method": "现场调查(演示)", "competent_dept": "县自然资源和规划局"})
		case h.hazard == "landslide" && h.level <= 2, h.hazard == "collapse" && h.level <= 2:
			poly := blobRing(n2, h.p.add(h.down.mul(55)), 72, 0.3, h.down, 1.35, 36)
			write(h.name+"危险区", poly, map[string]any{"hazard": h.hazard, "subtype": "威胁范围", "level": h.level, "method": "现场调查(演示)", "competent_dept": "县自然资源和规划局"})
		}
	}
	// Woods that burn: dry southern slopes of the mountains, away from the fields.
	g.band(150, func(p pt) float64 {
		wild := g.t.wild.at(p)
		south := -g.t.downhill(p).y
		near := 0.0
		if _, _, d, ok := g.b.idx.nearest(p, 400); ok {
			near = 0.25 * (1 - d/400)
		}
		return wild*0.7 + 1.1*math.Min(g.t.slope.at(p), 0.4) - 0.16*south + 0.22*n3.fbm(p.x, p.y, 4200, 3) - near
	}, []float64{0.5, 0.78, 1.05, 9}, 600000, func(k int, p polygon) {
		v := g.villageOf(centroid(p[0]))
		name := "示例县"
		if v != nil {
			name = v.parent.short()
		}
		write(name+"森林火险"+[]string{"中", "较高", "高"}[k]+"危险区", p, map[string]any{
			"hazard": "forest_fire", "subtype": "森林火险", "level": 3 - k, "method": "林分、坡向与人类活动(演示)", "competent_dept": "县林业局",
		})
	})
	// Where rain stands in the towns.
	for i, t := range g.a.towns {
		reach := 900.0
		if i == 0 {
			reach = 1900
		}
		lo, hi := t.seat.sub(pt{reach, reach}), t.seat.add(pt{reach, reach})
		f := newField(lo, hi, 20)
		f.set(func(p pt) float64 {
			if g.inside(p) < 0.9 || !g.b.dry(p, 6) {
				return -1
			}
			low := 0.0
			for k := range 6 {
				low += g.t.z.at(p.add(heading(float64(k)*math.Pi/3).mul(260))) / 6
			}
			sink := low - g.t.z.at(p)
			return clamp(sink*0.4, -0.5, 0.4) + 1.1*n2.fbm(p.x, p.y, 420, 3) - 0.35 - 1.5*smoothstep(0.35, 0.95, p.dist(t.seat)/reach)
		})
		outs := f.outline(3500)
		for k, p := range outs[:min(len(outs), map[bool]int{true: 14, false: 2}[i == 0])] {
			deep := []float64{0.6, 0.4, 0.3, 0.15}[min(k, 3)]
			write(fmt.Sprintf("%s积水区%d", t.short(), k+1), p.rounded(), map[string]any{
				"hazard": "waterlogging", "subtype": "城镇内涝", "level": min(k+1, 4), "return_period_a": 10.0, "intensity_min": deep, "intensity_max": r2(deep + 0.35), "intensity_unit": "m",
				"method": "历史积水点调查(演示)", "competent_dept": "县住房和城乡建设局",
			})
		}
	}
	if g.mine != nil {
		for k, rad := range []float64{520, 300} {
			poly := blobRing(n1, g.mine.p.add(pt{120, 60}), rad, 0.3, heading(0.6), 1.25, 56)
			if k == 0 {
				hole := blobRing(n1, g.mine.p.add(pt{120, 60}), 300, 0.3, heading(0.6), 1.25, 56)[0]
				rev := make([]pt, len(hole))
				for i := range hole {
					rev[len(hole)-1-i] = hole[i]
				}
				if w := append(poly, rev); w.simple() {
					poly = w
				}
			}
			write(g.mine.name+"采空区"+[]string{"影响带", "核心区"}[k], poly, map[string]any{
				"hazard": "subsidence", "subtype": "采空区", "level": 3 - 2*k, "method": "矿山测绘(演示)", "competent_dept": "县自然资源和规划局",
			})
		}
	}
	// The fault, as a strip.
	lo, hi := ringBounds(g.a.county.shape[0][0])
	f := newField(lo, hi, 120)
	var line []pt
	for t := -0.2; t <= 1.3; t += 0.002 {
		line = append(line, g.faultAt(t))
	}
	f.set(func(p pt) float64 {
		in := g.inside(p)
		if in == 0 {
			return -400
		}
		d, _ := nearestVertex(line, p)
		return math.Min(520+160*n3.fbm(p.x, p.y, 3000, 2)-d, (in-0.52)*900)
	})
	for _, p := range f.outline(300000) {
		write("沅北断裂带影响区", p.rounded(), map[string]any{"hazard": "earthquake", "subtype": "断裂避让带", "level": 3, "method": "构造图推测(演示)", "competent_dept": "县地震办公室"})
	}
	// How hard it rains: the mountains catch it.
	g.band(400, func(p pt) float64 {
		return 0.55*g.t.wild.at(p) + 0.35*smoothstep(60, 700, g.t.z.at(p)) + 0.2*n1.fbm(p.x, p.y, 16000, 2)
	}, []float64{-9, 0.06, 0.24, 0.5, 9}, 2e6, func(k int, p polygon) {
		write("暴雨"+[]string{"低", "较低", "较高", "高"}[k]+"危险区", p, map[string]any{
			"hazard": "rainstorm", "subtype": "年最大日雨量", "level": 4 - k, "intensity_min": []float64{90, 110, 130, 155}[k], "intensity_max": []float64{110, 130, 155, 210}[k], "intensity_unit": "mm",
			"method": "站点插值(演示)", "competent_dept": "县气象局",
		})
	})
}

// sample takes at most n vertices, evenly.
func sample(l []pt, n int) []pt {
	if len(l) <= n {
		return l
	}
	out := make([]pt, 0, n)
	for i := range n {
		out = append(out, l[i*len(l)/n])
	}
	return out
}

// dangerLayer writes the ledger of hidden dangers in every state.
func (g *world) dangerLayer() {
	r := newRNG(g.seed, "dangers")
	type kind struct {
		slug, dept string
		text       []string
		at         func() (pt, *unit)
	}
	anyHouse := func() (pt, *unit) { b := pick(r, g.b.buildings); return b.box.c, b.grid }
	cityHouse := func() (pt, *unit) {
		for range 200 {
			if b := pick(r, g.b.buildings); b.box.c.dist(g.a.seat) < 1700 && b.persons > 10 {
				return b.box.c, b.grid
			}
		}
		return anyHouse()
	}
	onRoad := func() (pt, *unit) {
		for range 200 {
			rd := pick(r, g.roads)
			if rd.class <= classVillage && rd.class > classExpressway {
				p, _ := along(rd.line, r.between(0, polyLength(rd.line)))
				if u := g.grid(p); u != nil {
					return p, u
				}
			}
		}
		return anyHouse()
	}
	atPlant := func() (pt, *unit) {
		for range 50 {
			p := pick(r, g.plants)
			if u := g.grid(p.box.c); u != nil && len(p.chems) > 0 {
				return p.box.c.add(p.box.u.mul(r.between(-0.6, 0.6) * p.box.hw)), u
			}
		}
		return anyHouse()
	}
	atSlope := func() (pt, *unit) {
		h := pick(r, g.hazards)
		p := h.p.add(pt{r.between(-90, 90), r.between(-90, 90)})
		if u := g.grid(p); u != nil {
			return p, u
		}
		return h.p, h.unit
	}
	atRiver := func() (pt, *unit) {
		for range 300 {
			rv := pick(r, g.w.rivers)
			p := pick(r, rv.line)
			if n, _ := g.peopleNear(p, 500); n < 20 {
				continue
			}
			q := p.add(heading(r.between(0, 6)).mul(width(2e7) + 20))
			if u := g.grid(q); u != nil {
				return q, u
			}
		}
		return anyHouse()
	}
	inWoods := func() (pt, *unit) {
		for range 400 {
			p := pt{r.between(0, domainW), r.between(0, domainH)}
			if g.t.wild.at(p) < 0.4 {
				continue
			}
			if u := g.grid(p); u != nil {
				return p, u
			}
		}
		return anyHouse()
	}
	kinds := []kind{
		{"geology", "县自然资源和规划局", []string{"屋后边坡出现弧形裂缝,长约%d米", "挡土墙外鼓,局部渗水", "坡脚切坡建房,土体松动", "排水沟堵塞,雨水直灌坡体"}, atSlope},
		{"flood", "县水利局", []string{"堤脚渗水,面积约%d平方米", "河道内违建阻水", "涵管淤塞,过水断面不足三分之一", "护岸冲毁约%d米"}, atRiver},
		{"fire", "县消防救援大队", []string{"疏散通道堆放杂物", "室内消火栓无水", "电动自行车楼道充电", "消防车通道被占用%d米"}, cityHouse},
		{"hazchem", "县应急管理局", []string{"储罐液位计失灵", "可燃气体报警器未标定", "防火堤破损约%d米", "动火作业票审批不全", "卸车鹤管静电接地不良"}, atPlant},
		{"building", "县住房和城乡建设局", []string{"土木房墙体开裂,最大缝宽%d毫米", "自建房擅自加层", "外墙瓷砖空鼓脱落", "屋架腐朽下挠"}, anyHouse},
		{"road", "县交通运输局", []string{"临水临崖路段缺少护栏%d米", "路基下沉,路面开裂", "桥梁栏杆缺失", "视距不良弯道无警示标志"}, onRoad},
		{"power", "县发展和改革局", []string{"导线对树距离不足", "配电箱锈蚀漏电", "电杆倾斜约%d度"}, anyHouse},
		{"gas", "县住房和城乡建设局", []string{"餐饮场所未装燃气报警器", "橡胶软管老化", "液化气瓶超期未检"}, cityHouse},
		{"forest", "县林业局", []string{"坟山周边可燃物堆积", "输电线路走廊树障", "防火隔离带荒芜约%d米"}, inWoods},
		{"water", "县水利局", []string{"山塘坝体散浸", "水塘无警示标志和救生设施", "溢洪道被堵"}, atRiver},
		{"mine", "县应急管理局", []string{"边坡台阶超高", "尾矿库浸润线偏高", "排土场未设拦渣坝"}, atPlant},
	}
	states := []string{"draft", "reported", "verified", "rejected", "graded", "pending_approval", "rectifying", "reviewing", "closed"}
	weight := []float64{2, 9, 8, 3, 8, 3, 26, 9, 62}
	sources := []string{"grid", "grid", "grid", "inspection", "self", "report", "sensor"}
	for i := range 460 {
		k := kinds[i%len(kinds)]
		if k.slug == "mine" && !r.chance(0.35) {
			k = kinds[0]
		}
		p, u := k.at()
		if u == nil {
			continue
		}
		state := states[r.weighted(weight)]
		text := pick(r, k.text)
		for j := 0; j+1 < len(text); j++ {
			if text[j] == '%' {
				text = fmt.Sprintf(text, r.intBetween(3, 28))
				break
			}
		}
		age := r.between(0.2, 9)
		switch state {
		case "closed":
			age = r.between(12, 150)
		case "rectifying", "reviewing":
			age = r.between(3, 40)
		case "graded", "pending_approval", "verified", "rejected":
			age = r.between(1, 12)
		}
		found := g.ago(hours(24 * age))
		level := 2
		if r.chance(0.11) || state == "pending_approval" {
			level = 1
		}
		f := map[string]any{
			"code": fmt.Sprintf("YH-%s-%04d", found.Format("2006"), i+1), "kind": k.slug, "state": state, "source": pick(r, sources), "description": text,
			"found_at": found, "listed": false, "competent_dept": k.dept, "emergency_dept": "县应急管理局",
		}
		if state != "draft" && state != "reported" && state != "rejected" && state != "verified" {
			f["level"] = level
			f["grade_basis"] = map[int]string{1: "可能造成群死群伤,整改难度大", 2: "危害较小,可限期整改"}[level]
			f["responsible_unit"] = pick(r, []string{u.parent.parent.name + "人民政府", u.parent.name + "委员会", k.dept})
			limit := 7.0
			if level == 1 {
				limit = 15
				f["listed"] = state != "pending_approval"
			}
			f["due_at"] = found.Add(hours(24 * (limit + 2)))
			f["rectifier"], f["interim_measure"] = person(r), pick(r, []string{"设警示标志,专人巡查", "拉警戒线,暂停使用", "人员暂时撤离", "限速限载通行", "每日两次巡查"})
			if state == "closed" {
				f["reviewer"], f["closed_at"] = person(r), found.Add(hours(24*r.between(1, math.Min(limit+4, age-0.5))))
			}
		}
		name := u.parent.name + map[string]string{"geology": "边坡", "flood": "防汛", "fire": "消防", "hazchem": "危化", "building": "房屋", "road": "道路", "power": "用电", "gas": "燃气", "forest": "林火", "water": "涉水", "mine": "矿山"}[k.slug] + "隐患"
		g.add("dangers", name, u.code, lonLat(p), f)
	}
}

// zoneLayer writes a risk plan and a prevention plan over the villages.
func (g *world) zoneLayer() {
	r := newRNG(g.seed, "zones")
	n := r.noise()
	a := g.a
	score := make([]float64, len(a.villages))
	hazard := map[*unit]float64{}
	for _, h := range g.hazards {
		hazard[h.unit.parent] += float64(6-h.level) * 0.5
	}
	vi := map[*unit]int{}
	for i, v := range a.villages {
		vi[v] = i
		flood := 0.0
		for range 60 {
			q := v.seat.add(heading(r.between(0, 7)).mul(1100 * math.Sqrt(r.Float64())))
			if g.floodDepth(q, 50) > 0 {
				flood += 1.0 / 60
			}
		}
		score[i] = 0.35*math.Min(1.4, hazard[v]/6) + 1.3*flood + 0.5*v.wild + 0.25*math.Log10(1+float64(v.people)/math.Max(v.km2, 0.1))/2 + 0.12*n.fbm(v.seat.x, v.seat.y, 9000, 2)
	}
	rank := append([]float64(nil), score...)
	sort.Float64s(rank)
	at := func(q float64) float64 { return rank[int(q*float64(len(rank)-1))] }
	level5, level3 := make([]int, len(score)), make([]int, len(score))
	for i, s := range score {
		switch {
		case s > at(0.93):
			level5[i] = 1
		case s > at(0.77):
			level5[i] = 2
		case s > at(0.5):
			level5[i] = 3
		case s > at(0.22):
			level5[i] = 4
		default:
			level5[i] = 5
		}
		level3[i] = []int{0, 1, 1, 2, 3, 3}[level5[i]]
		if level5[i] == 2 && s < at(0.84) {
			level3[i] = 2
		}
	}
	near := touching(g.t.z, a.village, len(a.villages))
	plan := func(title, kind string, level []int, names []string, measure []string) {
		p := Plan{ID: g.id(), Series: g.id(), Hazard: "multi", Kind: kind, Title: title, AdminCode: countyCode, DocumentNo: fmt.Sprintf("示例政办〔%d〕%d号", g.now.Year(), 10+len(g.c.Plans)),
			EffectiveFrom: g.now.AddDate(0, -4, 0).Truncate(24 * time.Hour), Method: map[string]any{
				"indicators": []string{"隐患点密度", "淹没比例", "地形", "人口密度"}, "combine": "加权求和", "classes": "分位数 0.22/0.50/0.77/0.93", "unit": "村", "note": "演示"}}
		g.c.Plans = append(g.c.Plans, p)
		// Villages of one township and level that touch make one zone.
		zone := make([]int, len(a.villages))
		for i := range zone {
			zone[i] = -1
		}
		var zones [][]int
		for i, v := range a.villages {
			if zone[i] >= 0 {
				continue
			}
			set := connected(near, int32(i), func(j int32) bool {
				return a.villages[j].parent == v.parent && level[j] == level[i]
			})
			var list []int
			for j := range set {
				zone[j] = len(zones)
				list = append(list, int(j))
			}
			sort.Ints(list)
			zones = append(zones, list)
		}
		index := map[int32]int{}
		for k, x := range a.grids {
			index[int32(k)] = zone[vi[x.parent]]
		}
		shapes := a.topo.shapes(len(zones), func(l int32) int {
			if l < 0 {
				return -1
			}
			return index[l]
		})
		for k, list := range zones {
			v := a.villages[list[0]]
			lv := level[list[0]]
			pop, km2 := 0, 0.0
			for _, j := range list {
				pop += a.villages[j].people
				km2 += a.villages[j].km2
			}
			code := v.parent.code
			if len(list) == 1 {
				code = v.code
			}
			f := map[string]any{
				"plan": p.ID, "zone": g.id(), "kind": kind, "hazard": "multi", "level": lv, "published": true, "population": pop, "area_km2": r2(km2),
				"reason": fmt.Sprintf("综合指数所在分级:%s", names[lv-1]), "countermeasure": measure[lv-1], "responsible": v.parent.name + "人民政府",
				"valid_from": p.EffectiveFrom,
			}
			g.add("zones", v.parent.short()+names[lv-1], code, toMulti(shapes[k], fineLonLat), f)
		}
	}
	plan("示例县自然灾害综合风险区划", "risk", level5, []string{"高风险区", "中高风险区", "中风险区", "中低风险区", "低风险区"}, []string{
		"优先搬迁避让与工程治理;汛期24小时专人值守;暴雨橙色以上预警先行转移。", "加密监测,落实群测群防;完善排水与避险路线。", "定期巡查,更新应急预案,开展演练。", "常规巡查与宣传。", "保持常规管理。"})
	plan("示例县自然灾害综合防治区划", "prevention", level3, []string{"重点防治区", "次重点防治区", "一般防治区"}, []string{
		"编制专项防治方案,三年内完成重大隐患治理,建设避难场所与应急通道。", "每年汛前排查,隐患点落实监测预警。", "结合国土空间规划落实避让要求。"})
}
