package zoning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// Create makes a series with its first version, a draft. Its boundary is that of the
// administrative unit, on the grid.
func (s *Service) Create(ctx context.Context, by auth.By, n NewPlan) (Plan, error) {
	if !person(by.Identity) || !by.May(auth.EditPlans, s.now()) {
		return Plan{}, auth.ErrForbidden
	}
	scope, err := s.checkNew(&n)
	if err != nil {
		return Plan{}, err
	}
	g, ok := by.Grant(auth.EditPlans, scope, s.now())
	if !ok {
		return Plan{}, auth.ErrForbidden
	}
	if err := s.newSeries(ctx, by, n); err != nil {
		return Plan{}, wrap("create plan", err)
	}
	// What takes time is done before the transaction that writes: it would hold the feed.
	start, err := s.startOf(ctx, by, n, scope)
	if err != nil {
		return Plan{}, wrap("create plan", err)
	}
	var out Plan
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		var area geo.Shape
		if n.Exhaustive {
			area.Geometry = start.area.Geometry()
		}
		var id string
		if err := tx.QueryRow(ctx, s.queries.Get("plan_add"), nil, n.Hazard, n.Kind, n.Title, n.Area, scope, n.Exhaustive, n.Unit, null(n.Ladder), null(n.Responsible), null(n.Note),
			area, start.dataset, by.Account).Scan(&id); err != nil {
			return err
		}
		if out, err = s.plan(ctx, tx, id, false); err != nil {
			return err
		}
		if len(start.zones) > 0 {
			if err := s.writeZones(ctx, tx, out, start.zones, nil); err != nil {
				return err
			}
		}
		note := ""
		if start.mended > 0 {
			note = fmt.Sprintf("起始单元的边界有 %d 处缝隙或重叠，已归整", start.mended)
		}
		if err := s.event(ctx, tx, by, id, "", Draft, note); err != nil {
			return err
		}
		if out, err = s.plan(ctx, tx, id, false); err != nil {
			return err
		}
		if out.Position, err = s.position(ctx, tx); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "plan.create", out, "", nil, map[string]any{"title": n.Title, "hazard": n.Hazard, "kind": n.Kind, "area": n.Area, "exhaustive": n.Exhaustive, "start": n.Start, "zones": len(start.zones), "mended": start.mended})
	})
	return out, wrap("create plan", refusal(out, err))
}

func (s *Service) startOf(ctx context.Context, by auth.By, n NewPlan, scope geo.Scope) (beginning, error) {
	var b beginning
	err := s.db.Bulk.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		var name string
		var rank int
		var g geo.Shape
		reads := by.Reach.Of(s.visibilityOf("admin")).String()
		err := tx.QueryRow(ctx, s.queries.Get("plan_unit"), n.Area, reads).Scan(&name, &rank, &g, &b.dataset)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && g.IsNull() {
			return &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "unknown", ZH: "没有这个行政区的边界，请先导入行政区划", EN: "there is no border of this administrative unit: import the units first"}}}
		}
		if err != nil {
			return err
		}
		if b.area, err = coverage.FromGeometry(g.Geometry); err != nil {
			return err
		}
		switch n.Start {
		case StartEmpty:
		case StartWhole:
			b.zones = []Zone{{Zone: s.newID(), Code: n.Area, Name: name, Shape: b.area}}
		case StartTownships, StartVillages:
			unit := map[Start]int{StartTownships: rankTownship, StartVillages: rankVillage}[n.Start]
			b.zones, b.area, b.mended, err = s.units(ctx, tx, unit, scope, g, b.area)
		}
		return err
	})
	return b, err
}

// units makes a zone of every administrative unit of a rank. Units of one source fit
// together, others have gaps and overlaps along their borders: these are closed, and
// ground no unit has, or two have, becomes zones of its own, so that nothing is given
// away unseen. The area comes back with the nodes the units have on its border.
func (s *Service) units(ctx context.Context, tx pgx.Tx, rank int, scope geo.Scope, border geo.Shape, area coverage.Shape) ([]Zone, coverage.Shape, int, error) {
	rows, err := tx.Query(ctx, s.queries.Get("plan_subunits"), rank, scope, border)
	if err != nil {
		return nil, nil, 0, err
	}
	var zones []Zone
	var code, name string
	var g geo.Shape
	c := &coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: area, Exhaustive: true}
	_, err = pgx.ForEachRow(rows, []any{&code, &name, &g}, func() error {
		if g.IsNull() || geo.VertexCount(g.Geometry) == 0 {
			return nil
		}
		shape, err := coverage.FromGeometry(g.Geometry)
		if err != nil {
			return fmt.Errorf("unit %s: %w", code, err)
		}
		z := Zone{Zone: s.newID(), Code: code, Name: name}
		zones = append(zones, z)
		c.Zones[coverage.ID(z.Zone)] = shape
		return nil
	})
	if err != nil {
		return nil, nil, 0, err
	}
	if len(zones) == 0 {
		return nil, nil, 0, &auth.Invalid{Items: []auth.Fault{{Path: "start", Code: "no_units", ZH: "该区域内没有这一级的行政区划", EN: "there are no units of that rank in the area"}}}
	}
	more, mended, err := s.fit(c)
	if err != nil {
		return nil, nil, 0, err
	}
	zones = append(zones, more...)
	zones = slices.DeleteFunc(zones, func(z Zone) bool { return len(c.Zones[coverage.ID(z.Zone)]) == 0 })
	for i := range zones {
		zones[i].Shape = c.Zones[coverage.ID(zones[i].Zone)]
	}
	return zones, c.Area, mended, nil
}

// NewVersion makes the next version of a series from the zones of id, a draft. The zones
// keep their ids, so that versions can be compared.
func (s *Service) NewVersion(ctx context.Context, by auth.By, id, note string) (Plan, error) {
	seen, err := s.known(ctx, by, id)
	if err != nil {
		return Plan{}, err
	}
	g, err := s.permitted(by, auth.EditPlans, seen)
	if err != nil {
		return Plan{}, err
	}
	var f faults
	note = f.text("note", note, 0, 2000)
	if err := f.err(); err != nil {
		return Plan{}, err
	}
	switch seen.State {
	case Published, Superseded, Withdrawn:
	default:
		return Plan{}, openVersion()
	}
	adopted, err := s.adopt(ctx, by, seen)
	if err != nil {
		return Plan{}, wrap("new version", err)
	}
	var out Plan
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("series_turn"), seen.Series); err != nil {
			return err
		}
		var area geo.Shape
		if adopted != nil && seen.Exhaustive {
			area.Geometry = adopted.area.Geometry()
		}
		var next string
		if err := tx.QueryRow(ctx, s.queries.Get("plan_next"), id, note, by.Account, area).Scan(&next); err != nil {
			return err
		}
		if adopted == nil {
			if _, err := tx.Exec(ctx, s.queries.Get("plan_copy"), id, next); err != nil {
				return err
			}
		} else {
			p, err := s.plan(ctx, tx, next, false)
			if err != nil {
				return err
			}
			if err := s.writeZones(ctx, tx, p, adopted.zones, nil); err != nil {
				return err
			}
		}
		if err := s.event(ctx, tx, by, next, "", Draft, note); err != nil {
			return err
		}
		if out, err = s.plan(ctx, tx, next, false); err != nil {
			return err
		}
		if out.Position, err = s.position(ctx, tx); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "plan.new_version", out, note, nil, map[string]any{"parent": id, "version_no": out.VersionNo, "zones": out.Zones})
	})
	return out, wrap("new version", refusal(seen, err))
}

// adopt puts the zones of a version on the grid that was not made here (the demo
// county's), so that the next one is a coverage; nil where they lie on it.
func (s *Service) adopt(ctx context.Context, by auth.By, p Plan) (*beginning, error) {
	if p.Creator != "" {
		return nil, nil
	}
	var b beginning
	err := s.db.Bulk.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		var err error
		if b.zones, err = s.zones(ctx, tx, p.ID, nil, nil); err != nil || !p.Exhaustive {
			return err
		}
		if b.area, err = s.area(ctx, tx, p.ID); err != nil || len(b.area) > 0 {
			return err
		}
		var g geo.Shape
		if err := tx.QueryRow(ctx, s.queries.Get("plan_outline"), p.ID).Scan(&g); err != nil || g.IsNull() {
			return err
		}
		b.area, err = coverage.FromGeometry(g.Geometry)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: b.area, Exhaustive: p.Exhaustive}
	for _, z := range b.zones {
		c.Zones[coverage.ID(z.Zone)] = z.Shape
	}
	more, _, err := s.fit(c)
	if err != nil {
		return nil, err
	}
	b.zones = slices.DeleteFunc(append(b.zones, more...), func(z Zone) bool { return len(c.Zones[coverage.ID(z.Zone)]) == 0 })
	for i := range b.zones {
		b.zones[i].ID, b.zones[i].FID, b.zones[i].Version = "", 0, 0
		b.zones[i].Shape = c.Zones[coverage.ID(b.zones[i].Zone)]
	}
	return &b, nil
}
