package incidents

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// SwappedError means a place that lies outside the asker's area, while its mirror image
// lies inside: latitude was written first. Fixed is what it should be; nothing is changed
// unless whoever sent it says so.
type SwappedError struct {
	At    orb.Point // as sent
	Fixed orb.Geometry
	Unit  string // where the mirror image lies
	Home  string // the area it was expected in
}

// Error says it.
func (e *SwappedError) Error() string {
	return fmt.Sprintf("incidents: %.6f, %.6f looks like latitude first", e.At[0], e.At[1])
}

// Swapped exchanges longitude and latitude of every point of a shape.
func Swapped(g orb.Geometry) orb.Geometry {
	switch t := g.(type) {
	case orb.Point:
		return orb.Point{t[1], t[0]}
	case orb.MultiPoint:
		return swapPoints(t)
	case orb.LineString:
		return swapPoints(t)
	case orb.Ring:
		return swapPoints(t)
	case orb.MultiLineString:
		out := make(orb.MultiLineString, len(t))
		for i, l := range t {
			out[i] = swapPoints(l)
		}
		return out
	case orb.Polygon:
		out := make(orb.Polygon, len(t))
		for i, r := range t {
			out[i] = swapPoints(r)
		}
		return out
	case orb.MultiPolygon:
		out := make(orb.MultiPolygon, len(t))
		for i, p := range t {
			out[i], _ = Swapped(p).(orb.Polygon)
		}
		return out
	case orb.Collection:
		out := make(orb.Collection, len(t))
		for i, one := range t {
			out[i] = Swapped(one)
		}
		return out
	}
	return g
}

func swapPoints[S ~[]orb.Point](in S) S {
	out := make(S, len(in))
	for i, p := range in {
		out[i] = orb.Point{p[1], p[0]}
	}
	return out
}

func firstPoint(g orb.Geometry) orb.Point {
	if g == nil {
		return orb.Point{}
	}
	return g.Bound().Min
}

// settle finds where a shape lies and whether it was written latitude first: it lies
// nowhere in the asker's area, or nowhere on earth, and its mirror image does. With fix it
// is turned round.
func (s *Service) settle(ctx context.Context, tx pgx.Tx, areas geo.Scopes, g orb.Geometry, fix bool) (orb.Geometry, geo.Scope, error) {
	if g == nil {
		return nil, geo.Scope{}, nil
	}
	whole := geo.Check(g)
	var scope geo.Scope
	if whole == nil {
		var err error
		if scope, _, err = s.unitOf(ctx, tx, g); err != nil {
			return g, scope, err
		}
		if scope != geo.Everywhere() && areas.Contains(scope) {
			return g, scope, nil
		}
	}
	mirror := Swapped(g)
	if geo.Check(mirror) == nil {
		there, title, err := s.unitOf(ctx, tx, mirror)
		if err != nil {
			return g, scope, err
		}
		if there != geo.Everywhere() && areas.Contains(there) {
			if fix {
				return mirror, there, nil
			}
			return g, scope, &SwappedError{At: firstPoint(g), Fixed: mirror, Unit: title}
		}
	}
	if whole != nil {
		return g, scope, &auth.Invalid{Items: []auth.Fault{{Path: "geometry", Code: whole.Code, ZH: "几何有误:" + whole.Detail, EN: "the geometry is wrong: " + whole.Detail}}}
	}
	return g, scope, nil
}

// unitOf is the smallest unit around a shape, everywhere where none is.
func (s *Service) unitOf(ctx context.Context, tx pgx.Tx, g orb.Geometry) (scope geo.Scope, title string, err error) {
	err = tx.QueryRow(ctx, s.queries.Get("incident_unit"), geo.Shape{Geometry: g}).Scan(&scope, &title)
	return scope, title, err
}

// named is the unit a place text names inside the asker's areas, the zero scope where
// none or several do.
func (s *Service) named(ctx context.Context, tx pgx.Tx, areas geo.Scopes, place string) (code string, scope geo.Scope, title string, err error) {
	if place == "" {
		return "", geo.Scope{}, "", nil
	}
	rows, err := tx.Query(ctx, s.queries.Get("incident_named"), place)
	if err != nil {
		return "", geo.Scope{}, "", err
	}
	type hit struct {
		Code  string
		Scope geo.Scope
		Title string
		W     int
	}
	hits, err := pgx.CollectRows(rows, pgx.RowToStructByPos[hit])
	if err != nil {
		return "", geo.Scope{}, "", err
	}
	var best []hit
	for _, h := range hits {
		if !areas.Contains(h.Scope) {
			continue
		}
		if len(best) > 0 && best[0].W != h.W {
			break
		}
		best = append(best, h)
	}
	if len(best) == 0 {
		return "", geo.Scope{}, "", nil
	}
	one := best[0]
	if len(best) > 1 {
		return "", geo.Scope{}, "", nil // two villages of one name: nobody guesses
	}
	return one.Code, one.Scope, one.Title, nil
}
