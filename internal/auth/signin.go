package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"onemap/internal/audit"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// write runs a change in one transaction under the doer's name and makes it known on
// this node before the caller is answered.
func (s *Service) write(ctx context.Context, pool *db.Pool, by By, g Grant, fn func(*work) error) error {
	if err := s.store.transact(ctx, pool, by, by.claims(g), s.clock(), fn); err != nil {
		return err
	}
	s.refresh(ctx)
	return nil
}

// claims are what triggers know of the doer. Nothing here is under row-level security,
// so no area is claimed.
func (b By) claims(g Grant) db.Claims {
	if b.CLI {
		return db.System(b.actor())
	}
	return db.Claims{Actor: b.actor(), Role: string(g.Role)}
}

// attempt is a password or a code about to be tried: already counted as a failure.
type attempt struct {
	keys    [][]byte // of the account, then of the address
	account string   // "" for an unknown name
	name    string
	state   string
	unit    string
	phc     string
	factor  bool
}

// try counts an attempt, or says until when nobody may try. Failures are counted by
// account and by address, in the database, so that it does not matter which node is
// asked. Whoever signed in from an address lately is counted apart there: a stranger
// who fails on purpose does not keep a commander out of his own office.
func (s *Service) try(ctx context.Context, by By, username string) (attempt, error) {
	var a attempt
	sec, now := s.Security(), s.clock()
	longest := float64(sec.Failures.LockMinutes * 60)
	err := s.store.transact(ctx, s.store.db.Intake, by, by.claims(Grant{}), now, func(w *work) error {
		a = attempt{}
		name := username
		if by.Peer.IsValid() {
			var known bool
			if _, err := w.one([]any{&known}, "known_address", username, by.Peer.Unmap(), now.AddDate(0, 0, -30)); err != nil {
				return err
			}
			if known {
				name += " " + addressOf(by.Peer)
			}
		}
		if err := w.count(&a, throttleKey("account", name), sec.Failures.DelayAfter, sec.Failures.LockAfter, longest); err != nil {
			return err
		}
		if by.Peer.IsValid() {
			if err := w.count(&a, throttleKey("address", addressOf(by.Peer)), sec.Failures.AddressAfter, sec.Failures.AddressAfter+sec.Failures.LockAfter, longest); err != nil {
				return err
			}
		}
		found, err := w.one([]any{&a.account, &a.state, &a.unit, &a.phc, &a.factor}, "sign_in_account", username)
		if found {
			a.name = username
		}
		return err
	})
	return a, err
}

func (w *work) count(a *attempt, k key, free, lock int, longest float64) error {
	var fails int
	counted, err := w.one([]any{&fails}, "attempt", k[:], w.now, free, longest, failureMemory.Seconds(), lock)
	if err != nil {
		return err
	}
	if !counted {
		t := &Throttled{}
		if _, err := w.one([]any{&t.Until}, "throttled_until", k[:]); err != nil {
			return err
		}
		return t
	}
	a.keys = append(a.keys, k[:])
	return nil
}

// forgive takes the count back: all of the account's, one of the address's, so that
// nobody clears an address by signing in as himself between guesses.
func (w *work) forgive(a attempt) error {
	for i, k := range a.keys {
		name := "attempt_forgiven"
		if i > 0 {
			name = "attempt_undone"
		}
		if _, err := w.do(name, k, w.now); err != nil {
			return err
		}
	}
	return nil
}

// addressOf is an address as failures are counted by: a household has a /64.
func addressOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// refuse records a refused attempt. Unknown names are not written down: people type
// passwords into the wrong field.
func (s *Service) refuse(ctx context.Context, by By, a attempt, action, why string) error {
	d := by.Doer(Grant{})
	if a.account != "" {
		d.Account, d.Actor = a.account, a.name
	}
	return s.store.transact(ctx, s.store.db.Intake, by, by.claims(Grant{}), s.clock(), func(w *work) error {
		return w.record(audit.Entry{Doer: d, Action: action, Object: "account/" + a.account, Area: a.unit, Reason: why, Outcome: audit.Refused})
	})
}

// SignIn opens a session by password, and by code where the account has a second
// factor. Whatever is wrong, the answer is [ErrSignIn] after the same work.
func (s *Service) SignIn(ctx context.Context, by By, r SignInRequest) (Opened, error) {
	username := strings.ToLower(strings.TrimSpace(r.Username))
	if len(username) > 100 {
		username = username[:100]
	}
	username = strings.ReplaceAll(strings.ToValidUTF8(username, "?"), "\x00", "?")
	a, err := s.try(ctx, by, username)
	if err != nil {
		return Opened{}, err
	}
	fits, again, err := s.hasher.verify(ctx, a.phc, r.Password)
	if err != nil {
		return Opened{}, err
	}
	if !fits || a.state != Active {
		if err := s.refuse(ctx, by, a, "session.open", "password"); err != nil {
			return Opened{}, err
		}
		return Opened{}, ErrSignIn
	}
	if a.factor && r.Code == "" && r.Recovery == "" {
		err := s.store.transact(ctx, s.store.db.Intake, by, by.claims(Grant{}), s.clock(), func(w *work) error { return w.uncount(a) })
		return Opened{}, errors.Join(err, ErrSecondFactor)
	}
	newer := ""
	if again {
		if newer, err = s.hasher.hash(ctx, r.Password); err != nil {
			return Opened{}, err
		}
	}
	k := key{}
	out := Opened{}
	err = s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		c, ok, err := w.credential(a.account)
		if err != nil {
			return err
		}
		if !ok || c.phc != a.phc { // changed since it was compared
			return ErrSignIn
		}
		if a.factor {
			if err := w.secondFactor(a.account, c, r.Code, r.Recovery); err != nil {
				return err
			}
		}
		if newer != "" {
			if _, err := w.do("rehash", a.account, newer); err != nil {
				return err
			}
		}
		if _, err := w.do("signed_in", a.account, w.now); err != nil {
			return err
		}
		if err := w.forgive(a); err != nil {
			return err
		}
		// A session the browser had before does not go on beside the new one.
		if by.Identity != nil && by.Kind == Session {
			if _, err := w.do("end_session", by.ID, w.now, "replaced"); err != nil {
				return err
			}
		}
		n := newSession{account: a.account, kind: Session, verified: a.factor, expires: w.now.Add(s.Security().absolute())}
		if out.Cookie, k, err = w.open(&n); err != nil {
			return err
		}
		out.Expires = n.expires
		d := by.Doer(Grant{})
		d.Account, d.Actor, d.Kind, d.Session = a.account, a.name, string(Session), n.id
		return w.record(audit.Entry{Doer: d, Action: "session.open", Object: "session/" + n.id, Area: a.unit, After: map[string]any{"second_factor": a.factor, "recovery": a.factor && r.Code == ""}})
	})
	if errors.Is(err, ErrSignIn) {
		return Opened{}, errors.Join(s.refuse(ctx, by, a, "session.open", "second_factor"), err)
	}
	if err != nil {
		return Opened{}, err
	}
	return s.opened(ctx, out, k)
}

// uncount takes one count back from each.
func (w *work) uncount(a attempt) error {
	for _, k := range a.keys {
		if _, err := w.do("attempt_undone", k, w.now); err != nil {
			return err
		}
	}
	return nil
}

// credential is the locked row.
type credential struct {
	phc             string
	changed         *time.Time
	history         []string
	secret, pending []byte
	factor          bool
	lastStep        int64
}

func (w *work) credential(account string) (c credential, ok bool, err error) {
	ok, err = w.one([]any{&c.phc, &c.changed, &c.history, &c.secret, &c.pending, &c.factor, &c.lastStep}, "lock_credential", account)
	return c, ok, err
}

// secondFactor takes a code or a recovery code, each once.
func (w *work) secondFactor(account string, c credential, code, recovery string) error {
	if code != "" {
		step, ok := checkTOTP(c.secret, code, w.now, c.lastStep)
		if !ok {
			return ErrSignIn
		}
		n, err := w.do("use_step", account, step)
		if err == nil && n == 0 {
			return ErrSignIn
		}
		return err
	}
	k := recoveryKey(account, recovery)
	n, err := w.do("use_recovery", account, k[:], w.now)
	if err == nil && n == 0 {
		return ErrSignIn
	}
	return err
}

// newSession is a session to be.
type newSession struct {
	id, account, token string
	kind               Kind
	device, deviceName string
	verified           bool
	expires            time.Time
}

// open makes a session with an id and a secret of its own: whatever the request
// carried is not used.
func (w *work) open(n *newSession) (string, key, error) {
	cookie, k := newSecret()
	n.id = newID(w.now)
	_, err := w.do("new_session", k[:], n.id, null(n.account), null(n.token), string(n.kind), null(n.device), null(n.deviceName),
		n.verified, w.now, n.expires, address(w.by.Peer), clip(w.by.Agent, 300))
	return cookie, k, err
}

func (s *Service) opened(ctx context.Context, out Opened, k key) (Opened, error) {
	one, err := s.lookUp(ctx, k)
	if err != nil {
		return Opened{}, err
	}
	if out.Identity, err = s.table.Load().of(one, s.clock()); err != nil {
		return Opened{}, err
	}
	return out, nil
}

// SignOut ends the session of who asks.
func (s *Service) SignOut(ctx context.Context, by By) error {
	if by.Identity == nil || (by.Kind != Session && by.Kind != Device && by.Kind != Wall) || !isID(by.ID) {
		return ErrCredential
	}
	return s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		if n, err := w.do("end_session", by.ID, w.now, "sign_out"); err != nil || n == 0 {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(Grant{}), Action: "session.close", Object: "session/" + by.ID, Area: by.Unit})
	})
}

// Sessions lists the open sessions of an account, "" for one's own.
func (s *Service) Sessions(ctx context.Context, by By, account string) ([]SessionInfo, error) {
	if account == "" && by.Identity != nil {
		account = by.Account
	}
	if !isID(account) {
		return nil, ErrNotFound
	}
	if by.Identity == nil || by.Account != account {
		areas, err := s.bounds(by, ManageAccounts)
		if err != nil {
			return nil, err
		}
		if _, err := s.account(ctx, by, areas, account); err != nil {
			return nil, err
		}
	}
	var out []SessionInfo
	err := s.read(ctx, by, func(w *work) error {
		out = out[:0]
		return w.all(func(r scanner) error {
			i := SessionInfo{Account: account}
			if err := r.Scan(&i.ID, &i.Kind, &i.Created, &i.LastSeen, &i.Expires, &i.Peer, &i.Agent, &i.Device, &i.DeviceName); err != nil {
				return err
			}
			i.Current = by.Identity != nil && by.ID == i.ID
			if one := s.sessions.findID(i.ID); one != nil && one.seen.Load() > i.LastSeen.UnixNano() {
				i.LastSeen = time.Unix(0, one.seen.Load())
			}
			out = append(out, i)
			return nil
		}, "sessions_of", account, w.now)
	})
	return out, err
}

// EndSession ends one's own session, or that of somebody one manages who has no rights
// beyond that.
func (s *Service) EndSession(ctx context.Context, by By, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	return s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		var account, token *string
		var username, area string
		var scope geo.Scope
		found, err := w.one([]any{&account, &token, &username, &scope, &area}, "session_owner", id)
		if err != nil {
			return err
		}
		if !found {
			return ErrNotFound
		}
		g, own := Grant{}, account != nil && by.Identity != nil && *account == by.Account
		if !own {
			p := ManageAccounts
			if token != nil {
				p = ManageTokens
			}
			if g, err = s.allowed(by, p, scope); err != nil {
				return ErrNotFound
			}
			if account != nil {
				if err := s.mayTouch(w, *account); err != nil {
					return err
				}
			}
		} else if by.Limited != "" && id != by.ID {
			return ErrForbidden
		}
		if _, err := w.do("end_session", id, w.now, "revoked"); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "session.revoke", Object: "session/" + id, Area: area, After: map[string]any{"username": username}})
	})
}

// read runs questions in a transaction of their own.
func (s *Service) read(ctx context.Context, by By, fn func(*work) error) error {
	return s.store.transact(ctx, s.store.db.Query, by, by.claims(Grant{}), s.clock(), fn)
}

// allowed gives the grant under which something is done in an area; none is needed at
// the command line.
func (s *Service) allowed(by By, p Permission, area geo.Scope) (Grant, error) {
	if by.CLI {
		return Grant{}, nil
	}
	g, ok := by.Grant(p, area, s.clock())
	if !ok {
		return Grant{}, ErrForbidden
	}
	return g, nil
}

// bounds are the areas over which any of the permissions is held.
func (s *Service) bounds(by By, ps ...Permission) (geo.Scopes, error) {
	if by.CLI {
		return geo.Scopes{geo.Everywhere()}, nil
	}
	if by.Identity == nil {
		return nil, ErrForbidden
	}
	a := by.areas(s.clock(), ps...)
	if len(a) == 0 {
		return nil, ErrForbidden
	}
	return a, nil
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func address(a netip.Addr) *netip.Addr {
	if !a.IsValid() {
		return nil
	}
	a = a.Unmap().WithZone("")
	return &a
}

// clip keeps a text the database takes, at most n characters.
func clip(s string, n int) *string {
	r := []rune(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", ""))
	if len(r) == 0 {
		return nil
	}
	out := string(r[:min(n, len(r))])
	return &out
}
