package gdal

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const sample = `{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"名称":"示例避难场所","容量":300,"这是一个很长的字段名":"x"},"geometry":{"type":"Point","coordinates":[119.25,34.15]}},
{"type":"Feature","properties":{"名称":"第二处","容量":500,"这是一个很长的字段名":"y"},"geometry":{"type":"Point","coordinates":[119.26,34.16]}},
{"type":"Feature","properties":{"名称":"没有位置","容量":1,"这是一个很长的字段名":"z"},"geometry":null}]}`

func runner(t testing.TB) *Runner {
	t.Helper()
	r, err := New(Options{TempDir: t.TempDir(), Timeout: time.Minute})
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// make writes the sample with the real tool.
func makeFile(t testing.TB, name string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "in.geojson")
	if err := os.WriteFile(in, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, name)
	cmd := exec.Command("ogr2ogr", append(args, out, in)...)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return out
}

type feature struct {
	Properties map[string]any `json:"properties"`
	Geometry   *struct {
		Type        string    `json:"type"`
		Coordinates []float64 `json:"coordinates"`
	} `json:"geometry"`
}

func convert(t testing.TB, r *Runner, src Source, c Conversion) []feature {
	t.Helper()
	s, err := r.Convert(context.Background(), src, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raw, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	var out []feature
	for line := range bytes.SplitSeq(bytes.TrimSpace(raw), []byte("\n")) {
		var f feature
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, f)
	}
	return out
}

func TestFormats(t *testing.T) {
	r := runner(t)
	for _, c := range []struct {
		file   string
		format Format
		args   []string
	}{
		{"a.shp", Shapefile, []string{"-f", "ESRI Shapefile", "-lco", "ENCODING=UTF-8"}},
		{"a.gpkg", GeoPackage, []string{"-f", "GPKG"}},
		{"a.kml", KML, []string{"-f", "KML"}},
		{"a.dxf", DXF, []string{"-f", "DXF", "-nlt", "POINT", "-skipfailures", "-where", "容量 > 1"}},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			path := makeFile(t, c.file, c.args...)
			src, err := Detect(path)
			if err != nil || src.Format != c.format {
				t.Fatalf("%+v %v", src, err)
			}
			layers, err := r.Layers(context.Background(), src, "")
			if err != nil || len(layers) != 1 {
				t.Fatalf("%+v %v", layers, err)
			}
			got := convert(t, r, src, Conversion{Layer: layers[0].Name, Raw: layers[0].SRS == ""})
			if c.format == DXF {
				if len(got) != 2 || layers[0].SRS != "" {
					t.Fatalf("%+v %+v", got, layers)
				}
				return
			}
			if layers[0].Count != 3 || layers[0].SRS == "" {
				t.Errorf("layer %+v", layers[0])
			}
			if len(got) != 3 || got[0].Geometry == nil || got[0].Geometry.Coordinates[0] != 119.25 || got[2].Geometry != nil {
				t.Fatalf("%+v", got)
			}
			name := got[0].Properties["名称"]
			if c.format == KML && name == nil {
				name = got[0].Properties["Name"]
			}
			if name != "示例避难场所" {
				t.Errorf("properties %v", got[0].Properties)
			}
		})
	}
}

func TestShapefileEncodings(t *testing.T) {
	r := runner(t)
	for _, c := range []struct {
		name, enc string
		drop      bool // without .cpg
		want      Encoding
	}{
		{"gbk with cpg", "CP936", false, Encoding{"CP936", "cpg"}},
		{"gbk without cpg", "CP936", true, Encoding{"GB18030", "guess"}},
		{"utf8 with cpg", "UTF-8", false, Encoding{"UTF-8", "cpg"}},
		{"utf8 without cpg, field name split inside a character", "UTF-8", true, Encoding{"UTF-8", "utf8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := makeFile(t, "a.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING="+c.enc)
			if c.drop {
				if err := os.Remove(strings.TrimSuffix(path, ".shp") + ".cpg"); err != nil {
					t.Fatal(err)
				}
			}
			enc, err := DetectEncoding(path)
			if err != nil || enc != c.want {
				t.Fatalf("%+v %v", enc, err)
			}
			src, err := Detect(path)
			if err != nil {
				t.Fatal(err)
			}
			got := convert(t, r, src, Conversion{Encoding: enc.Name})
			if len(got) != 3 || got[0].Properties["名称"] != "示例避难场所" || got[1].Properties["名称"] != "第二处" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestReprojection(t *testing.T) {
	r := runner(t)
	path := makeFile(t, "a.shp", "-f", "ESRI Shapefile", "-s_srs", "EPSG:4326", "-t_srs", "EPSG:4549", "-lco", "ENCODING=UTF-8")
	src, err := Detect(path)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := r.Layers(context.Background(), src, "UTF-8")
	if err != nil || layers[0].SRS == "" {
		t.Fatalf("%+v %v", layers, err)
	}
	near := func(x float64) bool { return x > 119.2499999 && x < 119.2500001 }
	if got := convert(t, r, src, Conversion{}); !near(got[0].Geometry.Coordinates[0]) {
		t.Errorf("by the file's system: %v", got[0].Geometry.Coordinates)
	}
	if err := os.Remove(strings.TrimSuffix(path, ".shp") + ".prj"); err != nil {
		t.Fatal(err)
	}
	if layers, err := r.Layers(context.Background(), src, "UTF-8"); err != nil || layers[0].SRS != "" {
		t.Errorf("without .prj: %+v %v", layers, err)
	}
	if got := convert(t, r, src, Conversion{SourceEPSG: 4549}); !near(got[0].Geometry.Coordinates[0]) {
		t.Errorf("by the declared system: %v", got[0].Geometry.Coordinates)
	}
	if got := convert(t, r, src, Conversion{Raw: true}); got[0].Geometry.Coordinates[0] < 1000 {
		t.Errorf("raw numbers were changed: %v", got[0].Geometry.Coordinates)
	}
}

func TestLimits(t *testing.T) {
	src, err := Detect(makeFile(t, "a.gpkg", "-f", "GPKG"))
	if err != nil {
		t.Fatal(err)
	}
	runner(t)
	for _, c := range []struct {
		name string
		opts Options
	}{
		{"memory", Options{MemoryBytes: 1 << 20}},
		{"output", Options{OutputBytes: 100}},
	} {
		c.opts.TempDir = t.TempDir()
		r, err := New(c.opts)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Convert(context.Background(), src, Conversion{})
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := io.ReadAll(s); err == nil {
			t.Errorf("%s: no error, %d bytes", c.name, len(raw))
		}
		s.Close()
	}
}

// A reader that stops early, or a cancelled context, must end the child and leave
// no working directory behind.
func TestStopLeavesNothing(t *testing.T) {
	runner(t)
	tmp := t.TempDir()
	r, err := New(Options{TempDir: tmp})
	if err != nil {
		t.Fatal(err)
	}
	src, err := Detect(makeFile(t, "a.gpkg", "-f", "GPKG"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Convert(context.Background(), src, Conversion{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, err = r.Convert(ctx, src, Conversion{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.Close()
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestDetectRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, body string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	shp := "\x00\x00\x27\x0a" + strings.Repeat("\x00", 100)
	link := filepath.Join(dir, "link.shp")
	if err := os.Symlink(write("x.shp", shp), link); err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(dir, "x.gdb")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"/vsicurl/http://127.0.0.1/a.shp", "/vsizip/a.zip/a.shp", "http://127.0.0.1/a.shp", "PG:dbname=x", "a\x00.shp", "-f",
		filepath.Join(dir, "absent.shp"), link, sub, "/dev/zero", dir,
		write("vrt.shp", `<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/vsicurl/http://127.0.0.1/</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>`),
		write("xxe.kml", `<?xml version="1.0"?><!DOCTYPE k [<!ENTITY e SYSTEM "file:///etc/passwd">]><kml>&e;</kml>`),
		write("x.kml", `<?xml version="1.0"?><gpx/>`), write("empty.shp", ""), write("x.gpkg", "SQLite format 3\x00"+strings.Repeat("\x00", 100)),
		write("text.mdb", "hello"), write("alone.shp", shp),
	} {
		if s, err := Detect(p); err == nil {
			t.Errorf("%q accepted as %+v", p, s)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	r := runner(t)
	for _, ext := range []string{".shp", ".shx", ".dbf"} {
		path := makeFile(t, "a.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=UTF-8")
		victim := strings.TrimSuffix(path, ".shp") + ext
		raw, err := os.ReadFile(victim)
		if err != nil {
			t.Fatal(err)
		}
		from := 4 // lying lengths and counts, not the signature
		if ext == ".shp" {
			from = 100 // GDAL trusts the index over the header; spoil the first record
		}
		for i := from; i < min(len(raw), from+56); i++ {
			raw[i] = 0xff
		}
		if err := os.WriteFile(victim, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := Detect(path)
		if err != nil {
			continue
		}
		if _, err := DetectEncoding(path); ext == ".dbf" && err == nil {
			t.Errorf("%s: no complaint about the header", ext)
		}
		s, err := r.Convert(context.Background(), src, Conversion{Encoding: "UTF-8"})
		if err != nil {
			continue
		}
		raw, err = io.ReadAll(s)
		if err == nil && bytes.Count(raw, []byte("\n")) == 3 && bytes.Contains(raw, []byte("119.25")) && bytes.Contains(raw, []byte("示例避难场所")) {
			t.Errorf("%s: the damage went unseen", ext)
		}
		s.Close()
	}
}

func zipFile(t testing.TB, add func(*zip.Writer)) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	add(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func put(t testing.TB, w *zip.Writer, h *zip.FileHeader, body io.Reader) {
	t.Helper()
	e, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(e, body); err != nil {
		t.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUnpackRefuses(t *testing.T) {
	link := &zip.FileHeader{Name: "link"}
	link.SetMode(os.ModeSymlink | 0o777)
	device := &zip.FileHeader{Name: "dev"}
	device.SetMode(os.ModeDevice | 0o600)
	cases := map[string]func(*zip.Writer){
		"bomb": func(w *zip.Writer) {
			put(t, w, &zip.FileHeader{Name: "a.shp", Method: zip.Deflate}, io.LimitReader(zeros{}, 300<<20))
		},
		"many small bombs": func(w *zip.Writer) {
			for i := range 400 {
				put(t, w, &zip.FileHeader{Name: fmt.Sprintf("%d.shp", i), Method: zip.Deflate}, io.LimitReader(zeros{}, 1<<20))
			}
		},
		"entries": func(w *zip.Writer) {
			for i := range 1001 {
				put(t, w, &zip.FileHeader{Name: fmt.Sprintf("%d", i)}, strings.NewReader("x"))
			}
		},
		"symlink":           func(w *zip.Writer) { put(t, w, link, strings.NewReader("/etc/passwd")) },
		"device":            func(w *zip.Writer) { put(t, w, device, strings.NewReader("")) },
		"nested by name":    func(w *zip.Writer) { put(t, w, &zip.FileHeader{Name: "b.zip"}, strings.NewReader("x")) },
		"nested by content": func(w *zip.Writer) { put(t, w, &zip.FileHeader{Name: "b.shp"}, strings.NewReader("PK\x03\x04xxxx")) },
		"same name twice": func(w *zip.Writer) {
			put(t, w, &zip.FileHeader{Name: "a"}, strings.NewReader("1"))
			put(t, w, &zip.FileHeader{Name: "a"}, strings.NewReader("2"))
		},
		"file under a file": func(w *zip.Writer) {
			put(t, w, &zip.FileHeader{Name: "a"}, strings.NewReader("1"))
			put(t, w, &zip.FileHeader{Name: "a/b"}, strings.NewReader("2"))
		},
	}
	for _, name := range []string{"../x", "a/../../x", "/etc/x", `..\x`, `C:\x`, "C:x", "a\x00b", "", "a\nb", "./../x", "vsicurl/x", strings.Repeat("d/", 9) + "x"} {
		cases["name "+name] = func(w *zip.Writer) { put(t, w, &zip.FileHeader{Name: name}, strings.NewReader("x")) }
	}
	for name, add := range cases {
		t.Run(name, func(t *testing.T) {
			path := zipFile(t, add)
			outer := t.TempDir()
			dir := filepath.Join(outer, "in")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if files, err := Unpack(context.Background(), path, dir, ArchiveLimits{}); err == nil {
				t.Errorf("accepted: %v", files)
			}
			if left, err := os.ReadDir(outer); err != nil || len(left) != 1 {
				t.Errorf("written outside: %v %v", left, err)
			}
		})
	}
}

func TestUnpack(t *testing.T) {
	r := runner(t)
	shp := makeFile(t, "避难.shp", "-f", "ESRI Shapefile", "-lco", "ENCODING=CP936")
	path := zipFile(t, func(w *zip.Writer) {
		for _, ext := range []string{".shp", ".shx", ".dbf", ".cpg", ".prj"} {
			raw, err := os.ReadFile(strings.TrimSuffix(shp, ".shp") + ext)
			if err != nil {
				t.Fatal(err)
			}
			// GBK bytes of 避难, as Windows writes them.
			put(t, w, &zip.FileHeader{Name: "包/\xb1\xdc\xc4\xd1" + ext, NonUTF8: true, Method: zip.Deflate}, bytes.NewReader(raw))
		}
	})
	dir := t.TempDir()
	files, err := Unpack(context.Background(), path, dir, ArchiveLimits{})
	if err != nil {
		t.Fatal(err)
	}
	sources := Sources(files)
	if len(sources) != 1 || sources[0].Format != Shapefile {
		t.Fatalf("%v of %v", sources, files)
	}
	if got := convert(t, r, sources[0], Conversion{Encoding: "CP936"}); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if ok, err := IsArchive(path); !ok || err != nil {
		t.Errorf("IsArchive: %v %v", ok, err)
	}
}

func TestFileGDB(t *testing.T) {
	r := runner(t)
	path := makeFile(t, "a.gdb", "-f", "OpenFileGDB")
	src, err := Detect(path)
	if err != nil || src.Format != FileGDB {
		t.Fatalf("%+v %v", src, err)
	}
	got := convert(t, r, src, Conversion{})
	if len(got) != 3 || got[0].Properties["名称"] != "示例避难场所" {
		t.Errorf("%+v", got)
	}
}

func TestTrimSplitRune(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "这": "这", "这\xe6": "这", "这\xe6\x98": "这", "\xf0\x9f\x98": "", "a\x98": "a\x98"} {
		if got := string(trimSplitRune([]byte(in))); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzDetectDBF(f *testing.F) {
	f.Add([]byte(strings.Repeat("\x03", 40)))
	head := make([]byte, 65)
	head[0], head[8], head[10], head[43], head[48] = 3, 65, 11, 'C', 10
	f.Add(append(head, []byte(" \xe6\x98\xaf       ")...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, err := detectDBF(bytes.NewReader(raw), int64(len(raw))); err == nil && !slices.Contains([]string{"UTF-8", "GB18030", "CP936", "BIG5"}, e.Name) {
			t.Fatalf("%+v", e)
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add("Layer name: a\nGeometry: Point\nFeature Count: 2\nLayer SRS WKT:\nGEOGCRS[\"WGS 84\",\n    ID[\"EPSG\",4326]]\nData axis to CRS axis mapping: 2,1\n名称: String (80.0)\n")
	f.Add("Layer name: a\nLayer SRS WKT:\n(unknown)\n容量: Integer (9.0)\n")
	f.Fuzz(func(t *testing.T, s string) { parseInfo(s) })
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("\x00\x00\x27\x0a"))
	f.Add([]byte("  0\nSECTION\n  2\nHEADER\n"))
	f.Add([]byte("<?xml version='1.0'?><kml>"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if k, err := sniff(head); (err == nil) != (k != "") {
			t.Fatalf("%q %v", k, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	put(f, w, &zip.FileHeader{Name: "a.shp", Method: zip.Deflate}, strings.NewReader("hello"))
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "a.zip")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := Unpack(context.Background(), path, dir, ArchiveLimits{Bytes: 1 << 20})
		if err == nil {
			for _, p := range files {
				if !strings.HasPrefix(p, dir+"/") {
					t.Fatal(p)
				}
			}
		}
		if left, err := os.ReadDir(outer); err != nil || len(left) != 1 {
			t.Fatalf("written outside: %v", left)
		}
	})
}
