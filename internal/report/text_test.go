package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"onemap/internal/report/draw"
	"onemap/internal/report/font"
)

func TestWrap(t *testing.T) {
	one := func(s string) float64 { return float64(len([]rune(s))) }
	for _, c := range []struct {
		text  string
		width float64
		want  []string
	}{
		{"县应急管理局、县水务局", 6, []string{"县应急管理", "局、县水务局"}}, // no line begins with a comma
		{"（征求意见稿）第一版", 6, []string{"（征求意见", "稿）第一版"}},
		{"共 2025 年版", 5, []string{"共", "2025", "年版"}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"a\nb", 9, []string{"a", "b"}},
		{"", 9, nil},
	} {
		if got := wrap(c.text, c.width, one); !slices.Equal(got, c.want) {
			t.Errorf("%q at %v: %q, want %q", c.text, c.width, got, c.want)
		}
	}
	if a, b, ok := halves("云雾冲村（北组）", one); !ok || a != "云雾冲村" || b != "（北组）" {
		t.Errorf("halves: %q %q %v", a, b, ok)
	}
	if _, _, ok := halves("ABC", one); ok {
		t.Error("a word was broken")
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		km2(1_234_567_890): "1,234.57", km2(12_345_678): "12.35", km2(99_996_000): "100.00", km2(0): "0.00", km2(-4e6): "-4.00", km2(math.NaN()): "—", km2(1e300): "—",
		grouped(0): "0", grouped(999): "999", grouped(-1234567): "-1,234,567", percent(0.12345): "12.3%", percent(math.Inf(1)): "—",
		dms(109.5, 0.5, "E"): "109°30′E", dms(34.0041666666, 1.0/3600, "N"): "34°00′15″N", dms(109, 1, "E"): "109°E", dms(29.99999999, 1.0/60, "N"): "30°00′N",
		spaced(50000): "50 000",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestParseColour(t *testing.T) {
	c, err := ParseColour("#4A2378", "cmyk(0, 100,100,25)")
	if err != nil || c.R != 0x4a || !c.Process || c.CMYK != [4]float64{0, 1, 1, 0.25} {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = ParseColour("", "cmyk(0,100,100,0)"); err != nil || c.R != 255 || c.G != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range [][2]string{{"", ""}, {"red", ""}, {"#12345g", ""}, {"#123456", "cmyk(1,2,3)"}, {"#123456", "cmyk(1,2,3,101)"}, {"#123456", "cmyk(1,2,3,NaN)"}, {"#123456", "rgb(1,2,3,4)"}} {
		if _, err := ParseColour(bad[0], bad[1]); err == nil {
			t.Errorf("%q is a colour", bad)
		}
	}
}

// FuzzText sets odd characters: nothing panics, no character is lost, every one is either
// drawn or reported.
func FuzzText(f *testing.F) {
	for _, s := range []string{"云栖县（北）", "a b\tc\n\nd", "\u202eabc\u200f", "é\u0301𬇙👨‍👩‍👧", "\xff\xfe", strings.Repeat("长", 500), "=1+1", "(\\)<>", "①㎡°′″Ⅳ→", "\x00\x01", "、、、、", "（（（（"} {
		f.Add(s, 20.0)
		f.Add(s, -1.0)
	}
	f.Fuzz(func(t *testing.T, text string, width float64) {
		l := draw.New(210, 297, font.Sheet())
		measure := func(s string) float64 { return l.Width(s, 3) }
		if math.IsNaN(width) {
			width = 0
		}
		lines := wrap(text, width, measure)
		squeeze := func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) {
					return -1
				}
				return r
			}, s)
		}
		if got, want := squeeze(strings.Join(lines, "")), squeeze(string([]rune(text))); got != want {
			t.Fatalf("%q became %q", want, got)
		}
		for _, s := range lines {
			if len([]rune(s)) > 1 && measure(s) > width+1e-9 {
				t.Fatalf("%q is wider than %v", s, width)
			}
		}
		halves(text, measure)
		clipText(text, width, measure)
		s := smallSheet(t)
		s.Title, s.Basis, s.Zones[0].Name, s.Levels[1].Name, s.Watermark, s.Draft = text, text, text, text, text, text
		if _, d, err := compose(t.Context(), s); err != nil {
			t.Fatal(err)
		} else if strings.ContainsRune(text, '𬇙') && !slices.Contains(d.Missing, '𬇙') && !strings.Contains(clipText(text, 1, measure), "…") {
			t.Fatal("a missing character is not reported")
		}
		if sheetName(text, map[string]bool{}) == "" || strings.ContainsAny(fileName(text), "/\\\x00") {
			t.Fatal("a name that is none")
		}
	})
}
