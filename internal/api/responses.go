package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"onemap/incidents/contingency"
	"onemap/incidents/response"
	"onemap/internal/auth"
	"onemap/internal/registry"
)

type responseAct struct {
	Act            string    `json:"act"`
	ActTitle       string    `json:"act_title"`
	At             time.Time `json:"at"`
	RecordedAt     time.Time `json:"recorded_at"`
	Level          int       `json:"level"`
	FromLevel      *int      `json:"from_level"`
	Condition      *string   `json:"condition"`
	SignedBy       string    `json:"signed_by"`
	DocumentNumber *string   `json:"document_number"`
	Note           *string   `json:"note"`
	By             string    `json:"by"`
}

type taskCounts struct {
	Total        int `json:"total"`
	Acknowledged int `json:"acknowledged"`
	Done         int `json:"done"`
	Late         int `json:"late"`
}

type responseAnswer struct {
	ID             string        `json:"id"`
	ETag           int64         `json:"etag"`
	Title          string        `json:"title"`
	Kind           string        `json:"kind"`
	Type           string        `json:"type"` // the kind, by its other name
	KindTitle      string        `json:"kind_title"`
	Level          int           `json:"level"`
	State          string        `json:"state"`
	StateTitle     string        `json:"state_title"`
	Area           string        `json:"area"`
	AreaTitle      *string       `json:"area_title"`
	Incident       *string       `json:"incident"`
	Alert          *string       `json:"alert"`
	Contingency    *string       `json:"contingency"`
	Condition      *string       `json:"condition"`
	SignedBy       *string       `json:"signed_by"`
	DocumentNumber *string       `json:"document_number"`
	Lead           *string       `json:"lead"`
	StartedAt      *time.Time    `json:"started_at"`
	AdjustedAt     *time.Time    `json:"adjusted_at"`
	EndedAt        *time.Time    `json:"ended_at"`
	Exercise       bool          `json:"exercise"`
	Profile        string        `json:"profile"`
	History        []responseAct `json:"history"`
	Tasks          taskCounts    `json:"tasks"`
	ReportEvery    *int          `json:"report_every_min"`
	LastReportAt   *time.Time    `json:"last_report_at"`
	NextReportAt   *time.Time    `json:"next_report_at"`
	ReportLate     bool          `json:"report_late"`
	// TasksSent is how many tasks an act made; only where it made some.
	TasksSent *int      `json:"tasks_sent,omitempty"`
	UpdatedAt time.Time `json:"updated_at"`
	UpdatedBy string    `json:"updated_by"`
}

func (s *Server) responseLine(r response.Response, areas *areaTitles, lang registry.Lang) responseAnswer {
	snap, every := s.opts.Catalogue.Now(), s.opts.Responses.ReportEvery(r.Level)
	a := responseAnswer{
		ID: r.ID, ETag: r.Version, Title: r.Title, Kind: r.Kind, Type: r.Kind, KindTitle: *caseTitle(snap, r.Kind, lang), Level: r.Level, State: r.State, StateTitle: codeTitle(snap, "response_state", r.State, lang),
		Area: r.Area, AreaTitle: areas.of(r.Area), Incident: optional(r.Incident), Alert: optional(r.Alert), Contingency: optional(r.Contingency), Condition: optional(r.Condition),
		SignedBy: optional(r.SignedBy), DocumentNumber: optional(r.DocumentNumber), Lead: optional(r.Lead), StartedAt: r.StartedAt, AdjustedAt: r.AdjustedAt, EndedAt: r.EndedAt,
		Exercise: r.Exercise, Profile: s.opts.Responses.ProfileOf(r), History: []responseAct{}, Tasks: taskCounts(r.Tasks), LastReportAt: r.LastReport, UpdatedAt: r.UpdatedAt, UpdatedBy: r.UpdatedBy,
	}
	if r.State == response.Active && every > 0 {
		a.ReportEvery, a.NextReportAt = &every, r.NextReport(every)
		a.ReportLate = a.NextReportAt != nil && areas.now.After(*a.NextReportAt)
	}
	for _, h := range r.History {
		a.History = append(a.History, responseAct{
			h.Act, codeTitle(snap, "response_act", h.Act, lang), h.At, h.RecordedAt, h.Level, h.FromLevel, optional(h.Condition), h.SignedBy, optional(h.DocumentNumber), optional(h.Note), h.By,
		})
	}
	return a
}

type dutyPerson struct {
	Name string    `json:"name"`
	Post *string   `json:"post"`
	Unit string    `json:"unit"`
	Role string    `json:"role"`
	From time.Time `json:"starts_at"`
	To   time.Time `json:"ends_at"`
}

type dutySeat struct {
	Name  string     `json:"name"`
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until,omitempty"`
	Area  *string    `json:"area"`
	Mine  bool       `json:"mine"`
	// RelievedBy is who sat down after him.
	RelievedBy *string `json:"relieved_by,omitempty"`
}

type dutyShift struct {
	ID        string  `json:"id"`
	Area      string  `json:"area"`
	AreaTitle *string `json:"area_title"`
	Own       bool    `json:"own"`
	dutyPerson
}

type dutyAnswer struct {
	Leader   []dutyPerson `json:"leader"`
	Officers []dutyPerson `json:"officers"`
	Others   []dutyPerson `json:"others"`
	AtDesk   *dutySeat    `json:"at_desk"`
	MaySit   bool         `json:"may_sit"`
	Shifts   []dutyShift  `json:"shifts,omitempty"`
	Sittings []dutySeat   `json:"sittings,omitempty"`
}

func seatLine(x response.Sitting, who *auth.Identity) dutySeat {
	return dutySeat{Name: x.Name, Since: x.Since, Until: x.Until, Area: optional(x.Area), Mine: x.Account == who.Account && who.Account != "", RelievedBy: optional(x.RelievedBy)}
}

func dutyLine(d response.Duty, who *auth.Identity, areas *areaTitles) dutyAnswer {
	one := func(x response.Shift) dutyPerson {
		return dutyPerson{x.Person, optional(x.Post), x.Unit, x.Role, x.Starts, x.Ends}
	}
	people := func(list []response.Shift) []dutyPerson {
		out := make([]dutyPerson, 0, len(list))
		for _, x := range list {
			out = append(out, one(x))
		}
		return out
	}
	a := dutyAnswer{Leader: people(d.Leaders), Officers: people(d.Officers), Others: people(d.Others), MaySit: d.Desk}
	if d.AtDesk != nil {
		seat := seatLine(*d.AtDesk, who)
		a.AtDesk = &seat
	}
	for _, x := range d.Shifts {
		a.Shifts = append(a.Shifts, dutyShift{x.ID, x.Area, areas.of(x.Area), x.Own, one(x)})
	}
	for _, x := range d.Sittings {
		a.Sittings = append(a.Sittings, seatLine(x, who))
	}
	return a
}

// getResponses are 应急响应 with the profile they make and who is on duty: what stands
// above everything.
func (s *Server) getResponses(ctx context.Context, req *Request) (*Response, error) {
	limit, _, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := response.Query{Area: req.Query.Value("area"), Exercise: req.Query.Value("exercise"), Incident: strings.ToLower(req.Query.Value("incident")), Limit: limit}
	if q.Active, err = trueFalse(req, "active"); err != nil {
		return nil, err
	}
	page, err := s.opts.Responses.Responses(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	duty, err := s.opts.Responses.Duty(ctx, req.Who, response.DutyQuery{Area: q.Area})
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]responseAnswer, 0, len(page.Responses))
	for _, r := range page.Responses {
		out = append(out, s.responseLine(r, areas, req.Lang))
	}
	p := page.Profile
	return private(map[string]any{
		"responses": out, "profile": p.Name, "position": page.Position, "duty": dutyLine(duty, req.Who, areas),
		"profile_rules": map[string]any{"level": level(p.Level), "exercise": p.Exercise, "refresh_s": p.RefreshS, "layers": filled(p.Layers), "report_every_min": level(p.ReportEvery)},
	})
}

// seenResponse is the response of the path as the asker may see it.
func (s *Server) seenResponse(ctx context.Context, req *Request) (response.Response, error) {
	id, bad := req.id()
	if bad != nil {
		return response.Response{}, bad
	}
	return s.opts.Responses.Response(ctx, req.Who, strings.ToLower(id))
}

func (s *Server) responseAnswered(ctx context.Context, req *Request, r response.Response, sent *int) (*Response, error) {
	line := s.responseLine(r, s.areaTitles(ctx, req), req.Lang)
	line.TasksSent = sent
	resp, err := versioned(line, r.Version)
	if err == nil && r.FeedPosition != "" {
		resp.Set("Onemap-Seq", r.FeedPosition)
	}
	return resp, err
}

func (s *Server) getResponseOne(ctx context.Context, req *Request) (*Response, error) {
	r, err := s.seenResponse(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.responseAnswered(ctx, req, r, nil)
}

type responseBody struct {
	Title       string  `json:"title"`
	Kind        string  `json:"kind"`
	Type        string  `json:"type"` // the kind, by its other name
	Level       int     `json:"level"`
	Area        string  `json:"area"`
	Incident    *string `json:"incident"`
	Alert       *string `json:"alert"`
	Contingency *string `json:"contingency"`
	Condition   string  `json:"condition"`
	Lead        string  `json:"lead"`
	Exercise    bool    `json:"exercise"`
	// Who signed it, under what number and when: with them it starts at once.
	SignedBy       string     `json:"signed_by"`
	DocumentNumber string     `json:"document_number"`
	StartedAt      *time.Time `json:"started_at"`
	Note           string     `json:"note"`
}

// named completes what a program leaves out: the kind by its other name, and the title.
func (b *responseBody) named(snap *registry.Snapshot) {
	b.Kind = or(b.Kind, b.Type)
	if strings.TrimSpace(b.Title) == "" && b.Kind != "" {
		b.Title = *caseTitle(snap, b.Kind, registry.Chinese) + "应急响应"
	}
}

// putResponse drafts a response under an id of the page's; what was drafted is changed
// with If-Match until it starts.
func (s *Server) putResponse(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b responseBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, err := maybeVersion(req)
	if err != nil {
		return nil, err
	}
	b.named(s.opts.Catalogue.Now())
	if err := s.responseDrill(ctx, req, &b); err != nil {
		return nil, err
	}
	r, made, err := s.opts.Responses.Put(ctx, s.by(req), strings.ToLower(id), version, response.Draft{
		Title: b.Title, Kind: b.Kind, Level: b.Level, Area: b.Area, Incident: strings.ToLower(orZero(b.Incident)), Alert: strings.ToLower(orZero(b.Alert)), Contingency: strings.ToLower(orZero(b.Contingency)),
		Condition: b.Condition, Lead: b.Lead, Exercise: b.Exercise,
	})
	if err != nil {
		return nil, err
	}
	var sent *int
	if r.State == response.Drafted && b.SignedBy != "" {
		r, sent, err = s.stepResponse(ctx, req, r.ID, r.Version, response.Order{Act: response.Start, SignedBy: b.SignedBy, DocumentNumber: b.DocumentNumber, Condition: b.Condition, Note: b.Note, At: orZero(b.StartedAt)})
		if err != nil {
			return nil, err
		}
	}
	resp, err := s.responseAnswered(ctx, req, r, sent)
	if err == nil && made {
		resp.Status = 201
		resp.Set("Location", "/api/responses/"+r.ID)
	}
	return resp, err
}

// responseDrill makes the response to an exercise an exercise: no box left alone puts a
// county on 战时. What he may not see says nothing.
func (s *Server) responseDrill(ctx context.Context, req *Request, b *responseBody) error {
	if id := strings.ToLower(orZero(b.Incident)); id != "" {
		i, err := s.opts.Incidents.Incident(ctx, req.Who, id)
		if err != nil && !unseen(err) {
			return err
		}
		b.Exercise = b.Exercise || err == nil && i.Exercise
	}
	if id := strings.ToLower(orZero(b.Alert)); id != "" {
		a, err := s.opts.Alerts.Alert(ctx, req.Who, id)
		if err != nil && !unseen(err) {
			return err
		}
		b.Exercise = b.Exercise || err == nil && a.Exercise
	}
	return nil
}

// maybeVersion is the version a put was made from, nil where it brings something new.
func maybeVersion(req *Request) (*int64, error) {
	if req.ifMatch == "" {
		return nil, nil //nolint:nilnil // none was named
	}
	v, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	return &v, nil
}

type responseStepBody struct {
	Act            string     `json:"act"`
	Level          *int       `json:"level"`
	SignedBy       string     `json:"signed_by"`
	DocumentNumber string     `json:"document_number"`
	Condition      string     `json:"condition"`
	Note           string     `json:"note"`
	At             *time.Time `json:"at"`
}

// postResponseStep starts, adjusts or ends. What the 预案 asks for at the level becomes
// tasks at once; a worse level adds to them.
func (s *Server) postResponseStep(ctx context.Context, req *Request) (*Response, error) {
	seen, err := s.seenResponse(ctx, req)
	if err != nil {
		return nil, err
	}
	var b responseStepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	r, sent, err := s.stepResponse(ctx, req, seen.ID, version, response.Order{Act: b.Act, Level: orZero(b.Level), SignedBy: b.SignedBy, DocumentNumber: b.DocumentNumber, Condition: b.Condition, Note: b.Note, At: orZero(b.At)})
	if err != nil {
		return nil, err
	}
	return s.responseAnswered(ctx, req, r, sent)
}

// stepResponse takes a step and sends what the 预案 asks for; sent is how many tasks came of it.
func (s *Server) stepResponse(ctx context.Context, req *Request, id string, version int64, o response.Order) (r response.Response, sent *int, err error) {
	by := s.by(req)
	if r, err = s.opts.Responses.Step(ctx, by, id, version, o); err != nil {
		return r, nil, err
	}
	if r.State == response.Active {
		// The order stands whatever becomes of its tasks: they can be sent again.
		n, err := s.opts.Contingency.Send(ctx, by, orderOf(r, nil, req.Received))
		if err != nil {
			s.opts.Logger.ErrorContext(ctx, "tasks of a response were not made", "response", r.ID, "err", err)
		} else {
			sent = &n
			if again, err := s.opts.Responses.Response(ctx, req.Who, r.ID); err == nil {
				again.FeedPosition = r.FeedPosition
				r = again
			}
		}
	}
	return r, sent, nil
}

// orderOf is what a response asks of the 预案.
func orderOf(r response.Response, clauses []string, at time.Time) contingency.Order {
	return contingency.Order{Response: r.ID, Incident: r.Incident, Area: r.Area, Exercise: r.Exercise, At: at, Clauses: clauses, Case: contingency.Case{Hazard: r.Kind, Level: r.Level}}
}

// getDuty is who is on duty and who sits at the desk, now and over a time.
func (s *Server) getDuty(ctx context.Context, req *Request) (*Response, error) {
	q := response.DutyQuery{Area: req.Query.Value("area")}
	for name, to := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		v, given := req.Query.Get(name)
		if !given {
			continue
		}
		at, ok := instant(v)
		if !ok {
			return nil, invalid(name, "应为带时区的时间", "it is a time with its zone")
		}
		*to = at
	}
	d, err := s.opts.Responses.Duty(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	return private(dutyLine(d, req.Who, s.areaTitles(ctx, req)))
}

type sitBody struct {
	Area string `json:"area"`
}

// chair sits down at the desk, or leaves it.
func (s *Server) chair(sit bool) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		var b sitBody
		if err := readJSON(req, &b); err != nil {
			return nil, err
		}
		do := s.opts.Responses.Leave
		if sit {
			do = s.opts.Responses.Sit
		}
		if err := do(ctx, s.by(req), b.Area); err != nil {
			return nil, err
		}
		d, err := s.opts.Responses.Duty(ctx, req.Who, response.DutyQuery{Area: b.Area})
		if err != nil {
			return nil, err
		}
		return private(dutyLine(d, req.Who, s.areaTitles(ctx, req)))
	}
}

type rosterBody struct {
	Area   string      `json:"area"`
	From   *time.Time  `json:"from"`
	To     *time.Time  `json:"to"`
	Shifts []shiftBody `json:"shifts"`
}

type shiftBody struct {
	Role     string    `json:"role"`
	Unit     string    `json:"unit"`
	Post     string    `json:"post"`
	Person   string    `json:"person"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
}

// putRoster writes the shifts of an area that begin in a time, in the place of what was
// written there before.
func (s *Server) putRoster(ctx context.Context, req *Request) (*Response, error) {
	var b rosterBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.From == nil || b.To == nil {
		return nil, fault(req, "from", "required", "请给出起止时间", "say from when to when")
	}
	shifts := make([]response.Shift, 0, len(b.Shifts))
	for _, x := range b.Shifts {
		shifts = append(shifts, response.Shift{Role: x.Role, Unit: x.Unit, Post: x.Post, Person: x.Person, Starts: x.StartsAt, Ends: x.EndsAt})
	}
	if err := s.opts.Responses.SetRoster(ctx, s.by(req), b.Area, *b.From, *b.To, shifts); err != nil {
		return nil, err
	}
	d, err := s.opts.Responses.Duty(ctx, req.Who, response.DutyQuery{Area: b.Area, From: *b.From, To: *b.To})
	if err != nil {
		return nil, err
	}
	return private(dutyLine(d, req.Who, s.areaTitles(ctx, req)))
}

// unseen says whether an error is that there is nothing the asker may know of.
func unseen(err error) bool { return errors.Is(err, auth.ErrNotFound) }
