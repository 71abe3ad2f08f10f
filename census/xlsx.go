package census

import (
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"
)

// The most a workbook may unpack to, and what of one part is held in memory.
const (
	maxWorkbook     = 400 << 20
	maxWorkbookPart = 16 << 20
)

// openXLSX reads a sheet of a workbook: the named one, or the first with rows. Cells
// are read as stored, not as displayed: a code shown as 3.2E+11 may still be whole.
func openXLSX(s source) (*table, error) {
	f, err := excelize.OpenFile(s.path, excelize.Options{RawCellValue: true, UnzipSizeLimit: maxWorkbook, UnzipXMLSizeLimit: maxWorkbookPart})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	t := &table{file: s.name, encoding: "UTF-8", expect: -1, close: func() { _ = f.Close() }}
	sheets := f.GetSheetList()
	if s.sublayer != "" {
		sheets = []string{s.sublayer}
	}
	empty := true
	for _, sheet := range sheets {
		top, lines, err := xlsxTop(f, sheet)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
		}
		empty = empty && len(top) == 0
		h := findHeader(top, s.wanted)
		if h < 0 {
			continue
		}
		t.fields = columnNames(top[h])
		titleRemarks(t, top[:h], lines)
		t.records = xlsxRecords(f, s.name, sheet, lines[h], t.fields)
		return t, nil
	}
	t.close()
	if empty {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, errEmptyFile)
	}
	return nil, fmt.Errorf("%w: %s: 找不到表头 (no header row found) in %s", ErrFile, s.name, clip(strings.Join(sheets, ", "), 100))
}

func xlsxTop(f *excelize.File, sheet string) (top [][]string, lines []int64, err error) {
	rows, err := f.Rows(sheet)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for line := int64(1); rows.Next() && len(top) < headerSearch && line < 1000; line++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, nil, err
		}
		if len(cells) > maxColumns {
			return nil, nil, fmt.Errorf("%d 列 (columns), at most %d", len(cells), maxColumns)
		}
		if filled(cells) > 0 {
			top, lines = append(top, cells), append(lines, line)
		}
	}
	return top, lines, rows.Error()
}

func xlsxRecords(f *excelize.File, name, sheet string, header int64, names []string) func(func(record, error) bool) {
	return func(yield func(record, error) bool) {
		rows, err := f.Rows(sheet)
		if err != nil {
			yield(record{}, fmt.Errorf("%w: %s: %w", ErrFile, name, err))
			return
		}
		defer rows.Close()
		for line := int64(1); rows.Next(); line++ {
			cells, err := rows.Columns()
			if err != nil {
				yield(record{row: line}, fmt.Errorf("%w: %s: %w", ErrFile, name, err))
				return
			}
			if line <= header {
				continue
			}
			if rec, ok := tableRow(line, names, cells); ok && !yield(rec, nil) {
				return
			}
		}
		if err := rows.Error(); err != nil {
			yield(record{}, fmt.Errorf("%w: %s: %w", ErrFile, name, err))
		}
	}
}
