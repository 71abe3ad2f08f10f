package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type featureCollection struct {
	Type           string
	NumberMatched  *int
	NumberReturned int
	Features       []struct {
		ID         string
		FID        int64
		Properties map[string]any
		Geometry   *struct {
			Type        string
			Coordinates json.RawMessage
		}
	}
	Links []struct{ Href, Rel string }
}

func (f featureCollection) next() string {
	for _, l := range f.Links {
		if l.Rel == "next" {
			u, err := url.Parse(l.Href)
			if err == nil {
				return u.RequestURI()
			}
		}
	}
	return ""
}

func (f featureCollection) names() []string {
	var out []string
	for _, x := range f.Features {
		n, _ := x.Properties["name"].(string)
		out = append(out, n)
	}
	return out
}

func TestOperationPaths(t *testing.T) {
	e := start(t)
	e.county()
	if r := e.get("/healthz"); r.StatusCode != 200 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("healthz: %d %v", r.StatusCode, r.Header)
	}
	var ready struct {
		Status string
		Checks []struct {
			Name string
			OK   bool
		}
	}
	e.json("/readyz", &ready)
	var names []string
	for _, c := range ready.Checks {
		names = append(names, c.Name)
		if !c.OK {
			t.Errorf("check %s failed on a healthy server", c.Name)
		}
	}
	for _, want := range []string{"database", "migrations", "spatial_index", "feed", "feed_horizon", "serving"} {
		if !slices.Contains(names, want) {
			t.Errorf("readyz does not look at %s", want)
		}
	}
	e.get("/api/about")
	m := string(e.get("/metrics").body)
	for _, want := range []string{
		`onemap_http_requests_total{method="GET",route="about",status="200"}`, "onemap_feed_horizon_age_seconds", "onemap_feed_horizon_pid",
		"onemap_tiles_hits_total", `onemap_db_connections{pool="query"}`, "onemap_live_streams", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(m, want) {
			t.Errorf("metrics miss %s", want)
		}
	}
	e.wantProblem(e.get("/api/jobs/01a1ffb1-d369-7ca3-86f4-1eda4871e9a6"), 404, "not_found")
}

// TestReadinessSeesWhatIsWrong breaks the three things it looks at.
func TestReadinessSeesWhatIsWrong(t *testing.T) {
	e := start(t)
	admin := e.admin()
	failed := func() string {
		r := e.get("/readyz")
		var a struct {
			Checks []struct {
				Name string
				OK   bool
			}
		}
		if err := json.Unmarshal(r.body, &a); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range a.Checks {
			if !c.OK {
				out = append(out, c.Name)
			}
		}
		if (r.StatusCode == 503) != (len(out) > 0) {
			t.Errorf("status %d with failed checks %v", r.StatusCode, out)
		}
		return strings.Join(out, " ")
	}
	waitFor(t, "ready at first", func() bool { return failed() == "" })
	admin(`drop index hazards_geom`)
	waitFor(t, "the lost index", func() bool { return failed() == "spatial_index" })
	admin(`create index hazards_geom on hazards using gist (geom)`)
	waitFor(t, "ready again", func() bool { return failed() == "" })
	admin(`insert into schema_migration (version, name, sha256) values (9999, 'from_the_future', 'x')`)
	waitFor(t, "the newer schema", func() bool { return failed() == "migrations" })
}

func TestLayers(t *testing.T) {
	e := start(t)
	e.county()
	e.exec(`update setting set value = '{"code": "990100"}' where key = 'home'`)
	e.settle()
	var a struct {
		Layers []struct {
			ID, Title  string
			Titles     struct{ ZH, EN string }
			Count      int
			Unplaced   int
			Bounds     []float64
			SourceDate *string `json:"source_date"`
			Source     *string
			Ladder     *string
			LadderBy   *struct{ Field string } `json:"ladder_by"`
			Fields     []struct{ Name string }
		}
		Themes  []struct{ ID, Title string }
		Ladders map[string]struct {
			Steps []struct {
				Level int
				Color string
			}
		}
		CodeLists map[string]struct {
			Items []struct{ Code, Title string }
		} `json:"code_lists"`
		Home struct {
			Code, Title string
			Bounds      []float64
		}
		Position string
	}
	r := e.json("/api/layers", &a)
	if r.Header.Get("Onemap-Seq") != a.Position {
		t.Errorf("header position %q, body %q", r.Header.Get("Onemap-Seq"), a.Position)
	}
	if len(a.Layers) != 28 || len(a.Themes) != 8 {
		t.Errorf("%d layers, %d themes", len(a.Layers), len(a.Themes))
	}
	for _, l := range a.Layers {
		switch l.ID {
		case "hazards":
			if l.Count != 30 || l.Unplaced != 0 || l.Title != "灾害隐患点" || l.Titles.EN != "Hazard points" {
				t.Errorf("hazards: %+v", l)
			}
			if l.SourceDate == nil || *l.SourceDate != "2026-05-01" || l.Source == nil || *l.Source != "应急管理局" {
				t.Errorf("hazards come from %v of %v", l.Source, l.SourceDate)
			}
			if l.Ladder == nil || *l.Ladder != "hazard_4" {
				t.Error("hazards have no ladder")
			}
		case "shelters":
			if l.Unplaced != 1 {
				t.Errorf("shelters: %d unplaced, want 1", l.Unplaced)
			}
		case "zones":
			if l.Count != 0 || l.LadderBy == nil || l.LadderBy.Field != "ladder" {
				t.Errorf("zones: the draft is counted, or the ladders are missing: %+v", l)
			}
		}
	}
	if s := a.Ladders["hazard_4"].Steps; len(s) != 4 || s[0].Level != 1 || s[0].Color == "" {
		t.Errorf("hazard ladder %+v", s)
	}
	if a.Home.Code != "990100" || a.Home.Title != "示例县" || !slices.Equal(a.Home.Bounds, []float64{119, 34, 119.6, 34.4}) {
		t.Errorf("home %+v", a.Home)
	}
	var en struct{ Layers []struct{ ID, Title string } }
	e.json("/api/layers", &en, "Accept-Language", "en-GB,en;q=0.9,zh;q=0.2")
	i := slices.IndexFunc(en.Layers, func(l struct{ ID, Title string }) bool { return l.ID == "hazards" })
	if en.Layers[i].Title != "Hazard points" {
		t.Errorf("English title %q", en.Layers[i].Title)
	}
}

func TestTiles(t *testing.T) {
	e := start(t)
	e.county()
	const path = "/tiles/hazard_areas,hazards/12/3404/1634.mvt"
	plain := e.get(path)
	if plain.StatusCode != 200 || plain.Header.Get("Content-Encoding") != "" {
		t.Fatalf("without gzip: %d %q", plain.StatusCode, plain.Header.Get("Content-Encoding"))
	}
	packed := e.get(path, "Accept-Encoding", "br, gzip;q=0.5")
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("with gzip: %v", packed.Header)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(unpacked, plain.body) {
		t.Errorf("the two forms differ (%v)", err)
	}
	if names := tileLayers(t, plain.body); !slices.Equal(names, []string{"hazard_areas", "hazards"}) {
		t.Errorf("layers in the tile: %v", names)
	}
	if cc := plain.Header.Get("Cache-Control"); !strings.HasPrefix(cc, "private") {
		t.Errorf("tiles may be kept by shared caches: %q", cc)
	}
	tag := plain.Header.Get("ETag")
	again := e.get(path, "If-None-Match", `"other", `+tag)
	if again.StatusCode != 304 || len(again.body) != 0 || again.Header.Get("ETag") != tag {
		t.Errorf("If-None-Match: %d with %d bytes", again.StatusCode, len(again.body))
	}
	if head := e.do("HEAD", path); head.StatusCode != 200 || len(head.body) != 0 || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
	if empty := e.get("/tiles/hazards/12/0/0.mvt"); empty.StatusCode != 204 {
		t.Errorf("an empty tile is %d", empty.StatusCode)
	}
	var tj struct {
		TileJSON string
		Tiles    []string
		Layers   []struct{ ID string } `json:"vector_layers"`
	}
	e.json("/tiles/hazard_areas,hazards.json", &tj)
	if tj.TileJSON != "3.0.0" || len(tj.Layers) != 2 || tj.Tiles[0] != "http://localhost/tiles/hazard_areas,hazards/{z}/{x}/{y}.mvt" {
		t.Errorf("TileJSON %+v", tj)
	}
	var style struct {
		Version int
		Sprite  string
		Sources map[string]struct{ Tiles []string }
		Glyphs  *string
	}
	e.json("/tiles/style.json?theme=dark&lang=en", &style)
	if style.Version != 8 || style.Glyphs != nil || style.Sprite != "http://localhost/sprite" || len(style.Sources["hazards"].Tiles) != 1 {
		t.Errorf("style %+v", style)
	}
	land := e.get("/basemap/0/0/0.mvt", "Accept-Encoding", "gzip")
	if land.StatusCode != 200 || land.Header.Get("ETag") == "" {
		t.Errorf("base map %d", land.StatusCode)
	}
	if r := e.get("/basemap/0/0/0.mvt", "If-None-Match", land.Header.Get("ETag")); r.StatusCode != 304 {
		t.Errorf("base map revalidation %d", r.StatusCode)
	}
}

// tileLayers reads the names of a tile's layers: field 3 of the tile is a layer, field 1
// of a layer its name.
func tileLayers(t *testing.T, b []byte) []string {
	t.Helper()
	var names []string
	fields(t, b, func(field uint64, layer []byte) {
		if field != 3 {
			return
		}
		fields(t, layer, func(field uint64, name []byte) {
			if field == 1 {
				names = append(names, string(name))
			}
		})
	})
	return names
}

func fields(t *testing.T, b []byte, fn func(field uint64, body []byte)) {
	t.Helper()
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		v, m := binary.Uvarint(b[n:])
		if n <= 0 || m <= 0 {
			t.Fatal("broken protobuf")
		}
		b = b[n+m:]
		switch tag & 7 {
		case 0:
		case 2:
			fn(tag>>3, b[:v])
			b = b[v:]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
	}
}

// TestTileFollowsItsRows asks for a tile before and after a row changed.
func TestTileFollowsItsRows(t *testing.T) {
	e := start(t)
	e.county()
	const path = "/tiles/hazards/12/3404/1634.mvt"
	before := e.get(path)
	e.exec(`update hazards set level = 4 where fid = 5`)
	e.settle()
	after := e.get(path, "If-None-Match", before.Header.Get("ETag"))
	if after.StatusCode != 200 || bytes.Equal(before.body, after.body) {
		t.Errorf("after the change the tile is %d and the same: %v", after.StatusCode, bytes.Equal(before.body, after.body))
	}
}

func TestIdentify(t *testing.T) {
	e := start(t)
	e.county()
	type hit struct {
		Layer, ID, Title string
		FID              int64
		Level            *int
		DistanceM        float64 `json:"distance_m"`
		Geometry         map[string]any
		Properties       map[string]any
	}
	var a struct {
		Features []hit
		Position string
	}
	e.json("/api/identify?lon=119.25&lat=34.15&radius_m=120", &a)
	if len(a.Features) == 0 {
		t.Fatal("nothing there")
	}
	last := 0
	layers := map[string]bool{}
	for _, f := range a.Features {
		level := 99
		if f.Level != nil {
			level = *f.Level
		}
		if level < last {
			t.Errorf("level %d comes after %d", level, last)
		}
		last = level
		layers[f.Layer] = true
		if f.DistanceM > 120 {
			t.Errorf("%s is %v m away", f.Title, f.DistanceM)
		}
		if f.Geometry["crs"] != nil {
			t.Error("GeoJSON of RFC 7946 has no crs member")
		}
	}
	for _, want := range []string{"hazard_areas", "hazards", "shelters", "incidents", "admin"} {
		if !layers[want] {
			t.Errorf("nothing of %s", want)
		}
	}
	if layers["zones"] {
		t.Error("a draft zone is shown")
	}
	if first := a.Features[0]; first.Layer != "hazard_areas" || first.DistanceM != 0 {
		t.Errorf("the worst is %s %s", first.Layer, first.Title)
	}
	var only struct{ Features []hit }
	e.json("/api/identify?lon=119.25&lat=34.15&radius_m=95&layers=hazards", &only)
	if len(only.Features) != 3 {
		t.Errorf("%d hazards within 95 m, want the one on the spot and one on each side", len(only.Features))
	}
	// 119.226 is 0.001 degrees of longitude from 119.225: 92.2 m at this latitude.
	var far struct{ Features []hit }
	e.json("/api/identify?lon=119.225&lat=34.15&radius_m=95&layers=hazards", &far)
	if len(far.Features) != 1 || far.Features[0].DistanceM < 91.5 || far.Features[0].DistanceM > 92.9 {
		t.Errorf("distance %+v, want one of 92.2 m", far.Features)
	}
	var past struct{ Features []hit }
	e.json("/api/identify?lon=119.25&lat=34.15&layers=incidents&datetime=2026-06-15T00:00:00Z", &past)
	if len(past.Features) != 0 {
		t.Error("an incident is shown before it happened")
	}
}

func TestSearch(t *testing.T) {
	e := start(t)
	e.county()
	type result struct {
		Kind, Title, Subtitle string
		Layer, Code           *string
		Center                []float64
		Bounds                []float64
	}
	ask := func(q string, headers ...string) []result {
		t.Helper()
		var a struct{ Results []result }
		e.json("/api/search?q="+url.QueryEscape(q), &a, headers...)
		return a.Results
	}
	if r := ask("清河镇"); len(r) < 2 || r[0].Kind != "admin" || r[0].Title != "清河镇" || len(r[0].Bounds) != 4 {
		t.Errorf("清河镇: %+v", r)
	}
	if r := ask("清河"); r[0].Kind != "admin" {
		t.Errorf("清河: the unit does not come first: %+v", r[0])
	}
	if r := ask("中学"); len(r) != 1 || r[0].Title != "清河中学" {
		t.Errorf("two characters in the middle of a name: %+v", r)
	}
	if r := ask("清河中学"); len(r) != 1 || !strings.HasSuffix(r[0].Subtitle, "清河镇") {
		t.Errorf("the unit a feature lies in is not told: %+v", r)
	}
	if r := ask("王家山乡"); len(r) != 1 || !strings.HasSuffix(r[0].Subtitle, "示例县") {
		t.Errorf("the unit a unit lies in is not told: %+v", r)
	}
	if r := ask("老清河"); len(r) != 1 || r[0].Title != "清河镇" || !strings.Contains(r[0].Subtitle, "老清河") {
		t.Errorf("former name: %+v", r)
	}
	e.exec(`insert into admin (code, admin_code, name, rank, parent_code, geom) select v.code, v.code, v.name, 5, left(v.code, 9), st_setsrid(st_makeenvelope(v.x, 34.0, v.x + 0.1, 34.1), 4490)
		from (values ('990100001001', '李家村', 119.0), ('990100002001', '李家村', 119.3), ('990100001002', '张家湾村', 119.1)) v(code, name, x)`)
	// The township and the village in one word, as people say it.
	for q, code := range map[string]string{"清河镇李家村": "990100001001", "王家山乡李家村": "990100002001", "清河李家村": "990100001001", "示例县王家山乡李家村": "990100002001", "老清河张家湾": "990100001002", "清河镇 李家": "990100001001", "王家山乡张家湾村": ""} {
		r := ask(q)
		if code == "" && len(r) != 0 || code != "" && (len(r) != 1 || r[0].Kind != "admin" || r[0].Code == nil || *r[0].Code != code) {
			t.Errorf("%s: %+v, want %q", q, r, code)
		}
	}
	if r := ask("清河镇中学"); len(r) != 1 || r[0].Title != "清河中学" {
		t.Errorf("a township and a part of a name: %+v", r)
	}
	if r := ask("DZ0007"); len(r) != 1 || r[0].Code == nil || *r[0].Code != "DZ0007" {
		t.Errorf("exact code: %+v", r)
	}
	if r := ask("DZ00"); len(r) != 20 {
		t.Errorf("code prefix: %d results", len(r))
	}
	if r := ask("990100002"); r[0].Title != "王家山乡" {
		t.Errorf("admin code: %+v", r)
	}
	if r := ask("草稿区"); len(r) != 0 {
		t.Errorf("a draft is found: %+v", r)
	}
	if r := ask("100%"); len(r) != 0 {
		t.Errorf("%% is taken as a wildcard: %+v", r)
	}
	if r := ask("_"); len(r) != 0 {
		t.Errorf("_ is taken as a wildcard: %+v", r)
	}
	for q, swapped := range map[string]bool{
		"119.25,34.15": false, "34.15, 119.25": true, "东经119°15′ 北纬34°9′": false, "119.25 34.15": false,
	} {
		r := ask(q, "Accept-Language", "en")
		if len(r) == 0 || r[0].Kind != "coordinate" || r[0].Center[0] != 119.25 || r[0].Center[1] != 34.15 {
			t.Errorf("%s: %+v", q, r)
		} else if strings.Contains(r[0].Subtitle, "latitude, longitude") != swapped {
			t.Errorf("%s: %s", q, r[0].Subtitle)
		}
	}
}

func TestStaticSite(t *testing.T) {
	e := start(t)
	page := e.get("/", "Accept-Encoding", "gzip, br")
	if page.StatusCode != 200 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || page.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("page: %d %v", page.StatusCode, page.Header)
	}
	csp := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	if page.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("sniffing is not forbidden")
	}
	for _, p := range e.opts.Site.Paths() {
		br := e.get(p, "Accept-Encoding", "br")
		plain := e.get(p)
		if br.StatusCode != 200 || plain.StatusCode != 200 {
			t.Errorf("%s: %d, %d", p, br.StatusCode, plain.StatusCode)
		}
		if strings.HasPrefix(p, "/assets/") != strings.Contains(plain.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: cache %q", p, plain.Header.Get("Cache-Control"))
		}
		if br.Header.Get("Content-Encoding") == "br" && (br.Header.Get("ETag") == plain.Header.Get("ETag") || !strings.Contains(strings.Join(br.Header.Values("Vary"), ","), "Accept-Encoding")) {
			t.Errorf("%s: forms are not told apart", p)
		}
		if r := e.get(p, "If-None-Match", plain.Header.Get("ETag")); r.StatusCode != 304 {
			t.Errorf("%s: revalidation %d", p, r.StatusCode)
		}
	}
	e.wantProblem(e.get("/assets/"), 404, "not_found")
	e.wantProblem(e.get("/basemap.pmtiles"), 404, "not_found")
	e.wantProblem(e.get("/index.html"), 404, "not_found")
}
