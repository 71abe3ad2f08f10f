package zoning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
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

// unit puts an administrative unit on the map.
func (w *table) unit(code, name string, rank int, shape coverage.Shape) {
	w.t.Helper()
	w.exec(`insert into admin (code, admin_code, name, rank, geom) values ($1, $1, $2, $3, $4)`, code, name, rank, geo.Shape{Geometry: shape.Geometry()})
}

// county puts the county on the map: 20 by 20 steps of pt, four townships that do not
// fit together exactly, and a neighbour in the east.
func (w *table) county() {
	w.unit(county, "甲县", 3, box(0, 0, 20, 20))
	w.unit("990100001", "一乡", 4, box(0, 0, 10, 10))
	w.unit("990100002", "二乡", 4, coverage.Shape{{ring(10, 0, 20, 0, 20, 10, 10, 10, 10.001, 5)}}) // a sliver beside 一乡
	w.unit("990100003", "三乡", 4, box(0, 9.999, 10, 20))                                           // over 一乡 and by
	w.unit("990100004", "四乡", 4, box(10, 10, 20, 20))
	w.unit("990200", "乙县", 3, box(20, 0, 40, 20))
}

type office struct {
	*table

	planner, other, approver, second, viewer, stranger auth.By
}

func newOffice(t testing.TB) *office {
	w := newTable(t)
	w.county()
	return &office{table: w, planner: w.by, other: w.person(2, auth.Planner, county), approver: w.person(3, auth.Approver, county), second: w.person(4, auth.Approver, county),
		viewer: w.person(5, auth.Viewer, "990100001"), stranger: w.person(6, auth.Approver, "990200")}
}

func (o *office) create(start Start) Plan {
	o.t.Helper()
	p, err := o.s.Create(context.Background(), o.planner, NewPlan{Hazard: o.hazard("flood"), Kind: Risk, Title: "甲县洪水风险区划", Area: county, Exhaustive: true, Start: start, Responsible: "规划科"})
	if err != nil {
		o.t.Fatal(explain(err))
	}
	return p
}

// grade gives every zone a level.
func (o *office) grade(plan string) {
	o.t.Helper()
	var ids []coverage.ID
	for id := range o.zones(plan) {
		ids = append(ids, coverage.ID(id))
	}
	o.mustEdit(plan, Step{Op: coverage.Op{Zones: ids}, Relevel: true, Set: Attributes{Level: new(2), Reason: new("试评")}})
}

func (o *office) step(by auth.By, p *Plan, t Transition) {
	o.t.Helper()
	next, err := o.s.Transition(context.Background(), by, p.ID, p.Version, t)
	if err != nil {
		o.t.Fatalf("%s: %s", t.To, explain(err))
	}
	*p = next
}

func (o *office) again(p *Plan) {
	o.t.Helper()
	next, err := o.s.Plan(context.Background(), o.planner.Identity, p.ID)
	if err != nil {
		o.t.Fatal(err)
	}
	*p = next
}

// toPublished takes a graded draft all the way.
func (o *office) toPublished(p *Plan, from string) {
	o.t.Helper()
	o.again(p)
	o.step(o.planner, p, Transition{To: Submitted})
	o.step(o.approver, p, Transition{To: InReview})
	if _, err := o.s.ReviewAll(context.Background(), o.approver, p.ID); err != nil {
		o.t.Fatal(err)
	}
	o.again(p)
	o.step(o.approver, p, Transition{To: Approved})
	o.step(o.second, p, Transition{To: Published, DocumentNo: "甲政发〔2025〕7号", EffectiveFrom: day(from)})
}

func day(s string) *time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return &t
}

// code is what callers branch on in an error.
func code(err error) string {
	var st *StateError
	var c *auth.Conflict
	var i *auth.Invalid
	var v *ViolationsError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &st):
		return st.Code
	case errors.As(err, &c):
		return c.Code
	case errors.As(err, &i):
		return i.Items[0].Path + " " + i.Items[0].Code
	case errors.As(err, &v):
		return "violations"
	case errors.Is(err, auth.ErrNotFound):
		return "not found"
	case errors.Is(err, auth.ErrForbidden):
		return "forbidden"
	case errors.Is(err, auth.ErrStaleVersion):
		return "stale"
	}
	return err.Error()
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

// reload makes the service see what changed in the catalogue.
func (o *office) reload() {
	o.t.Helper()
	if err := o.s.catalogue.(interface {
		Reload(ctx context.Context) error
	}).Reload(context.Background()); err != nil {
		o.t.Fatal(err)
	}
}
