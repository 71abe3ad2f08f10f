package api

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"onemap/census/dangers"
	"onemap/internal/auth"
)

// dangerBody is a report as a whole, or what of it changes.
type dangerBody struct {
	State           string          `json:"state"`
	Kind            *string         `json:"kind"`
	Name            *string         `json:"name"`
	Description     *string         `json:"description"`
	Source          *string         `json:"source"`
	InterimMeasure  *string         `json:"interim_measure"`
	FoundAt         *time.Time      `json:"found_at"`
	FixedOnSpot     *bool           `json:"fixed_on_spot"`
	Subject         *string         `json:"subject"`
	Area            string          `json:"area"`
	Geometry        json.RawMessage `json:"geometry"`
	SrcCRS          string          `json:"src_crs"`
	Evidence        []string        `json:"evidence"`
	Level           *int            `json:"level"`
	GradeBasis      *string         `json:"grade_basis"`
	ResponsibleUnit *string         `json:"responsible_unit"`
	DueAt           *time.Time      `json:"due_at"`
	Plan            *dangerPlan     `json:"plan"`
}

func orZero[T any](v *T) T {
	var zero T
	if v == nil {
		return zero
	}
	return *v
}

// putDanger makes a report under the client's id, or with If-Match says anew what was
// found.
func (s *Server) putDanger(ctx context.Context, req *Request) (*Response, error) {
	if req.ifMatch != "" {
		return s.patchDanger(ctx, req)
	}
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b dangerBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	switch {
	case b.State != "" && b.State != string(dangers.Draft) && b.State != string(dangers.Reported):
		return nil, fault(req, "state", "bad_value", "新记录为 draft 或 reported", "a new record is draft or reported")
	case b.Level != nil || b.GradeBasis != nil || b.ResponsibleUnit != nil || b.DueAt != nil || b.Plan != nil:
		return nil, fault(req, "level", "not_yet", "级别、责任单位、期限和方案在定级时填写", "level, unit, deadline and plan come with the grade")
	}
	shape, err := place(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	d, created, err := s.opts.Dangers.Create(ctx, s.by(req), dangers.NewDanger{
		ID: strings.ToLower(id), Draft: b.State == string(dangers.Draft), Kind: orZero(b.Kind), Name: orZero(b.Name), Description: orZero(b.Description), Source: orZero(b.Source),
		InterimMeasure: orZero(b.InterimMeasure), FoundAt: orZero(b.FoundAt), FixedOnSpot: orZero(b.FixedOnSpot), Subject: orZero(b.Subject), Area: b.Area, Geometry: shape, Evidence: b.Evidence,
	})
	if err != nil {
		return nil, err
	}
	resp, err := s.dangerResponse(ctx, req, d)
	if err == nil && created {
		resp.Status = 201
		resp.Set("Location", "/api/dangers/"+d.ID)
	}
	return resp, err
}

func (s *Server) patchDanger(ctx context.Context, req *Request) (*Response, error) {
	d, version, err := s.changingDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	var b dangerBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.State != "" && b.State != string(d.State) {
		return nil, fault(req, "state", "use_transitions", "状态由流转改变", "the state changes by transitions")
	}
	if b.Area != "" || b.Evidence != nil {
		return nil, fault(req, "area", "not_changed", "区域和照片不在此修改", "area and pictures are not changed here")
	}
	shape, err := place(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	p := dangers.Patch{
		Name: b.Name, Kind: b.Kind, Description: b.Description, Source: b.Source, Subject: b.Subject, FoundAt: b.FoundAt, FixedOnSpot: b.FixedOnSpot, Geometry: shape,
		InterimMeasure: b.InterimMeasure, Level: b.Level, GradeBasis: b.GradeBasis, ResponsibleUnit: b.ResponsibleUnit, DueAt: b.DueAt,
	}
	if b.Plan != nil {
		plan := dangers.Plan(*b.Plan)
		p.Plan = &plan
	}
	if d, err = s.opts.Dangers.Update(ctx, s.by(req), d.ID, version, p); err != nil {
		return nil, err
	}
	return s.dangerResponse(ctx, req, d)
}

func (s *Server) deleteDanger(ctx context.Context, req *Request) (*Response, error) {
	d, version, err := s.changingDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Dangers.Remove(ctx, s.by(req), d.ID, version); err != nil {
		return nil, err
	}
	return noContent(), nil
}

type dangerStepBody struct {
	To              string      `json:"to"`
	Note            string      `json:"note"`
	Level           int         `json:"level"`
	GradeBasis      string      `json:"grade_basis"`
	ResponsibleUnit string      `json:"responsible_unit"`
	InterimMeasure  string      `json:"interim_measure"`
	DueAt           *time.Time  `json:"due_at"`
	Rectifier       string      `json:"rectifier"`
	Plan            *dangerPlan `json:"plan"`
	Evidence        []string    `json:"evidence"`
	Listed          *bool       `json:"listed"`
}

func (s *Server) postDangerTransition(ctx context.Context, req *Request) (*Response, error) {
	d, version, err := s.changingDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	var b dangerStepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if !slices.Contains(dangers.States(), dangers.State(b.To)) {
		return nil, fault(req, "to", "unknown", "没有此状态", "there is no such state")
	}
	t := dangers.Transition{
		To: dangers.State(b.To), Note: b.Note, Level: b.Level, GradeBasis: b.GradeBasis, ResponsibleUnit: b.ResponsibleUnit, InterimMeasure: b.InterimMeasure, DueAt: b.DueAt,
		Rectifier: b.Rectifier, Evidence: b.Evidence, Unlisted: b.Listed != nil && !*b.Listed,
	}
	if b.Plan != nil {
		p := dangers.Plan(*b.Plan)
		t.Plan = &p
	}
	if d, err = s.opts.Dangers.Transition(ctx, s.by(req), d.ID, version, t); err != nil {
		return nil, err
	}
	return s.dangerResponse(ctx, req, d)
}

type reopenBody struct {
	ID   string `json:"id"`
	Note string `json:"note"`
}

func (s *Server) postDangerReopen(ctx context.Context, req *Request) (*Response, error) {
	d, err := s.seenDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	var b reopenBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n, err := s.opts.Dangers.Reopen(ctx, s.by(req), d.ID, strings.ToLower(b.ID), b.Note)
	if err != nil {
		return nil, err
	}
	resp, err := s.dangerResponse(ctx, req, n)
	if err == nil {
		resp.Status = 201
		resp.Set("Location", "/api/dangers/"+n.ID)
	}
	return resp, err
}

type listingBody struct {
	Listed bool   `json:"listed"`
	Note   string `json:"note"`
}

func (s *Server) postDangerListing(ctx context.Context, req *Request) (*Response, error) {
	d, version, err := s.changingDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	var b listingBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if d, err = s.opts.Dangers.List(ctx, s.by(req), d.ID, version, b.Listed, b.Note); err != nil {
		return nil, err
	}
	return s.dangerResponse(ctx, req, d)
}

type extensionBody struct {
	ID     string    `json:"id"`
	DueAt  time.Time `json:"due_at"`
	Reason string    `json:"reason"`
}

func (s *Server) postDangerExtension(ctx context.Context, req *Request) (*Response, error) {
	d, err := s.seenDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	var b extensionBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if d, err = s.opts.Dangers.Extend(ctx, s.by(req), d.ID, strings.ToLower(b.ID), b.DueAt, b.Reason); err != nil {
		return nil, err
	}
	resp, err := s.dangerResponse(ctx, req, d)
	if err == nil {
		resp.Status = 201
	}
	return resp, err
}

type extensionDecision struct {
	Approve *bool  `json:"approve"`
	Note    string `json:"note"`
}

func (s *Server) postDangerExtensionDecision(ctx context.Context, req *Request) (*Response, error) {
	d, err := s.seenDanger(ctx, req)
	if err != nil {
		return nil, err
	}
	ext := req.Param(1)
	if !uuidText(ext) {
		return nil, problem(CodeNotFound)
	}
	var b extensionDecision
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.Approve == nil {
		return nil, fault(req, "approve", "required", "请说明是否同意", "say whether it is approved")
	}
	if d, err = s.opts.Dangers.DecideExtension(ctx, s.by(req), d.ID, strings.ToLower(ext), *b.Approve, b.Note); err != nil {
		return nil, err
	}
	return s.dangerResponse(ctx, req, d)
}

type dangerFigures struct {
	Group       string   `json:"group"`
	Title       string   `json:"title"`
	Total       int      `json:"total"`
	Open        int      `json:"open"`
	Overdue     int      `json:"overdue"`
	Closed      int      `json:"closed"`
	InTime      int      `json:"closed_in_time"`
	Serious     int      `json:"serious"`
	SeriousOpen int      `json:"serious_open"`
	Listed      int      `json:"listed"`
	ClosureRate *float64 `json:"closure_rate"`
	InTimeRate  *float64 `json:"in_time_rate"`
	OverdueRate *float64 `json:"overdue_rate"`
}

func figures(f dangers.Figures, title string) dangerFigures {
	return dangerFigures{f.Group, title, f.Total, f.Open, f.Overdue, f.Closed, f.InTime, f.Serious, f.SeriousOpen, f.Listed, f.ClosureRate, f.InTimeRate, f.OverdueRate}
}

// day reads a date at the office as the moment it begins.
func (s *Server) dayParameter(req *Request, name string) (*time.Time, error) {
	v, given := req.Query.Get(name)
	if !given {
		return nil, nil //nolint:nilnil // not asked
	}
	t, err := time.ParseInLocation(time.DateOnly, v, s.opts.Catalogue.Now().Location())
	if err != nil || t.Year() < 1950 || t.Year() > 2200 {
		return nil, invalid(name, "应为 YYYY-MM-DD", "it is YYYY-MM-DD")
	}
	return &t, nil
}

// getDangerSummary answers counts and rates; to is the last day that counts.
func (s *Server) getDangerSummary(ctx context.Context, req *Request) (*Response, error) {
	q := dangers.SummaryQuery{By: or(req.Query.Value("by"), "unit"), Area: req.Query.Value("area")}
	if !slices.Contains([]string{"unit", "kind", "level", "area"}, q.By) {
		return nil, invalid("by", "应为 unit、kind、level 或 area", "it is unit, kind, level or area")
	}
	var err error
	if q.From, err = s.dayParameter(req, "from"); err != nil {
		return nil, err
	}
	if q.To, err = s.dayParameter(req, "to"); err != nil {
		return nil, err
	}
	if q.To != nil {
		next := q.To.AddDate(0, 0, 1)
		q.To = &next
	}
	sum, err := s.opts.Dangers.Summary(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	snap, areas := s.opts.Catalogue.Now(), s.areaTitles(ctx, req)
	title := func(g string) string {
		switch {
		case g == "":
			return text("未定", "Not set").In(req.Lang)
		case q.By == "kind":
			return codeTitle(snap, "danger_kind", g, req.Lang)
		case q.By == "level":
			return codeTitle(snap, "danger_2", g, req.Lang)
		case q.By == "area":
			if t := areas.of(g); t != nil {
				return *t
			}
		}
		return g
	}
	groups := make([]dangerFigures, 0, len(sum.Groups))
	for _, g := range sum.Groups {
		groups = append(groups, figures(g, title(g.Group)))
	}
	states := map[string]int{}
	for _, st := range dangers.States() {
		states[string(st)] = sum.States[st]
	}
	days := map[string]int{}
	for level, n := range sum.Rules.Days {
		days[strconv.Itoa(level)] = n
	}
	return private(map[string]any{
		"by": q.By, "whole": figures(sum.Whole, ""), "groups": groups, "states": states, "as_of": req.Received.UTC(),
		"rules": map[string]any{"rule": "danger_deadlines", "version": sum.Rules.Version, "verified": sum.Rules.Verified, "standard": sum.Rules.Standard, "days": days, "remind_days": sum.Rules.Remind, "second_review": sum.Rules.Second, "extension_max_days": sum.Rules.MaxDays, "extension_times": sum.Rules.Times},
	})
}

type reminderLine struct {
	dangerAnswer

	Reason string `json:"reason"`
	Days   *int   `json:"days"`
	For    string `json:"for"`
	Yours  bool   `json:"yours"`
}

type reminderUnit struct {
	Unit    string `json:"unit"`
	Overdue int    `json:"overdue"`
	DueSoon int    `json:"due_soon"`
}

func (s *Server) getDangerReminders(ctx context.Context, req *Request) (*Response, error) {
	days := 0
	if _, given := req.Query.Get("days"); given {
		n, err := wholeNumber(req.Query, "days", 1, 365)
		if err != nil {
			return nil, err
		}
		days = n
	}
	list, days, err := s.opts.Dangers.Reminders(ctx, req.Who, days, req.Query.Value("unit"))
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]reminderLine, 0, len(list))
	units := []reminderUnit{}
	at := map[string]int{}
	mine := 0
	for _, r := range list {
		l := reminderLine{dangerAnswer: s.dangerLine(req, r.Danger, areas), Reason: r.Reason, For: r.For, Yours: r.Mine}
		if r.DueAt != nil {
			n := r.Days
			l.Days = &n
		}
		if r.Mine {
			mine++
		}
		out = append(out, l)
		if r.Reason == dangers.RemindStep {
			continue
		}
		i, known := at[r.ResponsibleUnit]
		if !known {
			i, at[r.ResponsibleUnit] = len(units), len(units)
			units = append(units, reminderUnit{Unit: r.ResponsibleUnit})
		}
		if r.Reason == dangers.RemindOverdue {
			units[i].Overdue++
		} else {
			units[i].DueSoon++
		}
	}
	return private(map[string]any{"days": days, "reminders": out, "units": units, "yours": mine})
}

// dangerRoutes are hidden dangers and the measures against them.
func (s *Server) dangerRoutes() []*Route {
	var t fieldTable
	const p, m = "/api/dangers/{id}", "/api/measures/{id}"
	handle := func(r *Route) *Route { return t.may(r, auth.HandleDangers) }
	return []*Route{
		t.route("GET", "/api/dangers", "dangers", s.getDangers, AccessSignedIn, "state", "level", "overdue", "listed", "mine", "unit", "area", "kind", "q", "bbox", "limit", "cursor"),
		t.route("GET", "/api/dangers/summary", "danger_summary", s.getDangerSummary, AccessSignedIn, "by", "area", "from", "to"),
		t.route("GET", "/api/dangers/reminders", "danger_reminders", s.getDangerReminders, AccessPerson, "days", "unit"),
		t.route("GET", p, "danger", s.getDanger, AccessSignedIn),
		t.may(t.json(0, t.route("PUT", p, "danger_put", s.putDanger, "")), auth.ReportDangers, auth.HandleDangers),
		t.may(t.json(0, t.route("PATCH", p, "danger_update", s.patchDanger, "")), auth.ReportDangers, auth.HandleDangers, auth.RectifyDangers),
		t.may(t.route("DELETE", p, "danger_remove", s.deleteDanger, ""), auth.ReportDangers),
		t.may(t.json(0, t.route("POST", p+"/transitions", "danger_transition", s.postDangerTransition, "")), auth.ReportDangers, auth.HandleDangers, auth.RectifyDangers, auth.ApproveDangers),
		t.route("GET", p+"/actions", "danger_actions", s.getDangerActions, AccessSignedIn),
		handle(t.json(0, t.route("POST", p+"/reopen", "danger_reopen", s.postDangerReopen, ""))),
		t.may(t.json(0, t.route("POST", p+"/listing", "danger_listing", s.postDangerListing, "")), auth.ApproveDangers),
		t.may(t.json(0, t.route("POST", p+"/extensions", "danger_extension", s.postDangerExtension, "")), auth.HandleDangers, auth.RectifyDangers),
		t.may(t.json(0, t.route("POST", p+"/extensions/{extension}/decision", "danger_extension_decision", s.postDangerExtensionDecision, "")), auth.ApproveDangers, auth.HandleDangers),
		t.route("GET", p+"/card.pdf", "danger_card", s.getDangerCard, AccessPerson, "size"),
		t.route("GET", "/api/hazards/{id}/card.pdf", "hazard_card", s.getHazardCard, AccessPerson, "size"),

		t.route("GET", "/api/measures", "measures", s.getMeasures, AccessSignedIn, "state", "kind", "unit", "area", "danger", "q", "limit", "cursor"),
		handle(t.json(0, t.route("POST", "/api/measures", "measure_create", s.postMeasure, ""))),
		t.route("GET", m, "measure", s.getMeasure, AccessSignedIn),
		handle(t.json(0, t.route("PATCH", m, "measure_update", s.patchMeasure, ""))),
		handle(t.route("PUT", m+"/dangers/{danger}", "measure_link", s.putMeasureLink, "")),
		handle(t.route("DELETE", m+"/dangers/{danger}", "measure_unlink", s.deleteMeasureLink, "")),
		t.route("GET", "/api/ledgers/dangers.xlsx", "ledger_dangers", s.getDangerLedger, AccessPerson, "state", "level", "overdue", "listed", "mine", "unit", "area", "kind", "q", "bbox"),
		t.route("GET", "/api/ledgers/measures.xlsx", "ledger_measures", s.getMeasureLedger, AccessPerson, "state", "kind", "unit", "area", "danger", "q"),
	}
}
