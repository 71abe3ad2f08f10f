package demo

import (
	"fmt"
	"slices"
	"time"
)

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
		g.danger(r, u, text, state, k.slug, k.dept, p, pick(r, sources))
	}
	g.measures()
}

// danger writes one record of the ledger with the way it came: each step after the one
// before, the deadline seven or fifteen days after it was graded.
func (g *world) danger(r rng, u *unit, text, state, kind, dept string, p pt, source string) {
	past := map[string][2]float64{"draft": {0.1, 1}, "reported": {0.1, 2}, "verified": {0.5, 3}, "rejected": {1, 30}, "graded": {1, 3}, "pending_approval": {1, 5}, "rectifying": {2, 8}, "reviewing": {4, 10}, "closed": {12, 150}}[state]
	level, limit := 2, 7.0
	if r.chance(0.11) && state != "draft" && state != "reported" && state != "rejected" && state != "verified" || state == "pending_approval" {
		level, limit = 1, 15
	}
	age := r.between(past[0], past[1])
	if level == 1 && state != "graded" && state != "pending_approval" && state != "closed" {
		age += 6
	}
	if (state == "rectifying" || state == "reviewing") && r.chance(0.2) {
		age += limit // late
	}
	found := g.ago(hours(24 * age))
	name := u.parent.name + map[string]string{"geology": "边坡", "flood": "防汛", "fire": "消防", "hazchem": "危化", "building": "房屋", "road": "道路", "power": "用电", "gas": "燃气", "forest": "林火", "water": "涉水", "mine": "矿山"}[kind] + "隐患"
	f := map[string]any{
		"kind": kind, "state": state, "source": source, "description": text, "found_at": found, "listed": false, "competent_dept": dept, "emergency_dept": "县应急管理局",
	}
	id := g.id()
	at, finder := found, person(r)
	var steps []DangerAction
	step := func(action, from, to, note, name, role string, days float64) {
		at = at.Add(hours(24 * days).Truncate(time.Minute))
		if at.After(g.now) {
			at = g.now
		}
		steps = append(steps, DangerAction{Danger: id, Action: action, From: from, To: to, Note: note, Name: name, Role: role, At: at})
	}
	left := func(share float64) float64 { return share * g.now.Sub(at).Hours() / 24 }
	officer, other := person(r), person(r)
	if state == "draft" {
		step("created", "", "draft", "", finder, "grid_worker", 0)
	} else {
		step("reported", "", "reported", "", finder, "grid_worker", 0)
	}
	// Fixed on the spot: the short way, without grade and deadline.
	spot := (state == "reviewing" || state == "closed") && level == 2 && r.chance(0.25)
	order := []string{"verified", "graded", "pending_approval", "rectifying", "reviewing", "closed"}
	reach := slices.Index(order, state)
	if state == "rejected" {
		step("reject", "reported", "rejected", pick(r, []string{"现场核实,不属实", "重复上报", "不属于隐患,已告知"}), officer, "duty_officer", left(0.5))
	}
	if reach >= 0 && !spot {
		g.numberDanger(f, found)
		step("verify", "reported", "verified", "", officer, "duty_officer", min(left(0.3), 0.6))
	}
	unit := pick(r, []string{u.parent.parent.name + "人民政府", u.parent.name + "委员会", dept, dept})
	if reach >= 1 && !spot {
		step("grade", "verified", "graded", "", officer, "duty_officer", min(left(0.3), 0.5))
		due := endOfDay(at.Add(hours(24 * limit)))
		f["level"], f["grade_basis"], f["responsible_unit"], f["due_at"], f["first_due_at"] = level, map[int]string{1: "可能造成群死群伤,整改难度大", 2: "危害较小,可限期整改"}[level], unit, due, due
		f["interim_measure"] = pick(r, []string{"设警示标志,专人巡查", "拉警戒线,暂停使用", "人员暂时撤离", "限速限载通行", "每日两次巡查"})
	}
	from := "graded"
	if level == 1 && reach >= 2 {
		step("submit_plan", "graded", "pending_approval", "", person(r), "unit", min(left(0.3), 1))
		f["plan_responsibility"], f["plan_measures"] = unit+"主要负责人", "编制治理方案,工程治理与监测并行"
		f["plan_funds"], f["plan_deadline"] = fmt.Sprintf("%d 万元,县级财政", 5*r.intBetween(1, 40)), "汛期前完成"
		f["plan_contingency"] = fmt.Sprintf("险情扩大立即转移下方 %d 人", r.intBetween(8, 120))
		from = "pending_approval"
	}
	if reach >= 3 && !spot {
		if level == 1 {
			step("approve", from, "rectifying", "同意方案,挂牌督办", person(r), "approver", min(left(0.3), 1))
			f["listed"], f["listed_at"] = true, at
		} else {
			step("dispatch", from, "rectifying", "", officer, "duty_officer", min(left(0.2), 0.2))
		}
	}
	if reach >= 4 {
		f["rectifier"] = person(r)
		if spot {
			f["fixed_on_spot"], f["rectifier"] = true, finder
			step("fixed", "reported", "reviewing", "当场清理", finder, "grid_worker", min(left(0.2), 0.1))
		} else {
			share := limit * 0.7
			if r.chance(0.12) {
				share = limit * 1.3
			}
			step("rectified", "rectifying", "reviewing", pick(r, []string{"已按要求整改", "工程已完工", "已拆除、清理"}), f["rectifier"].(string), "unit", min(left(0.8), share))
		}
		f["rectified_at"] = at
	}
	if reach >= 5 {
		if spot {
			g.numberDanger(f, found)
		}
		if level == 1 {
			step("unlisted", "reviewing", "reviewing", "验收合格,同意摘牌", person(r), "approver", min(left(0.5), 1))
			f["listed"], f["unlisted_at"] = false, at
		}
		step("close", "reviewing", "closed", "现场复查合格", other, "duty_officer", min(left(0.5), 1.2))
		f["reviewer"], f["closed_at"] = other, at
	}
	g.c.DangerActions = append(g.c.DangerActions, steps...)
	g.put("dangers", id, name, u.code, lonLat(p), f)
	if reach >= 1 {
		g.dangerIDs = append(g.dangerIDs, [2]string{id, kind})
	}
}

// numberDanger gives the number the office would.
func (g *world) numberDanger(f map[string]any, found time.Time) {
	year := found.In(office()).Year()
	if g.c.DangerNumbers == nil {
		g.c.DangerNumbers = map[int]int{}
	}
	g.c.DangerNumbers[year]++
	f["code"] = fmt.Sprintf("YH-%s-%d-%04d", countyCode, year, g.c.DangerNumbers[year])
}

// office is the county's time of day.
func office() *time.Location { return time.FixedZone("Asia/Shanghai", 8*3600) }

// endOfDay is the last second of a day at the office.
func endOfDay(t time.Time) time.Time {
	y, m, d := t.In(office()).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, office()).Add(-time.Second)
}

// measures writes the 制度措施清单, each linked with dangers of its kind.
func (g *world) measures() {
	r := newRNG(g.seed, "measures")
	for i, m := range []struct{ title, kind, content, basis, unit, state, of string }{
		{"地质灾害隐患点群测群防制度", "system", "每点一名监测员、一名责任人;雨前排查、雨中巡查、雨后核查", "地质灾害防治条例", "县自然资源和规划局", "in_force", "geology"},
		{"切坡建房边坡简易治理", "engineering", "清方、截排水沟、坡脚挡墙", "县级年度治理计划", "县自然资源和规划局", "in_force", "geology"},
		{"堤防汛前检查与除险制度", "system", "每年三月完成堤防、涵闸检查,问题入清单", "防汛条例", "县水利局", "in_force", "flood"},
		{"河道清淤与违建拆除专项", "engineering", "分段清淤,拆除阻水违建", "", "县水利局", "planned", "flood"},
		{"消防车通道标线管理和清障机制", "management", "划线、公示、联合清障,每月通报", "消防法 第二十八条", "县消防救援大队", "in_force", "fire"},
		{"电动自行车集中充电点建设", "engineering", "小区外建充电棚,楼道禁充", "", "县住房和城乡建设局", "done", "fire"},
		{"危化品储罐仪表定期标定制度", "technical", "液位计、可燃气体报警器每年标定一次,挂牌", "危险化学品安全管理条例", "县应急管理局", "in_force", "hazchem"},
		{"特殊作业票审批抽查", "management", "动火、受限空间作业票每月抽查", "GB 30871-2022", "县应急管理局", "in_force", "hazchem"},
		{"农村自建房安全排查整治", "management", "一户一档,C、D 级停用", "", "县住房和城乡建设局", "in_force", "building"},
		{"临水临崖路段护栏加装计划", "engineering", "按交通量排序,两年完成", "公路安全保护条例", "县交通运输局", "planned", "road"},
		{"用电线路树障清理制度", "management", "春秋两次清障", "电力设施保护条例", "县发展和改革局", "in_force", "power"},
		{"餐饮场所燃气报警器全覆盖", "technical", "安装报警器和自动切断阀,年检", "城镇燃气管理条例", "县住房和城乡建设局", "in_force", "gas"},
		{"林区坟山防火隔离带维护", "engineering", "清明前完成割打", "森林防火条例", "县林业局", "in_force", "forest"},
		{"山塘水库安全度汛责任制", "system", "每塘一名巡查员,雨天每日一报", "", "县水利局", "in_force", "water"},
		{"矿山边坡与排土场定期监测", "technical", "每月监测位移,异常停产", "矿山安全法", "县应急管理局", "in_force", "mine"},
		{"网格员隐患识别培训", "training", "每季度一次,结合本网格清单", "", "县应急管理局", "in_force", ""},
	} {
		made := g.ago(hours(24 * r.between(20, 200)))
		x := Measure{ID: r.uuidV7(made), Key: fmt.Sprintf("measure-%03d", i+1), Number: fmt.Sprintf("CS-%s-%d-%04d", countyCode, g.now.In(office()).Year(), i+1), AdminCode: countyCode,
			Title: m.title, Kind: m.kind, Content: m.content, Basis: m.basis, Unit: m.unit, Person: person(r), State: m.state}
		if m.state == "planned" {
			x.Due = g.now.Add(hours(24 * r.between(30, 200)))
		}
		if m.state == "done" {
			x.Done = g.ago(hours(24 * r.between(1, 15)))
		}
		for _, d := range g.dangerIDs {
			if d[1] == m.of && r.chance(0.5) || m.of == "" && r.chance(0.06) {
				x.Dangers = append(x.Dangers, d[0])
			}
		}
		g.c.Measures = append(g.c.Measures, x)
	}
}
