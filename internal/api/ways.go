package api

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"onemap/census/field"
	"onemap/internal/geo"
	"onemap/internal/restricted"
)

type routeAnswer struct {
	ID          string          `json:"id"`
	ETag        int64           `json:"etag"`
	Title       string          `json:"title"`
	Area        string          `json:"area"`
	AreaTitle   *string         `json:"area_title"`
	State       string          `json:"state"`
	Shelter     *string         `json:"shelter"`
	ShelterName string          `json:"shelter_name"`
	Assembly    *string         `json:"assembly"`
	Persons     *int            `json:"persons"`
	Note        *string         `json:"note"`
	ProposedBy  *string         `json:"proposed_by"`
	ProposedAt  time.Time       `json:"proposed_at"`
	ApprovedBy  *string         `json:"approved_by"`
	ApprovedAt  *string         `json:"approved_at"`
	WithdrawnBy *string         `json:"withdrawn_by"`
	WithdrawnAt *time.Time      `json:"withdrawn_at"`
	Reason      *string         `json:"reason"`
	ValidFrom   *string         `json:"valid_from"`
	ValidTo     *string         `json:"valid_to"`
	Mine        bool            `json:"mine"` // the asker drew it, so another approves it
	Geometry    json.RawMessage `json:"geometry"`
}

func routeLine(r field.Route, req *Request, areas *areaTitles) routeAnswer {
	return routeAnswer{
		ID: r.ID, ETag: r.Version, Title: r.Title, Area: r.Area, AreaTitle: areas.of(r.Area), State: r.State, Shelter: optional(r.Shelter), ShelterName: r.ShelterName, Assembly: optional(r.Assembly), Persons: r.Persons, Note: optional(r.Note),
		ProposedBy: optional(r.ProposedBy), ProposedAt: r.ProposedAt, ApprovedBy: optional(r.ApprovedBy), ApprovedAt: day(r.ApprovedAt), WithdrawnBy: optional(r.WithdrawnBy), WithdrawnAt: r.WithdrawnAt, Reason: optional(r.Reason),
		ValidFrom: day(r.ValidFrom), ValidTo: day(r.ValidTo), Mine: r.Account != "" && r.Account == req.Who.Account, Geometry: geometryJSON(r.Geometry),
	}
}

// getRoutes are the approved ways out, as they were drawn; with a state, what is proposed
// or was withdrawn, for those who draw and approve them.
func (s *Server) getRoutes(ctx context.Context, req *Request) (*Response, error) {
	state := req.Query.Value("state")
	switch state {
	case "", field.WayProposed, field.WayApproved, field.WayWithdrawn:
	default:
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	routes, err := s.opts.Work.Routes(ctx, req.Who, req.Query.Value("area"), state)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]routeAnswer, 0, len(routes))
	for _, r := range routes {
		out = append(out, routeLine(r, req, areas))
	}
	return private(map[string]any{"routes": out})
}

type newRouteBody struct {
	Title       string          `json:"title"`
	Area        string          `json:"area"`
	Shelter     string          `json:"shelter"`
	ShelterName string          `json:"shelter_name"`
	Assembly    string          `json:"assembly"`
	Persons     *int            `json:"persons"`
	Note        string          `json:"note"`
	ValidFrom   *string         `json:"valid_from"`
	ValidTo     *string         `json:"valid_to"`
	Geometry    json.RawMessage `json:"geometry"`
}

func (s *Server) postRoute(ctx context.Context, req *Request) (*Response, error) {
	var b newRouteBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := field.NewRoute{Title: b.Title, Area: b.Area, Shelter: strings.ToLower(b.Shelter), ShelterName: b.ShelterName, Assembly: b.Assembly, Persons: b.Persons, Note: b.Note}
	for name, d := range map[string]struct {
		text *string
		to   **time.Time
	}{"valid_from": {b.ValidFrom, &n.ValidFrom}, "valid_to": {b.ValidTo, &n.ValidTo}} {
		if d.text == nil {
			continue
		}
		at, err := time.Parse(time.DateOnly, *d.text)
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			return nil, fault(req, name, "bad_date", "应为日期 (年-月-日)", "it is a date (year-month-day)")
		}
		*d.to = &at
	}
	g, err := geo.ParseGeoJSON(b.Geometry, geo.EditLimits())
	if err != nil {
		return nil, fault(req, "geometry", "bad_geometry", "应为 GeoJSON 线", "it is a line in GeoJSON")
	}
	n.Geometry = g
	r, err := s.opts.Work.Propose(ctx, s.by(req), n)
	if err != nil {
		return nil, err
	}
	resp, err := s.routeResponse(ctx, req, r)
	if err == nil {
		resp.Status = 201
	}
	return resp, err
}

func (s *Server) routeResponse(ctx context.Context, req *Request, r field.Route) (*Response, error) {
	resp, err := versioned(routeLine(r, req, s.areaTitles(ctx, req)), r.Version)
	if err == nil {
		resp.Set("Onemap-Seq", r.FeedPosition)
	}
	return resp, err
}

// postRouteStep approves or withdraws: what is drawn is not edited.
func (s *Server) postRouteStep(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := s.opts.Work.Way(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b stepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	r, err := s.opts.Work.StepRoute(ctx, s.by(req), strings.ToLower(id), version, b.To, b.Note)
	if err != nil {
		return nil, err
	}
	return s.routeResponse(ctx, req, r)
}

// limitHouseholds holds the households of a county.
const limitHouseholds = 2 << 20

type householdsBody struct {
	Reason     string          `json:"reason"`
	Households []householdBody `json:"households"`
}

type householdBody struct {
	Area     string `json:"area"` // the grid; left out: the one of the list
	Head     string `json:"head"`
	Address  string `json:"address"`
	Persons  int    `json:"persons"`
	Elderly  int    `json:"elderly"`
	Children int    `json:"children"`
	Disabled int    `json:"disabled"`
	Phone    string `json:"phone"`
	Move     string `json:"move"`
}

// putHouseholds replaces the list of the households of an area that must move. It answers
// how many there are and nothing of them.
func (s *Server) putHouseholds(ctx context.Context, req *Request) (*Response, error) {
	var b householdsBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	list := make([]restricted.Household, 0, len(b.Households))
	for _, h := range b.Households {
		list = append(list, restricted.Household{Area: h.Area, Head: h.Head, Address: h.Address, Persons: h.Persons, Elderly: h.Elderly, Children: h.Children, Disabled: h.Disabled, Phone: h.Phone, Move: h.Move})
	}
	replaced, err := s.opts.Work.SetHouseholds(ctx, s.by(req), req.Param(0), b.Reason, list)
	if err != nil {
		return nil, err
	}
	return private(map[string]any{"area": req.Param(0), "households": len(list), "replaced": replaced})
}
