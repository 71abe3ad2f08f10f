package zoning

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// existing is a zoning of the county in four zones as an office may have it: corners a
// little off, so there are gaps and overlaps of some millimetres, and a word for the level.
func existing() *geojson.FeatureCollection {
	fc := geojson.NewFeatureCollection()
	add := func(s coverage.Shape, name, level string, n int) {
		f := geojson.NewFeature(s.Geometry()[0])
		f.Properties = geojson.Properties{"名称": name, "风险等级": level, "DJ": float64(n), "备注": "原有"}
		fc.Append(f)
	}
	add(coverage.Shape{{ring(0, 0, 10, 0, 10.000_1, 10, 0, 10)}}, "河东", "高风险", 1)
	add(coverage.Shape{{ring(10, 0, 20, 0, 20, 10, 10, 10)}}, "河西", "较高", 2)
	add(coverage.Shape{{ring(0, 10, 10, 10.000_1, 10, 20, 0, 20)}}, "山前", "中风险区", 3)
	add(coverage.Shape{{ring(10, 10, 20, 10, 20, 20, 10, 20)}}, "山后", "低", 5)
	return fc
}

func writeJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "existing.geojson")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ogr writes the file as another format with the real tool.
func ogr(t testing.TB, in, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("ogr2ogr"); err != nil {
		t.Skipf("ogr2ogr is not installed: %v", err)
	}
	out := filepath.Join(t.TempDir(), name)
	if b, err := exec.Command("ogr2ogr", append(args, out, in)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return out
}

// zipped packs a Shapefile's parts, but for those left out.
func zipped(t testing.TB, shp string, without ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "upload.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	parts, _ := filepath.Glob(strings.TrimSuffix(shp, ".shp") + ".*")
	for _, p := range parts {
		if slices.Contains(without, filepath.Ext(p)) {
			continue
		}
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		e, err := w.Create(filepath.Base(p))
		if err == nil {
			_, err = e.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func mapping(p ImportPreview) ImportMapping {
	return ImportMapping{Title: "甲县洪水风险区划(既有)", Hazard: "flood", Kind: Risk, Area: county, Exhaustive: new(true),
		LevelField: p.Suggestion.LevelField, NameField: p.Suggestion.NameField, Levels: p.Suggestion.Levels, DirectionConfirmed: true}
}

func TestImportOfEveryFormat(t *testing.T) {
	o := newOffice(t)
	plain := writeJSON(t, existing())
	gbk := ogr(t, plain, "quhua.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=CP936")
	for name, f := range map[string]struct {
		file                 ImportFile
		format, encoding, by string
	}{
		"geojson":            {ImportFile{Name: "a.geojson", Path: plain}, "geojson", "UTF-8", ""},
		"shapefile, gbk":     {ImportFile{Name: "a.zip", Path: zipped(t, gbk)}, "shapefile", "CP936", "cpg"},
		"gbk, nothing said":  {ImportFile{Name: "a.zip", Path: zipped(t, gbk, ".cpg")}, "shapefile", "", ""},
		"no .prj":            {ImportFile{Name: "a.zip", Path: zipped(t, gbk, ".prj")}, "shapefile", "CP936", "cpg"},
		"shapefile, utf-8":   {ImportFile{Name: "a.zip", Path: zipped(t, ogr(t, plain, "quhua.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=UTF-8"))}, "shapefile", "UTF-8", "cpg"},
		"geopackage":         {ImportFile{Name: "a.gpkg", Path: ogr(t, plain, "a.gpkg", "-f", "GPKG")}, "geopackage", "UTF-8", ""},
		"kml":                {ImportFile{Name: "a.kml", Path: ogr(t, plain, "a.kml", "-f", "KML")}, "kml", "UTF-8", ""},
		"gauss-krüger":       {ImportFile{Name: "a.gpkg", Path: ogr(t, plain, "a.gpkg", "-f", "GPKG", "-s_srs", "EPSG:4490", "-t_srs", "EPSG:4548")}, "geopackage", "UTF-8", ""},
		"gauss-krüger named": {ImportFile{Name: "a.zip", CRS: "EPSG:4548", Path: zipped(t, ogr(t, plain, "b.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=CP936", "-s_srs", "EPSG:4490", "-t_srs", "EPSG:4548"), ".prj")}, "shapefile", "CP936", "cpg"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := o.s.ReadImport(t.Context(), o.planner, f.file)
			if err != nil {
				t.Fatal(explain(err))
			}
			if p.Format != f.format || f.encoding != "" && p.Encoding != f.encoding || f.by != "" && p.EncodingBy != f.by || p.Features != 4 || p.Usable != 4 || p.Outside != 0 {
				t.Errorf("%+v", p)
			}
			if !strings.HasPrefix("风险等级", p.Suggestion.LevelField) || p.Suggestion.LevelField == "" || p.Suggestion.Direction != Named || p.Suggestion.Ladder != "risk_5" {
				t.Fatalf("suggestion %+v, notices %+v, fields %+v", p.Suggestion, p.Notices, p.Fields)
			}
			want := map[string]int{"高风险": 1, "较高": 2, "中风险区": 3, "低": 5}
			if fmt.Sprint(p.Suggestion.Levels) != fmt.Sprint(want) || len(p.Preview) != 4 || p.Preview[0].Level != 1 {
				t.Errorf("levels %v", p.Suggestion.Levels)
			}
			for _, fd := range p.Fields {
				if fd.Name == p.Suggestion.LevelField && (len(fd.Values) != 4 || math.Abs(fd.Values[0].Share-0.25) > 0.01) {
					t.Errorf("values %+v", fd.Values)
				}
			}
			m := mapping(p)
			m.Hazard = o.hazard("flood")
			rep, err := o.s.Import(t.Context(), o.planner, p.ID, m, nil)
			if err != nil {
				t.Fatal(explain(err))
			}
			if rep.Zones != 4 || len(rep.Violations) != 0 || rep.Plan.State != Draft || rep.Plan.Zones != 4 || rep.Plan.Ungraded != 0 || len(rep.Healed) == 0 {
				t.Errorf("%+v", rep)
			}
			set, err := o.s.Zones(t.Context(), o.planner.Identity, rep.Plan.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: set.Area, Exhaustive: true}
			levels := map[string]int{}
			for _, z := range set.Zones {
				c.Zones[coverage.ID(z.Zone)] = z.Shape
				levels[z.Name] = z.Level
			}
			if bad := c.Check(); len(bad) > 0 {
				t.Errorf("what was imported is no coverage: %v", bad[0])
			}
			if levels["河东"] != 1 || levels["河西"] != 2 || levels["山前"] != 3 || levels["山后"] != 5 {
				t.Errorf("levels %v", levels)
			}
			if bad, err := o.s.Validate(t.Context(), o.planner.Identity, rep.Plan.ID); err != nil || len(bad.Violations) > 0 {
				t.Errorf("validate: %v %v", bad, err)
			}
			// The plan says how it came to be, and is not taken for a computed one.
			var how struct{ Import origin }
			if err := json.Unmarshal(rep.Plan.Method, &how); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(f.file.Path)
			if err != nil {
				t.Fatal(err)
			}
			healed := 0
			for _, n := range how.Import.Healed {
				healed += n
			}
			if in := how.Import; in.File != f.file.Name || in.SHA256 != fmt.Sprintf("%x", sha256.Sum256(data)) || in.Format != f.format || in.Encoding != p.Encoding || in.CRS != p.CRS ||
				in.Features != 4 || in.Zones != 4 || in.Fields["level"] != m.LevelField || in.Fields["name"] != m.NameField || fmt.Sprint(in.Levels) != fmt.Sprint(m.Levels) ||
				healed != len(rep.Healed) || in.ChangedZones != len(rep.Changed) || in.By != "person1" || in.At.IsZero() || hasMethod(rep.Plan.Method) {
				t.Errorf("method %s", rep.Plan.Method)
			}
			// Once accepted it is gone.
			if _, err := o.s.Import(t.Context(), o.planner, p.ID, m, nil); !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("accepted twice: %v", err)
			}
		})
	}
}

func TestImportAsksForTheDirection(t *testing.T) {
	o := newOffice(t)
	fc := existing()
	for _, f := range fc.Features {
		delete(f.Properties, "风险等级")
	}
	p, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a", Path: writeJSON(t, fc)})
	if err != nil {
		t.Fatal(explain(err))
	}
	told := slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Code == "direction_unknown" })
	if p.Suggestion.LevelField != "DJ" || p.Suggestion.Direction != OneIsWorst || p.Suggestion.DirectionReason != "" || !told {
		t.Errorf("%+v %+v", p.Suggestion, p.Notices)
	}
	m := mapping(p)
	m.DirectionConfirmed = false
	if _, err := o.s.Import(t.Context(), o.planner, p.ID, m, nil); code(err) != "direction_confirmed direction_unconfirmed" {
		t.Errorf("unconfirmed: %v", err)
	}
	m = mapping(p)
	m.Levels = map[string]int{"1": 5, "2": 9}
	_, err = o.s.Import(t.Context(), o.planner, p.ID, m, nil)
	bad := new(auth.Invalid)
	if !errors.As(err, &bad) || len(bad.Items) != 3 { // level 9, and the values 3 and 5
		t.Errorf("a mapping with holes: %v", explain(err))
	}
	// Numbers the other way round, and words beside them that say so.
	fc = existing()
	for _, f := range fc.Features {
		f.Properties["DJ"] = 6 - f.Properties["DJ"].(float64)
	}
	p, err = o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a", Path: writeJSON(t, fc)})
	if err != nil {
		t.Fatal(err)
	}
	fields := slices.DeleteFunc(slices.Clone(p.Fields), func(f ImportField) bool { return f.Name != "DJ" && f.Name != "风险等级" })
	rows := make([]importRow, 0, 4)
	for i, f := range fc.Features {
		b, _ := json.Marshal(f.Properties)
		rows = append(rows, importRow{Row: i + 1, Props: b})
	}
	sug := ImportSuggestion{LevelField: "DJ", Levels: map[string]int{}}
	words := make([]map[string]int, len(fields))
	for i, f := range fields {
		if f.Name == "风险等级" {
			words[i] = p.Suggestion.Levels
		}
	}
	sug.beside(fields, words, rows)
	if sug.Direction != OneIsLeast || sug.Levels["5"] != 1 || sug.Levels["1"] != 5 || sug.DirectionReason == "" {
		t.Errorf("%+v", sug)
	}
}

func TestImportIsNobodyElses(t *testing.T) {
	o := newOffice(t)
	p, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a", Path: writeJSON(t, existing())})
	if err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]auth.By{"another planner": o.other} {
		if _, err := o.s.Import(t.Context(), by, p.ID, mapping(p), nil); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := o.s.ReadImport(t.Context(), o.viewer, ImportFile{Name: "a", Path: writeJSON(t, existing())}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a viewer reads: %v", err)
	}
	m := mapping(p)
	m.Area = "990200" // not the planner's
	if _, err := o.s.Import(t.Context(), o.planner, p.ID, m, nil); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("another's area: %v", err)
	}
	// The row floor holds it even without the service's own question.
	if n := o.seen(t, o.other); n != 0 {
		t.Errorf("another planner sees %d rows", n)
	}
	if n := o.seen(t, o.planner); n != 4 {
		t.Errorf("the planner sees %d rows", n)
	}
	// After a day it is gone.
	later := *o.s
	later.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if _, err := later.Import(t.Context(), o.planner, p.ID, mapping(p), nil); !errors.Is(err, auth.ErrNotFound) && !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("after a day: %v", err)
	}
	o.exec(`update plan_import set expires_at = now() - interval '1 second'`)
	if _, err := o.s.ReadImport(t.Context(), o.other, ImportFile{Name: "a", Path: writeJSON(t, existing())}); err != nil {
		t.Fatal(err)
	}
	var left int
	o.scan(&left, `select count(*) from plan_import`)
	if left != 1 {
		t.Errorf("%d imports are kept", left)
	}
}

func (o *office) seen(t *testing.T, by auth.By) int {
	t.Helper()
	conn := o.admin
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	n := 0
	if _, err := tx.Exec(t.Context(), `select set_config('app.actor', $1, true)`, by.Actor()); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `set local role onemap_app`); err != nil {
		t.Fatal(err)
	}
	if err := tx.QueryRow(t.Context(), `select count(*) from plan_import_row`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestImportOfBadFiles(t *testing.T) {
	o := newOffice(t)
	file := func(text string) ImportFile {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ImportFile{Name: "x", Path: path}
	}
	feature := func(geometry string) string {
		return `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":1},"geometry":` + geometry + `}]}`
	}
	big := make(orb.Ring, 0, 1_000_001)
	for i := range 1_000_000 {
		a := 2 * math.Pi * float64(i) / 1e6
		big = append(big, orb.Point{121 + math.Cos(a)/10, 25 + math.Sin(a)/10})
	}
	big = append(big, big[0])
	million, _ := json.Marshal(geojson.NewGeometry(orb.Polygon{big}))
	bomb := filepath.Join(t.TempDir(), "bomb.zip")
	f, err := os.Create(bomb)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	e, _ := w.Create("a.geojson")
	_, _ = e.Write([]byte(strings.Repeat(" ", 64<<20)))
	_ = w.Close()
	_ = f.Close()
	for name, tt := range map[string]struct {
		file ImportFile
		want string
	}{
		"empty":          {file(""), "file empty"},
		"words":          {file("你好"), "file format"},
		"half":           {file(`{"type":"FeatureCollection","features":[{"type":"Feature","geom`), "file damaged"},
		"no features":    {file(`{"type":"FeatureCollection","features":[]}`), "file no_features"},
		"null geometry":  {file(feature("null")), "file no_areas"},
		"a point":        {file(feature(`{"type":"Point","coordinates":[121,25]}`)), "file no_areas"},
		"off the Earth":  {file(feature(`{"type":"Polygon","coordinates":[[[200,0],[201,0],[201,1],[200,0]]]}`)), "file no_areas"},
		"no area":        {file(feature(`{"type":"Polygon","coordinates":[[[1,1],[2,2],[3,3],[1,1]]]}`)), "file no_areas"},
		"a million":      {file(feature(string(million))), "file no_areas"},
		"zip bomb":       {ImportFile{Name: "b.zip", Path: bomb}, "file archive"},
		"no such system": {ImportFile{Name: "a", Path: writeJSON(t, existing()), CRS: "EPSG:abc"}, "crs unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := o.s.ReadImport(t.Context(), o.planner, tt.file); code(err) != tt.want {
				t.Errorf("got %q (%v), want %q", code(err), explain(err), tt.want)
			}
		})
	}
	var kept int
	o.scan(&kept, `select count(*) from plan_import`)
	if kept != 0 {
		t.Errorf("%d refused files were kept", kept)
	}
}

// What can be mended is, told with what it cost; what cannot is left out and told; what
// is too large to be closed is a violation.
func TestImportMendsAndTells(t *testing.T) {
	o := newOffice(t)
	fc := existing()
	bow := geojson.NewFeature(orb.Polygon{orb.Ring{ll(2, 2), ll(4, 4), ll(4, 2), ll(2, 4), ll(2, 2)}})
	bow.Properties = geojson.Properties{"名称": "蝴蝶", "风险等级": "低"}
	fc.Append(bow)
	random := orb.Ring{}
	seed := 1.0
	for range 3000 {
		seed = math.Mod(seed*16807, 2147483647)
		x := 20 * seed / 2147483647
		seed = math.Mod(seed*16807, 2147483647)
		random = append(random, ll(x, 20*seed/2147483647))
	}
	wild := geojson.NewFeature(orb.Polygon{append(random, random[0])})
	wild.Properties = geojson.Properties{"名称": "乱", "风险等级": "低"}
	fc.Append(wild)
	away := geojson.NewFeature(coverage.Shape{{ring(100, 100, 110, 100, 110, 110)}}.Geometry()[0])
	away.Properties = geojson.Properties{"名称": "远", "风险等级": "低"}
	fc.Append(away)
	start := time.Now()
	p, err := o.s.ReadImport(t.Context(), o.planner, ImportFile{Name: "a", Path: writeJSON(t, fc)})
	if err != nil {
		t.Fatal(explain(err))
	}
	t.Logf("read in %s", time.Since(start))
	if p.Features != 7 || p.Usable != 6 || p.Outside != 1 || len(p.Faults) != 2 || p.Faults[0].Code != "mended" || p.Faults[0].AreaM2 <= 0 || p.Faults[1].Code != "too_many_crossings" || p.Faults[1].At == nil {
		t.Fatalf("%+v", p.Faults)
	}
	rep, err := o.s.Import(t.Context(), o.planner, p.ID, mapping(p), nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	codes := map[coverage.Code]int{}
	for _, v := range rep.Violations {
		codes[v.Code]++
	}
	// Two lobes within 河东 stay a zone of their own, and are told; one zone outside is gone.
	if codes[coverage.Overlap] != 2 || codes[coverage.OutsideArea] != 1 || len(rep.Faults) != 2 || rep.Zones != 5 {
		t.Errorf("%v, %d zones", codes, rep.Zones)
	}
	bad, err := o.s.Validate(t.Context(), o.planner.Identity, rep.Plan.ID)
	if err != nil || len(bad.Violations) != 0 {
		t.Errorf("validate: %v %v", bad, err)
	}
	var original int
	o.scan(&original, `select count(*) from plan_import_row`)
	if original != 0 {
		t.Errorf("%d staged rows are left", original)
	}
}

func TestImportSuspectsGCJ02(t *testing.T) {
	var r ImportReport
	area := coverage.Shape{{ring(0, 0, 20, 0, 20, 20, 0, 20)}}
	shifted := func(s coverage.Shape) coverage.Shape {
		g := s.Geometry()
		for _, p := range g {
			for _, q := range p {
				for i := range q {
					q[i] = geo.WGSToGCJ(q[i])
				}
			}
		}
		out, err := coverage.FromGeometry(g)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	r.suspect([]Zone{{Shape: shifted(dense(area))}}, area)
	if len(r.Notices) != 1 || r.Notices[0].Code != "gcj02_suspected" {
		t.Errorf("%+v", r.Notices)
	}
	r = ImportReport{}
	r.suspect([]Zone{{Shape: dense(area)}}, area)
	if len(r.Notices) != 0 {
		t.Errorf("%+v", r.Notices)
	}
}

// TestThePreviewSuspectsGCJ02: before anything is made of a file, the preview tells that
// it fits an administrative unit only unshifted; what lies right, and what is small, is
// not suspected.
func TestThePreviewSuspectsGCJ02(t *testing.T) {
	w := newTable(t)
	w.unit("990000", "某市", 2, box(-3000, -3000, 3000, 3000))
	w.unit(county, "甲县", 3, box(0, 0, 1000, 1000))
	w.unit("990200", "乙县", 3, box(1000, 0, 2000, 1000))
	w.unit("990100001", "一乡", 4, box(0, 0, 400, 400))
	file := func(shift bool, shapes ...coverage.Shape) string {
		fc := geojson.NewFeatureCollection()
		for _, s := range shapes {
			g := dense(s).Geometry()[0]
			for i := range g[0] {
				if shift {
					g[0][i] = geo.WGSToGCJ(g[0][i])
				}
			}
			fc.Append(geojson.NewFeature(g))
		}
		return writeJSON(t, fc)
	}
	halves := []coverage.Shape{box(0, 0, 500, 1000), box(500, 0, 1000, 1000)}
	for name, c := range map[string]struct {
		path    string
		suspect bool
	}{
		"a county as it is":             {file(false, halves...), false},
		"a county shifted":              {file(true, halves...), true},
		"a county and a bit beyond":     {file(false, box(0, 0, 500, 1000), box(500, 0, 1030, 1000)), false},
		"half a county":                 {file(false, halves[0]), false},
		"a township as it is":           {file(false, box(0, 0, 400, 400)), false},
		"a township shifted":            {file(true, box(0, 0, 400, 400)), true},
		"something small at a border":   {file(false, box(398, 100, 420, 120)), false},
		"something small there shifted": {file(true, box(398, 100, 420, 120)), false},
	} {
		p, err := w.s.ReadImport(t.Context(), w.by, ImportFile{Name: "a.geojson", Path: c.path})
		if err != nil {
			t.Fatal(explain(err))
		}
		i := slices.IndexFunc(p.Notices, func(n Notice) bool { return n.Code == "gcj02_suspected" })
		if (i >= 0) != c.suspect {
			t.Errorf("%s: %+v", name, p.Notices)
		}
	}
	// Read as what it is, it lies right and is not suspected any more.
	p, err := w.s.ReadImport(t.Context(), w.by, ImportFile{Name: "a.geojson", CRS: "GCJ02", Path: file(true, halves...)})
	if err != nil || slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Code == "gcj02_suspected" }) {
		t.Errorf("%+v %v", p.Notices, err)
	}
}

// dense puts many nodes a little inside the border.
func dense(s coverage.Shape) coverage.Shape {
	var r coverage.Ring
	for i, p := range s[0][0] {
		q := s[0][0][(i+1)%len(s[0][0])]
		for k := range int64(50) {
			r = append(r, coverage.Point{X: p.X + (q.X-p.X)*k/50, Y: p.Y + (q.Y-p.Y)*k/50})
		}
	}
	return coverage.Shape{{r}}
}

func ll(x, y float64) orb.Point { return pt(x, y).LonLat() }

// The real city's flood areas as an existing zoning: 5,414 shapes, some of which pass a
// point twice and some of which lie on others.
func TestImportOfRealFloodAreas(t *testing.T) {
	path := "../../shared/data/taipei/hazard_flood_78mm.geojson"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real data here: %v", err)
	}
	w := newTable(t)
	w.unit(county, "某市", 3, coverage.Shape{{coverage.Ring{{X: 12140000000, Y: 2490000000}, {X: 12170000000, Y: 2490000000}, {X: 12170000000, Y: 2525000000}, {X: 12140000000, Y: 2525000000}}}})
	start := time.Now()
	p, err := w.s.ReadImport(t.Context(), w.by, ImportFile{Name: "淹水潜势.geojson", Path: path})
	if err != nil {
		t.Fatal(explain(err))
	}
	t.Logf("%d features read in %s, %d mended, suggestion %+v", p.Features, time.Since(start), len(p.Faults)+p.MoreFaults, p.Suggestion)
	n := 0
	for _, s := range p.Preview {
		for _, poly := range s.Geometry {
			for _, r := range poly {
				n += len(r)
			}
		}
	}
	if p.Usable != p.Features || p.Outside != 0 || len(p.Preview) != p.Usable || n > 2*previewVertices {
		t.Errorf("%d of %d usable, %d outside, preview %d with %d vertices", p.Usable, p.Features, p.Outside, len(p.Preview), n)
	}
	start = time.Now()
	m := ImportMapping{Title: "某市内涝风险区划", Hazard: "waterlogging", Kind: Risk, Area: county, LevelField: "gridcode", DirectionConfirmed: true, Levels: map[string]int{}}
	for _, f := range p.Fields {
		if f.Name == "gridcode" {
			for _, v := range f.Values {
				m.Levels[v.Value] = max(1, 6-levelNumber(v.Value)) // deeper is worse
			}
		}
	}
	rep, err := w.s.Import(t.Context(), w.by, p.ID, m, nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	t.Logf("%d zones in %s, healed %d, violations %d", rep.Zones, time.Since(start), len(rep.Healed), len(rep.Violations))
	if bad, err := w.s.Validate(t.Context(), w.by.Identity, rep.Plan.ID); err != nil || len(bad.Violations) > 0 {
		t.Errorf("validate: %v %v", err, bad.Violations)
	}
	if rep.Zones < 5400 || rep.Plan.Ungraded != 0 {
		t.Errorf("%d zones, %d ungraded", rep.Zones, rep.Plan.Ungraded)
	}
}
