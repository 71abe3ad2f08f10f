package api

import (
	"context"
	"errors"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/restricted"
)

type contactAnswer struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"`
	Area       *string           `json:"area"`
	AreaTitle  *string           `json:"area_title"`
	Layer      *string           `json:"layer"`
	Feature    *string           `json:"feature"`
	Role       *string           `json:"role"`
	Unit       *string           `json:"unit"`
	Post       *string           `json:"post"`
	Person     *string           `json:"person"`
	DeputyPost *string           `json:"deputy_post"`
	Deputy     *string           `json:"deputy"`
	From       *time.Time        `json:"from"`
	To         *time.Time        `json:"to"`
	Fields     map[string]string `json:"fields"`
}

// getContacts shows who answers for an area or a feature, with masked numbers.
func (s *Server) getContacts(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	limit = min(limit, 500)
	list, err := s.opts.Contacts.List(ctx, req.Who.Reading(), restricted.Filter{
		Area: req.Query.Value("area"), Layer: req.Query.Value("layer"), Feature: req.Query.Value("id"), Limit: limit, After: cursor, Doer: s.by(req).Doer(auth.Grant{}),
	})
	if errors.Is(err, restricted.ErrInvalid) {
		return nil, invalid("area", "应为行政区划代码，或图层与要素编号", "it is an administrative code, or a layer with the id of a feature")
	}
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]contactAnswer, 0, len(list))
	for _, c := range list {
		a := contactAnswer{
			ID: c.ID, Kind: c.Kind, Area: optional(c.Area), AreaTitle: areas.of(c.Area), Layer: optional(c.Layer), Feature: optional(c.Feature),
			Role: optional(c.Role), Unit: optional(c.Unit), Post: optional(c.Post), Person: optional(c.Person), DeputyPost: optional(c.DeputyPost), Deputy: optional(c.Deputy),
			From: timeOrNil(c.From), To: timeOrNil(c.To), Fields: c.Fields,
		}
		if a.Fields == nil {
			a.Fields = map[string]string{}
		}
		out = append(out, a)
	}
	next := ""
	if len(list) == limit {
		next = list[limit-1].ID
	}
	return private(map[string]any{"contacts": out, "next": optional(next)})
}

// revealing are the claims of a look at one number: it must lie inside what the grant
// reads, so that a grid worker reaches the people of his township and nobody above.
// Nothing is written in this area but the entry of the audit.
func revealing(who *auth.Identity, g auth.Grant) db.Claims {
	c := who.Writing(g)
	c.Write = geo.Scopes{g.ReadScope()}
	return c
}

// postReveal shows the numbers of one contact. Each grant that lets the asker reveal
// is tried: which area the contact lies in is not known before.
func (s *Server) postReveal(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b reasonBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	for _, g := range req.Who.Grants {
		if !g.Valid(req.Received) || !g.Role.May(auth.Reveal) {
			continue
		}
		fields, err := s.opts.Contacts.Reveal(ctx, revealing(req.Who, g), s.by(req).Doer(g), id, b.Reason)
		switch {
		case errors.Is(err, restricted.ErrNotFound):
			continue
		case errors.Is(err, restricted.ErrReason):
			return nil, fault(req, "reason", "length", "请写明理由(至少 4 字)", "say why, in at least 4 characters")
		case err != nil:
			return nil, err
		}
		return private(fields)
	}
	return nil, problem(CodeNotFound)
}
