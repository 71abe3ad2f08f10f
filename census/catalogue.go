package census

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"onemap/internal/geo"
)

// column is a typed field of a layer.
type column struct {
	name     string
	udt      string // int2, int4, int8, float8, text, bool, date, timestamptz, uuid, jsonb
	null     bool
	fallback string // default expression, as the catalogue prints it
	kind     string // type in layer_field
	list     string // code list
	unit     string
	zh, en   string
}

// layerInfo is a layer as the catalogue describes it.
type layerInfo struct {
	id       string
	geometry string // point, line, polygon, mixed
	schema   string
	table    string
	columns  map[string]column
	order    []string
}

// codeList holds a list's codes and titles.
type codeList struct {
	codes  map[string]bool
	titles map[string]string // lower-case title -> code
}

// catalogue is what an import needs to know about the layers.
type catalogue struct {
	layers map[string]*layerInfo
	codes  map[string]*codeList
	limits limits
}

// limits are the thresholds of an import, a rule set in the database.
type limits struct {
	vertices  int   // of one shape
	crossings int   // up to which a repair is tried
	chunk     int64 // rows per transaction
}

// safeLimits are what a rule set cannot exceed: beyond them the database server
// hangs or falls over, or the feed is held back.
func safeLimits() limits {
	return limits{vertices: geo.ImportLimits().Vertices, crossings: geo.MaxRepairCrossings, chunk: maxChunk}
}

func (c *catalogue) layer(id string) (*layerInfo, error) {
	l := c.layers[id]
	if l == nil {
		return nil, fmt.Errorf("census: there is no layer %q", clip(id, 60))
	}
	return l, nil
}

// match finds the column a source field is meant for by its name or title.
func (l *layerInfo) match(field string) (string, bool) {
	f := strings.ToLower(strings.TrimSpace(field))
	if _, ok := l.columns[f]; ok && f != "id" {
		return f, true
	}
	if i := strings.IndexAny(f, "(（["); i > 0 { // 容量(人)
		f = strings.TrimSpace(f[:i])
	}
	for _, name := range l.order {
		col := l.columns[name]
		if f != "" && (f == strings.ToLower(col.zh) || f == strings.ToLower(col.en)) {
			return name, true
		}
	}
	return "", false
}

// trouble is why a value was not taken as it is. lost says that nothing was taken.
type trouble struct {
	rule    string
	message string
	lost    bool
	fatal   bool // the row must not go on with this value
}

// coerce turns a value into what the column takes.
func (c *catalogue) coerce(col column, v any, loc *time.Location) (any, *trouble) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case time.Time:
		if col.udt == "date" {
			return v.Format(time.DateOnly), nil
		}
		return v.Format(time.RFC3339Nano), nil
	case bool:
		if col.udt == "bool" {
			return v, nil
		}
	case int:
		return c.figure(col, float64(v), "", strconv.Itoa(v))
	case int64:
		return c.figure(col, float64(v), "", strconv.FormatInt(v, 10))
	case float64:
		return c.figure(col, v, "", strconv.FormatFloat(v, 'f', -1, 64))
	}
	switch col.udt {
	case "jsonb":
		if s, ok := v.(string); ok {
			var parsed any
			if err := json.Unmarshal([]byte(s), &parsed); err != nil {
				return nil, &trouble{RuleSyntax, fmt.Sprintf("不是 JSON (not JSON): %s", clip(s, 40)), true, false}
			}
			return parsed, nil
		}
		return v, nil
	case "uuid":
		if u, ok := v.([16]byte); ok {
			return uuidText(u), nil
		}
	}
	text := plainText(v)
	if text == "" {
		return nil, nil
	}
	if col.list != "" {
		return c.code(col, text)
	}
	switch col.udt {
	case "int2", "int4", "int8", "float8", "numeric", "float4":
		n, err := parseNumber(text, col.unit)
		if err != nil {
			if isEmptyText(text) {
				return nil, nil
			}
			return nil, &trouble{RuleNumber, fmt.Sprintf("不是数值 (not a number): %s", clip(text, 40)), true, false}
		}
		return c.figure(col, n.value, n.how, text)
	case "bool":
		b, err := parseBool(text)
		if err != nil {
			return nil, &trouble{RuleCode, fmt.Sprintf("不是“是/否” (neither yes nor no): %s", clip(text, 40)), true, false}
		}
		return b, nil
	case "date", "timestamptz":
		s, err := parseTime(text, loc)
		if err != nil {
			if isEmptyText(text) {
				return nil, nil
			}
			return nil, &trouble{RuleDate, fmt.Sprintf("不是日期 (not a date): %s", clip(text, 40)), true, false}
		}
		var t *trouble
		if s.how != "" {
			t = &trouble{RuleDateLoose, fmt.Sprintf("%s 按 %s 换算为 %s (converted)", clip(text, 40), s.how, s.at.Format(time.DateOnly)), false, false}
		}
		if col.udt == "date" {
			return s.at.Format(time.DateOnly), t
		}
		return s.at.Format(time.RFC3339Nano), t
	case "uuid":
		if !isUUID(text) {
			return nil, &trouble{RuleCode, fmt.Sprintf("不是 UUID: %s", clip(text, 40)), true, false}
		}
		return strings.ToLower(text), nil
	}
	switch col.name {
	case "code", "admin_code", "parent_code", "village_code", "uscc":
		if rule, message := damagedCode(text); rule != "" {
			return nil, &trouble{rule, fmt.Sprintf("%s: %s", message, clip(text, 40)), true, true}
		}
		text = strings.TrimSuffix(text, ".0") // a code a spreadsheet took for a number
	}
	return text, nil
}

// figure fits a number into the column.
func (c *catalogue) figure(col column, v float64, how, text string) (any, *trouble) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, &trouble{RuleNumber, "不是有限数值 (not a finite number)", true, false}
	}
	var t *trouble
	if how != "" {
		t = &trouble{RuleUnit, fmt.Sprintf("%s 换算为 %s (converted, %s)", clip(text, 40), strconv.FormatFloat(v, 'f', -1, 64), how), false, false}
	}
	if col.list != "" {
		return c.code(col, strconv.FormatFloat(v, 'f', -1, 64))
	}
	limit := 0.0
	switch col.udt {
	case "int2":
		limit = math.MaxInt16
	case "int4":
		limit = math.MaxInt32
	case "int8":
		limit = 1 << 53
	case "float8", "float4", "numeric":
		return v, t
	case "bool":
		if v == 0 || v == 1 {
			return v == 1, nil
		}
		return nil, &trouble{RuleCode, fmt.Sprintf("不是“是/否” (neither yes nor no): %s", clip(text, 40)), true, false}
	case "date", "timestamptz":
		s, err := parseTime(text, time.UTC)
		if err != nil {
			return nil, &trouble{RuleDate, fmt.Sprintf("不是日期 (not a date): %s", clip(text, 40)), true, false}
		}
		if col.udt == "date" {
			return s.at.Format(time.DateOnly), t
		}
		return s.at.Format(time.RFC3339Nano), t
	case "jsonb":
		return v, t
	default:
		return text, nil
	}
	whole := math.Round(v)
	if math.Abs(whole) > limit {
		return nil, &trouble{RuleRange, fmt.Sprintf("%s 超出字段范围 (out of range)", clip(text, 40)), true, false}
	}
	if whole != v {
		t = &trouble{RuleUnit, fmt.Sprintf("%s 取整为 %.0f (rounded)", clip(text, 40), whole), false, false}
	}
	return int64(whole), t
}

// code finds a value in the column's list by code or title.
func (c *catalogue) code(col column, text string) (any, *trouble) {
	list := c.codes[col.list]
	unknown := &trouble{RuleCode, fmt.Sprintf("代码表 %s 中没有 (not in the list): %s", col.list, clip(text, 40)), true, false}
	if list == nil {
		return nil, unknown
	}
	code := text
	if !list.codes[code] {
		var ok bool
		if code, ok = list.titles[strings.ToLower(text)]; !ok {
			if isEmptyText(text) {
				return nil, nil
			}
			return nil, unknown
		}
	}
	switch col.udt {
	case "int2", "int4", "int8":
		n, err := strconv.ParseInt(code, 10, 64)
		if err != nil {
			return nil, unknown
		}
		return n, nil
	}
	return code, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// adminIndex finds units by name and code.
type adminIndex struct {
	units    map[string]adminUnit
	children map[string][]string // parent code -> codes
	roots    []string            // units whose parent is not known
}

type adminUnit struct {
	code, name, parent string
	rank               int
	names              []string // normalised, longest first
}

func newAdminIndex(units []adminUnit, aliases map[string][]string) *adminIndex {
	x := &adminIndex{units: map[string]adminUnit{}, children: map[string][]string{}}
	for _, u := range units {
		for _, n := range append([]string{u.name}, aliases[u.code]...) {
			if n = placeText(n); n != "" && !slices.Contains(u.names, n) {
				u.names = append(u.names, n)
			}
		}
		slices.SortFunc(u.names, func(a, b string) int { return len(b) - len(a) })
		x.units[u.code] = u
	}
	for _, u := range units {
		if _, ok := x.units[u.parent]; ok {
			x.children[u.parent] = append(x.children[u.parent], u.code)
		} else {
			x.roots = append(x.roots, u.code)
		}
	}
	return x
}

// placeText makes spellings of one name equal.
func placeText(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("台", "臺", "\u3000", "", "巿", "市").Replace(s)), "")
}

// find goes down from the largest units: at each step the unit whose name the text
// holds, the longest name first. It answers the smallest unit found, or "".
func (x *adminIndex) find(text string) string {
	text = placeText(text)
	found := ""
	for next := x.roots; ; {
		best, at := "", 0
		for _, code := range next {
			for _, n := range x.units[code].names {
				if len(n) > at && strings.Contains(text, n) {
					best, at = code, len(n)
				}
			}
		}
		if best == "" {
			return found
		}
		found, next = best, x.children[best]
	}
}
