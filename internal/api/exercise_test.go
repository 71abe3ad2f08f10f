package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// What an exercise is played on: each is real, and nothing of it may change.
const (
	drillShelter, drillTeam, drillStore = "019c0000-0000-7000-8000-0000000009a1", "019c0000-0000-7000-8000-0000000009a2", "019c0000-0000-7000-8000-0000000009a3"
	drillArea                           = `{"type":"Polygon","coordinates":[[[119.01,34.01],[119.09,34.01],[119.09,34.09],[119.01,34.09],[119.01,34.01]]]}`
)

// drillHouse is a county where something real goes on: an incident, a response with tasks, a
// warning, a call-out, a booking, a dispatch, stock.
func drillHouse(t *testing.T) *commandPost {
	t.Helper()
	p := newCommandPost(t)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, parent_code, population, geom) select v.code, v.code, v.name, v.rank, '990100', 1000, st_setsrid(st_makeenvelope(v.x, 34.0, v.x + 0.1, 34.1), 4490)
		 from (values ('990100101', '青山镇', 4, 119.0), ('990100101001', '李家村', 5, 119.0), ('990100101002', '东村', 5, 119.1)) v(code, name, rank, x)`,
		`insert into hazards (name, admin_code, level, threatened_persons, geom) values ('滑坡', '990100101001', 1, 12, st_setsrid(st_makepoint(119.05, 34.05), 4490))`,
		`insert into responsibility (id, kind, admin_code, scope, post, person) values ('01900000-0000-7000-8000-000000000001', 'administrative', '990100101001', code_scope('990100101001'), '村主任', '王一'),
		 ('01900000-0000-7000-8000-000000000002', 'administrative', '990100101002', code_scope('990100101002'), '村主任', '王二')`,
		`insert into shelters (id, name, admin_code, state, capacity, occupancy, confirmed_at, geom) values ('` + drillShelter + `', '一中', '990100', 'open', 100, 10, now(), st_setsrid(st_makepoint(119.05, 34.12), 4490))`,
		`insert into teams (id, name, admin_code, state, geom) values ('` + drillTeam + `', '县救援队', '990100', 'standby', st_setsrid(st_makepoint(119.2, 34.1), 4490))`,
		`insert into warehouses (id, name, admin_code, grade, geom) values ('` + drillStore + `', '县储备库', '990100', 'county', st_setsrid(st_makepoint(119.2, 34.1), 4490))`,
		`insert into population (code, population, method, year, geom) values ('1', 400, '常住', 2025, st_makeenvelope(119.0, 34.0, 119.1, 34.1, 4490))`,
	} {
		p.exec(sql)
	}
	p.must(201, p.officer, "PUT", "/api/contingencies/019c0000-0000-7000-8000-000000000901", `{"title":"县防汛预案","kind":"special","hazard":"flood","area":"990100","unit":"县政府","clauses":[
		{"level":4,"action":"加强值守","unit":"县水利局","minutes":30,"text":""},{"level":4,"action":"转移群众","unit":"青山镇值班室","minutes":60,"text":""},{"level":1,"action":"请求增援","unit":"县政府","minutes":60,"text":""}]}`, "")
	p.must(201, p.officer, "POST", "/api/stock/moves", `{"op_id":"019c0000-0000-7000-8000-000000000902","warehouse":"`+drillStore+`","item":"帐篷","unit":"顶","qty":50,"reason":"入库"}`, "")
	p.play(false)
	p.settle()
	return p
}

// played are the ids of what one round of a night made.
type played struct{ incident, response, callout, team, goods, paper, alert string }

// play goes through a night's steps, as an exercise or in earnest. In earnest fewer of them,
// so that the team and the goods are still there to be played with.
func (p *commandPost) play(drill bool) played {
	p.t.Helper()
	made := played{incident: newID(), response: newID(), callout: newID(), team: newID(), goods: newID()}
	word, cap := "", warning("Alert", "99010041600000_20260705143000_0", "", "34.01,119.01 34.01,119.09 34.09,119.09 34.09,119.01 34.01,119.01")
	if drill {
		word, cap = `,"exercise":true`, strings.NewReplacer("<status>Actual", "<status>Exercise", "_20260705143000_0", "_20260705143000_7").Replace(cap)
	}
	_, warned := p.warn("/api/alerts", cap, p.officer...)
	made.alert = warned.ID
	i := p.must(201, p.officer, "PUT", "/api/incidents/"+made.incident, `{"title":"李家村滑坡","kind":"landslide","place":"李家村","persons_reported":6,"figures":{"deaths":1,"missing":2}`+word+`,"geometry":{"type":"Point","coordinates":[119.05,34.05]}}`, "")
	i = p.must(200, p.officer, "POST", "/api/incidents/"+made.incident+"/level", `{"level":3,"reason":"核实"}`, etag(i))
	p.must(200, p.officer, "POST", "/api/incidents/"+made.incident+"/transitions", `{"to":"verified","note":""}`, etag(i))
	p.must(201, p.officer, "POST", "/api/incidents/"+made.incident+"/reports", `{"kind":"first","channel":"phone","content":"李家村滑坡，两人失联","to_level":"city"}`, "")
	p.must(201, p.officer, "POST", "/api/incidents/"+made.incident+"/sketches", `{"kind":"affected_area","geometry":`+drillArea+`,"note":"范围"}`, "")
	r := p.must(201, p.officer, "PUT", "/api/responses/"+made.response, `{"title":"防汛应急响应","kind":"flood","level":4,"area":"990100","incident":"`+made.incident+`","condition":"红色预警","lead":"县防指"}`, "")
	r = p.must(200, p.officer, "POST", "/api/responses/"+made.response+"/transitions", `{"act":"start","signed_by":"张县长"}`, etag(r))
	p.must(201, p.officer, "PUT", "/api/callouts/"+made.callout, `{"kind":"evacuate_now","title":"李家村立即转移","reason":"红色预警","alert":"`+made.alert+`","consulted":{"name":"张带班","post":"副局长"}}`, "")
	p.must(200, p.officer, "POST", "/api/evacuation/"+made.callout+"/villages/990100101001", `{"op_id":"`+newID()+`","mode":"total","moved":7,"channel":"phone"}`, "")
	p.must(201, p.officer, "POST", "/api/shelters/"+drillShelter+"/reservations", `{"id":"`+newID()+`","n":20,"group":"李家村"`+word+`}`, "")
	p.must(201, p.officer, "POST", "/api/shelters/"+drillShelter+"/checkins", `{"op_id":"`+newID()+`","in":5,"out":0`+word+`}`, "")
	if !drill {
		return made
	}
	p.must(200, p.officer, "POST", "/api/responses/"+made.response+"/transitions", `{"act":"adjust","level":1,"signed_by":"张县长"}`, etag(r))
	first := list(p.must(200, p.officer, "GET", "/api/callouts/"+made.callout+"/targets", "", ""), "targets")[0]
	p.must(201, p.officer, "POST", "/api/calls", fmt.Sprintf(`{"op_id":%q,"target":%q,"outcome":"repeated","note":""}`, newID(), first["id"]), "")
	for _, d := range []struct{ id, body string }{{made.team, `{"team":"` + drillTeam + `","incident":"` + made.incident + `","task":"搜救"}`}, {made.goods, `{"warehouse":"` + drillStore + `","incident":"` + made.incident + `","task":"送帐篷","items":[{"item":"帐篷","unit":"顶","qty":20}]}`}} {
		p.must(201, p.officer, "PUT", "/api/dispatches/"+d.id, d.body, "")
		for _, to := range []string{"acknowledged", "departed", "arrived"} {
			p.must(200, p.officer, "POST", "/api/dispatches/"+d.id+"/transitions", `{"to":"`+to+`","note":""}`, "")
		}
	}
	p.must(201, p.officer, "PUT", "/api/road-blocks/"+newID(), `{"name":"演练断路","road":"G990","state":"blocked","exercise":true,"geometry":{"type":"Point","coordinates":[119.05,34.05]}}`, "")
	// What would change something real is refused, and says what to do instead.
	h := p.must(200, p.officer, "GET", "/api/shelters/"+drillShelter, "", "")
	p.must(409, p.officer, "PATCH", "/api/shelters/"+drillShelter, `{"state":"closed","exercise":true}`, etag(h))
	p.must(409, p.officer, "POST", "/api/stock/moves", `{"op_id":"`+newID()+`","warehouse":"`+drillStore+`","item":"帐篷","unit":"顶","qty":-5,"reason":"演练出库","exercise":true}`, "")
	paper := p.must(201, p.officer, "POST", "/api/papers", `{"kind":"flash","response":"`+made.response+`","addressee":"市应急局"}`, "")
	made.paper, _ = paper["id"].(string)
	p.must(200, p.officer, "POST", "/api/papers/"+made.paper+"/transitions", `{"to":"reported","note":"电话请示","consulted":"张带班"}`, etag(paper))
	return made
}

// unclocked leaves out of an answer what runs on by itself.
func unclocked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if _, text := x.(string); k == "position" && text || slices.Contains([]string{"age_s", "as_of", "at", "lag_ms", "timeStamp", "links", "text", "numberReturned"}, k) {
				continue
			}
			out[k] = unclocked(x)
		}
		if rules, ok := out["profile_rules"].(map[string]any); ok {
			delete(rules, "exercise") // that one goes on is said
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			out = append(out, unclocked(x))
		}
		return out
	}
	return v
}

// TestAnExerciseLeavesNoTraceInStatistics plays a whole night as an exercise beside a real one:
// every list, count, board, brief, export and picture of what is real answers as before, the
// team and the store are as they were, and the exercise has its own numbers.
func TestAnExerciseLeavesNoTraceInStatistics(t *testing.T) {
	p := drillHouse(t)
	_, secret, err := p.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "大屏", Role: auth.Viewer, Area: "990100", Scopes: []string{"wall"}, Network: "127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	wall := []string{"Authorization", "Bearer " + secret}
	from, to := url.QueryEscape(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)), url.QueryEscape(time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	impact := `{"geometry":` + drillArea + `}`
	asked := []struct {
		name, path, body string
		as               []string
	}{
		{"incidents", "/api/incidents?limit=100", "", p.officer}, {"open incidents", "/api/incidents?open=true", "", p.officer}, {"KPI", "/api/kpi?from=" + from + "&to=" + to, "", p.officer},
		{"warnings", "/api/alerts", "", p.officer}, {"responses and profile", "/api/responses", "", p.officer}, {"active responses", "/api/responses?active=true", "", p.officer},
		{"tasks", "/api/response-tasks", "", p.officer}, {"waiting tasks", "/api/response-tasks?state=waiting", "", p.officer}, {"call-outs", "/api/callouts", "", p.officer}, {"board", "/api/evacuation", "", p.officer},
		{"shelters", "/api/shelters/status", "", p.officer}, {"shelter", "/api/shelters/" + drillShelter, "", p.officer}, {"bookings", "/api/shelters/" + drillShelter + "/reservations", "", p.officer}, {"check-ins", "/api/shelters/" + drillShelter + "/checkins", "", p.officer},
		{"dispatches", "/api/dispatches", "", p.officer}, {"stock", "/api/stock", "", p.officer}, {"ledger", "/api/stock/moves?warehouse=" + drillStore, "", p.officer}, {"road blocks", "/api/road-blocks", "", p.officer},
		{"alarms", "/api/alarms", "", p.officer}, {"unsigned papers", "/api/papers?unsigned=true", "", p.officer}, {"papers", "/api/papers", "", p.officer},
		{"handover", "/api/briefs/handover?from=" + from + "&to=" + to, "", p.officer}, {"log of the period", "/api/replay?from=" + from + "&to=" + to, "", p.officer},
		{"layer counts", "/api/layers", "", p.officer},
		{"incidents exported", "/ogc/collections/incidents/items", "", p.officer}, {"warnings exported", "/ogc/collections/alerts/items", "", p.officer}, {"road blocks exported", "/ogc/collections/road_blocks/items", "", p.officer},
		{"sketches exported", "/ogc/collections/incident_sketches/items", "", p.officer}, {"teams exported", "/ogc/collections/teams/items", "", p.officer}, {"shelters exported", "/ogc/collections/shelters/items", "", p.officer},
		{"impact", "/api/impact", impact, p.officer},
		{"wall: incidents", "/api/incidents?open=true", "", wall}, {"wall: warnings", "/api/alerts?state=active", "", wall}, {"wall: board", "/api/evacuation", "", wall}, {"wall: shelters", "/api/shelters/status", "", wall},
		{"wall: call-outs", "/api/callouts?active=true", "", wall}, {"wall: responses", "/api/responses?active=true", "", wall},
	}
	for _, layer := range []string{"incidents", "alerts", "road_blocks", "shelters", "teams"} {
		asked = append(asked, struct {
			name, path, body string
			as               []string
		}{"as it was: " + layer, "/ogc/collections/" + layer + "/items?as_of=NOW", "", p.officer})
	}
	answers := func() map[string]any {
		t.Helper()
		if err := p.alarms.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.settle()
		out := map[string]any{}
		for _, q := range asked {
			path := strings.Replace(q.path, "NOW", url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano)), 1)
			r := p.get
			var got reply
			if q.body == "" {
				got = r(path, q.as...)
			} else {
				got = p.post(path, q.body, q.as...)
			}
			var doc any
			if err := json.Unmarshal(got.body, &doc); err != nil || got.StatusCode != 200 {
				t.Errorf("%s: %d %.300s %v", q.name, got.StatusCode, got.body, err)
			}
			out[q.name] = unclocked(doc)
		}
		return out
	}
	before := answers()
	made := p.play(true)
	after := answers()
	for _, q := range asked {
		if !reflect.DeepEqual(before[q.name], after[q.name]) {
			was, _ := json.Marshal(before[q.name])
			is, _ := json.Marshal(after[q.name])
			at := 0
			for at < min(len(was), len(is)) && was[at] == is[at] {
				at++
			}
			t.Errorf("%s: an exercise changed it, was …%.260s, is …%.260s", q.name, was[max(0, at-120):], is[max(0, at-120):])
		}
	}
	// The team stands by, and what it plays is told beside it.
	team := list(p.must(200, p.officer, "GET", "/api/teams/status", "", ""), "teams")[0]
	if team["state"] != "standby" || team["dispatch"] != nil || team["exercise_dispatch"] != made.team || team["exercise_state"] != "arrived" {
		t.Errorf("the team: %v", team)
	}
	p.must(201, p.officer, "PUT", "/api/dispatches/"+newID(), `{"team":"`+drillTeam+`","to":"李家村","task":"真实救援"}`, "")
	if d := list(p.must(200, p.officer, "GET", "/api/dispatches?exercise=true&team="+drillTeam, "", ""), "dispatches"); len(d) != 1 || d[0]["state"] != "returned" {
		t.Errorf("what it played: %v", d)
	}
	// The exercise has numbers of its own.
	h := p.must(200, p.officer, "GET", "/api/shelters/status?exercise=true", "", "")
	if own, _ := list(h, "shelters")[0]["exercise"].(map[string]any); own["occupancy"] != 5.0 || own["reserved"] != 20.0 || own["free"] != 75.0 {
		t.Errorf("the exercise at the shelter: %v", own)
	}
	for path, name := range map[string]string{
		"/api/incidents?exercise=true": "incidents", "/api/alerts?exercise=true": "alerts", "/api/responses?exercise=true": "responses", "/api/response-tasks?exercise=true": "tasks", "/api/callouts?exercise=true": "callouts",
		"/api/shelters/" + drillShelter + "/reservations?exercise=true": "reservations", "/api/shelters/" + drillShelter + "/checkins?exercise=true": "checkins", "/api/dispatches?exercise=true": "dispatches",
		"/api/papers?exercise=true": "papers", "/api/alarms?exercise=true": "alarms", "/ogc/collections/incidents/items?exercise=true": "features",
		"/api/briefs/handover?exercise=true&from=" + from + "&to=" + to: "open",
	} {
		if len(list(p.must(200, p.officer, "GET", path, "", ""), name)) == 0 {
			t.Errorf("%s: the exercise does not see its own", path)
		}
	}
}
