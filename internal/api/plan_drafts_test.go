package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"onemap/internal/db"
	"onemap/zoning"
)

// TestDraftsStayInside asks for drafts in every way the map can be asked, those who may
// see them first, so that whatever they bring into shared caches must not come out for
// anybody else.
func TestDraftsStayInside(t *testing.T) {
	w := build(t)
	var questions []string
	for _, tile := range []string{"12/3404/1634", "12/3416/1634", "8/212/102", "5/26/12"} {
		for _, q := range []string{"", "?plan=" + w.ownPlan, "?plan=" + w.otherPlan, "?plan=" + noID, "?properties=name,plan", "?plan=" + w.ownPlan + "&properties=name"} {
			questions = append(questions, "/tiles/zones/"+tile+".mvt"+q)
		}
		questions = append(questions, "/tiles/hazards,zones/"+tile+".mvt")
	}
	items := "/ogc/collections/zones/items"
	for _, q := range []string{"?limit=100", "?plan=" + w.ownPlan, "?plan=" + w.otherPlan, "?plan=" + noID, "?bbox=119,34,121,35"} {
		questions = append(questions, items+q)
	}
	questions = append(questions, "/api/identify?lon=119.25&lat=34.15&radius_m=2000&layers=zones", "/api/identify?lon=120.25&lat=34.15&radius_m=2000", "/api/search?limit=100&q=QZZONE", "/api/search?limit=100&q=QZPLAN",
		"/api/plans", "/api/plans?area="+otherArea, "/api/layers", "/ogc/collections/zones", "/tiles/zones.json")
	first := []who{w.named("planner"), w.named("approver"), w.foreign}
	shown := map[string]bool{}
	for _, round := range [][]who{first, w.askers, w.askers} {
		for _, a := range round {
			for _, q := range questions {
				r := w.as(a, "GET", q, "")
				if r.StatusCode >= 500 || r.StatusCode == 400 {
					t.Errorf("%s as %s: %d %.200s", q, a.name, r.StatusCode, r.body)
				}
				for _, leak := range w.leaks(a, r) {
					t.Errorf("%s as %s shows %s", q, a.name, leak)
				}
				if strings.Contains(string(r.body), "QZZONE1x") {
					shown[a.name] = true
				}
				if strings.Contains(q, "plan="+w.ownPlan) && strings.Contains(q, "/items") && (r.StatusCode == 200) != a.seesDrafts(ownArea) {
					t.Errorf("%s as %s: %d", q, a.name, r.StatusCode)
				}
			}
		}
	}
	for _, a := range w.askers {
		if shown[a.name] != a.seesDrafts(ownArea) {
			t.Errorf("%s may see the draft: %v, was shown it: %v", a.name, a.seesDrafts(ownArea), shown[a.name])
		}
		if !a.reads() || a.limited || !a.seesLayer(db.Internal) {
			continue
		}
		var list struct {
			Layers []struct {
				ID    string
				Count int
			}
		}
		if err := json.Unmarshal(w.as(a, "GET", "/api/layers", "").body, &list); err != nil {
			t.Fatal(err)
		}
		for _, l := range list.Layers {
			if l.ID == "zones" && l.Count != 0 {
				t.Errorf("%s counts %d zones, none is published", a.name, l.Count)
			}
		}
	}
	t.Logf("drafts: %d questions x %d askers, twice, those who may first", len(questions), len(w.askers))
}

// TestDraftsAreNoNews: what is drawn is told to no stream.
func TestDraftsAreNoNews(t *testing.T) {
	w := build(t)
	var streams []*stream
	var names []string
	var draws []bool
	for _, a := range append([]who{w.wide}, w.askers...) {
		if !a.seesLayer(db.Internal) || !a.reads() || a.limited {
			continue
		}
		streams = append(streams, w.listen(w.unlimited(), "http://localhost", "hazards,tiles,zones", "", a.headers...))
		names, draws = append(names, a.name), append(draws, a.seesDrafts(ownArea))
	}
	for i, s := range streams {
		waitFor(t, "the stream of "+names[i], func() bool { return s.count("lag") > 0 })
	}
	by := w.identity(strings.TrimPrefix(w.named("planner").headers[1], "onemap="))
	for i := range 3 {
		set, err := w.opts.Zoning.Zones(t.Context(), by.Identity, w.ownPlan, nil)
		w.must(err)
		name := fmt.Sprintf("QZDRAFT%d", i)
		_, err = w.opts.Zoning.PatchZone(t.Context(), by, w.ownPlan, set.Zones[0].Zone, set.Zones[0].Version, zoning.ZonePut{Attributes: zoning.Attributes{Name: &name}})
		w.must(err)
	}
	// What everybody may hear comes after it.
	w.exec(`insert into hazards (code, name, hazard, level, geom) values ('QZAFTER', 'QZAFTER', 'landslide', 1, st_setsrid(st_makepoint(119.26, 34.15), 4490))`)
	for i, s := range streams {
		waitFor(t, "the row after the drafts for "+names[i], func() bool { return strings.Contains(s.text(), "QZAFTER") })
		if strings.Contains(s.text(), "QZDRAFT") {
			t.Errorf("%s is told what is drawn:\n%.600s", names[i], s.text())
		}
		// Whoever may see drafts is told where to draw his tiles anew, and nothing else.
		if !draws[i] && slices.ContainsFunc(s.snapshot(), func(e sse) bool { return e.Name == "zones" || e.Name == "tiles" && strings.Contains(e.Data, `"zones"`) }) {
			t.Errorf("%s hears of drawing:\n%.600s", names[i], s.text())
		}
		s.close()
	}
	t.Logf("%d streams", len(streams))
}
