package auth_test

import (
	"context"
	"errors"
	"fmt"
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
	h.clock.freeze()
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
	u := h.person("one.aud", auth.Auditor, "", county)
	v := h.person("one.view", auth.Viewer, county, county)
	invited, _, err := h.node.CreateAccount(t.Context(), cli, auth.NewAccount{Username: "one.new", Name: "x", Unit: county})
	if err != nil {
		t.Fatal(err)
	}
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
		{"the last auditor's grant", `update auth.role_grant set revoked_at = now() where account = '` + u + `'`, "23514"},
		{"the last auditor", `update auth.account set state = 'disabled' where id = '` + u + `'`, "23514"},
		{"a 三员 role for who never opened his link", `insert into auth.role_grant (account, role, reason, granted_by) values ('` + invited.ID + `', 'auditor', 'x', '` + b + `')`, "23514"},
		{"a commander's token that stands by itself", `insert into auth.token (hash, name, role, scopes, expires_at, created_by, stands) values (sha256('x'), 'x', 'commander', '{read}', now() + interval '1 day', '` + b + `', true)`, "23514"},
		{"a viewer's reporting token that stands by itself", `insert into auth.token (hash, name, role, scopes, expires_at, created_by, stands) values (sha256('x'), 'x', 'viewer', '{report}', now() + interval '1 day', '` + b + `', true)`, "23514"},
		{"make a token stand", `update auth.token set stands = true`, "42501"},
		{"another issuer", `update auth.activation set issuer = null`, "42501"},
		{"a link for somebody else", `update auth.activation set account = '` + a + `'`, "42501"},
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
	err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
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
