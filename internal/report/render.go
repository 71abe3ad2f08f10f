package report

import (
	"bufio"
	"context"
	"fmt"
	"image/png"
	"io"
	"math"
	"strings"

	"onemap/internal/report/draw"
	"onemap/internal/report/font"
)

// paper is short and long side in millimetres, and how much larger than on A4 the
// letters are.
var paper = map[Size]struct{ short, long, u float64 }{
	A4: {210, 297, 1}, A3: {297, 420, 1.25}, A2: {420, 594, 1.6}, A1: {594, 841, 2.05}, A0: {841, 1189, 2.6},
}

// PDF writes a sheet as a vector PDF.
func PDF(ctx context.Context, w io.Writer, s Sheet) (Drawn, error) {
	l, drawn, err := compose(ctx, s)
	if err != nil {
		return Drawn{}, err
	}
	lang := "zh-CN"
	if s.Lang == "en" {
		lang = "en"
	}
	err = l.PDF(ctx, w, draw.Info{Title: strings.TrimSpace(s.Title + " " + s.Subtitle), Author: s.Office, Subject: s.Source, Lang: lang, At: s.MadeAt})
	if err != nil {
		return Drawn{}, fmt.Errorf("report: pdf: %w", err)
	}
	return drawn, nil
}

// PNG writes a sheet up to A3 as a picture of dpi dots per inch, 36 to 300.
func PNG(ctx context.Context, w io.Writer, s Sheet, dpi int) (Drawn, error) {
	if s.Size != A4 && s.Size != A3 {
		return Drawn{}, fmt.Errorf("%w: a picture is A4 or A3, not %.20q", ErrInput, s.Size)
	}
	if dpi < 36 || dpi > 300 {
		return Drawn{}, fmt.Errorf("%w: %d dots per inch; 36 to 300", ErrInput, dpi)
	}
	l, drawn, err := compose(ctx, s)
	if err != nil {
		return Drawn{}, err
	}
	img, err := l.Image(ctx, dpi)
	if err != nil {
		return Drawn{}, fmt.Errorf("report: png: %w", err)
	}
	buf := bufio.NewWriterSize(w, 1<<16)
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(buf, img); err != nil {
		return Drawn{}, fmt.Errorf("report: png: %w", err)
	}
	if err := buf.Flush(); err != nil {
		return Drawn{}, fmt.Errorf("report: png: %w", err)
	}
	return drawn, nil
}

// compose draws a sheet as a display list.
func compose(ctx context.Context, s Sheet) (*draw.List, Drawn, error) {
	if s.Size == "" {
		s.Size = A4
	}
	if err := s.check(); err != nil {
		return nil, Drawn{}, err
	}
	ext, err := s.extentOf()
	if err != nil {
		return nil, Drawn{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, Drawn{}, fmt.Errorf("report: %w", err)
	}
	pp := paper[s.Size]
	w, h := pp.long, pp.short
	if s.Portrait {
		w, h = h, w
	}
	y := &layout{s: &s, u: pp.u, l: draw.New(w, h, font.Sheet()), drawn: Drawn{WidthMM: w, HeightMM: h}}
	y.plan()
	f, err := fitFrame(y.window, ext, s.Scale)
	if err != nil {
		return nil, Drawn{}, err
	}
	y.drawn.Scale, y.drawn.Projection = f.scale, f.zone.Name(s.Lang == "en")
	y.head()
	(&mapView{s: &s, l: y.l, f: f, u: y.u, taken: newTaken(), drawn: &y.drawn}).draw()
	y.side(f)
	y.foot(f)
	y.stamp()
	y.drawn.Missing = y.l.Missing()
	return y.l, y.drawn, nil
}

// layout divides the paper.
type layout struct {
	s      *Sheet
	u      float64
	l      *draw.List
	drawn  Drawn
	margin float64
	top    float64 // where the map's frame begins
	window draw.Rect
	panel  draw.Rect
	tall   float64 // of the foot
}

// plan finds the map's window and the panel's place.
func (y *layout) plan() {
	u := y.u
	y.margin = 9 * math.Sqrt(u)
	y.tall = 11.5 * u
	y.top = y.margin + 12.5*u
	if y.s.Subtitle != "" {
		y.top += 4.6 * u
	}
	inner := draw.Rect{X: y.margin, Y: y.top, W: y.l.W - 2*y.margin, H: y.l.H - y.top - y.margin - y.tall}
	gap := 3 * u
	if y.s.Portrait {
		tall := y.columns(draw.New(y.l.W, y.l.H, font.Sheet()), nil, draw.Rect{X: inner.X, Y: 0, W: inner.W}, u)
		tall = min(tall, inner.H*0.42)
		y.panel = draw.Rect{X: inner.X, Y: inner.Y + inner.H - tall, W: inner.W, H: tall}
		y.window = draw.Rect{X: inner.X, Y: inner.Y, W: inner.W, H: inner.H - tall - gap}.Inset(band * u)
		return
	}
	side := 74 * u
	y.panel = draw.Rect{X: inner.X + inner.W - side, Y: inner.Y, W: side, H: inner.H}
	y.window = draw.Rect{X: inner.X, Y: inner.Y, W: inner.W - side - gap, H: inner.H}.Inset(band * u)
}

// head sets the title over the sheet, the mark at its right and the number at its left.
func (y *layout) head() {
	s, u, l := y.s, y.u, y.l
	l.Mark("page frame")
	edge := y.margin * 0.5
	l.Stroke(draw.Rect{X: edge, Y: edge, W: l.W - 2*edge, H: l.H - 2*edge}.Path(), draw.Pen{Width: 0.2 * u, Colour: inkLine})
	l.Mark("head")
	room := l.W - 2*y.margin - 2*34*u
	size := 7.2 * u
	if w := l.Width(s.Title, size); w > room {
		size = max(3.6*u, size*room/w)
	}
	title := clipText(s.Title, l.W-2*y.margin, func(t string) float64 { return l.Width(t, size) })
	base := y.margin + 7.6*u
	l.Text(draw.Pt{X: l.W/2 - l.Width(title, size)/2, Y: base}, title, draw.Style{Size: size, Colour: inkText, Bold: true})
	if s.Subtitle != "" {
		small := 3.5 * u
		t := clipText(s.Subtitle, l.W-2*y.margin, func(t string) float64 { return l.Width(t, small) })
		l.Text(draw.Pt{X: l.W/2 - l.Width(t, small)/2, Y: base + 6.2*u}, t, draw.Style{Size: small, Colour: inkText})
	}
	if s.Mark != "" && s.MapNumber == "" {
		small := 3.4 * u
		t := clipText(s.Mark, 36*u, func(t string) float64 { return l.Width(t, small) })
		l.Text(draw.Pt{X: l.W - y.margin - l.Width(t, small), Y: y.margin + 3.4*u}, t, draw.Style{Size: small, Colour: inkText, Bold: true})
	}
	if s.DocumentNo != "" {
		small := 2.4 * u
		t := clipText(s.DocumentNo, 40*u, func(t string) float64 { return l.Width(t, small) })
		l.Text(draw.Pt{X: y.margin, Y: y.margin + 3.2*u}, t, draw.Style{Size: small, Colour: inkText})
	}
}

// stack draws blocks one below the other and tells their height.
func (y *layout) stack(l *draw.List, f *frame, x, top, w, u float64, blocks ...block) float64 {
	p := &panel{s: y.s, l: l, f: f, u: u}
	at := top
	for _, b := range blocks {
		at += b(p, x, at, w)
	}
	return at - top
}

// columns is the panel of an upright sheet: three columns below the map.
func (y *layout) columns(l *draw.List, f *frame, r draw.Rect, u float64) float64 {
	gap := 5 * u
	w := (r.W - 2*gap) / 3
	tall := y.stack(l, f, r.X, r.Y, w*1.12, u, legend)
	tall = max(tall, y.stack(l, f, r.X+w*1.12+gap, r.Y, w*0.94, u, symbols, notes))
	return max(tall, y.stack(l, f, r.X+2*gap+w*2.06, r.Y, w*0.94, u, locator, approvals))
}

// side draws the panel, smaller where its content would not fit otherwise.
func (y *layout) side(f *frame) {
	y.l.Mark("panel")
	r := y.panel
	scratch := func() *draw.List { return draw.New(y.l.W, y.l.H, font.Sheet()) }
	u := y.u
	if y.s.Portrait {
		for u > 0.5*y.u && y.columns(scratch(), f, r, u) > r.H+0.01 {
			u *= 0.96
		}
		y.columns(y.l, f, r, u)
		return
	}
	upper := []block{locator, legend, symbols, notes}
	u *= 1.14 // where there is room the letters may grow
	for u > 0.5*y.u && y.stack(scratch(), f, r.X, r.Y, r.W, u, append(upper, approvals)...) > r.H+0.01 {
		u *= 0.96
	}
	y.stack(y.l, f, r.X, r.Y, r.W, u, upper...)
	tall := y.stack(scratch(), f, r.X, r.Y, r.W, u, approvals)
	y.stack(y.l, f, r.X, r.Y+r.H-tall+2*u, r.W, u, approvals)
}

// foot states projection and scale below the map, and who made the sheet.
func (y *layout) foot(f *frame) {
	s, u, l := y.s, y.u, y.l
	l.Mark("foot")
	top := l.H - y.margin - y.tall
	size := 2.2 * u
	fit := func(t string, w float64) string {
		return clipText(t, w, func(t string) float64 { return l.Width(t, size) })
	}
	third := (l.W - 2*y.margin) / 3.4
	line1, line2 := top+5.2*u, top+8.8*u
	names := strings.Split(y.drawn.Projection, " · ")
	if len(names) < 2 {
		names = strings.SplitN(y.drawn.Projection, ", ", 2)
	}
	l.Text(draw.Pt{X: y.margin, Y: line1}, fit(names[0], third-3*u), draw.Style{Size: size, Colour: inkSoft})
	l.Text(draw.Pt{X: y.margin, Y: line2}, fit(strings.Join(names[1:], " "), third-3*u), draw.Style{Size: size, Colour: inkSoft})

	right := []string{}
	if s.Office != "" {
		right = append(right, s.Office+s.w(" 编制", ""))
	}
	made := ""
	if !s.MadeAt.IsZero() {
		made = s.w("制图日期 ", "Made ") + s.MadeAt.Format("2006-01-02")
	}
	if s.MapNumber != "" {
		made = strings.TrimSpace(s.w("审图号：", "Map approval ") + s.MapNumber + "  " + made)
	}
	if made != "" {
		right = append(right, made)
	}
	for i, t := range right {
		t = fit(t, third-3*u)
		l.Text(draw.Pt{X: l.W - y.margin - l.Width(t, size), Y: []float64{line1, line2}[i]}, t, draw.Style{Size: size, Colour: inkSoft})
	}
	y.scaleBar(f, top)
}

// scaleBar draws the scale in figures over a bar of four parts.
func (y *layout) scaleBar(f *frame, top float64) {
	u, l := y.u, y.l
	l.Mark("scale bar")
	text := "1:" + spaced(f.scale)
	size := 3 * u
	x := y.window.X + y.window.W/2
	part := 10.0
	for _, c := range []float64{10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 2.5e3, 5e3, 1e4, 2e4, 2.5e4, 5e4, 1e5, 2e5, 2.5e5, 5e5, 1e6} {
		if c*f.k <= 14*u {
			part = c
		}
	}
	w := part * f.k
	left := x - 2*w
	l.Text(draw.Pt{X: x - l.Width(text, size)/2, Y: top + 4*u}, text, draw.Style{Size: size, Colour: inkText, Bold: true})
	bar := draw.Rect{X: left, Y: top + 7.6*u, W: w, H: 1.1 * u}
	unit, div := "m", 1.0
	if 4*part >= 2000 {
		unit, div = "km", 1000
	}
	small := 2 * u
	for i := range 5 {
		t := fmt.Sprintf("%g", float64(i)*part/div)
		at := left + float64(i)*w - l.Width(t, small)/2
		if i == 4 {
			t += " " + unit
		}
		l.Text(draw.Pt{X: at, Y: top + 7*u}, t, draw.Style{Size: small, Colour: inkText})
		if i == 4 {
			break
		}
		r := bar
		r.X = left + float64(i)*w
		c := draw.White
		if i%2 == 0 {
			c = inkText
		}
		l.Fill(r.Path(), c)
		l.Stroke(r.Path(), draw.Pen{Width: 0.16 * u, Colour: inkText})
	}
}

// stamp says that this is no plan in force yet.
func (y *layout) stamp() {
	s, u, l := y.s, y.u, y.l
	if s.Draft == "" {
		return
	}
	l.Mark("stamp")
	size := 5 * u
	w := l.Width(s.Draft, size)
	const deg = 12
	sin, cos := math.Sincos(deg * math.Pi / 180)
	at := draw.Pt{X: y.window.X + y.window.W - (w+5*u)*cos - 5*u, Y: y.window.Y + (w+5*u)*sin + 12*u}
	to := func(x, up float64) draw.Pt { return draw.Pt{X: at.X + x*cos - up*sin, Y: at.Y - x*sin - up*cos} }
	box := func(d float64) draw.Path {
		return draw.Path{{Pts: []draw.Pt{to(-2.2*u-d, -1.9*u-d), to(w+2.2*u+d, -1.9*u-d), to(w+2.2*u+d, size+1.1*u+d), to(-2.2*u-d, size+1.1*u+d)}, Closed: true}}
	}
	l.Tint(box(0.8*u), draw.White, 0.72)
	l.Stroke(box(0), draw.Pen{Width: 0.35 * u, Colour: stampRed})
	l.Stroke(box(0.8*u), draw.Pen{Width: 0.7 * u, Colour: stampRed})
	l.Text(at, s.Draft, draw.Style{Size: size, Colour: stampRed, Bold: true, Angle: deg})
}
