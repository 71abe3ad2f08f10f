package auth_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
)

func setupOf(token string, n string) auth.SetupRequest {
	return auth.SetupRequest{
		Token: token,
		Admin: auth.SetupPerson{Username: "guan" + n, Name: "管理员", Password: password}, SecurityAdmin: auth.SetupPerson{Username: "anquan" + n, Name: "安全员"}, Auditor: auth.SetupPerson{Username: "shen" + n, Name: "审计员"},
	}
}

// TestTwentySetupsAtOnce: two nodes with a link each; one set-up wins, nothing of the
// others is left.
func TestTwentySetupsAtOnce(t *testing.T) {
	h := open(t)
	second := h.another()
	nodes := []*auth.Service{h.node, second}
	links := make([]string, 2)
	for i, n := range nodes {
		if n.Done() {
			t.Fatal("a new house is set up already")
		}
		var until time.Time
		var err error
		if links[i], until, err = n.SetupLink(t.Context()); err != nil || until.Sub(h.clock.now()) > 30*time.Minute {
			t.Fatal(until, err)
		}
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r, err := nodes[i%2].Setup(t.Context(), h.by(nil), setupOf(links[i%2], "-"+strings.Repeat("x", i)))
			switch {
			case err == nil:
				won.Add(1)
				if len(r.Activations) != 2 || r.Opened.Identity.May(auth.ManageGrants, h.clock.now()) || !r.Opened.Identity.May(auth.ManageAccounts, h.clock.now()) {
					t.Errorf("the winner got %+v", r)
				}
			case !errors.Is(err, auth.ErrSetupDone) && !errors.Is(err, db.ErrBusy) && !errors.Is(err, auth.ErrBusy):
				t.Errorf("a loser: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d set-ups won", won.Load())
	}
	if n := h.count(`select count(*) from auth.account`); n != 3 {
		t.Errorf("%d accounts, want 3", n)
	}
	if n := h.count(`select count(*) from audit.entry where action = 'setup' and outcome = 'done'`); n != 1 {
		t.Errorf("%d audit rows of the set-up", n)
	}
	deadline := time.Now().Add(20 * time.Second)
	for (!h.node.Done() || !second.Done()) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if !h.node.Done() || !second.Done() {
		t.Error("a node still thinks the house is empty")
	}
	_, _, err := second.SetupLink(t.Context())
	wantErr(t, "another link", err, auth.ErrSetupDone)
}

func TestSetupLinksAndPeople(t *testing.T) {
	h := open(t)
	link, _, err := h.node.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", flip(link), link + "A"} {
		_, err = h.node.Setup(t.Context(), h.by(nil), setupOf(bad, ""))
		wantErr(t, "link "+bad, err, auth.ErrSetupLink)
	}
	r := setupOf(link, "")
	r.Admin.Password = "weak"
	_, err = h.node.Setup(t.Context(), h.by(nil), r)
	wantInvalid(t, "a weak password", err, "too_short")
	r = setupOf(link, "")
	r.Auditor.Username = r.Admin.Username
	_, err = h.node.Setup(t.Context(), h.by(nil), r)
	wantInvalid(t, "two of one name", err, "duplicate")
	r = setupOf(link, "")
	r.SecurityAdmin.Username = "13800138000"
	_, err = h.node.Setup(t.Context(), h.by(nil), r)
	wantInvalid(t, "a telephone number", err, "bad_username")
	if n := h.count(`select count(*) from auth.account`); n != 0 {
		t.Errorf("refused set-ups left %d accounts", n)
	}
	h.clock.pass(31 * time.Minute)
	_, err = h.node.Setup(t.Context(), h.by(nil), setupOf(link, ""))
	wantErr(t, "after half an hour", err, auth.ErrSetupLink)
	if link, _, err = h.node.SetupLink(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := h.node.Setup(t.Context(), h.by(nil), setupOf(link, ""))
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.node.Setup(t.Context(), h.by(nil), setupOf(link, ""))
	wantErr(t, "the same link again", err, auth.ErrSetupDone)

	// The links of the others: once, until they end, the newest only.
	a := done.Activations[0]
	if a.Role != auth.SecurityAdmin || a.Username != "anquan" {
		t.Fatalf("%+v", a)
	}
	_, err = h.node.Activate(t.Context(), h.by(nil), a.Token, "short")
	wantInvalid(t, "a weak password", err, "too_short")
	o, err := h.node.Activate(t.Context(), h.by(nil), a.Token, password)
	if err != nil || !o.Identity.May(auth.ManageGrants, h.clock.now()) {
		t.Fatal(o, err)
	}
	_, err = h.node.Activate(t.Context(), h.by(nil), a.Token, password)
	wantErr(t, "the link again", err, auth.ErrLink)
	wantErr(t, "is a failed sign-in", err, auth.ErrSignIn)
	b := done.Activations[1]
	_, err = h.node.NewActivation(t.Context(), h.by(done.Opened.Identity), b.Account)
	wantConflict(t, "the administrator renews the auditor's link", err, "more_rights")
	newer, err := h.node.NewActivation(t.Context(), cli, b.Account)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.node.Activate(t.Context(), h.by(nil), b.Token, password)
	wantErr(t, "the link before the newest", err, auth.ErrLink)
	h.clock.pass(73 * time.Hour)
	_, err = h.node.Activate(t.Context(), h.by(nil), newer.Token, password)
	wantErr(t, "after three days", err, auth.ErrLink)
}

// TestAnActivationLinkOnce races for one link.
func TestAnActivationLinkOnce(t *testing.T) {
	h := open(t)
	_, link, err := h.node.AddUser(t.Context(), cli, auth.NewAccount{Username: "once", Name: "一"}, auth.NewGrant{Role: auth.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := h.node.Activate(t.Context(), h.by(nil), link.Token, password)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, auth.ErrLink) {
				t.Errorf("a loser: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 used the link", won.Load())
	}
}

func TestTheCommandLineEndsTheSetup(t *testing.T) {
	for name, fn := range map[string]func(h *house) error{
		"user": func(h *house) error {
			_, _, err := h.node.AddUser(t.Context(), cli, auth.NewAccount{Username: "first", Name: "一"}, auth.NewGrant{Role: auth.Admin})
			return err
		},
		"token": func(h *house) error {
			_, _, err := h.node.CreateToken(t.Context(), cli, auth.NewToken{Name: "x", Role: auth.Viewer, Scopes: []string{"read"}})
			return err
		},
	} {
		h := open(t)
		link, _, err := h.node.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := fn(h); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !h.node.Done() {
			t.Errorf("%s: the set-up goes on", name)
		}
		_, err = h.node.Setup(t.Context(), h.by(nil), setupOf(link, ""))
		wantErr(t, name, err, auth.ErrSetupDone)
	}
}

func TestSecondFactor(t *testing.T) {
	h := open(t)
	h.person("chu", auth.Commander, county, county)
	_, old := h.in("chu")
	o, by := h.in("chu")
	secret, uri, err := h.node.BeginSecondFactor(t.Context(), by)
	if err != nil || !strings.Contains(uri, "secret="+secret) || !strings.HasPrefix(uri, "otpauth://totp/") {
		t.Fatal(uri, err)
	}
	_, err = h.node.ConfirmSecondFactor(t.Context(), by, "000000")
	wantErr(t, "a wrong code", err, auth.ErrSignIn)
	now := h.clock.now()
	codes, err := h.node.ConfirmSecondFactor(t.Context(), by, code(t, secret, now))
	if err != nil || len(codes) != 10 {
		t.Fatal(codes, err)
	}
	if id, err := who(h.node, o.Cookie); err != nil || !id.Verified || id.Limited != "" {
		t.Errorf("the session that enrolled: %+v, %v", id, err)
	}
	if h.node.Recheck(old.Identity) {
		t.Error("a session without the factor goes on")
	}
	in := func(code, recovery string) (auth.Opened, error) {
		return h.node.SignIn(t.Context(), h.by(nil), auth.SignInRequest{Username: "chu", Password: password, Code: code, Recovery: recovery})
	}
	_, err = in("", "")
	wantErr(t, "without a code", err, auth.ErrSecondFactor)
	_, err = in(code(t, secret, now), "")
	wantErr(t, "the code that enrolled it", err, auth.ErrSignIn)
	h.clock.pass(30 * time.Second)
	next := code(t, secret, h.clock.now())
	if o, err := in(next, ""); err != nil || !o.Identity.Verified {
		t.Errorf("the next code: %v", err)
	}
	_, err = in(next, "")
	wantErr(t, "the same code again", err, auth.ErrSignIn)
	h.clock.pass(5 * time.Minute)
	_, err = in(code(t, secret, h.clock.now().Add(-2*time.Minute)), "")
	wantErr(t, "an old code", err, auth.ErrSignIn)
	h.clock.pass(5 * time.Minute)
	if _, err := in("", strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	_, err = in("", codes[0])
	wantErr(t, "the recovery code again", err, auth.ErrSignIn)
	// One code, many at once.
	h.clock.pass(10 * time.Minute)
	var won atomic.Int64
	var wg sync.WaitGroup
	same := code(t, secret, h.clock.now())
	for range 5 {
		wg.Go(func() {
			if _, err := in(same, ""); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() > 1 {
		t.Errorf("one code opened %d sessions", won.Load())
	}
	h.clock.pass(time.Hour)
	again, err := in(code(t, secret, h.clock.now()), "")
	if err != nil {
		t.Fatal(err)
	}
	by = h.by(again.Identity)
	h.clock.pass(time.Minute)
	wantErr(t, "dropping it with a wrong password", h.node.DropSecondFactor(t.Context(), by, "Wrong-Password-1", code(t, secret, h.clock.now())), auth.ErrSignIn)
	wantErr(t, "dropping it with a wrong code", h.node.DropSecondFactor(t.Context(), by, password, "000000"), auth.ErrSignIn)
	if err := h.node.DropSecondFactor(t.Context(), by, password, code(t, secret, h.clock.now())); err != nil {
		t.Fatal(err)
	}
	if _, err := in("", ""); err != nil {
		t.Errorf("without the factor: %v", err)
	}
	for _, c := range codes {
		if n := h.count(`select count(*) from audit.entry where (coalesce(after::text, '') || coalesce(before::text, '') || reason || object) like '%' || $1 || '%'`, c); n != 0 {
			t.Error("a recovery code stands in the audit")
		}
	}
}

func TestOfficesMustEnrol(t *testing.T) {
	h := open(t)
	h.person("wei", auth.DutyOfficer, county, county)
	h.person("jiang", auth.GridWorker, town, town)
	h.setting(`{"second_factor_required": true}`)
	o, by := h.in("wei")
	if o.Identity.Limited != "enrol_second_factor" || o.Identity.SignedIn() || !h.node.Me(o.Identity).SecondFactorRequired {
		t.Fatalf("limited %q", o.Identity.Limited)
	}
	_, err := h.node.Accounts(t.Context(), by, auth.AccountQuery{})
	wantErr(t, "a limited session", err, auth.ErrForbidden)
	secret, _, err := h.node.BeginSecondFactor(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.node.ConfirmSecondFactor(t.Context(), by, code(t, secret, h.clock.now())); err != nil {
		t.Fatal(err)
	}
	if id, err := who(h.node, o.Cookie); err != nil || id.Limited != "" {
		t.Errorf("after enrolling: %+v, %v", id, err)
	}
	if o, _ := h.in("jiang"); o.Identity.Limited != "" {
		t.Errorf("the grid worker is limited: %q", o.Identity.Limited)
	}
}

func TestFieldPhones(t *testing.T) {
	h := open(t)
	h.person("duty", auth.DutyOfficer, county, county)
	_, duty := h.in("duty")
	info, _, err := h.node.AddUser(t.Context(), cli, auth.NewAccount{Username: "grid", Name: "网格员", Unit: town}, auth.NewGrant{Role: auth.GridWorker, Area: town})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.node.GrantRole(t.Context(), cli, auth.NewGrant{Account: info.ID, Role: auth.Approver, Area: town, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	enrol := func() string {
		t.Helper()
		c, until, err := h.node.CreateEnrolment(t.Context(), duty, info.ID)
		if err != nil || until.Sub(h.clock.now()) > 10*time.Minute {
			t.Fatal(until, err)
		}
		return c
	}
	c := enrol()
	_, err = h.node.Enrol(t.Context(), h.by(nil), c, "x", "")
	wantInvalid(t, "a bad device id", err, "bad_device")
	o, err := h.node.Enrol(t.Context(), h.by(nil), c, "device-0001", "红米\x00 Note")
	if err != nil || o.Identity.Kind != auth.Device || o.Identity.Device != "device-0001" {
		t.Fatal(o, err)
	}
	if !o.Identity.May(auth.WriteFeatures, h.clock.now()) || o.Identity.May(auth.Countersign, h.clock.now()) {
		t.Error("a phone somebody else signed in carries the office's role")
	}
	_, err = h.node.Enrol(t.Context(), h.by(nil), c, "device-0002", "")
	wantErr(t, "the code again", err, auth.ErrLink)
	for device, want := range map[string]error{"": nil, "device-0001": nil, "device-0002": auth.ErrCredential} {
		if _, err := h.node.Identify(t.Context(), auth.Credential{Cookie: o.Cookie, Device: device, Peer: stranger}); !errors.Is(err, want) {
			t.Errorf("from device %q: %v, want %v", device, err, want)
		}
	}
	c = enrol()
	h.clock.pass(11 * time.Minute)
	_, err = h.node.Enrol(t.Context(), h.by(nil), c, "device-0003", "")
	wantErr(t, "after ten minutes", err, auth.ErrLink)
	// The phone goes to the next shift: the session before ends.
	_, duty = h.in("duty")
	c = enrol()
	if _, err := h.node.Enrol(t.Context(), h.by(nil), c, "device-0001", ""); err != nil {
		t.Fatal(err)
	}
	_, err = who(h.node, o.Cookie)
	wantErr(t, "the session before", err, auth.ErrCredential)
	h.clock.pass(25 * 24 * time.Hour)
	wantErr(t, "a phone changes no password", h.node.ChangePassword(t.Context(), h.by(o.Identity), password, "Next-Password-1"), auth.ErrForbidden)
}

func TestSessionsOfOthers(t *testing.T) {
	h := open(t)
	h.person("adm", auth.Admin, county, county)
	h.person("here", auth.Viewer, town, town)
	h.person("there", auth.Viewer, other, other)
	_, adm := h.in("adm")
	mine, here := h.in("here")
	theirs, _ := h.in("there")
	if list, err := h.node.Sessions(t.Context(), adm, mine.Identity.Account); err != nil || len(list) != 2 || list[0].Current {
		t.Errorf("the administrator sees %+v, %v", list, err)
	}
	_, err := h.node.Sessions(t.Context(), adm, theirs.Identity.Account)
	wantErr(t, "foreign sessions", err, auth.ErrNotFound)
	_, err = h.node.Sessions(t.Context(), here, theirs.Identity.Account)
	wantErr(t, "a viewer asks", err, auth.ErrForbidden)
	for name, id := range map[string]string{"foreign": theirs.Identity.ID, "absent": "00000000-0000-7000-8000-000000000000", "no id": "x"} {
		wantErr(t, name, h.node.EndSession(t.Context(), adm, id), auth.ErrNotFound)
		wantErr(t, name, h.node.EndSession(t.Context(), here, id), auth.ErrNotFound)
	}
	if err := h.node.EndSession(t.Context(), adm, mine.Identity.ID); err != nil {
		t.Fatal(err)
	}
	_, err = who(h.node, mine.Cookie)
	wantErr(t, "ended by the administrator", err, auth.ErrCredential)
	wantErr(t, "again", h.node.EndSession(t.Context(), adm, mine.Identity.ID), auth.ErrNotFound)
	again, by := h.in("here")
	if err := h.node.EndSession(t.Context(), by, again.Identity.ID); err != nil {
		t.Errorf("one's own: %v", err)
	}
}

// TestAResetPasswordEndsEverything: whoever had the old one is out.
func TestAResetPasswordEndsEverything(t *testing.T) {
	h := open(t)
	second := h.another()
	h.person("adm", auth.Admin, county, county)
	id := h.person("lost", auth.Viewer, county, county)
	_, adm := h.in("adm")
	before, _ := h.in("lost")
	if _, err := who(second, before.Cookie); err != nil {
		t.Fatal(err)
	}
	link, err := h.node.NewActivation(t.Context(), adm, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := who(h.node, before.Cookie); err != nil {
		t.Errorf("a link alone ended a session: %v", err)
	}
	const next = "Another-Horse-8"
	if _, err := h.node.Activate(t.Context(), h.by(nil), link.Token, next); err != nil {
		t.Fatal(err)
	}
	_, err = who(h.node, before.Cookie)
	wantErr(t, "on this node", err, auth.ErrCredential)
	_, err = h.node.SignIn(t.Context(), h.by(nil), auth.SignInRequest{Username: "lost", Password: password})
	wantErr(t, "the old password", err, auth.ErrSignIn)
	if _, err := h.node.SignIn(t.Context(), h.by(nil), auth.SignInRequest{Username: "lost", Password: next}); err != nil {
		t.Error(err)
	}
	if err := h.node.SetPassword(t.Context(), cli, id, "A-Third-Horse-9"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if _, err = who(second, before.Cookie); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	wantErr(t, "on the other node", err, auth.ErrCredential)
	if n := h.count(`select count(*) from auth.session s join auth.account a on a.id = s.account where a.username = 'lost' and s.ended_at is null`); n != 0 {
		t.Errorf("%d sessions are left open", n)
	}
}
