package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// Kind is what a column holds.
type Kind string

// The kinds of columns.
const (
	Text    Kind = "text"
	Integer Kind = "integer"
	Number  Kind = "number"  // Decimals places
	Percent Kind = "percent" // a share, 0..1
	Date    Kind = "date"
	Moment  Kind = "moment" // date and minute
)

// Column is one column of a table.
type Column struct {
	Title    string
	Unit     string // printed after the title
	Kind     Kind   // default Text
	Decimals int
	Width    float64 // characters; 0 chooses by content
}

// Table is a table with a head. Cells are nil, string, bool, any integer or float,
// time.Time, or a pointer to one of these.
type Table struct {
	Name    string // of the sheet
	Title   string
	Head    [][2]string // lines below the title: 截至, 口径, 来源
	Columns []Column
	Rows    [][]any
	Foot    []string
	By      string // who takes it
	At      time.Time
}

// CSV writes a table as UTF-8 with a byte order mark, or as GB18030 (also for GBK, which
// is part of it).
func CSV(w io.Writer, t Table, e Encoding) error {
	to := w
	var closing io.Closer
	switch e {
	case UTF8, "":
		// The mark tells spreadsheets that this is UTF-8.
		if _, err := io.WriteString(w, "\uFEFF"); err != nil {
			return fmt.Errorf("report: csv: %w", err)
		}
	case GBK, GB18030:
		tw := transform.NewWriter(w, simplifiedchinese.GB18030.NewEncoder())
		to, closing = tw, tw
	default:
		return fmt.Errorf("report: csv: unknown encoding %.20q", e)
	}
	out := csv.NewWriter(to)
	out.UseCRLF = true
	put := func(cells ...string) {
		for i, c := range cells {
			cells[i] = strings.ToValidUTF8(c, "\ufffd")
		}
		_ = out.Write(cells) // the writer keeps its first error for the end
	}
	if t.Title != "" {
		put(safeCell(t.Title))
	}
	for _, h := range t.head() {
		put(safeCell(h[0]), safeCell(h[1]))
	}
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = safeCell(c.heading())
	}
	put(titles...)
	for _, row := range t.Rows {
		cells := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			if i >= len(row) {
				continue
			}
			v := plain(row[i])
			cells[i] = show(v, c.Kind)
			if f, ok := v.(float64); ok && c.Kind == Number && c.Decimals > 0 {
				cells[i] = strconv.FormatFloat(f, 'f', c.Decimals, 64)
			}
			if _, ok := v.(string); ok {
				cells[i] = safeCell(cells[i])
			}
		}
		put(cells...)
	}
	for _, f := range t.Foot {
		put(safeCell(f))
	}
	out.Flush()
	err := out.Error()
	if closing != nil {
		err = errors.Join(err, closing.Close())
	}
	if err != nil {
		return fmt.Errorf("report: csv: %w", err)
	}
	return nil
}

func (c Column) heading() string {
	if c.Unit == "" {
		return c.Title
	}
	return c.Title + "（" + c.Unit + "）"
}

// head is what stands between title and table.
func (t *Table) head() [][2]string {
	out := append([][2]string(nil), t.Head...)
	if t.By != "" {
		out = append(out, [2]string{"导出人", t.By})
	}
	if !t.At.IsZero() {
		out = append(out, [2]string{"导出时间", t.At.Format("2006-01-02 15:04:05")})
	}
	return out
}
