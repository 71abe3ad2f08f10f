package auth_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func TestEveryStatementFitsTheSchema(t *testing.T) {
	q, err := auth.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Fatal(err)
	}
}

func TestSigningInAndOut(t *testing.T) {
	h := open(t)
	id := h.person("wang.wu", auth.DutyOfficer, county, county)
	o, by := h.in(" Wang.Wu ")
	if o.Identity.Account != id || o.Identity.Username != "wang.wu" || len(o.Identity.Grants) != 1 || o.Identity.Limited != "" {
		t.Fatalf("signed in as %+v", o.Identity)
	}
	again, err := who(h.node, o.Cookie)
	if err != nil || again != o.Identity {
		t.Errorf("the same cookie is %p, %v; want the one identity %p", again, err, o.Identity)
	}
	if _, ok := again.Grant(auth.SendOrders, again.Grants[0].Scope(), h.clock.now()); !ok {
		t.Error("the duty officer may not send orders")
	}
	list, err := h.node.Sessions(t.Context(), by, "")
	if err != nil || len(list) != 2 { // the activation opened one too
		t.Fatalf("sessions %+v, %v", list, err)
	}
	for _, s := range list {
		if s.Current != (s.ID == o.Identity.ID) || s.Peer != "10.1.2.3" || s.Agent != "test browser" {
			t.Errorf("session %+v", s)
		}
	}
	if err := h.node.SignOut(t.Context(), by); err != nil {
		t.Fatal(err)
	}
	_, err = who(h.node, o.Cookie)
	wantErr(t, "after signing out", err, auth.ErrCredential)
	if n := h.count(`select count(*) from audit.entry where actor = 'wang.wu' and action in ('session.open', 'session.close', 'account.activate') and account = $1`, id); n != 3 {
		t.Errorf("%d audit rows, want 3", n)
	}
}

// TestEveryFailureIsTheSame compares what a caller sees and what the database does.
func TestEveryFailureIsTheSame(t *testing.T) {
	h := open(t)
	h.person("li.si", auth.Viewer, county, county)
	disabled := h.person("gone", auth.Viewer, county, county)
	if _, err := h.node.UpdateAccount(t.Context(), cli, disabled, 2, auth.AccountPatch{State: new(auth.Disabled)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.node.AddUser(t.Context(), cli, auth.NewAccount{Username: "invited", Name: "新人", Unit: county}, auth.NewGrant{Role: auth.Viewer, Area: county}); err != nil {
		t.Fatal(err)
	}
	var text string
	for _, r := range []auth.SignInRequest{
		{Username: "li.si", Password: "wrong"}, {Username: "nobody", Password: "wrong"}, {Username: "nobody", Password: ""},
		{Username: "gone", Password: password}, {Username: "invited", Password: ""}, {Username: "invited", Password: password},
		{Username: "", Password: ""}, {Username: "\x00'; drop table auth.account --", Password: "\xff\x00"},
		{Username: string(make([]byte, 5000)), Password: string(make([]byte, 5000))},
	} {
		_, err := h.node.SignIn(t.Context(), h.by(nil), r)
		wantErr(t, r.Username, err, auth.ErrSignIn)
		if text == "" {
			text = err.Error()
		}
		if err == nil || err.Error() != text {
			t.Errorf("%q: %v, want the same words %q", r.Username, err, text)
		}
	}
	if n := h.count(`select count(*) from audit.entry where action = 'session.open' and outcome = 'refused'`); n != 9 {
		t.Errorf("%d refused sign-ins in the audit, want 9", n)
	}
	if n := h.count(`select count(*) from audit.entry where action = 'session.open' and outcome = 'refused' and (actor like '%nobody%' or object like '%nobody%')`); n != 0 {
		t.Error("an unknown name was written down: it may be a password")
	}
}

// TestAHundredWrongPasswords: known and unknown names wait alike, on every node, and
// the right password works after the wait.
func TestAHundredWrongPasswords(t *testing.T) {
	h := open(t)
	h.setting(`{"failures": {"address_after": 10000}}`)
	h.person("zhao", auth.Commander, county, county)
	h.clock.freeze()
	second := h.another()
	type seen struct{ failed, throttled int }
	results := map[string]seen{}
	longest := map[string]time.Duration{}
	for _, name := range []string{"zhao", "unknown"} {
		var r seen
		for i := range 100 {
			node := h.node
			if i%2 == 1 {
				node = second
			}
			by := h.by(nil)
			by.Peer = stranger
			_, err := node.SignIn(t.Context(), by, auth.SignInRequest{Username: name, Password: "Wrong-Password-1"})
			th := new(auth.Throttled)
			switch {
			case errors.As(err, &th):
				r.throttled++
				wait := th.Until.Sub(h.clock.now())
				longest[name] = max(longest[name], wait)
				if i%10 == 9 { // the guesser has patience sometimes
					h.clock.pass(wait + time.Second)
				}
			case errors.Is(err, auth.ErrSignIn):
				r.failed++
			default:
				t.Fatalf("%s, attempt %d: %v", name, i, err)
			}
		}
		results[name] = r
	}
	if results["zhao"] != results["unknown"] {
		t.Errorf("known %+v, unknown %+v: they must not differ", results["zhao"], results["unknown"])
	}
	if results["zhao"].failed > 20 {
		t.Errorf("%d of 100 guesses were looked at", results["zhao"].failed)
	}
	if longest["zhao"] > 15*time.Minute {
		t.Errorf("somebody waits %v: nobody is locked out for longer than the setting says", longest["zhao"])
	}
	// A stranger's failures do not keep the commander out of the office he works from.
	if _, err := h.node.SignIn(t.Context(), h.by(nil), auth.SignInRequest{Username: "zhao", Password: password}); err != nil {
		t.Errorf("from his own office: %v", err)
	}
	by := h.by(nil)
	by.Peer = stranger
	var err error
	for errors.Is(err, auth.ErrSignIn) || err == nil {
		_, err = second.SignIn(t.Context(), by, auth.SignInRequest{Username: "zhao", Password: "Wrong-Password-1"})
	}
	_, err = second.SignIn(t.Context(), by, auth.SignInRequest{Username: "zhao", Password: password})
	if until := wantThrottled(t, "from the stranger's address", err); !until.IsZero() {
		h.clock.pass(until.Sub(h.clock.now()) + time.Second)
	}
	if _, err := second.SignIn(t.Context(), by, auth.SignInRequest{Username: "zhao", Password: password}); err != nil {
		t.Errorf("the right password after the wait: %v", err)
	}
}

// TestGuessesAtOnceAreAllCounted: what is counted after looking is not counted.
func TestGuessesAtOnceAreAllCounted(t *testing.T) {
	h := open(t)
	h.person("qian", auth.Viewer, county, county)
	h.clock.freeze()
	var looked atomic.Int64
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			by := h.by(nil)
			by.Peer = stranger
			if _, err := h.node.SignIn(t.Context(), by, auth.SignInRequest{Username: "qian", Password: "Wrong-Password-1"}); errors.Is(err, auth.ErrSignIn) {
				looked.Add(1)
			}
		})
	}
	wg.Wait()
	if n := looked.Load(); n != 6 {
		t.Errorf("%d of 30 guesses at once were looked at, want 6: five free, and the one that begins the wait", n)
	}
}

func TestAnAddressWaitsToo(t *testing.T) {
	h := open(t)
	h.setting(`{"failures": {"address_after": 5}}`)
	h.clock.freeze()
	by := h.by(nil)
	by.Peer = stranger
	for i := range 6 {
		_, err := h.node.SignIn(t.Context(), by, auth.SignInRequest{Username: "name" + string(rune('a'+i)), Password: "x"})
		wantErr(t, "guess", err, auth.ErrSignIn)
	}
	_, err := h.node.SignIn(t.Context(), by, auth.SignInRequest{Username: "another", Password: "x"})
	wantThrottled(t, "the address", err)
	if _, err := h.node.SignIn(t.Context(), h.by(nil), auth.SignInRequest{Username: "another", Password: "x"}); !errors.Is(err, auth.ErrSignIn) {
		t.Errorf("another address: %v", err)
	}
}

// TestAPresetCookieIsNotUsed is session fixation.
func TestAPresetCookieIsNotUsed(t *testing.T) {
	h := open(t)
	h.person("sun", auth.Viewer, county, county)
	before, by := h.in("sun")
	after, err := h.node.SignIn(t.Context(), by, auth.SignInRequest{Username: "sun", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if after.Cookie == before.Cookie || after.Identity.ID == before.Identity.ID {
		t.Error("signing in again kept the session")
	}
	_, err = who(h.node, before.Cookie)
	wantErr(t, "the session before", err, auth.ErrCredential)
}

func TestForgedCredentials(t *testing.T) {
	h := open(t)
	h.person("zhou", auth.Viewer, county, county)
	o, _ := h.in("zhou")
	for _, c := range []string{"x", o.Cookie[:42], o.Cookie + "A", o.Cookie[:42] + "\n", string(make([]byte, 43)), flip(o.Cookie), " " + o.Cookie, o.Identity.ID} {
		_, err := who(h.node, c)
		wantErr(t, c, err, auth.ErrCredential)
		_, err = h.node.Identify(t.Context(), auth.Credential{Bearer: c, Cookie: o.Cookie})
		wantErr(t, "as a token: "+c, err, auth.ErrCredential)
	}
	_, err := h.node.Identify(t.Context(), auth.Credential{Bearer: "om_" + o.Cookie})
	wantErr(t, "a cookie as a token", err, auth.ErrCredential)
	if id, err := h.node.Identify(t.Context(), auth.Credential{}); err != nil || id.Kind != auth.Anonymous || id.SignedIn() {
		t.Errorf("nothing shown: %+v, %v", id, err)
	}
}

func flip(s string) string {
	b := []byte(s)
	if b[5] == 'A' {
		b[5] = 'B'
	} else {
		b[5] = 'A'
	}
	return string(b)
}

func TestSessionsExpire(t *testing.T) {
	h := open(t)
	h.setting(`{"password": {"max_age_days": 0}}`)
	h.person("wu.da", auth.Viewer, county, county)
	h.clock.freeze()
	o, _ := h.in("wu.da")
	for range 20 { // 11 h at a time: never idle, and over after seven days
		h.clock.pass(11 * time.Hour)
		if _, err := who(h.node, o.Cookie); err != nil {
			break
		}
	}
	if used := h.clock.now().Sub(o.Expires); used < 0 || used > 12*time.Hour {
		t.Errorf("ended %v after its absolute end", used)
	}
	o, _ = h.in("wu.da")
	h.clock.pass(11 * time.Hour)
	if _, err := who(h.node, o.Cookie); err != nil {
		t.Errorf("used within the idle time: %v", err)
	}
	h.clock.pass(13 * time.Hour)
	_, err := who(h.node, o.Cookie)
	wantErr(t, "idle", err, auth.ErrCredential)
	if h.node.Recheck(o.Identity) {
		t.Error("an open stream of an idle session goes on")
	}
}

func TestPasswordRules(t *testing.T) {
	h := open(t)
	h.person("zheng", auth.Viewer, county, county)
	o, by := h.in("zheng")
	other, _ := h.in("zheng")
	for _, c := range []struct{ password, code string }{
		{"Short-1", "too_short"}, {"alllowercase", "too_simple"}, {"Aa1-Aa1-Aa1-", "too_simple"}, {"My-zheng-2026", "contains_username"},
		{password, "used_before"}, {string(make([]byte, 300)), "too_long"},
	} {
		if c.code == "too_simple" && c.password == "Aa1-Aa1-Aa1-" {
			c.password = "Aa1Aa1Aa1Aa1" // three different characters
		}
		wantInvalid(t, c.password, h.node.ChangePassword(t.Context(), by, password, c.password), c.code)
	}
	wantErr(t, "wrong present password", h.node.ChangePassword(t.Context(), by, "Wrong-Password-1", "Next-Password-1"), auth.ErrSignIn)
	was := password
	for _, next := range []string{"Next-Password-1", "Next-Password-2", "Next-Password-3", "Next-Password-4", "口令要长一点儿才行Aa1"} {
		if err := h.node.ChangePassword(t.Context(), by, was, next); err != nil {
			t.Fatalf("%s: %v", next, err)
		}
		was = next
	}
	wantInvalid(t, "one of the last five", h.node.ChangePassword(t.Context(), by, was, password), "used_before")
	if _, err := who(h.node, o.Cookie); err != nil {
		t.Errorf("the session that changed it: %v", err)
	}
	_, err := who(h.node, other.Cookie)
	wantErr(t, "the other session", err, auth.ErrCredential)
	_, err = h.node.SignIn(t.Context(), h.by(nil), auth.SignInRequest{Username: "zheng", Password: password})
	wantErr(t, "the old password", err, auth.ErrSignIn)
}

func TestAnExpiredPasswordOnlyChangesItself(t *testing.T) {
	h := open(t)
	h.person("feng", auth.DutyOfficer, county, county)
	o, _ := h.in("feng")
	if e := h.node.Me(o.Identity).PasswordExpires; e.Before(h.clock.now().AddDate(0, 0, 89)) {
		t.Errorf("expires %v", e)
	}
	h.clock.pass(91 * 24 * time.Hour)
	o, by := h.in("feng")
	if o.Identity.Limited != "password_expired" || o.Identity.SignedIn() || o.Identity.Reach.Key() != h.node.Anonymous().Reach.Key() || o.Identity.May(auth.SendOrders, h.clock.now()) {
		t.Errorf("limited %q, signed in %v", o.Identity.Limited, o.Identity.SignedIn())
	}
	if err := h.node.ChangePassword(t.Context(), by, password, "Next-Password-1"); err != nil {
		t.Fatal(err)
	}
	if id, err := who(h.node, o.Cookie); err != nil || id.Limited != "" || !id.SignedIn() {
		t.Errorf("afterwards %+v, %v", id, err)
	}
}

// TestRehash raises the cost by hand: a hash made with less is replaced at sign-in.
func TestRehash(t *testing.T) {
	h := open(t)
	h.person("chen", auth.Viewer, county, county)
	weak := auth.WeakHash(t, password)
	h.exec(`update auth.credential set phc = $1`, weak)
	h.in("chen")
	if n := h.count(`select count(*) from auth.credential where phc like '$argon2id$v=19$m=19456,t=2,p=1$%'`); n != 1 {
		t.Error("the weak hash is still there")
	}
	h.in("chen")
}
