package demostore_test

import (
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/demo"
)

// fieldWork is one record of each kind.
func fieldWork(now time.Time) demo.FieldWork {
	const grid = "990100100201001"
	at := orb.Point{111.6, 31.4}
	id := func(n string) string { return "0197a1b2-0000-7000-8000-0000000001" + n }
	return demo.FieldWork{
		Reports: []demo.FieldReport{
			{ID: id("01"), Kind: "landslide", Urgency: "urgent", State: "received", Grid: grid, Description: "下滑", Name: "甲", At: at, Received: now.Add(-time.Minute), Officer: "乙"},
			{ID: id("02"), Kind: "flood", Urgency: "damage", State: "closed", Grid: grid, Description: "进水", Name: "甲", At: at, Received: now.Add(-3 * time.Hour), Officer: "乙"},
		},
		Tasks: []demo.FieldTask{
			{ID: id("03"), Title: "看看", Kind: "visit", ObjectKind: "hazards", Object: hazardID, Grid: grid, State: "sent", At: at, Sent: now, Due: now.Add(time.Hour), Worker: "甲", Officer: "乙"},
			{ID: id("04"), Title: "看看", Kind: "visit", ObjectKind: "hazards", Object: hazardID, Grid: grid, State: "done", Result: "好", At: at, Sent: now, Due: now.Add(time.Hour), Worker: "甲", Officer: "乙"},
			{ID: id("05"), Title: "看看", Kind: "visit", ObjectKind: "hazards", Object: hazardID, Grid: grid, State: "handed_back", Reason: "路断", At: at, Sent: now, Due: now.Add(time.Hour), Worker: "甲", Officer: "乙"},
		},
		Notices:    []demo.FieldNotice{{ID: id("06"), Kind: "warning", Title: "暴雨", Body: "巡查", Hazard: "rainstorm", Level: 2, Areas: []string{"990100", "990100100"}, Issued: now, Expires: now.Add(time.Hour), Officer: "乙"}},
		Routes:     []demo.FieldRoute{{ID: id("07"), Title: "去学校", Area: grid, Shelter: hazardID, ShelterName: "学校", Persons: 30, Approved: now, Line: orb.LineString{at, {111.61, 31.41}}}},
		Patrols:    []demo.FieldPatrol{{ID: id("08"), Kind: "patrol", Result: "normal", Grid: grid, Name: "甲", At: at, Made: now}, {ID: id("09"), Kind: "zero_report", Result: "normal", Grid: grid, Name: "甲", At: at, Made: now}},
		Checks:     []demo.FieldCheck{{ID: id("10"), Shelter: hazardID, Code: grid, Name: "甲", Made: now}, {ID: id("11"), Shelter: hazardID, Code: grid, Name: "甲", Problem: "停水", Made: now}},
		Callouts:   []demo.FieldCallout{{ID: id("12"), Kind: "call_out", Title: "叫应", Reason: "暴雨红色预警", Villages: []string{"990100100201"}, Started: now.Add(-time.Hour), Officer: "乙"}},
		Households: []demo.FieldHousehold{{Key: "h1", Grid: grid, Head: "丙", Phone: "000-9", Address: "村口", Persons: 3, Elderly: 1, Move: "就走"}},
	}
}

// TestFieldWorkComesAndGoes: once however often it is told, and wholly out again, with
// what people made in the demo county, and without anybody else's.
func TestFieldWorkComesAndGoes(t *testing.T) {
	s, owner := open(t)
	ctx := t.Context()
	c := county()
	c.Field = fieldWork(c.Options.Now)
	for range 2 {
		if err := s.Begin(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]int{"incident_reports": 2, "tasks": 3, "notices": 1, "evacuation_routes": 1, "patrols": 2, "shelter_checks": 2, "restricted.household": 1, "callouts": 1}
	for table, want := range tables {
		if n := count(t, owner, "select count(*) from "+table+" where dataset = '"+st.Dataset+"'"); n != want {
			t.Errorf("%s: %d rows, want %d", table, n, want)
		}
	}
	// Somebody took the report: it stays as he left it when the county is told anew.
	for _, sql := range []string{
		`select set_config('app.actor', 'zhang', false)`,
		`update incident_reports set state = 'taken', seen_at = now(), seen_by = '张', taken_at = now(), taken_by = '张' where state = 'received'`,
		`insert into patrols (id, kind, scope, captured_at) values (uuid_v7(), 'patrol', code_scope('990100100201001'), now()), (uuid_v7(), 'patrol', code_scope('110101'), now())`,
		`insert into incident_reports (id, kind, urgency, scope, home, captured_at) values (uuid_v7(), 'fire', 'urgent', code_scope('990100'), code_scope('990100'), now()), (uuid_v7(), 'fire', 'urgent', code_scope('110101'), code_scope('110101'), now())`,
	} {
		if _, err := owner.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	later := county()
	later.Options.Now = later.Options.Now.Add(24 * time.Hour)
	later.Field = fieldWork(later.Options.Now)
	if err := s.Renew(ctx, st.Dataset, later); err != nil {
		t.Fatal(err)
	}
	if n := count(t, owner, `select count(*) from incident_reports where taken_by = '张' and updated_by = 'zhang' and version = 2`); n != 1 {
		t.Error("what somebody took was told anew")
	}
	if err := s.Forget(ctx); err != nil {
		t.Fatal(err)
	}
	for table := range tables {
		want := 0
		if table == "patrols" || table == "incident_reports" {
			want = 1 // of another county
		}
		if n := count(t, owner, "select count(*) from "+table); n != want {
			t.Errorf("afterwards %s: %d rows, want %d", table, n, want)
		}
	}
}
