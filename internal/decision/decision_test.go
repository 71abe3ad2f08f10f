package decision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/pgtest"
)

type house struct {
	pgtest.DSNs
	ledger *decision.Ledger
}

func open(t *testing.T, effects map[string]decision.Effect) *house {
	t.Helper()
	h := &house{DSNs: pgtest.Database(t)}
	d, err := db.Open(t.Context(), db.Options{DSN: h.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if h.ledger, err = decision.Open(decision.Options{DB: d, Effects: effects}); err != nil {
		t.Fatal(err)
	}
	return h
}

// person makes somebody with one or more "role@area".
func person(n int, name string, grants ...string) auth.By {
	id := &auth.Identity{Kind: auth.Session, Account: fmt.Sprintf("01900000-0000-7000-8000-%012d", n), Username: name, Name: strings.ToUpper(name), ID: "s"}
	for i, g := range grants {
		role, area, _ := strings.Cut(g, "@")
		id.Grants = append(id.Grants, auth.Grant{ID: fmt.Sprintf("g%d%d", n, i), Account: id.Account, Role: auth.Role(role), Area: area, From: time.Now().Add(-time.Hour)})
	}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id, Request: "r"}
}

func count(t *testing.T, h *house, sql string) (n int) {
	t.Helper()
	if err := pgtest.Connect(t, h.Admin).QueryRow(context.Background(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func invalidAt(err error, path string) bool {
	bad := new(auth.Invalid)
	return errors.As(err, &bad) && bad.Items[0].Path == path
}

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := decision.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestAProtectionIsLoweredByTwoPeople(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	maker, other, commander := person(1, "sec", "security_admin@"), person(2, "sec2", "security_admin@"), person(3, "cmd", "commander@")
	proposal := decision.Proposal{Action: decision.Declassify, Object: "layers/hazards", Reason: "对外公开", Detail: map[string]string{"visibility": "public"}}
	d, err := h.ledger.Propose(ctx, maker, proposal)
	if err != nil || d.State != decision.Proposed || d.Version != 1 || d.MadeName != "sec" {
		t.Fatalf("%+v %v", d, err)
	}
	if _, err := h.ledger.Transition(ctx, maker, d.ID, 1, decision.Approved, ""); !errors.Is(err, decision.ErrFourEyes) {
		t.Errorf("the maker approves: %v", err)
	}
	// Also with a second role that may decide.
	both := person(1, "sec", "security_admin@", "commander@")
	if _, err := h.ledger.Transition(ctx, both, d.ID, 1, decision.Approved, ""); !errors.Is(err, decision.ErrFourEyes) {
		t.Errorf("the maker in another role: %v", err)
	}
	for name, c := range map[string]struct {
		by   auth.By
		want error
	}{
		"viewer": {person(4, "v", "viewer@"), auth.ErrForbidden}, "county commander": {person(5, "c", "commander@990100"), auth.ErrForbidden},
		"nobody": {auth.By{Identity: &auth.Identity{Kind: auth.Anonymous}}, auth.ErrForbidden}, "command line": {auth.By{CLI: true}, auth.ErrForbidden},
	} {
		if _, err := h.ledger.Transition(ctx, c.by, d.ID, 1, decision.Approved, ""); !errors.Is(err, c.want) {
			t.Errorf("%s approves: %v, want %v", name, err, c.want)
		}
	}
	if _, err := h.ledger.Transition(ctx, other, d.ID, 2, decision.Approved, ""); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("another version: %v", err)
	}
	if n := count(t, h, `select count(*) from layer where layer = 'hazards' and visibility = 'public'`); n != 0 {
		t.Fatal("it happened before it was decided")
	}
	got, err := h.ledger.Transition(ctx, other, d.ID, 1, decision.Approved, "同意")
	if err != nil || got.State != decision.Approved || got.DecidedName != "sec2" || got.Version != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	if n := count(t, h, `select count(*) from layer where layer = 'hazards' and visibility = 'public'`); n != 1 {
		t.Error("approved, and the layer is what it was")
	}
	if n := count(t, h, `select count(*) from audit.entry where action = 'decision.approved' and actor = 'sec2' and after -> 'effect' ->> 'before' like '%internal%' and first_seq is not null`); n != 1 {
		t.Error("no entry of the approval with what it changed")
	}
	if n := count(t, h, `select count(*) from change_log where layer = '$decision'`); n != 2 {
		t.Errorf("%d rows in the feed, want 2", n)
	}
	for _, to := range []decision.State{decision.Approved, decision.Refused, decision.Withdrawn, decision.Countersigned} {
		by := commander
		if to == decision.Withdrawn {
			by = maker
		}
		conflict := new(auth.Conflict)
		if _, err := h.ledger.Transition(ctx, by, d.ID, 2, to, "再来一次"); !errors.As(err, &conflict) {
			t.Errorf("%s what is decided: %v", to, err)
		}
	}
	if _, err := h.ledger.Propose(ctx, maker, proposal); err == nil {
		t.Error("a layer is lowered to what it is")
	}
}

func TestProposalsThatMakeNoSense(t *testing.T) {
	h := open(t, nil)
	sec := person(1, "sec", "security_admin@")
	good := decision.Proposal{Action: decision.Declassify, Object: "layers/hazards", Reason: "对外公开", Detail: map[string]string{"visibility": "public"}}
	for _, c := range []struct {
		name string
		by   auth.By
		mod  func(*decision.Proposal)
		ok   func(error) bool
	}{
		{"no effect", sec, func(p *decision.Proposal) { p.Action = "danger.close" }, func(e error) bool { return errors.Is(e, decision.ErrNotAvailable) }},
		{"unknown", sec, func(p *decision.Proposal) { p.Action = "x" }, func(e error) bool { return errors.Is(e, decision.ErrNotAvailable) }},
		{"an emergency as proposal", sec, func(p *decision.Proposal) { p.Action = decision.CallOut }, func(e error) bool { return errors.Is(e, decision.ErrNotAvailable) }},
		{"no reason", sec, func(p *decision.Proposal) { p.Reason = " 公开 " }, func(e error) bool { return invalidAt(e, "reason") }},
		{"no layer", sec, func(p *decision.Proposal) { p.Object = "layers/none" }, func(e error) bool { return errors.Is(e, auth.ErrNotFound) }},
		{"a visibility of none", sec, func(p *decision.Proposal) { p.Detail = map[string]string{"visibility": "secret"} }, func(e error) bool { return invalidAt(e, "detail.visibility") }},
		{"higher", sec, func(p *decision.Proposal) { p.Detail = map[string]string{"visibility": "sensitive"} }, func(e error) bool { return errors.As(e, new(*auth.Conflict)) }},
		{"an area", sec, func(p *decision.Proposal) { p.Area = "990100" }, func(e error) bool { return invalidAt(e, "area") }},
		{"no area", sec, func(p *decision.Proposal) { p.Area = "1x" }, func(e error) bool { return errors.Is(e, auth.ErrForbidden) || invalidAt(e, "area") }},
		{"area-bound", person(2, "s2", "security_admin@990100"), func(*decision.Proposal) {}, func(e error) bool { return errors.Is(e, auth.ErrForbidden) }},
		{"commander", person(3, "c", "commander@"), func(*decision.Proposal) {}, func(e error) bool { return errors.Is(e, auth.ErrForbidden) }},
	} {
		p := good
		c.mod(&p)
		if _, err := h.ledger.Propose(t.Context(), c.by, p); !c.ok(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := count(t, h, `select (select count(*) from decision.decision) + (select count(*) from audit.entry)`); n != 0 {
		t.Errorf("refused proposals left %d rows", n)
	}
}

func TestAnEffectThatFailsLeavesTheProposalOpen(t *testing.T) {
	boom := errors.New("boom")
	fail := true
	h := open(t, map[string]decision.Effect{"danger.close": {Apply: func(ctx context.Context, tx pgx.Tx, d decision.Decision) (any, any, error) {
		if _, err := tx.Exec(ctx, `insert into hazards (name, admin_code) values ('done', '990100101')`); err != nil {
			return nil, nil, err
		}
		if fail {
			return nil, nil, boom
		}
		return nil, "closed", nil
	}}})
	d, err := h.ledger.Propose(t.Context(), person(1, "grid", "grid_worker@990100101"), decision.Proposal{Action: "danger.close", Area: "990100101", Object: "dangers/1", Reason: "已整改完"})
	if err != nil {
		t.Fatal(err)
	}
	commander := person(2, "cmd", "commander@990100")
	if _, err := h.ledger.Transition(t.Context(), commander, d.ID, 1, decision.Approved, ""); !errors.Is(err, boom) {
		t.Errorf("the effect fails: %v", err)
	}
	if n := count(t, h, `select (select count(*) from hazards) + (select count(*) from decision.decision where state <> 'proposed') + (select count(*) from audit.entry where action = 'decision.approved')`); n != 0 {
		t.Errorf("a failed effect left %d rows", n)
	}
	fail = false
	if _, err := h.ledger.Transition(t.Context(), commander, d.ID, 1, decision.Approved, ""); err != nil {
		t.Error(err)
	}
	if n := count(t, h, `select count(*) from hazards`); n != 1 {
		t.Errorf("%d effects", n)
	}
	if _, err := decision.Open(decision.Options{DB: &db.DB{}, Effects: map[string]decision.Effect{"x": {}}}); err == nil {
		t.Error("an effect of no action was taken")
	}
}

func TestOnlyOneOfManyDecides(t *testing.T) {
	h := open(t, nil)
	d, err := h.ledger.Propose(t.Context(), person(1, "sec", "security_admin@"), decision.Proposal{Action: decision.Declassify, Object: "layers/hazards", Reason: "对外公开", Detail: map[string]string{"visibility": "public"}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	won := make(chan int, 6)
	for i := range 6 {
		wg.Go(func() {
			to := decision.Approved
			if i%2 == 1 {
				to = decision.Refused
			}
			if _, err := h.ledger.Transition(t.Context(), person(10+i, "cmd", "commander@"), d.ID, 1, to, "看过材料"); err == nil {
				won <- i
			} else if !errors.Is(err, auth.ErrStaleVersion) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d decided", len(won))
	}
}

func TestWithdrawingIsTheMakersOwn(t *testing.T) {
	h := open(t, nil)
	p := decision.Proposal{Action: decision.Declassify, Object: "layers/hazards", Reason: "对外公开", Detail: map[string]string{"visibility": "public"}}
	d, err := h.ledger.Propose(t.Context(), person(1, "sec", "security_admin@"), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ledger.Transition(t.Context(), person(2, "cmd", "commander@"), d.ID, 1, decision.Withdrawn, ""); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("another withdraws: %v", err)
	}
	// The role has ended meanwhile; the proposal is still his.
	if got, err := h.ledger.Transition(t.Context(), person(1, "sec", "viewer@"), d.ID, 1, decision.Withdrawn, ""); err != nil || got.State != decision.Withdrawn {
		t.Errorf("%+v %v", got, err)
	}
}

func (h *house) duty(t *testing.T, area, who string, from, to time.Duration) {
	t.Helper()
	conn := pgtest.Connect(t, h.Admin)
	if _, err := conn.Exec(t.Context(), `insert into duty_roster (admin_code, scope, role, unit, person, starts_at, ends_at) values ($1, code_scope($1), 'leader', '应急局', $2, now() + $3, now() + $4)`, area, who, from, to); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmergencyOrderGoesAtOnce(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	h.duty(t, "990100", "张 带班", -time.Hour, time.Hour)
	h.duty(t, "990100", "昨日领导", -25*time.Hour, -time.Hour)
	h.duty(t, "990200", "外县领导", -time.Hour, time.Hour)
	officer, commander := person(1, "duty", "duty_officer@990100"), person(2, "cmd", "commander@990100")
	alias := person(8, "wang.duty", "duty_officer@990100")
	alias.Name = "王 值班"
	order := decision.Order{Action: decision.EvacuateNow, Area: "990100101", Text: "甲村立即转移", Reason: "滑坡前兆明显", Consulted: decision.Consulted{Name: "张带班", Post: "副局长"}}
	for _, c := range []struct {
		name      string
		confirmed bool
	}{{"张带班", true}, {"昨日领导", false}, {"外县领导", false}, {"不在册的人", false}} {
		o := order
		o.Consulted.Name = c.name
		d, err := h.ledger.Emergency(ctx, officer, o)
		if err != nil || d.State != decision.Pending || d.Consulted == nil || d.Consulted.Confirmed != c.confirmed || len(d.Consulted.OnDuty) != 1 || d.Consulted.OnDuty[0] != "张 带班" {
			t.Errorf("%s: %+v %+v %v", c.name, d, d.Consulted, err)
		}
	}
	for _, c := range []struct {
		name string
		by   auth.By
		mod  func(*decision.Order)
		ok   func(error) bool
	}{
		{"nobody consulted", officer, func(o *decision.Order) { o.Consulted.Name = " " }, func(e error) bool { return invalidAt(e, "consulted.name") }},
		{"himself by name", officer, func(o *decision.Order) { o.Consulted.Name = "D UTY" }, func(e error) bool { return invalidAt(e, "consulted.name") }},
		{"himself by user name", alias, func(o *decision.Order) { o.Consulted.Name = " Wang.Duty " }, func(e error) bool { return invalidAt(e, "consulted.name") }},
		{"no text", officer, func(o *decision.Order) { o.Text = "" }, func(e error) bool { return invalidAt(e, "text") }},
		{"no reason", officer, func(o *decision.Order) { o.Reason = "急" }, func(e error) bool { return invalidAt(e, "reason") }},
		{"another county", officer, func(o *decision.Order) { o.Area = "990200" }, func(e error) bool { return errors.Is(e, auth.ErrForbidden) }},
		{"to the public", officer, func(o *decision.Order) { o.Action = "alert.public" }, func(e error) bool { return errors.Is(e, decision.ErrNotAvailable) }},
		{"a viewer", person(9, "v", "viewer@"), func(*decision.Order) {}, func(e error) bool { return errors.Is(e, auth.ErrForbidden) }},
	} {
		o := order
		c.mod(&o)
		if _, err := h.ledger.Emergency(ctx, c.by, o); !c.ok(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	page, err := h.ledger.List(ctx, commander.Reading(), decision.Query{State: decision.Pending})
	if err != nil || len(page.Decisions) != 4 {
		t.Fatalf("%d wait for a countersignature, %v", len(page.Decisions), err)
	}
	d := page.Decisions[0]
	sent := person(1, "duty", "commander@990100")
	if _, err := h.ledger.Transition(ctx, sent, d.ID, 1, decision.Countersigned, ""); !errors.Is(err, decision.ErrFourEyes) {
		t.Errorf("the sender countersigns: %v", err)
	}
	if _, err := h.ledger.Transition(ctx, officer, d.ID, 1, decision.Withdrawn, ""); !errors.As(err, new(*auth.Conflict)) {
		t.Errorf("what was sent is taken back: %v", err)
	}
	if _, err := h.ledger.Transition(ctx, person(5, "x", "commander@990200"), d.ID, 1, decision.Countersigned, ""); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("another county countersigns: %v", err)
	}
	if got, err := h.ledger.Transition(ctx, commander, d.ID, 1, decision.Countersigned, "情况属实"); err != nil || got.State != decision.Countersigned {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := h.ledger.Transition(ctx, commander, page.Decisions[1].ID, 1, decision.Refused, ""); !invalidAt(err, "note") {
		t.Errorf("refused without a word: %v", err)
	}
	if got, err := h.ledger.Transition(ctx, commander, page.Decisions[1].ID, 1, decision.Refused, "事后核实不需要转移"); err != nil || got.State != decision.Refused {
		t.Errorf("%+v %v", got, err)
	}
	if n := count(t, h, `select count(*) from audit.entry where action = 'decision.emergency' and area = '990100101' and after -> 'consulted' ->> 'name' <> ''`); n != 4 {
		t.Errorf("%d entries", n)
	}
}

func TestTheListKeepsToTheAreaAndShowsWhatIsOverdue(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	officer := person(1, "duty", "duty_officer@99")
	for i := range 7 {
		area := "990100"
		if i%2 == 1 {
			area = "990200"
		}
		if _, err := h.ledger.Emergency(ctx, officer, decision.Order{Action: decision.CallOut, Area: area, Text: "集合", Reason: "暴雨红色预警", Consulted: decision.Consulted{Name: "张"}}); err != nil {
			t.Fatal(err)
		}
	}
	admin := pgtest.Connect(t, h.Admin)
	for _, sql := range []string{`alter table decision.decision disable trigger guard`, `update decision.decision set made_at = now() - interval '25 hours' where area = '990200'`, `alter table decision.decision enable always trigger guard`} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	list := func(by auth.By, q decision.Query) (all []decision.Decision) {
		t.Helper()
		for {
			p, err := h.ledger.List(ctx, by.Reading(), q)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p.Decisions...)
			if q.Cursor = p.Next; q.Cursor == "" {
				return all
			}
		}
	}
	east := person(2, "a", "commander@990100")
	for _, c := range []struct {
		by   auth.By
		q    decision.Query
		want int
	}{
		{officer, decision.Query{Limit: 2}, 7}, {east, decision.Query{Limit: 3}, 4}, {officer, decision.Query{Overdue: true}, 3}, {east, decision.Query{Overdue: true}, 0},
		{officer, decision.Query{State: decision.Approved}, 0}, {officer, decision.Query{Action: decision.EvacuateNow}, 0}, {person(3, "b", "commander@990300"), decision.Query{}, 0},
		{auth.By{Identity: &auth.Identity{}}, decision.Query{}, 0},
	} {
		if got := list(c.by, c.q); len(got) != c.want {
			t.Errorf("%s %+v: %d, want %d", c.by.Username, c.q, len(got), c.want)
		}
	}
	if _, err := admin.Exec(ctx, `insert into setting (key, value) values ('countersign_hours', '48')`); err != nil {
		t.Fatal(err)
	}
	if got := list(officer, decision.Query{Overdue: true}); len(got) != 0 {
		t.Errorf("under a setting of 48 hours: %d overdue", len(got))
	}
	foreign := list(officer, decision.Query{})[1]
	for _, id := range []string{foreign.ID, "01900000-0000-7000-8000-0000000000ff", "x"} {
		if _, err := h.ledger.Get(ctx, east.Reading(), id); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := h.ledger.List(ctx, east.Reading(), decision.Query{Cursor: "1"}); !errors.Is(err, decision.ErrCursor) {
		t.Error(err)
	}
}

// TestTheTableHoldsByItself goes past the program.
func TestTheTableHoldsByItself(t *testing.T) {
	h := open(t, nil)
	app := pgtest.Connect(t, h.App)
	const a, b = "'01900000-0000-7000-8000-000000000001'", "'01900000-0000-7000-8000-000000000002'"
	add := func(state, action, consulted string) string {
		return `insert into decision.decision (id, action, state, made_by, made_name, grant_id, role, text, reason, consulted) values ('01900000-0000-7000-8000-0000000000d1', '` + action + `', '` + state + `', ` + a + `, 'a', 'g', 'r', '', 'because', ` + consulted + `)`
	}
	run := func(sql, want string) {
		t.Helper()
		_, err := app.Exec(t.Context(), sql)
		pg := new(pgconn.PgError)
		if want == "" && err != nil || want != "" && (!errors.As(err, &pg) || pg.Code != want) {
			t.Errorf("%s: %v, want SQLSTATE %q", sql, err, want)
		}
	}
	run(add("proposed", "x.y", "null"), "42704")
	run(`select set_config('app.read', '{}', false)`, "")
	run(add("proposed", "x.y", "null"), "42501")
	run(`select set_config('app.read', '{(,)}', false), set_config('app.actor', 'x', false)`, "")
	run(add("approved", "x.y", "null"), "23514")
	run(add("pending_countersign", "x.y", `'{"name": "n"}'`), "23514")
	run(add("pending_countersign", "call_out", `null`), "23514")
	run(add("pending_countersign", "call_out", `'{"name": " "}'`), "23514")
	run(add("proposed", "x.y", "null"), "")
	run(`update decision.decision set state = 'approved', decided_by = `+a, "23514")
	run(`update decision.decision set state = 'withdrawn', decided_by = `+b, "23514")
	run(`update decision.decision set state = 'approved'`, "23514")
	run(`update decision.decision set state = 'countersigned', decided_by = `+b, "55000")
	run(`update decision.decision set text = 'other'`, "42501")
	run(`update decision.decision set made_by = `+b, "42501")
	run(`delete from decision.decision`, "42501")
	run(`truncate decision.decision`, "42501")
	run(`update decision.decision set state = 'approved', decided_by = `+b, "")
	run(`update decision.decision set state = 'refused', decided_by = `+b, "55000")
	run(`update decision.decision set note = 'x'`, "55000")
	app = pgtest.Connect(t, h.Admin)
	run(`update decision.decision set text = 'other'`, "55000")
	run(`delete from decision.decision`, "55000")
	run(`truncate decision.decision`, "55000")
	run(`update decision.decision set state = 'proposed', decided_by = null`, "55000")
}

func TestTheTableOfActions(t *testing.T) {
	for _, a := range decision.Actions() {
		if a.Title.ZH == "" || a.Title.EN == "" || a.Propose == "" || len(a.Decide) == 0 {
			t.Errorf("%+v", a)
		}
		if a.Emergency != (a.Name == decision.CallOut || a.Name == decision.EvacuateNow) {
			t.Errorf("%s is an emergency: %v", a.Name, a.Emergency)
		}
	}
}
