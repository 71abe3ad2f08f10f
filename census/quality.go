package census

import (
	"fmt"
	"maps"
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// maxAreaChange is how much of its area a repair may cost a shape before a person
// must look at it.
const maxAreaChange = 0.10

// outsideTolerance is how far outside its area a point may lie before it goes to
// quarantine, in metres: borders are drawn coarsely.
const outsideTolerance = 1000.0

// region is the area a data set belongs to.
type region struct {
	areas []*geo.Area
	bound orb.Bound
}

func newRegion(shapes []orb.Geometry) *region {
	if len(shapes) == 0 {
		return nil
	}
	r := &region{bound: shapes[0].Bound()}
	for _, s := range shapes {
		r.areas = append(r.areas, geo.NewArea(s))
		r.bound = r.bound.Union(s.Bound())
	}
	return r
}

// distance is 0 inside, else metres to the border, roughly.
func (r *region) distance(p orb.Point) float64 {
	for _, a := range r.areas {
		if a.Side(p) >= 0 {
			return 0
		}
	}
	best := math.Inf(1)
	for _, a := range r.areas {
		best = min(best, a.Distance(p))
	}
	return best
}

// scopeIndex finds the smallest unit that covers a shape, as scope_at does in the
// database, but for many shapes at once.
type scopeIndex struct{ units []scopeUnit }

type scopeUnit struct {
	scope geo.Scope
	area  *geo.Area
}

// scope answers the zero scope where the database must look itself: no shape, or no
// units known here.
func (x *scopeIndex) scope(g orb.Geometry) geo.Scope {
	if x == nil || len(x.units) == 0 || g == nil {
		return geo.Scope{}
	}
	b := g.Bound()
	for _, u := range x.units { // smallest first
		if a := u.area.Bound(); b.Min[0] < a.Min[0] || b.Min[1] < a.Min[1] || b.Max[0] > a.Max[0] || b.Max[1] > a.Max[1] {
			continue
		}
		if u.area.Covers(g) {
			return u.scope
		}
	}
	return geo.Everywhere()
}

// judge tests a feature's shape. The feature comes back fit for staging, perhaps
// marked for repair, or with the issue that stops it.
func judge(f *Feature, layer *layerInfo, area *region, lim limits) *Issue {
	stop := func(rule, path, message string, at *orb.Point) *Issue {
		return &Issue{File: f.File, Row: f.Row, Key: f.Key, Rule: rule, Kind: Quarantined, Path: path, Message: message, At: at, Original: f.source()}
	}
	remark := func(rule, message string, at *orb.Point) {
		f.remarks = append(f.remarks, Issue{File: f.File, Row: f.Row, Key: f.Key, Rule: rule, Kind: Warning, Message: message, At: at})
	}
	g := f.Geometry
	if g == nil {
		return nil
	}
	if p, ok := g.(orb.Point); ok && p == (orb.Point{}) {
		return stop(RuleNullIsland, "", "坐标为 0, 0,多为未填 (coordinates 0, 0: most likely never filled in)", nil)
	}
	if n := geo.VertexCount(g); n > lim.vertices {
		return stop(geo.CodeVertices, "", fmt.Sprintf("节点 %d 个,超过上限 (too many vertices)", n), nil)
	}
	if !fits(layer.geometry, g) {
		return stop(RuleGeometryType, "", fmt.Sprintf("图层 %s 不收 %s (wrong geometry type)", layer.id, g.GeoJSONType()), nil)
	}
	if f.srid != 0 { // metres: only what does not depend on the unit
		if c := geo.CountCrossings(g, lim.crossings+1); c.Count > lim.crossings || c.Stopped {
			return stop(geo.CodeSelfCross, "", fmt.Sprintf("自相交超过 %d 处 (too many crossings)", lim.crossings), nil)
		} else if c.Count > 0 {
			f.repair = true
		}
		return nil
	}
	if fault := geo.Check(g); fault != nil {
		var at *orb.Point
		if fault.HasAt {
			if _, ok := geo.InEnvelope(fault.At); ok {
				at = &fault.At
			}
		}
		switch fault.Code {
		case geo.CodeSelfCross, geo.CodeHoleOutside, geo.CodeNestedHoles, geo.CodeNestedShells, geo.CodeDuplicateRing:
			c := geo.CountCrossings(g, lim.crossings+1)
			if c.Count > lim.crossings || c.Stopped {
				return stop(fault.Code, fault.Path, fmt.Sprintf("%s;交叉超过 %d 处,不予修复 (too many crossings to repair)", faultWords(fault), lim.crossings), at)
			}
			f.repair = true
			remark(fault.Code, faultWords(fault), at)
		default:
			return stop(fault.Code, fault.Path, faultWords(fault), at)
		}
	}
	if area == nil {
		return nil
	}
	if p, ok := g.(orb.Point); ok {
		if d := area.distance(p); d > outsideTolerance {
			if geo.LooksSwapped(p, area.bound) {
				return stop(RuleSwapped, "", fmt.Sprintf("经纬度疑似写反 (longitude and latitude look swapped): %.6f, %.6f", p[0], p[1]), nil)
			}
			return stop(RuleOutside, "", fmt.Sprintf("在辖区以外 %.1f km (outside the area): %.6f, %.6f", d/1000, p[0], p[1]), &p)
		} else if d > 0 {
			remark(RuleOutside, fmt.Sprintf("在辖区边界外 %.0f m (just outside the area)", d), &p)
		}
		return nil
	}
	if b := g.Bound(); !b.Intersects(area.bound) {
		c := b.Center()
		if geo.LooksSwapped(c, area.bound) {
			return stop(RuleSwapped, "", "经纬度疑似写反 (longitude and latitude look swapped)", nil)
		}
		return stop(RuleOutside, "", fmt.Sprintf("在辖区以外 (outside the area): %.6f, %.6f", c[0], c[1]), &c)
	}
	return nil
}

// fits reports whether a layer of this kind takes the shape.
func fits(kind string, g orb.Geometry) bool {
	switch g.(type) {
	case orb.Collection:
		return kind == "mixed"
	case orb.Point:
		return kind == "point" || kind == "mixed"
	case orb.MultiPoint:
		return kind == "point" || kind == "mixed"
	}
	switch g.Dimensions() {
	case 1:
		return kind == "line" || kind == "mixed"
	case 2:
		return kind == "polygon" || kind == "mixed"
	}
	return false
}

// source gives what a quarantined row said, for the person who decides. Shapes of
// moderate size come along.
func (f *Feature) source() map[string]any {
	out := make(map[string]any, len(f.Fields)+len(f.Attrs)+1)
	maps.Copy(out, f.Attrs)
	maps.Copy(out, f.Fields)
	g := f.Geometry
	if f.original != nil {
		g = f.original
	}
	if g != nil && geo.VertexCount(g) <= 10_000 {
		out["geometry"] = coordinates(g)
	}
	return out
}

// coordinates is a GeoJSON geometry as plain values. Numbers that JSON cannot say
// were refused by the parsers.
func coordinates(g orb.Geometry) map[string]any {
	m := map[string]any{"type": g.GeoJSONType(), "coordinates": any(g)}
	switch g := g.(type) {
	case orb.Ring:
		m["coordinates"] = orb.Polygon{g}
	case orb.Bound:
		m["coordinates"] = g.ToPolygon()
	case orb.Collection:
		var parts []any
		for _, p := range g {
			parts = append(parts, coordinates(p))
		}
		return map[string]any{"type": "GeometryCollection", "geometries": parts}
	}
	return m
}

// placeSeen remembers points by name to find the same object entered twice.
type placeSeen map[placeKey]int64

type placeKey struct {
	name string
	x, y int64
}

// double answers the row of an earlier feature of the same name within about a
// metre, or 0.
func (s placeSeen) double(f *Feature) int64 {
	p, ok := f.Geometry.(orb.Point)
	name, _ := f.Fields["name"].(string)
	if !ok || name == "" || f.srid != 0 {
		return 0
	}
	x, y := int64(math.Floor(p[0]*1e5)), int64(math.Floor(p[1]*1e5))
	found := int64(0)
	for dx := int64(-1); dx <= 1; dx++ {
		for dy := int64(-1); dy <= 1; dy++ {
			if row, ok := s[placeKey{name, x + dx, y + dy}]; ok {
				found = row
			}
		}
	}
	s[placeKey{name, x, y}] = f.Row
	return found
}
