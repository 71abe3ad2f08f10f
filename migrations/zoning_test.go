package migrations_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pgtest"
)

const (
	drawer   = "01900000-0000-7000-8000-000000000001"
	editor   = "01900000-0000-7000-8000-000000000002"
	approver = "01900000-0000-7000-8000-000000000003"
	series   = "01900000-0000-7000-8000-0000000000aa"
)

func planID(n int) string { return fmt.Sprintf("01900000-0000-7000-8000-0000000001%02d", n) }

// steps of a plan's life as SQL, each by who may do it.
var steps = []struct{ to, sql string }{
	{"submitted", `state = 'submitted', submitted_at = now(), submitted_by = 'a', submitted_account = '` + drawer + `'`},
	{"in_review", `state = 'in_review'`},
	{"approved", `state = 'approved', approved_at = now(), approved_by = 'c', approved_account = '` + approver + `'`},
	{"published", `state = 'published', published_at = now(), published_by = 'c', published_account = '` + approver + `', document_no = '示例发〔2025〕1号', effective_from = '2025-01-01'`},
}

// planAt makes version n of the series and brings it to a state, its zones too.
func planAt(t *testing.T, conn *pgx.Conn, n int, state string) string {
	t.Helper()
	id := planID(n)
	run := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run(fmt.Sprintf(`insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope, created_account, area)
		values ('%s', '%s', %d, 'flood', 'risk', 'p', '990100', code_scope('990100'), '%s', st_makeenvelope(110, 30, 111, 31, 4490))`, id, series, n, drawer))
	run(fmt.Sprintf(`insert into plan_edit (plan, edit_id, title_zh, title_en, ops, account) values ('%s', uuid_v7(), '画', 'draw', '[]', '%s')`, id, editor))
	run(fmt.Sprintf(`insert into zones (plan, zone, kind, hazard, level, name, admin_code, geom) values
		('%[1]s', uuid_v7(), 'risk', 'flood', 1, 'west', '990100', st_makeenvelope(110, 30, 110.5, 31, 4490)), ('%[1]s', uuid_v7(), 'risk', 'flood', 2, 'east', '990100', st_makeenvelope(110.5, 30, 111, 31, 4490))`, id))
	for _, s := range steps {
		if state == "draft" {
			break
		}
		run(`update plan set ` + s.sql + ` where id = '` + id + `'`)
		if s.to == "published" {
			run(`update zones set published = true, valid_from = '2025-01-01Z' where plan = '` + id + `'`)
		}
		if s.to == state {
			break
		}
	}
	return id
}

// refused runs statements, each alone and taken back, and wants a code from each.
func refused(t *testing.T, conn *pgx.Conn, want string, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if got := attempt(t, conn, sql); got != want {
			t.Errorf("%s: %q, want SQLSTATE %s", sql, got, want)
		}
	}
}

func attempt(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	tag, err := tx.Exec(t.Context(), sql)
	if err == nil && tag.RowsAffected() == 0 {
		return "no row"
	}
	return state(err)
}

// TestAPublishedPlanNeverChanges tries every column of the plan and of its zones, the
// ones of later migrations too, as the app role and as the superuser.
func TestAPublishedPlanNeverChanges(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	id := planAt(t, admin, 1, "published")
	for who, conn := range map[string]*pgx.Conn{"app": pgtest.Writer(t, dsn.App), "superuser": admin} {
		columns := func(table string, free ...string) {
			t.Helper()
			rows, err := admin.Query(t.Context(), `select attname, format_type(atttypid, atttypmod) from pg_attribute
				where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' and not attname = any ($2)`, table, free)
			if err != nil {
				t.Fatal(err)
			}
			type column struct{ Name, Type string }
			list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
			if err != nil || len(list) < 10 {
				t.Fatalf("%d columns of %s: %v", len(list), table, err)
			}
			key := map[string]string{"plan": "id", "zones": "plan"}[table]
			for _, c := range list {
				other := map[string]string{
					"text": "'x'", "uuid": "uuid_v7()", "integer": "77", "smallint": "4", "bigint": "77", "double precision": "77.5", "boolean": "not " + c.Name, "jsonb": `'{"x": 1}'`,
					"date": "'2024-12-31'", "timestamp with time zone": "'2024-01-01Z'", "int8range": "code_scope('990100001')", "geometry(Geometry,4490)": "st_makeenvelope(110, 30, 110.25, 31, 4490)",
				}[c.Type]
				if other == "" {
					t.Fatalf("%s.%s: no other value of %s", table, c.Name, c.Type)
				}
				switch table + "." + c.Name {
				case "plan.kind", "zones.kind":
					other = "'prevention'"
				case "plan.unit":
					other = "'village'"
				case "plan.state":
					other = "'draft'"
				case "zones.admin_code":
					other = "'990100001'"
				case "zones.fid": // an identity column: only the default can be written
					other = "default"
				}
				want := "OM001"
				switch table + "." + c.Name {
				case "plan.state":
					want = "OM002"
				case "zones.id":
					want = "55000"
				}
				refused(t, conn, want, fmt.Sprintf(`update %s set %s = %s where %s = '%s'`, table, pgx.Identifier{c.Name}.Sanitize(), other, key, id))
			}
		}
		columns("plan", "version", "updated_at", "effective_to", "withdrawn_at", "withdrawn_by")
		columns("zones", "valid_to", "version", "created_at", "recorded_at", "recorded_by")
		refused(t, conn, "OM001",
			`delete from plan where id = '`+id+`'`, `delete from zones where plan = '`+id+`'`, `update zones set valid_from = null where plan = '`+id+`'`,
			`insert into zones (plan, zone, level, name, admin_code, published) values ('`+id+`', uuid_v7(), 1, 'n', '990100', true)`,
			`insert into zones (plan, zone, level, name, admin_code) values ('`+id+`', uuid_v7(), 1, 'n', '990100')`,
			`insert into plan_review (plan, zone, verdict, zone_version) select plan, zone, 'accepted', 1 from zones where plan = '`+id+`'`)
		// An end is set, brought forward, and never put off.
		for sql, want := range map[string]string{
			`update plan set effective_to = '2026-01-01' where id = $`:                                   "",
			`update zones set valid_to = '2026-01-01Z' where plan = $`:                                   "",
			`update plan set state = 'superseded', effective_to = '2026-01-01' where id = $`:             "",
			`update plan set state = 'withdrawn', effective_to = '2025-06-01' where id = $`:              "",
			`update plan set state = 'superseded', effective_to = '2026-01-01', note = 'x' where id = $`: "OM001",
			`update zones set valid_to = '2026-01-01Z', level = 3 where plan = $`:                        "OM001",
			`update zones set valid_to = '2026-01-01Z', geom = st_reverse(geom) where plan = $`:          "OM001",
		} {
			if got := attempt(t, conn, strings.ReplaceAll(sql, "$", "'"+id+"'")); got != want {
				t.Errorf("%s, %s: %q, want %q", who, sql, got, want)
			}
		}
	}
	for _, sql := range []string{`update plan set state = 'superseded', effective_to = '2026-01-01' where id = '` + id + `'`, `update zones set valid_to = '2026-01-01Z' where plan = '` + id + `'`} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, admin, "OM001", `update plan set effective_to = '2027-01-01'`, `update plan set effective_to = null`, `update zones set valid_to = null`, `update zones set valid_to = '2027-01-01Z'`,
		`update plan set title = 'x'`, `update zones set level = 3`, `delete from zones`, `delete from plan`)
}

// TestStatesFollowEachOther tries every state after every other.
func TestStatesFollowEachOther(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	all := []string{"draft", "consultation", "expert_review", "submitted", "in_review", "returned", "approved", "published", "superseded", "withdrawn"}
	follows := map[string]string{
		"draft": "consultation expert_review submitted withdrawn", "returned": "consultation expert_review submitted withdrawn",
		"consultation": "draft withdrawn", "expert_review": "draft withdrawn", "submitted": "in_review draft withdrawn", "in_review": "returned approved withdrawn",
		"approved": "published returned withdrawn", "published": "superseded withdrawn", "superseded": "withdrawn", "withdrawn": "",
	}
	way := map[string][]string{
		"consultation": {"consultation"}, "expert_review": {"expert_review"}, "submitted": {"submitted"}, "in_review": {"submitted", "in_review"}, "returned": {"submitted", "in_review", "returned"},
		"approved": {"submitted", "in_review", "approved"}, "published": {"submitted", "in_review", "approved", "published"}, "superseded": {"submitted", "in_review", "approved", "published", "superseded"}, "withdrawn": {"withdrawn"},
	}
	set := func(to string) string {
		for _, s := range steps {
			if s.to == to {
				return `update plan set ` + s.sql
			}
		}
		return `update plan set state = '` + to + `'`
	}
	for _, from := range all {
		for _, to := range all {
			if from == to {
				continue
			}
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `insert into plan (series, version_no, hazard, kind, title, admin_code, scope) values (uuid_v7(), 1, 'flood', 'risk', 'p', '990100', code_scope('990100'))`); err != nil {
				t.Fatal(err)
			}
			for _, s := range way[from] {
				if _, err := tx.Exec(t.Context(), set(s)); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
			want := "OM002"
			if strings.Contains(" "+follows[from]+" ", " "+to+" ") {
				want = ""
			}
			if _, err := tx.Exec(t.Context(), set(to)); state(err) != want && (want != "OM002" || state(err) != "OM001") {
				t.Errorf("%s after %s: %v, want %q", to, from, err, want)
			}
			_ = tx.Rollback(t.Context())
		}
	}
	for _, s := range all[1:] {
		refused(t, conn, "OM002", `insert into plan (series, version_no, hazard, kind, title, admin_code, scope, state) values (uuid_v7(), 1, 'flood', 'risk', 'p', '990100', code_scope('990100'), '`+s+`')`)
	}
}

// TestFourEyesInTheDatabase: neither who made, edited or submitted a version, nor who had
// its zones computed, approves or publishes it; nor does nobody.
func TestFourEyesInTheDatabase(t *testing.T) {
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	app := pgtest.Writer(t, dsn.App)
	id := planAt(t, admin, 1, "in_review")
	const computer, earlier = "01900000-0000-7000-8000-000000000008", "01900000-0000-7000-8000-000000000009"
	if _, err := admin.Exec(t.Context(), `insert into plan_event (plan, from_state, to_state, account) values ($1, 'draft', 'draft', $2), ($1, 'returned', 'submitted', $3)`, id, computer, earlier); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{drawer, editor, computer, earlier} {
		refused(t, app, "OM003", `update plan set state = 'approved', approved_at = now(), approved_account = '`+who+`'`)
	}
	refused(t, app, "OM002", `update plan set state = 'approved'`, `update plan set state = 'approved', approved_at = now()`, `update plan set state = 'approved', approved_account = '`+approver+`'`)
	// Who submitted is not rewritten on the way, nor who approved.
	refused(t, app, "OM001", `update plan set submitted_account = uuid_v7()`, `update plan set state = 'approved', approved_at = now(), approved_account = '`+drawer+`', submitted_account = uuid_v7()`,
		`update plan set created_account = uuid_v7()`, `update plan set approved_account = '`+approver+`'`, `update plan set document_no = 'x'`, `update plan set effective_from = now()`)
	refused(t, app, "42501", `delete from plan_event`, `update plan_event set account = null`, `delete from plan_edit`, `update plan_edit set account = null`, `update plan_edit_zone set before = null`, `delete from plan_edit_zone`)
	if _, err := app.Exec(t.Context(), `update plan set `+steps[2].sql); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{drawer, editor, computer, earlier} {
		refused(t, app, "OM003", `update plan set state = 'published', published_at = now(), published_account = '`+who+`', document_no = 'x', effective_from = now()`)
	}
	refused(t, app, "OM002", `update plan set state = 'published', published_at = now(), document_no = 'x', effective_from = now()`,
		`update plan set state = 'published', published_at = now(), published_account = '`+approver+`', effective_from = now()`,
		`update plan set state = 'published', published_at = now(), published_account = '`+approver+`', document_no = 'x'`)
	refused(t, app, "OM001", `update plan set approved_account = uuid_v7()`, `update plan set title = 'x'`, `update plan set area = null`, `update zones set level = 3`, `delete from zones`)
	if _, err := app.Exec(t.Context(), `update plan set `+steps[3].sql); err != nil {
		t.Error(err)
	}
}

// TestOneVersionInForce: two versions of a series do not hold on one day, nor are two
// worked on at once.
func TestOneVersionInForce(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	first := planAt(t, conn, 1, "published")
	second := planAt(t, conn, 2, "approved")
	refused(t, conn, "23505", `insert into plan (series, version_no, hazard, kind, title, admin_code, scope) values ('`+series+`', 3, 'flood', 'risk', 'p', '990100', code_scope('990100'))`)
	publish := func(from string) string { return strings.ReplaceAll(steps[3].sql, "2025-01-01", from) }
	refused(t, conn, "23505", `update plan set `+publish("2026-01-01")+` where id = '`+second+`'`)
	for _, c := range []struct{ end, from, want string }{{"2026-01-02", "2026-01-01", "23P01"}, {"2026-01-01", "2026-01-01", ""}, {"2025-01-01", "2025-01-01", ""}, {"2026-01-01", "2024-01-01", "23P01"}} {
		for _, ended := range []string{"superseded", "withdrawn"} {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `update plan set state = $2, effective_to = $3::date where id = $1`, first, ended, c.end); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `update plan set `+publish(c.from)+` where id = '`+second+`'`); state(err) != c.want {
				t.Errorf("%s until %s, the next from %s: %v, want %q", ended, c.end, c.from, err, c.want)
			}
			_ = tx.Rollback(t.Context())
		}
	}
}

// TestZonesStayInTheirPlan: a row does not leave a plan, nor come into one, and no draft
// is shown.
func TestZonesStayInTheirPlan(t *testing.T) {
	conn := pgtest.Writer(t, pgtest.Database(t).App)
	published := planAt(t, conn, 1, "published")
	draft := planAt(t, conn, 2, "draft")
	if _, err := conn.Exec(t.Context(), `insert into zones (name, level, admin_code) values ('loose', 1, '990100')`); err != nil {
		t.Fatal(err)
	}
	refused(t, conn, "OM001",
		`update zones set plan = null where plan = '`+published+`'`, `update zones set plan = null, zone = null where plan = '`+published+`'`, `update zones set plan = '`+draft+`' where plan = '`+published+`'`,
		`update zones set plan = '`+published+`' where plan = '`+draft+`'`, `update zones set plan = '`+published+`', zone = uuid_v7() where name = 'loose'`, `update zones set plan = '`+draft+`', zone = uuid_v7() where name = 'loose'`,
		`update zones set zone = uuid_v7() where plan = '`+draft+`'`, `update zones set published = true where plan = '`+draft+`'`,
		`insert into zones (plan, zone, level, name, admin_code, published) values ('`+draft+`', uuid_v7(), 1, 'n', '990100', true)`, `insert into zones (plan, level, name, admin_code) values ('`+draft+`', 1, 'n', '990100')`)
	for _, sql := range []string{`update zones set level = 4 where name = 'loose'`, `update zones set level = 4 where plan = '` + draft + `'`, `delete from zones where name = 'loose'`, `delete from zones where plan = '` + draft + `'`} {
		if got := attempt(t, conn, sql); got != "" {
			t.Errorf("%s: %s", sql, got)
		}
	}
}

// TestNoEditSlipsInBesideASubmission: who writes a zone waits for who changes the state.
func TestNoEditSlipsInBesideASubmission(t *testing.T) {
	dsn := pgtest.Database(t)
	one, two := pgtest.Writer(t, dsn.App), pgtest.Writer(t, dsn.App)
	id := planAt(t, one, 1, "draft")
	tx, err := one.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `update plan set `+steps[0].sql); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := two.Exec(context.Background(), `update zones set level = 5 where plan = '`+id+`'`)
		done <- err
	}()
	var waits int
	watch := pgtest.Connect(t, dsn.Admin)
	for waits == 0 {
		if err := watch.QueryRow(t.Context(), `select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'update zones%'`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			t.Fatalf("the edit did not wait: %v", err)
		default:
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; state(err) != "OM001" {
		t.Errorf("the edit beside the submission: %v, want OM001", err)
	}
}

// TestTheDemoCountysPlansComeAndGo: they are put in as published, written again by the
// loader, and taken out whole, with the versions people made of them. Those are held
// like any other meanwhile.
func TestTheDemoCountysPlansComeAndGo(t *testing.T) {
	conn := pgtest.Writer(t, pgtest.Database(t).App)
	for _, sql := range []string{
		`insert into dataset (name, title, demo) values ('demo', '演示', true)`,
		`insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope, state, document_no, effective_from, dataset)
			select '` + planID(1) + `', '` + series + `', 1, 'multi', 'risk', 'p', '990100', code_scope('990100'), 'published', 'd', '2025-01-01', id from dataset where demo`,
		`insert into zones (dataset, source_key, plan, zone, level, name, admin_code, published) select id, 'z', '` + planID(1) + `', uuid_v7(), 1, 'n', '990100', true from dataset where demo`,
		`update zones set level = 2`,
		`insert into plan (id, series, version_no, parent, hazard, kind, title, admin_code, scope, dataset, created_account)
			select '` + planID(2) + `', '` + series + `', 2, '` + planID(1) + `', 'multi', 'risk', 'p', '990100', code_scope('990100'), id, '` + drawer + `' from dataset where demo`,
		`insert into zones (plan, zone, level, name, admin_code) values ('` + planID(2) + `', uuid_v7(), 1, 'n', '990100')`,
		`update plan set ` + steps[0].sql + ` where version_no = 2`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	refused(t, conn, "OM001", `update zones set level = 3 where plan = '`+planID(2)+`'`, `update plan set title = 'x' where version_no = 2`,
		`delete from zones where plan = '`+planID(2)+`'`, `delete from plan where version_no = 2`, `delete from zones`)
	refused(t, conn, "OM002", `insert into plan (series, version_no, hazard, kind, title, admin_code, scope, state, document_no, effective_from, dataset, created_account)
			select uuid_v7(), 1, 'multi', 'risk', 'p', '990100', code_scope('990100'), 'published', 'd', '2025-01-01', id, '`+drawer+`' from dataset where demo`)
	var left int
	if err := conn.QueryRow(t.Context(), `select count(*) from zones where dataset is null`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d zones of the demo county would stay (%v)", left, err)
	}
	if _, err := conn.Exec(t.Context(), `select set_config('app.role', 'system', false)`); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`delete from zones where dataset in (select id from dataset where demo)`, `delete from plan where dataset in (select id from dataset where demo)`} {
		if got := attempt(t, conn, sql); got != "" && !strings.HasPrefix(sql, "delete from plan") {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if _, err := conn.Exec(t.Context(), `delete from zones; delete from plan`); err != nil {
		t.Errorf("taken out: %v", err)
	}
}

// TestAnOpinionKeepsItsWords: the app role adds the answer and changes nothing else.
func TestAnOpinionKeepsItsWords(t *testing.T) {
	dsn := pgtest.Database(t)
	app := pgtest.Writer(t, dsn.App)
	id := planAt(t, app, 1, "draft")
	if _, err := app.Exec(t.Context(), `insert into plan_comment (plan, round, body) values ('`+id+`', 'drafting', '不妥')`); err != nil {
		t.Fatal(err)
	}
	refused(t, app, "42501", `update plan_comment set body = 'fine'`, `update plan_comment set unit = 'x'`, `update plan_comment set plan = plan`, `delete from plan_comment`)
	refused(t, app, "23514", `update plan_comment set answer = 'not_adopted', answered_at = now()`, `update plan_comment set answer = 'partly', answered_at = now(), reason = ' '`, `update plan_comment set answer = 'adopted'`)
	if got := attempt(t, app, `update plan_comment set answer = 'not_adopted', reason = '超出范围', answered_at = now()`); got != "" {
		t.Error(got)
	}
	// Seen with the plan, said by whoever sees it, answered by who writes in its area.
	other := pgtest.Connect(t, dsn.App)
	under(t, other, claim{read: "980100", write: "980100"}, func(tx pgx.Tx) {
		if got := names(t, tx, `select body from plan_comment`) + names(t, tx, `select title_zh from plan_edit`) + names(t, tx, `select title from plan`); got != "" {
			t.Errorf("another county sees %q", got)
		}
		if _, err := tx.Exec(t.Context(), `insert into plan_comment (plan, round, body) values ('`+id+`', 'drafting', 'x')`); state(err) != "42501" {
			t.Errorf("another county says something: %v", err)
		}
	})
	under(t, other, claim{read: "990100001"}, func(tx pgx.Tx) {
		if got := names(t, tx, `select body from plan_comment`); got != "不妥" {
			t.Errorf("who reads a township sees %q", got)
		}
		if _, err := tx.Exec(t.Context(), `insert into plan_comment (plan, round, body) values ('`+id+`', 'drafting', 'x')`); err != nil {
			t.Errorf("who reads a township says something: %v", err)
		}
		if tag, err := tx.Exec(t.Context(), `update plan_comment set answer = 'adopted', answered_at = now()`); err != nil || tag.RowsAffected() != 0 {
			t.Errorf("he answers: %v %v", tag, err)
		}
		if _, err := tx.Exec(t.Context(), `insert into plan_event (plan, to_state) values ('`+id+`', 'submitted')`); state(err) != "42501" {
			t.Errorf("he writes an event: %v", err)
		}
	})
}
