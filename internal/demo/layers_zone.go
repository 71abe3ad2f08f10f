package demo

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// zoneLayer writes a risk plan and a prevention plan over the villages, and the version
// of the risk plan that was in force the year before.
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
	grade := func(s float64) int {
		switch {
		case s > at(0.93):
			return 1
		case s > at(0.77):
			return 2
		case s > at(0.5):
			return 3
		case s > at(0.22):
			return 4
		}
		return 5
	}
	level5, level3, former := make([]int, len(score)), make([]int, len(score)), make([]int, len(score))
	for i, s := range score {
		level5[i] = grade(s)
		// A year ago a few villages stood otherwise.
		former[i] = grade(s + 0.16*n.fbm(a.villages[i].seat.x+90000, a.villages[i].seat.y, 6000, 2))
		level3[i] = []int{0, 1, 1, 2, 3, 3}[level5[i]]
		if level5[i] == 2 && s < at(0.84) {
			level3[i] = 2
		}
	}
	near := touching(g.t.z, a.village, len(a.villages))
	area := toMulti(a.topo.shapes(1, func(l int32) int {
		if l < 0 {
			return -1
		}
		return 0
	})[0], fineLonLat)
	known := map[string]map[int]string{}
	plan := func(p Plan, level []int, names []string, measure []string) {
		p.ID, p.Hazard, p.AdminCode, p.Responsible, p.Area = g.id(), "multi", countyCode, "示例县应急管理局", area
		p.DocumentNo = fmt.Sprintf("示例政办〔%d〕%d号", p.EffectiveFrom.Year(), 10+len(g.c.Plans))
		if p.Series == "" {
			p.Series = g.id()
		}
		p.Method = map[string]any{"indicators": []string{"隐患点密度", "淹没比例", "地形", "人口密度"}, "combine": "加权求和", "classes": "分位数 0.22/0.50/0.77/0.93", "unit": "村", "note": "演示"}
		g.c.Plans = append(g.c.Plans, p)
		if known[p.Series] == nil {
			known[p.Series] = map[int]string{}
		}
		identity := known[p.Series]
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
				"plan": p.ID, "zone": zoneID(identity, list[0], g.id), "kind": p.Kind, "hazard": "multi", "level": lv, "published": true, "population": pop, "area_km2": r2(km2),
				"reason": fmt.Sprintf("综合指数所在分级:%s", names[lv-1]), "countermeasure": measure[lv-1], "responsible": v.parent.name + "人民政府",
				"valid_from": p.EffectiveFrom,
			}
			if !p.EffectiveTo.IsZero() {
				f["valid_to"] = p.EffectiveTo
			}
			g.add("zones", v.parent.short()+names[lv-1], code, toMulti(shapes[k], fineLonLat), f)
		}
	}
	risk := []string{"高风险区", "中高风险区", "中风险区", "中低风险区", "低风险区"}
	measures := []string{
		"优先搬迁避让与工程治理;汛期24小时专人值守;暴雨橙色以上预警先行转移。", "加密监测,落实群测群防;完善排水与避险路线。", "定期巡查,更新应急预案,开展演练。", "常规巡查与宣传。", "保持常规管理。"}
	now := g.now.AddDate(0, -4, 0).Truncate(24 * time.Hour)
	before := Plan{Kind: "risk", Title: "示例县自然灾害综合风险区划", Version: 1, EffectiveFrom: now.AddDate(-1, 0, 0), EffectiveTo: now}
	plan(before, former, risk, measures)
	first := g.c.Plans[len(g.c.Plans)-1]
	plan(Plan{Kind: "risk", Title: first.Title, Series: first.Series, Parent: first.ID, Version: 2, EffectiveFrom: now}, level5, risk, measures)
	plan(Plan{Kind: "prevention", Title: "示例县自然灾害综合防治区划", Version: 1, EffectiveFrom: now}, level3, []string{"重点防治区", "次重点防治区", "一般防治区"}, []string{
		"编制专项防治方案,三年内完成重大隐患治理,建设避难场所与应急通道。", "每年汛前排查,隐患点落实监测预警。", "结合国土空间规划落实避让要求。"})
}

// zoneID is the identity of a zone by the first of its villages: in the next version the
// zone that begins with the same village is the same zone.
func zoneID(known map[int]string, village int, fresh func() string) string {
	if known[village] == "" {
		known[village] = fresh()
	}
	return known[village]
}
