package demo

import (
	"fmt"
	"math"
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
