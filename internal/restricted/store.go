package restricted

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/db"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Store reads people's data.
type Store struct {
	pool    *db.Pool
	queries db.Queries
}

// Open makes the store. It uses the intake pool: somebody who must reach a person does
// not wait behind tiles.
func Open(d *db.DB) (*Store, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	return &Store{pool: d.Intake, queries: q}, nil
}

// List shows what the claims may read, masked, by id. That somebody looked is recorded.
func (s *Store) List(ctx context.Context, claims db.Claims, f Filter) ([]Entry, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	opt := func(t string) *string {
		if t == "" {
			return nil
		}
		return &t
	}
	var out []Entry
	err := s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("list"), opt(f.Area), opt(f.Layer), opt(f.Feature), opt(f.After), min(limit, 500))
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
			var from, to *time.Time
			err = row.Scan(&e.ID, &e.Kind, &e.Area, &e.Layer, &e.Feature, &e.Role, &e.Unit, &e.Post, &e.Person, &e.DeputyPost, &e.Deputy, &from, &to, &e.Fields)
			if from != nil {
				e.From = *from
			}
			if to != nil {
				e.To = *to
			}
			return e, err
		})
		if err != nil {
			return err
		}
		object := "contacts"
		if f.Feature != "" {
			object = "contacts/" + f.Layer + "/" + f.Feature
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: f.Doer, Action: "restricted.list", Object: object, Area: f.Area, After: map[string]int{"shown": len(out)}})
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "22023" {
		return nil, ErrInvalid // an area of a length no code has
	}
	if err != nil {
		return nil, fmt.Errorf("restricted: list: %w", err)
	}
	return out, nil
}

// Reveal shows one entry in clear. claims are those of the one grant that lets the doer:
// the entry lies inside Write, the area it reads, and not only across it. The audit, with the reason, is committed first: whoever breaks
// off between the two has left his name and seen nothing.
func (s *Store) Reveal(ctx context.Context, claims db.Claims, doer audit.Doer, id, reason string) (map[string]string, error) {
	reason, err := sayable(reason)
	if err != nil {
		return nil, err
	}
	if !uuidText.MatchString(id) {
		return nil, ErrNotFound
	}
	if doer.Actor == "" {
		doer.Actor = claims.Actor
	}
	var permit *string
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("ask"), id, audit.Clip(reason), doer.Request, doer.Account, doer.Actor, doer.Role, doer.Grant, doer.Kind, doer.Session, doer.Peer).Scan(&permit)
	})
	if err != nil {
		return nil, fmt.Errorf("restricted: ask: %w", err)
	}
	if permit == nil {
		return nil, ErrNotFound
	}
	var fields map[string]string
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("reveal"), *permit).Scan(&fields)
	})
	if err != nil {
		return nil, fmt.Errorf("restricted: reveal: %w", err)
	}
	if fields == nil {
		return nil, ErrNotFound
	}
	return fields, nil
}
