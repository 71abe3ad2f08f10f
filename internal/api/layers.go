package api

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/features"
	"onemap/internal/registry"
	"onemap/tiles"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

type titles struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

type fieldAnswer struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Title    string `json:"title"`
	Unit     string `json:"unit,omitempty"`
	CodeList string `json:"code_list,omitempty"`
	Tile     bool   `json:"tile"`
	Filter   bool   `json:"filter"`
	Form     bool   `json:"form"`
	Export   bool   `json:"export"`
}

type ladderBy struct {
	Field string            `json:"field"`
	Map   map[string]string `json:"map"`
}

type layerAnswer struct {
	ID             string        `json:"id"`
	Title          string        `json:"title"`
	Titles         titles        `json:"titles"`
	Theme          string        `json:"theme"`
	Geometry       string        `json:"geometry"`
	Bounds         []float64     `json:"bounds"`
	Count          int64         `json:"count"`
	Unplaced       int64         `json:"unplaced"`
	SourceDate     *string       `json:"source_date"`
	Source         *string       `json:"source"`
	Ladder         *string       `json:"ladder"`
	LadderBy       *ladderBy     `json:"ladder_by"`
	LevelField     *string       `json:"level_field"`
	KindField      *string       `json:"kind_field"`
	LabelField     *string       `json:"label_field"`
	Symbol         string        `json:"symbol"`
	MinZoom        int           `json:"min_zoom"`
	MaxZoom        int           `json:"max_zoom"`
	Path           string        `json:"path"`
	LagMs          int64         `json:"lag_ms"`
	Visibility     string        `json:"visibility"`
	DefaultVisible bool          `json:"default_visible"`
	Fields         []fieldAnswer `json:"fields"`
}

type themeAnswer struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type stepAnswer struct {
	Level      int    `json:"level"`
	Title      string `json:"title"`
	Mark       string `json:"mark"`
	Color      string `json:"color"`
	ColorDark  string `json:"color_dark"`
	Texture    string `json:"texture"`
	PrintColor string `json:"print_color,omitempty"`
}

type ladderAnswer struct {
	Title string       `json:"title"`
	Steps []stepAnswer `json:"steps"`
}

type codeAnswer struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Parent string `json:"parent,omitempty"`
}

type codeListAnswer struct {
	Title    string       `json:"title"`
	Standard string       `json:"standard,omitempty"`
	Verified bool         `json:"verified"`
	Items    []codeAnswer `json:"items"`
}

type homeAnswer struct {
	Code   string    `json:"code"`
	Title  string    `json:"title"`
	Bounds []float64 `json:"bounds"`
}

type layersAnswer struct {
	Layers    []layerAnswer             `json:"layers"`
	Themes    []themeAnswer             `json:"themes"`
	Ladders   map[string]ladderAnswer   `json:"ladders"`
	CodeLists map[string]codeListAnswer `json:"code_lists"`
	Home      homeAnswer                `json:"home"`
	Watermark string                    `json:"watermark"`
	Approval  string                    `json:"map_approval"`
	Position  string                    `json:"position"`
}

func (s *Server) layerInfos(ctx context.Context, req *Request) (map[string]tiles.LayerInfo, error) {
	list, err := s.opts.Tiles.Layers(ctx, req.Reach)
	if err != nil {
		return nil, err
	}
	out := make(map[string]tiles.LayerInfo, len(list))
	for _, i := range list {
		out[i.Layer.ID] = i
	}
	return out, nil
}

func (s *Server) getLayers(ctx context.Context, req *Request) (*Response, error) {
	snap := s.opts.Catalogue.Now()
	position := s.position()
	infos, err := s.layerInfos(ctx, req)
	if err != nil {
		return nil, err
	}
	layers, err := someLayers(req, snap)
	if err != nil {
		return nil, err
	}
	sources, err := s.sources(ctx, req, snap)
	if err != nil {
		return nil, err
	}
	a := layersAnswer{
		Layers: []layerAnswer{}, Themes: []themeAnswer{},
		Ladders: map[string]ladderAnswer{}, CodeLists: codeLists(snap, req.Lang), Position: position,
	}
	for _, t := range snap.Themes {
		a.Themes = append(a.Themes, themeAnswer{t.ID, t.Title.In(req.Lang)})
	}
	for id, c := range snap.CodeLists {
		if c.Ladder {
			a.Ladders[id] = ladder(c, req.Lang)
		}
	}
	for _, l := range layers {
		a.Layers = append(a.Layers, describeLayer(l, infos[l.ID], sources[l.ID], req.Lang))
	}
	snap.Setting("watermark", &a.Watermark)
	snap.Setting("map_approval", &a.Approval)
	home, err := s.home(ctx, req, snap)
	if err != nil {
		return nil, err
	}
	a.Home = home
	resp, err := answer(typeJSON, a)
	if err == nil {
		resp.Set("Onemap-Seq", position)
		resp.Set("Content-Language", string(req.Lang))
		resp.Set("Vary", "Accept-Language")
	}
	return resp, err
}

func describeLayer(l *registry.Layer, info tiles.LayerInfo, src features.Source, lang registry.Lang) layerAnswer {
	a := layerAnswer{
		ID: l.ID, Title: l.Title.In(lang), Titles: titles{l.Title.ZH, l.Title.EN}, Theme: l.Theme, Geometry: l.Geometry,
		Bounds: bounds(info.Bounds), Count: info.Count, Unplaced: src.Unplaced,
		SourceDate: optional(sourceDate(info)), Source: optional(src.Source), Ladder: optional(l.Ladder),
		LevelField: optional(l.LevelField), KindField: optional(l.KindField), LabelField: optional(l.LabelField),
		Symbol: l.Symbol, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Path: "database", LagMs: info.Lag.Milliseconds(),
		Visibility: l.Visibility, DefaultVisible: l.DefaultVisible, Fields: []fieldAnswer{},
	}
	if l.LadderBy != nil {
		a.LadderBy = &ladderBy{l.LadderBy.Field, l.LadderBy.Map}
	}
	for _, f := range l.Fields {
		a.Fields = append(a.Fields, fieldAnswer{f.Name, string(f.Type), f.Title.In(lang), f.UnitIn(lang), f.CodeList, f.Tile, f.Filter, f.Form, f.Export})
	}
	return a
}

func sourceDate(i tiles.LayerInfo) string {
	if i.SourceDate == nil {
		return ""
	}
	return i.SourceDate.Format(time.DateOnly)
}

// sourceCache keeps what changes with imports only, for each reach.
type sourceCache struct {
	mu      sync.Mutex
	snap    *registry.Snapshot
	byReach map[string]*sourced
}

type sourced struct {
	at    time.Time
	found map[string]features.Source
	home  *homeAnswer
}

const (
	sourceAge  = 10 * time.Second
	maxSourced = 256
)

// of finds what is known for the asker, fresh. mu is held.
func (c *sourceCache) of(req *Request, snap *registry.Snapshot) *sourced {
	if c.snap != snap || len(c.byReach) > maxSourced {
		c.snap, c.byReach = snap, map[string]*sourced{}
	}
	e := c.byReach[req.Reach.Key()]
	if e == nil || time.Since(e.at) > sourceAge {
		e = &sourced{at: time.Now()}
		c.byReach[req.Reach.Key()] = e
	}
	return e
}

func (s *Server) sources(ctx context.Context, req *Request, snap *registry.Snapshot) (map[string]features.Source, error) {
	c := &s.sourced
	c.mu.Lock()
	found := c.of(req, snap).found
	c.mu.Unlock()
	if found != nil {
		return found, nil
	}
	found, err := s.opts.Features.Sources(ctx, s.asker(req), visibleLayers(req, snap), features.At(req.Received))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(req, snap).found = found
	return found, nil
}

// everything is the box around all rows of all layers, nil when there are none.
func everything(infos map[string]tiles.LayerInfo) *orb.Bound {
	var all *orb.Bound
	for _, i := range infos {
		switch {
		case i.Bounds == nil:
		case all == nil:
			b := *i.Bounds
			all = &b
		default:
			b := all.Union(*i.Bounds)
			all = &b
		}
	}
	return all
}

// home is the area the map opens on: the unit the bureau set, else what the units
// cover, else what the data covers.
func (s *Server) home(ctx context.Context, req *Request, snap *registry.Snapshot) (homeAnswer, error) {
	c := &s.sourced
	c.mu.Lock()
	known := c.of(req, snap).home
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	set := snap.Home()
	h := homeAnswer{Code: set.Code, Title: set.Title}
	admin, has := snap.Layer("admin")
	has = has && req.Reach.Sees(admin.Visibility)
	if set.Code != "" && has {
		title, b, found, err := s.opts.Features.Unit(ctx, s.asker(req), admin, set.Code, features.At(req.Received))
		if err != nil {
			return h, err
		}
		if found {
			h.Bounds = bounds(b)
			if h.Title == "" {
				h.Title = title
			}
		}
	}
	if h.Bounds == nil {
		infos, err := s.layerInfos(ctx, req)
		if err != nil {
			return h, err
		}
		h.Bounds = bounds(infos["admin"].Bounds)
		if h.Bounds == nil {
			h.Bounds = bounds(everything(infos))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(req, snap).home = &h
	return h, nil
}

func ladder(c *registry.CodeList, lang registry.Lang) ladderAnswer {
	out := ladderAnswer{Title: title(c.Title, lang), Steps: []stepAnswer{}}
	for _, it := range c.Items {
		out.Steps = append(out.Steps, stepAnswer{it.Level, title(it.Title, lang), title(it.Mark, lang), it.Color, it.ColorDark, it.Texture, it.PrintColor})
	}
	return out
}

func title(t registry.Title, lang registry.Lang) string { return t.In(lang) }

func codeLists(snap *registry.Snapshot, lang registry.Lang) map[string]codeListAnswer {
	out := make(map[string]codeListAnswer, len(snap.CodeLists))
	for id, c := range snap.CodeLists {
		list := codeListAnswer{Title: c.Title.In(lang), Standard: c.Standard, Verified: c.Verified, Items: []codeAnswer{}}
		for _, it := range c.Items {
			list.Items = append(list.Items, codeAnswer{it.Code, it.Title.In(lang), it.Parent})
		}
		out[id] = list
	}
	return out
}

func (s *Server) getCodeLists(_ context.Context, req *Request) (*Response, error) {
	return answer(typeJSON, map[string]any{"code_lists": codeLists(s.opts.Catalogue.Now(), req.Lang)})
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func bounds(b *orb.Bound) []float64 {
	if b == nil {
		return nil
	}
	return []float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
}
