package dangers

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/auth"
)

// as runs a statement as the app role with the claims of somebody's grant, past the
// package, and undoes it. "" means the database let it happen to n rows.
func (o *office) as(by auth.By, d Danger, sql string, args ...any) (state string, n int64) {
	o.t.Helper()
	undo := errors.New("undo")
	g := by.Grants[0]
	err := o.db.Intake.Tx(context.Background(), o.s.claims(by, g, d.Scope), func(tx pgx.Tx) error {
		tag, err := tx.Exec(context.Background(), sql, args...)
		if err != nil {
			return err
		}
		n = tag.RowsAffected()
		return undo
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code, 0
	}
	if !errors.Is(err, undo) {
		return err.Error(), 0
	}
	return "", n
}

// TestTheDatabaseHoldsIt: whoever writes as the app role, the loop stays what it is.
func TestTheDatabaseHoldsIt(t *testing.T) {
	o := newOffice(t)
	closed, rejected := o.at(Closed, Ordinary), o.at(Rejected, Ordinary)
	reported, verified, graded := o.report(), o.at(Verified, Ordinary), o.at(Graded, Serious)
	rectifying, reviewing := o.at(Rectifying, Ordinary), o.at(Reviewing, Ordinary)
	pending, listed := o.at(PendingApproval, Serious), o.at(Reviewing, Serious)
	foreign, _, err := o.s.Create(t.Context(), o.foreign, NewDanger{ID: o.id(), Kind: "fire", Area: "990200"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		by   auth.By
		d    Danger
		want string
		rows int64
		sql  string
		args []any
	}{
		{"a closed one is renamed", o.duty, closed, "OM011", 0, `update dangers set name = 'x' where id = $1`, nil},
		{"a closed one is opened", o.duty, closed, "OM011", 0, `update dangers set state = 'reviewing', closed_at = null where id = $1`, nil},
		{"a closed one is deleted", o.duty, closed, "OM011", 0, `delete from dangers where id = $1`, nil},
		{"a rejected one is verified", o.duty, rejected, "OM011", 0, `update dangers set state = 'verified', code = 'x' where id = $1`, nil},
		{"closed without a review", o.duty, verified, "OM012", 0, `update dangers set state = 'closed', closed_at = now(), reviewer_account = $2 where id = $1`, []any{o.duty.Account}},
		{"verified without a number", o.duty, reported, "OM012", 0, `update dangers set state = 'verified' where id = $1`, nil},
		{"graded without an interim measure", o.duty, verified, "OM012", 0, `update dangers set state = 'graded', level = 2, responsible_unit = 'x', due_at = now(), interim_measure = null, graded_account = $2 where id = $1`, []any{o.duty.Account}},
		{"a serious one without approval", o.duty, graded, "OM012", 0, `update dangers set state = 'rectifying' where id = $1`, nil},
		{"a plan of four", o.duty, graded, "OM012", 0, `update dangers set state = 'pending_approval', plan_responsibility = 'a', plan_measures = 'b', plan_funds = 'c', plan_deadline = 'd', plan_account = $2 where id = $1`, []any{o.duty.Account}},
		{"graded in another's name", o.duty, verified, "OM014", 0, `update dangers set state = 'graded', level = 2, responsible_unit = 'x', due_at = now(), graded_account = $2 where id = $1`, []any{o.duty2.Account}},
		{"approved by a duty officer", o.duty, pending, "OM014", 0, `update dangers set state = 'rectifying', approved_account = $2 where id = $1`, []any{o.duty.Account}},
		{"approved in another's name", o.approver, pending, "OM014", 0, `update dangers set state = 'rectifying', approved_account = $2 where id = $1`, []any{o.approver2.Account}},
		{"passed by who put it right, said to be another", o.duty, reviewing, "OM014", 0, `update dangers set state = 'closed', closed_at = now(), reviewer_account = $2 where id = $1`, []any{o.duty2.Account}},
		{"passed while listed", o.duty, listed, "OM012", 0, `update dangers set state = 'closed', closed_at = now(), reviewer_account = $2 where id = $1`, []any{o.duty.Account}},
		{"taken off the list by a duty officer", o.duty, listed, "OM014", 0, `update dangers set listed = false, listed_account = $2 where id = $1`, []any{o.duty.Account}},
		{"an ordinary one listed", o.approver, rectifying, "OM012", 0, `update dangers set listed = true, listed_account = $2 where id = $1`, []any{o.approver.Account}},
		{"a deadline without approval", o.duty, rectifying, "OM012", 0, `update dangers set due_at = due_at + interval '1 day' where id = $1`, nil},
		{"another level while it is put right", o.duty, rectifying, "OM012", 0, `update dangers set level = 1 where id = $1`, nil},
		{"what was found, later", o.duty, rectifying, "OM011", 0, `update dangers set description = 'x' where id = $1`, nil},
		{"another number", o.duty, verified, "OM011", 0, `update dangers set code = 'x' where id = $1`, nil},
		{"another reporter", o.duty, reported, "OM011", 0, `update dangers set reported_account = $2 where id = $1`, []any{o.duty.Account}},
		{"a worker verifies", o.worker, reported, "OM014", 0, `update dangers set state = 'verified', code = 'x' where id = $1`, nil},
		{"a worker edits what was taken up", o.worker, verified, "OM014", 0, `update dangers set description = 'x' where id = $1`, nil},
		{"another deletes a report", o.duty, reported, "OM014", 0, `delete from dangers where id = $1`, nil},
		{"the unit renames it", o.unit, rectifying, "OM014", 0, `update dangers set name = 'x' where id = $1`, nil},
		{"another unit reports it done", o.otherUnit, rectifying, "OM014", 0, `update dangers set state = 'reviewing', rectified_at = now(), rectifier_account = $2 where id = $1`, []any{o.otherUnit.Account}},
		{"the unit closes it", o.unit, reviewing, "OM014", 0, `update dangers set state = 'closed', closed_at = now(), reviewer_account = $2 where id = $1`, []any{o.unit.Account}},
		{"a viewer writes", o.viewer, reported, "", 0, `update dangers set name = 'x' where id = $1`, nil},
		{"of the other county", o.duty, foreign, "", 0, `update dangers set name = 'x' where id = $1`, nil},
		{"a foreign row is deleted", o.duty, foreign, "", 0, `delete from dangers where id = $1`, nil},
		{"an action is changed", o.duty, closed, "42501", 0, `update danger_action set note = 'x' where danger = $1`, nil},
		{"an action is deleted", o.duty, closed, "42501", 0, `delete from danger_action where danger = $1`, nil},
		{"an action of a foreign one", o.duty, foreign, "42501", 0, `insert into danger_action (danger, action, to_state) values ($1, 'verify', 'verified')`, nil},
		{"fixed on the spot without a picture", o.worker, reported, "23514", 0, `insert into danger_action (danger, action, to_state) values ($1, 'fix_on_spot', 'reviewing')`, nil},
		{"it begins as closed", o.duty, closed, "OM012", 0, `insert into dangers (state, closed_at, admin_code) select 'closed', now(), '990100' where $1::uuid is not null`, nil},
		// And what is right passes, so that the refusals above mean something.
		{"a report is verified", o.duty, reported, "", 1, `update dangers set state = 'verified', code = danger_number(scope, 2026) where id = $1`, nil},
		{"a review is passed", o.duty, reviewing, "", 1, `update dangers set state = 'closed', closed_at = now(), reviewer_account = $2 where id = $1`, []any{o.duty.Account}},
		{"the unit reports it done", o.unit, rectifying, "", 1, `update dangers set state = 'reviewing', rectified_at = now(), rectifier_account = $2 where id = $1`, []any{o.unit.Account}},
		{"a worker corrects his report", o.worker, reported, "", 1, `update dangers set description = 'x' where id = $1`, nil},
	} {
		got, n := o.as(c.by, c.d, c.sql, append([]any{c.d.ID}, c.args...)...)
		if got != c.want || n != c.rows {
			t.Errorf("%s: %q and %d rows, want %q and %d", c.what, got, n, c.want, c.rows)
		}
	}
}

// TestSummaryByHand compares the rates with what was counted by hand.
func TestSummaryByHand(t *testing.T) {
	o := newOffice(t)
	// Unit, state, level, due, reported done, all against noon of 2 March.
	for _, r := range []struct{ unit, state, level, due, done string }{
		{"甲局", "closed", "2", "2026-02-20", "2026-02-19"},    // in time
		{"甲局", "closed", "2", "2026-02-20", "2026-02-25"},    // late
		{"甲局", "closed", "", "", "2026-02-21"},               // fixed on the spot
		{"甲局", "rectifying", "2", "2026-03-01", ""},          // overdue
		{"甲局", "rectifying", "2", "2026-03-08", ""},          // not yet
		{"甲局", "reviewing", "1", "2026-03-01", "2026-02-27"}, // done in time, waits
		{"乙局", "reviewing", "2", "2026-02-20", "2026-02-27"}, // done late
		{"乙局", "pending_approval", "1", "2026-02-28", ""},    // overdue
		{"", "verified", "", "", ""},
		{"甲局", "reported", "", "", ""},
		{"甲局", "rejected", "", "", ""},
	} {
		o.exec(`insert into dangers (admin_code, state, level, responsible_unit, due_at, rectified_at, closed_at, found_at)
			values ('990100', $1, nullif($2, '')::smallint, nullif($3, ''), nullif($4, '')::timestamptz, nullif($5, '')::timestamptz, case when $1 = 'closed' then '2026-03-01'::timestamptz end, '2026-02-10')`, r.state, r.level, r.unit, r.due, r.done)
	}
	o.exec(`insert into dangers (admin_code, state, level, responsible_unit, due_at) values ('990200', 'rectifying', 2, '甲局', '2026-01-01')`) // of the other county
	o.exec(`insert into dangers (admin_code, state, level, responsible_unit, due_at, exercise) values ('990100', 'rectifying', 2, '甲局', '2026-01-01', true)`)
	sum, err := o.s.Summary(t.Context(), o.duty.Identity, SummaryQuery{By: "unit"})
	if err != nil {
		t.Fatal(err)
	}
	share := func(n, of int) *float64 { v := float64(n) / float64(of); return &v }
	want := map[string]Figures{
		"甲局": {Total: 6, Closed: 3, InTime: 2, Open: 3, Overdue: 1, Serious: 1, SeriousOpen: 1, ClosureRate: share(3, 6), InTimeRate: share(2, 4), OverdueRate: share(1, 3)},
		"乙局": {Total: 2, Open: 2, Overdue: 2, Serious: 1, SeriousOpen: 1, ClosureRate: share(0, 2), InTimeRate: share(0, 2), OverdueRate: share(2, 2)},
		"":   {Total: 1, Open: 1, ClosureRate: share(0, 1), OverdueRate: share(0, 1)},
	}
	same := func(a, b *float64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	check := func(got, w Figures) {
		if got.Total != w.Total || got.Closed != w.Closed || got.InTime != w.InTime || got.Open != w.Open || got.Overdue != w.Overdue || got.Serious != w.Serious || got.SeriousOpen != w.SeriousOpen ||
			!same(got.ClosureRate, w.ClosureRate) || !same(got.InTimeRate, w.InTimeRate) || !same(got.OverdueRate, w.OverdueRate) {
			t.Errorf("%q: %+v, want %+v", got.Group, got, w)
		}
	}
	if len(sum.Groups) != len(want) {
		t.Errorf("%d groups, want %d", len(sum.Groups), len(want))
	}
	for _, g := range sum.Groups {
		check(g, want[g.Group])
	}
	check(sum.Whole, Figures{Total: 9, Closed: 3, InTime: 2, Open: 6, Overdue: 3, Serious: 2, SeriousOpen: 2, ClosureRate: share(3, 9), InTimeRate: share(2, 6), OverdueRate: share(3, 6)})
	yes := true
	page, err := o.s.Dangers(t.Context(), o.duty.Identity, Query{Overdue: &yes})
	if err != nil || len(page.Dangers) != 3 {
		t.Errorf("the list of overdue ones: %d, %v; the summary counts 3", len(page.Dangers), err)
	}
	list, days, err := o.s.Reminders(t.Context(), o.duty.Identity, 7, "")
	if err != nil || days != 7 {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, r := range list {
		count[r.Reason]++
	}
	// Due within the week: the one of 8 March. Waiting for a duty officer: reported,
	// verified, and the one in review that is not late.
	if count[RemindOverdue] != 3 || count[RemindDue] != 1 || count[RemindStep] != 3 {
		t.Errorf("reminders %v", count)
	}
	if len(list) > 0 && (list[0].Reason != RemindOverdue || list[0].Days != -10) {
		t.Errorf("the worst comes first: %s, %d days", list[0].Reason, list[0].Days)
	}
}

// TestMeasuresAreLinked both ways, and shown to who may see them.
func TestMeasuresAreLinked(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	d, e := o.at(Rectifying, Ordinary), o.report()
	m, err := o.s.CreateMeasure(ctx, o.duty, Measure{Title: "堤防巡查制度", Kind: "system", Area: county, Unit: "县水利局"})
	if err != nil || m.Number != "CS-990100-2026-0001" {
		t.Fatalf("%+v, %v", m, err)
	}
	for range 2 { // twice is once
		for _, x := range []Danger{d, e} {
			if err := o.s.Link(ctx, o.duty, m.ID, x.ID, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := o.s.Measure(ctx, o.viewer.Identity, m.ID)
	if err != nil || len(got.Linked) != 2 || got.Dangers != 2 {
		t.Errorf("linked: %+v, %v", got, err)
	}
	det, err := o.s.Detail(ctx, o.viewer.Identity, d.ID)
	if err != nil || len(det.Measures) != 1 || det.Measures[0].ID != m.ID {
		t.Errorf("the danger's measures: %+v, %v", det.Measures, err)
	}
	if _, err := o.s.Measure(ctx, o.foreign.Identity, m.ID); code(err) != "absent" {
		t.Errorf("of the other county: %v", err)
	}
	for by, want := range map[string]struct {
		by   auth.By
		code string
	}{"viewer": {o.viewer, "forbidden"}, "worker": {o.worker, "forbidden"}, "unit": {o.unit, "absent"}, "foreign": {o.foreign, "absent"}} {
		state := "done"
		if _, err := o.s.UpdateMeasure(ctx, want.by, m.ID, m.Version, MeasurePatch{State: &state}); code(err) != want.code {
			t.Errorf("changed by %s: %v, want %s", by, err, want.code)
		}
	}
	state := "in_force"
	up, err := o.s.UpdateMeasure(ctx, o.duty, m.ID, m.Version, MeasurePatch{State: &state})
	if err != nil || up.Version != m.Version+1 || up.State != state {
		t.Errorf("updated: %+v, %v", up, err)
	}
	if _, err := o.s.UpdateMeasure(ctx, o.duty, m.ID, m.Version, MeasurePatch{State: &state}); code(err) != "stale" {
		t.Errorf("from an older version: %v", err)
	}
	if err := o.s.Link(ctx, o.duty, m.ID, d.ID, false); err != nil {
		t.Error(err)
	}
	if n := one[int](o, `select count(*)::int from danger_measure`); n != 1 {
		t.Errorf("%d links, want 1", n)
	}
	if n := one[int](o, `select count(*)::int from change_log where layer = 'measures' and id is not null`); n != 2 {
		t.Errorf("%d rows of the feed about measures, want 2", n)
	}
}
