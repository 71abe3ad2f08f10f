package auth_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"onemap/internal/auth"
)

// These are break-ins that once worked (docs/security-review.md: F1, F4, F5, F6, F11),
// by people who hold an office and use it against somebody.

// three is a desk of them: who keeps the accounts, who keeps the grants, who audits.
func three(t *testing.T) (h *house, admin, security auth.By) {
	t.Helper()
	h = open(t)
	h.person("adm.all", auth.Admin, "", "")
	h.person("sec.all", auth.SecurityAdmin, "", "")
	h.person("aud.all", auth.Auditor, "", "")
	_, admin = h.in("adm.all")
	_, security = h.in("sec.all")
	return h, admin, security
}

// invite makes an account that nobody has opened.
func (h *house) invite(by auth.By, username, unit string) (string, auth.Activation) {
	h.t.Helper()
	info, link, err := h.node.CreateAccount(h.t.Context(), by, auth.NewAccount{Username: username, Name: "人 " + username, Unit: unit})
	if err != nil {
		h.t.Fatal(err)
	}
	return info.ID, link
}

func (h *house) grant(by auth.By, account string, role auth.Role, area string) error {
	_, err := h.node.GrantRole(h.t.Context(), by, auth.NewGrant{Account: account, Role: role, Area: area, Reason: "测试"})
	return err
}

func (h *house) activate(link auth.Activation) error {
	_, err := h.node.Activate(h.t.Context(), h.by(nil), link.Token, password)
	return err
}

// TestAnAdministratorBecomesNobodyElse: F1. A link or a code is worth what the account
// is worth when it is used.
func TestAnAdministratorBecomesNobodyElse(t *testing.T) {
	h, admin, security := three(t)

	// To an account nobody has opened no 三员 role is granted.
	empty, link := h.invite(admin, "empty", county)
	for _, role := range []auth.Role{auth.Admin, auth.SecurityAdmin, auth.Auditor} {
		wantConflict(t, "granting "+string(role)+" to an account nobody opened", h.grant(security, empty, role, ""), "not_active")
	}
	if n := h.count(`select count(*) from audit.entry where action = 'grant.create' and outcome = 'refused' and reason = 'not_active'`); n != 3 {
		t.Errorf("%d refusals in the audit, want 3", n)
	}
	if err := h.activate(link); err != nil {
		t.Fatal(err)
	}
	if err := h.grant(security, empty, auth.Auditor, ""); err != nil {
		t.Errorf("after he opened his link: %v", err)
	}

	// The command line's person, invited and granted at once: his link is the command
	// line's to renew.
	named, _, err := h.node.AddUser(t.Context(), cli, auth.NewAccount{Username: "named", Name: "x"}, auth.NewGrant{Role: auth.SecurityAdmin})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.node.NewActivation(t.Context(), admin, named.ID)
	wantConflict(t, "a link for an invited security administrator", err, "more_rights")
	if link, err = h.node.NewActivation(t.Context(), cli, named.ID); err != nil {
		t.Fatal(err)
	} else if err := h.activate(link); err != nil {
		t.Errorf("the command line's link: %v", err)
	}

	// A link and a code got before the grant are void by it.
	plain := h.person("plain", auth.Viewer, county, county)
	if link, err = h.node.NewActivation(t.Context(), admin, plain); err != nil {
		t.Fatal(err)
	}
	code, _, err := h.node.CreateEnrolment(t.Context(), admin, plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.grant(security, plain, auth.SecurityAdmin, ""); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a link from before", h.activate(link), auth.ErrLink)
	_, err = h.node.Enrol(t.Context(), h.by(nil), code, "device-0001", "")
	wantErr(t, "a code from before", err, auth.ErrLink)
	_, err = h.node.NewActivation(t.Context(), admin, plain)
	wantConflict(t, "a link from after", err, "more_rights")
	_, _, err = h.node.CreateEnrolment(t.Context(), admin, plain)
	wantConflict(t, "a code from after", err, "more_rights")
	if _, by := h.in("plain"); !by.May(auth.ManageGrants, h.clock.now()) {
		t.Error("his own password no longer signs him in")
	}
}

// TestGrantsAndLinksAtOnce: whatever comes first, no link is left to an account that
// holds a 三员 role.
func TestGrantsAndLinksAtOnce(t *testing.T) {
	h, admin, security := three(t)
	for i := range 8 {
		id := h.person(fmt.Sprint("person", i), auth.Viewer, county, county)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h.node.NewActivation(t.Context(), admin, id) })
		wg.Go(func() { _, _, _ = h.node.CreateEnrolment(t.Context(), admin, id) })
		wg.Go(func() {
			if err := h.grant(security, id, auth.Auditor, county); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	}
	for _, table := range []string{"activation", "enrolment"} {
		if n := h.count(`select count(*) from auth.` + table + ` l join auth.role_grant g on g.account = l.account
			where g.role = 'auditor' and l.used_at is null and to_jsonb(l) ->> 'voided_at' is null`); n != 0 {
			t.Errorf("%d rows of %s open an auditor's account", n, table)
		}
	}
}

// TestALinkHoldsWhileItsIssuerCouldIssueIt: the other half of F1.
func TestALinkHoldsWhileItsIssuerCouldIssueIt(t *testing.T) {
	h, admin, security := three(t)
	county1 := h.person("adm.county", auth.Admin, county, county)
	_, local := h.in("adm.county")

	// Somebody is given more than the issuer administers.
	first, link := h.invite(local, "first", county)
	code, _, err := h.node.CreateEnrolment(t.Context(), local, first)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.grant(security, first, auth.Commander, ""); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a commander of everywhere by a county's link", h.activate(link), auth.ErrLink)
	_, err = h.node.Enrol(t.Context(), h.by(nil), code, "device-0001", "")
	wantErr(t, "by a county's code", err, auth.ErrLink)
	_, err = h.node.NewActivation(t.Context(), local, first)
	wantConflict(t, "another link of the county's", err, "more_rights")
	if link, err = h.node.NewActivation(t.Context(), admin, first); err != nil {
		t.Fatal(err)
	} else if err := h.activate(link); err != nil {
		t.Errorf("a link of who administers everywhere: %v", err)
	}

	// A sheet's links are links.
	made, err := h.node.ImportPeople(t.Context(), local, []auth.NewPerson{{Row: 2, NewAccount: auth.NewAccount{Username: "sheet.one", Name: "x", Unit: county}}, {Row: 3, NewAccount: auth.NewAccount{Username: "sheet.two", Name: "x", Unit: county}}}, false)
	if err != nil || len(made.Activations) != 2 {
		t.Fatal(made, err)
	}
	if err := h.activate(made.Activations[0]); err != nil {
		t.Errorf("a sheet's link: %v", err)
	}
	if err := h.grant(security, made.Activations[1].Account, auth.Viewer, ""); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a sheet's link to who was given more", h.activate(made.Activations[1]), auth.ErrLink)

	// The person moves out of the issuer's area, and back.
	moved, link := h.invite(local, "moved", county)
	for _, unit := range []string{other, county} {
		info, err := h.node.Account(t.Context(), admin, moved)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.node.UpdateAccount(t.Context(), admin, moved, info.Version, auth.AccountPatch{Unit: &unit}); err != nil {
			t.Fatal(err)
		}
		if unit == other {
			wantErr(t, "a link of the former county", h.activate(link), auth.ErrLink)
		}
	}
	if err := h.activate(link); err != nil {
		t.Errorf("back in the county: %v", err)
	}

	// The issuer loses his office, or is stopped.
	_, byGone := h.invite(local, "second", county)
	_, byStopped := h.invite(local, "third", county)
	h.person("adm.two", auth.Admin, county, county)
	page, err := h.node.Grants(t.Context(), cli, auth.GrantQuery{Account: county1})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.node.RevokeGrant(t.Context(), security, page.Grants[0].ID, "调离"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the issuer lost his office", h.activate(byGone), auth.ErrLink)
	if err := h.grant(security, county1, auth.Admin, county); err != nil {
		t.Fatal(err)
	}
	if err := h.activate(byGone); err != nil {
		t.Errorf("he has it again: %v", err)
	}
	h.disable(admin, county1)
	wantErr(t, "the issuer was stopped", h.activate(byStopped), auth.ErrLink)
}

func (h *house) disable(by auth.By, account string) {
	h.t.Helper()
	if err := h.tryDisable(by, account); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) tryDisable(by auth.By, account string) error {
	h.t.Helper()
	info, err := h.node.Account(h.t.Context(), cli, account)
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = h.node.UpdateAccount(h.t.Context(), by, account, info.Version, auth.AccountPatch{State: new(auth.Disabled)})
	return err
}

// TestATokenIsNeverMoreThanItsMaker: F4.
func TestATokenIsNeverMoreThanItsMaker(t *testing.T) {
	h, _, security := three(t)
	h.person("sec.two", auth.SecurityAdmin, "", "")
	h.clock.freeze()
	token := func(by auth.By, role auth.Role, area string, scopes ...string) (auth.TokenInfo, string, error) {
		return h.node.CreateToken(t.Context(), by, auth.NewToken{Name: string(role), Role: role, Area: area, Scopes: scopes, Network: map[bool]string{true: "10.1.0.0/16"}[scopes[0] == "wall"]})
	}
	for _, r := range auth.Roles() {
		if r.Role.Separated() || r.Role == auth.Viewer {
			continue
		}
		_, _, err := token(security, r.Role, county, "read")
		wantErr(t, "the security administrator makes himself a token of "+string(r.Role), err, auth.ErrForbidden)
	}
	for _, scope := range []string{"report", "ingest"} {
		_, _, err := token(security, auth.Viewer, county, scope)
		wantErr(t, "his viewer's token to "+scope, err, auth.ErrForbidden)
	}
	screenInfo, screen, err := token(security, auth.Viewer, "", "wall")
	if err != nil {
		t.Fatal(err)
	}
	for role, makes := range map[auth.Role]bool{auth.DutyOfficer: true, auth.Planner: true, auth.Commander: true, auth.DataEngineer: true,
		auth.Viewer: false, auth.GridWorker: false, auth.Unit: false, auth.Approver: false, auth.Admin: false, auth.Auditor: false} {
		name := "m." + string(role[:4])
		h.person(name, role, county, county)
		_, by := h.in(name)
		for what, got := range map[string]error{
			"his own":         third(token(by, role, county, "read")),
			"a town of it":    third(token(by, role, town, "read")),
			"a viewer's":      third(token(by, auth.Viewer, county, "wall")),
			"beyond his area": third(token(by, role, other, "read")),
			"everywhere":      third(token(by, role, "", "read")),
			"another role":    third(token(by, map[bool]auth.Role{true: auth.Planner, false: auth.Commander}[role == auth.Commander], county, "read")),
		} {
			own := what == "his own" || what == "a town of it" || what == "a viewer's"
			if own && makes && got != nil {
				t.Errorf("%s makes a token, %s: %v", role, what, got)
			}
			if (!own || !makes) && got == nil {
				t.Errorf("%s made a token, %s", role, what)
			}
		}
	}

	// What a token may ends with its maker's grant, on another node too, and comes back
	// with it.
	second := h.another()
	alive := func(name string, want bool, texts ...string) {
		t.Helper()
		h.settle(second)
		for _, text := range texts {
			for i, node := range []*auth.Service{h.node, second} {
				id, err := node.Identify(t.Context(), auth.Credential{Bearer: text, Peer: office})
				if (err == nil) != want {
					t.Errorf("%s: node %d: %+v, %v, want alive %v", name, i, id, err, want)
				}
			}
		}
	}
	maker := h.person("maker", auth.Viewer, county, county)
	grant, err := h.node.GrantRole(t.Context(), security, auth.NewGrant{Account: maker, Role: auth.Commander, Area: county, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	_, by := h.in("maker")
	commander, text, err := token(by, auth.Commander, town, "read")
	if err != nil {
		t.Fatal(err)
	}
	_, viewer, err := token(by, auth.Viewer, town, "read")
	if err != nil {
		t.Fatal(err)
	}
	_, wall, err := token(by, auth.Viewer, county, "wall")
	if err != nil {
		t.Fatal(err)
	}
	onWall, err := h.node.OpenWall(t.Context(), h.by(nil), wall)
	if err != nil {
		t.Fatal(err)
	}
	_, machine, err := token(cli, auth.Commander, "", "read")
	if err != nil {
		t.Fatal(err)
	}
	alive("at first", true, text, viewer, wall, machine, screen)
	stream, err := h.node.Identify(t.Context(), auth.Credential{Bearer: text})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := h.node.Tokens(t.Context(), by); err != nil || len(list) != 3 {
		t.Errorf("his tokens: %+v, %v", list, err)
	}
	wantErr(t, "ending another's", h.node.RevokeToken(t.Context(), by, screenInfo.ID), auth.ErrNotFound)
	if err := h.node.RevokeGrant(t.Context(), security, grant.ID, "调离"); err != nil {
		t.Fatal(err)
	}
	alive("its maker's grant was revoked", false, text, viewer, wall)
	alive("the command line's and the security administrator's", true, machine, screen)
	if h.node.Recheck(stream) {
		t.Error("the open stream of a token goes on without its maker's grant")
	}
	if _, err := who(h.node, onWall.Cookie); err == nil {
		t.Error("the wall goes on without its maker's grant")
	}
	// Again, from tomorrow for a day: by the clock, nobody tells.
	if _, err := h.node.GrantRole(t.Context(), security, auth.NewGrant{Account: maker, Role: auth.Commander, Area: county, Reason: "x", From: h.clock.now().Add(time.Hour), To: h.clock.now().Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	alive("before the new grant", false, text, viewer, wall)
	h.clock.pass(61 * time.Minute)
	alive("with the new grant", true, text, viewer, wall)
	if _, err := who(h.node, onWall.Cookie); err != nil {
		t.Errorf("the wall with the new grant: %v", err)
	}
	_, by = h.in("maker")
	if info, _, err := token(by, auth.Commander, county, "read"); err != nil || info.Expires.Sub(h.clock.now()) > time.Hour {
		t.Errorf("a token of a grant that ends: %+v, %v", info, err)
	}
	_, _, err = h.node.CreateToken(t.Context(), by, auth.NewToken{Name: "x", Role: auth.Commander, Area: county, Scopes: []string{"read"}, Expires: h.clock.now().AddDate(0, 0, 5)})
	wantInvalid(t, "a token beyond the end of the grant", err, "bad_period")
	h.clock.pass(time.Hour)
	alive("after the new grant", false, text, viewer, wall)
	if err := h.grant(cli, maker, auth.Commander, ""); err != nil {
		t.Fatal(err)
	}
	alive("with a wider grant", true, text, viewer, wall)
	_, admin := h.in("adm.all")
	h.disable(admin, maker)
	alive("its maker was disabled", false, text, viewer, wall)

	// The security administrator sees and ends all.
	_, security = h.in("sec.all")
	if err := h.node.RevokeToken(t.Context(), security, commander.ID); err != nil {
		t.Error(err)
	}
	h.disable(admin, security.Account)
	alive("a screen outlives who put it up", true, screen)
}

func third[A, B any](_ A, _ B, err error) error { return err }

// TestTheAuditStaysReadable: F5, the auditor.
func TestTheAuditStaysReadable(t *testing.T) {
	h, admin, security := three(t)
	auditor, err := h.node.AccountID(t.Context(), cli, "aud.all")
	if err != nil {
		t.Fatal(err)
	}
	page, err := h.node.Grants(t.Context(), cli, auth.GrantQuery{Account: auditor})
	if err != nil || len(page.Grants) != 1 {
		t.Fatal(page, err)
	}
	wantConflict(t, "disabling the last auditor", h.tryDisable(admin, auditor), "last_holder")
	wantConflict(t, "revoking the last auditor", h.node.RevokeGrant(t.Context(), security, page.Grants[0].ID, "x"), "last_holder")
	h.person("aud.county", auth.Auditor, county, county)
	wantConflict(t, "behind a county's auditor", h.node.RevokeGrant(t.Context(), security, page.Grants[0].ID, "x"), "last_holder")
	h.person("aud.two", auth.Auditor, "", "")
	if err := h.tryDisable(admin, auditor); err != nil {
		t.Errorf("with another auditor: %v", err)
	}
}

// TestASuccessorOfSecondsIsNone: F5, the last administrator.
func TestASuccessorOfSecondsIsNone(t *testing.T) {
	h, admin, security := three(t)
	plain := h.person("plain", auth.Viewer, county, county)
	first, err := h.node.Grants(t.Context(), cli, auth.GrantQuery{Account: admin.Account})
	if err != nil {
		t.Fatal(err)
	}
	give := func(life time.Duration) auth.GrantInfo {
		t.Helper()
		n := auth.NewGrant{Account: plain, Role: auth.Admin, Reason: "接任"}
		if life > 0 {
			n.To = h.clock.now().Add(life)
		}
		g, err := h.node.GrantRole(t.Context(), security, n)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	short := give(time.Hour)
	wantConflict(t, "revoking the last administrator behind one of an hour", h.node.RevokeGrant(t.Context(), security, first.Grants[0].ID, "x"), "last_holder")
	// The short one goes behind the lasting one.
	if err := h.node.RevokeGrant(t.Context(), security, short.ID, "x"); err != nil {
		t.Fatal(err)
	}
	short = give(time.Hour)
	_, successor := h.in("plain")
	wantConflict(t, "the successor of an hour disables the last", h.tryDisable(successor, admin.Account), "last_holder")
	if err := h.node.RevokeGrant(t.Context(), security, short.ID, "x"); err != nil {
		t.Fatal(err)
	}
	lasting := give(0)
	if err := h.node.RevokeGrant(t.Context(), security, first.Grants[0].ID, "调离"); err != nil {
		t.Errorf("behind a lasting successor: %v", err)
	}
	wantConflict(t, "and then him", h.node.RevokeGrant(t.Context(), security, lasting.ID, "x"), "last_holder")
}

// TestAnAreaAdministratorReachesNobodyWithMore: F6.
func TestAnAreaAdministratorReachesNobodyWithMore(t *testing.T) {
	h, admin, _ := three(t)
	h.person("adm.town", auth.Admin, town, town)
	_, local := h.in("adm.town")
	wide := h.person("wide", auth.Commander, "", town)
	sec := h.person("sec.town", auth.SecurityAdmin, town, town)
	later := h.person("later", auth.Viewer, town, town)
	if _, err := h.node.GrantRole(t.Context(), cli, auth.NewGrant{Account: later, Role: auth.Commander, Area: county, From: h.clock.now().Add(time.Hour), Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	plain := h.person("plain", auth.DutyOfficer, town, town)
	for _, name := range []string{"wide", "sec.town", "later", "plain"} {
		id := map[string]string{"wide": wide, "sec.town": sec, "later": later, "plain": plain}[name]
		opened, _ := h.in(name)
		for what, patch := range map[string]auth.AccountPatch{"renamed": {Name: new("x")}, "moved": {Unit: new(town + "200")}, "called": {Phone: new("13800138000")}, "stopped": {State: new(auth.Disabled)}} {
			if name == "plain" {
				continue
			}
			info, err := h.node.Account(t.Context(), cli, id)
			if err != nil {
				t.Fatal(err)
			}
			_, err = h.node.UpdateAccount(t.Context(), local, id, info.Version, patch)
			wantConflict(t, name+" "+what, err, "more_rights")
		}
		err := h.node.EndSession(t.Context(), local, opened.Identity.ID)
		if name == "plain" {
			if err != nil {
				t.Errorf("the session of one of his own: %v", err)
			}
			continue
		}
		wantConflict(t, "the session of "+name, err, "more_rights")
		if _, err := who(h.node, opened.Cookie); err != nil {
			t.Errorf("%s was signed out: %v", name, err)
		}
	}
	info, err := h.node.Account(t.Context(), local, plain)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.node.UpdateAccount(t.Context(), local, plain, info.Version, auth.AccountPatch{Unit: new(county)})
	wantErr(t, "moving somebody out of the area", err, auth.ErrForbidden)
	if err := h.tryDisable(local, plain); err != nil {
		t.Errorf("stopping one of his own: %v", err)
	}
	// Himself he may rename.
	me, err := h.node.Account(t.Context(), local, local.Account)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.node.UpdateAccount(t.Context(), local, local.Account, me.Version, auth.AccountPatch{Name: new("新名")}); err != nil {
		t.Errorf("renaming himself: %v", err)
	}
	// Who administers everywhere stops anybody, the 三员 too; the audit names it.
	for _, id := range []string{wide, sec, later} {
		if err := h.tryDisable(admin, id); err != nil {
			t.Errorf("an administrator of everywhere: %v", err)
		}
	}
	if n := h.count(`select count(*) from audit.entry where action = 'account.update' and actor = 'adm.all' and outcome = 'done'`); n != 3 {
		t.Errorf("%d of 3 in the audit", n)
	}
	// A code from before does not outlive being stopped.
	again := h.person("again", auth.GridWorker, town, town)
	code, _, err := h.node.CreateEnrolment(t.Context(), local, again)
	if err != nil {
		t.Fatal(err)
	}
	h.disable(local, again)
	if info, err = h.node.Account(t.Context(), local, again); err != nil {
		t.Fatal(err)
	}
	if _, err := h.node.UpdateAccount(t.Context(), local, again, info.Version, auth.AccountPatch{State: new(auth.Active)}); err != nil {
		t.Fatal(err)
	}
	_, err = h.node.Enrol(t.Context(), h.by(nil), code, "device-0001", "")
	wantErr(t, "a code from before he was stopped", err, auth.ErrLink)
}

// TestSessionsAreSeenWhereOneAdministers: F11. Seeing a person as a duty officer is not
// managing him.
func TestSessionsAreSeenWhereOneAdministers(t *testing.T) {
	h := open(t)
	two := h.person("two.hats", auth.Admin, county, county)
	if err := h.grant(cli, two, auth.DutyOfficer, other); err != nil {
		t.Fatal(err)
	}
	here := h.person("here", auth.Viewer, county, county)
	there := h.person("there", auth.Viewer, other, other)
	_, by := h.in("two.hats")
	if _, err := h.node.Account(t.Context(), by, there); err != nil {
		t.Fatalf("as a duty officer he sees the person: %v", err)
	}
	_, err := h.node.Sessions(t.Context(), by, there)
	wantErr(t, "the sessions of the other county", err, auth.ErrNotFound)
	if list, err := h.node.Sessions(t.Context(), by, here); err != nil || len(list) != 1 {
		t.Errorf("the sessions of his own: %+v, %v", list, err)
	}
	if list, err := h.node.Sessions(t.Context(), by, ""); err != nil || len(list) != 2 {
		t.Errorf("his own sessions: %+v, %v", list, err)
	}
}
