package shelters_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/shelters"
)

// Two counties with a shelter each: 100 places in the first, 10 in the second.
const (
	countyA, gridA = "990100", "990100101001001"
	countyB, gridB = "990200", "990200101001001"
	shelterA       = "01900000-0000-7000-b000-0000000000a1"
	shelterB       = "01900000-0000-7000-b000-0000000000b1"
	unknownSize    = "01900000-0000-7000-b000-0000000000a2" // open, and nobody knows how many it holds
)

type house struct {
	t     *testing.T
	dsn   pgtest.DSNs
	db    *db.DB
	s     *shelters.Service
	conn  *pgx.Conn // as the program itself
	clock atomic.Int64
	n     int
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t)}
	h.conn = pgtest.Writer(t, h.dsn.App)
	for _, sql := range []string{
		`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`,
		`insert into shelters (id, name, admin_code, state, capacity, occupancy, geom) values
		 ('` + shelterA + `', '一中', '` + gridA + `', 'open', 100, 0, st_setsrid(st_makepoint(119.1, 34.1), 4490)),
		 ('` + unknownSize + `', '广场', '` + gridA + `', 'open', null, null, st_setsrid(st_makepoint(119.12, 34.1), 4490)),
		 ('` + shelterB + `', '二中', '` + gridB + `', 'open', 10, 4, st_setsrid(st_makepoint(120.1, 34.1), 4490))`,
	} {
		if _, err := h.conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: h.dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	reg, err := registry.Open(t.Context(), h.db.Query)
	if err != nil {
		t.Fatal(err)
	}
	if h.s, err = shelters.Open(shelters.Options{DB: h.db, Catalogue: reg, Now: func() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }}); err != nil {
		t.Fatal(err)
	}
	return h
}

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

func newID(n int) string { return fmt.Sprintf("01900000-0000-7000-a000-%012d", n) }

func (h *house) get(by auth.By, id string) shelters.Shelter {
	h.t.Helper()
	s, err := h.s.Shelter(h.t.Context(), by.Identity, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func clash(err error) string {
	if c := new(auth.Conflict); errors.As(err, &c) {
		return c.Code
	}
	return ""
}
