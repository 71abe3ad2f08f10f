package tiles

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/db"
)

// Limits of a request.
const (
	MaxZoom      = 22
	maxLayers    = 32
	maxParameter = 4096 // bytes of one parameter's value
)

// Kinds of refusal; [Error] wraps one of them.
var (
	// ErrUnknownLayer means the layer does not exist or is not visible: 404.
	ErrUnknownLayer = errors.New("tiles: unknown layer")
	// ErrRange means the place is outside the pyramid or not canonical: 400.
	ErrRange = errors.New("tiles: tile out of range")
	// ErrParameter means a parameter is unknown or malformed: 400.
	ErrParameter = errors.New("tiles: bad parameter")
)

// Error is a refusal with a stable code, the parameter at fault and words for the
// asker.
type Error struct {
	Kind   error
	Code   string
	Param  string
	Detail string
}

func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Detail }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind error, code, param, format string, args ...any) error {
	return &Error{Kind: kind, Code: code, Param: param, Detail: fmt.Sprintf(format, args...)}
}

// Request asks for one tile. Layers are sorted and unique; Filter is canonical
// (as [ParsePath] leaves it). The last two say for whom.
type Request struct {
	Layers     []string
	Z, X, Y    int
	Filter     string
	DateTime   *time.Time // valid time; nil: now
	AsOf       *time.Time // record time; nil: now
	Properties []string   // nil: all tile fields
	Plan       string     // plan id or series:<id>

	Reach  db.Reach
	Drafts bool // may see rows that are not shown yet, with Plan only
}

// ParsePath reads the parts of /tiles/{layers}/{z}/{x}/{y}.mvt (y without the
// suffix) and the query. It is strict: unknown and repeated parameters, numbers in
// any but the usual form, layers out of order are errors. Who asks is for the
// caller to fill in.
func ParsePath(layers, z, x, y string, query iter.Seq2[string, string]) (Request, error) {
	var r Request
	var err error
	if r.Layers, err = ParseLayers(layers); err != nil {
		return Request{}, err
	}
	if r.Z, err = pathNumber("z", z, MaxZoom+1); err != nil {
		return Request{}, err
	}
	if r.X, err = pathNumber("x", x, 1<<r.Z); err != nil {
		return Request{}, err
	}
	if r.Y, err = pathNumber("y", y, 1<<r.Z); err != nil {
		return Request{}, err
	}
	if query == nil {
		return r, nil
	}
	seen := map[string]bool{}
	for name, value := range query {
		if seen[name] {
			return Request{}, refuse(ErrParameter, "repeated_parameter", clip(name), "parameter %q is given twice", clip(name))
		}
		seen[name] = true
		if err := r.parameter(name, value); err != nil {
			return Request{}, err
		}
	}
	return r, nil
}

func (r *Request) parameter(name, value string) error {
	if !plainText(value) {
		return refuse(ErrParameter, "bad_text", clip(name), "the value of %q is empty, too long, or not plain UTF-8", clip(name))
	}
	switch name {
	case "filter":
		f, err := parseFilter(value)
		if err != nil {
			return err
		}
		r.Filter = f.String()
	case "datetime":
		return instant(name, value, &r.DateTime)
	case "as_of":
		return instant(name, value, &r.AsOf)
	case "properties":
		r.Properties = strings.Split(value, ",")
		slices.Sort(r.Properties)
		if n := len(r.Properties); len(slices.Compact(r.Properties)) != n || n > 200 || slices.Contains(r.Properties, "") {
			return refuse(ErrParameter, "bad_properties", name, "properties must be different names joined by commas")
		}
	case "plan":
		id := strings.TrimPrefix(value, "series:")
		if !isUUID(id) {
			return refuse(ErrParameter, "bad_plan", name, "plan must be an id or series:<id>")
		}
		r.Plan = value
	default:
		return refuse(ErrParameter, "unknown_parameter", clip(name), "parameter %q is not known here", clip(name))
	}
	return nil
}

// ParseLayers reads the layer part of a path.
func ParseLayers(s string) ([]string, error) {
	if s == "" || len(s) > maxLayers*64 {
		return nil, refuse(ErrUnknownLayer, "unknown_layer", "layers", "no such layer")
	}
	ids := strings.Split(s, ",")
	if len(ids) > maxLayers {
		return nil, refuse(ErrParameter, "too_many_layers", "layers", "at most %d layers in one tile", maxLayers)
	}
	for i, id := range ids {
		if !IsLayerID(id) {
			return nil, refuse(ErrUnknownLayer, "unknown_layer", "layers", "no such layer")
		}
		if i > 0 && ids[i-1] >= id {
			return nil, refuse(ErrParameter, "layers_not_sorted", "layers", "layers must be sorted and unique, so that a tile has one address")
		}
	}
	return ids, nil
}

// IsLayerID reports whether s can be the id of a layer.
func IsLayerID(s string) bool {
	if s == "" || len(s) > 63 || s == "style" || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

// pathNumber takes only the canonical decimal form below limit.
func pathNumber(name, s string, limit int) (int, error) {
	ok := s != "" && len(s) <= 8 && (s == "0" || s[0] != '0')
	for _, c := range []byte(s) {
		ok = ok && c >= '0' && c <= '9'
	}
	if !ok {
		return 0, refuse(ErrRange, "bad_tile_number", name, "%s must be a whole number without sign or leading zeros", name)
	}
	n, err := strconv.Atoi(s)
	if err != nil || n >= limit {
		return 0, refuse(ErrRange, "tile_out_of_range", name, "%s must be less than %d here", name, limit)
	}
	return n, nil
}

func instant(name, value string, into **time.Time) error {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || t.Year() < 1 || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return refuse(ErrParameter, "bad_time", name, "%s must be one instant as RFC 3339 with offset, e.g. 2026-07-01T08:00:00+08:00", name)
	}
	t = t.UTC().Truncate(time.Microsecond) // what PostgreSQL keeps
	*into = &t
	return nil
}

// plainText is false for NUL, control characters and broken UTF-8: PostgreSQL
// would answer them with an error of its own.
func plainText(s string) bool {
	if s == "" || len(s) > maxParameter || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f })
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
				return false
			}
		}
	}
	return true
}

// clip keeps a stranger's text short and printable in our words.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
