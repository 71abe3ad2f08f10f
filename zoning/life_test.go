package zoning

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
	"onemap/zoning/coverage"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := Queries()
	if err != nil {
		t.Fatal(err)
	}
	conn := pgtest.Connect(t, pgtest.Database(t).App)
	if err := q.Prepare(t.Context(), conn); err != nil {
		t.Error(err)
	}
}

func TestAPlanStartsFromItsUnits(t *testing.T) {
	o := newOffice(t)
	for start, want := range map[Start]int{StartWhole: 1, StartTownships: 4, StartEmpty: 0} {
		p := o.create(start)
		if p.Zones != want || p.State != Draft || p.VersionNo != 1 || p.Ladder != "risk_5" || p.Creator != o.planner.Account || p.Bounds == nil {
			t.Errorf("%s: %+v", start, p)
		}
		set, err := o.s.Zones(t.Context(), o.planner.Identity, p.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: set.Area, Exhaustive: true}
		var m2 float64
		for _, z := range set.Zones {
			c.Zones[coverage.ID(z.Zone)] = z.Shape
			m2 += coverage.AreaM2(z.Shape)
			if z.Level != 0 || z.Code == "" || z.Name == "" {
				t.Errorf("%s: zone %+v", start, z)
			}
		}
		if start == StartEmpty {
			continue
		}
		if bad := c.Check(); len(bad) > 0 {
			t.Errorf("%s is no coverage: %+v", start, bad[0])
		}
		if whole := coverage.AreaM2(box(0, 0, 20, 20)); m2 < whole*(1-1e-9) || m2 > whole*(1+1e-9) {
			t.Errorf("%s: %f m² of %f", start, m2, whole)
		}
	}
	for _, c := range []struct {
		name string
		by   auth.By
		mod  func(*NewPlan)
		want string
	}{
		{"a viewer", o.viewer, func(*NewPlan) {}, "forbidden"},
		{"an approver", o.approver, func(*NewPlan) {}, "forbidden"},
		{"a program", auth.By{CLI: true}, func(*NewPlan) {}, "forbidden"},
		{"another county", o.planner, func(n *NewPlan) { n.Area = "990200" }, "forbidden"},
		{"no villages", o.planner, func(n *NewPlan) { n.Start = StartVillages }, "start no_units"},
		{"no border", o.planner, func(n *NewPlan) { n.Area = "990100009" }, "area unknown"},
		{"no code", o.planner, func(n *NewPlan) { n.Area = "x" }, "area unknown"},
		{"no hazard", o.planner, func(n *NewPlan) { n.Hazard = "dragons" }, "hazard unknown"},
		{"no ladder", o.planner, func(n *NewPlan) { n.Ladder = "hazard" }, "ladder unknown"},
		{"no title", o.planner, func(n *NewPlan) { n.Title = " " }, "title required"},
		{"no kind", o.planner, func(n *NewPlan) { n.Kind = "x" }, "kind unknown"},
	} {
		n := NewPlan{Hazard: "hazchem", Kind: Risk, Title: "洪水", Area: county, Exhaustive: true}
		c.mod(&n)
		if _, err := o.s.Create(t.Context(), c.by, n); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	var n int
	o.scan(&n, `select count(*) from audit.entry where action = 'plan.create'`)
	if n != 3 {
		t.Errorf("%d entries of plans made, want 3", n)
	}
}

// TestTheWholeLife takes a plan from the draft to what replaces it, and tries on the way
// whatever is not allowed.
func TestTheWholeLife(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	p := o.create(StartTownships)
	no := func(what string, by auth.By, tr Transition, want string) {
		t.Helper()
		before := p.State
		if _, err := o.s.Transition(ctx, by, p.ID, p.Version, tr); code(err) != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
		var now State
		if o.scan(&now, `select state from plan where id = $1`, p.ID); now != before {
			t.Fatalf("%s: the plan is %s now", what, now)
		}
	}
	may := func(by auth.By, want string) {
		t.Helper()
		o.again(&p)
		if got := strings.Join(o.s.May(by.Identity, p), " "); got != want {
			t.Errorf("%s, %s may %q, want %q", p.State, by.Username, got, want)
		}
	}
	may(o.planner, "edit compute consult expert_review submit withdraw comment answer delete")
	may(o.approver, "comment")
	may(o.viewer, "")
	no("submitted ungraded", o.planner, Transition{To: Submitted}, "ungraded")
	no("submitted by a viewer", o.viewer, Transition{To: Submitted}, "not found")
	no("submitted by an approver", o.approver, Transition{To: Submitted}, "forbidden")
	no("published at once", o.approver, Transition{To: Published, DocumentNo: "x", EffectiveFrom: day("2025-01-01")}, "cannot_follow")
	no("to nowhere", o.planner, Transition{To: "x"}, "cannot_follow")
	o.grade(p.ID)

	// 征求意见: read and commented on, not edited.
	o.again(&p)
	o.step(o.planner, &p, Transition{To: Consultation, Note: "征求各乡镇意见"})
	may(o.planner, "recall withdraw comment answer")
	may(o.viewer, "comment")
	if _, err := o.edit(p.ID, Step{Op: coverage.Op{Zones: []coverage.ID{"x"}}, Relevel: true, Set: Attributes{Level: new(1)}}); err == nil {
		t.Error("edited while it is consulted on")
	}
	var first string
	for id, z := range o.zones(p.ID) {
		if z.Code == "990100001" {
			first = id // in the township the viewer reads
		}
	}
	at := orb.Point{121.5005, 25.0005}
	said, err := o.s.Comment(ctx, o.viewer, NewComment{Plan: p.ID, Zone: first, At: &at, Unit: "一乡", Body: "边界应以河道为准"})
	if err != nil || said.Round != "consultation" || said.Zone != first || said.ZoneName == "" || said.At == nil || *said.At != at || said.By != "person5" {
		t.Fatalf("%+v %v", said, err)
	}
	for want, n := range map[string]NewComment{
		"body required": {Plan: p.ID, Body: "  "}, "zone unknown": {Plan: p.ID, Body: "x", Zone: "0192f0c1-1111-7000-8000-000000000000"}, "at out_of_range": {Plan: p.ID, Body: "x", At: &orb.Point{200, 0}},
		"not found": {Plan: "0192f0c1-1111-7000-8000-000000000000", Body: "x"}, "body length": {Plan: p.ID, Body: strings.Repeat("长", 4001)},
	} {
		if _, err := o.s.Comment(ctx, o.viewer, n); code(err) != want {
			t.Errorf("comment: %v, want %s", err, want)
		}
	}
	if _, err := o.s.Comment(ctx, o.stranger, NewComment{Plan: p.ID, Body: "x"}); code(err) != "not found" {
		t.Errorf("a comment from another county: %v", err)
	}
	o.step(o.planner, &p, Transition{To: Draft})
	no("submitted with an open opinion", o.planner, Transition{To: Submitted}, "comments_open")
	for _, c := range []struct {
		by      auth.By
		version int64
		a       Answer
		want    string
	}{
		{o.viewer, 1, Answer{Adopted, ""}, "not found"}, {o.approver, 1, Answer{Adopted, ""}, "forbidden"}, {o.planner, 2, Answer{Adopted, ""}, "stale"}, {o.planner, 1, Answer{NotAdopted, " "}, "reason required"},
		{o.planner, 1, Answer{"maybe", ""}, "answer unknown"}, {o.planner, 1, Answer{Partly, "河道未定线"}, ""}, {o.planner, 1, Answer{Adopted, ""}, "stale"},
	} {
		if _, err := o.s.Answer(ctx, c.by, p.ID, said.ID, c.version, c.a); code(err) != c.want {
			t.Errorf("%s answers %+v: %v, want %s", c.by.Username, c.a, err, c.want)
		}
	}
	o.again(&p)
	if p.Comments != 1 || p.OpenComments != 0 {
		t.Errorf("%d opinions, %d open", p.Comments, p.OpenComments)
	}
	if c, err := o.s.Comments(ctx, o.planner.Identity, p.ID); err != nil || len(c) != 1 || c[0].AnsweredBy != "某1" || p.CreatedBy != "某1" {
		t.Errorf("people go by their names: %+v, made by %q, %v", c, p.CreatedBy, err)
	}

	// Submitted by another planner than who drew it.
	if _, err := o.s.Transition(ctx, o.other, p.ID, p.Version-1, Transition{To: Submitted}); code(err) != "stale" {
		t.Errorf("with an old version: %v", err)
	}
	o.step(o.other, &p, Transition{To: Submitted})
	may(o.planner, "recall withdraw comment answer")
	may(o.approver, "start_review comment")
	both := o.person(7, auth.Approver, county)
	both.Identity.Account = o.planner.Account // the same person, in another role
	no("reviewed by who drew it", both, Transition{To: InReview}, "four_eyes")
	both.Identity.Account = o.other.Account
	no("reviewed by who submitted it", both, Transition{To: InReview}, "four_eyes")
	no("reviewed by a planner", o.planner, Transition{To: InReview}, "forbidden")
	no("reviewed from another county", o.stranger, Transition{To: InReview}, "not found")
	o.step(o.approver, &p, Transition{To: InReview})

	// Zone by zone.
	no("approved unseen", o.approver, Transition{To: Approved}, "not_accepted")
	no("returned for nothing", o.approver, Transition{To: Returned}, "reason_required")
	if _, err := o.s.Review(ctx, both, p.ID, first, Verdict{Accepted, ""}); code(err) != "four_eyes" {
		t.Errorf("reviewed by who submitted: %v", err)
	}
	if _, err := o.s.Review(ctx, o.approver, p.ID, first, Verdict{SentBack, " "}); code(err) != "reason required" {
		t.Errorf("sent back without a reason: %v", err)
	}
	if _, err := o.s.Review(ctx, o.approver, p.ID, "0192f0c1-1111-7000-8000-000000000000", Verdict{Accepted, ""}); code(err) != "not found" {
		t.Errorf("no such zone: %v", err)
	}
	if _, err := o.s.Review(ctx, o.planner, p.ID, first, Verdict{Accepted, ""}); code(err) != "forbidden" {
		t.Errorf("reviewed by a planner: %v", err)
	}
	if r, err := o.s.Review(ctx, o.approver, p.ID, first, Verdict{SentBack, "等级偏低"}); err != nil || !r.Current || r.Verdict != SentBack {
		t.Errorf("%+v %v", r, err)
	}
	if n, err := o.s.ReviewAll(ctx, o.approver, p.ID); err != nil || n != 3 {
		t.Errorf("%d accepted, %v", n, err)
	}
	o.again(&p)
	if p.Accepted != 3 || p.ReturnedZones != 1 {
		t.Errorf("%d accepted, %d returned", p.Accepted, p.ReturnedZones)
	}
	no("approved with a zone returned", o.approver, Transition{To: Approved}, "not_accepted")
	o.step(o.approver, &p, Transition{To: Returned})
	o.mustEdit(p.ID, Step{Op: coverage.Op{Zones: []coverage.ID{coverage.ID(first)}}, Relevel: true, Set: Attributes{Level: new(1), Reason: new("按审查意见")}})
	o.again(&p)
	o.step(o.planner, &p, Transition{To: Submitted})
	o.step(o.approver, &p, Transition{To: InReview})
	// What was accepted and not changed stays accepted; what was changed is looked at anew.
	if list, err := o.s.Reviews(ctx, o.approver.Identity, p.ID); err != nil || len(list) != 4 || slices.ContainsFunc(list, func(r Review) bool { return r.Current == (r.Zone == first) }) {
		t.Errorf("%+v %v", list, err)
	}
	no("approved with a changed zone", o.approver, Transition{To: Approved}, "not_accepted")
	if n, err := o.s.ReviewAll(ctx, o.approver, p.ID); err != nil || n != 1 {
		t.Fatalf("%d accepted anew, want the changed one (%v)", n, err)
	}
	o.again(&p)
	no("approved by who drew it", func() auth.By { both.Identity.Account = o.planner.Account; return both }(), Transition{To: Approved}, "four_eyes")
	o.step(o.approver, &p, Transition{To: Approved})
	if p.ApprovedBy != "某3" {
		t.Errorf("approved by %q", p.ApprovedBy)
	}

	// Published from a day on.
	no("published without a document", o.second, Transition{To: Published, EffectiveFrom: day("2025-01-01")}, "document_no required")
	no("published without a day", o.second, Transition{To: Published, DocumentNo: "甲政发〔2025〕1号"}, "effective_from required")
	no("published by who drew it", both, Transition{To: Published, DocumentNo: "x", EffectiveFrom: day("2025-01-01")}, "four_eyes")
	no("published by a planner", o.planner, Transition{To: Published, DocumentNo: "x", EffectiveFrom: day("2025-01-01")}, "forbidden")
	o.step(o.second, &p, Transition{To: Published, DocumentNo: "甲政发〔2025〕1号", EffectiveFrom: day("2025-01-01")})
	if !p.InForce || p.DocumentNo != "甲政发〔2025〕1号" || p.PublishedBy != "某4" || p.EffectiveTo != nil {
		t.Errorf("%+v", p)
	}
	var shown int
	o.scan(&shown, `select count(*) from zones where plan = $1 and published and valid_from = '2025-01-01 00:00+08' and valid_to is null`, p.ID)
	if shown != 4 {
		t.Errorf("%d zones are shown, want 4", shown)
	}
	may(o.planner, "new_version")
	may(o.approver, "repeal")
	if _, err := o.s.Comment(ctx, o.viewer, NewComment{Plan: p.ID, Body: "晚了"}); code(err) != "cannot_follow" {
		t.Errorf("an opinion on a published plan: %v", err)
	}
	no("returned after publishing", o.approver, Transition{To: Returned, Note: "改"}, "cannot_follow")
	if _, err := o.s.Update(ctx, o.planner, p.ID, p.Version, PlanPatch{Title: new("改名")}); code(err) != "not_editable" {
		t.Errorf("renamed after publishing: %v", err)
	}
	if err := o.s.Remove(ctx, o.planner, p.ID, p.Version); code(err) != "not_editable" {
		t.Errorf("deleted after publishing: %v", err)
	}

	// Every step was written down, with who took it.
	events, err := o.s.Events(ctx, o.viewer.Identity, p.ID)
	var way []string
	for _, e := range events {
		way = append(way, string(e.To)+" "+e.By)
	}
	if want := "draft person1,consultation person1,draft person1,submitted person2,in_review person3,returned person3,submitted person1,in_review person3,approved person3,published person4"; strings.Join(way, ",") != want || err != nil {
		t.Errorf("%v, want %s (%v)", way, want, err)
	}
	var audited int
	o.scan(&audited, `select count(*) from audit.entry where action in ('plan.consult', 'plan.recall', 'plan.submit', 'plan.start_review', 'plan.return', 'plan.approve', 'plan.publish') and object = 'plans/' || $1`, p.ID)
	if audited != 9 {
		t.Errorf("%d entries of the audit, want 9", audited)
	}

	// The next version: the same zones, and a day on which it takes over.
	v2, err := o.s.NewVersion(ctx, o.planner, p.ID, "按新洪痕修订")
	if err != nil || v2.VersionNo != 2 || v2.Parent != p.ID || v2.Series != p.Series || v2.Zones != 4 || v2.State != Draft {
		t.Fatalf("%+v %v", v2, err)
	}
	var same int
	o.scan(&same, `select count(*) from zones a join zones b on b.plan = $2 and b.zone = a.zone and st_asewkb(b.geom) = st_asewkb(a.geom) and b.level = a.level where a.plan = $1`, p.ID, v2.ID)
	if same != 4 {
		t.Errorf("%d zones are the same, want 4", same)
	}
	if _, err := o.s.NewVersion(ctx, o.other, p.ID, ""); code(err) != "open_version" {
		t.Errorf("a second draft: %v", err)
	}
	o.mustEdit(v2.ID, Step{Op: coverage.Op{Zones: []coverage.ID{coverage.ID(first)}}, Relevel: true, Set: Attributes{Level: new(4), Reason: new("堤防达标")}})
	o.again(&v2)
	o.step(o.planner, &v2, Transition{To: Submitted})
	o.step(o.approver, &v2, Transition{To: InReview})
	if _, err := o.s.ReviewAll(ctx, o.approver, v2.ID); err != nil {
		t.Fatal(err)
	}
	o.again(&v2)
	o.step(o.approver, &v2, Transition{To: Approved})
	if _, err := o.s.Transition(ctx, o.second, v2.ID, v2.Version, Transition{To: Published, DocumentNo: "2", EffectiveFrom: day("2024-12-31")}); code(err) != "effective_from before_current" {
		t.Errorf("in force before the one before: %v", err)
	}
	o.step(o.second, &v2, Transition{To: Published, DocumentNo: "甲政发〔2026〕2号", EffectiveFrom: day("2026-03-01")})
	o.again(&p)
	if p.State != Superseded || p.EffectiveTo == nil || date(*p.EffectiveTo) != "2026-03-01" || p.InForce || !v2.InForce {
		t.Errorf("the version before: %+v", p)
	}
	var ended int
	o.scan(&ended, `select count(*) from zones where plan = $1 and published and valid_to = '2026-03-01 00:00+08'`, p.ID)
	if ended != 4 {
		t.Errorf("%d zones of it end, want 4", ended)
	}

	// 废止.
	if _, err := o.s.Transition(ctx, o.approver, v2.ID, v2.Version, Transition{To: Withdrawn}); code(err) != "note required" {
		t.Errorf("repealed without a word: %v", err)
	}
	if _, err := o.s.Transition(ctx, o.approver, v2.ID, v2.Version, Transition{To: Withdrawn, Note: "上位规划调整", EffectiveFrom: day("2026-02-01")}); code(err) != "effective_from before_it_began" {
		t.Errorf("repealed before it began: %v", err)
	}
	o.step(o.approver, &v2, Transition{To: Withdrawn, Note: "上位规划调整"})
	if v2.InForce || v2.State != Withdrawn || v2.EffectiveTo == nil {
		t.Errorf("%+v", v2)
	}
	if _, err := o.s.Plan(ctx, o.viewer.Identity, v2.ID); err != nil {
		t.Errorf("what was in force stays to be seen: %v", err)
	}

	// History: as of before the publication the rows say what they said.
	var before int
	o.scan(&before, `select count(*) from zones_history where plan = $1 and not published and valid_from is null`, p.ID)
	if before == 0 {
		t.Error("no history of the draft")
	}
}

// TestAPlanWithAFaultGoesNowhere: a gap is no state of mind.
func TestAPlanWithAFaultGoesNowhere(t *testing.T) {
	o := newOffice(t)
	p := o.create(StartTownships)
	o.grade(p.ID)
	o.exec(`delete from zones where plan = $1 and code = '990100004'`, p.ID)
	o.again(&p)
	_, err := o.s.Transition(t.Context(), o.planner, p.ID, p.Version, Transition{To: Submitted})
	v := new(ViolationsError)
	if !errors.As(err, &v) || v.Violations[0].Code != coverage.Gap {
		t.Errorf("submitted with a gap: %v", err)
	}
	o.exec(`update plan set responsible = null where id = $1`, p.ID)
	if _, err := o.s.Transition(t.Context(), o.planner, p.ID, p.Version, Transition{To: Submitted}); code(err) != "responsible_missing" {
		t.Errorf("submitted by nobody's office: %v", err)
	}
}

// TestOnlyOneStepIsTaken: many press the button at once.
func TestOnlyOneStepIsTaken(t *testing.T) {
	o := newOffice(t)
	p := o.create(StartTownships)
	o.grade(p.ID)
	o.again(&p)
	race := func(n int, do func(i int) error) (won int) {
		var wg sync.WaitGroup
		errs := make([]error, n)
		for i := range n {
			wg.Go(func() { errs[i] = do(i) })
		}
		wg.Wait()
		for _, err := range errs {
			switch c := code(err); c {
			case "":
				won++
			case "stale", "cannot_follow", "open_version", "not_editable":
			default:
				t.Errorf("%s", c)
			}
		}
		return won
	}
	if n := race(4, func(i int) error {
		to := Transition{To: Submitted}
		if i%2 == 1 {
			to = Transition{To: Consultation}
		}
		_, err := o.s.Transition(context.Background(), []auth.By{o.planner, o.other}[i/2], p.ID, p.Version, to)
		return err
	}); n != 1 {
		t.Errorf("%d of four steps were taken", n)
	}
	q := o.create(StartTownships)
	o.grade(q.ID)
	o.toPublished(&q, "2025-01-01")
	if n := race(4, func(i int) error {
		_, err := o.s.NewVersion(context.Background(), []auth.By{o.planner, o.other}[i%2], q.ID, "")
		return err
	}); n != 1 {
		t.Errorf("%d of four drafts were made", n)
	}
}

// TestTheDemoPlanGetsAVersion: what the demo county was loaded with is off the grid and
// was made by nobody; the next version is a coverage, and belongs to the demo.
func TestTheDemoPlanGetsAVersion(t *testing.T) {
	o := newOffice(t)
	const id = "0192f0c1-2222-7000-8000-000000000001"
	o.exec(`insert into dataset (name, title, demo) values ('demo', '演示', true)`)
	o.exec(`insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope, state, document_no, effective_from, dataset)
		select $1, $1, 1, 'multi', 'risk', 'p', $2, code_scope($2), 'published', 'd', '2025-01-01', id from dataset where demo`, id, county)
	o.exec(`insert into zones (dataset, source_key, plan, zone, level, name, admin_code, published, valid_from, geom)
		select d.id, n::text, $1, uuid_v7(), n, 'n' || n, $2, true, '2025-01-01Z', st_setsrid(st_makeenvelope(121.5 + n * 0.0010000000123, 25, 121.5 + (n + 1) * 0.0010000000123, 25.00100000001), 4490)
		from dataset d, generate_series(1, 3) n where demo`, id, county)
	v2, err := o.s.NewVersion(t.Context(), o.planner, id, "")
	if err != nil {
		t.Fatal(explain(err))
	}
	if v2.Zones != 3 || !v2.Demo || v2.VersionNo != 2 {
		t.Errorf("%+v", v2)
	}
	o.whole(v2.ID)
	o.exec(`update plan set responsible = '规划科' where id = $1`, v2.ID)
	o.again(&v2)
	o.toPublished(&v2, "2026-01-01")
	var state State
	if o.scan(&state, `select state from plan where id = $1`, id); state != Superseded || !v2.InForce {
		t.Errorf("the loaded plan is %s", state)
	}
	var own int
	o.scan(&own, `select count(*) from zones where plan = $1 and dataset = (select id from dataset where demo)`, v2.ID)
	if own != 3 {
		t.Errorf("%d zones go with the demo, want 3", own)
	}
}

// snapshotsAt reads how many zones a version had as of a moment, the way as_of= does.
func (o *office) snapshotsAt(plan string, at time.Time) (n int) {
	o.scan(&n, `select count(*) from (select id, published from zones where plan = $1 and recorded_at <= $2 union all select id, published from zones_history where plan = $1 and recorded_at <= $2 and sys_to > $2) x where published`, plan, at)
	return n
}

// TestHistoryAnswersAsOf: publishing, superseding and repealing are in the history; what
// a zone said before is read as it was.
func TestHistoryAnswersAsOf(t *testing.T) {
	o := newOffice(t)
	p := o.create(StartTownships)
	o.grade(p.ID)
	moment := func() (at time.Time) { o.scan(&at, `select clock_timestamp()`); return at }
	draft := moment()
	o.toPublished(&p, "2025-01-01")
	published := moment()
	o.step(o.approver, &p, Transition{To: Withdrawn, Note: "废止", EffectiveFrom: day("2026-01-01")})
	if a, b := o.snapshotsAt(p.ID, draft), o.snapshotsAt(p.ID, published); a != 0 || b != 4 {
		t.Errorf("as of the draft %d are shown, as of the publication %d, want 0 and 4", a, b)
	}
	var open int
	o.scan(&open, `select count(*) from zones_history where plan = $1 and published and valid_to is null and recorded_at <= $2 and sys_to > $2`, p.ID, published)
	if open != 4 {
		t.Errorf("as of the publication %d rows had no end, want 4", open)
	}
}
