package style

import (
	"maps"
	"math"
	"slices"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// grounds draw the layers that are the ground of every map. They keep the catalogue's
// fields and zooms; only the look is their own.
var grounds = map[string]func(*builder, Layer, int) object{
	"admin":     (*builder).admin,
	"grids":     (*builder).grids,
	"roads":     (*builder).roads,
	"rivers":    (*builder).rivers,
	"buildings": (*builder).buildings,
}

// zoomed interpolates a number over zoom levels.
func zoomed(stops ...any) any {
	return append([]any{"interpolate", []any{"linear"}, []any{"zoom"}}, stops...)
}

// text fonts are CSS families: without "glyphs" a client draws every label itself.
var fonts = []string{"PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", "sans-serif"}

// around are the places a unit's name tries, from its middle outwards: it yields to
// every symbol but should not vanish because of one.
var around = []any{
	"center", []float64{0, 0}, "center", []float64{0, 1.4}, "center", []float64{0, -1.4}, "center", []float64{2.6, 0}, "center", []float64{-2.6, 0},
	"center", []float64{2.2, 1.6}, "center", []float64{-2.2, 1.6}, "center", []float64{2.2, -1.6}, "center", []float64{-2.2, -1.6},
	"center", []float64{0, 2.8}, "center", []float64{0, -2.8}, "center", []float64{5, 0}, "center", []float64{-5, 0}, "center", []float64{0, 4.4}, "center", []float64{0, -4.4},
}

// admin boundaries come in greys by rank: 1 province, 2 city, 3 county, 4 township,
// 5 village. A catalogue without rank gets one line for all.
func (b *builder) admin(l Layer, rank int) object {
	type line struct {
		part, color string
		width       any
		dash        any
		filter      any
		minzoom     float64
	}
	is := func(op string, n int) any { return []any{op, []any{"to-number", []any{"get", "rank"}, 3}, n} }
	lines := []line{
		{"village", b.pal.village, zoomed(11, 0.4, 15, 0.9), nil, is(">=", 5), 11},
		{"township", b.pal.township, zoomed(7, 0.4, 10, 0.7, 12, 1, 15, 1.4), []any{4, 2}, is("==", 4), 7},
		{"county", b.pal.county, zoomed(5, 1, 11, 1.5, 15, 2.2), []any{7, 2, 1.5, 2}, is("<=", 3), 0},
	}
	if !l.has("rank") {
		lines = lines[1:2]
		lines[0].filter = nil
	}
	for _, n := range lines {
		if n.part == "county" {
			b.add(slotBoundary, rank, l, "county-casing", object{
				"type": "line", "filter": n.filter, "layout": object{"line-join": "round"},
				"paint": object{"line-color": b.pal.land, "line-width": zoomed(5, 2, 11, 4, 15, 5), "line-opacity": 0.7},
			})
		}
		body := object{
			"type": "line", "layout": object{"line-join": "round"},
			"paint": object{"line-color": n.color, "line-width": n.width},
		}
		if n.dash != nil {
			body["paint"].(object)["line-dasharray"] = n.dash
		}
		if n.filter != nil {
			body["filter"] = n.filter
		}
		body["minzoom"] = max(n.minzoom, float64(l.MinZoom))
		b.add(slotBoundary, rank, l, n.part, body)
	}
	// A fill that is not seen, so that a click inside a unit finds it.
	b.add(slotGround, rank, l, "hit", object{"type": "fill", "paint": object{"fill-color": b.pal.land, "fill-opacity": 0}})
	if l.has(l.LabelField) {
		labels := []struct {
			part             string
			filter           any
			minzoom, maxzoom float64
			size             any
			color            string
		}{
			{"area-label-village", is(">=", 5), 13, 0, zoomed(13, 11, 16, 13), b.pal.muted},
			{"area-label-township", is("==", 4), 9.2, 0, zoomed(9, 12, 13, 15), b.pal.text},
			{"area-label-county", is("<=", 3), 0, 10, zoomed(6, 12, 9, 15), b.pal.text},
		}
		for _, n := range labels {
			body := object{
				"type": "symbol", "filter": n.filter,
				"layout": object{
					"text-field": []any{"get", l.LabelField}, "text-font": fonts, "text-size": n.size,
					"text-padding": 1, "text-max-width": 8, "text-variable-anchor-offset": around, "symbol-sort-key": []any{"to-number", []any{"get", "rank"}, 9},
				},
				"paint":   object{"text-color": n.color, "text-halo-color": b.pal.halo, "text-halo-width": 1.6},
				"minzoom": max(n.minzoom, float64(l.MinZoom)),
			}
			if n.maxzoom > 0 {
				body["maxzoom"] = n.maxzoom
			}
			b.add(slotLabel, rank+100, l, n.part, body)
		}
	}
	return object{"geometry": Line, "color": b.pal.county, "dash": []any{7, 2, 1.5, 2}, "width": 1.5}
}

func (b *builder) grids(l Layer, rank int) object {
	color := b.defaultColor(l)
	b.add(slotBoundary, rank, l, "hit", object{"type": "fill", "paint": object{"fill-color": b.pal.land, "fill-opacity": 0}})
	b.add(slotBoundary, rank, l, "line", object{
		"type": "line", "layout": object{"line-join": "round"},
		"paint": object{"line-color": color, "line-width": zoomed(11, 0.5, 15, 1.2), "line-dasharray": []any{2, 2}},
	})
	b.areaLabel(l, rank, nil)
	return object{"geometry": Line, "color": color, "dash": []any{2, 2}, "width": 1}
}

// roadClasses rank the codes of 道路等级; an unknown class is drawn as the smallest.
var roadClasses = []struct {
	codes []string
	width [3]float64 // at z9, z13, z16
}{
	{[]string{"expressway", "national"}, [3]float64{1.1, 3.4, 9}},
	{[]string{"provincial", "trunk"}, [3]float64{0.9, 2.7, 7.5}},
	{[]string{"county", "secondary"}, [3]float64{0.6, 2, 6}},
	{[]string{"township", "street"}, [3]float64{0.4, 1.4, 5}},
	{[]string{"path", "lane"}, [3]float64{0.1, 0.5, 2}},
}

func (b *builder) roads(l Layer, rank int) object {
	field := "class"
	if l.KindField != "" {
		field = l.KindField
	}
	byClass := func(i int, smallest float64) any {
		match := []any{"match", []any{"to-string", []any{"get", field}}}
		for _, c := range roadClasses {
			match = append(match, c.codes, c.width[i])
		}
		return append(match, smallest)
	}
	width := func(extra float64) any {
		at := func(i int, smallest float64) any {
			if extra == 0 {
				return byClass(i, smallest)
			}
			return []any{"+", byClass(i, smallest), extra}
		}
		return zoomed(9, at(0, 0.25), 13, at(1, 0.8), 16, at(2, 3))
	}
	major := []any{"match", []any{"to-string", []any{"get", field}}, slices.Concat(roadClasses[0].codes, roadClasses[1].codes, roadClasses[2].codes), b.pal.road, b.pal.roadMinor}
	round := func() object { return object{"line-join": "round", "line-cap": "round"} }
	b.add(slotLine, rank, l, "casing", object{
		"type": "line", "minzoom": max(12, l.MinZoom), "layout": round(),
		"paint": object{"line-color": b.pal.roadCasing, "line-width": width(1.4)},
	})
	b.add(slotLine, rank, l, "line", object{
		"type": "line", "layout": round(), "paint": object{"line-color": major, "line-width": width(0)},
	})
	if l.has(l.LabelField) {
		b.add(slotLabel, rank, l, "line-label", object{
			"type": "symbol", "minzoom": max(13, l.MinZoom),
			"layout": object{
				"symbol-placement": "line", "text-field": []any{"get", l.LabelField}, "text-font": fonts,
				"text-size": 11, "symbol-spacing": 360, "text-padding": 4,
			},
			"paint": object{"text-color": b.pal.muted, "text-halo-color": b.pal.halo, "text-halo-width": 1.4},
		})
	}
	return object{"geometry": Line, "color": b.pal.roadCasing, "width": 3}
}

func (b *builder) rivers(l Layer, rank int) object {
	water := b.pick(pair{"#CFE0EC", "#0D2A45"})
	if l.Geometry != Line {
		b.add(slotGround, rank, l, "fill", object{
			"type": "fill", "filter": geometryIs("Polygon"), "paint": object{"fill-color": water, "fill-outline-color": b.pal.river},
		})
		if l.has(l.LabelField) {
			b.add(slotLabel, rank, l, "area-label", object{
				"type": "symbol", "minzoom": max(12, l.MinZoom), "filter": geometryIs("Polygon"),
				"layout": object{"text-field": []any{"get", l.LabelField}, "text-font": fonts, "text-size": 11.5, "text-max-width": 6, "text-padding": 8},
				"paint":  object{"text-color": b.pick(pair{"#5C86A6", "#6FA3CF"}), "text-halo-color": b.pal.halo, "text-halo-width": 1.4},
			})
		}
	}
	b.add(slotGround, rank, l, "line", object{
		"type": "line", "filter": geometryIs("LineString"), "layout": object{"line-join": "round", "line-cap": "round"},
		"paint": object{"line-color": b.pal.river, "line-width": zoomed(8, 0.8, 12, 2, 16, 6)},
	})
	if l.has(l.LabelField) {
		b.add(slotLabel, rank, l, "line-label", object{
			"type": "symbol", "minzoom": max(11, l.MinZoom), "filter": geometryIs("LineString"),
			"layout": object{
				"symbol-placement": "line", "text-field": []any{"get", l.LabelField}, "text-font": fonts,
				"text-size": 11.5, "symbol-spacing": 480,
			},
			"paint": object{"text-color": b.pick(pair{"#5C86A6", "#6FA3CF"}), "text-halo-color": b.pal.halo, "text-halo-width": 1.4},
		})
	}
	return object{"geometry": Line, "color": b.pal.river, "width": 2.5}
}

func (b *builder) buildings(l Layer, rank int) object {
	b.add(slotGround, rank, l, "fill", object{
		"type": "fill", "minzoom": max(13, l.MinZoom), "filter": geometryIs("Polygon"),
		"paint": object{"fill-color": b.pal.building, "fill-outline-color": b.pal.buildingLine, "fill-opacity": 0.9},
	})
	b.add(slotGround, rank, l, "dot", object{
		"type": "circle", "minzoom": max(14, l.MinZoom), "filter": geometryIs("Point"),
		"paint": object{"circle-color": b.pal.buildingLine, "circle-radius": zoomed(14, 1.2, 17, 3)},
	})
	return object{"geometry": Polygon, "color": b.pal.buildingLine}
}

// densityField is the figure a choropleth shows, or "".
func densityField(l Layer) string {
	if l.Symbol != "density" {
		return ""
	}
	for _, field := range []string{"population", "total"} {
		if slices.Contains(l.TileFields, field) {
			return field
		}
	}
	return ""
}

// density colours areas by a count of people, in one hue that no ladder uses. Steps
// are of the square root, because cells hold a few or very many.
func (b *builder) density(l Layer, rank int, field string) object {
	value := []any{"to-number", []any{"get", field}, 0}
	counts := []int{0, 50, 200, 800, 3000}
	colors := []string{"#EFEAE3", "#D3C6B7", "#AD9884", "#7D6756", "#4C3B30"}
	if b.pal.dark {
		colors = []string{"#1C2C3C", "#3C434A", "#665F58", "#9A8874", "#D8C3A5"}
	}
	ramp := []any{"interpolate", []any{"linear"}, []any{"sqrt", value}}
	steps := []object{}
	for i, n := range counts {
		ramp = append(ramp, math.Round(math.Sqrt(float64(n))*10)/10, colors[i])
		steps = append(steps, object{"from": n, "color": colors[i]})
	}
	b.add(slotFill, rank, l, "fill", object{
		"type": "fill", "filter": geometryIs("Polygon"),
		"paint": object{"fill-color": ramp, "fill-opacity": hovered(0.85, 0.62), "fill-antialias": false},
	})
	b.add(slotFill, rank, l, "outline", object{
		"type": "line", "minzoom": max(12, l.MinZoom), "filter": geometryIs("Polygon"),
		"paint": object{"line-color": b.pal.halo, "line-width": 0.5, "line-opacity": 0.6},
	})
	b.add(slotFill, rank, l, "base", object{
		"type": "circle", "filter": geometryIs("Point"),
		"paint": object{
			"circle-color": ramp, "circle-opacity": hovered(1, 0.85), "circle-stroke-color": b.pal.rim, "circle-stroke-width": 1,
			"circle-radius": []any{"interpolate", []any{"linear"}, []any{"sqrt", value}, 0, 2, 30, 12},
		},
	})
	return object{"geometry": Polygon, "color": colors[2], "ramp": steps}
}
