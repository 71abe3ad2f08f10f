package zoning

import (
	"context"
	"errors"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

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

// reload makes the service see what changed in the catalogue.
func (o *office) reload() {
	o.t.Helper()
	if err := o.s.catalogue.(interface {
		Reload(ctx context.Context) error
	}).Reload(context.Background()); err != nil {
		o.t.Fatal(err)
	}
}
