package zoning

import (
	"context"
	"slices"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/demo"
	"onemap/internal/demo/demostore"
	"onemap/zoning/calc"
)

func eight() []IndicatorSpec {
	var out []IndicatorSpec
	for _, id := range []string{"hazard_point_density", "geology_area_share", "flood_area_share", "population_density", "elderly_share", "weak_building_share", "road_density", "shelter_capacity"} {
		out = append(out, IndicatorSpec{Source: id, Normalise: calc.MinMaxHalf})
	}
	return out
}

// BenchmarkComputing computes eight indicators over every village, and over cells, of a
// county with all layers.
func BenchmarkComputing(t *testing.B) {
	w := newTable(t)
	store, err := demostore.Open(w.s.db)
	if err != nil {
		t.Fatal(err)
	}
	c := demo.Generate(demo.Options{Seed: 1, Now: time.Now()})
	ctx := context.Background()
	if err := store.Begin(ctx, c); err != nil {
		t.Fatal(err)
	}
	st, err := store.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(slices.Collect(c.Features()), 5000) {
		if err := store.Put(ctx, st.Dataset, part); err != nil {
			t.Fatal(err)
		}
	}
	w.exec(`analyze`)
	var code string
	w.scan(&code, `select code from admin where rank = 3`)
	by := w.person(9, auth.Planner, code)
	d := &district{table: w}
	d.by = by
	for _, c := range []struct {
		unit, dissolve, kind string
	}{{UnitVillage, dissolveNone, Risk}, {UnitVillage, dissolveTownship, Prevention}, {UnitKm, dissolveNone, Risk}, {UnitSeconds, dissolveLevel, Risk}} {
		t.Run(c.unit+"/"+c.dissolve, func(t *testing.B) {
			p, err := w.s.Create(ctx, by, NewPlan{Hazard: w.hazard("multi"), Kind: c.kind, Title: "综合区划", Area: code, Exhaustive: true})
			if err != nil {
				t.Fatal(explain(err))
			}
			spec := ComputeSpec{Unit: c.unit, Dissolve: c.dissolve, Indicators: eight(), Weights: WeightsSpec{Method: weighEntropy}, Combine: combineProduct, Classify: jenks(),
				Overlay: &OverlaySpec{Hazards: []OverlayHazard{{Hazard: "flood"}, {Hazard: "landslide"}, {Hazard: "debris_flow"}}, MinShare: 0.01}}
			for t.Loop() {
				begun := time.Now()
				last, marks := begun, []string{}
				r, err := w.s.Compute(ctx, by, p.ID, spec, func(_, _ int, what string) {
					marks = append(marks, time.Since(last).Round(time.Millisecond).String()+" "+what)
					last = time.Now()
				})
				if err != nil {
					t.Fatalf("%+v: %v", c, explain(err))
				}
				t.Logf("%s %s %s: %d units, %d zones, missing %d, GVF %.3f, in %v\n%v\n%+v", c.unit, c.dissolve, c.kind, r.Units, r.Zones, r.MissingN, r.GVF, time.Since(begun).Round(time.Millisecond), marks, r.Warnings)
				v, err := w.s.Validate(ctx, by.Identity, p.ID)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range v.Violations {
					if b.Code != Ungraded {
						t.Fatalf("%+v: no coverage: %+v", c, b)
					}
				}
			}
		})
	}
}

// BenchmarkComputingPlain computes over 500 villages and over some 2,200 cells of plain
// squares: what the computing itself costs, without the wealth of a county's data.
func BenchmarkComputingPlain(b *testing.B) {
	d := newDistrict(b, 25, 20)
	for v := range 500 {
		d.people(25, v, 100+v*v%977, v%83)
	}
	d.exec(`insert into hazards (name, level, geom) select 'h', 1 + n % 4, st_setsrid(st_makepoint(121.5 + 0.5 * ((n * 7919) % 1000) / 1000.0, 25 + 0.4 * ((n * 104729) % 997) / 997.0), 4490) from generate_series(1, 3000) n`)
	d.exec(`analyze`)
	for _, unit := range []string{UnitVillage, UnitKm} {
		b.Run(unit, func(b *testing.B) {
			id := d.draft(Risk, "", true)
			for b.Loop() {
				var last time.Time
				r, err := d.s.Compute(context.Background(), d.by, id, ComputeSpec{Unit: unit, Indicators: []IndicatorSpec{
					{Source: "population_density"}, {Source: "elderly_share"}, {Source: "hazard_point_density"}, {Source: "hazards", Measure: "count"},
					{Source: "population", Measure: "sum", Field: "population"}, {Source: "population", Measure: "sum", Field: "elderly"},
					{Source: "population", Measure: "mean", Field: "population"}, {Source: "hazards", Measure: "density"}},
					Weights: WeightsSpec{Method: weighEntropy}, Classify: jenks()}, func(done, total int, _ string) {
					if done == total-1 {
						last = time.Now()
					}
				})
				if err != nil {
					b.Fatal(explain(err))
				}
				b.ReportMetric(float64(r.Zones), "zones")
				b.ReportMetric(time.Since(last).Seconds(), "writing-s")
			}
		})
	}
}
