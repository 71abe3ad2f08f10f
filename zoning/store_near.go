package zoning

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// nearby refuses what is drawn elsewhere, before anything is computed of it: a shape that
// goes more than two kilometres beyond the box of the plan's area, and one of which more
// than half lies outside the boundary. Planners draw over a boundary on purpose, and are
// clipped at it; a ring around half the country is a slip of the hand.
func (s *Service) nearby(ctx context.Context, tx pgx.Tx, p editPlan, steps []Step) error {
	var drawn []Step
	for _, st := range steps {
		switch st.Op.Kind {
		case coverage.Add, coverage.AddPart, coverage.CutHole, coverage.Reshape:
			if len(st.Op.Shape) > 0 || len(p.Border) == 0 {
				drawn = append(drawn, st)
			}
		case coverage.MoveVertex, coverage.MoveEdge:
			if len(p.Border) == 0 {
				drawn = append(drawn, st)
			}
		}
	}
	if len(drawn) == 0 {
		return nil
	}
	area, known, err := s.home(ctx, tx, p)
	if err != nil {
		return err
	}
	var shapes []geo.Shape
	var at []coverage.Op
	for _, st := range drawn {
		boxes, _ := reach([]Step{st})
		for _, b := range boxes {
			far := b.Min.X < area.Min.X || b.Min.Y < area.Min.Y || b.Max.X > area.Max.X || b.Max.Y > area.Max.Y
			if known && far || !known && max(b.Max.X-b.Min.X, b.Max.Y-b.Min.Y) > 20*coverage.Scale {
				return beyond(st.Op)
			}
		}
		// What is no shape by itself the coverage refuses, saying why.
		if len(p.Border) > 0 && len(st.Op.Shape.Valid()) == 0 {
			shapes, at = append(shapes, geo.Shape{Geometry: st.Op.Shape.Geometry()}), append(at, st.Op)
		}
	}
	if len(shapes) == 0 {
		return nil
	}
	var n int
	err = tx.QueryRow(ctx, s.queries.Get("edit_beyond"), shapes, geo.Shape{Geometry: p.border}).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return beyond(at[n-1])
}

func beyond(op coverage.Op) error {
	return &ViolationsError{Violations: []coverage.Violation{{Code: coverage.OutsideArea, At: first(op)}}}
}

// home is the box a plan is drawn in, with two kilometres around it; false where neither
// a boundary nor an administrative unit is known.
func (s *Service) home(ctx context.Context, tx pgx.Tx, p editPlan) (coverage.Box, bool, error) {
	const around = coverage.Scale / 50 // 0.02 degree
	var lo, hi coverage.Point
	if len(p.Border) > 0 {
		lo, hi = coverage.Bound(p.Border)
	} else {
		var w, so, e, n *float64
		if err := tx.QueryRow(ctx, s.queries.Get("edit_home"), p.Area).Scan(&w, &so, &e, &n); err != nil || w == nil {
			return coverage.Box{}, false, err
		}
		lo, hi = coverage.At(orb.Point{*w, *so}), coverage.At(orb.Point{*e, *n})
	}
	return coverage.Box{Min: coverage.Point{X: lo.X - around, Y: lo.Y - around}, Max: coverage.Point{X: hi.X + around, Y: hi.Y + around}}, true, nil
}
