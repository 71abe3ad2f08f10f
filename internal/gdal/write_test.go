package gdal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const oneSquare = `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"f0":"县界","f1":7},"geometry":{"type":"Polygon","coordinates":[[[109.12345678,34.1],[109.2,34.1],[109.2,34.2],[109.12345678,34.1]]]}}]}`

func TestWrite(t *testing.T) {
	r, err := New(Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "in.geojson")
	if err := os.WriteFile(src, []byte(oneSquare), 0o600); err != nil {
		t.Fatal(err)
	}
	sql := `SELECT CAST(f0 AS character(12)) AS ` + Quote("名称") + `, CAST(f1 AS bigint) AS ` + Quote(`a"b`) + ` FROM ` + Quote("in")
	w := Writing{Format: GeoPackage, Layer: "区划", SQL: sql, Geometry: "MULTIPOLYGON", EPSG: 4490, At: time.Unix(1_800_000_000, 0)}
	var first []byte
	for _, name := range []string{"a.gpkg", "b.gpkg"} {
		dst := filepath.Join(dir, name)
		if _, err := r.Write(t.Context(), src, dst, w); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && string(first) != string(b) {
			t.Error("the same input gives other bytes")
		}
		first = b
		layers, err := r.Layers(t.Context(), Source{Path: dst, Format: GeoPackage}, "")
		if err != nil {
			t.Fatal(err)
		}
		if l := layers[0]; l.Name != "区划" || l.EPSG != 4490 || l.Count != 1 || len(l.Fields) != 2 || l.Fields[0] != "名称" {
			t.Errorf("the layer is %+v", l)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	r, err := New(Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "in.geojson")
	if err := os.WriteFile(src, []byte(oneSquare), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.geojson")
	if err := os.Symlink(src, link); err != nil {
		t.Fatal(err)
	}
	good := Writing{Format: GeoPackage, Layer: "x", EPSG: 4490}
	out := filepath.Join(dir, "out.gpkg")
	for name, c := range map[string]struct {
		src, dst string
		w        Writing
	}{
		"network":   {"/vsicurl/http://127.0.0.1:9/x.geojson", out, good},
		"connects":  {src, "/vsis3/bucket/x.gpkg", good},
		"protocol":  {src, "PG:dbname=x", good},
		"relative":  {"in.geojson", out, good},
		"link":      {link, out, good},
		"there":     {src, src, good},
		"no folder": {src, filepath.Join(dir, "none", "x.gpkg"), good},
		"option":    {src, out, Writing{Format: GeoPackage, Layer: "-sql", EPSG: 4490}},
		"format":    {src, out, Writing{Format: DXF, Layer: "x", EPSG: 4490}},
		"bad sql":   {src, out, Writing{Format: GeoPackage, Layer: "x", EPSG: 4490, SQL: "SELECT nothing FROM nowhere"}},
	} {
		if _, err := r.Write(t.Context(), c.src, c.dst, c.w); err == nil || !strings.HasPrefix(err.Error(), "gdal: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Write(ctx, src, out, good); err == nil {
		t.Error("a stopped run went on")
	}
}
