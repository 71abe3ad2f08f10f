package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// TestReadingANoticeReachesTheReadersPhones: who read a warning does not find it unread
// again, on none of his phones; to others it says nothing.
func TestReadingANoticeReachesTheReadersPhones(t *testing.T) {
	e := start(t)
	admin := pgtest.Writer(t, e.dsn.Admin)
	for _, sql := range []string{
		`insert into admin (name, code, admin_code, rank, geom) values ('县', '990100', '990100', 3, st_multi(st_makeenvelope(110, 30, 111, 31, 4490))), ('乡', '990100101', '990100101', 4, st_multi(st_makeenvelope(110, 30, 110.5, 31, 4490)))`,
		`insert into grids (name, code, admin_code, geom) values ('格', '990100101001001', '990100101001001', st_multi(st_makeenvelope(110, 30, 110.1, 30.1, 4490)))`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	worker := session(e.activate(e.person(auth.NewAccount{Username: "wangge", Name: "网格员", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	other := session(e.activate(e.person(auth.NewAccount{Username: "linju", Name: "邻居", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	desk := session(e.activate(e.person(auth.NewAccount{Username: "zhiban", Name: "值班员", Unit: "990100"}, auth.DutyOfficer, "990100101")))
	post := func(who []string, path, body string, status int) reply {
		t.Helper()
		r := e.send("POST", path, strings.NewReader(body), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, who...)...)
		if r.StatusCode != status {
			t.Fatalf("%s: %d %.300s", path, r.StatusCode, r.body)
		}
		return r
	}
	type page struct {
		Position string
		Changes  []struct {
			Kind, ID string
			Fields   map[string]any
		}
	}
	changes := func(who []string, since string) (p page) {
		t.Helper()
		r := e.do("GET", "/api/sync/changes"+since, who...)
		if err := json.Unmarshal(r.body, &p); err != nil || r.StatusCode != 200 {
			t.Fatalf("%d %.300s, %v", r.StatusCode, r.body, err)
		}
		return p
	}
	var notice struct{ ID string }
	if err := json.Unmarshal(post(desk, "/api/notices", `{"kind":"warning","level":1,"title":"暴雨红色预警","body":"转移","areas":["990100101"]}`, 201).body, &notice); err != nil {
		t.Fatal(err)
	}
	e.settle()
	mine, his := changes(worker, ""), changes(other, "")
	if len(mine.Changes) != 1 || mine.Changes[0].Fields["acknowledged_at"] != nil {
		t.Fatalf("first: %+v", mine)
	}
	post(worker, "/api/sync", `{"device":"p1","ops":[{"op_id":"0192f0d2-0000-7000-8000-000000000001","kind":"acks","id":"0192f0d2-0000-7000-8000-000000000002","device_seq":1,"captured_at":"2026-07-01T08:00:00+08:00","fields":{"notice":{"value":"`+notice.ID+`"},"read_at":{"value":"2026-07-01T08:00:00+08:00"}}}]}`, 200)
	e.settle()
	for who, p := range map[string]page{"the reader": changes(worker, "?since="+mine.Position), "a reader who begins": changes(worker, "")} {
		if len(p.Changes) != 1 || p.Changes[0].ID != notice.ID || p.Changes[0].Fields["acknowledged_at"] == nil {
			t.Errorf("%s: %+v", who, p)
		}
	}
	if p := changes(other, "?since="+his.Position); len(p.Changes) != 0 {
		t.Errorf("his neighbour: %+v", p)
	}
}

// TestOnesOwnComesFromEverywhere: what somebody reported far from his area, and what the
// office made of it, reaches his phone.
func TestOnesOwnComesFromEverywhere(t *testing.T) {
	e := start(t)
	admin := pgtest.Writer(t, e.dsn.Admin)
	for _, sql := range []string{
		`insert into admin (name, code, admin_code, rank, geom) values ('县', '990100', '990100', 3, st_multi(st_makeenvelope(110, 30, 111, 31, 4490))), ('乡', '990100101', '990100101', 4, st_multi(st_makeenvelope(110, 30, 110.5, 31, 4490))), ('镇', '990100102', '990100102', 4, st_multi(st_makeenvelope(110.5, 30, 111, 31, 4490)))`,
		`insert into grids (name, code, admin_code, geom) values ('格', '990100101001001', '990100101001001', st_multi(st_makeenvelope(110, 30, 110.1, 30.1, 4490)))`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	worker := session(e.activate(e.person(auth.NewAccount{Username: "wangge", Name: "网格员", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	other := session(e.activate(e.person(auth.NewAccount{Username: "linju", Name: "邻居", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	desk := session(e.activate(e.person(auth.NewAccount{Username: "zhiban", Name: "值班员", Unit: "990100"}, auth.DutyOfficer, "990100")))
	post := func(who []string, path, body string, status int) {
		t.Helper()
		r := e.send("POST", path, strings.NewReader(body), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, who...)...)
		if r.StatusCode != status {
			t.Fatalf("%s: %d %.300s", path, r.StatusCode, r.body)
		}
	}
	type page struct {
		Position string
		Reset    bool
		Changes  []struct{ Kind, ID, Op, State string }
	}
	changes := func(who []string, since string) (p page) {
		t.Helper()
		r := e.do("GET", "/api/sync/changes"+since, who...)
		if err := json.Unmarshal(r.body, &p); err != nil || r.StatusCode != 200 {
			t.Fatalf("%d %.300s, %v", r.StatusCode, r.body, err)
		}
		return p
	}
	at, his := changes(worker, "").Position, changes(other, "").Position
	const id = "0192f0d3-0000-7000-8000-000000000002"
	post(worker, "/api/sync", `{"device":"p1","ops":[{"op_id":"0192f0d3-0000-7000-8000-000000000001","kind":"incident_reports","id":"`+id+`","captured_at":"2026-07-01T08:00:00+08:00",
		"fields":{"kind":{"value":"other"},"urgency":{"value":"urgent"}},"geometry":{"type":"Point","coordinates":[110.8,30.5]}}]}`, 200)
	for _, want := range []string{"received", "taken"} {
		if want == "taken" {
			post(desk, "/api/incident-reports/"+id+"/transitions", `{"to":"taken"}`, 200)
		}
		e.settle()
		p := changes(worker, "?since="+at)
		if len(p.Changes) != 1 || p.Changes[0].ID != id || p.Changes[0].State != want {
			t.Errorf("%s: %+v", want, p)
		}
		at = p.Position
	}
	if p := changes(other, "?since="+his); len(p.Changes) != 0 {
		t.Errorf("his neighbour: %+v", p)
	}
	// Who holds no area any more still has what he reported, on a new phone too.
	if _, err := admin.Exec(t.Context(), `update auth.role_grant set revoked_at = clock_timestamp() where account = (select id from auth.account where username = 'wangge')`); err != nil {
		t.Fatal(err)
	}
	e.settle()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		p := changes(worker, "?since="+at)
		if p.Reset {
			if fresh := changes(worker, ""); len(fresh.Changes) != 1 || fresh.Changes[0].ID != id {
				t.Errorf("without an area: %+v", fresh)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the grant does not end")
		}
	}
}
