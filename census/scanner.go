package census

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxRecord bounds one feature's text, as internal/geo bounds a geometry's.
const maxRecord = 33 << 20

// maxNesting bounds brackets inside one feature.
const maxNesting = 200

var (
	errStopped   = errors.New("census: reading was stopped")
	errTruncated = errors.New("文件在记录中间结束 (the file ends inside a record)")
)

// scanner cuts JSON text into features without understanding it: it only follows
// strings and brackets. So a feature with NaN in it is cut out whole, judged by
// itself, and the next one is read.
type scanner struct{ r *bufio.Reader }

func newScanner(r io.Reader) *scanner {
	return &scanner{bufio.NewReaderSize(r, 256<<10)}
}

// skipSpace passes white space, record separators and a byte order mark.
func (s *scanner) skipSpace() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case ' ', '\t', '\r', '\n', 0x1e, 0xef, 0xbb, 0xbf:
			continue
		}
		return c, s.r.UnreadByte()
	}
}

// value reads one value's text. Beyond limit it goes on without keeping it.
func (s *scanner) value(limit int) (raw []byte, tooLarge bool, err error) {
	var buf []byte
	var stack []byte
	inString, escaped := false, false
	for {
		c, err := s.r.ReadByte()
		if errors.Is(err, io.EOF) {
			if len(buf) > 0 && len(stack) == 0 && !inString {
				return buf, tooLarge, nil // a bare number at the very end
			}
			return nil, tooLarge, errTruncated
		}
		if err != nil {
			return nil, tooLarge, err
		}
		if len(stack) == 0 && !inString && len(buf) > 0 {
			switch c { // the end of a bare word or number
			case ',', ']', '}', ' ', '\t', '\r', '\n', ':':
				return buf, tooLarge, s.r.UnreadByte()
			}
		}
		if len(buf) < limit {
			buf = append(buf, c)
		} else {
			tooLarge = true
		}
		switch {
		case inString:
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				inString = false
				if len(stack) == 0 {
					return buf, tooLarge, nil
				}
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if len(stack) == maxNesting {
				return nil, tooLarge, fmt.Errorf("嵌套超过 %d 层 (nested too deep)", maxNesting)
			}
			stack = append(stack, c+2)
		case c == '}' || c == ']':
			if len(stack) == 0 || stack[len(stack)-1] != c {
				return nil, tooLarge, errors.New("括号不配对 (brackets do not match)")
			}
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				return buf, tooLarge, nil
			}
		}
	}
}

// features calls yield for every feature of the text.
func (s *scanner) features(yield func(raw []byte, tooLarge bool) bool) error {
	found := false
	for {
		c, err := s.skipSpace()
		if errors.Is(err, io.EOF) {
			if !found {
				return errEmptyFile
			}
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		switch c {
		case '{':
			if err := s.object(yield); err != nil {
				return err
			}
		case '[': // an array of features
			if _, err := s.r.ReadByte(); err != nil {
				return err
			}
			if err := s.array(yield); err != nil {
				return err
			}
		default:
			return fmt.Errorf("不是 GeoJSON (text begins with %q)", c)
		}
	}
}

// object reads a top-level object: the members of a collection's "features" are
// handed out one by one, another object is handed out whole.
func (s *scanner) object(yield func([]byte, bool) bool) error {
	if _, err := s.r.ReadByte(); err != nil {
		return err
	}
	whole := []byte{'{'}
	tooLarge, collection := false, false
	for first := true; ; first = false {
		c, err := s.skipSpace()
		if err != nil {
			return orTruncated(err)
		}
		if c == '}' && first {
			_, _ = s.r.ReadByte()
			break
		}
		key, large, err := s.value(1 << 16)
		if err != nil || large || len(key) == 0 || key[0] != '"' {
			return orTruncated(errors.Join(err, errors.New("成员名不合法 (bad member name)")))
		}
		if c, err = s.skipSpace(); err != nil {
			return orTruncated(err)
		}
		if c != ':' {
			return fmt.Errorf("成员名 %.40s 后缺冒号 (no colon)", key)
		}
		_, _ = s.r.ReadByte()
		if c, err = s.skipSpace(); err != nil {
			return orTruncated(err)
		}
		if string(key) == `"features"` && c == '[' {
			collection = true
			_, _ = s.r.ReadByte()
			if err := s.array(yield); err != nil {
				return err
			}
		} else {
			raw, large, err := s.value(maxRecord)
			if err != nil {
				return err
			}
			if tooLarge = tooLarge || large || len(whole)+len(raw) > maxRecord; !tooLarge && !collection {
				if len(whole) > 1 {
					whole = append(whole, ',')
				}
				whole = append(append(append(whole, key...), ':'), raw...)
			}
		}
		if c, err = s.skipSpace(); err != nil {
			return orTruncated(err)
		}
		_, _ = s.r.ReadByte()
		if c == '}' {
			break
		}
		if c != ',' {
			return fmt.Errorf("对象成员之间缺逗号 (found %q)", c)
		}
	}
	if collection {
		return nil
	}
	if !yield(append(whole, '}'), tooLarge) {
		return errStopped
	}
	return nil
}

// array hands out elements until the closing bracket; the opening one is read.
func (s *scanner) array(yield func([]byte, bool) bool) error {
	for first := true; ; first = false {
		c, err := s.skipSpace()
		if err != nil {
			return orTruncated(err)
		}
		if c == ']' && first {
			_, _ = s.r.ReadByte()
			return nil
		}
		raw, large, err := s.value(maxRecord)
		if err != nil {
			return err
		}
		if !yield(raw, large) {
			return errStopped
		}
		if c, err = s.skipSpace(); err != nil {
			return orTruncated(err)
		}
		_, _ = s.r.ReadByte()
		switch c {
		case ',':
		case ']':
			return nil
		default:
			return fmt.Errorf("数组元素之间缺逗号 (found %q)", c)
		}
	}
}

func orTruncated(err error) error {
	if errors.Is(err, io.EOF) {
		return errTruncated
	}
	return err
}

// findCRS looks for the old "crs" member of the first object, before its features
// or after them.
//
//nolint:nilerr // a text it cannot follow names no CRS; reading the features reports the fault
func (s *scanner) findCRS() (string, error) {
	c, err := s.skipSpace()
	if err != nil || c != '{' {
		return "", nil
	}
	_, _ = s.r.ReadByte()
	for {
		if c, err = s.skipSpace(); err != nil || c != '"' {
			return "", nil
		}
		key, _, err := s.value(1 << 16)
		if err != nil {
			return "", nil
		}
		if c, err = s.skipSpace(); err != nil || c != ':' {
			return "", nil
		}
		_, _ = s.r.ReadByte()
		if _, err = s.skipSpace(); err != nil {
			return "", nil
		}
		raw, _, err := s.value(1 << 16) // features are passed over, not kept
		if err != nil {
			return "", nil
		}
		if string(key) == `"crs"` {
			return crsName(raw)
		}
		if c, err = s.skipSpace(); err != nil || c != ',' {
			return "", nil
		}
		_, _ = s.r.ReadByte()
	}
}

// crsName reads both old forms: a name, and an EPSG number.
func crsName(raw []byte) (string, error) {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return "", nil
	}
	var v struct {
		Type       string `json:"type"`
		Properties struct {
			Name string      `json:"name"`
			Code json.Number `json:"code"`
		} `json:"properties"`
	}
	err := json.Unmarshal(raw, &v)
	switch {
	case err == nil && v.Properties.Name != "":
		return v.Properties.Name, nil
	case err == nil && strings.EqualFold(v.Type, "EPSG") && v.Properties.Code != "":
		return "EPSG:" + v.Properties.Code.String(), nil
	}
	return "", errors.New("crs 成员不可读,请用 --crs 指定 (unreadable crs member; name the system with --crs)")
}

// mentions reports whether a text holds the word at all: much faster than to
// follow its structure.
func mentions(r io.Reader, word string) (bool, error) {
	buf := make([]byte, 256<<10)
	kept := 0
	for {
		n, err := r.Read(buf[kept:])
		if bytes.Contains(buf[:kept+n], []byte(word)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		keep := min(len(word)-1, kept+n)
		copy(buf, buf[kept+n-keep:kept+n])
		kept = keep
	}
}

// splitObject gives the members of an object's text without judging the values.
func splitObject(raw []byte) (map[string]json.RawMessage, error) {
	s := &scanner{bufio.NewReaderSize(bytes.NewReader(raw), 512)}
	if c, err := s.skipSpace(); err != nil || c != '{' {
		return nil, errors.New("census: not an object")
	}
	_, _ = s.r.ReadByte()
	out := map[string]json.RawMessage{}
	for {
		c, err := s.skipSpace()
		if err != nil {
			return nil, orTruncated(err)
		}
		if c == '}' && len(out) == 0 {
			return out, nil
		}
		rawKey, _, err := s.value(len(raw))
		if err != nil {
			return nil, err
		}
		var key string
		if err := json.Unmarshal(rawKey, &key); err != nil {
			return nil, errors.New("census: bad member name")
		}
		if c, err = s.skipSpace(); err != nil || c != ':' {
			return nil, errors.New("census: no colon")
		}
		_, _ = s.r.ReadByte()
		if _, err = s.skipSpace(); err != nil {
			return nil, orTruncated(err)
		}
		value, _, err := s.value(len(raw) + 1)
		if err != nil {
			return nil, err
		}
		if _, twice := out[key]; twice {
			return nil, errors.New("census: member given twice")
		}
		out[key] = value
		if c, err = s.skipSpace(); err != nil {
			return nil, orTruncated(err)
		}
		_, _ = s.r.ReadByte()
		if c == '}' {
			return out, nil
		}
		if c != ',' {
			return nil, errors.New("census: no comma")
		}
	}
}
