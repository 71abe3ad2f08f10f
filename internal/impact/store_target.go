package impact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
)

// target finds the area: what was drawn, an alert's, an incident's affected area, or the
// rings of its kind around it.
func (k *question) target(ctx context.Context) error {
	t := &k.a.Target
	t.Kind, t.Basis, t.BufferM = "geometry", "geometry", k.q.BufferM
	shape, radii := k.q.Shape, k.q.Rings
	var err error
	switch {
	case k.q.Incident != "":
		t.Kind = "incident"
		if shape, err = k.named(ctx, "incident", "incidents", k.q.Incident); err != nil {
			return err
		}
		area, err := k.affected(ctx)
		if err != nil {
			return err
		}
		switch {
		case len(radii) > 0 || t.BufferM > 0:
		case area != nil:
			shape, t.Basis = area, "affected_area"
		case shape != nil && areal(shape):
		default:
			radii, t.Basis = k.rings.Kinds[t.What], "rings_by_kind"
			if len(radii) == 0 {
				radii = k.rings.Default
			}
		}
	case k.q.Alert != "":
		t.Kind = "alert"
		if shape, err = k.named(ctx, "alert", "alerts", k.q.Alert); err != nil {
			return err
		}
	}
	if shape == nil {
		return ErrNoPlace
	}
	if len(radii) > MaxRings {
		radii = radii[:MaxRings]
	}
	if len(radii) > 0 {
		if t.Basis == "geometry" {
			t.Basis = "rings"
		}
		if err := k.circles(ctx, shape, radii); err != nil {
			return err
		}
	} else {
		if t.BufferM > 0 && t.Basis == "geometry" {
			t.Basis = "buffer"
		}
		var out geo.Shape
		var st features.Statement
		sql := features.Fill(k.s.queries.Get("shape"), map[string]string{"shape": st.Arg(geo.Shape{Geometry: shape}, "geometry"), "buffer": st.Arg(t.BufferM, "float8")})
		if err := k.tx.QueryRow(ctx, sql, st.Args()...).Scan(&out, &t.AreaM2); err != nil {
			return fmt.Errorf("impact: shape: %w", err)
		}
		t.Shape = polygons(out.Geometry)
	}
	if len(t.Shape) == 0 {
		return ErrNoArea
	}
	if t.AreaM2 > MaxAreaM2 {
		return ErrTooLarge
	}
	k.g = t.Shape
	return nil
}

func areal(g orb.Geometry) bool {
	switch g := g.(type) {
	case orb.Polygon, orb.MultiPolygon:
		return true
	case orb.Collection:
		return slices.ContainsFunc(g, areal)
	}
	return false
}

func polygons(g orb.Geometry) orb.MultiPolygon {
	switch g := g.(type) {
	case orb.MultiPolygon:
		return g
	case orb.Polygon:
		return orb.MultiPolygon{g}
	}
	return nil
}

// named reads an incident or alert.
func (k *question) named(ctx context.Context, query, layer, id string) (orb.Geometry, error) {
	l := k.layer(layer)
	if l == nil {
		return nil, ErrNotFound
	}
	var st features.Statement
	rows, where, err := st.Rows(l, k.who.Reach, k.known)
	if err != nil {
		return nil, err
	}
	t := &k.a.Target
	t.ID = id
	var shape geo.Shape
	var happened *time.Time
	sql := features.Fill(k.s.queries.Get(query), map[string]string{"rows": rows, "where": where, "id": st.Arg(id, "uuid")})
	err = k.tx.QueryRow(ctx, sql, st.Args()...).Scan(&t.FID, &t.Title, &t.What, &t.Level, &t.Exercise, &happened, &shape)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("impact: %s: %w", query, err)
	}
	t.Happened = happened
	return shape.Geometry, nil
}

// affected is the affected area drawn for an incident, as it holds at the time asked for.
func (k *question) affected(ctx context.Context) (orb.Geometry, error) {
	l := k.layer("incident_sketches")
	if l == nil {
		return nil, nil //nolint:nilnil // none is drawn
	}
	times := k.q.Times
	if times.To == nil {
		times.From, times.To = &k.at, &k.at
	}
	var st features.Statement
	rows, where, err := st.Rows(l, k.who.Reach, times)
	if err != nil {
		return nil, err
	}
	var shape geo.Shape
	sql := features.Fill(k.s.queries.Get("affected"), map[string]string{"rows": rows, "where": where, "id": st.Arg(k.q.Incident, "uuid")})
	if err := k.tx.QueryRow(ctx, sql, st.Args()...).Scan(&shape); err != nil {
		return nil, fmt.Errorf("impact: affected area: %w", err)
	}
	return shape.Geometry, nil
}

func (k *question) circles(ctx context.Context, shape orb.Geometry, radii []float64) error {
	var st features.Statement
	sql := features.Fill(k.s.queries.Get("rings"), map[string]string{"shape": st.Arg(geo.Shape{Geometry: shape}, "geometry"), "radii": st.Arg(radii, "float8[]")})
	rows, err := k.tx.Query(ctx, sql, st.Args()...)
	if err != nil {
		return fmt.Errorf("impact: rings: %w", err)
	}
	defer rows.Close()
	t := &k.a.Target
	for rows.Next() {
		var n int
		var r Ring
		var all, band geo.Shape
		if err := rows.Scan(&n, &r.RadiusM, &all, &r.AreaM2, &band); err != nil {
			return fmt.Errorf("impact: rings: %w", err)
		}
		r.Shape, r.Band = polygons(all.Geometry), polygons(band.Geometry)
		t.Rings = append(t.Rings, r)
		t.Shape, t.AreaM2 = r.Shape, r.AreaM2
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("impact: rings: %w", err)
	}
	return nil
}

// claims are the first statement of the transaction.
func (k *question) claims(ctx context.Context) error {
	return db.Reclaim(ctx, k.tx, db.Claims{Actor: k.who.Name, Role: k.who.Role, Reach: k.who.Reach})
}
