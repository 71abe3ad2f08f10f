package auth

import (
	"context"
	"regexp"
	"strings"
	"time"

	"onemap/internal/audit"
)

// Activate takes a link and the password its owner chose, and signs him in.
func (s *Service) Activate(ctx context.Context, by By, activation, password string) (Opened, error) {
	link, ok := parseSecret(activation)
	if !ok {
		return Opened{}, ErrLink
	}
	var out Opened
	var k key
	err := s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		var a lockedAccount
		var issuer *string
		if found, err := w.one([]any{&a.id, &issuer}, "find_activation", link[:], w.now); err != nil || !found {
			return orElse(err, ErrLink)
		}
		if found, err := w.one([]any{&a.username, &a.name, &a.unit, &a.scope, &a.state, &a.version}, "lock_account", a.id); err != nil || !found || a.state == Disabled {
			return orElse(err, ErrLink)
		}
		// Under the account's lock: of two at once the second finds it used, and what
		// is granted meanwhile waits or was seen.
		if n, err := w.do("use_activation", link[:], w.now); err != nil || n == 0 {
			return orElse(err, ErrLink)
		}
		if err := w.stillIssued(ManageAccounts, issuer, a); err != nil {
			return err
		}
		if err := s.choose(w, a, password); err != nil {
			return err
		}
		if _, err := w.do("void_activations", a.id, w.now); err != nil {
			return err
		}
		if _, err := w.do("end_sessions_of", a.id, w.now, "password", nil); err != nil {
			return err
		}
		if _, err := w.do("signed_in", a.id, w.now); err != nil {
			return err
		}
		n := newSession{account: a.id, kind: Session, expires: w.now.Add(s.Security().absolute())}
		var err error
		if out.Cookie, k, err = w.open(&n); err != nil {
			return err
		}
		out.Expires = n.expires
		return w.record(audit.Entry{Doer: himself(by, a, Session, n.id), Action: "account.activate", Object: "account/" + a.id, Area: a.unit, After: map[string]any{"username": a.username, "issuer": issuer}})
	})
	if err != nil {
		return Opened{}, err
	}
	return s.opened(ctx, out, k)
}

// himself is the doer of what somebody does in the moment he becomes known.
func himself(by By, a lockedAccount, kind Kind, session string) audit.Doer {
	d := by.Doer(Grant{})
	d.Account, d.Actor, d.Kind, d.Session = a.id, a.username, string(kind), session
	return d
}

// CreateEnrolment makes a code that signs one field phone in as somebody: ten minutes,
// one use.
func (s *Service) CreateEnrolment(ctx context.Context, by By, account string) (code string, expires time.Time, err error) {
	text, k := newSecret()
	err = s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		a, g, err := s.lockAccount(w, EnrolDevices, account)
		if err != nil {
			return err
		}
		if a.state == Disabled {
			return conflict("account_disabled", "账号已停用", "the account is disabled")
		}
		if err := s.mayImpersonate(w, EnrolDevices, account); err != nil {
			return err
		}
		expires = w.now.Add(enrolmentLife)
		if _, err := w.do("new_enrolment", k[:], account, w.now, expires, by.account()); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "enrolment.create", Object: "account/" + account, Area: a.unit, After: map[string]any{"username": a.username, "expires_at": expires}})
	})
	return text, expires, err
}

var deviceText = regexp.MustCompile(`^[A-Za-z0-9._:-]{8,200}$`)

// Enrol signs a field phone in by a code. The session is bound to the device id, lasts
// thirty days, and carries field roles only.
func (s *Service) Enrol(ctx context.Context, by By, code, device, name string) (Opened, error) {
	c, ok := parseSecret(strings.TrimSpace(code))
	if !ok {
		return Opened{}, ErrLink
	}
	if !deviceText.MatchString(device) {
		return Opened{}, invalid("/device/id", "bad_device", "设备标识须为 8 至 200 位字母、数字、点、冒号、横线", "8 to 200 letters, digits, dots, colons, dashes")
	}
	var out Opened
	var k key
	err := s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		var a lockedAccount
		var issuer *string
		if found, err := w.one([]any{&a.id, &issuer}, "find_enrolment", c[:], w.now); err != nil || !found {
			return orElse(err, ErrLink)
		}
		if found, err := w.one([]any{&a.username, &a.name, &a.unit, &a.scope, &a.state, &a.version}, "lock_account", a.id); err != nil || !found || a.state == Disabled {
			return orElse(err, ErrLink)
		}
		if n, err := w.do("use_enrolment", c[:], w.now); err != nil || n == 0 {
			return orElse(err, ErrLink)
		}
		if err := w.stillIssued(EnrolDevices, issuer, a); err != nil {
			return err
		}
		// A field worker may never need a password: the phone makes him active.
		if a.state == Invited {
			if _, err := w.do("set_state", a.id, Active); err != nil {
				return err
			}
		}
		if _, err := w.do("end_device", device, w.now); err != nil {
			return err
		}
		n := newSession{account: a.id, kind: Device, device: device, expires: w.now.Add(s.Security().device())}
		if t := clip(name, 200); t != nil {
			n.deviceName = *t
		}
		var err error
		if out.Cookie, k, err = w.open(&n); err != nil {
			return err
		}
		out.Expires = n.expires
		return w.record(audit.Entry{Doer: himself(by, a, Device, n.id), Action: "device.enrol", Object: "session/" + n.id, Area: a.unit, After: map[string]any{"username": a.username, "device": device, "device_name": n.deviceName}})
	})
	if err != nil {
		return Opened{}, err
	}
	return s.opened(ctx, out, k)
}

// OpenWall turns a wall token into a session of a browser on the wall, so that the
// token itself is typed once. It holds from the token's address range only and as long
// as the token.
func (s *Service) OpenWall(ctx context.Context, by By, text string) (Opened, error) {
	id, err := s.Identify(ctx, Credential{Bearer: strings.TrimSpace(text), Peer: by.Peer})
	if err != nil {
		return Opened{}, orWrong(err)
	}
	if id.Kind != Wall {
		return Opened{}, ErrSignIn
	}
	var out Opened
	var k key
	err = s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		n := newSession{token: id.ID, kind: Wall, expires: id.Grants[0].To}
		if out.Cookie, k, err = w.open(&n); err != nil {
			return err
		}
		out.Expires = n.expires
		d := by.Doer(Grant{})
		d.Actor, d.Kind, d.Session = id.Actor(), string(Wall), n.id
		return w.record(audit.Entry{Doer: d, Action: "session.open", Object: "session/" + n.id, Area: id.Grants[0].Area, After: map[string]any{"token_id": id.ID, "name": id.Name}})
	})
	if err != nil {
		return Opened{}, err
	}
	return s.opened(ctx, out, k)
}
