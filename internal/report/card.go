package report

import (
	"context"
	"fmt"
	"io"
	"time"

	"onemap/internal/report/draw"
	"onemap/internal/report/font"
)

// The sizes of cards: for a pocket, and for a wall.
const (
	A6 Size = "A6"
	A5 Size = "A5"
)

// Matrix is a QR code.
type Matrix struct {
	Size  int
	Black func(x, y int) bool
}

// Card is a 岗位处置卡: what whoever stands at a hazard point or a danger needs to know.
// It is printed as it came.
type Card struct {
	Size                        Size // A6 by default
	Title, Name, Number         string
	Kind, Level                 string
	Lines                       [][2]string // 地点, 威胁, 责任单位 …
	People                      [][2]string // who answers for it, with masked numbers
	Todo                        []string    // what to do, in order
	Signal, Emergency           string      // warning signal, telephone numbers of the county
	Shelter                     string      // where people go
	Place                       string      // coordinates
	Code                        Matrix
	Link                        string // what the code says
	Office, By, Watermark, Note string
	At                          time.Time
}

// card is one being laid out; k scales it from A6.
type card struct {
	l     *draw.List
	k     float64
	w, h  float64
	y     float64
	left  float64
	width float64
}

const (
	cardMargin = 6.0
	cardText   = 3.1
)

// CardPDF writes a card as a PDF of one page. What does not fit is said to be cut, never
// dropped unseen.
func CardPDF(ctx context.Context, w io.Writer, c Card) error {
	l, err := composeCard(c)
	if err != nil {
		return err
	}
	if err := l.PDF(ctx, w, draw.Info{Title: c.Title + " " + c.Name, Author: c.Office, Subject: c.Number, Lang: "zh-CN", At: c.At}); err != nil {
		return fmt.Errorf("report: card: %w", err)
	}
	return nil
}

func composeCard(c Card) (*draw.List, error) {
	k := 1.0
	switch c.Size {
	case "", A6:
	case A5:
		k = 148.0 / 105
	default:
		return nil, fmt.Errorf("%w: a card is A6 or A5, not %.20q", ErrInput, c.Size)
	}
	p := &card{k: k, w: 105 * k, h: 148 * k}
	p.l = draw.New(p.w, p.h, font.Sheet())
	p.left, p.width, p.y = cardMargin*k, p.w-2*cardMargin*k, cardMargin*k
	p.head(c)
	for _, l := range c.Lines {
		p.line(l[0], l[1], 3)
	}
	if len(c.People) > 0 {
		p.heading("责任人")
		for _, l := range c.People {
			p.line(l[0], l[1], 2)
		}
	}
	foot := p.h - 11*k
	todo := foot
	// What is shown in any case stands above the foot; the steps have what is left.
	var last [][2]string
	for _, l := range [][2]string{{"预警信号", c.Signal}, {"避险场所", c.Shelter}, {"紧急电话", c.Emergency}} {
		if l[1] != "" {
			last = append(last, l)
			todo -= float64(min(2, p.rows(l[1], 17*k))) * 4.3 * k
		}
	}
	p.heading("怎么办")
	for i, step := range c.Todo {
		if !p.step(i+1, step, todo) {
			p.plain(fmt.Sprintf("……(另有 %d 条，见系统)", len(c.Todo)-i), todo+4*k)
			break
		}
	}
	p.y = max(p.y, todo)
	for _, l := range last {
		p.line(l[0], l[1], 2)
	}
	p.foot(c, foot)
	return p.l, nil
}

func (p *card) measure(size float64) func(string) float64 {
	return func(s string) float64 { return p.l.Width(s, size) }
}

// rows is how many lines a text takes beside its heading.
func (p *card) rows(text string, indent float64) int {
	return len(wrap(text, p.width-indent, p.measure(cardText*p.k)))
}

// head is the title, the name, what it is, and the code.
func (p *card) head(c Card) {
	k := p.k
	dark := draw.Grey(0x11)
	band := draw.Rect{X: 0, Y: 0, W: p.w, H: 11 * k}
	p.l.Fill(band.Path(), draw.Grey(0x22))
	p.l.Text(draw.Pt{X: p.left, Y: 7.6 * k}, clipText(c.Title, p.width, p.measure(5*k)), draw.Style{Size: 5 * k, Colour: draw.Grey(0xff), Bold: true})
	side := 25 * k
	top := 13 * k
	p.code(c.Code, draw.Rect{X: p.w - p.left - side, Y: top, W: side, H: side})
	p.l.Text(draw.Pt{X: p.w - p.left - side, Y: top + side + 3*k}, "扫码看位置和现状", draw.Style{Size: 2.5 * k, Colour: draw.Grey(0x44)})
	p.y = top + 4.5*k
	room := p.width - side - 3*k
	for i, line := range wrap(c.Name, room, p.measure(5*k)) {
		if i == 2 {
			break
		}
		p.l.Text(draw.Pt{X: p.left, Y: p.y}, line, draw.Style{Size: 5 * k, Colour: dark, Bold: true})
		p.y += 6 * k
	}
	for _, l := range [][2]string{{"编号", c.Number}, {"类别", c.Kind}, {"级别", c.Level}, {"位置", c.Place}} {
		if l[1] == "" {
			continue
		}
		p.l.Text(draw.Pt{X: p.left, Y: p.y}, l[0], draw.Style{Size: cardText * k, Colour: draw.Grey(0x55)})
		p.l.Text(draw.Pt{X: p.left + 9*k, Y: p.y}, clipText(l[1], room-9*k, p.measure(cardText*k)), draw.Style{Size: cardText * k, Colour: dark, Bold: l[0] == "级别"})
		p.y += 4.3 * k
	}
	p.y = max(p.y, top+side+6.5*k)
}

// code draws the QR code with its quiet zone of four modules (ISO/IEC 18004, 5.3.8).
func (p *card) code(m Matrix, r draw.Rect) {
	if m.Size == 0 || m.Black == nil {
		return
	}
	p.l.Mark("code")
	p.l.Fill(r.Path(), draw.Grey(0xff))
	step := r.W / float64(m.Size+8)
	for y := range m.Size {
		for x := 0; x < m.Size; {
			if !m.Black(x, y) {
				x++
				continue
			}
			start := x
			for x < m.Size && m.Black(x, y) {
				x++
			}
			p.l.Fill(draw.Rect{X: r.X + float64(start+4)*step, Y: r.Y + float64(y+4)*step, W: float64(x-start) * step, H: step}.Path(), draw.Grey(0))
		}
	}
}

func (p *card) heading(title string) {
	k := p.k
	p.y += 1 * k
	p.l.Text(draw.Pt{X: p.left, Y: p.y}, title, draw.Style{Size: 3.5 * k, Colour: draw.Grey(0x11), Bold: true})
	p.l.Segment(draw.Pt{X: p.left + p.l.Width(title, 3.5*k) + 2*k, Y: p.y - 1.1*k}, draw.Pt{X: p.left + p.width, Y: p.y - 1.1*k}, draw.Pen{Width: 0.15 * k, Colour: draw.Grey(0x99)})
	p.y += 4.5 * k
}

// line is a title and its text, of so many lines at most.
func (p *card) line(title, text string, most int) {
	k := p.k
	indent := 17 * k
	p.l.Text(draw.Pt{X: p.left, Y: p.y}, title, draw.Style{Size: cardText * k, Colour: draw.Grey(0x55)})
	rows := wrap(text, p.width-indent, p.measure(cardText*k))
	for i, row := range rows {
		if i == most-1 && len(rows) > most {
			row = clipText(row+rows[i+1], p.width-indent, p.measure(cardText*k))
		}
		p.l.Text(draw.Pt{X: p.left + indent, Y: p.y}, row, draw.Style{Size: cardText * k, Colour: draw.Grey(0x11)})
		p.y += 4.3 * k
		if i == most-1 {
			return
		}
	}
	if len(rows) == 0 {
		p.y += 4.3 * k
	}
}

// step is one thing to do; false where it does not fit above the line.
func (p *card) step(n int, text string, bottom float64) bool {
	k := p.k
	size := 3.5 * k
	rows := wrap(text, p.width-6*k, p.measure(size))
	if p.y+float64(len(rows))*4.9*k > bottom+1*k {
		return false
	}
	p.l.Text(draw.Pt{X: p.left, Y: p.y}, fmt.Sprintf("%d.", n), draw.Style{Size: size, Colour: draw.Grey(0x11), Bold: true})
	for _, row := range rows {
		p.l.Text(draw.Pt{X: p.left + 6*k, Y: p.y}, row, draw.Style{Size: size, Colour: draw.Grey(0x11)})
		p.y += 4.9 * k
	}
	return true
}

func (p *card) plain(text string, bottom float64) {
	if p.y <= bottom {
		p.l.Text(draw.Pt{X: p.left + 6*p.k, Y: p.y}, text, draw.Style{Size: cardText * p.k, Colour: draw.Grey(0x55)})
		p.y += 4.3 * p.k
	}
}

// foot says who printed it and when, and what is not verified.
func (p *card) foot(c Card, top float64) {
	k := p.k
	p.l.Segment(draw.Pt{X: p.left, Y: top + 1*k}, draw.Pt{X: p.left + p.width, Y: top + 1*k}, draw.Pen{Width: 0.15 * k, Colour: draw.Grey(0x99)})
	grey := draw.Style{Size: 2.5 * k, Colour: draw.Grey(0x55)}
	p.l.Text(draw.Pt{X: p.left, Y: top + 4.4*k}, clipText(joined(c.Office, c.By, c.At.Format("2006-01-02 15:04")+" 打印", c.Watermark), p.width, p.measure(2.5*k)), grey)
	p.l.Text(draw.Pt{X: p.left, Y: top + 8*k}, clipText(joined(c.Note, "以系统现状为准"), p.width, p.measure(2.5*k)), grey)
}

func joined(parts ...string) string {
	out := ""
	for _, s := range parts {
		if s == "" {
			continue
		}
		if out != "" {
			out += " · "
		}
		out += s
	}
	return out
}
