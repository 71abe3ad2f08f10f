package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"onemap/internal/audit"
	"onemap/internal/geo"
)

func scanGrant(r scanner) (GrantInfo, error) {
	var g GrantInfo
	var to, revoked *time.Time
	err := r.Scan(&g.ID, &g.Account, &g.Role, &g.Area, &g.From, &to, &g.Username, &g.Name, &g.State, &g.GrantedBy, &g.GrantedAt, &g.Reason, &g.RevokedBy, &revoked)
	if to != nil {
		g.To = *to
	}
	if revoked != nil {
		g.RevokedAt = *revoked
	}
	return g, err
}

// Grants lists the grants inside the areas the asker grants, administers or audits in,
// and his own.
func (s *Service) Grants(ctx context.Context, by By, q GrantQuery) (GrantPage, error) {
	areas, err := s.bounds(by, ManageGrants, ManageAccounts, ReadAudit)
	if err != nil {
		if by.Identity == nil || by.Account == "" || q.Account != by.Account {
			return GrantPage{}, err
		}
		areas = geo.Scopes{} // his own, and nothing else
	}
	var f Invalid
	if q.Account != "" && !isID(q.Account) {
		f.add("account", "bad_id", "人员标识无效", "not an id")
	}
	if _, ok := q.Role.Info(); q.Role != "" && !ok {
		f.add("role", "bad_role", "没有这个角色", "no such role")
	}
	switch q.State {
	case "", GrantValid, GrantFuture, GrantExpired, GrantRevoked:
	default:
		f.add("state", "bad_state", "状态只有 valid、future、expired、revoked", "valid, future, expired or revoked")
	}
	after, err := fromCursor(q.Cursor)
	if err != nil || (after != "" && !isID(after)) {
		f.add("cursor", "bad_cursor", "翻页标记无效", "not a cursor of ours")
	}
	if err := f.err(); err != nil {
		return GrantPage{}, err
	}
	limit := limitOf(q.Limit)
	var page GrantPage
	err = s.read(ctx, by, func(w *work) error {
		page = GrantPage{}
		return w.all(func(r scanner) error {
			g, err := scanGrant(r)
			page.Grants = append(page.Grants, g)
			return err
		}, "grants", areas, by.account(), null(q.Account), string(q.Role), null(after), q.State, w.now, limit+1)
	})
	if len(page.Grants) > limit {
		page.Grants = page.Grants[:limit]
		page.Next = cursorOf(page.Grants[limit-1].ID)
	}
	return page, err
}

// check says what is wrong with a grant as such.
func (n *NewGrant) check(f *Invalid, now time.Time) {
	n.Area, n.Reason = strings.TrimSpace(n.Area), strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(n.Reason, "\uFFFD"), "\x00", ""))
	if _, ok := n.Role.Info(); !ok {
		f.add("/role", "bad_role", "没有这个角色", "no such role")
	}
	if n.Area != "" {
		if _, err := geo.ParseScope(n.Area); err != nil {
			f.add("/area", "bad_area", "区域须为行政区划代码，空为全域", "an administrative code, or empty for everywhere")
		}
	}
	if n.Reason == "" || len([]rune(n.Reason)) > 1000 {
		f.add("/reason", "reason_required", "须写明授权理由，至多 1000 字", "a reason is needed, 1000 characters at most")
	}
	from := n.From
	if from.IsZero() {
		from = now
	}
	if !n.To.IsZero() && (!n.To.After(from) || !n.To.After(now)) {
		f.add("/to", "bad_period", "结束须晚于开始且在将来", "must end after it begins, and in the future")
	}
	if n.From.Before(now.Add(-24*time.Hour)) && !n.From.IsZero() {
		f.add("/from", "bad_period", "不能追溯授权", "a grant cannot begin in the past")
	}
}

func (w *work) addGrant(account string, role Role, area string, from, to time.Time, reason string) error {
	_, err := w.newGrant(account, role, area, from, to, reason)
	return err
}

func (w *work) newGrant(account string, role Role, area string, from, to time.Time, reason string) (string, error) {
	id := newID(w.now)
	var end *time.Time
	if !to.IsZero() {
		end = &to
	}
	_, err := w.do("new_grant", id, account, string(role), area, from, end, reason, w.by.account())
	return id, err
}

// reachOfGrant is the area whoever gives or takes a role must grant in: everywhere for
// the 三员, whatever area theirs is.
func reachOfGrant(role Role, scope geo.Scope) geo.Scope {
	if role.Separated() {
		return geo.Everywhere()
	}
	return scope
}

// GrantRole gives somebody else a role inside the granter's area. Who grants only in an
// area gives no 三员 role, and nobody gives one to an account its person has not opened
// yet; links and codes to the account that are still out are void by it (the database
// sees to both).
func (s *Service) GrantRole(ctx context.Context, by By, n NewGrant) (GrantInfo, error) {
	if _, err := s.bounds(by, ManageGrants); err != nil {
		return GrantInfo{}, err
	}
	var f Invalid
	n.check(&f, s.clock())
	if err := f.err(); err != nil {
		return GrantInfo{}, err
	}
	g, err := s.allowed(by, ManageGrants, reachOfGrant(n.Role, Grant{Area: n.Area}.Scope()))
	if err != nil {
		return GrantInfo{}, err
	}
	var id string
	area := ""
	err = s.write(ctx, s.store.db.Bulk, by, g, func(w *work) error {
		a, _, err := s.lockAccount(w, ManageGrants, n.Account)
		if err != nil {
			return err
		}
		area = a.unit
		if n.Role.Separated() && a.state == Invited && !by.CLI {
			return notActive()
		}
		from := n.From
		if from.IsZero() {
			from = w.now
		}
		if id, err = w.newGrant(n.Account, n.Role, n.Area, from, n.To, n.Reason); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "grant.create", Object: "grant/" + id, Area: n.Area, Reason: n.Reason,
			After: map[string]any{"account": n.Account, "username": a.username, "role": n.Role, "area": n.Area, "from": from, "to": timeOrNil(n.To)}})
	})
	if c := new(Conflict); errors.As(err, &c) {
		// Somebody tried to grant to himself or to join what is kept apart: worth knowing.
		return GrantInfo{}, errors.Join(err, s.store.transact(ctx, s.store.db.Bulk, by, by.claims(g), s.clock(), func(w *work) error {
			return w.record(audit.Entry{Doer: by.Doer(g), Action: "grant.create", Object: "account/" + n.Account, Area: area, Reason: c.Code, Outcome: audit.Refused,
				After: map[string]any{"account": n.Account, "role": n.Role, "area": n.Area}})
		}))
	}
	if err != nil {
		return GrantInfo{}, err
	}
	return s.grant(ctx, by, n.Account, id)
}

func (s *Service) grant(ctx context.Context, by By, account, id string) (GrantInfo, error) {
	out, found := GrantInfo{}, false
	err := s.read(ctx, by, func(w *work) error {
		return w.all(func(r scanner) error {
			g, err := scanGrant(r)
			if g.ID == id {
				out, found = g, true
			}
			return err
		}, "grants_of", []string{account}, w.now)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return out, err
}

func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// RevokeGrant ends a grant now, everywhere within five seconds.
func (s *Service) RevokeGrant(ctx context.Context, by By, id, reason string) error {
	if _, err := s.bounds(by, ManageGrants); err != nil {
		return err
	}
	if !isID(id) {
		return ErrNotFound
	}
	return s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		var account, area string
		var role Role
		var scope geo.Scope
		var from time.Time
		var to, revoked *time.Time
		found, err := w.one([]any{&account, &role, &area, &scope, &from, &to, &revoked}, "find_grant", id)
		if err != nil {
			return err
		}
		if !found {
			return ErrNotFound
		}
		if _, err := s.allowed(by, ManageGrants, scope); err != nil {
			return ErrNotFound
		}
		g, err := s.allowed(by, ManageGrants, reachOfGrant(role, scope))
		if err != nil {
			return err
		}
		if revoked != nil {
			return conflict("ended", "授权已撤销", "the grant was revoked already")
		}
		if n, err := w.do("revoke_grant", id, w.now, by.account(), clip(reason, 1000)); err != nil || n == 0 {
			return orElse(err, conflict("ended", "授权已撤销", "the grant was revoked already"))
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "grant.revoke", Object: "grant/" + id, Area: area, Reason: reason,
			Before: map[string]any{"account": account, "role": role, "area": area, "from": from, "to": to}})
	})
}
