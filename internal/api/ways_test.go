package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"onemap/internal/auth"
)

// TestWaysOut: a desk draws a way out, another person approves it, and only then a phone
// has it, as it was drawn; withdrawn, it is gone.
func TestWaysOut(t *testing.T) {
	f := startField(t)
	approver := session(f.activate(f.person(auth.NewAccount{Username: "shenpi", Name: "审批人甲", Unit: "990100"}, auth.Approver, "990100")))
	commander := session(f.activate(f.person(auth.NewAccount{Username: "zhihui", Name: "指挥员甲", Unit: "990100"}, auth.Commander, "990100")))
	foreign := session(f.activate(f.person(auth.NewAccount{Username: "shenpi2", Name: "外审批", Unit: "990200"}, auth.Approver, "990200")))
	const path = "/api/evacuation-routes"
	body := `{"title":"村口到学校","area":"990100101001001","shelter_name":"清河中学","assembly":"村口","persons":42,"geometry":{"type":"LineString","coordinates":[[110.01,30.01],[110.02,30.015],[110.05,30.05]]}}`
	type way struct {
		ID, State, Title string
		ETag             int64
		AreaTitle        string `json:"area_title"`
		ProposedBy       string `json:"proposed_by"`
		ApprovedBy       string `json:"approved_by"`
		Mine             bool
		Geometry         json.RawMessage
	}
	list := func(who []string, query string) (ways []way) {
		t.Helper()
		var page struct{ Routes []way }
		f.json(path+query, &page, who...)
		return page.Routes
	}
	propose := func(who []string, body string) way {
		t.Helper()
		r := f.post(path, body, who...)
		var w way
		if r.StatusCode != 201 || json.Unmarshal(r.body, &w) != nil {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return w
	}
	step := func(who []string, w way, body string) reply {
		return f.post(path+"/"+w.ID+"/transitions", body, append([]string{"If-Match", fmt.Sprintf(`"%d"`, w.ETag)}, who...)...)
	}
	for what, c := range map[string]struct {
		who    []string
		body   string
		status int
		code   string
	}{
		"a worker":           {f.worker, body, 403, "forbidden"},
		"an approver draws":  {approver, body, 403, "forbidden"},
		"outside the desk":   {f.desk, strings.Replace(body, "990100101001001", "990200101001001", 1), 403, "forbidden"},
		"no area":            {f.desk, strings.Replace(body, "990100101001001", "", 1), 422, "invalid"},
		"a point":            {f.desk, strings.Replace(body, `{"type":"LineString","coordinates":[[110.01,30.01],[110.02,30.015],[110.05,30.05]]}`, `{"type":"Point","coordinates":[110.01,30.01]}`, 1), 422, "invalid"},
		"off the earth":      {f.desk, strings.Replace(body, "110.01,30.01", "510.01,30.01", 1), 422, "invalid"},
		"to nowhere":         {f.desk, strings.Replace(body, "清河中学", "", 1), 422, "invalid"},
		"approved by itself": {f.desk, strings.Replace(body, `"title"`, `"approved_by":"县长","title"`, 1), 400, "invalid_body"},
	} {
		if r := f.post(path, c.body, c.who...); r.StatusCode != c.status || !strings.Contains(string(r.body), `"code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", what, r.StatusCode, r.body, c.status, c.code)
		}
	}
	w := propose(f.desk, body)
	if w.State != "proposed" || !w.Mine || w.ProposedBy != "值班员甲" || w.AreaTitle != "清河一网格" {
		t.Errorf("%+v", w)
	}
	if n := len(list(f.worker, "?area=990100101001001")) + len(list(f.desk, "")); n != 0 {
		t.Errorf("%d ways nobody approved are shown", n)
	}
	f.wantProblem(f.get(path+"?state=proposed", f.worker...), 403, "forbidden")
	if n := len(list(foreign, "?state=proposed")); n != 0 {
		t.Errorf("another county's approver sees %d", n)
	}
	if all := list(approver, "?state=proposed"); len(all) != 1 || all[0].ID != w.ID || all[0].Mine {
		t.Errorf("proposed: %+v", all)
	}
	f.wantProblem(f.post(path+"/"+w.ID+"/transitions", `{"to":"approved"}`, approver...), 428, "precondition_required")
	f.wantProblem(step(foreign, w, `{"to":"approved"}`), 404, "not_found")
	f.wantProblem(step(f.desk, w, `{"to":"approved"}`), 403, "forbidden")
	f.wantProblem(step(f.worker, w, `{"to":"approved"}`), 403, "forbidden")
	f.wantProblem(step(approver, way{ID: w.ID, ETag: 9}, `{"to":"approved"}`), 412, "stale")
	f.wantProblem(step(approver, w, `{"to":"proposed"}`), 422, "invalid")
	r := step(approver, w, `{"to":"approved"}`)
	var now way
	if r.StatusCode != 200 || json.Unmarshal(r.body, &now) != nil || now.State != "approved" || now.ApprovedBy != "审批人甲" {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	f.wantProblem(step(approver, now, `{"to":"approved"}`), 409, "cannot_follow")
	// On the phone, as it was drawn.
	if all := list(f.worker, "?area=990100101001001"); len(all) != 1 || all[0].ID != w.ID || !strings.Contains(string(all[0].Geometry), `[[110.01,30.01],[110.02,30.015],[110.05,30.05]]`) {
		t.Errorf("on the phone: %+v", all)
	}
	if n := len(list(f.worker, "?area=990200")); n != 0 {
		t.Errorf("of another county: %d", n)
	}
	f.wantProblem(step(f.desk, now, `{"to":"withdrawn"}`), 422, "invalid")
	if r := step(f.desk, now, `{"to":"withdrawn","note":"桥断了"}`); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if n := len(list(f.worker, "")); n != 0 {
		t.Errorf("%d withdrawn ways are shown", n)
	}
	// A commander may do both, and not both to one.
	own := propose(commander, body)
	f.wantProblem(step(commander, own, `{"to":"approved"}`), 409, "four_eyes")
	if r := step(approver, own, `{"to":"approved"}`); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// The floor holds it too.
	for what, sql := range map[string]string{
		"approved by who drew it": `update evacuation_routes set state = 'approved', approved_by = 'x', approved_at = now(), approved_account = account where state = 'proposed'`,
		"drawn anew":              `update evacuation_routes set title = 'x' where state = 'approved'`,
		"born approved":           `insert into evacuation_routes (title, area, shelter_name, approved_by, approved_at, geom) values ('x', '990100101001001', 'x', 'x', now(), st_setsrid(st_makeline(st_makepoint(110.01, 30), st_makepoint(110.02, 30)), 4490))`,
	} {
		propose(commander, body)
		f.exec(`select set_config('app.role', 'commander', false), set_config('app.actor', 'zhihui', false)`)
		if _, err := f.conn.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s went through", what)
		}
	}
	f.admin()(`do $$ begin
		if (select count(*) from audit.entry where action in ('way.propose', 'way.approve', 'way.withdraw')) <> 8 then raise exception 'the audit does not tell of all steps'; end if;
	end $$`)
}

// TestHouseholdsComeAndGo: the office brings in who must move, the worker of the grid
// opens his own with a reason, nobody else reads a word of it, and with his grant or his
// phone's session it is over.
func TestHouseholdsComeAndGo(t *testing.T) {
	f := startField(t)
	neighbour := session(f.activate(f.person(auth.NewAccount{Username: "wangge2", Name: "网格员乙", Unit: "990100"}, auth.GridWorker, "990100102001001")))
	town := session(f.activate(f.person(auth.NewAccount{Username: "zhiban3", Name: "乡镇值班", Unit: "990100"}, auth.DutyOfficer, "990100101")))
	put := func(who []string, area, body string) reply {
		return f.send("PUT", "/api/households/"+area, strings.NewReader(body), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, who...)...)
	}
	rows := `{"reason":"汛前核定名单","households":[
		{"area":"990100101001001","head":"赵一户","address":"村口1号","persons":4,"elderly":2,"children":1,"disabled":1,"phone":"137-0000-0001","move":"一有预警就走，去清河中学"},
		{"area":"990100101001001","head":"钱二户","address":"村口2号","persons":3,"phone":"13700000002"}]}`
	f.wantProblem(put(f.worker, "990100101001001", rows), 403, "forbidden")
	f.wantProblem(put(town, "990100102", strings.ReplaceAll(rows, "990100101001001", "990100102001001")), 403, "forbidden")
	f.wantProblem(put(town, "990100101", strings.Replace(rows, "990100101001001", "990100102001001", 1)), 422, "invalid")
	f.wantProblem(put(town, "990100101", strings.Replace(rows, "汛前核定名单", "x", 1)), 422, "invalid")
	f.wantProblem(put(town, "990100101", strings.Replace(rows, "137-0000-0001", "<script>", 1)), 422, "invalid")
	f.wantProblem(put(town, "990100101", strings.Replace(rows, `"persons":4`, `"persons":-4`, 1)), 422, "invalid")
	if r := put(town, "990100101", rows); r.StatusCode != 200 || string(r.body) != `{"area":"990100101","households":2,"replaced":0}` {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	// Again, with one less: a list is replaced, not added to.
	if r := put(f.desk, "990100101001001", rows); r.StatusCode != 200 || string(r.body) != `{"area":"990100101001001","households":2,"replaced":2}` {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r := put(f.desk, "990100102001001", `{"reason":"汛前核定名单","households":[{"head":"孙三户","phone":"13700000003"}]}`); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	open := func(who []string) (reply, []string) {
		r := f.post("/api/households/open", `{"reason":"转移前核对"}`, who...)
		var list struct {
			Households []struct{ Head, Phone, Move string }
		}
		_ = json.Unmarshal(r.body, &list)
		var out []string
		for _, h := range list.Households {
			out = append(out, h.Head+" "+h.Phone)
		}
		return r, out
	}
	if r, got := open(f.worker); r.StatusCode != 200 || strings.Join(got, ",") != "赵一户 137-0000-0001,钱二户 13700000002" || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("the worker: %d %v %v", r.StatusCode, got, r.Header)
	}
	if r, got := open(neighbour); r.StatusCode != 200 || strings.Join(got, ",") != "孙三户 13700000003" {
		t.Errorf("the neighbour: %d %v", r.StatusCode, got)
	}
	for name, who := range map[string][]string{"who brought it in": town, "the county": f.desk} {
		if r, _ := open(who); r.StatusCode != 403 {
			t.Errorf("%s opens it: %d", name, r.StatusCode)
		}
		for _, path := range []string{"/api/search?q=赵一户", "/api/sync/changes", "/api/contacts?area=990100101001001", "/api/field/home", "/api/incident-reports"} {
			if r := f.get(path, who...); strings.Contains(string(r.body), "赵一户") || strings.Contains(string(r.body), "0000-0001") || strings.Contains(string(r.body), "村口1号") {
				t.Errorf("%s, %s: %s", name, path, r.body)
			}
		}
	}
	if strings.Contains(f.logs.String(), "赵一户") || strings.Contains(f.logs.String(), "0000-0001") {
		t.Error("a household is in the log")
	}
	audits := f.admin()
	audits(`do $$ begin
		if (select count(*) from audit.entry where action = 'restricted.households_set' and reason = '汛前核定名单') <> 3 then raise exception 'who brought them in is not recorded'; end if;
		if (select count(*) from audit.entry where action = 'restricted.households' and reason = '转移前核对') <> 2 then raise exception 'who opened them is not recorded'; end if;
		if exists (select from audit.entry e where e::text like '%赵一户%' or e::text like '%0000-0001%') then raise exception 'the audit tells of the people'; end if;
	end $$`)

	// The signals by which a phone wipes its list: the grant is gone, and the session.
	w := &world{env: f.env}
	who := w.identity(strings.TrimPrefix(f.worker[1], "onemap="))
	if err := f.auth.RevokeGrant(t.Context(), cli(), who.Grants[0].ID, "调岗"); err != nil {
		t.Fatal(err)
	}
	f.settle()
	r, _ := open(f.worker)
	f.wantProblem(r, 403, "forbidden")
	lost, disabled := w.identity(strings.TrimPrefix(neighbour[1], "onemap=")), "disabled"
	info, err := f.auth.Account(t.Context(), cli(), lost.Account)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.auth.UpdateAccount(t.Context(), cli(), lost.Account, info.Version, auth.AccountPatch{State: &disabled}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	r, _ = open(neighbour)
	f.wantProblem(r, 401, "not_signed_in")
	// An empty list takes it all away.
	if r := put(town, "990100101", `{"reason":"汛期结束","households":[]}`); r.StatusCode != 200 || string(r.body) != `{"area":"990100101","households":0,"replaced":2}` {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
