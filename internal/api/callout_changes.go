package api

import (
	"context"
	"strings"
	"time"

	"onemap/incidents/evacuation"
)

type namedVillage struct {
	Code  string     `json:"code"`
	Name  string     `json:"name"`
	Whole bool       `json:"whole"`
	At    *time.Time `json:"at,omitempty"`
	By    *string    `json:"by,omitempty"`
}

func namedVillages(list []evacuation.Named) []namedVillage {
	out := make([]namedVillage, 0, len(list))
	for _, n := range list {
		out = append(out, namedVillage{n.Code, n.Name, n.Whole, n.At, optional(n.By)})
	}
	return out
}

type messageInForce struct {
	ID         string     `json:"id"`
	Identifier *string    `json:"identifier"`
	Headline   string     `json:"headline"`
	SentAt     *time.Time `json:"sent_at"`
}

// getCalloutChanges says what the update of its warning means for a call-out that runs:
// who is newly inside and could be added, who is no longer inside.
func (s *Server) getCalloutChanges(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	c, err := s.opts.Evacuation.Changes(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	var alert *messageInForce
	if c.Alert != "" {
		alert = &messageInForce{c.Alert, optional(c.Identifier), c.Headline, c.SentAt}
	}
	return private(map[string]any{
		"callout": strings.ToLower(id), "alert": alert, "added": namedVillages(c.Added), "left": namedVillages(c.Left),
		"added_before": namedVillages(c.Late), "left_before": namedVillages(c.Gone),
	})
}

type calloutChangeBody struct {
	Add       []string       `json:"add"`
	Left      []string       `json:"left"`
	Note      string         `json:"note"`
	Consulted *consultedBody `json:"consulted"`
}

// postCalloutChange adds villages an update brought, and marks those it no longer covers.
// Sent again it changes nothing.
func (s *Server) postCalloutChange(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := s.opts.Evacuation.Callout(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b calloutChangeBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	ch := evacuation.Change{Add: b.Add, Left: b.Left, Note: b.Note}
	if b.Consulted != nil {
		ch.Consulted, ch.Post = b.Consulted.Name, b.Consulted.Post
	}
	c, err := s.opts.Evacuation.Change(ctx, s.by(req), strings.ToLower(id), ch)
	if err != nil {
		return nil, err
	}
	return versioned(calloutLine(c, s.areaTitles(ctx, req)), c.Version)
}
