package auth

import (
	"context"
	"errors"

	"onemap/internal/audit"
)

func orWrong(err error) error {
	if errors.Is(err, ErrCredential) {
		return ErrSignIn
	}
	return err
}

// himselfMay says whether a browser session may change its own sign-in: also one that
// must complete itself, but not one whose second factor is missing.
func himselfMay(by By) error {
	if by.Identity == nil || by.Kind != Session || by.Account == "" {
		return ErrForbidden
	}
	if by.Limited == "second_factor" {
		return ErrForbidden
	}
	return nil
}

// prove checks the person's own password again, with the delays of a sign-in.
func (s *Service) prove(ctx context.Context, by By, password, action string) (attempt, error) {
	a, err := s.try(ctx, by, by.Username)
	if err != nil {
		return a, err
	}
	fits, _, err := s.hasher.verify(ctx, a.phc, password)
	if err != nil {
		return a, err
	}
	if !fits || a.account != by.Account {
		return a, errors.Join(ErrSignIn, s.refuse(ctx, by, a, action, "password"))
	}
	return a, nil
}

// ChangePassword takes the present password and the next. All other sessions of the
// account end, on every node.
func (s *Service) ChangePassword(ctx context.Context, by By, current, next string) error {
	if err := himselfMay(by); err != nil {
		return err
	}
	if err := s.Security().weak(next, by.Username); err != nil {
		return err
	}
	a, err := s.prove(ctx, by, current, "password.change")
	if err != nil {
		return err
	}
	return s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		l := lockedAccount{id: by.Account}
		if found, err := w.one([]any{&l.username, &l.name, &l.unit, &l.scope, &l.state, &l.version}, "lock_account", l.id); err != nil || !found || l.state != Active {
			return orElse(err, ErrCredential)
		}
		c, ok, err := w.credential(l.id)
		if err != nil {
			return err
		}
		if !ok || c.phc != a.phc {
			return ErrSignIn
		}
		if err := s.choose(w, l, next); err != nil {
			return err
		}
		if _, err := w.do("end_sessions_of", l.id, w.now, "password", by.ID); err != nil {
			return err
		}
		if _, err := w.do("void_activations", l.id, w.now); err != nil {
			return err
		}
		if err := w.forgive(a); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(Grant{}), Action: "password.change", Object: "account/" + l.id, Area: l.unit})
	})
}

// BeginSecondFactor makes a secret to scan. It counts only once a code of it was shown.
func (s *Service) BeginSecondFactor(ctx context.Context, by By) (secret, uri string, err error) {
	if err := himselfMay(by); err != nil {
		return "", "", err
	}
	raw := newTOTP()
	err = s.store.transact(ctx, s.store.db.Intake, by, by.claims(Grant{}), s.clock(), func(w *work) error {
		c, ok, err := w.credential(by.Account)
		if err != nil {
			return err
		}
		if !ok || c.phc == "" {
			return conflict("no_password", "先设定口令", "choose a password first")
		}
		if c.factor {
			return conflict("second_factor_enabled", "第二因素已启用", "a second factor is enrolled already")
		}
		if _, err := w.do("set_pending_factor", by.Account, raw); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(Grant{}), Action: "second_factor.begin", Object: "account/" + by.Account, Area: by.Unit})
	})
	if err != nil {
		return "", "", err
	}
	secret, uri = totpText(raw, by.Username)
	return secret, uri, nil
}

// ConfirmSecondFactor takes the first code and gives the recovery codes, which are not
// shown again. Other browser sessions of the account end: they were opened without it.
func (s *Service) ConfirmSecondFactor(ctx context.Context, by By, code string) ([]string, error) {
	if err := himselfMay(by); err != nil {
		return nil, err
	}
	a, err := s.try(ctx, by, by.Username)
	if err != nil {
		return nil, err
	}
	var codes []string
	err = s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		c, ok, err := w.credential(by.Account)
		if err != nil {
			return err
		}
		if !ok || c.pending == nil {
			return conflict("no_pending_factor", "先取得第二因素的密钥", "ask for a secret first")
		}
		step, ok := checkTOTP(c.pending, code, w.now, 0)
		if !ok {
			return ErrSignIn
		}
		if _, err := w.do("end_sessions_of", by.Account, w.now, "second_factor", by.ID); err != nil {
			return err
		}
		if _, err := w.do("verify_session", by.ID); err != nil {
			return err
		}
		if _, err := w.do("set_factor", by.Account, c.pending, w.now, step); err != nil {
			return err
		}
		if _, err := w.do("void_recovery", by.Account, w.now); err != nil {
			return err
		}
		plain, keys := newRecovery(by.Account)
		if _, err := w.do("new_recovery", by.Account, keys); err != nil {
			return err
		}
		if err := w.forgive(a); err != nil {
			return err
		}
		codes = plain
		return w.record(audit.Entry{Doer: by.Doer(Grant{}), Action: "second_factor.enable", Object: "account/" + by.Account, Area: by.Unit})
	})
	if errors.Is(err, ErrSignIn) {
		return nil, errors.Join(err, s.refuse(ctx, by, a, "second_factor.enable", "code"))
	}
	return codes, err
}

// DropSecondFactor takes one's own factor away, by password and a code of it.
func (s *Service) DropSecondFactor(ctx context.Context, by By, password, code string) error {
	if err := himselfMay(by); err != nil {
		return err
	}
	a, err := s.prove(ctx, by, password, "second_factor.disable")
	if err != nil {
		return err
	}
	err = s.write(ctx, s.store.db.Intake, by, Grant{}, func(w *work) error {
		c, ok, err := w.credential(by.Account)
		if err != nil {
			return err
		}
		if !ok || !c.factor {
			return conflict("no_second_factor", "没有启用第二因素", "no second factor is enrolled")
		}
		if err := w.secondFactor(by.Account, c, code, code); err != nil {
			return err
		}
		if err := w.dropFactor(by.Account); err != nil {
			return err
		}
		if err := w.forgive(a); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(Grant{}), Action: "second_factor.disable", Object: "account/" + by.Account, Area: by.Unit})
	})
	if errors.Is(err, ErrSignIn) {
		return errors.Join(err, s.refuse(ctx, by, a, "second_factor.disable", "code"))
	}
	return err
}

func (w *work) dropFactor(account string) error {
	if _, err := w.do("set_factor", account, nil, nil, 0); err != nil {
		return err
	}
	_, err := w.do("void_recovery", account, w.now)
	return err
}
