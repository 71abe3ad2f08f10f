package report

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"onemap/internal/gdal"
)

func tools(t *testing.T) *gdal.Runner {
	t.Helper()
	r, err := gdal.New(gdal.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err) // make deps installs it
	}
	return r
}

// grid is a coordinate as plans have them: float64 of a whole number over 1e8.
func grid(k int64) float64 { return float64(k) / 1e8 }

func sampleFeatures() Features {
	people, none := 1234, (*int)(nil)
	a := orb.MultiPolygon{{
		{{grid(10912345678), grid(3412345671)}, {grid(10922345679), grid(3412345673)}, {grid(10922345677), grid(3422345679)}, {grid(10912345671), grid(3422345677)}, {grid(10912345678), grid(3412345671)}},
		{{grid(10915345678), grid(3415345671)}, {grid(10915345678), grid(3418345671)}, {grid(10918345678), grid(3418345671)}, {grid(10915345678), grid(3415345671)}},
	}}
	b := orb.MultiPolygon{{{{grid(10922345679), grid(3412345673)}, {grid(10932345671), grid(3412345673)}, {grid(10922345677), grid(3422345679)}, {grid(10922345679), grid(3412345673)}}}}
	return Features{
		Name: "风险区划", Title: "山洪灾害风险区划", Head: [][2]string{{"截至", "2026-06-01"}, {"口径", "户籍人口"}}, Made: Made{"张明远", when},
		Fields: []Field{
			{Name: "name", Title: "名称"}, {Name: "code", Title: "编号"}, {Name: "level", Title: "等级", Kind: Integer},
			{Name: "area_km2", Title: "面积", Unit: "km²", Kind: Number}, {Name: "population", Title: "人口", Unit: "人", Kind: Integer},
			{Name: "effective_from", Title: "生效", Kind: Date}, {Name: "countermeasure", Title: "防治对策"}, {Name: "countermeasure_2", Title: "对策二"},
		},
		Items: []Feature{
			{ID: "z1", Shape: a, Values: []any{"梁家坪—老屋·组", "610102", 1, 12.345678, &people, when, "转移；巡查“三遍”①㎡°", ""}},
			{ID: "z2", Shape: b, Values: []any{"𬇙水㙟村", "610103", int16(5), 0.5, none, nil, strings.Repeat("长", 300), "=cmd|'/c calc'!A1"}},
		},
	}
}

func sameShape(t *testing.T, got orb.Geometry, want orb.Geometry) {
	t.Helper()
	set := func(g orb.Geometry) map[orb.Point]int {
		out := map[orb.Point]int{}
		m := multi(g)
		for _, p := range m {
			for _, r := range p {
				for _, q := range r[1:] {
					out[q]++
				}
			}
		}
		return out
	}
	a, b := set(got), set(want)
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%d vertices, want %d", len(a), len(b))
	}
	for p, n := range b {
		if a[p] != n {
			t.Errorf("the vertex %v is not there to the bit", p)
		}
	}
}

// read reads a file back through GDAL, without any change of coordinates.
func read(t *testing.T, r *gdal.Runner, path, encoding string) []*geojson.Feature {
	t.Helper()
	src, err := gdal.Detect(path)
	if err != nil {
		t.Fatal(err)
	}
	// Raw, and all digits: what the file holds.
	rc, err := r.Convert(t.Context(), src, gdal.Conversion{Encoding: encoding, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	var out []*geojson.Feature
	for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		f, err := geojson.UnmarshalFeature([]byte(line))
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		out = append(out, f)
	}
	return out
}

func unzip(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestShapefile writes and reads back, in both encodings.
func TestShapefile(t *testing.T) {
	r := tools(t)
	for _, e := range []Encoding{GBK, UTF8} {
		t.Run(string(e), func(t *testing.T) {
			dir := t.TempDir()
			f := sampleFeatures()
			out, err := Export(t.Context(), r, dir, f, ExportOptions{Format: Shapefile, Encoding: e})
			if err != nil {
				t.Fatal(err)
			}
			parts := unzip(t, out.Path)
			back := t.TempDir()
			for name, b := range parts {
				if err := os.WriteFile(filepath.Join(back, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, ext := range []string{".shp", ".shx", ".dbf", ".prj", ".cpg"} {
				if len(parts["风险区划"+ext]) == 0 {
					t.Errorf("no %s in %d files", ext, len(parts))
				}
			}
			if prj := string(parts["风险区划.prj"]); !strings.Contains(prj, "China_2000") && !strings.Contains(prj, "China_Geodetic_Coordinate_System_2000") {
				t.Errorf("the .prj is %s", prj)
			}
			shp := filepath.Join(back, "风险区划.shp")
			found, err := gdal.DetectEncoding(shp)
			if err != nil || found.By != "cpg" || (found.Name == "UTF-8") != (e == UTF8) {
				t.Errorf("the encoding is found as %+v, %v", found, err)
			}
			got := read(t, r, shp, found.Name)
			if len(got) != 2 {
				t.Fatalf("%d features", len(got))
			}
			p := got[0].Properties
			if p["name"] != "梁家坪—老屋·组" || p["code"] != "610102" || p["level"] != 1.0 || p["area_km2"] != 12.345678 || p["population"] != 1234.0 {
				t.Errorf("the first is %v", p)
			}
			if p["effective_"] != "2026/06/01" && p["effective_"] != "2026-06-01" {
				t.Errorf("the date is %v", p["effective_"])
			}
			if v, ok := p["countermea"]; !ok || v != "转移；巡查“三遍”①㎡°" {
				t.Errorf("the measure is %v of %v", v, p)
			}
			if _, ok := p["counterm_1"]; !ok {
				t.Errorf("two long names fell together: %v", p)
			}
			if got[1].Properties["population"] != nil {
				t.Errorf("no population became %v", got[1].Properties["population"])
			}
			// Reading rounds to nine decimals in Convert: the grid has eight.
			sameShape(t, got[0].Geometry, f.Items[0].Shape)
			sameShape(t, got[1].Geometry, f.Items[1].Shape)

			want := []Lost{{"z2", "name", "𬇙水㙟村", "𬇙㙟"}, {Feature: "z2", Field: "countermeasure", Text: strings.Repeat("长", 300)}}
			name := "〓水〓村"
			if e == UTF8 {
				want, name = want[1:], "𬇙水㙟村"
			}
			if len(out.Lost) != len(want) || out.Lost[0] != want[0] || out.Lost[len(want)-1] != want[len(want)-1] {
				t.Errorf("lost %+v", out.Lost)
			}
			if got[1].Properties["name"] != name {
				t.Errorf("the rare name is %v", got[1].Properties["name"])
			}
			if long, _ := got[1].Properties["countermea"].(string); long != strings.Repeat("长", map[Encoding]int{GBK: 127, UTF8: 84}[e]) {
				t.Errorf("the long text has %d characters", len([]rune(long)))
			}
			if note := parts["风险区划_说明.txt"]; !bytes.Contains(note, []byte("z2")) {
				t.Errorf("the archive does not say what was lost")
			}
		})
	}
}

// TestDoubles reads the bytes of a Shapefile: the doubles are the very ones.
func TestDoubles(t *testing.T) {
	f := sampleFeatures()
	f.Items = f.Items[1:]
	f.Items[0].Shape = orb.MultiPolygon{{{{109.1234567890123, 34.1234567890123}, {109.2000000000001, 34.1 + 1e-15}, {math.Nextafter(109.15, 110), 34.2}, {109.1234567890123, 34.1234567890123}}}}
	out, err := Export(t.Context(), tools(t), t.TempDir(), f, ExportOptions{Format: Shapefile})
	if err != nil {
		t.Fatal(err)
	}
	shp := unzip(t, out.Path)["风险区划.shp"]
	for _, p := range f.Items[0].Shape.(orb.MultiPolygon)[0][0] {
		for _, v := range p {
			var b [8]byte
			for i := range b {
				b[i] = byte(math.Float64bits(v) >> (8 * i))
			}
			if !bytes.Contains(shp, b[:]) {
				t.Errorf("%v is not in the file to the bit", v)
			}
		}
	}
}

func TestGeoPackageAndKML(t *testing.T) {
	r := tools(t)
	f := sampleFeatures()
	dir := t.TempDir()
	out, err := Export(t.Context(), r, dir, f, ExportOptions{Format: GeoPackage})
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, r, out.Path, "")
	if len(got) != 2 || got[1].Properties["name"] != "𬇙水㙟村" || got[1].Properties["countermeasure_2"] != "=cmd|'/c calc'!A1" {
		t.Errorf("the GeoPackage says %v", got[1].Properties)
	}
	sameShape(t, got[0].Geometry, f.Items[0].Shape)
	layers, err := r.Layers(t.Context(), gdal.Source{Path: out.Path, Format: gdal.GeoPackage}, "")
	if err != nil || layers[0].EPSG != 4490 || layers[0].Name != "风险区划" {
		t.Errorf("the layer is %+v, %v", layers, err)
	}
	out, err = Export(t.Context(), r, dir, f, ExportOptions{Format: KML})
	if err != nil {
		t.Fatal(err)
	}
	if got = read(t, r, out.Path, ""); len(got) != 2 || got[0].Properties["Name"] != "梁家坪—老屋·组" {
		t.Errorf("the KML says %v", got[0].Properties)
	}
	sameShape(t, got[0].Geometry, f.Items[0].Shape)
}

func TestGeoJSON(t *testing.T) {
	f := sampleFeatures()
	f.Items[0].Shape = orb.MultiPolygon{{{{math.Nextafter(109.15, 110), 34.2}, {109.3, 34.2}, {109.3, 34.3}, {math.Nextafter(109.15, 110), 34.2}}}}
	out, err := Export(t.Context(), nil, t.TempDir(), f, ExportOptions{Format: GeoJSON})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out.Path)
	if err != nil {
		t.Fatal(err)
	}
	fc, err := geojson.UnmarshalFeatureCollection(b)
	if err != nil || len(fc.Features) != 2 {
		t.Fatal(err)
	}
	if !orb.Equal(fc.Features[0].Geometry, f.Items[0].Shape) || fc.Features[0].Properties["population"] != 1234.0 || fc.Features[1].Properties["population"] != nil {
		t.Errorf("it came back as %s", b)
	}
}

func TestTables(t *testing.T) {
	people := int64(98765)
	tab := Table{
		Name: "统计/表", Title: "各等级统计", Head: [][2]string{{"截至", "2026-06-01"}}, By: "李&文静", At: when, Foot: []string{"人口为估计"},
		Columns: []Column{{Title: "等级"}, {Title: "面积", Unit: "km²", Kind: Number, Decimals: 2}, {Title: "占比", Kind: Percent, Decimals: 1}, {Title: "人口", Kind: Integer}, {Title: "日期", Kind: Date}},
		Rows:    [][]any{{"高", 491.7251, 0.2213, &people, when}, {"=HYPERLINK(\"http://x\")", math.NaN(), nil, (*int64)(nil), nil}, {"\t+1\x01"}},
	}
	var a, b bytes.Buffer
	if err := XLSX(&a, tab, tab); err != nil {
		t.Fatal(err)
	}
	if err := XLSX(&b, tab, tab); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same table gives other bytes, %v", err)
	}
	f, err := excelize.OpenReader(&a)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names := f.GetSheetList(); len(names) != 2 || names[0] != "统计_表" || names[1] != "统计_表_2" {
		t.Errorf("the sheets are %v", names)
	}
	at := func(cell string) string {
		v, err := f.GetCellValue("统计_表", cell)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	raw := func(cell string) string {
		v, err := f.GetCellValue("统计_表", cell, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for cell, want := range map[string]string{"A1": "各等级统计", "A2": "截至", "B3": "李&文静", "B5": "面积（km²）", "A6": "高", "B6": "491.73", "C6": "22.1%", "D6": "98,765", "E6": "2026-06-01", "A7": "=HYPERLINK(\"http://x\")", "B7": "", "A9": "人口为估计"} {
		if got := at(cell); got != want {
			t.Errorf("%s is %q, want %q", cell, got, want)
		}
	}
	if raw("B6") != "491.7251" {
		t.Errorf("the number itself is %s", raw("B6"))
	}
	for _, cell := range []string{"A7", "A8"} {
		if formula, err := f.GetCellFormula("统计_表", cell); err != nil || formula != "" {
			t.Errorf("%s is the formula %q", cell, formula)
		}
	}
	if p, err := f.GetPanes("统计_表"); err != nil || !p.Freeze || p.YSplit != 5 {
		t.Errorf("the header is not frozen: %+v %v", p, err)
	}

	for _, e := range []Encoding{UTF8, GB18030} {
		var out bytes.Buffer
		tab.Rows[0][0] = "高𬇙"
		if err := CSV(&out, tab, e); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if e == GB18030 {
			if text, err = simplifiedchinese.GB18030.NewDecoder().String(text); err != nil {
				t.Fatal(err)
			}
		} else if !strings.HasPrefix(text, "\ufeff") {
			t.Error("no mark")
		}
		rd := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
		rd.FieldsPerRecord = -1
		rows, err := rd.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if rows[5][0] != "高𬇙" || rows[5][1] != "491.73" || rows[5][3] != "98765" || !strings.HasPrefix(rows[6][0], "'=") || !strings.HasPrefix(rows[7][0], "'\t+") {
			t.Errorf("%s: %q", e, rows)
		}
	}
}

const sampleTemplate = `{
  "name": "{area_code}_{hazard}_{date}",
  "files": [
    {"path": "01矢量数据/{area_code}{kind_title}.shp", "kind": "shp", "encoding": "gbk",
     "fields": [{"name": "XZQDM", "source": "code"}, {"name": "区划单元名称", "source": "name"}, {"name": "DJ", "source": "level"}]},
    {"path": "01矢量数据/{title}.gpkg", "kind": "gpkg"},
    {"path": "02成果表/{title}.xlsx", "kind": "xlsx", "fields": [{"name": "区划单元", "source": "name"}]},
    {"path": "02成果表/意见采纳情况表.xlsx", "kind": "table", "table": "comments"},
    {"path": "02成果表/统计表.xlsx", "kind": "table", "table": "levels"},
    {"path": "03成果图/{title}.pdf", "kind": "pdf", "size": "A3"},
    {"path": "文件清单.xlsx", "kind": "contents"}
  ]
}`

func TestPackage(t *testing.T) {
	r := tools(t)
	tpl, err := ReadTemplate([]byte(sampleTemplate))
	if err != nil {
		t.Fatal(err)
	}
	s := smallSheet(t)
	in := PackageInput{
		Words:    map[string]string{"area_code": "990100", "hazard": "flash_flood", "kind_title": "风险区划", "title": "县/风险区划图", "date": "20260601"},
		Features: sampleFeatures(), Sheet: &s, Made: Made{"张明远", when},
		Tables: map[string]Table{"comments": {Name: "意见", Columns: []Column{{Title: "意见"}}, Rows: [][]any{{"同意"}}, At: when}},
	}
	var before []byte
	for range 2 {
		out, err := Package(t.Context(), r, t.TempDir(), tpl, in)
		if err != nil {
			t.Fatal(err)
		}
		if out.Name != "990100_flash_flood_20260601.zip" || len(out.Lost) != 1 {
			t.Errorf("it is %q and lost %+v", out.Name, out.Lost)
		}
		b, err := os.ReadFile(out.Path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(b, before) {
			t.Error("the same package has other bytes")
		}
		before = b
		files := unzip(t, out.Path)
		list, err := excelize.OpenReader(bytes.NewReader(files["文件清单.xlsx"]))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := list.GetRows("文件清单", excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		listed, absent := 0, 0
		for _, row := range rows {
			if len(row) >= 4 && len(row[3]) == 64 {
				sum := sha256.Sum256(files[row[1]])
				if row[3] != hex.EncodeToString(sum[:]) {
					t.Errorf("%s has another hash", row[1])
				}
				listed++
			}
			if len(row) == 5 && row[4] == "未提供" && row[1] == "02成果表/统计表.xlsx" {
				absent++
			}
		}
		if listed != len(files)-1 || absent != 1 {
			t.Errorf("%d of %d files listed, %d left out", listed, len(files), absent)
		}
		for _, name := range []string{"01矢量数据/990100风险区划.dbf", "01矢量数据/县_风险区划图.gpkg", "03成果图/县_风险区划图.pdf", "02成果表/意见采纳情况表.xlsx"} {
			if len(files[name]) == 0 {
				t.Errorf("no %s", name)
			}
		}
		// Field names are cut to ten bytes of GBK: five characters.
		name, err := simplifiedchinese.GBK.NewEncoder().String("区划单元名")
		if err != nil || !bytes.Contains(files["01矢量数据/990100风险区划.dbf"][:200], []byte(name)) {
			t.Error("the field is not called 区划单元名")
		}
	}
}

func TestTemplateRefuses(t *testing.T) {
	for _, bad := range []string{
		``, `{}`, `{"name":"x","files":[]}`, `{"name":"x","files":[{"path":"../a.shp","kind":"shp"}]}`, `{"name":"x","files":[{"path":"/a.shp","kind":"shp"}]}`,
		`{"name":"x","files":[{"path":"a.exe","kind":"exe"}]}`, `{"name":"x","files":[{"path":"a.zip","kind":"shp"}]}`, `{"name":"x","files":[{"path":"vsicurl/a.shp","kind":"shp"}]}`,
		`{"name":"x","files":[{"path":"a.xlsx","kind":"table"}]}`, `{"name":"x","files":[{"path":"a.csv","kind":"csv","encoding":"latin1"}]}`, `{"name":"x","unknown":1,"files":[{"path":"a.csv","kind":"csv"}]}`,
		`{"name":"x","files":[{"path":"a.csv","kind":"csv","fields":[{"name":"x"}]}]}`, `{"name":"x","files":[{"path":"a.pdf","kind":"pdf","size":"B5"}]}`,
	} {
		if _, err := ReadTemplate([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	// What only shows when it is filled in.
	for _, body := range []string{
		`{"name":"{nothing}","files":[{"path":"a.csv","kind":"csv"}]}`, `{"name":"x","files":[{"path":"a.csv","kind":"csv"},{"path":"A.csv","kind":"csv"}]}`,
		`{"name":"x","files":[{"path":"a.csv","kind":"csv","fields":[{"name":"n","source":"nothing"}]}]}`,
	} {
		tpl, err := ReadTemplate([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Package(t.Context(), nil, t.TempDir(), tpl, PackageInput{Features: sampleFeatures()}); err == nil {
			t.Errorf("%s was made", body)
		}
	}
}

// TestExportLeavesNothing: what fails leaves no file behind, and nothing is overwritten.
func TestExportLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f := sampleFeatures()
	f.Items = append(f.Items, Feature{ID: "p", Shape: orb.Point{109, 34}})
	if _, err := Export(t.Context(), tools(t), dir, f, ExportOptions{Format: Shapefile}); err == nil {
		t.Error("two kinds of shape went into one Shapefile")
	}
	f.Items[2].Shape = orb.Collection{}
	if _, err := Export(t.Context(), nil, dir, f, ExportOptions{Format: GeoJSON}); err == nil {
		t.Error("a collection was written")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	f.Items = f.Items[:2]
	f.Name = "../../etc/x"
	out, err := Export(t.Context(), nil, dir, f, ExportOptions{Format: CSVFile})
	if err != nil || filepath.Dir(out.Path) != dir {
		t.Errorf("%q, %v", out.Path, err)
	}
	if _, err := Export(t.Context(), nil, dir, f, ExportOptions{Format: CSVFile}); err == nil {
		t.Error("a file was written over")
	}
}

// An empty plan is a file with fields and no features.
func TestExportEmpty(t *testing.T) {
	f := sampleFeatures()
	f.Items = nil
	r := tools(t)
	for _, format := range []Format{GeoJSON, GeoPackage, Shapefile, KML, CSVFile, XLSXFile} {
		if out, err := Export(t.Context(), r, t.TempDir(), f, ExportOptions{Format: format, Encoding: map[Format]Encoding{Shapefile: GBK}[format]}); err != nil {
			t.Errorf("%s: %v", format, err)
		} else if info, err := os.Stat(out.Path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", format, err)
		}
	}
}
