package census

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"onemap/internal/geo"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		text, unit string
		want       float64
	}{
		{"300", "人", 300}, {"300人", "人", 300}, {"3.2万", "人", 32000}, {"1.5 万人", "人", 15000}, {"1,234.5", "", 1234.5}, {"３００", "人", 300},
		{"约200", "人", 200}, {"3亩", "m²", 2000}, {"0.5公顷", "m²", 5000}, {"2km²", "m²", 2e6}, {"120㎡", "m²", 120}, {"5000万", "万元", 5000}, {"5000万元", "万元", 5000},
		{"1.2亿", "万元", 12000}, {"1.2亿元", "万元", 12000}, {"3万元", "元", 30000}, {"-3.5", "m", -3.5}, {"3.5米", "m", 3.5}, {"1e3", "", 1000}, {"2 公里", "km", 2}, {"500m", "km", 0.5}, {"0", "", 0},
	} {
		got, err := parseNumber(c.text, c.unit)
		if err != nil || math.Abs(got.value-c.want) > 1e-9*math.Abs(c.want) {
			t.Errorf("%q in %q: %v %v, want %v", c.text, c.unit, got, err, c.want)
		}
	}
	for _, s := range []string{"三百", "12,34", "1-2", "3只", "NaN", "inf", "1e999", "0x10", "200-300", "1.2.3", "--"} {
		if got, err := parseNumber(s, "人"); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
	if _, err := parseNumber("", ""); !errors.Is(err, errEmpty) {
		t.Error(err)
	}
}

func TestParseTime(t *testing.T) {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"2023-06-01T16:11:00Z": "2023-06-01T16:11:00Z", "2023-06-01T15:34:43.042999": "2023-06-01T15:34:43.042999+08:00", "2023/6/1": "2023-06-01T00:00:00+08:00",
		"2023年6月1日": "2023-06-01T00:00:00+08:00", "2023年6月1日 8时5分": "2023-06-01T08:05:00+08:00", "20230601": "2023-06-01T00:00:00+08:00", "2023.06.01": "2023-06-01T00:00:00+08:00",
		"45078": "2023-06-01T00:00:00+08:00", "45078.5": "2023-06-01T12:00:00+08:00", "1120601": "2023-06-01T00:00:00+08:00", "2023-06-01 08:05": "2023-06-01T08:05:00+08:00", "20230601083000": "2023-06-01T08:30:00+08:00",
	} {
		got, err := parseTime(in, loc)
		if err != nil || got.at.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v %v, want %s", in, got.at.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, s := range []string{"yesterday", "2023-13-01", "2023-02-30", "99999999", "0", "12", "31/12/2023x"} {
		if got, err := parseTime(s, loc); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestDamagedCodesAndPeople(t *testing.T) {
	for s, want := range map[string]string{"3.2E+11": RuleScientific, "1.10101e17": RuleScientific, "110101199003070000": RuleLostTail, "110101199003074518": "", "320102000000": "", "S001": ""} {
		if got, _ := damagedCode(s); got != want {
			t.Errorf("%s: %q", s, got)
		}
	}
	if !isIDNumber("11010119900307803X") && !isIDNumber("110101199003077758") {
		t.Error("no valid identity number was recognised")
	}
	if isIDNumber("110101199003077759") && isIDNumber("110101199003077758") {
		t.Error("the check digit is not looked at")
	}
	for s, want := range map[string]bool{"13800138000": true, "+86 138-0013-8000": true, "63000010002": false, "12345678901": false, "1380013800": false} {
		if isMobile(s) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
	for s, want := range map[string]string{"联系人张三13800138000": "联系人张三***", "63000010002": "63000010002", "138001380001": "138001380001", "电话:010-12345678": "电话:010-12345678", "身份证110101199003077758号": "身份证***号"} {
		if got, _ := maskPersonal(s); got != want {
			t.Errorf("%s: %s", s, got)
		}
	}
	for s, want := range map[string]bool{"合计": true, "总 计": true, "合計:": true, "小计(人)": true, "Total": true, "合计桥村小学避难场所": false, "总工会": false, "计划": false} {
		if isTotalRow(s) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

func TestDetectText(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"ascii": {"a,b\n1,2\n", "UTF-8"}, "utf8": {"名称\n避难", "UTF-8"}, "bom": {"\xef\xbb\xbfa", "UTF-8"}, "gbk": {"\xc3\xfb\xb3\xc6\n\xb1\xdc\xc4\xd1\xb3\xa1\xcb\xf9", "GB18030"},
		"big5": {"\xa6\x57\xba\xd9\n\xc1\xd7\xc3\xf8\xa6\xac\xae\x65\xb3\x42\xa9\xd2", "Big5"}, "utf16": {"\xff\xfea\x00", "UTF-16LE"}, "empty": {"", "UTF-8"},
	} {
		if e, err := detectText(strings.NewReader(c.raw)); err != nil || e.name != c.want {
			t.Errorf("%s: %v %v", name, e.name, err)
		}
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"3.2万", "1,234", "3亩", "2023年6月1日", "45078.5", "1120601", "3.2E+11", "合计", "13800138000", "是", "约３００人"} {
		f.Add(s, "m²")
	}
	f.Fuzz(func(t *testing.T, s, unit string) {
		if n, err := parseNumber(s, unit); err == nil && (math.IsNaN(n.value) || math.IsInf(n.value, 0)) {
			t.Fatalf("%q: %v", s, n)
		}
		if d, err := parseTime(s, time.UTC); err == nil && (d.at.Year() < 1799 || d.at.Year() > 2201) {
			t.Fatalf("%q: %v", s, d.at)
		}
		_, _ = parseBool(s)
		damagedCode(s)
		isTotalRow(s)
		isIDNumber(s)
		isMobile(s)
		headerText(s)
		if c := clean(s).(string); !utf8.ValidString(c) || strings.Contains(c, "\x00") {
			t.Fatalf("%q", c)
		}
	})
}

func FuzzFeatures(f *testing.F) {
	f.Add([]byte(`{"type":"FeatureCollection","crs":null,"features":[{"type":"Feature","properties":{"a":1},"geometry":{"type":"Point","coordinates":[1,2]}}]}`))
	f.Add([]byte("\x1e{\"type\":\"Point\",\"coordinates\":[NaN,2]}\n17"))
	f.Add([]byte(`[{"a":"\u12`))
	lim := geo.Limits{Vertices: 100, Bytes: 1 << 16, Depth: 2, Parts: 20}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = newScanner(bytes.NewReader(raw)).findCRS()
		n := 0
		_ = newScanner(bytes.NewReader(raw)).features(func(one []byte, _ bool) bool {
			r := featureRecord(int64(n), one, lim)
			if r.rule == "" && r.values == nil {
				t.Fatal("a record without values")
			}
			if r.geometry != nil {
				if _, ok := geo.InEnvelope(r.geometry); !ok {
					t.Fatal("outside the envelope")
				}
			}
			n++
			return n < 100
		})
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("标题\n编码,名称\n1,a\n合计,\n"))
	f.Add([]byte("\xff\xfea\x00,\x00"))
	f.Add([]byte("a;b\n\"1;2\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		tab, err := openCSV(source{path: path, name: "a.csv"})
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatal(err)
			}
			return
		}
		for r, err := range tab.records {
			if err != nil {
				break
			}
			if r.rule == "" && len(r.values) == 0 {
				t.Fatal("a row without values")
			}
		}
	})
}

func FuzzXLSX(f *testing.F) {
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "a.xlsx")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		tab, err := openXLSX(source{path: path, name: "a.xlsx"})
		if err != nil {
			return
		}
		defer tab.close()
		for _, err := range tab.records {
			if err != nil {
				break
			}
		}
	})
}

// The line limit must not break the csv reader's own lines.
func TestLineLimit(t *testing.T) {
	long := strings.Repeat("x", maxLine+10)
	r := csv.NewReader(&lineLimit{r: strings.NewReader("a,b\n" + long)})
	if _, err := r.Read(); err != nil {
		t.Log(err) // the first line may share a buffer with the long one
	}
	if _, err := r.Read(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a line of %d bytes: %v", len(long), err)
	}
}
