package census

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/xuri/excelize/v2"
)

// maxSheetRows is what a worksheet holds, less the header.
const maxSheetRows = 1_048_575

// WriteIssues writes everything the runs remarked into a workbook, worst first on
// sheets of their own, so that the source can be corrected row by row.
func (im *Importer) WriteIssues(ctx context.Context, path string, importIDs []string) error {
	f := excelize.NewFile()
	defer f.Close()
	sheets := []struct {
		kind Kind
		name string
	}{{Rejected, "拒收 rejected"}, {Quarantined, "待核实 quarantined"}, {Warning, "提示 warnings"}}
	writers := map[Kind]*excelize.StreamWriter{}
	rows := map[Kind]int{}
	for i, s := range sheets {
		if i == 0 {
			if err := f.SetSheetName("Sheet1", s.name); err != nil {
				return fmt.Errorf("census: issues: %w", err)
			}
		} else if _, err := f.NewSheet(s.name); err != nil {
			return fmt.Errorf("census: issues: %w", err)
		}
		w, err := f.NewStreamWriter(s.name)
		if err != nil {
			return fmt.Errorf("census: issues: %w", err)
		}
		if err := w.SetColWidth(1, 8, 18); err != nil {
			return fmt.Errorf("census: issues: %w", err)
		}
		if err := w.SetRow("A1", []any{"文件 file", "行 row", "主键 key", "规则 rule", "字段或位置 path", "原因 reason", "经度 lon", "纬度 lat", "原始内容 original"}); err != nil {
			return fmt.Errorf("census: issues: %w", err)
		}
		writers[s.kind], rows[s.kind] = w, 1
	}
	for _, id := range importIDs {
		err := im.Issues(ctx, id, func(i Issue) error {
			if rows[i.Kind] >= maxSheetRows {
				return nil
			}
			rows[i.Kind]++
			var lon, lat, original any
			if i.At != nil {
				lon, lat = i.At[0], i.At[1]
			}
			if i.Original != nil {
				if raw, err := json.Marshal(i.Original); err == nil {
					original = clip(string(raw), 30_000) // a cell holds 32,767 characters
				}
			}
			return writers[i.Kind].SetRow(fmt.Sprintf("A%d", rows[i.Kind]),
				[]any{cellText(i.File), i.Row, cellText(i.Key), i.Rule, cellText(i.Path), cellText(i.Message), lon, lat, original})
		})
		if err != nil {
			return err
		}
	}
	for _, w := range writers {
		if err := w.Flush(); err != nil {
			return fmt.Errorf("census: issues: %w", err)
		}
	}
	// Written beside and renamed: nobody sees half a workbook.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".issues-*.xlsx")
	if err != nil {
		return fmt.Errorf("census: issues: %w", err)
	}
	defer os.Remove(tmp.Name())
	if _, err := f.WriteTo(tmp); err != nil {
		_ = tmp.Close()
		return fmt.Errorf("census: issues: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("census: issues: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("census: issues: %w", err)
	}
	return nil
}

// cellText keeps a spreadsheet from taking text of a file for a formula.
func cellText(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}
