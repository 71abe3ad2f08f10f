package tiles

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

func TestPublishFindsOutWhatATableIs(t *testing.T) {
	w := newWorld(t)
	w.exec(`create schema office`)
	w.exec(`create table office."监测 点" (gid serial primary key, 名称 text, depth numeric(6,2), kind varchar(20), built date, seen timestamp, ok boolean, code uuid, extra jsonb, raw bytea, tags text[], geom geometry(PointZ, 4326))`)
	w.exec(`comment on table office."监测 点" is '水位监测点'`)
	w.exec(`comment on column office."监测 点".depth is '水深'`)
	w.exec(`insert into office."监测 点" (名称, depth, kind, built, seen, ok, code, extra, geom) values ('一', 1.25, 'k', '2020-01-02', '2026-01-02 03:04:05', true, '0190a0a0-0000-7000-8000-000000000001', '{"a":1}', 'SRID=4326;POINT Z(110.5 30.5 12)')`)
	p := w.publish(`office."监测 点"`, PublishOptions{ID: "gauges"})
	if p.Layer != "gauges" || p.Geometry != registry.Point || p.SRID != 4326 || !p.FID || !p.Feed || p.Rows != 1 {
		t.Errorf("%+v", p)
	}
	l, _ := w.reg.Now().Layer("gauges")
	if l.Title.ZH != "水位监测点" || l.LabelField != "名称" || l.FIDColumn != "gid" || l.IDColumn != "gid" || l.Own {
		t.Errorf("%+v", l)
	}
	types := map[string]registry.FieldType{}
	for _, f := range l.Fields {
		types[f.Name] = f.Type
	}
	want := map[string]registry.FieldType{"名称": "text", "depth": "number", "kind": "text", "built": "date", "seen": "datetime", "ok": "boolean", "code": "uuid", "extra": "json"}
	if !maps.Equal(types, want) {
		t.Errorf("fields %v", types)
	}
	for _, note := range []string{"raw", "tags", "spatial index"} {
		if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, note) }) {
			t.Errorf("no note about %s: %q", note, p.Notes)
		}
	}
	got := w.text(at(110.5, 30.5, 12, "gauges"))
	if !strings.Contains(got, "gauges 1 point built=2020-01-02 code=0190a0a0-0000-7000-8000-000000000001 depth=1.25 kind=k ok=true seen=2026-01-02T03:04:05Z 名称=一 ") {
		t.Error(got)
	}
	req := at(110.5, 30.5, 12, "gauges")
	req.Filter = `"名称" = '一' AND "depth" > 1 AND "seen" < '2027-01-01'`
	if w.tile(req).Empty {
		t.Error("the filter does not work")
	}
}

func TestPublishRefuses(t *testing.T) {
	w := newWorld(t)
	w.exec(`create table plain (id int primary key)`)
	w.exec(`create table two (id int primary key, a geometry(Point, 4490), b geometry(Point, 4490))`)
	w.exec(`create table nosrid (id int primary key, geom geometry)`)
	w.exec(`insert into nosrid values (1, 'POINT(1 1)')`)
	w.exec(`create table mixed_srid (id int primary key, geom geometry)`)
	w.exec(`insert into mixed_srid values (1, 'SRID=4326;POINT(1 1)'), (2, 'SRID=3857;POINT(1 1)')`)
	w.exec(`create table worded (id int primary key, word text, geom geometry(Point, 4490))`)
	w.exec(`create table fine (id int primary key, geom geometry(Point, 4490))`)
	for table, o := range map[string]PublishOptions{
		"public.absent": {}, "public.plain": {}, "public.two": {}, "public.nosrid": {}, "public.mixed_srid": {},
		"public.fine;drop table plain": {}, "a.b.c": {}, "": {}, `"open`: {}, ".": {}, "public.fine\x00": {},
		"public.fine": {ID: "Big Name"}, "fine": {ID: "hazards"}, `"public"."fine"`: {Theme: "nothing"}, "public .fine": {},
		`public."fine"`: {LabelField: "absent"}, `"public".fine`: {Ladder: "absent"}, "public.worded": {LevelField: "word"}, `public."worded"`: {OrderBy: "word"},
	} {
		if p, err := Publish(context.Background(), w.sql, table, o); !errors.Is(err, ErrPublish) {
			t.Errorf("%q %+v: %+v, %v", table, o, p, err)
		}
	}
	if err := Unpublish(context.Background(), w.sql, "hazards"); !errors.Is(err, ErrPublish) {
		t.Errorf("a layer of the product: %v", err)
	}
	if err := Unpublish(context.Background(), w.sql, "fine"); !errors.Is(err, ErrUnknownLayer) {
		t.Errorf("an unknown layer: %v", err)
	}
	var n int
	if err := w.sql.QueryRow(context.Background(), `select count(*) from pg_trigger where tgname like 'onemap_feed%'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d triggers are left behind, %v", n, err)
	}
}

// TestEverySystemGivesTheSameTile puts one zone and one point into tables of five
// coordinate systems: the tiles agree to a unit, the feed keeps them fresh, the
// index is used by the transformed envelope.
func TestEverySystemGivesTheSameTile(t *testing.T) {
	w := newWorld(t)
	w.follow()
	srids := []int{4490, 4326, 3857, 4547, 32649, 4610}
	for _, s := range srids {
		w.exec(fmt.Sprintf(`create table t%[1]d (id int primary key, name text, geom geometry(Geometry, %[1]d))`, s))
		w.exec(fmt.Sprintf(`create index on t%[1]d using gist (geom)`, s))
		w.exec(fmt.Sprintf(`insert into t%[1]d values (1, 'p', ST_Transform('SRID=4490;POINT(113.51 30.51)'::geometry, %[1]d)),
			(2, 'a', ST_Transform('SRID=4490;POLYGON((113.5 30.5,113.55 30.5,113.53 30.56,113.5 30.55,113.5 30.5))'::geometry, %[1]d))`, s))
		if p := w.publish(fmt.Sprintf("public.t%d", s), PublishOptions{}); !p.Feed || p.Geometry != registry.Mixed {
			t.Errorf("%+v", p)
		}
	}
	w.settle()
	for _, z := range []int{5, 8, 10, 11, 12, 14, 16} {
		var first []mvtLayer
		for _, s := range srids {
			got := decodeTile(t, w.tile(at(113.51, 30.51, z, fmt.Sprintf("t%d", s))))
			if len(got) != 1 {
				t.Errorf("z%d EPSG:%d: nothing", z, s)
				continue
			}
			slices.SortFunc(got[0].features, func(a, b mvtFeature) int { return int(a.id) - int(b.id) })
			if first == nil {
				first = got
				continue
			}
			// Vertices may snap to neighbouring grid points and rings may start elsewhere.
			slack := 6
			if z >= 16 {
				slack = 2
			}
			for i, f := range got[0].features {
				for _, v := range f.parts[0] {
					if !slices.ContainsFunc(first[0].features[i].parts[0], func(o [2]int) bool { return abs(v[0]-o[0]) <= slack && abs(v[1]-o[1]) <= slack }) {
						t.Errorf("z%d EPSG:%d: %v is not in %v", z, s, v, first[0].features[i].parts[0])
					}
				}
			}
		}
	}
	// Tiles far from a projection's home are empty, not an error.
	for _, s := range srids {
		for _, p := range [][2]float64{{-70, -40}, {0.1, 0.1}, {179.9, 84}, {-179.9, -84}, {113.51, -30}} {
			for _, z := range []int{5, 9, 14} {
				if tile := w.tile(at(p[0], p[1], z, fmt.Sprintf("t%d", s))); !tile.Empty {
					t.Errorf("EPSG:%d has something at %v", s, p)
				}
			}
		}
	}
	for _, s := range srids {
		id := fmt.Sprintf("t%d", s)
		here, there := at(113.51, 30.51, 14, id), at(116.2, 33.3, 14, id) // there: outside all data so far
		if w.tile(here).Empty || !w.tile(there).Empty {
			t.Errorf("EPSG:%d starts wrong", s)
		}
		w.exec(fmt.Sprintf(`update t%[1]d set geom = ST_Transform('SRID=4490;POINT(116.2 33.3)'::geometry, %[1]d) where id = 1`, s))
		w.exec(fmt.Sprintf(`delete from t%d where id = 2`, s))
		w.settle()
		if !w.tile(here).Empty || w.tile(there).Empty {
			t.Errorf("EPSG:%d: the feed did not reach the tiles", s)
		}
		w.exec(fmt.Sprintf(`truncate t%d`, s))
		w.settle()
		if !w.tile(there).Empty {
			t.Errorf("EPSG:%d: TRUNCATE went unseen", s)
		}
	}
}

func TestFeedTriggerNeverFailsTheWriter(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.exec(`create table loose (id int primary key, geom geometry(Geometry, 4547))`)
	w.publish("loose", PublishOptions{})
	w.settle()
	w.tile(at(113.5, 30.5, 9, "loose"))
	// No such place in this projection: ST_Transform to degrees raises.
	w.exec(`insert into loose values (1, 'SRID=4547;POINT(1e300 1e300)'), (2, null), (3, 'SRID=4547;POINT EMPTY')`)
	w.settle()
	if n := w.engine.Stats().Invalidated; n != 1 {
		t.Errorf("%d tiles invalidated by a change of unknown place", n)
	}
}

func TestViewsAreRefreshedByTime(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(o *Options, _ *db.Options) { o.ForeignTTL = time.Minute; o.Now = func() time.Time { return now } })
	w.exec(`create table base (id int primary key, geom geometry(Point, 4490))`)
	w.exec(`create view base_view as select id, geom from base`)
	p := w.publish("public.base_view", PublishOptions{})
	if p.Feed || p.FID || len(p.Notes) == 0 {
		t.Errorf("%+v", p)
	}
	req := at(110.5, 30.5, 12, "base_view")
	if !w.tile(req).Empty {
		t.Fatal("not empty")
	}
	w.exec(`insert into base values (1, 'SRID=4490;POINT(110.5 30.5)')`)
	if now = now.Add(59 * time.Second); !w.tile(req).Empty {
		t.Error("seen too early: not cached at all")
	}
	if now = now.Add(2 * time.Second); w.tile(req).Empty {
		t.Error("never seen")
	}
}

func TestInvalidForeignShapesDoNotPoisonTiles(t *testing.T) {
	w := newWorld(t)
	w.exec(`create table wild (id int primary key, geom geometry(Polygon, 4490))`)
	w.exec(`insert into wild select 1, ST_MakePolygon(ST_AddPoint(l, ST_StartPoint(l))) from (
		select ST_MakeLine(array_agg(ST_SetSRID(ST_MakePoint(110 + random(), 30 + random()), 4490))) l from generate_series(1, 1500)) q`)
	w.exec(`insert into wild values (2, ST_MakeEnvelope(110.4, 30.4, 110.6, 30.6, 4490))`)
	p := w.publish("wild", PublishOptions{})
	if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "invalid") }) {
		t.Errorf("%q", p.Notes)
	}
	if got := w.text(at(110.5, 30.5, 10, "wild")); !strings.HasPrefix(got, "wild 2 polygon") || strings.Contains(got, "wild 1") {
		t.Error(got)
	}
}

func TestUnpublishLeavesTheTable(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.exec(`create table mine (id int primary key, geom geometry(Point, 4490))`)
	w.exec(`insert into mine values (1, 'SRID=4490;POINT(110.5 30.5)')`)
	w.publish("mine", PublishOptions{})
	w.settle()
	req := at(110.5, 30.5, 12, "mine")
	w.tile(req)
	if err := Unpublish(context.Background(), w.sql, "mine"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if _, err := w.engine.Tile(context.Background(), req); !errors.Is(err, ErrUnknownLayer) {
		t.Errorf("still there: %v", err)
	}
	if n := w.engine.Stats().Entries; n != 0 {
		t.Errorf("%d tiles of it are kept", n)
	}
	w.exec(`insert into mine values (2, null)`) // no trigger in the way
	w.publish("mine", PublishOptions{})         // and back again
	if w.tile(req).Empty {
		t.Error("published again it is empty")
	}
}

// TestPublishWithoutOwnership: a table of somebody else that may only be read.
func TestPublishWithoutOwnership(t *testing.T) {
	w := newWorld(t)
	w.exec(`create table theirs (id int primary key, geom geometry(Point, 4490))`)
	w.exec(`revoke all on theirs from onemap_app; grant select on theirs to onemap_owner`)
	w.exec(`grant insert, select, delete on layer, layer_field to onemap_owner`)
	w.exec(`grant usage on all sequences in schema public to onemap_owner; grant insert on change_log to onemap_owner; grant select on theme to onemap_owner`)
	owner := pgtest.Connect(t, w.dsn.Owner)
	if _, err := Publish(context.Background(), owner, "theirs", PublishOptions{}); !errors.Is(err, ErrPublish) || !strings.Contains(err.Error(), "grant select") {
		t.Fatalf("unreadable for the server: %v", err)
	}
	w.exec(`grant select on theirs to onemap_app`)
	p, err := Publish(context.Background(), owner, "theirs", PublishOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Feed || !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "trigger") }) {
		t.Errorf("%+v", p)
	}
}

// TestClosedTablesAreNeverPublished tries the tables directly and behind views.
func TestClosedTablesAreNeverPublished(t *testing.T) {
	w := newWorld(t)
	w.exec(`create schema if not exists auth; create schema if not exists decision; create schema if not exists audit; create schema office`)
	for _, schema := range []string{"auth", "audit", "decision", "restricted", "staging"} {
		w.exec(`create table ` + schema + `.places (id int primary key, geom geometry(Point, 4490))`)
		w.exec(`create view office.of_` + schema + ` as select * from ` + schema + `.places`)
		w.exec(`create view office.twice_` + schema + ` as select * from office.of_` + schema)
	}
	w.exec(`create view office.rows as select id, geom from hazards`)
	w.exec(`create materialized view office.kept as select id, geom from hazards_history`)
	w.exec(`create view office.originals as select feature, geom from import_original`)
	for _, name := range []string{
		"auth.places", "audit.places", "decision.places", "restricted.places", "restricted.contact", "staging.places", "staging.import_row", "pg_catalog.pg_authid", "information_schema.tables",
		"hazards", "hazards_history", "import_original", "import_issue", "plan", "office.rows", "office.kept", "office.originals",
		"office.of_auth", "office.twice_auth", "office.of_audit", "office.twice_decision", "office.of_restricted", "office.twice_staging",
	} {
		_, err := Publish(t.Context(), w.sql, name, PublishOptions{ID: "leak"})
		if !errors.Is(err, ErrPublish) || !strings.Contains(fmt.Sprint(err), "published") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForeignTablesAreNoDemo: the demo's reach holds our rows of demo data sets only;
// for everybody else a published table follows its visibility.
func TestForeignTablesAreNoDemo(t *testing.T) {
	w := newWorld(t)
	w.exec(`create table wells (gid int primary key, name text, geom geometry(Point, 4490)); insert into wells values (1, 'w', 'SRID=4490;POINT(110.5 30.5)')`)
	w.publish("wells", PublishOptions{ID: "wells", Visibility: db.Internal})
	all := geo.Scopes{geo.Everywhere()}
	for _, c := range []struct {
		name  string
		areas db.Areas
		seen  bool
	}{
		{"township", db.Areas{Internal: geo.Scopes{mustScope(t, "990100001")}}, true},
		{"public", db.Areas{Public: all}, false},
		{"demo", db.Areas{Public: all, Internal: all, Sensitive: all, Demo: true}, false},
	} {
		req := at(110.5, 30.5, 12, "wells")
		req.Reach = db.NewReach(c.areas)
		_, err := w.engine.Tile(t.Context(), req)
		if (err == nil) != c.seen || err != nil && !errors.Is(err, ErrUnknownLayer) {
			t.Errorf("%s: tile %v", c.name, err)
		}
		infos, err := w.engine.Layers(t.Context(), req.Reach)
		if err != nil {
			t.Fatal(err)
		}
		if listed := slices.ContainsFunc(infos, func(i LayerInfo) bool { return i.Layer.ID == "wells" }); listed != c.seen {
			t.Errorf("%s: listed %v", c.name, listed)
		}
		if _, err := w.engine.TileJSON(t.Context(), []string{"wells"}, "", registry.English, req.Reach); (err == nil) != c.seen {
			t.Errorf("%s: TileJSON %v", c.name, err)
		}
	}
}
