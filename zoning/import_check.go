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
	name, read, rows, _, err := s.keptImport(ctx, by, id)
	if err != nil {
		return wrap("import", err)
	}
	_, err = s.toImport(ctx, by, name, m, read, rows)
	return wrap("import", err)
}
