package api_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// commandPost is a county with two officers, an approver and a commander.
type commandPost struct {
	*dangerDesk
	approver, commander []string
}

func newCommandPost(t *testing.T) *commandPost {
	t.Helper()
	p := &commandPost{dangerDesk: newDangerDesk(t)}
	as := func(username, name string, role auth.Role) []string {
		return append([]string{"Host", "map.example", "Sec-Fetch-Site", "same-origin"}, session(p.activate(p.person(auth.NewAccount{Username: username, Name: name, Unit: "990100"}, role, "990100")))...)
	}
	p.approver, p.commander = as("qian.sign", "钱签发", auth.Approver), as("sun.lead", "孙指挥", auth.Commander)
	p.settle()
	return p
}

// must asks and holds the status.
func (p *commandPost) must(status int, as []string, method, path, body, match string) map[string]any {
	p.t.Helper()
	code, doc := p.ask(as, method, path, body, match)
	if code != status {
		p.t.Fatalf("%s %s: %d %v, want %d", method, path, code, doc, status)
	}
	return doc
}

func list(doc map[string]any, name string) []map[string]any {
	var out []map[string]any
	items, _ := doc[name].([]any)
	for _, x := range items {
		if m, ok := x.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// TestANightAtTheDesk goes from the 预案 and the start of a response through its tasks to a
// paper that is reported first and signed after, and to the handover.
func TestANightAtTheDesk(t *testing.T) {
	p := newCommandPost(t)
	const (
		plan, order, incident = "019c0000-0000-7000-8000-000000000101", "019c0000-0000-7000-8000-000000000102", "019c0000-0000-7000-8000-000000000103"
	)
	// The roster, and who sits down.
	from, to := time.Now().Add(-time.Hour).UTC(), time.Now().Add(8*time.Hour).UTC()
	p.must(200, p.officer, "PUT", "/api/duty/roster", fmt.Sprintf(`{"area":"990100","from":%q,"to":%q,"shifts":[{"role":"leader","unit":"县应急局","person":"张带班","starts_at":%q,"ends_at":%q}]}`,
		from.Format(time.RFC3339), to.Format(time.RFC3339), from.Add(time.Minute).Format(time.RFC3339), to.Format(time.RFC3339)), "")
	p.must(200, p.officer, "POST", "/api/duty/sit", `{}`, "")

	p.must(201, p.officer, "PUT", "/api/contingencies/"+plan, `{"title":"县防汛预案","kind":"special","hazard":"flood","area":"990100","unit":"县政府","review_due":"2027-01-01","clauses":[
		{"level":4,"action":"加强值守","unit":"县水利局","minutes":30,"text":""},{"level":2,"action":"转移群众","unit":"乡镇","minutes":120,"text":""}]}`, "")
	matched := p.must(200, p.officer, "POST", "/api/contingencies/match", `{"kind":"flood","level":4,"area":"990100"}`, "")
	if c := list(matched, "clauses"); len(c) != 1 || c[0]["action"] != "加强值守" || c[0]["contingency_title"] != "县防汛预案" {
		t.Errorf("%v", matched)
	}
	// The response to an exercise is one, whatever its form forgot to say.
	const drill, drilled = "019c0000-0000-7000-8000-000000000104", "019c0000-0000-7000-8000-000000000105"
	p.must(201, p.officer, "PUT", "/api/incidents/"+drill, `{"title":"演练","kind":"flood","exercise":true,"geometry":{"type":"Point","coordinates":[119.2,34.2]}}`, "")
	if r := p.must(201, p.officer, "PUT", "/api/responses/"+drilled, `{"title":"演练响应","kind":"flood","level":1,"area":"990100","incident":"`+drill+`","condition":"演练","lead":"县防指"}`, ""); r["exercise"] != true {
		t.Errorf("the response to an exercise is real: %v", r)
	}
	p.must(201, p.officer, "PUT", "/api/incidents/"+incident, `{"title":"青河溃堤","kind":"flood","description":"堤防溃口","figures":{"deaths":1,"affected":300},"geometry":{"type":"Point","coordinates":[119.2,34.2]}}`, "")
	p.must(201, p.officer, "POST", "/api/incidents/"+incident+"/reports", `{"kind":"first","channel":"phone","content":"青河堤防溃口，正在核实","to_level":"city"}`, "")
	body := `{"title":"防汛应急响应","kind":"flood","level":4,"area":"990100","incident":"` + incident + `","condition":"超警戒水位","lead":"县防指"}`
	drafted := p.must(201, p.officer, "PUT", "/api/responses/"+order, body, "")
	p.must(200, p.officer, "PUT", "/api/responses/"+order, body, "") // said twice
	p.must(428, p.officer, "POST", "/api/responses/"+order+"/transitions", `{"act":"start","signed_by":"张县长"}`, "")
	started := p.must(200, p.officer, "POST", "/api/responses/"+order+"/transitions", `{"act":"start","signed_by":"张县长","document_number":"平汛〔2026〕1 号"}`, etag(drafted))
	if started["tasks_sent"] != 1.0 || started["state"] != "active" || started["profile"] != "war" || started["next_report_at"] == nil {
		t.Errorf("%v", started)
	}
	head := p.must(200, p.worker, "GET", "/api/responses?active=true", "", "")
	duty, _ := head["duty"].(map[string]any)
	desk, _ := duty["at_desk"].(map[string]any)
	if head["profile"] != "war" || len(list(head, "responses")) != 1 || desk["name"] != "李值班" || len(list(duty, "leader")) != 1 {
		t.Errorf("%v", head)
	}
	adjusted := p.must(200, p.officer, "POST", "/api/responses/"+order+"/transitions", `{"act":"adjust","level":2,"signed_by":"李书记","document_number":"平汛〔2026〕2 号"}`, etag(started))
	if adjusted["tasks_sent"] != 1.0 || len(list(adjusted, "history")) != 2 {
		t.Errorf("%v", adjusted)
	}
	tasks := list(p.must(200, p.officer, "GET", "/api/responses/"+order+"/tasks", "", ""), "tasks")
	if len(tasks) != 2 || tasks[0]["state"] != "waiting" || tasks[0]["due_at"] == nil {
		t.Fatalf("%v", tasks)
	}
	first, _ := tasks[0]["id"].(string)
	if done := p.must(200, p.second, "POST", "/api/response-tasks/"+first+"/transitions", `{"to":"acknowledged","by":"水利局王科长"}`, ""); done["acknowledged_by"] != "水利局王科长" || done["logged_by"] != "赵值班" {
		t.Errorf("%v", done)
	}
	p.must(403, p.worker, "POST", "/api/response-tasks/"+first+"/transitions", `{"to":"done"}`, "")

	// 快报: drafted from what is known, reported first, signed after by another.
	paper := p.must(201, p.officer, "POST", "/api/papers", `{"kind":"flash","response":"`+order+`","addressee":"市应急局"}`, "")
	id, _ := paper["id"].(string)
	if paper["title"] != "关于青河溃堤的快报" || paper["state"] != "draft" || len(list(paper, "figures")) < 6 || paper["area"] != "990100" {
		t.Fatalf("%v", paper)
	}
	for _, f := range list(paper, "figures") {
		if f["method"] == "" || f["source"] == "" || f["as_of"] == nil || f["kind"] != "reported" {
			t.Errorf("a figure without what makes it one: %v", f)
		}
	}
	text := string(p.get("/api/papers/"+id+".txt", p.officer...).body)
	for _, want := range []string{"草稿 未签发", "死亡 1 人", "失联 无数据", "启动防汛应急响应（Ⅳ级），由县防指牵头，平汛〔2026〕1 号，签发人 张县长。", "调整为Ⅱ级，平汛〔2026〕2 号，签发人 李书记。", "乡镇：转移群众", "李值班"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	p.must(409, p.officer, "POST", "/api/papers/"+id+"/transitions", `{"to":"reviewed"}`, etag(paper))
	p.must(422, p.officer, "POST", "/api/papers/"+id+"/transitions", `{"to":"reported","note":"电话请示"}`, etag(paper))
	reported := p.must(200, p.officer, "POST", "/api/papers/"+id+"/transitions", `{"to":"reported","note":"电话请示","consulted":"张带班"}`, etag(paper))
	if reported["state"] != "reported" || reported["consulted_on_duty"] != true || reported["number"] == nil || len(list(reported, "changed_since")) != 0 {
		t.Errorf("%v", reported)
	}
	// What comes after is said beside it, and not in it.
	was := p.must(200, p.officer, "GET", "/api/incidents/"+incident, "", "")
	p.must(200, p.officer, "PATCH", "/api/incidents/"+incident, `{"figures":{"deaths":3,"affected":300}}`, etag(was))
	now := p.must(200, p.approver, "GET", "/api/papers/"+id, "", "")
	changed := list(now, "changed_since")
	if len(changed) != 1 || changed[0]["figure"] != "deaths" || changed[0]["then"] != 1.0 || changed[0]["now"] != 3.0 {
		t.Errorf("%v", now["changed_since"])
	}
	p.must(409, p.officer, "PATCH", "/api/papers/"+id, `{"title":"x"}`, etag(now))
	p.must(403, p.second, "POST", "/api/papers/"+id+"/transitions", `{"to":"signed"}`, etag(now))
	if open := p.must(200, p.approver, "GET", "/api/papers?unsigned=true", "", ""); open["unsigned"] != 1.0 || len(list(open, "papers")) != 1 {
		t.Errorf("%v", open)
	}
	signed := p.must(200, p.approver, "POST", "/api/papers/"+id+"/transitions", `{"to":"signed"}`, etag(now))
	if signed["state"] != "signed" || signed["signed_by"] != "钱签发" || signed["late"] != false || signed["sha256"] != reported["sha256"] {
		t.Errorf("%v", signed)
	}
	text = string(p.get("/api/papers/"+id+".txt", p.approver...).body)
	if !strings.Contains(text, "死亡 1 人") || !strings.Contains(text, "签发后有变化：死亡 由 1 人 变为 3 人") || !strings.Contains(text, "补签：钱签发") || strings.Contains(text, "草稿") {
		t.Error(text)
	}
	if b := p.get("/api/papers/"+id+".pdf", p.approver...).body; !bytes.HasPrefix(b, []byte("%PDF-1.7")) {
		t.Errorf("no PDF: %.60s", b)
	}
	b := p.get("/api/papers/"+id+".docx", p.approver...).body
	if z, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err != nil || len(z.File) != 7 {
		t.Errorf("no DOCX: %v", err)
	}
	prints := 0
	if err := pgtest.Connect(t, p.dsn.Admin).QueryRow(t.Context(), `select count(*) from audit.entry where action = 'paper.print'`).Scan(&prints); err != nil || prints != 4 {
		t.Errorf("%d prints in the audit, %v", prints, err)
	}

	// 交接班: the log of the night, and signing it the ordinary way.
	brief := p.must(200, p.officer, "GET", "/api/briefs/handover", "", "")
	said, _ := brief["text"].(string)
	for _, want := range []string{"坐上值班台；李值班", "启动响应：防汛应急响应", "Ⅳ 级改为 Ⅱ 级", "签发人 李书记", "任务确认：加强值守", "先报：关于青河溃堤的快报", "补签：关于青河溃堤的快报", "接报事件：青河溃堤", "首报：青河溃堤；电话，报市", "任务：转移群众", "未完成任务 2 项"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	handover := p.must(201, p.officer, "POST", "/api/papers", `{"kind":"handover"}`, "")
	hid, _ := handover["id"].(string)
	reviewed := p.must(200, p.second, "POST", "/api/papers/"+hid+"/transitions", `{"to":"reviewed"}`, etag(handover))
	if s := p.must(200, p.commander, "POST", "/api/papers/"+hid+"/transitions", `{"to":"signed"}`, etag(reviewed)); s["state"] != "signed" || s["frozen_at"] == nil {
		t.Errorf("%v", s)
	}
	ended := p.must(200, p.officer, "POST", "/api/responses/"+order+"/transitions", `{"act":"end","signed_by":"张县长"}`, etag(p.must(200, p.officer, "GET", "/api/responses/"+order, "", "")))
	if ended["state"] != "ended" {
		t.Errorf("%v", ended)
	}
	if head = p.must(200, p.officer, "GET", "/api/responses", "", ""); head["profile"] != "peace" {
		t.Errorf("%v", head["profile"])
	}
}
