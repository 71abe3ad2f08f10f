package font

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"unicode"
)

// gb2312 is every Chinese character of the standard.
func gb2312() []rune {
	var out []rune
	for r := rune(0x4e00); r <= 0x9fa5; r++ { // all of GBK's, which holds them
		out = append(out, r)
	}
	return out
}

func TestSheetFontCovers(t *testing.T) {
	f := Sheet()
	want := append(gb2312(), []rune("ABCXYZabcxyz0123456789①②⑩⑳㎡m²³°′″ⅠⅡⅢⅣⅤⅩ→←↑↓★☆■□▲△●○◆×÷±≥≤≈‰℃…—–·“”‘’、。，；：？！（）【】《》〈〉〔〕「」％＋－＝～￥%№āáǎàēéěèǖǘǚǜαβγ〓")...)
	for _, r := range want {
		g, ok := f.Glyph(r)
		if !ok || g == 0 {
			t.Errorf("no glyph for %q", r)
			continue
		}
		if len(f.Outline(g)) == 0 || f.Advance(g) == 0 {
			t.Errorf("%q draws nothing", r)
		}
	}
	for _, g := range f.cmap {
		for c := g.first; c <= g.last; c++ {
			if id, _ := f.Glyph(rune(c)); len(f.Outline(id)) == 0 && !unicode.IsSpace(rune(c)) && unicode.IsPrint(rune(c)) {
				t.Errorf("%q is blank", rune(c))
			}
		}
	}
	if len(f.Outline(0)) == 0 {
		t.Error("what is missing is not drawn as a box")
	}
	if _, ok := f.Glyph('\U0002C1D9'); ok {
		t.Error("a character nobody promised is there")
	}
	if len(sheetFont) > 4<<20 {
		t.Errorf("the font has %d bytes", len(sheetFont))
	}
}

// TestSubset: a subset draws the very same letters, in the order asked for.
func TestSubset(t *testing.T) {
	f := Sheet()
	var glyphs []uint16
	for _, r := range "口A示例县éⅣ①示" { // with a composite, and one twice
		g, _ := f.Glyph(r)
		glyphs = append(glyphs, g)
	}
	glyphs[0] = 0
	b, err := f.Subset(glyphs)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Subset(glyphs)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same glyphs give other bytes, %v", err)
	}
	s, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range glyphs {
		if s.Advance(uint16(i)) != f.Advance(g) || !slices.EqualFunc(s.Outline(uint16(i)), f.Outline(g), slices.Equal[Contour]) {
			t.Errorf("glyph %d is not glyph %d of the source", i, g)
		}
	}
	if checksum(b) != 0xB1B0AFBA {
		t.Errorf("the file's checksum is %X", checksum(b))
	}
	if len(b) > 12<<10 {
		t.Errorf("ten glyphs take %d bytes", len(b))
	}
	if _, err := f.Subset([]uint16{65535}); err == nil {
		t.Error("a glyph that is not there was taken")
	}
	if _, err := f.Subset(nil); err == nil {
		t.Error("a font of nothing was made")
	}
}

func TestReduce(t *testing.T) {
	f := Sheet()
	b, err := f.Reduce(func(r rune) bool { return r == '县' || r >= 'a' && r <= 'z' || r == 'é' })
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[rune]bool{'a': true, 'z': true, '县': true, 'é': true, 'A': false, '区': false, 0: false, -1: false} {
		g, ok := s.Glyph(r)
		if ok != want {
			t.Errorf("%q: %v", r, ok)
		}
		if !ok {
			continue
		}
		o, _ := f.Glyph(r)
		if !slices.EqualFunc(s.Outline(g), f.Outline(o), slices.Equal[Contour]) || s.Advance(g) != f.Advance(o) {
			t.Errorf("%q is drawn otherwise", r)
		}
	}
	if !bytes.Contains(b, []byte("G\x00o\x00o\x00g\x00l\x00e")) {
		t.Error("the copyright is gone")
	}
}

// small is a font to damage.
func small(t testing.TB) []byte {
	b, err := Sheet().Reduce(func(r rune) bool { return r == 'é' || r == '县' || r == 'Ⅳ' || r == 'a' })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestComposites: parts that name each other end, and so does their cutting.
func TestComposites(t *testing.T) {
	f := &Font{UnitsPerEm: 1000, glyphs: 2, advances: 1, long: true, hmtx: make([]byte, 6)}
	glyph := func(part uint16) []byte {
		b := make([]byte, 10)
		binary.BigEndian.PutUint16(b, 0xffff)
		for range 20 { // twenty times the other: 20^6 without a bound
			b = binary.BigEndian.AppendUint16(b, argsAreXY|moreParts)
			b = binary.BigEndian.AppendUint16(b, part)
			b = append(b, 1, 1)
		}
		b[len(b)-6+1] &^= moreParts
		return b
	}
	a, b := glyph(1), glyph(0)
	f.glyf = append(append([]byte{}, a...), b...)
	for _, at := range []int{0, len(a), len(a) + len(b)} {
		f.loca = binary.BigEndian.AppendUint32(f.loca, uint32(at))
	}
	if got := f.Outline(0); got != nil {
		t.Errorf("a loop draws %v", got)
	}
	if _, err := f.Subset([]uint16{0}); err != nil {
		t.Error(err)
	}
}

// FuzzFont damages a font: nothing panics or loops, and what Subset writes can be read.
func FuzzFont(f *testing.F) {
	b := small(f)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte("ttcf\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x10"))
	for i := 0; i < len(b); i += 97 {
		c := bytes.Clone(b)
		c[i] ^= 0xff
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		var glyphs []uint16
		for g := range min(s.Glyphs(), 200) {
			s.Outline(uint16(g))
			s.Advance(uint16(g))
			glyphs = append(glyphs, uint16(g))
		}
		for _, r := range "a县é\x00\U0010ffff" {
			s.Glyph(r)
		}
		out, err := s.Subset(glyphs)
		if err != nil {
			return
		}
		back, err := Parse(out)
		if err != nil {
			t.Fatalf("the subset cannot be read: %v", err)
		}
		for g := range glyphs {
			if s.raw(uint16(g)) != nil && len(s.Outline(uint16(g))) > 0 && len(back.Outline(uint16(g))) == 0 {
				t.Fatalf("glyph %d is gone", g)
			}
		}
	})
}
