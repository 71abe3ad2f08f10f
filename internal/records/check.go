package records

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/sync"
)

// Codes says whether a code is in a list.
type Codes func(list, code string) bool

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// IsID says whether a text is the id of a record.
func IsID(s string) bool { return uuidText.MatchString(s) }

// Null says whether a value is absent or null.
func Null(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	return len(v) == 0 || string(v) == "null"
}

// Text is a value as text, "" where it is null or no text.
func Text(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Quarantine is a refusal that keeps the operation for a person to place.
func Quarantine(code, path, zh, en string) *sync.Refusal {
	return &sync.Refusal{Verdict: sync.Quarantined, Code: code, Path: path, Words: sync.Words{Zh: zh, En: en}}
}

// Reject is a refusal the sender has to mend.
func Reject(code, path, zh, en string) *sync.Refusal {
	return &sync.Refusal{Verdict: sync.Rejected, Code: code, Path: path, Words: sync.Words{Zh: zh, En: en}}
}

// Check compares fields with a dictionary: nothing unknown, nothing of another type, no
// text too long, no number out of bounds, no code that is none. Null empties a field and
// is refused where it is required.
func Check(d sync.Dictionary, codes Codes, fields map[string]json.RawMessage) error {
	for name, v := range fields {
		path := "/fields/" + name
		i := slices.IndexFunc(d.Fields, func(f sync.Field) bool { return f.Name == name })
		if i < 0 {
			return Quarantine("unknown_field", path, "没有这个字段", "there is no such field")
		}
		f := d.Fields[i]
		if Null(v) {
			if f.Required {
				return Quarantine("required", path, "必填项为空", "it is needed")
			}
			continue
		}
		if code := fault(f, codes, v); code != "" {
			return Quarantine(code, path, "字段的值不符合要求", "the value does not fit the field")
		}
	}
	return nil
}

// Complete says which required field of a new record is missing.
func Complete(d sync.Dictionary, fields map[string]json.RawMessage) error {
	for _, f := range d.Fields {
		if f.Required && Null(fields[f.Name]) {
			return Quarantine("required", "/fields/"+f.Name, "缺少必填项", "a required field is missing")
		}
	}
	return nil
}

// Sound says whether one value fits its field.
func Sound(f sync.Field, codes Codes, v json.RawMessage) bool {
	return Null(v) || fault(f, codes, v) == ""
}

// maxText bounds a text whose field names no length.
const maxText = 4000

func fault(f sync.Field, codes Codes, v json.RawMessage) string {
	switch f.Type {
	case "text", "code", "id", "datetime":
		var s string
		if json.Unmarshal(v, &s) != nil {
			return "wrong_type"
		}
		return textFault(f, codes, s)
	case "boolean":
		var b bool
		if json.Unmarshal(v, &b) != nil {
			return "wrong_type"
		}
	case "number", "integer":
		var n float64
		if json.Unmarshal(v, &n) != nil {
			return "wrong_type"
		}
		if f.Type == "integer" && (n != math.Trunc(n) || math.Abs(n) > math.MaxInt32) {
			return "not_whole"
		}
		if f.Min != nil && n < *f.Min || f.Max != nil && n > *f.Max {
			return "out_of_range"
		}
	default:
		return "wrong_type"
	}
	return ""
}

func textFault(f sync.Field, codes Codes, s string) string {
	most := f.MaxLength
	if most == 0 {
		most = maxText
	}
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return "not_text"
	case utf8.RuneCountInString(s) > most:
		return "too_long"
	case f.Type == "code" && f.Codes != "" && !codes(f.Codes, s):
		return "unknown_code"
	case f.Type == "id" && !IsID(s):
		return "not_an_id"
	case f.Type == "datetime":
		if t, err := time.Parse(time.RFC3339, s); err != nil || t.Year() < 1900 || t.Year() > 2200 {
			return "bad_time"
		}
	}
	return ""
}
