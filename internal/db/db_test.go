package db_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
)

func open(t *testing.T, opts db.Options) *db.DB {
	t.Helper()
	opts.DSN = pgtest.Database(t).App
	d, err := db.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestClaimsLiveForOneTransaction(t *testing.T) {
	d := open(t, db.Options{QueryConns: 1})
	read, err := geo.ParseScopes("990100")
	if err != nil {
		t.Fatal(err)
	}
	claims := db.Claims{Actor: "王一", Role: "viewer", Reach: db.NewReach(db.Areas{Internal: read})}
	var actor, areas string
	ask := func(c db.Claims) error {
		return d.Query.Ask(t.Context(), c, `select current_setting('app.actor'), current_setting('app.read')`, nil, func(rows pgx.Rows) error {
			for rows.Next() {
				if err := rows.Scan(&actor, &areas); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := ask(claims); err != nil {
		t.Fatal(err)
	}
	if actor != "王一" || areas != "{[1990100000000000,1990100999999999]}" {
		t.Errorf("claims inside: %q %q", actor, areas)
	}
	// The same connection without claims must not remember the last asker's.
	err = d.Query.Hold(t.Context(), func(c *pgx.Conn) error {
		return c.QueryRow(t.Context(), `select current_setting('app.actor')`).Scan(&actor)
	})
	if err != nil || actor != "" {
		t.Errorf("after the transaction: %q, %v; want empty", actor, err)
	}
}

func TestPoolsAreSeparateAndBounded(t *testing.T) {
	// The wait is also for a connection that has to be opened first.
	d := open(t, db.Options{QueryConns: 1, IntakeConns: 1, AcquireWait: time.Second})
	err := d.Query.Hold(t.Context(), func(*pgx.Conn) error {
		if err := d.Query.Hold(t.Context(), func(*pgx.Conn) error { return nil }); !errors.Is(err, db.ErrBusy) {
			t.Errorf("second use of a full pool: %v, want ErrBusy", err)
		}
		return d.Intake.Hold(t.Context(), func(*pgx.Conn) error { return nil })
	})
	if err != nil {
		t.Errorf("intake while the query pool is full: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Query.Hold(cancelled, func(*pgx.Conn) error { return nil }); errors.Is(err, db.ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v, want context.Canceled", err)
	}
}

func TestQueryPoolIsReadOnly(t *testing.T) {
	d := open(t, db.Options{})
	err := d.Query.Hold(t.Context(), func(c *pgx.Conn) error {
		_, err := c.Exec(t.Context(), `insert into hazards (name) values ('x')`)
		return err
	})
	if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "25006" {
		t.Errorf("a write through the query pool: %v, want 25006", err)
	}
}

// TestCancelKeepsTheConnection: an abandoned query ends in the server and costs no
// reconnect.
func TestCancelKeepsTheConnection(t *testing.T) {
	d := open(t, db.Options{QueryConns: 1})
	var before, after uint32
	pid := func(into *uint32) error {
		return d.Query.Hold(t.Context(), func(c *pgx.Conn) error { *into = c.PgConn().PID(); return nil })
	}
	if err := pid(&before); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := d.Query.Hold(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `select pg_sleep(30)`)
		return err
	})
	if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "57014" {
		t.Errorf("cancelled query: %v, want 57014", err)
	}
	if err := pid(&after); err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Errorf("backend %d became %d: the cancel cost a reconnect", before, after)
	}
}

func TestTxRollsBack(t *testing.T) {
	d := open(t, db.Options{})
	boom := errors.New("boom")
	err := d.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `insert into hazards (name) values ('gone')`); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	err = d.Intake.Tx(t.Context(), db.System("陈录入"), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into hazards (name) values ('kept')`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var names, actor string
	err = d.Query.Ask(t.Context(), db.System("test"), `select string_agg(name, ','), min(recorded_by) from hazards`, nil, func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&names, &actor}, func() error { return nil })
		return err
	})
	if err != nil || names != "kept" || actor != "陈录入" {
		t.Errorf("rows %q by %q, %v", names, actor, err)
	}
}

func TestQueriesAreNamedOnce(t *testing.T) {
	for _, c := range []struct {
		name, body string
		ok         bool
	}{
		{"two blocks", "head\n-- name: a\nselect 1\n-- name: b\nselect 2\n", true},
		{"the same name", "-- name: a\nselect 1\n-- name: a\nselect 2\n", false},
		{"an empty block", "-- name: a\n-- name: b\nselect 2\n", false},
	} {
		q, err := db.LoadQueries(fstest.MapFS{"q/x.sql": {Data: []byte(c.body)}}, "q")
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.ok && (q.Get("a") != "select 1" || q.Get("b") != "select 2") {
			t.Errorf("%s: %v", c.name, q)
		}
	}
}
