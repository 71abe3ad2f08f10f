package font

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"
)

// ErrFont means a file is not a font this package can use.
var ErrFont = errors.New("font: not a TrueType font with glyf outlines")

//go:embed sheet.ttf
var sheetFont []byte

// Sheet is the embedded font.
var Sheet = sync.OnceValue(func() *Font {
	f, err := Parse(sheetFont)
	if err != nil {
		panic(err) // the file is part of the program; a test reads it
	}
	return f
})

// Font is a parsed font. It keeps the file's bytes and is safe for concurrent use.
type Font struct {
	Ascent, Descent int // of the line, in units, Descent negative
	UnitsPerEm      int
	Box             [4]int16 // xMin, yMin, xMax, yMax of all glyphs

	glyphs   int
	advances int // glyphs with an advance of their own
	long     bool
	loca     []byte
	glyf     []byte
	hmtx     []byte
	cmap     []group
	notice   []byte // the copyright of the name table
}

// group maps the characters from first to last to glyph and those after it.
type group struct{ first, last, glyph uint32 }

type table struct {
	tag  string
	data []byte
}

// Parse reads a font, or the first of a collection.
func Parse(b []byte) (*Font, error) {
	at := 0
	if len(b) > 16 && string(b[:4]) == "ttcf" {
		at = int(binary.BigEndian.Uint32(b[12:]))
	}
	if at < 0 || at+12 > len(b) {
		return nil, ErrFont
	}
	if v := binary.BigEndian.Uint32(b[at:]); v != 0x00010000 && v != 0x74727565 {
		return nil, ErrFont
	}
	n := int(binary.BigEndian.Uint16(b[at+4:]))
	if at+12+16*n > len(b) {
		return nil, ErrFont
	}
	tables := map[string][]byte{}
	for i := range n {
		d := b[at+12+16*i:]
		off, size := uint64(binary.BigEndian.Uint32(d[8:])), uint64(binary.BigEndian.Uint32(d[12:]))
		if off+size > uint64(len(b)) {
			return nil, fmt.Errorf("%w: a table lies outside", ErrFont)
		}
		tables[string(d[:4])] = b[off : off+size : off+size]
	}
	head, hhea, maxp := tables["head"], tables["hhea"], tables["maxp"]
	if len(head) < 54 || len(hhea) < 36 || len(maxp) < 6 {
		return nil, ErrFont
	}
	f := &Font{
		UnitsPerEm: int(binary.BigEndian.Uint16(head[18:])),
		Ascent:     int(int16(binary.BigEndian.Uint16(hhea[4:]))),
		Descent:    int(int16(binary.BigEndian.Uint16(hhea[6:]))),
		glyphs:     int(binary.BigEndian.Uint16(maxp[4:])),
		advances:   int(binary.BigEndian.Uint16(hhea[34:])),
		long:       binary.BigEndian.Uint16(head[50:]) != 0,
		loca:       tables["loca"], glyf: tables["glyf"], hmtx: tables["hmtx"],
	}
	for i := range f.Box {
		f.Box[i] = int16(binary.BigEndian.Uint16(head[36+2*i:]))
	}
	width := 2
	if f.long {
		width = 4
	}
	switch {
	case f.UnitsPerEm < 16 || f.UnitsPerEm > 16384 || f.glyphs < 1:
		return nil, ErrFont
	case len(f.loca) < (f.glyphs+1)*width:
		return nil, fmt.Errorf("%w: loca is short", ErrFont)
	case f.advances < 1 || f.advances > f.glyphs || len(f.hmtx) < 4*f.advances+2*(f.glyphs-f.advances):
		return nil, fmt.Errorf("%w: hmtx is short", ErrFont)
	}
	var err error
	f.cmap, err = readCmap(tables["cmap"])
	f.notice = name(tables["name"], 0)
	return f, err
}

// readCmap reads the widest Unicode table there is; none is no error, for subsets that
// are addressed by glyph.
func readCmap(b []byte) ([]group, error) {
	if len(b) < 4 {
		return nil, nil
	}
	best, found := 0, []byte(nil)
	for i := range int(binary.BigEndian.Uint16(b[2:])) {
		if 4+8*i+8 > len(b) {
			return nil, fmt.Errorf("%w: cmap", ErrFont)
		}
		d := b[4+8*i:]
		platform, encoding := binary.BigEndian.Uint16(d), binary.BigEndian.Uint16(d[2:])
		off := uint64(binary.BigEndian.Uint32(d[4:]))
		if off+8 > uint64(len(b)) || (platform != 0 && (platform != 3 || encoding != 1 && encoding != 10)) {
			continue
		}
		rank := map[uint16]int{4: 1, 12: 2}[binary.BigEndian.Uint16(b[off:])]
		if rank > best {
			best, found = rank, b[off:]
		}
	}
	switch best {
	case 1:
		return cmap4(found)
	case 2:
		return cmap12(found)
	}
	return nil, nil
}

func cmap12(b []byte) ([]group, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: cmap", ErrFont)
	}
	n := uint64(binary.BigEndian.Uint32(b[12:]))
	if 16+12*n > uint64(len(b)) {
		return nil, fmt.Errorf("%w: cmap", ErrFont)
	}
	out := make([]group, n)
	for i := range out {
		d := b[16+12*i:]
		out[i] = group{binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:]), binary.BigEndian.Uint32(d[8:])}
		if out[i].last < out[i].first || i > 0 && out[i].first <= out[i-1].last {
			return nil, fmt.Errorf("%w: cmap", ErrFont)
		}
	}
	return out, nil
}

func cmap4(b []byte) ([]group, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: cmap", ErrFont)
	}
	n := int(binary.BigEndian.Uint16(b[6:]) / 2)
	if len(b) < 16+8*n {
		return nil, fmt.Errorf("%w: cmap", ErrFont)
	}
	u16 := func(at int) uint32 { return uint32(binary.BigEndian.Uint16(b[at:])) }
	var out []group
	add := func(c, g uint32) {
		if g == 0 {
			return
		}
		if k := len(out) - 1; k >= 0 && out[k].last+1 == c && out[k].glyph+c-out[k].first == g {
			out[k].last = c
			return
		}
		out = append(out, group{c, c, g})
	}
	last := int64(-1)
	for i := range n {
		end, start, delta, off := u16(14+2*i), u16(16+2*n+2*i), u16(16+4*n+2*i), u16(16+6*n+2*i)
		if end < start || int64(start) <= last {
			return nil, fmt.Errorf("%w: cmap", ErrFont)
		}
		last = int64(end)
		for c := start; c <= end; c++ {
			g := c
			if off != 0 {
				at := 16 + 6*n + 2*i + int(off) + 2*int(c-start)
				if at+2 > len(b) {
					continue
				}
				if g = u16(at); g == 0 {
					continue
				}
			}
			add(c, (g+delta)&0xffff)
		}
	}
	return out, nil
}

// name gives an entry of the name table in its first Unicode form, as it is written.
func name(b []byte, id uint16) []byte {
	if len(b) < 6 {
		return nil
	}
	base := int(binary.BigEndian.Uint16(b[4:]))
	for i := range int(binary.BigEndian.Uint16(b[2:])) {
		if 6+12*i+12 > len(b) {
			return nil
		}
		d := b[6+12*i:]
		size, off := int(binary.BigEndian.Uint16(d[8:])), base+int(binary.BigEndian.Uint16(d[10:]))
		if binary.BigEndian.Uint16(d) == 3 && binary.BigEndian.Uint16(d[6:]) == id && off+size <= len(b) {
			return b[off : off+size]
		}
	}
	return nil
}

// Glyph gives the glyph of a character; 0, the box, where there is none.
func (f *Font) Glyph(r rune) (uint16, bool) {
	c := uint32(r)
	i := sort.Search(len(f.cmap), func(i int) bool { return f.cmap[i].last >= c })
	if i == len(f.cmap) || c < f.cmap[i].first {
		return 0, false
	}
	g := uint64(f.cmap[i].glyph) + uint64(c-f.cmap[i].first)
	if g == 0 || g >= uint64(f.glyphs) {
		return 0, false
	}
	return uint16(g), true
}

// Glyphs is the number of glyphs.
func (f *Font) Glyphs() int { return f.glyphs }

// Advance is how far the next glyph stands, in units.
func (f *Font) Advance(g uint16) int {
	i := min(int(g), f.advances-1)
	return int(binary.BigEndian.Uint16(f.hmtx[4*i:]))
}

func (f *Font) bearing(g uint16) uint16 {
	if int(g) < f.advances {
		return binary.BigEndian.Uint16(f.hmtx[4*int(g)+2:])
	}
	return binary.BigEndian.Uint16(f.hmtx[4*f.advances+2*(int(g)-f.advances):])
}

// raw is a glyph's description, empty for a blank or where the file is damaged.
func (f *Font) raw(g uint16) []byte {
	if int(g) >= f.glyphs {
		return nil
	}
	var a, b uint64
	if f.long {
		a, b = uint64(binary.BigEndian.Uint32(f.loca[4*int(g):])), uint64(binary.BigEndian.Uint32(f.loca[4*int(g)+4:]))
	} else {
		a, b = 2*uint64(binary.BigEndian.Uint16(f.loca[2*int(g):])), 2*uint64(binary.BigEndian.Uint16(f.loca[2*int(g)+2:]))
	}
	if a >= b || b > uint64(len(f.glyf)) {
		return nil
	}
	return f.glyf[a:b]
}
