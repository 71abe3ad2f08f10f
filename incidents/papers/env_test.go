package papers_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/papers"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// Two counties, with a township each.
const countyA, countyB = "990100", "990200"

type house struct {
	t     *testing.T
	dsn   pgtest.DSNs
	db    *db.DB
	s     *papers.Service
	clock atomic.Int64 // added to now, ns
	n     int
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t)}
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: h.dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	reg, err := registry.Open(t.Context(), h.db.Query)
	if err != nil {
		t.Fatal(err)
	}
	if h.s, err = papers.Open(papers.Options{DB: h.db, Catalogue: reg, Now: h.now}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

// as is somebody with one grant.
func (h *house) as(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	id := &auth.Identity{Kind: auth.Session, Account: account, Username: name, Name: name + "姓名", ID: "s", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id, Request: "test"}
}

func (h *house) newID() string {
	h.n++
	return fmt.Sprintf("01900000-0000-7000-a000-%012d", h.n)
}

// refused names what a call was refused with.
func refused(err error) string {
	if c := new(auth.Conflict); errors.As(err, &c) {
		return c.Code
	}
	if i := new(auth.Invalid); errors.As(err, &i) {
		return i.Items[0].Path + " " + i.Items[0].Code
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, auth.ErrForbidden):
		return "forbidden"
	case errors.Is(err, auth.ErrNotFound):
		return "not found"
	case errors.Is(err, auth.ErrStaleVersion):
		return "stale"
	}
	return err.Error()
}

func TestQueriesFitTheSchema(t *testing.T) {
	h := open(t)
	q, err := papers.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, h.dsn.App)); err != nil {
		t.Error(err)
	}
}

func execs(sql string) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), sql)
		return err
	}
}
