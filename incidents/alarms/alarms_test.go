package alarms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/alarms"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

const countyA, townA, countyB = "990100", "990100101", "990200"

type house struct {
	t        *testing.T
	db       *db.DB
	admin    *pgx.Conn
	s        *alarms.Service
	standing []alarms.Condition
	clock    atomic.Int64
	n        int
}

func open(t *testing.T) *house {
	t.Helper()
	dsn := pgtest.Database(t)
	h := &house{t: t, admin: pgtest.Writer(t, dsn.Admin)}
	h.exec(`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		from (values ('990100', '甲县', 3, 119.0, 0.5), ('990100101', '甲镇', 4, 119.0, 0.2), ('990200', '乙县', 3, 120.0, 0.5)) v(code, name, rank, x, w)`)
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	reg, err := registry.Open(t.Context(), h.db.Query)
	if err != nil {
		t.Fatal(err)
	}
	src := alarms.Source{Kinds: []string{"threshold"}, Standing: func(context.Context) ([]alarms.Condition, error) { return h.standing, nil }}
	if h.s, err = alarms.Open(alarms.Options{DB: h.db, Catalogue: reg, Sources: []alarms.Source{src}, Now: h.now}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	if _, err := h.admin.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func one[T any](h *house, sql string, args ...any) T {
	h.t.Helper()
	var v T
	if err := h.admin.QueryRow(h.t.Context(), sql, args...).Scan(&v); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func (h *house) as(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	id := &auth.Identity{Kind: auth.Session, Account: account, Username: name, Name: name, ID: "s", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id, Request: "test"}
}

func signal(key string, level int) alarms.Signal {
	return alarms.Signal{Kind: "device", Key: key, Title: "气体浓度超限 " + key, Area: townA, Level: level}
}

func (h *house) raise(by auth.By, list ...alarms.Signal) alarms.Raised {
	h.t.Helper()
	out, err := h.s.Raise(h.t.Context(), by, list)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h *house) list(by auth.By, q alarms.Query) alarms.Page {
	h.t.Helper()
	p, err := h.s.Alarms(h.t.Context(), by.Identity, q)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) act(by auth.By, id string, step alarms.Step) (alarms.Alarm, error) {
	return h.s.Act(h.t.Context(), by, id, step)
}

func clash(err error) string {
	if c := new(auth.Conflict); errors.As(err, &c) {
		return c.Code
	}
	return fmt.Sprint(err)
}

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := alarms.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Fatal(err)
	}
}

// TestTenThousandAreOne: many senders at once, one row, every signal counted, and the feed
// hears of it a few times.
func TestTenThousandAreOne(t *testing.T) {
	h := open(t)
	by, desk := h.as("gateway", auth.DataEngineer, countyA), h.as("值班", auth.DutyOfficer, countyA)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				list := make([]alarms.Signal, 50)
				for j := range list {
					list[j] = signal("A", 2)
				}
				if i%2 == 0 {
					list = list[:49]
					if _, err := h.s.Raise(t.Context(), by, []alarms.Signal{signal("A", 2)}); err != nil {
						t.Error(err)
					}
				}
				if _, err := h.s.Raise(t.Context(), by, list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	p := h.list(desk, alarms.Query{})
	if len(p.Alarms) != 1 || p.Alarms[0].Count != 10_000 || p.Alarms[0].Suppressed != 9_999 || p.Suppressed != 9_999 || p.Open != 1 || p.ByLevel[2] != 1 {
		t.Fatalf("%+v", p)
	}
	if n := one[int](h, `select count(*) from change_log where layer = 'alarms'`); n != 1 {
		t.Errorf("%d feed rows before the counts are brought over", n)
	}
	h.clock.Store(int64(6 * time.Second))
	for range 3 {
		if err := h.s.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := one[int](h, `select count(*) from change_log where layer = 'alarms'`); n != 2 {
		t.Errorf("%d feed rows", n)
	}
	if n := one[int](h, `select count from alarms`); n != 10_000 {
		t.Errorf("%d on the row", n)
	}
}

// TestOnceAcknowledged: the first has it, the second is told who; what gets worse rings
// again; closed a moment ago does not ring, later it does.
func TestOnceAcknowledged(t *testing.T) {
	h := open(t)
	by, a, b := h.as("gateway", auth.DataEngineer, countyA), h.as("甲", auth.DutyOfficer, countyA), h.as("乙", auth.Commander, countyA)
	h.raise(by, signal("A", 3))
	id := h.list(a, alarms.Query{}).Alarms[0].ID
	for _, who := range []auth.By{h.as("别县", auth.DutyOfficer, countyB)} {
		if _, err := h.act(who, id, alarms.Step{To: alarms.Acknowledged}); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	for _, who := range []auth.By{h.as("网格", auth.GridWorker, countyA), h.as("看", auth.Viewer, countyA)} {
		if _, err := h.act(who, id, alarms.Step{To: alarms.Acknowledged}); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%v", err)
		}
	}
	got, err := h.act(a, id, alarms.Step{To: alarms.Acknowledged, Note: "看到了"})
	if err != nil || got.State != alarms.Acknowledged || got.AckedBy != "甲" || got.EscalateAt != nil || got.FeedPosition == "" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := h.act(a, id, alarms.Step{To: alarms.Acknowledged}); err != nil {
		t.Errorf("said twice: %v", err)
	}
	if _, err := h.act(b, id, alarms.Step{To: alarms.Acknowledged}); clash(err) != "already_acknowledged" || !strings.Contains(fmt.Sprint(err.(interface{ Unwrap() error }).Unwrap()), "甲") {
		t.Errorf("%v", err)
	}
	h.raise(by, signal("A", 3))
	if got := h.list(a, alarms.Query{}).Alarms[0]; got.State != alarms.Acknowledged || got.Count != 2 {
		t.Errorf("the same again: %+v", got)
	}
	h.raise(by, signal("A", 1))
	got = h.list(a, alarms.Query{}).Alarms[0]
	if got.State != alarms.Ringing || got.Level != 1 || got.Count != 3 || got.AckedBy != "" || got.EscalateAt == nil {
		t.Errorf("worse: %+v", got)
	}
	if _, err := h.act(b, id, alarms.Step{To: alarms.Closed, Note: "已处置", Version: new(int64)}); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("%v", err)
	}
	if got, err = h.act(b, id, alarms.Step{To: alarms.Closed, Note: "已处置", Version: &got.Version}); err != nil || got.State != alarms.Closed {
		t.Fatalf("%+v %v", got, err)
	}
	if out := h.raise(by, signal("A", 2)); out.Quiet != 1 || out.Alarms != 0 {
		t.Errorf("closed a moment ago: %+v", out)
	}
	h.clock.Store(int64(11 * time.Minute))
	if out := h.raise(by, signal("A", 2)); out.Alarms != 1 {
		t.Errorf("after the window: %+v", out)
	}
	if n := one[int](h, `select count(*) from audit.entry where action like 'alarm.%'`); n != 2 {
		t.Errorf("%d in the audit", n)
	}
	if p := h.list(a, alarms.Query{State: "all"}); len(p.Alarms) != 2 {
		t.Errorf("%d of all", len(p.Alarms))
	}
}

// TestNobodyTakesIt: it goes a step up, once however many nodes look, and stops with an
// acknowledgement; an assigned one comes back when nothing happens.
func TestNobodyTakesIt(t *testing.T) {
	h := open(t)
	by, desk := h.as("gateway", auth.DataEngineer, countyA), h.as("甲", auth.DutyOfficer, countyA)
	h.raise(by, signal("A", 1), signal("B", 4))
	look := func() (total int64) {
		t.Helper()
		var wg sync.WaitGroup
		var n atomic.Int64
		for range 4 {
			wg.Go(func() {
				v, err := h.s.Escalate(t.Context())
				if err != nil {
					t.Error(err)
				}
				n.Add(v)
			})
		}
		wg.Wait()
		return n.Load()
	}
	if n := look(); n != 0 {
		t.Errorf("at once: %d", n)
	}
	h.clock.Store(int64(121 * time.Second))
	if n := look(); n != 1 {
		t.Errorf("red after two minutes: %d", n)
	}
	if a := h.list(desk, alarms.Query{}).Alarms[0]; a.Escalation != 1 || a.Level != 1 {
		t.Errorf("%+v", a)
	}
	h.clock.Store(int64(250 * time.Second))
	if n := look(); n != 1 {
		t.Errorf("the second step: %d", n)
	}
	h.clock.Store(int64(50 * time.Minute))
	if n := look(); n != 0 {
		t.Errorf("there are two steps: %d", n)
	}
}

// TestWhatHoldsRings: told once, counted when it moves on, over when nobody names it; what
// was acknowledged then closes.
func TestWhatHoldsRings(t *testing.T) {
	h := open(t)
	desk := h.as("甲", auth.DutyOfficer, countyA)
	at := h.now().Add(-time.Minute)
	h.standing = []alarms.Condition{{Kind: "threshold", Key: "threshold:rain:" + townA, Area: townA, Title: "甲镇 2 站雨量超限", Level: 3, At: at, RefKind: "sensors", RefID: "x"}}
	look := func() alarms.Page {
		t.Helper()
		if err := h.s.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return h.list(desk, alarms.Query{})
	}
	for range 3 {
		if p := look(); len(p.Alarms) != 1 || p.Alarms[0].Count != 1 {
			t.Fatalf("%+v", p)
		}
	}
	h.standing[0].At = at.Add(30 * time.Second)
	if p := look(); p.Alarms[0].Count != 2 {
		t.Errorf("%+v", p.Alarms[0])
	}
	id := h.list(desk, alarms.Query{}).Alarms[0].ID
	if _, err := h.act(desk, id, alarms.Step{To: alarms.Acknowledged}); err != nil {
		t.Fatal(err)
	}
	h.standing[0].Title, h.standing[0].Level = "甲镇 5 站雨量超限", 1
	if p := look(); p.Alarms[0].State != alarms.Ringing || p.Alarms[0].Title != "甲镇 5 站雨量超限" {
		t.Errorf("%+v", p.Alarms[0])
	}
	if _, err := h.act(desk, id, alarms.Step{To: alarms.Acknowledged}); err != nil {
		t.Fatal(err)
	}
	h.standing = nil
	if p := look(); len(p.Alarms) != 0 {
		t.Errorf("over: %+v", p.Alarms)
	}
	if s := one[string](h, `select state || ' ' || closed_by from alarms`); s != "closed 条件解除" {
		t.Error(s)
	}
}

// TestReportsAndWarnings: 险情 nobody took rings by township, and a red warning does.
func TestReportsAndWarnings(t *testing.T) {
	h := open(t)
	desk := h.as("甲", auth.DutyOfficer, countyA)
	h.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for i := range 3 {
		h.exec(`insert into incident_reports (id, kind, urgency, trapped, scope, home, captured_at, received_at) values (uuid_v7(), 'fire', 'urgent', $1, code_scope('990100101'), code_scope('990100'), now(), now() - interval '10 minutes')`, i)
	}
	h.exec(`insert into incident_reports (id, kind, urgency, scope, home, captured_at) values (uuid_v7(), 'fire', 'urgent', code_scope('990100101'), code_scope('990100'), now())`)
	h.exec(`insert into alerts (name, headline, level, state, msg_type, admin_code, effective, expires) values ('暴雨', '甲县暴雨红色预警', 1, 'active', 'Alert', '990100', now(), now() + interval '1 hour'), ('大风', '大风蓝色预警', 4, 'active', 'Alert', '990100', now(), now() + interval '1 hour')`)
	if err := h.s.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, a := range h.list(desk, alarms.Query{}).Alarms {
		titles = append(titles, fmt.Sprint(a.Level, a.Title, a.Kind))
	}
	slices.Sort(titles)
	if got := strings.Join(titles, " | "); got != "1甲县暴雨红色预警alert | 1甲镇险情 3 件无人接手unattended" {
		t.Error(got)
	}
	// Replaced by an update of a lesser colour: red is over, orange rings.
	h.exec(`update alerts set state = 'updated' where level = 1`)
	h.exec(`insert into alerts (name, headline, level, state, msg_type, admin_code, effective, expires) values ('暴雨', '甲县暴雨橙色预警', 2, 'active', 'Update', '990100', now(), now() + interval '1 hour')`)
	if err := h.s.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	standing := map[string]bool{}
	for _, a := range h.list(desk, alarms.Query{Kind: "alert"}).Alarms {
		standing[a.Title] = a.ClearedAt == nil
	}
	if len(standing) != 2 || standing["甲县暴雨红色预警"] || !standing["甲县暴雨橙色预警"] {
		t.Errorf("after the update: %v", standing)
	}
	h.exec(`update alerts set state = 'cancelled'`)
	h.exec(`update incident_reports set state = 'taken', seen_at = now(), seen_by = 'x', taken_at = now(), taken_by = 'x'`)
	if err := h.s.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range h.list(desk, alarms.Query{}).Alarms {
		if a.ClearedAt == nil {
			t.Errorf("%+v", a)
		}
	}
}

// TestQuietRules: the less severe is counted and does not ring, red always does.
func TestQuietRules(t *testing.T) {
	h := open(t)
	by, desk := h.as("gateway", auth.DataEngineer, countyA), h.as("甲", auth.DutyOfficer, countyA)
	rule := alarms.QuietRule{Kind: "device", Area: countyA, Least: 2, Until: h.now().Add(time.Hour), Reason: "演练期间"}
	if _, err := h.s.Quieten(t.Context(), h.as("丙", auth.DutyOfficer, countyB), rule); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%v", err)
	}
	for _, bad := range []alarms.QuietRule{{Area: countyA, Least: 1, Until: rule.Until, Reason: "红色"}, {Area: countyA, Until: h.now().AddDate(1, 0, 0), Reason: "太久"}, {Area: "x", Until: rule.Until, Reason: "何处"}, {Area: countyA, Kind: "nothing", Until: rule.Until, Reason: "什么"}, {Area: countyA, DailyFrom: "25:00", DailyTo: "06:00", Until: rule.Until, Reason: "几点"}} {
		if _, err := h.s.Quieten(t.Context(), desk, bad); !errors.As(err, new(*auth.Invalid)) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	got, err := h.s.Quieten(t.Context(), desk, rule)
	if err != nil {
		t.Fatal(err)
	}
	if out := h.raise(by, signal("A", 2), signal("A", 3), signal("B", 1)); out.Quiet != 1 || out.Alarms != 1 {
		t.Errorf("%+v", out)
	}
	p := h.list(desk, alarms.Query{})
	if len(p.Alarms) != 1 || p.Alarms[0].Level != 1 || len(p.Quiet) != 1 || p.Quiet[0].Suppressed != 2 || p.Suppressed != 2 {
		t.Errorf("%+v", p)
	}
	if err := h.s.Unquieten(t.Context(), h.as("丁", auth.DutyOfficer, countyB), got.ID); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := h.s.Unquieten(t.Context(), desk, got.ID); err != nil {
		t.Fatal(err)
	}
	if out := h.raise(by, signal("A", 2)); out.Alarms != 1 {
		t.Errorf("%+v", out)
	}
}

// TestWhoIsHeard: a sender within his area; what is wrong is told by its place.
func TestWhoIsHeard(t *testing.T) {
	h := open(t)
	if _, err := h.s.Raise(t.Context(), h.as("别县", auth.DataEngineer, countyB), []alarms.Signal{signal("A", 1)}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%v", err)
	}
	bad := alarms.Signal{Kind: "alert", Key: "", Title: "a\nb", Area: "x", Level: 9, At: h.now().Add(time.Hour)}
	_, err := h.s.Raise(t.Context(), h.as("gateway", auth.DataEngineer, countyA), []alarms.Signal{signal("A", 1), bad})
	var f *auth.Invalid
	if !errors.As(err, &f) || len(f.Items) != 6 || !strings.HasPrefix(f.Items[0].Path, "/alarms/1/") {
		t.Errorf("%v", err)
	}
	if n := one[int](h, `select count(*) from alarms`); n != 0 {
		t.Errorf("%d rows of a delivery that was refused", n)
	}
	if _, err := h.s.Alarms(t.Context(), h.as("看", auth.Viewer, countyA).Identity, alarms.Query{}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%v", err)
	}
	// Pages go on where the last one ended.
	by, desk := h.as("gateway", auth.DataEngineer, countyA), h.as("甲", auth.DutyOfficer, countyA)
	for i := range 7 {
		h.raise(by, signal(fmt.Sprint("k", i), 1+i%4))
	}
	var seen []string
	for q := (alarms.Query{Limit: 3}); ; {
		p := h.list(desk, q)
		for _, a := range p.Alarms {
			seen = append(seen, a.Key)
		}
		if p.Next == "" {
			break
		}
		q.Cursor = p.Next
	}
	slices.Sort(seen)
	if seen = slices.Compact(seen); len(seen) != 7 {
		t.Errorf("%v", seen)
	}
}
