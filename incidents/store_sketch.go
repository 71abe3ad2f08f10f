package incidents

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanSketch(row pgx.CollectableRow) (Sketch, error) {
	var k Sketch
	var g geo.Shape
	err := row.Scan(&k.ID, &k.FID, &k.Version, &k.Incident, &k.Kind, &k.Name, &k.Note, &g, &k.ValidFrom, &k.ValidTo, &k.UpdatedAt, &k.UpdatedBy, &k.Scope)
	k.Geometry = g.Geometry
	return k, err
}

func (s *Service) sketches(ctx context.Context, tx pgx.Tx, incident, id string) ([]Sketch, error) {
	rows, err := tx.Query(ctx, s.queries.Get("sketches"), incident, orNil(id))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSketch)
}

// Sketches are those of an incident the asker sees, past ones too.
func (s *Service) Sketches(ctx context.Context, who *auth.Identity, id string) ([]Sketch, error) {
	var out []Sketch
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if _, err := s.one(ctx, tx, id); err != nil {
			return err
		}
		var err error
		out, err = s.sketches(ctx, tx, id, "")
		return err
	})
	return out, wrap("sketches", err)
}

// unit is the code a sketch is filed under: what its place says, where that lies inside the
// grant; else the incident's, so that a cordon across a border stays its post's own.
func (s *Service) unit(ctx context.Context, tx pgx.Tx, g auth.Grant, i Incident, shape orb.Geometry) (string, error) {
	scope, _, err := s.unitOf(ctx, tx, shape)
	if err != nil || g.Scope().Contains(scope) {
		return "", err
	}
	if code := codeOf(i.Scope); code != "" {
		return code, nil
	}
	return g.Area, nil
}

// codeOf is the code a scope stands for, "" where it is none.
func codeOf(s geo.Scope) string {
	const unit = 1_000_000_000_000_000
	if s.IsNull() {
		return ""
	}
	n, width := s.Lo%unit, s.Hi-s.Lo+1
	digits := 15
	for w := width; w > 1 && w%10 == 0; w /= 10 {
		digits--
	}
	if digits < 2 {
		return ""
	}
	code := fmt.Sprintf("%0*d", digits, n/width)
	if back, err := geo.ParseScope(code); err != nil || back != s {
		return ""
	}
	return code
}

// draw runs fn on a sketch's incident under the grant of a command post, and reads the
// sketch again.
func (s *Service) draw(ctx context.Context, by auth.By, incident, id, action string, fn func(tx pgx.Tx, g auth.Grant, i Incident) (fields map[string]any, err error)) (Sketch, error) {
	var out Sketch
	_, err := s.changing(ctx, by, incident, nil, auth.CommandPost, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if err := frozen(i); err != nil {
			return i, err
		}
		fields, err := fn(tx, g, i)
		if err != nil {
			return i, err
		}
		list, err := s.sketches(ctx, tx, incident, id)
		if err != nil {
			return i, err
		}
		if len(list) == 1 {
			out = list[0]
		}
		if fields == nil {
			return i, nil // nothing changed
		}
		if err := s.happen(ctx, tx, by, incident, action, s.now(), out.Note, fields, "incident_sketches/"+id); err != nil {
			return i, err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "incident." + action, Object: "incident_sketches/" + id, Area: g.Area, Outcome: audit.Done, After: fields}); err != nil {
			return i, err
		}
		return i, tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
	})
	return out, err
}

// Draw adds a sketch. The same id again answers what is there.
func (s *Service) Draw(ctx context.Context, by auth.By, incident string, n NewSketch) (k Sketch, created bool, err error) {
	n.ID = strings.ToLower(n.ID)
	if n.ID == "" {
		n.ID = s.newID()
	}
	if !records.IsID(n.ID) {
		return k, false, &auth.Invalid{Items: []auth.Fault{{Path: "id", Code: "bad_id", ZH: "应为 UUID", EN: "it is a UUID"}}}
	}
	k, err = s.draw(ctx, by, incident, n.ID, "sketch_drawn", func(tx pgx.Tx, g auth.Grant, i Incident) (map[string]any, error) {
		there, err := s.sketches(ctx, tx, incident, n.ID)
		if err != nil || len(there) > 0 {
			return nil, err
		}
		one := Sketch{Kind: n.Kind, Name: n.Name, Note: n.Note, Geometry: n.Geometry, ValidFrom: n.ValidFrom, ValidTo: n.ValidTo}
		if n.Geometry != nil {
			if one.Geometry, _, err = s.settle(ctx, tx, geo.Scopes{g.Scope()}, n.Geometry, n.FixSwap); err != nil {
				return nil, err
			}
		}
		if err := s.checkSketch(&one); err != nil {
			return nil, err
		}
		code, err := s.unit(ctx, tx, g, i, one.Geometry)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("sketch_add"), n.ID, incident, one.Kind, one.Name, one.Note, geo.Shape{Geometry: one.Geometry}, one.ValidFrom, one.ValidTo, code); err != nil {
			return nil, err
		}
		created = true
		return map[string]any{"kind": one.Kind, "name": one.Name}, nil
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		err = conflict("id_taken", "编号已用于另一条记录", "the id was used for another record")
	}
	return k, created, wrap("sketch", err)
}

// Redraw changes a sketch.
func (s *Service) Redraw(ctx context.Context, by auth.By, incident, id string, version int64, p SketchPatch) (Sketch, error) {
	k, err := s.draw(ctx, by, incident, id, "sketch_changed", func(tx pgx.Tx, g auth.Grant, i Incident) (map[string]any, error) {
		one, err := s.held(ctx, tx, incident, id, version)
		if err != nil {
			return nil, err
		}
		for into, v := range map[*string]*string{&one.Kind: p.Kind, &one.Name: p.Name, &one.Note: p.Note} {
			if v != nil {
				*into = *v
			}
		}
		if p.Geometry != nil {
			if one.Geometry, _, err = s.settle(ctx, tx, geo.Scopes{g.Scope()}, p.Geometry, p.FixSwap); err != nil {
				return nil, err
			}
		}
		if p.ValidFrom != nil {
			one.ValidFrom = p.ValidFrom
		}
		if p.ValidTo != nil || p.Open {
			one.ValidTo = p.ValidTo
		}
		if err := s.checkSketch(&one); err != nil {
			return nil, err
		}
		code, err := s.unit(ctx, tx, g, i, one.Geometry)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("sketch_write"), id, incident, one.Kind, one.Name, one.Note, geo.Shape{Geometry: one.Geometry}, one.ValidFrom, one.ValidTo, code); err != nil {
			return nil, err
		}
		return map[string]any{"kind": one.Kind, "name": one.Name, "valid_to": one.ValidTo}, nil
	})
	return k, wrap("sketch", err)
}

// Erase takes a sketch away; the history keeps it.
func (s *Service) Erase(ctx context.Context, by auth.By, incident, id string, version int64) error {
	_, err := s.draw(ctx, by, incident, id, "sketch_erased", func(tx pgx.Tx, _ auth.Grant, _ Incident) (map[string]any, error) {
		one, err := s.held(ctx, tx, incident, id, version)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("sketch_remove"), id, incident); err != nil {
			return nil, err
		}
		return map[string]any{"kind": one.Kind, "name": one.Name}, nil
	})
	return wrap("sketch", err)
}

// held reads a sketch that is going to change.
func (s *Service) held(ctx context.Context, tx pgx.Tx, incident, id string, version int64) (Sketch, error) {
	if !records.IsID(id) {
		return Sketch{}, auth.ErrNotFound
	}
	if _, err := tx.Exec(ctx, s.queries.Get("sketch_lock"), id, incident); err != nil {
		return Sketch{}, err
	}
	list, err := s.sketches(ctx, tx, incident, id)
	if err != nil {
		return Sketch{}, err
	}
	if len(list) == 0 {
		return Sketch{}, auth.ErrNotFound
	}
	if list[0].Version != version {
		return Sketch{}, auth.ErrStaleVersion
	}
	return list[0], nil
}
