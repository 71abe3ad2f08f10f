package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
)

type house struct {
	pgtest.DSNs
	db  *db.DB
	log *audit.Log
}

func open(t testing.TB) *house {
	t.Helper()
	h := &house{DSNs: pgtest.Database(t)}
	var err error
	if h.db, err = db.Open(context.Background(), db.Options{DSN: h.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	return h
}

func (h *house) record(t testing.TB, entries ...audit.Entry) {
	t.Helper()
	err := h.db.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error {
		for _, e := range entries {
			if err := audit.Record(t.Context(), tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func doer() audit.Doer {
	return audit.Doer{Actor: "wang", Role: "duty_officer", Grant: "g1", Kind: "session", Session: "s1", Peer: "10.1.2.3", Request: "r-1"}
}

func one[T any](t testing.TB, dsn, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := pgtest.Connect(t, dsn).QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// claimed is a connection on which every policy lets everything be read.
func claimed(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, dsn)
	if _, err := conn.Exec(t.Context(), `select set_config('app.role', 'system', false), set_config('app.read', '{(,)}', false), set_config('app.write', '{(,)}', false)`); err != nil {
		t.Fatal(err)
	}
	return conn
}

func state(err error) string {
	if pg := new(pgconn.PgError); errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := audit.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestAnEntryKnowsItsRowsOfTheFeed(t *testing.T) {
	h := open(t)
	err := h.db.Intake.Tx(t.Context(), db.System("wang"), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `insert into hazards (name, admin_code) values ('a', '990100101'), ('b', '990100101')`); err != nil {
			return err
		}
		return audit.Record(t.Context(), tx, audit.Entry{Doer: doer(), Action: "hazard.create", Object: "hazards/a", Area: "990100101",
			Reason: "新增", Before: nil, After: map[string]any{"n": json.Number("9007199254740993"), "phone": "13812345678"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	got := one[string](t, h.Admin, `select actor || ' ' || outcome || ' ' || (first_seq = (select min(seq) from change_log where layer = 'hazards'))::text
		|| ' ' || (last_seq - first_seq)::text || ' ' || (xid = (select max(xid) from change_log))::text || ' ' || (hash = audit.entry_hash(e))::text || ' ' || coalesce(before::text, 'null') || ' ' || after::text
		|| ' ' || (scope = code_scope('990100101'))::text from audit.entry e`)
	if want := `wang done true 1 true true null {"n": 9007199254740993, "phone": "138****5678"} true`; got != want {
		t.Errorf("entry %s, want %s", got, want)
	}
}

// TestAnEntryKeepsTheNameOfThatDay: people change their names, entries do not.
func TestAnEntryKeepsTheNameOfThatDay(t *testing.T) {
	h := open(t)
	const id = "01900000-0000-7000-8000-000000000001"
	owner := pgtest.Connect(t, h.Admin)
	if _, err := owner.Exec(t.Context(), `insert into auth.account (id, username, name) values ($1, 'wang', '王一')`, id); err != nil {
		t.Fatal(err)
	}
	d := doer()
	d.Account = id
	h.record(t, audit.Entry{Doer: d, Action: "a.b"})
	if _, err := owner.Exec(t.Context(), `update auth.account set name = '王二' where id = $1`, id); err != nil {
		t.Fatal(err)
	}
	h.seal(t)
	p, err := h.log.Search(t.Context(), audit.Reading("sun", everywhere()), audit.Query{})
	if err != nil || len(p.Rows) != 1 || p.Rows[0].Name != "王一" || p.Rows[0].Account != id {
		t.Errorf("%+v %v", p.Rows, err)
	}
	if r := h.verify(t); r.Broken != nil {
		t.Error(r.Broken)
	}
}

func TestAFailedTransactionLeavesNoEntry(t *testing.T) {
	h := open(t)
	boom := errors.New("boom")
	err := h.db.Intake.Tx(t.Context(), db.System("wang"), func(tx pgx.Tx) error {
		if err := audit.Record(t.Context(), tx, audit.Entry{Doer: doer(), Action: "a.b"}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if n := one[int](t, h.Admin, `select count(*) from audit.entry`); n != 0 {
		t.Errorf("%d entries of nothing", n)
	}
}

func TestSecretsAreRefusedInGoAndInTheDatabase(t *testing.T) {
	h := open(t)
	for _, key := range []string{"password", "Token", "secret", "code_hash"} {
		err := h.db.Intake.Tx(t.Context(), db.System("wang"), func(tx pgx.Tx) error {
			return audit.Record(t.Context(), tx, audit.Entry{Doer: doer(), Action: "a.b", After: map[string]any{"list": []any{map[string]any{key: "x"}}}})
		})
		if !errors.Is(err, audit.ErrSecret) {
			t.Errorf("%s: %v, want ErrSecret", key, err)
		}
		_, err = pgtest.Connect(t, h.App).Exec(t.Context(), `select audit.record('', '', 'x', '', '', '', '', '', 'a.b', '', '', '', 'done', null, jsonb_build_object('deep', jsonb_build_array(jsonb_build_object($1::text, 1))))`, key)
		if state(err) != "22023" {
			t.Errorf("%s past Go: %v, want 22023", key, err)
		}
	}
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b", After: map[string]any{"token_id": "t1", "big": strings.Repeat("大", 40<<10)}})
	if s := one[string](t, h.Admin, `select after::text from audit.entry`); !strings.Contains(s, "too_long") || !strings.Contains(s, "sha256") {
		t.Errorf("a long value became %.80s", s)
	}
	h.record(t, audit.Entry{Doer: audit.Doer{Actor: "张\x00三\xff"}, Action: "a.b", Object: strings.Repeat("长", 500), Reason: strings.Repeat("因", 5000), After: "x\x00y"})
}

func TestAnEntryNeedsAKnownActionAreaAndOutcome(t *testing.T) {
	h := open(t)
	for name, e := range map[string]audit.Entry{
		"action": {Action: "Not an action"}, "area": {Action: "a.b", Area: "12x"}, "outcome": {Action: "a.b", Outcome: "perhaps"},
		"account": {Action: "a.b", Doer: audit.Doer{Account: "nobody"}},
	} {
		err := h.db.Intake.Tx(t.Context(), db.System("x"), func(tx pgx.Tx) error { return audit.Record(t.Context(), tx, e) })
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestNobodyChangesTheAudit tries as the app role, as the database's owner, as the
// superuser that owns the tables, and as a session that plays replica.
func TestNobodyChangesTheAudit(t *testing.T) {
	h := open(t)
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b"})
	if n := one[int64](t, h.App, `select audit.seal_next()`); n != 1 {
		t.Fatalf("sealed %d", n)
	}
	changes := []string{
		`update audit.entry set actor = 'li'`, `delete from audit.entry`, `truncate audit.entry`, `truncate audit.entry cascade`,
		`update audit.seal set count = 2`, `delete from audit.seal`, `truncate audit.seal`, `delete from audit.head`, `truncate audit.head`,
		`update audit.entry set actor = actor where false`,
	}
	onlyApp := []string{
		`insert into audit.entry select * from audit.entry`, `insert into audit.seal select * from audit.seal`, `update audit.head set no = 9`,
		`alter table audit.entry disable trigger all`, `drop table audit.entry`, `select nextval('audit.entry_seq')`, `select setval('audit.entry_seq', 1)`,
		`create or replace function audit.refuse() returns trigger language plpgsql as 'begin return null; end'`, `select audit.entry_hash(e) from audit.entry e`,
		`create table audit.mine (i int)`, `set session_replication_role = replica`,
	}
	for _, who := range []struct{ name, dsn, want string }{{"app", h.App, "42501"}, {"database owner", h.Owner, "42501"}, {"table owner", h.Admin, "55000"}} {
		conn := claimed(t, who.dsn)
		for _, sql := range changes {
			if _, err := conn.Exec(t.Context(), sql); state(err) != who.want {
				t.Errorf("%s: %s: %v, want %s", who.name, sql, err, who.want)
			}
		}
	}
	app := claimed(t, h.App)
	for _, sql := range onlyApp {
		if _, err := app.Exec(t.Context(), sql); state(err) != "42501" {
			t.Errorf("app: %s: %v, want 42501", sql, err)
		}
	}
	replica := pgtest.Connect(t, h.Admin)
	if _, err := replica.Exec(t.Context(), `set session_replication_role = replica`); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Exec(t.Context(), `delete from audit.entry`); state(err) != "55000" {
		t.Errorf("a session that plays replica: %v, want 55000", err)
	}
	if s := one[string](t, h.Admin, `select count(*) || ' ' || min(actor) from audit.entry`); s != "1 wang" {
		t.Errorf("afterwards: %s", s)
	}
}

// TestAnAuditorReadsHisArea: without claims nothing, under another role nothing.
func TestAnAuditorReadsHisArea(t *testing.T) {
	h := open(t)
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b", Area: "990100101"}, audit.Entry{Doer: doer(), Action: "a.b", Area: "990200"}, audit.Entry{Doer: doer(), Action: "a.b"})
	if _, err := pgtest.Connect(t, h.App).Exec(t.Context(), `select count(*) from audit.entry`); state(err) != "42704" {
		t.Errorf("without claims: %v, want 42704", err)
	}
	count := func(c db.Claims) (n int) {
		t.Helper()
		err := h.db.Query.Ask(t.Context(), c, `select count(*) from audit.entry`, nil, func(rows pgx.Rows) error {
			rows.Next()
			return rows.Scan(&n)
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	county, err := geo.ParseScopes("990100")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		claims db.Claims
		want   int
	}{
		{"county auditor", audit.Reading("sun", county), 1}, {"auditor of all", audit.Reading("sun", geo.Scopes{geo.Everywhere()}), 3},
		{"system", db.System("cli"), 3}, {"nowhere", audit.Reading("sun", nil), 0},
		{"viewer of all", db.Claims{Actor: "v", Role: "viewer", Reach: db.Everything()}, 0},
	} {
		if n := count(c.claims); n != c.want {
			t.Errorf("%s sees %d, want %d", c.name, n, c.want)
		}
	}
}
