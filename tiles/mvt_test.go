package tiles

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// A decoder of our own, for tests only: it takes nothing from the code under test
// and refuses whatever the specification (Mapbox Vector Tile 2.1) does not allow.

type mvtLayer struct {
	name     string
	extent   uint64
	features []mvtFeature
}

type mvtFeature struct {
	id    uint64
	hasID bool
	kind  uint64 // 1 point, 2 line, 3 polygon
	parts [][][2]int
	props map[string]any
}

type pbuf struct{ b []byte }

func (p *pbuf) varint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		panic("bad varint")
	}
	p.b = p.b[n:]
	return v
}

func (p *pbuf) bytes() []byte {
	n := p.varint()
	v := p.b[:n]
	p.b = p.b[n:]
	return v
}

func (p *pbuf) each(f func(field, wire uint64)) {
	for len(p.b) > 0 {
		k := p.varint()
		f(k>>3, k&7)
	}
}

func zigzag(v uint64) int { return int(int64(v>>1) ^ -int64(v&1)) }

func decodeTile(t testing.TB, tile *Tile) []mvtLayer {
	t.Helper()
	if tile.Empty {
		if tile.Body != nil {
			t.Fatal("an empty tile has a body")
		}
		return nil
	}
	r, err := gzip.NewReader(bytes.NewReader(tile.Body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) != tile.RawSize {
		t.Fatalf("RawSize %d, body %d", tile.RawSize, len(raw))
	}
	return decodeMVT(t, raw)
}

func decodeMVT(t testing.TB, raw []byte) (layers []mvtLayer) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("the tile cannot be read: %v", r)
		}
	}()
	names := map[string]bool{}
	p := &pbuf{raw}
	p.each(func(field, wire uint64) {
		if field != 3 || wire != 2 {
			panic(fmt.Sprintf("tile field %d", field))
		}
		l := decodeLayer(p.bytes())
		if names[l.name] {
			panic("layer twice: " + l.name)
		}
		names[l.name] = true
		layers = append(layers, l)
	})
	return layers
}

func decodeLayer(b []byte) mvtLayer {
	var l mvtLayer
	var keys []string
	var values []any
	var raw [][]byte
	version := uint64(0)
	p := &pbuf{b}
	p.each(func(field, _ uint64) {
		switch field {
		case 1:
			l.name = string(p.bytes())
		case 2:
			raw = append(raw, p.bytes())
		case 3:
			keys = append(keys, string(p.bytes()))
		case 4:
			values = append(values, decodeValue(p.bytes()))
		case 5:
			l.extent = p.varint()
		case 15:
			version = p.varint()
		default:
			panic(fmt.Sprintf("layer field %d", field))
		}
	})
	if version != 2 || l.name == "" || l.extent != 4096 {
		panic("layer head")
	}
	for _, r := range raw {
		f := mvtFeature{props: map[string]any{}}
		var cmds []uint64
		p := &pbuf{r}
		p.each(func(field, _ uint64) {
			switch field {
			case 1:
				f.id, f.hasID = p.varint(), true
			case 2:
				tags := &pbuf{p.bytes()}
				for len(tags.b) > 0 {
					k, v := tags.varint(), tags.varint()
					f.props[keys[k]] = values[v]
				}
			case 3:
				f.kind = p.varint()
			case 4:
				g := &pbuf{p.bytes()}
				for len(g.b) > 0 {
					cmds = append(cmds, g.varint())
				}
			default:
				panic(fmt.Sprintf("feature field %d", field))
			}
		})
		f.parts = decodeGeometry(f.kind, cmds)
		l.features = append(l.features, f)
	}
	return l
}

func decodeValue(b []byte) (v any) {
	p := &pbuf{b}
	p.each(func(field, _ uint64) {
		switch field {
		case 1:
			v = string(p.bytes())
		case 2:
			v = float64(math.Float32frombits(binary.LittleEndian.Uint32(p.b)))
			p.b = p.b[4:]
		case 3:
			v = math.Float64frombits(binary.LittleEndian.Uint64(p.b))
			p.b = p.b[8:]
		case 4:
			v = int64(p.varint())
		case 5:
			v = int64(p.varint())
		case 6:
			v = int64(zigzag(p.varint()))
		case 7:
			v = p.varint() == 1
		default:
			panic("value field")
		}
	})
	return v
}

func decodeGeometry(kind uint64, cmds []uint64) (parts [][][2]int) {
	x, y := 0, 0
	var cur [][2]int
	flush := func() {
		if len(cur) > 0 {
			parts = append(parts, cur)
			cur = nil
		}
	}
	for i := 0; i < len(cmds); {
		id, n := cmds[i]&7, int(cmds[i]>>3)
		i++
		switch id {
		case 1, 2:
			for range n {
				if id == 1 {
					flush()
				}
				x += zigzag(cmds[i])
				y += zigzag(cmds[i+1])
				i += 2
				cur = append(cur, [2]int{x, y})
			}
		case 7:
			if kind != 3 || len(cur) < 3 {
				panic("close path")
			}
			cur = append(cur, cur[0])
			flush()
		default:
			panic("command")
		}
	}
	flush()
	if len(parts) == 0 {
		panic("feature without geometry")
	}
	for _, p := range parts {
		if kind == 2 && len(p) < 2 || kind == 3 && (len(p) < 4 || ringArea(p) == 0) {
			panic("degenerate geometry")
		}
	}
	return parts
}

// ringArea is twice the signed area, y down.
func ringArea(r [][2]int) int {
	a := 0
	for i := 1; i < len(r); i++ {
		a += r[i-1][0]*r[i][1] - r[i][0]*r[i-1][1]
	}
	return a
}

// tileText is a tile as sorted text: what golden files and comparisons use.
func tileText(layers []mvtLayer) string {
	var lines []string
	for _, l := range layers {
		for _, f := range l.features {
			var b strings.Builder
			fmt.Fprintf(&b, "%s %d %s", l.name, f.id, []string{"?", "point", "line", "polygon"}[f.kind])
			if len(f.props) > 0 {
				b.WriteString(" " + f.propsText())
			}
			for _, p := range f.parts {
				fmt.Fprintf(&b, " %v", p)
			}
			lines = append(lines, b.String())
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (f mvtFeature) propsText() string {
	var out []string
	for k, v := range f.props {
		out = append(out, fmt.Sprintf("%s=%v", k, v))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
