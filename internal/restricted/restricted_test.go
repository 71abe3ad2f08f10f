package restricted_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/restricted"
)

const (
	contactA  = "01900000-0000-7000-8000-00000000000a" // township 990100101
	contactB  = "01900000-0000-7000-8000-00000000000b" // other township
	contactD  = "01900000-0000-7000-8000-00000000000d" // county leader on duty
	hazard    = "01900000-0000-7000-8000-0000000000f1"
	attribute = "01900000-0000-7000-8000-0000000000a1"
	household = "01900000-0000-7000-8000-0000000000b1"
)

func open(t *testing.T) (*restricted.Store, *db.DB, pgtest.DSNs) {
	t.Helper()
	dsn := pgtest.Database(t)
	admin := pgtest.Connect(t, dsn.Admin)
	for _, sql := range []string{
		`select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false)`,
		`insert into hazards (id, name, admin_code) values ('` + hazard + `', '滑坡', '990100101')`,
		`insert into responsibility (id, kind, layer, feature, scope, unit, person) values ('01900000-0000-7000-8000-000000000001', 'patrol', 'hazards', '` + hazard + `', code_scope('990100101'), '甲镇', '王一')`,
		`insert into responsibility (id, kind, admin_code, scope, unit, person) values ('01900000-0000-7000-8000-000000000002', 'patrol', '990100102', code_scope('990100102'), '乙镇', '李二')`,
		`insert into duty_roster (id, admin_code, scope, role, unit, person, starts_at, ends_at) values ('01900000-0000-7000-8000-000000000003', '990100', code_scope('990100'), 'leader', '应急局', '张带班', now() - interval '1 hour', now() + interval '1 hour')`,
		`insert into restricted.contact (id, responsibility, phone, deputy_phone) values ('` + contactA + `', '01900000-0000-7000-8000-000000000001', '13812345678', '0451-82345678')`,
		`insert into restricted.contact (id, responsibility, phone) values ('` + contactB + `', '01900000-0000-7000-8000-000000000002', '13900000000')`,
		`insert into restricted.contact (id, duty, phone) values ('` + contactD + `', '01900000-0000-7000-8000-000000000003', '82101')`,
		`insert into restricted.attribute (id, layer, feature, name, value) values ('` + attribute + `', 'hazards', '` + hazard + `', '身份证号', '110101199001011234')`,
		`insert into restricted.household (id, admin_code, scope, head, phone, building) values ('` + household + `', '990100101', code_scope('990100101'), '王户主', '13711112222', '` + hazard + `')`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	s, err := restricted.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	return s, d, dsn
}

// claims of a duty officer of an area, who reads another.
func claims(t *testing.T, read, write string) db.Claims {
	t.Helper()
	c := db.Claims{Actor: "duty", Role: "duty_officer"}
	scopes := func(code string) geo.Scopes {
		if code == "" {
			return nil
		}
		s, err := geo.ParseScopes(code)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	c.Reach = db.NewReach(db.Areas{Internal: scopes(read), Sensitive: scopes(read)})
	c.Write = scopes(write)
	return c
}

func doer() audit.Doer { return audit.Doer{Actor: "duty", Role: "duty_officer", Peer: "10.0.0.1"} }

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := restricted.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestTheAppRoleReadsNoPersonalColumn(t *testing.T) {
	_, _, dsn := open(t)
	app := pgtest.Connect(t, dsn.App)
	if _, err := app.Exec(t.Context(), `select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false), set_config('app.role', 'system', false)`); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`select phone from restricted.contact`, `select deputy_phone from restricted.contact`, `select * from restricted.contact`, `select c from restricted.contact c`,
		`select value from restricted.attribute`, `select head from restricted.household`, `select phone from restricted.household`, `select row_to_json(h) from restricted.household h`,
		`select id from restricted.contact where phone like '138%'`, `delete from restricted.contact where phone = '13812345678'`, `delete from restricted.contact returning phone`,
		`update restricted.contact set phone = '1'`, `update restricted.attribute set value = '1'`, `insert into restricted.attribute (layer, feature, name, value) values ('hazards', uuid_v7(), 'x', 'y') returning value`,
		`insert into restricted.attribute (layer, feature, name, value) values ('hazards', uuid_v7(), 'x', 'y')`,
		`copy restricted.contact to stdout`, `truncate restricted.contact`, `select * from restricted.permit`, `select * from restricted.people(null, null, null)`,
		`create view v as select phone from restricted.contact`, `select restricted.feature_scope('hazards', uuid_v7())`,
	} {
		_, err := app.Exec(t.Context(), sql)
		if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: %v, want 42501", sql, err)
		}
	}
}

func TestListIsMaskedAndKeepsToTheArea(t *testing.T) {
	s, _, dsn := open(t)
	names := func(c db.Claims, f restricted.Filter) string {
		t.Helper()
		f.Doer = doer()
		list, err := s.List(t.Context(), c, f)
		if err != nil {
			t.Errorf("%+v: %v", f, err)
		}
		var out []string
		for _, e := range list {
			out = append(out, e.Person+e.Role)
			for _, v := range e.Fields {
				if !strings.Contains(v, "****") {
					t.Errorf("%s is not masked: %q", e.ID, v)
				}
			}
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		name, read string
		f          restricted.Filter
		want       string
	}{
		{"own township", "990100101", restricted.Filter{}, "王一patrol 张带班leader"}, {"county", "990100", restricted.Filter{}, "王一patrol 李二patrol 张带班leader"},
		{"other county", "990200", restricted.Filter{}, ""}, {"nobody", "", restricted.Filter{}, ""},
		{"by area", "990100", restricted.Filter{Area: "990100102"}, "李二patrol 张带班leader"},
		{"by feature", "990100", restricted.Filter{Layer: "hazards", Feature: hazard}, "王一patrol 身份证号"},
		{"by feature of another county", "990200", restricted.Filter{Layer: "hazards", Feature: hazard}, ""},
		{"household", "990100101", restricted.Filter{Layer: "buildings", Feature: hazard}, ""},
		{"after", "990100", restricted.Filter{After: contactA}, "李二patrol 张带班leader"}, {"limit", "990100", restricted.Filter{Limit: 1}, "王一patrol"},
	} {
		if c.name == "household" {
			list, err := s.List(t.Context(), claims(t, c.read, ""), c.f)
			if err != nil || len(list) != 1 || list[0].Fields["phone"] != "137****2222" || list[0].Fields["head"] != "****" {
				t.Errorf("household: %+v %v", list, err)
			}
			continue
		}
		if got := names(claims(t, c.read, ""), c.f); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	list, err := s.List(t.Context(), claims(t, "990100", ""), restricted.Filter{Limit: 1, Doer: doer()})
	if err != nil || list[0].Fields["phone"] != "138****5678" || list[0].Fields["deputy_phone"] != "045****5678" {
		t.Errorf("%+v %v", list, err)
	}
	for _, f := range []restricted.Filter{{Area: "1"}, {Area: "123"}, {Area: "99'"}, {Layer: "Hazards"}, {Feature: hazard}, {Layer: "hazards", Feature: "x"}, {After: "x"}} {
		if _, err := s.List(t.Context(), claims(t, "990100", ""), f); !errors.Is(err, restricted.ErrInvalid) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	var looks int
	if err := pgtest.Connect(t, dsn.Admin).QueryRow(t.Context(), `select count(*) from audit.entry where action = 'restricted.list'`).Scan(&looks); err != nil || looks != 11 {
		t.Errorf("%d looks are recorded, want 11; %v", looks, err)
	}
}

func TestRevealRecordsFirst(t *testing.T) {
	s, _, dsn := open(t)
	admin := pgtest.Connect(t, dsn.Admin)
	entries := func() (n int) {
		t.Helper()
		if err := admin.QueryRow(t.Context(), `select count(*) from audit.entry where action = 'restricted.reveal' and reason = '通知转移' and actor = 'duty' and after::text !~ '12345678|199001'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, c := range []struct{ id, field, want string }{
		{contactA, "phone", "13812345678"}, {contactA, "deputy_phone", "0451-82345678"}, {attribute, "value", "110101199001011234"}, {household, "phone", "13711112222"},
	} {
		got, err := s.Reveal(t.Context(), claims(t, "990100101", "990100101"), doer(), c.id, " 通知转移 ")
		if err != nil || got[c.field] != c.want {
			t.Errorf("%s %s = %q, %v", c.id, c.field, got[c.field], err)
		}
		if n := entries(); n != i+1 {
			t.Errorf("%d entries, want %d", n, i+1)
		}
	}
	for _, c := range []struct {
		name, read, write, id, reason string
		want                          error
	}{
		{"no reason", "990100", "990100", contactA, "", restricted.ErrReason}, {"blanks", "990100", "990100", contactA, "\u3000 \t  \n ", restricted.ErrReason},
		{"three characters", "990100", "990100", contactA, " 要电话 ", restricted.ErrReason},
		{"another township", "990100101", "990100101", contactB, "通知转移", restricted.ErrNotFound}, {"reads but does not act there", "990100", "990100101", contactB, "通知转移", restricted.ErrNotFound},
		{"acts but does not read there", "990100101", "990100", contactB, "通知转移", restricted.ErrNotFound}, {"no area", "", "", contactA, "通知转移", restricted.ErrNotFound},
		{"absent", "990100", "990100", "01900000-0000-7000-8000-0000000000ff", "通知转移", restricted.ErrNotFound}, {"no id", "990100", "990100", "x' or true", "通知转移", restricted.ErrNotFound},
		{"the county's leader, from a township", "990100101", "990100101", contactD, "通知转移", restricted.ErrNotFound},
		{"the county's leader, from a township that reads the county", "990100", "990100101", contactD, "通知转移", restricted.ErrNotFound},
		{"the township's patrol, from a village", "990100101", "990100101001", contactA, "通知转移", restricted.ErrNotFound},
		{"a household, from a village", "990100101", "990100101001", household, "通知转移", restricted.ErrNotFound},
		{"an attribute, from a village", "990100101", "990100101001", attribute, "通知转移", restricted.ErrNotFound},
		{"attribute elsewhere", "990200", "990200", attribute, "通知转移", restricted.ErrNotFound},
	} {
		if got, err := s.Reveal(t.Context(), claims(t, c.read, c.write), doer(), c.id, c.reason); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %v %v, want %v", c.name, got, err, c.want)
		}
	}
	if n := entries(); n != 4 {
		t.Errorf("refusals count as looks: %d", n)
	}
}

// TestNothingIsSeenWithoutATrace plays somebody who has the app role's connection.
func TestNothingIsSeenWithoutATrace(t *testing.T) {
	_, d, dsn := open(t)
	c := claims(t, "990100", "990100")
	const ask = `select restricted.ask('` + contactA + `', '想知道电话', '', '', 'eve', '', '', '', '', '')::text`
	var permit string
	var fields map[string]string
	rolledBack := errors.New("no trace please")
	err := d.Intake.Tx(t.Context(), c, func(tx pgx.Tx) error {
		if err := tx.QueryRow(t.Context(), ask).Scan(&permit); err != nil {
			return err
		}
		if err := tx.QueryRow(t.Context(), `select restricted.reveal($1::uuid)`, permit).Scan(&fields); err != nil {
			return err
		}
		return rolledBack
	})
	if !errors.Is(err, rolledBack) || fields != nil {
		t.Errorf("in the asking transaction: %v %v", fields, err)
	}
	look := func(id string) error {
		fields = nil
		return d.Intake.Tx(context.Background(), c, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), `select restricted.reveal($1::uuid)`, id).Scan(&fields)
		})
	}
	if err := look(permit); err != nil || fields != nil {
		t.Errorf("by a permit that was rolled back: %v %v", fields, err)
	}
	err = d.Intake.Tx(t.Context(), c, func(tx pgx.Tx) error {
		if err := tx.QueryRow(t.Context(), ask).Scan(&permit); err != nil {
			return err
		}
		return look(permit) // another connection, before the commit
	})
	if err != nil || fields != nil {
		t.Errorf("before the commit: %v %v", fields, err)
	}
	if err := look(permit); err != nil || fields["phone"] != "13812345678" {
		t.Errorf("after the commit: %v %v", fields, err)
	}
	if _, err := pgtest.Connect(t, dsn.Admin).Exec(t.Context(), `update restricted.permit set at = at - interval '2 minutes'`); err != nil {
		t.Fatal(err)
	}
	if err := look(permit); err != nil || fields != nil {
		t.Errorf("two minutes later: %v %v", fields, err)
	}
	for _, reason := range []string{"''", "null", "'   '", "'abc'", `E'\u3000\u3000\u3000\u3000'`} {
		err := d.Intake.Tx(t.Context(), c, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), strings.Replace(ask, "'想知道电话'", reason, 1)).Scan(&permit)
		})
		if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "22023" {
			t.Errorf("reason %s past Go: %v", reason, err)
		}
	}
	if _, err := pgtest.Connect(t, dsn.App).Exec(t.Context(), ask); err == nil {
		t.Error("without claims somebody was let in")
	}
}
