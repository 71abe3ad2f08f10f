package auth

import "onemap/internal/geo"

// Who is out of an administrator's reach: whoever could sign in as somebody, or take him
// out, has that person's rights or power over them.

// beyond says whether a person holds, now or later, one of the 三员 roles or anything
// that reaches beyond some areas.
func (w *work) beyond(account string, areas geo.Scopes) (beyond bool, err error) {
	err = w.all(func(r scanner) error {
		var role Role
		var scope geo.Scope
		if err := r.Scan(&role, &scope); err != nil {
			return err
		}
		beyond = beyond || role.Separated() || !areas.Contains(scope)
		return nil
	}, "held_by", account, w.now)
	return beyond, err
}

// mayImpersonate refuses what would let the doer sign in as somebody with more rights
// than he administers: a link or a code for a person who holds one of the 三员 roles, or
// a grant that reaches beyond the doer's area. The command line may.
func (s *Service) mayImpersonate(w *work, p Permission, account string) error {
	if w.by.CLI {
		return nil
	}
	areas, err := s.bounds(w.by, p)
	if err != nil {
		return err
	}
	if more, err := w.beyond(account, areas); err != nil || !more {
		return err
	}
	return conflict("more_rights", "该人员是三员之一或权限超出你的管理区域，请在服务器上用 onemap user passwd 办理",
		"the person is one of the 三员 or has rights beyond your area; use onemap user passwd on the server")
}

// mayTouch refuses to change, stop or sign out somebody with more rights than the doer
// administers. Who administers everywhere may, the 三员 included: somebody must be able
// to stop any account at once. It is audited, and the last holder stays.
func (s *Service) mayTouch(w *work, account string) error {
	if w.by.CLI || (w.by.Identity != nil && w.by.Account == account) {
		return nil
	}
	areas, err := s.bounds(w.by, ManageAccounts)
	if err != nil || areas.Contains(geo.Everywhere()) {
		return err
	}
	if more, err := w.beyond(account, areas); err != nil || !more {
		return err
	}
	return conflict("more_rights", "该人员是三员之一或权限超出你的管理区域，须由全域的系统管理员办理",
		"the person is one of the 三员 or has rights beyond your area; an administrator of everywhere does this")
}

// stillIssued asks, in the moment a link or a code is used, whether its issuer could hand
// it out now: the person may have been granted more since, or the issuer have lost his
// office. What the set-up and the command line hand out has no issuer.
func (w *work) stillIssued(p Permission, issuer *string, a lockedAccount) error {
	if issuer == nil {
		return nil
	}
	areas := geo.Scopes{}
	err := w.all(func(r scanner) error {
		var role Role
		var scope geo.Scope
		if err := r.Scan(&role, &scope); err != nil {
			return err
		}
		if role.May(p) {
			areas = append(areas, scope)
		}
		return nil
	}, "issuer_holds", *issuer, w.now)
	if err != nil {
		return err
	}
	if areas = areas.Normal(); !areas.Contains(a.scope) {
		return ErrLink
	}
	if more, err := w.beyond(a.id, areas); err != nil || more {
		return orElse(err, ErrLink)
	}
	return nil
}

// notActive is why a 三员 role waits.
func notActive() error {
	return conflict("not_active", "三员角色只授予已激活的账号：先由本人打开激活链接、设定口令",
		"a 三员 role is given to an active account: the person first opens his link and chooses a password")
}
