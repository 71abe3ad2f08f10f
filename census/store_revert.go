package census

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

type importInfo struct {
	dataset [16]byte
	name    string
	state   string
	layers  []string
}

func (s *store) importInfo(ctx context.Context, id string) (importInfo, error) {
	var i importInfo
	var layers []string
	err := s.pool.QueryRow(ctx, s.fixed.Get("import_get"), id).Scan(&i.dataset, &i.state, &layers, &i.name)
	if errors.Is(err, pgx.ErrNoRows) {
		return i, fmt.Errorf("%w: there is no such import", ErrNotRevertible)
	}
	if err != nil {
		return i, fmt.Errorf("census: %w", err)
	}
	// Of a run that broke off the layers are not written down; its changes tell.
	err = s.rows(ctx, "import_layers", []any{id}, func(r pgx.Rows) error {
		var l string
		if err := r.Scan(&l); err != nil {
			return err
		}
		i.layers = append(i.layers, l)
		return nil
	})
	return i, err
}

// revertLayer walks the changes of a run in one layer, chunk by chunk.
func (s *store) revertLayer(ctx context.Context, id string, dataset [16]byte, l *layerInfo, actor string, out *Reverted) error {
	columns := l.allColumns()
	inserted := s.layerSQL("revert_inserted", l, columns, "h")
	updated := s.layerSQL("revert_updated", l, columns, "h")
	deleted := s.layerSQL("revert_deleted", l, columns, "h")
	left := s.layerSQL("revert_left", l, columns, "h")
	var after [16]byte
	for {
		n := 0
		err := s.tx(ctx, actor, func(tx pgx.Tx) error {
			if err := chunkSettings(ctx, tx, "30s"); err != nil {
				return err
			}
			ops := map[string][][16]byte{}
			rows, err := tx.Query(ctx, s.fixed.Get("revert_next"), id, l.id, after, firstChunk)
			if err != nil {
				return err
			}
			var feature [16]byte
			var op string
			if _, err := pgx.ForEachRow(rows, []any{&feature, &op}, func() error {
				ops[op] = append(ops[op], feature)
				after = feature
				n++
				return nil
			}); err != nil || n == 0 {
				return err
			}
			for _, step := range []struct {
				op, sql string
				count   *int64
			}{{"I", inserted, &out.Removed}, {"U", updated, &out.Restored}, {"D", deleted, &out.Returned}} {
				if len(ops[step.op]) == 0 {
					continue
				}
				rows, err := tx.Query(ctx, step.sql, id, l.id, ops[step.op])
				if err != nil {
					return err
				}
				done, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
				if err != nil {
					return err
				}
				*step.count += int64(len(done))
				if step.op == "I" {
					if _, err := tx.Exec(ctx, s.fixed.Get("restricted_forget"), l.id, done); err != nil {
						return err
					}
				}
				if _, err := tx.Exec(ctx, s.fixed.Get("revert_keys"), id, l.id, dataset, done); err != nil {
					return err
				}
				if err := s.keptRows(ctx, tx, left, id, l.id, without(ops[step.op], done), out); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

func (s *store) keptRows(ctx context.Context, tx pgx.Tx, sql, id, layer string, features [][16]byte, out *Reverted) error {
	if len(features) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sql, id, layer, features)
	if err != nil {
		return err
	}
	k := Kept{Layer: layer}
	_, err = pgx.ForEachRow(rows, []any{&k.Key, &k.Name}, func() error {
		out.Kept = append(out.Kept, k)
		return nil
	})
	return err
}

func without(all, done [][16]byte) [][16]byte {
	gone := make(map[[16]byte]bool, len(done))
	for _, d := range done {
		gone[d] = true
	}
	var out [][16]byte
	for _, a := range all {
		if !gone[a] {
			out = append(out, a)
		}
	}
	return out
}

func (s *store) findDataset(ctx context.Context, name string) (id [16]byte, err error) {
	err = s.pool.QueryRow(ctx, s.fixed.Get("dataset_find"), name).Scan(&id)
	return id, err
}

func (s *store) removeChunk(ctx context.Context, l *layerInfo, dataset [16]byte, actor string) (int64, error) {
	var n int64
	err := s.tx(ctx, actor, func(tx pgx.Tx) error {
		if err := chunkSettings(ctx, tx, "30s"); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, s.layerSQL("remove", l, nil, "f"), dataset, maxChunk)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// Issues reads everything a run had to say, in order.
func (im *Importer) Issues(ctx context.Context, importID string, each func(Issue) error) error {
	return im.store.rows(ctx, "import_issues", []any{importID}, func(r pgx.Rows) error {
		var i Issue
		var kind string
		var place geo.Shape
		if err := r.Scan(&i.File, &i.Row, &i.Key, &i.Rule, &kind, &i.Path, &i.Message, &place, &i.Original); err != nil {
			return err
		}
		i.Kind = Kind(kind)
		if p, ok := place.Geometry.(orb.Point); ok {
			i.At = &p
		}
		return each(i)
	})
}
