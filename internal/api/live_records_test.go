package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// told is one event of a record.
type told struct {
	Position, Op, ID string
	Properties       map[string]any
	Geometry         json.RawMessage
}

func (s *stream) told(topic string) []told {
	s.t.Helper()
	var out []told
	for _, e := range s.of(topic) {
		var x told
		if err := json.Unmarshal([]byte(e.Data), &x); err != nil {
			s.t.Fatalf("%s: %v", e.Data, err)
		}
		out = append(out, x)
	}
	return out
}

// TestReportsReachTheDesk: from a worker's phone to the open page of the duty officer, and
// to nobody in another county.
func TestReportsReachTheDesk(t *testing.T) {
	e := start(t)
	e.exec(`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.code, v.rank, st_setsrid(st_makeenvelope(v.x, 34.0, v.x + v.w, 34.4), 4490)
		from (values ('990100', 3, 119.0, 0.6), ('990100101', 4, 119.0, 0.3), ('990200', 3, 120.0, 0.6)) v(code, rank, x, w)`)
	worker, officer := e.desk("grid.worker", "王网格", auth.GridWorker, ownGrid), e.desk("duty.officer", "李值班", auth.DutyOfficer, ownArea)
	second, foreign := e.desk("duty.second", "赵值班", auth.DutyOfficer, ownArea), e.desk("duty.foreign", "外值班", auth.DutyOfficer, otherArea)
	e.settle()
	from := e.feed.State().Position.String()
	const topics = "incident_reports,tasks,notices"
	open := func(d desk, since string) *stream {
		return e.listen(e.unlimited(), "http://localhost", topics, since, session(d.cookie)...)
	}
	near, far := open(officer, ""), open(foreign, "")

	op := func(id, op, more string) string {
		return fmt.Sprintf(`{"op_id":%q,"kind":"incident_reports","id":%q,"captured_at":%q,"src_crs":"CGCS2000"%s}`, op, id, time.Now().UTC().Format(time.RFC3339), more)
	}
	sync := func(d desk, ops ...string) reply {
		t.Helper()
		return d.ask("POST", "/api/sync", `{"device":"phone-1","ops":[`+strings.Join(ops, ",")+`]}`)
	}
	id, first := newID(), newID()
	r := sync(worker, op(id, first, `,"fields":{"kind":{"value":"landslide"},"urgency":{"value":"urgent"},"description":{"value":"房后塌方"}},"geometry":{"type":"Point","coordinates":[119.1,34.1]}`))
	if r.StatusCode != 200 || !strings.Contains(string(r.body), `"status":"applied"`) {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	waitFor(t, "the report is on the desk", func() bool { return len(near.told("incident_reports")) == 1 })
	got := near.told("incident_reports")[0]
	if got.ID != id || got.Op != "insert" || got.Properties["alarm"] != true || got.Properties["description"] != "房后塌方" || !strings.Contains(string(got.Geometry), "119.1") {
		t.Errorf("%+v", got)
	}

	// Opening it is seeing it: the sender's phone is told by whom.
	var seen struct {
		SeenBy *string `json:"seen_by"`
		State  string
		ETag   int64
	}
	officer.must(200, &seen, "GET", "/api/incident-reports/"+id, "")
	if seen.SeenBy == nil || *seen.SeenBy != "李值班" || seen.State != "seen" {
		t.Errorf("opened: %+v", seen)
	}
	waitFor(t, "the sender hears who saw it", func() bool {
		r := worker.ask("GET", "/api/sync/changes", "")
		return r.StatusCode == 200 && strings.Contains(string(r.body), `"seen_by":"李值班"`)
	})
	officer.must(200, nil, "POST", "/api/incident-reports/"+id+"/transitions", `{"to":"taken"}`)
	second.refused(409, "already_taken", "POST", "/api/incident-reports/"+id+"/transitions", `{"to":"taken"}`)
	second.refused(428, "precondition_required", "POST", "/api/incident-reports/"+id+"/transitions", `{"to":"closed","note":"x"}`)
	foreign.refused(404, "not_found", "GET", "/api/incident-reports/"+id, "")
	worker.refused(403, "forbidden", "GET", "/api/incident-reports/"+id, "")

	// The sender was wrong about the place: it lies in the other county, whose desk hears
	// of it as something new.
	if r := sync(worker, op(id, newID(), `,"base_version":3,"fields":{"urgency":{"base":"urgent","value":"urgent"}},"geometry":{"base":{"type":"Point","coordinates":[119.1,34.1]},"value":{"type":"Point","coordinates":[120.1,34.1]}}`)); r.StatusCode != 200 || !strings.Contains(string(r.body), `"status":"applied"`) {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	waitFor(t, "the other county hears of it", func() bool { return len(far.told("incident_reports")) == 1 })
	if got := far.told("incident_reports")[0]; got.ID != id || got.Op != "insert" {
		t.Errorf("%+v", got)
	}
	waitFor(t, "every step was told", func() bool { return len(near.told("incident_reports")) == 4 })

	// Photos come later, by an operation that brings nothing else.
	if r := sync(worker, op(id, newID(), `,"fields":{},"blobs":["`+strings.Repeat("ab", 32)+`"]`)); r.StatusCode != 200 || !strings.Contains(string(r.body), `"status":"applied"`) && !strings.Contains(string(r.body), `"status":"quarantined"`) {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	var shown struct{ Photos []string }
	officer.must(200, &shown, "GET", "/api/incident-reports/"+id, "")
	if len(shown.Photos) != 1 || shown.Photos[0] != strings.Repeat("ab", 32) {
		t.Errorf("photos %v", shown.Photos)
	}

	// Tasks are the desk's; notices everybody's whom they are for.
	officer.must(201, nil, "POST", "/api/tasks", `{"title":"去看看","kind":"visit","grid":"`+ownGrid+`"}`)
	officer.must(201, nil, "POST", "/api/notices", `{"kind":"warning","title":"暴雨","body":"请巡查","level":2,"areas":["`+ownArea+`"]}`)
	phone := e.listen(e.unlimited(), "http://localhost", "notices", from, session(worker.cookie)...)
	waitFor(t, "both are told", func() bool {
		return len(near.told("tasks")) == 1 && len(near.told("notices")) == 1 && len(phone.told("notices")) == 1
	})
	for _, topic := range []string{"incident_reports", "tasks"} {
		worker.refused(400, "invalid_parameter", "GET", "/api/live?topics="+topic, "")
	}

	// A page that comes back hears what it missed, and no more than that.
	again, strange := open(second, from), open(foreign, from)
	waitFor(t, "the replay", func() bool {
		return len(again.told("incident_reports")) == 4 && len(again.told("tasks")) == 1 && len(again.told("notices")) == 1
	})
	waitFor(t, "the stranger's replay", func() bool { return len(strange.told("incident_reports")) == 1 })
	e.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	e.exec(`delete from incident_reports where id = $1`, id)
	waitFor(t, "it is gone from both desks", func() bool {
		a, b := near.told("incident_reports"), far.told("incident_reports")
		return a[len(a)-1].Op == "delete" && b[len(b)-1].Op == "delete"
	})
	for name, s := range map[string]*stream{"open": far, "resumed": strange} {
		if n := len(s.told("tasks")) + len(s.told("notices")); n != 0 {
			t.Errorf("the other county's %s stream told of %d tasks and notices", name, n)
		}
		for _, x := range s.told("incident_reports") {
			if strings.Contains(fmt.Sprint(x), "119.1 34.1") || x.ID != id {
				t.Errorf("the other county's %s stream: %+v", name, x)
			}
		}
	}
}
