package resources_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/census/resources"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// Two counties with a team and a store each; the first has an incident and two roads.
const (
	countyA, gridA = "990100", "990100101001001"
	countyB, gridB = "990200", "990200101001001"
	teamA, teamB   = "01900000-0000-7000-b000-0000000000a1", "01900000-0000-7000-b000-0000000000b1"
	storeA, storeB = "01900000-0000-7000-b000-0000000000a2", "01900000-0000-7000-b000-0000000000b2"
	incidentA      = "01900000-0000-7000-b000-0000000000a3"
)

type house struct {
	t     *testing.T
	dsn   pgtest.DSNs
	db    *db.DB
	s     *resources.Service
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
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.code, v.rank, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		 from (values ('990100', 3, 119.0, 0.5), ('990200', 3, 120.0, 0.5)) v(code, rank, x, w)`,
		`insert into teams (id, name, admin_code, kind, state, geom) values
		 ('` + teamA + `', '县救援队', '` + countyA + `', 'comprehensive', 'standby', st_setsrid(st_makepoint(119.1, 34.1), 4490)),
		 ('` + teamB + `', '邻县救援队', '` + countyB + `', 'comprehensive', 'standby', st_setsrid(st_makepoint(120.1, 34.1), 4490))`,
		`insert into warehouses (id, name, admin_code, grade, geom) values
		 ('` + storeA + `', '县储备库', '` + countyA + `', 'county', st_setsrid(st_makepoint(119.1, 34.11), 4490)),
		 ('` + storeB + `', '邻县储备库', '` + countyB + `', 'county', st_setsrid(st_makepoint(120.1, 34.11), 4490))`,
		`insert into incidents (id, name, admin_code, state, place, geom) values ('` + incidentA + `', '滑坡', '` + gridA + `', 'received', '东村', st_setsrid(st_makepoint(119.2, 34.2), 4490))`,
		`insert into roads (name, ref, admin_code, class, geom) values
		 ('国道', 'G990', '` + countyA + `', 'national', st_setsrid(st_makeline(st_makepoint(119.0, 34.3), st_makepoint(119.4, 34.3)), 4490)),
		 ('村道', 'C1', '` + countyA + `', 'village', st_setsrid(st_makeline(st_makepoint(119.0, 34.4), st_makepoint(119.4, 34.4)), 4490))`,
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
	if h.s, err = resources.Open(resources.Options{DB: h.db, Catalogue: reg, Now: func() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }}); err != nil {
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

func clash(err error) string {
	if c := new(auth.Conflict); errors.As(err, &c) {
		return c.Code
	}
	return ""
}
