package demo

import (
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"sort"
)

// canvas draws pictures of the county for people to look at.
type canvas struct {
	img   *image.RGBA
	o     pt
	scale float64 // pixels per metre
	ss    int
	w, h  int
}

func newCanvas(o pt, wM, hM float64, wPx int) *canvas {
	ss := 2
	s := float64(wPx*ss) / wM
	w, h := wPx*ss, int(hM*s)
	c := &canvas{image.NewRGBA(image.Rect(0, 0, w, h)), o, s, ss, w, h}
	return c
}
func (c *canvas) px(p pt) (float64, float64) {
	return (p.x - c.o.x) * c.scale, float64(c.h) - (p.y-c.o.y)*c.scale
}
func (c *canvas) blend(x, y int, col color.NRGBA) {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return
	}
	i := c.img.PixOffset(x, y)
	a := float64(col.A) / 255
	for k, v := range []uint8{col.R, col.G, col.B} {
		c.img.Pix[i+k] = uint8(float64(c.img.Pix[i+k])*(1-a) + float64(v)*a + 0.5)
	}
	c.img.Pix[i+3] = 255
}
func (c *canvas) ground(f func(p pt) color.NRGBA) {
	for y := range c.h {
		for x := range c.w {
			c.blend(x, y, f(pt{c.o.x + (float64(x)+.5)/c.scale, c.o.y + (float64(c.h-y)-.5)/c.scale}))
		}
	}
}
func (c *canvas) poly(rings [][]pt, col color.NRGBA) {
	var e [][4]float64
	ymin, ymax := math.Inf(1), math.Inf(-1)
	for _, r := range rings {
		for i := range r {
			x0, y0 := c.px(r[i])
			x1, y1 := c.px(r[(i+1)%len(r)])
			if y0 == y1 {
				continue
			}
			if y0 > y1 {
				x0, y0, x1, y1 = x1, y1, x0, y0
			}
			e = append(e, [4]float64{x0, y0, x1, y1})
			ymin, ymax = min(ymin, y0), max(ymax, y1)
		}
	}
	sort.Slice(e, func(i, j int) bool { return e[i][1] < e[j][1] })
	var xs []float64
	var active [][4]float64
	k := 0
	for y := max(int(ymin), 0); y <= min(int(ymax), c.h-1); y++ {
		yy := float64(y) + .5
		for k < len(e) && e[k][1] <= yy {
			active = append(active, e[k])
			k++
		}
		xs = xs[:0]
		n := 0
		for _, s := range active {
			if s[3] <= yy {
				continue
			}
			active[n] = s
			n++
			xs = append(xs, s[0]+(yy-s[1])*(s[2]-s[0])/(s[3]-s[1]))
		}
		active = active[:n]
		sort.Float64s(xs)
		for i := 0; i+1 < len(xs); i += 2 {
			for x := max(int(xs[i]+.5), 0); x < min(int(xs[i+1]+.5), c.w); x++ {
				c.blend(x, y, col)
			}
		}
	}
}
func (c *canvas) line(l []pt, wPx float64, col color.NRGBA) {
	for i := 0; i+1 < len(l); i++ {
		ax, ay := c.px(l[i])
		bx, by := c.px(l[i+1])
		r := wPx * float64(c.ss) / 2
		x0, x1 := int(min(ax, bx)-r-1), int(max(ax, bx)+r+1)
		y0, y1 := int(min(ay, by)-r-1), int(max(ay, by)+r+1)
		if x1 < 0 || y1 < 0 || x0 >= c.w || y0 >= c.h {
			continue
		}
		for y := max(y0, 0); y <= min(y1, c.h-1); y++ {
			for x := max(x0, 0); x <= min(x1, c.w-1); x++ {
				d, _ := segDist(pt{float64(x) + .5, float64(y) + .5}, pt{ax, ay}, pt{bx, by})
				if d <= r {
					c.blend(x, y, col)
				}
			}
		}
	}
}
func (c *canvas) dot(p pt, rPx float64, col color.NRGBA) {
	c.line([]pt{p, p.add(pt{0.01, 0})}, rPx*2, col)
}
func (c *canvas) save(name string) error {
	o := image.NewRGBA(image.Rect(0, 0, c.w/c.ss, c.h/c.ss))
	for y := range c.h / c.ss {
		for x := range c.w / c.ss {
			for k := range 4 {
				s := 0
				for j := range c.ss {
					for i := range c.ss {
						s += int(c.img.Pix[c.img.PixOffset(x*c.ss+i, y*c.ss+j)+k])
					}
				}
				o.Pix[o.PixOffset(x, y)+k] = uint8(s / (c.ss * c.ss))
			}
		}
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return png.Encode(f, o)
}
func rgb(h uint32, a uint8) color.NRGBA {
	return color.NRGBA{uint8(h >> 16), uint8(h >> 8), uint8(h), a}
}

func hill(tr *terrain) func(p pt) color.NRGBA {
	return func(p pt) color.NRGBA {
		z := tr.z.at(p)
		d := tr.z.at(pt{p.x + 50, p.y - 50}) - tr.z.at(pt{p.x - 50, p.y + 50})
		l := clamp(220-d*1.0, 90, 255)
		k := clamp((z-60)/1100, 0, 1)
		return color.NRGBA{uint8(l * (0.85 + .15*k)), uint8(l * (0.97 - .06*k)), uint8(l * (0.82 + .1*k)), 255}
	}
}
