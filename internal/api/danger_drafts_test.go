package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// TestDangerDraftsAreTheirAuthors asks every door for a draft, its author first, so that
// what he sees lies in the shared caches: tiles, items, counts, search, what is here,
// the ledger, rates, spreadsheets, cards, photos, streams, packs, what phones are sent,
// the map as of a moment. Reported, it is everybody's whose area it is.
func TestDangerDraftsAreTheirAuthors(t *testing.T) {
	d := newDangerDesk(t)
	d.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, parent_code, geom) select id, 'z', '990100001', '990100001', '清河镇', 4, '990100', st_setsrid(st_makeenvelope(119.2, 34.1, 119.3, 34.2), 4490) from dataset`)
	d.settle()
	planner := session(d.activate(d.person(auth.NewAccount{Username: "gui.hua", Name: "规划", Unit: "990100"}, auth.Planner, "990100")))
	everywhere := session(d.activate(d.person(auth.NewAccount{Username: "zong.hui", Name: "总指挥", Unit: "990100"}, auth.Commander, "")))
	colleague := session(d.activate(d.person(auth.NewAccount{Username: "sun.grid", Name: "孙网格", Unit: "990100"}, auth.GridWorker, "990100")))
	others := map[string][]string{"an officer": d.officer, "the unit": d.unit, "a planner": planner, "a commander of everywhere": everywhere, "a colleague": colleague}

	streams := map[string]*stream{}
	for name, as := range others {
		if name == "the unit" {
			continue // it reads public layers and what is assigned to it
		}
		streams[name] = joined(t, d.listen(d.unlimited(), "http://localhost", "dangers,tiles", "", as...))
	}
	since := map[string]string{}
	changes := func(as []string, from string) (string, string) {
		t.Helper()
		var page struct {
			Position string
			Changes  []struct{ Kind, ID string }
		}
		r := d.json("/api/sync/changes?since="+from, &page, as...)
		return page.Position, string(r.body)
	}
	for name, as := range others {
		since[name], _ = changes(as, "")
	}

	const id = "019c0000-0000-7000-8000-0000000000d1"
	const path = "/api/dangers/" + id
	picture, photo := picture(77, 64, "")
	if r := d.put(photo, picture, 0, len(picture), d.worker...); r.StatusCode != 201 {
		t.Fatalf("photo: %d %s", r.StatusCode, r.body)
	}
	draft := `{"state":"draft","kind":"flood","name":"QZDRAFT堤脚","description":"QZDRAFT","found_at":"2026-03-02T04:00:00Z","geometry":{"type":"Point","coordinates":[119.25,34.15]},"evidence":["` + photo + `"]}`
	if st, doc := d.ask(d.worker, "PUT", path, draft, ""); st != 201 || doc["state"] != "draft" {
		t.Fatalf("%d %v", st, doc)
	}
	drawn := time.Now().UTC().Format(time.RFC3339Nano)
	st, doc := d.ask(d.worker, "PATCH", path, `{"name":"QZDRAFT堤脚二"}`, etag(first(d.ask(d.worker, "GET", path, "", ""))))
	if st != 200 {
		t.Fatalf("%d %v", st, doc)
	}
	d.settle()

	// Doors that name it or count it: [path, what must not be there].
	shown := func(as []string, path string) (int, string) {
		r := d.get(path, as...)
		return r.StatusCode, string(r.body)
	}
	packURL := "/api/packs/990100001"
	pack := func(as []string) []byte {
		t.Helper()
		var body []byte
		waitFor(t, "the pack", func() bool {
			r := d.get(packURL+"/tiles.pmtiles", as...)
			body = r.body
			return r.StatusCode == 200
		})
		return body
	}
	counts := func(as []string) (n int) {
		var list struct {
			Layers []struct {
				ID    string
				Count int
			}
		}
		d.json("/api/layers", &list, as...)
		for _, l := range list.Layers {
			if l.ID == "dangers" {
				n = l.Count
			}
		}
		return n
	}
	doors := []string{
		"/tiles/dangers/14/13619/6536.mvt", "/tiles/dangers/14/13619/6536.mvt?properties=name,state", "/tiles/dangers,hazards/10/851/408.mvt", "/tiles/dangers/14/13619/6536.mvt?as_of=" + drawn,
		"/ogc/collections/dangers/items", "/ogc/collections/dangers/items?bbox=119,34,120,35", "/ogc/collections/dangers/items/" + id, "/ogc/collections/dangers/items?as_of=" + drawn,
		"/api/search?q=QZDRAFT", "/api/identify?lon=119.25&lat=34.15&radius_m=500",
		"/api/dangers", "/api/dangers?state=draft", "/api/dangers?q=QZDRAFT", path, path + "/actions", path + "/card.pdf", "/api/dangers/reminders",
		"/api/blobs/" + photo, "/api/ledgers/dangers.xlsx",
	}
	never := func(when string) {
		t.Helper()
		for _, name := range slices.Sorted(maps.Keys(others)) {
			as := others[name]
			for _, door := range doors {
				st, body := shown(as, door)
				if strings.Contains(body, "QZDRAFT") || strings.Contains(body, id) && st == 200 {
					t.Errorf("%s: %s through %s: %d %.300s", when, name, door, st, body)
				}
				if st >= 500 || st == 400 && name != "the unit" {
					t.Errorf("%s: %s asks %s: %d %.300s", when, name, door, st, body)
				}
				if strings.HasSuffix(door, id) || strings.HasPrefix(door, "/api/blobs") {
					if st != 404 {
						t.Errorf("%s: %s asks %s: %d, want 404", when, name, door, st)
					}
				}
			}
			if n := counts(as); n != 0 {
				t.Errorf("%s: %s counts %d", when, name, n)
			}
			if _, body := shown(as, "/api/dangers/summary"); strings.Contains(body, `"draft":1`) || strings.Contains(body, `"total":1`) {
				t.Errorf("%s: %s in the summary: %s", when, name, body)
			}
			if name != "the unit" {
				var body string
				if since[name], body = changes(as, since[name]); strings.Contains(body, id) {
					t.Errorf("%s: %s is sent %s", when, name, body)
				}
			}
		}
	}
	// The author first.
	for _, door := range doors {
		if st, body := shown(d.worker, door); st >= 500 || st == 400 {
			t.Errorf("the author asks %s: %d %s", door, st, body)
		}
	}
	if st, body := shown(d.worker, path); st != 200 || !strings.Contains(body, "QZDRAFT堤脚二") {
		t.Errorf("the author: %d %s", st, body)
	}
	if st, _ := shown(d.worker, "/api/blobs/"+photo); st != 200 {
		t.Errorf("the author's photo: %d", st)
	}
	mine, his := pack(d.worker), pack(colleague)
	if len(mine) != len(his) {
		t.Errorf("packs of %d and %d bytes: the draft is in one of them", len(mine), len(his))
	}
	never("while it is a draft")

	// Working on it is no news to a phone that asked meanwhile, nor is its end.
	quiet := func(when string) {
		t.Helper()
		d.settle()
		for name, as := range others {
			if name == "the unit" {
				continue
			}
			var body string
			if since[name], body = changes(as, since[name]); strings.Contains(body, "019c0000-0000-7000-8000-0000000000d") {
				t.Errorf("%s: %s is sent %s", when, name, body)
			}
		}
	}
	const other = "019c0000-0000-7000-8000-0000000000d2"
	st, doc = d.ask(d.worker, "PUT", "/api/dangers/"+other, strings.Replace(draft, `,"evidence":["`+photo+`"]`, "", 1), "")
	if st != 201 {
		t.Fatalf("%d %v", st, doc)
	}
	quiet("begun")
	if st, doc = d.ask(d.worker, "PATCH", "/api/dangers/"+other, `{"description":"QZDRAFT改"}`, etag(doc)); st != 200 {
		t.Fatalf("%d %v", st, doc)
	}
	quiet("edited")
	if st, doc := d.ask(d.worker, "DELETE", "/api/dangers/"+other, "", etag(doc)); st != 204 {
		t.Fatalf("%d %v", st, doc)
	}
	quiet("taken back")
	// What everybody may hear comes after it on every stream.
	d.exec(`insert into dangers (code, name, kind, state, found_at, geom) values ('QZAFTER', 'QZAFTER', 'flood', 'reported', now(), st_setsrid(st_makepoint(119.26, 34.15), 4490))`)
	for name, s := range streams {
		waitFor(t, "the row after it for "+name, func() bool { return strings.Contains(s.text(), "QZAFTER") })
		if strings.Contains(s.text(), "QZDRAFT") || strings.Contains(s.text(), id) || strings.Contains(s.text(), other) || strings.Count(s.text(), `"layer":"dangers","boxes"`) > 1 {
			t.Errorf("%s hears of the draft:\n%.900s", name, s.text())
		}
	}

	// Reported, it is seen by those whose area it is.
	_, doc = d.ask(d.worker, "GET", path, "", "")
	if st, doc := d.ask(d.worker, "POST", path+"/transitions", `{"to":"reported"}`, etag(doc)); st != 200 {
		t.Fatalf("%d %v", st, doc)
	}
	d.settle()
	for _, door := range []string{"/tiles/dangers/14/13619/6536.mvt?properties=name", "/ogc/collections/dangers/items", "/api/search?q=QZDRAFT", path} {
		if st, body := shown(d.officer, door); st != 200 || !strings.Contains(body, "QZDRAFT") {
			t.Errorf("reported, through %s: %d %.200s", door, st, body)
		}
	}
	if _, body := changes(colleague, since["a colleague"]); !strings.Contains(body, id) {
		t.Errorf("reported, the colleague is sent %s", body)
	}
	waitFor(t, "the officer's stream", func() bool { return strings.Contains(streams["an officer"].text(), id) })
	// One that was reported and taken back, phones forget.
	since["a colleague"], _ = changes(colleague, since["a colleague"])
	_, doc = d.ask(d.worker, "GET", path, "", "")
	if st, doc := d.ask(d.worker, "DELETE", path, "", etag(doc)); st != 204 {
		t.Fatalf("%d %v", st, doc)
	}
	d.settle()
	if _, body := changes(colleague, since["a colleague"]); !strings.Contains(body, id) || !strings.Contains(body, `"delete"`) {
		t.Errorf("taken back, the colleague is sent %s", body)
	}
	// What it was as a draft stays the author's.
	if st, body := shown(d.officer, "/ogc/collections/dangers/items?as_of="+drawn); st != 200 || strings.Contains(body, "QZDRAFT") {
		t.Errorf("as of the draft: %d %s", st, body)
	}
}

func first(_ int, doc map[string]any) map[string]any { return doc }
