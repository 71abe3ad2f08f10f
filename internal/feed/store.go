package feed

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/paulmach/orb"

	"onemap/internal/db"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

type store struct{ q db.Queries }

func newStore() (*store, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	return &store{q: q}, nil
}

// Notify wakes the readers of all processes. Send it after the commit, never
// inside the write transaction.
func Notify(ctx context.Context, pool *db.Pool) error {
	return pool.Hold(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `select pg_notify('onemap_feed', '')`)
		return err
	})
}

func (s *store) start(ctx context.Context, conn *pgx.Conn) (State, error) {
	var st State
	var id pgtype.UUID
	err := conn.QueryRow(ctx, s.q.Get("start")).Scan(&id, &st.Horizon, &st.Position.Xid, &st.Position.Seq)
	if err != nil {
		return State{}, fmt.Errorf("feed: find the end: %w", err)
	}
	st.FeedID, st.ReadAt, st.Connected = id.String(), time.Now(), true
	return st, nil
}

func (s *store) maintain(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, s.q.Get("maintain")); err != nil {
		return fmt.Errorf("feed: partitions: %w", err)
	}
	return nil
}

func (s *store) maintainPool(ctx context.Context, pool *db.Pool) error {
	return pool.Hold(ctx, func(conn *pgx.Conn) error { return s.maintain(ctx, conn) })
}

func (s *store) read(ctx context.Context, conn *pgx.Conn, after Position, limit int) (horizon uint64, changes []Change, err error) {
	rows, err := conn.Query(ctx, s.q.Get("read"), after.Xid, after.Seq, limit)
	if err != nil {
		return 0, nil, fmt.Errorf("feed: read: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(append([]any{&horizon}, r.targets()...)...); err != nil {
			return 0, nil, fmt.Errorf("feed: read: %w", err)
		}
		if r.xid != nil {
			changes = append(changes, r.change())
		}
	}
	if err := rows.Err(); err != nil {
		return 0, nil, fmt.Errorf("feed: read: %w", err)
	}
	return horizon, changes, nil
}

func (s *store) replay(ctx context.Context, pool *db.Pool, after, upTo Position, limit int) (changes []Change, err error) {
	err = pool.Hold(ctx, func(conn *pgx.Conn) error {
		var dropped uint64
		if err := conn.QueryRow(ctx, s.q.Get("dropped")).Scan(&dropped); err != nil {
			return err
		}
		if after.Xid <= dropped && dropped > 0 {
			return ErrReset
		}
		rows, err := conn.Query(ctx, s.q.Get("replay"), after.Xid, after.Seq, upTo.Xid, upTo.Seq, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(r.targets()...); err != nil {
				return err
			}
			changes = append(changes, r.change())
		}
		return rows.Err()
	})
	if err != nil && !errors.Is(err, ErrReset) {
		return nil, fmt.Errorf("feed: replay: %w", err)
	}
	return changes, err
}

func (s *store) holder(ctx context.Context, pool *db.Pool) (age time.Duration, pid int, err error) {
	err = pool.Hold(ctx, func(conn *pgx.Conn) error {
		var seconds float64
		if err := conn.QueryRow(ctx, s.q.Get("holder")).Scan(&seconds, &pid); err != nil {
			return err
		}
		age = time.Duration(max(0, seconds) * float64(time.Second))
		return nil
	})
	return age, pid, err
}

// listen blocks on a connection of its own: waiting with a deadline would send a
// cancel request for every poll.
func (s *store) listen(ctx context.Context, d *db.DB, wake func()) error {
	conn, err := d.Connect(ctx, "feed listen")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `listen onemap_feed`); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		wake()
	}
}

// row is a feed row as it arrives; everything is nullable because the read query
// returns one empty row when nothing is new.
type row struct {
	xid     *uint64
	seq     *int64
	at      *time.Time
	layer   *string
	fid     *int64
	id      pgtype.UUID
	op      *string
	count   *int
	oldBBox []float64
	newBBox []float64
	c       Change
	actor   *string
}

func (r *row) targets() []any {
	return []any{&r.xid, &r.seq, &r.at, &r.layer, &r.fid, &r.id, &r.op, &r.count,
		&r.oldBBox, &r.newBBox, &r.c.OldScope, &r.c.NewScope, &r.actor}
}

func (r *row) change() Change {
	c := r.c
	c.Position = Position{Xid: *r.xid, Seq: *r.seq}
	c.At, c.Layer, c.Op, c.Rows, c.Actor = *r.at, *r.layer, Op((*r.op)[0]), *r.count, *r.actor
	if r.fid != nil {
		c.FID = *r.fid
	}
	c.ID = r.id.Bytes
	c.OldBBox, c.NewBBox = bound(r.oldBBox), bound(r.newBBox)
	return c
}

func bound(b []float64) *orb.Bound {
	if len(b) != 4 {
		return nil
	}
	return &orb.Bound{Min: orb.Point{b[0], b[1]}, Max: orb.Point{b[2], b[3]}}
}
