package api_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestWhatANightPlayedFound: 紧急转移 comes from the board with its source where nobody reported
// any; an order that waits for its countersignature is in the handover; tasks of an ended
// response are no more open and say why; a cancel ends the call-out at once, and those it was
// told to are told; the issuer has a name.
func TestWhatANightPlayedFound(t *testing.T) {
	p := drillHouse(t)
	// The order by its time and kind: what the desk wrote over it is not for everybody who reads papers.
	boardSource := regexp.MustCompile(`^转移看板（\d\d-\d\d \d\d:\d\d 立即转移令）$`)
	night := p.must(200, p.officer, "GET", "/api/incidents?open=true", "", "")
	incident, _ := list(night, "incidents")[0]["id"].(string)
	if at := p.must(200, p.officer, "GET", "/api/incidents/"+incident, "", ""); at["level_proposed"] != 4.0 { // the plan for geological disasters counts the dead alone
		t.Errorf("one dead and two missing under a landslide are proposed as level %v", at["level_proposed"])
	}
	order := list(p.must(200, p.officer, "GET", "/api/responses?active=true", "", ""), "responses")[0]
	id, _ := order["id"].(string)

	// 快报: of the response, and of the incident alone.
	for _, about := range []string{`"response":"` + id + `"`, `"incident":"` + incident + `"`} {
		paper := p.must(201, p.officer, "POST", "/api/papers", `{"kind":"flash",`+about+`}`, "")
		found := 0
		for _, f := range list(paper, "figures") {
			if f["key"] != "evacuated" && f["key"] != "evac_moved" {
				continue
			}
			found++
			if f["value"] != 7.0 || f["kind"] != "reported" || !boardSource.MatchString(f["source"].(string)) || !strings.Contains(f["method"].(string), "转移台账") {
				t.Errorf("%s: %v", about, f)
			}
		}
		if found != 2 {
			t.Errorf("%s: %d figures of the board", about, found)
		}
	}
	// Once it was reported the report's number stands, and the board's beside it.
	was := p.must(200, p.officer, "GET", "/api/incidents/"+incident, "", "")
	p.must(200, p.officer, "PATCH", "/api/incidents/"+incident, `{"figures":{"deaths":1,"missing":2,"evacuated":9}}`, etag(was))
	for _, f := range list(p.must(201, p.officer, "POST", "/api/papers", `{"kind":"flash","incident":"`+incident+`"}`, ""), "figures") {
		if f["key"] == "evacuated" && (f["value"] != 9.0 || strings.Contains(f["source"].(string), "看板")) || f["key"] == "evac_moved" && f["value"] != 7.0 {
			t.Errorf("reported: %v", f)
		}
	}

	span := "/api/briefs/handover?from=" + url.QueryEscape(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	brief := func() string {
		t.Helper()
		text, _ := p.must(200, p.officer, "GET", span, "", "")["text"].(string)
		return text
	}
	text := brief()
	for _, want := range []string{"待补签：立即转移令：李家村立即转移；发令 李值班，请示 张带班", "待补签叫应令 1 件", "未完成任务 2 项", "任务：加强值守"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	p.must(200, p.officer, "POST", "/api/responses/"+id+"/transitions", `{"act":"end","signed_by":"张县长"}`, etag(p.must(200, p.officer, "GET", "/api/responses/"+id, "", "")))
	text = brief()
	if strings.Contains(text, "任务：加强值守") || !strings.Contains(text, "未完成任务 0 项") || !strings.Contains(text, "未完成的任务 2 项随响应终止关闭") {
		t.Errorf("after the end:\n%s", text)
	}
	tasks := list(p.must(200, p.officer, "GET", "/api/response-tasks?response="+id, "", ""), "tasks")
	for _, x := range tasks {
		if x["closed_why"] != "response_ended" || x["closed_title"] != "响应已终止，任务关闭" || x["late"] != false {
			t.Errorf("%v", x)
		}
	}
	if len(tasks) != 2 || len(list(p.must(200, p.officer, "GET", "/api/response-tasks?state=waiting", "", ""), "tasks")) != 0 {
		t.Errorf("%d tasks, and some wait still", len(tasks))
	}

	callout := list(p.must(200, p.officer, "GET", "/api/callouts?active=true", "", ""), "callouts")[0]["id"].(string)
	first := list(p.must(200, p.officer, "GET", "/api/callouts/"+callout+"/targets", "", ""), "targets")[0]
	p.must(201, p.officer, "POST", "/api/calls", fmt.Sprintf(`{"op_id":%q,"target":%q,"outcome":"repeated","note":""}`, newID(), first["id"]), "")
	if r, over := p.warn("/api/alerts", warning("Cancel", "99010041600000_20260705143000_2", "qxt.example,99010041600000_20260705143000_0,2026-07-05T14:30:00+08:00", ""), p.officer...); r.StatusCode != 200 || over.State != "cancelled" {
		t.Fatalf("cancel: %d %s", r.StatusCode, r.body)
	}
	if c := p.must(200, p.officer, "GET", "/api/callouts/"+callout, "", ""); c["state"] != "ended" || c["end_reason"] != "cancelled" {
		t.Errorf("the call-out of a cancelled warning: %v %v", c["state"], c["end_reason"])
	}
	told := list(p.must(200, p.officer, "GET", "/api/callouts/"+callout+"/targets?phase=all_clear", "", ""), "targets")
	if len(told) != 1 || told[0]["name"] != first["name"] {
		t.Errorf("who hears that it is over: %v", told)
	}

	written := p.must(201, p.officer, "POST", "/api/alerts", `{"event":"暴雨","level":2,"headline":"电话接报","sender_name":"甲县气象台","geometry":`+drillArea+`}`, "")
	if written["sender_name"] != "甲县气象台" || written["sender"] != "onemap" {
		t.Errorf("the issuer: %v, from %v", written["sender_name"], written["sender"])
	}
	if xml := string(p.get("/api/alerts/"+written["id"].(string)+".xml", p.officer...).body); !strings.Contains(xml, "<senderName>甲县气象台</senderName>") {
		t.Error(xml)
	}
}
