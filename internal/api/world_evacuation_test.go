package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// A call-out in both counties, with somebody on its list, a call and an entry.
const (
	ownCallout, otherCallout       = "01a1ffb1-d369-7ca3-86f4-000000000c01", "01a1ffb1-d369-7ca3-86f4-000000000c02"
	ownCallTarget, otherCallTarget = "01a1ffb1-d369-7ca3-86f4-000000000c11", "01a1ffb1-d369-7ca3-86f4-000000000c12"
	newOwnCallout, newOtherCallout = "01a1ffb1-d369-7ca3-86f4-000000000c21", "01a1ffb1-d369-7ca3-86f4-000000000c22"
	newNoCallout                   = "01a1ffb1-d369-7ca3-86f4-000000000c23"
	ownVillage, otherVillage       = "990100101001", "990200101001"
)

func (w *world) evacuation() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for _, c := range []struct{ area, village, callout, target, tag string }{
		{ownArea, ownVillage, ownCallout, ownCallTarget, "1x"}, {otherArea, otherVillage, otherCallout, otherCallTarget, "2x"},
	} {
		w.exec(`insert into callouts (id, kind, title, reason, scope, scopes, name) values ($1, 'call_out', $2, '暴雨红色预警', code_scope($3), int8multirange(code_scope($3)), '值班员')`, c.callout, "QZCALLOUT"+c.tag, c.area)
		w.exec(`insert into callout_villages (callout, code, name, place, to_move, to_move_source) values ($1, $2, $3, 0, 9, 'hazards')`, c.callout, c.village, "QZCALLVILLAGE"+c.tag)
		w.exec(`insert into call_targets (id, callout, village, village_name, role, place, name, root, due_at, scope) values ($1, $2, $3, '某村', 'village_head', 0, $4, $1, now() + interval '1 hour', code_scope($3))`, c.target, c.callout, c.village, "QZCALLTARGET"+c.tag)
		w.exec(`insert into calls (id, target, callout, village, outcome, channel, at, note, scope) values (uuid_v7(), $1, $2, $3, 'no_answer', 'phone', now(), $4, code_scope($3))`, c.target, c.callout, c.village, "QZCALLNOTE"+c.tag)
		w.exec(`insert into evacuation_entries (id, callout, village, moved, at, channel, note, scope) values (uuid_v7(), $1, $2, 3, now(), 'desk', $3, code_scope($2))`, c.callout, c.village, "QZMOVED"+c.tag)
		county := c.area
		w.add("QZCALLOUT"+c.tag, "a call-out of "+county, func(a who) bool {
			// A grid worker's phone is sent the call-outs of where he works.
			return a.desks(county) || a.does(county) || a.may(auth.ReadAudit) && (a.area == "" || a.area == county)
		})
		// A screen on the wall names the villages, and nothing that somebody wrote.
		w.add("QZCALLVILLAGE"+c.tag, "a village of a call-out of "+county, func(a who) bool { return a.desks(county) || a.does(county) || a.screens(county) })
		for _, m := range []string{"QZCALLTARGET", "QZCALLNOTE", "QZMOVED"} {
			w.add(m+c.tag, "a call-out of "+county, func(a who) bool { return a.desks(county) })
		}
	}
}

// screens says whether somebody is a screen on the wall of a county.
func (a who) screens(county string) bool { return a.kind == auth.Wall && a.sees(db.Internal, county) }

// evacuationLines are the rows of the matrix for 叫应 and 转移.
func (w *world) evacuationLines() map[string]line {
	put := func(id, area string) call {
		return call{"/api/callouts/" + id, `{"title":"矩阵","reason":"矩阵测试理由","areas":["` + area + `"],"consulted":{"name":"李带班"}}`}
	}
	ring := func(target string) call {
		return call{"/api/calls", `{"op_id":"01a1ffb1-d369-7ca3-86f4-000000000c31","target":"` + target + `","outcome":"answered"}`}
	}
	entry := func(callout, village string) call {
		return call{"/api/evacuation/" + callout + "/villages/" + village, `{"op_id":"01a1ffb1-d369-7ca3-86f4-000000000c41","moved":1}`}
	}
	with := func(c [3]call, body string) [3]call {
		for i := range c {
			c[i].body = body
		}
		return c
	}
	// Who has no desk there and is no screen is refused by the service.
	boards := func(board bool) func(who, target) []int {
		return func(a who, t target) []int {
			switch {
			case !a.may(auth.WorkDesk) && !a.screens(ownArea):
				return []int{403}
			case board:
				return reaching(200)(a, t)
			}
			return []int{200}
		}
	}
	const c = "/api/callouts/"
	return map[string]line{
		"callouts":        {calls: paths("/api/callouts", "/api/callouts?active=true&exercise=all", "/api/callouts?alert="+noID), want: boards(false)},
		"callout":         {calls: paths(c+ownCallout, c+otherCallout, c+noID), want: reaching(200), alike: true},
		"callout_targets": {calls: paths(c+ownCallout+"/targets", c+otherCallout+"/targets", c+noID+"/targets"), want: reaching(200), alike: true},
		"callout_put": {calls: [3]call{put(newOwnCallout, ownArea), put(newOtherCallout, otherArea), put(newNoCallout, noArea)}, want: func(a who, t target) []int {
			if t == own || t == other && a.area == "" {
				return []int{200, 201, 409}
			}
			return []int{422}
		}, alike: true},
		"callout_end":        {calls: with(paths(c+ownCallout+"/end", c+otherCallout+"/end", c+noID+"/end"), `{"reason":"done"}`), want: reaching(428), alike: true},
		"callout_changes":    {calls: paths(c+ownCallout+"/changes", c+otherCallout+"/changes", c+noID+"/changes"), want: reaching(200), alike: true},
		"callout_change":     {calls: with(paths(c+ownCallout+"/changes", c+otherCallout+"/changes", c+noID+"/changes"), `{"add":["990100101999"],"note":"矩阵测试理由"}`), want: reaching(422), alike: true},
		"call_post":          {calls: [3]call{ring(ownCallTarget), ring(otherCallTarget), ring(noID)}, want: reaching(200, 201, 409), alike: true},
		"evacuation":         {calls: paths("/api/evacuation?callout="+ownCallout, "/api/evacuation?callout="+otherCallout, "/api/evacuation?callout="+noID), want: boards(true), alike: true},
		"evacuation_entries": {calls: paths("/api/evacuation/"+ownCallout+"/entries", "/api/evacuation/"+otherCallout+"/entries", "/api/evacuation/"+noID+"/entries"), want: reaching(200), alike: true},
		"evacuation_entry":   {calls: [3]call{entry(ownCallout, ownVillage), entry(otherCallout, otherVillage), entry(noID, ownVillage)}, want: reaching(200, 409), alike: true},
	}
}
