package zoning

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// fault words by code.
var importWords = map[string][2]string{
	"null_geometry":      {"没有图形", "there is no shape"},
	"not_an_area":        {"不是面(点或线)", "not an area (a point or a line)"},
	"not_on_earth":       {"坐标超出经纬度范围", "coordinates out of range"},
	"too_large":          {"节点过多(超过 200,000 个)", "too many vertices (over 200,000)"},
	"too_many_crossings": {"自相交过多，无法可靠修复", "it crosses itself too often to be mended"},
	"degenerate":         {"没有面积", "it has no area"},
	"bad_json":           {"图形无法解析", "the shape cannot be read"},
	"mended":             {"自相交已修复，原图保留", "it crossed itself and was mended; the original is kept"},
}

func importFault(row int, code string, at *orb.Point) *ImportFault {
	w := importWords[code]
	return &ImportFault{Row: row, Code: code, ZH: w[0], EN: w[1], At: at}
}

// take makes a row of a feature: its shape on the grid where it has one, mended where it
// can be, or what is wrong with it. Nothing a file holds is an error here.
func (src *importSource) take(row int, f rawFeature, bad error) (importRow, coverage.Shape) {
	out := importRow{Row: row, Props: json.RawMessage("{}")}
	fail := func(code string, at *orb.Point) (importRow, coverage.Shape) {
		out.Fault = importFault(row, code, at)
		return out, nil
	}
	if errors.Is(bad, errTooMuch) {
		return fail("too_large", nil)
	}
	if bad != nil {
		return fail("bad_json", nil)
	}
	if props := plainProps(f.Properties); props != nil {
		out.Props = props
	}
	if len(f.Geometry) == 0 || string(f.Geometry) == "null" {
		return fail("null_geometry", nil)
	}
	g, err := geo.ParseGeoJSON(f.Geometry, geo.ImportLimits())
	if err != nil {
		var at *orb.Point
		code := "bad_json"
		if f := new(geo.Fault); errors.As(err, &f) {
			if f.HasAt {
				at = &f.At
			}
			switch f.Code {
			case geo.CodeVertices, geo.CodeBytes, geo.CodeParts:
				code = "too_large"
			case geo.CodeEnvelope:
				code = "not_on_earth"
			case geo.CodeNull, geo.CodeEmpty:
				code = "null_geometry"
			case geo.CodeShortRing:
				code = "degenerate"
			}
		}
		return fail(code, at)
	}
	if src.convert == geo.GCJ02 || src.convert == geo.BD09 {
		g, _ = geo.ToCGCS2000(g, src.convert)
	}
	g = polygonsOf(g)
	if g == nil {
		return fail("not_an_area", nil)
	}
	shape, err := coverage.FromGeometry(g)
	if err != nil {
		return fail("not_on_earth", nil)
	}
	if faults := shape.Valid(); len(faults) > 0 {
		at := faults[0].At.LonLat()
		if shape.Vertices() > coverage.MaxImported {
			return fail("too_large", &at)
		}
		if raw, err := wkb.Marshal(g); err == nil {
			out.Original = raw
		}
		if n := geo.CountCrossings(g, importCrossings); n.Stopped || n.Count >= importCrossings {
			return fail("too_many_crossings", &at)
		}
		before := coverage.AreaM2(shape)
		if shape, err = shape.Mended(); err != nil || len(shape.Valid()) > 0 {
			return fail("degenerate", &at)
		}
		out.Fault = importFault(row, "mended", &at)
		out.Fault.AreaBefore, out.Fault.AreaM2 = before, coverage.AreaM2(shape)
	}
	out.AreaM2 = coverage.AreaM2(shape)
	if out.Shape, err = wkb.Marshal(shape.Geometry()); err != nil {
		return fail("bad_json", nil)
	}
	return out, shape
}

// polygonsOf is the polygons of a geometry, nil where there are none. Points and lines beside
// polygons in a collection are left out.
func polygonsOf(g orb.Geometry) orb.Geometry {
	switch g := g.(type) {
	case orb.Polygon, orb.MultiPolygon:
		return g
	case orb.Collection:
		var mp orb.MultiPolygon
		for _, m := range g {
			switch m := polygonsOf(m).(type) {
			case orb.Polygon:
				mp = append(mp, m)
			case orb.MultiPolygon:
				mp = append(mp, m...)
			}
		}
		if len(mp) > 0 {
			return mp
		}
	}
	return nil
}

// plainProps is the properties as an object the database takes, nil where there are none.
func plainProps(raw json.RawMessage) json.RawMessage {
	var m map[string]any
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil || m == nil {
		return nil
	}
	clean := make(map[string]any, len(m))
	for k, v := range m {
		// A Shapefile's names end after ten bytes, maybe inside a character.
		k = strings.TrimRight(storable(k), "\ufffd")
		switch v := v.(type) {
		case nil:
		case string:
			clean[k] = storable(v)
		case float64, bool:
			clean[k] = v
		default:
			// Lists and objects inside are kept as text.
			if b, err := json.Marshal(v); err == nil {
				clean[k] = storable(string(b))
			}
		}
	}
	b, err := json.Marshal(clean)
	if err != nil {
		return nil
	}
	return b
}

// storable is text without what no column of text takes.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
