package dangers

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/records"
)

// Extend asks for another deadline: the unit it is assigned to, or the office for it.
func (s *Service) Extend(ctx context.Context, by auth.By, id, extension string, due time.Time, reason string) (Danger, error) {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return Danger{}, err
	}
	if !person(by.Identity) {
		return Danger{}, auth.ErrForbidden
	}
	g, ok := by.Grant(auth.HandleDangers, seen.Scope, s.now())
	if !ok && seen.Assigned {
		g, ok = by.Grant(auth.RectifyDangers, seen.Scope, s.now())
	}
	if !ok {
		return Danger{}, auth.ErrForbidden
	}
	rules, err := s.Rules()
	if err != nil {
		return Danger{}, err
	}
	if extension == "" {
		extension = s.newID()
	}
	var f faults
	if !records.IsID(extension) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	reason = f.text("reason", reason, 4, 2000)
	due = due.UTC().Truncate(time.Microsecond)
	if err := f.err(); err != nil {
		return Danger{}, err
	}
	var out Danger
	err = s.db.Intake.Tx(ctx, s.claims(by, g, seen.Scope), func(tx pgx.Tx) error {
		d, err := s.locked(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if d.DueAt == nil || d.State != Graded && d.State != PendingApproval && d.State != Rectifying {
			return cannotFollow(d.State)
		}
		all, err := s.extensions(ctx, tx, id, nil)
		if err != nil {
			return err
		}
		approved := 0
		for _, e := range all {
			switch e.Decision {
			case "":
				return &StateError{State: d.State, Code: "extension_open", ZH: "已有一个延期申请待审批", EN: "another extension waits for its decision"}
			case "approved":
				approved++
			}
		}
		switch {
		case approved >= rules.Times:
			return &StateError{State: d.State, Code: "too_many_extensions", ZH: fmt.Sprintf("已延期 %d 次，不能再延", approved), EN: "it was extended as often as the rule allows"}
		case !due.After(*d.DueAt) || !due.After(s.now()):
			f.add("due_at", "not_later", "新期限须晚于原期限和现在", "the new deadline lies after the old one, in the future")
		case due.After(s.deadline(*d.DueAt, rules.MaxDays)):
			f.add("due_at", "after_limit", fmt.Sprintf("一次至多延 %d 日", rules.MaxDays), fmt.Sprintf("%d days at most", rules.MaxDays))
		}
		if err := f.err(); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("extension_add"), extension, id, *d.DueAt, due, reason, by.Account, by.Name); err != nil {
			return err
		}
		if err := s.add(ctx, tx, by, &d, act{action: "extension_asked", from: d.State, to: d.State, note: reason, fields: map[string]any{"extension": extension, "due_at": due}}); err != nil {
			return err
		}
		out, err = s.finish(ctx, tx, by, g, "extend", &d, id, reason)
		return err
	})
	return out, wrap("extend", refusal(seen.State, err))
}

// DecideExtension approves or refuses another deadline: of a serious danger who approves
// its plan, of an ordinary one also the office; never who asked.
func (s *Service) DecideExtension(ctx context.Context, by auth.By, id, extension string, approve bool, note string) (Danger, error) {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return Danger{}, err
	}
	if !person(by.Identity) {
		return Danger{}, auth.ErrForbidden
	}
	g, ok := by.Grant(auth.ApproveDangers, seen.Scope, s.now())
	if !ok && seen.Level == Ordinary {
		g, ok = by.Grant(auth.HandleDangers, seen.Scope, s.now())
	}
	if !ok {
		return Danger{}, auth.ErrForbidden
	}
	if !records.IsID(extension) {
		return Danger{}, auth.ErrNotFound
	}
	var f faults
	least := 0
	if !approve {
		least = reasonMin
	}
	if note = f.text("note", note, least, 2000); f.err() != nil {
		return Danger{}, f.err()
	}
	var out Danger
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		d, err := s.locked(ctx, tx, by, id)
		if err != nil {
			return err
		}
		before := d
		list, err := s.extensions(ctx, tx, id, &extension)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return auth.ErrNotFound
		}
		e := list[0]
		switch {
		case e.Decision != "":
			return &StateError{State: d.State, Code: "already_decided", ZH: "此申请已审批", EN: "it is decided already"}
		case e.AskedAccount == by.Account:
			return fourEyes(d.State)
		case approve && (!d.State.open() || d.DueAt == nil || !d.DueAt.Equal(e.OldDueAt)):
			return &StateError{State: d.State, Code: "out_of_date", ZH: "期限或状态已变，请退回此申请", EN: "the deadline or the state has changed: refuse it"}
		}
		decision, action := "refused", "extension_refused"
		if approve {
			decision, action = "approved", "extended"
		}
		if _, err := tx.Exec(ctx, s.queries.Get("extension_decide"), extension, decision, note, by.Account, by.Actor(), by.Name, s.now().UTC()); err != nil {
			return err
		}
		if approve {
			due := e.NewDueAt
			d.DueAt = &due
			if err := s.write(ctx, tx, &d); err != nil {
				return err
			}
		}
		if err := s.add(ctx, tx, by, &d, act{action: action, from: d.State, to: d.State, note: note, fields: map[string]any{"extension": extension, "due_at": d.DueAt}}); err != nil {
			return err
		}
		out, err = s.finish(ctx, tx, by, g, action, &before, id, note)
		return err
	})
	return out, wrap("extension", refusal(seen.State, err))
}
