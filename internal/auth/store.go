package auth

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/netip"
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

// store is the only place of this package that knows the driver.
type store struct {
	db *db.DB
	q  db.Queries
}

func newStore(d *db.DB) (*store, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	return &store{db: d, q: q}, nil
}

// version is the row every node polls.
type version struct {
	rights, sessions, epoch int64
	done                    bool
}

// conn is a connection the service keeps for itself, or one held for a moment.
type conn struct {
	*pgx.Conn

	q db.Queries
}

func (s *store) connect(ctx context.Context) (*conn, error) {
	c, err := s.db.Connect(ctx, "auth")
	if err != nil {
		return nil, err
	}
	return &conn{c, s.q}, nil
}

func (s *store) hold(ctx context.Context, fn func(*conn) error) error {
	return s.db.Intake.Hold(ctx, func(c *pgx.Conn) error { return fn(&conn{c, s.q}) })
}

func (c *conn) version(ctx context.Context) (v version, err error) {
	err = c.QueryRow(ctx, c.q.Get("version")).Scan(&v.rights, &v.sessions, &v.epoch, &v.done)
	if err != nil {
		return v, fmt.Errorf("auth: version: %w", err)
	}
	return v, nil
}

// table reads everything in one snapshot.
func (c *conn) table(ctx context.Context, now time.Time) (*table, error) {
	t := newTable()
	err := pgx.BeginTxFunc(ctx, c.Conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, c.q.Get("version")).Scan(&t.version.rights, &t.version.sessions, &t.version.epoch, &t.version.done); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, c.q.Get("people"))
		if err != nil {
			return err
		}
		for rows.Next() {
			p := &person{}
			var changed *time.Time
			if err := rows.Scan(&p.id, &p.username, &p.name, &p.unit, &p.state, &p.password, &changed, &p.factor); err != nil {
				rows.Close()
				return err
			}
			if changed != nil {
				p.changed = *changed
			}
			t.people[p.id] = p
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, c.q.Get("held"), now); err != nil {
			return err
		}
		for rows.Next() {
			var g Grant
			var to *time.Time
			if err := rows.Scan(&g.ID, &g.Account, &g.Role, &g.Area, &g.From, &to); err != nil {
				rows.Close()
				return err
			}
			if to != nil {
				g.To = *to
			}
			if p, ok := t.people[g.Account]; ok {
				p.grants = append(p.grants, g)
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, c.q.Get("live_tokens"), now); err != nil {
			return err
		}
		for rows.Next() {
			k := &token{}
			var hash []byte
			var network *netip.Prefix
			var maker *string
			if err := rows.Scan(&k.id, &hash, &k.name, &k.role, &k.area, &k.scopes, &network, &k.created, &k.expires, &maker); err != nil {
				rows.Close()
				return err
			}
			if network != nil {
				k.network = *network
			}
			if maker != nil {
				k.maker = *maker
			}
			t.tokens[key(hash)] = k
			t.tokensByID[k.id] = k
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("auth: load: %w", err)
	}
	return t, nil
}

// findSession reads a session that has not ended, and the version of sessions it was
// read at.
func (c *conn) findSession(ctx context.Context, k key) (*session, int64, error) {
	s := &session{key: k}
	var account, token *string
	var seen time.Time
	var at int64
	err := c.QueryRow(ctx, c.q.Get("find_session"), k[:]).Scan(&s.id, &account, &token, &s.kind, &s.device, &s.verified, &s.created, &seen, &s.expires, &at, &s.rights)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("auth: session: %w", err)
	}
	if account != nil {
		s.account = *account
	}
	if token != nil {
		s.token = *token
	}
	s.seen.Store(seen.UnixNano())
	s.flushed.Store(seen.UnixNano())
	return s, at, nil
}

// movedSessions are those that ended or were verified.
func (c *conn) movedSessions(ctx context.Context, keys [][]byte, fn func(k key, ended, verified bool)) error {
	rows, err := c.Query(ctx, c.q.Get("moved_sessions"), keys)
	if err != nil {
		return fmt.Errorf("auth: sessions: %w", err)
	}
	var hash []byte
	var ended, verified bool
	if _, err := pgx.ForEachRow(rows, []any{&hash, &ended, &verified}, func() error {
		fn(key(hash), ended, verified)
		return nil
	}); err != nil {
		return fmt.Errorf("auth: sessions: %w", err)
	}
	return nil
}

// flush writes when sessions and tokens were last seen.
func (c *conn) flush(ctx context.Context, hashes [][]byte, seen []time.Time, tokens []string, used []time.Time) error {
	var b pgx.Batch
	if len(hashes) > 0 {
		b.Queue(c.q.Get("seen"), hashes, seen)
	}
	if len(tokens) > 0 {
		b.Queue(c.q.Get("token_used"), tokens, used)
	}
	if b.Len() == 0 {
		return nil
	}
	if err := c.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("auth: last seen: %w", err)
	}
	return nil
}

func (c *conn) tidy(ctx context.Context) error {
	_, err := c.Exec(ctx, c.q.Get("tidy"))
	return err
}

// work is one transaction of somebody.
type work struct {
	ctx context.Context
	tx  pgx.Tx
	q   db.Queries
	by  By
	now time.Time
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

// do runs a statement and says how many rows it touched.
func (w *work) do(name string, args ...any) (int64, error) {
	tag, err := w.tx.Exec(w.ctx, w.q.Get(name), args...)
	if err != nil {
		return 0, meaning(name, err)
	}
	return tag.RowsAffected(), nil
}

// one reads a row; false when there is none.
func (w *work) one(dest []any, name string, args ...any) (bool, error) {
	err := w.tx.QueryRow(w.ctx, w.q.Get(name), args...).Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, meaning(name, err)
	}
	return true, nil
}

// all reads every row.
func (w *work) all(read func(scanner) error, name string, args ...any) error {
	rows, err := w.tx.Query(w.ctx, w.q.Get(name), args...)
	if err != nil {
		return meaning(name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return meaning(name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return meaning(name, err)
	}
	return nil
}

// record writes the audit; the last thing of a transaction.
func (w *work) record(e audit.Entry) error { return audit.Record(w.ctx, w.tx, e) }

// transact runs fn in a transaction and once more where the database gave it up for
// another's sake: fn must be able to run again.
func (s *store) transact(ctx context.Context, pool *db.Pool, by By, claims db.Claims, now time.Time, fn func(*work) error) error {
	for try := 0; ; try++ {
		err := pool.Tx(ctx, claims, func(tx pgx.Tx) error {
			return fn(&work{ctx: ctx, tx: tx, q: s.q, by: by, now: now})
		})
		if pg := new(pgconn.PgError); errors.As(err, &pg) {
			switch pg.Code {
			case "40001", "40P01": // serialisation, deadlock
				if try < 3 {
					continue
				}
				return fmt.Errorf("%w: %w", ErrBusy, err)
			case "55P03": // lock_timeout
				return fmt.Errorf("%w: %w", ErrBusy, err)
			}
		}
		return err
	}
}

// meaning turns what a constraint refused into what the caller is told.
func meaning(name string, err error) error {
	pg := new(pgconn.PgError)
	if !errors.As(err, &pg) {
		return fmt.Errorf("auth: %s: %w", name, err)
	}
	switch pg.ConstraintName {
	case "account_username_key":
		return conflict("username_taken", "用户名已被使用", "the user name is taken")
	case "role_grant_not_to_himself":
		return conflict("self_grant", "不能给自己授权", "nobody grants to himself")
	case "role_grant_separated":
		return conflict("separation_of_duties", "系统管理员、安全管理员、审计员三员分立，一人只能任其一", "a person holds one of system administrator, security administrator and auditor")
	case "role_grant_once":
		return conflict("grant_exists", "该人员在该区域已有同一角色", "the person holds this role over this area already")
	case "role_grant_last":
		return conflict("last_holder", "这是最后一名可用的管理员，须先有接任者", "the last active holder of the role; appoint another first")
	case "role_grant_not_active":
		return notActive()
	case "role_grant_disabled":
		return conflict("account_disabled", "账号已停用", "the account is disabled")
	case "account_not_himself":
		return conflict("self_disable", "不能停用自己", "nobody disables himself")
	case "ended_is_final", "role_grant_final":
		return conflict("ended", "已结束", "it has ended already")
	case "setup_done_pkey":
		return ErrSetupDone
	}
	return fmt.Errorf("auth: %s: %w", name, err)
}
