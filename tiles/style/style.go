package style

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Geometry kinds a layer may have.
const (
	Point   = "point"
	Line    = "line"
	Polygon = "polygon"
	Mixed   = "mixed"
)

// Theme is the colour scheme of the document.
type Theme string

// The two schemes.
const (
	Light Theme = "light"
	Dark  Theme = "dark"
)

// Options say for whom a document is made.
type Options struct {
	Theme    Theme
	Language string // "zh-CN" or "en"
	// BaseURL is put before every path. Empty gives relative addresses, which our own
	// page resolves; other clients want absolute ones.
	BaseURL string
}

// Input is the part of the catalogue a style is made of. Layers come in the order the
// legend shows them: what is first is drawn on top within its kind.
type Input struct {
	Layers  []Layer
	Ladders map[string]Ladder
}

// A Layer is one entry of the catalogue.
type Layer struct {
	ID         string
	Title      string
	Theme      string
	Geometry   string
	Symbol     string
	LevelField string
	KindField  string
	LabelField string
	Ladder     string
	// LadderBy picks the ladder by the value of a field, where one layer carries
	// several (zones of risk and of prevention).
	LadderBy       *LadderBy
	MinZoom        int
	MaxZoom        int
	DefaultVisible bool
	TileFields     []string // names of the properties its tiles carry
}

// LadderBy maps values of a field to ladder names.
type LadderBy struct {
	Field string
	Map   map[string]string
}

// A Ladder is an ordered list of levels; 1 is the worst.
type Ladder struct {
	Steps []Step
}

// A Step is one level with everything that tells it apart.
type Step struct {
	Level     int
	Title     string
	Mark      string
	Color     string
	ColorDark string
	Texture   string // cross, diagonal, dots or plain
}

type object = map[string]any

// Build makes the style document.
func Build(in Input, opts Options) ([]byte, error) {
	if opts.Theme != Light && opts.Theme != Dark {
		return nil, fmt.Errorf("style: unknown theme %q", opts.Theme)
	}
	b := &builder{in: in, opts: opts, pal: palettes[opts.Theme]}
	b.base()
	legend := object{}
	for rank, layer := range in.Layers {
		if layer.ID == "" {
			return nil, fmt.Errorf("style: layer %d has no id", rank)
		}
		b.source(layer)
		legend[layer.ID] = b.layer(layer, len(in.Layers)-rank)
	}
	// Stable, so that what one layer draws keeps its order within the slot.
	slices.SortStableFunc(b.drawn, func(x, y drawn) int {
		return cmp.Or(cmp.Compare(x.slot, y.slot), cmp.Compare(x.rank, y.rank))
	})
	layers := make([]object, len(b.drawn))
	for i, d := range b.drawn {
		layers[i] = d.body
	}
	return json.Marshal(object{
		"version":  8,
		"name":     "onemap",
		"sprite":   opts.BaseURL + "/sprite",
		"sources":  b.sources,
		"layers":   layers,
		"metadata": object{"onemap:theme": string(opts.Theme), "onemap:language": opts.Language, "onemap:legend": legend},
	})
}

// Slots order the document from the bottom up. Labels lie under points because
// MapLibre places symbols from the top layer down: so points take their room first
// and no label ever covers one.
const (
	slotBase     = 0
	slotGround   = 10 // buildings, water areas
	slotFill     = 20 // risk fills
	slotArea     = 30 // hazard areas, warnings
	slotLine     = 40 // rivers, roads, lifelines
	slotBoundary = 50
	slotLabel    = 60
	slotPoint    = 70
	slotIncident = 80
)

type drawn struct {
	slot, rank int
	body       object
}

type builder struct {
	in      Input
	opts    Options
	pal     palette
	sources object
	drawn   []drawn
}

func (b *builder) add(slot, rank int, layer Layer, part string, body object) {
	body["id"] = layer.ID + "/" + part
	body["source"] = layer.ID
	body["source-layer"] = layer.ID
	body["metadata"] = object{"onemap:layer": layer.ID, "onemap:part": part, "onemap:slot": slot}
	if _, set := body["minzoom"]; !set && layer.MinZoom > 0 {
		body["minzoom"] = layer.MinZoom
	}
	if !layer.DefaultVisible {
		layout, _ := body["layout"].(object)
		if layout == nil {
			layout = object{}
			body["layout"] = layout
		}
		layout["visibility"] = "none"
	}
	b.drawn = append(b.drawn, drawn{slot: slot, rank: rank, body: body})
}

func (b *builder) source(l Layer) {
	b.sources[l.ID] = object{
		"type":    "vector",
		"tiles":   []string{b.opts.BaseURL + "/tiles/" + l.ID + "/{z}/{x}/{y}.mvt"},
		"minzoom": min(l.MinZoom, l.MaxZoom),
		"maxzoom": l.MaxZoom,
	}
}

// base is land and water: a coarse world and, nearer, a finer coast laid over it.
func (b *builder) base() {
	b.sources = object{
		"base": object{
			"type": "vector", "tiles": []string{b.opts.BaseURL + "/basemap/{z}/{x}/{y}.mvt"},
			"minzoom": 0, "maxzoom": 5,
		},
		"base-near": object{
			"type": "vector", "tiles": []string{b.opts.BaseURL + "/basemap/{z}/{x}/{y}.mvt"},
			"minzoom": 6, "maxzoom": 8, "bounds": []float64{72, 2, 137, 55},
		},
	}
	put := func(id, kind, source, sourceLayer string, paint object) {
		body := object{"id": id, "type": kind, "paint": paint, "metadata": object{"onemap:slot": slotBase}}
		if source != "" {
			body["source"] = source
			body["source-layer"] = sourceLayer
		}
		b.drawn = append(b.drawn, drawn{slot: slotBase, body: body})
	}
	put("base/background", "background", "", "", object{"background-color": b.pal.water})
	put("base/land", "fill", "base", "land", object{"fill-color": b.pal.land, "fill-antialias": true})
	put("base/near-water", "fill", "base-near", "water", object{"fill-color": b.pal.water, "fill-antialias": false})
	put("base/near-land", "fill", "base-near", "land", object{"fill-color": b.pal.land, "fill-antialias": true})
}

// layer draws one catalogue layer and answers its legend entry: how its swatch looks.
func (b *builder) layer(l Layer, rank int) object {
	if draw, ok := grounds[l.ID]; ok {
		return draw(b, l, rank)
	}
	if field := densityField(l); field != "" {
		return b.density(l, rank, field)
	}
	color := b.levelColor(l)
	legend := object{"geometry": l.Geometry, "color": b.defaultColor(l), "glyph": "g-layer-" + l.ID}
	if dash := dashOf(l); dash != nil {
		legend["dash"] = dash
	}
	shape, marked := shapeOf(l)
	switch {
	case l.Geometry == Polygon && !marked:
		b.area(l, rank, color, nil, l.MinZoom)
		b.areaLabel(l, rank, nil)
	case l.Geometry == Line && !marked:
		b.line(l, rank, color, nil)
		b.lineLabel(l, rank, nil)
	case l.Geometry == Point || marked:
		// A site drawn as an area is the same thing as one drawn as a point: from afar
		// both are the symbol, near by the area shows under it.
		var onSymbol any
		if l.Geometry != Point {
			b.area(l, rank, color, geometryIs("Polygon"), max(siteZoom, l.MinZoom))
			b.line(l, rank, color, geometryIs("LineString"))
			if !symbolOnLines(l) {
				onSymbol = []any{"!=", []any{"geometry-type"}, "LineString"}
			}
		}
		b.point(l, rank, shape, color, onSymbol)
		legend["geometry"], legend["shape"] = Point, shape
	default:
		b.area(l, rank, color, geometryIs("Polygon"), l.MinZoom)
		b.line(l, rank, color, geometryIs("LineString"))
		near := l
		near.MinZoom = max(12, l.MinZoom)
		b.point(near, rank, "circle", color, geometryIs("Point"))
		b.areaLabel(l, rank, geometryIs("Polygon"))
		legend["geometry"] = Polygon
		if l.Symbol == "sketch" || l.Symbol == "lifeline" || l.Symbol == "line" {
			legend["geometry"] = Line
		}
	}
	return legend
}

// siteZoom is where the outline of a school or a depot begins to mean something.
const siteZoom = 13

func geometryIs(kind string) any {
	return []any{"==", []any{"geometry-type"}, kind}
}

func (l Layer) has(field string) bool {
	return field != "" && (len(l.TileFields) == 0 || slices.Contains(l.TileFields, field))
}
