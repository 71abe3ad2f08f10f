package coverage

import (
	"errors"

	"github.com/paulmach/orb"
)

// Box is a rectangle of the grid, its edges included.
type Box struct{ Min, Max Point }

// NeedMore means the coverage is only partly loaded (Coverage.Loaded) and an operation
// reaches beyond: load every zone that touches Box and ask again.
type NeedMore struct{ Box Box }

func (e *NeedMore) Error() string { return "coverage: more zones are needed" }

func (e *Error) Error() string {
	if len(e.Violations) == 0 {
		return "coverage: impossible"
	}
	return "coverage: " + string(e.Violations[0].Code)
}

var errLater = errors.New("coverage: not ready")

// FromGeometry puts polygons on the grid.
func FromGeometry(g orb.Geometry) (Shape, error) { return nil, errLater }

// Geometry gives the shape in degrees.
func (s Shape) Geometry() orb.MultiPolygon { return nil }

// Valid lists what is wrong with a shape by itself.
func (s Shape) Valid() []Violation { return nil }

// Bound is the envelope; false for the empty shape.
func Bound(s Shape) (lo, hi Point) { return }

// AreaM2 is the area on the ellipsoid of CGCS2000.
func AreaM2(s Shape) float64 { return 0 }

// Check lists what keeps the zones from being a coverage, looking at all of it.
func (c *Coverage) Check() []Violation { return nil }

// Slivers lists parts of zones under 1 m² or thinner than 0.5 m.
func (c *Coverage) Slivers() []Violation { return nil }

// Apply does one operation. A nil Noder means the package's own exact one.
func (c *Coverage) Apply(op Op, n Noder, newID func() ID) (Change, error) {
	return Change{}, errLater
}

// CheckChange is the local proof.
func CheckChange(before, after *Coverage, ch Change) []Violation { return nil }

// HealLimits say what healing closes by itself; zero means the usual ones.
type HealLimits struct{ AreaM2, WidthM float64 }

// Healed is one place that healing closed.
type Healed struct {
	Kind    Code // Gap, Overlap, OutsideArea
	Zones   []ID // who lay there or beside it
	GivenTo ID   // "" where it was cut off outside the area
	Where   Shape
	At      Point
	AreaM2  float64
	WidthM  float64
}

// GainLoss is what healing did to one zone.
type GainLoss struct{ GainedM2, LostM2 float64 }

// HealReport is what Heal did and what it left.
type HealReport struct {
	Healed     []Healed
	Zones      map[ID]GainLoss
	Violations []Violation
}

// Heal makes a coverage of zones that nearly are one.
func Heal(c *Coverage, n Noder, limits HealLimits) (HealReport, error) {
	return HealReport{}, errLater
}

// Arcs are the borders of a coverage, each once.
type Arcs struct{}

// BuildArcs cuts the borders at the nodes where more than two meet.
func BuildArcs(c *Coverage) *Arcs { return nil }

// Simplify thins every border once.
func (a *Arcs) Simplify(toleranceDeg float64) map[ID]Shape { return nil }
