package api

import "onemap/internal/auth"

// limitContingency leaves room for the clauses of a plan.
const limitContingency = 1 << 20

// responseRoutes are 应急响应, the duty desk, 预案 and its tasks, and what leaves on paper.
func (s *Server) responseRoutes() []*Route {
	var t fieldTable
	const r, c, k, p = "/api/responses", "/api/contingencies", "/api/response-tasks", "/api/papers"
	command := func(x *Route) *Route { return t.may(x, auth.CommandPost) }
	desk := func(x *Route) *Route { return t.may(x, auth.WorkDesk) }
	paper := func(x *Route) *Route { return t.may(x, auth.CommandPost, auth.SignPapers) }
	return []*Route{
		t.route("GET", r, "responses", s.getResponses, AccessSignedIn, "active", "area", "exercise", "incident", "limit"),
		t.route("GET", r+"/{id}", "response", s.getResponseOne, AccessSignedIn),
		command(t.json(0, t.route("PUT", r+"/{id}", "response_put", s.putResponse, ""))),
		command(t.json(0, t.route("POST", r+"/{id}/transitions", "response_transition", s.postResponseStep, ""))),
		t.route("GET", r+"/{id}/tasks", "response_tasks_of", s.getTasksOfResponse, AccessSignedIn),

		t.route("GET", "/api/duty", "duty", s.getDuty, AccessSignedIn, "area", "from", "to"),
		desk(t.json(0, t.route("POST", "/api/duty/sit", "duty_sit", s.chair(true), ""))),
		desk(t.json(0, t.route("POST", "/api/duty/leave", "duty_leave", s.chair(false), ""))),
		desk(t.json(limitContingency, t.route("PUT", "/api/duty/roster", "duty_roster", s.putRoster, ""))),

		t.route("GET", c, "contingencies", s.getContingencies, AccessSignedIn, "hazard", "area", "kind", "q", "overdue"),
		command(t.json(0, t.route("POST", c+"/match", "contingency_match", s.postMatch, ""))),
		t.route("GET", c+"/{id}", "contingency", s.getContingency, AccessSignedIn),
		command(t.json(limitContingency, t.route("PUT", c+"/{id}", "contingency_put", s.putContingency, ""))),
		t.route("GET", k, "response_tasks", s.getResponseTasks, AccessSignedIn, "response", "incident", "state", "late", "exercise", "limit"),
		command(t.json(0, t.route("POST", k, "response_tasks_send", s.postResponseTasks, ""))),
		t.may(t.json(0, t.route("POST", k+"/{id}/transitions", "response_task_transition", s.postResponseTaskStep, "")), auth.CommandPost, auth.WorkDesk),

		paper(t.route("GET", p, "papers", s.getPapers, "", "kind", "state", "incident", "response", "area", "exercise", "unsigned", "limit", "cursor")),
		command(t.json(limitDesk, t.route("POST", p, "paper_draft", s.postPaper, ""))),
		paper(t.route("GET", p+"/{id}.pdf", "paper_pdf", s.getPaperAs("pdf"), "")),
		paper(t.route("GET", p+"/{id}.docx", "paper_docx", s.getPaperAs("docx"), "")),
		paper(t.route("GET", p+"/{id}.txt", "paper_txt", s.getPaperAs("txt"), "")),
		paper(t.route("GET", p+"/{id}", "paper", s.getPaper, "")),
		command(t.json(limitDesk, t.route("PATCH", p+"/{id}", "paper_edit", s.patchPaper, ""))),
		command(t.json(limitImpact, t.route("POST", p+"/{id}/estimates", "paper_estimates", s.postPaperEstimates, ""))),
		paper(t.json(0, t.route("POST", p+"/{id}/transitions", "paper_transition", s.postPaperStep, ""))),
		desk(t.route("GET", "/api/replay", "replay", s.getReplay, "", "from", "to", "area", "exercise")),
		desk(t.json(0, t.route("POST", "/api/reports/handover.pdf", "handover_pdf", s.postHandoverAs("pdf"), ""))),
		desk(t.json(0, t.route("POST", "/api/reports/handover.docx", "handover_docx", s.postHandoverAs("docx"), ""))),
		desk(t.json(0, t.route("POST", "/api/reports/handover.txt", "handover_txt", s.postHandoverAs("txt"), ""))),
		desk(t.route("GET", "/api/briefs/handover", "brief_handover", s.getHandover, "", "from", "to", "area", "exercise")),
	}
}
