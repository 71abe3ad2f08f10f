package dangers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

// TestLifeCycle is state × role × step: each step is tried by every role from every state,
// and the table alone says which succeed.
func TestLifeCycle(t *testing.T) {
	o := newOffice(t)
	people := []struct {
		by   auth.By
		role auth.Role
	}{{o.worker, auth.GridWorker}, {o.duty3, auth.DutyOfficer}, {o.unit, auth.Unit}, {o.otherUnit, auth.Unit}, {o.approver2, auth.Approver}, {o.commander, auth.Commander}, {o.viewer, auth.Viewer}, {o.foreign, auth.DutyOfficer}}
	for _, level := range []int{Ordinary, Serious} {
		for _, from := range States() {
			if level == Ordinary && from == PendingApproval {
				continue
			}
			base := o.at(from, level)
			for _, to := range States() {
				for _, p := range people {
					d := base
					got := o.try(p.by, d, to)
					want := o.expected(p.by, p.role, d, to)
					if got != want {
						t.Errorf("level %d, %s > %s by %s: %s, want %s", level, from, to, p.by.Username, got, want)
					}
				}
			}
		}
	}
}

// try takes a step whatever its outcome, and undoes it: the claims of the transaction that
// fails in the end are the real ones.
func (o *office) try(by auth.By, d Danger, to State) string {
	seen, err := o.s.Danger(context.Background(), by.Identity, d.ID)
	if err != nil {
		return code(err)
	}
	st, ok := stepOf(seen.State, to)
	if !ok {
		_, err := o.s.Transition(context.Background(), by, d.ID, seen.Version, Transition{To: to, Note: "试一试"})
		return code(err)
	}
	g, err := o.s.permit(by.Identity, st, seen)
	if err != nil {
		return code(err)
	}
	undo := pgx.ErrTxClosed
	err = o.db.Intake.Tx(context.Background(), o.s.claims(by, g, seen.Scope), func(tx pgx.Tx) error {
		now, err := o.s.locked(context.Background(), tx, by, d.ID)
		if err != nil {
			return err
		}
		if _, err := o.s.take(context.Background(), tx, by, g, st, now, Transition{To: to, Note: "试一试", Level: max(d.Level, 1), ResponsibleUnit: "县水利局", InterimMeasure: "巡查", Evidence: []string{picture}, Plan: plan}); err != nil {
			return err
		}
		return undo
	})
	if errors.Is(err, undo) {
		return "ok"
	}
	return code(refusal(seen.State, err))
}

// expected reads the rules as the issue states them, apart from the program's table.
func (o *office) expected(by auth.By, role auth.Role, d Danger, to State) string {
	assigned := by.Username == o.unit.Username && slices.Contains([]State{Graded, PendingApproval, Rectifying, Reviewing, Closed}, d.State)
	switch {
	case by.Username == o.foreign.Username, role == auth.Unit && !assigned, d.State == Draft && by.Username != o.worker.Username:
		return "absent"
	}
	type move struct{ from, to State }
	steps := map[move][]auth.Role{
		{Draft, Reported}: {auth.GridWorker}, {Reported, Verified}: {auth.DutyOfficer}, {Reported, Rejected}: {auth.DutyOfficer}, {Verified, Rejected}: {auth.DutyOfficer},
		{Reported, Reviewing}: {auth.GridWorker, auth.DutyOfficer, auth.Commander}, {Verified, Graded}: {auth.DutyOfficer},
		{Rectifying, Graded}: {auth.DutyOfficer}, {Reviewing, Graded}: {auth.DutyOfficer}, {Graded, Rectifying}: {auth.DutyOfficer},
		{Graded, PendingApproval}: {auth.DutyOfficer, auth.Unit}, {PendingApproval, Graded}: {auth.Approver, auth.Commander}, {PendingApproval, Rectifying}: {auth.Approver, auth.Commander},
		{Rectifying, Reviewing}: {auth.DutyOfficer, auth.Unit}, {Reviewing, Rectifying}: {auth.DutyOfficer}, {Reviewing, Closed}: {auth.DutyOfficer}, {Reviewing, Reviewing}: {auth.DutyOfficer},
	}
	roles, ok := steps[move{d.State, to}]
	switch {
	case !ok && (d.State == Closed || d.State == Rejected):
		return "frozen"
	case !ok:
		return "cannot_follow"
	case !slices.Contains(roles, role):
		return "forbidden"
	case d.State == Graded && to == Rectifying && d.Level == Serious:
		return "needs_plan"
	case d.State == Graded && to == PendingApproval && d.Level == Ordinary:
		return "not_serious"
	case d.State == Reviewing && to == Reviewing:
		return "one_review"
	case d.State == Reviewing && to == Closed && d.Level == Serious:
		return "still_listed"
	}
	return "ok"
}

// TestFixedOnTheSpot goes the short way, with a picture, and another person looks at it.
func TestFixedOnTheSpot(t *testing.T) {
	o := newOffice(t)
	d := o.report()
	if _, err := o.s.Transition(t.Context(), o.worker, d.ID, d.Version, Transition{To: Reviewing}); code(err) != "invalid evidence required" {
		t.Errorf("without a picture: %v", err)
	}
	d = o.take(o.worker, d, Transition{To: Reviewing, Evidence: []string{picture}})
	if !d.FixedOnSpot || d.RectifiedAt == nil || d.DueAt != nil || d.Number != "" {
		t.Errorf("fixed on the spot: %+v", d)
	}
	// The same thing in one message of the phone.
	e, _, err := o.s.Create(t.Context(), o.worker, NewDanger{ID: o.id(), Kind: "fire", FixedOnSpot: true, Evidence: []string{picture}, Geometry: orb.Point{119.05, 34.2}})
	if err != nil || e.State != Reviewing {
		t.Errorf("reported as fixed with a picture: %s, %v", e.State, err)
	}
	d = o.take(o.duty, d, Transition{To: Closed})
	if d.Number != "YH-990100-2026-0001" || d.ClosedAt == nil {
		t.Errorf("closed: %q, %v", d.Number, d.ClosedAt)
	}
	// It was not put right: it gets a level and a deadline then.
	e = o.take(o.duty, e, Transition{To: Rectifying, Note: "通道仍堵", ResponsibleUnit: "县水利局", InterimMeasure: "专人看守"})
	if e.Level != Ordinary || e.DueAt == nil || e.FixedOnSpot || e.Number != "YH-990100-2026-0002" {
		t.Errorf("failed: %+v", e)
	}
}

// TestFourEyes compares persons: who put it right neither passes nor fails it, in any round
// and under any grant.
func TestFourEyes(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	d := o.at(Rectifying, Ordinary)
	d = o.take(o.duty, d, Transition{To: Reviewing, Note: "代报完成", Rectifier: "甲村"})
	for _, to := range []State{Closed, Rectifying} {
		if _, err := o.s.Transition(ctx, o.duty, d.ID, d.Version, Transition{To: to, Note: "不行"}); code(err) != "four_eyes" {
			t.Errorf("who put it right, to %s: %v", to, err)
		}
	}
	d = o.take(o.duty2, d, Transition{To: Rectifying, Note: "仍渗水"})
	d = o.take(o.unit, d, Transition{To: Reviewing, Note: "再灌浆"})
	if _, err := o.s.Transition(ctx, o.duty, d.ID, d.Version, Transition{To: Closed}); code(err) != "four_eyes" {
		t.Errorf("who put it right in an earlier round: %v", err)
	}
	o.take(o.duty2, d, Transition{To: Closed})

	// A person who is approver too does not approve what he graded.
	both := o.duty
	identity := *o.duty.Identity
	identity.Grants = append(slices.Clone(identity.Grants), auth.Grant{ID: o.id(), Account: identity.Account, Role: auth.Approver, Area: county})
	both.Identity = &identity
	s := o.at(PendingApproval, Serious)
	if _, err := o.s.Transition(ctx, both, s.ID, s.Version, Transition{To: Rectifying}); code(err) != "four_eyes" {
		t.Errorf("who graded it approves: %v", err)
	}
	s = o.take(o.approver, s, Transition{To: Rectifying})
	if !s.Listed || s.ListedAt == nil {
		t.Error("an approved serious one is listed")
	}
}

// TestSecondReview is the strict way: two persons, neither of whom put it right.
func TestSecondReview(t *testing.T) {
	o := newOffice(t)
	o.exec(`insert into rule_set (rule, version, title_zh, title_en, body, valid_from) select rule, 2, title_zh, title_en, body || '{"second_review": "all"}', '2020-01-01' from rule_set where rule = 'danger_deadlines'`)
	if reg, ok := o.s.catalogue.(interface{ Reload(context.Context) error }); ok {
		if err := reg.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d := o.at(Reviewing, Ordinary)
	if !d.SecondReview {
		t.Fatal("the rule asks for two reviews")
	}
	try := func(by auth.By, to State) string {
		_, err := o.s.Transition(t.Context(), by, d.ID, d.Version, Transition{To: to})
		return code(err)
	}
	if got := try(o.duty2, Closed); got != "first_review_missing" {
		t.Errorf("closed without a first review: %s", got)
	}
	d = o.take(o.duty2, d, Transition{To: Reviewing})
	if got := try(o.duty3, Reviewing); got != "reviewed_once" {
		t.Errorf("a second first review: %s", got)
	}
	if got := try(o.duty2, Closed); got != "four_eyes" {
		t.Errorf("both reviews by one person: %s", got)
	}
	d = o.take(o.duty3, d, Transition{To: Closed})
	if d.FirstReviewer != "某duty2" || d.Reviewer != "某duty3" {
		t.Errorf("reviewers %q, %q", d.FirstReviewer, d.Reviewer)
	}
}

func TestDeadlinesAndExtensions(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	d := o.at(Verified, Ordinary)
	grade := func(x Transition) error {
		x.To = Graded
		if x.Level == 0 {
			x.Level = Ordinary
		}
		_, err := o.s.Transition(ctx, o.duty, d.ID, d.Version, x)
		return err
	}
	late := start.Add(9 * 24 * time.Hour)
	for want, x := range map[string]Transition{
		"invalid level out_of_range":        {Level: 3, ResponsibleUnit: "县水利局"},
		"invalid responsible_unit required": {},
		"invalid due_at after_limit":        {ResponsibleUnit: "县水利局", DueAt: &late},
		"invalid due_at in_the_past":        {ResponsibleUnit: "县水利局", DueAt: &time.Time{}},
	} {
		if got := code(grade(x)); got != want {
			t.Errorf("graded %+v: %s, want %s", x, got, want)
		}
	}
	bare, _, err := o.s.Create(ctx, o.worker, NewDanger{ID: o.id(), Kind: "flood", Geometry: orb.Point{119.05, 34.2}})
	if err != nil {
		t.Fatal(err)
	}
	bare = o.take(o.duty, bare, Transition{To: Verified})
	if _, err := o.s.Transition(ctx, o.duty, bare.ID, bare.Version, Transition{To: Graded, Level: Ordinary, ResponsibleUnit: "县水利局"}); code(err) != "invalid interim_measure required" {
		t.Errorf("without an interim measure: %v", err)
	}

	d = o.take(o.duty, d, Transition{To: Graded, Level: Ordinary, ResponsibleUnit: "县水利局"})
	want := time.Date(2026, 3, 9, 15, 59, 59, 0, time.UTC) // the last second of the seventh day in Asia/Shanghai
	if !d.DueAt.Equal(want) || !d.FirstDueAt.Equal(want) {
		t.Errorf("due %v, want %v", d.DueAt, want)
	}
	d = o.take(o.duty, d, Transition{To: Rectifying})
	o.clock = want
	if d, _ = o.s.Danger(ctx, o.duty.Identity, d.ID); d.Overdue {
		t.Error("overdue in the last second of its day")
	}
	o.clock = want.Add(time.Second)
	if d, _ = o.s.Danger(ctx, o.duty.Identity, d.ID); !d.Overdue {
		t.Error("not overdue after its day")
	}

	ext := o.id()
	asked, err := o.s.Extend(ctx, o.unit, d.ID, ext, want.Add(72*time.Hour), "材料未到货")
	if err != nil {
		t.Fatal(err)
	}
	if !asked.DueAt.Equal(want) {
		t.Error("asking moves no deadline")
	}
	if _, err := o.s.Extend(ctx, o.unit, d.ID, o.id(), want.Add(96*time.Hour), "再延一次"); code(err) != "extension_open" {
		t.Errorf("a second question: %v", err)
	}
	if _, err := o.s.DecideExtension(ctx, o.unit, d.ID, ext, true, ""); code(err) != "forbidden" {
		t.Errorf("the unit decides: %v", err)
	}
	d, err = o.s.DecideExtension(ctx, o.duty, d.ID, ext, true, "同意")
	if err != nil || !d.DueAt.Equal(want.Add(72*time.Hour)) || !d.FirstDueAt.Equal(want) || d.Overdue {
		t.Errorf("extended: due %v, first %v, overdue %v, %v", d.DueAt, d.FirstDueAt, d.Overdue, err)
	}
	if _, err := o.s.DecideExtension(ctx, o.duty2, d.ID, ext, false, "改主意"); code(err) != "already_decided" {
		t.Errorf("decided twice: %v", err)
	}
	own := o.id()
	if _, err := o.s.Extend(ctx, o.duty, d.ID, own, d.DueAt.Add(24*time.Hour), "代单位申请"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.s.DecideExtension(ctx, o.duty, d.ID, own, true, ""); code(err) != "four_eyes" {
		t.Errorf("who asked decides: %v", err)
	}
	if d, err = o.s.DecideExtension(ctx, o.approver, d.ID, own, true, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := o.s.Extend(ctx, o.duty, d.ID, o.id(), d.DueAt.Add(24*time.Hour), "第三次延期"); code(err) != "too_many_extensions" {
		t.Errorf("a third extension: %v", err)
	}
}

// TestUnitSeesItsOwn: what is assigned to it, and nothing else, in no list and no count.
func TestUnitSeesItsOwn(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	mine, reported := o.at(Rectifying, Ordinary), o.report()
	other := o.at(Verified, Ordinary)
	other = o.take(o.duty, other, Transition{To: Graded, Level: Ordinary, ResponsibleUnit: "县住建局"})
	page, err := o.s.Dangers(ctx, o.unit.Identity, Query{})
	if err != nil || len(page.Dangers) != 1 || page.Dangers[0].ID != mine.ID || !page.Dangers[0].Assigned {
		t.Fatalf("the unit's list: %d, %v", len(page.Dangers), err)
	}
	for _, d := range []Danger{reported, other} {
		if _, err := o.s.Danger(ctx, o.unit.Identity, d.ID); code(err) != "absent" {
			t.Errorf("another's danger: %v", err)
		}
	}
	sum, err := o.s.Summary(ctx, o.unit.Identity, SummaryQuery{By: "unit"})
	if err != nil || sum.Whole.Total != 1 || len(sum.States) != 1 {
		t.Errorf("the unit's counts: %+v, %v", sum, err)
	}
	det, err := o.s.Detail(ctx, o.unit.Identity, mine.ID)
	if err != nil || len(det.Actions) != 4 {
		t.Errorf("actions of its own: %d, %v", len(det.Actions), err)
	}
	if _, err := o.s.Actions(ctx, o.otherUnit.Identity, mine.ID); code(err) != "absent" {
		t.Errorf("another unit's actions: %v", err)
	}
	// Who sees more by another grant does not put right what is another unit's.
	wide := o.otherUnit
	identity := *o.otherUnit.Identity
	identity.Grants = append(slices.Clone(identity.Grants), auth.Grant{ID: o.id(), Account: identity.Account, Role: auth.Viewer, Area: county})
	identity.Reach = auth.ReachOf(identity.Grants, start, 0)
	wide.Identity = &identity
	seen, err := o.s.Danger(ctx, wide.Identity, mine.ID)
	if err != nil || seen.Assigned || len(o.s.May(wide.Identity, seen)) != 0 {
		t.Errorf("another unit that sees the county: assigned %v, may %v, %v", seen.Assigned, o.s.May(wide.Identity, seen), err)
	}
	if _, err := o.s.Transition(ctx, wide, mine.ID, mine.Version, Transition{To: Reviewing, Note: "已整改"}); code(err) != "forbidden" {
		t.Errorf("another unit's danger put right: %v", err)
	}
	// A department is no right without the grant, and a grant none without the department.
	o.exec(`update auth.role_grant set revoked_at = now() where account = $1`, o.unit.Account)
	if page, err = o.s.Dangers(ctx, o.unit.Identity, Query{}); err != nil || len(page.Dangers) != 0 {
		t.Errorf("after the grant was revoked: %d, %v", len(page.Dangers), err)
	}
}

// TestClosedNeverChanges: it is reopened as a new record, linked.
func TestClosedNeverChanges(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	d := o.at(Closed, Ordinary)
	name := "改名"
	if _, err := o.s.Update(ctx, o.duty, d.ID, d.Version, Patch{Name: &name}); code(err) != "frozen" {
		t.Errorf("edited: %v", err)
	}
	if err := o.s.Remove(ctx, o.worker, d.ID, d.Version); code(err) != "taken_up" {
		t.Errorf("removed: %v", err)
	}
	n, err := o.s.Reopen(ctx, o.duty, d.ID, o.id(), "又渗水")
	if err != nil || n.State != Reported || n.Reopens != d.ID || n.Number != "" || n.ID == d.ID {
		t.Fatalf("reopened: %+v, %v", n, err)
	}
	det, err := o.s.Detail(ctx, o.duty.Identity, d.ID)
	if err != nil || det.Version != d.Version || len(det.After) != 1 || det.After[0].ID != n.ID {
		t.Errorf("the old record: version %d, was %d; %+v, %v", det.Version, d.Version, det.After, err)
	}
	if open := o.report(); code(func() error { _, err := o.s.Reopen(ctx, o.duty, open.ID, o.id(), "又来"); return err }()) != "not_closed" {
		t.Error("an open one was reopened")
	}
}

// TestRepeatedReport: the same report twice is one; another under its id is a conflict.
func TestRepeatedReport(t *testing.T) {
	o := newOffice(t)
	n := NewDanger{ID: o.id(), Kind: "fire", Description: "通道堵塞", FoundAt: start, Geometry: orb.Point{119.05, 34.2}}
	if _, created, err := o.s.Create(t.Context(), o.worker, n); err != nil || !created {
		t.Fatal(err)
	}
	if _, created, err := o.s.Create(t.Context(), o.worker, n); err != nil || created {
		t.Errorf("repeated: created %v, %v", created, err)
	}
	n.Description = "别的"
	if _, _, err := o.s.Create(t.Context(), o.worker, n); code(err) != "id_taken" {
		t.Errorf("another content: %v", err)
	}
	n.ID, n.Geometry = o.id(), orb.Point{119.45, 34.2}
	if _, _, err := o.s.Create(t.Context(), o.worker, n); code(err) != "forbidden" {
		t.Errorf("outside his grid: %v", err)
	}
	// The foreign one's id is taken, and nothing is told of it.
	n.Geometry = orb.Point{120.1, 34.2}
	if _, _, err := o.s.Create(t.Context(), o.foreign, n); err != nil {
		t.Fatal(err)
	}
	n.Geometry = orb.Point{119.05, 34.2}
	if _, _, err := o.s.Create(t.Context(), o.worker, n); code(err) != "id_taken" {
		t.Errorf("a foreign id: %v", err)
	}
}
