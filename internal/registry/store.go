package registry

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

//go:embed queries/*.sql
var files embed.FS

// Registry gives the present snapshot and loads the next.
type Registry struct {
	pool    *db.Pool
	queries db.Queries
	now     atomic.Pointer[Snapshot]
}

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Open loads the first snapshot.
func Open(ctx context.Context, pool *db.Pool) (*Registry, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	r := &Registry{pool: pool, queries: q}
	if err := r.Reload(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Now is the present snapshot. Ask once per request and keep it: two calls may
// see two versions.
func (r *Registry) Now() *Snapshot { return r.now.Load() }

// Reload reads everything in one read-only snapshot and swaps it in.
func (r *Registry) Reload(ctx context.Context) error {
	s := &Snapshot{
		LoadedAt:  time.Now(),
		CodeLists: map[string]*CodeList{},
		Rules:     map[string]RuleSet{},
		Settings:  map[string]json.RawMessage{},
		byID:      map[string]*Layer{},
	}
	err := r.pool.Hold(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			for name, read := range r.readers(s) {
				rows, err := tx.Query(ctx, r.queries.Get(name))
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				for rows.Next() {
					if err := read(rows); err != nil {
						rows.Close()
						return fmt.Errorf("%s: %w", name, err)
					}
				}
				if err := rows.Err(); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("registry: load: %w", err)
	}
	r.now.Store(s)
	return nil
}

// readers pairs each statement with what its rows become, parents first.
func (r *Registry) readers(s *Snapshot) func(func(string, func(pgx.Rows) error) bool) {
	steps := []struct {
		name string
		read func(pgx.Rows) error
	}{
		{"themes", func(rows pgx.Rows) error {
			var t Theme
			err := rows.Scan(&t.ID, &t.Title.ZH, &t.Title.EN)
			s.Themes = append(s.Themes, t)
			return err
		}},
		{"layers", func(rows pgx.Rows) error {
			l := &Layer{}
			err := rows.Scan(&l.ID, &l.Title.ZH, &l.Title.EN, &l.Theme, &l.Geometry, &l.Own, &l.Schema, &l.Table,
				&l.IDColumn, &l.FIDColumn, &l.GeomColumn, &l.SRID, &l.ScopeColumn,
				&l.LabelField, &l.LevelField, &l.KindField, &l.Ladder, &l.LadderBy,
				&l.TimeKind, &l.TimeFrom, &l.TimeTo, &l.ShownField, &l.OrderBy,
				&l.Symbol, &l.MinZoom, &l.MaxZoom, &l.Visibility, &l.DefaultVisible, &l.ShapesTable)
			s.Layers = append(s.Layers, l)
			s.byID[l.ID] = l
			return err
		}},
		{"fields", func(rows pgx.Rows) error {
			var layer string
			var f Field
			if err := rows.Scan(&layer, &f.Name, &f.Type, &f.Title.ZH, &f.Title.EN, &f.Unit, &f.UnitEN, &f.CodeList,
				&f.Tile, &f.Filter, &f.Form, &f.Export, &f.MinZoom); err != nil {
				return err
			}
			if l, ok := s.byID[layer]; ok {
				l.Fields = append(l.Fields, f)
			}
			return nil
		}},
		{"code_lists", func(rows pgx.Rows) error {
			c := &CodeList{}
			err := rows.Scan(&c.ID, &c.Ladder, &c.Title.ZH, &c.Title.EN, &c.Standard, &c.Verified)
			s.CodeLists[c.ID] = c
			return err
		}},
		{"code_items", func(rows pgx.Rows) error {
			var list string
			var it CodeItem
			if err := rows.Scan(&list, &it.Code, &it.Title.ZH, &it.Title.EN, &it.Parent, &it.Level, &it.Mark.ZH, &it.Mark.EN,
				&it.Color, &it.ColorDark, &it.Texture, &it.PrintColor); err != nil {
				return err
			}
			s.CodeLists[list].Items = append(s.CodeLists[list].Items, it)
			return nil
		}},
		{"rules", func(rows pgx.Rows) error {
			var rs RuleSet
			err := rows.Scan(&rs.Rule, &rs.Version, &rs.Title.ZH, &rs.Title.EN, &rs.Standard, &rs.Body, &rs.Verified)
			s.Rules[rs.Rule] = rs
			return err
		}},
		{"settings", func(rows pgx.Rows) error {
			var key string
			var value json.RawMessage
			err := rows.Scan(&key, &value)
			s.Settings[key] = value
			return err
		}},
		{"aliases", func(rows pgx.Rows) error {
			var a Alias
			err := rows.Scan(&a.AdminCode, &a.Alias, &a.Kind)
			s.Aliases = append(s.Aliases, a)
			return err
		}},
	}
	return func(yield func(string, func(pgx.Rows) error) bool) {
		for _, st := range steps {
			if !yield(st.name, st.read) {
				return
			}
		}
	}
}
