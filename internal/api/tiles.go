package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/db"
	"onemap/internal/registry"
	"onemap/tiles"
	"onemap/tiles/style"
)

const typeMVT = "application/vnd.mapbox-vector-tile"

// getTile answers one tile. The validator is compared before the body is touched;
// nothing here copies the body.
func (s *Server) getTile(ctx context.Context, req *Request) (*Response, error) {
	r, err := tiles.ParsePath(req.Param(0), req.Param(1), req.Param(2), req.Param(3), req.Query.all)
	if err != nil {
		return nil, err
	}
	r.Reach = req.Reach
	if r.Plan != "" && !strings.HasPrefix(r.Plan, seriesPrefix) {
		if r.Drafts, err = s.planDrafts(ctx, req, r.Plan); err != nil {
			return nil, err
		}
	}
	t, err := s.opts.Tiles.Tile(ctx, r)
	if err != nil {
		return nil, err
	}
	resp := &Response{Type: typeMVT, ETag: t.ETag, Cache: "private, no-cache", lean: true, headers: make([][2]string, 0, 2)}
	resp.Set("Onemap-Seq", t.Position.String())
	if t.Dropped != "" {
		resp.Set("Onemap-Dropped", t.Dropped)
	}
	if t.Empty {
		resp.Status = 204
		return resp, nil
	}
	resp.Body, resp.Encoding = t.Body, "gzip"
	return resp, nil
}

// all yields the parameters in order.
func (q Query) all(yield func(string, string) bool) {
	for _, p := range q {
		if !yield(p.Name, p.Value) {
			return
		}
	}
}

func (s *Server) getTileJSON(ctx context.Context, req *Request) (*Response, error) {
	layers, err := tiles.ParseLayers(req.Param(0))
	if err != nil {
		return nil, err
	}
	tj, err := s.opts.Tiles.TileJSON(ctx, layers, s.self(req), req.Lang, req.Reach)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(tj)
	if err != nil {
		return nil, fmt.Errorf("encode TileJSON: %w", err)
	}
	resp := document200(typeJSON, body)
	resp.Set("Vary", "Accept-Language")
	return resp, nil
}

// self is the address documents link to.
func (s *Server) self(req *Request) string {
	if s.opts.PublicURL != "" {
		return s.opts.PublicURL
	}
	if req.TLS {
		return "https://" + req.Host
	}
	return "http://" + req.Host
}

type styleKey struct {
	theme style.Theme
	lang  registry.Lang
	base  string
	sees  [4]bool // public, internal, sensitive: layers the asker may not see are absent; demo only
}

// styleCache keeps the style documents of the present snapshot.
type styleCache struct {
	mu   sync.Mutex
	snap *registry.Snapshot
	docs map[styleKey][]byte
}

func (s *Server) getStyle(_ context.Context, req *Request) (*Response, error) {
	key := styleKey{theme: style.Light, lang: req.Lang}
	switch v, given := req.Query.Get("theme"); {
	case !given:
	case v == string(style.Light) || v == string(style.Dark):
		key.theme = style.Theme(v)
	default:
		return nil, invalid("theme", "应为 light 或 dark", "it is light or dark")
	}
	switch v, given := req.Query.Get("lang"); {
	case !given:
	case v == string(registry.Chinese) || v == string(registry.English):
		key.lang = registry.Lang(v)
	default:
		return nil, invalid("lang", "应为 zh-CN 或 en", "it is zh-CN or en")
	}
	key.base = s.self(req)
	for i, v := range []string{db.Public, db.Internal, db.Sensitive} {
		key.sees[i] = req.Reach.Sees(v)
	}
	key.sees[3] = req.Reach.Demo()
	snap := s.opts.Catalogue.Now()
	layers, err := someLayers(req, snap)
	if err != nil {
		return nil, err
	}
	c := &s.styles
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snap != snap || len(c.docs) > 32 {
		c.snap, c.docs = snap, map[styleKey][]byte{}
	}
	body, ok := c.docs[key]
	if !ok {
		var err error
		if body, err = style.Build(styleInput(snap, layers, key.lang), style.Options{Theme: key.theme, Language: string(key.lang), BaseURL: key.base}); err != nil {
			return nil, err
		}
		c.docs[key] = body
	}
	resp := document200(typeJSON, body)
	resp.Set("Vary", "Accept-Language")
	return resp, nil
}

func styleInput(snap *registry.Snapshot, layers []*registry.Layer, lang registry.Lang) style.Input {
	in := style.Input{Ladders: map[string]style.Ladder{}}
	for _, l := range layers {
		sl := style.Layer{
			ID: l.ID, Title: l.Title.In(lang), Theme: l.Theme, Geometry: l.Geometry, Symbol: l.Symbol,
			LevelField: l.LevelField, KindField: l.KindField, LabelField: l.LabelField, Ladder: l.Ladder,
			MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, DefaultVisible: l.DefaultVisible,
		}
		if l.LadderBy != nil {
			sl.LadderBy = &style.LadderBy{Field: l.LadderBy.Field, Map: l.LadderBy.Map}
		}
		for _, f := range l.Fields {
			if f.Tile {
				sl.TileFields = append(sl.TileFields, f.Name)
			}
		}
		in.Layers = append(in.Layers, sl)
	}
	for id, c := range snap.CodeLists {
		if !c.Ladder {
			continue
		}
		var ld style.Ladder
		for _, it := range c.Items {
			ld.Steps = append(ld.Steps, style.Step{Level: it.Level, Title: it.Title.In(lang), Mark: it.Mark.In(lang), Color: it.Color, ColorDark: it.ColorDark, Texture: it.Texture})
		}
		in.Ladders[id] = ld
	}
	return in
}

// getBasemap answers land and water. The whole archive changes with the binary only.
func (s *Server) getBasemap(_ context.Context, req *Request) (*Response, error) {
	r, err := tiles.ParsePath("basemap", req.Param(0), req.Param(1), req.Param(2), nil)
	if err != nil {
		return nil, err
	}
	resp := &Response{Type: typeMVT, ETag: s.opts.Basemap.ETag(), Cache: "public, max-age=86400", lean: true}
	body, ok := s.opts.Basemap.Tile(r.Z, r.X, r.Y)
	if !ok {
		resp.Status = 204
		return resp, nil
	}
	resp.Body, resp.Encoding = body, "gzip"
	return resp, nil
}

// tileCollector gives the engine's figures to the metrics.
type tileCollector struct{ s *Server }

// Describe leaves the collector unchecked: its names are in Collect.
func (tileCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c tileCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.s.opts.Tiles.Stats()
	put := func(name, help string, kind prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("onemap_tiles_"+name, help, nil, nil), kind, v)
	}
	put("hits_total", "Tiles answered from memory.", prometheus.CounterValue, float64(st.Hits))
	put("misses_total", "Tiles that had to be rendered.", prometheus.CounterValue, float64(st.Misses))
	put("shared_total", "Requests that joined a render under way.", prometheus.CounterValue, float64(st.Shared))
	put("renders_total", "Renders finished.", prometheus.CounterValue, float64(st.Renders))
	put("failures_total", "Renders failed.", prometheus.CounterValue, float64(st.Failures))
	put("render_seconds_total", "Time spent rendering.", prometheus.CounterValue, st.RenderSeconds)
	put("invalidated_total", "Tiles removed because something in them changed.", prometheus.CounterValue, float64(st.Invalidated))
	put("evicted_total", "Tiles removed for room.", prometheus.CounterValue, float64(st.Evicted))
	put("unkept_total", "Tiles rendered for a reach beyond the 256 that are kept.", prometheus.CounterValue, float64(st.Unkept))
	put("scopes", "Reaches with tiles in memory.", prometheus.GaugeValue, float64(st.Scopes))
	put("entries", "Tiles in memory.", prometheus.GaugeValue, float64(st.Entries))
	put("bytes", "Bytes of tiles in memory.", prometheus.GaugeValue, float64(st.Bytes))
	put("max_bytes", "Bytes tiles may take.", prometheus.GaugeValue, float64(st.MaxBytes))
}
