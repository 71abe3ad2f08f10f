package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// TestBadFieldInput is what the issue names, over HTTP: each gets a clear word and harms
// nothing. (Wrong hashes, absurd pictures and pages called .jpg are TestBadPhotos; 险情
// with the same faults is TestNothingHoldsUrgentBack.)
func TestBadFieldInput(t *testing.T) {
	f := startField(t)
	other := session(f.activate(f.person(auth.NewAccount{Username: "wangge2", Name: "网格员乙", Unit: "990100"}, auth.GridWorker, "990100102001001")))
	mark := func(name string) members {
		return members{"op_id": f.id(), "kind": "hazards", "id": f.id(), "captured_at": time.Now().Format(time.RFC3339), "fields": members{"name": members{"value": name}, "hazard": members{"value": "landslide"}}, "geometry": point(110.05, 30.05)}
	}
	rows := func(where string, args ...any) (n int) {
		t.Helper()
		f.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
		if err := f.conn.QueryRow(t.Context(), `select count(*) from hazards where `+where, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	verdict := func(what string, v verdictOf, status, code string) {
		t.Helper()
		if v.Status != status || v.code() != code || v.Problem != nil && (v.Problem.Words.Zh == "" || v.Problem.Words.En == "") {
			t.Errorf("%s: %+v %q, want %s %q", what, v, v.code(), status, code)
		}
	}

	// Clocks of another century: kept for a person, with the reason.
	for what, c := range map[string][2]string{"1970": {"1970-01-01T00:00:00Z", "clock_early"}, "2100": {"2100-01-01T00:00:00Z", "clock_late"}} {
		op := mark(what)
		op["captured_at"] = c[0]
		verdict(what, f.sync(f.worker, "p1", op)[0], "quarantined", c[1])
	}

	// A note of ten megabytes is no delivery; one that fits and is too long is kept aside.
	big := mark("长")
	big["note"] = strings.Repeat("长", 10<<20/3)
	r := f.post("/api/sync", fmt.Sprintf(`{"device":"p1","ops":[{"op_id":%q,"note":%q}]}`, big["op_id"], big["note"]), f.worker...)
	f.wantProblem(r, 413, "too_large")
	big["note"] = strings.Repeat("长", 500_000)
	verdict("a long note", f.sync(f.worker, "p1", big)[0], "quarantined", "too_long")

	// Another person's ids, of the operation and of the record.
	first := mark("村口滑坡")
	verdict("the first", f.sync(f.worker, "p1", first)[0], "applied", "")
	stolen := mark("占用")
	stolen["op_id"] = first["op_id"]
	verdict("his operation's id", f.sync(other, "p2", stolen)[0], "rejected", "op_id_taken")
	stolen = mark("占用")
	stolen["id"], stolen["geometry"] = first["id"], point(110.15, 30.05)
	if v := f.sync(other, "p2", stolen)[0]; v.Status == "applied" || v.Status == "merged" {
		t.Errorf("his record's id: %+v", v)
	}
	edit := members{"op_id": f.id(), "op": "delete", "kind": "hazards", "id": first["id"], "base_version": 1, "captured_at": time.Now().Format(time.RFC3339)}
	verdict("a record he cannot see", f.sync(other, "p2", edit)[0], "quarantined", "record_absent") // as if there were none
	if n := rows(`id = $1 and name = '村口滑坡' and version = 1`, first["id"]); n != 1 {
		t.Error("another person changed it")
	}

	// One poisoned among a thousand.
	ops := make([]any, 1000)
	for i := range ops {
		ops[i] = mark(fmt.Sprint("点", i))
	}
	poison := ops[500].(members)
	poison["geometry"] = members{"type": "Polygon", "coordinates": [][][]float64{{{110.01, 30.01}, {110.02, 30.02}, {110.02, 30.01}, {110.01, 30.02}, {110.01, 30.01}}}}
	ops[250] = `{"op_id":"` + f.id() + `","kind":{"$ne":null},"id":7,"fields":[[[]]]}`
	ops[750] = `"'); drop table hazards; --"`
	for i, v := range f.sync(f.worker, "p1", ops...) {
		switch i {
		case 250, 750:
			if v.Status != "rejected" && v.Status != "quarantined" || v.Problem == nil {
				t.Errorf("%d: %+v", i, v)
			}
		case 500:
			verdict("the bow tie", v, "quarantined", "self_intersection")
		default:
			if v.Status != "applied" {
				t.Fatalf("%d: %+v %s", i, v, v.code())
			}
		}
	}
	if n := rows(`name like '点%'`); n != 997 {
		t.Errorf("%d of 997 are there", n)
	}
	for i, v := range f.sync(f.worker, "p1", ops...) {
		if v.Status != "duplicate" && i != 750 && i != 250 {
			t.Fatalf("again, %d: %+v", i, v)
		}
	}
	if n := rows(`name like '点%'`); n != 997 {
		t.Errorf("again: %d of 997 are there", n)
	}

	// Steps out of order.
	danger := members{"op_id": f.id(), "kind": "dangers", "id": f.id(), "captured_at": time.Now().Format(time.RFC3339), "geometry": point(110.05, 30.05),
		"fields": members{"kind": members{"value": "flood"}, "description": members{"value": "堤脚渗水"}}}
	verdict("a danger", f.sync(f.worker, "p1", danger)[0], "applied", "")
	for _, to := range []string{"closed", "rectifying", "graded", "verified", "nonsense", ""} {
		step := members{"op_id": f.id(), "op": "transition", "kind": "dangers", "id": danger["id"], "to": to, "captured_at": time.Now().Format(time.RFC3339)}
		v := f.sync(f.worker, "p1", step)[0]
		if v.Status != "rejected" && v.Status != "quarantined" || v.Problem == nil || v.Problem.Words.Zh == "" {
			t.Errorf("a step to %q: %+v", to, v)
		}
	}
	var state struct{ State string }
	f.json("/api/dangers/"+danger["id"].(string), &state, f.worker...)
	if state.State != "reported" {
		t.Errorf("the danger is %s", state.State)
	}
	var tasks struct {
		ID   string
		ETag int
	}
	r = f.post("/api/tasks", `{"title":"查看","kind":"visit","grid":"990100101001001"}`, f.desk...)
	if err := jsonOf(r, &tasks); err != nil || r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	step := func(to string) members {
		return members{"op_id": f.id(), "op": "transition", "kind": "tasks", "id": tasks.ID, "to": to, "note": "办好了", "captured_at": time.Now().Format(time.RFC3339)}
	}
	verdict("done before it was accepted", f.sync(f.worker, "p1", step("done"))[0], "quarantined", "out_of_order")
	verdict("accepted", f.sync(f.worker, "p1", step("accepted"))[0], "applied", "")
	verdict("accepted by one who cannot see it", f.sync(other, "p2", step("accepted"))[0], "quarantined", "record_absent")
	// Nothing of it was an error of ours.
	if strings.Contains(f.logs.String(), "level=ERROR") {
		t.Errorf("the log has errors: %.600s", f.logs.String()[strings.Index(f.logs.String(), "level=ERROR"):])
	}
}

func jsonOf(r reply, into any) error { return json.Unmarshal(r.body, into) }
