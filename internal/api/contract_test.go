package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// contractHouse is a county with two villages, a shelter, a road and a team.
func contractHouse(t *testing.T) *env {
	t.Helper()
	e := start(t)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) values ('990100', '990100', '甲县', 3, st_makeenvelope(119, 34, 119.6, 34.6, 4490)), ('990100101', '990100101', '东山镇', 4, st_makeenvelope(119, 34, 119.3, 34.3, 4490)),
			('990100101001', '990100101001', '东村', 5, st_makeenvelope(119, 34, 119.1, 34.1, 4490)), ('990100101002', '990100101002', '西村', 5, st_makeenvelope(119.1, 34, 119.2, 34.1, 4490))`,
		`insert into responsibility (kind, admin_code, scope, post, person) values ('administrative', '990100101001', code_scope('990100101001'), '村主任', '王一'), ('administrative', '990100101002', code_scope('990100101002'), '村主任', '赵二')`,
		`insert into shelters (id, name, class, state, capacity, occupancy, geom) values ('019c0000-0000-7000-8000-0000000005e1', '东村小学', 'short', 'open', 10, 0, st_setsrid(st_makepoint(119.05, 34.05), 4490))`,
		`insert into teams (id, name, kind, state, geom) values ('019c0000-0000-7000-8000-0000000005e2', '东山镇应急队', 'grassroots', 'standby', st_setsrid(st_makepoint(119.05, 34.05), 4490))`,
	} {
		e.exec(sql)
	}
	return e
}

// TestTheContractOfIncidents holds incidents to what other programs were told: the level in
// the body is the word of the person who sends it, a PUT with If-Match takes the place of
// what was said, a place may be changed, and the tasks have an address of their own.
func TestTheContractOfIncidents(t *testing.T) {
	e := contractHouse(t)
	officer := e.desk("duty.officer", "李值班", auth.DutyOfficer, ownArea)
	e.settle()
	type incident struct {
		ETag          int64 `json:"etag"`
		Type, Kind    string
		Title, Place  string
		Description   *string
		Level         *int
		LevelProposed *int    `json:"level_proposed"`
		LevelBy       *string `json:"level_by"`
		Area          string
		Geometry      *struct{ Coordinates []float64 }
		Figures       struct {
			Deaths  *int
			LossWan *float64 `json:"loss_wan"`
		}
	}
	var i incident
	path := "/api/incidents/" + newID()
	body := `{"type":"fire","title":"粮站起火","place":"东村粮站","occurred_at":"2026-07-05T08:00:00+08:00","known_at":"2026-07-05T08:05:00+08:00","level":2,"exercise":false,"figures":{"deaths":9,"missing":0,"injured":0,"affected":10,"evacuated":5,"loss_wan":6000}}`
	officer.must(201, &i, "PUT", path, body)
	if i.Type != "fire" || i.Kind != "fire" || i.Level == nil || *i.Level != 2 || i.LevelBy == nil || *i.LevelBy != "李值班" || i.LevelProposed == nil || *i.LevelProposed != 2 {
		t.Fatalf("%+v", i)
	}
	officer.must(200, &i, "PUT", path, body)
	officer.must(409, nil, "PUT", path, strings.Replace(body, `"level":2`, `"level":3`, 1))
	officer.must(422, nil, "PUT", "/api/incidents/"+newID(), strings.Replace(body, `"level":2`, `"level":5`, 1))
	match := func() []string { return []string{"If-Match", fmt.Sprintf(`"%d"`, i.ETag)} }
	officer.must(200, &i, "PATCH", path, `{"level":1,"geometry":{"type":"Point","coordinates":[119.15,34.05]}}`, match()...)
	if *i.Level != 1 || i.Geometry == nil || i.Geometry.Coordinates[0] != 119.15 || i.Area != "990100101002" {
		t.Errorf("%+v", i)
	}
	officer.must(412, nil, "PATCH", path, `{"level":2}`, "If-Match", `"1"`)
	officer.must(422, nil, "PATCH", path, `{"geometry":{"type":"Point","coordinates":[34.05,119.05]}}`, match()...)
	i = incident{}
	e.json(path, &i, session(officer.cookie)...)
	// All that is said of it now: the loss is not known any more, and there is a description.
	officer.must(200, &i, "PUT", path, `{"type":"fire","title":"粮站起火","place":"东村粮站","description":"明火已灭","level":1,"figures":{"deaths":3},"geometry":{"type":"Point","coordinates":[119.15,34.05]}}`, match()...)
	i.Figures.LossWan, i.Figures.Deaths = nil, nil
	e.json(path, &i, session(officer.cookie)...)
	if i.Figures.LossWan != nil || i.Figures.Deaths == nil || *i.Figures.Deaths != 3 || i.Description == nil || *i.Level != 1 || *i.LevelProposed != 3 {
		t.Errorf("%+v", i)
	}
	// Nobody but a person confirms a level.
	_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "上报", Role: auth.DutyOfficer, Area: ownArea, Scopes: []string{"report"}})
	if err != nil {
		t.Fatal(err)
	}
	e.settle()
	program := func(body string) reply {
		return e.send("PUT", "/api/incidents/"+newID(), strings.NewReader(body), "Content-Type", "application/json", "Authorization", "Bearer "+secret)
	}
	if r := program(body); r.StatusCode != 422 || !strings.Contains(string(r.body), "needs_person") {
		t.Errorf("a program graded: %d %s", r.StatusCode, r.body)
	}
	if r := program(strings.Replace(body, `"level":2,`, "", 1)); r.StatusCode != 201 {
		t.Errorf("a program told: %d %s", r.StatusCode, r.body)
	}

	plan := newID()
	officer.must(201, nil, "PUT", "/api/contingencies/"+plan, `{"title":"县火灾预案","kind":"special","hazard":"fire","area":"990100","unit":"县政府","clauses":[{"level":4,"action":"灭火","unit":"县消防","minutes":30,"text":""}]}`)
	officer.must(201, nil, "POST", "/api/response-tasks", `{"incident":"`+strings.TrimPrefix(path, "/api/incidents/")+`"}`)
	var tasks struct {
		Tasks []struct{ Incident, Action string }
	}
	officer.must(200, &tasks, "GET", path+"/tasks", "")
	if len(tasks.Tasks) != 1 || tasks.Tasks[0].Action != "灭火" {
		t.Errorf("%+v", tasks)
	}
	officer.must(404, nil, "GET", "/api/incidents/"+newID()+"/tasks", "")
}

// TestTheContractOfTheDesk: bodies as short as the contract has them, the board of a drawn
// area, the brief on paper, a position as a phone gives it, a response in one piece.
func TestTheContractOfTheDesk(t *testing.T) {
	e := contractHouse(t)
	officer := e.desk("duty.officer", "李值班", auth.DutyOfficer, ownArea)
	e.settle()
	const shelter, team = "/api/shelters/019c0000-0000-7000-8000-0000000005e1", "/api/teams/019c0000-0000-7000-8000-0000000005e2/position"
	var booked struct {
		Reservation struct {
			ID string
			N  int
		}
	}
	officer.must(201, &booked, "POST", shelter+"/reservations", `{"n":7,"group":"东村"}`)
	if booked.Reservation.ID == "" || booked.Reservation.N != 7 {
		t.Errorf("%+v", booked)
	}
	if r := officer.must(409, nil, "POST", shelter+"/reservations", `{"n":4,"group":"西村"}`); !strings.Contains(string(r.body), "shelter_full") {
		t.Errorf("%s", r.body)
	}

	callout := newID()
	// Every write says where the feed stands, and what was written is there from then on.
	seen := func(r reply) {
		t.Helper()
		if at := r.Header.Get("Onemap-Seq"); at == "" {
			t.Error("it does not say where the feed stands")
		} else {
			officer.must(200, nil, "GET", "/api/callouts/"+callout, "", "Onemap-After", at)
		}
	}
	seen(officer.must(201, nil, "PUT", "/api/callouts/"+callout, `{"kind":"call_out","title":"暴雨叫应","reason":"短时强降雨","areas":["990100101001","990100101002"],"consulted":{"name":"张带班","post":"副局长"}}`))
	var targets struct {
		Targets []struct{ ID, Village string }
	}
	officer.must(200, &targets, "GET", "/api/callouts/"+callout+"/targets", "")
	if len(targets.Targets) != 2 {
		t.Fatalf("%+v", targets)
	}
	officer.must(201, nil, "POST", "/api/calls", `{"target":"`+targets.Targets[0].ID+`","outcome":"answered","channel":"phone"}`)
	for code, toMove := range map[string]int{"990100101001": 30, "990100101002": 50} {
		seen(officer.must(200, nil, "POST", "/api/evacuation/"+callout+"/villages/"+code, fmt.Sprintf(`{"op_id":%q,"mode":"total","to_move":%d,"moved":10,"channel":"phone"}`, newID(), toMove)))
	}
	type board struct {
		Villages []struct{ Code string }
		Callouts []struct{ ID string }
		Totals   struct {
			ToMove int `json:"to_move"`
			Moved  int `json:"moved"`
		}
	}
	in := func(x0, x1 float64) (b board) {
		shape := fmt.Sprintf(`{"type":"Polygon","coordinates":[[[%[1]g,34.01],[%[2]g,34.01],[%[2]g,34.09],[%[1]g,34.09],[%[1]g,34.01]]]}`, x0, x1)
		officer.must(200, &b, "GET", "/api/evacuation?geometry="+url.QueryEscape(shape), "")
		return b
	}
	if b := in(119.02, 119.08); len(b.Villages) != 1 || b.Villages[0].Code != "990100101001" || b.Totals.ToMove != 30 || b.Totals.Moved != 10 || len(b.Callouts) != 1 {
		t.Errorf("one village: %+v", b)
	}
	if b := in(119.02, 119.18); len(b.Villages) != 2 || b.Totals.ToMove != 80 {
		t.Errorf("two villages: %+v", b)
	}
	if b := in(119.3, 119.4); len(b.Villages) != 0 || len(b.Callouts) != 0 || b.Totals.ToMove != 0 {
		t.Errorf("none: %+v", b)
	}
	officer.must(400, nil, "GET", "/api/evacuation?geometry="+url.QueryEscape(`{"type":"Polygon"}`), "")

	for kind, head := range map[string]string{"pdf": "%PDF-", "docx": "PK", "txt": ""} {
		if r := officer.must(200, nil, "POST", "/api/reports/handover."+kind, `{}`); !strings.HasPrefix(string(r.body), head) || len(r.body) < 100 {
			t.Errorf("handover.%s: %d bytes of %s", kind, len(r.body), r.Header.Get("Content-Type"))
		}
	}
	viewer := e.desk("viewer.one", "看客", auth.Viewer, ownArea)
	e.settle()
	viewer.must(403, nil, "POST", "/api/reports/handover.pdf", `{}`)

	var at struct{ Position []float64 }
	officer.must(200, &at, "POST", team, `{"lon":119.05,"lat":34.05,"src_crs":"GCJ02"}`)
	if len(at.Position) != 2 || math.Abs(at.Position[0]-119.05) < 1e-3 || math.Abs(at.Position[0]-119.05) > 1e-2 {
		t.Errorf("GCJ-02 was taken as it is: %v", at.Position)
	}
	officer.must(422, nil, "POST", team, `{"lon":119.05,"lat":34.05,"src_crs":"Mars"}`)

	var r struct {
		State, Type string
		Title       string
		SignedBy    string    `json:"signed_by"`
		StartedAt   time.Time `json:"started_at"`
		Level       int
		ETag        int64 `json:"etag"`
	}
	response := "/api/responses/" + newID()
	started := time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Second)
	body := fmt.Sprintf(`{"type":"flood","level":4,"area":"990100","condition":"预报暴雨","signed_by":"张县长","document_number":"甲汛〔2026〕1 号","started_at":%q}`, started.Format(time.RFC3339))
	officer.must(201, &r, "PUT", response, body)
	if r.State != "active" || r.Type != "flood" || r.SignedBy != "张县长" || !r.StartedAt.Equal(started) || r.Title == "" {
		t.Fatalf("%+v", r)
	}
	officer.must(200, &r, "POST", response+"/transitions", `{"act":"adjust","level":3,"signed_by":"张县长","document_number":"甲汛〔2026〕2 号"}`, "If-Match", fmt.Sprintf(`"%d"`, r.ETag))
	officer.must(200, &r, "PUT", response, body)
	if r.Level != 3 || r.State != "active" {
		t.Errorf("said again, it is as it is now: %+v", r)
	}
	officer.must(409, nil, "PUT", response, strings.Replace(body, `"level":4`, `"level":2`, 1))
}

// TestWritesSayWhereTheyStand: whoever writes may read what he wrote.
func TestWritesSayWhereTheyStand(t *testing.T) {
	e := alertHouse(t)
	r, _ := e.warn("/api/alerts", warning("Alert", "99010041600000_20260705143000_0", "", boxA))
	seq := r.Header.Get("Onemap-Seq")
	if r.StatusCode != 201 || seq == "" {
		t.Fatalf("%d, at %q", r.StatusCode, seq)
	}
	e.settle()
	var items struct {
		Features []json.RawMessage
	}
	e.json("/ogc/collections/alerts/items", &items, "Onemap-After", seq)
	if len(items.Features) != 1 {
		t.Errorf("%d alerts", len(items.Features))
	}
}
