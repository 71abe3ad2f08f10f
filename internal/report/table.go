package report

import (
	"io"
	"time"
)

// Kind is what a column holds.
type Kind string

// The kinds of columns.
const (
	Text    Kind = "text"
	Integer Kind = "integer"
	Number  Kind = "number" // Decimals places
	Percent Kind = "percent"
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

// XLSX writes tables as the sheets of one workbook.
func XLSX(w io.Writer, tables ...Table) error { return errNotYet }

// CSV writes a table as UTF-8 with a byte order mark, or as GB18030.
func CSV(w io.Writer, t Table, e Encoding) error { return errNotYet }
