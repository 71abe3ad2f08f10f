package zoning

import (
	"context"

	"onemap/internal/auth"
)

// CheckImport says what of accepting an import can be told before anything is made of it:
// [auth.ErrNotFound] where there is none, or none of this person's; [auth.Invalid] for the
// mapping, an unconfirmed direction of levels among it; [auth.ErrForbidden] for the area.
func (s *Service) CheckImport(ctx context.Context, by auth.By, id string, m ImportMapping) error {
	if !person(by.Identity) || !by.May(auth.EditPlans, s.now()) {
		return auth.ErrForbidden
	}
	_, read, rows, _, err := s.keptImport(ctx, by, id)
	if err != nil {
		return wrap("import", err)
	}
	n := NewPlan{Hazard: m.Hazard, Kind: m.Kind, Title: m.Title, Area: m.Area, Exhaustive: m.Exhaustive, Ladder: m.Ladder, Start: StartEmpty, Responsible: m.Responsible, Note: m.Note}
	scope, err := s.checkImport(&n, m, read, rows)
	if err != nil {
		return err
	}
	if _, ok := by.Grant(auth.EditPlans, scope, s.now()); !ok {
		return auth.ErrForbidden
	}
	return wrap("import", s.newSeries(ctx, by, n))
}
