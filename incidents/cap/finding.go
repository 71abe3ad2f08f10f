package cap

import (
	"fmt"
	"strings"
)

// Finding is one thing about a message that is not as it should be.
type Finding struct {
	Code string // stable, snake_case
	Path string // info[0].area[1].polygon[0]
	ZH   string
	EN   string
	// Fatal: the message cannot be taken. What is not fatal is said and lived with: at
	// three in the morning a warning with an element in the wrong place is a warning.
	Fatal bool
	// Schema: the XSD of CAP 1.2 is broken too.
	Schema bool
}

// Refused is a message that cannot be taken, with everything found.
type Refused struct{ Findings []Finding }

func (r *Refused) Error() string {
	words := make([]string, 0, len(r.Findings))
	for _, f := range r.Findings {
		if f.Fatal {
			words = append(words, fmt.Sprintf("%s at %s: %s", f.Code, f.Path, f.EN))
		}
	}
	return "cap: " + strings.Join(words, "; ")
}

// Fatal says whether one of the findings is.
func Fatal(list []Finding) bool {
	for _, f := range list {
		if f.Fatal {
			return true
		}
	}
	return false
}

// Breaks says whether one of the findings breaks the schema.
func Breaks(list []Finding) bool {
	for _, f := range list {
		if f.Schema {
			return true
		}
	}
	return false
}

const maxFindings = 100

type findings []Finding

func (l *findings) add(f Finding) {
	if len(*l) < maxFindings || f.Fatal && !Fatal(*l) {
		*l = append(*l, f)
	}
}

func (l *findings) note(code, path, zh, en string) {
	l.add(Finding{Code: code, Path: path, ZH: zh, EN: en})
}

func (l *findings) odd(code, path, zh, en string) {
	l.add(Finding{Code: code, Path: path, ZH: zh, EN: en, Schema: true})
}

func (l *findings) fatal(code, path, zh, en string) {
	l.add(Finding{Code: code, Path: path, ZH: zh, EN: en, Fatal: true})
}

func (l *findings) broken(code, path, zh, en string) {
	l.add(Finding{Code: code, Path: path, ZH: zh, EN: en, Fatal: true, Schema: true})
}
