package api_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// warning is CAP over a box; polygon is "lat,lon …".
func warning(kind, identifier, refs, polygon string) string {
	info := ""
	if kind != "Cancel" {
		info = `<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency><severity>Extreme</severity><certainty>Observed</certainty><expires>2099-07-05T20:30:00+08:00</expires>
			<headline>甲县气象台发布暴雨红色预警信号</headline><area><areaDesc>西部</areaDesc><polygon>` + polygon + `</polygon></area></info>`
	}
	if refs != "" {
		refs = "<references>" + refs + "</references>"
	}
	return `<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>` + identifier + `</identifier><sender>qxt.example</sender><sent>2026-07-05T14:30:00+08:00</sent><status>Actual</status><msgType>` + kind +
		`</msgType><scope>Public</scope>` + refs + info + `</alert>`
}

const (
	boxA = "34.1,119.1 34.1,119.2 34.2,119.2 34.2,119.1 34.1,119.1"
	boxB = "34.1,119.3 34.1,119.4 34.2,119.4 34.2,119.3 34.1,119.3"
)

type warned struct {
	ID, State, Chain, Identifier string
	Level                        *int
	Receipts                     struct{ Targets, Acknowledged int }
	Messages                     []struct {
		MsgType string `json:"msg_type"`
	}
	Code string
	Swap *struct {
		Fix, Area string
		Swapped   struct {
			UnitsTouched int `json:"units_touched"`
		}
	} `json:"swap_proposal"`
	Errors []struct{ Code, Path, Message string }
}

func (e *env) warn(target, body string, headers ...string) (reply, warned) {
	e.t.Helper()
	r := e.send("POST", target, strings.NewReader(body), append([]string{"Content-Type", "application/cap+xml", "Sec-Fetch-Site", "same-origin"}, headers...)...)
	var out warned
	if err := json.Unmarshal(r.body, &out); err != nil {
		e.t.Fatalf("%s: %v", r.body, err)
	}
	return r, out
}

func alertHouse(t *testing.T) *env {
	t.Helper()
	e := start(t)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, parent_code, population, geom) values ('990100', '990100', '甲县', 3, null, 3000, st_makeenvelope(119, 34, 119.5, 34.4, 4490)),
			('990100101001', '990100101001', '东村', 5, '990100', 1000, st_makeenvelope(119, 34, 119.25, 34.4, 4490)), ('990100101002', '990100101002', '西村', 5, '990100', 2000, st_makeenvelope(119.25, 34, 119.5, 34.4, 4490))`,
		`insert into setting (key, value) values ('home', '{"code": "990100", "title": ""}') on conflict (key) do update set value = excluded.value`,
	} {
		if _, err := e.conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// TestAWarningFromFirstToLast goes the whole way over HTTP.
func TestAWarningFromFirstToLast(t *testing.T) {
	e := alertHouse(t)
	r, first := e.warn("/api/alerts", warning("Alert", "99010041600000_20260705143000_0", "", boxA))
	if r.StatusCode != 201 || first.State != "active" || *first.Level != 1 || r.Header.Get("Location") != "/api/alerts/"+first.ID {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r, again := e.warn("/api/alerts", warning("Alert", "99010041600000_20260705143000_0", "", boxA)); r.StatusCode != 200 || again.ID != first.ID {
		t.Errorf("the same again: %d %s", r.StatusCode, r.body)
	}
	ref := "qxt.example,99010041600000_20260705143000_0,2026-07-05T14:30:00+08:00"
	r, second := e.warn("/api/alerts", warning("Update", "99010041600000_20260705143000_1", ref, boxB))
	if r.StatusCode != 201 || second.Chain != first.Chain {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	var targets struct {
		Villages []struct {
			Code, State string
			Added       bool
		}
		Added, Removed []struct{ Code string }
		Unreached      []string
		KPI            struct {
			Coverage    float64
			MinutesTo90 *float64 `json:"minutes_to_90"`
		}
		Statement string
	}
	e.json("/api/alerts/"+second.ID+"/targets", &targets)
	if len(targets.Villages) != 1 || targets.Villages[0].Code != "990100101002" || len(targets.Added) != 1 || len(targets.Removed) != 1 || targets.Removed[0].Code != "990100101001" || len(targets.Unreached) != 1 || !strings.Contains(targets.Statement, "预警信息发布中心") {
		t.Errorf("%+v", targets)
	}
	receipt := fmt.Sprintf(`{"op_id":"01a1ffb1-d369-7ca3-86f4-1eda4871e9a7","target":"990100101002","channel":"phone","outcome":"acknowledged","at":%q}`, time.Now().Format(time.RFC3339))
	for range 2 {
		if r := e.post("/api/alerts/"+second.ID+"/receipts", receipt); r.StatusCode != 200 {
			t.Fatalf("receipt: %d %s", r.StatusCode, r.body)
		}
	}
	e.json("/api/alerts/"+second.ID+"/targets?contacts=false", &targets)
	if targets.KPI.Coverage != 1 || targets.KPI.MinutesTo90 == nil || len(targets.Unreached) != 0 {
		t.Errorf("%+v", targets)
	}
	if r := e.post("/api/alerts/"+second.ID+"/forward", `{"channels":["city"]}`); r.StatusCode != 422 {
		t.Errorf("to where nobody allowed: %d %s", r.StatusCode, r.body)
	}
	r, over := e.warn("/api/alerts", warning("Cancel", "99010041600000_20260705143000_2", ref, ""))
	if r.StatusCode != 200 || over.ID != second.ID || over.State != "cancelled" || len(over.Messages) != 3 {
		t.Errorf("cancel: %d %s", r.StatusCode, r.body)
	}
	xml := e.get("/api/alerts/" + second.ID + ".xml")
	if xml.StatusCode != 200 || !strings.Contains(string(xml.body), "<msgType>Cancel</msgType>") || xml.Header.Get("Content-Type") != "application/cap+xml; charset=utf-8" {
		t.Errorf("%d %s", xml.StatusCode, xml.body)
	}
	if r := e.get("/api/alerts/" + second.ID + ".xml?message=99010041600000_20260705143000_1"); !strings.Contains(string(r.body), "<msgType>Update</msgType>") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	var list struct {
		Alerts []warned
		Counts struct{ Active int }
	}
	e.json("/api/alerts", &list)
	if len(list.Alerts) != 2 || list.Counts.Active != 0 {
		t.Errorf("%+v", list)
	}
}

// TestBadWarnings: each is answered, and nothing is left behind.
func TestBadWarnings(t *testing.T) {
	e := alertHouse(t)
	good := warning("Alert", "99010041600000_20260705143000_0", "", boxA)
	for code, body := range map[string]string{
		"expired_before_sent": strings.Replace(good, "2099-", "2020-", 1), "unclosed_ring": strings.Replace(good, " 34.1,119.1</polygon>", "</polygon>", 1),
		"unknown_reference": warning("Cancel", "99010041600000_20260705143000_2", "a,b,2026-07-05T14:30:00+08:00", ""),
	} {
		r, p := e.warn("/api/alerts", body)
		if r.StatusCode != 422 || len(p.Errors) == 0 || p.Errors[0].Code != code {
			t.Errorf("%s: %d %s", code, r.StatusCode, r.body)
		}
	}
	// What cannot be read at all is malformed; what can be read and is wrong is invalid.
	for _, body := range []string{"x", "", good + good} {
		if r, p := e.warn("/api/alerts", body); r.StatusCode != 400 || len(p.Errors) == 0 || p.Errors[0].Code != "not_xml" {
			t.Errorf("%.20q: %d %s", body, r.StatusCode, r.body)
		}
	}
	swapped := strings.Replace(good, boxA, "119.1,34.1 119.2,34.1 119.2,34.2 119.1,34.2 119.1,34.1", 1)
	r, p := e.warn("/api/alerts", swapped)
	if r.StatusCode != 422 || p.Swap == nil || p.Swap.Fix != "swap" || p.Swap.Area != "990100" || p.Swap.Swapped.UnitsTouched != 2 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	huge := e.send("POST", "/api/alerts", strings.NewReader(good+strings.Repeat(" ", 10<<20)), "Content-Type", "application/xml", "Sec-Fetch-Site", "same-origin")
	if huge.StatusCode != 413 {
		t.Errorf("10 MB: %d", huge.StatusCode)
	}
	if r := e.send("POST", "/api/alerts", strings.NewReader(good), "Content-Type", "text/plain", "Sec-Fetch-Site", "same-origin"); r.StatusCode != 415 {
		t.Errorf("text/plain: %d", r.StatusCode)
	}
	var list struct{ Alerts []warned }
	e.json("/api/alerts?exercise=all", &list)
	if len(list.Alerts) != 0 {
		t.Errorf("what was refused left %d alerts", len(list.Alerts))
	}
	if r, p := e.warn("/api/alerts?fix=swap", swapped); r.StatusCode != 201 || p.Receipts.Targets != 1 {
		t.Errorf("?fix=swap: %d %s", r.StatusCode, r.body)
	}
	// JSON the wrong way round is told the same.
	body := `{"event":"暴雨","level":1,"headline":"电话接报","geometry":{"type":"Polygon","coordinates":[[[34.1,119.1],[34.1,119.2],[34.2,119.2],[34.1,119.1]]]}}`
	if r := e.post("/api/alerts", body); r.StatusCode != 422 || !strings.Contains(string(r.body), "swap_proposal") {
		t.Errorf("JSON: %d %s", r.StatusCode, r.body)
	}
	r = e.post("/api/alerts?fix=swap", body)
	if err := json.Unmarshal(r.body, &p); err != nil || r.StatusCode != 201 || !strings.HasPrefix(p.Identifier, "99010000000000_") || len(p.Identifier) != 31 {
		t.Errorf("JSON ?fix=swap: %d %s", r.StatusCode, r.body)
	}
}

// TestAProgramDelivers: a token with the scope ingest brings warnings in and reads none.
func TestAProgramDelivers(t *testing.T) {
	e := alertHouse(t)
	_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "气象对接", Role: auth.DutyOfficer, Area: "990100", Scopes: []string{"ingest"}})
	if err != nil {
		t.Fatal(err)
	}
	bearer := []string{"Authorization", "Bearer " + secret}
	r, first := e.warn("/api/alerts", warning("Alert", "99010041600000_20260705143000_0", "", boxA), bearer...)
	if r.StatusCode != 201 || first.State != "active" || strings.Contains(string(r.body), "headline") {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	r, over := e.warn("/api/alerts", warning("Cancel", "99010041600000_20260705143000_2", "qxt.example,99010041600000_20260705143000_0,2026-07-05T14:30:00+08:00", ""), bearer...)
	if r.StatusCode != 200 || over.ID != first.ID || over.State != "cancelled" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, path := range []string{"/api/alerts", "/api/alerts/" + first.ID, "/api/alerts/" + first.ID + "/targets"} {
		if r := e.get(path, bearer...); r.StatusCode != 403 {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	var seen warned
	if e.json("/api/alerts/"+first.ID, &seen); seen.Receipts.Targets != 1 {
		t.Errorf("%+v", seen)
	}
	if r, _ := e.warn("/api/alerts", warning("Alert", "99010041600000_20260705143000_4", "", "34.1,129.1 34.1,129.2 34.2,129.2 34.1,129.1"), bearer...); r.StatusCode != 422 {
		t.Errorf("outside its area: %d %s", r.StatusCode, r.body)
	}
}

// TestADoctypeOpensNothing: what a message names is never fetched.
func TestADoctypeOpensNothing(t *testing.T) {
	e := alertHouse(t)
	trap, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trap.Close()
	caught := make(chan struct{}, 1)
	go func() {
		if _, err := trap.Accept(); err == nil {
			caught <- struct{}{}
		}
	}()
	host := trap.Addr().String()
	body := strings.Replace(warning("Alert", "99010041600000_20260705143000_0", "", boxA), "<alert", `<!DOCTYPE alert SYSTEM "http://`+host+`/x.dtd" [<!ENTITY x SYSTEM "http://`+host+`/y">]><alert`, 1)
	r, p := e.warn("/api/alerts", body)
	if r.StatusCode != http.StatusUnprocessableEntity || p.Errors[0].Code != "doctype" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	resource := strings.Replace(warning("Alert", "99010041600000_20260705143000_1", "", boxA), "<area>", `<resource><resourceDesc>x</resourceDesc><mimeType>image/png</mimeType><uri>http://`+host+`/z.png</uri></resource><area>`, 1)
	if r, _ := e.warn("/api/alerts", resource); r.StatusCode != 201 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	select {
	case <-caught:
		t.Error("something was fetched")
	case <-time.After(200 * time.Millisecond): // long enough for a connection on this machine
	}
}
