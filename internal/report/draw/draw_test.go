package draw

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"onemap/internal/report/font"
)

// painted is how many square millimetres of a picture are dark.
func painted(t *testing.T, l *List, dpi int) float64 {
	t.Helper()
	img, err := l.Image(t.Context(), dpi)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i := 0; i < len(img.Pix); i += 4 {
		sum += float64(255-img.Pix[i]) / 255
	}
	k := float64(dpi) / 25.4
	return sum / k / k
}

func near(a, b, share float64) bool { return math.Abs(a/b-1) <= share }

func TestImage(t *testing.T) {
	square := Rect{X: 5, Y: 5, W: 20, H: 10}
	hole := Path{{Pts: []Pt{{10, 8}, {10, 12}, {15, 12}, {15, 8}}, Closed: true}} // the other way round
	for name, c := range map[string]struct {
		draw func(*List)
		want float64
	}{
		"fill":   {func(l *List) { l.Fill(square.Path(), Black) }, 200},
		"hole":   {func(l *List) { l.Fill(append(square.Path(), hole...), Black) }, 180},
		"tint":   {func(l *List) { l.Tint(square.Path(), Black, 0.5) }, 100},
		"clip":   {func(l *List) { l.Clip(Rect{X: 0, Y: 0, W: 15, H: 40}); l.Fill(square.Path(), Black); l.Unclip() }, 100},
		"stroke": {func(l *List) { l.Segment(Pt{5, 5}, Pt{25, 5}, Pen{Width: 1, Butt: true}) }, 20},
		"round":  {func(l *List) { l.Segment(Pt{5, 5}, Pt{25, 5}, Pen{Width: 2}) }, 40 + math.Pi},
		"ring":   {func(l *List) { l.Stroke(square.Path(), Pen{Width: 1}) }, 60 - 1 + math.Pi/4},
		"dashes": {func(l *List) { l.Segment(Pt{5, 5}, Pt{25, 5}, Pen{Width: 1, Butt: true, Dash: []float64{1, 1}}) }, 10},
		"circle": {func(l *List) { l.Fill(Circle(Pt{15, 15}, 5), Black) }, 25 * math.Pi},
		"beyond": {func(l *List) { l.Fill(Rect{X: -1e5, Y: -1e5, W: 2e5, H: 2e5}.Path(), Black) }, 1200},
		"twice":  {func(l *List) { l.Fill(append(square.Path(), Rect{X: 30, Y: 30, W: 1, H: 1}.Path()...), Black) }, 201},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(30, 40, font.Sheet())
			if name == "twice" {
				l = New(40, 40, font.Sheet())
			}
			c.draw(l)
			if got := painted(t, l, 254); !near(got, c.want, 0.02) {
				t.Errorf("%.2f mm² are dark, want %.2f", got, c.want)
			}
		})
	}
}

// TestText: letters cover what their outlines cover, turned or not, bold more.
func TestText(t *testing.T) {
	ink := func(s Style) float64 {
		l := New(60, 60, font.Sheet())
		s.Size = 8
		l.Text(Pt{20, 40}, "县A①", s)
		return painted(t, l, 254)
	}
	plain := ink(Style{})
	if plain < 15 || plain > 60 {
		t.Errorf("three letters of 8 mm cover %.1f mm²", plain)
	}
	if turned := ink(Style{Angle: 37}); !near(turned, plain, 0.01) {
		t.Errorf("turned they cover %.2f, else %.2f", turned, plain)
	}
	if bold := ink(Style{Bold: true}); bold < plain*1.1 {
		t.Errorf("bold covers %.2f, plain %.2f", bold, plain)
	}
	if halo := ink(Style{Halo: 1}); !near(halo, plain, 0.001) {
		t.Errorf("a white edge on white covers %.2f", halo)
	}
}

func TestClean(t *testing.T) {
	l := New(10, 10, font.Sheet())
	l.Text(Pt{1, 5}, "a\u202eb\x00\tc\xffd\u200b", Style{Size: 2})
	l.Text(Pt{1, 5}, "\u200b", Style{Size: 2})
	var b strings.Builder
	if err := l.Dump(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"ab c�d"`) || strings.Count(b.String(), "text") != 1 {
		t.Error(b.String())
	}
	if w := l.Width("aa", 2); !near(w, 2*l.Width("a", 2), 1e-9) {
		t.Errorf("two letters are %v wide", w)
	}
}

func TestCancel(t *testing.T) {
	l := New(10, 10, font.Sheet())
	l.Fill(Rect{X: 1, Y: 1, W: 1, H: 1}.Path(), Black)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Image(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("a picture: %v", err)
	}
	if err := l.PDF(ctx, &bytes.Buffer{}, Info{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a PDF: %v", err)
	}
}

func TestRGB(t *testing.T) {
	for ink, want := range map[[4]float64][3]uint8{{0, 0, 0, 0}: {255, 255, 255}, {0, 0, 0, 1}: {0, 0, 0}, {0, 1, 1, 0.25}: {191, 0, 0}} {
		if r, g, b := RGB(ink); [3]uint8{r, g, b} != want {
			t.Errorf("%v shows as %v %v %v", ink, r, g, b)
		}
	}
}
