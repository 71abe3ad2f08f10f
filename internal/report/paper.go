package report

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"onemap/internal/report/draw"
	"onemap/internal/report/font"
)

// Paper is a written report: 快报, 专报, a handover. It is printed as it came; the same
// words stand in the PDF, the DOCX and the text to copy.
type Paper struct {
	Office, Title, Number string
	Mark                  string // 草稿 未签发, 先报待签: nothing on what is signed
	Exercise              bool
	Head                  [][2]string // 主送, 时段 …
	Blocks                []PaperBlock
	Figures               []PaperFigure
	Signatures            [][2]string // 起草, 审核, 签发 with name and time
	Notes                 []string    // 口径, what is an estimate, the hash
	Watermark             string
	Maps                  []Sheet   // after the text, each on a page of its own; in the PDF only
	At                    time.Time // printed
	By                    string
}

// PaperBlock is a part of the text; its lines are those of the text.
type PaperBlock struct{ Heading, Text string }

// PaperFigure is a figure with what makes it one.
type PaperFigure struct{ Title, Value, Kind, AsOf, Method, Source string }

// exerciseMark stands on every page of what is played.
const exerciseMark = "演练 演练 演练"

func (p Paper) marks() (out []string) {
	if p.Exercise {
		out = append(out, exerciseMark)
	}
	if p.Mark != "" {
		out = append(out, p.Mark)
	}
	return out
}

// foot says who printed it and when.
func (p Paper) foot() string {
	return joined(p.Number, p.By, p.At.Format("2006-01-02 15:04")+" 打印", p.Watermark)
}

// figureHead are the columns of the table of figures.
func figureHead() []string {
	return []string{"数据项", "数值", "性质", "截至", "口径", "来源"}
}

func (f PaperFigure) row() []string {
	return []string{f.Title, f.Value, f.Kind, f.AsOf, f.Method, f.Source}
}

// PaperText is a paper as text to copy.
func PaperText(p Paper) string {
	var b strings.Builder
	for _, m := range p.marks() {
		b.WriteString("【" + m + "】\n")
	}
	if p.Office != "" {
		b.WriteString(p.Office + "\n")
	}
	b.WriteString(p.Title + "\n")
	if p.Number != "" {
		b.WriteString(p.Number + "\n")
	}
	for _, l := range p.Head {
		fmt.Fprintf(&b, "%s：%s\n", l[0], l[1])
	}
	for _, k := range p.Blocks {
		b.WriteString("\n")
		if k.Heading != "" {
			b.WriteString(k.Heading + "\n")
		}
		if k.Text != "" {
			b.WriteString(k.Text + "\n")
		}
	}
	if len(p.Figures) > 0 {
		b.WriteString("\n附：数据与口径\n")
		for _, f := range p.Figures {
			fmt.Fprintf(&b, "%s %s（%s；%s）\n", f.Title, f.Value, f.Kind, strings.Join(nonEmpty("截至 "+f.AsOf, f.Method, "来源 "+f.Source), "；"))
		}
	}
	if len(p.Signatures) > 0 {
		b.WriteString("\n")
		for _, l := range p.Signatures {
			fmt.Fprintf(&b, "%s：%s\n", l[0], l[1])
		}
	}
	for _, n := range p.Notes {
		b.WriteString(n + "\n")
	}
	return legal(b.String())
}

func nonEmpty(parts ...string) (out []string) {
	for _, s := range parts {
		if s != "" && !strings.HasSuffix(s, " ") {
			out = append(out, s)
		}
	}
	return out
}

// The page of a paper, in millimetres: A4 with the margins of GB/T 9704, text of 4.2 mm
// (about 12 points) so that a report of a night fits two pages.
const (
	paperW, paperH  = 210.0, 297.0
	paperLeft       = 28.0
	paperTop        = 30.0
	paperBottom     = 262.0
	paperWidth      = paperW - 2*paperLeft
	paperText       = 4.2
	paperLine       = 7.0
	paperSmall      = 2.9
	paperSmallLine  = 4.2
	paperTitle      = 6.6
	paperTitleLine  = 10.0
	paperFoot       = 275.0
	paperIndent     = 2 * paperText
	paperMarkHeight = 5.0
)

// leaf is a paper being laid out.
type leaf struct {
	p     Paper
	pages []*draw.List
	l     *draw.List
	y     float64
}

// PaperPDF writes a paper as a PDF of as many pages as it needs.
func PaperPDF(ctx context.Context, w io.Writer, p Paper) error {
	f := &leaf{p: p}
	f.page()
	f.compose()
	for i, l := range f.pages {
		text := fmt.Sprintf("— %d / %d —", i+1, len(f.pages))
		l.Text(draw.Pt{X: (paperW - l.Width(text, paperSmall)) / 2, Y: paperFoot + 6}, text, draw.Style{Size: paperSmall, Colour: draw.Grey(0x44)})
	}
	for _, s := range p.Maps {
		l, _, err := compose(ctx, s)
		if err != nil {
			return fmt.Errorf("report: map of a paper: %w", err)
		}
		f.pages = append(f.pages, l)
	}
	if err := draw.Pages(ctx, w, draw.Info{Title: p.Title, Author: p.Office, Subject: p.Number, Lang: "zh-CN", At: p.At}, f.pages...); err != nil {
		return fmt.Errorf("report: paper: %w", err)
	}
	return nil
}

// page begins a page, with what stands on every one.
func (f *leaf) page() {
	f.l = draw.New(paperW, paperH, font.Sheet())
	f.pages = append(f.pages, f.l)
	y := paperTop - 14
	for _, m := range f.p.marks() {
		f.l.Text(draw.Pt{X: paperLeft, Y: y}, m, draw.Style{Size: paperMarkHeight, Colour: draw.Colour{R: 0xb0, G: 0x10, B: 0x10}, Bold: true})
		y += paperMarkHeight + 1.5
	}
	grey := draw.Style{Size: paperSmall, Colour: draw.Grey(0x44)}
	f.l.Text(draw.Pt{X: paperLeft, Y: paperFoot}, clipText(f.p.foot(), paperWidth, f.measure(paperSmall)), grey)
	f.y = paperTop
}

func (f *leaf) measure(size float64) func(string) float64 {
	return func(s string) float64 { return f.l.Width(s, size) }
}

// room begins another page where the next rows do not fit.
func (f *leaf) room(height float64) {
	if f.y+height > paperBottom {
		f.page()
	}
}

func (f *leaf) compose() {
	p, dark, red := f.p, draw.Grey(0x11), draw.Colour{R: 0xb0, G: 0x10, B: 0x10}
	centre := func(text string, size, step float64, s draw.Style) {
		for _, row := range wrap(text, paperWidth, f.measure(size)) {
			f.room(step)
			s.Size = size
			f.l.Text(draw.Pt{X: paperLeft + (paperWidth-f.l.Width(row, size))/2, Y: f.y}, row, s)
			f.y += step
		}
	}
	if p.Office != "" {
		centre(p.Office, paperTitle, paperTitleLine, draw.Style{Colour: red, Bold: true})
	}
	if p.Number != "" {
		centre(p.Number, paperText, paperLine, draw.Style{Colour: dark})
	}
	f.l.Segment(draw.Pt{X: paperLeft, Y: f.y - 2}, draw.Pt{X: paperLeft + paperWidth, Y: f.y - 2}, draw.Pen{Width: 0.5, Colour: red})
	f.y += 9
	centre(p.Title, paperTitle, paperTitleLine, draw.Style{Colour: dark, Bold: true})
	f.y += 2
	for _, l := range p.Head {
		f.text(l[0]+"："+l[1], 0)
	}
	for _, b := range p.Blocks {
		f.y += 2
		if b.Heading != "" {
			f.room(2 * paperLine) // a heading stands with its text
			f.bold(b.Heading)
		}
		for part := range strings.SplitSeq(b.Text, "\n") {
			if strings.TrimSpace(part) != "" {
				f.text(part, paperIndent)
			}
		}
	}
	f.figures()
	f.y += 4
	for _, l := range p.Signatures {
		f.text(l[0]+"："+l[1], 0)
	}
	f.y += 2
	for _, n := range p.Notes {
		for _, row := range wrap(n, paperWidth, f.measure(paperSmall)) {
			f.room(paperSmallLine)
			f.l.Text(draw.Pt{X: paperLeft, Y: f.y}, row, draw.Style{Size: paperSmall, Colour: draw.Grey(0x44)})
			f.y += paperSmallLine
		}
	}
}

// text sets a paragraph, its first line by so much further in.
func (f *leaf) text(s string, indent float64) {
	style := draw.Style{Size: paperText, Colour: draw.Grey(0x11)}
	// The first line is shorter: what follows it is wrapped anew.
	x := paperLeft + indent
	rows := wrap(s, paperWidth-indent, f.measure(paperText))
	if indent > 0 && len(rows) > 1 {
		rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), rows[0]))
		rows = append(rows[:1], wrap(rest, paperWidth, f.measure(paperText))...)
	}
	for _, row := range rows {
		f.room(paperLine)
		f.l.Text(draw.Pt{X: x, Y: f.y}, row, style)
		f.y += paperLine
		x = paperLeft
	}
}

func (f *leaf) bold(s string) {
	for _, row := range wrap(s, paperWidth, f.measure(paperText)) {
		f.room(paperLine)
		f.l.Text(draw.Pt{X: paperLeft, Y: f.y}, row, draw.Style{Size: paperText, Colour: draw.Grey(0x11), Bold: true})
		f.y += paperLine
	}
}

// figures is the table: every figure with 性质, 截至, 口径 and 来源.
func (f *leaf) figures() {
	if len(f.p.Figures) == 0 {
		return
	}
	f.y += 4
	f.room(4 * paperLine)
	f.bold("附：数据与口径")
	shares := []float64{0.17, 0.15, 0.10, 0.15, 0.26, 0.17}
	const pad = 1.0
	line := draw.Pen{Width: 0.15, Colour: draw.Grey(0x66)}
	row := func(cells []string, head bool) {
		var lines [][]string
		most := 1
		for i, c := range cells {
			l := wrap(c, shares[i]*paperWidth-2*pad, f.measure(paperSmall))
			lines = append(lines, l)
			most = max(most, len(l))
		}
		height := float64(most)*paperSmallLine + 1.6
		f.room(height)
		top := f.y - paperSmall - 0.8
		x := paperLeft
		for i := range cells {
			width := shares[i] * paperWidth
			if head {
				f.l.Fill(draw.Rect{X: x, Y: top, W: width, H: height}.Path(), draw.Grey(0xe8))
			}
			f.l.Stroke(draw.Rect{X: x, Y: top, W: width, H: height}.Path(), line)
			for n, text := range lines[i] {
				f.l.Text(draw.Pt{X: x + pad, Y: f.y + float64(n)*paperSmallLine}, text, draw.Style{Size: paperSmall, Colour: draw.Grey(0x11), Bold: head || i == 1})
			}
			x += width
		}
		f.y += height
	}
	row(figureHead(), true)
	for _, g := range f.p.Figures {
		row(g.row(), false)
	}
}
