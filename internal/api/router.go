package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"onemap/internal/auth"
)

// HandlerFunc answers one request.
type HandlerFunc func(ctx context.Context, req *Request) (*Response, error)

// Route is one line of the route table.
type Route struct {
	Method  string
	Pattern string // /tiles/{layers}/{z}/{x}/{y}.mvt
	Name    string // label of metrics, operationId of the documents
	Handler HandlerFunc
	// Query names the parameters allowed; everything else is 400. OpenQuery leaves
	// the check to the handler (layer fields as filters).
	Query     []string
	OpenQuery bool
	// Access says who may call; Needs are the permissions of which AccessMay and
	// AccessMachine want one.
	Access Access
	Needs  []auth.Permission
	// Body is what an unsafe method carries, BodyLimit how much of it (by kind when 0).
	Body      BodyKind
	BodyLimit int
	// Identified routes are open and still want to know who asks.
	Identified bool
	// Anywhere routes answer callers from other machines before accounts exist.
	Anywhere bool
	// Tells has the answer say where the change feed stands, where the handler did not.
	Tells bool
	// Exempt routes are not counted against the limit of requests at once.
	Exempt bool
	// Known says whether a concrete path exists, for the one route that stands for
	// the files of the site.
	Known func(path string) bool
	// Document says which OpenAPI document describes the route: "api", "ogc" or ""
	// for files.
	Document string

	pattern []segment
}

// segment is one part of a pattern: text, or a placeholder with what surrounds it.
type segment struct {
	text           string
	param          bool
	prefix, suffix string
}

// rank orders candidates: text beats placeholders, placeholders with a fixed end
// beat bare ones.
func (s segment) rank() int {
	switch {
	case !s.param:
		return 0
	case s.prefix != "" || s.suffix != "":
		return 1
	}
	return 2
}

func (s segment) match(v string) (string, bool) {
	if !s.param {
		return "", v == s.text
	}
	if len(v) <= len(s.prefix)+len(s.suffix) || !strings.HasPrefix(v, s.prefix) || !strings.HasSuffix(v, s.suffix) {
		return "", false
	}
	return v[len(s.prefix) : len(v)-len(s.suffix)], true
}

// router finds the route of a path. Patterns are grouped by their number of
// segments and ordered so that the first match is the most exact one.
type router struct {
	routes  []*Route
	byDepth [][]*Route
	files   []*Route
}

func newRouter(routes []*Route) (*router, error) {
	r := &router{routes: routes}
	seen := map[string]bool{}
	for _, rt := range routes {
		key := rt.Method + " " + rt.Pattern
		if seen[key] {
			return nil, fmt.Errorf("api: route %s is in the table twice", key)
		}
		seen[key] = true
		if err := rt.check(); err != nil {
			return nil, err
		}
		if rt.Known != nil {
			r.files = append(r.files, rt)
			continue
		}
		segs, err := parsePattern(rt.Pattern)
		if err != nil {
			return nil, err
		}
		rt.pattern = segs
		for len(r.byDepth) <= len(segs) {
			r.byDepth = append(r.byDepth, nil)
		}
		r.byDepth[len(segs)] = append(r.byDepth[len(segs)], rt)
	}
	for _, group := range r.byDepth {
		slices.SortStableFunc(group, func(a, b *Route) int {
			for i := range a.pattern {
				if c := cmp.Compare(a.pattern[i].rank(), b.pattern[i].rank()); c != 0 {
					return c
				}
			}
			return 0
		})
	}
	return r, nil
}

func parsePattern(p string) ([]segment, error) {
	if p == "/" {
		return nil, nil
	}
	if !strings.HasPrefix(p, "/") {
		return nil, fmt.Errorf("api: pattern %q does not begin with a slash", p)
	}
	parts := strings.Split(p[1:], "/")
	segs := make([]segment, len(parts))
	for i, s := range parts {
		open, closing := strings.IndexByte(s, '{'), strings.IndexByte(s, '}')
		switch {
		case open < 0 && closing < 0:
			segs[i] = segment{text: s}
		case open >= 0 && closing > open+1:
			segs[i] = segment{param: true, prefix: s[:open], suffix: s[closing+1:]}
		default:
			return nil, fmt.Errorf("api: pattern %q has a broken placeholder", p)
		}
	}
	return segs, nil
}

// find returns the route and its placeholders' values. Without a route for the
// method but with one for the path it returns what the path allows.
func (r *router) find(method, path string, segments []string) (rt *Route, params []string, allow string) {
	lookup := method
	if method == "HEAD" {
		lookup = "GET"
	}
	var methods []string
	try := func(c *Route, p []string) bool {
		if c.Method == lookup {
			rt, params = c, p
			return true
		}
		methods = append(methods, c.Method)
		return false
	}
	if len(segments) < len(r.byDepth) {
	candidates:
		for _, c := range r.byDepth[len(segments)] {
			var p []string
			for i, s := range c.pattern {
				v, ok := s.match(segments[i])
				if !ok {
					continue candidates
				}
				if s.param {
					p = append(p, v)
				}
			}
			if try(c, p) {
				return rt, params, ""
			}
		}
	}
	for _, c := range r.files {
		if c.Known(path) && try(c, nil) {
			return rt, params, ""
		}
	}
	if len(methods) == 0 {
		return nil, nil, ""
	}
	if slices.Contains(methods, "GET") {
		methods = append(methods, "HEAD")
	}
	methods = append(methods, "OPTIONS")
	slices.Sort(methods)
	return nil, nil, strings.Join(slices.Compact(methods), ", ")
}
