package api

import (
	"context"
	"errors"
	"time"

	"onemap/internal/packs"
	"onemap/internal/registry"
)

// packPatience is how long a manifest waits for a pack that is being made.
const packPatience = 1500 * time.Millisecond

// packInfo is what a phone shows before it downloads: how large, how old.
type packInfo struct {
	Area    string     `json:"area"`
	Name    string     `json:"name"`
	Ready   bool       `json:"ready"`
	Bytes   int64      `json:"bytes"`
	Tiles   int        `json:"tiles"`
	Done    int        `json:"done"`
	MadeAt  *time.Time `json:"made_at"`
	ETag    string     `json:"etag,omitempty"`
	Layers  []string   `json:"layers"`
	MinZoom int        `json:"minzoom"`
	MaxZoom int        `json:"maxzoom"`
	Bounds  [4]float64 `json:"bounds"`
	URL     string     `json:"url"`
}

type packList struct {
	Packs []packInfo `json:"packs"`
}

func packInfoOf(i packs.Info) packInfo {
	out := packInfo{
		Area: i.Area, Name: i.Name, Ready: i.Ready, Bytes: i.Bytes, Tiles: i.Tiles, Done: i.Done, ETag: i.ETag, Layers: i.Layers,
		MinZoom: packs.MinZoom, MaxZoom: packs.MaxZoom, Bounds: [4]float64{i.Bound.Min[0], i.Bound.Min[1], i.Bound.Max[0], i.Bound.Max[1]},
		URL: "/api/packs/" + i.Area + "/tiles.pmtiles",
	}
	if out.Layers == nil {
		out.Layers = []string{}
	}
	if !i.MadeAt.IsZero() {
		out.MadeAt = &i.MadeAt
	}
	return out
}

// getPacks lists the areas of the asker.
func (s *Server) getPacks(ctx context.Context, req *Request) (*Response, error) {
	list, err := s.opts.Packs.List(ctx, req.Who)
	if err != nil {
		return nil, err
	}
	out := packList{Packs: make([]packInfo, len(list))}
	for i, p := range list {
		out.Packs[i] = packInfoOf(p)
	}
	return answer(typeJSON, out)
}

// getPack says how large a pack is. One that is not there is made: 202 until it is.
func (s *Server) getPack(ctx context.Context, req *Request) (*Response, error) {
	info, err := s.opts.Packs.Manifest(ctx, req.Who, req.Param(0), packPatience)
	if err != nil {
		return nil, err
	}
	resp, err := answer(typeJSON, packInfoOf(info))
	if err != nil {
		return nil, err
	}
	if !info.Ready {
		resp.Status, resp.ETag, resp.Cache = 202, "", privateNoStore
		resp.Set("Retry-After", "2")
	}
	return resp, nil
}

// getPackTiles sends a pack, or the rest of one.
func (s *Server) getPackTiles(ctx context.Context, req *Request) (*Response, error) {
	f, err := s.opts.Packs.Open(ctx, req.Who, req.Param(0))
	if err != nil {
		return nil, err
	}
	resp := &Response{Type: "application/vnd.pmtiles", ETag: f.ETag, Cache: revalidate, lean: true, file: &fileBody{r: f, c: f, size: f.Bytes}}
	resp.Set("Onemap-Seq", f.Position.String())
	resp.Set("Content-Disposition", `attachment; filename="`+f.Area+`.pmtiles"`)
	return resp, nil
}

// packProblem says why there is no pack.
func packProblem(lang registry.Lang, err error) *Error {
	switch {
	case errors.Is(err, packs.ErrAbsent):
		return wrap(CodeNotFound, err)
	case errors.Is(err, packs.ErrBusy):
		p := wrap(CodeOverloaded, err)
		p.RetryAfter = 10 * time.Second
		return p
	case errors.Is(err, packs.ErrMaking):
		p := wrap(CodeOverloaded, err)
		p.As, p.RetryAfter = "pack_making", 2*time.Second
		return p
	case errors.Is(err, packs.ErrTooLarge):
		p := wrap(CodeInvalid, err)
		p.As = "area_too_large"
		p.Items = []Item{{Path: "area", Code: "area_too_large", Message: text("片区太大，请选择乡镇、村或网格", "the area is too large; choose a township, village or grid").In(lang)}}
		return p
	}
	return nil
}
