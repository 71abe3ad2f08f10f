package audit

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/xuri/excelize/v2"

	"onemap/internal/db"
)

// The formats of an export.
const (
	CSV  = "csv"
	XLSX = "xlsx"
)

// MaxExport bounds an export; who needs more asks by period.
const MaxExport = 100000

// Copy says what an export carries about itself: who took it, when, and what was asked.
type Copy struct {
	By     string // name and user name
	At     time.Time
	Zone   *time.Location // for the times shown, default UTC
	Filter string         // the question in words
}

func (c Copy) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

func (c Copy) watermark() string {
	return fmt.Sprintf("审计记录 · %s · %s", c.By, c.At.In(c.zone()).Format("2006-01-02 15:04:05"))
}

func (c Copy) head() [][2]string {
	filter := c.Filter
	if filter == "" {
		filter = "全部 · all"
	}
	return [][2]string{
		{"导出人 · exported by", c.By},
		{"导出时间 · exported at", c.At.In(c.zone()).Format("2006-01-02 15:04:05 -07:00")},
		{"筛选条件 · filter", filter},
	}
}

func columns() []string {
	return []string{"序号 seq", "时间 at", "用户 actor", "姓名 name", "角色 role", "授权 grant", "方式 kind", "会话 session", "来源 peer", "请求 request",
		"操作 action", "对象 object", "区域 area", "结果 outcome", "理由 reason", "变更前 before", "变更后 after", "变更流起 from", "变更流止 to", "散列 hash", "水印 watermark"}
}

func (r Row) cells(c Copy) []string {
	return []string{strconv.FormatInt(r.Seq, 10), r.At.In(c.zone()).Format("2006-01-02 15:04:05.000"), r.Actor, r.Name, r.Role, r.Grant, r.Kind, r.Session, r.Peer, r.Request,
		r.Action, r.Object, r.Area, r.Outcome, r.Reason, string(r.Before), string(r.After), r.First, r.Last, r.Hash, c.watermark()}
}

// Export writes what Search finds, all pages, newest first, and returns the number of
// rows and whether it stopped at [MaxExport]. The caller records that it was taken.
func (l *Log) Export(ctx context.Context, claims db.Claims, q Query, format string, c Copy, w io.Writer) (rows int, cut bool, err error) {
	var out sheet
	switch format {
	case CSV:
		out, err = newCSV(w, c)
	case XLSX:
		out, err = newXLSX(w, c)
	default:
		return 0, false, fmt.Errorf("audit: export: unknown format %q", format)
	}
	if err != nil {
		return 0, false, fmt.Errorf("audit: export: %w", err)
	}
	err = l.ask(ctx, l.db.Bulk, claims, q, nil, MaxExport+1, func(r Row) error {
		if rows == MaxExport {
			cut = true
			return nil
		}
		rows++
		return out.row(r.cells(c))
	})
	if err == nil {
		err = out.close(cut)
	}
	if err != nil {
		return rows, cut, fmt.Errorf("audit: export: %w", err)
	}
	return rows, cut, nil
}

const cutNote = "仅含最近 100000 条,请缩小时间范围 · only the newest 100000; narrow the period"

type sheet interface {
	row(cells []string) error
	close(cut bool) error
}

type csvSheet struct{ w *csv.Writer }

func newCSV(w io.Writer, c Copy) (*csvSheet, error) {
	// The mark tells spreadsheets that this is UTF-8.
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return nil, err
	}
	s := &csvSheet{w: csv.NewWriter(w)}
	s.w.UseCRLF = true
	for _, h := range append([][2]string{{"水印 · watermark", c.watermark()}}, c.head()...) {
		if err := s.row(h[:]); err != nil {
			return nil, err
		}
	}
	return s, s.row(columns())
}

func (s *csvSheet) row(cells []string) error {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = SafeCell(c)
	}
	return s.w.Write(safe)
}

func (s *csvSheet) close(cut bool) error {
	if cut {
		if err := s.row([]string{cutNote}); err != nil {
			return err
		}
	}
	s.w.Flush()
	return s.w.Error()
}

// SafeCell is a text a spreadsheet will not take for a formula: one that begins like a
// formula, also after blanks or in full width, gets an apostrophe before it.
func SafeCell(s string) string {
	t := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.C) })
	if t == "" {
		return s
	}
	if t != s && unicode.IsControl([]rune(s)[0]) {
		return "'" + s // a tab or a line break at the front is dropped by some and read on
	}
	if strings.ContainsAny(t[:1], "=+-@|%") || strings.HasPrefix(t, "＝") || strings.HasPrefix(t, "＋") || strings.HasPrefix(t, "－") || strings.HasPrefix(t, "＠") {
		return "'" + s
	}
	return s
}

type xlsxSheet struct {
	file *excelize.File
	out  *excelize.StreamWriter
	next int
	to   io.Writer
}

func newXLSX(w io.Writer, c Copy) (_ *xlsxSheet, err error) {
	const name = "审计 audit"
	s := &xlsxSheet{file: excelize.NewFile(), next: 1, to: w}
	if err := s.file.SetSheetName("Sheet1", name); err != nil {
		return nil, err
	}
	// & begins a code in a header.
	mark := strings.ReplaceAll(c.watermark(), "&", "&&")
	if err := s.file.SetHeaderFooter(name, &excelize.HeaderFooterOptions{
		OddHeader: clip("&C&28&KBFBFBF"+mark, 200), OddFooter: clip("&L"+mark+"&R&P / &N", 200),
	}); err != nil {
		return nil, err
	}
	if err := s.file.SetDocProps(&excelize.DocProperties{Creator: c.By, Title: "审计记录 audit", Description: c.watermark(), Created: c.At.UTC().Format(time.RFC3339)}); err != nil {
		return nil, err
	}
	pale, err := s.file.NewStyle(&excelize.Style{Font: &excelize.Font{Size: 28, Bold: true, Color: "BFBFBF"}})
	if err != nil {
		return nil, err
	}
	bold, err := s.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return nil, err
	}
	if s.out, err = s.file.NewStreamWriter(name); err != nil {
		return nil, err
	}
	if err := s.out.SetColWidth(1, len(columns()), 20); err != nil {
		return nil, err
	}
	if err := s.styled(pale, c.watermark()); err != nil {
		return nil, err
	}
	for _, h := range c.head() {
		if err := s.row(h[:]); err != nil {
			return nil, err
		}
	}
	return s, s.styled(bold, columns()...)
}

func (s *xlsxSheet) row(cells []string) error { return s.styled(0, cells...) }

// styled writes texts as texts: nothing in them is ever a formula.
func (s *xlsxSheet) styled(style int, cells ...string) error {
	values := make([]any, len(cells))
	for i, c := range cells {
		values[i] = excelize.Cell{StyleID: style, Value: clip(c, excelize.TotalCellChars)}
	}
	at, err := excelize.CoordinatesToCellName(1, s.next)
	if err != nil {
		return err
	}
	s.next++
	return s.out.SetRow(at, values)
}

func (s *xlsxSheet) close(cut bool) error {
	if cut {
		if err := s.row([]string{cutNote}); err != nil {
			return err
		}
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	if _, err := s.file.WriteTo(s.to); err != nil {
		return err
	}
	return s.file.Close()
}
