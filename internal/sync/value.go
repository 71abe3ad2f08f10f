package sync

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/internal/registry"
)

// maxText is how long a text may be where the dictionary does not say.
const maxText = 4000

func (d Dictionary) field(name string) (Field, bool) {
	for _, f := range d.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// check says what is wrong with a value as the dictionary has it; nil when nothing is.
func (f Field) check(v json.RawMessage, lists map[string]*registry.CodeList) *Refusal {
	bad := func(code, zh, en string) *Refusal {
		return &Refusal{Verdict: Quarantined, Code: code, Words: Words{f.Title.Zh + ":" + zh, f.Title.En + ": " + en}, Path: "/fields/" + f.Name}
	}
	if empty(v) {
		return nil
	}
	var s string
	isText := json.Unmarshal(v, &s) == nil && v[0] == '"'
	switch f.Type {
	case "number", "integer":
		n, ok := number(v)
		if !ok || f.Type == "integer" && !n.IsInt() {
			return bad("bad_value", "应为数字", "a number is expected")
		}
		x, _ := n.Float64()
		if math.IsInf(x, 0) || f.Min != nil && x < *f.Min || f.Max != nil && x > *f.Max {
			return bad("out_of_range", "超出范围", "out of range")
		}
		return nil
	case "boolean":
		if string(v) != "true" && string(v) != "false" {
			return bad("bad_value", "应为是或否", "true or false is expected")
		}
		return nil
	}
	if !isText || strings.ContainsRune(s, 0) {
		return bad("bad_value", "应为文本", "a text is expected")
	}
	most := f.MaxLength
	if most == 0 {
		most = maxText
	}
	switch f.Type {
	case "datetime":
		if t, err := time.Parse(time.RFC3339, s); err != nil || t.Year() < 1900 || t.Year() > 2200 {
			return bad("bad_value", "应为带时区的时间", "a time with its zone is expected")
		}
	case "id":
		if _, ok := ParseID(s); !ok {
			return bad("bad_value", "应为编号", "an id is expected")
		}
	case "code":
		if list := lists[f.Codes]; list != nil {
			if _, ok := list.Item(s); !ok {
				return bad("unknown_code", "没有这个选项", "there is no such code")
			}
		}
	}
	if utf8.RuneCountInString(s) > most {
		return bad("too_long", "过长", "too long")
	}
	return nil
}

// number reads a JSON number; one beyond what a float holds is none.
func number(v json.RawMessage) (*big.Float, bool) {
	if len(v) == 0 || len(v) > 64 || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return nil, false
	}
	var x float64
	if json.Unmarshal(v, &x) != nil {
		return nil, false
	}
	n, _, err := big.ParseFloat(string(v), 10, 200, big.ToNearestEven)
	return n, err == nil
}

// empty is null, absent, or a text of nothing: the same to a form.
func empty(v json.RawMessage) bool { return isNull(v) || string(v) == `""` }

// equal says whether two values of a field are the same, however they are spelt.
func (f Field) equal(a, b json.RawMessage) bool {
	if empty(a) || empty(b) {
		return empty(a) && empty(b)
	}
	if bytes.Equal(a, b) {
		return true
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x.Cmp(y) == 0
	}
	var s, t string
	if json.Unmarshal(a, &s) == nil && json.Unmarshal(b, &t) == nil {
		if f.Type == "datetime" {
			x, err1 := time.Parse(time.RFC3339, s)
			y, err2 := time.Parse(time.RFC3339, t)
			return err1 == nil && err2 == nil && x.Equal(y)
		}
		if f.Type == "id" {
			return strings.EqualFold(s, t)
		}
		return s == t
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// tolerance is how far two spellings of one position may differ: 0.1 mm.
const tolerance = 1e-9

// sameShape compares two shapes position by position.
func sameShape(a, b orb.Geometry) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if a.GeoJSONType() != b.GeoJSONType() || geo.VertexCount(a) != geo.VertexCount(b) {
		return false
	}
	var pts []orb.Point
	geo.Map(a, func(p orb.Point) orb.Point { pts = append(pts, p); return p })
	i, same := 0, true
	geo.Map(b, func(p orb.Point) orb.Point {
		if i >= len(pts) || math.Abs(pts[i][0]-p[0]) > tolerance || math.Abs(pts[i][1]-p[1]) > tolerance {
			same = false
		}
		i++
		return p
	})
	return same && i == len(pts)
}
