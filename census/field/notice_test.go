package field_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/restricted"
	"onemap/internal/sync"
)

// TestWhoHasReadIt: the people of its areas are counted once each, by the desks over them.
func TestWhoHasReadIt(t *testing.T) {
	h := open(t)
	officer, town, foreign := h.as("officer", auth.DutyOfficer, countyA), h.as("town", auth.DutyOfficer, townA), h.as("foreign", auth.DutyOfficer, countyB)
	a, b := h.as("a", auth.GridWorker, gridA), h.as("b", auth.GridWorker, gridA2)
	c, outside := h.as("c", auth.GridWorker, "990100102001001"), h.as("outside", auth.GridWorker, gridB)
	for _, bad := range []struct {
		by   auth.By
		n    field.NewNotice
		want string
	}{
		{officer, field.NewNotice{Kind: "warning", Title: "x", Body: "y", Areas: []string{countyA}}, "level out_of_range"},
		{officer, field.NewNotice{Kind: "notice", Title: "x", Body: "y"}, "areas required"}, {officer, field.NewNotice{Kind: "notice", Title: "x", Body: "y", Areas: []string{"12"}}, "forbidden"},
		{officer, field.NewNotice{Kind: "notice", Title: "x", Body: "y", Areas: []string{"x"}}, "areas[0] not_a_code"}, {officer, field.NewNotice{Kind: "notice", Title: "x", Body: "y", Areas: []string{gridA, gridB}}, "forbidden"},
		{town, field.NewNotice{Kind: "notice", Title: "x", Body: "y", Areas: []string{countyA}}, "forbidden"}, {a, field.NewNotice{Kind: "notice", Title: "x", Body: "y", Areas: []string{gridA}}, "forbidden"},
	} {
		_, err := h.s.Issue(t.Context(), bad.by, bad.n)
		got, invalid := fmt.Sprint(err), new(auth.Invalid)
		if errors.As(err, &invalid) {
			got = invalid.Items[0].Path + " " + invalid.Items[0].Code
		} else if errors.Is(err, auth.ErrForbidden) {
			got = "forbidden"
		}
		if got != bad.want {
			t.Errorf("%+v: %q, want %q", bad.n, got, bad.want)
		}
	}
	n, err := h.s.Issue(t.Context(), officer, field.NewNotice{Kind: "warning", Title: "暴雨橙色预警", Body: "请巡查", Level: 2, Hazard: "rainstorm", Areas: []string{countyA}})
	if err != nil || n.Expected != 3 || n.Acknowledged != 0 {
		t.Fatalf("%+v %v", n, err)
	}
	ack := func(by auth.By) string {
		_, err := h.send(by, "acks", sync.Write{Fields: fields(t, map[string]any{"notice": n.ID})})
		return verdict(err)
	}
	// One of them on two phones.
	if got := ack(a) + ack(a) + ack(b); got != "" {
		t.Errorf("acknowledged: %q", got)
	}
	if got := ack(outside); got != "quarantined no_such_notice" {
		t.Errorf("whom it was not for: %q", got)
	}
	for _, x := range []struct {
		by                      auth.By
		expected, read, missing int
		sees                    bool
	}{{officer, 3, 2, 1, true}, {town, 2, 2, 0, true}, {foreign, 0, 0, 0, false}, {a, 0, 0, 0, true}, {outside, 0, 0, 0, false}} {
		got, readers, err := h.s.Notice(t.Context(), x.by.Identity, n.ID)
		if !x.sees {
			if !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("%s: %v", x.by.Username, err)
			}
			continue
		}
		read, missing := 0, 0
		for _, r := range readers {
			if r.ReadAt != nil {
				read++
			} else {
				missing++
			}
		}
		if err != nil || got.Expected != x.expected || got.Acknowledged != x.read || read != x.read || missing != x.missing {
			t.Errorf("%s: %d of %d, read %d, missing %d, %v; want %+v", x.by.Username, got.Acknowledged, got.Expected, read, missing, err, x)
		}
	}
	// It is on the phones of those it is for, and says what one has acknowledged.
	down := h.s.Downs()[0]
	for by, want := range map[*auth.By]int{&a: 1, &b: 1, &c: 1, &outside: 0, &officer: 0} {
		all, err := down.All(t.Context(), *by, geo.Everywhere(), "", 10)
		changed, err2 := down.Changed(t.Context(), *by, []string{n.ID})
		former, err3 := down.(sync.Former).Former(t.Context(), *by, []string{n.ID})
		if err := errors.Join(err, err2, err3); err != nil || len(all) != want || len(changed) != want || len(former) != want {
			t.Errorf("%s: %d, %d, %d, want %d; %v", by.Username, len(all), len(changed), len(former), want, err)
			continue
		}
		if want == 1 && (len(changed[0].Fields["acknowledged_at"]) > 0) != (by.Username != "c") {
			t.Errorf("%s: %s", by.Username, changed[0].Fields["acknowledged_at"])
		}
	}
	if _, err := h.s.Withdraw(t.Context(), officer, n.ID, n.Version+7, "误发"); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("withdrawn as it never was: %v", err)
	}
	if _, err := h.s.Withdraw(t.Context(), town, n.ID, n.Version, "误发"); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("withdrawn by a part of its area: %v", err)
	}
	if n, err = h.s.Withdraw(t.Context(), officer, n.ID, n.Version, "误发"); err != nil || n.State != "withdrawn" || n.InForce(time.Now()) {
		t.Errorf("%+v %v", n, err)
	}
	if _, err := h.s.Withdraw(t.Context(), officer, n.ID, n.Version, "误发"); clash(err) != "already_withdrawn" {
		t.Errorf("withdrawn twice: %v", err)
	}
	if _, err := h.admin.Exec(t.Context(), `update notices set body = 'z' where id = $1`, n.ID); err == nil {
		t.Error("a notice was rewritten")
	}
}

// TestPatrolsAreCountedOnce against counts made by hand.
func TestPatrolsAreCountedOnce(t *testing.T) {
	h := open(t)
	officer, worker, two := h.as("officer", auth.DutyOfficer, countyA), h.as("worker", auth.GridWorker, gridA), h.as("two", auth.GridWorker, gridA2)
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 6, 20, 0, 0, 0, 0, zone)
	tap := func(by auth.By, kind, grid, device string, at time.Time, result string) {
		t.Helper()
		f := map[string]any{"kind": kind, "grid": grid}
		if result != "" {
			f["result"] = result
		}
		if _, err := h.send(by, "patrols", sync.Write{Fields: fields(t, f), Captured: sync.Capture{Effective: at, Received: at.Add(time.Hour), Device: device}}); err != nil {
			t.Fatal(err)
		}
	}
	tap(worker, "patrol", gridA, "p1", day.Add(8*time.Hour), "")                       // 1
	tap(worker, "patrol", gridA, "p1", day.Add(8*time.Hour+30*time.Second), "")        // the same minute
	tap(worker, "patrol", gridA, "p1", day.Add(8*time.Hour+61*time.Second), "problem") // 2
	tap(worker, "zero_report", gridA, "p1", day.Add(8*time.Hour), "")                  // a zero report beside
	tap(worker, "patrol", gridA, "p2", day.Add(8*time.Hour), "")                       // 3: another phone
	tap(two, "zero_report", gridA2, "p3", day.Add(24*time.Hour-time.Second), "")       // just before midnight
	tap(two, "zero_report", gridA2, "p3", day.Add(24*time.Hour), "")                   // the day after
	_, units, err := h.s.Patrols(t.Context(), officer.Identity, field.PatrolQuery{From: day, To: day.AddDate(0, 0, 1)})
	if err != nil || len(units) != 1 || units[0].Code != townA || len(units[0].Days) != 2 {
		t.Fatalf("%+v %v", units, err)
	}
	for i, want := range []field.PatrolDay{{Grids: 2, Reported: 2, Patrols: 3, ZeroReports: 2, Found: 1}, {Grids: 2, Reported: 1, ZeroReports: 1}} {
		got := units[0].Days[i]
		got.Day = time.Time{}
		if got != want {
			t.Errorf("day %d: %+v, want %+v", i, got, want)
		}
	}
	_, units, err = h.s.Patrols(t.Context(), officer.Identity, field.PatrolQuery{Area: townA, From: day, To: day})
	if err != nil || len(units) != 2 || units[0].Code != gridA || units[0].Days[0].Patrols != 3 || units[1].Days[0].Reported != 1 {
		t.Errorf("by grid: %+v %v", units, err)
	}
	for name, q := range map[string]field.PatrolQuery{"another county": {Area: countyB, From: day, To: day}} {
		if _, _, err := h.s.Patrols(t.Context(), officer.Identity, q); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := h.s.Patrols(t.Context(), worker.Identity, field.PatrolQuery{From: day, To: day}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a worker counts: %v", err)
	}
	var bad *auth.Invalid
	if _, _, err := h.s.Patrols(t.Context(), officer.Identity, field.PatrolQuery{From: day, To: day.AddDate(1, 0, 0)}); !errors.As(err, &bad) {
		t.Errorf("a year: %v", err)
	}
}

// TestHome: his grid, his township, the desks on duty over him, and his own households.
func TestHome(t *testing.T) {
	h := open(t)
	for _, sql := range []string{
		`insert into duty_roster (id, admin_code, scope, role, unit, post, person, starts_at, ends_at) values
		 ('01900000-0000-7000-d000-000000000001', '990100', code_scope('990100'), 'officer', '县应急管理局', '值班员', '丙', now() - interval '1 hour', now() + interval '1 hour'),
		 ('01900000-0000-7000-d000-000000000002', '990100', code_scope('990100'), 'leader', '县应急管理局', '带班领导', '丁', now() - interval '1 hour', now() + interval '1 hour'),
		 ('01900000-0000-7000-d000-000000000003', '990100101', code_scope('990100101'), 'officer', '甲镇', '值班员', '戊', now() - interval '1 hour', now() + interval '1 hour'),
		 ('01900000-0000-7000-d000-000000000004', '990100101', code_scope('990100101'), 'officer', '甲镇', '值班员', '己', now() + interval '1 hour', now() + interval '2 hours'),
		 ('01900000-0000-7000-d000-000000000005', '990200', code_scope('990200'), 'officer', '乙县', '值班员', '庚', now() - interval '1 hour', now() + interval '1 hour')`,
		`insert into restricted.contact (duty, phone) select id, right(id::text, 1) || '-555' from duty_roster`,
		`insert into restricted.household (admin_code, scope, head, phone, address, persons, elderly, must_move, move) values
		 ('990100101001001', code_scope('990100101001001'), '王户主', '13700000001', '村口', 4, 2, true, '去学校'), ('990100101001001', code_scope('990100101001001'), '不转户', '13700000002', '村里', 2, 0, false, null),
		 ('990100101001002', code_scope('990100101001002'), '邻网格', '13700000003', '坡上', 2, 0, true, '去学校')`,
	} {
		if _, err := h.admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	worker := h.as("worker", auth.GridWorker, gridA)
	home, err := h.s.Home(t.Context(), worker)
	if err != nil || home.Grid == nil || home.Grid.Code != gridA || home.Grid.Name != "一网格" || home.Grid.Bound == nil || home.Township == nil || home.Township.Code != townA || home.Role != auth.GridWorker ||
		home.Rules.UrgentWait != 60 || home.Rules.PhotosMax != 9 || home.Rules.AccuracyWarnM != 30 || home.Rules.OutboxWarnH != 24 {
		t.Errorf("%+v %v", home, err)
	}
	if len(home.DutyPhones) != 2 || home.DutyPhones[0] != (field.Phone{Name: "甲镇 值班员", Phone: "3-555"}) || home.DutyPhones[1].Phone != "1-555" {
		t.Errorf("to ring: %+v", home.DutyPhones)
	}
	if home, err := h.s.Home(t.Context(), h.as("officer", auth.DutyOfficer, countyA)); err != nil || home.Grid != nil || home.Township != nil || len(home.DutyPhones) != 1 {
		t.Errorf("at the desk: %+v %v", home, err)
	}
	if home, err := h.s.Home(t.Context(), h.as("nowhere", auth.GridWorker, "990100101001009")); err != nil || home.Grid != nil {
		t.Errorf("of a grid without an outline: %+v %v", home, err)
	}

	entries := func() (n int) {
		if err := h.admin.QueryRow(t.Context(), `select count(*) from audit.entry where action = 'restricted.households' and reason = '转移前核对' and actor = 'worker'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	list, err := h.s.Households(t.Context(), worker, "转移前核对")
	if err != nil || len(list) != 1 || list[0].Head != "王户主" || list[0].Phone != "13700000001" || list[0].Move != "去学校" || entries() != 1 {
		t.Errorf("%+v %v, %d entries", list, err, entries())
	}
	var bad *auth.Invalid
	if _, err := h.s.Households(t.Context(), worker, "看"); !errors.As(err, &bad) || entries() != 1 {
		t.Errorf("without a reason: %v", err)
	}
	for _, by := range []auth.By{h.as("duty", auth.DutyOfficer, countyA), h.as("viewer", auth.Viewer, gridA), {Identity: &auth.Identity{Kind: auth.Anonymous}}} {
		if list, err := h.s.Households(t.Context(), by, "转移前核对"); !errors.Is(err, auth.ErrForbidden) || list != nil {
			t.Errorf("%s: %v %v", by.Username, list, err)
		}
	}
	// Past the service, under the claims of the neighbour, nothing comes.
	contacts, err := restricted.Open(h.db)
	if err != nil {
		t.Fatal(err)
	}
	neighbour := h.as("neighbour", auth.GridWorker, gridA2)
	if list, err := contacts.Households(t.Context(), neighbour.Writing(neighbour.Grants[0]), neighbour.Doer(neighbour.Grants[0]), gridA, "转移前核对"); !errors.Is(err, restricted.ErrNotFound) || list != nil {
		t.Errorf("the neighbour: %v %v", list, err)
	}
}
