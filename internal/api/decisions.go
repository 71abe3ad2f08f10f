package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"onemap/internal/catalogue"
	"onemap/internal/decision"
)

type consultedAnswer struct {
	Name      string   `json:"name"`
	Post      string   `json:"post"`
	Confirmed bool     `json:"confirmed"`
	OnDuty    []string `json:"on_duty"`
}

type decisionAnswer struct {
	ID           string           `json:"id"`
	Version      int64            `json:"version"`
	Action       string           `json:"action"`
	ActionTitle  string           `json:"action_title"`
	Emergency    bool             `json:"emergency"`
	Object       *string          `json:"object"`
	Area         *string          `json:"area"`
	AreaTitle    *string          `json:"area_title"`
	State        string           `json:"state"`
	Text         *string          `json:"text"`
	Reason       *string          `json:"reason"`
	Detail       json.RawMessage  `json:"detail"`
	ProposedBy   string           `json:"proposed_by"` // account
	ProposedName string           `json:"proposed_name"`
	ProposedRole *string          `json:"proposed_role"`
	ProposedAt   time.Time        `json:"proposed_at"`
	DecidedBy    *string          `json:"decided_by"`
	DecidedName  *string          `json:"decided_name"`
	DecidedAt    *time.Time       `json:"decided_at"`
	Note         *string          `json:"note"`
	Overdue      bool             `json:"overdue"`
	Consulted    *consultedAnswer `json:"consulted"`
	Mine         bool             `json:"mine"`
}

func decisionLine(d decision.Decision, req *Request, areas *areaTitles) decisionAnswer {
	action, _ := decision.Find(d.Action)
	a := decisionAnswer{
		ID: d.ID, Version: d.Version, Action: d.Action, ActionTitle: action.Title.In(req.Lang), Emergency: action.Emergency, Object: optional(d.Object),
		Area: optional(d.Area), AreaTitle: areas.of(d.Area), State: string(d.State), Text: optional(d.Text), Reason: optional(d.Reason), Detail: raw(d.Detail, "{}"),
		ProposedBy: d.MadeBy, ProposedName: d.MadeName, ProposedRole: optional(d.Role), ProposedAt: d.MadeAt,
		DecidedBy: optional(d.DecidedBy), DecidedName: optional(d.DecidedName), DecidedAt: timeOrNil(d.DecidedAt), Note: optional(d.Note),
		Overdue: d.Overdue, Mine: d.MadeBy != "" && d.MadeBy == req.Who.Account,
	}
	if c := d.Consulted; c != nil {
		a.Consulted = &consultedAnswer{c.Name, c.Post, c.Confirmed, append([]string{}, c.OnDuty...)}
	}
	return a
}

func (s *Server) getDecisions(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	state := decision.State(req.Query.Value("state"))
	if state != "" && !state.Known() {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	page, err := s.opts.Decisions.List(ctx, req.Who.Reading(), decision.Query{State: state, Action: req.Query.Value("action"), Limit: limit, Cursor: cursor})
	if errors.Is(err, decision.ErrCursor) {
		return nil, invalid("cursor", "不是此查询的游标", "it is not a cursor of this query")
	}
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]decisionAnswer, 0, len(page.Decisions))
	for _, d := range page.Decisions {
		out = append(out, decisionLine(d, req, areas))
	}
	return private(map[string]any{"decisions": out, "next": optional(page.Next)})
}

type consultedBody struct {
	Name string `json:"name"`
	Post string `json:"post"`
}

type orderBody struct {
	Action    string        `json:"action"`
	Area      string        `json:"area"`
	Text      string        `json:"text"`
	Consulted consultedBody `json:"consulted"`
	Reason    string        `json:"reason"`
}

// postDecision sends an emergency order: at once, on one person's word.
func (s *Server) postDecision(ctx context.Context, req *Request) (*Response, error) {
	var b orderBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	d, err := s.opts.Decisions.Emergency(ctx, s.by(req), decision.Order{
		Action: b.Action, Area: b.Area, Text: b.Text, Reason: b.Reason, Consulted: decision.Consulted{Name: b.Consulted.Name, Post: b.Consulted.Post},
	})
	if err != nil {
		return nil, err
	}
	resp, err := created(decisionLine(d, req, s.areaTitles(ctx, req)))
	if err == nil {
		resp.ETag = versionTag(d.Version)
	}
	return resp, err
}

type transitionBody struct {
	To   string `json:"to"`
	Note string `json:"note"`
}

func (s *Server) postTransition(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	// Whoever may not know of it learns nothing from what else is wrong.
	if _, err := s.opts.Decisions.Get(ctx, req.Who.Reading(), id); err != nil {
		return nil, err
	}
	var b transitionBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	d, err := s.opts.Decisions.Transition(ctx, s.by(req), id, version, decision.State(b.To), b.Note)
	if err != nil {
		return nil, err
	}
	return versioned(decisionLine(d, req, s.areaTitles(ctx, req)), d.Version)
}

// propose answers 202 with what another person has to decide now.
func (s *Server) propose(ctx context.Context, req *Request, p decision.Proposal) (*Response, error) {
	d, err := s.opts.Decisions.Propose(ctx, s.by(req), p)
	if err != nil {
		return nil, err
	}
	resp, err := private(map[string]any{"decision": decisionLine(d, req, s.areaTitles(ctx, req))})
	if err == nil {
		resp.Status = 202
	}
	return resp, err
}

// patchLayer changes titles and what is shown at first, raises the protection at
// once, and proposes lowering it to a second person.
func (s *Server) patchLayer(ctx context.Context, req *Request) (*Response, error) {
	var b layerPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		if _, err := s.opts.Editor.Layer(ctx, req.Who.Reading(), req.Param(0)); err != nil {
			return nil, err
		}
		return nil, bad
	}
	l, err := s.opts.Editor.UpdateLayer(ctx, s.by(req), req.Param(0), version, catalogue.LayerPatch{
		TitleZH: b.Title, TitleEN: b.TitleEN, DefaultVisible: b.DefaultVisible, Visibility: b.Visibility, Reason: b.Reason,
	})
	if errors.Is(err, catalogue.ErrNeedsDecision) {
		if b.Title != nil || b.TitleEN != nil || b.DefaultVisible != nil {
			return nil, fault(req, "visibility", "alone", "降低保护级别须单独提出", "lowering the protection is proposed alone")
		}
		return s.propose(ctx, req, decision.Proposal{
			Action: decision.Declassify, Object: "layers/" + req.Param(0), Reason: b.Reason, Detail: map[string]string{"visibility": *b.Visibility},
		})
	}
	if err != nil {
		return nil, err
	}
	return versioned(layerRow(l), l.Version)
}
