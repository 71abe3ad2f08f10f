package basemap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"testing"

	"onemap/static"
)

func mustOpen(t *testing.T) *Archive {
	t.Helper()
	a, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rings decodes the polygons of one layer of a tile, in tile units: a decoder of our
// own, so that the test takes nothing from what wrote the archive.
func rings(t *testing.T, packed []byte, name string) (found bool, out [][][2]float64) {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	each(t, body, func(field int, layer []byte) {
		if field != 3 {
			return
		}
		var own string
		var geometries [][]byte
		each(t, layer, func(field int, v []byte) {
			switch field {
			case 1:
				own = string(v)
			case 2:
				each(t, v, func(field int, g []byte) {
					if field == 4 {
						geometries = append(geometries, g)
					}
				})
			}
		})
		if own != name {
			return
		}
		found = true
		for _, g := range geometries {
			out = append(out, decode(g)...)
		}
	})
	return found, out
}

// each walks the length-delimited fields of a protobuf message.
func each(t *testing.T, b []byte, see func(field int, value []byte)) {
	t.Helper()
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatal("broken message")
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatal("broken message")
		}
		b = b[n:]
		if key&7 == 2 {
			if v > uint64(len(b)) {
				t.Fatal("broken message")
			}
			see(int(key>>3), b[:v])
			b = b[v:]
		}
	}
}

func decode(g []byte) (out [][][2]float64) {
	next := func() int64 {
		v, n := binary.Uvarint(g)
		g = g[n:]
		return int64(v)
	}
	zigzag := func() float64 { v := next(); return float64(v>>1 ^ -(v & 1)) }
	var x, y float64
	for len(g) > 0 {
		command := next()
		for range command >> 3 {
			switch command & 7 {
			case 1:
				out = append(out, nil)
				fallthrough
			case 2:
				x += zigzag()
				y += zigzag()
				last := len(out) - 1
				out[last] = append(out[last], [2]float64{x, y})
			}
		}
	}
	return out
}

// land says whether the base map has land at a place, read from the tile of a zoom.
func land(t *testing.T, a *Archive, lon, lat float64, z int) bool {
	t.Helper()
	n := math.Exp2(float64(z))
	fx := (lon + 180) / 360 * n
	fy := (1 - math.Asinh(math.Tan(lat*math.Pi/180))/math.Pi) / 2 * n
	packed, ok := a.Tile(z, int(fx), int(fy))
	if !ok {
		return false
	}
	x, y := (fx-math.Floor(fx))*4096, (fy-math.Floor(fy))*4096
	_, all := rings(t, packed, "land")
	inside := false
	for _, ring := range all {
		for i, j := 0, len(ring)-1; i < len(ring); j, i = i, i+1 {
			if (ring[i][1] > y) != (ring[j][1] > y) && x < (ring[j][0]-ring[i][0])*(y-ring[i][1])/(ring[j][1]-ring[i][1])+ring[i][0] {
				inside = !inside
			}
		}
	}
	return inside
}

func TestLandIsWhereLandIs(t *testing.T) {
	a := mustOpen(t)
	tests := []struct {
		name     string
		lon, lat float64
		land     bool
	}{
		{"inland China", 111.9, 31.5, true},
		{"Beijing", 116.4, 39.9, true},
		{"Taiwan", 121, 23.8, true},
		{"Hainan", 109.8, 19.2, true},
		{"South China Sea", 114, 15, false},
		{"Yellow Sea", 123, 35, false},
		{"Sahara", 10, 23, true},
		{"mid Pacific", -150, 0, false},
		{"mid Atlantic", -35, 30, false},
	}
	for _, tt := range tests {
		for _, z := range []int{3, 5} {
			if got := land(t, a, tt.lon, tt.lat, z); got != tt.land {
				t.Errorf("%s at z%d: land is %v", tt.name, z, got)
			}
		}
	}
	// Nearer than z5 only around China.
	if !land(t, a, 111.9, 31.5, 8) {
		t.Error("no land at z8 in the middle of China")
	}
	if _, ok := a.Tile(7, 67, 55); ok { // the Sahara
		t.Error("the archive carries fine tiles of the whole world")
	}
}

func TestFineTilesHideTheCoarseCoast(t *testing.T) {
	a := mustOpen(t)
	packed, ok := a.Tile(7, 107, 50) // the Yellow Sea
	if !ok {
		t.Fatal("no fine tile at sea: a coarse coast would shine through")
	}
	if found, square := rings(t, packed, "water"); found && len(square) == 1 && len(square[0]) >= 4 {
		return
	}
	t.Error("a fine tile without its square of water")
}

func TestTilesOutsideTheGridAreNothing(t *testing.T) {
	a := mustOpen(t)
	for _, z := range []int{-1, 0, 3, 8, 9, 40} {
		for _, v := range []int{-1, math.MaxInt32, math.MinInt32} {
			if _, ok := a.Tile(z, v, 0); ok {
				t.Errorf("tile %d/%d/0", z, v)
			}
			if _, ok := a.Tile(z, 0, v); ok {
				t.Errorf("tile %d/0/%d", z, v)
			}
		}
	}
}

// The numbering is that of the PMTiles specification: its examples, and no number twice.
func TestTileNumbers(t *testing.T) {
	for _, tt := range []struct {
		z    uint
		x, y uint64
		want uint64
	}{{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 3}, {1, 1, 0, 4}, {2, 0, 0, 5}, {12, 3423, 1763, 19078479}} {
		if got := tileID(tt.z, tt.x, tt.y); got != tt.want {
			t.Errorf("%d/%d/%d is %d, want %d", tt.z, tt.x, tt.y, got, tt.want)
		}
	}
	seen := map[uint64]bool{}
	for z := range uint(7) {
		for x := range uint64(1) << z {
			for y := range uint64(1) << z {
				id := tileID(z, x, y)
				if seen[id] {
					t.Fatalf("%d/%d/%d repeats number %d", z, x, y, id)
				}
				seen[id] = true
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	whole, err := fs.ReadFile(static.Files(), static.Basemap)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:headerSize])
	f.Add(whole[:headerSize+200])
	f.Add([]byte("PMTiles\x03"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrArchive) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		for z := range 3 {
			a.Tile(z, 0, 0)
		}
	})
}
