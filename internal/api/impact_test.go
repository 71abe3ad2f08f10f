package api_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"onemap/internal/auth"
)

func impactHouse(t *testing.T) *env {
	e := start(t)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) values ('990100', '990100', '示例县', 3, st_makeenvelope(119, 34, 120, 35, 4490)), ('990100001', '990100001', '甲镇', 4, st_makeenvelope(119, 34, 119.2, 34.1, 4490)),
			('990100001001', '990100001001', '东村', 5, st_makeenvelope(119, 34, 119.1, 34.01, 4490)), ('990100001002', '990100001002', '西村', 5, st_makeenvelope(119.1, 34, 119.2, 34.01, 4490))`,
		`insert into population (code, population, children, elderly, method, year, geom) select i::text, 100, 20, 30, '常住', 2025, st_makeenvelope(119 + i * 0.01, 34, 119.01 + i * 0.01, 34.01, 4490) from generate_series(0, 19) i`,
		`insert into roads (name, class, geom) values ('大街', 'street', st_geomfromtext('LINESTRING(119 34.005, 119.1 34.005)', 4490)), ('西街', 'street', st_geomfromtext('LINESTRING(119.1 34.005, 119.2 34.005)', 4490)),
			('绕行', 'street', st_geomfromtext('LINESTRING(119 34.005, 119 34.02, 119.1 34.02, 119.1 34.005)', 4490))`,
		`insert into shelters (name, class, state, capacity, occupancy, geom) values ('外面的学校', 'short', 'open', 300, 100, st_setsrid(st_makepoint(119.05, 34.0055), 4490))`,
		`insert into facilities (name, kind, geom) values ('人民医院', 'hospital', st_setsrid(st_makepoint(119.015, 34.006), 4490))`,
	} {
		e.exec(sql)
	}
	if err := e.roads.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

const eastern = `{"geometry":{"type":"Polygon","coordinates":[[[119,33.99],[119.025,33.99],[119.025,34.02],[119,34.02],[119,33.99]]]}`

func TestImpactOverHTTP(t *testing.T) {
	e := impactHouse(t)
	r := e.send("POST", "/api/impact", strings.NewReader(eastern+`}`), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
	var a struct {
		Estimate   bool
		AreaM2     float64 `json:"area_m2"`
		Population struct {
			Total   int
			ByGroup map[string]int `json:"by_group"`
			Basis   string
		}
		Range     map[string]int
		Statement struct{ ZH, EN string }
		Admin     []struct {
			Name       string
			Population int
		}
		Facilities map[string]int
		RoadsM     map[string]float64 `json:"roads_m"`
		Shelters   struct {
			Outside []struct {
				Title string
				Free  int
				By    string
			} `json:"outside_nearest"`
		}
		Text string
	}
	if err := json.Unmarshal(r.body, &a); err != nil || r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if !a.Estimate || a.Population.Total != 250 || a.Population.ByGroup["children"] != 50 || a.Range["high"] != 300 || a.Facilities["hospital"] != 1 || len(a.Admin) != 1 || a.Admin[0].Population != 250 {
		t.Errorf("%s", r.body)
	}
	if len(a.Shelters.Outside) != 1 || a.Shelters.Outside[0].Free != 200 || a.Shelters.Outside[0].By != "road" {
		t.Errorf("%+v", a.Shelters)
	}
	for _, words := range []string{"估算", "面积加权", "200–300"} {
		if !strings.Contains(a.Statement.ZH, words) {
			t.Errorf("the statement lacks %s: %s", words, a.Statement.ZH)
		}
	}
	if !strings.Contains(a.Text, "约 250 人") || !strings.Contains(r.Header.Get("Server-Timing"), "impact;dur=") {
		t.Errorf("text %s", a.Text)
	}
	// The paper says what the screen says.
	for path, kind := range map[string]string{"/api/reports/impact.pdf": "%PDF-", "/api/reports/impact.docx": "PK", "/api/reports/impact.txt": "【估算 非上报数】"} {
		p := e.send("POST", path, strings.NewReader(eastern+`,"title":"夜间估算"}`), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
		if p.StatusCode != 200 || !strings.HasPrefix(string(p.body), kind) {
			t.Errorf("%s: %d %.80s", path, p.StatusCode, p.body)
		}
		if kind[0] == 0xe3 && !strings.Contains(string(p.body), "约 250 人") {
			t.Errorf("the text says otherwise: %s", p.body)
		}
	}
}

func TestImpactRefusals(t *testing.T) {
	e := impactHouse(t)
	for _, c := range []struct {
		body, code string
		status     int
	}{
		{`{}`, "one_of", 422},
		{eastern + `,"alert":"01a1ffb1-d369-7ca3-86f4-000000000001"}`, "one_of", 422},
		{`{"geometry":{"type":"Point","coordinates":[119,34]}}`, "no_area", 422},
		{`{"geometry":{"type":"Polygon","coordinates":[[[119,34],[119.1,34.1],[119.1,34],[119,34.1],[119,34]]]}}`, "self_intersection", 422},
		{`{"geometry":{"type":"Polygon","coordinates":[[[119,34],[119.1,34.1],[119.1,34]]]}}`, "ring_not_closed", 422},
		{`{"geometry":{"type":"Polygon","coordinates":[[[80,10],[120,10],[120,50],[80,50],[80,10]]]}}`, "area_too_large", 422},
		{eastern + `,"buffer_m":90000}`, "out_of_range", 422},
		{eastern + `,"ring":[500,300]}`, "out_of_range", 422},
		{eastern + `,"as_of":"yesterday"}`, "bad_time", 422},
		{`{"incident":"01a1ffb1-d369-7ca3-86f4-000000000001"}`, "not_found", 404},
		{`{"incident":"x"}`, "bad_id", 422},
		{eastern + `,"nothing":1}`, "", 400},
	} {
		r := e.send("POST", "/api/impact", strings.NewReader(c.body), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
		if r.StatusCode != c.status || !strings.Contains(string(r.body), c.code) {
			t.Errorf("%s: %d %s, want %d %s", c.body, r.StatusCode, r.body, c.status, c.code)
		}
	}
}

func TestRouteOverHTTP(t *testing.T) {
	e := impactHouse(t)
	type way struct {
		DistanceM float64   `json:"distance_m"`
		DurationS float64   `json:"duration_s"`
		Snapped   []float64 `json:"snapped_m"`
		Avoided   []string
		Geometry  struct{ Coordinates [][2]float64 }
	}
	get := func(query string, status int) (w way) {
		t.Helper()
		r := e.do("GET", "/api/route?"+query)
		if r.StatusCode != status {
			t.Fatalf("%s: %d %s", query, r.StatusCode, r.body)
		}
		_ = json.Unmarshal(r.body, &w)
		return w
	}
	const ends = "from=119.001,34.0051&to=119.09,34.005"
	direct := get(ends, 200)
	if direct.DistanceM < 8100 || direct.DistanceM > 8300 || direct.DurationS < 7300 || len(direct.Geometry.Coordinates) < 2 {
		t.Errorf("%+v", direct)
	}
	if w := get(ends+"&avoid=119.05,34.004%20119.06,34.004%20119.06,34.006%20119.05,34.006", 200); w.DistanceM < 11000 || len(w.Avoided) != 1 {
		t.Errorf("around the polygon %+v", w)
	}
	e.exec(`insert into hazard_areas (name, hazard, level, geom) values ('滑坡区', 'landslide', 1, st_makeenvelope(119.05, 34.004, 119.06, 34.006, 4490)), ('轻微', 'landslide', 4, st_makeenvelope(119.02, 34.019, 119.03, 34.021, 4490))`)
	if w := get(ends+"&avoid=hazard_areas", 200); w.DistanceM < 11000 {
		t.Errorf("through the hazard area: %v m", w.DistanceM)
	}
	e.exec(`insert into road_blocks (name, state, geom) values ('塌方', 'blocked', st_setsrid(st_makepoint(119.1, 34.005), 4490))`)
	r := e.do("GET", "/api/route?from=119.05,34.005&to=119.15,34.005")
	if r.StatusCode != 404 || !strings.Contains(string(r.body), "no_way") {
		t.Errorf("through the block: %d %s", r.StatusCode, r.body)
	}
	e.exec(`update road_blocks set state = 'reopened', blocked_at = now() - interval '1 hour', reopened_at = now()`)
	get("from=119.05,34.005&to=119.15,34.005", 200)
	get("from=119.05,34.005&to=119.15", 400)
	get("from=119.05,34.005&to=119.15,34.005&profile=fly", 400)
	get("from=119.05,34.005&to=100,10", 404)
	get("from=119.05,34.005&to=119.15,34.005&avoid=x", 400)
}

// TestAWallAsksForFigures: a screen posts no question, and is told how many are in the area
// of a warning it sees; nobody's name, number or place; not faster than its pace.
func TestAWallAsksForFigures(t *testing.T) {
	e := impactHouse(t)
	const alert, incident, foreign = "01a1ffb1-d369-7ca3-86f4-0000000000e1", "01a1ffb1-d369-7ca3-86f4-0000000000e2", "01a1ffb1-d369-7ca3-86f4-0000000000e3"
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) values ('990200', '990200', '乙县', 3, st_makeenvelope(121, 34, 122, 35, 4490))`,
		`insert into alerts (id, chain, identifier, sender, sent_at, source, state, status, msg_type, event, headline, level, effective, received_at, admin_code, geom)
		select id::uuid, id::uuid, id, 'x', now(), 'default', 'active', 'Actual', 'Alert', '暴雨', '标题', 1, now(), now(), area, g
		from (values ('` + alert + `', '990100', st_geomfromtext('POLYGON((119 33.99, 119.025 33.99, 119.025 34.02, 119 34.02, 119 33.99))', 4490)), ('` + foreign + `', '990200', st_makeenvelope(121.1, 34.1, 121.2, 34.2, 4490))) v(id, area, g)`,
		`insert into incidents (id, code, name, kind, class, state, admin_code, occurred_at, known_at) values ('` + incident + `', 'SJ-990100-2026-9001', '没有位置', 'waterlogging', 'flood', 'received', '990100', now(), now())`,
		`insert into responsibility (id, kind, admin_code, scope, post, person) values ('01900000-0000-7000-8000-000000000001', 'administrative', '990100001001', code_scope('990100001001'), '村主任', '赵某甲')`,
		`insert into restricted.contact (responsibility, phone) values ('01900000-0000-7000-8000-000000000001', '13812345678')`,
	} {
		e.exec(sql)
	}
	screens := 0
	screen := func() []string {
		screens++
		_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: fmt.Sprintf("大屏%d", screens), Role: auth.Viewer, Area: ownArea, Scopes: []string{"wall"}, Network: "127.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		o, err := e.auth.OpenWall(t.Context(), auth.By{Identity: e.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1")}, secret)
		if err != nil {
			t.Fatal(err)
		}
		return session(o.Cookie)
	}
	wall := screen()
	e.settle()
	var f struct {
		Estimate   bool
		Population int
		Range      map[string]int
		Units      int
		Shelters   struct {
			Outside     int
			OutsideFree *int `json:"outside_free"`
		}
		Statement struct{ ZH string }
	}
	r := e.get("/api/alerts/"+alert+"/impact", wall...)
	if err := json.Unmarshal(r.body, &f); err != nil || r.StatusCode != 200 || !f.Estimate || f.Population != 250 || f.Range["high"] != 300 || f.Units != 1 || f.Shelters.Outside != 1 || f.Shelters.OutsideFree == nil || *f.Shelters.OutsideFree != 200 || !strings.Contains(f.Statement.ZH, "估算") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, s := range []string{"赵某甲", "138", "外面的学校", "人民医院", "东村", `"geometry":`, `"responsible"`} {
		if strings.Contains(string(r.body), s) {
			t.Errorf("the wall is told of %s: %s", s, r.body)
		}
	}
	// Again and again without a rest: it is told to wait. How long an answer takes is not ours to say.
	for tries := 0; ; tries++ {
		if r = e.get("/api/alerts/"+alert+"/impact", wall...); r.StatusCode == 429 && r.Header.Get("Retry-After") != "" {
			break
		} else if r.StatusCode != 200 || tries == 50 {
			t.Fatalf("again at once: %d %s", r.StatusCode, r.body)
		}
	}
	for path, want := range map[string]int{"/api/alerts/" + foreign + "/impact": 404, "/api/incidents/" + incident + "/impact": 422, "/api/alerts/nothing/impact": 404} {
		if r := e.get(path, screen()...); r.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", path, r.StatusCode, want, r.body)
		}
	}
	if r := e.send("POST", "/api/impact", strings.NewReader(eastern+`}`), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, screen()...)...); r.StatusCode != 403 {
		t.Errorf("a wall posts a question: %d %s", r.StatusCode, r.body)
	}
}
