package zoning

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"onemap/zoning/coverage"
)

// thousands is a published plan of 45 by 45 zones with about 120,000 vertices, and a
// population layer of 11,236 cells over it.
func thousands(b *testing.B) (*office, Plan) {
	w := newTable(b)
	area, zones := checkers(45, 14, rand.New(rand.NewPCG(1, 2)))
	w.unit(county, "甲县", 3, area)
	o := &office{table: w, planner: w.by, other: w.person(2, "planner", county), approver: w.person(3, "approver", county), second: w.person(4, "approver", county)}
	id := w.plan(true, area, zones)
	w.exec(`set session_replication_role = replica`)
	w.exec(`update plan set responsible = '规划科', created_account = $2 where id = $1`, id, w.by.Account)
	w.exec(`set session_replication_role = origin`)
	w.exec(`insert into population (admin_code, population, households, geom)
		select $1, 100 + i % 7, 30, st_setsrid(st_makeenvelope(121.5 + (i % 106) * 0.045 / 106, 25 + (i / 106) * 0.045 / 106, 121.5 + (i % 106 + 1) * 0.045 / 106, 25 + (i / 106 + 1) * 0.045 / 106), 4490) from generate_series(0, 11235) i`, county)
	w.exec(`insert into hazards (admin_code, name, level, geom) select $1, 'h' || i, 1 + i % 4, st_setsrid(st_makepoint(121.5 + random() * 0.045, 25 + random() * 0.045), 4490) from generate_series(1, 5000) i`, county)
	w.exec(`insert into buildings (admin_code, name, persons, geom) select $1, 'b' || i, 5, st_setsrid(st_makepoint(121.5 + random() * 0.045, 25 + random() * 0.045), 4490) from generate_series(1, 50000) i`, county)
	for _, t := range []string{"zones", "population", "hazards", "buildings", "plan"} {
		w.exec(`vacuum (analyze) ` + t)
	}
	p := Plan{ID: id}
	o.again(&p)
	return o, p
}

// BenchmarkLife measures the steps of a plan of 2,025 zones; each reports its own time.
func BenchmarkLife(b *testing.B) {
	o, p := thousands(b)
	ctx := context.Background()
	took := func(name string, do func()) {
		start := time.Now()
		do()
		b.ReportMetric(time.Since(start).Seconds()*1000, name+"-ms")
	}
	for b.Loop() {
		took("submit", func() { o.step(o.planner, &p, Transition{To: Submitted}) })
		o.step(o.approver, &p, Transition{To: InReview})
		took("review-all", func() {
			if _, err := o.s.ReviewAll(ctx, o.approver, p.ID); err != nil {
				b.Fatal(err)
			}
		})
		o.again(&p)
		took("approve", func() { o.step(o.approver, &p, Transition{To: Approved}) })
		took("publish", func() {
			o.step(o.second, &p, Transition{To: Published, DocumentNo: "1", EffectiveFrom: day("2025-01-01")})
		})
		var v2 Plan
		took("new-version", func() {
			var err error
			if v2, err = o.s.NewVersion(ctx, o.planner, p.ID, ""); err != nil {
				b.Fatal(err)
			}
		})
		o.mustEdit(v2.ID, Step{Op: coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{square(45, 10, 10), square(45, 10, 11)}}})
		o.mustEdit(v2.ID, Step{Op: coverage.Op{Zones: []coverage.ID{square(45, 20, 20)}}, Relevel: true, Set: Attributes{Level: new(o.zones(v2.ID)[string(square(45, 20, 20))].Level%5 + 1), Reason: new("改级")}})
		took("diff", func() {
			d, err := o.s.Diff(ctx, o.planner.Identity, v2.ID, "")
			if err != nil || len(d.Removed) != 1 || len(d.Moved) != 1 || d.Unchanged != 2022 {
				b.Fatalf("%v %d %d %d", err, len(d.Removed), len(d.Moved), d.Unchanged)
			}
		})
		took("figures", func() {
			if _, err := o.s.Figures(ctx, o.planner.Identity, p.ID, string(square(45, 20, 20))); err != nil {
				b.Fatal(err)
			}
		})
		took("list", func() {
			if _, err := o.s.Plans(ctx, o.planner.Identity, PlanQuery{}); err != nil {
				b.Fatal(err)
			}
		})
		took("zones", func() {
			if _, err := o.s.Zones(ctx, o.planner.Identity, v2.ID, nil); err != nil {
				b.Fatal(err)
			}
		})
		o.again(&v2)
		o.step(o.planner, &v2, Transition{To: Submitted})
		o.step(o.approver, &v2, Transition{To: InReview})
		if _, err := o.s.ReviewAll(ctx, o.approver, v2.ID); err != nil {
			b.Fatal(err)
		}
		o.again(&v2)
		o.step(o.approver, &v2, Transition{To: Approved})
		took("publish-over", func() {
			o.step(o.second, &v2, Transition{To: Published, DocumentNo: "2", EffectiveFrom: day("2026-01-01")})
		})
		b.StopTimer()
		if b.N > 1 {
			b.Fatal("a plan is published once: use -benchtime 1x")
		}
		b.StartTimer()
	}
}
