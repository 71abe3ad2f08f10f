package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"onemap/internal/api"
	"onemap/internal/api/localca"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// What somebody found who tried to get in (docs/security-review.md), each as a test.

func wholeWorld() [4]uint32 { return [4]uint32{0, 0, 16383, 16383} }

type dirty struct {
	Layer string
	Boxes [][4]uint32
}

// dirt is what a stream told of the tiles of a layer, and the numbers of its bulks.
func (s *stream) dirt(layer string) (boxes [][4]uint32, bulks []string) {
	s.t.Helper()
	for _, ev := range s.of("tiles") {
		var d dirty
		if err := json.Unmarshal([]byte(ev.Data), &d); err != nil {
			s.t.Fatal(err)
		}
		if d.Layer == layer {
			boxes = append(boxes, d.Boxes...)
		}
	}
	for _, ev := range s.of(layer) {
		var c struct {
			Op   string
			Rows *int
		}
		if err := json.Unmarshal([]byte(ev.Data), &c); err != nil {
			s.t.Fatal(err)
		}
		if c.Op == "bulk" {
			n := "-"
			if c.Rows != nil {
				n = fmt.Sprint(*c.Rows)
			}
			bulks = append(bulks, n)
		}
	}
	return boxes, bulks
}

// township opens a viewer's session of one.
func (e *env) township(name, code string) string {
	e.t.Helper()
	return e.activate(e.person(auth.NewAccount{Username: name, Name: name, Unit: code}, auth.Viewer, code))
}

// TestBulkTellsNothingOfOtherAreas: an import over two townships reaches each without
// its number and its extent, live and in replay; one inside reaches its own with both
// and the other not at all.
func TestBulkTellsNothingOfOtherAreas(t *testing.T) {
	e := start(t)
	a, b := e.township("jiazhen", "990100001"), e.township("yizhen", "990100002")
	topics := "hazards,tiles"
	one, two, all := joined(t, e.as(a, topics, "")), joined(t, e.as(b, topics, "")), joined(t, e.listen(e.unlimited(), "http://localhost", topics, ""))
	from := one.last()
	bulk := func(sql string) {
		t.Helper()
		e.exec(`set app.bulk = 'on'`)
		e.exec(sql)
		e.exec(`set app.bulk = 'off'`)
		e.settle()
	}
	bulk(`insert into hazards (name, admin_code, geom) select '跨镇' || i, case when i <= 6 then '990100001' else '990100002' end,
		st_setsrid(st_makepoint(case when i <= 6 then 119.1 else 119.9 end, 34.15), 4490) from generate_series(1, 12) i`)
	check := func(when string, s *stream, bulks string, boxes func([][4]uint32) bool) {
		t.Helper()
		waitFor(t, when, func() bool { _, got := s.dirt("hazards"); return strings.Join(got, " ") == bulks })
		if got, _ := s.dirt("hazards"); !boxes(got) {
			t.Errorf("%s: dirty %v", when, got)
		}
	}
	whole := func(got [][4]uint32) bool { return len(got) == 1 && got[0] == wholeWorld() }
	small := func(got [][4]uint32) bool {
		return len(got) == 1 && got[0][2]-got[0][0] < 60 && got[0][3]-got[0][1] < 60
	}
	for _, s := range []*stream{one, two, joined(t, e.as(a, topics, from)), joined(t, e.as(b, topics, from))} {
		check("over two townships", s, "-", whole)
	}
	check("the officer of everywhere", all, "12", small)
	check("the officer of everywhere, in replay", joined(t, e.listen(e.unlimited(), "http://localhost", topics, from)), "12", small)
	mark := joined(t, e.as(a, topics, "")).last()
	bulk(`insert into hazards (name, admin_code, geom) select '甲' || i, '990100001', st_setsrid(st_makepoint(119.1, 34.15), 4490) from generate_series(1, 5) i`)
	check("inside, live", one, "- 5", func(got [][4]uint32) bool { return len(got) == 2 && small(got[1:]) })
	check("inside, in replay", joined(t, e.as(a, topics, mark)), "5", small)
	check("inside another, in replay", joined(t, e.as(b, topics, mark)), "", func(got [][4]uint32) bool { return len(got) == 0 })
	check("inside another, live", two, "-", whole)
	// A bulk change that moves rows out of one's area.
	bulk(`update hazards set admin_code = '990100002', geom = st_setsrid(st_makepoint(119.9, 34.15), 4490) where name like '甲%'`)
	check("moved away", one, "- 5 -", func(got [][4]uint32) bool { return len(got) == 3 && got[2] == wholeWorld() })
}

// TestAMovedRowShowsOnlyOnesOwnSide: who loses a row hears where it was, who gains it
// where it is, and nobody the other place.
func TestAMovedRowShowsOnlyOnesOwnSide(t *testing.T) {
	e := start(t)
	a, b := e.township("jiazhen", "990100001"), e.township("yizhen", "990100002")
	one, two := joined(t, e.as(a, "hazards,tiles", "")), joined(t, e.as(b, "hazards,tiles", ""))
	e.exec(`insert into hazards (name, admin_code, geom) values ('搬家', '990100001', st_setsrid(st_makepoint(119.1, 34.15), 4490))`)
	waitFor(t, "the row", func() bool { return one.story("hazards") == "insert 搬家" })
	from := one.last()
	e.exec(`update hazards set admin_code = '990100002', geom = st_setsrid(st_makepoint(119.9, 34.15), 4490)`)
	e.settle()
	check := func(s *stream, story string, near, far float64) {
		t.Helper()
		waitFor(t, story, func() bool { return s.story("hazards") == story })
		boxes, _ := s.dirt("hazards")
		tile := func(lon float64) uint32 { return uint32((lon + 180) / 360 * 16384) }
		covers := func(lon float64) bool {
			return slices.ContainsFunc(boxes, func(b [4]uint32) bool { return b[0] <= tile(lon) && tile(lon) <= b[2] })
		}
		if !covers(near) || covers(far) {
			t.Errorf("%s: dirty %v", story, boxes)
		}
	}
	check(one, "insert 搬家, delete", 119.1, 119.9)
	check(joined(t, e.as(a, "hazards,tiles", from)), "delete", 119.1, 119.9)
	for _, s := range []*stream{two, joined(t, e.as(b, "hazards,tiles", from))} {
		check(s, "insert 搬家", 119.9, 119.1)
	}
}

// TestDraftsAreToldToNobody: working on a draft is silent, its publishing and its
// withdrawal are not.
func TestDraftsAreToldToNobody(t *testing.T) {
	e := start(t)
	s := joined(t, e.listen(e.unlimited(), "http://localhost", "zones,tiles", ""))
	planner := joined(t, e.as(e.activate(e.person(auth.NewAccount{Username: "guihua", Name: "规划", Unit: "990100"}, auth.Planner, "")), "zones,tiles", ""))
	from := s.last()
	e.exec(`insert into zones (name, kind, level, published, geom) values ('草稿', 'risk', 1, false, st_setsrid(st_makeenvelope(119.24, 34.14, 119.26, 34.16), 4490))`)
	e.exec(`update zones set level = 2`)
	e.exec(`insert into zones (name, kind, level, published, geom) values ('弃稿', 'risk', 1, false, st_setsrid(st_makeenvelope(119.24, 34.14, 119.26, 34.16), 4490))`)
	e.exec(`delete from zones where name = '弃稿'`)
	// Whoever may see drafts has to draw them anew.
	waitFor(t, "the planner's tiles", func() bool { boxes, _ := planner.dirt("zones"); return len(boxes) > 0 })
	e.exec(`insert into zones (name, kind, level, published, geom) values ('定稿', 'risk', 1, true, st_setsrid(st_makeenvelope(119.24, 34.14, 119.26, 34.16), 4490))`)
	waitFor(t, "the published one", func() bool { return s.story("zones") == "insert 定稿" })
	if boxes, _ := s.dirt("zones"); len(boxes) != 1 {
		t.Errorf("dirty %v", boxes)
	}
	e.settle()
	if got := joined(t, e.listen(e.unlimited(), "http://localhost", "zones,tiles", from)); got.story("zones") != "insert 定稿" {
		t.Errorf("replay: %s", got.story("zones"))
	}
	e.exec(`update zones set published = true where name = '草稿'`)
	waitFor(t, "publishing", func() bool { return s.story("zones") == "insert 定稿, update 草稿" })
	e.exec(`update zones set published = false where name = '草稿'`)
	waitFor(t, "withdrawing", func() bool { return s.story("zones") == "insert 定稿, update 草稿, delete" })
	mark := s.last()
	// A draft again: nothing of what is done to it now is heard, though it was shown once.
	e.exec(`update zones set level = 3 where name = '草稿'`)
	e.exec(`delete from zones where name = '草稿'`)
	e.exec(`delete from zones where name = '定稿'`)
	waitFor(t, "the end", func() bool { return s.story("zones") == "insert 定稿, update 草稿, delete, delete" })
	e.settle()
	if got := joined(t, e.listen(e.unlimited(), "http://localhost", "zones,tiles", "", "Last-Event-ID", mark)); got.story("zones") != "delete" {
		t.Errorf("replay of the end: %s", got.story("zones"))
	}
	// Of many at once it is not known which are drafts.
	e.exec(`set app.bulk = 'on'`)
	e.exec(`insert into zones (name, kind, level, published, geom) select '草稿' || i, 'risk', 1, false, st_setsrid(st_makeenvelope(119.24, 34.14, 119.26, 34.16), 4490) from generate_series(1, 9) i`)
	waitFor(t, "the bulk", func() bool { _, bulks := s.dirt("zones"); return slices.Equal(bulks, []string{"-"}) })
	if boxes, _ := s.dirt("zones"); boxes[len(boxes)-1] != wholeWorld() {
		t.Errorf("dirty %v", boxes)
	}
	waitFor(t, "the planner's bulk", func() bool { _, bulks := planner.dirt("zones"); return slices.Equal(bulks, []string{"9"}) })
}

// open asks for a stream and leaves it open.
func (e *env) open(topics string, headers ...string) (status int, retry, body string) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/api/live?topics="+topics, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := e.unlimited().Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 {
		b, _ := io.ReadAll(resp.Body)
		body = string(b)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), body
}

// TestStreamsOfNobody: where no layer is public there is nothing to listen to, and
// where one is nobody takes all the places.
func TestStreamsOfNobody(t *testing.T) {
	e := start(t)
	if status, _, body := e.open("tiles", nobody()...); status != 401 || !strings.Contains(body, "not_signed_in") {
		t.Errorf("without a public layer: %d %s", status, body)
	}
	full := func(who string, most int, headers ...string) {
		t.Helper()
		for i := range most {
			if status, _, body := e.open("tiles", headers...); status != 200 {
				t.Fatalf("%s: stream %d: %d %s", who, i+1, status, body)
			}
		}
		status, retry, body := e.open("tiles", headers...)
		if status != 429 || retry == "" || !strings.Contains(body, `"throttled"`) {
			t.Errorf("%s: one too many: %d, Retry-After %q, %s", who, status, retry, body)
		}
	}
	full("a person", 32)
	// Somebody else at the same address is not kept out.
	if status, _, body := e.open("tiles", "Cookie", "onemap="+e.township("jiazhen", "990100001")); status != 200 {
		t.Errorf("another person: %d %s", status, body)
	}
	e.exec(`select layer_set_visibility('shelters', 'public')`)
	waitFor(t, "a public layer", func() bool { return e.get("/api/layers", nobody()...).StatusCode == 200 })
	full("an address", 16, nobody()...)
}

// TestPlacesOfStreamsComeBack: a stream that ended counts no more.
func TestPlacesOfStreamsComeBack(t *testing.T) {
	e := startTCP(t)
	for range 3 {
		var list []*stream
		for range 20 {
			list = append(list, joined(t, e.listen(e.http, e.url, "tiles", "")))
		}
		for _, s := range list {
			s.close()
		}
		waitFor(t, "the places", func() bool {
			resp, err := e.http.Get(e.url + "/api/live?topics=tiles")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode == 200
		})
		waitFor(t, "the end of all", func() bool { return strings.Contains(string(e.get("/metrics").body), "onemap_live_streams 0\n") })
	}
}

// TestAWallSignsOut, and does nothing else.
func TestAWallSignsOut(t *testing.T) {
	e := start(t)
	_, token, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "大屏", Role: auth.Viewer, Scopes: []string{"wall"}, Network: "127.0.0.0/8", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	r := e.post("/api/session", `{"token":"`+token+`"}`, nobody()...)
	wall := session(cookieOf(t, r))
	if r := e.get("/api/layers", wall...); r.StatusCode != 200 {
		t.Fatalf("the wall: %d %s", r.StatusCode, r.body)
	}
	e.wantProblem(e.do("DELETE", "/api/session", append(wall, "Sec-Fetch-Site", "cross-site")...), 403, "cross_site")
	for _, rt := range e.server.Routes() {
		if !api.Unsafe(rt.Method) || rt.Name == "sign_out" || rt.Access == api.AccessOpen || rt.Access == api.AccessSetup {
			continue
		}
		path := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(rt.Pattern, noID)
		if r := e.do(rt.Method, path, append(wall, "Sec-Fetch-Site", "same-origin")...); r.StatusCode != 403 {
			t.Errorf("%s %s of a wall: %d", rt.Method, path, r.StatusCode)
		}
	}
	if r := e.do("DELETE", "/api/session", append(wall, "Sec-Fetch-Site", "same-origin")...); r.StatusCode != 204 {
		t.Fatalf("signing out: %d %s", r.StatusCode, r.body)
	}
	e.wantProblem(e.get("/api/layers", wall...), 401, "not_signed_in")
}

// TestSetupPageFromElsewhere: before set-up another machine gets the page with all it
// loads and the certificate to trust it by, and nothing else.
func TestSetupPageFromElsewhere(t *testing.T) {
	ca, err := localca.Open(localca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := startEmpty(t, db.Options{}, func(o *api.Options) { o.Authority = ca })
	from := func(target string) (int, string) {
		t.Helper()
		c, err := e.mem.DialWithLocalAddr(&net.TCPAddr{IP: net.IPv4(10, 9, 8, 7), Port: 40000})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: map.example\r\nConnection: close\r\n\r\n", target); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	status, page := from("/setup")
	if status != 200 {
		t.Fatalf("/setup: %d", status)
	}
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(named) < 4 {
		t.Errorf("the page names %d files", len(named))
	}
	want := []string{"/ca", "/ca/onemap-ca.crt", "/old.html", "/old.css"}
	for _, m := range named {
		want = append(want, m[1])
	}
	for _, target := range want {
		if status, body := from(target); status != 200 {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
	for _, target := range []string{"/", "/signin", "/admin", "/sprite.json", "/metrics", "/api/layers", "/api/live?topics=tiles", "/tiles/hazards/12/3404/1634.mvt"} {
		if status, _ := from(target); status != fasthttp.StatusServiceUnavailable {
			t.Errorf("%s: %d", target, status)
		}
	}
}

// TestLinksOfAPublicAddress: what a proxy passes on of the client does not get into a
// link.
func TestLinksOfAPublicAddress(t *testing.T) {
	for public, want := range map[string]string{"https://map.example": "https://map.example/ogc", "": "http://localhost/ogc"} {
		e := start(t, func(o *api.Options) {
			o.PublicURL, o.TrustedProxy = public, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		})
		for _, forwarded := range []string{"evil.example", "evil..example"} {
			if public == "" && forwarded == "evil.example" {
				continue // a host like any other: the guide tells the proxy to overwrite it
			}
			var landing struct {
				Links []struct{ Href string }
			}
			e.json("/ogc", &landing, "X-Forwarded-Host", forwarded)
			for _, l := range landing.Links {
				if !strings.HasPrefix(l.Href, want) {
					t.Errorf("%q with %s: a link to %s", public, forwarded, l.Href)
				}
			}
		}
	}
}

// TestGatewaysAreNotThisMachine: the figures are for this machine, not for whoever comes
// through a gateway on it.
func TestGatewaysAreNotThisMachine(t *testing.T) {
	e := start(t)
	if r := e.get("/metrics", nobody()...); r.StatusCode != 200 {
		t.Errorf("this machine: %d", r.StatusCode)
	}
	for _, name := range []string{"X-Envoy-External-Address", "Wl-Proxy-Client-Ip", "Forwarded-For", "X-Forwarded-For", "CF-Connecting-IP"} {
		e.wantProblem(e.get("/metrics", nobody(name, "203.0.113.9")...), 401, "not_signed_in")
	}
}

// TestAsOfNowIsNow: what was known this moment is what is shown without asking.
func TestAsOfNowIsNow(t *testing.T) {
	e := start(t)
	e.county()
	e.exec(`insert into dangers (name, kind, found_at, geom) select '隐患' || i, 'slope', now() + (i - 3) * interval '1 day', st_setsrid(st_makepoint(119.25, 34.15), 4490) from generate_series(1, 5) i`)
	e.exec(`insert into incidents (name, kind, level, occurred_at, geom) values ('预定', 'flood', 2, now() + interval '2 days', st_setsrid(st_makepoint(119.25, 34.15), 4490))`)
	e.exec(`insert into hazards (name, level, valid_from, valid_to, geom) values
		('旧', 1, '2020-01-01', '2021-01-01', st_setsrid(st_makepoint(119.25, 34.15), 4490)), ('将来', 1, now() + interval '1 day', null, st_setsrid(st_makepoint(119.25, 34.15), 4490))`)
	e.settle()
	var at time.Time
	if err := e.conn.QueryRow(t.Context(), `select clock_timestamp()`).Scan(&at); err != nil {
		t.Fatal(err)
	}
	now := "as_of=" + url.QueryEscape(at.UTC().Format(time.RFC3339Nano))
	for layer, least := range map[string]int{"dangers": 5, "incidents": 3, "hazards": 30} {
		path := "/ogc/collections/" + layer + "/items?limit=100"
		var plain, known struct{ Features []json.RawMessage }
		e.json(path, &plain)
		e.json(path+"&"+now, &known)
		if fmt.Sprintf("%s", plain.Features) != fmt.Sprintf("%s", known.Features) || len(plain.Features) < least {
			t.Errorf("%s: %d features plainly, %d as of now", layer, len(plain.Features), len(known.Features))
		}
		var here, then struct{ Features []json.RawMessage }
		ask := "/api/identify?lon=119.25&lat=34.15&radius_m=3000&layers=" + layer
		e.json(ask, &here)
		e.json(ask+"&"+now, &then)
		if fmt.Sprintf("%s", here.Features) != fmt.Sprintf("%s", then.Features) || len(here.Features) == 0 {
			t.Errorf("%s: %d identified plainly, %d as of now", layer, len(here.Features), len(then.Features))
		}
		tile := "/tiles/" + layer + "/12/3404/1634.mvt"
		if a, b := e.get(tile), e.get(tile+"?"+now); a.StatusCode != 200 || b.StatusCode != 200 || a.Header.Get("ETag") != b.Header.Get("ETag") {
			t.Errorf("%s: tile %d %s plainly, %d %s as of now", layer, a.StatusCode, a.Header.Get("ETag"), b.StatusCode, b.Header.Get("ETag"))
		}
	}
	// With a valid time both are asked.
	var fc featureCollection
	e.json("/ogc/collections/incidents/items?"+now+"&datetime=2026-06-01T00:00:00Z", &fc)
	if len(fc.Features) != 1 {
		t.Errorf("%d incidents of that instant", len(fc.Features))
	}
}
