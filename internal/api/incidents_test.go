package api_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// TestAnIncidentFromTheCallToTheArchive goes the whole way over HTTP: received in words,
// a place written latitude first, the level, the first report as text and as a record that
// nobody edits, the picture as it was, the stream, and the figures.
func TestAnIncidentFromTheCallToTheArchive(t *testing.T) {
	e := start(t)
	e.exec(`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x, 34.0, v.x + v.w, 34.0 + v.w), 4490)
		from (values ('990100', '甲县', 3, 119.0, 0.6), ('990100101', '东山镇', 4, 119.0, 0.3), ('990200', '乙县', 3, 120.0, 0.6)) v(code, name, rank, x, w)`)
	officer, foreign := e.desk("duty.officer", "李值班", auth.DutyOfficer, ownArea), e.desk("duty.foreign", "外值班", auth.DutyOfficer, otherArea)
	e.settle()
	near := e.listen(e.unlimited(), "http://localhost", "incidents,incident_events", "", session(officer.cookie)...)
	far := e.listen(e.unlimited(), "http://localhost", "incidents,incident_events", "", session(foreign.cookie)...)
	read := func(r reply, code int, v any) {
		t.Helper()
		if r.StatusCode != code {
			t.Fatalf("%d, want %d: %s", r.StatusCode, code, r.body)
		}
		if v != nil {
			if err := json.Unmarshal(r.body, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	var i struct {
		ETag          int64 `json:"etag"`
		Number, State string
		Area          string
		Positioned    bool
		Level         *int
		LevelProposed *int   `json:"level_proposed"`
		Phone         string `json:"reporter_phone_masked"`
		Reports       int
		Clocks        []struct {
			Name string
			Late bool
		}
	}
	id := newID()
	path := "/api/incidents/" + id
	// When the record is made the clock is already late: that shows.
	body := fmt.Sprintf(`{"kind":"fire","place":"东山镇粮站","reporter":"王某","reporter_phone":"13812345678","persons_reported":6,"occurred_at":%q}`, time.Now().Add(-3*time.Hour).UTC().Format(time.RFC3339))
	read(officer.ask("PUT", path, body), 201, &i)
	if i.Area != "990100101" || i.Positioned || i.Level != nil || i.Phone != "138****5678" || !strings.HasPrefix(i.Number, "SJ-990100-") {
		t.Errorf("%+v", i)
	}
	if len(i.Clocks) != 1 || !i.Clocks[0].Late {
		t.Errorf("clocks: %+v", i.Clocks)
	}
	read(officer.ask("PUT", path, body), 200, nil)
	read(officer.ask("PUT", path, strings.Replace(body, "王某", "李某", 1)), 409, nil)
	read(foreign.ask("GET", path, ""), 404, nil)
	before := time.Now().UTC()

	swapped := officer.ask("POST", path+"/place", `{"geometry":{"type":"Point","coordinates":[34.1,119.1]}}`)
	var p struct {
		Errors []struct {
			Code     string
			Geometry struct{ Coordinates []float64 }
		}
	}
	read(swapped, 422, &p)
	if len(p.Errors) != 1 || p.Errors[0].Code != "looks_swapped" || len(p.Errors[0].Geometry.Coordinates) != 2 || p.Errors[0].Geometry.Coordinates[0] != 119.1 {
		t.Fatalf("%s", swapped.body)
	}
	read(officer.ask("POST", path+"/place?fix=swap", `{"geometry":{"type":"Point","coordinates":[34.1,119.1]}}`), 200, &i)
	if !i.Positioned {
		t.Error("it is not placed")
	}
	read(officer.ask("PATCH", path, `{"figures":{"deaths":3,"injured":5}}`), 428, nil)
	read(officer.ask("PATCH", path, `{"figures":{"deaths":3,"injured":5}}`, "If-Match", fmt.Sprintf(`"%d"`, i.ETag)), 200, &i)
	if i.Level != nil || i.LevelProposed == nil || *i.LevelProposed != 3 {
		t.Errorf("proposed: %+v", i)
	}
	// The wall shows no level before somebody confirmed it, and nobody's name.
	_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "大屏", Role: auth.Viewer, Area: ownArea, Scopes: []string{"wall"}, Network: "127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	screen, err := e.auth.OpenWall(t.Context(), auth.By{Identity: e.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1")}, secret)
	if err != nil {
		t.Fatal(err)
	}
	onTheWall := e.get("/api/incidents?open=true", session(screen.Cookie)...)
	for _, text := range []string{`"level_proposed":3`, "王某", "5678"} {
		if onTheWall.StatusCode != 200 || strings.Contains(string(onTheWall.body), text) || !strings.Contains(string(onTheWall.body), id) {
			t.Errorf("the wall shows %s: %d %s", text, onTheWall.StatusCode, onTheWall.body)
		}
	}
	read(officer.ask("POST", path+"/level", `{"level":3}`, "If-Match", fmt.Sprintf(`"%d"`, i.ETag)), 200, &i)
	if i.Level == nil || *i.Level != 3 {
		t.Errorf("confirmed: %+v", i)
	}
	text := officer.ask("GET", path+"/reports/first.txt", "")
	if text.StatusCode != 200 || !strings.Contains(string(text.body), "死亡3人") || !strings.Contains(string(text.body), "较大") || strings.Contains(string(text.body), "138") {
		t.Errorf("%s", text.body)
	}
	var sent struct {
		ID   string
		Late bool
	}
	read(officer.ask("POST", path+"/reports", `{"kind":"first","channel":"written","to_level":"province","content":"东山镇粮站火灾，3人死亡"}`), 201, &sent)
	if !sent.Late {
		t.Error("three hours after it happened is late")
	}
	var refusal struct{ Code string }
	read(officer.ask("PATCH", path+"/reports/"+sent.ID, `{"content":"改一下"}`), 409, &refusal)
	if refusal.Code != "report_final" {
		t.Error(refusal.Code)
	}
	// As it was before it was placed: no place, no level.
	var was struct {
		Geometry   any
		Properties map[string]any
	}
	read(officer.ask("GET", "/ogc/collections/incidents/items/"+id+"?as_of="+url.QueryEscape(before.Format(time.RFC3339Nano)), ""), 200, &was)
	if was.Geometry != nil || was.Properties["level"] != nil {
		t.Errorf("as it was: %+v", was)
	}
	var list struct {
		Incidents []json.RawMessage
		Counts    struct{ Open, Late int }
	}
	drill := newID()
	read(officer.ask("PUT", "/api/incidents/"+drill, `{"kind":"fire","place":"东山镇","exercise":true}`), 201, nil)
	read(officer.ask("GET", "/api/incidents?open=true", ""), 200, &list)
	if len(list.Incidents) != 1 || list.Counts.Open != 1 || list.Counts.Late != 1 {
		t.Errorf("%d shown, %+v", len(list.Incidents), list.Counts)
	}
	read(officer.ask("GET", "/api/incidents?exercise=true", ""), 200, &list)
	if len(list.Incidents) != 1 {
		t.Errorf("drills: %d", len(list.Incidents))
	}
	var kpi struct {
		Total struct {
			Incidents, Late int
			LateRate        float64 `json:"late_rate"`
		}
	}
	read(officer.ask("GET", "/api/kpi", ""), 200, &kpi)
	if kpi.Total.Incidents != 1 || kpi.Total.Late != 1 || kpi.Total.LateRate != 1 {
		t.Errorf("kpi: %+v", kpi)
	}
	read(foreign.ask("GET", "/api/kpi", ""), 200, &kpi)
	if kpi.Total.Incidents != 0 {
		t.Errorf("the other county counts %+v", kpi)
	}
	waitFor(t, "the desk hears of the incident and its timeline", func() bool {
		return len(near.told("incidents")) >= 4 && len(near.told("incident_events")) >= 6
	})
	for _, topic := range []string{"incidents", "incident_events"} {
		if n := len(far.told(topic)); n != 0 {
			t.Errorf("another county hears of %d %s", n, topic)
		}
	}
}
