package draw

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// pointsPerMM is PostScript points in a millimetre.
const pointsPerMM = 72 / 25.4

// Info is what a PDF says about itself.
type Info struct {
	Title, Author, Subject string
	Lang                   string // zh-CN
	At                     time.Time
}

// boldWidth is how much a bold letter is fattened, in parts of its size.
const boldWidth = 0.035

type pdf struct {
	l        *List
	content  []byte
	states   []float64 // alpha by number of the graphics state
	textures []Texture
	cid      map[rune]uint16
	runes    []rune // by cid - 1
	now      struct {
		fill, stroke string
		alpha        float64
		pen          string
	}
}

// page is what a list became.
type page struct {
	w, h    float64
	content []byte
}

// PDF writes the list as a document of one page.
func (l *List) PDF(ctx context.Context, w io.Writer, info Info) error {
	return Pages(ctx, w, info, l)
}

// Pages writes lists as the pages of one document. They are of one face, embedded once.
func Pages(ctx context.Context, w io.Writer, info Info, lists ...*List) error {
	p := &pdf{cid: map[rune]uint16{}}
	pages := make([]page, 0, len(lists))
	for _, l := range lists {
		p.l, p.content = l, nil
		p.reset()
		for i := range l.ops {
			if i%256 == 0 && ctx.Err() != nil {
				return fmt.Errorf("draw: %w", ctx.Err())
			}
			p.draw(&l.ops[i])
		}
		pages = append(pages, page{l.W, l.H, p.content})
	}
	return p.write(w, info, pages)
}

// reset forgets what the page's graphics state is.
func (p *pdf) reset() { p.now.fill, p.now.stroke, p.now.alpha, p.now.pen = "", "", 1, "" }

func (p *pdf) f(format string, args ...any) { p.content = fmt.Appendf(p.content, format, args...) }

// num writes a number of points, to a hundredth.
func (p *pdf) num(v float64) {
	r := math.Round(v*100) / 100
	if r == 0 {
		r = 0 // no minus before a zero
	}
	p.content = strconv.AppendFloat(p.content, r, 'f', -1, 64)
	p.content = append(p.content, ' ')
}

func (p *pdf) pt(q Pt) {
	p.num(q.X * pointsPerMM)
	p.num((p.l.H - q.Y) * pointsPerMM)
}

func (p *pdf) path(path Path) {
	for _, l := range path {
		for i, q := range l.Pts {
			p.pt(q)
			if i == 0 {
				p.content = append(p.content, "m\n"...)
			} else {
				p.content = append(p.content, "l\n"...)
			}
		}
		if l.Closed && len(l.Pts) > 0 {
			p.content = append(p.content, "h\n"...)
		}
	}
}

// ink is the operator that chooses a colour.
func ink(c Colour, stroke bool) string {
	n := func(v float64) string { return strconv.FormatFloat(math.Round(v*10000)/10000, 'f', -1, 64) }
	var s, o string
	switch {
	case c.Process:
		s, o = n(c.CMYK[0])+" "+n(c.CMYK[1])+" "+n(c.CMYK[2])+" "+n(c.CMYK[3]), "k"
	case c.R == c.G && c.G == c.B: // black ink alone
		s, o = n(float64(c.R)/255), "g"
	default:
		s, o = n(float64(c.R)/255)+" "+n(float64(c.G)/255)+" "+n(float64(c.B)/255), "rg"
	}
	if stroke {
		o = strings.ToUpper(o)
	}
	return s + " " + o + "\n"
}

func (p *pdf) fillInk(c Colour) {
	if s := ink(c, false); s != p.now.fill {
		p.content, p.now.fill = append(p.content, s...), s
	}
}

func (p *pdf) strokeInk(c Colour) {
	if s := ink(c, true); s != p.now.stroke {
		p.content, p.now.stroke = append(p.content, s...), s
	}
}

func (p *pdf) alpha(a float64) {
	if a <= 0 || a > 1 {
		a = 1
	}
	if a == p.now.alpha {
		return
	}
	p.now.alpha = a
	for i, s := range p.states {
		if s == a {
			p.f("/G%d gs\n", i)
			return
		}
	}
	p.states = append(p.states, a)
	p.f("/G%d gs\n", len(p.states)-1)
}

func (p *pdf) pen(width float64, dash []float64, butt bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "%.3g w ", width*pointsPerMM)
	if butt {
		b.WriteString("0 J 0 j [")
	} else {
		b.WriteString("1 J 1 j [")
	}
	for i, d := range dash {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%.3g", d*pointsPerMM)
	}
	b.WriteString("] 0 d\n")
	if s := b.String(); s != p.now.pen {
		p.content, p.now.pen = append(p.content, s...), s
	}
}

func (p *pdf) draw(o *op) {
	switch o.kind {
	case 'c':
		p.f("q ")
		p.path(o.rect.Path())
		p.f("W n\n")
		p.reset()
	case 'u':
		p.f("Q\n")
		p.reset()
	case 'f':
		p.alpha(o.alpha)
		if o.texture != nil {
			p.now.fill = ""
			p.f("/Pattern cs /T%d scn\n", p.texture(*o.texture))
		} else {
			p.fillInk(o.colour)
		}
		p.path(o.path)
		p.f("f\n")
	case 's':
		p.alpha(o.pen.Alpha)
		p.strokeInk(o.pen.Colour)
		p.pen(o.pen.Width, o.pen.Dash, o.pen.Butt)
		p.path(o.path)
		p.f("S\n")
	case 't':
		p.text(o)
	}
}

func (p *pdf) texture(t Texture) int {
	for i, s := range p.textures {
		if s == t {
			return i
		}
	}
	p.textures = append(p.textures, t)
	return len(p.textures) - 1
}

// text shows a line. Its white edge is drawn before it and says that it is no text of
// its own, so that who copies the page copies every word once.
func (p *pdf) text(o *op) {
	s := o.style
	p.alpha(s.Alpha)
	var code []byte
	for _, r := range o.text {
		id, ok := p.cid[r]
		if !ok {
			if len(p.runes) >= 0xfff0 {
				continue
			}
			p.runes = append(p.runes, r)
			id = uint16(len(p.runes))
			p.cid[r] = id
		}
		code = fmt.Appendf(code, "%04X", id)
	}
	show := func(mode int) {
		p.f("BT /F %.3g Tf %d Tr ", s.Size*pointsPerMM, mode)
		if s.Angle == 0 {
			p.f("1 0 0 1 ")
		} else {
			sin, cos := math.Sincos(s.Angle * math.Pi / 180)
			p.f("%.5f %.5f %.5f %.5f ", cos, sin, -sin, cos)
		}
		p.pt(o.at)
		p.f("Tm <%s> Tj ET\n", code)
	}
	if s.Halo > 0 {
		p.f("/Span <</ActualText ()>> BDC\n")
		p.strokeInk(White)
		p.pen(2*s.Halo, nil, false)
		show(1)
		p.f("EMC\n")
	}
	p.fillInk(s.Colour)
	if s.Silent {
		p.f("/Span <</ActualText ()>> BDC\n")
		show(0)
		p.f("EMC\n")
		return
	}
	if !s.Bold {
		show(0)
		return
	}
	p.strokeInk(s.Colour)
	p.pen(s.Size*boldWidth, nil, false)
	show(2)
}

// objects counts and writes the parts of the file.
type objects struct {
	buf bytes.Buffer
	at  []int
}

func (o *objects) add(body string) int {
	o.at = append(o.at, o.buf.Len())
	fmt.Fprintf(&o.buf, "%d 0 obj\n%s\nendobj\n", len(o.at), body)
	return len(o.at)
}

func (o *objects) stream(dict string, data []byte) (int, error) {
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	if _, err := zw.Write(data); err != nil {
		return 0, err
	}
	if err := zw.Close(); err != nil {
		return 0, err
	}
	o.at = append(o.at, o.buf.Len())
	fmt.Fprintf(&o.buf, "%d 0 obj\n<<%s /Filter /FlateDecode /Length %d>>\nstream\n", len(o.at), dict, z.Len())
	o.buf.Write(z.Bytes())
	o.buf.WriteString("\nendstream\nendobj\n")
	return len(o.at), nil
}

func (p *pdf) write(w io.Writer, info Info, pages []page) error {
	if len(pages) == 0 {
		return errors.New("draw: a document has a page")
	}
	o := &objects{}
	o.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	contents := make([]int, 0, len(pages))
	for _, page := range pages {
		content, err := o.stream("", page.content)
		if err != nil {
			return fmt.Errorf("draw: %w", err)
		}
		contents = append(contents, content)
	}
	res := "/ProcSet [/PDF /Text]"
	if len(p.runes) > 0 {
		face, err := p.font(o)
		if err != nil {
			return fmt.Errorf("draw: %w", err)
		}
		res += fmt.Sprintf(" /Font <</F %d 0 R>>", face)
	}
	if len(p.textures) > 0 {
		var list strings.Builder
		for i, t := range p.textures {
			n, err := o.stream(tile(t, p.l.H))
			if err != nil {
				return fmt.Errorf("draw: %w", err)
			}
			fmt.Fprintf(&list, " /T%d %d 0 R", i, n)
		}
		res += " /Pattern <<" + list.String() + ">>"
	}
	if len(p.states) > 0 {
		var list strings.Builder
		for i, a := range p.states {
			fmt.Fprintf(&list, " /G%d <</ca %.3g /CA %.3g>>", i, a, a)
		}
		res += " /ExtGState <<" + list.String() + ">>"
	}
	tree := len(o.at) + len(pages) + 1 // stands behind the pages
	var kids []string
	for i, page := range pages {
		n := o.add(fmt.Sprintf("<</Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Contents %d 0 R /Resources <<%s>> /Group <</S /Transparency /CS /DeviceRGB>>>>",
			tree, page.w*pointsPerMM, page.h*pointsPerMM, contents[i], res))
		kids = append(kids, fmt.Sprintf("%d 0 R", n))
	}
	o.add(fmt.Sprintf("<</Type /Pages /Kids [%s] /Count %d>>", strings.Join(kids, " "), len(pages)))
	root := o.add(fmt.Sprintf("<</Type /Catalog /Pages %d 0 R /Lang %s /ViewerPreferences <</DisplayDocTitle true /PrintScaling /None>>>>", tree, words(info.Lang)))
	made := ""
	if !info.At.IsZero() {
		made = fmt.Sprintf(" /CreationDate (D:%s)", info.At.UTC().Format("20060102150405Z"))
	}
	about := o.add(fmt.Sprintf("<</Title %s /Author %s /Subject %s /Producer (onemap)%s>>", words(info.Title), words(info.Author), words(info.Subject), made))

	start := o.buf.Len()
	sum := sha256.Sum256(o.buf.Bytes())
	fmt.Fprintf(&o.buf, "xref\n0 %d\n0000000000 65535 f \n", len(o.at)+1)
	for _, at := range o.at {
		fmt.Fprintf(&o.buf, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&o.buf, "trailer\n<</Size %d /Root %d 0 R /Info %d 0 R /ID [<%x><%x>]>>\nstartxref\n%d\n%%%%EOF\n", len(o.at)+1, root, about, sum[:16], sum[:16], start)
	_, err := w.Write(o.buf.Bytes())
	return err
}

// words writes a text string, in UTF-16 where it is not plain.
func words(s string) string {
	out := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(clean(s))) {
		out = binary.BigEndian.AppendUint16(out, u)
	}
	return fmt.Sprintf("<%X>", out)
}

// tile is a texture as a repeating cell. The cell hangs from the top of the page.
func tile(t Texture, height float64) (dict string, body []byte) {
	s := t.Step * pointsPerMM
	dict = fmt.Sprintf("/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 %.3f %.3f] /XStep %.3f /YStep %.3f /Resources <<>> /Matrix [1 0 0 1 0 %.3f]",
		s, s, s, s, height*pointsPerMM)
	if t.Name == "dots" {
		b := []byte(ink(t.Colour, false))
		for _, c := range []Pt{{0.25, 0.25}, {0.75, 0.75}} {
			for _, l := range Circle(Pt{c.X * s, c.Y * s}, t.Weight*pointsPerMM) {
				for i, q := range l.Pts {
					b = fmt.Appendf(b, "%.3f %.3f %s ", q.X, q.Y, map[bool]string{true: "m", false: "l"}[i == 0])
				}
				b = append(b, "f\n"...)
			}
		}
		return dict, b
	}
	b := fmt.Appendf(nil, "%s%.3f w 2 J\n", ink(t.Colour, true), t.Weight*pointsPerMM)
	lines := [][4]float64{{-0.25, -0.25, 1.25, 1.25}, {-0.25, 0.75, 0.25, 1.25}, {0.75, -0.25, 1.25, 0.25}}
	if t.Name == "cross" {
		lines = append(lines, [4]float64{-0.25, 1.25, 1.25, -0.25}, [4]float64{-0.25, 0.25, 0.25, -0.25}, [4]float64{0.75, 1.25, 1.25, 0.75})
	}
	for _, l := range lines {
		b = fmt.Appendf(b, "%.3f %.3f m %.3f %.3f l S\n", l[0]*s, l[1]*s, l[2]*s, l[3]*s)
	}
	return dict, b
}

// font embeds the characters in use, each under a number of its own.
func (p *pdf) font(o *objects) (int, error) {
	f := p.l.face
	glyphs := []uint16{0}
	var widths, unicode bytes.Buffer
	em := float64(f.UnitsPerEm)
	for i, r := range p.runes {
		g, _ := f.Glyph(r)
		glyphs = append(glyphs, g)
		fmt.Fprintf(&widths, "%.0f ", float64(f.Advance(g))*1000/em)
		if i%100 == 0 {
			if i > 0 {
				unicode.WriteString("endbfchar\n")
			}
			fmt.Fprintf(&unicode, "%d beginbfchar\n", min(100, len(p.runes)-i))
		}
		fmt.Fprintf(&unicode, "<%04X> <", i+1)
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&unicode, "%04X", u)
		}
		unicode.WriteString(">\n")
	}
	unicode.WriteString("endbfchar\n")
	data, err := f.Subset(glyphs)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(data)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	name := string(tag) + "+OnemapSheet"
	file, err := o.stream(fmt.Sprintf("/Length1 %d", len(data)), data)
	if err != nil {
		return 0, err
	}
	k := func(v int) int { return int(math.Round(float64(v) * 1000 / em)) }
	descriptor := o.add(fmt.Sprintf("<</Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0 /Ascent %d /Descent %d /CapHeight %d /StemV 80 /FontFile2 %d 0 R>>",
		name, k(int(f.Box[0])), k(int(f.Box[1])), k(int(f.Box[2])), k(int(f.Box[3])), k(f.Ascent), k(f.Descent), 714, file))
	child := o.add(fmt.Sprintf("<</Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor %d 0 R /DW 1000 /W [1 [%s]] /CIDToGIDMap /Identity>>",
		name, descriptor, strings.TrimSpace(widths.String())))
	cmap, err := o.stream("", []byte("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"+
		unicode.String()+"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"))
	if err != nil {
		return 0, err
	}
	return o.add(fmt.Sprintf("<</Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R>>", name, child, cmap)), nil
}
