package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/features"
	"onemap/internal/registry"
)

func (s *Server) asker(req *Request) features.Asker {
	return features.Asker{Name: req.Actor, Role: req.Reach.Class(), Reach: req.Reach}
}

const (
	maxIdentify  = 60
	maxRadius    = 5000.0
	maxSearch    = 20
	maxSearchLen = 60
)

type identified struct {
	Layer      string          `json:"layer"`
	FID        *int64          `json:"fid"`
	ID         string          `json:"id"`
	Title      *string         `json:"title"`
	Level      *int            `json:"level"`
	Properties json.RawMessage `json:"properties"`
	Geometry   json.RawMessage `json:"geometry"`
	DistanceM  float64         `json:"distance_m"`
}

type identifyAnswer struct {
	Features []identified `json:"features"`
	Position string       `json:"position"`
}

func (s *Server) getIdentify(ctx context.Context, req *Request) (*Response, error) {
	snap := s.opts.Catalogue.Now()
	lon, err := number(req.Query, "lon", -180, 180)
	if err != nil {
		return nil, err
	}
	lat, err := number(req.Query, "lat", -90, 90)
	if err != nil {
		return nil, err
	}
	radius := 10.0
	if _, given := req.Query.Get("radius_m"); given {
		if radius, err = number(req.Query, "radius_m", 0, maxRadius); err != nil {
			return nil, err
		}
	}
	layers, err := someLayers(req, snap)
	if err != nil {
		return nil, err
	}
	if v, given := req.Query.Get("layers"); given {
		if layers, err = s.layerList(req, snap, v); err != nil {
			return nil, err
		}
	}
	times, err := readTimes(req)
	if err != nil {
		return nil, err
	}
	if times.AsOf != nil {
		layers = withHistory(layers)
	}
	position := s.position()
	hits, err := s.opts.Features.Identify(ctx, s.asker(req), features.IdentifyQuery{
		Layers: layers, Point: orb.Point{lon, lat}, RadiusM: radius, Limit: maxIdentify, Times: times,
	})
	if err != nil {
		return nil, err
	}
	a := identifyAnswer{Features: make([]identified, 0, len(hits)), Position: position}
	for _, h := range hits {
		a.Features = append(a.Features, identified{
			Layer: h.Layer.ID, FID: positive(h.FID), ID: h.ID, Title: optional(h.Title), Level: positive(h.Level),
			Properties: raw(h.Properties, "{}"), Geometry: raw(h.Geometry, "null"), DistanceM: math.Round(h.DistanceM*100) / 100,
		})
	}
	resp, err := answer(typeJSON, a)
	if err == nil {
		resp.Set("Onemap-Seq", position)
	}
	return resp, err
}

func positive[T int | int64](v T) *T {
	if v <= 0 {
		return nil
	}
	return &v
}

func raw(b []byte, otherwise string) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage(otherwise)
	}
	return b
}

// number reads a required decimal parameter. Exponents, infinities and hexadecimal
// forms that strconv knows are refused.
func number(q Query, name string, lo, hi float64) (float64, error) {
	v, given := q.Get(name)
	if !given {
		return 0, problem(CodeMissingParameter, name)
	}
	f, ok := decimal(v)
	if !ok || f < lo || f > hi {
		return 0, invalid(name, fmt.Sprintf("应为 %v 到 %v 之间的数", lo, hi), fmt.Sprintf("it is a number between %v and %v", lo, hi))
	}
	return f, nil
}

func decimal(s string) (float64, bool) {
	if s == "" || len(s) > 32 || strings.Trim(s, "0123456789.-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func (s *Server) layerList(req *Request, snap *registry.Snapshot, v string) ([]*registry.Layer, error) {
	ids := strings.Split(v, ",")
	if len(ids) > 64 {
		return nil, invalid("layers", "图层过多", "too many layers")
	}
	var out []*registry.Layer
	seen := map[string]bool{}
	for _, id := range ids {
		l, err := s.layer(req, snap, id)
		if err != nil {
			return nil, err
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, l)
		}
	}
	return out, nil
}

// withHistory keeps the layers that can tell what was known at another time.
func withHistory(layers []*registry.Layer) []*registry.Layer {
	out := make([]*registry.Layer, 0, len(layers))
	for _, l := range layers {
		if l.Own {
			out = append(out, l)
		}
	}
	return out
}

// readTimes reads datetime (valid time, instant or interval) and as_of (record
// time). as_of alone shows what the plain question would have shown at that moment;
// neither shows now.
func readTimes(req *Request) (features.Times, error) {
	var t features.Times
	if v, given := req.Query.Get("as_of"); given {
		at, ok := instant(v)
		if !ok {
			return t, invalid("as_of", "应为带时区的 RFC 3339 时间", "it is one instant as RFC 3339 with offset")
		}
		t = features.At(at)
		t.AsOf = &at
	}
	if v, given := req.Query.Get("datetime"); given {
		from, to, ok := interval(v)
		if !ok {
			return t, invalid("datetime", "应为带时区的 RFC 3339 时间或区间 (起/止，可用 .. 表示不限)", "it is an instant as RFC 3339 with offset, or an interval start/end where .. is open")
		}
		t.From, t.To, t.Asked = from, to, true
	}
	if !t.Asked && t.AsOf == nil {
		now := req.Received
		t.From, t.To = &now, &now
	}
	return t, nil
}

func instant(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Microsecond), true
}

func interval(s string) (from, to *time.Time, ok bool) {
	a, b, two := strings.Cut(s, "/")
	if !two {
		t, ok := instant(s)
		return &t, &t, ok
	}
	open := func(s string) bool { return s == "" || s == ".." }
	if !open(a) {
		t, ok := instant(a)
		if !ok {
			return nil, nil, false
		}
		from = &t
	}
	if !open(b) {
		t, ok := instant(b)
		if !ok {
			return nil, nil, false
		}
		to = &t
	}
	if from == nil && to == nil || from != nil && to != nil && to.Before(*from) {
		return nil, nil, false
	}
	return from, to, true
}

type searchResult struct {
	Kind     string     `json:"kind"`
	Layer    *string    `json:"layer"`
	ID       *string    `json:"id"`
	FID      *int64     `json:"fid"`
	Title    string     `json:"title"`
	Subtitle string     `json:"subtitle"`
	Code     *string    `json:"code"`
	Center   *orb.Point `json:"center"`
	Bounds   []float64  `json:"bounds"`
}

type searchAnswer struct {
	Results  []searchResult `json:"results"`
	Position string         `json:"position"`
}

func (s *Server) getSearch(ctx context.Context, req *Request) (*Response, error) {
	q, given := req.Query.Get("q")
	q = strings.TrimSpace(q)
	if !given || q == "" {
		return nil, problem(CodeMissingParameter, "q")
	}
	if utf8.RuneCountInString(q) > maxSearchLen {
		return nil, invalid("q", "过长", "it is too long")
	}
	limit := maxSearch
	if _, given := req.Query.Get("limit"); given {
		n, err := wholeNumber(req.Query, "limit", 1, 100)
		if err != nil {
			return nil, err
		}
		limit = n
	}
	snap := s.opts.Catalogue.Now()
	layers, err := someLayers(req, snap)
	if err != nil {
		return nil, err
	}
	if v, given := req.Query.Get("layers"); given {
		if layers, err = s.layerList(req, snap, v); err != nil {
			return nil, err
		}
	}
	a := searchAnswer{Results: []searchResult{}, Position: s.position()}
	home, err := s.home(ctx, req, snap)
	if err != nil {
		return nil, err
	}
	if p, swapped, ok := features.Coordinate(q, boundOf(home.Bounds)); ok {
		sub := text("坐标(经度, 纬度)", "Coordinates (longitude, latitude)")
		if swapped {
			sub = text("坐标(已按 纬度, 经度 读取)", "Coordinates (read as latitude, longitude)")
		}
		a.Results = append(a.Results, searchResult{
			Kind: "coordinate", Title: strconv.FormatFloat(p[0], 'f', 6, 64) + ", " + strconv.FormatFloat(p[1], 'f', 6, 64),
			Subtitle: sub.In(req.Lang), Center: &p,
		})
	}
	times := features.At(req.Received)
	found, err := s.opts.Features.Search(ctx, s.asker(req), features.SearchQuery{Text: q, Layers: layers, Aliases: snap.Aliases, Limit: limit, Times: times})
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		r := searchResult{Kind: "feature", Layer: &f.Layer.ID, ID: optional(f.ID), FID: positive(f.FID), Title: f.Title, Code: optional(f.Code)}
		if f.Layer.ID == "admin" {
			r.Kind = "admin"
		}
		if r.Title == "" {
			r.Title = f.Code
		}
		parts := []string{f.Layer.Title.In(req.Lang)}
		if f.ByAlias != "" {
			parts = append(parts, f.ByAlias)
		}
		if f.Admin != "" && f.Admin != f.Title {
			parts = append(parts, f.Admin)
		}
		r.Subtitle = strings.Join(parts, " · ")
		if f.Bounds != nil {
			c := f.Bounds.Center()
			r.Center, r.Bounds = &c, bounds(f.Bounds)
		}
		a.Results = append(a.Results, r)
	}
	resp, err := answer(typeJSON, a)
	if err == nil {
		resp.Set("Onemap-Seq", a.Position)
		resp.Set("Vary", "Accept-Language")
	}
	return resp, err
}

func boundOf(b []float64) orb.Bound {
	if len(b) != 4 {
		return orb.Bound{}
	}
	return orb.Bound{Min: orb.Point{b[0], b[1]}, Max: orb.Point{b[2], b[3]}}
}

func wholeNumber(q Query, name string, lo, hi int) (int, error) {
	v := q.Value(name)
	n, err := strconv.Atoi(v)
	if err != nil || n < lo || n > hi || strconv.Itoa(n) != v {
		return 0, invalid(name, fmt.Sprintf("应为 %d 到 %d 之间的整数", lo, hi), fmt.Sprintf("it is a whole number between %d and %d", lo, hi))
	}
	return n, nil
}
