package zoning

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"onemap/internal/auth"
)

// TestWhoSeesWhichPlan lists and reads one plan in each state, by everybody.
func TestWhoSeesWhichPlan(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	p := o.create(StartTownships)
	nobody := auth.By{Identity: &auth.Identity{Kind: auth.Anonymous, Reach: auth.PublicReach(0)}}
	token := o.person(8, auth.Planner, county)
	token.Identity.Kind, token.Identity.Account = auth.Token, ""
	township := o.person(9, auth.Planner, "990100001")
	people := map[string]auth.By{"planner": o.planner, "approver": o.approver, "viewer": o.viewer, "stranger": o.stranger, "nobody": nobody, "token": token, "township": township}
	see := func(what, want string) {
		t.Helper()
		o.again(&p)
		var got []string
		for name, by := range people {
			_, err := o.s.Plan(ctx, by.Identity, p.ID)
			page, lerr := o.s.Plans(ctx, by.Identity, PlanQuery{Series: p.Series})
			listed := slices.ContainsFunc(page.Plans, func(l Plan) bool { return l.ID == p.ID })
			if lerr != nil || (err == nil) != listed || (err == nil) != o.s.visible(by.Identity, p) {
				t.Errorf("%s, %s: one %v, listed %v (%v), visible %v", what, name, err, listed, lerr, o.s.visible(by.Identity, p))
			}
			for _, ask := range []func() error{
				func() error { _, err := o.s.Zones(ctx, by.Identity, p.ID, nil); return err }, func() error { _, err := o.s.Events(ctx, by.Identity, p.ID); return err },
				func() error { _, err := o.s.Comments(ctx, by.Identity, p.ID); return err }, func() error { _, err := o.s.Reviews(ctx, by.Identity, p.ID); return err },
				func() error { _, err := o.s.Joins(ctx, by.Identity, p.ID); return err },
			} {
				if (ask() == nil) != (err == nil) {
					t.Errorf("%s, %s: sees a part of what he does not see, or the other way round", what, name)
				}
			}
			if err == nil {
				got = append(got, name)
			} else if !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s is seen by %v, want %s", what, got, want)
		}
	}
	o.grade(p.ID)
	see("a draft", "approver planner")
	o.step(o.planner, &p, Transition{To: ExpertReview})
	see("under expert review", "approver planner township viewer")
	o.step(o.planner, &p, Transition{To: Draft})
	see("a draft again", "approver planner")
	o.toPublished(&p, "2025-01-01")
	see("published", "approver planner token township viewer")
	o.exec(`select layer_set_visibility('zones', 'public')`)
	o.reload()
	see("published and public", "approver nobody planner stranger token township viewer")
	v2, err := o.s.NewVersion(ctx, o.planner, p.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	p = v2
	see("a draft of a public layer", "approver planner")
}

// TestPlansAreListedPageByPage: no row twice, none left out, and nothing counted that is
// not shown.
func TestPlansAreListedPageByPage(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	want := map[string]bool{}
	for i := range 7 {
		p, err := o.s.Create(ctx, o.planner, NewPlan{Hazard: []string{"flood", "landslide"}[i%2], Kind: []string{Risk, Prevention}[i%2], Title: fmt.Sprintf("方案%d%%_", i), Area: []string{county, "990100001", "990100002", "990100003"}[i/2], Start: StartEmpty})
		if err != nil {
			t.Fatal(err)
		}
		want[p.ID] = true
	}
	q := PlanQuery{Limit: 3}
	for pages := 0; ; pages++ {
		page, err := o.s.Plans(ctx, o.planner.Identity, q)
		if err != nil || pages > 5 {
			t.Fatal(err)
		}
		for _, p := range page.Plans {
			if !want[p.ID] {
				t.Errorf("%s twice, or not asked for", p.Title)
			}
			delete(want, p.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("left out: %v", want)
	}
	for _, c := range []struct {
		q PlanQuery
		n int
	}{
		{PlanQuery{Hazard: "flood"}, 4}, {PlanQuery{Kind: Prevention}, 3}, {PlanQuery{State: Draft}, 7}, {PlanQuery{State: Published}, 0}, {PlanQuery{Area: "990100001"}, 4}, {PlanQuery{Area: "990200"}, 0},
		{PlanQuery{Text: "方案3"}, 1}, {PlanQuery{Text: "%_"}, 7}, {PlanQuery{Text: "0%"}, 1}, {PlanQuery{Text: "\\"}, 0},
	} {
		if page, err := o.s.Plans(ctx, o.planner.Identity, c.q); err != nil || len(page.Plans) != c.n {
			t.Errorf("%+v: %d plans, want %d (%v)", c.q, len(page.Plans), c.n, err)
		}
	}
	for want, q := range map[string]PlanQuery{"series unknown": {Series: "x"}, "area unknown": {Area: "x"}, "cursor bad_cursor": {Cursor: "x"}, "q length": {Text: strings.Repeat("x", 201)}} {
		if _, err := o.s.Plans(ctx, o.planner.Identity, q); code(err) != want {
			t.Errorf("%+v: %v, want %s", q, err, want)
		}
	}
	if page, err := o.s.Plans(ctx, o.viewer.Identity, PlanQuery{}); err != nil || len(page.Plans) != 0 || page.Next != "" {
		t.Errorf("a viewer: %d drafts, %q (%v)", len(page.Plans), page.Next, err)
	}
}

func TestDraftsAreRenamedAndThrownAway(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	p := o.create(StartTownships)
	o.grade(p.ID)
	for _, c := range []struct {
		by      auth.By
		version int64
		patch   PlanPatch
		want    string
	}{
		{o.viewer, 1, PlanPatch{}, "not found"}, {o.approver, 1, PlanPatch{}, "forbidden"}, {o.planner, 9, PlanPatch{}, "stale"}, {o.planner, 1, PlanPatch{Title: new("")}, "title required"}, {o.planner, 1, PlanPatch{Ladder: new("no")}, "ladder unknown"},
		{o.planner, 1, PlanPatch{Unit: new("no")}, "unit unknown"}, {o.other, 1, PlanPatch{Title: new(" 新名 "), Note: new("说明"), Ladder: new("hazard_4"), Unit: new(UnitTownship)}, ""},
	} {
		if _, err := o.s.Update(ctx, c.by, p.ID, c.version, c.patch); code(err) != c.want {
			t.Errorf("%s: %v, want %q", c.by.Username, err, c.want)
		}
	}
	o.again(&p)
	if p.Title != "新名" || p.Note != "说明" || p.Ladder != "hazard_4" || p.Unit != UnitTownship || p.Version != 2 || p.Responsible != "规划科" {
		t.Errorf("%+v", p)
	}
	if err := o.s.Remove(ctx, o.planner, p.ID, 1); code(err) != "stale" {
		t.Errorf("an old version: %v", err)
	}
	if err := o.s.Remove(ctx, o.approver, p.ID, 2); code(err) != "forbidden" {
		t.Errorf("by an approver: %v", err)
	}
	if err := o.s.Remove(ctx, o.planner, p.ID, 2); err != nil {
		t.Fatal(err)
	}
	var left int
	o.scan(&left, `select (select count(*) from plan) + (select count(*) from zones) + (select count(*) from plan_edit) + (select count(*) from plan_edit_zone) + (select count(*) from plan_event)`)
	if left != 0 {
		t.Errorf("%d rows are left of it", left)
	}
	// One that was submitted is withdrawn, not deleted.
	p = o.create(StartWhole)
	o.grade(p.ID)
	o.again(&p)
	o.step(o.planner, &p, Transition{To: Submitted})
	o.step(o.planner, &p, Transition{To: Draft})
	if err := o.s.Remove(ctx, o.planner, p.ID, p.Version); code(err) != "cannot_follow" {
		t.Errorf("one that was submitted: %v", err)
	}
	if _, err := o.s.Transition(ctx, o.planner, p.ID, p.Version, Transition{To: Withdrawn}); code(err) != "note required" {
		t.Errorf("withdrawn without a word: %v", err)
	}
	o.step(o.planner, &p, Transition{To: Withdrawn, Note: "不再需要"})
	if _, err := o.s.Plan(ctx, o.viewer.Identity, p.ID); code(err) != "not found" {
		t.Errorf("what was never published is seen: %v", err)
	}
}
