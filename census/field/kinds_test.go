package field_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/sync"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := field.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

// TestWhatAWorkerWrites: every kind, inside his grid and outside, with good and bad fields.
func TestWhatAWorkerWrites(t *testing.T) {
	h := open(t)
	worker, neighbour := h.as("worker", auth.GridWorker, gridA), h.as("neighbour", auth.GridWorker, gridA2)
	point, away := orb.Point{119.01, 34.1}, orb.Point{120.01, 34.1}
	hazard, check, patrol := h.newID(), h.newID(), h.newID()
	for _, c := range []struct {
		name, kind string
		by         auth.By
		id         string
		fields     map[string]any
		at         orb.Geometry
		want       string
	}{
		{"a point", "hazards", worker, hazard, map[string]any{"name": "后山裂缝", "hazard": "landslide", "level": 2, "threatened_persons": 12, "description": "宽 3 cm"}, point, ""},
		{"without a place", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide"}, nil, "quarantined no_place"},
		{"in another county", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide"}, away, "quarantined outside_area"},
		{"in the grid beside", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide"}, orb.Point{119.07, 34.1}, "quarantined outside_area"},
		{"of no hazard", "hazards", worker, "", map[string]any{"name": "x", "hazard": "ghosts"}, point, "quarantined unknown_code"},
		{"without a name", "hazards", worker, "", map[string]any{"hazard": "landslide"}, point, "quarantined required"},
		{"level nine", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide", "level": 9}, point, "quarantined out_of_range"},
		{"half a person", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide", "threatened_persons": 1.5}, point, "quarantined not_whole"},
		{"a long name", "hazards", worker, "", map[string]any{"name": strings.Repeat("长", 201), "hazard": "landslide"}, point, "quarantined too_long"},
		{"an unknown field", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide", "scope": 1}, point, "quarantined unknown_field"},
		{"a bow tie", "hazards", worker, "", map[string]any{"name": "x", "hazard": "landslide"}, orb.Polygon{{{119.01, 34.1}, {119.02, 34.11}, {119.02, 34.1}, {119.01, 34.11}, {119.01, 34.1}}}, "quarantined bad_geometry"},
		{"moved", "hazards", worker, hazard, nil, orb.Point{119.02, 34.1}, ""},
		{"moved away", "hazards", worker, hazard, nil, away, "quarantined outside_area"},
		{"emptied", "hazards", worker, hazard, map[string]any{"name": nil}, nil, "quarantined required"},
		{"by the neighbour", "hazards", neighbour, hazard, map[string]any{"measure": "回填"}, nil, "quarantined outside_area"},

		{"a check", "shelter_checks", worker, check, map[string]any{"shelter": shelterA, "result": "ok", "water": true}, nil, ""},
		{"of no shelter", "shelter_checks", worker, "", map[string]any{"shelter": h.newID(), "result": "ok"}, nil, "quarantined no_such_shelter"},
		{"of a shelter elsewhere", "shelter_checks", worker, "", map[string]any{"shelter": shelterB, "result": "ok"}, nil, "quarantined no_such_shelter"},
		{"of the neighbour's shelter", "shelter_checks", neighbour, "", map[string]any{"shelter": shelterA, "result": "ok"}, nil, "quarantined outside_area"},
		{"a problem without words", "shelter_checks", worker, "", map[string]any{"shelter": shelterA, "result": "problem"}, nil, "quarantined required"},
		{"a result nobody knows", "shelter_checks", worker, "", map[string]any{"shelter": shelterA, "result": "fine"}, nil, "quarantined unknown_code"},
		{"it was another shelter", "shelter_checks", worker, check, map[string]any{"shelter": shelterB}, nil, "rejected fixed"},
		{"a note later", "shelter_checks", worker, check, map[string]any{"note": "钥匙在村委会"}, nil, ""},
		{"another's note", "shelter_checks", h.as("same", auth.GridWorker, gridA), check, map[string]any{"note": "x"}, nil, "quarantined outside_area"},

		{"a patrol", "patrols", worker, patrol, map[string]any{"kind": "patrol", "grid": gridA}, point, ""},
		{"a patrol from home", "patrols", worker, "", map[string]any{"kind": "zero_report", "grid": gridA}, away, ""},
		{"of another's grid", "patrols", worker, "", map[string]any{"kind": "patrol", "grid": gridB}, point, "quarantined outside_area"},
		{"of no grid", "patrols", worker, "", map[string]any{"kind": "patrol", "grid": "x"}, point, "quarantined not_a_code"},
		{"of no kind", "patrols", worker, "", nil, point, "quarantined required"},
		{"it was a zero report", "patrols", worker, patrol, map[string]any{"kind": "zero_report"}, nil, "rejected fixed"},

		{"a task of his own making", "tasks", worker, "", map[string]any{"title": "x"}, nil, "rejected read_only"},
		{"an acknowledgement of nothing", "acks", worker, "", map[string]any{"notice": h.newID()}, nil, "quarantined no_such_notice"},
	} {
		r, err := h.send(c.by, c.kind, sync.Write{ID: c.id, Fields: fields(t, c.fields), Geometry: c.at})
		if got := verdict(err); got != c.want && !(c.kind == "tasks" && got == "rejected tasks_are_sent") {
			t.Errorf("%s %s: %q, want %q", c.kind, c.name, got, c.want)
		}
		if err == nil && (r.ID == "" || r.Version == 0 || r.Scope.IsNull()) {
			t.Errorf("%s %s: %+v", c.kind, c.name, r)
		}
	}
	var state, described string
	var verified time.Time
	if err := h.admin.QueryRow(t.Context(), `select state, description, field_verified_at from hazards where id = $1`, hazard).Scan(&state, &described, &verified); err != nil || state != "new" || described != "宽 3 cm" || verified.IsZero() {
		t.Errorf("the hazard point: %q %q %v %v", state, described, verified, err)
	}
	// What came with a census is not a worker's to delete; what he marked is.
	if _, err := h.admin.Exec(t.Context(), `insert into dataset (name, title) values ('census', '普查'); insert into hazards (id, dataset, source_key, name, admin_code)
		select '01900000-0000-7000-c000-000000000001', id, 'h1', '登记点', '990100101001001' from dataset where name = 'census'`); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"01900000-0000-7000-c000-000000000001": "rejected not_deletable", hazard: ""} {
		if got := verdict(h.remove(worker, "hazards", id)); got != want {
			t.Errorf("delete %s: %q, want %q", id, got, want)
		}
	}
}

// TestHazardsComeDown: what is in reach, inside the area, page by page.
func TestHazardsComeDown(t *testing.T) {
	h := open(t)
	worker := h.as("worker", auth.GridWorker, gridA)
	want := map[string]bool{}
	for range 5 {
		r, err := h.send(worker, "hazards", sync.Write{Fields: fields(t, map[string]any{"name": "点", "hazard": "collapse"}), Geometry: orb.Point{119.01, 34.1}})
		if err != nil {
			t.Fatal(err)
		}
		want[r.ID] = true
	}
	for _, c := range []struct {
		by   auth.By
		area string
		n    int
	}{
		{worker, gridA, 5}, {worker, townA, 5}, {worker, countyB, 0}, {h.as("beside", auth.GridWorker, gridA2), townA, 5},
		{h.as("away", auth.GridWorker, gridB), townA, 0}, {h.as("county", auth.DutyOfficer, countyA), countyA, 5},
	} {
		area, err := geo.ParseScope(c.area)
		if err != nil {
			t.Fatal(err)
		}
		down := h.kinds["hazards"].(sync.Down)
		got, after := map[string]bool{}, ""
		for range 10 {
			page, err := down.All(t.Context(), c.by, area, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				got[r.ID], after = true, r.ID
			}
			if len(page) < 2 {
				break
			}
		}
		if len(got) != c.n {
			t.Errorf("%s in %s: %d points, want %d", c.by.Username, c.area, len(got), c.n)
		}
	}
}
