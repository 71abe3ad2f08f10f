package api_test

import (
	"strings"
	"testing"
	"time"
)

// TestEstimatesInAPaper: one click takes what was computed into a draft, and it is printed
// as an estimate with its range and how it was counted, never as reported.
func TestEstimatesInAPaper(t *testing.T) {
	p := newCommandPost(t)
	p.exec(`insert into population (code, population, children, elderly, method, year, geom) select i::text, 100, 20, 30, '常住', 2025, st_makeenvelope(119 + i * 0.01, 34, 119.01 + i * 0.01, 34.01, 4490) from generate_series(0, 19) i`)
	paper := p.must(201, p.officer, "POST", "/api/papers", `{"kind":"special","area":"990100","title":"防汛专报"}`, "")
	id, _ := paper["id"].(string)
	body := eastern + `}`
	p.must(428, p.officer, "POST", "/api/papers/"+id+"/estimates", body, "")
	p.must(403, p.worker, "POST", "/api/papers/"+id+"/estimates", body, etag(paper))
	with := p.must(200, p.officer, "POST", "/api/papers/"+id+"/estimates", body, etag(paper))
	var people map[string]any
	for _, f := range list(with, "figures") {
		if f["kind"] != "estimate" || f["method"] == "" || f["as_of"] == nil || f["source"] == "" {
			t.Errorf("%v", f)
		}
		if f["key"] == "est_people" {
			people = f
		}
	}
	if people["value"] != 250.0 || people["low"] != 200.0 || people["high"] != 300.0 || !strings.Contains(people["method"].(string), "常住人口（面积加权）") {
		t.Fatalf("%v", people)
	}
	// Again it is the same figures and one block.
	with = p.must(200, p.officer, "POST", "/api/papers/"+id+"/estimates", body, etag(with))
	n := 0
	for _, b := range list(with, "blocks") {
		if b["key"] == "estimates" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d blocks of estimates", n)
	}
	text := string(p.get("/api/papers/"+id+".txt", p.officer...).body)
	for _, want := range []string{"影响估算（非上报数）", "涉及人口 约 250 人（估算范围 200–300）", "“估算”由系统按口径推算，不是上报数。"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	reported := p.must(200, p.officer, "POST", "/api/papers/"+id+"/transitions", `{"to":"reported","note":"电话请示","consulted":"张带班"}`, etag(with))
	p.exec(`update population set population = 900`)
	if now := p.must(200, p.approver, "GET", "/api/papers/"+id, "", ""); len(list(now, "changed_since")) != 0 || len(list(now, "figures")) != len(list(reported, "figures")) {
		t.Errorf("what was taken in stands as it was: %v", now["changed_since"])
	}
	p.must(409, p.officer, "POST", "/api/papers/"+id+"/estimates", body, etag(reported))
}

// TestTheStatementSaysThatRoadsAreOfToday: of a moment that is past.
func TestTheStatementSaysThatRoadsAreOfToday(t *testing.T) {
	e := impactHouse(t)
	ask := func(more string) string {
		r := e.send("POST", "/api/impact", strings.NewReader(eastern+more+`}`), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
		if r.StatusCode != 200 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return string(r.body)
	}
	if strings.Contains(ask(""), "路网按今天") {
		t.Error("now is no past")
	}
	if past := ask(`,"as_of":"` + time.Now().UTC().Format(time.RFC3339) + `"`); !strings.Contains(past, "路网按今天的道路与阻断计算") || !strings.Contains(past, "roads and blocks of today") {
		t.Errorf("%s", past)
	}
}

// TestReplay: the log of a period and when the picture changed, to whoever sits at the desk
// there and of no more than he reads.
func TestReplay(t *testing.T) {
	p := newCommandPost(t)
	from := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	put := func(id, title, drill string) {
		p.must(201, p.officer, "PUT", "/api/incidents/"+id, `{"title":"`+title+`","kind":"flood","exercise":`+drill+`,"geometry":{"type":"Point","coordinates":[119.2,34.2]}}`, "")
	}
	put("019c0000-0000-7000-8000-000000000201", "青河溃堤", "false")
	put("019c0000-0000-7000-8000-000000000202", "桌面推演", "true")
	ask := func(more string) (titles string, incidents float64) {
		t.Helper()
		a := p.must(200, p.officer, "GET", "/api/replay?from="+from+more, "", "")
		for _, e := range list(a, "log") {
			titles += e["title"].(string) + " "
		}
		for _, m := range list(a, "moments") {
			changes, _ := m["changes"].(map[string]any)
			n, _ := changes["incidents"].(float64)
			incidents += n
		}
		return titles, incidents
	}
	real, n := ask("")
	drill, m := ask("&exercise=true")
	if !strings.Contains(real, "青河溃堤") || strings.Contains(real, "桌面推演") || n < 1 || m <= n || !strings.Contains(drill, "桌面推演") {
		t.Errorf("%q %v, with exercises %q %v", real, n, drill, m)
	}
	p.must(403, p.officer, "GET", "/api/replay?area=990200", "", "")
	p.must(403, p.worker, "GET", "/api/replay", "", "")
	p.must(422, p.officer, "GET", "/api/replay?from=2020-01-01T00:00:00Z", "", "")
	p.must(400, p.officer, "GET", "/api/replay?from=yesterday", "", "")
}

// TestTheImpactPaperCarriesAMap: the PDF has a page with the area, as large as was asked.
func TestTheImpactPaperCarriesAMap(t *testing.T) {
	e := impactHouse(t)
	ask := func(more string) (int, string) {
		r := e.send("POST", "/api/reports/impact.pdf", strings.NewReader(eastern+more+`}`), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
		return r.StatusCode, string(r.body)
	}
	const a4, a3 = "/MediaBox [0 0 841.89 595.28]", "/MediaBox [0 0 1190.55 841.89]"
	pages := func(b, size string) int { return strings.Count(b, size) }
	code, none := ask(`,"map":"none"`)
	if code != 200 || pages(none, a4)+pages(none, a3) != 0 {
		t.Errorf("none: %d, %d", code, pages(none, a4))
	}
	if code, b := ask(""); code != 200 || pages(b, a4) != 1 || pages(b, "/MediaBox") != pages(none, "/MediaBox")+1 {
		t.Errorf("A4: %d %d of %d", code, pages(b, a4), pages(b, "/MediaBox"))
	}
	if code, b := ask(`,"map":"A3","ring":[500,1000]`); code != 200 || pages(b, a3) != 1 {
		t.Errorf("A3: %d %d", code, pages(b, a3))
	}
	if code, _ := ask(`,"map":"A0"`); code != 422 {
		t.Errorf("A0: %d", code)
	}
}
