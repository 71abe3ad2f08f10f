package demo

import "math"

// building is one footprint with what stands on it.
type building struct {
	box        box
	ring       []pt
	use        string
	structure  string
	floors     int
	year       int
	households int
	persons    int
	danger     string
	grid       *unit
	name       string
}

func (b *building) floorArea() float64 { return ringArea(b.ring) * float64(b.floors) }

// ground is a compound or open place that is not filled with houses.
type ground struct {
	kind string
	box  box
	site *settlement
	grid *unit
	name string
	size float64 // m²
	main *building
}

// builder fills settlements with streets, compounds and buildings.
type builder struct {
	r         rng
	t         *terrain
	w         *water
	a         *admin
	roads     []*road
	idx       *segIndex
	boxes     boxIndex
	buildings []*building
	grounds   []*ground
	contour   noise
	city      *cityPlan
}

func newBuilder(seed int64, t *terrain, w *water, a *admin, roads []*road) *builder {
	r := newRNG(seed, "buildings")
	b := &builder{r: r, t: t, w: w, a: a, idx: newSegIndex(60), contour: r.noise()}
	for _, rd := range roads {
		b.addRoad(rd)
	}
	return b
}

func (b *builder) addRoad(rd *road) {
	b.idx.add(len(b.roads), rd.line, roadClass[rd.class].width/2)
	b.roads = append(b.roads, rd)
}

// dry says whether p is off the water by the margin.
func (b *builder) dry(p pt, margin float64) bool {
	if p.x < 200 || p.y < 200 || p.x > domainW-200 || p.y > domainH-200 || b.w.pool.near(p) > 0 {
		return false
	}
	wd := width(b.w.size.near(p) * 1e6)
	if wd > 30 && margin >= 14 {
		margin += 34 // the levee and its foreshore
	}
	return b.w.dist.at(p) > wd/2+margin
}

// inside says whether p lies in the county.
func (b *builder) inside(p pt) bool { return b.a.village[b.t.z.index(p)] >= 0 }

// fits says whether a footprint can stand there.
func (b *builder) fits(x box, gap, road float64) bool {
	if b.t.slope.near(x.c) > 0.34 || !b.dry(x.c, 16) || !b.inside(x.c) {
		return false
	}
	if x.hw > 13 || x.hd > 13 {
		for _, c := range x.corners() {
			if !b.dry(c, 14) || !b.inside(c) {
				return false
			}
		}
	}
	ok := true
	b.idx.each(x.c, math.Hypot(x.hw, x.hd)+18, func(s *segment) {
		if ok && x.clear(s.a, s.b) < s.half+road {
			ok = false
		}
	})
	return ok && b.boxes.free(x, gap)
}

// put places a building if it fits.
func (b *builder) put(c, u pt, w, d, gap, road float64) *building {
	x := box{c: c, u: u, hw: w / 2, hd: d / 2}
	if !b.fits(x, gap, road) {
		return nil
	}
	return b.raise(x)
}

// raise puts a building on ground already known to be free.
func (b *builder) raise(x box) *building {
	x.owner = len(b.buildings)
	b.boxes.add(x)
	bd := &building{box: x}
	b.buildings = append(b.buildings, bd)
	return bd
}

// shape gives a building its footprint: a plain block, an L, a U around a yard.
func (b *builder) shape(bd *building, plain float64) {
	x := bd.box
	w, d := x.hw, x.hd
	var l []pt
	k := b.r.Float64()
	switch {
	case k < plain || w < 3.5 || d < 3.5:
		l = []pt{{-w, -d}, {w, -d}, {w, d}, {-w, d}}
	case k < plain+(1-plain)*0.6: // L
		fx, fy := b.r.between(-0.1, 0.35)*w, b.r.between(-0.2, 0.3)*d
		l = []pt{{-w, -d}, {w, -d}, {w, fy}, {fx, fy}, {fx, d}, {-w, d}}
		if b.r.chance(0.5) {
			l = []pt{{-w, -d}, {w, -d}, {w, d}, {-fx, d}, {-fx, fy}, {-w, fy}}
		}
	case k < plain+(1-plain)*0.9: // U
		i, fy := b.r.between(0.3, 0.5)*w, b.r.between(0, 0.45)*d
		l = []pt{{-w, -d}, {w, -d}, {w, d}, {i, d}, {i, fy}, {-i, fy}, {-i, d}, {-w, d}}
	default: // T
		i, fy := b.r.between(0.3, 0.5)*w, b.r.between(-0.3, 0.2)*d
		l = []pt{{-w, -d}, {w, -d}, {w, fy}, {i, fy}, {i, d}, {-i, d}, {-i, fy}, {-w, fy}}
	}
	v := x.u.left()
	bd.ring = make([]pt, len(l))
	for i, p := range l {
		bd.ring[i] = x.c.add(x.u.mul(p.x)).add(v.mul(p.y))
	}
}

// settleRural grows lanes and houses until the place holds its people.
func (b *builder) settleRural(s *settlement) {
	s.name = ""
	if s.rank == 1 {
		b.townCore(s)
	} else if s.rank == 2 {
		b.villageCore(s)
	}
	left := s.people
	radius := s.radius
	for round := 0; round < 5 && left > 0; round++ {
		want := max(1, left/34)
		if s.rank == 1 {
			want = max(3, left/90)
		}
		b.growLanes(s, radius, want)
		left -= b.lineHouses(s, radius*1.15, left)
		radius *= 1.25
	}
}

// growLanes adds side lanes to whatever roads pass within the radius.
func (b *builder) growLanes(s *settlement, radius float64, want int) {
	length, gap := 130.0, 30.0
	class := classLane
	if s.rank == 1 {
		length, gap = 300, 55
	}
	made := 0
	for try := 0; try < want*9 && made < want; try++ {
		// A place on a road inside the settlement.
		p := s.p.add(heading(b.r.between(0, 2*math.Pi)).mul(radius * math.Sqrt(b.r.Float64())))
		at, dir, _, ok := b.idx.nearest(p, radius*0.8)
		if !ok || at.dist(s.p) > radius {
			continue
		}
		side := dir.left()
		if p.sub(at).dot(side) < 0 {
			side = side.mul(-1)
		}
		side = rotate(side, b.r.NormFloat64()*0.16)
		cl := class
		if s.rank == 1 && (made < 5 || b.r.chance(0.35)) {
			cl = classStreet
		}
		l := b.growOne(s, at, side, b.r.between(0.45, 1.3)*length, gap, radius*1.3)
		if l == nil {
			continue
		}
		made++
		b.addRoad(&road{class: cl, line: l})
	}
}

func rotate(v pt, a float64) pt {
	s, c := math.Sincos(a)
	return pt{v.x*c - v.y*s, v.x*s + v.y*c}
}

// growOne walks away from a road until it meets a reason to stop.
func (b *builder) growOne(s *settlement, from, dir pt, length, gap, reach float64) []pt {
	const step = 15.0
	l := []pt{from}
	p := from
	for d := step; d <= length; d += step {
		if sl := b.t.slope.near(p); sl > 0.07 {
			// On a slope a lane turns along the contour.
			c := b.t.downhill(p).left()
			if c.dot(dir) < 0 {
				c = c.mul(-1)
			}
			dir = dir.lerp(c, math.Min(0.35, (sl-0.07)*2.2)).unit()
		}
		dir = rotate(dir, 0.22*b.contour.at(p.x/90, p.y/90))
		q := p.add(dir.mul(step))
		if q.dist(s.p) > reach || b.t.slope.near(q) > 0.33 || !b.dry(q, 14) || !b.inside(q) {
			break
		}
		if d > gap {
			if at, _, _, ok := b.idx.nearest(q, 17); ok {
				l = append(l, at)
				if polyLength(l) < gap {
					return nil
				}
				return l
			}
		} else if d > 2*step {
			if _, _, e, ok := b.idx.nearest(q, gap); ok && e < math.Min(d*0.62, gap*0.8) {
				return nil // too close beside another lane
			}
		}
		bb := box{c: p.lerp(q, 0.5), u: dir, hw: step / 2, hd: 2.5}
		if !b.boxes.free(bb, 0.5) {
			break
		}
		l = append(l, q)
		p = q
	}
	if len(l) < 4 {
		return nil
	}
	return simplify(l, 0.6)
}

// lineHouses builds along the roads within the radius and returns the people
// housed.
func (b *builder) lineHouses(s *settlement, radius float64, people int) int {
	housed := 0
	var segs []segment
	b.idx.each(s.p, radius, func(g *segment) {
		if g.a.lerp(g.b, 0.5).dist(s.p) < radius && roadClass[b.roads[g.line].class].width < 24 {
			segs = append(segs, *g)
		}
	})
	b.r.Shuffle(len(segs), func(i, j int) { segs[i], segs[j] = segs[j], segs[i] })
	for _, g := range segs {
		n := g.b.sub(g.a)
		l := n.len()
		u := n.unit()
		for _, side := range [2]float64{1, -1} {
			for d := b.r.between(2, 9); d < l+3; d += b.r.between(13.5, 21) {
				if housed >= people {
					return housed
				}
				housed += b.house(s, g.a.add(u.mul(d)), u, side, g.half)
			}
		}
	}
	return housed
}

// house builds one home beside a road, with what stands around it.
func (b *builder) house(s *settlement, at, u pt, side, half float64) int {
	core := at.dist(s.p) / math.Max(s.radius, 1)
	w, d := b.r.between(9.5, 14), b.r.between(7.5, 11.5)
	set := half + b.r.between(2, 7)
	if s.rank == 1 && core < 0.55 {
		w, d = b.r.between(10, 18), b.r.between(11, 16)
		set = half + b.r.between(2, 4)
	}
	v := u.left().mul(side)
	turn := rotate(u.mul(side), b.r.NormFloat64()*0.05)
	if !b.inside(at) {
		return 0
	}
	bd := b.put(at.add(v.mul(set+d/2)), turn, w, d, 1.3, 1)
	n := 0
	if bd != nil {
		n += b.home(bd, s, core)
	}
	// A second row behind where the village is dense.
	if back := set + d + b.r.between(6, 11); b.r.chance(0.6 - 0.35*core) {
		w2, d2 := b.r.between(9, 13), b.r.between(7.5, 11)
		if bd := b.put(at.add(v.mul(back+d2/2)).add(u.mul(b.r.between(-3, 3))), rotate(turn, b.r.NormFloat64()*0.07), w2, d2, 1.5, 1); bd != nil {
			n += b.home(bd, s, core+0.2)
		}
	} else if bd != nil && s.rank >= 2 && b.r.chance(0.24) {
		// A shed, a pigsty, a drying room.
		w2, d2 := b.r.between(3.5, 7), b.r.between(3, 5.5)
		if x := b.put(bd.box.c.add(v.mul(d/2+d2/2+b.r.between(1.5, 5))).add(u.mul(b.r.between(-7, 7))), rotate(turn, b.r.NormFloat64()*0.1), w2, d2, 0.8, 1); x != nil {
			b.shape(x, 1)
			x.use, x.structure, x.floors, x.year = "farm", "brick_wood", 1, b.r.intBetween(1978, 2019)
		}
	}
	return n
}

// home fills a house with a family, or several.
func (b *builder) home(bd *building, s *settlement, core float64) int {
	b.shape(bd, 0.64)
	bd.year = b.r.intBetween(1976, 2023)
	bd.floors = []int{1, 2, 3}[b.r.weighted([]float64{0.34, 0.5, 0.16})]
	bd.use = "rural_house"
	bd.structure = "masonry"
	if bd.year < 1992 && bd.floors == 1 {
		bd.structure = pick(b.r, []string{"brick_wood", "brick_wood", "earth"})
	} else if bd.year > 2012 && b.r.chance(0.3) {
		bd.structure = "reinforced_concrete"
	}
	families := 1
	if s.rank == 1 {
		bd.use = "residential"
		bd.floors = b.r.intBetween(2, 4)
		bd.structure = pick(b.r, []string{"masonry", "masonry", "reinforced_concrete"})
		families = b.r.intBetween(1, 3)
		if core < 0.4 {
			bd.floors = b.r.intBetween(3, 6)
			families = b.r.intBetween(2, 6)
			if b.r.chance(0.3) {
				bd.use = "commercial"
				families = b.r.intBetween(0, 2)
			}
		}
	}
	b.grade(bd)
	if families == 1 && b.r.chance(0.07) {
		return 0 // empty: the family works elsewhere
	}
	bd.households = families
	for range families {
		bd.persons += 1 + b.r.weighted([]float64{0.14, 0.25, 0.26, 0.2, 0.1, 0.05})
	}
	return bd.persons
}

// grade marks old weak houses as dangerous.
func (b *builder) grade(bd *building) {
	switch {
	case bd.structure == "earth" && b.r.chance(0.3):
		bd.danger = pick(b.r, []string{"C", "C", "D"})
	case bd.year < 1990 && b.r.chance(0.08):
		bd.danger = pick(b.r, []string{"B", "C"})
	case bd.year >= 2000:
		bd.danger = "A"
	default:
		bd.danger = pick(b.r, []string{"A", "B"})
	}
}

// compound reserves a ground beside a road near the place and puts the given
// number of blocks on it. It returns nil where none fits.
func (b *builder) compound(s *settlement, kind string, reach, w, d float64, use string, floors, blocks int) *ground {
	for range 70 {
		p := s.p.add(heading(b.r.between(0, 2*math.Pi)).mul(reach * math.Sqrt(b.r.between(0.02, 1))))
		at, dir, _, ok := b.idx.nearest(p, reach)
		if !ok {
			continue
		}
		side := dir.left()
		if p.sub(at).dot(side) < 0 {
			side = side.mul(-1)
			dir = dir.mul(-1)
		}
		half := 8.0
		c := at.add(side.mul(half + d/2 + 4)).add(dir.mul(b.r.between(-w/3, w/3)))
		x := box{c: c, u: dir, hw: w / 2, hd: d / 2}
		if b.t.slope.near(c) > 0.16 || !b.fits(x, 2, 1.5) {
			continue
		}
		return b.occupy(s, kind, x, use, floors, blocks)
	}
	return nil
}

// occupy builds a compound on a free ground.
func (b *builder) occupy(s *settlement, kind string, x box, use string, floors, blocks int) *ground {
	g := &ground{kind: kind, box: x, site: s, size: 4 * x.hw * x.hd}
	b.boxes.add(x)
	b.grounds = append(b.grounds, g)
	v := x.u.left()
	for i := range blocks {
		var y box
		switch i {
		case 0: // the main block across the back
			y = box{c: x.c.add(v.mul(x.hd * 0.62)), u: x.u, hw: x.hw * b.r.between(0.6, 0.85), hd: math.Min(x.hd*0.26, 9)}
		case 1:
			y = box{c: x.c.sub(x.u.mul(x.hw * 0.74)).sub(v.mul(x.hd * 0.1)), u: v, hw: x.hd * 0.4, hd: math.Min(x.hw*0.19, 8)}
		case 2:
			y = box{c: x.c.add(x.u.mul(x.hw * 0.76)).sub(v.mul(x.hd * 0.15)), u: v, hw: x.hd * 0.36, hd: math.Min(x.hw*0.18, 7.5)}
		default:
			y = box{c: x.c.sub(v.mul(x.hd * 0.78)).add(x.u.mul(x.hw * 0.3)), u: x.u, hw: x.hw * 0.3, hd: x.hd * 0.13}
		}
		bd := b.raise(y)
		b.shape(bd, 0.6)
		bd.use, bd.floors = use, max(1, floors-i%2)
		bd.structure = "reinforced_concrete"
		if floors <= 2 {
			bd.structure = "masonry"
		}
		bd.year = b.r.intBetween(1992, 2022)
		bd.danger = "A"
		if g.main == nil {
			g.main = bd
		}
	}
	return g
}

// villageCore gives a village its committee, square, clinic and sometimes a
// school.
func (b *builder) villageCore(s *settlement) {
	b.compound(s, "committee", s.radius*0.7, 34, 26, "public", 2, 2)
	b.compound(s, "square", s.radius*0.7, 42, 30, "", 0, 0)
	if b.r.chance(0.75) {
		b.compound(s, "clinic", s.radius*0.8, 18, 13, "hospital", 2, 1)
	}
	if b.r.chance(0.27) {
		b.compound(s, "primary", s.radius, 75, 55, "school", 3, 2)
	} else if b.r.chance(0.2) {
		b.compound(s, "kindergarten", s.radius, 34, 28, "school", 2, 1)
	}
	if b.r.chance(0.12) {
		b.compound(s, "nursing", s.radius*1.1, 42, 34, "public", 2, 2)
	}
	if b.r.chance(0.3) {
		b.compound(s, "farm", s.radius*1.5, 70, 36, "farm", 1, 2)
	}
}

// townCore gives a township seat its institutions.
func (b *builder) townCore(s *settlement) {
	b.growLanes(s, s.radius, 6)
	r := s.radius
	for _, c := range []struct {
		kind   string
		reach  float64
		w, d   float64
		use    string
		floors int
		blocks int
		share  float64
	}{
		{"government", 0.6, 62, 52, "office", 4, 3, 1},
		{"middle", 1.0, 130, 95, "school", 4, 4, 1},
		{"primary", 0.9, 90, 70, "school", 4, 3, 1},
		{"hospital", 0.8, 62, 48, "hospital", 4, 3, 1},
		{"square", 0.6, 70, 55, "", 0, 0, 1},
		{"market", 0.6, 60, 40, "commercial", 1, 3, 1},
		{"police", 0.8, 32, 26, "public", 3, 2, 1},
		{"kindergarten", 0.8, 44, 36, "school", 3, 2, 1},
		{"nursing", 1.1, 56, 44, "public", 3, 3, 0.9},
		{"waterplant", 1.5, 46, 38, "industrial", 1, 3, 0.8},
		{"substation", 1.6, 40, 34, "industrial", 1, 1, 0.8},
		{"store", 1.1, 44, 28, "warehouse", 1, 1, 1},
		{"factory", 1.4, 90, 62, "industrial", 2, 3, 0.9},
		{"factory", 1.5, 75, 55, "industrial", 1, 2, 0.7},
		{"coldstore", 1.5, 62, 44, "warehouse", 1, 2, 0.3},
	} {
		if b.r.chance(c.share) {
			b.compound(s, c.kind, r*c.reach, c.w, c.d, c.use, c.floors, c.blocks)
		}
	}
}
