package zoning

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
)

// Plans lists the plans the asker may see.
func (s *Service) Plans(ctx context.Context, who *auth.Identity, q PlanQuery) (PlanPage, error) {
	f, limit, err := s.planFilter(q)
	if err != nil {
		return PlanPage{}, err
	}
	var page PlanPage
	err = s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plans"), s.planArgs(s.asking(who, f)), func(rows pgx.Rows) error {
		page.Plans, err = pgx.CollectRows(rows, scanPlan)
		return err
	})
	if err != nil {
		return PlanPage{}, wrap("plans", err)
	}
	if len(page.Plans) > limit {
		page.Plans = page.Plans[:limit]
		last := page.Plans[limit-1]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(last.CreatedAt.UTC().Format(time.RFC3339Nano) + " " + last.ID))
	}
	return page, nil
}

// Plan is one version. [auth.ErrNotFound] where there is none, or none he may see.
func (s *Service) Plan(ctx context.Context, who *auth.Identity, id string) (Plan, error) {
	if !uuidText.MatchString(id) {
		return Plan{}, auth.ErrNotFound
	}
	var p Plan
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plans"), s.planArgs(s.asking(who, planFilter{id: &id, limit: 1})), func(rows pgx.Rows) error {
		var err error
		p, err = pgx.CollectExactlyOneRow(rows, scanPlan)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Plan{}, auth.ErrNotFound
	}
	return p, wrap("plan", err)
}

// Update changes what a draft is called.
func (s *Service) Update(ctx context.Context, by auth.By, id string, version int64, patch PlanPatch) (Plan, error) {
	seen, err := s.known(ctx, by, id)
	if err != nil {
		return Plan{}, err
	}
	g, err := s.drafter(by, seen)
	if err != nil {
		return Plan{}, err
	}
	var out Plan
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		before, err := s.plan(ctx, tx, id, true)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		if !before.Editable() {
			return notEditable(before.State)
		}
		after := before
		set(&after.Title, patch.Title)
		set(&after.Note, patch.Note)
		set(&after.Responsible, patch.Responsible)
		set(&after.Ladder, patch.Ladder)
		set(&after.Unit, patch.Unit)
		if err := s.checkWords(&after); err != nil {
			return err
		}
		if after.Title == before.Title && after.Note == before.Note && after.Responsible == before.Responsible && after.Ladder == before.Ladder && after.Unit == before.Unit {
			out = before
			return nil // nothing changes, and no version
		}
		if after.Ladder != before.Ladder {
			if err := s.reladder(ctx, tx, before, after.Ladder); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, s.queries.Get("plan_update"), id, after.Title, after.Note, after.Responsible, after.Ladder, after.Unit); err != nil {
			return err
		}
		if out, err = s.plan(ctx, tx, id, false); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "plan.update", out, "", before.words(), out.words())
	})
	return out, wrap("update plan", refusal(seen, err))
}

// reladder says whether a draft may be graded by another ladder: its levels are those of
// the old one, and level 2 of four is not level 2 of five. Nothing is cleared unseen:
// zones whose level the new ladder lacks, and levels that were computed, stand against it.
func (s *Service) reladder(ctx context.Context, tx pgx.Tx, p Plan, ladder string) error {
	if hasMethod(p.Method) {
		return &StateError{State: p.State, Code: "computed", ZH: "等级由计算得出，不能改换等级方案；请撤销计算，或按新方案重新编制", EN: "the levels were computed by this ladder: take the computation back first"}
	}
	rows, err := tx.Query(ctx, s.queries.Get("plan_levels"), p.ID)
	if err != nil {
		return err
	}
	lost, level, n := 0, 0, 0
	if _, err := pgx.ForEachRow(rows, []any{&level, &n}, func() error {
		if !s.onLadder(ladder, level) {
			lost += n
		}
		return nil
	}); err != nil || lost == 0 {
		return err
	}
	var f faults
	f.add("ladder", "levels_lost", fmt.Sprintf("有 %d 个单元的等级在新方案中不存在，请先改它们的等级", lost), fmt.Sprintf("%d zones have a level the new ladder lacks: change those first", lost))
	return f.err()
}

// Remove throws a draft away that was never submitted.
func (s *Service) Remove(ctx context.Context, by auth.By, id string, version int64) error {
	seen, err := s.known(ctx, by, id)
	if err != nil {
		return err
	}
	g, err := s.drafter(by, seen)
	if err != nil {
		return err
	}
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		p, err := s.plan(ctx, tx, id, true)
		switch {
		case err != nil:
			return err
		case p.Version != version:
			return auth.ErrStaleVersion
		case p.State != Draft || p.SubmittedAt != nil:
			return &StateError{State: p.State, Code: "cannot_follow", ZH: "已报审过的版本只能撤回，不能删除", EN: "a version that was submitted is withdrawn, not deleted"}
		}
		for _, q := range []string{"plan_zones_remove", "plan_remove"} {
			if _, err := tx.Exec(ctx, s.queries.Get(q), id); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, by, g, "plan.delete", p, "", p.words(), nil)
	})
	return wrap("remove plan", refusal(seen, err))
}

// Zones are the zones of a version, those that touch the box where one is given.
func (s *Service) Zones(ctx context.Context, who *auth.Identity, id string, box *orb.Bound) (ZoneSet, error) {
	var out ZoneSet
	var err error
	if out.Plan, err = s.Plan(ctx, who, id); err != nil {
		return ZoneSet{}, err
	}
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("plan_horizon")).Scan(&out.Position); err != nil {
			return err
		}
		if out.Zones, err = s.zones(ctx, tx, id, box, nil); err != nil {
			return err
		}
		out.Area, err = s.area(ctx, tx, id)
		return err
	})
	return out, wrap("zones", err)
}

// Zone is one zone of a version.
func (s *Service) Zone(ctx context.Context, who *auth.Identity, id, zone string) (Zone, error) {
	if !uuidText.MatchString(zone) {
		return Zone{}, auth.ErrNotFound
	}
	if _, err := s.Plan(ctx, who, id); err != nil {
		return Zone{}, err
	}
	var out Zone
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plan_zones"), zoneArgs(id, nil, []string{zone}), func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectExactlyOneRow(rows, scanZone(id))
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Zone{}, auth.ErrNotFound
	}
	return out, wrap("zone", err)
}
