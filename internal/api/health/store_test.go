package health_test

import (
	"strings"
	"testing"

	"onemap/internal/api/health"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/migrations"
)

func check(t *testing.T, dsn string) health.Report {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := health.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	return c.Check(t.Context())
}

func TestHealthOfAGoodHouse(t *testing.T) {
	r := check(t, pgtest.Database(t).App)
	if r.Database != nil || r.Migrations != nil || r.Plan != nil || r.Role != nil || r.Fix != "" {
		t.Errorf("%+v", r)
	}
}

// TestLostLeakproofIsFoundByThePlan: what a restored dump comes with.
func TestLostLeakproofIsFoundByThePlan(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	if _, err := admin.Exec(t.Context(), `alter function geometry_overlaps(geometry, geometry) not leakproof`); err != nil {
		t.Fatal(err)
	}
	r := check(t, dsn.App)
	if r.Database != nil || r.Plan == nil || r.Fix != migrations.LeakproofStatement || !strings.Contains(r.Plan.Error(), "superuser must run") {
		t.Errorf("without the mark: %+v", r)
	}
	if err := migrations.MarkLeakproof(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	if r := check(t, dsn.App); r.Plan != nil || r.Fix != "" {
		t.Errorf("after the statement: %+v", r)
	}
}

// TestARoleAboveTheFloorIsFound: with the owner's or a superuser's connection the
// floor would not hold.
func TestARoleAboveTheFloorIsFound(t *testing.T) {
	dsn := pgtest.Database(t)
	if r := check(t, dsn.Admin); r.Role == nil {
		t.Error("a superuser passes")
	}
	admin := pgtest.Connect(t, dsn.Admin)
	if _, err := admin.Exec(t.Context(), `alter table hazards owner to onemap_app; alter table schema_migration owner to onemap_owner`); err != nil {
		t.Fatal(err)
	}
	if r := check(t, dsn.App); r.Role == nil {
		t.Error("the owner of a layer passes")
	}
}

// TestRowSecurityTurnedOffIsFound: as a default of the role it makes every question of
// every new connection fail.
func TestRowSecurityTurnedOffIsFound(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	run := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run(`alter role onemap_app in database ` + dsn.Name + ` set row_security = off`)
	r := check(t, dsn.App)
	if r.Database != nil || r.Role == nil || r.Fix != "alter role onemap_app in database "+dsn.Name+" reset row_security" {
		t.Fatalf("%+v", r)
	}
	run(r.Fix)
	if r := check(t, dsn.App); r.Role != nil || r.Fix != "" {
		t.Errorf("after what it said was run: %+v", r)
	}
	run(`alter role onemap_app in database ` + dsn.Name + ` set row_security = on`)
	if r := check(t, dsn.App); r.Role != nil {
		t.Errorf("turned on: %+v", r)
	}
}
