package census

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// A file that names its coordinate system is read by it, wherever the member
// stands; a system nobody knows is no reason to take metres for degrees.
func TestGeoJSONNamesItsSystem(t *testing.T) {
	h := newHouse(t)
	named := func(name string) string {
		return fmt.Sprintf(`"crs":{"type":"name","properties":{"name":%q}}`, name)
	}
	features := func(code, at string) string {
		return fmt.Sprintf(`"features":[{"type":"Feature","properties":{"code":%q},"geometry":{"type":"Point","coordinates":%s}}]`, code, at)
	}
	const metres = "[430874.36,3780000]" // near 119.2 in the zone of 120°
	for code, text := range map[string]string{
		"head":   `{"type":"FeatureCollection","name":"x",` + named("EPSG:4549") + `,` + features("head", metres) + `}`,
		"tail":   `{"type":"FeatureCollection",` + features("tail", metres) + `,` + named("EPSG:4549") + `}`,
		"number": `{"type":"FeatureCollection","crs":{"type":"EPSG","properties":{"code":4549}},` + features("number", metres) + `}`,
	} {
		r := h.file(t, write(t, code+".geojson", text), FileOptions{Layer: "facilities", CRS: "auto"})
		wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
		if r.CRS != "EPSG:4549" {
			t.Errorf("%s: read as %q", code, r.CRS)
		}
		if x := one[float64](t, h, `select st_x(geom) from facilities where code = $1`, code); x < 119 || x > 119.5 {
			t.Errorf("%s: longitude %g", code, x)
		}
	}
	for i, name := range []string{"urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "EPSG:4490", "urn:ogc:def:crs:EPSG::4490"} {
		code := fmt.Sprintf("degrees%d", i)
		wantCounts(t, h.file(t, write(t, code+".geojson", `{"type":"FeatureCollection",`+features(code, "[119.25,34.15]")+`,`+named(name)+`}`), FileOptions{Layer: "facilities"}), Counts{Read: 1, Accepted: 1, Inserted: 1})
		if s := one[string](t, h, `select st_astext(geom) from facilities where code = $1`, code); s != "POINT(119.25 34.15)" {
			t.Errorf("%s: %s", name, s)
		}
	}
	for _, name := range []string{"EPSG:9999", "EPSG:999999999", "my own system"} {
		for _, text := range []string{
			`{"type":"FeatureCollection",` + named(name) + `,` + features("unknown", metres) + `}`,
			`{"type":"FeatureCollection",` + features("unknown", metres) + `,` + named(name) + `}`,
		} {
			path := write(t, "unknown.geojson", text)
			if r, err := h.ImportFile(context.Background(), path, FileOptions{Layer: "facilities"}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--crs") {
				t.Errorf("%s: %v, %+v", name, err, r.Counts)
			}
			if n := one[int64](t, h, `select count(*) from import where dataset = (select id from dataset where name = 'file/unknown')`); n != 0 {
				t.Errorf("%s: %d runs written down", name, n)
			}
		}
	}
	// What the user says is stronger than the file.
	path := write(t, "unknown.geojson", `{"type":"FeatureCollection",`+named("EPSG:9999")+`,`+features("said", metres)+`}`)
	wantCounts(t, h.file(t, path, FileOptions{Layer: "facilities", CRS: "EPSG:4549"}), Counts{Read: 1, Accepted: 1, Inserted: 1})
	if x := one[float64](t, h, `select st_x(geom) from facilities where code = 'said'`); x < 119 || x > 119.5 {
		t.Errorf("longitude %g", x)
	}
	if _, err := h.ImportFile(context.Background(), path, FileOptions{Layer: "facilities", CRS: "EPSG:9999"}); err == nil {
		t.Error("a system no one knows was taken from the user")
	}
}
