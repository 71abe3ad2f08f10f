package demostore_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/demo"
	"onemap/internal/demo/demostore"
	"onemap/internal/pgtest"
)

// TestCommandComesAndGoes: the real county's plans and its response are told, told again a
// day later they are of that day, and nothing of it stays.
func TestCommandComesAndGoes(t *testing.T) {
	dsn := pgtest.Database(t)
	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	s, err := demostore.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	whole := demo.Generate(demo.Options{Seed: 1, Now: now})
	c := &demo.County{Options: whole.Options, Command: whole.Command, Field: demo.FieldWork{Notices: whole.Field.Notices}}
	if err := s.Begin(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	conn := pgtest.Writer(t, dsn.App)
	counts := func() map[string]int {
		out := map[string]int{}
		for name, sql := range map[string]string{
			"plans": "select count(*) from contingencies", "clauses": "select count(*) from contingency_clauses", "active": "select count(*) from response where state = 'active' and started_at > now() - interval '1 day'",
			"acts": "select count(*) from response_act", "tasks": "select count(*) from response_tasks", "papers": "select count(*) from papers where state = 'reported'", "seats": "select count(*) from duty_sitting where until is null",
		} {
			var n int
			if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			out[name] = n
		}
		return out
	}
	first := counts()
	if first["plans"] < 12 || first["clauses"] < 35 || first["active"] != 1 || first["acts"] != 2 || first["tasks"] < 8 || first["papers"] != 1 || first["seats"] != 1 {
		t.Errorf("%v", first)
	}
	// A person answered a task meanwhile: it goes with its response, and a told one stays.
	if err := d.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `update response_tasks set state = 'done', acknowledged_at = coalesce(acknowledged_at, now()), done_at = now() where state in ('waiting', 'acknowledged')`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var id string
	if err := conn.QueryRow(t.Context(), `select id::text from dataset where demo`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := s.Renew(t.Context(), id, c); err != nil {
		t.Fatal(err)
	}
	if again := counts(); again["tasks"] != first["tasks"] || again["active"] != 1 || again["acts"] != 2 {
		t.Errorf("told again: %v", again)
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, n := range counts() {
		if n != 0 {
			t.Errorf("%d %s stay", n, name)
		}
	}
}
