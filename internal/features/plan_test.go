package features_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// TestIndexesServeUnderRowSecurity asks a table of 40,000 rows as the server does and
// looks in the server's statistics which way each question took: never the whole
// table, and the index that fits, whoever asks.
func TestIndexesServeUnderRowSecurity(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	exec(t, admin, `set session_replication_role = replica`)
	exec(t, admin, `insert into dataset (name, title) values ('m', 'm')`)
	exec(t, admin, `insert into hazards (dataset, source_key, code, name, admin_code, scope, geom)
		select d.id, i::text, 'C' || i, '隐患点' || i || '号', '990100' || lpad((1 + i % 20)::text, 3, '0'), code_scope('990100' || lpad((1 + i % 20)::text, 3, '0')),
		       st_setsrid(st_makepoint(119 + (i % 200) * 0.002, 34 + (i / 200) * 0.002), 4490)
		from generate_series(1, 40000) i, dataset d where d.name = 'm'`)
	exec(t, admin, `set session_replication_role = origin`)
	exec(t, admin, `update hazards set level = 1 where fid % 2 = 0`)
	exec(t, admin, `vacuum (analyze) hazards`)
	exec(t, admin, `vacuum (analyze) hazards_history`)

	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App, QueryConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	store, err := features.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), d.Bulk)
	if err != nil {
		t.Fatal(err)
	}
	l := layer(t, reg.Now(), "hazards")
	town, county := scopes(t, "990100003"), scopes(t, "9901")
	type counts map[string]int64
	look := func() counts {
		t.Helper()
		err := d.Query.Hold(t.Context(), func(c *pgx.Conn) error {
			_, err := c.Exec(t.Context(), `select pg_stat_force_next_flush()`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		out := counts{}
		rows, err := admin.Query(t.Context(), `select indexrelname, idx_scan from pg_stat_user_indexes where relname in ('hazards', 'hazards_history')
			union all select relname || ' whole', seq_scan from pg_stat_user_tables where relname in ('hazards', 'hazards_history')`)
		if err != nil {
			t.Fatal(err)
		}
		var name string
		var n int64
		if _, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error { out[name] = n; return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	now := time.Now()
	known := features.Times{Asked: true, From: &now, To: &now, AsOf: &now}
	box := []orb.Bound{{Min: orb.Point{119.11, 34.1}, Max: orb.Point{119.13, 34.11}}}
	hazards := []*registry.Layer{l}
	for _, c := range []struct {
		name  string
		index map[string]string // by reach
		ask   func(who features.Asker) (rows int, err error)
	}{
		{"items in a box", map[string]string{"": "hazards_geom"}, func(who features.Asker) (int, error) {
			p, err := store.Items(t.Context(), who, features.ItemsQuery{Layer: l, Limit: 10, Boxes: box, Times: features.At(now)})
			return len(p.Features), err
		}},
		{"items in a box as known", map[string]string{"": "hazards_geom"}, func(who features.Asker) (int, error) {
			p, err := store.Items(t.Context(), who, features.ItemsQuery{Layer: l, Limit: 10, Boxes: box, Times: known})
			return len(p.Features), err
		}},
		{"identify", map[string]string{"": "hazards_geom"}, func(who features.Asker) (int, error) {
			h, err := store.Identify(t.Context(), who, features.IdentifyQuery{Layers: hazards, Point: orb.Point{119.124, 34.1}, RadiusM: 600, Limit: 10, Times: features.At(now)})
			return len(h), err
		}},
		{"search", map[string]string{"": "hazards_name"}, func(who features.Asker) (int, error) {
			f, err := store.Search(t.Context(), who, features.SearchQuery{Text: "隐患点1234", Layers: hazards, Limit: 3, Times: features.At(now)})
			return len(f) + 1, err // the township may have none
		}},
		{"item", map[string]string{"": "hazards_fid_key"}, func(who features.Asker) (int, error) {
			_, ok, err := store.Item(t.Context(), who, l, "22", features.Times{})
			if ok {
				return 1, err
			}
			return 0, err
		}},
	} {
		for reach, areas := range map[string]geo.Scopes{"everything": {geo.Everywhere()}, "county": county, "township": town} {
			before := look()
			n, err := c.ask(features.Asker{Name: "t", Role: "viewer", Reach: db.NewReach(db.Areas{Internal: areas})})
			if err != nil || n == 0 {
				t.Fatalf("%s, %s: %d rows, %v", c.name, reach, n, err)
			}
			after := look()
			want := c.index[""]
			if after[want] == before[want] || after["hazards whole"] != before["hazards whole"] || after["hazards_history whole"] != before["hazards_history whole"] {
				used := counts{}
				for k, v := range after {
					if v != before[k] {
						used[k] = v - before[k]
					}
				}
				t.Errorf("%s, %s: read %v, want by %s", c.name, reach, used, want)
			}
		}
	}
	// Without a place to look at, the township's reader is served by the index of scopes.
	before := look()
	page, err := store.Items(t.Context(), features.Asker{Name: "t", Role: "viewer", Reach: db.NewReach(db.Areas{Internal: town})}, features.ItemsQuery{Layer: l, Limit: 10, Times: features.At(now)})
	if err != nil || len(page.Features) != 10 || page.Matched != 2000 {
		t.Fatalf("%d of %d, %v", len(page.Features), page.Matched, err)
	}
	if after := look(); after["hazards_scope"] == before["hazards_scope"] {
		t.Error("counting a township's rows did not use the index of scopes")
	}
}

func scopes(t *testing.T, codes ...string) geo.Scopes {
	t.Helper()
	s, err := geo.ParseScopes(codes...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
