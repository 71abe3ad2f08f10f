package dangers

import (
	"slices"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// LifeSteps is the table of the life cycle; docs/rights.md is made from it, and the
// database holds the same.
func LifeSteps() []Step {
	title := func(zh, en string) registry.Title { return registry.Title{ZH: zh, EN: en} }
	report, handle := []auth.Permission{auth.ReportDangers}, []auth.Permission{auth.HandleDangers}
	approve, fix := []auth.Permission{auth.ApproveDangers}, []auth.Permission{auth.HandleDangers, auth.RectifyDangers}
	return []Step{
		{Action: "report", From: []State{Draft}, To: Reported, Needs: report, Title: title("上报", "Report")},
		{Action: "fix_on_spot", From: []State{Reported}, To: Reviewing, Needs: report, Evidence: true, Title: title("立行立改", "Fixed on the spot")},
		{Action: "verify", From: []State{Reported}, To: Verified, Needs: handle, Title: title("核实受理", "Verify")},
		{Action: "reject", From: []State{Reported, Verified}, To: Rejected, Needs: handle, Note: true, Title: title("不属实", "Reject")},
		{Action: "grade", From: []State{Verified}, To: Graded, Needs: handle, Title: title("定级", "Grade")},
		{Action: "regrade", From: []State{Rectifying, Reviewing}, To: Graded, Needs: handle, Note: true, Title: title("重新定级", "Grade again")},
		{Action: "dispatch", From: []State{Graded}, To: Rectifying, Needs: handle, Title: title("下达整改", "Order to put right")},
		{Action: "submit_plan", From: []State{Graded}, To: PendingApproval, Needs: fix, Title: title("报批治理方案", "Submit the plan")},
		{Action: "return_plan", From: []State{PendingApproval}, To: Graded, Needs: approve, Note: true, Title: title("退回方案", "Return the plan")},
		{Action: "approve", From: []State{PendingApproval}, To: Rectifying, Needs: approve, Other: true, Title: title("批准并挂牌", "Approve and list")},
		{Action: "rectified", From: []State{Rectifying}, To: Reviewing, Needs: fix, Note: true, Title: title("报整改完成", "Report as put right")},
		{Action: "first_review", From: []State{Reviewing}, To: Reviewing, Needs: handle, Other: true, Title: title("初次复查通过", "First review passed")},
		{Action: "fail", From: []State{Reviewing}, To: Rectifying, Needs: handle, Other: true, Note: true, Title: title("复查不合格", "Review failed")},
		{Action: "close", From: []State{Reviewing}, To: Closed, Needs: handle, Other: true, Title: title("复查通过，销号", "Close")},
	}
}

func stepOf(from, to State) (Step, bool) {
	for _, st := range LifeSteps() {
		if st.To == to && slices.Contains(st.From, from) {
			return st, true
		}
	}
	return Step{}, false
}

// open says whether a danger is in hand.
func (s State) open() bool {
	return s == Graded || s == PendingApproval || s == Rectifying || s == Reviewing
}

// final says whether nothing follows.
func (s State) final() bool { return s == Closed || s == Rejected }

func cannotFollow(from State) error {
	return &StateError{State: from, Code: "cannot_follow", ZH: "当前状态不允许此操作", EN: "the state of the danger does not allow this"}
}

func frozen(state State) error {
	return &StateError{State: state, Code: "frozen", ZH: "已销号或不属实的记录不能再改；再次发现请重新立项", EN: "what is closed or rejected never changes; reopen it as a new record"}
}

func fourEyes(state State) error {
	return &StateError{State: state, Code: "four_eyes", ZH: "须由另一人办理：整改人不能复查，定级人、方案提交人不能审批", EN: "another person does this: not who put it right, graded it or made its plan"}
}

// May names what the asker may do with the danger now.
func (s *Service) May(who *auth.Identity, d Danger) []string {
	out := []string{}
	if !person(who) {
		return out
	}
	for _, st := range LifeSteps() {
		if !slices.Contains(st.From, d.State) {
			continue
		}
		switch {
		case st.Action == "dispatch" && d.Level != Ordinary, st.Action == "submit_plan" && d.Level != Serious,
			st.Action == "first_review" && (!d.SecondReview || d.FirstReviewerAccount != ""),
			st.Action == "close" && (d.Listed || d.SecondReview && d.FirstReviewerAccount == ""):
			continue
		}
		if _, err := s.permit(who, st, d); err == nil {
			out = append(out, st.Action)
		}
	}
	add := func(name string, may bool) {
		if may {
			out = append(out, name)
		}
	}
	_, handles := who.Grant(auth.HandleDangers, d.Scope, s.now())
	_, approves := who.Grant(auth.ApproveDangers, d.Scope, s.now())
	_, edits := s.editor(who, d)
	add("edit", edits)
	add("delete", (d.State == Draft || d.State == Reported) && d.ReportedAccount == who.Account && d.ReportedAccount != "")
	add("reopen", handles && d.State.final())
	add("list", approves && d.State.open() && d.Level == Serious && !d.Listed)
	add("unlist", approves && d.Listed && d.RectifierAccount != who.Account)
	add("extend", (handles || d.Assigned) && d.DueAt != nil && (d.State == Rectifying || d.State == Graded || d.State == PendingApproval))
	add("link", handles)
	return out
}

// permit is the grant under which somebody takes a step on a danger he sees.
func (s *Service) permit(who *auth.Identity, st Step, d Danger) (auth.Grant, error) {
	if !person(who) {
		return auth.Grant{}, auth.ErrForbidden
	}
	for _, need := range st.Needs {
		if need == auth.RectifyDangers && !d.Assigned {
			continue
		}
		g, ok := who.Grant(need, d.Scope, s.now())
		if !ok {
			continue
		}
		if st.Action == "report" && d.ReportedAccount != who.Account {
			continue
		}
		if st.Other && slices.Contains(notBy(st, d), who.Account) {
			return g, fourEyes(d.State)
		}
		return g, nil
	}
	return auth.Grant{}, auth.ErrForbidden
}

// notBy are the persons who must not take a step; the database looks at all rounds.
func notBy(st Step, d Danger) []string {
	if st.Action == "approve" {
		return []string{d.GradedAccount, d.PlanAccount}
	}
	no := []string{d.RectifierAccount}
	if st.Action == "close" {
		no = append(no, d.FirstReviewerAccount)
	}
	return no
}

// editor is the grant under which somebody changes what a danger says.
func (s *Service) editor(who *auth.Identity, d Danger) (auth.Grant, bool) {
	if !person(who) || d.State.final() {
		return auth.Grant{}, false
	}
	if g, ok := who.Grant(auth.HandleDangers, d.Scope, s.now()); ok {
		return g, true
	}
	if g, ok := who.Grant(auth.ReportDangers, d.Scope, s.now()); ok && d.ReportedAccount == who.Account && (d.State == Draft || d.State == Reported) {
		return g, true
	}
	if g, ok := who.Grant(auth.RectifyDangers, d.Scope, s.now()); ok && d.Assigned && (d.State == Graded || d.State == Rectifying) {
		return g, true
	}
	return auth.Grant{}, false
}
