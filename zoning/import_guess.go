package zoning

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"onemap/internal/registry"
)

// Values of a field are listed up to so many; a field with more is not one of levels.
const (
	importValues  = 60
	importSamples = 5
)

// fieldTally collects what a field holds.
type fieldTally struct {
	name                  string
	order                 int
	text, number, boolean int
	count                 map[string]int
	area                  map[string]float64
	samples               []string
	many                  bool
}

// importTally collects what the fields of a file hold, by their names.
type importTally struct {
	fields map[string]*fieldTally
	rows   int
	area   float64
}

// valueText is a value as text, as the mapping names it. What is absent is "".
func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (t *importTally) add(props json.RawMessage, area float64) {
	var m map[string]any
	if json.Unmarshal(props, &m) != nil {
		return
	}
	t.rows++
	t.area += area
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f := t.fields[name]
		if f == nil {
			if len(t.fields) >= 500 {
				continue
			}
			f = &fieldTally{name: name, order: len(t.fields), count: map[string]int{}, area: map[string]float64{}}
			t.fields[name] = f
		}
		switch m[name].(type) {
		case string:
			f.text++
		case float64:
			f.number++
		case bool:
			f.boolean++
		}
		v := valueText(m[name])
		if v == "" {
			continue
		}
		if _, ok := f.count[v]; !ok {
			if len(f.samples) < importSamples {
				f.samples = append(f.samples, clipText(v, 80))
			}
			if len(f.count) >= importValues {
				f.many = true
				continue
			}
		}
		f.count[v]++
		f.area[v] += area
	}
}

func clipText(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// list describes the fields in their order.
func (t *importTally) list() []ImportField {
	all := slices.SortedFunc(maps.Values(t.fields), func(a, b *fieldTally) int { return a.order - b.order })
	out := make([]ImportField, 0, len(all))
	for _, f := range all {
		d := ImportField{Name: f.name, Samples: f.samples}
		switch n := f.text + f.number + f.boolean; n {
		case f.text:
			d.Type = "text"
		case f.number:
			d.Type = "number"
		case f.boolean:
			d.Type = "boolean"
		default:
			d.Type = "mixed"
		}
		if !f.many {
			for v, n := range f.count {
				val := ImportValue{Value: v, Count: n}
				if t.area > 0 {
					val.Share = f.area[v] / t.area
				}
				d.Values = append(d.Values, val)
			}
			slices.SortFunc(d.Values, func(a, b ImportValue) int {
				return cmp.Or(cmp.Compare(levelNumber(a.Value), levelNumber(b.Value)), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
			})
			if n := t.rows - f.text - f.number - f.boolean; n > 0 && len(d.Values) > 0 {
				d.Values = append(d.Values, ImportValue{Value: "", Count: n})
			}
		}
		out = append(out, d)
	}
	return out
}

// levelNumber is the number a level is written with (2, 2级, Ⅱ, II级, 二级), 0 for words.
func levelNumber(s string) int {
	s = strings.ToUpper(strings.TrimSpace(s))
	for _, cut := range []string{"等级", "级别", "级", "类", "LEVEL", "GRADE", "区"} {
		s = strings.ReplaceAll(s, cut, "")
	}
	s = strings.TrimSpace(s)
	if n, ok := map[string]int{"Ⅰ": 1, "Ⅱ": 2, "Ⅲ": 3, "Ⅳ": 4, "Ⅴ": 5, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5}[s]; ok {
		return n
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && n >= 1 && n <= 9 && n == float64(int(n)) {
		return int(n)
	}
	return 0
}

// levelWord is a level's name without what is written around it.
func levelWord(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, cut := range []string{"风险", "危险性", "危险", "易发", "防治", "隐患", "等级", "级", "地区", "区域", "区", "性", " ", "-", "_", "risk", "hazard", "level", "prevention"} {
		s = strings.ReplaceAll(s, cut, "")
	}
	s = strings.NewReplacer("较高", "中高", "较低", "中低", "次高", "中高", "次低", "中低", "中等", "中", "一般", "一般").Replace(s)
	return s
}

// onLadder gives the levels that values have as words of a ladder, and how many match.
func onLadder(values []ImportValue, l *registry.CodeList) (map[string]int, int) {
	words := map[string]int{}
	for _, it := range l.Items {
		for _, w := range []string{it.Title.ZH, it.Title.EN, it.Mark.ZH} {
			if w = levelWord(w); w != "" && levelNumber(w) == 0 {
				words[w] = it.Level
			}
		}
	}
	out := map[string]int{}
	hits := 0
	for _, v := range values {
		if v.Value == "" {
			continue
		}
		if level, ok := words[levelWord(v.Value)]; ok {
			out[v.Value] = level
			hits++
		}
	}
	return out, hits
}

func hinted(name string, words ...string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(words, func(w string) bool { return name == w || len(w) > 2 && strings.Contains(name, w) })
}

// suggest guesses what the fields mean. Words tell their own direction. Numbers do not:
// theirs is inferred only where words stand beside them row by row, else 1 is proposed as
// the worst, with no reason given, and a person has to look. A field that a person names
// is looked at in the same way, and no other is proposed.
func suggest(fields []ImportField, rows []importRow, snap *registry.Snapshot, named string) ImportSuggestion {
	var out ImportSuggestion
	out.Levels = map[string]int{}
	best, score := -1, 0.0
	// Of ladders with the same words the usual ones come first.
	ladders := append([]string{usualLadder(Risk), usualLadder(Prevention)}, slices.Sorted(maps.Keys(snap.CodeLists))...)
	levels, on := make([]map[string]int, len(fields)), make([]string, len(fields)) // by field: levels from words, of which ladder
	for i, f := range fields {
		if len(f.Values) == 0 || len(f.Values) > 12 {
			continue
		}
		var s float64
		s, levels[i], on[i] = likelyLevels(f.Values, ladders, snap)
		if s > 0 && hinted(f.Name, "等级", "级别", "风险", "level", "grade", "dj", "fxdj", "jb", "class", "gridcode") {
			s += 1.5
		}
		if s > score && s >= 1 && named == "" {
			best, score = i, s
		}
	}
	if named != "" {
		best = slices.IndexFunc(fields, func(f ImportField) bool { return f.Name == named })
	}
	if best >= 0 {
		f := fields[best]
		out.LevelField = f.Name
		if m := levels[best]; m != nil {
			out.Levels, out.Direction, out.Ladder = m, Named, on[best]
		} else {
			for _, v := range f.Values {
				if n := levelNumber(v.Value); n >= 1 && n <= 5 {
					out.Levels[v.Value], out.Direction = n, OneIsWorst
				}
			}
			if out.Direction != "" {
				out.beside(fields, levels, rows)
			}
		}
	}
	out.others(fields)
	return out
}

// likelyLevels says how much values look like levels: words of a ladder more, the more of
// it they are, and numbers less; 0: not at all. With words come their levels and ladder.
func likelyLevels(values []ImportValue, ladders []string, snap *registry.Snapshot) (score float64, levels map[string]int, ladder string) {
	filled, numbers := 0, 0
	for _, v := range values {
		if v.Value != "" {
			filled++
			if n := levelNumber(v.Value); n >= 1 && n <= 5 {
				numbers++
			}
		}
	}
	if filled == 0 {
		return 0, nil, ""
	}
	for _, id := range ladders {
		l := snap.CodeLists[id]
		if l == nil || !l.Ladder || strings.HasPrefix(id, "warning") {
			continue
		}
		if m, hits := onLadder(values, l); hits == filled {
			if t := 3 + float64(hits)/float64(len(l.Items)); t > score {
				score, levels, ladder = t, m, id
			}
		}
	}
	if score == 0 && numbers == filled {
		score = 1
	}
	return score, levels, ladder
}

// others guesses the fields beside the level.
func (out *ImportSuggestion) others(fields []ImportField) {
	for _, f := range fields {
		switch {
		case f.Name == out.LevelField || f.Type == "boolean":
		case out.NameField == "" && f.Type == "text" && hinted(f.Name, "名称", "name", "mc", "qhmc", "dymc", "xzqmc"):
			out.NameField = f.Name
		case out.CodeField == "" && hinted(f.Name, "代码", "编号", "编码", "code", "bm", "dm", "bh", "xzqdm"):
			out.CodeField = f.Name
		case out.Countermeasure == "" && hinted(f.Name, "防治对策", "对策", "措施", "fzdc", "fzcs", "measure"):
			out.Countermeasure = f.Name
		case out.Responsible == "" && hinted(f.Name, "责任单位", "责任", "zrdw", "responsible"):
			out.Responsible = f.Name
		}
	}
}

// beside looks for words that stand beside the numbers, each number with one word.
func (out *ImportSuggestion) beside(fields []ImportField, words []map[string]int, rows []importRow) {
	for i, f := range fields {
		if words[i] == nil {
			continue
		}
		pairs := map[string]int{}
		for _, r := range rows {
			var m map[string]any
			if json.Unmarshal(r.Props, &m) != nil {
				continue
			}
			v, level := valueText(m[out.LevelField]), words[i][valueText(m[f.Name])]
			if v == "" || level == 0 {
				continue
			}
			if had, ok := pairs[v]; ok && had != level {
				return
			}
			pairs[v] = level
		}
		if len(pairs) < 2 {
			continue
		}
		up, down := true, true
		for v, level := range pairs {
			for w, other := range pairs {
				if levelNumber(v) < levelNumber(w) {
					up, down = up && level < other, down && level > other
				}
			}
		}
		if up == down {
			continue
		}
		out.Levels = pairs
		out.Direction = OneIsWorst
		if down {
			out.Direction = OneIsLeast
		}
		out.DirectionReason = fmt.Sprintf("按字段 %s 的文字推断", f.Name)
		out.DirectionReasonE = fmt.Sprintf("from the words of the field %s", f.Name)
		return
	}
}
