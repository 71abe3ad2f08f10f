package geo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
)

func TestParseGeoJSONAccepts(t *testing.T) {
	cases := map[string]string{
		`{"type":"Point","coordinates":[119.25,34.15]}`:                                                "Point",
		` {"coordinates" : [ 1 , 2 , 3 ] , "type":"Point", "bbox":[1,2,1,2]} `:                         "Point",
		`{"type":"Point","coordinates":[1e2,-0.5E-1,7,8]}`:                                             "Point",
		`{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}`:                                            "MultiPoint",
		`{"type":"LineString","coordinates":[[1,2],[3,4]]}`:                                            "LineString",
		`{"type":"MultiLineString","coordinates":[[[1,2],[3,4]]]}`:                                     "MultiLineString",
		`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}`:                                 "Polygon",
		`{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}`:                          "MultiPolygon",
		`{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}`:            "GeometryCollection",
		`{"typ\u0065":"Point","coordinates":[1,2],"x":{"a":[true,false,null,"b\"\\",-1.5e3]}}`:         "Point",
		`{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"EPSG:4490"}}}`: "Point",
	}
	for in, want := range cases {
		g, err := ParseGeoJSON([]byte(in), EditLimits())
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if g.GeoJSONType() != want {
			t.Errorf("%s: %s", in, g.GeoJSONType())
		}
	}
}

func TestParseGeoJSONRefuses(t *testing.T) {
	nest := func(n int) string {
		return strings.Repeat(`{"type":"GeometryCollection","geometries":[`, n) + `{"type":"Point","coordinates":[1,2]}` + strings.Repeat(`]}`, n)
	}
	pt := func(c string) string { return `{"type":"Point","coordinates":` + c + `}` }
	cases := []struct{ in, code, path string }{
		{``, CodeSyntax, ""},
		{`null`, CodeNull, ""},
		{`nul`, CodeNumber, ""},
		{`[]`, CodeSyntax, ""},
		{`{}`, CodeType, "type"},
		{`{"type":"Feature","geometry":null}`, CodeType, "type"},
		{`{"type":7,"coordinates":[1,2]}`, CodeType, "type"},
		{`{"type":"Point"}`, CodeNoCoordinates, "coordinates"},
		{`{"type":"Point","geometries":[]}`, CodeNoCoordinates, "coordinates"},
		{`{"type":"GeometryCollection","coordinates":[1,2]}`, CodeNoCoordinates, "geometries"},
		{`{"type":"Point","coordinates":{}}`, CodeBadShape, "coordinates"},
		{`{"type":"Polygon","coordinates":{}}`, CodeBadShape, "coordinates"},
		{pt(`null`), CodeBadShape, "coordinates"},
		{pt(`"1,2"`), CodeBadShape, "coordinates"},
		{pt(`[]`), CodeEmpty, "coordinates"},
		{pt(`[1]`), CodeDimension, "coordinates"},
		{pt(`[1,2,3,4,5]`), CodeDimension, "coordinates"},
		{pt(`[1,[2]]`), CodeBadShape, "coordinates"},
		{pt(`[1,null]`), CodeBadShape, "coordinates"},
		{pt(`[NaN,1]`), CodeNumber, "coordinates"},
		{pt(`[Infinity,1]`), CodeNumber, "coordinates"},
		{pt(`[-Infinity,1]`), CodeNumber, "coordinates"},
		{pt(`[1e999,1]`), CodeNumber, "coordinates"},
		{pt(`[+1,1]`), CodeNumber, "coordinates"},
		{pt(`[01,1]`), CodeNumber, "coordinates"},
		{pt(`[.5,1]`), CodeNumber, "coordinates"},
		{pt(`[1.,1]`), CodeNumber, "coordinates"},
		{pt(`[0x10,1]`), CodeSyntax, "coordinates"},
		{pt(`[181,0]`), CodeEnvelope, "coordinates"},
		{pt(`[0,90.0001]`), CodeEnvelope, "coordinates"},
		{pt(`[540,0]`), CodeEnvelope, "coordinates"},
		{pt(`[1,2]`) + `x`, CodeSyntax, ""},
		{pt(`[1,2`), CodeSyntax, "coordinates"},
		{`{"type":"Point","coordinates":[1,2],"coordinates":[3,4]}`, CodeSyntax, "coordinates"},
		{"{\"type\":\"Point\",\"coordinates\":[1,2],\"a\":\"\xff\"}", CodeSyntax, "a"},
		{"{\"type\":\"Point\",\"coordinates\":[1,2],\"a\":\"\x00\"}", CodeSyntax, "a"},
		{`{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"EPSG:9999"}}}`, CodeCRS, "crs"},
		{`{"type":"LineString","coordinates":[[1,2]]}`, CodeShortLine, "coordinates"},
		{`{"type":"LineString","coordinates":[[1,2],[1,2]]}`, CodeShortLine, "coordinates"},
		{`{"type":"LineString","coordinates":[[1,2],3]}`, CodeBadShape, "coordinates[1]"},
		{`{"type":"LineString","coordinates":[]}`, CodeEmpty, "coordinates"},
		{`{"type":"MultiPoint","coordinates":[]}`, CodeEmpty, "coordinates"},
		{`{"type":"Polygon","coordinates":[]}`, CodeEmpty, "coordinates"},
		{`{"type":"Polygon","coordinates":[[]]}`, CodeEmpty, "coordinates[0]"},
		{`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}`, CodeOpenRing, "coordinates[0]"},
		{`{"type":"Polygon","coordinates":[[[0,0],[1,0],[0,0]]]}`, CodeShortRing, "coordinates[0]"},
		{`{"type":"Polygon","coordinates":[[[0,0],[0,0],[0,0],[0,0],[0,0]]]}`, CodeShortRing, "coordinates[0]"},
		{`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]],[[0,0],[1,0]]]}`, CodeOpenRing, "coordinates[1]"},
		{`{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[0,0],[200,0],[1,1],[0,0]]]]}`, CodeEnvelope, "coordinates[1][0][1]"},
		{nest(4), CodeNested, "geometries[0].geometries[0].geometries[0].geometries"},
		{nest(1000), CodeDepth, "geometries"},
		{strings.Repeat("[", 100000), CodeSyntax, ""},
		{`{"type":"Point","a":` + strings.Repeat("[", 100000), CodeDepth, "a"},
		{`{"type":"GeometryCollection","geometries":[]}`, CodeEmpty, "geometries"},
		{`{"type":"GeometryCollection","geometries":{}}`, CodeBadShape, "geometries"},
		{`{"type":"GeometryCollection","geometries":[null]}`, CodeNull, "geometries[0]"},
	}
	for _, c := range cases {
		show := c.in
		if len(show) > 120 {
			show = show[:120] + "…"
		}
		g, err := ParseGeoJSON([]byte(c.in), EditLimits())
		var f *Fault
		if !errors.As(err, &f) {
			t.Errorf("%s: got %v, %v; want %s", show, g, err, c.code)
			continue
		}
		if f.Code != c.code || f.Path != c.path {
			t.Errorf("%s: %s at %q; want %s at %q", show, f.Code, f.Path, c.code, c.path)
		}
		if g != nil {
			t.Errorf("%s: a geometry came with the fault", show)
		}
	}
}

// millionVertices is a polygon of about 30 MB.
func millionVertices() []byte {
	var b bytes.Buffer
	b.WriteString(`{"type":"Polygon","coordinates":[[`)
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "[%.10f,%.10f],", 110+float64(i)*1e-6, 30+float64(i%977)*1e-6)
	}
	b.WriteString(`[110,30]]]}`)
	return b.Bytes()
}

func TestParseGeoJSONMillionVertices(t *testing.T) {
	data := millionVertices()
	var f *Fault
	if _, err := ParseGeoJSON(data, EditLimits()); !errors.As(err, &f) || f.Code != CodeBytes {
		t.Errorf("edit limits: %v", err)
	}
	if _, err := ParseGeoJSON(data, ImportLimits()); !errors.As(err, &f) || f.Code != CodeVertices || f.Path != "coordinates[0][200000]" {
		t.Errorf("import limits: %v", err)
	}
}

func BenchmarkParseGeoJSONMillionVertices(b *testing.B) {
	data := millionVertices()
	lim := ImportLimits()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := ParseGeoJSON(data, lim); err == nil {
			b.Fatal("accepted")
		}
	}
}

func TestParseGeoJSONRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lim := ImportLimits()
	for range 500 {
		g := randGeometry(r, 2)
		data, err := json.Marshal(geojson.NewGeometry(g))
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseGeoJSON(data, lim)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if !orb.Equal(back, g) {
			t.Fatalf("%s became %v", data, back)
		}
	}
}

func FuzzParseGeoJSON(f *testing.F) {
	for _, s := range []string{
		`{"type":"Point","coordinates":[1,2]}`, `{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}`,
		`{"type":"GeometryCollection","geometries":[{"type":"MultiPoint","coordinates":[[1,2]]}]}`,
		`{"type":"Point","coordinates":{}}`, `{"type":"Point","coordinates":[1e999,NaN]}`, `null`, `{"a":"\u12`,
		`{"type":"Point","coordinates":[1,2],"crs":{"properties":{"name":"EPSG:4326"}}}`,
	} {
		f.Add([]byte(s))
	}
	lim := Limits{Vertices: 200, Bytes: 1 << 16, Depth: 2, Parts: 50}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ParseGeoJSON(data, lim)
		if err != nil {
			var fault *Fault
			if !errors.As(err, &fault) || fault.Code == "" {
				t.Fatalf("untyped error %v", err)
			}
			if g != nil {
				t.Fatal("geometry with an error")
			}
			return
		}
		if !json.Valid(data) {
			// Escapes inside foreign members are the one thing not looked at.
			if !bytes.Contains(data, []byte(`\`)) {
				t.Fatalf("accepted what is not JSON: %q", data)
			}
		}
		if n := VertexCount(g); n == 0 || n > lim.Vertices {
			t.Fatalf("%d vertices", n)
		}
		if _, ok := InEnvelope(g); !ok {
			t.Fatal("outside the envelope")
		}
		if _, err := ToGeom(g); err != nil {
			t.Fatal(err)
		}
		Check(g)
	})
}
