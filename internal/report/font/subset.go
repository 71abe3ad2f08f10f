package font

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Subset writes a font whose glyph i is glyphs[i] of f; a glyph may come several times.
// glyphs[0] should be 0, the box. Parts of composites follow behind. Hinting is left
// out. The result has no character table: it is addressed by glyph, as in a PDF.
func (f *Font) Subset(glyphs []uint16) ([]byte, error) { return f.build(glyphs, nil) }

// Reduce writes a font of the characters keep accepts, with its character table.
func (f *Font) Reduce(keep func(rune) bool) ([]byte, error) {
	glyphs := []uint16{0}
	seen := map[uint16]uint32{}
	var groups []group
	for _, g := range f.cmap {
		for c := g.first; c <= g.last; c++ {
			id, ok := f.Glyph(rune(c))
			if !ok || !keep(rune(c)) {
				continue
			}
			n, known := seen[id]
			if !known {
				n = uint32(len(glyphs))
				seen[id] = n
				glyphs = append(glyphs, id)
			}
			if k := len(groups) - 1; k >= 0 && groups[k].last+1 == c && groups[k].glyph+c-groups[k].first == n {
				groups[k].last = c
			} else {
				groups = append(groups, group{c, c, n})
			}
		}
	}
	return f.build(glyphs, groups)
}

func (f *Font) build(glyphs []uint16, groups []group) ([]byte, error) {
	all, place, err := f.close(glyphs)
	if err != nil {
		return nil, err
	}
	var glyf, loca, hmtx []byte
	for _, g := range all {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, f.plain(g, place)...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		hmtx = binary.BigEndian.AppendUint16(hmtx, uint16(f.Advance(g)))
		hmtx = binary.BigEndian.AppendUint16(hmtx, f.bearing(g))
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))

	head := make([]byte, 54)
	binary.BigEndian.PutUint32(head, 0x00010000)
	binary.BigEndian.PutUint32(head[4:], 0x00010000)
	binary.BigEndian.PutUint32(head[12:], 0x5F0F3CF5)
	binary.BigEndian.PutUint16(head[16:], 0x0003) // baseline at 0, bearing at 0
	binary.BigEndian.PutUint16(head[18:], uint16(f.UnitsPerEm))
	for i, v := range f.Box {
		binary.BigEndian.PutUint16(head[36+2*i:], uint16(v))
	}
	binary.BigEndian.PutUint16(head[46:], 8) // smallest readable size
	binary.BigEndian.PutUint16(head[48:], 2)
	binary.BigEndian.PutUint16(head[50:], 1) // long offsets

	hhea := make([]byte, 36)
	binary.BigEndian.PutUint32(hhea, 0x00010000)
	binary.BigEndian.PutUint16(hhea[4:], uint16(f.Ascent))
	binary.BigEndian.PutUint16(hhea[6:], uint16(f.Descent))
	widest := 0
	for _, g := range all {
		widest = max(widest, f.Advance(g))
	}
	binary.BigEndian.PutUint16(hhea[10:], uint16(widest))
	binary.BigEndian.PutUint16(hhea[18:], 1) // upright caret
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(all)))

	maxp := make([]byte, 32)
	binary.BigEndian.PutUint32(maxp, 0x00010000)
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(all)))
	f.profile(maxp, all)

	tables := []table{{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", loca}, {"maxp", maxp}}
	if groups != nil {
		post := make([]byte, 32)
		binary.BigEndian.PutUint32(post, 0x00030000)
		tables = append(tables, table{"cmap", writeCmap(groups)}, table{"post", post}, table{"name", writeName(f.notice)})
	}
	return assemble(tables), nil
}

// close adds the parts of composites behind the glyphs asked for; place tells where a
// glyph of f stands in the new font.
func (f *Font) close(glyphs []uint16) (all []uint16, place map[uint16]uint16, err error) {
	all = append(all, glyphs...)
	place = map[uint16]uint16{}
	for i, g := range all {
		if int(g) >= f.glyphs {
			return nil, nil, fmt.Errorf("font: glyph %d of %d", g, f.glyphs)
		}
		if _, ok := place[g]; !ok && i <= 0xffff {
			place[g] = uint16(i)
		}
	}
	for i := 0; i < len(all); i++ {
		b := f.raw(all[i])
		if len(b) < 10 || int16(binary.BigEndian.Uint16(b)) >= 0 {
			continue
		}
		walkParts(b, func(p part) {
			if _, ok := place[p.glyph]; !ok && int(p.glyph) < f.glyphs && len(all) <= 0xffff {
				place[p.glyph] = uint16(len(all))
				all = append(all, p.glyph)
			}
		})
	}
	if len(all) > 0xffff || len(all) == 0 {
		return nil, nil, fmt.Errorf("font: a subset of %d glyphs", len(all))
	}
	return all, place, nil
}

// plain is a glyph's description without instructions, with its parts renumbered. A
// damaged description becomes a blank.
func (f *Font) plain(g uint16, place map[uint16]uint16) []byte {
	b := f.raw(g)
	if len(b) < 10 {
		return nil
	}
	if n := int(int16(binary.BigEndian.Uint16(b))); n >= 0 {
		_, code, codeEnd, end, ok := layout(b, n)
		if !ok {
			return nil
		}
		out := append([]byte(nil), b[:code-2]...)
		out = append(out, 0, 0)
		return append(out, b[codeEnd:end]...)
	}
	sound := true
	end := walkParts(b, func(p part) {
		_, ok := place[p.glyph]
		sound = sound && ok
	})
	if end == 0 || !sound {
		return nil
	}
	out := append([]byte(nil), b[:end]...)
	walkParts(b, func(p part) {
		binary.BigEndian.PutUint16(out[p.at:], p.flags&^haveCode)
		binary.BigEndian.PutUint16(out[p.at+2:], place[p.glyph])
	})
	return out
}

// profile fills in what a reader reserves memory by.
func (f *Font) profile(maxp []byte, all []uint16) {
	var points, contours, deepPoints, deepContours, parts, depth int
	for _, g := range all {
		b := f.raw(g)
		if len(b) < 10 {
			continue
		}
		shape := f.Outline(g)
		n := 0
		for _, c := range shape {
			n += len(c)
		}
		if int16(binary.BigEndian.Uint16(b)) >= 0 {
			points, contours = max(points, n), max(contours, len(shape))
			continue
		}
		deepPoints, deepContours = max(deepPoints, n), max(deepContours, len(shape))
		k := 0
		walkParts(b, func(part) { k++ })
		parts, depth = max(parts, k), maxDepth
	}
	for i, v := range []int{points, contours, deepPoints, deepContours, 2} {
		binary.BigEndian.PutUint16(maxp[6+2*i:], uint16(min(v, 0xffff)))
	}
	binary.BigEndian.PutUint16(maxp[28:], uint16(min(parts, 0xffff)))
	binary.BigEndian.PutUint16(maxp[30:], uint16(depth))
}

func writeCmap(groups []group) []byte {
	out := []byte{0, 0, 0, 1, 0, 3, 0, 10, 0, 0, 0, 12}
	out = append(out, 0, 12, 0, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(16+12*len(groups)))
	out = binary.BigEndian.AppendUint32(out, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(groups)))
	for _, g := range groups {
		out = binary.BigEndian.AppendUint32(out, g.first)
		out = binary.BigEndian.AppendUint32(out, g.last)
		out = binary.BigEndian.AppendUint32(out, g.glyph)
	}
	return out
}

// writeName keeps the copyright, and says that this is a reduced font.
func writeName(notice []byte) []byte {
	wide := func(s string) (b []byte) {
		for _, r := range s {
			b = binary.BigEndian.AppendUint16(b, uint16(r))
		}
		return b
	}
	entries := []struct {
		id   uint16
		text []byte
	}{{0, notice}, {1, wide("Onemap Sheet")}, {2, wide("Regular")}, {4, wide("Onemap Sheet")}, {6, wide("OnemapSheet")}}
	out := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(entries)))
	out = binary.BigEndian.AppendUint16(out, uint16(6+12*len(entries)))
	var texts []byte
	for _, e := range entries {
		for _, v := range []uint16{3, 1, 0x409, e.id, uint16(len(e.text)), uint16(len(texts))} {
			out = binary.BigEndian.AppendUint16(out, v)
		}
		texts = append(texts, e.text...)
	}
	return append(out, texts...)
}

// assemble writes the file: directory, tables, checksums.
func assemble(tables []table) []byte {
	sort.Slice(tables, func(i, j int) bool { return tables[i].tag < tables[j].tag })
	n := len(tables)
	power, log := 1, 0
	for power*2 <= n {
		power, log = power*2, log+1
	}
	out := []byte{0, 1, 0, 0}
	for _, v := range []int{n, power * 16, log, n*16 - power*16} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	at := 12 + 16*n
	for _, t := range tables {
		out = append(out, t.tag...)
		out = binary.BigEndian.AppendUint32(out, checksum(t.data))
		out = binary.BigEndian.AppendUint32(out, uint32(at))
		out = binary.BigEndian.AppendUint32(out, uint32(len(t.data)))
		at += (len(t.data) + 3) &^ 3
	}
	headAt := 0
	for _, t := range tables {
		if t.tag == "head" {
			headAt = len(out)
		}
		out = append(out, t.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	binary.BigEndian.PutUint32(out[headAt+8:], 0xB1B0AFBA-checksum(out))
	return out
}

func checksum(b []byte) (sum uint32) {
	for len(b) >= 4 {
		sum += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	var last [4]byte
	copy(last[:], b)
	return sum + binary.BigEndian.Uint32(last[:])
}
