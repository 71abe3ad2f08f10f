package zoning

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// TestRealVillagesBecomeACoverage starts a plan from the villages of real districts.
func TestRealVillagesBecomeACoverage(t *testing.T) {
	read := func(name string) []json.RawMessage {
		raw, err := os.ReadFile("../../shared/data/taipei/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("the shared data is not beside the project")
		}
		var c struct{ Features []json.RawMessage }
		if err == nil {
			err = json.Unmarshal(raw, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c.Features
	}
	w := newTable(t)
	districts := []string{"63000010", "63000110"}
	for rank, name := range map[int]string{3: "admin_district.geojson", 5: "admin_village.geojson"} {
		for _, f := range read(name) {
			var unit struct {
				Properties struct{ Code, Name string }
				Geometry   json.RawMessage
			}
			if err := json.Unmarshal(f, &unit); err != nil {
				t.Fatal(err)
			}
			for _, d := range districts {
				if strings.HasPrefix(unit.Properties.Code, d) {
					// Three villages have invalid rings; the import mends or refuses them.
					w.exec(`insert into admin (code, admin_code, name, rank, geom) select $1, $1, $2, $3, st_setsrid(st_geomfromgeojson($4), 4490) where st_isvalid(st_geomfromgeojson($4))`, unit.Properties.Code, unit.Properties.Name, rank, string(unit.Geometry))
				}
			}
		}
	}
	for _, d := range districts {
		by := w.person(1, auth.Planner, d)
		p, err := w.s.Create(t.Context(), by, NewPlan{Hazard: "flood", Kind: Risk, Title: "洪水风险区划", Area: d, Exhaustive: true, Start: StartVillages})
		if err != nil {
			t.Fatal(explain(err))
		}
		set, err := w.s.Zones(t.Context(), by.Identity, p.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: set.Area, Exhaustive: true}
		extra := 0
		for _, z := range set.Zones {
			c.Zones[coverage.ID(z.Zone)] = z.Shape
			if z.Code == "" {
				extra++
			}
		}
		if bad := c.Check(); len(bad) > 0 {
			t.Errorf("%s: %+v", d, bad[0])
		}
		var units int
		w.scan(&units, `select count(*) from admin where rank = 5 and starts_with(code, $1)`, d)
		if len(set.Zones)-extra != units {
			t.Errorf("%s: %d zones of %d villages", d, len(set.Zones)-extra, units)
		}
		events, err := w.s.Events(t.Context(), by.Identity, p.ID)
		if err != nil || len(events) != 1 {
			t.Fatal(err)
		}
		t.Logf("%s: %d villages, %d zones of ground nobody or several had; %s", d, units, extra, events[0].Note)
	}
}
