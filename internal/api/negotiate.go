package api

import (
	"strconv"
	"strings"

	"onemap/internal/registry"
)

// language picks the language of titles and problems: Chinese unless the client
// prefers English.
func language(header string) registry.Lang {
	best, bestQ := registry.Chinese, 0.0
	for name, q := range preferences(header) {
		var l registry.Lang
		switch {
		case name == "*" || name == "zh" || strings.HasPrefix(name, "zh-"):
			l = registry.Chinese
		case name == "en" || strings.HasPrefix(name, "en-"):
			l = registry.English
		default:
			continue
		}
		if q > bestQ {
			best, bestQ = l, q
		}
	}
	return best
}

// preferences yields the members of an Accept-* header with their weights.
func preferences(header string) func(func(string, float64) bool) {
	return func(yield func(string, float64) bool) {
		for part := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(part, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" {
				continue
			}
			q := 1.0
			for p := range strings.SplitSeq(params, ";") {
				if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
					if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
						q = f
					}
				}
			}
			if !yield(name, q) {
				return
			}
		}
	}
}

// acceptsGzip reads Accept-Encoding; gzip;q=0 refuses it (RFC 9110 §12.5.3).
func acceptsGzip(header string) bool {
	any := false
	for name, q := range preferences(header) {
		switch name {
		case "gzip", "x-gzip":
			return q > 0
		case "*":
			any = q > 0
		}
	}
	return any
}

// matchesETag is the weak comparison of If-None-Match (RFC 9110 §13.1.2).
func matchesETag(header, tag string) bool {
	if header == "" || tag == "" {
		return false
	}
	if strings.TrimSpace(header) == "*" {
		return true
	}
	want := strings.TrimPrefix(tag, "W/")
	for part := range strings.SplitSeq(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(part), "W/") == want {
			return true
		}
	}
	return false
}
