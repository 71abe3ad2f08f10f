package api_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// TestSyncOverHTTP is a mark's way over HTTP: delivered, refused as a body, repeated, sent
// down, put before the desk, returned, told.
func TestSyncOverHTTP(t *testing.T) {
	e := start(t)
	admin := pgtest.Connect(t, e.dsn.Admin)
	for _, sql := range []string{
		`select set_config('app.actor','system',false), set_config('app.role','system',false), set_config('app.public',s,false), set_config('app.read',s,false), set_config('app.sensitive',s,false), set_config('app.write',s,false), set_config('app.demo','off',false)
			from (values ('{[1000000000000000,3000000000000000)}')) v(s)`,
		`insert into admin (name, code, admin_code, rank, geom) values ('县', '990100', '990100', 3, st_multi(st_makeenvelope(110, 30, 111, 31, 4490)))`,
		`insert into grids (name, code, admin_code, geom) values ('格', '990100101001001', '990100101001001', st_multi(st_makeenvelope(110, 30, 110.1, 30.1, 4490)))`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	worker := session(e.activate(e.person(auth.NewAccount{Username: "wangge", Name: "网格员", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	desk := session(e.activate(e.person(auth.NewAccount{Username: "zhiban", Name: "值班员甲", Unit: "990100"}, auth.DutyOfficer, "990100101")))
	ask := func(who []string, method, path, body string, status int, into any) reply {
		t.Helper()
		headers := append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, who...)
		var r reply
		if body == "" {
			r = e.do(method, path, who...)
		} else {
			r = e.send(method, path, strings.NewReader(body), headers...)
		}
		if r.StatusCode != status {
			t.Fatalf("%s %s: %d, want %d: %.400s", method, path, r.StatusCode, status, r.body)
		}
		if into != nil {
			if err := json.Unmarshal(r.body, into); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	op := func(id, object, lon string) string {
		return `{"op_id":"0192f0d0-0000-7000-8000-0000000000` + id + `","kind":"hazards","id":"0192f0d1-0000-7000-8000-0000000000` + object + `","fields":{"name":{"value":"村口滑坡"},"hazard":{"value":"landslide"}},` +
			`"geometry":{"type":"Point","coordinates":[` + lon + `,30.05]},"captured_at":"2026-01-01T08:00:00+08:00","src_crs":"WGS84","accuracy_m":8,"device_position":[110.05,30.05]}`
	}
	type answer struct {
		Results []struct {
			OpID, Status, Verdict, ID string
			OpID2                     string `json:"op_id"`
			Version                   int64
			Problem                   *struct {
				Code  string
				Words struct{ Zh, En string }
			}
		}
		Position string
	}
	var a answer
	r := ask(worker, "POST", "/api/sync", `{"device":"p1","ops":[`+op("01", "01", "110.05")+`,`+op("02", "02", "110.15")+`,7,`+op("03", "03", "110.16")+`]}`, 200, &a)
	if len(a.Results) != 4 || a.Results[0].Status != "applied" || a.Results[0].Version != 1 || a.Results[1].Status != "quarantined" || a.Results[1].Problem == nil || a.Results[1].Problem.Words.Zh == "" || a.Results[2].Status != "rejected" {
		t.Fatalf("%s", r.body)
	}
	if r.Header.Get("Onemap-Seq") != a.Position || a.Position == "" {
		t.Errorf("position %q, header %q", a.Position, r.Header.Get("Onemap-Seq"))
	}
	a = answer{}
	r = ask(worker, "POST", "/api/sync", `{"device":"p1","ops":[`+op("01", "01", "110.05")+`,`+op("02", "02", "110.15")+`]}`, 200, &a)
	if a.Results[0].Status != "duplicate" || a.Results[0].Verdict != "applied" || a.Results[1].Verdict != "quarantined" || a.Results[1].Problem == nil {
		t.Errorf("repeated: %s", r.body)
	}

	// What is no delivery harms nothing and says so.
	for body, status := range map[string]int{
		`{"device":"p1"}`: 400, `{"device":"p1","ops":[],"ops":[]}`: 400, `[]`: 400, `{"device":"p1","ops":[` + strings.Repeat("{},", 1000) + `{}]}`: 400,
		`{"device":"p1","ops":` + strings.Repeat("[", 100_000) + `}`: 400, `{"device":"p1","ops":[` + "\xff" + `]}`: 400,
		`{"device":"p1","ops":[{"note":"` + strings.Repeat("长", 700_000) + `"}]}`: 413,
	} {
		r := e.send("POST", "/api/sync", bytes.NewReader([]byte(body)), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, worker...)...)
		if r.StatusCode != status {
			t.Errorf("%.40s: %d, want %d", body, r.StatusCode, status)
		}
	}
	ask([]string{"As", "nobody"}, "POST", "/api/sync", `{"device":"p1","ops":[]}`, 401, nil)

	// The forms revalidate for nothing.
	r = ask(worker, "GET", "/api/kinds/hazards", "", 200, nil)
	if !bytes.Contains(r.body, []byte(`"code_lists":{`)) || !bytes.Contains(r.body, []byte(`"near_m":30`)) {
		t.Errorf("dictionary %.300s", r.body)
	}
	if r := e.do("GET", "/api/kinds", append([]string{"If-None-Match", e.do("GET", "/api/kinds", worker...).Header.Get("ETag")}, worker...)...); r.StatusCode != 304 {
		t.Errorf("again: %d", r.StatusCode)
	}
	ask(worker, "GET", "/api/kinds/nothing", "", 404, nil)

	// The desk sees why, and gives it back.
	ask(worker, "GET", "/api/desk/quarantine", "", 403, nil)
	var list struct {
		Items []struct {
			ID, Title, Level string
			Reason           struct{ Zh string }
			AccuracyM        float64 `json:"accuracy_m"`
			Geometry         struct{ Mine json.RawMessage }
		}
		Next *string
	}
	ask(desk, "GET", "/api/desk/quarantine?limit=1", "", 200, &list)
	if len(list.Items) != 1 || list.Next == nil {
		t.Fatalf("first page %+v", list)
	}
	one := list.Items[0]
	if one.Level != "township" || one.AccuracyM != 8 || !bytes.Contains(one.Geometry.Mine, []byte("110.15")) || !strings.Contains(one.Title, "村口滑坡") {
		t.Errorf("case %+v", one)
	}
	next := *list.Next
	list.Items, list.Next = nil, nil
	ask(desk, "GET", "/api/desk/quarantine?limit=1&cursor="+next, "", 200, &list)
	if len(list.Items) != 1 || list.Items[0].ID == one.ID || list.Next != nil {
		t.Errorf("second page %+v", list)
	}
	list.Items, list.Next = nil, nil
	ask(desk, "GET", "/api/desk/quarantine?area=990200", "", 200, &list)
	if len(list.Items) != 0 {
		t.Errorf("another county: %+v", list)
	}
	ask(desk, "POST", "/api/desk/quarantine/"+one.ID+"/accept", `{"geometry":"left"}`, 422, nil)
	ask(desk, "POST", "/api/desk/quarantine/"+one.ID+"/accept", `{"fields":{"level":{"value":77}}}`, 422, nil)
	ask(desk, "POST", "/api/desk/quarantine/"+one.ID+"/return", `{"note":""}`, 422, nil)
	ask(desk, "POST", "/api/desk/quarantine/"+one.ID+"/return", `{"note":"请重新定位"}`, 200, nil)
	ask(desk, "POST", "/api/desk/quarantine/"+one.ID+"/return", `{"note":"请重新定位"}`, 409, nil)

	// What became of it goes down with the records.
	e.settle()
	var page struct {
		Position    string
		More, Reset bool
		Changes     []struct{ Kind, ID, Op string }
		Receipts    []struct {
			OpID   string `json:"op_id"`
			Status string
			SeenBy string `json:"seen_by"`
			Reason struct{ Zh string }
		}
	}
	r = ask(worker, "GET", "/api/sync/changes", "", 200, &page)
	if len(page.Changes) != 1 || page.Changes[0].Op != "put" || len(page.Receipts) != 1 || page.Receipts[0].Status != "returned" || page.Receipts[0].SeenBy != "值班员甲" || page.Receipts[0].Reason.Zh != "请重新定位" || page.More {
		t.Errorf("changes %s", r.body)
	}
	ask(worker, "GET", "/api/sync/changes?since=nonsense", "", 400, nil)
	ask(worker, "GET", "/api/sync/changes?area=x", "", 400, nil)
	page.Changes, page.Receipts = nil, nil
	ask(worker, "GET", "/api/sync/changes?since="+page.Position, "", 200, &page)
	if len(page.Changes)+len(page.Receipts) != 0 {
		t.Errorf("nothing new: %+v", page)
	}
}
