package audit

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// record is the one statement that runs in other packages' transactions, where no query
// set is at hand.
//
//go:embed queries/record.sql
var record string

// Record writes the entry in the caller's transaction. The database adds time, number,
// the person's name, the hash, and the range of the feed the transaction wrote so far:
// call it last. An error fails the transaction, as it must.
func Record(ctx context.Context, tx pgx.Tx, e Entry) error {
	before, err := value(e.Before)
	if err != nil {
		return err
	}
	after, err := value(e.After)
	if err != nil {
		return err
	}
	outcome := e.Outcome
	if outcome == "" {
		outcome = Done
	}
	if _, err := tx.Exec(ctx, record,
		clip(e.Request, 100), e.Account, clip(e.Actor, 200), e.Role, e.Grant, e.Kind, clip(e.Session, 100), clip(e.Peer, 100),
		e.Action, clip(e.Object, maxObject), e.Area, clip(e.Reason, maxReason), outcome, before, after); err != nil {
		return fmt.Errorf("audit: record %s: %w", e.Action, err)
	}
	return nil
}

func (l *Log) sealOnce(ctx context.Context, limit int) (int64, error) {
	var n *int64
	err := l.db.Bulk.Hold(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, l.queries.Get("seal"), limit).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("audit: seal: %w", err)
	}
	if n == nil {
		return 0, nil
	}
	return *n, nil
}

// Note records an entry in a transaction of its own: for what changes nothing, such as
// an export or an attempt that was refused.
func (l *Log) Note(ctx context.Context, claims db.Claims, e Entry) error {
	return l.db.Intake.Tx(ctx, claims, func(tx pgx.Tx) error { return Record(ctx, tx, e) })
}

// Verify checks the whole chain on a connection of the bulk pool.
func (l *Log) Verify(ctx context.Context) (r Result, err error) {
	err = l.db.Bulk.Hold(ctx, func(conn *pgx.Conn) error {
		r, err = Verify(ctx, conn)
		return err
	})
	return r, err
}
