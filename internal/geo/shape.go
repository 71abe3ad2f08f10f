package geo

import (
	"errors"
	"fmt"

	"github.com/paulmach/orb"
	"github.com/twpayne/go-geom"
)

// SRID is the spatial reference of every geometry column.
const SRID = 4490

// ErrEmpty is returned where a geometry without any position would have to be
// stored: orb has no empty point, and no column accepts an empty shape.
var ErrEmpty = errors.New("geo: empty geometry")

// Shape is an orb geometry as a database value. A nil Geometry is SQL NULL, in
// both directions; nothing else is.
type Shape struct{ orb.Geometry }

// IsNull reports whether the shape stands for SQL NULL.
func (s Shape) IsNull() bool { return s.Geometry == nil }

// ScanGeom takes the geometry of a column; nil is NULL.
func (s *Shape) ScanGeom(g geom.T) error {
	if g == nil {
		s.Geometry = nil
		return nil
	}
	o, err := FromGeom(g)
	if err != nil {
		return err
	}
	s.Geometry = o
	return nil
}

// GeomValue gives the geometry for a parameter; nil is NULL.
func (s Shape) GeomValue() (geom.T, error) {
	if s.Geometry == nil {
		return nil, nil
	}
	return ToGeom(s.Geometry)
}

// ToGeom makes the wire form of an orb geometry. Rings and bounds become
// polygons. A nil geometry is an error here: NULL is said with [Shape].
func ToGeom(g orb.Geometry) (geom.T, error) {
	switch g := g.(type) {
	case nil:
		return nil, fmt.Errorf("%w: nil", ErrEmpty)
	case Shape:
		return ToGeom(g.Geometry)
	case *Shape:
		if g == nil {
			return nil, fmt.Errorf("%w: nil", ErrEmpty)
		}
		return ToGeom(g.Geometry)
	case orb.Point:
		return geom.NewPointFlat(geom.XY, []float64{g[0], g[1]}).SetSRID(SRID), nil
	case orb.MultiPoint:
		return geom.NewMultiPointFlat(geom.XY, flat(nil, g)).SetSRID(SRID), nil
	case orb.LineString:
		return geom.NewLineStringFlat(geom.XY, flat(nil, g)).SetSRID(SRID), nil
	case orb.MultiLineString:
		coords := make([]float64, 0, 2*vertexCount(g))
		ends := make([]int, len(g))
		for i, l := range g {
			coords = flat(coords, l)
			ends[i] = len(coords)
		}
		return geom.NewMultiLineStringFlat(geom.XY, coords, ends).SetSRID(SRID), nil
	case orb.Ring:
		return ToGeom(orb.Polygon{g})
	case orb.Bound:
		return ToGeom(g.ToPolygon())
	case orb.Polygon:
		coords, ends := flatRings(nil, g)
		return geom.NewPolygonFlat(geom.XY, coords, ends).SetSRID(SRID), nil
	case orb.MultiPolygon:
		coords := make([]float64, 0, 2*vertexCount(g))
		endss := make([][]int, len(g))
		for i, p := range g {
			coords, endss[i] = flatRings(coords, p)
		}
		return geom.NewMultiPolygonFlat(geom.XY, coords, endss).SetSRID(SRID), nil
	case orb.Collection:
		c := geom.NewGeometryCollection()
		for _, m := range g {
			t, err := ToGeom(m)
			if err != nil {
				return nil, err
			}
			if t, err = geom.SetSRID(t, 0); err != nil {
				return nil, fmt.Errorf("geo: collection: %w", err)
			}
			if err := c.Push(t); err != nil {
				return nil, fmt.Errorf("geo: collection: %w", err)
			}
		}
		return c.SetSRID(SRID), nil
	default:
		return nil, fmt.Errorf("geo: cannot encode %T", g)
	}
}

// FromGeom makes the orb form of a wire geometry. Z and M are dropped. POINT
// EMPTY becomes an empty MultiPoint, because orb cannot say it.
func FromGeom(g geom.T) (orb.Geometry, error) {
	switch g := g.(type) {
	case nil:
		return nil, fmt.Errorf("%w: nil", ErrEmpty)
	case *geom.Point:
		if g.Empty() {
			return orb.MultiPoint{}, nil
		}
		return orb.Point{g.X(), g.Y()}, nil
	case *geom.MultiPoint:
		// Not from the flat coordinates: an empty member has none.
		out := make(orb.MultiPoint, 0, g.NumPoints())
		for i := range g.NumPoints() {
			if p := g.Point(i); !p.Empty() {
				out = append(out, orb.Point{p.X(), p.Y()})
			}
		}
		return out, nil
	case *geom.LineString:
		return orb.LineString(unflat(g.FlatCoords(), g.Stride())), nil
	case *geom.LinearRing:
		return orb.Polygon{orb.Ring(unflat(g.FlatCoords(), g.Stride()))}, nil
	case *geom.MultiLineString:
		out := make(orb.MultiLineString, 0, g.NumLineStrings())
		for i := range g.NumLineStrings() {
			l := g.LineString(i)
			out = append(out, orb.LineString(unflat(l.FlatCoords(), l.Stride())))
		}
		return out, nil
	case *geom.Polygon:
		return fromPolygon(g), nil
	case *geom.MultiPolygon:
		out := make(orb.MultiPolygon, 0, g.NumPolygons())
		for i := range g.NumPolygons() {
			out = append(out, fromPolygon(g.Polygon(i)))
		}
		return out, nil
	case *geom.GeometryCollection:
		out := make(orb.Collection, 0, g.NumGeoms())
		for _, m := range g.Geoms() {
			o, err := FromGeom(m)
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
		return out, nil
	default:
		return nil, fmt.Errorf("geo: cannot decode %T", g)
	}
}

func fromPolygon(g *geom.Polygon) orb.Polygon {
	out := make(orb.Polygon, 0, g.NumLinearRings())
	for i := range g.NumLinearRings() {
		r := g.LinearRing(i)
		out = append(out, orb.Ring(unflat(r.FlatCoords(), r.Stride())))
	}
	return out
}

func flat[P ~[]orb.Point](dst []float64, pts P) []float64 {
	if dst == nil {
		dst = make([]float64, 0, 2*len(pts))
	}
	for _, p := range pts {
		dst = append(dst, p[0], p[1])
	}
	return dst
}

func flatRings(dst []float64, p orb.Polygon) ([]float64, []int) {
	ends := make([]int, len(p))
	for i, r := range p {
		dst = flat(dst, r)
		ends[i] = len(dst)
	}
	return dst, ends
}

func unflat(coords []float64, stride int) []orb.Point {
	out := make([]orb.Point, 0, len(coords)/stride)
	for i := 0; i+1 < len(coords); i += stride {
		out = append(out, orb.Point{coords[i], coords[i+1]})
	}
	return out
}

// VertexCount is the number of positions in g, as ST_NPoints counts them.
func VertexCount(g orb.Geometry) int { return vertexCount(g) }

func vertexCount(g orb.Geometry) int {
	n := 0
	switch g := g.(type) {
	case nil:
	case Shape:
		return vertexCount(g.Geometry)
	case orb.Point:
		return 1
	case orb.MultiPoint:
		return len(g)
	case orb.LineString:
		return len(g)
	case orb.Ring:
		return len(g)
	case orb.Bound:
		return 5
	case orb.MultiLineString:
		for _, l := range g {
			n += len(l)
		}
	case orb.Polygon:
		for _, r := range g {
			n += len(r)
		}
	case orb.MultiPolygon:
		for _, p := range g {
			n += vertexCount(p)
		}
	case orb.Collection:
		for _, m := range g {
			n += vertexCount(m)
		}
	}
	return n
}

// eachPoint calls yield for every position of g until it returns false.
func eachPoint(g orb.Geometry, yield func(orb.Point) bool) bool {
	walk := func(pts []orb.Point) bool {
		for _, p := range pts {
			if !yield(p) {
				return false
			}
		}
		return true
	}
	switch g := g.(type) {
	case nil:
	case Shape:
		return eachPoint(g.Geometry, yield)
	case orb.Point:
		return yield(g)
	case orb.MultiPoint:
		return walk(g)
	case orb.LineString:
		return walk(g)
	case orb.Ring:
		return walk(g)
	case orb.Bound:
		return walk(g.ToRing())
	case orb.MultiLineString:
		for _, l := range g {
			if !walk(l) {
				return false
			}
		}
	case orb.Polygon:
		for _, r := range g {
			if !walk(r) {
				return false
			}
		}
	case orb.MultiPolygon:
		for _, p := range g {
			if !eachPoint(p, yield) {
				return false
			}
		}
	case orb.Collection:
		for _, m := range g {
			if !eachPoint(m, yield) {
				return false
			}
		}
	}
	return true
}

// Map gives a copy of g with every position passed through f.
func Map(g orb.Geometry, f func(orb.Point) orb.Point) orb.Geometry {
	list := func(pts []orb.Point) []orb.Point {
		out := make([]orb.Point, len(pts))
		for i, p := range pts {
			out[i] = f(p)
		}
		return out
	}
	poly := func(p orb.Polygon) orb.Polygon {
		out := make(orb.Polygon, len(p))
		for i, r := range p {
			out[i] = list(r)
		}
		return out
	}
	switch g := g.(type) {
	case Shape:
		return Map(g.Geometry, f)
	case orb.Point:
		return f(g)
	case orb.MultiPoint:
		return orb.MultiPoint(list(g))
	case orb.LineString:
		return orb.LineString(list(g))
	case orb.Ring:
		return orb.Ring(list(g))
	case orb.Bound:
		return poly(g.ToPolygon())
	case orb.Polygon:
		return poly(g)
	case orb.MultiLineString:
		out := make(orb.MultiLineString, len(g))
		for i, l := range g {
			out[i] = list(l)
		}
		return out
	case orb.MultiPolygon:
		out := make(orb.MultiPolygon, len(g))
		for i, p := range g {
			out[i] = poly(p)
		}
		return out
	case orb.Collection:
		out := make(orb.Collection, len(g))
		for i, m := range g {
			out[i] = Map(m, f)
		}
		return out
	}
	return g
}
