package coverage

import (
	"math"

	"github.com/paulmach/orb"
)

// Scale is the number of grid steps in a degree: one step is about 1.1 mm on the ground.
const Scale = 1e8

// GridSize is a step in degrees, as PostGIS takes it.
const GridSize = 1e-8

// Point is a position on the grid: longitude and latitude (CGCS2000) times [Scale].
type Point struct{ X, Y int64 }

// Ring is closed without repeating its first point. A shell runs counter-clockwise, a
// hole clockwise: the interior lies on the left.
type Ring []Point

// Polygon is a shell and its holes.
type Polygon []Ring

// Shape is the polygons of one zone. The zero value is the empty shape.
type Shape []Polygon

// At puts a position on the grid, to the nearest step.
func At(p orb.Point) Point {
	return Point{int64(math.Round(p[0] * Scale)), int64(math.Round(p[1] * Scale))}
}

// LonLat is the position in degrees; At(p.LonLat()) == p for every position on Earth.
func (p Point) LonLat() orb.Point { return orb.Point{float64(p.X) / Scale, float64(p.Y) / Scale} }

// OnGrid says whether a position is one of the grid, to the last bit.
func OnGrid(p orb.Point) bool { return At(p).LonLat() == p }
