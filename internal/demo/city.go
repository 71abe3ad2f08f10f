package demo

import "math"

// cityPlan is the street plan of the county town: two families of streets bent
// with the river, of uneven spacing, with pieces missing.
type cityPlan struct {
	origin, axis pt
	u, v         []float64 // positions of the streets across
	bendX, bendY noise
	blob         noise
	node         [][]bool
}

// at maps street coordinates to the ground.
func (c *cityPlan) at(u, v float64) pt {
	p := c.origin.add(c.axis.mul(u)).add(c.axis.left().mul(v))
	return p.add(pt{210 * c.bendX.fbm(u, v, 1500, 2), 210 * c.bendY.fbm(u, v, 1500, 2)})
}

func (c *cityPlan) blobAt(p pt) float64 {
	d := p.sub(c.origin)
	return math.Hypot(d.dot(c.axis)/1760, d.dot(c.axis.left())/1420) + 0.28*c.blob.fbm(p.x, p.y, 1700, 2)
}

// planCity lays the streets.
func (b *builder) planCity(s *settlement) {
	c := &cityPlan{origin: s.p, bendX: b.r.noise(), bendY: b.r.noise(), blob: b.r.noise()}
	// The main axis follows the river beside the town.
	trunk := b.w.rivers[0]
	best := math.Inf(1)
	for _, rv := range b.w.rivers[:min(6, len(b.w.rivers))] {
		if d, _ := nearestVertex(rv.line, s.p); d < best {
			best, trunk = d, rv
		}
	}
	_, i := nearestVertex(trunk.line, s.p)
	c.axis = trunk.line[min(i+9, len(trunk.line)-1)].sub(trunk.line[max(i-9, 0)]).unit()
	for x := -2300.0; x < 2300; x += b.r.between(125, 235) {
		c.u = append(c.u, x)
	}
	for y := -2000.0; y < 2000; y += b.r.between(120, 215) {
		c.v = append(c.v, y)
	}
	c.node = make([][]bool, len(c.u))
	for i, u := range c.u {
		c.node[i] = make([]bool, len(c.v))
		for j, v := range c.v {
			p := c.at(u, v)
			c.node[i][j] = c.blobAt(p) < 1 && b.dry(p, 14) && b.t.slope.near(p) < 0.12 && b.inside(p)
		}
	}
	ordinals := func(i int) int { // every third street is a main one
		switch {
		case i%6 == 3:
			return classTrunk
		case i%3 == 0:
			return classSecondary
		}
		return classStreet
	}
	street := func(class int, name string, f func(k int) (pt, bool), n int, mid func(k int) pt) {
		var l []pt
		flush := func() {
			if len(l) > 2 {
				b.addRoad(&road{class: class, name: name, line: l})
			}
			l = nil
		}
		for k := range n {
			p, ok := f(k)
			if !ok {
				// A main street crosses the river on a bridge.
				if class != classTrunk || len(l) == 0 || c.blobAt(p) > 0.9 || b.dry(p, 14) || dryAhead(f, k, n) < 0 {
					flush()
				}
				continue
			}
			if len(l) > 0 && l[len(l)-1].dist(p) < 330 {
				m := mid(k)
				q := l[len(l)-1]
				wet := !b.dry(m, 8) || !b.dry(q.lerp(m, 0.5), 4) || !b.dry(m.lerp(p, 0.5), 4)
				gone := class == classStreet && b.r.chance(0.13)
				if wet && class != classTrunk || gone {
					flush()
				} else {
					l = append(l, q.lerp(m, 0.5).add(m.sub(q.lerp(p, 0.5)).mul(0.35)), m, m.lerp(p, 0.5).add(m.sub(q.lerp(p, 0.5)).mul(0.35)))
				}
			}
			l = append(l, p)
		}
		flush()
	}
	names := streetNames(b.r)
	for i, u := range c.u {
		street(ordinals(i), names(false), func(k int) (pt, bool) { return c.at(u, c.v[k]), c.node[i][k] }, len(c.v),
			func(k int) pt { return c.at(u, (c.v[k-1]+c.v[k])/2) })
	}
	for j, v := range c.v {
		street(ordinals(j+1), names(true), func(k int) (pt, bool) { return c.at(c.u[k], v), c.node[k][j] }, len(c.u),
			func(k int) pt { return c.at((c.u[k-1]+c.u[k])/2, v) })
	}
	b.city = c
}

// dryAhead is the next place a street can go on, at most three plots away.
func dryAhead(f func(int) (pt, bool), k, n int) int {
	for j := k + 1; j < min(k+4, n); j++ {
		if _, ok := f(j); ok {
			return j
		}
	}
	return -1
}

// block is a plot between four streets.
type block struct {
	q    [4]pt // corners, counter-clockwise
	core float64
}

func (k *block) at(s, t float64) pt {
	return k.q[0].lerp(k.q[1], s).lerp(k.q[3].lerp(k.q[2], s), t)
}

// buildCity fills the plots.
func (b *builder) buildCity(s *settlement) {
	c := b.city
	var blocks []*block
	for i := 0; i+1 < len(c.u); i++ {
		for j := 0; j+1 < len(c.v); j++ {
			k := &block{q: [4]pt{c.at(c.u[i], c.v[j]), c.at(c.u[i+1], c.v[j]), c.at(c.u[i+1], c.v[j+1]), c.at(c.u[i], c.v[j+1])}}
			n := 0
			for _, g := range [4]bool{c.node[i][j], c.node[i+1][j], c.node[i+1][j+1], c.node[i][j+1]} {
				if g {
					n++
				}
			}
			if n < 3 {
				continue
			}
			k.core = c.blobAt(k.at(0.5, 0.5))
			blocks = append(blocks, k)
		}
	}
	b.r.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	// Institutions first, each on a plot at a fitting distance from the middle.
	taken := map[*block]bool{}
	reserve := func(kind string, lo, hi, w, d float64, use string, floors, n int) {
		for _, k := range blocks {
			if taken[k] || k.core < lo || k.core > hi {
				continue
			}
			u := k.q[1].sub(k.q[0]).unit()
			wide, deep := k.q[1].dist(k.q[0])-34, k.q[3].dist(k.q[0])-34
			x := box{c: k.at(0.5, 0.5), u: u, hw: math.Min(w, wide) / 2, hd: math.Min(d, deep) / 2}
			if x.hw*x.hd*4 < w*d*0.45 || !b.fits(x, 1, 1) {
				continue
			}
			b.occupy(s, kind, x, use, floors, n)
			taken[k] = x.hw*x.hd*4 > 5000
			return
		}
	}
	reserve("government", 0, 0.45, 110, 90, "office", 8, 3)
	reserve("square", 0, 0.4, 130, 110, "", 0, 0)
	reserve("hospital", 0.1, 0.6, 130, 100, "hospital", 12, 4)
	reserve("tcm", 0.2, 0.8, 95, 75, "hospital", 8, 3)
	reserve("maternity", 0.2, 0.9, 70, 60, "hospital", 6, 2)
	for range 3 {
		reserve("middle", 0.15, 0.85, 170, 130, "school", 5, 4)
	}
	for range 5 {
		reserve("primary", 0.1, 0.9, 120, 100, "school", 4, 4)
	}
	reserve("vocational", 0.6, 1, 180, 150, "school", 5, 4)
	for range 8 {
		reserve("kindergarten", 0.05, 0.95, 55, 45, "school", 3, 2)
	}
	reserve("stadium", 0.3, 0.9, 170, 140, "public", 2, 1)
	for range 4 {
		reserve("park", 0.1, 0.95, 170, 150, "", 0, 0)
	}
	reserve("busstation", 0.3, 0.9, 100, 80, "public", 3, 2)
	reserve("fire", 0.3, 0.9, 70, 55, "public", 4, 2)
	for range 3 {
		reserve("police", 0.1, 0.9, 40, 32, "public", 4, 2)
	}
	for range 3 {
		reserve("market", 0.05, 0.8, 90, 70, "commercial", 2, 3)
	}
	reserve("mall", 0, 0.4, 95, 70, "commercial", 5, 1)
	reserve("mall", 0.2, 0.6, 80, 60, "commercial", 4, 1)
	for range 3 {
		reserve("hotel", 0.05, 0.7, 40, 26, "commercial", 9, 1)
	}
	for range 2 {
		reserve("nursing", 0.4, 1, 70, 55, "public", 4, 3)
	}
	reserve("telecom", 0.2, 0.7, 40, 30, "public", 6, 1)
	reserve("waterplant", 0.7, 1.05, 110, 90, "industrial", 1, 4)
	reserve("substation", 0.6, 1.05, 60, 50, "industrial", 1, 1)
	reserve("store", 0.5, 1.05, 80, 55, "warehouse", 1, 2)
	for range 7 {
		reserve("factory", 0.72, 1.1, 130, 95, "industrial", 2, 4)
	}
	reserve("coldstore", 0.75, 1.1, 80, 55, "warehouse", 1, 2)
	reserve("construction", 0.3, 0.9, 110, 90, "", 0, 0)
	reserve("construction", 0.3, 0.9, 90, 80, "", 0, 0)

	for _, k := range blocks {
		if taken[k] {
			continue
		}
		x := b.r.Float64()
		switch {
		case k.core < 0.35 && x < 0.55:
			b.perimeter(k)
			b.slabs(k, 26, 5, 7)
		case x < 0.18 && k.core < 0.9:
			b.towers(k)
		case x < 0.62 && k.core < 0.92:
			if b.r.chance(0.6) {
				b.perimeter(k)
			}
			b.slabs(k, 27, 5, 6)
		default:
			b.cottages(k)
		}
	}
}

// perimeter lines a plot with shop houses.
func (b *builder) perimeter(k *block) {
	for i := range 4 {
		p, q := k.q[i], k.q[(i+1)%4]
		u := q.sub(p).unit()
		l := q.dist(p)
		for d := 20.0; d < l-20; {
			w := b.r.between(9, 22)
			dep := b.r.between(11, 15)
			at, dir, _, ok := b.idx.nearest(p.add(u.mul(d+w/2)), 30)
			if !ok {
				d += w
				continue
			}
			in := u.left()
			if dir.dot(u) < 0 {
				dir = dir.mul(-1)
			}
			half := 4.5
			b.idx.each(at, 1, func(s *segment) { half = math.Max(half, s.half) })
			if bd := b.put(at.add(in.mul(half+dep/2+b.r.between(2.5, 4.5))), dir, w, dep, 0.4, 1.5); bd != nil {
				b.shape(bd, 0.85)
				bd.floors = b.r.intBetween(3, 6)
				bd.use, bd.structure, bd.year, bd.danger = "commercial", "masonry", b.r.intBetween(1985, 2018), "A"
				if bd.floors > 4 {
					bd.structure = "reinforced_concrete"
				}
				bd.households = b.r.intBetween(1, bd.floors)
				b.fill(bd)
			}
			d += w + b.r.between(0.8, 4)
		}
	}
}

// fill gives every household its people.
func (b *builder) fill(bd *building) {
	for range bd.households {
		bd.persons += 1 + b.r.weighted([]float64{0.2, 0.3, 0.28, 0.16, 0.06})
	}
}

// slabs sets rows of apartment blocks, as level with the equator as the plot
// allows.
func (b *builder) slabs(k *block, row float64, lo, hi int) {
	u, v := k.q[1].sub(k.q[0]), k.q[3].sub(k.q[0])
	flip := math.Abs(v.unit().x) > math.Abs(u.unit().x)
	wide, deep := u.len(), v.len()
	if flip {
		wide, deep = deep, wide
	}
	at := func(s, t float64) pt {
		if flip {
			return k.at(t, s)
		}
		return k.at(s, t)
	}
	year := b.r.intBetween(1988, 2014)
	floors := b.r.intBetween(lo, hi)
	for y := 24.0; y < deep-16; y += row {
		for x := 18.0; x < wide-18; {
			w := pick(b.r, []float64{26, 38, 38, 50, 52, 62})
			if x+w > wide-12 {
				w = wide - 12 - x
			}
			if w < 18 {
				break
			}
			s, t := (x+w/2)/wide, y/deep
			dir := at(s+0.02, t).sub(at(s-0.02, t)).unit()
			if bd := b.put(at(s, t), dir, w, 11.5, 4, 3); bd != nil {
				b.shape(bd, 0.8)
				bd.floors, bd.year = floors, year
				bd.use, bd.structure, bd.danger = "residential", "masonry", "A"
				if year > 2002 {
					bd.structure = "reinforced_concrete"
				}
				bd.households = int(w/11) * floors * 9 / 10
				b.fill(bd)
			}
			x += w + b.r.between(7, 13)
		}
	}
}

// towers sets a few tall blocks of a new estate.
func (b *builder) towers(k *block) {
	year, floors := b.r.intBetween(2010, 2023), b.r.intBetween(11, 26)
	for s := 0.24; s < 0.9; s += 0.27 {
		for t := 0.25; t < 0.9; t += 0.29 {
			dir := k.q[1].sub(k.q[0]).unit()
			if math.Abs(dir.x) < 0.7 {
				dir = dir.left()
			}
			if bd := b.put(k.at(s+b.r.between(-0.02, 0.02), t), dir, b.r.between(24, 34), 15, 9, 5); bd != nil {
				b.shape(bd, 0.2)
				bd.floors, bd.year = floors, year
				bd.use, bd.structure, bd.danger = "residential", "reinforced_concrete", "A"
				bd.households = floors * 4 * 7 / 10
				b.fill(bd)
			}
		}
	}
}

// cottages is an old quarter or a village swallowed by the town: small houses
// along an alley.
func (b *builder) cottages(k *block) {
	wide, deep := k.q[1].dist(k.q[0]), k.q[3].dist(k.q[0])
	off := b.r.between(0.42, 0.58)
	lean := b.r.NormFloat64() * 0.12
	var alley []pt
	for s := 0.0; s <= 1.0001; s += 0.125 {
		alley = append(alley, k.at(s, off+0.05*b.contour.at(k.q[0].x/50+s*3, k.q[0].y/50)))
	}
	a, _, _, ok1 := b.idx.nearest(alley[0], 30)
	z, _, _, ok2 := b.idx.nearest(alley[len(alley)-1], 30)
	free := true
	for i := 1; i+1 < len(alley); i++ {
		free = free && b.dry(alley[i], 10)
	}
	if ok1 && ok2 && free {
		alley[0], alley[len(alley)-1] = a, z
		clear := true
		for i := 1; i < len(alley); i++ {
			d := alley[i].sub(alley[i-1])
			clear = clear && b.boxes.free(box{c: alley[i].lerp(alley[i-1], 0.5), u: d.unit(), hw: d.len() / 2, hd: 2}, 0.5)
		}
		if clear {
			b.addRoad(&road{class: classLane, line: alley})
		}
	}
	for y := 14.0; y < deep-8; y += b.r.between(14, 18) {
		for x := 12.0; x < wide-8; {
			w := b.r.between(8, 14)
			if b.r.chance(0.13) {
				x += w
				continue
			}
			s, t := (x+w/2)/wide, (y+b.r.between(-2.6, 2.6))/deep
			dir := rotate(k.q[1].sub(k.q[0]).unit(), lean+b.r.NormFloat64()*0.07)
			if bd := b.put(k.at(s, t), dir, w, b.r.between(8, 11.5), 1, 1.2); bd != nil {
				b.shape(bd, 0.6)
				bd.floors = b.r.intBetween(1, 4)
				bd.use, bd.structure, bd.year = "residential", "masonry", b.r.intBetween(1972, 2012)
				if bd.year < 1985 {
					bd.structure = "brick_wood"
				}
				b.grade(bd)
				bd.households = b.r.intBetween(1, 2)
				b.fill(bd)
			}
			x += w + b.r.between(1.5, 5)
		}
	}
}
