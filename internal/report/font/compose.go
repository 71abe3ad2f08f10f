package font

import (
	"encoding/binary"
	"math"
	"slices"
)

// Composite is a character made of others: the sources have blanks where a reader of
// maps expects a sign.
type Composite struct {
	Char  rune
	Parts []Part
}

// Part is one of them: Above is set in the middle over what came before, raised by Lift
// units; else it follows at the right.
type Part struct {
	Char  rune
	Above bool
	Lift  int
}

// Compose gives a font with more characters. Parts the font lacks are left out.
func (f *Font) Compose(list []Composite) *Font {
	out := *f
	out.glyf, out.loca, out.hmtx = slices.Clone(f.glyf), nil, nil
	out.long, out.advances, out.cmap = true, f.glyphs, nil
	made := map[rune]uint16{}
	var at []uint32
	for g := range f.glyphs {
		b := f.raw(uint16(g))
		start := uint32(0)
		if len(b) > 0 {
			start = f.offset(uint16(g))
		}
		at = append(at, start, start+uint32(len(b)))
		out.hmtx = binary.BigEndian.AppendUint16(out.hmtx, uint16(f.Advance(uint16(g))))
		out.hmtx = binary.BigEndian.AppendUint16(out.hmtx, f.bearing(uint16(g)))
	}
	// Offsets must rise: the descriptions are laid out anew.
	glyf := make([]byte, 0, len(f.glyf))
	for g := range f.glyphs {
		out.loca = binary.BigEndian.AppendUint32(out.loca, uint32(len(glyf)))
		glyf = append(glyf, f.glyf[at[2*g]:at[2*g+1]]...)
	}
	for _, c := range list {
		raw, advance, bearing := f.composite(c)
		if raw == nil || out.glyphs >= 0xffff {
			continue
		}
		out.loca = binary.BigEndian.AppendUint32(out.loca, uint32(len(glyf)))
		glyf = append(glyf, raw...)
		out.hmtx = binary.BigEndian.AppendUint16(out.hmtx, uint16(advance))
		out.hmtx = binary.BigEndian.AppendUint16(out.hmtx, uint16(bearing))
		made[c.Char] = uint16(out.glyphs)
		out.glyphs++
		out.advances++
	}
	out.loca = binary.BigEndian.AppendUint32(out.loca, uint32(len(glyf)))
	out.glyf = glyf
	for _, g := range f.cmap {
		for c := g.first; c <= g.last; c++ {
			if _, ok := made[rune(c)]; !ok {
				out.cmap = append(out.cmap, group{c, c, g.glyph + c - g.first})
			}
		}
	}
	for r, g := range made {
		out.cmap = append(out.cmap, group{uint32(r), uint32(r), uint32(g)})
	}
	slices.SortFunc(out.cmap, func(a, b group) int { return int(int64(a.first) - int64(b.first)) })
	return &out
}

// offset is where a glyph's description begins.
func (f *Font) offset(g uint16) uint32 {
	if f.long {
		return binary.BigEndian.Uint32(f.loca[4*int(g):])
	}
	return 2 * uint32(binary.BigEndian.Uint16(f.loca[2*int(g):]))
}

func (f *Font) composite(c Composite) (raw []byte, advance, bearing int) {
	raw = make([]byte, 10)
	lo, hi := Point{X: math.Inf(1), Y: math.Inf(1)}, Point{X: math.Inf(-1), Y: math.Inf(-1)}
	for i, p := range c.Parts {
		g, ok := f.Glyph(p.Char)
		if !ok {
			return nil, 0, 0
		}
		box := func() (l, r float64) {
			l, r = math.Inf(1), math.Inf(-1)
			for _, k := range f.Outline(g) {
				for _, q := range k {
					l, r = min(l, q.X), max(r, q.X)
				}
			}
			return l, r
		}
		dx, dy := advance, p.Lift
		if p.Above {
			l, r := box()
			dx = int((lo.X+hi.X)/2 - (l+r)/2)
		} else {
			advance += f.Advance(g)
		}
		for _, k := range f.Outline(g) {
			for _, q := range k {
				lo = Point{X: min(lo.X, q.X+float64(dx)), Y: min(lo.Y, q.Y+float64(dy))}
				hi = Point{X: max(hi.X, q.X+float64(dx)), Y: max(hi.Y, q.Y+float64(dy))}
			}
		}
		flags := uint16(argsAreWords | argsAreXY)
		if i+1 < len(c.Parts) {
			flags |= moreParts
		}
		for _, v := range []uint16{flags, g, uint16(int16(dx)), uint16(int16(dy))} {
			raw = binary.BigEndian.AppendUint16(raw, v)
		}
	}
	if !(lo.X <= hi.X) {
		return nil, 0, 0
	}
	for i, v := range []float64{-1, lo.X, lo.Y, hi.X, hi.Y} {
		binary.BigEndian.PutUint16(raw[2*i:], uint16(int16(v)))
	}
	for len(raw)%4 != 0 {
		raw = append(raw, 0)
	}
	return raw, advance, int(lo.X)
}
