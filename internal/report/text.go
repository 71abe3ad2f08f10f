package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// notFirst may not begin a line, notLast may not end one.
const (
	notFirst = "，。、；：？！）】》〉」』”’％％‰℃°′″·…—,.;:?!)]}%»々ー"
	notLast  = "（【《〈「『“‘([{«￥$№"
)

// wide reports whether a line may be broken on either side of a character.
func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef
}

// breakable reports whether a line may end between two characters.
func breakable(a, b rune) bool {
	if strings.ContainsRune(notFirst, b) || strings.ContainsRune(notLast, a) || b == ' ' {
		return false
	}
	return a == ' ' || a == '-' || a == '/' || wide(a) || wide(b)
}

// wrap breaks a text into lines no wider than width, by the rules for Chinese; a word
// wider than a line is broken anywhere.
func wrap(text string, width float64, measure func(string) float64) []string {
	var out []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		rs := []rune(strings.TrimSpace(part))
		for len(rs) > 0 {
			n := fit(rs, width, measure)
			out = append(out, strings.TrimSpace(string(rs[:n])))
			for n < len(rs) && rs[n] == ' ' {
				n++
			}
			rs = rs[n:]
		}
	}
	return out
}

// fit is how many characters go into a line: at least one.
func fit(rs []rune, width float64, measure func(string) float64) int {
	lo, hi := 1, len(rs)
	for lo < hi { // the most that fit
		mid := (lo + hi + 1) / 2
		if measure(string(rs[:mid])) <= width {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	if lo == len(rs) {
		return lo
	}
	for n := lo; n > max(0, lo-24); n-- {
		if breakable(rs[n-1], rs[n]) {
			return n
		}
	}
	return lo
}

// halves breaks a name into two lines of about equal width, ok false where no break is
// allowed.
func halves(name string, measure func(string) float64) (a, b string, ok bool) {
	rs := []rune(name)
	best := math.Inf(1)
	for n := 1; n < len(rs); n++ {
		if !breakable(rs[n-1], rs[n]) {
			continue
		}
		x, y := strings.TrimSpace(string(rs[:n])), strings.TrimSpace(string(rs[n:]))
		if w := max(measure(x), measure(y)); w < best {
			best, a, b, ok = w, x, y, true
		}
	}
	return a, b, ok
}

// clipText cuts a text that is too wide and says so.
func clipText(text string, width float64, measure func(string) float64) string {
	if measure(text) <= width {
		return text
	}
	rs := []rune(text)
	for len(rs) > 0 && measure(string(rs)+"…") > width {
		rs = rs[:len(rs)-1]
	}
	return string(rs) + "…"
}

// grouped writes a whole number as 1,234.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// km2 writes square metres as square kilometres: always two decimals, as on the screen.
func km2(m2 float64) string {
	if math.IsNaN(m2) || math.IsInf(m2, 0) {
		return "—"
	}
	k := m2 / 1e6
	s := strconv.FormatFloat(math.Abs(k), 'f', 2, 64)
	whole, rest, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return "—"
	}
	if k < 0 && strings.Trim(s, "0.") != "" {
		return "-" + grouped(n) + "." + rest
	}
	return grouped(n) + "." + rest
}

func percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return "—"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + "%"
}

// dms writes an angle in degrees, minutes and seconds, as short as its step allows.
func dms(deg, step float64, hemisphere string) string {
	sec := int64(math.Round(math.Abs(deg) * 3600))
	d, m, s := sec/3600, sec/60%60, sec%60
	out := strconv.FormatInt(d, 10) + "°"
	two := func(v int64) string {
		if v < 10 {
			return "0" + strconv.FormatInt(v, 10)
		}
		return strconv.FormatInt(v, 10)
	}
	if step < 1 {
		out += two(m) + "′"
	}
	if step < 1.0/60-1e-9 {
		out += two(s) + "″"
	}
	return out + hemisphere
}

// spaced writes the number of a scale as 50 000.
func spaced(n int) string { return strings.ReplaceAll(grouped(int64(n)), ",", " ") }
