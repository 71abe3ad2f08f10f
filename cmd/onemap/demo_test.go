package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/demo"
	"onemap/internal/demo/demostore"
	"onemap/internal/pgtest"
)

func demoCount(t *testing.T, c *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := c.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// TestDemoCountyComesAndGoes loads the whole county as a person would, lets a part
// of the exercise happen, brings it to a later hour, and takes it out.
func TestDemoCountyComesAndGoes(t *testing.T) {
	if testing.Short() {
		t.Skip("loads 110,000 records; not in -short")
	}
	dsn := pgtest.Database(t)
	pools, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pools.Close)
	d := &database{DB: pools, adminDSN: dsn.Admin}
	owner := pgtest.Connect(t, dsn.Admin)
	log := slog.New(slog.DiscardHandler)
	var out bytes.Buffer
	env := environment{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}

	// Rows of somebody else, which nothing below may touch.
	if _, err := owner.Exec(t.Context(), `insert into dataset (name, title) values ('mine', 'mine');
		insert into hazards (dataset, source_key, name, admin_code, geom) select id, 'k', 'mine', '110101', st_setsrid(st_point(116, 40), 4490) from dataset where name = 'mine'`); err != nil {
		t.Fatal(err)
	}
	if err := loadDemoOnce(t.Context(), env, d, log); err != nil || demoCount(t, owner, "select count(*) from admin") != 0 {
		t.Fatalf("a database with data got the demo county: %v", err)
	}
	if err := loadDemo(t.Context(), env, d, defaultSeed, log); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}

	for sql, least := range map[string]int{
		"select count(*) from admin where rank = 4":                                                      14,
		"select count(*) from buildings":                                                                 60000,
		"select sum(population) from admin where rank = 3":                                               250000,
		"select count(*) from plan where state = 'published'":                                            2,
		"select count(*) from responsibility where kind = 'patrol'":                                      300,
		"select count(*) from restricted.contact where phone like '000-%'":                               500,
		"select count(*) from alerts where state = 'active' and expires > now()":                         3,
		"select count(*) from shelters s join shelter_service_areas a on a.shelter = s.id":               100,
		"select count(*) from hazard_sources s join enterprises e on e.id = s.enterprise":                30,
		"select count(*) from incident_sketches s join incidents i on i.id = s.incident":                 5,
		"select count(*) from responsibility r join hazards h on h.id = r.feature":                       100,
		"select count(*) from zones z join plan p on p.id = z.plan where z.published":                    100,
		"select count(*) from setting where key = 'demo' and value ->> 'complete' = 'true'":              1,
		"select count(*) from buildings where scope <@ code_scope('990100') and length(admin_code) = 15": 60000,
	} {
		if n := demoCount(t, owner, sql); n < least {
			t.Errorf("%s: %d, want at least %d", sql, n, least)
		}
	}
	// PostGIS is the judge of the coverage: the zones of a plan and the villages
	// have the county's area, and no two overlap.
	if n := demoCount(t, owner, `select count(*) from admin a join admin b on a.rank = 5 and b.rank = 5 and a.fid < b.fid
		and a.geom && b.geom and st_relate(a.geom, b.geom, '2********')`); n != 0 {
		t.Errorf("%d pairs of villages overlap", n)
	}
	if n := demoCount(t, owner, `select count(*) from admin where rank = 5 and not st_isvalid(geom)`); n != 0 {
		t.Errorf("%d invalid villages", n)
	}

	// Doing it again changes nothing.
	before := demoCount(t, owner, "select count(*) from change_log")
	if err := loadDemo(t.Context(), env, d, defaultSeed, log); err != nil {
		t.Fatal(err)
	}
	if n := demoCount(t, owner, "select count(*) from change_log"); n != before {
		t.Errorf("loading again wrote %d feed rows", n-before)
	}

	demoExercise(t, d, owner)

	// A day later the county is told anew.
	if _, err := owner.Exec(t.Context(), "update setting set value = value || jsonb_build_object('now', now() - interval '30 hours') where key = 'demo'"); err != nil {
		t.Fatal(err)
	}
	renewDemoIfOld(t.Context(), d, log)
	if n := demoCount(t, owner, "select count(*) from setting where key = 'demo' and (value ->> 'now')::timestamptz > now() - interval '1 hour'"); n != 1 {
		t.Error("the county was not renewed")
	}

	if err := removeDemo(t.Context(), env, d, log); err != nil {
		t.Fatal(err)
	}
	for table := range strings.FieldsSeq(`admin grids population buildings roads zones incidents alerts dangers plan responsibility duty_roster
		restricted.contact restricted.attribute admin_alias import import_key import_change buildings_history incidents_history sensors_history staging.import_row`) {
		if n := demoCount(t, owner, "select count(*) from "+table); n != 0 {
			t.Errorf("%s: %d rows are left", table, n)
		}
	}
	if n := demoCount(t, owner, "select count(*) from hazards"); n != 1 {
		t.Errorf("hazards of others: %d, want 1", n)
	}
	if n := demoCount(t, owner, "select count(*) from dataset"); n != 1 {
		t.Errorf("data sets: %d, want 1", n)
	}
}

// demoExercise writes a whole night at once and checks that it ended as it should.
func demoExercise(t *testing.T, d *database, owner *pgx.Conn) {
	t.Helper()
	store, err := demostore.Open(d.DB)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	county := demo.Generate(demo.Options{Seed: st.Made.Seed, Now: st.Made.Now})
	var night []demo.Feature
	for _, e := range demo.Play(county) {
		night = append(night, e.Resolve(st.Made.Now))
	}
	half := len(night) / 2
	for i, f := range night {
		if err := store.Put(t.Context(), st.Dataset, []demo.Feature{f}); err != nil {
			t.Fatal(err)
		}
		if i == half {
			if n := demoCount(t, owner, "select count(*) from incidents where exercise and state = 'responding'"); n == 0 {
				t.Error("nothing is going on at half time")
			}
		}
	}
	if n := demoCount(t, owner, "select count(*) from sensors where exercise"); n != 0 {
		t.Errorf("%d gauges were not put back", n)
	}
	if n := demoCount(t, owner, "select count(*) from incidents where source_key like 'play-%' and state <> 'closed'"); n != 0 {
		t.Errorf("%d incidents of the exercise are open", n)
	}
	if n := demoCount(t, owner, "select count(*) from incidents where source_key like 'play-%' and exercise"); n < 8 {
		t.Errorf("incidents of the exercise: %d", n)
	}
}

// TestPlayRunsAndStops starts the exercise on an empty database, where it must end
// by itself instead of failing for ever.
func TestPlayRunsAndStops(t *testing.T) {
	dsn := pgtest.Database(t)
	pools, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pools.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	playDemo(ctx, &database{DB: pools}, slog.New(slog.NewTextHandler(&out, nil)))
	if ctx.Err() != nil || !strings.Contains(out.String(), "nothing to play") {
		t.Errorf("play without a county: %s", out.String())
	}
}
