package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// finding is an entry of errors[].
type finding struct {
	Path, Code, Message string
	Geometry            json.RawMessage
	Proposals           []struct {
		Title string
		Ops   []json.RawMessage
	}
}

func findings(t testing.TB, r reply) (code string, out []finding, theirs []zoneJSON) {
	t.Helper()
	var d struct {
		Code   string
		Errors []finding
		Theirs []zoneJSON
	}
	if err := json.Unmarshal(r.body, &d); err != nil {
		t.Fatalf("%v in %.300s", err, r.body)
	}
	return d.Code, d.Errors, d.Theirs
}

// TestBadDrawing sends what no plan can become. Each is answered as the contract says, and
// nothing of the plan changes.
func TestBadDrawing(t *testing.T) {
	e := start(t)
	e.county()
	planner, approver, _ := e.table()
	p := planner.newPlan("")
	zones := planner.zones(p.ID).Features
	a := zones[0].ID
	add := func(ring string) string {
		return `[{"op":"add","geometry":{"type":"Polygon","coordinates":[` + ring + `]},"mode":"carve"}]`
	}
	random := func(n int) string {
		r := rand.New(rand.NewPCG(7, uint64(n)))
		var b strings.Builder
		var first string
		b.WriteString("[")
		for i := range n {
			pt := fmt.Sprintf("[%.8f,%.8f]", 119.05+r.Float64()*0.2, 34.05+r.Float64()*0.2)
			if i == 0 {
				first = pt
			}
			b.WriteString(pt + ",")
		}
		return b.String() + first + "]"
	}
	before := planner.must(200, nil, "GET", "/api/plans/"+p.ID+"/zones", "").body
	for _, c := range []struct{ name, ops string }{
		{"a bow-tie", add(`[[119.1,34.1],[119.2,34.2],[119.2,34.1],[119.1,34.2],[119.1,34.1]]`)},
		{"a spike", add(`[[119.1,34.1],[119.2,34.1],[119.15,34.1],[119.15,34.2],[119.1,34.1]]`)},
		{"a line", add(`[[119.1,34.1],[119.2,34.1],[119.1,34.1],[119.1,34.1]]`)},
		{"a point", add(`[[119.1,34.1],[119.1,34.1],[119.1,34.1],[119.1,34.1]]`)},
		{"a hole outside", add(`[[119.1,34.1],[119.2,34.1],[119.2,34.2],[119.1,34.1]],[[119.4,34.1],[119.5,34.1],[119.5,34.2],[119.4,34.1]]`)},
		{"the ring twice", add(`[[119.1,34.1],[119.2,34.1],[119.2,34.2],[119.1,34.1]],[[119.1,34.1],[119.2,34.1],[119.2,34.2],[119.1,34.1]]`)},
		{"100 random points", add(random(100))}, {"1000 random points", add(random(1000))}, {"3000 random points", add(random(3000))},
		{"outside the area", add(`[[121.1,34.1],[121.2,34.1],[121.2,34.2],[121.1,34.1]]`)},
		{"not on Earth", add(`[[1191,34.1],[1192,34.1],[1192,34.2],[1191,34.1]]`)},
		{"a split that misses", fmt.Sprintf(`[{"op":"split","zone":%q,"line":[[110,30],[110,31]]}]`, a)},
		{"a zone that is not there", `[{"op":"split","zone":"` + noID + `","line":[[119.1,33.9],[119.1,34.5]]}]`},
		{"a corner of the area is moved", `[{"op":"move_vertex","from":[119,34],"to":[119.01,34.01]}]`},
		{"a gap", fmt.Sprintf(`[{"op":"delete","zone":%q}]`, a)},
		{"a level that is not there", fmt.Sprintf(`[{"op":"relevel","zones":[%q],"level":77}]`, a)},
		{"numbers that are none", `[{"op":"move_vertex","from":["a",34],"to":[119.01,34.01]}]`},
		{"merged with itself", fmt.Sprintf(`[{"op":"merge","zones":[%q,%q]}]`, a, a)},
		{"an edit that was never", `[{"op":"restore","edit":"` + noID + `"}]`},
		{"the second step is wrong", fmt.Sprintf(`[{"op":"split","zone":%q,"line":[[119.1,33.9],[119.1,34.5]]},{"op":"delete","zone":%q}]`, a, noID)},
	} {
		began := time.Now()
		r := planner.step(p.ID, c.ops)
		code, list, _ := findings(t, r)
		if r.StatusCode != 422 && r.StatusCode != 409 && r.StatusCode != 404 || code == "" {
			t.Errorf("%s: %d %.400s", c.name, r.StatusCode, r.body)
		}
		if r.StatusCode == 422 && len(list) == 0 {
			t.Errorf("%s: nothing says what is wrong", c.name)
		}
		for _, f := range list {
			if f.Code == "" || f.Message == "" || f.Path == "" {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		t.Logf("%-30s %d %-10s %3d findings, first %q, %v", c.name, r.StatusCode, code, len(list), firstCode(list), time.Since(began).Round(time.Millisecond))
	}
	// All but the position, which comes last.
	cut := func(b []byte) string { return string(b[:bytes.LastIndex(b, []byte(`,"position"`))]) }
	if after := planner.must(200, nil, "GET", "/api/plans/"+p.ID+"/zones", "").body; cut(after) != cut(before) {
		t.Error("the plan is another one")
	}

	// A gap that cannot be drawn in a plan without gaps has its faults drawn.
	_, list, _ := findings(t, planner.step(p.ID, add(`[[119.1,34.1],[119.2,34.2],[119.2,34.1],[119.1,34.2],[119.1,34.1]]`)))
	if len(list) == 0 || list[0].Code != "self_intersection" || len(list[0].Geometry) == 0 {
		t.Errorf("a bow-tie is not drawn: %+v", list)
	}

	// A body that is too large is refused by what it announces, whoever sends it, and the
	// server lives.
	million := `{"edit_id":"` + newID() + `","ops":[{"op":"split","zone":"` + a + `","line":[` + strings.TrimSuffix(strings.Repeat("[119.1,34.1],", 1_000_000), ",") + `]}]}`
	planner.e.wantProblem(planner.ask("POST", "/api/plans/"+p.ID+"/edits", million), 413, "too_large")

	// A stale base: both sides are told.
	stale := map[string]int64{}
	for _, z := range zones {
		stale[z.ID] = z.Properties.Version
	}
	planner.did(p.ID, fmt.Sprintf(`[{"op":"relevel","zones":[%q],"level":2}]`, a))
	b, _ := json.Marshal(stale)
	r := planner.ask("POST", "/api/plans/"+p.ID+"/edits", fmt.Sprintf(`{"edit_id":%q,"ops":[{"op":"relevel","zones":[%q],"level":3}],"base":%s}`, newID(), a, b))
	code, _, theirs := findings(t, r)
	if r.StatusCode != 409 || code != "stale" || len(theirs) != 1 || theirs[0].ID != a || theirs[0].Properties.Level != 2 || len(theirs[0].Geometry) == 0 {
		t.Errorf("a stale edit: %d %.600s", r.StatusCode, r.body)
	}

	// The same edit twice is done once.
	id := newID()
	body := fmt.Sprintf(`{"edit_id":%q,"ops":[{"op":"split","zone":%q,"line":[[119.15,33.9],[119.15,34.5]]}],"base":{%q:%d}}`, id, a, a, theirs[0].Properties.Version)
	var one, two struct {
		Seq      int64
		Repeated bool
		Zones    []zoneJSON
	}
	planner.must(200, &one, "POST", "/api/plans/"+p.ID+"/edits", body)
	planner.must(200, &two, "POST", "/api/plans/"+p.ID+"/edits", body)
	if one.Repeated || !two.Repeated || one.Seq != two.Seq || len(two.Zones) != len(one.Zones) {
		t.Errorf("repeated: %+v, then %+v", one, two)
	}

	// Where the plan is exhaustive, borders move through edits only.
	z, _ := zoneVersion(planner, p.ID, a)
	planner.refused(409, "use_edits", "PATCH", "/api/plans/"+p.ID+"/zones/"+a, `{"geometry":{"type":"Polygon","coordinates":[[[119.1,34.1],[119.2,34.1],[119.2,34.2],[119.1,34.1]]]}}`, "If-Match", z)
	planner.refused(412, "stale", "PATCH", "/api/plans/"+p.ID+"/zones/"+a, `{"name":"x"}`, "If-Match", `"999"`)

	// Computing: a contradictory comparison, an indicator that is not there.
	spec := func(weights, indicators string) string {
		return `{"unit":"township","indicators":` + indicators + `,"weights":` + weights + `,"combine":"sum","classify":{"method":"jenks"}}`
	}
	three := `[{"source":"admin","measure":"count"},{"source":"hazards","measure":"count"},{"source":"shelters","measure":"count"}]`
	for name, c := range map[string]string{
		"contradictory comparisons": spec(`{"method":"ahp","ahp":{"matrix":[[1,9,0.111111],[0.111111,1,9],[9,0.111111,1]]}}`, three),
		"not reciprocal":            spec(`{"method":"ahp","ahp":{"matrix":[[1,2,3],[2,1,3],[3,3,1]]}}`, three),
		"no such layer":             spec(`{"method":"entropy"}`, `[{"source":"nowhere","measure":"count"}]`),
		"no indicator":              spec(`{"method":"entropy"}`, `[]`),
	} {
		if r := planner.ask("POST", "/api/plans/"+p.ID+"/compute", c); r.StatusCode != 422 {
			t.Errorf("%s: %d %.400s", name, r.StatusCode, r.body)
		}
	}
	var ahp struct {
		CR         float64
		Consistent bool
		Worst      *struct{ I, J int }
	}
	planner.must(200, &ahp, "POST", "/api/calc/ahp", `{"matrix":[[1,9,0.1111111111111111],[0.1111111111111111,1,9],[9,0.1111111111111111,1]]}`)
	if ahp.Consistent || ahp.CR < 0.1 || ahp.Worst == nil {
		t.Errorf("contradictory comparisons: %+v", ahp)
	}
	for path, body := range map[string]string{
		"entropy": `{"matrix":[[1,2],[3]]}`, "jenks": `{"values":[1,1,1],"k":3}`, "topsis": `{"matrix":[[1,2],[3,4]],"weights":[-1,1]}`, "ahp": `{"matrix":[[1,2],[3,1]]}`,
	} {
		planner.refused(422, "invalid", "POST", "/api/calc/"+path, body)
	}

	// A gap that came into the plan behind everybody's back is found before it is submitted,
	// and drawn.
	var all []string
	for _, z := range planner.zones(p.ID).Features {
		all = append(all, `"`+z.ID+`"`)
	}
	planner.did(p.ID, `[{"op":"relevel","zones":[`+strings.Join(all, ",")+`],"level":2}]`)
	e.admin()(`delete from zones where plan = '` + p.ID + `' and zone = '` + zones[1].ID + `'`)
	var now planJSON
	planner.must(200, &now, "GET", "/api/plans/"+p.ID, "")
	_, list, _ = findings(t, planner.refused(422, "invalid", "POST", "/api/plans/"+p.ID+"/transitions", `{"to":"submitted","note":"有缝隙"}`, "If-Match", fmt.Sprintf("%q", fmt.Sprint(now.ETag))))
	if firstCode(list) != "gap" || len(list[0].Geometry) == 0 {
		t.Errorf("a plan with a gap: %+v", list)
	}
	for i, pr := range list[0].Proposals {
		if pr.Title == "" || len(pr.Ops) == 0 {
			t.Errorf("proposal %d: %+v", i, pr)
		}
	}
	if len(list[0].Proposals) > 0 { // sent as it is, the repair mends the plan
		ops, _ := json.Marshal(list[0].Proposals[0].Ops)
		planner.did(p.ID, string(ops))
		planner.to(200, p.ID, "submitted", "")
	} else {
		t.Error("nothing is proposed for the gap")
	}

	approver.refused(403, "forbidden", "POST", "/api/plans/"+p.ID+"/edits", `{"edit_id":"`+newID()+`","ops":[]}`)
	planner.must(200, nil, "GET", "/healthz", "")
	if n := strings.Count(e.logs.String(), "level=ERROR"); n > 0 {
		t.Errorf("the server logged %d errors:\n%s", n, e.logs.String())
	}
}

func firstCode(list []finding) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Code
}

func zoneVersion(d desk, plan, zone string) (etag string, z zoneJSON) {
	d.e.t.Helper()
	r := d.must(200, &z, "GET", "/api/plans/"+plan+"/zones/"+zone, "")
	return r.Header.Get("ETag"), z
}

// TestNoSliverIsPublished: a splinter of 10 cm may be drawn on the way; the plan does not
// leave the table with it, is told where it lies, and what is proposed mends it.
func TestNoSliverIsPublished(t *testing.T) {
	e := start(t)
	e.county()
	planner, approver, _ := e.table()
	p := planner.newPlan("")
	planner.did(p.ID, `[{"op":"add","geometry":{"type":"Polygon","coordinates":[[[119.15,34.2],[119.150001,34.2],[119.150001,34.201],[119.15,34.201],[119.15,34.2]]]},"mode":"carve","level":1,"name":"碎片"}]`)
	var ids []string
	for _, z := range planner.zones(p.ID).Features {
		ids = append(ids, `"`+z.ID+`"`)
	}
	planner.did(p.ID, fmt.Sprintf(`[{"op":"relevel","zones":[%s],"level":2,"reason":"试评"}]`, strings.Join(ids, ",")))
	var v struct {
		OK         bool
		Violations []finding
	}
	planner.must(200, &v, "POST", "/api/plans/"+p.ID+"/validate", "")
	if v.OK || len(v.Violations) != 1 || v.Violations[0].Code != "sliver" || len(v.Violations[0].Proposals) == 0 {
		t.Fatalf("validate: %+v", v)
	}
	planner.must(200, &p, "GET", "/api/plans/"+p.ID, "")
	r := planner.ask("POST", "/api/plans/"+p.ID+"/transitions", `{"to":"submitted"}`, "If-Match", fmt.Sprintf("%q", fmt.Sprint(p.ETag)))
	_, list, _ := findings(t, r)
	if r.StatusCode != 422 || len(list) != 1 || list[0].Code != "sliver" || len(list[0].Proposals) == 0 {
		t.Fatalf("submitted with a sliver: %d %.600s", r.StatusCode, r.body)
	}
	ops, _ := json.Marshal(list[0].Proposals[0].Ops)
	planner.did(p.ID, string(ops))
	planner.must(200, &v, "POST", "/api/plans/"+p.ID+"/validate", "")
	if !v.OK || len(planner.zones(p.ID).Features) != len(ids)-1 {
		t.Errorf("mended: %+v", v)
	}
	planner.to(200, p.ID, "submitted", "")
	approver.to(200, p.ID, "in_review", "")
}

// TestForeignGround: nobody draws in another county.
func TestForeignGround(t *testing.T) {
	w := build(t)
	planner := desk{w.env, "规划员", strings.TrimPrefix(w.named("planner").headers[1], "onemap=")}
	planner.refused(403, "forbidden", "POST", "/api/plans", `{"hazard":"flood","kind":"risk","title":"邻县","area":"`+otherArea+`","exhaustive":false}`)
	planner.refused(404, "not_found", "POST", "/api/plans/"+w.otherPlan+"/edits", `{"edit_id":"`+newID()+`","ops":[{"op":"relevel","zones":["`+w.otherZone+`"],"level":1}]}`)
	planner.refused(404, "not_found", "GET", tileOfTown+"?plan="+w.otherPlan, "")
	loose := planner.must(201, nil, "POST", "/api/plans", `{"hazard":"landslide","kind":"prevention","title":"重点防治区","area":"`+ownArea+`","exhaustive":false}`)
	var p planJSON
	if err := json.Unmarshal(loose.body, &p); err != nil {
		t.Fatal(err)
	}
	// Gaps may be there; the other county's ground is no part of it all the same.
	r := planner.step(p.ID, `[{"op":"add","geometry":{"type":"Polygon","coordinates":[[[120.1,34.1],[120.2,34.1],[120.2,34.2],[120.1,34.1]]]},"mode":"clip"}]`)
	if r.StatusCode != 422 && r.StatusCode != 403 {
		t.Errorf("drawing in the other county: %d %.400s", r.StatusCode, r.body)
	}
	zone := `{"name":"甲","geometry":{"type":"Polygon","coordinates":[[[119.1,34.1],[119.2,34.1],[119.2,34.2],[119.1,34.1]]]}}`
	id := newID()
	planner.must(201, nil, "PUT", "/api/plans/"+p.ID+"/zones/"+id, zone)
	planner.must(200, nil, "PUT", "/api/plans/"+p.ID+"/zones/"+id, zone)
}

// TestAnImportOverHTTP: a file is read, looked at, confirmed and becomes a plan.
func TestAnImportOverHTTP(t *testing.T) {
	e := start(t)
	e.county()
	planner, _, viewer := e.table()
	var b strings.Builder
	b.WriteString(`{"type":"FeatureCollection","features":[`)
	for i := range 3 {
		x := 119.0 + float64(i)*0.2
		fmt.Fprintf(&b, `%s{"type":"Feature","properties":{"DJ":"%d","MC":"区%d"},"geometry":{"type":"Polygon","coordinates":[[[%v,34],[%v,34],[%v,34.4],[%v,34.4],[%v,34]]]}}`,
			map[bool]string{true: ",", false: ""}[i > 0], i+1, i+1, round(x), round(x+0.2), round(x+0.2), round(x), round(x))
	}
	b.WriteString("]}")
	file := []byte(b.String())
	send := func(d desk, body io.Reader, kind string, more ...string) reply {
		return d.e.send("POST", "/api/plan-imports?name=risk.geojson"+strings.Join(more, ""), body, append(session(d.cookie), "Sec-Fetch-Site", "same-origin", "Content-Type", kind)...)
	}
	e.wantProblem(send(viewer, bytes.NewReader(file), "application/geo+json"), 403, "forbidden")
	e.wantProblem(send(planner, bytes.NewReader(file), "text/html"), 415, "unsupported_type")
	e.wantProblem(send(planner, bytes.NewReader(nil), "application/geo+json"), 400, "invalid_body")
	if r := send(planner, strings.NewReader("PK\x03\x04 no archive"), "application/zip"); r.StatusCode != 422 {
		t.Errorf("a broken archive: %d %.300s", r.StatusCode, r.body)
	}
	for query, want := range map[string]string{"&layer=risk": "no_layers", "&level_field=XX": "unknown"} {
		if _, list, _ := findings(t, send(planner, bytes.NewReader(file), "application/geo+json", query)); firstCode(list) != want {
			t.Errorf("%s: %+v", query, list)
		}
	}
	r := send(planner, bytes.NewReader(file), "application/geo+json", "&level_field=DJ")
	if r.StatusCode != 201 {
		t.Fatalf("import: %d %.800s", r.StatusCode, r.body)
	}
	var read struct {
		Import     string
		Features   int
		Suggestion struct {
			LevelField *string `json:"level_field"`
		}
		Preview struct{ Features []json.RawMessage }
	}
	if err := json.Unmarshal(r.body, &read); err != nil {
		t.Fatal(err)
	}
	if read.Features != 3 || len(read.Preview.Features) != 3 || read.Suggestion.LevelField == nil || *read.Suggestion.LevelField != "DJ" {
		t.Fatalf("read: %.1200s", r.body)
	}
	accept := func(confirmed bool) string {
		return fmt.Sprintf(`{"title":"已有区划","hazard":"flood","kind":"risk","area":%q,"exhaustive":true,"mapping":{"level_field":"DJ","name_field":"MC","levels":{"1":1,"2":2,"3":3}},"direction_confirmed":%v}`, ownArea, confirmed)
	}
	path := "/api/plan-imports/" + read.Import + "/accept"
	_, list, _ := findings(t, planner.refused(422, "invalid", "POST", path, accept(false)))
	if firstCode(list) != "direction_unconfirmed" {
		t.Errorf("not confirmed: %+v", list)
	}
	other := e.desk("gui.hua.er", "规划员二", auth.Planner, ownArea)
	other.refused(404, "not_found", "POST", path, accept(true))
	var job struct {
		ID, State string
		Result    struct {
			Plan  string
			Zones int
		}
		Error json.RawMessage
	}
	planner.must(202, &job, "POST", path, accept(true))
	planner.refused(409, "already_accepted", "POST", path, accept(true))
	other.refused(404, "not_found", "GET", "/api/jobs/"+job.ID, "")
	waitFor(t, "the import", func() bool {
		planner.must(200, &job, "GET", "/api/jobs/"+job.ID, "")
		return job.State == "done" || job.State == "failed"
	})
	if job.State != "done" || job.Result.Zones != 3 {
		t.Fatalf("job: %+v %s", job, job.Error)
	}
	planner.refused(409, "already_accepted", "POST", path, accept(true))
	// What follows a version says which; while that one is a draft nothing does.
	r = send(planner, bytes.NewReader(file), "application/geo+json")
	if err := json.Unmarshal(r.body, &read); err != nil {
		t.Fatal(err)
	}
	path = "/api/plan-imports/" + read.Import + "/accept"
	planner.refused(409, "series_exists", "POST", path, accept(true))
	planner.refused(409, "open_version", "POST", path, strings.Replace(accept(true), "{", `{"parent":"`+job.Result.Plan+`",`, 1))
	set := planner.zones(job.Result.Plan)
	if len(set.Features) != 3 || set.Features[0].Properties.Level == 0 {
		t.Errorf("zones: %+v", set.Features)
	}
	var v struct {
		OK         bool
		Violations []finding
	}
	planner.must(200, &v, "POST", "/api/plans/"+job.Result.Plan+"/validate", "")
	if !v.OK {
		t.Errorf("the imported plan: %+v", v)
	}
}

func round(x float64) float64 { return math.Round(x*1e8) / 1e8 }
