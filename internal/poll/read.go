package poll

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// read makes observations of an answer. A line without station or time is an error of the
// mapping only if no line has them; a value that is missing is left out.
func (s Source) read(body []byte) ([]Value, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrSource)
	}
	var out []Value
	var err error
	if s.Format == CSV {
		out, err = s.readCSV(body)
	} else {
		out, err = s.readJSON(body)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	return out, nil
}

// line reads one record by a function that looks a column or path up.
func (s Source) line(out []Value, get func(name string) string, zone *time.Location) ([]Value, bool) {
	station := strings.TrimSpace(get(s.Station))
	at, ok := s.time(strings.TrimSpace(get(s.At)), zone)
	if station == "" || !ok {
		return out, false
	}
	for _, m := range slices.Sorted(maps.Keys(s.Values)) {
		text := strings.TrimSpace(get(s.Values[m]))
		if text == "" || slices.Contains(s.Missing, text) {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || slices.ContainsFunc(s.Missing, func(x string) bool { n, err := strconv.ParseFloat(x, 64); return err == nil && n == v }) {
			continue
		}
		out = append(out, Value{Station: station, Measure: m, Value: &v, At: at})
	}
	return out, true
}

func (s Source) time(text string, zone *time.Location) (time.Time, bool) {
	switch s.Layout {
	case "":
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil
	case "unix", "unix_ms":
		n, err := strconv.ParseInt(text, 10, 64)
		if s.Layout == "unix" {
			return time.Unix(n, 0), err == nil
		}
		return time.UnixMilli(n), err == nil
	}
	t, err := time.ParseInLocation(s.Layout, text, zone)
	return t, err == nil
}

func (s Source) readCSV(body []byte) ([]Value, error) {
	zone, err := s.zone()
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	if s.Comma != "" {
		r.Comma, _ = utf8.DecodeRuneInString(s.Comma)
	}
	head, err := r.Read()
	if err != nil {
		return nil, errors.New("there is no header line")
	}
	column := map[string]int{}
	for i, h := range head {
		column[strings.TrimSpace(h)] = i
	}
	for _, name := range append([]string{s.Station, s.At}, slices.Collect(maps.Values(s.Values))...) {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("there is no column %q", name)
		}
	}
	var out []Value
	read := 0
	for n := range maxRows {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d cannot be read", n+2)
		}
		var ok bool
		out, ok = s.line(out, func(name string) string {
			if i := column[name]; i < len(rec) {
				return rec[i]
			}
			return ""
		}, zone)
		if ok {
			read++
		} else if read == 0 && n > 20 {
			return nil, errors.New("no line has a station and a time")
		}
	}
	return out, nil
}

func (s Source) readJSON(body []byte) ([]Value, error) {
	zone, err := s.zone()
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var all any
	if err := dec.Decode(&all); err != nil {
		return nil, errors.New("it is not JSON")
	}
	list, ok := at(all, s.Rows).([]any)
	if !ok {
		return nil, errors.New("there is no array where the mapping says")
	}
	if len(list) > maxRows {
		return nil, fmt.Errorf("more than %d lines", maxRows)
	}
	var out []Value
	read := 0
	for _, rec := range list {
		var ok bool
		if out, ok = s.line(out, func(name string) string { return text(at(rec, name)) }, zone); ok {
			read++
		}
	}
	if len(list) > 0 && read == 0 {
		return nil, errors.New("no line has a station and a time")
	}
	return out, nil
}

// at follows a path of names and places, as RainfallElement.Past1hr or Coordinates.0.
func at(v any, path string) any {
	if path == "" {
		return v
	}
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	}
	return ""
}
