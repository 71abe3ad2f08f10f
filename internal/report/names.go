package report

import (
	"math"
	"sort"

	"onemap/internal/report/draw"
)

// words sets the names on the map: symbols of places first, for nothing may cover them,
// then zones, then the names of places, neighbours and rivers where there is room.
func (m *mapView) words(shapes []draw.Path, area draw.Path) {
	shown := m.symbols()
	m.l.Mark("labels")
	if !m.s.NoLabel {
		m.zoneNames(shapes)
	}
	m.placeNames(shown)
	m.otherNames(area)
}

func (m *mapView) measure(text string, size float64) float64 { return m.l.Width(text, size) }

// set draws a label found by place.
func (m *mapView) set(lb label, c draw.Colour, halo float64) {
	for i, s := range lb.lines {
		w := m.l.Width(s, lb.size)
		y := lb.box.Y + lb.box.H/2 + lb.size*(0.36+leading*(float64(i)-float64(len(lb.lines)-1)/2))
		m.l.Text(draw.Pt{X: lb.box.X + lb.box.W/2 - w/2, Y: y}, s, draw.Style{Size: lb.size, Colour: c, Halo: halo})
	}
}

func (m *mapView) zoneNames(shapes []draw.Path) {
	order := make([]int, len(shapes))
	sizes := make([]float64, len(shapes))
	for i := range order {
		order[i], sizes[i] = i, areaOf(shapes[i])
	}
	sort.SliceStable(order, func(i, j int) bool { return sizes[order[i]] > sizes[order[j]] })
	u := m.u
	// On large paper small zones are read from near: down to 5.4 points.
	small := []float64{2.6 * u, 2.2 * u, 1.9 * u}
	for v := 1.9 * u * 0.84; v >= 1.9; v *= 0.84 {
		small = append(small, v)
	}
	for _, i := range order {
		z := &m.s.Zones[i]
		var forms [][]string
		if z.Name != "" {
			forms = append(forms, []string{z.Name})
			em := func(s string) float64 { return m.l.Width(s, 1) }
			if a, b, ok := halves(z.Name, em); ok {
				forms = append(forms, []string{a, b})
			}
			for n := 3; n <= 4; n++ { // a long name becomes a block
				if lines := wrap(z.Name, em(z.Name)/float64(n)+1, em); len(lines) == n {
					forms = append(forms, lines)
				}
			}
		}
		if z.Code != "" && z.Code != z.Name {
			forms = append(forms, []string{z.Code})
		}
		if len(forms) == 0 {
			continue
		}
		lb, ok := m.taken.place(shapes[i], m.f.rect.Inset(0.8*u), forms[:1], []float64{3.1 * u, 2.6 * u}, m.measure)
		if !ok {
			lb, ok = m.taken.place(shapes[i], m.f.rect.Inset(0.8*u), forms, small, m.measure)
		}
		if !ok {
			if near(boxPts(shapes[i]), m.f.rect) {
				m.drawn.Unlabelled++
			}
			continue
		}
		m.drawn.Labels++
		m.set(lb, inkText, 0.16*lb.size)
	}
}

func boxPts(p draw.Path) []draw.Pt {
	if len(p) == 0 {
		return []draw.Pt{{X: -1, Y: -1}}
	}
	b := boxOf(p)
	return []draw.Pt{{X: b.X, Y: b.Y}, {X: b.X + b.W, Y: b.Y + b.H}}
}

// placeLook is a place's symbol and the size of its name.
func placeLook(class string) (radius, size float64) {
	switch class {
	case PlaceCounty:
		return 1.25, 3.4
	case PlaceTownship:
		return 0.75, 2.5
	}
	return 0.4, 1.9
}

func drawPlace(l *draw.List, class string, q draw.Pt, u float64) {
	r, _ := placeLook(class)
	switch class {
	case PlaceCounty:
		l.Fill(draw.Circle(q, r*u), draw.White)
		l.Stroke(draw.Circle(q, r*u), draw.Pen{Width: 0.24 * u, Colour: inkText})
		l.Stroke(draw.Circle(q, r*u*0.62), draw.Pen{Width: 0.2 * u, Colour: inkText})
		l.Fill(draw.Circle(q, r*u*0.26), inkText)
	case PlaceTownship:
		l.Fill(draw.Circle(q, r*u), draw.White)
		l.Stroke(draw.Circle(q, r*u), draw.Pen{Width: 0.22 * u, Colour: inkText})
	default:
		l.Fill(draw.Circle(q, r*u), inkText)
	}
}

// symbols draws the places that have room, the important first, and tells which.
func (m *mapView) symbols() []int {
	order := make([]int, 0, len(m.s.Places))
	for i := range m.s.Places {
		order = append(order, i)
	}
	rank := map[string]int{PlaceCounty: 0, PlaceTownship: 1}
	of := func(i int) int {
		if v, ok := rank[m.s.Places[i].Class]; ok {
			return v
		}
		return 2
	}
	sort.SliceStable(order, func(i, j int) bool { return of(order[i]) < of(order[j]) })
	var shown []int
	if len(order) > 0 {
		m.l.Mark("places")
	}
	for _, i := range order {
		p := m.s.Places[i]
		q := m.f.at(p.At)
		r, _ := placeLook(p.Class)
		r *= m.u * 1.3
		box := draw.Rect{X: q.X - r, Y: q.Y - r, W: 2 * r, H: 2 * r}
		if !m.f.rect.Contains(box) || !m.taken.free(box) {
			continue
		}
		m.taken.take(box)
		drawPlace(m.l, p.Class, q, m.u)
		shown = append(shown, i)
	}
	return shown
}

func (m *mapView) placeNames(shown []int) {
	named := map[string]bool{}
	if !m.s.NoLabel {
		for _, z := range m.s.Zones {
			named[z.Name] = true
		}
	}
	for _, i := range shown {
		p := m.s.Places[i]
		if named[p.Name] || p.Name == "" {
			continue
		}
		r, size := placeLook(p.Class)
		size *= m.u
		q := m.f.at(p.At)
		w, h := m.l.Width(p.Name, size), size
		gap := r*m.u + 0.5*m.u
		for _, at := range []draw.Pt{{X: q.X + gap, Y: q.Y - h/2}, {X: q.X - gap - w, Y: q.Y - h/2}, {X: q.X - w/2, Y: q.Y - gap - h}, {X: q.X - w/2, Y: q.Y + gap}} {
			box := draw.Rect{X: at.X, Y: at.Y, W: w, H: h}
			if m.f.rect.Contains(box) && m.taken.free(box) {
				m.taken.take(box)
				m.l.Text(draw.Pt{X: at.X, Y: at.Y + h*0.86}, p.Name, draw.Style{Size: size, Colour: inkText, Halo: 0.3 * m.u})
				break
			}
		}
	}
}

// otherNames sets the neighbours' names in grey and the waters' in blue.
func (m *mapView) otherNames(area draw.Path) {
	u := m.u
	m.taken.forbid = area
	for _, n := range m.s.Neighbours {
		if n.Name == "" {
			continue
		}
		if lb, ok := m.taken.place(m.polygon(n.Shape), m.f.rect.Inset(1.5*u), [][]string{{n.Name}}, []float64{3.6 * u, 3 * u, 2.4 * u}, m.measure); ok {
			m.set(lb, textOther, 0.3*u)
		}
	}
	m.taken.forbid = nil
	for _, w := range m.s.Water {
		if w.Name == "" {
			continue
		}
		if lb, ok := m.taken.place(m.polygon(w.Shape), m.f.rect.Inset(u), [][]string{{w.Name}}, []float64{2.4 * u, 2 * u}, m.measure); ok {
			m.set(lb, waterText, 0.25*u)
		}
	}
	m.rivers()
}

// rivers names the rivers that are long enough on paper, the longest first, and no more
// than the map can bear.
func (m *mapView) rivers() {
	type river struct {
		at   int
		long float64
	}
	longest := map[string]river{}
	for i, ln := range m.s.Lines {
		if ln.Class != LineRiver || ln.Name == "" {
			continue
		}
		long := 0.0
		for _, part := range ln.Line {
			for k := 1; k < len(part); k++ {
				a, b := m.f.at(part[k-1]), m.f.at(part[k])
				long += math.Hypot(a.X-b.X, a.Y-b.Y)
			}
		}
		if r, ok := longest[ln.Name]; !ok || long > r.long {
			longest[ln.Name] = river{i, long}
		}
	}
	all := make([]river, 0, len(longest))
	for _, r := range longest {
		if r.long >= 20*m.u {
			all = append(all, r)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].long > all[j].long || all[i].long == all[j].long && all[i].at < all[j].at
	})
	room := int(m.f.rect.W * m.f.rect.H / (1800 * m.u * m.u))
	for _, r := range all {
		if room <= 0 {
			return
		}
		if m.along(m.s.Lines[r.at]) {
			room--
		}
	}
}

// along sets a river's name beside its middle, if there is room.
func (m *mapView) along(ln Line) bool {
	size := 2.2 * m.u
	w := m.l.Width(ln.Name, size)
	for _, part := range ln.Line {
		for _, share := range []float64{0.5, 0.35, 0.65, 0.2, 0.8} {
			i := int(float64(len(part)-1) * share)
			if i < 0 {
				continue
			}
			q := m.f.at(part[i])
			for _, at := range []draw.Pt{{X: q.X + 0.8*m.u, Y: q.Y - size - 0.2*m.u}, {X: q.X - w - 0.8*m.u, Y: q.Y - size - 0.2*m.u}, {X: q.X + 0.8*m.u, Y: q.Y + 0.2*m.u}} {
				box := draw.Rect{X: at.X, Y: at.Y, W: w, H: size}
				if m.f.rect.Contains(box) && m.taken.free(box) {
					m.taken.take(box)
					m.l.Text(draw.Pt{X: at.X, Y: at.Y + size*0.86}, ln.Name, draw.Style{Size: size, Colour: waterText, Halo: 0.25 * m.u})
					return true
				}
			}
		}
	}
	return false
}
