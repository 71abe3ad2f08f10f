package demo

import (
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/paulmach/orb"
)

// world is everything known while the records are written.
type world struct {
	c      *County
	seed   int64
	now    time.Time
	t      *terrain
	w      *water
	a      *admin
	sites  []*settlement
	net    *roadNet
	b      *builder
	roads  []*road
	names  *namer
	park   *chemPark
	mine   *site
	within *grid
	ids    rng
	tick   time.Time
	seq    map[string]int

	homes    map[[2]int][]*building
	shelters []*shelter
	hazards  []*hazardPoint
	plants   []*plant
	officers map[*unit]string

	dangerIDs [][2]string // accepted ones, with their kind
}

// site is a place of some extent outside the settlements.
type site struct {
	name string
	p    pt
	r    float64
}

const people = 318000

// Generate makes the county.
func Generate(o Options) *County {
	o.Now = o.Now.UTC().Truncate(time.Minute)
	g := &world{c: &County{Options: o}, seed: o.Seed, now: o.Now, ids: newRNG(o.Seed, "ids"), seq: map[string]int{}}
	g.c.w = g
	// Ids carry a clock of their own: they sort in the order of making and stay the
	// same when the county is told from a later hour.
	g.tick = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g.names = &namer{newRNG(o.Seed, "names"), map[string]bool{}}
	g.t = makeTerrain(o.Seed)
	g.w = makeWater(o.Seed, g.t)
	rough := newRNG(o.Seed, "villages").noise()
	town := chooseSeat(g.t, g.w)
	g.w.dam(g.t, 3, func(p pt) bool {
		return countyBlob(rough, p) < 0.72 && p.dist(town) > 7000
	})
	g.a = makeVillages(o.Seed, g.t, g.w)
	g.w.surface(func(p pt) bool { return g.nearCounty(p, 150) })
	g.sites = chooseSites(o.Seed, g.t, g.w, g.a, people)
	g.net = newRoadNet(g.t, g.w, g.a, o.Seed)
	g.net.plan(g.a, g.sites)
	g.net.draw(o.Seed)
	g.b = newBuilder(o.Seed, g.t, g.w, g.a, g.net.roads)
	g.b.planCity(g.sites[0])
	g.b.buildCity(g.sites[0])
	g.park = g.b.buildPark(g.a.seat)
	for _, s := range g.sites[1:] {
		g.b.settleRural(s)
	}
	g.roads = node(g.b.roads)
	g.a.makeGrids(o.Seed, g.t, g.w, g.gridPlaces())
	g.house()
	g.nameAll()

	g.adminLayers()
	g.peopleLayers()
	g.roadLayer()
	g.riverLayer()
	g.waterworksLayer()
	g.facilityLayers()
	g.shelterLayers()
	g.enterpriseLayers()
	g.lifelineLayer()
	g.hazardLayer()
	g.hazardAreaLayer()
	g.dangerLayer()
	g.zoneLayer()
	g.reliefLayers()
	g.sensorLayers()
	g.eventLayers()
	g.assign()
	g.fieldWork()
	g.command()
	return g.c
}

// id makes the next UUID.
func (g *world) id() string {
	g.tick = g.tick.Add(time.Millisecond / 4)
	return g.ids.uuidV7(g.tick)
}

// key numbers the records of a layer.
func (g *world) key(layer string) string {
	g.seq[layer]++
	return fmt.Sprintf("%s-%05d", layer, g.seq[layer])
}

// codeLetters stand in the object codes of the layers whose objects have one.
var codeLetters = map[string]string{
	"facilities": "SS", "key_places": "ZD", "lifelines": "SM", "rivers": "HL", "waterworks": "SL", "hazards": "ZH", "hazard_areas": "WX",
	"enterprises": "QY", "hazard_sources": "WY", "shelters": "BN", "teams": "DW", "warehouses": "CB", "sensors": "JC", "warning_terminals": "ZZ",
}

// add writes a record and returns its id.
func (g *world) add(layer, name, code string, geom orb.Geometry, f map[string]any) string {
	id := g.id()
	g.put(layer, id, name, code, geom, f)
	return id
}

func (g *world) put(layer, id, name, code string, geom orb.Geometry, f map[string]any) {
	k := g.key(layer)
	f["id"] = id
	if name != "" {
		f["name"] = name
	}
	if letters := codeLetters[layer]; letters != "" && f["code"] == nil {
		f["code"] = fmt.Sprintf("%s%s%05d", countyCode, letters, g.seq[layer])
	}
	f["admin_code"] = code
	g.c.features = append(g.c.features, Feature{Layer: layer, Key: k, Code: code, Geometry: geom, Fields: f})
}

// nearCounty says whether p lies in the county or within m of it.
func (g *world) nearCounty(p pt, m float64) bool {
	if g.a.village[g.t.z.index(p)] >= 0 {
		return true
	}
	for k := range 8 {
		if g.a.village[g.t.z.index(p.add(heading(float64(k)*math.Pi/4).mul(m)))] >= 0 {
			return true
		}
	}
	return false
}

// inside tells how far within the county a place is: 1 well inside, 0 outside.
func (g *world) inside(p pt) float64 {
	if g.within == nil {
		g.within = newGrid(fine)
		for i := range g.within.v {
			q := g.within.centre(i)
			n := 0
			for k := range 9 {
				o := q
				if k > 0 {
					o = q.add(pt{float64(stepX[k-1]) * 120, float64(stepY[k-1]) * 120})
				}
				if o.x > 0 && o.y > 0 && o.x < domainW && o.y < domainH && g.a.village[g.within.index(o)] >= 0 {
					n++
				}
			}
			g.within.v[i] = float32(n) / 9
		}
	}
	if p.x < 0 || p.y < 0 || p.x > domainW || p.y > domainH {
		return 0
	}
	return g.within.at(p)
}

// grid is the grid a place lies in, or nil.
func (g *world) grid(p pt) *unit { return g.a.locate(g.t, p) }

// code is the smallest unit that contains all the places.
func (g *world) code(places ...pt) string {
	if len(places) == 0 {
		return countyCode
	}
	u := g.grid(places[0])
	if u == nil {
		return countyCode
	}
	for _, p := range places[1:] {
		for u.rank > 3 && !u.contains(p) {
			u = u.parent
		}
	}
	return u.code
}

// villageOf is the village of a place, or nil.
func (g *world) villageOf(p pt) *unit {
	if u := g.grid(p); u != nil {
		return u.parent
	}
	return nil
}

// gridPlaces are the places the grids are drawn around: hamlets, and quarters
// of the towns.
func (g *world) gridPlaces() [][]pt {
	out := make([][]pt, len(g.a.villages))
	weight := map[int]int{}
	at := map[int]pt{}
	// Quarters: where many people live, a grid for about every 420 of them.
	const cell = 260.0
	var keys []int
	for _, b := range g.b.buildings {
		if b.persons == 0 {
			continue
		}
		k := int(b.box.c.y/cell)*1000 + int(b.box.c.x/cell)
		if weight[k] == 0 {
			keys = append(keys, k)
		}
		weight[k] += b.persons
		at[k] = at[k].add(b.box.c.mul(float64(b.persons)))
	}
	sort.Slice(keys, func(i, j int) bool {
		if weight[keys[i]] != weight[keys[j]] {
			return weight[keys[i]] > weight[keys[j]]
		}
		return keys[i] < keys[j]
	})
	for i, v := range g.a.villages {
		out[i] = []pt{v.seat}
	}
	far := func(v int, p pt, d float64) bool {
		for _, q := range out[v] {
			if q.dist(p) < d {
				return false
			}
		}
		return true
	}
	for _, k := range keys {
		if weight[k] < 170 {
			break
		}
		p := at[k].mul(1 / float64(weight[k]))
		if v := g.a.village[g.t.z.index(p)]; v >= 0 && far(int(v), p, 300) {
			out[v] = append(out[v], p)
		}
	}
	for _, s := range g.sites {
		if s.rank == 3 && far(s.village, s.p, 700) && s.people > 45 {
			out[s.village] = append(out[s.village], s.p)
		}
	}
	return out
}

// house finds every building's grid and counts the people upwards.
func (g *world) house() {
	var kept []*building
	g.homes = map[[2]int][]*building{}
	for _, b := range g.b.buildings {
		if b.grid = g.grid(b.box.c); b.grid == nil {
			continue
		}
		kept = append(kept, b)
		for u := b.grid; u != nil; u = u.parent {
			u.people += b.persons
			u.households += b.households
		}
		k := [2]int{int(b.box.c.x / 200), int(b.box.c.y / 200)}
		g.homes[k] = append(g.homes[k], b)
	}
	g.b.buildings = kept
	var grounds []*ground
	for _, x := range g.b.grounds {
		if x.grid = g.grid(x.box.c); x.grid != nil {
			grounds = append(grounds, x)
		}
	}
	g.b.grounds = grounds
}

// around visits the buildings whose middle is within r of p.
func (g *world) around(p pt, r float64, f func(b *building, d float64)) {
	for x := int((p.x - r) / 200); x <= int((p.x+r)/200); x++ {
		for y := int((p.y - r) / 200); y <= int((p.y+r)/200); y++ {
			for _, b := range g.homes[[2]int{x, y}] {
				if d := b.box.c.dist(p); d <= r {
					f(b, d)
				}
			}
		}
	}
}

func (g *world) peopleNear(p pt, r float64) (persons, households int) {
	g.around(p, r, func(b *building, _ float64) {
		persons += b.persons
		households += b.households
	})
	return
}

// peopleIn counts those whose house's middle lies in the polygon.
func (g *world) peopleIn(poly polygon) (persons, households int) {
	lo, hi := ringBounds(poly[0])
	mid := lo.lerp(hi, 0.5)
	g.around(mid, lo.dist(hi)/2, func(b *building, _ float64) {
		c := b.box.c
		if b.persons > 0 && c.x >= lo.x && c.x <= hi.x && c.y >= lo.y && c.y <= hi.y && poly.contains(c) {
			persons += b.persons
			households += b.households
		}
	})
	return
}

// nameAll gives names and codes.
func (g *world) nameAll() {
	table := pinyinTable()
	a := g.a
	a.county.name, a.county.pinyin = "示例县", "Shili County"
	fixed := []string{"沅阳"}
	town, township := 0, 0
	order := append([]*unit(nil), a.towns...)
	sort.SliceStable(order[1:], func(i, j int) bool { return order[i+1].people > order[j+1].people })
	for i, u := range order {
		base := ""
		if i < len(fixed) {
			base = fixed[i]
			g.names.used[base] = true
		} else {
			base = g.names.place(u.wild, townTail(u.wild))
		}
		if i < 11 {
			u.code, u.suffix = fmt.Sprintf("%s%03d", countyCode, 100+town), "镇"
			town++
		} else {
			u.code, u.suffix = fmt.Sprintf("%s%03d", countyCode, 200+township), "乡"
			township++
		}
		u.name = base + u.suffix
		kind := " Town"
		if u.suffix == "乡" {
			kind = " Township"
		}
		u.pinyin = romanize(table, base) + kind
	}
	sort.SliceStable(a.towns, func(i, j int) bool { return a.towns[i].code < a.towns[j].code })
	communities := []string{"文昌", "滨河", "迎宾", "东门", "西园", "北街", "南桥", "青沅", "光明", "和平", "学府", "永安", "金桥", "桂园", "朝阳", "环城"}
	nc := 0
	for _, u := range a.towns {
		c, v := 0, 0
		sort.SliceStable(u.children, func(i, j int) bool {
			x, y := u.children[i], u.children[j]
			if (x.urban == "220") != (y.urban == "220") {
				return x.urban != "220"
			}
			return math.Round(x.seat.y/1500)*1e6-x.seat.x > math.Round(y.seat.y/1500)*1e6-y.seat.x
		})
		for _, x := range u.children {
			switch {
			case x.urban == "111" || x.urban == "121":
				c++
				x.code = fmt.Sprintf("%s%03d", u.code, c)
				var base string
				if x.urban == "111" && nc < len(communities) {
					base = communities[nc]
					nc++
				} else if x.urban == "111" {
					base = g.names.place(x.wild)
				} else {
					base = string([]rune(u.name)[:len([]rune(u.name))-1])
				}
				x.name, x.pinyin, x.suffix = base+"社区", romanize(table, base)+" Community", "社区"
			default:
				v++
				x.code = fmt.Sprintf("%s%03d", u.code, 200+v)
				base := g.names.place(x.wild)
				x.name, x.pinyin, x.suffix = base+"村", romanize(table, base)+" Village", "村"
			}
			sort.SliceStable(x.children, func(i, j int) bool {
				p, q := x.children[i].seat, x.children[j].seat
				if math.Abs(p.x-q.x) > 250 {
					return p.x < q.x
				}
				return p.y > q.y
			})
			for k, y := range x.children {
				y.code = fmt.Sprintf("%s%03d", x.code, k+1)
				y.name = fmt.Sprintf("%s第%d网格", x.name, k+1)
			}
		}
	}
	a.county.code = countyCode
	for _, s := range g.sites {
		v := a.villages[s.village]
		switch s.rank {
		case 0:
			s.name = "示例县城区"
		case 1:
			s.name = v.parent.name
		case 2:
			s.name = v.name
		default:
			s.name = g.names.place(v.wild, hamletTail)
		}
	}
	for i, rv := range g.w.rivers {
		mid := rv.line[len(rv.line)/2]
		if i == 0 {
			rv.name = "青沅河"
			g.names.used[rv.name] = true
		} else if g.nearCounty(mid, 500) || g.nearCounty(rv.line[len(rv.line)-1], 500) {
			rv.name = g.names.river(rv.order, rv.mouthArea(), g.t.wild.at(mid))
		}
	}
	for _, rs := range g.w.reservoirs {
		rs.name = g.names.place(0.6) + "水库"
	}
}

func townTail(wild float64) []string {
	switch {
	case wild < 0.12:
		return []string{"集", "店", "渡", "堰", "营", "铺", "河", "桥"}
	case wild < 0.45:
		return []string{"河", "桥", "冲", "岗", "铺", "口", "坝"}
	}
	return []string{"坪", "垭", "岭", "沟", "寨", "溪"}
}

// short is a unit's name without its kind.
func (u *unit) short() string {
	r := []rune(u.name)
	return string(r[:len(r)-len([]rune(u.suffix))])
}

// blobRing is an organic closed outline around a place, star-shaped and so
// always simple. stretch lengthens it along the axis.
func blobRing(n noise, c pt, radius, rough float64, axis pt, stretch float64, points int) polygon {
	ring := make([]pt, points)
	for i := range ring {
		a := 2 * math.Pi * float64(i) / float64(points)
		h := heading(a)
		r := radius * (1 + rough*n.fbm(c.x/50+h.x*1.3, c.y/50+h.y*1.3, 1, 3))
		ring[i] = c.add(axis.mul(h.x * r * stretch)).add(axis.left().mul(h.y * r / stretch))
	}
	if ringArea(ring) < 0 {
		for i, j := 0, len(ring)-1; i < j; i, j = i+1, j-1 {
			ring[i], ring[j] = ring[j], ring[i]
		}
	}
	return polygon{ring}
}

func (b box) ring() []pt {
	c := b.corners()
	return c[:]
}

// boxDist is the distance of a place from the rectangle, 0 inside.
func (b box) boxDist(p pt) float64 {
	d := p.sub(b.c)
	return math.Hypot(math.Max(0, math.Abs(d.dot(b.u))-b.hw), math.Max(0, math.Abs(d.dot(b.u.left()))-b.hd))
}

func r1(v float64) float64 { return math.Round(v*10) / 10 }
func r2(v float64) float64 { return math.Round(v*100) / 100 }

// day is a date some days before now.
func (g *world) day(before int) string { return g.now.AddDate(0, 0, -before).Format("2006-01-02") }

// ago is a moment before now, on a full minute.
func (g *world) ago(d time.Duration) time.Time { return g.now.Add(-d.Truncate(time.Minute)) }
