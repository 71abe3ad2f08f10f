package demo

import (
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// reliefLayers writes who comes and with what, and how people are told.
func (g *world) reliefLayers() {
	r := newRNG(g.seed, "relief")
	place := func(kind string, rank int) (pt, *unit, bool) {
		for _, x := range g.b.grounds {
			if x.kind == kind && x.site.rank == rank {
				return x.box.c, x.grid, true
			}
		}
		return pt{}, nil, false
	}
	team := func(name, kind string, n int, ready float64, spec, gear, unit string, p pt, u *unit) {
		if u == nil {
			return
		}
		state := "standby"
		if r.chance(0.18) {
			state = pick(r, []string{"dispatched", "on_site", "off_duty"})
		}
		g.add("teams", name, u.code, lonLat(p), map[string]any{
			"kind": kind, "members": n, "specialities": spec, "equipment": gear, "ready_min": ready, "state": state, "unit": unit, "address": g.address(u), "position_at": g.ago(hours(r.between(0.05, 2))),
			"competent_dept": "县应急管理局",
		})
	}
	if p, u, ok := place("fire", 0); ok {
		team("示例县消防救援大队", "fire", 46, 1, "火灾、破拆、水域", "消防车6辆、冲锋舟3艘、破拆工具组", "示例县消防救援大队", p, u)
		team("示例县危化品处置分队", "hazchem", 18, 5, "泄漏封堵、洗消、侦检", "重型防化服12套、侦检仪、泡沫车", "示例县消防救援大队", p.add(pt{9, 6}), u)
		team("示例县水域救援分队", "water", 22, 8, "激流、打捞", "橡皮艇5艘、水下声呐", "示例县消防救援大队", p.add(pt{-8, 10}), u)
		team("示例县地震救援分队", "earthquake", 30, 30, "废墟搜救", "生命探测仪2台、顶撑设备", "示例县消防救援大队", p.add(pt{12, -9}), u)
	}
	if p, u, ok := place("hospital", 0); ok {
		team("示例县紧急医学救援队", "medical", 28, 10, "创伤、急救转运", "救护车7辆、移动手术单元", "示例县人民医院", p, u)
	}
	if p, u, ok := place("government", 0); ok {
		team("示例县综合应急救援队", "comprehensive", 85, 20, "防汛抢险、道路抢通", "挖掘机2台、抽水泵12台、发电机", "县应急管理局", p, u)
		team("示例县青沅志愿救援队", "social", 46, 40, "山岳、水上、通信保障", "越野车5辆、无人机3架", "县志愿服务联合会", p.add(pt{60, 40}), u)
	}
	for i, t := range g.a.towns {
		var p pt
		var u *unit
		for _, x := range g.b.grounds {
			if x.kind == "government" && x.grid.parent.parent == t && (i > 0 || x.site.rank == 1) {
				p, u = x.box.c, x.grid
			}
		}
		if u == nil {
			p, u = t.seat, g.grid(t.seat)
		}
		team(t.name+"应急救援队", "grassroots", r.intBetween(18, 42), 20, "巡查、转移、道路清障", "皮卡1辆、油锯4把、编织袋2000条", t.name+"人民政府", p.add(pt{14, 4}), u)
		if t.wild > 0.45 {
			team(t.name+"半专业森林消防队", "forest", r.intBetween(15, 30), 25, "林火扑救", "风力灭火机10台、高压水泵2台", t.name+"人民政府", p.add(pt{-20, 12}), u)
		}
		if t.wild > 0.6 {
			team(t.short()+"山岳救援队", "mountain", 16, 35, "绳索、搜寻", "绳索组3套、担架", t.name+"人民政府", p.add(pt{25, -18}), u)
		}
	}
	for _, x := range g.b.grounds {
		if x.kind != "store" {
			continue
		}
		grade, n := "township", r.intBetween(200, 700)
		name := x.grid.parent.parent.short() + "应急物资储备点"
		if x.site.rank == 0 {
			grade, n, name = "county", 6500, "示例县应急物资储备库"
		}
		g.add("warehouses", name, g.code(x.box.ring()...), orb.Polygon{closedRing(x.box.ring(), lonLat)}, map[string]any{
			"grade": grade, "ownership": "government", "area_m2": math.Round(x.size * 0.6), "persons_supported": n,
			"stock": fmt.Sprintf("帐篷%d顶、折叠床%d张、棉被%d床、编织袋%d条、救生衣%d件", n/12, n/3, n/2, n*8, n/6), "unit": "县应急管理局", "address": g.address(x.grid),
		})
	}
	n := 0
	for _, x := range g.b.grounds {
		if x.kind == "committee" && r.chance(0.14) {
			n++
			v := x.grid.parent
			g.add("warehouses", v.short()+"社区应急物资点", x.grid.code, lonLat(x.box.c), map[string]any{
				"grade": "community", "ownership": pick(r, []string{"government", "government", "social"}), "area_m2": math.Round(r.between(18, 60)), "persons_supported": r.intBetween(40, 160),
				"stock": "手摇警报器、铜锣、手电、雨衣、铁锹", "unit": v.name, "address": g.address(x.grid),
			})
		}
	}
	// Loudspeakers in every village, screens in the towns.
	for _, s := range g.sites {
		k := 1
		if s.rank == 0 {
			k = 46
		} else if s.rank == 1 {
			k = 6
		}
		if s.rank == 3 && s.people < 60 && r.chance(0.55) {
			continue
		}
		for i := range k {
			p := s.p.add(heading(float64(i) * 2.399).mul(18 + s.radius*0.9*math.Sqrt(float64(i)/float64(k))))
			u := g.grid(p)
			if u == nil || !g.b.dry(p, 5) {
				continue
			}
			_, hh := g.peopleNear(p, 320)
			kind, name := "loudspeaker", s.name+"应急广播"
			switch {
			case s.rank == 0 && i%4 == 1:
				kind, name = "screen", fmt.Sprintf("城区电子显示屏%d号", i/4+1)
			case s.rank == 0 && i%11 == 5:
				kind, name = "siren", fmt.Sprintf("城区防空防灾警报器%d号", i/11+1)
			case s.rank == 1 && i == 3:
				kind, name = "screen", s.name+"集镇显示屏"
			case i > 0:
				name = fmt.Sprintf("%s应急广播%d号", s.name, i+1)
			}
			g.add("warning_terminals", name, u.code, lonLat(p), map[string]any{
				"kind": kind, "state": []string{"online", "offline", "fault"}[r.weighted([]float64{0.92, 0.05, 0.03})], "covers_households": hh, "operator": "县融媒体中心", "tested_at": g.ago(hours(24 * r.between(1, 60))),
			})
		}
	}
}

// sensorLayers writes the gauges with their present readings: it has been
// raining in the north-west since the evening.
func (g *world) sensorLayers() {
	r := newRNG(g.seed, "sensors")
	storm := g.stormCentre()
	add := func(name, kind, object, measure, unit string, p pt, value float64, th [4]float64, fresh int, op string) {
		u := g.grid(p)
		if u == nil {
			return
		}
		f := map[string]any{"kind": kind, "object_name": object, "measure": measure, "unit": unit, "freshness_s": fresh, "operator": op}
		state := "normal"
		if th != [4]float64{} {
			f["threshold_blue"], f["threshold_yellow"], f["threshold_orange"], f["threshold_red"] = r2(th[0]), r2(th[1]), r2(th[2]), r2(th[3])
			if value >= th[0] {
				state = "warning"
			}
		}
		if r.chance(0.03) {
			state = "no_data"
			f["value_at"] = g.ago(hours(r.between(3, 60)))
		} else {
			f["value"], f["value_at"] = r2(value), g.ago(hours(r.between(0.01, 0.15)))
		}
		f["state"] = state
		g.add("sensors", name, u.code, lonLat(p), f)
	}
	rain := func(p pt) float64 {
		return math.Max(2, 128*math.Exp(-math.Pow(p.dist(storm)/15000, 2))+r.NormFloat64()*5)
	}
	for _, t := range g.a.towns {
		p := t.seat.add(pt{60, 90})
		add(t.short()+"雨量站", "rain", t.name, "3小时雨量", "mm", p, rain(p), [4]float64{30, 40, 50, 100}, 600, "县气象局")
	}
	for _, v := range g.a.villages {
		if !r.chance(0.17 + 0.2*v.wild) {
			continue
		}
		p := v.seat.add(pt{r.between(-200, 200), r.between(-200, 200)})
		add(v.short()+"雨量站", "rain", v.name, "3小时雨量", "mm", p, rain(p), [4]float64{30, 40, 50, 100}, 600, pick(r, []string{"县气象局", "县水利局"}))
	}
	n := 0
	for _, rv := range g.w.rivers {
		if rv.mouthArea() < 6e7 || n > 30 {
			continue
		}
		for i := 20; i < len(rv.line)-4; i += 46 {
			p := rv.line[i].add(rv.line[min(i+2, len(rv.line)-1)].sub(rv.line[i-2]).unit().left().mul(width(rv.area[i])/2 + 6))
			u := g.villageOf(p)
			if u == nil || rv.area[i] < 3e7 {
				continue
			}
			n++
			z := rv.z[i]
			level := z + 0.9 + 3.1*math.Exp(-math.Pow(p.dist(storm)/17000, 2)) + 0.3*r.NormFloat64()
			add(u.short()+"水位站", "river_level", rv.name, "水位", "m", p, level, [4]float64{z + 2.4, z + 3.2, z + 3.9, z + 4.6}, 900, "县水文站")
		}
	}
	for _, rs := range g.w.reservoirs {
		p := rs.dam.sub(rs.dir.mul(30)).add(rs.dir.left().mul(40))
		lim := rs.level - 2.5
		add(rs.name+"水位站", "reservoir_level", rs.name, "库水位", "m", p, lim+r.between(-1.6, 0.9), [4]float64{lim, lim + 0.8, rs.level - 0.8, rs.level}, 900, rs.name+"管理所")
	}
	for _, h := range g.hazards {
		if (h.hazard == "landslide" || h.hazard == "collapse") && h.level <= 2 && r.chance(0.7) {
			add(h.name+"位移计", "displacement", h.name, "累计位移", "mm", h.p, math.Abs(r.NormFloat64())*14, [4]float64{20, 35, 50, 80}, 3600, "县自然资源和规划局")
		}
	}
	for i, p := range g.plants {
		if p.inPark || p.kind == "cold" {
			c := p.chems[0].name
			add(p.name+"气体探测器", "gas", p.name, c+"浓度", "ppm", p.tanks.c.add(p.tanks.u.mul(p.tanks.hw*0.9)), math.Abs(r.NormFloat64())*1.2, [4]float64{10, 15, 20, 40}, 120, p.name)
			if i%3 == 0 {
				add(p.name+"风速站", "wind", p.name, "风速", "m/s", p.box.c, r.between(1.5, 7), [4]float64{10.8, 13.9, 17.2, 20.8}, 300, "化工园区管委会")
			}
		}
	}
	for i := range 9 {
		p := g.a.seat.add(heading(float64(i) * 0.72).mul(500 + 120*float64(i%4)))
		if !g.b.dry(p, 10) {
			continue
		}
		at, _, _, ok := g.b.idx.nearest(p, 200)
		if ok {
			add(fmt.Sprintf("城区%d号积水监测点", i+1), "waterlogging", "城区道路", "积水深", "m", at, math.Max(0, 0.08+0.1*r.NormFloat64()), [4]float64{0.15, 0.25, 0.4, 0.6}, 300, "县城市管理局")
			add(fmt.Sprintf("城区%d号下水道水位计", i+1), "sewer_level", "雨水干管", "充满度", "%", at.add(pt{14, 8}), clamp(45+22*r.NormFloat64(), 5, 99), [4]float64{70, 80, 90, 98}, 300, "县城市管理局")
		}
	}
	for _, rs := range g.w.reservoirs {
		add(rs.name+"视频", "camera", rs.name, "视频", "", rs.dam.add(rs.dir.left().mul(70)), 1, [4]float64{}, 60, rs.name+"管理所")
	}
}
