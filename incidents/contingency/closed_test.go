package contingency_test

import (
	"testing"

	"onemap/incidents/contingency"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// TestOneTaskForWhoItIsToDo: sixteen townships' plans that ask the same of the county's bureau
// are one task of it, and of each township's own people one each.
func TestOneTaskForWhoItIsToDo(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	put := func(area, unit string, clauses ...contingency.Clause) {
		t.Helper()
		if _, _, err := h.s.Put(t.Context(), officer, h.newID(), nil, contingency.Plan{Title: unit + "防汛预案", Kind: "grassroots", Hazard: "flood", Area: area, Unit: unit, Clauses: clauses}); err != nil {
			t.Fatal(err)
		}
	}
	put(countyA, "县人民政府", contingency.Clause{Action: "加强值守", Unit: "县水利局", Minutes: new(60)})
	for i, area := range []string{townA, "990100102", "990100103"} {
		put(area, "乡镇人民政府", contingency.Clause{Action: "加强值守", Unit: "县水利局", Minutes: new(30 + i)}, contingency.Clause{Action: "敲锣叫应", Unit: "各村", Minutes: new(10)}, contingency.Clause{Action: "组织转移", Unit: area + "值班室"})
	}
	response := h.newID()
	if _, err := pgtest.Connect(t, h.dsn.Admin).Exec(t.Context(), `insert into response (id, title, kind, level, area) values ($1, 'x', 'flood', 4, $2)`, response, countyA); err != nil {
		t.Fatal(err)
	}
	order := contingency.Order{Response: response, Area: countyA, At: h.now(), Case: contingency.Case{Hazard: "flood", Level: 4}}
	if n, err := h.s.Send(t.Context(), officer, order); err != nil || n != 1+3+3 {
		t.Errorf("%d tasks, %v; want one of the bureau, one of each township's villages, one of each desk", n, err)
	}
	if n, err := h.s.Send(t.Context(), officer, order); err != nil || n != 0 {
		t.Errorf("said twice: %d more, %v", n, err)
	}
	list, _, err := h.s.Tasks(t.Context(), officer.Identity, contingency.TaskQuery{Response: response})
	if err != nil || len(list) != 7 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, x := range list {
		if x.Unit == "县水利局" && *x.Minutes != 30 {
			t.Errorf("the bureau has %d minutes, want the shortest time asked", *x.Minutes)
		}
	}
}

// TestTasksEndWithTheirResponse: what was not done then waits for nobody, says why, is late
// no more than it was, and can still be noted as done. An incident's tasks end with it, and
// wait again when it is opened again.
func TestTasksEndWithTheirResponse(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	if _, _, err := h.s.Put(t.Context(), officer, h.newID(), nil, flood()); err != nil {
		t.Fatal(err)
	}
	admin := pgtest.Writer(t, h.dsn.App)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	response, incident := h.newID(), h.newID()
	exec(`insert into response (id, title, kind, level, area, state, started_at, signed_by) values ($1, 'x', 'flood', 3, $2, 'active', now(), '县长')`, response, countyA)
	exec(`insert into incidents (id, name, admin_code, state, kind) values ($1, '内涝', $2, 'received', 'flood')`, incident, townA)
	for _, o := range []contingency.Order{{Response: response}, {Incident: incident}} {
		o.Area, o.At, o.Case = countyA, h.now(), contingency.Case{Hazard: "flood", Level: 3}
		if n, err := h.s.Send(t.Context(), officer, o); err != nil || n != 3 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	of := func(q contingency.TaskQuery) []contingency.Task {
		t.Helper()
		list, _, err := h.s.Tasks(t.Context(), officer.Identity, q)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	first := of(contingency.TaskQuery{Response: response})
	if _, err := h.s.Step(t.Context(), officer, first[0].ID, nil, contingency.Step{To: contingency.Done}); err != nil {
		t.Fatal(err)
	}
	exec(`update response set state = 'ended', ended_at = now() where id = $1`, response)
	exec(`update incidents set state = 'closed', closed_at = now() where id = $1`, incident)
	for why, q := range map[string]contingency.TaskQuery{"response_ended": {Response: response, State: contingency.Closed}, "incident_closed": {Incident: incident, State: contingency.Closed}} {
		list := of(q)
		if len(list) != map[string]int{"response_ended": 2, "incident_closed": 3}[why] {
			t.Errorf("%s: %d closed", why, len(list))
		}
		for _, x := range list {
			if x.ClosedAt == nil || x.ClosedWhy != why || x.State != contingency.Waiting {
				t.Errorf("%s: %+v", why, x)
			}
		}
	}
	if list := of(contingency.TaskQuery{State: contingency.Waiting}); len(list) != 0 {
		t.Errorf("%d still wait", len(list))
	}
	h.clock.Store(int64(24 * 3600 * 1e9))
	if list := of(contingency.TaskQuery{Late: true}); len(list) != 0 {
		t.Errorf("%d are late a day after the end", len(list))
	}
	left := of(contingency.TaskQuery{Response: response, State: contingency.Closed})
	if left[0].Late(h.now()) {
		t.Error("what ended in time is late for ever")
	}
	if _, err := h.s.Step(t.Context(), officer, left[0].ID, nil, contingency.Step{To: contingency.Acknowledged}); refused(err) != "response_ended" {
		t.Errorf("acknowledged after the end: %v", err)
	}
	if x, err := h.s.Step(t.Context(), officer, left[0].ID, nil, contingency.Step{To: contingency.Done}); err != nil || x.ClosedAt != nil || x.State != contingency.Done {
		t.Errorf("done all the same: %+v %v", x, err)
	}
	exec(`update incidents set state = 'responding', closed_at = null where id = $1`, incident)
	if list := of(contingency.TaskQuery{Incident: incident, State: contingency.Waiting}); len(list) != 3 {
		t.Errorf("opened again, %d wait", len(list))
	}
}
