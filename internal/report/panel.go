package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
)

// w chooses the language of the sheet's own words.
func (s *Sheet) w(zh, en string) string {
	if s.Lang == "en" {
		return en
	}
	return zh
}

// block is a part of the panel: it draws itself and tells its height.
type block func(p *panel, x, y, w float64) float64

// panel is what stands beside the map.
type panel struct {
	s *Sheet
	l *draw.List
	f *frame
	u float64
}

func (p *panel) width(text string, size float64) float64 { return p.l.Width(text, size) }

func (p *panel) text(x, y float64, text string, size float64, c draw.Colour) {
	p.l.Text(draw.Pt{X: x, Y: y}, text, draw.Style{Size: size, Colour: c})
}

func (p *panel) right(x, y float64, text string, size float64, c draw.Colour) {
	p.text(x-p.width(text, size), y, text, size, c)
}

func (p *panel) heading(x, y, w float64, text string) float64 {
	size := 3.2 * p.u
	p.l.Text(draw.Pt{X: x + w/2 - p.width(text, size)/2, Y: y + size}, text, draw.Style{Size: size, Colour: inkText, Bold: true})
	return size * 1.5
}

// legend lists the levels with sample, count, area, share and people.
func legend(p *panel, x, y, w float64) float64 {
	s, u, l := p.s, p.u, p.l
	l.Mark("legend")
	top := y
	y += p.heading(x, y, w, s.w("图  例", "Legend"))
	title := s.LevelTitle
	if title == "" {
		title = s.w("等级", "Level")
	}
	head := []string{title, s.w("个数", "Zones"), s.w("面积/km²", "Area/km²"), s.w("占比", "Share"), s.w("人口/人", "People")}
	size, small := 2.5*u, 2.05*u
	sample := 8.4 * u
	rows := make([]Level, 0, len(s.Levels)+2)
	rows = append(rows, s.Levels...)
	if n := s.strangers(); n > 0 {
		lv := s.ungraded()
		lv.Count, lv.AreaM2, lv.Share = n, math.NaN(), math.NaN()
		rows = append(rows, lv)
	}
	samples := len(rows)
	if s.Total != nil {
		rows = append(rows, *s.Total)
		if rows[samples].Name == "" {
			rows[samples].Name = s.w("合计", "Total")
		}
	}
	cells := make([][5]string, len(rows))
	var widths [5]float64
	for k, h := range head {
		widths[k] = p.width(h, small)
	}
	for i, lv := range rows {
		people := "—"
		if lv.People != nil {
			people = grouped(*lv.People)
		}
		cells[i] = [5]string{lv.Name, grouped(int64(lv.Count)), km2(lv.AreaM2), percent(lv.Share), people}
		for k, c := range cells[i] {
			widths[k] = max(widths[k], p.width(c, size))
		}
	}
	need := sample + 1.2*u
	for _, v := range widths {
		need += v
	}
	gap := (w - need) / 5
	if gap < 0.9*u { // squeeze the letters rather than let columns touch
		k := max(0.45, (w-sample-1.2*u-5*0.9*u)/(need-sample-1.2*u))
		size, small, gap = size*k, small*k, 0.9*u
		for i := range widths {
			widths[i] *= k
		}
	}
	var ends [5]float64
	at := x + sample + 1.2*u
	for k, v := range widths {
		if k > 0 {
			at += gap
		}
		at += v
		ends[k] = at
	}
	row := 5.6 * u
	rule := draw.Pen{Width: 0.12 * u, Colour: inkSoft, Butt: true}
	l.Segment(draw.Pt{X: x, Y: y}, draw.Pt{X: x + w, Y: y}, draw.Pen{Width: 0.3 * u, Colour: inkText, Butt: true})
	p.text(x, y+3.2*u, head[0], small, inkSoft)
	for k := 1; k < 5; k++ {
		p.right(ends[k], y+3.2*u, head[k], small, inkSoft)
	}
	y += 4.6 * u
	l.Segment(draw.Pt{X: x, Y: y}, draw.Pt{X: x + w, Y: y}, rule)
	for i, lv := range rows {
		if i < samples {
			box := draw.Rect{X: x, Y: y + 0.6*u, W: sample, H: row - 1.2*u}
			l.Fill(box.Path(), s.colour(lv.Colour))
			if t, ok := s.texture(&lv, u); ok {
				l.Lay(box.Path(), t)
			}
			l.Stroke(box.Path(), draw.Pen{Width: 0.18 * u, Colour: draw.Grey(60)})
		} else {
			l.Segment(draw.Pt{X: x, Y: y}, draw.Pt{X: x + w, Y: y}, rule)
		}
		base := y + row/2 + size*0.36
		name := clipText(cells[i][0], ends[0]-x-sample-1.2*u+0.01, func(t string) float64 { return p.width(t, size) })
		p.text(x+sample+1.2*u, base, name, size, inkText)
		for k := 1; k < 5; k++ {
			p.right(ends[k], base, cells[i][k], size, inkText)
		}
		y += row
	}
	l.Segment(draw.Pt{X: x, Y: y}, draw.Pt{X: x + w, Y: y}, draw.Pen{Width: 0.3 * u, Colour: inkText, Butt: true})
	return y + 2*u - top
}

// strangers counts zones whose level the ladder does not have.
func (s *Sheet) strangers() int {
	known := map[int]bool{}
	for _, lv := range s.Levels {
		known[lv.Level] = true
	}
	n := 0
	for i := range s.Zones {
		if !known[s.Zones[i].Level] {
			n++
		}
	}
	return n
}

// symbols lists the other signs of the map, in two columns.
func symbols(p *panel, x, y, w float64) float64 {
	s, u, l := p.s, p.u, p.l
	type sign struct {
		text string
		draw func(x, y float64)
	}
	const long = 8.4
	line := func(pen draw.Pen) func(float64, float64) {
		return func(x, y float64) { l.Segment(draw.Pt{X: x, Y: y}, draw.Pt{X: x + long*u, Y: y}, pen) }
	}
	var signs []sign
	if len(s.Area) > 0 {
		signs = append(signs, sign{s.w("区划范围", "Extent of the plan"), line(draw.Pen{Width: 0.5 * u, Colour: draw.Grey(25), Dash: []float64{2.6 * u, 0.6 * u, 0.5 * u, 0.6 * u}, Butt: true})})
	}
	if len(s.Zones) > 1 {
		signs = append(signs, sign{s.w("区划单元界", "Zone boundary"), line(draw.Pen{Width: 0.24 * u, Colour: draw.Grey(50)})})
	}
	have := map[string]bool{}
	for _, ln := range s.Lines {
		have[ln.Class] = true
	}
	for _, c := range []string{LineCounty, LineTownship, LineVillage, LineRailway, LineHighway, LineRoad, LineRiver} {
		if have[c] {
			lk, _ := lineLook(c, u)
			signs = append(signs, sign{s.w(lk.zh, lk.en), line(lk.pen)})
		}
	}
	area := func(c, edge draw.Colour) func(float64, float64) {
		return func(x, y float64) {
			box := draw.Rect{X: x, Y: y - 1.5*u, W: long * u, H: 3 * u}
			l.Fill(box.Path(), c)
			l.Stroke(box.Path(), draw.Pen{Width: 0.14 * u, Colour: edge})
		}
	}
	if len(s.Water) > 0 {
		signs = append(signs, sign{s.w("水体", "Water"), area(waterFill, waterLine)})
	}
	if len(s.Neighbours) > 0 {
		signs = append(signs, sign{s.w("相邻区域", "Neighbouring area"), area(landOther, lineOther)})
	}
	places := map[string]bool{}
	for _, pl := range s.Places {
		places[pl.Class] = true
	}
	for _, c := range []struct{ class, zh, en string }{{PlaceCounty, "县级驻地", "County seat"}, {PlaceTownship, "乡镇驻地", "Township seat"}, {PlaceVillage, "村庄", "Village"}} {
		if places[c.class] {
			signs = append(signs, sign{s.w(c.zh, c.en), func(x, y float64) { drawPlace(l, c.class, draw.Pt{X: x + long*u/2, Y: y}, u) }})
		}
	}
	changes := map[string]bool{}
	for _, c := range s.Changes {
		changes[c.Kind] = true
	}
	for _, c := range []struct{ kind, zh, en string }{{ChangeGained, "新增", "Gained"}, {ChangeLost, "减少", "Lost"}, {ChangeLevel, "等级变化", "Level changed"}} {
		if !changes[c.kind] {
			continue
		}
		signs = append(signs, sign{s.w(c.zh, c.en), func(x, y float64) {
			t, pen := changeLook(c.kind, u)
			box := draw.Rect{X: x, Y: y - 1.5*u, W: long * u, H: 3 * u}
			l.Lay(box.Path(), t)
			l.Stroke(box.Path(), pen)
		}})
	}
	if len(signs) == 0 {
		return 0
	}
	l.Mark("symbols")
	size, row := 2.3*u, 4.5*u
	half := (len(signs) + 1) / 2
	for i, sg := range signs {
		cx, cy := x, y+row*(float64(i%half)+0.5)
		if i >= half {
			cx += w / 2
		}
		sg.draw(cx, cy)
		p.text(cx+(long+1.2)*u, cy+size*0.36, clipText(sg.text, w/2-(long+1.6)*u, func(t string) float64 { return p.width(t, size) }), size, inkText)
	}
	return row*float64(half) + 2*u
}

// notes are the lines that say what the map rests on.
func notes(p *panel, x, y, w float64) float64 {
	s, u := p.s, p.u
	lines := [][2]string{
		{s.w("版  本", "Version"), s.Version}, {s.w("对  比", "Against"), s.Against}, {s.w("截  至", "As of"), s.AsOf}, {s.w("口  径", "Basis"), s.Basis}, {s.w("来  源", "Source"), s.Source},
		{s.w("文  号", "Document"), s.DocumentNo},
	}
	size := 2.3 * u
	lead := size * 1.42
	indent := 0.0
	for _, ln := range lines {
		indent = max(indent, p.width(ln[0], size)+1.6*u)
	}
	top := y
	marked := false
	for _, ln := range lines {
		if strings.TrimSpace(ln[1]) == "" {
			continue
		}
		if !marked {
			p.l.Mark("notes")
			marked = true
		}
		p.text(x, y+size, ln[0], size, inkSoft)
		wrapped := wrap(ln[1], w-indent, func(t string) float64 { return p.width(t, size) })
		if len(wrapped) > 6 {
			wrapped = append(wrapped[:5:5], clipText(wrapped[5]+"…", w-indent, func(t string) float64 { return p.width(t, size) }))
		}
		for _, t := range wrapped {
			p.text(x+indent, y+size, t, size, inkText)
			y += lead
		}
	}
	if !marked {
		return 0
	}
	return y + 2*u - top
}

// approvals is the table of who made, checked and approved; blank lines are signed by hand.
func approvals(p *panel, x, y, w float64) float64 {
	s, u, l := p.s, p.u, p.l
	if len(s.Approvals) == 0 {
		return 0
	}
	l.Mark("approvals")
	row, size := 6.2*u, 2.4*u
	thin := draw.Pen{Width: 0.14 * u, Colour: inkLine, Butt: true}
	h := row * float64(len(s.Approvals))
	left, date := w*0.2, w*0.66
	for i, a := range s.Approvals {
		top := y + row*float64(i)
		base := top + row/2 + size*0.36
		if i > 0 {
			l.Segment(draw.Pt{X: x, Y: top}, draw.Pt{X: x + w, Y: top}, thin)
		}
		p.text(x+left/2-p.width(a.Role, size)/2, base, a.Role, size, inkSoft)
		name := clipText(a.Name, date-left-2*u, func(t string) float64 { return p.width(t, size) })
		p.text(x+left+1.4*u, base, name, size, inkText)
		if !a.Date.IsZero() {
			t := a.Date.Format("2006-01-02")
			p.text(x+date+(w-date)/2-p.width(t, size)/2, base, t, size, inkText)
		}
	}
	for _, at := range []float64{left, date} {
		l.Segment(draw.Pt{X: x + at, Y: y}, draw.Pt{X: x + at, Y: y + h}, thin)
	}
	l.Stroke(draw.Rect{X: x, Y: y, W: w, H: h}.Path(), draw.Pen{Width: 0.25 * u, Colour: inkText})
	return h + 2*u
}

// locator shows where the area lies among its neighbours, beside the north arrow.
func locator(p *panel, x, y, w float64) float64 {
	s, u, l := p.s, p.u, p.l
	h := 34 * u
	north(p, x+w-9.5*u, y+2*u)
	if p.f == nil || len(s.Area) == 0 && len(s.Neighbours) == 0 {
		return 26 * u
	}
	box := draw.Rect{X: x, Y: y, W: w - 19*u, H: h}
	l.Mark("locator")
	ext, err := (&Sheet{Area: s.Area, Zones: s.around()}).extentOf()
	if err != nil {
		return 26 * u
	}
	if len(s.Area) > 0 { // a neighbour that is a whole province shall not make the area a dot
		a := s.Area.Bound()
		dx, dy := 1.4*(a.Max[0]-a.Min[0]), 1.4*(a.Max[1]-a.Min[1])
		ext.Min = orb.Point{max(ext.Min[0], a.Min[0]-dx), max(ext.Min[1], a.Min[1]-dy)}
		ext.Max = orb.Point{min(ext.Max[0], a.Max[0]+dx), min(ext.Max[1], a.Max[1]+dy)}
	}
	f, err := fitFrame(box, ext, 0)
	if err != nil {
		return 26 * u
	}
	// An inset bears no scale: it fills its box.
	l.Clip(box)
	l.Fill(box.Path(), draw.White)
	b := newBorders(f.at, 0.12)
	for _, n := range s.Neighbours {
		b.know(n.Shape)
	}
	b.know(s.Area)
	var other draw.Path
	for i, n := range s.Neighbours {
		other = append(other, b.build(i, n.Shape)...)
	}
	l.Fill(other, landOther)
	area := b.build(-1, s.Area)
	l.Fill(area, draw.Colour{R: 0xC9, G: 0xD6, B: 0xE6})
	for _, a := range b.order {
		l.Stroke(draw.Path{{Pts: a.pts}}, draw.Pen{Width: 0.14 * u, Colour: lineOther})
	}
	l.Stroke(area, draw.Pen{Width: 0.32 * u, Colour: draw.Grey(40)})
	t := newTaken()
	m := &mapView{s: s, l: l, f: f, u: u}
	for i, n := range s.Neighbours {
		if lb, ok := t.place(b.build(i, n.Shape), box.Inset(0.5*u), [][]string{{n.Name}}, []float64{2 * u, 1.8 * u}, p.width); ok && n.Name != "" {
			m.set(lb, textOther, 0)
		}
	}
	// What the map shows.
	r := p.f.rect
	corners := make([]draw.Pt, 0, 4)
	for _, q := range r.Path()[0].Pts {
		corners = append(corners, f.at(p.f.back(q)))
	}
	l.Stroke(draw.Path{{Pts: corners, Closed: true}}, draw.Pen{Width: 0.25 * u, Colour: stampRed})
	l.Unclip()
	l.Stroke(box.Path(), draw.Pen{Width: 0.2 * u, Colour: inkText})
	return h + 2.5*u
}

// around is what the inset must show.
func (s *Sheet) around() []Zone {
	out := make([]Zone, 0, len(s.Neighbours))
	for _, n := range s.Neighbours {
		out = append(out, Zone{Shape: n.Shape})
	}
	return out
}

// north is the arrow; it says how far the grid's north lies from true north.
func north(p *panel, x, y float64) {
	u, l := p.u, p.l
	l.Mark("north")
	t := p.s.w("北", "N")
	size := 3.4 * u
	p.l.Text(draw.Pt{X: x - p.width(t, size)/2, Y: y + size*0.9}, t, draw.Style{Size: size, Colour: inkText, Bold: true})
	top, h, half := y+size*1.25, 14*u, 3.1*u
	foot := draw.Pt{X: x, Y: top + h*0.76}
	left := draw.Path{{Pts: []draw.Pt{{X: x, Y: top}, {X: x - half, Y: top + h}, foot}, Closed: true}}
	right := draw.Path{{Pts: []draw.Pt{{X: x, Y: top}, foot, {X: x + half, Y: top + h}}, Closed: true}}
	l.Fill(left, inkText)
	l.Stroke(left, draw.Pen{Width: 0.16 * u, Colour: inkText})
	l.Stroke(right, draw.Pen{Width: 0.16 * u, Colour: inkText})
	if p.f == nil {
		return
	}
	mid := p.f.back(draw.Pt{X: p.f.rect.X + p.f.rect.W/2, Y: p.f.rect.Y + p.f.rect.H/2})
	c := p.f.zone.Convergence(mid[0], mid[1])
	sign := "+"
	if c < 0 {
		sign = "-"
	}
	text := p.s.w("子午线收敛角", "Convergence")
	small := 1.75 * u
	p.text(x-p.width(text, small)/2, top+h+2.6*u, text, small, inkSoft)
	text = fmt.Sprintf("%s%s", sign, dms(math.Abs(c), 1.0/60, ""))
	p.text(x-p.width(text, small)/2, top+h+5*u, text, small, inkSoft)
}
