package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// TestDesksAndSendersHear: what waits for a decision is told to its desk at once, and what
// became of it, or who saw 险情, to the phone that sent it; to nobody else either.
func TestDesksAndSendersHear(t *testing.T) {
	f := startField(t)
	other := session(f.activate(f.person(auth.NewAccount{Username: "wangge2", Name: "网格员乙", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	foreign := session(f.activate(f.person(auth.NewAccount{Username: "zhiban2", Name: "外值班", Unit: "990200"}, auth.DutyOfficer, "990200")))
	town := session(f.activate(f.person(auth.NewAccount{Username: "zhiban3", Name: "乡镇值班", Unit: "990100"}, auth.DutyOfficer, "990100101")))
	open := func(topics, since string, who []string) *stream {
		return joined(t, f.listen(f.unlimited(), "http://localhost", topics, since, who...))
	}
	from := f.feed.State().Position.String()
	desk, elsewhere := open("sync_case", "", town), open("sync_case", "", foreign)
	mine, his := open("sync_receipt", "", f.worker), open("sync_receipt", "", other)
	if status, _, body := f.open("sync_case", f.worker...); status != 400 {
		t.Errorf("a worker at the desk: %d %s", status, body)
	}
	if status, _, body := f.open("sync_receipt", nobody()...); status != 401 {
		t.Errorf("nobody's receipts: %d %s", status, body)
	}

	// What cannot be placed, and a conflict about a record with a name.
	mark := func(name string, lon float64) members {
		return members{"op_id": f.id(), "kind": "hazards", "id": f.id(), "captured_at": time.Now().Format(time.RFC3339), "fields": members{"name": members{"value": name}, "hazard": members{"value": "landslide"}}, "geometry": point(lon, 30.05)}
	}
	outside := mark("界外滑坡", 110.15)
	if v := f.sync(f.worker, "p1", outside)[0]; v.Status != "quarantined" {
		t.Fatalf("%+v", v)
	}
	waitFor(t, "the desk hears of it", func() bool { return len(desk.told("sync_case")) == 1 })
	news := desk.told("sync_case")[0]
	if due, err := time.Parse(time.RFC3339, news.Properties["due_at"].(string)); err != nil || !due.After(time.Now().Add(time.Hour)) || news.Op != "insert" || news.Properties["sort"] != "quarantine" || news.Properties["state"] != "open" || news.Properties["area"] != "990100101001001" {
		t.Errorf("%+v", news)
	}
	first := mark("村口滑坡", 110.05)
	f.sync(f.worker, "p1", first)
	edit := func(who []string, device, value string) verdictOf {
		return f.sync(who, device, members{"op_id": f.id(), "kind": "hazards", "id": first["id"], "base_version": 1, "captured_at": time.Now().Format(time.RFC3339), "fields": members{"measure": members{"base": nil, "value": value}}})[0]
	}
	if v := edit(f.worker, "p1", "拉网"); v.Status != "applied" {
		t.Fatalf("%+v %s", v, v.code())
	}
	if v := edit(other, "p2", "清坡"); v.Status != "conflict" {
		t.Fatalf("%+v %s", v, v.code())
	}
	waitFor(t, "the desk hears of the conflict", func() bool { return len(desk.told("sync_case")) == 2 })

	// The desk says what it is about and where: the record by its name, the grid by its own.
	type item struct {
		ID, Title string
		Area      string
		AreaTitle string `json:"area_title"`
	}
	var list struct{ Items []item }
	f.json("/api/desk/conflicts", &list, town...)
	if len(list.Items) != 1 || !strings.HasSuffix(list.Items[0].Title, ":村口滑坡") || list.Items[0].Area != "990100101001001" || list.Items[0].AreaTitle != "清河一网格" {
		t.Errorf("conflicts %+v", list.Items)
	}
	f.json("/api/desk/quarantine", &list, town...)
	if len(list.Items) != 1 || !strings.HasSuffix(list.Items[0].Title, ":界外滑坡") || list.Items[0].AreaTitle != "清河一网格" {
		t.Errorf("quarantine %+v", list.Items)
	}
	if r := f.post("/api/desk/quarantine/"+list.Items[0].ID+"/return", `{"note":"请重新定位"}`, town...); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	waitFor(t, "the desk hears that it is decided", func() bool {
		all := desk.told("sync_case")
		return len(all) == 3 && all[2].Op == "update" && all[2].Properties["state"] == "done" && all[2].Properties["outcome"] == "returned"
	})
	receipt := func(s *stream, op any) (told, bool) {
		for _, r := range s.told("sync_receipt") {
			if r.ID == op {
				return r, true
			}
		}
		return told{}, false
	}
	waitFor(t, "the sender hears that it came back", func() bool { _, ok := receipt(mine, outside["op_id"]); return ok })
	if r, _ := receipt(mine, outside["op_id"]); r.Properties["status"] != "returned" || r.Properties["seen_by"] != "乡镇值班" {
		t.Errorf("%+v", r)
	}

	// 险情: opened at the desk, the phone that waits for it hears by whom.
	red := f.red()
	f.sync(f.worker, "p1", red)
	var opened struct{ State string }
	f.json("/api/incident-reports/"+red["id"].(string), &opened, f.desk...)
	waitFor(t, "the sender hears who saw it", func() bool {
		r, ok := receipt(mine, red["op_id"])
		return ok && r.Properties["seen_by"] == "值班员甲"
	})

	// Nobody else heard anything, nor does a stream that begins before it all.
	late := open("sync_receipt", from, other)
	conflict := edit(other, "p2", "又一次")
	waitFor(t, "the desk hears of the last one", func() bool { return len(desk.told("sync_case")) == 4 })
	f.settle()
	for name, s := range map[string]*stream{"the other worker": his, "the other worker, later": late} {
		for _, r := range s.told("sync_receipt") {
			if r.Properties == nil || r.ID != conflict.OpID {
				raw, _ := json.Marshal(r)
				t.Errorf("%s hears of what is not his: %s", name, raw)
			}
		}
	}
	if n := len(elsewhere.told("sync_case")); n != 0 {
		t.Errorf("another county's desk hears of %d cases", n)
	}
	if again := open("sync_receipt", from, f.worker); !func() bool { _, ok := receipt(again, red["op_id"]); return ok }() {
		t.Errorf("a stream that comes back is not told what it missed:\n%.600s", again.text())
	}
}
