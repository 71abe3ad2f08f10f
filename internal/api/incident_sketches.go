package api

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"onemap/incidents"
	"onemap/internal/registry"
)

type sketchAnswer struct {
	ID        string          `json:"id"`
	ETag      int64           `json:"etag"`
	FID       int64           `json:"fid"`
	Incident  string          `json:"incident"`
	Kind      string          `json:"kind"`
	KindTitle string          `json:"kind_title"`
	Name      string          `json:"name"`
	Note      *string         `json:"note"`
	Geometry  json.RawMessage `json:"geometry"`
	ValidFrom *time.Time      `json:"valid_from"`
	ValidTo   *time.Time      `json:"valid_to"`
	Valid     bool            `json:"valid"` // now
	UpdatedAt time.Time       `json:"updated_at"`
	UpdatedBy string          `json:"updated_by"`
}

func (s *Server) sketchLine(k incidents.Sketch, now time.Time, lang registry.Lang) sketchAnswer {
	return sketchAnswer{
		ID: k.ID, ETag: k.Version, FID: k.FID, Incident: k.Incident, Kind: k.Kind, KindTitle: codeTitle(s.opts.Catalogue.Now(), "sketch_kind", k.Kind, lang), Name: k.Name, Note: optional(k.Note),
		Geometry: geometryJSON(k.Geometry), ValidFrom: k.ValidFrom, ValidTo: k.ValidTo, Valid: k.Valid(now), UpdatedAt: k.UpdatedAt, UpdatedBy: k.UpdatedBy,
	}
}

func (s *Server) getIncidentSketches(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Incidents.Sketches(ctx, req.Who, i.ID)
	if err != nil {
		return nil, err
	}
	out := make([]sketchAnswer, 0, len(list))
	for _, k := range list {
		out = append(out, s.sketchLine(k, req.Received, req.Lang))
	}
	return private(map[string]any{"sketches": out})
}

type sketchBody struct {
	ID        string          `json:"id"`
	Kind      *string         `json:"kind"`
	Name      *string         `json:"name"`
	Note      *string         `json:"note"`
	Geometry  json.RawMessage `json:"geometry"`
	SrcCRS    string          `json:"src_crs"`
	ValidFrom *time.Time      `json:"valid_from"`
	ValidTo   *time.Time      `json:"valid_to"`
	// Open takes the end away again.
	Open bool `json:"open"`
}

func (s *Server) postIncidentSketch(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	fix, err := fixing(req)
	if err != nil {
		return nil, err
	}
	var b sketchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	shape, err := looseShape(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	k, made, err := s.opts.Incidents.Draw(ctx, s.by(req), i.ID, incidents.NewSketch{
		ID: b.ID, Kind: orZero(b.Kind), Name: orZero(b.Name), Note: orZero(b.Note), Geometry: shape, ValidFrom: b.ValidFrom, ValidTo: b.ValidTo, FixSwap: fix,
	})
	if err != nil {
		return nil, err
	}
	resp, err := versioned(s.sketchLine(k, req.Received, req.Lang), k.Version)
	if err == nil && made {
		resp.Status = 201
		resp.Set("Location", "/api/incidents/"+i.ID+"/sketches/"+k.ID)
	}
	if err == nil && k.FeedPosition != "" {
		resp.Set("Onemap-Seq", k.FeedPosition)
	}
	return resp, err
}

func (s *Server) patchIncidentSketch(ctx context.Context, req *Request) (*Response, error) {
	i, version, err := s.changingIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	fix, err := fixing(req)
	if err != nil {
		return nil, err
	}
	var b sketchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	shape, err := looseShape(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	k, err := s.opts.Incidents.Redraw(ctx, s.by(req), i.ID, strings.ToLower(req.Param(1)), version, incidents.SketchPatch{
		Kind: b.Kind, Name: b.Name, Note: b.Note, Geometry: shape, ValidFrom: b.ValidFrom, ValidTo: b.ValidTo, Open: b.Open, FixSwap: fix,
	})
	if err != nil {
		return nil, err
	}
	return versioned(s.sketchLine(k, req.Received, req.Lang), k.Version)
}

func (s *Server) deleteIncidentSketch(ctx context.Context, req *Request) (*Response, error) {
	i, version, err := s.changingIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Incidents.Erase(ctx, s.by(req), i.ID, strings.ToLower(req.Param(1)), version); err != nil {
		return nil, err
	}
	return noContent(), nil
}
