package evacuation_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/incidents/evacuation"
	"onemap/internal/auth"
	"onemap/internal/decision"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := evacuation.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestTheWorstIsCalledFirst(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	c := h.callout(boss)
	if c.Countersign != evacuation.NotNeeded || c.Title != "暴雨红色预警" || c.Exercise || c.Villages != 2 || c.Targets != 5 || c.Level == nil || *c.Level != 1 {
		t.Errorf("%+v", c)
	}
	list := h.targets(boss, c.ID, evacuation.TargetFilter{})
	want := []string{"village_head 东村 王一 138****5678", "village_head 西村  ", "grid_worker 东村 周网格 137****1111", "grid_worker 西村 吴网格 ", "household_keeper 东村 李** 136****2222"}
	for i, x := range list {
		if got := x.Role + " " + x.VillageName + " " + x.Name + " " + x.Phone; i >= len(want) || got != want[i] {
			t.Errorf("%d: %q", i, got)
		}
	}
	if len(list) != 5 || list[0].DeputyPhone != "139****4321" || list[4].Deputy != "周网格" || list[0].DueAt.Sub(list[0].OpenedAt) != 150*time.Second {
		t.Errorf("%+v", list)
	}
	b := h.board(boss, c.ID)
	if len(b.Villages) != 2 || *b.Villages[0].ToMove != 4 || b.Villages[0].Source != "households" || *b.Villages[1].ToMove != 9 || b.Villages[1].Source != "hazards" || b.Totals.ToMove != 13 || b.Totals.Done {
		t.Errorf("%+v", b)
	}
	if _, made, err := h.s.Open(t.Context(), boss, evacuation.New{ID: c.ID, Alert: alert, Reason: "再发一次"}); made || err != nil {
		t.Errorf("asked again: %v %v", made, err)
	}
	if n := h.count(`select count(*) from callouts`); n != 1 {
		t.Errorf("%d call-outs", n)
	}
	if n := h.count(`select count(*) from audit.entry where action = 'callout.open' and after::text !~ '1381234'`); n != 1 {
		t.Errorf("%d entries of the audit", n)
	}
}

func TestOnePersonAloneNamesWhomHeAsked(t *testing.T) {
	h := open(t)
	officer, boss := h.as("duty", auth.DutyOfficer, county), h.as("boss", auth.Commander, county)
	n := evacuation.New{ID: h.id(), Kind: evacuation.EvacuateNow, Alert: alert, Reason: "滑坡前兆明显"}
	if _, _, err := h.s.Open(t.Context(), officer, n); invalidAt(err) != "consulted.name" {
		t.Errorf("nobody was asked: %v", err)
	}
	if k := h.count(`select (select count(*) from callouts) + (select count(*) from decision.decision)`); k != 0 {
		t.Errorf("a refused order left %d rows", k)
	}
	n.Consulted = "张带班"
	c, made, err := h.s.Open(t.Context(), officer, n)
	if err != nil || !made || c.Countersign != evacuation.Pending || c.Decision == "" || c.Consulted != "张带班" {
		t.Fatalf("%+v %v", c, err)
	}
	if _, made, err := h.s.Open(t.Context(), officer, n); made || err != nil {
		t.Errorf("again: %v %v", made, err)
	}
	if k := h.count(`select count(*) from decision.decision where action = 'evacuate_now' and object = 'callouts/` + c.ID + `'`); k != 1 {
		t.Errorf("%d orders", k)
	}
	if _, err := h.ledger.Transition(t.Context(), boss, c.Decision, 1, decision.Countersigned, "属实"); err != nil {
		t.Fatal(err)
	}
	if c, err = h.s.Callout(t.Context(), officer.Identity, c.ID); err != nil || c.Countersign != evacuation.Countersigned {
		t.Errorf("%+v %v", c, err)
	}
	// An order for an area brings its list with it.
	d, err := h.ledger.Emergency(t.Context(), officer, decision.Order{Action: decision.CallOut, Area: villageB, Text: "西村集合", Reason: "河水上涨", Consulted: decision.Consulted{Name: "张带班"}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = h.s.Callout(t.Context(), officer.Identity, d.ID); err != nil || c.Villages != 1 || c.Title != "西村集合" || c.Countersign != evacuation.Pending {
		t.Errorf("%+v %v", c, err)
	}
}

func TestWhoDoesNotAnswerIsFollowedByHisDeputyAndTheTownship(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	c := h.callout(boss)
	head := h.targets(boss, c.ID, evacuation.TargetFilter{Village: villageA})[0]
	r := h.ring(boss, head.ID, "no_answer")
	if r.Opened == nil || r.Opened.Name != "王副" || r.Opened.Escalation != 1 || r.Target.State != "no_answer" {
		t.Fatalf("%+v", r)
	}
	if again := h.ring(boss, head.ID, "no_answer"); again.Opened != nil {
		t.Errorf("opened twice: %+v", again.Opened)
	}
	deputy := *r.Opened
	r = h.ring(boss, deputy.ID, "refused")
	if r.Opened == nil || r.Opened.Escalation != 2 || r.Opened.Name != "镇值班" || r.Opened.Phone != "051****3210" {
		t.Fatalf("%+v", r.Opened)
	}
	desk := *r.Opened
	h.ring(boss, desk.ID, "repeated")
	// The township knows, the village does not.
	if v := h.board(boss, c.ID).Villages[0]; v.Calls.Targets != 3 || v.Calls.Reached != 0 || v.Calls.Refused != 1 || v.Complete {
		t.Errorf("%+v", v.Calls)
	}
	// Another of the village falls silent: the desk is asked anew.
	worker := h.targets(boss, c.ID, evacuation.TargetFilter{Village: villageA})
	for _, x := range worker {
		if x.Role == evacuation.GridWorker {
			r = h.ring(boss, x.ID, "no_answer")
		}
	}
	if r.Opened == nil || r.Opened.ID != desk.ID {
		t.Errorf("%+v", r.Opened)
	}
	if open := h.targets(boss, c.ID, evacuation.TargetFilter{Village: villageA, Open: true}); len(open) != 2 { // the desk and the household
		t.Errorf("%+v", open)
	}
	// The head calls back, late and at first by the village's loudspeaker.
	h.ring(boss, head.ID, "answered")
	if v := h.board(boss, c.ID).Villages[0]; v.Calls.Reached != 1 || v.Contact.LastAt == nil {
		t.Errorf("%+v", v)
	}
	for _, x := range []auth.By{h.as("viewer", auth.Viewer, county), h.as("grid", auth.GridWorker, gridA)} {
		if _, err := h.s.Targets(t.Context(), x.Identity, c.ID, evacuation.TargetFilter{}); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: %v", x.Username, err)
		}
	}
	far := h.as("far", auth.DutyOfficer, other)
	if _, err := h.s.Ring(t.Context(), far, evacuation.Made{OpID: h.id(), Target: head.ID, Outcome: "answered"}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("another county: %v", err)
	}
	if _, err := h.s.Targets(t.Context(), far.Identity, c.ID, evacuation.TargetFilter{}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("another county: %v", err)
	}
}

func TestACallSentAgainIsOne(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	c := h.callout(boss)
	list := h.targets(boss, c.ID, evacuation.TargetFilter{})
	m := evacuation.Made{OpID: h.id(), Target: list[0].ID, Outcome: "no_answer", Note: "响铃无人接"}
	for i := range 3 {
		r, err := h.s.Ring(t.Context(), boss, m)
		if err != nil || r.Repeated != (i > 0) || len(r.Target.Calls) != 1 || r.Call.Note != m.Note {
			t.Errorf("%d: %+v %v", i, r, err)
		}
	}
	m.Outcome = "answered"
	if _, err := h.s.Ring(t.Context(), boss, m); clash(err) != "op_id_used" {
		t.Errorf("another outcome: %v", err)
	}
	for path, bad := range map[string]evacuation.Made{
		"op_id": {Target: list[0].ID, Outcome: "answered"}, "outcome": {OpID: h.id(), Target: list[0].ID, Outcome: "maybe"}, "channel": {OpID: h.id(), Target: list[0].ID, Outcome: "answered", Channel: "pigeon"},
		"at": {OpID: h.id(), Target: list[0].ID, Outcome: "answered", At: time.Now().Add(time.Hour)}, "note": {OpID: h.id(), Target: list[0].ID, Outcome: "answered", Note: strings.Repeat("长", 2001)},
	} {
		if _, err := h.s.Ring(t.Context(), boss, bad); invalidAt(err) != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := h.count(`select count(*) from calls`); n != 1 {
		t.Errorf("%d calls", n)
	}
	for _, sql := range []string{`update calls set outcome = 'answered'`, `delete from calls`, `update evacuation_entries set moved = 1`} {
		app := pgtest.Connect(t, h.dsn.App)
		if _, err := app.Exec(t.Context(), `select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false), set_config('app.role', 'commander', false), set_config('app.actor', 'boss', false)`); err != nil {
			t.Fatal(err)
		}
		tag, err := app.Exec(t.Context(), sql)
		if pg := new(pgconn.PgError); err != nil && !errors.As(err, &pg) || err == nil && tag.RowsAffected() > 0 {
			t.Errorf("%s: %v %v", sql, tag, err)
		}
	}
}

func TestTheServerFollowsUpWhoIsLate(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	c := h.callout(boss)
	if n, err := h.s.Sweep(t.Context()); n != 0 || err != nil {
		t.Fatalf("nobody is late: %d %v", n, err)
	}
	h.clock.Store(int64(200 * time.Second)) // the heads have 150 s under a red warning
	n, err := h.s.Sweep(t.Context())
	if err != nil || n != 2 {
		t.Fatalf("%d %v", n, err)
	}
	list := h.targets(boss, c.ID, evacuation.TargetFilter{})
	if list[0].State != "escalated" || list[1].Name != "王副" || list[2].State != "escalated" || list[3].Escalation != 2 || list[3].Village != villageB {
		t.Errorf("%+v", list[:4])
	}
	if v := h.board(boss, c.ID); v.Villages[0].Calls.Late != 1 {
		t.Errorf("%+v", v.Villages[0].Calls)
	}
	if n, err := h.s.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept twice: %d %v", n, err)
	}
	// The deputy answers: nobody else of the chain is needed, and it counts.
	h.ring(boss, list[1].ID, "repeated")
	if v := h.board(boss, c.ID).Villages[0]; v.Calls.Reached != 1 || v.Calls.Repeated != 1 {
		t.Errorf("%+v", v.Calls)
	}
}

func TestNeverCompleteWhileOneIsSilent(t *testing.T) {
	h := open(t)
	boss, officer := h.as("boss", auth.Commander, county), h.as("town", auth.DutyOfficer, town)
	c := h.callout(boss)
	report := func(village string, n evacuation.Numbers) evacuation.Village {
		t.Helper()
		v, _, err := h.s.Report(t.Context(), officer, evacuation.Entry{ID: h.id(), Callout: c.ID, Village: village, Mode: "total", Numbers: n, Shelter: shelter})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	report(villageB, evacuation.Numbers{Moved: new(9)})
	v := report(villageA, evacuation.Numbers{Moved: new(4)})
	if *v.NotMoved != 0 || v.Complete || *v.Percent != 99 || v.Shelters[0].Name != "中心小学" {
		t.Errorf("%+v", v)
	}
	list := h.targets(boss, c.ID, evacuation.TargetFilter{})
	for i, x := range list {
		if b := h.board(boss, c.ID); b.Totals.Done || *b.Totals.Percent != 99 || b.Totals.Calls.Silent() != len(list)-i {
			t.Fatalf("after %d of %d: %+v", i, len(list), b.Totals)
		}
		h.ring(officer, x.ID, "answered")
	}
	if b := h.board(boss, c.ID); !b.Totals.Done || *b.Totals.Percent != 100 || b.Totals.Moved != 13 || b.Totals.Sheltered != 13 {
		t.Errorf("%+v", b.Totals)
	}
	if v := report(villageA, evacuation.Numbers{Returned: new(1)}); v.Complete || v.Moved != 3 || *v.Percent != 75 {
		t.Errorf("somebody went back: %+v", v)
	}
}

func TestPhonesReportOfTheirOwnVillage(t *testing.T) {
	h := open(t)
	boss, worker := h.as("boss", auth.Commander, county), h.as("grid", auth.GridWorker, gridA)
	c := h.callout(boss)
	records, err := h.s.Down().All(t.Context(), worker, geo.Scope{}, "", 10)
	if err != nil || len(records) != 1 || !strings.Contains(string(records[0].Fields["villages"]), villageA) || strings.Contains(string(records[0].Fields["villages"]), villageB) {
		t.Fatalf("%+v %v", records, err)
	}
	id := h.id()
	for range 3 { // a phone that does not hear the answer sends it again
		if err := h.phone(worker, id, map[string]any{"callout": c.ID, "village": villageA, "moved": 3, "shelter": shelter, "road_cut": true}); err != nil {
			t.Fatal(err)
		}
	}
	if v := h.board(boss, c.ID).Villages[0]; v.Moved != 3 || *v.NotMoved != 1 || !v.Contact.Road || v.Contact.Lost {
		t.Errorf("%+v", v)
	}
	for want, fields := range map[string]map[string]any{
		"outside_area": {"callout": c.ID, "village": villageB, "moved": 3}, "no_such_callout": {"callout": h.id(), "village": villageA, "moved": 3}, "empty": {"callout": c.ID, "village": villageA},
		"no_such_shelter": {"callout": c.ID, "village": villageA, "moved": 1, "shelter": h.id()}, "required": {"village": villageA, "moved": 1}, "not_whole": {"callout": c.ID, "village": villageA, "moved": 1.5},
	} {
		if err := h.phone(worker, h.id(), fields); refusal(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	if n := h.count(`select count(*) from evacuation_entries`); n != 1 {
		t.Errorf("%d entries", n)
	}
	far := h.as("far", auth.DutyOfficer, other)
	if _, _, err := h.s.Report(t.Context(), far, evacuation.Entry{ID: h.id(), Callout: c.ID, Village: villageA, Numbers: evacuation.Numbers{Moved: new(1)}}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("another county: %v", err)
	}
	e := evacuation.Entry{ID: h.id(), Callout: c.ID, Village: villageA, Numbers: evacuation.Numbers{Moved: new(1)}, Channel: "phone"}
	for range 2 {
		if v, _, err := h.s.Report(t.Context(), boss, e); err != nil || v.Moved != 4 {
			t.Errorf("%+v %v", v, err)
		}
	}
	e.Village = villageB
	if _, _, err := h.s.Report(t.Context(), boss, e); clash(err) != "op_id_used" {
		t.Errorf("the same op_id of another village: %v", err)
	}
}

func TestACancelledAlertReachesTheSamePeople(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	c := h.callout(boss)
	list := h.targets(boss, c.ID, evacuation.TargetFilter{})
	h.ring(boss, list[0].ID, "answered")
	h.ring(boss, list[2].ID, "no_answer")
	// The warning was updated first: the call-out is of its chain, whichever of it is asked for.
	const later = "01900000-0000-7000-8000-0000000000a2"
	h.exec(`update alerts set state = 'updated', chain = '` + alert + `' where id = '` + alert + `'`)
	h.exec(`insert into alerts (id, name, level, state, msg_type, chain, admin_code, geom) select '` + later + `', '暴雨', 2, 'active', 'Update', '` + alert + `', '990100', geom from alerts where id = '` + alert + `'`)
	if list, _, err := h.s.Callouts(t.Context(), boss.Identity, evacuation.Filter{Alert: later}); err != nil || len(list) != 1 {
		t.Errorf("by the later message: %+v %v", list, err)
	}
	if n, err := h.s.Sweep(t.Context()); err != nil || n != 0 {
		t.Fatalf("an update ends nothing: %d %v", n, err)
	}
	h.exec(`update alerts set state = 'cancelled' where id = '` + later + `'`)
	if n, err := h.s.Sweep(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	got, err := h.s.Callout(t.Context(), boss.Identity, c.ID)
	if err != nil || got.State != "ended" || got.EndReason != "cancelled" || got.AllClear != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	clear := h.targets(boss, c.ID, evacuation.TargetFilter{Phase: "all_clear"})
	if len(clear) != 2 || clear[0].Name != list[0].Name || clear[1].Contact != list[2].Contact {
		t.Errorf("%+v", clear)
	}
	if r := h.ring(boss, clear[1].ID, "no_answer"); r.Opened != nil {
		t.Errorf("%+v", r.Opened)
	}
	if _, err := h.s.End(t.Context(), boss, c.ID, got.Version, "done", ""); clash(err) != "already_ended" {
		t.Error(err)
	}
	if _, _, err := h.s.Open(t.Context(), boss, evacuation.New{ID: h.id(), Alert: later, Reason: "再叫一次"}); clash(err) != "alert_over" {
		t.Error(err)
	}
}

func TestADrawnAreaAndItsBorders(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	box := func(x0, x1 float64) orb.Geometry {
		return orb.Polygon{{{x0, 34.02}, {x1, 34.02}, {x1, 34.08}, {x0, 34.08}, {x0, 34.02}}}
	}
	c, _, err := h.s.Open(t.Context(), boss, evacuation.New{ID: h.id(), Title: "演练", Reason: "年度演练", Geometry: box(119.02, 120.05), Exercise: true})
	if err != nil || c.Villages != 2 || !c.Exercise {
		t.Fatalf("the neighbours' village is not called: %+v %v", c, err)
	}
	if list, _, err := h.s.Callouts(t.Context(), boss.Identity, evacuation.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("an exercise among the real ones: %+v %v", list, err)
	}
	if b, err := h.s.Board(t.Context(), boss.Identity, evacuation.Filter{}); err != nil || len(b.Villages) != 0 {
		t.Errorf("an exercise on the board: %+v %v", b, err)
	}
	for want, n := range map[string]evacuation.New{
		"geometry": {Geometry: box(118.1, 118.2)}, "reason": {Geometry: box(119.02, 119.05), Reason: "急"}, "alert": {Alert: h.id()}, "kind": {Geometry: box(119.02, 119.05), Kind: "x"}, "areas": {Areas: []string{"x"}},
	} {
		if n.ID = h.id(); n.Reason == "" {
			n.Reason = "暴雨红色预警"
		}
		n.Title = "叫应"
		if _, _, err := h.s.Open(t.Context(), boss, n); invalidAt(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, _, err := h.s.Open(t.Context(), boss, evacuation.New{ID: h.id(), Title: "外县", Reason: "暴雨红色预警", Areas: []string{other}}); invalidAt(err) != "geometry" {
		t.Errorf("another county: %v", err)
	}
}
