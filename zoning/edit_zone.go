package zoning

import (
	"context"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// ZonePut is a zone as a client would have it: what is nil is emptied by PutZone and
// left as it is by PatchZone. A Shape is allowed only where gaps may be; elsewhere the
// borders move through Edit ([StateError] use_edits).
type ZonePut struct {
	Attributes

	Shape coverage.Shape // empty: none given
}

// PutZone makes the zone (version 0; zone is the client's new UUID) or replaces it.
// [auth.ErrStaleVersion] when it is no longer of that version.
func (s *Service) PutZone(ctx context.Context, by auth.By, plan, zone string, version int64, z ZonePut) (EditResult, error) {
	return EditResult{}, errUnfinished
}

// PatchZone changes what is given of a zone.
func (s *Service) PatchZone(ctx context.Context, by auth.By, plan, zone string, version int64, z ZonePut) (EditResult, error) {
	return EditResult{}, errUnfinished
}

// DeleteZone removes a zone and leaves a gap: only where gaps may be.
func (s *Service) DeleteZone(ctx context.Context, by auth.By, plan, zone string, version int64) (EditResult, error) {
	return EditResult{}, errUnfinished
}
