package demostore_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/demo"
	"onemap/internal/demo/demostore"
	"onemap/internal/pgtest"
)

const (
	planID   = "0197a1b2-0000-7000-8000-000000000001"
	hazardID = "0197a1b2-0000-7000-8000-000000000002"
)

func open(t *testing.T) (*demostore.Store, *pgx.Conn) {
	t.Helper()
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
	return s, pgtest.Connect(t, dsn.Admin)
}

// county is a county of one record of each kind the store writes.
func county() *demo.County {
	now := time.Date(2026, 6, 20, 13, 0, 0, 0, time.UTC)
	return &demo.County{
		Options: demo.Options{Seed: 4, Now: now},
		Plans: []demo.Plan{{ID: planID, Series: "0197a1b2-0000-7000-8000-000000000003", Hazard: "multi", Kind: "risk", Title: "区划", AdminCode: "990100",
			EffectiveFrom: now, Method: map[string]any{"unit": "村"}}},
		Responsibilities: []demo.Responsibility{
			{Key: "a", Kind: "administrative", AdminCode: "990100100", Unit: "镇政府", Person: "甲", Phone: "000-1", DeputyPhone: "000-2"},
			{Key: "b", Kind: "patrol", Layer: "hazards", Feature: hazardID, AdminCode: "990100100201", Unit: "村", Person: "乙", Phone: "000-3"},
		},
		Duties:  []demo.Duty{{Key: "d", AdminCode: "990100", Role: "officer", Unit: "局", Person: "丙", Phone: "000-4", Starts: now, Ends: now.Add(time.Hour)}},
		Aliases: []demo.Alias{{AdminCode: "990100100", Alias: "旧镇", Kind: "former_name"}},
		Bound:   orb.Bound{Min: orb.Point{111, 31}, Max: orb.Point{112, 32}},
	}
}

func feature(state string, at orb.Point) demo.Feature {
	return demo.Feature{Layer: "hazards", Key: "hazards-1", Code: "990100100201", Geometry: at, Fields: map[string]any{
		"id": hazardID, "name": "滑坡", "admin_code": "990100100201", "hazard": "landslide", "level": 2, "state": state, "exercise": true,
		"valid_from": time.Date(2026, 6, 20, 13, 0, 0, 0, time.UTC)}}
}

func count(t *testing.T, c *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := c.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWriteAndForget(t *testing.T) {
	s, owner := open(t)
	ctx := t.Context()
	c := county()
	if st, err := s.State(ctx); err != nil || st.Dataset != "" {
		t.Fatalf("state of an empty database: %+v, %v", st, err)
	}
	for range 2 { // doing it twice changes nothing
		if err := s.Begin(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.State(ctx)
	if err != nil || !st.Made.Complete || st.Made.Seed != 4 || !st.Made.Now.Equal(c.Options.Now) || st.OtherData {
		t.Fatalf("state: %+v, %v", st, err)
	}
	for sql, want := range map[string]int{
		"select count(*) from plan": 1, "select count(*) from responsibility": 2, "select count(*) from duty_roster": 1,
		"select count(*) from restricted.contact": 3, "select count(*) from admin_alias": 1,
		"select count(*) from setting where key = 'home' and value ->> 'code' = '990100'": 1,
	} {
		if n := count(t, owner, sql); n != want {
			t.Errorf("%s: %d, want %d", sql, n, want)
		}
	}

	// A single change: inserted, then the same row updated, each in the feed.
	if err := s.Put(ctx, st.Dataset, []demo.Feature{feature("watch", orb.Point{111.5, 31.5})}); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, st.Dataset, []demo.Feature{feature("treatment", orb.Point{111.6, 31.5})}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, owner, "select count(*) from hazards where state = 'treatment' and exercise and version = 2 and st_x(geom) = 111.6 and scope = code_scope('990100100201')"); n != 1 {
		t.Errorf("the changed row is not there")
	}
	if n := count(t, owner, "select count(*) from change_log where layer = 'hazards' and op in ('I', 'U')"); n != 2 {
		t.Errorf("feed rows: %d, want 2", n)
	}
	// What somebody else changed is theirs.
	if _, err := owner.Exec(ctx, "begin; set local app.actor = '张三'; update hazards set state = 'removed'; commit"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, st.Dataset, []demo.Feature{feature("watch", orb.Point{111.7, 31.5})}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, owner, "select count(*) from hazards where state = 'removed'"); n != 1 {
		t.Error("a change of somebody else was overwritten")
	}
	if err := s.Put(ctx, st.Dataset, []demo.Feature{{Layer: "hazards", Key: "x", Geometry: orb.Point{111, 31}, Fields: map[string]any{"no_such": 1}}}); err == nil {
		t.Error("an unknown column was accepted")
	}

	// Settings a person made since are theirs, too.
	if _, err := owner.Exec(ctx, `update setting set value = '"内部"' where key = 'watermark'`); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(ctx); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"select count(*) from admin_alias", "select count(*) from setting where key = 'demo'", "select count(*) from setting where key = 'home' and value ->> 'code' <> ''",
	} {
		if n := count(t, owner, sql); n != 0 {
			t.Errorf("afterwards %s: %d", sql, n)
		}
	}
	if n := count(t, owner, `select count(*) from setting where key = 'watermark' and value = '"内部"'`); n != 1 {
		t.Error("somebody's watermark is gone")
	}
	if n, err := s.PurgeHistory(ctx, owner, st.Dataset); err != nil || n == 0 {
		t.Errorf("history: %d rows, %v", n, err)
	}
	if n := count(t, owner, "select count(*) from hazards_history"); n != 0 {
		t.Errorf("history is still there: %d", n)
	}
}

// A data set of that name which somebody imported must not be taken for ours.
func TestForeignDatasetOfTheSameName(t *testing.T) {
	s, owner := open(t)
	if _, err := owner.Exec(t.Context(), `insert into dataset (name, title) values ('demo', 'somebody''s')`); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context(), county()); err == nil {
		t.Error("a foreign data set was taken over")
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Error(err)
	}
	if n := count(t, owner, "select count(*) from dataset"); n != 1 {
		t.Error("a foreign data set was removed")
	}
}
