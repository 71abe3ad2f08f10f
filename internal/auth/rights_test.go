package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/auth"
	"onemap/internal/feed"
	"onemap/internal/pgtest"
)

// TestARevokedRightDiesWithAStalledFeed holds a write transaction open, so that the
// feed's horizon stands still, on two nodes over one database.
func TestARevokedRightDiesWithAStalledFeed(t *testing.T) {
	h := open(t)
	second := h.another()
	h.person("admin1", auth.Admin, "", county)
	sec := h.person("sec1", auth.SecurityAdmin, "", county)
	duty := h.person("duty1", auth.DutyOfficer, county, county)
	gone := h.person("gone1", auth.Viewer, county, county)
	_ = sec
	_, secBy := h.in("sec1")
	_, adminBy := h.in("admin1")
	dutyIn, dutyBy := h.in("duty1")
	goneIn, _ := h.in("gone1")
	out, outBy := h.in("duty1")
	_, tokenText, err := h.node.CreateToken(t.Context(), secBy, auth.NewToken{Name: "sensor", Role: auth.Viewer, Area: county, Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	cookies := map[string]string{"grant": dutyIn.Cookie, "disabled": goneIn.Cookie, "signed out": out.Cookie}
	var streams []*auth.Identity
	for name, c := range cookies {
		id, err := who(second, c)
		if err != nil {
			t.Fatalf("%s on the second node: %v", name, err)
		}
		streams = append(streams, id)
	}
	if _, err := second.Identify(t.Context(), auth.Credential{Bearer: tokenText}); err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 100)
	second.OnChange(func() { told <- struct{}{} })

	// A feed reader on the second node, which must be seen to stand still.
	reader, err := feed.Open(t.Context(), h.db, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader.OnBatch("auth", second.Changed)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = reader.Run(ctx) }()
	defer func() { cancel(); <-ran }()
	holder, err := pgtest.Connect(t, h.dsn.App).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(context.Background())
	var xid uint64
	if err := holder.QueryRow(t.Context(), `select pg_current_xact_id()`).Scan(&xid); err != nil {
		t.Fatal(err)
	}

	grants, err := h.node.Grants(t.Context(), secBy, auth.GrantQuery{Account: duty})
	if err != nil || len(grants.Grants) != 1 {
		t.Fatal(grants, err)
	}
	tokens, err := h.node.Tokens(t.Context(), secBy)
	if err != nil || len(tokens) != 1 {
		t.Fatal(tokens, err)
	}
	began := time.Now()
	if err := h.node.SignOut(t.Context(), outBy); err != nil {
		t.Fatal(err)
	}
	if err := h.node.RevokeGrant(t.Context(), secBy, grants.Grants[0].ID, "调离"); err != nil {
		t.Fatal(err)
	}
	if err := h.node.RevokeToken(t.Context(), secBy, tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	info, err := h.node.Account(t.Context(), adminBy, gone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.node.UpdateAccount(t.Context(), adminBy, gone, info.Version, auth.AccountPatch{State: new(auth.Disabled)}); err != nil {
		t.Fatal(err)
	}
	// On the node that did it, at once.
	_, err = who(h.node, goneIn.Cookie)
	wantErr(t, "disabled, same node", err, auth.ErrCredential)
	if id, err := who(h.node, dutyIn.Cookie); err != nil || id.May(auth.SendOrders, h.clock.now()) {
		t.Errorf("revoked, same node: %+v, %v", id, err)
	}
	// On the other, by its poll.
	waiting := map[string]func() bool{
		"grant revoked": func() bool {
			id, err := who(second, dutyIn.Cookie)
			return err == nil && !id.May(auth.SendOrders, h.clock.now())
		},
		"disabled":   func() bool { _, err := who(second, goneIn.Cookie); return errors.Is(err, auth.ErrCredential) },
		"signed out": func() bool { _, err := who(second, out.Cookie); return errors.Is(err, auth.ErrCredential) },
		"token": func() bool {
			_, err := second.Identify(t.Context(), auth.Credential{Bearer: tokenText})
			return errors.Is(err, auth.ErrCredential)
		},
		"streams": func() bool {
			return !slices.ContainsFunc(streams, second.Recheck)
		},
	}
	deadline := time.Now().Add(30 * time.Second)
	for len(waiting) > 0 && time.Now().Before(deadline) {
		for name, gone := range waiting {
			if gone() {
				t.Logf("%s: refused on the other node %v after the first revocation, feed stalled", name, time.Since(began).Round(time.Millisecond))
				delete(waiting, name)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	for name := range waiting {
		t.Errorf("%s: still alive on the other node", name)
	}
	if len(told) == 0 {
		t.Error("nobody was told to look at the open streams again")
	}
	if reader.Reached(feed.Position{Xid: xid}) {
		t.Error("the feed was not stalled: the test proves nothing")
	}
	_ = dutyBy
}

// TestRightsThatCannotBeReadAreNone cuts the service off from the database.
func TestRightsThatCannotBeReadAreNone(t *testing.T) {
	h := open(t)
	h.person("he.yi", auth.Viewer, county, county)
	o, _ := h.in("he.yi")
	if _, err := who(h.node, o.Cookie); err != nil {
		t.Fatal(err)
	}
	h.cut()
	deadline := time.Now().Add(30 * time.Second)
	var err error
	for time.Now().Before(deadline) && !errors.Is(err, auth.ErrStale) {
		if _, err = who(h.node, o.Cookie); err != nil && !errors.Is(err, auth.ErrStale) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	wantErr(t, "cut off", err, auth.ErrStale)
	if h.node.Recheck(o.Identity) {
		t.Error("streams go on with rights that cannot be read")
	}
	h.mend()
	for time.Now().Before(deadline) && err != nil {
		_, err = who(h.node, o.Cookie)
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("after the database came back: %v", err)
	}
}

// cut lets nobody of the app role into the database; the pools are cut off too.
func (h *house) cut() {
	h.t.Helper()
	conn, err := pgx.Connect(context.Background(), pgtest.Server(h.t).DSN("postgres", "postgres"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{
		`alter database ` + h.dsn.Name + ` allow_connections false`,
		`select pg_terminate_backend(pid) from pg_stat_activity where datname = '` + h.dsn.Name + `' and pid <> pg_backend_pid()`,
	} {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) mend() {
	h.t.Helper()
	conn, err := pgx.Connect(context.Background(), pgtest.Server(h.t).DSN("postgres", "postgres"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), `alter database `+h.dsn.Name+` allow_connections true`); err != nil {
		h.t.Fatal(err)
	}
}

// TestGrantsBeginAndEndByTheClock: nobody polls for it, the identity itself ends.
func TestGrantsBeginAndEndByTheClock(t *testing.T) {
	h := open(t)
	id := h.person("worker", auth.Viewer, county, town)
	now := h.clock.now()
	if _, err := h.node.GrantRole(t.Context(), cli, auth.NewGrant{Account: id, Role: auth.DutyOfficer, Area: county, From: now.Add(time.Hour), To: now.Add(2 * time.Hour), Reason: "值班"}); err != nil {
		t.Fatal(err)
	}
	o, _ := h.in("worker")
	stream := o.Identity
	for _, c := range []struct {
		pass time.Duration
		may  bool
	}{{0, false}, {59 * time.Minute, false}, {2 * time.Minute, true}, {58 * time.Minute, true}, {2 * time.Minute, false}} {
		h.clock.pass(c.pass)
		who, err := who(h.node, o.Cookie)
		if err != nil || who.May(auth.SendOrders, h.clock.now()) != c.may {
			t.Errorf("%v later: %v, want %v, %v", h.clock.now().Sub(now).Round(time.Minute), !c.may, c.may, err)
		}
	}
	if h.node.Recheck(stream) {
		t.Error("the stream opened before goes on over the change")
	}
}

// TestWhatTheDatabaseRefuses goes past the service, as the app role.
func TestWhatTheDatabaseRefuses(t *testing.T) {
	h := open(t)
	a := h.person("one.admin", auth.Admin, "", county)
	b := h.person("one.sec", auth.SecurityAdmin, "", county)
	v := h.person("one.view", auth.Viewer, county, county)
	conn := pgtest.Connect(t, h.dsn.App)
	for _, c := range []struct{ name, sql, code string }{
		{"two of the 三员", `insert into auth.role_grant (account, role, reason) values ('` + a + `', 'auditor', 'x')`, "23P01"},
		{"the same twice", `insert into auth.role_grant (account, role, area, reason) values ('` + v + `', 'viewer', '990100', 'x')`, "23P01"},
		{"to himself", `insert into auth.role_grant (account, role, reason, granted_by) values ('` + v + `', 'commander', 'x', '` + v + `')`, "23514"},
		{"no reason", `insert into auth.role_grant (account, role, reason) values ('` + v + `', 'commander', '  ')`, "23514"},
		{"no such area", `insert into auth.role_grant (account, role, area, reason) values ('` + v + `', 'commander', '12x', 'x')`, "22023"},
		{"backwards", `insert into auth.role_grant (account, role, reason, valid_to) values ('` + v + `', 'commander', 'x', now() - interval '1 day')`, "23514"},
		{"the last administrator's grant", `update auth.role_grant set revoked_at = now() where account = '` + a + `'`, "23514"},
		{"the last administrator", `update auth.account set state = 'disabled' where id = '` + a + `'`, "23514"},
		{"a token of the 三员", `insert into auth.token (hash, name, role, scopes, expires_at) values (sha256('x'), 'x', 'admin', '{read}', now() + interval '1 day')`, "23514"},
		{"a wall of the whole world", `insert into auth.token (hash, name, role, scopes, expires_at, network) values (sha256('x'), 'x', 'viewer', '{wall}', now() + interval '1 day', '0.0.0.0/0')`, "23514"},
		{"a wall of nowhere", `insert into auth.token (hash, name, role, scopes, expires_at) values (sha256('x'), 'x', 'viewer', '{wall}', now() + interval '1 day')`, "23514"},
		{"a token for ever", `insert into auth.token (hash, name, role, scopes, expires_at) values (sha256('x'), 'x', 'viewer', '{read}', 'infinity')`, "23514"},
		{"a mobile number as a name", `insert into auth.account (username, name) values ('13800138000', 'x')`, "23514"},
		{"a Chinese name as a name", `insert into auth.account (username, name) values ('张三', 'x')`, "23514"},
		{"a program's name", `insert into auth.account (username, name) values ('system', 'x')`, "23514"},
		{"rename", `update auth.account set username = 'other' where id = '` + v + `'`, "42501"},
		{"delete an account", `delete from auth.account where id = '` + v + `'`, "42501"},
		{"delete a grant", `delete from auth.role_grant`, "42501"},
		{"prolong a grant", `update auth.role_grant set valid_to = null`, "42501"},
		{"widen a grant", `update auth.role_grant set area = ''`, "42501"},
		{"delete a session", `delete from auth.session`, "42501"},
		{"prolong a session", `update auth.session set expires_at = 'infinity'`, "42501"},
		{"another's session", `update auth.session set account = '` + a + `'`, "42501"},
		{"turn the version back", `update auth.version set rights = 1`, "42501"},
		{"open the set-up again", `delete from auth.setup_done`, "42501"},
		{"widen a token", `update auth.token set role = 'commander'`, "42501"},
		{"empty it", `truncate auth.account cascade`, "42501"},
		{"become the owner", `set role postgres`, "42501"},
		{"read passwords of the database", `select * from pg_authid`, "42501"},
		{"run a program", `copy auth.account to program 'true'`, "42501"},
	} {
		_, err := conn.Exec(t.Context(), c.sql)
		pg := new(pgconn.PgError)
		if !errors.As(err, &pg) || pg.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	// By the actor of the transaction, whatever granted_by says.
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `select set_config('app.actor', 'one.sec', true)`); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `insert into auth.role_grant (account, role, reason) values ($1, 'commander', 'x')`, b)
		return err
	})
	if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.ConstraintName != "role_grant_not_to_himself" {
		t.Errorf("to himself under another id: %v", err)
	}
}

// TestTwoTransactionsAtOnce: neither sees the other, and what must hold holds. Both in
// read committed and in the isolation where a trigger's own look would not help.
func TestTwoTransactionsAtOnce(t *testing.T) {
	for _, level := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead} {
		h := open(t)
		h.person("first", auth.Admin, "", county)
		h.person("second", auth.Admin, "", county)
		x := h.person("third", auth.Viewer, county, county)
		race := func(name string, statements ...string) (done int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			ready := make(chan struct{})
			var waiting sync.WaitGroup
			for _, sql := range statements {
				conn := pgtest.Connect(t, h.dsn.App)
				waiting.Add(1)
				wg.Go(func() {
					err := pgx.BeginTxFunc(t.Context(), conn, pgx.TxOptions{IsoLevel: level}, func(tx pgx.Tx) error {
						var n int
						if err := tx.QueryRow(t.Context(), `select count(*) from auth.role_grant`).Scan(&n); err != nil { // the snapshot
							return err
						}
						waiting.Done()
						<-ready
						_, err := tx.Exec(t.Context(), sql)
						return err
					})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						done++
					} else if pg := new(pgconn.PgError); !errors.As(err, &pg) {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			waiting.Wait()
			close(ready)
			wg.Wait()
			return done
		}
		if n := race("two of the 三员",
			`insert into auth.role_grant (account, role, reason) values ('`+x+`', 'auditor', 'x')`,
			`insert into auth.role_grant (account, role, area, reason) values ('`+x+`', 'security_admin', '990100', 'x')`,
			`insert into auth.role_grant (account, role, reason) values ('`+x+`', 'security_admin', 'x')`); n == 0 {
			t.Errorf("%s: none of the grants was given", level)
		}
		if n := h.count(`select count(distinct role) from auth.role_grant where account = $1 and role in ('admin', 'security_admin', 'auditor') and revoked_at is null`, x); n > 1 {
			t.Errorf("%s: a person holds %d of the 三员", level, n)
		}
		if n := race("the last administrators",
			`update auth.role_grant set revoked_at = now() where role = 'admin' and account = (select id from auth.account where username = 'first')`,
			`update auth.account set state = 'disabled' where username = 'second'`); n > 1 {
			t.Errorf("%s: both last administrators are gone", level)
		}
		if n := h.count(`select count(*) from auth.role_grant g join auth.account a on a.id = g.account where g.role = 'admin' and g.revoked_at is null and a.state = 'active'`); n == 0 {
			t.Errorf("%s: nobody is left to administer", level)
		}
	}
}

// TestWhoMayGrantWhat is the table of managers and areas.
func TestWhoMayGrantWhat(t *testing.T) {
	h := open(t)
	h.person("sec.all", auth.SecurityAdmin, "", "")
	h.person("sec.county", auth.SecurityAdmin, county, county)
	h.person("adm.county", auth.Admin, county, county)
	h.person("adm.all", auth.Admin, "", "")
	h.person("boss", auth.Commander, "", county)
	here := h.person("here", auth.Viewer, town, town)
	there := h.person("there", auth.Viewer, other, other)
	self, err := h.node.AccountID(t.Context(), cli, "sec.county")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by, account string
		role        auth.Role
		area        string
		want        error
		code        string
	}{
		{"sec.county", here, auth.GridWorker, town, nil, ""},
		{"sec.county", here, auth.GridWorker, town, nil, "grant_exists"},
		{"sec.county", here, auth.DutyOfficer, county, nil, ""},
		{"sec.county", here, auth.Viewer, other, auth.ErrForbidden, ""},
		{"sec.county", here, auth.Viewer, "", auth.ErrForbidden, ""},
		{"sec.county", there, auth.Viewer, town, auth.ErrNotFound, ""},
		{"sec.county", "00000000-0000-7000-8000-000000000000", auth.Viewer, town, auth.ErrNotFound, ""},
		{"sec.county", "no id", auth.Viewer, town, auth.ErrNotFound, ""},
		{"sec.county", here, auth.Auditor, county, auth.ErrForbidden, ""},
		{"sec.county", here, auth.Admin, town, auth.ErrForbidden, ""},
		{"sec.county", self, auth.Commander, county, nil, "self_grant"},
		{"adm.county", here, auth.Viewer, county, auth.ErrForbidden, ""},
		{"boss", here, auth.Viewer, county, auth.ErrForbidden, ""},
		{"sec.all", here, auth.Auditor, "", nil, ""},
		{"sec.all", here, auth.Admin, "", nil, "separation_of_duties"},
		{"sec.all", self, auth.Auditor, county, nil, "separation_of_duties"},
		{"sec.all", there, auth.Planner, other, nil, ""},
	} {
		_, by := h.in(c.by)
		g, err := h.node.GrantRole(t.Context(), by, auth.NewGrant{Account: c.account, Role: c.role, Area: c.area, Reason: "测试"})
		name := fmt.Sprintf("%s gives %s over %q", c.by, c.role, c.area)
		switch {
		case c.code != "":
			wantConflict(t, name, err, c.code)
		case c.want != nil:
			wantErr(t, name, err, c.want)
		case err != nil || g.State != auth.GrantValid || g.GrantedBy != c.by || g.Area != c.area:
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
	_, by := h.in("sec.county")
	for _, c := range []struct {
		n    auth.NewGrant
		code string
	}{
		{auth.NewGrant{Account: here, Role: "king", Reason: "x"}, "bad_role"},
		{auth.NewGrant{Account: here, Role: auth.Viewer, Area: "99x", Reason: "x"}, "bad_area"},
		{auth.NewGrant{Account: here, Role: auth.Viewer, Area: county, Reason: " "}, "reason_required"},
		{auth.NewGrant{Account: here, Role: auth.Viewer, Area: county, Reason: "x", To: h.clock.now().Add(-time.Minute)}, "bad_period"},
		{auth.NewGrant{Account: here, Role: auth.Viewer, Area: county, Reason: "x", From: h.clock.now().AddDate(-1, 0, 0)}, "bad_period"},
	} {
		_, err := h.node.GrantRole(t.Context(), by, c.n)
		wantInvalid(t, c.code, err, c.code)
	}
	// What one sees is what one manages.
	page, err := h.node.Grants(t.Context(), by, auth.GrantQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range page.Grants {
		if g.Area == other || g.Area == "" {
			t.Errorf("the county sees the grant %s over %q", g.Role, g.Area)
		}
	}
	foreign, err := h.node.Grants(t.Context(), cli, auth.GrantQuery{Account: there})
	if err != nil || len(foreign.Grants) != 2 {
		t.Fatal(foreign, err)
	}
	wantErr(t, "revoking a foreign grant", h.node.RevokeGrant(t.Context(), by, foreign.Grants[0].ID, ""), auth.ErrNotFound)
	wantErr(t, "revoking no grant", h.node.RevokeGrant(t.Context(), by, "00000000-0000-7000-8000-000000000000", ""), auth.ErrNotFound)
	if n := h.count(`select count(*) from audit.entry where action = 'grant.create' and outcome = 'refused'`); n != 4 {
		t.Errorf("%d refused grants in the audit, want 4", n)
	}
	// Pages.
	var all []string
	for q := (auth.GrantQuery{Limit: 2}); ; {
		p, err := h.node.Grants(t.Context(), cli, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range p.Grants {
			all = append(all, g.ID)
		}
		if q.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	if n := h.count(`select count(*) from auth.role_grant`); n != len(all) {
		t.Errorf("%d grants in pages, %d in the table", len(all), n)
	}
}

// TestWhoMayManageWhom: accounts, links, second factors and phones.
func TestWhoMayManageWhom(t *testing.T) {
	h := open(t)
	h.person("adm.all", auth.Admin, "", "")
	h.person("adm.county", auth.Admin, county, county)
	sec := h.person("sec.county", auth.SecurityAdmin, county, county)
	here := h.person("here", auth.GridWorker, town, town)
	there := h.person("there", auth.Viewer, other, other)
	wide := h.person("wide", auth.Commander, "", county) // an office in the county, rights beyond it
	_, by := h.in("adm.county")
	_, err := h.node.Account(t.Context(), by, there)
	wantErr(t, "a foreign account", err, auth.ErrNotFound)
	_, err = h.node.UpdateAccount(t.Context(), by, there, 2, auth.AccountPatch{Name: new("x")})
	wantErr(t, "changing a foreign account", err, auth.ErrNotFound)
	_, _, err = h.node.CreateAccount(t.Context(), by, auth.NewAccount{Username: "newone", Name: "新", Unit: other})
	wantErr(t, "an account in another county", err, auth.ErrForbidden)
	_, _, err = h.node.CreateAccount(t.Context(), by, auth.NewAccount{Username: "newone", Name: "新"})
	wantErr(t, "an account of no office", err, auth.ErrForbidden)
	_, err = h.node.UpdateAccount(t.Context(), by, here, 2, auth.AccountPatch{Unit: new(other)})
	wantErr(t, "moving somebody out", err, auth.ErrForbidden)
	_, err = h.node.UpdateAccount(t.Context(), by, here, 1, auth.AccountPatch{Name: new("x")})
	wantErr(t, "an old version", err, auth.ErrStaleVersion)
	info, link, err := h.node.CreateAccount(t.Context(), by, auth.NewAccount{Username: "newone", Name: " 新 人\u200b", Unit: town, Phone: "138 0013 8000"})
	if err != nil || info.Name != "新 人" || info.State != auth.Invited || link.Token == "" {
		t.Fatal(info, err)
	}
	_, _, err = h.node.CreateAccount(t.Context(), by, auth.NewAccount{Username: "NewOne", Name: "新", Unit: town})
	wantConflict(t, "the same name", err, "username_taken")
	for _, id := range []string{sec, wide} {
		_, err = h.node.NewActivation(t.Context(), by, id)
		wantConflict(t, "a link for who may more", err, "more_rights")
		wantConflict(t, "the factor of who may more", h.node.ResetSecondFactor(t.Context(), by, id), "more_rights")
		_, _, err = h.node.CreateEnrolment(t.Context(), by, id)
		wantConflict(t, "a phone of who may more", err, "more_rights")
	}
	if _, err := h.node.NewActivation(t.Context(), by, here); err != nil {
		t.Errorf("a link for one of his own: %v", err)
	}
	_, _, err = h.node.CreateEnrolment(t.Context(), by, there)
	wantErr(t, "a phone of a foreign worker", err, auth.ErrNotFound)
	_, workerBy := h.in("here")
	for name, fn := range map[string]func() error{
		"list people":  func() error { _, err := h.node.Accounts(t.Context(), workerBy, auth.AccountQuery{}); return err },
		"see a person": func() error { _, err := h.node.Account(t.Context(), workerBy, here); return err },
		"create": func() error {
			_, _, err := h.node.CreateAccount(t.Context(), workerBy, auth.NewAccount{Username: "abc", Name: "x", Unit: town})
			return err
		},
		"enrol":      func() error { _, _, err := h.node.CreateEnrolment(t.Context(), workerBy, here); return err },
		"activation": func() error { _, err := h.node.NewActivation(t.Context(), workerBy, here); return err },
		"grants":     func() error { _, err := h.node.Grants(t.Context(), workerBy, auth.GrantQuery{}); return err },
		"add": func() error {
			_, _, err := h.node.AddUser(t.Context(), workerBy, auth.NewAccount{}, auth.NewGrant{})
			return err
		},
		"set": func() error { return h.node.SetPassword(t.Context(), workerBy, here, password) },
	} {
		wantErr(t, "a grid worker may not: "+name, fn(), auth.ErrForbidden)
	}
	if own, err := h.node.Grants(t.Context(), workerBy, auth.GrantQuery{Account: here}); err != nil || len(own.Grants) != 1 {
		t.Errorf("his own grants: %+v, %v", own, err)
	}
	page, err := h.node.Accounts(t.Context(), by, auth.AccountQuery{Limit: 2, Q: ""})
	if err != nil || len(page.Accounts) != 2 || page.Next == "" {
		t.Fatal(page, err)
	}
	seen := map[string]bool{}
	for q := (auth.AccountQuery{Limit: 2}); ; {
		p, err := h.node.Accounts(t.Context(), by, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range p.Accounts {
			seen[a.Username] = true
		}
		if q.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	if len(seen) != 5 || seen["there"] || seen["adm.all"] || !seen["newone"] {
		t.Errorf("the county's administrator sees %v", seen)
	}
	if p, err := h.node.Accounts(t.Context(), by, auth.AccountQuery{Q: "人 HERE"}); err != nil || len(p.Accounts) != 1 || len(p.Accounts[0].Grants) != 1 {
		t.Errorf("search: %+v, %v", p, err)
	}
	_, err = h.node.Accounts(t.Context(), by, auth.AccountQuery{Cursor: "!"})
	wantInvalid(t, "cursor", err, "bad_cursor")
	me := by.Account
	meInfo, err := h.node.Account(t.Context(), by, me)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.node.UpdateAccount(t.Context(), by, me, meInfo.Version, auth.AccountPatch{State: new(auth.Disabled)})
	wantConflict(t, "himself", err, "self_disable")
}

func TestTokens(t *testing.T) {
	h := open(t)
	h.person("sec.county", auth.SecurityAdmin, county, county)
	h.person("eng", auth.DataEngineer, county, county)
	_, sec := h.in("sec.county")
	_, eng := h.in("eng")
	wall := auth.NewToken{Name: "大屏", Role: auth.Viewer, Area: county, Scopes: []string{"wall"}, Network: "10.1.0.0/16"}
	for _, c := range []struct {
		name string
		by   auth.By
		n    auth.NewToken
		want error
		code string
	}{
		{"the manager's area", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: town, Scopes: []string{"read"}}, nil, ""},
		{"beyond it", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: other, Scopes: []string{"read"}}, auth.ErrForbidden, ""},
		{"everywhere", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Scopes: []string{"read"}}, auth.ErrForbidden, ""},
		{"his own role", eng, auth.NewToken{Name: "a", Role: auth.DataEngineer, Area: county, Scopes: []string{"ingest"}}, nil, ""},
		{"more than his role", eng, auth.NewToken{Name: "a", Role: auth.Commander, Area: county, Scopes: []string{"read"}}, auth.ErrForbidden, ""},
		{"one of the 三员", sec, auth.NewToken{Name: "a", Role: auth.Admin, Area: county, Scopes: []string{"read"}}, nil, "bad_role"},
		{"no scope", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county}, nil, "bad_scope"},
		{"an unknown scope", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county, Scopes: []string{"write"}}, nil, "bad_scope"},
		{"a wall without a range", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county, Scopes: []string{"wall"}}, nil, "network_required"},
		{"a wall that reads", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county, Scopes: []string{"wall", "read"}, Network: "10.0.0.0/8"}, nil, "bad_scope"},
		{"too wide", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county, Scopes: []string{"wall"}, Network: "0.0.0.0/0"}, nil, "network_too_wide"},
		{"no range", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county, Scopes: []string{"wall"}, Network: "here"}, nil, "bad_network"},
		{"too long", sec, auth.NewToken{Name: "a", Role: auth.Viewer, Area: county, Scopes: []string{"read"}, Expires: h.clock.now().AddDate(2, 0, 0)}, nil, "bad_period"},
		{"the wall", sec, wall, nil, ""},
	} {
		info, text, err := h.node.CreateToken(t.Context(), c.by, c.n)
		switch {
		case c.code != "":
			wantInvalid(t, c.name, err, c.code)
		case c.want != nil:
			wantErr(t, c.name, err, c.want)
		case err != nil || text == "" || info.ID == "":
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, text, err := h.node.CreateToken(t.Context(), sec, auth.NewToken{Name: "机器", Role: auth.DutyOfficer, Area: county, Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	second := h.another()
	for _, node := range []*auth.Service{h.node, second} {
		id, err := node.Identify(t.Context(), auth.Credential{Bearer: text, Peer: stranger})
		if err != nil || id.Kind != auth.Token || id.Actor() != "token:机器" || id.May(auth.SendOrders, h.clock.now()) || id.May(auth.WriteFeatures, h.clock.now()) {
			t.Errorf("a reading token is %+v, %v", id, err)
		}
	}
	_, young, err := h.node.CreateToken(t.Context(), sec, auth.NewToken{Name: "young", Role: auth.Viewer, Area: county, Scopes: []string{"read"}, Expires: h.clock.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Identify(t.Context(), auth.Credential{Bearer: young}); err != nil {
		t.Errorf("a token younger than the other node's last look: %v", err)
	}
	h.clock.pass(2 * time.Hour)
	_, err = second.Identify(t.Context(), auth.Credential{Bearer: young})
	wantErr(t, "an expired token", err, auth.ErrCredential)
	_, err = h.node.Identify(t.Context(), auth.Credential{Bearer: flip(text)})
	wantErr(t, "a forged token", err, auth.ErrCredential)

	_, sec = h.in("sec.county")
	_, wallText, err := h.node.CreateToken(t.Context(), sec, auth.NewToken{Name: "大屏2", Role: auth.Viewer, Area: county, Scopes: []string{"wall"}, Network: "10.1.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := h.node.OpenWall(t.Context(), h.by(nil), wallText)
	if err != nil || o.Identity.Kind != auth.Wall || o.Identity.May(auth.WriteFeatures, h.clock.now()) {
		t.Fatalf("the wall: %+v, %v", o, err)
	}
	if _, err := h.node.Identify(t.Context(), auth.Credential{Cookie: o.Cookie, Peer: netip.MustParseAddr("::ffff:10.1.9.9")}); err != nil {
		t.Errorf("the wall in its range: %v", err)
	}
	for _, c := range []auth.Credential{{Cookie: o.Cookie, Peer: stranger}, {Bearer: wallText, Peer: stranger}, {Bearer: wallText}} {
		_, err = h.node.Identify(t.Context(), c)
		wantErr(t, "the wall elsewhere", err, auth.ErrCredential)
	}
	_, err = h.node.OpenWall(t.Context(), h.by(nil), text)
	wantErr(t, "a wall by another token", err, auth.ErrSignIn)
	list, err := h.node.Tokens(t.Context(), sec)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		if k.Name == "大屏2" {
			if err := h.node.RevokeToken(t.Context(), sec, k.ID); err != nil {
				t.Fatal(err)
			}
			wantConflict(t, "again", h.node.RevokeToken(t.Context(), sec, k.ID), "ended")
		}
	}
	_, err = h.node.Identify(t.Context(), auth.Credential{Cookie: o.Cookie, Peer: office})
	wantErr(t, "the wall after its token was revoked", err, auth.ErrCredential)
	_, eng = h.in("eng")
	if own, err := h.node.Tokens(t.Context(), eng); err != nil || len(own) != 1 {
		t.Errorf("the engineer's tokens: %+v, %v", own, err)
	}
	for _, k := range list {
		if k.CreatedBy != "eng" {
			wantErr(t, "another's token", h.node.RevokeToken(t.Context(), eng, k.ID), auth.ErrNotFound)
		}
	}
}

// TestEveryRoleFitsTheDatabase: the table of roles stands in Go and in two checks.
func TestEveryRoleFitsTheDatabase(t *testing.T) {
	h := open(t)
	for _, r := range auth.Roles() {
		id := h.person("who."+string(r.Role[:3]), r.Role, county, county)
		if n := h.count(`select count(*) from auth.role_grant where account = $1 and role = $2`, id, string(r.Role)); n != 1 {
			t.Errorf("%s was not granted", r.Role)
		}
		_, _, err := h.node.CreateToken(t.Context(), cli, auth.NewToken{Name: "x", Role: r.Role, Area: county, Scopes: []string{"read"}})
		if (err == nil) == r.Role.Separated() {
			t.Errorf("a token of %s: %v", r.Role, err)
		}
	}
}

// TestAPersonMadeElsewhereIsKnownAtOnce: his first request may go to a node that has
// not read the table since.
func TestAPersonMadeElsewhereIsKnownAtOnce(t *testing.T) {
	h := open(t)
	second := h.another()
	for i := range 5 {
		name := fmt.Sprint("person", i)
		h.person(name, auth.Viewer, county, county)
		o, _ := h.in(name)
		if id, err := who(second, o.Cookie); err != nil || id.Username != name {
			t.Errorf("%s on the other node: %+v, %v", name, id, err)
		}
	}
}

// TestAFloodOfUnknownCookies: each is looked up at most once, and the people at work
// do not notice.
func TestAFloodOfUnknownCookies(t *testing.T) {
	h := open(t)
	h.person("worker", auth.Viewer, county, county)
	o, _ := h.in("worker")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			forged := []byte(flip(o.Cookie))
			for k := range 20 {
				forged[10+k] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"[i]
				if _, err := who(h.node, string(forged)); !errors.Is(err, auth.ErrCredential) && !errors.Is(err, auth.ErrBusy) {
					t.Errorf("a forged cookie: %v", err)
				}
			}
		})
	}
	for range 100 {
		if _, err := who(h.node, o.Cookie); err != nil {
			t.Fatalf("somebody at work: %v", err)
		}
	}
	wg.Wait()
}

// TestLastSeenIsWritten, but not at every request.
func TestLastSeenIsWritten(t *testing.T) {
	h := open(t)
	h.person("worker", auth.Viewer, county, county)
	o, _ := h.in("worker")
	h.clock.pass(3 * time.Minute)
	for range 10 {
		if _, err := who(h.node, o.Cookie); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{1, 0} {
		if n, err := auth.Flush(h.node, t.Context()); err != nil || n != want {
			t.Errorf("flush %d wrote %d, %v, want %d", i, n, err, want)
		}
	}
	if n := h.count(`select count(*) from auth.session where last_seen_at > created_at + interval '2 minutes'`); n != 1 {
		t.Errorf("%d sessions seen, want 1", n)
	}
}
