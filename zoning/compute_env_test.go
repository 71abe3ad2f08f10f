package zoning

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/calc"
	"onemap/zoning/coverage"
)

// district is a county of cols by rows villages of 0.02 degrees, two townships: the lower
// rows and the upper ones.
type district struct{ *table }

const side = 200 // of a village, in steps of pt

func newDistrict(t testing.TB, cols, rows int) *district {
	t.Helper()
	d := &district{table: newTable(t)}
	w, h := float64(cols*side), float64(rows*side)
	half := float64(rows / 2 * side)
	d.unit(county, 3, "测试县", box(0, 0, w, h))
	if half > 0 {
		d.unit(county+"001", 4, "南镇", box(0, 0, w, half))
	}
	d.unit(county+"002", 4, "北镇", box(0, half, w, h))
	for y := range rows {
		for x := range cols {
			town := 1
			if y >= rows/2 {
				town = 2
			}
			x0, y0 := float64(x*side), float64(y*side)
			d.unit(fmt.Sprintf("%s%03d%03d", county, town, y*cols+x+1), 5, fmt.Sprintf("村%d", y*cols+x+1), box(x0, y0, x0+side, y0+side))
		}
	}
	return d
}

func (d *district) unit(code string, rank int, name string, s coverage.Shape) {
	d.t.Helper()
	d.exec(`insert into admin (code, admin_code, name, rank, geom) values ($1, $1, $2, $3, $4)`, code, name, rank, geo.Shape{Geometry: s.Geometry()})
}

// draft makes a plan of the whole county.
func (d *district) draft(kind, ladder string, exhaustive bool) string {
	d.t.Helper()
	p, err := d.s.Create(context.Background(), d.by, NewPlan{Hazard: d.hazard("multi"), Kind: kind, Title: "综合区划", Area: county, Exhaustive: exhaustive, Ladder: ladder})
	if err != nil {
		d.t.Fatal(explain(err))
	}
	return p.ID
}

// in is a shape of a village, from and to in hundredths of its side.
func in(cols, village int, x0, y0, x1, y1 float64) geo.Shape {
	x, y := float64(village%cols*side), float64(village/cols*side)
	const f = side / 100.
	return geo.Shape{Geometry: box(x+f*x0, y+f*y0, x+f*x1, y+f*y1).Geometry()}
}

func at(cols, village int, x, y float64) geo.Shape {
	const f = side / 100.
	return geo.Shape{Geometry: pt(float64(village%cols*side)+f*x, float64(village/cols*side)+f*y).LonLat()}
}

func (d *district) people(cols, village int, n any, elderly any) {
	d.t.Helper()
	d.exec(`insert into population (name, population, elderly, geom) values ('p', $1::int, $2::int, $3)`, n, elderly, in(cols, village, 0, 0, 100, 100))
}

func (d *district) compute(plan string, spec ComputeSpec) (ComputeResult, error) {
	d.t.Helper()
	return d.s.Compute(context.Background(), d.by, plan, spec, nil)
}

func (d *district) mustCompute(plan string, spec ComputeSpec) ComputeResult {
	d.t.Helper()
	r, err := d.compute(plan, spec)
	if err != nil {
		d.t.Fatal(explain(err))
	}
	return r
}

// byName are the zones of a plan by name.
func (d *district) byName(plan string) map[string]Zone {
	d.t.Helper()
	out := map[string]Zone{}
	for _, z := range d.zones(plan) {
		out[z.Name] = z
	}
	return out
}

// fault is the code and path of an [auth.Invalid].
func fault(err error) (code, path string) {
	if bad := new(auth.Invalid); errors.As(err, &bad) {
		return bad.Items[0].Code, bad.Items[0].Path
	}
	return "", ""
}

func one(id string, group string) IndicatorSpec {
	return IndicatorSpec{Source: id, Group: group}
}

func jenks() ClassifySpec { return ClassifySpec{Method: calc.Jenks} }
