package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"onemap/internal/audit"
	"onemap/internal/geo"
)

var (
	usernameText = regexp.MustCompile(`^[a-z][a-z0-9._-]{2,31}$`)
	phoneText    = regexp.MustCompile(`^[0-9+() -]{3,30}$`)
	// What is no person, and would read like one in the audit.
	reserved = []string{"anonymous", "cli", "demo", "device", "onemap", "root", "session", "system", "token", "wall"}
)

// clean trims what people and spreadsheets leave around a text.
func (n NewAccount) clean() NewAccount {
	trim := func(s string) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u200b' || r == '\ufeff' {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, "\uFFFD")))
	}
	return NewAccount{Username: strings.ToLower(trim(n.Username)), Name: trim(n.Name), Unit: trim(n.Unit), Department: trim(n.Department), Position: trim(n.Position), Phone: trim(n.Phone)}
}

// check says what the database would refuse, in words.
func (n NewAccount) check(f *Invalid, path string) {
	if !usernameText.MatchString(n.Username) || slices.Contains(reserved, n.Username) {
		f.add(path+"/username", "bad_username", "用户名以小写字母开头，3 至 32 位小写字母、数字、点、横线或下划线", "a letter, then letters, digits, dot, dash or underscore; 3 to 32 characters")
	}
	if n.Name == "" || len([]rune(n.Name)) > 100 {
		f.add(path+"/name", "bad_name", "姓名必填，至多 100 字", "a name is needed, 100 characters at most")
	}
	if n.Unit != "" {
		if _, err := geo.ParseScope(n.Unit); err != nil {
			f.add(path+"/unit", "bad_area", "单位须为行政区划代码(2、4、6、9、12、15 或 5、8、11 位数字)", "the unit is an administrative code")
		}
	}
	if len([]rune(n.Department)) > 200 {
		f.add(path+"/department", "too_long", "部门至多 200 字", "200 characters at most")
	}
	if len([]rune(n.Position)) > 100 {
		f.add(path+"/position", "too_long", "职务至多 100 字", "100 characters at most")
	}
	if n.Phone != "" && !phoneText.MatchString(n.Phone) {
		f.add(path+"/phone", "bad_phone", "电话号码有误", "not a telephone number")
	}
}

// unitScope is the area an account belongs to: without a unit, only who manages
// everything manages it.
func unitScope(unit string) geo.Scope {
	if s, err := geo.ParseScope(unit); err == nil {
		return s
	}
	return geo.Everywhere()
}

func (w *work) addAccount(n NewAccount) (string, error) {
	id := newID(w.now)
	_, err := w.do("new_account", id, n.Username, n.Name, n.Unit, n.Department, n.Position, n.Phone)
	return id, err
}

// activation makes a link and takes back those before it.
func (w *work) activation(account string, n NewAccount, sec Security) (Activation, error) {
	if _, err := w.do("void_activations", account, w.now); err != nil {
		return Activation{}, err
	}
	text, k := newSecret()
	a := Activation{Account: account, Username: n.Username, Name: n.Name, Token: text, Expires: w.now.Add(time.Duration(sec.ActivationHours) * time.Hour)}
	_, err := w.do("new_activation", k[:], account, w.now, a.Expires, w.by.account())
	return a, err
}

func limitOf(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, 10_000)
}

func cursorOf(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func fromCursor(c string) (string, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(c)
	if err != nil || len(b) > 200 || bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b) {
		return "", invalid("cursor", "bad_cursor", "翻页标记无效", "not a cursor of ours")
	}
	return string(b), nil
}

// Accounts lists the people of the areas the asker administers, grants or enrols in.
func (s *Service) Accounts(ctx context.Context, by By, q AccountQuery) (AccountPage, error) {
	areas, err := s.bounds(by, ManageAccounts, ManageGrants, EnrolDevices)
	if err != nil {
		return AccountPage{}, err
	}
	after, err := fromCursor(q.Cursor)
	if err != nil {
		return AccountPage{}, err
	}
	if q.State != "" && q.State != Invited && q.State != Active && q.State != Disabled {
		return AccountPage{}, invalid("state", "bad_state", "状态只有 invited、active、disabled", "invited, active or disabled")
	}
	limit := limitOf(q.Limit)
	var page AccountPage
	err = s.read(ctx, by, func(w *work) error {
		page = AccountPage{}
		if err := w.all(page.add, "accounts", areas, strings.ReplaceAll(q.Q, "\x00", ""), q.State, after, limit+1); err != nil {
			return err
		}
		if len(page.Accounts) > limit {
			page.Accounts = page.Accounts[:limit]
			page.Next = cursorOf(page.Accounts[limit-1].Username)
		}
		return w.addGrants(page.Accounts)
	})
	return page, err
}

func (p *AccountPage) add(r scanner) error {
	var a AccountInfo
	var last *time.Time
	if err := r.Scan(&a.ID, &a.Username, &a.Name, &a.Unit, &a.Department, &a.Position, &a.Phone, &a.State, &a.SecondFactor, &last, &a.Version, &a.CreatedAt, &a.CreatedBy); err != nil {
		return err
	}
	if last != nil {
		a.LastSignIn = *last
	}
	p.Accounts = append(p.Accounts, a)
	return nil
}

func (w *work) addGrants(accounts []AccountInfo) error {
	at, ids := map[string]int{}, make([]string, len(accounts))
	for i, a := range accounts {
		at[a.ID], ids[i] = i, a.ID
	}
	return w.all(func(r scanner) error {
		g, err := scanGrant(r)
		if err == nil {
			a := &accounts[at[g.Account]]
			a.Grants = append(a.Grants, g)
		}
		return err
	}, "grants_of", ids, w.now)
}

// Account is one person, or [ErrNotFound] for one the asker may not know of.
func (s *Service) Account(ctx context.Context, by By, id string) (AccountInfo, error) {
	areas, err := s.bounds(by, ManageAccounts, ManageGrants, EnrolDevices)
	if err != nil {
		return AccountInfo{}, err
	}
	return s.account(ctx, by, areas, id)
}

func (s *Service) account(ctx context.Context, by By, areas geo.Scopes, id string) (AccountInfo, error) {
	if !isID(id) {
		return AccountInfo{}, ErrNotFound
	}
	var page AccountPage
	err := s.read(ctx, by, func(w *work) error {
		page = AccountPage{}
		if err := w.all(page.add, "account", id, areas, by.account()); err != nil {
			return err
		}
		return w.addGrants(page.Accounts)
	})
	if err != nil {
		return AccountInfo{}, err
	}
	if len(page.Accounts) == 0 {
		return AccountInfo{}, ErrNotFound
	}
	return page.Accounts[0], nil
}

// AccountID finds a person by user name, for the command line.
func (s *Service) AccountID(ctx context.Context, by By, username string) (string, error) {
	if !by.CLI {
		return "", ErrForbidden
	}
	var id string
	err := s.read(ctx, by, func(w *work) error {
		found, err := w.one([]any{&id}, "account_by_name", strings.ToLower(username))
		if err == nil && !found {
			return ErrNotFound
		}
		return err
	})
	return id, err
}

// CreateAccount makes a person of an office inside the maker's area. He has no rights
// until somebody grants them and no password until he chooses one by the link.
func (s *Service) CreateAccount(ctx context.Context, by By, n NewAccount) (AccountInfo, Activation, error) {
	return s.addUser(ctx, by, n, nil)
}

// AddUser is CreateAccount with a first grant, for the command line; it ends the
// set-up.
func (s *Service) AddUser(ctx context.Context, by By, n NewAccount, g NewGrant) (AccountInfo, Activation, error) {
	if !by.CLI {
		return AccountInfo{}, Activation{}, ErrForbidden
	}
	if g.Reason == "" {
		g.Reason = "命令行"
	}
	return s.addUser(ctx, by, n, &g)
}

func (s *Service) addUser(ctx context.Context, by By, n NewAccount, first *NewGrant) (AccountInfo, Activation, error) {
	n = n.clean()
	var f Invalid
	n.check(&f, "")
	if first != nil {
		first.check(&f, s.clock())
	}
	if _, err := s.bounds(by, ManageAccounts); err != nil {
		return AccountInfo{}, Activation{}, err
	}
	if err := f.err(); err != nil {
		return AccountInfo{}, Activation{}, err
	}
	g, err := s.allowed(by, ManageAccounts, unitScope(n.Unit))
	if err != nil {
		return AccountInfo{}, Activation{}, err
	}
	var id string
	var a Activation
	err = s.write(ctx, s.store.db.Bulk, by, g, func(w *work) error {
		if by.CLI {
			if _, err := w.do("end_setup", w.now); err != nil {
				return err
			}
		}
		if id, err = w.addAccount(n); err != nil {
			return err
		}
		after := map[string]any{"username": n.Username, "name": n.Name, "unit": n.Unit, "department": n.Department, "position": n.Position, "phone": n.Phone}
		if first != nil {
			from := first.From
			if from.IsZero() {
				from = w.now
			}
			if err := w.addGrant(id, first.Role, first.Area, from, first.To, first.Reason); err != nil {
				return err
			}
			after["role"], after["area"] = first.Role, first.Area
		}
		if a, err = w.activation(id, n, s.Security()); err != nil {
			return err
		}
		if first != nil {
			a.Role = first.Role
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "account.create", Object: "account/" + id, Area: n.Unit, After: after})
	})
	if err != nil {
		return AccountInfo{}, Activation{}, err
	}
	info, err := s.account(ctx, by, geo.Scopes{geo.Everywhere()}, id)
	return info, a, err
}

// lockedAccount is an account under change.
type lockedAccount struct {
	id, username, name, unit, state string
	scope                           geo.Scope
	version                         int64
}

// lockAccount takes an account for a change by somebody who manages its area; one
// outside is absent.
func (s *Service) lockAccount(w *work, p Permission, id string) (lockedAccount, Grant, error) {
	a := lockedAccount{id: id}
	if !isID(id) {
		return a, Grant{}, ErrNotFound
	}
	if _, err := s.bounds(w.by, p); err != nil {
		return a, Grant{}, err
	}
	found, err := w.one([]any{&a.username, &a.name, &a.unit, &a.scope, &a.state, &a.version}, "lock_account", id)
	if err != nil {
		return a, Grant{}, err
	}
	if !found {
		return a, Grant{}, ErrNotFound
	}
	g, err := s.allowed(w.by, p, a.scope)
	if err != nil {
		return a, Grant{}, ErrNotFound
	}
	return a, g, nil
}

// UpdateAccount changes a person; version is what the doer saw. Somebody with rights
// beyond the doer's area, or one of the 三员, is changed by who administers everywhere.
func (s *Service) UpdateAccount(ctx context.Context, by By, id string, version int64, p AccountPatch) (AccountInfo, error) {
	err := s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		a, g, err := s.lockAccount(w, ManageAccounts, id)
		if err != nil {
			return err
		}
		if err := s.mayTouch(w, id); err != nil {
			return err
		}
		if a.version != version {
			return ErrStaleVersion
		}
		var page AccountPage
		if err := w.all(page.add, "account", id, geo.Scopes{geo.Everywhere()}, nil); err != nil {
			return err
		}
		old := page.Accounts[0]
		n := NewAccount{Username: old.Username, Name: old.Name, Unit: old.Unit, Department: old.Department, Position: old.Position, Phone: old.Phone}
		for _, c := range []struct{ to, from *string }{{&n.Name, p.Name}, {&n.Unit, p.Unit}, {&n.Department, p.Department}, {&n.Position, p.Position}, {&n.Phone, p.Phone}} {
			if c.from != nil {
				*c.to = *c.from
			}
		}
		n = n.clean()
		var f Invalid
		n.check(&f, "")
		state := old.State
		if p.State != nil {
			switch *p.State {
			case old.State:
			case Disabled:
				state = Disabled
			case Active:
				if old.State == Disabled {
					if state, err = w.stateAgain(id); err != nil {
						return err
					}
				} else {
					f.add("/state", "bad_state", "尚未激活：由本人用激活链接设定口令", "not activated yet: the person does that by the link")
				}
			default:
				f.add("/state", "bad_state", "状态只能改为 active 或 disabled", "active or disabled")
			}
		}
		if err := f.err(); err != nil {
			return err
		}
		if _, err := s.allowed(by, ManageAccounts, unitScope(n.Unit)); err != nil {
			return err
		}
		if state == Disabled && old.State != Disabled {
			if _, err := w.do("end_sessions_of", id, w.now, "disabled", nil); err != nil {
				return err
			}
			if _, err := w.do("void_activations", id, w.now); err != nil {
				return err
			}
			if _, err := w.do("void_enrolments", id, w.now); err != nil {
				return err
			}
		}
		if _, err := w.do("update_account", id, n.Name, n.Unit, n.Department, n.Position, n.Phone, state); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "account.update", Object: "account/" + id, Area: n.Unit,
			Before: person3(old, old.State), After: person3(AccountInfo{Username: n.Username, Name: n.Name, Unit: n.Unit, Department: n.Department, Position: n.Position, Phone: n.Phone}, state)})
	})
	if err != nil {
		return AccountInfo{}, err
	}
	return s.account(ctx, by, geo.Scopes{geo.Everywhere()}, id)
}

func person3(a AccountInfo, state string) map[string]any {
	return map[string]any{"username": a.Username, "name": a.Name, "unit": a.Unit, "department": a.Department, "position": a.Position, "phone": a.Phone, "state": state}
}

// stateAgain is what a disabled account comes back as: active if it ever was.
func (w *work) stateAgain(id string) (string, error) {
	c, ok, err := w.credential(id)
	if err == nil && (!ok || c.phc == "") {
		return Invited, nil
	}
	return Active, err
}

// NewActivation makes a new link: for who lost his, and for who forgot his password.
func (s *Service) NewActivation(ctx context.Context, by By, account string) (Activation, error) {
	var out Activation
	err := s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		a, g, err := s.lockAccount(w, ManageAccounts, account)
		if err != nil {
			return err
		}
		if a.state == Disabled {
			return conflict("account_disabled", "账号已停用", "the account is disabled")
		}
		if err := s.mayImpersonate(w, ManageAccounts, account); err != nil {
			return err
		}
		if out, err = w.activation(account, NewAccount{Username: a.username, Name: a.name}, s.Security()); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "account.activation", Object: "account/" + account, Area: a.unit, After: map[string]any{"username": a.username, "expires_at": out.Expires}})
	})
	return out, err
}

// CheckPassword says what is wrong with a password by the rules, history aside.
func (s *Service) CheckPassword(password, username string) error {
	return s.Security().weak(password, username)
}

// SetPassword sets a password directly: the command line's way into a house whose
// people have no browser yet.
func (s *Service) SetPassword(ctx context.Context, by By, account, password string) error {
	if !by.CLI {
		return ErrForbidden
	}
	return s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		a, _, err := s.lockAccount(w, ManageAccounts, account)
		if err != nil {
			return err
		}
		if a.state == Disabled {
			return conflict("account_disabled", "账号已停用", "the account is disabled")
		}
		if err := s.choose(w, a, password); err != nil {
			return err
		}
		if _, err := w.do("end_sessions_of", account, w.now, "password", nil); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(Grant{}), Action: "password.set", Object: "account/" + account, Area: a.unit, After: map[string]any{"username": a.username}})
	})
}

// ResetSecondFactor takes a lost telephone's factor away.
func (s *Service) ResetSecondFactor(ctx context.Context, by By, account string) error {
	return s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		a, g, err := s.lockAccount(w, ManageAccounts, account)
		if err != nil {
			return err
		}
		if by.Identity != nil && by.Account == account {
			return ErrForbidden // one's own goes by password and code
		}
		if err := s.mayImpersonate(w, ManageAccounts, account); err != nil {
			return err
		}
		c, ok, err := w.credential(account)
		if err != nil {
			return err
		}
		if !ok || !c.factor {
			return conflict("no_second_factor", "该账号没有第二因素", "the account has no second factor")
		}
		if _, err := w.do("end_sessions_of", account, w.now, "second_factor", nil); err != nil {
			return err
		}
		if err := w.dropFactor(account); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "second_factor.reset", Object: "account/" + account, Area: a.unit, After: map[string]any{"username": a.username}})
	})
}

// choose makes a password the account's: by the rules, not one of the last ones.
func (s *Service) choose(w *work, a lockedAccount, password string) error {
	sec := s.Security()
	if err := sec.weak(password, a.username); err != nil {
		return err
	}
	c, _, err := w.credential(a.id)
	if err != nil {
		return err
	}
	history := c.history[:min(len(c.history), sec.Password.History)]
	if c.phc != "" {
		history = append([]string{c.phc}, history...)
	}
	for _, old := range history {
		if fits, _, err := s.hasher.verify(w.ctx, old, password); err != nil {
			return err
		} else if fits {
			return invalid("/password", "used_before", fmt.Sprintf("不得与当前及之前 %d 次的口令相同", sec.Password.History), fmt.Sprintf("the present password or one of the %d before", sec.Password.History))
		}
	}
	stored, err := s.hasher.hash(w.ctx, password)
	if err != nil {
		return err
	}
	history = append([]string{}, history[:min(len(history), sec.Password.History)]...)
	if _, err := w.do("new_credential", a.id, stored, w.now, history); err != nil {
		return err
	}
	if a.state == Invited {
		_, err = w.do("set_state", a.id, Active)
	}
	return err
}
