package api

import (
	"context"
	"errors"
	"strconv"

	"onemap/internal/registry"
	"onemap/internal/wmts"
)

// Basemaps are the base maps of the office's own network.
type Basemaps interface {
	Sources() []wmts.Source
	Tile(ctx context.Context, id string, z, x, y int) (*wmts.Tile, error)
}

type basemapAnswer struct {
	ID          string  `json:"id"`
	Title       string  `json:"title"`
	Attribution *string `json:"attribution"`
	Approval    *string `json:"approval"` // 审图号
	MinZoom     int     `json:"min_zoom"`
	MaxZoom     int     `json:"max_zoom"`
	Opacity     float64 `json:"opacity"`
}

// getBasemaps lists them; where each comes from stays here, for a key stands in it.
func (s *Server) getBasemaps(_ context.Context, req *Request) (*Response, error) {
	out := []basemapAnswer{}
	for _, b := range s.opts.Basemaps.Sources() {
		a := basemapAnswer{ID: b.ID, Title: b.Title, Attribution: optional(b.Attribution), Approval: optional(b.Approval), MinZoom: b.MinZoom, MaxZoom: b.MaxZoom, Opacity: b.Opacity}
		if a.Opacity == 0 {
			a.Opacity = 1
		}
		if req.Lang == registry.English && b.TitleEN != "" {
			a.Title = b.TitleEN
		}
		out = append(out, a)
	}
	return private(map[string]any{"basemaps": out})
}

func (s *Server) getBasemapTile(ctx context.Context, req *Request) (*Response, error) {
	var at [3]int
	for i := range at {
		n, err := strconv.Atoi(req.Param(i + 1))
		if err != nil || strconv.Itoa(n) != req.Param(i+1) {
			return nil, problem(CodeNotFound)
		}
		at[i] = n
	}
	t, err := s.opts.Basemaps.Tile(ctx, req.Param(0), at[0], at[1], at[2])
	switch {
	case errors.Is(err, wmts.ErrNoSource):
		return nil, problem(CodeNotFound)
	case errors.Is(err, wmts.ErrUpstream):
		e := problem(CodeBasemapSilent)
		e.Err = err
		return nil, e
	case err != nil:
		return nil, err
	}
	return &Response{Type: t.Type, ETag: t.ETag, Body: t.Body, Cache: "private, max-age=86400"}, nil
}
