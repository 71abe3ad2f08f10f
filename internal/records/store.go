package records

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/geo"
	"onemap/internal/sync"
)

// Scan reads the columns every query of records begins with: id, version, state, fields
// (jsonb), geometry, scope, who wrote this version and when.
func Scan(row pgx.CollectableRow) (sync.Record, error) {
	var r sync.Record
	var fields map[string]json.RawMessage
	var shape geo.Shape
	if err := row.Scan(&r.ID, &r.Version, &r.State, &fields, &shape, &r.Scope, &r.By, &r.At); err != nil {
		return sync.Record{}, err
	}
	r.Fields, r.Geometry = fields, shape.Geometry
	for name, v := range fields {
		if Null(v) {
			delete(fields, name)
		}
	}
	return r, nil
}

// One reads one record; [sync.ErrAbsent] where there is none to be seen.
func One(ctx context.Context, tx pgx.Tx, sql string, args ...any) (sync.Record, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return sync.Record{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, Scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return sync.Record{}, sync.ErrAbsent
	}
	return r, err
}

// Locked reads one record, held until the transaction ends where the asker may write it:
// row-level security hides from FOR UPDATE what he may only read.
func Locked(ctx context.Context, tx pgx.Tx, lock, sql, id string) (sync.Record, error) {
	if !IsID(id) {
		return sync.Record{}, sync.ErrAbsent
	}
	if _, err := tx.Exec(ctx, lock, id); err != nil {
		return sync.Record{}, err
	}
	return One(ctx, tx, sql, id)
}

// Attempt runs a statement of a kind under a savepoint. What the schema or the floor
// refuses is a word against the operation, and the transaction goes on.
func Attempt(ctx context.Context, tx pgx.Tx, sql string, args ...any) (int64, error) {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return 0, err
	}
	tag, err := inner.Exec(ctx, sql, args...)
	if err == nil {
		return tag.RowsAffected(), inner.Commit(ctx)
	}
	if undo := inner.Rollback(ctx); undo != nil {
		return 0, errors.Join(err, undo)
	}
	pg := new(pgconn.PgError)
	if !errors.As(err, &pg) {
		return 0, err
	}
	switch {
	case pg.Code == "23505":
		return 0, Reject("id_taken", "/id", "编号已被使用", "the id is in use")
	case pg.Code == "42501":
		return 0, Outside()
	case strings.HasPrefix(pg.Code, "22"), strings.HasPrefix(pg.Code, "23"), pg.Code == "55000":
		return 0, Quarantine("not_storable", "", "内容不能入库", "the content cannot be stored")
	}
	return 0, err
}

// Outside is the word against what lies outside the sender's area.
func Outside() *sync.Refusal {
	return Quarantine("outside_area", "/geometry", "不在您的责任区内", "it is outside your area")
}

// Stamp is a time for a parameter, null where it is zero.
func Stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
