package demo

import (
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
)

// TestFieldWorkFitsTheCounty: what came from the field is about places and people that
// are there, none of it from the future, and no number can be rung.
func TestFieldWorkFitsTheCounty(t *testing.T) {
	c := shared()
	grids, ids := map[string]orb.Geometry{}, map[string]string{}
	for f := range c.Features() {
		if f.Layer == "grids" {
			grids[f.Fields["code"].(string)] = f.Geometry
		}
		if id, ok := f.Fields["id"].(string); ok {
			ids[id] = f.Layer
		}
	}
	w := c.Field
	for what, n := range map[string][3]int{
		"reports": {len(w.Reports), 6, 12}, "tasks": {len(w.Tasks), 20, 60}, "notices": {len(w.Notices), 3, 3}, "routes": {len(w.Routes), 12, 36},
		"patrols": {len(w.Patrols), len(grids), 4 * len(grids)}, "checks": {len(w.Checks), 20, 400}, "households": {len(w.Households), 60, 400},
	} {
		if n[0] < n[1] || n[0] > n[2] {
			t.Errorf("%d %s, want %d to %d", n[0], what, n[1], n[2])
		}
	}
	seen := map[string]bool{}
	once := func(id string) {
		if seen[id] || len(id) != 36 {
			t.Errorf("id %q twice, or none", id)
		}
		seen[id] = true
	}
	in := func(what, grid string) {
		if grids[grid] == nil {
			t.Errorf("%s in %q, which is no grid", what, grid)
		}
	}
	alarms := 0
	for _, r := range w.Reports {
		once(r.ID)
		in("a report", r.Grid)
		if r.Received.After(c.Options.Now) {
			t.Errorf("a report of tomorrow: %v", r.Received)
		}
		if r.Urgency == "urgent" && r.State == "received" {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("%d reports wait to be taken, want one", alarms)
	}
	for _, k := range w.Tasks {
		once(k.ID)
		in("a task", k.Grid)
		if ids[k.Object] != k.ObjectKind {
			t.Errorf("task %s is about %s, which is of %q", k.Title, k.ObjectKind, ids[k.Object])
		}
	}
	for _, r := range w.Routes {
		once(r.ID)
		in("a way out", r.Area)
		if ids[r.Shelter] != "shelters" || len(r.Line) < 2 {
			t.Errorf("way %s leads to %q by %d points", r.Title, ids[r.Shelter], len(r.Line))
		}
		if d := planar.Distance(r.Line[0], r.Line[len(r.Line)-1]); d > 0.06 {
			t.Errorf("way %s is %.3f degrees long", r.Title, d)
		}
	}
	for _, p := range w.Patrols {
		once(p.ID)
		in("a patrol", p.Grid)
		if p.Made.After(c.Options.Now) {
			t.Errorf("a patrol of tomorrow: %v", p.Made)
		}
	}
	for _, h := range w.Households {
		in("a household", h.Grid)
		if !strings.HasPrefix(h.Phone, "000-") || h.Elderly+h.Children > h.Persons {
			t.Errorf("%+v", h)
		}
	}
}
