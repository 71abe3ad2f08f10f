package sensing_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/sensing"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/poll"
	"onemap/internal/registry"
)

// Two counties; a village in the first, with a rain gauge and a river gauge.
const (
	countyA, townA, villageA = "990100", "990100101", "990100101001"
	countyB                  = "990200"
	villageA2                = "990100101002"
	rainA                    = "01900000-0000-7000-b000-000000000001"
	riverA                   = "01900000-0000-7000-b000-000000000002"
	rainB                    = "01900000-0000-7000-b000-000000000003"
	rainA2                   = "01900000-0000-7000-b000-000000000004"
)

type house struct {
	t     testing.TB
	db    *db.DB
	admin *pgx.Conn
	s     *sensing.Service
	reg   *registry.Registry
	clock atomic.Int64 // added to now, ns
	n     int
}

func open(t *testing.T) *house {
	t.Helper()
	return openAt(t, pgtest.Database(t))
}

func openAt(t testing.TB, dsn pgtest.DSNs) *house {
	t.Helper()
	h := &house{t: t, admin: pgtest.Writer(t, dsn.Admin)}
	h.exec(`insert into admin (code, admin_code, name, rank, population, geom) select v.code, v.code, v.name, v.rank, v.n, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		 from (values ('990100', '甲县', 3, 100000, 119.0, 0.5), ('990100101', '甲镇', 4, 9000, 119.0, 0.2), ('990100101001', '甲村', 5, 812, 119.0, 0.1), ('990100101002', '乙村', 5, 1200, 119.1, 0.1), ('990200', '乙县', 3, 5, 120.0, 0.5)) v(code, name, rank, n, x, w)`)
	for _, s := range []struct{ id, code, kind, measure, unit, area string }{
		{rainA, "R1", "rain", "3小时雨量", "mm", villageA}, {riverA, "Z1", "river_level", "水位", "m", villageA}, {rainB, "R9", "rain", "雨量", "mm", countyB}, {rainA2, "R2", "rain", "1小时雨量", "mm", villageA2},
	} {
		h.exec(`insert into sensors (id, code, name, kind, measure, unit, admin_code, geom) values ($1, $2, $2, $3, $4, $5, $6, st_setsrid(st_makepoint(119.05, 34.05), 4490))`, s.id, s.code, s.kind, s.measure, s.unit, s.area)
	}
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	if h.reg, err = registry.Open(t.Context(), h.db.Query); err != nil {
		t.Fatal(err)
	}
	if h.s, err = sensing.Open(sensing.Options{DB: h.db, Catalogue: h.reg, Poll: poll.New(h.reg, nil), Now: h.now}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	if _, err := h.admin.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func one[T any](h *house, sql string, args ...any) T {
	h.t.Helper()
	var v T
	if err := h.admin.QueryRow(h.t.Context(), sql, args...).Scan(&v); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// as is somebody with one grant.
func (h *house) as(role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	id := &auth.Identity{Kind: auth.Session, Account: account, Username: string(role) + area, Name: "姓名", ID: "s", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id, Request: "test"}
}

func of(station string, at time.Time, v float64) sensing.Observation {
	return sensing.Observation{Station: station, Value: &v, At: at}
}

// send delivers and fails the test if something was refused.
func (h *house) send(by auth.By, list ...sensing.Observation) sensing.Outcome {
	h.t.Helper()
	out, err := h.s.Observe(h.t.Context(), by, "test", list)
	if err != nil || len(out.Rejected) > 0 {
		h.t.Fatalf("%+v %v", out, err)
	}
	return out
}

func (h *house) station(by auth.By, id string, at time.Time) *sensing.Station {
	h.t.Helper()
	st, err := h.s.Station(h.t.Context(), by.Identity, id, at)
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

func val(v *float64) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprint(*v)
}
