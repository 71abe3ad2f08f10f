package font

import "encoding/binary"

// Point is a point of a contour, in units; Off is a control point of a quadratic curve.
type Point struct {
	X, Y float64
	Off  bool
}

// Contour is a closed line.
type Contour []Point

// maxDepth and maxParts bound composites: fonts nest once or twice.
const (
	maxDepth = 6
	maxParts = 64
)

// flags of a composite's component.
const (
	argsAreWords = 1 << 0
	argsAreXY    = 1 << 1
	haveScale    = 1 << 3
	moreParts    = 1 << 5
	haveXYScale  = 1 << 6
	have2x2      = 1 << 7
	haveCode     = 1 << 8
)

// Outline is the shape of a glyph; nil for a blank or damaged one.
func (f *Font) Outline(g uint16) []Contour {
	left := maxParts
	return f.outline(g, 0, &left)
}

func (f *Font) outline(g uint16, depth int, left *int) []Contour {
	b := f.raw(g)
	if len(b) < 10 || depth > maxDepth || *left <= 0 {
		return nil
	}
	*left--
	n := int(int16(binary.BigEndian.Uint16(b)))
	if n >= 0 {
		return simple(b, n)
	}
	var out []Contour
	walkParts(b, func(p part) {
		for _, c := range f.outline(p.glyph, depth+1, left) {
			moved := make(Contour, len(c))
			for i, q := range c {
				moved[i] = Point{p.m[0]*q.X + p.m[2]*q.Y + p.dx, p.m[1]*q.X + p.m[3]*q.Y + p.dy, q.Off}
			}
			out = append(out, moved)
		}
	})
	return out
}

// part is one component of a composite, and where it stands in the description.
type part struct {
	glyph  uint16
	flags  uint16
	at     int
	dx, dy float64
	m      [4]float64
}

// walkParts answers where the last component ends, 0 when the description is damaged.
func walkParts(b []byte, fn func(part)) int {
	at := 10
	for {
		if at+4 > len(b) {
			return 0
		}
		p := part{flags: binary.BigEndian.Uint16(b[at:]), glyph: binary.BigEndian.Uint16(b[at+2:]), at: at, m: [4]float64{1, 0, 0, 1}}
		at += 4
		size := 2
		if p.flags&argsAreWords != 0 {
			size = 4
		}
		scale := 0
		switch {
		case p.flags&haveScale != 0:
			scale = 2
		case p.flags&haveXYScale != 0:
			scale = 4
		case p.flags&have2x2 != 0:
			scale = 8
		}
		if at+size+scale > len(b) {
			return 0
		}
		if p.flags&argsAreXY != 0 { // else points to align, which the fonts used here do not do
			if size == 4 {
				p.dx, p.dy = float64(int16(binary.BigEndian.Uint16(b[at:]))), float64(int16(binary.BigEndian.Uint16(b[at+2:])))
			} else {
				p.dx, p.dy = float64(int8(b[at])), float64(int8(b[at+1]))
			}
		}
		at += size
		f2 := func(i int) float64 { return float64(int16(binary.BigEndian.Uint16(b[at+2*i:]))) / 16384 }
		switch scale {
		case 2:
			p.m = [4]float64{f2(0), 0, 0, f2(0)}
		case 4:
			p.m = [4]float64{f2(0), 0, 0, f2(1)}
		case 8:
			p.m = [4]float64{f2(0), f2(1), f2(2), f2(3)}
		}
		at += scale
		fn(p)
		if p.flags&moreParts == 0 {
			return at
		}
	}
}

// layout finds the parts of a simple description: where the instructions stand and
// where the points end. ok is false for a damaged one.
func layout(b []byte, contours int) (points, code, codeEnd, end int, ok bool) {
	at := 10 + 2*contours
	if at+2 > len(b) {
		return 0, 0, 0, 0, false
	}
	last := -1
	for i := range contours {
		e := int(binary.BigEndian.Uint16(b[10+2*i:]))
		if e <= last && i > 0 || e < last {
			return 0, 0, 0, 0, false
		}
		last = e
	}
	points = last + 1
	code = at + 2
	codeEnd = code + int(binary.BigEndian.Uint16(b[at:]))
	if codeEnd > len(b) {
		return 0, 0, 0, 0, false
	}
	at = codeEnd
	bytes := 0
	for seen := 0; seen < points; {
		if at >= len(b) {
			return 0, 0, 0, 0, false
		}
		fl := b[at]
		at++
		times := 1
		if fl&8 != 0 {
			if at >= len(b) {
				return 0, 0, 0, 0, false
			}
			times += int(b[at])
			at++
		}
		seen += times
		one := 0
		if fl&2 != 0 {
			one++
		} else if fl&16 == 0 {
			one += 2
		}
		if fl&4 != 0 {
			one++
		} else if fl&32 == 0 {
			one += 2
		}
		bytes += one * times
		if seen > points {
			return 0, 0, 0, 0, false
		}
	}
	end = at + bytes
	return points, code, codeEnd, end, end <= len(b)
}

func simple(b []byte, contours int) []Contour {
	points, _, codeEnd, _, ok := layout(b, contours)
	if !ok || points == 0 {
		return nil
	}
	flags := make([]byte, 0, points)
	at := codeEnd
	for len(flags) < points {
		fl := b[at]
		at++
		times := 1
		if fl&8 != 0 {
			times += int(b[at])
			at++
		}
		for range times {
			flags = append(flags, fl)
		}
	}
	all := make([]Point, points)
	coordinate := func(short, same byte, set func(i int, v float64)) {
		v := 0
		for i, fl := range flags {
			switch {
			case fl&short != 0:
				d := int(b[at])
				at++
				if fl&same == 0 {
					d = -d
				}
				v += d
			case fl&same == 0:
				v += int(int16(binary.BigEndian.Uint16(b[at:])))
				at += 2
			}
			set(i, float64(v))
		}
	}
	coordinate(2, 16, func(i int, v float64) { all[i].X = v })
	coordinate(4, 32, func(i int, v float64) { all[i].Y = v })
	for i, fl := range flags {
		all[i].Off = fl&1 == 0
	}
	out := make([]Contour, 0, contours)
	from := 0
	for i := range contours {
		to := int(binary.BigEndian.Uint16(b[10+2*i:])) + 1
		out = append(out, all[from:to])
		from = to
	}
	return out
}
