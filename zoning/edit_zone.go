package zoning

import (
	"context"
	"errors"

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
	empty, none := "", 0
	for _, v := range []**string{&z.Code, &z.Name, &z.Reason, &z.Countermeasure, &z.Responsible} {
		if *v == nil {
			*v = &empty
		}
	}
	if z.Level == nil {
		z.Level = &none
	}
	if version != 0 {
		return s.editZone(ctx, by, plan, zone, version, z)
	}
	// The zone's id is the step's: a repeated PUT is recognised by it.
	level, attrs := Attributes{Level: z.Level, Name: z.Name}, z.Attributes
	attrs.Level = nil
	op := coverage.Op{Kind: coverage.Add, Zone: coverage.ID(zone), Shape: z.Shape}
	return s.oneZone(ctx, by, plan, zone, EditRequest{Plan: plan, EditID: zone, Steps: []Step{
		{Op: op, Set: level}, {SetAttributes: true, Op: coverage.Op{Zones: []coverage.ID{coverage.ID(zone)}}, Set: attrs}}}, true)
}

// PatchZone changes what is given of a zone.
func (s *Service) PatchZone(ctx context.Context, by auth.By, plan, zone string, version int64, z ZonePut) (EditResult, error) {
	return s.editZone(ctx, by, plan, zone, version, z)
}

// DeleteZone removes a zone and leaves a gap: only where gaps may be.
func (s *Service) DeleteZone(ctx context.Context, by auth.By, plan, zone string, version int64) (EditResult, error) {
	return s.oneZone(ctx, by, plan, zone, EditRequest{Plan: plan, EditID: newID(s.now()), Base: map[string]int64{zone: version},
		Steps: []Step{{Op: coverage.Op{Kind: coverage.Delete, Zone: coverage.ID(zone)}}}}, true)
}

func (s *Service) editZone(ctx context.Context, by auth.By, plan, zone string, version int64, z ZonePut) (EditResult, error) {
	r := EditRequest{Plan: plan, EditID: newID(s.now()), Base: map[string]int64{zone: version}}
	ids := []coverage.ID{coverage.ID(zone)}
	if len(z.Shape) > 0 {
		// A shape that came along unchanged is no step, and does not keep the rest back.
		if now, err := s.zonesNow(ctx, by.Identity, plan, zone); err == nil && len(now) == 1 && now[0].Version == version &&
			(now[0].Shape.Equal(z.Shape) || sameGround(now[0].Shape, z.Shape) || sameGround(z.Shape, now[0].Shape)) {
			z.Shape = nil
			if z.Attributes == (Attributes{}) {
				_, _, err := s.editor(ctx, by, plan)
				return EditResult{Zones: now}, wrap("zone", err)
			}
		}
	}
	if len(z.Shape) > 0 {
		r.Steps = append(r.Steps, Step{Op: coverage.Op{Kind: coverage.Reshape, Zone: ids[0], Shape: z.Shape}})
	}
	if z.Level != nil {
		r.Steps = append(r.Steps, Step{Relevel: true, Op: coverage.Op{Zones: ids}, Set: Attributes{Level: z.Level, Reason: z.Reason}})
	}
	attrs := z.Attributes
	if attrs.Level = nil; attrs != (Attributes{}) {
		r.Steps = append(r.Steps, Step{SetAttributes: true, Op: coverage.Op{Zones: ids}, Set: attrs})
	}
	return s.oneZone(ctx, by, plan, zone, r, len(z.Shape) > 0)
}

// oneZone does what is asked of a single zone as an edit. Its answers are those of a
// resource: a zone that is not there is not found, one that changed is a stale version,
// one that is so already stays as it is.
func (s *Service) oneZone(ctx context.Context, by auth.By, plan, zone string, r EditRequest, shaped bool) (EditResult, error) {
	p, _, err := s.editor(ctx, by, plan)
	if err != nil {
		return EditResult{}, wrap("zone", err)
	}
	if shaped && p.Exhaustive {
		return EditResult{}, &StateError{State: p.State, Code: "use_edits", ZH: "该方案要求全覆盖，边界只能通过编辑步骤修改", EN: "the plan leaves no gap: its borders move through edits"}
	}
	if _, ok := canonical(zone); !ok && len(r.Base) > 0 {
		return EditResult{}, auth.ErrNotFound
	}
	out, err := s.edit(ctx, by, r, true)
	var stale *StaleError
	var bad *ViolationsError
	switch {
	case errors.As(err, &stale) && len(stale.Gone) > 0:
		err = auth.ErrNotFound
	case errors.As(err, &stale):
		err = auth.ErrStaleVersion
	case errors.As(err, &bad) && len(bad.Violations) > 0 && bad.Violations[0].Code == coverage.NoSuchZone:
		err = auth.ErrNotFound
	case errors.As(err, &bad) && len(bad.Violations) > 0 && bad.Violations[0].Code == coverage.NothingToDo && len(r.Base) > 0 && !shaped:
		out.Zones, err = s.zonesNow(ctx, by.Identity, plan, zone)
	}
	return out, wrap("zone", err)
}
