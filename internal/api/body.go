package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON may nest.
const maxDepth = 32

// acceptBody checks, before anything is decoded, that the body is what the route
// takes.
func acceptBody(req *Request, rt *Route) *Error {
	if rt.Body == BodyNone {
		if req.hasBody {
			return problem(CodeBodyNotAllowed)
		}
		return nil
	}
	if !req.hasBody && req.Method == "DELETE" {
		return nil // a reason may be left out
	}
	if rt.Body == BodyUpload {
		return acceptUpload(req, uploadTypes())
	}
	if rt.Body == BodyPiece {
		if !req.hasBody {
			return nil // it asks to finish what is there
		}
		return acceptUpload(req, pieceTypes())
	}
	kind, params, err := mime.ParseMediaType(req.contentType)
	charset := params["charset"]
	if rt.Body == BodyAlert && slices.Contains([]string{"application/xml", "text/xml", string(BodyJSON)}, kind) {
		kind = string(BodyAlert)
	}
	if err != nil || kind != string(rt.Body) || req.contentEncoding != "" ||
		charset != "" && !strings.EqualFold(charset, "utf-8") {
		return problem(CodeUnsupportedType, string(rt.Body))
	}
	return nil
}

func invalidBody(zh, en string) *Error { return problem(CodeInvalidBody, text(zh, en)) }

// readJSON decodes the body into v, a pointer to a struct. What Go's decoder lets
// pass is refused here: members the struct does not name exactly as written (it
// would match them without regard to case), members given twice (two programs in a
// row would take different ones), anything after the value, broken UTF-8 (it would
// be replaced silently), nesting without end.
func readJSON(req *Request, v any) *Error {
	body := req.body
	if len(bytes.TrimSpace(body)) == 0 {
		return invalidBody("请求体为空", "it is empty")
	}
	if !utf8.Valid(body) {
		return invalidBody("不是有效的 UTF-8", "it is not valid UTF-8")
	}
	if loneSurrogate(body) {
		return invalidBody("含有不成对的代理项转义", "it has half of a surrogate pair")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := walk(dec, reflect.TypeOf(v).Elem(), 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalidBody("JSON 之后还有内容", "something follows the JSON value")
	}
	if err := json.Unmarshal(body, v); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return invalidBody("成员 "+kind.Field+" 的类型不对", "member "+kind.Field+" has the wrong type")
		}
		return invalidBody("不是有效的 JSON", "it is not valid JSON")
	}
	return nil
}

// loneSurrogate says whether JSON escapes half a character: what would silently become
// another one.
func loneSurrogate(b []byte) bool {
	unit := func(i int) rune {
		if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
			return 0
		}
		n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
		if err != nil {
			return 0
		}
		return rune(n)
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		r := unit(i)
		if !utf16.IsSurrogate(r) {
			i++ // what is escaped is no beginning of another
			continue
		}
		if utf16.DecodeRune(r, unit(i+6)) == utf8.RuneError {
			return true
		}
		i += 11
	}
	return false
}

// walk reads one value beside the type it will become; a nil type takes anything.
func walk(dec *json.Decoder, t reflect.Type, depth int) *Error {
	bad := invalidBody("不是有效的 JSON", "it is not valid JSON")
	tok, err := dec.Token()
	if err != nil {
		return bad
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		if s, isText := tok.(string); isText && strings.ContainsRune(s, 0) {
			return invalidBody("含有 NUL 字符", "it contains a NUL character")
		}
		return nil
	}
	if depth++; depth > maxDepth {
		return invalidBody("嵌套过深", "it nests too deeply")
	}
	if delim == '[' {
		for dec.More() {
			if err := walk(dec, element(t), depth); err != nil {
				return err
			}
		}
	} else {
		seen := map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			name, isText := key.(string)
			if err != nil || !isText || strings.ContainsRune(name, 0) {
				return bad
			}
			if seen[name] {
				return invalidBody("成员 "+short(name)+" 重复", "member "+short(name)+" appears twice")
			}
			seen[name] = true
			inner, known := member(t, name)
			if !known {
				return invalidBody("没有成员 "+short(name), "there is no member "+short(name))
			}
			if err := walk(dec, inner, depth); err != nil {
				return err
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return bad
	}
	return nil
}

func short(name string) string {
	if r := []rune(name); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return name
}

// free types take any JSON inside.
func free(t reflect.Type) bool {
	return t == nil || t == reflect.TypeFor[json.RawMessage]() || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

func plain(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func element(t reflect.Type) reflect.Type {
	if t = plain(t); free(t) || t.Kind() != reflect.Slice {
		return nil
	}
	return t.Elem()
}

// member finds the field of exactly that name.
func member(t reflect.Type, name string) (reflect.Type, bool) {
	if t = plain(t); free(t) || t.Kind() != reflect.Struct {
		return nil, true // of another shape: Unmarshal says so
	}
	for f := range t.Fields() {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type, true
		}
	}
	return nil, false
}
