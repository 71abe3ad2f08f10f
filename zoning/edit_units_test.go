package zoning

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/zoning/coverage"
)

// villages is a county of 8 by 8 villages that share their borders to the last bit. Its
// own border is some thirty kilometres long and runs askew, as borders do.
func villages() (area coverage.Shape, zones map[coverage.ID]coverage.Shape) {
	area, zones = checkers(8, 12, rand.New(rand.NewPCG(11, 12)))
	o := pt(0, 0)
	askew := func(s coverage.Shape) coverage.Shape {
		out := s.Clone()
		for _, p := range out {
			for _, r := range p {
				for i, q := range r {
					x, y := float64(q.X-o.X)*10, float64(q.Y-o.Y)*10
					r[i] = coverage.Point{X: o.X + int64(math.Round(x*0.947-y*0.321)), Y: o.Y + int64(math.Round(x*0.321+y*0.947))}
				}
			}
		}
		return out
	}
	for id, s := range zones {
		zones[id] = askew(s)
	}
	return askew(area), zones
}

// written is a shape as somebody has it whose program writes so many decimals.
func written(t *testing.T, s coverage.Shape, decimals int) coverage.Shape {
	t.Helper()
	unit := math.Pow10(decimals)
	g := s.Geometry()
	for _, p := range g {
		for _, r := range p {
			for i, q := range r {
				r[i] = orb.Point{math.Round(q[0]*unit) / unit, math.Round(q[1]*unit) / unit}
			}
		}
	}
	out, err := coverage.FromGeometry(g)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryVillageOfACountyIsAccepted draws zones that are villages, in a plan that need
// not cover the county: those at its edge lie in it like the others, one at a time and all
// at once, and also where a program wrote them with fewer decimals than the grid has.
func TestEveryVillageOfACountyIsAccepted(t *testing.T) {
	w := newTable(t)
	area, zones := villages()
	w.unit(county, "甲县", 3, area)
	ctx := context.Background()
	p, err := w.s.Create(ctx, w.by, NewPlan{Hazard: "flood", Kind: Risk, Title: "洪水风险区划", Area: county, Start: StartEmpty})
	if err != nil {
		t.Fatal(explain(err))
	}
	for _, decimals := range []int{8, 7, 6} {
		var all []Step
		for _, id := range slices.Sorted(keys(zones)) {
			all = append(all, Step{Op: coverage.Op{Kind: coverage.Add, Shape: written(t, zones[id], decimals)}})
		}
		for i, st := range all {
			r, err := w.s.Edit(ctx, w.by, EditRequest{Plan: p.ID, EditID: newID(time.Now()), Steps: []Step{st}})
			if err != nil {
				t.Fatalf("%d decimals: village %d: %s", decimals, i, explain(err))
			}
			if _, err := w.undo(p.ID, r.EditID); err != nil {
				t.Fatal(explain(err))
			}
		}
		r, err := w.s.Edit(ctx, w.by, EditRequest{Plan: p.ID, EditID: newID(time.Now()), Steps: all})
		if err != nil {
			t.Fatalf("%d decimals: %s", decimals, explain(err))
		}
		w.whole(p.ID)
		if _, err := w.undo(p.ID, r.EditID); err != nil {
			t.Fatal(explain(err))
		}
	}
	// A corner ten metres out is more than any rounding.
	lo, _ := coverage.Bound(area)
	for _, id := range slices.Sorted(keys(zones)) {
		s := zones[id].Clone()
		at := slices.IndexFunc(s[0][0], func(q coverage.Point) bool { return q.X == lo.X })
		if at < 0 {
			continue
		}
		s[0][0][at].X -= 10_000
		_, err := w.s.Edit(ctx, w.by, EditRequest{Plan: p.ID, EditID: newID(time.Now()), Steps: []Step{{Op: coverage.Op{Kind: coverage.Add, Shape: s}}}})
		if refused(err) != coverage.OutsideArea {
			t.Errorf("a zone beyond the county: %v", explain(err))
		}
	}
}

// TestVillagesMakeAWholePlan draws the villages over a plan that covers the county, one
// after another: what comes of it is the villages, and nothing is left to find.
func TestVillagesMakeAWholePlan(t *testing.T) {
	w := newTable(t)
	area, zones := villages()
	w.unit(county, "甲县", 3, area)
	ctx := context.Background()
	p, err := w.s.Create(ctx, w.by, NewPlan{Hazard: "flood", Kind: Risk, Title: "洪水风险区划", Area: county, Exhaustive: true})
	if err != nil {
		t.Fatal(explain(err))
	}
	var whole []coverage.ID
	for id := range w.zones(p.ID) {
		whole = append(whole, coverage.ID(id))
	}
	ids := slices.Sorted(keys(zones))
	for i, id := range ids {
		if _, err := w.edit(p.ID, Step{Op: coverage.Op{Kind: coverage.Add, Zone: id, Shape: zones[id], Carve: true, Confirmed: whole}, Set: Attributes{Level: new(1 + i%5)}}); err != nil {
			t.Fatalf("village %d: %s", i, explain(err))
		}
	}
	v, err := w.s.Validate(ctx, w.by.Identity, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Violations) > 0 {
		t.Errorf("%d findings, the first %+v", len(v.Violations), v.Violations[0])
	}
	if got := w.zones(p.ID); len(got) != len(zones) {
		t.Errorf("%d zones of %d villages", len(got), len(zones))
	}
}
