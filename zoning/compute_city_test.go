package zoning

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/zoning/calc"
)

// TestComputingTheRealCity computes over the villages of a city whose borders were drawn by people:
// three of them are no valid polygons, and they do not quite fit together.
func TestComputingTheRealCity(t *testing.T) {
	root := filepath.Join("..", "..", "shared", "data", "taipei")
	load := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(root, name+".geojson"))
		if err != nil {
			t.Skipf("the real data are not here: %v", err)
		}
		return string(raw)
	}
	if testing.Short() {
		t.Skip("a city takes a while: not in short mode")
	}
	w := newTable(t)
	const mended = `st_collectionextract(st_makevalid(st_setsrid(st_geomfromgeojson(f -> 'geometry'), 4490), 'method=structure'), 3)`
	const each = ` from jsonb_array_elements($1::jsonb -> 'features') f where jsonb_typeof(f -> 'geometry') = 'object'`
	w.exec(`insert into admin (code, admin_code, name, rank, parent_code, geom) select f -> 'properties' ->> 'code', f -> 'properties' ->> 'code', f -> 'properties' ->> 'name', 4, '63000', `+mended+each, load("admin_district"))
	w.exec(`insert into admin (code, admin_code, name, rank, parent_code, geom) select f -> 'properties' ->> 'code', f -> 'properties' ->> 'code', f -> 'properties' ->> 'name', 5, f -> 'properties' ->> 'parent', `+mended+each, load("admin_village"))
	w.exec(`insert into admin (code, admin_code, name, rank, geom) select '63000', '63000', '市', 3, st_union(geom) from admin where rank = 4`)
	w.exec(`insert into hazard_areas (name, admin_code, hazard, level, geom) select 'f', '63000', 'waterlogging', case when (f -> 'properties' ->> 'depth_min_m')::float8 >= 1 then 1 when (f -> 'properties' ->> 'depth_min_m')::float8 >= 0.3 then 2 else 3 end, g
		from (select f, `+mended+` as g`+each+`) x where not st_isempty(g)`, load("hazard_flood_78mm"))
	files, err := filepath.Glob(filepath.Join(root, "population", "*.geojson"))
	if err != nil || len(files) == 0 {
		t.Skip("the population is not here")
	}
	for _, f := range files {
		w.exec(`insert into population (name, admin_code, population, households, geom) select f -> 'properties' ->> 'codebase', '63000', (f -> 'properties' ->> 'population')::int, (f -> 'properties' ->> 'households')::int, g
			from (select f, `+mended+` as g`+each+`) x where not st_isempty(g)`, load("population/"+filepath.Base(f[:len(f)-len(".geojson")])))
	}
	w.exec(`insert into vulnerable (name, admin_code, total, disabled, low_income, geom) select f -> 'properties' ->> 'vil', '63000', (f -> 'properties' ->> 'cnt_total')::int, (f -> 'properties' ->> 'cnt_disabled')::int, (f -> 'properties' ->> 'cnt_low_income')::int, g
		from (select f, `+mended+` as g`+each+`) x where not st_isempty(g)`, load("vulnerable_people_by_village"))
	w.exec(`insert into shelters (name, admin_code, capacity, geom) select f -> 'properties' ->> '名稱', '63000', (f -> 'properties' ->> '容納人數')::int, st_setsrid(st_geomfromgeojson(f -> 'geometry'), 4490)`+each, load("shelters_designated"))
	w.exec(`insert into roads (name, admin_code, geom) select f -> 'properties' ->> 'name', '63000', g from (select f, st_setsrid(st_geomfromgeojson(f -> 'geometry'), 4490) as g`+each+`) x where st_dimension(g) = 1`, load("roads_osm"))
	w.exec(`insert into key_places (name, admin_code, geom) select 'k', '63000', st_setsrid(st_geomfromgeojson(f -> 'geometry'), 4490)`+each, load("hazard_point_narrow_alley"))
	w.exec(`analyze`)
	ctx := context.Background()
	by := w.person(9, auth.Planner, "63000")
	for _, unit := range []string{UnitVillage, UnitKm} {
		p, err := w.s.Create(ctx, by, NewPlan{Hazard: w.hazard("waterlogging"), Kind: Risk, Title: "内涝风险区划", Area: "63000", Exhaustive: true})
		if err != nil {
			t.Fatal(explain(err))
		}
		spec := ComputeSpec{Unit: unit, Weights: WeightsSpec{Method: weighEntropy}, Combine: combinePower, Classify: jenks(), Indicators: []IndicatorSpec{
			{Source: "flood_area_share"}, {Source: "population_density"}, {Source: "vulnerable_density"}, {Source: "road_density"}, {Source: "shelter_capacity"}, {Source: "key_place_density"},
			{Source: "population", Measure: "sum", Field: "households"}, {Source: "hazard_areas", Measure: "area_share"}}}
		for i := range spec.Indicators {
			spec.Indicators[i].Normalise = calc.MinMaxHalf
		}
		begun := time.Now()
		last, marks := begun, []string{}
		r, err := w.s.Compute(ctx, by, p.ID, spec, func(_, _ int, what string) {
			marks = append(marks, time.Since(last).Round(time.Millisecond).String()+" "+what)
			last = time.Now()
		})
		if err != nil {
			t.Fatal(explain(err))
		}
		t.Logf("%s: %d units, %d zones, missing %d, GVF %.3f, in %v\n%v\n%+v", unit, r.Units, r.Zones, r.MissingN, r.GVF, time.Since(begun).Round(time.Millisecond), marks, r.Warnings)
		if unit == UnitVillage && r.Units != 456 {
			t.Errorf("%d villages", r.Units)
		}
		v, err := w.s.Validate(ctx, by.Identity, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range v.Violations {
			if b.Code != Ungraded {
				t.Fatalf("no coverage: %+v", b)
			}
		}
		// People are neither lost nor made: all of them live in some zone.
		var all, zones float64
		w.scan(&all, `select sum(population) from population`)
		w.scan(&zones, `select sum(population) from zones where plan = $1`, p.ID)
		if zones < 0.99*all || zones > 1.001*all {
			t.Errorf("%v people in the zones, %v in the city", zones, all)
		}
	}
}
