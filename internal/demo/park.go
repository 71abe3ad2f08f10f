package demo

import "math"

// plant is an enterprise's ground with its tank farm.
type plant struct {
	box     box
	tanks   box
	name    string
	product string
	id      string
	chems   []chemical
	inPark  bool
	ground  *ground
	kind    string
}

// chemPark is the county's chemical park.
type chemPark struct {
	at     pt
	spine  pt
	plants []*plant
	shape  polygon
}

// buildPark lays out a park beside a main road, down the wind and some way from
// the town, where few people live.
func (b *builder) buildPark(seat pt) *chemPark {
	best, at, dir := math.Inf(-1), pt{}, pt{}
	for _, rd := range b.roads {
		if rd.class != classNational && rd.class != classProvincial && rd.class != classCounty {
			continue
		}
		for i := 1; i < len(rd.line); i++ {
			p := rd.line[i]
			d := p.dist(seat)
			if d < 4200 || d > 8500 {
				continue
			}
			u := rd.line[i].sub(rd.line[i-1]).unit()
			for _, side := range [2]float64{1, -1} {
				n := u.left().mul(side)
				c := p.add(n.mul(520))
				if !b.inside(c.add(n.mul(700))) || !b.inside(c.sub(n.mul(300))) {
					continue
				}
				s := 1.0 - math.Abs(d-5200)/5000
				s += 1.2 * p.sub(seat).unit().dot(pt{0.95, -0.3}.unit())
				for k := range 30 {
					q := c.add(heading(float64(k) * 2.4).mul(520 * math.Sqrt(float64(k)/30)))
					s -= b.t.slope.near(q) * 2
					if !b.dry(q, 120) {
						s -= 0.25
					}
					if _, _, _, ok := b.idx.nearest(q, 60); ok {
						s -= 0.05
					}
				}
				if s > best {
					best, at, dir = s, p, n
				}
			}
		}
	}
	pk := &chemPark{at: at, spine: dir}
	across := dir.left()
	var spine []pt
	for d := 0.0; d <= 1040; d += 40 {
		spine = append(spine, at.add(dir.mul(d)).add(across.mul(25*b.contour.at(d/400, 3))))
	}
	b.addRoad(&road{class: classSecondary, name: "化工大道", line: spine})
	lo, hi := pt{-330, 30}, pt{330, 1080}
	for row := range 5 {
		d := 90 + float64(row)*205
		mid := spine[min(int(d/40)+2, len(spine)-1)]
		if row%2 == 1 {
			y := mid
			b.addRoad(&road{class: classStreet, name: []string{"园区一路", "园区二路"}[row/2], line: []pt{y.sub(across.mul(310)), y.sub(across.mul(140)), y, y.add(across.mul(150)), y.add(across.mul(305))}})
		}
		for _, side := range [2]float64{1, -1} {
			w, dp := b.r.between(125, 168), b.r.between(150, 235)
			c := mid.add(dir.mul(72)).add(across.mul(side * (12 + 10 + dp/2)))
			x := box{c: c, u: dir, hw: w / 2, hd: dp / 2}
			for range 4 {
				if b.fits(x, 6, 4) {
					break
				}
				x.hw *= 0.88
				x.hd *= 0.92
			}
			if !b.fits(x, 6, 4) {
				continue
			}
			b.boxes.add(x)
			pk.plants = append(pk.plants, b.buildPlant(x, side, true))
		}
	}
	pk.shape = polygon{{at.add(across.mul(lo.x)).add(dir.mul(lo.y)), at.add(across.mul(lo.x)).add(dir.mul(hi.y)), at.add(across.mul(hi.x)).add(dir.mul(hi.y)), at.add(across.mul(hi.x)).add(dir.mul(lo.y))}}
	if ringArea(pk.shape[0]) < 0 {
		r := pk.shape[0]
		r[1], r[3] = r[3], r[1]
	}
	return pk
}

// buildPlant puts tanks on one half of a ground and halls on the other.
func (b *builder) buildPlant(x box, side float64, tanks bool) *plant {
	p := &plant{box: x, inPark: tanks}
	v := x.u.left().mul(side)
	half := box{c: x.c.add(v.mul(x.hd * 0.5)), u: x.u, hw: x.hw * 0.86, hd: x.hd * 0.36}
	p.tanks = half
	r := b.r.between(5.5, 9)
	for i := -half.hw + r + 2; i < half.hw-r; i += 2*r + b.r.between(5, 7) {
		for j := -half.hd + r + 2; j < half.hd-r; j += 2*r + 6 {
			c := half.c.add(x.u.mul(i)).add(v.mul(j))
			bd := b.raise(box{c: c, u: x.u, hw: r, hd: r})
			bd.ring = make([]pt, 14)
			for k := range bd.ring {
				bd.ring[k] = c.add(heading(2 * math.Pi * float64(k) / 14).mul(r))
			}
			bd.use, bd.structure, bd.floors, bd.year = "industrial", "steel", 1, b.r.intBetween(2008, 2023)
		}
	}
	for k := range 3 {
		c := x.c.sub(v.mul(x.hd * 0.42)).add(x.u.mul(x.hw * (-0.62 + 0.62*float64(k))))
		bd := b.raise(box{c: c, u: v, hw: x.hd * b.r.between(0.25, 0.38), hd: x.hw * b.r.between(0.18, 0.25)})
		b.shape(bd, 0.8)
		bd.use, bd.structure, bd.floors, bd.year = "industrial", "steel", b.r.intBetween(1, 3), b.r.intBetween(2008, 2023)
	}
	return p
}

// chemical is a substance with its GB 18218-2018 figures.
type chemical struct {
	name, cas string
	critical  float64 // t
	beta      float64
	quantity  float64 // t, design maximum
}

// chemicals are rows of GB 18218-2018 tables 1, 3 and 4.
func chemicals() map[string]chemical {
	m := map[string]chemical{}
	for _, c := range []chemical{
		{"氨", "7664-41-7", 10, 2, 0}, {"氯", "7782-50-5", 5, 4, 0}, {"甲醇", "67-56-1", 500, 1, 0},
		{"汽油", "86290-81-5", 200, 1, 0}, {"液化石油气", "68476-85-7", 50, 1.5, 0}, {"苯", "71-43-2", 50, 1, 0},
		{"环氧乙烷", "75-21-8", 10, 2, 0}, {"丙烯腈", "107-13-1", 50, 1, 0}, {"氢", "1333-74-0", 5, 1.5, 0},
		{"乙炔", "74-86-2", 1, 1.5, 0}, {"乙醇", "64-17-5", 500, 1, 0}, {"甲苯", "108-88-3", 500, 1, 0},
		{"氟化氢", "7664-39-3", 1, 5, 0}, {"二氧化硫", "7446-09-5", 20, 2, 0}, {"天然气", "74-82-8", 50, 1.5, 0},
		{"氯化氢(无水)", "7647-01-0", 20, 3, 0}, {"丙酮", "67-64-1", 500, 1, 0},
	} {
		m[c.name] = c
	}
	return m
}

// alpha is the correction for people within 500 m (GB 18218-2018 table 5).
func alpha(persons int) float64 {
	switch {
	case persons >= 100:
		return 2
	case persons >= 50:
		return 1.5
	case persons >= 30:
		return 1.2
	case persons >= 1:
		return 1
	}
	return 0.5
}

// sourceLevel grades R (GB 18218-2018 table 6); the rounding keeps 28.8 from
// becoming 28.799999999999997.
func sourceLevel(s, r float64) (level int, major bool) {
	s, r = math.Round(s*1e9)/1e9, math.Round(r*1e9)/1e9
	if s < 1 {
		return 0, false
	}
	switch {
	case r >= 100:
		return 1, true
	case r >= 50:
		return 2, true
	case r >= 10:
		return 3, true
	}
	return 4, true
}
