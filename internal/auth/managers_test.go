package auth_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"onemap/internal/auth"
)

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
	h.person("duty", auth.DutyOfficer, county, county)
	_, duty := h.in("duty")
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
	_, text, err := h.node.CreateToken(t.Context(), duty, auth.NewToken{Name: "机器", Role: auth.DutyOfficer, Area: county, Scopes: []string{"read"}})
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
