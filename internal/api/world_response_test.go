package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// Responses, plans, tasks and papers, one of each in both counties.
const (
	ownOrder, otherOrder     = "01a1ffb1-d369-7ca3-86f4-0000000002a1", "01a1ffb1-d369-7ca3-86f4-0000000002a2"
	ownClauses, otherClauses = "01a1ffb1-d369-7ca3-86f4-0000000002b1", "01a1ffb1-d369-7ca3-86f4-0000000002b2"
	ownDuty, otherDuty       = "01a1ffb1-d369-7ca3-86f4-0000000002c1", "01a1ffb1-d369-7ca3-86f4-0000000002c2"
	ownPaper, otherPaper     = "01a1ffb1-d369-7ca3-86f4-0000000002d1", "01a1ffb1-d369-7ca3-86f4-0000000002d2"
)

// writes says who drafts, reviews and signs papers of a county.
func (a who) writes(county string) bool {
	return (a.may(auth.CommandPost) || a.may(auth.SignPapers)) && (a.area == "" || a.area == county)
}

// responses puts a response with a task, a plan with a clause, a paper and somebody at the
// desk into both counties.
func (w *world) responses() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for _, c := range []struct{ area, order, plan, task, paper, tag string }{
		{ownArea, ownOrder, ownClauses, ownDuty, ownPaper, "1x"}, {otherArea, otherOrder, otherClauses, otherDuty, otherPaper, "2x"},
	} {
		w.exec(`insert into contingencies (id, title, kind, hazard, area, unit) values ($1, $2, 'special', 'flood', $3, '县政府')`, c.plan, "QZCONTIN"+c.tag, c.area)
		w.exec(`insert into contingency_clauses (contingency, seq, action, unit, minutes) values ($1, 1, $2, '县水利局', 30)`, c.plan, "QZCLAUSE"+c.tag)
		w.exec(`insert into response (id, title, kind, level, area, state, started_at, signed_by) values ($1, $2, 'flood', 3, $3, 'active', now(), '县长')`, c.order, "QZRESPONSE"+c.tag, c.area)
		w.exec(`insert into response_act (response, act, at, level, signed_by, note) values ($1, 'start', now(), 3, '县长', $2)`, c.order, "QZACT"+c.tag)
		w.exec(`insert into response_tasks (id, response, action, unit, area, minutes, due_at) values ($1, $2, $3, '县水利局', $4, 30, now())`, c.task, c.order, "QZDUTYTASK"+c.tag, c.area)
		w.exec(`insert into papers (id, kind, title, area, response, blocks) values ($1, 'flash', $2, $3, $4, '[{"key":"a","title":"一","text":"正文"}]')`, c.paper, "QZPAPER"+c.tag, c.area, c.order)
		w.exec(`insert into duty_sitting (area, since, account, name) values ($1, now() - interval '1 h', uuid_v7(), $2)`, c.area, "QZSEAT"+c.tag)
		county := c.area
		internal := func(a who) bool { return a.sees(db.Internal, county) }
		audited := func(a who) bool { return a.may(auth.ReadAudit) && (a.area == "" || a.area == county) }
		for _, name := range []string{"QZCONTIN", "QZCLAUSE", "QZRESPONSE", "QZACT", "QZDUTYTASK", "QZSEAT"} {
			w.add(name+c.tag, name+" of "+county, func(a who) bool { return internal(a) || audited(a) })
		}
		w.add("QZPAPER"+c.tag, "a paper of "+county, func(a who) bool { return a.writes(county) || audited(a) })
	}
}

// responseLines are the rows of the matrix for responses, the desk, plans and papers.
func (w *world) responseLines() map[string]line {
	area := func(path string) [3]call { return paths(path+ownArea, path+otherArea, path+noArea) }
	at := func(path, own, other, end, body string) [3]call {
		return [3]call{{path + own + end, body}, {path + other + end, body}, {path + noID + end, body}}
	}
	// seen is for what everybody reads who reads what is internal there.
	seen := func(code int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
				return []int{code}
			}
			return []int{404}
		}
	}
	inside := func(does, refused int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own || a.area == "" {
				return []int{does}
			}
			return []int{refused}
		}
	}
	const r, c, k, p = "/api/responses/", "/api/contingencies/", "/api/response-tasks/", "/api/papers/"
	put := func(path, tail string) [3]call {
		return [3]call{{path + "019c0000-0000-7000-8000-0000000000f1", `{"area":"` + ownArea + `",` + tail}, {path + "019c0000-0000-7000-8000-0000000000f2", `{"area":"` + otherArea + `",` + tail}, {path + "019c0000-0000-7000-8000-0000000000f3", `{"area":"` + noArea + `",` + tail}}
	}
	// The second who puts the same finds it there, and may not change it unseen.
	putting := func(a who, t target) []int {
		if t == own || a.area == "" {
			return []int{201, 200}
		}
		return []int{403}
	}
	bodies := func(path, tail string) [3]call {
		return [3]call{{path, `{"area":"` + ownArea + `"` + tail}, {path, `{"area":"` + otherArea + `"` + tail}, {path, `{"area":"` + noArea + `"` + tail}}
	}
	order := func(id string) string { return `{"response":"` + id + `"}` }
	return map[string]line{
		"responses":         {calls: area("/api/responses?exercise=all&area=")},
		"response":          {calls: at(r, ownOrder, otherOrder, "", ""), want: seen(200), alike: true},
		"response_tasks_of": {calls: at(r, ownOrder, otherOrder, "/tasks", ""), want: seen(200), alike: true},
		"response_put": {calls: put(r, `"title":"矩阵","kind":"flood","level":4}`), want: func(a who, t target) []int {
			if codes := putting(a, t); len(codes) > 1 {
				return append(codes, 409) // somebody else's, although it says the same
			}
			return []int{403}
		}, alike: true},
		"response_transition": {calls: at(r, ownOrder, otherOrder, "/transitions", `{"act":"adjust","level":2,"signed_by":"县长"}`), want: reaching(428), alike: true},

		"duty":        {calls: area("/api/duty?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&area=")},
		"duty_sit":    {calls: bodies("/api/duty/sit", `}`), want: inside(200, 403), alike: true},
		"duty_leave":  {calls: bodies("/api/duty/leave", `}`), want: func(a who, t target) []int { return append(inside(200, 403)(a, t), 409) }},
		"duty_roster": {calls: bodies("/api/duty/roster", `,"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","shifts":[]}`), want: inside(200, 403), alike: true},

		"contingencies":     {calls: area("/api/contingencies?area=")},
		"contingency":       {calls: at(c, ownClauses, otherClauses, "", ""), want: seen(200), alike: true},
		"contingency_put":   {calls: put(c, `"title":"矩阵","kind":"special","unit":"县政府","clauses":[]}`), want: putting, alike: true},
		"contingency_match": {calls: bodies("/api/contingencies/match", `,"hazard":"flood","level":1}`)},

		"response_tasks": {calls: paths("/api/response-tasks?response="+ownOrder, "/api/response-tasks?response="+otherOrder, "/api/response-tasks?response="+noID)},
		"response_tasks_send": {calls: [3]call{{"/api/response-tasks", order(ownOrder)}, {"/api/response-tasks", order(otherOrder)}, {"/api/response-tasks", order(noID)}}, want: func(a who, t target) []int {
			if t == own || t == other && a.area == "" {
				return []int{201, 200}
			}
			return []int{422}
		}, alike: true},
		"response_task_transition": {calls: at(k, ownDuty, otherDuty, "/transitions", `{"to":"acknowledged"}`), want: reaching(200), alike: true},

		"papers":           {calls: area("/api/papers?exercise=all&area=")},
		"paper":            {calls: at(p, ownPaper, otherPaper, "", ""), want: reaching(200), alike: true},
		"paper_pdf":        {calls: at(p, ownPaper, otherPaper, ".pdf", ""), want: reaching(200), alike: true},
		"paper_docx":       {calls: at(p, ownPaper, otherPaper, ".docx", ""), want: reaching(200), alike: true},
		"paper_txt":        {calls: at(p, ownPaper, otherPaper, ".txt", ""), want: reaching(200), alike: true},
		"paper_edit":       {calls: at(p, ownPaper, otherPaper, "", `{"title":"x"}`), want: reaching(428), alike: true},
		"paper_estimates":  {calls: at(p, ownPaper, otherPaper, "/estimates", eastern+`}`), want: reaching(428), alike: true},
		"paper_transition": {calls: at(p, ownPaper, otherPaper, "/transitions", `{"to":"reviewed"}`), want: reaching(428), alike: true},
		"paper_draft":      {calls: bodies("/api/papers", `,"kind":"special"}`), want: inside(201, 403), alike: true},
		"replay":           {calls: area("/api/replay?area="), want: inside(200, 403), alike: true},
		"handover_pdf":     {calls: bodies("/api/reports/handover.pdf", `}`), want: inside(200, 403), alike: true},
		"handover_docx":    {calls: bodies("/api/reports/handover.docx", `}`), want: inside(200, 403), alike: true},
		"handover_txt":     {calls: bodies("/api/reports/handover.txt", `}`), want: inside(200, 403), alike: true},
		"brief_handover":   {calls: area("/api/briefs/handover?area="), want: inside(200, 403), alike: true},
	}
}
