package zoning

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// lattice is a grid of cells with exact borders: column k lies between X(k) and X(k+1).
type lattice struct {
	// A cell is numX/den by numY/den grid steps; borders are rounded to the grid, so that
	// neighbours share theirs to the last bit.
	numX, numY, den int64
	// The origin, in grid steps; rows count downwards where down is set.
	x0, y0 int64
	down   bool
}

// seconds are the 30 by 30 arc second cells of the census: col=⌊(lon+180)·120⌋,
// row=⌊(90-lat)·120⌋, rows counted from the north.
func seconds() lattice {
	return lattice{numX: coverage.Scale, numY: coverage.Scale, den: 120, x0: -180 * coverage.Scale, y0: 90 * coverage.Scale, down: true}
}

// kilometres are cells of equal steps of longitude and latitude, near 1 km in the middle
// of the area and counted from 0°, 0°. A true kilometre grid lies in a projection, and its
// lines bend on ours; these are of our grid, so that cells fit together exactly. Away from
// the middle latitude the width changes by the cosine: 1 % per 0.85° at 34° N.
func kilometres(midLat float64) lattice {
	phi := midLat * math.Pi / 180
	// Length of a degree on the ellipsoid (series of the Earth's radii, to the metre).
	north := 111132.954 - 559.822*math.Cos(2*phi) + 1.175*math.Cos(4*phi)
	east := 111412.84*math.Cos(phi) - 93.5*math.Cos(3*phi)
	return lattice{numX: int64(math.Round(1000 / east * coverage.Scale)), numY: int64(math.Round(1000 / north * coverage.Scale)), den: 1}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func (l lattice) border(k, num int64) int64 { return floorDiv(2*k*num+l.den, 2*l.den) } // rounded half up

// cell is the column and row of a point: on a border, those to the east and, as rows are
// counted, beyond it.
func (l lattice) cell(p coverage.Point) (col, row int64) {
	col = floorDiv((p.X-l.x0)*l.den, l.numX)
	if l.down {
		return col, floorDiv((l.y0-p.Y)*l.den, l.numY)
	}
	return col, floorDiv((p.Y-l.y0)*l.den, l.numY)
}

// box is the rectangle of a cell.
func (l lattice) box(col, row int64) coverage.Box {
	b := coverage.Box{Min: coverage.Point{X: l.x0 + l.border(col, l.numX)}, Max: coverage.Point{X: l.x0 + l.border(col+1, l.numX)}}
	if l.down {
		b.Min.Y, b.Max.Y = l.y0-l.border(row+1, l.numY), l.y0-l.border(row, l.numY)
	} else {
		b.Min.Y, b.Max.Y = l.y0+l.border(row, l.numY), l.y0+l.border(row+1, l.numY)
	}
	return b
}

// computeUnits are the units of a computation, which together are the area exactly, and
// the ground no unit has, which stays ungraded.
func (s *Service) computeUnits(ctx context.Context, tx pgx.Tx, who *auth.Identity, c *computation) (units, rest []Zone, area coverage.Shape, mended int, err error) {
	area, err = s.area(ctx, tx, c.plan.ID)
	if err != nil {
		return nil, nil, nil, 0, err
	}
	var border geo.Shape
	if len(area) == 0 {
		// No boundary of its own: its administrative unit says how far it goes.
		var name string
		var rank int
		var dataset *string
		err := tx.QueryRow(ctx, s.queries.Get("plan_unit"), c.plan.Area, who.Reach.Of(s.visibilityOf("admin")).String()).Scan(&name, &rank, &border, &dataset)
		if err != nil || border.IsNull() {
			return nil, nil, nil, 0, newFault("area", "unknown", "没有这个行政区的边界，请先导入行政区划", "there is no border of this administrative unit: import the units first")
		}
		if area, err = coverage.FromGeometry(border.Geometry); err != nil {
			return nil, nil, nil, 0, err
		}
	}
	border.Geometry = area.Geometry()
	switch c.spec.Unit {
	case UnitVillage, UnitTownship:
		rank := map[string]int{UnitVillage: rankVillage, UnitTownship: rankTownship}[c.spec.Unit]
		var all []Zone
		if all, area, mended, err = s.units(ctx, tx, rank, c.plan.Scope, border, area); err != nil {
			if bad, ok := err.(*auth.Invalid); ok { //nolint:errorlint // its own error, unwrapped
				bad.Items[0].Path = "unit"
			}
			return nil, nil, nil, 0, err
		}
		for _, z := range all {
			if z.Code == "" {
				rest = append(rest, z)
			} else {
				units = append(units, z)
			}
		}
	default:
		if units, err = s.cells(ctx, tx, c.spec.Unit, border, area); err != nil {
			return nil, nil, nil, 0, err
		}
		cov := coverageOf(units, area)
		if rest, mended, err = s.fit(cov); err != nil {
			return nil, nil, nil, 0, err
		}
		for _, list := range [][]Zone{units, rest} {
			for i := range list {
				list[i].Shape = cov.Zones[coverage.ID(list[i].Zone)]
			}
		}
		units = slices.DeleteFunc(units, func(z Zone) bool { return len(z.Shape) == 0 })
		area = cov.Area
	}
	if len(units) > mostUnits {
		return nil, nil, nil, 0, tooMany("unit", len(units), mostUnits)
	}
	if !c.plan.Exhaustive {
		rest = nil // gaps are allowed
	}
	return units, rest, area, mended, nil
}

func tooMany(path string, n, most int) error {
	return newFault(path, "too_many", fmt.Sprintf("共 %d 个，最多 %d 个：请缩小区域，或用更大的单元、合并", n, most), fmt.Sprintf("%d, and at most %d are possible: take a smaller area, larger units, or dissolve", n, most))
}

func coverageOf(zones []Zone, area coverage.Shape) *coverage.Coverage {
	c := &coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: area, Exhaustive: true}
	for i := range zones {
		c.Zones[coverage.ID(zones[i].Zone)] = zones[i].Shape
	}
	return c
}

// latticeOf is the grid of cells of a unit over an area.
func latticeOf(unit string, lo, hi coverage.Point) lattice {
	if unit == UnitSeconds {
		return seconds()
	}
	return kilometres(float64(lo.Y+hi.Y) / 2 / coverage.Scale)
}

// cells are the cells that lie in the area, cut at its border.
func (s *Service) cells(ctx context.Context, tx pgx.Tx, unit string, border geo.Shape, area coverage.Shape) ([]Zone, error) {
	lo, hi := coverage.Bound(area)
	l := latticeOf(unit, lo, hi)
	c0, r0 := l.cell(lo)
	c1, r1 := l.cell(hi)
	r0, r1 = min(r0, r1), max(r0, r1)
	if n := (c1 - c0 + 1) * (r1 - r0 + 1); n > 4*mostUnits {
		return nil, tooMany("unit", int(n), mostUnits)
	}
	var w, so, e, n []float64
	var names []string
	for r := r0; r <= r1; r++ {
		for c := c0; c <= c1; c++ {
			b := l.box(c, r)
			min, max := b.Min.LonLat(), b.Max.LonLat()
			w, so, e, n = append(w, min[0]), append(so, min[1]), append(e, max[0]), append(n, max[1])
			names = append(names, fmt.Sprintf("%d-%d", c, r))
		}
	}
	rows, err := tx.Query(ctx, s.queries.Get("compute_clip"), w, so, e, n, border, coverage.GridSize)
	if err != nil {
		return nil, err
	}
	var out []Zone
	var i int
	var g geo.Shape
	_, err = pgx.ForEachRow(rows, []any{&i, &g}, func() error {
		if g.IsNull() || geo.VertexCount(g.Geometry) == 0 {
			return nil // it touches the area and has none of it
		}
		shape, err := coverage.FromGeometry(g.Geometry)
		if err != nil {
			return fmt.Errorf("cell %s: %w", names[i-1], err)
		}
		if len(shape) > 0 {
			out = append(out, Zone{Zone: s.newID(), Code: names[i-1], Name: names[i-1], Shape: shape})
		}
		return nil
	})
	return out, err
}

// townshipsOf names the township of every unit; "" where none has its middle.
func (s *Service) townshipsOf(ctx context.Context, tx pgx.Tx, who *auth.Identity, shapes []geo.Shape) (codes, names []string, err error) {
	codes, names = make([]string, len(shapes)), make([]string, len(shapes))
	rows, err := tx.Query(ctx, s.queries.Get("compute_townships"), shapes, who.Reach.Of(s.visibilityOf("admin")).String())
	if err != nil {
		return nil, nil, err
	}
	var i int
	var code, name string
	_, err = pgx.ForEachRow(rows, []any{&i, &code, &name}, func() error {
		codes[i-1], names[i-1] = code, name
		return nil
	})
	return codes, names, err
}

// gradedGround is how many km² of each unit zones of each level of a plan have, and how many
// graded zones the plan has.
func (g *gauge) gradedGround(ctx context.Context, plan string) ([]map[int]float64, int64, error) {
	out := make([]map[int]float64, len(g.m.shapes))
	rows, err := g.tx.Query(ctx, g.queries.Get("compute_graded"), g.m.shapes, plan)
	if err != nil {
		return nil, 0, err
	}
	var i, level int
	var km2 float64
	var zones int64
	_, err = pgx.ForEachRow(rows, []any{&i, &level, &km2, &zones}, func() error {
		if out[i-1] == nil {
			out[i-1] = map[int]float64{}
		}
		out[i-1][level] = km2
		return nil
	})
	return out, zones, err
}
