package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// Incidents, with a report, a line of the timeline, a sketch and a caller, one of each in
// both counties; and a report of the field that none has made an incident of.
const (
	ownIncident, otherIncident = "01a1ffb1-d369-7ca3-86f4-0000000001a1", "01a1ffb1-d369-7ca3-86f4-0000000001a2"
	ownTwin, otherTwin         = "01a1ffb1-d369-7ca3-86f4-0000000001a3", "01a1ffb1-d369-7ca3-86f4-0000000001a4"
	ownSketch, otherSketch     = "01a1ffb1-d369-7ca3-86f4-0000000001b1", "01a1ffb1-d369-7ca3-86f4-0000000001b2"
	ownEntry, otherEntry       = "01a1ffb1-d369-7ca3-86f4-0000000001c1", "01a1ffb1-d369-7ca3-86f4-0000000001c2"
	ownFresh, otherFresh       = "01a1ffb1-d369-7ca3-86f4-0000000001d1", "01a1ffb1-d369-7ca3-86f4-0000000001d2"
)

func (w *world) incidents() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for i, c := range []struct{ area, tag, id, twin, sketch, entry, alarm string }{
		{ownArea, "1x", ownIncident, ownTwin, ownSketch, ownEntry, ownFresh}, {otherArea, "2x", otherIncident, otherTwin, otherSketch, otherEntry, otherFresh},
	} {
		x := 119.25 + float64(i)
		for n, id := range []string{c.id, c.twin} {
			w.exec(`insert into incidents (id, code, name, kind, class, state, occurred_at, known_at, place, geom)
				values ($1, $2, $3, 'fire', 'accident', 'received', now(), now(), $3, st_setsrid(st_makepoint($4, 34.15), 4490))`, id, "SJ-"+c.area+"-2026-900"+string(rune('1'+n)), "QZINCIDENT"+c.tag, x)
			w.exec(`insert into incident_intake (incident, body, reporter) values ($1, repeat('0', 64), $2)`, id, "QZCALLER"+c.tag)
		}
		w.exec(`select restricted.put_caller($1, $2)`, c.id, "1390000888"+string(rune('1'+i)))
		w.exec(`insert into incident_entry (id, incident, seq, kind, channel, to_level, content, sent_at, late, sha256) values ($1, $2, 1, 'first', 'phone', 'city', $3, now(), false, repeat('0', 64))`, c.entry, c.id, "QZENTRY"+c.tag)
		w.exec(`insert into incident_event (incident, kind, detail, scope) values ($1, 'note', $2, code_scope($3))`, c.id, "QZEVENT"+c.tag, c.area)
		w.exec(`insert into incident_sketches (id, incident, kind, name, geom) values ($1, $2, 'checkpoint', $3, st_setsrid(st_makepoint($4, 34.15), 4490))`, c.sketch, c.id, "QZSKETCH"+c.tag, x)
		w.exec(`insert into incident_reports (id, kind, urgency, description, scope, home, captured_at, name) values ($1, 'fire', 'urgent', $2, code_scope($3), code_scope($3), now(), '网格员')`, c.alarm, "QZFRESH"+c.tag, c.area)
		county := c.area
		audited := func(a who) bool { return a.may(auth.ReadAudit) && (a.area == "" || a.area == county) }
		for _, m := range []string{"QZINCIDENT", "QZENTRY", "QZEVENT", "QZSKETCH"} {
			w.add(m+c.tag, m+" of "+county, func(a who) bool { return a.sees(db.Internal, county) || audited(a) })
		}
		w.add("QZCALLER"+c.tag, "who called about an incident of "+county, func(a who) bool { return a.sees(db.Sensitive, county) })
		w.add("QZFRESH"+c.tag, "a report of "+county, func(a who) bool { return a.sees(db.Internal, county) || a.desks(county) })
		w.add("1390000888"+string(rune('1'+i)), "a caller's telephone", func(who) bool { return false })
	}
}

// incidentLines are the rows of the matrix for live incidents.
func (w *world) incidentLines() map[string]line {
	at := func(suffix, body string) [3]call {
		return [3]call{{"/api/incidents/" + ownIncident + suffix, body}, {"/api/incidents/" + otherIncident + suffix, body}, {"/api/incidents/" + noID + suffix, body}}
	}
	seen := func(codes ...int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
				return codes
			}
			return []int{404}
		}
	}
	row := func(calls [3]call, codes ...int) line { return line{calls: calls, want: seen(codes...), alike: true} }
	body := func(lon string) string {
		return `{"kind":"fire","description":"矩阵","geometry":{"type":"Point","coordinates":[` + lon + `,34.2]}}`
	}
	shape := `{"kind":"checkpoint","geometry":{"type":"Point","coordinates":[119.25,34.15]}}`
	sketch := func(body string) [3]call {
		return [3]call{{"/api/incidents/" + ownIncident + "/sketches/" + ownSketch, body}, {"/api/incidents/" + otherIncident + "/sketches/" + otherSketch, body}, {"/api/incidents/" + noID + "/sketches/" + noID, body}}
	}
	report := `{"kind":"follow_up","channel":"phone","content":"矩阵续报"}`
	return map[string]line{
		"incidents":              {calls: paths("/api/incidents?area="+ownArea, "/api/incidents?area="+otherArea+"&exercise=all", "/api/incidents?area="+noArea)},
		"incident_duplicates":    {calls: paths("/api/incidents/duplicates?kind=fire&lon=119.25&lat=34.15", "/api/incidents/duplicates?kind=fire&lon=120.25&lat=34.15", "/api/incidents/duplicates?kind=fire&place=QZINCIDENT")},
		"incident":               row(at("", ""), 200),
		"incident_reports":       row(at("/reports", ""), 200),
		"incident_first_text":    row(at("/reports/first.txt", ""), 200),
		"incident_timeline":      row(at("/timeline", ""), 200),
		"incident_tasks":         row(at("/tasks", ""), 200),
		"incident_sketches":      row(at("/sketches", ""), 200),
		"incident_update":        row(at("", `{"title":"x"}`), 428),
		"incident_transition":    row(at("/transitions", `{"to":"verified"}`), 428),
		"incident_level":         row(at("/level", `{"level":4}`), 428),
		"incident_place":         row(at("/place", `{"geometry":null}`), 422),
		"incident_merge":         row(at("/merge", `{"into":"`+noID+`","reason":"矩阵"}`), 422),
		"incident_unmerge":       row(at("/unmerge", `{"reason":"矩阵"}`), 409),
		"incident_clock":         row(at("/clocks/nothing_like_it", `{"done_at":"2026-01-01T00:00:00Z"}`), 404),
		"incident_report":        row(at("/reports", report), 201),
		"incident_note":          row(at("/timeline", `{"text":"矩阵"}`), 201),
		"incident_sketch_add":    row(at("/sketches", shape), 201, 422), // of everywhere: the shape is of the first county
		"incident_sketch_update": row(sketch(`{"note":"x"}`), 428), "incident_sketch_remove": row(sketch(""), 428),
		"incident_report_amend": {calls: [3]call{
			{"/api/incidents/" + ownIncident + "/reports/" + ownEntry, `{}`}, {"/api/incidents/" + otherIncident + "/reports/" + otherEntry, `{}`}, {"/api/incidents/" + noID + "/reports/" + noID, `{}`},
		}, want: seen(409), alike: true},
		"incident_from_report": {calls: [3]call{
			{"/api/incidents/from-report/" + ownFresh, `{}`}, {"/api/incidents/from-report/" + otherFresh, `{}`}, {"/api/incidents/from-report/" + noID, `{}`},
		}, want: reaching(201, 200), alike: true},
		"incident_put": {calls: [3]call{
			{"/api/incidents/019c0000-0000-7000-8000-00000000e0a1", body("119.3")}, {"/api/incidents/019c0000-0000-7000-8000-00000000e0a2", body("120.3")}, {"/api/incidents/019c0000-0000-7000-8000-00000000e0a3", body("121.3")},
		}, want: func(a who, t target) []int {
			if a.kind == auth.Token {
				return map[target][]int{own: {201, 409}, other: {422}, absent: {422}}[t]
			}
			switch {
			case !a.may(auth.WorkDesk):
				return []int{403}
			case t == own, a.area == "":
				return []int{201, 409} // whoever comes second finds the id taken
			}
			return []int{422} // outside the area of the desk
		}},
		"kpi": {calls: paths("/api/kpi?area="+ownArea, "/api/kpi?area="+otherArea, "/api/kpi?area="+noArea)},
	}
}
