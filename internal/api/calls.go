package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"onemap/incidents/evacuation"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Evacuation is 叫应 and 转移.
type Evacuation interface {
	Open(ctx context.Context, by auth.By, n evacuation.New) (evacuation.Callout, bool, error)
	End(ctx context.Context, by auth.By, id string, version int64, reason, note string) (evacuation.Callout, error)
	EndCancelled(ctx context.Context) (int, error)
	Callouts(ctx context.Context, who *auth.Identity, f evacuation.Filter) ([]evacuation.Callout, string, error)
	Callout(ctx context.Context, who *auth.Identity, id string) (evacuation.Callout, error)
	Changes(ctx context.Context, who *auth.Identity, id string) (evacuation.Changes, error)
	Change(ctx context.Context, by auth.By, id string, ch evacuation.Change) (evacuation.Callout, error)
	Targets(ctx context.Context, who *auth.Identity, callout string, f evacuation.TargetFilter) ([]evacuation.Target, error)
	Ring(ctx context.Context, by auth.By, m evacuation.Made) (evacuation.Rung, error)
	Board(ctx context.Context, who *auth.Identity, f evacuation.Filter) (evacuation.Board, error)
	Entries(ctx context.Context, who *auth.Identity, callout, village string) ([]evacuation.Entry, error)
	Report(ctx context.Context, by auth.By, e evacuation.Entry) (evacuation.Village, evacuation.Entry, error)
	CalloutsIn(ctx context.Context, areas geo.Scopes, ids []string) ([]evacuation.Callout, error)
	TargetsIn(ctx context.Context, areas geo.Scopes, ids []string) ([]evacuation.Target, error)
	CallsIn(ctx context.Context, areas geo.Scopes, ids []string) ([]evacuation.Call, error)
	EntriesIn(ctx context.Context, areas geo.Scopes, ids []string) ([]evacuation.Entry, error)
}

type calloutAnswer struct {
	ID          string          `json:"id"`
	ETag        int64           `json:"etag"`
	Kind        string          `json:"kind"`
	Title       string          `json:"title"`
	Reason      string          `json:"reason"`
	Alert       *string         `json:"alert"`
	Incident    *string         `json:"incident"`
	AreaCodes   []string        `json:"area_codes"`
	Area        *string         `json:"area"`
	AreaTitle   *string         `json:"area_title"`
	Level       *int            `json:"level"`
	Exercise    bool            `json:"exercise"`
	State       string          `json:"state"`
	Decision    *string         `json:"decision"`
	Consulted   *string         `json:"consulted"`
	Countersign string          `json:"countersign"`
	StartedAt   time.Time       `json:"started_at"`
	EndedAt     *time.Time      `json:"ended_at"`
	EndedBy     *string         `json:"ended_by"`
	EndReason   *string         `json:"end_reason"`
	EndNote     *string         `json:"end_note"`
	By          whoAnswer       `json:"by"`
	Villages    int             `json:"villages"`
	Targets     int             `json:"targets"`
	Reached     int             `json:"reached"`
	AllClear    int             `json:"all_clear"`
	Geometry    json.RawMessage `json:"geometry"`
	UpdatedAt   time.Time       `json:"updated_at"`
}

func calloutLine(c evacuation.Callout, areas *areaTitles) calloutAnswer {
	return calloutAnswer{
		ID: c.ID, ETag: c.Version, Kind: c.Kind, Title: c.Title, Reason: c.Reason, Alert: optional(c.Alert), Incident: optional(c.Incident), AreaCodes: filled(c.Areas),
		Area: optional(codeOf(c.Scope)), AreaTitle: areas.of(codeOf(c.Scope)), Level: c.Level, Exercise: c.Exercise, State: c.State, Decision: optional(c.Decision), Consulted: optional(c.Consulted), Countersign: c.Countersign,
		StartedAt: c.StartedAt, EndedAt: c.EndedAt, EndedBy: optional(c.EndedBy), EndReason: optional(c.EndReason), EndNote: optional(c.EndNote), By: whoAnswer{optional(c.Account), c.Name},
		Villages: c.Villages, Targets: c.Targets, Reached: c.Reached, AllClear: c.AllClear, Geometry: geometryJSON(c.Geometry), UpdatedAt: c.UpdatedAt,
	}
}

// calloutFigures is what a screen on the wall is told of a call-out.
type calloutFigures struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind"`
	Level       *int       `json:"level"`
	Exercise    bool       `json:"exercise"`
	State       string     `json:"state"`
	Countersign string     `json:"countersign"`
	StartedAt   time.Time  `json:"started_at"`
	EndedAt     *time.Time `json:"ended_at"`
	Villages    int        `json:"villages"`
	Targets     int        `json:"targets"`
	Reached     int        `json:"reached"`
	AllClear    int        `json:"all_clear"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

func calloutCount(c evacuation.Callout) calloutFigures {
	return calloutFigures{c.ID, c.Kind, c.Level, c.Exercise, c.State, c.Countersign, c.StartedAt, c.EndedAt, c.Villages, c.Targets, c.Reached, c.AllClear, c.UpdatedAt}
}

// calloutLines are call-outs as the asker's screen may show them.
func (s *Server) calloutLines(ctx context.Context, req *Request, list []evacuation.Callout) any {
	if req.Who.Kind == auth.Wall {
		out := make([]calloutFigures, 0, len(list))
		for _, c := range list {
			out = append(out, calloutCount(c))
		}
		return out
	}
	areas := s.areaTitles(ctx, req)
	out := make([]calloutAnswer, 0, len(list))
	for _, c := range list {
		out = append(out, calloutLine(c, areas))
	}
	return out
}

type callAnswer struct {
	ID         string    `json:"id"`
	Target     string    `json:"target"`
	Outcome    string    `json:"outcome"`
	Channel    string    `json:"channel"`
	At         time.Time `json:"at"`
	ReceivedAt time.Time `json:"received_at"`
	Note       *string   `json:"note"`
	By         whoAnswer `json:"by"`
}

func callLine(c evacuation.Call) callAnswer {
	return callAnswer{c.ID, c.Target, c.Outcome, c.Channel, c.At, c.ReceivedAt, optional(c.Note), whoAnswer{optional(c.Account), c.Name}}
}

type deputyAnswer struct {
	Name        string  `json:"name"`
	Post        *string `json:"post"`
	Contact     *string `json:"contact"`
	PhoneMasked *string `json:"phone_masked"`
}

type targetAnswer struct {
	ID          string        `json:"id"`
	Callout     string        `json:"callout"`
	Village     string        `json:"village"`
	VillageName string        `json:"village_name"`
	Phase       string        `json:"phase"`
	Level       *int          `json:"level"`
	Order       int           `json:"order"`
	Role        string        `json:"role"`
	Name        string        `json:"name"`
	Post        string        `json:"post"`
	Contact     *string       `json:"contact"`
	PhoneMasked *string       `json:"phone_masked"`
	Grid        *string       `json:"grid"`
	Household   *string       `json:"household"`
	Persons     *int          `json:"persons"`
	Elderly     *int          `json:"elderly"`
	Deputy      *deputyAnswer `json:"deputy"`
	Escalation  int           `json:"escalation"`
	Parent      *string       `json:"parent"`
	Root        string        `json:"root"`
	State       string        `json:"state"`
	OpenedAt    time.Time     `json:"opened_at"`
	DueAt       time.Time     `json:"due_at"`
	Late        bool          `json:"late"`
	AnsweredAt  *time.Time    `json:"answered_at"`
	PassedOnAt  *time.Time    `json:"passed_on_at"`
	Calls       []callAnswer  `json:"calls"`
}

func targetLine(t evacuation.Target, now time.Time) targetAnswer {
	a := targetAnswer{
		ID: t.ID, Callout: t.Callout, Village: t.Village, VillageName: t.VillageName, Phase: t.Phase, Level: t.Level, Order: t.Place, Role: t.Role, Name: t.Name, Post: t.Post,
		Contact: optional(t.Contact), PhoneMasked: optional(t.Phone), Grid: optional(t.Grid), Household: optional(t.Household), Persons: t.Persons, Elderly: t.Elderly, Escalation: t.Escalation,
		Parent: optional(t.Parent), Root: t.Root, State: t.State, OpenedAt: t.OpenedAt, DueAt: t.DueAt, Late: t.Late(now), AnsweredAt: t.AnsweredAt, PassedOnAt: t.PassedOnAt, Calls: make([]callAnswer, 0, len(t.Calls)),
	}
	if t.Deputy != "" {
		a.Deputy = &deputyAnswer{t.Deputy, optional(t.DeputyPost), optional(t.DeputyContact), optional(t.DeputyPhone)}
	}
	for _, c := range t.Calls {
		a.Calls = append(a.Calls, callLine(c))
	}
	return a
}

// calloutFilter reads what the lists and the board have in common.
func calloutFilter(req *Request) (f evacuation.Filter, err error) {
	f.Alert, f.Incident, f.Exercise = strings.ToLower(req.Query.Value("alert")), strings.ToLower(req.Query.Value("incident")), req.Query.Value("exercise")
	for name, v := range map[string]string{"alert": f.Alert, "incident": f.Incident} {
		if v != "" && !uuidText(v) {
			return f, invalid(name, "应为编号（UUID）", "it is an id (a UUID)")
		}
	}
	if !slices.Contains([]string{"", "true", "false", "all"}, f.Exercise) {
		return f, invalid("exercise", "应为 true、false 或 all", "it is true, false or all")
	}
	return f, nil
}

func (s *Server) getCallouts(ctx context.Context, req *Request) (*Response, error) {
	f, err := calloutFilter(req)
	if err != nil {
		return nil, err
	}
	if f.Active, err = said(req.Query, "active"); err != nil {
		return nil, err
	}
	limit, _, err := paging(req)
	if err != nil {
		return nil, err
	}
	f.Limit = min(limit, 500)
	list, position, err := s.opts.Evacuation.Callouts(ctx, req.Who, f)
	if err != nil {
		return nil, err
	}
	return private(map[string]any{"callouts": s.calloutLines(ctx, req, list), "position": position})
}

func (s *Server) getCallout(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	c, err := s.opts.Evacuation.Callout(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return versioned(calloutLine(c, s.areaTitles(ctx, req)), c.Version)
}

type calloutBody struct {
	Kind      string          `json:"kind"`
	Title     string          `json:"title"`
	Reason    string          `json:"reason"`
	Alert     string          `json:"alert"`
	Incident  string          `json:"incident"`
	Geometry  json.RawMessage `json:"geometry"`
	Areas     []string        `json:"areas"`
	Exercise  bool            `json:"exercise"`
	Consulted *consultedBody  `json:"consulted"`
}

// putCallout calls people out. Who may not decide alone says whom he asked, and the order
// goes at once. The same id again is the same call-out.
func (s *Server) putCallout(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b calloutBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := evacuation.New{ID: strings.ToLower(id), Kind: b.Kind, Title: b.Title, Reason: b.Reason, Alert: strings.ToLower(b.Alert), Incident: strings.ToLower(b.Incident), Areas: b.Areas, Exercise: b.Exercise}
	if b.Consulted != nil {
		n.Consulted, n.Post = b.Consulted.Name, b.Consulted.Post
	}
	if len(b.Geometry) > 0 && string(b.Geometry) != "null" {
		g, err := geo.ParseGeoJSON(b.Geometry, geo.EditLimits())
		if err != nil {
			return nil, fault(req, "geometry", "bad_geometry", "应为 GeoJSON 图形（经度在前，环首尾相接）", "it is a shape in GeoJSON, longitude first, rings closed")
		}
		n.Geometry = g
	}
	c, made, err := s.opts.Evacuation.Open(ctx, s.by(req), n)
	if err != nil {
		return nil, err
	}
	resp, err := versioned(calloutLine(c, s.areaTitles(ctx, req)), c.Version)
	if err == nil && made {
		resp.Status = 201
		resp.Set("Location", "/api/callouts/"+c.ID)
	}
	return resp, err
}

type calloutEndBody struct {
	Reason string `json:"reason"`
	Note   string `json:"note"`
}

func (s *Server) postCalloutEnd(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := s.opts.Evacuation.Callout(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b calloutEndBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	c, err := s.opts.Evacuation.End(ctx, s.by(req), strings.ToLower(id), version, b.Reason, b.Note)
	if err != nil {
		return nil, err
	}
	return versioned(calloutLine(c, s.areaTitles(ctx, req)), c.Version)
}

func (s *Server) getCallTargets(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	f := evacuation.TargetFilter{State: req.Query.Value("state"), Village: req.Query.Value("village"), Phase: req.Query.Value("phase")}
	if !slices.Contains([]string{"", "waiting", "answered", "repeated", "refused", "no_answer", "escalated", "closed"}, f.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if !slices.Contains([]string{"", "call", "all_clear"}, f.Phase) {
		return nil, invalid("phase", "应为 call 或 all_clear", "it is call or all_clear")
	}
	var err error
	if f.Open, err = said(req.Query, "open"); err != nil {
		return nil, err
	}
	list, err := s.opts.Evacuation.Targets(ctx, req.Who, strings.ToLower(id), f)
	if err != nil {
		return nil, err
	}
	out := make([]targetAnswer, 0, len(list))
	for _, t := range list {
		out = append(out, targetLine(t, req.Received))
	}
	return private(map[string]any{"targets": out})
}

type callBody struct {
	OpID    string     `json:"op_id"`
	Target  string     `json:"target"`
	Outcome string     `json:"outcome"`
	Channel string     `json:"channel"`
	Note    string     `json:"note"`
	At      *time.Time `json:"at"`
}

// postCall writes down a call. A call sent again is answered as the first time.
func (s *Server) postCall(ctx context.Context, req *Request) (*Response, error) {
	var b callBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	r, err := s.opts.Evacuation.Ring(ctx, s.by(req), evacuation.Made{OpID: strings.ToLower(or(b.OpID, records.NewID(req.Received))), Target: strings.ToLower(b.Target), Outcome: b.Outcome, Channel: b.Channel, Note: b.Note, At: timeOf(b.At)})
	if err != nil {
		return nil, err
	}
	a := struct {
		Call   callAnswer    `json:"call"`
		Target targetAnswer  `json:"target"`
		Opened *targetAnswer `json:"opened"` // the next in line, where nobody answered
	}{Call: callLine(r.Call), Target: targetLine(r.Target, req.Received)}
	if r.Opened != nil {
		o := targetLine(*r.Opened, req.Received)
		a.Opened = &o
	}
	resp, err := private(a)
	if err == nil {
		if !r.Repeated {
			resp.Status = 201
		}
		resp.Set("Onemap-Seq", r.FeedPosition)
	}
	return resp, err
}
