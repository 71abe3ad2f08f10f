package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/feed"
)

// desk is somebody at his own desk.
type desk struct {
	e      *env
	name   string
	cookie string
}

func (e *env) desk(username, name string, role auth.Role, area string) desk {
	e.t.Helper()
	return desk{e, name, e.activate(e.person(auth.NewAccount{Username: username, Name: name, Unit: ownArea}, role, area))}
}

// ask sends a request as this person; body "" is none.
func (d desk) ask(method, path, body string, headers ...string) reply {
	d.e.t.Helper()
	all := append(append([]string{}, session(d.cookie)...), "Sec-Fetch-Site", "same-origin")
	all = append(all, headers...)
	if body == "" {
		return d.e.send(method, path, nil, all...)
	}
	return d.e.send(method, path, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, all...)...)
}

// must is ask where the answer has to be of a status; into may be nil.
func (d desk) must(status int, into any, method, path, body string, headers ...string) reply {
	d.e.t.Helper()
	r := d.ask(method, path, body, headers...)
	if r.StatusCode != status {
		d.e.t.Fatalf("%s as %s: %s %s %s: %d, want %d: %.1500s", d.name, d.name, method, path, body, r.StatusCode, status, r.body)
	}
	if into != nil {
		if err := json.Unmarshal(r.body, into); err != nil {
			d.e.t.Fatalf("%s %s: %v in %.500s", method, path, err, r.body)
		}
	}
	return r
}

func (d desk) refused(status int, code, method, path, body string, headers ...string) reply {
	d.e.t.Helper()
	r := d.ask(method, path, body, headers...)
	d.e.wantProblem(r, status, code)
	return r
}

type planJSON struct {
	ID, Series, State, Title, Ladder string
	Version                          int
	ETag                             int64
	InForce                          bool `json:"in_force"`
	May                              []string
	Counts                           struct {
		Zones, Ungraded, Comments, Accepted, Returned int
		OpenComments                                  int `json:"open_comments"`
	}
	DocumentNo    *string `json:"document_no"`
	EffectiveFrom *string `json:"effective_from"`
	EffectiveTo   *string `json:"effective_to"`
}

type zoneJSON struct {
	ID         string
	Geometry   json.RawMessage
	Properties struct {
		Zone, Name string
		Version    int64
		FID        int64
		Level      int
	}
}

type zonesJSON struct {
	Features []zoneJSON
	Area     json.RawMessage
	Position string
}

// step does one edit on the zones as they are.
func (d desk) step(plan, ops string) reply {
	d.e.t.Helper()
	var set zonesJSON
	d.must(200, &set, "GET", "/api/plans/"+plan+"/zones", "")
	base := map[string]int64{}
	for _, z := range set.Features {
		base[z.ID] = z.Properties.Version
	}
	b, _ := json.Marshal(base)
	return d.ask("POST", "/api/plans/"+plan+"/edits", fmt.Sprintf(`{"edit_id":%q,"ops":%s,"base":%s}`, newID(), ops, b))
}

func (d desk) did(plan, ops string) (out struct {
	EditID  string `json:"edit_id"`
	Zones   []zoneJSON
	Removed []string
}) {
	d.e.t.Helper()
	r := d.step(plan, ops)
	if r.StatusCode != 200 {
		d.e.t.Fatalf("%s: %d %.1500s", ops, r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &out); err != nil {
		d.e.t.Fatal(err)
	}
	return out
}

func (d desk) zones(plan string) zonesJSON {
	d.e.t.Helper()
	var set zonesJSON
	d.must(200, &set, "GET", "/api/plans/"+plan+"/zones", "")
	return set
}

func (d desk) to(status int, plan, to, more string) planJSON {
	d.e.t.Helper()
	var p planJSON
	d.must(200, &p, "GET", "/api/plans/"+plan, "")
	r := d.ask("POST", "/api/plans/"+plan+"/transitions", fmt.Sprintf(`{"to":%q,"note":"测试说明"%s}`, to, more), "If-Match", fmt.Sprintf("%q", fmt.Sprint(p.ETag)))
	if r.StatusCode != status {
		d.e.t.Fatalf("%s to %s: %d, want %d: %.1500s", p.State, to, r.StatusCode, status, r.body)
	}
	if status == 200 {
		if _, err := feed.ParsePosition(r.Header.Get("Onemap-Seq")); err != nil {
			d.e.t.Errorf("%s to %s: position %q", p.State, to, r.Header.Get("Onemap-Seq"))
		}
		if err := json.Unmarshal(r.body, &p); err != nil {
			d.e.t.Fatal(err)
		}
		if p.State != to {
			d.e.t.Fatalf("%s is answered for %s", p.State, to)
		}
	}
	return p
}

func (d desk) refusedStep(status int, code, plan, to string) {
	d.e.t.Helper()
	var p planJSON
	d.must(200, &p, "GET", "/api/plans/"+plan, "")
	d.refused(status, code, "POST", "/api/plans/"+plan+"/transitions", fmt.Sprintf(`{"to":%q,"note":"测试说明"}`, to), "If-Match", fmt.Sprintf("%q", fmt.Sprint(p.ETag)))
}

var idCounter = 0

// newID is a UUID nobody has yet.
func newID() string {
	idCounter++
	return fmt.Sprintf("01a1ffb1-d369-7ca3-86f4-%012x", time.Now().UnixNano()&0xffffffffff<<8|int64(idCounter&0xff))
}

// people of the planner's table.
func (e *env) table() (planner, approver, viewer desk) {
	return e.desk("gui.hua", "规划员", auth.Planner, ownArea), e.desk("shen.pi", "审批人", auth.Approver, ownArea), e.desk("cha.kan", "查看人", auth.Viewer, ownArea)
}

func (d desk) newPlan(more string) planJSON {
	d.e.t.Helper()
	var p planJSON
	r := d.must(201, &p, "POST", "/api/plans", `{"hazard":"flood","kind":"risk","title":"洪水风险区划","area":"`+ownArea+`","exhaustive":true,"start":"townships","responsible":"示例县应急管理局"`+more+`}`)
	if r.Header.Get("Location") != "/api/plans/"+p.ID || r.Header.Get("ETag") != fmt.Sprintf("%q", fmt.Sprint(p.ETag)) {
		d.e.t.Errorf("created: %v", r.Header)
	}
	return p
}

const tileOfTown = "/tiles/zones/12/3404/1634.mvt"

// TestALifeOfAPlan goes through the whole life cycle with two persons and a reader.
func TestALifeOfAPlan(t *testing.T) {
	e := start(t)
	e.county()
	planner, approver, viewer := e.table()

	p := planner.newPlan("")
	path := "/api/plans/" + p.ID
	set := planner.zones(p.ID)
	if len(set.Features) != 2 || p.State != "draft" || p.Version != 1 || p.Counts.Zones != 2 {
		t.Fatalf("the first draft: %+v, %d zones", p, len(set.Features))
	}

	// A draft is nobody else's: the same answer as for none, in every way of asking.
	for _, suffix := range []string{"", "/zones", "/events", "/edits", "/comments", "/diff", "/export", "/zones/" + set.Features[0].ID} {
		if a, b := viewer.ask("GET", path+suffix, ""), viewer.ask("GET", "/api/plans/"+noID+suffix, ""); a.StatusCode != 404 || !same(a, b) {
			t.Errorf("%s of a draft for a reader: %d %s", suffix, a.StatusCode, a.body)
		}
	}
	if r := planner.must(200, nil, "GET", tileOfTown+"?plan="+p.ID, ""); len(r.body) == 0 {
		t.Error("the planner's tile of the draft is empty")
	}
	for _, q := range []string{tileOfTown + "?plan=", "/ogc/collections/zones/items?plan="} {
		if a, b := viewer.ask("GET", q+p.ID, ""), viewer.ask("GET", q+noID, ""); a.StatusCode != 404 || !same(a, b) {
			t.Errorf("%s of a draft for a reader: %d", q, a.StatusCode)
		}
	}

	// Drawing: split, undo, redo, grade; what is sent twice is done once.
	before := planner.zones(p.ID)
	cut := planner.did(p.ID, fmt.Sprintf(`[{"op":"split","zone":%q,"line":[[119.1,33.9],[119.1,34.5]]}]`, before.Features[0].ID))
	if len(planner.zones(p.ID).Features) != 3 {
		t.Fatalf("split: %+v", cut)
	}
	undo := planner.did(p.ID, fmt.Sprintf(`[{"op":"restore","edit":%q}]`, cut.EditID))
	for i, z := range planner.zones(p.ID).Features {
		if !bytes.Equal(z.Geometry, before.Features[i].Geometry) {
			t.Errorf("undo leaves %s, was %s", z.Geometry, before.Features[i].Geometry)
		}
	}
	planner.did(p.ID, fmt.Sprintf(`[{"op":"restore","edit":%q}]`, undo.EditID))
	var steps struct {
		Edits []struct {
			EditID   string  `json:"edit_id"`
			Undoes   *string `json:"undoes"`
			UndoneBy *string `json:"undone_by"`
			Title    string
			Mine     bool
		}
	}
	planner.must(200, &steps, "GET", path+"/edits", "")
	if len(steps.Edits) != 3 || steps.Edits[0].Title == "" || !steps.Edits[0].Mine {
		t.Fatalf("steps: %+v", steps)
	}
	var v struct {
		OK         bool
		Zones      int
		Violations []struct{ Code, Message string }
	}
	planner.must(200, &v, "POST", path+"/validate", "")
	if v.OK || v.Zones != 3 || len(v.Violations) != 3 || v.Violations[0].Code != "ungraded" {
		t.Fatalf("validate: %+v", v)
	}
	planner.refusedStep(409, "ungraded", p.ID, "submitted")
	grade := func(level int) string {
		var ids []string
		for _, z := range planner.zones(p.ID).Features {
			ids = append(ids, `"`+z.ID+`"`)
		}
		return fmt.Sprintf(`[{"op":"relevel","zones":[%s],"level":%d}]`, strings.Join(ids, ","), level)
	}
	planner.did(p.ID, grade(2))
	planner.did(p.ID, fmt.Sprintf(`[{"op":"set_attributes","zones":[%q],"set":{"name":"河谷","countermeasure":"巡查"}}]`, planner.zones(p.ID).Features[0].ID))
	planner.must(200, &v, "POST", path+"/validate", "")
	if !v.OK {
		t.Fatalf("validate after grading: %+v", v)
	}

	// Consultation: read and commented on by others, not edited.
	planner.to(200, p.ID, "consultation", "")
	planner.e.wantProblem(planner.step(p.ID, grade(3)), 409, "not_editable")
	var c struct {
		ID      string
		Version int64
	}
	viewer.must(201, &c, "POST", path+"/comments", fmt.Sprintf(`{"body":"河谷应为高风险","unit":"水利局","zone":%q,"at":[119.05,34.2]}`, before.Features[0].ID))
	viewer.refused(403, "forbidden", "POST", path+"/edits", `{"edit_id":"`+newID()+`","ops":[]}`)
	planner.to(200, p.ID, "draft", "")
	planner.refusedStep(409, "comments_open", p.ID, "submitted")
	planner.refused(428, "precondition_required", "PATCH", path+"/comments/"+c.ID, `{"answer":"adopted"}`)
	planner.refused(422, "invalid", "PATCH", path+"/comments/"+c.ID, `{"answer":"not_adopted"}`, "If-Match", fmt.Sprintf("%q", fmt.Sprint(c.Version)))
	planner.must(200, nil, "PATCH", path+"/comments/"+c.ID, `{"answer":"partly","reason":"核查后调整"}`, "If-Match", fmt.Sprintf("%q", fmt.Sprint(c.Version)))
	if r := planner.must(200, nil, "GET", path+"/comments.xlsx", ""); !bytes.HasPrefix(r.body, []byte("PK")) {
		t.Error("the table of opinions is no workbook")
	}

	// Review by another: one zone goes back, with a reason.
	planner.to(200, p.ID, "submitted", "")
	planner.refusedStep(403, "forbidden", p.ID, "in_review")
	approver.to(200, p.ID, "in_review", "")
	zones := approver.zones(p.ID).Features
	approver.refused(422, "invalid", "PUT", path+"/zones/"+zones[0].ID+"/review", `{"verdict":"returned"}`)
	approver.must(200, nil, "PUT", path+"/zones/"+zones[0].ID+"/review", `{"verdict":"returned","reason":"边界与河道不符"}`)
	approver.must(200, nil, "POST", path+"/reviews", `{"accept_rest":true}`)
	approver.refusedStep(409, "not_accepted", p.ID, "approved")
	approver.to(200, p.ID, "returned", "")
	planner.did(p.ID, `[{"op":"relevel","zones":["`+zones[0].ID+`"],"level":1}]`)
	planner.to(200, p.ID, "submitted", "")
	approver.to(200, p.ID, "in_review", "")
	approver.must(200, nil, "POST", path+"/reviews", `{"accept_rest":true}`)
	approver.to(200, p.ID, "approved", "")
	day := func(n int) string {
		return time.Now().AddDate(0, 0, n).In(e.reg.Now().Location()).Format(time.DateOnly)
	}
	first, later := day(-30), day(0)
	pub := approver.to(200, p.ID, "published", `,"document_no":"示府发〔2026〕1号","effective_from":"`+first+`"`)
	if !pub.InForce || pub.DocumentNo == nil || pub.EffectiveFrom == nil {
		t.Fatalf("published: %+v", pub)
	}

	// Published: everybody who reads the layer sees it, without plan= too; it never changes.
	e.settle()
	var items struct {
		Features []struct{ Properties struct{ Plan string } }
	}
	viewer.must(200, &items, "GET", "/ogc/collections/zones/items?limit=100", "")
	if n := len(items.Features); n != 3 {
		t.Errorf("%d zones in force for a reader", n)
	}
	for _, q := range []string{"?plan=" + p.ID, "?plan=series:" + p.Series} {
		viewer.must(200, &items, "GET", "/ogc/collections/zones/items"+q, "")
		if len(items.Features) != 3 {
			t.Errorf("%s: %d zones", q, len(items.Features))
		}
		if r := viewer.must(200, nil, "GET", tileOfTown+q, ""); len(r.body) == 0 {
			t.Errorf("the tile of %s is empty", q)
		}
	}
	viewer.must(200, nil, "GET", tileOfTown, "")
	planner.e.wantProblem(planner.step(p.ID, grade(3)), 409, "not_editable")
	planner.refused(409, "not_editable", "PATCH", path, `{"title":"另一个"}`, "If-Match", fmt.Sprintf("%q", fmt.Sprint(pub.ETag)))

	// The next version, and what differs.
	var next planJSON
	planner.must(201, &next, "POST", path+"/versions", `{"note":"年度更新"}`)
	planner.refused(409, "open_version", "POST", path+"/versions", `{"note":"又一个"}`)
	if next.Version != 2 || next.Series != p.Series {
		t.Fatalf("the next version: %+v", next)
	}
	ids := planner.zones(next.ID).Features
	if !slices.ContainsFunc(ids, func(z zoneJSON) bool { return z.ID == zones[0].ID }) {
		t.Error("zones do not keep their ids through a series")
	}
	planner.did(next.ID, fmt.Sprintf(`[{"op":"relevel","zones":[%q],"level":3}]`, zones[0].ID))
	var d struct {
		Relevelled []struct {
			Zone        string
			LevelBefore int `json:"level_before"`
			LevelAfter  int `json:"level_after"`
		}
		Unchanged int
	}
	planner.must(200, &d, "GET", "/api/plans/"+next.ID+"/diff", "")
	if len(d.Relevelled) != 1 || d.Relevelled[0].Zone != zones[0].ID || d.Relevelled[0].LevelBefore != 1 || d.Relevelled[0].LevelAfter != 3 || d.Unchanged != 2 {
		t.Errorf("diff: %+v", d)
	}
	// A reader sees the version in force and nothing of the draft, from warm caches too.
	planner.must(200, nil, "GET", tileOfTown+"?plan="+next.ID, "")
	if r := viewer.ask("GET", tileOfTown+"?plan="+next.ID, ""); r.StatusCode != 404 {
		t.Errorf("the draft's tile reaches a reader: %d", r.StatusCode)
	}
	planner.to(200, next.ID, "submitted", "")
	approver.to(200, next.ID, "in_review", "")
	approver.must(200, nil, "POST", "/api/plans/"+next.ID+"/reviews", `{"accept_rest":true}`)
	approver.to(200, next.ID, "approved", "")
	approver.to(200, next.ID, "published", `,"document_no":"示府发〔2027〕1号","effective_from":"`+later+`"`)
	var old planJSON
	viewer.must(200, &old, "GET", path, "")
	if old.State != "superseded" || old.InForce {
		t.Errorf("the version before: %+v", old)
	}
	e.settle()
	viewer.must(200, &items, "GET", "/ogc/collections/zones/items?plan=series:"+p.Series, "")
	for _, f := range items.Features {
		if f.Properties.Plan != next.ID {
			t.Errorf("in force is %s, want %s", f.Properties.Plan, next.ID)
		}
	}
	if len(items.Features) != 3 {
		t.Errorf("%d zones of the series in force", len(items.Features))
	}
	viewer.must(200, &items, "GET", "/ogc/collections/zones/items?plan="+p.ID, "")
	if len(items.Features) != 3 {
		t.Errorf("%d zones of the superseded version", len(items.Features))
	}

	// 废止.
	approver.to(200, next.ID, "withdrawn", "")
	e.settle()
	viewer.must(200, &items, "GET", "/ogc/collections/zones/items?limit=100", "")
	if len(items.Features) != 0 {
		t.Errorf("%d zones in force after the repeal", len(items.Features))
	}
	var log struct{ Events []struct{ To string } }
	viewer.must(200, &log, "GET", path+"/events", "")
	var states []string
	for _, ev := range log.Events {
		states = append(states, ev.To)
	}
	if want := "draft consultation draft submitted in_review returned submitted in_review approved published superseded"; strings.Join(states, " ") != want {
		t.Errorf("events %v, want %s", states, want)
	}
}

// TestNobodyPassesHisOwnPlan: a person with both roles is still one person.
func TestNobodyPassesHisOwnPlan(t *testing.T) {
	e := start(t)
	e.county()
	info, link, err := e.auth.AddUser(t.Context(), cli(), auth.NewAccount{Username: "yi.ren", Name: "一人", Unit: ownArea}, auth.NewGrant{Role: auth.Planner, Area: ownArea, Reason: "测试授权"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.auth.GrantRole(t.Context(), cli(), auth.NewGrant{Account: info.ID, Role: auth.Approver, Area: ownArea, Reason: "测试授权"}); err != nil {
		t.Fatal(err)
	}
	both := desk{e, "一人", e.activate(link)}
	p := both.newPlan("")
	var ids []string
	for _, z := range both.zones(p.ID).Features {
		ids = append(ids, `"`+z.ID+`"`)
	}
	both.did(p.ID, `[{"op":"relevel","zones":[`+strings.Join(ids, ",")+`],"level":1}]`)
	both.to(200, p.ID, "submitted", "")
	both.refusedStep(403, "four_eyes", p.ID, "in_review")
	other := e.desk("shen.pi", "审批人", auth.Approver, ownArea)
	other.to(200, p.ID, "in_review", "")
	both.refused(403, "four_eyes", "POST", "/api/plans/"+p.ID+"/reviews", `{"accept_rest":true}`)
	other.must(200, nil, "POST", "/api/plans/"+p.ID+"/reviews", `{"accept_rest":true}`)
	both.refusedStep(403, "four_eyes", p.ID, "approved")
	other.to(200, p.ID, "approved", "")
	both.refusedStep(403, "four_eyes", p.ID, "published")
	other.to(200, p.ID, "published", `,"document_no":"示府发〔2026〕2号","effective_from":"2026-01-01"`)
}
