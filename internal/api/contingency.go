package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"onemap/incidents/contingency"
	"onemap/internal/registry"
)

type clauseAnswer struct {
	ID          string  `json:"id"`
	Seq         int     `json:"seq"`
	Hazard      *string `json:"hazard"`
	HazardTitle *string `json:"hazard_title"`
	Level       *int    `json:"level"`
	Action      string  `json:"action"`
	Unit        string  `json:"unit"`
	Minutes     *int    `json:"minutes"`
	Text        string  `json:"text"`
}

type contingencyAnswer struct {
	ID             string         `json:"id"`
	ETag           int64          `json:"etag"`
	Title          string         `json:"title"`
	Kind           string         `json:"kind"`
	KindTitle      string         `json:"kind_title"`
	Hazard         *string        `json:"hazard"`
	HazardTitle    *string        `json:"hazard_title"`
	Area           string         `json:"area"`
	AreaTitle      *string        `json:"area_title"`
	Unit           string         `json:"unit"`
	DocumentNumber *string        `json:"document_number"`
	Version        *string        `json:"version"`
	IssuedOn       *string        `json:"issued_on"`
	ReviewDue      *string        `json:"review_due"`
	ReviewOverdue  bool           `json:"review_overdue"`
	Lead           *string        `json:"lead"`
	State          string         `json:"state"`
	ClauseCount    int            `json:"clause_count"`
	Clauses        []clauseAnswer `json:"clauses,omitempty"`
	UpdatedAt      time.Time      `json:"updated_at"`
	UpdatedBy      string         `json:"updated_by"`
}

// caseTitle names a hazard, or a kind of incident.
func caseTitle(snap *registry.Snapshot, code string, lang registry.Lang) *string {
	if code == "" {
		return nil
	}
	title := hazardTitle(snap, code, lang)
	if title == code {
		title = codeTitle(snap, "incident_kind", code, lang)
	}
	return optional(title)
}

func (s *Server) clauseLine(c contingency.Clause, lang registry.Lang) clauseAnswer {
	return clauseAnswer{c.ID, c.Seq, optional(c.Hazard), caseTitle(s.opts.Catalogue.Now(), c.Hazard, lang), level(c.Level), c.Action, c.Unit, c.Minutes, c.Text}
}

func (s *Server) contingencyLine(p contingency.Plan, areas *areaTitles, lang registry.Lang) contingencyAnswer {
	snap := s.opts.Catalogue.Now()
	a := contingencyAnswer{
		ID: p.ID, ETag: p.Version, Title: p.Title, Kind: p.Kind, KindTitle: codeTitle(snap, "contingency_kind", p.Kind, lang), Hazard: optional(p.Hazard), HazardTitle: caseTitle(snap, p.Hazard, lang),
		Area: p.Area, AreaTitle: areas.of(p.Area), Unit: p.Unit, DocumentNumber: optional(p.DocumentNumber), Version: optional(p.VersionText), IssuedOn: day(p.IssuedOn), ReviewDue: day(p.ReviewDue),
		ReviewOverdue: p.Overdue(areas.now.In(snap.Location()).Truncate(24 * time.Hour)), Lead: optional(p.Lead), State: p.State, ClauseCount: p.ClauseCount, UpdatedAt: p.UpdatedAt, UpdatedBy: p.UpdatedBy,
	}
	for _, c := range p.Clauses {
		a.Clauses = append(a.Clauses, s.clauseLine(c, lang))
	}
	return a
}

// getContingencies are 预案, without their clauses.
func (s *Server) getContingencies(ctx context.Context, req *Request) (*Response, error) {
	q := contingency.Query{Hazard: req.Query.Value("hazard"), Area: req.Query.Value("area"), Kind: req.Query.Value("kind"), Text: req.Query.Value("q"), Limit: 1000}
	var err error
	if q.Overdue, err = said(req.Query, "overdue"); err != nil {
		return nil, err
	}
	plans, err := s.opts.Contingency.Plans(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas, counts := s.areaTitles(ctx, req), map[string]int{}
	out := make([]contingencyAnswer, 0, len(plans))
	for _, p := range plans {
		counts[p.Kind]++
		out = append(out, s.contingencyLine(p, areas, req.Lang))
	}
	return private(map[string]any{"contingencies": out, "counts": counts})
}

func (s *Server) getContingency(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	p, err := s.opts.Contingency.Plan(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return versioned(s.contingencyLine(p, s.areaTitles(ctx, req), req.Lang), p.Version)
}

type contingencyBody struct {
	Title          string       `json:"title"`
	Kind           string       `json:"kind"`
	Hazard         *string      `json:"hazard"`
	Area           string       `json:"area"`
	Unit           string       `json:"unit"`
	DocumentNumber *string      `json:"document_number"`
	Version        *string      `json:"version"`
	IssuedOn       *string      `json:"issued_on"`
	ReviewDue      *string      `json:"review_due"`
	Lead           *string      `json:"lead"`
	State          *string      `json:"state"`
	Clauses        []clauseBody `json:"clauses"`
}

type clauseBody struct {
	Hazard  *string `json:"hazard"`
	Level   *int    `json:"level"`
	Action  string  `json:"action"`
	Unit    string  `json:"unit"`
	Minutes *int    `json:"minutes"`
	Text    string  `json:"text"`
}

// putContingency brings a plan in with its clauses, or a newer wording.
func (s *Server) putContingency(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b contingencyBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, err := maybeVersion(req)
	if err != nil {
		return nil, err
	}
	p := contingency.Plan{Title: b.Title, Kind: b.Kind, Hazard: orZero(b.Hazard), Area: b.Area, Unit: b.Unit, DocumentNumber: orZero(b.DocumentNumber), VersionText: orZero(b.Version), Lead: orZero(b.Lead), State: orZero(b.State)}
	for name, d := range map[string]struct {
		text *string
		to   **time.Time
	}{"issued_on": {b.IssuedOn, &p.IssuedOn}, "review_due": {b.ReviewDue, &p.ReviewDue}} {
		if d.text == nil {
			continue
		}
		at, err := time.Parse(time.DateOnly, *d.text)
		if err != nil || at.Year() < 1949 || at.Year() > 2200 {
			return nil, fault(req, name, "bad_date", "应为日期 (年-月-日)", "it is a date (year-month-day)")
		}
		*d.to = &at
	}
	for _, c := range b.Clauses {
		p.Clauses = append(p.Clauses, contingency.Clause{Hazard: orZero(c.Hazard), Level: orZero(c.Level), Action: c.Action, Unit: c.Unit, Minutes: c.Minutes, Text: c.Text})
	}
	p, made, err := s.opts.Contingency.Put(ctx, s.by(req), strings.ToLower(id), version, p)
	if err != nil {
		return nil, err
	}
	resp, err := versioned(s.contingencyLine(p, s.areaTitles(ctx, req), req.Lang), p.Version)
	if err == nil && made {
		resp.Status = 201
	}
	return resp, err
}

type matchBody struct {
	Hazard string `json:"hazard"`
	Kind   string `json:"kind"`
	Level  int    `json:"level"`
	Area   string `json:"area"`
}

type matchAnswer struct {
	clauseAnswer
	Contingency      string  `json:"contingency"`
	ContingencyTitle string  `json:"contingency_title"`
	ContingencyKind  string  `json:"contingency_kind"`
	Area             string  `json:"area"`
	AreaTitle        *string `json:"area_title"`
}

// postMatch says which clauses apply to a case. It changes nothing.
func (s *Server) postMatch(ctx context.Context, req *Request) (*Response, error) {
	var b matchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	list, err := s.opts.Contingency.Matching(ctx, req.Who, contingency.Case{Hazard: b.Hazard, Kind: b.Kind, Level: b.Level, Area: b.Area})
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]matchAnswer, 0, len(list))
	for _, m := range list {
		out = append(out, matchAnswer{s.clauseLine(m.Clause, req.Lang), m.Plan, m.PlanTitle, m.PlanKind, m.Area, areas.of(m.Area)})
	}
	return private(map[string]any{"clauses": out})
}

type responseTaskAnswer struct {
	ID             string     `json:"id"`
	ETag           int64      `json:"etag"`
	Response       *string    `json:"response"`
	Incident       *string    `json:"incident"`
	Clause         *string    `json:"clause"`
	Contingency    string     `json:"contingency_title"`
	Seq            int        `json:"seq"`
	Level          *int       `json:"level"`
	Action         string     `json:"action"`
	Unit           string     `json:"unit"`
	Text           string     `json:"text"`
	Minutes        *int       `json:"minutes"`
	Area           string     `json:"area"`
	AreaTitle      *string    `json:"area_title"`
	Exercise       bool       `json:"exercise"`
	State          string     `json:"state"`
	StateTitle     string     `json:"state_title"`
	SentAt         time.Time  `json:"sent_at"`
	DueAt          *time.Time `json:"due_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	AcknowledgedBy *string    `json:"acknowledged_by"`
	DoneAt         *time.Time `json:"done_at"`
	DoneBy         *string    `json:"done_by"`
	RefusedAt      *time.Time `json:"refused_at"`
	Note           *string    `json:"note"`
	LoggedBy       *string    `json:"logged_by"`
	Late           bool       `json:"late"`
	ClosedAt       *time.Time `json:"closed_at"` // it was not done when its response, or incident, ended
	ClosedWhy      *string    `json:"closed_why"`
	ClosedTitle    *string    `json:"closed_title"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

func (s *Server) responseTaskLine(t contingency.Task, areas *areaTitles, lang registry.Lang) responseTaskAnswer {
	var why *string
	switch t.ClosedWhy {
	case "response_ended":
		s := text("响应已终止，任务关闭", "closed: the response has ended").In(lang)
		why = &s
	case "incident_closed":
		s := text("事件已办结，任务关闭", "closed: the incident is closed").In(lang)
		why = &s
	}
	return responseTaskAnswer{
		ID: t.ID, ETag: t.Version, Response: optional(t.Response), Incident: optional(t.Incident), Clause: optional(t.Clause), Contingency: t.Plan, Seq: t.Seq, Level: level(t.Level), Action: t.Action, Unit: t.Unit, Text: t.Text,
		Minutes: t.Minutes, Area: t.Area, AreaTitle: areas.of(t.Area), Exercise: t.Exercise, State: t.State, StateTitle: codeTitle(s.opts.Catalogue.Now(), "response_task_state", t.State, lang), SentAt: t.SentAt, DueAt: t.DueAt,
		AcknowledgedAt: t.AcknowledgedAt, AcknowledgedBy: optional(t.AcknowledgedBy), DoneAt: t.DoneAt, DoneBy: optional(t.DoneBy), RefusedAt: t.RefusedAt, Note: optional(t.Note), LoggedBy: optional(t.LoggedBy),
		Late: t.Late(areas.now), ClosedAt: t.ClosedAt, ClosedWhy: optional(t.ClosedWhy), ClosedTitle: why, UpdatedAt: t.UpdatedAt,
	}
}

func (s *Server) taskList(ctx context.Context, req *Request, q contingency.TaskQuery) (*Response, error) {
	list, position, err := s.opts.Contingency.Tasks(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out, late := make([]responseTaskAnswer, 0, len(list)), 0
	for _, t := range list {
		line := s.responseTaskLine(t, areas, req.Lang)
		if line.Late && line.ClosedAt == nil {
			late++
		}
		out = append(out, line)
	}
	return private(map[string]any{"tasks": out, "late": late, "position": position})
}

func (s *Server) getResponseTasks(ctx context.Context, req *Request) (*Response, error) {
	limit, _, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := contingency.TaskQuery{Response: strings.ToLower(req.Query.Value("response")), Incident: strings.ToLower(req.Query.Value("incident")), State: req.Query.Value("state"), Exercise: req.Query.Value("exercise"), Limit: max(limit, 500)}
	if q.State != "" && q.State != contingency.Closed && !slices.Contains(contingency.States(), q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if q.Late, err = said(req.Query, "late"); err != nil {
		return nil, err
	}
	return s.taskList(ctx, req, q)
}

// getTasksOfResponse are the tasks of one response.
func (s *Server) getTasksOfResponse(ctx context.Context, req *Request) (*Response, error) {
	r, err := s.seenResponse(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.taskList(ctx, req, contingency.TaskQuery{Response: r.ID, Limit: 1000})
}

// getIncidentTasks are the tasks of one incident: those sent for it, and those of its
// responses.
func (s *Server) getIncidentTasks(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.taskList(ctx, req, contingency.TaskQuery{Incident: i.ID, Limit: 1000})
}

type taskOrderBody struct {
	Response string   `json:"response"`
	Incident string   `json:"incident"`
	Hazard   string   `json:"hazard"`
	Kind     string   `json:"kind"`
	Level    int      `json:"level"`
	Area     string   `json:"area"`
	Clauses  []string `json:"clauses"`
}

// postResponseTasks makes tasks of clauses: of a response those of its level, of an
// incident those of the case it is. What was sent already is not sent again.
func (s *Server) postResponseTasks(ctx context.Context, req *Request) (*Response, error) {
	var b taskOrderBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	o := contingency.Order{Incident: strings.ToLower(b.Incident), Area: b.Area, At: req.Received, Clauses: b.Clauses, Case: contingency.Case{Hazard: b.Hazard, Kind: b.Kind, Level: b.Level}}
	for i := range o.Clauses {
		o.Clauses[i] = strings.ToLower(o.Clauses[i])
	}
	q := contingency.TaskQuery{Incident: o.Incident}
	switch {
	case b.Response != "":
		r, err := s.opts.Responses.Response(ctx, req.Who, strings.ToLower(b.Response))
		if unseen(err) {
			return nil, fault(req, "response", "unknown", "没有此响应", "there is no such response")
		}
		if err != nil {
			return nil, err
		}
		o, q = orderOf(r, o.Clauses, req.Received), contingency.TaskQuery{Response: r.ID}
	default:
		i, err := s.opts.Incidents.Incident(ctx, req.Who, o.Incident)
		if unseen(err) {
			return nil, fault(req, "incident", "unknown", "没有此事件", "there is no such incident")
		}
		if err != nil {
			return nil, err
		}
		o.Exercise = i.Exercise
		if o.Area == "" {
			o.Area = codeOf(i.Scope)
		}
		if o.Case.Hazard == "" && o.Case.Kind == "" {
			o.Case.Kind = i.Kind
		}
		if o.Case.Level == 0 {
			o.Case.Level = i.Level
		}
	}
	n, err := s.opts.Contingency.Send(ctx, s.by(req), o)
	if err != nil {
		return nil, err
	}
	resp, err := s.taskList(ctx, req, q)
	if err == nil && n > 0 {
		resp.Status = 201
	}
	return resp, err
}

type responseTaskStepBody struct {
	To   string `json:"to"`
	Note string `json:"note"`
	By   string `json:"by"`
}

// postResponseTaskStep writes an answer down: who of the unit gave it, and what he said.
func (s *Server) postResponseTaskStep(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := s.opts.Contingency.Task(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b responseTaskStepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, err := maybeVersion(req)
	if err != nil {
		return nil, err
	}
	t, err := s.opts.Contingency.Step(ctx, s.by(req), strings.ToLower(id), version, contingency.Step{To: b.To, Note: b.Note, By: b.By})
	if err != nil {
		return nil, err
	}
	resp, err := versioned(s.responseTaskLine(t, s.areaTitles(ctx, req), req.Lang), t.Version)
	if err == nil && t.FeedPosition != "" {
		resp.Set("Onemap-Seq", t.FeedPosition)
	}
	return resp, err
}
