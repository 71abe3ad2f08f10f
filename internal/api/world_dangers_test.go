package api_test

import (
	"strings"

	"github.com/paulmach/orb"

	"onemap/census/dangers"
	"onemap/internal/auth"
)

// dangerMarks are two dangers and two measures, one of each county.
type dangerMarks struct {
	ownDanger, otherDanger   string
	ownMeasure, otherMeasure string
	ownHazard, otherHazard   string
	ownVersion               int64
}

// dangers puts a report and a measure into each county.
func (w *world) dangers() {
	t := w.t
	own := w.identity(strings.TrimPrefix(w.named("duty_officer").headers[1], "onemap="))
	other := w.identity(strings.TrimPrefix(w.foreign.headers[1], "onemap="))
	for i, c := range []struct {
		by              auth.By
		tag, area, id   string
		x               float64
		danger, measure *string
	}{
		{own, "1", ownArea, "019c0000-0000-7000-8000-00000000d001", 119.25, &w.danger.ownDanger, &w.danger.ownMeasure},
		{other, "2", otherArea, "019c0000-0000-7000-8000-00000000d002", 120.25, &w.danger.otherDanger, &w.danger.otherMeasure},
	} {
		d, _, err := w.opts.Dangers.Create(t.Context(), c.by, dangers.NewDanger{ID: c.id, Kind: "flood", Name: "QZDANGER" + c.tag + "x", Geometry: orb.Point{c.x, 34.15}})
		w.must(err)
		*c.danger = d.ID
		if i == 0 {
			w.danger.ownVersion = d.Version
		}
		m, err := w.opts.Dangers.CreateMeasure(t.Context(), c.by, dangers.Measure{Title: "QZMEASURE" + c.tag + "x", Kind: "system", Area: c.area})
		w.must(err)
		*c.measure = m.ID
	}
	w.danger.ownHazard, w.danger.otherHazard = w.ownItem, w.otherItem
	for tag, county := range map[string]string{"1": ownArea, "2": otherArea} {
		for _, text := range []string{"QZDANGER", "QZMEASURE"} {
			w.add(text+tag+"x", "a danger or measure of "+county, func(a who) bool {
				return a.sees("internal", county) || a.may(auth.ReadAudit) && (a.area == "" || a.area == county)
			})
		}
	}
}

// dangerLines are the rows of the matrix for hidden dangers.
func (w *world) dangerLines() map[string]line {
	at := func(suffix, body string) [3]call {
		return [3]call{{"/api/dangers/" + w.danger.ownDanger + suffix, body}, {"/api/dangers/" + w.danger.otherDanger + suffix, body}, {"/api/dangers/" + noID + suffix, body}}
	}
	measure := func(suffix, body string) [3]call {
		return [3]call{{"/api/measures/" + w.danger.ownMeasure + suffix, body}, {"/api/measures/" + w.danger.otherMeasure + suffix, body}, {"/api/measures/" + noID + suffix, body}}
	}
	seen := func(codes ...int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own && a.sees("internal", ownArea) || t == other && a.sees("internal", otherArea) {
				return codes
			}
			return []int{404}
		}
	}
	row := func(calls [3]call, codes ...int) line { return line{calls: calls, want: seen(codes...), alike: true} }
	body := func(lon string) string {
		return `{"kind":"fire","description":"矩阵","geometry":{"type":"Point","coordinates":[` + lon + `,34.2]}}`
	}
	return map[string]line{
		"dangers":          {calls: paths("/api/dangers?q=QZDANGER1", "/api/dangers?q=QZDANGER2", "/api/dangers?q=nothing-like-it")},
		"danger_summary":   {calls: paths("/api/dangers/summary", "/api/dangers/summary?area="+otherArea, "/api/dangers/summary?area="+noArea)},
		"danger_reminders": {calls: paths("/api/dangers/reminders", "/api/dangers/reminders?days=30", "/api/dangers/reminders?unit=nothing")},
		"danger":           row(at("", ""), 200), "danger_actions": row(at("/actions", ""), 200), "danger_card": row(at("/card.pdf", ""), 200),
		"danger_put": {calls: [3]call{
			{"/api/dangers/019c0000-0000-7000-8000-00000000d0a1", body("119.3")}, {"/api/dangers/019c0000-0000-7000-8000-00000000d0a2", body("120.3")}, {"/api/dangers/019c0000-0000-7000-8000-00000000d0a3", body("121.3")},
		}, want: func(a who, t target) []int {
			switch {
			case t == own:
				return []int{201, 409} // whoever comes second finds the id taken
			case a.area == "":
				return []int{201, 409}
			case t == absent:
				return []int{403, 409} // on the open sea everybody sees what one of everywhere put there
			}
			return []int{403}
		}},
		"danger_update": row(at("", `{"name":"x"}`), 428), "danger_remove": row(at("", ""), 428), "danger_transition": row(at("/transitions", `{"to":"verified"}`), 428),
		"danger_reopen": row(at("/reopen", `{"note":"又来了"}`), 409), "danger_listing": row(at("/listing", `{"listed":true,"note":"督办"}`), 428),
		"danger_extension":          row(at("/extensions", `{"due_at":"2030-01-01T00:00:00Z","reason":"材料未到"}`), 409),
		"danger_extension_decision": row(at("/extensions/"+noID+"/decision", `{"approve":true}`), 404, 403),
		"hazard_card":               {calls: paths("/api/hazards/"+w.ownItem+"/card.pdf", "/api/hazards/"+w.otherItem+"/card.pdf", "/api/hazards/"+noID+"/card.pdf"), want: seen(200), alike: true},

		"measures":       {calls: paths("/api/measures?q=QZMEASURE1", "/api/measures?q=QZMEASURE2", "/api/measures?q=nothing-like-it")},
		"measure":        row(measure("", ""), 200),
		"measure_update": row(measure("", `{"note":"x"}`), 428),
		"measure_create": {calls: [3]call{{"/api/measures", `{"title":"矩阵","kind":"system","area":"` + ownArea + `"}`}, {"/api/measures", `{"title":"矩阵","kind":"system","area":"` + otherArea + `"}`}, {"/api/measures", `{"title":"矩阵","kind":"system","area":"` + noArea + `"}`}}, want: func(a who, t target) []int {
			if t == own || a.area == "" {
				return []int{201}
			}
			return []int{403}
		}, alike: true},
		"measure_link":    row(measure("/dangers/"+w.danger.ownDanger, ""), 204),
		"measure_unlink":  row(measure("/dangers/"+w.danger.ownDanger, ""), 204),
		"ledger_dangers":  {calls: paths("/api/ledgers/dangers.xlsx", "/api/ledgers/dangers.xlsx?area="+otherArea, "/api/ledgers/dangers.xlsx?q=nothing")},
		"ledger_measures": {calls: paths("/api/ledgers/measures.xlsx", "/api/ledgers/measures.xlsx?area="+otherArea, "/api/ledgers/measures.xlsx?q=nothing")},
	}
}
