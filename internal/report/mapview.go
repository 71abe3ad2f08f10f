package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
)

// hair is how far a simplified border may lie off, in mm.
const hair = 0.05

// The greys and blues of the base map.
var (
	inkText    = draw.Grey(26)
	inkSoft    = draw.Grey(96)
	inkLine    = draw.Grey(60)
	landOther  = draw.Colour{R: 0xF1, G: 0xF1, B: 0xEE}
	lineOther  = draw.Colour{R: 0xC4, G: 0xC4, B: 0xC0}
	textOther  = draw.Grey(140)
	waterFill  = draw.Colour{R: 0xD3, G: 0xE5, B: 0xF2}
	waterLine  = draw.Colour{R: 0x6F, G: 0xA0, B: 0xC8}
	waterText  = draw.Colour{R: 0x2E, G: 0x6C, B: 0xA4}
	roadLine   = draw.Colour{R: 0x8C, G: 0x6B, B: 0x4A}
	gridLine   = draw.Colour{R: 0x8F, G: 0xA3, B: 0xB3}
	gridText   = draw.Colour{R: 0x4A, G: 0x62, B: 0x76}
	areaShade  = draw.Colour{R: 0x6A, G: 0x6F, B: 0x8C}
	changeLine = draw.Colour{R: 0x1F, G: 0x6F, B: 0xEB}
	stampRed   = draw.Colour{R: 0xB2, G: 0x22, B: 0x22}
)

// look is how a line of the base map is drawn.
type look struct {
	pen draw.Pen
	zh  string
	en  string
}

// lines in the order they are drawn.
func lineLook(class string, u float64) (look, int) {
	p := func(w float64, c draw.Colour, dash ...float64) draw.Pen {
		for i := range dash {
			dash[i] *= u
		}
		return draw.Pen{Width: w * u, Colour: c, Dash: dash, Butt: len(dash) > 0}
	}
	switch class {
	case LineRiver:
		return look{p(0.22, waterLine), "河流", "River"}, 1
	case LineRoad:
		return look{p(0.16, roadLine), "道路", "Road"}, 2
	case LineHighway:
		return look{p(0.38, draw.Colour{R: 0xB9, G: 0x7A, B: 0x2E}), "公路干线", "Main road"}, 3
	case LineRailway:
		return look{p(0.34, draw.Grey(50), 1.4, 0.9), "铁路", "Railway"}, 4
	case LineVillage:
		return look{p(0.12, draw.Grey(110), 0.35, 0.5), "村界", "Village boundary"}, 5
	case LineTownship:
		return look{p(0.22, draw.Grey(60), 1.6, 0.6), "乡镇界", "Township boundary"}, 6
	default:
		return look{p(0.42, draw.Grey(30), 2.4, 0.6, 0.45, 0.6), "县界", "County boundary"}, 7
	}
}

// colour is a level's colour as this sheet prints it.
func (s *Sheet) colour(c Colour) draw.Colour {
	if s.Print && c.Process {
		c.R, c.G, c.B = draw.RGB(c.CMYK)
		return c
	}
	return draw.Colour{R: c.R, G: c.G, B: c.B}
}

// texture is a level's texture in a tone that is seen on its colour.
func (s *Sheet) texture(lv *Level, u float64) (draw.Texture, bool) {
	if s.NoPaint || lv.Texture == "" || lv.Texture == Plain {
		return draw.Texture{}, false
	}
	c := s.colour(lv.Colour)
	dark := 0.299*float64(c.R)+0.587*float64(c.G)+0.114*float64(c.B) < 120
	to := 0.0
	if dark {
		to = 255
	}
	const part = 0.42
	mix := func(v uint8) uint8 { return uint8(float64(v)*(1-part) + to*part + 0.5) }
	tone := draw.Colour{R: mix(c.R), G: mix(c.G), B: mix(c.B)}
	if c.Process { // ink stays ink
		tone.Process = true
		for i, v := range c.CMYK {
			if dark {
				v *= 1 - part
			} else if i == 3 {
				v = min(1, v+part)
			}
			tone.CMYK[i] = v
		}
	}
	t := draw.Texture{Name: string(lv.Texture), Colour: tone, Step: 2.2 * math.Sqrt(u), Weight: 0.16 * math.Sqrt(u)}
	if lv.Texture == Dots {
		t.Weight = 0.24 * math.Sqrt(u)
	}
	return t, true
}

// ungraded is what zones without a level look like.
func (s *Sheet) ungraded() Level {
	return Level{Name: s.w("未定级", "Not graded"), Colour: Colour{R: 255, G: 255, B: 255}, Texture: Plain}
}

// mapView draws the map into its window.
type mapView struct {
	s     *Sheet
	l     *draw.List
	f     *frame
	u     float64
	taken *taken
	drawn *Drawn
}

func (m *mapView) draw() {
	s, l, f, u := m.s, m.l, m.f, m.u
	b := newBorders(f.at, hair)
	b.know(s.Area)
	for i := range s.Zones {
		b.know(s.Zones[i].Shape)
	}
	area := b.build(-1, s.Area)
	shapes := make([]draw.Path, len(s.Zones))
	for i := range s.Zones {
		shapes[i] = b.build(i, s.Zones[i].Shape)
	}

	l.Mark("map")
	l.Clip(f.rect)
	m.neighbours()
	if len(area) > 0 {
		l.Mark("area")
		l.Stroke(area, draw.Pen{Width: 2.6 * u, Colour: areaShade, Alpha: 0.16})
		l.Fill(area, draw.White)
	}
	m.fills(shapes)
	m.base()
	if !s.NoGrid {
		m.kilometres()
	}
	m.borders(b)
	m.changes()
	m.words(shapes, area)
	if len(s.Zones) == 0 {
		m.empty()
	}
	if s.Watermark != "" {
		m.watermark()
	}
	l.Unclip()
	m.neatline()
}

func (m *mapView) neighbours() {
	if len(m.s.Neighbours) == 0 {
		return
	}
	m.l.Mark("neighbours")
	b := newBorders(m.f.at, hair)
	for _, n := range m.s.Neighbours {
		b.know(n.Shape)
	}
	for i, n := range m.s.Neighbours {
		p := b.build(i, n.Shape)
		m.l.Fill(p, landOther)
	}
	for _, a := range b.order {
		m.l.Stroke(draw.Path{{Pts: a.pts}}, draw.Pen{Width: 0.2 * m.u, Colour: lineOther})
	}
}

// fills paints a level at a time: inside a level no seam shows.
func (m *mapView) fills(shapes []draw.Path) {
	none := m.s.ungraded()
	levels := make([]*Level, 0, len(m.s.Levels)+1)
	known := map[int]int{}
	for i := range m.s.Levels {
		known[m.s.Levels[i].Level] = len(levels)
		levels = append(levels, &m.s.Levels[i])
	}
	levels = append(levels, &none)
	paths := make([]draw.Path, len(levels))
	for i := range m.s.Zones {
		k, ok := known[m.s.Zones[i].Level]
		if !ok {
			k = len(levels) - 1
		}
		paths[k] = append(paths[k], shapes[i]...)
	}
	for i, lv := range levels {
		if len(paths[i]) == 0 {
			continue
		}
		m.l.Mark("level " + strconv.Itoa(lv.Level) + " " + lv.Name)
		m.l.Fill(paths[i], m.s.colour(lv.Colour))
		if t, ok := m.s.texture(lv, m.u); ok {
			m.l.Lay(paths[i], t)
		}
	}
}

// base draws water and lines.
func (m *mapView) base() {
	if len(m.s.Water) > 0 {
		m.l.Mark("water")
		for _, w := range m.s.Water {
			p := m.polygon(w.Shape)
			m.l.Fill(p, waterFill)
			m.l.Stroke(p, draw.Pen{Width: 0.12 * m.u, Colour: waterLine})
		}
	}
	order := make([]int, len(m.s.Lines))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool {
		_, a := lineLook(m.s.Lines[order[i]].Class, 1)
		_, b := lineLook(m.s.Lines[order[j]].Class, 1)
		return a < b
	})
	once := m.once(order)
	last := ""
	for _, i := range order {
		ln := m.s.Lines[i]
		if ln.Class != last {
			m.l.Mark("lines " + ln.Class)
			last = ln.Class
		}
		lk, _ := lineLook(ln.Class, m.u)
		var p draw.Path
		for _, part := range once[i] {
			pts := make([]draw.Pt, 0, len(part))
			for _, q := range part {
				pts = append(pts, m.f.at(q))
			}
			if pts = simplify(pts, hair); len(pts) > 1 && near(pts, m.f.rect) {
				p = append(p, draw.Line{Pts: pts})
			}
		}
		m.l.Stroke(p, lk.pen)
	}
}

// once takes out of the boundaries what is drawn already: two units share a border, and
// where a county ends so do its villages. The highest rank draws it.
func (m *mapView) once(order []int) map[int]orb.MultiLineString {
	out := map[int]orb.MultiLineString{}
	seen := map[[2]orb.Point]bool{}
	first := func(a, b orb.Point) bool {
		k := [2]orb.Point{a, b}
		if less(b, a) {
			k = [2]orb.Point{b, a}
		}
		if seen[k] {
			return false
		}
		seen[k] = true
		return true
	}
	for _, poly := range m.s.Area {
		for _, r := range poly {
			for i := 1; i < len(r); i++ {
				first(r[i-1], r[i])
			}
		}
	}
	for _, i := range slices.Backward(order) {
		ln := m.s.Lines[i]
		if c := ln.Class; c != LineCounty && c != LineTownship && c != LineVillage {
			out[i] = ln.Line
			continue
		}
		for _, part := range ln.Line {
			var run orb.LineString
			for j := 1; j < len(part); j++ {
				switch {
				case !first(part[j-1], part[j]):
					if len(run) > 1 {
						out[i] = append(out[i], run)
					}
					run = nil
				case run == nil:
					run = orb.LineString{part[j-1], part[j]}
				default:
					run = append(run, part[j])
				}
			}
			if len(run) > 1 {
				out[i] = append(out[i], run)
			}
		}
	}
	return out
}

// near reports whether a line's box meets the window.
func near(pts []draw.Pt, r draw.Rect) bool {
	b := boxOf(draw.Path{{Pts: pts}})
	return b.X <= r.X+r.W && r.X <= b.X+b.W && b.Y <= r.Y+r.H && r.Y <= b.Y+b.H
}

func (m *mapView) polygon(p orb.MultiPolygon) draw.Path {
	b := newBorders(m.f.at, hair)
	b.know(p)
	return b.build(0, p)
}

// borders draws every border once: thin within a level, stronger between levels, and the
// edge of the area strongest.
func (m *mapView) borders(b *borders) {
	const runs = 40 // arcs to a path: small boxes to rasterise
	var kinds [3]draw.Path
	names := [3]string{"borders within a level", "borders between levels", "edge"}
	pens := [3]draw.Pen{
		{Width: 0.13 * m.u, Colour: draw.Grey(90)}, {Width: 0.24 * m.u, Colour: draw.Grey(50)}, {Width: 0.5 * m.u, Colour: draw.Grey(25), Dash: []float64{2.6 * m.u, 0.6 * m.u, 0.5 * m.u, 0.6 * m.u}, Butt: true},
	}
	for _, a := range b.order {
		k := 0
		var levels []int
		edge := len(a.users) == 1
		for _, u := range a.users {
			if u < 0 {
				edge = true
			} else {
				levels = append(levels, m.s.Zones[u].Level)
			}
		}
		for _, v := range levels {
			if v != levels[0] {
				k = 1
			}
		}
		if edge && len(m.s.Area) > 0 {
			k = 1
			for _, u := range a.users {
				if u < 0 {
					k = 2
				}
			}
		} else if edge {
			k = 1
		}
		kinds[k] = append(kinds[k], draw.Line{Pts: a.pts})
	}
	for k, p := range kinds {
		if len(p) == 0 {
			continue
		}
		m.l.Mark(names[k])
		for len(p) > 0 {
			n := min(runs, len(p))
			m.l.Stroke(p[:n], pens[k])
			p = p[n:]
		}
	}
}

func (m *mapView) changes() {
	for _, c := range m.s.Changes {
		p := m.polygon(c.Shape)
		m.l.Mark("change " + c.Kind)
		t, pen := changeLook(c.Kind, m.u)
		m.l.Lay(p, t)
		m.l.Stroke(p, draw.Pen{Width: pen.Width + 0.5*m.u, Colour: draw.White}) // seen on dark levels too
		m.l.Stroke(p, pen)
	}
}

// changeLook draws what changed in one colour that is no level's.
func changeLook(kind string, u float64) (draw.Texture, draw.Pen) {
	t := draw.Texture{Name: "diagonal", Colour: changeLine, Step: 1.5 * u, Weight: 0.22 * u}
	pen := draw.Pen{Width: 0.5 * u, Colour: changeLine}
	switch kind {
	case ChangeLost:
		t.Name, pen.Dash, pen.Butt = "dots", []float64{1.2 * u, 0.8 * u}, true
	case ChangeLevel:
		t.Name = "cross"
	}
	return t, pen
}

func (m *mapView) empty() {
	text := m.s.w("本方案尚无区划单元", "This plan has no zones yet")
	size := 5 * m.u
	w := m.l.Width(text, size)
	c := draw.Pt{X: m.f.rect.X + m.f.rect.W/2, Y: m.f.rect.Y + m.f.rect.H/2}
	m.l.Text(draw.Pt{X: c.X - w/2, Y: c.Y + size*0.35}, text, draw.Style{Size: size, Colour: inkSoft, Halo: 0.6 * m.u})
}

// watermark says who and when, all over the map.
func (m *mapView) watermark() {
	m.l.Mark("watermark")
	size := 3.6 * m.u
	w := m.l.Width(m.s.Watermark, size) + 24*m.u
	r := m.f.rect
	row := 0
	for y := r.Y - r.H*0.1; y < r.Y+r.H*1.6; y += 34 * m.u {
		off := 0.0
		if row%2 == 1 {
			off = w / 2
		}
		row++
		for x := r.X - w + off; x < r.X+r.W; x += w * math.Cos(math.Pi/6) {
			m.l.Text(draw.Pt{X: x, Y: y}, m.s.Watermark, draw.Style{Size: size, Colour: draw.Grey(0), Angle: 30, Alpha: 0.085, Silent: true})
		}
	}
}

// kilometres draws the grid of the projection, every line labelled.
func (m *mapView) kilometres() {
	f, u := m.f, m.u
	st := step(34*u/f.k, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5)
	pen := draw.Pen{Width: 0.09 * u, Colour: gridLine}
	m.l.Mark(fmt.Sprintf("kilometre grid %g m", st))
	places := 0
	if st < 1000 {
		places = 2
	}
	text := func(v float64, first bool) string {
		t := strconv.FormatFloat(v/1000, 'f', places, 64)
		if first {
			t += " km"
		}
		return t
	}
	style := draw.Style{Size: 1.9 * u, Colour: gridText, Halo: 0.3 * u}
	x0, x1 := f.x-f.rect.W/2/f.k, f.x+f.rect.W/2/f.k
	y0, y1 := f.y-f.rect.H/2/f.k, f.y+f.rect.H/2/f.k
	first := true
	for i := math.Ceil(x0 / st); i*st < x1; i++ {
		px := f.rect.X + (i*st-x0)*f.k
		m.l.Segment(draw.Pt{X: px, Y: f.rect.Y}, draw.Pt{X: px, Y: f.rect.Y + f.rect.H}, pen)
		t := text(i*st, first)
		w := m.l.Width(t, style.Size)
		if at := px - w/2; at > f.rect.X+7*u && at+w < f.rect.X+f.rect.W-7*u {
			m.l.Text(draw.Pt{X: at, Y: f.rect.Y + 2.6*u}, t, style)
			m.taken.take(draw.Rect{X: at, Y: f.rect.Y, W: w, H: 3.2 * u})
			first = false
		}
	}
	first = true
	for i := math.Ceil(y0 / st); i*st < y1; i++ {
		py := f.rect.Y + f.rect.H - (i*st-y0)*f.k
		m.l.Segment(draw.Pt{X: f.rect.X, Y: py}, draw.Pt{X: f.rect.X + f.rect.W, Y: py}, pen)
		t := text(i*st, first)
		w := m.l.Width(t, style.Size)
		if py > f.rect.Y+6*u && py < f.rect.Y+f.rect.H-4*u {
			m.l.Text(draw.Pt{X: f.rect.X + 0.8*u, Y: py + 0.7*u}, t, style)
			m.taken.take(draw.Rect{X: f.rect.X, Y: py - 1.4*u, W: w + 1.2*u, H: 2.8 * u})
			first = false
		}
	}
}

// band is the width of the frame that bears the degrees.
const band = 4.4

// neatline draws the double frame with degrees, minutes and seconds along it, and crosses
// where meridians and parallels meet.
func (m *mapView) neatline() {
	f, u := m.f, m.u
	r, o := f.rect, f.rect.Inset(-band*u)
	m.l.Mark("neat line")
	m.l.Stroke(r.Path(), draw.Pen{Width: 0.2 * u, Colour: draw.Black, Butt: false})
	m.l.Stroke(o.Path(), draw.Pen{Width: 0.7 * u, Colour: draw.Black, Butt: false})
	if m.s.NoGrid {
		return
	}
	metres := 38 * u / f.k
	deg := step(metres/111000, 1.0/3600, 2.0/3600, 5.0/3600, 10.0/3600, 15.0/3600, 30.0/3600, 1.0/60, 2.0/60, 5.0/60, 10.0/60, 15.0/60, 20.0/60, 0.5, 1, 2, 5)
	m.l.Mark("graticule " + dms(deg, 1.0/3600, ""))
	tick := draw.Pen{Width: 0.16 * u, Colour: draw.Black, Butt: true}
	style := draw.Style{Size: 2.1 * u, Colour: inkText}
	// side finds where a coordinate is met along an edge.
	side := func(a, b draw.Pt, axis int, fn func(at draw.Pt, deg float64)) {
		va, vb := f.back(a)[axis], f.back(b)[axis]
		for i := math.Ceil(min(va, vb) / deg); i*deg < max(va, vb); i++ {
			lo, hi := 0.0, 1.0
			for range 40 {
				t := (lo + hi) / 2
				q := draw.Pt{X: a.X + t*(b.X-a.X), Y: a.Y + t*(b.Y-a.Y)}
				if (f.back(q)[axis] < i*deg) == (va < vb) {
					lo = t
				} else {
					hi = t
				}
			}
			fn(draw.Pt{X: a.X + lo*(b.X-a.X), Y: a.Y + lo*(b.Y-a.Y)}, i*deg)
		}
	}
	east := func(v float64) string { return dms(v, deg, hemisphere(v, "E", "W")) }
	north := func(v float64) string { return dms(v, deg, hemisphere(v, "N", "S")) }
	nw, ne := draw.Pt{X: r.X, Y: r.Y}, draw.Pt{X: r.X + r.W, Y: r.Y}
	sw, se := draw.Pt{X: r.X, Y: r.Y + r.H}, draw.Pt{X: r.X + r.W, Y: r.Y + r.H}
	mid := band * u / 2
	level := func(y float64, out float64) func(draw.Pt, float64) {
		return func(q draw.Pt, v float64) {
			t := east(v)
			w := m.l.Width(t, style.Size)
			m.l.Segment(q, draw.Pt{X: q.X, Y: y + out*1.1*u}, tick)
			if q.X-w/2 > r.X && q.X+w/2 < r.X+r.W {
				m.l.Text(draw.Pt{X: q.X - w/2, Y: y + out*(mid+0.35*u) + 0.75*u}, t, style)
			}
		}
	}
	side(nw, ne, 0, level(r.Y, -1))
	side(sw, se, 0, level(r.Y+r.H, 1))
	upright := func(x float64, out float64) func(draw.Pt, float64) {
		return func(q draw.Pt, v float64) {
			t := north(v)
			w := m.l.Width(t, style.Size)
			m.l.Segment(q, draw.Pt{X: x + out*1.1*u, Y: q.Y}, tick)
			if q.Y-w/2 > r.Y && q.Y+w/2 < r.Y+r.H {
				st := style
				st.Angle = 90
				m.l.Text(draw.Pt{X: x + out*(mid+0.35*u) + 0.75*u, Y: q.Y + w/2}, t, st)
			}
		}
	}
	side(sw, nw, 1, upright(r.X, -1))
	side(se, ne, 1, upright(r.X+r.W, 1))
	m.l.Clip(r)
	lo, hi := f.back(sw), f.back(ne)
	for i := math.Ceil(lo[0] / deg); i*deg < hi[0]; i++ {
		for j := math.Ceil(lo[1] / deg); j*deg < hi[1]; j++ {
			q := f.at(orb.Point{i * deg, j * deg})
			m.l.Segment(draw.Pt{X: q.X - 1.3*u, Y: q.Y}, draw.Pt{X: q.X + 1.3*u, Y: q.Y}, draw.Pen{Width: 0.13 * u, Colour: inkLine})
			m.l.Segment(draw.Pt{X: q.X, Y: q.Y - 1.3*u}, draw.Pt{X: q.X, Y: q.Y + 1.3*u}, draw.Pen{Width: 0.13 * u, Colour: inkLine})
		}
	}
	m.l.Unclip()
}

func hemisphere(v float64, plus, minus string) string {
	if v < 0 {
		return minus
	}
	return plus
}
