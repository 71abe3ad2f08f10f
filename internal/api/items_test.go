package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestItems(t *testing.T) {
	e := start(t)
	e.county()
	get := func(target string) featureCollection {
		t.Helper()
		var fc featureCollection
		r := e.json(target, &fc)
		if ct := r.Header.Get("Content-Type"); ct != "application/geo+json" {
			t.Errorf("%s: content type %q", target, ct)
		}
		if r.Header.Get("Content-Crs") != "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>" || r.Header.Get("Onemap-Seq") == "" {
			t.Errorf("%s: headers %v", target, r.Header)
		}
		if fc.NumberReturned != len(fc.Features) {
			t.Errorf("%s: numberReturned %d of %d", target, fc.NumberReturned, len(fc.Features))
		}
		return fc
	}
	const items = "/ogc/collections/hazards/items"
	if fc := get(items); len(fc.Features) != 30 || fc.NumberMatched == nil || *fc.NumberMatched != 30 || fc.next() != "" {
		t.Errorf("%d of %v, next %q", len(fc.Features), fc.NumberMatched, fc.next())
	}
	if fc := get(items + "?limit=7&hazard=landslide"); len(fc.Features) != 7 || *fc.NumberMatched != 15 || fc.next() == "" {
		t.Errorf("equality: %d of %v, next %q", len(fc.Features), fc.NumberMatched, fc.next())
	}
	if fc := get(items + "?level=1&threatened_persons=40"); !slices.Equal(fc.names(), []string{"清河滑坡4"}) {
		t.Errorf("two fields: %v", fc.names())
	}
	if fc := get(items + "?bbox=119.2255,34,119.2285,35"); !slices.Equal(fc.names(), []string{"清河滑坡1", "清河滑坡2", "清河滑坡3"}) {
		t.Errorf("box: %v", fc.names())
	}
	if fc := get(items + "?bbox=119.2255,34,0,119.2285,35,100"); len(fc.Features) != 3 {
		t.Errorf("box with heights: %v", fc.names())
	}
	if fc := get(items + "?bbox=170,34,119.2275,35&bbox-crs=" + url.QueryEscape("http://www.opengis.net/def/crs/OGC/1.3/CRS84")); len(fc.Features) != 2 {
		t.Errorf("box over the antimeridian: %v", fc.names())
	}
	if fc := get("/ogc/collections/shelters/items"); len(fc.Features) != 2 || fc.Features[1].Geometry != nil {
		t.Errorf("a row that is not placed must be listed without geometry: %+v", fc.Features)
	}
	if fc := get("/ogc/collections/zones/items"); len(fc.Features) != 0 {
		t.Error("a draft is listed")
	}
	if fc := get("/ogc/collections/incidents/items?datetime=" + url.QueryEscape("2026-06-01T00:00:00+08:00/2026-06-30T00:00:00+08:00")); !slices.Equal(fc.names(), []string{"王家山山洪"}) {
		t.Errorf("incidents of June: %v", fc.names())
	}
	if fc := get("/ogc/collections/incidents/items?datetime=../2026-01-01T00:00:00Z"); len(fc.Features) != 0 {
		t.Errorf("incidents before 2026: %v", fc.names())
	}

	var one struct {
		Type, ID string
		FID      int64
	}
	fc := get(items + "?limit=1")
	e.json(items+"/"+fc.Features[0].ID, &one)
	if one.ID != fc.Features[0].ID || one.FID != fc.Features[0].FID || one.Type != "Feature" {
		t.Errorf("item by id: %+v", one)
	}
	e.json(fmt.Sprintf("%s/%d", items, fc.Features[0].FID), &one)
	if one.ID != fc.Features[0].ID {
		t.Errorf("item by the tiles' number: %+v", one)
	}
	for _, id := range []string{"01a1ffb1-d369-7ca3-86f4-1eda4871e9a6", "999999", "nonsense", "01A1FFB1-D369-7CA3-86F4-1EDA4871E9A6", "99999999999999999999999999"} {
		e.wantProblem(e.get(items+"/"+id), 404, "not_found")
	}
	e.wantProblem(e.get("/ogc/collections/zones/items/1"), 404, "not_found")
}

// TestPagesAreStable walks a collection page by page while rows come, go and change.
func TestPagesAreStable(t *testing.T) {
	e := start(t)
	e.county()
	seen := map[string]int{}
	target := "/ogc/collections/hazards/items?limit=4&hazard=collapse"
	for page := 0; target != ""; page++ {
		var fc featureCollection
		e.json(target, &fc)
		for _, n := range fc.names() {
			seen[n]++
		}
		switch page {
		case 0:
			e.exec(`delete from hazards where name = '清河滑坡1'`) // already shown
		case 1:
			e.exec(`insert into hazards (name, hazard, level, geom) values ('新滑坡', 'collapse', 1, st_setsrid(st_makepoint(119.1, 34.1), 4490))`)
		}
		target = fc.next()
		if page > 20 {
			t.Fatal("the pages never end")
		}
	}
	for i := 1; i <= 29; i += 2 {
		if n := seen[fmt.Sprintf("清河滑坡%d", i)]; n != 1 {
			t.Errorf("清河滑坡%d was shown %d times", i, n)
		}
	}
	if seen["新滑坡"] != 1 {
		t.Error("a row added behind the pages shown so far is missing")
	}
	var first featureCollection
	e.json("/ogc/collections/hazards/items?limit=4", &first)
	other := strings.Replace(first.next(), "/hazards/", "/shelters/", 1)
	e.wantProblem(e.get(other), 400, "invalid_parameter")
	e.wantProblem(e.get(first.next()+"&hazard=collapse"), 400, "invalid_parameter")
	e.wantProblem(e.get("/ogc/collections/hazards/items?cursor=MXx4"), 400, "invalid_parameter")
}

// TestTwoTimes asks for what was known and what was valid.
func TestTwoTimes(t *testing.T) {
	e := start(t)
	e.county()
	var known time.Time
	if err := e.conn.QueryRow(t.Context(), `select clock_timestamp()`).Scan(&known); err != nil {
		t.Fatal(err)
	}
	e.exec(`update hazards set level = 4 where name = '清河滑坡4'`)
	e.exec(`delete from hazards where name = '清河滑坡5'`)
	e.exec(`insert into hazards (name, level, valid_from, valid_to, geom) values ('旧滑坡', 2, '2020-01-01+08', '2021-01-01+08', st_setsrid(st_makepoint(119.1, 34.1), 4490))`)
	count := func(query string) int {
		t.Helper()
		var fc featureCollection
		e.json("/ogc/collections/hazards/items?"+query, &fc)
		return len(fc.Features)
	}
	then := url.QueryEscape(known.UTC().Format(time.RFC3339Nano))
	if n := count("level=1&as_of=" + then); n != 7 {
		t.Errorf("then %d hazards were of level 1, want 7", n)
	}
	if n := count("level=1"); n != 6 {
		t.Errorf("now %d hazards are of level 1, want 6", n)
	}
	if n := count("as_of=" + then); n != 30 {
		t.Errorf("then %d hazards were known, want 30", n)
	}
	if n := count("limit=100"); n != 29 {
		t.Errorf("now %d hazards are valid, want 29", n)
	}
	if n := count("name=" + url.QueryEscape("旧滑坡") + "&datetime=2020-06-01T00:00:00Z"); n != 1 {
		t.Errorf("in 2020 the old slide was valid: %d", n)
	}
	if n := count("name=" + url.QueryEscape("旧滑坡") + "&datetime=2021-01-01T00:00:00%2B08:00"); n != 0 {
		t.Errorf("its last moment is not part of its validity: %d", n)
	}
	var past struct {
		Properties struct{ Level int }
	}
	e.json("/ogc/collections/hazards/items/4?as_of="+then, &past)
	if past.Properties.Level != 1 {
		t.Errorf("then its level was %d, want 1", past.Properties.Level)
	}
}

func TestOGCDocuments(t *testing.T) {
	e := start(t)
	e.county()
	var landing struct {
		Links []struct{ Rel, Href, Type string }
	}
	e.json("/ogc", &landing)
	rels := map[string]string{}
	for _, l := range landing.Links {
		rels[l.Rel] = l.Href
	}
	for _, rel := range []string{"self", "service-desc", "conformance", "data"} {
		u, err := url.Parse(rels[rel])
		if err != nil || rels[rel] == "" {
			t.Errorf("landing page has no %s", rel)
			continue
		}
		if r := e.get(u.Path); r.StatusCode != 200 {
			t.Errorf("%s leads to %d", rel, r.StatusCode)
		}
	}
	var cs struct {
		Collections []struct {
			ID     string
			Extent *struct {
				Spatial *struct{ BBox [][]float64 }
			}
			Links []struct{ Rel, Href string }
		}
	}
	e.json("/ogc/collections", &cs)
	if len(cs.Collections) != 28 {
		t.Errorf("%d collections", len(cs.Collections))
	}
	for _, c := range cs.Collections {
		for _, l := range c.Links {
			u, err := url.Parse(l.Href)
			if err != nil {
				t.Fatal(err)
			}
			if r := e.get(u.Path); r.StatusCode != 200 {
				t.Errorf("%s: %s leads to %d", c.ID, l.Rel, r.StatusCode)
			}
		}
		if c.ID == "hazards" && (c.Extent == nil || c.Extent.Spatial == nil || c.Extent.Spatial.BBox[0][1] != 34.15) {
			t.Errorf("extent of hazards: %+v", c.Extent)
		}
	}
	var conf struct{ ConformsTo []string }
	e.json("/ogc/conformance", &conf)
	for _, c := range conf.ConformsTo {
		if !strings.HasPrefix(c, "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/") {
			t.Errorf("claims %s", c)
		}
	}
}

// TestForeignTableIsServed publishes a table that is not ours: other SRID, text id,
// no history, no scope.
func TestForeignTableIsServed(t *testing.T) {
	e := start(t)
	admin := e.admin()
	admin(`create schema other`)
	admin(`create table other."Spots" ("Id" text primary key, "what is it" text, n integer, geom geometry(Point,4549))`)
	admin(`insert into other."Spots" select 'S-' || lpad(i::text, 2, '0'), 'spot ' || i, i, st_transform(st_setsrid(st_makepoint(119.2 + i * 0.001, 34.15), 4490), 4549) from generate_series(1, 12) i`)
	admin(`grant usage on schema other to onemap_app`)
	admin(`grant select on other."Spots" to onemap_app`)
	admin(`insert into layer (layer, title_zh, title_en, theme, geometry, own, table_schema, table_name, id_column, srid, label_field) values ('spots', '外部点', 'Spots', 'admin', 'point', false, 'other', 'Spots', 'Id', 4549, 'what is it')`)
	admin(`insert into layer_field (layer, name, type, title_zh, title_en, in_filter) values ('spots', 'what is it', 'text', '说明', 'What', true), ('spots', 'n', 'integer', '数', 'N', true)`)
	if err := e.reg.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for target := "/ogc/collections/spots/items?limit=5"; target != ""; {
		var fc featureCollection
		e.json(target, &fc)
		for _, f := range fc.Features {
			names = append(names, f.ID)
		}
		target = fc.next()
	}
	if len(names) != 12 || !slices.IsSorted(names) {
		t.Errorf("pages of a foreign table: %v", names)
	}
	var fc featureCollection
	e.json("/ogc/collections/spots/items?bbox=119.2005,34.1,119.2025,34.2&n=2", &fc)
	if len(fc.Features) != 1 || !strings.HasPrefix(string(fc.Features[0].Geometry.Coordinates), "[119.2019999,34.15") && !strings.HasPrefix(string(fc.Features[0].Geometry.Coordinates), "[119.202,34.15") {
		t.Errorf("box and field of a foreign table: %+v", fc.Features)
	}
	e.wantProblem(e.get("/ogc/collections/spots/items?as_of=2026-01-01T00:00:00Z"), 400, "invalid_parameter")
	var a struct{ Features []struct{ ID string } }
	e.json("/api/identify?lon=119.203&lat=34.15&layers=spots&radius_m=20", &a)
	if len(a.Features) != 1 || a.Features[0].ID != "S-03" {
		t.Errorf("identify on a foreign table: %+v", a.Features)
	}
}
