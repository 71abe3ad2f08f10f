package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/pgtest"
	"onemap/migrations"
)

// schemaText describes what matters of a schema, so that two ways to get there can
// be compared.
const schemaText = `
select coalesce(string_agg(line, E'\n' order by line), '') from (
  select format('column %s.%s.%s %s %s %s', table_schema, table_name, column_name, data_type, is_nullable, column_default) line
    from information_schema.columns where table_schema in ('public', 'restricted', 'staging') and table_name !~ '^change_log_2'
  union all
  select format('index %s', indexdef) from pg_indexes where schemaname in ('public', 'restricted', 'staging') and tablename !~ '^change_log_2'
  union all
  select format('trigger %s %s %s', c.relname, t.tgname, pg_get_triggerdef(t.oid)) from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal
  union all
  select format('layer %s fields %s', layer, (select count(*) from layer_field f where f.layer = l.layer)) from layer l) x`

func schema(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var s string
	if err := conn.QueryRow(t.Context(), schemaText).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFromEveryPrefixTheSameSchema(t *testing.T) {
	all, err := migrations.All()
	if err != nil {
		t.Fatal(err)
	}
	var want string
	for n := range len(all) + 1 {
		conn := pgtest.Connect(t, pgtest.Empty(t).Admin)
		if err := migrations.ApplyPrefix(t.Context(), conn, n); err != nil {
			t.Fatalf("first %d: %v", n, err)
		}
		if err := migrations.Apply(t.Context(), conn); err != nil {
			t.Fatalf("on from %d: %v", n, err)
		}
		if err := migrations.Apply(t.Context(), conn); err != nil {
			t.Fatalf("again after %d: %v", n, err)
		}
		if err := migrations.Check(t.Context(), conn); err != nil {
			t.Fatalf("check after %d: %v", n, err)
		}
		got := schema(t, conn)
		if n == 0 {
			want = got
		}
		if got != want {
			t.Errorf("from prefix %d the schema differs", n)
		}
	}
}

func TestChangedHistoryAndNewerDatabaseAreRefused(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	before := schema(t, conn)
	if err := migrations.ApplyChanged(t.Context(), conn, 2, "drop table hazards"); !errors.Is(err, migrations.ErrChanged) {
		t.Errorf("an edited file: %v, want ErrChanged", err)
	}
	if err := migrations.ApplyWith(t.Context(), conn, "create table extra_one (i int)"); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Apply(t.Context(), conn); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("a newer database: %v, want ErrNewer", err)
	}
	if err := migrations.Check(t.Context(), conn); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("check of a newer database: %v, want ErrNewer", err)
	}
	if _, err := conn.Exec(t.Context(), `drop table extra_one`); err != nil {
		t.Fatal(err)
	}
	if got := schema(t, conn); got != before {
		t.Error("a refused run changed the schema")
	}
}

// TestFailedMigrationLeavesNothing is what a kill in the middle comes to as well:
// each file is one transaction.
func TestFailedMigrationLeavesNothing(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	err := migrations.ApplyWith(t.Context(), conn, "create table half (i int);\ninsert into half values (1);\nselect no_such_column from half;")
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Fatalf("error %v, want one that names line 3", err)
	}
	var left bool
	if err := conn.QueryRow(t.Context(), `select to_regclass('half') is not null`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if left {
		t.Error("the failed migration left its table")
	}
	if err := migrations.ApplyWith(t.Context(), conn, "create table half (i int)"); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

// TestKilledMigrationIsFinishedByTheNext ends the backend while it migrates.
func TestKilledMigrationIsFinishedByTheNext(t *testing.T) {
	dsn := pgtest.Database(t)
	conn, admin := pgtest.Connect(t, dsn.Admin), pgtest.Connect(t, dsn.Admin)
	failed := make(chan error, 1)
	go func() {
		failed <- migrations.ApplyWith(context.Background(), conn, "create table slow_one (i int); select pg_sleep(60)")
	}()
	for {
		var pid int
		err := admin.QueryRow(t.Context(), `select pid from pg_stat_activity where datname = current_database() and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`).Scan(&pid)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(t.Context(), `select pg_terminate_backend($1)`, pid); err != nil {
			t.Fatal(err)
		}
		break
	}
	if err := <-failed; err == nil {
		t.Fatal("the killed migration reported success")
	}
	if err := migrations.ApplyWith(t.Context(), pgtest.Connect(t, dsn.Admin), "create table slow_one (i int)"); err != nil {
		t.Errorf("the next start: %v", err)
	}
}

func TestTwoNodesStartTogetherAndOneMigrates(t *testing.T) {
	dsn := pgtest.Empty(t)
	var wg sync.WaitGroup
	for range 4 {
		conn := pgtest.Connect(t, dsn.Admin)
		wg.Go(func() {
			if err := migrations.Apply(t.Context(), conn); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestScopeOfACode(t *testing.T) {
	conn := pgtest.Writer(t, pgtest.Database(t).App)
	for _, c := range []struct{ code, want string }{
		{"99", "[1990000000000000,2000000000000000)"},
		{"990100", "[1990100000000000,1990101000000000)"},
		{"990100101001", "[1990100101001000,1990100101002000)"},
		{"990100101001007", "[1990100101001007,1990100101001008)"},
		{"63000", "[2630000000000000,2630010000000000)"},
		{"63000010001", "[2630000100010000,2630000100020000)"},
	} {
		var got string
		if err := conn.QueryRow(t.Context(), `select code_scope($1)::text`, c.code).Scan(&got); err != nil || got != c.want {
			t.Errorf("code_scope(%s) = %s, %v; want %s", c.code, got, err, c.want)
		}
	}
	for _, bad := range []string{"1", "123", "1234567", "12345678901234567", "99010x", "", " 990100", "-90100"} {
		var got string
		err := conn.QueryRow(t.Context(), `select code_scope($1)::text`, bad).Scan(&got)
		if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "22023" {
			t.Errorf("code_scope(%q) = %q, %v; want 22023", bad, got, err)
		}
	}
}

// TestEveryLayerTableKeepsItsPromises walks the catalogue: what is true of one
// layer table is true of all.
func TestEveryLayerTableKeepsItsPromises(t *testing.T) {
	dsn := pgtest.Database(t)
	conn, app := pgtest.Connect(t, dsn.Admin), pgtest.Writer(t, dsn.App)
	rows, err := conn.Query(t.Context(), `select layer, geometry from layer order by layer`)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct{ Layer, Geometry string }
	layers, err := pgx.CollectRows(rows, pgx.RowToStructByPos[entry])
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 28 {
		t.Errorf("%d layers, the contract names 28", len(layers))
	}
	good := map[string]string{
		"point": "POINT(110 30)", "mixed": "POINT(110 30)", "line": "LINESTRING(110 30,111 31)", "polygon": "POLYGON((110 30,111 30,111 31,110 30))",
	}
	bad := map[string]string{
		"NaN": "POINT(NaN 30)", "infinite": "POINT(Infinity 30)", "empty": "POINT EMPTY", "beyond ±180": "POINT(181 30)", "beyond ±90": "POINT(110 90.5)",
		"bow tie": "POLYGON((0 0,1 1,1 0,0 1,0 0))", "spike": "POLYGON((0 0,1 0,1 1,2 2,1 1,0 1,0 0))",
	}
	for _, l := range layers {
		table := pgx.Identifier{l.Layer}.Sanitize()
		extra, value := "", ""
		if l.Layer == "admin" {
			extra, value = ", code, admin_code, rank", ", '990100', '990100', 3"
		}
		insert := func(wkt string) error {
			_, err := app.Exec(t.Context(), fmt.Sprintf(`insert into %s (name, geom%s) values ('x', st_geomfromtext($1, 4490)%s)`, table, extra, value), wkt)
			return err
		}
		wkt := good[l.Geometry]
		if l.Layer == "rivers" || l.Layer == "safety_contours" { // mixed means lines and areas here
			wkt = good["polygon"]
		}
		if err := insert(wkt); err != nil {
			t.Errorf("%s refuses %s: %v", l.Layer, wkt, err)
			continue
		}
		for what, wkt := range bad {
			if err := insert(wkt); err == nil {
				t.Errorf("%s stored a geometry that is %s", l.Layer, what)
			}
		}
		for _, step := range []struct{ sql, state string }{
			{`update %s set name = 'y'`, ""},
			{`update %s set id = uuid_v7()`, "55000"},
			{`update %s set fid = 1`, "428C9"},
			{`truncate %s`, "42501"},
			{`delete from %s_history`, "42501"},
			{`update %s_history set name = 'forged'`, "42501"},
			{`delete from %s`, ""},
		} {
			_, err := app.Exec(t.Context(), fmt.Sprintf(step.sql, strings.Trim(table, `"`)))
			pg := new(pgconn.PgError)
			if step.state == "" && err != nil || step.state != "" && (!errors.As(err, &pg) || pg.Code != step.state) {
				t.Errorf("%s: %s: %v, want SQLSTATE %q", l.Layer, step.sql, err, step.state)
			}
		}
		var versions int
		var ops string
		if err := app.QueryRow(t.Context(), fmt.Sprintf(`select count(*), string_agg(ended_op::text || version, ',' order by version) from %s_history`, l.Layer)).Scan(&versions, &ops); err != nil {
			t.Fatal(err)
		}
		if ops != "U1,D2" {
			t.Errorf("%s history is %q, want U1,D2", l.Layer, ops)
		}
		var feed string
		if err := app.QueryRow(t.Context(), `select string_agg(op::text, '' order by xid, seq) from change_log where layer = $1`, l.Layer).Scan(&feed); err != nil {
			t.Fatal(err)
		}
		if feed != "IUD" {
			t.Errorf("%s feed is %q, want IUD", l.Layer, feed)
		}
	}
}

// TestScopeFollowsThePlace derives scope where no code is given.
func TestScopeFollowsThePlace(t *testing.T) {
	app := pgtest.Writer(t, pgtest.Database(t).App)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) values
		 ('990100', '990100', '县', 3, st_setsrid(st_makeenvelope(110, 30, 111, 31), 4490)),
		 ('990100101', '990100101', '镇', 4, st_setsrid(st_makeenvelope(110, 30, 110.5, 31), 4490))`,
		`insert into hazards (name, geom) values ('in town', st_setsrid(st_makepoint(110.1, 30.1), 4490)), ('across', st_geomfromtext('LINESTRING(110.1 30.1,110.9 30.1)', 4490)),
		 ('outside', st_setsrid(st_makepoint(100, 30), 4490)), ('unplaced', null)`,
		`insert into hazards (name, geom, admin_code) values ('by code', st_setsrid(st_makepoint(100, 30), 4490), '990100101001')`,
		`insert into hazards (name, geom) values ('moves', st_setsrid(st_makepoint(110.1, 30.1), 4490))`,
		`update hazards set geom = st_setsrid(st_makepoint(110.9, 30.1), 4490) where name = 'moves'`,
	} {
		if _, err := app.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for name, code := range map[string]string{"in town": "990100101", "across": "990100", "outside": "", "unplaced": "", "by code": "990100101001", "moves": "990100"} {
		var same bool
		if err := app.QueryRow(t.Context(), `select scope = coalesce(code_scope(nullif($2, '')), every_scope()) from hazards where name = $1`, name, code).Scan(&same); err != nil {
			t.Fatal(err)
		}
		if !same {
			t.Errorf("%s: scope is not that of %q", name, code)
		}
	}
	var left, entered int
	if err := app.QueryRow(t.Context(), `select count(*) filter (where old_scope = int8multirange(code_scope('990100101'))), count(*) filter (where new_scope = int8multirange(code_scope('990100')))
		from change_log where op = 'U' and layer = 'hazards'`).Scan(&left, &entered); err != nil {
		t.Fatal(err)
	}
	if left != 1 || entered != 1 {
		t.Errorf("the feed row of the move carries %d old and %d new scopes", left, entered)
	}
}

// TestHistoryAnswersAsOf rebuilds the picture of every moment between edits.
func TestHistoryAnswersAsOf(t *testing.T) {
	app := pgtest.Writer(t, pgtest.Database(t).App)
	const asOf = `
		select coalesce(string_agg(name, ',' order by name), '') from (
		  select name from hazards where recorded_at <= $1
		  union all
		  select name from hazards_history where recorded_at <= $1 and sys_to > $1) h`
	type picture struct {
		at   string
		want string
	}
	var pictures []picture
	for _, step := range []struct{ sql, want string }{
		{`insert into hazards (name) values ('a'), ('b')`, "a,b"},
		{`update hazards set name = 'a2' where name = 'a'`, "a2,b"},
		{`delete from hazards where name = 'b'`, "a2"},
		{`insert into hazards (name) values ('c')`, "a2,c"},
		{`update hazards set level = 1`, "a2,c"},
		{`delete from hazards`, ""},
	} {
		if _, err := app.Exec(t.Context(), step.sql); err != nil {
			t.Fatal(err)
		}
		var at string
		if err := app.QueryRow(t.Context(), `select clock_timestamp()::text from pg_sleep(0.002)`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, picture{at, step.want})
	}
	for i, p := range pictures {
		var got string
		if err := app.QueryRow(t.Context(), strings.ReplaceAll(asOf, "$1", "'"+p.at+"'::timestamptz")).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != p.want {
			t.Errorf("as of step %d: %q, want %q", i, got, p.want)
		}
	}
}

// TestAppRoleCannotEscape holds what row-level security will stand on.
func TestAppRoleCannotEscape(t *testing.T) {
	app := pgtest.Writer(t, pgtest.Database(t).App)
	for _, sql := range []string{
		`set role postgres`, `select * from pg_authid`, `copy (select 1) to program 'true'`, `create table public.mine (i int)`,
		`drop table hazards`, `alter table hazards disable trigger all`, `delete from change_log`, `update feed_state set feed_id = uuid_v7()`,
		`select layer_install('hazards')`, `create extension dblink`,
	} {
		if _, err := app.Exec(t.Context(), sql); err == nil {
			t.Errorf("the app role may: %s", sql)
		}
	}
	var super, bypass bool
	if err := app.QueryRow(t.Context(), `select rolsuper, rolbypassrls from pg_roles where rolname = current_user`).Scan(&super, &bypass); err != nil {
		t.Fatal(err)
	}
	if super || bypass {
		t.Errorf("superuser %v, bypassrls %v", super, bypass)
	}
}
