package census

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

func (h *house) file(t *testing.T, path string, opt FileOptions) Report {
	t.Helper()
	r, err := h.ImportFile(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Counts.Balanced() {
		t.Errorf("read is not accepted + rejected + quarantined: %+v", r.Counts)
	}
	for name, c := range r.Files {
		if !c.Balanced() {
			t.Errorf("%s: %+v", name, *c)
		}
	}
	return r
}

func rulesOf(r Report) string {
	var out []string
	for _, rc := range r.RuleCounts() {
		out = append(out, fmt.Sprintf("%s:%s=%d", rc.Kind, rc.Rule, rc.Count))
	}
	return strings.Join(out, " ")
}

func hasRule(t *testing.T, r Report, kind Kind, rule string, n int64) {
	t.Helper()
	if got := r.Rules[RuleCount{Rule: rule, Kind: kind}]; got != n {
		t.Errorf("%s %s: %d, want %d (%s)", kind, rule, got, n, rulesOf(r))
	}
}

// ringText is a ring of n random positions: it crosses itself about n²/6 times.
func ringText(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 3))
	var b strings.Builder
	b.WriteString("[")
	first := ""
	for range n {
		p := fmt.Sprintf("[%.7f,%.7f]", 119+r.Float64(), 34+r.Float64())
		if first == "" {
			first = p
		}
		b.WriteString(p + ",")
	}
	return b.String() + first + "]"
}

func TestHostileGeoJSON(t *testing.T) {
	h := newHouse(t)
	good := `{"type":"Feature","properties":{"name":"好"},"geometry":{"type":"Polygon","coordinates":[[[119,34],[119.1,34],[119.1,34.1],[119,34]]]}}`
	poly := func(coords string) string {
		return `{"type":"Feature","properties":{"name":"坏"},"geometry":{"type":"Polygon","coordinates":` + coords + `}}`
	}
	million := &strings.Builder{}
	million.WriteString("[[")
	for i := range 1_000_000 {
		fmt.Fprintf(million, "[119.%07d,34.%07d],", i, i%977)
	}
	million.WriteString("[119,34]]]")
	bad := []string{
		poly(`[[[NaN,34],[119.1,34],[119.1,34.1],[NaN,34]]]`),
		poly(`[[[1e999,34],[119.1,34],[119.1,34.1],[1e999,34]]]`),
		poly(`{}`), poly(`[]`), poly(`[[]]`), poly(`null`),
		poly(`[[[119,34],[119.1,34],[119.1,34.1]]]`),
		poly(`[[[119,34],[119,34],[119,34],[119,34]]]`),
		poly(`[[[200,34],[119.1,34],[119.1,34.1],[200,34]]]`),
		poly(million.String()),
		poly("[" + ringText(100, 1) + "]"), poly("[" + ringText(300, 2) + "]"), poly("[" + ringText(1000, 3) + "]"), poly("[" + ringText(3000, 4) + "]"),
		`{"type":"Feature","properties":{"name":"坏"},"geometry":` + strings.Repeat(`{"type":"GeometryCollection","geometries":[`, 9) + `{"type":"Point","coordinates":[119,34]}` + strings.Repeat(`]}`, 9) + `}`,
		`{"type":"Feature","properties":{"name":"坏"},"geometry":{"type":"Point","coordinates":[119,34]}}`, // no area
		`{"type":"Feature","properties":{"a":NaN},"geometry":null}`,
		`{"type":"Dragon"}`, `17`,
	}
	path := write(t, "a.geojson", `{"type":"FeatureCollection","features":[`+good+","+strings.Join(bad, ",\n")+","+good+`]}`)
	r := h.file(t, path, FileOptions{Layer: "hazard_areas"})
	if want := int64(len(bad) + 2); r.Counts.Read != want || r.Counts.Accepted != 2 {
		t.Errorf("%+v of %d; %s", r.Counts, want, rulesOf(r))
	}
	hasRule(t, r, Quarantined, "too_many_vertices", 1)
	if n := one[int64](t, h, `select count(*) from hazard_areas`); n != 2 {
		t.Errorf("%d rows", n)
	}
	if n := one[int64](t, h, `select count(*) from import_issue where rule in ('self_intersection', 'repair_changes_shape') and place is not null or original ? 'geometry'`); n < 4 {
		t.Errorf("only %d crossing rings came with their place or shape", n)
	}
}

func TestGeoJSONForms(t *testing.T) {
	h := newHouse(t)
	f := func(i int) string {
		return fmt.Sprintf(`{"type":"Feature","id":"k%d","properties":{"code":"k%d","name":"n%d","extra":{"a":[1,"\u0000x"]}},"geometry":{"type":"Point","coordinates":[119.%d,34,12.5]}}`, i, i, i, i)
	}
	forms := map[string]string{
		"collection.geojson": `{"features":[` + f(1) + "," + f(2) + `],"type":"FeatureCollection"}`,
		"lines.ndjson":       f(1) + "\n" + f(2) + "\n",
		"rs.geojsons":        "\x1e" + f(1) + "\n\x1e" + f(2),
		"bom.json":           "\xef\xbb\xbf[" + f(1) + "," + f(2) + "]",
	}
	first := true
	for name, text := range forms {
		dir := t.TempDir()
		path := filepath.Join(dir, "same"+filepath.Ext(name)) // one data set for all
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := h.file(t, path, FileOptions{Layer: "facilities"})
		if first {
			wantCounts(t, r, Counts{Read: 2, Accepted: 2, Inserted: 2})
			first = false
		} else {
			wantCounts(t, r, Counts{Read: 2, Accepted: 2, Unchanged: 2})
		}
	}
	for name, text := range map[string]string{
		"empty.geojson": "", "text.geojson": "hello", "cut.geojson": `{"type":"FeatureCollection","features":[` + f(1) + "," + f(2)[:40],
		"crs.geojson":  `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:999999999"}},"features":[` + f(1) + `]}`,
		"deep.geojson": strings.Repeat("[", 100000), "comma.geojson": `{"type":"FeatureCollection","features":[` + f(3) + f(4) + `]}`,
	} {
		if r, err := h.ImportFile(context.Background(), write(t, name, text), FileOptions{Layer: "facilities"}); err == nil {
			t.Errorf("%s accepted: %+v", name, r.Counts)
		}
	}
	if n := one[int64](t, h, `select count(*) from facilities`); n != 2 {
		t.Errorf("%d rows: a broken file must change nothing", n)
	}
}

func TestProjectedAndShiftedCoordinates(t *testing.T) {
	h := newHouse(t)
	gk := `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4549"}},"features":[
	 {"type":"Feature","properties":{"code":"1"},"geometry":{"type":"Point","coordinates":[430874.36,3780000]}},
	 {"type":"Feature","properties":{"code":"2"},"geometry":{"type":"Point","coordinates":[1e30,1e30]}}]}`
	r := h.file(t, write(t, "gk.geojson", gk), FileOptions{Layer: "facilities"})
	wantCounts(t, r, Counts{Read: 2, Accepted: 1, Quarantined: 1, Inserted: 1})
	hasRule(t, r, Quarantined, RuleTransform, 1)
	if x := one[float64](t, h, `select st_x(geom) from facilities where code = '1'`); x < 119 || x > 119.5 {
		t.Errorf("longitude %g", x)
	}
	if s := one[string](t, h, `select reason || ' ' || crs || ' ' || st_x(geom)::int from import_original`); s != "converted EPSG:4549 430874" {
		t.Error(s)
	}
	r = h.file(t, write(t, "undeclared.csv", "code,lon,lat\n1,430874,3780000\n"), FileOptions{Layer: "facilities"})
	hasRule(t, r, Quarantined, RuleProjected, 1)
	r = h.file(t, write(t, "swapped.csv", "code,lon,lat\n1,34.15,119.25\n"), FileOptions{Layer: "facilities"})
	hasRule(t, r, Quarantined, RuleSwapped, 1)
	r = h.file(t, write(t, "swapped.geojson", `{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[34.15,119.25]}}`), FileOptions{Layer: "facilities"})
	hasRule(t, r, Quarantined, RuleSwapped, 1)
	r = h.file(t, write(t, "gcj.csv", "code,lon,lat\ng1,116.38404722455657,39.91334545536069\n"), FileOptions{Layer: "facilities", CRS: "GCJ02"})
	wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
	if s := one[string](t, h, `select round(st_x(geom)::numeric, 6) || ' ' || (attrs->>'src_crs') || ' ' || (attrs->'src_coordinates'->>0) from facilities where code = 'g1'`); s != "116.377817 GCJ02 116.38404722455657" {
		t.Error(s)
	}
	if _, err := h.ImportFile(context.Background(), write(t, "x.csv", "code,lon,lat\n1,2,3\n"), FileOptions{Layer: "facilities", CRS: "EPSG:banana"}); err == nil {
		t.Error("an unknown system was accepted")
	}
}

const spreadsheet = `某县避难场所汇总表,,,,,,,
填报单位:应急管理局,,,,,,,
编码,名称,经度,纬度,可容纳人数,占地面积,联系电话,备注
S001,第一小学,119°15′30.5″,34度9分0秒,1.2万,3亩,13800138000,好
S002,第二小学,119.26,34.16,"1,500",2000平方米,010-12345678,
3.2E+11,第三小学,119.27,34.17,300,1000,,
S004,第四小学,119.28,34.18,三百,1000,,找李四13912345678
S005,第五小学,119.29,九十九,100,1000,,
S001,第一小学,119.25,34.15,999,,,
合计,,,,3100,,,
`

func checkSpreadsheet(t *testing.T, h *house, r Report) {
	t.Helper()
	wantCounts(t, r, Counts{Read: 7, Accepted: 3, Rejected: 1, Quarantined: 3, Inserted: 3})
	hasRule(t, r, Rejected, RuleTotalRow, 1)
	hasRule(t, r, Quarantined, RuleScientific, 1)
	hasRule(t, r, Quarantined, RuleCoordinate, 1)
	hasRule(t, r, Quarantined, RuleDuplicateKey, 1)
	hasRule(t, r, Warning, RuleTitleRow, 2)
	hasRule(t, r, Warning, RuleUnit, 2)
	hasRule(t, r, Warning, RuleDMS, 1)
	hasRule(t, r, Warning, RuleNumber, 1)
	if s := one[string](t, h, `select string_agg(capacity || '/' || gross_m2 || '/' || round(st_x(geom)::numeric, 6), ' ' order by code) from shelters where code in ('S001', 'S002')`); s != "12000/2000/119.258472 1500/2000/119.260000" {
		t.Error(s)
	}
	if s := one[string](t, h, `select attrs->>'可容纳人数' from shelters where code = 'S004' and capacity is null`); s != "三百" {
		t.Error(s)
	}
	if s := one[string](t, h, `select string_agg(value, ' ' order by value) from restricted.attribute`); s != "010-12345678 13800138000 找李四13912345678" {
		t.Error(s)
	}
	if n := one[int64](t, h, `select count(*) from shelters where attrs::text ~ '13800138000|13912345678'`); n != 0 {
		t.Error("a telephone number stands in attrs")
	}
	if n := one[int64](t, h, `select count(*) from import_issue where message ~ '13800138000|13912345678' or original::text ~ '13800138000|13912345678'`); n != 0 {
		t.Error("a telephone number stands in the issues")
	}
}

func TestSpreadsheets(t *testing.T) {
	for name, encode := range map[string]func(string) (string, error){
		"utf8": func(s string) (string, error) { return s, nil },
		"bom":  func(s string) (string, error) { return "\ufeff" + s, nil },
		"gbk":  simplifiedchinese.GBK.NewEncoder().String,
		"semicolon": func(s string) (string, error) {
			return strings.ReplaceAll(strings.ReplaceAll(s, `"1,500"`, "1500"), ",", ";"), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			text, err := encode(spreadsheet)
			if err != nil {
				t.Fatal(err)
			}
			r := h.file(t, write(t, "a.csv", text), FileOptions{Layer: "shelters"})
			checkSpreadsheet(t, h, r)
		})
	}
	t.Run("xlsx", func(t *testing.T) {
		h := newHouse(t)
		f := excelize.NewFile()
		for i, line := range strings.Split(strings.TrimSpace(strings.ReplaceAll(spreadsheet, `"1,500"`, "1500")), "\n") {
			var cells []any
			for c := range strings.SplitSeq(line, ",") {
				cells = append(cells, c)
			}
			if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &cells); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(t.TempDir(), "a.xlsx")
		if err := f.SaveAs(path); err != nil {
			t.Fatal(err)
		}
		r := h.file(t, path, FileOptions{Layer: "shelters"})
		checkSpreadsheet(t, h, r)
		out := filepath.Join(t.TempDir(), "issues.xlsx")
		if err := h.WriteIssues(context.Background(), out, []string{r.ID()}); err != nil {
			t.Fatal(err)
		}
		book, err := excelize.OpenFile(out)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := book.GetRows("待核实 quarantined")
		if err != nil || len(rows) != 4 {
			t.Errorf("%v %v", rows, err)
		}
	})
}

// A key made of a person's number must not carry it into the open table.
func TestPersonalKeysAreHashed(t *testing.T) {
	h := newHouse(t)
	path := write(t, "a.csv", "编码,名称,经度,纬度\n13800138000,网格员甲,119.25,34.15\n")
	r := h.file(t, path, FileOptions{Layer: "facilities"})
	wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
	if n := one[int64](t, h, `select count(*) from facilities where source_key like '%138%' or attrs::text like '%138001%'`); n != 0 {
		t.Error("the number stands in the key")
	}
	wantCounts(t, h.file(t, path, FileOptions{Layer: "facilities"}), Counts{Read: 1, Accepted: 1, Unchanged: 1})
}

// A workbook that unpacks without end is refused, however small it is.
func TestWorkbookBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, maxWorkbook/2); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := write(t, "a.xlsx", b.String())
	if tab, err := openXLSX(source{path: path, name: "a.xlsx"}); err == nil {
		tab.close()
		t.Error("the bomb was opened")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBig5(t *testing.T) {
	h := newHouse(t)
	text, err := traditionalchinese.Big5.NewEncoder().String("編號,name,經度,緯度,地址\n1,臺北市避難收容處所甲,121.5,25.03,臺北市中正區仁愛路二段\n2,臺北市避難收容處所乙,121.51,25.04,臺北市信義區吳興街\n")
	if err != nil {
		t.Fatal(err)
	}
	r := h.file(t, write(t, "b.csv", text), FileOptions{Layer: "shelters"})
	wantCounts(t, r, Counts{Read: 2, Accepted: 2, Inserted: 2})
	if r.Encoding != "Big5" {
		t.Errorf("encoding %s", r.Encoding)
	}
	if s := one[string](t, h, `select min(name) from shelters`); s != "臺北市避難收容處所乙" {
		t.Error(s)
	}
}

func TestShapefileInArchive(t *testing.T) {
	h := newHouse(t)
	if h.opener.gdal == nil {
		t.Skip("GDAL is not installed")
	}
	dir := t.TempDir()
	src := write(t, "in.geojson", `{"type":"FeatureCollection","features":[
	 {"type":"Feature","properties":{"名称":"河边","编码":"Z1"},"geometry":{"type":"Polygon","coordinates":[[[119,34],[119.1,34],[119.1,34.1],[119,34]]]}},
	 {"type":"Feature","properties":{"名称":"山下","编码":"Z2"},"geometry":{"type":"Polygon","coordinates":[[[119,34],[119.1,34.1],[119.1,34],[119,34.1],[119,34]]]}}]}`)
	shp := filepath.Join(dir, "zones.shp")
	if b, err := exec.Command("ogr2ogr", "-f", "ESRI Shapefile", "-lco", "ENCODING=CP936", "-s_srs", "EPSG:4326", "-t_srs", "EPSG:4549", shp, src).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, ext := range []string{".shp", ".shx", ".dbf", ".prj"} { // no .cpg
		w, err := z.Create("zones" + ext)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(strings.TrimSuffix(shp, ".shp") + ext)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := write(t, "zones.zip", buf.String())
	r := h.file(t, path, FileOptions{Layer: "hazard_areas"})
	if r.Encoding != "GB18030" || r.Counts.Read != 2 || r.Counts.Accepted+r.Counts.Quarantined != 2 {
		t.Errorf("%s %+v %s", r.Encoding, r.Counts, rulesOf(r))
	}
	if s := one[string](t, h, `select name || code || round(st_xmin(geom)::numeric, 5) from hazard_areas where code = 'Z1'`); s != "河边Z1119.00000" {
		t.Error(s)
	}
}

func TestScopeAgreesWithDatabase(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	unit := func(code string, rank int, x, y, s float64) Feature {
		return Feature{Layer: "admin", Key: code, Code: code, Geometry: orb.Polygon{{{x, y}, {x + s, y}, {x + s, y + s}, {x, y + s}, {x, y}}},
			Fields: map[string]any{"code": code, "name": code, "rank": rank}}
	}
	units := []Feature{unit("990100", 3, 119, 34, 1)}
	for i := range 4 {
		units = append(units, unit(fmt.Sprintf("99010000%d", i+1), 4, 119+0.5*float64(i%2), 34+0.5*float64(i/2), 0.5))
	}
	if _, err := h.Load(ctx, Dataset{Name: "admin"}, seqOf(units...), LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(6, 6))
	var fs []Feature
	for i := range 400 {
		x, y := 118.9+r.Float64()*1.2, 33.9+r.Float64()*1.2
		if i%3 == 0 { // on a grid, so that borders are shared
			x, y = 119+0.25*float64(r.IntN(5)), 34+0.25*float64(r.IntN(5))
		}
		f := Feature{Layer: "facilities", Key: fmt.Sprint(i), Geometry: orb.Point{x, y}, Fields: map[string]any{}}
		if i%2 == 0 {
			f.Geometry = orb.Polygon{{{x, y}, {x + 0.25, y}, {x + 0.25, y + 0.25}, {x, y + 0.25}, {x, y}}}
		}
		fs = append(fs, f)
	}
	if _, err := h.Load(ctx, Dataset{Name: "f"}, seqOf(fs...), LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := one[int64](t, h, `select count(*) from facilities where scope <> scope_at(geom)`); n != 0 {
		t.Errorf("%d of 400 scopes differ from the database's", n)
	}
	if n := one[int64](t, h, `select count(distinct scope) from facilities`); n != 6 {
		t.Errorf("%d different scopes", n)
	}
}

// Every foreign format brings the same two rows; archives too.
func TestForeignFormats(t *testing.T) {
	h := newHouse(t)
	if h.opener.gdal == nil {
		t.Skip("GDAL is not installed")
	}
	src := write(t, "in.geojson", `{"type":"FeatureCollection","features":[
	 {"type":"Feature","properties":{"code":"Z1","kind":"school"},"geometry":{"type":"Point","coordinates":[119.25,34.15]}},
	 {"type":"Feature","properties":{"code":"Z2","kind":"school"},"geometry":null}]}`)
	for i, c := range []struct{ name, driver string }{{"a.gpkg", "GPKG"}, {"b.kml", "KML"}, {"c.gdb", "OpenFileGDB"}, {"d.shp", "ESRI Shapefile"}} {
		dir := t.TempDir()
		path := filepath.Join(dir, c.name)
		if b, err := exec.Command("ogr2ogr", "-f", c.driver, "-nln", "pts", path, src).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if c.driver == "KML" { // as KMZ
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var buf bytes.Buffer
			z := zip.NewWriter(&buf)
			w, err := z.Create("doc.kml")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(raw); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			path = write(t, "b.kmz", buf.String())
		}
		r := h.file(t, path, FileOptions{Layer: "facilities"})
		if c.driver == "ESRI Shapefile" && r.Counts.Read == 0 {
			t.Errorf("%s: nothing read", c.name)
		}
		wantCounts(t, r, Counts{Read: 2, Accepted: 2, Inserted: 2, Unplaced: 1})
		if n := one[int64](t, h, `select count(*) from facilities where code = 'Z1' and kind = 'school' and st_x(geom) = 119.25`); n != int64(i+1) {
			t.Errorf("%s: %d rows fit", c.name, n)
		}
	}
	two := filepath.Join(t.TempDir(), "two.gpkg")
	for _, args := range [][]string{{"-nln", "one"}, {"-update", "-append", "-nln", "other"}} {
		if b, err := exec.Command("ogr2ogr", append(append([]string{"-f", "GPKG"}, args...), two, src)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	}
	if _, err := h.ImportFile(context.Background(), two, FileOptions{Layer: "facilities"}); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("of two layers one was picked: %v", err)
	}
	wantCounts(t, h.file(t, two, FileOptions{Layer: "facilities", Sublayer: "other"}), Counts{Read: 2, Accepted: 2, Inserted: 2, Unplaced: 1})
}
