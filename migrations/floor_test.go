package migrations_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/pgtest"
)

const (
	everywhere = "{[1000000000000000,3000000000000000)}"
	nowhere    = "{}"
)

// claim sets the claims of one transaction. An area is a code, "*" or "".
type claim struct{ public, read, sensitive, write, demo string }

func multirange(t *testing.T, conn *pgx.Conn, code string) string {
	t.Helper()
	switch code {
	case "":
		return nowhere
	case "*":
		return everywhere
	}
	var s string
	if err := conn.QueryRow(t.Context(), `select int8multirange(code_scope($1))::text`, code).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// under runs fn in a transaction with claims and rolls it back.
func under(t *testing.T, conn *pgx.Conn, c claim, fn func(pgx.Tx)) {
	t.Helper()
	if c.demo == "" {
		c.demo = "off"
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	for name, v := range map[string]string{"public": c.public, "read": c.read, "sensitive": c.sensitive, "write": c.write} {
		if _, err := tx.Exec(t.Context(), `select set_config('app.' || $1, $2, true)`, name, multirange(t, conn, v)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Exec(t.Context(), `select set_config('app.demo', $1, true)`, c.demo); err != nil {
		t.Fatal(err)
	}
	fn(tx)
}

func names(t *testing.T, tx pgx.Tx, sql string, args ...any) string {
	t.Helper()
	rows, err := tx.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

func state(err error) string {
	if pg := new(pgconn.PgError); errors.As(err, &pg) {
		return pg.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestFloorIsUnderEveryTable reads the system catalogue: a layer table without the
// floor fails here, the ones of later migrations too.
func TestFloorIsUnderEveryTable(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	rows, err := conn.Query(t.Context(), `
		select t.name from (
		  select table_name as name from layer where own union all select table_name || '_history' from layer where own
		  union all values ('plan'), ('responsibility'), ('duty_roster')
		  -- What belongs to a plan, of later migrations too.
		  union all select k.conrelid::regclass::text from pg_constraint k where k.contype = 'f' and k.confrelid = 'plan'::regclass and k.conrelid <> 'plan'::regclass) t
		left join pg_class c on c.oid = to_regclass(t.name)
		where not coalesce(c.relrowsecurity and c.relforcerowsecurity, false)
		   or (select count(*) from pg_policy p where p.polrelid = c.oid) < 3`)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(bare) > 0 {
		t.Errorf("without row-level security: %v", bare)
	}
	if bad := oddPolicies(t, conn); len(bad) > 0 {
		t.Errorf("policies that ask claims otherwise: %v", bad)
	}
	// Seen through the plan is for what belongs to a plan: anything else that asks so is found.
	const through = `exists (select from public.plan p where p.id = plan and p.scope <@ current_setting('app.write')::int8multirange)`
	for sql, want := range map[string]string{
		`create policy odd on hazards using (scope && current_setting('app.read')::int8multirange)`:                                                              "odd on hazards",
		`create policy odd on hazards using (coalesce(scope && current_setting('app.read', true)::int8multirange, false))`:                                       "odd on hazards",
		`create policy odd on hazards using (coalesce(scope && (select current_setting('app.read'))::int8multirange, false))`:                                    "odd on hazards",
		`create table odd (plan uuid); create policy odd on odd using (` + through + `)`:                                                                         "odd on odd",
		`create table odd (plan uuid references plan); create policy odd on odd using (` + through + `)`:                                                         "",
		`create table odd (plan uuid references plan); create policy odd on odd using (` + strings.ReplaceAll(through, "p.id = plan and ", "") + `)`:             "odd on odd",
		`create table odd (plan uuid references plan); create policy odd on odd using (` + strings.ReplaceAll(through, "'app.write'", "'app.write', true") + `)`: "odd on odd",
		`create table odd (plan uuid references plan); create policy odd on odd using (` + through + ` or exists (select from plan p where scope is not null))`:  "odd on odd",
	} {
		if _, err := conn.Exec(t.Context(), `begin; `+sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if got := strings.Join(oddPolicies(t, conn), ","); got != want {
			t.Errorf("%s: found %q, want %q", sql, got, want)
		}
		if _, err := conn.Exec(t.Context(), `rollback`); err != nil {
			t.Fatal(err)
		}
	}
}

// oddPolicies are the policies that ask claims otherwise than the floor does. Every claim
// is asked bare: a sub-select or missing_ok would change plan or meaning. A scope is
// compared inside coalesce, so that no index is taken for the policy; what belongs to a
// plan asks for that one row by its key instead.
func oddPolicies(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		select polname || ' on ' || polrelid::regclass from pg_policy p,
		lateral (select coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') as whole) w,
		lateral (select case when exists (select from pg_constraint k where k.contype = 'f' and k.confrelid = 'plan'::regclass and k.conrelid = polrelid)
		  then regexp_replace(whole, '\(EXISTS \( SELECT\s+FROM plan p\s+WHERE \(\(p\.id = \w+\.plan\) AND \(p\.scope <@ \(current_setting\(''app\.write''::text\)\)::int8multirange\)\)\)\)', '', 'g')
		  else whole end as e) x
		where polrelid::regclass::text !~ '^(auth|audit|decision|restricted)\.'
		  and (e ~* 'select current_setting' or e ~* 'current_setting\([^)]*, *true' or (e ~ 'scope' and e !~ 'COALESCE'))`)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return bad
}

// TestNoClaimsNoRows: a statement that forgot its claims fails, also on a connection
// that had some before.
func TestNoClaimsNoRows(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	if _, err := admin.Exec(t.Context(), `insert into hazards (name, admin_code) values ('a', '990100001'); update hazards set level = 1;
		insert into plan (series, version_no, hazard, kind, title, admin_code, scope) values (uuid_v7(), 1, 'flood', 'risk', 'p', '990100', code_scope('990100'));
		insert into responsibility (kind, admin_code, scope) values ('patrol', '990100', code_scope('990100'));
		insert into duty_roster (admin_code, scope, role, unit, person, starts_at, ends_at) values ('990100', code_scope('990100'), 'leader', 'u', 'p', now(), now() + interval '1 h')`); err != nil {
		t.Fatal(err)
	}
	app := pgtest.Connect(t, dsn.App)
	for _, table := range []string{"hazards", "hazards_history", "plan", "responsibility", "duty_roster"} {
		ask := func(when, want string) {
			t.Helper()
			var n int
			if err := app.QueryRow(t.Context(), `select count(*) from `+table).Scan(&n); state(err) != want {
				t.Errorf("%s %s: %d rows, %v, want SQLSTATE %s", table, when, n, err, want)
			}
		}
		if table == "hazards" {
			ask("before any claims", "42704")
		}
		under(t, app, claim{read: "*", write: "*"}, func(tx pgx.Tx) {
			var n int
			if err := tx.QueryRow(t.Context(), `select count(*) from `+table).Scan(&n); err != nil || n != 1 {
				t.Errorf("%s with claims: %d, %v", table, n, err)
			}
		})
		ask("after the claims' transaction", "22P02")
		if _, err := app.Exec(t.Context(), `update `+table+` set scope = scope`); table != "hazards_history" && state(err) != "22P02" {
			t.Errorf("%s: update without claims: %v", table, err)
		}
	}
	if _, err := app.Exec(t.Context(), `insert into hazards (name, admin_code) values ('b', '990100001')`); state(err) != "22P02" {
		t.Errorf("insert without claims: %v", err)
	}
	// Half of the claims is none.
	fresh := pgtest.Connect(t, dsn.App)
	if _, err := fresh.Exec(t.Context(), `select set_config('app.read', $1, false)`, everywhere); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := fresh.QueryRow(t.Context(), `select count(*) from hazards`).Scan(&n); state(err) != "42704" {
		t.Errorf("without app.demo: %d rows, %v", n, err)
	}
}

// TestReadingFollowsScopeVisibilityAndDemo asks the same rows under different claims.
func TestReadingFollowsScopeVisibilityAndDemo(t *testing.T) {
	dsn := pgtest.Database(t)
	admin, app := pgtest.Connect(t, dsn.Admin), pgtest.Connect(t, dsn.App)
	if _, err := admin.Exec(t.Context(), `
		insert into dataset (name, title, demo) values ('d', 'd', true), ('r', 'r', false);
		insert into hazards (name, admin_code, dataset, source_key)
		select v.name, v.code, d.id, case when d.id is not null then v.name end
		from (values ('a1', '990100001', null), ('a2', '990100002', null), ('county', '990100', null), ('all', null, null), ('demo', '990100001', 'd'), ('real', '990100001', 'r')) v(name, code, ds)
		left join dataset d on d.name = v.ds;
		update hazards set admin_code = '990100002' where name = 'a1'`); err != nil {
		t.Fatal(err)
	}
	const live, past = `select name from hazards`, `select name from hazards_history`
	for _, c := range []struct {
		claim
		visibility, live, past string
	}{
		{claim{read: "*"}, "internal", "a1,a2,all,county,demo,real", "a1"},
		{claim{read: "990100001"}, "internal", "all,county,demo,real", "a1"},
		{claim{read: "990100002"}, "internal", "a1,a2,all,county", ""},
		{claim{read: "990100001001"}, "internal", "all,county,demo,real", "a1"},
		{claim{read: "980100"}, "internal", "all", ""},
		{claim{public: "*", sensitive: "*"}, "internal", "", ""},
		{claim{read: "*", demo: "on"}, "internal", "demo", ""},
		{claim{read: "990100002", demo: "on"}, "internal", "", ""},
		{claim{read: "*", public: "*"}, "sensitive", "", ""},
		{claim{sensitive: "990100002"}, "sensitive", "a1,a2,all,county", ""},
		{claim{public: "*"}, "public", "a1,a2,all,county,demo,real", "a1"},
		{claim{read: "*", sensitive: "*"}, "public", "", ""},
	} {
		if _, err := admin.Exec(t.Context(), `select layer_set_visibility('hazards', $1)`, c.visibility); err != nil {
			t.Fatal(err)
		}
		under(t, app, c.claim, func(tx pgx.Tx) {
			if got := names(t, tx, live); got != c.live {
				t.Errorf("%s %+v sees %q, want %q", c.visibility, c.claim, got, c.live)
			}
			if got := names(t, tx, past); got != c.past {
				t.Errorf("%s %+v sees history %q, want %q", c.visibility, c.claim, got, c.past)
			}
		})
	}
}

// TestWritingStaysInsideTheArea tries to bring rows in, take them out and change
// what lies elsewhere.
func TestWritingStaysInsideTheArea(t *testing.T) {
	dsn := pgtest.Database(t)
	admin, app := pgtest.Connect(t, dsn.Admin), pgtest.Connect(t, dsn.App)
	if _, err := admin.Exec(t.Context(), `
		insert into admin (code, admin_code, name, rank, geom) values
		 ('990100', '990100', '县', 3, st_makeenvelope(110, 30, 111, 31, 4490)),
		 ('990100001', '990100001', '甲', 4, st_makeenvelope(110, 30, 110.5, 31, 4490)),
		 ('990100002', '990100002', '乙', 4, st_makeenvelope(110.5, 30, 111, 31, 4490));
		insert into hazards (name, geom) values ('mine', st_point(110.1, 30.1, 4490)), ('theirs', st_point(110.9, 30.1, 4490)), ('both', st_makeline(st_point(110.1, 30.1, 4490), st_point(110.9, 30.1, 4490)))`); err != nil {
		t.Fatal(err)
	}
	own := claim{read: "990100", write: "990100001"}
	for _, c := range []struct {
		sql, state string
		rows       int64
	}{
		{`insert into hazards (name, geom) values ('new', st_point(110.2, 30.1, 4490))`, "", 1},
		{`insert into hazards (name, admin_code) values ('new', '990100001002')`, "", 1},
		{`insert into hazards (name, geom) values ('new', st_point(110.8, 30.1, 4490))`, "42501", 0},
		{`insert into hazards (name, admin_code) values ('new', '990100002')`, "42501", 0},
		{`insert into hazards (name, admin_code) values ('new', '990100')`, "42501", 0},
		{`insert into hazards (name, geom) values ('new', st_point(100, 30.1, 4490))`, "42501", 0},
		{`insert into hazards (name, geom, scope) values ('forged', st_point(110.8, 30.1, 4490), code_scope('990100002'))`, "42501", 0},
		{`update hazards set level = 1 where name = 'mine'`, "", 1},
		{`update hazards set level = 1`, "", 1}, // the others are not to be written, and are left alone
		{`update hazards set geom = st_point(110.8, 30.1, 4490) where name = 'mine'`, "42501", 0},
		{`update hazards set admin_code = '990100002' where name = 'mine'`, "42501", 0},
		{`update hazards set geom = st_point(110.2, 30.1, 4490) where name = 'theirs'`, "", 0},
		{`update hazards set name = 'x' where name = 'both'`, "", 0},
		{`delete from hazards`, "", 1},
		{`insert into hazards (id, name, geom) select id, 'again', st_point(110.2, 30.1, 4490) from hazards where name = 'theirs'`, "23505", 0},
		{`insert into hazards (id, name, geom) select id, 'again', st_point(110.2, 30.1, 4490) from hazards where name = 'theirs' on conflict (id) do update set name = 'x'`, "42501", 0},
	} {
		under(t, app, own, func(tx pgx.Tx) {
			tag, err := tx.Exec(t.Context(), c.sql)
			if state(err) != c.state || tag.RowsAffected() != c.rows {
				t.Errorf("%s: %d rows, %v; want %d, SQLSTATE %q", c.sql, tag.RowsAffected(), err, c.rows, c.state)
			}
		})
	}
	// A writer who reads nothing of the unit table still gets the scope everybody gets.
	if _, err := admin.Exec(t.Context(), `select layer_set_visibility('admin', 'sensitive')`); err != nil {
		t.Fatal(err)
	}
	under(t, app, own, func(tx pgx.Tx) {
		if got := names(t, tx, `insert into hazards (name, geom) values ('new', st_point(110.2, 30.1, 4490)) returning (scope = code_scope('990100001'))::text`); got != "true" {
			t.Errorf("scope of a narrow writer's row: %q", got)
		}
		if got := names(t, tx, `select name from admin`); got != "" {
			t.Errorf("finding the scope opened the unit table: %s", got)
		}
		// History and feed are written in his name all the same.
		if got := names(t, tx, `with u as (update hazards set level = 2 where name = 'new' returning 1) select count(*)::text from u`); got != "1" {
			t.Errorf("updated %s", got)
		}
		if got := names(t, tx, `select ended_op::text || ended_by from hazards_history where name = 'new'`); got != "Uonemap_app" {
			t.Errorf("history says %q", got)
		}
		if got := names(t, tx, `select op::text || actor from change_log where layer = 'hazards' and xid = pg_current_xact_id()`); got != "Ionemap_app,Uonemap_app" {
			t.Errorf("the feed says %q", got)
		}
	})
}

// TestAppRoleCannotLeaveTheFloor names the refusal of every way out.
func TestAppRoleCannotLeaveTheFloor(t *testing.T) {
	dsn := pgtest.Database(t)
	app := pgtest.Writer(t, dsn.App)
	var part string
	if err := app.QueryRow(t.Context(), `select inhrelid::regclass::text from pg_inherits where inhparent = 'change_log'::regclass order by 1 limit 1`).Scan(&part); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`set role postgres`, `set session authorization postgres`, `truncate hazards`, `truncate hazards_history`, `select * from pg_authid`, `copy (select 1) to program 'true'`,
		`copy hazards to '/dev/null'`, `select layer_guard('hazards')`, `select row_guard('hazards', 'app.public', false)`, `select layer_install('hazards')`,
		`alter table hazards disable row level security`, `alter table hazards no force row level security`, `drop policy reading on hazards`,
		`create policy mine on hazards using (true)`, `insert into hazards_history select h.* from hazards_history h`, `delete from hazards_history`, `update hazards_history set name = 'x'`,
		`insert into change_log (layer, op, actor) values ('hazards', 'B', 'x')`, `delete from change_log`, `delete from ` + part, `select * from ` + part, `select nextval('change_log_seq')`,
		`update layer set visibility = 'public'`, `update layer set table_name = 'plan'`, `update layer set scope_column = null`, `insert into layer select * from layer`, `delete from layer`,
		`insert into layer_field select * from layer_field`, `alter role onemap_app bypassrls`, `create function f() returns int language sql as 'select 1'`,
	} {
		if _, err := app.Exec(t.Context(), sql); state(err) != "42501" {
			t.Errorf("%s: %v, want SQLSTATE 42501", sql, err)
		}
	}
	// row_security = off is no way around: it turns the policy into an error.
	if _, err := app.Exec(t.Context(), `set row_security = off`); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`select * from hazards`, `update hazards set name = 'x'`, `delete from hazards`, `select * from plan`} {
		if _, err := app.Exec(t.Context(), sql); state(err) != "42501" {
			t.Errorf("%s without row security: %v, want SQLSTATE 42501", sql, err)
		}
	}
}

// TestOwnerIsNoExceptionAndNewLayersAreClosed: the owner of the tables is held by the
// policies as well, and a table installed later is guarded from the start.
func TestOwnerIsNoExceptionAndNewLayersAreClosed(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	if _, err := admin.Exec(t.Context(), `create table wells (like layer_base including all, geom geometry(Geometry,4490)); select layer_install('wells');
		alter table hazards owner to onemap_owner; alter table wells owner to onemap_owner; grant select on dataset to onemap_owner; insert into wells (name, admin_code) values ('w', '990100'); update wells set name = 'w2'`); err != nil {
		t.Fatal(err)
	}
	owner := pgtest.Connect(t, dsn.Owner)
	if _, err := owner.Exec(t.Context(), `select * from wells`); state(err) != "42704" {
		t.Errorf("the owner without claims: %v", err)
	}
	app := pgtest.Connect(t, dsn.App)
	see := func(visibility string, c claim, want string) {
		t.Helper()
		under(t, app, c, func(tx pgx.Tx) {
			if got := names(t, tx, `select name from wells union all select name from wells_history`); got != want {
				t.Errorf("%s, %+v: %q, want %q", visibility, c, got, want)
			}
		})
	}
	see("not in the catalogue", claim{read: "*", public: "*"}, "")
	see("not in the catalogue", claim{sensitive: "*"}, "w,w2")
	if _, err := admin.Exec(t.Context(), `insert into layer (layer, title_zh, title_en, theme, geometry, table_name, visibility) values ('wells', '井', 'Wells', 'hazards', 'point', 'wells', 'internal')`); err != nil {
		t.Fatal(err)
	}
	see("internal", claim{read: "*"}, "w,w2")
	see("internal", claim{public: "*"}, "")
	for _, c := range []struct{ visibility, reads string }{{"public", "public"}, {"sensitive", "sensitive"}, {"internal", "read"}} {
		if _, err := app.Exec(t.Context(), `select layer_set_visibility('wells', $1)`, c.visibility); err != nil {
			t.Fatal(err)
		}
		for _, have := range []string{"public", "read", "sensitive"} {
			cl := map[string]claim{"public": {public: "*"}, "read": {read: "*"}, "sensitive": {sensitive: "*"}}[have]
			want := ""
			if have == c.reads {
				want = "w,w2"
			}
			see(c.visibility, cl, want)
		}
	}
	if _, err := app.Exec(t.Context(), `select layer_set_visibility('no_such', 'public')`); state(err) != "P0002" {
		t.Errorf("an unknown layer: %v", err)
	}
	if _, err := app.Exec(t.Context(), `select layer_set_visibility('wells', 'secret')`); state(err) != "23514" {
		t.Errorf("an unknown visibility: %v", err)
	}
	// A later layer's feed works for the app role, and it cannot write around it.
	under(t, app, claim{read: "*", write: "*"}, func(tx pgx.Tx) {
		if _, err := tx.Exec(t.Context(), `insert into wells (name, admin_code) values ('v', '990100')`); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), fmt.Sprintf(`insert into wells_history select * from %s`, "wells_history")); state(err) != "42501" {
			t.Errorf("history by hand: %v", err)
		}
	})
}

// TestTheFeedCannotBeEmptied: the app role calls the upkeep of the feed, with any
// numbers it likes.
func TestTheFeedCannotBeEmptied(t *testing.T) {
	dsn := pgtest.Database(t)
	admin, app := pgtest.Connect(t, dsn.Admin), pgtest.Connect(t, dsn.App)
	if _, err := admin.Exec(t.Context(), `insert into hazards (name, admin_code) values ('a', '990100001');
		insert into change_log (layer, op, row_count, actor, at) values ('hazards', 'B', 1, 'long ago', now() - interval '60 days')`); err != nil {
		t.Fatal(err)
	}
	rows := func() (n int) {
		t.Helper()
		if err := admin.QueryRow(t.Context(), `select count(*) from change_log`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := rows()
	for _, args := range []string{"0, -400", "7, 0", "7, 34", "7, -1", "7, null", "null, 35", "0, 35", "-400, 35", "32, 35", "2147483647, 35", "7, 2147483647", "null, null"} {
		if _, err := app.Exec(t.Context(), `select change_log_maintain(`+args+`)`); state(err) != "22023" {
			t.Errorf("change_log_maintain(%s): %v", args, err)
		}
	}
	if n := rows(); n != before {
		t.Errorf("%d rows of %d are left", n, before)
	}
	for _, args := range []string{"", "1, 36500", "31, 400"} {
		if _, err := app.Exec(t.Context(), `select change_log_maintain(`+args+`)`); err != nil {
			t.Errorf("change_log_maintain(%s): %v", args, err)
		}
	}
	if n := rows(); n != before-1 {
		t.Errorf("%d rows of %d are left after the upkeep, want one less", n, before)
	}
}

// TestWhatImportsFoundIsTheProgramsOwn: rows as they came hold values of every area.
func TestWhatImportsFoundIsTheProgramsOwn(t *testing.T) {
	dsn := pgtest.Database(t)
	admin, app := pgtest.Connect(t, dsn.Admin), pgtest.Connect(t, dsn.App)
	if _, err := admin.Exec(t.Context(), `with d as (insert into dataset (name, title) values ('d', 'd') returning id), i as (insert into import (dataset, mode, source) select id, 'upsert', 's' from d returning id),
		c as (insert into import_change (import, layer, feature, source_key, op) select id, 'hazards', uuid_v7(), 'k', 'I' from i)
		insert into import_issue (import, seq, file, row_no, rule, kind, message, original) select id, 1, 'f', 1, 'r', 'rejected', 'm', '{"phone": "13812345678"}' from i`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"import_issue", "import_change"} {
		var n int
		if err := pgtest.Connect(t, dsn.App).QueryRow(t.Context(), `select count(*) from `+table).Scan(&n); state(err) != "42704" {
			t.Errorf("%s without claims: %d rows, %v", table, n, err)
		}
		for role, want := range map[string]int{"system": 1, "commander": 0, "auditor": 0, "data_engineer": 0, "": 0} {
			under(t, app, claim{public: "*", read: "*", sensitive: "*", write: "*"}, func(tx pgx.Tx) {
				if _, err := tx.Exec(t.Context(), `select set_config('app.role', $1, true)`, role); err != nil {
					t.Fatal(err)
				}
				if err := tx.QueryRow(t.Context(), `select count(*) from `+table).Scan(&n); err != nil || n != want {
					t.Errorf("%s as %q: %d rows, want %d (%v)", table, role, n, want, err)
				}
				tag, err := tx.Exec(t.Context(), `delete from `+table)
				if err != nil || int(tag.RowsAffected()) != want {
					t.Errorf("%s as %q: %d rows deleted, want %d (%v)", table, role, tag.RowsAffected(), want, err)
				}
			})
		}
	}
}

// TestNoEstimateGoesAroundTheFloor: PostGIS tells the box of a whole table from its
// statistics, as the owner.
func TestNoEstimateGoesAroundTheFloor(t *testing.T) {
	app := pgtest.Writer(t, pgtest.Database(t).App)
	for _, sql := range []string{`select st_estimatedextent('public', 'hazards', 'geom')`, `select st_estimatedextent('hazards', 'geom')`, `select st_estimatedextent('public', 'hazards', 'geom', true)`} {
		if _, err := app.Exec(t.Context(), sql); state(err) != "42501" {
			t.Errorf("%s: %v, want SQLSTATE 42501", sql, err)
		}
	}
}
