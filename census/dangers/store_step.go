package dangers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
)

// reasonMin is how short a reason may be.
const reasonMin = 2

// Transition takes one step of the life cycle.
func (s *Service) Transition(ctx context.Context, by auth.By, id string, version int64, t Transition) (Danger, error) {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return Danger{}, err
	}
	st, ok := stepOf(seen.State, t.To)
	if !ok {
		if seen.State.final() {
			return Danger{}, frozen(seen.State)
		}
		return Danger{}, cannotFollow(seen.State)
	}
	g, err := s.permit(by.Identity, st, seen)
	if err != nil {
		return Danger{}, err
	}
	var out Danger
	err = s.db.Intake.Tx(ctx, s.claims(by, g, seen.Scope), func(tx pgx.Tx) error {
		d, err := s.locked(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if d.Version != version {
			return auth.ErrStaleVersion
		}
		out, err = s.take(ctx, tx, by, g, st, d, t)
		return err
	})
	return out, wrap(st.Action, refusal(seen.State, err))
}

// take does a step on a locked danger.
func (s *Service) take(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, st Step, d Danger, t Transition) (Danger, error) {
	before := d
	var f faults
	least := 0
	if st.Note {
		least = reasonMin
	}
	t.Note = f.text("note", t.Note, least, 2000)
	t.Rectifier = f.text("rectifier", t.Rectifier, 0, 100)
	f.evidence("evidence", t.Evidence)
	if st.Evidence && len(t.Evidence) == 0 {
		f.add("evidence", "required", "须有照片为证", "a picture is needed")
	}
	if err := f.err(); err != nil {
		return d, err
	}
	if st.Other {
		var done []string
		if err := tx.QueryRow(ctx, s.queries.Get("danger_rectifiers"), d.ID).Scan(&done); err != nil {
			return d, err
		}
		if st.Action != "approve" && slices.Contains(done, by.Account) || slices.Contains(notBy(st, d), by.Account) {
			return d, fourEyes(d.State)
		}
	}
	fields, err := s.apply(ctx, tx, by, st, &d, t)
	if err != nil {
		return d, err
	}
	d.State = st.To
	if err := s.write(ctx, tx, &d); err != nil {
		return d, err
	}
	if err := s.add(ctx, tx, by, &d, act{action: st.Action, from: before.State, to: st.To, note: t.Note, evidence: t.Evidence, fields: fields, captured: t.CapturedAt, opID: t.OpID}); err != nil {
		return d, err
	}
	return s.finish(ctx, tx, by, g, st.Action, &before, d.ID, t.Note)
}

// apply writes into the danger what a step means, and says what was decided.
func (s *Service) apply(ctx context.Context, tx pgx.Tx, by auth.By, st Step, d *Danger, t Transition) (map[string]any, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	no := func(code, zh, en string) error { return &StateError{State: d.State, Code: code, ZH: zh, EN: en} }
	graded := func() (map[string]any, error) {
		var f faults
		if err := s.grade(d, t, &f); err != nil {
			return nil, err
		}
		d.GradedAccount = by.Account
		return map[string]any{"level": d.Level, "unit": d.ResponsibleUnit, "due_at": d.DueAt, "interim_measure": d.InterimMeasure, "basis": d.GradeBasis}, f.err()
	}
	clearReview := func() {
		d.FirstReviewer, d.FirstReviewerAccount, d.Reviewer, d.ReviewerAccount = "", "", "", ""
	}
	switch st.Action {
	case "verify":
		return nil, s.number(ctx, tx, d)
	case "fix_on_spot", "rectified":
		rules, err := s.Rules()
		if err != nil {
			return nil, err
		}
		clearReview()
		d.FixedOnSpot = st.Action == "fix_on_spot"
		d.RectifiedAt, d.RectifierAccount, d.Rectifier = &now, by.Account, by.Name
		if t.Rectifier != "" {
			d.Rectifier = t.Rectifier
		}
		d.SecondReview = rules.second(d.Level)
		return map[string]any{"rectifier": d.Rectifier}, nil
	case "grade", "regrade":
		d.FixedOnSpot = false
		if st.Action == "regrade" {
			clearReview()
			d.PlanAccount, d.ApprovedAccount = "", ""
			if t.ResponsibleUnit == "" {
				t.ResponsibleUnit = d.ResponsibleUnit
			}
			if t.InterimMeasure == "" {
				t.InterimMeasure = d.InterimMeasure
			}
			if t.GradeBasis == "" {
				t.GradeBasis = d.GradeBasis
			}
			if d.Listed && t.Level != Serious {
				return nil, no("still_listed", "已挂牌督办，须先批准摘牌", "it is listed: taking it off the list is approved first")
			}
			if err := s.number(ctx, tx, d); err != nil {
				return nil, err
			}
		}
		return graded()
	case "dispatch":
		if d.Level != Ordinary {
			return nil, no("needs_plan", "重大隐患须先报批治理方案(五落实)", "a serious one goes by an approved plan")
		}
	case "submit_plan":
		if d.Level != Serious {
			return nil, no("not_serious", "只有重大隐患报批方案", "only serious ones are put to approval")
		}
		var f faults
		if t.Plan != nil {
			d.Plan = f.plan(*t.Plan)
		}
		for _, p := range []struct{ path, text, zh string }{{"plan.responsibility", d.Plan.Responsibility, "整改责任"}, {"plan.measures", d.Plan.Measures, "整改措施"}, {"plan.funds", d.Plan.Funds, "整改资金"}, {"plan.deadline", d.Plan.Deadline, "整改时限"}, {"plan.contingency", d.Plan.Contingency, "整改预案"}} {
			if p.text == "" {
				f.add(p.path, "required", "五落实缺“"+p.zh+"”", "the plan lacks this")
			}
		}
		d.PlanAccount = by.Account
		return map[string]any{"plan": d.Plan}, f.err()
	case "approve":
		d.ApprovedAccount = by.Account
		if !t.Unlisted && !d.Listed {
			d.Listed, d.ListedAt, d.UnlistedAt, d.ListedAccount = true, &now, nil, by.Account
		}
		return map[string]any{"listed": d.Listed}, nil
	case "first_review":
		if !d.SecondReview {
			return nil, no("one_review", "此隐患只需一次复查，请直接销号或退回", "one review is enough: close it or send it back")
		}
		if d.FirstReviewerAccount != "" {
			return nil, no("reviewed_once", "已有初次复查", "it has its first review")
		}
		d.FirstReviewer, d.FirstReviewerAccount = by.Name, by.Account
	case "fail":
		clearReview()
		d.FixedOnSpot = false
		if err := s.number(ctx, tx, d); err != nil {
			return nil, err
		}
		if d.Level == 0 {
			// Fixed on the spot, and it was not: it is graded now.
			if t.Level == Serious {
				return nil, no("needs_plan", "重大隐患请转为定级，再报批方案", "a serious one is graded and goes by an approved plan")
			}
			t.Level = Ordinary
			return graded()
		}
	case "close":
		switch {
		case d.Listed:
			return nil, no("still_listed", "已挂牌督办，须先批准摘牌", "it is listed: taking it off the list is approved first")
		case d.SecondReview && d.FirstReviewerAccount == "":
			return nil, no("first_review_missing", "须先有另一人初次复查", "another person reviews it first")
		}
		d.Reviewer, d.ReviewerAccount, d.ClosedAt = by.Name, by.Account, &now
		return nil, s.number(ctx, tx, d)
	}
	return nil, nil
}

// number gives the human number, once, when the office takes a danger up.
func (s *Service) number(ctx context.Context, tx pgx.Tx, d *Danger) error {
	if d.Number != "" {
		return nil
	}
	return tx.QueryRow(ctx, s.queries.Get("danger_new_number"), d.Scope, s.now().In(s.catalogue.Now().Location()).Year()).Scan(&d.Number)
}

// grade writes level, unit, interim measure and deadline into a danger.
func (s *Service) grade(d *Danger, t Transition, f *faults) error {
	rules, err := s.Rules()
	if err != nil {
		return err
	}
	days, known := rules.Days[t.Level]
	if !known {
		f.add("level", "out_of_range", "级别应为 1(重大)或 2(一般)", "the level is 1 (serious) or 2 (ordinary)")
		return f.err()
	}
	d.Level = t.Level
	d.GradeBasis = f.text("grade_basis", t.GradeBasis, 0, 1000)
	d.ResponsibleUnit = f.text("responsible_unit", t.ResponsibleUnit, 1, 200)
	if t.InterimMeasure != "" {
		d.InterimMeasure = f.text("interim_measure", t.InterimMeasure, 0, 2000)
	}
	if d.InterimMeasure == "" {
		f.add("interim_measure", "required", "未当场整改的须有临时管控措施", "what is not fixed on the spot has an interim measure")
	}
	now := s.now()
	latest := s.deadline(now, days)
	due := latest
	switch {
	case t.DueAt == nil:
	case d.DueAt != nil && t.DueAt.Equal(*d.DueAt):
		due = *t.DueAt // as it was
	case !t.DueAt.After(now):
		f.add("due_at", "in_the_past", "期限须在将来", "a deadline lies in the future")
	case t.DueAt.After(latest):
		f.add("due_at", "after_limit", fmt.Sprintf("不得晚于规则期限(%d 日)；需要更长请办理延期", days), fmt.Sprintf("it cannot be after the rule's limit of %d days; ask for an extension", days))
	default:
		due = *t.DueAt
	}
	due = due.UTC().Truncate(time.Microsecond)
	d.DueAt, d.FirstDueAt = &due, &due
	return f.err()
}

// Reopen makes a new record of a danger that was closed or rejected and is there again.
func (s *Service) Reopen(ctx context.Context, by auth.By, id, newID, note string) (Danger, error) {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return Danger{}, err
	}
	if !person(by.Identity) {
		return Danger{}, auth.ErrForbidden
	}
	g, ok := by.Grant(auth.HandleDangers, seen.Scope, s.now())
	if !ok {
		return Danger{}, auth.ErrForbidden
	}
	if !seen.State.final() {
		return Danger{}, &StateError{State: seen.State, Code: "not_closed", ZH: "只有已销号或不属实的可以重新立项", EN: "only what is closed or rejected is reopened"}
	}
	if newID == "" {
		newID = s.newID()
	}
	var f faults
	note = f.text("note", note, reasonMin, 2000)
	n := NewDanger{
		ID: newID, Kind: seen.Kind, Name: seen.Name, Description: seen.Description, Source: "reopen", Subject: "", Area: seen.Area(), Geometry: seen.Geometry, FoundAt: s.now(),
	}
	if n.Kind == "" {
		n.Kind = "other"
	}
	if err := s.check(&n); err != nil {
		return Danger{}, err
	}
	if err := f.err(); err != nil {
		return Danger{}, err
	}
	var out Danger
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) (err error) {
		out, err = s.create(ctx, tx, by, g, n, id, map[string]any{"reopens": id, "note": note}, time.Time{}, "")
		return err
	})
	return out, wrap("reopen", refusal(seen.State, err))
}

// List puts a serious danger on the list of those supervised (挂牌督办), or takes it off.
func (s *Service) List(ctx context.Context, by auth.By, id string, version int64, listed bool, note string) (Danger, error) {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return Danger{}, err
	}
	if !person(by.Identity) {
		return Danger{}, auth.ErrForbidden
	}
	g, ok := by.Grant(auth.ApproveDangers, seen.Scope, s.now())
	if !ok {
		return Danger{}, auth.ErrForbidden
	}
	var f faults
	if note = f.text("note", note, reasonMin, 2000); f.err() != nil {
		return Danger{}, f.err()
	}
	var out Danger
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		d, err := s.locked(ctx, tx, by, id)
		if err != nil {
			return err
		}
		before := d
		switch {
		case d.Version != version:
			return auth.ErrStaleVersion
		case d.State.final():
			return frozen(d.State)
		case d.Level != Serious || !d.State.open():
			return &StateError{State: d.State, Code: "not_serious", ZH: "只有整改中的重大隐患挂牌督办", EN: "only serious ones in hand are listed"}
		case d.Listed == listed:
			return &StateError{State: d.State, Code: "no_change", ZH: "已是这样", EN: "it is so already"}
		}
		var done []string
		if err := tx.QueryRow(ctx, s.queries.Get("danger_rectifiers"), d.ID).Scan(&done); err != nil {
			return err
		}
		if slices.Contains(done, by.Account) {
			return fourEyes(d.State)
		}
		now := s.now().UTC().Truncate(time.Microsecond)
		d.Listed, d.ListedAccount = listed, by.Account
		action := "listed"
		if listed {
			d.ListedAt, d.UnlistedAt = &now, nil
		} else {
			d.UnlistedAt, action = &now, "unlisted"
		}
		if err := s.write(ctx, tx, &d); err != nil {
			return err
		}
		if err := s.add(ctx, tx, by, &d, act{action: action, from: d.State, to: d.State, note: note}); err != nil {
			return err
		}
		out, err = s.finish(ctx, tx, by, g, action, &before, id, note)
		return err
	})
	return out, wrap("list", refusal(seen.State, err))
}

func record(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, before *Danger) error {
	return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "danger." + action, Object: "dangers/" + before.ID, Area: before.Area(), Outcome: audit.Done, Before: words(before)})
}
