package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRouterPrefersTheExactPattern(t *testing.T) {
	none := func(context.Context, *Request) (*Response, error) { return nil, nil }
	route := func(method, pattern string) *Route {
		return &Route{Method: method, Pattern: pattern, Name: pattern, Handler: none, Access: AccessOpen}
	}
	r, err := newRouter([]*Route{
		route("GET", "/tiles/{layers}.json"), route("GET", "/tiles/style.json"), route("GET", "/tiles/{id}"),
		route("GET", "/tiles/{layers}/{z}/{x}/{y}.mvt"), route("GET", "/"), route("PATCH", "/tiles/{id}"), route("GET", "/a/{x}/c"), route("GET", "/a/b/{y}"),
		{Method: "GET", Pattern: "/*", Name: "files", Handler: none, Access: AccessOpen, Known: func(p string) bool { return p == "/app.js" || p == "/tiles/x/y" }},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, want, params, allow string }{
		{"GET", "/tiles/style.json", "/tiles/style.json", "", ""},
		{"GET", "/tiles/a,b.json", "/tiles/{layers}.json", "a,b", ""},
		{"GET", "/tiles/.json", "/tiles/{id}", ".json", ""},
		{"GET", "/tiles/roads", "/tiles/{id}", "roads", ""},
		{"HEAD", "/tiles/roads", "/tiles/{id}", "roads", ""},
		{"PATCH", "/tiles/roads", "/tiles/{id}", "roads", ""},
		{"PATCH", "/tiles/style.json", "/tiles/{id}", "style.json", ""},
		{"DELETE", "/tiles/roads", "", "", "GET, HEAD, OPTIONS, PATCH"},
		{"GET", "/tiles/a/1/2/3.mvt", "/tiles/{layers}/{z}/{x}/{y}.mvt", "a 1 2 3", ""},
		{"GET", "/tiles/a/1/2/.mvt", "", "", ""},
		{"GET", "/tiles/a/1/2/3", "", "", ""},
		{"GET", "/a/b/c", "/a/b/{y}", "c", ""},
		{"GET", "/a/x/c", "/a/{x}/c", "x", ""},
		{"GET", "/", "/", "", ""},
		{"GET", "/app.js", "files", "", ""},
		{"POST", "/app.js", "", "", "GET, HEAD, OPTIONS"},
		{"GET", "/nothing", "", "", ""},
		{"GET", "/tiles/", "", "", ""},
	} {
		req := &Request{}
		if e := req.decodePath(c.path); e != nil {
			t.Fatalf("%s: %v", c.path, e)
		}
		got, params, allow := r.find(c.method, req.Path, req.segments)
		name := ""
		if got != nil {
			name = got.Name
		}
		if name != c.want || strings.Join(params, " ") != c.params || allow != c.allow {
			t.Errorf("%s %s: %q %v %q, want %q %q %q", c.method, c.path, name, params, allow, c.want, c.params, c.allow)
		}
	}
	if _, err := newRouter([]*Route{route("GET", "/x"), route("GET", "/x")}); err == nil {
		t.Error("two routes of one address are accepted")
	}
	for _, bad := range []string{"x", "/{", "/a{}", "/}x{"} {
		if _, err := newRouter([]*Route{route("GET", bad)}); err == nil {
			t.Errorf("pattern %q is accepted", bad)
		}
	}
}

// FuzzTarget feeds request targets. What is accepted must be clean text that means
// the same to the standard library, so that no proxy in front reads it otherwise.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/", "/a/b?c=d", "/a%2fb", "/%2e%2e/x", "//x", "/a?%00=1", "/a?x=%ff", "/%E6%B8%85?q=%E6%B2%B3+x", "/a;b", "/a?b&c&&d=", "/a?x=1&x=2", "/a%", "/a?%zz", "*", "http://x/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, query, _ := strings.Cut(target, "?")
		r := &Request{}
		if r.decodePath(path) != nil || r.decodeQuery(query) != nil {
			return
		}
		for _, s := range r.segments {
			if s == "." || s == ".." || strings.ContainsAny(s, "/\\\x00") || !utf8.ValidString(s) {
				t.Fatalf("%q has segment %q", target, s)
			}
		}
		u, err := url.ParseRequestURI(path)
		if err != nil {
			if strings.Contains(path, "%") || utf8.ValidString(path) {
				t.Logf("net/url refuses %q: %v", path, err) // stricter elsewhere is no harm
			}
			return
		}
		if u.Path != r.Path {
			t.Fatalf("%q is %q here and %q to net/url", path, r.Path, u.Path)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return // net/url refuses semicolons
		}
		for _, p := range r.Query {
			if got := values[p.Name]; len(got) != 1 || got[0] != p.Value {
				t.Fatalf("%q: %q is %q here and %q to net/url", query, p.Name, p.Value, got)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{asked: 7, now: time.Unix(1.8e9, 0), key: "12"}.String())
	f.Add("MXx4")
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := readCursor(s)
		if !ok {
			return
		}
		again, ok := readCursor(c.String())
		if !ok || again != c {
			t.Fatalf("%q reads as %+v and then as %+v", s, c, again)
		}
	})
}

func FuzzBox(f *testing.F) {
	for _, s := range []string{"1,2,3,4", "170,0,-170,1", "1,2,3,4,5,6", "NaN,0,1,1", "1e9,0,1,1", ",,,", "-180,-90,180,90"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		boxes, err := readBox(Query{{"bbox", s}})
		if err != nil {
			return
		}
		for _, b := range boxes {
			if !(b.Min[0] >= -180 && b.Max[0] <= 180 && b.Min[1] >= -90 && b.Max[1] <= 90 && b.Min[0] <= b.Max[0] && b.Min[1] <= b.Max[1]) {
				t.Fatalf("%q gives %v", s, b)
			}
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost", "127.0.0.1:80", "[::1]", "evil", "localhost:80:80", "[::1]:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !localHost(host) {
			return
		}
		u, err := url.Parse("http://" + host + "/")
		if err != nil {
			return
		}
		switch name := strings.ToLower(u.Hostname()); name {
		case "localhost", "127.0.0.1":
		default:
			if !strings.HasSuffix(strings.ReplaceAll(name, "0", ""), ":1") && name != "::1" {
				t.Fatalf("%q is taken for this machine; net/url says %q", host, name)
			}
		}
	})
}

func TestNegotiation(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip": true, "gzip;q=0": false, "*": true, "*;q=0": false, "identity": false, "gzip;q=0, *": false, "x-gzip": true, "deflate, *;q=0.1": true,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: gzip %v", header, got)
		}
	}
	for _, c := range []struct {
		header, tag string
		want        bool
	}{
		{`"a"`, `"a"`, true}, {`W/"a"`, `"a"`, true}, {`"a"`, `W/"a"`, true}, {`"b", "a"`, `"a"`, true}, {`*`, `"a"`, true}, {`"b"`, `"a"`, false}, {``, `"a"`, false}, {`"a"`, ``, false},
	} {
		if got := matchesETag(c.header, c.tag); got != c.want {
			t.Errorf("%q against %q: %v", c.header, c.tag, got)
		}
	}
}

// TestEveryProblemHasItsWords in both languages, with a status of its own family.
func TestEveryProblemHasItsWords(t *testing.T) {
	for _, c := range []Code{
		CodeMalformed, CodeBadPath, CodeBadQuery, CodeRepeatedParameter, CodeUnknownParameter, CodeInvalidParameter, CodeMissingParameter,
		CodeBodyNotAllowed, CodeForbidden, CodeNotFound, CodeMethodNotAllowed, CodeNotAcceptable, CodeRequestTimeout, CodeTooLarge,
		CodeURITooLong, CodeHeadersTooLarge, CodeSetupRequired, CodeOverloaded, CodeUnavailable, CodeNotCaughtUp, CodeQueryTimeout, CodeClientGone, CodeDiskFull,
	} {
		w := c.words()
		if w.status == http.StatusInternalServerError {
			t.Errorf("%s has no words", c)
		}
		for _, tx := range []Text{w.title, w.detail} {
			if tx.ZH == "" || tx.EN == "" || tx.ZH == tx.EN {
				t.Errorf("%s: %+v", c, tx)
			}
			if strings.Count(tx.ZH, "%v") != strings.Count(tx.EN, "%v") {
				t.Errorf("%s: the languages take different arguments", c)
			}
		}
	}
}
