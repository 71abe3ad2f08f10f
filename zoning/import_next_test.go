package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/paulmach/orb/geojson"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/zoning/coverage"
)

func (o *office) read(fc *geojson.FeatureCollection) ImportPreview {
	o.t.Helper()
	p, err := o.s.ReadImport(context.Background(), o.planner, ImportFile{Name: "a.geojson", Path: writeJSON(o.t, fc)})
	if err != nil {
		o.t.Fatal(explain(err))
	}
	return p
}

// TestAnImportContinuesASeries: what is imported may follow a version there is, by its
// zones' names and codes, so that the two can be compared.
func TestAnImportContinuesASeries(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	p := o.read(existing())
	m := mapping(p)
	m.Responsible = "规划科"
	first, err := o.s.Import(ctx, o.planner, p.ID, m, nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	next := existing()
	next.Features[0].Properties["风险等级"] = "较高" // 河东, relevelled
	next.Features[3].Properties["名称"] = "新区"   // instead of 山后
	p = o.read(next)
	m = mapping(p)
	if _, err := o.s.Import(ctx, o.planner, p.ID, m, nil); code(err) != "series_exists" {
		t.Errorf("a second series: %v", explain(err))
	}
	m = ImportMapping{Parent: first.Plan.ID, LevelField: m.LevelField, NameField: m.NameField, Levels: m.Levels, DirectionConfirmed: true}
	if _, err := o.s.Import(ctx, o.planner, p.ID, m, nil); code(err) != "open_version" {
		t.Errorf("beside a draft: %v", explain(err))
	}
	v1 := first.Plan
	o.toPublished(&v1, "2025-01-01")
	for name, bad := range map[string]struct {
		m    ImportMapping
		want string
	}{
		"another hazard": {ImportMapping{Parent: v1.ID, Hazard: "landslide"}, "hazard other_series"},
		"another area":   {ImportMapping{Parent: v1.ID, Area: "990100001"}, "area other_series"},
		"another kind":   {ImportMapping{Parent: v1.ID, Kind: Prevention}, "kind other_series"},
	} {
		if err := o.s.CheckImport(ctx, o.planner, p.ID, bad.m); code(err) != bad.want {
			t.Errorf("%s: %v", name, explain(err))
		}
	}
	if err := o.s.CheckImport(ctx, o.planner, p.ID, ImportMapping{Parent: newID(o.s.now())}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("no such version: %v", err)
	}
	second, err := o.s.Import(ctx, o.planner, p.ID, m, nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	v2 := second.Plan
	if v2.Series != v1.Series || v2.VersionNo != 2 || v2.Parent != v1.ID || v2.Title != v1.Title || !v2.Exhaustive || v2.State != Draft || v2.Zones != 4 {
		t.Errorf("%+v", v2)
	}
	d, err := o.s.Diff(ctx, o.planner.Identity, v2.ID, v1.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Added) != 1 || d.Added[0].Name != "新区" || len(d.Removed) != 1 || d.Removed[0].NameBefore != "山后" || len(d.Moved) != 0 ||
		len(d.Relevelled) != 1 || d.Relevelled[0].Name != "河东" || d.Relevelled[0].LevelBefore != 1 || d.Relevelled[0].LevelAfter != 2 || d.Unchanged != 2 {
		t.Errorf("%+v", d)
	}
	p = o.read(next)
	if err := o.s.CheckImport(ctx, o.planner, p.ID, m); code(err) != "open_version" {
		t.Errorf("two next versions: %v", explain(err))
	}
	if got, err := o.s.Validate(ctx, o.planner.Identity, v2.ID); err != nil || len(got.Violations) > 0 {
		t.Errorf("%+v %v", got, err)
	}
}

// TestAnImportTellsWhatItCutOff: ground beyond the area is in the list of what zones lost,
// those among it of which nothing is left.
func TestAnImportTellsWhatItCutOff(t *testing.T) {
	o := newOffice(t)
	fc := existing()
	over := geojson.NewFeature(coverage.Shape{{ring(10, 0, 25, 0, 25, 10, 10, 10)}}.Geometry()[0]) // five steps over the border in the east
	over.Properties = fc.Features[1].Properties
	fc.Features[1] = over
	away := geojson.NewFeature(box(100, 100, 110, 110).Geometry()[0])
	away.Properties = geojson.Properties{"名称": "远", "风险等级": "低"}
	fc.Append(away)
	p := o.read(fc)
	r, err := o.s.Import(t.Context(), o.planner, p.ID, mapping(p), nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	want := map[string]float64{"河西": coverage.AreaM2(box(20, 0, 25, 10)), "远": coverage.AreaM2(box(100, 100, 110, 110))}
	for _, c := range r.Changed {
		if w, ok := want[c.Name]; ok {
			if math.Abs(c.CutM2-w) > w/1e4 || c.LostM2 < c.CutM2 || c.Removed != (c.Name == "远") {
				t.Errorf("%+v, outside lay %.1f m²", c, w)
			}
			delete(want, c.Name)
		} else if c.CutM2 > 1 || c.Removed {
			t.Errorf("%+v", c)
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the list: %v, but %+v", want, r.Changed)
	}
	var how struct{ Import origin }
	if err := json.Unmarshal(r.Plan.Method, &how); err != nil || how.Import.Removed != 1 || how.Import.CutM2 < 1000 {
		t.Errorf("%+v %v", how, err)
	}
}

// beside is a second node on the same database.
func (w *table) beside(dsn pgtest.DSNs) *Service {
	w.t.Helper()
	d, err := db.Open(context.Background(), db.Options{DSN: dsn.App})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(d.Close)
	reg, err := registry.Open(context.Background(), d.Bulk)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := Open(Options{DB: d, Catalogue: reg})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// TestAnUploadIsAcceptedOnceOnAllNodes: two nodes make plans of one upload at the same
// time: one does, and the other says why not.
func TestAnUploadIsAcceptedOnceOnAllNodes(t *testing.T) {
	dsn := pgtest.Database(t)
	w := newTableOn(t, dsn, db.Options{DSN: dsn.App})
	w.county()
	o := &office{table: w, planner: w.by}
	nodes := []*Service{w.s, w.beside(dsn)}
	// What takes long is done by both before either writes: each waits there for the other.
	p := o.read(existing())
	var ready, over sync.WaitGroup
	ready.Add(len(nodes))
	errs := make([]error, len(nodes))
	for i, s := range nodes {
		over.Go(func() {
			_, errs[i] = s.Import(context.Background(), o.planner, p.ID, mapping(p), func(_, _ int, what string) {
				if what == "write" {
					ready.Done()
					ready.Wait()
				}
			})
		})
	}
	over.Wait()
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(code(a), code(b)) })
	if errs[0] != nil || code(errs[1]) != "already_accepted" {
		t.Errorf("%v", errs)
	}
	var plans int
	w.scan(&plans, `select count(*) from plan`)
	if plans != 1 {
		t.Errorf("%d plans of one upload", plans)
	}
	// And who accepts waits until the other has begun, whichever node he speaks to.
	inside, release := make(chan bool), make(chan bool)
	var order []string
	over.Go(func() {
		errs[0] = nodes[0].OneAcceptance(context.Background(), o.planner, p.ID, func(context.Context) error {
			close(inside)
			<-release
			order = append(order, "first")
			return nil
		})
	})
	<-inside
	over.Go(func() {
		errs[1] = nodes[1].OneAcceptance(context.Background(), o.planner, p.ID, func(context.Context) error {
			order = append(order, "second")
			return nil
		})
	})
	w.until(t, `select exists (select from pg_locks where locktype = 'advisory' and not granted)`)
	close(release)
	over.Wait()
	if errs[0] != nil || errs[1] != nil || fmt.Sprint(order) != "[first second]" {
		t.Errorf("%v %v", order, errs)
	}
}

// TestAShapefileCutShortIsCalledSo: each part of a Shapefile says how long it is.
func TestAShapefileCutShortIsCalledSo(t *testing.T) {
	o := newOffice(t)
	shp := ogr(t, writeJSON(t, existing()), "quhua.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=UTF-8")
	for _, ext := range []string{".shp", ".shx", ".dbf"} {
		path := strings.TrimSuffix(shp, ".shp") + ext
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, keep := range []int{len(whole) * 3 / 4, 60, 10} {
			if err := os.WriteFile(path, whole[:keep], 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.zip", Path: zipped(t, shp)})
			bad := new(auth.Invalid)
			if code(err) != "file truncated" || !errors.As(err, &bad) || !strings.Contains(bad.Items[0].ZH, ext) {
				t.Errorf("%s of %d bytes: %v", ext, keep, explain(err))
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.zip", Path: zipped(t, shp)}); err != nil {
		t.Errorf("whole again: %v", explain(err))
	}
	whole, err := os.ReadFile(shp)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(alone, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.shp", Path: alone}); code(err) != "file parts_missing" {
		t.Errorf("alone: %v", explain(err))
	}
}

// TestLayersAreOfFilesThatHaveSome: a layer that cannot be meant is refused.
func TestLayersAreOfFilesThatHaveSome(t *testing.T) {
	o := newOffice(t)
	plain := writeJSON(t, existing())
	if _, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.geojson", Path: plain, Layer: "quhua"}); code(err) != "layer no_layers" {
		t.Errorf("of GeoJSON: %v", explain(err))
	}
	shp := ogr(t, plain, "quhua.shp", "-f", "ESRI Shapefile")
	if _, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.zip", Path: zipped(t, shp), Layer: "quhua"}); err != nil {
		t.Errorf("of an archive: %v", explain(err))
	}
	if _, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.zip", Path: zipped(t, shp), Layer: "bianjie"}); code(err) != "file no_such_layer" {
		t.Errorf("another of an archive: %v", explain(err))
	}
}

// TestAnotherFieldMayBeOfLevels: who knows better than the guess names the field, and
// its direction is looked at like that of a guessed one.
func TestAnotherFieldMayBeOfLevels(t *testing.T) {
	o := newOffice(t)
	fc := existing()
	for i, f := range fc.Features {
		f.Properties["DJ"] = 6 - f.Properties["DJ"].(float64) // the other way round than the words beside it
		f.Properties["分区"] = []string{"甲", "乙", "丙", "丁"}[i]
	}
	path := writeJSON(t, fc)
	read := func(field string) (ImportPreview, error) {
		return o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a.geojson", Path: path, LevelField: field})
	}
	p, err := read("")
	if err != nil || p.Suggestion.LevelField != "风险等级" || p.Suggestion.Direction != Named {
		t.Fatalf("%+v %v", p.Suggestion, err)
	}
	p, err = read("DJ")
	if err != nil {
		t.Fatal(explain(err))
	}
	if s := p.Suggestion; s.LevelField != "DJ" || s.Direction != OneIsLeast || s.DirectionReason == "" || s.Levels["5"] != 1 || s.Levels["1"] != 5 || p.Preview[0].Value != "5" || p.Preview[0].Level != 1 {
		t.Errorf("%+v, preview %+v", s, p.Preview[0])
	}
	m := mapping(p)
	m.DirectionConfirmed = false
	if err := o.s.CheckImport(t.Context(), o.planner, p.ID, m); code(err) != "direction_confirmed direction_unconfirmed" {
		t.Errorf("unconfirmed: %v", explain(err))
	}
	r, err := o.s.Import(t.Context(), o.planner, p.ID, mapping(p), nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	for _, z := range o.zones(r.Plan.ID) {
		if want := map[string]int{"河东": 1, "河西": 2, "山前": 3, "山后": 5}[z.Name]; z.Level != want {
			t.Errorf("%s is of level %d", z.Name, z.Level)
		}
	}
	p, err = read("分区")
	if err != nil || p.Suggestion.LevelField != "分区" || p.Suggestion.Direction != "" || len(p.Suggestion.Levels) != 0 ||
		!slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Code == "levels_unknown" }) {
		t.Errorf("words of no ladder: %+v %+v %v", p.Suggestion, p.Notices, err)
	}
	if _, err := read("没有"); code(err) != "level_field unknown" {
		t.Errorf("no such field: %v", explain(err))
	}
}
