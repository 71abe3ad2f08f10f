package report

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// plain brings a cell down to nil, string, bool, int64, float64 or time.Time. What a
// spreadsheet or a number column cannot hold (not a number, infinite) is nothing.
func plain(v any) any {
	switch x := v.(type) {
	case nil, string, bool, int64, time.Time:
		return x
	}
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface {
		if r.IsNil() {
			return nil
		}
		r = r.Elem()
	}
	if t, ok := reflect.TypeAssert[time.Time](r); ok {
		return t
	}
	switch r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return int64(r.Uint()) // counts; none is that large
	case reflect.Float32:
		// The decimal digits it was written with, not those of its binary neighbour.
		f, _ := strconv.ParseFloat(strconv.FormatFloat(r.Float(), 'g', -1, 32), 64)
		return finite(f)
	case reflect.Float64:
		return finite(r.Float())
	}
	return nil
}

func finite(f float64) any {
	if f-f != 0 {
		return nil
	}
	return f
}

// show writes a plain value as text, as exact as it is.
func show(v any, k Kind) string {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		if x {
			return "是"
		}
		return "否"
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case time.Time:
		if k == Date {
			return x.Format("2006-01-02")
		}
		return x.Format("2006-01-02 15:04:05")
	}
	return ""
}

// safeCell is a text a spreadsheet will not take for a formula when it reads a CSV: one
// that begins like a formula, also after blanks or in full width, gets an apostrophe.
func safeCell(s string) string {
	t := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.C) })
	switch {
	case t == "":
		return s
	case t != s && unicode.IsControl([]rune(s)[0]), strings.ContainsAny(t[:1], "=+-@|%"),
		strings.HasPrefix(t, "＝"), strings.HasPrefix(t, "＋"), strings.HasPrefix(t, "－"), strings.HasPrefix(t, "＠"):
		return "'" + s
	}
	return s
}

// legal takes out what XML cannot hold.
func legal(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "\ufffd"))
}
