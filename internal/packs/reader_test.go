package packs

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
)

// archive is a reader written from the specification of PMTiles 3 alone: it shares no
// line with the writer.
type archive struct {
	r                                io.ReaderAt
	size                             int64
	rootAt, rootLen, metaAt, metaLen uint64
	leafAt, leafLen, dataAt, dataLen uint64
	addressed, entries, contents     uint64
	clustered, inner, tiles, kind    byte
	minZoom, maxZoom                 byte
	minLon, minLat, maxLon, maxLat   float64
}

func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	first := make([]byte, min(16384, size))
	if _, err := r.ReadAt(first, 0); err != nil {
		return nil, err
	}
	if string(first[:7]) != "PMTiles" || first[7] != 3 {
		return nil, fmt.Errorf("magic %q", first[:8])
	}
	a := &archive{r: r, size: size}
	for i, v := range []*uint64{&a.rootAt, &a.rootLen, &a.metaAt, &a.metaLen, &a.leafAt, &a.leafLen, &a.dataAt, &a.dataLen, &a.addressed, &a.entries, &a.contents} {
		*v = binary.LittleEndian.Uint64(first[8+8*i:])
	}
	a.clustered, a.inner, a.tiles, a.kind, a.minZoom, a.maxZoom = first[96], first[97], first[98], first[99], first[100], first[101]
	for i, v := range []*float64{&a.minLon, &a.minLat, &a.maxLon, &a.maxLat} {
		*v = float64(int32(binary.LittleEndian.Uint32(first[102+4*i:]))) / 1e7
	}
	if a.rootAt+a.rootLen > 16384 {
		return nil, fmt.Errorf("the root ends at %d", a.rootAt+a.rootLen)
	}
	if a.dataAt+a.dataLen != uint64(size) {
		return nil, fmt.Errorf("the data ends at %d of %d", a.dataAt+a.dataLen, size)
	}
	return a, nil
}

func (a *archive) section(at, n uint64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := a.r.ReadAt(b, int64(at)); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

type line struct{ id, run, length, offset uint64 }

func (a *archive) dir(at, n uint64) ([]line, error) {
	b, err := a.section(at, n)
	if err != nil {
		return nil, err
	}
	r := bytes.NewReader(b)
	count, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	lines := make([]line, count)
	for column := range 4 {
		for i := range lines {
			v, err := binary.ReadUvarint(r)
			if err != nil {
				return nil, err
			}
			l := &lines[i]
			switch column {
			case 0:
				l.id = v
				if i > 0 {
					l.id += lines[i-1].id
				}
			case 1:
				l.run = v
			case 2:
				l.length = v
			case 3:
				if v == 0 {
					l.offset = lines[i-1].offset + lines[i-1].length
				} else {
					l.offset = v - 1
				}
			}
		}
	}
	if r.Len() != 0 {
		return nil, fmt.Errorf("%d bytes behind the directory", r.Len())
	}
	return lines, nil
}

// walk goes through every entry in order, leaves included.
func (a *archive) walk(fn func(l line)) error {
	root, err := a.dir(a.rootAt, a.rootLen)
	if err != nil {
		return err
	}
	for _, l := range root {
		if l.run > 0 {
			fn(l)
			continue
		}
		leaf, err := a.dir(a.leafAt+l.offset, l.length)
		if err != nil {
			return err
		}
		if leaf[0].id != l.id {
			return fmt.Errorf("the leaf of %d begins with %d", l.id, leaf[0].id)
		}
		for _, l := range leaf {
			fn(l)
		}
	}
	return nil
}

// tile gives the unpacked tile, nil when there is none.
func (a *archive) tile(z, x, y int) ([]byte, error) {
	id := hilbert(z, x, y)
	at, n := a.rootAt, a.rootLen
	for range 4 {
		lines, err := a.dir(at, n)
		if err != nil {
			return nil, err
		}
		var hit *line
		for i := range lines {
			if lines[i].id <= id {
				hit = &lines[i]
			}
		}
		switch {
		case hit == nil || hit.run > 0 && id >= hit.id+hit.run:
			return nil, nil
		case hit.run > 0:
			return a.section(a.dataAt+hit.offset, hit.length)
		}
		at, n = a.leafAt+hit.offset, hit.length
	}
	return nil, fmt.Errorf("directories without end")
}

// hilbert walks the curve from the whole to the part: in which quarter of the square the
// tile lies, in the order the curve goes through the quarters there.
func hilbert(z, x, y int) uint64 {
	var base uint64
	for i := range z {
		base += 1 << (2 * i)
	}
	// The curve of a square is given by its first corner and the direction of its base.
	type pt struct{ x, y float64 }
	o, u, v := pt{0, 0}, pt{1, 0}, pt{0, 1} // it goes from o along u; v is the other side
	px, py := (float64(x)+0.5)/float64(int(1)<<z), (float64(y)+0.5)/float64(int(1)<<z)
	// On each level the curve starts in the quarter at o, goes to that at o+v, o+u+v, o+u;
	// in the first it is mirrored over the diagonal, in the last over the other one.
	var d uint64
	for range z {
		a := (px-o.x)*u.x + (py-o.y)*u.y
		b := (px-o.x)*v.x + (py-o.y)*v.y
		side := u.x*u.x + u.y*u.y
		a, b = a/side, b/side
		half := func(p pt) pt { return pt{p.x / 2, p.y / 2} }
		q := uint64(0)
		hu, hv := half(u), half(v)
		switch {
		case a < 0.5 && b < 0.5:
			q = 0
			u, v = hv, hu
		case a < 0.5:
			q = 1
			o = pt{o.x + hv.x, o.y + hv.y}
			u, v = hu, hv
		case b >= 0.5:
			q = 2
			o = pt{o.x + hu.x + hv.x, o.y + hu.y + hv.y}
			u, v = hu, hv
		default:
			q = 3
			// it ends at the far end of u: from the upper inner corner, mirrored
			o = pt{o.x + u.x + hv.x, o.y + u.y + hv.y}
			u, v = pt{-hv.x, -hv.y}, pt{-hu.x, -hu.y}
		}
		d = d<<2 | q
	}
	return base + d
}
