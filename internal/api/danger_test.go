package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/jpeg"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"onemap/internal/auth"
)

// dangerDesk is a house with a worker, two officers and a unit of one county.
type dangerDesk struct {
	*env
	worker, officer, second, unit []string
}

func newDangerDesk(t *testing.T) *dangerDesk {
	t.Helper()
	d := &dangerDesk{env: start(t)}
	d.exec(`insert into dataset (name, title) values ('ground', '底图')`)
	d.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, geom) select id, '990100', '990100', '990100', '示例县', 3, st_setsrid(st_makeenvelope(119.0, 34.0, 119.6, 34.4), 4490) from dataset`)
	as := func(username, name, department string, role auth.Role) []string {
		return append([]string{"Host", "map.example", "Sec-Fetch-Site", "same-origin"}, session(d.activate(d.person(auth.NewAccount{Username: username, Name: name, Unit: "990100", Department: department}, role, "990100")))...)
	}
	d.worker, d.officer, d.second = as("wang.grid", "王网格", "", auth.GridWorker), as("li.duty", "李值班", "", auth.DutyOfficer), as("zhao.duty", "赵值班", "", auth.DutyOfficer)
	d.unit = as("water.unit", "水利局", "县水利局", auth.Unit)
	d.settle()
	return d
}

// ask sends JSON and gives status, code and document.
func (d *dangerDesk) ask(as []string, method, path, body string, match string) (int, map[string]any) {
	d.t.Helper()
	headers := append([]string{}, as...)
	if match != "" {
		headers = append(headers, "If-Match", match)
	}
	var r reply
	if body == "" {
		r = d.send(method, path, nil, headers...)
	} else {
		r = d.send(method, path, strings.NewReader(body), append(headers, "Content-Type", "application/json")...)
	}
	out := map[string]any{}
	if len(r.body) > 0 {
		if err := json.Unmarshal(r.body, &out); err != nil {
			d.t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, r.body)
		}
	}
	return r.StatusCode, out
}

func etag(doc map[string]any) string {
	n, _ := doc["etag"].(float64)
	return `"` + strconv.Itoa(int(n)) + `"`
}

// TestDangerOverHTTP goes once round the loop by the conventions: created once, 428
// without and 412 with an old version, a conflict with a stable code, the same 404 for the
// foreign and the absent.
func TestDangerOverHTTP(t *testing.T) {
	d := newDangerDesk(t)
	const path = "/api/dangers/019c0000-0000-7000-8000-0000000000a1"
	body := `{"kind":"flood","description":"堤脚渗水","interim_measure":"专人巡查","found_at":"2026-03-02T04:00:00Z","geometry":{"type":"Point","coordinates":[119.25,34.15]}}`
	must := func(what string, got, want int, doc map[string]any, code string) {
		t.Helper()
		if got != want || code != "" && doc["code"] != code {
			t.Fatalf("%s: %d %v, want %d %s", what, got, doc, want, code)
		}
	}
	st, doc := d.ask(d.worker, "PUT", path, body, "")
	must("reported", st, 201, doc, "")
	st, doc = d.ask(d.worker, "PUT", path, body, "")
	must("reported again", st, 200, doc, "")
	st, other := d.ask(d.worker, "PUT", path, strings.Replace(body, "堤脚渗水", "别的", 1), "")
	must("another content", st, 409, other, "id_taken")
	st, bad := d.ask(d.worker, "PUT", strings.Replace(path, "a1", "a2", 1), `{"kind":"flood","geometry":{"type":"Point","coordinates":[500,34]}}`, "")
	must("nowhere on earth", st, 422, bad, "")
	st, bad = d.ask(d.officer, "POST", path+"/transitions", `{"to":"verified"}`, "")
	must("without a version", st, 428, bad, "precondition_required")
	st, bad = d.ask(d.officer, "POST", path+"/transitions", `{"to":"closed","note":"x"}`, etag(doc))
	must("out of order", st, 409, bad, "cannot_follow")
	st, bad = d.ask(d.worker, "POST", path+"/transitions", `{"to":"verified"}`, etag(doc))
	must("by a worker", st, 403, bad, "")
	old := etag(doc)
	st, doc = d.ask(d.officer, "POST", path+"/transitions", `{"to":"verified"}`, old)
	must("verified", st, 200, doc, "")
	if n, _ := doc["number"].(string); !strings.HasPrefix(n, "YH-990100-") {
		t.Errorf("number %q", n)
	}
	st, bad = d.ask(d.second, "POST", path+"/transitions", `{"to":"rejected","note":"查无"}`, old)
	must("from an older version", st, 412, bad, "stale")
	st, bad = d.ask(d.unit, "GET", path, "", "")
	must("not assigned yet", st, 404, bad, "not_found")
	st, doc = d.ask(d.officer, "POST", path+"/transitions", `{"to":"graded","level":2,"responsible_unit":"县水利局"}`, etag(doc))
	must("graded", st, 200, doc, "")
	st, doc = d.ask(d.officer, "POST", path+"/transitions", `{"to":"rectifying"}`, etag(doc))
	must("ordered", st, 200, doc, "")
	st, seen := d.ask(d.unit, "GET", path, "", "")
	must("the unit sees it", st, 200, seen, "")
	st, doc = d.ask(d.unit, "POST", path+"/transitions", `{"to":"reviewing","note":"已灌浆","evidence":["`+strings.Repeat("ab", 32)+`"]}`, etag(seen))
	must("put right", st, 200, doc, "")
	st, doc = d.ask(d.second, "POST", path+"/transitions", `{"to":"closed"}`, etag(doc))
	must("closed", st, 200, doc, "")
	st, bad = d.ask(d.officer, "PATCH", path, `{"name":"改名"}`, etag(doc))
	must("a closed one", st, 409, bad, "frozen")
	st, again := d.ask(d.officer, "POST", path+"/reopen", `{"note":"又渗水"}`, "")
	must("reopened", st, 201, again, "")
	if again["reopens"] != doc["id"] || again["state"] != "reported" {
		t.Errorf("reopened: %v", again)
	}
	st, full := d.ask(d.officer, "GET", path, "", "")
	must("the whole of it", st, 200, full, "")
	if photos := full["photos"].([]any); len(photos) != 1 || len(full["actions"].([]any)) != 6 || len(full["after"].([]any)) != 1 {
		t.Errorf("detail: %v", full)
	}
	st, list := d.ask(d.unit, "GET", "/api/dangers", "", "")
	if must("the unit's list", st, 200, list, ""); len(list["dangers"].([]any)) != 1 {
		t.Errorf("the unit sees %d", len(list["dangers"].([]any)))
	}
}

// TestLedgers reads the two spreadsheets back: the same rows the lists show, each naming
// the other.
func TestLedgers(t *testing.T) {
	d := newDangerDesk(t)
	const path = "/api/dangers/019c0000-0000-7000-8000-0000000000b1"
	_, doc := d.ask(d.worker, "PUT", path, `{"kind":"flood","name":"=1+1","description":"堤脚渗水","geometry":{"type":"Point","coordinates":[119.25,34.15]}}`, "")
	_, doc = d.ask(d.officer, "POST", path+"/transitions", `{"to":"verified"}`, etag(doc))
	st, m := d.ask(d.officer, "POST", "/api/measures", `{"title":"堤防巡查制度","kind":"system","area":"990100","unit":"县水利局","due_on":"2026-12-31"}`, "")
	if st != 201 {
		t.Fatalf("measure: %d %v", st, m)
	}
	if st, bad := d.ask(d.officer, "PUT", "/api/measures/"+m["id"].(string)+"/dangers/"+doc["id"].(string), "", ""); st != 204 {
		t.Fatalf("link: %d %v", st, bad)
	}
	for _, c := range []struct {
		path, title, header string
		want                []string
	}{
		{"/api/ledgers/dangers.xlsx", "问题隐患清单", "编号", []string{doc["number"].(string), "=1+1", "防汛隐患", "已核实", "堤脚渗水", m["number"].(string)}},
		{"/api/ledgers/measures.xlsx", "制度措施清单", "对应隐患编号", []string{m["number"].(string), "堤防巡查制度", "制度", "拟定", doc["number"].(string)}},
	} {
		r := d.get(c.path, d.officer...)
		if r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", c.path, r.StatusCode, r.body)
		}
		f, err := excelize.OpenReader(bytes.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.GetRows(c.title)
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, row := range rows {
			all += strings.Join(row, "|") + "\n"
		}
		for _, w := range append(c.want, c.title, c.header, "李值班", "截至", "共 1 条") {
			if !strings.Contains(all, w) {
				t.Errorf("%s lacks %q:\n%s", c.path, w, all)
			}
		}
		if n, err := f.GetCellFormula(c.title, "C8"); err != nil || n != "" {
			t.Errorf("%s: a formula %q, %v", c.path, n, err)
		}
		foot, err := f.GetHeaderFooter(c.title)
		if err != nil || !strings.Contains(foot.OddFooter, "李值班") {
			t.Errorf("%s: foot %+v, %v", c.path, foot, err)
		}
	}
	for _, p := range []string{path + "/card.pdf", path + "/card.pdf?size=A5"} {
		r := d.get(p, d.officer...)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/pdf" || !bytes.HasPrefix(r.body, []byte("%PDF-")) {
			t.Errorf("%s: %d %s", p, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	if r := d.get(path+"/card.pdf?size=A0", d.officer...); r.StatusCode != 400 {
		t.Errorf("a card of A0: %d", r.StatusCode)
	}
	st, sum := d.ask(d.officer, "GET", "/api/dangers/summary?by=kind", "", "")
	if whole, _ := sum["whole"].(map[string]any); st != 200 || whole["total"] != 1.0 || whole["closure_rate"] != 0.0 {
		t.Errorf("summary: %d %v", st, sum)
	}
	st, rem := d.ask(d.officer, "GET", "/api/dangers/reminders", "", "")
	if list, _ := rem["reminders"].([]any); st != 200 || len(list) != 1 || rem["yours"] != 1.0 {
		t.Errorf("reminders: %d %v", st, rem)
	}
}

// TestUnitSeesThePictures of what is assigned to it, and no others.
func TestUnitSeesThePictures(t *testing.T) {
	d := newDangerDesk(t)
	upload := func(shade uint8) string {
		img := image.NewGray(image.Rect(0, 0, 16, 16))
		for i := range img.Pix {
			img.Pix[i] = shade + uint8(i)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b.Bytes())
		name := hex.EncodeToString(sum[:])
		size := strconv.Itoa(b.Len())
		r := d.send("PUT", "/api/blobs/"+name, bytes.NewReader(b.Bytes()), append([]string{"Upload-Offset", "0", "Upload-Length", size, "Content-Type", "image/jpeg"}, d.worker...)...)
		if r.StatusCode != 201 && r.StatusCode != 200 {
			t.Fatalf("upload: %d %s", r.StatusCode, r.body)
		}
		return name
	}
	mine, others := upload(1), upload(90)
	for i, c := range []struct{ name, unit string }{{mine, "县水利局"}, {others, "县住建局"}} {
		path := "/api/dangers/019c0000-0000-7000-8000-0000000000c" + strconv.Itoa(i)
		_, doc := d.ask(d.worker, "PUT", path, `{"kind":"flood","interim_measure":"巡查","geometry":{"type":"Point","coordinates":[119.25,34.15]},"evidence":["`+c.name+`"]}`, "")
		_, doc = d.ask(d.officer, "POST", path+"/transitions", `{"to":"verified"}`, etag(doc))
		if st, doc := d.ask(d.officer, "POST", path+"/transitions", `{"to":"graded","level":2,"responsible_unit":"`+c.unit+`"}`, etag(doc)); st != 200 {
			t.Fatalf("graded: %d %v", st, doc)
		}
	}
	if r := d.get("/api/blobs/"+mine, d.unit...); r.StatusCode != 200 {
		t.Errorf("a picture of what is assigned to it: %d", r.StatusCode)
	}
	if r := d.get("/api/blobs/"+others, d.unit...); r.StatusCode != 404 {
		t.Errorf("another unit's picture: %d", r.StatusCode)
	}
}
