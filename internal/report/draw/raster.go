package draw

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"

	"onemap/internal/report/font"
)

type raster struct {
	l      *List
	img    *image.RGBA
	k      float64 // pixels per millimetre
	clip   image.Rectangle
	v      vector.Rasterizer
	glyphs map[uint16][]font.Contour
}

// Image draws the list as pixels on white.
func (l *List) Image(ctx context.Context, dpi int) (*image.RGBA, error) {
	k := float64(dpi) / 25.4
	r := &raster{l: l, k: k, glyphs: map[uint16][]font.Contour{},
		img: image.NewRGBA(image.Rect(0, 0, int(math.Round(l.W*k)), int(math.Round(l.H*k))))}
	for i := range r.img.Pix {
		r.img.Pix[i] = 255
	}
	r.clip = r.img.Bounds()
	for i := range l.ops {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("draw: %w", ctx.Err())
		}
		r.draw(&l.ops[i])
	}
	return r.img, nil
}

func (r *raster) draw(o *op) {
	switch o.kind {
	case 'c':
		r.clip = image.Rect(int(math.Round(o.rect.X*r.k)), int(math.Round(o.rect.Y*r.k)),
			int(math.Round((o.rect.X+o.rect.W)*r.k)), int(math.Round((o.rect.Y+o.rect.H)*r.k))).Intersect(r.img.Bounds())
	case 'u':
		r.clip = r.img.Bounds()
	case 'f':
		if o.texture != nil {
			r.fill(r.scaled(o.path), func(rect image.Rectangle) { r.pattern(rect, o.texture) })
			return
		}
		r.fill(r.scaled(o.path), func(rect image.Rectangle) { r.solid(rect, o.colour, o.alpha) })
	case 's':
		width := max(o.pen.Width*r.k, 0.35) // thinner lines fade, they do not vanish
		paths := r.scaled(o.path)
		if len(o.pen.Dash) > 0 {
			dash := make([]float64, len(o.pen.Dash))
			for i, d := range o.pen.Dash {
				dash[i] = d * r.k
			}
			paths = dashed(paths, dash)
		}
		r.fill(outlineOf(paths, width, o.pen.Butt), func(rect image.Rectangle) { r.solid(rect, o.pen.Colour, o.pen.Alpha) })
	case 't':
		r.text(o)
	}
}

func (r *raster) scaled(p Path) Path {
	out := make(Path, len(p))
	for i, l := range p {
		pts := make([]Pt, len(l.Pts))
		for j, q := range l.Pts {
			pts[j] = Pt{q.X * r.k, q.Y * r.k}
		}
		out[i] = Line{pts, l.Closed}
	}
	return out
}

// fill rasterises a path, in pixels, within its own box and the clip.
func (r *raster) fill(p Path, paint func(image.Rectangle)) {
	lo, hi := Pt{math.Inf(1), math.Inf(1)}, Pt{math.Inf(-1), math.Inf(-1)}
	for _, l := range p {
		for _, q := range l.Pts {
			lo, hi = Pt{min(lo.X, q.X), min(lo.Y, q.Y)}, Pt{max(hi.X, q.X), max(hi.Y, q.Y)}
		}
	}
	rect, ok := r.box(lo, hi)
	if !ok {
		return
	}
	r.v.Reset(rect.Dx(), rect.Dy())
	x, y := float64(rect.Min.X), float64(rect.Min.Y)
	for _, l := range p {
		for i, q := range l.Pts {
			if i == 0 {
				r.v.MoveTo(float32(q.X-x), float32(q.Y-y))
			} else {
				r.v.LineTo(float32(q.X-x), float32(q.Y-y))
			}
		}
		r.v.ClosePath()
	}
	paint(rect)
}

func (r *raster) box(lo, hi Pt) (image.Rectangle, bool) {
	if !(lo.X <= hi.X && lo.Y <= hi.Y) {
		return image.Rectangle{}, false
	}
	w, h := float64(r.img.Rect.Dx()), float64(r.img.Rect.Dy())
	in := func(v, most float64) int { return int(max(-1, min(most+1, v))) }
	rect := image.Rect(in(math.Floor(lo.X), w), in(math.Floor(lo.Y), h), in(math.Ceil(hi.X)+1, w), in(math.Ceil(hi.Y)+1, h)).Intersect(r.clip)
	return rect, !rect.Empty()
}

func (r *raster) solid(rect image.Rectangle, c Colour, alpha float64) {
	a := uint32(255)
	if alpha > 0 && alpha < 1 {
		a = uint32(alpha*255 + 0.5)
	}
	pre := func(v uint8) uint8 { return uint8((uint32(v)*a + 127) / 255) }
	r.v.Draw(r.img, rect, image.NewUniform(color.RGBA{pre(c.R), pre(c.G), pre(c.B), uint8(a)}), image.Point{})
}

// pattern paints the texture through the rasterised shape.
func (r *raster) pattern(rect image.Rectangle, t *Texture) {
	mask := image.NewAlpha(image.Rect(0, 0, rect.Dx(), rect.Dy()))
	r.v.DrawOp = draw.Src
	r.v.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	step, weight := t.Step*r.k, t.Weight*r.k
	for y := range mask.Rect.Dy() {
		row := mask.Pix[y*mask.Stride:][:mask.Rect.Dx()]
		pix := r.img.Pix[r.img.PixOffset(rect.Min.X, rect.Min.Y+y):]
		py := float64(rect.Min.Y+y) + 0.5
		for x, m := range row {
			if m == 0 {
				continue
			}
			a := uint32(t.cover(float64(rect.Min.X+x)+0.5, py, step, weight)*float64(m) + 0.5)
			if a == 0 {
				continue
			}
			p := pix[4*x : 4*x+3 : 4*x+3]
			for i, c := range [3]uint8{t.Colour.R, t.Colour.G, t.Colour.B} {
				p[i] = uint8((uint32(c)*a + uint32(p[i])*(255-a) + 127) / 255)
			}
		}
	}
}

// cover is how much of a pixel the strokes of a texture cover, 0 to 1.
func (t *Texture) cover(px, py, step, weight float64) float64 {
	off := func(v float64) float64 { return math.Abs(v - step*math.Round(v/step)) } // to the nearest repeat
	var c float64
	switch t.Name {
	case "dots":
		c = weight - min(math.Hypot(off(px-step/4), off(py-step*3/4)), math.Hypot(off(px-step*3/4), off(py-step/4))) + 0.5
	case "cross":
		c = weight/2 - min(off(px+py), off(px-py))/math.Sqrt2 + 0.5
	default:
		c = weight/2 - off(px+py)/math.Sqrt2 + 0.5
	}
	return max(0, min(1, c))
}

// text fills the outlines of the letters, over their white edge.
func (r *raster) text(o *op) {
	s := o.style
	face := r.l.face
	scale := s.Size * r.k / float64(face.UnitsPerEm)
	sin, cos := math.Sincos(s.Angle * math.Pi / 180)
	var letters Path
	pen := 0.0
	for _, ru := range o.text {
		g, _ := face.Glyph(ru)
		shape, ok := r.glyphs[g]
		if !ok {
			shape = face.Outline(g)
			r.glyphs[g] = shape
		}
		for _, c := range shape {
			letters = append(letters, Line{flatten(c, func(p font.Point) Pt {
				x, y := pen+p.X*scale, p.Y*scale
				return Pt{o.at.X*r.k + x*cos - y*sin, o.at.Y*r.k - x*sin - y*cos}
			}), true})
		}
		pen += float64(face.Advance(g)) * scale
	}
	if s.Halo > 0 {
		r.fill(outlineOf(letters, 2*s.Halo*r.k, false), func(rect image.Rectangle) { r.solid(rect, White, s.Alpha) })
	}
	r.fill(letters, func(rect image.Rectangle) { r.solid(rect, s.Colour, s.Alpha) })
	if s.Bold {
		r.fill(outlineOf(letters, s.Size*boldWidth*r.k, false), func(rect image.Rectangle) { r.solid(rect, s.Colour, s.Alpha) })
	}
}

// flatten walks a contour of quadratic curves as straight pieces.
func flatten(c font.Contour, to func(font.Point) Pt) []Pt {
	n := len(c)
	if n == 0 {
		return nil
	}
	mid := func(a, b font.Point) font.Point { return font.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2} }
	first := 0
	for first < n && c[first].Off {
		first++
	}
	var start font.Point
	if first == n {
		first = 0
		start = mid(c[n-1], c[0])
	} else {
		start = c[first]
		first++
	}
	out := []Pt{to(start)}
	last := out[0]
	curve := func(ctrl, end Pt) {
		// The farther the control point bends the line, the more pieces.
		bend := math.Hypot(last.X-2*ctrl.X+end.X, last.Y-2*ctrl.Y+end.Y)
		k := max(1, min(12, int(math.Sqrt(bend)*1.6+1)))
		for i := 1; i <= k; i++ {
			t := float64(i) / float64(k)
			u := 1 - t
			out = append(out, Pt{u*u*last.X + 2*u*t*ctrl.X + t*t*end.X, u*u*last.Y + 2*u*t*ctrl.Y + t*t*end.Y})
		}
		last = end
	}
	var ctrl *font.Point
	for i := range n {
		p := c[(first+i)%n]
		if i == n-1 && !p.Off && start == p {
			break
		}
		switch {
		case p.Off && ctrl != nil:
			curve(to(*ctrl), to(mid(*ctrl, p)))
			ctrl = &p
		case p.Off:
			ctrl = &p
		case ctrl != nil:
			curve(to(*ctrl), to(p))
			ctrl = nil
		default:
			last = to(p)
			out = append(out, last)
		}
	}
	if ctrl != nil {
		curve(to(*ctrl), out[0])
	}
	return out
}
