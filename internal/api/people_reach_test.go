package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"onemap/internal/auth"
)

const (
	townA, townB = "990100001", "990100002"
	villageA     = townA + "001"
)

// TestWhoReachesWhom: a number is shown to who acts in the whole of its area, not to
// whoever lies inside it.
func TestWhoReachesWhom(t *testing.T) {
	e := start(t)
	ids := map[string]string{}
	id := func(name string) string {
		ids[name] = fmt.Sprintf("01900000-0000-7000-8000-0000000a%04d", len(ids))
		return ids[name]
	}
	for name, area := range map[string]string{"county": ownArea, "town": townA, "next town": townB, "village": villageA} {
		r := fmt.Sprintf("01900000-0000-7000-8000-0000000b%04d", len(ids))
		e.exec(`insert into responsibility (id, kind, admin_code, scope, unit, person) values ($1, 'patrol', $2, code_scope($2), '单位', '某人')`, r, area)
		e.exec(`insert into restricted.contact (id, responsibility, phone) values ($1, $2, '13800001111')`, id(name), r)
	}
	duty := "01900000-0000-7000-8000-0000000c0001"
	e.exec(`insert into duty_roster (id, admin_code, scope, role, unit, person, starts_at, ends_at) values ($1, $2, code_scope($2), 'leader', '应急局', '带班', now(), now() + interval '8 h')`, duty, ownArea)
	e.exec(`insert into restricted.contact (id, duty, phone) values ($1, $2, '82101')`, id("county duty"), duty)
	e.exec(`insert into restricted.household (id, admin_code, scope, head, phone) values ($1, $2, code_scope($2), '户主', '13700001111')`, id("home"), villageA)
	e.exec(`insert into restricted.household (id, admin_code, scope, head, phone) values ($1, $2, every_scope(), '户主', '13700002222')`, id("home of no place"), villageA)

	ids["absent"] = noID
	for i, c := range []struct {
		role  auth.Role
		area  string
		reach string
	}{
		{auth.GridWorker, villageA, "town|village|home"},
		{auth.GridWorker, townA + "002", "town|village|home"}, // he reads his township
		{auth.GridWorker, townB + "001", "next town"},
		{auth.DutyOfficer, villageA, "village|home"},
		{auth.DutyOfficer, townA, "town|village|home"},
		{auth.DutyOfficer, townB, "next town"},
		{auth.DutyOfficer, ownArea, "county|county duty|town|next town|village|home"},
		{auth.Commander, ownArea, "county|county duty|town|next town|village|home"},
		{auth.Commander, otherArea, ""},
		{auth.Commander, "", "county|county duty|town|next town|village|home|home of no place"},
	} {
		who := session(e.activate(e.person(auth.NewAccount{Username: fmt.Sprintf("reach.%d", i), Name: "某某"}, c.role, c.area)))
		absent := e.post("/api/contacts/"+noID+"/reveal", `{"reason":"通知转移"}`, who...)
		e.wantProblem(absent, 404, "not_found")
		for name, contact := range ids {
			want := 404
			if strings.Contains("|"+c.reach+"|", "|"+name+"|") {
				want = 200
			}
			r := e.post("/api/contacts/"+contact+"/reveal", `{"reason":"通知转移"}`, who...)
			if r.StatusCode != want {
				t.Errorf("%s of %q, %s: %d, want %d", c.role, c.area, name, r.StatusCode, want)
			}
			if r.StatusCode == 404 && withoutRequest(t, r.body) != withoutRequest(t, absent.body) {
				t.Errorf("%s of %q, %s: %s differs from absent: %s", c.role, c.area, name, r.body, absent.body)
			}
		}
	}
	viewer := session(e.activate(e.person(auth.NewAccount{Username: "reach.viewer", Name: "某某"}, auth.Viewer, "")))
	e.wantProblem(e.post("/api/contacts/"+ids["town"]+"/reveal", `{"reason":"通知转移"}`, viewer...), 403, "forbidden")
}

// withoutRequest is a problem without what names the one request.
func withoutRequest(t *testing.T, body []byte) string {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	delete(p, "request_id")
	delete(p, "instance")
	return fmt.Sprint(p)
}

// TestSyslogIsSetByTwo: the page of settings gets 202 with the decision, and the
// auditor decides it.
func TestSyslogIsSetByTwo(t *testing.T) {
	e := start(t)
	as := func(name string, role auth.Role, area string) []string {
		return session(e.activate(e.person(auth.NewAccount{Username: name, Name: name}, role, area)))
	}
	security, auditor, town := as("an.quan", auth.SecurityAdmin, ""), as("shen.ji", auth.Auditor, ""), as("shen.ji.zhen", auth.Auditor, townA)
	type setting struct {
		Key     string
		Value   json.RawMessage
		Set     bool
		Version int64
	}
	syslog := func() setting {
		t.Helper()
		var a struct{ Settings []setting }
		e.json("/api/settings", &a, security...)
		for _, s := range a.Settings {
			if s.Key == "syslog" {
				return s
			}
		}
		t.Fatal("no setting syslog")
		return setting{}
	}
	patch := func(body string, version int64) reply {
		return e.send("PATCH", "/api/settings/syslog", strings.NewReader(body), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin", "If-Match", fmt.Sprintf(`"%d"`, version)}, security...)...)
	}
	e.wantProblem(patch(`{"value":{"address":"127.0.0.1:22","tls":false},"reason":"改到新接收机"}`, 0), 422, "invalid")
	e.wantProblem(patch(`{"value":{"address":"log.example:6514","ca":"\u0000"},"reason":"改到新接收机"}`, 0), 400, "invalid_body")
	e.wantProblem(patch(`{"value":{"address":"log.example:6514"},"reason":"改"}`, 0), 422, "invalid")
	e.wantProblem(patch(`{"value":{"address":"log.example:6514"},"reason":"改到新接收机"}`, 7), 412, "stale")
	r := patch(`{"value":{"address":"log.example:6514"},"reason":"改到新接收机"}`, 0)
	var proposed struct {
		Decision struct {
			ID, Action, State string
			Object            string
			Version           int64
			Detail            struct{ Value struct{ Address string } }
		}
	}
	if err := json.Unmarshal(r.body, &proposed); err != nil || r.StatusCode != 202 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	p := proposed.Decision
	if p.Action != "setting.syslog" || p.State != "proposed" || p.Object != "settings/syslog" || p.Detail.Value.Address != "log.example:6514" {
		t.Errorf("%s", r.body)
	}
	if s := syslog(); s.Set {
		t.Fatalf("set by one: %+v", s)
	}
	decide := func(who []string, to string) reply {
		return e.post("/api/decisions/"+p.ID+"/transitions", `{"to":"`+to+`"}`, append([]string{"If-Match", fmt.Sprintf(`"%d"`, p.Version)}, who...)...)
	}
	e.wantProblem(decide(security, "approved"), 403, "four_eyes")
	e.wantProblem(decide(town, "approved"), 403, "forbidden")
	var list struct {
		Decisions []struct{ ID, Action string }
	}
	e.json("/api/decisions?state=proposed&action=setting.syslog", &list, auditor...)
	if len(list.Decisions) != 1 || list.Decisions[0].ID != p.ID {
		t.Errorf("the auditor sees %+v", list)
	}
	if r := decide(auditor, "approved"); r.StatusCode != 200 {
		t.Fatalf("the auditor: %d %s", r.StatusCode, r.body)
	}
	if s := syslog(); !s.Set || !strings.Contains(string(s.Value), "log.example:6514") || s.Version == 0 {
		t.Errorf("decided: %+v", s)
	}
}

// TestRefusalsAreFiledUnderTheOffice: the auditor of a township sees what his people
// were refused, and nobody else's.
func TestRefusalsAreFiledUnderTheOffice(t *testing.T) {
	e := start(t)
	for _, p := range []struct {
		name, unit, area string
	}{{"jia.ren", townA, townA}, {"yi.ren", townB, townB}, {"jia.gui.yi", townA, townB}, {"wu.dan.wei", "", townA}} {
		who := session(e.activate(e.person(auth.NewAccount{Username: p.name, Name: p.name, Unit: p.unit}, auth.Viewer, p.area)))
		e.wantProblem(e.get("/api/users/template.xlsx", who...), 403, "forbidden")
	}
	for area, want := range map[string]string{townA: "jia.gui.yi jia.ren wu.dan.wei", townB: "yi.ren", otherArea: "", ownArea: "jia.gui.yi jia.ren wu.dan.wei yi.ren"} {
		auditor := session(e.activate(e.person(auth.NewAccount{Username: "audit." + area, Name: "审计"}, auth.Auditor, area)))
		var a struct {
			Entries []struct{ Actor string }
		}
		e.json("/api/audit?action=access.refuse&limit=200", &a, auditor...)
		found := map[string]bool{}
		for _, x := range a.Entries {
			found[x.Actor] = true
		}
		var names []string
		for _, n := range []string{"jia.gui.yi", "jia.ren", "wu.dan.wei", "yi.ren"} {
			if found[n] {
				names = append(names, n)
			}
			delete(found, n)
		}
		if got := strings.Join(names, " "); got != want || len(found) > 0 {
			t.Errorf("the auditor of %s sees refusals of %q (and %v), want %q", area, got, found, want)
		}
	}
}
