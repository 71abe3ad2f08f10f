package packs

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/paulmach/orb"
)

// The published examples of the specification, and the curve of the reader, which is
// drawn another way.
func TestTileIDs(t *testing.T) {
	for _, c := range []struct {
		z, x, y int
		want    uint64
	}{{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 3}, {1, 1, 0, 4}, {2, 0, 0, 5}, {12, 3423, 1763, 19078479}} {
		if got := tileID(c.z, c.x, c.y); got != c.want {
			t.Errorf("%d/%d/%d: %d, want %d", c.z, c.x, c.y, got, c.want)
		}
		if got := hilbert(c.z, c.x, c.y); got != c.want {
			t.Errorf("the reader: %d/%d/%d: %d, want %d", c.z, c.x, c.y, got, c.want)
		}
	}
	for z := range 7 {
		seen := map[uint64]bool{}
		for x := range 1 << z {
			for y := range 1 << z {
				id := tileID(z, x, y)
				if seen[id] || id != hilbert(z, x, y) {
					t.Fatalf("%d/%d/%d: %d, the reader says %d", z, x, y, id, hilbert(z, x, y))
				}
				seen[id] = true
			}
		}
	}
}

// What is written is read back by a reader of another hand: few tiles and so many that
// the directory needs leaves; equal neighbours, equal tiles far from each other, gaps.
func TestArchive(t *testing.T) {
	for _, n := range []int{0, 1, 50, 8000} {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := newWriter(f)
		p := picture{bound: orb.Bound{Min: orb.Point{119, 34}, Max: orb.Point{119.2, 34.2}}}
		body := func(id uint64) []byte {
			switch {
			case id%7 == 3:
				return nil // nothing there
			case id%11 < 4:
				return []byte("sea")
			}
			return fmt.Appendf(nil, "tile %d", id*2654435761%1000)
		}
		want, packed := map[[3]int][]byte{}, map[string][]byte{}
		add := func(z, x, y int) {
			id := tileID(z, x, y)
			b := body(id)
			want[[3]int{z, x, y}] = b
			if b == nil {
				return
			}
			zb, ok := packed[string(b)]
			if !ok {
				if zb, err = zipped(b); err != nil {
					t.Fatal(err)
				}
				packed[string(b)] = zb
			}
			if err := w.add(id, zb); err != nil {
				t.Fatal(err)
			}
		}
		if n <= 50 {
			for _, s := range p.spots()[:n] {
				add(s.z, s.x, s.y)
			}
		} else {
			p.bound = orb.Bound{Min: orb.Point{119, 34}, Max: orb.Point{119.9, 34.7}}
			for _, s := range p.spots() {
				add(s.z, s.x, s.y)
			}
		}
		var out bytes.Buffer
		size, sum, err := w.finish(&out, []byte(`{"vector_layers":[]}`), MinZoom, MaxZoom, p.bound)
		if err != nil || size != int64(out.Len()) || len(sum) != 64 {
			t.Fatalf("%d tiles: %d of %d, %v", n, size, out.Len(), err)
		}
		a, err := openArchive(bytes.NewReader(out.Bytes()), size)
		if err != nil {
			t.Fatal(err)
		}
		if a.clustered != 1 || a.inner != 2 || a.tiles != 2 || a.kind != 1 || a.minZoom != 8 || a.maxZoom != 16 || a.minLon != 119 || a.minLat != 34 {
			t.Errorf("%d tiles: header %+v", n, a)
		}
		if meta, err := a.section(a.metaAt, a.metaLen); err != nil || string(meta) != `{"vector_layers":[]}` {
			t.Errorf("metadata %q, %v", meta, err)
		}
		if n > 50 != (a.leafLen > 0) {
			t.Errorf("%d tiles: leaves of %d bytes", n, a.leafLen)
		}
		checked := 0
		for at, b := range want {
			if len(want) > 5000 && checked > 300 {
				break
			}
			checked++
			got, err := a.tile(at[0], at[1], at[2])
			if err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%v: %q, %v; want %q", at, got, err, b)
			}
		}
		if got, err := a.tile(16, 0, 0); err != nil || got != nil {
			t.Errorf("a tile from elsewhere: %q, %v", got, err)
		}
		// Clustered: first offsets rise, what is not new lies behind; the counts are true.
		var addressed, entries, next uint64
		last := int64(-1)
		offsets := map[uint64]bool{}
		if err := a.walk(func(l line) {
			entries++
			addressed += l.run
			if int64(l.id) <= last {
				t.Errorf("id %d after %d", l.id, last)
			}
			last = int64(l.id + l.run - 1)
			if !offsets[l.offset] {
				if l.offset != next {
					t.Errorf("id %d at %d, want %d", l.id, l.offset, next)
				}
				next = l.offset + l.length
			}
			offsets[l.offset] = true
		}); err != nil {
			t.Fatal(err)
		}
		if a.addressed != addressed || a.entries != entries || a.contents != uint64(len(offsets)) || next != a.dataLen {
			t.Errorf("%d tiles: counts %d %d %d, found %d %d %d", n, a.addressed, a.entries, a.contents, addressed, entries, len(offsets))
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := newWriter(f)
	if w.add(5, nil) == nil || w.add(5, []byte("a")) != nil || w.add(5, []byte("b")) == nil || w.add(4, []byte("b")) == nil {
		t.Error("tiles out of order, twice or empty are taken")
	}
}

func TestTilesOfABox(t *testing.T) {
	p := picture{bound: orb.Bound{Min: orb.Point{119.0, 34.0}, Max: orb.Point{119.1, 34.1}}}
	s := p.spots()
	if len(s) != tilesOf(p.bound) || len(s) < 300 || len(s) > 800 {
		t.Errorf("%d tiles, counted %d", len(s), tilesOf(p.bound))
	}
	if x0, y0, x1, y1 := tileRange(orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}, 8); x0 != 0 || y0 != 0 || x1 != 255 || y1 != 255 {
		t.Errorf("the world: %d %d %d %d", x0, y0, x1, y1)
	}
	if x0, y0, x1, y1 := tileRange(orb.Bound{Min: orb.Point{119.25, 34.15}, Max: orb.Point{119.25, 34.15}}, 12); x0 != 3404 || y0 != 1634 || x1 != x0 || y1 != y0 {
		t.Errorf("a point: %d %d %d %d", x0, y0, x1, y1)
	}
}
