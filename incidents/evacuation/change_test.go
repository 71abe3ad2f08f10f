package evacuation_test

import (
	"errors"
	"testing"

	"onemap/incidents/evacuation"
	"onemap/internal/auth"
)

const updated = "01900000-0000-7000-8000-0000000000a2"

// update replaces the warning by one of another extent in the same chain.
func (h *house) update(id, before string, from, to float64) {
	h.t.Helper()
	h.exec(`update alerts set state = 'updated', chain = coalesce(chain, id) where id = $1`, before)
	h.exec(`insert into alerts (id, name, headline, level, state, status, chain, admin_code, geom)
		select $1::uuid, '暴雨', '暴雨红色预警更新', 1, 'active', 'Actual', chain, '990100', st_setsrid(st_makeenvelope($3, 34.01, $4, 34.09), 4490) from alerts where id = $2::uuid`, id, before, from, to)
}

func codes(list []evacuation.Named) (out string) {
	for _, n := range list {
		out += n.Code + " "
	}
	return out
}

// TestAnUpdateIsOfferedAndNothingFallsOffTheList: the update leaves one village of the list
// out and brings another; both wait for a person.
func TestAnUpdateIsOfferedAndNothingFallsOffTheList(t *testing.T) {
	h := open(t)
	const third = "990100101003"
	h.exec(`insert into admin (code, admin_code, name, rank, geom) values ('` + third + `', '` + third + `', '南村', 5, st_setsrid(st_makeenvelope(119.2, 34, 119.3, 34.1), 4490))`)
	h.exec(`insert into hazards (name, admin_code, level, threatened_persons, geom) values ('滑坡', '` + third + `', 1, 50, st_setsrid(st_makepoint(119.25, 34.05), 4490))`)
	boss, viewer, far := h.as("boss", auth.Commander, county), h.as("viewer", auth.Viewer, county), h.as("far", auth.Commander, other)
	c := h.callout(boss)
	ask := func() evacuation.Changes {
		t.Helper()
		ch, err := h.s.Changes(t.Context(), boss.Identity, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return ch
	}
	if ch := ask(); len(ch.Added)+len(ch.Left) != 0 || ch.Alert != alert {
		t.Fatalf("nothing was updated: %+v", ch)
	}
	h.update(updated, alert, 119.01, 119.09)
	if ch := ask(); codes(ch.Left) != villageB+" " || len(ch.Added) != 0 || ch.Alert != updated {
		t.Fatalf("narrower: %+v", ch)
	}
	const last = "01900000-0000-7000-8000-0000000000a3"
	h.exec(`update alerts set state = 'updated' where id = $1`, updated)
	h.exec(`insert into alerts (id, name, headline, level, state, status, chain, admin_code, geom)
		select $1::uuid, '暴雨', '暴雨红色预警再更新', 1, 'active', 'Actual', chain, '990100', st_collect(st_setsrid(st_makeenvelope(119.01, 34.01, 119.09, 34.09), 4490), st_setsrid(st_makeenvelope(119.21, 34.01, 119.29, 34.09), 4490)) from alerts where id = $2::uuid`, last, updated)
	ch := ask()
	if codes(ch.Added) != third+" " || codes(ch.Left) != villageB+" " {
		t.Fatalf("%+v", ch)
	}
	if b := h.board(boss, c.ID); len(b.Villages) != 2 || b.Villages[1].LeftAt != nil {
		t.Fatalf("something happened by itself: %+v", b.Villages)
	}
	try := func(by auth.By, change evacuation.Change) error {
		_, err := h.s.Change(t.Context(), by, c.ID, change)
		return err
	}
	for _, by := range []auth.By{viewer, far} {
		if err := try(by, evacuation.Change{Add: []string{third}, Note: "预警扩大"}); !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", by.Username, err)
		}
	}
	if err := try(boss, evacuation.Change{Add: []string{third}}); invalidAt(err) != "note" {
		t.Errorf("without a word why: %v", err)
	}
	if err := try(boss, evacuation.Change{Left: []string{villageA}, Note: "预警更新"}); invalidAt(err) != "left" {
		t.Errorf("a village that is inside: %v", err)
	}
	officer := h.as("duty", auth.DutyOfficer, county)
	if err := try(officer, evacuation.Change{Add: []string{third}, Note: "预警扩大"}); invalidAt(err) != "consulted.name" {
		t.Errorf("one alone: %v", err)
	}
	for range 2 { // pressed twice it is done once
		out, err := h.s.Change(t.Context(), boss, c.ID, evacuation.Change{Add: []string{third}, Left: []string{villageB}, Note: "预警更新，南村在内，西村不在"})
		if err != nil || out.Villages != 3 || out.Version <= c.Version {
			t.Fatalf("%+v %v", out, err)
		}
	}
	b := h.board(boss, c.ID)
	if len(b.Villages) != 3 || b.Villages[0].Code != third || b.Villages[0].AddedAt == nil || b.Villages[2].Code != villageB || b.Villages[2].LeftAt == nil || b.Totals.ToMove != 63 {
		t.Errorf("the worst first, nobody dropped: %+v", b.Villages)
	}
	list := h.targets(boss, c.ID, evacuation.TargetFilter{})
	if len(list) != 6 || list[0].Village != third || list[0].Role != evacuation.VillageHead || list[2].Village != villageB {
		t.Errorf("%+v", list)
	}
	if ch = ask(); len(ch.Added)+len(ch.Left) != 0 || codes(ch.Late) != third+" " || codes(ch.Gone) != villageB+" " || ch.Gone[0].By == "" {
		t.Errorf("%+v", ch)
	}
	if n := h.count(`select count(*) from audit.entry where action = 'callout.change' and after::text like '%` + third + `%'`); n != 1 {
		t.Errorf("%d entries of the audit", n)
	}
	// Inside again: offered, and put on by a person, with the targets it had.
	const again = "01900000-0000-7000-8000-0000000000a4"
	h.update(again, last, 119.01, 119.29)
	if ch = ask(); codes(ch.Added) != villageB+" " {
		t.Fatalf("%+v", ch)
	}
	if err := try(boss, evacuation.Change{Add: []string{villageB}, Note: "预警再次扩大"}); err != nil {
		t.Fatal(err)
	}
	if list := h.targets(boss, c.ID, evacuation.TargetFilter{}); len(list) != 6 {
		t.Errorf("%d targets", len(list))
	}
	if b := h.board(boss, c.ID); b.Villages[2].LeftAt != nil {
		t.Errorf("%+v", b.Villages[2])
	}
}

// TestWhatHappensToAVillageIsTold: the villages of a call-out have no place of their own in
// the feed, so whatever is written to them is told of as a change of the call-out, to the
// areas of all its villages.
func TestWhatHappensToAVillageIsTold(t *testing.T) {
	h := open(t)
	boss := h.as("boss", auth.Commander, county)
	c := h.callout(boss)
	told := func() int {
		return h.count(`select count(*) from change_log where layer = 'callouts' and id = '` + c.ID + `' and new_scope @> int8multirange(code_scope('` + villageA + `'), code_scope('` + villageB + `'))`)
	}
	was := told()
	if was == 0 {
		t.Fatal("the call-out is not told of")
	}
	change := func(ch evacuation.Change) {
		t.Helper()
		ch.Note = "预警更新"
		if _, err := h.s.Change(t.Context(), boss, c.ID, ch); err != nil {
			t.Fatal(err)
		}
		if n := told(); n != was+1 {
			t.Errorf("%+v is told of %d times", ch, n-was)
		}
		was = told()
	}
	h.update(updated, alert, 119.01, 119.09)
	change(evacuation.Change{Left: []string{villageB}})
	h.update("01900000-0000-7000-8000-0000000000a3", updated, 119.01, 119.19)
	change(evacuation.Change{Add: []string{villageB}})
}
