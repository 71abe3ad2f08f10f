package report

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
	"onemap/internal/report/font"
)

// parsed is a PDF taken apart: objects by number, streams unpacked.
type parsed struct {
	objects map[int]string
	streams map[int][]byte
}

// parsePDF follows the table of objects, as a reader does.
func parsePDF(t *testing.T, b []byte) parsed {
	t.Helper()
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(b)
	if m == nil || !bytes.HasPrefix(b, []byte("%PDF-1.7\n")) {
		t.Fatal("no PDF")
	}
	at, err := strconv.Atoi(string(m[1]))
	if err != nil || !bytes.HasPrefix(b[at:], []byte("xref\n0 ")) {
		t.Fatalf("startxref leads to %q", b[at:at+8])
	}
	p := parsed{map[int]string{}, map[int][]byte{}}
	for i, row := range regexp.MustCompile(`(?m)^(\d{10}) 00000 n $`).FindAllSubmatch(b[at:], -1) {
		off, err := strconv.Atoi(string(row[1]))
		if err != nil || !bytes.HasPrefix(b[off:], []byte(strconv.Itoa(i+1)+" 0 obj\n")) {
			t.Fatalf("object %d is not at %d", i+1, off)
		}
		body := b[off:]
		end := bytes.Index(body, []byte("\nendobj\n"))
		if s := bytes.Index(body, []byte(">>\nstream\n")); s >= 0 && s < end {
			size, err := strconv.Atoi(string(regexp.MustCompile(`/Length (\d+)>>`).FindSubmatch(body[:s+2])[1]))
			if err != nil {
				t.Fatal(err)
			}
			z, err := zlib.NewReader(bytes.NewReader(body[s+10 : s+10+size]))
			if err != nil {
				t.Fatal(err)
			}
			if p.streams[i+1], err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
			end = s
		}
		p.objects[i+1] = string(body[:end])
	}
	return p
}

// find answers the stream of the object a pattern's first group names.
func (p parsed) find(t *testing.T, pattern string) []byte {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for _, o := range p.objects {
		if m := re.FindStringSubmatch(o); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			return p.streams[n]
		}
	}
	t.Fatalf("nothing has %s", pattern)
	return nil
}

// text reads what a reader would copy: shown text through the table of characters, less
// what says it is no text.
func (p parsed) text(t *testing.T) []string {
	t.Helper()
	unicode := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^<([0-9A-F]{4})> <([0-9A-F]+)>$`).FindAllSubmatch(p.find(t, `/ToUnicode (\d+) 0 R`), -1) {
		b, err := hex.DecodeString(string(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		u := make([]uint16, len(b)/2)
		for i := range u {
			u[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		unicode[string(m[1])] = string(utf16.Decode(u))
	}
	content := regexp.MustCompile(`(?s)/Span <</ActualText \(\)>> BDC.*?EMC`).ReplaceAll(p.find(t, `/Contents (\d+) 0 R`), nil)
	var out []string
	for _, m := range regexp.MustCompile(`<([0-9A-F]+)> Tj`).FindAllSubmatch(content, -1) {
		var b strings.Builder
		for i := 0; i+4 <= len(m[1]); i += 4 {
			c, ok := unicode[string(m[1][i:i+4])]
			if !ok {
				t.Fatalf("the code %s has no character", m[1][i:i+4])
			}
			b.WriteString(c)
		}
		out = append(out, b.String())
	}
	return out
}

func TestPDF(t *testing.T) {
	s := smallSheet(t)
	s.Print = true
	s.Watermark = "水印 2026"
	s.Zones[2].Name = "𬇙村" // no glyph
	people := int64(1_234_567)
	s.Levels[0].AreaM2, s.Levels[0].Share, s.Levels[0].Count, s.Levels[0].People = 123_456_789_012, 0.98765, 4321, &people
	var a, b bytes.Buffer
	d, err := PDF(t.Context(), &a, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PDF(t.Context(), &b, s); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same sheet gives other bytes, %v", err)
	}
	if !slices.Equal(d.Missing, []rune{'𬇙'}) {
		t.Errorf("missing %q", d.Missing)
	}
	p := parsePDF(t, a.Bytes())
	text := p.text(t)
	// Numbers as they came, every name once.
	for _, want := range []string{"示例县山洪灾害风险区划图", "内部资料", "123,456.79", "98.8%", "4,321", "1,234,567", "东沟", "岛", "𬇙村", "北坡", "编制", "张明远", "2026-06-01", "1:" + spaced(d.Scale), "2000国家大地坐标系", "制图日期 2026-06-01"} {
		n := 0
		for _, got := range text {
			if got == want {
				n++
			}
		}
		if n == 0 || n > 1 && len([]rune(want)) < 4 {
			t.Errorf("%q stands %d times in %q", want, n, text)
		}
	}
	if slices.Contains(text, "水印 2026") {
		t.Error("the watermark is copied as text")
	}
	// Prescribed ink as prescribed.
	content := p.find(t, `/Contents (\d+) 0 R`)
	for _, ink := range []string{"0 1 1 0.25 k\n", "0.15 1 0.85 0 k\n", "0.05 0.5 0.6 0 k\n", "0.05 0.35 0.4 0 k\n"} {
		if n := bytes.Count(content, []byte(ink)); n < 2 { // map and legend
			t.Errorf("%q stands %d times", ink, n)
		}
	}
	if n := bytes.Count(content, []byte("/Pattern cs")); n < 6 {
		t.Errorf("%d textures laid", n)
	}
	// The font is embedded, small, and draws the same letters.
	sub, err := font.Parse(p.find(t, `/FontFile2 (\d+) 0 R`))
	if err != nil {
		t.Fatal(err)
	}
	if sub.Glyphs() > 400 {
		t.Errorf("%d glyphs embedded", sub.Glyphs())
	}
	if f := bytes.Count(a.Bytes(), []byte("/Type /Font ")); f != 2 {
		t.Errorf("%d fonts", f)
	}

	// A second opinion, where there is one.
	if tool, err := exec.LookPath("pdftotext"); err == nil {
		path := filepath.Join(t.TempDir(), "a.pdf")
		if err := os.WriteFile(path, a.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, path, "-").Output()
		if err != nil || !bytes.Contains(out, []byte("示例县山洪灾害风险区划图")) || !bytes.Contains(out, []byte("1,234,567")) {
			t.Errorf("pdftotext: %v: %s", err, out)
		}
	} else {
		t.Log("pdftotext is not installed; only our own reader looked")
	}
}

// TestScreenColours: without print colours there is no CMYK in the file.
func TestScreenColours(t *testing.T) {
	var b bytes.Buffer
	if _, err := PDF(t.Context(), &b, smallSheet(t)); err != nil {
		t.Fatal(err)
	}
	content := parsePDF(t, b.Bytes()).find(t, `/Contents (\d+) 0 R`)
	if bytes.Contains(content, []byte(" k\n")) || !bytes.Contains(content, []byte("0.2902 0.1373 0.4706 rg\n")) {
		t.Error("the screen's colours are not those of the file")
	}
}

// TestPixels looks at known places of the picture.
func TestPixels(t *testing.T) {
	for _, print := range []bool{false, true} {
		s := smallSheet(t)
		s.Print, s.NoGrid, s.NoLabel, s.NoPaint = print, true, true, true
		var b bytes.Buffer
		const dpi = 150
		if _, err := PNG(t.Context(), &b, s, dpi); err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Dx() != 1754 || img.Bounds().Dy() != 1240 {
			t.Errorf("the picture is %v", img.Bounds())
		}
		f := onPaper(t, s)
		at := func(p orb.Point) color.RGBA {
			q := f.at(p)
			return color.RGBAModel.Convert(img.At(int(q.X*dpi/25.4), int(q.Y*dpi/25.4))).(color.RGBA)
		}
		for i, p := range []orb.Point{{109.01, 34.01}, {109.025, 34.025}, {109.07, 34.02}, {109.03, 34.08}} {
			c := s.colour(s.Levels[i].Colour)
			if got := at(p); got != (color.RGBA{c.R, c.G, c.B, 255}) {
				t.Errorf("print %v, level %d: %v, want %v", print, i+1, got, c)
			}
		}
		if got := at(orb.Point{109.115, 34.05}); got != (color.RGBA{255, 255, 255, 255}) {
			t.Errorf("outside it is %v", got)
		}
	}
}

// TestTexturePixels: a texture is there, within its shape alone, about as dense as drawn.
func TestTexturePixels(t *testing.T) {
	for _, name := range []Texture{Cross, Diagonal, Dots} {
		l := draw.New(40, 40, font.Sheet())
		l.Lay(draw.Rect{X: 10, Y: 10, W: 20, H: 20}.Path(), draw.Texture{Name: string(name), Step: 2.2, Weight: 0.2})
		img, err := l.Image(t.Context(), 254)
		if err != nil {
			t.Fatal(err)
		}
		dark := 0.0
		for y := range 400 {
			for x := range 400 {
				v := img.RGBAAt(x, y).R
				if v < 255 && (x < 99 || y < 99 || x > 300 || y > 300) {
					t.Fatalf("%s: it leaves its shape at %d %d", name, x, y)
				}
				dark += float64(255-v) / 255
			}
		}
		got := dark / 200 / 200
		want := map[Texture]float64{Diagonal: 0.2 * math.Sqrt2 / 2.2, Cross: 2*0.2*math.Sqrt2/2.2 - math.Pow(0.2*math.Sqrt2/2.2, 2), Dots: 2 * math.Pi * 0.04 / (2.2 * 2.2)}[name]
		if math.Abs(got/want-1) > 0.12 {
			t.Errorf("%s covers %.3f, want %.3f", name, got, want)
		}
	}
}
