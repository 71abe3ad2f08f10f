package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// TestACallOutFromWarningToEverybodyMoved goes the whole way over HTTP: an order of one
// person, the list, calls that are followed up, a phone that counts, the board, the end.
func TestACallOutFromWarningToEverybodyMoved(t *testing.T) {
	e := start(t)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x, 34.0, v.x + v.w, 34.0 + v.w), 4490)
		from (values ('990100', '甲县', 3, 119.0, 0.6), ('990100101', '甲镇', 4, 119.0, 0.3), ('990100101001', '东村', 5, 119.0, 0.1), ('990200', '乙县', 3, 120.0, 0.6)) v(code, name, rank, x, w)`,
		`insert into grids (code, admin_code, name, worker, geom) values ('` + ownGrid + `', '990100101001', '第一网格', '王网格', st_setsrid(st_makeenvelope(119, 34, 119.1, 34.1), 4490))`,
		`insert into hazards (name, admin_code, level, threatened_persons, geom) values ('滑坡', '990100101001', 1, 12, st_setsrid(st_makepoint(119.05, 34.05), 4490))`,
		`insert into responsibility (id, kind, admin_code, scope, post, person, deputy_post, deputy) values ('01900000-0000-7000-8000-000000000001', 'administrative', '990100101001', code_scope('990100101001'), '村主任', '王一', '副主任', '王副')`,
		`insert into restricted.contact (responsibility, phone, deputy_phone) values ('01900000-0000-7000-8000-000000000001', '13812345678', '13987654321')`,
	} {
		e.exec(sql)
	}
	worker, officer := e.desk("grid.worker", "王网格", auth.GridWorker, ownGrid), e.desk("duty.officer", "李值班", auth.DutyOfficer, ownArea)
	foreign, boss := e.desk("duty.foreign", "外值班", auth.DutyOfficer, otherArea), e.desk("boss", "指挥员", auth.Commander, ownArea)
	e.settle()
	near := e.listen(e.unlimited(), "http://localhost", "callouts,call_targets,calls,evacuation_entries", "", session(officer.cookie)...)
	far := e.listen(e.unlimited(), "http://localhost", "callouts,call_targets,calls,evacuation_entries", "", session(foreign.cookie)...)
	read := func(r reply, code int, v any) {
		t.Helper()
		if r.StatusCode != code {
			t.Fatalf("%d, want %d: %s", r.StatusCode, code, r.body)
		}
		if strings.Contains(string(r.body), "13812345678") || strings.Contains(string(r.body), "13987654321") {
			t.Fatalf("a number in clear: %s", r.body)
		}
		if v != nil {
			if err := json.Unmarshal(r.body, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	id := newID()
	const shape = `"geometry":{"type":"Polygon","coordinates":[[[119.01,34.01],[119.09,34.01],[119.09,34.09],[119.01,34.09],[119.01,34.01]]]}`
	read(officer.ask("PUT", "/api/callouts/"+id, `{"kind":"evacuate_now","title":"东村立即转移","reason":"滑坡前兆明显",`+shape+`}`), 422, nil)
	var c struct {
		State, Countersign, Decision string
		Villages, Targets            int
		ETag                         int64 `json:"etag"`
	}
	body := `{"kind":"evacuate_now","title":"东村立即转移","reason":"滑坡前兆明显","consulted":{"name":"张带班","post":"副局长"},` + shape + `}`
	read(officer.ask("PUT", "/api/callouts/"+id, body), 201, &c)
	read(officer.ask("PUT", "/api/callouts/"+id, body), 200, &c)
	if c.Countersign != "pending" || c.Villages != 1 || c.Targets != 2 {
		t.Errorf("%+v", c)
	}
	read(boss.ask("POST", "/api/decisions/"+c.Decision+"/transitions", `{"to":"countersigned"}`, "If-Match", `"1"`), 200, nil)
	read(foreign.ask("GET", "/api/callouts/"+id, ""), 404, nil)
	read(worker.ask("GET", "/api/callouts/"+id+"/targets", ""), 403, nil)

	type target struct {
		ID, Name, Role, State string
		PhoneMasked           string `json:"phone_masked"`
		Contact               string
		Escalation            int
	}
	var list struct{ Targets []target }
	read(officer.ask("GET", "/api/callouts/"+id+"/targets?open=true", ""), 200, &list)
	if len(list.Targets) != 2 || list.Targets[0].Name != "王一" || list.Targets[0].PhoneMasked != "138****5678" {
		t.Fatalf("%+v", list)
	}
	r := officer.ask("POST", "/api/contacts/"+list.Targets[0].Contact+"/reveal", `{"reason":"叫应东村立即转移"}`)
	if r.StatusCode != 200 || !strings.Contains(string(r.body), "13812345678") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	call := fmt.Sprintf(`{"op_id":%q,"target":%q,"outcome":"no_answer"}`, newID(), list.Targets[0].ID)
	var rung struct{ Opened *target }
	read(officer.ask("POST", "/api/calls", call), 201, &rung)
	if rung.Opened == nil || rung.Opened.Name != "王副" || rung.Opened.Escalation != 1 {
		t.Fatalf("%+v", rung.Opened)
	}
	read(officer.ask("POST", "/api/calls", call), 200, nil)
	deputy := rung.Opened.ID

	op := fmt.Sprintf(`{"device":"phone-1","ops":[{"op_id":%q,"kind":"evacuation_entries","id":%q,"captured_at":%q,"fields":{"callout":{"value":%q},"village":{"value":%q},"moved":{"value":12}}}]}`,
		newID(), newID(), time.Now().UTC().Format(time.RFC3339), id, ownVillage)
	for range 2 {
		if r := worker.ask("POST", "/api/sync", op); r.StatusCode != 200 || !strings.Contains(string(r.body), `"status":"applied"`) && !strings.Contains(string(r.body), `"status":"duplicate"`) {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	if r := worker.ask("GET", "/api/sync/changes?area="+ownGrid, ""); !strings.Contains(string(r.body), "东村立即转移") {
		t.Errorf("the phone does not hear of it: %d %.600s", r.StatusCode, r.body)
	}
	var board struct {
		Villages []struct {
			Moved, Percent int
			NotMoved       int `json:"not_moved"`
			Complete       bool
		}
		Totals   struct{ Moved, Percent int }
		Complete bool
	}
	read(officer.ask("GET", "/api/evacuation?callout="+id, ""), 200, &board)
	if board.Complete || board.Villages[0].Moved != 12 || board.Villages[0].NotMoved != 0 || board.Totals.Percent != 99 {
		t.Errorf("everybody has moved, and two have not answered: %+v", board)
	}
	for _, x := range []string{deputy, list.Targets[1].ID} {
		read(officer.ask("POST", "/api/calls", fmt.Sprintf(`{"op_id":%q,"target":%q,"outcome":"repeated","note":"复述无误"}`, newID(), x)), 201, nil)
	}
	read(officer.ask("GET", "/api/evacuation", ""), 200, &board)
	if !board.Complete || board.Totals.Percent != 100 {
		t.Errorf("%+v", board)
	}
	read(officer.ask("POST", "/api/evacuation/"+id+"/villages/"+ownVillage, `{"op_id":"`+newID()+`","returned":2,"lost":{"road":true},"channel":"phone"}`), 200, nil)
	read(officer.ask("GET", "/api/evacuation?callout="+id, ""), 200, &board)
	if board.Complete || board.Villages[0].Moved != 10 {
		t.Errorf("two went back: %+v", board)
	}
	read(officer.ask("GET", "/api/callouts/"+id, ""), 200, &c)
	if c.Countersign != "done" {
		t.Errorf("%+v", c)
	}
	read(officer.ask("POST", "/api/callouts/"+id+"/end", `{"reason":"done"}`), 428, nil)
	read(officer.ask("POST", "/api/callouts/"+id+"/end", `{"reason":"done"}`, "If-Match", fmt.Sprintf(`"%d"`, c.ETag)), 200, &c)
	if c.State != "ended" {
		t.Errorf("%+v", c)
	}
	waitFor(t, "the desk hears of all of it", func() bool {
		return len(near.told("callouts")) >= 2 && len(near.told("calls")) == 3 && len(near.told("evacuation_entries")) == 2 && len(near.told("call_targets")) >= 6
	})
	for _, topic := range []string{"callouts", "calls", "call_targets", "evacuation_entries"} {
		if n := len(far.told(topic)); n != 0 {
			t.Errorf("another county hears of %d %s", n, topic)
		}
	}
}
