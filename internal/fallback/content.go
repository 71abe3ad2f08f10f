package fallback

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/report"
)

// Content is what a package holds, as values.
type Content struct {
	Title, Area, AreaTitle string
	Reason, By             string
	AsOf                   time.Time
	Zone                   *time.Location
	Notes                  []string
	Contacts               Section
	Moves                  Section // 转移清单
	Ways                   Section
	Hazards                Section
	Shelters               Section
	Stores                 Section
	Teams                  Section
	Townships              []Township
}

// Section is one list of a package: the same rows are a page to read and a sheet.
type Section struct {
	Name    string
	Columns []report.Column
	Rows    []Row
}

// Row is a line of a section, with the unit it belongs to.
type Row struct {
	Area  string
	Cells []any
}

// Township is one township with its map.
type Township struct {
	Code, Name string
	Sheet      report.Sheet
}

func (c Content) sections() []Section {
	return []Section{c.Contacts, c.Moves, c.Ways, c.Hazards, c.Shelters, c.Stores, c.Teams}
}

// Files makes the files of a package: a page of the whole, a page of each township, one
// workbook, and an A3 map of each township.
func (c Content) Files(ctx context.Context, step func(done, total int, what string)) ([]File, error) {
	total := len(c.Townships) + 2
	step(0, total, "清单 · lists")
	out := []File{{"全部清单.html", "text/html; charset=utf-8", c.page("", c.AreaTitle+"：全部清单")}}
	for _, t := range c.Townships {
		out = append(out, File{"乡镇/" + t.Name + ".html", "text/html; charset=utf-8", c.page(t.Code, t.Name)})
	}
	var book bytes.Buffer
	var tables []report.Table
	for _, s := range c.sections() {
		tables = append(tables, c.table(s))
	}
	if err := report.XLSX(&book, tables...); err != nil {
		return nil, fmt.Errorf("fallback: workbook: %w", err)
	}
	out = append(out, File{"表格/兜底清单.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", book.Bytes()})
	for i, t := range c.Townships {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step(i+1, total, "A3 图 · maps "+t.Name)
		var pdf bytes.Buffer
		if _, err := report.PDF(ctx, &pdf, t.Sheet); err != nil {
			return nil, fmt.Errorf("fallback: map of %s: %w", t.Name, err)
		}
		out = append(out, File{"A3图/" + t.Name + ".pdf", "application/pdf", pdf.Bytes()})
	}
	return out, nil
}

func (c Content) asOf() string { return c.AsOf.In(c.Zone).Format("2006-01-02 15:04") }

func (c Content) table(s Section) report.Table {
	t := report.Table{
		Name: s.Name, Title: c.AreaTitle + " " + s.Name, Columns: s.Columns, By: c.By, At: c.AsOf.In(c.Zone),
		Head: [][2]string{{"截至", c.asOf()}, {"用途", c.Reason}}, Foot: c.Notes,
	}
	for _, r := range s.Rows {
		t.Rows = append(t.Rows, r.Cells)
	}
	return t
}

// page is the lists of one unit ("" is all) as a page that needs nothing else.
func (c Content) page(code, title string) []byte {
	var b strings.Builder
	w := func(format string, args ...any) {
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = html.EscapeString(s)
			}
		}
		fmt.Fprintf(&b, format, args...)
	}
	w(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>%s</title><style>
body{font:15px/1.55 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:16px;color:#1c232b}
h1{font-size:20px;margin:0}h2{font-size:17px;margin:22px 0 6px;border-left:4px solid #0b5ea8;padding-left:8px}
table{border-collapse:collapse;width:100%%;font-size:14px}th,td{border:1px solid #b6c2cd;padding:4px 7px;text-align:left;vertical-align:top}
th{background:#e8eef3}tr{break-inside:avoid}p{margin:4px 0;color:#54626f}.phone{white-space:nowrap;font-weight:600}
</style></head><body><h1>%s</h1><p>数据截至 %s，由 %s 生成；用途：%s</p>`, title, title, c.asOf(), c.By, c.Reason)
	for _, n := range c.Notes {
		w(`<p>%s</p>`, n)
	}
	for _, s := range c.sections() {
		rows := s.Rows
		if code != "" {
			rows = nil
			for _, r := range s.Rows {
				if strings.HasPrefix(r.Area, code) {
					rows = append(rows, r)
				}
			}
		}
		w(`<h2>%s（%s）</h2>`, s.Name, fmt.Sprint(len(rows)))
		if len(rows) == 0 {
			w(`<p>没有登记。</p>`)
			continue
		}
		w(`<table><thead><tr>`)
		for _, col := range s.Columns {
			unit := ""
			if col.Unit != "" {
				unit = "（" + col.Unit + "）"
			}
			w(`<th>%s%s</th>`, col.Title, unit)
		}
		w(`</tr></thead><tbody>`)
		for _, r := range rows {
			w(`<tr>`)
			for i, cell := range r.Cells {
				class := ""
				if strings.Contains(s.Columns[i].Title, "电话") {
					class = "phone"
				}
				w(`<td class="%s">%s</td>`, class, shown(cell, c.Zone))
			}
			w(`</tr>`)
		}
		w(`</tbody></table>`)
	}
	w(`</body></html>`)
	return []byte(b.String())
}

// shown is a cell as a person reads it.
func shown(v any, zone *time.Location) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case time.Time:
		return v.In(zone).Format("2006-01-02 15:04")
	case *time.Time:
		if v == nil {
			return ""
		}
		return v.In(zone).Format("2006-01-02 15:04")
	case *int:
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	case *float64:
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	}
	return fmt.Sprint(v)
}

// The marks of the maps: what the legend says and the colour it has.
const (
	markHazard  = 1
	markShelter = 2
	markStore   = 3
	markWay     = 4
)

// legend is the four marks with how many of each the township has.
func legend(counts map[int]int) []report.Level {
	line := func(mark int, name, sign, colour string) report.Level {
		c, _ := report.ParseColour(colour, "") // the colours are ours
		return report.Level{Level: mark, Name: name, Mark: sign, Colour: c, Texture: report.Plain, Count: counts[mark]}
	}
	return []report.Level{
		line(markHazard, "隐患点", "险", "#C62828"), line(markShelter, "避难场所", "避", "#2E7D32"),
		line(markStore, "物资储备", "物", "#1565C0"), line(markWay, "转移路线", "转", "#EF6C00"),
	}
}

// sheet is the A3 map of one township.
func sheet(c Content, name string, area orb.MultiPolygon, marks []report.Zone, lines []report.Line, places []report.Place) report.Sheet {
	counts := map[int]int{}
	for _, m := range marks {
		counts[m.Level]++
	}
	return report.Sheet{
		Title: name + "应急转移图", Subtitle: "兜底包", Size: report.A3, Lang: "zh", Area: area, Levels: legend(counts), LevelTitle: "图例", Zones: marks, Lines: lines, Places: places,
		Mark: "内部资料", AsOf: c.asOf(), Basis: "位置为示意，标记大小不代表范围", Source: c.AreaTitle, MadeAt: c.AsOf.In(c.Zone), Watermark: c.By + " " + c.asOf(),
	}
}
