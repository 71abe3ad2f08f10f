package features_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

func everybody() features.Asker {
	return features.Asker{Name: "test", Role: "local", Reach: db.Everything()}
}

func open(tb testing.TB, dsn pgtest.DSNs) (*features.Store, *registry.Snapshot) {
	tb.Helper()
	d, err := db.Open(tb.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.Close)
	reg, err := registry.Open(tb.Context(), d.Query)
	if err != nil {
		tb.Fatal(err)
	}
	store, err := features.Open(d)
	if err != nil {
		tb.Fatal(err)
	}
	return store, reg.Now()
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestEveryLayerAnswersEveryQuestion runs each statement for each layer of the
// catalogue: a column that does not exist, or a brace without a value, shows here.
func TestEveryLayerAnswersEveryQuestion(t *testing.T) {
	store, snap := open(t, pgtest.Database(t))
	now := time.Now()
	for _, l := range snap.Layers {
		for name, at := range map[string]features.Times{"now": features.At(now), "as of": {From: &now, To: &now, AsOf: &now}, "both": {Asked: true, From: &now, To: &now, AsOf: &now}, "interval": {Asked: true, From: &now}} {
			if _, err := store.Items(t.Context(), everybody(), features.ItemsQuery{Layer: l, Limit: 1, Times: at, Boxes: []orb.Bound{{Min: orb.Point{119, 34}, Max: orb.Point{120, 35}}}}); err != nil {
				t.Errorf("%s %s: %v", l.ID, name, err)
			}
			if _, _, err := store.Item(t.Context(), everybody(), l, "1", at); err != nil {
				t.Errorf("%s %s: %v", l.ID, name, err)
			}
		}
		if _, err := store.ByIDs(t.Context(), everybody(), l, [][16]byte{{1}}); err != nil {
			t.Errorf("%s: %v", l.ID, err)
		}
		if shown, err := store.WereShown(t.Context(), everybody(), l, [][16]byte{{1}}, []int64{1}); err != nil || len(shown) > 0 {
			t.Errorf("%s: %v %v", l.ID, shown, err)
		}
		for _, f := range l.Fields {
			value := map[registry.FieldType]any{
				registry.Text: "x", registry.Code: "x", registry.Integer: int64(1), registry.Number: 1.5, registry.Boolean: true,
				registry.Date: now, registry.DateTime: now, registry.UUID: "01a1ffb1-d369-7ca3-86f4-1eda4871e9a6",
			}[f.Type]
			if value == nil || !f.Filter {
				continue
			}
			q := features.ItemsQuery{Layer: l, Limit: 1, Times: features.At(now), Equal: []features.Condition{{Field: f, Value: value}}}
			if _, err := store.Items(t.Context(), everybody(), q); err != nil {
				t.Errorf("%s.%s: %v", l.ID, f.Name, err)
			}
		}
	}
	if _, err := store.Sources(t.Context(), everybody(), snap.Layers, features.At(now)); err != nil {
		t.Error(err)
	}
	if _, err := store.Identify(t.Context(), everybody(), features.IdentifyQuery{Layers: snap.Layers, RadiusM: 10, Limit: 5, Times: features.At(now)}); err != nil {
		t.Error(err)
	}
}

// TestOnlyTheAskersRows asks on behalf of people who may see one township each.
func TestOnlyTheAskersRows(t *testing.T) {
	dsn := pgtest.Database(t)
	store, snap := open(t, dsn)
	conn := pgtest.Connect(t, dsn.Admin)
	for i, code := range []string{"990100001", "990100002"} {
		exec(t, conn, `insert into hazards (code, name, admin_code, geom) values ($1, $2, $3, st_setsrid(st_makepoint(119.25, 34.15), 4490))`, "H"+code, "隐患点"+code, code)
		exec(t, conn, `insert into admin (code, admin_code, name, rank, geom) values ($1, $1, $2, 4, st_setsrid(st_makeenvelope($3::float8, 34, $3::float8 + 0.5, 34.4), 4490))`, code, "乡"+code, 119+float64(i))
	}
	l := layer(t, snap, "hazards")
	for _, code := range []string{"990100001", "990100002"} {
		scopes, err := geo.ParseScopes(code)
		if err != nil {
			t.Fatal(err)
		}
		who := features.Asker{Name: "a", Role: "viewer", Reach: db.NewReach(db.Areas{Internal: scopes})}
		page, err := store.Items(t.Context(), who, features.ItemsQuery{Layer: l, Limit: 10, Times: features.At(time.Now())})
		if err != nil || len(page.Features) != 1 || page.Matched != 1 || page.Features[0].Title != "隐患点"+code {
			t.Errorf("%s sees %+v (%v)", code, page, err)
		}
		hits, err := store.Identify(t.Context(), who, features.IdentifyQuery{Layers: []*registry.Layer{l}, Point: orb.Point{119.25, 34.15}, RadiusM: 5, Limit: 10, Times: features.At(time.Now())})
		if err != nil || len(hits) != 1 || hits[0].Title != "隐患点"+code {
			t.Errorf("%s identifies %+v (%v)", code, hits, err)
		}
		found, err := store.Search(t.Context(), who, features.SearchQuery{Text: "隐患点", Layers: snap.Layers, Limit: 10, Times: features.At(time.Now())})
		if err != nil || len(found) != 1 || found[0].Title != "隐患点"+code {
			t.Errorf("%s finds %+v (%v)", code, found, err)
		}
		other := map[string]string{"990100001": "2", "990100002": "1"}[code]
		if _, ok, err := store.Item(t.Context(), who, l, other, features.Times{}); ok || err != nil {
			t.Errorf("%s reads the other township's row (%v)", code, err)
		}
	}
	nobody := features.Asker{Name: "n", Role: "viewer"}
	if page, err := store.Items(t.Context(), nobody, features.ItemsQuery{Layer: l, Limit: 10, Times: features.At(time.Now())}); err != nil || len(page.Features) != 0 || page.Matched != 0 {
		t.Errorf("who may see nothing sees %+v (%v)", page, err)
	}
}

// TestExactNameIsNotCutOff hides the exact name behind many that begin with it.
func TestExactNameIsNotCutOff(t *testing.T) {
	dsn := pgtest.Database(t)
	store, snap := open(t, dsn)
	conn := pgtest.Connect(t, dsn.Admin)
	exec(t, conn, `insert into facilities (name, geom) select '清河' || i, st_setsrid(st_makepoint(119.25, 34.15), 4490) from generate_series(1, 900) i`)
	exec(t, conn, `insert into facilities (name, geom) values ('清河', st_setsrid(st_makepoint(119.25, 34.15), 4490))`)
	found, err := store.Search(t.Context(), everybody(), features.SearchQuery{Text: "清河", Layers: snap.Layers, Limit: 5, Times: features.At(time.Now())})
	if err != nil || len(found) != 5 || found[0].Title != "清河" || found[0].Tier != 0 {
		t.Errorf("%+v (%v)", found, err)
	}
	for _, f := range found[1:] {
		if f.Title == "清河" {
			t.Error("the same feature twice")
		}
	}
}

// TestHugeShapesArePagedByBytes keeps one answer from filling the memory.
func TestHugeShapesArePagedByBytes(t *testing.T) {
	dsn := pgtest.Database(t)
	store, snap := open(t, dsn)
	conn := pgtest.Connect(t, dsn.Admin)
	exec(t, conn, `insert into hazard_areas (name, geom) select 'a' || i, st_buffer(st_setsrid(st_makepoint(119.25, 34.15), 4490), 0.1, 25000) from generate_series(1, 12) i`)
	l := layer(t, snap, "hazard_areas")
	seen, after, pages := 0, "", 0
	for {
		page, err := store.Items(t.Context(), everybody(), features.ItemsQuery{Layer: l, Limit: 1000, After: after, Times: features.At(time.Now())})
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, f := range page.Features {
			size += len(f.Geometry)
		}
		if size > 32<<20 {
			t.Errorf("a page of %d bytes", size)
		}
		seen += len(page.Features)
		if pages++; !page.More {
			break
		}
		after = page.Features[len(page.Features)-1].Key
	}
	if seen != 12 || pages < 2 {
		t.Errorf("%d features on %d pages", seen, pages)
	}
	hits, err := store.Identify(t.Context(), everybody(), features.IdentifyQuery{Layers: []*registry.Layer{l}, Point: orb.Point{119.25, 34.15}, RadiusM: 5, Limit: 10, Times: features.At(time.Now())})
	if err != nil || len(hits) != 10 || len(hits[0].Geometry) > 200_000 {
		t.Errorf("identify: %d hits, first of %d bytes (%v)", len(hits), len(hits[0].Geometry), err)
	}
}

func TestCoordinate(t *testing.T) {
	home := orb.Bound{Min: orb.Point{119, 34}, Max: orb.Point{120, 35}}
	for text, want := range map[string]struct {
		p       orb.Point
		swapped bool
		ok      bool
	}{
		"119.25,34.15":   {orb.Point{119.25, 34.15}, false, true},
		"34.15,119.25":   {orb.Point{119.25, 34.15}, true, true},
		"34.15 119.25":   {orb.Point{119.25, 34.15}, true, true},
		"清河":             {},
		"12":             {},
		"200, 300":       {},
		"119°15′, 34°9′": {orb.Point{119.25, 34.15}, false, true},
	} {
		p, swapped, ok := features.Coordinate(text, home)
		if ok != want.ok || ok && (p != want.p || swapped != want.swapped) {
			t.Errorf("%s: %v %v %v", text, p, swapped, ok)
		}
	}
}

// TestARowNamesItsOwnSource: a layer holds several data sets, and whoever asks
// about one row must not be told the source of another, now or in history.
func TestARowNamesItsOwnSource(t *testing.T) {
	dsn := pgtest.Database(t)
	store, snap := open(t, dsn)
	conn := pgtest.Writer(t, dsn.App)
	exec(t, conn, `insert into dataset (name, title, source_dept, source_date) values ('a', '甲表', '民政局', '2026-05-01'), ('b', '乙表', null, null)`)
	exec(t, conn, `insert into shelters (name, dataset, source_key) select d.name, d.id, '1' from dataset d`)
	layer, _ := snap.Layer("shelters")
	for _, at := range []features.Times{features.At(time.Now()), {AsOf: new(time.Now())}} {
		page, err := store.Items(t.Context(), everybody(), features.ItemsQuery{Layer: layer, Limit: 10, Times: at})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range page.Features {
			var p struct {
				Source string  `json:"data_source"`
				Date   *string `json:"data_date"`
			}
			if err := json.Unmarshal(f.Properties, &p); err != nil {
				t.Fatal(err)
			}
			got[f.Title] = p.Source
			if p.Date != nil {
				got[f.Title] += " " + *p.Date
			}
		}
		if got["a"] != "民政局 2026-05-01" || got["b"] != "乙表" {
			t.Errorf("sources %v", got)
		}
	}
}
