package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/geo"
)

// Claims say on whose behalf a transaction runs. They become settings local to the
// transaction, which triggers record and row-level security reads: app.actor,
// app.role, app.public, app.read, app.sensitive, app.write (int8multirange each) and
// app.demo. Unset claims fail closed.
type Claims struct {
	Actor string
	Role  string
	Reach Reach
	Write geo.Scopes
}

// System are the claims of the program itself: the command line and the jobs.
func System(actor string) Claims {
	return Claims{Actor: actor, Role: "system", Reach: Everything(), Write: geo.Scopes{geo.Everywhere()}}
}

// setClaims is one statement so that it can share a round trip with the query.
const setClaims = `select set_config('app.actor', $1, true), set_config('app.role', $2, true),
	set_config('app.public', $3, true), set_config('app.read', $4, true), set_config('app.sensitive', $5, true),
	set_config('app.write', $6, true), set_config('app.demo', $7, true)`

func (c Claims) args() []any {
	demo := "off"
	if c.Reach.Demo() {
		demo = "on"
	}
	return []any{c.Actor, c.Role, c.Reach.Of(Public).String(), c.Reach.Of(Internal).String(), c.Reach.Of(Sensitive).String(), c.Write.String(), demo}
}

// Queue puts the claims at the head of a batch. A batch without explicit BEGIN is
// one implicit transaction: claims and query cost one round trip and the claims
// vanish at its end.
func (c Claims) Queue(b *pgx.Batch) { b.Queue(setClaims, c.args()...) }

// Ask runs one query under claims in one round trip. fn reads the rows.
func (p *Pool) Ask(ctx context.Context, c Claims, sql string, args []any, fn func(pgx.Rows) error) error {
	return p.Hold(ctx, func(conn *pgx.Conn) error {
		var b pgx.Batch
		c.Queue(&b)
		b.Queue(sql, args...)
		res := conn.SendBatch(ctx, &b)
		defer res.Close()
		if _, err := res.Exec(); err != nil {
			return fmt.Errorf("db: claims: %w", err)
		}
		rows, err := res.Query()
		if err != nil {
			return err
		}
		if err := fn(rows); err != nil {
			rows.Close()
			return err
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		return res.Close()
	})
}

// Reclaim lets the rest of a transaction run on other claims: the grant that an action
// needs is known only once its record is.
func Reclaim(ctx context.Context, tx pgx.Tx, c Claims) error {
	if _, err := tx.Exec(ctx, setClaims, c.args()...); err != nil {
		return fmt.Errorf("db: claims: %w", err)
	}
	return nil
}

// Tx runs fn in one transaction under claims and commits. The context bounds the
// commit too: statement_timeout does not.
func (p *Pool) Tx(ctx context.Context, c Claims, fn func(pgx.Tx) error) error {
	return p.Hold(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, setClaims, c.args()...); err != nil {
				return fmt.Errorf("db: claims: %w", err)
			}
			return fn(tx)
		})
	})
}
