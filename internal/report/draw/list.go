package draw

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"onemap/internal/report/font"
)

// Pt is a place on paper.
type Pt struct{ X, Y float64 }

// Line is a run of points.
type Line struct {
	Pts    []Pt
	Closed bool
}

// Path is what is filled or stroked. Rings to be filled turn one way, their holes the
// other.
type Path []Line

// Rect is a rectangle of paper.
type Rect struct{ X, Y, W, H float64 }

// Inset is the rectangle less d on every side.
func (r Rect) Inset(d float64) Rect { return Rect{r.X + d, r.Y + d, r.W - 2*d, r.H - 2*d} }

// Path is the outline.
func (r Rect) Path() Path {
	return Path{{Pts: []Pt{{r.X, r.Y}, {r.X + r.W, r.Y}, {r.X + r.W, r.Y + r.H}, {r.X, r.Y + r.H}}, Closed: true}}
}

// Overlaps reports whether two rectangles share more than an edge.
func (r Rect) Overlaps(o Rect) bool {
	return r.X < o.X+o.W && o.X < r.X+r.W && r.Y < o.Y+o.H && o.Y < r.Y+r.H
}

// Contains reports whether o lies within r.
func (r Rect) Contains(o Rect) bool {
	return o.X >= r.X && o.Y >= r.Y && o.X+o.W <= r.X+r.W && o.Y+o.H <= r.Y+r.H
}

// Circle is a polygon as round as paper needs.
func Circle(c Pt, radius float64) Path {
	n := max(16, min(160, int(radius*24)))
	pts := make([]Pt, n)
	for i := range pts {
		s, k := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		pts[i] = Pt{c.X + radius*k, c.Y + radius*s}
	}
	return Path{{Pts: pts, Closed: true}}
}

// Texture is a pattern laid over a fill.
type Texture struct {
	Name   string // cross, diagonal, dots
	Colour Colour
	Step   float64 // mm between repeats
	Weight float64 // mm, of a stroke, or the radius of a dot
}

// Pen is how a line is drawn. Dash alternates drawn and left-out lengths.
type Pen struct {
	Width  float64
	Colour Colour
	Dash   []float64
	Butt   bool // ends cut straight; else round
	Alpha  float64
}

// Style is how text is set. Size is that of the em square.
type Style struct {
	Size   float64
	Colour Colour
	Bold   bool
	Halo   float64 // width of a white edge
	Angle  float64 // degrees, counter-clockwise
	Alpha  float64 // 0 and 1: opaque
	Silent bool    // a picture of letters: not copied, not read aloud
}

type op struct {
	kind    byte // f, s, t, c, u, #
	path    Path
	colour  Colour
	alpha   float64
	texture *Texture
	pen     Pen
	text    string
	at      Pt
	style   Style
	rect    Rect
}

// List is a drawing.
type List struct {
	W, H float64
	ops  []op
	face *font.Font
	miss map[rune]bool
}

// New begins a drawing on paper of w by h millimetres.
func New(w, h float64, face *font.Font) *List {
	return &List{W: w, H: h, face: face, miss: map[rune]bool{}}
}

// Mark names what follows, for readers of the list.
func (l *List) Mark(name string) { l.ops = append(l.ops, op{kind: '#', text: name}) }

// Fill fills a path.
func (l *List) Fill(p Path, c Colour) {
	if len(p) > 0 {
		l.ops = append(l.ops, op{kind: 'f', path: p, colour: c, alpha: 1})
	}
}

// Tint fills a path, see-through.
func (l *List) Tint(p Path, c Colour, alpha float64) {
	if len(p) > 0 {
		l.ops = append(l.ops, op{kind: 'f', path: p, colour: c, alpha: alpha})
	}
}

// Lay lays a texture over a path.
func (l *List) Lay(p Path, t Texture) {
	if len(p) > 0 {
		l.ops = append(l.ops, op{kind: 'f', path: p, texture: &t, alpha: 1})
	}
}

// Stroke draws along a path.
func (l *List) Stroke(p Path, pen Pen) {
	if len(p) > 0 && pen.Width > 0 {
		l.ops = append(l.ops, op{kind: 's', path: p, pen: pen})
	}
}

// Segment draws a straight line.
func (l *List) Segment(a, b Pt, pen Pen) { l.Stroke(Path{{Pts: []Pt{a, b}}}, pen) }

// Clip bounds what follows until Unclip. Clips do not nest.
func (l *List) Clip(r Rect) { l.ops = append(l.ops, op{kind: 'c', rect: r}) }

// Unclip ends Clip.
func (l *List) Unclip() { l.ops = append(l.ops, op{kind: 'u'}) }

// Text sets a line of text with its baseline beginning at a point.
func (l *List) Text(at Pt, text string, s Style) {
	text = clean(text)
	if text == "" || s.Size <= 0 {
		return
	}
	for _, r := range text {
		if _, ok := l.face.Glyph(r); !ok {
			l.miss[r] = true
		}
	}
	l.ops = append(l.ops, op{kind: 't', at: at, text: text, style: s})
}

// clean takes out what has no place in a line of text: control characters and the marks
// that turn its direction; what is no character at all shows as one that is missing.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u00ad' || r == '\ufeff' ||
			r >= '\u200b' && r <= '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2060' && r <= '\u206f' || r >= '\ufe00' && r <= '\ufe0f':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// Width is how wide a line of text is.
func (l *List) Width(text string, size float64) float64 {
	sum := 0
	for _, r := range clean(text) {
		g, _ := l.face.Glyph(r)
		sum += l.face.Advance(g)
	}
	return float64(sum) * size / float64(l.face.UnitsPerEm)
}

// Missing lists the characters the font has no glyph for.
func (l *List) Missing() []rune {
	out := make([]rune, 0, len(l.miss))
	for r := range l.miss {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// Dump writes the list as text, for people and tests.
func (l *List) Dump(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "paper %.1f x %.1f\n", l.W, l.H)
	for i := range l.ops {
		o := &l.ops[i]
		switch o.kind {
		case '#':
			fmt.Fprintf(&b, "# %s\n", o.text)
		case 'c':
			fmt.Fprintf(&b, "clip %.2f %.2f %.2f %.2f\n", o.rect.X, o.rect.Y, o.rect.W, o.rect.H)
		case 'u':
			b.WriteString("unclip\n")
		case 't':
			fmt.Fprintf(&b, "text %.2f %.2f size %.2f %s%s %q\n", o.at.X, o.at.Y, o.style.Size, o.style.Colour, angle(o.style.Angle), o.text)
		case 'f':
			if o.texture != nil {
				fmt.Fprintf(&b, "texture %s %s %s\n", o.texture.Name, o.texture.Colour, o.path)
			} else {
				fmt.Fprintf(&b, "fill %s %.2f %s\n", o.colour, o.alpha, o.path)
			}
		case 's':
			fmt.Fprintf(&b, "stroke %.2f %s %v %s\n", o.pen.Width, o.pen.Colour, o.pen.Dash, o.path)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func angle(a float64) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf(" angle %.0f", a)
}

// String tells a colour as the PDF will write it.
func (c Colour) String() string {
	if c.Process {
		return fmt.Sprintf("cmyk(%.4g,%.4g,%.4g,%.4g)", c.CMYK[0], c.CMYK[1], c.CMYK[2], c.CMYK[3])
	}
	return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
}

// String tells a path by its size and place.
func (p Path) String() string {
	n := 0
	lo, hi := Pt{math.Inf(1), math.Inf(1)}, Pt{math.Inf(-1), math.Inf(-1)}
	for _, l := range p {
		n += len(l.Pts)
		for _, q := range l.Pts {
			lo, hi = Pt{min(lo.X, q.X), min(lo.Y, q.Y)}, Pt{max(hi.X, q.X), max(hi.Y, q.Y)}
		}
	}
	return fmt.Sprintf("%d/%d in %.2f %.2f %.2f %.2f", len(p), n, lo.X, lo.Y, hi.X, hi.Y)
}
