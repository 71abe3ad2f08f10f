package census

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// errEmpty is returned for text that says "nothing here".
var errEmpty = errors.New("census: empty")

// plainText turns a source value into trimmed text.
func plainText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimFunc(v, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' })
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case fmt.Stringer:
		return v.String()
	default:
		if raw, err := json.Marshal(v); err == nil {
			return string(raw)
		}
		return fmt.Sprint(v)
	}
}

// isEmptyText recognises the ways a table says that a value is not known.
func isEmptyText(s string) bool {
	switch s {
	case "", "-", "--", "—", "——", "/", "\\", "无数据", "不详", "未知", "暂无", "NULL", "null", "N/A", "n/a", "NA", "NaN", "nan", "None", "#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!":
		return true
	}
	return false
}

// number is a figure read from text, and how.
type number struct {
	value float64
	how   string // what was converted; empty for a plain number
}

// parseNumber reads a figure as tables hold it: full-width digits, thousands
// separators, 约, units behind it, 万 and 亿, and areas in 亩, 公顷 or km² where the
// field is in m² (and the like). unit is the field's own.
func parseNumber(text, unit string) (number, error) {
	s := strings.TrimSpace(width.Narrow.String(text))
	if isEmptyText(s) {
		return number{}, errEmpty
	}
	var how []string
	for _, about := range []string{"约", "約", "大约", "近", "≈", "~"} {
		if rest, ok := strings.CutPrefix(s, about); ok {
			s, how = strings.TrimSpace(rest), append(how, about)
			break
		}
	}
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || strings.IndexByte("+-.,eE ", s[end]) >= 0) {
		// An e belongs to the number only before digits: "3e5", not "3 ea".
		if (s[end] == 'e' || s[end] == 'E') && !regexpExponent(s[end:]) {
			break
		}
		end++
	}
	digits := strings.ReplaceAll(strings.TrimSpace(s[:end]), " ", "")
	if strings.Contains(digits, ",") {
		if !thousands(digits) {
			return number{}, fmt.Errorf("census: %q is not a number", text)
		}
		digits = strings.ReplaceAll(digits, ",", "")
	}
	if len(digits) > 40 {
		return number{}, fmt.Errorf("census: %q is not a number", text[:40])
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return number{}, fmt.Errorf("census: %q is not a number", clip(text, 60))
	}
	rest := strings.TrimSpace(s[end:])
	for _, m := range []struct {
		word   string
		factor float64
	}{{"万亿", 1e12}, {"亿", 1e8}, {"億", 1e8}, {"万", 1e4}, {"萬", 1e4}, {"千", 1e3}} {
		r, ok := strings.CutPrefix(rest, m.word)
		if !ok {
			continue
		}
		factor := m.factor
		if strings.HasPrefix(unit, "万") { // the field itself counts in 万
			factor /= 1e4
			r = strings.TrimPrefix(strings.TrimSpace(r), strings.TrimPrefix(unit, "万"))
		}
		if factor != 1 {
			v *= factor
			how = append(how, m.word)
		}
		rest = strings.TrimSpace(r)
		break
	}
	if rest != "" {
		f, ok := unitFactor(rest, unit)
		if !ok {
			return number{}, fmt.Errorf("census: %q: unknown unit %q", clip(text, 60), clip(rest, 20))
		}
		if f != 1 {
			v *= f
			how = append(how, rest)
		}
	}
	if len(how) > 0 {
		// 3.2万 is 32000, not 32000.000000000004.
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	}
	return number{v, strings.Join(how, ",")}, nil
}

func regexpExponent(s string) bool {
	s = strings.TrimLeft(s[1:], "+-")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}

// thousands accepts 1,234,567.8 and refuses 1,2 and 12,34.
func thousands(s string) bool {
	whole, _, _ := strings.Cut(strings.TrimLeft(s, "+-"), ".")
	parts := strings.Split(whole, ",")
	if len(parts[0]) == 0 || len(parts[0]) > 3 {
		return false
	}
	for _, p := range parts[1:] {
		if len(p) != 3 {
			return false
		}
	}
	return true
}

// unitFactor converts from the unit written behind a number to the field's. Units
// that only name what is counted are worth 1.
func unitFactor(from, to string) (float64, bool) {
	area := map[string]float64{
		"m²": 1, "m2": 1, "㎡": 1, "平方米": 1, "平方公尺": 1, "平米": 1, "亩": 10000.0 / 15, "畝": 10000.0 / 15, "公顷": 1e4, "公頃": 1e4, "ha": 1e4, "hm2": 1e4,
		"km²": 1e6, "km2": 1e6, "㎢": 1e6, "平方公里": 1e6, "坪": 400.0 / 121,
	}
	length := map[string]float64{"m": 1, "米": 1, "公尺": 1, "km": 1000, "公里": 1000, "千米": 1000, "cm": 0.01, "厘米": 0.01, "公分": 0.01, "mm": 0.001, "毫米": 0.001, "里": 500}
	money := map[string]float64{"元": 1, "圆": 1, "人民币": 1, "万元": 1e4, "亿元": 1e8}
	volume := map[string]float64{"m³": 1, "m3": 1, "立方米": 1, "方": 1, "立方": 1}
	flow := map[string]float64{"m³/s": 1, "m3/s": 1, "立方米/秒": 1, "个流量": 1}
	from = strings.ToLower(from)
	for _, dim := range []map[string]float64{area, length, money, volume, flow} {
		f, okFrom := dim[from]
		if !okFrom {
			continue
		}
		t, okTo := dim[strings.ToLower(to)]
		if okTo {
			return f / t, true
		}
		return 1, to == "" && f == 1
	}
	switch from {
	case "人", "户", "戶", "个", "個", "处", "處", "间", "間", "座", "栋", "棟", "层", "層", "张", "床", "年", "辆", "套", "孔", "台", "条", "口", "度", "岁",
		"分钟", "min", "小时", "h", "km/h", "公里/小时", "kv", "千伏", "mpa", "%", "户数", "人次":
		return 1, true
	}
	return 1, strings.EqualFold(from, to)
}

var (
	scientificText = regexp.MustCompile(`^[+-]?\d+(\.\d+)?[eE]\+?\d+$`)                                                                                                  //nolint:gochecknoglobals // compiled once
	totalText      = regexp.MustCompile(`^[\s　]*(合\s*[计計]|总\s*[计計]|總\s*[计計]|小\s*[计計]|累\s*[计計]|total|subtotal|sum)[\s:：（(]*`)                                             //nolint:gochecknoglobals // compiled once
	idNumberText   = regexp.MustCompile(`^[1-9]\d{5}(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dXx]$`)                                                       //nolint:gochecknoglobals // compiled once
	mobileText     = regexp.MustCompile(`^(\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}$`)                                                                                   //nolint:gochecknoglobals // compiled once
	numberRun      = regexp.MustCompile(`\d{11,17}[\dXx]?`)                                                                                                              //nolint:gochecknoglobals // compiled once
	restrictedName = regexp.MustCompile(`(?i)(身份证|身分證|证件号|證件號|公民身份|id_?card|idno|手机|手機|移动电话|行動電話|联系电话|聯絡電話|联系方式|聯絡方式|电话号码|電話號碼|^电话$|^電話$|mobile|phone|^tel$|telephone)`) //nolint:gochecknoglobals // compiled once
)

// damagedCode tells what a spreadsheet did to a code, if anything.
func damagedCode(s string) (rule, message string) {
	if scientificText.MatchString(s) {
		return RuleScientific, "科学计数法,尾数已丢失 (written as a power of ten; digits are lost)"
	}
	digits := strings.TrimSuffix(s, ".0")
	if len(digits) > 15 && isDigits(digits) && strings.Trim(digits[15:], "0") == "" {
		return RuleLostTail, "第16位起为零,疑被表格软件截断 (zeros after the 15th digit)"
	}
	return "", ""
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isTotalRow recognises 合计 rows by their first text.
func isTotalRow(first string) bool {
	return first != "" && len(first) < 40 && totalText.MatchString(strings.ToLower(first)) &&
		len([]rune(strings.TrimSpace(totalText.ReplaceAllString(strings.ToLower(first), "")))) <= 6
}

// isIDNumber tests the check digit too (GB 11643), so ordinary 18-digit codes pass.
func isIDNumber(s string) bool {
	if !idNumberText.MatchString(s) {
		return false
	}
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return "10X98765432"[sum%11] == byte(unicode.ToUpper(rune(s[17])))
}

func isMobile(s string) bool { return mobileText.MatchString(s) }

// maskPersonal covers identity and mobile numbers inside a text, and tells whether
// there were any.
func maskPersonal(s string) (masked string, found bool) {
	if isMobile(s) || isIDNumber(s) {
		return "***", true
	}
	if len(s) < 11 {
		return s, false
	}
	masked = numberRun.ReplaceAllStringFunc(s, func(run string) string {
		if isIDNumber(run) || (len(run) == 11 && isMobile(run)) {
			found = true
			return "***"
		}
		return run
	})
	return masked, found
}

// stamp is a time read from text, and how.
type stamp struct {
	at  time.Time
	day bool   // no time of day was given
	how string // what was converted
}

// parseTime reads a moment as tables write it. loc is where wall clocks hang.
func parseTime(text string, loc *time.Location) (stamp, error) {
	s := strings.TrimSpace(width.Narrow.String(text))
	if isEmptyText(s) {
		return stamp{}, errEmpty
	}
	if len(s) > 64 {
		return stamp{}, fmt.Errorf("census: %q is not a date", clip(text, 40))
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return checkTime(stamp{at: t}, text)
		}
	}
	norm := strings.NewReplacer("年", "-", "月", "-", "日", " ", "号", " ", "時", ":", "时", ":", "点", ":", "分", ":", "秒", "", "/", "-", ".", "-", "上午", " ", "T", " ").Replace(s)
	if i := strings.LastIndexByte(s, '.'); i > 12 && strings.Contains(s, ":") { // a fraction of a second, not a date separator
		norm = strings.NewReplacer("/", "-", "T", " ").Replace(s)
	}
	norm = strings.TrimRight(strings.Join(strings.Fields(norm), " "), ":- ")
	for _, layout := range []string{"2006-1-2 15:4:5.999999999", "2006-1-2 15:4:5", "2006-1-2 15:4", "2006-1-2 15"} {
		if t, err := time.ParseInLocation(layout, norm, loc); err == nil {
			return checkTime(stamp{at: t}, text)
		}
	}
	for _, layout := range []string{"2006-1-2", "20060102", "2006-1", "2006"} {
		if t, err := time.ParseInLocation(layout, norm, loc); err == nil {
			return checkTime(stamp{at: t, day: true}, text)
		}
	}
	if t, err := time.ParseInLocation("20060102150405", norm, loc); err == nil {
		return checkTime(stamp{at: t}, text)
	}
	if isDigits(s) && len(s) == 7 { // 民国 1110531, and 0580521 with its zero
		y, _ := strconv.Atoi(s[:3])
		if t, err := time.ParseInLocation("20060102", fmt.Sprintf("%04d%s", y+1911, s[3:]), loc); err == nil {
			return checkTime(stamp{at: t, day: true, how: "民国"}, text)
		}
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil && v > 366 && v < 110_000 { // days since 1899-12-30
		day := math.Floor(v)
		t := time.Date(1899, 12, 30, 0, 0, 0, 0, loc).AddDate(0, 0, int(day))
		if sec := math.Round((v - day) * 86400); sec > 0 {
			return checkTime(stamp{at: t.Add(time.Duration(sec) * time.Second), how: "serial"}, text)
		}
		return checkTime(stamp{at: t, day: true, how: "serial"}, text)
	}
	return stamp{}, fmt.Errorf("census: %q is not a date", clip(text, 40))
}

func checkTime(s stamp, text string) (stamp, error) {
	if y := s.at.Year(); y < 1800 || y > 2200 {
		return stamp{}, fmt.Errorf("census: %q lies in the year %d", clip(text, 40), y)
	}
	return s, nil
}

// parseBool reads yes and no.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(width.Narrow.String(text))) {
	case "":
		return false, errEmpty
	case "是", "有", "真", "y", "yes", "true", "t", "1", "√", "✓", "已", "对":
		return true, nil
	case "否", "无", "無", "没有", "假", "n", "no", "false", "f", "0", "×", "x", "未", "-":
		return false, nil
	}
	return false, fmt.Errorf("census: %q is neither yes nor no", clip(text, 40))
}

// clip shortens text for a message without cutting a character.
func clip(s string, n int) string {
	for i := range s {
		if i > n {
			return s[:i] + "…"
		}
	}
	return s
}
