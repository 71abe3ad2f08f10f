package demo

import (
	"fmt"
	"math"
	"slices"
)

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

// roadDistance is how far every cell is from the nearest road, by passing the
// distance from cell to cell forth and back (chamfer).
func (g *world) roadDistance() *grid {
	d := newGrid(100)
	d.fill(1e6)
	for _, rd := range g.roads {
		for i := 1; i < len(rd.line); i++ {
			d.stamp(rd.line[i-1], rd.line[i], 100, func(c int, dist, _ float64) {
				d.v[c] = min(d.v[c], float32(dist))
			})
		}
	}
	pass := func(i int, dirs ...int) {
		for _, k := range dirs {
			if j := d.neighbour(i, k); j >= 0 {
				d.v[i] = min(d.v[i], d.v[j]+float32(stepLen(k)*d.cell))
			}
		}
	}
	for i := range d.v {
		pass(i, 2, 3, 6, 7)
	}
	for i := range slices.Backward(d.v) {
		pass(i, 0, 1, 4, 5)
	}
	return d
}

// floodDepth is how high the water of a return period stands over the ground.
func (g *world) floodDepth(p pt, years float64) float64 {
	km2 := g.w.size.near(p)
	d := g.w.dist.at(p)
	if km2 < 20 || d > 1600 || g.w.pool.near(p) > 0 {
		return -3
	}
	keep := math.Inf(1)
	if town := p.dist(g.a.seat); years <= 20 && town < 2600 {
		// The town's levee holds.
		keep = 0.05*(width(km2*1e6)/2+42-d) + 4*smoothstep(2000, 2600, town)
	}
	stage := math.Pow(km2, 0.27) * (0.155*math.Log(years) - 0.15)
	return math.Min(keep, stage-(g.t.z.at(p)-g.w.stream.at(p))-d*0.0034)
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
	// Slopes that slide.
	slide := func(p pt) float64 {
		var s float64
		for k := range 9 {
			q := p
			if k > 0 {
				q = p.add(heading(float64(k) * math.Pi / 4).mul(170))
			}
			s += g.t.slope.at(q) / 9
		}
		return s + 0.05*n1.fbm(p.x, p.y, 2600, 3)
	}
	// Only where somebody would be hit: near roads and houses.
	road := g.roadDistance()
	exposed := func(p pt) float64 {
		return slide(p) - 0.16*smoothstep(450, 1000, road.at(p)+250*n2.fbm(p.x, p.y, 900, 2))
	}
	g.band(100, exposed, []float64{0.22, 0.28, 0.36, 9}, 220000, func(k int, p polygon) {
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
		near := 0.25 * math.Max(0, 1-road.at(p)/400)
		if slide(p) > 0.2 && near > 0 {
			return 0
		}
		return wild*0.7 + 1.1*math.Min(g.t.slope.at(p), 0.4) - 0.16*south + 0.22*n3.fbm(p.x, p.y, 4200, 3) - near - math.Max(0, 0.9*(exposed(p)-0.17))
	}, []float64{0.72, 0.86, 1.02, 9}, 1300000, func(k int, p polygon) {
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
			bank := 0.02 * (g.w.dist.at(p) - width(g.w.size.near(p)*1e6)/2 - 8)
			low := 0.0
			for k := range 6 {
				low += g.t.z.at(p.add(heading(float64(k)*math.Pi/3).mul(260))) / 6
			}
			sink := low - g.t.z.at(p)
			return math.Min(math.Min(bank, g.inside(p)-0.6), clamp(sink*0.4, -0.5, 0.4)+1.1*n2.fbm(p.x, p.y, 420, 3)-0.35-1.5*smoothstep(0.35, 0.95, p.dist(t.seat)/reach))
		})
		outs := f.outline(3500)
		for k, p := range outs[:min(len(outs), map[bool]int{true: 14, false: 2}[i == 0])] {
			if n, _ := g.peopleNear(centroid(p[0]), 160); n == 0 {
				continue // nobody would have noted it
			}
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
	}, []float64{0.78, 0.9, 9}, 4e6, func(k int, p polygon) {
		write("暴雨"+[]string{"较高", "高"}[k]+"危险区", p, map[string]any{
			"hazard": "rainstorm", "subtype": "年最大日雨量", "level": 2 - k, "intensity_min": []float64{155, 180}[k], "intensity_max": []float64{180, 240}[k], "intensity_unit": "mm",
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
