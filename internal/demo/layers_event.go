package demo

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// stormCentre is where tonight's rain is heaviest: in the mountains, upstream of
// the county town.
func (g *world) stormCentre() pt {
	best, at := math.Inf(-1), g.a.seat
	for _, v := range g.a.villages {
		if s := math.Min(v.wild, 0.9)*3.2 - math.Abs(v.seat.dist(g.a.seat)-19000)/9000; s > best {
			best, at = s, v.seat
		}
	}
	return at
}

// openForRain opens some shelters near the storm.
func (g *world) openForRain(r rng, s *shelter, f map[string]any) {
	d := s.p.dist(g.stormCentre())
	if d > 13000 || s.rank == 3 || s.state == "disabled" || s.class == "air_raid" {
		return
	}
	if r.chance(0.75 - d/20000) {
		s.state = "open"
		f["state"] = "open"
		n := int(float64(s.capacity) * r.between(0.03, 0.35))
		if r.chance(0.05) {
			n, f["state"] = s.capacity, "full"
		}
		f["occupancy"] = n
		f["confirmed_at"] = g.ago(hours(r.between(0.1, 1.2)))
	}
}

// stormArea is the warned area, an organic outline within the county.
func (g *world) stormArea(c pt, rx, ry, tilt float64) polygon {
	n := newRNG(g.seed, "storm").noise()
	ax := heading(tilt)
	f := newField(c.sub(pt{rx * 1.6, rx * 1.6}), c.add(pt{rx * 1.6, rx * 1.6}), 200)
	f.set(func(p pt) float64 {
		d := p.sub(c)
		in := g.inside(p)
		if in == 0 {
			return -1
		}
		return math.Min((in-0.52)*2, 1-math.Hypot(d.dot(ax)/rx, d.dot(ax.left())/ry)+0.16*n.fbm(p.x, p.y, 9000, 2))
	})
	out := f.outline(1e6)
	return out[0].thinned(30).rounded()
}

func alertID(code int, at time.Time, n int) string {
	return fmt.Sprintf("%s41600%03d_%s_%d", countyCode, code, at.In(beijing()).Format("20060102150405"), n)
}

// beijing is the zone of the identifiers, which their standard fixes.
func beijing() *time.Location { return time.FixedZone("CST", 8*3600) }

func (g *world) eventLayers() {
	r := newRNG(g.seed, "events")
	storm := g.stormCentre()
	// Warnings in force and past.
	alert := func(event, code, hazard string, level int, sent, life time.Duration, state, msg string, poly polygon, headline, text, do string) {
		at := g.ago(sent)
		f := map[string]any{
			"identifier": alertID(level, at, 0), "event": event, "event_code": code, "hazard": hazard, "level": level, "status": "Actual", "msg_type": msg,
			"sender": map[bool]string{true: "示例县气象台", false: "示例县自然资源和规划局、县气象局"}[code != "11D01"], "sent_at": at, "effective": at, "expires": at.Add(life), "headline": headline, "description": text, "instruction": do, "state": state,
		}
		if code == "11A01" {
			f["sender"] = "示例县水文站"
		}
		g.add("alerts", headline, countyCode, toPolygon(poly, lonLat), f)
	}
	town := func(p pt) string {
		if v := g.villageOf(p); v != nil {
			return v.parent.name
		}
		return "西北部"
	}
	alert("暴雨", "11B03", "rainstorm", 1, hours(1.2), hours(6), "active", "Update", g.stormArea(storm, 11000, 8000, 0.7), "示例县气象台发布暴雨红色预警信号",
		fmt.Sprintf("过去3小时%s等乡镇降雨量已达100毫米以上,预计未来3小时降雨仍将持续,山洪、地质灾害风险极高。", town(storm)),
		"1.停止集会、停课、停业;2.地质灾害隐患点群众立即转移;3.各级责任人到岗到位。")
	alert("暴雨", "11B03", "rainstorm", 3, hours(2.4), hours(12), "active", "Alert", g.stormArea(storm.lerp(g.a.seat, 0.4), 23000, 17000, 0.6), "示例县气象台发布暴雨黄色预警信号",
		"预计未来6小时我县西部、北部降雨量将达50毫米以上。", "注意防范强降雨引发的次生灾害,低洼地区做好排水。")
	alert("地质灾害气象风险", "11D01", "landslide", 2, hours(1.0), hours(24), "active", "Alert", g.stormArea(storm.add(pt{800, -900}), 13500, 9500, 0.8), "示例县发布地质灾害气象风险橙色预警",
		"预计未来24小时,西北部山区发生滑坡、崩塌、泥石流等地质灾害的可能性大。", "受威胁人员提前转移,暂停切坡作业,加密巡查。")
	alert("洪水", "11A01", "flood", 4, hours(0.6), hours(18), "active", "Alert", g.stormArea(g.a.seat.add(pt{-2500, 800}), 8000, 3200, 0.1), "青沅河发布洪水蓝色预警",
		"受上游来水影响,青沅河沅阳段水位将在6小时内接近警戒水位。", "沿河单位注意防范,船只回港,巡堤查险。")
	alert("大风", "11B06", "gale", 4, hours(75), hours(24), "expired", "Alert", g.stormArea(pt{42000, 32000}, 22000, 17000, 0.2), "示例县气象台发布大风蓝色预警信号", "平均风力6级,阵风7至8级。", "加固广告牌和临时搭建物。")
	alert("雷电", "11B14", "lightning", 3, hours(130), hours(6), "cancelled", "Cancel", g.stormArea(pt{46000, 24000}, 16000, 12000, 1.2), "示例县气象台解除雷电黄色预警信号", "雷电活动已移出。", "恢复正常生产生活。")
	alert("高温", "11B09", "high_temperature", 2, hours(24*12), hours(24), "expired", "Alert", g.stormArea(pt{42000, 25000}, 24000, 16000, 0.1), "示例县气象台发布高温橙色预警信号", "最高气温将升至37℃以上。", "停止户外露天作业,防火防中暑。")

	g.incidents(r, storm)
}

// incidentSeed is a kind of event with where and how it is told.
type incidentSeed struct {
	kind, class, code, zh string
	at                    func() (pt, *unit, string)
	text                  []string
	weight                float64
	affected              [2]int
}

func (g *world) incidentKinds(r rng) []incidentSeed {
	house := func(ok func(*building) bool) func() (pt, *unit, string) {
		return func() (pt, *unit, string) {
			for range 3000 {
				if b := pick(r, g.b.buildings); ok(b) {
					return b.box.c, b.grid, b.grid.parent.name
				}
			}
			b := g.b.buildings[0]
			return b.box.c, b.grid, b.grid.parent.name
		}
	}
	city := house(func(b *building) bool { return b.box.c.dist(g.a.seat) < 1800 && b.persons > 0 })
	rural := house(func(b *building) bool { return b.use == "rural_house" && b.persons > 0 })
	old := house(func(b *building) bool { return b.danger == "C" || b.danger == "D" })
	road := func(max int) func() (pt, *unit, string) {
		return func() (pt, *unit, string) {
			for range 3000 {
				rd := pick(r, g.roads)
				if rd.class > max {
					continue
				}
				p, _ := along(rd.line, r.between(0, polyLength(rd.line)))
				if u := g.grid(p); u != nil {
					return p, u, rd.name
				}
			}
			return city()
		}
	}
	slope := func() (pt, *unit, string) { h := pick(r, g.hazards); return h.p, h.unit, h.unit.parent.name }
	low := func() (pt, *unit, string) {
		for range 3000 {
			rv := pick(r, g.w.rivers)
			p := pick(r, rv.line).add(heading(r.between(0, 6)).mul(60))
			if u := g.grid(p); u != nil && g.floodDepth(p, 20) > 0 {
				return p, u, rv.name + "沿岸"
			}
		}
		return rural()
	}
	wood := func() (pt, *unit, string) {
		for range 3000 {
			p := pt{r.between(0, domainW), r.between(0, domainH)}
			if u := g.grid(p); u != nil && g.t.wild.at(p) > 0.45 {
				return p, u, u.parent.name + "后山"
			}
		}
		return rural()
	}
	plantAt := func() (pt, *unit, string) {
		for range 200 {
			p := pick(r, g.plants)
			if u := g.grid(p.box.c); u != nil && len(p.chems) > 0 {
				return p.tanks.c, u, p.name
			}
		}
		return city()
	}
	return []incidentSeed{
		{"waterlogging", "natural", "11A05", "积水", city, []string{"低洼处积水约40厘米,两轮车无法通行", "下穿通道积水,已封闭"}, 6, [2]int{0, 60}},
		{"landslide", "natural", "11D01", "滑坡", slope, []string{"土方下滑约200立方米,威胁下方住户", "坡体变形加剧,裂缝贯通"}, 3, [2]int{3, 40}},
		{"collapse", "natural", "11D02", "崩塌", slope, []string{"落石掉入村道", "危岩掉块,约15立方米"}, 2, [2]int{0, 12}},
		{"debris_flow", "natural", "11D03", "泥石流", slope, []string{"沟口涌出泥石,淤塞涵洞"}, 0.7, [2]int{4, 60}},
		{"flood", "natural", "11A01", "洪水", low, []string{"河水漫过便桥,三户被围", "农田进水"}, 2, [2]int{6, 120}},
		{"house_collapse", "natural", "11C09", "房屋倒损", old, []string{"土木房后墙倒塌,人员已提前撤离", "屋顶部分垮塌"}, 2, [2]int{0, 6}},
		{"road_damage", "accident", "12B03", "道路损毁", road(classVillage), []string{"路基掏空,半幅塌陷", "涵洞冲毁,道路中断"}, 3, [2]int{0, 20}},
		{"traffic", "accident", "12A01", "交通事故", road(classCounty), []string{"两车追尾,3人轻伤", "货车侧翻,占用一条车道", "摩托车与小客车相撞"}, 8, [2]int{1, 6}},
		{"fire", "accident", "12B01", "火灾", city, []string{"居民厨房起火,已扑灭", "仓储间冒烟,疏散12人", "电动车充电起火"}, 6, [2]int{0, 24}},
		{"forest_fire", "natural", "11G01", "森林火情", wood, []string{"农事用火失控,过火约8亩,明火已扑灭", "林下冒烟,半专业队前往"}, 2, [2]int{0, 3}},
		{"hazchem", "accident", "12D01", "危化品泄漏", plantAt, []string{"法兰渗漏,企业自行处置", "装卸软管脱落,少量泄漏,已围堵"}, 1.2, [2]int{0, 15}},
		{"gas", "accident", "12D02", "燃气泄漏", city, []string{"施工挖断中压管,关阀抢修", "室内燃气异味,已通风关阀"}, 2, [2]int{2, 60}},
		{"power", "accident", "12C01", "供电中断", rural, []string{"雷击跳闸,320户停电", "倒杆断线,正在抢修"}, 4, [2]int{40, 400}},
		{"tree", "natural", "11B06", "树木倒伏", road(classStreet), []string{"行道树倒伏占道", "大树压断通信线"}, 4, [2]int{0, 3}},
		{"drowning", "accident", "12E01", "溺水", low, []string{"一人野泳遇险,已救起"}, 0.8, [2]int{1, 1}},
		{"trapped", "accident", "12E02", "人员被困", wood, []string{"四名徒步者迷路,已联系上", "采药人摔伤"}, 1, [2]int{1, 5}},
		{"telecom", "accident", "12C03", "通信中断", rural, []string{"基站退服,覆盖三个村", "光缆被落石砸断"}, 1.5, [2]int{80, 600}},
		{"earthquake", "natural", "11C01", "地震", wood, []string{"M2.6级,部分群众有感,无灾情"}, 0.3, [2]int{0, 0}},
		{"hotline", "security", "", "热线诉求", city, []string{"反映小区消防通道被堵", "反映井盖缺失", "反映河边护栏损坏"}, 4, [2]int{0, 1}},
		{"health", "health", "13A01", "公共卫生", city, []string{"学校食堂腹泻5人,已采样"}, 0.4, [2]int{3, 12}},
	}
}

func (g *world) incidents(r rng, storm pt) {
	kinds := g.incidentKinds(r)
	w := make([]float64, len(kinds))
	for i, k := range kinds {
		w[i] = k.weight
	}
	type item struct {
		k   incidentSeed
		age float64 // hours
	}
	var list []item
	for range 118 {
		list = append(list, item{kinds[r.weighted(w)], r.between(10, 24*46)})
	}
	rainKinds := []int{0, 0, 1, 1, 2, 3, 4, 4, 5, 6, 6, 12, 13, 16, 7}
	for _, i := range rainKinds {
		list = append(list, item{kinds[i], r.between(0.2, 5)})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].age > list[j].age })
	var live []*liveIncident
	for n, it := range list {
		k := it.k
		p, u, place := k.at()
		if it.age < 8 && k.class == "natural" {
			// Tonight's natural events lie under the storm.
			for range 60 {
				if p.dist(storm) < 15000 || k.kind == "waterlogging" {
					break
				}
				p, u, place = k.at()
			}
		}
		if u == nil {
			continue
		}
		at := g.ago(hours(it.age))
		level := 4
		if r.chance(0.07) {
			level = 3
		}
		if it.age < 3 && k.kind == "debris_flow" {
			level = 2
		}
		f := map[string]any{
			"code": fmt.Sprintf("SJ-%s-%s-%04d", countyCode, at.Format("2006"), n+1), "kind": k.kind, "class": k.class, "level": level, "level_proposed": level,
			"occurred_at": at, "known_at": at.Add(time.Duration(r.intBetween(2, 25)) * time.Minute), "place": g.address(u) + place, "description": pick(r, k.text),
			"source": pick(r, []string{"网格员", "110联动", "119联动", "群众电话", "乡镇报告", "监测设备"}), "emergency_dept": "县应急管理局",
			"deaths": 0, "missing": 0, "injured": 0, "affected": r.intBetween(k.affected[0], k.affected[1]), "evacuated": 0, "loss_wan": r1(r.between(0, 18)),
		}
		if k.code != "" {
			f["type_code"] = k.code
		}
		if k.kind == "traffic" {
			f["injured"] = r.intBetween(0, 3)
		}
		switch {
		case it.age > 24*7:
			f["state"] = "archived"
		case it.age > 20:
			f["state"] = "closed"
		case it.age < 0.5:
			f["state"] = "received"
		case it.age < 1.1:
			f["state"] = "verified"
		default:
			f["state"] = "responding"
		}
		if f["state"] == "archived" || f["state"] == "closed" {
			f["closed_at"] = at.Add(hours(math.Min(it.age-0.5, r.between(1, 30))))
		}
		if k.class == "natural" && it.age < 8 && k.kind != "waterlogging" {
			f["evacuated"] = r.intBetween(0, 40)
		}
		// A level is confirmed by a person after a while; before that it is only proposed.
		known := f["known_at"].(time.Time)
		f["figures_at"] = known
		if it.age >= 1.1 {
			f["verified_at"], f["responding_at"] = known.Add(9*time.Minute), known.Add(16*time.Minute)
			f["level_at"], f["level_by"] = known.Add(21*time.Minute), "值班长"
		} else {
			delete(f, "level")
			if f["state"] == "verified" {
				f["verified_at"] = known.Add(9 * time.Minute)
			}
		}
		if f["state"] == "archived" {
			f["archived_at"] = f["closed_at"].(time.Time).Add(hours(24))
		}
		if n%17 == 5 && it.age > 48 {
			f["exercise"] = true
			f["description"] = "演练:" + f["description"].(string)
		}
		id := g.add("incidents", g.shortPlace(u, place)+k.zh, u.code, lonLat(p), f)
		if it.age < 9 {
			live = append(live, &liveIncident{id, k, p, u})
		}
	}
	g.sketches(r, live)
	g.blocks(r, storm)
}

func (g *world) shortPlace(u *unit, place string) string {
	if len([]rune(place)) > 10 {
		return u.parent.name
	}
	return place
}

type liveIncident struct {
	id string
	k  incidentSeed
	p  pt
	u  *unit
}

// sketches draws what the command post has put on the map.
func (g *world) sketches(r rng, live []*liveIncident) {
	n := newRNG(g.seed, "sketches").noise()
	made := 0
	for _, l := range live {
		if l.k.kind != "landslide" && l.k.kind != "debris_flow" && l.k.kind != "flood" && l.k.kind != "hazchem" && made > 1 {
			continue
		}
		if made >= 6 {
			return
		}
		made++
		down := g.t.downhill(l.p)
		area := blobRing(n, l.p.add(down.mul(60)), 95, 0.3, down, 1.4, 34)
		ring := blobRing(n, l.p.add(down.mul(60)), 210, 0.18, down, 1.3, 40)
		f := func(kind, note string) map[string]any {
			return map[string]any{"incident": l.id, "kind": kind, "note": note, "valid_from": g.ago(hours(r.between(0.1, 2)))}
		}
		code := g.code(ring[0]...)
		g.add("incident_sketches", "影响范围", g.code(area[0]...), toPolygon(area, lonLat), f("affected_area", "现场勘查"))
		g.add("incident_sketches", "警戒区", code, toPolygon(ring, lonLat), f("cordon", "无关人员不得进入"))
		at, dir, _, ok := g.b.idx.nearest(l.p.add(down.mul(330)), 600)
		if !ok {
			continue
		}
		g.add("incident_sketches", "现场指挥部", g.code(at), lonLat(at), f("command_post", "县应急管理局现场工作组"))
		g.add("incident_sketches", "集结地", g.code(at), lonLat(at.add(dir.mul(90))), f("assembly", "车辆、物资集结"))
		g.add("incident_sketches", "管控卡口", g.code(at), lonLat(at.sub(dir.mul(140))), f("checkpoint", "只出不进"))
		best, to := math.Inf(1), at
		for _, s := range g.shelters {
			if d := s.p.dist(at); d < best && d > 250 {
				best, to = d, s.p
			}
		}
		if way := g.roadWay(at, to); len(way) > 1 {
			g.add("incident_sketches", "疏散路线", g.code(sample(way, 12)...), toLine(way), f("evacuation_route", "向避难场所疏散"))
		}
	}
}

// roadWay is a way along the planned roads between two places.
func (g *world) roadWay(a, b pt) []pt {
	goal := g.net.g.index(b)
	path := g.net.find(g.net.g.index(a), &b, 0.25, 600, func(i int) bool { return i == goal })
	if path == nil {
		return nil
	}
	l := []pt{a}
	for i := len(path) - 2; i > 0; i-- {
		l = append(l, g.net.g.centre(path[i]))
	}
	return simplify(relax(append(l, b), 3), 6)
}

func (g *world) blocks(r rng, storm pt) {
	n := 0
	for range 9000 {
		rd := pick(r, g.roads)
		if rd.class > classVillage || rd.class == classExpressway || n >= 14 || polyLength(rd.line) < 500 {
			continue
		}
		s := r.between(100, polyLength(rd.line)-200)
		p, _ := along(rd.line, s)
		u := g.grid(p)
		if u == nil || n < 9 && p.dist(storm) > 16000 || g.t.slope.at(p) < 0.08 && n < 7 {
			continue
		}
		var l []pt
		for d := 0.0; d <= 90; d += 15 {
			q, _ := along(rd.line, s+d)
			l = append(l, q)
		}
		if toLine(l)[0] == toLine(l)[len(toLine(l))-1] {
			continue
		}
		n++
		at := g.ago(hours(r.between(0.3, 6)))
		f := map[string]any{"cause": pick(r, []string{"landslide", "flood", "landslide", "collapse"}), "road": rd.name, "state": "blocked", "blocked_at": at,
			"expected_at": at.Add(hours(r.between(4, 16))), "detour": pick(r, []string{"经邻近乡道绕行", "大型车辆禁行,小车经村道绕行", "无绕行线路"}), "competent_dept": "县交通运输局"}
		if n > 9 {
			at = g.ago(hours(24 * r.between(2, 30)))
			f["blocked_at"], f["expected_at"], f["reopened_at"], f["state"] = at, at.Add(hours(6)), at.Add(hours(r.between(2, 9))), "reopened"
			f["cause"] = pick(r, []string{"accident", "works", "landslide"})
		} else if n%4 == 0 {
			f["state"] = "one_lane"
		}
		g.add("road_blocks", rd.name+map[string]string{"landslide": "塌方", "flood": "水毁", "collapse": "路基塌陷", "accident": "事故", "works": "施工"}[f["cause"].(string)], g.code(l...), toLine(l), f)
	}
}

// assign names who answers for what. The telephone numbers begin with 000, which
// no network gives out.
func (g *world) assign() {
	r := newRNG(g.seed, "people")
	phone := func() string { return fmt.Sprintf("000-9901-%04d", r.intBetween(0, 9999)) }
	n := 0
	add := func(kind, layer, feature, code, unit, post, deputyPost string) {
		n++
		g.c.Responsibilities = append(g.c.Responsibilities, Responsibility{
			Key: fmt.Sprintf("resp-%05d", n), Kind: kind, Layer: layer, Feature: feature, AdminCode: code, Unit: unit, Post: post, Person: person(r),
			DeputyPost: deputyPost, Deputy: person(r), Phone: phone(), DeputyPhone: phone(),
		})
	}
	add("administrative", "", "", countyCode, "示例县人民政府", "分管副县长", "县应急管理局局长")
	add("technical", "", "", countyCode, "县应急管理局", "总工程师", "综合减灾股股长")
	add("patrol", "", "", countyCode, "县应急管理局", "值班室主任", "值班员")
	for _, t := range g.a.towns {
		add("administrative", "", "", t.code, t.name+"人民政府", "乡镇长", "分管副乡镇长")
		add("technical", "", "", t.code, t.name+"人民政府", "应急管理站站长", "自然资源所所长")
		add("patrol", "", "", t.code, t.name+"人民政府", "应急办主任", "应急办干事")
		for _, v := range t.children {
			add("administrative", "", "", v.code, v.name, "村(社区)主任", "副主任")
			add("patrol", "", "", v.code, v.name, "网格长", "网格员")
		}
	}
	for _, h := range g.hazards {
		if h.hazard == "earthquake" {
			continue
		}
		v := h.unit.parent
		add("administrative", "hazards", h.id, v.code, v.parent.name+"人民政府", "包保领导", "驻村干部")
		add("technical", "hazards", h.id, v.code, "县自然资源和规划局", "地质灾害防治技术员", "地质环境监测站技术员")
		add("patrol", "hazards", h.id, v.code, v.name, "群测群防员", "网格员")
	}
	for _, f := range g.c.features {
		if f.Layer == "rivers" && f.Fields["kind"] == "reservoir" {
			id, name := f.Fields["id"].(string), f.Fields["name"].(string)
			add("administrative", "rivers", id, f.Code, "示例县人民政府", "水库大坝安全政府责任人", "县水利局局长")
			add("technical", "rivers", id, f.Code, "县水利局", "水库大坝技术责任人", "水工股股长")
			add("patrol", "rivers", id, f.Code, name+"管理所", "水库巡查责任人", "巡查员")
		}
		if f.Layer == "hazard_sources" && f.Fields["level"] != nil {
			add("administrative", "hazard_sources", f.Fields["id"].(string), f.Code, f.Fields["enterprise_name"].(string), "主要负责人", "安全总监")
		}
	}
	// A week of duty, today in the middle; shifts change at eight in the morning
	// Beijing time.
	day := time.Date(g.now.Year(), g.now.Month(), g.now.Day(), 0, 0, 0, 0, time.UTC).AddDate(0, 0, -4)
	for d := range 9 {
		from := day.AddDate(0, 0, d)
		for _, role := range []struct{ role, post string }{{"leader", "带班领导"}, {"officer", "值班员"}, {"officer", "值班员"}, {"driver", "驾驶员"}, {"technician", "技术值守"}} {
			g.c.Duties = append(g.c.Duties, Duty{Key: fmt.Sprintf("duty-%04d", len(g.c.Duties)+1), AdminCode: countyCode, Role: role.role, Unit: "县应急管理局", Post: role.post, Person: person(r), Phone: phone(), Starts: from, Ends: from.Add(24 * time.Hour)})
		}
		for _, t := range g.a.towns {
			g.c.Duties = append(g.c.Duties, Duty{Key: fmt.Sprintf("duty-%04d", len(g.c.Duties)+1), AdminCode: t.code, Role: "officer", Unit: t.name + "人民政府", Post: "值班员", Person: person(r), Phone: phone(), Starts: from, Ends: from.Add(24 * time.Hour)})
		}
	}
}
