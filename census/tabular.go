package census

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// headerSearch is how many rows at the top may be titles.
const headerSearch = 20

// maxColumns bounds a table's width.
const maxColumns = 2_000

// findHeader tells which of the first rows holds the column names: the one with
// most of the names the mapping wants, or, where nothing is wanted, the first whose
// cells are several different texts without figures and which is about as wide as
// what follows.
func findHeader(rows [][]string, wanted []string) int {
	best, most := -1, 0
	for i, row := range rows {
		n := 0
		for _, w := range wanted {
			if slices.ContainsFunc(row, func(c string) bool { return headerText(c) == w }) {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	if best >= 0 && most*2 >= len(wanted) {
		return best
	}
	widest := 0
	for _, row := range rows {
		widest = max(widest, filled(row))
	}
	for i, row := range rows {
		seen := map[string]bool{}
		figures := 0
		for _, c := range row {
			if c = headerText(c); c != "" {
				seen[c] = true
				if _, err := strconv.ParseFloat(c, 64); err == nil {
					figures++
				}
			}
		}
		if len(seen) >= 2 && figures*2 < len(seen) && len(seen)*2 > widest {
			return i
		}
	}
	if len(rows) > 0 && filled(rows[0]) == 1 && widest == 1 {
		return 0
	}
	return -1
}

// headerText is a column's name without the line breaks and marks of forms.
func headerText(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "\u3000", " ")), " ")
	return strings.TrimSpace(strings.Trim(s, "*＊\ufeff\u200b"))
}

func filled(row []string) int {
	n := 0
	for _, c := range row {
		if strings.TrimSpace(c) != "" {
			n++
		}
	}
	return n
}

// columnNames makes the names usable as keys: empty ones get a letter, doubles a
// number.
func columnNames(row []string) []string {
	out := make([]string, 0, len(row))
	seen := map[string]int{}
	for i, c := range row {
		name := headerText(c)
		if name == "" {
			name = "列" + strconv.Itoa(i+1)
		}
		seen[name]++
		if n := seen[name]; n > 1 {
			name = fmt.Sprintf("%s_%d", name, n)
			seen[name]++
		}
		out = append(out, name)
	}
	return out
}

// tableRow makes a record of one row's cells. ok is false for blank rows, which are
// no data.
func tableRow(line int64, names, cells []string) (record, bool) {
	if filled(cells) == 0 {
		return record{}, false
	}
	r := record{row: line, values: make(map[string]any, len(names))}
	first := ""
	for i, c := range cells {
		if !utf8.ValidString(c) { // a damaged name must not pass for a name
			r.rule, r.kind, r.message = RuleBadText, Quarantined, fmt.Sprintf("第 %d 列有不合编码的字节 (bytes that are no text): %s", i+1, clip(strings.ToValidUTF8(c, "\ufffd"), 40))
			c = strings.ToValidUTF8(c, "\ufffd")
		}
		c = plainText(c)
		if first == "" {
			first = c
		}
		if i < len(names) {
			r.values[names[i]] = c
		} else if c != "" {
			r.values["列"+strconv.Itoa(i+1)] = c
		}
	}
	for _, n := range names[min(len(cells), len(names)):] {
		r.values[n] = ""
	}
	if isTotalRow(first) {
		r.rule, r.kind, r.message = RuleTotalRow, Rejected, fmt.Sprintf("合计行,不是数据 (a total, not data): %s", clip(first, 30))
	}
	return r, true
}

// titleRemarks reports what stood above the header.
func titleRemarks(t *table, rows [][]string, lines []int64) {
	for i, row := range rows {
		if text := strings.TrimSpace(strings.ToValidUTF8(strings.Join(row, " "), "\ufffd")); text != "" {
			t.remark(lines[i], RuleTitleRow, "标题行,已跳过 (title row, skipped): "+clip(text, 60))
		}
	}
}
