package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"onemap/internal/api"
	"onemap/internal/db"
	"onemap/internal/features"
)

// TestBadInput is the table of what people and programs get wrong. None may be 500,
// and each tells by a stable code what it was.
func TestBadInput(t *testing.T) {
	e := start(t)
	e.county()
	long := strings.Repeat("x", 5000)
	ones := strings.TrimSuffix(strings.Repeat("level=1 or ", 10_000), " or ")
	for _, c := range []struct {
		path   string
		status int
		code   string
	}{
		{"/tiles/hazards/-1/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/31/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/99/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/3/8/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/8.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/-1.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/1.5/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/0x1/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/+1/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/01/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/10000000000000000000/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/0.pbf", 404, "not_found"},
		{"/tiles/hazards/3/0/0", 404, "not_found"},
		{"/tiles/pg_user/3/0/0.mvt", 404, "not_found"},
		{"/tiles/a;drop/3/0/0.mvt", 400, "bad_path"},
		{"/tiles/a%3Bdrop/3/0/0.mvt", 404, "not_found"},
		{"/tiles/hazards,hazards/3/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/shelters,hazards/3/0/0.mvt", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/0.mvt?v=1", 400, "unknown_parameter"},
		{"/tiles/hazards/12/3404/1634.mvt?filter=level=1&filter=level=2", 400, "repeated_parameter"},
		{"/tiles/hazards/12/3404/1634.mvt?filter=pg_sleep(9)=1", 400, "invalid_parameter"},
		{"/tiles/hazards/12/3404/1634.mvt?filter=password_hash=%27x%27", 400, "invalid_parameter"},
		{"/tiles/hazards/12/3404/1634.mvt?filter=" + strings.Repeat("(", 4000) + "level=1", 400, "invalid_parameter"},
		{"/tiles/hazards/12/3404/1634.mvt?filter=" + url.QueryEscape(ones)[:9000], 400, "invalid_parameter"},
		{"/tiles/hazards/12/3404/1634.mvt?filter=name%20like%20%27%00%27", 400, "bad_query"},
		{"/tiles/hazards/3/0/0.mvt?datetime=yesterday", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/0.mvt?as_of=2026-01-01", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/0.mvt?plan=1", 400, "invalid_parameter"},
		{"/tiles/hazards/3/0/0.mvt?properties=password", 400, "invalid_parameter"},
		{"/tiles/nope.json", 404, "not_found"},
		{"/tiles/style.json?theme=pink", 400, "invalid_parameter"},
		{"/tiles/style.json?x=1", 400, "unknown_parameter"},
		{"/basemap/3/9/0.mvt", 400, "invalid_parameter"},
		{"/basemap/0/0/0.mvt?filter=1", 400, "unknown_parameter"},

		{"/ogc/collections/pg_user", 404, "not_found"},
		{"/ogc/collections/pg_user/items", 404, "not_found"},
		{"/ogc/collections/hazards/items?limit=-1", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?limit=0", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?limit=10000000000", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?limit=abc", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?limit=1e3", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=1,2,3", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=NaN,2,3,4", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=1e999,2,3,4", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=-181,0,1,1", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=0,-91,1,1", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=0,5,1,1", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?bbox=0,0,1,1&bbox-crs=EPSG:9999", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?datetime=2026", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?datetime=../..", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?datetime=2026-02-01T00:00:00Z/2026-01-01T00:00:00Z", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?as_of=infinity", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?sortby=(select+1)", 400, "unknown_parameter"},
		{"/ogc/collections/hazards/items?attrs=1", 400, "unknown_parameter"},
		{"/ogc/collections/hazards/items?address=x", 400, "unknown_parameter"}, // a field, but not one to filter by
		{"/ogc/collections/hazards/items?threatened_persons=bad", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?threatened_persons=99999999999999999999", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?exercise=maybe", 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?name=a%00b", 400, "bad_query"},
		{"/ogc/collections/hazards/items?name=%ff", 400, "bad_query"},
		{"/ogc/collections/hazards/items?name=%zz", 400, "bad_query"},
		{"/ogc/collections/hazards/items?cursor=" + long, 400, "invalid_parameter"},
		{"/ogc/collections/hazards/items?cursor=%C3%A9", 400, "invalid_parameter"},
		{"/ogc/conformance?f=html", 400, "unknown_parameter"},

		{"/api/identify", 400, "missing_parameter"},
		{"/api/identify?lon=119", 400, "missing_parameter"},
		{"/api/identify?lon=181&lat=0", 400, "invalid_parameter"},
		{"/api/identify?lon=0&lat=91", 400, "invalid_parameter"},
		{"/api/identify?lon=NaN&lat=0", 400, "invalid_parameter"},
		{"/api/identify?lon=Infinity&lat=0", 400, "invalid_parameter"},
		{"/api/identify?lon=1e2&lat=0", 400, "invalid_parameter"},
		{"/api/identify?lon=0x10&lat=0", 400, "invalid_parameter"},
		{"/api/identify?lon=119&lat=34&radius_m=-1", 400, "invalid_parameter"},
		{"/api/identify?lon=119&lat=34&radius_m=1000000", 400, "invalid_parameter"},
		{"/api/identify?lon=119&lat=34&layers=nope", 404, "not_found"},
		{"/api/identify?lon=119&lat=34&layers=", 404, "not_found"},
		{"/api/search", 400, "missing_parameter"},
		{"/api/search?q=", 400, "missing_parameter"},
		{"/api/search?q=" + long, 400, "invalid_parameter"},
		{"/api/search?q=a%00", 400, "bad_query"},
		{"/api/search?q=x&limit=101", 400, "invalid_parameter"},
		{"/api/live", 400, "missing_parameter"},
		{"/api/live?topics=nope", 400, "invalid_parameter"},
		{"/api/live?topics=tiles,restricted.contact", 400, "invalid_parameter"},
		{"/api/live?topics=tiles&since=yesterday", 400, "invalid_parameter"},
		{"/api/nope", 404, "not_found"},
		{"/api/layers?x=1", 400, "unknown_parameter"},
	} {
		e.wantProblem(e.get(c.path), c.status, c.code)
	}
	// What looks odd but is right is answered.
	for _, path := range []string{
		"/api/identify?lon=180&lat=90&radius_m=5000", "/api/identify?lon=-180&lat=-90", "/api/identify?lon=179.9999&lat=0&radius_m=5000",
		"/ogc/collections/hazards/items?limit=1000000000", "/ogc/collections/hazards/items?bbox=-180,-90,180,90", "/ogc/collections/hazards/items?name=%27%3B%20drop%20table%20hazards%3B--",
		"/api/search?q=%27%3B--", "/api/search?q=%25_%5C", "/api/search?q=%F0%9F%8C%8B", "/api/search?q=(a%2B)%2B%24",
	} {
		if r := e.get(path); r.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	if l := e.logs.String(); strings.Contains(l, "request failed") {
		t.Errorf("something failed inside: %s", l[strings.Index(l, "request failed"):][:300])
	}
}

func TestMethods(t *testing.T) {
	e := start(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} {
		r := e.do(method, "/api/layers")
		e.wantProblem(r, 405, "method_not_allowed")
		if r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: Allow %q", method, r.Header.Get("Allow"))
		}
		e.wantProblem(e.do(method, "/no/such/path"), 404, "not_found")
	}
	if r := e.do("OPTIONS", "/ogc/collections/hazards/items"); r.StatusCode != 204 || r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("OPTIONS: %d %v", r.StatusCode, r.Header)
	}
	if r := e.do("OPTIONS", "/nope"); r.StatusCode != 404 {
		t.Errorf("OPTIONS of nothing: %d", r.StatusCode)
	}
	// Nothing tells another site that it may read.
	r := e.get("/api/layers", "Origin", "https://evil.example")
	if r.Header.Get("Access-Control-Allow-Origin") != "" || r.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("cross-origin headers: %v", r.Header)
	}
}

func TestLanguages(t *testing.T) {
	e := start(t)
	for header, want := range map[string]string{
		"": "未找到", "zh-CN": "未找到", "en": "Not found", "en-US,en;q=0.9": "Not found", "fr": "未找到",
		"fr;q=1, en;q=0.5": "Not found", "en;q=0.3, zh;q=0.8": "未找到", "en;q=0": "未找到", "garbage;;;q=": "未找到",
	} {
		r := e.get("/nope", "Accept-Language", header)
		if !strings.Contains(string(r.body), `"title":"`+want+`"`) {
			t.Errorf("%q: %s", header, r.body)
		}
	}
}

// TestOnlyThisMachine tries to get in from elsewhere and through others.
func TestOnlyThisMachine(t *testing.T) {
	e := startEmpty(t, db.Options{})
	ask := func(from net.Addr, path, host string, headers ...string) reply {
		t.Helper()
		c, err := e.mem.DialWithLocalAddr(from)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n"
		for i := 0; i+1 < len(headers); i += 2 {
			req += headers[i] + ": " + headers[i+1] + "\r\n"
		}
		go func() { _, _ = io.WriteString(c, req+"\r\n") }()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		resp.Request = &http.Request{URL: &url.URL{Path: path + " to " + host}}
		return reply{resp, body}
	}
	here := loopback()
	six := &net.TCPAddr{IP: net.IPv6loopback, Port: 1}
	for _, host := range []string{"localhost", "localhost:8080", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"} {
		for _, from := range []net.Addr{here, six} {
			if r := ask(from, "/api/about", host); r.StatusCode != 200 {
				t.Errorf("%s from %s: %d", host, from, r.StatusCode)
			}
		}
	}
	for _, host := range []string{
		"evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2", "0.0.0.0", "localhost:", "127.1", "2130706433", "localhost.", "192.168.1.5", "[::ffff:127.0.0.1]",
	} {
		e.wantProblem(ask(here, "/api/about", host), 503, "setup_required")
	}
	for _, host := range []string{"localhost:x", "::1", "[::1", "local host", "localhost, evil.example"} {
		if r := ask(here, "/api/about", host); r.StatusCode != 400 && r.StatusCode != 503 {
			t.Errorf("%s: %d", host, r.StatusCode)
		}
	}
	for _, ip := range []string{"10.0.0.5", "192.168.1.2", "8.8.8.8", "fe80::1", "::ffff:10.0.0.5"} {
		from := &net.TCPAddr{IP: net.ParseIP(ip), Port: 5}
		for _, path := range []string{"/", "/api/about", "/tiles/hazards/3/0/0.mvt", "/ogc", "/metrics", "/api/live?topics=tiles", "/nope", "//bad", "/signin", "/api/users", "/api/code-lists", "/api/openapi.json"} {
			r := ask(from, path, "localhost")
			e.wantProblem(r, 503, "setup_required")
			if r.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		}
		for _, path := range []string{"/healthz", "/readyz", "/api/me", "/api/setup", "/setup"} {
			r := ask(from, path, "onemap.county.example")
			if r.StatusCode != 200 {
				t.Errorf("%s from %s: %d", path, ip, r.StatusCode)
			}
			if strings.Contains(string(r.body), "position") || strings.Contains(string(r.body), "checks") {
				t.Errorf("%s tells strangers how it goes: %s", path, r.body)
			}
		}
	}
	for _, h := range []string{"X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP"} {
		e.wantProblem(ask(here, "/api/about", "localhost", h, "127.0.0.1"), 503, "setup_required")
	}
}

// faulty answers questions as a broken program or a busy database would.
type faulty struct {
	api.Questions
	search func(context.Context) ([]features.Found, error)
}

func (f faulty) Search(ctx context.Context, _ features.Asker, _ features.SearchQuery) ([]features.Found, error) {
	return f.search(ctx)
}

type sqlError struct{ state string }

func (e sqlError) Error() string    { return "ERROR: select secret from users (SQLSTATE " + e.state + ")" }
func (e sqlError) SQLState() string { return e.state }

func TestFailuresInside(t *testing.T) {
	var fail func(context.Context) ([]features.Found, error)
	e := start(t, func(o *api.Options) {
		o.Features = faulty{o.Features, func(ctx context.Context) ([]features.Found, error) { return fail(ctx) }}
	})
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"unknown", errors.New("select secret from users at store.go:12"), 500, "internal"},
		{"pool", fmt.Errorf("features: %w", db.ErrBusy), 503, "overloaded"},
		{"statement timeout", sqlError{"57014"}, 503, "query_timeout"},
		{"lock timeout", sqlError{"55P03"}, 503, "overloaded"},
		{"deadlock", sqlError{"40P01"}, 503, "overloaded"},
		{"serialization", sqlError{"40001"}, 503, "overloaded"},
		{"shut down", sqlError{"57P01"}, 503, "unavailable"},
		{"starting", sqlError{"57P03"}, 503, "unavailable"},
		{"lost connection", sqlError{"08006"}, 503, "unavailable"},
		{"refused", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, 503, "unavailable"},
		{"cut off", io.ErrUnexpectedEOF, 503, "unavailable"},
		{"disk full", sqlError{"53100"}, 507, "disk_full"},
		{"text no database takes", sqlError{"22021"}, 400, "bad_query"},
		{"our own mistake", sqlError{"42703"}, 500, "internal"},
	} {
		fail = func(context.Context) ([]features.Found, error) { return nil, c.err }
		r := e.get("/api/search?q=x")
		e.wantProblem(r, c.status, c.code)
		if c.status == 503 && r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: 503 without Retry-After", c.name)
		}
	}
	fail = func(context.Context) ([]features.Found, error) { panic("encodeGeometry: empty ring") }
	e.wantProblem(e.get("/api/search?q=x"), 500, "internal")
	if r := e.get("/healthz"); r.StatusCode != 200 {
		t.Errorf("after a panic: %d", r.StatusCode)
	}
	if l := e.logs.String(); !strings.Contains(l, "empty ring") || !strings.Contains(l, "refusals_test.go") {
		t.Error("the panic is not in the log with its place")
	}
}

// TestOverloadIsShed fills all slots and asks once more.
func TestOverloadIsShed(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	e := start(t, func(o *api.Options) {
		o.Concurrency = 2
		o.Features = faulty{o.Features, func(context.Context) ([]features.Found, error) {
			entered <- struct{}{}
			<-leave
			return nil, nil
		}}
	})
	e.documents() // fetched now, while there is room
	results := make(chan int, 2)
	for range 2 {
		go func() {
			req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://localhost/api/search?q=x", nil)
			resp, err := e.client.Do(req)
			if err != nil {
				results <- 0
				return
			}
			resp.Body.Close()
			results <- resp.StatusCode
		}()
		<-entered
	}
	r := e.get("/api/about")
	e.wantProblem(r, 503, "overloaded")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, p := range []string{"/healthz", "/readyz", "/metrics"} {
		if r := e.get(p); r.StatusCode != 200 {
			t.Errorf("under load %s answers %d", p, r.StatusCode)
		}
	}
	close(leave)
	for range 2 {
		if code := <-results; code != 200 {
			t.Errorf("an admitted request ended with %d", code)
		}
	}
	if r := e.get("/api/about"); r.StatusCode != 200 {
		t.Errorf("after the load: %d", r.StatusCode)
	}
}

// TestReadYourWrite sends a position and must see at least that state.
func TestReadYourWrite(t *testing.T) {
	e := start(t)
	var xid uint64
	if err := e.conn.QueryRow(t.Context(), `with w as (insert into hazards (name, level, geom) values ('mine', 1, st_setsrid(st_makepoint(119.25, 34.15), 4490))) select pg_current_xact_id()`).Scan(&xid); err != nil {
		t.Fatal(err)
	}
	r := e.get("/tiles/hazards/12/3404/1634.mvt", "Onemap-After", fmt.Sprintf("%d.1", xid))
	if r.StatusCode != 200 {
		t.Errorf("the tile does not show the write: %d", r.StatusCode)
	}
	e.wantProblem(e.get("/api/layers", "Onemap-After", "now"), 400, "invalid_parameter")
}

func TestPositionsOfTheFutureAreNotWaitedForEver(t *testing.T) {
	e := start(t, shortPatience)
	r := e.get("/api/layers", "Onemap-After", "999999999999.1")
	e.wantProblem(r, 503, "not_caught_up")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
