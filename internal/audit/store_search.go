package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"onemap/internal/db"
)

// Search gives the entries an auditor may read (claims of [Reading]), newest first.
func (l *Log) Search(ctx context.Context, claims db.Claims, q Query) (Page, error) {
	before, err := q.before()
	if err != nil {
		return Page{}, err
	}
	var page Page
	limit := q.limit()
	if err := l.ask(ctx, l.db.Query, claims, q, before, limit+1, func(r Row) error {
		page.Rows = append(page.Rows, r)
		return nil
	}); err != nil {
		return Page{}, err
	}
	if len(page.Rows) > limit {
		page.Rows = page.Rows[:limit]
		page.Next = formatCursor(page.Rows[limit-1].Seq)
	}
	var settled int64
	var above pgtype.Multirange[pgtype.Range[int64]]
	err = l.db.Query.Hold(ctx, func(conn *pgx.Conn) error {
		var at *time.Time
		if err := conn.QueryRow(ctx, l.queries.Get("head")).Scan(&page.Head.No, &page.Head.Hash, &at, &page.Head.Entries); err != nil {
			return err
		}
		if at != nil {
			page.Head.At = *at
		}
		return conn.QueryRow(ctx, l.queries.Get("sealed_above")).Scan(&settled, &above)
	})
	if err != nil {
		return Page{}, fmt.Errorf("audit: seals: %w", err)
	}
	for i := range page.Rows {
		r := &page.Rows[i]
		r.Sealed = r.Seq <= settled
		for _, s := range above {
			r.Sealed = r.Sealed || (r.Seq >= s.Lower && r.Seq < s.Upper)
		}
	}
	return page, nil
}

func (l *Log) ask(ctx context.Context, pool *db.Pool, claims db.Claims, q Query, before *int64, limit int, fn func(Row) error) error {
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	args := []any{before, moment(q.From), moment(q.To), q.Actor, q.Action, q.Object, q.Outcome, q.Text, limit}
	err := pool.Ask(ctx, claims, l.queries.Get("search"), args, func(rows pgx.Rows) error {
		for rows.Next() {
			var r Row
			var xid string
			var first, last *int64
			if err := rows.Scan(&r.Seq, &r.At, &xid, &r.Request, &r.Account, &r.Actor, &r.Name, &r.Role, &r.Grant, &r.Kind, &r.Session, &r.Peer,
				&r.Action, &r.Object, &r.Area, &r.Reason, &r.Outcome, &r.Before, &r.After, &first, &last, &r.Hash); err != nil {
				return err
			}
			if first != nil && last != nil {
				r.First, r.Last = fmt.Sprintf("%s.%d", xid, *first), fmt.Sprintf("%s.%d", xid, *last)
			}
			if err := fn(r); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("audit: search: %w", err)
	}
	return nil
}
