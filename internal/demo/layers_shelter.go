package demo

import (
	"math"

	"github.com/paulmach/orb"
)

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
