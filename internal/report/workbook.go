package report

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// maxRows is what a sheet of a workbook holds, less the head.
const maxRows = excelize.TotalRows - 64

// XLSX writes tables as the sheets of one workbook.
func XLSX(w io.Writer, tables ...Table) error {
	if len(tables) == 0 {
		return fmt.Errorf("report: xlsx: no table")
	}
	file := excelize.NewFile()
	defer file.Close()
	names := map[string]bool{}
	for i := range tables {
		t := &tables[i]
		if len(t.Rows) > maxRows {
			return fmt.Errorf("report: xlsx: %d rows; at most %d", len(t.Rows), maxRows)
		}
		name := sheetName(t.Name, names)
		if i == 0 {
			if err := file.SetSheetName("Sheet1", name); err != nil {
				return fmt.Errorf("report: xlsx: %w", err)
			}
		} else if _, err := file.NewSheet(name); err != nil {
			return fmt.Errorf("report: xlsx: %w", err)
		}
		b := &book{file: file, t: t, name: name}
		if err := b.write(); err != nil {
			return fmt.Errorf("report: xlsx: %w", err)
		}
	}
	at := tables[0].At.UTC().Format(time.RFC3339)
	if err := file.SetDocProps(&excelize.DocProperties{Creator: legal(tables[0].By), LastModifiedBy: legal(tables[0].By), Title: legal(tables[0].Title), Created: at, Modified: at}); err != nil {
		return fmt.Errorf("report: xlsx: %w", err)
	}
	if err := inOrder(w, file); err != nil {
		return fmt.Errorf("report: xlsx: %w", err)
	}
	return nil
}

// inOrder writes the workbook with its parts in the order of their names: excelize packs
// streamed sheets in the order of a map.
func inOrder(w io.Writer, file *excelize.File) error {
	var buf bytes.Buffer
	if _, err := file.WriteTo(&buf); err != nil {
		return err
	}
	in, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		return err
	}
	slices.SortFunc(in.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	for _, f := range in.File {
		if err := out.Copy(f); err != nil {
			return err
		}
	}
	return out.Close()
}

// sheetName is a name a workbook takes, once.
func sheetName(name string, taken map[string]bool) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]'`, r) || r < 0x20 {
			return '_'
		}
		return r
	}, legal(name))
	if name == "" {
		name = "表"
	}
	base := clipRunes(name, 28)
	name = clipRunes(name, 31)
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	taken[strings.ToLower(name)] = true
	return name
}

func clipRunes(s string, n int) string {
	rs := []rune(s)
	if len(rs) > n {
		rs = rs[:n]
	}
	return string(rs)
}

// book writes one sheet.
type book struct {
	file *excelize.File
	out  *excelize.StreamWriter
	t    *Table
	name string
	row  int
}

func (b *book) style(s excelize.Style) (int, error) { return b.file.NewStyle(&s) }

func (b *book) write() (err error) {
	t := b.t
	border := []excelize.Border{{Type: "left", Color: "BFBFBF", Style: 1}, {Type: "right", Color: "BFBFBF", Style: 1}, {Type: "top", Color: "BFBFBF", Style: 1}, {Type: "bottom", Color: "BFBFBF", Style: 1}}
	title, err := b.style(excelize.Style{Font: &excelize.Font{Size: 16, Bold: true}, Alignment: &excelize.Alignment{Horizontal: "center", Vertical: "center"}})
	if err != nil {
		return err
	}
	grey, err := b.style(excelize.Style{Font: &excelize.Font{Color: "595959"}})
	if err != nil {
		return err
	}
	header, err := b.style(excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"EEF2F7"}}, Border: border,
		Alignment: &excelize.Alignment{Horizontal: "center", Vertical: "center", WrapText: true}})
	if err != nil {
		return err
	}
	styles := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		st := excelize.Style{Border: border, Alignment: &excelize.Alignment{Vertical: "center"}}
		if f := c.format(); f != "" {
			st.CustomNumFmt = &f
		} else {
			st.Alignment.WrapText = true
		}
		if styles[i], err = b.style(st); err != nil {
			return err
		}
	}
	if err := b.page(); err != nil {
		return err
	}
	head := t.head()
	titles := 0
	if t.Title != "" {
		titles = 1
	}
	top := titles + len(head) + 1 // the header's row
	if b.out, err = b.file.NewStreamWriter(b.name); err != nil {
		return err
	}
	for i, c := range t.Columns {
		if err := b.out.SetColWidth(i+1, i+1, c.width(t, i)); err != nil {
			return err
		}
	}
	corner, err := excelize.CoordinatesToCellName(1, top+1)
	if err != nil {
		return err
	}
	if err := b.out.SetPanes(&excelize.Panes{Freeze: true, YSplit: top, TopLeftCell: corner, ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	last := max(1, len(t.Columns))
	if t.Title != "" {
		if err := b.put(excelize.RowOpts{Height: 28}, excelize.Cell{StyleID: title, Value: text(t.Title)}); err != nil {
			return err
		}
		if last > 1 {
			end, err := excelize.CoordinatesToCellName(last, 1)
			if err != nil {
				return err
			}
			if err := b.out.MergeCell("A1", end); err != nil {
				return err
			}
		}
	}
	for _, h := range head {
		if err := b.put(excelize.RowOpts{}, excelize.Cell{StyleID: grey, Value: text(h[0])}, excelize.Cell{StyleID: grey, Value: text(h[1])}); err != nil {
			return err
		}
	}
	cells := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		cells[i] = excelize.Cell{StyleID: header, Value: text(c.heading())}
	}
	if err := b.put(excelize.RowOpts{Height: 30}, cells...); err != nil {
		return err
	}
	for _, row := range t.Rows {
		for i, c := range t.Columns {
			cell := excelize.Cell{StyleID: styles[i]}
			if i < len(row) {
				cell.Value = c.value(row[i])
			}
			cells[i] = cell
		}
		if err := b.put(excelize.RowOpts{}, cells...); err != nil {
			return err
		}
	}
	for _, f := range t.Foot {
		if err := b.put(excelize.RowOpts{}, excelize.Cell{StyleID: grey, Value: text(f)}); err != nil {
			return err
		}
	}
	return b.out.Flush()
}

// page sets how the sheet prints: as wide as the paper, the header on every page, who
// and when at the foot.
func (b *book) page() error {
	t := b.t
	fit, orient, a4 := true, "landscape", 9
	wide, tall := 1, 0
	if err := b.file.SetSheetProps(b.name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	if err := b.file.SetPageLayout(b.name, &excelize.PageLayoutOptions{Size: &a4, Orientation: &orient, FitToWidth: &wide, FitToHeight: &tall}); err != nil {
		return err
	}
	mark := strings.TrimSpace(t.By)
	if !t.At.IsZero() {
		mark += " " + t.At.Format("2006-01-02 15:04")
	}
	// & begins a code in a footer.
	foot := "&L" + clipRunes(strings.ReplaceAll(legal(mark), "&", "&&"), 100) + "&R&P / &N"
	return b.file.SetHeaderFooter(b.name, &excelize.HeaderFooterOptions{OddFooter: foot})
}

func (b *book) put(o excelize.RowOpts, cells ...any) error {
	b.row++
	at, err := excelize.CoordinatesToCellName(1, b.row)
	if err != nil {
		return err
	}
	return b.out.SetRow(at, cells, o)
}

// text is a cell's text: written as text, it is never a formula.
func text(s string) string { return clipRunes(legal(s), excelize.TotalCellChars) }

// value is a cell's value: numbers stay numbers.
func (c Column) value(v any) any {
	switch x := plain(v).(type) {
	case string:
		return text(x)
	case time.Time:
		// A spreadsheet knows no zones: the time as the table shows it.
		return time.Date(x.Year(), x.Month(), x.Day(), x.Hour(), x.Minute(), x.Second(), 0, time.UTC)
	case bool:
		return show(x, c.Kind)
	default:
		return x
	}
}

// format is the number format of a column, "" for text.
func (c Column) format() string {
	places := ""
	if c.Decimals > 0 {
		places = "." + strings.Repeat("0", min(c.Decimals, 12))
	}
	switch c.Kind {
	case Integer:
		return "#,##0"
	case Number:
		if places == "" {
			return "General"
		}
		return "#,##0" + places
	case Percent:
		return "0" + places + "%"
	case Date:
		return "yyyy-mm-dd"
	case Moment:
		return "yyyy-mm-dd hh:mm"
	}
	return ""
}

// width is a column's width in characters: of its content, within reason.
func (c Column) width(t *Table, i int) float64 {
	if c.Width > 0 {
		return min(c.Width, 120)
	}
	most := cells(c.heading())
	for k, row := range t.Rows {
		if k > 500 {
			break
		}
		if i < len(row) {
			most = max(most, min(48, cells(show(plain(row[i]), c.Kind))))
		}
	}
	return float64(min(60, most+3))
}

// cells is how many narrow characters a text is wide.
func cells(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if wide(r) {
			n++
		}
	}
	return n
}
