package demo

import (
	"fmt"
	"math"
	"time"
)

// hours is a span on full minutes: nobody notes seconds in these books.
func hours(h float64) time.Duration {
	return time.Duration(h * float64(time.Hour)).Truncate(time.Minute)
}

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
