package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestWhatAStrangerTried: requests that were once answered with silence, or with 500.
func TestWhatAStrangerTried(t *testing.T) {
	e := start(t)
	e.county()
	planner, _, _ := e.table()
	p := planner.newPlan("")
	path := "/api/plans/" + p.ID
	again := planner.refused(409, "series_exists", "POST", "/api/plans", `{"hazard":"flood","kind":"risk","title":"又一个","area":"`+ownArea+`","exhaustive":false}`)
	if !strings.Contains(string(again.body), p.Series) || !strings.Contains(string(again.body), p.ID) {
		t.Errorf("it does not say which: %.500s", again.body)
	}
	planner.refused(422, "invalid", "POST", "/api/plans", `{"hazard":"hail","kind":"risk","title":"等级","area":"`+ownArea+`","ladder":"warning_4"}`)

	var seen struct {
		ETag     int64
		Computed *bool
	}
	planner.must(200, &seen, "GET", path, "")
	if seen.Computed == nil || *seen.Computed {
		t.Errorf("computed: %v", seen.Computed)
	}
	match := []string{"If-Match", fmt.Sprintf("%q", fmt.Sprint(seen.ETag))}
	planner.refused(422, "invalid", "PATCH", path, `{"title":null}`, match...)
	planner.refused(422, "invalid", "PATCH", path, `{"title":"一\n二"}`, match...)
	planner.refused(400, "invalid_body", "PATCH", path, `{"title":"名字\ud800"}`, match...)
	before := seen.ETag
	planner.must(200, &seen, "PATCH", path, `{}`, match...)
	if seen.ETag != before {
		t.Errorf("nothing was changed: version %d, was %d", seen.ETag, before)
	}

	zone := planner.zones(p.ID).Features[0].ID
	planner.did(p.ID, `[{"op":"relevel","zones":["`+zone+`"],"level":2}]`)
	for _, ops := range []string{
		`[{"op":"relevel","zones":["` + zone + `"],"level":0}]`,
		`[{"op":"add","geometry":{"type":"Polygon","coordinates":[[[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]]]},"mode":"carve","level":null}]`,
	} {
		if r := planner.step(p.ID, ops); r.StatusCode != 422 {
			t.Errorf("%.80s: %d %.300s", ops, r.StatusCode, r.body)
		}
	}
	planner.did(p.ID, `[{"op":"relevel","zones":["`+zone+`"],"level":null}]`)
	for _, z := range planner.zones(p.ID).Features {
		if z.ID == zone && z.Properties.Level != 0 {
			t.Errorf("still of level %d", z.Properties.Level)
		}
	}

	// A ring around everything: what it would swallow is said, and goes on the word.
	r := planner.step(p.ID, `[{"op":"add","geometry":{"type":"Polygon","coordinates":[[[118.99,33.99],[119.61,33.99],[119.61,34.41],[118.99,34.41],[118.99,33.99]]]},"mode":"carve"}]`)
	_, list, _ := findings(t, r)
	if r.StatusCode != 422 || firstCode(list) != "swallows_zones" || len(list[0].Proposals) != 1 {
		t.Fatalf("swallows: %d %.600s", r.StatusCode, r.body)
	}
	ops, _ := json.Marshal(list[0].Proposals[0].Ops)
	if done := planner.did(p.ID, string(ops)); len(done.Removed) == 0 {
		t.Error("nothing went")
	}
}
