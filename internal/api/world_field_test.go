package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// What the field sends and is sent, one of each in both counties.
const (
	ownReport, otherReport       = "01a1ffb1-d369-7ca3-86f4-0000000000a1", "01a1ffb1-d369-7ca3-86f4-0000000000a2"
	ownTask, otherTask           = "01a1ffb1-d369-7ca3-86f4-0000000000b1", "01a1ffb1-d369-7ca3-86f4-0000000000b2"
	ownNotice, otherNotice       = "01a1ffb1-d369-7ca3-86f4-0000000000c1", "01a1ffb1-d369-7ca3-86f4-0000000000c2"
	ownGrid, otherGrid, noGrid   = "990100101001001", "990200101001001", "990999101001001"
	ownEmpty, otherEmpty         = "990100101001009", "990200101001009" // grids nobody lives in
	ownWay, otherWay             = "01a1ffb1-d369-7ca3-86f4-0000000000e1", "01a1ffb1-d369-7ca3-86f4-0000000000e2"
	ownHousehold, otherHousehold = "01a1ffb1-d369-7ca3-86f4-0000000000d1", "01a1ffb1-d369-7ca3-86f4-0000000000d2"
)

// desks says, from the table of rights, whether somebody has a duty desk over a county.
func (a who) desks(county string) bool {
	return a.may(auth.WorkDesk) && (a.area == "" || a.area == county)
}

// does says whether a task sent to a grid of a county is his to do.
func (a who) does(county string) bool {
	return a.signedIn() && a.person() && a.role == auth.GridWorker && a.area == county
}

// fieldWork puts reports, tasks, notices, ways out and households into both counties.
func (w *world) fieldWork() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for i, c := range []struct{ area, grid, report, task, notice, household, way, tag string }{
		{ownArea, ownGrid, ownReport, ownTask, ownNotice, ownHousehold, ownWay, "1x"}, {otherArea, otherGrid, otherReport, otherTask, otherNotice, otherHousehold, otherWay, "2x"},
	} {
		x := 119.25 + float64(i)
		w.exec(`insert into incident_reports (id, kind, urgency, description, geom, scope, home, captured_at, name)
			values ($1, 'landslide', 'urgent', $2, st_setsrid(st_makepoint($3, 34.15), 4490), code_scope($4), code_scope($4), now(), '网格员')`, c.report, "QZREPORT"+c.tag, x, c.grid)
		w.exec(`insert into tasks (id, title, kind, grid, scope, name) values ($1, $2, 'visit', $3, code_scope($3), '值班员')`, c.task, "QZTASK"+c.tag, c.grid)
		w.exec(`insert into notices (id, kind, title, body, level, areas, scopes, name) values ($1, 'warning', $2, '暴雨', 2, array[$3], int8multirange(code_scope($3)), '值班员')`, c.notice, "QZNOTICE"+c.tag, c.area)
		w.exec(`insert into evacuation_routes (id, title, area, shelter_name, approved_by, approved_at, geom)
			values ($4, $1, $2, '学校', '县指挥部', '2026-01-01', st_setsrid(st_makeline(st_makepoint($3, 34.15), st_makepoint($3 + 0.01, 34.16)), 4490))`, "QZROUTE"+c.tag, c.grid, x, c.way)
		w.exec(`insert into restricted.household (id, admin_code, scope, head, phone, address, must_move, move) values ($1, $2, code_scope($2), $3, '13700000000', '村口', true, '一有预警就走')`, c.household, c.grid, "QZHOUSEHOLD"+c.tag)
		county := c.area
		w.add("QZREPORT"+c.tag, "a report of "+county, func(a who) bool { return a.desks(county) })
		audited := func(a who) bool { return a.may(auth.ReadAudit) && (a.area == "" || a.area == county) }
		w.add("QZTASK"+c.tag, "a task of "+county, func(a who) bool { return a.desks(county) || a.does(county) || audited(a) })
		w.add("QZNOTICE"+c.tag, "a notice of "+county, func(a who) bool { return a.person() && a.sees(db.Internal, county) || audited(a) })
		w.add("QZROUTE"+c.tag, "a way out of "+county, func(a who) bool { return a.sees(db.Internal, county) })
		w.add("QZHOUSEHOLD"+c.tag, "a household of "+county, func(a who) bool { return a.does(county) })
	}
}

// fieldLines are the rows of the matrix for the grid worker's day and the duty desk.
func (w *world) fieldLines() map[string]line {
	area := func(path string) [3]call { return paths(path+ownArea, path+otherArea, path+noArea) }
	with := func(c [3]call, body string) [3]call {
		for i := range c {
			c[i].body = body
		}
		return c
	}
	bodies := func(path string, body func(area, grid string) string) [3]call {
		return [3]call{{path, body(ownArea, ownGrid)}, {path, body(otherArea, otherGrid)}, {path, body(noArea, noGrid)}}
	}
	// inside is for what a desk does in its own area only.
	inside := func(does, refused int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own || a.area == "" {
				return []int{does}
			}
			return []int{refused}
		}
	}
	tasks := func(code int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own && (a.desks(ownArea) || a.does(ownArea)) || t == other && a.desks(otherArea) {
				return []int{code}
			}
			return []int{404}
		}
	}
	const r, t, n = "/api/incident-reports/", "/api/tasks/", "/api/notices/"
	return map[string]line{
		"field_home": {calls: always("/api/field/home")},
		"households_open": {calls: with(always("/api/households/open"), `{"reason":"矩阵测试理由"}`), want: func(a who, _ target) []int {
			if a.role == auth.GridWorker {
				return []int{200}
			}
			return []int{403}
		}},
		"households_put": {want: inside(200, 403), alike: true, calls: with(paths("/api/households/"+ownEmpty, "/api/households/"+otherEmpty, "/api/households/"+noGrid), `{"reason":"矩阵测试理由","households":[]}`)},
		"evacuation_route_propose": {calls: bodies("/api/evacuation-routes", func(_, grid string) string {
			return `{"title":"矩阵","area":"` + grid + `","shelter_name":"学校","geometry":{"type":"LineString","coordinates":[[119.2,34.1],[119.3,34.2]]}}`
		}), want: inside(201, 403), alike: true},
		"evacuation_route_transition": {calls: with(paths("/api/evacuation-routes/"+ownWay+"/transitions", "/api/evacuation-routes/"+otherWay+"/transitions", "/api/evacuation-routes/"+noID+"/transitions"), `{"to":"approved"}`),
			want: reaching(428), alike: true},
		"evacuation_routes": {calls: area("/api/evacuation-routes?area=")},
		"patrols_summary":   {calls: area("/api/patrols/summary?area="), want: inside(200, 403), alike: true},

		"reports":           {calls: area("/api/incident-reports?area=")},
		"report":            {calls: paths(r+ownReport, r+otherReport, r+noID), want: reaching(200), alike: true},
		"report_transition": {calls: with(paths(r+ownReport+"/transitions", r+otherReport+"/transitions", r+noID+"/transitions"), `{"to":"taken"}`), want: reaching(200, 409), alike: true},

		"tasks": {calls: area("/api/tasks?area=")},
		"task_send": {calls: bodies("/api/tasks", func(_, grid string) string { return `{"title":"矩阵","kind":"visit","grid":"` + grid + `"}` }),
			want: inside(201, 422), alike: true},
		"task_assignees": {calls: area("/api/tasks/assignees?area=")},
		"task":           {calls: paths(t+ownTask, t+otherTask, t+noID), want: tasks(200), alike: true},
		"task_update":    {calls: with(paths(t+ownTask, t+otherTask, t+noID), `{"title":"x"}`), want: tasks(428), alike: true},
		"task_transition": {calls: with(paths(t+ownTask+"/transitions", t+otherTask+"/transitions", t+noID+"/transitions"), `{"to":"accepted"}`),
			want: tasks(428), alike: true},

		"notices": {calls: paths("/api/notices", "/api/notices?active=true", "/api/notices?state=withdrawn")},
		"notice_issue": {calls: bodies("/api/notices", func(area, _ string) string {
			return `{"kind":"notice","title":"矩阵","body":"测试","areas":["` + area + `"]}`
		}), want: inside(201, 403), alike: true},
		"notice": {calls: paths(n+ownNotice, n+otherNotice, n+noID), want: func(a who, t target) []int {
			if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
				return []int{200}
			}
			return []int{404}
		}, alike: true},
		"notice_transition": {calls: with(paths(n+ownNotice+"/transitions", n+otherNotice+"/transitions", n+noID+"/transitions"), `{"to":"withdrawn","note":"矩阵测试"}`),
			want: reaching(428), alike: true},
	}
}
