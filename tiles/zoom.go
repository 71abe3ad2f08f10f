package tiles

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/registry"
)

const (
	extent = 4096
	// buffer around a tile, in its units: half of the widest thing drawn, 8 pixels
	// of a 512-pixel tile, so that nothing is cut at a tile's edge.
	buffer = 64
	// coverBuffer is what invalidation adds around a tile: the buffer and the
	// farthest a vertex moves when drawn coarser.
	coverBuffer = float64(buffer+32) / extent

	earthCircumference = 2 * math.Pi * 6378137

	smallUnits = 4  // an area under half a pixel both ways is too small to see
	tinyUnits  = 16 // below this an area may vanish by rounding; the worst is then drawn as a box
)

// coarseness is the ladder of generalisation: the grid, in units of the tile, to
// which vertices move. Half a pixel while zooming in, a quarter one step before
// the deepest zoom, one unit there: the browser enlarges the deepest tiles.
func coarseness(l *registry.Layer, z int) float64 {
	switch {
	case z >= l.MaxZoom:
		return 1
	case z == l.MaxZoom-1:
		return 2
	}
	return 4
}

// unitDegrees is the width of one tile unit in degrees of longitude. The grid is
// square in degrees; north-south that is finer than a unit by the cosine only in
// degrees, never in the tile, so distinct grid points stay distinct units.
func unitDegrees(z int) float64 { return 360 / math.Exp2(float64(z)) / extent }

func unitMetres(z int) float64 { return earthCircumference / math.Exp2(float64(z)) / extent }

// tileBound is the tile in degrees, widened by a fraction of its size.
func tileBound(z, x, y int, widen float64) orb.Bound {
	n := math.Exp2(float64(z))
	lon := func(v float64) float64 { return v/n*360 - 180 }
	lat := func(v float64) float64 {
		return math.Atan(math.Sinh(math.Pi*(1-2*v/n))) * 180 / math.Pi
	}
	b := orb.Bound{
		Min: orb.Point{lon(float64(x) - widen), lat(float64(y) + 1 + widen)},
		Max: orb.Point{lon(float64(x) + 1 + widen), lat(float64(y) - widen)},
	}
	b.Min[0], b.Max[0] = max(b.Min[0], -180), min(b.Max[0], 180)
	return b
}

func isLonLat(srid int) bool { return srid == 4490 || srid == 4326 }

// isFlat says whether inside one tile Mercator is a linear map of degrees to
// within one unit, an eighth of a pixel: from zoom 11 at the latitudes of China.
// Then shapes go into the tile as they are stored, without a projection per
// vertex, and an edge is straight in degrees, as GeoJSON and the predicates of
// PostGIS mean it. At a tile's edges the map is exact, so neighbours fit.
func isFlat(z, y int) bool {
	if z < 8 {
		return false
	}
	b := tileBound(z, 0, y, 0)
	yOf := func(lat float64) float64 {
		return (0.5 - math.Atanh(math.Sin(lat*math.Pi/180))/(2*math.Pi)) * math.Exp2(float64(z))
	}
	middle := (yOf((b.Min[1]+b.Max[1])/2) - float64(y)) * extent
	return math.Abs(middle-extent/2) <= 1
}
