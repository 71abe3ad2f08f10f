package demo

import (
	"fmt"
	"math"

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
