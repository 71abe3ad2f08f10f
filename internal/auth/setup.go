package auth

import (
	"context"
	"errors"
	"time"

	"onemap/internal/audit"
)

// SetupLink makes a link for the first set-up: half an hour, one use. Every node may
// print one.
func (s *Service) SetupLink(ctx context.Context) (string, time.Time, error) {
	text, k := newSecret()
	by := By{CLI: true}
	var until time.Time
	err := s.store.transact(ctx, s.store.db.Intake, by, by.claims(Grant{}), s.clock(), func(w *work) error {
		if done, err := w.setupDone(); err != nil || done {
			return orElse(err, ErrSetupDone)
		}
		until = w.now.Add(setupLinkLife)
		_, err := w.do("new_setup_link", k[:], w.now, until)
		return err
	})
	return text, until, err
}

func (w *work) setupDone() (done bool, err error) {
	_, err = w.one([]any{&done}, "is_setup_done")
	return done, err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Setup makes the three people of 三员分立 and signs the administrator in. Of several
// at once one wins: all insert the same row.
func (s *Service) Setup(ctx context.Context, by By, r SetupRequest) (SetupResult, error) {
	if s.Done() {
		return SetupResult{}, ErrSetupDone
	}
	link, ok := parseSecret(r.Token)
	if !ok {
		return SetupResult{}, ErrSetupLink
	}
	if err := s.setupLinkHolds(ctx, by, link); err != nil {
		return SetupResult{}, err
	}
	people := []struct {
		path string
		SetupPerson
		role Role
		NewAccount
	}{{path: "/admin", SetupPerson: r.Admin, role: Admin}, {path: "/security_admin", SetupPerson: r.SecurityAdmin, role: SecurityAdmin}, {path: "/auditor", SetupPerson: r.Auditor, role: Auditor}}
	var f Invalid
	seen := map[string]bool{}
	for i := range people {
		p := &people[i]
		p.NewAccount = NewAccount{Username: p.SetupPerson.Username, Name: p.SetupPerson.Name}.clean()
		p.check(&f, p.path)
		if p.NewAccount.Username != "" && seen[p.NewAccount.Username] {
			f.add(p.path+"/username", "duplicate", "三人须各用不同的用户名", "three people, three user names")
		}
		seen[p.NewAccount.Username] = true
	}
	if bad := new(Invalid); errors.As(s.Security().weak(r.Admin.Password, people[0].NewAccount.Username), &bad) {
		for _, i := range bad.Items {
			f.add("/admin"+i.Path, i.Code, i.ZH, i.EN)
		}
	}
	if err := f.err(); err != nil {
		return SetupResult{}, err
	}
	stored, err := s.hasher.hash(ctx, r.Admin.Password)
	if err != nil {
		return SetupResult{}, err
	}
	if s.Done() { // somebody was faster while this one waited to hash
		return SetupResult{}, ErrSetupDone
	}
	var out SetupResult
	var k key
	err = s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		out = SetupResult{}
		// The row first: whoever comes second waits here and is told before anything
		// else of his is looked at.
		if n, err := w.do("end_setup", w.now); err != nil || n == 0 {
			return orElse(err, ErrSetupDone)
		}
		var holds bool
		if _, err := w.one([]any{&holds}, "setup_link_holds", link[:], w.now); err != nil || !holds {
			return orElse(err, ErrSetupLink)
		}
		names := map[string]any{}
		var admin string
		for i, p := range people {
			id, err := w.addAccount(p.NewAccount)
			if err != nil {
				return err
			}
			if err := w.addGrant(id, p.role, "", w.now, time.Time{}, "首次设置"); err != nil {
				return err
			}
			names[string(p.role)] = p.NewAccount.Username
			if i == 0 {
				admin = id
				if _, err := w.do("new_credential", id, stored, w.now, []string{}); err != nil {
					return err
				}
				if _, err := w.do("set_state", id, Active); err != nil {
					return err
				}
				continue
			}
			a, err := w.activation(id, p.NewAccount, s.Security())
			if err != nil {
				return err
			}
			a.Role = p.role
			out.Activations = append(out.Activations, a)
		}
		n := newSession{account: admin, kind: Session, expires: w.now.Add(s.Security().absolute())}
		if out.Opened.Cookie, k, err = w.open(&n); err != nil {
			return err
		}
		out.Opened.Expires = n.expires
		d := by.Doer(Grant{})
		d.Account, d.Actor, d.Kind, d.Session = admin, people[0].NewAccount.Username, string(Session), n.id
		return w.record(audit.Entry{Doer: d, Action: "setup", Object: "account/" + admin, After: names})
	})
	if err != nil {
		return SetupResult{}, err
	}
	out.Opened, err = s.opened(ctx, out.Opened, k)
	return out, err
}

func (s *Service) setupLinkHolds(ctx context.Context, by By, link key) error {
	return s.read(ctx, by, func(w *work) error {
		if done, err := w.setupDone(); err != nil || done {
			return orElse(err, ErrSetupDone)
		}
		var holds bool
		if _, err := w.one([]any{&holds}, "setup_link_holds", link[:], w.now); err != nil || !holds {
			return orElse(err, ErrSetupLink)
		}
		return nil
	})
}
