package zoning

import (
	"slices"
	"time"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// Transition is a step of the life cycle.
type Transition struct {
	To            State
	Note          string
	DocumentNo    string     // of publishing
	EffectiveFrom *time.Time // of publishing: the date; of repealing: until when it held, nil is now
}

// Event is a step that was done. A step from a state to the same one says that the
// zones were made by a program (an import, a computation) on the person's word.
type Event struct {
	Seq               int64
	From, To          State // From is "" where the version was made
	Note              string
	Account, By, Name string
	At                time.Time
}

// LifeStep is a line of the table of the life cycle.
type LifeStep struct {
	Action string // what [Service.May] and the audit call it
	From   []State
	To     State
	Need   auth.Permission
	// Other means another person than whoever drew or submitted the version.
	Other bool
	// Note must say why.
	Note  bool
	Title registry.Title
}

// LifeSteps is the table of the life cycle; docs/rights.md is made from it, and the
// database holds the same.
func LifeSteps() []LifeStep {
	title := func(zh, en string) registry.Title { return registry.Title{ZH: zh, EN: en} }
	drawn := []State{Draft, Returned}
	return []LifeStep{
		{"consult", drawn, Consultation, auth.EditPlans, false, false, title("征求意见", "Ask for opinions")},
		{"expert_review", drawn, ExpertReview, auth.EditPlans, false, false, title("专家评审", "Put before experts")},
		{"recall", []State{Consultation, ExpertReview, Submitted}, Draft, auth.EditPlans, false, false, title("收回修改", "Take back to edit")},
		{"submit", drawn, Submitted, auth.EditPlans, false, false, title("报审", "Submit")},
		{"start_review", []State{Submitted}, InReview, auth.ReviewPlans, true, false, title("开始审查", "Begin the review")},
		{"return", []State{InReview, Approved}, Returned, auth.ReviewPlans, true, false, title("退回", "Return")},
		{"approve", []State{InReview}, Approved, auth.ReviewPlans, true, false, title("审定", "Approve")},
		{"publish", []State{Approved}, Published, auth.ReviewPlans, true, false, title("发布", "Publish")},
		{"withdraw", []State{Draft, Returned, Consultation, ExpertReview, Submitted, InReview, Approved}, Withdrawn, auth.EditPlans, false, true, title("撤回", "Withdraw")},
		{"repeal", []State{Published}, Withdrawn, auth.ReviewPlans, false, true, title("废止", "Repeal")},
	}
}

func stepOf(from, to State) (LifeStep, bool) {
	for _, st := range LifeSteps() {
		if st.To == to && slices.Contains(st.From, from) {
			return st, true
		}
	}
	return LifeStep{}, false
}

func cannotFollow(from State) error {
	return &StateError{State: from, Code: "cannot_follow", ZH: "当前状态不允许此操作", EN: "the state of the plan does not allow this"}
}

func fourEyes(state State) error {
	return &StateError{State: state, Code: "four_eyes", ZH: "画过、报过这一版的人不能审查、审定或发布它", EN: "whoever drew or submitted this version does not review, approve or publish it"}
}

// May names what the asker may do with the plan now. Conditions that can still be met
// (a level missing, an opinion unanswered) do not count.
func (s *Service) May(who *auth.Identity, p Plan) []string {
	out := []string{}
	if !person(who) || !s.visible(who, p) {
		return out
	}
	_, draws := who.Grant(auth.EditPlans, p.Scope, s.now())
	_, reviews := who.Grant(auth.ReviewPlans, p.Scope, s.now())
	other := !slices.Contains(p.Draws, who.Account)
	add := func(name string, may bool) {
		if may {
			out = append(out, name)
		}
	}
	add("edit", draws && p.Editable())
	add("compute", draws && p.Editable())
	for _, st := range LifeSteps() {
		add(st.Action, slices.Contains(st.From, p.State) && (st.Need == auth.EditPlans && draws || st.Need == auth.ReviewPlans && reviews) && (other || !st.Other))
	}
	add("review", reviews && other && p.State == InReview)
	add("comment", roundOf(p.State) != "")
	add("answer", draws && answerable(p.State))
	add("new_version", draws && !p.openVersion && slices.Contains([]State{Published, Superseded, Withdrawn}, p.State))
	add("delete", draws && p.State == Draft && p.SubmittedAt == nil)
	return out
}

// checkStep looks at what came with a step.
func (s *Service) checkStep(t *Transition, st LifeStep, p Plan) error {
	var f faults
	least := 0
	if st.Note {
		least = reasonMin
	}
	t.Note = f.text("note", t.Note, least, 2000)
	t.DocumentNo = f.text("document_no", t.DocumentNo, 0, 100)
	if d := t.EffectiveFrom; d != nil && (d.Year() < 1950 || d.Year() > 2200) {
		f.add("effective_from", "out_of_range", "日期应在 1950 至 2200 年之间", "the year lies between 1950 and 2200")
	}
	switch st.Action {
	case "publish":
		if t.DocumentNo == "" {
			f.add("document_no", "required", "请填写批准文号", "the number of the approval document is needed")
		}
		if t.EffectiveFrom == nil {
			f.add("effective_from", "required", "请填写生效日期", "the day it takes effect is needed")
		}
	case "repeal":
		if d := t.EffectiveFrom; d != nil && p.EffectiveFrom != nil && date(*d) < date(*p.EffectiveFrom) {
			f.add("effective_from", "before_it_began", "废止日期不能早于生效日期", "it cannot end before it took effect")
		}
	}
	return f.err()
}

// date is the day as people write it, in the zone the time is given in.
func date(t time.Time) string { return t.Format(time.DateOnly) }

// conditions are the conditions that the row of the plan answers.
func conditions(st LifeStep, p Plan, t Transition) error {
	no := func(code, zh, en string) error { return &StateError{State: p.State, Code: code, ZH: zh, EN: en} }
	switch st.Action {
	case "submit":
		switch {
		case p.Responsible == "":
			return no("responsible_missing", "请先填写编制单位", "name the responsible office first")
		case p.Zones == 0:
			return no("empty", "方案没有区划单元", "the plan has no zones")
		case p.Ungraded > 0:
			return no("ungraded", "有区划单元未定级", "some zones have no level")
		case p.OpenComments > 0:
			return no("comments_open", "有意见未答复", "some opinions have no answer")
		}
	case "return":
		if p.ReturnedZones == 0 && t.Note == "" {
			return no("reason_required", "请退回具体单元并说明理由，或填写退回意见", "return a zone with its reason, or say why")
		}
	case "approve":
		if p.Zones == 0 || p.Accepted < p.Zones {
			return no("not_accepted", "有区划单元未通过审查", "some zones are not accepted as they are now")
		}
	}
	return nil
}

// midnight is the moment a day begins at the office.
func (s *Service) midnight(d time.Time) time.Time {
	y, m, day := d.Date()
	return time.Date(y, m, day, 0, 0, 0, 0, s.catalogue.Now().Location())
}
