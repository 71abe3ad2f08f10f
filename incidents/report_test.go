package incidents_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/sync"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := incidents.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

// TestUrgentIsStoredWhatever: nothing odd about place, clock, grid or words keeps 险情 out.
func TestUrgentIsStoredWhatever(t *testing.T) {
	h := open(t)
	worker := h.as("worker", auth.GridWorker, gridA)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	foreign := h.as("foreign", auth.DutyOfficer, countyB)
	now := time.Now()
	for _, c := range []struct {
		name   string
		fields map[string]any
		w      sync.Write
		doubts string
		seenBy string // officers who read it: A, B
	}{
		{"in his grid", nil, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "", "A"},
		{"without a place", nil, sync.Write{}, "no_place", "A"},
		{"the phone knew where it was", nil, sync.Write{Captured: sync.Capture{Position: &orb.Point{119.1, 34.1}}}, "", "A"},
		{"in another county", nil, sync.Write{Geometry: orb.Point{120.1, 34.1}}, "outside_area", "AB"},
		{"in no county", nil, sync.Write{Geometry: orb.Point{10, 10}}, "", "A"},
		{"across two counties", nil, sync.Write{Geometry: orb.LineString{{119.1, 34.1}, {120.1, 34.1}}}, "", "A"},
		{"no number", nil, sync.Write{Geometry: orb.Point{math.NaN(), 34}}, "bad_geometry,no_place", "A"},
		{"nowhere on Earth", nil, sync.Write{Geometry: orb.Point{500, 34}}, "bad_geometry,no_place", "A"},
		{"a bow tie", nil, sync.Write{Geometry: orb.Polygon{{{119.1, 34.1}, {119.2, 34.2}, {119.2, 34.1}, {119.1, 34.2}, {119.1, 34.1}}}}, "bad_geometry,no_place", "A"},
		{"names a grid of another county", map[string]any{"grid": gridB}, sync.Write{}, "no_place,outside_area", "AB"},
		{"names no grid", map[string]any{"grid": "x'); drop"}, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "", "A"},
		{"a clock of 1970", nil, sync.Write{Geometry: orb.Point{119.1, 34.1}, Captured: sync.Capture{At: time.Unix(0, 0)}}, "clock", "A"},
		{"a clock of 2100", nil, sync.Write{Geometry: orb.Point{119.1, 34.1}, Captured: sync.Capture{At: now.AddDate(74, 0, 0)}}, "clock", "A"},
		{"a kind nobody knows", map[string]any{"kind": "ufo"}, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "fields", "A"},
		{"no kind", map[string]any{"kind": nil}, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "fields", "A"},
		{"numbers that are none", map[string]any{"trapped": "many", "deaths": -3, "affected": 1e12, "loss_wan": "x"}, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "fields", "A"},
		{"ten megabytes of words", map[string]any{"description": strings.Repeat("救命", 5_000_000/3)}, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "fields", "A"},
		{"unknown fields", map[string]any{"seen_by": "我", "colour": 3}, sync.Write{Geometry: orb.Point{119.1, 34.1}}, "fields", "A"},
		{"an accuracy that is none", nil, sync.Write{Geometry: orb.Point{119.1, 34.1}, Captured: sync.Capture{Accuracy: math.Inf(1)}}, "", "A"},
	} {
		w := c.w
		said := map[string]any{"kind": "landslide", "urgency": "urgent"}
		maps.Copy(said, c.fields)
		w.Fields = fields(t, said)
		r, err := h.send(worker, w)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for who, by := range map[string]auth.By{"A": officer, "B": foreign} {
			page, err := h.s.Reports(t.Context(), by.Identity, incidents.Query{Alarm: true, Limit: 500})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(page.Reports, func(x incidents.Report) bool { return x.ID == r.ID })
			if (i >= 0) != strings.Contains(c.seenBy, who) {
				t.Errorf("%s: officer %s sees it: %v, want %q", c.name, who, i >= 0, c.seenBy)
			}
			if i < 0 {
				continue
			}
			got := page.Reports[i]
			slices.Sort(got.Doubts)
			if strings.Join(got.Doubts, ",") != c.doubts {
				t.Errorf("%s: doubts %v, want %q", c.name, got.Doubts, c.doubts)
			}
			if !got.Alarm() || got.CapturedAt.Year() < 2020 || got.CapturedAt.After(now.AddDate(0, 0, 2)) || len([]rune(got.Description)) > 4000 {
				t.Errorf("%s: alarm %v, captured %v, %d characters", c.name, got.Alarm(), got.CapturedAt, len([]rune(got.Description)))
			}
		}
	}
	// Whose grant ended in the meantime is heard too.
	gone := h.as("gone", auth.GridWorker, gridA)
	gone.Grants[0].To = now.Add(-time.Minute)
	gone.Unit = countyA
	w := sync.Write{ID: h.newID(), Fields: fields(t, map[string]any{"kind": "fire", "urgency": "urgent"}), Geometry: orb.Point{119.1, 34.1}, Grant: auth.Grant{ID: "none"}}
	if _, err := h.send(gone, w); err != nil {
		t.Errorf("without a grant: %v", err)
	}
}

// TestWhoReads: the sender, the desks of where it lies and of where its sender belongs.
func TestWhoReads(t *testing.T) {
	h := open(t)
	worker := h.as("worker", auth.GridWorker, gridA)
	own, away := h.urgent(worker, orb.Point{119.1, 34.1}), h.urgent(worker, orb.Point{120.1, 34.1})
	for _, c := range []struct {
		name string
		by   auth.By
		want string
	}{
		{"officer of the county", h.as("a", auth.DutyOfficer, countyA), "own away"},
		{"officer of the township", h.as("b", auth.DutyOfficer, townA), "own away"},
		{"officer of the grid", h.as("c", auth.DutyOfficer, gridA), "own away"},
		{"officer of another grid", h.as("d", auth.DutyOfficer, "990100101001002"), "own"},
		{"officer of another township", h.as("d2", auth.DutyOfficer, "990100102"), ""},
		{"officer of where it lies", h.as("e", auth.DutyOfficer, countyB), "away"},
		{"officer of a third county", h.as("f", auth.DutyOfficer, countyC), ""},
		{"officer of everywhere", h.as("g", auth.DutyOfficer, ""), "own away"},
		{"commander", h.as("h", auth.Commander, countyA), "own away"},
		{"planner", h.as("i", auth.Planner, countyA), "forbidden"},
		{"viewer", h.as("j", auth.Viewer, countyA), "forbidden"},
		{"another worker of the grid", h.as("k", auth.GridWorker, gridA), "forbidden"},
		{"the sender, at the desk", worker, "forbidden"},
		{"nobody", auth.By{Identity: &auth.Identity{Kind: auth.Anonymous}}, "forbidden"},
		{"a program", auth.By{Identity: &auth.Identity{Kind: auth.Token, Name: "x", Scopes: []string{"read"}, Grants: []auth.Grant{{ID: "x", Role: auth.DutyOfficer, Area: countyA}}}}, "forbidden"},
	} {
		page, err := h.s.Reports(t.Context(), c.by.Identity, incidents.Query{})
		var got []string
		for _, r := range page.Reports {
			got = append(got, map[string]string{own: "own", away: "away"}[r.ID])
		}
		slices.Sort(got)
		slices.Reverse(got)
		if errors.Is(err, auth.ErrForbidden) {
			got, err = []string{"forbidden"}, nil
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s lists %v (%v), want %q", c.name, got, err, c.want)
		}
		if c.want != "forbidden" && page.Alarms != len(got) {
			t.Errorf("%s: %d alarms, want %d", c.name, page.Alarms, len(got))
		}
		for id, tag := range map[string]string{own: "own", away: "away"} {
			_, err := h.s.Open(t.Context(), c.by, id)
			switch {
			case strings.Contains(c.want, tag) && err != nil:
				t.Errorf("%s opens %s: %v", c.name, tag, err)
			case c.want == "forbidden" && !errors.Is(err, auth.ErrForbidden), c.want != "forbidden" && !strings.Contains(c.want, tag) && !errors.Is(err, auth.ErrNotFound):
				t.Errorf("%s opens %s: %v", c.name, tag, err)
			}
		}
	}
	// His own come back to the sender's phone, wherever they lie; to nobody else's.
	for name, want := range map[string]int{"worker": 2, "neighbour": 0} {
		by := worker
		if name == "neighbour" {
			by = h.as("neighbour", auth.GridWorker, gridA)
		}
		all, err := h.kind.All(t.Context(), by, geo.Everywhere(), "", 10)
		changed, err2 := h.kind.Changed(t.Context(), by, []string{own, away})
		former, err3 := h.kind.Former(t.Context(), by, []string{own, away})
		if err := errors.Join(err, err2, err3); err != nil || len(all) != want || len(changed) != want || len(former) != want {
			t.Errorf("%s: %d, %d and %d records, want %d; %v", name, len(all), len(changed), len(former), want, err)
		}
	}
}

// TestTheFloor asks the table itself, past every service.
func TestTheFloor(t *testing.T) {
	h := open(t)
	worker := h.as("worker", auth.GridWorker, gridA)
	id := h.urgent(worker, orb.Point{119.1, 34.1})
	app := pgtest.Connect(t, h.dsn.App)
	for _, c := range []struct {
		actor, sensitive, read, write, role string
		sees                                bool
		changes                             int64
	}{
		{"officer", countyA, countyA, countyA, "duty_officer", true, 1}, {"officer", countyB, countyB, countyB, "duty_officer", false, 0},
		{"viewer", "", countyA, "", "viewer", false, 0}, {"worker", "", townA, "", "grid_worker", true, 1}, {"other", "", townA, gridA, "grid_worker", false, 0},
		{"planner", countyA, countyA, countyA, "planner", true, 0},
	} {
		tx, err := app.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		set := func(name, code string) {
			sql := `select set_config('app.' || $1, case when $2 = '' then '{}' else int8multirange(code_scope($2))::text end, true)`
			if _, err := tx.Exec(t.Context(), sql, name, code); err != nil {
				t.Fatal(err)
			}
		}
		set("public", "")
		set("read", c.read)
		set("sensitive", c.sensitive)
		set("write", c.write)
		if _, err := tx.Exec(t.Context(), `select set_config('app.demo', 'off', true), set_config('app.actor', $1, true), set_config('app.role', $2, true)`, c.actor, c.role); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := tx.QueryRow(t.Context(), `select count(*) from incident_reports where id = $1`, id).Scan(&n); err != nil || (n == 1) != c.sees {
			t.Errorf("%+v sees %d, %v", c, n, err)
		}
		tag, err := tx.Exec(t.Context(), `update incident_reports set note = 'x' where id = $1`, id)
		if err != nil || tag.RowsAffected() != c.changes {
			t.Errorf("%+v changes %d, %v", c, tag.RowsAffected(), err)
		}
		if tag, err := tx.Exec(t.Context(), `delete from incident_reports where id = $1`, id); err != nil || tag.RowsAffected() != 0 {
			t.Errorf("%+v deletes %d, %v", c, tag.RowsAffected(), err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneTakes: twenty reach for it at once.
func TestOneTakes(t *testing.T) {
	h := open(t)
	id := h.urgent(h.as("worker", auth.GridWorker, gridA), orb.Point{119.1, 34.1})
	const n = 20
	who := make([]auth.By, n)
	for i := range who {
		who[i] = h.as("officer"+string(rune('a'+i)), auth.DutyOfficer, []string{countyA, townA, ""}[i%3])
	}
	errs := make([]error, n)
	var wg gosync.WaitGroup
	start := make(chan struct{})
	for i := range who {
		wg.Go(func() {
			<-start
			_, errs[i] = h.s.Step(context.Background(), who[i], id, nil, incidents.Step{To: incidents.Taken})
		})
	}
	close(start)
	wg.Wait()
	winner := ""
	for i, err := range errs {
		switch {
		case err == nil && winner == "":
			winner = who[i].Name
		case err == nil:
			t.Errorf("%s took it beside %s", who[i].Name, winner)
		case clash(err) != "already_taken":
			t.Errorf("%s: %v", who[i].Name, err)
		}
	}
	for _, err := range errs {
		if c := new(auth.Conflict); errors.As(err, &c) && !strings.Contains(c.ZH, winner) {
			t.Errorf("the second is told %q, not %s", c.ZH, winner)
		}
	}
	r, err := h.s.Open(t.Context(), who[0], id)
	if err != nil || r.TakenBy != winner || r.State != incidents.Taken || r.Alarm() || r.SeenBy == "" {
		t.Errorf("%+v, %v, want taken by %q", r, err, winner)
	}
	var entries int
	if err := pgtest.Connect(t, h.dsn.Admin).QueryRow(t.Context(), `select count(*) from audit.entry where action = 'incident_report.taken'`).Scan(&entries); err != nil || entries != 1 {
		t.Errorf("%d entries of the audit, want 1; %v", entries, err)
	}
}

// TestSteps walks what may follow what, and that the first sight is kept.
func TestSteps(t *testing.T) {
	h := open(t)
	worker, first, second := h.as("worker", auth.GridWorker, gridA), h.as("first", auth.DutyOfficer, countyA), h.as("second", auth.DutyOfficer, countyA)
	id := h.urgent(worker, orb.Point{119.1, 34.1})
	step := func(by auth.By, id string, version int64, to, note string) (incidents.Report, error) {
		v := &version
		if version == 0 {
			v = nil
		}
		return h.s.Step(t.Context(), by, id, v, incidents.Step{To: to, Note: note})
	}
	r, err := h.s.Open(t.Context(), first, id)
	if err != nil || r.SeenBy != first.Name || r.State != incidents.Seen || r.Version != 2 || r.FeedPosition == "" {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err = h.s.Open(t.Context(), second, id); err != nil || r.SeenBy != first.Name || r.Version != 2 {
		t.Errorf("second sight: %+v %v", r, err)
	}
	if _, err := step(second, id, 2, incidents.Closed, "好了"); clash(err) != "not_taken" {
		t.Errorf("closed before it was taken: %v", err)
	}
	if _, err := step(second, id, 0, incidents.Dismissed, "误报了"); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("dismissed without a version: %v", err)
	}
	if _, err := step(second, id, 1, incidents.Taken, ""); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("taken as it was before: %v", err)
	}
	if r, err = step(second, id, 2, incidents.Taken, ""); err != nil || r.TakenBy != second.Name {
		t.Fatalf("%+v %v", r, err)
	}
	if again, err := step(second, id, 0, incidents.Taken, ""); err != nil || again.Version != r.Version {
		t.Errorf("said twice: %+v %v", again, err)
	}
	if _, err := step(first, id, 0, incidents.Taken, ""); clash(err) != "already_taken" {
		t.Errorf("taken twice: %v", err)
	}
	if _, err := step(second, id, r.Version, incidents.Dismissed, ""); err == nil {
		t.Error("dismissed without a word")
	}
	if r, err = step(second, id, r.Version, incidents.Closed, "已处置"); err != nil || r.State != incidents.Closed || r.Note != "已处置" {
		t.Fatalf("%+v %v", r, err)
	}
	for _, to := range []string{incidents.Taken, incidents.Dismissed, incidents.Closed} {
		if _, err := step(first, id, r.Version, to, "再来一次"); err == nil || clash(err) == "" {
			t.Errorf("%s after the end: %v", to, err)
		}
	}
	if _, err := step(first, id, r.Version, "eaten", ""); err == nil {
		t.Error("a state nobody knows")
	}
	// An officer who reports himself has not seen it for that.
	mine, err := h.send(first, sync.Write{Fields: fields(t, map[string]any{"kind": "fire", "urgency": "urgent"}), Geometry: orb.Point{119.1, 34.1}})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := h.s.Open(t.Context(), first, mine.ID); err != nil || r.SeenAt != nil {
		t.Errorf("his own: %+v %v", r, err)
	}
	rec, err := h.kind.Changed(t.Context(), worker, []string{id})
	if err != nil || len(rec) != 1 || string(rec[0].Fields["seen_by"]) != `"first姓名"` || string(rec[0].Fields["taken_by"]) != `"second姓名"` || rec[0].State != incidents.Closed {
		t.Errorf("the sender's phone gets %+v, %v", rec, err)
	}
}

func TestNobodyTookIt(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	worker := h.as("worker", auth.GridWorker, gridA)
	h.urgent(worker, nil)
	if _, err := h.send(worker, sync.Write{Fields: fields(t, map[string]any{"kind": "flood", "urgency": "damage", "affected": 12}), Geometry: orb.Point{119.1, 34.1}}); err != nil {
		t.Fatal(err)
	}
	look := func(later time.Duration) (waiting []time.Duration) {
		t.Helper()
		page, err := h.s.Reports(t.Context(), officer.Identity, incidents.Query{})
		if err != nil || len(page.Reports) != 2 || page.Alarms != 1 || page.TakeAfter != 2*time.Minute {
			t.Fatalf("%+v %v", page, err)
		}
		for _, r := range page.Reports {
			if w := r.Unattended(time.Now().Add(later)); w > 0 {
				waiting = append(waiting, w)
			}
		}
		return waiting
	}
	if w := look(0); w != nil {
		t.Errorf("at once: %v", w)
	}
	if w := look(3 * time.Minute); len(w) != 1 || w[0] < 3*time.Minute {
		t.Errorf("after three minutes: %v", w)
	}
}

// TestWhatASenderMay: damage keeps to the rules, 险情 stays 险情.
func TestWhatASenderMay(t *testing.T) {
	h := open(t)
	worker, other := h.as("worker", auth.GridWorker, gridA), h.as("other", auth.GridWorker, gridA)
	id := h.urgent(worker, orb.Point{119.1, 34.1})
	damage := h.newID()
	for _, c := range []struct {
		name   string
		by     auth.By
		id     string
		fields map[string]any
		at     orb.Geometry
		want   string
	}{
		{"damage in his area", worker, damage, map[string]any{"kind": "flood", "urgency": "damage", "houses": 3}, orb.Point{119.1, 34.1}, ""},
		{"damage elsewhere", worker, "", map[string]any{"kind": "flood", "urgency": "damage"}, orb.Point{120.1, 34.1}, "quarantined outside_area"},
		{"damage of no kind", worker, "", map[string]any{"urgency": "damage"}, orb.Point{119.1, 34.1}, "quarantined required"},
		{"damage of an unknown kind", worker, "", map[string]any{"kind": "ufo", "urgency": "damage"}, nil, "quarantined unknown_code"},
		{"many dead, minus", worker, "", map[string]any{"kind": "flood", "urgency": "damage", "deaths": -1}, nil, "quarantined out_of_range"},
		{"who saw it, by himself", worker, damage, map[string]any{"seen_by": "我"}, nil, "rejected read_only"},
		{"more words", worker, id, map[string]any{"description": "路断了", "trapped": 2}, nil, ""},
		{"another place", worker, id, nil, orb.Point{119.15, 34.15}, ""},
		{"it was nothing", worker, id, map[string]any{"urgency": "damage"}, nil, "rejected stays_urgent"},
		{"it is worse", worker, damage, map[string]any{"urgency": "urgent"}, nil, ""},
		{"another's", other, id, map[string]any{"kind": "fire", "urgency": "urgent", "description": "假的"}, nil, "rejected id_taken"},
	} {
		if _, err := h.send(c.by, sync.Write{ID: c.id, Fields: fields(t, c.fields), Geometry: c.at}); verdict(err) != c.want {
			t.Errorf("%s: %q, want %q", c.name, verdict(err), c.want)
		}
	}
	page, err := h.s.Reports(t.Context(), h.as("officer", auth.DutyOfficer, countyA).Identity, incidents.Query{})
	if err != nil || len(page.Reports) != 2 || page.Alarms != 2 {
		t.Fatalf("%+v %v", page, err)
	}
	i := slices.IndexFunc(page.Reports, func(r incidents.Report) bool { return r.ID == id })
	if r := page.Reports[i]; r.Description != "路断了" || r.Trapped == nil || *r.Trapped != 2 || r.Geometry.(orb.Point) != (orb.Point{119.15, 34.15}) {
		t.Errorf("%+v", r)
	}
}

func TestPages(t *testing.T) {
	h := open(t)
	worker, officer := h.as("worker", auth.GridWorker, gridA), h.as("officer", auth.DutyOfficer, countyA)
	want := map[string]bool{}
	for range 7 {
		want[h.urgent(worker, nil)] = true
	}
	got, cursor := map[string]bool{}, ""
	for range 10 {
		page, err := h.s.Reports(t.Context(), officer.Identity, incidents.Query{Limit: 3, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Reports {
			if got[r.ID] {
				t.Errorf("%s twice", r.ID)
			}
			got[r.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d reports, want %d", len(got), len(want))
	}
	for _, bad := range []incidents.Query{{Cursor: "x"}, {Cursor: "1.x"}, {Area: "12345x"}} {
		var invalid *auth.Invalid
		if _, err := h.s.Reports(t.Context(), officer.Identity, bad); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
